/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Reaching a server of a group. One with a known address is connected to at once. Of a
 * name the addresses are looked up and tried in their order, a further one whenever one
 * has failed or a quarter of a second has passed, until the first is connected (RFC
 * 8305). Belongs to the opening that embeds it; one worker's thread. */

#include "base/counter.h"
#include "net/address.h"
#include "net/wheel.h"
#include "upstream/spare_pace.h"
#include "upstream/waiting.h"

#include <stdbool.h>
#include <stddef.h>

struct dial;
struct resolver;
struct resolving;
struct socket_options;
struct spares;
struct stream;
struct upstream_group;
struct upstream_server;
struct worker;

/* dial_next() has something to give, or knows why it has not; or (error) the name will
 * never be known. */
typedef void (*dial_fn)(struct dial *d, const char *error);
/* Sends what the server is to see in front of TLS. */
typedef void (*dial_clear_fn)(struct dial *d, struct stream *s);

struct dial {
	struct worker *worker;
	const struct upstream_group *group; /* the embedder holds the references */
	const struct upstream_server *server;
	dial_fn fn;
	dial_clear_fn in_clear; /* NULL = nothing; the embedder may set it after dial_start() */
	bool stays_clear;       /* the same: dial_next() begins no TLS */
	bool speaks_first;      /* the same: whatever dial_next() gives is sent to at once */
	struct resolving *resolving;
	struct address *found; /* of a name; owned */
	size_t found_n, next;
	struct list attempts; /* to connect to several of them */
	struct timer stagger;
	unsigned knocks;       /* at a unix socket whose queue was full, one after the other */
	struct stream *winner; /* connected; not taken yet */
	size_t address;        /* place of the one that dial_next() gave */
	bool is_spare;         /* the one that it gave had been made before */
	bool is_setup;         /* a session's, told of to spare_pace.h */
	int error;             /* of the attempt that failed last */
};

enum dial_start { DIAL_READY, DIAL_RESOLVING, DIAL_FAILED };

/* DIAL_READY: call dial_next(). DIAL_RESOLVING: fn is called later. DIAL_FAILED: no
 * memory. Every start is paired with dial_end(). */
enum dial_start dial_start(struct dial *d, struct worker *w, const struct upstream_group *g,
        const struct upstream_server *server, dial_fn fn);
/* The same with a stream that is connected already, and of a server with a name the address to
 * which (else NULL); takes both over. DIAL_READY, so to speak. */
void dial_start_ready(struct dial *d, struct worker *w, const struct upstream_group *g,
        const struct upstream_server *server, struct stream *s, struct address *address,
        dial_fn fn);
/* The server's stream: connected, or connecting to the only address there is, which takes
 * bytes already. If TLS is spoken with it, that has begun, and what is sent is kept until it is
 * settled: then on_connect is told. From the group's source addresses in turn; one without a free
 * port leaves it to the next. NULL when nothing is left to try, with *error the errno of what
 * failed last (0 = nothing did); or when dial_is_waiting(). */
struct stream *dial_next(struct dial *d, int *error);
/* The server is a unix socket whose queue is full, where the kernel lets nobody wait as it does
 * with TCP. fn is called when it is worth another dial_next(); until when is the embedder's. */
bool dial_is_waiting(const struct dial *d);
/* The address of the stream that dial_next() gave last. */
const struct address *dial_address(const struct dial *d);
void dial_end(struct dial *d);
/* What we lack ourselves, descriptors, memory or ports, says nothing of the server. */
bool dial_is_own_lack(int error);

#define UPSTREAM_COUNTERS(X)                                                          \
	X(spares_opened, "spare connections made")                                    \
	X(spares_failed, "spare connections that could not be made")                  \
	X(spares_used, "sessions whose upstream connection was a spare one")          \
	X(spares_lost, "spare connections that ended before they answered a session") \
	X(spares_died, "spare connections that their servers ended or spoke on")      \
	X(spares_aged, "spare connections closed after spare_idle")                   \
	X(spares_evicted, "spare connections closed to make room for a session")      \
	X(keepalive_kept, "connections handed back to a pool")                        \
	X(keepalive_reused, "connections taken from a pool")                          \
	X(keepalive_died, "pooled connections that their servers ended or spoke on")  \
	X(keepalive_aged, "pooled connections closed after their idle time")          \
	X(keepalive_evicted, "pooled connections closed to make room for others")     \
	X(keepalive_waits, "connects that waited for a place in a pool")              \
	X(keepalive_refused, "connects refused because a pool and its backlog were full")
struct upstream_counters {
	UPSTREAM_COUNTERS(COUNTER_FIELD)
};
extern const struct counter_info upstream_counter_info[];
extern const unsigned upstream_counter_n;

/* What the upstream layer shares on one worker, in worker->layer[WORKER_UPSTREAM]: the
 * resolver, places given to waiting sessions, spare connections, and how a connection is
 * begun, which tests replace. */
typedef struct stream *(*dial_connect_fn)(
        struct worker *w, const struct address *to, const struct socket_options *o);
struct upstream_worker {
	struct resolver *resolver;
	dial_connect_fn connect; /* plain_connect */
	struct mailbox mailbox;
	struct spares *spares;
	struct spare_pace pace;
	struct upstream_counters counters;
	unsigned turn; /* of source addresses */
};
bool upstream_worker_new(struct worker *w);
void upstream_worker_free(struct worker *w);
