/* SPDX-License-Identifier: BSD-2-Clause */

/* connect of TCP and unix sockets: the pool first, then the name, then its addresses, from a random
 * one on. */

#include "base/mem.h"
#include "base/random.h"
#include "lua/frames.h"
#include "lua/ngx_socket_names.h"
#include "lua/ngx_socket_tcp.h"
#include "lua/vm.h"
#include "lua/worker.h"
#include "net/plain.h"
#include "net/resolver.h"
#include "net/tls_client.h"
#include "net/worker.h"
#include "upstream/dial.h"

#include <errno.h>
#include <stdio.h>

struct target {
	struct slice host; /* with `unix:` in front of a path */
	uint16_t port;
	struct slice pool; /* named by the script; at NULL: not */
	struct keepalive_limits limits;
};

/* ---- arguments ---- */

static int bad_option(lua_State *L, int arg, const char *name, int at)
{
	if (lua_type(L, at) == LUA_TNUMBER)
		lua_pushfstring(L, "bad \"%s\" option value: %d", name, (int)lua_tointeger(L, at));
	else
		lua_pushfstring(L, "bad \"%s\" option type: %s", name, luaL_typename(L, at));
	return luaL_argerror(L, arg, lua_tostring(L, -1));
}

/* A number of at least `min`, or `normal` when there is none. */
static int64_t option(lua_State *L, int arg, const char *name, int64_t min, int64_t normal)
{
	int64_t value = normal;
	lua_getfield(L, arg, name);
	if (!lua_isnil(L, -1)) {
		if (lua_type(L, -1) != LUA_TNUMBER || lua_tointeger(L, -1) < min ||
		        lua_tointeger(L, -1) > INT32_MAX)
			bad_option(L, arg, name, lua_gettop(L));
		value = lua_tointeger(L, -1);
	}
	lua_pop(L, 1);
	return value;
}

/* The name stays on the stack. */
static void parse_options(lua_State *L, int arg, struct target *to, uint32_t pool_size)
{
	size_t len;
	to->limits.size = (uint32_t)option(L, arg, "pool_size", 1, 0);
	to->limits.backlog = option(L, arg, "backlog", 0, -1);
	if (to->limits.backlog >= 0 && to->limits.size == 0)
		to->limits.size = pool_size;
	lua_getfield(L, arg, "pool");
	if (lua_isnil(L, -1))
		return;
	if (!lua_isstring(L, -1))
		bad_option(L, arg, "pool", lua_gettop(L));
	const char *name = lua_tolstring(L, -1, &len);
	to->pool = slice_of(name, len);
}

/* The number of arguments that are left. */
static int parse_target(lua_State *L, struct target *to, uint32_t pool_size)
{
	size_t len;
	int n = lua_gettop(L);
	if (n < 2 || n > 4)
		return luaL_error(L,
		        "ngx.socket connect: expecting 2, 3, or 4 arguments (including the "
		        "object), but seen %d",
		        n);
	const char *host = luaL_checklstring(L, 2, &len);
	*to = (struct target){.host = slice_of(host, len), .limits = {.backlog = -1}};
	if (lua_istable(L, n)) {
		parse_options(L, n, to, pool_size);
		n--;
	}
	return n;
}

/* NULL, or why that is no place to connect to. */
static const char *parse_place(lua_State *L, struct target *to, int n)
{
	if (ngx_names_is_unix(to->host)) {
		if (ngx_names_is_path(to->host))
			return NULL;
		return lua_pushfstring(L, "failed to parse host name \"%s\": %s",
		        lua_tostring(L, 2),
		        to->host.len == 5 ? "no path in the unix domain socket"
		                          : "the path of the unix domain socket is too long");
	}
	if (n < 3 || !lua_isnumber(L, 3))
		return "missing the port number";
	if (!ngx_names_is_text(to->host))
		return lua_pushfstring(
		        L, "failed to parse host name \"%s\": invalid host", lua_tostring(L, 2));
	lua_Integer port = lua_tointeger(L, 3);
	if (port < 0 || port > UINT16_MAX)
		return lua_pushfstring(L, "bad port number: %d", (int)port);
	to->port = (uint16_t)port;
	return NULL;
}

