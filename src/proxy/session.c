/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/session.h"

#include "base/log.h"
#include "net/tls_stream.h"
#include "proxy/admit.h"
#include "proxy/close.h"
#include "proxy/deadline.h"
#include "proxy/echo.h"
#include "proxy/handler.h"
#include "proxy/headers.h"
#include "proxy/note.h"
#include "proxy/opening.h"
#include "proxy/preface.h"
#include "proxy/reply.h"
#include "proxy/request.h"
#include "proxy/secure.h"
#include "proxy/tunnel.h"
#include "upstream/balance.h"

#include <assert.h>
#include <errno.h>

enum { STOP_LINGER_MS = 1000 };

#define TO(state) (1U << (state))

static const struct {
	const char *name;
	unsigned next;
} states[] = {
        [SESSION_READING] = {"reading", TO(SESSION_OPENING) | TO(SESSION_HANDLING) |
                                                TO(SESSION_OPEN) | TO(SESSION_LEAVING) |
                                                TO(SESSION_ENDED)},
        [SESSION_HANDLING] = {"handling",
                TO(SESSION_READING) | TO(SESSION_LEAVING) | TO(SESSION_ENDED)},
        [SESSION_OPENING] = {"opening", TO(SESSION_OPEN) | TO(SESSION_LEAVING) | TO(SESSION_ENDED)},
        [SESSION_OPEN] = {"open", TO(SESSION_CLOSING) | TO(SESSION_ENDED)},
        [SESSION_CLOSING] = {"closing", TO(SESSION_ENDED)},
        [SESSION_LEAVING] = {"leaving", TO(SESSION_ENDED)},
        [SESSION_ENDED] = {"ended", 0},
};

static void log_move(const struct session *s, enum session_state to)
{
	struct log_line l;
	log_begin(&l, LOG_LEVEL_DEBUG, "state");
	session_log_id(s, &l);
	log_text(&l, "from", states[s->state].name);
	log_text(&l, "to", states[to].name);
	log_end(&l);
}

void session_move(struct session *s, enum session_state to)
{
	assert(states[s->state].next & TO(to));
	if (log_is_on(LOG_LEVEL_DEBUG))
		log_move(s, to);
	s->state = (uint8_t)to;
	if (to == SESSION_CLOSING)
		__builtin_prefetch(s->places); /* for admit_expect_release() */
}

void session_blame(
        struct session *s, enum session_cause cause, enum session_closer closer, int error)
{
	if (s->cause != CAUSE_NONE)
		return;
	s->cause = (uint8_t)cause;
	s->closer = (uint8_t)closer;
	s->error = (uint8_t)error;
}

/* ---- what the endpoints tell, by the session's state ---- */

static void on_head(struct endpoint *ep, struct http_head *head)
{
	struct session *s = session_of(ep);
	if (ep->role == ENDPOINT_CLIENT)
		request_on_head(s, head);
	else
		reply_on_head(s, head);
}

static void on_broken(struct endpoint *ep, enum http_error error)
{
	struct session *s = session_of(ep);
	if (ep->role == ENDPOINT_CLIENT)
		request_on_broken(s, error);
	else
		request_refuse(s, 502, http_error_reason(error));
}

static void on_body(struct endpoint *ep, struct slice content, bool end)
{
	reply_on_body(session_of(ep), content, end);
}

static size_t on_raw(struct endpoint *ep, uint8_t *buf, size_t len)
{
	return handler_on_bytes(session_of(ep), buf, len);
}

static void on_first_byte(struct endpoint *ep)
{
	struct session *s = session_of(ep);
	if (ep->role != ENDPOINT_CLIENT || s->receiving)
		return;
	s->receiving = true;
	s->data_ms = session_clock(s);
	headers_forget(s);
	route_unref(s->route);
	s->route = NULL;
	if (s->status != 0) {
		s->deadline_ms = session_clock(s) + s->listener->handshake_timeout_ms;
		deadline_reset(s);
	}
}

bool session_has_unsent(const struct session *s)
{
	const struct stream *client = s->side[CLIENT].ep.stream;
	return client && (!queue_is_empty(&client->out) || tls_has_early(client));
}

void session_hang_up(struct session *s)
{
	if (s->state == SESSION_READING && session_has_unsent(s))
		request_leave(s);
	else
		session_end(s, session_has_unsent(s));
}

