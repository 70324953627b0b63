/* SPDX-License-Identifier: BSD-2-Clause */

/* TLS streams on simulated ones, with OpenSSL at the other end; each test in each version and with
 * each cipher (_i, of `kinds`), as far as they differ. */

#include "base/mem.h"
#include "tls_fixture.h"

#include <errno.h>

static uint8_t *big;

enum { BIG = 300 * 1000 };

/* The first two are the common ones; with the last two OpenSSL protects the records to the end. */
static const struct kind {
	int version;
	const char *cipher;
} kinds[] = {{TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"},
        {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256"}, {TLS1_3_VERSION, "TLS_AES_128_CCM_SHA256"}};
enum { KINDS = sizeof kinds / sizeof kinds[0], OURS = KINDS - 2 };
static void setup(void)
{
	tls_setup();
	big = malloc(BIG);
	for (size_t i = 0; i < BIG; i++)
		big[i] = (uint8_t)(i * 7 + i / 256);
}

static void teardown(void)
{
	tls_teardown();
	free(big);
}

static bool is_1_3(int i)
{
	return kinds[i].version == TLS1_3_VERSION;
}

static void limit_version(int i)
{
	set_version(kinds[i].version);
	ck_assert(is_1_3(i) ? SSL_set_ciphersuites(peer.ssl, kinds[i].cipher)
	                    : SSL_set_cipher_list(peer.ssl, kinds[i].cipher));
}

static void is_of_kind(int i)
{
	struct tls_info info;
	ck_assert(tls_describe(far, &info));
	ck_assert_str_eq(info.cipher, kinds[i].cipher);
	ck_assert_str_eq(info.version, is_1_3(i) ? "TLSv1.3" : "TLSv1.2");
}

/* The stream is a server's, and secured. */
static void open_server(int i)
{
	peer = peer_new(false, NULL);
	limit_version(i);
	ck_assert(tls_accept(far, server, SLICE("")));
	shake_hands(&peer, far, w, SIZE_MAX);
	ck_assert_uint_eq(tap.connects, 1);
	ck_assert(!stream_is_connecting(far));
	is_of_kind(i);
}

static void open_client(int i)
{
	peer = peer_new(true, &id);
	limit_version(i);
	ck_assert(tls_connect(far, client, "localhost", "key"));
	shake_hands(&peer, far, w, SIZE_MAX);
	ck_assert_uint_eq(tap.connects, 1);
}

static void forget(void)
{
	tap.len = 0;
	tap.datas = 0;
}

static void gets(const void *at, size_t len)
{
	ck_assert_uint_eq(tap.len, len);
	if (len > 0)
		ck_assert_mem_eq(tap.bytes, at, len);
}

static void peer_gets(const void *at, size_t len)
{
	uint8_t *buf = malloc(len + 1);
	ck_assert_uint_eq(peer_read(&peer, far, buf, len + 1), len);
	if (len > 0)
		ck_assert_mem_eq(buf, at, len);
	free(buf);
}

/* ---- traffic ---- */

START_TEST(handshake_in_pieces)
{
	for (size_t step = 1; step < 8; step++) {
		replace_stream();
		peer = peer_new(false, NULL);
		limit_version(_i);
		ck_assert(tls_accept(far, server, SLICE("")));
		shake_hands(&peer, far, w, step);
		ck_assert_uint_eq(tap.connects, 1);
		ck_assert(SSL_is_init_finished(peer.ssl));
		peer_write(&peer, "hello", 5);
		while (peer_to_stream(&peer, far, step) > 0)
			;
		gets("hello", 5);
	}
}
END_TEST

START_TEST(every_size_both_ways)
{
	static const size_t sizes[] = {
	        1, 2, 20, 125, 16383, 16384, 16385, 32768, 65535, 65536, BIG};
	open_server(_i);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		forget();
		peer_write(&peer, big, sizes[i]);
		while (peer_to_stream(&peer, far, SIZE_MAX) > 0)
			;
		gets(big, sizes[i]);
		ck_assert(tap_send(&tap, big, sizes[i]));
		peer_gets(big, sizes[i]);
	}
}
END_TEST

/* Three records, cut anywhere. */
START_TEST(every_split_point)
{
	open_server(_i);
	for (size_t at = 1;; at++) {
		forget();
		peer_write(&peer, "first", 5);
		peer_write(&peer, "of", 2);
		peer_write(&peer, "three", 5);
		peer_to_stream(&peer, far, at);
		if (peer_to_stream(&peer, far, SIZE_MAX) == 0)
			break;
		gets("firstofthree", 12);
	}
}
END_TEST

/* What one receive brought is delivered as one. */
START_TEST(one_delivery_for_many_records)
{
	open_server(_i);
	for (int i = 0; i < 100; i++)
		peer_write(&peer, big + 100 * i, 100);
	peer_to_stream(&peer, far, SIZE_MAX);
	ck_assert_uint_eq(tap.datas, 1);
	gets(big, 10000);
}
END_TEST

/* Small pieces share a record, large ones are cut into as few as can be; and a send takes no longer
 * to the peer than its call. */
START_TEST(records_are_few)
{
	size_t overhead = is_1_3(_i)                        ? 5 + 1 + 16
	                  : strstr(kinds[_i].cipher, "GCM") ? 5 + 8 + 16
	                                                    : 5 + 16;
	open_server(_i);
	ck_assert(tap_send(&tap, big, 20));
	ck_assert_uint_eq(sim_sent(far).len, 20 + overhead);
	stream_to_peer(far, &peer);
	struct slice v[3] = {slice_of(big, 10), slice_of(big + 10, 65536), slice_of(big, 10)};
	ck_assert(stream_send(far, v, 3));
	ck_assert_uint_eq(sim_sent(far).len, 65556 + 5 * overhead);
}
END_TEST

START_TEST(a_slow_peer)
{
	open_server(_i);
	stream_set_marks(far, 1000, 500);
	sim_set_window(far, 10);
	ck_assert(tap_send(&tap, big, BIG));
	ck_assert(stream_is_over(far));
	ck_assert_uint_eq(tap.drains, 0);
	uint8_t *buf = malloc(BIG);
	size_t n = 0;
	while (n < BIG) {
		sim_set_window(far, 1000);
		worker_turn(w, 0);
		n += peer_read(&peer, far, buf + n, BIG - n);
	}
	ck_assert_mem_eq(buf, big, BIG);
	ck_assert_uint_ge(tap.drains, 1);
	ck_assert(queue_is_empty(&far->out));
	free(buf);
}
END_TEST

START_TEST(what_is_sent_early_waits)
{
	peer = peer_new(true, &id);
	limit_version(_i);
	ck_assert(tls_connect(far, client, "localhost", "key"));
	ck_assert(tap_send_text(&tap, "GET / HTTP/1.1\r\n"));
	ck_assert(tap_send_text(&tap, "\r\n"));
	ck_assert(tls_has_early(far));
	ck_assert(stream_is_connecting(far));
	shake_hands(&peer, far, w, SIZE_MAX);
	ck_assert(!tls_has_early(far));
	ck_assert_uint_eq(tap.connects, 1);
	peer_gets("GET / HTTP/1.1\r\n\r\n", 18);
}
END_TEST

/* T-10: with the client's Finished comes its first message. */
START_TEST(T_10_data_behind_the_handshake)
{
	peer = peer_new(false, NULL);
	limit_version(_i);
	ck_assert(tls_accept(far, server, SLICE("")));
	tap.answer = "answer";
	SSL_do_handshake(peer.ssl);
	while (!SSL_is_init_finished(peer.ssl)) {
		peer_to_stream(&peer, far, SIZE_MAX);
		stream_to_peer(far, &peer);
		SSL_do_handshake(peer.ssl);
	}
	peer_write(&peer, "first", 5);
	peer_to_stream(&peer, far, SIZE_MAX);
	ck_assert_uint_eq(tap.connects, 1);
	ck_assert_uint_eq(tap.datas, 1);
	gets("first", 5);
	peer_gets("answer", 6);
}
END_TEST

/* ---- pausing ---- */

/* While memory is short deliveries are small, and the owner may pause between them. */
START_TEST(pause_between_deliveries)
{
	open_server(_i);
	peer_write(&peer, big, 60000);
	budget_set(1);
	budget_settle();
	ck_assert(budget_is_short());
	tap.pause_in = TAP_DATA;
	/* What must be kept meanwhile is kept beside the limit. */
	peer_to_stream(&peer, far, STREAM_SHORT_READ);
	budget_set(0);
	budget_settle();
	tap.pause_in = TAP_NONE;
	size_t before = tap.len;
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.len, before);
	stream_resume(far);
	worker_turn(w, 0);
	while (peer_to_stream(&peer, far, SIZE_MAX) > 0)
		;
	gets(big, 60000);
}
END_TEST

/* More than fits one delivery: the beginning of a record was kept, and a whole receive follows. */
START_TEST(pause_with_something_left)
{
	open_server(_i);
	peer_write(&peer, big, BIG);
	peer_to_stream(&peer, far, 16000);
	tap.pause_in = TAP_DATA;
	peer_to_stream(&peer, far, SIZE_MAX);
	ck_assert_uint_eq(tap.datas, 1);
	ck_assert_uint_le(tap.len, WORKER_RX_SIZE);
	size_t before = tap.len;
	for (int i = 0; i < 3; i++)
		worker_turn(w, 0);
	ck_assert_uint_eq(tap.len, before);
	ck_assert(!sim_push(far, "x", 1));
	while (tap.len < BIG) {
		stream_resume(far);
		worker_turn(w, 0);
		if (!stream_is_paused(far))
			peer_to_stream(&peer, far, SIZE_MAX);
	}
	gets(big, BIG);
}
END_TEST

START_TEST(paused_in_each_delivery_to_the_end)
{
	open_server(_i);
	tap.pause_in = TAP_DATA;
	peer_write(&peer, big, 65536);
	SSL_shutdown(peer.ssl);
	peer_to_stream(&peer, far, 16000);
	for (int i = 0; i < 40 && tap.eofs == 0; i++) {
		stream_resume(far);
		worker_turn(w, 0);
		if (!stream_is_paused(far))
			peer_to_stream(&peer, far, SIZE_MAX);
	}
	gets(big, 65536);
	ck_assert_uint_eq(tap.eofs, 1);
	ck_assert(!tls_is_truncated(far));
}
END_TEST

/* ---- ends ---- */

/* C-09, T-14: whatever came with the end is delivered before it. */
START_TEST(C_09_T_14_end_behind_data)
{
	open_server(_i);
	peer_write(&peer, "last", 4);
	SSL_shutdown(peer.ssl);
	peer_to_stream(&peer, far, SIZE_MAX);
	gets("last", 4);
	ck_assert_uint_eq(tap.eofs, 1);
	sim_push_eof(far);
	ck_assert_uint_eq(tap.eofs, 1);
	ck_assert(!tls_is_truncated(far));
	/* The other direction is open still. */
	ck_assert(tap_send_text(&tap, "answer"));
	peer_gets("answer", 6);
}
END_TEST

START_TEST(C_09_T_14_end_while_paused)
{
	open_server(_i);
	tap.pause_in = TAP_DATA;
	peer_write(&peer, "last", 4);
	SSL_shutdown(peer.ssl);
	peer_to_stream(&peer, far, SIZE_MAX);
	sim_push_eof(far);
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.eofs, 0);
	ck_assert(stream_peer_closed(far));
	stream_resume(far);
	worker_turn(w, 0);
	gets("last", 4);
	ck_assert_uint_eq(tap.eofs, 1);
}
END_TEST

