/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/record.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static char buf[4096];
static const struct record_key k = RECORD_KEY("k"), a = RECORD_KEY("a"), n = RECORD_KEY("n"),
                               z = RECORD_KEY("z"),
                               longest = RECORD_KEY("a_key_of_28_letters_at_most_");
static const char when[] = "2026-11-21T00:35:10.123Z";

static void json_is(struct slice value, const char *want)
{
	struct record r;
	char text[1024];

	record_begin(&r, buf, sizeof(buf), RECORD_JSON, NULL, NULL);
	record_slice(&r, &k, value);
	ck_assert(record_end(&r));
	snprintf(text, sizeof(text), "{\"k\":%s}\n", want);
	ck_assert_mem_eq(buf, text, strlen(text));
	ck_assert_uint_eq(r.len, strlen(text));
}

/* */
START_TEST(A_10_json_is_ascii_whatever_comes)
{
	json_is(SLICE(""), "\"\"");
	json_is(SLICE("plain /text?a=b"), "\"plain /text?a=b\"");
	json_is(SLICE("\"\\"), "\"\\\"\\\\\"");
	json_is(SLICE("a\r\nb\033[0m\0\x7f"), "\"a\\u000d\\u000ab\\u001b[0m\\u0000\\u007f\"");
	json_is(SLICE("\xc3\xa9\xe2\x82\xac\xe2\x80\xa8"), "\"\\u00e9\\u20ac\\u2028\"");
	json_is(SLICE("\xf0\x9f\x99\x82\xf4\x8f\xbf\xbf"), "\"\\ud83d\\ude42\\udbff\\udfff\"");
}
END_TEST

START_TEST(A_10_wrong_utf8_is_told_byte_by_byte)
{
	json_is(SLICE("\x80\xff\xfe"), "\"\\u0080\\u00ff\\u00fe\"");
	json_is(SLICE("\xc3"), "\"\\u00c3\"");
	json_is(SLICE("\xc3\xc3\xa9"), "\"\\u00c3\\u00e9\"");
	json_is(SLICE("\xc0\xaf"), "\"\\u00c0\\u00af\"");                       /* overlong */
	json_is(SLICE("\xe0\x80\xaf"), "\"\\u00e0\\u0080\\u00af\"");            /* overlong */
	json_is(SLICE("\xed\xa0\x80"), "\"\\u00ed\\u00a0\\u0080\"");            /* a surrogate */
	json_is(SLICE("\xf4\x90\x80\x80"), "\"\\u00f4\\u0090\\u0080\\u0080\""); /* over 10ffff */
	json_is(SLICE("\xf5\x80\x80\x80"), "\"\\u00f5\\u0080\\u0080\\u0080\"");
	json_is(SLICE("\xf0\x9f\x99x"), "\"\\u00f0\\u009f\\u0099x\"");
}
END_TEST

/* Values are looked at in blocks: an odd byte anywhere in one, and behind its end. */
START_TEST(A_10_an_odd_byte_is_found_wherever_it_stands)
{
	static const struct {
		uint8_t byte;
		const char *want;
	} odd[] = {{0, "\\u0000"}, {0x1f, "\\u001f"}, {'"', "\\\""}, {'\\', "\\\\"},
	        {0x7f, "\\u007f"}, {0x80, "\\u0080"}, {0xff, "\\u00ff"}};

	char bare[40], want[64];

	memset(bare, '~', sizeof(bare));
	for (size_t len = 0; len < sizeof(bare); len++) {
		uint8_t *value = malloc(len ? len : 1);

		memcpy(value, bare, len);
		snprintf(want, sizeof(want), "\"%.*s\"", (int)len, bare);
		memset(buf, '"', sizeof(buf));
		json_is(slice_of(value, len), want);
		for (size_t at = 0; at < len; at++) {
			for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
				value[at] = odd[i].byte;
				snprintf(want, sizeof(want), "\"%.*s%s%.*s\"", (int)at, bare,
				        odd[i].want, (int)(len - at - 1), bare);
				json_is(slice_of(value, len), want);
				value[at] = '~';
			}
		}
		free(value);
	}
}
END_TEST

