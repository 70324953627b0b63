/* SPDX-License-Identifier: BSD-2-Clause */

/* ngx.socket.udp. */

#include "base/mem.h"
#include "base/random.h"
#include "lua/ngx.h"
#include "lua/ngx_socket.h"
#include "lua/ngx_socket_names.h"
#include "lua/vm.h"
#include "lua/worker.h"
#include "net/datagram.h"
#include "net/resolver.h"
#include "upstream/dial.h"

#include <errno.h>

enum { RECEIVE_MAX = 64 * 1024 }; /* no datagram is longer */

struct lua_udp {
	struct lua_socket socket;
	struct datagram *datagram; /* NULL: it has no peer */
	struct lua_wait *waiter;   /* of setpeername or receive */
	struct resolving *resolving;
	struct address *source;
	char *host;
	size_t size; /* of the receive */
	uint16_t port;
};

static struct lua_udp *udp_of(struct lua_socket *s)
{
	return (struct lua_udp *)(void *)s;
}

static struct lua_udp *check(lua_State *L)
{
	struct lua_socket *s = lua_socket_check(L, 1);
	if (s->kind != LUA_SOCKET_UDP)
		luaL_argerror(L, 1, "udp socket expected");
	if (s->is_used && !s->request)
		luaL_error(L, "bad request");
	ngx_socket_need_owner(L, s);
	return udp_of(s);
}

static struct worker *worker_of(const struct lua_udp *u)
{
	return u->socket.request->vm->worker->worker;
}

static void close_it(struct lua_udp *u)
{
	if (u->resolving)
		resolver_cancel(u->resolving);
	u->resolving = NULL;
	datagram_close(u->datagram);
	u->datagram = NULL;
	mem_free(u->host);
	u->host = NULL;
}

void ngx_udp_end(struct lua_socket *s)
{
	struct lua_udp *u = udp_of(s);
	close_it(u);
	mem_free(u->source);
	u->source = NULL;
}

bool ngx_udp_is_awaited(const struct lua_socket *s)
{
	return ((const struct lua_udp *)(const void *)s)->waiter;
}

static void wake(struct lua_udp *u, int n)
{
	struct lua_wait *w = u->waiter;
	u->waiter = NULL;
	lua_wake(w, n);
}

static int push_error(lua_State *L, int error)
{
	lua_pushnil(L);
	lua_push_errno(L, error);
	return 2;
}

static void on_cancelled(struct lua_wait *w)
{
	struct lua_udp *u = w->owner;
	u->waiter = NULL;
	if (!u->datagram)
		close_it(u);
}

/* ---- receive ---- */

/* Not the worker's own buffer: in that may lie what a stream is just being given. */
static uint8_t *room_of(struct lua_worker *lw)
{
	if (!lw->datagram)
		lw->datagram = mem_try(RECEIVE_MAX);
	return lw->datagram;
}

/* The results; 0: nothing has come. */
static int receive(lua_State *L, struct lua_udp *u)
{
	uint8_t *buf = room_of(u->socket.request->vm->worker);
	if (!buf)
		return lua_fail(L, "no memory");
	ssize_t n = datagram_receive(u->datagram, buf, u->size);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return push_error(L, errno);
	if (!lua_vm_has_room(L, (size_t)n))
		return lua_fail(L, "no memory");
	lua_pushlstring(L, (const char *)buf, (size_t)n);
	return 1;
}

static void on_readable(void *owner)
{
	struct lua_udp *u = owner;
	int n = u->waiter ? receive(u->waiter->L, u) : 0;
	if (n > 0)
		wake(u, n);
}

static int on_receive_expired(struct lua_wait *w)
{
	struct lua_udp *u = w->owner;
	u->waiter = NULL;
	lua_socket_log(&u->socket, "lua udp socket read timed out");
	return lua_fail(w->L, "timeout");
}

static const struct lua_wait_ops receive_ops = {
        .expire = on_receive_expired, .cancel = on_cancelled};

static int l_receive(lua_State *L)
{
	struct lua_udp *u = check(L);
	lua_Integer size = luaL_optinteger(L, 2, RECEIVE_MAX);
	if (!u->datagram)
		return lua_fail(L, "closed");
	if (u->waiter)
		return lua_fail(L, "socket busy");
	/* Of a datagram that is longer the rest is lost, with 0 all of it; below there is no limit.
	 */
	u->size = size >= 0 && size < RECEIVE_MAX ? (size_t)size : RECEIVE_MAX;
	int n = receive(L, u);
	if (n > 0)
		return n;
	u->waiter = lua_wait_begin(L, &receive_ops, u);
	return lua_socket_wait(L, u->waiter, lua_socket_read_ms(&u->socket));
}

/* ---- setpeername ---- */

static int opened(lua_State *L, struct lua_udp *u, struct address a)
{
	if (a.sa.sa_family != AF_UNIX)
		address_set_port(&a, u->port);
	u->datagram = datagram_open(worker_of(u), &a, u->source, on_readable, u);
	if (!u->datagram)
		return push_error(L, errno);
	lua_pushinteger(L, 1);
	return 1;
}

static void on_resolved(void *owner, const struct address *found, size_t n, const char *error)
{
	struct lua_udp *u = owner;
	lua_State *L = u->waiter->L;
	u->resolving = NULL;
	if (n > 0) {
		wake(u, opened(L, u, found[random_below((uint32_t)n)]));
		return;
	}
	lua_pushnil(L);
	ngx_names_push_error(L, u->host, error);
	wake(u, 2);
}

