/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/socket.h"

#include "base/mem.h"
#include "lua/client.h"
#include "lua/frames.h"
#include "lua/ngx_log.h"
#include "lua/ngx_socket.h"
#include "lua/vm.h"
#include "lua/worker.h"

#include <errno.h>
#include <lauxlib.h>

/* ---- the object ---- */

/* Its address is the key of the userdata's metatable in the registry. */
static const char holder_key;

struct lua_socket *lua_socket_at(lua_State *L, int at)
{
	if (!lua_istable(L, at))
		return NULL;
	lua_rawgeti(L, at, LUA_SOCKET_SLOT);
	const struct lua_frames *f = lua_frames_at(L, -1);
	lua_pop(L, 1);
	return f ? f->socket : NULL;
}

struct lua_socket *lua_socket_check(lua_State *L, int at)
{
	luaL_checktype(L, at, LUA_TTABLE);
	struct lua_socket *s = lua_socket_at(L, at);
	if (!s)
		luaL_argerror(L, at, "socket expected");
	return s;
}

int lua_socket_wait(lua_State *L, struct lua_wait *w, uint64_t timeout_ms)
{
	lua_rawgeti(L, 1, LUA_SOCKET_SLOT);
	lua_replace(L, 1);
	return lua_wait(L, w, timeout_ms);
}

static void free_socket(struct retired *r)
{
	mem_free(list_entry(r, struct lua_socket, retired));
}

static bool is_ours(
        const struct lua_wait *w, const struct lua_socket *s, const struct lua_frames *f)
{
	return w && (w->owner == s || w->owner == f);
}

static bool is_awaited(const struct lua_socket *s, const struct lua_frames *f)
{
	if (!s->request)
		return false;
	if (s->is_connecting)
		return true;
	if (s->kind == LUA_SOCKET_UDP)
		return ngx_udp_is_awaited(s);
	if (s->kind == LUA_SOCKET_BODY)
		return is_ours(s->client->in.reader, s, f);
	return (s->in && is_ours(s->in->reader, s, f)) || (s->out && is_ours(s->out->writer, s, f));
}

/* Whoever waits for it has it on a stack, so then it was a script that has called this. Who works
 * on it may still be on the C stack: its memory lasts to the end of the turn. */
static int l_collect(lua_State *L)
{
	struct lua_frames *f = lua_frames_at(L, 1);
	struct lua_socket *s = f ? f->socket : NULL;
	struct lua_worker *lw = lua_vm_of(L)->worker;
	if (!s || is_awaited(s, f))
		return 0;
	lua_frames_forget(f);
	ngx_socket_end(s);
	if (lw->worker)
		worker_retire(lw->worker, &s->retired, free_socket);
	else
		mem_free(s);
	return 0;
}

