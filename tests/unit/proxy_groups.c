/* SPDX-License-Identifier: BSD-2-Clause */

/* Openings before a group of servers: what counts against one, and what the next
 * gets. Time stands still but where it is passed. */

#include "proxy_pair.h"

static struct upstream_group *group(void)
{
	return t.route->group;
}

static struct server_state *state(unsigned i)
{
	return group()->members->server[i].state;
}

static void servers(const char *const *addresses, unsigned n)
{
	struct upstream_server s[8];
	for (unsigned i = 0; i < n; i++) {
		s[i] = (struct upstream_server){.name = mem_strdup(addresses[i]), .weight = 1};
		ck_assert(address_parse(&s[i].address, addresses[i]));
	}
	upstream_group_set_members(group(), upstream_members_new(group(), s, n));
	group()->tries = n;
	group()->max_fails = 1;
	group()->fail_timeout_ms = 10000;
}

static const char *const two[] = {"127.0.0.1:1", "127.0.0.2:1"};

static void over(unsigned status)
{
	got_status(status);
	sim_push_eof(t.client);
	pair_is_over();
}

/* Silence counts against a server that had its part of the time. */
START_TEST(silence_counts)
{
	servers(two, 1);
	pair_request();
	pass(9999);
	got_nothing(t.client);
	pass(1);
	over(504);
	ck_assert(!server_state_is_up(state(0)));
	ck_assert_uint_eq(state(0)->active, 0);
	count_is(server_failures, 1);
}
END_TEST

/* answer_timeout: a silent server costs its own time, not that of the others. */
START_TEST(silence_and_the_next_server)
{
	servers(two, 2);
	group()->answer_timeout_ms = 2000;
	if (_i == 1)
		group()->connect_timeout_ms = 0;
	if (_i == 2)
		t.connecting = true;
	pair_request();
	pass(1999);
	ck_assert_uint_eq(t.connects, 1);
	pass(1);
	ck_assert_uint_eq(t.connects, 2);
	ck_assert(!server_state_is_up(state(0)) && server_state_is_up(state(1)));
	count_is(server_failures, 1);
	t.up->flags &= (uint16_t)~STREAM_CONNECTING;
	pass(1999);
	got_nothing(t.client);
	pair_answer();
	got_status(101);
	proxy_abort(t.proxy);
	turn();
	pair_forget();
	ck_assert_uint_eq(state(0)->active + state(1)->active, 0);
}
END_TEST

/* ... and of the last one there is an answer. One that has begun is not left. */
START_TEST(silence_of_the_last_server)
{
	servers(two, _i == 0 ? 1 : 2);
	group()->answer_timeout_ms = 2000;
	group()->connect_timeout_ms = 1000; /* does not count once it is connected */
	pair_request();
	if (_i == 1)
		push_text(t.up, "HTTP/1.1 101 Switching Protocols\r\nUpgr");
	pass(1000);
	got_nothing(t.client);
	pass(1000);
	over(504);
	ck_assert_uint_eq(t.connects, 1);
	ck_assert(!server_state_is_up(state(0)));
	count_is(server_failures, 1);
}
END_TEST

/* ... but not when the client took most of it. */
START_TEST(silence_after_a_slow_client_does_not_count)
{
	static const char request[] = REQUEST;
	servers(two, 1);
	ck_assert(pair_adopt());
	push(t.client, slice_of(request, 20));
	pass(9000);
	push(t.client, slice_of(request + 20, sizeof request - 1 - 20));
	ck_assert_uint_eq(t.connects, 1);
	pass(1000);
	over(504);
	ck_assert(server_state_is_up(state(0)));
	count_is(server_failures, 0);
}
END_TEST

/* A place is given back at every end of an opening. */
START_TEST(places_are_given_back)
{
	servers(two, 1);
	pair_request();
	ck_assert_uint_eq(state(0)->active, 1);
	if (_i == 0)
		sim_push_eof(t.client);
	else if (_i == 1)
		sim_push_error(t.client, ECONNRESET);
	else if (_i == 2)
		sim_push_error(t.up, ECONNRESET);
	else
		push_text(t.up, "HTTP/1.1 101 x\r\n\r\n");
	ck_assert_uint_eq(state(0)->active, 0);
	if (_i >= 2)
		sim_push_eof(t.client);
	turn();
	ck_assert_uint_eq(sessions(), 0);
	ck_assert(server_state_is_up(state(0)) == (_i != 2));
}
END_TEST

/* Until the server's connection is gone, whoever ends first. */
START_TEST(a_place_is_held_to_the_end)
{
	servers(two, 1);
	pair_open();
	ck_assert_uint_eq(state(0)->active, 1);
	sim_push_eof(_i ? t.up : t.client);
	ck_assert_uint_eq(state(0)->active, !_i);
	ck_assert_uint_eq(sessions(), 1);
	sim_push_eof(_i ? t.client : t.up);
	turn();
	ck_assert_uint_eq(sessions(), 0);
	ck_assert_uint_eq(state(0)->active, 0);
	log_is("session_end", "server=127.0.0.1:1");
}
END_TEST

