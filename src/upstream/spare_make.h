/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One spare connection being made: its server's name looked up, its addresses tried, within
 * the group's connect_timeout. One worker's thread. */

#include "net/worker.h"
#include "upstream/dial.h"

struct spare_make;
struct upstream_members;

struct spare_made {
	struct stream *stream;         /* connected; NULL = there is none */
	const struct address *address; /* to which */
	const char *reason;            /* why there is none */
	bool is_ours; /* for want of descriptors, memory or ports: it says nothing of the server */
};

/* Called once; possibly by spare_make_start(). The stream is the owner's, and gets its events
 * before this returns. The making is off its list, and ends by itself. */
typedef void (*spare_make_fn)(void *owner, const struct spare_made *made);

struct spare_make {
	struct list node; /* of the owner's list */
	void *owner;
	spare_make_fn fn;
	struct worker *worker;
	struct upstream_group *group;         /* referenced */
	struct upstream_members *members;     /* referenced */
	const struct upstream_server *server; /* of them */
	struct dial dial;
	struct stream *stream; /* connecting */
	struct timer timer;
	int error; /* of the address before */
	struct retired retired;
};

/* Begun by the second call, in `list` until it has ended. NULL when memory is short. */
struct spare_make *spare_make_new(struct worker *w, struct upstream_group *g,
        struct upstream_members *m, const struct upstream_server *server);
void spare_make_start(struct spare_make *m, struct list *list, spare_make_fn fn, void *owner);
/* fn is not called any more. */
void spare_make_cancel(struct spare_make *m);
