/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64, UNIT = 16 };
_Static_assert(sizeof(struct log_entry) == UNIT, "an entry of nothing fits wherever there is room");

struct log_queue *log_queue_new(size_t size)
{
	struct log_queue *q;

	assert(size >= 64 && (size & (size - 1)) == 0); /* positions wrap by masking */
	q = aligned_alloc(64, sizeof(*q) + size);
	if (!q)
		return NULL;
	q->next = NULL;
	q->rate = NULL;
	q->size = size;
	q->reserved = NULL;
	atomic_init(&q->closed, false);
	atomic_init(&q->put, 0);
	atomic_init(&q->taken, 0);
	atomic_init(&q->base, 0);
	return q;
}

void log_queue_free(struct log_queue *q)
{
	free(q->rate);
	free(q);
}

static size_t place_of(const struct log_queue *q, uint64_t position)
{
	uint64_t base = atomic_load_explicit(&q->base, memory_order_relaxed);

	return (size_t)((position - base) & (q->size - 1));
}

static size_t size_of(size_t len)
{
	return (sizeof(struct log_entry) + len + UNIT - 1) / UNIT * UNIT;
}

size_t log_queue_bytes(const struct log_queue *q)
{
	/* In this order: the taking end never overtakes the putting one. */
	uint64_t taken = atomic_load(&q->taken);

	return (size_t)(atomic_load(&q->put) - taken);
}

/* How many bytes may be put. While nothing is in the queue, the taking thread looks at no place,
 * and will see where the first entry lies before that entry. */
static size_t find_free(struct log_queue *q, uint64_t at)
{
	size_t free = q->size - log_queue_bytes(q);

	if (free == q->size)
		atomic_store_explicit(&q->base, at, memory_order_relaxed);
	return free;
}

void *log_queue_reserve(struct log_queue *q, size_t len)
{
	uint64_t at = atomic_load_explicit(&q->put, memory_order_relaxed);
	size_t free = find_free(q, at), place = place_of(q, at), left = q->size - place;
	size_t size = size_of(len), skipped = size > left ? left : 0;

	q->reserved = NULL;
	if (size > free || skipped > free - size)
		return NULL;
	if (skipped > 0) {
		struct log_entry nothing = {.size = (uint32_t)left};

		memcpy(q->ring + place, &nothing, sizeof(nothing));
		place = 0;
	}
	q->next_at = at + skipped;
	q->reserved = (struct log_entry *)(void *)(q->ring + place);
	return q->reserved->bytes;
}

void log_queue_expect(const struct log_queue *q)
{
	uint64_t next = atomic_load_explicit(&q->put, memory_order_relaxed);
	const char *at = q->ring + place_of(q, next);

	/* What lies behind the ring's end is fetched in vain, and seldom. */
	for (size_t i = 0; i < LOG_QUEUE_EXPECTED; i += CACHE_LINE)
		__builtin_prefetch(at + i, 1);
}

bool log_queue_put(struct log_queue *q, log_record_fn *record_of, const void *bytes, size_t len)
{
	struct log_entry *e = q->reserved;

	if (!e || bytes != e->bytes) {
		if (!log_queue_reserve(q, len))
			return false;
		e = q->reserved;
		memcpy(e->bytes, bytes, len);
	}
	q->reserved = NULL;
	e->record_of = record_of;
	e->len = (uint32_t)len;
	e->size = (uint32_t)size_of(len);
	/* Sequentially consistent: the putting thread looks next whether the writer
	 * sleeps, the writer says so and then looks here. One of them must see the other. */
	atomic_store(&q->put, q->next_at + e->size);
	return true;
}

const struct log_entry *log_queue_first(const struct log_queue *q)
{
	uint64_t at = atomic_load_explicit(&q->taken, memory_order_relaxed);

	return (const struct log_entry *)(const void *)(q->ring + place_of(q, at));
}

size_t log_queue_drop(struct log_queue *q)
{
	uint64_t at = atomic_load_explicit(&q->taken, memory_order_relaxed);
	uint32_t size = log_queue_first(q)->size;

	atomic_store_explicit(&q->taken, at + size, memory_order_release);
	return size;
}
