/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/handshake.h"

#include "http_test.h"

#include <pthread.h>
#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEY          "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 1.3 */
#define ACCEPT       "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define REQUEST      "GET / HTTP/1.1\r\nHost: a\r\n"
#define UPGRADE      "Upgrade: websocket\r\n"
#define CONNECTION   "Connection: Upgrade\r\n"
#define VERSION      "Sec-WebSocket-Version: 13\r\n"
#define KEY_LINE     "Sec-WebSocket-Key: " KEY "\r\n"
#define PROTOCOL     "Sec-WebSocket-Protocol: "

static struct http_head head, answer;

static enum upgrade_verdict check(const char *text, struct slice *key)
{
	parse_whole(http_parse_request, &head, slice_str(text));
	return upgrade_check(&head, key);
}

START_TEST(requests_are_refused_for_the_first_fault)
{
	static const struct {
		const char *text;
		enum upgrade_verdict verdict;
	} list[] = {
	        /* H-04 */
	        {REQUEST "\r\n", UPGRADE_NONE},
	        {REQUEST "Upgrade: websocket2\r\n" CONNECTION VERSION KEY_LINE "\r\n",
	                UPGRADE_NONE},
	        {REQUEST "Upgrade: h2c\r\n" CONNECTION VERSION KEY_LINE "\r\n", UPGRADE_NONE},
	        {REQUEST CONNECTION VERSION KEY_LINE "\r\n", UPGRADE_NONE},
	        {"POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\n", UPGRADE_NONE},
	        /* H-13 */
	        {"POST / HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n", UPGRADE_BAD_METHOD},
	        {"HEAD / HTTP/1.1\r\nHost: a\r\n" UPGRADE CONNECTION VERSION KEY_LINE "\r\n",
	                UPGRADE_BAD_METHOD},
	        {"get / HTTP/1.1\r\nHost: a\r\n" UPGRADE CONNECTION VERSION KEY_LINE "\r\n",
	                UPGRADE_BAD_METHOD},
	        {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n" UPGRADE CONNECTION VERSION KEY_LINE "\r\n",
	                UPGRADE_BAD_METHOD},
	        {"GET / HTTP/1.0\r\nHost: a\r\n" UPGRADE CONNECTION VERSION KEY_LINE "\r\n",
	                UPGRADE_BAD_HTTP},
	        {REQUEST UPGRADE VERSION KEY_LINE "\r\n", UPGRADE_BAD_CONNECTION},
	        {REQUEST UPGRADE "Connection: keep-alive\r\n" VERSION KEY_LINE "\r\n",
	                UPGRADE_BAD_CONNECTION},
	        {REQUEST UPGRADE "Connection: upgraded\r\n\r\n", UPGRADE_BAD_CONNECTION},
	        /* H-05 */
	        {REQUEST UPGRADE CONNECTION KEY_LINE "\r\n", UPGRADE_BAD_VERSION},
	        {REQUEST UPGRADE CONNECTION KEY_LINE VERSION VERSION "\r\n", UPGRADE_BAD_VERSION},
	        {REQUEST UPGRADE CONNECTION KEY_LINE "Sec-WebSocket-Version: 12\r\n\r\n",
	                UPGRADE_BAD_VERSION},
	        {REQUEST UPGRADE CONNECTION KEY_LINE "Sec-WebSocket-Version: 7\r\n\r\n",
	                UPGRADE_BAD_VERSION},
	        {REQUEST UPGRADE CONNECTION KEY_LINE "Sec-WebSocket-Version: 8\r\n\r\n",
	                UPGRADE_BAD_VERSION},
	        {REQUEST UPGRADE CONNECTION KEY_LINE "Sec-WebSocket-Version: 0\r\n\r\n",
	                UPGRADE_BAD_VERSION},
	        {REQUEST UPGRADE CONNECTION KEY_LINE "Sec-WebSocket-Version: 255\r\n\r\n",
	                UPGRADE_BAD_VERSION},
	        {REQUEST UPGRADE CONNECTION KEY_LINE "Sec-WebSocket-Version: 13,8\r\n\r\n",
	                UPGRADE_BAD_VERSION},
	        {REQUEST UPGRADE CONNECTION KEY_LINE "Sec-WebSocket-Version: 013\r\n\r\n",
	                UPGRADE_BAD_VERSION},
	        {REQUEST UPGRADE CONNECTION KEY_LINE "Sec-WebSocket-Version:\r\n\r\n",
	                UPGRADE_BAD_VERSION},
	        /* H-19 */
	        {REQUEST UPGRADE CONNECTION VERSION "\r\n", UPGRADE_BAD_KEY},
	        {REQUEST UPGRADE CONNECTION VERSION KEY_LINE KEY_LINE "\r\n", UPGRADE_BAD_KEY},
	        /* H-12 */
	        {REQUEST UPGRADE CONNECTION VERSION KEY_LINE "Content-Length: 1\r\n\r\n",
	                UPGRADE_BAD_BODY},
	        {REQUEST UPGRADE CONNECTION VERSION KEY_LINE "Transfer-Encoding: chunked\r\n\r\n",
	                UPGRADE_BAD_BODY},
	};
	struct slice key;

	for (size_t i = 0; i < COUNT(list); i++) {
		enum upgrade_verdict v = check(list[i].text, &key);
		ck_assert_msg(
		        v == list[i].verdict, "%d, not %d: %s", v, list[i].verdict, list[i].text);
	}
}
END_TEST

