/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A bounded queue of entries between one thread that puts and one that takes. No locks: a ring of
 * bytes whose two ends each have one writer. An entry lies in one piece; what is left at the ring's
 * end, where the next one does not fit, is an entry of nothing. */

#include "base/log.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_QUEUE_SIZE = 512 * 1024 };

struct log_rate;

struct log_entry {
	log_record_fn *record_of; /* makes the text of what lies here; NULL: it is the text */
	uint32_t len;             /* of what lies here */
	uint32_t size;            /* of the whole entry */
	char bytes[];
};

struct log_queue {
	struct log_queue *next; /* the writer's list of queues */
	atomic_bool closed;     /* its thread will put no more */
	struct log_rate *rate;  /* its thread's; owned; NULL = its lines are not limited */
	size_t size;            /* of the ring: a power of two */
	/* Bytes ever put and ever taken, each on a cache line of its own. */
	_Alignas(64) _Atomic uint64_t put;
	/* What lies at the ring's front. An empty queue begins there anew, so that its entries stay
	 * in few lines of the processor's cache. Written by the putting thread, which alone can say
	 * that the queue stays empty. */
	_Atomic uint64_t base;
	uint64_t next_at;           /* the putting thread's: where the reserved one lies */
	struct log_entry *reserved; /* NULL = none is */
	_Alignas(64) _Atomic uint64_t taken;
	_Alignas(64) char ring[];
};

/* `size` is a power of two. NULL when memory is short. */
struct log_queue *log_queue_new(size_t size);
void log_queue_free(struct log_queue *q);
/* False when there is no room. What log_queue_reserve() gave is not copied. The putting thread. */
bool log_queue_put(struct log_queue *q, log_record_fn *record_of, const void *bytes, size_t len);
/* Where the bytes of the next entry may be made, to be put next: `len` of them, as malloc() aligns
 * them. NULL: there is no room. The putting thread. */
void *log_queue_reserve(struct log_queue *q, size_t len);
/* An entry, of up to LOG_QUEUE_EXPECTED bytes, will soon be put: fetches its place. The putting
 * thread. */
enum { LOG_QUEUE_EXPECTED = 320 };
void log_queue_expect(const struct log_queue *q);
/* Any thread; for the putting and the taking one the answer holds until they act. */
size_t log_queue_bytes(const struct log_queue *q);
/* The first entry, which must be there. It stays until it is dropped. The taking thread. */
const struct log_entry *log_queue_first(const struct log_queue *q);
/* Returns how many of log_queue_bytes() it was. */
size_t log_queue_drop(struct log_queue *q);
