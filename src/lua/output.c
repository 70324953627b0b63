/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/output.h"

#include "lua/worker.h"
#include "proxy/handler.h"

#include <errno.h>
#include <string.h>

static bool is_dead(const struct lua_output *out)
{
	return !out->stream || out->error || (out->stream->flags & STREAM_FAILED);
}

static void transmit(struct lua_output *out, const struct slice *v, size_t n)
{
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += v[i].len;
	if (is_dead(out))
		return;
	if (!stream_send(out->stream, v, n) && !out->error)
		out->error = stream_error(out->stream) ? stream_error(out->stream) : EPIPE;
	if (out->session)
		handler_sent(out->session, bytes);
}

void lua_output_flush(struct lua_output *out)
{
	struct lua_worker *lw = out->worker;
	if (lw->out.owner != out)
		return;
	struct slice v = slice_of(lw->out.bytes, lw->out.len);
	lw->out.owner = NULL;
	lw->out.len = 0;
	transmit(out, &v, 1);
}

/* The buffer is this one's from here on. */
static void claim(struct lua_output *out)
{
	struct lua_worker *lw = out->worker;
	if (lw->out.owner == out)
		return;
	if (lw->out.owner)
		lua_output_flush(lw->out.owner);
	lw->out.owner = out;
	lw->out.len = 0;
}

bool lua_output_put(struct lua_output *out, const struct slice *v, size_t n)
{
	struct lua_worker *lw = out->worker;
	size_t bytes = 0;
	if (is_dead(out))
		return false;
	for (size_t i = 0; i < n; i++)
		bytes += v[i].len;
	claim(out);
	if (bytes > LUA_OUT_SIZE - lw->out.len)
		lua_output_flush(out);
	if (bytes > LUA_OUT_SIZE / 2) {
		lua_output_flush(out);
		transmit(out, v, n);
		return true;
	}
	claim(out);
	for (size_t i = 0; i < n; i++) {
		if (v[i].len > 0)
			memcpy(lw->out.bytes + lw->out.len, v[i].at, v[i].len);
		lw->out.len += v[i].len;
	}
	return true;
}

uint8_t *lua_output_room(struct lua_output *out, size_t n)
{
	struct lua_worker *lw = out->worker;
	if (is_dead(out))
		return NULL;
	if (lw->out.owner == out && n > LUA_OUT_SIZE - lw->out.len)
		lua_output_flush(out);
	claim(out);
	return lw->out.bytes + lw->out.len;
}

bool lua_output_put_written(struct lua_output *out, size_t n)
{
	size_t own = out->worker->out.len += n;
	bool is_less = out->stream->out.bytes + own < out->stream->high_mark && !budget_is_short();
	return !is_less && lua_output_is_over(out);
}

bool lua_output_is_over(struct lua_output *out)
{
	const struct lua_worker *lw = out->worker;
	if (is_dead(out))
		return false;
	size_t own = lw->out.owner == out ? lw->out.len : 0;
	if (out->stream->out.bytes + own < out->stream->high_mark && !budget_is_short())
		return false;
	lua_output_flush(out);
	return !is_dead(out) && stream_is_over(out->stream);
}

bool lua_output_is_empty(struct lua_output *out)
{
	lua_output_flush(out);
	return is_dead(out) || queue_is_empty(&out->stream->out);
}

void lua_output_on_drain(struct lua_output *out)
{
	if (out->writer)
		out->drained(out);
}

void lua_output_on_end(struct lua_output *out, int error)
{
	if (out->worker->out.owner == out)
		out->worker->out.owner = NULL;
	out->stream = NULL;
	if (!out->error)
		out->error = error ? error : EPIPE;
	if (out->writer)
		out->drained(out);
}

void lua_output_fini(struct lua_output *out)
{
	if (out->worker->out.owner == out)
		out->worker->out.owner = NULL;
	out->stream = NULL;
}
