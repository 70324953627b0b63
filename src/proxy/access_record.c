/* SPDX-License-Identifier: BSD-2-Clause */

/* The text of an access record. */

#include "base/clock.h"
#include "base/log.h"
#include "proxy/access_entry.h"
#include "proxy/session.h"

#define ACCESS_KEY(name) RECORD_KEY(#name),
static const struct record_key keys[] = {ACCESS_FIELDS(ACCESS_KEY)};

enum access_field access_field_of(struct slice name)
{
	for (unsigned i = 0; i < ACCESS_FIELD_N; i++)
		if (slice_equal(slice_of(keys[i].json + 2, keys[i].len), name))
			return (enum access_field)i;
	return ACCESS_FIELD_N;
}

/* An entry, taken apart. */
struct view {
	const struct access_entry *e;
	const struct access_counts *counts; /* NULL = none */
	const uint8_t *request;
	struct slice part[PART_N];
};

static void view(struct view *v, const struct access_entry *e)
{
	const uint8_t *at = e->rest;
	v->e = e;
	v->counts = e->has_counts ? (const void *)at : NULL;
	v->request = e->has_counts ? at + sizeof *v->counts : at;
	at = v->request + access_request_len(&e->basics);
	for (unsigned i = 0; i < PART_N; i++) {
		v->part[i] = slice_of(at, e->len[i]);
		at += e->len[i];
	}
}

/* What the last records had and the next may have too, which is copied then and not written again.
 * All of it is of one form. Whoever makes a record is the only one (log.h: log_record_fn). */
static struct {
	uint64_t fields;
	uint8_t format;
	struct record_row row; /* all numbers of an open session; no keys: there is nothing yet */
	struct {
		uint64_t wall_ms;
		const char *event; /* NULL = none is kept, as with the next two */
		struct record_piece piece;
	} head;
	struct {                  /* from the listener to the method, which is GET */
		size_t bytes_len; /* 0 = none is kept */
		uint16_t len[PART_SERVER - PART_LISTENER + 1];
		uint8_t bytes[ACCESS_WHERE_MAX];
		struct record_piece piece;
	} where;
	struct { /* behind the numbers, of a session that closed as it should */
		uint64_t how;
		const char *closer, *cause;
		struct record_piece piece;
	} close;
} last;

static bool is_wanted(const struct view *v, enum access_field f)
{
	return v->e->fields >> f & 1;
}

/* ---- its fields ---- */

static void put_slice(
        const struct view *v, struct record *r, enum access_field f, struct slice value)
{
	if (is_wanted(v, f) && value.len > 0)
		record_slice(r, &keys[f], value);
}

static void put_part(
        const struct view *v, struct record *r, enum access_field f, enum access_part p)
{
	put_slice(v, r, f, v->part[p]);
}

/* A value of Moongate's own making, in which nothing can be odd. */
static void put_bare(const struct view *v, struct record *r, enum access_field f, const char *value)
{
	if (is_wanted(v, f))
		record_bare(r, &keys[f], slice_str(value));
}

static void put_num(const struct view *v, struct record *r, enum access_field f, uint64_t value)
{
	if (is_wanted(v, f))
		record_num(r, &keys[f], value);
}

/* Kept as one more, so that 0 is none. */
static void put_if(const struct view *v, struct record *r, enum access_field f, uint32_t value)
{
	if (value > 0)
		put_num(v, r, f, value - 1);
}

static void put_address(
        const struct view *v, struct record *r, enum access_field f, const struct address_brief *a)
{
	char *at = is_wanted(v, f) ? record_open(r, &keys[f], ADDRESS_TEXT_MAX) : NULL;
	if (at)
		record_close(r, address_brief_put(a, at));
}

static void put_addresses(const struct view *v, struct record *r)
{
	struct address_brief peer;
	put_address(v, r, ACCESS_client, &v->e->client);
	if (v->part[PART_PEER].len == 0)
		return;
	memcpy(&peer, v->part[PART_PEER].at, sizeof peer);
	put_address(v, r, ACCESS_peer, &peer);
}

static void put_request(const struct view *v, struct record *r)
{
	const struct access_basics *b = &v->e->basics;
	const uint8_t *host = v->request + b->method_len, *target = host + b->host_len,
	              *origin = target + b->target_len;
	put_slice(v, r, ACCESS_host, slice_of(host, b->host_len));
	put_slice(v, r, ACCESS_target, slice_of(target, b->target_len));
	put_slice(v, r, ACCESS_origin, slice_of(origin, b->origin_len));
}

static void write_where(const struct view *v, struct record *r)
{
	const struct access_basics *b = &v->e->basics;
	put_part(v, r, ACCESS_listener, PART_LISTENER);
	put_part(v, r, ACCESS_route, PART_ROUTE);
	put_part(v, r, ACCESS_upstream, PART_UPSTREAM);
	put_part(v, r, ACCESS_server, PART_SERVER);
	put_slice(v, r, ACCESS_method,
	        b->is_get ? SLICE("GET") : slice_of(v->request, b->method_len));
}

