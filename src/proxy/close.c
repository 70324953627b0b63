/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/close.h"

#include "proxy/deadline.h"
#include "proxy/tunnel.h"
#include "ws/frame.h"

#include <errno.h>

enum { DELIVERY_LOOK_MS = 20 }; /* between two looks at what the kernel holds for a cut side */

enum { CODE_GOING_AWAY = 1001, CODE_INTERNAL = 1011, CODE_POLICY = 1008 };

static const char *const gone_reason[] = {
        [CLIENT] = "client lost",
        [UPSTREAM] = "upstream lost",
};

/* The code for a side whose other side is gone or broke the protocol. */
static uint16_t code_for_survivor(const struct side *survivor)
{
	return survivor->ep.role == ENDPOINT_CLIENT ? CODE_INTERNAL : CODE_GOING_AWAY;
}

static enum session_closer closer_of(const struct side *side)
{
	return side->ep.role == ENDPOINT_CLIENT ? CLOSED_BY_CLIENT : CLOSED_BY_UPSTREAM;
}

static bool is_settled(const struct side *side)
{
	return side_is_gone(side) || (side->flags & (SIDE_FINISHED | SIDE_CUT));
}

/* Whose frames go to this side. */
static struct side *source_of(struct session *s, struct side *side)
{
	return s->echoing ? side : other_side(s, side);
}

static void begin_closing(struct session *s)
{
	if (s->state != SESSION_OPEN)
		return;
	session_move(s, SESSION_CLOSING);
	s->deadline_ms = session_clock(s) + s->route->settings.close_timeout_ms;
	deadline_reset(s);
}

/* A finished side goes when it has ended too and all was sent to it. */
static void release_if_done(struct side *side)
{
	if (side_is_gone(side) || !(side->flags & SIDE_FINISHED) || !(side->flags & SIDE_EOF))
		return;
	if (queue_is_empty(&side->ep.stream->out))
		endpoint_close(&side->ep, false);
}

/* Nothing more will be sent to this side; its end is awaited. Nobody need wait any more
 * until it has taken what is queued. */
static void finish(struct session *s, struct side *side)
{
	if (is_settled(side))
		return;
	tunnel_resume(s, other_side(s, side));
	side->flags = (uint16_t)((side->flags & ~(SIDE_CLOSE_DUE | SIDE_PING_DUE)) | SIDE_FINISHED);
	endpoint_discard(&side->ep);
	tunnel_resume(s, side);
	if (side->ep.role == ENDPOINT_CLIENT || (side->flags & SIDE_EOF))
		stream_shutdown(side->ep.stream);
	release_if_done(side);
}

/* The reset of a cut side throws away what the kernel still holds for the peer, and that
 * may be whole messages: it waits until they are delivered, no longer than close_timeout. */
static void reset_cut(struct session *s, struct side *side)
{
	if (side_is_gone(side) || !(side->flags & SIDE_CUT))
		return;
	if (stream_is_delivered(side->ep.stream))
		endpoint_close(&side->ep, true);
	else if (queue_is_empty(&side->ep.stream->out))
		deadline_arm(s, session_clock(s) + DELIVERY_LOOK_MS);
}

/* A frame to this side is half sent and will never be whole: what is queued still
 * goes, then a reset tells that something is missing. */
static void cut(struct session *s, struct side *side)
{
	if (is_settled(side))
		return;
	counter_inc(&s->proxy->counters.cut_mid_frame);
	tunnel_resume(s, other_side(s, side));
	side->flags = (uint16_t)((side->flags & ~(SIDE_CLOSE_DUE | SIDE_PING_DUE)) | SIDE_CUT);
	endpoint_discard(&side->ep);
	tunnel_resume(s, side);
	reset_cut(s, side);
}

static bool can_still_send(const struct side *side)
{
	return !is_settled(side) && side->ep.phase == ENDPOINT_FRAMES &&
	       !(side->flags & (SIDE_EOF | SIDE_CLOSE_RECEIVED));
}

