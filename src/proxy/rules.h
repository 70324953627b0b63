/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Header rules of a route, for one direction, compiled when the configuration is
 * loaded: which fields of a head go no further, and which lines are added.
 *
 * Rules count in the order in which they were given; a later `set` or `remove` also
 * undoes what an earlier rule would have added under that name. Names are compared
 * without regard to case; a peer's field whose name differs from a rule's, or from that
 * of a field that Moongate itself writes or understands, only by '_' or '.' for '-' is
 * dropped: applications behind CGI's naming take it for the other. A name that holds such
 * a field's exact spelling is what the rules say of it.
 *
 * What a peer can say has no way into the lines but as part of a value without
 * control bytes. Immutable once in use; any thread. */

#include "http/head.h"
#include "http/writer.h"
#include "net/address.h"

struct rules;
struct tls_info;

enum rules_side { RULES_REQUEST, RULES_RESPONSE };
enum rules_op { RULES_SET, RULES_ADD, RULES_REMOVE };
enum rules_forward { FORWARD_OFF, FORWARD_REPLACE, FORWARD_APPEND };

/* What a configuration writes as ${remote_addr} and so on, in this order. */
enum rules_variable {
	RULES_REMOTE_ADDR,
	RULES_REMOTE_PORT,
	RULES_HOST,
	RULES_SCHEME,
	RULES_LISTENER,
	RULES_ROUTE,
	RULES_REQUEST_ID,
	RULES_UPSTREAM,
	RULES_URI,
	RULES_TIME,
	RULES_TLS_VERSION,
	RULES_TLS_CIPHER,
	RULES_TLS_SERVER_NAME,
	RULES_TLS_CLIENT_SUBJECT,
	RULES_TLS_CLIENT_ISSUER,
	RULES_TLS_CLIENT_FINGERPRINT,
	RULES_VARIABLES
};

/* Stands in written lines where the server's name goes, for it may change with every
 * try; no head may hold this byte otherwise. rules_expand() replaces it. */
#define RULES_SERVER SLICE("\001")

/* What the variables stand for in one request. */
struct rules_scope {
	const struct http_head *head;       /* the client's request */
	const struct address_brief *client; /* as decided */
	const struct address_brief *peer;   /* who is connected */
	bool trusted;                       /* the peer is a trusted proxy */
	uint16_t port;                      /* that the connection came to; 0 = none */
	const struct tls_info *tls;         /* of the client's connection; NULL = it has none */
	struct slice listener, route, request_id;
};

/* For requests the four X-Forwarded-* and Forwarded are the first rules: a client's own
 * ones never pass, those of a trusted proxy with FORWARD_APPEND only. */
struct rules *rules_new(enum rules_side side, enum rules_forward forward, bool rfc7239);
void rules_free(struct rules *r);
/* Requests: the header that carries the request id. */
void rules_identify(struct rules *r, const char *header);
/* One rule more: `Name: value` with ${variables} ($${ is a ${ that is none), or `Name`
 * to remove. False, with what would be right in why, for one that is none, and for
 * fields that concern one connection only, or belong to the handshake, or have a key of
 * their own; and when all lines, without what variables bring, are over RULES_LINES_MAX. */
enum { RULES_WHY_MAX = 480, RULES_LINES_MAX = 16384 };
bool rules_add(struct rules *r, enum rules_op op, const char *text, char why[RULES_WHY_MAX]);
/* The name of a header that rules may touch; false with why. */
bool rules_may_name(enum rules_side side, struct slice name, char why[RULES_WHY_MAX]);
/* Nothing would change. */
bool rules_are_empty(const struct rules *r);
bool rules_use(const struct rules *r, enum rules_variable v);
/* The lines are the same for all: rules_put() looks at nothing of its scope. */
bool rules_are_constant(const struct rules *r);

/* Marks the fields that go no further. */
void rules_filter(const struct rules *r, struct http_head *head, bool trusted);
/* There are lines to add. */
bool rules_have_lines(const struct rules *r);
/* The lines to add, for a client's request that rules_filter() has seen. */
void rules_put(const struct rules *r, struct http_writer *w, const struct rules_scope *s);
/* Tells the rules as a configuration says them: `Name: value` with its variables, or a name
 * in lower case. */
typedef void (*rules_tell_fn)(void *arg, enum rules_op op, struct slice rule);
void rules_tell(const struct rules *r, rules_tell_fn fn, void *arg);
/* Copies lines, or a whole head, with the server's name in its places. */
void rules_expand(struct http_writer *w, struct slice text, struct slice server);

/* What becomes of the headers and the target of a route's requests. */
struct route_headers {
	struct rules *request;  /* NULL: nothing goes to an upstream */
	struct rules *response; /* NULL: answers go as they are */
	char *request_id;       /* the header's name; NULL = off */
	char *host;             /* Host for the upstream; NULL = the client's */
	bool host_is_server;    /* Host is the server's name instead */
	char *from, *to;        /* replaced in the path (proxy/rewrite.h); NULL = nothing */
};
void route_headers_fini(struct route_headers *h);
