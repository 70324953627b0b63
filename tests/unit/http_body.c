/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/body.h"

#include "http_test.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct outcome {
	bool broken, done, sound;
	size_t used, content_len;
	char content[64];
};

/* Feeds s, in pieces that end at `split`, and byte by byte when that is 0. */
static void feed(struct http_body *b, struct slice s, size_t split, struct outcome *o)
{
	size_t at = 0;

	*o = (struct outcome){0};
	while (at < s.len && !o->broken && !b->done) {
		size_t stop = split == 0 ? at + 1 : at < split ? split : s.len;
		uint8_t *piece = exact_copy(slice_of(s.at + at, stop - at));
		struct slice content;
		ssize_t n = http_body_read(b, piece, stop - at, &content);
		ck_assert(n != 0);
		o->broken = n < 0;
		at += n > 0 ? (size_t)n : 0;
		memcpy(o->content + o->content_len, content.at, content.len);
		o->content_len += content.len;
		free(piece);
	}
	o->used = at;
	o->done = b->done;
	o->sound = http_body_end(b);
}

static struct http_head chunked = {.framing = HTTP_BODY_CHUNKED};

/* The outcome, the same at every split. What was used of a broken body may differ. */
static struct outcome read_everywhere(const struct http_head *h, struct slice s)
{
	struct outcome want, got;
	struct http_body b;

	http_body_init(&b, h);
	feed(&b, s, s.len, &want);
	for (size_t split = 0; split < s.len; split++) {
		http_body_init(&b, h);
		feed(&b, s, split, &got);
		ck_assert(got.broken == want.broken && got.done == want.done &&
		          got.sound == want.sound && got.content_len == want.content_len);
		ck_assert_mem_eq(got.content, want.content, want.content_len);
		ck_assert(want.broken || got.used == want.used);
	}
	return want;
}

START_TEST(broken_chunks_are_refused) /* H-10, H-21 */
{
	static const char *const list[] = {"x", "\r\n", ";", " 1\r\n", "+1\r\n", "-1\r\n",
	        "0x1\r\n", "1\n", "1\rX", "1 \r\n", "1\t\r\n", "1 x", "1\r\nab", "1\r\na\rX",
	        "1\r\na\n", "1;a\nb", "1;a\rb", "1;\x01", "1;a\x7f", "8000000000000000\r\n",
	        "10000000000000000\r\n", "g\r\n", "0\r\n\rX", "0\r\n\n", "0\r\n:\r\n",
	        "0\r\n a: b\r\n", "0\r\na b: c\r\n", "0\r\na\r\n", "0\r\na: b\n", "0\r\na: b\rX",
	        "0\r\na: \x01\r\n", "0\r\na: b\r\n c\r\n"};

	for (size_t i = 0; i < COUNT(list); i++)
		ck_assert_msg(read_everywhere(&chunked, slice_str(list[i])).broken, "%s", list[i]);
	ck_assert(read_everywhere(&chunked, slice_of("1;\0", 3)).broken);
}
END_TEST

START_TEST(a_broken_body_stays_broken)
{
	struct http_body b;
	struct slice content;

	http_body_init(&b, &chunked);
	ck_assert_int_eq(http_body_read(&b, (const uint8_t *)"x", 1, &content), -1);
	ck_assert_int_eq(http_body_read(&b, (const uint8_t *)"0\r\n\r\n", 5, &content), -1);
	ck_assert(!http_body_end(&b));
}
END_TEST

START_TEST(chunks_are_read)
{
	static const struct {
		const char *text, *content;
	} list[] = {
	        {"0\r\n\r\n", ""},
	        {"000\r\n\r\n", ""},
	        {"3\r\nabc\r\n0\r\n\r\n", "abc"},
	        {"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"},
	        {"A\r\n0123456789\r\n0a\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"},
	        {"1;x=\"y\"\r\n\r\r\n0;\r\n\r\n", "\r"},
	        {"1 \t;x\r\na\r\n0\r\n\r\n", "a"},
	        {"1\r\na\r\n0\r\nA: b\r\nX:\r\n\r\n", "a"},
	};

	for (size_t i = 0; i < COUNT(list); i++) {
		char more[128];
		int len = snprintf(more, sizeof(more), "%sGET /", list[i].text);
		struct outcome o = read_everywhere(&chunked, slice_of(more, (size_t)len));
		ck_assert_msg(o.done && o.sound && !o.broken, "%s", list[i].text);
		ck_assert_uint_eq(o.used, strlen(list[i].text));
		ck_assert(slice_equal(
		        slice_of(o.content, o.content_len), slice_str(list[i].content)));
	}
}
END_TEST

