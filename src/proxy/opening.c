/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/opening.h"

#include "base/mem.h"
#include "http/answer.h"
#include "proxy/close.h"
#include "proxy/deadline.h"
#include "proxy/request.h"
#include "proxy/tunnel.h"
#include "upstream/group.h"

#include <errno.h>

enum { REQUEST_MAX = HTTP_HEAD_MAX + 1024 }; /* the client's head and the handshake's own lines */

static const char no_memory[] = "out of memory";

static void on_dialled(struct dial *d, const char *error);
static void connect_next(struct session *s, int error);

static struct opening *opening_new(struct session *s)
{
	struct opening *o = pool_get(&s->proxy->opening_pool);
	if (o)
		*o = (struct opening){.session = s};
	return o;
}

void opening_free(struct session *s)
{
	struct opening *o = s->opening;
	struct pool *chunks = &s->proxy->worker->chunks;
	if (!o)
		return;
	s->opening = NULL;
	dial_end(&o->dial);
	queue_clear(&o->early, chunks);
	queue_clear(&o->answer, chunks);
	queue_clear(&o->body, chunks);
	mem_free(o->request);
	pool_put(&s->proxy->opening_pool, o);
}

/* The target of an absolute form as an upstream is asked for it (RFC 9112 3.2.1). */
static struct slice origin_form(const struct http_head *head, uint8_t out[HTTP_TARGET_MAX + 2])
{
	struct http_writer w;
	http_writer_init(&w, out, HTTP_TARGET_MAX + 2);
	http_put(&w, head->path);
	if (head->query.len)
		http_put(&w, SLICE("?"));
	http_put(&w, head->query);
	return slice_of(out, w.len);
}

static bool make_request(struct opening *o, const struct http_head *head)
{
	uint8_t buf[REQUEST_MAX], path[HTTP_TARGET_MAX + 2];
	struct http_writer w;
	http_writer_init(&w, buf, sizeof buf);
	struct slice target = head->authority.len ? origin_form(head, path) : head->target;
	ws_key_make(o->key);
	upgrade_put_request(&w, head, target, (struct slice){0}, o->key);
	if (w.overflow || !(o->request = mem_try(w.len)))
		return false;
	memcpy(o->request, buf, w.len);
	o->request_len = (uint32_t)w.len;
	return true;
}

/* The client's mask stays, except where middleboxes may look on: then each frame
 * gets a fresh key. A name is taken for a public address until it is known. */
static bool wants_remask(const struct session *s, const struct address *to)
{
	switch (s->route->settings.remask) {
	case REMASK_ON:
		return true;
	case REMASK_OFF:
		return false;
	default:
		return !to || !address_is_private(to);
	}
}

void opening_start(struct session *s, const struct http_head *head, struct slice key)
{
	const struct upstream_group *group = s->route->group;
	struct opening *o = opening_new(s);
	if (!o) {
		counter_inc(&s->proxy->counters.out_of_memory);
		request_refuse(s, 503, no_memory);
		return;
	}
	s->opening = o;
	session_move(s, SESSION_OPENING);
	ws_accept_value(o->accept, key);
	enum dial_start dial = dial_start(&o->dial, s->proxy->worker, group, on_dialled);
	if (dial == DIAL_FAILED || !make_request(o, head)) {
		counter_inc(&s->proxy->counters.out_of_memory);
		request_refuse(s, 503, no_memory);
		return;
	}
	bool remask = wants_remask(s, group->server.host ? NULL : &group->server.address);
	endpoint_upgrade(&s->side[CLIENT].ep, WS_FROM_CLIENT | (remask ? WS_REMASK : 0));
	if (dial == DIAL_READY)
		connect_next(s, 0);
}

static void on_dialled(struct dial *d, const char *error)
{
	struct session *s = list_entry(d, struct opening, dial)->session;
	if (error)
		request_refuse(s, 502, error);
	else
		connect_next(s, 0);
}

/* The address of a name that is tried now is at home or not: from the next frame on. */
static void choose_remask(struct session *s)
{
	struct ws_reader *in = &s->side[CLIENT].ep.in;
	bool remask = wants_remask(s, dial_address(&s->opening->dial));
	if (!ws_reader_is_mid_frame(in))
		in->flags = (uint8_t)((in->flags & ~WS_REMASK) | (remask ? WS_REMASK : 0));
}

