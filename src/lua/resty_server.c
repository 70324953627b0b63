/* SPDX-License-Identifier: BSD-2-Clause */

/* resty.websocket.server: the handshake with the client of the running request. */

#include "http/key.h"
#include "lua/base64.h"
#include "lua/body.h"
#include "lua/client.h"
#include "lua/frames.h"
#include "lua/resty.h"
#include "lua/values.h"

#include <lauxlib.h>
#include <openssl/evp.h>

/* ---- the request ---- */

static bool equals_nocase(const struct http_field *f, struct slice what)
{
	return f && slice_equal_nocase(f->value, what);
}

static bool holds_nocase(struct slice v, struct slice what)
{
	for (size_t i = 0; i + what.len <= v.len; i++)
		if (slice_equal_nocase(slice_of(v.at + i, what.len), what))
			return true;
	return false;
}

/* Of several fields of a name the first counts. 0, or the results were pushed. */
static int judge(lua_State *L, const struct http_head *h)
{
	const struct http_field *upgrade = http_find(h, HTTP_UPGRADE),
	                        *connection = http_find(h, HTTP_CONNECTION),
	                        *version = http_find(h, HTTP_SEC_WEBSOCKET_VERSION);
	if (h->minor != 1)
		return lua_fail(L, "bad http version");
	if (!equals_nocase(upgrade, SLICE("websocket"))) {
		lua_pushnil(L);
		lua_pushliteral(L, "bad \"upgrade\" request header: ");
		lua_pushlstring(L, upgrade ? (const char *)upgrade->value.at : "nil",
		        upgrade ? upgrade->value.len : 3);
		lua_concat(L, 2);
		return 2;
	}
	if (!connection || !holds_nocase(connection->value, SLICE("upgrade")))
		return lua_fail(L, "bad \"connection\" request header");
	if (!http_find(h, HTTP_SEC_WEBSOCKET_KEY))
		return lua_fail(L, "bad \"sec-websocket-key\" request header");
	if (!version || !slice_equal(version->value, SLICE("13")))
		return lua_fail(L, "bad \"sec-websocket-version\" request header");
	return 0;
}

/* ---- the answer ---- */

enum { SHA1_BYTES = 20 };

/* For keys of any length: nobody has looked at it. */
static bool make_accept(char out[WS_ACCEPT_LEN], struct slice key)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t sum[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *md;
	if (key.len == WS_KEY_LEN) {
		ws_accept_value(out, key);
		return true;
	}
	md = EVP_MD_CTX_new();
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha1(), NULL) &&
	          EVP_DigestUpdate(md, key.at, key.len) &&
	          EVP_DigestUpdate(md, guid, sizeof guid - 1) && EVP_DigestFinal_ex(md, sum, NULL);
	EVP_MD_CTX_free(md);
	if (ok)
		base64_write(out, slice_of(sum, SHA1_BYTES), BASE64_PADDED);
	return ok;
}

static bool replace(struct lua_client *c, struct slice name, struct slice value)
{
	lua_answer_remove(c, name);
	return lua_answer_add(c, name, value);
}

/* The library sends back the whole first line, and so we do if we are to be like it. Otherwise what
 * the script has chosen, or the first that was offered. */
static bool answer_protocol(struct lua_client *c, const struct http_head *h, bool is_strict)
{
	const struct http_field *offered = http_find(h, HTTP_SEC_WEBSOCKET_PROTOCOL);
	struct slice name = SLICE("Sec-WebSocket-Protocol"), found, value, first;
	if (!offered)
		return true;
	if (is_strict)
		return replace(c, name, offered->value);
	if (lua_answer_get(c, name, 0, &found, &value))
		return true;
	struct slice rest = offered->value;
	return !http_list_next(&rest, &first) || lua_answer_add(c, name, first);
}

static bool prepare(struct lua_client *c, const struct http_head *h)
{
	char accept[WS_ACCEPT_LEN];
	bool is_strict = c->request->settings->is_strict;
	if (!make_accept(accept, http_find(h, HTTP_SEC_WEBSOCKET_KEY)->value))
		return false;
	lua_answer_remove(c, SLICE("Content-Type"));
	c->status = 101;
	return replace(c, SLICE("Upgrade"), SLICE("websocket")) &&
	       replace(c, SLICE("Sec-WebSocket-Accept"), slice_of(accept, sizeof accept)) &&
	       answer_protocol(c, h, is_strict);
}

/* ---- server:new() ---- */

static const char sent[] = "response header already sent";

