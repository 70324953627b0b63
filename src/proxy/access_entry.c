/* SPDX-License-Identifier: BSD-2-Clause */

/* Which sessions get a record in the access log, and what they leave for it. */

#include "proxy/access_entry.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/headers.h"
#include "proxy/note.h"
#include "proxy/session.h"
#include "upstream/group.h"
#include "upstream/state.h"

#include <assert.h>

/* Names of the configuration are shorter; so is what was kept, but for what TLS told. */
enum { PART_MAX = 304 };
_Static_assert((int)PART_MAX >= (int)ACCESS_SERVER_MAX, "no part is cut");

static const struct access_more *more(const struct session *s)
{
	return s->access ? s->access->more : NULL;
}

static const struct access_words *words(const struct session *s)
{
	return more(s) ? more(s)->words : NULL;
}

static const struct tls_info *tls(const struct session *s)
{
	return more(s) && more(s)->tls ? &more(s)->tls->info : NULL;
}

/* ---- its parts ---- */

struct packer {
	struct access_entry *entry;
	uint8_t *end;
};

static void add(struct packer *p, const void *bytes, size_t len)
{
	if (len > 0)
		memcpy(p->end, bytes, len);
	p->end += len;
}

static void add_part(struct packer *p, enum access_part part, struct slice value)
{
	assert(value.len <= UINT16_MAX); /* a certificate with longer names is refused */
	p->entry->len[part] = (uint16_t)value.len;
	add(p, value.at, value.len);
}

static void add_name(struct packer *p, enum access_part part, const char *name)
{
	add_part(p, part, slice_of(name, strnlen(name, PART_MAX)));
}

static void add_request_id(struct packer *p, const struct session *s)
{
	char buf[HEADERS_ID_LEN];
	if (p->entry->fields >> ACCESS_request & 1)
		add_part(p, PART_REQUEST_ID, headers_request_id(s, buf));
}

static void add_peer(struct packer *p, const struct session *s)
{
	struct address_brief peer;
	if (note_peer(s->note, &peer))
		add_part(p, PART_PEER, slice_of(&peer, sizeof peer));
}

static void add_names(struct packer *p, const struct session *s)
{
	const struct access_words *w = words(s);
	add_name(p, PART_LISTENER, s->listener->name);
	if (s->route)
		add_name(p, PART_ROUTE, s->route->name);
	if (s->server)
		add_name(p, PART_UPSTREAM, s->server->group->name);
	else if (s->route && s->route->group)
		add_name(p, PART_UPSTREAM, s->route->group->name);
	if (s->server)
		add_name(p, PART_SERVER, s->server->name);
	else if (w)
		add_name(p, PART_SERVER, w->server);
}

static void keep_names(struct access_where *w, const struct session *s, const struct packer *p,
        const uint8_t *from)
{
	size_t len = (size_t)(p->end - from);
	w->listener = NULL;
	if (len > sizeof w->bytes)
		return;
	w->listener = s->listener;
	w->route = s->route;
	w->server = s->server->serial;
	memcpy(w->len, &p->entry->len[PART_LISTENER], sizeof w->len);
	memcpy(w->bytes, from, len);
	w->bytes_len = (uint16_t)len;
}

/* Mostly they are those of a session before. */
static void add_where(struct packer *p, const struct session *s)
{
	if (!s->route || !s->server) {
		add_names(p, s);
		return;
	}
	struct access_where *w = &s->proxy->access_store->where[s->server->serial % ACCESS_WHERES];
	if (w->listener == s->listener && w->route == s->route && w->server == s->server->serial) {
		memcpy(&p->entry->len[PART_LISTENER], w->len, sizeof w->len);
		add(p, w->bytes, w->bytes_len);
		return;
	}
	const uint8_t *from = p->end;
	add_names(p, s);
	keep_names(w, s, p, from);
}

static void add_tls(struct packer *p, const struct tls_info *t)
{
	add_name(p, PART_TLS_VERSION, t->version);
	add_name(p, PART_TLS_CIPHER, t->cipher);
	add_part(p, PART_TLS_SERVER_NAME, t->server_name);
	add_part(p, PART_TLS_SUBJECT, t->subject);
	add_part(p, PART_TLS_ISSUER, t->issuer);
	add_part(p, PART_TLS_FINGERPRINT, t->fingerprint);
}

