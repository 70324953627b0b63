/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_log.h"

#include "lua/client.h"
#include "lua/ngx.h"
#include "lua/request.h"
#include "lua/values.h"
#include "lua/vm.h"
#include "lua/words.h"
#include "lua/worker.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

/* A line takes so much; what is longer goes on in another. */
enum { PIECE_MAX = 3000, WHERE_MAX = 200, TRACEBACK_MAX = 1200, NGX_DEBUG = 8 };

/* ngx.STDERR to ngx.DEBUG, by number. */
static const struct {
	const char *name;
	enum log_level level;
} levels[] = {
        {"STDERR", LOG_LEVEL_ERROR},
        {"EMERG", LOG_LEVEL_ERROR},
        {"ALERT", LOG_LEVEL_ERROR},
        {"CRIT", LOG_LEVEL_ERROR},
        {"ERR", LOG_LEVEL_ERROR},
        {"WARN", LOG_LEVEL_WARN},
        {"NOTICE", LOG_LEVEL_INFO},
        {"INFO", LOG_LEVEL_INFO},
        {"DEBUG", LOG_LEVEL_DEBUG},
};

static const struct session *session_of(lua_State *L)
{
	const struct lua_request *r = lua_request_of(L);
	return r && r->client ? r->client->session : NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* `file.lua:12: ` of the function that called. */
static size_t put_place(lua_State *L, char out[WHERE_MAX])
{
	lua_Debug ar;
	if (!L || !lua_getstack(L, 1, &ar))
		return 0;
	lua_getinfo(L, "Sl", &ar);
	if (ar.currentline <= 0)
		return 0;
	int n = snprintf(out, WHERE_MAX, "%s:%d: ", base_name(ar.short_src), ar.currentline);
	return n < WHERE_MAX ? (size_t)n : WHERE_MAX - 1;
}

/* A multi-byte character or a word may be cut; what matters is that all is there. */
void lua_log_text(enum log_level level, lua_State *L, const struct session *s, struct slice text)
{
	char line[WHERE_MAX + PIECE_MAX];
	size_t at = 0;
	if (!log_is_on(level))
		return;
	do {
		struct log_line l;
		size_t place = put_place(L, line), rest = text.len - at;
		size_t len = rest < PIECE_MAX ? rest : PIECE_MAX;
		if (len > 0)
			memcpy(line + place, text.at + at, len);
		at += len;
		log_begin(&l, level, "[lua]");
		log_words(&l, slice_of(line, place + len));
		if (s)
			handler_log_id(s, &l);
		if (at < text.len)
			log_text(&l, "continues", "yes");
		log_end(&l);
	} while (at < text.len);
}

static bool tell_check(lua_State *L, struct slice text)
{
	char *why = lua_vm_of(L)->worker->last_error;
	if (!why)
		return false;
	const struct lua_request *r = lua_request_of(L);
	lua_say_why(text, r && r->script ? r->script->path : NULL, why);
	return true;
}

void lua_log_failure(lua_State *L, const char *thread, const char *what, struct slice text)
{
	char line[PIECE_MAX], where[TRACEBACK_MAX];
	struct log_line l;
	if (tell_check(L, text))
		return;
	int n = snprintf(line, sizeof line, "lua %s thread aborted: %s: %.*s", thread, what,
	        (int)text.len, (const char *)text.at);
	log_begin(&l, LOG_LEVEL_ERROR, "[lua]");
	log_words(&l, slice_of(line, n < PIECE_MAX ? (size_t)n : PIECE_MAX - 1));
	size_t len = lua_where(L, where, sizeof where);
	log_slice(&l, "traceback", slice_of(where, len));
	if (session_of(L))
		handler_log_id(session_of(L), &l);
	log_end(&l);
}

void lua_log_global(lua_State *L, const char *name)
{
	char text[400];
	int n = snprintf(text, sizeof text,
	        "_G write guard: writing a global Lua variable ('%.100s') which may lead to race "
	        "conditions between concurrent requests, so prefer the use of 'local' variables",
	        name);
	lua_log_text(LOG_LEVEL_WARN, L, session_of(L), slice_of(text, (size_t)n));
}

/* By its own words, if it has some. */
static void replace_table(lua_State *L, int at)
{
	if (!luaL_callmeta(L, at, "__tostring") || !lua_isstring(L, -1))
		luaL_argerror(L, at, "expected table to have __tostring metamethod");
	lua_replace(L, at);
}

static int log_values(lua_State *L, enum log_level level, int first)
{
	int last = lua_gettop(L);
	for (int i = first; i <= last; i++)
		if (lua_istable(L, i))
			replace_table(L, i);
	if (log_is_on(level))
		lua_log_text(level, L, session_of(L), lua_gather(L, first, last));
	return 0;
}

static int l_log(lua_State *L)
{
	lua_Integer level = luaL_checkinteger(L, 1);
	if (level < 0 || level > NGX_DEBUG)
		return luaL_argerror(L, 1, lua_pushfstring(L, "bad log level: %d", (int)level));
	return log_values(L, levels[level].level, 2);
}

static int l_print(lua_State *L)
{
	return log_values(L, LOG_LEVEL_INFO, 1);
}

void ngx_log_open(lua_State *L)
{
	for (int i = 0; i <= NGX_DEBUG; i++) {
		lua_pushinteger(L, i);
		lua_setfield(L, -2, levels[i].name);
	}
	lua_pushcfunction(L, l_log);
	lua_setfield(L, -2, "log");
	lua_pushcfunction(L, l_print);
	lua_setglobal(L, "print");
}
