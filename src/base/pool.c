/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/pool.h"

#include "base/budget.h"
#include "base/fault.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define IS_ASAN true
#else
#define IS_ASAN                           false
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum {
	ALIGN = 8,
	PAGE = 4096,
	MAPPED_MIN = 4 * PAGE,
	EMPTY_MAX =
	        256 * 1024, /* bytes of empty slabs kept: to map and clear them anew costs time */
};

/* In front of a slab's objects. */
struct slab {
	struct slab *prev, *next; /* in pool->partial */
	void *free;               /* first free object; each holds the next */
	char *fresh;              /* the part that was never handed out, so many objects: */
	uint32_t fresh_n;         /* memory is first touched when it is needed */
	uint32_t used;
};
/* A line of the cache, so that objects of some lines begin with one. */
enum { HEAD = 64 };
_Static_assert(sizeof(struct slab) <= HEAD, "a slab begins with its head");

/* What a free object holds. */
struct spare {
	struct spare *next;
};

void pool_init(struct pool *pool, size_t size, size_t per_slab)
{
	assert(size > 0 && per_slab > 0 && per_slab <= UINT32_MAX);
	size = (size + ALIGN - 1) / ALIGN * ALIGN;
	assert(size <= (SIZE_MAX / 4 - HEAD) / per_slab);
	*pool = (struct pool){.size = size, .slab_size = 64};
	while (pool->slab_size < HEAD + size || 2 * pool->slab_size <= HEAD + size * per_slab)
		pool->slab_size *= 2;
}

/* Slabs of some pages are mapped: malloc would leave gaps between aligned ones. Not so
 * under AddressSanitizer, whose search for leaks looks into malloc's memory only. */
static bool is_mapped(const struct pool *pool)
{
	return !IS_ASAN && pool->slab_size >= MAPPED_MIN;
}

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* The kernel lays mappings side by side, so after the first the first try fits. */
static void *map_aligned(size_t size)
{
	char *p = map(size);
	if (!p || ((uintptr_t)p & (size - 1)) == 0)
		return p;
	munmap(p, size);
	p = map(2 * size);
	if (!p)
		return NULL;
	size_t before = size - ((uintptr_t)p & (size - 1));
	munmap(p, before);
	munmap(p + before + size, size - before);
	return p + before;
}

static void *take_memory(const struct pool *pool)
{
	void *p;
	if (is_mapped(pool))
		return map_aligned(pool->slab_size);
	return posix_memalign(&p, pool->slab_size, pool->slab_size) == 0 ? p : NULL;
}

static void free_slab(struct pool *pool, struct slab *slab)
{
	ASAN_UNPOISON_MEMORY_REGION(slab, pool->slab_size);
	if (is_mapped(pool))
		munmap(slab, pool->slab_size);
	else
		free(slab);
	pool->slabs--;
	budget_take(-(int64_t)pool->slab_size);
}

void pool_fini(struct pool *pool)
{
	assert(pool->used == 0 && !pool->partial);
	for (struct slab *next, *slab = pool->empty; slab; slab = next) {
		next = slab->next;
		free_slab(pool, slab);
	}
	pool->empty = NULL;
	assert(pool->slabs == 0);
}

static bool may_grow(const struct pool *pool)
{
	return pool->is_promised ? budget_has_promised(pool->slab_size)
	                         : budget_has(pool->slab_size);
}

static struct slab *new_slab(struct pool *pool)
{
	void *p = may_grow(pool) ? take_memory(pool) : NULL;
	if (!p)
		return NULL;
	struct slab *slab = p;
	*slab = (struct slab){.fresh = (char *)p + HEAD,
	        .fresh_n = (uint32_t)((pool->slab_size - HEAD) / pool->size)};
	ASAN_POISON_MEMORY_REGION(slab->fresh, pool->slab_size - HEAD);
	pool->slabs++;
	budget_take((int64_t)pool->slab_size);
	return slab;
}

static void push(struct pool *pool, struct slab *slab)
{
	slab->prev = NULL;
	slab->next = pool->partial;
	if (slab->next)
		slab->next->prev = slab;
	pool->partial = slab;
}

static void unlink_slab(struct pool *pool, struct slab *slab)
{
	if (slab->prev)
		slab->prev->next = slab->next;
	else
		pool->partial = slab->next;
	if (slab->next)
		slab->next->prev = slab->prev;
}

static struct slab *take_empty(struct pool *pool)
{
	struct slab *slab = pool->empty;

	pool->empty = slab->next;
	pool->empty_n--;
	return slab;
}

/* One with a free object, at the front of the partial ones; NULL when memory is short. */
static struct slab *open_slab(struct pool *pool)
{
	if (pool->partial)
		return pool->partial;
	struct slab *slab = pool->empty ? take_empty(pool) : new_slab(pool);
	if (slab)
		push(pool, slab);
	return slab;
}

static void *take_spare(const struct pool *pool, struct slab *slab)
{
	struct spare *object = slab->free;

	ASAN_UNPOISON_MEMORY_REGION(object, pool->size);
	slab->free = object->next;
	return object;
}

static void *take_fresh(const struct pool *pool, struct slab *slab)
{
	void *object = slab->fresh;

	ASAN_UNPOISON_MEMORY_REGION(object, pool->size);
	slab->fresh += pool->size;
	slab->fresh_n--;
	return object;
}

static bool is_full(const struct slab *slab)
{
	return !slab->free && slab->fresh_n == 0;
}

void *pool_get(struct pool *pool)
{
	struct slab *slab = fault_next("alloc") == 0 ? open_slab(pool) : NULL;

	if (!slab) {
		errno = ENOMEM;
		return NULL;
	}
	void *object = slab->free ? take_spare(pool, slab) : take_fresh(pool, slab);
	slab->used++;
	pool->used++;
	if (is_full(slab))
		unlink_slab(pool, slab);
	return object;
}

static void on_empty(struct pool *pool, struct slab *slab)
{
	unlink_slab(pool, slab);
	if (pool->empty_n > 0 && (pool->empty_n + 1) * pool->slab_size > EMPTY_MAX) {
		free_slab(pool, slab);
		return;
	}
	slab->next = pool->empty;
	pool->empty = slab;
	pool->empty_n++;
}

void pool_put(struct pool *pool, void *object)
{
	struct slab *slab = (void *)((char *)object - ((uintptr_t)object & (pool->slab_size - 1)));
	struct spare *spare = object;

	assert(pool->used > 0 && slab->used > 0);
	if (is_full(slab))
		push(pool, slab);
	spare->next = slab->free;
	slab->free = spare;
	slab->used--;
	pool->used--;
	ASAN_POISON_MEMORY_REGION(object, pool->size);
	if (slab->used == 0)
		on_empty(pool, slab);
}
