/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A script that a route names: something that lua/ made and understands, counted by
 * references across threads. Embedded at the front of what it really is. */

#include <stdatomic.h>
#include <stddef.h>

struct script {
	atomic_uint refs;
	void (*free)(struct script *s);
};

static inline struct script *script_ref(struct script *s)
{
	if (s)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

static inline void script_unref(struct script *s)
{
	if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		s->free(s);
}
