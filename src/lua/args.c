/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/args.h"

#include <stdarg.h>
#include <stdlib.h>

static struct slice slice_at(lua_State *L, int at)
{
	size_t len;
	const char *text = lua_tolstring(L, at, &len);

	return slice_of(text, len);
}

struct slice args_tostring(lua_State *L, int at)
{
	int type = lua_type(L, at);

	if (type == LUA_TSTRING || type == LUA_TNUMBER)
		return slice_at(L, at);
	/* A place of its own, as long as the arguments are there. */
	if (lua_gettop(L) < at)
		lua_settop(L, at);
	if (luaL_callmeta(L, at, "__tostring")) {
		if (!lua_isstring(L, -1))
			luaL_error(L, "'tostring' must return a string to 'tostring'");
	} else if (type == LUA_TBOOLEAN) {
		lua_pushstring(L, lua_toboolean(L, at) ? "true" : "false");
	} else if (type == LUA_TNIL || type == LUA_TNONE) {
		lua_pushliteral(L, "nil");
	} else {
		lua_pushfstring(L, "%s: %p", luaL_typename(L, at), lua_topointer(L, at));
	}
	lua_replace(L, at);
	return slice_at(L, at);
}

struct slice args_text(lua_State *L, int at)
{
	return lua_toboolean(L, at) ? args_tostring(L, at) : SLICE("");
}

struct slice args_string_only(lua_State *L, int at)
{
	if (lua_type(L, at) != LUA_TSTRING)
		luaL_error(L, "string argument only");
	return slice_at(L, at);
}

void args_count(lua_State *L, int min, int max, const char *text)
{
	int n = lua_gettop(L);

	if (n < min || n > max)
		luaL_error(L, "%s %d", text, n);
}

int args_error(lua_State *L, int level, const char *format, ...)
{
	va_list values;

	luaL_where(L, level);
	va_start(values, format);
	lua_pushvfstring(L, format, values);
	va_end(values);
	lua_concat(L, 2);
	lua_error(L);
	abort();
}

char *args_room(lua_State *L, char *small, size_t size)
{
	return size <= ARGS_SMALL ? small : lua_newuserdata(L, size);
}
