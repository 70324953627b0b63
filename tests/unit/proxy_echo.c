/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy_pair.h"

static struct text sent, want;

static void fresh(void)
{
	sent.len = want.len = 0;
}

/* The client sends a data frame, and is to get it back. */
static void both(unsigned first, const void *payload, size_t len)
{
	text_frame(&sent, FROM_CLIENT, first, payload, len);
	text_frame(&want, FROM_UPSTREAM, first, payload, len);
}

/* Frames come back the same wherever the reads cut them, except that a pong may have to
 * wait for a frame's end. */
START_TEST(frames_come_back)
{
	static char long_text[300], longer[70000];
	memset(long_text, 'l', sizeof long_text);
	memset(longer, 'L', sizeof longer);
	fresh();
	both(FIN | WS_TEXT, "hello", 5);
	both(WS_BINARY, "", 0);
	both(WS_CONTINUATION, long_text, sizeof long_text);
	text_frame(&sent, FROM_CLIENT, FIN | WS_PING, "p", 1);
	text_frame(&want, FROM_UPSTREAM, FIN | WS_PONG, "p", 1);
	text_frame(&sent, FROM_CLIENT, FIN | WS_PONG, "own", 3);
	both(FIN | WS_CONTINUATION, "end", 3);
	for (int i = 0; i < 100; i++)
		both(FIN | WS_TEXT, "many", 4);
	for (size_t cut = 0; cut <= sent.len; cut++) {
		pair_open_echo();
		push(t.client, slice_of(sent.at, cut));
		push(t.client, slice_of(sent.at + cut, sent.len - cut));
		got(t.client, text_slice(&want));
		ck_assert_uint_eq(t.session->messages[CLIENT], 102);
		proxy_abort(t.proxy);
		turn();
		pair_forget();
	}
	fresh();
	both(FIN | WS_BINARY, longer, sizeof longer);
	pair_open_echo();
	for (size_t at = 0; at < sent.len; at += 9973)
		push(t.client, slice_of(sent.at + at, sent.len - at < 9973 ? sent.len - at : 9973));
	got(t.client, text_slice(&want));
}
END_TEST

START_TEST(close_is_answered)
{
	pair_open_echo();
	say(FROM_CLIENT, FIN | WS_TEXT, "last");
	say_close(FROM_CLIENT, 3000, "bye");
	say(FROM_CLIENT, FIN | WS_TEXT, "late");
	uint8_t words[126];
	take_frame(t.client, words, sizeof words);
	got_close(t.client, 3000, "");
	ck_assert(sim_saw_shutdown(t.client));
	sim_push_eof(t.client);
	ck_assert(has_ended(t.client));
	pair_is_over();
	log_is("cause=close", "closed_by=client", "client_code=3000");
	count_is(closed_normally, 1);
}
END_TEST

START_TEST(client_never_ends)
{
	pair_open_echo();
	say_close(FROM_CLIENT, 1000, "");
	got_close(t.client, 1000, "");
	pass(4999);
	ck_assert_uint_eq(sessions(), 1);
	pass(1);
	pair_is_over();
	count_is(timeout_close, 0);
	log_is("cause=close");
}
END_TEST

START_TEST(violations)
{
	pair_open_echo();
	if (_i == 0) {
		fresh();
		both(FIN | WS_TEXT, "good", 4);
		text_frame(&sent, FROM_CLIENT, FIN | WS_TEXT, "\xff", 1);
		push(t.client, text_slice(&sent));
		uint8_t words[126];
		take_frame(t.client, words, sizeof words);
		take_frame(t.client, words, sizeof words);
		ck_assert_uint_eq((unsigned)words[0] << 8 | words[1], 1007);
		got_nothing(t.client);
		ck_assert(sim_saw_shutdown(t.client));
		sim_push_eof(t.client);
	} else { /* half of the frame is back already: nothing can be put behind it */
		fresh();
		text_frame(&sent, FROM_CLIENT, WS_TEXT, "abcd", 4);
		push(t.client, slice_of(sent.at, sent.len - 2));
		push_text(t.client, "\xc1\xc1\xc1\xc1");
		ck_assert(has_reset(t.client));
		count_is(cut_mid_frame, 1);
	}
	pair_is_over();
	log_is("cause=protocol", "closed_by=client");
	count_is(broken_by_client, 1);
}
END_TEST

