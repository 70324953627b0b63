/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What of a worker concerns net/ only. */

#include "net/worker.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdatomic.h>

struct tls_wire;

/* A shortage of descriptors (watch.c). */
struct scarcity {
	struct worker *worker;
	int spare_fd; /* to shed waiting peers with; -1 = none */
	bool is_on;
	uint32_t calm_ms; /* how long without one until it is over */
	uint64_t shed_before;
	struct timer end;
};

struct worker_private {
	/* For every turn. */
	bool has_clock;    /* now_ms was read in this turn */
	bool is_still;     /* worker_set_time(): the clock does not run */
	bool rung;         /* something was posted */
	bool is_behind;    /* the clock stands until all that waits was read */
	uint64_t alarm_ms; /* when the alarm goes off; UINT64_MAX = it is not set */
	uint64_t lost_ms;  /* for which the process stood still; now_ms is the clock less this */
	uint64_t behind_ms,
	        behind_until_ms; /* the time to go on with; the clock's, to do so at last */
	_Atomic uint64_t turns;
	atomic_bool stopping;

	struct tls_wire *wire; /* of TLS (tls_wire.h); NULL = not used yet */

	struct event alarm; /* ends the wait when the wheel has something to do */
	struct event bell;  /* an eventfd, which other threads write to */
	int bell_fd;

	/* Plain streams (plain.c). */
	struct pool plain;
	struct list doubtful; /* by stream->ready */
	struct timer sweep;

	struct scarcity scarcity;

	/* Shared with other threads; the lock guards `first` and `last`. */
	pthread_mutex_t lock;
	struct worker_message *first, *last;

	pthread_t thread;
	worker_fn at_start, at_end;
	void *arg;
};

void watch_end_scarcity(struct timer *t);

/* The first thing every event callback of net/ does, so that all that follows sees
 * the time after the wait: libevent has no place of its own for that. */
static inline void worker_read_clock(struct worker *w)
{
	if (!w->priv->has_clock)
		worker_read_clock_now(w);
}
