/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy_pair.h"

/* S-10, as far as a worker goes. */

enum { MANY = 200 };
static struct stream *clients[MANY], *ups[MANY];
static unsigned dones;

static void on_done(void *arg)
{
	ck_assert_ptr_eq(arg, &dones);
	dones++;
}

static void drain(uint32_t spread_ms)
{
	dones = 0;
	proxy_drain(t.proxy, spread_ms, on_done, &dones);
}

/* Opens sessions and keeps both ends of each. */
static void open_many(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		t.connects = 0;
		pair_open();
		clients[i] = t.client;
		ups[i] = t.tried[0];
	}
	t.client = t.up = t.tried[0] = NULL;
}

static void forget_many(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		sim_free(clients[i]);
		sim_free(ups[i]);
	}
}

static unsigned told(unsigned n)
{
	unsigned all = 0;
	for (unsigned i = 0; i < n; i++)
		all += sim_sent(clients[i]).len > 0;
	return all;
}

START_TEST(no_sessions)
{
	drain(_i ? 10000 : 0);
	ck_assert_uint_eq(dones, 1);
	pass(20000);
	ck_assert_uint_eq(dones, 1);
	ck_assert(!timer_is_set(&t.proxy->drain.timer));
}
END_TEST

START_TEST(all_at_once)
{
	open_many(5);
	drain(0);
	ck_assert_uint_eq(told(5), 5);
	ck_assert_uint_eq(dones, 0);
	for (int i = 0; i < 5; i++) {
		got_close(ups[i], 1001, "stopping");
		sim_push_eof(ups[i]);
		sim_push_eof(clients[i]);
		ck_assert_uint_eq(dones, i == 4);
	}
	turn();
	ck_assert_uint_eq(log_count("cause=stopping"), 5);
	count_is(drained, 5);
	forget_many(5);
}
END_TEST

START_TEST(spread)
{
	open_many(MANY);
	drain(10000);
	ck_assert_uint_eq(told(MANY), 0);
	for (unsigned ms = 100; ms <= 10000; ms += 100) {
		pass(100);
		ck_assert_uint_ge(told(MANY) + 1, MANY * ms / 10000);
		ck_assert_uint_le(told(MANY), MANY * ms / 10000);
	}
	ck_assert_uint_eq(dones, 0);
	pass(5000);
	ck_assert_uint_eq(dones, 1);
	ck_assert_uint_eq(sessions(), 0);
	ck_assert(!timer_is_set(&t.proxy->drain.timer));
	count_is(drained, MANY);
	forget_many(MANY);
}
END_TEST

/* Sessions that end by themselves meanwhile are not waited for, nor told twice. */
START_TEST(sessions_that_end_meanwhile)
{
	open_many(10);
	drain(10000);
	pass(5000);
	ck_assert_uint_eq(told(10), 5);
	for (int i = 0; i < 10; i++) {
		sim_push_eof(clients[i]);
		sim_push_eof(ups[i]);
	}
	ck_assert_uint_eq(dones, 1);
	turn();
	ck_assert(!timer_is_set(&t.proxy->drain.timer) || sessions() == 0);
	pass(10000);
	ck_assert_uint_eq(dones, 1);
	count_is(drained, 5);
	forget_many(10);
}
END_TEST

/* ... however many of those that were not told yet. */
START_TEST(none_is_told_twice)
{
	open_many(10);
	drain(10000);
	pass(3000);
	ck_assert_uint_eq(told(10), 3);
	if (_i) /* the first of them may be gone as well */
		for (int i = 0; i < 2; i++) {
			sim_push_eof(ups[i]);
			sim_push_eof(clients[i]);
		}
	for (int i = 3; i < 9; i++) {
		sim_push_eof(clients[i]);
		sim_push_eof(ups[i]);
	}
	pass(7000);
	ck_assert_uint_eq(t.proxy->drain.told, 4);
	count_is(drained, 4);
	pass(5000);
	ck_assert_uint_eq(dones, 1);
	forget_many(10);
}
END_TEST

START_TEST(newcomers_are_turned_away)
{
	open_many(1);
	drain(10000);
	ck_assert(!pair_adopt());
	ck_assert(sim_is_released(t.client, NULL));
	count_is(sessions, 1);
	proxy_abort(t.proxy);
	ck_assert_uint_eq(dones, 1);
	turn();
	forget_many(1);
}
END_TEST

START_TEST(session_that_asks_nothing)
{
	ck_assert(pair_adopt());
	drain(0);
	ck_assert(has_ended(t.client));
	ck_assert_uint_eq(dones, 1);
	pair_is_over();
	log_is("cause=stopping");
}
END_TEST