START_TEST(client_vanishes)
{
	pair_open_echo();
	sim_set_window(t.client, 0);
	say(FROM_CLIENT, FIN | WS_TEXT, "last");
	sim_push_eof(t.client);
	ck_assert(!sim_is_released(t.client, NULL));
	sim_set_window(t.client, SIZE_MAX);
	turn();
	got_frame(FROM_UPSTREAM, FIN | WS_TEXT, "last");
	ck_assert(has_ended(t.client));
	pair_is_over();
	log_is("cause=vanished");
	count_is(closed_by_client_end, 1);
}
END_TEST

/* F-19: one pong waits, the last */
START_TEST(pongs_of_a_client_that_never_reads)
{
	t.route->settings.ping_interval_ms = 0;
	pair_open_echo();
	sim_set_window(t.client, 1);
	for (int i = 0; i < 1000; i++)
		say(FROM_CLIENT, FIN | WS_PING, i < 999 ? "early" : "last");
	ck_assert_uint_lt(t.client->out.bytes, 127);
	if (_i == 0) {
		sim_set_window(t.client, SIZE_MAX);
		turn();
		turn();
		fresh();
		text_frame(&want, FROM_UPSTREAM, FIN | WS_PONG, "early", 5);
		text_frame(&want, FROM_UPSTREAM, FIN | WS_PONG, "last", 4);
		got(t.client, text_slice(&want));
		return;
	}
	pass(31000);
	ck_assert(has_reset(t.client));
	pair_is_over();
	log_is("cause=send_timeout");
	count_is(timeout_send, 1);
}
END_TEST

START_TEST(pong_waits_for_the_frame)
{
	pair_open_echo();
	fresh();
	both(WS_BINARY, "0123456789", 10);
	sim_set_window(t.client, 3);
	push(t.client, text_slice(&sent));
	say(FROM_CLIENT, FIN | WS_PING, "p");
	sim_set_window(t.client, SIZE_MAX);
	turn();
	turn();
	text_frame(&want, FROM_UPSTREAM, FIN | WS_PONG, "p", 1);
	got(t.client, text_slice(&want));
}
END_TEST

/* Nothing follows a close frame: neither data, nor pongs, nor those that waited. */
START_TEST(nothing_after_an_own_close)
{
	pair_open_echo();
	if (_i) {
		sim_set_window(t.client, 1);
		say(FROM_CLIENT, FIN | WS_TEXT, "x");
		say(FROM_CLIENT, FIN | WS_PING, "waits");
	}
	session_stop(t.session);
	say(FROM_CLIENT, FIN | WS_TEXT, "late");
	say(FROM_CLIENT, FIN | WS_PING, "late");
	sim_set_window(t.client, SIZE_MAX);
	turn();
	turn();
	uint8_t words[126];
	if (_i)
		take_frame(t.client, words, sizeof words);
	got_close(t.client, 1001, "stopping");
	say(FROM_CLIENT, FIN | WS_PING, "later");
	say_close(FROM_CLIENT, 1001, "");
	got_nothing(t.client);
	ck_assert(sim_saw_shutdown(t.client));
	sim_push_eof(t.client);
	pair_is_over();
	log_is("cause=stopping");
}
END_TEST

