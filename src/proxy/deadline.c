/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/deadline.h"

#include "proxy/close.h"
#include "proxy/handler.h"
#include "proxy/opening.h"
#include "proxy/preface.h"
#include "proxy/request.h"
#include "proxy/secure.h"
#include "proxy/tunnel.h"
#include "upstream/group.h"

#define NEVER UINT64_MAX

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void deadline_arm(struct session *s, uint64_t at_ms)
{
	if (!timer_is_set(&s->timer) || s->timer.deadline_ms > at_ms)
		worker_timer(s->proxy->worker, &s->timer, at_ms);
}

/* Spread over an eighth of the time, so that sessions that opened together do not ping
 * together, nor end together. */
static uint32_t spread(const struct session *s, uint32_t ms)
{
	return ms - (uint32_t)((s->id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % (ms / 8 + 1);
}

static uint32_t ping_interval(const struct session *s)
{
	return spread(s, s->route->settings.ping_interval_ms);
}

uint64_t deadline_lifetime(const struct session *s, uint64_t now_ms)
{
	uint32_t limit = s->route->settings.max_lifetime_ms;
	return limit ? now_ms + spread(s, limit) : 0;
}

/* ---- when each limit of an open session is due ---- */

static uint64_t send_due(const struct session *s, const struct side *side)
{
	uint32_t limit = s->route->settings.send_timeout_ms;
	if (!limit || side_is_gone(side) || queue_is_empty(&side->ep.stream->out))
		return NEVER;
	/* The stream counts in whole seconds: never early, at most one late. */
	return (uint64_t)side->ep.stream->progress_s * 1000 + 999 + limit;
}

/* The allowance grows by a second per KiB received, so that only a trickle is cut. */
static uint64_t message_due(const struct session *s, const struct side *side)
{
	uint32_t limit = s->route->settings.message_timeout_ms;
	if (!limit || !side->unfinished_ms || (side->flags & SIDE_PAUSED))
		return NEVER;
	uint64_t received = side->ep.in.message - side->ep.in.left;
	return side->unfinished_ms + limit + received / 1024 * 1000;
}

static bool is_ping_answered(const struct session *s)
{
	return s->side[CLIENT].received_ms >= s->ping_ms;
}

static uint64_t ping_due(const struct session *s)
{
	const struct side *client = &s->side[CLIENT];
	const struct route_settings *set = &s->route->settings;
	if (!set->ping_interval_ms || (client->flags & (SIDE_PAUSED | SIDE_PING_DUE)))
		return NEVER;
	/* While one is unanswered none is due, but it is looked at again. */
	if (s->ping_ms && !is_ping_answered(s))
		return session_clock(s) + ping_interval(s);
	uint64_t due = client->received_ms + ping_interval(s);
	/* An unanswered forwarded ping stands for an own one, and gets its time. */
	return s->ping_forwarded ? due + set->pong_timeout_ms : due;
}

static uint64_t pong_due(const struct session *s)
{
	uint32_t limit = s->route->settings.pong_timeout_ms;
	const struct side *client = &s->side[CLIENT];
	if (!limit || !s->ping_ms || is_ping_answered(s) || (client->flags & SIDE_PAUSED) ||
	        side_is_gone(client))
		return NEVER;
	/* As long as what is queued goes out, the ping may still be on its way. */
	uint64_t progress = (uint64_t)client->ep.stream->progress_s * 1000;
	return (progress > s->ping_ms ? progress : s->ping_ms) + limit;
}

/* The upstream's connection is looked after from a third of the shortest time on that this
 * is about; most sessions end before. The kernel counts from the connection's last bytes. */
static uint64_t settle_due(const struct session *s)
{
	if (s->is_settled || side_is_gone(&s->side[UPSTREAM]))
		return NEVER;
	const struct socket_options *o = &s->route->group->socket;
	uint32_t shortest = o->keepalive_ms;
	if (o->user_timeout_ms && (!shortest || o->user_timeout_ms < shortest))
		shortest = o->user_timeout_ms;
	return shortest ? s->start_ms + shortest / 3 : NEVER;
}

static uint64_t idle_due(const struct session *s)
{
	uint32_t limit = s->route->settings.idle_timeout_ms;
	return limit ? s->data_ms + limit : NEVER;
}

static uint64_t next_open(const struct session *s)
{
	uint64_t next = s->deadline_ms ? s->deadline_ms : NEVER;
	next = earlier(next, earlier(ping_due(s), pong_due(s)));
	next = earlier(next, earlier(idle_due(s), settle_due(s)));
	for (int i = 0; i < 2; i++)
		next = earlier(
		        next, earlier(send_due(s, &s->side[i]), message_due(s, &s->side[i])));
	return next;
}

static uint64_t next_of(const struct session *s)
{
	uint64_t deadline = s->deadline_ms ? s->deadline_ms : NEVER;
	switch ((enum session_state)s->state) {
	case SESSION_OPENING:
		return s->opening->connect_ms ? earlier(deadline, s->opening->connect_ms)
		                              : deadline;
	case SESSION_OPEN:
		return next_open(s);
	case SESSION_ENDED:
		return NEVER;
	default:
		return deadline;
	}
}

void deadline_reset(struct session *s)
{
	uint64_t next = next_of(s);
	if (next == NEVER)
		timer_clear(&s->proxy->worker->wheel, &s->timer);
	else
		worker_timer(s->proxy->worker, &s->timer, next);
}

/* ---- what is done when one has passed ---- */

static bool check_send(struct session *s, struct side *side, uint64_t now)
{
	if (send_due(s, side) > now)
		return false;
	struct side *other = other_side(s, side);
	counter_inc(&s->proxy->counters.timeout_send);
	session_blame(s, CAUSE_SEND_TIMEOUT, CLOSED_BY_PROXY, 0);
	endpoint_close(&side->ep, true);
	tunnel_resume(s, other);
	close_limit(s, CAUSE_SEND_TIMEOUT, 1008, "send_timeout");
	return true;
}

static bool check_message(struct session *s, const struct side *side, uint64_t now)
{
	if (message_due(s, side) > now)
		return false;
	counter_inc(&s->proxy->counters.timeout_message);
	endpoint_discard(&s->side[side->ep.role].ep);
	close_limit(s, CAUSE_MESSAGE_TIMEOUT, 1008, "message_timeout");
	return true;
}

static bool check_pong(struct session *s, uint64_t now)
{
	bool forwarded =
	        s->ping_forwarded && s->route->settings.pong_timeout_ms && ping_due(s) <= now;
	if (pong_due(s) > now && !forwarded)
		return false;
	counter_inc(&s->proxy->counters.timeout_pong);
	session_blame(s, CAUSE_PONG_TIMEOUT, CLOSED_BY_PROXY, 0);
	close_both(s, 1008, 1001, "pong_timeout");
	return true;
}

static bool check_idle(struct session *s, uint64_t now)
{
	if (idle_due(s) > now)
		return false;
	counter_inc(&s->proxy->counters.timeout_idle);
	close_limit(s, CAUSE_IDLE_TIMEOUT, 1001, "idle_timeout");
	return true;
}

static bool check_lifetime(struct session *s, uint64_t now)
{
	if (!s->deadline_ms || s->deadline_ms > now)
		return false;
	counter_inc(&s->proxy->counters.max_lifetime);
	close_limit(s, CAUSE_LIFETIME, 1001, "max_lifetime");
	return true;
}

static void settle(struct session *s, uint64_t now)
{
	if (settle_due(s) > now)
		return;
	s->is_settled = true;
	stream_settle(s->side[UPSTREAM].ep.stream, &s->route->group->socket);
}

/* Behind what a slow client has still to take a ping comes late, which is no fault of the
 * client's: its time begins anew. Others watch meanwhile: send_timeout over the queue,
 * TCP_USER_TIMEOUT over what the kernel holds. */
static void put_off_ping(struct session *s, uint64_t now)
{
	struct side *client = &s->side[CLIENT];
	if (ping_due(s) <= now && !side_is_gone(client) && !stream_is_delivered(client->ep.stream))
		client->received_ms = now;
}

static void check_open(struct session *s)
{
	uint64_t now = session_clock(s);
	settle(s, now);
	put_off_ping(s, now);
	for (int i = 0; i < 2; i++)
		if (check_send(s, &s->side[i], now) || check_message(s, &s->side[i], now))
			return;
	if (check_pong(s, now) || check_idle(s, now) || check_lifetime(s, now))
		return;
	if (ping_due(s) <= now)
		tunnel_ping(s);
	deadline_reset(s);
}

static void check_reading(struct session *s)
{
	if (session_clock(s) < s->deadline_ms) {
		deadline_reset(s);
		return;
	}
	if (secure_timed_out(s)) {
		counter_inc(&s->proxy->counters.silent);
		session_end(s, true);
		return;
	}
	if (s->receiving) {
		request_refuse(s, 408, "the request did not come in time");
		return;
	}
	if (preface_cut_short(s, "the PROXY header did not come in time"))
		return;
	if (s->status == 0) {
		counter_inc(&s->proxy->counters.silent);
		session_blame(s, CAUSE_SILENT, CLOSED_BY_PROXY, 0);
	}
	session_hang_up(s);
}

static void check_opening(struct session *s)
{
	uint64_t now = session_clock(s);
	if (now >= s->deadline_ms)
		opening_on_deadline(s, true);
	else if (s->opening->connect_ms && now >= s->opening->connect_ms)
		opening_on_deadline(s, false);
	else
		deadline_reset(s);
}

void deadline_fire(struct timer *t)
{
	struct session *s = list_entry(t, struct session, timer);
	switch ((enum session_state)s->state) {
	case SESSION_READING:
		check_reading(s);
		break;
	case SESSION_HANDLING:
		handler_on_deadline(s);
		break;
	case SESSION_OPENING:
		check_opening(s);
		break;
	case SESSION_OPEN:
		check_open(s);
		break;
	case SESSION_CLOSING:
		if (session_clock(s) >= s->deadline_ms) {
			close_on_deadline(s);
		} else {
			deadline_reset(s);
			close_look(s);
		}
		break;
	case SESSION_LEAVING:
		session_hang_up(s);
		break;
	case SESSION_ENDED:
		break;
	}
}