static void push_holder_meta(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&holder_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	if (!lua_isnil(L, -1))
		return;
	lua_pop(L, 1);
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, l_collect);
	lua_setfield(L, -2, "__gc");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pushlightuserdata(L, (void *)&holder_key);
	lua_pushvalue(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

static void on_request_end(struct lua_cleanup *c)
{
	ngx_socket_end(list_entry(c, struct lua_socket, cleanup));
}

struct lua_socket *ngx_socket_new(lua_State *L, enum lua_socket_kind kind, size_t size)
{
	lua_createtable(L, 1, 0);
	struct lua_frames *f = lua_frames_new(L);
	push_holder_meta(L);
	lua_setmetatable(L, -2);
	lua_rawseti(L, -2, LUA_SOCKET_SLOT);
	struct lua_socket *s = mem_try(size);
	if (!s)
		luaL_error(L, "no memory");
	memset(s, 0, size);
	s->kind = (uint8_t)kind;
	s->is_read_closed = s->is_write_closed = true;
	s->cleanup.run = on_request_end;
	list_init(&s->cleanup.node);
	f->socket = s;
	return s;
}

void ngx_socket_own(struct lua_socket *s, struct lua_request *r)
{
	if (s->request == r)
		return;
	s->request = r;
	lua_request_cleanup(r, &s->cleanup);
}

void ngx_socket_end(struct lua_socket *s)
{
	if (s->kind == LUA_SOCKET_TCP)
		ngx_tcp_close(s);
	else if (s->kind == LUA_SOCKET_UDP)
		ngx_udp_end(s);
	else
		ngx_req_socket_end(s);
	list_remove(&s->cleanup.node);
	s->request = NULL;
	s->is_read_closed = s->is_write_closed = true;
}

/* ---- what may be done ---- */

void ngx_socket_need_owner(lua_State *L, const struct lua_socket *s)
{
	if (s->request && s->is_used && s->request != lua_request_of(L))
		luaL_error(L, "bad request");
}

const char *ngx_socket_busy(const struct lua_socket *s)
{
	if (s->is_connecting)
		return "socket busy connecting";
	if (s->in && s->in->reader)
		return "socket busy reading";
	if (s->out && s->out->writer)
		return "socket busy writing";
	return NULL;
}

const char *lua_socket_no_read(lua_State *L, struct lua_socket *s)
{
	ngx_socket_need_owner(L, s);
	if (s->is_read_closed) {
		lua_socket_log(s, "attempt to receive data on a closed socket");
		return "closed";
	}
	if (s->is_connecting)
		return "socket busy connecting";
	if (s->kind == LUA_SOCKET_BODY)
		return s->client->in.reader ? "socket busy reading" : NULL;
	return s->in->reader ? "socket busy reading" : NULL;
}

const char *lua_socket_no_write(lua_State *L, struct lua_socket *s)
{
	ngx_socket_need_owner(L, s);
	if (s->is_write_closed) {
		lua_socket_log(s, "attempt to send data on a closed socket");
		return "closed";
	}
	if (s->is_connecting)
		return "socket busy connecting";
	if (!s->out)
		return "attempt to write to request sockets";
	return s->out->writer ? "socket busy writing" : NULL;
}

/* ---- settings ---- */

static const struct handler_settings *settings_of(const struct lua_socket *s)
{
	return s->request->settings;
}

uint64_t lua_socket_read_ms(const struct lua_socket *s)
{
	return s->read_ms ? s->read_ms : settings_of(s)->read_timeout_ms;
}

uint64_t lua_socket_send_ms(const struct lua_socket *s)
{
	return s->send_ms ? s->send_ms : settings_of(s)->send_timeout_ms;
}

uint64_t ngx_socket_connect_ms(const struct lua_socket *s)
{
	return s->connect_ms ? s->connect_ms : settings_of(s)->connect_timeout_ms;
}

void lua_socket_log(const struct lua_socket *s, const char *what)
{
	const struct lua_request *r = s->request;
	if (r && r->settings->log_errors)
		lua_log_text(LOG_LEVEL_ERROR, NULL, r->client ? r->client->session : NULL,
		        slice_str(what));
}

/* What is no number counts as 0, which is the default. */
static uint32_t check_timeout(lua_State *L, int arg)
{
	lua_Number ms = lua_tonumber(L, arg);
	if (!(ms >= 0) || ms > INT32_MAX)
		luaL_error(L, "bad timeout value");
	return (uint32_t)ms;
}

void lua_socket_set_timeout(lua_State *L, struct lua_socket *s, int arg)
{
	s->connect_ms = s->send_ms = s->read_ms = check_timeout(L, arg);
}

static int l_settimeout(lua_State *L)
{
	if (lua_gettop(L) != 2)
		return luaL_error(L,
		        "ngx.socket settimeout: expecting 2 arguments (including the object) but "
		        "seen %d",
		        lua_gettop(L));
	lua_socket_set_timeout(L, lua_socket_check(L, 1), 2);
	return 0;
}

static int l_settimeouts(lua_State *L)
{
	if (lua_gettop(L) != 4)
		return luaL_error(L,
		        "ngx.socket settimeouts: expecting 4 arguments (including the object) but "
		        "seen %d",
		        lua_gettop(L));
	struct lua_socket *s = lua_socket_check(L, 1);
	uint32_t connect_ms = check_timeout(L, 2), send_ms = check_timeout(L, 3);
	s->read_ms = check_timeout(L, 4);
	s->connect_ms = connect_ms;
	s->send_ms = send_ms;
	return 0;
}

/* ---- sending ---- */

static int push_sent(lua_State *L, struct lua_socket *s, size_t bytes)
{
	if (s->out->stream && !s->out->error) {
		lua_pushnumber(L, (lua_Number)bytes);
		return 1;
	}
	s->is_write_closed = true;
	lua_pushnil(L);
	lua_push_errno(L, s->out->error ? s->out->error : EPIPE);
	return 2;
}

static void on_drained(struct lua_output *out)
{
	struct lua_wait *w = out->writer;
	struct lua_socket *s = w->owner;
	out->writer = NULL;
	lua_wake(w, push_sent(w->L, s, s->sending));
}

/* Its time begins anew with every part that the peer has taken. */
static int on_send_expired(struct lua_wait *w)
{
	struct lua_socket *s = w->owner;
	size_t queued = s->out->stream ? s->out->stream->out.bytes : 0;
	if (queued < s->queued && !s->is_write_closed) {
		s->queued = queued;
		w->deadline_ms = s->out->worker->worker->now_ms + lua_socket_send_ms(s);
		return LUA_WAIT_ON;
	}
	s->out->writer = NULL;
	if (s->is_write_closed)
		return lua_fail(w->L, "closed");
	s->is_write_closed = true;
	lua_socket_log(s, "lua tcp socket write timed out");
	return lua_fail(w->L, "timeout");
}

/* With its reader or writer killed, nobody knows what was read or sent: nothing more will be, and
 * the other one need not wait for it. At the end of its request it is looked after anyway. */
void ngx_socket_killed(struct lua_socket *s)
{
	if (!s->request || s->request->is_ended)
		return;
	s->is_read_closed = s->is_write_closed = true;
	if (s->in->reader && s->in->reader->owner == s)
		lua_wait_hurry(s->in->reader);
	if (s->out && s->out->writer && s->out->writer->owner == s)
		lua_wait_hurry(s->out->writer);
	if (s->kind == LUA_SOCKET_TCP)
		ngx_tcp_close(s);
}

static void on_send_cancelled(struct lua_wait *w)
{
	struct lua_socket *s = w->owner;
	s->out->writer = NULL;
	ngx_socket_killed(s);
}

static const struct lua_wait_ops send_ops = {
        .expire = on_send_expired, .cancel = on_send_cancelled};

/* A failure that was found since is told by the first send after it. */
static int send_failed(lua_State *L, struct lua_socket *s)
{
	s->is_write_closed = true;
	lua_pushnil(L);
	lua_push_errno(L, EPIPE);
	return 2;
}

int lua_socket_send(lua_State *L, struct lua_socket *s, const struct slice *v, size_t n)
{
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += v[i].len;
	if (bytes == 0) {
		lua_pushinteger(L, 0);
		return 1;
	}
	bool is_taken =
	        s->client ? lua_client_send_raw(s->client, v, n) : lua_output_put(s->out, v, n);
	if (!is_taken)
		return send_failed(L, s);
	if (!lua_output_is_over(s->out))
		return push_sent(L, s, bytes);
	struct lua_wait *w = lua_wait_begin(L, &send_ops, s);
	s->sending = bytes;
	s->queued = s->out->stream->out.bytes;
	s->out->writer = w;
	s->out->drained = on_drained;
	return lua_socket_wait(L, w, lua_socket_send_ms(s));
}

static int l_send(lua_State *L)
{
	if (lua_gettop(L) != 2)
		return luaL_error(L, "expecting 2 arguments (including the object), but got %d",
		        lua_gettop(L));
	struct lua_socket *s = lua_socket_check(L, 1);
	const char *why = lua_socket_no_write(L, s);
	if (why)
		return lua_fail(L, why);
	struct slice v = lua_gather_array(L, 2);
	return lua_socket_send(L, s, &v, 1);
}

const luaL_Reg ngx_socket_methods[] = {{"send", l_send}, {"settimeout", l_settimeout},
        {"settimeouts", l_settimeouts}, {NULL, NULL}};