START_TEST(keys_are_16_bytes_in_base64) /* H-19 */
{
	static const char *const bad[] = {"", "=", "==", "dGhlIHNhbXBsZSBub25jZ===",
	        "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ",
	        "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25j",
	        "dGhlIHNhbXBsZSBub25jZWE=", "dGhlIHNhbXBsZSBub25jZWVl",
	        "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25jZQ=a", "dGhlIHNhbXBsZSBub25jZQa=",
	        "dGhl IHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZS_ub25jZQ==", "dGhlIHNhbXBsZS-ub25jZQ==",
	        "dGhlIHNhbXBsZS=ub25jZQ==", "AAAAAAAAAAAAAAAAAAAAAA==,AAAAAAAAAAAAAAAAAAAAAA=="};
	static const char *const good[] = {
	        KEY, "AAAAAAAAAAAAAAAAAAAAAA==", "//////////////////////w=="};
	struct slice key;
	char text[300];

	for (size_t i = 0; i < COUNT(bad); i++) {
		uint8_t *copy = exact_copy(slice_str(bad[i]));
		ck_assert_msg(!ws_key_is_valid(slice_of(copy, strlen(bad[i]))), "%s", bad[i]);
		free(copy);
		snprintf(text, sizeof(text),
		        REQUEST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: %s\r\n\r\n", bad[i]);
		ck_assert_int_eq(check(text, &key), UPGRADE_BAD_KEY);
	}
	ck_assert(ws_key_is_valid(slice_str(good[0])));
	ck_assert(ws_key_is_valid(slice_str(good[1])));
	ck_assert(!ws_key_is_valid(slice_str(good[2]))); /* 25 characters */
	ck_assert(ws_key_is_valid(slice_str(good[2] + 1)));
	ck_assert(!ws_key_is_valid(slice_of("dGhlIHNhbXBsZSBub25j\0Q==", 24)));
}
END_TEST

START_TEST(sound_requests_are_accepted)
{
	static const char *const list[] = {
	        REQUEST UPGRADE CONNECTION VERSION KEY_LINE "\r\n",
	        /* H-02 */
	        "GET / HTTP/1.1\r\nhost: a\r\nupgrade: WEBSOCKET\r\nconnection: upgrade\r\n"
	        "sec-websocket-version: 13\r\nsec-websocket-key: " KEY "\r\n\r\n",
	        "GET / HTTP/1.1\r\nHOST: a\r\nUPGRADE: WebSocket\r\nCONNECTION: UPGRADE\r\n"
	        "SEC-WEBSOCKET-VERSION: 13\r\nSEC-WEBSOCKET-KEY:\t" KEY " \r\n\r\n",
	        /* H-03 */
	        REQUEST UPGRADE "Connection: keep-alive, Upgrade\r\n" VERSION KEY_LINE "\r\n",
	        REQUEST UPGRADE "Connection: keep-alive\r\n" CONNECTION VERSION KEY_LINE "\r\n",
	        /* H-04 */
	        REQUEST "Upgrade: foo, websocket\r\n" CONNECTION VERSION KEY_LINE "\r\n",
	        REQUEST UPGRADE UPGRADE CONNECTION VERSION KEY_LINE "\r\n",
	        REQUEST "Upgrade: foo/1\r\n" UPGRADE CONNECTION VERSION KEY_LINE "\r\n",
	        /* H-12 */
	        REQUEST UPGRADE CONNECTION VERSION KEY_LINE "Content-Length: 0\r\n\r\n",
	        REQUEST UPGRADE CONNECTION VERSION KEY_LINE PROTOCOL "a, B,\r\n" PROTOCOL
	                                                             "b\r\n\r\n",
	};
	struct slice key;

	for (size_t i = 0; i < COUNT(list); i++) {
		ck_assert_msg(check(list[i], &key) == UPGRADE_OK, "%s", list[i]);
		ck_slice_eq(key, KEY);
	}
}
END_TEST

START_TEST(subprotocols_are_distinct_tokens)
{
	static const char *const bad[] = {
	        "", ",", "a b", "a/b", "a, a", "\"a\"", "a;q=1", "\xc3\xa4"};
	struct slice key;
	char text[300];

	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof(text),
		        REQUEST UPGRADE CONNECTION VERSION KEY_LINE PROTOCOL "%s\r\n\r\n", bad[i]);
		ck_assert_msg(check(text, &key) == UPGRADE_BAD_PROTOCOL, "%s", bad[i]);
	}
	ck_assert_int_eq(check(REQUEST UPGRADE CONNECTION VERSION KEY_LINE PROTOCOL "a\r\n" PROTOCOL
	                                                                            "a\r\n\r\n",
	                         &key),
	        UPGRADE_BAD_PROTOCOL);
}
END_TEST

