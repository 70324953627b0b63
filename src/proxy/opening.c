/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/opening.h"

#include "base/budget.h"
#include "base/mem.h"
#include "net/tls_error.h"
#include "net/tls_stream.h"
#include "proxy/deadline.h"
#include "proxy/hash_key.h"
#include "proxy/headers.h"
#include "proxy/request.h"
#include "proxy/tries.h"
#include "proxy/tunnel.h"
#include "upstream/group.h"
#include "upstream/sticky.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static struct opening *opening_new(struct session *s)
{
	struct opening *o = pool_get(&s->proxy->opening_pool);
	if (o) {
		memset(o, 0, offsetof(struct opening, room));
		o->session = s;
	}
	return o;
}

void opening_free(struct session *s)
{
	struct opening *o = s->opening;
	struct pool *chunks = &s->proxy->worker->chunks;
	if (!o)
		return;
	s->opening = NULL;
	srv_cancel(&o->srv);
	waiting_cancel(&o->waiting, session_clock(s));
	if (o->picked.is_trial)
		server_state_abandon(o->picked.server->state);
	dial_end(&o->dial);
	queue_clear(&o->early, chunks);
	queue_clear(&o->answer, chunks);
	queue_clear(&o->body, chunks);
	if (o->request != o->room)
		mem_free(o->request);
	upstream_members_unref(o->members);
	upstream_group_unref(o->group);
	pool_put(&s->proxy->opening_pool, o);
}

/* Makes the request, and the lines for the answer, which may say something of it. NULL;
 * or why not, with the status to answer. */
static const char *make_request(struct session *s, struct http_head *head, unsigned *status)
{
	struct opening *o = s->opening;
	uint8_t buf[2 * HEADERS_HEAD_MAX];
	struct http_writer w;
	http_writer_init(&w, buf, HEADERS_HEAD_MAX);
	ws_key_make(o->key);
	const char *wrong = headers_put_request(s, &w, head, o->key, status);
	if (wrong)
		return wrong;
	size_t len = w.len;
	w.size = len + HEADERS_HEAD_MAX;
	headers_put_response(s, &w, head);
	if (w.overflow)
		return "the headers added to the answer would be over 32 KiB";
	o->request = w.len <= sizeof o->room ? o->room : mem_try(w.len);
	if (!o->request) {
		counter_inc(&s->proxy->counters.out_of_memory);
		*status = 503;
		return "out of memory";
	}
	memcpy(o->request, buf, w.len);
	o->request_len = (uint32_t)len;
	o->lines_len = (uint32_t)(w.len - len);
	return NULL;
}

struct slice opening_lines(const struct opening *o)
{
	return o->request ? slice_of(o->request + o->request_len, o->lines_len) : SLICE("");
}

struct slice opening_server(const struct opening *o)
{
	return o->picked.server ? slice_str(o->picked.server->name) : SLICE("none");
}

/* The client's mask stays, except where middleboxes may look on: then each frame gets
 * a fresh key. Until the server is known, that is where any of them may be. */
static bool wants_remask(const struct session *s, bool is_private)
{
	switch (s->route->settings.remask) {
	case REMASK_ON:
		return true;
	case REMASK_OFF:
		return false;
	default:
		return !is_private;
	}
}

/* The server of that name; -1: none. */
static int place_by_name(const struct upstream_members *m, struct slice name)
{
	for (unsigned i = 0; m && i < m->n; i++)
		if (slice_equal(slice_str(m->server[i].name), name))
			return (int)i;
	return -1;
}

void opening_start(struct session *s, struct http_head *head, struct slice key,
        struct upstream_group *group, struct slice server)
{
	struct opening *o = opening_new(s);
	if (!o) {
		counter_inc(&s->proxy->counters.out_of_memory);
		request_refuse(s, 503, "out of memory");
		return;
	}
	s->opening = o;
	session_move(s, SESSION_OPENING);
	s->status = 0;
	ws_accept_value(o->accept, key);
	o->group = upstream_group_ref(group);
	o->members = upstream_group_members(group);
	o->pick.sticky = -1;
	if (group->balance == BALANCE_HASH)
		o->pick.hash = hash_key_of(group, head, &s->client);
	if (group->sticky && o->members)
		o->pick.sticky = sticky_find(group->sticky, head, o->members, time(NULL));
	if (server.len > 0)
		o->pick.sticky = place_by_name(o->members, server);
	if (server.len > 0 && o->members && o->pick.sticky < 0) {
		request_refuse(
		        s, 502, "the access script chose a server that is none of the group's");
		return;
	}
	unsigned status;
	const char *wrong = make_request(s, head, &status);
	if (wrong) {
		request_refuse(s, status, wrong);
		return;
	}
	bool remask = wants_remask(s, o->members && o->members->is_private);
	endpoint_upgrade(&s->side[CLIENT].ep, WS_FROM_CLIENT | (remask ? WS_REMASK : 0));
	tries_begin(s);
}