START_TEST(an_unfinished_body_is_not_sound)
{
	static const char *const list[] = {"1", "1\r\n", "1\r\na", "1\r\na\r\n", "1\r\na\r\n0\r\n",
	        "0\r\n\r", "0\r\na: b\r\n"};

	for (size_t i = 0; i < COUNT(list); i++) {
		struct outcome o = read_everywhere(&chunked, slice_str(list[i]));
		ck_assert_msg(!o.done && !o.sound && !o.broken, "%s", list[i]);
	}
}
END_TEST

START_TEST(a_huge_chunk_costs_nothing)
{
	struct http_body b;
	struct slice content, s = SLICE("7fffffffffffffff\r\nabc");

	http_body_init(&b, &chunked);
	ck_assert_int_eq(http_body_read(&b, s.at, s.len, &content), (ssize_t)s.len);
	ck_slice_eq(content, "abc");
	ck_assert_uint_eq(b.left, INT64_MAX - 3u);
}
END_TEST

/* Feeds s as often as it takes; returns how many bytes went in before the refusal. */
static size_t feed_until_refused(struct http_body *b, struct slice s)
{
	struct slice content;

	for (size_t n = 0; n < 1 << 20; n += s.len)
		if (http_body_read(b, s.at, s.len, &content) < 0)
			return n;
	return SIZE_MAX;
}

START_TEST(chunk_lines_and_trailers_are_bounded)
{
	struct http_body b;
	struct slice content;

	http_body_init(&b, &chunked);
	ck_assert_uint_eq(feed_until_refused(&b, SLICE("0")), HTTP_CHUNK_LINE_MAX);
	http_body_init(&b, &chunked);
	http_body_read(&b, (const uint8_t *)"1;", 2, &content);
	ck_assert_uint_eq(feed_until_refused(&b, SLICE("x")), HTTP_CHUNK_LINE_MAX - 2);
	http_body_init(&b, &chunked);
	http_body_read(&b, (const uint8_t *)"0\r\n", 3, &content);
	ck_assert_uint_le(feed_until_refused(&b, SLICE("A: b\r\n")), HTTP_TRAILER_MAX);
	http_body_init(&b, &chunked);
	http_body_read(&b, (const uint8_t *)"0\r\n", 3, &content);
	ck_assert_uint_le(feed_until_refused(&b, SLICE("a")), HTTP_TRAILER_MAX);
	/* Small chunks may go on for ever. */
	http_body_init(&b, &chunked);
	for (int i = 0; i < 10000; i++) {
		ck_assert_int_eq(http_body_read(&b, (const uint8_t *)"1\r\na", 4, &content), 4);
		ck_assert_int_eq(http_body_read(&b, (const uint8_t *)"\r\n", 2, &content), 2);
	}
}
END_TEST

START_TEST(a_length_is_read)
{
	struct http_head h = {.framing = HTTP_BODY_LENGTH, .content_length = 5};
	struct outcome o = read_everywhere(&h, SLICE("abcdefg"));

	ck_assert(o.done && o.sound);
	ck_assert_uint_eq(o.used, 5);
	ck_assert_mem_eq(o.content, "abcde", 5);
	o = read_everywhere(&h, SLICE("abcd"));
	ck_assert(!o.done && !o.sound && !o.broken);
}
END_TEST

START_TEST(no_body_is_done_at_once)
{
	struct http_head h = {.framing = HTTP_BODY_LENGTH};
	struct http_body b;
	struct slice content;

	http_body_init(&b, &h);
	ck_assert(b.done && http_body_end(&b));
	ck_assert_int_eq(http_body_read(&b, (const uint8_t *)"a", 1, &content), 0);
	h.framing = HTTP_BODY_NONE;
	h.content_length = 7;
	http_body_init(&b, &h);
	ck_assert(b.done && http_body_end(&b));
	ck_assert_int_eq(http_body_read(&b, (const uint8_t *)"a", 1, &content), 0);
	ck_assert_uint_eq(content.len, 0);
}
END_TEST

START_TEST(a_body_until_close_ends_with_it)
{
	struct http_head h = {.framing = HTTP_BODY_UNTIL_CLOSE};
	struct outcome o = read_everywhere(&h, SLICE("ab\r\n\r\n"));

	ck_assert(!o.done && o.sound && !o.broken);
	ck_assert_uint_eq(o.content_len, 6);
}
END_TEST

RUN_TESTS("http_body", broken_chunks_are_refused, a_broken_body_stays_broken, chunks_are_read,
        an_unfinished_body_is_not_sound, a_huge_chunk_costs_nothing,
        chunk_lines_and_trailers_are_bounded, a_length_is_read, no_body_is_done_at_once,
        a_body_until_close_ends_with_it)