static void add_reasons(struct packer *p, const struct session *s)
{
	const struct access_words *w = words(s);
	if (w) {
		add_part(p, PART_CLIENT_REASON, slice_of(w->close[CLIENT], w->close_len[CLIENT]));
		add_part(p, PART_UPSTREAM_REASON,
		        slice_of(w->close[UPSTREAM], w->close_len[UPSTREAM]));
	}
	if (s->cause == CAUSE_PROTOCOL)
		add_name(p, PART_REASON, ws_error_reason((enum ws_error)s->error));
	else if (w)
		add_name(p, PART_REASON, w->reason);
}

/* ---- the entry ---- */

static size_t tls_len(const struct tls_info *t)
{
	return t ? t->server_name.len + t->subject.len + t->issuer.len + t->fingerprint.len : 0;
}

/* What it takes at most. */
static size_t room_for(const struct session *s)
{
	const struct access *a = s->access;
	return sizeof(struct access_entry) + sizeof(struct access_counts) +
	       (a ? access_request_len(&a->basics) : 0) + tls_len(tls(s)) + PART_N * PART_MAX;
}

static uint64_t wall_ms(const struct session *s)
{
	struct access_store *st = s->proxy->access_store;
	if (st->wall_ms == 0 || st->turn_ms != session_clock(s)) {
		st->wall_ms = clock_wall_ms();
		st->turn_ms = session_clock(s);
	}
	return st->wall_ms;
}

/* After the session's start: what the record is about began. */
static uint32_t begun_ms(const struct session *s)
{
	const struct access *a = s->access;
	if (a)
		return a->basics.is_first ? 0 : a->basics.begun_ms;
	bool is_later = session_is_receiving(s) && s->status != 0;
	return is_later ? session_age_at(s, s->data_ms) : 0;
}

static uint32_t duration_of(const struct session *s)
{
	return session_age_ms(s) - begun_ms(s);
}

static void fill_end(struct access_entry *e, const struct session *s)
{
	const struct side *side = s->side;
	bool has_error = s->cause == CAUSE_ERROR || s->cause == CAUSE_REFUSED;
	e->closer = session_closer_name(s);
	e->duration_ms = duration_of(s);
	e->own_code = s->own_code;
	e->error = has_error ? s->error : 0;
	e->is_cut = (side[CLIENT].flags | side[UPSTREAM].flags) & SIDE_CUT;
	for (unsigned i = CLIENT; i <= UPSTREAM; i++) {
		e->bytes[i] = s->bytes[i];
		e->messages[i] = s->messages[i];
		e->close_code[i] = side[i].close_code;
		e->has_closed[i] = side[i].flags & SIDE_CLOSE_RECEIVED;
	}
}

/* Not cleared before: most of it is set. */
static void fill(struct access_entry *e, const struct session *s, const char *cause)
{
	e->fields = s->proxy->access.fields;
	e->format = (uint8_t)s->proxy->access.format;
	e->wall_ms = wall_ms(s);
	e->id = s->id;
	e->cause = cause;
	e->client = s->client;
	e->status = session_status(s);
	e->was_open = cause && s->access && s->status == 101;
	e->has_counts = more(s) != NULL;
	e->basics = s->access ? s->access->basics : (struct access_basics){.begun_ms = 0};
	memset(e->len, 0, sizeof e->len);
	if (cause)
		fill_end(e, s);
}

/* Returns its end. */
static uint8_t *gather(struct access_entry *e, const struct session *s, const char *cause)
{
	const struct access *a = s->access;
	struct packer p = {e, e->rest};
	fill(e, s, cause);
	if (e->has_counts)
		add(&p, &more(s)->counts, sizeof more(s)->counts);
	if (a)
		add(&p, a->bytes, access_request_len(&a->basics));
	add_request_id(&p, s);
	add_peer(&p, s);
	add_where(&p, s);
	if (tls(s))
		add_tls(&p, tls(s));
	if (cause)
		add_reasons(&p, s);
	return p.end;
}

/* Most are gathered where they wait for the writer. `cause` NULL: at the start. */
static void write_record(const struct session *s, const char *cause)
{
	size_t max = room_for(s);
	struct access_entry *in_place = log_access_room(max);
	struct access_entry *e = in_place ? in_place : mem_try(max);
	if (!e) {
		log_access_lose();
		return;
	}
	const uint8_t *end = gather(e, s, cause);
	log_access_put(access_record, e, (size_t)(end - (uint8_t *)e));
	if (!in_place)
		mem_free(e);
}

/* ---- whose ---- */

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
