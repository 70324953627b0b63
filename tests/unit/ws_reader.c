/* SPDX-License-Identifier: BSD-2-Clause */
#include "ws/reader.h"

#include "ws_feed.h"

#include <check.h>

static const struct ws_limits no_limits = {0};

/* --- streams --- */

/* A frame of a scripted stream. */
struct part {
	uint8_t first;
	const char *payload;
	size_t len;
};
#define PART(first, text)                     \
	{                                     \
		first, text, sizeof(text) - 1 \
	}
/* Bytes as they are, in place of a frame; the second byte's mask bit is the role's. */
#define RAW(bytes)                             \
	{                                      \
		0xff, bytes, sizeof(bytes) - 1 \
	}

struct script {
	const char *name;
	enum ws_error error;
	uint32_t frames, messages; /* that pass whole, of data */
	struct part parts[12];
};

#define SMILE "\xf0\x9f\x99\x82"
#define LONG                                                                               \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct script scripts[] = {
        {"nothing", WS_OK, 0, 0, {{0, NULL, 0}}},
        {"text", WS_OK, 2, 2,
                {PART(0x81, "hello"), PART(0x81, "sm\xc3\xb8rrebr\xc3\xb8"
                                                 "d " SMILE)}},
        {"binary, F-23", WS_OK, 2, 2, {PART(0x82, "\xff\xfe\x00\x80"), PART(0x82, LONG)}},
        {"long text", WS_OK, 2, 2, {PART(0x81, LONG), PART(0x81, LONG SMILE LONG)}},
        {"empty, F-25", WS_OK, 4, 4,
                {PART(0x81, ""), PART(0x82, ""), PART(0x89, ""), PART(0x81, ""), PART(0x82, ""),
                        PART(0x88, "")}},
        {"fragments", WS_OK, 5, 2,
                {PART(0x01, "one"), PART(0x00, " two "), PART(0x80, "three"), PART(0x02, "\xc0"),
                        PART(0x80, "\xc1")}},
        {"empty fragments", WS_OK, 4, 1,
                {PART(0x01, ""), PART(0x00, ""), PART(0x00, "x"), PART(0x80, "")}},
        {"control frames between fragments, F-14", WS_OK, 3, 1,
                {PART(0x01, "a"
                            "\xf0\x9f"),
                        PART(0x89, "ping"), PART(0x00, "\x99"), PART(0x8a, ""), PART(0x89, ""),
                        PART(0x8a, "pong"), PART(0x80, "\x82"), PART(0x88, "\x03\xe8")}},
        {"a character over four frames, F-22", WS_OK, 4, 1,
                {PART(0x01, "\xf0"), PART(0x00, "\x9f"), PART(0x00, "\x99"), PART(0x80, "\x82")}},
        {"ping of 125", WS_OK, 1, 1, {{0x89, LONG, 125}, PART(0x82, "x"), {0x8a, LONG, 125}}},
        {"close, no code", WS_OK, 1, 1, {PART(0x81, "x"), PART(0x88, "")}},
        {"close, reason", WS_OK, 0, 0, {PART(0x88, "\x03\xe9going away " SMILE)}},
        {"close, 4999", WS_OK, 0, 0, {PART(0x88, "\x13\x87")}},
        {"close, 125", WS_OK, 0, 0, {{0x88, "\x03\xe8" LONG, 125}}},
        {"unfinished message", WS_OK, 2, 1, {PART(0x82, "x"), PART(0x01, "abc")}},

        {"reserved bit 1, F-02", WS_ERR_RESERVED_BITS, 1, 1, {PART(0x81, "x"), PART(0xc1, "x")}},
        {"reserved bit 2", WS_ERR_RESERVED_BITS, 1, 1, {PART(0x81, "x"), PART(0xa2, "x")}},
        {"reserved bit 3", WS_ERR_RESERVED_BITS, 1, 1, {PART(0x81, "x"), PART(0x90, "x")}},
        {"reserved before all else", WS_ERR_RESERVED_BITS, 0, 0, {PART(0x7f, LONG)}},
        {"opcode 3, F-01", WS_ERR_OPCODE, 1, 1, {PART(0x82, "x"), PART(0x83, "x")}},
        {"opcode 11", WS_ERR_OPCODE, 0, 0, {PART(0x8b, "x")}},
        {"control fragment", WS_ERR_CONTROL_FRAGMENT, 1, 0, {PART(0x01, "x"), PART(0x09, "x")}},
        {"control too long", WS_ERR_CONTROL_LENGTH, 1, 1, {PART(0x81, "x"), {0x89, LONG, 126}}},
        {"continuation without start, F-11", WS_ERR_SEQUENCE, 0, 0, {PART(0x80, "x")}},
        {"text inside text, F-12", WS_ERR_SEQUENCE, 1, 0, {PART(0x01, "x"), PART(0x81, "x")}},
        {"binary inside text", WS_ERR_SEQUENCE, 1, 0, {PART(0x01, "x"), PART(0x02, "x")}},
        {"continuation after the end, F-13", WS_ERR_SEQUENCE, 2, 1,
                {PART(0x01, "x"), PART(0x80, "x"), PART(0x00, "x")}},
        {"16-bit length for 125, F-05", WS_ERR_LENGTH_FORM, 0, 0, {RAW("\x82\x7e\x00\x7d")}},
        {"64-bit length for 65535", WS_ERR_LENGTH_FORM, 1, 1,
                {PART(0x81, "x"), RAW("\x82\x7f\0\0\0\0\0\0\xff\xff")}},
        {"length 2^63, F-06", WS_ERR_LENGTH, 0, 0, {RAW("\x82\x7f\x80\0\0\0\0\0\0\0")}},
        {"length 2^64 - 1", WS_ERR_LENGTH, 0, 0, {RAW("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff")}},
        {"close of 1 byte", WS_ERR_CLOSE_LENGTH, 1, 1, {PART(0x81, "x"), PART(0x88, "x")}},
        {"close 1005", WS_ERR_CLOSE_CODE, 0, 0, {PART(0x88, "\x03\xed")}},
        {"close 999, bad reason too, F-24", WS_ERR_CLOSE_CODE, 0, 0, {PART(0x88, "\x03\xe7\xff")}},
        {"close, bad reason", WS_ERR_UTF8, 1, 1,
                {PART(0x82, "x"), PART(0x88, "\x03\xe8"
                                             "abc\xff"
                                             "def")}},
        {"close, cut reason", WS_ERR_UTF8, 0, 0,
                {PART(0x88, "\x03\xe8"
                            "abc\xf0\x9f\x99")}},
        {"overlong, F-21", WS_ERR_UTF8, 1, 1, {PART(0x81, "ok"), PART(0x81, "abc\xc0\xaf")}},
        {"surrogate", WS_ERR_UTF8, 0, 0, {PART(0x81, "abc\xed\xa0\x80")}},
        {"over U+10FFFF", WS_ERR_UTF8, 0, 0, {PART(0x81, LONG "\xf4\x90\x80\x80" LONG)}},
        {"lone continuation", WS_ERR_UTF8, 1, 0, {PART(0x01, "abc"), PART(0x80, "\x80")}},
        {"truncated at the end", WS_ERR_UTF8, 1, 0, {PART(0x01, "x"), PART(0x80, "abc\xe2\x82")}},
        {"truncated, empty end", WS_ERR_UTF8, 1, 0, {PART(0x01, "x\xe2\x82"), PART(0x80, "")}},
        {"truncated, one frame", WS_ERR_UTF8, 1, 1, {PART(0x81, "x"), PART(0x81, "\xe2\x82")}},
        {"wrong far into a fragment", WS_ERR_UTF8, 1, 0,
                {PART(0x01, "x"), PART(0x00, LONG LONG "\xff" LONG)}},
};
enum { SCRIPTS = sizeof(scripts) / sizeof(*scripts) };

