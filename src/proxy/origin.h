/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Which web pages may open connections: lists of origins (RFC 6454), in the form
 * in which browsers write them. An Origin that is not in that form is none of the
 * list, whatever it may mean. Lists are immutable once filled, and counted by
 * references across threads. */

#include "http/head.h"

struct origin_list;

struct origin_list *origin_list_new(void);
struct origin_list *origin_list_ref(struct origin_list *l);
void origin_list_unref(struct origin_list *l);

/* Adds `same-host`, `null`, or SCHEME://HOST[:PORT], where the port may be '*' (any, or
 * none) and the host may begin with "*." (any subdomain, not the domain itself).
 * NULL when it was added; otherwise what would be right. */
enum { ORIGIN_WHY_MAX = 200 };
const char *origin_list_add(struct origin_list *l, const char *text, char why[ORIGIN_WHY_MAX]);
size_t origin_list_n(const struct origin_list *l);
const char *origin_list_text(const struct origin_list *l, size_t i);

enum origin_missing { ORIGIN_MISSING_ALLOW, ORIGIN_MISSING_DENY };
enum origin_verdict {
	ORIGIN_ALLOWED,
	ORIGIN_IS_MISSING,
	ORIGIN_IS_REPEATED,
	ORIGIN_IS_OTHER, /* not on the list */
};

/* Judges a request's Origin; a NULL list allows every one. `missing` says what
 * becomes of a request without. */
enum origin_verdict origin_check(
        const struct origin_list *l, enum origin_missing missing, const struct http_head *h);
/* A sentence for the log and the answer's body. */
const char *origin_reason(enum origin_verdict v);
/* The entry of the list that allows the request's only Origin, or NULL. */
const char *origin_list_find(const struct origin_list *l, const struct http_head *h);
