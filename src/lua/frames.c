/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/frames.h"

#include "lua/client.h"
#include "lua/vm.h"
#include "lua/worker.h"
#include "proxy/handler.h"
#include "ws/header.h"
#include "ws/mask.h"

#include <lauxlib.h>

const char lua_frames_magic;

/* ---- life ---- */

struct lua_frames *lua_frames_new(lua_State *L)
{
	struct lua_frames *f = lua_newuserdata(L, sizeof *f);
	*f = (struct lua_frames){.magic = &lua_frames_magic};
	return f;
}

void lua_frames_forget(struct lua_frames *f)
{
	lua_message_free(f->message);
	f->message = NULL;
	f->socket = NULL;
}

void lua_frames_renew(struct lua_frames *f)
{
	lua_message_free(f->message);
	f->message = NULL;
	f->is_answered = false;
}

struct lua_frames *lua_frames_at(lua_State *L, int at)
{
	struct lua_frames *f = lua_type(L, at) == LUA_TUSERDATA ? lua_touserdata(L, at) : NULL;
	return f && lua_objlen(L, at) == sizeof *f && lua_frames_is(f) ? f : NULL;
}

struct lua_frames *lua_frames_of(lua_State *L, int at)
{
	if (!lua_istable(L, at))
		return NULL;
	lua_rawgeti(L, at, LUA_SOCKET_SLOT);
	struct lua_frames *f = lua_frames_at(L, -1);
	lua_pop(L, 1);
	return f && f->socket && lua_socket_is_connection(f->socket) ? f : NULL;
}

void lua_frames_hold(lua_State *L, int at)
{
	lua_rawgeti(L, at, LUA_SOCKET_SLOT);
	lua_insert(L, 2);
	lua_settop(L, 2);
}

void lua_frames_open(lua_State *L)
{
	static const char *const names[16] = {[WS_CONTINUATION] = "continuation",
	        [WS_TEXT] = "text",
	        [WS_BINARY] = "binary",
	        [WS_CLOSE] = "close",
	        [WS_PING] = "ping",
	        [WS_PONG] = "pong"};
	struct lua_vm *vm = lua_vm_of(L);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!names[i])
			continue;
		lua_pushstring(L, names[i]);
		vm->frame_types[i] = luaL_ref(L, LUA_REGISTRYINDEX);
	}
}

void lua_frames_need(lua_State *L, const struct lua_frames *f)
{
	const struct lua_request *r = f->socket ? f->socket->request : NULL;
	if (r && r != lua_request_of(L))
		luaL_error(L, "bad request");
}

bool lua_frames_is_strict(const struct lua_frames *f)
{
	const struct lua_request *r = f->socket ? f->socket->request : NULL;
	return r && r->settings->is_strict;
}

/* ---- results ---- */

int lua_frames_fail(lua_State *L, const struct lua_frames *f, const char *prefix, const char *why)
{
	bool is_busy = why && strcmp(why, "socket busy reading") == 0 && !lua_frames_is_strict(f);
	bool is_late = why && strcmp(why, "timeout") == 0;
	if (f->sets_fatal && !is_busy && !is_late && lua_istable(L, 1)) {
		lua_pushliteral(L, "fatal");
		lua_pushboolean(L, 1);
		lua_rawset(L, 1); /* no metamethod: nobody would catch its errors here */
	}
	lua_pushnil(L);
	lua_pushnil(L);
	lua_pushfstring(L, "%s%s", prefix, why ? why : "");
	return 3;
}

void lua_frames_push_type(lua_State *L, const struct lua_frames *f, uint8_t opcode)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, f->socket->request->vm->frame_types[opcode]);
}

int lua_frames_push_close(lua_State *L, struct slice payload)
{
	size_t code = payload.len >= 2 ? 2 : 0;
	lua_pushlstring(L, (const char *)payload.at + code, payload.len - code);
	lua_pushliteral(L, "close");
	if (code)
		lua_pushinteger(L, (lua_Integer)ws_big_endian(payload.at, 2));
	else
		lua_pushnil(L);
	return 3;
}

/* ---- one frame ---- */

enum step { STEP_FIRST, STEP_LENGTH_16, STEP_LENGTH_64, STEP_PAYLOAD };

static const char *const step_words[] = {
        [STEP_FIRST] = "failed to receive the first 2 bytes: ",
        [STEP_LENGTH_16] = "failed to receive the 2 byte payload length: ",
        [STEP_LENGTH_64] = "failed to receive the 8 byte payload length: ",
        [STEP_PAYLOAD] = "failed to read masking-len and payload: ",
};

struct look {
	enum step step;    /* that is not done yet */
	const char *fault; /* what is wrong; NULL = nothing */
	size_t header;     /* its bytes without the mask; with a fault those that were read */
	size_t want;       /* bytes until the end of the step */
	uint64_t len;
	uint16_t code; /* a fault's close code */
	uint8_t opcode;
	bool fin, masked;
};

static void blame(struct look *k, size_t header, uint16_t code, const char *fault)
{
	k->fault = fault;
	k->header = header;
	k->code = code;
}

