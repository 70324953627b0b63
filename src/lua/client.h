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
#include "net/worker.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct http_writer;
struct lua_answer;
struct lua_body;
struct session;
struct upstream_group;

/* How far the answer has come. */
enum lua_answer_state { LUA_ANSWER_NONE, LUA_ANSWER_HEAD_SENT, LUA_ANSWER_ENDED };

/* One for each connection that a script has, so it is small. */
struct lua_client {
	struct session *session;     /* NULL: it has ended (log_handler runs after) */
	struct lua_request *request; /* the one that runs now, or NULL */
	struct lua_input in;
	struct lua_output out;
	struct lua_vm *vm; /* used */
	uint8_t *head;     /* the request's bytes, with what the script changed in them */
	uint8_t *original; /* as they came, once it has changed something; else NULL */
	uint32_t head_len, original_len;
	struct lua_answer *answer; /* headers the script has set; NULL = none */
	struct lua_body *body;     /* of the request, as it is read; NULL = none asked for */
	int ctx;                   /* reference of ngx.ctx, from one phase to the next */
	int vars;                  /* reference of the variables that scripts have set */
	int on_abort;              /* reference of ngx.on_abort's function */
	uint16_t status;           /* of the answer, as the script set it; 0 = 200 */
	uint16_t answered;         /* the status that went out; 0 = none */
	uint16_t stop_code;        /* the daemon has ended it with this; 0 = it has not */
	uint16_t fault_code;       /* of the frame that its peer was wrong to send; 0 = none */
	uint8_t answer_state;      /* enum lua_answer_state */
	bool is_chunked : 1;       /* the answer's body */
	bool is_head : 1;          /* HEAD: it has none */
	bool may_keep_alive : 1;   /* the connection can go on after it */
	bool is_http10 : 1;
	bool is_raw : 1;         /* ngx.req.socket(true): the script writes for itself */
	bool is_upgraded : 1;    /* 101 was sent */
	bool is_websocket : 1;   /* frames are sent by resty.websocket.server: at the end, and
	                            when the daemon stops, it is told by a close frame */
	bool is_close_sent : 1;  /* nothing may follow */
	bool has_closed : 1;     /* the script has sent a close frame itself */
	bool is_mid_frame : 1;   /* a frame was sent in part: no close frame fits in */
	bool has_body_begun : 1; /* bytes of the request's body were taken */
	bool is_body_done : 1;   /* all of them were */
	bool is_body_timed_out : 1;
	bool is_body_discarded : 1; /* no script sees its bytes */
	bool has_body_socket : 1;   /* ngx.req.socket() reads the body */
	bool is_failed : 1;         /* its answer cannot become whole */
	bool is_length_known : 1;   /* the answer's Content-Length is the script's */
	bool is_untyped : 1;        /* the script wants no Content-Type */
	bool is_args_written : 1;   /* an empty query is one, not none */
	uint32_t unread;      /* after the end: bytes of the present read that were not used */
	uint64_t length_left; /* of that Content-Length */
	size_t sending;       /* bytes whose sender waits for room */
	uint64_t start_ms;    /* wall clock */
	union {
		struct {
			struct upstream_group *group; /* access: chosen by ngx.var.upstream; not
			                                 referenced */
			char *server;                 /* access: ngx.var.upstream_server */
		};
		struct retired retired; /* once it is given up */
	};
};
_Static_assert(sizeof(struct lua_client) <= 256, "an idle connection stays small");

extern const struct handler_ops lua_handler_ops;

/* The head, parsed anew into the worker's scratch: until the next call of this or the
 * next head of any endpoint. */
struct http_head *lua_client_head(struct lua_client *c);
/* The same as it came: how the client has framed its body is not the script's to change. */
struct http_head *lua_client_framing(struct lua_client *c);
/* A field of it, no longer than it came: a line, and the head, may be at their limits. */
void lua_client_put_field(struct http_writer *w, const struct http_field *f);
/* Replaces it with bytes that are whole and parse; taken over (mem_free). */
void lua_client_set_head(struct lua_client *c, uint8_t *bytes, size_t len);

/* ---- the answer (answer.c) ---- */

/* The wire's form of what a script calls a header: `_` is `-`. Fields of one name are
 * in the order in which they were added. */
bool lua_answer_add(struct lua_client *c, struct slice name, struct slice value);
void lua_answer_remove(struct lua_client *c, struct slice name);
/* The i-th field of that name, or of all when it is empty. False: there is none. */
bool lua_answer_get(const struct lua_client *c, struct slice name, size_t i, struct slice *found,
        struct slice *value);
void lua_answer_clear(struct lua_client *c);
/* Writes a byte of a value as it may stand in a head: control characters are percent-encoded.
 * Returns 1 or 3, the bytes written. */
size_t lua_header_escape(char out[3], uint8_t byte);

/* Fields of the head that was sent which the script has not set; before that only `Connection`, as
 * it would be; none where the answer was no script's. Returns how many. */
enum { LUA_ANSWER_OWN_MAX = 3 };
struct lua_answer_field {
	struct slice name, value;
};
size_t lua_answer_own(const struct lua_client *c, struct lua_answer_field own[LUA_ANSWER_OWN_MAX]);
/* A head was sent, with the Content-Type that is there without one of the script's. */
bool lua_client_has_default_type(const struct lua_client *c);
/* Sends the answer's head unless it went out before. False: the connection is gone. */
bool lua_client_send_head(struct lua_client *c);
/* A part of the answer's body, framed as its head says; sends that first. */
bool lua_client_send_body(struct lua_client *c, const struct slice *v, size_t n);
/* The body's end, behind the head at least. */
bool lua_client_send_end(struct lua_client *c);
/* A whole answer of a status, with a short page for 300 and above. */
bool lua_client_send_page(struct lua_client *c, unsigned status);
/* Bytes as they are: after a 101, or ngx.req.socket(true). */
bool lua_client_send_raw(struct lua_client *c, const struct slice *v, size_t n);
/* A close frame, once, if one may be sent: for whoever ends a WebSocket. */
void lua_client_send_close(struct lua_client *c, uint16_t code, const char *reason);

/* The script takes the connection over, ngx.req.socket(true); if no head was sent, it
 * writes that itself. NULL; or why not. */
const char *lua_client_take_raw(struct lua_client *c);
