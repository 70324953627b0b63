/* SPDX-License-Identifier: BSD-2-Clause */

/* receive, receiveany and receiveuntil, of whatever kind of socket. */

#include "lua/client.h"
#include "lua/ngx_socket.h"
#include "lua/vm.h"
#include "lua/worker.h"

#include <string.h>

/* Of an iterator that receiveuntil has made, which keeps it. */
struct lua_until {
	size_t len;
	bool is_inclusive;
	bool is_found; /* the pattern has come, which the call after that one tells */
	char pattern[];
};

/* ---- what has come ---- */

/* Lines lose every CR; in place, since they are used after this. */
static size_t strip(uint8_t *at, size_t len)
{
	uint8_t *to = len > 0 ? memchr(at, '\r', len) : NULL;
	if (!to)
		return len;
	for (const uint8_t *from = to; from < at + len; from++)
		if (*from != '\r')
			*to++ = *from;
	return (size_t)(to - at);
}

static int no_memory(lua_State *L, struct lua_socket *s)
{
	s->is_read_closed = true;
	lua_input_fini(s->in);
	return lua_fail(L, "no memory");
}

/* Pushes `len` bytes of those that wait; `used` of them are done with. */
static bool push_bytes(lua_State *L, struct lua_socket *s, uint8_t *at, size_t len, size_t used)
{
	if (!lua_vm_has_room(L, len))
		return false;
	if (s->read.kind == LUA_READ_LINE)
		len = strip(at, len);
	lua_pushlstring(L, (const char *)at, len);
	if (used > 0)
		lua_input_take(s->in, used);
	return true;
}

static int give(lua_State *L, struct lua_socket *s, uint8_t *at, size_t len, size_t used)
{
	return push_bytes(L, s, at, len, used) ? 1 : no_memory(L, s);
}

static int line(lua_State *L, struct lua_socket *s, uint8_t *at, size_t len)
{
	size_t from = s->read.scanned;
	const uint8_t *end = len > from ? memchr(at + from, '\n', len - from) : NULL;
	if (end)
		return give(L, s, at, (size_t)(end - at), (size_t)(end - at) + 1);
	s->read.scanned = len;
	return 0;
}

/* How many of the last bytes may be the pattern's first. */
static size_t begun(const struct lua_until *u, const uint8_t *at, size_t len)
{
	size_t n = len < u->len ? len : u->len - 1;
	while (n > 0 && memcmp(at + len - n, u->pattern, n) != 0)
		n--;
	return n;
}

/* So many bytes at the front are surely none of the pattern. */
static size_t sound_len(const struct lua_until *u, const uint8_t *at, size_t len)
{
	return len - begun(u, at, len);
}

static int until(lua_State *L, struct lua_socket *s, uint8_t *at, size_t len)
{
	struct lua_until *u = s->read.until;
	size_t from = s->read.scanned, size = s->read.size;
	const uint8_t *found =
	        len > from ? memmem(at + from, len - from, u->pattern, u->len) : NULL;
	size_t sound = found ? (size_t)(found - at) : sound_len(u, at, len);
	if (size > 0 && sound >= size)
		return give(L, s, at, size, size);
	if (!found) {
		s->read.scanned = sound;
		return 0;
	}
	u->is_found = size > 0;
	return give(L, s, at, sound + (u->is_inclusive ? u->len : 0), sound + u->len);
}

static int partial(
        lua_State *L, struct lua_socket *s, uint8_t *at, size_t len, size_t used, int before)
{
	if (push_bytes(L, s, at, len, used))
		return before + 1;
	lua_pop(L, before);
	return no_memory(L, s);
}

/* No more will come. What could have been the beginning of a pattern is in no result. */
static int at_end(lua_State *L, struct lua_socket *s, uint8_t *at, size_t len)
{
	if (s->read.kind == LUA_READ_ALL && !s->in->error)
		return give(L, s, at, len, len);
	if (s->read.kind == LUA_READ_PEEK)
		return partial(L, s, at, len, 0, lua_input_push_end(L, s->in));
	size_t sound = s->read.kind == LUA_READ_UNTIL ? sound_len(s->read.until, at, len) : len;
	s->is_read_closed = true;
	return partial(L, s, at, sound, len, lua_input_push_end(L, s->in));
}

enum { MUCH = 64 * 1024 }; /* from here on a wait for more looks whether there is room for it */

