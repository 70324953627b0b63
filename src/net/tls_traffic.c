/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_traffic.h"

#include "base/fault.h"
#include "base/mem.h"
#include "net/tls_private.h"
#include "net/tls_record.h"
#include "net/tls_stream.h"
#include "net/worker.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>

enum {
	PIECES_MAX = 64, /* of a send */
	/* After so many records of ours the keys change: before AES-GCM wears out at 2^24.5
	 * (RFC 8446 5.5). */
	KEY_RECORDS_MAX = 1 << 24,
	IDLE_MAX = 32,                      /* messages a second that carry nothing */
	TICKET_MAX = 4 + 4 + 4 + 3 * 65537, /* of a NewSessionTicket (RFC 8446 4.6.1), generously */
	HELLO_MAX = 64 * 1024,              /* of a ClientHello that is refused */
	MESSAGE_HEAD = 4,
};

/* A message of the handshake protocol that has begun. */
struct message {
	uint8_t head[MESSAGE_HEAD];
	uint8_t have; /* of the head; MESSAGE_HEAD: its body is under way */
	uint8_t last; /* byte of the body so far */
	uint32_t left;
};

/* Of the handshake, sealed: to be sent. */
struct held {
	size_t len;
	uint8_t bytes[];
};

struct tls_traffic {
	const struct tls_suite *suite;
	struct tls_record read, write;
	uint8_t read_secret[TLS_SECRET_MAX], write_secret[TLS_SECRET_MAX];
	struct message message;
	/* The beginning of a record: its head, then, in a buffer of its size, all of it. */
	uint8_t head[TLS_RECORD_HEAD];
	uint16_t have, want; /* want: 0 until the head is whole */
	uint8_t *part;       /* owned; NULL = not needed */
	uint16_t skip;       /* so much of the next record's content was delivered */
	uint16_t data_max;   /* of a record\'s content, either way */
	struct held *held;   /* owned; NULL = nothing */
	struct tls_known known;
	char server_name[]; /* that the client asked for */
};

/* ---- beginning and end ---- */

static void keep_known(struct tls *t, struct tls_traffic *f, const char *name, size_t len)
{
	bool is_asked = t->client && !t->key; /* by scripts */
	if (len > 0)
		memcpy(f->server_name, name, len);
	f->known = (struct tls_known){.version = SSL_get_version(t->ssl),
	        .cipher = SSL_get_cipher_name(t->ssl),
	        .server_name = slice_of(f->server_name, len),
	        .is_resumed = SSL_session_reused(t->ssl),
	        .verifies = SSL_get_verify_mode(t->ssl) & SSL_VERIFY_PEER,
	        .verify_result = SSL_get_verify_result(t->ssl),
	        .session = is_asked ? SSL_get1_session(t->ssl) : NULL};
}

/* Less than usual where a client has asked for it (RFC 6066 4). */
static uint16_t data_max_of(const SSL *ssl)
{
	enum { SMALLEST = 512 };
	uint8_t power = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl));
	/* Newer OpenSSL has other values for none than 0. */
	bool is_asked = power > 0 && power <= TLSEXT_max_fragment_length_4096;
	return (uint16_t)(is_asked ? SMALLEST << (power - 1) : TLS_RECORD_DATA);
}

struct tls_traffic *tls_traffic_new(struct tls *t, const struct tls_traffic_keys *k)
{
	const char *name = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
	size_t len = name ? strlen(name) : 0;
	struct tls_traffic *f = mem_try(sizeof *f + len);
	if (!f)
		return NULL;
	*f = (struct tls_traffic){.suite = k->suite, .data_max = data_max_of(t->ssl)};
	if (!tls_record_init(&f->read, k->suite, &k->read, k->is_1_3, false, k->read_n) ||
	        !tls_record_init(&f->write, k->suite, &k->write, k->is_1_3, true, k->write_n)) {
		tls_traffic_free(f);
		return NULL;
	}
	memcpy(f->read_secret, k->read_secret, sizeof f->read_secret);
	memcpy(f->write_secret, k->write_secret, sizeof f->write_secret);
	keep_known(t, f, name, len);
	return f;
}

