/* SPDX-License-Identifier: BSD-2-Clause */

/* What comes over a TLS connection after its handshake, from a peer that may send what it likes:
 * OpenSSL makes the handshake at the far end, then a forger with its keys takes its place. */

#include "net/tls_private.h"
#include "net/tls_record.h"
#include "tls_fixture.h"

#include <errno.h>

/* The far end. */
static struct {
	const struct tls_suite *suite;
	struct tls_record write, read;
	uint8_t write_secret[TLS_SECRET_MAX], read_secret[TLS_SECRET_MAX];
	uint8_t client_secret[TLS_SECRET_MAX], server_secret[TLS_SECRET_MAX];
} forger;

static void setup(void)
{
	memset(&forger, 0, sizeof forger);
	tls_setup();
	worker_set_time(w, w->now_ms); /* what is limited in a second is so for ever */
}

static void let_forger_go(void)
{
	tls_record_fini(&forger.write);
	tls_record_fini(&forger.read);
}

static void teardown(void)
{
	let_forger_go();
	tls_teardown();
}

static void begin_anew(void)
{
	let_forger_go();
	replace_stream();
}

static void on_secret(const SSL *ssl, const char *line)
{
	(void)ssl;
	uint8_t *to = strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0   ? forger.client_secret
	              : strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) == 0 ? forger.server_secret
	                                                                   : NULL;
	const char *hex = strrchr(line, ' ') + 1;
	for (size_t i = 0; to && hex[2 * i]; i++)
		ck_assert_int_eq(sscanf(hex + 2 * i, "%2hhx", &to[i]), 1);
}

/* `write_n`, `read_n`: records that the peer has written and read since its keys are in use. */
static void forge(uint64_t write_n, uint64_t read_n)
{
	bool is_1_3 = SSL_version(peer.ssl) == TLS1_3_VERSION, is_server = SSL_is_server(peer.ssl);
	struct tls_key of_client, of_server;
	forger.suite = tls_suite_of(SSL_get_current_cipher(peer.ssl));
	memcpy(forger.write_secret, is_server ? forger.server_secret : forger.client_secret, 48);
	memcpy(forger.read_secret, is_server ? forger.client_secret : forger.server_secret, 48);
	if (is_1_3) {
		ck_assert(tls_key_of_secret(forger.suite, forger.client_secret, &of_client));
		ck_assert(tls_key_of_secret(forger.suite, forger.server_secret, &of_server));
	} else {
		ck_assert(tls_keys_of_master(forger.suite, peer.ssl, &of_client, &of_server));
	}
	struct tls_key *write = is_server ? &of_server : &of_client;
	struct tls_key *read = is_server ? &of_client : &of_server;
	ck_assert(tls_record_init(&forger.write, forger.suite, write, is_1_3, true, write_n));
	ck_assert(tls_record_init(&forger.read, forger.suite, read, is_1_3, false, read_n));
}

