/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/limits.h"

#include "base/fault.h"
#include "base/mem.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct limit_scope *scope;

static void setup(void)
{
	limit_table_resize(LIMIT_TABLE_DEFAULT);
	scope = limit_scope_get("route", "chat");
}

static void teardown(void)
{
	fault_plan(NULL);
	ck_assert_uint_eq(limit_scope_active(scope), 0);
	limit_scope_unref(scope);
	ck_assert_uint_eq(limit_table_used(), 0);
}

static struct address_brief at(const char *ip)
{
	struct address_brief a;
	ck_assert(address_brief_parse(&a, slice_str(ip)));
	return a;
}

static struct limit_answer enter_at(
        const struct limit_settings *set, const char *ip, uint64_t now, struct limit_place *place)
{
	struct address_brief a = at(ip);
	return limit_enter(scope, set, &a, now, place);
}

static enum limit_verdict enter(
        const struct limit_settings *set, const char *ip, struct limit_place *place)
{
	return enter_at(set, ip, 1000, place).verdict;
}

static enum limit_verdict move(
        struct limit_place *place, const struct limit_settings *set, const char *ip)
{
	struct address_brief a = at(ip);
	return limit_move(place, set, &a).verdict;
}

START_TEST(connections_of_all)
{
	struct limit_settings set = {.max_connections = 2, .prefix_ipv6 = 64};
	struct limit_place p[3] = {0};
	ck_assert_int_eq(enter(&set, "192.0.2.1", &p[0]), LIMIT_OK);
	ck_assert_int_eq(enter(&set, "192.0.2.2", &p[1]), LIMIT_OK);
	ck_assert_int_eq(enter(&set, "192.0.2.3", &p[2]), LIMIT_CONNECTIONS);
	ck_assert_ptr_null(p[2].scope);
	limit_leave(&p[2]);
	limit_leave(&p[0]);
	limit_leave(&p[0]);
	ck_assert_uint_eq(limit_scope_active(scope), 1);
	ck_assert_int_eq(enter(&set, "192.0.2.3", &p[2]), LIMIT_OK);
	limit_leave(&p[1]);
	limit_leave(&p[2]);
	ck_assert_uint_eq(limit_table_used(), 0);
}
END_TEST

START_TEST(connections_of_an_address)
{
	struct limit_settings set = {.max_connections_per_address = 2, .prefix_ipv6 = 64};
	struct limit_place p[4] = {0};
	ck_assert_int_eq(enter(&set, "192.0.2.1", &p[0]), LIMIT_OK);
	ck_assert_int_eq(enter(&set, "192.0.2.1", &p[1]), LIMIT_OK);
	ck_assert_int_eq(enter(&set, "192.0.2.1", &p[2]), LIMIT_ADDRESS_CONNECTIONS);
	ck_assert_int_eq(enter(&set, "192.0.2.2", &p[2]), LIMIT_OK);
	/* The same IPv4 address on an IPv6 socket is the same client. */
	ck_assert_int_eq(enter(&set, "::ffff:192.0.2.1", &p[3]), LIMIT_ADDRESS_CONNECTIONS);
	ck_assert_uint_eq(limit_table_used(), 2);
	for (int i = 0; i < 3; i++)
		limit_leave(&p[i]);
	ck_assert_uint_eq(limit_table_used(), 0);
}
END_TEST