/* A client that goes before it has a tunnel takes everything with it, except what
 * answers it already. */
static void client_left(struct session *s, enum stream_end end, int error)
{
	bool waits = s->state == SESSION_LEAVING || (s->state == SESSION_READING && !s->receiving);
	if (preface_cut_short(s, "the connection ended within its PROXY header"))
		return;
	if (end == STREAM_EOF && waits && session_has_unsent(s)) {
		s->side[CLIENT].flags |= SIDE_EOF;
		if (s->state == SESSION_READING)
			request_leave(s);
		return;
	}
	if (end == STREAM_ERROR && error == ENOMEM)
		counter_inc(&s->proxy->counters.out_of_memory);
	if (s->state == SESSION_READING && s->status == 0)
		counter_inc(&s->proxy->counters.silent);
	if (s->state != SESSION_LEAVING && (s->state == SESSION_OPENING || s->receiving))
		session_blame(s, end == STREAM_EOF ? CAUSE_VANISHED : CAUSE_ERROR, CLOSED_BY_CLIENT,
		        error);
	session_end(s, false);
}

static void on_end(struct endpoint *ep, enum stream_end end, int error)
{
	struct session *s = session_of(ep);
	bool is_open = s->state == SESSION_OPEN || s->state == SESSION_CLOSING;
	if (ep->role == ENDPOINT_CLIENT)
		secure_on_end(s, end, error);
	if (tls_failure(ep->stream) && (is_open || ep->role == ENDPOINT_CLIENT))
		session_log_tls(s, side_of(ep));
	if (end == STREAM_EOF && tls_is_truncated(ep->stream))
		side_of(ep)->flags |= SIDE_TRUNCATED;
	if (is_open)
		close_on_end(s, side_of(ep), end, error);
	else if (s->state == SESSION_HANDLING)
		handler_on_end(s, end, error);
	else if (ep->role == ENDPOINT_UPSTREAM)
		opening_on_end(s, end, error);
	else
		client_left(s, end, error);
}

static void on_connect(struct endpoint *ep)
{
	struct session *s = session_of(ep);
	if (ep->role == ENDPOINT_CLIENT)
		secure_on_handshake(s);
	else if (s->state == SESSION_OPENING)
		access_connected(s);
}

static void on_drain(struct endpoint *ep)
{
	struct session *s = session_of(ep);
	if (s->state == SESSION_OPEN || s->state == SESSION_CLOSING)
		tunnel_on_drain(s, side_of(ep));
	else if (s->state == SESSION_HANDLING)
		handler_on_drain(s);
	else if (s->state == SESSION_LEAVING && side_of(ep)->flags & SIDE_EOF &&
	         !session_has_unsent(s))
		session_end(s, false);
}

/* What came could not be kept. */
static void on_no_memory(struct endpoint *ep)
{
	struct session *s = session_of(ep);
	if (s->state == SESSION_OPEN || s->state == SESSION_CLOSING)
		close_no_memory(s);
	else if (s->state == SESSION_HANDLING && !s->is_asking)
		session_end(s, true);
	else
		request_refuse(s, 503, "out of memory");
}

/* Whichever side ep is of, what a message touches lies around it, and no more than a side
 * before it. Then the stream that the message will leave by. */
static void on_soon(struct endpoint *ep, bool next)
{
	enum { LINE = 64, HOT = offsetof(struct session, timer) };
	if (!next) {
		const struct side *to = other_side(session_of(ep), side_of(ep));
		if (to->ep.stream)
			stream_fetch(to->ep.stream);
		return;
	}
	const char *from = (const char *)ep - sizeof(struct side), *to = (const char *)ep + HOT;
	for (; from < to; from += LINE)
		__builtin_prefetch(from);
}

const struct endpoint_events session_events = {
        .on_preface = preface_on_bytes,
        .on_head = on_head,
        .on_broken = on_broken,
        .on_body = on_body,
        .on_frames = tunnel_on_frames,
        .on_raw = on_raw,
        .on_first_byte = on_first_byte,
        .on_end = on_end,
        .on_no_memory = on_no_memory,
        .on_drain = on_drain,
        .on_connect = on_connect,
        .on_soon = on_soon,
};

/* ---- life ---- */

