/* SPDX-License-Identifier: BSD-2-Clause */

/* ngx.config: what libraries ask before they trust us. */

#include "lua/ngx.h"
#include "lua/vm.h"

#include <lauxlib.h>

enum { NGINX_VERSION = 1027001, NGX_LUA_VERSION = 10030 };

static int l_prefix(lua_State *L)
{
	const char *prefix = lua_handlers_settings(lua_vm_of(L)->set)->prefix;
	lua_pushstring(L, prefix ? prefix : "");
	return 1;
}

static int l_configure(lua_State *L)
{
	lua_pushliteral(L, "");
	return 1;
}

void ngx_config_open(lua_State *L)
{
	lua_newtable(L);
	lua_pushliteral(L, "http");
	lua_setfield(L, -2, "subsystem");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "debug");
	lua_pushinteger(L, NGINX_VERSION);
	lua_setfield(L, -2, "nginx_version");
	lua_pushinteger(L, NGX_LUA_VERSION);
	lua_setfield(L, -2, "ngx_lua_version");
	lua_pushcfunction(L, l_prefix);
	lua_setfield(L, -2, "prefix");
	lua_pushcfunction(L, l_configure);
	lua_setfield(L, -2, "nginx_configure");
	lua_setfield(L, -2, "config");
}
