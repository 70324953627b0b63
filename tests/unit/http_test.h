/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the tests of http/ share: exact buffers, and parsing at every split. */

#include "http/head.h"

#include <check.h>
#include <stdlib.h>

typedef ssize_t (*parse_fn)(struct http_head *, struct http_scan *, const uint8_t *, size_t);

/* A copy that ends where its memory ends, so that reading on is found. */
static inline uint8_t *exact_copy(struct slice s)
{
	uint8_t *copy = malloc(s.len > 0 ? s.len : 1);

	ck_assert_ptr_nonnull(copy);
	if (s.len > 0)
		memcpy(copy, s.at, s.len);
	return copy;
}

static inline ssize_t parse_prefix(
        parse_fn parse, struct http_head *h, struct http_scan *scan, struct slice s, size_t len)
{
	uint8_t *copy = exact_copy(slice_of(s.at, len));
	ssize_t r = parse(h, scan, copy, len);

	free(copy);
	return r;
}

/* The verdict on the whole, which must be the same whatever part of it comes first,
 * and when it comes byte by byte. An early verdict must be the final one. */
static inline ssize_t parse_everywhere(parse_fn parse, struct slice s)
{
	static struct http_head h;
	struct http_scan scan = {0}, drip = {0};
	ssize_t want = parse_prefix(parse, &h, &scan, s, s.len), got = 0;

	for (size_t split = 0; split <= s.len; split++) {
		struct http_scan two = {0};
		ssize_t first = parse_prefix(parse, &h, &two, s, split);
		if (first != 0)
			ck_assert_int_eq(first, want);
		ck_assert_int_eq(parse_prefix(parse, &h, &two, s, s.len), want);
	}
	for (size_t n = 1; n <= s.len && got == 0; n++)
		got = parse_prefix(parse, &h, &drip, s, n);
	ck_assert_int_eq(got, want);
	return want;
}

/* Parses a head that must be sound and fill all of the text; the text must stay. */
static inline void parse_whole(parse_fn parse, struct http_head *h, struct slice s)
{
	struct http_scan scan = {0};

	ck_assert_int_eq(parse(h, &scan, s.at, s.len), (ssize_t)s.len);
}

#define ck_slice_eq(got, literal)                                                           \
	do {                                                                                \
		struct slice got_ = (got), want_ = SLICE(literal);                          \
		ck_assert_msg(slice_equal(got_, want_), "%s is \"%.*s\", not \"%s\"", #got, \
		        (int)got_.len, got_.len ? (const char *)got_.at : "", literal);     \
	} while (0)

static inline int run_tests(const char *name, const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 30);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define RUN_TESTS(name, ...)                                                     \
	int main(void)                                                           \
	{                                                                        \
		const TTest *const tests[] = {__VA_ARGS__};                      \
		return run_tests(name, tests, sizeof(tests) / sizeof(tests[0])); \
	}
