/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/budget.h"

_Thread_local struct budget_own budget_own;
atomic_bool budget_is_tight;
atomic_uint budget_shortage_n;

/* On lines of their own: the words above are read all the time, these written. */
static _Alignas(64) _Atomic int64_t taken;
static _Atomic int64_t promised;
static _Alignas(64) _Atomic uint64_t max;

static int64_t load(_Atomic int64_t *sum, int64_t own)
{
	return atomic_load_explicit(sum, memory_order_relaxed) + own;
}

static int64_t taken_now(void)
{
	return load(&taken, budget_own.taken);
}

static int64_t all_now(void)
{
	return taken_now() + load(&promised, budget_own.promised);
}

static uint64_t positive(int64_t n)
{
	return n > 0 ? (uint64_t)n : 0;
}

static void look(uint64_t sum, uint64_t limit)
{
	bool was_tight = budget_is_short();
	bool is_tight = limit && sum >= (was_tight ? limit / 4 * 3 : limit / 8 * 7);

	if (is_tight == was_tight || atomic_exchange(&budget_is_tight, is_tight) == is_tight)
		return;
	if (is_tight)
		atomic_fetch_add(&budget_shortage_n, 1);
}

void budget_settle(void)
{
	atomic_fetch_add_explicit(&taken, budget_own.taken, memory_order_relaxed);
	atomic_fetch_add_explicit(&promised, budget_own.promised, memory_order_relaxed);
	budget_own = (struct budget_own){0};
	look(positive(all_now()), budget_max());
}

void budget_set(uint64_t limit)
{
	atomic_store(&max, limit);
	budget_settle();
}

uint64_t budget_max(void)
{
	return atomic_load_explicit(&max, memory_order_relaxed);
}

static bool fits(int64_t sum, size_t bytes)
{
	uint64_t limit = budget_max();
	return !limit || (bytes <= limit && positive(sum) <= limit - bytes);
}

bool budget_has_promised(size_t bytes)
{
	return fits(taken_now(), bytes);
}

bool budget_has(size_t bytes)
{
	return fits(all_now(), bytes);
}

uint64_t budget_taken(void)
{
	return positive(taken_now());
}

uint64_t budget_promised(void)
{
	return positive(load(&promised, budget_own.promised));
}
