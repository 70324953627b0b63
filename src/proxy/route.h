/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Routes: what is done with a request. Immutable parts of a configuration, counted by
 * references across threads; sessions hold their route, never the table. */

#include "base/slice.h"
#include "ws/reader.h"

#include <stdatomic.h>
#include <stdbool.h>

struct upstream_group;

enum route_action { ROUTE_UPSTREAM, ROUTE_ECHO, ROUTE_RESPOND };
enum route_remask { REMASK_AUTO, REMASK_ON, REMASK_OFF };

/* Keys that any route may set and [defaults] may hold. Times in ms, 0 = off. */
struct route_settings {
	struct ws_limits limits;
	uint32_t send_timeout_ms;
	uint32_t message_timeout_ms;
	uint32_t close_timeout_ms;
	uint32_t ping_interval_ms;
	uint32_t pong_timeout_ms;
	uint32_t idle_timeout_ms;
	uint32_t max_queue; /* high mark of each side's output queue, bytes; the low mark is half */
	enum route_remask remask;
};

struct route {
	char *name;
	atomic_uint refs;
	char *path; /* normalised; without the '*' of a prefix; "" matches every path */
	bool prefix;
	uint64_t listeners; /* bit per listener number; 0 = all */
	enum route_action action;
	struct upstream_group *group;
	unsigned respond_status; /* ROUTE_RESPOND */
	char *respond_location;  /* for 301 and its like, or NULL */
	struct route_settings settings;
};

struct route *route_new(const char *name);
struct route *route_ref(struct route *r);
void route_unref(struct route *r);

/* All routes of a configuration, ordered for lookup. */
struct route_table;
struct route_table *route_table_new(struct route *const *routes, size_t n);
struct route_table *route_table_ref(struct route_table *t);
void route_table_unref(struct route_table *t);
/* The most specific match for a normalised path: exact before the longest prefix,
 * then a route that names the listener before one that names none. NULL: none. */
struct route *route_find(const struct route_table *t, unsigned listener, struct slice path);
