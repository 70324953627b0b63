/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/access.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/head.h"
#include "net/tls_stream.h"
#include "proxy/headers.h"
#include "proxy/note.h"
#include "proxy/opening.h"
#include "proxy/session.h"
#include "upstream/group.h"
#include "upstream/state.h"

#include <assert.h>
#include <stdio.h>

enum { REASON_MAX = 128, NAME_MAX_LEN = 300 };

struct access_words {
	char reason[REASON_MAX];   /* why the request was refused; empty = it was not */
	char server[NAME_MAX_LEN]; /* the last one, which was left; empty = none */
	uint8_t close_len[2];
	uint8_t close[2][WS_CONTROL_MAX]; /* the reasons of close frames, by who sent them */
};

struct access_tls {
	struct tls_info info; /* its slices lie in `bytes` */
	uint8_t bytes[];
};

#define ACCESS_KEY(name) RECORD_KEY(#name),
static const struct record_key keys[] = {ACCESS_FIELDS(ACCESS_KEY)};

enum access_field access_field_of(struct slice name)
{
	for (unsigned i = 0; i < ACCESS_FIELD_N; i++)
		if (slice_equal(slice_of(keys[i].written[RECORD_TEXT] + 1, keys[i].len), name))
			return (enum access_field)i;
	return ACCESS_FIELD_N;
}

static bool is_wanted(const struct session *s, enum access_field f)
{
	return s->proxy->access.fields >> f & 1;
}

/* ---- what is kept ---- */

static void clear(struct session *s)
{
	if (s->access) {
		mem_free(s->access->words);
		mem_free(s->access->tls);
	}
	mem_free(s->access);
	s->access = NULL;
}

void access_free(struct session *s)
{
	clear(s);
}

static struct slice front(struct slice v, size_t max)
{
	return slice_of(v.at, v.len < max ? v.len : max);
}

static struct slice if_wanted(const struct session *s, enum access_field f, struct slice v)
{
	return is_wanted(s, f) ? v : SLICE("");
}

static uint32_t since_start(const struct session *s)
{
	uint64_t ms = session_clock(s) - s->start_ms;
	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX - 1;
}

static struct access *make(struct session *s, size_t bytes)
{
	struct access *a = mem_try(sizeof *a + bytes);
	if (!a)
		return NULL;
	*a = (struct access){.begun_ms = since_start(s), .is_first = s->status == 0};
	s->access = a;
	return a;
}

static uint8_t *keep(uint8_t *at, struct slice v)
{
	if (v.len > 0)
		memcpy(at, v.at, v.len);
	return at + v.len;
}

static struct slice move(uint8_t **to, struct slice v)
{
	struct slice moved = slice_of(*to, v.len);
	*to = keep(*to, v);
	return moved;
}

static struct access_tls *copy_tls(const struct tls_info *info)
{
	struct access_tls *t = mem_try(sizeof *t + info->server_name.len + info->subject.len +
	                               info->issuer.len + info->fingerprint.len);
	if (!t)
		return NULL;
	uint8_t *to = t->bytes;
	t->info = *info;
	t->info.server_name = move(&to, info->server_name);
	t->info.subject = move(&to, info->subject);
	t->info.issuer = move(&to, info->issuer);
	t->info.fingerprint = move(&to, info->fingerprint);
	return t;
}

void access_begin(struct session *s, const struct http_head *head)
{
	if (!s->proxy->access.is_on)
		return;
	const struct http_field *f = http_find(head, HTTP_ORIGIN);
	struct slice method = if_wanted(s, ACCESS_method, front(head->method, HTTP_METHOD_MAX)),
	             host = if_wanted(s, ACCESS_host,
	                     front(head->authority.len > 0 ? head->authority : head->host,
	                             ACCESS_HOST_MAX)),
	             target = if_wanted(s, ACCESS_target, front(head->target, HTTP_TARGET_MAX)),
	             origin = if_wanted(
	                     s, ACCESS_origin, front(f ? f->value : SLICE(""), ACCESS_ORIGIN_MAX));
	clear(s);
	struct access *a = make(s, method.len + host.len + target.len + origin.len);
	if (!a)
		return;
	a->method_len = (uint8_t)method.len;
	a->host_len = (uint16_t)host.len;
	a->target_len = (uint16_t)target.len;
	a->origin_len = (uint16_t)origin.len;
	keep(keep(keep(keep(a->bytes, method), host), target), origin);
	struct tls_info tls;
	if (tls_describe(s->side[CLIENT].ep.stream, &tls))
		a->tls = copy_tls(&tls);
}

