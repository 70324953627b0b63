/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* ngx.encode_base64 and its like: what makes strings of strings, without a connection. */

#include <lua.h>

/* See lua/ngx.h. */
void ngx_string_open(lua_State *L);
/* The loader of `ngx.base64`, for package.preload. */
int ngx_base64_module(lua_State *L);
