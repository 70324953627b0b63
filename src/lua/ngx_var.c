/* SPDX-License-Identifier: BSD-2-Clause */

/* ngx.var: what nginx calls variables. A few families are named by their beginning (arg_, http_,
 * ...), the others stand in a table. Scripts may set those that no request has of itself;
 * `upstream` and `upstream_server` of these choose where an access script's request goes. */

#include "base/clock.h"
#include "base/mem.h"
#include "http/cookie.h"
#include "http/uri.h"
#include "lua/args.h"
#include "lua/body.h"
#include "lua/ngx.h"
#include "lua/uri_args.h"
#include "lua/values.h"
#include "lua/vm.h"
#include "net/address.h"
#include "net/tls_stream.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { NAME_MAX_LEN = 256 };

/* Pushes one value, or nothing: then it has none. */
typedef void (*var_fn)(lua_State *L, struct lua_client *c);

static void push_text(lua_State *L, const char *text)
{
	lua_pushstring(L, text);
}

/* ---- the request ---- */

static void push_uri(lua_State *L, struct lua_client *c)
{
	uint8_t path[HTTP_TARGET_MAX];
	ssize_t n = uri_normalise_path(lua_client_head(c)->path, path);
	struct slice normal = n > 0 ? slice_of(path, (size_t)n) : lua_client_head(c)->path;
	char plain[HTTP_TARGET_MAX];
	size_t len = 0;
	for (size_t i = 0; i < normal.len; i++) {
		bool is_coded = normal.at[i] == '%' && i + 2 < normal.len;
		char digits[3] = {is_coded ? (char)normal.at[i + 1] : '0',
		        is_coded ? (char)normal.at[i + 2] : '0', '\0'};
		plain[len++] = is_coded ? (char)strtol(digits, NULL, 16) : (char)normal.at[i];
		i += is_coded ? 2 : 0;
	}
	lua_pushlstring(L, plain, len);
}

/* As it came, whatever a script has changed since. */
static struct slice first_head(const struct lua_client *c)
{
	return c->original ? slice_of(c->original, c->original_len)
	                   : slice_of(c->head, c->head_len);
}

static void push_request_uri(lua_State *L, struct lua_client *c)
{
	struct slice head = first_head(c);
	const uint8_t *at = memchr(head.at, ' ', head.len);
	const uint8_t *end = memchr(at + 1, ' ', head.len - (size_t)(at + 1 - head.at));
	lua_push_slice(L, slice_of(at + 1, (size_t)(end - at - 1)));
}

static void push_args(lua_State *L, struct lua_client *c)
{
	const struct http_head *h = lua_client_head(c);
	if (h->query.len > 0 || c->is_args_written)
		lua_push_slice(L, h->query);
}

static void push_is_args(lua_State *L, struct lua_client *c)
{
	push_text(L, lua_client_head(c)->query.len > 0 ? "?" : "");
}

static void push_host(lua_State *L, struct lua_client *c)
{
	const struct http_head *h = lua_client_head(c);
	uint8_t host[URI_HOST_MAX];
	struct slice port;
	size_t n = uri_host(h->authority.len > 0 ? h->authority : h->host, host, &port);
	lua_pushlstring(L, (const char *)host, n);
}

static void push_method(lua_State *L, struct lua_client *c)
{
	lua_push_slice(L, lua_client_head(c)->method);
}

static void push_protocol(lua_State *L, struct lua_client *c)
{
	push_text(L, c->is_http10 ? "HTTP/1.0" : "HTTP/1.1");
}

static void push_request(lua_State *L, struct lua_client *c)
{
	struct slice head = first_head(c);
	const uint8_t *end = memchr(head.at, '\r', head.len);
	lua_push_slice(L, slice_of(head.at, (size_t)(end - head.at)));
}

static void push_request_length(lua_State *L, struct lua_client *c)
{
	lua_pushfstring(L, "%d", (int)first_head(c).len);
}