bool opening_hold(struct session *s, struct queue *q, const struct slice *v, size_t n)
{
	return budget_has(0) && queue_append(q, &s->proxy->worker->chunks, v, n);
}

void opening_keep(struct session *s, const struct slice *v, size_t n)
{
	struct opening *o = s->opening;
	if (!opening_hold(s, &o->early, v, n)) {
		request_refuse(s, 503, "out of memory");
		return;
	}
	if (o->early.bytes >= OPENING_EARLY_MAX)
		tunnel_pause(s, &s->side[CLIENT]);
}

/* It ended before it had answered. Once a status line has come, the session is no
 * other server's business. */
static void ended_early(struct session *s)
{
	const struct opening *o = s->opening;
	static const char reason[] = "the upstream closed before a whole answer";
	if (o->answer.bytes == 0)
		tries_blame(s, reason);
	if (o->has_status || o->interim)
		request_refuse(s, 502, reason);
	else
		tries_next(s, 502, reason);
}

/* Its certificate is not to be believed, say, or it speaks no TLS. */
static void tls_failed(struct session *s)
{
	struct endpoint *up = &s->side[UPSTREAM].ep;
	char reason[TLS_WHY_MAX];
	bool may_dial_again = tries_may_dial_again(s);
	snprintf(reason, sizeof reason, "%s", tls_failure(up->stream));
	session_log_tls(s, &s->side[UPSTREAM]);
	endpoint_close(up, false);
	if (may_dial_again) {
		tries_dial_again(s, reason);
		return;
	}
	tries_blame(s, reason);
	tries_next(s, 502, "TLS with the upstream failed");
}

void opening_on_end(struct session *s, enum stream_end end, int error)
{
	struct side *up = &s->side[UPSTREAM];
	bool is_lost = tries_spare_was_lost(s), may_dial_again = tries_may_dial_again(s);
	if (tls_failure(up->ep.stream)) {
		tls_failed(s);
		return;
	}
	bool connecting = up->ep.stream->flags & STREAM_CONNECTING;
	s->opening->has_status = up->ep.phase != ENDPOINT_HEAD || up->ep.http.scan.fields_at > 0;
	endpoint_close(&up->ep, false);
	if (connecting && end == STREAM_ERROR)
		tries_connect_next(s, error);
	else if (end == STREAM_ERROR && error == ENOMEM)
		request_refuse(s, 503, "out of memory");
	else if (is_lost)
		tries_replace_spare(s);
	else if (may_dial_again)
		tries_dial_again(s, "the connection ended within the handshake");
	else
		ended_early(s);
}

/* A client may have used up most of the time by itself: silence counts only against a
 * server that has had its part. */
static bool had_its_time(const struct session *s)
{
	uint32_t limit = s->listener->handshake_timeout_ms,
	         connect = s->opening->group->connect_timeout_ms;
	if (connect && connect < limit)
		limit = connect;
	return session_clock(s) - s->opening->picked_ms >= limit / 2;
}

static void handshake_over(struct session *s)
{
	static const char reason[] = "the upstream did not answer in time";
	if (s->opening->waiting.is_on) {
		counter_inc(&s->proxy->counters.queue_timeouts);
		request_refuse(s, 503, "no server of the upstream had a place free in time");
		return;
	}
	/* While the servers of a service are asked for, there is none to blame. */
	if (s->server && s->opening->answer.bytes == 0 && had_its_time(s))
		tries_blame(s, reason);
	request_refuse(s, 504, reason);
}

/* The server has had its time, and another one may have some left. One that has begun to
 * answer is not left for another. */
static void answer_over(struct session *s)
{
	static const char reason[] = "the upstream did not answer in time";
	const struct endpoint *up = &s->side[UPSTREAM].ep;
	tries_blame(s, "answer_timeout");
	if (up->stream && up->phase == ENDPOINT_HEAD && up->http.scan.fields_at > 0)
		request_refuse(s, 504, reason);
	else
		tries_next(s, 504, reason);
}

void opening_on_deadline(struct session *s, bool handshake)
{
	struct side *up = &s->side[UPSTREAM];
	uint64_t due = tries_answer_due(s);
	if (up->ep.stream)
		tls_doubt_session(up->ep.stream);
	if (handshake || s->opening->waiting.is_on) {
		handshake_over(s);
	} else if (due && session_clock(s) >= due) {
		answer_over(s);
	} else if (!up->ep.stream || stream_is_connecting(up->ep.stream)) {
		endpoint_close(&up->ep, false);
		dial_end(&s->opening->dial);
		tries_cannot_connect(s, ETIMEDOUT);
	} else {
		s->opening->connect_ms = due;
		deadline_reset(s);
	}
}
