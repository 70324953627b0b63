/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/state.h"

#include "base/log.h"
#include "upstream_test.h"

enum { THREADS = 4, ROUNDS = 2000 };

START_TEST(the_same_name_is_the_same_server)
{
	struct server_state *a = server_state_get("g", "ws://a:80");
	ck_assert_ptr_eq(server_state_get("g", "ws://a:80"), a);
	struct server_state *others[] = {server_state_get("g", "ws://a:81"),
	        server_state_get("g", "wss://a:80"), server_state_get("h", "ws://a:80")};
	for (size_t i = 0; i < 3; i++)
		ck_assert_ptr_ne(others[i], a);
	ck_assert_str_eq(a->name, "a:80");
	ck_assert_ptr_eq(others[0]->group, a->group);
	ck_assert_ptr_ne(others[2]->group, a->group);
	for (size_t i = 0; i < 3; i++)
		server_state_unref(others[i]);
	server_state_unref(a);
	server_state_unref(a);
	server_state_unref(NULL);
	/* Nobody holds it any more: it begins anew. */
	a = server_state_get("g", "ws://a:80");
	ck_assert_uint_eq(a->refs, 1);
	server_state_unref(a);
}
END_TEST

START_TEST(a_failed_trial_is_told_once)
{
	struct server_state *s = server_state_get("g", "ws://a:80");
	server_state_fail(s, false, 1, 100, 1000, "test");
	ck_assert_uint_eq(s->down_until_ms, 1100);
	/* Who was on the way when it went down changes nothing. */
	server_state_fail(s, false, 1, 100, 1050, "test");
	ck_assert_uint_eq(s->down_until_ms, 1100);
	server_state_fail(s, true, 1, 100, 1200, "test");
	ck_assert_uint_eq(s->down_until_ms, 1300);
	server_state_answered(s, 1300);
	ck_assert_uint_eq(s->down_until_ms, 0);
	ck_assert_uint_eq(s->up_since_ms, 1300);
	server_state_unref(s);
}
END_TEST

START_TEST(health_and_failures_are_two_things)
{
	struct server_state *s = server_state_get("g", "ws://a:80");
	server_state_set_healthy(s, false, 1000, "test");
	server_state_fail(s, false, 1, 100, 1000, "test");
	server_state_set_healthy(s, true, 1010, NULL);
	ck_assert(!server_state_is_up(s));
	server_state_answered(s, 1020);
	ck_assert(server_state_is_up(s));
	server_state_set_healthy(s, true, 5000, NULL); /* no change: no new start */
	ck_assert_uint_eq(s->up_since_ms, 1020);
	server_state_unref(s);
}
END_TEST

/* Configurations and sessions that come and go on every thread. */
static void *come_and_go(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg;
	static const unsigned weights[] = {1, 2, 0};
	struct upstream_group *g = group_make("g", BALANCE_LEAST_CONNECTIONS, weights);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct picked p;
		struct pick_request r = plain_request;
		r.now_ms += i;
		if (upstream_pick(g, g->members, &r, &p) != PICK_SERVER)
			continue;
		struct server_state *s = p.server->state;
		if ((i + n) % 7 == 0)
			server_state_fail(s, p.is_trial, 3, 5, r.now_ms, "test");
		else if (p.is_trial)
			server_state_answered(s, r.now_ms);
		if (i % 50 == 0) {
			upstream_group_unref(g);
			g = group_make("g", BALANCE_ROUND_ROBIN, weights);
		}
		upstream_give_back(s, r.now_ms);
	}
	upstream_group_unref(g);
	return NULL;
}

START_TEST(threads_come_and_go)
{
	pthread_t thread[THREADS];
	log_open("/dev/null", LOG_LEVEL_ERROR);
	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, come_and_go, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	struct server_state *s = server_state_get("g", "ws://10.0.0.1:80");
	ck_assert_uint_eq(s->refs, 1);
	ck_assert_uint_eq(s->active, 0);
	ck_assert_uint_eq(s->group->server_n, 1);
	server_state_unref(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("upstream/state");
	TCase *c = tcase_create("state");
	tcase_add_test(c, the_same_name_is_the_same_server);
	tcase_add_test(c, a_failed_trial_is_told_once);
	tcase_add_test(c, health_and_failures_are_two_things);
	tcase_add_test(c, threads_come_and_go);
	tcase_set_timeout(c, 30);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
