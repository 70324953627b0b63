/* SPDX-License-Identifier: BSD-2-Clause */

/* Variables of the client's connection, its TLS and its session. */

#include "lua/client.h"
#include "lua/ngx.h"
#include "lua/ngx_var.h"
#include "lua/values.h"
#include "net/address.h"
#include "net/tls_stream.h"

#include <stdio.h>

static void push_remote_addr(lua_State *L, struct lua_client *c)
{
	char text[ADDRESS_TEXT_MAX];
	const struct address_brief *a = handler_client(c->session);
	lua_pushstring(L, a->family == AF_UNIX ? "unix:" : address_brief_ip(a, text));
}

static void push_binary_remote_addr(lua_State *L, struct lua_client *c)
{
	const struct address_brief *a = handler_client(c->session);
	lua_pushlstring(L, (const char *)a->ip,
	        a->family == AF_INET    ? 4
	        : a->family == AF_INET6 ? 16
	                                : 0);
}

static void push_remote_port(lua_State *L, struct lua_client *c)
{
	unsigned port = handler_client(c->session)->port;
	if (port > 0)
		lua_pushfstring(L, "%d", (int)port);
	else
		lua_pushstring(L, "");
}

static void push_realip_addr(lua_State *L, struct lua_client *c)
{
	char text[ADDRESS_TEXT_MAX];
	struct address_brief peer = handler_peer(c->session);
	lua_pushstring(L, peer.family == AF_UNIX ? "unix:" : address_brief_ip(&peer, text));
}

static void push_proxy_protocol_addr(lua_State *L, struct lua_client *c)
{
	char text[ADDRESS_TEXT_MAX];
	struct address_brief source;
	if (handler_proxy_source(c->session, &source))
		lua_pushstring(L, address_brief_ip(&source, text));
}

static bool own_address(struct lua_client *c, struct address_brief *out)
{
	struct address a;
	struct stream *s = handler_stream(c->session);
	if (!s || !stream_local_address(s, &a))
		return false;
	address_brief(out, &a);
	return true;
}

static void push_server_addr(lua_State *L, struct lua_client *c)
{
	char text[ADDRESS_TEXT_MAX];
	struct address_brief own;
	if (own_address(c, &own))
		lua_pushstring(L, own.family == AF_UNIX ? "unix:" : address_brief_ip(&own, text));
}

static void push_server_port(lua_State *L, struct lua_client *c)
{
	unsigned port = handler_server_port(c->session);
	if (port > 0)
		lua_pushfstring(L, "%d", (int)port);
	else
		lua_pushstring(L, "");
}

static void push_server_name(lua_State *L, struct lua_client *c)
{
	lua_pushstring(L, handler_route_name(c->session));
}

/* False, and *out empty: there is no TLS, or no connection any more. */
static bool find_tls(struct lua_client *c, struct tls_info *out)
{
	const struct stream *s = handler_stream(c->session);
	*out = (struct tls_info){.version = "", .cipher = ""};
	return s && tls_describe(s, out);
}

static void push_scheme(lua_State *L, struct lua_client *c)
{
	struct tls_info tls;
	lua_pushstring(L, find_tls(c, &tls) ? "https" : "http");
}

static void push_https(lua_State *L, struct lua_client *c)
{
	struct tls_info tls;
	lua_pushstring(L, find_tls(c, &tls) ? "on" : "");
}

static void push_ssl_protocol(lua_State *L, struct lua_client *c)
{
	struct tls_info tls;
	if (find_tls(c, &tls))
		lua_pushstring(L, tls.version);
}

static void push_ssl_cipher(lua_State *L, struct lua_client *c)
{
	struct tls_info tls;
	if (find_tls(c, &tls))
		lua_pushstring(L, tls.cipher);
}

static void push_ssl_server_name(lua_State *L, struct lua_client *c)
{
	struct tls_info tls;
	if (find_tls(c, &tls) && tls.server_name.len > 0)
		lua_push_slice(L, tls.server_name);
}

static void push_ssl_client_subject(lua_State *L, struct lua_client *c)
{
	struct tls_info tls;
	if (find_tls(c, &tls) && tls.subject.len > 0)
		lua_push_slice(L, tls.subject);
}

static void push_ssl_client_issuer(lua_State *L, struct lua_client *c)
{
	struct tls_info tls;
	if (find_tls(c, &tls) && tls.issuer.len > 0)
		lua_push_slice(L, tls.issuer);
}

/* One that does not hold ends the handshake, so none FAILED. */
static void push_ssl_client_verify(lua_State *L, struct lua_client *c)
{
	struct tls_info tls;
	if (find_tls(c, &tls))
		lua_pushstring(L, tls.certificate.len > 0 ? "SUCCESS" : "NONE");
}

static void push_connection(lua_State *L, struct lua_client *c)
{
	char digits[24];
	snprintf(digits, sizeof digits, "%llu", (unsigned long long)handler_session_id(c->session));
	lua_pushstring(L, digits);
}

static void push_connection_requests(lua_State *L, struct lua_client *c)
{
	lua_pushfstring(L, "%d", (int)handler_request_count(c->session));
}

static void push_upstream_addr(lua_State *L, struct lua_client *c)
{
	const char *server = handler_server(c->session);
	if (server)
		lua_pushstring(L, server);
}

static void push_status(lua_State *L, struct lua_client *c)
{
	unsigned status = c->answered ? c->answered : c->status;
	lua_pushfstring(L, "%d", (int)(status ? status : handler_status(c->session)));
}

static void push_bytes_sent(lua_State *L, struct lua_client *c)
{
	char digits[24];
	snprintf(
	        digits, sizeof digits, "%llu", (unsigned long long)handler_bytes(c->session, true));
	lua_pushstring(L, digits);
}

static const struct ngx_var variables[] = {
        {"binary_remote_addr", .push = push_binary_remote_addr},
        {"bytes_sent", .push = push_bytes_sent},
        {"connection", .push = push_connection},
        {"connection_requests", .push = push_connection_requests},
        {"https", .push = push_https},
        {"proxy_protocol_addr", .push = push_proxy_protocol_addr},
        {"realip_remote_addr", .push = push_realip_addr},
        {"remote_addr", .push = push_remote_addr},
        {"remote_port", .push = push_remote_port},
        {"scheme", .push = push_scheme},
        {"server_addr", .push = push_server_addr},
        {"server_name", .push = push_server_name},
        {"server_port", .push = push_server_port},
        {"ssl_cipher", .push = push_ssl_cipher},
        {"ssl_client_i_dn", .push = push_ssl_client_issuer},
        {"ssl_client_s_dn", .push = push_ssl_client_subject},
        {"ssl_client_verify", .push = push_ssl_client_verify},
        {"ssl_protocol", .push = push_ssl_protocol},
        {"ssl_server_name", .push = push_ssl_server_name},
        {"status", .push = push_status},
        {"upstream_addr", .push = push_upstream_addr},
};
const struct ngx_var_table ngx_var_connection = {variables, sizeof variables / sizeof variables[0]};