/* The results; 0 = more is needed. */
static int step(lua_State *L, struct lua_socket *s)
{
	uint8_t *at;
	size_t len, size = s->read.size;
	int n = 0;
	if (s->kind == LUA_SOCKET_BODY)
		ngx_req_socket_pull(s);
	if (!lua_input_view(s->in, &at, &len))
		return no_memory(L, s);
	switch ((enum lua_read_kind)s->read.kind) {
	case LUA_READ_LINE:
		n = line(L, s, at, len);
		break;
	case LUA_READ_SIZE:
		n = len >= size ? give(L, s, at, size, size) : 0;
		break;
	case LUA_READ_PEEK:
		n = len >= size ? give(L, s, at, size, 0) : 0;
		break;
	case LUA_READ_ANY:
		size = len < size ? len : size;
		n = len > 0 ? give(L, s, at, size, size) : 0;
		break;
	case LUA_READ_UNTIL:
		n = until(L, s, at, len);
		break;
	case LUA_READ_ALL:
		break;
	}
	if (n == 0 && s->in->is_eof)
		return at_end(L, s, at, len);
	/* What the script could not be given need not be waited for. */
	bool is_hopeless = n == 0 && len > MUCH && !lua_vm_has_room(L, len);
	return is_hopeless ? no_memory(L, s) : n;
}

/* ---- waiting ---- */

static struct lua_input *source_of(struct lua_socket *s)
{
	return s->kind == LUA_SOCKET_BODY ? &s->client->in : s->in;
}

static void on_more(struct lua_input *in)
{
	struct lua_wait *w = in->reader;
	struct lua_socket *s = w->owner;
	int n = step(w->L, s);
	if (n > 0) {
		in->reader = NULL;
		lua_wake(w, n);
	} else if (w->deadline_ms > 0) {
		w->deadline_ms = s->request->vm->worker->worker->now_ms + lua_socket_read_ms(s);
	}
}

/* What has come is handed out with it; what may be the beginning of a pattern waits. */
static int on_expired(struct lua_wait *w)
{
	struct lua_socket *s = w->owner;
	uint8_t *at;
	size_t len;
	source_of(s)->reader = NULL;
	if (s->is_read_closed)
		return lua_fail(w->L, "closed");
	lua_socket_log(s, "lua tcp socket read timed out");
	if (!lua_input_view(s->in, &at, &len))
		return no_memory(w->L, s);
	if (s->read.kind == LUA_READ_UNTIL)
		len = sound_len(s->read.until, at, len);
	size_t used = s->read.kind == LUA_READ_PEEK ? 0 : len;
	return partial(w->L, s, at, len, used, lua_fail(w->L, "timeout"));
}

static void on_cancelled(struct lua_wait *w)
{
	struct lua_socket *s = w->owner;
	source_of(s)->reader = NULL;
	ngx_socket_killed(s);
}

static const struct lua_wait_ops read_ops = {.expire = on_expired, .cancel = on_cancelled};

int lua_socket_receive(lua_State *L, struct lua_socket *s, const struct lua_read *what)
{
	s->read = *what;
	int n = step(L, s);
	if (n > 0)
		return n;
	struct lua_wait *w = lua_wait_begin(L, &read_ops, s);
	lua_input_await(source_of(s), w, on_more);
	return lua_socket_wait(L, w, lua_socket_read_ms(s));
}

/* ---- the methods ---- */

static int bad_pattern(lua_State *L, const char *pattern)
{
	if (pattern)
		lua_pushfstring(L, "bad pattern argument: %s", pattern);
	else
		lua_pushliteral(L, "bad pattern argument");
	return luaL_argerror(L, 2, lua_tostring(L, -1));
}

/* False: nothing has to be received, for it is "". */
static bool parse(lua_State *L, struct lua_read *what)
{
	*what = (struct lua_read){.kind = LUA_READ_LINE};
	if (lua_gettop(L) == 1)
		return true;
	if (lua_isnumber(L, 2)) {
		lua_Integer size = lua_tointeger(L, 2);
		if (size < 0)
			bad_pattern(L, NULL);
		*what = (struct lua_read){.kind = LUA_READ_SIZE, .size = (size_t)size};
		return size > 0;
	}
	if (lua_type(L, 2) != LUA_TSTRING)
		bad_pattern(L, NULL);
	const char *text = lua_tostring(L, 2);
	if (text[0] != '*' || lua_objlen(L, 2) != 2)
		bad_pattern(L, text);
	if (text[1] != 'l' && text[1] != 'a')
		bad_pattern(L, NULL);
	what->kind = text[1] == 'a' ? LUA_READ_ALL : LUA_READ_LINE;
	return true;
}