START_TEST(numbers_in_a_row)
{
	static const struct record_key keys[] = {
	        RECORD_KEY("a"), RECORD_KEY("a_key_of_28_letters_at_most_"), RECORD_KEY("c")};
	static const uint64_t some[] = {
	        0, 9, 10, 99, 100, 101, 9999, 10000, 123456, 1234567, UINT64_MAX, 0};
	enum { SOME = sizeof(some) / sizeof(some[0]), ABSENT = SOME - 1 };

	/* Each key wanted or not, each a count or not, each value beside each. */
	for (unsigned i = 0; i < 16 * 8 * 2 * SOME * SOME * SOME; i++) {
		enum record_format f = i & 1 ? RECORD_TEXT : RECORD_JSON;
		unsigned wanted = i / 2 % 16, counts = i / 32 % 8, rest = i / 256;
		uint64_t values[3], given = 0;
		struct record_row row;
		struct record r;
		char want[256],
		        *at = want + sprintf(want, "%s", f == RECORD_TEXT ? " info  e" : "{");

		record_begin(&r, buf, sizeof(buf) - RECORD_KEY_ROOM, f,
		        f == RECORD_TEXT ? "" : NULL, f == RECORD_TEXT ? "e" : NULL);
		for (unsigned j = 0; j < 3; j++, rest /= SOME) {
			bool is_count = counts >> j & 1, is_absent = rest % SOME == ABSENT;
			values[j] = is_absent ? 0 : some[rest % SOME];
			if (!is_absent && !(is_count && values[j] == 0))
				given |= UINT64_C(1) << j;
			if (!(wanted >> j & 1) ||
			        !(given >> j & 1 || (is_count && f == RECORD_TEXT)))
				continue;
			at += f == RECORD_TEXT
			              ? sprintf(at, " %.*s=", (int)keys[j].len, keys[j].json + 2)
			              : sprintf(at, "%s\"%.*s\":", at[-1] == '{' ? "" : ",",
			                        (int)keys[j].len, keys[j].json + 2);
			at += sprintf(at, "%llu", (unsigned long long)values[j]);
		}
		sprintf(at, "%s\n", f == RECORD_TEXT ? "" : "}");
		record_row_init(&row, keys, 3, wanted, counts);
		for (unsigned j = 0; j < 3; j++)
			values[j] = given >> j & 1 ? values[j] : 1234; /* not to be read */
		record_row(&r, &row, given, values);
		/* No assertion for each: one costs as much as a record. */
		if (!record_end(&r) || r.len != strlen(want) || memcmp(buf, want, r.len) != 0)
			ck_abort_msg("not %s but %.*s", want, (int)r.len, buf);
	}
}
END_TEST

static void number_is(uint64_t value)
{
	char want[40];
	struct record r;

	sprintf(want, "{\"n\":%llu}\n", (unsigned long long)value);
	memset(buf, '#', sizeof(want));
	record_begin(&r, buf, sizeof(buf) - RECORD_KEY_ROOM, RECORD_JSON, NULL, NULL);
	record_num(&r, &n, value);
	if (!record_end(&r) || r.len != strlen(want) || memcmp(buf, want, r.len) != 0)
		ck_abort_msg("not %s but %.*s", want, (int)r.len, buf);
}

/* They are written by two, four and eight digits: zeros at each place, around each power of ten. */
START_TEST(numbers_of_every_length)
{
	uint64_t power = 1;

	for (uint64_t i = 0; i < 20000; i++)
		number_is(i);
	for (unsigned digits = 1; digits < 20; digits++) {
		power *= 10;
		for (uint64_t i = 0; i < 12; i++)
			number_is(power - 6 + i);
		for (uint64_t other = 1; other < power; other *= 10)
			number_is(power + other);
	}
	for (unsigned bit = 0; bit < 64; bit++) {
		number_is(UINT64_C(1) << bit);
		number_is(UINT64_MAX >> bit);
	}
	number_is(UINT64_C(12345678901234567890));
}
END_TEST

/* Printable ASCII and, at its end, a newline. */
static bool is_one_line(const char *line, size_t len)
{
	for (size_t at = 0; at + 1 < len; at++)
		if (line[at] < 0x20 || line[at] >= 0x7f)
			return false;
	return len && line[len - 1] == '\n';
}

/* Exact heap buffers: a sequence that is cut at the end of its value. */
START_TEST(A_10_every_byte_and_pair_stays_on_its_line)
{
	for (unsigned i = 0; i < 0x10000; i++) {
		for (enum record_format f = RECORD_JSON; f <= RECORD_TEXT; f++) {
			uint8_t *pair = malloc(2);
			struct record r;

			pair[0] = (uint8_t)i;
			pair[1] = (uint8_t)(i >> 8);
			record_begin(&r, buf, sizeof(buf), f, when, "e");
			record_slice(&r, &k, slice_of(pair, 1 + (i & 1)));
			ck_assert(record_end(&r));
			if (!is_one_line(buf, r.len))
				ck_abort_msg("of the bytes %#x came: %.*s", i, (int)r.len, buf);
			free(pair);
		}
	}
}
END_TEST

START_TEST(forms)
{
	static const char json[] = "{\"time\":\"2026-11-21T00:35:10.123Z\",\"event\":\"end\",\"a\":"
	                           "\"x y\",\"n\":18446744073709551615,\"z\":0,"
	                           "\"a_key_of_28_letters_at_most_\":10}\n";
	static const char text[] =
	        "2026-11-21T00:35:10.123Z info  end a=\"x y\" n=18446744073709551615 z=0 "
	        "a_key_of_28_letters_at_most_=10\n";

	for (enum record_format f = RECORD_JSON; f <= RECORD_TEXT; f++) {
		const char *want = f == RECORD_JSON ? json : text;
		struct record r;

		record_begin(&r, buf, sizeof(buf), f, when, "end");
		record_text(&r, &a, "x y");
		record_num(&r, &n, UINT64_MAX);
		record_num(&r, &z, 0);
		record_num(&r, &longest, 10);
		ck_assert(record_end(&r));
		ck_assert_uint_eq(r.len, strlen(want));
		ck_assert_mem_eq(buf, want, r.len);
	}
}
END_TEST

