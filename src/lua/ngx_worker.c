/* SPDX-License-Identifier: BSD-2-Clause */

/* ngx.worker and require "ngx.process". A worker is a thread; scripts take its pid for a unique
 * key, so it is the thread's. */

#include "lua/compat.h"
#include "lua/ngx.h"
#include "lua/vm.h"
#include "lua/worker.h"

#include <lauxlib.h>
#include <stdatomic.h>
#include <unistd.h>

static struct lua_worker *worker_of(lua_State *L)
{
	return lua_vm_of(L)->worker;
}

static int l_exiting(lua_State *L)
{
	lua_pushboolean(L, worker_of(L)->is_exiting);
	return 1;
}

static int l_pid(lua_State *L)
{
	lua_pushinteger(L, gettid());
	return 1;
}

static int l_pids(lua_State *L)
{
	int n = 0;
	lua_newtable(L);
	for (int i = 0; i < LUA_WORKERS_MAX; i++) {
		int tid = atomic_load(&lua_worker_tid[i]);
		if (tid == 0)
			continue;
		lua_pushinteger(L, tid);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

static int l_count(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)worker_of(L)->workers);
	return 1;
}

static int l_id(lua_State *L)
{
	const struct worker *w = worker_of(L)->worker;
	if (w)
		lua_pushinteger(L, (lua_Integer)w->index);
	else
		lua_pushnil(L);
	return 1;
}

static int l_type(lua_State *L)
{
	lua_pushstring(L, worker_of(L)->worker ? "worker" : "master");
	return 1;
}

static int l_master_pid(lua_State *L)
{
	lua_pushinteger(L, getpid());
	return 1;
}

void ngx_worker_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"exiting", l_exiting}, {"pid", l_pid},
	        {"pids", l_pids}, {"count", l_count}, {"id", l_id}, {NULL, NULL}};
	static const luaL_Reg process_functions[] = {
	        {"type", l_type}, {"get_master_pid", l_master_pid}, {NULL, NULL}};
	lua_newtable(L);
	luaL_setfuncs(L, functions, 0);
	lua_setfield(L, -2, "worker");
	compat_push_module(L, "ngx.process");
	luaL_setfuncs(L, process_functions, 0);
	lua_pop(L, 1);
}
