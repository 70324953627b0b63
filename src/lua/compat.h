/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What scripts `require` of lua-resty-core: real modules under its names, with what they can offer
 * where the API is not made of FFI. */

#include <lua.h>

/* Makes the modules and puts their loaders into package.preload. Once for each VM, with the ngx
 * table on top of the stack, and before the groups that add to them; `package` is open. */
void compat_open(lua_State *L);

/* Pushes the table that require(name) gives, for a group that has functions to add which need a
 * connection; one of a new name becomes a module. After compat_open(). */
void compat_push_module(lua_State *L, const char *name);
