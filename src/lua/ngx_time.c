/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_time.h"

#include "lua/args.h"
#include "lua/http_date.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

struct clock {
	ngx_time_fn ms;
	void *owner;
};

/* Its address is the clock's key in the registry. */
static const char registry_key;

static uint64_t real_ms(void *owner, bool renew)
{
	struct timespec now;

	(void)owner;
	(void)renew;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct clock *clock_of(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&registry_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	struct clock *c = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return c;
}

void ngx_time_set_clock(lua_State *L, ngx_time_fn ms, void *owner)
{
	*clock_of(L) = (struct clock){.ms = ms ? ms : real_ms, .owner = owner};
}

uint64_t ngx_time_ms(lua_State *L)
{
	struct clock *c = clock_of(L);

	return c->ms(c->owner, false);
}

/* The clock is each function's upvalue. */
static uint64_t now_ms(lua_State *L, bool renew)
{
	struct clock *c = lua_touserdata(L, lua_upvalueindex(1));

	return c->ms(c->owner, renew);
}

static int now(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)now_ms(L, false) / 1000);
	return 1;
}

static int whole_seconds(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)(now_ms(L, false) / 1000));
	return 1;
}

static int update_time(lua_State *L)
{
	now_ms(L, true);
	return 0;
}

static int push_date(
        lua_State *L, const char *format, struct tm *(*split)(const time_t *, struct tm *))
{
	time_t t = (time_t)(now_ms(L, false) / 1000);
	char text[40];
	struct tm tm;

	split(&t, &tm);
	lua_pushlstring(L, text, strftime(text, sizeof(text), format, &tm));
	return 1;
}

static int today(lua_State *L)
{
	return push_date(L, "%Y-%m-%d", localtime_r);
}

static int localtime_text(lua_State *L)
{
	return push_date(L, "%Y-%m-%d %H:%M:%S", localtime_r);
}

static int utctime(lua_State *L)
{
	return push_date(L, "%Y-%m-%d %H:%M:%S", gmtime_r);
}

/* Past the range of dates there is only one more, on each side; what is no number is early. */
static int64_t seconds_at(lua_State *L, int at)
{
	static const int64_t far = INT64_C(1) << 52;

	if (lua_type(L, at) != LUA_TNUMBER)
		luaL_error(L, "number argument only");
	lua_Number n = lua_tonumber(L, at);
	if (!isfinite(n))
		return 0;
	return n < 0 ? 0 : n < (lua_Number)far ? (int64_t)n : far;
}

static int cookie_time(lua_State *L)
{
	char text[HTTP_DATE_ROOM];

	lua_pushlstring(L, text, http_date_write_cookie(text, seconds_at(L, 1)));
	return 1;
}

static int http_time(lua_State *L)
{
	char text[HTTP_DATE_ROOM];

	lua_pushlstring(L, text, http_date_write(text, seconds_at(L, 1)));
	return 1;
}

static int parse_http_time(lua_State *L)
{
	int64_t seconds;

	if (http_date_read(args_string_only(L, 1), &seconds))
		lua_pushnumber(L, (lua_Number)seconds);
	else
		lua_pushnil(L);
	return 1;
}

void ngx_time_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
	        {"now", now},
	        {"time", whole_seconds},
	        {"update_time", update_time},
	        {"today", today},
	        {"localtime", localtime_text},
	        {"utctime", utctime},
	        {"cookie_time", cookie_time},
	        {"http_time", http_time},
	        {"parse_http_time", parse_http_time},
	        {NULL, NULL},
	};

	struct clock *c = lua_newuserdata(L, sizeof(*c));
	*c = (struct clock){.ms = real_ms};
	lua_pushlightuserdata(L, (void *)&registry_key);
	lua_pushvalue(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
	luaL_setfuncs(L, functions, 1);
}
