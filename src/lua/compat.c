/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/compat.h"

#include "base/clock.h"
#include "base/log.h"
#include "lua/args.h"
#include "lua/compat_base.h"
#include "lua/ngx.h"
#include "lua/values.h"

#include <string.h>

/* Its address is the key of the table of modules in the registry. */
static const char registry_key;

/* ---- resty.core.utils ---- */

/* The place of `what` in `text`, or NULL; an empty one is nowhere. */
static const uint8_t *find(struct slice text, struct slice what)
{
	return what.len > 0 ? memmem(text.at, text.len, what.at, what.len) : NULL;
}

/* Replaces a character where the text holds all of `find`, as it always did. */
static int str_replace_char(lua_State *L)
{
	size_t len, find_len, replace_len;
	const char *text = luaL_checklstring(L, 1, &len);
	const char *what = luaL_checklstring(L, 2, &find_len);
	const char *with = luaL_checklstring(L, 3, &replace_len);
	char small[ARGS_SMALL];

	if (!find(slice_of(text, len), slice_of(what, find_len))) {
		lua_settop(L, 1);
		return 1;
	}
	luaL_argcheck(L, replace_len > 0, 3, "character expected");
	char *room = args_room(L, small, len);
	for (size_t i = 0; i < len; i++)
		room[i] = text[i] == what[0] ? with[0] : text[i];
	lua_pushlstring(L, room, len);
	return 1;
}

/* ---- resty.core.time ---- */

static int monotonic_msec(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)clock_ms());
	return 1;
}

static int monotonic_time(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)clock_ms() / 1000);
	return 1;
}

/* ---- resty.core.ctx: upvalue 1 is ngx ---- */

static int get_ctx_table(lua_State *L)
{
	lua_getfield(L, lua_upvalueindex(1), "ctx");
	return 1;
}

/* ---- ngx.errlog: upvalue 1 is ngx ---- */

enum { NGX_ERR = 4, NGX_WARN, NGX_NOTICE, NGX_INFO, NGX_DEBUG };

static int raw_log(lua_State *L)
{
	if (lua_type(L, 1) != LUA_TNUMBER)
		return luaL_error(L, "bad argument #1 to 'raw_log' (must be a number)");
	if (lua_type(L, 2) != LUA_TSTRING)
		return luaL_error(L, "bad argument #2 to 'raw_log' (must be a string)");
	lua_Integer level = lua_tointeger(L, 1);
	if (level < 0 || level > NGX_DEBUG)
		return luaL_error(L, "bad log level");
	lua_getfield(L, lua_upvalueindex(1), "log");
	lua_pushinteger(L, level);
	lua_pushvalue(L, 2);
	lua_call(L, 2, 0);
	return 0;
}

static int get_sys_filter_level(lua_State *L)
{
	static const struct {
		enum log_level ours;
		int ngx;
	} levels[] = {{LOG_LEVEL_DEBUG, NGX_DEBUG}, {LOG_LEVEL_INFO, NGX_INFO},
	        {LOG_LEVEL_WARN, NGX_WARN}};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (log_is_on(levels[i].ours)) {
			lua_pushinteger(L, levels[i].ngx);
			return 1;
		}
	}
	lua_pushinteger(L, NGX_ERR);
	return 1;
}

static int set_filter_level(lua_State *L)
{
	if (!lua_toboolean(L, 1))
		return lua_fail(L, "missing \"level\" argument");
	return lua_fail(L, "missing the capture error log patch for nginx");
}

static int get_logs(lua_State *L)
{
	return lua_fail(L, "missing the capture error log patch for nginx");
}

/* ---- ngx.process ---- */

static int enable_privileged_agent(lua_State *L)
{
	return lua_fail(L, "API disabled in the current context");
}

/* ---- the modules ---- */

static const luaL_Reg time_functions[] = {
        {"monotonic_msec", monotonic_msec}, {"monotonic_time", monotonic_time}, {NULL, NULL}};