START_TEST(subprotocols_are_few) /* H-08 */
{
	static char text[16 * 1024];
	struct slice key;

	for (int n = 99; n <= 2000; n += n > 101 ? 1897 : 1) {
		int at = snprintf(
		        text, sizeof(text), REQUEST UPGRADE CONNECTION VERSION KEY_LINE PROTOCOL);
		for (int i = 0; i < n; i++)
			at += snprintf(text + at, sizeof(text) - (size_t)at, "t%d,", i);
		snprintf(text + at, sizeof(text) - (size_t)at, "\r\n\r\n");
		ck_assert_int_eq(check(text, &key),
		        n <= WS_PROTOCOLS_MAX ? UPGRADE_OK : UPGRADE_BAD_PROTOCOL);
	}
}
END_TEST

START_TEST(verdicts_have_statuses)
{
	static const unsigned want[] = {101, 426, 405, 505, 400, 426, 400, 400, 400};

	for (size_t i = 0; i < COUNT(want); i++) {
		ck_assert_uint_eq(upgrade_status((enum upgrade_verdict)i), want[i]);
		ck_assert_uint_gt(strlen(upgrade_reason((enum upgrade_verdict)i)), 4);
	}
}
END_TEST

static void *accept_in_thread(void *arg)
{
	char *out = arg;

	for (int i = 0; i < 100; i++)
		ws_accept_value(out, SLICE(KEY));
	return NULL;
}

START_TEST(the_accept_value_is_that_of_the_rfc)
{
	char out[4][WS_ACCEPT_LEN];
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, accept_in_thread, out[i]), 0);
	accept_in_thread(out[3]);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 4; i++)
		ck_assert_mem_eq(out[i], ACCEPT, WS_ACCEPT_LEN);
	ws_accept_value(out[0], SLICE("AAAAAAAAAAAAAAAAAAAAAA=="));
	ck_assert_mem_eq(out[0], "ICX+Yqv66kxgM0FcWaLWlFLwTAI=", WS_ACCEPT_LEN);
}
END_TEST

