/* SPDX-License-Identifier: BSD-2-Clause */

/* ngx.socket.tcp: the life of a connection that a script makes. */

#include "lua/ngx_socket_tcp.h"

#include "base/mem.h"
#include "lua/ngx.h"
#include "lua/ngx_socket_names.h"
#include "lua/vm.h"
#include "lua/worker.h"
#include "net/plain.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "net/tls_stream.h"

#include <errno.h>

/* Of what is queued, so much makes a send wait; and, taken down to that, lets it go on. */
enum { HIGH_MARK = 64 * 1024, LOW_MARK = 16 * 1024 };

struct worker *lua_tcp_worker(const struct lua_tcp *t)
{
	return t->socket.request->vm->worker->worker;
}

struct lua_tcp *lua_tcp_check(lua_State *L, int at)
{
	struct lua_socket *s = lua_socket_check(L, at);
	if (s->kind != LUA_SOCKET_TCP)
		luaL_argerror(L, at, "tcp socket expected");
	return lua_tcp_of(s);
}

static struct keepalive *pools_of(const struct lua_tcp *t)
{
	return t->socket.request->vm->worker->pools;
}

struct keepalive_key lua_tcp_key(const struct lua_tcp *t)
{
	return (struct keepalive_key){
	        .name = slice_of(t->pool, t->pool_len), .is_address = t->is_address};
}

/* ---- what comes ---- */

static void resume_input(struct lua_input *in)
{
	struct lua_tcp *t = list_entry(in, struct lua_tcp, in);
	if (t->stream)
		stream_resume(t->stream);
}

/* The connection is lost; what it brought can still be read. */
static void on_error(struct lua_tcp *t, struct stream *s, int error)
{
	lua_output_on_end(&t->out, error);
	if (t->stream == s)
		lua_input_end(&t->in, error);
	if (t->stream != s)
		return;
	t->stream = NULL;
	stream_free(s, true);
	keepalive_release(pools_of(t), &t->lease);
}

static void on_data(struct stream *s, uint8_t *buf, size_t len)
{
	struct lua_tcp *t = s->owner;
	bool is_kept = lua_input_serve(&t->in, buf, len);
	if (t->stream != s)
		return;
	if (!is_kept) {
		on_error(t, s, ENOMEM);
	} else if (lua_input_is_over(&t->in)) {
		t->in.is_paused = true;
		stream_pause(s);
	}
}

static void on_end(struct stream *s, enum stream_end end, int error)
{
	struct lua_tcp *t = s->owner;
	if (!t->is_open) {
		if (end == STREAM_ERROR)
			lua_tcp_on_attempt_failed(t, error);
	} else if (t->waiter) {
		if (end == STREAM_ERROR)
			lua_tcp_on_tls_failed(t);
	} else if (end == STREAM_ERROR) {
		on_error(t, s, error);
	} else {
		lua_input_end(&t->in, 0);
	}
}

static void on_drain(struct stream *s)
{
	struct lua_tcp *t = s->owner;
	lua_output_on_drain(&t->out);
}

static void on_connect(struct stream *s)
{
	struct lua_tcp *t = s->owner;
	if (t->is_open) {
		lua_tcp_on_secured(t);
		return;
	}
	lua_tcp_open(t, s);
	lua_pushinteger(t->waiter->L, 1);
	lua_tcp_wake(t, 1);
}

const struct stream_events lua_tcp_events = {
        .on_data = on_data, .on_end = on_end, .on_drain = on_drain, .on_connect = on_connect};

/* ---- life ---- */

void lua_tcp_wake(struct lua_tcp *t, int n)
{
	struct lua_wait *w = t->waiter;
	t->waiter = NULL;
	t->socket.is_connecting = false;
	lua_wake(w, n);
}

void lua_tcp_open(struct lua_tcp *t, struct stream *s)
{
	t->stream = s;
	s->events = &lua_tcp_events;
	s->owner = t;
	stream_set_marks(s, HIGH_MARK, LOW_MARK);
	t->in = (struct lua_input){.resume = resume_input};
	lua_input_set_max(&t->in, t->socket.request->settings->buffer_size);
	t->out = (struct lua_output){.worker = t->socket.request->vm->worker, .stream = s};
	t->is_open = true;
	t->socket.is_connecting = false;
	t->socket.is_read_closed = t->socket.is_write_closed = false;
}

