/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Objects of one size from slabs, without a malloc header each. One thread. Of
 * slabs that are empty some are kept, the others given back; all are counted in the budget.
 * Under AddressSanitizer a free object is poisoned. */

#include <stdbool.h>
#include <stddef.h>

struct slab;

struct pool {
	size_t size;          /* bytes of one object, rounded up to 8, to which it is aligned */
	size_t slab_size;     /* a power of two, to which slabs are aligned */
	struct slab *partial; /* those with free objects and used ones */
	struct slab *empty;   /* those without used objects, kept for the next need */
	size_t empty_n;
	size_t slabs;     /* all */
	size_t used;      /* objects handed out */
	bool is_promised; /* what it takes was promised in the budget */
};

/* A slab holds about `per_slab`, at least one. */
void pool_init(struct pool *pool, size_t size, size_t per_slab);
/* Frees all slabs. Every object must have been put back (assert). */
void pool_fini(struct pool *pool);
/* NULL when memory is short (fault name: alloc, asked each time). The bytes are not cleared. */
void *pool_get(struct pool *pool);
void pool_put(struct pool *pool, void *object);