START_TEST(keys_are_fresh)
{
	char a[WS_KEY_LEN], b[WS_KEY_LEN];

	ws_key_make(a);
	ws_key_make(b);
	ck_assert(ws_key_is_valid(slice_of(a, sizeof(a))));
	ck_assert(ws_key_is_valid(slice_of(b, sizeof(b))));
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

#define OWN                                                                    \
	"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " KEY \
	"\r\nSec-WebSocket-Version: 13\r\n\r\n"

static struct slice put_request(const char *client, struct slice host)
{
	static uint8_t buf[2048];
	struct http_writer w;

	parse_whole(http_parse_request, &head, slice_str(client));
	http_writer_init(&w, buf, sizeof(buf));
	upgrade_put_request(&w, &head, SLICE("/x?y"), host, KEY);
	ck_assert(!w.overflow);
	return slice_of(buf, w.len);
}

START_TEST(the_request_to_the_upstream_is_end_to_end)
{
	static const char client[] =
	        "GET /old HTTP/1.1\r\ncookie: c\r\nhOST: a:1\r\nUpgrade: foo, websocket\r\n"
	        "Connection: Upgrade, x-hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: 1\r\n"
	        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
	        "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Accept: x\r\n"
	        "Sec-WebSocket-Protocol:  b , a \r\nContent-Length: 0\r\nExpect: 100-continue\r\n"
	        "Proxy-Authorization: p\r\nTE: trailers\r\nTrailer: t\r\nOrigin: o\r\n"
	        "cookie: d\xff\r\nX-Empty:\r\n\r\n";

	ck_slice_eq(put_request(client, SLICE("")),
	        "GET /x?y HTTP/1.1\r\ncookie: c\r\nhOST: a:1\r\nSec-WebSocket-Protocol: b , a\r\n"
	        "Origin: o\r\ncookie: d\xff\r\nX-Empty: \r\n" OWN);
	ck_slice_eq(put_request(client, SLICE("up:9")),
	        "GET /x?y HTTP/1.1\r\ncookie: c\r\nhOST: up:9\r\nSec-WebSocket-Protocol: b , a\r\n"
	        "Origin: o\r\ncookie: d\xff\r\nX-Empty: \r\n" OWN);
}
END_TEST

START_TEST(the_host_comes_from_where_it_should)
{
	ck_slice_eq(put_request("GET ws://b:2/ HTTP/1.1\r\nHost: a\r\n\r\n", SLICE("")),
	        "GET /x?y HTTP/1.1\r\nHost: b:2\r\n" OWN);
	ck_slice_eq(put_request("GET ws://b:2/ HTTP/1.1\r\nHost: a\r\n\r\n", SLICE("c")),
	        "GET /x?y HTTP/1.1\r\nHost: c\r\n" OWN);
	ck_slice_eq(put_request("GET / HTTP/1.0\r\nA: b\r\n\r\n", SLICE("c")),
	        "GET /x?y HTTP/1.1\r\nHost: c\r\nA: b\r\n" OWN);
	ck_slice_eq(put_request("GET / HTTP/1.0\r\nA: b\r\n\r\n", SLICE("")),
	        "GET /x?y HTTP/1.1\r\nHost: \r\nA: b\r\n" OWN);
}
END_TEST

#define STATUS      "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT_LINE "Sec-WebSocket-Accept: " ACCEPT "\r\n"

static const char *check_answer(const char *text)
{
	parse_whole(http_parse_request, &head,
	        SLICE(REQUEST PROTOCOL "a, b\r\n" PROTOCOL "c\r\nX: d\r\n\r\n"));
	parse_whole(http_parse_response, &answer, slice_str(text));
	return upgrade_check_answer(&answer, KEY, &head);
}

START_TEST(lies_of_the_upstream_are_refused)
{
	static const struct {
		const char *text, *reason;
	} list[] = {
	        /* H-33: the version */
	        {"HTTP/1.0 101 x\r\n" UPGRADE CONNECTION ACCEPT_LINE "\r\n", "HTTP/1.0"},
	        /* H-23 */
	        {STATUS CONNECTION ACCEPT_LINE "\r\n", "Upgrade: websocket"},
	        {STATUS "Upgrade: foo\r\n" CONNECTION ACCEPT_LINE "\r\n", "Upgrade: websocket"},
	        {STATUS "Upgrade: websocket, foo\r\n" CONNECTION ACCEPT_LINE "\r\n",
	                "Upgrade: websocket"},
	        {STATUS UPGRADE UPGRADE CONNECTION ACCEPT_LINE "\r\n", "Upgrade: websocket"},
	        {STATUS UPGRADE ACCEPT_LINE "\r\n", "Connection"},
	        {STATUS UPGRADE "Connection: close\r\n" ACCEPT_LINE "\r\n", "Connection"},
	        /* H-24, H-25, H-26 */
	        {STATUS UPGRADE CONNECTION "\r\n", "without Sec-WebSocket-Accept"},
	        {STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept:\r\n\r\n",
	                "wrong Sec-WebSocket-Accept"},
	        {STATUS UPGRADE CONNECTION "Sec-WebSocket-Accept: " KEY "\r\n\r\n",
	                "wrong Sec-WebSocket-Accept"},
	        {STATUS UPGRADE CONNECTION
	                "Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=\r\n\r\n",
	                "wrong Sec-WebSocket-Accept"},
	        {STATUS UPGRADE CONNECTION ACCEPT_LINE ACCEPT_LINE "\r\n",
	                "wrong Sec-WebSocket-Accept"},
	        /* H-27, H-28 */
	        {STATUS UPGRADE CONNECTION ACCEPT_LINE PROTOCOL "x\r\n\r\n", "not offered"},
	        {STATUS UPGRADE CONNECTION ACCEPT_LINE PROTOCOL "A\r\n\r\n", "not offered"},
	        {STATUS UPGRADE CONNECTION ACCEPT_LINE PROTOCOL "d\r\n\r\n", "not offered"},
	        {STATUS UPGRADE CONNECTION ACCEPT_LINE PROTOCOL "a, b\r\n\r\n", "not offered"},
	        {STATUS UPGRADE CONNECTION ACCEPT_LINE PROTOCOL "\r\n\r\n", "not offered"},
	        {STATUS UPGRADE CONNECTION ACCEPT_LINE PROTOCOL "a\r\n" PROTOCOL "a\r\n\r\n",
	                "more than one"},
	        {STATUS UPGRADE CONNECTION ACCEPT_LINE
	                "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
	                "Extensions"},
	        {STATUS UPGRADE CONNECTION ACCEPT_LINE "Sec-WebSocket-Extensions:\r\n\r\n",
	                "Extensions"},
	        /* H-32 */
	        {STATUS UPGRADE CONNECTION ACCEPT_LINE "Content-Length: 0\r\n\r\n", "body"},
	        {STATUS UPGRADE CONNECTION ACCEPT_LINE "Content-Length: 5\r\n\r\n", "body"},
	        {STATUS UPGRADE CONNECTION ACCEPT_LINE "Transfer-Encoding: chunked\r\n\r\n",
	                "body"},
	};

	for (size_t i = 0; i < COUNT(list); i++) {
		const char *reason = check_answer(list[i].text);
		ck_assert_msg(
		        reason && strstr(reason, list[i].reason), "%s: %s", list[i].text, reason);
	}
}
END_TEST

START_TEST(sound_answers_are_accepted)
{
	static const char *const list[] = {
	        STATUS UPGRADE CONNECTION ACCEPT_LINE "\r\n",
	        "HTTP/1.1 101 \r\nUPGRADE: WebSocket\r\nconnection: keep-alive, UPGRADE\r\n"
	        "sec-websocket-accept: " ACCEPT "\r\n\r\n",
	        STATUS UPGRADE CONNECTION ACCEPT_LINE PROTOCOL "a\r\n\r\n",
	        STATUS UPGRADE CONNECTION ACCEPT_LINE PROTOCOL "c\r\nX: y\r\n\r\n",
	};

	for (size_t i = 0; i < COUNT(list); i++) {
		const char *reason = check_answer(list[i]);
		ck_assert_msg(!reason, "%s: %s", list[i], reason);
	}
}
END_TEST

#define OWN_101 \
	STATUS "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n"

START_TEST(the_101_is_moongates_own) /* H-34 */
{
	uint8_t buf[1024];
	struct http_writer w;

	http_writer_init(&w, buf, sizeof(buf));
	upgrade_put_own_101(&w, ACCEPT, SLICE(""));
	ck_slice_eq(slice_of(buf, w.len), OWN_101 "\r\n");
	http_writer_init(&w, buf, sizeof(buf));
	upgrade_put_own_101(&w, ACCEPT, SLICE("chat.v2"));
	ck_slice_eq(slice_of(buf, w.len), OWN_101 "Sec-WebSocket-Protocol: chat.v2\r\n\r\n");
	parse_whole(http_parse_response, &answer,
	        SLICE("HTTP/1.1 101 Other\r\nDate: d\r\nAlt-Svc: x\r\nUpgrade: websocket\r\n"
	              "Connection: x-hop, upgrade\r\nX-Hop: 1\r\nKeep-Alive: 1\r\n"
	              "Proxy-Foo: 1\r\nSec-WebSocket-Accept: zzz\r\nSec-WebSocket-Protocol: p\r\n"
	              "Sec-WebSocket-Extensions: e\r\nSec-WebSocket-Key: k\r\n"
	              "Sec-WebSocket-Version: 13\r\nContent-Type: t\r\ncontent-language: l\r\n"
	              "Content-Length: 0\r\nSet-Cookie: a\r\nset-cookie: b\r\nServer: s\r\n\r\n"));
	http_writer_init(&w, buf, sizeof(buf));
	upgrade_put_101(&w, &answer, ACCEPT);
	ck_slice_eq(slice_of(buf, w.len),
	        OWN_101 "Date: d\r\nSec-WebSocket-Protocol: p\r\nSet-Cookie: a\r\nset-cookie: b\r\n"
	                "Server: s\r\n\r\n");
}
END_TEST

/* The offer behind `lines`, limited, as it goes to the upstream; '|' between lines. */
static void expect_offer(const char *lines, const char *want)
{
	static const struct slice allowed[] = {{(const uint8_t *)"a", 1},
	        {(const uint8_t *)"chat.v2", 7}, {(const uint8_t *)"B", 1}};
	char text[600], got[600] = "";
	struct http_scan scan = {0};
	int len = snprintf(
	        text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\n%sX-Last: 1\r\n\r\n", lines);
	uint8_t *exact = exact_copy(slice_of(text, (size_t)len));

	ck_assert_int_eq(http_parse_request(&head, &scan, exact, (size_t)len), len);
	upgrade_limit_protocols(&head, allowed, 3);
	for (size_t i = 0; i < head.n; i++) {
		if (head.field[i].id != HTTP_SEC_WEBSOCKET_PROTOCOL)
			continue;
		size_t at = strlen(got);
		snprintf(got + at, sizeof(got) - at, "%s%.*s", at ? "|" : "",
		        (int)head.field[i].value.len, (const char *)head.field[i].value.at);
	}
	ck_assert_str_eq(got, want);
	ck_assert_int_eq(http_find(&head, HTTP_SEC_WEBSOCKET_PROTOCOL) != NULL, want[0] != '\0');
	got[strcspn(got, ",|")] = '\0';
	ck_assert_msg(slice_equal(upgrade_first_protocol(&head), slice_str(got)), "%s", lines);
	ck_slice_eq(head.field[0].value, "h");
	ck_slice_eq(head.field[head.n - 1].value, "1");
	free(exact);
}

#define P "Sec-WebSocket-Protocol: "

START_TEST(the_offer_is_limited_to_what_is_allowed)
{
	expect_offer("", "");
	expect_offer(P "x\r\n", "");
	expect_offer(P "x, y\r\n" P "z\r\n", "");
	expect_offer(P "a\r\n", "a");
	expect_offer(P "A\r\n", "");
	expect_offer(P "b,B\r\n", "B");
	expect_offer(P "x,a\r\n", "a");
	expect_offer(P "a,x\r\n", "a");
	expect_offer(P "B,a\r\n", "B,a");
	expect_offer(P "a , x,,\tchat.v2 ,\r\n", "a,chat.v2");
	expect_offer(P "x\r\nX: 1\r\n" P "chat.v2, y\r\n" P "z\r\n" P "a\r\n", "chat.v2|a");
	expect_offer(P "chat.v22, chat.v, chat.v2\r\n", "chat.v2");
}
END_TEST

RUN_TESTS("http_handshake", requests_are_refused_for_the_first_fault, keys_are_16_bytes_in_base64,
        sound_requests_are_accepted, subprotocols_are_distinct_tokens, subprotocols_are_few,
        verdicts_have_statuses, the_accept_value_is_that_of_the_rfc, keys_are_fresh,
        the_request_to_the_upstream_is_end_to_end, the_host_comes_from_where_it_should,
        lies_of_the_upstream_are_refused, sound_answers_are_accepted, the_101_is_moongates_own,
        the_offer_is_limited_to_what_is_allowed)
