/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64, LINE_USUAL = 576 };

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

/* How many of `len` bytes at a position lie before the ring's end. */
static size_t until_end(const struct log_queue *q, uint64_t position, size_t len)
{
	size_t left = q->size - place_of(q, position);

	return len < left ? len : left;
}

size_t log_queue_bytes(const struct log_queue *q)
{
	/* In this order: the taking end never overtakes the putting one. */
	uint64_t taken = atomic_load(&q->taken);

	return (size_t)(atomic_load(&q->put) - taken);
}

/* The place of the next line; *free: the bytes that may be put. While nothing is in the queue, the
 * taking thread looks at no place, and will see where the first line lies before that line. */
static char *next_place(struct log_queue *q, size_t *free)
{
	uint64_t at = atomic_load_explicit(&q->put, memory_order_relaxed);

	*free = q->size - log_queue_bytes(q);
	if (*free == q->size)
		atomic_store_explicit(&q->base, at, memory_order_relaxed);
	return q->ring + place_of(q, at);
}

char *log_queue_room(struct log_queue *q, size_t *len)
{
	char *at = next_place(q, len);
	size_t left = (size_t)(q->ring + q->size - at);

	if (*len > left)
		*len = left;
	return at;
}

void log_queue_expect(const struct log_queue *q)
{
	uint64_t next = atomic_load_explicit(&q->put, memory_order_relaxed);
	const char *at = q->ring + place_of(q, next);

	/* What lies behind the ring's end is fetched in vain, and seldom. */
	for (size_t i = 0; i < LINE_USUAL; i += CACHE_LINE)
		__builtin_prefetch(at + i, 1);
}

bool log_queue_put(struct log_queue *q, const char *line, size_t len)
{
	uint64_t at = atomic_load_explicit(&q->put, memory_order_relaxed);
	char *place = q->ring + place_of(q, at);
	size_t free;

	if (line != place) {
		place = next_place(q, &free);
		if (len > free)
			return false;
		size_t first = until_end(q, at, len);
		memcpy(place, line, first);
		memcpy(q->ring, line + first, len - first);
	}
	/* Sequentially consistent: the putting thread looks next whether the writer
	 * sleeps, the writer says so and then looks here. One of them must see the other. */
	atomic_store(&q->put, at + len);
	return true;
}

void log_queue_drop(struct log_queue *q, size_t len)
{
	uint64_t at = atomic_load_explicit(&q->taken, memory_order_relaxed);

	atomic_store(&q->taken, at + len);
}

void log_queue_take(struct log_queue *q, char *out, size_t len)
{
	uint64_t at = atomic_load_explicit(&q->taken, memory_order_relaxed);
	size_t first = until_end(q, at, len);

	memcpy(out, q->ring + place_of(q, at), first);
	memcpy(out + first, q->ring, len - first);
	log_queue_drop(q, len);
}

size_t log_queue_look(const struct log_queue *q, size_t len, const char **at)
{
	uint64_t taken = atomic_load_explicit(&q->taken, memory_order_relaxed);
	const char *end;

	*at = q->ring + place_of(q, taken);
	end = memrchr(*at, '\n', until_end(q, taken, len));
	return end ? (size_t)(end + 1 - *at) : 0;
}

size_t log_queue_first(const struct log_queue *q)
{
	uint64_t taken = atomic_load_explicit(&q->taken, memory_order_relaxed);
	size_t len = log_queue_bytes(q), first = until_end(q, taken, len);
	const char *at = q->ring + place_of(q, taken), *end = memchr(at, '\n', first);

	if (end)
		return (size_t)(end + 1 - at);
	end = memchr(q->ring, '\n', len - first);
	return end ? first + (size_t)(end + 1 - q->ring) : len;
}
