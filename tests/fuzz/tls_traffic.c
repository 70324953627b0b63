/* SPDX-License-Identifier: BSD-2-Clause */

/* What comes over a TLS connection that OpenSSL has handed over, from a peer that has the keys and
 * says what it likes. The input's first byte: even for a server's stream, odd for a client's, and
 * with 2 of TLS 1.2. The rest is the script:
 *
 *   0..63     a record with the next 1..64 * 64 bytes of a pattern
 *   64..127   up to so many bytes of what was made arrive as one receive, in steps that double
 *   128..159  our end sends the next bytes of the pattern
 *   160..191  a record of the type and the length (of 32) that the next two bytes say, with the
 *             bytes behind them
 *   192..     one of the moves in move()
 *
 * Properties: what is delivered is a front part of the pattern, nothing of it while paused or
 * behind an error; an end that is no truncation was said; what our end sends opens, in order, and
 * is a front part of what was sent; OpenSSL's queue of errors is empty, and no memory is left. */

#include "base/budget.h"
#include "base/mem.h"
#include "net/sim.h"
#include "net/tls_kdf.h"
#include "net/tls_record.h"
#include "net/tls_stream.h"
#include "net/worker.h"
#include "tls_common.h"

#include <openssl/err.h>

enum { MADE_MAX = 1 << 20, MESSAGE_MAX = 32 };

static struct {
	struct worker *worker;
	struct tls_ends ends;
	uint8_t *made, *content;
} t;

/* One run. */
static struct {
	struct stream *stream, *sim; /* stream: NULL once freed */
	const struct tls_suite *suite;
	struct tls_record write, read;
	uint8_t write_secret[TLS_SECRET_MAX], read_secret[TLS_SECRET_MAX];
	size_t made, arrived;      /* bytes of t.made */
	size_t written, delivered; /* of the pattern, by the far end; here */
	size_t sent, heard;        /* here; by the far end */
	bool is_1_3, has_ended, has_failed, has_closed;
} r;

/* ---- our end ---- */

static void on_data(struct stream *s, uint8_t *buf, size_t len)
{
	CHECK(s == r.stream && len > 0 && len <= WORKER_RX_SIZE);
	CHECK(!stream_is_paused(s) && !r.has_ended && !r.has_failed);
	CHECK(len <= r.written - r.delivered);
	CHECK(memcmp(buf, t.ends.pattern + r.delivered, len) == 0);
	r.delivered += len;
	memset(buf - WORKER_RX_HEADROOM, 0xee, WORKER_RX_HEADROOM + len);
}

static void on_end(struct stream *s, enum stream_end end, int error)
{
	CHECK(s == r.stream && !r.has_failed && !(end == STREAM_EOF && r.has_ended));
	if (end == STREAM_EOF) {
		CHECK(!stream_is_paused(s) && (tls_is_truncated(s) || r.has_closed));
		r.has_ended = true;
		return;
	}
	CHECK(error != EPROTO || tls_failure(s));
	r.has_failed = true;
}

static void on_drain(struct stream *s)
{
	CHECK(s == r.stream && !r.has_failed);
}

static const struct stream_events events = {
        .on_data = on_data, .on_end = on_end, .on_drain = on_drain};

static void send_some(size_t len)
{
	struct slice v[2] = {slice_of(t.ends.pattern + r.sent, len / 3),
	        slice_of(t.ends.pattern + r.sent + len / 3, len - len / 3)};
	if (r.stream && r.sent + len <= PATTERN && stream_send(r.stream, v, 2))
		r.sent += len;
}

/* ---- the far end ---- */

static void new_keys(struct tls_record *record, uint8_t *secret)
{
	struct tls_key key;
	CHECK(tls_secret_next(r.suite, secret) && tls_key_of_secret(r.suite, secret, &key));
	CHECK(tls_record_rekey(record, &key));
}

static void hear(uint8_t type, size_t len)
{
	if (type == SSL3_RT_APPLICATION_DATA) {
		CHECK(len > 0 && len <= r.sent - r.heard);
		CHECK(memcmp(t.content, t.ends.pattern + r.heard, len) == 0);
		r.heard += len;
	} else if (type == SSL3_RT_HANDSHAKE) {
		CHECK(r.is_1_3 && len == 5 && memcmp(t.content, "\x18\0\0\1\0", 5) == 0);
		new_keys(&r.read, r.read_secret);
	} else {
		CHECK(type == SSL3_RT_ALERT && len == 2);
	}
}

