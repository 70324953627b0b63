/* SPDX-License-Identifier: BSD-2-Clause */

/* `coroutine` as scripts know it. A resume or yield is a switch that the scheduler makes
 * (thread.h), so that a coroutine can wait for I/O wherever it was resumed from. */

#include "lua/request.h"
#include "lua/thread.h"

#include <lauxlib.h>

static lua_State *check_coroutine(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);
	luaL_argcheck(L, co, 1, "coroutine expected");
	return co;
}

static int l_create(lua_State *L)
{
	luaL_argcheck(
	        L, lua_isfunction(L, 1) && !lua_iscfunction(L, 1), 1, "Lua function expected");
	lua_State *co = lua_newthread(L);
	lua_setexdata(co, NULL);
	lua_setexdata2(co, NULL);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	return 1;
}

static bool is_dead(lua_State *co)
{
	int status = lua_status(co);
	if (lua_thread_is_gone(co))
		return true;
	return status != LUA_YIELD && (status != 0 || lua_gettop(co) == 0);
}

static const char *status_of(lua_State *L, lua_State *co)
{
	struct lua_thread *t = lua_thread_at(co);
	if (co == L)
		return "running";
	if (!t)
		return is_dead(co) ? "dead" : "suspended";
	switch ((enum lua_thread_state)t->state) {
	case LUA_NORMAL:
		return "normal";
	case LUA_ZOMBIE:
		return "zombie";
	case LUA_DEAD:
		return "dead";
	default:
		return "running";
	}
}

static int l_resume(lua_State *L)
{
	lua_State *co = check_coroutine(L);
	struct lua_thread *t = lua_thread_of(L);
	int args = lua_gettop(L) - 1;
	if (!t || t->wait.L != L)
		return luaL_error(L, "no co ctx found");
	if (lua_thread_at(co) || is_dead(co)) {
		lua_pushboolean(L, 0);
		lua_pushfstring(L, "cannot resume %s coroutine", status_of(L, co));
		return 2;
	}
	enum lua_room room = lua_thread_room(co, t->request->vm, args);
	if (room == LUA_ROOM_TOO_MANY)
		return luaL_error(L, "too many arguments to resume");
	if (room == LUA_ROOM_LOST) {
		lua_settop(co, 0); /* dead */
		lua_pushboolean(L, 0);
		lua_pushliteral(L, "stack overflow");
		return 2;
	}
	lua_xmove(L, co, args);
	return lua_thread_resume(L, co, args);
}

static int l_yield(lua_State *L)
{
	return lua_thread_yield(L);
}

static int l_status(lua_State *L)
{
	lua_pushstring(L, status_of(L, check_coroutine(L)));
	return 1;
}

static int l_running(lua_State *L)
{
	struct lua_thread *t = lua_thread_of(L);
	if (!t || lua_pushthread(L))
		lua_pushnil(L);
	else
		t->is_known = true;
	return 1;
}

static int l_isyieldable(lua_State *L)
{
	const struct lua_thread *t = lua_thread_of(L);
	lua_pushboolean(L, t && !t->is_nested && lua_isyieldable(L));
	return 1;
}

/* Errors are raised where the function that wrap() made is called. */
static const char wrap_source[] = "local create, resume, error, type = ...\n"
                                  "local function pass(ok, ...)\n"
                                  "  if ok then return ... end\n"
                                  "  error((...), 0)\n"
                                  "end\n"
                                  "return function (f)\n"
                                  "  local co = create(f)\n"
                                  "  return function (...) return pass(resume(co, ...)) end\n"
                                  "end\n";

void lua_coroutine_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"create", l_create}, {"resume", l_resume},
	        {"yield", l_yield}, {"status", l_status}, {"running", l_running},
	        {"isyieldable", l_isyieldable}, {NULL, NULL}};
	lua_getglobal(L, "coroutine");
	luaL_setfuncs(L, functions, 0);
	if (luaL_loadbuffer(L, wrap_source, sizeof wrap_source - 1, "=coroutine.wrap"))
		lua_error(L);
	lua_getfield(L, -2, "create");
	lua_getfield(L, -3, "resume");
	lua_getglobal(L, "error");
	lua_getglobal(L, "type");
	lua_call(L, 4, 1);
	lua_setfield(L, -2, "wrap");
	lua_pop(L, 1);
}
