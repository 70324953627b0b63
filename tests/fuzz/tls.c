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

#include "net/sim.h"
#include "net/tls_stream.h"
#include "net/worker.h"
#include "tls_common.h"

#include <openssl/err.h>

static struct {
	struct worker *worker;
	struct tls_ends ends;
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
		CHECK(memcmp(buf, t.ends.pattern + r.delivered, len) == 0);
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
	struct slice v[2] = {slice_of(t.ends.pattern + r.sent, len / 3),
	        slice_of(t.ends.pattern + r.sent + len / 3, len - len / 3)};
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
		CHECK(r.is_spoilt || memcmp(buf, t.ends.pattern + r.read, got) == 0);
		r.read += got;
	}
	ERR_clear_error();
}

static void far_writes(size_t len)
{
	size_t done;
	if (r.has_closed || r.written + len > PATTERN || !SSL_is_init_finished(r.far))
		return;
	if (SSL_write_ex(r.far, t.ends.pattern + r.written, len, &done))
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
	r.far = tls_ends_far(&t.ends, is_client);
	if (how & 2)
		SSL_set_max_proto_version(r.far, TLS1_2_VERSION);
	CHECK(is_client ? tls_connect(r.stream, t.ends.client, "localhost", "key")
	                : tls_accept(r.stream, t.ends.server, SLICE("")));
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

static void start(void)
{
	t.worker = worker_new(0);
	tls_ends_init(&t.ends, NULL);
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
