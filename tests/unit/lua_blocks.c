/* SPDX-License-Identifier: BSD-2-Clause */

/* Large blocks that a VM's collector has freed, and how long they are kept. */

#include "lua/blocks.h"

#include "base/budget.h"
#include "net/worker.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = LUA_BLOCK_MIN, MOST = 4 * SIZE };

static struct worker *worker;
static struct lua_blocks blocks;
static unsigned freed;

static void *allocate(void *ud, void *p, size_t old, size_t size)
{
	ck_assert_ptr_eq(ud, &freed);
	ck_assert_uint_eq(size, 0);
	memset(p, 0, old); /* all of it is there */
	free(p);
	freed++;
	return NULL;
}

static void setup(void)
{
	worker = worker_new(0);
	lua_blocks_init(&blocks, worker, allocate, &freed);
	freed = 0;
}

static void teardown(void)
{
	lua_blocks_drop(&blocks);
	ck_assert_uint_eq(blocks.bytes, 0);
	worker_free(worker);
}

static void *keep(size_t size)
{
	void *p = malloc(size); /* exactly: a byte too many is seen */
	ck_assert(lua_blocks_keep(&blocks, p, size, MOST));
	return p;
}

static void pass(uint64_t ms)
{
	worker_set_time(worker, worker->now_ms + ms);
	worker_turn(worker, 0);
}

START_TEST(nothing_is_kept_at_first)
{
	ck_assert_ptr_null(lua_blocks_take(&blocks, SIZE));
}
END_TEST

START_TEST(what_fits_is_taken_once)
{
	void *p = keep(SIZE);
	ck_assert_uint_eq(blocks.bytes, SIZE);
	ck_assert_ptr_eq(lua_blocks_take(&blocks, SIZE), p);
	ck_assert_ptr_null(lua_blocks_take(&blocks, SIZE));
	free(p);
}
END_TEST

START_TEST(the_one_freed_last_comes_first)
{
	void *a = keep(SIZE), *b = keep(SIZE);
	ck_assert_ptr_eq(lua_blocks_take(&blocks, SIZE), b);
	ck_assert_ptr_eq(lua_blocks_take(&blocks, SIZE), a);
	free(a);
	free(b);
}
END_TEST

START_TEST(one_behind_others_is_found)
{
	void *a = keep(SIZE);
	keep(2 * SIZE);
	ck_assert_ptr_eq(lua_blocks_take(&blocks, SIZE), a);
	ck_assert_uint_eq(blocks.bytes, 2 * SIZE);
	free(a);
}
END_TEST

START_TEST(too_small_or_much_too_large_is_left)
{
	void *p = keep(2 * SIZE);
	ck_assert_ptr_null(lua_blocks_take(&blocks, 2 * SIZE + 1));
	ck_assert_ptr_null(lua_blocks_take(&blocks, SIZE));
	ck_assert_ptr_eq(lua_blocks_take(&blocks, 2 * SIZE - SIZE / 8), p);
	free(p);
}
END_TEST

START_TEST(no_more_than_that_is_kept)
{
	void *p = malloc(SIZE + 1);
	keep(3 * SIZE);
	ck_assert(!lua_blocks_keep(&blocks, p, SIZE + 1, MOST));
	ck_assert(!lua_blocks_keep(&blocks, p, SIZE + 1, SIZE));
	ck_assert(!lua_blocks_keep(&blocks, p, SIZE + 1, 0));
	ck_assert_uint_eq(blocks.bytes, 3 * SIZE);
	ck_assert_uint_eq(freed, 0);
	free(p);
}
END_TEST

START_TEST(they_count_as_taken)
{
	budget_set(16 * 1024 * 1024);
	budget_settle();
	bool had = budget_has(16 * 1024 * 1024 - SIZE);
	keep(2 * SIZE);
	budget_settle();
	ck_assert(!budget_has(16 * 1024 * 1024 - SIZE));
	lua_blocks_drop(&blocks);
	budget_settle();
	ck_assert(budget_has(16 * 1024 * 1024 - SIZE) == had);
	budget_set(0);
}
END_TEST

START_TEST(none_while_memory_is_short)
{
	void *p = malloc(SIZE);
	budget_set(SIZE);
	budget_take(SIZE);
	budget_settle();
	ck_assert(budget_is_short());
	ck_assert(!lua_blocks_keep(&blocks, p, SIZE, MOST));
	budget_take(-SIZE);
	budget_set(0);
	budget_settle();
	free(p);
}
END_TEST

START_TEST(unused_ones_go)
{
	keep(SIZE);
	keep(SIZE);
	pass(LUA_BLOCKS_IDLE_MS);
	ck_assert_uint_eq(freed, 0); /* that was the time in which they came */
	pass(LUA_BLOCKS_IDLE_MS);
	ck_assert_uint_eq(freed, 2);
	ck_assert(!timer_is_set(&blocks.timer));
}
END_TEST

START_TEST(used_ones_stay)
{
	keep(SIZE);
	for (int i = 0; i < 5; i++) {
		void *p = lua_blocks_take(&blocks, SIZE);
		ck_assert_ptr_nonnull(p);
		ck_assert(lua_blocks_keep(&blocks, p, SIZE, MOST));
		pass(LUA_BLOCKS_IDLE_MS);
	}
	ck_assert_uint_eq(freed, 0);
	ck_assert_uint_eq(blocks.bytes, SIZE);
}
END_TEST

START_TEST(none_without_a_worker)
{
	struct lua_blocks own;
	void *p = malloc(SIZE);
	lua_blocks_init(&own, NULL, allocate, &freed);
	ck_assert(!lua_blocks_keep(&own, p, SIZE, MOST));
	lua_blocks_drop(&own);
	free(p);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {nothing_is_kept_at_first, what_fits_is_taken_once,
	        the_one_freed_last_comes_first, one_behind_others_is_found,
	        too_small_or_much_too_large_is_left, no_more_than_that_is_kept, they_count_as_taken,
	        none_while_memory_is_short, unused_ones_go, used_ones_stay, none_without_a_worker};
	return suite_run("lua_blocks", tests, sizeof tests / sizeof tests[0], setup, teardown);
}
