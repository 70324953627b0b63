/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/balance.h"

#include "upstream/ring.h"
#include "upstream_test.h"

#include <stdlib.h>

enum { NOBODY = -1, FULL = -2 };

#define WEIGHTS(...) ((const unsigned[]){__VA_ARGS__, 0})

/* The member that a session gets and keeps, or NOBODY, or FULL. */
static int pick_so(struct upstream_group *g, const struct pick_request *r, bool *is_trial)
{
	struct picked p = {.server = NULL};
	enum pick pick = upstream_pick(g, g->members, r, &p);
	if (is_trial)
		*is_trial = p.is_trial;
	return pick == PICK_SERVER ? (int)p.index : pick == PICK_FULL ? FULL : NOBODY;
}

static int pick(struct upstream_group *g)
{
	return pick_so(g, &plain_request, NULL);
}

static int pick_at(struct upstream_group *g, uint64_t now_ms)
{
	struct pick_request r = plain_request;
	r.now_ms = now_ms;
	return pick_so(g, &r, NULL);
}

static int pick_hashed(struct upstream_group *g, uint64_t hash)
{
	struct pick_request r = plain_request;
	r.hash = hash;
	return pick_so(g, &r, NULL);
}

static void leave(struct upstream_group *g, int i)
{
	upstream_give_back(state_at(g, (unsigned)i), 1000);
}

static void fail_at(struct upstream_group *g, unsigned i, uint64_t now_ms)
{
	server_state_fail(state_at(g, i), false, g->max_fails, g->fail_timeout_ms, now_ms, "test");
}

static void take_down(struct upstream_group *g, unsigned i)
{
	for (unsigned k = 0; k < g->max_fails; k++)
		fail_at(g, i, 1000);
	ck_assert(!server_state_is_up(state_at(g, i)));
}

/* Every session that stays is a reference to its server's state. */
static void end_all(struct upstream_group *g)
{
	for (unsigned i = 0; i < g->members->n; i++)
		while (state_at(g, i)->active > 0)
			leave(g, (int)i);
	upstream_group_unref(g);
}

START_TEST(turns_give_exactly_the_weights)
{
	struct upstream_group *g = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1, 1, 2, 4));
	for (int round = 0; round < 5; round++) {
		unsigned got[4] = {0};
		for (int i = 0; i < 8; i++)
			got[pick(g)]++;
		ck_assert(got[0] == 1 && got[1] == 1 && got[2] == 2 && got[3] == 4);
	}
	end_all(g);
}
END_TEST

START_TEST(turns_are_spread)
{
	struct upstream_group *g = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(5, 1, 1));
	int last = NOBODY, longest = 0, run = 0;
	for (int i = 0; i < 70; i++) {
		int got = pick(g);
		run = got == last ? run + 1 : 1;
		last = got;
		longest = run > longest ? run : longest;
	}
	ck_assert_int_le(longest, 4);
	end_all(g);
}
END_TEST

START_TEST(turns_of_64_servers)
{
	unsigned weights[UPSTREAM_SERVERS_MAX + 1] = {0}, got[UPSTREAM_SERVERS_MAX] = {0}, sum = 0;
	for (unsigned i = 0; i < UPSTREAM_SERVERS_MAX; i++)
		sum += weights[i] = i % 2 ? UPSTREAM_WEIGHT_MAX : 1 + i;
	struct upstream_group *g = group_make("g", BALANCE_ROUND_ROBIN, weights);
	for (unsigned i = 0; i < sum; i++)
		got[pick(g)]++;
	for (unsigned i = 0; i < UPSTREAM_SERVERS_MAX; i++)
		ck_assert_uint_eq(got[i], weights[i]);
	end_all(g);
}
END_TEST

/* The figure that is promised. */
START_TEST(least_connections_of_9000_sessions)
{
	struct upstream_group *g = group_make("g", BALANCE_LEAST_CONNECTIONS, WEIGHTS(1, 1, 2, 4));
	for (int i = 0; i < 9000; i++)
		pick(g);
	for (unsigned i = 0; i < 4; i++) {
		unsigned want = 9000 * server_at(g, i)->weight / 8, got = state_at(g, i)->active;
		ck_assert_msg(abs((int)got - (int)want) * 100 <= (int)want, "%u: %u, want %u", i,
		        got, want);
	}
	end_all(g);
}
END_TEST

