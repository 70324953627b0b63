/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/values.h"

#include "base/mem.h"
#include "lua/vm.h"
#include "lua/worker.h"

#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

enum { DEPTH_MAX = 100, HOLES_MAX = 1000, SCRATCH_FIRST = 4096, SCRATCH_KEPT = 256 * 1024 };

int lua_fail(lua_State *L, const char *why)
{
	lua_pushnil(L);
	lua_pushstring(L, why);
	return 2;
}

void lua_push_accessors(lua_State *L, lua_CFunction get, lua_CFunction set)
{
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, get);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, set);
	lua_setfield(L, -2, "__newindex");
}

void lua_preload(lua_State *L, const char *name)
{
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "preload");
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, name);
	lua_pop(L, 3);
}

struct slice lua_header_name(uint8_t *buf, struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		buf[i] = name.at[i] == '_' ? '-' : name.at[i];
	return slice_of(buf, name.len);
}

struct slice lua_check_slice(lua_State *L, int arg)
{
	size_t len;
	const char *at = luaL_checklstring(L, arg, &len);
	return slice_of(at, len);
}

static void append(lua_State *L, struct lua_worker *lw, const char *at, size_t len)
{
	size_t want = lw->scratch.len + len;
	if (want > lw->scratch.size) {
		size_t size = lw->scratch.size ? 2 * lw->scratch.size : SCRATCH_FIRST;
		size = size < want ? want : size;
		char *bytes = mem_try(size);
		if (!bytes)
			luaL_error(L, "no memory");
		if (lw->scratch.len > 0)
			memcpy(bytes, lw->scratch.at, lw->scratch.len);
		mem_free(lw->scratch.at);
		lw->scratch.at = bytes;
		lw->scratch.size = size;
	}
	if (len > 0)
		memcpy(lw->scratch.at + lw->scratch.len, at, len);
	lw->scratch.len += len;
}

static void append_text(lua_State *L, struct lua_worker *lw, const char *text)
{
	append(L, lw, text, strlen(text));
}

/* 14 digits, of which the last is rounded as C does it: half to even. */
static void append_inexact(lua_State *L, struct lua_worker *lw, lua_Number number)
{
	char digits[40] = "nan";
	if (!isnan(number))
		snprintf(digits, sizeof digits, "%.14g", number);
	append_text(L, lw, digits);
}

/* A number stays one in its table: it is written by a copy. */
static void append_number(lua_State *L, struct lua_worker *lw, int at)
{
	size_t len;
	lua_Number number = lua_tonumber(L, at);
	if (number != (lua_Number)(int32_t)lua_tointeger(L, at)) {
		append_inexact(L, lw, number);
		return;
	}
	lua_pushvalue(L, at);
	const char *text = lua_tolstring(L, -1, &len);
	append(L, lw, text, len);
	lua_pop(L, 1);
}

/* How values in arrays are taken. */
struct taking {
	int arg;        /* whose fault it is */
	bool is_strict; /* numbers and strings only */
};

static void append_value(
        lua_State *L, struct lua_worker *lw, const struct taking *how, int at, int depth);

/* The largest key. All are to be whole numbers, and where a nil is refused none may be missing. */
static int array_size(lua_State *L, const struct taking *how, int at)
{
	int n = 0, max = 0;
	lua_pushnil(L);
	while (lua_next(L, at)) {
		lua_Number key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
		if (key < 1 || key != (lua_Number)(int)key)
			luaL_argerror(L, how->arg, "non-array table found");
		max = (int)key > max ? (int)key : max;
		n++;
		lua_pop(L, 1);
	}
	if (n != max && (how->is_strict || max > 2 * n + HOLES_MAX))
		luaL_argerror(L, how->arg, "bad data type nil found");
	return max;
}

static void append_array(
        lua_State *L, struct lua_worker *lw, const struct taking *how, int at, int depth)
{
	int arg = how->arg;
	if (depth > DEPTH_MAX || !lua_checkstack(L, 8))
		luaL_argerror(L, arg, "array table nested too deeply");
	int n = array_size(L, how, at);
	for (int i = 1; i <= n; i++) {
		lua_rawgeti(L, at, i);
		append_value(L, lw, how, lua_gettop(L), depth + 1);
		lua_pop(L, 1);
	}
}

static void append_value(
        lua_State *L, struct lua_worker *lw, const struct taking *how, int at, int depth)
{
	int type = lua_type(L, at), arg = how->arg;
	char why[120];
	size_t len;
	const char *text;
	if (how->is_strict && depth > 0 && type != LUA_TSTRING && type != LUA_TNUMBER &&
	        type != LUA_TTABLE) {
		snprintf(why, sizeof why, "bad data type %s found", lua_typename(L, type));
		luaL_argerror(L, arg, why);
	}
	switch (type) {
	case LUA_TSTRING:
		text = lua_tolstring(L, at, &len);
		append(L, lw, text, len);
		return;
	case LUA_TNUMBER:
		append_number(L, lw, at);
		return;
	case LUA_TNIL:
		append_text(L, lw, "nil");
		return;
	case LUA_TBOOLEAN:
		append_text(L, lw, lua_toboolean(L, at) ? "true" : "false");
		return;
	case LUA_TTABLE:
		append_array(L, lw, how, at, depth);
		return;
	case LUA_TLIGHTUSERDATA:
		if (!lua_touserdata(L, at)) {
			append_text(L, lw, "null");
			return;
		}
		break;
	default:
		break;
	}
	snprintf(why, sizeof why,
	        "string, number, boolean, nil, ngx.null, or array table expected, but got %s",
	        luaL_typename(L, at));
	luaL_argerror(L, arg, why);
}

static struct lua_worker *begin(lua_State *L)
{
	struct lua_worker *lw = lua_vm_of(L)->worker;
	lw->scratch.len = 0;
	if (lw->scratch.size > SCRATCH_KEPT) {
		mem_free(lw->scratch.at);
		lw->scratch.at = NULL;
		lw->scratch.size = 0;
	}
	return lw;
}

struct slice lua_gather(lua_State *L, int first, int last)
{
	struct lua_worker *lw = begin(L);
	for (int i = first; i <= last; i++)
		append_value(L, lw, &(struct taking){.arg = i}, i, 0);
	return slice_of(lw->scratch.at, lw->scratch.len);
}

struct slice lua_gather_array(lua_State *L, int arg)
{
	char why[120];
	int type = lua_type(L, arg);
	if (type == LUA_TSTRING)
		return lua_check_slice(L, arg);
	if (type == LUA_TNUMBER || type == LUA_TTABLE || type == LUA_TNIL || type == LUA_TBOOLEAN) {
		struct lua_worker *lw = begin(L);
		append_value(L, lw, &(struct taking){arg, true}, arg, 0);
		return slice_of(lw->scratch.at, lw->scratch.len);
	}
	snprintf(why, sizeof why, "string, number, boolean, nil, or array table expected, got %s",
	        luaL_typename(L, arg));
	luaL_argerror(L, arg, why);
	return SLICE("");
}
