/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/handler.h"

#include "base/log.h"
#include "proxy/admit.h"
#include "proxy/deadline.h"
#include "proxy/headers.h"
#include "proxy/note.h"
#include "proxy/request.h"
#include "proxy/shortage.h"
#include "upstream/state.h"

#include <errno.h>

enum { SKIP_MAX = 64 * 1024 }; /* body of a request that is skipped to keep the connection */

static const char no_memory[] = "out of memory";

static const struct handler_ops *ops_of(const struct session *s)
{
	return s->proxy->handlers;
}

static struct endpoint *client_of(struct session *s)
{
	return &s->side[CLIENT].ep;
}

void handler_set_ops(struct proxy *p, const struct handler_ops *ops)
{
	p->handlers = ops;
}

/* ---- beginning ---- */

/* An answer to the request before is none to this one. */
static void begin(struct session *s, bool is_asking)
{
	session_move(s, SESSION_HANDLING);
	s->is_asking = is_asking;
	s->status = 0;
}

static void refuse_start(struct session *s)
{
	session_move(s, SESSION_READING);
	s->is_asking = false;
	counter_inc(&s->proxy->counters.out_of_memory);
	request_refuse(s, 503, no_memory);
}

void handler_remember(struct session *s, const struct http_head *head)
{
	if (ops_of(s))
		ops_of(s)->remember(s, head);
}

void handler_ask(struct session *s, struct http_head *head)
{
	begin(s, true);
	endpoint_hold(client_of(s));
	if (!ops_of(s) || !ops_of(s)->start(s, HANDLER_ACCESS, head))
		refuse_start(s);
}

void handler_run(struct session *s, struct http_head *head)
{
	begin(s, false);
	s->deadline_ms = 0;
	deadline_reset(s);
	endpoint_raw(client_of(s));
	if (!ops_of(s) || !ops_of(s)->start(s, HANDLER_CONTENT, head))
		refuse_start(s);
}

void handler_pass(struct session *s, struct http_head *head, struct upstream_group *group,
        struct slice server)
{
	session_move(s, SESSION_READING);
	s->is_asking = false;
	request_pass(s, head, group, server);
	if (s->state != SESSION_ENDED)
		endpoint_go_on(client_of(s));
}

/* ---- while it lasts ---- */

size_t handler_on_bytes(struct session *s, uint8_t *buf, size_t len)
{
	side_heard(&s->side[CLIENT], session_clock(s));
	return ops_of(s)->on_bytes(s, buf, len);
}

/* An access script is nobody's when its client has gone; a handler may have to tidy up, and
 * finds out when it reads or sends. */
void handler_on_end(struct session *s, enum stream_end end, int error)
{
	if (end == STREAM_ERROR && error == ENOMEM)
		counter_inc(&s->proxy->counters.out_of_memory);
	if (s->status == 101 && s->cause == CAUSE_NONE)
		counter_inc(&s->proxy->counters.closed_by_client_end);
	if (end == STREAM_ERROR)
		session_blame(s, CAUSE_ERROR, CLOSED_BY_CLIENT, error);
	else if (s->status == 101 || s->is_asking)
		session_blame(s, CAUSE_VANISHED, CLOSED_BY_CLIENT, 0);
	if (s->is_asking) {
		session_end(s, false);
		return;
	}
	s->side[CLIENT].flags |= SIDE_EOF;
	if (end == STREAM_ERROR)
		endpoint_close(client_of(s), false);
	ops_of(s)->on_end(s, end, error);
}

void handler_on_drain(struct session *s)
{
	ops_of(s)->on_drain(s);
}

static void stop(struct session *s, const char *reason)
{
	s->deadline_ms = session_clock(s) + s->route->settings.close_timeout_ms;
	deadline_reset(s);
	ops_of(s)->stop(s, 1001, reason);
}

void handler_stop(struct session *s)
{
	if (s->is_asking) {
		handler_refuse(s, 503, "the server is stopping");
		return;
	}
	if (s->status == 101)
		counter_inc(&s->proxy->counters.drained);
	session_blame(s, CAUSE_STOPPING, CLOSED_BY_PROXY, 0);
	stop(s, "stopping");
}