START_TEST(ipv6_by_prefix)
{
	static const struct {
		uint32_t bits;
		const char *same, *other;
	} rows[] = {
	        {128, "2001:db8::1", "2001:db8::2"},
	        {64, "2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::1"},
	        {61, "2001:db8:0:7::1", "2001:db8:0:8::1"},
	        {56, "2001:db8:0:ff::1", "2001:db8:0:100::1"},
	        {1, "7fff::", "8000::"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct limit_settings set = {
		        .max_connections_per_address = 1, .prefix_ipv6 = rows[i].bits};
		struct limit_place p[3] = {0};
		ck_assert_int_eq(enter(&set, "2001:db8::1", &p[0]), LIMIT_OK);
		ck_assert_int_eq(enter(&set, rows[i].same, &p[1]), LIMIT_ADDRESS_CONNECTIONS);
		ck_assert_int_eq(enter(&set, rows[i].other, &p[2]), LIMIT_OK);
		limit_leave(&p[0]);
		limit_leave(&p[2]);
	}
}
END_TEST

START_TEST(a_short_prefix_says_nothing_of_ipv4)
{
	struct limit_settings set = {.max_connections_per_address = 1, .prefix_ipv6 = 8};
	struct limit_place p[3] = {0};
	ck_assert_int_eq(enter(&set, "192.0.2.1", &p[0]), LIMIT_OK);
	ck_assert_int_eq(enter(&set, "192.0.2.2", &p[1]), LIMIT_OK);
	ck_assert_int_eq(enter(&set, "::1", &p[2]), LIMIT_OK);
	for (int i = 0; i < 3; i++)
		limit_leave(&p[i]);
}
END_TEST

START_TEST(exempt)
{
	struct limit_settings set = {.max_connections = 4,
	        .max_connections_per_address = 1,
	        .prefix_ipv6 = 64,
	        .exempt = limit_exempt_new()};
	struct limit_place p[5] = {0};
	struct cidr block;
	ck_assert_ptr_null(cidr_parse(&block, "192.0.2.0/24"));
	cidr_list_add(&set.exempt->list, &block);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(enter(&set, "192.0.2.1", &p[i]), LIMIT_OK);
	ck_assert_int_eq(enter(&set, "192.0.3.1", &p[3]), LIMIT_OK);
	ck_assert_int_eq(enter(&set, "192.0.3.1", &p[4]), LIMIT_ADDRESS_CONNECTIONS);
	/* The limit of all is for them too. */
	ck_assert_int_eq(enter(&set, "192.0.2.1", &p[4]), LIMIT_CONNECTIONS);
	for (int i = 0; i < 4; i++)
		limit_leave(&p[i]);
	limit_exempt_unref(set.exempt);
}
END_TEST

START_TEST(unix_peers_have_no_address)
{
	struct limit_settings set = {.max_connections_per_address = 1, .prefix_ipv6 = 64};
	struct address_brief a = {.family = AF_UNIX};
	struct limit_place p[2] = {0};
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(limit_enter(scope, &set, &a, 1, &p[i]).verdict, LIMIT_OK);
	ck_assert_uint_eq(limit_table_used(), 0);
	for (int i = 0; i < 2; i++)
		limit_leave(&p[i]);
}
END_TEST

START_TEST(rates)
{
	struct limit_settings set = {
	        .rate = {3, 1000}, .rate_per_address = {2, 60000}, .prefix_ipv6 = 64};
	struct limit_place p = {0};
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(enter_at(&set, "192.0.2.1", 1000, &p).verdict, LIMIT_OK);
		limit_leave(&p);
	}
	struct limit_answer a = enter_at(&set, "192.0.2.1", 1000, &p);
	ck_assert_int_eq(a.verdict, LIMIT_ADDRESS_RATE);
	ck_assert_uint_eq(a.wait_ms, 30000);
	/* That took nothing from the route. */
	ck_assert_int_eq(enter_at(&set, "192.0.2.2", 1000, &p).verdict, LIMIT_OK);
	limit_leave(&p);
	a = enter_at(&set, "192.0.2.3", 1000, &p);
	ck_assert_int_eq(a.verdict, LIMIT_RATE);
	ck_assert_uint_eq(a.wait_ms, 334);
	/* And that nothing from the address. */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(enter_at(&set, "192.0.2.3", 9000, &p).verdict, LIMIT_OK);
		limit_leave(&p);
	}
	ck_assert_int_eq(enter_at(&set, "192.0.2.3", 9000, &p).verdict, LIMIT_ADDRESS_RATE);
	/* What an address has used up is remembered though it has no connection. */
	ck_assert_uint_eq(limit_table_used(), 3);
}
END_TEST

START_TEST(bursts)
{
	struct limit_settings set = {
	        .rate_per_address = {1, 1000}, .burst_per_address = 4, .prefix_ipv6 = 64};
	struct limit_place p = {0};
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(enter_at(&set, "192.0.2.1", 1, &p).verdict, LIMIT_OK);
		limit_leave(&p);
	}
	ck_assert_int_eq(enter_at(&set, "192.0.2.1", 1, &p).verdict, LIMIT_ADDRESS_RATE);
}
END_TEST