static int l_receive(lua_State *L)
{
	struct lua_read what;
	if (lua_gettop(L) != 1 && lua_gettop(L) != 2)
		return luaL_error(L,
		        "expecting 1 or 2 arguments (including the object), but got %d",
		        lua_gettop(L));
	struct lua_socket *s = lua_socket_check(L, 1);
	const char *why = lua_socket_no_read(L, s);
	if (why)
		return lua_fail(L, why);
	if (!parse(L, &what)) {
		lua_pushliteral(L, "");
		return 1;
	}
	return lua_socket_receive(L, s, &what);
}

/* A read of a number of bytes, the only argument; `bad`: what is said of one that is none. */
static int receive_counted(lua_State *L, enum lua_read_kind kind, const char *bad)
{
	if (lua_gettop(L) != 2)
		return luaL_error(L, "expecting 2 arguments (including the object), but got %d",
		        lua_gettop(L));
	struct lua_socket *s = lua_socket_check(L, 1);
	const char *why = lua_socket_no_read(L, s);
	if (why)
		return lua_fail(L, why);
	if (!lua_isnumber(L, 2) || lua_tointeger(L, 2) <= 0)
		return luaL_argerror(L, 2, bad);
	struct lua_read what = {.kind = (uint8_t)kind, .size = (size_t)lua_tointeger(L, 2)};
	return lua_socket_receive(L, s, &what);
}

static int l_receiveany(lua_State *L)
{
	return receive_counted(L, LUA_READ_ANY, "bad max argument");
}

int ngx_receive_peek(lua_State *L)
{
	return receive_counted(L, LUA_READ_PEEK, "bad bytes argument");
}

/* The iterator; its upvalues are the struct lua_until and the socket's object, which it puts under
 * its argument, so that the wait keeps it. */
static int l_until(lua_State *L)
{
	struct lua_until *u = lua_touserdata(L, lua_upvalueindex(1));
	if (lua_gettop(L) > 1)
		return luaL_error(L, "expecting 0 or 1 arguments, but seen %d", lua_gettop(L));
	lua_Integer size = lua_gettop(L) == 1 ? luaL_checkinteger(L, 1) : 0;
	lua_settop(L, 0);
	lua_pushvalue(L, lua_upvalueindex(2));
	struct lua_socket *s = lua_socket_check(L, 1);
	const char *why = lua_socket_no_read(L, s);
	if (why)
		return lua_fail(L, why);
	if (u->is_found) {
		u->is_found = false;
		lua_settop(L, 4);
		return 3;
	}
	struct lua_read what = {
	        .kind = LUA_READ_UNTIL, .size = size > 0 ? (size_t)size : 0, .until = u};
	return lua_socket_receive(L, s, &what);
}

static bool is_inclusive(lua_State *L)
{
	luaL_checktype(L, 3, LUA_TTABLE);
	lua_getfield(L, 3, "inclusive");
	if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
		luaL_error(L, "bad \"inclusive\" option value type: %s", luaL_typename(L, -1));
	bool is = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return is;
}

static int l_receiveuntil(lua_State *L)
{
	size_t len;
	if (lua_gettop(L) != 2 && lua_gettop(L) != 3)
		return luaL_error(L,
		        "expecting 2 or 3 arguments (including the object), but got %d",
		        lua_gettop(L));
	lua_socket_check(L, 1);
	bool inclusive = lua_gettop(L) == 3 && is_inclusive(L);
	const char *pattern = luaL_checklstring(L, 2, &len);
	if (len == 0)
		return lua_fail(L, "pattern is empty");
	struct lua_until *u = lua_newuserdata(L, sizeof *u + len);
	*u = (struct lua_until){.len = len, .is_inclusive = inclusive};
	memcpy(u->pattern, pattern, len);
	lua_pushvalue(L, 1);
	lua_pushcclosure(L, l_until, 2);
	return 1;
}

const luaL_Reg ngx_receive_methods[] = {{"receive", l_receive}, {"receiveany", l_receiveany},
        {"receiveuntil", l_receiveuntil}, {NULL, NULL}};
