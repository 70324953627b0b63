/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Values between C and Lua, as the ngx API has them. */

#include "base/slice.h"

#include <lua.h>

static inline void lua_push_slice(lua_State *L, struct slice s)
{
	lua_pushlstring(L, (const char *)s.at, s.len);
}
/* Pushes nil and why: `return lua_fail(L, why)`. */
int lua_fail(lua_State *L, const char *why);
/* Pushes a metatable by which fields are got and set. */
void lua_push_accessors(lua_State *L, lua_CFunction get, lua_CFunction set);
/* The function on top of the stack, which it pops, makes the module of that name. */
void lua_preload(lua_State *L, const char *name);
/* Copies what scripts call a header as it is called on the wire: `_` is `-`. */
struct slice lua_header_name(uint8_t *buf, struct slice name);
/* A string, or a number as one; raises for anything else. */
struct slice lua_check_slice(lua_State *L, int arg);
/* The arguments first .. last as ngx.print() writes them: strings, numbers, booleans, nil, ngx.null
 * and arrays of these, one behind the other. Raises for others. The bytes are the worker's: until
 * the next call. */
struct slice lua_gather(lua_State *L, int first, int last);
/* The same of one argument as a socket's send() takes it: in arrays strings and numbers only. */
struct slice lua_gather_array(lua_State *L, int arg);
