/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy_pair.h"

#include "proxy/admit.h"

/* ---- clients by the dozen ---- */

enum { CROWD = 400 };

static struct proxy_listener door;
static char name[] = "public";
static struct stream *crowd[CROWD];
static unsigned crowd_n;

static void setup_door(struct limit_settings limits)
{
	door = (struct proxy_listener){.name = name,
	        .refs = 1,
	        .handshake_timeout_ms = 10000,
	        .keepalive_timeout_ms = 60000,
	        .limits = limits};
	door.limits.prefix_ipv6 = 64;
	door.scope = limit_scope_get("listener", "public");
	crowd_n = 0;
}

static void setup_route(struct limit_settings limits)
{
	t.route->settings.limit = limits;
	t.route->settings.limit.prefix_ipv6 = 64;
	t.route->scope = limit_scope_get("route", "chat");
}

/* Everybody goes; nothing stays counted. */
static void clear_out(void)
{
	proxy_abort(t.proxy);
	turn();
	for (unsigned i = 0; i < crowd_n; i++)
		sim_free(crowd[i]);
	crowd_n = 0;
	t.client = NULL;
	ck_assert_uint_eq(t.proxy->admission_pool.used, 0);
	ck_assert_uint_eq(t.proxy->lingering, 0);
	ck_assert_uint_eq(limit_table_used(), 0);
	if (door.scope)
		ck_assert_uint_eq(limit_scope_active(door.scope), 0);
	if (t.route->scope)
		ck_assert_uint_eq(limit_scope_active(t.route->scope), 0);
	limit_scope_unref(door.scope);
	door = (struct proxy_listener){.scope = NULL};
}

/* A connection from there becomes t.client. */
static void come(const char *from)
{
	struct address peer;
	ck_assert(address_parse(&peer, from));
	ck_assert_uint_lt(crowd_n, CROWD);
	struct stream *s = crowd[crowd_n++] = sim_new(t.worker);
	ck_assert(proxy_adopt(t.proxy, s, &peer, &door));
	t.session = list_entry(t.proxy->sessions.prev, struct session, node);
	t.client = s;
}

static void leave(struct stream *s)
{
	sim_push_eof(s);
	turn();
	ck_assert(sim_is_released(s, NULL));
}

static void got_refusal(unsigned status, const char *wait)
{
	char line[64];
	snprintf(line, sizeof line, "\r\nRetry-After: %s\r\n", wait);
	struct slice have = sim_sent(t.client);
	ck_assert_msg(memmem(have.at, have.len, line, strlen(line)) != NULL, "%.*s", (int)have.len,
	        (const char *)have.at);
	got_status(status);
	ck_assert(sim_saw_shutdown(t.client));
}

#define FORWARDED(from)                                               \
	"GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " from "\r\n" \
	"Upgrade: websocket\r\nConnection: Upgrade\r\n"               \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

/* ---- at the door ---- */

START_TEST(a_full_listener)
{
	setup_door((struct limit_settings){.max_connections = 2});
	come("192.0.2.1:1");
	struct stream *first = t.client;
	come("192.0.2.2:1");
	got_nothing(t.client);
	come("192.0.2.3:1");
	got_refusal(503, "5");
	log_is("refused", "status=503", "client=192.0.2.3:1", "max_connections of the listener");
	/* What it asks is read and thrown away; then it goes. */
	push_text(t.client, REQUEST);
	got_nothing(t.client);
	leave(t.client);
	leave(first);
	come("192.0.2.3:1");
	got_nothing(t.client);
	count_is(refused_503, 1);
	count_is(limit_connections, 1);
	count_is(requests, 0);
	clear_out();
}
END_TEST

START_TEST(one_refused_does_not_linger)
{
	setup_door((struct limit_settings){.max_connections = 1});
	come("192.0.2.1:1");
	come("192.0.2.2:1");
	got_refusal(503, "5");
	ck_assert_uint_eq(t.proxy->lingering, 1);
	pass(999);
	ck_assert(!sim_is_released(t.client, NULL));
	pass(1);
	ck_assert(has_ended(t.client));
	ck_assert_uint_eq(t.proxy->lingering, 0);
	ck_assert_uint_eq(sessions(), 1);
	clear_out();
}
END_TEST