START_TEST(T_12_end_without_close_notify)
{
	open_server(_i);
	peer_write(&peer, "last", 4);
	peer_to_stream(&peer, far, SIZE_MAX);
	sim_push_eof(far);
	gets("last", 4);
	ck_assert_uint_eq(tap.eofs, 1);
	ck_assert(tls_is_truncated(far));
}
END_TEST

START_TEST(T_12_end_within_a_record)
{
	open_server(_i);
	peer_write(&peer, "never whole", 11);
	peer_to_stream(&peer, far, 20);
	sim_push_eof(far);
	gets("", 0);
	ck_assert_uint_eq(tap.eofs, 1);
	ck_assert(tls_is_truncated(far));
}
END_TEST

START_TEST(T_12_data_behind_close_notify)
{
	open_server(_i);
	SSL_shutdown(peer.ssl);
	peer_to_stream(&peer, far, SIZE_MAX);
	ck_assert_uint_eq(tap.eofs, 1);
	sim_push(far, "\x17\x03\x03\x00\x05hello", 10);
	gets("", 0);
	ck_assert_uint_eq(tap.errors, 0);
	worker_turn(w, 0);
	ck_assert(list_is_empty(&w->ready));
}
END_TEST

START_TEST(shutdown_says_close_notify)
{
	open_server(_i);
	ck_assert(tap_send_text(&tap, "bye"));
	stream_shutdown(far);
	stream_shutdown(far);
	ck_assert(sim_saw_shutdown(far));
	ck_assert(!tap_send_text(&tap, "too late"));
	peer_gets("bye", 3);
	ck_assert_int_eq(SSL_get_shutdown(peer.ssl), SSL_RECEIVED_SHUTDOWN);
	peer_write(&peer, "heard", 5);
	peer_to_stream(&peer, far, SIZE_MAX);
	gets("heard", 5);
}
END_TEST

