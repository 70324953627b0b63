/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/list.h"
#include "base/slice.h"

#include <check.h>
#include <stdlib.h>

struct item {
	int value;
	struct list node;
};

/* The members' values as the digits of a number. */
static int digits(struct list *head)
{
	int n = 0;

	list_each (it, head)
		n = n * 10 + list_entry(it, struct item, node)->value;
	return n;
}

START_TEST(members_keep_their_order)
{
	struct list head;
	struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};

	list_init(&head);
	ck_assert(list_is_empty(&head));
	list_append(&head, &a.node);
	list_append(&head, &b.node);
	list_append(&head, &c.node);
	ck_assert_int_eq(digits(&head), 123);
	list_remove(&b.node);
	ck_assert_int_eq(digits(&head), 13);
	list_remove(&b.node);
	ck_assert_int_eq(digits(&head), 13);
	ck_assert(list_is_empty(&b.node));
	list_remove(&a.node);
	list_remove(&c.node);
	ck_assert(list_is_empty(&head));
}
END_TEST

START_TEST(taking_leaves_nothing_behind)
{
	struct list from, to;
	struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};

	list_init(&from);
	list_init(&to);
	list_take(&to, &from);
	ck_assert(list_is_empty(&to));
	list_append(&to, &a.node);
	list_append(&from, &b.node);
	list_append(&from, &c.node);
	list_take(&to, &from);
	ck_assert_int_eq(digits(&to), 123);
	ck_assert(list_is_empty(&from));
	list_take(&to, &from);
	ck_assert_int_eq(digits(&to), 123);
	list_take(&from, &to);
	ck_assert_int_eq(digits(&from), 123);
	ck_assert(list_is_empty(&to));
	ck_assert_ptr_eq(from.prev, &c.node);
}
END_TEST

START_TEST(slices_compare_by_length_and_bytes)
{
	struct slice none = slice_of(NULL, 0);

	ck_assert(slice_equal(none, SLICE("")));
	ck_assert(slice_equal(SLICE("a\0b"), slice_of("a\0b", 3)));
	ck_assert(!slice_equal(SLICE("a\0b"), SLICE("a\0c")));
	ck_assert(!slice_equal(SLICE("ab"), slice_str("abc")));
	ck_assert(slice_starts_with(SLICE("abc"), SLICE("ab")));
	ck_assert(slice_starts_with(SLICE("abc"), none));
	ck_assert(!slice_starts_with(SLICE("ab"), SLICE("abc")));
	ck_assert(!slice_starts_with(none, SLICE("a")));
}
END_TEST

START_TEST(case_is_ascii_only)
{
	ck_assert(slice_equal_nocase(SLICE("WebSocket"), SLICE("wEBsOCKET")));
	ck_assert(!slice_equal_nocase(SLICE("websocket"), SLICE("websockets")));
	ck_assert(!slice_equal_nocase(SLICE("\xc4"), SLICE("\xe4")));
	/* Each differs from the other by the bit that makes letters small. */
	ck_assert(!slice_equal_nocase(SLICE("@[]"), SLICE("`{}")));
	for (unsigned c = 0; c < 256; c++) {
		bool is_upper = c >= 'A' && c <= 'Z';

		ck_assert_uint_eq(ascii_lower((uint8_t)c), is_upper ? c + 32 : c);
	}
}
END_TEST

/* Every pair of bytes, at every place of every length around the eight that are compared at
 * once, in memory of that size. */
START_TEST(case_is_folded_in_each_byte)
{
	for (size_t len = 1; len <= 25; len++) {
		uint8_t *a = malloc(len), *b = malloc(len);
		for (size_t at = 0; at < len; at++) {
			memset(a, 'q', len);
			memset(b, 'Q', len);
			for (unsigned pair = 0; pair < 256 * 256; pair++) {
				a[at] = (uint8_t)pair;
				b[at] = (uint8_t)(pair >> 8);
				bool same = ascii_lower(a[at]) == ascii_lower(b[at]);
				if (slice_equal_nocase(slice_of(a, len), slice_of(b, len)) != same)
					ck_abort_msg("%u at %zu of %zu", pair, at, len);
			}
		}
		free(a);
		free(b);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/list");
	TCase *t = tcase_create("list");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, members_keep_their_order);
	tcase_add_test(t, taking_leaves_nothing_behind);
	tcase_add_test(t, slices_compare_by_length_and_bytes);
	tcase_add_test(t, case_is_ascii_only);
	tcase_add_test(t, case_is_folded_in_each_byte);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