/* Who is refused takes neither places nor much memory, however many they are. */
START_TEST(a_crowd_at_the_door)
{
	setup_door((struct limit_settings){.max_connections = 1});
	come("192.0.2.1:1");
	for (unsigned i = 0; i < 300; i++) {
		come("192.0.2.2:1");
		got_refusal(503, "5");
		turn();
		ck_assert(has_ended(t.client) == (i >= 256));
	}
	ck_assert_uint_eq(t.proxy->lingering, 256);
	ck_assert_uint_eq(sessions(), 257);
	ck_assert_uint_eq(log_count("status=503"), 300);
	count_is(refused_503, 300);
	pass(1000);
	ck_assert_uint_eq(sessions(), 1);
	clear_out();
}
END_TEST

START_TEST(connections_of_an_address)
{
	setup_door((struct limit_settings){.max_connections_per_address = 1});
	come("192.0.2.1:1");
	struct stream *first = t.client;
	come("192.0.2.1:2");
	got_refusal(429, "5");
	log_is("status=429", "max_connections_per_address of the listener");
	come("192.0.2.2:2");
	got_nothing(t.client);
	leave(first);
	come("192.0.2.1:3");
	got_nothing(t.client);
	count_is(refused_429, 1);
	count_is(limit_address_connections, 1);
	clear_out();
}
END_TEST

START_TEST(no_memory_at_the_door)
{
	setup_door((struct limit_settings){.max_connections = 1});
	/* The session, then what it keeps of its places. */
	ck_assert(fault_plan("alloc:2:ENOMEM"));
	come("192.0.2.1:1");
	ck_assert(fault_plan(NULL));
	got_status(503);
	count_is(out_of_memory, 1);
	clear_out();
}
END_TEST

/* ---- behind a trusted proxy ---- */

static void trust(const char *block)
{
	struct cidr c;
	ck_assert_ptr_null(cidr_parse(&c, block));
	cidr_list_add(&door.trusted, &c);
}

START_TEST(the_client_behind_a_proxy)
{
	setup_door((struct limit_settings){.max_connections_per_address = 1});
	trust("10.0.0.0/8");
	/* The proxy itself may come as often as it likes. */
	come("10.0.0.1:1");
	come("10.0.0.1:2");
	struct stream *second = t.client;
	got_nothing(t.client);
	t.route->action = ROUTE_ECHO;
	push_text(crowd[0], FORWARDED("192.0.2.1"));
	t.client = crowd[0];
	got_status(101);
	push_text(second, FORWARDED("192.0.2.1"));
	t.client = second;
	got_refusal(429, "5");
	log_is("status=429", "client=192.0.2.1:0", "max_connections_per_address of the listener");
	come("10.0.0.1:3");
	push_text(t.client, FORWARDED("192.0.2.2"));
	got_status(101);
	/* Who comes directly is counted with those who come by the proxy. */
	come("192.0.2.1:7");
	got_refusal(429, "5");
	cidr_list_fini(&door.trusted);
	clear_out();
}
END_TEST

/* ---- at the route ---- */

START_TEST(a_full_route)
{
	setup_door((struct limit_settings){.max_connections = 100});
	setup_route((struct limit_settings){.max_connections = 1});
	come("192.0.2.1:1");
	push_text(t.client, REQUEST);
	ck_assert_uint_eq(t.connects, 1);
	struct stream *first = t.client;
	come("192.0.2.2:1");
	push_text(t.client, REQUEST);
	got_refusal(503, "5");
	log_is("status=503", "max_connections of the route", "route=chat");
	ck_assert_uint_eq(t.connects, 1);
	sim_push_eof(first);
	turn();
	come("192.0.2.2:2");
	push_text(t.client, REQUEST);
	ck_assert_uint_eq(t.connects, 2);
	clear_out();
}
END_TEST

