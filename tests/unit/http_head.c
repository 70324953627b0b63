/* SPDX-License-Identifier: BSD-2-Clause */
#include "http_test.h"

#include "base/random.h"
#include "http/find.h"

static struct http_head head;

struct refusal {
	struct slice text;
	enum http_error error;
};

#define TEXT(literal)                                           \
	{                                                       \
		(const uint8_t *)(literal), sizeof(literal) - 1 \
	}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HOST         "Host: a\r\n"

static void refused(parse_fn parse, const struct refusal *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ssize_t r = parse_everywhere(parse, list[i].text);
		ck_assert_msg(r == -(ssize_t)list[i].error, "%zu: %zd, not %d: %.*s", i, r,
		        -(int)list[i].error, (int)list[i].text.len, (const char *)list[i].text.at);
	}
}

static void accepted(parse_fn parse, const struct slice *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ssize_t r = parse_everywhere(parse, list[i]);
		ck_assert_msg(r == (ssize_t)list[i].len, "%zu: %zd: %.*s", i, r, (int)list[i].len,
		        (const char *)list[i].at);
	}
}

/* A text made in pieces. */
struct text {
	size_t len;
	char bytes[80 * 1024];
};
static struct text text;

static struct slice text_slice(void)
{
	return slice_of(text.bytes, text.len);
}

static void text_add(const char *s)
{
	memcpy(text.bytes + text.len, s, strlen(s));
	text.len += strlen(s);
}

static void text_fill(char c, size_t n)
{
	memset(text.bytes + text.len, c, n);
	text.len += n;
}

static void text_begin(const char *s)
{
	text.len = 0;
	text_add(s);
}

/* One parse of the whole, and a drip in unequal steps. */
static ssize_t parse_text(parse_fn parse)
{
	struct http_scan scan = {0}, drip = {0};
	ssize_t want = parse_prefix(parse, &head, &scan, text_slice(), text.len), got = 0;

	for (size_t n = 0; n < text.len && got == 0;) {
		n += 97 < text.len - n ? 97 : text.len - n;
		got = parse_prefix(parse, &head, &drip, text_slice(), n);
	}
	ck_assert_int_eq(got, want);
	return want;
}

START_TEST(a_first_byte_that_is_no_http_is_refused_at_once)
{
	static const struct refusal list[] = {
	        {TEXT("\x16\x03\x01"), HTTP_ERR_NOT_HTTP}, /* H-36 */
	        {TEXT("\0"), HTTP_ERR_NOT_HTTP},
	        {TEXT("\x80"), HTTP_ERR_NOT_HTTP},
	        {TEXT("\xff\xf4"), HTTP_ERR_NOT_HTTP},
	        {TEXT("\n"), HTTP_ERR_NOT_HTTP},
	        {TEXT("\rG"), HTTP_ERR_NOT_HTTP},
	        {TEXT("\r\n\r"), HTTP_ERR_NOT_HTTP},
	        {TEXT("SSH-2.0-OpenSSH_9.2\r\n"), HTTP_ERR_NOT_HTTP}, /* H-36 */
	        {TEXT("GET\t/ HTTP/1.1\r\n"), HTTP_ERR_NOT_HTTP},
	        {TEXT("G\x7fT / HTTP/1.1\r\n"), HTTP_ERR_NOT_HTTP},
	        {TEXT(" GET"), HTTP_ERR_METHOD},
	        {TEXT("("), HTTP_ERR_METHOD},
	        {TEXT("GE(T"), HTTP_ERR_METHOD},
	        {TEXT("{\"json\""), HTTP_ERR_METHOD},
	        {TEXT("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG"), HTTP_ERR_METHOD},
	};

	refused(http_parse_request, list, COUNT(list));
}
END_TEST