static struct access_words *words_of(struct access *a)
{
	if (!a->words && (a->words = mem_try(sizeof *a->words)))
		*a->words = (struct access_words){.reason = ""};
	return a->words;
}

void access_refused(struct session *s, const char *reason)
{
	if (!s->proxy->access.is_on || (!s->access && !make(s, 0)))
		return;
	struct access_words *w = words_of(s->access);
	if (w)
		snprintf(w->reason, sizeof w->reason, "%s", reason);
}

void access_answered(struct session *s)
{
	struct access *a = s->access;
	if (a && a->handshake_ms == 0)
		a->handshake_ms = since_start(s) - a->begun_ms + 1;
}

void access_picked(struct session *s)
{
	if (s->access)
		s->access->connect_ms = 0;
}

void access_connected(struct session *s)
{
	if (s->access)
		s->access->connect_ms = (uint32_t)(session_clock(s) - s->opening->picked_ms) + 1;
}

void access_left_server(struct session *s)
{
	if (!s->access || s->state == SESSION_OPEN || s->state == SESSION_CLOSING)
		return;
	struct access_words *w = words_of(s->access);
	if (w)
		snprintf(w->server, sizeof w->server, "%s", s->server->name);
}

void access_own_pong(struct session *s)
{
	if (s->access && s->ping_ms)
		s->access->rtt_ms = (uint32_t)(session_clock(s) - s->ping_ms) + 1;
}

static void keep_close(struct access *a, unsigned side, const struct ws_run *run)
{
	a->close_bytes[side] = run->control_len;
	if (run->payload_len <= 2 || !words_of(a))
		return;
	a->words->close_len[side] = (uint8_t)(run->payload_len - 2);
	memcpy(a->words->close[side], run->payload + 2, run->payload_len - 2U);
}

void access_control(struct access *a, unsigned side, const struct ws_run *run)
{
	switch (run->control_opcode) {
	case WS_PING:
		a->pings[side]++;
		a->ping_bytes[side] += run->control_len;
		break;
	case WS_PONG:
		a->pongs[side]++;
		a->pong_bytes[side] += run->control_len;
		break;
	default:
		keep_close(a, side, run);
	}
}

/* ---- the record ---- */

static void put_slice(
        const struct session *s, struct record *r, enum access_field f, struct slice value)
{
	if (is_wanted(s, f) && value.len > 0)
		record_slice(r, &keys[f], value);
}

static void put_text(
        const struct session *s, struct record *r, enum access_field f, const char *value)
{
	put_slice(s, r, f, slice_str(value));
}

static void put_num(const struct session *s, struct record *r, enum access_field f, uint64_t value)
{
	if (is_wanted(s, f))
		record_num(r, &keys[f], value);
}

/* Kept as one more, so that 0 is none. */
static void put_if(const struct session *s, struct record *r, enum access_field f, uint32_t value)
{
	if (value > 0)
		put_num(s, r, f, value - 1);
}

static void put_addresses(const struct session *s, struct record *r)
{
	struct address_brief peer;
	char text[ADDRESS_TEXT_MAX];
	put_text(s, r, ACCESS_client, address_brief_text(&s->client, text));
	if (note_peer(s->note, &peer))
		put_text(s, r, ACCESS_peer, address_brief_text(&peer, text));
}

static void put_where(const struct session *s, struct record *r)
{
	const struct access_words *w = s->access ? s->access->words : NULL;
	put_text(s, r, ACCESS_listener, s->listener->name);
	if (s->route)
		put_text(s, r, ACCESS_route, s->route->name);
	if (s->server)
		put_text(s, r, ACCESS_upstream, s->server->group->name);
	else if (s->route && s->route->group)
		put_text(s, r, ACCESS_upstream, s->route->group->name);
	put_text(s, r, ACCESS_server, s->server ? s->server->name : w ? w->server : "");
}

static void put_request(const struct session *s, struct record *r)
{
	const struct access *a = s->access;
	if (!a)
		return;
	const uint8_t *host = a->bytes + a->method_len, *target = host + a->host_len,
	              *origin = target + a->target_len;
	put_slice(s, r, ACCESS_method, slice_of(a->bytes, a->method_len));
	put_slice(s, r, ACCESS_host, slice_of(host, a->host_len));
	put_slice(s, r, ACCESS_target, slice_of(target, a->target_len));
	put_slice(s, r, ACCESS_origin, slice_of(origin, a->origin_len));
}