/* _i: 0 for TLS 1.2, 1 for 1.3. */
static void make_peer(bool is_server, int i)
{
	peer = peer_new(is_server, is_server ? &id : NULL);
	SSL_CTX_set_keylog_callback(peer.context, on_secret);
	set_version(i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
}

/* The stream is a server's. _i: 0 for TLS 1.2, 1 for 1.3. Of 1.3 a ticket goes out first. */
static void open_server(int i)
{
	make_peer(false, i);
	ck_assert(tls_accept(far, server, SLICE("")));
	shake_hands(&peer, far, w, SIZE_MAX);
	ck_assert_uint_eq(tap.connects, 1);
	forge(i == 0 ? 1 : 0, 1);
}

/* A client's; the peer's two tickets of 1.3, and first data, are behind it. */
static void open_client(int i)
{
	make_peer(true, i);
	ck_assert(tls_connect(far, client, "localhost", "key"));
	shake_hands(&peer, far, w, SIZE_MAX);
	peer_write(&peer, "first", 5);
	peer_to_stream(&peer, far, SIZE_MAX);
	ck_assert_uint_eq(tap.len, 5);
	tap.len = 0;
	forge(i == 0 ? 2 : 3, i == 0 ? 1 : 0);
}

/* ---- what the forger sends ---- */

static void push(const void *at, size_t len)
{
	uint8_t *copy = malloc(len + 1);
	memcpy(copy, at, len);
	sim_push(far, copy, len);
	free(copy);
}

static size_t seal(uint8_t type, const void *at, size_t len, uint8_t *out)
{
	struct slice v = slice_of(at, len);
	size_t n = tls_record_seal(&forger.write, type, &v, 1, out);
	ck_assert_uint_gt(n, 0);
	return n;
}

static void says(uint8_t type, const void *at, size_t len)
{
	static uint8_t record[TLS_RECORD_MAX];
	push(record, seal(type, at, len, record));
}

static void says_data(const char *text)
{
	says(23, text, strlen(text));
}

/* ---- what it reads ---- */

/* The next record of what the stream has sent; -1: there is none. */
static ssize_t hears(uint8_t *type, uint8_t content[TLS_RECORD_MAX])
{
	struct slice sent = sim_sent(far);
	if (sent.len < TLS_RECORD_HEAD)
		return -1;
	ssize_t len = tls_record_len(&forger.read, sent.at);
	ck_assert_int_gt(len, 0);
	ck_assert_uint_ge(sent.len, (size_t)len);
	ssize_t n = tls_record_open(&forger.read, sent.at, (size_t)len, content, type);
	ck_assert_int_ge(n, 0);
	sim_take(far, (size_t)len);
	return n;
}

static void hears_this(uint8_t type, const void *at, size_t len)
{
	static uint8_t content[TLS_RECORD_MAX];
	uint8_t got;
	ck_assert_int_eq(hears(&got, content), (ssize_t)len);
	ck_assert_uint_eq(got, type);
	ck_assert_mem_eq(content, at, len);
}

/* In any number of records. */
static void hears_data(const char *text)
{
	static uint8_t content[TLS_RECORD_MAX];
	for (ssize_t n; *text; text += n) {
		uint8_t type;
		n = hears(&type, content);
		ck_assert_int_gt(n, 0);
		ck_assert_uint_eq(type, 23);
		ck_assert_int_eq(strncmp(text, (const char *)content, (size_t)n), 0);
	}
}

static void hears_alert(int level, int alert)
{
	hears_this(21, (uint8_t[]){(uint8_t)level, (uint8_t)alert}, 2);
}

static void hears_nothing(void)
{
	ck_assert_uint_eq(sim_sent(far).len, 0);
}

static void gets(const char *text)
{
	ck_assert_uint_eq(tap.len, strlen(text));
	ck_assert_mem_eq(tap.bytes, text, tap.len);
	tap.len = 0;
}

static void goes_on(void)
{
	tap.len = 0;
	says_data("goes on");
	gets("goes on");
	ck_assert(tap_send_text(&tap, "both ways"));
	hears_this(23, "both ways", 9);
}

static void fails(int alert, const char *words)
{
	worker_turn(w, 0);
	ck_assert_int_eq(tap.error, EPROTO);
	ck_assert_uint_eq(tap.errors, 1);
	ck_assert_msg(strstr(tls_failure(far), words) != NULL, "%s", tls_failure(far));
	if (alert >= 0)
		hears_alert(2, alert);
	hears_nothing();
	ck_assert(!tap_send_text(&tap, "x"));
	ck_assert_uint_eq(ERR_peek_error(), 0);
	ck_assert_uint_eq(w->counters.tls_errors, 1);
	w->counters.tls_errors = 0;
}

static void new_keys(struct tls_record *r, uint8_t *secret)
{
	struct tls_key key;
	ck_assert(tls_secret_next(forger.suite, secret));
	ck_assert(tls_key_of_secret(forger.suite, secret, &key));
	ck_assert(tls_record_rekey(r, &key));
}

/* ---- data ---- */

START_TEST(both_ways)
{
	open_server(_i);
	goes_on();
	begin_anew();
	open_client(_i);
	goes_on();
}
END_TEST

/* Several records, in all possible pieces. */
START_TEST(every_split_point)
{
	static uint8_t bytes[400];
	open_server(_i);
	for (size_t at = 0, n = 1; at <= n; at++) {
		n = seal(23, "one", 3, bytes);
		n += seal(23, "two", 3, bytes + n);
		n += seal(23, "three", 5, bytes + n);
		push(bytes, at);
		if (at < n)
			push(bytes + at, n - at);
		gets("onetwothree");
		ck_assert(stream_is_quiet(far));
	}
	for (size_t step = 1; step < 30; step++) {
		size_t n = seal(23, "one", 3, bytes);
		n += seal(23, "two", 3, bytes + n);
		for (size_t at = 0; at < n; at += step)
			push(bytes + at, step < n - at ? step : n - at);
		gets("onetwo");
	}
}
END_TEST

START_TEST(a_part_is_not_quiet)
{
	static uint8_t bytes[100];
	open_server(_i);
	size_t n = seal(23, "data", 4, bytes);
	for (size_t at = 0; at < n; at++) {
		push(bytes + at, 1);
		ck_assert_int_eq(stream_is_quiet(far), at == n - 1);
	}
	gets("data");
}
END_TEST

/* Neither is one that OpenSSL has begun, of which it may hold no more than the head. */
START_TEST(U_05_a_part_with_openssl_is_not_quiet)
{
	static uint8_t bytes[100];
	make_peer(true, 1);
	SSL_set_num_tickets(peer.ssl, 0);
	ck_assert(tls_connect(far, client, "localhost", "key"));
	shake_hands(&peer, far, w, SIZE_MAX);
	forge(0, 0);
	ck_assert(stream_is_quiet(far));
	size_t n = seal(23, "data", 4, bytes);
	for (size_t at = 0; at < n; at++) {
		push(bytes + at, 1);
		ck_assert_msg(stream_is_quiet(far) == (at == n - 1), "%zu", at + 1);
	}
	gets("data");
	goes_on();
}
END_TEST

/* Nor one with a message of which more has to come, before which OpenSSL sends nothing. */
START_TEST(U_05_a_part_of_a_message_is_not_quiet)
{
	static const uint8_t ticket[] = {4, 0, 0, 14, 0, 0, 1, 0, 1, 2, 3, 4, 0, 0, 1, 9, 0, 0};
	for (size_t at = 4; at < sizeof ticket; at++) {
		begin_anew();
		make_peer(true, 1);
		SSL_set_num_tickets(peer.ssl, 0);
		ck_assert(tls_connect(far, client, "localhost", "key"));
		shake_hands(&peer, far, w, SIZE_MAX);
		forge(0, 0);
		says(22, ticket, at);
		ck_assert_msg(!stream_is_quiet(far), "%zu", at);
		says(22, ticket + at, sizeof ticket - at);
		ck_assert(stream_is_quiet(far));
		goes_on();
	}
}
END_TEST

/* ---- tickets ---- */

/* A client's stream of TLS 1.3, before anything has come behind the server's `n` tickets. */
static void open_waiting(size_t n)
{
	make_peer(true, 1);
	SSL_set_num_tickets(peer.ssl, n);
	ck_assert(tls_connect(far, client, "localhost", "key"));
	shake_hands(&peer, far, w, SIZE_MAX);
	ck_assert_uint_eq(tap.connects, 1);
	forge(n, 0);
}

/* So that one that waits for its use needs nothing of OpenSSL's any more. */
START_TEST(handed_over_behind_tickets)
{
	open_waiting((size_t)_i);
	ck_assert_int_eq(tls_on(far)->traffic != NULL, _i > 0);
	goes_on();
	ck_assert_ptr_nonnull(tls_on(far)->traffic);
	says(22, (uint8_t[]){24, 0, 0, 1, 0}, 5);
	new_keys(&forger.write, forger.write_secret);
	goes_on();
}
END_TEST

/* One that comes in pieces, behind another: OpenSSL may hold bytes of it at any time. */
START_TEST(tickets_cut_everywhere)
{
	static const uint8_t tickets[] = {4, 0, 0, 14, 0, 0, 1, 0, 1, 2, 3, 4, 0, 0, 1, 9, 0,
	        0, /**/
	        4, 0, 0, 14, 0, 0, 1, 0, 1, 2, 3, 4, 0, 0, 1, 8, 0, 0};
	for (size_t at = 1; at < sizeof tickets; at++) {
		begin_anew();
		open_waiting(0);
		says(22, tickets, at);
		says(22, tickets + at, sizeof tickets - at);
		ck_assert(stream_is_quiet(far));
		goes_on();
		begin_anew();
		open_waiting(0);
		for (size_t i = 0; i < sizeof tickets; i += at)
			says(22, tickets + i, at < sizeof tickets - i ? at : sizeof tickets - i);
		goes_on();
	}
}
END_TEST

/* What is sent while a message of a handshake has come in part: OpenSSL would like to read the rest
 * before, so it goes out behind that; ours, at once. Nothing of it is lost. */
static const struct {
	const char *at;
	size_t len;
	bool is_key_update;
} messages[] = {
        {"\x04\0\0\x0e\0\0\1\0\1\2\3\4\0\0\1\x09\0\0", 18, false}, {"\x18\0\0\1\0", 5, true}};

static void open_for_messages(int i)
{
	begin_anew();
	if (i == 0)
		open_waiting(0);
	else
		open_client(1);
}

static void says_rest(size_t i, size_t at)
{
	says(22, messages[i].at + at, messages[i].len - at);
	if (messages[i].is_key_update)
		new_keys(&forger.write, forger.write_secret);
}

START_TEST(T_13_sends_within_a_message)
{
	for (size_t i = 0; i < 2; i++) {
		for (size_t at = 1; at < messages[i].len; at++) {
			open_for_messages(_i);
			says(22, messages[i].at, at);
			ck_assert(tap_send_text(&tap, "one"));
			ck_assert(tap_send_text(&tap, "two"));
			says_rest(i, at);
			ck_assert(tap_send_text(&tap, "three"));
			hears_data("onetwothree");
			goes_on();
		}
	}
}
END_TEST

START_TEST(T_13_shutdown_within_a_message)
{
	for (size_t i = 0; i < 2; i++) {
		for (size_t at = 1; at < messages[i].len; at++) {
			open_for_messages(_i);
			says(22, messages[i].at, at);
			ck_assert(tap_send_text(&tap, "last"));
			stream_shutdown(far);
			says_rest(i, at);
			hears_this(23, "last", 4);
			hears_alert(1, 0);
			ck_assert(sim_saw_shutdown(far));
			says_data("heard");
			gets("heard");
		}
	}
}
END_TEST

/* Nobody waits for ever, and what waits has its end. */
START_TEST(T_13_a_message_without_end)
{
	static uint8_t bytes[100000];
	open_for_messages(0);
	says(22, messages[0].at, 10);
	for (int i = 0; i < 3; i++)
		ck_assert(tap_send(&tap, bytes, sizeof bytes));
	ck_assert(!tap_send(&tap, bytes, sizeof bytes));
	fails(-1, "a message of the peer's has not ended in time");
	ck_assert_uint_eq(w->chunks.used, 0);
	open_for_messages(0);
	says(22, messages[0].at, 10);
	ck_assert(tap_send_text(&tap, "unheard"));
	sim_push_eof(far);
	ck_assert_uint_eq(tap.eofs, 1);
}
END_TEST

/* The owner of what comes first is told before it is handed over, and may do as it likes. */
START_TEST(pause_or_end_with_the_first_data)
{
	static uint8_t bytes[100];
	open_waiting(0);
	tap.pause_in = TAP_DATA;
	size_t n = seal(23, "one", 3, bytes);
	n += seal(23, "two", 3, bytes + n);
	push(bytes, n);
	gets("one");
	tap.pause_in = TAP_NONE;
	stream_resume(far);
	worker_turn(w, 0);
	gets("two");
	goes_on();
	begin_anew();
	open_waiting(0);
	tap.free_in = TAP_DATA;
	says_data("one");
	gets("one");
}
END_TEST

START_TEST(U_22_end_within_a_record)
{
	static uint8_t bytes[100];
	for (size_t at = 1; at < 20; at++) {
		begin_anew();
		open_server(_i);
		seal(23, "data", 4, bytes);
		push(bytes, at);
		sim_push_eof(far);
		worker_turn(w, 0);
		ck_assert_uint_eq(tap.eofs, 1);
		ck_assert_uint_eq(tap.len, 0);
		ck_assert(tls_is_truncated(far));
	}
}
END_TEST

/* While memory is short a record is delivered in parts, between which the owner may pause. */
START_TEST(R_06_parts_of_a_record)
{
	static uint8_t bytes[TLS_RECORD_MAX], data[TLS_RECORD_DATA];
	open_server(_i);
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 3 + i / 256);
	for (int round = 0; round < 3; round++) {
		size_t n = seal(23, data, sizeof data, bytes);
		push(bytes, 100);
		budget_set(1);
		budget_settle();
		tap.datas = 0;
		tap.pause_in = round == 0 ? TAP_NONE : TAP_DATA;
		push(bytes + 100, n - 100);
		for (int i = 0; i < 5; i++) {
			if (round == 2) { /* no longer short, after the first part */
				budget_set(0);
				budget_settle();
			}
			worker_turn(w, 0);
			if (stream_is_paused(far))
				stream_resume(far);
		}
		ck_assert_uint_eq(tap.datas, round == 2 ? 2 : 3);
		ck_assert_uint_eq(tap.len, sizeof data);
		ck_assert_mem_eq(tap.bytes, data, sizeof data);
		tap.len = 0;
		budget_set(0);
		budget_settle();
	}
	tap.pause_in = TAP_NONE;
	stream_resume(far);
	goes_on();
}
END_TEST

