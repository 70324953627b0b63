/* SPDX-License-Identifier: BSD-2-Clause */

/* What module ngx.ssl says of the TLS of the client's connection. */

#include "lua/client.h"
#include "lua/compat.h"
#include "lua/ngx.h"
#include "lua/values.h"
#include "net/address.h"
#include "net/tls_stream.h"

#include <lauxlib.h>
#include <openssl/ssl.h>

/* NULL: there is no TLS, or no connection any more. */
static struct lua_client *secured(lua_State *L, struct tls_info *info)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	const struct stream *s = c->session ? handler_stream(c->session) : NULL;
	return s && tls_describe(s, info) ? c : NULL;
}

static int refuse(lua_State *L, int nils)
{
	for (int i = 0; i < nils; i++)
		lua_pushnil(L);
	lua_pushliteral(L, "bad request");
	return nils + 1;
}

static int l_server_name(lua_State *L)
{
	struct tls_info info;
	if (!secured(L, &info))
		return refuse(L, 1);
	if (info.server_name.len == 0)
		return 0;
	lua_push_slice(L, info.server_name);
	return 1;
}

static int l_version_str(lua_State *L)
{
	struct tls_info info;
	if (!secured(L, &info))
		return refuse(L, 1);
	lua_pushstring(L, info.version);
	return 1;
}

static int l_version(lua_State *L)
{
	static const struct {
		const char *name;
		int number;
	} versions[] = {{"TLSv1", TLS1_VERSION}, {"TLSv1.1", TLS1_1_VERSION},
	        {"TLSv1.2", TLS1_2_VERSION}, {"TLSv1.3", TLS1_3_VERSION}};
	struct tls_info info;
	if (!secured(L, &info))
		return refuse(L, 1);
	for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
		if (slice_equal(slice_str(versions[i].name), slice_str(info.version))) {
			lua_pushinteger(L, versions[i].number);
			return 1;
		}
	}
	return refuse(L, 1);
}

static int l_reused(lua_State *L)
{
	struct tls_info info;
	if (!secured(L, &info))
		return refuse(L, 1);
	lua_pushboolean(L, info.is_resumed);
	return 1;
}

static int push_address(lua_State *L, const struct address_brief *a)
{
	size_t len = a->family == AF_INET ? 4 : a->family == AF_INET6 ? 16 : 0;
	lua_pushlstring(L, (const char *)a->ip, len);
	lua_pushstring(L, len == 4 ? "inet" : len == 16 ? "inet6" : "unix");
	return 2;
}

static int l_client_addr(lua_State *L)
{
	struct tls_info info;
	const struct lua_client *c = secured(L, &info);
	return c ? push_address(L, handler_client(c->session)) : refuse(L, 2);
}

static int l_server_addr(lua_State *L)
{
	struct tls_info info;
	struct address a;
	struct address_brief own;
	const struct lua_client *c = secured(L, &info);
	if (!c || !stream_local_address(handler_stream(c->session), &a))
		return refuse(L, 2);
	address_brief(&own, &a);
	return push_address(L, &own);
}

static int l_server_port(lua_State *L)
{
	struct tls_info info;
	const struct lua_client *c = secured(L, &info);
	if (!c)
		return refuse(L, 1);
	lua_pushinteger(L, handler_server_port(c->session));
	return 1;
}

void ngx_ssl_client_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"server_name", l_server_name},
	        {"get_tls1_version", l_version}, {"get_tls1_version_str", l_version_str},
	        {"ssl_session_reused", l_reused}, {"raw_client_addr", l_client_addr},
	        {"raw_server_addr", l_server_addr}, {"server_port", l_server_port}, {NULL, NULL}};
	compat_push_module(L, "ngx.ssl");
	luaL_setfuncs(L, functions, 0);
	lua_pop(L, 1);
}