static void put_tls(const struct session *s, struct record *r)
{
	if (!s->access || !s->access->tls)
		return;
	const struct tls_info *t = &s->access->tls->info;
	put_text(s, r, ACCESS_tls_version, t->version);
	put_text(s, r, ACCESS_tls_cipher, t->cipher);
	put_slice(s, r, ACCESS_tls_server_name, t->server_name);
	put_slice(s, r, ACCESS_tls_client_subject, t->subject);
	put_slice(s, r, ACCESS_tls_client_issuer, t->issuer);
	put_slice(s, r, ACCESS_tls_client_digest, t->fingerprint);
}

static void put_who(const struct session *s, struct record *r)
{
	char buf[HEADERS_ID_LEN];
	uint8_t id[20], *end = id + sizeof id, *at = end;
	/* As text: it has more digits than a JSON number keeps in many a reader. */
	for (uint64_t n = s->id; n > 0; n /= 10)
		*--at = (uint8_t)('0' + n % 10);
	put_slice(s, r, ACCESS_id, slice_of(at, (size_t)(end - at)));
	put_slice(s, r, ACCESS_request, headers_request_id(s, buf));
	put_addresses(s, r);
	put_where(s, r);
	put_request(s, r);
	put_tls(s, r);
}

static void put_times(const struct session *s, struct record *r)
{
	const struct access *a = s->access;
	if (s->status)
		put_num(s, r, ACCESS_status, s->status);
	if (!a)
		return;
	put_if(s, r, ACCESS_handshake_ms, a->handshake_ms);
	put_if(s, r, ACCESS_connect_ms, a->connect_ms);
}

static uint64_t binary_bytes(const struct session *s, unsigned side)
{
	const struct access *a = s->access;
	uint64_t others = a->text_bytes[side] + a->ping_bytes[side] + a->pong_bytes[side] +
	                  a->close_bytes[side];
	return s->bytes[side] > others ? s->bytes[side] - others : 0;
}

/* From the first field of a side on. */
static uint64_t *gather_side(uint64_t *v, const struct session *s, unsigned side)
{
	const struct access *a = s->access;
	*v++ = a->texts[side];
	*v++ = a->text_bytes[side];
	*v++ = s->messages[side] - a->texts[side];
	*v++ = binary_bytes(s, side);
	*v++ = a->pings[side];
	*v++ = a->ping_bytes[side];
	*v++ = a->pongs[side];
	*v++ = a->pong_bytes[side];
	*v++ = s->bytes[side];
	return v;
}

enum { TRAFFIC_FIRST = ACCESS_text_up, TRAFFIC_N = ACCESS_pauses_down + 1 - TRAFFIC_FIRST };

/* The numbers of the tunnel, which follow each other among the fields. */
static void put_traffic(const struct session *s, struct record *r)
{
	const struct access *a = s->access;
	uint64_t wanted = s->proxy->access.fields >> TRAFFIC_FIRST, values[TRAFFIC_N],
	         *v = gather_side(values, s, CLIENT);
	v = gather_side(v, s, UPSTREAM);
	*v++ = a->own_pings;
	*v++ = a->rtt_ms - 1;
	*v++ = a->queue_peak[UPSTREAM];
	*v++ = a->queue_peak[CLIENT];
	*v++ = a->pauses[CLIENT];
	*v++ = a->pauses[UPSTREAM];
	assert(v == values + TRAFFIC_N);
	if (a->rtt_ms == 0)
		wanted &= ~(UINT64_C(1) << (ACCESS_rtt_ms - TRAFFIC_FIRST));
	record_nums(r, &keys[TRAFFIC_FIRST], values, TRAFFIC_N, wanted);
}

static void put_close(const struct session *s, struct record *r, unsigned side)
{
	const struct access_words *w = s->access ? s->access->words : NULL;
	if (!(s->side[side].flags & SIDE_CLOSE_RECEIVED))
		return;
	put_num(s, r, side == CLIENT ? ACCESS_client_code : ACCESS_upstream_code,
	        s->side[side].close_code);
	if (w)
		put_slice(s, r, side == CLIENT ? ACCESS_client_reason : ACCESS_upstream_reason,
		        slice_of(w->close[side], w->close_len[side]));
}

