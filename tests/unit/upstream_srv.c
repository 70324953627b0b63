/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/srv.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/dns.h"
#include "net/names.h"
#include "upstream/balance.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct upstream_group *g;

static void setup(void)
{
	log_open("/dev/null", LOG_LEVEL_ERROR);
	g = upstream_group_new("chat");
	g->service = mem_strdup("_chat._tcp.test");
	g->is_fixed = false;
	g->max_connections = 7;
}

static void teardown(void)
{
	upstream_group_unref(g);
	log_open("stderr", LOG_LEVEL_INFO);
}

#define FOLLOW(ms, ...)                                      \
	follow(ms, (const struct dns_target[]){__VA_ARGS__}, \
	        sizeof((const struct dns_target[]){__VA_ARGS__}) / sizeof(struct dns_target))
static bool follow(uint64_t ms, const struct dns_target *t, size_t n)
{
	const struct dns_target *list[DNS_RECORDS_MAX] = {NULL};
	for (size_t i = 0; i < n; i++)
		list[i] = &t[i];
	return srv_follow(g, list, n, ms);
}

/* name weight, with * for a backup; joined by blanks */
static const char *members(void)
{
	static char text[8192];
	struct upstream_members *m = upstream_group_members(g);
	text[0] = '\0';
	for (unsigned i = 0; m && i < m->n; i++) {
		const struct upstream_server *s = &m->server[i];
		sprintf(text + strlen(text), "%s%s=%u%s", i ? " " : "", s->name, s->weight,
		        s->is_backup ? "*" : "");
		ck_assert_uint_eq(s->max_connections, 7);
		ck_assert_ptr_nonnull(s->state);
	}
	upstream_members_unref(m);
	return text;
}

START_TEST(targets_become_members)
{
	ck_assert_ptr_null(upstream_group_members(g));
	ck_assert(FOLLOW(1000, {1, 5, 80, "a"}, {1, 0, 81, "a"}, {2, 9, 80, "b"}, {3, 1, 80, "c"}));
	ck_assert_str_eq(members(), "a:80=5 a:81=1 b:80=9* c:80=1*");
}
END_TEST

START_TEST(weights_in_bounds)
{
	ck_assert(FOLLOW(
	        1000, {1, 65535, 1, "a"}, {1, 32768, 1, "b"}, {1, 100, 1, "c"}, {1, 256, 1, "d"}));
	ck_assert_str_eq(members(), "a:1=256 b:1=128 c:1=1 d:1=1");
	ck_assert(FOLLOW(2000, {1, 256, 1, "a"}, {1, 255, 1, "b"}));
	ck_assert_str_eq(members(), "a:1=256 b:1=255");
}
END_TEST

START_TEST(only_news_are_followed)
{
	ck_assert(FOLLOW(1000, {1, 1, 1, "a"}));
	struct upstream_members *first = g->members;
	/* The same, in another order or not. */
	ck_assert(FOLLOW(2000, {1, 1, 1, "a"}));
	ck_assert_ptr_eq(g->members, first);
	/* Older than what was said before. */
	ck_assert(FOLLOW(1500, {1, 1, 1, "b"}));
	ck_assert(FOLLOW(2000, {1, 1, 1, "b"}));
	ck_assert_ptr_eq(g->members, first);
	ck_assert(FOLLOW(2001, {1, 1, 1, "b"}, {1, 1, 1, "a"}));
	ck_assert_str_eq(members(), "b:1=1 a:1=1");
	struct upstream_members *second = g->members;
	ck_assert(FOLLOW(3000, {1, 1, 1, "a"}, {1, 1, 1, "b"}));
	ck_assert_ptr_eq(g->members, second);
	ck_assert(FOLLOW(4000, {1, 1, 1, "a"}, {2, 1, 1, "b"}));
	ck_assert_str_eq(members(), "a:1=1 b:1=1*");
}
END_TEST

/* What is known of a server outlives the set that it is in, as long as it stays. */
START_TEST(states_are_kept)
{
	FOLLOW(1000, {1, 1, 1, "a"}, {1, 1, 1, "b"});
	const struct server_state *a = g->members->server[0].state;
	FOLLOW(2000, {1, 3, 1, "c"}, {1, 2, 1, "a"});
	ck_assert_ptr_eq(g->members->server[1].state, a);
}
END_TEST