START_TEST(least_connections_fills_what_was_emptied)
{
	struct upstream_group *g = group_make("g", BALANCE_LEAST_CONNECTIONS, WEIGHTS(1, 1, 1));
	for (int i = 0; i < 30; i++)
		pick(g);
	for (int i = 0; i < 6; i++)
		leave(g, 1);
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(pick(g), 1);
	end_all(g);
}
END_TEST

/* Sessions that end at once leave nothing to compare: ties go round. */
START_TEST(least_connections_breaks_ties_by_turns)
{
	struct upstream_group *g = group_make("g", BALANCE_LEAST_CONNECTIONS, WEIGHTS(1, 1, 1));
	unsigned got[3] = {0};
	for (int i = 0; i < 30; i++) {
		int k = pick(g);
		got[k]++;
		leave(g, k);
	}
	ck_assert(got[0] == 10 && got[1] == 10 && got[2] == 10);
	end_all(g);
}
END_TEST

START_TEST(random_two_levels_out)
{
	struct upstream_group *g = group_make("g", BALANCE_RANDOM_TWO, WEIGHTS(1, 1, 2, 4));
	for (int i = 0; i < 8000; i++)
		pick(g);
	for (unsigned i = 0; i < 4; i++) {
		unsigned want = 1000 * server_at(g, i)->weight, got = state_at(g, i)->active;
		ck_assert_uint_ge(got, want - want / 5);
		ck_assert_uint_le(got, want + want / 5);
	}
	end_all(g);
	g = group_make("g", BALANCE_RANDOM_TWO, WEIGHTS(1));
	server_at(g, 0)->max_connections = 1;
	ck_assert_int_eq(pick(g), 0);
	end_all(g);
}
END_TEST

/* ---- hash ---- */

static uint64_t key(unsigned i)
{
	return ring_hash(&i, sizeof i);
}

START_TEST(hash_keeps_and_shares)
{
	struct upstream_group *g = group_make("g", BALANCE_HASH, WEIGHTS(1, 1, 2, 4));
	unsigned got[4] = {0};
	for (unsigned i = 0; i < 8000; i++) {
		int first = pick_hashed(g, key(i));
		ck_assert_int_eq(pick_hashed(g, key(i)), first);
		got[first]++;
	}
	for (unsigned i = 0; i < 4; i++) {
		unsigned want = 1000 * server_at(g, i)->weight;
		ck_assert_uint_ge(got[i], want - want / 4);
		ck_assert_uint_le(got[i], want + want / 4);
	}
	end_all(g);
}
END_TEST

START_TEST(hash_moves_only_the_share_of_who_leaves)
{
	struct upstream_group *four = group_make("g", BALANCE_HASH, WEIGHTS(1, 1, 2, 4));
	struct upstream_group *three = group_make("g", BALANCE_HASH, WEIGHTS(1, 1, 2));
	unsigned moved = 0;
	for (unsigned i = 0; i < 4000; i++) {
		int before = pick_hashed(four, key(i)), after = pick_hashed(three, key(i));
		if (before == 3)
			moved++;
		else
			ck_assert_int_eq(before, after);
	}
	ck_assert_uint_gt(moved, 1500);
	ck_assert_uint_lt(moved, 2500);
	/* The same when it is only down, or full. */
	take_down(four, 3);
	for (unsigned i = 0; i < 4000; i++)
		ck_assert_int_eq(pick_hashed(four, key(i)), pick_hashed(three, key(i)));
	end_all(four);
	upstream_group_unref(three);
}
END_TEST

START_TEST(hash_depends_on_names_not_on_order)
{
	struct upstream_server ab[2] = {{.name = (char *)"a", .weight = 1},
	        {.name = (char *)"b", .weight = 1}},
	                       ba[2] = {ab[1], ab[0]};
	struct ring *x = ring_new(ab, 2), *y = ring_new(ba, 2);
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_uint_eq(ring_find(x, key(i), 3), 1 - ring_find(y, key(i), 3));
	ring_free(x);
	ring_free(y);
}
END_TEST

/* The first and the last point, and what lies behind. */
START_TEST(hash_goes_round)
{
	struct upstream_server a[1] = {{.name = (char *)"a", .weight = UPSTREAM_WEIGHT_MAX}};
	struct ring *r = ring_new(a, 1);
	ck_assert_uint_eq(ring_find(r, 0, 1), 0);
	ck_assert_uint_eq(ring_find(r, UINT64_MAX, 1), 0);
	ring_free(r);
	ring_free(NULL);
}
END_TEST

