/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/request.h"

#include "http/answer.h"
#include "http/handshake.h"
#include "http/uri.h"
#include "net/tls_stream.h"
#include "proxy/admit.h"
#include "proxy/deadline.h"
#include "proxy/echo.h"
#include "proxy/handler.h"
#include "proxy/headers.h"
#include "proxy/opening.h"
#include "proxy/route_table.h"
#include "proxy/secure.h"
#include "proxy/tokens.h"
#include "proxy/tunnel.h"

enum {
	ANSWER_MAX = HEADERS_HEAD_MAX,
	SKIP_MAX = 64 * 1024,      /* body of a request that is skipped to keep the connection */
	UNFETCHED_MAX = 16 * 1024, /* bytes of answers queued for a client that asks on */
	LEAVE_TIMEOUT_MS = 5000,   /* for a client without a route */
};

static void count_refused(struct session *s, unsigned status)
{
	struct proxy_counters *c = &s->proxy->counters;
	switch (status) {
	case 400:
		counter_inc(&c->refused_400);
		break;
	case 403:
		counter_inc(&c->refused_403);
		break;
	case 404:
		counter_inc(&c->refused_404);
		break;
	case 405:
		counter_inc(&c->refused_405);
		break;
	case 408:
		counter_inc(&c->refused_408);
		break;
	case 414:
		counter_inc(&c->refused_414);
		break;
	case 426:
		counter_inc(&c->refused_426);
		break;
	case 429:
		counter_inc(&c->refused_429);
		break;
	case 431:
		counter_inc(&c->refused_431);
		break;
	case 502:
		counter_inc(&c->refused_502);
		break;
	case 503:
		counter_inc(&c->refused_503);
		break;
	case 504:
		counter_inc(&c->refused_504);
		break;
	case 505:
		counter_inc(&c->refused_505);
		break;
	default:
		break;
	}
}

void request_leave(struct session *s)
{
	struct side *client = &s->side[CLIENT];
	uint32_t timeout = s->route ? s->route->settings.close_timeout_ms : LEAVE_TIMEOUT_MS;
	if (s->state == SESSION_HANDLING)
		handler_release(s);
	if (s->state == SESSION_OPENING) {
		opening_free(s);
		endpoint_close(&s->side[UPSTREAM].ep, false);
		session_leave_server(s);
	}
	session_move(s, SESSION_LEAVING);
	endpoint_discard(&client->ep);
	tunnel_resume(s, client);
	stream_shutdown(client->ep.stream);
	s->deadline_ms = session_clock(s) + timeout;
	deadline_reset(s);
}

/* Applies the route's rules to an answer of our own: with the head that is looked at now,
 * or the lines that were made when it was. An answer to what never became a request that
 * has a route goes as it is. */
static void edit_answer(struct session *s, struct http_writer *w)
{
	uint8_t buf[HEADERS_HEAD_MAX];
	struct http_writer lines;
	if (!s->route || !s->route->headers.response)
		return;
	if (s->state == SESSION_OPENING) {
		headers_edit(s, w, opening_lines(s->opening), opening_server(s->opening));
	} else if (s->proxy->asking == s) {
		http_writer_init(&lines, buf, sizeof buf);
		headers_put_response(s, &lines, s->proxy->asked);
		headers_edit(s, w, slice_of(buf, lines.overflow ? 0 : lines.len), SLICE("none"));
	}
}

/* Sends the answer that was written; keeps the connection if it may go on. */
static void send_answer(struct session *s, struct http_writer *w, unsigned status, bool keep_alive)
{
	edit_answer(s, w);
	struct slice v = slice_of(w->buf, w->len);
	s->status = (uint16_t)status;
	counter_inc(&s->proxy->counters.responses);
	access_answered(s);
	stream_send(s->side[CLIENT].ep.stream, &v, 1);
	if (!keep_alive)
		request_leave(s);
}

static void send_own(struct session *s, const struct http_answer *a)
{
	uint8_t buf[ANSWER_MAX];
	struct http_writer w;
	http_writer_init(&w, buf, sizeof buf);
	http_put_answer(&w, a);
	send_answer(s, &w, a->status, a->keep_alive);
}

/* Counts and logs a refusal, once. */
static void note_refused(struct session *s, unsigned status, const char *reason)
{
	count_refused(s, status);
	session_log_refused(s, status, reason);
}

void request_refuse(struct session *s, unsigned status, const char *reason)
{
	struct http_answer a = {.status = status, .text = slice_str(reason)};
	int error = s->state == SESSION_OPENING ? s->opening->error : 0;
	session_blame(s, CAUSE_REFUSED, CLOSED_BY_PROXY, error);
	note_refused(s, status, reason);
	send_own(s, &a);
}

