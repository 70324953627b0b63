/* SPDX-License-Identifier: BSD-2-Clause */

/* require "ngx.semaphore": between the coroutines of a VM, whatever request they are of. */

#include "lua/ngx.h"
#include "lua/request.h"
#include "lua/values.h"
#include "lua/vm.h"

#include <lauxlib.h>

/* In Lua's memory, which a waiter keeps alive: it stands on its stack. */
struct semaphore {
	lua_Integer resources;
	struct list waiters; /* by lua_wait.node */
	unsigned waiting;
};

static const char meta_name[] = "ngx.semaphore";

static struct semaphore *check(lua_State *L)
{
	struct semaphore *s = luaL_checkudata(L, 1, meta_name);
	luaL_argcheck(L, lua_objlen(L, 1) == sizeof *s, 1, "ngx.semaphore expected");
	return s;
}

/* As much as nobody counts to. */
static const lua_Number most = 1e15;

static int l_new(lua_State *L)
{
	lua_Number n = luaL_optnumber(L, 1, 0);
	if (!(n >= 0))
		return luaL_error(L, "no negative number");
	struct semaphore *s = lua_newuserdata(L, sizeof *s);
	s->resources = (lua_Integer)(n < most ? n : most);
	s->waiting = 0;
	list_init(&s->waiters);
	luaL_getmetatable(L, meta_name);
	lua_setmetatable(L, -2);
	return 1;
}

static void leave(struct lua_wait *w)
{
	struct semaphore *s = w->owner;
	list_remove(&w->node);
	s->waiting--;
}

static void give_back(struct lua_wait *w);

/* One of the resources is the waiter's: true, and no error. Returns how many those are. */
static int grant(struct lua_wait *w)
{
	leave(w);
	lua_pushboolean(w->L, 1);
	lua_pushnil(w->L);
	lua_wake_granting(w, give_back);
	return 2;
}

/* It has ended before it could run: its resource is the next one's. */
static void give_back(struct lua_wait *w)
{
	struct semaphore *s = w->owner;
	if (list_is_empty(&s->waiters)) {
		s->resources++;
		return;
	}
	struct lua_wait *next = list_entry(s->waiters.next, struct lua_wait, node);
	lua_wake_later(next, grant(next));
}

static int on_expired(struct lua_wait *w)
{
	leave(w);
	lua_pushboolean(w->L, 0); /* where wait(0) has nil: so it is with the oracle */
	lua_pushliteral(w->L, "timeout");
	return 2;
}

static const struct lua_wait_ops wait_ops = {.expire = on_expired, .cancel = leave};

static int l_wait(lua_State *L)
{
	struct semaphore *s = check(L);
	lua_Number seconds = luaL_checknumber(L, 2);
	struct lua_request *r = lua_request_need(L);
	if (!(r->phase & LUA_PHASES_YIELD)) {
		lua_pushnil(L);
		lua_pushfstring(
		        L, "API disabled in the context of %s", lua_phase_context(r->phase));
		return 2;
	}
	if (!(seconds >= 0))
		return luaL_error(L, "no negative number");
	if (s->resources > 0 && s->waiting == 0) {
		s->resources--;
		lua_pushboolean(L, 1);
		return 1;
	}
	uint64_t ms = (uint64_t)((seconds < most ? seconds : most) * 1000 + 0.5);
	if (ms == 0)
		return lua_fail(L, "timeout");
	struct lua_wait *w = lua_wait_begin(L, &wait_ops, s);
	list_append(&s->waiters, &w->node);
	s->waiting++;
	return lua_wait(L, w, ms);
}

static int l_post(lua_State *L)
{
	struct semaphore *s = check(L);
	lua_Number n = luaL_optnumber(L, 2, 1);
	if (!(n >= 1))
		return luaL_error(L, "positive number required");
	lua_Number sum = (lua_Number)s->resources + n;
	s->resources = (lua_Integer)(sum < most ? sum : most);
	while (s->resources > 0 && !list_is_empty(&s->waiters)) {
		struct lua_wait *w = list_entry(s->waiters.next, struct lua_wait, node);
		s->resources--;
		lua_wake(w, grant(w));
	}
	lua_pushboolean(L, 1);
	return 1;
}

static int l_count(lua_State *L)
{
	const struct semaphore *s = check(L);
	lua_pushinteger(L, s->resources - (lua_Integer)s->waiting);
	return 1;
}

static int open_module(lua_State *L)
{
	static const luaL_Reg methods[] = {
	        {"wait", l_wait}, {"post", l_post}, {"count", l_count}, {NULL, NULL}};
	lua_newtable(L);
	lua_pushcfunction(L, l_new);
	lua_setfield(L, -2, "new");
	lua_pushliteral(L, NGX_CORE_VERSION);
	lua_setfield(L, -2, "version");
	luaL_newmetatable(L, meta_name);
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	return 1;
}

void ngx_semaphore_open(lua_State *L)
{
	lua_vm_preload(L, "ngx.semaphore", open_module);
}
