/* SPDX-License-Identifier: BSD-2-Clause */

/* resty.websocket.client. */

#include "lua/frames.h"
#include "lua/resty.h"

#include <lauxlib.h>

int resty_client_module(lua_State *L)
{
	lua_createtable(L, 0, 13);
	resty_object_methods(L, 1);
	return 1;
}