/* Each split of an answer that sends the session on: the next server's bytes are not
 * taken for more of it. */
START_TEST(the_next_server_at_every_split)
{
	static const char answer[] = "HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusyHTTP/1.1 200";
	servers(two, 2);
	group()->max_fails = 0;
	for (size_t cut = 1; cut < sizeof answer - 1; cut++) {
		t.connects = 0;
		pair_request();
		struct stream *first = t.up;
		push(first, slice_of(answer, cut));
		if (!sim_is_released(first, NULL))
			push(first, slice_of(answer + cut, sizeof answer - 1 - cut));
		ck_assert(sim_is_released(first, NULL));
		ck_assert_uint_eq(t.connects, 2);
		pair_answer();
		got_status(101);
		sim_push_error(t.client, ECONNRESET);
		sim_push_eof(t.up);
		turn();
		ck_assert_uint_eq(sessions(), 0);
		pair_forget();
	}
}
END_TEST

/* Frames sent while a private server was asked must not leave for a public one as
 * they came. */
START_TEST(early_frames_are_masked_for_whoever_answers)
{
	static const char *const mixed[] = {"127.0.0.1:1", "8.8.8.8:1"};
	static struct text b;
	b.len = 0;
	servers(mixed, 2);
	t.route->settings.remask = REMASK_AUTO;
	pair_request();
	text_frame(&b, FROM_CLIENT, FIN | WS_TEXT, "hello", 5);
	push(t.client, text_slice(&b));
	sim_push_eof(t.up);
	ck_assert_uint_eq(t.connects, 2);
	pair_answer();
	got_status(101);
	struct slice have = sim_sent(t.up);
	ck_assert_uint_eq(have.len, b.len);
	ck_assert(memcmp(have.at, b.at, b.len) != 0);
}
END_TEST

/* U-04: a server that is filtered takes connect_timeout, and not more. */
START_TEST(U_04_the_next_server_after_connect_timeout)
{
	servers(two, 2);
	t.connecting = true;
	pair_request();
	struct stream *first = t.up;
	pass(4999);
	ck_assert(!sim_is_released(first, NULL));
	pass(1);
	ck_assert(sim_is_released(first, NULL));
	ck_assert_uint_eq(t.connects, 2);
	ck_assert(!server_state_is_up(state(0)));
	t.up->flags &= (uint16_t)~STREAM_CONNECTING;
	pair_answer();
	got_status(101);
	count_is(tries, 1);
}
END_TEST

/* Every try fails at once: bounded, and no deeper with every one. */
START_TEST(all_fail_at_once)
{
	static const char *const eight[] = {"127.0.0.1:1", "127.0.0.2:1", "127.0.0.3:1",
	        "127.0.0.4:1", "127.0.0.5:1", "127.0.0.6:1", "127.0.0.7:1", "127.0.0.8:1"};
	servers(eight, 8);
	for (unsigned i = 0; i < 8; i++)
		t.connect_errno[i] = _i ? EADDRNOTAVAIL : ENETUNREACH;
	pair_request();
	ck_assert_uint_eq(t.connects, 8);
	over(_i ? 503 : 502);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert(server_state_is_up(state(i)) == (_i != 0));
		ck_assert_uint_eq(state(i)->active, 0);
	}
}
END_TEST

/* every allocation fails once, or from each on, with a queue and tries. */
START_TEST(memory_fails)
{
	servers(two, 2);
	group()->max_fails = 0;
	group()->queue = 1;
	for (unsigned i = 0; i < 2; i++)
		group()->members->server[i].max_connections = 1;
	for (int n = 1; n < 40; n++) {
		char plan[64];
		snprintf(plan, sizeof plan, "alloc:%d:ENOMEM:%d", n, _i ? 1000 : 1);
		t.connects = 0;
		fault_plan(plan);
		if (pair_adopt() && push_text(t.client, REQUEST) && t.connects == 1)
			sim_push_eof(t.up);
		fault_plan(NULL);
		if (!sim_is_released(t.client, NULL))
			sim_push_error(t.client, ECONNRESET);
		pass(20000);
		ck_assert_uint_eq(sessions(), 0);
		ck_assert_uint_eq(state(0)->active + state(1)->active, 0);
		pair_forget();
	}
}
END_TEST

static void add(TCase *c)
{
	tcase_add_test(c, silence_counts);
	tcase_add_loop_test(c, silence_and_the_next_server, 0, 3);
	tcase_add_loop_test(c, silence_of_the_last_server, 0, 2);
	tcase_add_test(c, silence_after_a_slow_client_does_not_count);
	tcase_add_loop_test(c, places_are_given_back, 0, 4);
	tcase_add_loop_test(c, a_place_is_held_to_the_end, 0, 2);
	tcase_add_test(c, the_next_server_at_every_split);
	tcase_add_test(c, early_frames_are_masked_for_whoever_answers);
	tcase_add_test(c, U_04_the_next_server_after_connect_timeout);
	tcase_add_loop_test(c, all_fail_at_once, 0, 2);
	tcase_add_loop_test(c, memory_fails, 0, 2);
}

int main(void)
{
	return pair_main("proxy/groups", add);
}