static void put_where(const struct view *v, struct record *r)
{
	const struct slice *first = &v->part[PART_LISTENER], *end = &v->part[PART_SERVER + 1];
	const uint16_t *len = &v->e->len[PART_LISTENER];
	size_t bytes_len = (size_t)(end->at - first->at), from = r->len;
	if (!v->e->basics.is_get || bytes_len == 0 || bytes_len > sizeof last.where.bytes) {
		write_where(v, r);
		return;
	}
	if (bytes_len == last.where.bytes_len &&
	        memcmp(len, last.where.len, sizeof last.where.len) == 0 &&
	        memcmp(first->at, last.where.bytes, bytes_len) == 0) {
		record_piece(r, &last.where.piece);
		return;
	}
	write_where(v, r);
	memcpy(last.where.len, len, sizeof last.where.len);
	memcpy(last.where.bytes, first->at, bytes_len);
	last.where.bytes_len = record_keep(r, from, &last.where.piece) ? bytes_len : 0;
}

static void put_tls(const struct view *v, struct record *r)
{
	if (v->part[PART_TLS_VERSION].len == 0)
		return;
	put_part(v, r, ACCESS_tls_version, PART_TLS_VERSION);
	put_part(v, r, ACCESS_tls_cipher, PART_TLS_CIPHER);
	put_part(v, r, ACCESS_tls_server_name, PART_TLS_SERVER_NAME);
	put_part(v, r, ACCESS_tls_client_subject, PART_TLS_SUBJECT);
	put_part(v, r, ACCESS_tls_client_issuer, PART_TLS_ISSUER);
	put_part(v, r, ACCESS_tls_client_fingerprint, PART_TLS_FINGERPRINT);
}

static void put_who(const struct view *v, struct record *r)
{
	if (is_wanted(v, ACCESS_id))
		record_id(r, &keys[ACCESS_id], v->e->id);
	put_part(v, r, ACCESS_request, PART_REQUEST_ID);
	put_addresses(v, r);
	put_where(v, r);
	put_request(v, r);
	put_tls(v, r);
}