/* ---- who can be used ---- */

START_TEST(down_gets_nothing_until_its_time_is_over)
{
	struct upstream_group *g = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1, 1));
	struct pick_request r = plain_request;
	bool is_trial;
	fail_at(g, 0, 1000);
	fail_at(g, 0, 1000);
	ck_assert(server_state_is_up(state_at(g, 0)));
	fail_at(g, 0, 1000);
	ck_assert(!server_state_is_up(state_at(g, 0)));
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(pick_at(g, 10999), 1);
	/* Then one session at a time, the others as before. */
	unsigned trials = 0;
	r.now_ms = 11000;
	for (int i = 0; i < 10; i++) {
		int k = pick_so(g, &r, &is_trial);
		trials += is_trial;
		ck_assert_int_eq(k, is_trial ? 0 : 1);
	}
	ck_assert_uint_eq(trials, 1);
	/* It fails: as long again. */
	server_state_fail(state_at(g, 0), true, 3, 10000, 12000, "test");
	ck_assert_int_eq(pick_at(g, 21999), 1);
	/* The next goes away before it knows: another one may. */
	trials = 0;
	r.now_ms = 22000;
	for (int i = 0; i < 4 && trials == 0; i++) {
		pick_so(g, &r, &is_trial);
		trials += is_trial;
	}
	ck_assert_uint_eq(trials, 1);
	server_state_abandon(state_at(g, 0));
	for (int i = 0; i < 4 && trials == 1; i++) {
		pick_so(g, &r, &is_trial);
		trials += is_trial;
	}
	ck_assert_uint_eq(trials, 2);
	server_state_answered(state_at(g, 0), 22000);
	ck_assert(server_state_is_up(state_at(g, 0)));
	unsigned got[2] = {0};
	for (int i = 0; i < 10; i++)
		got[pick_at(g, 22000)]++;
	ck_assert(got[0] == 5 && got[1] == 5);
	end_all(g);
}
END_TEST

START_TEST(fails_count_within_fail_timeout_only)
{
	struct upstream_group *g = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1, 1));
	for (uint64_t now = 1000; now < 2000000; now += 5001)
		fail_at(g, 0, now);
	ck_assert(server_state_is_up(state_at(g, 0)));
	/* Across any border: the last three lie within ten seconds. */
	fail_at(g, 0, 3000000);
	fail_at(g, 0, 3009999);
	fail_at(g, 0, 3010001);
	ck_assert(server_state_is_up(state_at(g, 0)));
	fail_at(g, 0, 3019999);
	ck_assert(!server_state_is_up(state_at(g, 0)));
	end_all(g);
}
END_TEST

START_TEST(max_fails_off_and_most)
{
	struct upstream_group *g = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1));
	g->max_fails = 0;
	for (int i = 0; i < 1000; i++)
		fail_at(g, 0, 1000);
	ck_assert(server_state_is_up(state_at(g, 0)));
	g->max_fails = SERVER_FAILS_MAX;
	server_state_answered(state_at(g, 0), 1000);
	for (int i = 0; i < SERVER_FAILS_MAX - 1; i++)
		fail_at(g, 0, 1000);
	ck_assert(server_state_is_up(state_at(g, 0)));
	fail_at(g, 0, 1000);
	ck_assert(!server_state_is_up(state_at(g, 0)));
	end_all(g);
}
END_TEST

START_TEST(all_down_one_at_a_time_tries_the_least_bad)
{
	struct upstream_group *g = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1, 1, 1));
	bool is_trial;
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < 3; k++)
			fail_at(g, i, i == 1 ? 900 : 1000);
	ck_assert_int_eq(pick_so(g, &plain_request, &is_trial), 1);
	ck_assert(is_trial);
	ck_assert_int_eq(pick(g), NOBODY);
	server_state_fail(state_at(g, 1), true, 3, 10000, 1000, "test");
	/* A session that tried it asks the next. */
	struct pick_request r = plain_request;
	r.tried = 2;
	ck_assert_int_eq(pick_so(g, &r, &is_trial), 0);
	ck_assert(is_trial);
	server_state_answered(state_at(g, 0), 1000);
	ck_assert_int_eq(pick(g), 0);
	r.tried = 7;
	ck_assert_int_eq(pick_so(g, &r, NULL), NOBODY);
	end_all(g);
}
END_TEST