void request_turn_away(struct session *s, unsigned status, const char *reason, uint32_t wait_s)
{
	uint8_t buf[64];
	struct http_writer w;
	http_writer_init(&w, buf, sizeof buf);
	http_put_number(&w, SLICE("Retry-After"), wait_s);
	struct http_answer a = {
	        .status = status, .text = slice_str(reason), .extra = slice_of(buf, w.len)};
	session_blame(s, CAUSE_REFUSED, CLOSED_BY_PROXY, 0);
	count_refused(s, status);
	send_own(s, &a);
}

void request_refuse_for(struct session *s, unsigned status, const char *reason, uint32_t wait_s)
{
	session_log_refused(s, status, reason);
	request_turn_away(s, status, reason, wait_s);
}

/* ---- a whole head ---- */

static bool is_fetched(const struct session *s)
{
	const struct stream *client = s->side[CLIENT].ep.stream;
	return client && client->out.bytes <= UNFETCHED_MAX;
}

bool request_may_go_on(const struct session *s, const struct http_head *head)
{
	return head->keep_alive && !head->expects_continue && !s->proxy->drain.on && is_fetched(s);
}

static bool may_go_on(const struct session *s, const struct http_head *head)
{
	if (!request_may_go_on(s, head))
		return false;
	return head->framing == HTTP_BODY_NONE ||
	       (head->framing == HTTP_BODY_LENGTH && head->content_length <= SKIP_MAX);
}

void request_await(struct session *s)
{
	s->receiving = false;
	s->was_asked = false;
	handler_log(s);
	admit_leave_route(s);
	access_request_end(s);
	s->deadline_ms = session_clock(s) + s->listener->keepalive_timeout_ms;
	deadline_reset(s);
}

/* After an answer: the next request is awaited, behind the body of this one. */
static void go_on(struct session *s, const struct http_head *head)
{
	if (head->framing != HTTP_BODY_NONE)
		endpoint_read_body(&s->side[CLIENT].ep, head, false);
	else
		endpoint_await(&s->side[CLIENT].ep);
	request_await(s);
}

static bool answers_head(const struct http_head *head)
{
	return slice_equal(head->method, SLICE("HEAD"));
}

/* A plain answer of a route, or that there is none. */
static void answer_plain(struct session *s, const struct http_head *head, struct http_answer *a)
{
	a->keep_alive = may_go_on(s, head);
	a->head = answers_head(head);
	session_blame(s, a->keep_alive ? CAUSE_NONE : CAUSE_REFUSED, CLOSED_BY_PROXY, 0);
	send_own(s, a);
	if (a->keep_alive)
		go_on(s, head);
}

static void refuse_upgrade(
        struct session *s, const struct http_head *head, enum upgrade_verdict verdict)
{
	uint8_t buf[ANSWER_MAX];
	struct http_writer w;
	bool keep_alive = verdict == UPGRADE_NONE && may_go_on(s, head);
	http_writer_init(&w, buf, sizeof buf);
	http_put_refusal(&w, verdict, keep_alive, answers_head(head));
	session_blame(s, keep_alive ? CAUSE_NONE : CAUSE_REFUSED, CLOSED_BY_PROXY, 0);
	note_refused(s, upgrade_status(verdict), upgrade_reason(verdict));
	send_answer(s, &w, upgrade_status(verdict), keep_alive);
	if (keep_alive)
		go_on(s, head);
}

static void respond(struct session *s, const struct http_head *head)
{
	const struct route *r = s->route;
	uint8_t buf[HTTP_TARGET_MAX + 16];
	struct http_writer w;
	http_writer_init(&w, buf, sizeof buf);
	if (r->respond_location)
		http_put_field(&w, SLICE("Location"), slice_str(r->respond_location));
	struct http_answer a = {.status = r->respond_status, .extra = slice_of(buf, w.len)};
	answer_plain(s, head, &a);
}

static void refuse_unrouted(struct session *s, const struct http_head *head, bool sound)
{
	struct http_answer a = {.status = sound ? 404 : 400};
	const char *reason = sound ? "no route for this host and path"
	                           : "the target is no path that can be routed";
	a.text = slice_str(reason);
	note_refused(s, a.status, reason);
	answer_plain(s, head, &a);
}

static void refuse_origin(
        struct session *s, const struct http_head *head, enum origin_verdict verdict)
{
	const struct http_field *f = http_find(head, HTTP_ORIGIN);
	struct http_answer a = {.status = 403, .text = slice_str(origin_reason(verdict))};
	session_blame(s, CAUSE_REFUSED, CLOSED_BY_PROXY, 0);
	count_refused(s, a.status);
	session_log_origin(s, origin_reason(verdict), f ? f->value : SLICE(""));
	send_own(s, &a);
}

static bool is_origin_allowed(
        struct session *s, const struct http_head *head, enum upgrade_verdict verdict)
{
	const struct route_settings *set = &s->route->settings;
	enum origin_verdict origin =
	        verdict == UPGRADE_NONE ? ORIGIN_ALLOWED
	                                : origin_check(set->origins, set->origin_missing, head);
	if (origin != ORIGIN_ALLOWED)
		refuse_origin(s, head, origin);
	return origin == ORIGIN_ALLOWED;
}

