/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A lock for the few instructions of a counter or a table's slot: taken with one exchange and
 * given back with a store, where a mutex needs two exchanges and two calls. Nothing that
 * waits for another thread stands between the two. Zero: it is free. */

#include <stdatomic.h>
#include <stdbool.h>

struct spin {
	atomic_bool is_taken;
};

/* Who holds it was interrupted, if it takes longer than a few looks. */
void spin_wait(struct spin *s);

static inline void spin_lock(struct spin *s)
{
	if (atomic_exchange_explicit(&s->is_taken, true, memory_order_acquire))
		spin_wait(s);
}

static inline void spin_unlock(struct spin *s)
{
	atomic_store_explicit(&s->is_taken, false, memory_order_release);
}
