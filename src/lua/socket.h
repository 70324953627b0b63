/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What sockets of scripts have in common: connections that they made (ngx.socket.tcp), the client's
 * own (ngx.req.socket(true)) and the request's body (ngx.req.socket()). A script holds a table,
 * whose [1] is a userdata, a struct lua_frames, which points to a struct lua_socket. One worker's
 * thread.
 *
 * One reader and one writer at a time. A socket belongs to the request that made or connected
 * it; whoever else uses it raises `bad request`. With the request everything ends.
 *
 * For others that read or write on a socket (resty.websocket.*):
 *
 *     struct lua_socket *s = lua_socket_at(L, 1);
 *     const char *why = lua_socket_no_read(L, s);       // may raise
 *     if (why)
 *             return nil, why;
 *     lua_input_view(s->in, &at, &len) ... lua_input_take(s->in, n);
 *     or: struct lua_wait *w = lua_wait_begin(L, &ops, mine);
 *         lua_input_await(s->in, w, more);
 *         return lua_socket_wait(L, w, lua_socket_read_ms(s));
 *
 * and to send: `return lua_socket_send(L, s, v, n)`, which returns what send() does. */

#include "base/slice.h"
#include "lua/input.h"
#include "lua/output.h"
#include "lua/request.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct lua_client;
struct lua_until;

enum lua_socket_kind { LUA_SOCKET_TCP, LUA_SOCKET_RAW, LUA_SOCKET_BODY, LUA_SOCKET_UDP };

/* What a receive wants. */
enum lua_read_kind {
	LUA_READ_LINE,
	LUA_READ_SIZE,
	LUA_READ_ALL,
	LUA_READ_ANY,
	LUA_READ_UNTIL,
	LUA_READ_PEEK
};
struct lua_read {
	uint8_t kind;
	size_t size;             /* SIZE, PEEK, ANY, UNTIL (0: no limit) */
	size_t scanned;          /* LINE, UNTIL: so many of the unread bytes hold no end */
	struct lua_until *until; /* UNTIL; the script's */
};

struct lua_socket {
	struct lua_request *request; /* whose it is; NULL: that has ended, or it was never used */
	struct lua_input *in;
	struct lua_output *out;    /* NULL: a body */
	struct lua_client *client; /* RAW, BODY */
	struct lua_cleanup cleanup;
	uint32_t connect_ms, send_ms, read_ms; /* 0: as the settings say */
	union {
		struct lua_read read; /* while in->reader */
		struct retired retired;
	};
	size_t sending;       /* while out->writer: what send() will return */
	size_t queued;        /* of it, when that was looked at last */
	uint8_t kind;         /* enum lua_socket_kind */
	bool is_used;         /* it was connected once: from now on it is its request's */
	bool is_read_closed;  /* its end, or an error, was told: nothing more will be */
	bool is_write_closed; /* a send has failed */
	bool is_connecting;   /* TCP: connect, or the handshake, is under way */
};

/* Frames can go over it. */
static inline bool lua_socket_is_connection(const struct lua_socket *s)
{
	return s->kind == LUA_SOCKET_TCP || s->kind == LUA_SOCKET_RAW;
}

/* Where a socket's table keeps its userdata. */
enum { LUA_SOCKET_SLOT = 1 };
/* The socket of the object at that place of the stack; NULL: it is none. */
struct lua_socket *lua_socket_at(lua_State *L, int at);
/* The same, raises for none. */
struct lua_socket *lua_socket_check(lua_State *L, int at);

/* Why nothing can be read, or sent, now: `closed`, `socket busy reading`...; NULL: it can.
 * Raises `bad request`. */
const char *lua_socket_no_read(lua_State *L, struct lua_socket *s);
const char *lua_socket_no_write(lua_State *L, struct lua_socket *s);
/* `return lua_socket_wait(...)`: as lua_wait(), for whom waits for the socket in slot 1. */
int lua_socket_wait(lua_State *L, struct lua_wait *w, uint64_t timeout_ms);
/* Sends, and waits while the peer does not take it: `return lua_socket_send(...)`, after
 * lua_socket_no_write(). Returns the number of bytes, or nil and why not. */
int lua_socket_send(lua_State *L, struct lua_socket *s, const struct slice *v, size_t n);
/* Receives: `return lua_socket_receive(...)`, after lua_socket_no_read(). */
int lua_socket_receive(lua_State *L, struct lua_socket *s, const struct lua_read *what);
/* ms, 0 = no limit. */
uint64_t lua_socket_read_ms(const struct lua_socket *s);
uint64_t lua_socket_send_ms(const struct lua_socket *s);
/* settimeout(), with what is in that slot; raises. */
void lua_socket_set_timeout(lua_State *L, struct lua_socket *s, int arg);
/* Into the log, if the settings want errors of sockets there. */
void lua_socket_log(const struct lua_socket *s, const char *what);

/* `return lua_socket_push_raw(L)`: ngx.req.socket(true): the object, or nil and why not. */
int lua_socket_push_raw(lua_State *L);