START_TEST(shutdown_within_the_handshake)
{
	peer = peer_new(false, NULL);
	limit_version(_i);
	ck_assert(tls_accept(far, server, SLICE("")));
	ck_assert(tap_send_text(&tap, "503"));
	stream_shutdown(far);
	ck_assert(!sim_saw_shutdown(far));
	shake_hands(&peer, far, w, SIZE_MAX);
	ck_assert(sim_saw_shutdown(far));
	peer_gets("503", 3);
	ck_assert_int_eq(SSL_get_shutdown(peer.ssl), SSL_RECEIVED_SHUTDOWN);
}
END_TEST

static void free_tap(bool reset)
{
	stream_free(far, reset);
	tap.stream = NULL;
}

START_TEST(free_says_close_notify)
{
	open_server(_i);
	free_tap(false);
	stream_to_peer(far, &peer);
	char c;
	ck_assert_int_eq(SSL_read(peer.ssl, &c, 1), 0);
	ck_assert_int_eq(SSL_get_shutdown(peer.ssl), SSL_RECEIVED_SHUTDOWN);
}
END_TEST

START_TEST(free_says_nothing)
{
	open_server(_i);
	stream_to_peer(far, &peer);
	if (_i == 0) {
		free_tap(true);
	} else {
		sim_set_window(far, 0);
		ck_assert(tap_send_text(&tap, "stays"));
		free_tap(false);
	}
	ck_assert_uint_eq(sim_sent(far).len, 0);
}
END_TEST

