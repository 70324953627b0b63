/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/reply.h"

#include "http/answer.h"
#include "proxy/close.h"
#include "proxy/headers.h"
#include "proxy/opening.h"
#include "proxy/request.h"
#include "proxy/tries.h"
#include "proxy/tunnel.h"
#include "upstream/group.h"
#include "upstream/sticky.h"

#include <time.h>

/* ---- a 101 ---- */

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

/* Later only the route's own group is known. */
static void settle_now(struct session *s)
{
	if (s->opening->group == s->route->group)
		return;
	stream_settle(s->side[UPSTREAM].ep.stream, &s->opening->group->socket);
	s->is_settled = true;
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
	settle_now(s);
	opening_free(s);
	tunnel_open(s);
	if (closed) {
		up->flags |= SIDE_CLOSE_SENT;
		close_relayed(s, client, client->close_code);
	} else if (!stream_is_over(up->ep.stream)) {
		tunnel_resume(s, client);
	}
}

/* ---- an answer that is the client's ---- */

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
	if (!opening_hold(s, &o->answer, &v, 1)) {
		request_refuse(s, 503, "out of memory");
		return;
	}
	o->status = (uint16_t)answer->status;
	o->has_length = answer->framing == HTTP_BODY_LENGTH || answer->framing == HTTP_BODY_NONE;
	endpoint_read_body(&s->side[UPSTREAM].ep, answer, true);
	if (o->has_length && answer->content_length == 0)
		reply_on_body(s, (struct slice){0}, true);
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

void reply_on_body(struct session *s, struct slice content, bool end)
{
	struct opening *o = s->opening;
	if (content.len && o->body.bytes + content.len > OPENING_ANSWER_MAX) {
		request_refuse(s, 502, "the upstream's answer is over 64 KiB");
		return;
	}
	if (content.len && !opening_hold(s, &o->body, &content, 1)) {
		request_refuse(s, 503, "out of memory");
		return;
	}
	if (end)
		finish_relay(s);
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

void reply_on_head(struct session *s, struct http_head *answer)
{
	struct opening *o = s->opening;
	o->connect_ms = 0;
	if (o->picked.is_trial)
		server_state_answered(s->server, session_clock(s));
	o->picked.is_trial = false;
	if (answer->status == 101) {
		const char *wrong = check_answer(s, answer);
		if (wrong)
			request_refuse(s, 502, wrong);
		else
			open_tunnel(s, answer);
	} else if (answer->status < 200) {
		skip_interim(s);
	} else if (is_lie(answer)) {
		request_refuse(s, 502, "the upstream answered an upgrade without status 101");
	} else if (!is_unable(answer) || !tries_ask_another(s, answer->status)) {
		begin_relay(s, answer);
	}
}
