/* SPDX-License-Identifier: BSD-2-Clause */

/* Sessions on spare connections: what they send there, and what becomes of them when such a
 * connection ends. */

#include "proxy_pair.h"
#include "upstream/spare.h"

static struct upstream_group *group(void)
{
	return t.route->group;
}

static struct server_state *state(unsigned i)
{
	return group()->members->server[i].state;
}

#define spare_count_is(field, n)                                                          \
	ck_assert_uint_eq(                                                                \
	        counter_get(&((struct upstream_worker *)t.worker->layer[WORKER_UPSTREAM]) \
	                             ->counters.field),                                   \
	        n)

/* The spares are t.tried[0 ..]. */
static void keep_of_each(unsigned n, unsigned servers)
{
	group()->spare = n;
	group()->spare_idle_ms = 8000;
	group()->max_fails = 1;
	group()->fail_timeout_ms = 10000;
	proxy_keep_spares(t.proxy, &t.route->group, 1, 1);
	turn();
	pass(2); /* a session may just have been set up */
	ck_assert_uint_eq(t.connects, n * servers);
}

static void keep(unsigned n)
{
	keep_of_each(n, 1);
}

static void open_on(unsigned i)
{
	t.up = t.tried[i];
	pair_answer();
	got_status(101);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	ck_assert_ptr_eq(t.session->side[UPSTREAM].ep.stream, t.tried[i]);
}

START_TEST(a_session_on_a_spare)
{
	keep(2);
	pair_request();
	got_nothing(t.tried[0]);
	open_on(1);
	say(FROM_CLIENT, FIN | WS_TEXT, "to it");
	got_frame(FROM_CLIENT, FIN | WS_TEXT, "to it");
	pass(2);
	turn();
	ck_assert_uint_eq(t.connects, 3); /* its successor */
	count_is(tries, 0);
	spare_count_is(spares_used, 1);
}
END_TEST