/* It has one, be it empty. */
static bool has_body(const struct http_head *h)
{
	bool has = h->framing != HTTP_BODY_NONE;
	for (size_t i = 0; i < h->n && !has; i++)
		has = slice_equal_nocase(h->field[i].name, SLICE("Content-Length"));
	return has;
}

static void push_request_body(lua_State *L, struct lua_client *c)
{
	if (c->body && c->body->is_whole && has_body(lua_client_head(c)))
		lua_pushlstring(L, (const char *)c->body->bytes, c->body->len);
}

static void push_request_id(lua_State *L, struct lua_client *c)
{
	char buf[32];
	struct slice id = handler_request_id(c->session, buf);
	if (id.len > 0)
		lua_push_slice(L, id);
}

static void push_field(lua_State *L, const struct http_head *h, struct slice name)
{
	for (size_t i = 0; i < h->n; i++) {
		if (slice_equal_nocase(h->field[i].name, name)) {
			lua_push_slice(L, h->field[i].value);
			return;
		}
	}
}

static void push_content_length(lua_State *L, struct lua_client *c)
{
	push_field(L, lua_client_head(c), SLICE("Content-Length"));
}

static void push_content_type(lua_State *L, struct lua_client *c)
{
	push_field(L, lua_client_head(c), SLICE("Content-Type"));
}

/* ---- the connection ---- */

static void push_remote_addr(lua_State *L, struct lua_client *c)
{
	char text[ADDRESS_TEXT_MAX];
	const struct address_brief *a = handler_client(c->session);
	push_text(L, a->family == AF_UNIX ? "unix:" : address_brief_ip(a, text));
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
		push_text(L, "");
}

static void push_realip_addr(lua_State *L, struct lua_client *c)
{
	char text[ADDRESS_TEXT_MAX];
	struct address_brief peer = handler_peer(c->session);
	push_text(L, peer.family == AF_UNIX ? "unix:" : address_brief_ip(&peer, text));
}

static void push_proxy_protocol_addr(lua_State *L, struct lua_client *c)
{
	char text[ADDRESS_TEXT_MAX];
	struct address_brief source;
	if (handler_proxy_source(c->session, &source))
		push_text(L, address_brief_ip(&source, text));
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
		push_text(L, own.family == AF_UNIX ? "unix:" : address_brief_ip(&own, text));
}

static void push_server_port(lua_State *L, struct lua_client *c)
{
	unsigned port = handler_server_port(c->session);
	if (port > 0)
		lua_pushfstring(L, "%d", (int)port);
	else
		push_text(L, "");
}

static void push_server_name(lua_State *L, struct lua_client *c)
{
	push_text(L, handler_route_name(c->session));
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
	push_text(L, find_tls(c, &tls) ? "https" : "http");
}

static void push_https(lua_State *L, struct lua_client *c)
{
	struct tls_info tls;
	push_text(L, find_tls(c, &tls) ? "on" : "");
}

static void push_ssl_protocol(lua_State *L, struct lua_client *c)
{
	struct tls_info tls;
	if (find_tls(c, &tls))
		push_text(L, tls.version);
}

static void push_ssl_cipher(lua_State *L, struct lua_client *c)
{
	struct tls_info tls;
	if (find_tls(c, &tls))
		push_text(L, tls.cipher);
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
		push_text(L, tls.subject.len > 0 ? "SUCCESS" : "NONE");
}

static void push_connection(lua_State *L, struct lua_client *c)
{
	char digits[24];
	snprintf(digits, sizeof digits, "%llu", (unsigned long long)handler_session_id(c->session));
	push_text(L, digits);
}

static void push_connection_requests(lua_State *L, struct lua_client *c)
{
	lua_pushfstring(L, "%d", (int)handler_request_count(c->session));
}

static void push_upstream_addr(lua_State *L, struct lua_client *c)
{
	const char *server = handler_server(c->session);
	if (server)
		push_text(L, server);
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
	push_text(L, digits);
}

