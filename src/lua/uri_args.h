/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Percent coding, and the arguments of a URI or form as a Lua table. What ngx.escape_uri and its
 * like are made of; ngx.req uses it too. One VM's thread. */

#include "base/slice.h"

#include <lua.h>

/* What is written as %XX: the bytes that have no place in ... */
enum uri_part {
	URI_PATH,
	URI_ARGS,
	URI_COMPONENT, /* one name or value: the safest */
	URI_HTML,
	URI_REFRESH,
	URI_MEMCACHED,
	URI_MAIL_AUTH,
	URI_PARTS,
};

/* How long `in` gets. */
size_t uri_escaped_len(struct slice in, enum uri_part part);
/* `out` has that room. Returns the end of what was written. */
char *uri_escape(char *out, struct slice in, enum uri_part part);
/* Makes + a space; what is no good %XX stays. `out` has room for in.len and may be its place.
 * Returns the length. */
size_t uri_unescape(char *out, struct slice in);

/* Pushes a table of `text`'s arguments: a name without = is true, one that is repeated an array.
 * Those without a name are left out. Ends at the `max`th & (0 or less: never) and returns false
 * then. */
bool uri_args_push(lua_State *L, struct slice text, int max);

/* Pushes the string that the table at `at` (counted from below) becomes, and one value below it. A
 * key or value that cannot be written raises an error at the line of the running function's caller.
 */
void uri_args_write(lua_State *L, int at);
