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

/* ---- when they run ---- */

/* The collector calls them wherever something is allocated, which may be where C is at work on what
 * they close, read or send. There they are put off until the coroutine comes back. */

static bool is_of_scripts(const struct lua_vm *vm, const lua_Debug *caller, lua_CFunction f)
{
	if (caller->what[0] == 'C')
		return f == vm->collectgarbage;
	return caller->source[0] != '='; /* as the names of what is ours begin */
}

static bool may_run(lua_State *L, const struct lua_vm *vm)
{
	lua_Debug caller;
	if (!vm->running)
		return true;
	if (L != vm->running || !lua_getstack(L, 1, &caller) || !lua_getinfo(L, "Sf", &caller))
		return false;
	lua_CFunction f = lua_tocfunction(L, -1);
	lua_pop(L, 1);
	return is_of_scripts(vm, &caller, f);
}

/* The address of this is the key of those that were put off in the registry: by number, each
 * followed by its object. */
static const char late_key;

static void push_late(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&late_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

/* (finalizer, object) */
static int l_put_off(lua_State *L)
{
	struct lua_vm *vm = lua_vm_of(L);
	int at = 2 * (int)vm->finalizers_due;
	push_late(L);
	lua_pushvalue(L, 1);
	lua_rawseti(L, -2, at + 1);
	lua_pushvalue(L, 2);
	lua_rawseti(L, -2, at + 2);
	vm->finalizers_due++;
	return 0;
}

/* Calls what is on the stack, with that many arguments. The collector is at work, so there is no
 * lua_vm_leave(), which might start it again. */
static void call(lua_State *L, struct lua_vm *vm, int arguments)
{
	lua_State *below = vm->running;
	vm->running = L;
	vm->depth++;
	int status = lua_pcall(L, arguments, 0, 0);
	vm->depth--;
	vm->running = below;
	if (status) {
		lua_finalizers_tell(L);
		lua_pop(L, 1);
	}
}

/* (object): the script's finalizer, upvalue 1, is called with it. Upvalue 2: l_put_off(). */
static int l_run(lua_State *L)
{
	struct lua_vm *vm = lua_vm_of(L);
	bool is_now = may_run(L, vm);
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	if (!is_now) {
		lua_pushvalue(L, lua_upvalueindex(2));
		lua_insert(L, 1);
	}
	call(L, vm, is_now ? 1 : 2);
	return 0;
}

static int l_run_late(lua_State *L)
{
	struct lua_vm *vm = lua_vm_of(L);
	lua_newtable(L); /* for those that are put off while these run */
	push_late(L);
	lua_pushlightuserdata(L, (void *)&late_key);
	lua_pushvalue(L, 1);
	lua_rawset(L, LUA_REGISTRYINDEX);
	int n = (int)vm->finalizers_due;
	vm->finalizers_due = 0;
	for (int i = 0; i < n; i++) {
		lua_rawgeti(L, 2, 2 * i + 1);
		lua_rawgeti(L, 2, 2 * i + 2);
		call(L, vm, 1);
	}
	return 0;
}

/* The address of this is the key of l_run_late(). */
static const char run_late_key;

void lua_finalizers_run(struct lua_vm *vm)
{
	lua_pushlightuserdata(vm->L, (void *)&run_late_key);
	lua_rawget(vm->L, LUA_REGISTRYINDEX);
	call(vm->L, vm, 0);
}

/* The script's function on top of the stack becomes one that is fit to be a finalizer. */
static void protect(lua_State *L)
{
	lua_pushcfunction(L, l_put_off);
	lua_pushcclosure(L, l_run, 2);
}

static int l_protect(lua_State *L)
{
	lua_settop(L, 1);
	protect(L);
	return 1;
}

/* __newindex of the metatables that newproxy() makes. */
static int l_set_field(lua_State *L)
{
	lua_settop(L, 3);
	if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "__gc") == 0 &&
	        lua_isfunction(L, 3))
		protect(L);
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

static void open_late(lua_State *L)
{
	lua_getglobal(L, "collectgarbage");
	lua_vm_of(L)->collectgarbage = lua_tocfunction(L, -1);
	lua_pop(L, 1);
	lua_pushlightuserdata(L, (void *)&late_key);
	lua_newtable(L);
	lua_rawset(L, LUA_REGISTRYINDEX);
	lua_pushlightuserdata(L, (void *)&run_late_key);
	lua_pushcfunction(L, l_run_late);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

/* ---- our own userdata ---- */

void *lua_finalized(lua_State *L, lua_CFunction gc, size_t size)
{
	void *found = NULL;
	if (lua_type(L, 1) != LUA_TUSERDATA || lua_objlen(L, 1) != size ||
	        !luaL_getmetafield(L, 1, "__gc"))
		return NULL;
	if (lua_tocfunction(L, -1) == gc)
		found = lua_touserdata(L, 1);
	lua_pop(L, 1);
	return found;
}

/* Whether it is a metatable of userdata that C reads: Lua's files and all that is ours. */
static bool is_of_c(lua_State *L, int at)
{
	lua_pushliteral(L, "__gc");
	lua_rawget(L, at);
	lua_CFunction gc = lua_tocfunction(L, -1);
	lua_pop(L, 1);
	return gc && gc != l_run;
}

/* Upvalue: debug.setmetatable() as it was. */
static int l_setmetatable(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TUSERDATA) {
		if (lua_istable(L, 2) && is_of_c(L, 2))
			return luaL_argerror(L, 2, "metatable of another kind of userdata");
		if (lua_getmetatable(L, 1) && is_of_c(L, lua_gettop(L)))
			return luaL_error(L, "cannot change a protected metatable");
	}
	lua_settop(L, 2);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, 2, 1);
	return 1;
}

static void open_setmetatable(lua_State *L)
{
	lua_getglobal(L, "debug");
	lua_getfield(L, -1, "setmetatable");
	lua_pushcclosure(L, l_setmetatable, 1);
	lua_setfield(L, -2, "setmetatable");
	lua_pop(L, 1);
}

void lua_finalizers_open(lua_State *L)
{
	open_late(L);
	open_newproxy(L);
	open_setmetatable(L);
	open_ffi(L);
}
