/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/opening.h"

#include "base/budget.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/answer.h"
#include "net/tls_error.h"
#include "net/tls_stream.h"
#include "proxy/close.h"
#include "proxy/deadline.h"
#include "proxy/hash_key.h"
#include "proxy/headers.h"
#include "proxy/preface.h"
#include "proxy/request.h"
#include "proxy/tunnel.h"
#include "upstream/group.h"
#include "upstream/spare.h"
#include "upstream/sticky.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static const char no_memory[] = "out of memory";

static const char none_up[] = "no server of the upstream is up";

static void on_dialled(struct dial *d, const char *error);
static void connect_next(struct session *s, int error);
static void on_place(struct waiting *w);
static void find_members(struct session *s);
static void on_members(struct srv *srv, const char *error);
static void pick_server(struct session *s, unsigned status, const char *reason);

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
		request_refuse(s, 503, no_memory);
		return;
	}
	s->opening = o;
	session_move(s, SESSION_OPENING);
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
	if (group->service)
		find_members(s);
	else
		pick_server(s, 503, none_up);
}

/* ---- the servers of a service ---- */

static void find_members(struct session *s)
{
	struct opening *o = s->opening;
	if (srv_start(&o->srv, s->proxy->worker, s->opening->group, on_members))
		return;
	counter_inc(&s->proxy->counters.out_of_memory);
	request_refuse(s, 503, no_memory);
}

/* The same server among other members; -1: it has gone. */
static int place_of(const struct upstream_members *m, const struct server_state *state)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->server[i].state == state)
			return (int)i;
	return -1;
}

static void on_members(struct srv *srv, const char *error)
{
	struct opening *o = list_entry(srv, struct opening, srv);
	struct session *s = o->session;
	if (error) {
		request_refuse(s, 502, error);
		return;
	}
	struct upstream_members *before = o->members;
	o->members = upstream_group_members(s->opening->group);
	if (before && o->pick.sticky >= 0)
		o->pick.sticky = place_of(o->members, before->server[o->pick.sticky].state);
	upstream_members_unref(before);
	pick_server(s, 503, none_up);
}

/* ---- a server, and the next ---- */

static void arm_connect_timeout(struct session *s)
{
	uint32_t limit = s->opening->group->connect_timeout_ms;
	s->opening->connect_ms = limit ? session_clock(s) + limit : 0;
	deadline_reset(s);
}

static void dial_server(struct session *s)
{
	struct opening *o = s->opening;
	o->connect_ms = 0;
	switch (spare_dial_start(
	        &o->dial, s->proxy->worker, s->opening->group, &o->picked, on_dialled)) {
	case DIAL_READY:
		connect_next(s, 0);
		break;
	case DIAL_FAILED:
		counter_inc(&s->proxy->counters.out_of_memory);
		request_refuse(s, 503, "out of memory");
		break;
	case DIAL_RESOLVING:
		arm_connect_timeout(s);
		break;
	}
}

static void ask_server(struct session *s)
{
	struct opening *o = s->opening;
	s->server = o->picked.server->state;
	o->pick.tried |= UINT64_C(1) << o->picked.index;
	o->picked_ms = session_clock(s);
	access_picked(s);
	if (o->tries++)
		counter_inc(&s->proxy->counters.tries);
	dial_server(s);
}

/* Every server that is up is full. */
static void wait_for_place(struct session *s, unsigned status, const char *reason)
{
	struct opening *o = s->opening;
	struct upstream_group *g = s->opening->group;
	struct proxy_counters *c = &s->proxy->counters;
	if (!waiting_start(&o->waiting, s->proxy->worker, g, o->members, &o->pick, on_place)) {
		counter_inc(&c->queue_refused);
		request_refuse(s, status, reason);
		return;
	}
	counter_inc(&c->queue_waits);
	log_event(LOG_LEVEL_DEBUG, "waiting", "upstream", g->name, NULL);
	o->connect_ms = g->queue_timeout_ms ? session_clock(s) + g->queue_timeout_ms : 0;
	if (o->connect_ms)
		deadline_arm(s, o->connect_ms);
}

static void on_place(struct waiting *w)
{
	struct opening *o = list_entry(w, struct opening, waiting);
	o->picked = w->picked;
	ask_server(o->session);
}