static void put_why(const struct session *s, struct record *r, const char *cause)
{
	const struct access_words *w = s->access ? s->access->words : NULL;
	char words[LOG_ERRNO_MAX];
	put_text(s, r, ACCESS_closed_by, session_closer_name(s));
	put_text(s, r, ACCESS_cause, cause);
	put_text(s, r, ACCESS_reason,
	        s->cause == CAUSE_PROTOCOL ? ws_error_reason((enum ws_error)s->error)
	        : w                        ? w->reason
	                                   : "");
	if (s->cause == CAUSE_ERROR)
		put_text(s, r, ACCESS_error, log_errno_words(s->error, words));
	if ((s->side[CLIENT].flags | s->side[UPSTREAM].flags) & SIDE_CUT)
		put_text(s, r, ACCESS_cut, "mid_frame");
}

static void put_end(const struct session *s, struct record *r, const char *cause)
{
	const struct access *a = s->access;
	put_num(s, r, ACCESS_duration_ms, since_start(s) - (a && !a->is_first ? a->begun_ms : 0));
	if (a && s->status == 101)
		put_traffic(s, r);
	put_close(s, r, CLIENT);
	put_close(s, r, UPSTREAM);
	if (s->own_code)
		put_num(s, r, ACCESS_code, s->own_code);
	put_why(s, r, cause);
}

static void begin(const struct session *s, struct record *r, const char *event)
{
	const struct access_settings *set = &s->proxy->access;
	char now[25];
	log_access_expect();
	clock_iso(now);
	record_begin(r, s->proxy->access_record, ACCESS_RECORD_MAX, set->format,
	        set->format == RECORD_TEXT || is_wanted(s, ACCESS_time) ? now : NULL,
	        set->format == RECORD_TEXT || is_wanted(s, ACCESS_event) ? event : NULL);
	put_who(s, r);
	put_times(s, r);
}

static void finish(struct record *r)
{
	if (record_end(r))
		log_access_put(r->at, r->len);
	else
		log_access_lose();
}

/* The same sessions whatever else is logged; the same share of each worker's. */
static bool is_sampled(const struct session *s)
{
	return ((s->id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % 100 < s->proxy->access.sample;
}

static bool is_bad_code(const struct side *side)
{
	return (side->flags & SIDE_CLOSE_RECEIVED) && side->close_code > 1001 &&
	       side->close_code < 3000;
}

/* An end as the peers or the configuration wanted it. */
static bool is_well(const struct session *s)
{
	switch ((enum session_cause)s->cause) {
	case CAUSE_NONE:
	case CAUSE_ANSWERED:
	case CAUSE_REFUSED:
		return s->status < 500;
	case CAUSE_CLOSE:
		return !is_bad_code(&s->side[CLIENT]) && !is_bad_code(&s->side[UPSTREAM]);
	case CAUSE_IDLE_TIMEOUT:
	case CAUSE_LIFETIME:
	case CAUSE_STOPPING:
		return true;
	default:
		return false;
	}
}

static void write_end(struct session *s, const char *cause)
{
	struct record r;
	if (!s->proxy->access.is_on || (!is_sampled(s) && is_well(s)))
		return;
	begin(s, &r, "end");
	put_end(s, &r, cause);
	finish(&r);
}

void access_opened(struct session *s)
{
	struct record r;
	if (!s->proxy->access.is_on || !s->proxy->access.at_start || !is_sampled(s))
		return;
	begin(s, &r, "start");
	finish(&r);
}

static bool was_refused(const struct session *s)
{
	return s->access && s->access->words && s->access->words->reason[0] != '\0';
}

void access_request_end(struct session *s)
{
	write_end(s, was_refused(s) ? "refused" : "answered");
	clear(s);
}

/* Of a connection whose requests have all been answered there is no more to tell. */
static bool has_something(const struct session *s)
{
	return s->access || (s->cause != CAUSE_NONE && (s->status == 0 || s->receiving));
}

/* A route's own answer that ends the connection counts as a refusal, and what the upstream
 * answered as nothing at all. */
static const char *cause_of(const struct session *s)
{
	bool is_answer = s->cause == CAUSE_NONE || (s->cause == CAUSE_REFUSED && !was_refused(s));
	return s->access && is_answer ? "answered" : session_cause_name(s);
}

void access_end(struct session *s)
{
	if (has_something(s))
		write_end(s, cause_of(s));
	clear(s);
}