static void forget_connect(struct lua_tcp *t)
{
	if (t->resolving)
		resolver_cancel(t->resolving);
	t->resolving = NULL;
	mem_free(t->found);
	mem_free(t->host);
	t->found = NULL;
	t->host = NULL;
}

/* What was sent and not taken yet still goes out. */
static void part(struct lua_tcp *t)
{
	struct stream *s = t->stream;
	t->stream = NULL;
	if (!s)
		return;
	if (queue_is_empty(&s->out) || t->socket.is_write_closed || !t->is_open)
		stream_free(s, !queue_is_empty(&s->out));
	else
		lua_linger(t->socket.request->vm->worker, s, lua_socket_send_ms(&t->socket));
}

void lua_tcp_give_up(struct lua_tcp *t)
{
	if (t->is_open) {
		lua_output_flush(&t->out);
		lua_output_fini(&t->out);
		lua_input_fini(&t->in);
	}
	part(t);
	t->is_open = false;
	t->socket.is_read_closed = t->socket.is_write_closed = true;
	forget_connect(t);
	if (t->socket.request)
		keepalive_release(pools_of(t), &t->lease);
	mem_free(t->pool);
	t->pool = NULL;
}

void ngx_tcp_close(struct lua_socket *s)
{
	struct lua_tcp *t = lua_tcp_of(s);
	lua_tcp_give_up(t);
	lua_tcp_drop_certificate(t);
	mem_free(t->source);
	mem_free(t->expected);
	t->source = NULL;
	t->expected = NULL;
}

/* ---- the methods ---- */

static int l_close(lua_State *L)
{
	struct lua_tcp *t = lua_tcp_check(L, 1);
	ngx_socket_need_owner(L, &t->socket);
	bool is_over = t->socket.is_read_closed && t->socket.is_write_closed;
	const char *busy = ngx_socket_busy(&t->socket);
	if (busy)
		return lua_fail(L, is_over ? "closed" : busy);
	lua_tcp_give_up(t); /* also what has ended by itself still has its place in a pool */
	if (is_over)
		return lua_fail(L, "closed");
	lua_pushinteger(L, 1);
	return 1;
}

static int l_shutdown(lua_State *L)
{
	struct lua_tcp *t = lua_tcp_check(L, 1);
	const char *what = luaL_checkstring(L, 2), *why = lua_socket_no_write(L, &t->socket);
	luaL_argcheck(L, strcmp(what, "send") == 0, 2, "\"send\" expected");
	if (why)
		return lua_fail(L, why);
	lua_output_flush(&t->out);
	t->socket.is_write_closed = true;
	if (t->stream)
		stream_shutdown(t->stream);
	lua_pushinteger(L, 1);
	return 1;
}

static int l_getreusedtimes(lua_State *L)
{
	struct lua_tcp *t = lua_tcp_check(L, 1);
	ngx_socket_need_owner(L, &t->socket);
	if (!t->is_open || (t->socket.is_read_closed && t->socket.is_write_closed))
		return lua_fail(L, "closed");
	lua_pushinteger(L, (lua_Integer)t->reused);
	return 1;
}

/* A time that is over before it begins ends with this turn; 0 never does. */
static uint32_t check_idle_ms(lua_State *L, int arg, uint32_t normal)
{
	lua_Number ms = luaL_optnumber(L, arg, normal);
	if (ms <= -1)
		return 1;
	return ms < INT32_MAX ? (uint32_t)(ms < 0 ? 0 : ms) : INT32_MAX;
}

static uint32_t check_size(lua_State *L, int arg, uint32_t normal)
{
	lua_Integer size = luaL_optinteger(L, arg, (lua_Integer)normal);
	if (size <= 0 || size > INT32_MAX) {
		lua_pushfstring(L, "bad \"pool_size\" option value: %d", (int)size);
		luaL_argerror(L, arg, lua_tostring(L, -1));
	}
	return (uint32_t)size;
}

/* What was sent in this turn leaves behind the look at the connection: the peer's answer to it is
 * not to be found there. */
static int put_back(lua_State *L, struct lua_tcp *t, uint32_t size, uint32_t idle_ms)
{
	struct keepalive_key key = lua_tcp_key(t);
	key.scope = tls_scope(t->stream);
	enum keepalive_put put =
	        keepalive_put(pools_of(t), &t->lease, &key, t->stream, size, idle_ms);
	if (put == KEEPALIVE_FAILED)
		return lua_fail(L, "no memory");
	if (put != KEEPALIVE_KEPT)
		return lua_fail(L, "connection in dubious state");
	t->stream = NULL;
	lua_tcp_give_up(t);
	lua_pushinteger(L, 1);
	return 1;
}

