/* SPDX-License-Identifier: BSD-2-Clause */

/* A TLS stream on a simulated one, as a server's (the input's first byte even) or a client's, with
 * OpenSSL at the other end. The second byte: with 1 the handshake is done before the script begins,
 * with 2 that is of TLS 1.2. The rest is the script:
 *
 *   0..63     the far end writes the next 1..64 * 64 bytes of a pattern
 *   64..159   up to so many bytes of what it has made arrive as one receive, in steps that double
 *   160..191  our end sends the next bytes of the pattern
 *   192..     one of the moves in move()
 *
 * Properties: what is delivered is what the far end wrote, a front part of it, in order, and
 * nothing while paused; an end that is no truncation comes behind all of it; what the far end reads
 * is a front part of what was sent; nothing follows an error; OpenSSL's queue of errors is empty,
 * and no memory is left. */

#include "base/mem.h"
#include "net/sim.h"
#include "net/tls_client.h"
#include "net/tls_server.h"
#include "net/tls_stream.h"
#include "net/worker.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PATTERN = 1 << 20, RECEIVE_MAX = 60000 };

#define CHECK(what)              \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

static struct {
	struct worker *worker;
	struct tls_server *server;
	struct tls_client *client;
	SSL_CTX *far_server, *far_client;
	uint8_t *pattern;
} t;

/* One run. */
static struct {
	struct stream *stream, *sim; /* stream: NULL once freed */
	SSL *far;
	size_t written, delivered; /* by the far end; here */
	size_t sent, read;         /* here; by the far end */
	bool has_ended, has_failed, has_closed, is_spoilt;
} r;

/* ---- our end ---- */

static void on_data(struct stream *s, uint8_t *buf, size_t len)
{
	CHECK(s == r.stream && len > 0 && len <= WORKER_RX_SIZE);
	CHECK(!stream_is_paused(s) && !r.has_ended && !r.has_failed);
	if (stream_is_tls(s)) {
		CHECK(len <= r.written - r.delivered);
		CHECK(memcmp(buf, t.pattern + r.delivered, len) == 0);
	}
	r.delivered += stream_is_tls(s) ? len : 0;
	memset(buf - WORKER_RX_HEADROOM, 0xee, WORKER_RX_HEADROOM + len);
}

static void on_end(struct stream *s, enum stream_end end, int error)
{
	(void)error;
	CHECK(s == r.stream && !r.has_failed && !(end == STREAM_EOF && r.has_ended));
	if (end == STREAM_EOF) {
		CHECK(!stream_is_paused(s));
		CHECK(!stream_is_tls(s) || tls_is_truncated(s) || r.is_spoilt ||
		        (r.has_closed && r.delivered == r.written));
		r.has_ended = true;
	} else {
		r.has_failed = true;
	}
}

static void on_drain(struct stream *s)
{
	CHECK(s == r.stream && !r.has_failed);
}

static const struct stream_events events = {
        .on_data = on_data, .on_end = on_end, .on_drain = on_drain};

static void send_some(size_t len)
{
	struct slice v[2] = {slice_of(t.pattern + r.sent, len / 3),
	        slice_of(t.pattern + r.sent + len / 3, len - len / 3)};
	if (r.stream && r.sent + len <= PATTERN && stream_send(r.stream, v, 2))
		r.sent += len;
}

/* ---- the far end ---- */

static void far_listens(void)
{
	uint8_t buf[4096];
	size_t got;
	struct slice v = sim_sent(r.sim);
	if (v.len > 0)
		BIO_write(SSL_get_rbio(r.far), v.at, (int)v.len);
	sim_take(r.sim, v.len);
	if (!SSL_is_init_finished(r.far))
		SSL_do_handshake(r.far);
	while (SSL_is_init_finished(r.far) && SSL_read_ex(r.far, buf, sizeof buf, &got)) {
		CHECK(got <= r.sent - r.read || r.is_spoilt);
		CHECK(r.is_spoilt || memcmp(buf, t.pattern + r.read, got) == 0);
		r.read += got;
	}
	ERR_clear_error();
}

static void far_writes(size_t len)
{
	size_t done;
	if (r.has_closed || r.written + len > PATTERN || !SSL_is_init_finished(r.far))
		return;
	if (SSL_write_ex(r.far, t.pattern + r.written, len, &done))
		r.written += done;
	ERR_clear_error();
}

/* In a buffer of the exact size. */
static size_t arrive(size_t max)
{
	static uint8_t buf[RECEIVE_MAX];
	int n = 0;
	if (r.stream && !stream_is_paused(r.stream))
		n = BIO_read(SSL_get_wbio(r.far), buf, (int)(max < sizeof buf ? max : sizeof buf));
	if (n <= 0)
		return 0;
	uint8_t *copy = malloc((size_t)n);
	memcpy(copy, buf, (size_t)n);
	sim_push(r.sim, copy, (size_t)n);
	free(copy);
	CHECK(ERR_peek_error() == 0);
	return (size_t)n;
}

static void spoil(uint8_t at)
{
	char *bytes;
	long n = BIO_get_mem_data(SSL_get_wbio(r.far), &bytes);
	if (n == 0)
		return;
	bytes[at * n / 256] ^= 0x20;
	r.is_spoilt = true;
}

