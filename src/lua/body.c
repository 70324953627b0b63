/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/body.h"

#include "base/mem.h"

#include <errno.h>

enum { BODY_FIRST = 1024 };

struct lua_body *lua_body_of(struct lua_client *c)
{
	if (!c->body && (c->body = mem_try(sizeof *c->body))) {
		*c->body = (struct lua_body){.bytes = NULL};
		http_body_init(&c->body->parser, lua_client_framing(c));
		c->is_body_done = c->body->parser.done;
	}
	return c->body;
}

void lua_body_free(struct lua_client *c)
{
	if (c->body)
		mem_free(c->body->bytes);
	mem_free(c->body);
	c->body = NULL;
}

void lua_body_expect(struct lua_client *c)
{
	struct slice line = SLICE("HTTP/1.1 100 Continue\r\n\r\n");
	const struct http_head *h = lua_client_framing(c);
	if (h->expects_continue && !c->has_body_begun && c->answer_state == LUA_ANSWER_NONE) {
		lua_output_put(&c->out, &line, 1);
		lua_output_flush(&c->out);
	}
	handler_want_bytes(c->session);
}

static bool keep(struct lua_body *b, struct slice content)
{
	if (content.len == 0)
		return true;
	if (content.len > b->size - b->len) {
		size_t size = 2 * b->size, want = b->len + content.len;
		size = size < BODY_FIRST ? BODY_FIRST : size;
		size = size < want ? want : size;
		uint8_t *bytes = mem_try(size);
		if (!bytes)
			return false;
		if (b->len > 0)
			memcpy(bytes, b->bytes, b->len);
		mem_free(b->bytes);
		b->bytes = bytes;
		b->size = size;
	}
	memcpy(b->bytes + b->len, content.at, content.len);
	b->len += content.len;
	return true;
}

void lua_body_release(struct lua_client *c)
{
	if (c->body && c->body->pending > 0)
		lua_input_take(&c->in, c->body->pending);
	if (c->body)
		c->body->pending = 0;
}

/* One step of the parser over what has come. */
static enum lua_body_state step(struct lua_client *c, size_t max, struct slice *content)
{
	struct lua_body *b = c->body;
	uint8_t *at;
	size_t len;
	*content = SLICE("");
	lua_body_release(c);
	if (b->parser.done)
		return LUA_BODY_DONE;
	if (!lua_input_view(&c->in, &at, &len))
		return LUA_BODY_NO_MEMORY;
	ssize_t n = http_body_read(&b->parser, at, len < max ? len : max, content);
	if (n < 0)
		return LUA_BODY_BROKEN;
	c->has_body_begun |= n > 0;
	c->is_body_done = b->parser.done;
	if (n == 0 && !b->parser.done)
		return c->in.error == ENOMEM ? LUA_BODY_NO_MEMORY
		       : c->in.is_eof        ? LUA_BODY_BROKEN
		                             : LUA_BODY_MORE;
	b->pending = (size_t)n;
	return LUA_BODY_DONE;
}

enum lua_body_state lua_body_next(struct lua_client *c, size_t max, struct slice *piece)
{
	enum lua_body_state state;
	do
		state = step(c, max, piece);
	while (state == LUA_BODY_DONE && piece->len == 0 && !c->is_body_done);
	return state;
}

enum lua_body_state lua_body_read(struct lua_client *c)
{
	uint32_t max = c->request->settings->body_max;
	while (!c->body->parser.done) {
		struct slice content;
		enum lua_body_state state = step(c, SIZE_MAX, &content);
		if (state != LUA_BODY_DONE)
			return state;
		if (c->is_body_discarded)
			continue;
		if (max && c->body->len + content.len > max)
			return LUA_BODY_TOO_LARGE;
		if (!keep(c->body, content))
			return LUA_BODY_NO_MEMORY;
	}
	lua_body_release(c);
	return LUA_BODY_DONE;
}

unsigned lua_body_status(enum lua_body_state state)
{
	switch (state) {
	case LUA_BODY_BROKEN:
		return 400;
	case LUA_BODY_TOO_LARGE:
		return 413;
	case LUA_BODY_NO_MEMORY:
		return 503;
	default:
		return 500;
	}
}
