/* SPDX-License-Identifier: BSD-2-Clause */

/* The common case of a frame, for LuaJIT to call from compiled code by its FFI (resty_object.c):
 * small, sound, nothing asked for beyond the library. Whatever is not that is left as it is for
 * lua_frames_receive() and lua_frames_send(). No Lua in here. */

#include "lua/frames_fast.h"

#include "lua/client.h"
#include "lua/frames.h"
#include "lua/vm.h"
#include "lua/worker.h"
#include "proxy/handler.h"
#include "ws/header.h"
#include "ws/mask.h"

#include <string.h>

enum { SHORT_MAX = 125, HEADER_SHORT = 2, HEADER_16 = 4, KEY = 4 };

static bool is_data(uint8_t first)
{
	return (first & (WS_RESERVED | WS_CONTROL)) == 0 && (first & WS_OPCODE) <= WS_BINARY;
}

/* Its socket is a connection and the running request's, and nothing asks for more than plain
 * frames. */
static struct lua_socket *socket_of(const struct lua_frames *f)
{
	struct lua_socket *s = lua_frames_is(f) ? f->socket : NULL;
	if (!s || !s->request || s->request != s->request->vm->worker->running ||
	        s->is_connecting || !lua_socket_is_connection(s))
		return NULL;
	bool is_plain = !(f->whole_messages | f->auto_close | f->auto_pong | f->checks_utf8);
	return is_plain ? s : NULL;
}

/* What the reader wants, who waits next. */
static int ask(struct lua_frames *f, double max)
{
	f->max_len = max;
	f->needs_mask = f->is_server;
	f->is_message = false;
	f->sets_fatal = true;
	f->socket->in->want = HEADER_SHORT;
	return LUA_FAST_NOTHING;
}

int lua_frames_fast_take(struct lua_frames *f, double max)
{
	struct lua_socket *s = socket_of(f);
	uint8_t *at;
	size_t n, header = HEADER_SHORT;
	if (!s || s->is_read_closed || s->in->reader)
		return LUA_FAST_OTHER;
	if (lua_input_is_empty(s->in))
		return ask(f, max);
	if (!lua_input_view(s->in, &at, &n) || n < 2 || !is_data(at[0]))
		return LUA_FAST_OTHER;
	struct lua_vm *vm = s->request->vm;
	size_t len = at[1] & 0x7f;
	bool masked = at[1] & WS_MASKED;
	if (len == SHORT_MAX + 1 && n >= HEADER_16) {
		len = (size_t)at[2] << 8 | at[3];
		header = HEADER_16;
	} else if (len > SHORT_MAX) {
		return LUA_FAST_OTHER;
	}
	size_t body = header + (masked ? KEY : 0);
	/* What is taken is pushed next: an error then would lose it. */
	if ((f->is_server && !masked) || (double)len > max || len > LUA_FAST_MAX ||
	        n < body + len || lua_vm_is_tight(vm))
		return LUA_FAST_OTHER;
	uint8_t first = at[0];
	memcpy(vm->worker->small, at + body, len);
	if (masked)
		ws_mask(vm->worker->small, len, at + header, 0);
	if (s->client && s->client->session)
		handler_messages(s->client->session, first & WS_FIN ? 1 : 0, 0);
	lua_input_take(s->in, body + len);
	return (int)(len << 8 | (first & (WS_FIN | WS_OPCODE)));
}

/* As it goes out, unmasked, in one piece. Returns as lua_frames_fast_put(). */
static int put_plain(struct lua_socket *s, uint8_t first, const char *at, size_t len)
{
	size_t header = len > SHORT_MAX ? HEADER_16 : HEADER_SHORT;
	uint8_t *to = lua_output_room(s->out, HEADER_16 + len);
	if (!to) {
		s->is_write_closed = true;
		return 0;
	}
	to[0] = first;
	to[1] = (uint8_t)(len > SHORT_MAX ? SHORT_MAX + 1 : len);
	if (len > SHORT_MAX) {
		to[2] = (uint8_t)(len >> 8);
		to[3] = (uint8_t)len;
	}
	memcpy(to + header, at, len);
	if (s->client)
		handler_messages(s->client->session, 0, 1);
	int bytes = (int)(header + len);
	return lua_output_put_written(s->out, header + len) ? -bytes : bytes;
}

static int put_masked(struct lua_frames *f, uint8_t first, const char *at, size_t len)
{
	struct lua_frame_out o = {.fin = true,
	        .masked = true,
	        .opcode = first & WS_OPCODE,
	        .first = first,
	        .a = slice_of(at, len)};
	int bytes = (int)lua_frames_put(f, &o);
	return bytes > 0 && lua_output_is_over(f->socket->out) ? -bytes : bytes;
}

int lua_frames_fast_put(struct lua_frames *f, int first, const char *at, double len)
{
	struct lua_socket *s = socket_of(f);
	if (!s || s->is_write_closed || !s->out || s->out->writer || len > LUA_FAST_MAX ||
	        (s->client && (s->client->is_close_sent || !s->client->session)))
		return 0;
	return first & LUA_FAST_MASKED ? put_masked(f, (uint8_t)first, at, (size_t)len)
	                               : put_plain(s, (uint8_t)first, at, (size_t)len);
}