/* A beginning, a middle, and both in another record; a full piece, and one byte more. */
START_TEST(what_was_kept_stands_in_others)
{
	for (enum record_format f = RECORD_JSON; f <= RECORD_TEXT; f++) {
		struct record_piece head, piece;
		struct record first, again;
		char other[sizeof(buf)];
		size_t from;

		record_begin(&first, buf, sizeof(buf) - RECORD_KEY_ROOM, f, when, "end");
		ck_assert(record_keep(&first, 0, &head));
		record_id(&first, &a, 7);
		from = first.len;
		record_text(&first, &k, "x \"y\"");
		record_num(&first, &longest, 10);
		ck_assert(record_keep(&first, from, &piece));
		ck_assert(record_end(&first));
		record_begin_as(&again, other, sizeof(other) - RECORD_KEY_ROOM, f, &head);
		record_id(&again, &a, 7);
		record_piece(&again, &piece);
		ck_assert(record_end(&again));
		ck_assert_uint_eq(again.len, first.len);
		ck_assert_mem_eq(other, buf, first.len);
	}
}
END_TEST

START_TEST(what_is_too_large_or_cut_is_not_kept)
{
	for (size_t len = RECORD_PIECE_MAX - 20; len < RECORD_PIECE_MAX + 20; len++) {
		char *value = malloc(len);
		struct record_piece *piece = malloc(sizeof(*piece));
		struct record r;

		memset(value, 'v', len);
		record_begin(&r, buf, sizeof(buf) - RECORD_KEY_ROOM, RECORD_JSON, NULL, NULL);
		record_slice(&r, &k, slice_of(value, len));
		ck_assert_uint_eq(r.len, len + strlen(",\"k\":\"\""));
		ck_assert(record_keep(&r, 0, piece) == (r.len <= RECORD_PIECE_MAX));
		free(piece);
		free(value);
	}
	struct record_piece piece;
	struct record r;
	record_begin(&r, buf, 10, RECORD_JSON, NULL, NULL);
	record_text(&r, &k, "value");
	ck_assert(!record_keep(&r, 0, &piece));
}
END_TEST

/* Written where it stands, up to the last byte of the room; no byte less will do. */
START_TEST(a_value_is_written_in_its_place)
{
	size_t whole = strlen(",\"k\":\"12345\"");

	for (size_t room = 0; room < whole + 2; room++) {
		char *exact = malloc(room + RECORD_KEY_ROOM), *at;
		struct record r;

		record_begin(&r, exact, room, RECORD_JSON, NULL, NULL);
		at = record_open(&r, &k, 5);
		ck_assert((at != NULL) == (room >= whole));
		if (at) {
			memcpy(at, "12345", 5);
			record_close(&r, at + 5);
			ck_assert_uint_eq(r.len, whole);
			ck_assert_mem_eq(exact, ",\"k\":\"12345\"", whole);
		}
		free(exact);
	}
}
END_TEST

START_TEST(what_does_not_fit_is_no_record)
{
	for (size_t room = 0; room < 80; room++) {
		char *exact = malloc(room + RECORD_KEY_ROOM);
		struct record_row row;
		struct record r;
		bool fits;

		record_begin(&r, exact, room, RECORD_JSON, when, "e");
		record_slice(&r, &k, SLICE("\xc3\xa9"));
		fits = record_end(&r);
		ck_assert(fits == (room >= strlen("{\"time\":\"2026-11-21T00:35:10.123Z\","
		                                  "\"event\":\"e\",\"k\":\"\\u00e9\"}\n")));
		ck_assert_uint_le(r.len, room);
		record_begin(&r, exact, room, RECORD_JSON, NULL, NULL);
		record_num(&r, &longest, UINT64_MAX);
		record_num(&r, &longest, UINT64_MAX);
		record_end(&r);
		ck_assert_uint_le(r.len, room);
		record_begin(&r, exact, room, RECORD_JSON, NULL, NULL);
		record_id(&r, &longest, UINT64_MAX);
		record_row_init(&row, &longest, 1, 1, 0);
		record_row(&r, &row, 1, (const uint64_t[]){UINT64_MAX});
		record_end(&r);
		ck_assert_uint_le(r.len, room);
		free(exact);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base_record");
	TCase *tc = tcase_create("record");
	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, A_10_json_is_ascii_whatever_comes);
	tcase_add_test(tc, A_10_wrong_utf8_is_told_byte_by_byte);
	tcase_add_test(tc, A_10_an_odd_byte_is_found_wherever_it_stands);
	tcase_add_test(tc, numbers_in_a_row);
	tcase_add_test(tc, what_was_kept_stands_in_others);
	tcase_add_test(tc, what_is_too_large_or_cut_is_not_kept);
	tcase_add_test(tc, a_value_is_written_in_its_place);
	tcase_add_test(tc, numbers_of_every_length);
	tcase_add_test(tc, A_10_every_byte_and_pair_stays_on_its_line);
	tcase_add_test(tc, forms);
	tcase_add_test(tc, what_does_not_fit_is_no_record);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
