/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/finalizers.h"

#include "lua/ngx_log.h"
#include "lua/values.h"
#include "lua/vm.h"
#include "lua/words.h"
#include "lua/worker.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

void lua_finalizers_tell(lua_State *L)
{
	char line[500];
	struct slice text = lua_error_text(L);
	int n = snprintf(line, sizeof line, "lua finalizer aborted: runtime error: %.*s",
	        (int)(text.len < sizeof line ? text.len : sizeof line), (const char *)text.at);
	size_t len = n > 0 && (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
	counter_inc(&lua_vm_of(L)->worker->counters.lua_errors);
	lua_log_text(LOG_LEVEL_ERROR, NULL, NULL, slice_of(line, len));
}

/* (object): the script's finalizer, upvalue 1, is called with it. The collector is at work, so
 * there is no lua_vm_leave(), which might start it again. */
static int l_run(lua_State *L)
{
	struct lua_vm *vm = lua_vm_of(L);
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_State *below = vm->running;
	vm->running = L;
	vm->depth++;
	int status = lua_pcall(L, 1, 0, 0);
	vm->depth--;
	vm->running = below;
	if (status)
		lua_finalizers_tell(L);
	return 0;
}

static int l_protect(lua_State *L)
{
	lua_settop(L, 1);
	lua_pushcclosure(L, l_run, 1);
	return 1;
}

/* __newindex of the metatables that newproxy() makes. */
static int l_set_field(lua_State *L)
{
	lua_settop(L, 3);
	if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "__gc") == 0 &&
	        lua_isfunction(L, 3))
		lua_pushcclosure(L, l_run, 1);
	lua_rawset(L, 1);
	return 0;
}

/* Upvalues: newproxy() as it was, and what the metatables get as theirs. */
static int l_newproxy(lua_State *L)
{
	bool is_new = lua_isboolean(L, 1) && lua_toboolean(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	if (is_new && lua_getmetatable(L, -1)) {
		lua_pushvalue(L, lua_upvalueindex(2));
		lua_setmetatable(L, -2);
		lua_pop(L, 1);
	}
	return 1;
}

static void open_newproxy(lua_State *L)
{
	lua_getglobal(L, "newproxy");
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, l_set_field);
	lua_setfield(L, -2, "__newindex");
	lua_pushcclosure(L, l_newproxy, 2);
	lua_setglobal(L, "newproxy");
}

static const char ffi_source[] =
        "local load, protect = ...\n"
        "local type, rawget, rawset = type, rawget, rawset\n"
        "return function (...)\n"
        "    local ffi = load(...)\n"
        "    local gc, metatype = ffi.gc, ffi.metatype\n"
        "    function ffi.gc(cdata, finalizer)\n"
        "        if type(finalizer) == 'function' then\n"
        "            finalizer = protect(finalizer)\n"
        "        end\n"
        "        return gc(cdata, finalizer)\n"
        "    end\n"
        "    function ffi.metatype(ct, meta)\n"
        "        local finalizer = type(meta) == 'table' and rawget(meta, '__gc')\n"
        "        if type(finalizer) == 'function' then\n"
        "            rawset(meta, '__gc', protect(finalizer))\n"
        "        end\n"
        "        return metatype(ct, meta)\n"
        "    end\n"
        "    return ffi\n"
        "end\n";

/* Whenever it is required. */
static void open_ffi(lua_State *L)
{
	if (luaL_loadbuffer(L, ffi_source, sizeof ffi_source - 1, "=ffi"))
		lua_error(L);
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "preload");
	lua_getfield(L, -1, "ffi");
	lua_replace(L, -3);
	lua_pop(L, 1);
	lua_pushcfunction(L, l_protect);
	lua_call(L, 2, 1);
	lua_preload(L, "ffi");
}

void lua_finalizers_open(lua_State *L)
{
	open_newproxy(L);
	open_ffi(L);
}