/* ---- the process ---- */

static void push_time(lua_State *L, const char *format)
{
	char text[64];
	struct tm tm;
	time_t now = time(NULL);
	localtime_r(&now, &tm);
	lua_pushlstring(L, text, strftime(text, sizeof text, format, &tm));
}

static void push_time_iso(lua_State *L, struct lua_client *c)
{
	(void)c;
	push_time(L, "%Y-%m-%dT%H:%M:%S%z");
	size_t len;
	const char *text = lua_tolstring(L, -1, &len);
	lua_pushfstring(L, "%s", text);
	lua_remove(L, -2);
	text = lua_tolstring(L, -1, &len);
	if (len < 2)
		return;
	lua_pushlstring(L, text, len - 2);
	lua_pushliteral(L, ":");
	lua_pushlstring(L, text + len - 2, 2);
	lua_concat(L, 3);
	lua_remove(L, -2);
}

static void push_time_local(lua_State *L, struct lua_client *c)
{
	(void)c;
	push_time(L, "%d/%b/%Y:%H:%M:%S %z");
}

static void push_seconds(lua_State *L, double seconds)
{
	char digits[40];
	snprintf(digits, sizeof digits, "%.3f", seconds);
	push_text(L, digits);
}

static double wall_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return (double)now.tv_sec + (double)(now.tv_nsec / 1000000) / 1000;
}

static void push_msec(lua_State *L, struct lua_client *c)
{
	(void)c;
	push_seconds(L, wall_seconds());
}

static void push_request_time(lua_State *L, struct lua_client *c)
{
	double passed = wall_seconds() - (double)c->start_ms / 1000;
	push_seconds(L, passed > 0 ? passed : 0);
}

static void push_pid(lua_State *L, struct lua_client *c)
{
	(void)c;
	lua_pushfstring(L, "%d", (int)gettid());
}

static void push_hostname(lua_State *L, struct lua_client *c)
{
	char name[256] = "";
	(void)c;
	gethostname(name, sizeof name - 1);
	push_text(L, name);
}

static void push_document_root(lua_State *L, struct lua_client *c)
{
	const char *prefix = lua_handlers_settings(c->vm->set)->prefix;
	push_text(L, prefix ? prefix : "");
}

static void push_nginx_version(lua_State *L, struct lua_client *c)
{
	(void)c;
	push_text(L, "1.27.1");
}

static const struct {
	const char *name;
	var_fn push;
} variables[] = {
        {"args", push_args},
        {"binary_remote_addr", push_binary_remote_addr},
        {"bytes_sent", push_bytes_sent},
        {"connection", push_connection},
        {"connection_requests", push_connection_requests},
        {"content_length", push_content_length},
        {"content_type", push_content_type},
        {"document_root", push_document_root},
        {"document_uri", push_uri},
        {"host", push_host},
        {"hostname", push_hostname},
        {"https", push_https},
        {"is_args", push_is_args},
        {"msec", push_msec},
        {"nginx_version", push_nginx_version},
        {"pid", push_pid},
        {"proxy_protocol_addr", push_proxy_protocol_addr},
        {"query_string", push_args},
        {"realip_remote_addr", push_realip_addr},
        {"remote_addr", push_remote_addr},
        {"remote_port", push_remote_port},
        {"request", push_request},
        {"request_body", push_request_body},
        {"request_id", push_request_id},
        {"request_length", push_request_length},
        {"request_method", push_method},
        {"request_time", push_request_time},
        {"request_uri", push_request_uri},
        {"scheme", push_scheme},
        {"server_addr", push_server_addr},
        {"server_name", push_server_name},
        {"server_port", push_server_port},
        {"server_protocol", push_protocol},
        {"ssl_cipher", push_ssl_cipher},
        {"ssl_client_i_dn", push_ssl_client_issuer},
        {"ssl_client_s_dn", push_ssl_client_subject},
        {"ssl_client_verify", push_ssl_client_verify},
        {"ssl_protocol", push_ssl_protocol},
        {"ssl_server_name", push_ssl_server_name},
        {"status", push_status},
        {"time_iso8601", push_time_iso},
        {"time_local", push_time_local},
        {"upstream_addr", push_upstream_addr},
        {"uri", push_uri},
};
enum { VARIABLES = sizeof variables / sizeof variables[0] };