static bool judge_first(struct look *k, const struct lua_frames *f, const uint8_t *at)
{
	k->fin = at[0] & WS_FIN;
	k->opcode = at[0] & WS_OPCODE;
	k->masked = at[1] & WS_MASKED;
	if (at[0] & WS_RESERVED)
		blame(k, 2, 1002, "bad RSV1, RSV2, or RSV3 bits");
	else if (k->opcode >= 3 && k->opcode <= 7)
		blame(k, 2, 1002, "reserved non-control frames");
	else if (k->opcode >= 11)
		blame(k, 2, 1002, "reserved control frames");
	else if (f->needs_mask && !k->masked)
		blame(k, 2, 1002, "frame unmasked");
	return !k->fault;
}

static bool judge_length(struct look *k, const struct lua_frames *f)
{
	if (k->len > INT32_MAX)
		blame(k, k->header, 1009, "payload len too large");
	else if ((k->opcode & WS_CONTROL) && k->len > WS_CONTROL_MAX)
		blame(k, k->header, 1002, "too long payload for control frame");
	else if ((k->opcode & WS_CONTROL) && !k->fin)
		blame(k, k->header, 1002, "fragmented control frame");
	else if ((double)k->len > f->max_len)
		blame(k, k->header, 1009, "exceeding max payload len");
	return !k->fault;
}

/* The frame at the front. True: it is whole. */
static bool look_at(struct look *k, const struct lua_frames *f, const uint8_t *at, size_t n)
{
	k->step = STEP_FIRST;
	k->fault = NULL;
	k->want = 2;
	if (n < 2 || !judge_first(k, f, at))
		return false;
	uint8_t form = at[1] & 0x7f;
	size_t bytes = form == 127 ? 8 : form == 126 ? 2 : 0;
	k->header = 2 + bytes;
	if (bytes && n < k->header) {
		k->step = bytes == 8 ? STEP_LENGTH_64 : STEP_LENGTH_16;
		k->want = k->header;
		return false;
	}
	k->len = bytes ? ws_big_endian(at + 2, bytes) : form;
	if (!judge_length(k, f))
		return false;
	k->step = STEP_PAYLOAD;
	k->want = k->header + (k->masked ? 4 : 0) + (size_t)k->len;
	return n >= k->want;
}

static void count_frame(const struct lua_frames *f, const struct look *k, const uint8_t *payload)
{
	const struct lua_client *c = f->socket->client;
	if (!c || !c->session)
		return;
	if (k->opcode <= WS_BINARY)
		handler_messages(c->session, k->fin, 0);
	else if (k->opcode == WS_CLOSE)
		handler_close_received(
		        c->session, k->len >= 2 ? (uint16_t)ws_big_endian(payload, 2) : 0);
}

static bool has_additions(const struct lua_frames *f)
{
	return f->is_message || f->auto_pong || f->auto_close || f->checks_utf8;
}

static int push_plain(
        lua_State *L, const struct lua_frames *f, const struct look *k, struct slice payload)
{
	if (k->opcode == WS_CLOSE)
		return lua_frames_push_close(L, payload);
	lua_pushlstring(L, (const char *)payload.at, payload.len);
	lua_frames_push_type(L, f, k->opcode);
	if (k->fin)
		lua_pushnil(L);
	else
		lua_pushliteral(L, "again");
	return 3;
}

enum { SMALL = 4096 }; /* what may be pushed without asking for room */

/* The results of a whole frame; 0: it was of no interest to the reader. */
static int push_frame(lua_State *L, struct lua_frames *f, const struct look *k, uint8_t *at)
{
	uint8_t *payload = at + k->want - k->len;
	struct slice v = slice_of(payload, (size_t)k->len);
	int n = 0;
	if (k->opcode == WS_CLOSE && k->len == 1) {
		lua_input_take(f->socket->in, k->want);
		lua_frames_refuse(f, 1002);
		return lua_frames_fail(
		        L, f, "close frame with a body must carry a 2-byte status code", NULL);
	}
	/* An error from here on would leave a payload that is unmasked already. */
	struct lua_vm *vm = f->socket->request->vm;
	bool is_asked = k->len > SMALL || lua_vm_is_tight(vm);
	if (is_asked && !lua_vm_make_room(vm, (size_t)k->len + SMALL)) {
		lua_frames_refuse(f, 1009);
		return lua_frames_fail(L, f, step_words[STEP_PAYLOAD], "no memory");
	}
	if (k->masked)
		ws_mask(payload, (size_t)k->len, payload - 4, 0);
	count_frame(f, k, payload);
	if (has_additions(f)) {
		struct lua_frame_in in = {.payload = v, .opcode = k->opcode, .fin = k->fin};
		if (!lua_frames_judge(L, f, &in, &n))
			n = 0;
	} else {
		n = push_plain(L, f, k, v);
	}
	lua_input_take(f->socket->in, k->want);
	return n;
}

/* What traffic consists of, where nothing was kept of what came before: a whole frame of text or
 * binary, in the short form, that asks for nothing else. 0: it is not that, or not yet. */
