/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/pool.h"

#include "base/fault.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { ALIGN = 16 };

/* In front of a slab's objects. */
struct slab {
	struct slab *next;
};
_Static_assert(sizeof(struct slab) <= ALIGN, "objects follow the slab's head");

/* What a free object holds. */
struct spare {
	struct spare *next;
};

void pool_init(struct pool *pool, size_t size, size_t per_slab)
{
	assert(size > 0 && per_slab > 0);
	size = (size + ALIGN - 1) / ALIGN * ALIGN;
	assert(size <= (SIZE_MAX - ALIGN) / per_slab);
	*pool = (struct pool){.size = size, .per_slab = per_slab};
}

void pool_fini(struct pool *pool)
{
	struct slab *slab = pool->slabs;

	assert(pool->used == 0);
	while (slab) {
		struct slab *next = slab->next;

		ASAN_UNPOISON_MEMORY_REGION(slab, ALIGN + pool->size * pool->per_slab);
		free(slab);
		slab = next;
	}
	*pool = (struct pool){.size = pool->size, .per_slab = pool->per_slab};
}

static bool pool_grow(struct pool *pool)
{
	size_t bytes = pool->size * pool->per_slab;
	struct slab *slab = malloc(ALIGN + bytes);

	if (!slab)
		return false;
	slab->next = pool->slabs;
	pool->slabs = slab;
	pool->fresh = (char *)slab + ALIGN;
	pool->fresh_n = pool->per_slab;
	ASAN_POISON_MEMORY_REGION(pool->fresh, bytes);
	return true;
}

static void *take_spare(struct pool *pool)
{
	struct spare *object = pool->free;

	ASAN_UNPOISON_MEMORY_REGION(object, pool->size);
	pool->free = object->next;
	return object;
}

static void *take_fresh(struct pool *pool)
{
	void *object = pool->fresh;

	ASAN_UNPOISON_MEMORY_REGION(object, pool->size);
	pool->fresh = (char *)object + pool->size;
	pool->fresh_n--;
	return object;
}

void *pool_get(struct pool *pool)
{
	if (fault_next("alloc") != 0) {
		errno = ENOMEM;
		return NULL;
	}
	if (!pool->free && pool->fresh_n == 0 && !pool_grow(pool))
		return NULL;
	pool->used++;
	return pool->free ? take_spare(pool) : take_fresh(pool);
}

void pool_put(struct pool *pool, void *object)
{
	struct spare *spare = object;

	assert(pool->used > 0);
	spare->next = pool->free;
	pool->free = spare;
	pool->used--;
	ASAN_POISON_MEMORY_REGION(object, pool->size);
}
