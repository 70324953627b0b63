/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A worker: a thread, its libevent base and all it owns. Everything here except
 * worker_post() and worker_stop() is called on the worker's own thread (or before
 * it starts and after it was joined).
 *
 * A turn: wait, read the clock, run the events, settle, run what was posted, serve the
 * streams that are ready, fire the timers, free what was retired. The timers come
 * last, so that after a long stop of the whole process they see what has arrived. */

#include "base/chunk.h"
#include "base/counter.h"
#include "base/list.h"
#include "base/pool.h"
#include "net/wheel.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct event;
struct event_base;
struct stream;

#define NET_COUNTERS(X)                                                   \
	X(accepted, "connections accepted")                               \
	X(accept_errors, "accept calls that failed")                      \
	X(shed, "connections closed at once because descriptors ran out") \
	X(connects, "connections opened to upstreams")                    \
	X(connect_errors, "connections to upstreams that failed")         \
	X(reads, "receive calls")                                         \
	X(writes, "send calls")                                           \
	X(bytes_read, "bytes received")                                   \
	X(bytes_written, "bytes sent")                                    \
	X(tls_accepted, "TLS handshakes finished with clients")           \
	X(tls_connected, "TLS handshakes finished with upstreams")        \
	X(tls_resumed, "of both, those that resumed a session")           \
	X(tls_errors, "connections on which TLS failed")                  \
	X(dns_queries, "questions put to name servers")                   \
	X(dns_failures, "names that could not be looked up")              \
	X(dns_stale, "uses of a last good answer past its time")
struct net_counters {
	NET_COUNTERS(COUNTER_FIELD)
};
extern const struct counter_info net_counter_info[];
extern const unsigned net_counter_n;

/* One opaque pointer per layer above. */
enum worker_layer { WORKER_ENDPOINT, WORKER_UPSTREAM, WORKER_PROXY, WORKER_LUA, WORKER_LAYERS };

/* A message of 64 KiB fits, with its header and the records of TLS around it, so that it takes one
 * receive. */
enum { WORKER_RX_SIZE = 66 * 1024, WORKER_RX_HEADROOM = 256 };

/* Something to be freed at the end of the turn; embedded in its owner. */
struct retired {
	struct retired *next;
	void (*free)(struct retired *r);
};

struct worker {
	unsigned index;
	uint64_t now_ms; /* read once a turn */
	struct event_base *base;
	uint8_t *rx; /* WORKER_RX_SIZE bytes to receive into, for every stream in turn;
	                WORKER_RX_HEADROOM bytes before it are writable too */
	struct wheel wheel;
	struct pool chunks;
	struct list ready; /* streams with something to do that no event will announce */
	/* While a stream is told of its event: the one that is told of its own right behind it;
	 * NULL: none, or something else is next, or no events are told. Given up meanwhile, it is
	 * STREAM_RELEASED: its memory lasts as long as the turn. */
	const struct stream *next;
	void (*settle)(struct worker *w); /* once, behind all events of this turn; NULL = nothing */
	struct retired *retired;
	void *layer[WORKER_LAYERS];
	struct net_counters counters;
	struct worker_private *priv;
};

/* NULL with errno when the base, the eventfd or memory cannot be had. */
struct worker *worker_new(unsigned index);
/* The thread must not run, nor any other that may post to it or stop it; all streams
 * and timers must be gone. */
void worker_free(struct worker *w);

/* Runs the loop on a new thread, between two calls on that thread (either may be
 * NULL). False with errno. */
typedef void (*worker_fn)(struct worker *w, void *arg);
bool worker_start(struct worker *w, worker_fn first, worker_fn last, void *arg);
/* Runs one turn on the calling thread; waits at most wait_ms (-1 = for ever).
 * For tests, fuzzers and simulated streams. */
void worker_turn(struct worker *w, int wait_ms);
/* The worker's clock as it is now, which now_ms will be in the next turn. */
uint64_t worker_running_ms(const struct worker *w);
/* Reads the clock again, within a turn: now_ms, and with it whatever deadline is set from now on,
 * is as late as it really is. A worker that has fallen behind (worker.c) keeps its time. */
void worker_read_clock_now(struct worker *w);
/* The worker's clock stands still at now_ms (not before the present one) from now on,
 * until the next call. For tests and fuzzers. */
void worker_set_time(struct worker *w, uint64_t now_ms);
/* Asks the loop to end after its turn. Any thread. */
void worker_stop(struct worker *w);
void worker_join(struct worker *w);
/* The same, if it ends within that time. */
bool worker_join_within(struct worker *w, uint32_t ms);

/* Runs fn(w, arg) on the worker's thread, in order. Any thread. False when
 * memory is short. What is posted before worker_stop() is run before the loop ends;
 * later posts may never be. */
bool worker_post(struct worker *w, worker_fn fn, void *arg);
/* The same, in memory of the caller's, who leaves it alone until fn is called: needs
 * none, so it cannot fail. */
struct worker_message {
	struct worker_message *next;
	worker_fn fn;
	void *arg;
};
void worker_send(struct worker *w, struct worker_message *m);

/* At the worker's end, on its thread: frees what was retired, which the loop does no more. */
void worker_free_retired(struct worker *w);
void worker_retire(struct worker *w, struct retired *r, void (*free_fn)(struct retired *r));

static inline void worker_timer(struct worker *w, struct timer *t, uint64_t deadline_ms)
{
	timer_set(&w->wheel, t, deadline_ms);
}
/* Makes a loop that waits turn once; needs no memory. Any thread. */
void worker_poke(struct worker *w);
/* Counts turns; the watchdog of the control thread looks at it. Any thread. */
uint64_t worker_turns(const struct worker *w);