static void far_listens(void)
{
	struct slice v = sim_sent(r.sim);
	size_t at = 0;
	while (v.len - at >= TLS_RECORD_HEAD) {
		ssize_t len = tls_record_len(&r.read, v.at + at);
		CHECK(len > 0);
		if ((size_t)len > v.len - at)
			break;
		uint8_t type = 0;
		ssize_t n = tls_record_open(&r.read, v.at + at, (size_t)len, t.content, &type);
		CHECK(n >= 0);
		at += (size_t)len;
		hear(type, (size_t)n);
	}
	sim_take(r.sim, at);
}

static void far_says(uint8_t type, const void *at, size_t len)
{
	struct slice v = slice_of(at, len);
	if (r.made + TLS_RECORD_MAX <= MADE_MAX)
		r.made += tls_record_seal(&r.write, type, &v, 1, t.made + r.made);
}

static void far_writes(size_t len)
{
	if (r.written + len > PATTERN || r.made + TLS_RECORD_MAX > MADE_MAX)
		return;
	far_says(SSL3_RT_APPLICATION_DATA, t.ends.pattern + r.written, len);
	r.written += len;
}

/* Anything but the pattern out of its turn, which only a broken peer would send as data. */
static void far_says_something(const uint8_t **at, const uint8_t *end)
{
	if (end - *at < 2)
		return;
	uint8_t type = (*at)[0];
	size_t len = (*at)[1] % MESSAGE_MAX;
	*at += 2;
	len = len < (size_t)(end - *at) ? len : (size_t)(end - *at);
	if (type == SSL3_RT_APPLICATION_DATA)
		len = 0;
	if (type == SSL3_RT_ALERT)
		r.has_closed = true;
	far_says(type, *at, len);
	*at += len;
}

/* In a buffer of the exact size. */
static void arrive(size_t max)
{
	size_t n = r.made - r.arrived < max ? r.made - r.arrived : max;
	n = n < RECEIVE_MAX ? n : RECEIVE_MAX;
	if (!r.stream || stream_is_paused(r.stream) || n == 0)
		return;
	uint8_t *copy = malloc(n);
	memcpy(copy, t.made + r.arrived, n);
	r.arrived += n;
	sim_push(r.sim, copy, n);
	free(copy);
	CHECK(ERR_peek_error() == 0);
}

/* ---- moves ---- */

static void end_stream(bool reset)
{
	if (r.stream)
		stream_free(r.stream, reset);
	r.stream = NULL;
}

static void be_short(bool is_short)
{
	budget_set(is_short);
	budget_settle();
}

static void move(uint8_t what, const uint8_t **at, const uint8_t *end)
{
	static const uint8_t key_update[] = {
	        SSL3_MT_KEY_UPDATE, 0, 0, 1, 0, SSL3_MT_KEY_UPDATE, 0, 0, 1, 1};
	uint8_t next = *at < end ? **at : 0;
	switch (what % 16) {
	case 0:
		if (r.stream)
			stream_pause(r.stream);
		break;
	case 1:
		if (r.stream)
			stream_resume(r.stream);
		break;
	case 2:
	case 3:
		worker_turn(t.worker, 0);
		break;
	case 4:
		far_says(SSL3_RT_ALERT, "\1", 2);
		r.has_closed = true;
		break;
	case 5:
		if (r.stream)
			sim_push_eof(r.sim);
		break;
	case 6:
		if (r.stream)
			stream_shutdown(r.stream);
		break;
	case 7:
		sim_set_window(r.sim, next * 16u);
		break;
	case 8: /* a bit of what was made */
		if (r.made > r.arrived)
			t.made[r.arrived + next * (r.made - r.arrived) / 256] ^= 0x20;
		break;
	case 9: /* a byte that was not made */
		if (r.made < MADE_MAX)
			t.made[r.made++] = next;
		break;
	case 10:
		far_says(SSL3_RT_HANDSHAKE, key_update + (what & 16 ? 5 : 0), 5);
		if (r.is_1_3)
			new_keys(&r.write, r.write_secret);
		break;
	case 11:
		far_listens();
		break;
	case 12:
		end_stream(what & 16);
		break;
	case 13:
		if (r.stream)
			sim_push_error(r.sim, what & 16 ? 104 : 32);
		break;
	case 14:
		be_short(what & 16);
		break;
	default:
		sim_set_window(r.sim, SIZE_MAX);
		worker_set_time(t.worker, t.worker->now_ms + next * 100u);
	}
}

/* ---- a run ---- */

/* Of the far end's handshake, which goes by the same derivation. */
static struct {
	uint8_t client[TLS_SECRET_MAX], server[TLS_SECRET_MAX];
} secrets;

