/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The two ways that lines go, the log's and the access log's: each has a target, a thread that
 * writes to it (base/log_writer.h), and a queue of every thread that has something for it
 * (base/log_drain.h). Here is what they are, and the end at the target: whole lines go out, those
 * that were not taken are counted, and in the log a note tells how many. */

#include "base/log_queue.h"
#include "base/log_target.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_MAIN, LOG_ACCESS, LOG_CHANNELS };

struct log_channel {
	const char *thread_name, *fault; /* of its start */
	int gather_ms;
	size_t queue_size, batch_size, pressing;

	/* The target and the batch that is on its way there. */
	pthread_mutex_t lock;
	struct log_target target;
	bool is_mid_line; /* the last thing written was part of a line */
	uint64_t told;    /* of `lost` */
	uint64_t told_ms;
	char *batch; /* the access log's is made when that is first opened */
	size_t len;

	struct log_target prepared; /* the control thread's */
	bool is_prepared;

	pthread_mutex_t queues_lock; /* for `queues`; to unlink takes both */
	struct log_queue *queues;
	atomic_bool is_on;      /* the access log's: records are wanted */
	atomic_bool is_running; /* lines go to queues */
	atomic_int state;       /* the writer's; back to awake also by who wakes it */
	atomic_bool is_ending;
	atomic_bool wants_reopen;
	_Atomic uint64_t deadline_ms; /* once ending: of all waiting for the target */
	_Atomic uint64_t lost;
	sem_t wake; /* while it runs */
	pthread_t thread;
};

extern struct log_channel log_channels[LOG_CHANNELS];

/* Puts another target in place of the present one, between two lines, and closes that. */
void log_channel_set_target(struct log_channel *c, struct log_target target);
/* The same for one that was opened by the present one's name. If that is another name by now, then
 * the new one is closed. False: so it was. */
bool log_channel_renew_target(struct log_channel *c, struct log_target target);
/* Appends what an entry holds, or makes of it (base/log_queue.h), to the batch, which is written
 * before if it is full. The lock is held. */
void log_channel_add(
        struct log_channel *c, log_record_fn *record_of, const void *bytes, size_t len);
/* Writes the batch; of that, what the target does not take is lost and counted. The lock is held.
 */
void log_channel_flush(struct log_channel *c);
/* Both for what a thread without a queue has: takes the lock. */
void log_channel_write_now(
        struct log_channel *c, log_record_fn *record_of, const void *bytes, size_t len);
