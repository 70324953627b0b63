/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Values between C and Lua, as the ngx API has them. */

#include "base/slice.h"

#include <lua.h>

static inline void lua_push_slice(lua_State *L, struct slice s)
{
	lua_pushlstring(L, (const char *)s.at, s.len);
}
/* A string, or a number as one; raises for anything else. */
struct slice lua_check_slice(lua_State *L, int arg);
/* The arguments first .. last as ngx.print() writes them: strings, numbers, booleans, nil, ngx.null
 * and arrays of these, one behind the other. Raises for others. The bytes are the worker's: until
 * the next call. */
struct slice lua_gather(lua_State *L, int first, int last);
/* The same of one argument as a socket's send() takes it: in arrays strings and numbers only. */
struct slice lua_gather_array(lua_State *L, int arg);