/* Where this worker has a connection ready is known for this moment only. */
static enum pick pick(struct session *s, struct picked *out)
{
	struct opening *o = s->opening;
	const struct upstream_group *g = s->opening->group;
	o->pick.now_ms = session_clock(s);
	o->pick.worker = s->proxy->worker;
	o->pick.spare = spares_of(s->proxy->worker, g, o->members);
	return upstream_pick(g, o->members, &o->pick, out);
}

/* `status` and `reason`: the answer when there is none to ask. */
static void pick_server(struct session *s, unsigned status, const char *reason)
{
	struct opening *o = s->opening;
	switch (pick(s, &o->picked)) {
	case PICK_SERVER:
		ask_server(s);
		break;
	case PICK_FULL:
		if (o->tries == 0) {
			status = 503;
			reason = s->opening->group->queue ? "the upstream's queue is full"
			                                  : "every server of the upstream is full";
		}
		wait_for_place(s, status, reason);
		break;
	case PICK_NONE:
		request_refuse(s, status, reason);
		break;
	}
}

static void leave_server(struct session *s)
{
	dial_end(&s->opening->dial);
	endpoint_close(&s->side[UPSTREAM].ep, false);
	session_leave_server(s);
}

static void log_failed_try(const struct session *s, const char *reason)
{
	struct log_line l;
	if (!log_is_on(LOG_LEVEL_INFO))
		return;
	log_begin(&l, LOG_LEVEL_INFO, "try_failed");
	session_log_id(s, &l);
	log_text(&l, "upstream", s->opening->group->name);
	log_text(&l, "server", s->server->name);
	log_text(&l, "reason", reason);
	log_end(&l);
}

/* The server is to blame. */
static void blame_server(struct session *s, const char *reason)
{
	struct opening *o = s->opening;
	const struct upstream_group *g = s->opening->group;
	counter_inc(&s->proxy->counters.server_failures);
	server_state_fail(s->server, o->picked.is_trial, g->max_fails, g->fail_timeout_ms,
	        session_clock(s), reason);
	o->picked.is_trial = false;
}

static bool may_try_again(const struct session *s)
{
	const struct opening *o = s->opening;
	return o->tries < s->opening->group->tries && o->tries < o->members->n;
}

/* The server did not do: the next, or this answer. */
static void try_next(struct session *s, unsigned status, const char *reason)
{
	struct opening *o = s->opening;
	if (o->picked.is_trial)
		server_state_abandon(s->server);
	o->picked.is_trial = false;
	if (!may_try_again(s)) {
		request_refuse(s, status, reason);
		return;
	}
	log_failed_try(s, reason);
	leave_server(s);
	pick_server(s, status, reason);
}

static void on_dialled(struct dial *d, const char *error)
{
	struct session *s = list_entry(d, struct opening, dial)->session;
	if (error) {
		blame_server(s, error);
		try_next(s, 502, error);
	} else {
		connect_next(s, 0);
	}
}

/* No address of the server could be connected to; the last one for this reason. */
static void cannot_connect(struct session *s, int error)
{
	struct proxy_counters *c = &s->proxy->counters;
	switch (error) {
	case EADDRNOTAVAIL:
		counter_inc(&c->no_free_port);
		try_next(s, 503, "no free port");
		break;
	case ENODEV:
		try_next(s, 503, "a source address is not one of this host");
		break;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		request_refuse(s, 503, "no descriptor or memory for the upstream");
		break;
	case ETIMEDOUT:
		blame_server(s, "connect_timeout");
		try_next(s, 504, "the upstream did not connect in time");
		break;
	default: {
		char words[LOG_ERRNO_MAX];
		blame_server(s, log_errno_words(error, words));
		try_next(s, 502, "the upstream cannot be reached");
	}
	}
}

/* The server's name as a Host line may hold it. */
static struct slice host_of(const struct opening *o)
{
	struct slice name = opening_server(o);
	return slice_starts_with(name, SLICE("unix:")) ? SLICE("localhost") : name;
}

static void send_request(struct session *s)
{
	struct opening *o = s->opening;
	struct slice v = slice_of(o->request, o->request_len);
	uint8_t buf[HEADERS_HEAD_MAX];
	struct http_writer w;
	if (memchr(v.at, RULES_SERVER.at[0], v.len)) {
		http_writer_init(&w, buf, sizeof buf);
		rules_expand(&w, v, host_of(o));
		if (w.overflow) {
			request_refuse(s, 431, "the head is over 32 KiB with the server's name");
			return;
		}
		v = slice_of(buf, w.len);
	}
	struct stream *up = s->side[UPSTREAM].ep.stream;
	uint8_t preface[PROXY_HEADER_WRITE_MAX];
	/* With TLS it has gone before. */
	struct slice both[] = {
	        slice_of(preface, stream_is_tls(up) ? 0 : preface_write(s, preface)), v};
	size_t none = both[0].len == 0;
	stream_send(up, both + none, 2 - none);
}