/* ---- families ---- */

/* All lines of that name, joined as nginx does. */
static void push_header(lua_State *L, struct lua_client *c, struct slice rest)
{
	uint8_t buf[NAME_MAX_LEN];
	const struct http_head *h = lua_client_head(c);
	struct slice name = lua_header_name(buf, rest);
	int n = 0;
	bool is_cookie = slice_equal_nocase(name, SLICE("Cookie"));
	for (size_t i = 0; i < h->n; i++) {
		if (!slice_equal_nocase(h->field[i].name, name))
			continue;
		if (n > 0)
			lua_pushstring(L, is_cookie ? "; " : ", ");
		lua_push_slice(L, h->field[i].value);
		if (n++ > 0)
			lua_concat(L, 3);
	}
}

static void push_sent_header(lua_State *L, struct lua_client *c, struct slice rest)
{
	uint8_t buf[NAME_MAX_LEN];
	struct slice found, value, name = lua_header_name(buf, rest);
	bool is_type = slice_equal_nocase(name, SLICE("Content-Type"));
	if (lua_answer_get(c, name, 0, &found, &value))
		lua_push_slice(L, value);
	else if (is_type && lua_client_has_default_type(c))
		push_text(L, "text/plain");
}

/* The argument as it stands in the query, without decoding: as nginx has it. */
static void push_arg(lua_State *L, struct lua_client *c, struct slice rest)
{
	struct slice query = lua_client_head(c)->query;
	const uint8_t *at = query.at, *end = query.at + query.len;
	while (at && at < end) {
		const uint8_t *next = memchr(at, '&', (size_t)(end - at));
		size_t len = (size_t)((next ? next : end) - at);
		const uint8_t *equals = memchr(at, '=', len);
		size_t name = equals ? (size_t)(equals - at) : len;
		if (equals && slice_equal_nocase(slice_of(at, name), rest)) {
			lua_push_slice(L, slice_of(equals + 1, len - name - 1));
			return;
		}
		at = next ? next + 1 : end;
	}
}

static void push_cookie(lua_State *L, struct lua_client *c, struct slice rest)
{
	const struct http_head *h = lua_client_head(c);
	for (size_t i = 0; i < h->n; i++) {
		struct slice v = h->field[i].value;
		if (!slice_equal_nocase(h->field[i].name, SLICE("Cookie")))
			continue;
		while (v.len > 0) {
			const uint8_t *end = memchr(v.at, ';', v.len);
			size_t len = end ? (size_t)(end - v.at) : v.len;
			const uint8_t *equals = memchr(v.at, '=', len);
			size_t name = equals ? (size_t)(equals - v.at) : 0;
			if (equals && slice_equal_nocase(slice_of(v.at, name), rest)) {
				lua_push_slice(L, slice_of(equals + 1, len - name - 1));
				return;
			}
			len += end != NULL;
			while (len < v.len && v.at[len] == ' ')
				len++;
			v = slice_of(v.at + len, v.len - len);
		}
	}
}

static const struct {
	const char *prefix;
	void (*push)(lua_State *L, struct lua_client *c, struct slice rest);
} families[] = {
        {"http_", push_header},
        {"arg_", push_arg},
        {"cookie_", push_cookie},
        {"sent_http_", push_sent_header},
};
enum { FAMILIES = sizeof families / sizeof families[0] };

/* ---- by name ---- */

