/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The client of a request: its head, the answer that the script makes, and both halves of
 * the connection. What a handler does with HTTP is here; ngx_req.c, ngx_resp.c and ngx_var.c
 * show it to scripts. One worker's thread. */

#include "http/body.h"
#include "http/head.h"
#include "lua/input.h"
#include "lua/output.h"
#include "lua/request.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct lua_answer;
struct lua_body;
struct session;
struct upstream_group;

/* How far the answer has come. */
enum lua_answer_state { LUA_ANSWER_NONE, LUA_ANSWER_HEAD_SENT, LUA_ANSWER_ENDED };

struct lua_client {
	struct session *session;     /* NULL: it has ended (log_handler runs after) */
	struct lua_request *request; /* the one that runs now, or NULL */
	struct lua_input in;
	struct lua_output out;
	uint8_t *head; /* the request's bytes, with what the script changed in them */
	uint32_t head_len;
	uint16_t status;      /* of the answer, as the script set it; 0 = 200 */
	uint8_t answer_state; /* enum lua_answer_state */
	bool is_chunked;      /* the answer's body */
	bool is_head;         /* HEAD: it has none */
	bool may_keep_alive;  /* the connection can go on after it */
	bool is_http10;
	bool is_raw;                  /* ngx.req.socket(true): the script writes for itself */
	bool is_upgraded;             /* 101 was sent */
	bool is_websocket;            /* frames are sent by resty.websocket.server: at the end, and
	                                 when the daemon stops, it is told by a close frame */
	bool is_close_sent;           /* nothing may follow */
	bool is_mid_frame;            /* a frame was sent in part: no close frame fits in */
	bool has_body_begun;          /* the request's body is being read, or was */
	uint16_t stop_code;           /* a close frame with it is due at the end; 0 = none */
	struct lua_answer *answer;    /* headers the script has set; NULL = none */
	struct lua_body *body;        /* of the request, as it is read; NULL = none asked for */
	int ctx;                      /* ngx.ctx, from one phase to the next */
	int on_abort;                 /* reference of ngx.on_abort's function */
	struct upstream_group *group; /* access: chosen by ngx.var.upstream; not referenced */
	char *server;                 /* access: ngx.var.upstream_server */
	struct lua_vm *vm;            /* used */
	uint64_t start_ms;            /* wall clock */
};

/* The head, parsed anew into the worker's scratch: until the next call of this or the
 * next head of any endpoint. */
const struct http_head *lua_client_head(struct lua_client *c);
/* Replaces it. Bytes are whole and parse; taken over (mem_free). */
void lua_client_set_head(struct lua_client *c, uint8_t *bytes, size_t len);

/* Sends the answer's head unless it went out before. False: the connection is gone. */
bool lua_client_send_head(struct lua_client *c);
/* A part of the answer's body, framed as its head says; sends that first. */
bool lua_client_send_body(struct lua_client *c, const struct slice *v, size_t n);
/* The body's end. */
bool lua_client_send_end(struct lua_client *c);
/* Bytes as they are: after a 101, or ngx.req.socket(true). */
bool lua_client_send_raw(struct lua_client *c, const struct slice *v, size_t n);
/* The raw socket is taken. Pushes nil and why not, and returns 2; or 0. Sends the
 * head first, if none was. */
int lua_client_take_raw(lua_State *L, struct lua_client *c);
