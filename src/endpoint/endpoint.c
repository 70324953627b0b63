/* SPDX-License-Identifier: BSD-2-Clause */
#include "endpoint/endpoint.h"

#include "base/mem.h"
#include "net/worker.h"

#include <assert.h>

/* Bytes that came but could not be judged yet: part of a head, a chunk's line, a
 * frame's header or a control frame. */
struct endpoint_rest {
	uint32_t len, size;
	uint8_t bytes[];
};

enum { REST_FIRST = 1024 };

bool endpoint_worker_new(struct worker *w, const struct endpoint_events *events)
{
	struct endpoint_worker *e = mem_try(sizeof *e);
	if (e)
		e->events = events;
	w->layer[WORKER_ENDPOINT] = e;
	return e != NULL;
}

void endpoint_worker_free(struct worker *w)
{
	mem_free(w->layer[WORKER_ENDPOINT]);
	w->layer[WORKER_ENDPOINT] = NULL;
}

static const struct endpoint_events *events_of(const struct endpoint *ep)
{
	const struct endpoint_worker *e = ep->stream->worker->layer[WORKER_ENDPOINT];
	return e->events;
}

static void rest_free(struct endpoint *ep)
{
	mem_free(ep->rest);
	ep->rest = NULL;
}

/* Makes room for `len` more bytes. */
static bool rest_reserve(struct endpoint *ep, size_t len)
{
	struct endpoint_rest *old = ep->rest;
	size_t have = old ? old->len : 0, size = old ? old->size : 0;
	if (have + len <= size)
		return true;
	size_t want = have + len;
	if (ep->phase != ENDPOINT_FRAMES && want < 2 * size)
		want = 2 * size;
	if (ep->phase != ENDPOINT_FRAMES && want < REST_FIRST)
		want = REST_FIRST;
	struct endpoint_rest *rest = mem_try(sizeof *rest + want);
	if (!rest)
		return false;
	rest->len = (uint32_t)have;
	rest->size = (uint32_t)want;
	if (have)
		memcpy(rest->bytes, old->bytes, have);
	mem_free(old);
	ep->rest = rest;
	return true;
}

static bool rest_append(struct endpoint *ep, const uint8_t *buf, size_t len)
{
	if (len == 0)
		return true;
	if (!rest_reserve(ep, len))
		return false;
	memcpy(ep->rest->bytes + ep->rest->len, buf, len);
	ep->rest->len += (uint32_t)len;
	return true;
}

static void rest_drop(struct endpoint *ep, size_t used)
{
	if (!ep->rest)
		return;
	ep->rest->len -= (uint32_t)used;
	if (ep->rest->len == 0)
		rest_free(ep);
	else if (used)
		memmove(ep->rest->bytes, ep->rest->bytes + used, ep->rest->len);
}

/* ---- reading, by phase: each returns the bytes it used, 0 = it needs more ---- */

static size_t broken(struct endpoint *ep, enum http_error error, size_t len)
{
	endpoint_discard(ep);
	events_of(ep)->on_broken(ep, error);
	return len;
}

static void await_head(struct endpoint *ep)
{
	ep->http.scan = (struct http_scan){0};
	ep->http.begun = false;
}

static size_t read_preface(struct endpoint *ep, const uint8_t *buf, size_t len)
{
	size_t n = events_of(ep)->on_preface(ep, buf, len);
	if (n > 0 && ep->phase == ENDPOINT_PREFACE)
		ep->phase = ENDPOINT_HEAD;
	return n;
}

static size_t read_head(struct endpoint *ep, uint8_t *buf, size_t len)
{
	struct endpoint_worker *w = ep->stream->worker->layer[WORKER_ENDPOINT];
	if (!ep->http.begun) {
		ep->http.begun = true;
		events_of(ep)->on_first_byte(ep);
	}
	if (!ep->stream || ep->phase != ENDPOINT_HEAD)
		return len;
	ssize_t n = ep->role == ENDPOINT_CLIENT
	                    ? http_parse_request(&w->head, &ep->http.scan, buf, len)
	                    : http_parse_response(&w->head, &ep->http.scan, buf, len);
	if (n < 0)
		return broken(ep, (enum http_error) - n, len);
	if (n == 0)
		return 0;
	await_head(ep);
	events_of(ep)->on_head(ep, &w->head);
	return (size_t)n;
}