/* T-15: the stream goes in each of its callbacks, and in the middle of the handshake. */
START_TEST(T_15_free_in_every_callback)
{
	peer = peer_new(false, NULL);
	ck_assert(tls_accept(far, server, SLICE("")));
	tap.free_in = (enum tap_call)_i;
	shake_hands(&peer, far, w, SIZE_MAX);
	if (SSL_is_init_finished(peer.ssl)) {
		SSL_write(peer.ssl, "data", 4);
		SSL_shutdown(peer.ssl);
		peer_to_stream(&peer, far, SIZE_MAX);
		sim_push_eof(far);
		sim_push_error(far, ECONNRESET);
	}
	worker_turn(w, 0);
	ERR_clear_error();
}
END_TEST

START_TEST(T_15_free_within_the_handshake)
{
	for (size_t bytes = 0; bytes < 600; bytes++) {
		replace_stream();
		peer = peer_new(false, NULL);
		ck_assert(tls_accept(far, server, SLICE("")));
		SSL_do_handshake(peer.ssl);
		peer_to_stream(&peer, far, bytes);
	}
	ERR_clear_error();
}
END_TEST

START_TEST(a_reset_is_told)
{
	open_server(_i);
	sim_push_error(far, ECONNRESET);
	ck_assert_int_eq(tap.error, ECONNRESET);
	ck_assert_ptr_null(tls_failure(far));
	ck_assert(!tap_send_text(&tap, "x"));
}
END_TEST

START_TEST(a_failing_send_is_told)
{
	open_server(_i);
	sim_fail_sends(far, EPIPE);
	ck_assert(!tap_send_text(&tap, "x"));
	ck_assert_uint_eq(tap.errors, 0);
	worker_turn(w, 0);
	ck_assert_int_eq(tap.error, EPIPE);
}
END_TEST

/* ---- what is wrong ---- */

static void fails_with(const char *words)
{
	worker_turn(w, 0);
	ck_assert_int_eq(tap.error, EPROTO);
	ck_assert_msg(strstr(tls_failure(far), words) != NULL, "%s", tls_failure(far));
	ck_assert(!tap_send_text(&tap, "x"));
	ck_assert_uint_eq(ERR_peek_error(), 0);
}

