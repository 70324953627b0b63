/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/tunnel.h"

#include "proxy/access.h"
#include "proxy/close.h"
#include "proxy/deadline.h"
#include "proxy/echo.h"
#include "proxy/opening.h"
#include "proxy/request.h"

#include <string.h>

/* What one read brought that is to leave: runs of bytes between the frames that
 * are taken out. */
enum { RUNS_MAX = 32 };
struct runs {
	struct slice v[RUNS_MAX];
	size_t n;
};

enum control { CONTROL_PASS, CONTROL_TAKE, CONTROL_CLOSE };

bool tunnel_is_mid_frame(struct session *s, const struct side *side)
{
	const struct side *source = s->echoing ? side : other_side(s, side);
	return ws_reader_is_mid_frame(&source->ep.in);
}

void tunnel_pause(struct session *s, struct side *side)
{
	if (side_is_gone(side) || (side->flags & SIDE_PAUSED))
		return;
	side->flags |= SIDE_PAUSED;
	side_heard(side, session_clock(s));
	counter_inc(&s->proxy->counters.pauses);
	if (s->access)
		access_paused(s, side->ep.role);
	stream_pause(side->ep.stream);
}

/* The clocks that ask something of a peer stood still while it was not read. */
void tunnel_resume(struct session *s, struct side *side)
{
	if (side_is_gone(side) || !(side->flags & SIDE_PAUSED))
		return;
	uint64_t now = session_clock(s);
	side->flags = (uint16_t)(side->flags & ~SIDE_PAUSED);
	if (side->unfinished_ms)
		side->unfinished_ms += now - side->received_ms;
	side_heard(side, now);
	stream_resume(side->ep.stream);
	if (s->state == SESSION_OPEN)
		deadline_reset(s);
}

static bool may_send(const struct side *side)
{
	return !side_is_gone(side) && !(side->flags & (SIDE_CLOSE_SENT | SIDE_FINISHED | SIDE_CUT));
}

static void note_queue(struct session *s, struct side *to)
{
	const struct stream *out = to->ep.stream;
	if (queue_is_empty(&out->out))
		return;
	shortage_look(s->proxy);
	if (s->access)
		access_queued(s, to->ep.role, out->out.bytes);
	uint32_t limit = s->route->settings.send_timeout_ms;
	if (limit && s->state == SESSION_OPEN)
		deadline_arm(s, session_clock(s) + limit);
	if (stream_is_over(out))
		tunnel_pause(s, other_side(s, to));
}

/* `is_last`: nothing more will be sent to that side. */
static void deliver(struct session *s, struct side *to, struct runs *runs, bool is_last)
{
	size_t n = runs->n;
	runs->n = 0;
	if (n == 0)
		return;
	if (s->state == SESSION_OPENING) {
		opening_keep(s, runs->v, n);
		return;
	}
	if (!may_send(to))
		return;
	if (is_last)
		stream_send_last(to->ep.stream, runs->v, n);
	else
		stream_send(to->ep.stream, runs->v, n);
	note_queue(s, to);
}

static void add_run(
        struct session *s, struct side *to, struct runs *runs, const uint8_t *at, size_t len)
{
	if (len == 0)
		return;
	if (runs->n == RUNS_MAX)
		deliver(s, to, runs, false);
	runs->v[runs->n++] = slice_of(at, len);
}

/* Own pings carry a name and the session's id, so that no peer's pong is taken for
 * an answer to them by accident. */
enum { PING_LEN = 16 };
static void own_ping(const struct session *s, uint8_t payload[PING_LEN])
{
	memcpy(payload, "moongate", 8);
	memcpy(payload + 8, &s->id, 8);
}

bool tunnel_is_own_pong(const struct session *s, const struct ws_run *run)
{
	uint8_t own[PING_LEN];
	own_ping(s, own);
	return run->payload_len == PING_LEN && memcmp(run->payload, own, PING_LEN) == 0;
}

static enum control on_pong(struct session *s, const struct side *from, const struct ws_run *run)
{
	if (from->ep.role != ENDPOINT_CLIENT)
		return CONTROL_PASS;
	if (tunnel_is_own_pong(s, run)) {
		access_own_pong(s);
		s->ping_ms = 0;
		return CONTROL_TAKE;
	}
	s->ping_forwarded = false;
	return CONTROL_PASS;
}

static enum control on_control(struct session *s, struct side *from, const struct ws_run *run)
{
	switch (run->control_opcode) {
	case WS_CLOSE:
		return CONTROL_CLOSE;
	case WS_PONG:
		return on_pong(s, from, run);
	default:
		if (from->ep.role == ENDPOINT_UPSTREAM)
			s->ping_forwarded = true;
		return CONTROL_PASS;
	}
}