static size_t read_body(struct endpoint *ep, uint8_t *buf, size_t len)
{
	struct slice content = {0};
	ssize_t n = http_body_read(&ep->http.body, buf, len, &content);
	if (n < 0)
		return broken(ep, HTTP_ERR_LENGTH, len);
	bool end = ep->http.body.done, wanted = ep->http.wanted;
	if (end) {
		ep->phase = ENDPOINT_HEAD;
		await_head(ep);
	}
	if (wanted && (content.len || end))
		events_of(ep)->on_body(ep, content, end);
	return (size_t)n;
}

static size_t read_step(struct endpoint *ep, uint8_t *buf, size_t len)
{
	switch ((enum endpoint_phase)ep->phase) {
	case ENDPOINT_PREFACE:
		return read_preface(ep, buf, len);
	case ENDPOINT_HEAD:
		return read_head(ep, buf, len);
	case ENDPOINT_BODY:
		return read_body(ep, buf, len);
	case ENDPOINT_FRAMES:
		return events_of(ep)->on_frames(ep, buf, len);
	case ENDPOINT_HELD:
		return 0;
	case ENDPOINT_RAW:
		return events_of(ep)->on_raw(ep, buf, len);
	case ENDPOINT_DISCARD:
		return len;
	}
	return len;
}

/* What is left over stays with the caller. Ends early when the owner closed the
 * endpoint, and possibly attached another stream, and then counts all as used. */
static size_t read_all(struct endpoint *ep, uint8_t *buf, size_t len)
{
	const struct stream *stream = ep->stream;
	size_t at = 0;
	while (at < len) {
		uint8_t phase = ep->phase;
		size_t n = read_step(ep, buf + at, len - at);
		if (ep->stream != stream)
			return len;
		at += n;
		if (n == 0 && phase == ep->phase)
			break;
	}
	return at;
}

static void out_of_memory(struct endpoint *ep)
{
	endpoint_discard(ep);
	events_of(ep)->on_no_memory(ep);
}

static void read_behind_rest(struct endpoint *ep, uint8_t *buf, size_t len)
{
	if (!rest_append(ep, buf, len)) {
		out_of_memory(ep);
		return;
	}
	/* A callback may close the endpoint, which frees its rest: hold it here. */
	struct endpoint_rest *rest = ep->rest;
	ep->rest = NULL;
	size_t used = read_all(ep, rest->bytes, rest->len);
	if (used == rest->len || !ep->stream) {
		mem_free(rest);
		return;
	}
	ep->rest = rest;
	rest_drop(ep, used);
}

/* A script's bytes, of which it takes all, nearly always. Returns those used, as read_all(). */
static size_t read_raw(struct endpoint *ep, uint8_t *buf, size_t len)
{
	const struct stream *stream = ep->stream;
	size_t used = events_of(ep)->on_raw(ep, buf, len);
	if (used == len || ep->stream != stream)
		return len;
	if (used == 0 && ep->phase == ENDPOINT_RAW)
		return 0;
	return used + read_all(ep, buf + used, len - used);
}

static void read_fresh(struct endpoint *ep, uint8_t *buf, size_t len)
{
	size_t used = ep->phase == ENDPOINT_RAW ? read_raw(ep, buf, len) : read_all(ep, buf, len);
	if (used < len && !rest_append(ep, buf + used, len - used))
		out_of_memory(ep);
}

static void read_bytes(struct endpoint *ep, uint8_t *buf, size_t len)
{
	if (!ep->rest) {
		read_fresh(ep, buf, len);
		return;
	}
	if (ep->phase != ENDPOINT_FRAMES || ep->rest->len > WORKER_RX_HEADROOM) {
		read_behind_rest(ep, buf, len);
		return;
	}
	size_t kept = ep->rest->len;
	memcpy(buf - kept, ep->rest->bytes, kept);
	rest_free(ep);
	read_fresh(ep, buf - kept, kept + len);
}

/* What was kept is to be read by another phase. */
static void read_again(struct endpoint *ep)
{
	while (ep->stream && ep->is_unread) {
		struct endpoint_rest *rest = ep->rest;
		ep->is_unread = false;
		if (rest)
			read_behind_rest(ep, NULL, 0);
	}
}

static void pause_if_full(struct endpoint *ep)
{
	if (ep->stream && ep->phase == ENDPOINT_HELD && ep->rest &&
	        ep->rest->len > ENDPOINT_HELD_MAX)
		stream_pause(ep->stream);
}

static void on_data(struct stream *s, uint8_t *buf, size_t len)
{
	struct endpoint *ep = s->owner;
	ep->is_reading = true;
	read_bytes(ep, buf, len);
	read_again(ep);
	ep->is_reading = false;
	pause_if_full(ep);
}

