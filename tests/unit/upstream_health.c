/* SPDX-License-Identifier: BSD-2-Clause */

/* Health checks on a clock that the test moves, against simulated servers; names are
 * looked up by a resolver that the test answers. */

#include "base/log.h"
#include "fake_resolver.h"
#include "http/handshake.h"
#include "net/sim.h"
#include "net/worker.h"
#include "upstream/dial.h"
#include "upstream/health.h"
#include "upstream_test.h"
#include "ws/frame.h"
#include "ws/mask.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CONNECTS = 256 };

static struct {
	struct worker *worker;
	struct upstream_group *group;
	struct health *health;
	counter probes, failures;
	struct stream *server; /* the latest */
	struct stream *all[CONNECTS];
	unsigned connects;
	int connect_error; /* 0 = a stream */
	bool is_connected; /* at once */
	int log_fd;
} t;

/* ---- set up and torn down ---- */

static struct stream *sim_connect(
        struct worker *w, const struct address *to, const struct socket_options *o)
{
	(void)to, (void)o;
	ck_assert_uint_lt(t.connects, CONNECTS);
	if (t.connect_error) {
		t.connects++;
		errno = t.connect_error;
		return NULL;
	}
	t.server = t.all[t.connects++] = sim_new(w);
	if (!t.is_connected)
		t.server->flags |= STREAM_CONNECTING;
	return t.server;
}

