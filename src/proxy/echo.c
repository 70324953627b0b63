/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/echo.h"

#include "base/mem.h"
#include "http/handshake.h"
#include "proxy/close.h"
#include "proxy/deadline.h"
#include "proxy/headers.h"
#include "proxy/request.h"
#include "proxy/tunnel.h"

/* Only while a pong cannot be sent: of all that wait the last one counts (RFC 6455
 * 5.5.3), so a flood of pings keeps one pong. */
struct echo {
	uint8_t len;
	uint8_t frame[WS_CONTROL_FRAME_MAX];
};

enum { RUNS_MAX = 32 };
struct runs {
	struct slice v[RUNS_MAX];
	size_t n;
};

static struct stream *client_stream(struct session *s)
{
	return s->side[CLIENT].ep.stream;
}

void echo_free(struct session *s)
{
	mem_free(s->echo);
	s->echo = NULL;
}

static void put_rules(const struct session *s, struct http_writer *w, const struct http_head *head)
{
	uint8_t buf[HEADERS_HEAD_MAX];
	struct http_writer lines;
	http_writer_init(&lines, buf, sizeof buf);
	headers_put_response(s, &lines, head);
	rules_expand(w, slice_of(buf, lines.len), SLICE("echo"));
	w->overflow |= lines.overflow;
}

void echo_open(struct session *s, const struct http_head *head, struct slice key)
{
	uint8_t buf[HEADERS_HEAD_MAX];
	char accept[WS_ACCEPT_LEN];
	struct http_writer w;
	ws_accept_value(accept, key);
	http_writer_init(&w, buf, sizeof buf);
	upgrade_begin_own_101(&w, accept, upgrade_first_protocol(head));
	put_rules(s, &w, head);
	http_put_end(&w);
	if (w.overflow) {
		request_refuse(s, 431, "the headers added to the answer would be over 32 KiB");
		return;
	}
	struct slice v = slice_of(buf, w.len);
	s->echoing = true;
	s->echo = NULL;
	endpoint_upgrade(&s->side[CLIENT].ep, WS_FROM_CLIENT);
	stream_send(client_stream(s), &v, 1);
	tunnel_open(s);
}

/* What could not be sent now is watched by send_timeout. */
static void send_out(struct session *s, const struct slice *v, size_t n)
{
	uint32_t limit = s->route->settings.send_timeout_ms;
	stream_send(client_stream(s), v, n);
	if (queue_is_empty(&client_stream(s)->out))
		return;
	shortage_look(s->proxy);
	if (s->access)
		access_queued(s, CLIENT, client_stream(s)->out.bytes);
	if (limit)
		deadline_arm(s, session_clock(s) + limit);
}

static void flush(struct session *s, struct runs *runs)
{
	if (runs->n == 0)
		return;
	send_out(s, runs->v, runs->n);
	runs->n = 0;
	if (stream_is_over(client_stream(s)))
		tunnel_pause(s, &s->side[CLIENT]);
}

/* The piece goes back where it lies; the frame's own header is shorter than the
 * client's, so it fits in front of the payload. */
static void echo_piece(struct session *s, struct runs *runs, const struct ws_piece *piece)
{
	uint8_t *at = piece->payload;
	if (piece->starts) {
		struct ws_frame f = {
		        .len = piece->frame_len, .opcode = piece->opcode, .fin = piece->fin};
		uint8_t header[WS_HEADER_MAX];
		size_t n = ws_frame_write(header, &f);
		at -= n;
		memcpy(at, header, n);
	}
	if (runs->n == RUNS_MAX)
		flush(s, runs);
	runs->v[runs->n++] = slice_of(at, (size_t)(piece->payload + piece->len - at));
}

static void keep_pong(struct session *s, const struct ws_run *run)
{
	if (!s->echo)
		s->echo = mem_try(sizeof *s->echo);
	if (s->echo)
		s->echo->len = (uint8_t)ws_control_write(
		        s->echo->frame, WS_PONG, run->payload, run->payload_len, false);
}

static bool is_closing(const struct session *s)
{
	return s->side[CLIENT].flags & (SIDE_CLOSE_SENT | SIDE_FINISHED | SIDE_CUT);
}

static void send_pong(struct session *s, const struct ws_run *run)
{
	if (is_closing(s))
		return;
	if (!queue_is_empty(&client_stream(s)->out) || tunnel_is_mid_frame(s, &s->side[CLIENT])) {
		keep_pong(s, run);
		return;
	}
	uint8_t frame[WS_CONTROL_FRAME_MAX];
	struct slice v = slice_of(
	        frame, ws_control_write(frame, WS_PONG, run->payload, run->payload_len, false));
	send_out(s, &v, 1);
}