/* When the message that is now unfinished began, for message_timeout. */
static void note_unfinished(struct session *s, struct side *from, bool rest, uint32_t messages)
{
	if (!rest && !ws_reader_is_mid_message(&from->ep.in)) {
		from->unfinished_ms = 0;
		return;
	}
	if (from->unfinished_ms && messages == 0)
		return;
	from->unfinished_ms = session_clock(s);
	uint32_t limit = s->route->settings.message_timeout_ms;
	if (limit && s->state == SESSION_OPEN)
		deadline_arm(s, from->unfinished_ms + limit);
}

static void on_broken(struct session *s, struct side *from, enum ws_error error)
{
	if (s->state == SESSION_OPENING)
		request_refuse(s, 400, ws_error_reason(error));
	else
		close_broken(s, from, error);
}

/* Early frames are not counted: they are bounded by what is kept of them. */
bool tunnel_is_flood(struct session *s, struct side *from, uint32_t n)
{
	uint32_t limit = s->route->settings.max_control_rate;
	uint32_t sum = from->controls + n;
	if (s->state == SESSION_OPENING || !limit)
		return false;
	from->controls = (uint16_t)(sum < UINT16_MAX ? sum : UINT16_MAX);
	return sum > limit;
}

/* Who goes on with it after the close frame is not listened to any more. */
void tunnel_on_flood(struct session *s, struct side *from)
{
	from->controls = 0;
	if (s->state != SESSION_OPEN) {
		endpoint_discard(&from->ep);
		return;
	}
	counter_inc(&s->proxy->counters.max_control_rate);
	close_limit(s, CAUSE_CONTROL_RATE, 1008, "max_control_rate");
}

/* A close frame has been passed on, or kept with the early frames, or thrown away
 * because the other side had one already. */
static void on_close(struct session *s, struct side *from, uint16_t code)
{
	struct side *to = other_side(s, from);
	if (s->state == SESSION_OPENING) {
		s->opening->early_close = true;
		from->close_code = code;
		endpoint_discard(&from->ep);
		return;
	}
	if (may_send(to))
		to->flags |= SIDE_CLOSE_SENT;
	close_relayed(s, from, code);
}

/* Something waits for the end of the frame that is half sent to `to`: no more than that
 * end is taken now, so that it finds its place however the frames are cut into reads. */
static size_t up_to_border(const struct side *to, const struct endpoint *ep, size_t len)
{
	bool waits = to->flags & (SIDE_CLOSE_DUE | SIDE_PING_DUE);
	return waits && ep->in.left > 0 && ep->in.left < len ? (size_t)ep->in.left : len;
}

/* What one read brought, as far as it is judged. */
struct batch {
	struct side *from, *to;
	uint8_t *buf;
	size_t len;
	size_t at;    /* bytes judged */
	size_t start; /* where that begins which leaves next */
	struct access_count data;
	const struct ws_run *run; /* of the last step; the worker's */
	enum control control;
	bool is_flood;
};

/* The control frame behind what is judged. True when there may be more behind it. */
static bool pass_control(struct session *s, struct batch *b, struct runs *runs)
{
	b->control = on_control(s, b->from, b->run);
	b->is_flood = b->control != CONTROL_CLOSE && tunnel_is_flood(s, b->from, 1);
	if (b->is_flood)
		return false;
	if (b->control == CONTROL_TAKE) {
		add_run(s, b->to, runs, b->buf + b->start, b->at - b->start);
		b->start = b->at + b->run->control_len;
	}
	b->at += b->run->control_len;
	if (s->access)
		access_control(s, b->from->ep.role, b->run);
	return b->control != CONTROL_CLOSE;
}

static void judge(struct session *s, struct batch *b, struct runs *runs)
{
	struct ws_run *run =
	        &((struct endpoint_worker *)s->proxy->worker->layer[WORKER_ENDPOINT])->run;
	const struct ws_limits *limits = &s->route->settings.limits;
	b->run = run;
	do {
		ws_reader_run(&b->from->ep.in, limits, b->buf + b->at, b->len - b->at, run);
		b->at += run->pass;
		b->data.messages += run->messages;
		b->data.texts += run->texts;
		b->data.bytes += run->pass;
		b->data.text_bytes += run->text_bytes;
		if (run->empty)
			b->is_flood = tunnel_is_flood(s, b->from, run->empty);
	} while (run->stop == WS_STOP_CONTROL && !b->is_flood && pass_control(s, b, runs));
	add_run(s, b->to, runs, b->buf + b->start, b->at - b->start);
}

