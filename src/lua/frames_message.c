/* SPDX-License-Identifier: BSD-2-Clause */

/* What a script may ask for beyond lua-resty-websocket: pings and close frames that are answered,
 * whole messages, text that is checked. */

#include "base/mem.h"
#include "lua/client.h"
#include "lua/frames.h"
#include "lua/vm.h"
#include "ws/header.h"
#include "ws/utf8.h"

struct lua_message {
	uint8_t *bytes;
	size_t len, size;
	uint8_t opcode;
	bool is_open;     /* more of it has to come */
	utf8_state state; /* text: after what came */
};

enum { SIZE_FIRST = 4096 };

void lua_message_free(struct lua_message *m)
{
	if (m)
		mem_free(m->bytes);
	mem_free(m);
}

static void end_message(struct lua_frames *f)
{
	lua_message_free(f->message);
	f->message = NULL;
}

void lua_frames_refuse(struct lua_frames *f, uint16_t code)
{
	uint8_t body[2] = {(uint8_t)(code >> 8), (uint8_t)code};
	if (f->socket->client)
		f->socket->client->fault_code = code;
	if (!f->auto_close || f->is_answered)
		return;
	lua_frames_put_control(f, WS_CLOSE, slice_of(body, sizeof body));
	f->is_answered = true;
}

static int refuse(lua_State *L, struct lua_frames *f, uint16_t code, const char *why)
{
	lua_frames_refuse(f, code);
	return lua_frames_fail(L, f, why, NULL);
}

/* ---- control frames ---- */

static int judge_close(lua_State *L, struct lua_frames *f, struct slice payload)
{
	uint16_t code = payload.len >= 2 ? (uint16_t)ws_big_endian(payload.at, 2) : 0;
	if (payload.len > 2 && f->checks_utf8 &&
	        utf8_check(UTF8_START, payload.at + 2, payload.len - 2) != UTF8_START)
		return refuse(L, f, 1007, "invalid utf-8");
	if (f->auto_close && !f->is_answered) {
		bool is_valid = payload.len < 2 || ws_close_code_is_valid(code);
		if (!is_valid)
			lua_frames_refuse(f, 1002);
		else
			lua_frames_put_control(
			        f, WS_CLOSE, slice_of(payload.at, payload.len >= 2 ? 2 : 0));
		f->is_answered = true;
	}
	return lua_frames_push_close(L, payload);
}

static int push_data(
        lua_State *L, const struct lua_frames *f, uint8_t opcode, struct slice payload, bool fin)
{
	lua_pushlstring(L, (const char *)payload.at, payload.len);
	lua_frames_push_type(L, f, opcode);
	if (fin)
		lua_pushnil(L);
	else
		lua_pushliteral(L, "again");
	return 3;
}

static bool judge_control(lua_State *L, struct lua_frames *f, const struct lua_frame_in *in, int *n)
{
	if (in->opcode == WS_PING && f->auto_pong) {
		lua_frames_put_control(f, WS_PONG, in->payload);
		return false;
	}
	*n = in->opcode == WS_CLOSE ? judge_close(L, f, in->payload)
	                            : push_data(L, f, in->opcode, in->payload, true);
	return true;
}

/* ---- data ---- */

static const char *sequence_fault(const struct lua_frames *f, const struct lua_frame_in *in)
{
	bool is_open = f->message && f->message->is_open;
	if (in->opcode == WS_CONTINUATION && !is_open)
		return "continuation frame without a message";
	if (in->opcode != WS_CONTINUATION && is_open)
		return "new message within a message";
	return NULL;
}

static bool append(struct lua_message *m, struct slice v)
{
	size_t want = m->len + v.len;
	if (want > m->size) {
		size_t size = m->size ? 2 * m->size : SIZE_FIRST;
		size = size < want ? want : size;
		uint8_t *bytes = mem_try(size);
		if (!bytes)
			return false;
		if (m->len > 0)
			memcpy(bytes, m->bytes, m->len);
		mem_free(m->bytes);
		m->bytes = bytes;
		m->size = size;
	}
	if (v.len > 0)
		memcpy(m->bytes + m->len, v.at, v.len);
	m->len = want;
	return true;
}

static struct lua_message *message_of(struct lua_frames *f, const struct lua_frame_in *in)
{
	if (f->message && in->opcode == WS_CONTINUATION)
		return f->message;
	end_message(f);
	struct lua_message *m = mem_try(sizeof *m);
	if (m)
		*m = (struct lua_message){.opcode = in->opcode, .is_open = true};
	f->message = m;
	return m;
}

static bool is_sound(const struct lua_frames *f, struct lua_message *m, utf8_state *state,
        const struct lua_frame_in *in)
{
	uint8_t opcode = m ? m->opcode : in->opcode;
	if (!f->checks_utf8 || opcode != WS_TEXT)
		return true;
	*state = utf8_check(*state, in->payload.at, in->payload.len);
	return *state != UTF8_WRONG && (!in->fin || *state == UTF8_START);
}

static int push_message(lua_State *L, struct lua_frames *f)
{
	struct lua_message *m = f->message;
	int n;
	if (lua_vm_make_room(f->socket->request->vm, m->len))
		n = push_data(L, f, m->opcode, slice_of(m->bytes, m->len), true);
	else
		n = refuse(L, f, 1009, "no memory");
	end_message(f);
	return n;
}

/* A part of a message, or all of one that came in a frame of its own. */
static bool judge_data(lua_State *L, struct lua_frames *f, const struct lua_frame_in *in, int *n)
{
	bool is_alone = in->fin && in->opcode != WS_CONTINUATION;
	struct lua_message *m = NULL;
	utf8_state state = UTF8_START;
	const char *fault = f->is_message ? sequence_fault(f, in) : NULL;
	if (fault) {
		*n = refuse(L, f, 1002, fault);
		return true;
	}
	size_t had = f->is_message && f->message && !is_alone ? f->message->len : 0;
	double max = f->max_message > 0 ? (double)f->max_message : f->max_len;
	if (f->is_message && (double)(had + in->payload.len) > max) {
		*n = refuse(L, f, 1009, "exceeding max message len");
		return true;
	}
	bool is_kept = !is_alone && (f->is_message || f->checks_utf8);
	if (is_kept && !(m = message_of(f, in))) {
		*n = refuse(L, f, 1009, "no memory");
		return true;
	}
	if (!is_sound(f, m, m ? &m->state : &state, in)) {
		*n = refuse(L, f, 1007, "invalid utf-8");
		return true;
	}
	if (!f->is_message || is_alone) {
		*n = push_data(L, f, in->opcode, in->payload, in->fin);
		if (in->fin)
			end_message(f);
		return true;
	}
	if (!append(m, in->payload)) {
		*n = refuse(L, f, 1009, "no memory");
		return true;
	}
	if (!in->fin)
		return false;
	*n = push_message(L, f);
	return true;
}

bool lua_frames_judge(lua_State *L, struct lua_frames *f, const struct lua_frame_in *in, int *n)
{
	return in->opcode & WS_CONTROL ? judge_control(L, f, in, n) : judge_data(L, f, in, n);
}
