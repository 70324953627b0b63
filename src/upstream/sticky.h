/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Sticky sessions: a cookie, set in the 101, brings a client back to the server it had.
 * It names the server by a keyed hash, so that it tells nobody where servers are, and is
 * signed for its group, so that nobody makes one but the nodes that share the secret.
 *
 *   base64url( id, 8 bytes | expiry in seconds since 1970, 8 bytes, big-endian, 0 = none |
 *              first 16 bytes of HMAC-SHA256 over both, with the group's key )
 *
 * Immutable; any thread. */

#include "http/head.h"
#include "http/writer.h"

struct sticky;
struct upstream_members;

enum {
	STICKY_SECRET_MIN = 32,
	STICKY_SECRET_MAX = 4096,
	STICKY_VALUE_LEN = 43,
	STICKY_LINE_MAX = 1024, /* of the Set-Cookie line at most */
	STICKY_TEXT_MAX = 256,  /* of the cookie's name, and of its attributes */
};

/* NULL when libcrypto fails. ttl_s: 0 = until the browser ends. The cookie's name is a
 * token and the attributes have passed sticky_check_attributes(), each of
 * STICKY_TEXT_MAX bytes at most. */
struct sticky *sticky_new(const char *group, const char *cookie, const char *attributes,
        uint32_t ttl_s, struct slice secret);
void sticky_free(struct sticky *s);
/* The cookie's name. */
const char *sticky_cookie(const struct sticky *s);

/* The member that a sound cookie of the request names; -1: there is none. now_s is of
 * the wall clock. */
int sticky_find(const struct sticky *s, const struct http_head *request,
        const struct upstream_members *m, int64_t now_s);
/* Writes the Set-Cookie line that names the server with this key (state->key). */
void sticky_put(const struct sticky *s, struct http_writer *w, const char *key, int64_t now_s);

/* NULL for attributes of a cookie, such as `Path=/; HttpOnly; SameSite=Lax`; otherwise
 * what would be right. */
const char *sticky_check_attributes(const char *text);
