/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Conditions of a route beside host, path and listener: that the request gives a
 * header or a query argument exactly this value. A request that gives it twice meets
 * no condition on it, since nobody can know which of the two the application
 * believes; so two conditions on different values of one name exclude each other.
 * Any thread. */

#include "http/head.h"

enum condition_kind { CONDITION_HEADER, CONDITION_QUERY };

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
/* The request's value, as it stands in the head. False when there is none, or more
 * than one. */
bool condition_find(const struct condition *c, const struct http_head *h, struct slice *value);
/* The order of a value that condition_find() found and the wanted one: 0 = it is it. */
int condition_compare(const struct condition *c, struct slice value);
bool condition_holds(const struct condition *c, const struct http_head *h);
/* `header X-Beta: yes` or `query room=1`. Returns out. */
const char *condition_text(const struct condition *c, char out[CONDITION_TEXT_MAX]);
