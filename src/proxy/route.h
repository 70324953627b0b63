/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Routes: what is done with a request. Immutable parts of a configuration, counted by
 * references across threads; sessions hold their route, never the table. */

#include "base/slice.h"
#include "proxy/condition.h"
#include "proxy/handler.h"
#include "proxy/limits.h"
#include "proxy/origin.h"
#include "proxy/rules.h"
#include "proxy/script.h"
#include "ws/reader.h"

#include <stdatomic.h>
#include <stdbool.h>

struct token_list;
struct upstream_group;

enum route_action { ROUTE_UPSTREAM, ROUTE_ECHO, ROUTE_RESPOND, ROUTE_HANDLER };
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
	uint32_t max_control_rate; /* pings, pongs and empty fragments of a peer in a second */
	uint32_t max_lifetime_ms;
	struct limit_settings limit; /* of connections and handshakes */
	enum route_remask remask;
	struct origin_list *origins; /* referenced; NULL = every origin */
	enum origin_missing origin_missing;
	struct token_list *subprotocols; /* referenced; NULL = every one */
	enum rules_forward forwarded;
	bool forwarded_rfc7239;
	struct handler_settings handler;
};

struct route {
	char *name;
	atomic_uint refs;
	char *path; /* normalised; without the '*' of a prefix; "" matches every path */
	bool prefix;
	char **host;                 /* in the form of uri_host(), or that behind "*." */
	size_t host_n;               /* 0 = every host */
	struct condition *condition; /* in their order */
	size_t condition_n;
	uint64_t listeners; /* bit per listener number; 0 = all */
	enum route_action action;
	struct upstream_group *group;
	unsigned respond_status;     /* ROUTE_RESPOND */
	char *respond_location;      /* for 301 and its like, or NULL */
	struct script *handler;      /* ROUTE_HANDLER; referenced */
	struct script *access, *log; /* referenced, or NULL */
	struct route_headers headers;
	struct route_settings settings;
	struct limit_scope *scope; /* referenced; NULL = settings.limit limits nothing */
};

struct route *route_new(const char *name);
struct route *route_ref(struct route *r);
void route_unref(struct route *r);

/* False when the route has that host already. */
bool route_add_host(struct route *r, const char *host);
/* False when the route has a condition on that header or argument already. At most
 * CONDITIONS_MAX. */
bool route_add_condition(
        struct route *r, enum condition_kind kind, const char *name, const char *value);

/* A copy holds references of its own to what is counted. */
void route_settings_copy(struct route_settings *to, const struct route_settings *from);
void route_settings_fini(struct route_settings *s);