/* T-14: what was left of a record goes out with the receive behind it, before the turn for it alone
 * that was asked for: the end is told all the same. */
START_TEST(R_06_the_end_behind_parts_of_a_record)
{
	static uint8_t bytes[TLS_RECORD_MAX], data[TLS_RECORD_DATA];
	open_server(_i & 1);
	size_t n = seal(23, data, sizeof data, bytes);
	push(bytes, 100);
	budget_set(1);
	budget_settle();
	tap.pause_in = TAP_DATA;
	push(bytes + 100, n - 100);
	ck_assert(tap.len > 0 && tap.len < sizeof data);
	budget_set(0);
	budget_settle();
	stream_resume(far);
	far->flags &= (uint16_t)~STREAM_READABLE; /* as a receive does that empties a socket */
	tap.pause_in = TAP_NONE;
	says_data("more");
	ck_assert_uint_eq(tap.len, sizeof data + 4);
	stream_pause(far); /* as another stream's event can have it */
	worker_turn(w, 0);
	stream_resume(far);
	if (_i & 2)
		sim_push_eof(far);
	else
		says(21, "\1\0", 2);
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.eofs, 1);
}
END_TEST

/* RFC 6066 4: a client may ask for short records. */
START_TEST(short_records)
{
	static uint8_t data[5000], content[TLS_RECORD_MAX];
	uint8_t type;
	make_peer(false, _i);
	SSL_set_tlsext_max_fragment_length(peer.ssl, TLSEXT_max_fragment_length_1024);
	ck_assert(tls_accept(far, server, SLICE("")));
	shake_hands(&peer, far, w, SIZE_MAX);
	forge(_i == 0 ? 1 : 0, 1);
	ck_assert(tap_send(&tap, data, sizeof data));
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(hears(&type, content), i < 4 ? 1024 : 5000 - 4096);
	hears_nothing();
	says(23, data, 1024);
	ck_assert_uint_eq(tap.len, 1024);
	says(23, data, 1025);
	fails(SSL_AD_RECORD_OVERFLOW, "packet length too long");
}
END_TEST