START_TEST(unhealthy_gets_nothing_and_is_tried_last)
{
	struct upstream_group *g = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1, 1));
	bool is_trial;
	server_state_set_healthy(state_at(g, 0), false, 1000, "test");
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(pick_at(g, 100000), 1);
	take_down(g, 1);
	ck_assert_int_eq(pick_so(g, &plain_request, &is_trial), 1);
	ck_assert(is_trial);
	server_state_abandon(state_at(g, 1));
	server_state_set_healthy(state_at(g, 0), true, 1000, NULL);
	ck_assert_int_eq(pick(g), 0);
	end_all(g);
}
END_TEST

START_TEST(backups_only_when_no_other_can_be_used)
{
	struct upstream_group *g = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1, 1, 1, 1));
	server_at(g, 2)->is_backup = server_at(g, 3)->is_backup = true;
	for (int i = 0; i < 10; i++)
		ck_assert_int_lt(pick(g), 2);
	take_down(g, 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(pick(g), 1);
	server_at(g, 1)->max_connections = 1;
	unsigned got[4] = {0};
	for (int i = 0; i < 10; i++)
		got[pick(g)]++;
	ck_assert(got[2] == 5 && got[3] == 5);
	end_all(g);
}
END_TEST

START_TEST(limits_hold_for_all_together)
{
	struct upstream_group *g = group_make("g", BALANCE_LEAST_CONNECTIONS, WEIGHTS(1, 1));
	server_at(g, 0)->max_connections = 2;
	server_at(g, 1)->max_connections = 3;
	for (int i = 0; i < 5; i++)
		ck_assert_int_ge(pick(g), 0);
	ck_assert_int_eq(pick(g), FULL);
	leave(g, 0);
	ck_assert_int_eq(pick(g), 0);
	ck_assert_int_eq(pick(g), FULL);
	/* The full one is not the answer when the other is down: it is up. */
	take_down(g, 0);
	ck_assert_int_eq(pick(g), FULL);
	end_all(g);
}
END_TEST

START_TEST(tried_servers_are_left_out)
{
	struct upstream_group *g = group_make("g", BALANCE_HASH, WEIGHTS(1, 1));
	struct pick_request r = plain_request;
	r.hash = key(1);
	int first = pick_so(g, &r, NULL);
	r.tried = UINT64_C(1) << first;
	ck_assert_int_eq(pick_so(g, &r, NULL), 1 - first);
	r.tried = 3;
	ck_assert_int_eq(pick_so(g, &r, NULL), NOBODY);
	end_all(g);
	/* A single server too. */
	g = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1));
	r.tried = 1;
	ck_assert_int_eq(pick_so(g, &r, NULL), NOBODY);
	end_all(g);
}
END_TEST

START_TEST(sticky_as_long_as_it_can_be_used)
{
	struct upstream_group *g = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1, 1, 1));
	struct pick_request r = plain_request;
	r.sticky = 2;
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(pick_so(g, &r, NULL), 2);
	r.tried = 4;
	ck_assert_int_ne(pick_so(g, &r, NULL), 2);
	r.tried = 0;
	take_down(g, 2);
	ck_assert_int_ne(pick_so(g, &r, NULL), 2);
	r.sticky = 64;
	ck_assert_int_ge(pick_so(g, &r, NULL), 0);
	end_all(g);
}
END_TEST

/* ---- slow start: by counts at given times ---- */

static unsigned share(struct upstream_group *g, uint64_t now_ms, unsigned n)
{
	unsigned got = 0;
	for (unsigned i = 0; i < n; i++)
		got += pick_at(g, now_ms) == 0;
	return got;
}

START_TEST(slow_start_by_counts)
{
	struct upstream_group *g = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1, 1));
	g->slow_start_ms = 64000;
	take_down(g, 0);
	server_state_answered(state_at(g, 0), 100000);
	ck_assert_uint_le(share(g, 100000, 65), 2);
	ck_assert_uint_eq(share(g, 116000, 500), 100); /* a quarter against one */
	ck_assert_uint_eq(share(g, 132000, 300), 100); /* half against one */
	ck_assert_uint_eq(share(g, 164000, 200), 100);
	/* A clock of another worker may be a little behind. */
	ck_assert_uint_le(share(g, 99999, 65), 2);
	end_all(g);
}
END_TEST

