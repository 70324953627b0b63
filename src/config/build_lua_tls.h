/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* lua_ssl_*: how sockets of scripts speak TLS. Of [moongate], and of a route, which overrides it
 * key by key. */

#include "net/tls_client.h"

#include <stdbool.h>
#include <stdint.h>

struct draft;
struct draft_route;
struct lua_settings;

struct lua_tls_keys {
	char *trusted, *certificate, *key,
	        *crl; /* files; owned; NULL = not given, as are the next */
	char *ciphers;
	char *commands; /* a line for each */
	uint32_t depth;
	struct tls_versions {
		bool is_given, has_1_2, has_1_3;
	} versions;
};
void lua_tls_keys_fini(struct lua_tls_keys *k);

/* [moongate]'s, into s->handlers.tls, with the digest of all that it was made of. */
void build_lua_tls(struct draft *d, struct lua_settings *s);
/* A route's: its own, or another reference to `common`. */
struct tls_client *build_route_lua_tls(
        struct draft *d, const struct draft_route *r, struct tls_client *common);