static int take_common(lua_State *L, struct lua_frames *f, struct lua_input *in)
{
	uint8_t *at = in->fresh;
	if (in->start != in->end || in->fresh_len < 2 || has_additions(f))
		return 0;
	uint8_t type = at[0] ^ WS_FIN;
	bool masked = at[1] & WS_MASKED;
	size_t len = at[1] & 0x7f, header = masked ? 6 : 2;
	const struct lua_socket *s = f->socket;
	if ((type != WS_TEXT && type != WS_BINARY) || masked < f->needs_mask ||
	        len > WS_CONTROL_MAX || (double)len > f->max_len || in->fresh_len < header + len ||
	        lua_vm_is_tight(s->request->vm))
		return 0;
	if (masked)
		ws_mask(at + header, len, at + 2, 0);
	if (s->client && s->client->session)
		handler_messages(s->client->session, 1, 0);
	lua_pushlstring(L, (const char *)at + header, len);
	lua_frames_push_type(L, f, type);
	lua_pushnil(L);
	in->fresh += header + len;
	in->fresh_len -= header + len;
	return 3;
}

/* Nothing more will come. */
static int fail_at_end(lua_State *L, struct lua_frames *f, enum step step)
{
	f->socket->is_read_closed = true;
	if (!f->socket->in->error)
		return lua_frames_fail(L, f, step_words[step], "closed");
	lua_push_errno(L, f->socket->in->error);
	return lua_frames_fail(L, f, step_words[step], lua_tostring(L, -1));
}

/* What is there now. The results, or 0: more has to come. */
static int take_frame(lua_State *L, struct lua_frames *f)
{
	struct lua_input *in = f->socket->in;
	struct look k;
	uint8_t *at;
	size_t n;
	for (;;) {
		if (!lua_input_view(in, &at, &n))
			return lua_frames_fail(L, f, step_words[STEP_PAYLOAD], "no memory");
		if (!look_at(&k, f, at, n))
			break;
		int results = push_frame(L, f, &k, at);
		if (results)
			return results;
	}
	if (k.fault) {
		lua_input_take(in, k.header);
		lua_frames_refuse(f, k.code);
		return lua_frames_fail(L, f, k.fault, NULL);
	}
	if (in->is_eof)
		return fail_at_end(L, f, k.step);
	in->want = (uint32_t)k.want; /* at most 2^31 */
	return 0;
}

/* ---- waiting for the rest ---- */

static void stop_reading(struct lua_input *in)
{
	in->reader = NULL;
	in->want = 0;
}

static void on_more(struct lua_input *in)
{
	struct lua_wait *w = in->reader;
	struct lua_frames *f = w->owner;
	int n = take_common(w->L, f, in);
	if (n == 0)
		n = take_frame(w->L, f);
	if (n == 0) {
		/* A timeout is of one read, not of a frame. */
		if (w->deadline_ms > 0)
			w->deadline_ms = f->socket->request->vm->worker->worker->now_ms +
			                 lua_socket_read_ms(f->socket);
		return;
	}
	stop_reading(in);
	lua_wake(w, n);
}

static int on_expired(struct lua_wait *w)
{
	struct lua_frames *f = w->owner;
	struct look k;
	uint8_t *at;
	size_t n;
	struct lua_input *in = f->socket->in;
	stop_reading(in);
	if (f->socket->is_read_closed)
		return lua_frames_fail(w->L, f, step_words[STEP_FIRST], "closed");
	if (!lua_input_view(in, &at, &n))
		return lua_frames_fail(w->L, f, step_words[STEP_PAYLOAD], "no memory");
	look_at(&k, f, at, n);
	if (lua_frames_is_strict(f))
		lua_input_take(in, n);
	return lua_frames_fail(w->L, f, step_words[k.step], "timeout");
}

static void on_cancelled(struct lua_wait *w)
{
	struct lua_frames *f = w->owner;
	if (!f->socket)
		return;
	stop_reading(f->socket->in);
	if (lua_frames_is_strict(f))
		f->socket->is_read_closed = f->socket->is_write_closed = true;
}

static const char *no_read(const struct lua_frames *f)
{
	const struct lua_socket *s = f->socket;
	if (!s || !s->request || s->is_read_closed)
		return "closed";
	if (s->is_connecting)
		return "socket busy connecting";
	return s->in->reader ? "socket busy reading" : NULL;
}

int lua_frames_await(lua_State *L, struct lua_frames *f)
{
	static const struct lua_wait_ops ops = {.expire = on_expired, .cancel = on_cancelled};
	struct lua_wait *w = lua_wait_begin(L, &ops, f);
	lua_input_await(f->socket->in, w, on_more);
	return lua_wait_keeping(L, w, lua_socket_read_ms(f->socket), 2);
}

int lua_frames_receive(lua_State *L, struct lua_frames *f)
{
	const char *why = no_read(f);
	if (why)
		return lua_frames_fail(L, f, step_words[STEP_FIRST], why);
	int n = take_frame(L, f);
	return n ? n : lua_frames_await(L, f);
}
