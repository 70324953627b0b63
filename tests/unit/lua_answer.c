/* SPDX-License-Identifier: BSD-2-Clause */

/* The headers that a script gives its answer. */

#include "lua/client.h"

#include "base/fault.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct lua_client c;

static void setup(void)
{
	c = (struct lua_client){.answer = NULL};
}

static void teardown(void)
{
	fault_plan(NULL);
	lua_answer_clear(&c);
	ck_assert_ptr_null(c.answer);
}

static bool add(const char *name, const char *value)
{
	return lua_answer_add(&c, slice_str(name), slice_str(value));
}

/* The i-th of that name (all: ""), as `name: value`; NULL: there is none. */
static const char *get(const char *name, size_t i)
{
	static char text[200];
	struct slice n, v;
	if (!lua_answer_get(&c, slice_str(name), i, &n, &v))
		return NULL;
	snprintf(text, sizeof text, "%.*s: %.*s", (int)n.len, (const char *)n.at, (int)v.len,
	        (const char *)v.at);
	return text;
}

START_TEST(found_in_any_case_and_in_order)
{
	ck_assert(add("X-A", "1") && add("X-B", "2") && add("x-a", "3"));
	ck_assert_str_eq(get("x-A", 0), "X-A: 1");
	ck_assert_str_eq(get("x-A", 1), "x-a: 3");
	ck_assert_ptr_null(get("x-A", 2));
	ck_assert_str_eq(get("", 1), "X-B: 2");
	ck_assert_ptr_null(get("X", 0));
	ck_assert_ptr_null(get("", 3));
}
END_TEST

START_TEST(removed_wherever_they_stand)
{
	for (int i = 0; i < 30; i++)
		ck_assert(add(i % 3 == 0 ? "Gone" : "Stays", "v"));
	lua_answer_remove(&c, SLICE("gone"));
	lua_answer_remove(&c, SLICE("never there"));
	ck_assert_ptr_null(get("Gone", 0));
	ck_assert_ptr_nonnull(get("Stays", 19));
	ck_assert_ptr_null(get("", 20));
	lua_answer_remove(&c, SLICE("stays"));
	ck_assert_ptr_null(get("", 0));
	ck_assert(add("New", ""));
	ck_assert_str_eq(get("", 0), "New: ");
}
END_TEST

START_TEST(what_would_break_the_head_is_escaped)
{
	static const uint8_t value[] = "a\r\nb\0\tc\x7f\xff";
	ck_assert(lua_answer_add(&c, SLICE("X Y:\r"), slice_of(value, sizeof value - 1)));
	ck_assert_str_eq(get("", 0), "X%20Y%3A%0D: a%0D%0Ab%00\tc%7F\xff");
}
END_TEST

/* A line is one that http/ reads again, and our own lines fit in beside those of the script. */
START_TEST(limits)
{
	enum { OWN_LINES = 4 };
	char *big = malloc(HTTP_LINE_MAX);
	memset(big, 'x', HTTP_LINE_MAX);
	ck_assert(!add("", "no name"));
	ck_assert(!lua_answer_add(&c, SLICE("A"), slice_of(big, HTTP_LINE_MAX - 2)));
	ck_assert(lua_answer_add(&c, SLICE("A"), slice_of(big, HTTP_LINE_MAX - 3)));
	memset(big, '\n', HTTP_LINE_MAX);
	ck_assert(!lua_answer_add(&c, SLICE("A"), slice_of(big, HTTP_LINE_MAX / 3 + 1)));
	free(big);
	for (int i = 1; i < HTTP_LINES_MAX - OWN_LINES; i++)
		ck_assert(add("N", "v"));
	ck_assert(!add("N", "v"));
}
END_TEST

START_TEST(without_memory)
{
	fault_plan("alloc:1:ENOMEM");
	ck_assert(!add("X", "1"));
	fault_plan(NULL);
	ck_assert(add("X", "1"));
	fault_plan("alloc:1:ENOMEM:9");
	while (add("Y", "a value of some length"))
		continue;
	ck_assert_str_eq(get("", 0), "X: 1");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lua/answer");
	TCase *t = tcase_create("answer");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, found_in_any_case_and_in_order);
	tcase_add_test(t, removed_wherever_they_stand);
	tcase_add_test(t, what_would_break_the_head_is_escaped);
	tcase_add_test(t, limits);
	tcase_add_test(t, without_memory);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
