/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/access.h"

#include "base/mem.h"
#include "http/head.h"
#include "proxy/access_entry.h"
#include "proxy/opening.h"
#include "proxy/session.h"
#include "upstream/state.h"

#include <stdio.h>

enum { SLAB = 32 * 1024 };
_Static_assert(ACCESS_HOST_MAX < 1 << 9 && HTTP_TARGET_MAX < 1 << 14 &&
                       ACCESS_ORIGIN_MAX < 1 << 10 && HTTP_METHOD_MAX < 1 << 6,
        "lengths fit into their bits");

/* ---- memory ---- */

static size_t pooled_size(unsigned i)
{
	return sizeof(struct access) + 8 * i;
}

struct access_store *access_store_new(void)
{
	struct access_store *st = mem_new(sizeof *st);
	for (unsigned i = 0; i < ACCESS_POOLS; i++)
		pool_init(&st->pool[i], pooled_size(i), SLAB / pooled_size(i));
	return st;
}

void access_store_renew(struct access_store *st)
{
	for (unsigned i = 0; i < ACCESS_WHERES; i++)
		st->where[i].listener = NULL;
}

void access_store_free(struct access_store *st)
{
	for (unsigned i = 0; st && i < ACCESS_POOLS; i++)
		pool_fini(&st->pool[i]);
	mem_free(st);
}

/* The pool for one with so many bytes of a request; NULL = it is too large for them. */
static struct pool *pool_for(const struct session *s, size_t bytes)
{
	size_t i = (bytes + 7) / 8;
	return i < ACCESS_POOLS ? &s->proxy->access_store->pool[i] : NULL;
}

static size_t kept(const struct access *a)
{
	return access_request_len(&a->basics);
}

static void free_more(struct access_more *m)
{
	if (!m)
		return;
	mem_free(m->words);
	mem_free(m->tls);
	mem_free(m);
}

void access_free(struct session *s)
{
	struct access *a = s->access;
	if (!a)
		return;
	struct pool *pool = pool_for(s, kept(a));
	free_more(a->more);
	if (pool)
		pool_put(pool, a);
	else
		mem_free(a);
	s->access = NULL;
}

/* A time as it is kept: one more. */
static uint32_t plus_one(uint64_t ms)
{
	return ms < ACCESS_MS_MAX ? (uint32_t)ms + 1 : ACCESS_MS_MAX;
}

/* What is wanted of a request. */
struct parts {
	struct slice method, host, target, origin;
	bool is_get; /* then the method is empty */
};

static struct access *make(struct session *s, const struct parts *p, uint32_t begun_ms)
{
	size_t bytes = p->method.len + p->host.len + p->target.len + p->origin.len;
	struct pool *pool = pool_for(s, bytes);
	struct access *a = pool ? pool_get(pool) : mem_try(sizeof *a + bytes);
	if (!a)
		return NULL;
	a->more = NULL;
	a->basics = (struct access_basics){.begun_ms = begun_ms,
	        .is_first = s->status == 0,
	        .is_get = p->is_get,
	        .method_len = p->method.len & 0x3f,
	        .host_len = p->host.len & 0x1ff,
	        .target_len = p->target.len & 0x3fff,
	        .origin_len = p->origin.len & 0x3ff};
	s->access = a;
	return a;
}

static struct access_more *more_of(struct access *a)
{
	if (!a->more && (a->more = mem_try(sizeof *a->more)))
		*a->more = (struct access_more){.words = NULL};
	return a->more;
}

static struct access_words *words_of(struct access *a)
{
	struct access_more *m = more_of(a);
	if (!m)
		return NULL;
	if (!m->words && (m->words = mem_try(sizeof *m->words)))
		*m->words = (struct access_words){.reason = ""};
	return m->words;
}

/* ---- the request ---- */

static struct slice front(struct slice v, size_t max)
{
	return slice_of(v.at, v.len < max ? v.len : max);
}

static struct slice if_wanted(const struct session *s, enum access_field f, struct slice v)
{
	return s->proxy->access.fields >> f & 1 ? v : SLICE("");
}

/* Apart: where the compiler knows that there are a few hundred bytes at most, it copies them by an
 * instruction that takes long to begin. */
static __attribute__((noinline)) uint8_t *keep(uint8_t *at, struct slice v)
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
	t->info.certificate = SLICE("");
	t->info.server_name = move(&to, info->server_name);
	t->info.subject = move(&to, info->subject);
	t->info.issuer = move(&to, info->issuer);
	t->info.fingerprint = move(&to, info->fingerprint);
	return t;
}

static void note_tls(struct session *s)
{
	struct tls_info tls;
	if (tls_describe(s->side[CLIENT].ep.stream, &tls) && more_of(s->access))
		s->access->more->tls = copy_tls(&tls);
}

void access_begin(struct session *s, const struct http_head *head)
{
	if (!s->proxy->access.is_on)
		return;
	const struct http_field *f = http_find(head, HTTP_ORIGIN);
	struct slice host = head->authority.len > 0 ? head->authority : head->host,
	             origin = f ? f->value : SLICE("");
	struct parts p = {
	        .is_get = slice_equal(head->method, SLICE("GET")),
	        .host = if_wanted(s, ACCESS_host, front(host, ACCESS_HOST_MAX)),
	        .target = if_wanted(s, ACCESS_target, front(head->target, HTTP_TARGET_MAX)),
	        .origin = if_wanted(s, ACCESS_origin, front(origin, ACCESS_ORIGIN_MAX)),
	};
	if (!p.is_get)
		p.method = if_wanted(s, ACCESS_method, front(head->method, HTTP_METHOD_MAX));
	access_free(s);
	struct access *a = make(s, &p, session_age_ms(s));
	if (!a)
		return;
	keep(keep(keep(keep(a->bytes, p.method), p.host), p.target), p.origin);
	note_tls(s);
}

