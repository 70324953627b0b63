/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/answer.h"

#include "http/body.h"
#include "http_test.h"

static uint8_t buf[4096];
static struct http_writer w;
static struct http_head h;

static struct slice written(void)
{
	ck_assert(!w.overflow);
	return slice_of(buf, w.len);
}

/* Parses what was written; it must be one whole answer with its body. */
static struct slice body_of(struct slice s)
{
	struct http_scan scan = {0};
	struct http_body b;
	struct slice content;
	ssize_t n = http_parse_response(&h, &scan, s.at, s.len);

	ck_assert_int_gt(n, 0);
	http_body_init(&b, &h);
	s = slice_of(s.at + n, s.len - (size_t)n);
	ck_assert_int_eq(http_body_read(&b, s.at, s.len, &content), (ssize_t)s.len);
	ck_assert(b.done);
	return content;
}

static struct slice put(struct http_answer a)
{
	http_writer_init(&w, buf, sizeof(buf));
	http_put_answer(&w, &a);
	return written();
}

START_TEST(an_answer_is_whole)
{
	ck_slice_eq(put((struct http_answer){.status = 404}),
	        "HTTP/1.1 404 Not Found\r\n"
	        "Content-Type: text/plain; charset=utf-8\r\n"
	        "Content-Length: 39\r\n"
	        "Connection: close\r\n\r\n"
	        "404 Not Found: no route for this path.\n");
	ck_slice_eq(put((struct http_answer){
	                    .status = 301, .keep_alive = true, .extra = SLICE("Location: /a\r\n")}),
	        "HTTP/1.1 301 Moved Permanently\r\n"
	        "Content-Type: text/plain; charset=utf-8\r\n"
	        "Content-Length: 22\r\n"
	        "Connection: keep-alive\r\n"
	        "Location: /a\r\n\r\n"
	        "301 Moved Permanently\n");
	ck_slice_eq(put((struct http_answer){.status = 403, .text = SLICE("x.")}),
	        "HTTP/1.1 403 Forbidden\r\n"
	        "Content-Type: text/plain; charset=utf-8\r\n"
	        "Content-Length: 18\r\n"
	        "Connection: close\r\n\r\n"
	        "403 Forbidden: x.\n");
}
END_TEST

START_TEST(a_405_says_what_is_allowed_and_head_gets_no_body)
{
	ck_slice_eq(put((struct http_answer){.status = 405, .head = true}),
	        "HTTP/1.1 405 Method Not Allowed\r\n"
	        "Content-Type: text/plain; charset=utf-8\r\n"
	        "Content-Length: 34\r\n"
	        "Connection: close\r\n"
	        "Allow: GET\r\n\r\n");
}
END_TEST