static int l_is_sent(lua_State *L)
{
	const struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	if (c->answer_state == LUA_ANSWER_NONE)
		return 0;
	lua_pushstring(L, sent);
	return 1;
}

/* Pushes the socket, or nil and why not; returns how many. */
static int handshake(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASE_CONTENT);
	if (c->answer_state != LUA_ANSWER_NONE)
		return lua_fail(L, sent);
	const struct http_head *h = lua_client_head(c);
	int n = judge(L, h);
	if (n)
		return n;
	if (!c->session || !prepare(c, h) || !lua_client_send_head(c))
		return lua_fail(L, "failed to send response header: closed");
	n = lua_socket_push_raw(L);
	c->is_websocket = n == 1;
	/* There was none, as nearly always: a connection that lasts need not remember that. */
	if (c->body && c->body->len == 0)
		lua_body_free(c);
	return n;
}

enum { OPTS = 1, SOCK, OBJECT, MAX, N_FIELDS = 4, PAYLOAD_MAX = 65535 };

/* object[field] = opts[name], or `otherwise` of the stack (0: nothing). */
static void set_field(lua_State *L, const char *name, const char *field, int otherwise)
{
	lua_getfield(L, OPTS, name);
	if (!lua_toboolean(L, -1) && otherwise) {
		lua_pop(L, 1);
		lua_pushvalue(L, otherwise);
	}
	if (lua_isnil(L, -1))
		lua_pop(L, 1);
	else
		lua_setfield(L, OBJECT, field);
}

static void set_options(lua_State *L)
{
	lua_getfield(L, OPTS, "max_payload_len");
	if (lua_toboolean(L, -1))
		lua_replace(L, MAX);
	else
		lua_pop(L, 1);
	set_field(L, "max_recv_len", "max_recv_len", MAX);
	set_field(L, "max_send_len", "max_send_len", MAX);
	set_field(L, "send_masked", "send_masked", 0);
	lua_getfield(L, OPTS, "timeout");
	if (lua_toboolean(L, -1))
		lua_socket_set_timeout(L, lua_socket_at(L, SOCK), lua_gettop(L));
	lua_settop(L, MAX);
	lua_getfield(L, OBJECT, "max_recv_len");
	resty_options(L, lua_frames_of(L, SOCK), OPTS, lua_gettop(L), false);
}

/* (opts), behind the checks that may wait: the object, or nil and why not. It is C, and shallow, so
 * that a connection's coroutine need not have a larger stack than it began with. */
static int l_finish(lua_State *L)
{
	lua_settop(L, OPTS);
	int n = handshake(L);
	if (n != 1)
		return n;
	lua_createtable(L, 1, N_FIELDS);
	lua_frames_of(L, SOCK)->is_server = true;
	lua_rawgeti(L, SOCK, LUA_SOCKET_SLOT);
	lua_rawseti(L, OBJECT, RESTY_OBJECT_SLOT);
	lua_pushvalue(L, SOCK);
	lua_setfield(L, OBJECT, "sock");
	lua_pushinteger(L, PAYLOAD_MAX);
	if (lua_toboolean(L, OPTS)) {
		set_options(L);
	} else {
		lua_pushvalue(L, MAX);
		lua_setfield(L, OBJECT, "max_recv_len");
		lua_setfield(L, OBJECT, "max_send_len");
	}
	lua_settop(L, OBJECT);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_setmetatable(L, OBJECT);
	return 1;
}

/* Never compiled: that would be nothing but calls of C functions, on a larger stack. */
static const char source[] = "local is_sent, read_body, finish = ...\n"
                             "local function new(_, opts)\n"
                             "    local why = is_sent()\n"
                             "    if why then\n"
                             "        return nil, why\n"
                             "    end\n"
                             "    read_body()\n"
                             "    return finish(opts)\n"
                             "end\n"
                             "jit.off(new)\n"
                             "return new\n";

int resty_server_module(lua_State *L)
{
	lua_createtable(L, 0, 11);
	resty_object_methods(L, 0);
	lua_pushcfunction(L, l_is_sent);
	lua_getglobal(L, "ngx");
	lua_getfield(L, -1, "req");
	lua_getfield(L, -1, "read_body");
	lua_replace(L, -3);
	lua_pop(L, 1);
	lua_createtable(L, 0, 1); /* of the objects */
	lua_pushvalue(L, -4);
	lua_setfield(L, -2, "__index");
	lua_pushcclosure(L, l_finish, 1);
	resty_run(L, source, "=resty.websocket.server", 3, 1);
	lua_setfield(L, -2, "new");
	return 1;
}