static void add_frame(struct bytes *b, uint8_t first, const void *payload, size_t len, bool masked)
{
	uint8_t header[WS_HEADER_MAX];
	struct ws_frame f = {
	        .len = len, .masked = masked, .key = {0x37, (uint8_t)(0xfa + b->len), 0x21, 0x3d}};
	size_t n = ws_frame_write(header, &f);
	header[0] = first;
	bytes_add(b, header, n);
	bytes_add(b, payload, len);
	if (masked)
		ws_mask(b->p + b->len - len, len, f.key, 0);
}

static struct bytes make_stream(const struct script *s, bool masked)
{
	struct bytes b = {0};
	for (const struct part *p = s->parts; p->payload; p++) {
		if (p->first != 0xff) {
			add_frame(&b, p->first, p->payload, p->len, masked);
			continue;
		}
		bytes_add(&b, p->payload, p->len);
		b.p[b.len - p->len + 1] |= masked ? 0x80 : 0;
	}
	return b;
}

static struct bytes make_stream_of(const struct part *parts, size_t n, bool masked)
{
	struct bytes b = {0};
	for (size_t i = 0; i < n; i++)
		add_frame(&b, parts[i].first, parts[i].payload, parts[i].len, masked);
	return b;
}

/* --- feeding --- */

/* Ways to use the engine: either role, with and without fresh masks, either call. */
static const struct way {
	const char *name;
	unsigned flags;
	feed_fn feed;
} ways[] = {
        {"run, client", WS_FROM_CLIENT, feed_run},
        {"run, server", 0, feed_run},
        {"run, client, remask", WS_FROM_CLIENT | WS_REMASK, feed_run},
        {"next, client", WS_FROM_CLIENT, feed_next},
        {"next, server", 0, feed_next},
};
enum { WAYS = sizeof(ways) / sizeof(*ways) };

