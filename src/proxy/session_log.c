/* SPDX-License-Identifier: BSD-2-Clause */

/* What the log says of a session: one line for a request that was refused, one for
 * a session that was open, or that went away in the middle of its opening. */

#include "base/log.h"
#include "net/tls_stream.h"
#include "proxy/access.h"
#include "proxy/headers.h"
#include "proxy/note.h"
#include "proxy/opening.h"
#include "proxy/session.h"
#include "upstream/state.h"

static const char *const side_names[] = {[CLIENT] = "client", [UPSTREAM] = "upstream"};

static const char *const closers[] = {
        [CLOSED_BY_NOBODY] = "nobody",
        [CLOSED_BY_CLIENT] = "client",
        [CLOSED_BY_UPSTREAM] = "upstream",
        [CLOSED_BY_PROXY] = "proxy",
};

static const char *const causes[] = {
        [CAUSE_NONE] = "none",
        [CAUSE_CLOSE] = "close",
        [CAUSE_VANISHED] = "vanished",
        [CAUSE_ERROR] = "error",
        [CAUSE_PROTOCOL] = "protocol",
        [CAUSE_SEND_TIMEOUT] = "send_timeout",
        [CAUSE_MESSAGE_TIMEOUT] = "message_timeout",
        [CAUSE_PONG_TIMEOUT] = "pong_timeout",
        [CAUSE_IDLE_TIMEOUT] = "idle_timeout",
        [CAUSE_CLOSE_TIMEOUT] = "close_timeout",
        [CAUSE_CONTROL_RATE] = "max_control_rate",
        [CAUSE_LIFETIME] = "max_lifetime",
        [CAUSE_STOPPING] = "stopping",
        [CAUSE_MEMORY] = "memory",
        [CAUSE_HANDLER] = "handler",
        [CAUSE_REFUSED] = "refused",
        [CAUSE_SILENT] = "silent",
        [CAUSE_ANSWERED] = "answered",
};

const char *session_closer_name(const struct session *s)
{
	return closers[s->closer];
}

const char *session_cause_name(const struct session *s)
{
	return causes[s->cause];
}

void session_log_id(const struct session *s, struct log_line *l)
{
	char buf[HEADERS_ID_LEN];
	struct slice id = headers_request_id(s, buf);
	log_num(l, "id", (int64_t)s->id);
	if (id.len > 0)
		log_slice(l, "request", id);
}

static void log_addresses(const struct session *s, struct log_line *l)
{
	struct address_brief peer;
	char text[ADDRESS_TEXT_MAX];
	log_text(l, "client", address_brief_text(&s->client, text));
	if (note_peer(s->note, &peer))
		log_text(l, "peer", address_brief_text(&peer, text));
}

static void log_upstream_address(const struct session *s, struct log_line *l)
{
	char text[ADDRESS_TEXT_MAX];
	log_text(l, "address", address_text(dial_address(&s->opening->dial), text));
}

static void begin(
        const struct session *s, struct log_line *l, enum log_level level, const char *event)
{
	log_begin(l, level, event);
	session_log_id(s, l);
	log_addresses(s, l);
	log_text(l, "listener", s->listener->name);
	if (s->route)
		log_text(l, "route", s->route->name);
	if (s->server)
		log_text(l, "server", s->server->name);
}

void session_log_refused(struct session *s, unsigned status, const char *reason)
{
	access_refused(s, reason);
	if (!log_is_on(LOG_LEVEL_INFO))
		return;
	struct log_line l;
	begin(s, &l, LOG_LEVEL_INFO, "refused");
	if (status)
		log_num(&l, "status", status);
	log_text(&l, "reason", reason);
	if (s->cause == CAUSE_REFUSED && s->error)
		log_errno(&l, "error", s->error);
	log_end(&l);
}

/* An upstream's failure is the operator's business, a client's mostly is not. */
void session_log_tls(struct session *s, const struct side *side)
{
	bool is_client = side->ep.role == ENDPOINT_CLIENT;
	enum log_level level = is_client ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
	struct slice name = tls_server_name(side->ep.stream);
	struct log_line l;
	if (!log_is_on(level))
		return;
	begin(s, &l, level, "tls_failed");
	log_text(&l, "side", side_names[side->ep.role]);
	if (!is_client && s->state == SESSION_OPENING)
		log_upstream_address(s, &l);
	if (name.len > 0)
		log_slice(&l, "server_name", name);
	log_text(&l, "reason", tls_failure(side->ep.stream));
	log_end(&l);
}

void session_log_origin(struct session *s, const char *reason, struct slice origin)
{
	access_refused(s, reason);
	if (!log_is_on(LOG_LEVEL_INFO))
		return;
	struct log_line l;
	begin(s, &l, LOG_LEVEL_INFO, "refused");
	log_num(&l, "status", 403);
	log_text(&l, "reason", reason);
	if (origin.len > 0)
		log_slice(&l, "origin", origin);
	log_end(&l);
}

static void log_why(const struct session *s, struct log_line *l)
{
	log_text(l, "closed_by", session_closer_name(s));
	log_text(l, "cause", session_cause_name(s));
	if (s->cause == CAUSE_PROTOCOL)
		log_text(l, "reason", ws_error_reason((enum ws_error)s->error));
	if (s->cause == CAUSE_ERROR)
		log_errno(l, "error", s->error);
}

static void log_codes(const struct session *s, struct log_line *l)
{
	if (s->side[CLIENT].flags & SIDE_CLOSE_RECEIVED)
		log_num(l, "client_code", s->side[CLIENT].close_code);
	if (s->side[UPSTREAM].flags & SIDE_CLOSE_RECEIVED)
		log_num(l, "upstream_code", s->side[UPSTREAM].close_code);
	if (s->own_code)
		log_num(l, "code", s->own_code);
	if ((s->side[CLIENT].flags | s->side[UPSTREAM].flags) & SIDE_CUT)
		log_text(l, "cut", "mid_frame");
	for (int i = 0; i < 2; i++)
		if (s->side[i].flags & SIDE_TRUNCATED)
			log_text(l, "truncated", side_names[i]);
}

static void log_sums(const struct session *s, struct log_line *l)
{
	log_num(l, "ms", (int64_t)(session_clock(s) - s->start_ms));
	log_num(l, "messages_up", s->messages[CLIENT]);
	log_num(l, "messages_down", s->messages[UPSTREAM]);
	log_num(l, "bytes_up", (int64_t)s->bytes[CLIENT]);
	log_num(l, "bytes_down", (int64_t)s->bytes[UPSTREAM]);
}

void session_log_end(struct session *s)
{
	if (!log_is_on(LOG_LEVEL_INFO) || s->cause == CAUSE_NONE || s->cause == CAUSE_REFUSED)
		return;
	struct log_line l;
	begin(s, &l, LOG_LEVEL_INFO, "session_end");
	log_num(&l, "status", session_status(s));
	log_why(s, &l);
	log_codes(s, &l);
	log_sums(s, &l);
	log_end(&l);
}
