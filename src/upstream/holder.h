/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The places that idle connections of one worker take at a server with max_connections:
 * they count as sessions do, but must never keep one out. So none is opened into the last
 * free place nor while sessions wait, and a session that finds the server full has one of
 * them closed, whichever worker holds it, before it would wait or be refused. Any thread;
 * takes the group's lock. */

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct server_state;
struct worker;

/* Embedded in who holds idle connections, one for each server. */
struct holder {
	struct list node; /* of the state's holders */
	struct server_state *state;
	struct worker *worker;
	unsigned held;  /* the group's lock: places */
	unsigned asked; /* the same: connections that the worker was asked to close, <= held */
};

/* `state`: referenced by the caller until holder_fini(). */
void holder_init(struct holder *h, struct server_state *state, struct worker *w);
/* Holds nothing any more. */
void holder_fini(struct holder *h);

/* A place for one more; false when there is none to spare. `max_connections`: the member's. */
bool holder_take(struct holder *h, uint32_t max_connections);
/* One is closed, or is used by a session that has a place of its own. */
void holder_give(struct holder *h, uint64_t now_ms);
/* How many the worker is asked to close. */
unsigned holder_asked(struct holder *h);

/* With the group's lock held. A session takes over the place of an idle connection of its
 * own worker. */
void holder_convert_locked(struct server_state *s, const struct worker *w);
/* One of the idle connections to the server is to be closed: its worker is told. False
 * when all there are will be closed anyway, or memory is short. */
bool holder_ask_locked(struct server_state *s);