/* Feeds the stream cut after cuts[0], cuts[1], ... */
static struct feed feed_cut(const struct way *way, const struct ws_limits *limits,
        const struct bytes *stream, const size_t *cuts, size_t n)
{
	struct feed f = {0};
	ws_reader_init(&f.reader, way->flags);
	bool is_good = true;
	size_t pos = 0;
	for (size_t i = 0; i <= n && !f.error; i++) {
		size_t end = i < n ? cuts[i] : stream->len;
		is_good = is_good &&
		          way->feed(&f, limits, pos < end ? stream->p + pos : NULL, end - pos);
		pos = end;
	}
	if (way->feed == feed_run)
		is_good = is_good && feed_unmask(&f, way->flags & WS_FROM_CLIENT);
	ck_assert_msg(is_good, "%s", way->name);
	ck_assert(ws_reader_is_mid_frame(&f.reader) == (f.cut > 0));
	return f;
}

static void expect_same_after(const struct way *way, const struct ws_limits *limits,
        const struct bytes *stream, const struct feed *want, const size_t *cuts, size_t n)
{
	struct feed got = feed_cut(way, limits, stream, cuts, n);
	const char *difference = feed_difference(want, &got);
	ck_assert_msg(!difference, "%s: %s differs, cut at %zu of %zu", way->name, difference,
	        n ? cuts[0] : 0, stream->len);
	if (!got.error && !(way->flags & WS_REMASK))
		ck_assert_mem_eq(&got.reader, &want->reader, sizeof(got.reader));
	feed_free(&got);
}

static void feed_by_bytes(const struct way *way, const struct ws_limits *limits,
        const struct bytes *stream, const struct feed *want)
{
	size_t *cuts = malloc((stream->len + 1) * sizeof(*cuts));
	for (size_t i = 0; i < stream->len; i++)
		cuts[i] = i + 1;
	expect_same_after(way, limits, stream, want, cuts, stream->len);
	free(cuts);
}

/* F-26 */
static void cut_everywhere(const struct way *way, const struct ws_limits *limits,
        const struct bytes *stream, const struct feed *want)
{
	for (size_t a = 0; a <= stream->len; a++) {
		expect_same_after(way, limits, stream, want, &a, 1);
		for (size_t b = a + 1; stream->len <= 60 && b < stream->len; b++)
			expect_same_after(way, limits, stream, want, (size_t[]){a, b}, 2);
	}
	feed_by_bytes(way, limits, stream, want);
}

/* --- tests --- */

START_TEST(scripted_streams_cut_everywhere)
{
	const struct script *s = &scripts[_i];
	struct feed first[2] = {0};
	for (size_t w = 0; w < WAYS; w++) {
		bool masked = ways[w].flags & WS_FROM_CLIENT;
		struct bytes stream = make_stream(s, masked);
		struct feed f = feed_cut(&ways[w], &no_limits, &stream, NULL, 0);
		ck_assert_msg(f.error == s->error, "%s, %s: %s", s->name, ways[w].name,
		        ws_error_reason(f.error));
		ck_assert_msg(f.frames == s->frames && f.messages == s->messages,
		        "%s: %u frames, %u messages", s->name, f.frames, f.messages);
		cut_everywhere(&ways[w], &no_limits, &stream, &f);
		/* All ways agree: the roles differ only in the masks. */
		if (w == 0)
			first[0] = f;
		else {
			struct bytes rest = f.rest;
			f.rest = first[0].rest;
			ck_assert_ptr_null(feed_difference(&first[0], &f));
			f.rest = rest;
			feed_free(&f);
		}
		free(stream.p);
	}
	feed_free(&first[0]);
}
END_TEST

