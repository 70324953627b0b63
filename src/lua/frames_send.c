/* SPDX-License-Identifier: BSD-2-Clause */

/* The writing half of frames: one frame is put behind the other, and whoever has put so much that
 * the peer lags behind waits for room. */

#include "base/random.h"
#include "lua/client.h"
#include "lua/frames.h"
#include "lua/vm.h"
#include "lua/worker.h"
#include "proxy/handler.h"
#include "ws/header.h"
#include "ws/mask.h"

#include <lauxlib.h>

enum { PIECE = 4096 };

static int fail(lua_State *L, const char *why)
{
	lua_pushnil(L);
	lua_pushfstring(L, "failed to send frame: %s", why);
	return 2;
}

static int fail_by(lua_State *L, const struct lua_output *out)
{
	if (!out->error || !out->stream)
		return fail(L, "closed");
	lua_push_errno(L, out->error);
	return fail(L, lua_tostring(L, -1));
}

/* Methods of objects return an error that is nil, too. */
static int push_bytes(lua_State *L, size_t bytes, bool is_object)
{
	lua_pushnumber(L, (lua_Number)bytes);
	if (is_object)
		lua_pushnil(L);
	return is_object ? 2 : 1;
}

/* A masked payload goes in pieces, since the bytes are the script's and must stay. */
static bool put_masked(
        struct lua_output *out, const uint8_t key[4], unsigned *phase, struct slice v)
{
	uint8_t piece[PIECE];
	while (v.len > 0) {
		size_t n = v.len < PIECE ? v.len : PIECE;
		memcpy(piece, v.at, n);
		*phase = ws_mask(piece, n, key, *phase);
		struct slice s = slice_of(piece, n);
		if (!lua_output_put(out, &s, 1))
			return false;
		v = slice_of(v.at + n, v.len - n);
	}
	return true;
}

/* Returns the bytes of the frame, or 0: it cannot be sent. */
static size_t put_frame(struct lua_output *out, const struct lua_frame_out *o)
{
	uint8_t header[WS_HEADER_MAX];
	struct ws_frame h = {.len = o->a.len + o->b.len, .masked = o->masked};
	unsigned phase = 0;
	if (o->masked)
		random_bytes(h.key, sizeof h.key);
	size_t n = ws_frame_write(header, &h);
	header[0] = o->first;
	struct slice v[3] = {slice_of(header, n), o->a, o->b};
	bool ok = lua_output_put(out, v, o->masked ? 1 : 3);
	if (ok && o->masked)
		ok = put_masked(out, h.key, &phase, o->a) && put_masked(out, h.key, &phase, o->b);
	return ok ? n + (size_t)h.len : 0;
}

static void count(const struct lua_frames *f, const struct lua_frame_out *o)
{
	uint8_t code[2];
	struct lua_client *c = f->socket->client;
	if (!c || !c->session)
		return;
	if (o->opcode <= WS_BINARY)
		handler_messages(c->session, 0, o->fin);
	if (o->opcode != WS_CLOSE)
		return;
	c->has_closed = true;
	for (size_t i = 0; i < 2 && o->a.len + o->b.len >= 2; i++)
		code[i] = i < o->a.len ? o->a.at[i] : o->b.at[i - o->a.len];
	handler_close_sent(
	        c->session, o->a.len + o->b.len >= 2 ? (uint16_t)ws_big_endian(code, 2) : 0);
}

size_t lua_frames_put(struct lua_frames *f, const struct lua_frame_out *o)
{
	size_t bytes = put_frame(f->socket->out, o);
	if (bytes)
		count(f, o);
	else
		f->socket->is_write_closed = true;
	return bytes;
}

/* ---- waiting for room; the waiters are a ring through the first one's node ---- */

/* What a waiter notes: how many bytes its frame has, and how many were queued when its time
 * began, with the lowest bit for whether slot 1 of its stack is an object. */
enum { NOTE_BYTES, NOTE_QUEUED };

static uint32_t queued(const struct lua_output *out)
{
	size_t n = out->stream ? out->stream->out.bytes : 0;
	return (uint32_t)(n < UINT32_MAX ? n : UINT32_MAX) & ~UINT32_C(1);
}

static bool is_object(const struct lua_wait *w)
{
	return w->note[NOTE_QUEUED] & 1;
}

static void leave(struct lua_output *out, struct lua_wait *w)
{
	if (out->writer == w)
		out->writer = list_is_empty(&w->node)
		                      ? NULL
		                      : list_entry(w->node.next, struct lua_wait, node);
	list_remove(&w->node);
}