void tls_traffic_free(struct tls_traffic *f)
{
	if (!f)
		return;
	tls_record_fini(&f->read);
	tls_record_fini(&f->write);
	OPENSSL_cleanse(f->read_secret, sizeof f->read_secret);
	OPENSSL_cleanse(f->write_secret, sizeof f->write_secret);
	SSL_SESSION_free(f->known.session);
	OPENSSL_free(f->part);
	mem_free(f->held);
	mem_free(f);
}

const struct tls_known *tls_traffic_known(const struct tls_traffic *f)
{
	return &f->known;
}

bool tls_traffic_has_part(const struct tls_traffic *f)
{
	return f->have > 0;
}

bool tls_traffic_has_whole(const struct tls_traffic *f)
{
	return f->part && f->have == f->want;
}

/* ---- sending ---- */

static size_t length_of(const struct slice *v, size_t n)
{
	size_t len = 0;
	for (size_t i = 0; i < n; i++)
		len += v[i].len;
	return len;
}

/* Always false. */
static bool memory_fails(struct tls *t)
{
	tls_error_clear();
	t->flags |= TLS_DEAD;
	stream_fail(t->stream, ENOMEM);
	return false;
}

/* Without memory it goes out at once. In TLS 1.2 the peer waits for it. */
void tls_traffic_hold(struct tls *t)
{
	struct tls_wire *wire = t->wire;
	bool may_wait = t->traffic->read.is_1_3 && wire->out_len > 0;
	struct held *h = may_wait ? mem_try(sizeof *h + wire->out_len) : NULL;
	if (!h)
		return;
	h->len = wire->out_len;
	memcpy(h->bytes, wire->out, h->len);
	wire->out_len = 0;
	t->traffic->held = h;
}

static void put_held(struct tls *t)
{
	struct held *h = t->traffic->held;
	struct tls_wire *wire = t->wire;
	assert(wire->out_len == 0 && h->len <= TLS_WIRE_OUT);
	memcpy(wire->out, h->bytes, h->len);
	wire->out_len = h->len;
	mem_free(h);
	t->traffic->held = NULL;
}

static bool put_record(struct tls *t, uint8_t type, const struct slice *v, size_t n)
{
	struct tls_wire *wire = t->wire;
	struct tls_record *r = &t->traffic->write;
	if (t->traffic->held)
		put_held(t);
	size_t room = TLS_WIRE_OUT - wire->out_len;
	if (length_of(v, n) + tls_record_overhead(r) > room && !tls_wire_flush(t))
		return false;
	size_t len = tls_record_seal(r, type, v, n, wire->out + wire->out_len);
	wire->out_len += len;
	return len > 0 || memory_fails(t);
}

static bool put_bytes(struct tls *t, uint8_t type, const uint8_t *at, size_t len)
{
	struct slice v = slice_of(at, len);
	return put_record(t, type, &v, 1);
}

/* RFC 8446 7.2. */
static bool next_keys(struct tls *t, struct tls_record *r, uint8_t *secret)
{
	const struct tls_suite *s = t->traffic->suite;
	struct tls_key key;
	bool is_done = tls_secret_next(s, secret) && tls_key_of_secret(s, secret, &key) &&
	               tls_record_rekey(r, &key);
	OPENSSL_cleanse(&key, sizeof key);
	return is_done || memory_fails(t);
}

/* RFC 8446 4.6.3. */
static bool say_key_update(struct tls *t)
{
	struct tls_traffic *f = t->traffic;
	static const uint8_t message[] = {
	        SSL3_MT_KEY_UPDATE, 0, 0, 1, SSL_KEY_UPDATE_NOT_REQUESTED};
	return put_bytes(t, SSL3_RT_HANDSHAKE, message, sizeof message) &&
	       next_keys(t, &f->write, f->write_secret);
}

static bool keep_fresh(struct tls *t)
{
	const struct tls_record *r = &t->traffic->write;
	bool is_worn = r->n >= KEY_RECORDS_MAX || fault_next("tls_key");
	return !r->is_1_3 || !is_worn || say_key_update(t);
}

/* Takes pieces of `len` bytes together from the front of v[0..n), which holds as much; returns how
 * many there are. */
