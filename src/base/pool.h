/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Objects of one size from slabs, without a malloc header each. One thread.
 * Under AddressSanitizer a free object is poisoned. */

#include <stddef.h>

struct pool {
	size_t size;     /* bytes of one object, rounded up to 16 */
	size_t per_slab; /* objects allocated at once */
	void *free;      /* first free object; each holds the next */
	void *fresh;     /* the part of the newest slab that was never handed out, */
	size_t fresh_n;  /* so many objects: memory is first touched when it is needed */
	void *slabs;     /* all slabs, for pool_fini */
	size_t used;     /* objects handed out */
};

void pool_init(struct pool *pool, size_t size, size_t per_slab);
/* Frees all slabs. Every object must have been put back (assert). */
void pool_fini(struct pool *pool);
/* NULL when memory is short (fault name: alloc, asked each time). The bytes are not cleared. */
void *pool_get(struct pool *pool);
void pool_put(struct pool *pool, void *object);