START_TEST(slow_start_of_least_connections)
{
	struct upstream_group *g = group_make("g", BALANCE_LEAST_CONNECTIONS, WEIGHTS(1, 1));
	g->slow_start_ms = 64000;
	take_down(g, 0);
	for (int i = 0; i < 640; i++)
		pick(g);
	server_state_answered(state_at(g, 0), 100000);
	ck_assert_uint_le(share(g, 100000, 100), 12); /* all of them, without slow start */
	end_all(g);
}
END_TEST

/* ---- what outlives configurations ---- */

START_TEST(state_is_shared_by_generations)
{
	struct upstream_group *old = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1, 1));
	take_down(old, 0);
	pick(old);
	struct upstream_group *new = group_make("g", BALANCE_LEAST_CONNECTIONS, WEIGHTS(1, 1, 1));
	struct upstream_group *other = group_make("h", BALANCE_ROUND_ROBIN, WEIGHTS(1, 1));
	ck_assert_ptr_eq(state_at(old, 0), state_at(new, 0));
	ck_assert_ptr_ne(state_at(old, 0), state_at(other, 0));
	ck_assert(!server_state_is_up(state_at(new, 0)));
	ck_assert_uint_eq(state_at(new, 1)->active, 1);
	struct server_state *kept = state_at(old, 1);
	upstream_group_unref(old);
	upstream_group_unref(new);
	/* The session keeps its server's state, though no configuration names it. */
	struct upstream_group *again = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1, 1));
	ck_assert_ptr_eq(state_at(again, 1), kept);
	ck_assert(server_state_is_up(state_at(again, 0)));
	upstream_group_unref(again);
	upstream_give_back(kept, 1000);
	upstream_group_unref(other);
}
END_TEST

START_TEST(members_are_replaced_under_sessions)
{
	struct upstream_group *g = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1, 1));
	g->is_fixed = false;
	struct upstream_members *mine = upstream_group_members(g);
	struct picked p;
	ck_assert_int_eq(upstream_pick(g, mine, &plain_request, &p), PICK_SERVER);
	struct upstream_server other = {.name = mem_strdup("10.9.9.9:80"), .weight = 1};
	upstream_group_set_members(g, upstream_members_new(g, &other, 1));
	ck_assert_uint_eq(g->members->n, 1);
	/* Tries on with those it knows. */
	struct pick_request r = plain_request;
	struct server_state *first = p.server->state;
	r.tried = UINT64_C(1) << p.index;
	ck_assert_int_eq(upstream_pick(g, mine, &r, &p), PICK_SERVER);
	upstream_give_back(first, 1000);
	first = p.server->state;
	upstream_members_unref(mine);
	upstream_give_back(first, 1000);
	upstream_group_unref(g);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("upstream/balance");
	TCase *c = tcase_create("policies");
	tcase_add_test(c, turns_give_exactly_the_weights);
	tcase_add_test(c, turns_are_spread);
	tcase_add_test(c, turns_of_64_servers);
	tcase_add_test(c, least_connections_of_9000_sessions);
	tcase_add_test(c, least_connections_fills_what_was_emptied);
	tcase_add_test(c, least_connections_breaks_ties_by_turns);
	tcase_add_test(c, random_two_levels_out);
	tcase_add_test(c, hash_keeps_and_shares);
	tcase_add_test(c, hash_moves_only_the_share_of_who_leaves);
	tcase_add_test(c, hash_depends_on_names_not_on_order);
	tcase_add_test(c, hash_goes_round);
	suite_add_tcase(s, c);
	c = tcase_create("who can be used");
	tcase_add_test(c, down_gets_nothing_until_its_time_is_over);
	tcase_add_test(c, fails_count_within_fail_timeout_only);
	tcase_add_test(c, max_fails_off_and_most);
	tcase_add_test(c, all_down_one_at_a_time_tries_the_least_bad);
	tcase_add_test(c, unhealthy_gets_nothing_and_is_tried_last);
	tcase_add_test(c, backups_only_when_no_other_can_be_used);
	tcase_add_test(c, limits_hold_for_all_together);
	tcase_add_test(c, tried_servers_are_left_out);
	tcase_add_test(c, sticky_as_long_as_it_can_be_used);
	tcase_add_test(c, slow_start_by_counts);
	tcase_add_test(c, slow_start_of_least_connections);
	suite_add_tcase(s, c);
	c = tcase_create("shared");
	tcase_add_test(c, state_is_shared_by_generations);
	tcase_add_test(c, members_are_replaced_under_sessions);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
