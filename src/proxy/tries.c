/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/tries.h"

#include "base/log.h"
#include "net/tls_stream.h"
#include "proxy/deadline.h"
#include "proxy/headers.h"
#include "proxy/opening.h"
#include "proxy/preface.h"
#include "proxy/request.h"
#include "upstream/group.h"
#include "upstream/spare.h"

#include <errno.h>
#include <stdio.h>

static const char none_up[] = "no server of the upstream is up";

static void on_dialled(struct dial *d, const char *error);
static void on_place(struct waiting *w);
static void on_members(struct srv *srv, const char *error);
static void pick_server(struct session *s, unsigned status, const char *reason);

/* ---- the servers of a service ---- */

static void find_members(struct session *s)
{
	struct opening *o = s->opening;
	if (srv_start(&o->srv, s->proxy->worker, s->opening->group, on_members))
		return;
	counter_inc(&s->proxy->counters.out_of_memory);
	request_refuse(s, 503, "out of memory");
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

/* ---- a server ---- */

uint64_t tries_answer_due(const struct session *s)
{
	uint32_t limit = s->opening->group->answer_timeout_ms;
	return limit ? s->opening->picked_ms + limit : 0;
}

static void arm_connect_timeout(struct session *s)
{
	uint32_t limit = s->opening->group->connect_timeout_ms;
	uint64_t connect = limit ? session_clock(s) + limit : 0, answer = tries_answer_due(s);
	s->opening->connect_ms = answer && (!connect || answer < connect) ? answer : connect;
	deadline_reset(s);
}

static void dial_server(struct session *s)
{
	struct opening *o = s->opening;
	struct worker *w = s->proxy->worker;
	o->connect_ms = 0;
	s->side[UPSTREAM].flags = 0; /* they were of a server before it */
	switch (o->has_lost_spare
	                ? spare_dial_fresh(&o->dial, w, o->group, &o->picked, on_dialled)
	                : spare_dial_start(&o->dial, w, o->group, &o->picked, on_dialled)) {
	case DIAL_READY:
		tries_connect_next(s, 0);
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
	o->error = 0;
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

/* Where this worker has a connection ready is known for this moment only. Whoever is not to use one
 * does not take its place either. */
static enum pick pick(struct session *s, struct picked *out)
{
	struct opening *o = s->opening;
	const struct upstream_group *g = s->opening->group;
	o->pick.now_ms = session_clock(s);
	o->pick.worker = s->proxy->worker;
	o->pick.spare = o->has_lost_spare ? 0 : spares_of(s->proxy->worker, g, o->members);
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

/* ---- the next one ---- */

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
	if (s->opening->error)
		log_errno(&l, "error", s->opening->error);
	log_end(&l);
}

void tries_blame(struct session *s, const char *reason)
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

void tries_next(struct session *s, unsigned status, const char *reason)
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

bool tries_ask_another(struct session *s, unsigned status)
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

/* ---- its connection ---- */

static void on_dialled(struct dial *d, const char *error)
{
	struct session *s = list_entry(d, struct opening, dial)->session;
	if (error) {
		tries_blame(s, error);
		tries_next(s, 502, error);
	} else {
		tries_connect_next(s, 0);
	}
}

void tries_cannot_connect(struct session *s, int error)
{
	struct proxy_counters *c = &s->proxy->counters;
	switch (error) {
	case EADDRNOTAVAIL:
		counter_inc(&c->no_free_port);
		tries_next(s, 503, "no free port");
		break;
	case ENODEV:
		tries_next(s, 503, "a source address is not one of this host");
		break;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		request_refuse(s, 503, "no descriptor or memory for the upstream");
		break;
	case ETIMEDOUT:
		tries_blame(s, "connect_timeout");
		tries_next(s, 504, "the upstream did not connect in time");
		break;
	default: {
		char words[LOG_ERRNO_MAX];
		s->opening->error = (uint8_t)error;
		tries_blame(s, log_errno_words(error, words));
		tries_next(s, 502, "the upstream cannot be reached");
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

/* From here on the server's name is known; the time that finding it took counts. */
void tries_connect_next(struct session *s, int error)
{
	struct opening *o = s->opening;
	struct side *up = &s->side[UPSTREAM];
	int now = 0;
	o->dial.in_clear = send_preface;
	o->dial.speaks_first = true;
	struct stream *stream = dial_next(&o->dial, &now);
	if (!stream && dial_is_waiting(&o->dial)) {
		if (!o->connect_ms)
			arm_connect_timeout(s);
		return;
	}
	if (!stream) {
		tries_cannot_connect(s, error ? error : now);
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

bool tries_spare_was_lost(const struct session *s)
{
	const struct opening *o = s->opening;
	const struct endpoint *up = &s->side[UPSTREAM].ep;
	return o->dial.is_spare && up->phase == ENDPOINT_HEAD && !up->http.begun && !o->interim;
}

void tries_replace_spare(struct session *s)
{
	struct opening *o = s->opening;
	struct upstream_worker *u = s->proxy->worker->layer[WORKER_UPSTREAM];
	counter_inc(&u->counters.spares_lost);
	o->picked.has_spare = false; /* its place is this session's */
	o->has_lost_spare = true;
	dial_end(&o->dial);
	dial_server(s);
}

bool tries_may_dial_again(const struct session *s)
{
	return !s->opening->has_dialled_again && tls_failed_resuming(s->side[UPSTREAM].ep.stream);
}

void tries_dial_again(struct session *s, const char *reason)
{
	struct opening *o = s->opening;
	log_failed_try(s, reason);
	o->has_dialled_again = true;
	o->picked.has_spare = false; /* one that was kept in clear; its place is this session's */
	dial_end(&o->dial);
	dial_server(s);
}

void tries_begin(struct session *s)
{
	if (s->opening->group->service)
		find_members(s);
	else
		pick_server(s, 503, none_up);
}