/* ---- results ---- */

/* Pushes them; the socket is free again. */
static int failed(lua_State *L, struct lua_tcp *t, int error)
{
	lua_tcp_give_up(t);
	lua_pushnil(L);
	lua_push_errno(L, error);
	return 2;
}

static int refused(lua_State *L, struct lua_tcp *t, const char *why)
{
	int n = lua_fail(L, why);
	lua_tcp_give_up(t);
	return n;
}

static int connected(lua_State *L, struct lua_tcp *t, struct stream *s)
{
	lua_tcp_open(t, s);
	lua_pushinteger(L, 1);
	return 1;
}

/* ---- the steps; each returns the number of results, or 0 when it waits ---- */

static int try_address(lua_State *L, struct lua_tcp *t)
{
	struct worker *w = lua_tcp_worker(t);
	struct upstream_worker *u = w->layer[WORKER_UPSTREAM];
	struct socket_options options = {.source = t->source};
	int error = EHOSTUNREACH;
	while (t->tried < t->found_n) {
		const struct address *a = &t->found[(t->first + t->tried++) % t->found_n];
		struct stream *s = u->connect(w, a, &options);
		if (!s) {
			error = errno;
			if (error == EAGAIN) /* a full queue, which is left to the caller */
				counter_inc(&w->counters.connect_errors);
			continue;
		}
		if (!stream_is_connecting(s))
			return connected(L, t, s);
		t->stream = s;
		s->events = &lua_tcp_events;
		s->owner = t;
		t->socket.is_read_closed = t->socket.is_write_closed = false;
		return 0;
	}
	return failed(L, t, error);
}

void lua_tcp_on_attempt_failed(struct lua_tcp *t, int error)
{
	struct lua_wait *w = t->waiter;
	stream_free(t->stream, false);
	t->stream = NULL;
	int n = t->tried < t->found_n ? try_address(w->L, t) : failed(w->L, t, error);
	if (n > 0)
		lua_tcp_wake(t, n);
}

/* Takes a copy; from a random one on. */
static bool found(struct lua_tcp *t, const struct address *a, size_t n)
{
	t->found = mem_try(n * sizeof *a);
	if (!t->found)
		return false;
	memcpy(t->found, a, n * sizeof *a);
	for (size_t i = 0; i < n; i++)
		if (a[i].sa.sa_family != AF_UNIX)
			address_set_port(&t->found[i], t->port);
	t->found_n = n;
	t->tried = 0;
	t->first = random_below((uint32_t)n);
	return true;
}

static void on_resolved(void *owner, const struct address *a, size_t n, const char *error)
{
	struct lua_tcp *t = owner;
	lua_State *L = t->waiter->L;
	int results;
	t->resolving = NULL;
	if (n == 0) {
		ngx_names_push_error(L, t->host, error);
		results = refused(L, t, lua_tostring(L, -1));
	} else {
		results = found(t, a, n) ? try_address(L, t) : refused(L, t, "no memory");
	}
	if (results > 0)
		lua_tcp_wake(t, results);
}

static int begin(lua_State *L, struct lua_tcp *t)
{
	struct upstream_worker *u = lua_tcp_worker(t)->layer[WORKER_UPSTREAM];
	struct address a;
	if (ngx_names_parse(&a, t->host))
		return found(t, &a, 1) ? try_address(L, t) : refused(L, t, "no memory");
	t->resolving = resolver_start(u->resolver, t->host, on_resolved, t);
	return t->resolving ? 0 : refused(L, t, "no memory");
}

/* What the pool says. */
static int go_on(lua_State *L, struct lua_tcp *t, enum keepalive_got got)
{
	switch (got) {
	case KEEPALIVE_REUSED:
		t->reused = t->lease.reused;
		return connected(L, t, t->lease.stream);
	case KEEPALIVE_CONNECT:
		return begin(L, t);
	case KEEPALIVE_WAIT:
		return 0;
	case KEEPALIVE_FULL:
		return refused(L, t, "too many waiting connect operations");
	case KEEPALIVE_TIMED_OUT:
		return refused(L, t, "timeout");
	case KEEPALIVE_NO_MEMORY:
		break;
	}
	return refused(L, t, "no memory");
}