START_TEST(moved_to_another_client)
{
	struct limit_settings set = {
	        .max_connections = 9, .max_connections_per_address = 1, .prefix_ipv6 = 64};
	struct limit_place p[3] = {0};
	ck_assert_int_eq(enter(&set, "10.0.0.1", &p[0]), LIMIT_OK);
	ck_assert_int_eq(move(&p[0], &set, "10.0.0.1"), LIMIT_OK);
	ck_assert_int_eq(move(&p[0], &set, "192.0.2.1"), LIMIT_OK);
	ck_assert_int_eq(enter(&set, "10.0.0.1", &p[1]), LIMIT_OK);
	ck_assert_int_eq(move(&p[1], &set, "192.0.2.1"), LIMIT_ADDRESS_CONNECTIONS);
	/* It still has its old place. */
	ck_assert_int_eq(enter(&set, "10.0.0.1", &p[2]), LIMIT_ADDRESS_CONNECTIONS);
	limit_leave(&p[1]);
	ck_assert_int_eq(enter(&set, "10.0.0.1", &p[2]), LIMIT_OK);
	limit_leave(&p[0]);
	limit_leave(&p[2]);
}
END_TEST

START_TEST(moved_from_and_to_nobody)
{
	struct limit_settings set = {
	        .max_connections_per_address = 1, .prefix_ipv6 = 64, .exempt = limit_exempt_new()};
	struct limit_place p[2] = {0};
	struct cidr block;
	ck_assert_ptr_null(cidr_parse(&block, "10.0.0.1"));
	cidr_list_add(&set.exempt->list, &block);
	ck_assert_int_eq(enter(&set, "10.0.0.1", &p[0]), LIMIT_OK);
	ck_assert_ptr_null(p[0].entry);
	ck_assert_int_eq(move(&p[0], &set, "192.0.2.1"), LIMIT_OK);
	ck_assert_ptr_nonnull(p[0].entry);
	ck_assert_int_eq(move(&p[0], &set, "10.0.0.1"), LIMIT_OK);
	ck_assert_ptr_null(p[0].entry);
	ck_assert_int_eq(limit_enter(scope, &set, NULL, 1, &p[1]).verdict, LIMIT_OK);
	limit_leave(&p[0]);
	limit_leave(&p[1]);
	limit_exempt_unref(set.exempt);
}
END_TEST

START_TEST(scopes_know_nothing_of_each_other)
{
	struct limit_settings set = {.max_connections_per_address = 1, .prefix_ipv6 = 64};
	struct limit_place p[2] = {0};
	struct limit_scope *other = limit_scope_get("listener", "chat");
	struct address_brief a = at("192.0.2.1");
	ck_assert_ptr_ne(other, scope);
	ck_assert_int_eq(enter(&set, "192.0.2.1", &p[0]), LIMIT_OK);
	ck_assert_int_eq(limit_enter(other, &set, &a, 1, &p[1]).verdict, LIMIT_OK);
	limit_leave(&p[0]);
	limit_leave(&p[1]);
	limit_scope_unref(other);
}
END_TEST

/* A reload gets the same state; a place outlives the configuration. */
START_TEST(state_outlives_a_configuration)
{
	struct limit_settings set = {.max_connections_per_address = 1, .prefix_ipv6 = 64};
	struct limit_place p[2] = {0};
	ck_assert_int_eq(enter(&set, "192.0.2.1", &p[0]), LIMIT_OK);
	struct limit_scope *again = limit_scope_get("route", "chat");
	ck_assert_ptr_eq(again, scope);
	limit_scope_unref(scope);
	limit_scope_unref(again);
	ck_assert_uint_eq(limit_table_used(), 1);
	setup();
	ck_assert_ptr_eq(again, scope);
	ck_assert_int_eq(enter(&set, "192.0.2.1", &p[1]), LIMIT_ADDRESS_CONNECTIONS);
	limit_leave(&p[0]);
}
END_TEST

static struct address_brief numbered(uint32_t n)
{
	struct address_brief a = {.family = AF_INET};
	memcpy(a.ip, &n, 4);
	return a;
}

enum { MANY = 5000 };