static void setup(void)
{
	static const unsigned one[] = {1, 0};
	char path[64];
	memset(&t, 0, sizeof t);
	t.log_fd = memfd_create("log", 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", t.log_fd);
	ck_assert(log_open(path, LOG_LEVEL_INFO));
	t.worker = worker_new(0);
	worker_set_time(t.worker, t.worker->now_ms + 1000);
	ck_assert(upstream_worker_new(t.worker));
	((struct upstream_worker *)t.worker->layer[WORKER_UPSTREAM])->connect = sim_connect;
	t.group = group_make("apps", BALANCE_ROUND_ROBIN, one);
	t.group->health = HEALTH_PING;
	t.group->health_interval_ms = 1000;
	t.group->health_timeout_ms = 200;
	t.group->health_rise = 2;
	t.group->health_fall = 3;
	t.group->health_path = mem_strdup("/health");
}

static void turn(void)
{
	worker_turn(t.worker, 0);
}

static void pass(uint64_t ms)
{
	worker_set_time(t.worker, t.worker->now_ms + ms);
	turn();
}

static void start(void)
{
	t.health = health_new(t.worker, &t.probes, &t.failures);
	health_follow(t.health, &t.group, 1);
}

static void stop(void)
{
	health_free(t.health);
	t.health = NULL;
	turn();
}

static void teardown(void)
{
	fault_plan(NULL);
	stop();
	ck_assert_ptr_null(fake.fn);
	for (unsigned i = 0; i < t.connects; i++) {
		if (!t.all[i])
			continue;
		ck_assert(sim_is_released(t.all[i], NULL));
		sim_free(t.all[i]);
	}
	ck_assert_uint_eq(atomic_load(&t.group->refs), 1);
	ck_assert_uint_eq(atomic_load(&t.group->members->refs), 1);
	ck_assert_uint_eq(atomic_load(&state_at(t.group, 0)->refs), 1);
	upstream_group_unref(t.group);
	ck_assert_uint_eq(t.worker->chunks.used, 0);
	upstream_worker_free(t.worker);
	worker_free(t.worker);
	log_open("stderr", LOG_LEVEL_INFO);
	close(t.log_fd);
}

static bool is_healthy(void)
{
	return atomic_load(&state_at(t.group, 0)->healthy);
}

static unsigned log_lines(const char *event)
{
	static char text[1 << 16];
	unsigned n = 0;
	ssize_t len = pread(t.log_fd, text, sizeof text - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	for (const char *at = text; (at = strstr(at, event)); at++)
		n++;
	return n;
}

/* ---- the server's side ---- */

/* Passes time until the next probe begins. */
static void next_probe(void)
{
	unsigned before = (unsigned)counter_get(&t.probes);
	for (int i = 0; i < 300 && counter_get(&t.probes) == before; i++)
		pass(5);
	ck_assert_uint_eq(counter_get(&t.probes), before + 1);
}

static void connected(void)
{
	t.server->flags &= (uint16_t)~STREAM_CONNECTING;
	t.server->events->on_connect(t.server);
}

static void push(const void *at, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);
	memcpy(exact, at, len);
	sim_push(t.server, exact, len);
	free(exact);
}

static bool is_over(void)
{
	return sim_is_released(t.server, NULL);
}

/* The request that came, taken; the 101 for it. */
static size_t make_101(char out[512])
{
	static struct http_head head;
	struct http_scan scan = {0};
	struct slice key;
	char accept[WS_ACCEPT_LEN];
	struct slice have = sim_sent(t.server);
	ssize_t n = http_parse_request(&head, &scan, have.at, have.len);
	ck_assert_int_eq(n, (ssize_t)have.len);
	ck_assert(slice_equal(head.target, SLICE("/health")));
	ck_assert_int_eq(upgrade_check(&head, &key), UPGRADE_OK);
	ws_accept_value(accept, key);
	sim_take(t.server, have.len);
	return (size_t)snprintf(out, 512,
	        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	        "Sec-WebSocket-Accept: %.*s\r\n\r\n",
	        WS_ACCEPT_LEN, accept);
}

static struct ws_frame take_frame(uint8_t payload[126])
{
	struct ws_frame f;
	struct slice have = sim_sent(t.server);
	ssize_t n = ws_frame_parse(&f, have.at, have.len);
	ck_assert_int_gt(n, 0);
	ck_assert(f.masked && f.fin && f.len < 126);
	memcpy(payload, have.at + n, f.len);
	ws_mask(payload, f.len, f.key, 0);
	sim_take(t.server, (size_t)n + f.len);
	return f;
}

static void got_close(void)
{
	uint8_t body[126];
	struct ws_frame f = take_frame(body);
	ck_assert_uint_eq(f.opcode, WS_CLOSE);
	ck_assert_uint_eq(f.len, 2);
	ck_assert_uint_eq((unsigned)body[0] << 8 | body[1], 1000);
	ck_assert_uint_eq(sim_sent(t.server).len, 0);
}

/* The pong for the ping that came, taken. */
static size_t make_pong(uint8_t out[WS_CONTROL_FRAME_MAX])
{
	uint8_t body[126];
	struct ws_frame f = take_frame(body);
	ck_assert_uint_eq(f.opcode, WS_PING);
	return ws_control_write(out, WS_PONG, body, f.len, false);
}

static void good_probe(void)
{
	char answer[512];
	uint8_t pong[WS_CONTROL_FRAME_MAX];
	next_probe();
	connected();
	push(answer, make_101(answer));
	push(pong, make_pong(pong));
	got_close();
	ck_assert(!is_over());
	sim_push_eof(t.server);
	ck_assert(is_over());
}

static void bad_probe(void)
{
	next_probe();
	sim_push_error(t.server, ECONNREFUSED);
	ck_assert(is_over());
}

/* ---- tests ---- */

START_TEST(rise_and_fall)
{
	start();
	for (int round = 0; round < 2; round++) {
		bad_probe();
		bad_probe();
		good_probe(); /* not three in a row */
		bad_probe();
		bad_probe();
		ck_assert(is_healthy());
		bad_probe();
		ck_assert(!is_healthy());
		bad_probe();
		good_probe();
		bad_probe();
		good_probe();
		ck_assert(!is_healthy());
		good_probe();
		ck_assert(is_healthy());
		good_probe();
	}
	ck_assert_uint_eq(counter_get(&t.failures), 14);
	ck_assert_uint_eq(
	        log_lines("server_unhealthy upstream=apps server=10.0.0.1:80 reason="), 2);
	ck_assert_uint_eq(log_lines("server_healthy upstream=apps server=10.0.0.1:80"), 2);
}
END_TEST

/* Every split of the answer and of what follows it. */
START_TEST(answers_cut_anywhere)
{
	static const uint8_t before[] = {
	        0x81, 3, 'a', 'b', 'c', 0x89, 1, 'x', 0x8a, 0, 0x01, 1, 'y', 0x80, 126, 0, 200};
	start();
	for (size_t cut = 1;; cut += 3) {
		char answer[512];
		uint8_t bytes[1024] = {0}, pong[WS_CONTROL_FRAME_MAX];
		next_probe();
		connected();
		size_t head = make_101(answer), n = head;
		memcpy(bytes, answer, head);
		memcpy(bytes + n, before, sizeof before);
		n += sizeof before + 200; /* of the last frame */
		if (cut >= n)
			break;
		push(bytes, cut);
		push(bytes + cut, n - cut);
		size_t pong_len = make_pong(pong);
		for (size_t i = 0; i < pong_len; i++)
			push(pong + i, 1);
		got_close();
		sim_push_eof(t.server);
		ck_assert(is_over());
		if (cut > 400)
			break;
	}
	ck_assert_uint_eq(counter_get(&t.failures), 0);
}
END_TEST

/* The server sends on, or ends badly, when it was good already. */
START_TEST(what_follows_the_verdict)
{
	char answer[512];
	t.group->health = HEALTH_HANDSHAKE;
	t.group->health_fall = 1;
	start();
	for (int i = 0; i < 3; i++) {
		next_probe();
		connected();
		push(answer, make_101(answer));
		got_close();
		push("\xff\xff\xff", 3);
		if (i == 0)
			sim_push_error(t.server, ECONNRESET);
		if (i == 1)
			sim_push_eof(t.server);
		if (i == 2) /* it is left when the time is over */
			pass(200);
		ck_assert(is_over());
	}
	ck_assert(is_healthy());
}
END_TEST

START_TEST(connect_alone)
{
	t.group->health = HEALTH_CONNECT;
	start();
	next_probe();
	ck_assert_uint_eq(sim_sent(t.server).len, 0);
	connected();
	ck_assert(is_over());
	t.is_connected = true;
	next_probe();
	ck_assert(is_over());
	ck_assert_uint_eq(counter_get(&t.failures), 0);
}
END_TEST

/* At a unix socket with a full queue a probe waits for a place, as long as it may take. */
START_TEST(U_04_full_queue)
{
	t.group->health = HEALTH_CONNECT;
	t.group->health_fall = 1;
	ck_assert(address_parse(&server_at(t.group, 0)->address, "unix:/run/app"));
	t.connect_error = EAGAIN;
	start();
	next_probe();
	unsigned before = t.connects;
	pass(5);
	ck_assert_uint_eq(t.connects, before + 1);
	t.connect_error = _i ? EAGAIN : 0;
	t.is_connected = true;
	pass(10);
	ck_assert_uint_eq(t.connects, before + 2);
	ck_assert(_i || is_over());
	pass(185);
	ck_assert(is_healthy() == !_i);
	ck_assert_uint_eq(log_lines("it did not connect in time"), (unsigned)_i);
	before = t.connects;
	pass(10);
	ck_assert_uint_eq(t.connects, before);
}
END_TEST

/* At each step the server falls silent; the next probe comes after the timeout. */
START_TEST(silence)
{
	char answer[512];
	t.group->health_fall = 1;
	t.group->health_timeout_ms = 3000; /* longer than the interval */
	start();
	next_probe();
	if (_i > 0)
		connected();
	if (_i > 1)
		push("HTTP/1.1 101 x\r\n", 16);
	if (_i > 2) {
		sim_push_error(t.server, ECONNRESET);
		next_probe();
		connected();
		push(answer, make_101(answer));
	}
	unsigned before = t.connects;
	for (int i = 0; i < 29; i++)
		pass(100);
	ck_assert_uint_eq(t.connects, before);
	ck_assert(!is_over());
	pass(100);
	ck_assert(!is_healthy());
	ck_assert_uint_eq(t.connects, before + 1);
}
END_TEST

START_TEST(own_shortage)
{
	static const int errors[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL, ENODEV};
	t.group->health_fall = 1;
	start();
	t.connect_error = errors[_i];
	next_probe();
	next_probe();
	ck_assert(is_healthy());
	t.connect_error = ENETUNREACH;
	next_probe();
	ck_assert(!is_healthy());
	ck_assert_uint_eq(counter_get(&t.failures), 1);
}
END_TEST

/* No memory for an answer that came, at each size it takes. */
START_TEST(no_memory_for_the_answer)
{
	char long_head[3000];
	memset(long_head, 'x', sizeof long_head);
	memcpy(long_head, "HTTP/1.1 200 OK\r\nX: ", 20);
	t.group->health_fall = 1;
	start();
	next_probe();
	connected();
	if (_i == 1)
		push(long_head, 10);
	fault_plan("alloc:1:ENOMEM");
	push(long_head + (_i == 1 ? 10 : 0), 2900);
	ck_assert(is_over());
	ck_assert(is_healthy());
	ck_assert_uint_eq(counter_get(&t.failures), 0);
}
END_TEST

static void name_server(void)
{
	struct upstream_server s = {.name = mem_strdup("app.test:80"),
	        .host = mem_strdup("app.test"),
	        .port = 80,
	        .weight = 1};
	upstream_group_set_members(t.group, upstream_members_new(t.group, &s, 1));
}

START_TEST(names)
{
	name_server();
	t.group->health_fall = 1;
	t.group->health_rise = 1;
	t.group->health = HEALTH_CONNECT;
	start();
	next_probe();
	fake_resolve(0, NULL, "no such name");
	ck_assert(!is_healthy());
	/* Of two addresses the second answers. */
	next_probe();
	fake_resolve(2, (const char *const[]){"10.0.0.8:1", "10.0.0.9:1"}, NULL);
	sim_push_error(t.all[0], ECONNREFUSED);
	ck_assert_uint_eq(t.connects, 2);
	connected();
	ck_assert(is_healthy());
	/* Neither does. */
	next_probe();
	fake_resolve(2, (const char *const[]){"10.0.0.8:1", "10.0.0.9:1"}, NULL);
	sim_push_error(t.all[2], ECONNREFUSED);
	sim_push_error(t.all[3], EHOSTUNREACH);
	ck_assert(!is_healthy());
	/* The look-up hangs. */
	next_probe();
	pass(200);
	ck_assert_uint_eq(fake.cancels, 1);
	ck_assert_uint_eq(counter_get(&t.failures), 3);
	/* There is no memory for it. */
	fault_plan("alloc:1:ENOMEM");
	next_probe();
	ck_assert_uint_eq(counter_get(&t.failures), 3);
	fault_plan(NULL);
	/* And it ends in the middle of one. */
	next_probe();
}
END_TEST

/* Ended at each step: nothing is left, which teardown looks at. */
START_TEST(ends_at_each_step)
{
	char answer[512];
	uint8_t pong[WS_CONTROL_FRAME_MAX];
	start();
	if (_i > 0)
		next_probe();
	if (_i > 1)
		connected();
	if (_i > 2)
		push("HTTP/1.1 101 x\r\n", 16);
	if (_i > 3) {
		sim_push_eof(t.server);
		next_probe();
		connected();
		push(answer, make_101(answer));
	}
	if (_i > 4) {
		push(pong, make_pong(pong));
		got_close();
	}
	stop();
	ck_assert(is_healthy());
}
END_TEST

/* A group whose members change: those that went are left alone, those that came probed. */
START_TEST(members_change)
{
	struct upstream_server two[2];
	t.group->is_fixed = false;
	t.group->health = HEALTH_CONNECT;
	start();
	next_probe();
	struct stream *old = t.server;
	for (int i = 0; i < 2; i++) {
		char text[32];
		snprintf(text, sizeof text, "10.0.1.%d:80", i + 1);
		two[i] =
		        (struct upstream_server){.name = mem_strdup(text), .port = 80, .weight = 1};
		ck_assert(address_parse(&two[i].address, text));
	}
	upstream_group_set_members(t.group, upstream_members_new(t.group, two, 2));
	/* The probe under way ends as it would have. */
	ck_assert(!sim_is_released(old, NULL));
	sim_push_error(old, ECONNREFUSED);
	t.is_connected = true;
	unsigned before = t.connects;
	for (int i = 0; i < 60; i++)
		pass(50);
	ck_assert_uint_ge(t.connects - before, 3);
	ck_assert_uint_le(t.connects - before, 8);
	stop();
	ck_assert_uint_eq(atomic_load(&state_at(t.group, 1)->refs), 1);
}
END_TEST

/* A later configuration without checks believes again. */
START_TEST(no_longer_checked)
{
	t.group->health_fall = 1;
	start();
	bad_probe();
	ck_assert(!is_healthy());
	stop();
	ck_assert(!is_healthy());
	t.group->health = HEALTH_OFF;
	start();
	ck_assert(is_healthy());
	for (int i = 0; i < 30; i++)
		pass(100);
	ck_assert_uint_eq(counter_get(&t.probes), 1);
}
END_TEST

static struct upstream_group *successor(void)
{
	struct upstream_group *g =
	        group_make("apps", BALANCE_ROUND_ROBIN, (const unsigned[]){1, 0});
	g->health = t.group->health;
	g->health_interval_ms = t.group->health_interval_ms;
	g->health_timeout_ms = t.group->health_timeout_ms;
	g->health_rise = t.group->health_rise;
	g->health_fall = t.group->health_fall;
	g->health_path = mem_strdup("/");
	return g;
}

/* A reload that keeps the group: a probe under way ends as it would have. */
START_TEST(followed_by_itself)
{
	t.group->health_fall = 1;
	start();
	next_probe();
	struct stream *under_way = t.server;
	health_follow(t.health, &t.group, 1);
	turn();
	ck_assert(!sim_is_released(under_way, NULL));
	sim_push_error(under_way, ECONNREFUSED);
	turn();
	ck_assert(!is_healthy());
	ck_assert_uint_eq(counter_get(&t.probes), 1);
}
END_TEST

/* A changed group knows of its servers what the one before did: two bad probes and a third,
 * interrupted and repeated, are three. */
START_TEST(followed_by_a_successor)
{
	t.group->health_rise = 1;
	t.group->health_fall = 3;
	start();
	bad_probe();
	bad_probe();
	next_probe();
	struct stream *interrupted = t.server;
	struct upstream_group *g = successor();
	unsigned before = t.connects;
	ck_assert(is_healthy());
	health_follow(t.health, &g, 1);
	ck_assert(sim_is_released(interrupted, NULL));
	turn();
	ck_assert_uint_eq(t.connects, before + 1);
	sim_push_error(t.server, ECONNREFUSED);
	turn();
	ck_assert(!is_healthy());
	/* It is still, by another successor; and believed again when nobody asks. */
	struct upstream_group *next = successor();
	health_follow(t.health, &next, 1);
	ck_assert(!is_healthy());
	upstream_group_unref(g);
	g = successor();
	g->health = HEALTH_OFF;
	health_follow(t.health, &g, 1);
	ck_assert(is_healthy());
	stop();
	upstream_group_unref(next);
	upstream_group_unref(g);
}
END_TEST

START_TEST(followed_by_nobody)
{
	start();
	next_probe();
	struct stream *under_way = t.server;
	health_follow(t.health, NULL, 0);
	ck_assert(sim_is_released(under_way, NULL));
	unsigned before = t.connects;
	for (int i = 0; i < 30; i++)
		pass(100);
	ck_assert_uint_eq(t.connects, before);
	health_follow(t.health, &t.group, 1);
	next_probe();
	ck_assert_uint_eq(t.connects, before + 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("upstream/health");
	TCase *c = tcase_create("health");
	tcase_set_timeout(c, 30);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, rise_and_fall);
	tcase_add_test(c, answers_cut_anywhere);
	tcase_add_test(c, what_follows_the_verdict);
	tcase_add_test(c, connect_alone);
	tcase_add_loop_test(c, U_04_full_queue, 0, 2);
	tcase_add_loop_test(c, silence, 0, 4);
	tcase_add_loop_test(c, own_shortage, 0, 6);
	tcase_add_loop_test(c, no_memory_for_the_answer, 0, 2);
	tcase_add_test(c, names);
	tcase_add_loop_test(c, ends_at_each_step, 0, 6);
	tcase_add_test(c, members_change);
	tcase_add_test(c, no_longer_checked);
	tcase_add_test(c, followed_by_itself);
	tcase_add_test(c, followed_by_a_successor);
	tcase_add_test(c, followed_by_nobody);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
