/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The spare connections of one worker to one server: what upstream/spare.c keeps for each member
 * of a group. One worker's thread. */

#include "net/wheel.h"
#include "net/worker.h"
#include "upstream/dial.h"
#include "upstream/holder.h"

struct spare_server;

/* Where the servers of a group belong. */
struct spare_group {
	struct list node; /* of a slot of spare.c */
	struct worker *worker;
	struct upstream_group *group;     /* referenced */
	struct upstream_members *members; /* referenced; NULL: of a service not found yet */
	struct list servers;
	struct timer timer; /* the next look at all of them */
	uint32_t want;      /* of each server, by this worker */
};

struct spare_server {
	struct list node; /* group->servers */
	struct spare_group *group;
	const struct upstream_server *server; /* a member; NULL: it is none any more */
	struct server_state *state;           /* referenced */
	struct holder holder;
	bool is_counted; /* it has max_connections: each spare has a place */
	struct list ready, making;
	struct list turn; /* spare_pace.lacking, while there are too few */
	uint32_t ready_n, making_n;
	uint32_t doubt_n;  /* of the ready ones, something has come to */
	uint32_t lack_n;   /* to be begun */
	uint32_t delay_ms; /* after a failure; 0 = all is well */
	uint64_t next_ms;  /* nothing is made before, by the last failure */
	uint64_t one_ms;   /* the same, by the last one made while not all was well */
	struct retired retired;
};

struct spare_server *spare_server_new(struct spare_group *g, const struct upstream_server *server);
/* Closes all that there is. */
void spare_server_end(struct spare_server *x);
/* Closes what is due, and sees how many are lacking; *next is lowered to when it is to be called
 * again. */
void spare_server_upkeep(struct spare_server *x, uint64_t *next);
/* For upstream/spare_pace.c: begins one of those that are lacking. True: there are more. */
bool spare_server_begin(struct spare_server *x);
/* To begin one is much work: TLS is spoken. */
bool spare_server_is_costly(const struct spare_server *x);
/* Hardly any is ready. */
bool spare_server_is_bare(const struct spare_server *x);
/* dial_start_ready() with the newest that is sound, which its server will keep the longest; false
 * when there is none. `server`: this one among the members that the session holds. `has_place`: it
 * has got the place of one of them. */
bool spare_server_dial(struct spare_server *x, struct dial *d, const struct upstream_server *server,
        bool has_place, dial_fn fn);
/* Closes as many as the holder was asked to. */
void spare_server_close_asked(struct spare_server *x);

/* The group's timer goes off at the end of this turn. */
static inline void spare_look_soon(struct spare_group *g)
{
	worker_timer(g->worker, &g->timer, g->worker->now_ms);
}
