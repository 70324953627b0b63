/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Counters. Each layer lists its own in an X-macro of (name, help), which makes
 * the struct its workers count in and the table that admin/ sums and names.
 * A counter has one writing thread; others may read it at any time. */

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t counter;

struct counter_info {
	const char *name, *help;
};

#define COUNTER_FIELD(name, help) counter name;
#define COUNTER_INFO(name, help)  {#name, help},

static inline void counter_add(counter *c, uint64_t n)
{
	atomic_store_explicit(
	        c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void counter_inc(counter *c)
{
	counter_add(c, 1);
}

static inline uint64_t counter_get(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}
