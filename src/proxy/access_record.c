/* SPDX-License-Identifier: BSD-2-Clause */

/* What the access log says of a session. */

#include "base/clock.h"
#include "base/log.h"
#include "proxy/access.h"
#include "proxy/headers.h"
#include "proxy/note.h"
#include "proxy/session.h"
#include "upstream/group.h"
#include "upstream/state.h"

#define ACCESS_KEY(name) RECORD_KEY(#name),
static const struct record_key keys[] = {ACCESS_FIELDS(ACCESS_KEY)};

enum access_field access_field_of(struct slice name)
{
	for (unsigned i = 0; i < ACCESS_FIELD_N; i++)
		if (slice_equal(slice_of(keys[i].json + 2, keys[i].len), name))
			return (enum access_field)i;
	return ACCESS_FIELD_N;
}

static bool is_wanted(const struct session *s, enum access_field f)
{
	return s->proxy->access.fields >> f & 1;
}

static const struct access_more *more(const struct session *s)
{
	return s->access ? s->access->more : NULL;
}

static const struct access_words *words(const struct session *s)
{
	return more(s) ? more(s)->words : NULL;
}

/* ---- its fields ---- */

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

/* A value of Moongate's own making, in which nothing can be odd. */
static void put_bare(
        const struct session *s, struct record *r, enum access_field f, struct slice value)
{
	if (is_wanted(s, f))
		record_bare(r, &keys[f], value);
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

static void put_address(const struct session *s, struct record *r, enum access_field f,
        const struct address_brief *a)
{
	char *at = is_wanted(s, f) ? record_open(r, &keys[f], ADDRESS_TEXT_MAX) : NULL;
	if (at)
		record_close(r, address_brief_put(a, at));
}

static void put_addresses(const struct session *s, struct record *r)
{
	struct address_brief peer;
	put_address(s, r, ACCESS_client, &s->client);
	if (note_peer(s->note, &peer))
		put_address(s, r, ACCESS_peer, &peer);
}

static void write_where(const struct session *s, struct record *r)
{
	const struct access *a = s->access;
	const struct access_words *w = words(s);
	put_text(s, r, ACCESS_listener, s->listener->name);
	if (s->route)
		put_text(s, r, ACCESS_route, s->route->name);
	if (s->server)
		put_text(s, r, ACCESS_upstream, s->server->group->name);
	else if (s->route && s->route->group)
		put_text(s, r, ACCESS_upstream, s->route->group->name);
	put_text(s, r, ACCESS_server, s->server ? s->server->name : w ? w->server : "");
	if (a)
		put_slice(s, r, ACCESS_method,
		        a->is_get ? SLICE("GET") : slice_of(a->bytes, a->method_len));
}

/* Mostly it is one of few that many sessions have. */
static void put_where(const struct session *s, struct record *r)
{
	if (!s->route || !s->server || !s->access || !s->access->is_get) {
		write_where(s, r);
		return;
	}
	struct access_where *w = &s->proxy->access_store->where[s->server->serial % ACCESS_WHERES];
	if (w->listener == s->listener && w->route == s->route && w->server == s->server->serial) {
		record_piece(r, &w->piece);
		return;
	}
	size_t from = r->len;
	write_where(s, r);
	w->listener = record_keep(r, from, &w->piece) ? s->listener : NULL;
	w->route = s->route;
	w->server = s->server->serial;
}

static void put_request(const struct session *s, struct record *r)
{
	const struct access *a = s->access;
	if (!a)
		return;
	const uint8_t *host = a->bytes + a->method_len, *target = host + a->host_len,
	              *origin = target + a->target_len;
	put_slice(s, r, ACCESS_host, slice_of(host, a->host_len));
	put_slice(s, r, ACCESS_target, slice_of(target, a->target_len));
	put_slice(s, r, ACCESS_origin, slice_of(origin, a->origin_len));
}

static void put_tls(const struct session *s, struct record *r)
{
	const struct access_more *m = more(s);
	if (!m || !m->tls)
		return;
	const struct tls_info *t = &m->tls->info;
	put_text(s, r, ACCESS_tls_version, t->version);
	put_text(s, r, ACCESS_tls_cipher, t->cipher);
	put_slice(s, r, ACCESS_tls_server_name, t->server_name);
	put_slice(s, r, ACCESS_tls_client_subject, t->subject);
	put_slice(s, r, ACCESS_tls_client_issuer, t->issuer);
	put_slice(s, r, ACCESS_tls_client_digest, t->fingerprint);
}

static void put_request_id(const struct session *s, struct record *r)
{
	char buf[HEADERS_ID_LEN];
	struct slice id = headers_request_id(s, buf);
	if (id.at == (const uint8_t *)buf)
		put_bare(s, r, ACCESS_request, id);
	else
		put_slice(s, r, ACCESS_request, id);
}

static void put_who(const struct session *s, struct record *r)
{
	if (is_wanted(s, ACCESS_id))
		record_id(r, &keys[ACCESS_id], s->id);
	if (is_wanted(s, ACCESS_request))
		put_request_id(s, r);
	put_addresses(s, r);
	put_where(s, r);
	put_request(s, r);
	put_tls(s, r);
}

static uint32_t duration_of(const struct session *s)
{
	const struct access *a = s->access;
	return session_age_ms(s) - (a && !a->is_first ? a->begun_ms : 0);
}

/* Of what was not open, or is not over. */
static void put_times(const struct session *s, struct record *r, bool is_over)
{
	const struct access *a = s->access;
	if (session_status(s))
		put_num(s, r, ACCESS_status, session_status(s));
	if (a) {
		put_if(s, r, ACCESS_handshake_ms, a->handshake_ms);
		put_if(s, r, ACCESS_connect_ms, a->connect_ms);
	}
	if (is_over)
		put_num(s, r, ACCESS_duration_ms, duration_of(s));
}

/* The numbers of an open session stand in a row. */
enum { ROW_FIRST = ACCESS_status, ROW_N = ACCESS_pauses_down - ROW_FIRST + 1 };
#define ROW_BIT(field) (UINT64_C(1) << (ACCESS_##field - ROW_FIRST))
struct numbers {
	uint64_t given; /* a bit for each that there is, or, of a count, that is not 0 */
	uint64_t value[ROW_N];
};

static inline void give(struct numbers *n, enum access_field f, uint64_t value, bool is_given)
{
	n->value[f - ROW_FIRST] = value;
	n->given |= (uint64_t)is_given << (f - ROW_FIRST);
}

static inline void give_count(struct numbers *n, enum access_field f, uint64_t count)
{
	give(n, f, count, count > 0);
}

static inline void give_if(struct numbers *n, enum access_field f, uint32_t plus_one)
{
	give(n, f, (uint64_t)plus_one - 1, plus_one > 0);
}

/* All but the status and the times are counts. */
void access_store_set(struct access_store *st, const struct access_settings *set)
{
	static const uint64_t others = ROW_BIT(status) | ROW_BIT(handshake_ms) |
	                               ROW_BIT(connect_ms) | ROW_BIT(duration_ms) | ROW_BIT(rtt_ms);
	record_row_init(&st->row, &keys[ROW_FIRST], ROW_N, set->fields >> ROW_FIRST, ~others);
	st->head.event = NULL;
	st->close.how = 0;
	for (unsigned i = 0; i < ACCESS_WHERES; i++)
		st->where[i].listener = NULL;
}

/* The fields of both sides follow each other in the same order: this is from one to the other's. */
static unsigned shift_of(unsigned side)
{
	return side == CLIENT ? 0 : ACCESS_text_down - ACCESS_text_up;
}

static void gather_both(struct numbers *n, const struct session *s, unsigned side, uint64_t data)
{
	const struct access_more *m = s->access->more;
	uint64_t texts = m->texts[side], bytes = m->text_bytes[side];
	unsigned shift = shift_of(side);
	give_count(n, ACCESS_text_up + shift, texts);
	give_count(n, ACCESS_text_bytes_up + shift, bytes);
	give_count(n, ACCESS_binary_up + shift, s->messages[side] - texts);
	give_count(n, ACCESS_binary_bytes_up + shift, data > bytes ? data - bytes : 0);
}

static void gather_data(struct numbers *n, const struct session *s, unsigned side)
{
	unsigned kind = (unsigned)s->access->kinds >> 2 * side & ACCESS_BOTH;
	unsigned first = kind == ACCESS_TEXT ? ACCESS_text_up : ACCESS_binary_up;
	unsigned shift = shift_of(side);
	uint64_t control = access_control_bytes(s, side);
	uint64_t data = s->bytes[side] > control ? s->bytes[side] - control : 0;
	give_count(n, ACCESS_bytes_up + shift, s->bytes[side]);
	if (kind == ACCESS_BOTH && s->access->more) {
		gather_both(n, s, side, data);
		return;
	}
	give_count(n, first + shift, s->messages[side]);
	give_count(n, first + 1 + shift, data);
}

static void gather_more(struct numbers *n, const struct access_more *m, unsigned side)
{
	bool is_up = side == CLIENT;
	unsigned shift = shift_of(side);
	give_count(n, ACCESS_ping_up + shift, m->pings[side]);
	give_count(n, ACCESS_ping_bytes_up + shift, m->ping_bytes[side]);
	give_count(n, ACCESS_pong_up + shift, m->pongs[side]);
	give_count(n, ACCESS_pong_bytes_up + shift, m->pong_bytes[side]);
	/* What waits for a side comes from the other. */
	give_count(n, is_up ? ACCESS_queue_peak_down : ACCESS_queue_peak_up, m->queue_peak[side]);
	give_count(n, is_up ? ACCESS_pauses_up : ACCESS_pauses_down, m->pauses[side]);
}

static void put_numbers(const struct session *s, struct record *r)
{
	const struct access *a = s->access;
	struct numbers n;
	n.given = 0; /* what is not given need not be cleared */
	give(&n, ACCESS_status, s->status, true);
	give_if(&n, ACCESS_handshake_ms, a->handshake_ms);
	give_if(&n, ACCESS_connect_ms, a->connect_ms);
	give(&n, ACCESS_duration_ms, duration_of(s), true);
	for (unsigned side = CLIENT; side <= UPSTREAM; side++) {
		gather_data(&n, s, side);
		if (a->more)
			gather_more(&n, a->more, side);
	}
	give_count(&n, ACCESS_pings, a->own_pings);
	give_if(&n, ACCESS_rtt_ms, a->rtt_ms);
	record_row(r, &s->proxy->access_store->row, n.given, n.value);
}

static void put_close(const struct session *s, struct record *r, unsigned side)
{
	const struct access_words *w = words(s);
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
	const struct access_words *w = words(s);
	char words[LOG_ERRNO_MAX];
	put_bare(s, r, ACCESS_closed_by, slice_str(session_closer_name(s)));
	put_bare(s, r, ACCESS_cause, slice_str(cause));
	put_text(s, r, ACCESS_reason,
	        s->cause == CAUSE_PROTOCOL ? ws_error_reason((enum ws_error)s->error)
	        : w                        ? w->reason
	                                   : "");
	if (s->error && (s->cause == CAUSE_ERROR || s->cause == CAUSE_REFUSED))
		put_text(s, r, ACCESS_error, log_errno_words(s->error, words));
	if ((s->side[CLIENT].flags | s->side[UPSTREAM].flags) & SIDE_CUT)
		put_text(s, r, ACCESS_cut, "mid_frame");
}

static void write_close(const struct session *s, struct record *r, const char *cause)
{
	put_close(s, r, CLIENT);
	put_close(s, r, UPSTREAM);
	if (s->own_code)
		put_num(s, r, ACCESS_code, s->own_code);
	put_why(s, r, cause);
}

/* All there is to tell of a close handshake that needs no words; 0 = there is more. */
static uint64_t how_closed(const struct session *s)
{
	const struct side *client = &s->side[CLIENT], *upstream = &s->side[UPSTREAM];
	unsigned flags = client->flags | upstream->flags, both = client->flags & upstream->flags;
	if (s->cause != CAUSE_CLOSE || words(s) || flags & SIDE_CUT ||
	        !(both & SIDE_CLOSE_RECEIVED))
		return 0;
	return client->close_code | (uint64_t)upstream->close_code << 16 |
	       (uint64_t)s->own_code << 32 | (uint64_t)s->closer << 48 | UINT64_C(1) << 63;
}

static void put_how(const struct session *s, struct record *r, const char *cause)
{
	struct access_close *kept = &s->proxy->access_store->close;
	uint64_t how = how_closed(s);
	if (how != 0 && how == kept->how) {
		record_piece(r, &kept->piece);
		return;
	}
	size_t from = r->len;
	write_close(s, r, cause);
	if (how != 0)
		kept->how = record_keep(r, from, &kept->piece) ? how : 0;
}

static void put_end(const struct session *s, struct record *r, const char *cause)
{
	if (s->access && s->status == 101)
		put_numbers(s, r);
	else
		put_times(s, r, true);
	put_how(s, r, cause);
}

static void begin(
        const struct session *s, struct record *r, char *at, size_t max, const char *event)
{
	const struct access_settings *set = &s->proxy->access;
	struct access_head *kept = &s->proxy->access_store->head;
	char now[25];
	if (kept->event == event && kept->turn_ms == session_clock(s)) {
		record_begin_as(r, at, max, set->format, &kept->piece);
		return;
	}
	clock_iso(now);
	record_begin(r, at, max, set->format,
	        set->format == RECORD_TEXT || is_wanted(s, ACCESS_time) ? now : NULL,
	        set->format == RECORD_TEXT || is_wanted(s, ACCESS_event) ? event : NULL);
	kept->event = record_keep(r, 0, &kept->piece) ? event : NULL;
	kept->turn_ms = session_clock(s);
}

static bool build(
        const struct session *s, struct record *r, char *at, size_t max, const char *cause)
{
	begin(s, r, at, max, cause ? "end" : "start");
	put_who(s, r);
	if (cause)
		put_end(s, r, cause);
	else
		put_times(s, r, false);
	return record_end(r);
}

/* Most records are built where they wait for the writer. `cause` NULL: at the start. */
static void write_record(const struct session *s, const char *cause)
{
	struct access_store *st = s->proxy->access_store;
	size_t room;
	char *at = log_access_room(&room);
	struct record r;
	if (at && room > sizeof st->record)
		room = sizeof st->record;
	if (at && room > RECORD_KEY_ROOM && build(s, &r, at, room - RECORD_KEY_ROOM, cause))
		log_access_put(at, r.len);
	else if (build(s, &r, st->record, ACCESS_RECORD_MAX, cause))
		log_access_put(r.at, r.len);
	else
		log_access_lose();
}

/* The same sessions whatever else is logged; the same share of each worker's. */
static bool is_sampled(const struct session *s)
{
	uint32_t sample = s->proxy->access.sample;
	return sample >= 100 || ((s->id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % 100 < sample;
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
	if (s->proxy->access.is_on && (is_sampled(s) || !is_well(s)))
		write_record(s, cause);
}

void access_opened(struct session *s)
{
	if (s->proxy->access.is_on && s->proxy->access.at_start && is_sampled(s))
		write_record(s, NULL);
}

static bool was_refused(const struct session *s)
{
	return words(s) && words(s)->reason[0] != '\0';
}

void access_request_end(struct session *s)
{
	write_end(s, was_refused(s) ? "refused" : "answered");
	access_free(s);
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

/* While the sockets are closed, which takes longer than memory does. */
void access_expect_end(const struct session *s)
{
	enum { LINE = 64 };
	const char *a = (const char *)s->access;
	if (!a)
		return;
	__builtin_prefetch(a);
	__builtin_prefetch(a + LINE);
	log_access_expect();
}

void access_end(struct session *s)
{
	if (has_something(s))
		write_end(s, cause_of(s));
	access_free(s);
}