void handler_on_deadline(struct session *s)
{
	if (s->deadline_ms == 0 || session_clock(s) < s->deadline_ms) {
		deadline_reset(s);
	} else if (s->is_asking) {
		handler_refuse(s, 504, "the access script did not end in time");
	} else if (s->cause == CAUSE_NONE || s->cause == CAUSE_CLOSE) {
		counter_inc(&s->proxy->counters.max_lifetime);
		session_blame(s, CAUSE_LIFETIME, CLOSED_BY_PROXY, 0);
		stop(s, "max_lifetime");
	} else {
		session_end(s, session_has_unsent(s));
	}
}

void handler_release(struct session *s)
{
	if (s->handler && ops_of(s))
		ops_of(s)->cancel(s);
}

void handler_log(struct session *s)
{
	if (s->handler && ops_of(s))
		ops_of(s)->log(s);
}

/* ---- what a script does ---- */

struct script *handler_script(const struct session *s, enum handler_phase phase)
{
	switch (phase) {
	case HANDLER_ACCESS:
		return s->route->access;
	case HANDLER_CONTENT:
		return s->route->handler;
	case HANDLER_LOG:
		break;
	}
	return s->route ? s->route->log : NULL;
}

void *handler_kept(const struct session *s)
{
	return s->handler;
}

void handler_keep(struct session *s, void *kept)
{
	s->handler = kept;
}

struct stream *handler_stream(struct session *s)
{
	return client_of(s)->stream;
}

void handler_edit_head(struct session *s, struct http_writer *w, const struct http_head *request)
{
	uint8_t buf[HEADERS_HEAD_MAX];
	struct http_writer lines;
	if (!s->route || !s->route->headers.response)
		return;
	http_writer_init(&lines, buf, sizeof buf);
	headers_put_response(s, &lines, request);
	headers_edit(s, w, slice_of(buf, lines.overflow ? 0 : lines.len), SLICE("none"));
}

void handler_answered(struct session *s, unsigned status)
{
	s->status = (uint16_t)status;
	access_answered(s);
	if (status != 101) {
		counter_inc(&s->proxy->counters.responses);
		return;
	}
	counter_inc(&s->proxy->counters.opened);
	s->data_ms = session_clock(s);
	if (!s->deadline_ms) {
		s->deadline_ms = deadline_lifetime(s, s->data_ms);
		deadline_reset(s);
	}
	access_opened(s);
}

void handler_sent(struct session *s, size_t bytes)
{
	const struct stream *out = client_of(s)->stream;
	s->bytes[UPSTREAM] += bytes;
	counter_add(&s->proxy->counters.bytes_down, bytes);
	if (!out || queue_is_empty(&out->out))
		return;
	shortage_look(s->proxy);
	if (s->access)
		access_queued(s, CLIENT, out->out.bytes);
}

void handler_received(struct session *s, size_t bytes)
{
	s->bytes[CLIENT] += bytes;
	counter_add(&s->proxy->counters.bytes_up, bytes);
}

void handler_messages(struct session *s, uint32_t up, uint32_t down)
{
	s->messages[CLIENT] += up;
	s->messages[UPSTREAM] += down;
	counter_add(&s->proxy->counters.messages_up, up);
	counter_add(&s->proxy->counters.messages_down, down);
	s->data_ms = session_clock(s);
}

void handler_close_received(struct session *s, uint16_t code)
{
	s->side[CLIENT].flags |= SIDE_CLOSE_RECEIVED;
	s->side[CLIENT].close_code = code;
	session_blame(s, CAUSE_CLOSE, CLOSED_BY_CLIENT, 0);
}

void handler_close_sent(struct session *s, uint16_t code)
{
	s->side[CLIENT].flags |= SIDE_CLOSE_SENT;
	if (!s->own_code)
		s->own_code = code;
	session_blame(s, CAUSE_CLOSE, CLOSED_BY_PROXY, 0);
}

void handler_want_bytes(struct session *s)
{
	if (client_of(s)->phase != ENDPOINT_HELD)
		return;
	endpoint_raw(client_of(s));
	endpoint_go_on(client_of(s));
}