START_TEST(what_passes_is_what_came)
{
	const struct script *s = &scripts[_i];
	for (size_t w = 0; w < 2; w++) {
		struct bytes stream = make_stream(s, ways[w].flags & WS_FROM_CLIENT);
		struct feed f = feed_cut(&ways[w], &no_limits, &stream, NULL, 0);
		/* Without control frames, the passed bytes are the stream's own. */
		if (f.controls.len == 0 && !f.error)
			ck_assert(f.passed.len + f.rest.len == stream.len &&
			          bytes_equal(&f.passed, &stream, f.passed.len));
		feed_free(&f);
		free(stream.p);
	}
}
END_TEST

/* F-01, F-03, F-04: each first byte, masked or not, in either role, inside a message
 * or not. */
START_TEST(every_first_byte)
{
	for (unsigned n = 0; n < 256 * 8; n++) {
		uint8_t first = (uint8_t)n;
		bool masked = n & 256, from_client = n & 512, inside = n & 1024;
		unsigned opcode = first & 15;
		enum ws_error want = WS_OK;
		if (first & 0x70)
			want = WS_ERR_RESERVED_BITS;
		else if ((opcode > 2 && opcode < 8) || opcode > 10)
			want = WS_ERR_OPCODE;
		else if (opcode >= 8 && !(first & 0x80))
			want = WS_ERR_CONTROL_FRAGMENT;
		else if (opcode < 8 && (opcode == 0) != inside)
			want = WS_ERR_SEQUENCE;
		else if (masked != from_client)
			want = WS_ERR_MASK;
		struct bytes stream = {0};
		if (inside)
			add_frame(&stream, 0x02, "start", 5, from_client);
		size_t before = stream.len;
		add_frame(&stream, first, opcode == WS_CLOSE ? "\x03\xe8" : "ab", 2, masked);
		const struct way *way = from_client ? &ways[0] : &ways[1];
		struct feed f = feed_cut(way, &no_limits, &stream, NULL, 0);
		ck_assert_msg(f.error == want, "first %02x masked %d from_client %d inside %d: %s",
		        first, masked, from_client, inside, ws_error_reason(f.error));
		feed_by_bytes(way, &no_limits, &stream, &f);
		feed_free(&f);
		/* A bad byte is told with its arrival. */
		struct bytes front = {.p = stream.p, .len = before + (want == WS_ERR_MASK ? 2 : 1)};
		f = feed_cut(way, &no_limits, &front, NULL, 0);
		ck_assert(f.error == want);
		feed_free(&f);
		free(stream.p);
	}
}
END_TEST

static size_t raw_header(uint8_t *out, uint8_t first, uint64_t len, bool masked)
{
	struct ws_frame f = {.len = len, .masked = masked, .key = {1, 2, 3, 4}};
	size_t n = ws_frame_write(out, &f);
	out[0] = first;
	return n;
}

/* F-06, F-07: after the header alone, without its mask key even. */
START_TEST(sizes)
{
	static const uint64_t lengths[] = {
	        0, 1, 125, 126, 127, 65535, 65536, UINT64_C(1) << 31, INT64_MAX};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		for (size_t j = 0; j < sizeof(lengths) / sizeof(*lengths); j++)
			for (size_t w = 0; w < WAYS; w++) {
				bool masked = ways[w].flags & WS_FROM_CLIENT;
				uint8_t header[WS_HEADER_MAX];
				uint64_t limit = lengths[j];
				struct bytes b = {.p = header,
				        .len = raw_header(header, 0x82, lengths[i], masked)};
				if (masked)
					b.len -= 4;
				struct ws_limits frame = {.max_frame = limit},
				                 message = {.max_message = limit};
				struct ws_limits both = {.max_frame = limit, .max_message = limit};
				bool is_over = limit != 0 && lengths[i] > limit;
				struct feed f = feed_cut(&ways[w], &frame, &b, NULL, 0);
				ck_assert(f.error == (is_over ? WS_ERR_FRAME_SIZE : WS_OK));
				feed_free(&f);
				f = feed_cut(&ways[w], &message, &b, NULL, 0);
				ck_assert(f.error == (is_over ? WS_ERR_MESSAGE_SIZE : WS_OK));
				feed_free(&f);
				f = feed_cut(&ways[w], &both, &b, NULL, 0);
				ck_assert(f.error == (is_over ? WS_ERR_FRAME_SIZE : WS_OK));
				feed_free(&f);
			}
}
END_TEST

