/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/input.h"

#include "base/fault.h"
#include "lua/thread.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static struct lua_input in;
static struct lua_wait reader;
static unsigned calls, resumes;
static size_t wanted; /* taken by more() when so many are there */

static void resume(struct lua_input *i)
{
	ck_assert_ptr_eq(i, &in);
	resumes++;
}

static void setup(void)
{
	in = (struct lua_input){.resume = resume};
	calls = resumes = 0;
	wanted = 0;
}

static void teardown(void)
{
	fault_plan(NULL);
	lua_input_fini(&in);
	ck_assert_uint_eq(lua_input_len(&in), 0);
}

static void more(struct lua_input *i)
{
	uint8_t *at;
	size_t len;
	calls++;
	ck_assert(lua_input_view(i, &at, &len));
	if (len >= wanted)
		lua_input_take(i, wanted);
}

/* In an exact copy on the heap: one byte read too many is seen. */
static bool serve(const char *text, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	memcpy(copy, text, len);
	bool kept = lua_input_serve(&in, copy, len);
	free(copy);
	return kept;
}

static void expect(const char *text)
{
	uint8_t *at;
	size_t len;
	ck_assert(lua_input_view(&in, &at, &len));
	ck_assert_uint_eq(len, strlen(text));
	ck_assert(memcmp(at, text, len) == 0);
}

START_TEST(without_a_reader_bytes_are_kept)
{
	ck_assert(serve("abc", 3) && serve("", 0) && serve("def", 3));
	expect("abcdef");
	lua_input_take(&in, 2);
	expect("cdef");
	ck_assert(serve("g", 1));
	expect("cdefg");
	lua_input_take(&in, 5);
	ck_assert_ptr_null(in.kept);
}
END_TEST

START_TEST(a_reader_takes_them_where_they_lie)
{
	lua_input_await(&in, &reader, more);
	wanted = 3;
	ck_assert(serve("abc", 3));
	ck_assert_uint_eq(calls, 1);
	ck_assert_ptr_null(in.kept);
	ck_assert(serve("abcde", 5));
	expect("de");
}
END_TEST

/* A reader that wants five at a time, whatever the pieces: never a byte lost or doubled. */
START_TEST(every_split_point)
{
	static const char text[] = "0123456789";
	for (size_t first = 0; first <= 10; first++) {
		for (size_t second = first; second <= 10; second++) {
			lua_input_fini(&in);
			setup();
			wanted = 5;
			lua_input_await(&in, &reader, more);
			ck_assert(serve(text, first) && serve(text + first, second - first) &&
			          serve(text + second, 10 - second));
			size_t left = lua_input_len(&in);
			ck_assert(left == 0 || left == 5);
			if (left == 5)
				expect("56789");
		}
	}
}
END_TEST

START_TEST(room_is_used_again)
{
	enum { ROUNDS = 10000 };
	serve("x", 1);
	for (int i = 0; i < ROUNDS; i++) {
		ck_assert(serve("0123456789", 10));
		lua_input_take(&in, 10);
	}
	ck_assert_uint_le(in.size, 1024);
}
END_TEST

START_TEST(what_was_paused_goes_on)
{
	enum { MAX = 1024 };
	static char big[MAX + 1];
	lua_input_set_max(&in, MAX);
	ck_assert(serve(big, MAX));
	ck_assert(!lua_input_is_over(&in));
	lua_input_take(&in, MAX);
	ck_assert(serve(big, sizeof big));
	ck_assert(lua_input_is_over(&in));
	in.is_paused = true;
	lua_input_take(&in, sizeof big / 2 - 10);
	ck_assert_uint_eq(resumes, 0);
	lua_input_take(&in, 20);
	ck_assert_uint_eq(resumes, 1);
	in.is_paused = true;
	lua_input_await(&in, &reader, more);
	ck_assert_uint_eq(resumes, 2);
	ck_assert(!in.is_paused);
}
END_TEST

START_TEST(the_end_is_told_once_to_a_reader)
{
	lua_input_await(&in, &reader, more);
	wanted = 1;
	in.reader = NULL;
	lua_input_end(&in, 0);
	ck_assert_uint_eq(calls, 0);
	ck_assert(in.is_eof && in.error == 0);
	lua_input_end(&in, ECONNRESET);
	lua_input_end(&in, EPIPE);
	ck_assert_int_eq(in.error, ECONNRESET);
}
END_TEST

START_TEST(without_memory)
{
	fault_plan("alloc:1:ENOMEM");
	ck_assert(!serve("abc", 3));
	fault_plan(NULL);
	ck_assert_uint_eq(lua_input_len(&in), 0);
	ck_assert(serve("abc", 3));
	expect("abc");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lua/input");
	TCase *t = tcase_create("input");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, without_a_reader_bytes_are_kept);
	tcase_add_test(t, a_reader_takes_them_where_they_lie);
	tcase_add_test(t, every_split_point);
	tcase_add_test(t, room_is_used_again);
	tcase_add_test(t, what_was_paused_goes_on);
	tcase_add_test(t, the_end_is_told_once_to_a_reader);
	tcase_add_test(t, without_memory);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