START_TEST(T_01_random_bytes)
{
	uint8_t junk[1000];
	for (unsigned seed = 0; seed < 200; seed++) {
		replace_stream();
		ck_assert(tls_accept(far, server, SLICE("")));
		for (size_t i = 0; i < sizeof junk; i++)
			junk[i] = (uint8_t)(rand() >> 7);
		junk[0] = seed % 2 ? 0x16 : (uint8_t)(junk[0] | 0x80);
		if (seed % 4 == 1)
			memcpy(junk, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
		sim_push(far, junk, sizeof junk);
		sim_push_eof(far);
		worker_turn(w, 0);
		ck_assert_uint_eq(tap.datas, 0);
		ck_assert_uint_eq(ERR_peek_error(), 0);
		ck_assert_uint_lt(sim_sent(far).len, 100);
	}
}
END_TEST

START_TEST(T_01_hello_cut_anywhere)
{
	for (size_t len = 1; len < 1000; len++) {
		replace_stream();
		peer = peer_new(false, NULL);
		ck_assert(tls_accept(far, server, SLICE("")));
		SSL_do_handshake(peer.ssl);
		if ((size_t)BIO_pending(peer.out) <= len)
			break;
		peer_to_stream(&peer, far, len);
		sim_push_eof(far);
		worker_turn(w, 0);
		ck_assert_uint_eq(tap.eofs, 1);
		ck_assert_uint_eq(tap.connects, 0);
		ck_assert_uint_eq(sim_sent(far).len, 0);
	}
	ERR_clear_error();
}
END_TEST

START_TEST(T_01_record_too_long)
{
	uint8_t *junk = calloc(1, 20000);
	open_server(_i);
	memcpy(junk, "\x17\x03\x03\x48\x00", 5);
	sim_push(far, junk, 20000);
	free(junk);
	fails_with("packet length too long");
}
END_TEST

START_TEST(T_01_empty_records)
{
	static uint8_t hello[10000 * 5];
	ck_assert(tls_accept(far, server, SLICE("")));
	for (size_t i = 0; i < 10000; i++)
		memcpy(hello + 5 * i, "\x16\x03\x01\x00\x00", 5);
	sim_push(far, hello, sizeof hello);
	worker_turn(w, 0);
	ck_assert_int_eq(tap.error, EPROTO);
}
END_TEST

START_TEST(a_changed_record)
{
	open_server(_i);
	peer_write(&peer, "sound", 5);
	peer_to_stream(&peer, far, SIZE_MAX);
	peer_write(&peer, "not", 3);
	char *at;
	long n = BIO_get_mem_data(peer.out, &at);
	at[n - 1] ^= 1;
	peer_to_stream(&peer, far, SIZE_MAX);
	gets("sound", 5);
	fails_with("bad record mac");
	/* The peer is told. */
	ck_assert_uint_gt(stream_to_peer(far, &peer), 0);
}
END_TEST

START_TEST(data_before_a_changed_record)
{
	open_server(_i);
	peer_write(&peer, "sound", 5);
	peer_write(&peer, "not", 3);
	char *at;
	long n = BIO_get_mem_data(peer.out, &at);
	at[n - 1] ^= 1;
	peer_to_stream(&peer, far, SIZE_MAX);
	gets("sound", 5);
	ck_assert_uint_eq(tap.errors, 0);
	fails_with("bad record mac");
}
END_TEST

/* T-04: keys that change once in a while are fine, a flood of it is not. */
START_TEST(T_04_key_updates)
{
	open_server(1);
	for (int i = 0; i < 20; i++) {
		SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED);
		peer_write(&peer, "x", 1);
		peer_to_stream(&peer, far, SIZE_MAX);
	}
	ck_assert_uint_eq(tap.len, 20);
	ck_assert(tap_send_text(&tap, "with new keys"));
	peer_gets("with new keys", 13);
	for (int i = 0; i < 1000; i++) {
		SSL_key_update(
		        peer.ssl, _i ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
		SSL_do_handshake(peer.ssl);
	}
	while (peer_to_stream(&peer, far, SIZE_MAX) > 0)
		;
	ck_assert_uint_lt(sim_sent(far).len, 5000);
	fails_with("too many messages that carry nothing");
}
END_TEST

START_TEST(T_04_renegotiation)
{
	open_server(0);
	SSL_renegotiate(peer.ssl);
	SSL_do_handshake(peer.ssl);
	peer_to_stream(&peer, far, SIZE_MAX);
	worker_turn(w, 0);
	stream_to_peer(far, &peer);
	SSL_do_handshake(peer.ssl);
	ck_assert_int_eq(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
	ERR_clear_error();
}
END_TEST

START_TEST(plain_http)
{
	for (size_t at = 1; at < 16; at++) {
		replace_stream();
		ck_assert(tls_accept(far, server, SLICE("")));
		sim_push(far, "GET / HTTP/1.1\r\n", at);
		ck_assert(!stream_is_tls(far));
		ck_assert(!stream_is_connecting(far));
		if (at < 16)
			sim_push(far, &"GET / HTTP/1.1\r\n"[at], 16 - at);
		gets("GET / HTTP/1.1\r\n", 16);
		ck_assert(tap_send_text(&tap, "400"));
		ck_assert(slice_equal(sim_sent(far), SLICE("400")));
	}
}
END_TEST

START_TEST(plain_http_behind_a_preface)
{
	ck_assert(tap_send_text(&tap, "1"));
	ck_assert(tls_accept(far, server, SLICE("GET / HT")));
	ck_assert(tap_send_text(&tap, "503"));
	stream_shutdown(far);
	gets("", 0);
	worker_turn(w, 0);
	gets("GET / HT", 8);
	ck_assert(slice_equal(sim_sent(far), SLICE("1503")));
	ck_assert(sim_saw_shutdown(far));
}
END_TEST

START_TEST(tls_behind_a_preface)
{
	peer = peer_new(false, NULL);
	limit_version(_i);
	SSL_do_handshake(peer.ssl);
	char *at;
	size_t n = (size_t)BIO_get_mem_data(peer.out, &at);
	/* Its beginning came before, its end comes before that is looked at. */
	ck_assert(tls_accept(far, server, slice_of(at, n / 2)));
	sim_push(far, at + n / 2, n - n / 2);
	BIO_reset(peer.out);
	worker_turn(w, 0);
	shake_hands(&peer, far, w, SIZE_MAX);
	ck_assert_uint_eq(tap.connects, 1);
	peer_write(&peer, "hello", 5);
	peer_to_stream(&peer, far, SIZE_MAX);
	gets("hello", 5);
}
END_TEST

/* ---- as a client ---- */

START_TEST(a_client_sends_and_gets)
{
	open_client(_i);
	ck_assert(tap_send(&tap, big, BIG));
	peer_gets(big, BIG);
	peer_write(&peer, big, BIG);
	while (peer_to_stream(&peer, far, SIZE_MAX) > 0)
		;
	gets(big, BIG);
	ck_assert(slice_equal(tls_server_name(far), SLICE("localhost")));
}
END_TEST

/* The same client and server, on a new connection. */
static void begin_again(int i)
{
	stream_free(far, true);
	tap.stream = NULL;
	tap_free(&tap);
	sim_free(far);
	far = sim_new(w);
	tap_init(&tap, far);
	SSL_CTX *same = peer.context;
	SSL_CTX_up_ref(same);
	peer_free(&peer);
	peer.context = same;
	peer.ssl = SSL_new(same);
	peer.in = BIO_new(BIO_s_mem());
	peer.out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(peer.in, -1);
	SSL_set_bio(peer.ssl, peer.in, peer.out);
	SSL_set_accept_state(peer.ssl);
	limit_version(i);
	ck_assert(tls_connect(far, client, "localhost", "key"));
}

static void connect_again(int i)
{
	begin_again(i);
	shake_hands(&peer, far, w, SIZE_MAX);
}

START_TEST(a_client_goes_on_with_its_session)
{
	struct tls_info info;
	open_client(_i);
	peer_write(&peer, "x", 1); /* with which the ticket of TLS 1.3 is read */
	peer_to_stream(&peer, far, SIZE_MAX);
	ck_assert(tls_describe(far, &info));
	ck_assert(!info.is_resumed);
	connect_again(_i);
	ck_assert(tls_describe(far, &info));
	ck_assert(info.is_resumed);
	ck_assert_str_eq(info.version, is_1_3(_i) ? "TLSv1.3" : "TLSv1.2");
	ck_assert_uint_eq(w->counters.tls_resumed, 1);
}
END_TEST

/* Where OpenSSL protects the records, its session lives as long as the connection. */
START_TEST(what_is_noted_of_a_session_in_use_is_not_kept)
{
	enum { NOTED = 7 };
	open_client(_i);
	SSL_SESSION *own = tls_session(far);
	ck_assert_ptr_nonnull(own);
	peer_write(&peer, "x", 1);
	peer_to_stream(&peer, far, SIZE_MAX);
	SSL_SESSION_set_timeout(own, NOTED);
	SSL_SESSION_free(own);
	connect_again(_i);
	ck_assert_uint_eq(w->counters.tls_resumed, 1);
	own = tls_session(far);
	ck_assert_ptr_nonnull(own);
	ck_assert_int_ne(SSL_SESSION_get_timeout(own), NOTED);
	SSL_SESSION_free(own);
}
END_TEST

static bool goes_on(int i)
{
	struct tls_info info;
	connect_again(i);
	ck_assert(tls_describe(far, &info));
	peer_write(&peer, "x", 1);
	peer_to_stream(&peer, far, SIZE_MAX);
	return info.is_resumed;
}

static void fails_by(int how)
{
	static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, SSL_AD_INTERNAL_ERROR};
	if (how == 0)
		sim_push(far, alert, sizeof alert);
	else if (how == 1)
		sim_push_eof(far);
	else
		stream_fail(far, ECONNRESET);
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.errors, 1);
}