START_TEST(an_address_at_the_route)
{
	setup_door((struct limit_settings){.max_connections = 100});
	setup_route((struct limit_settings){.max_connections_per_address = 1});
	t.route->action = ROUTE_ECHO;
	come("[2001:db8::1]:1");
	push_text(t.client, REQUEST);
	got_status(101);
	come("[2001:db8::2]:1");
	push_text(t.client, REQUEST);
	got_refusal(429, "5");
	come("[2001:db8:0:1::1]:1");
	push_text(t.client, REQUEST);
	got_status(101);
	clear_out();
}
END_TEST

START_TEST(handshake_rates)
{
	setup_door((struct limit_settings){.max_connections = 100});
	setup_route((struct limit_settings){
	        .rate = {3, 1000}, .rate_per_address = {1, 10000}, .burst_per_address = 2});
	t.route->action = ROUTE_ECHO;
	for (unsigned i = 0; i < 2; i++) {
		come("192.0.2.1:1");
		push_text(t.client, REQUEST);
		got_status(101);
		proxy_abort(t.proxy);
		turn();
	}
	come("192.0.2.1:1");
	push_text(t.client, REQUEST);
	got_refusal(429, "10");
	come("192.0.2.2:1");
	push_text(t.client, REQUEST);
	got_status(101);
	come("192.0.2.3:1");
	push_text(t.client, REQUEST);
	got_refusal(503, "1");
	count_is(limit_address_rate, 1);
	count_is(limit_rate, 1);
	count_is(refused_429, 1);
	count_is(refused_503, 1);
	/* Two thirds of a second bring two tokens to the route, none to the first. */
	pass(667);
	come("192.0.2.1:1");
	push_text(t.client, REQUEST);
	got_refusal(429, "10");
	come("192.0.2.3:1");
	push_text(t.client, REQUEST);
	got_status(101);
	/* The table remembers the addresses until their allowance is whole again. */
	ck_assert_uint_gt(limit_table_used(), 0);
	t.route->settings.limit.rate_per_address.n = 0;
	proxy_abort(t.proxy);
	turn();
	limit_scope_unref(door.scope);
	door.scope = NULL;
	limit_scope_unref(t.route->scope);
	t.route->scope = NULL;
	clear_out();
}
END_TEST