/* `error`: why the address before failed; it is reported when it was the last. */
static void connect_next(struct session *s, int error)
{
	struct opening *o = s->opening;
	struct side *up = &s->side[UPSTREAM];
	int now = 0;
	struct stream *stream = dial_next(&o->dial, &now);
	if (!stream) {
		error = now ? now : error;
		bool ours = error == EADDRNOTAVAIL || error == EMFILE || error == ENFILE ||
		            error == ENOMEM || error == ENOBUFS;
		request_refuse(s,
		        ours                 ? 503
		        : error == ETIMEDOUT ? 504
		                             : 502,
		        ours                 ? "no free port, descriptor or memory for the upstream"
		        : error == ETIMEDOUT ? "the upstream did not connect in time"
		                             : "the upstream cannot be reached");
		return;
	}
	endpoint_init(&up->ep, ENDPOINT_UPSTREAM);
	endpoint_attach(&up->ep, stream);
	stream_set_marks(stream, s->route->settings.max_queue, s->route->settings.max_queue / 2);
	o->connect_ms = s->route->group->connect_timeout_ms
	                        ? session_clock(s) + s->route->group->connect_timeout_ms
	                        : 0;
	deadline_reset(s);
	choose_remask(s);
	struct slice v = slice_of(o->request, o->request_len);
	stream_send(stream, &v, 1);
}

/* ---- the upstream's answer ---- */

static const char *check_answer(struct session *s, const struct http_head *answer)
{
	const struct opening *o = s->opening;
	struct http_head *request = NULL;
	if (http_find(answer, HTTP_SEC_WEBSOCKET_PROTOCOL)) {
		struct http_scan scan = {0};
		request = mem_try(sizeof *request);
		if (!request)
			return no_memory;
		http_parse_request(request, &scan, o->request, o->request_len);
	}
	const char *wrong = upgrade_check_answer(answer, o->key, request);
	mem_free(request);
	return wrong;
}

static void open_tunnel(struct session *s, const struct http_head *answer)
{
	struct side *client = &s->side[CLIENT], *up = &s->side[UPSTREAM];
	struct opening *o = s->opening;
	uint8_t buf[REQUEST_MAX];
	struct http_writer w;
	http_writer_init(&w, buf, sizeof buf);
	upgrade_put_101(&w, answer, o->accept);
	if (w.overflow) {
		request_refuse(s, 502, "the upstream's head is too long");
		return;
	}
	struct slice v = slice_of(buf, w.len);
	endpoint_upgrade(&up->ep, 0);
	stream_send(client->ep.stream, &v, 1);
	endpoint_send_queue(&up->ep, &o->early);
	bool closed = o->early_close;
	opening_free(s);
	tunnel_open(s);
	if (closed) {
		up->flags |= SIDE_CLOSE_SENT;
		close_relayed(s, client, client->close_code);
	} else if (!stream_is_over(up->ep.stream)) {
		tunnel_resume(s, client);
	}
}

/* An answer that is no 101 and no lie is the client's: kept until it is whole. */
static void begin_relay(struct session *s, const struct http_head *answer)
{
	struct opening *o = s->opening;
	uint8_t buf[REQUEST_MAX];
	struct http_writer w;
	http_writer_init(&w, buf, sizeof buf);
	http_put_relayed(&w, answer, false);
	struct slice v = slice_of(buf, w.len);
	if (w.overflow || !queue_append(&o->answer, &s->proxy->worker->chunks, &v, 1)) {
		request_refuse(s, 502, "the upstream's head is too long");
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

void opening_on_head(struct session *s, struct http_head *answer)
{
	s->opening->connect_ms = 0;
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
	} else {
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
	if (content.len && !queue_append(&o->body, &s->proxy->worker->chunks, &content, 1)) {
		request_refuse(s, 503, no_memory);
		return;
	}
	if (end)
		finish_relay(s);
}

void opening_on_end(struct session *s, enum stream_end end, int error)
{
	struct side *up = &s->side[UPSTREAM];
	bool connecting = up->ep.stream->flags & STREAM_CONNECTING;
	endpoint_close(&up->ep, false);
	if (connecting && end == STREAM_ERROR)
		connect_next(s, error);
	else if (end == STREAM_ERROR && error == ENOMEM)
		request_refuse(s, 503, no_memory);
	else
		request_refuse(s, 502, "the upstream closed before a whole answer");
}

void opening_on_deadline(struct session *s, bool handshake)
{
	struct side *up = &s->side[UPSTREAM];
	if (handshake) {
		request_refuse(s, 504, "the upstream did not answer in time");
	} else if (up->ep.stream && (up->ep.stream->flags & STREAM_CONNECTING)) {
		endpoint_close(&up->ep, false);
		connect_next(s, ETIMEDOUT);
	} else {
		s->opening->connect_ms = 0;
		deadline_reset(s);
	}
}

void opening_keep(struct session *s, const struct slice *v, size_t n)
{
	struct opening *o = s->opening;
	if (!queue_append(&o->early, &s->proxy->worker->chunks, v, n)) {
		request_refuse(s, 503, no_memory);
		return;
	}
	if (o->early.bytes >= OPENING_EARLY_MAX)
		tunnel_pause(s, &s->side[CLIENT]);
}