/* Of what was not open, or is not over. */
static void put_times(const struct view *v, struct record *r)
{
	const struct access_entry *e = v->e;
	if (e->status)
		put_num(v, r, ACCESS_status, e->status);
	put_if(v, r, ACCESS_handshake_ms, e->basics.handshake_ms);
	put_if(v, r, ACCESS_connect_ms, e->basics.connect_ms);
	if (e->cause)
		put_num(v, r, ACCESS_duration_ms, e->duration_ms);
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
static void forget(uint64_t fields, uint8_t format)
{
	static const uint64_t others = ROW_BIT(status) | ROW_BIT(handshake_ms) |
	                               ROW_BIT(connect_ms) | ROW_BIT(duration_ms) | ROW_BIT(rtt_ms);
	last.fields = fields;
	last.format = format;
	record_row_init(&last.row, &keys[ROW_FIRST], ROW_N, fields >> ROW_FIRST, ~others);
	last.head.event = NULL;
	last.where.bytes_len = 0;
	last.close.how = 0;
}

/* The fields of both sides follow each other in the same order: this is from one to the other's. */
static unsigned shift_of(unsigned side)
{
	return side == CLIENT ? 0 : ACCESS_text_down - ACCESS_text_up;
}

static void give_both(struct numbers *n, const struct view *v, unsigned side, uint64_t data)
{
	uint64_t texts = v->counts->texts[side], bytes = v->counts->text_bytes[side];
	unsigned shift = shift_of(side);
	give_count(n, ACCESS_text_up + shift, texts);
	give_count(n, ACCESS_text_bytes_up + shift, bytes);
	give_count(n, ACCESS_binary_up + shift, v->e->messages[side] - texts);
	give_count(n, ACCESS_binary_bytes_up + shift, data > bytes ? data - bytes : 0);
}

static void give_data(struct numbers *n, const struct view *v, unsigned side)
{
	const struct access_entry *e = v->e;
	unsigned kind = (unsigned)e->basics.kinds >> 2 * side & ACCESS_BOTH;
	unsigned first = kind == ACCESS_TEXT ? ACCESS_text_up : ACCESS_binary_up;
	unsigned shift = shift_of(side);
	uint64_t control = access_control_bytes(
	        &e->basics, v->counts, e->len[PART_CLIENT_REASON + side], side);
	uint64_t data = e->bytes[side] > control ? e->bytes[side] - control : 0;
	give_count(n, ACCESS_bytes_up + shift, e->bytes[side]);
	if (kind == ACCESS_BOTH && v->counts) {
		give_both(n, v, side, data);
		return;
	}
	give_count(n, first + shift, e->messages[side]);
	give_count(n, first + 1 + shift, data);
}

static void give_counts(struct numbers *n, const struct access_counts *c, unsigned side)
{
	bool is_up = side == CLIENT;
	unsigned shift = shift_of(side);
	give_count(n, ACCESS_ping_up + shift, c->pings[side]);
	give_count(n, ACCESS_ping_bytes_up + shift, c->ping_bytes[side]);
	give_count(n, ACCESS_pong_up + shift, c->pongs[side]);
	give_count(n, ACCESS_pong_bytes_up + shift, c->pong_bytes[side]);
	/* What waits for a side comes from the other. */
	give_count(n, is_up ? ACCESS_queue_peak_down : ACCESS_queue_peak_up, c->queue_peak[side]);
	give_count(n, is_up ? ACCESS_pauses_up : ACCESS_pauses_down, c->pauses[side]);
}

static void put_numbers(const struct view *v, struct record *r)
{
	const struct access_entry *e = v->e;
	struct numbers n;
	n.given = 0; /* what is not given need not be cleared */
	give(&n, ACCESS_status, e->status, true);
	give_if(&n, ACCESS_handshake_ms, e->basics.handshake_ms);
	give_if(&n, ACCESS_connect_ms, e->basics.connect_ms);
	give(&n, ACCESS_duration_ms, e->duration_ms, true);
	for (unsigned side = CLIENT; side <= UPSTREAM; side++) {
		give_data(&n, v, side);
		if (v->counts)
			give_counts(&n, v->counts, side);
	}
	give_count(&n, ACCESS_pings, e->basics.own_pings);
	give_if(&n, ACCESS_rtt_ms, e->basics.rtt_ms);
	record_row(r, &last.row, n.given, n.value);
}

/* ---- its end ---- */

static void put_close(const struct view *v, struct record *r, unsigned side)
{
	if (!v->e->has_closed[side])
		return;
	put_num(v, r, side == CLIENT ? ACCESS_client_code : ACCESS_upstream_code,
	        v->e->close_code[side]);
	put_part(v, r, side == CLIENT ? ACCESS_client_reason : ACCESS_upstream_reason,
	        PART_CLIENT_REASON + side);
}

static void write_close(const struct view *v, struct record *r)
{
	const struct access_entry *e = v->e;
	char words[LOG_ERRNO_MAX];
	put_close(v, r, CLIENT);
	put_close(v, r, UPSTREAM);
	if (e->own_code)
		put_num(v, r, ACCESS_code, e->own_code);
	put_bare(v, r, ACCESS_closed_by, e->closer);
	put_bare(v, r, ACCESS_cause, e->cause);
	put_part(v, r, ACCESS_reason, PART_REASON);
	if (e->error)
		put_slice(v, r, ACCESS_error, slice_str(log_errno_words(e->error, words)));
	if (e->is_cut)
		put_bare(v, r, ACCESS_cut, "mid_frame");
}

/* All there is to tell of a close handshake that needs no words; 0 = there is more. */
static uint64_t how_closed(const struct access_entry *e)
{
	bool has_words = e->len[PART_CLIENT_REASON] | e->len[PART_UPSTREAM_REASON] |
	                 e->len[PART_REASON] | e->error | e->is_cut;
	if (has_words || !e->has_closed[CLIENT] || !e->has_closed[UPSTREAM])
		return 0;
	return UINT64_C(1) << 63 | (uint64_t)e->own_code << 32 |
	       (uint64_t)e->close_code[UPSTREAM] << 16 | e->close_code[CLIENT];
}

static void put_end(const struct view *v, struct record *r)
{
	const struct access_entry *e = v->e;
	uint64_t how = how_closed(e);
	size_t from = r->len;
	if (how != 0 && how == last.close.how && e->closer == last.close.closer &&
	        e->cause == last.close.cause) {
		record_piece(r, &last.close.piece);
		return;
	}
	write_close(v, r);
	if (how == 0)
		return;
	last.close.closer = e->closer;
	last.close.cause = e->cause;
	last.close.how = record_keep(r, from, &last.close.piece) ? how : 0;
}

static void begin(const struct view *v, struct record *r, char *out, size_t max)
{
	const struct access_entry *e = v->e;
	enum record_format format = (enum record_format)e->format;
	const char *event = e->cause ? "end" : "start";
	char time[25];
	if (last.head.event == event && last.head.wall_ms == e->wall_ms) {
		record_begin_as(r, out, max, format, &last.head.piece);
		return;
	}
	clock_iso_of(time, (int64_t)(e->wall_ms / 1000), (uint32_t)(e->wall_ms % 1000));
	record_begin(r, out, max, format,
	        format == RECORD_TEXT || is_wanted(v, ACCESS_time) ? time : NULL,
	        format == RECORD_TEXT || is_wanted(v, ACCESS_event) ? event : NULL);
	last.head.event = record_keep(r, 0, &last.head.piece) ? event : NULL;
	last.head.wall_ms = e->wall_ms;
}

size_t access_record(const void *entry, size_t len, char *out, size_t max)
{
	struct view v;
	struct record r;
	(void)len;
	view(&v, entry);
	if (!last.row.keys || last.fields != v.e->fields || last.format != v.e->format)
		forget(v.e->fields, v.e->format);
	begin(&v, &r, out, max - RECORD_KEY_ROOM);
	put_who(&v, &r);
	if (v.e->was_open)
		put_numbers(&v, &r);
	else
		put_times(&v, &r);
	if (v.e->cause)
		put_end(&v, &r);
	return record_end(&r) ? r.len : 0;
}
