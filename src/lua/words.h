/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a script has come to, in words. Calls no Lua; raises nothing. */

#include "base/slice.h"

#include <lua.h>
#include <stddef.h>

/* `file.lua:3: boom`: the error on top of L. */
struct slice lua_error_text(lua_State *L);
/* Where L is, function by function, into buf, cut at its end. Returns the length. */
size_t lua_where(lua_State *L, char *buf, size_t size);