/* A server may fail for nothing but the session that it is offered: that is not offered to it
 * again, and no other one until some time has passed. */
START_TEST(U_12_a_server_that_fails_when_it_is_to_go_on)
{
	worker_set_time(w, w->now_ms + 1);
	open_client(_i);
	peer_write(&peer, "x", 1);
	peer_to_stream(&peer, far, SIZE_MAX);
	for (int how = 0; how < 3; how++) {
		ck_assert(goes_on(_i));
		begin_again(_i);
		ck_assert(!tls_failed_resuming(far));
		fails_by(how);
		ck_assert(tls_failed_resuming(far));
		ck_assert(!goes_on(_i));
		worker_set_time(w, w->now_ms + 59999);
		ck_assert(!goes_on(_i));
		worker_set_time(w, w->now_ms + 1);
		ck_assert(!goes_on(_i));
		ck_assert(goes_on(_i));
	}
}
END_TEST

/* Nothing is wrong with a session when the handshake is not waited for. */
START_TEST(T_15_left_within_the_handshake_that_goes_on)
{
	open_client(_i);
	peer_write(&peer, "x", 1);
	peer_to_stream(&peer, far, SIZE_MAX);
	begin_again(_i);
	ck_assert(goes_on(_i));
}
END_TEST

static void client_fails(const char *name, const struct identity *who, const char *words)
{
	replace_stream();
	peer = peer_new(true, who);
	ck_assert(tls_connect(far, client, name, "other key"));
	ck_assert(tap_send_text(&tap, "secret"));
	shake_hands(&peer, far, w, SIZE_MAX);
	fails_with(words);
	ck_assert_uint_eq(tap.connects, 0);
	char buf[10];
	ck_assert_int_le(SSL_read(peer.ssl, buf, sizeof buf), 0);
	ERR_clear_error();
}