static const luaL_Reg utils_functions[] = {{"str_replace_char", str_replace_char}, {NULL, NULL}};
static const luaL_Reg ctx_functions[] = {{"get_ctx_table", get_ctx_table}, {NULL, NULL}};
static const luaL_Reg errlog_functions[] = {
        {"raw_log", raw_log},
        {"get_sys_filter_level", get_sys_filter_level},
        {"set_filter_level", set_filter_level},
        {"get_logs", get_logs},
        {NULL, NULL},
};
static const luaL_Reg process_functions[] = {
        {"enable_privileged_agent", enable_privileged_agent},
        {NULL, NULL},
};

static const struct {
	const char *name;
	const char *version_key;    /* NULL: `version` */
	const luaL_Reg *functions;  /* with ngx as their upvalue, or NULL */
	lua_CFunction whole_module; /* or a loader that makes the table */
} modules[] = {
        {"resty.core", NULL, NULL, NULL},
        {"resty.core.base", NULL, NULL, compat_base_module},
        {"resty.core.base64", NULL, NULL, NULL},
        {"resty.core.coroutine", NULL, NULL, NULL},
        {"resty.core.ctx", "_VERSION", ctx_functions, NULL},
        {"resty.core.exit", NULL, NULL, NULL},
        {"resty.core.hash", NULL, NULL, NULL},
        {"resty.core.misc", "_VERSION", NULL, NULL},
        {"resty.core.ndk", NULL, NULL, NULL},
        {"resty.core.param", NULL, NULL, NULL},
        {"resty.core.phase", NULL, NULL, NULL},
        {"resty.core.regex", NULL, NULL, ngx_re_core_module},
        {"resty.core.request", NULL, NULL, NULL},
        {"resty.core.response", NULL, NULL, NULL},
        {"resty.core.shdict", NULL, NULL, NULL},
        {"resty.core.socket", NULL, NULL, NULL},
        {"resty.core.time", NULL, time_functions, NULL},
        {"resty.core.uri", NULL, NULL, NULL},
        {"resty.core.utils", NULL, utils_functions, NULL},
        {"resty.core.var", NULL, NULL, NULL},
        {"resty.core.worker", "_VERSION", NULL, NULL},
        {"ngx.base64", NULL, NULL, ngx_base64_module},
        {"ngx.errlog", NULL, errlog_functions, NULL},
        {"ngx.process", NULL, process_functions, NULL},
        {"ngx.re", NULL, NULL, ngx_re_module},
        {"ngx.req", NULL, NULL, NULL},
        {"ngx.resp", NULL, NULL, NULL},
        {"ngx.ssl", NULL, NULL, ngx_ssl_module},
};

/* The loader of all: upvalue 1 is the table of modules, the argument the name. */
static int load(lua_State *L)
{
	lua_settop(L, 1);
	lua_rawget(L, lua_upvalueindex(1));
	return 1;
}

/* Takes the module on top of the stack; the table of modules is below. */
static void add_module(lua_State *L, const char *name)
{
	lua_setfield(L, -2, name);
	lua_pushvalue(L, -1);
	lua_pushcclosure(L, load, 1);
	lua_preload(L, name);
}

/* Pushes one of the table above; ngx is two below. */
static void make_module(lua_State *L, size_t i)
{
	int ngx = lua_gettop(L) - 1;

	if (modules[i].whole_module) {
		modules[i].whole_module(L);
		return;
	}
	lua_createtable(L, 0, 4);
	if (modules[i].functions) {
		lua_pushvalue(L, ngx);
		luaL_setfuncs(L, modules[i].functions, 1);
	}
	lua_pushliteral(L, NGX_CORE_VERSION);
	lua_setfield(L, -2, modules[i].version_key ? modules[i].version_key : "version");
}

void compat_open(lua_State *L)
{
	luaL_checkstack(L, 20, NULL);
	lua_createtable(L, 0, 48);
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		make_module(L, i);
		add_module(L, modules[i].name);
	}
	lua_pushlightuserdata(L, (void *)&registry_key);
	lua_insert(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

void compat_push_module(lua_State *L, const char *name)
{
	luaL_checkstack(L, 8, NULL);
	lua_pushlightuserdata(L, (void *)&registry_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	lua_getfield(L, -1, name);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_createtable(L, 0, 4);
		lua_pushvalue(L, -1);
		lua_insert(L, -3);
		add_module(L, name);
		lua_pop(L, 1);
		return;
	}
	lua_remove(L, -2);
}