struct session *session_new(struct proxy *p, struct stream *stream, const struct address *peer,
        struct proxy_listener *l)
{
	struct session *s = pool_get(&p->session_pool);
	if (!s) {
		stream_free(stream, true);
		return NULL;
	}
	*s = (struct session){
	        .proxy = p, .listener = proxy_listener_ref(l), .start_ms = p->worker->now_ms};
	s->id = (uint64_t)p->worker->index << 56 | ++p->serial;
	endpoint_init(&s->side[CLIENT].ep, ENDPOINT_CLIENT);
	endpoint_init(&s->side[UPSTREAM].ep, ENDPOINT_UPSTREAM);
	endpoint_attach(&s->side[CLIENT].ep, stream);
	address_brief(&s->client, peer);
	list_append(&p->sessions, &s->node);
	p->count++;
	counter_inc(&p->counters.sessions);
	timer_init(&s->timer, deadline_fire);
	s->deadline_ms = s->start_ms + l->handshake_timeout_ms;
	deadline_reset(s);
	return s;
}

void session_came_by(struct session *s, struct proxy_door *d)
{
	if (!d)
		return;
	d->refs++;
	s->door = d;
	s->port = d->port;
}

static void session_free(struct retired *r)
{
	struct session *s = list_entry(r, struct session, retired);
	note_free(s->note);
	access_free(s);
	proxy_listener_unref(s->listener);
	pool_put(&s->proxy->session_pool, s);
}

void session_leave_server(struct session *s)
{
	if (!s->server)
		return;
	access_left_server(s);
	if (s->has_left)
		server_state_unref(s->server);
	else
		upstream_give_back(s->server, session_clock(s));
	s->server = NULL;
}

void session_end(struct session *s, bool reset)
{
	if (s->state == SESSION_ENDED)
		return;
	struct proxy *p = s->proxy;
	access_expect_end(s);
	admit_expect_release(s);
	handler_release(s);
	if (s->state == SESSION_OPENING)
		opening_free(s);
	if (s->echoing)
		echo_free(s);
	endpoint_close(&s->side[CLIENT].ep, reset);
	endpoint_close(&s->side[UPSTREAM].ep, reset);
	if (s->cause == CAUSE_CLOSE)
		counter_inc(&p->counters.closed_normally);
	session_log_end(s);
	access_end(s);
	handler_log(s);
	session_leave_server(s);
	admit_release(s);
	timer_clear(&p->worker->wheel, &s->timer);
	session_move(s, SESSION_ENDED);
	route_unref(s->route);
	s->route = NULL;
	proxy_session_ends(p, s);
	list_remove(&s->node);
	counter_inc(&p->counters.sessions_ended);
	proxy_door_unref(s->door);
	worker_retire(p->worker, &s->retired, session_free);
	p->count--;
	proxy_session_gone(p);
}

/* Its connection is over. The client may be long in ending, and the server's name is wanted until
 * it has. */
static void free_place(struct session *s)
{
	if (!s->server || s->has_left)
		return;
	s->has_left = true;
	upstream_free_place(s->server, session_clock(s));
}

void session_end_if_done(struct session *s)
{
	if (s->state == SESSION_CLOSING && side_is_gone(&s->side[UPSTREAM]))
		free_place(s);
	if (side_is_gone(&s->side[CLIENT]) && side_is_gone(&s->side[UPSTREAM]))
		session_end(s, false);
}

/* Whoever has its whole answer need not be waited for long: that it ends its connection
 * too is all that is missing. */
static void hurry(struct session *s)
{
	uint64_t soon = session_clock(s) + STOP_LINGER_MS;
	if (session_has_unsent(s) || s->deadline_ms <= soon)
		return;
	s->deadline_ms = soon;
	deadline_reset(s);
}

void session_stop(struct session *s)
{
	switch ((enum session_state)s->state) {
	case SESSION_READING:
		if (s->receiving) {
			request_refuse(s, 503, "the server is stopping");
		} else {
			session_blame(s, CAUSE_STOPPING, CLOSED_BY_PROXY, 0);
			session_hang_up(s);
		}
		break;
	case SESSION_HANDLING:
		handler_stop(s);
		break;
	case SESSION_OPENING:
		request_refuse(s, 503, "the server is stopping");
		break;
	case SESSION_OPEN:
		counter_inc(&s->proxy->counters.drained);
		close_limit(s, CAUSE_STOPPING, 1001, "stopping");
		break;
	default:
		break; /* ends by itself, within its deadline */
	}
	if (s->state == SESSION_LEAVING)
		hurry(s);
}
