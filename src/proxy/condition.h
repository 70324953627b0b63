/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Conditions of a route beside host, path and listener: that the request gives a
 * header or a query argument exactly this value, or the client has proved by its certificate
 * to be this one. A request that gives it twice meets
 * no condition on it, since nobody can know which of the two the application
 * believes; so two conditions on different values of one name exclude each other.
 * Any thread. */

#include "http/head.h"

struct tls_info;

enum condition_kind {
	CONDITION_HEADER,
	CONDITION_QUERY,
	/* Without a name. */
	CONDITION_TLS_SUBJECT,
	CONDITION_TLS_ISSUER,
	CONDITION_TLS_FINGERPRINT,
};

struct condition {
	enum condition_kind kind;
	char *name;  /* of a header: in any case; of an argument: decoded */
	char *value; /* of an argument: decoded */
};

enum {
	CONDITIONS_MAX = 8,       /* of one route */
	CONDITION_TEXT_MAX = 512, /* of condition_text() */
};

/* The order of what conditions look at: 0 when both look at the same value. */
int condition_order(const struct condition *a, const struct condition *b);
/* The request's value, as it stands in the head, or is known of TLS (NULL: there is none). False
 * when there is none, or more than one. */
bool condition_find(const struct condition *c, const struct http_head *h,
        const struct tls_info *tls, struct slice *value);
/* The order of a value that condition_find() found and the wanted one: 0 = it is it. */
int condition_compare(const struct condition *c, struct slice value);
bool condition_holds(
        const struct condition *c, const struct http_head *h, const struct tls_info *tls);
/* `header X-Beta: yes`, `query room=1` or `tls_client subject CN=alice`. Returns out. */
const char *condition_text(const struct condition *c, char out[CONDITION_TEXT_MAX]);
