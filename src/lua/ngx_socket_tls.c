/* SPDX-License-Identifier: BSD-2-Clause */

/* sslhandshake and setclientcert of TCP sockets. */

#include "base/mem.h"
#include "base/siphash.h"
#include "lua/ngx_socket_names.h"
#include "lua/ngx_socket_tcp.h"
#include "lua/vm.h"
#include "lua/worker.h"
#include "net/stream.h"
#include "net/tls_stream.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* A session is to scripts what it is on ngx_lua, a cdata, so it is made in Lua: of a pointer, with
 * the function that frees it. `known` tells ours from others. */
static const char source[] =
        "local handshake, take, free = ...\n"
        "local ffi = require 'ffi'\n"
        "local known = setmetatable({}, { __mode = 'k' })\n"
        "local kind = ffi.typeof 'struct { void *session; }'\n"
        "local release = ffi.cast('void (*)(void *)', free)\n"
        "local function gc(s) release(s.session) end\n"
        "return function (sock, session, name, verify, ...)\n"
        " local ok, err = handshake(sock, session and known[session] or nil, name, verify)\n"
        " if not ok then return nil, err end\n"
        " if session == false then return true end\n"
        " local pointer = take(sock)\n"
        " if not pointer then return true end\n"
        " local s = ffi.gc(kind(pointer), gc)\n"
        " known[s] = pointer\n"
        " return s\n"
        "end\n";

static void free_session(void *session)
{
	SSL_SESSION_free(session);
}

static int l_take(lua_State *L)
{
	struct lua_tcp *t = lua_tcp_check(L, 1);
	SSL_SESSION *session = t->is_open && t->stream ? tls_session(t->stream) : NULL;
	if (!session)
		return 0;
	lua_pushlightuserdata(L, session);
	return 1;
}

/* ---- how it ends ---- */

static int push_failure(lua_State *L, const struct lua_tcp *t)
{
	long result = t->verifies ? tls_verify_result(t->stream) : X509_V_OK;
	if (result == X509_V_OK)
		return lua_fail(L, "handshake failed");
	if (result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH)
		return lua_fail(L, "certificate host mismatch");
	lua_pushnil(L);
	lua_pushfstring(L, "%d: %s", (int)result, X509_verify_cert_error_string(result));
	return 2;
}

void lua_tcp_on_tls_failed(struct lua_tcp *t)
{
	char text[200];
	int n = push_failure(t->waiter->L, t);
	const char *why = tls_failure(t->stream);
	snprintf(text, sizeof text, "lua ssl handshake failed: %.150s", why ? why : "");
	lua_socket_log(&t->socket, text);
	lua_tcp_give_up(t);
	lua_tcp_wake(t, n);
}

void lua_tcp_on_secured(struct lua_tcp *t)
{
	if (!t->waiter)
		return;
	lua_pushboolean(t->waiter->L, 1);
	lua_tcp_wake(t, 1);
}

static void leave(struct lua_tcp *t)
{
	t->waiter = NULL;
	t->socket.is_connecting = false;
	lua_tcp_give_up(t);
}

static int on_expired(struct lua_wait *w)
{
	struct lua_tcp *t = w->owner;
	lua_socket_log(&t->socket, "lua ssl handshake timed out");
	leave(t);
	return lua_fail(w->L, "timeout");
}

static void on_cancelled(struct lua_wait *w)
{
	leave(w->owner);
}

static const struct lua_wait_ops secure_ops = {.expire = on_expired, .cancel = on_cancelled};

/* ---- sslhandshake ---- */

static uint64_t hash(const uint8_t *at, size_t len)
{
	static const uint8_t key[SIPHASH_KEY_LEN];
	return siphash(key, at, len);
}

static uint64_t hash_name(const X509_NAME *name)
{
	const uint8_t *der;
	size_t len;
	return X509_NAME_get0_der(name, &der, &len) ? hash(der, len) : 0;
}

/* Whom a certificate of the script's is of: it may be renewed, and is the same one to the server.
 * 0: the script gave none. */
static uint64_t identity(const STACK_OF(X509) * chain)
{
	const X509 *x = chain ? sk_X509_value(chain, 0) : NULL;
	if (!x)
		return 0;
	int at = X509_get_ext_by_NID(x, NID_subject_alt_name, -1);
	const ASN1_OCTET_STRING *names =
	        at < 0 ? NULL : X509_EXTENSION_get_data(X509_get_ext(x, at));
	uint64_t all[] = {hash_name(X509_get_subject_name(x)), hash_name(X509_get_issuer_name(x)),
	        names ? hash(ASN1_STRING_get0_data(names), (size_t)ASN1_STRING_length(names)) : 0};
	return hash((const uint8_t *)all, sizeof all) | 1;
}

/* ---- pools ---- */

/* Scripts by their files, which stay the same over a reload. */
static uint64_t maker(const struct lua_request *r)
{
	return r->origin ? hash((const uint8_t *)r->origin, strlen(r->origin)) : 0;
}

/* Most scripts make no handshake on a connection that was used before, nor say what certificate
 * they would have shown. So what the script itself has made is right, as on ngx_lua; what another
 * has, if no handshake of this one's could tell it from its own: it has shown the same, and is
 * known to be with the host that is asked for. */
