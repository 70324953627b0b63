/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A bounded queue of whole lines between one thread that puts and one that
 * takes. No locks: a ring of bytes whose two ends each have one writer. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_QUEUE_SIZE = 256 * 1024 };

struct log_rate;

struct log_queue {
	struct log_queue *next; /* the writer's list of queues */
	atomic_bool closed;     /* its thread will put no more */
	struct log_rate *rate;  /* its thread's; owned; NULL = its lines are not limited */
	size_t size;            /* of the ring: a power of two */
	/* Bytes ever put and ever taken, each on a cache line of its own. */
	_Alignas(64) _Atomic uint64_t put;
	/* What lies at the ring's front. An empty queue begins there anew, so that its lines stay
	 * in few lines of the processor's cache. Written by the putting thread, which alone can say
	 * that the queue stays empty. */
	_Atomic uint64_t base;
	_Alignas(64) _Atomic uint64_t taken;
	_Alignas(64) char ring[];
};

/* `size` is a power of two. NULL when memory is short. */
struct log_queue *log_queue_new(size_t size);
void log_queue_free(struct log_queue *q);
/* A whole line, its line feed included. False when it does not fit. The putting
 * thread. */
bool log_queue_put(struct log_queue *q, const char *line, size_t len);
/* The place of the next line and how many bytes it may have there. A line that was written there
 * is put by log_queue_put() without a copy. The putting thread. */
char *log_queue_room(struct log_queue *q, size_t *len);
/* A line will soon be put: fetches its place. The putting thread. */
void log_queue_expect(const struct log_queue *q);
/* Any thread; for the putting and the taking one the answer holds until they act. */
size_t log_queue_bytes(const struct log_queue *q);
/* Moves the first len bytes, which must be there, to out. The taking thread. */
void log_queue_take(struct log_queue *q, char *out, size_t len);
/* The same without moving them: as many whole lines, of the first len bytes, which must be there,
 * as lie in one piece; *at is where. Returns their length; 0: the first line lies in two pieces.
 * They stay until they are dropped. The taking thread. */
size_t log_queue_look(const struct log_queue *q, size_t len, const char **at);
/* How long the first line is, which must be there. The taking thread. */
size_t log_queue_first(const struct log_queue *q);
void log_queue_drop(struct log_queue *q, size_t len);