static int on_name_expired(struct lua_wait *w)
{
	struct lua_udp *u = w->owner;
	u->waiter = NULL;
	lua_pushnil(w->L);
	ngx_names_push_error(w->L, u->host, "timeout");
	close_it(u);
	return 2;
}

static const struct lua_wait_ops name_ops = {.expire = on_name_expired, .cancel = on_cancelled};

static int look_up(lua_State *L, struct lua_udp *u, struct slice host)
{
	struct upstream_worker *up = worker_of(u)->layer[WORKER_UPSTREAM];
	u->host = mem_try(host.len + 1);
	if (!u->host)
		return lua_fail(L, "no memory");
	memcpy(u->host, host.at, host.len + 1);
	u->resolving = resolver_start(up->resolver, u->host, on_resolved, u);
	if (!u->resolving)
		return lua_fail(L, "no memory");
	u->waiter = lua_wait_begin(L, &name_ops, u);
	return lua_socket_wait(L, u->waiter, ngx_socket_connect_ms(&u->socket));
}

/* NULL, or why not. */
static const char *parse_port(lua_State *L, struct lua_udp *u)
{
	lua_Integer port = luaL_checkinteger(L, 3);
	if (port < 0 || port > UINT16_MAX)
		return lua_pushfstring(L, "bad port number: %d", (int)port);
	u->port = (uint16_t)port;
	return NULL;
}

static int l_setpeername(lua_State *L)
{
	size_t len;
	struct address a;
	int n = lua_gettop(L);
	if (n != 2 && n != 3)
		return luaL_error(L,
		        "ngx.socket.udp setpeername: expecting 3 arguments (including the object), "
		        "but seen %d",
		        n);
	struct lua_request *r = lua_request_in(L, LUA_PHASES_YIELD);
	struct lua_socket *s = lua_socket_check(L, 1);
	struct lua_udp *u = s->request || !s->is_used ? check(L) : udp_of(s);
	const char *host = luaL_checklstring(L, 2, &len);
	bool is_path = ngx_names_is_unix(slice_of(host, len));
	const char *why = u->waiter           ? "socket busy"
	                  : is_path && n == 2 ? NULL
	                  : n == 2            ? "missing the port number"
	                                      : parse_port(L, u);
	if (why)
		return lua_fail(L, why);
	if (is_path ? !ngx_names_is_path(slice_of(host, len))
	            : !ngx_names_is_text(slice_of(host, len))) {
		lua_pushnil(L);
		lua_pushfstring(L, "failed to parse host name \"%s\": %s", host,
		        is_path ? "no path in the unix domain socket" : "invalid host");
		return 2;
	}
	lua_thread_need_yield(L);
	close_it(u);
	ngx_socket_own(s, r);
	s->is_used = true;
	return ngx_names_parse(&a, host) ? opened(L, u, a) : look_up(L, u, slice_of(host, len));
}

/* ---- the others ---- */

static int l_send(lua_State *L)
{
	if (lua_gettop(L) != 2)
		return luaL_error(L, "expecting 2 arguments (including the object), but got %d",
		        lua_gettop(L));
	struct lua_udp *u = check(L);
	if (!u->datagram)
		return lua_fail(L, "closed");
	if (u->waiter)
		return lua_fail(L, "socket busy");
	struct slice v = lua_gather_array(L, 2);
	if (datagram_send(u->datagram, v.at, v.len) < 0)
		return push_error(L, errno);
	lua_pushinteger(L, 1);
	return 1;
}

static int l_close(lua_State *L)
{
	struct lua_udp *u = check(L);
	if (!u->datagram)
		return lua_fail(L, "closed");
	if (u->waiter)
		return lua_fail(L, "socket busy");
	close_it(u);
	lua_pushinteger(L, 1);
	return 1;
}

static int l_bind(lua_State *L)
{
	struct lua_udp *u = check(L);
	struct slice host = lua_check_slice(L, 2);
	struct address a;
	if (!ngx_names_is_text(host) || !ngx_names_parse(&a, (const char *)host.at) ||
	        a.sa.sa_family == AF_UNIX)
		return lua_fail(L, "bad address");
	if (!u->source && !(u->source = mem_try(sizeof *u->source)))
		return lua_fail(L, "no memory");
	*u->source = a;
	lua_pushinteger(L, 1);
	return 1;
}

/* Its upvalue is the objects' metatable. */
static int l_udp(lua_State *L)
{
	if (lua_gettop(L) > 0)
		return luaL_error(L, "expecting zero arguments, but got %d", lua_gettop(L));
	lua_request_in(L, NGX_SOCKET_PHASES);
	ngx_socket_new(L, LUA_SOCKET_UDP, sizeof(struct lua_udp));
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_setmetatable(L, -2);
	return 1;
}

void ngx_socket_udp_open(lua_State *L)
{
	static const luaL_Reg methods[] = {{"setpeername", l_setpeername}, {"send", l_send},
	        {"receive", l_receive}, {"close", l_close}, {"bind", l_bind}, {NULL, NULL}};
	lua_getfield(L, -1, "socket");
	lua_createtable(L, 0, 1);
	lua_newtable(L);
	luaL_setfuncs(L, ngx_socket_methods, 0);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pushcclosure(L, l_udp, 1);
	lua_setfield(L, -2, "udp");
	lua_pop(L, 1);
}
