/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* WebSocket frames over a native socket, for resty.websocket.*: read straight from the bytes of the
 * connection (lua_input), written straight to what is sent in this turn (lua_output). One
 * worker's thread.
 *
 * What is not read yet of a frame stays in the input, so a frame whose rest is late costs no
 * state, and is resumed whenever it is asked for again. In strict mode (compat = strict) a
 * timeout loses what came of the frame, as in the library that this stands for.
 *
 * A struct lua_frames is the userdata in a socket's table, and holds the socket that it reads and
 * writes. */

#include "base/slice.h"
#include "lua/input.h"
#include "lua/output.h"
#include "lua/request.h"
#include "lua/socket.h"
#include "ws/frame.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct lua_message;

struct lua_frames {
	const void *magic;
	struct lua_socket *socket; /* NULL: it is gone */
	/* Of the reader that waits, or has just asked. */
	double max_len;
	bool needs_mask; /* unmasked frames are refused */
	bool sets_fatal; /* slot 1 of its stack is an object whose `fatal` is to be set */
	bool is_message; /* it wants whole messages */
	/* What the object was made with; all of it is opt-in. */
	bool auto_pong, auto_close, checks_utf8, whole_messages;
	bool is_server;              /* the object's side: the peer's frames are masked */
	bool is_answered;            /* auto_close has sent a close frame */
	bool masks;                  /* own frames of auto_pong and auto_close */
	uint32_t max_message;        /* 0 = as max_len */
	struct lua_message *message; /* what came of one that is not whole; NULL = none */
};

/* Pushes the userdata of a socket that is to come. */
struct lua_frames *lua_frames_new(lua_State *L);
/* That of the socket in slot `at`. NULL: no native connection; bodies and datagrams are none. */
struct lua_frames *lua_frames_of(lua_State *L, int at);
/* That in slot `at` itself, or NULL. */
struct lua_frames *lua_frames_at(lua_State *L, int at);
/* Its socket is gone, or it is. */
void lua_frames_forget(struct lua_frames *f);
/* Its socket has another connection now: nothing of the one before is left. */
void lua_frames_renew(struct lua_frames *f);
/* Slots 1 and 2 as a wait needs them: whatever is in slot 1, and the userdata of the socket in slot
 * `at`; and nothing above. */
void lua_frames_hold(lua_State *L, int at);
bool lua_frames_is_strict(const struct lua_frames *f);
extern const char lua_frames_magic; /* its address says what a userdata is */
/* Whether that is one, whatever memory it is. */
static inline bool lua_frames_is(const struct lua_frames *f)
{
	return f && f->magic == &lua_frames_magic;
}
/* Once for each VM. */
void lua_frames_open(lua_State *L);
/* Raises `bad request` when the running request is another than the socket's. */
void lua_frames_need(lua_State *L, const struct lua_frames *f);

/* Nobody reads, so max_len and so on may be set. */
static inline bool lua_frames_may_ask(const struct lua_frames *f)
{
	return f->socket && f->socket->request && f->socket->in && !f->socket->in->reader;
}
/* Reads a frame by max_len, needs_mask ...: `return lua_frames_receive(L, f)`. The results are
 * data, typ, err, as LUA_CONTRACT.md has them. Behind lua_frames_hold(). */
int lua_frames_receive(lua_State *L, struct lua_frames *f);

/* The same when it is known that nothing is there: waits. */
int lua_frames_await(lua_State *L, struct lua_frames *f);

/* What is to be sent: the payload in two pieces. */
struct lua_frame_out {
	bool fin, masked;
	bool sets_fatal; /* slot 1 is an object whose `fatal` is to be set if that fails later */
	uint8_t opcode, first; /* first: the byte that leads, as the script made it */
	int sock;              /* the slot of the socket */
	struct slice a, b;
};
/* Sends it, and waits for room behind it: `return lua_frames_send(L, f, o)`. The results are how
 * many bytes it has, or nil and why. */
int lua_frames_send(lua_State *L, struct lua_frames *f, const struct lua_frame_out *o);
/* Puts it into the output. Returns its bytes, or 0: it cannot be sent. */
size_t lua_frames_put(struct lua_frames *f, const struct lua_frame_out *o);
/* Waits for room behind a frame of so many bytes, as an object's method. Behind lua_frames_hold().
 */
int lua_frames_wait(lua_State *L, struct lua_frames *f, size_t bytes);
/* The same for a frame that Moongate itself makes: never waits. */
void lua_frames_put_control(struct lua_frames *f, uint8_t opcode, struct slice payload);

/* frames_message.c: what the opt-in additions make of a frame whose payload is unmasked. False:
 * the reader gets nothing for it and reads on; otherwise *n results were pushed. */
struct lua_frame_in {
	struct slice payload;
	uint8_t opcode;
	bool fin;
};
bool lua_frames_judge(lua_State *L, struct lua_frames *f, const struct lua_frame_in *in, int *n);
void lua_message_free(struct lua_message *m);
/* The peer was wrong: it is told why nothing more is read, by auto_close now, else at the end. */
void lua_frames_refuse(struct lua_frames *f, uint16_t code);
/* Pushes nil, nil and why, and makes that fatal where it is. */
int lua_frames_fail(lua_State *L, const struct lua_frames *f, const char *prefix, const char *why);
/* `text`, `binary` ... */
void lua_frames_push_type(lua_State *L, const struct lua_frames *f, uint8_t opcode);
/* close: reason, "close", code. */
int lua_frames_push_close(lua_State *L, struct slice payload);