START_TEST(half_a_head)
{
	ck_assert(pair_adopt());
	push_text(t.client, "GET /");
	drain(0);
	got_status(503);
	ck_assert_uint_eq(dones, 0);
	sim_push_eof(t.client);
	ck_assert_uint_eq(dones, 1);
	pair_is_over();
	log_is("refused", "status=503");
	count_is(refused_503, 1);
}
END_TEST

START_TEST(opening)
{
	pair_request();
	drain(0);
	got_status(503);
	ck_assert(sim_is_released(t.up, NULL));
	sim_push_eof(t.client);
	pair_is_over();
	ck_assert_uint_eq(dones, 1);
	log_is("refused", "status=503");
}
END_TEST

/* A request that comes before its session is told gets its answer, and no further one. */
START_TEST(request_while_draining)
{
	ck_assert(pair_adopt());
	drain(10000);
	pass(1000);
	push_text(t.client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	got_status(426);
	ck_assert(sim_saw_shutdown(t.client));
	sim_push_eof(t.client);
	ck_assert_uint_eq(dones, 1);
	pair_is_over();
	log_is("status=426");
}
END_TEST

START_TEST(already_leaving_and_closing)
{
	open_many(1);
	push(clients[0], SLICE("\x88\x80\0\0\0\0"));
	ck_assert(pair_adopt());
	push_text(t.client, "nonsense\r\n\r\n");
	got_status(400);
	drain(0);
	count_is(drained, 0);
	got_nothing(t.client);
	pass(5000);
	pass(5000);
	ck_assert_uint_eq(dones, 1);
	forget_many(1);
}
END_TEST

/* Clients that have their answer and do not go hold the stop up for a second at most. */
START_TEST(clients_that_do_not_go)
{
	struct stream *refused, *asking;
	t.route->settings.close_timeout_ms = 5000;
	ck_assert(pair_adopt());
	push_text(t.client, "nonsense\r\n\r\n");
	got_status(400);
	refused = t.client;
	ck_assert(pair_adopt());
	push_text(t.client, "GET /");
	drain(0);
	got_status(503);
	asking = t.client;
	pass(999);
	ck_assert_uint_eq(dones, 0);
	ck_assert(!sim_is_released(refused, NULL) && !sim_is_released(asking, NULL));
	pass(1);
	ck_assert_uint_eq(dones, 1);
	ck_assert(has_ended(refused) && has_ended(asking));
	sim_free(refused);
}
END_TEST

/* A time that is shorter anyway is not made longer. */
START_TEST(clients_about_to_be_given_up)
{
	t.route->settings.close_timeout_ms = 300;
	pair_request();
	drain(0);
	got_status(503);
	pass(299);
	ck_assert_uint_eq(dones, 0);
	pass(1);
	ck_assert_uint_eq(dones, 1);
	ck_assert(has_ended(t.client));
}
END_TEST

/* The answer that a slow client is still being sent is not cut. */
START_TEST(answer_on_its_way)
{
	ck_assert(pair_adopt());
	sim_set_window(t.client, 10);
	push_text(t.client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	drain(0);
	ck_assert_uint_eq(dones, 0);
	sim_set_window(t.client, SIZE_MAX);
	turn();
	got_status(426);
	sim_push_eof(t.client);
	ck_assert_uint_eq(dones, 1);
	pair_is_over();
}
END_TEST

START_TEST(abort_while_draining)
{
	open_many(3);
	drain(10000);
	pass(4000);
	proxy_abort(t.proxy);
	ck_assert_uint_eq(dones, 1);
	turn();
	for (int i = 0; i < 3; i++)
		ck_assert(has_reset(clients[i]) && has_reset(ups[i]));
	pass(10000);
	ck_assert_uint_eq(dones, 1);
	ck_assert_uint_eq(log_count("session_end"), 3);
	forget_many(3);
}
END_TEST

static void add(TCase *c)
{
	tcase_add_loop_test(c, no_sessions, 0, 2);
	tcase_add_test(c, all_at_once);
	tcase_add_test(c, spread);
	tcase_add_test(c, sessions_that_end_meanwhile);
	tcase_add_loop_test(c, none_is_told_twice, 0, 2);
	tcase_add_test(c, newcomers_are_turned_away);
	tcase_add_test(c, session_that_asks_nothing);
	tcase_add_test(c, half_a_head);
	tcase_add_test(c, opening);
	tcase_add_test(c, request_while_draining);
	tcase_add_test(c, already_leaving_and_closing);
	tcase_add_test(c, clients_that_do_not_go);
	tcase_add_test(c, clients_about_to_be_given_up);
	tcase_add_test(c, answer_on_its_way);
	tcase_add_test(c, abort_while_draining);
}

int main(void)
{
	return pair_main("proxy/drain", add);
}