static size_t cut(struct slice *v, size_t n, size_t len, struct slice *out)
{
	size_t i = 0;
	for (; len > 0; i++) {
		assert(i < n);
		size_t take = v[i].len < len ? v[i].len : len;
		out[i] = slice_of(v[i].at, take);
		v[i] = slice_of(v[i].at + take, v[i].len - take);
		len -= take;
	}
	return i;
}

static bool send_long(struct tls *t, const struct slice *all, size_t n, size_t len)
{
	struct slice v[PIECES_MAX], piece[PIECES_MAX];
	memcpy(v, all, n * sizeof *v);
	for (size_t first = 0, max = t->traffic->data_max; len > 0;) {
		size_t take = len < max ? len : max;
		while (v[first].len == 0)
			first++;
		size_t used = cut(v + first, n - first, take, piece);
		if (!keep_fresh(t) || !put_record(t, SSL3_RT_APPLICATION_DATA, piece, used))
			return false;
		len -= take;
	}
	return true;
}

bool tls_traffic_send(struct tls *t, const struct slice *v, size_t n)
{
	size_t len = length_of(v, n);
	assert(n <= PIECES_MAX);
	if (len == 0)
		return true;
	if (len > t->traffic->data_max)
		return send_long(t, v, n, len);
	return keep_fresh(t) && put_record(t, SSL3_RT_APPLICATION_DATA, v, n);
}

static bool say_alert(struct tls *t, uint8_t level, uint8_t alert)
{
	uint8_t message[] = {level, alert};
	return put_bytes(t, SSL3_RT_ALERT, message, sizeof message);
}

void tls_traffic_close(struct tls *t)
{
	say_alert(t, SSL3_AL_WARNING, SSL_AD_CLOSE_NOTIFY);
}

/* ---- what is wrong ---- */

/* Always false. */
static bool refuse_for(struct tls *t, uint8_t alert, const char *why)
{
	if (!(t->flags & TLS_SHUT))
		say_alert(t, SSL3_AL_FATAL, alert);
	tls_fail(t, why);
	return false;
}

static bool refuse(struct tls *t, int alert)
{
	static const struct {
		int alert;
		const char *words;
	} all[] = {{SSL_AD_BAD_RECORD_MAC, "decryption failed or bad record mac"},
	        {SSL_AD_RECORD_OVERFLOW, "packet length too long"},
	        {SSL_AD_UNEXPECTED_MESSAGE, "unexpected message"},
	        {SSL_AD_PROTOCOL_VERSION, "wrong version number"},
	        {SSL_AD_DECODE_ERROR, "length mismatch"}, {SSL_AD_ILLEGAL_PARAMETER, "bad value"}};
	const char *words = "protocol error";
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (all[i].alert == alert)
			words = all[i].words;
	return refuse_for(t, (uint8_t)alert, words);
}

/* Something came that carries nothing; not all day. */
static bool bear(struct tls *t)
{
	uint32_t now_s = (uint32_t)(t->stream->worker->now_ms / 1000);
	if (now_s != t->idle_s)
		t->idle_n = 0;
	t->idle_s = now_s;
	if (++t->idle_n <= IDLE_MAX)
		return true;
	return refuse_for(t, SSL_AD_UNEXPECTED_MESSAGE, "too many messages that carry nothing");
}

/* ---- messages of TLS itself; each returns false when nothing more is to be read ---- */

/* RFC 8446 6, RFC 5246 7.2. The words for what the peer says are OpenSSL's, as in a handshake. */
static bool take_alert(struct tls *t, const uint8_t *at, size_t len)
{
	bool is_1_3 = t->traffic->read.is_1_3;
	if (len != 2)
		return refuse(t, SSL_AD_DECODE_ERROR);
	bool is_warning = at[0] == SSL3_AL_WARNING;
	if (at[1] == SSL_AD_CLOSE_NOTIFY && (is_warning || is_1_3)) {
		t->flags |= TLS_CLOSED;
		return false;
	}
	if (is_1_3 ? at[1] == SSL_AD_USER_CANCELLED : is_warning)
		return bear(t);
	if (!is_1_3 && at[0] != SSL3_AL_FATAL)
		return refuse(t, SSL_AD_ILLEGAL_PARAMETER);
	const char *words =
	        ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, SSL_AD_REASON_OFFSET + at[1]));
	tls_fail(t, words ? words : "unknown alert");
	return false;
}