/* Requests that are no upgrade cost nothing, and keep no place. */
START_TEST(plain_requests_are_not_counted)
{
	setup_door((struct limit_settings){.max_connections = 100});
	setup_route((struct limit_settings){.max_connections = 1, .rate = {1, 3600000}});
	t.route->action = ROUTE_ECHO;
	come("192.0.2.1:1");
	for (unsigned i = 0; i < 5; i++) {
		push_text(t.client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
		got_status(426);
	}
	ck_assert_uint_eq(limit_scope_active(t.route->scope), 0);
	push_text(t.client, REQUEST);
	got_status(101);
	clear_out();
}
END_TEST

START_TEST(no_memory_for_the_place)
{
	setup_route((struct limit_settings){.max_connections = 1});
	t.route->action = ROUTE_ECHO;
	ck_assert(pair_adopt());
	for (int nth = 1; nth < 4; nth++) {
		char plan[32];
		snprintf(plan, sizeof plan, "alloc:%d:ENOMEM", nth);
		ck_assert(fault_plan(plan));
		push_text(t.client, REQUEST);
		ck_assert(fault_plan(NULL));
		ck_assert_uint_gt(sim_sent(t.client).len, 0);
		proxy_abort(t.proxy);
		turn();
		ck_assert_uint_eq(limit_scope_active(t.route->scope), 0);
		pair_forget();
		ck_assert(pair_adopt());
	}
}
END_TEST

/* ---- places are given back once, whatever the end ---- */

static void open_limited(void)
{
	setup_door((struct limit_settings){.max_connections = 1, .max_connections_per_address = 1});
	come("192.0.2.1:1");
	push_text(t.client, REQUEST);
}

static void is_given_back(void)
{
	turn();
	ck_assert_uint_eq(sessions(), 0);
	ck_assert_uint_eq(limit_scope_active(door.scope), 0);
	ck_assert_uint_eq(limit_scope_active(t.route->scope), 0);
	ck_assert_uint_eq(limit_table_used(), 0);
	clear_out();
	pair_forget();
}

START_TEST(given_back_at_every_end)
{
	setup_route(
	        (struct limit_settings){.max_connections = 1, .max_connections_per_address = 1});

	open_limited(); /* gone while the upstream is asked */
	sim_push_eof(t.client);
	is_given_back();

	open_limited(); /* reset there */
	sim_push_error(t.client, ECONNRESET);
	is_given_back();

	open_limited(); /* the upstream refuses */
	push_text(t.up, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
	got_status(403);
	ck_assert_uint_eq(limit_scope_active(t.route->scope), 1);
	sim_push_eof(t.client);
	is_given_back();

	open_limited(); /* the upstream ends */
	sim_push_eof(t.up);
	sim_push_eof(t.client);
	is_given_back();

	open_limited(); /* nobody answers */
	pass(10000);
	pass(5000);
	is_given_back();

	open_limited(); /* open, then a close handshake */
	pair_answer();
	say_close(FROM_CLIENT, 1000, "");
	say_close(FROM_UPSTREAM, 1000, "");
	sim_push_eof(t.client);
	sim_push_eof(t.up);
	is_given_back();

	open_limited(); /* both vanish in one turn */
	pair_answer();
	sim_push_error(t.client, ECONNRESET);
	sim_push_error(t.up, ECONNRESET);
	is_given_back();

	open_limited(); /* a violation, and nobody leaves by himself */
	pair_answer();
	say(FROM_CLIENT, 0x7, "");
	pass(5000);
	pass(5000);
	is_given_back();

	open_limited(); /* the end of all */
	pair_answer();
	proxy_abort(t.proxy);
	is_given_back();
}
END_TEST

/* ---- max_control_rate ---- */

static void say_many(int from, unsigned first, unsigned n)
{
	static struct text b;
	b.len = 0;
	for (unsigned i = 0; i < n; i++)
		text_frame(&b, from, first, "", 0);
	push(far_end(from), text_slice(&b));
}

static void take(struct stream *s)
{
	sim_take(s, sim_sent(s).len);
}

START_TEST(F_20_pings_of_each_side)
{
	for (int from = 0; from < 2; from++) {
		t.route->settings.max_control_rate = 1000;
		pair_open();
		for (int k = 0; k < 3; k++) { /* the most, second after second */
			say_many(from, FIN | WS_PING, 500);
			say_many(from, FIN | WS_PONG, 500);
			take(far_end(from ^ 1));
			pass(1000);
		}
		say_many(from, FIN | WS_PING, 1000);
		take(far_end(from ^ 1));
		say(from ^ 1, FIN | WS_PING, "not mine");
		take(far_end(from));
		say_many(from, FIN | WS_PING, 1);
		got_close(t.client, 1008, "max_control_rate");
		got_close(t.up, 1008, "max_control_rate");
		say_close(FROM_CLIENT, 1008, "");
		say_close(FROM_UPSTREAM, 1008, "");
		sim_push_eof(t.client);
		sim_push_eof(t.up);
		pair_is_over();
		log_is("cause=max_control_rate", "closed_by=proxy", "code=1008");
		count_is(max_control_rate, (uint64_t)from + 1);
		pair_forget();
	}
}
END_TEST

/* All in one read: what is within the limit goes out, nothing of what is behind. */
START_TEST(F_20_in_one_read)
{
	t.route->settings.max_control_rate = 10;
	pair_open();
	static struct text b;
	b.len = 0;
	for (int i = 0; i < 1000; i++)
		text_frame(&b, FROM_CLIENT, FIN | WS_PING, "", 0);
	push(t.client, text_slice(&b));
	got_close(t.client, 1008, "max_control_rate");
	struct slice have = sim_sent(t.up);
	ck_assert_uint_gt(have.len, 60);
	ck_assert_mem_eq(have.at, b.at, 60);
	sim_take(t.up, 60);
	got_close(t.up, 1008, "max_control_rate");
}
END_TEST

START_TEST(F_20_who_goes_on_is_not_heard)
{
	t.route->settings.max_control_rate = 100;
	pair_open();
	say_many(FROM_CLIENT, FIN | WS_PING, 101);
	got_close(t.client, 1008, "max_control_rate");
	say_many(FROM_CLIENT, FIN | WS_PING, 100);
	ck_assert_int_eq(t.session->side[CLIENT].ep.phase, ENDPOINT_FRAMES);
	say_many(FROM_CLIENT, FIN | WS_PING, 1000);
	ck_assert_int_eq(t.session->side[CLIENT].ep.phase, ENDPOINT_DISCARD);
	say_close(FROM_UPSTREAM, 1008, "");
	sim_push_eof(t.up);
	turn();
	for (int i = 0; i < 3 && sessions(); i++)
		pass(5000);
	pair_is_over();
	log_is("cause=max_control_rate");
}
END_TEST

START_TEST(F_20_to_an_echo)
{
	t.route->settings.max_control_rate = 1000;
	pair_open_echo();
	say_many(FROM_CLIENT, FIN | WS_PING, 600);
	say_many(FROM_CLIENT, FIN | WS_PONG, 400);
	take(t.client);
	say(FROM_CLIENT, FIN | WS_TEXT, "message");
	got_frame(FROM_UPSTREAM, FIN | WS_TEXT, "message");
	say_many(FROM_CLIENT, FIN | WS_PONG, 5);
	got_close(t.client, 1008, "max_control_rate");
}
END_TEST

START_TEST(F_16_empty_fragments)
{
	for (int way = 0; way < 3; way++) {
		t.route->settings.max_control_rate = 1000;
		t.route->action = ROUTE_UPSTREAM;
		int from = way == 1 ? FROM_UPSTREAM : FROM_CLIENT;
		if (way == 2)
			pair_open_echo();
		else
			pair_open();
		say_many(from, WS_BINARY, 1);
		say_many(from, WS_CONTINUATION, 999);
		ck_assert_int_eq(t.session->state, SESSION_OPEN);
		take(t.client);
		if (t.up)
			take(t.up);
		say_many(from, WS_CONTINUATION, 1);
		ck_assert_int_eq(t.session->state, SESSION_CLOSING);
		if (way == 1)
			take(t.client);
		else
			take(t.up ? t.up : t.client);
		proxy_abort(t.proxy);
		turn();
		pair_log_clear();
		pair_forget();
	}
	count_is(max_control_rate, 3);
}
END_TEST

/* F-25: empty messages are messages; and what ends a message is none of these. */
START_TEST(F_16_what_is_not_counted)
{
	t.route->settings.max_control_rate = 10;
	pair_open();
	say_many(FROM_CLIENT, FIN | WS_TEXT, 1000);
	for (int i = 0; i < 100; i++) {
		say(FROM_CLIENT, WS_TEXT, "a");
		say(FROM_CLIENT, FIN | WS_CONTINUATION, "");
	}
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	take(t.up);
}
END_TEST

START_TEST(control_rate_off)
{
	t.route->settings.max_control_rate = 0;
	pair_open();
	for (int i = 0; i < 70; i++)
		say_many(FROM_CLIENT, FIN | WS_PING, 1000);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	take(t.up);
}
END_TEST

/* Early frames are bounded by what is kept of them, and count for nothing. */
START_TEST(early_pings_are_not_counted)
{
	t.route->settings.max_control_rate = 10;
	pair_request();
	say_many(FROM_CLIENT, FIN | WS_PING, 500);
	pair_answer();
	got_status(101);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	say_many(FROM_CLIENT, FIN | WS_PING, 10);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	say_many(FROM_CLIENT, FIN | WS_PING, 1);
	ck_assert_int_eq(t.session->state, SESSION_CLOSING);
	take(t.up);
}
END_TEST

/* A second in which the peer was not read is over too. */
START_TEST(a_pause_ends_the_second)
{
	t.route->settings.max_control_rate = 10;
	pair_open();
	say_many(FROM_CLIENT, FIN | WS_PING, 10);
	take(t.up);
	pass(1000);
	sim_set_window(t.up, 0);
	static char big[40000];
	memset(big, 'x', sizeof big - 1);
	say(FROM_CLIENT, FIN | WS_TEXT, big);
	say(FROM_CLIENT, FIN | WS_TEXT, big);
	ck_assert(t.session->side[CLIENT].flags & SIDE_PAUSED);
	pass(1000);
	sim_set_window(t.up, SIZE_MAX);
	turn();
	ck_assert(!(t.session->side[CLIENT].flags & SIDE_PAUSED));
	say_many(FROM_CLIENT, FIN | WS_PING, 10);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	take(t.up);
}
END_TEST

/* ---- max_lifetime ---- */

START_TEST(lifetime)
{
	uint64_t first = 0, last = 0;
	t.route->settings.max_lifetime_ms = 80000;
	t.route->settings.ping_interval_ms = 0;
	for (int i = 0; i < 8; i++) {
		ck_assert(pair_adopt());
		pass(5000); /* it counts from the 101 */
		push_text(t.client, REQUEST);
		pair_answer();
		got_status(101);
		uint64_t began = t.worker->now_ms, lived;
		while (t.session->state == SESSION_OPEN) {
			say(FROM_CLIENT, FIN | WS_TEXT, "busy");
			pass(100);
		}
		lived = t.worker->now_ms - began;
		ck_assert_uint_ge(lived, 70000);
		ck_assert_uint_le(lived, 80100);
		first = i == 0 ? lived : first;
		last = lived != first ? lived : last;
		got_close(t.client, 1001, "max_lifetime");
		take(t.up);
		say_close(FROM_CLIENT, 1001, "");
		say_close(FROM_UPSTREAM, 1001, "");
		sim_push_eof(t.client);
		sim_push_eof(t.up);
		pair_is_over();
		log_is("cause=max_lifetime", "code=1001");
		pair_forget();
	}
	ck_assert_uint_ne(last, 0); /* not all at once */
	count_is(max_lifetime, 8);
}
END_TEST

static void add(TCase *c)
{
	tcase_add_test(c, a_full_listener);
	tcase_add_test(c, one_refused_does_not_linger);
	tcase_add_test(c, a_crowd_at_the_door);
	tcase_add_test(c, connections_of_an_address);
	tcase_add_test(c, no_memory_at_the_door);
	tcase_add_test(c, the_client_behind_a_proxy);
	tcase_add_test(c, a_full_route);
	tcase_add_test(c, an_address_at_the_route);
	tcase_add_test(c, handshake_rates);
	tcase_add_test(c, plain_requests_are_not_counted);
	tcase_add_test(c, no_memory_for_the_place);
	tcase_add_test(c, given_back_at_every_end);
	tcase_add_test(c, F_20_pings_of_each_side);
	tcase_add_test(c, F_20_in_one_read);
	tcase_add_test(c, F_20_who_goes_on_is_not_heard);
	tcase_add_test(c, F_20_to_an_echo);
	tcase_add_test(c, F_16_empty_fragments);
	tcase_add_test(c, F_16_what_is_not_counted);
	tcase_add_test(c, control_rate_off);
	tcase_add_test(c, early_pings_are_not_counted);
	tcase_add_test(c, a_pause_ends_the_second);
	tcase_add_test(c, lifetime);
}

int main(void)
{
	return pair_main("proxy_admit", add);
}