static void send_preface(struct dial *d, struct stream *stream)
{
	const struct session *s = list_entry(d, struct opening, dial)->session;
	uint8_t preface[PROXY_HEADER_WRITE_MAX];
	struct slice v = slice_of(preface, preface_write(s, preface));
	if (v.len > 0)
		stream_send(stream, &v, 1);
}

/* `error`: why the address before failed, when that is known. From here on the server's
 * name is known; the time that finding it took counts. */
static void connect_next(struct session *s, int error)
{
	struct opening *o = s->opening;
	struct side *up = &s->side[UPSTREAM];
	int now = 0;
	o->dial.in_clear = send_preface;
	struct stream *stream = dial_next(&o->dial, &now);
	if (!stream) {
		cannot_connect(s, error ? error : now);
		return;
	}
	endpoint_init(&up->ep, ENDPOINT_UPSTREAM);
	endpoint_attach(&up->ep, stream);
	stream_set_marks(stream, s->route->settings.max_queue, s->route->settings.max_queue / 2);
	if (!o->connect_ms)
		arm_connect_timeout(s);
	if (!stream_is_connecting(stream))
		access_connected(s);
	send_request(s);
}

/* ---- the upstream's answer ---- */

/* The subprotocol lines of the request that was sent, which no limit of heads holds: it is
 * ours, so a line is a name, ": " and a value. */
static void read_offer(struct http_head *out, const struct opening *o)
{
	struct slice rest = slice_of(o->request, o->request_len);
	out->n = 0;
	while (rest.len > 0 && out->n < HTTP_LINES_MAX) {
		const uint8_t *end = memchr(rest.at, '\r', rest.len);
		size_t len = (size_t)(end - rest.at);
		const uint8_t *colon = memchr(rest.at, ':', len);
		struct slice name = slice_of(rest.at, colon ? (size_t)(colon - rest.at) : 0);
		if (http_name_of(name) == HTTP_SEC_WEBSOCKET_PROTOCOL)
			out->field[out->n++] =
			        (struct http_field){name, slice_of(colon + 2, len - name.len - 2),
			                HTTP_SEC_WEBSOCKET_PROTOCOL, false, false};
		rest = slice_of(end + 2, rest.len - len - 2);
	}
}

static const char *check_answer(struct session *s, const struct http_head *answer)
{
	const struct opening *o = s->opening;
	struct http_head request;
	request.n = 0;
	if (http_find(answer, HTTP_SEC_WEBSOCKET_PROTOCOL))
		read_offer(&request, o);
	return upgrade_check_answer(answer, o->key, &request);
}

/* What the route's rules leave of an answer's fields. */
static void filter_answer(const struct session *s, struct http_head *answer)
{
	if (s->route->headers.response)
		rules_filter(s->route->headers.response, answer, false);
}

/* The server turned out to be at home: from the next frame on the mask may stay. */
static void trust_private_server(struct session *s)
{
	struct ws_reader *in = &s->side[CLIENT].ep.in;
	const struct opening *o = s->opening;
	if (s->route->settings.remask == REMASK_AUTO && !ws_reader_is_mid_frame(in) &&
	        (o->picked.server->is_secure || address_is_private(dial_address(&o->dial))))
		in->flags = (uint8_t)(in->flags & ~WS_REMASK);
}

/* So that the client comes back to this server, unless its cookie says so already. */
static void put_cookie(const struct session *s, struct http_writer *w)
{
	const struct opening *o = s->opening;
	const struct sticky *sticky = s->opening->group->sticky;
	if (sticky && o->pick.sticky != (int)o->picked.index)
		sticky_put(sticky, w, o->picked.server->state->key, time(NULL));
}