START_TEST(the_table_is_bounded)
{
	struct limit_settings set = {.max_connections_per_address = 1, .prefix_ipv6 = 64};
	static struct limit_place p[MANY];
	size_t full = 0;
	memset(p, 0, sizeof p);
	limit_table_resize(640);
	for (uint32_t i = 0; i < MANY; i++) {
		struct address_brief a = numbered(i);
		struct limit_answer r = limit_enter(scope, &set, &a, 1, &p[i]);
		ck_assert_int_eq(r.verdict, LIMIT_OK);
		ck_assert(r.table_full == (p[i].entry == NULL));
		full += r.table_full;
	}
	/* Nobody who has a connection was forgotten; who found no place is let through. */
	ck_assert_uint_eq(limit_table_used(), 640);
	ck_assert_uint_eq(full, MANY - 640);
	for (uint32_t i = 0; i < MANY; i++) {
		struct address_brief a = numbered(i);
		struct limit_place more = {0};
		enum limit_verdict v = limit_enter(scope, &set, &a, 1, &more).verdict;
		ck_assert_int_eq(v, p[i].entry ? LIMIT_ADDRESS_CONNECTIONS : LIMIT_OK);
		limit_leave(&more);
	}
	for (uint32_t i = 0; i < MANY; i++)
		limit_leave(&p[i]);
	ck_assert_uint_eq(limit_table_used(), 0);
}
END_TEST

/* Idle ones make room, the longest idle first; those with a connection stay. */
START_TEST(idle_ones_go_first)
{
	struct limit_settings set = {.max_connections_per_address = 1,
	        .rate_per_address = {1, 3600000},
	        .prefix_ipv6 = 64};
	struct limit_place held = {0}, p = {0};
	limit_table_resize(640);
	ck_assert_int_eq(enter(&set, "192.0.2.1", &held), LIMIT_OK);
	for (uint32_t i = 0; i < MANY; i++) {
		struct address_brief a = numbered(i);
		struct limit_answer r = limit_enter(scope, &set, &a, 1000, &p);
		ck_assert_int_eq(r.verdict, LIMIT_OK);
		ck_assert(!r.table_full);
		limit_leave(&p);
		ck_assert_uint_le(limit_table_used(), 640);
	}
	struct address_brief newest = numbered(MANY - 1), oldest = numbered(0);
	ck_assert_int_eq(limit_enter(scope, &set, &newest, 1000, &p).verdict, LIMIT_ADDRESS_RATE);
	ck_assert_int_eq(limit_enter(scope, &set, &oldest, 1000, &p).verdict, LIMIT_OK);
	limit_leave(&p);
	ck_assert_int_eq(enter(&set, "192.0.2.1", &p), LIMIT_ADDRESS_CONNECTIONS);
	limit_leave(&held);
}
END_TEST

/* Whose allowance is whole again takes no memory for long. */
START_TEST(the_recovered_are_swept)
{
	struct limit_settings set = {.rate_per_address = {100, 1000}, .prefix_ipv6 = 64};
	struct limit_place p = {0};
	for (uint32_t i = 0; i < MANY; i++) {
		struct address_brief a = numbered(i);
		ck_assert_int_eq(limit_enter(scope, &set, &a, 1000 * i, &p).verdict, LIMIT_OK);
		limit_leave(&p);
	}
	ck_assert_uint_le(limit_table_used(), 64);
}
END_TEST

START_TEST(a_smaller_table_after_a_reload)
{
	struct limit_settings set = {.max_connections_per_address = 1, .prefix_ipv6 = 64};
	static struct limit_place p[MANY];
	memset(p, 0, sizeof p);
	for (uint32_t i = 0; i < MANY; i++) {
		struct address_brief a = numbered(i);
		ck_assert_int_eq(limit_enter(scope, &set, &a, 1, &p[i]).verdict, LIMIT_OK);
	}
	limit_table_resize(64);
	struct limit_place more = {0};
	ck_assert(enter_at(&set, "192.0.2.1", 1, &more).table_full);
	limit_leave(&more);
	for (uint32_t i = 0; i < MANY; i++)
		limit_leave(&p[i]);
	ck_assert_int_eq(enter(&set, "192.0.2.1", &more), LIMIT_OK);
	ck_assert_ptr_nonnull(more.entry);
	limit_leave(&more);
}
END_TEST

