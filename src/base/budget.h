/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The memory that the process takes, against a limit, so that it refuses work before
 * the system kills it. Two sums:
 *
 *   taken     what was allocated (mem.h, pool.h), and what the kernel is charged with
 *   promised  what those who are served may still come to need: their allocations do not
 *             fail for what others take
 *
 * From seven eighths of the limit on memory is short: no newcomers, and nobody gets more
 * than was promised. It is no longer under three quarters. At the limit allocations that
 * may fail do.
 *
 * Each thread keeps its own sums and adds them to those of all from 64 KiB on, so
 * counting costs an addition. Any thread. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BUDGET_STEP = 64 * 1024 };

/* 0 = no limit; then memory is never short. */
void budget_set(uint64_t max);
uint64_t budget_max(void);

struct budget_own {
	int64_t taken, promised;
};
extern _Thread_local struct budget_own budget_own;
extern atomic_bool budget_is_tight;   /* for budget_is_short() */
extern atomic_uint budget_shortage_n; /* for budget_shortages() */

/* Adds this thread's sums to those of all and looks whether memory is short. Before a
 * thread ends; and where a stale answer must not stay. */
void budget_settle(void);

static inline void budget_take(int64_t bytes)
{
	budget_own.taken += bytes;
	if (budget_own.taken >= BUDGET_STEP || budget_own.taken <= -BUDGET_STEP)
		budget_settle();
}

static inline void budget_promise(int64_t bytes)
{
	budget_own.promised += bytes;
	if (budget_own.promised >= BUDGET_STEP || budget_own.promised <= -BUDGET_STEP)
		budget_settle();
}

/* Whether so much may be taken; not counting, or counting, what is promised to others. */
bool budget_has_promised(size_t bytes);
bool budget_has(size_t bytes);

static inline bool budget_is_short(void)
{
	return atomic_load_explicit(&budget_is_tight, memory_order_relaxed);
}
/* How often memory has become short. */
static inline unsigned budget_shortages(void)
{
	return atomic_load_explicit(&budget_shortage_n, memory_order_relaxed);
}

uint64_t budget_taken(void);
uint64_t budget_promised(void);