static void open_tunnel(struct session *s, struct http_head *answer)
{
	struct side *client = &s->side[CLIENT], *up = &s->side[UPSTREAM];
	struct opening *o = s->opening;
	uint8_t buf[HEADERS_HEAD_MAX];
	struct http_writer w;
	http_writer_init(&w, buf, sizeof buf);
	filter_answer(s, answer);
	upgrade_begin_101(&w, answer, o->accept);
	rules_expand(&w, opening_lines(o), opening_server(o));
	put_cookie(s, &w);
	http_put_end(&w);
	if (w.overflow) {
		request_refuse(s, 502, "the upstream's head is too long");
		return;
	}
	struct slice v = slice_of(buf, w.len);
	endpoint_upgrade(&up->ep, 0);
	stream_send(client->ep.stream, &v, 1);
	endpoint_send_queue(&up->ep, &o->early);
	bool closed = o->early_close;
	if (!closed)
		trust_private_server(s);
	opening_free(s);
	tunnel_open(s);
	if (closed) {
		up->flags |= SIDE_CLOSE_SENT;
		close_relayed(s, client, client->close_code);
	} else if (!stream_is_over(up->ep.stream)) {
		tunnel_resume(s, client);
	}
}

/* Not from the memory that open sessions were promised. */
static bool keep(struct session *s, struct queue *q, const struct slice *v, size_t n)
{
	return budget_has(0) && queue_append(q, &s->proxy->worker->chunks, v, n);
}

/* An answer that is no 101 and no lie is the client's: kept until it is whole. */
static void begin_relay(struct session *s, struct http_head *answer)
{
	struct opening *o = s->opening;
	uint8_t buf[HEADERS_HEAD_MAX];
	struct http_writer w;
	http_writer_init(&w, buf, sizeof buf);
	filter_answer(s, answer);
	http_put_relayed(&w, answer, false);
	rules_expand(&w, opening_lines(o), opening_server(o));
	struct slice v = slice_of(buf, w.len);
	if (w.overflow) {
		request_refuse(s, 502, "the upstream's head is too long");
		return;
	}
	if (!keep(s, &o->answer, &v, 1)) {
		request_refuse(s, 503, no_memory);
		return;
	}
	o->status = (uint16_t)answer->status;
	o->has_length = answer->framing == HTTP_BODY_LENGTH || answer->framing == HTTP_BODY_NONE;
	endpoint_read_body(&s->side[UPSTREAM].ep, answer, true);
	if (o->has_length && answer->content_length == 0)
		opening_on_body(s, (struct slice){0}, true);
}

static void skip_interim(struct session *s)
{
	if (++s->opening->interim > OPENING_INTERIM_MAX)
		request_refuse(s, 502, "too many interim answers");
}

/* 200 with the fields of an upgrade is neither an answer nor a 101. */
static bool is_lie(const struct http_head *answer)
{
	return answer->status != 426 && http_lists(answer, HTTP_UPGRADE, SLICE("websocket")) &&
	       http_lists(answer, HTTP_CONNECTION, SLICE("upgrade"));
}

/* It says itself that it cannot serve; perhaps another one can. */
static bool is_unable(const struct http_head *answer)
{
	return answer->status >= 502 && answer->status <= 504;
}

/* False when there is no other that can be asked at once: then this answer is the
 * client's. */
static bool ask_another(struct session *s, unsigned status)
{
	struct opening *o = s->opening;
	struct picked next;
	char reason[64];
	if (!may_try_again(s) || pick(s, &next) != PICK_SERVER)
		return false;
	snprintf(reason, sizeof reason, "the upstream answered %u", status);
	log_failed_try(s, reason);
	leave_server(s);
	o->picked = next;
	ask_server(s);
	return true;
}

void opening_on_head(struct session *s, struct http_head *answer)
{
	struct opening *o = s->opening;
	o->connect_ms = 0;
	if (o->picked.is_trial)
		server_state_answered(s->server, session_clock(s));
	o->picked.is_trial = false;
	if (answer->status == 101) {
		const char *wrong = check_answer(s, answer);
		if (wrong)
			request_refuse(s, wrong == no_memory ? 503 : 502, wrong);
		else
			open_tunnel(s, answer);
	} else if (answer->status < 200) {
		skip_interim(s);
	} else if (is_lie(answer)) {
		request_refuse(s, 502, "the upstream answered an upgrade without status 101");
	} else if (!is_unable(answer) || !ask_another(s, answer->status)) {
		begin_relay(s, answer);
	}
}