/* F-08 */
START_TEST(the_sum_of_a_message_is_limited)
{
	static const struct part sound[] = {
	        PART(0x01, "0123"), PART(0x89, "0123456789"), PART(0x00, "4567"), PART(0x80, "89")};
	static const struct part over[] = {PART(0x01, "0123"), PART(0x89, "0123456789"),
	        PART(0x00, "4567"), PART(0x80, "89a")};
	struct ws_limits limits = {.max_message = 10};
	for (size_t w = 0; w < WAYS; w++) {
		bool masked = ways[w].flags & WS_FROM_CLIENT;
		struct bytes a = make_stream_of(sound, 4, masked),
		             b = make_stream_of(over, 4, masked);
		struct feed f = feed_cut(&ways[w], &limits, &a, NULL, 0);
		ck_assert(f.error == WS_OK && f.messages == 1 && f.frames == 3);
		cut_everywhere(&ways[w], &limits, &a, &f);
		feed_free(&f);
		f = feed_cut(&ways[w], &limits, &b, NULL, 0);
		ck_assert(f.error == WS_ERR_MESSAGE_SIZE && f.messages == 0 && f.frames == 2);
		cut_everywhere(&ways[w], &limits, &b, &f);
		feed_free(&f);
		free(a.p);
		free(b.p);
	}
}
END_TEST

/* The limits hold on the way of small messages too. */
START_TEST(small_limits)
{
	for (size_t w = 0; w < WAYS; w++)
		for (uint64_t limit = 1; limit < 12; limit++) {
			struct bytes b = {0};
			for (size_t len = 0; len < 12; len++)
				add_frame(&b, 0x81, "01234567890", len,
				        ways[w].flags & WS_FROM_CLIENT);
			struct ws_limits limits = {.max_message = limit};
			struct feed f = feed_cut(&ways[w], &limits, &b, NULL, 0);
			ck_assert(f.messages == limit + 1);
			ck_assert(f.error == (limit < 11 ? WS_ERR_MESSAGE_SIZE : WS_OK));
			feed_by_bytes(&ways[w], &limits, &b, &f);
			feed_free(&f);
			free(b.p);
		}
}
END_TEST

/* F-15, F-16 */
START_TEST(fragments_are_counted)
{
	struct ws_limits limits = {.max_fragments = 1024};
	for (size_t w = 0; w < WAYS; w++)
		for (size_t len = 0; len < 2; len++) {
			bool masked = ways[w].flags & WS_FROM_CLIENT;
			struct bytes b = {0};
			add_frame(&b, 0x02, "x", len, masked);
			for (int i = 0; i < 1023; i++)
				add_frame(&b, i == 1022 ? 0x80 : 0x00, "x", len, masked);
			add_frame(&b, 0x02, "x", 1, masked);
			struct feed f = feed_cut(&ways[w], &limits, &b, NULL, 0);
			ck_assert(!f.error && f.frames == 1025 && f.messages == 1);
			feed_by_bytes(&ways[w], &limits, &b, &f);
			feed_free(&f);
			b.len = 0;
			add_frame(&b, 0x02, "x", len, masked);
			for (int i = 0; i < 1024; i++)
				add_frame(&b, i == 1023 ? 0x80 : 0x00, "x", len, masked);
			f = feed_cut(&ways[w], &limits, &b, NULL, 0);
			ck_assert(
			        f.error == WS_ERR_FRAGMENTS && f.frames == 1024 && f.messages == 0);
			feed_by_bytes(&ways[w], &limits, &b, &f);
			feed_free(&f);
			f = feed_cut(&ways[w], &no_limits, &b, NULL, 0);
			ck_assert(!f.error && f.frames == 1025 && f.messages == 1);
			feed_free(&f);
			free(b.p);
		}
}
END_TEST

/* However the bytes are cut, and with control frames between. */
START_TEST(text_is_told_from_binary)
{
	for (size_t w = 0; w < WAYS; w++) {
		bool masked = ways[w].flags & WS_FROM_CLIENT;
		struct bytes b = {0};
		add_frame(&b, 0x81, LONG, 10, masked);
		add_frame(&b, 0x82, LONG, 10, masked);
		add_frame(&b, 0x01, LONG, 100, masked);
		add_frame(&b, 0x89, LONG, 5, masked);
		add_frame(&b, 0x80, LONG, 20, masked);
		add_frame(&b, 0x02, LONG, 30, masked);
		add_frame(&b, 0x80, LONG, 0, masked);
		add_frame(&b, 0x81, LONG, 126, masked);
		add_frame(&b, 0x01, LONG, 3, masked);
		size_t header = masked ? 6 : 2;
		size_t text = 4 * header + 10 + 100 + 20 + 3 + header + 2 + 126;
		for (size_t step = 1; step <= b.len; step++) {
			struct feed f = {.error = WS_OK};
			ws_reader_init(&f.reader, ways[w].flags);
			for (size_t at = 0; at < b.len; at += step)
				ck_assert(feed_run(&f, &no_limits, b.p + at,
				        step < b.len - at ? step : b.len - at));
			ck_assert(!f.error && f.messages == 5 && f.texts == 3);
			ck_assert_uint_eq(f.text_bytes, text);
			feed_free(&f);
		}
		free(b.p);
	}
}
END_TEST

