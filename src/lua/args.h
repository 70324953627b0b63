/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Arguments as the ngx API takes them, and room to build results in. */

#include "base/slice.h"

#include <lauxlib.h>
#include <lua.h>

/* The bytes of argument `at`: those of a string, of what tostring() makes of anything else, and
 * none for nil, false and an argument that is not there. They live as long as the argument's
 * place on the stack, whose value may be replaced. */
struct slice args_text(lua_State *L, int at);

/* The same, but nil and false are written out: what tostring() says. */
struct slice args_tostring(lua_State *L, int at);

/* The bytes of a string; anything else raises `string argument only` at the caller's line. */
struct slice args_string_only(lua_State *L, int at);

/* Raises unless there are `min` to `max` arguments: `text`, then how many there were. */
void args_count(lua_State *L, int min, int max, const char *text);

/* Raises an error at the line of the running function's caller (level 1), its caller (2) ... */
int args_error(lua_State *L, int level, const char *format, ...)
        __attribute__((format(printf, 3, 4), noreturn));

/* What most results fit in without an allocation. */
enum { ARGS_SMALL = 2048 };

/* `size` bytes: `small` (ARGS_SMALL of them) when that is enough, otherwise memory that Lua owns,
 * pushed on its stack. */
char *args_room(lua_State *L, char *small, size_t size);