bool lua_tcp_fits(struct lease *l, const struct stream *s, const struct keepalive_mark *mark)
{
	const struct lua_tcp *t = list_entry(l, struct lua_tcp, lease);
	uint64_t own = identity(t->chain);
	if ((own || t->is_exact) && mark->identity != own)
		return false;
	if (t->expected)
		return tls_is_verified(s, t->expected);
	return mark->maker == maker(t->socket.request) ||
	       (mark->identity == own && tls_is_verified(s, t->host));
}

int lua_tcp_expect(lua_State *L)
{
	struct lua_socket *s = lua_socket_at(L, 1);
	if (!s || s->kind != LUA_SOCKET_TCP)
		return 0;
	struct lua_tcp *t = lua_tcp_of(s);
	size_t len = 0;
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &len) : NULL;
	char *copy = name ? mem_try(len + 1) : NULL;
	if (name && !copy)
		return luaL_error(L, "no memory");
	if (copy)
		memcpy(copy, name, len + 1);
	mem_free(t->expected);
	t->expected = copy;
	t->is_exact = true;
	return 0;
}

/* A connection that came out of a pool is as good as was asked when it went in. */
static int already(lua_State *L, const struct lua_tcp *t, const struct tls_wish *wish)
{
	if (wish->chain && t->lease.mark.identity != identity(wish->chain))
		return lua_fail(L, "client certificate mismatch");
	if (wish->verify && !tls_is_verified(t->stream, wish->name))
		return lua_fail(L, "certificate host mismatch");
	lua_pushboolean(L, 1);
	return 1;
}

static const char *why_not(lua_State *L, struct lua_tcp *t)
{
	struct lua_socket *s = &t->socket;
	ngx_socket_need_owner(L, s);
	if (s->is_read_closed || s->is_write_closed || !t->stream)
		return "closed";
	return ngx_socket_busy(s);
}

/* Arguments: the socket, a session or nil, the server's name, whether to verify. */
static int l_handshake(lua_State *L)
{
	struct lua_tcp *t = lua_tcp_check(L, 1);
	if (!t->socket.is_used)
		return luaL_error(L, "socket is never created nor connected");
	struct slice name = lua_isnoneornil(L, 3) ? SLICE("") : lua_check_slice(L, 3);
	struct tls_wish wish = {.name = lua_isnoneornil(L, 3) ? NULL : (const char *)name.at,
	        .verify = lua_toboolean(L, 4),
	        .session = lua_touserdata(L, 2),
	        .chain = t->chain,
	        .key = t->key};
	const char *why = why_not(L, t);
	if (why)
		return lua_fail(L, why);
	if (name.len > 0 && !ngx_names_is_text(name))
		return lua_fail(L, "invalid host");
	if (stream_is_tls(t->stream))
		return already(L, t, &wish);
	if (lua_input_len(&t->in) > 0)
		return lua_fail(L, "unread data in buffer");
	lua_thread_need_yield(L);
	lua_output_flush(&t->out);
	t->verifies = wish.verify;
	t->lease.mark = (struct keepalive_mark){
	        .identity = identity(t->chain), .maker = maker(t->socket.request)};
	if (!tls_connect_as(t->stream, t->socket.request->settings->tls, &wish))
		return lua_fail(L, "handshake failed");
	t->socket.is_connecting = true;
	t->waiter = lua_wait_begin(L, &secure_ops, t);
	return lua_socket_wait(L, t->waiter, ngx_socket_connect_ms(&t->socket));
}

void lua_tcp_push_sslhandshake(lua_State *L)
{
	if (luaL_loadbuffer(L, source, sizeof source - 1, "=ngx.socket.sslhandshake"))
		lua_error(L);
	lua_pushcfunction(L, l_handshake);
	lua_pushcfunction(L, l_take);
	lua_pushlightuserdata(L, (void *)(uintptr_t)free_session);
	lua_call(L, 3, 1);
}

/* ---- certificates of our own ---- */

void lua_tcp_drop_certificate(struct lua_tcp *t)
{
	sk_X509_pop_free(t->chain, X509_free);
	EVP_PKEY_free(t->key);
	t->chain = NULL;
	t->key = NULL;
}

static int bad_kind(lua_State *L, const char *which, int at)
{
	lua_pushnil(L);
	lua_pushfstring(L, "bad %s arg: cdata expected, got %s", which, luaL_typename(L, at));
	return 2;
}

int lua_tcp_setclientcert(lua_State *L)
{
	struct lua_tcp *t = lua_tcp_check(L, 1);
	lua_settop(L, 3);
	bool has_cert = lua_toboolean(L, 2), has_key = lua_toboolean(L, 3);
	if (has_cert != has_key)
		return lua_fail(
		        L, "client certificate must be supplied with corresponding private key");
	STACK_OF(X509) *chain = has_cert ? ngx_ssl_chain_at(L, 2) : NULL;
	EVP_PKEY *key = has_cert ? ngx_ssl_key_at(L, 3) : NULL;
	if (has_cert && !chain)
		return bad_kind(L, "cert", 2);
	if (has_cert && !key)
		return bad_kind(L, "pkey", 3);
	lua_tcp_drop_certificate(t);
	if (has_cert) {
		t->chain = X509_chain_up_ref(chain);
		t->key = EVP_PKEY_up_ref(key) ? key : NULL;
	}
	lua_pushboolean(L, 1);
	return 1;
}