/* What a spare's server sent before it was used never meets a client. */
START_TEST(U_05_a_101_that_came_early)
{
	keep(2);
	push_text(t.tried[0], "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
	ck_assert(sim_is_released(t.tried[0], NULL));
	pair_request();
	open_on(1);
}
END_TEST

/* U-03: the spare dies when it is used: a connection of the session's own, and no try. Only that
 * one's end counts, so a server that drops all requests is not asked on every spare. */
START_TEST(one_that_dies_before_its_answer)
{
	keep(2);
	group()->tries = 1;
	pair_request();
	ck_assert_uint_gt(sim_sent(t.tried[1]).len, 0);
	say(FROM_CLIENT, FIN | WS_TEXT, "early");
	if (_i & 1)
		sim_push_eof(t.tried[1]);
	else
		sim_push_error(t.tried[1], ECONNRESET);
	ck_assert(sim_is_released(t.tried[1], NULL));
	got_nothing(t.tried[0]);
	ck_assert_uint_eq(t.connects, 3);
	ck_assert_uint_gt(sim_sent(t.tried[2]).len, 0);
	spare_count_is(spares_lost, 1);
	count_is(tries, 0);
	count_is(server_failures, 0);
	if (_i & 2) {
		sim_push_error(t.tried[2], EPIPE);
		got_status(502);
		got_nothing(t.tried[0]);
		count_is(server_failures, 1);
		return;
	}
	open_on(2);
	got_frame(FROM_CLIENT, FIN | WS_TEXT, "early"); /* once */
	ck_assert_uint_eq(state(0)->active, 1);
	ck_assert(server_state_is_up(state(0)));
}
END_TEST

/* The send itself finds it dead. */
START_TEST(one_that_cannot_be_sent_to)
{
	keep(1);
	sim_fail_sends(t.tried[0], EPIPE);
	pair_request();
	turn();
	ck_assert(sim_is_released(t.tried[0], NULL));
	got_nothing(t.client);
	ck_assert_uint_eq(t.connects, 2); /* its successor comes after */
	open_on(1);
	count_is(tries, 0);
}
END_TEST

/* Once it has answered it is a server's connection as any other. */
START_TEST(one_that_dies_in_its_answer)
{
	static const char *const begun[] = {"H", "HTTP/1.1 101 x\r\n", "HTTP/1.1 100 x\r\n\r\n",
	        "HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\nabc"};
	keep(2);
	group()->tries = 1;
	pair_request();
	push_text(t.tried[1], begun[_i]);
	sim_push_eof(t.tried[1]);
	got_status(502);
	got_nothing(t.tried[0]);
	spare_count_is(spares_lost, 0);
}
END_TEST

/* ... so that a broken one is not tried on every spare. */
START_TEST(a_connection_that_is_no_spare_is_tried_once)
{
	keep(1);
	group()->tries = 1;
	pair_request();
	sim_push_eof(t.tried[0]);
	ck_assert_uint_eq(t.connects, 2);
	sim_push_eof(t.tried[1]);
	got_status(502);
	ck_assert(!server_state_is_up(state(0)));
	count_is(server_failures, 1);
}
END_TEST

/* U-06: one client ends at every step; the next one gets nothing of its. */
START_TEST(U_06_aborted_then_next)
{
	static const char request[] = REQUEST;
	keep(1);
	for (unsigned step = 0; step < 6; step++) {
		char answer[512];
		ck_assert(pair_adopt());
		struct stream *first = t.client;
		push(first, slice_of(request, step == 0 ? 40 : sizeof request - 1));
		t.up = t.tried[t.connects - 1];
		if (step >= 2)
			say(FROM_CLIENT, FIN | WS_TEXT, "marked");
		if (step >= 3)
			ck_assert(make_101(answer, ""));
		if (step >= 4)
			push(t.up, slice_of(answer, step == 4 ? 20 : strlen(answer)));
		sim_push_error(first, ECONNRESET);
		struct stream *old = t.up;
		if (step == 5)
			sim_push_eof(old); /* it was told to go */
		turn();
		sim_free(first);
		ck_assert(sim_is_released(old, NULL) == (step > 0));
		pair_request();
		t.up = t.tried[step == 0 ? 0 : t.connects - 1];
		ck_assert(t.up != old || step == 0);
		ck_assert_ptr_null(memmem(sim_sent(t.up).at, sim_sent(t.up).len, "marked", 6));
		pair_answer();
		got_status(101);
		got_nothing(t.up);
		got_nothing(t.client);
		proxy_abort(t.proxy); /* the spares go, too */
		turn();
		pair_forget();
		keep(1);
	}
}
END_TEST

START_TEST(the_header_of_the_proxy_protocol_is_the_clients)
{
	group()->proxy_protocol = PROXY_HEADER_V1;
	keep(1);
	got_nothing(t.tried[0]);
	pair_request();
	struct slice have = sim_sent(t.tried[0]);
	ck_assert(slice_starts_with(have, SLICE("PROXY TCP4 192.0.2.1 ")));
}
END_TEST

START_TEST(no_timeout_of_connecting_is_left)
{
	keep(1);
	pair_request();
	pass(5001);
	got_nothing(t.client);
	open_on(0);
}
END_TEST

START_TEST(all_go_when_it_drains)
{
	keep(3);
	pair_request();
	proxy_drain(t.proxy, 0, NULL, NULL);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(sim_is_released(t.tried[i], NULL));
	proxy_keep_spares(t.proxy, &t.route->group, 1, 1);
	pass(2000);
	ck_assert_uint_eq(t.connects, 3);
}
END_TEST

/* With the only place but one taken by a spare, its own worker's sessions use it. */
START_TEST(a_full_server)
{
	group()->members->server[0].max_connections = 2;
	group()->members->has_one_open = false;
	keep(1);
	pair_request();
	open_on(0);
	pass(1000);
	ck_assert_uint_eq(t.connects, 1); /* one session, and the last place */
	struct stream *first = t.client;
	pair_request();
	ck_assert_uint_eq(t.connects, 2);
	struct stream *second = t.client;
	pair_request();
	got_status(503);
	ck_assert_uint_eq(state(0)->active, 2);
	proxy_abort(t.proxy);
	turn();
	sim_free(first);
	sim_free(second);
}
END_TEST

/* U-07: whose spare was lost asks the next server on a connection of its own, and takes none of the
 * places that its spares have there. */
START_TEST(the_next_server_when_a_spare_was_lost)
{
	struct upstream_server s[2];
	for (unsigned i = 0; i < 2; i++) {
		s[i] = (struct upstream_server){
		        .name = mem_strdup(i ? "b:1" : "a:1"), .weight = 1, .max_connections = 8};
		ck_assert(address_parse(&s[i].address, i ? "127.0.0.2:1" : "127.0.0.1:1"));
	}
	upstream_group_set_members(group(), upstream_members_new(group(), s, 2));
	group()->tries = 2;
	keep_of_each(2, 2);
	pair_request();
	unsigned first = state(0)->active ? 0 : 1;
	struct stream *spare = t.session->side[UPSTREAM].ep.stream;
	ck_assert_uint_eq(state(first)->idle, 1);
	sim_push_eof(spare);
	ck_assert_uint_eq(t.connects, 5);
	push_text(t.tried[4], "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n");
	ck_assert_uint_eq(t.connects, 6);
	ck_assert_uint_eq(state(!first)->active, 1);
	ck_assert_uint_eq(state(!first)->idle, 2);
	open_on(5);
	proxy_keep_spares(t.proxy, NULL, 0, 1); /* all spares are closed */
	ck_assert_uint_eq(state(0)->idle + state(1)->idle, 0);
}
END_TEST

static void add(TCase *c)
{
	tcase_add_test(c, a_session_on_a_spare);
	tcase_add_test(c, U_05_a_101_that_came_early);
	tcase_add_loop_test(c, one_that_dies_before_its_answer, 0, 4);
	tcase_add_test(c, one_that_cannot_be_sent_to);
	tcase_add_loop_test(c, one_that_dies_in_its_answer, 0, 4);
	tcase_add_test(c, a_connection_that_is_no_spare_is_tried_once);
	tcase_add_test(c, U_06_aborted_then_next);
	tcase_add_test(c, the_header_of_the_proxy_protocol_is_the_clients);
	tcase_add_test(c, no_timeout_of_connecting_is_left);
	tcase_add_test(c, all_go_when_it_drains);
	tcase_add_test(c, a_full_server);
	tcase_add_test(c, the_next_server_when_a_spare_was_lost);
}

int main(void)
{
	return pair_main("proxy/spare", add);
}