static void send_close(struct session *s, struct side *side, uint16_t code, const char *reason)
{
	uint8_t frame[WS_CONTROL_FRAME_MAX];
	bool masked = side->ep.role == ENDPOINT_UPSTREAM;
	struct slice v = slice_of(frame, ws_close_write(frame, code, reason, masked));
	side->flags =
	        (uint16_t)((side->flags & ~(SIDE_CLOSE_DUE | SIDE_PING_DUE)) | SIDE_CLOSE_SENT);
	/* A side whose frames are no longer read has answered, or cannot. */
	bool is_last = side->ep.phase == ENDPOINT_DISCARD;
	if (is_last && side->ep.role == ENDPOINT_CLIENT)
		stream_send_last(side->ep.stream, &v, 1);
	else
		stream_send(side->ep.stream, &v, 1);
	tunnel_resume(s, source_of(s, side));
	if (is_last)
		finish(s, side);
}

/* Tells a side with a close frame, now or after the half-sent frame. */
static void tell(struct session *s, struct side *side, uint16_t code, const char *reason)
{
	if (is_settled(side) || (side->flags & SIDE_CLOSE_SENT))
		return;
	if (!tunnel_is_mid_frame(s, side)) {
		send_close(s, side, code, reason);
		return;
	}
	side->flags |= SIDE_CLOSE_DUE;
	side->due_code = code;
}

/* A close that waits for a frame whose source can no longer end it waits in vain. A cut
 * side ends no frame either, so each is looked at again after the other. */
static void cut_hopeless(struct session *s)
{
	for (int i = 0; i < 4; i++) {
		struct side *side = &s->side[i & 1];
		if ((side->flags & SIDE_CLOSE_DUE) && !can_still_send(source_of(s, side)))
			cut(s, side);
	}
}

static const char *cause_reason(const struct session *s)
{
	switch ((enum session_cause)s->cause) {
	case CAUSE_STOPPING:
		return "stopping";
	case CAUSE_SEND_TIMEOUT:
		return "send_timeout";
	case CAUSE_MESSAGE_TIMEOUT:
		return "message_timeout";
	case CAUSE_PONG_TIMEOUT:
		return "pong_timeout";
	case CAUSE_IDLE_TIMEOUT:
		return "idle_timeout";
	case CAUSE_CONTROL_RATE:
		return "max_control_rate";
	case CAUSE_LIFETIME:
		return "max_lifetime";
	case CAUSE_MEMORY:
		return "out of memory";
	case CAUSE_PROTOCOL:
		return ws_error_reason((enum ws_error)s->error);
	case CAUSE_VANISHED:
	case CAUSE_ERROR:
		return gone_reason[s->closer == CLOSED_BY_CLIENT ? CLIENT : UPSTREAM];
	default:
		return "";
	}
}

void close_send_due(struct session *s, struct side *side)
{
	send_close(s, side, side->due_code, cause_reason(s));
}

void close_relayed(struct session *s, struct side *side, uint16_t code)
{
	struct side *other = other_side(s, side);
	side->flags |= SIDE_CLOSE_RECEIVED;
	side->close_code = code;
	session_blame(s, CAUSE_CLOSE, closer_of(side), 0);
	begin_closing(s);
	if (side->flags & SIDE_CLOSE_SENT)
		finish(s, side);
	else
		endpoint_discard(&side->ep);
	tunnel_resume(s, side);
	if ((other->flags & SIDE_CLOSE_RECEIVED) && (other->flags & SIDE_CLOSE_SENT))
		finish(s, other);
	session_end_if_done(s);
}

void close_both(struct session *s, uint16_t client_code, uint16_t upstream_code, const char *reason)
{
	begin_closing(s);
	if (!s->own_code)
		s->own_code = client_code;
	tell(s, &s->side[CLIENT], client_code, reason);
	tell(s, &s->side[UPSTREAM], upstream_code, reason);
	cut_hopeless(s);
	session_end_if_done(s);
}

void close_limit(struct session *s, enum session_cause cause, uint16_t code, const char *name)
{
	session_blame(s, cause, CLOSED_BY_PROXY, 0);
	close_both(s, code, code, name);
}

void close_no_memory(struct session *s)
{
	counter_inc(&s->proxy->counters.out_of_memory);
	session_blame(s, CAUSE_MEMORY, CLOSED_BY_PROXY, 0);
	close_both(s, CODE_INTERNAL, CODE_GOING_AWAY, "out of memory");
}