static void make_fatal(lua_State *L, const struct lua_wait *w)
{
	if (!is_object(w) || !lua_istable(L, 1))
		return;
	lua_pushliteral(L, "fatal");
	lua_pushboolean(L, 1);
	lua_rawset(L, 1); /* no metamethod: nobody would catch its errors here */
}

/* By the mark alone: only what is over it is told about again. */
static bool is_full(const struct lua_output *out)
{
	return out->stream && out->stream->out.bytes >= out->stream->high_mark;
}

static void on_drained(struct lua_output *out)
{
	/* Whoever is woken may send and wait again, behind those that wait now. */
	const struct lua_wait *last = list_entry(out->writer->node.prev, struct lua_wait, node);
	bool was_last = false;
	while (out->writer && !was_last && !is_full(out)) {
		struct lua_wait *w = out->writer;
		was_last = w == last;
		leave(out, w);
		if (out->stream && !out->error) {
			lua_wake(w, push_bytes(w->L, w->note[NOTE_BYTES], is_object(w)));
		} else {
			make_fatal(w->L, w);
			lua_wake(w, fail_by(w->L, out));
		}
	}
}

/* Its time begins anew with every part that the peer has taken. */
static int on_expired(struct lua_wait *w)
{
	struct lua_frames *f = w->owner;
	struct lua_socket *s = f->socket;
	if (!s)
		return fail(w->L, "closed");
	uint32_t now = queued(s->out);
	if (now < (w->note[NOTE_QUEUED] & ~UINT32_C(1))) {
		w->note[NOTE_QUEUED] = now | is_object(w);
		w->deadline_ms = s->out->worker->worker->now_ms + lua_socket_send_ms(s);
		return LUA_WAIT_ON;
	}
	leave(s->out, w);
	s->is_read_closed = s->is_write_closed = true;
	if (s->client)
		s->client->is_mid_frame = true;
	make_fatal(w->L, w);
	return fail(w->L, "timeout");
}

static void on_cancelled(struct lua_wait *w)
{
	struct lua_frames *f = w->owner;
	if (f->socket)
		leave(f->socket->out, w);
}

static int wait_for_room(lua_State *L, struct lua_frames *f, size_t bytes, bool sets_fatal)
{
	static const struct lua_wait_ops ops = {.expire = on_expired, .cancel = on_cancelled};
	struct lua_output *out = f->socket->out;
	struct lua_wait *w = lua_wait_begin(L, &ops, f);
	w->note[NOTE_BYTES] = (uint32_t)bytes;
	w->note[NOTE_QUEUED] = queued(out) | sets_fatal;
	list_init(&w->node);
	if (out->writer)
		list_append(&out->writer->node, &w->node);
	else
		out->writer = w;
	out->drained = on_drained;
	return lua_wait_keeping(L, w, lua_socket_send_ms(f->socket), 2);
}

int lua_frames_wait(lua_State *L, struct lua_frames *f, size_t bytes)
{
	return wait_for_room(L, f, bytes, true);
}

static const char *no_write(const struct lua_frames *f)
{
	const struct lua_socket *s = f->socket;
	if (!s || !s->request || s->is_write_closed || !s->out)
		return "closed";
	if (s->is_connecting)
		return "socket busy connecting";
	/* In fixed mode senders queue up, but not behind a socket's own send(). */
	bool is_busy = s->out->writer && (s->out->drained != on_drained || lua_frames_is_strict(f));
	return is_busy ? "socket busy writing" : NULL;
}

int lua_frames_send(lua_State *L, struct lua_frames *f, const struct lua_frame_out *o)
{
	const char *why = no_write(f);
	if (why)
		return fail(L, why);
	struct lua_output *out = f->socket->out;
	const struct lua_client *c = f->socket->client;
	size_t bytes = o->a.len + o->b.len + 2;
	if (!c || !c->is_close_sent) { /* or nothing may follow, and the script need not know */
		bytes = lua_frames_put(f, o);
		if (!bytes)
			return fail_by(L, out);
	}
	if (lua_output_is_over(out)) {
		lua_frames_hold(L, o->sock);
		return wait_for_room(L, f, bytes, o->sets_fatal);
	}
	return push_bytes(L, bytes, o->sets_fatal);
}

void lua_frames_put_control(struct lua_frames *f, uint8_t opcode, struct slice payload)
{
	struct lua_frame_out o = {.fin = true,
	        .masked = f->masks,
	        .opcode = opcode,
	        .first = (uint8_t)(WS_FIN | opcode),
	        .a = payload};
	const struct lua_socket *s = f->socket;
	if (s->is_write_closed || !s->out || (s->client && s->client->is_close_sent))
		return;
	/* A peer that asks and does not read is not answered. */
	if (opcode == WS_PONG && lua_output_is_over(s->out))
		return;
	lua_frames_put(f, &o);
}
