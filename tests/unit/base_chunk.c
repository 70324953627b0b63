/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/chunk.h"
#include "base/fault.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM = CHUNK_SIZE - 16, PATTERN = 5 * CHUNK_SIZE };

static struct pool pool;
static struct queue q;
static uint8_t pattern[PATTERN];

static void setup(void)
{
	chunk_pool_init(&pool);
	q = (struct queue){0};
	for (size_t i = 0; i < PATTERN; i++)
		pattern[i] = (uint8_t)(i * 7 + i / 256);
}

static void teardown(void)
{
	fault_plan(NULL);
	queue_clear(&q, &pool);
	ck_assert_ptr_null(q.first);
	ck_assert_ptr_null(q.last);
	pool_fini(&pool); /* asserts that no chunk leaked */
}

static void append(size_t from, size_t len)
{
	/* An exact copy on the heap: one byte read too many is seen. */
	uint8_t *copy = malloc(len ? len : 1);
	struct slice v = slice_of(copy, len);

	memcpy(copy, pattern + from, len);
	ck_assert(queue_append(&q, &pool, &v, 1));
	free(copy);
}

/* The queue holds exactly the pattern's bytes from `from`. */
static void expect(size_t from, size_t len)
{
	struct iovec iov[16];
	int n = queue_iov(&q, iov, 16);
	size_t seen = 0;

	ck_assert_uint_eq(q.bytes, len);
	for (int i = 0; i < n; i++) {
		ck_assert_uint_gt(iov[i].iov_len, 0);
		ck_assert_mem_eq(iov[i].iov_base, pattern + from + seen, iov[i].iov_len);
		seen += iov[i].iov_len;
	}
	ck_assert_uint_eq(seen, len);
}

START_TEST(empty_queues_hold_no_memory)
{
	struct slice none[2] = {{NULL, 0}, {NULL, 0}};
	struct iovec iov;

	ck_assert(queue_is_empty(&q));
	ck_assert(queue_append(&q, &pool, none, 2));
	ck_assert(queue_append(&q, &pool, NULL, 0));
	ck_assert(queue_is_empty(&q));
	ck_assert_int_eq(queue_iov(&q, &iov, 1), 0);
	ck_assert_uint_eq(pool.used, 0);
	append(0, 10);
	ck_assert(queue_append(&q, &pool, none, 2));
	queue_drop(&q, &pool, 10);
	ck_assert_uint_eq(pool.used, 0);
	ck_assert_ptr_null(q.last);
}
END_TEST

START_TEST(lengths_around_a_chunk)
{
	static const size_t len[] = {1, ROOM - 1, ROOM, ROOM + 1, 2 * ROOM, 2 * ROOM + 1, PATTERN};

	for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		append(0, len[i]);
		expect(0, len[i]);
		ck_assert_uint_eq(pool.used, (len[i] + ROOM - 1) / ROOM);
		queue_drop(&q, &pool, len[i]);
		ck_assert_uint_eq(pool.used, 0);
	}
}
END_TEST

START_TEST(free_room_is_filled_first)
{
	append(0, 100);
	append(100, ROOM - 100);
	ck_assert_uint_eq(pool.used, 1);
	append(ROOM, 1);
	ck_assert_uint_eq(pool.used, 2);
	expect(0, ROOM + 1);
}
END_TEST

START_TEST(many_slices_keep_their_order)
{
	struct slice v[5] = {slice_of(pattern, 3), slice_of(NULL, 0), slice_of(pattern + 3, ROOM),
	        slice_of(pattern + 3 + ROOM, 1), slice_of(pattern + 4 + ROOM, ROOM)};

	ck_assert(queue_append(&q, &pool, v, 5));
	expect(0, 4 + 2 * ROOM);
	ck_assert_uint_eq(pool.used, 3);
}
END_TEST

START_TEST(drops_at_every_step)
{
	size_t step = 977;
	size_t at = 0;

	append(0, PATTERN);
	while (at < PATTERN) {
		size_t n = PATTERN - at < step ? PATTERN - at : step;

		queue_drop(&q, &pool, n);
		at += n;
		expect(at, PATTERN - at);
	}
	ck_assert_uint_eq(pool.used, 0);
}
END_TEST

START_TEST(interleaved_with_drops)
{
	size_t in = 0, gone = 0;

	for (size_t n = 1; in + n <= PATTERN; n = n * 5 % 1021 + 1) {
		append(in, n);
		in += n;
		if (n % 3 == 0) {
			size_t half = (in - gone) / 2;

			queue_drop(&q, &pool, half);
			gone += half;
		}
		expect(gone, in - gone);
	}
}
END_TEST

START_TEST(a_shared_chunk_is_not_written_to)
{
	struct chunk *shared;

	append(0, 10);
	shared = q.first;
	shared->refs++;
	append(10, 10);
	ck_assert_uint_eq(shared->end, 10);
	ck_assert_uint_eq(pool.used, 2);
	expect(0, 20);
	queue_clear(&q, &pool);
	ck_assert_uint_eq(pool.used, 1);
	pool_put(&pool, shared);
}
END_TEST

START_TEST(without_memory_nothing_is_added)
{
	struct slice v = slice_of(pattern + 10, 3 * ROOM);

	append(0, 10);
	for (int nth = 1; nth <= 3; nth++) {
		char plan[32];

		snprintf(plan, sizeof(plan), "alloc:%d:ENOMEM", nth);
		ck_assert(fault_plan(plan));
		ck_assert(!queue_append(&q, &pool, &v, 1));
		expect(0, 10);
		ck_assert_uint_eq(pool.used, 1);
	}
	fault_plan(NULL);
	ck_assert(queue_append(&q, &pool, &v, 1));
	expect(0, 10 + 3 * ROOM);
}
END_TEST

START_TEST(more_than_can_be_counted_is_refused)
{
	struct slice v[2] = {slice_of(pattern, 5), slice_of(pattern, UINT32_MAX)};
	struct slice huge = slice_of(pattern, SIZE_MAX);

	ck_assert(!queue_append(&q, &pool, v, 2));
	ck_assert(!queue_append(&q, &pool, &huge, 1));
	ck_assert_uint_eq(pool.used, 0);
}
END_TEST

START_TEST(iov_is_bounded)
{
	struct iovec iov[2];

	append(0, PATTERN);
	ck_assert_int_eq(queue_iov(&q, iov, 2), 2);
	ck_assert_int_eq(queue_iov(&q, iov, 0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/chunk");
	TCase *t = tcase_create("chunk");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, empty_queues_hold_no_memory);
	tcase_add_test(t, lengths_around_a_chunk);
	tcase_add_test(t, free_room_is_filled_first);
	tcase_add_test(t, many_slices_keep_their_order);
	tcase_add_test(t, drops_at_every_step);
	tcase_add_test(t, interleaved_with_drops);
	tcase_add_test(t, a_shared_chunk_is_not_written_to);
	tcase_add_test(t, without_memory_nothing_is_added);
	tcase_add_test(t, more_than_can_be_counted_is_refused);
	tcase_add_test(t, iov_is_bounded);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