/* ---- what is wrong with a record ---- */

START_TEST(T_01_a_forged_record)
{
	static uint8_t bytes[100];
	for (size_t at = 1; at < 23; at++) {
		begin_anew();
		open_server(_i);
		size_t n = seal(23, "sound", 5, bytes);
		n += seal(23, "not so", 6, bytes + n);
		bytes[n - at] ^= 4;
		push(bytes, n);
		gets("sound");
		fails(SSL_AD_BAD_RECORD_MAC, "decryption failed or bad record mac");
	}
}
END_TEST

/* A record that was taken out, or comes twice. */
START_TEST(T_01_records_out_of_order)
{
	static uint8_t bytes[100];
	open_server(_i);
	seal(23, "lost", 4, bytes);
	says_data("next");
	fails(SSL_AD_BAD_RECORD_MAC, "bad record mac");
	begin_anew();
	open_server(_i);
	size_t n = seal(23, "twice", 5, bytes);
	push(bytes, n);
	gets("twice");
	push(bytes, n);
	fails(SSL_AD_BAD_RECORD_MAC, "bad record mac");
	ck_assert_uint_eq(tap.len, 0);
}
END_TEST

START_TEST(T_01_a_record_too_long)
{
	open_server(_i);
	says_data("before");
	push("\x17\x03\x03\x48\x00", 5);
	gets("before");
	fails(SSL_AD_RECORD_OVERFLOW, "packet length too long");
	/* It is known by its head, whichever part of that comes first. */
	begin_anew();
	open_server(_i);
	push("\x17\x03\x03\xff", 4);
	ck_assert_uint_eq(tap.errors, 0);
	push("\xff", 1);
	fails(SSL_AD_RECORD_OVERFLOW, "packet length too long");
}
END_TEST

START_TEST(T_01_a_record_too_short)
{
	open_server(_i);
	push("\x17\x03\x03\x00\x05hello", 10);
	fails(SSL_AD_DECODE_ERROR, "length mismatch");
}
END_TEST

START_TEST(T_01_no_record)
{
	open_server(_i);
	push("GET / HTTP/1.1\r\n\r\n", 18);
	fails(_i ? SSL_AD_UNEXPECTED_MESSAGE : SSL_AD_PROTOCOL_VERSION, "");
}
END_TEST

START_TEST(T_01_unexpected_types)
{
	for (unsigned type = 0; type < 256; type += type == 26 ? 200 : 1) {
		if (type >= 21 && type <= 23)
			continue;
		begin_anew();
		open_server(_i);
		if (_i == 1 && type == 0)
			continue; /* is padding */
		says((uint8_t)type, "x", 1);
		fails(SSL_AD_UNEXPECTED_MESSAGE, "unexpected message");
	}
}
END_TEST

