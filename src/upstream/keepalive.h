/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Connections that their users hand back while they are good for more, in pools by name: what
 * cosockets of ngx_lua promise of theirs, for callers in C. One worker's thread.
 *
 * A pool is made by the first keepalive_get() that gives it a size or a backlog, or by the
 * first keepalive_put(), keeps the limits that it was made with, and is gone when nothing
 * counts in it any more. It keeps at most `size` idle connections; of more, the one that was
 * used least recently is closed. Without a backlog any number may be open beside them.
 * With one, at most `size` are open, idle or not, and of further connects so many
 * wait for their turn. The last one handed back is the first to be used again.
 *
 * An idle connection has no buffer. One on which anything comes is closed: neither a byte
 * nor an end that was for one user is seen by the next.
 *
 * A lease is one user's part in a pool:
 *
 *   FREE --get--> HELD --put, release--> FREE
 *     +---------> WAITING --its turn--> HELD
 *                    +--its time is over--> FREE */

#include "base/list.h"
#include "base/slice.h"
#include "net/wheel.h"

#include <stdbool.h>
#include <stdint.h>

struct keepalive;
struct keepalive_pool;
struct lease;
struct stream;
struct worker;

enum { KEEPALIVE_SIZE = 30 }; /* of a pool whose size was not given */

/* What a user notes of a connection, and goes with it; all 0 on a new one. */
struct keepalive_mark {
	uint64_t identity, maker;
};
/* Whether the connection is one for the lease's user, too. */
typedef bool (*keepalive_fits_fn)(
        struct lease *l, const struct stream *s, const struct keepalive_mark *mark);

/* Names given by users and those made of addresses are never the same. A connection has a
 * scope, a number for whom its TLS has believed and what it has shown, and goes only to users with
 * the same one, and of those to whom it fits; one without TLS (0) goes to any. */
struct keepalive_key {
	struct slice name;
	bool is_address;
	uint64_t scope;         /* finds no pool: all are in the same one, under its limits */
	keepalive_fits_fn fits; /* of keepalive_get(); NULL: each does */
};
enum { KEEPALIVE_ADDRESS_MAX = 1024 };
/* Of a scheme, host and port, and of what else makes one TLS connection as good as another:
 * the name that was verified, and how, and the own certificate; empty without TLS. In `room`,
 * which the key borrows. False when it is too long. */
bool keepalive_address_key(struct keepalive_key *out, uint8_t room[KEEPALIVE_ADDRESS_MAX],
        const char *scheme, struct slice host, uint16_t port, struct slice tls);

struct keepalive_limits {
	uint32_t size;   /* 0 = not given */
	int64_t backlog; /* connects that may wait; -1 = not given */
};

enum keepalive_got {
	KEEPALIVE_REUSED,  /* lease->stream is the caller's, who gives it events and owner at once;
	                      lease->reused tells how often it was reused by now */
	KEEPALIVE_CONNECT, /* none is idle: the caller connects */
	KEEPALIVE_WAIT,    /* fn is called later, with one of these but WAIT and FULL */
	KEEPALIVE_FULL,    /* as many wait as may ("too many waiting connect operations") */
	KEEPALIVE_TIMED_OUT, /* the lease is free */
	KEEPALIVE_NO_MEMORY, /* the same */
};
/* May do anything but free the lease's memory before the turn is over. */
typedef void (*keepalive_fn)(struct lease *l, enum keepalive_got got);

enum lease_state { LEASE_FREE, LEASE_WAITING, LEASE_CALLED, LEASE_HELD };

/* Embedded in its user; all zero at first. */
struct lease {
	struct list node;            /* pool->waiting */
	struct keepalive_pool *pool; /* in which it counts; NULL = in none */
	struct stream *stream;       /* that was reused */
	struct timer timer;          /* while it waits, and when it is called */
	keepalive_fn fn;
	uint64_t scope;
	keepalive_fits_fn fits;
	struct keepalive_mark mark;
	uint32_t reused;
	uint8_t state; /* enum lease_state */
};

struct keepalive *keepalive_new(struct worker *w);
/* Closes what is idle; what is put from now on is closed too. */
void keepalive_stop(struct keepalive *k);
/* All leases are free. NULL is fine. */
void keepalive_free(struct keepalive *k);

/* For a free lease. deadline_ms: of the wait in the backlog. With REUSED and CONNECT the lease
 * is held until keepalive_put() or keepalive_release(). */
enum keepalive_got keepalive_get(struct keepalive *k, struct lease *l,
        const struct keepalive_key *key, const struct keepalive_limits *limits,
        uint64_t deadline_ms, keepalive_fn fn);

enum keepalive_put {
	KEEPALIVE_KEPT,    /* the stream is the pool's and the lease is free */
	KEEPALIVE_CLOSED,  /* the peer has ended it: the stream and the lease are the caller's still
	                    */
	KEEPALIVE_DUBIOUS, /* the same: bytes of the peer wait to be read, or own ones to be sent */
	KEEPALIVE_FAILED,  /* the same: no memory */
};
/* For a held lease: its connection is idle from now on, for idle_ms (0 = any time). `key`
 * is that of keepalive_get(), but for the scope, which is the connection's; `size` is that of the
 * pool, if there is none yet (keepalive_has_pool()). */
enum keepalive_put keepalive_put(struct keepalive *k, struct lease *l,
        const struct keepalive_key *key, struct stream *s, uint32_t size, uint32_t idle_ms);

bool keepalive_has_pool(
        struct keepalive *k, const struct lease *l, const struct keepalive_key *key);

/* The user's connection has gone, was never made, or is not waited for any more; fn is not
 * called. The lease is free; harmless for one that is. */
void keepalive_release(struct keepalive *k, struct lease *l);

/* Connections that are idle, in all pools. */
uint32_t keepalive_idle(const struct keepalive *k);