static void shake_hands(void)
{
	for (int i = 0; i < 6; i++) {
		far_listens();
		while (arrive(RECEIVE_MAX) > 0)
			;
		worker_turn(t.worker, 0);
	}
}

/* ---- moves ---- */

static void end_stream(bool reset)
{
	if (r.stream)
		stream_free(r.stream, reset);
	r.stream = NULL;
}

static void push_junk(const uint8_t **at, const uint8_t *end)
{
	size_t len = (size_t)(end - *at) < 32 ? (size_t)(end - *at) : 32;
	uint8_t *copy = malloc(len + 1);
	memcpy(copy, *at, len);
	r.is_spoilt = true;
	if (r.stream && len > 0)
		sim_push(r.sim, copy, len);
	free(copy);
	*at += len;
}

static void move(uint8_t what, const uint8_t **at, const uint8_t *end)
{
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
		if (!r.has_closed && SSL_is_init_finished(r.far))
			r.has_closed = SSL_shutdown(r.far) >= 0;
		ERR_clear_error();
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
		sim_set_window(r.sim, *at < end ? *(*at)++ * 16u : SIZE_MAX);
		break;
	case 8:
		spoil(*at < end ? *(*at)++ : 0);
		break;
	case 9:
		push_junk(at, end);
		break;
	case 10:
		if (SSL_is_init_finished(r.far) && SSL_version(r.far) == TLS1_3_VERSION)
			SSL_key_update(r.far, what & 16 ? SSL_KEY_UPDATE_REQUESTED
			                                : SSL_KEY_UPDATE_NOT_REQUESTED);
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
	default:
		shake_hands();
	}
}

/* ---- a run ---- */

static void begin(uint8_t role, uint8_t how)
{
	bool is_client = role & 1;
	memset(&r, 0, sizeof r);
	r.stream = r.sim = sim_new(t.worker);
	r.stream->events = &events;
	r.far = SSL_new(is_client ? t.far_server : t.far_client);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(r.far, in, out);
	if (how & 2)
		SSL_set_max_proto_version(r.far, TLS1_2_VERSION);
	if (is_client)
		SSL_set_accept_state(r.far);
	else
		SSL_set_connect_state(r.far);
	CHECK(is_client ? tls_connect(r.stream, t.client, "localhost", "key")
	                : tls_accept(r.stream, t.server, SLICE("")));
	if (how & 1)
		shake_hands();
}

static void finish(void)
{
	end_stream(true);
	worker_turn(t.worker, 0);
	sim_free(r.sim);
	SSL_free(r.far);
	ERR_clear_error();
	CHECK(t.worker->chunks.used == 0);
}

static char *pem_text(BIO *b)
{
	char *at;
	long n = BIO_get_mem_data(b, &at);
	char *text = mem_new((size_t)n + 1);
	memcpy(text, at, (size_t)n);
	BIO_free(b);
	return text;
}

static void make_certificate(X509 **x, EVP_PKEY **key)
{
	*key = EVP_EC_gen("P-256");
	*x = X509_new();
	X509_set_version(*x, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(*x), -86400);
	X509_gmtime_adj(X509_getm_notAfter(*x), 86400L * 365);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(*x), "CN", MBSTRING_ASC,
	        (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(*x, X509_get_subject_name(*x));
	X509_set_pubkey(*x, *key);
	CHECK(X509_sign(*x, *key, EVP_sha256()) > 0);
}

static void start(void)
{
	char why[TLS_WHY_MAX];
	struct tls_settings tls = {TLS_FLOOR_1_2, TLS_CIPHERS, TLS_CIPHERSUITES, TLS_GROUPS};
	X509 *x;
	EVP_PKEY *key;
	make_certificate(&x, &key);
	BIO *b = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(b, x);
	char *chain = pem_text(b);
	b = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
	char *secret = pem_text(b);

	t.worker = worker_new(0);
	t.server = tls_server_new(&(struct tls_server_settings){.tls = tls, .scope = "fuzz"}, why);
	CHECK(tls_server_add(t.server, slice_str(chain), slice_str(secret), why));
	CHECK(tls_server_finish(t.server, why));
	t.client = tls_client_new(
	        &(struct tls_client_settings){.tls = tls, .verify = true, .ca = slice_str(chain)},
	        why);
	t.far_client = SSL_CTX_new(TLS_client_method());
	t.far_server = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(t.far_server, x);
	SSL_CTX_use_PrivateKey(t.far_server, key);
	t.pattern = mem_new(PATTERN);
	for (size_t i = 0; i < PATTERN; i++)
		t.pattern[i] = (uint8_t)(i * 7 + i / 251);
	mem_free(chain);
	mem_free(secret);
	X509_free(x);
	EVP_PKEY_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	if (!t.worker)
		start();
	begin(data[0], data[1]);
	for (const uint8_t *at = data + 2, *end = data + size; at < end;) {
		uint8_t what = *at++;
		if (what < 64)
			far_writes((what + 1u) * 64);
		else if (what < 160)
			arrive((size_t)1 << (what - 64) / 6);
		else if (what < 192)
			send_some((what - 159u) * 100);
		else
			move(what, &at, end);
		CHECK(ERR_peek_error() == 0);
	}
	finish();
	return 0;
}