/* In the clear, which was all right in the handshake. */
START_TEST(T_01_a_plain_record)
{
	static const char *const all[] = {"\x14\x03\x03\x00\x01\x01",
	        "\x15\x03\x03\x00\x02\x02\x28", "\x16\x03\x03\x00\x04\x00\x00\x00\x00"};
	for (size_t i = 0; i < 3; i++) {
		begin_anew();
		open_server(_i);
		push(all[i], 5 + (i == 0 ? 1 : i == 1 ? 2 : 4));
		fails(_i ? SSL_AD_UNEXPECTED_MESSAGE : SSL_AD_DECODE_ERROR, "");
	}
}
END_TEST

START_TEST(T_01_empty_records)
{
	open_server(_i);
	for (int i = 0; i < 32; i++)
		says(23, "", 0);
	goes_on();
	says(23, "", 0);
	fails(SSL_AD_UNEXPECTED_MESSAGE, "too many messages that carry nothing");
	ck_assert_uint_eq(tap.len, 0);
}
END_TEST

/* Seldom they are nobody's harm. */
START_TEST(empty_records_now_and_then)
{
	open_server(_i);
	for (int i = 0; i < 200; i++) {
		says(23, "", 0);
		if (i % 30 == 0)
			worker_set_time(w, w->now_ms + 1000);
		worker_turn(w, 0);
	}
	goes_on();
}
END_TEST

/* ---- alerts ---- */

START_TEST(C_09_close_notify_behind_data)
{
	static uint8_t bytes[200];
	for (size_t at = 0; at < 60; at++) {
		begin_anew();
		open_server(_i);
		size_t n = seal(23, "last", 4, bytes);
		n += seal(21, "\x01\x00", 2, bytes + n);
		n += seal(23, "ignored", 7, bytes + n);
		push(bytes, at);
		if (tap.eofs == 0)
			push(bytes + at, n - at);
		gets("last");
		ck_assert_uint_eq(tap.eofs, 1);
		ck_assert(!tls_is_truncated(far));
		/* The other direction is open still. */
		ck_assert(tap_send_text(&tap, "answer"));
		hears_this(23, "answer", 6);
		stream_shutdown(far);
		hears_alert(1, 0);
		hears_nothing();
		ck_assert(sim_saw_shutdown(far));
		ck_assert_uint_eq(tap.errors, 0);
	}
}
END_TEST

START_TEST(fatal_alerts)
{
	static const struct {
		uint8_t alert;
		const char *words;
	} all[] = {{SSL_AD_UNEXPECTED_MESSAGE, "sslv3 alert unexpected message"},
	        {SSL_AD_BAD_RECORD_MAC, "sslv3 alert bad record mac"},
	        {SSL_AD_INTERNAL_ERROR, "tlsv1 alert internal error"}, {123, "unknown alert"}};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		begin_anew();
		open_server(_i);
		says_data("before");
		says(21, (uint8_t[]){2, all[i].alert}, 2);
		gets("before");
		fails(-1, all[i].words);
	}
}
END_TEST

/* TLS 1.3 knows no warnings but these (RFC 8446 6). */
START_TEST(warnings)
{
	open_server(_i);
	says(21, "\x01\x5a", 2); /* user_canceled */
	goes_on();
	says(21, "\x01\x64", 2); /* no_renegotiation */
	if (_i == 1) {
		fails(-1, "no renegotiation");
		return;
	}
	goes_on();
	for (int i = 2; i < 32; i++)
		says(21, "\x01\x5a", 2);
	goes_on();
	says(21, "\x01\x5a", 2);
	fails(SSL_AD_UNEXPECTED_MESSAGE, "too many messages that carry nothing");
}
END_TEST

START_TEST(T_01_bad_alerts)
{
	for (size_t len = 0; len < 5; len++) {
		if (len == 2)
			continue;
		begin_anew();
		open_server(_i);
		says(21, "\x01\x00\x01\x00", len);
		fails(SSL_AD_DECODE_ERROR, "length mismatch");
	}
	begin_anew();
	open_server(0);
	says(21, "\x07\x0a", 2);
	fails(SSL_AD_ILLEGAL_PARAMETER, "bad value");
}
END_TEST

/* ---- messages ---- */

#define KEY_UPDATE     "\x18\x00\x00\x01\x00"
#define KEY_UPDATE_ASK "\x18\x00\x00\x01\x01"

START_TEST(key_updates)
{
	bool is_asked = _i & 1;
	if (_i & 2)
		open_client(1);
	else
		open_server(1);
	for (int i = 0; i < 10; i++) {
		says(22, is_asked ? KEY_UPDATE_ASK : KEY_UPDATE, 5);
		new_keys(&forger.write, forger.write_secret);
		if (is_asked) {
			hears_this(22, KEY_UPDATE, 5);
			new_keys(&forger.read, forger.read_secret);
		}
		goes_on();
	}
}
END_TEST

/* In pieces, over records too, but never beside others, and nothing may share its last record. */
START_TEST(key_updates_in_pieces)
{
	open_server(1);
	for (size_t i = 0; i < 5; i++)
		says(22, &KEY_UPDATE[i], 1);
	new_keys(&forger.write, forger.write_secret);
	goes_on();
	says(22, KEY_UPDATE KEY_UPDATE, 10);
	fails(SSL_AD_UNEXPECTED_MESSAGE, "unexpected message");
	for (size_t i = 1; i < 5; i++) {
		begin_anew();
		open_server(1);
		says(22, KEY_UPDATE, i);
		if (i % 2)
			says_data("between");
		else
			says(21, "\x01\x00", 2);
		fails(SSL_AD_UNEXPECTED_MESSAGE, "unexpected message");
		ck_assert_uint_eq(tap.len, 0);
		ck_assert_uint_eq(tap.eofs, 0);
	}
}
END_TEST

