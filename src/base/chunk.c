/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/chunk.h"

#include <assert.h>

enum { CHUNKS_PER_SLAB = 8, CHUNK_ROOM = CHUNK_SIZE - 16 };
_Static_assert(sizeof(struct chunk) == CHUNK_SIZE, "a chunk fills its size");

void chunk_pool_init(struct pool *pool)
{
	pool_init(pool, sizeof(struct chunk), CHUNKS_PER_SLAB);
	pool->is_promised = true;
}

static void chunk_unref(struct pool *pool, struct chunk *c)
{
	assert(c->refs > 0);
	if (--c->refs == 0)
		pool_put(pool, c);
}

static void free_chain(struct pool *pool, struct chunk *c)
{
	while (c) {
		struct chunk *next = c->next;

		chunk_unref(pool, c);
		c = next;
	}
}

/* Enough empty chunks for `bytes`, or NULL; bytes > 0. */
static struct chunk *get_chain(struct pool *pool, size_t bytes)
{
	struct chunk *chain = NULL;

	for (;;) {
		struct chunk *c = pool_get(pool);

		if (!c) {
			free_chain(pool, chain);
			return NULL;
		}
		c->next = chain;
		c->start = c->end = 0;
		c->refs = 1;
		chain = c;
		if (bytes <= CHUNK_ROOM)
			return chain;
		bytes -= CHUNK_ROOM;
	}
}

/* Others that hold the chunk rely on its bytes; behind them only the sole owner
 * may write. */
static size_t room_in(const struct chunk *c)
{
	return c && c->refs == 1 ? (size_t)(CHUNK_ROOM - c->end) : 0;
}

/* Copies into `at` and the chunks behind it, which hold enough; returns the last
 * chunk that was written to. */
static struct chunk *fill(struct chunk *at, struct slice s)
{
	while (s.len > 0) {
		size_t n = room_in(at);

		if (n == 0) {
			at = at->next;
			continue;
		}
		if (n > s.len)
			n = s.len;
		memcpy(at->bytes + at->end, s.at, n);
		at->end = (uint16_t)(at->end + n);
		s = slice_of(s.at + n, s.len - n);
	}
	return at;
}

static void link_chain(struct queue *q, struct chunk *chain)
{
	if (q->last)
		q->last->next = chain;
	else
		q->first = chain;
}

/* All bytes of v, or SIZE_MAX when the queue could not count them. */
static size_t total_of(const struct queue *q, const struct slice *v, size_t n)
{
	size_t total = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i].len > UINT32_MAX - q->bytes - total)
			return SIZE_MAX;
		total += v[i].len;
	}
	return total;
}

bool queue_append(struct queue *q, struct pool *pool, const struct slice *v, size_t n)
{
	size_t total = total_of(q, v, n);
	size_t room = room_in(q->last);
	struct chunk *at = q->last;

	if (total == SIZE_MAX)
		return false;
	if (total > room) {
		struct chunk *chain = get_chain(pool, total - room);

		if (!chain)
			return false;
		link_chain(q, chain);
		if (!at)
			at = chain;
	}
	for (size_t i = 0; i < n; i++)
		at = fill(at, v[i]);
	q->last = at;
	q->bytes += (uint32_t)total;
	return true;
}

int queue_iov(const struct queue *q, struct iovec *iov, int max)
{
	int n = 0;

	for (struct chunk *c = q->first; c && n < max; c = c->next, n++)
		iov[n] = (struct iovec){c->bytes + c->start, (size_t)(c->end - c->start)};
	return n;
}

void queue_drop(struct queue *q, struct pool *pool, size_t n)
{
	assert(n <= q->bytes);
	q->bytes -= (uint32_t)n;
	while (q->first) {
		struct chunk *c = q->first;
		size_t here = (size_t)(c->end - c->start);

		if (n < here) {
			c->start = (uint16_t)(c->start + n);
			return;
		}
		n -= here;
		q->first = c->next;
		chunk_unref(pool, c);
	}
	q->last = NULL;
}

void queue_clear(struct queue *q, struct pool *pool)
{
	queue_drop(q, pool, q->bytes);
}
