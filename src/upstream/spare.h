/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Connections to the servers of a group that are made before anybody needs them, so that a
 * session pays for no connect. Each worker keeps its part of the group's `spare`, makes
 * new ones in the background and lets none get older than `spare_idle`. One is used once,
 * by one session, and never after anything came from its server: not a byte, not an end.
 * Bound to the group's address: a group that is no part of the configuration any more has
 * none. One worker's thread.
 *
 * A server that is down or unhealthy gets none, nor does a backup while another server is
 * up. After a connect that failed, and a spare that its server closed within a second,
 * the next is made after a tenth of a second, then after twice as long each time, up to 10 s.
 *
 *   MAKING --connected--> READY --used: the session's--> (gone)
 *      +------ failed ------+-- a byte, an end, its age --> (gone) */

#include "upstream/dial.h"

#include <stdint.h>

struct picked;
struct spares;
struct upstream_members;

/* In worker->layer[WORKER_UPSTREAM], from upstream_worker_new() on: none for any group. */
struct spares *spares_new(struct worker *w);
void spares_free(struct spares *s);

/* Keeps spares for these groups, of which it takes references, and for no others; this is
 * worker `worker->index` of `workers`. May be called again, with other groups. */
void spares_follow(
        struct worker *w, struct upstream_group *const *group, size_t n, unsigned workers);
/* Closes all, for good. */
void spares_stop(struct worker *w);

/* For pick_request.spare: the members to which there is one. */
uint64_t spares_of(
        const struct worker *w, const struct upstream_group *g, const struct upstream_members *m);
/* dial_start() for the picked server, for a session: with a spare connection if there is one that
 * is sound still; and without in any case. */
enum dial_start spare_dial_start(struct dial *d, struct worker *w, const struct upstream_group *g,
        const struct picked *p, dial_fn fn);
enum dial_start spare_dial_fresh(struct dial *d, struct worker *w, const struct upstream_group *g,
        const struct picked *p, dial_fn fn);

/* The worker is to close what its holders were asked to (upstream/holder.h), in its next turn. Any
 * thread; the caller's lock keeps the worker from looking before it has noted what. False when
 * memory is short. */
bool spares_ask(struct worker *w);
