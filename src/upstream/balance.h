/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Which server of a group a session goes to. Any thread; takes the group's lock.
 *
 * A server can be used when it is up, or its time of being down is over and nobody
 * else is on trial there, when it has a place free and was not tried before. Backups
 * are looked at only when no other can be used. When all are down, one session at a
 * time tries the one that will be up again first. */

#include "upstream/group.h"

struct worker;

struct pick_request {
	uint64_t hash; /* BALANCE_HASH: of what the group's hash key says */
	uint64_t now_ms;
	uint64_t tried; /* bit per member */
	int sticky;     /* the member that it would like best; -1 = none */
	/* The calling worker, and a bit for each member to which it has a spare connection;
	 * 0 where none could be used at once. */
	struct worker *worker;
	uint64_t spare;
};

struct picked {
	struct upstream_server *server; /* a member */
	unsigned index;                 /* its bit in `tried` */
	bool is_trial;  /* it is to find out whether the server is back: end with one of
	                   server_state_answered(), _fail() and _abandon() */
	bool has_spare; /* of the worker, whose place it has: use it in this turn */
};

enum pick {
	PICK_SERVER,
	PICK_FULL, /* the ones that are up have no place free */
	PICK_NONE, /* all are down and somebody is on trial, or all were tried */
};

/* PICK_SERVER: *out, whose state is referenced and counts one more session, until
 * upstream_give_back(). */
enum pick upstream_pick(const struct upstream_group *g, struct upstream_members *m,
        const struct pick_request *r, struct picked *out);
/* The same with the group's lock held, and without regard for who waits. */
enum pick upstream_pick_locked(const struct upstream_group *g, struct upstream_members *m,
        const struct pick_request *r, struct picked *out);
/* Idle connections whose places a session could get, were they closed, with the group's lock
 * held; and one of them, as the policy would choose, is to be closed. */
unsigned upstream_idle_locked(const struct upstream_members *m, const struct pick_request *r);
void upstream_ask_locked(
        const struct upstream_group *g, struct upstream_members *m, const struct pick_request *r);
/* The session has left the server; who waits for a place gets it. */
void upstream_give_back(struct server_state *s, uint64_t now_ms);
/* The same for one that keeps its reference, and unrefs it later. */
void upstream_free_place(struct server_state *s, uint64_t now_ms);