START_TEST(nothing_to_follow)
{
	ck_assert(!follow(1000, NULL, 0));
	ck_assert(!FOLLOW(1000, {0, 0, 0, ""}));
	ck_assert_str_eq(members(), "");
	ck_assert(FOLLOW(2000, {1, 1, 1, "a"}, {1, 1, 1, "a"}, {1, 9, 1, ""}));
	ck_assert_str_eq(members(), "a:1=1");
	/* While there are members, they stay. */
	ck_assert(FOLLOW(3000, {0, 0, 0, ""}));
	ck_assert(follow(0, NULL, 0));
	ck_assert_str_eq(members(), "a:1=1");
}
END_TEST

/* Whoever has the latest answer may give it up; who has an older one uses that. */
START_TEST(given_up)
{
	ck_assert(FOLLOW(2000, {1, 1, 1, "a"}));
	ck_assert(follow(1999, NULL, 0));
	ck_assert(!follow(2000, NULL, 0));
	ck_assert(FOLLOW(3000, {1, 1, 1, "a"}));
	ck_assert(follow(2000, NULL, 0));
	ck_assert_str_eq(members(), "a:1=1");
}
END_TEST

START_TEST(many)
{
	static struct dns_target t[DNS_RECORDS_MAX];
	for (unsigned i = 0; i < DNS_RECORDS_MAX; i++) {
		t[i] = (struct dns_target){1, 1, (uint16_t)(i + 1), "h"};
		memset(t[i].host, 'x', DNS_NAME_MAX - 1);
	}
	ck_assert(follow(1000, t, DNS_RECORDS_MAX));
	ck_assert_uint_eq(g->members->n, UPSTREAM_SERVERS_MAX);
}
END_TEST

/* A reload changes the group: its targets are known at once, under its own limit. */
START_TEST(inherited)
{
	struct upstream_group *old = g;
	FOLLOW(5, {0, 1, 1, "a.test"}, {1, 1, 2, "b.test"});
	struct server_state *a = old->members->server[0].state;
	struct upstream_group *other = upstream_group_new("chat");
	other->service = mem_strdup("_other._tcp.test");
	other->is_fixed = false;
	upstream_group_inherit(other, old);
	ck_assert_ptr_null(other->members);
	g = upstream_group_new("chat");
	g->service = mem_strdup("_chat._tcp.test");
	g->is_fixed = false;
	g->max_connections = 7;
	old->max_connections = 1;
	upstream_group_inherit(g, old);
	upstream_group_unref(old);
	upstream_group_unref(other);
	ck_assert_str_eq(members(), "a.test:1=1 b.test:2=1*");
	ck_assert_ptr_eq(g->members->server[0].state, a);
	/* An answer that was there before is none. */
	FOLLOW(5, {0, 1, 1, "c.test"});
	ck_assert_str_eq(members(), "a.test:1=1 b.test:2=1*");
	FOLLOW(6, {0, 1, 1, "c.test"});
	ck_assert_str_eq(members(), "c.test:1=1");
}
END_TEST

/* The limit of the group in use counts, whichever group learns of the target, and when. */
START_TEST(limits_of_targets)
{
	struct upstream_group *old = g;
	upstream_group_use(old, 1000);
	FOLLOW(5, {0, 1, 1, "a.test"});
	struct server_state *a = server_state_ref(old->members->server[0].state);
	ck_assert_uint_eq(atomic_load(&a->limit), 7);
	struct upstream_group *next = upstream_group_new("chat");
	next->service = mem_strdup("_chat._tcp.test");
	next->is_fixed = false;
	next->max_connections = 9;
	/* In use before it has members. */
	g = next;
	upstream_group_use(next, 1000);
	ck_assert_uint_eq(atomic_load(&a->limit), 7);
	FOLLOW(6, {0, 1, 1, "a.test"});
	ck_assert_uint_eq(atomic_load(&a->limit), 9);
	/* A session that began with the old group hears of news. */
	g = old;
	FOLLOW(7, {0, 1, 1, "a.test"}, {0, 1, 1, "b.test"});
	ck_assert_uint_eq(old->members->n, 2);
	ck_assert_uint_eq(atomic_load(&a->limit), 9);
	ck_assert_uint_eq(atomic_load(&old->members->server[1].state->limit), SERVER_LIMIT_UNKNOWN);
	server_state_unref(a);
	upstream_group_unref(next);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("upstream/srv");
	TCase *t = tcase_create("srv");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, targets_become_members);
	tcase_add_test(t, weights_in_bounds);
	tcase_add_test(t, only_news_are_followed);
	tcase_add_test(t, states_are_kept);
	tcase_add_test(t, nothing_to_follow);
	tcase_add_test(t, inherited);
	tcase_add_test(t, given_up);
	tcase_add_test(t, limits_of_targets);
	tcase_add_test(t, many);
	suite_add_tcase(s, t);
	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