static void limit_protocols(const struct session *s, struct http_head *head)
{
	const struct token_list *allowed = s->route->settings.subprotocols;
	if (allowed)
		upgrade_limit_protocols(head, allowed->at, allowed->n);
}

/* A route without scripts, or whose access script has let the request pass. */
static void serve(struct session *s, struct http_head *head, struct upstream_group *group,
        struct slice server)
{
	struct slice key;
	if (s->route->action == ROUTE_RESPOND) {
		respond(s, head);
		return;
	}
	enum upgrade_verdict verdict = upgrade_check(head, &key);
	if (!s->was_asked && !is_origin_allowed(s, head, verdict))
		return;
	if (verdict != UPGRADE_OK) {
		refuse_upgrade(s, head, verdict);
		return;
	}
	if (!s->was_asked && !admit_request(s))
		return;
	limit_protocols(s, head);
	if (s->route->action == ROUTE_ECHO)
		echo_open(s, head, key);
	else
		opening_start(s, head, key, group ? group : s->route->group, server);
}

/* What guards a route is before its scripts; what they make of a request that is no sound
 * upgrade is their business. */
static void serve_by_script(struct session *s, struct http_head *head)
{
	struct slice key;
	if (!is_origin_allowed(s, head, upgrade_check(head, &key)) || !admit_request(s))
		return;
	limit_protocols(s, head);
	if (s->route->access)
		handler_ask(s, head);
	else
		handler_run(s, head);
}

/* Around whatever looks at a head of the session. */
static void begin_asking(struct session *s, const struct http_head *head)
{
	s->proxy->asking = s;
	s->proxy->asked = head;
}

void request_pass(struct session *s, struct http_head *head, struct upstream_group *group,
        struct slice server)
{
	begin_asking(s, head);
	s->was_asked = true;
	if (s->route->action == ROUTE_HANDLER)
		handler_run(s, head);
	else
		serve(s, head, group, server);
	s->proxy->asking = NULL;
}

/* The listener that the session's client came by, in the routes of now: by its name, or, if it
 * has got another one since, as the one that is at that address. */
static unsigned listener_of(const struct session *s)
{
	const struct route_table *t = s->proxy->routes;
	const struct proxy_listener *l = s->listener, *now = s->door ? s->door->listener : NULL;
	unsigned number = route_table_listener(t, l->name, l->number);
	if (number == ROUTE_LISTENERS_MAX && now)
		number = route_table_listener(t, now->name, now->number);
	return number;
}

/* The route for host and path in their normal forms; a session keeps its route's
 * reference until its next request. */
static bool find_route(struct session *s, const struct http_head *head, bool *sound)
{
	uint8_t path[HTTP_TARGET_MAX], host[URI_HOST_MAX];
	struct slice port;
	ssize_t n = uri_normalise_path(head->path, path);
	struct route *r = NULL;
	*sound = n > 0;
	if (n > 0) {
		struct tls_info tls;
		bool is_tls = tls_describe(s->side[CLIENT].ep.stream, &tls);
		struct slice authority = head->authority.len > 0 ? head->authority : head->host;
		struct route_query q = {.listener = listener_of(s),
		        .host = slice_of(host, uri_host(authority, host, &port)),
		        .path = slice_of(path, (size_t)n),
		        .head = head,
		        .tls = is_tls ? &tls : NULL};
		r = route_find(s->proxy->routes, &q);
	}
	route_unref(s->route);
	s->route = r ? route_ref(r) : NULL;
	return r != NULL;
}

static void refuse_memory(struct session *s)
{
	counter_inc(&s->proxy->counters.out_of_memory);
	request_refuse(s, 503, "out of memory");
}

void request_on_head(struct session *s, struct http_head *head)
{
	bool sound;
	counter_inc(&s->proxy->counters.requests);
	access_begin(s, head);
	if (secure_is_missing(s)) {
		request_refuse(
		        s, 400, "plain HTTP came to a port for TLS: want https:// or wss://");
		return;
	}
	if (!headers_find_client(s, head)) {
		refuse_memory(s);
		return;
	}
	if (!find_route(s, head, &sound)) {
		refuse_unrouted(s, head, sound);
		return;
	}
	if (!headers_name_request(s, head)) {
		refuse_memory(s);
		return;
	}
	begin_asking(s, head);
	stream_set_marks(s->side[CLIENT].ep.stream, s->route->settings.max_queue,
	        s->route->settings.max_queue / 2);
	if (s->route->log && !s->route->access && !s->route->handler)
		handler_remember(s, head);
	if (s->route->access || s->route->handler)
		serve_by_script(s, head);
	else
		serve(s, head, NULL, SLICE(""));
	s->proxy->asking = NULL;
}

void request_on_broken(struct session *s, enum http_error error)
{
	request_refuse(s, http_error_status(error), http_error_reason(error));
}
