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

enum { WORKERS_MAX = 64 };

/* By the worker's number; 0 = it has not begun. */
static atomic_int pids[WORKERS_MAX];

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
	unsigned n = worker_of(L)->workers;
	int found = 0;
	lua_createtable(L, (int)n, 0);
	for (unsigned i = 0; i < n && i < WORKERS_MAX; i++) {
		int pid = atomic_load_explicit(&pids[i], memory_order_relaxed);
		if (pid == 0)
			continue;
		lua_pushinteger(L, pid);
		lua_rawseti(L, -2, ++found);
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
	const struct worker *w = worker_of(L)->worker;
	if (w && w->index < WORKERS_MAX) /* VMs are made on their workers' threads */
		atomic_store_explicit(&pids[w->index], gettid(), memory_order_relaxed);
	lua_newtable(L);
	luaL_setfuncs(L, functions, 0);
	lua_setfield(L, -2, "worker");
	compat_push_module(L, "ngx.process");
	luaL_setfuncs(L, process_functions, 0);
	lua_pop(L, 1);
}
