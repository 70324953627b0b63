/* SPDX-License-Identifier: BSD-2-Clause */

/* setoption and getoption of TCP sockets. */

#include "lua/ngx_socket_tcp.h"
#include "net/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

static const struct {
	const char *name;
	int level, option;
} options[] = {
        {"keepalive", SOL_SOCKET, SO_KEEPALIVE},
        {"reuseaddr", SOL_SOCKET, SO_REUSEADDR},
        {"tcp-nodelay", IPPROTO_TCP, TCP_NODELAY},
        {"sndbuf", SOL_SOCKET, SO_SNDBUF},
        {"rcvbuf", SOL_SOCKET, SO_RCVBUF},
        {"keepidle", IPPROTO_TCP, TCP_KEEPIDLE},
        {"keepintvl", IPPROTO_TCP, TCP_KEEPINTVL},
        {"keepcnt", IPPROTO_TCP, TCP_KEEPCNT},
};

/* Its place among the options, or -1. */
static int find(const char *name)
{
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if (strcmp(options[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int unsupported(lua_State *L)
{
	lua_pushnil(L);
	lua_pushfstring(L, "unsupported option %s", lua_tostring(L, 2));
	return 2;
}

static struct lua_tcp *check(lua_State *L)
{
	struct lua_tcp *t = lua_tcp_check(L, 1);
	if (!t->socket.is_used)
		luaL_error(L, "socket is never created nor connected");
	ngx_socket_need_owner(L, &t->socket);
	return t;
}

static int check_value(lua_State *L, int arg)
{
	return lua_isboolean(L, arg) ? lua_toboolean(L, arg) : (int)luaL_checkinteger(L, arg);
}

int lua_tcp_setoption(lua_State *L)
{
	struct lua_tcp *t = check(L);
	if (lua_isnoneornil(L, 2))
		return lua_fail(L, "missing the \"option\" argument");
	if (lua_isnoneornil(L, 3))
		return lua_fail(L, "missing the \"value\" argument");
	int i = find(luaL_checkstring(L, 2)), value = check_value(L, 3);
	if (!t->is_open || !t->stream)
		return lua_fail(L, "closed");
	if (i < 0)
		return unsupported(L);
	if (!stream_option(t->stream, options[i].level, options[i].option, &value, true))
		return lua_fail(L, "setsockopt failed");
	lua_pushboolean(L, 1);
	return 1;
}

int lua_tcp_getoption(lua_State *L)
{
	struct lua_tcp *t = check(L);
	if (lua_isnoneornil(L, 2))
		return lua_fail(L, "missing the \"option\" argument");
	int i = find(luaL_checkstring(L, 2)), value = 0;
	if (!t->is_open || !t->stream)
		return lua_fail(L, "closed");
	if (i < 0)
		return unsupported(L);
	if (!stream_option(t->stream, options[i].level, options[i].option, &value, false))
		return lua_fail(L, "getsockopt failed");
	lua_pushinteger(L, value);
	return 1;
}