static void on_end(struct stream *s, enum stream_end end, int error)
{
	struct endpoint *ep = s->owner;
	bool body =
	        ep->phase == ENDPOINT_BODY && end == STREAM_EOF && http_body_end(&ep->http.body);
	if (body && ep->http.wanted) {
		ep->phase = ENDPOINT_DISCARD;
		events_of(ep)->on_body(ep, (struct slice){0}, true);
		return;
	}
	events_of(ep)->on_end(ep, end, error);
}

static void on_drain(struct stream *s)
{
	struct endpoint *ep = s->owner;
	events_of(ep)->on_drain(ep);
}

static void on_connect(struct stream *s)
{
	struct endpoint *ep = s->owner;
	if (events_of(ep)->on_connect)
		events_of(ep)->on_connect(ep);
}

static void on_soon(struct stream *s, bool next)
{
	const struct endpoint_worker *e = s->worker->layer[WORKER_ENDPOINT];
	if (e->events->on_soon)
		e->events->on_soon(s->owner, next);
}

static const struct stream_events stream_events = {
        .on_data = on_data,
        .on_end = on_end,
        .on_drain = on_drain,
        .on_connect = on_connect,
        .on_soon = on_soon,
};

void endpoint_init(struct endpoint *ep, enum endpoint_role role)
{
	*ep = (struct endpoint){.role = (uint8_t)role, .phase = ENDPOINT_HEAD};
}

void endpoint_attach(struct endpoint *ep, struct stream *s)
{
	assert(!ep->stream);
	s->owner = ep;
	s->events = &stream_events;
	ep->stream = s;
	ep->phase = ENDPOINT_HEAD;
	await_head(ep);
}

void endpoint_expect_preface(struct endpoint *ep)
{
	assert(ep->phase == ENDPOINT_HEAD && ep->http.scan.at == 0 && !ep->rest);
	ep->phase = ENDPOINT_PREFACE;
}

void endpoint_close(struct endpoint *ep, bool reset)
{
	if (ep->stream)
		stream_free(ep->stream, reset);
	ep->stream = NULL;
	ep->is_unread = false;
	rest_free(ep);
}

void endpoint_read_body(struct endpoint *ep, const struct http_head *head, bool wanted)
{
	http_body_init(&ep->http.body, head);
	ep->http.wanted = wanted;
	ep->phase = ENDPOINT_BODY;
}

void endpoint_upgrade(struct endpoint *ep, unsigned reader_flags)
{
	ws_reader_init(&ep->in, reader_flags);
	ep->phase = ENDPOINT_FRAMES;
}

void endpoint_discard(struct endpoint *ep)
{
	ep->phase = ENDPOINT_DISCARD;
	rest_free(ep);
}

void endpoint_hold(struct endpoint *ep)
{
	ep->phase = ENDPOINT_HELD;
}

void endpoint_raw(struct endpoint *ep)
{
	ep->phase = ENDPOINT_RAW;
}

bool endpoint_is_raw(const struct stream *s)
{
	enum { NOT_READ = STREAM_PAUSED | STREAM_EOF_SEEN | STREAM_FAILED | STREAM_RELEASED };
	return !(s->flags & NOT_READ) && s->events == &stream_events &&
	       ((const struct endpoint *)s->owner)->phase == ENDPOINT_RAW;
}

void endpoint_await(struct endpoint *ep)
{
	ep->phase = ENDPOINT_HEAD;
	await_head(ep);
}

bool endpoint_unread(struct endpoint *ep, struct slice bytes)
{
	assert(!ep->rest);
	ep->is_unread = bytes.len > 0;
	return rest_append(ep, bytes.at, bytes.len);
}

void endpoint_go_on(struct endpoint *ep)
{
	if (!ep->stream)
		return;
	stream_resume(ep->stream);
	ep->is_unread = ep->rest != NULL;
	if (ep->is_reading)
		return;
	ep->is_reading = true;
	read_again(ep);
	ep->is_reading = false;
	pause_if_full(ep);
}

bool endpoint_send_queue(struct endpoint *ep, const struct queue *q)
{
	bool sent = true;
	for (const struct chunk *c = q->first; c && sent; c = c->next) {
		struct slice piece = slice_of(c->bytes + c->start, (size_t)(c->end - c->start));
		sent = stream_send(ep->stream, &piece, 1);
	}
	return sent;
}