/* The size of one that is there is not looked at. */
static bool needs_pool(const struct lua_tcp *t)
{
	struct keepalive_key key = lua_tcp_key(t);
	return !keepalive_has_pool(pools_of(t), &t->lease, &key);
}

static int l_setkeepalive(lua_State *L)
{
	int n = lua_gettop(L);
	if (n < 1 || n > 3)
		return luaL_error(
		        L, "expecting 1 to 3 arguments (including the object), but got %d", n);
	struct lua_tcp *t = lua_tcp_check(L, 1);
	struct lua_socket *s = &t->socket;
	ngx_socket_need_owner(L, s);
	if (s->is_read_closed || s->is_write_closed || t->in.is_eof)
		return lua_fail(L, "closed");
	const char *busy = ngx_socket_busy(s);
	if (busy)
		return lua_fail(L, busy);
	if (lua_input_len(&t->in) > 0)
		return lua_fail(L, "unread data in buffer");
	if (!t->stream || t->out.error)
		return lua_fail(L, "invalid connection");
	const struct handler_settings *set = s->request->settings;
	uint32_t size = needs_pool(t) ? check_size(L, 3, set->pool_size) : 0;
	uint32_t ms = check_idle_ms(L, 2, set->keepalive_timeout_ms);
	if (s->request->vm->worker->is_exiting)
		lua_output_flush(&t->out);
	return put_back(L, t, size, ms);
}

static int l_bind(lua_State *L)
{
	struct lua_tcp *t = lua_tcp_check(L, 1);
	struct slice host = lua_check_slice(L, 2);
	struct address a;
	if (!ngx_names_is_text(host) || !ngx_names_parse(&a, (const char *)host.at) ||
	        a.sa.sa_family == AF_UNIX)
		return lua_fail(L, "bad address");
	if (!t->source && !(t->source = mem_try(sizeof *t->source)))
		return lua_fail(L, "no memory");
	*t->source = a;
	lua_pushinteger(L, 1);
	return 1;
}

static const luaL_Reg methods[] = {{"connect", lua_tcp_connect}, {"close", l_close},
        {"getreusedtimes", l_getreusedtimes}, {"setkeepalive", l_setkeepalive}, {"bind", l_bind},
        {"shutdown", l_shutdown}, {"setoption", lua_tcp_setoption},
        {"getoption", lua_tcp_getoption}, {"setclientcert", lua_tcp_setclientcert}, {NULL, NULL}};

/* ---- ngx.socket ---- */

/* Its upvalue is the objects' metatable. */
static int l_tcp(lua_State *L)
{
	if (lua_gettop(L) > 0)
		return luaL_error(L, "expecting zero arguments, but got %d", lua_gettop(L));
	lua_request_in(L, NGX_SOCKET_PHASES);
	struct lua_socket *s = ngx_socket_new(L, LUA_SOCKET_TCP, sizeof(struct lua_tcp));
	struct lua_tcp *t = lua_tcp_of(s);
	s->in = &t->in;
	s->out = &t->out;
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_setmetatable(L, -2);
	return 1;
}

static const char connect_source[] = "local tcp = ...\n"
                                     "return function (...)\n"
                                     " local sock = tcp()\n"
                                     " local ok, err = sock:connect(...)\n"
                                     " if ok then return sock end\n"
                                     " return nil, err\n"
                                     "end\n";

static void push_meta(lua_State *L)
{
	lua_createtable(L, 0, 1);
	lua_newtable(L);
	luaL_setfuncs(L, ngx_socket_methods, 0);
	luaL_setfuncs(L, ngx_receive_methods, 0);
	luaL_setfuncs(L, methods, 0);
	lua_tcp_push_sslhandshake(L);
	lua_setfield(L, -2, "sslhandshake");
	lua_setfield(L, -2, "__index");
}

void ngx_socket_tcp_open(lua_State *L)
{
	lua_newtable(L);
	push_meta(L);
	lua_pushcclosure(L, l_tcp, 1);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "tcp");
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "stream");
	if (luaL_loadbuffer(L, connect_source, sizeof connect_source - 1, "=ngx.socket.connect"))
		lua_error(L);
	lua_insert(L, -2);
	lua_call(L, 1, 1);
	lua_setfield(L, -2, "connect");
	lua_setfield(L, -2, "socket");
}
