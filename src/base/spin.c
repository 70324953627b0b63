/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/spin.h"

#include <sched.h>

enum { LOOKS = 64 };

void spin_wait(struct spin *s)
{
	do {
		for (unsigned i = 0; i < LOOKS; i++)
			if (!atomic_load_explicit(&s->is_taken, memory_order_relaxed))
				break;
		if (atomic_load_explicit(&s->is_taken, memory_order_relaxed))
			sched_yield();
	} while (atomic_exchange_explicit(&s->is_taken, true, memory_order_acquire));
}