START_TEST(own_close_waits_for_the_frame)
{
	fresh();
	both(FIN | WS_BINARY, "0123456789", 10);
	both(FIN | WS_BINARY, "more", 4);
	pair_open_echo();
	push(t.client, slice_of(sent.at, 10));
	session_stop(t.session);
	if (_i == 0) {
		push(t.client, slice_of(sent.at + 10, sent.len - 12));
		ck_assert_mem_eq(sim_sent(t.client).at, want.at, 12);
		sim_take(t.client, 12);
		got_close(t.client, 1001, "stopping");
		return;
	}
	pass(5000);
	ck_assert(has_reset(t.client));
	pair_is_over();
	log_is("cut=mid_frame");
}
END_TEST

START_TEST(slow_client_is_paused)
{
	static char payload[1001];
	memset(payload, 'a', 1000);
	t.route->settings.max_queue = 4096;
	pair_open_echo();
	sim_set_window(t.client, 0);
	int n = 0;
	while (say(FROM_CLIENT, FIN | WS_BINARY, payload))
		n++;
	ck_assert_int_eq(n, 5);
	ck_assert_uint_le(t.client->out.bytes, 6000);
	sim_set_window(t.client, 3500);
	turn();
	ck_assert(say(FROM_CLIENT, FIN | WS_BINARY, payload));
	sim_set_window(t.client, SIZE_MAX);
	turn();
	ck_assert_uint_eq(sim_sent(t.client).len, 6 * 1004);
	count_is(pauses, 1);
}
END_TEST

START_TEST(pings_and_pongs)
{
	uint8_t payload[17];
	pair_open_echo();
	pass(30000);
	got_ping(payload);
	say(FROM_CLIENT, FIN | WS_PONG, "any");
	pass(10000);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	pass(20000);
	got_ping(payload);
	pass(10000);
	got_close(t.client, 1008, "pong_timeout");
	pass(5000);
	pair_is_over();
	log_is("cause=pong_timeout");
}
END_TEST

START_TEST(message_timeout)
{
	t.route->settings.ping_interval_ms = 0;
	pair_open_echo();
	say(FROM_CLIENT, WS_TEXT, "x");
	sim_take(t.client, sim_sent(t.client).len);
	pass(59999);
	got_nothing(t.client);
	pass(1);
	got_close(t.client, 1008, "message_timeout");
	ck_assert(sim_saw_shutdown(t.client));
}
END_TEST

START_TEST(memory_fails)
{
	for (int n = 1; n < 12; n++) {
		char plan[32];
		snprintf(plan, sizeof plan, "alloc:%d:ENOMEM", n);
		fault_plan(plan);
		t.route->action = ROUTE_ECHO;
		if (pair_adopt()) {
			push_text(t.client, REQUEST);
			sim_set_window(t.client, 1);
			say(FROM_CLIENT, FIN | WS_TEXT, "x");
			say(FROM_CLIENT, FIN | WS_PING, "x");
			push_text(t.client, "\x81");
			sim_set_window(t.client, SIZE_MAX);
			turn();
			turn();
			say_close(FROM_CLIENT, 1000, "");
			sim_push_eof(t.client);
		}
		fault_plan(NULL);
		pass(5000);
		ck_assert_uint_eq(sessions(), 0);
		ck_assert_uint_eq(t.worker->chunks.used, 0);
		pair_forget();
	}
}
END_TEST

static void add(TCase *c)
{
	tcase_add_test(c, frames_come_back);
	tcase_add_test(c, close_is_answered);
	tcase_add_test(c, client_never_ends);
	tcase_add_loop_test(c, violations, 0, 2);
	tcase_add_test(c, client_vanishes);
	tcase_add_loop_test(c, pongs_of_a_client_that_never_reads, 0, 2);
	tcase_add_test(c, pong_waits_for_the_frame);
	tcase_add_loop_test(c, nothing_after_an_own_close, 0, 2);
	tcase_add_loop_test(c, own_close_waits_for_the_frame, 0, 2);
	tcase_add_test(c, slow_client_is_paused);
	tcase_add_test(c, pings_and_pongs);
	tcase_add_test(c, message_timeout);
	tcase_add_test(c, memory_fails);
}

int main(void)
{
	return pair_main("proxy/echo", add);
}
