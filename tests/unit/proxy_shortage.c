/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy_pair.h"

#include "base/budget.h"

/* memory is short. */

enum { HELD = 60 << 20 };

/* Makes memory short by what others were promised, and not short again. */
static void make_short(bool is_on)
{
	budget_set(is_on ? 64 << 20 : 0);
	budget_promise(is_on ? HELD : -HELD);
	budget_settle();
	ck_assert_int_eq(budget_is_short(), is_on);
}

START_TEST(newcomers_are_refused)
{
	struct stream *some[20];
	make_short(true);
	for (int i = 0; i < 20; i++) {
		ck_assert(pair_adopt());
		struct slice have = sim_sent(t.client);
		ck_assert_ptr_nonnull(memmem(have.at, have.len, "\r\nRetry-After: 5\r\n", 18));
		got_status(503);
		ck_assert(sim_saw_shutdown(t.client));
		push_text(t.client, REQUEST);
		got_nothing(t.client);
		some[i] = t.client;
	}
	count_is(refused_memory, 20);
	count_is(refused_503, 20);
	count_is(requests, 0);
	ck_assert_uint_eq(log_count("memory_short"), 1);
	ck_assert_uint_eq(log_count("refused"), 0);
	pass(1000);
	for (int i = 0; i < 20; i++) {
		ck_assert(has_ended(some[i]));
		sim_free(some[i]);
	}
	t.client = NULL;
	ck_assert_uint_eq(log_count("memory_available"), 0);
	make_short(false);
	pass(1000);
	ck_assert_uint_eq(log_count("memory_available"), 1);
	ck_assert_uint_eq(log_count("refused=20"), 1);
	pair_open();
}
END_TEST

/* What was given back in small parts is known when the next one asks. */
START_TEST(newcomers_are_not_refused_for_ever)
{
	make_short(true);
	ck_assert(pair_adopt());
	got_status(503);
	pass(1000);
	ck_assert(has_ended(t.client));
	sim_free(t.client);
	budget_own.promised -= HELD; /* as much as a thread never keeps to itself */
	ck_assert(budget_is_short());
	pair_open();
	count_is(refused_memory, 1);
}
END_TEST

START_TEST(who_is_there_goes_on)
{
	pair_open();
	make_short(true);
	say(FROM_CLIENT, FIN | WS_TEXT, "up");
	got_frame(FROM_CLIENT, FIN | WS_TEXT, "up");
	/* The client takes no more: the upstream is not read on, until it has taken all. */
	sim_set_window(t.client, 3);
	say(FROM_UPSTREAM, FIN | WS_TEXT, "down");
	ck_assert(stream_is_paused(t.up));
	ck_assert(!stream_is_paused(t.client));
	ck_assert_uint_eq(log_count("memory_short"), 1);
	sim_set_window(t.client, 2);
	turn();
	ck_assert(stream_is_paused(t.up));
	sim_set_window(t.client, SIZE_MAX);
	turn();
	ck_assert(!stream_is_paused(t.up));
	got_frame(FROM_UPSTREAM, FIN | WS_TEXT, "down");
	say(FROM_UPSTREAM, FIN | WS_TEXT, "more");
	got_frame(FROM_UPSTREAM, FIN | WS_TEXT, "more");
	make_short(false);
	count_is(pauses, 1);
}
END_TEST

/* Sessions that queued something before it became short are held back when the first of
 * the worker's queues grows. */
START_TEST(all_are_held_back_each_time)
{
	pair_open();
	struct stream *client = t.client, *up = t.up;
	sim_set_window(client, 0);
	say(FROM_UPSTREAM, FIN | WS_TEXT, "before");
	ck_assert(!stream_is_paused(up));
	t.connects = 0;
	t.tried[0] = NULL;
	pair_open();
	for (unsigned round = 1; round <= 2; round++) {
		make_short(true);
		say(FROM_UPSTREAM, FIN | WS_TEXT, "taken");
		ck_assert(!stream_is_paused(up));
		sim_set_window(t.client, 0);
		say(FROM_UPSTREAM, FIN | WS_TEXT, "queued");
		ck_assert(stream_is_paused(up));
		ck_assert(stream_is_paused(t.up));
		ck_assert(!stream_is_paused(client));
		make_short(false);
		sim_set_window(t.client, SIZE_MAX);
		sim_set_window(client, SIZE_MAX);
		turn();
		ck_assert(!stream_is_paused(up));
		ck_assert(!stream_is_paused(t.up));
		sim_set_window(client, 0);
		push(up, sim_sent(t.client)); /* frames are frames */
		sim_take(t.client, sim_sent(t.client).len);
		ck_assert(!stream_is_paused(up));
		ck_assert_uint_eq(log_count("memory_short"), 1); /* it is one time of shortage */
	}
	count_is(pauses, 4);
	proxy_abort(t.proxy);
	turn();
	sim_free(client);
	sim_free(up);
}
END_TEST

START_TEST(an_echo_is_held_back)
{
	pair_open_echo();
	make_short(true);
	sim_set_window(t.client, 1);
	say(FROM_CLIENT, FIN | WS_TEXT, "echo");
	ck_assert(stream_is_paused(t.client));
	sim_set_window(t.client, SIZE_MAX);
	turn();
	ck_assert(!stream_is_paused(t.client));
	make_short(false);
}
END_TEST

/* At the limit: who is served is served on, what is not open yet is not opened. */
/* Too long for the room in an opening. */
static void push_long_request(void)
{
	char text[4096];
	const char *lines = strstr(REQUEST, "\r\n");
	snprintf(text, sizeof text, "%.*s\r\nX-Long: %02000d%s", (int)(lines - REQUEST), REQUEST, 1,
	        lines);
	push_text(t.client, text);
}

START_TEST(at_the_limit)
{
	pair_open();
	struct stream *client = t.client, *up = t.up;
	t.connects = 0;
	t.tried[0] = NULL;
	ck_assert(pair_adopt());
	make_short(true);
	budget_set(budget_taken() + budget_promised());
	push_long_request();
	got_status(503);
	struct stream *late = t.client;
	t.client = client;
	t.up = up;
	sim_set_window(client, 0);
	sim_set_window(up, 0);
	say(FROM_UPSTREAM, FIN | WS_TEXT, "down");
	say(FROM_CLIENT, FIN | WS_TEXT, "up");
	turn();
	sim_set_window(client, SIZE_MAX);
	sim_set_window(up, SIZE_MAX);
	turn();
	got_frame(FROM_UPSTREAM, FIN | WS_TEXT, "down");
	got_frame(FROM_CLIENT, FIN | WS_TEXT, "up");
	make_short(false);
	proxy_abort(t.proxy);
	turn();
	sim_free(up);
	sim_free(late);
}
END_TEST

static void add(TCase *c)
{
	tcase_add_test(c, newcomers_are_refused);
	tcase_add_test(c, newcomers_are_not_refused_for_ever);
	tcase_add_test(c, who_is_there_goes_on);
	tcase_add_test(c, all_are_held_back_each_time);
	tcase_add_test(c, an_echo_is_held_back);
	tcase_add_test(c, at_the_limit);
}

int main(void)
{
	return pair_main("proxy/shortage", add);
}
