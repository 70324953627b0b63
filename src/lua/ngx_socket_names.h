/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What scripts name as the place to connect to, and what they are told of names that are none. */

#include "base/slice.h"
#include "net/address.h"

#include <lua.h>
#include <stdbool.h>

/* `unix:` is in front; and a path that fits is behind it. */
bool ngx_names_is_unix(struct slice host);
bool ngx_names_is_path(struct slice host);
/* No NUL is in it. What stands before one is not what the script has looked at. */
bool ngx_names_is_text(struct slice host);
/* An address, IPv6 in brackets or without, or a path: with no port. False: it is a name. */
bool ngx_names_parse(struct address *a, const char *host);
/* `NAME could not be resolved (3: Host not found)`, in the words of nginx. */
void ngx_names_push_error(lua_State *L, const char *host, const char *error);