/* What its head says decides whether a message is taken. */
static bool may_begin(const struct tls *t, uint8_t type, uint32_t len)
{
	if (t->traffic->read.is_1_3)
		return (type == SSL3_MT_KEY_UPDATE && len == 1) ||
		       (type == SSL3_MT_NEWSESSION_TICKET && t->client && len <= TICKET_MAX);
	return t->client ? type == SSL3_MT_HELLO_REQUEST && len == 0
	                 : type == SSL3_MT_CLIENT_HELLO && len <= HELLO_MAX;
}

/* Keys change between records, so nothing may be behind it. */
static bool take_key_update(struct tls *t, uint8_t request, bool is_last)
{
	struct tls_traffic *f = t->traffic;
	if (!is_last)
		return refuse(t, SSL_AD_UNEXPECTED_MESSAGE);
	if (request != SSL_KEY_UPDATE_REQUESTED && request != SSL_KEY_UPDATE_NOT_REQUESTED)
		return refuse(t, SSL_AD_ILLEGAL_PARAMETER);
	if (!next_keys(t, &f->read, f->read_secret))
		return false;
	return request == SSL_KEY_UPDATE_NOT_REQUESTED || t->flags & TLS_SHUT || say_key_update(t);
}

static bool take_message(struct tls *t, bool is_last)
{
	const struct message *m = &t->traffic->message;
	if (!bear(t))
		return false;
	switch (m->head[0]) {
	case SSL3_MT_KEY_UPDATE:
		return take_key_update(t, m->last, is_last);
	case SSL3_MT_NEWSESSION_TICKET:
		return true;
	default:
		return t->flags & TLS_SHUT ||
		       say_alert(t, SSL3_AL_WARNING, SSL_AD_NO_RENEGOTIATION);
	}
}

static bool begin_message(struct tls *t)
{
	struct message *m = &t->traffic->message;
	m->left = (uint32_t)m->head[1] << 16 | (uint32_t)m->head[2] << 8 | m->head[3];
	return may_begin(t, m->head[0], m->left) || refuse(t, SSL_AD_UNEXPECTED_MESSAGE);
}

/* Messages may share a record, and go over several. */
static bool take_handshake(struct tls *t, const uint8_t *at, size_t len)
{
	struct message *m = &t->traffic->message;
	if (len == 0)
		return refuse(t, SSL_AD_UNEXPECTED_MESSAGE);
	for (const uint8_t *end = at + len;
	        at < end || (m->have == MESSAGE_HEAD && m->left == 0);) {
		if (m->have < MESSAGE_HEAD) {
			m->head[m->have++] = *at++;
			if (m->have == MESSAGE_HEAD && !begin_message(t))
				return false;
			continue;
		}
		size_t take = (size_t)(end - at) < m->left ? (size_t)(end - at) : m->left;
		at += take;
		m->left -= (uint32_t)take;
		if (take > 0)
			m->last = at[-1];
		if (m->left > 0)
			return true;
		m->have = 0;
		if (!take_message(t, at == end))
			return false;
	}
	return true;
}

/* A record that is not of data. */
static bool take_other(struct tls *t, uint8_t type, const uint8_t *at, size_t len)
{
	if (type == SSL3_RT_HANDSHAKE)
		return take_handshake(t, at, len);
	if (type != SSL3_RT_ALERT || t->traffic->message.have > 0)
		return refuse(t, SSL_AD_UNEXPECTED_MESSAGE);
	return take_alert(t, at, len);
}

/* ---- receiving ---- */

static struct slice after(struct slice s, size_t n)
{
	return slice_of(s.at + n, s.len - n);
}

/* Moves bytes behind those that are kept of a record, until there are `upto`. */
static bool gather(struct tls_traffic *f, uint8_t *to, size_t upto, struct slice *in)
{
	size_t n = upto - f->have < in->len ? upto - f->have : in->len;
	memcpy(to + f->have, in->at, n);
	f->have = (uint16_t)(f->have + n);
	*in = after(*in, n);
	return f->have == upto;
}