/* Without its head: either that is not whole, or there was no memory for it. */
static struct access *make_bare(struct session *s)
{
	uint64_t begun_ms = session_is_receiving(s) ? s->data_ms : session_clock(s);
	return make(s, &(struct parts){.is_get = false}, session_age_at(s, begun_ms));
}

void access_refused(struct session *s, const char *reason)
{
	if (!s->proxy->access.is_on || (!s->access && !make_bare(s)))
		return;
	struct access_words *w = words_of(s->access);
	if (w)
		snprintf(w->reason, sizeof w->reason, "%s", reason);
}

void access_answered(struct session *s)
{
	struct access *a = s->access;
	if (a && a->basics.handshake_ms == 0)
		a->basics.handshake_ms =
		        plus_one(session_age_ms(s) - a->basics.begun_ms) & ACCESS_MS_MAX;
}

void access_picked(struct session *s)
{
	if (s->access)
		s->access->basics.connect_ms = 0;
}

void access_connected(struct session *s)
{
	if (s->access)
		s->access->basics.connect_ms =
		        plus_one(session_clock(s) - s->opening->picked_ms) & ACCESS_MS_MAX;
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
		s->access->basics.rtt_ms = plus_one(session_clock(s) - s->ping_ms) & ACCESS_MS_MAX;
}

/* ---- frames ---- */

static void keep_close(struct access *a, unsigned side, const struct ws_run *run)
{
	bool has_code = run->payload_len >= 2;
	a->basics.closes = (a->basics.closes | (has_code ? 3U : 1U) << 2 * side) & 0xf;
	if (run->payload_len <= 2)
		return;
	struct access_words *w = words_of(a);
	if (!w)
		return;
	w->close_len[side] = (uint8_t)(run->payload_len - 2);
	memcpy(w->close[side], run->payload + 2, run->payload_len - 2U);
}

void access_control(struct session *s, unsigned side, const struct ws_run *run)
{
	struct access *a = s->access;
	if (run->control_opcode == WS_CLOSE) {
		keep_close(a, side, run);
		return;
	}
	struct access_more *m = more_of(a);
	if (!m)
		return;
	if (run->control_opcode == WS_PING) {
		m->counts.pings[side]++;
		m->counts.ping_bytes[side] += run->control_len;
	} else {
		m->counts.pongs[side]++;
		m->counts.pong_bytes[side] += run->control_len;
	}
}

/* Header, mask, code and reason of a close frame; those of clients alone are masked. */
static size_t close_bytes(const struct access_basics *b, size_t reason_len, unsigned side)
{
	unsigned bits = (unsigned)b->closes >> 2 * side & 3;
	if (bits == 0)
		return 0;
	return 2 + (side == CLIENT ? 4U : 0U) + (bits == 3 ? 2U : 0U) + reason_len;
}

uint64_t access_control_bytes(const struct access_basics *b, const struct access_counts *counts,
        size_t reason_len, unsigned side)
{
	return close_bytes(b, reason_len, side) +
	       (counts ? (uint64_t)counts->ping_bytes[side] + counts->pong_bytes[side] : 0);
}

static size_t close_len(const struct access *a, unsigned side)
{
	const struct access_words *w = a->more ? a->more->words : NULL;
	return w ? w->close_len[side] : 0;
}

/* The first of the other kind: what came before was all of one. */
static void begin_mix(struct session *s, struct access_more *m, unsigned side, unsigned before,
        const struct access_count *n)
{
	if (before != ACCESS_TEXT)
		return;
	m->counts.texts[side] = s->messages[side] - n->messages;
	m->counts.text_bytes[side] = s->bytes[side] - n->bytes -
	                             access_control_bytes(&s->access->basics, &m->counts,
	                                     close_len(s->access, side), side);
}

void access_mix(struct session *s, unsigned side, unsigned before, const struct access_count *n)
{
	struct access_more *m = more_of(s->access);
	if (!m)
		return;
	if (before != ACCESS_BOTH)
		begin_mix(s, m, side, before, n);
	m->counts.texts[side] += n->texts;
	m->counts.text_bytes[side] += n->text_bytes;
}

void access_piece(struct session *s, const struct ws_piece *piece)
{
	struct access *a = s->access;
	uint32_t message = piece->ends && piece->fin;
	size_t bytes = piece->header_len + piece->len;
	if (piece->starts && piece->opcode != WS_CONTINUATION)
		a->basics.is_text = piece->opcode == WS_TEXT;
	struct access_count n = {.messages = message,
	        .texts = a->basics.is_text ? message : 0,
	        .bytes = bytes,
	        .text_bytes = a->basics.is_text ? bytes : 0};
	access_data(s, a, CLIENT, &n);
}

void access_queued(struct session *s, unsigned side, uint32_t bytes)
{
	struct access_more *m = more_of(s->access);
	if (m && m->counts.queue_peak[side] < bytes)
		m->counts.queue_peak[side] = bytes;
}

void access_paused(struct session *s, unsigned side)
{
	struct access_more *m = more_of(s->access);
	if (m && m->counts.pauses[side] < UINT16_MAX)
		m->counts.pauses[side]++;
}