void handler_pause(struct session *s, bool is_paused)
{
	struct stream *client = client_of(s)->stream;
	if (!client || stream_is_paused(client) == is_paused)
		return;
	if (is_paused) {
		counter_inc(&s->proxy->counters.pauses);
		stream_pause(client);
	} else {
		stream_resume(client);
	}
}

/* ---- ending ---- */

bool handler_may_skip(const struct http_head *head)
{
	return !head->expects_continue &&
	       (head->framing == HTTP_BODY_NONE ||
	               (head->framing == HTTP_BODY_LENGTH && head->content_length <= SKIP_MAX));
}

bool handler_may_keep_alive(const struct session *s, const struct http_head *head)
{
	return head->keep_alive && !s->proxy->drain.on && !s->is_asking;
}

static void next_request(struct session *s, struct slice unread, const struct http_head *skip)
{
	struct endpoint *client = client_of(s);
	session_move(s, SESSION_READING);
	if (skip)
		endpoint_read_body(client, skip, false);
	else
		endpoint_await(client);
	bool has_room = unread.len == 0 || endpoint_unread(client, unread);
	request_await(s); /* what was unread lay with the script, which is given up here */
	if (!has_room) {
		counter_inc(&s->proxy->counters.out_of_memory);
		session_blame(s, CAUSE_MEMORY, CLOSED_BY_PROXY, 0);
		session_end(s, true);
		return;
	}
	endpoint_go_on(client);
}

void handler_finish(
        struct session *s, enum handler_end end, struct slice unread, const struct http_head *skip)
{
	struct side *client = &s->side[CLIENT];
	bool is_gone = side_is_gone(client);
	if (!is_gone && end == HANDLER_KEEP_ALIVE && !(client->flags & SIDE_EOF) &&
	        !s->proxy->drain.on) {
		next_request(s, unread, skip);
		return;
	}
	/* What was a WebSocket has its last word when its connection ends. */
	if (s->status != 101)
		handler_log(s);
	session_blame(s, s->status == 101 || end > HANDLER_CLOSE ? CAUSE_HANDLER : CAUSE_REFUSED,
	        CLOSED_BY_PROXY, 0);
	if (is_gone || end == HANDLER_DROP || end == HANDLER_RESET)
		session_end(s, end == HANDLER_RESET);
	else if ((client->flags & SIDE_EOF) && !session_has_unsent(s))
		session_end(s, false);
	else
		request_leave(s);
}

void handler_refuse(struct session *s, unsigned status, const char *reason)
{
	request_refuse(s, status, reason);
}

/* ---- what it may know ---- */

uint64_t handler_session_id(const struct session *s)
{
	return s->id;
}

unsigned handler_request_count(const struct session *s)
{
	return s->requests;
}

const struct address_brief *handler_client(const struct session *s)
{
	return &s->client;
}

struct address_brief handler_peer(const struct session *s)
{
	struct address_brief peer = s->client;
	note_peer(s->note, &peer);
	return peer;
}

bool handler_proxy_source(const struct session *s, struct address_brief *out)
{
	if (!note_destination(s->note, out))
		return false;
	*out = handler_peer(s);
	return true;
}

const char *handler_route_name(const struct session *s)
{
	return s->route->name;
}

uint16_t handler_server_port(const struct session *s)
{
	return s->port;
}

const struct handler_settings *handler_settings(const struct session *s)
{
	return &s->route->settings.handler;
}

struct slice handler_request_id(const struct session *s, char buf[HEADERS_ID_LEN])
{
	return headers_request_id(s, buf);
}

const char *handler_server(const struct session *s)
{
	return s->server ? s->server->name : NULL;
}

unsigned handler_status(const struct session *s)
{
	return s->status;
}

uint64_t handler_bytes(const struct session *s, bool is_down)
{
	return s->bytes[is_down ? UPSTREAM : CLIENT];
}

void handler_log_id(const struct session *s, struct log_line *l)
{
	session_log_id(s, l);
}

struct worker *handler_worker(const struct session *s)
{
	return s->proxy->worker;
}