START_TEST(a_bad_request_line_is_refused_before_the_head_ends)
{
	static const struct refusal list[] = {
	        {TEXT("GET /\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET \r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET / \r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET / HTTP/1.1 \r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET / http/1.1\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET / HTTP/1\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET / HTTP/1.x\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET / HTTP/x.1\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET / HTTP/1.10\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET / HTTP/1.1\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET / HTTP/1.1\rX"), HTTP_ERR_SYNTAX},
	        {TEXT("GET /\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET / HTTP/1.1\v"), HTTP_ERR_SYNTAX},
	        {TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HTTP_ERR_VERSION}, /* H-13 */
	        {TEXT("GET / HTTP/0.9\r\n"), HTTP_ERR_VERSION},
	        {TEXT("GET / HTTP/1.2\r\n"), HTTP_ERR_VERSION},
	        {TEXT("GET / HTTP/3.0\r\n"), HTTP_ERR_VERSION},
	        {TEXT("GET  / HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("GET  HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("GET /  HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("GET /a b HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("GET /a#b HTTP/1.1\r\n"), HTTP_ERR_TARGET}, /* H-13 */
	        {TEXT("GET /\xc3\xa4 HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("GET /\x01 HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("GET /\0 HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("GET /\x7f HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("GET /\ta HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("GET a HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("GET * HTTP/1.1\r\n"), HTTP_ERR_TARGET}, /* H-13 */
	        {TEXT("OPTIONS ** HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("GET http:///a HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("GET http://u@a/ HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("GET http://[::1 HTTP/1.1\r\n"), HTTP_ERR_TARGET}, /* H-11 */
	        {TEXT("GET ftp://a/ HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("GET http: HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("CONNECT / HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	        {TEXT("CONNECT http://a/ HTTP/1.1\r\n"), HTTP_ERR_TARGET},
	};

	refused(http_parse_request, list, COUNT(list));
}
END_TEST

#define GET(fields) TEXT("GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n")

START_TEST(bad_header_lines_are_refused) /* H-09 */
{
	static const struct refusal list[] = {
	        {GET("A: b\r\n c\r\n"), HTTP_ERR_SYNTAX},
	        {GET("A: b\r\n\tc: d\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), HTTP_ERR_SYNTAX},
	        {GET("A : b\r\n"), HTTP_ERR_SYNTAX},
	        {GET("A\t: b\r\n"), HTTP_ERR_SYNTAX},
	        {GET(": b\r\n"), HTTP_ERR_SYNTAX},
	        {GET("A\r\n"), HTTP_ERR_SYNTAX},
	        {GET("A b: c\r\n"), HTTP_ERR_SYNTAX},
	        {GET("A\x80: b\r\n"), HTTP_ERR_SYNTAX},
	        {GET("\xff: b\r\n"), HTTP_ERR_SYNTAX},
	        {GET("A(: b\r\n"), HTTP_ERR_SYNTAX},
	        {GET("A: b\n"), HTTP_ERR_SYNTAX},
	        {GET("A: b\nC: d\r\n"), HTTP_ERR_SYNTAX},
	        {GET("A: b\rC: d\r\n"), HTTP_ERR_SYNTAX},
	        {GET("A: b\r\r\n"), HTTP_ERR_SYNTAX},
	        {GET("A: b\0c\r\n"), HTTP_ERR_SYNTAX},
	        {GET("A\0: b\r\n"), HTTP_ERR_SYNTAX},
	        {GET("A: \x1b[0m\r\n"), HTTP_ERR_SYNTAX},
	        {GET("A: \x7f\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET / HTTP/1.1\r\nHost: a\r\n\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET / HTTP/1.1\r\nHost: a\r\n\rX"), HTTP_ERR_SYNTAX},
	};

	refused(http_parse_request, list, COUNT(list));
}
END_TEST

START_TEST(host_is_there_once_and_sound) /* H-06, H-11 */
{
	static const struct refusal list[] = {
	        {TEXT("GET / HTTP/1.1\r\n\r\n"), HTTP_ERR_HOST},
	        {TEXT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), HTTP_ERR_HOST},
	        {TEXT("GET / HTTP/1.1\r\nHost: \t \r\n\r\n"), HTTP_ERR_HOST},
	        {GET(HOST), HTTP_ERR_HOST},
	        {TEXT("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), HTTP_ERR_HOST},
	        {TEXT("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"), HTTP_ERR_HOST},
	        {TEXT("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), HTTP_ERR_HOST},
	        {TEXT("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), HTTP_ERR_HOST},
	        {TEXT("GET / HTTP/1.1\r\nHost: //\r\n\r\n"), HTTP_ERR_HOST},
	        {TEXT("GET / HTTP/1.1\r\nHost: http://[::1\r\n\r\n"), HTTP_ERR_HOST},
	        {TEXT("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), HTTP_ERR_HOST},
	        {TEXT("GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n"), HTTP_ERR_HOST},
	        {TEXT("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("GET / HTTP/1.0\r\nHost:\r\n\r\n"), HTTP_ERR_HOST},
	        {TEXT("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), HTTP_ERR_HOST},
	        {TEXT("GET http://a/ HTTP/1.1\r\n\r\n"), HTTP_ERR_HOST},
	};

	refused(http_parse_request, list, COUNT(list));
	text_begin("GET / HTTP/1.1\r\nHost: ");
	text_fill('h', 8192);
	text_add("\r\n\r\n");
	ck_assert_int_eq(parse_text(http_parse_request), -HTTP_ERR_HOST);
}
END_TEST

START_TEST(a_doubtful_length_is_refused) /* H-10 */
{
	static const struct refusal list[] = {
	        {GET("Content-Length: 5\r\nContent-Length: 6\r\n"), HTTP_ERR_LENGTH},
	        {GET("Content-Length: 5\r\nContent-Length: 5\r\n"), HTTP_ERR_LENGTH},
	        {GET("Content-Length: 5, 5\r\n"), HTTP_ERR_LENGTH},
	        {GET("Content-Length: +5\r\n"), HTTP_ERR_LENGTH},
	        {GET("Content-Length: -5\r\n"), HTTP_ERR_LENGTH},
	        {GET("Content-Length: 0x5\r\n"), HTTP_ERR_LENGTH},
	        {GET("Content-Length: 5 5\r\n"), HTTP_ERR_LENGTH},
	        {GET("Content-Length:\r\n"), HTTP_ERR_LENGTH},
	        {GET("Content-Length: 9223372036854775808\r\n"), HTTP_ERR_LENGTH},
	        {GET("Content-Length: 18446744073709551616\r\n"), HTTP_ERR_LENGTH},
	        {GET("Content-Length: 99999999999999999999999\r\n"), HTTP_ERR_LENGTH},
	        {GET("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), HTTP_ERR_LENGTH},
	        {GET("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), HTTP_ERR_LENGTH},
	        {GET("Transfer-Encoding: xchunked\r\n"), HTTP_ERR_LENGTH},
	        {GET("Transfer-Encoding: chunked, chunked\r\n"), HTTP_ERR_LENGTH},
	        {GET("Transfer-Encoding: gzip, chunked\r\n"), HTTP_ERR_LENGTH},
	        {GET("Transfer-Encoding: identity\r\n"), HTTP_ERR_LENGTH},
	        {GET("Transfer-Encoding: \"chunked\"\r\n"), HTTP_ERR_LENGTH},
	        {GET("Transfer-Encoding:\r\n"), HTTP_ERR_LENGTH},
	        {GET("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
	                HTTP_ERR_LENGTH},
	        {TEXT("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_ERR_LENGTH},
	};

	refused(http_parse_request, list, COUNT(list));
}
END_TEST

START_TEST(lengths_are_read)
{
	parse_whole(http_parse_request, &head, (struct slice)GET(""));
	ck_assert_int_eq(head.framing, HTTP_BODY_NONE);
	parse_whole(http_parse_request, &head, (struct slice)GET("content-length: 0\r\n"));
	ck_assert_int_eq(head.framing, HTTP_BODY_LENGTH);
	ck_assert_uint_eq(head.content_length, 0);
	parse_whole(http_parse_request, &head,
	        (struct slice)GET("Content-Length: 9223372036854775807 \r\n"));
	ck_assert_uint_eq(head.content_length, INT64_MAX);
	parse_whole(http_parse_request, &head, (struct slice)GET("Transfer-encoding: Chunked\r\n"));
	ck_assert_int_eq(head.framing, HTTP_BODY_CHUNKED);
}
END_TEST

START_TEST(a_request_is_taken_apart)
{
	static const struct slice s =
	        TEXT("\r\nGET /a/b?c=d?e HTTP/1.1\r\nHoSt: \t a:8080 \t\r\nX-Empty:\r\n"
	             "X-Tab:a\tb\xff\r\nExpect: 100-Continue\r\n\r\n");

	ck_assert_int_eq(parse_everywhere(http_parse_request, s), (ssize_t)s.len);
	parse_whole(http_parse_request, &head, s);
	ck_slice_eq(head.method, "GET");
	ck_slice_eq(head.target, "/a/b?c=d?e");
	ck_slice_eq(head.path, "/a/b");
	ck_slice_eq(head.query, "c=d?e");
	ck_slice_eq(head.authority, "");
	ck_slice_eq(head.host, "a:8080");
	ck_assert_uint_eq(head.minor, 1);
	ck_assert(head.expects_continue);
	ck_assert_uint_eq(head.n, 4);
	ck_slice_eq(head.field[0].name, "HoSt");
	ck_slice_eq(head.field[1].value, "");
	ck_slice_eq(head.field[2].name, "X-Tab");
	ck_slice_eq(head.field[2].value, "a\tb\xff");
	ck_assert_ptr_eq(http_find(&head, HTTP_HOST), &head.field[0]);
	ck_assert_ptr_null(http_find(&head, HTTP_UPGRADE));
	ck_assert_uint_eq(http_count(&head, HTTP_UPGRADE), 0);
	ck_assert_uint_eq(http_count(&head, HTTP_HOST), 1);
}
END_TEST

START_TEST(what_follows_the_head_is_left_alone) /* H-14, H-15, H-35 */
{
	static const struct slice head_text = GET("");
	static const struct slice s =
	        TEXT("GET / HTTP/1.1\r\nHost: a\r\n\r\n\x81\x80\r\n\r\nGET /admin");

	ck_assert_int_eq(parse_everywhere(http_parse_request, s), (ssize_t)head_text.len);
}
END_TEST

START_TEST(every_target_form_is_read) /* H-13 */
{
	static const struct slice list[] = {
	        TEXT("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
	        TEXT("get /../%2e%2e//x HTTP/1.1\r\nHost: a\r\n\r\n"),
	        TEXT("GET / HTTP/1.0\r\n\r\n"),
	        TEXT("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1\r\nHost: a\r\n\r\n"),
	        TEXT("!#$%&'*+-.^_`|~ /\"<>[]\\^`{|} HTTP/1.1\r\nHost: a\r\n\r\n"),
	};

	accepted(http_parse_request, list, COUNT(list));
	parse_whole(
	        http_parse_request, &head, SLICE("GET WS://b:1/p?q HTTP/1.1\r\nHost: a\r\n\r\n"));
	ck_slice_eq(head.authority, "b:1");
	ck_slice_eq(head.host, "a");
	ck_slice_eq(head.path, "/p");
	ck_slice_eq(head.query, "q");
	parse_whole(http_parse_request, &head, SLICE("GET https://b HTTP/1.1\r\nHost: a\r\n\r\n"));
	ck_slice_eq(head.path, "/");
	ck_slice_eq(head.query, "");
	parse_whole(
	        http_parse_request, &head, SLICE("GET wss://[::1]?q HTTP/1.1\r\nHost: a\r\n\r\n"));
	ck_slice_eq(head.authority, "[::1]");
	ck_slice_eq(head.path, "/");
	ck_slice_eq(head.query, "q");
	parse_whole(http_parse_request, &head, SLICE("CONNECT b:1 HTTP/1.1\r\nHost: a\r\n\r\n"));
	ck_slice_eq(head.path, "b:1");
	parse_whole(http_parse_request, &head, SLICE("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"));
	ck_slice_eq(head.path, "*");
}
END_TEST

START_TEST(a_connection_goes_on_or_not) /* RFC 9112 9.3 */
{
	static const struct {
		struct slice text;
		bool keep_alive;
	} list[] = {
	        {GET(""), true},
	        {GET("Connection: close\r\n"), false},
	        {GET("Connection: Keep-Alive, CLOSE\r\n"), false},
	        {GET("Connection: x\r\nConnection: ,, close ,\r\n"), false},
	        {GET("Connection: closed\r\n"), true},
	        {TEXT("GET / HTTP/1.0\r\n\r\n"), false},
	        {TEXT("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), true},
	        {TEXT("GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n"),
	                false},
	        {TEXT("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"), false},
	};

	for (size_t i = 0; i < COUNT(list); i++) {
		parse_whole(http_parse_request, &head, list[i].text);
		ck_assert_msg(head.keep_alive == list[i].keep_alive, "%zu", i);
		ck_assert(!head.expects_continue);
	}
}
END_TEST

START_TEST(connection_names_fields)
{
	parse_whole(http_parse_request, &head,
	        (struct slice)GET("X-A: 1\r\nConnection: x-a, host, X-C\r\nX-B: 2\r\nx-c: 3\r\n"));
	ck_assert(!head.field[0].named);
	ck_assert(head.field[1].named);
	ck_assert(!head.field[2].named);
	ck_assert(!head.field[3].named);
	ck_assert(head.field[4].named);
}
END_TEST

START_TEST(connection_lists_are_bounded)
{
	text_begin("GET / HTTP/1.1\r\nHost: a\r\nConnection: ");
	for (int i = 0; i < HTTP_OPTIONS_MAX; i++)
		text_add("a,,close,upgrade,");
	text_add("\r\n\r\n");
	ck_assert_int_eq(parse_text(http_parse_request), (ssize_t)text.len);
	text.len -= 4;
	text_add("b\r\n\r\n");
	ck_assert_int_eq(parse_text(http_parse_request), -HTTP_ERR_SYNTAX);
}
END_TEST

START_TEST(limits_hold_to_the_byte) /* H-07, H-31 */
{
	static const struct {
		const char *first;
		size_t fill;
		ssize_t verdict; /* 0: all of it is used, when the rest has come */
		const char *last;
	} list[] = {
	        {"GET /", HTTP_TARGET_MAX - 1, 0, " HTTP/1.1\r\nHost: a\r\n\r\n"},
	        {"GET /", HTTP_TARGET_MAX, -HTTP_ERR_TARGET_SIZE, " HTTP/1.1\r\n"},
	        {"GET /", HTTP_TARGET_MAX + 20, -HTTP_ERR_TARGET_SIZE, ""},
	        {"GET /", HTTP_TARGET_MAX - 2, -HTTP_ERR_SYNTAX, " HTTP/1.1 \r\n"},
	        {"GET / HTTP/1.1\r\nHost: a\r\nA:", HTTP_LINE_MAX - 2, 0, "\r\n\r\n"},
	        {"GET / HTTP/1.1\r\nHost: a\r\nA:", HTTP_LINE_MAX - 1, -HTTP_ERR_LINE_SIZE, ""},
	        {"GET / HTTP/1.1\r\nHost: a\r\n", HTTP_LINE_MAX + 1, -HTTP_ERR_LINE_SIZE, ""},
	};

	for (size_t i = 0; i < COUNT(list); i++) {
		text_begin(list[i].first);
		text_fill('a', list[i].fill);
		text_add(list[i].last);
		ssize_t want = list[i].verdict ? list[i].verdict : (ssize_t)text.len;
		ck_assert_msg(parse_text(http_parse_request) == want, "%zu", i);
	}
}
END_TEST

START_TEST(the_number_of_lines_is_limited) /* H-07 */
{
	text_begin("GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 1; i < HTTP_LINES_MAX; i++)
		text_add("A: b\r\n");
	ck_assert_int_eq(parse_text(http_parse_request), 0);
	text_add("A");
	ck_assert_int_eq(parse_text(http_parse_request), -HTTP_ERR_LINES);
	text.len--;
	text_add("\r\n");
	ck_assert_int_eq(parse_text(http_parse_request), (ssize_t)text.len);
	ck_assert_uint_eq(head.n, HTTP_LINES_MAX);
}
END_TEST

/* A head whose last line, begun, brings it to `size` bytes. */
static void begin_large_head(size_t size)
{
	text_begin("GET / HTTP/1.1\r\nHost: a\r\nA: ");
	text_fill('a', 16000);
	text_add("\r\nB: ");
	text_fill('b', 16000);
	text_add("\r\nC: ");
	text_fill('c', size - text.len);
}

START_TEST(the_whole_head_is_limited) /* H-07, H-31 */
{
	begin_large_head(HTTP_HEAD_MAX - 4);
	text_add("\r\n\r\n");
	ck_assert_int_eq(parse_text(http_parse_request), HTTP_HEAD_MAX);
	text.len--;
	ck_assert_int_eq(parse_text(http_parse_request), 0);
	text_add("x");
	ck_assert_int_eq(parse_text(http_parse_request), -HTTP_ERR_SYNTAX);
	/* The CR of the empty line is the last byte there may be. */
	begin_large_head(HTTP_HEAD_MAX - 3);
	text_add("\r\n\r");
	ck_assert_int_eq(parse_text(http_parse_request), -HTTP_ERR_HEAD_SIZE);
	text_add("\n");
	ck_assert_int_eq(parse_text(http_parse_request), -HTTP_ERR_HEAD_SIZE);
	text_fill('\0', 32768);
	ck_assert_int_eq(parse_text(http_parse_request), -HTTP_ERR_HEAD_SIZE);
}
END_TEST

START_TEST(a_verdict_stays)
{
	static const struct refusal list[] = {
	        {TEXT("GET / HTTP/3.0\r\nHost: a\r\n\r\n"), HTTP_ERR_VERSION},
	        {GET("A : b\r\n"), HTTP_ERR_SYNTAX},
	        {GET("Content-Length: x\r\n"), HTTP_ERR_LENGTH},
	};

	for (size_t i = 0; i < COUNT(list); i++) {
		struct http_scan scan = {0};
		for (int again = 0; again < 3; again++)
			ck_assert_int_eq(
			        http_parse_request(&head, &scan, list[i].text.at, list[i].text.len),
			        -(int)list[i].error);
	}
}
END_TEST

START_TEST(nothing_is_unfinished)
{
	struct http_scan scan = {0};

	ck_assert_int_eq(http_parse_request(&head, &scan, (const uint8_t *)"", 0), 0);
	ck_assert_int_eq(http_parse_response(&head, &scan, (const uint8_t *)"", 0), 0);
}
END_TEST

START_TEST(bad_status_lines_are_refused) /* H-33 */
{
	static const struct refusal list[] = {
	        {TEXT("ICY 200 OK\r\n"), HTTP_ERR_NOT_HTTP},
	        {TEXT("<html>"), HTTP_ERR_NOT_HTTP},
	        {TEXT("\r\nHTTP/1.1 200 OK\r\n\r\n"), HTTP_ERR_NOT_HTTP},
	        {TEXT("http/1.1 200 OK\r\n"), HTTP_ERR_NOT_HTTP},
	        {TEXT("\x16\x03"), HTTP_ERR_NOT_HTTP},
	        {TEXT("HTTP/2 200\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("HTTP/2.0 200\r\n"), HTTP_ERR_VERSION},
	        {TEXT("HTTP/1.2 200 OK\r\n"), HTTP_ERR_VERSION},
	        {TEXT("HTTP/0.9 200 OK\r\n"), HTTP_ERR_VERSION},
	        {TEXT("HTTP/1.1\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("HTTP/1.1  200 OK\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("HTTP/1.1 1010\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("HTTP/1.1 10\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("HTTP/1.1 099 X\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("HTTP/1.1 600 X\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("HTTP/1.1 2x0 X\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("HTTP/1.1 200\tOK\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("HTTP/1.1 200 OK\n"), HTTP_ERR_SYNTAX},
	        {TEXT("HTTP/1.1 200\rX"), HTTP_ERR_SYNTAX},
	        {TEXT("HTTP/1.1 200 O\0K\r\n"), HTTP_ERR_SYNTAX},
	};

	refused(http_parse_response, list, COUNT(list));
	text_begin("HTTP/1.1 200 ");
	text_fill('o', HTTP_LINE_MAX - 12);
	ck_assert_int_eq(parse_text(http_parse_response), -HTTP_ERR_LINE_SIZE);
}
END_TEST

START_TEST(bad_fields_of_responses_are_refused) /* H-32, H-34 */
{
	static const struct refusal list[] = {
	        {TEXT("HTTP/1.1 101 X\r\nA: b\nC: d\r\n\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("HTTP/1.1 101 X\r\nA: b\rC: d\r\n\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("HTTP/1.1 101 X\r\nA: b\r\n c\r\n\r\n"), HTTP_ERR_SYNTAX},
	        {TEXT("HTTP/1.1 101 X\r\nContent-Length: x\r\n\r\n"), HTTP_ERR_LENGTH},
	        {TEXT("HTTP/1.1 200 X\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
	                HTTP_ERR_LENGTH},
	        {TEXT("HTTP/1.0 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_ERR_LENGTH},
	        {TEXT("HTTP/1.1 200 X\r\nTransfer-Encoding: gzip\r\n\r\n"), HTTP_ERR_LENGTH},
	};

	refused(http_parse_response, list, COUNT(list));
}
END_TEST

START_TEST(a_response_is_taken_apart)
{
	static const struct {
		struct slice text;
		unsigned status;
		enum http_framing framing;
		bool keep_alive;
	} list[] = {
	        {TEXT("HTTP/1.1 200 OK\r\n\r\n"), 200, HTTP_BODY_UNTIL_CLOSE, false},
	        {TEXT("HTTP/1.1 200\r\n\r\n"), 200, HTTP_BODY_UNTIL_CLOSE, false},
	        {TEXT("HTTP/1.1 599 \r\n\r\n"), 599, HTTP_BODY_UNTIL_CLOSE, false},
	        {TEXT("HTTP/1.1 404 Not \xff\r\nContent-Length: 3\r\n\r\n"), 404, HTTP_BODY_LENGTH,
	                true},
	        {TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 200,
	                HTTP_BODY_CHUNKED, true},
	        {TEXT("HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n"), 204, HTTP_BODY_NONE, true},
	        {TEXT("HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n"), 304, HTTP_BODY_NONE,
	                true},
	        {TEXT("HTTP/1.1 100 Go\r\nConnection: close\r\n\r\n"), 100, HTTP_BODY_NONE, false},
	        {TEXT("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n"), 200, HTTP_BODY_LENGTH,
	                false},
	};

	for (size_t i = 0; i < COUNT(list); i++) {
		ck_assert_int_eq(parse_everywhere(http_parse_response, list[i].text),
		        (ssize_t)list[i].text.len);
		parse_whole(http_parse_response, &head, list[i].text);
		ck_assert_msg(head.status == list[i].status && head.framing == list[i].framing &&
		                      head.keep_alive == list[i].keep_alive,
		        "%zu", i);
	}
	parse_whole(http_parse_response, &head, SLICE("HTTP/1.1 404 Not \xff\r\n\r\n"));
	ck_slice_eq(head.reason, "Not \xff");
	parse_whole(http_parse_response, &head, SLICE("HTTP/1.1 404\r\n\r\n"));
	ck_slice_eq(head.reason, "");
}
END_TEST

START_TEST(a_resumed_head_is_whole) /* another head was parsed into h in between */
{
	static const struct slice s = TEXT("GET /a?b HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n");
	struct http_scan scan = {0};

	ck_assert_int_eq(parse_prefix(http_parse_request, &head, &scan, s, s.len - 3), 0);
	parse_whole(http_parse_response, &head, SLICE("HTTP/1.1 200 OK\r\n\r\n"));
	uint8_t *copy = exact_copy(s);
	ck_assert_int_eq(http_parse_request(&head, &scan, copy, s.len), (ssize_t)s.len);
	ck_slice_eq(head.method, "GET");
	ck_slice_eq(head.path, "/a");
	ck_slice_eq(head.query, "b");
	ck_assert_uint_eq(head.status, 0);
	ck_assert_ptr_eq(head.method.at, copy);
	free(copy);
}
END_TEST

START_TEST(names_are_known_in_any_case) /* H-02 */
{
	static const char *const names[] = {"Connection", "Content-Length", "Host", "Keep-Alive",
	        "Origin", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	        "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions", "Sec-WebSocket-Key",
	        "Sec-WebSocket-Protocol", "Sec-WebSocket-Version", "TE", "Trailer",
	        "Transfer-Encoding", "Upgrade", "Expect", "Alt-Svc"};

	ck_assert_uint_eq(COUNT(names), HTTP_NAMES - 1);
	for (size_t i = 0; i < COUNT(names); i++) {
		char name[32];
		size_t len = strlen(names[i]);
		for (int how = 0; how < 3; how++) {
			for (size_t j = 0; j <= len; j++) {
				bool letter = ascii_lower((uint8_t)names[i][j]) >= 'a';
				bool flip = letter && (how == 1 || (how == 2 && j % 2 == 0));
				name[j] = (char)(names[i][j] ^ (flip ? 0x20 : 0));
			}
			ck_assert_uint_eq(http_name_of(slice_of(name, len)), i + 1);
		}
		name[len - 1] = '_';
		ck_assert_uint_eq(http_name_of(slice_of(name, len)), HTTP_OTHER);
		name[0] = '_';
		ck_assert_uint_eq(http_name_of(slice_of(name, len)), HTTP_OTHER);
		ck_assert_uint_eq(http_name_of(slice_of(names[i], len - 1)), HTTP_OTHER);
	}
	ck_assert_uint_eq(http_name_of(SLICE("X_Forwarded_For")), HTTP_OTHER);
}
END_TEST

START_TEST(lists_are_walked)
{
	struct slice rest = SLICE(" a ,, b c\t,\t,d"), member;

	ck_assert(http_list_next(&rest, &member));
	ck_slice_eq(member, "a");
	ck_assert(http_list_next(&rest, &member));
	ck_slice_eq(member, "b c");
	ck_assert(http_list_next(&rest, &member));
	ck_slice_eq(member, "d");
	ck_assert(!http_list_next(&rest, &member));
	ck_assert(!http_list_next(&rest, &member));
	rest = SLICE(" , ,\t");
	ck_assert(!http_list_next(&rest, &member));
	ck_assert(!http_list_next(&rest, &member));
	rest = (struct slice){NULL, 0};
	ck_assert(!http_list_next(&rest, &member));
	ck_assert(http_is_token(SLICE("a!#$%&'*+-.^_`|~9Z")));
	ck_assert(!http_is_token(SLICE("")));
	ck_assert(!http_is_token(SLICE("a b")));
	ck_assert(!http_is_token(SLICE("a/b")));
}
END_TEST

START_TEST(tokens_are_found_in_lists) /* H-03, H-04 */
{
	parse_whole(http_parse_request, &head,
	        (struct slice)GET(
	                "Upgrade: foo\r\nX: websocket2\r\nUPGRADE: bar/1, WebSocket\r\n"));
	ck_assert(http_lists(&head, HTTP_UPGRADE, SLICE("websocket")));
	ck_assert(http_lists(&head, HTTP_UPGRADE, SLICE("foo")));
	ck_assert(!http_lists(&head, HTTP_UPGRADE, SLICE("websocket2")));
	ck_assert(!http_lists(&head, HTTP_UPGRADE, SLICE("web")));
	ck_assert(!http_lists(&head, HTTP_OTHER, SLICE("websocket2")));
	ck_assert(!http_lists(&head, HTTP_CONNECTION, SLICE("upgrade")));
}
END_TEST

START_TEST(all_forms_of_the_search_agree)
{
	struct http_find_form forms[4];
	uint8_t *buf = malloc(100);

	http_find_forms(forms);
	for (int round = 0; round < 20000; round++) {
		size_t len = random_below(101), at = random_below((uint32_t)len + 1);
		uint8_t *end = buf + 100, *start = end - len;
		memset(buf, 'a' + round % 3, 100);
		for (uint32_t n = random_below(4); n > 0 && len > 0; n--)
			start[random_below((uint32_t)len)] = (uint8_t)random_below(256);
		const uint8_t *want = forms[0].find(start + at, end);
		for (size_t i = 1; forms[i].find; i++)
			ck_assert_msg(forms[i].find(start + at, end) == want, "%s", forms[i].name);
		ck_assert_ptr_eq(http_find_control(start + at, end), want);
	}
	free(buf);
}
END_TEST

START_TEST(the_search_knows_each_byte)
{
	struct http_find_form forms[4];
	uint8_t buf[80];

	http_find_forms(forms);
	for (size_t i = 0; forms[i].find; i++) {
		for (unsigned c = 0; c < 256; c++) {
			bool control = (c < 0x20 && c != '\t') || c == 0x7f;
			for (size_t at = 0; at < sizeof(buf); at++) {
				memset(buf, 'x', sizeof(buf));
				buf[at] = (uint8_t)c;
				const uint8_t *want = buf + (control ? at : sizeof(buf));
				ck_assert_ptr_eq(forms[i].find(buf, buf + sizeof(buf)), want);
			}
		}
	}
}
END_TEST

START_TEST(errors_have_words)
{
	for (int e = HTTP_OK; e <= HTTP_ERR_NOT_HTTP; e++)
		ck_assert_uint_gt(strlen(http_error_reason((enum http_error)e)), 4);
	ck_assert_uint_eq(http_error_status(HTTP_ERR_SYNTAX), 400);
	ck_assert_uint_eq(http_error_status(HTTP_ERR_NOT_HTTP), 400);
	ck_assert_uint_eq(http_error_status(HTTP_ERR_TARGET_SIZE), 414);
	ck_assert_uint_eq(http_error_status(HTTP_ERR_LINES), 431);
	ck_assert_uint_eq(http_error_status(HTTP_ERR_VERSION), 505);
}
END_TEST

RUN_TESTS("http_head", a_first_byte_that_is_no_http_is_refused_at_once,
        a_bad_request_line_is_refused_before_the_head_ends, bad_header_lines_are_refused,
        host_is_there_once_and_sound, a_doubtful_length_is_refused, lengths_are_read,
        a_request_is_taken_apart, what_follows_the_head_is_left_alone, every_target_form_is_read,
        a_connection_goes_on_or_not, connection_names_fields, connection_lists_are_bounded,
        limits_hold_to_the_byte, the_number_of_lines_is_limited, the_whole_head_is_limited,
        a_verdict_stays, nothing_is_unfinished, bad_status_lines_are_refused,
        bad_fields_of_responses_are_refused, a_response_is_taken_apart, a_resumed_head_is_whole,
        names_are_known_in_any_case, lists_are_walked, tokens_are_found_in_lists,
        all_forms_of_the_search_agree, the_search_knows_each_byte, errors_have_words)
