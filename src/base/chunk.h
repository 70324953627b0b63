/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Buffers of one size, pooled per worker and counted by references, and the
 * queue of bytes made of them. One thread. */

#include "base/pool.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

enum { CHUNK_SIZE = 4096 };

struct chunk {
	struct chunk *next; /* in a queue */
	uint16_t start;     /* first byte not yet taken */
	uint16_t end;       /* one past the last byte */
	uint32_t refs;
	uint8_t bytes[CHUNK_SIZE - 16];
};

/* The pool that chunks of a worker come from; init with chunk_pool_init(). */
void chunk_pool_init(struct pool *pool);

/* Bytes in order; an empty one holds no memory. */
struct queue {
	struct chunk *first, *last;
	uint32_t bytes;
};

static inline bool queue_is_empty(const struct queue *q)
{
	return q->bytes == 0;
}

/* Copies the bytes to the end. False when memory is short: nothing was added. */
bool queue_append(struct queue *q, struct pool *pool, const struct slice *v, size_t n);
/* Describes the front of the queue for writev; returns how many entries it filled. */
int queue_iov(const struct queue *q, struct iovec *iov, int max);
/* Drops `n` bytes from the front and frees the chunks that this empties. */
void queue_drop(struct queue *q, struct pool *pool, size_t n);
void queue_clear(struct queue *q, struct pool *pool);
