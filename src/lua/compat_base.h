/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* `resty.core.base`: buffers of the FFI, and small things that libraries take from it. */

#include <lua.h>

/* Its loader: pushes a new table. */
int compat_base_module(lua_State *L);
