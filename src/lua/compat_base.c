/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/compat_base.h"

#include "base/slice.h"
#include "lua/ngx.h"

#include <lauxlib.h>
#include <math.h>

/* What ffi.new() makes is asked for by its name, when it is first wanted. The upvalue of each
 * function is a table of what was made. */
static void push_new(lua_State *L, const char *type, lua_Number count)
{
	lua_getglobal(L, "require");
	lua_pushliteral(L, "ffi");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "new");
	lua_remove(L, -2);
	lua_pushstring(L, type);
	if (count < 0) {
		lua_call(L, 1, 1);
		return;
	}
	lua_pushnumber(L, count);
	lua_call(L, 2, 1);
}

static int push_made(lua_State *L, const char *type)
{
	lua_getfield(L, lua_upvalueindex(1), type);
	if (!lua_isnil(L, -1))
		return 1;
	lua_pop(L, 1);
	push_new(L, type, -1);
	lua_pushvalue(L, -1);
	lua_setfield(L, lua_upvalueindex(1), type);
	return 1;
}

static int get_errmsg_ptr(lua_State *L)
{
	return push_made(L, "char *[1]");
}

static int get_size_ptr(lua_State *L)
{
	return push_made(L, "size_t[1]");
}

static lua_Number buffer_size(lua_State *L)
{
	enum { DEFAULT_SIZE = 4096 };

	lua_getfield(L, lua_upvalueindex(1), "size");
	lua_Number size = lua_isnil(L, -1) ? DEFAULT_SIZE : lua_tonumber(L, -1);
	lua_pop(L, 1);
	return size;
}

static int get_string_buf_size(lua_State *L)
{
	lua_pushnumber(L, buffer_size(L));
	return 1;
}

static int set_string_buf_size(lua_State *L)
{
	lua_Number size = luaL_checknumber(L, 1);

	if (!(size > 0))
		return 0;
	lua_pushnumber(L, ceil(size));
	lua_setfield(L, lua_upvalueindex(1), "size");
	lua_pushnil(L);
	lua_setfield(L, lua_upvalueindex(1), "buffer");
	return 0;
}

/* The buffer that all share, or one of its own for what is larger, or on demand. */
static int get_string_buf(lua_State *L)
{
	lua_Number wanted = luaL_checknumber(L, 1), size = buffer_size(L);

	if (wanted > size || lua_toboolean(L, 2)) {
		push_new(L, "char[?]", wanted);
		return 1;
	}
	lua_getfield(L, lua_upvalueindex(1), "buffer");
	if (!lua_isnil(L, -1))
		return 1;
	lua_pop(L, 1);
	push_new(L, "char[?]", size);
	lua_pushvalue(L, -1);
	lua_setfield(L, lua_upvalueindex(1), "buffer");
	return 1;
}

/* A place for a value in an array; free ones are chained from [0], as luaL_ref() does. */
static int ref_in_table(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	if (lua_isnil(L, 2)) {
		lua_pushinteger(L, -1);
		return 1;
	}
	lua_rawgeti(L, 1, 0);
	int ref = (int)lua_tointeger(L, -1);
	if (ref != 0) {
		lua_rawgeti(L, 1, ref);
		lua_rawseti(L, 1, 0);
	} else {
		ref = (int)lua_objlen(L, 1) + 1;
	}
	lua_pushvalue(L, 2);
	lua_rawseti(L, 1, ref);
	lua_pushinteger(L, ref);
	return 1;
}

static int allows_subsystem(lua_State *L)
{
	for (int i = 1; i <= lua_gettop(L); i++) {
		const char *name = lua_tostring(L, i);
		if (name && strcmp(name, "http") == 0)
			return 0;
	}
	return luaL_error(L, "unsupported subsystem: http");
}

/* What the thread belongs to, or nothing. */
static int get_request(lua_State *L)
{
	lua_getglobal(L, "require");
	lua_pushliteral(L, "thread.exdata");
	lua_call(L, 1, 1);
	lua_call(L, 0, 1);
	/* A pointer as the FFI has it; one that is none is true, and scripts ask whether it is
	 * there. */
	void *const *pointer = lua_topointer(L, -1);
	return pointer && *pointer;
}

static void set_required(lua_State *L, const char *key, const char *module)
{
	lua_getglobal(L, "require");
	lua_pushstring(L, module);
	lua_call(L, 1, 1);
	lua_setfield(L, -2, key);
}

int compat_base_module(lua_State *L)
{
	static const luaL_Reg functions[] = {
	        {"get_errmsg_ptr", get_errmsg_ptr},
	        {"get_size_ptr", get_size_ptr},
	        {"get_string_buf_size", get_string_buf_size},
	        {"set_string_buf_size", set_string_buf_size},
	        {"get_string_buf", get_string_buf},
	        {"ref_in_table", ref_in_table},
	        {"allows_subsystem", allows_subsystem},
	        {"get_request", get_request},
	        {NULL, NULL},
	};
	static const struct {
		const char *name;
		int value;
	} codes[] = {
	        {"FFI_OK", 0},
	        {"FFI_ERROR", -1},
	        {"FFI_AGAIN", -2},
	        {"FFI_BUSY", -3},
	        {"FFI_DONE", -4},
	        {"FFI_DECLINED", -5},
	        {"FFI_NO_REQ_CTX", -100},
	        {"FFI_BAD_CONTEXT", -101},
	};

	lua_createtable(L, 0, 19);
	lua_newtable(L);
	luaL_setfuncs(L, functions, 1);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		lua_pushinteger(L, codes[i].value);
		lua_setfield(L, -2, codes[i].name);
	}
	set_required(L, "new_tab", "table.new");
	set_required(L, "clear_tab", "table.clear");
	lua_pushliteral(L, NGX_CORE_VERSION);
	lua_setfield(L, -2, "version");
	return 1;
}
