/* SPDX-License-Identifier: BSD-2-Clause */

/* The fields of ngx that are looked up when they are used: ngx.ctx, ngx.status, ngx.headers_sent,
 * ngx.is_subrequest; and ngx.get_phase, ngx.sleep. */

#include "lua/client.h"
#include "lua/ngx.h"
#include "lua/values.h"
#include "lua/vm.h"

#include <lauxlib.h>
#include <limits.h>
#include <string.h>

/* ---- ngx.ctx ---- */

static int get_ctx(lua_State *L)
{
	struct lua_request *r = lua_request_in(L, ~0U);
	if (r->ctx == LUA_NOREF) {
		lua_newtable(L);
		lua_pushvalue(L, -1);
		r->ctx = luaL_ref(L, LUA_REGISTRYINDEX);
		return 1;
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, r->ctx);
	return 1;
}

static int set_ctx(lua_State *L)
{
	struct lua_request *r = lua_request_in(L, ~0U);
	luaL_checktype(L, 3, LUA_TTABLE);
	lua_settop(L, 3);
	luaL_unref(L, LUA_REGISTRYINDEX, r->ctx);
	r->ctx = LUA_NOREF; /* the next may raise */
	r->ctx = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

static int is_subrequest(lua_State *L)
{
	lua_pushboolean(L, 0);
	return 1;
}

/* ---- the fields ---- */

static const struct {
	const char *name;
	lua_CFunction get, set;
} fields[] = {
        {"ctx", get_ctx, set_ctx},
        {"status", ngx_resp_get_status, ngx_resp_set_status},
        {"headers_sent", ngx_resp_headers_sent, NULL},
        {"is_subrequest", is_subrequest, NULL},
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

static int find(lua_State *L)
{
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
	int i = 0;
	while (i < FIELDS && strcmp(fields[i].name, name) != 0)
		i++;
	return i;
}

static int l_index(lua_State *L)
{
	int i = find(L);
	return i < FIELDS ? fields[i].get(L) : 0;
}

static int l_newindex(lua_State *L)
{
	int i = find(L);
	if (i < FIELDS && fields[i].set)
		return fields[i].set(L);
	if (i < FIELDS)
		return luaL_error(L, "attempt to write to ngx.%s", fields[i].name);
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 3);
	lua_rawset(L, 1);
	return 0;
}

static int l_get_phase(lua_State *L)
{
	lua_pushstring(L, lua_phase_name(lua_phase_of(L)));
	return 1;
}

/* ---- ngx.sleep ---- */

static int on_slept(struct lua_wait *w)
{
	(void)w;
	return 0;
}

static void on_woken_for_ever(struct lua_wait *w)
{
	(void)w;
}

static const struct lua_wait_ops sleep_ops = {.expire = on_slept, .cancel = on_woken_for_ever};

/* As the processor converts what does not fit, and as the oracle prints it. */
static int milliseconds(lua_Number seconds)
{
	lua_Number ms = seconds * 1000;
	return ms > INT_MIN && ms < INT_MAX ? (int)ms : INT_MIN;
}

static int l_sleep(lua_State *L)
{
	if (lua_gettop(L) != 1)
		return luaL_error(L, "attempt to pass %d arguments, but accepted 1", lua_gettop(L));
	lua_Number seconds = luaL_checknumber(L, 1);
	if (!(seconds >= 0) || seconds > 1e9)
		return luaL_error(L, "invalid sleep duration \"%d\"", milliseconds(seconds));
	struct lua_wait *w = lua_wait_begin(L, &sleep_ops, NULL);
	uint64_t ms = (uint64_t)(seconds * 1000 + 0.5);
	return ms > 0 ? lua_wait(L, w, ms) : lua_wait_turn(L, w);
}

void ngx_fields_open(lua_State *L)
{
	lua_push_accessors(L, l_index, l_newindex);
	lua_setmetatable(L, -2);
	lua_pushcfunction(L, l_get_phase);
	lua_setfield(L, -2, "get_phase");
	lua_pushcfunction(L, l_sleep);
	lua_setfield(L, -2, "sleep");
}
