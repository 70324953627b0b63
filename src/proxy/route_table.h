/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* All routes of a configuration, ordered for look-up. Immutable, counted by
 * references across threads.
 *
 * The most specific route wins. What is compared, in this order: the host (exact, then
 * the longest "*." suffix, then routes without one), the path (exact, then the longest
 * prefix), a route that names the listener before one that names none, and the
 * number of conditions, most first. Where no route's conditions hold, the search goes
 * on at the next less specific place. */

#include "proxy/route.h"

struct http_head;
struct route_table;

struct route_table *route_table_new(struct route *const *routes, size_t n);
struct route_table *route_table_ref(struct route_table *t);
void route_table_unref(struct route_table *t);

/* Before the table is in use: which listener the number in route->listeners means. The same
 * number may mean another one in another configuration's table. */
enum { ROUTE_LISTENERS_MAX = 64 };
void route_table_name_listener(struct route_table *t, unsigned number, const char *name);
/* The number of a listener, which may be one of an earlier configuration; probably `guess`.
 * ROUTE_LISTENERS_MAX when the table has none of that name: only routes for every listener
 * are for it. In a table whose listeners were never named, `guess`. */
unsigned route_table_listener(const struct route_table *t, const char *name, unsigned guess);

/* Tells routes between which nothing decides: equal in all that is compared, and no
 * two of their conditions exclude each other. For each host and path once at most;
 * `first` stood before `second` in the array. */
typedef void (*route_clash_fn)(const struct route *first, const struct route *second, void *arg);
void route_table_clashes(const struct route_table *t, route_clash_fn fn, void *arg);

struct route_query {
	unsigned listener;
	struct slice host;            /* as uri_host() gives it; empty: none */
	struct slice path;            /* as uri_normalise_path() gives it */
	const struct http_head *head; /* for the conditions; NULL: none holds */
	const struct tls_info *tls;   /* for those on the client's certificate; NULL: none holds */
};

/* NULL: none. The table keeps the reference. */
struct route *route_find(const struct route_table *t, const struct route_query *q);

/* A step of a search, in its order. */
enum route_verdict {
	ROUTE_HOLDS,
	ROUTE_NOT_AT_LISTENER,
	ROUTE_NOT_BY_CONDITION, /* `condition` does not hold */
};
struct route_step {
	struct slice host; /* of the routes looked at: empty, or with '.' in front a suffix */
	bool is_suffix;
	const struct route *route; /* NULL: none of this host's routes has a path that fits */
	enum route_verdict verdict;
	const struct condition *condition;
};
typedef void (*route_step_fn)(const struct route_step *step, void *arg);
/* The same result, with each step told. Not fast. */
struct route *route_explain(
        const struct route_table *t, const struct route_query *q, route_step_fn fn, void *arg);