/* The head is whole. */
static bool make_part(struct tls *t)
{
	struct tls_traffic *f = t->traffic;
	ssize_t len = tls_record_len(&f->read, f->head);
	if (len < 0)
		return refuse(t, (int)-len);
	f->part = fault_next("alloc") ? NULL : OPENSSL_malloc((size_t)len);
	if (!f->part)
		return memory_fails(t);
	memcpy(f->part, f->head, TLS_RECORD_HEAD);
	f->want = (uint16_t)len;
	return true;
}

/* Goes on with the record that has begun, or begins to keep one. */
static bool next_part(struct tls *t, struct slice *in, struct slice *out)
{
	struct tls_traffic *f = t->traffic;
	if (!f->part && (!gather(f, f->head, TLS_RECORD_HEAD, in) || !make_part(t)))
		return false;
	if (!gather(f, f->part, f->want, in))
		return false;
	*out = slice_of(f->part, f->want);
	return true;
}

/* The next whole record: of *in, where it stays, or of what was kept. What is no whole one is taken
 * from *in and kept. */
static bool next_record(struct tls *t, struct slice *in, struct slice *out)
{
	struct tls_traffic *f = t->traffic;
	if (f->have > 0 || (in->len > 0 && in->len < TLS_RECORD_HEAD))
		return next_part(t, in, out);
	if (in->len == 0)
		return false;
	ssize_t len = tls_record_len(&f->read, in->at);
	if (len < 0)
		return refuse(t, (int)-len);
	if ((size_t)len > in->len)
		return next_part(t, in, out);
	*out = slice_of(in->at, (size_t)len);
	return true;
}

static void drop_record(struct tls_traffic *f, struct slice *in, struct slice record)
{
	if (!f->part) {
		*in = after(*in, record.len);
		return;
	}
	OPENSSL_free(f->part);
	f->part = NULL;
	f->have = f->want = 0;
}

/* Opens a record into `to`. The length of its data; 0 for what is none, -1 when nothing more is to
 * be read. */
static ssize_t open_record(struct tls *t, struct slice record, uint8_t *to)
{
	struct tls_traffic *f = t->traffic;
	uint8_t type = 0;
	ssize_t len = tls_record_open(&f->read, record.at, record.len, to, &type);
	if (len > f->data_max)
		len = -SSL_AD_RECORD_OVERFLOW;
	if (len < 0) {
		tls_error_clear();
		refuse(t, (int)-len);
		return -1;
	}
	if (type != SSL3_RT_APPLICATION_DATA)
		return take_other(t, type, to, (size_t)len) ? 0 : -1;
	if (f->message.have > 0) {
		refuse(t, SSL_AD_UNEXPECTED_MESSAGE);
		return -1;
	}
	return len > 0 || bear(t) ? len : -1;
}

/* There is not room for all of a record: a part of it is given, and the record stays. To open it
 * again costs less than to keep what it held, and happens only while memory is short. */
static struct slice open_a_part(struct tls *t, struct slice *in, struct slice record, size_t max)
{
	struct tls_traffic *f = t->traffic;
	uint8_t *plain = t->wire->plain;
	ssize_t len = open_record(t, record, plain);
	struct slice all = after(slice_of(plain, len < 0 ? 0 : (size_t)len), f->skip);
	if (all.len > max) {
		f->skip = (uint16_t)(f->skip + max);
		tls_record_again(&f->read);
		return slice_of(all.at, max);
	}
	f->skip = 0;
	drop_record(f, in, record);
	return all;
}

struct slice tls_traffic_open(struct tls *t, struct slice *in, size_t max)
{
	struct tls_traffic *f = t->traffic;
	uint8_t *plain = stream_open(t->wire->plain);
	struct slice record;
	size_t n = 0;
	while (next_record(t, in, &record)) {
		size_t room = record.len - tls_record_overhead(&f->read) + 1;
		if (n > 0 && n + room > max)
			break;
		if (room > max || f->skip > 0)
			return open_a_part(t, in, record, max);
		ssize_t len = open_record(t, record, plain + n);
		drop_record(f, in, record);
		if (len < 0)
			break;
		n += (size_t)len;
	}
	return slice_of(plain, n);
}