static void send_kept_pong(struct session *s)
{
	if (!s->echo || is_closing(s) || tunnel_is_mid_frame(s, &s->side[CLIENT]) ||
	        !queue_is_empty(&client_stream(s)->out))
		return;
	struct slice v = slice_of(s->echo->frame, s->echo->len);
	send_out(s, &v, 1);
	echo_free(s);
}

static void answer_close(struct session *s, const struct ws_run *run)
{
	struct side *client = &s->side[CLIENT];
	uint8_t frame[WS_CONTROL_FRAME_MAX];
	if (!(client->flags & SIDE_CLOSE_SENT)) {
		struct slice v = slice_of(frame, ws_close_write(frame, run->close_code, "", false));
		stream_send_last(client_stream(s), &v, 1);
		client->flags |= SIDE_CLOSE_SENT;
	}
	close_relayed(s, client, run->close_code);
}

static void count_bytes(struct session *s, size_t bytes)
{
	s->bytes[CLIENT] += bytes;
	counter_add(&s->proxy->counters.bytes_up, bytes);
}

/* True when the connection goes on. */
static bool on_control(struct session *s, const struct ws_run *run)
{
	count_bytes(s, run->control_len);
	if (s->access)
		access_control(s, CLIENT, run);
	switch (run->control_opcode) {
	case WS_PING:
		send_pong(s, run);
		return true;
	case WS_PONG:
		if (tunnel_is_own_pong(s, run))
			access_own_pong(s);
		s->ping_ms = 0;
		return true;
	default:
		answer_close(s, run);
		return false;
	}
}

static void note_unfinished(struct session *s, bool rest)
{
	struct side *client = &s->side[CLIENT];
	if (!rest && !ws_reader_is_mid_message(&client->ep.in)) {
		client->unfinished_ms = 0;
	} else if (!client->unfinished_ms) {
		client->unfinished_ms = session_clock(s);
		if (s->route->settings.message_timeout_ms)
			deadline_arm(
			        s, client->unfinished_ms + s->route->settings.message_timeout_ms);
	}
}

static void count(struct session *s, const struct ws_piece *piece)
{
	bool message = piece->ends && piece->fin;
	s->data_ms = session_clock(s);
	s->messages[CLIENT] += message;
	count_bytes(s, piece->header_len + piece->len);
	if (s->access)
		access_piece(s, piece);
	counter_add(&s->proxy->counters.messages_up, message);
	if (message)
		s->side[CLIENT].unfinished_ms = 0;
}

static bool is_empty_fragment(const struct ws_piece *piece)
{
	return piece->frame_len == 0 && !piece->fin;
}

static bool is_flood(struct session *s, enum ws_item item, const struct ws_run *run)
{
	return item == WS_ITEM_CONTROL && run->control_opcode != WS_CLOSE &&
	       tunnel_is_flood(s, &s->side[CLIENT], 1);
}

size_t echo_on_frames(struct session *s, uint8_t *buf, size_t len)
{
	struct side *client = &s->side[CLIENT];
	struct ws_run *run =
	        &((struct endpoint_worker *)s->proxy->worker->layer[WORKER_ENDPOINT])->run;
	struct runs runs;
	size_t at = 0;
	runs.n = 0;
	for (;;) {
		struct ws_piece piece;
		size_t used = 0;
		enum ws_item item = ws_reader_next(&client->ep.in, &s->route->settings.limits,
		        buf + at, len - at, &used, &piece, run);
		at += used;
		if (item == WS_ITEM_PIECE) {
			count(s, &piece);
			if (!is_closing(s))
				echo_piece(s, &runs, &piece);
			if (!is_empty_fragment(&piece) || !tunnel_is_flood(s, client, 1))
				continue;
		}
		flush(s, &runs);
		if (item == WS_ITEM_PIECE || is_flood(s, item, run)) {
			tunnel_on_flood(s, client);
			return len;
		}
		if (item == WS_ITEM_MORE)
			break;
		if (item == WS_ITEM_BROKEN)
			close_broken(s, client, run->error);
		if (item == WS_ITEM_BROKEN || !on_control(s, run))
			return len;
	}
	note_unfinished(s, at < len);
	send_kept_pong(s);
	if (client->flags & (SIDE_CLOSE_DUE | SIDE_PING_DUE))
		tunnel_send_due(s, client);
	return at;
}

void echo_on_drain(struct session *s)
{
	send_kept_pong(s);
	if (client_stream(s)->out.bytes < client_stream(s)->low_mark ||
	        queue_is_empty(&client_stream(s)->out))
		tunnel_resume(s, &s->side[CLIENT]);
}