static void count(struct session *s, const struct batch *b)
{
	struct proxy_counters *c = &s->proxy->counters;
	enum endpoint_role role = b->from->ep.role;
	bool up = role == ENDPOINT_CLIENT;
	s->messages[role] += b->data.messages;
	s->bytes[role] += b->at;
	counter_add(up ? &c->messages_up : &c->messages_down, b->data.messages);
	counter_add(up ? &c->bytes_up : &c->bytes_down, b->at);
	if (b->data.bytes == 0)
		return;
	s->data_ms = b->from->received_ms;
	if (s->access)
		access_data(s, s->access, role, &b->data);
}

/* What follows from the last of it, after the sound bytes went out. Returns how many bytes
 * are done with. */
static size_t conclude(struct session *s, const struct batch *b)
{
	struct side *from = b->from;
	if (from->ep.phase != ENDPOINT_FRAMES)
		return b->len; /* there was no memory to keep them */
	if (b->is_flood) {
		tunnel_on_flood(s, from);
		return b->len;
	}
	if (b->run->stop == WS_STOP_BROKEN) {
		on_broken(s, from, b->run->error);
		return b->len;
	}
	if (b->control == CONTROL_CLOSE) {
		on_close(s, from, b->run->close_code);
		return b->len;
	}
	note_unfinished(s, from, b->at < b->len, b->data.messages);
	if (b->to->flags & (SIDE_CLOSE_DUE | SIDE_PING_DUE))
		tunnel_send_due(s, b->to);
	return b->at;
}

/* It ends with the close frame that a client was still to get: close_relayed() has no more to
 * do than to end the connection. */
static bool is_last(const struct batch *b)
{
	return b->control == CONTROL_CLOSE && b->to->ep.role == ENDPOINT_CLIENT &&
	       b->to->flags & SIDE_CLOSE_RECEIVED;
}

size_t tunnel_on_frames(struct endpoint *ep, uint8_t *buf, size_t len)
{
	struct session *s = session_of(ep);
	struct side *from = side_of(ep), *to = other_side(s, from);
	side_heard(from, session_clock(s));
	__builtin_prefetch(s->access, 1); /* for count() */
	len = up_to_border(s->echoing ? from : to, ep, len);
	if (s->echoing)
		return echo_on_frames(s, buf, len);
	struct batch b = {.from = from, .to = to, .buf = buf, .len = len};
	struct runs runs;
	runs.n = 0; /* the rest is not cleared: it is half a KiB */
	judge(s, &b, &runs);
	count(s, &b);
	deliver(s, to, &runs, is_last(&b));
	return conclude(s, &b);
}

void tunnel_send_due(struct session *s, struct side *side)
{
	if (tunnel_is_mid_frame(s, side) || !may_send(side))
		return;
	if (side->flags & SIDE_CLOSE_DUE) {
		close_send_due(s, side);
		session_end_if_done(s);
	} else if (s->state == SESSION_OPEN && !s->ping_forwarded) {
		tunnel_ping(s);
	} else {
		side->flags = (uint16_t)(side->flags & ~SIDE_PING_DUE);
		deadline_reset(s);
	}
}

void tunnel_ping(struct session *s)
{
	struct side *client = &s->side[CLIENT];
	if (tunnel_is_mid_frame(s, client)) {
		client->flags |= SIDE_PING_DUE;
		return;
	}
	s->ping_ms = session_clock(s);
	client->flags = (uint16_t)(client->flags & ~SIDE_PING_DUE);
	uint8_t payload[PING_LEN], frame[WS_CONTROL_FRAME_MAX];
	own_ping(s, payload);
	struct slice v =
	        slice_of(frame, ws_control_write(frame, WS_PING, payload, PING_LEN, false));
	counter_inc(&s->proxy->counters.pings_sent);
	if (s->access)
		access_pinged(s->access);
	stream_send(client->ep.stream, &v, 1);
	deadline_reset(s);
}

void tunnel_open(struct session *s)
{
	session_move(s, SESSION_OPEN);
	counter_inc(&s->proxy->counters.opened);
	uint64_t now = session_clock(s);
	s->status = 101;
	access_answered(s);
	s->deadline_ms = deadline_lifetime(s, now);
	s->data_ms = now;
	side_heard(&s->side[CLIENT], now);
	side_heard(&s->side[UPSTREAM], now);
	if (s->side[CLIENT].unfinished_ms)
		s->side[CLIENT].unfinished_ms = now;
	deadline_reset(s);
	access_opened(s);
}

void tunnel_on_drain(struct session *s, struct side *side)
{
	if (side->flags & (SIDE_FINISHED | SIDE_CUT))
		close_on_drain(s, side);
	else if (s->echoing)
		echo_on_drain(s);
	else if (side->ep.stream->out.bytes < side->ep.stream->low_mark ||
	         queue_is_empty(&side->ep.stream->out))
		tunnel_resume(s, other_side(s, side));
}