static void on_turn(struct lease *l, enum keepalive_got got)
{
	struct lua_tcp *t = list_entry(l, struct lua_tcp, lease);
	int n = go_on(t->waiter->L, t, got);
	if (n > 0)
		lua_tcp_wake(t, n);
}

/* ---- waiting ---- */

static int on_expired(struct lua_wait *w)
{
	struct lua_tcp *t = w->owner;
	char text[160];
	snprintf(text, sizeof text,
	        "lua tcp socket connect timed out, when connecting to %.100s:%u",
	        t->host ? t->host : "", t->port);
	lua_socket_log(&t->socket, text);
	t->waiter = NULL;
	t->socket.is_connecting = false;
	return refused(w->L, t, "timeout");
}

static void on_cancelled(struct lua_wait *w)
{
	struct lua_tcp *t = w->owner;
	t->waiter = NULL;
	t->socket.is_connecting = false;
	lua_tcp_give_up(t);
}

static const struct lua_wait_ops connect_ops = {.expire = on_expired, .cancel = on_cancelled};

/* ---- the method ---- */

/* The pool's name is kept, for the connection goes back to it. */
static bool name_pool(struct lua_tcp *t, const struct target *to)
{
	uint8_t room[KEEPALIVE_ADDRESS_MAX];
	struct keepalive_key key = {.name = to->pool};
	if (!to->pool.at &&
	        !keepalive_address_key(&key, room, "tcp", to->host, to->port, SLICE("")))
		return false;
	t->pool = mem_try(key.name.len ? key.name.len : 1);
	if (!t->pool)
		return false;
	if (key.name.len)
		memcpy(t->pool, key.name.at, key.name.len);
	t->pool_len = key.name.len;
	t->is_address = key.is_address;
	return true;
}

static bool name_host(struct lua_tcp *t, const struct target *to)
{
	t->host = mem_try(to->host.len + 1);
	if (!t->host)
		return false;
	memcpy(t->host, to->host.at, to->host.len);
	t->host[to->host.len] = '\0';
	t->port = to->port;
	return true;
}

static int start(lua_State *L, struct lua_tcp *t, const struct target *to)
{
	struct lua_worker *lw = t->socket.request->vm->worker;
	uint64_t ms = ngx_socket_connect_ms(&t->socket);
	if (!name_pool(t, to) || !name_host(t, to))
		return refused(L, t, "no memory");
	t->reused = 0;
	t->lease = (struct lease){.fn = NULL};
	struct keepalive_key key = lua_tcp_key(t);
	key.scope = tls_client_scope(t->socket.request->settings->tls);
	key.fits = lua_tcp_fits;
	int n = go_on(L, t,
	        keepalive_get(
	                lw->pools, &t->lease, &key, &to->limits, lw->worker->now_ms + ms, on_turn));
	if (n > 0)
		return n;
	t->socket.is_connecting = true;
	t->waiter = lua_wait_begin(L, &connect_ops, t);
	return lua_socket_wait(L, t->waiter, ms);
}

int lua_tcp_connect(lua_State *L)
{
	struct target to;
	struct lua_request *r = lua_request_in(L, LUA_PHASES_YIELD);
	int n = parse_target(L, &to, r->settings->pool_size); /* may run the script's metamethods */
	struct lua_tcp *t = lua_tcp_check(L, 1);
	struct lua_socket *s = &t->socket;
	if (s->request)
		ngx_socket_need_owner(L, s);
	const char *why = ngx_socket_busy(s);
	if (!why)
		why = parse_place(L, &to, n);
	if (why)
		return lua_fail(L, why);
	lua_thread_need_yield(L);
	lua_tcp_give_up(t);
	lua_frames_renew(lua_frames_of(L, 1));
	ngx_socket_own(s, r);
	s->is_used = true;
	return start(L, t, &to);
}
