/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/cookie.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct http_head head;

/* A head whose header lines have these values, each in a buffer of its exact size. */
static void set_lines(size_t n, const char *const *names, const char *const *values)
{
	head.n = n;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(values[i]);
		uint8_t *exact = malloc(len ? len : 1);
		memcpy(exact, values[i], len);
		head.field[i] = (struct http_field){
		        .name = slice_str(names[i]), .value = slice_of(exact, len)};
	}
}

static void free_lines(void)
{
	for (size_t i = 0; i < head.n; i++)
		free((void *)head.field[i].value.at);
	head.n = 0;
}

/* All values of cookie `a`, each behind a '|'. */
static const char *values_of(const char *line)
{
	static char out[256];
	struct http_cookies at = {.field = 0};
	struct slice v;
	size_t len = 0;
	set_lines(1, (const char *const[]){"cookie"}, &line);
	while (http_cookie_next(&head, &at, SLICE("a"), &v)) {
		out[len++] = '|';
		memcpy(out + len, v.at, v.len);
		len += v.len;
	}
	out[len] = '\0';
	free_lines();
	return out;
}

START_TEST(in_one_line)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
	        {"", ""},
	        {"a", ""},
	        {"a=", "|"},
	        {"a=1", "|1"},
	        {"b=1; a=2; c=3", "|2"},
	        {"a=1; a=2", "|1|2"},
	        {"a=1;a=2;", "|1|2"},
	        {";;; a=1 ;;", "|1"},
	        {"A=1", ""},
	        {"aa=1; xa=2; a =3", "|3"},
	        {"a=\"1\"", "|1"},
	        {"a=\"", "|\""},
	        {"a=\"\"", "|"},
	        {"a=1=2=3", "|1=2=3"},
	        {"a= 1\t", "|1"},
	        {"b=a=1", ""},
	        {"b=\"; a=1", "|1"},
	        {"=1; a", ""},
	        {"a; a=1", "|1"},
	        {"a=1, a=2", "|1, a=2"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		ck_assert_str_eq(values_of(rows[i].line), rows[i].want);
}
END_TEST

START_TEST(in_several_lines)
{
	struct http_cookies at = {.field = 0};
	struct slice v;
	set_lines(5, (const char *const[]){"Cookie", "X", "Cookie", "COOKIE", "Set-Cookie"},
	        (const char *const[]){"b=1", "a=no", "", "a=1; a=2", "a=no"});
	ck_assert(http_cookie_next(&head, &at, SLICE("a"), &v));
	ck_assert(slice_equal(v, SLICE("1")));
	ck_assert(http_cookie_next(&head, &at, SLICE("a"), &v));
	ck_assert(slice_equal(v, SLICE("2")));
	ck_assert(!http_cookie_next(&head, &at, SLICE("a"), &v));
	ck_assert(!http_cookie_next(&head, &at, SLICE("a"), &v));
	free_lines();
}
END_TEST

START_TEST(no_line)
{
	struct http_cookies at = {.field = 0};
	struct slice v;
	head.n = 0;
	ck_assert(!http_cookie_next(&head, &at, SLICE("a"), &v));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http_cookie");
	TCase *tc = tcase_create("cookie");
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, in_one_line);
	tcase_add_test(tc, in_several_lines);
	tcase_add_test(tc, no_line);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