/* F-06: a huge declared length costs nothing and its bytes stream through. */
START_TEST(a_huge_frame_streams)
{
	for (size_t w = 0; w < WAYS; w++) {
		bool masked = ways[w].flags & WS_FROM_CLIENT;
		uint8_t header[WS_HEADER_MAX];
		struct bytes b = {0};
		bytes_add(&b, header, raw_header(header, 0x82, INT64_MAX, masked));
		for (int i = 0; i < 200; i++)
			bytes_add(&b, "payload", 7);
		struct feed f = feed_cut(&ways[w], &no_limits, &b, NULL, 0);
		ck_assert(!f.error && f.frames == 0 && f.rest.len == 0);
		ck_assert_uint_eq(f.reader.left, (uint64_t)INT64_MAX - 1400);
		ck_assert(ws_reader_is_mid_frame(&f.reader) && ws_reader_is_mid_message(&f.reader));
		feed_by_bytes(&ways[w], &no_limits, &b, &f);
		feed_free(&f);
		free(b.p);
	}
}
END_TEST

/* The sum of a message's lengths does not wrap past its limit. */
START_TEST(sums_do_not_overflow)
{
	struct ws_limits limits = {.max_message = UINT64_MAX - 1};
	struct ws_reader r;
	struct ws_run run;
	uint8_t header[WS_HEADER_MAX];
	ws_reader_init(&r, 0);
	/* As after a frame of 2^63 - 1 bytes, twice. */
	r.opcode = WS_BINARY;
	r.fragments = 2;
	r.message = 2 * (uint64_t)INT64_MAX;
	size_t n = raw_header(header, 0x00, 1, false);
	ws_reader_run(&r, &limits, header, n, &run);
	ck_assert(run.stop == WS_STOP_BROKEN && run.error == WS_ERR_MESSAGE_SIZE);
	n = raw_header(header, 0x00, INT64_MAX, false);
	ws_reader_run(&r, &limits, header, n, &run);
	ck_assert(run.stop == WS_STOP_BROKEN && run.error == WS_ERR_MESSAGE_SIZE);
	ws_reader_run(&r, &no_limits, header, n, &run);
	ck_assert(run.stop == WS_STOP_MORE);
}
END_TEST

/* F-10: a header never passes without the first byte of its payload. */
START_TEST(headers_do_not_pass_alone)
{
	static const uint64_t lengths[] = {1, 126, 65536};
	for (size_t i = 0; i < 3; i++)
		for (size_t w = 0; w < WAYS; w++) {
			uint8_t header[WS_HEADER_MAX];
			size_t n = raw_header(
			        header, 0x81, lengths[i], ways[w].flags & WS_FROM_CLIENT);
			for (size_t len = 0; len <= n; len++) {
				struct bytes b = {.p = header, .len = len};
				struct feed f = feed_cut(&ways[w], &no_limits, &b, NULL, 0);
				ck_assert(!f.error && f.plain.len == 0 && f.rest.len == len);
				ck_assert(!ws_reader_is_mid_frame(&f.reader));
				ck_assert(!ws_reader_is_mid_message(&f.reader));
				feed_free(&f);
			}
		}
}
END_TEST

/* F-21: nothing at or behind the wrong byte passes, and it is told at once. */
START_TEST(nothing_passes_from_the_wrong_byte_on)
{
	for (size_t w = 0; w < WAYS; w++)
		for (size_t wrong = 0; wrong < 150; wrong++)
			for (unsigned kind = 0; kind < 3; kind++) {
				bool masked = ways[w].flags & WS_FROM_CLIENT;
				char text[150];
				memset(text, 't', sizeof(text));
				text[wrong] = (char)0xff;
				struct bytes b = {0};
				/* A message; a last fragment; a longer frame that goes on. */
				if (kind == 1)
					add_frame(&b, 0x01, "ok", 2, masked);
				add_frame(&b, kind == 1 ? 0x80 : 0x81, text, sizeof(text), masked);
				size_t payload = b.len - sizeof(text);
				if (kind == 2)
					b.len = payload + wrong + 1;
				struct feed f = feed_cut(&ways[w], &no_limits, &b, NULL, 0);
				ck_assert(f.error == WS_ERR_UTF8 && f.cut == 0);
				ck_assert_uint_eq(f.frames, kind == 1);
				feed_free(&f);
				/* The frame's beginning has passed, the wrong byte comes later. */
				size_t cut = payload + wrong / 2;
				f = feed_cut(&ways[w], &no_limits, &b, &cut, 1);
				ck_assert(f.error == WS_ERR_UTF8);
				ck_assert_uint_eq(f.cut, wrong / 2 ? 150 - wrong / 2 : 0);
				feed_free(&f);
				free(b.p);
			}
}
END_TEST