static bool push_builtin(lua_State *L, struct lua_client *c, struct slice name)
{
	for (size_t i = 0; i < VARIABLES; i++) {
		if (slice_equal(slice_str(variables[i].name), name)) {
			variables[i].push(L, c);
			return true;
		}
	}
	for (size_t i = 0; i < FAMILIES; i++) {
		struct slice prefix = slice_str(families[i].prefix);
		if (slice_starts_with(name, prefix) && name.len > prefix.len) {
			families[i].push(
			        L, c, slice_of(name.at + prefix.len, name.len - prefix.len));
			return true;
		}
	}
	return false;
}

static int l_index(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	if (lua_type(L, 2) == LUA_TNUMBER)
		return 0; /* no captures of a regular expression */
	struct slice name = lua_check_slice(L, 2);
	int before = lua_gettop(L);
	if (name.len > NAME_MAX_LEN)
		return 0;
	if (push_builtin(L, c, name))
		return lua_gettop(L) > before;
	if (c->vars == LUA_NOREF)
		return 0;
	lua_rawgeti(L, LUA_REGISTRYINDEX, c->vars);
	lua_pushvalue(L, 2);
	lua_rawget(L, -2);
	return 1;
}

static bool is_builtin(struct slice name)
{
	for (size_t i = 0; i < VARIABLES; i++)
		if (slice_equal(slice_str(variables[i].name), name))
			return true;
	for (size_t i = 0; i < FAMILIES; i++)
		if (slice_starts_with(name, slice_str(families[i].prefix)))
			return true;
	return false;
}

static void choose_group(lua_State *L, struct lua_client *c, struct slice name)
{
	struct upstream_group *group = lua_handlers_group(c->vm->set, name);
	if (!group)
		luaL_error(L, "there is no [upstream %s]", lua_tostring(L, 3));
	c->group = group;
}

static void choose_server(lua_State *L, struct lua_client *c, struct slice name)
{
	char *copy = mem_try(name.len + 1);
	if (!copy)
		luaL_error(L, "no memory");
	memcpy(copy, name.at, name.len);
	copy[name.len] = '\0';
	mem_free(c->server);
	c->server = copy;
}

/* nil takes the choice back. */
static void choose(lua_State *L, struct lua_client *c, struct slice name)
{
	bool is_nil = lua_isnil(L, 3);
	if (slice_equal(name, SLICE("upstream"))) {
		if (is_nil)
			c->group = NULL;
		else
			choose_group(L, c, lua_check_slice(L, 3));
	} else if (slice_equal(name, SLICE("upstream_server"))) {
		if (!is_nil) {
			choose_server(L, c, lua_check_slice(L, 3));
			return;
		}
		mem_free(c->server);
		c->server = NULL;
	}
}

static int set_args(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	bool is_nil = lua_isnil(L, 3);
	ngx_req_set_args(L, c, is_nil ? SLICE("") : args_tostring(L, 3));
	c->is_args_written = !is_nil;
	return 0;
}

static int l_newindex(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	struct slice name = lua_check_slice(L, 2);
	if (name.len == 0 || name.len > NAME_MAX_LEN)
		return luaL_error(L, "bad variable name");
	if (slice_equal(name, SLICE("args")))
		return set_args(L);
	if (is_builtin(name))
		return luaL_error(L, "variable \"%s\" not changeable", lua_tostring(L, 2));
	if (!lua_isnil(L, 3))
		args_tostring(L, 3);
	if (c->request->phase == LUA_PHASE_ACCESS)
		choose(L, c, name);
	if (c->vars == LUA_NOREF) {
		lua_newtable(L);
		c->vars = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, c->vars);
	lua_pushvalue(L, 2);
	if (lua_isnil(L, 3)) {
		lua_pushnil(L);
	} else {
		lua_pushvalue(L, 3);
		lua_tostring(L, -1);
	}
	lua_rawset(L, -3);
	return 0;
}

void ngx_var_open(lua_State *L)
{
	lua_newtable(L);
	lua_push_accessors(L, l_index, l_newindex);
	lua_setmetatable(L, -2);
	lua_setfield(L, -2, "var");
}
