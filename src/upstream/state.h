/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What is known of servers and their groups while the daemon runs: shared by all
 * workers and by every configuration that names them, so that a reload forgets neither
 * who is down nor who is full. A server is known by its group, scheme, host and port.
 * Any thread; the registry's lock is taken when configurations come and go, the
 * group's at handshakes, none for a message.
 *
 *   UP --max_fails within fail_timeout--> DOWN --fail_timeout over--> ON TRIAL --> UP
 *                                          ^                            |
 *                                          +---------- it failed -------+ */

#include "base/list.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SERVER_LIMIT_UNKNOWN UINT32_MAX

enum { SERVER_FAILS_MAX = 64 }; /* that can be told apart; bound of max_fails */

struct group_state {
	struct list node; /* registry */
	char *name;
	struct list servers; /* registry's lock; each counts as a reference */
	unsigned server_n;
	pthread_mutex_t lock;
	unsigned turn;         /* lock: where the search for the least loaded begins */
	struct list waiting;   /* lock: struct waiting, first come first */
	uint64_t tickets;      /* lock: given to those who wait */
	atomic_uint waiting_n; /* changes under the lock */
	uint64_t used;         /* lock: of the latest group of this name that was taken into use */
	bool is_mixed;         /* lock: they may have begun with different members of the group */
};

struct server_state {
	struct list node; /* group->servers; registry's lock */
	uint64_t serial;  /* no other server has or had it */
	struct group_state *group;
	char *key;        /* scheme://host:port */
	const char *name; /* without the scheme; for the log */
	atomic_uint refs;
	atomic_uint active; /* sessions that have a place here: from the pick to the end */
	/* Most of them, as the configuration in use says, whichever one a session began with;
	 * SERVER_LIMIT_UNKNOWN = as its own says. */
	_Atomic uint32_t limit;
	struct list holders; /* lock: struct holder of the workers that keep idle connections */

	/* Changed under the group's lock, read by anyone. */
	atomic_bool healthy;            /* false: active health checks say so */
	_Atomic uint64_t down_until_ms; /* it failed too often; 0 = it did not */
	_Atomic uint64_t up_since_ms;   /* came back at; 0 = was never down */

	/* The group's lock. */
	unsigned idle;                      /* places that the holders have */
	bool on_trial;                      /* one session finds out whether it is back */
	int64_t current;                    /* round robin: its credit */
	uint64_t fail_ms[SERVER_FAILS_MAX]; /* the last failures, in turn */
	uint64_t fails;
};

/* A reference to the state of a server, which begins as up. */
struct server_state *server_state_get(const char *group, const char *key);
struct server_state *server_state_ref(struct server_state *s);
void server_state_unref(struct server_state *s);

static inline bool server_state_is_up(const struct server_state *s)
{
	return atomic_load_explicit(&s->healthy, memory_order_relaxed) &&
	       atomic_load_explicit(&s->down_until_ms, memory_order_relaxed) == 0;
}

/* max_connections of a server whose member says `own`; 0 = any number. */
static inline uint32_t server_state_limit(const struct server_state *s, uint32_t own)
{
	uint32_t limit = atomic_load_explicit(&s->limit, memory_order_relaxed);
	return limit == SERVER_LIMIT_UNKNOWN ? own : limit;
}

/* A session could not use the server; `trial`: it was the one that was to find out.
 * max_fails of these within fail_timeout_ms, or a failed trial, and it is down.
 * max_fails = 0: never. Logs server_down. */
void server_state_fail(struct server_state *s, bool trial, uint32_t max_fails,
        uint32_t fail_timeout_ms, uint64_t now_ms, const char *reason);
/* The session on trial has found it well. Logs server_up. */
void server_state_answered(struct server_state *s, uint64_t now_ms);
/* The session on trial went away before it knew. */
void server_state_abandon(struct server_state *s);
/* What active health checks say. Logs server_unhealthy and server_healthy; wakes waiters. */
void server_state_set_healthy(
        struct server_state *s, bool healthy, uint64_t now_ms, const char *reason);