/* Fresh masks: other keys than those that came, and not the same ones. */
START_TEST(remasking_changes_every_key)
{
	struct bytes b = {0};
	for (int i = 0; i < 40; i++)
		add_frame(&b, i % 4 == 3 ? 0x89 : 0x81, LONG, i % 3 ? 20 : 0, true);
	struct ws_reader r;
	struct ws_run run;
	struct ws_frame f, g;
	uint8_t *out = malloc(b.len);
	memcpy(out, b.p, b.len);
	ws_reader_init(&r, WS_FROM_CLIENT | WS_REMASK);
	for (size_t pos = 0; pos < b.len;) {
		ws_reader_run(&r, &no_limits, out + pos, b.len - pos, &run);
		ck_assert(run.stop != WS_STOP_BROKEN);
		pos += run.pass + (run.stop == WS_STOP_CONTROL ? run.control_len : 0);
	}
	int same = 0;
	for (size_t pos = 0; pos < b.len; pos += (size_t)(f.header_len + f.len)) {
		ck_assert_int_gt(ws_frame_parse(&f, b.p + pos, b.len - pos), 0);
		ck_assert_int_gt(ws_frame_parse(&g, out + pos, b.len - pos), 0);
		ck_assert(f.len == g.len && f.opcode == g.opcode && f.fin == g.fin);
		same += !memcmp(f.key, g.key, 4);
		ws_mask(out + pos + g.header_len, (size_t)g.len, g.key, 0);
		ck_assert(!g.len || !memcmp(out + pos + g.header_len, LONG, (size_t)g.len));
	}
	ck_assert_int_lt(same, 3);
	free(out);
	free(b.p);
}
END_TEST

static uint32_t random_state = 2463534242;
static uint32_t rnd(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % bound;
}

static size_t random_len(void)
{
	switch (rnd(8)) {
	case 0:
		return rnd(3);
	case 1:
		return 120 + rnd(12);
	case 2:
		return rnd(600);
	case 3:
		return rnd(12) ? rnd(40) : 65530 + rnd(12);
	default:
		return rnd(40);
	}
}

/* F-16: frames that carry nothing and end nothing are told, wherever the bytes are cut;
 * an empty message is none, nor is the empty end of one. */
START_TEST(F_16_empty_fragments_are_counted)
{
	static const uint8_t stream[] = {0x01, 0x00, 0x00, 0x00, 0x89, 0x00, 0x00, 0x01, 'a', 0x00,
	        0x00, 0x80, 0x00, 0x81, 0x00, 0x82, 0x00, 0x02, 0x00, 0x80, 0x00};
	struct ws_limits limits = {.max_message = 0};
	for (size_t cut = 0; cut <= sizeof stream; cut++) {
		struct ws_reader r;
		uint32_t empty = 0;
		size_t at = 0;
		ws_reader_init(&r, 0);
		for (int part = 0; part < 2; part++) {
			size_t end = part ? sizeof stream : cut;
			struct ws_run run = {.stop = WS_STOP_CONTROL};
			while (run.stop == WS_STOP_CONTROL) {
				uint8_t *exact = malloc(end - at + 1);
				memcpy(exact, stream + at, end - at);
				ws_reader_run(&r, &limits, exact, end - at, &run);
				free(exact);
				empty += run.empty;
				at += run.pass +
				      (run.stop == WS_STOP_CONTROL ? run.control_len : 0);
			}
			ck_assert_int_eq(run.stop, WS_STOP_MORE);
		}
		ck_assert_uint_eq(at, sizeof stream);
		ck_assert_uint_eq(empty, 4);
	}
}
END_TEST