/* The old keys are good for nothing more. */
START_TEST(data_with_old_keys)
{
	open_server(1);
	says(22, KEY_UPDATE, 5);
	says_data("old");
	fails(SSL_AD_BAD_RECORD_MAC, "bad record mac");
}
END_TEST

START_TEST(T_04_key_update_flood)
{
	open_server(1);
	for (int i = 0; i < 1000 && tap.errors == 0; i++) {
		says(22, _i ? KEY_UPDATE_ASK : KEY_UPDATE, 5);
		new_keys(&forger.write, forger.write_secret);
		worker_turn(w, 0);
	}
	for (int i = 0; i < (_i ? 32 : 0); i++) {
		hears_this(22, KEY_UPDATE, 5);
		new_keys(&forger.read, forger.read_secret);
	}
	fails(SSL_AD_UNEXPECTED_MESSAGE, "too many messages that carry nothing");
}
END_TEST

START_TEST(no_answer_after_the_end)
{
	open_server(1);
	stream_shutdown(far);
	hears_alert(1, 0);
	says(22, KEY_UPDATE_ASK, 5);
	new_keys(&forger.write, forger.write_secret);
	says_data("still heard");
	gets("still heard");
	hears_nothing();
	says(22, KEY_UPDATE "\0", 6);
	fails(-1, "unexpected message");
}
END_TEST

/* RFC 8446 5.5: keys of ours do not become too old. */
START_TEST(own_keys_change)
{
	open_server(1);
	fault_plan("tls_key:3:EIO");
	for (int i = 0; i < 6; i++) {
		if (i == 2) {
			ck_assert(tap_send_text(&tap, "text"));
			hears_this(22, KEY_UPDATE, 5);
			new_keys(&forger.read, forger.read_secret);
		} else {
			ck_assert(tap_send_text(&tap, "text"));
		}
		hears_this(23, "text", 4);
	}
	fault_plan(NULL);
	goes_on();
	begin_anew();
	open_server(0); /* there is nothing like it in TLS 1.2 */
	fault_plan("tls_key:1:EIO");
	goes_on();
}
END_TEST

START_TEST(T_01_bad_messages)
{
	static const struct {
		const char *at;
		size_t len;
		int alert;
	} all[] = {{"\x18\x00\x00\x01\x02", 5, SSL_AD_ILLEGAL_PARAMETER},
	        {"\x18\x00\x00\x01\xff", 5, SSL_AD_ILLEGAL_PARAMETER},
	        {"\x18\x00\x00\x00", 4, SSL_AD_UNEXPECTED_MESSAGE},
	        {"\x18\x00\x00\x02\x00\x00", 6, SSL_AD_UNEXPECTED_MESSAGE},
	        {"\x18\x01\x00\x01\x00", 5, SSL_AD_UNEXPECTED_MESSAGE},
	        {"\x04\x00\x00\x01\x00", 5, SSL_AD_UNEXPECTED_MESSAGE}, /* a ticket, to a server */
	        {"\x01\x00\x00\x01\x00", 5, SSL_AD_UNEXPECTED_MESSAGE}, /* ClientHello */
	        {"\x14\x00\x00\x00", 4, SSL_AD_UNEXPECTED_MESSAGE},     /* Finished */
	        {"\x0d\x00\x00\x00", 4, SSL_AD_UNEXPECTED_MESSAGE},     /* CertificateRequest */
	        {"\x05\x00\x00\x00", 4, SSL_AD_UNEXPECTED_MESSAGE},     /* EndOfEarlyData */
	        {"", 0, SSL_AD_UNEXPECTED_MESSAGE}};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		begin_anew();
		open_server(1);
		says(22, all[i].at, all[i].len);
		fails(all[i].alert, "");
	}
}
END_TEST

/* Tickets that come late are of no use to us, and no harm; of any length, over any records. */
START_TEST(late_tickets)
{
	static uint8_t ticket[70000];
	open_client(1);
	memcpy(ticket, "\x04\x01\x11\x6c", 4);
	for (size_t at = 0; at < sizeof ticket; at += 9000)
		says(22, ticket + at, at + 9000 < sizeof ticket ? 9000 : sizeof ticket - at);
	goes_on();
	memcpy(ticket, "\x04\x00\x00\x10", 4);
	memcpy(ticket + 20, "\x04\x00\x00\x10", 4);
	says(22, ticket, 40);
	says(22, ticket, 20);
	goes_on();
	memcpy(ticket, "\x04\xff\xff\xff", 4);
	says(22, ticket, 100);
	fails(SSL_AD_UNEXPECTED_MESSAGE, "unexpected message");
}
END_TEST

START_TEST(T_04_ticket_flood)
{
	open_client(1);
	for (int i = 0; i < 8; i++)
		says(22, "\x04\x00\x00\x00\x04\x00\x00\x00\x04\x00\x00\x00\x04\x00\x00\x00", 16);
	goes_on();
	says(22, "\x04\x00\x00\x00", 4);
	fails(SSL_AD_UNEXPECTED_MESSAGE, "too many messages that carry nothing");
}
END_TEST

