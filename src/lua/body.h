/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The body of a client's request, as far as a script wants it. One worker's thread. */

#include "http/body.h"
#include "lua/client.h"

enum lua_body_state {
	LUA_BODY_MORE,
	LUA_BODY_DONE,
	LUA_BODY_BROKEN,
	LUA_BODY_TOO_LARGE,
	LUA_BODY_NO_MEMORY
};

struct lua_body {
	struct http_body parser;
	uint8_t *bytes; /* the content so far */
	size_t len, size;
	size_t pending; /* bytes of the input whose content was handed out, to be taken next */
	bool is_whole;  /* ngx.req.read_body() is done: get_body_data() may tell */
};

/* The body, from its beginning; NULL when memory is short. */
struct lua_body *lua_body_of(struct lua_client *c);
void lua_body_free(struct lua_client *c);
/* It is wanted from now on: the client hears so if it has asked, and its bytes come. */
void lua_body_expect(struct lua_client *c);
/* Takes what has come of it. */
enum lua_body_state lua_body_read(struct lua_client *c);
/* The next piece of its content, which is not kept: at most `max` bytes, from what has come. Empty
 * with LUA_BODY_MORE: wait. For ngx.req.socket(). The slice lasts until the next take or read of
 * the input. */
enum lua_body_state lua_body_next(struct lua_client *c, size_t max, struct slice *piece);
/* What was handed out last has been used. */
void lua_body_release(struct lua_client *c);
/* The status of an answer to a body in that state. */
unsigned lua_body_status(enum lua_body_state state);