/* A sound stream of frames, messages and control frames. */
static struct bytes random_stream(bool masked)
{
	static const char text[] = "a\xc3\xa9\xe2\x82\xac" SMILE "plain ASCII for some time, ";
	struct bytes b = {0};
	uint8_t *payload = malloc(70000);
	uint8_t opcode = 0;
	size_t at = 0; /* in the text, which goes on over the fragments */
	for (uint32_t i = 0, n = 1 + rnd(12); i < n; i++) {
		if (rnd(4) == 0) {
			add_frame(&b, (uint8_t)(0x89 + rnd(2)), LONG, rnd(126), masked);
			continue;
		}
		bool starts = opcode == 0, fin = rnd(3) > 0;
		if (starts)
			opcode = (uint8_t)(1 + rnd(2));
		size_t len = random_len();
		for (size_t j = 0; j < len; j++, at++)
			payload[j] = opcode == WS_TEXT ? (uint8_t)text[at % (sizeof(text) - 1)]
			                               : (uint8_t)rnd(256);
		while (fin && opcode == WS_TEXT && at % (sizeof(text) - 1) > 1 &&
		        at % (sizeof(text) - 1) < 10)
			payload[len++] = (uint8_t)text[at++ % (sizeof(text) - 1)];
		add_frame(&b, (uint8_t)((fin ? 0x80 : 0) | (starts ? opcode : 0)), payload, len,
		        masked);
		if (fin)
			opcode = 0, at = 0;
	}
	if (rnd(3) == 0)
		add_frame(&b, 0x88,
		        "\x03\xe8"
		        "bye",
		        rnd(2) ? 5 : 0, masked);
	free(payload);
	return b;
}

static void try_random_stream(bool masked, bool is_sound, struct bytes *b)
{
	static const struct ws_limits some = {.max_message = 700, .max_fragments = 4};
	const struct ws_limits *limits = is_sound || rnd(2) ? &no_limits : &some;
	struct feed want = feed_cut(&ways[masked ? 0 : 1], limits, b, NULL, 0);
	ck_assert(!is_sound || !want.error);
	for (size_t w = 0; w < WAYS; w++) {
		if (masked != ((ways[w].flags & WS_FROM_CLIENT) != 0))
			continue;
		for (int round = 0; round < 4; round++) {
			size_t cuts[64], n = 0, pos = 0;
			while (n < 64 && (pos += rnd(round ? 1u << (3 * round) : 2)) < b->len)
				cuts[n++] = pos;
			struct feed got = feed_cut(&ways[w], limits, b, cuts, n);
			const char *difference = feed_difference(&want, &got);
			ck_assert_msg(!difference, "%s: %s", ways[w].name, difference);
			feed_free(&got);
		}
	}
	feed_free(&want);
}

START_TEST(random_streams)
{
	for (int round = 0; round < 1500; round++) {
		bool masked = round & 1;
		struct bytes b = random_stream(masked);
		try_random_stream(masked, true, &b);
		/* With a few bits turned. */
		for (uint32_t i = 0, n = 1 + rnd(3); i < n && b.len > 0; i++)
			b.p[rnd((uint32_t)b.len)] ^= (uint8_t)(1u << rnd(8));
		try_random_stream(masked, false, &b);
		free(b.p);
	}
}
END_TEST

START_TEST(random_bytes_are_survived)
{
	for (int round = 0; round < 3000; round++) {
		struct bytes b = {0};
		for (uint32_t i = 0, n = rnd(60); i < n; i++) {
			/* Likely headers now and then. */
			static const uint8_t likely[] = {0x81, 0x82, 0x80, 0x01, 0x02, 0x00, 0x89};
			uint8_t byte = rnd(3) ? (uint8_t)rnd(256) : likely[rnd(sizeof(likely))];
			bytes_add(&b, &byte, 1);
		}
		try_random_stream(round & 1, false, &b);
		free(b.p);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ws_reader");
	TCase *c = tcase_create("reader");
	tcase_set_timeout(c, 30);
	tcase_add_loop_test(c, scripted_streams_cut_everywhere, 0, SCRIPTS);
	tcase_add_loop_test(c, what_passes_is_what_came, 0, SCRIPTS);
	tcase_add_test(c, every_first_byte);
	tcase_add_test(c, sizes);
	tcase_add_test(c, the_sum_of_a_message_is_limited);
	tcase_add_test(c, small_limits);
	tcase_add_test(c, fragments_are_counted);
	tcase_add_test(c, text_is_told_from_binary);
	tcase_add_test(c, F_16_empty_fragments_are_counted);
	tcase_add_test(c, a_huge_frame_streams);
	tcase_add_test(c, sums_do_not_overflow);
	tcase_add_test(c, headers_do_not_pass_alone);
	tcase_add_test(c, nothing_passes_from_the_wrong_byte_on);
	tcase_add_test(c, remasking_changes_every_key);
	tcase_add_test(c, random_streams);
	tcase_add_test(c, random_bytes_are_survived);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