START_TEST(answers_without_body_have_no_length)
{
	ck_slice_eq(put((struct http_answer){.status = 204, .keep_alive = true}),
	        "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n");
	ck_slice_eq(put((struct http_answer){.status = 304}),
	        "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
}
END_TEST

START_TEST(the_length_is_that_of_the_body)
{
	for (unsigned status = 200; status < 600; status++) {
		if (status == 204 || status == 304)
			continue;
		struct slice body = body_of(put((struct http_answer){.status = status}));
		ck_assert_uint_eq(h.status, status);
		ck_assert_uint_ge(body.len, 4);
		ck_assert_uint_eq(body.at[body.len - 1], '\n');
	}
}
END_TEST

START_TEST(errors_close_and_say_why) /* H-06 to H-13 */
{
	for (int e = HTTP_ERR_SYNTAX; e <= HTTP_ERR_NOT_HTTP; e++) {
		http_writer_init(&w, buf, sizeof(buf));
		http_put_error(&w, (enum http_error)e);
		struct slice body = body_of(written());
		ck_assert_uint_eq(h.status, http_error_status((enum http_error)e));
		ck_assert(!h.keep_alive);
		ck_assert_ptr_nonnull(memmem(body.at, body.len, ": ", 2));
	}
	http_writer_init(&w, buf, sizeof(buf));
	http_put_error(&w, HTTP_ERR_HOST);
	ck_slice_eq(body_of(written()), "400 Bad Request: missing, repeated or bad Host.\n");
}
END_TEST

START_TEST(refusals_say_what_would_be_right) /* H-04, H-05 */
{
	for (int v = UPGRADE_NONE; v <= UPGRADE_BAD_PROTOCOL; v++) {
		http_writer_init(&w, buf, sizeof(buf));
		http_put_refusal(&w, (enum upgrade_verdict)v, true, false);
		ck_assert_uint_gt(body_of(written()).len, 20);
		ck_assert_uint_eq(h.status, upgrade_status((enum upgrade_verdict)v));
		ck_assert(h.keep_alive == (v == UPGRADE_NONE));
		ck_assert(http_lists(&h, HTTP_UPGRADE, SLICE("websocket")) == (h.status == 426));
		ck_assert(http_lists(&h, HTTP_CONNECTION, SLICE("upgrade")) == (h.status == 426));
		ck_assert((http_find(&h, HTTP_SEC_WEBSOCKET_VERSION) != NULL) ==
		          (v == UPGRADE_BAD_VERSION));
	}
	http_writer_init(&w, buf, sizeof(buf));
	http_put_refusal(&w, UPGRADE_BAD_VERSION, true, true);
	ck_slice_eq(written(), "HTTP/1.1 426 Upgrade Required\r\n"
	                       "Content-Type: text/plain; charset=utf-8\r\n"
	                       "Content-Length: 81\r\n"
	                       "Upgrade: websocket\r\n"
	                       "Connection: upgrade, close\r\n"
	                       "Sec-WebSocket-Version: 13\r\n\r\n");
}
END_TEST

static struct slice relay(struct slice answer, bool keep_alive)
{
	parse_whole(http_parse_response, &h, answer);
	http_writer_init(&w, buf, sizeof(buf));
	http_put_relayed(&w, &h, keep_alive);
	http_put_end(&w);
	return written();
}

START_TEST(relayed_heads_are_end_to_end) /* H-21 */
{
	ck_slice_eq(
	        relay(SLICE("HTTP/1.0 302 Go there\r\nLocation: /a\r\nContent-Length: 007\r\n"
	                    "Content-Type: a/b\r\nSet-Cookie: a\r\nset-cookie: b\r\nAlt-Svc: c\r\n"
	                    "Connection: keep-alive, X-Named\r\nX-Named: 1\r\nKeep-Alive: 1\r\n"
	                    "Sec-WebSocket-Accept: a\r\nSec-WebSocket-Protocol: a\r\n"
	                    "Sec-WebSocket-Version: 1\r\nSec-WebSocket-Key: 1\r\n"
	                    "Sec-WebSocket-Extensions: 1\r\nUpgrade: a\r\n\r\n"),
	                false),
	        "HTTP/1.1 302 Go there\r\nLocation: /a\r\n"
	        "Content-Type: a/b\r\nSet-Cookie: a\r\nset-cookie: b\r\nAlt-Svc: c\r\n"
	        "Content-Length: 7\r\nConnection: close\r\n\r\n");
	ck_slice_eq(relay(SLICE("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n"), true),
	        "HTTP/1.1 200 \r\nConnection: keep-alive\r\n\r\n");
	ck_slice_eq(relay(SLICE("HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n"), false),
	        "HTTP/1.1 304 X\r\nConnection: close\r\n\r\n");
	ck_slice_eq(
	        relay(SLICE("HTTP/1.1 426 Up\r\nUpgrade: b\r\nContent-Length: 0\r\n\r\n"), false),
	        "HTTP/1.1 426 Up\r\nContent-Length: 0\r\nUpgrade: websocket\r\n"
	        "Connection: upgrade, close\r\n\r\n");
}
END_TEST

RUN_TESTS("http_answer", an_answer_is_whole, a_405_says_what_is_allowed_and_head_gets_no_body,
        answers_without_body_have_no_length, the_length_is_that_of_the_body,
        errors_close_and_say_why, refusals_say_what_would_be_right, relayed_heads_are_end_to_end)