/* R-06 Each allocation in turn fails: nobody is refused for it, all stays in order. */
START_TEST(R_06_out_of_memory)
{
	struct limit_settings set = {.max_connections_per_address = 1, .prefix_ipv6 = 64};
	for (int nth = 1; nth < 60; nth++) {
		static struct limit_place p[3000];
		char plan[64];
		memset(p, 0, sizeof p);
		snprintf(plan, sizeof plan, "alloc:%d:ENOMEM", nth * 50 - 49);
		ck_assert(fault_plan(plan));
		for (uint32_t i = 0; i < 3000; i++) {
			struct address_brief a = numbered(i);
			ck_assert_int_eq(limit_enter(scope, &set, &a, 1, &p[i]).verdict, LIMIT_OK);
		}
		for (uint32_t i = 0; i < 3000; i++)
			limit_leave(&p[i]);
		ck_assert_uint_eq(limit_table_used(), 0);
	}
}
END_TEST

/* ---- several workers ---- */

enum { THREADS = 4, ROUNDS = 20000, LIMIT = 3, HELD = 4 };

struct crowd {
	struct limit_settings set;
	unsigned seed;
	unsigned entered, refused;
};

static void *come_and_go(void *arg)
{
	struct crowd *c = arg;
	struct limit_place p[HELD] = {0};
	for (unsigned i = 0; i < ROUNDS; i++) {
		c->seed = c->seed * 1103515245 + 12345;
		struct limit_place *place = &p[c->seed >> 8 & (HELD - 1)];
		struct address_brief a = numbered(c->seed >> 16 & 7);
		struct address_brief b = numbered(c->seed >> 20 & 7);
		limit_leave(place);
		if (limit_enter(scope, &c->set, &a, i, place).verdict != LIMIT_OK) {
			c->refused++;
			continue;
		}
		c->entered++;
		ck_assert_uint_le(limit_scope_active(scope), c->set.max_connections);
		limit_move(place, &c->set, &b);
		if (i % 64 == 0) {
			struct limit_scope *other = limit_scope_get("route", "other");
			limit_scope_unref(other);
		}
	}
	for (unsigned i = 0; i < HELD; i++)
		limit_leave(&p[i]);
	return NULL;
}

static void run_crowd(struct limit_settings set)
{
	struct crowd c[THREADS];
	pthread_t thread[THREADS];
	unsigned entered = 0, refused = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		c[i] = (struct crowd){.set = set, .seed = i + 1};
		ck_assert_int_eq(pthread_create(&thread[i], NULL, come_and_go, &c[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		entered += c[i].entered;
		refused += c[i].refused;
	}
	ck_assert_uint_gt(entered, 0);
	ck_assert_uint_gt(refused, 0);
	ck_assert_uint_eq(limit_scope_active(scope), 0);
}

START_TEST(many_workers)
{
	run_crowd((struct limit_settings){
	        .max_connections = 8, .max_connections_per_address = LIMIT, .prefix_ipv6 = 64});
	ck_assert_uint_eq(limit_table_used(), 0);
}
END_TEST

START_TEST(many_workers_rates)
{
	run_crowd((struct limit_settings){.max_connections = 12,
	        .rate = {1000000, 1000},
	        .rate_per_address = {100, 1000},
	        .prefix_ipv6 = 64});
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy_limits");
	TCase *tc = tcase_create("limits");
	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, connections_of_all);
	tcase_add_test(tc, connections_of_an_address);
	tcase_add_test(tc, ipv6_by_prefix);
	tcase_add_test(tc, a_short_prefix_says_nothing_of_ipv4);
	tcase_add_test(tc, exempt);
	tcase_add_test(tc, unix_peers_have_no_address);
	tcase_add_test(tc, rates);
	tcase_add_test(tc, bursts);
	tcase_add_test(tc, moved_to_another_client);
	tcase_add_test(tc, moved_from_and_to_nobody);
	tcase_add_test(tc, scopes_know_nothing_of_each_other);
	tcase_add_test(tc, state_outlives_a_configuration);
	tcase_add_test(tc, the_table_is_bounded);
	tcase_add_test(tc, idle_ones_go_first);
	tcase_add_test(tc, the_recovered_are_swept);
	tcase_add_test(tc, a_smaller_table_after_a_reload);
	tcase_add_test(tc, R_06_out_of_memory);
	tcase_add_test(tc, many_workers);
	tcase_add_test(tc, many_workers_rates);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