/* T-04: refused by a warning, as OpenSSL does, and not often. */
START_TEST(T_04_renegotiation)
{
	static uint8_t hello[1000];
	if (_i)
		open_client(0);
	else
		open_server(0);
	memcpy(hello, "\x01\x00\x03\xe4", 4);
	for (int i = 0; i < 32; i++) {
		if (_i) {
			says(22, "\0\0\0\0", 4);
		} else {
			says(22, hello, 500);
			hears_nothing();
			says(22, hello + 500, 500);
		}
		hears_alert(1, SSL_AD_NO_RENEGOTIATION);
	}
	goes_on();
	says(22, _i ? "\0\0\0\0" : "\1\0\0\0", 4);
	fails(SSL_AD_UNEXPECTED_MESSAGE, "too many messages that carry nothing");
	begin_anew();
	open_server(0);
	says(22, _i ? "\0\0\0\0" : "\1\xff\xff\xff", 4);
	fails(SSL_AD_UNEXPECTED_MESSAGE, "unexpected message");
}
END_TEST

/* ---- handing over ---- */

/* A client waits for the server's tickets, however they and the first data are cut. */
START_TEST(tickets_before_the_first_data)
{
	for (size_t at = 1; at < 600; at += 7) {
		begin_anew();
		make_peer(true, 1);
		ck_assert(tls_connect(far, client, "localhost", "key"));
		while (!SSL_is_init_finished(peer.ssl)) {
			SSL_do_handshake(peer.ssl);
			if (!SSL_is_init_finished(peer.ssl))
				peer_to_stream(&peer, far, SIZE_MAX);
			stream_to_peer(far, &peer);
		}
		ck_assert(tap_send_text(&tap, "request"));
		peer_write(&peer, "one", 3);
		peer_write(&peer, "two", 3);
		peer_to_stream(&peer, far, at);
		while (peer_to_stream(&peer, far, SIZE_MAX) > 0)
			;
		gets("onetwo");
		ck_assert(tap_send_text(&tap, "more"));
		char buf[20];
		ck_assert_uint_eq(peer_read(&peer, far, buf, sizeof buf), 11);
		ck_assert_mem_eq(buf, "requestmore", 11);
		peer_write(&peer, "three", 5);
		peer_to_stream(&peer, far, SIZE_MAX);
		gets("three");
	}
}
END_TEST

