/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Reaching a server of a group: its name is looked up when it has one, then its
 * addresses are tried in turn. Belongs to the opening that embeds it; one
 * worker's thread. */

#include "net/address.h"
#include "upstream/waiting.h"

#include <stdbool.h>
#include <stddef.h>

struct dial;
struct resolver;
struct resolving;
struct socket_options;
struct stream;
struct upstream_group;
struct upstream_server;
struct worker;

/* The name is known (error = NULL; dial_next() goes on), or never will be. */
typedef void (*dial_fn)(struct dial *d, const char *error);

struct dial {
	struct worker *worker;
	const struct upstream_group *group; /* the embedder holds the references */
	const struct upstream_server *server;
	dial_fn fn;
	struct resolving *resolving;
	struct address *found; /* of a name; owned */
	size_t found_n, next;
};

enum dial_start { DIAL_READY, DIAL_RESOLVING, DIAL_FAILED };

/* DIAL_READY: call dial_next(). DIAL_RESOLVING: fn is called later. DIAL_FAILED: no
 * memory. Every start is paired with dial_end(). */
enum dial_start dial_start(struct dial *d, struct worker *w, const struct upstream_group *g,
        const struct upstream_server *server, dial_fn fn);
/* Begins to connect to the next address, from the group's source addresses in turn;
 * one without a free port leaves it to the next. NULL when none is left, with *error
 * the errno of the last that failed at once (0 = there was none). */
struct stream *dial_next(struct dial *d, int *error);
static inline bool dial_has_next(const struct dial *d)
{
	return d->next < (d->found ? d->found_n : 1);
}
/* The address that dial_next() took last. */
const struct address *dial_address(const struct dial *d);
void dial_end(struct dial *d);

/* What the upstream layer shares on one worker, in worker->layer[WORKER_UPSTREAM]: the
 * resolver, places given to waiting sessions, and how a connection is begun, which
 * tests replace. */
typedef struct stream *(*dial_connect_fn)(
        struct worker *w, const struct address *to, const struct socket_options *o);
struct upstream_worker {
	struct resolver *resolver;
	dial_connect_fn connect; /* plain_connect */
	struct mailbox mailbox;
	unsigned turn; /* of source addresses */
};
bool upstream_worker_new(struct worker *w);
void upstream_worker_free(struct worker *w);
