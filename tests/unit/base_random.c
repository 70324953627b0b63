/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/random.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0)
			return false;
	return true;
}

START_TEST(every_length_is_filled_and_no_more)
{
	static const size_t len[] = {1, 2, 4, 16, 255, 256, 257, 511, 512, 513, 1024, 5000};

	random_bytes(NULL, 0);
	for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		uint8_t *exact = calloc(1, len[i]); /* ASan sees a byte too many */

		errno = EBADF;
		random_bytes(exact, len[i]);
		ck_assert_int_eq(errno, EBADF);
		if (len[i] >= 16) {
			ck_assert(!is_zero(exact, 16));
			ck_assert(!is_zero(exact + len[i] - 16, 16));
		}
		free(exact);
	}
}
END_TEST

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(uint64_t));
}

START_TEST(values_do_not_repeat)
{
	enum { N = 20000 };
	uint64_t *v = malloc(N * sizeof(*v));

	for (size_t i = 0; i < N; i++)
		random_bytes(&v[i], sizeof(v[i]));
	qsort(v, N, sizeof(*v), compare);
	for (size_t i = 1; i < N; i++)
		ck_assert_uint_ne(v[i - 1], v[i]);
	free(v);
}
END_TEST

START_TEST(below_a_bound)
{
	unsigned seen[7] = {0};

	for (int i = 0; i < 7000; i++) {
		uint32_t r = random_below(7);

		ck_assert_uint_lt(r, 7);
		seen[r]++;
	}
	/* 1000 each, 12 standard deviations off at most. */
	for (int i = 0; i < 7; i++) {
		ck_assert_uint_gt(seen[i], 640);
		ck_assert_uint_lt(seen[i], 1360);
	}
	ck_assert_uint_eq(random_below(1), 0);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_lt(random_below(UINT32_MAX), UINT32_MAX);
}
END_TEST

static void *sixteen(void *out)
{
	random_bytes(out, 16);
	return NULL;
}

START_TEST(threads_get_different_bytes)
{
	uint8_t a[16], b[16];
	pthread_t t;

	sixteen(a);
	ck_assert_int_eq(pthread_create(&t, NULL, sixteen, b), 0);
	pthread_join(t, NULL);
	ck_assert_mem_ne(a, b, 16);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/random");
	TCase *t = tcase_create("random");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, every_length_is_filled_and_no_more);
	tcase_add_test(t, values_do_not_repeat);
	tcase_add_test(t, below_a_bound);
	tcase_add_test(t, threads_get_different_bytes);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