/* Keys that change before the first data: OpenSSL goes on. */
START_TEST(a_key_update_before_the_first_data)
{
	char buf[20];
	make_peer(true, 1);
	ck_assert(tls_connect(far, client, "localhost", "key"));
	shake_hands(&peer, far, w, SIZE_MAX);
	SSL_key_update(peer.ssl, _i ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
	for (int i = 0; i < 3; i++) {
		peer_write(&peer, "data", 4);
		peer_to_stream(&peer, far, SIZE_MAX);
		gets("data");
		ck_assert(tap_send_text(&tap, "answer"));
		ck_assert_uint_eq(peer_read(&peer, far, buf, sizeof buf), 6);
	}
	/* And no more than in a handed-over one is borne. */
	for (int i = 0; i < 200; i++) {
		SSL_key_update(peer.ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
		SSL_do_handshake(peer.ssl);
	}
	while (peer_to_stream(&peer, far, SIZE_MAX) > 0)
		;
	worker_turn(w, 0);
	ck_assert_int_eq(tap.error, EPROTO);
}
END_TEST

/* Where the client's request comes with its Finished, the ticket goes out with the answer; and with
 * the end, if there is none. */
START_TEST(tickets_go_with_the_answer)
{
	for (int is_end = 0; is_end < 2; is_end++) {
		begin_anew();
		make_peer(false, _i);
		ck_assert(tls_accept(far, server, SLICE("")));
		while (!SSL_is_init_finished(peer.ssl)) {
			SSL_do_handshake(peer.ssl);
			if (SSL_is_init_finished(peer.ssl))
				break;
			peer_to_stream(&peer, far, SIZE_MAX);
			stream_to_peer(far, &peer);
		}
		if (_i == 1) {
			peer_write(&peer, "request", 7);
			peer_to_stream(&peer, far, SIZE_MAX);
			gets("request");
			hears_nothing();
		}
		if (is_end)
			stream_shutdown(far);
		else
			ck_assert(tap_send_text(&tap, "answer"));
		ck_assert_uint_eq(w->counters.tls_errors, 0);
		char buf[20];
		ck_assert_uint_eq(peer_read(&peer, far, buf, sizeof buf), is_end ? 0 : 6);
		ck_assert(SSL_SESSION_is_resumable(SSL_get_session(peer.ssl)));
	}
}
END_TEST

/* What is known of the connection stays known. */
START_TEST(what_is_known)
{
	struct tls_info info;
	open_client(_i);
	ck_assert(slice_equal(tls_server_name(far), SLICE("localhost")));
	ck_assert(tls_describe(far, &info));
	ck_assert_str_eq(info.version, _i ? "TLSv1.3" : "TLSv1.2");
	ck_assert_int_eq(tls_verify_result(far), X509_V_OK);
	begin_anew();
	make_peer(true, _i);
	struct tls_wish wish = {.name = "localhost", .verify = true};
	ck_assert(tls_connect_as(far, client, &wish));
	shake_hands(&peer, far, w, SIZE_MAX);
	peer_write(&peer, "first", 5);
	peer_to_stream(&peer, far, SIZE_MAX);
	ck_assert(tls_is_verified(far, "localhost"));
	ck_assert(tls_is_verified(far, NULL));
	ck_assert(!tls_is_verified(far, "example.com"));
	SSL_SESSION *session = tls_session(far);
	ck_assert_ptr_nonnull(session);
	ck_assert(SSL_SESSION_is_resumable(session));
	SSL_SESSION_free(session);
}
END_TEST

/* Whichever allocation fails: the connection goes on, or is told why not. */
START_TEST(R_06_no_memory)
{
	static uint8_t bytes[100];
	for (int nth = 1; nth < 12; nth++) {
		char plan[40];
		begin_anew();
		make_peer(false, _i);
		snprintf(plan, sizeof plan, "alloc:%d:ENOMEM:3", nth);
		fault_plan(plan);
		if (!tls_accept(far, server, SLICE("")))
			continue;
		shake_hands(&peer, far, w, SIZE_MAX);
		ck_assert_uint_eq(tap.connects, 1);
		forge(_i == 0 ? 1 : 0, 1);
		size_t n = seal(23, "data", 4, bytes);
		push(bytes, 10);
		push(bytes + 10, n - 10);
		worker_turn(w, 0);
		if (tap.errors == 0)
			gets("data");
		else
			ck_assert_int_eq(tap.error, ENOMEM);
		worker_turn(w, 0);
		ERR_clear_error();
	}
}
END_TEST

/* What one stream could not say is never another's. */
START_TEST(nothing_stays_in_the_workers_buffer)
{
	static uint8_t bytes[300];
	open_server(1);
	size_t n = seal(22, KEY_UPDATE_ASK, 5, bytes);
	new_keys(&forger.write, forger.write_secret);
	n += seal(23, "data", 4, bytes + n);
	sim_fail_sends(far, EPIPE);
	push(bytes, n);
	gets("data");
	worker_turn(w, 0);
	ck_assert_int_eq(tap.error, EPIPE);
	hears_nothing();
	begin_anew();
	open_server(1);
	hears_nothing();
	goes_on();
	hears_nothing();
}
END_TEST

/* T-15: the stream goes in each of its callbacks. */
START_TEST(T_15_free_in_every_callback)
{
	static uint8_t bytes[300];
	open_server(1);
	tap.free_in = (enum tap_call)_i;
	size_t n = seal(23, "data", 4, bytes);
	n += seal(22, KEY_UPDATE_ASK, 5, bytes + n);
	new_keys(&forger.write, forger.write_secret);
	n += seal(23, "more", 4, bytes + n);
	n += seal(21, _i == TAP_EOF ? "\x01\x00" : "\x02\x0a", 2, bytes + n);
	push(bytes, n);
	worker_turn(w, 0);
	ck_assert_ptr_null(tap.stream);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/tls_traffic");
	TCase *t = tcase_create("tls_traffic");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, both_ways, 0, 2);
	tcase_add_loop_test(t, every_split_point, 0, 2);
	tcase_add_loop_test(t, a_part_is_not_quiet, 0, 2);
	tcase_add_test(t, U_05_a_part_with_openssl_is_not_quiet);
	tcase_add_test(t, U_05_a_part_of_a_message_is_not_quiet);
	tcase_add_loop_test(t, handed_over_behind_tickets, 0, 3);
	tcase_add_test(t, tickets_cut_everywhere);
	tcase_add_loop_test(t, T_13_sends_within_a_message, 0, 2);
	tcase_add_loop_test(t, T_13_shutdown_within_a_message, 0, 2);
	tcase_add_test(t, T_13_a_message_without_end);
	tcase_add_test(t, pause_or_end_with_the_first_data);
	tcase_add_loop_test(t, U_22_end_within_a_record, 0, 2);
	tcase_add_loop_test(t, R_06_parts_of_a_record, 0, 2);
	tcase_add_loop_test(t, R_06_the_end_behind_parts_of_a_record, 0, 4);
	tcase_add_loop_test(t, short_records, 0, 2);
	tcase_add_loop_test(t, T_01_a_forged_record, 0, 2);
	tcase_add_loop_test(t, T_01_records_out_of_order, 0, 2);
	tcase_add_loop_test(t, T_01_a_record_too_long, 0, 2);
	tcase_add_loop_test(t, T_01_a_record_too_short, 0, 2);
	tcase_add_loop_test(t, T_01_no_record, 0, 2);
	tcase_add_loop_test(t, T_01_unexpected_types, 0, 2);
	tcase_add_loop_test(t, T_01_a_plain_record, 0, 2);
	tcase_add_loop_test(t, T_01_empty_records, 0, 2);
	tcase_add_loop_test(t, empty_records_now_and_then, 0, 2);
	tcase_add_loop_test(t, C_09_close_notify_behind_data, 0, 2);
	tcase_add_loop_test(t, fatal_alerts, 0, 2);
	tcase_add_loop_test(t, warnings, 0, 2);
	tcase_add_loop_test(t, T_01_bad_alerts, 0, 2);
	tcase_add_loop_test(t, key_updates, 0, 4);
	tcase_add_test(t, key_updates_in_pieces);
	tcase_add_test(t, data_with_old_keys);
	tcase_add_loop_test(t, T_04_key_update_flood, 0, 2);
	tcase_add_test(t, no_answer_after_the_end);
	tcase_add_test(t, own_keys_change);
	tcase_add_test(t, T_01_bad_messages);
	tcase_add_test(t, late_tickets);
	tcase_add_test(t, T_04_ticket_flood);
	tcase_add_loop_test(t, T_04_renegotiation, 0, 2);
	tcase_add_test(t, tickets_before_the_first_data);
	tcase_add_loop_test(t, a_key_update_before_the_first_data, 0, 2);
	tcase_add_loop_test(t, tickets_go_with_the_answer, 0, 2);
	tcase_add_loop_test(t, what_is_known, 0, 2);
	tcase_add_loop_test(t, R_06_no_memory, 0, 2);
	tcase_add_test(t, nothing_stays_in_the_workers_buffer);
	tcase_add_loop_test(t, T_15_free_in_every_callback, TAP_DATA, TAP_ERROR + 1);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
