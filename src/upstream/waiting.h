/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The queue of a group whose servers are full: first come, first served over all
 * workers. A place that becomes free is taken for the first who can use it before it
 * is told, so that nobody overtakes; who went away meanwhile hands it on. Idle connections
 * that keep a server full make room in it: for each who finds them, one is closed. */

#include "upstream/balance.h"

struct waiting;
struct worker;

/* A place was found: w->picked. On the waiter's own worker. */
typedef void (*waiting_fn)(struct waiting *w);

/* Embedded in who waits; zero to begin. */
struct waiting {
	struct list node; /* of the group's queue, then of the worker's mailbox */
	const struct upstream_group *group;
	struct upstream_members *members; /* the embedder holds the references */
	struct pick_request request;
	struct worker *worker;
	waiting_fn fn;
	uint64_t ticket;      /* its place in the order; 0 = has not waited yet */
	struct picked picked; /* once given */
	bool is_given;        /* under the group's lock */
	bool is_on;           /* waits; the worker's own thread */
};

/* Joins the queue after upstream_pick() has found no place; a place that has become
 * free meanwhile is found. One that waited before, and was given a place at a server
 * that did not do, has its old place in the order. False when the queue is full, or
 * off. fn is called later, never before this has returned. */
bool waiting_start(struct waiting *w, struct worker *worker, const struct upstream_group *g,
        struct upstream_members *m, const struct pick_request *r, waiting_fn fn);
/* Leaves, and hands on what it was given; fn is not called any more. Harmless for one
 * that does not wait. */
void waiting_cancel(struct waiting *w, uint64_t now_ms);

/* Gives what places there are to those who wait. Any thread. */
void waiting_serve(struct group_state *g, uint64_t now_ms);
/* The same with the group's lock held. */
void waiting_serve_locked(struct group_state *g, uint64_t now_ms);

/* Places that were given to waiters of one worker and not told yet. */
struct mailbox {
	pthread_mutex_t lock;
	struct list given;
	bool is_posted; /* the worker was asked to look */
};
void mailbox_init(struct mailbox *m);
void mailbox_fini(struct mailbox *m);
