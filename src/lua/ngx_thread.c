/* SPDX-License-Identifier: BSD-2-Clause */

/* ngx.thread: light threads. */

#include "lua/ngx.h"
#include "lua/request.h"
#include "lua/values.h"
#include "lua/vm.h"

#include <lauxlib.h>

static int l_spawn(lua_State *L)
{
	struct lua_request *r = lua_request_in(L, LUA_PHASES_YIELD);
	int args = lua_gettop(L) - 1;
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_thread_need_yield(L);
	struct lua_thread *t = lua_thread_new(r, LUA_LIGHT);
	if (!t)
		return luaL_error(L, "not enough memory");
	if (lua_thread_room(t->wait.L, r->vm, args + 1) != LUA_ROOM) {
		lua_thread_kill(t);
		return luaL_error(L, "too many arguments to spawn");
	}
	t->spawner = L;
	t->is_known = true;
	lua_xmove(L, t->wait.L, args + 1);
	lua_pushthread(t->wait.L);
	lua_xmove(t->wait.L, L, 1);
	return lua_thread_spawn(L, t, args);
}

/* The light thread that L is a parent of; raises for all others. NULL: it has been waited for, or
 * killed. */
static struct lua_thread *check_child(lua_State *L, int arg)
{
	lua_State *co = lua_tothread(L, arg);
	luaL_argcheck(L, co, arg, "lua thread expected");
	struct lua_thread *t = lua_thread_at(co);
	if (lua_thread_is_gone(co))
		return NULL;
	/* One that another request has resumed is no parent there. */
	if (t && t->request != lua_request_of(L))
		luaL_error(L, "no co ctx found");
	if (!t || t->kind != LUA_LIGHT)
		luaL_error(L, "attempt to wait on a coroutine that is not a user thread");
	if (t->spawner != L)
		luaL_error(L, "only the parent coroutine can wait on the thread");
	return t;
}

enum { NOTE_AWAITED }; /* how many */

static void await(struct lua_wait *w, struct lua_thread *t)
{
	if (t->is_awaited)
		return;
	t->is_awaited = true;
	w->note[NOTE_AWAITED]++;
	/* To the front, where it is soon found. */
	list_remove(&t->node);
	list_append(t->request->threads.next, &t->node);
}

static void on_wait_cancelled(struct lua_wait *w)
{
	struct lua_thread *parent = list_entry(w, struct lua_thread, wait);
	struct lua_request *r = parent->request;
	if (r->is_ended)
		return; /* so do all */
	for (struct list *it = r->threads.next; it != &r->threads && w->note[NOTE_AWAITED] > 0;
	        it = it->next) {
		struct lua_thread *t = list_entry(it, struct lua_thread, node);
		if (t->kind != LUA_LIGHT || t->spawner != parent->wait.L || !t->is_awaited)
			continue;
		t->is_awaited = false;
		w->note[NOTE_AWAITED]--;
	}
}

static const struct lua_wait_ops wait_ops = {.cancel = on_wait_cancelled};

/* true and what it returned, or false and its error. */
static int take_results(lua_State *L, struct lua_thread *t)
{
	int n = t->has_failed ? (lua_gettop(t->wait.L) > 0 ? 1 : 0) : lua_gettop(t->wait.L);
	luaL_checkstack(L, n + 1, "too many results");
	lua_pushboolean(L, !t->has_failed);
	lua_xmove(t->wait.L, L, n);
	lua_thread_free(t);
	return n + 1;
}

static int l_wait(lua_State *L)
{
	int n = lua_gettop(L);
	lua_request_in(L, LUA_PHASES_YIELD);
	if (n == 0)
		return luaL_error(L, "at least one coroutine should be specified");
	for (int i = 1; i <= n; i++) {
		struct lua_thread *t = check_child(L, i);
		if (!t && i == n)
			return lua_fail(L, "already waited or killed");
		if (t && t->state == LUA_ZOMBIE)
			return take_results(L, t);
	}
	struct lua_wait *w = lua_wait_begin(L, &wait_ops, NULL);
	w->note[NOTE_AWAITED] = 0;
	for (int i = 1; i <= n; i++) {
		struct lua_thread *t = check_child(L, i);
		if (t)
			await(w, t);
	}
	return lua_wait(L, w, 0);
}

static bool is_below(lua_State *L, const struct lua_thread *t)
{
	const struct lua_thread *at = lua_thread_of(L);
	while (at && at != t)
		at = at->kind == LUA_USER ? at->parent : NULL;
	return at != NULL;
}

static int l_kill(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);
	lua_request_in(L, LUA_PHASES_YIELD);
	luaL_argcheck(L, co, 1, "lua thread expected");
	struct lua_thread *t = lua_thread_at(co);
	if (lua_thread_is_gone(co))
		return lua_fail(L, "already waited or killed");
	if (t && t->request != lua_request_of(L))
		return luaL_error(L, "no co ctx found");
	if (!t || t->kind != LUA_LIGHT)
		return lua_fail(L, "not user thread");
	/* A parent that its child has resumed would end itself. */
	if (t->spawner != L || is_below(L, t))
		return lua_fail(L, "killer not parent");
	if (t->state == LUA_ZOMBIE) {
		lua_thread_free(t);
		return lua_fail(L, "already terminated");
	}
	lua_thread_kill(t);
	lua_pushinteger(L, 1);
	return 1;
}

void ngx_thread_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
	        {"spawn", l_spawn}, {"wait", l_wait}, {"kill", l_kill}, {NULL, NULL}};
	lua_newtable(L);
	luaL_setfuncs(L, functions, 0);
	lua_setfield(L, -2, "thread");
}