START_TEST(U_13_U_14_U_15_not_the_server)
{
	struct identity stranger = identity_of("EC", "localhost", "DNS:localhost", 86400, NULL);
	struct identity old = identity_of("EC", "old", "DNS:localhost", -10, &id);
	struct identity young = identity_of("EC", "young", "DNS:localhost", 86400L * 400, &id);
	client_fails("example.com", &id, "hostname mismatch (depth 0)");
	client_fails("127.0.0.2", &id, "IP address mismatch (depth 0)");
	client_fails("localhost", &stranger, "self-signed certificate (depth 0)");
	client_fails("localhost", &old, "certificate has expired (depth 0)");
	client_fails("localhost", &young, "certificate is not yet valid (depth 0)");
	identity_free(&stranger);
	identity_free(&old);
	identity_free(&young);
}
END_TEST

START_TEST(whom_a_client_believes)
{
	struct identity stranger = identity_of("EC", "x", "DNS:x", 86400, NULL);
	tls_client_unref(client);
	client = new_client(NULL); /* anybody */
	peer = peer_new(true, &stranger);
	ck_assert(tls_connect(far, client, "localhost", "key"));
	shake_hands(&peer, far, w, SIZE_MAX);
	ck_assert_uint_eq(tap.connects, 1);
	replace_stream();
	tls_client_unref(client);
	client = new_client(&id);
	peer = peer_new(true, &id);
	ck_assert(tls_connect(far, client, "127.0.0.1", "key"));
	shake_hands(&peer, far, w, SIZE_MAX);
	ck_assert_uint_eq(tap.connects, 1);
	ck_assert_uint_eq(tls_server_name(far).len, 0);
	identity_free(&stranger);
}
END_TEST

