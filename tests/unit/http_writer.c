/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/writer.h"

#include "http_test.h"

static void put_all(struct http_writer *w)
{
	http_put_status(w, 404);
	http_put_field(w, SLICE("A"), SLICE("b"));
	http_put_field(w, SLICE("Empty"), (struct slice){NULL, 0});
	http_put_number(w, SLICE("N"), 0);
	http_put_number(w, SLICE("Max"), UINT64_MAX);
	http_put_end(w);
}

#define ALL "HTTP/1.1 404 Not Found\r\nA: b\r\nEmpty: \r\nN: 0\r\nMax: 18446744073709551615\r\n\r\n"

START_TEST(what_does_not_fit_is_not_written)
{
	size_t need = sizeof(ALL) - 1;

	for (size_t size = 0; size <= need; size++) {
		uint8_t *buf = malloc(size > 0 ? size : 1);
		struct http_writer w;
		http_writer_init(&w, buf, size);
		put_all(&w);
		ck_assert(w.overflow == (size < need));
		ck_assert_uint_le(w.len, size);
		ck_assert_mem_eq(buf, ALL, w.len);
		free(buf);
	}
}
END_TEST

START_TEST(after_an_overflow_nothing_is_written)
{
	uint8_t buf[4];
	struct http_writer w;

	http_writer_init(&w, buf, sizeof(buf));
	http_put(&w, SLICE("ab"));
	http_put(&w, SLICE("cde"));
	http_put(&w, SLICE("f"));
	http_put_field(&w, SLICE(""), SLICE(""));
	ck_assert(w.overflow);
	ck_slice_eq(slice_of(buf, w.len), "ab");
}
END_TEST

START_TEST(statuses_have_names)
{
	uint8_t buf[64];
	struct http_writer w;

	ck_assert_str_eq(http_status_text(101), "Switching Protocols");
	ck_assert_str_eq(http_status_text(431), "Request Header Fields Too Large");
	ck_assert_str_eq(http_status_text(505), "HTTP Version Not Supported");
	ck_assert_str_eq(http_status_text(599), "");
	http_writer_init(&w, buf, sizeof(buf));
	http_put_status(&w, 599);
	ck_slice_eq(slice_of(buf, w.len), "HTTP/1.1 599 \r\n");
}
END_TEST

START_TEST(hop_by_hop_fields_are_known) /* H-34 */
{
	static struct http_head h;
	static const char text[] = "GET / HTTP/1.1\r\n"
	                           "Host: a\r\n"
	                           "Connection: x-named, host, cookie\r\n"
	                           "Keep-Alive: 1\r\n"
	                           "PROXY-Anything: 1\r\n"
	                           "Proxy-Connection: a\r\n"
	                           "Proxy-Authorization: a\r\n"
	                           "Proxy-Authenticate: a\r\n"
	                           "TE: trailers\r\n"
	                           "Trailer: a\r\n"
	                           "Transfer-Encoding: chunked\r\n"
	                           "Upgrade: a\r\n"
	                           "X-Named: a\r\n"
	                           "Cookie: a\r\n"
	                           "Origin: a\r\n"
	                           "Prox: a\r\n"
	                           "X-Names: a\r\n\r\n";

	parse_whole(http_parse_request, &h, SLICE(text));
	ck_assert_uint_eq(h.n, 16);
	ck_assert(!http_is_hop_by_hop(&h.field[0]));
	for (size_t i = 1; i < 13; i++)
		ck_assert_msg(http_is_hop_by_hop(&h.field[i]), "%zu", i);
	for (size_t i = 13; i < h.n; i++)
		ck_assert_msg(!http_is_hop_by_hop(&h.field[i]), "%zu", i);
}
END_TEST

RUN_TESTS("http_writer", what_does_not_fit_is_not_written, after_an_overflow_nothing_is_written,
        statuses_have_names, hop_by_hop_fields_are_known)