static void on_secret(
        void *arg, const uint8_t *label, size_t label_len, const uint8_t *secret, size_t len)
{
	(void)arg;
	if (label_len == 12 && memcmp(label, "c ap traffic", 12) == 0)
		memcpy(secrets.client, secret, len);
	if (label_len == 12 && memcmp(label, "s ap traffic", 12) == 0)
		memcpy(secrets.server, secret, len);
}

static void shake_hands(SSL *far)
{
	BIO *in = SSL_get_rbio(far), *out = SSL_get_wbio(far);
	for (int i = 0; i < 6; i++) {
		struct slice v = sim_sent(r.sim);
		if (v.len > 0)
			BIO_write(in, v.at, (int)v.len);
		sim_take(r.sim, v.len);
		tls_kdf_watch(on_secret, NULL);
		SSL_do_handshake(far);
		tls_kdf_watch(NULL, NULL);
		int n = BIO_read(out, t.made, MADE_MAX);
		if (n > 0)
			sim_push(r.sim, t.made, (size_t)n);
	}
	ERR_clear_error();
	CHECK(SSL_is_init_finished(far) && !stream_is_connecting(r.stream));
}

/* A client hands over with the first data. */
static void begin_data(SSL *far)
{
	size_t done;
	CHECK(SSL_write_ex(far, t.ends.pattern, 1, &done));
	r.written = 1;
	int n = BIO_read(SSL_get_wbio(far), t.made, MADE_MAX);
	sim_push(r.sim, t.made, (size_t)n);
	CHECK(r.delivered == 1);
}

static void take_over(SSL *far, bool is_client)
{
	struct tls_key of_client, of_server;
	r.suite = tls_suite_of(SSL_get_current_cipher(far));
	if (r.is_1_3) {
		CHECK(tls_key_of_secret(r.suite, secrets.client, &of_client));
		CHECK(tls_key_of_secret(r.suite, secrets.server, &of_server));
	} else {
		CHECK(tls_keys_of_master(r.suite, far, &of_client, &of_server));
	}
	memcpy(r.write_secret, is_client ? secrets.server : secrets.client, TLS_SECRET_MAX);
	memcpy(r.read_secret, is_client ? secrets.client : secrets.server, TLS_SECRET_MAX);
	uint64_t write_n = is_client ? (r.is_1_3 ? 3 : 2) : (r.is_1_3 ? 0 : 1);
	uint64_t read_n = r.is_1_3 && is_client ? 0 : 1;
	CHECK(tls_record_init(
	        &r.write, r.suite, is_client ? &of_server : &of_client, r.is_1_3, true, write_n));
	CHECK(tls_record_init(
	        &r.read, r.suite, is_client ? &of_client : &of_server, r.is_1_3, false, read_n));
}

static void begin(uint8_t role)
{
	bool is_client = role & 1;
	memset(&r, 0, sizeof r);
	r.is_1_3 = !(role & 2);
	r.stream = r.sim = sim_new(t.worker);
	r.stream->events = &events;
	SSL *far = tls_ends_far(&t.ends, is_client);
	SSL_set_max_proto_version(far, r.is_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
	CHECK(is_client ? tls_connect(r.stream, t.ends.client, "localhost", "key")
	                : tls_accept(r.stream, t.ends.server, SLICE("")));
	shake_hands(far);
	if (is_client)
		begin_data(far);
	take_over(far, is_client);
	SSL_free(far);
}

static void finish(void)
{
	far_listens();
	end_stream(true);
	worker_turn(t.worker, 0);
	sim_free(r.sim);
	tls_record_fini(&r.write);
	tls_record_fini(&r.read);
	be_short(false);
	CHECK(t.worker->chunks.used == 0);
}

static void start(void)
{
	t.worker = worker_new(0);
	tls_ends_init(&t.ends, tls_kdf_properties());
	t.made = mem_new(MADE_MAX + TLS_RECORD_MAX);
	t.content = mem_new(TLS_RECORD_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (!t.worker)
		start();
	begin(data[0]);
	for (const uint8_t *at = data + 1, *end = data + size; at < end;) {
		uint8_t what = *at++;
		if (what < 64)
			far_writes((what + 1u) * 64);
		else if (what < 128)
			arrive((size_t)1 << (what - 64) / 4);
		else if (what < 160)
			send_some((what - 127u) * 100);
		else if (what < 192)
			far_says_something(&at, end);
		else
			move(what, &at, end);
		CHECK(ERR_peek_error() == 0);
	}
	finish();
	return 0;
}
