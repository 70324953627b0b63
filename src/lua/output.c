/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/output.h"

#include "endpoint/endpoint.h"
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

/* ---- what is put aside ---- */

enum { PART_MAX = 256 };

static void send_late(struct lua_worker *lw)
{
	const uint8_t *at = lw->late.bytes;
	unsigned n = lw->late.n;
	lw->late.n = 0;
	lw->late.len = 0;
	for (unsigned i = 0; i < n; i++) {
		struct lua_output *out = lw->late.part[i].out;
		struct slice v = slice_of(at, lw->late.part[i].len);
		at += v.len;
		if (!out)
			continue;
		out->late = 0;
		transmit(out, &v, 1);
	}
}

static void settle(struct worker *w)
{
	send_late(lua_worker_of(w));
}

/* Whoever is served next is a script's client, too. */
static bool is_followed(const struct lua_worker *lw)
{
	const struct stream *next = lw->worker ? lw->worker->next : NULL;
	return next && endpoint_is_raw(next);
}

/* Of those of whom nothing is queued, so that these bytes are all that is not sent. */
static bool may_be_late(const struct lua_output *out)
{
	const struct lua_worker *lw = out->worker;
	return lw->late.bytes && lw->out.len <= PART_MAX && out->session && !out->late &&
	       !is_dead(out) && queue_is_empty(&out->stream->out);
}

static void put_aside(struct lua_output *out)
{
	struct lua_worker *lw = out->worker;
	size_t len = lw->out.len;
	if (lw->late.n == LUA_LATE_MAX || len > LUA_LATE_SIZE - lw->late.len)
		send_late(lw);
	lw->worker->settle = settle;
	memcpy(lw->late.bytes + lw->late.len, lw->out.bytes, len);
	lw->late.part[lw->late.n].out = out;
	lw->late.part[lw->late.n].len = (uint32_t)len;
	lw->late.n++;
	lw->late.len += len;
	out->late = (uint32_t)len;
	lw->out.owner = NULL;
	lw->out.len = 0;
}

/* The connection is gone. */
static void forget_late(struct lua_output *out)
{
	struct lua_worker *lw = out->worker;
	for (unsigned i = 0; out->late && i < lw->late.n; i++) {
		if (lw->late.part[i].out != out)
			continue;
		lw->late.part[i].out = NULL;
		out->late = 0;
	}
}

void lua_output_turn_end(struct lua_worker *lw, bool is_short)
{
	struct lua_output *out = lw->out.owner;
	bool is_late = is_short && is_followed(lw);
	if (out && is_late && may_be_late(out))
		put_aside(out);
	else if (out)
		lua_output_flush(out);
	if (!is_late && lw->late.n > 0)
		send_late(lw);
}

/* ---- what is collected ---- */

void lua_output_flush(struct lua_output *out)
{
	struct lua_worker *lw = out->worker;
	if (out->late)
		send_late(lw);
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
	size_t own = out->late + (out->worker->out.len += n);
	bool is_less = out->stream->out.bytes + own < out->stream->high_mark && !budget_is_short();
	return !is_less && lua_output_is_over(out);
}

bool lua_output_is_over(struct lua_output *out)
{
	const struct lua_worker *lw = out->worker;
	if (is_dead(out))
		return false;
	size_t own = out->late + (lw->out.owner == out ? lw->out.len : 0);
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
	forget_late(out);
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
	if (out->late)
		send_late(out->worker);
	if (out->worker->out.owner == out)
		out->worker->out.owner = NULL;
	out->stream = NULL;
}