START_TEST(U_12_plain_text_instead_of_tls)
{
	ck_assert(tls_connect(far, client, "localhost", "key"));
	sim_push(far, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	fails_with("wrong version number");
}
END_TEST

START_TEST(the_end_within_a_clients_handshake)
{
	ck_assert(tls_connect(far, client, "localhost", "key"));
	sim_push_eof(far);
	ck_assert_uint_eq(tap.eofs, 0);
	fails_with("the connection ended within the handshake");
}
END_TEST

/* ---- what is short ---- */

START_TEST(R_06_no_memory)
{
	for (int nth = 1; nth < 12; nth++) {
		char plan[40];
		replace_stream();
		snprintf(plan, sizeof plan, "alloc:%d:ENOMEM", nth);
		peer = peer_new(true, &id);
		fault_plan(plan);
		if (tls_connect(far, client, "localhost", "key")) {
			tap_send_text(&tap, "early");
			sim_set_window(far, 100);
			shake_hands(&peer, far, w, 100);
			sim_set_window(far, SIZE_MAX);
			shake_hands(&peer, far, w, SIZE_MAX);
			ck_assert_uint_eq(tap.connects + tap.errors, 1);
		} else {
			ck_assert(!stream_is_tls(far));
		}
		fault_plan(NULL);
		ERR_clear_error();
	}
}
END_TEST

/* T-11: an error that somebody else left behind is nobody's. */
START_TEST(T_11_a_dirty_queue)
{
	ERR_raise(ERR_LIB_USER, 1);
	open_server(_i);
	ERR_raise(ERR_LIB_USER, 1);
	peer_to_stream(&peer, far, SIZE_MAX);
	ck_assert_int_eq(SSL_write(peer.ssl, "hello", 5), 5);
	ERR_raise(ERR_LIB_USER, 1);
	peer_to_stream(&peer, far, SIZE_MAX);
	gets("hello", 5);
	ERR_raise(ERR_LIB_USER, 1);
	ck_assert(tap_send_text(&tap, "answer"));
	peer_gets("answer", 6);
	ERR_raise(ERR_LIB_USER, 1);
	peer_write(&peer, "more", 4);
	peer_to_stream(&peer, far, 5);
	peer_to_stream(&peer, far, SIZE_MAX);
	ERR_raise(ERR_LIB_USER, 1);
	SSL_shutdown(peer.ssl);
	peer_to_stream(&peer, far, SIZE_MAX);
	gets("hellomore", 9);
	ck_assert_uint_eq(tap.eofs, 1);
	ERR_raise(ERR_LIB_USER, 1);
	stream_shutdown(far);
	ck_assert_uint_eq(tap.errors, 0);
	ERR_clear_error();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/tls");
	TCase *t = tcase_create("tls");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, handshake_in_pieces, 0, KINDS);
	tcase_add_loop_test(t, every_size_both_ways, 0, KINDS);
	tcase_add_loop_test(t, every_split_point, 0, KINDS);
	tcase_add_loop_test(t, one_delivery_for_many_records, 0, KINDS);
	tcase_add_loop_test(t, records_are_few, 0, OURS);
	tcase_add_loop_test(t, a_slow_peer, 0, KINDS);
	tcase_add_loop_test(t, what_is_sent_early_waits, 0, KINDS);
	tcase_add_loop_test(t, T_10_data_behind_the_handshake, 0, KINDS);
	tcase_add_loop_test(t, pause_between_deliveries, 0, KINDS);
	tcase_add_loop_test(t, pause_with_something_left, 0, KINDS);
	tcase_add_loop_test(t, paused_in_each_delivery_to_the_end, 0, KINDS);
	tcase_add_loop_test(t, C_09_T_14_end_behind_data, 0, KINDS);
	tcase_add_loop_test(t, C_09_T_14_end_while_paused, 0, KINDS);
	tcase_add_loop_test(t, T_12_end_without_close_notify, 0, KINDS);
	tcase_add_loop_test(t, T_12_end_within_a_record, 0, KINDS);
	tcase_add_loop_test(t, T_12_data_behind_close_notify, 0, KINDS);
	tcase_add_loop_test(t, shutdown_says_close_notify, 0, KINDS);
	tcase_add_loop_test(t, shutdown_within_the_handshake, 0, KINDS);
	tcase_add_loop_test(t, free_says_close_notify, 0, KINDS);
	tcase_add_loop_test(t, free_says_nothing, 0, 2);
	tcase_add_loop_test(t, T_15_free_in_every_callback, TAP_DATA, TAP_CONNECT + 1);
	tcase_add_test(t, T_15_free_within_the_handshake);
	tcase_add_loop_test(t, a_reset_is_told, 0, KINDS);
	tcase_add_loop_test(t, a_failing_send_is_told, 0, KINDS);
	tcase_add_test(t, T_01_random_bytes);
	tcase_add_test(t, T_01_hello_cut_anywhere);
	tcase_add_loop_test(t, T_01_record_too_long, 0, KINDS);
	tcase_add_test(t, T_01_empty_records);
	tcase_add_loop_test(t, a_changed_record, 0, KINDS);
	tcase_add_loop_test(t, data_before_a_changed_record, 0, KINDS);
	tcase_add_loop_test(t, T_04_key_updates, 0, 2);
	tcase_add_test(t, T_04_renegotiation);
	tcase_add_test(t, plain_http);
	tcase_add_test(t, plain_http_behind_a_preface);
	tcase_add_loop_test(t, tls_behind_a_preface, 0, KINDS);
	tcase_add_loop_test(t, a_client_sends_and_gets, 0, KINDS);
	tcase_add_loop_test(t, a_client_goes_on_with_its_session, 0, KINDS);
	tcase_add_loop_test(t, U_12_a_server_that_fails_when_it_is_to_go_on, 0, KINDS);
	tcase_add_loop_test(t, T_15_left_within_the_handshake_that_goes_on, 0, KINDS);
	tcase_add_loop_test(t, what_is_noted_of_a_session_in_use_is_not_kept, OURS, KINDS);
	tcase_add_test(t, U_13_U_14_U_15_not_the_server);
	tcase_add_test(t, whom_a_client_believes);
	tcase_add_test(t, U_12_plain_text_instead_of_tls);
	tcase_add_test(t, the_end_within_a_clients_handshake);
	tcase_add_test(t, R_06_no_memory);
	tcase_add_loop_test(t, T_11_a_dirty_queue, 0, KINDS);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