static void finish_relay(struct session *s)
{
	struct opening *o = s->opening;
	struct endpoint *client = &s->side[CLIENT].ep;
	uint8_t buf[128];
	struct http_writer w;
	http_writer_init(&w, buf, sizeof buf);
	if (!o->has_length)
		http_put_number(&w, SLICE("Content-Length"), o->body.bytes);
	http_put_end(&w);
	struct slice v = slice_of(buf, w.len);
	endpoint_send_queue(client, &o->answer);
	stream_send(client->stream, &v, 1);
	endpoint_send_queue(client, &o->body);
	s->status = o->status;
	counter_inc(&s->proxy->counters.relayed);
	access_answered(s);
	counter_inc(&s->proxy->counters.responses);
	session_log_refused(s, o->status, "answered so by the upstream");
	request_leave(s);
}

void opening_on_body(struct session *s, struct slice content, bool end)
{
	struct opening *o = s->opening;
	if (content.len && o->body.bytes + content.len > OPENING_ANSWER_MAX) {
		request_refuse(s, 502, "the upstream's answer is over 64 KiB");
		return;
	}
	if (content.len && !keep(s, &o->body, &content, 1)) {
		request_refuse(s, 503, no_memory);
		return;
	}
	if (end)
		finish_relay(s);
}

/* It ended before it had answered. Once a status line has come, the session is no
 * other server's business. */
static void ended_early(struct session *s)
{
	const struct opening *o = s->opening;
	static const char reason[] = "the upstream closed before a whole answer";
	if (o->answer.bytes == 0)
		blame_server(s, reason);
	if (o->has_status || o->interim)
		request_refuse(s, 502, reason);
	else
		try_next(s, 502, reason);
}

/* Its certificate is not to be believed, say, or it speaks no TLS. */
static void tls_failed(struct session *s)
{
	struct endpoint *up = &s->side[UPSTREAM].ep;
	char reason[TLS_WHY_MAX];
	snprintf(reason, sizeof reason, "%s", tls_failure(up->stream));
	session_log_tls(s, &s->side[UPSTREAM]);
	endpoint_close(up, false);
	blame_server(s, reason);
	try_next(s, 502, "TLS with the upstream failed");
}

/* A connection that was made before and ended without a byte of an answer may have been over
 * before it was used: that is no try. Each can be lost once only. */
static bool was_spare_lost(const struct session *s)
{
	const struct opening *o = s->opening;
	const struct endpoint *up = &s->side[UPSTREAM].ep;
	return o->dial.is_spare && up->phase == ENDPOINT_HEAD && !up->http.begun && !o->interim;
}

static void replace_spare(struct session *s)
{
	struct opening *o = s->opening;
	struct upstream_worker *u = s->proxy->worker->layer[WORKER_UPSTREAM];
	counter_inc(&u->counters.spares_lost);
	o->picked.has_spare = false; /* its place is this session's */
	dial_end(&o->dial);
	dial_server(s);
}

void opening_on_end(struct session *s, enum stream_end end, int error)
{
	struct side *up = &s->side[UPSTREAM];
	bool is_lost = was_spare_lost(s);
	if (tls_failure(up->ep.stream)) {
		tls_failed(s);
		return;
	}
	bool connecting = up->ep.stream->flags & STREAM_CONNECTING;
	s->opening->has_status = up->ep.phase != ENDPOINT_HEAD || up->ep.http.scan.fields_at > 0;
	endpoint_close(&up->ep, false);
	if (connecting && end == STREAM_ERROR)
		connect_next(s, error);
	else if (end == STREAM_ERROR && error == ENOMEM)
		request_refuse(s, 503, no_memory);
	else if (is_lost)
		replace_spare(s);
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
	if (s->opening->answer.bytes == 0 && had_its_time(s))
		blame_server(s, reason);
	request_refuse(s, 504, reason);
}

void opening_on_deadline(struct session *s, bool handshake)
{
	struct side *up = &s->side[UPSTREAM];
	if (handshake || s->opening->waiting.is_on) {
		handshake_over(s);
	} else if (!up->ep.stream || stream_is_connecting(up->ep.stream)) {
		endpoint_close(&up->ep, false);
		dial_end(&s->opening->dial);
		cannot_connect(s, ETIMEDOUT);
	} else {
		s->opening->connect_ms = 0;
		deadline_reset(s);
	}
}

void opening_keep(struct session *s, const struct slice *v, size_t n)
{
	struct opening *o = s->opening;
	if (!keep(s, &o->early, v, n)) {
		request_refuse(s, 503, no_memory);
		return;
	}
	if (o->early.bytes >= OPENING_EARLY_MAX)
		tunnel_pause(s, &s->side[CLIENT]);
}