void close_broken(struct session *s, struct side *side, enum ws_error error)
{
	struct side *other = other_side(s, side);
	struct proxy_counters *c = &s->proxy->counters;
	counter_inc(
	        side->ep.role == ENDPOINT_CLIENT ? &c->broken_by_client : &c->broken_by_upstream);
	session_blame(s, CAUSE_PROTOCOL, closer_of(side), (int)error);
	begin_closing(s);
	endpoint_discard(&side->ep);
	if (!s->own_code)
		s->own_code = ws_error_code(error);
	tell(s, side, ws_error_code(error), ws_error_reason(error));
	tell(s, other, code_for_survivor(other),
	        side->ep.role == ENDPOINT_CLIENT ? "client broke the protocol"
	                                         : "upstream broke the protocol");
	cut_hopeless(s);
	session_end_if_done(s);
}

/* A side has ended without a close frame of its own. */
static void vanished(struct session *s, struct side *side, enum stream_end end, int error)
{
	struct side *other = other_side(s, side);
	struct proxy_counters *c = &s->proxy->counters;
	if (end == STREAM_ERROR && error == ENOMEM) {
		counter_inc(&c->out_of_memory);
		session_blame(s, CAUSE_MEMORY, CLOSED_BY_PROXY, 0);
	}
	if (s->cause == CAUSE_NONE)
		counter_inc(side->ep.role == ENDPOINT_CLIENT ? &c->closed_by_client_end
		                                             : &c->closed_by_upstream_end);
	session_blame(s, end == STREAM_EOF ? CAUSE_VANISHED : CAUSE_ERROR, closer_of(side), error);
	begin_closing(s);
	uint16_t code =
	        other->flags & SIDE_CLOSE_RECEIVED ? other->close_code : code_for_survivor(other);
	const char *reason = other->flags & SIDE_CLOSE_RECEIVED ? "" : gone_reason[side->ep.role];
	tell(s, other, code, reason);
}

void close_on_end(struct session *s, struct side *side, enum stream_end end, int error)
{
	side->flags |= SIDE_EOF;
	if (end == STREAM_ERROR) { /* without memory what was queued is lost: the peer sees it */
		endpoint_close(&side->ep, error == ENOMEM);
		tunnel_resume(s, other_side(s, side));
	}
	if (!(side->flags & (SIDE_CLOSE_RECEIVED | SIDE_FINISHED | SIDE_CUT)))
		vanished(s, side, end, error);
	cut_hopeless(s);
	if (!(side->flags & SIDE_CLOSE_RECEIVED) || (side->flags & SIDE_CLOSE_SENT))
		finish(s, side);
	release_if_done(side);
	session_end_if_done(s);
}

/* The time for answers is over. A side whose close was never answered by the other
 * gets its code back, and the same time again to end; any other side goes. */
static bool give_up(struct session *s, struct side *side)
{
	if (side_is_gone(side))
		return false;
	bool owed = (side->flags & SIDE_CLOSE_RECEIVED) && !(side->flags & SIDE_CLOSE_SENT);
	if (owed && !is_settled(side) && !tunnel_is_mid_frame(s, side)) {
		send_close(s, side, side->close_code, "");
		return !side_is_gone(side);
	}
	if (!is_settled(side) && tunnel_is_mid_frame(s, side))
		cut(s, side);
	if (!side_is_gone(side)) {
		bool lossy = (side->flags & SIDE_CUT) || !queue_is_empty(&side->ep.stream->out);
		endpoint_close(&side->ep, lossy);
	}
	return false;
}

/* Its close frame is still to come; of a finished side only the end is. */
static bool is_awaited(const struct side *side)
{
	return !is_settled(side) && !(side->flags & SIDE_CLOSE_RECEIVED);
}

void close_on_deadline(struct session *s)
{
	if (is_awaited(&s->side[CLIENT]) || is_awaited(&s->side[UPSTREAM]))
		counter_inc(&s->proxy->counters.timeout_close);
	session_blame(s, CAUSE_CLOSE_TIMEOUT, CLOSED_BY_PROXY, 0);
	bool client = give_up(s, &s->side[CLIENT]);
	bool upstream = give_up(s, &s->side[UPSTREAM]);
	if (client || upstream) {
		s->deadline_ms = session_clock(s) + s->route->settings.close_timeout_ms;
		deadline_reset(s);
	}
	session_end_if_done(s);
}

void close_on_drain(struct session *s, struct side *side)
{
	if (side_is_gone(side) || !queue_is_empty(&side->ep.stream->out))
		return;
	reset_cut(s, side);
	release_if_done(side);
	session_end_if_done(s);
}

void close_look(struct session *s)
{
	reset_cut(s, &s->side[CLIENT]);
	reset_cut(s, &s->side[UPSTREAM]);
	session_end_if_done(s);
}
