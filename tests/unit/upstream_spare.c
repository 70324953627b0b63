/* SPDX-License-Identifier: BSD-2-Clause */

/* Spare connections on a clock that the test moves, to simulated servers; names are looked
 * up by a resolver that the test answers. Two workers, both on this thread. */

#include "upstream/spare.h"

#include "base/budget.h"
#include "base/fault.h"
#include "fake_resolver.h"
#include "net/plain.h"
#include "net/sim.h"
#include "net/tls_client.h"
#include "net/worker.h"
#include "upstream/srv.h"
#include "upstream_test.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORKERS = 2, CONNECTS = 5100, IDLE_MS = 8000 };

static struct {
	struct worker *worker[WORKERS];
	struct upstream_group *group;
	struct stream *made[CONNECTS];
	struct address asked[CONNECTS];
	unsigned connects, by[WORKERS];
	int connect_error; /* 0 = a stream */
	bool is_slow;      /* streams connect when the test says so */
	bool is_socket;    /* streams are over pairs of sockets */
	int peer[CONNECTS];
	struct stream *used;
	struct dial dial;
	unsigned places; /* that on_place() was told of */
} t;

static void resolve(const char *a, const char *b)
{
	const char *const found[] = {a, b};
	fake_resolve(a ? 2 : 0, found, a ? NULL : "no such name");
}

/* ---- set up and torn down ---- */

static struct stream *from_socket(struct worker *w, int *peer)
{
	int pair[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	*peer = pair[1];
	return plain_accepted(w, pair[0]);
}

static struct stream *test_connect(
        struct worker *w, const struct address *to, const struct socket_options *o)
{
	(void)o;
	unsigned n = t.connects++;
	ck_assert_uint_lt(n, CONNECTS);
	t.by[w->index]++;
	t.asked[n] = *to;
	if (t.connect_error) {
		errno = t.connect_error;
		return NULL;
	}
	if (t.is_socket)
		return t.made[n] = from_socket(w, &t.peer[n]);
	t.made[n] = sim_new(w);
	if (t.is_slow)
		t.made[n]->flags |= STREAM_CONNECTING;
	return t.made[n];
}

static void setup(void)
{
	memset(&t, 0, sizeof t);
	fake.fn = NULL;
	for (unsigned i = 0; i < WORKERS; i++) {
		t.worker[i] = worker_new(i);
		worker_set_time(t.worker[i], t.worker[0]->now_ms / 1000 * 1000 + 10000);
		ck_assert(upstream_worker_new(t.worker[i]));
		((struct upstream_worker *)t.worker[i]->layer[WORKER_UPSTREAM])->connect =
		        test_connect;
	}
}

static struct upstream_counters *counters(void)
{
	return &((struct upstream_worker *)t.worker[0]->layer[WORKER_UPSTREAM])->counters;
}

#define count_is(field, n) ck_assert_uint_eq(counter_get(&counters()->field), n)

static void turn(void)
{
	for (unsigned i = 0; i < WORKERS; i++)
		worker_turn(t.worker[i], 0);
}

static void pass(uint64_t ms)
{
	for (unsigned i = 0; i < WORKERS; i++)
		worker_set_time(t.worker[i], t.worker[i]->now_ms + ms);
	turn();
}

#define make(spare, ...) make_group(spare, (const unsigned[]){__VA_ARGS__, 0})
static struct upstream_group *make_group(unsigned spare, const unsigned *weights)
{
	t.group = group_make("g", BALANCE_ROUND_ROBIN, weights);
	t.group->spare = spare;
	t.group->spare_idle_ms = IDLE_MS;
	t.group->connect_timeout_ms = 5000;
	return t.group;
}

static void start(void)
{
	spares_follow(t.worker[0], &t.group, 1, 1);
	turn();
}

static void teardown(void)
{
	fault_plan(NULL);
	dial_end(&t.dial);
	if (t.used)
		stream_free(t.used, false);
	for (unsigned i = 0; i < WORKERS; i++)
		spares_stop(t.worker[i]);
	for (unsigned i = 0; t.group && i < t.group->members->n; i++) {
		ck_assert_uint_eq(state_at(t.group, i)->idle, 0);
		ck_assert(list_is_empty(&state_at(t.group, i)->holders));
		while (state_at(t.group, i)->active > 0)
			upstream_give_back(state_at(t.group, i), 1000);
	}
	turn();
	for (unsigned i = 0; i < t.connects && !t.is_socket; i++)
		sim_free(t.made[i]);
	if (t.group)
		ck_assert_uint_eq(t.group->refs, 1);
	upstream_group_unref(t.group);
	for (unsigned i = 0; i < WORKERS; i++) {
		upstream_worker_free(t.worker[i]);
		worker_free(t.worker[i]);
	}
	for (unsigned i = 0; i < t.connects && t.is_socket; i++)
		close(t.peer[i]);
}

static void connected(unsigned i)
{
	t.made[i]->flags &= (uint16_t)~STREAM_CONNECTING;
	t.made[i]->events->on_connect(t.made[i]);
}

static unsigned open_now(void)
{
	unsigned n = 0;
	for (unsigned i = 0; i < t.connects; i++)
		n += t.made[i] && !sim_is_released(t.made[i], NULL);
	return n;
}

static bool is_closed(unsigned i)
{
	return sim_is_released(t.made[i], NULL);
}

/* ---- a session ---- */

static void on_data(struct stream *s, uint8_t *buf, size_t len)
{
	(void)s, (void)buf, (void)len;
}

static void on_end(struct stream *s, enum stream_end end, int error)
{
	(void)s, (void)end, (void)error;
}

static void on_drain(struct stream *s)
{
	(void)s;
}

static const struct stream_events quiet = {
        .on_data = on_data, .on_end = on_end, .on_drain = on_drain};

static void on_dialled(struct dial *d, const char *error)
{
	(void)d, (void)error;
}

static struct pick_request request(unsigned worker)
{
	struct worker *w = t.worker[worker];
	return (struct pick_request){.now_ms = w->now_ms,
	        .sticky = -1,
	        .worker = w,
	        .spare = spares_of(w, t.group, t.group->members)};
}

/* What an opening does; its connection, which may be a spare, is t.used. */
static enum pick use(unsigned worker)
{
	struct pick_request r = request(worker);
	struct picked p;
	int error;
	enum pick pick = upstream_pick(t.group, t.group->members, &r, &p);
	if (pick != PICK_SERVER)
		return pick;
	dial_end(&t.dial);
	if (t.used)
		stream_free(t.used, false);
	ck_assert_int_eq(
	        spare_dial_start(&t.dial, t.worker[worker], t.group, &p, on_dialled), DIAL_READY);
	t.used = dial_next(&t.dial, &error);
	if (t.used)
		t.used->events = &quiet;
	return PICK_SERVER;
}

/* The session has its server's answer, and a moment has passed. */
static void opened(void)
{
	dial_end(&t.dial);
	pass(2);
}

static void leave(void)
{
	upstream_give_back(state_at(t.group, 0), t.worker[0]->now_ms);
}

/* ---- making and using them ---- */

START_TEST(so_many_are_kept_to_each_server)
{
	make(3, 1, 1);
	start();
	ck_assert_uint_eq(t.connects, 6);
	ck_assert_uint_eq(spares_of(t.worker[0], t.group, t.group->members), 3);
	pass(1000);
	ck_assert_uint_eq(t.connects, 6);
	count_is(spares_opened, 6);
}
END_TEST

START_TEST(the_number_is_shared_by_the_workers)
{
	static const unsigned part[][2] = {{1, 1}, {1, 1}, {2, 1}, {2, 2}};
	make((unsigned)_i + 1, 1);
	for (unsigned i = 0; i < WORKERS; i++)
		spares_follow(t.worker[i], &t.group, 1, WORKERS);
	turn();
	ck_assert_uint_eq(t.by[0], part[_i][0]);
	ck_assert_uint_eq(t.by[1], part[_i][1]);
}
END_TEST

START_TEST(a_session_takes_the_newest_and_it_is_replaced)
{
	make(2, 1);
	start();
	ck_assert_int_eq(use(0), PICK_SERVER);
	ck_assert_ptr_eq(t.used, t.made[1]);
	ck_assert(t.dial.is_spare);
	ck_assert(address_equal(dial_address(&t.dial), &server_at(t.group, 0)->address));
	ck_assert_uint_eq(t.connects, 2);
	opened();
	ck_assert_uint_eq(t.connects, 3);
	use(0);
	ck_assert_ptr_eq(t.used, t.made[2]);
	use(0);
	ck_assert_ptr_eq(t.used, t.made[0]);
	count_is(spares_used, 3);
}
END_TEST

START_TEST(none_ready_is_a_connect)
{
	make(1, 1);
	t.is_slow = true;
	start();
	ck_assert_uint_eq(t.connects, 1);
	use(0);
	ck_assert_uint_eq(t.connects, 2);
	ck_assert_ptr_eq(t.used, t.made[1]);
	ck_assert(!t.dial.is_spare);
	use(1); /* a worker that keeps none */
	ck_assert_uint_eq(t.connects, 3);
}
END_TEST

START_TEST(a_group_without_spares_has_none)
{
	make(0, 1);
	start();
	pass(10000);
	ck_assert_uint_eq(t.connects, 0);
	ck_assert_uint_eq(spares_of(t.worker[0], t.group, t.group->members), 0);
}
END_TEST

START_TEST(not_too_many_at_a_time)
{
	make(100, 1);
	t.is_slow = true;
	start();
	ck_assert_uint_eq(t.connects, 16);
	connected(3);
	connected(7);
	pass(1);
	ck_assert_uint_eq(t.connects, 18);
	for (unsigned i = 0; i < t.connects; i++) {
		if (t.made[i]->flags & STREAM_CONNECTING)
			connected(i);
		pass(1);
	}
	ck_assert_uint_eq(t.connects, 100);
}
END_TEST

/* ---- when they are made ---- */

START_TEST(none_is_made_while_a_session_waits_for_its_server)
{
	make(3, 1);
	start();
	use(0);
	pass(5);
	dial_end(&t.dial);
	turn();
	pass(1);
	ck_assert_uint_eq(t.connects, 3);
	use(0); /* another one, before the moment is over */
	pass(1);
	dial_end(&t.dial);
	pass(1);
	ck_assert_uint_eq(t.connects, 3);
	pass(1);
	ck_assert_uint_eq(t.connects, 5);
}
END_TEST

/* With none left the next session would have to make its own. */
START_TEST(the_last_one_is_replaced_at_once)
{
	make(2, 1);
	start();
	use(0);
	use(0);
	turn();
	ck_assert_uint_eq(t.connects, 2);
	dial_end(&t.dial);
	turn();
	ck_assert_uint_eq(t.connects, 3);
	pass(2);
	ck_assert_uint_eq(t.connects, 4);
}
END_TEST

START_TEST(they_wait_for_sessions_so_long)
{
	make(20, 1);
	start();
	pass(1);
	pass(1);
	ck_assert_uint_eq(t.connects, 20);
	for (unsigned i = 0; i < 4; i++)
		use(0);
	turn();
	pass(9);
	ck_assert_uint_eq(t.connects, 20);
	pass(1);
	ck_assert_uint_eq(t.connects, 24);
	ck_assert(t.dial.is_setup);
}
END_TEST

/* A session that makes its own connection is as much in need of the processor. */
START_TEST(sessions_without_a_spare_count_too)
{
	make(1, 1);
	t.is_slow = true;
	start();
	use(0);
	connected(0);
	use(0);
	ck_assert(t.dial.is_spare);
	use(0);
	ck_assert(!t.dial.is_spare);
	ck_assert_uint_eq(t.connects, 3);
	pass(9);
	ck_assert_uint_eq(t.connects, 3);
	opened();
	ck_assert_uint_eq(t.connects, 4);
}
END_TEST

static void secure(unsigned i)
{
	server_at(t.group, i)->is_secure = true;
}

static void give_tls(void)
{
	struct tls_client_settings settings = {.tls = {.ciphers = TLS_CIPHERS,
	                                               .ciphersuites = TLS_CIPHERSUITES,
	                                               .groups = TLS_GROUPS}};
	char why[TLS_WHY_MAX];
	t.group->tls = tls_client_new(&settings, why);
	ck_assert_ptr_nonnull(t.group->tls);
}

/* TLS is so much work that one is begun in a millisecond, whichever servers want some. */
START_TEST(one_with_TLS_at_a_time)
{
	make(5, 1, 1, 1);
	secure(0);
	secure(1);
	give_tls();
	start();
	for (unsigned ms = 0; ms < 9; ms++) {
		unsigned before = t.connects;
		pass(1);
		unsigned costly = 0;
		for (unsigned i = before; i < t.connects; i++)
			costly += !address_equal(&t.asked[i], &server_at(t.group, 2)->address);
		ck_assert_uint_le(costly, 1);
	}
	for (unsigned ms = 0; ms < 9; ms++)
		pass(1);
	ck_assert_uint_eq(t.connects, 15);
	unsigned first = 0; /* they took turns */
	for (unsigned i = 0; i < 8; i++)
		first += address_equal(&t.asked[i], &server_at(t.group, 0)->address);
	ck_assert_uint_ge(first, 2);
	ck_assert_uint_le(first, 4);
}
END_TEST

/* There is time while most are there. */
START_TEST(one_with_TLS_now_and_then)
{
	make(8, 1);
	start();
	ck_assert_uint_eq(t.connects, 8);
	secure(0); /* from now on */
	give_tls();
	for (unsigned i = 0; i < 3; i++)
		use(0);
	dial_end(&t.dial);
	turn();
	pass(2);
	ck_assert_uint_eq(t.connects, 9);
	pass(3);
	ck_assert_uint_eq(t.connects, 9);
	pass(1);
	ck_assert_uint_eq(t.connects, 10);
	for (unsigned i = 0; i < 3; i++)
		use(0);
	ck_assert_uint_eq(t.connects, 10);
	dial_end(&t.dial); /* two are left */
	turn();
	for (unsigned ms = 1; ms <= 4; ms++) {
		pass(1);
		ck_assert_uint_eq(t.connects, 10 + ms);
	}
}
END_TEST

/* Of two groups neither waits until the other has all. */
START_TEST(groups_take_turns)
{
	struct upstream_group *both[2] = {make(200, 1), NULL};
	both[1] = make(200, 1, 1);
	spares_follow(t.worker[0], both, 2, 1);
	turn();
	pass(1);
	for (unsigned n = 0; n < 2; n++) {
		uint64_t mask = spares_of(t.worker[0], both[n], both[n]->members);
		ck_assert_uint_eq(mask, n ? 3 : 1);
	}
	ck_assert_uint_le(t.connects, 48);
	spares_follow(t.worker[0], &both[1], 1, 1);
	upstream_group_unref(both[0]);
}
END_TEST

/* ---- never used after anything came ---- */

START_TEST(U_05_a_byte_or_an_end_on_a_spare)
{
	make(1, 1);
	start();
	pass(2000);
	if (_i == 0)
		ck_assert(sim_push(t.made[0], "HTTP/1.1 101 x\r\n\r\n", 18));
	else if (_i == 1)
		sim_push_eof(t.made[0]);
	else
		sim_push_error(t.made[0], ECONNRESET);
	ck_assert(is_closed(0));
	use(0);
	ck_assert_ptr_eq(t.used, t.made[1]);
	ck_assert(!t.dial.is_spare);
	opened();
	ck_assert_uint_eq(t.connects, 3);
	use(0);
	ck_assert_ptr_eq(t.used, t.made[2]);
	count_is(spares_died, 1);
	count_is(spares_used, 1);
}
END_TEST

/* The loop has not heard of it yet; the next one is looked at, too. */
START_TEST(U_05_what_the_loop_has_not_heard_of)
{
	make(3, 1);
	t.is_socket = true;
	start();
	ck_assert_uint_eq(t.connects, 3);
	for (unsigned i = 1; i < 3; i++) {
		if (_i == 0)
			ck_assert_int_eq(write(t.peer[i], "x", 1), 1);
		else
			ck_assert_int_eq(shutdown(t.peer[i], SHUT_WR), 0);
	}
	use(0);
	ck_assert_ptr_eq(t.used, t.made[0]);
	turn();
	count_is(spares_died, 2);
	stream_free(t.used, false);
	t.used = NULL;
}
END_TEST

/* What has come may be for TLS alone, tickets say: it is not used before the loop has looked, and
 * is as good as before if that was all. */
START_TEST(what_has_come_was_not_for_its_user)
{
	make(2, 1);
	start();
	t.made[1]->flags |= STREAM_PEER_CLOSED;
	use(0);
	ck_assert_ptr_eq(t.used, t.made[0]);
	use(0);
	ck_assert(!t.dial.is_spare);
	ck_assert(!is_closed(1));
	if (_i == 0)
		t.made[1]->flags &= (uint16_t)~STREAM_PEER_CLOSED;
	pass(1);
	ck_assert(is_closed(1) == _i);
	count_is(spares_died, (unsigned)_i);
	use(0);
	ck_assert(t.dial.is_spare == !_i);
}
END_TEST

/* ---- age ---- */

START_TEST(U_08_none_is_used_past_its_time)
{
	make(1, 1);
	t.is_slow = true;
	start();
	connected(0);
	worker_set_time(t.worker[0], t.worker[0]->now_ms + IDLE_MS);
	use(0);
	ck_assert(!t.dial.is_spare);
	turn();
	ck_assert(is_closed(0));
	count_is(spares_aged, 1);
	count_is(spares_died, 0);
}
END_TEST

START_TEST(a_successor_is_made_ahead)
{
	make(2, 1);
	start();
	pass(IDLE_MS - 1001);
	ck_assert_uint_eq(t.connects, 2);
	pass(1);
	ck_assert_uint_eq(t.connects, 4);
	ck_assert_uint_eq(open_now(), 4);
	pass(999);
	ck_assert_uint_eq(open_now(), 4);
	pass(1);
	ck_assert_uint_eq(open_now(), 2);
	ck_assert_uint_eq(t.connects, 4);
	count_is(spares_aged, 2);
}
END_TEST

/* Whatever spare_idle is, it is no loop. */
START_TEST(short_lives_are_no_storm)
{
	make(1, 1);
	t.group->spare_idle_ms = _i ? 1 : 1000;
	start();
	for (unsigned i = 0; i < 10; i++)
		pass(100);
	ck_assert_uint_le(t.connects, _i ? 11 : 3);
}
END_TEST

/* ---- failures ---- */

START_TEST(U_11_a_server_that_refuses_is_asked_less_and_less)
{
	make(8, 1);
	t.group->max_fails = 0;
	t.connect_error = ECONNREFUSED;
	start();
	ck_assert_uint_eq(t.connects, 1);
	for (unsigned i = 0; i < 600; i++)
		pass(100);
	/* 0.1 + 0.2 + ... + 6.4 s, and every 10 s */
	ck_assert_uint_ge(t.connects, 10);
	ck_assert_uint_le(t.connects, 16);
	ck_assert(server_state_is_up(state_at(t.group, 0)));
	t.connect_error = 0;
	unsigned before = t.connects;
	for (unsigned i = 0; i < 110; i++)
		pass(100);
	ck_assert_uint_gt(t.connects, before);
	for (unsigned i = 0; i < 20; i++)
		pass(1000); /* one has stood for a second: all are made */
	ck_assert_uint_ge(open_now(), 8);
}
END_TEST

START_TEST(those_under_way_together_count_once)
{
	make(8, 1);
	t.is_slow = true;
	t.group->max_fails = 2;
	start();
	ck_assert_uint_eq(t.connects, 8);
	for (unsigned i = 0; i < 8; i++)
		sim_push_error(t.made[i], ECONNREFUSED);
	ck_assert_uint_eq(state_at(t.group, 0)->fails, 1);
	count_is(spares_failed, 8);
	pass(150);
	ck_assert_uint_eq(t.connects, 9); /* one finds out */
	sim_push_error(t.made[8], ECONNREFUSED);
	ck_assert(!server_state_is_up(state_at(t.group, 0)));
	for (unsigned i = 0; i < 100; i++)
		pass(100);
	ck_assert_uint_eq(t.connects, 9); /* it is down */
	server_state_answered(state_at(t.group, 0), t.worker[0]->now_ms);
	pass(1000);
	ck_assert_uint_eq(t.connects, 10);
}
END_TEST

START_TEST(want_of_our_own_says_nothing_of_the_server)
{
	static const int errors[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL, ENODEV};
	make(1, 1);
	t.group->max_fails = 1;
	t.connect_error = errors[_i];
	start();
	ck_assert_uint_eq(t.connects, 1);
	ck_assert(server_state_is_up(state_at(t.group, 0)));
	t.connect_error = 0;
	pass(150);
	ck_assert_uint_eq(open_now(), 1);
}
END_TEST

START_TEST(U_04_a_connect_that_takes_too_long)
{
	make(1, 1);
	t.is_slow = true;
	start();
	pass(4999);
	ck_assert(!is_closed(0));
	pass(1);
	ck_assert(is_closed(0));
	ck_assert_uint_eq(state_at(t.group, 0)->fails, 1);
	count_is(spares_failed, 1);
}
END_TEST

/* A server that takes connections and ends them at once is not asked in a loop. */
START_TEST(U_11_a_server_that_hangs_up)
{
	make(4, 1);
	t.group->max_fails = 1;
	start();
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned n = 0; n < t.connects; n++)
			sim_push_eof(t.made[n]);
		pass(100);
	}
	ck_assert_uint_le(t.connects, 4 + 8);
	ck_assert(server_state_is_up(state_at(t.group, 0))); /* that is no failure */
}
END_TEST

START_TEST(R_06_memory_fails)
{
	make(1, 1);
	for (unsigned n = 1; n < 6; n++) {
		char plan[32];
		snprintf(plan, sizeof plan, "alloc:%u:ENOMEM", n);
		ck_assert(fault_plan(plan));
		start();
		fault_plan(NULL);
		pass(1200);
		ck_assert_uint_eq(open_now(), 1);
		ck_assert(server_state_is_up(state_at(t.group, 0)));
		spares_stop(t.worker[0]);
		turn();
		ck_assert_uint_eq(open_now(), 0);
	}
}
END_TEST

/* ---- which servers ---- */

START_TEST(a_server_that_goes_down_loses_them)
{
	make(2, 1, 1);
	start();
	if (_i)
		server_state_set_healthy(state_at(t.group, 0), false, t.worker[0]->now_ms, "test");
	else
		for (int n = 0; n < 3; n++)
			server_state_fail(
			        state_at(t.group, 0), false, 3, 10000, t.worker[0]->now_ms, "test");
	pass(1000);
	ck_assert_uint_eq(open_now(), 2);
	ck_assert_uint_eq(spares_of(t.worker[0], t.group, t.group->members), 2);
	if (_i)
		server_state_set_healthy(state_at(t.group, 0), true, t.worker[0]->now_ms, NULL);
	else
		server_state_answered(state_at(t.group, 0), t.worker[0]->now_ms);
	pass(1000);
	ck_assert_uint_eq(open_now(), 4);
}
END_TEST

START_TEST(a_backup_has_some_while_it_is_needed)
{
	make(1, 1, 1);
	server_at(t.group, 1)->is_backup = true;
	start();
	ck_assert_uint_eq(spares_of(t.worker[0], t.group, t.group->members), 1);
	server_state_set_healthy(state_at(t.group, 0), false, t.worker[0]->now_ms, "test");
	pass(1000);
	ck_assert_uint_eq(spares_of(t.worker[0], t.group, t.group->members), 2);
	server_state_set_healthy(state_at(t.group, 0), true, t.worker[0]->now_ms, NULL);
	pass(1000);
	ck_assert_uint_eq(spares_of(t.worker[0], t.group, t.group->members), 1);
	ck_assert_uint_eq(open_now(), 1);
}
END_TEST

/* The members are replaced: who stays keeps what it has. */
START_TEST(members_come_and_go)
{
	make(1, 1, 1);
	t.group->is_fixed = false;
	start();
	struct upstream_members *old = upstream_members_ref(t.group->members);
	struct upstream_server s[2];
	for (unsigned i = 0; i < 2; i++) {
		char text[32];
		snprintf(text, sizeof text, "10.0.0.%u:80", i + 2); /* the second, and a new one */
		s[i] = (struct upstream_server){.name = mem_strdup(text), .weight = 1};
		ck_assert(address_parse(&s[i].address, text));
	}
	upstream_group_set_members(t.group, upstream_members_new(t.group, s, 2));
	pass(1000);
	ck_assert_uint_eq(t.connects, 3);
	ck_assert(is_closed(0));
	ck_assert_uint_eq(open_now(), 2);
	ck_assert_uint_eq(spares_of(t.worker[0], t.group, t.group->members), 3);
	ck_assert_uint_eq(
	        spares_of(t.worker[0], t.group, old), 2); /* of a session that began before */
	upstream_members_unref(old);
}
END_TEST

/* What a session has of its server outlives the members that the spare was made for. */
START_TEST(a_session_holds_its_own_members)
{
	make(1, 1);
	t.group->is_fixed = false;
	start();
	struct upstream_members *mine = upstream_members_ref(t.group->members);
	use(0);
	struct upstream_server s = {.name = mem_strdup("10.0.0.9:80"), .weight = 1};
	ck_assert(address_parse(&s.address, "10.0.0.9:80"));
	upstream_group_set_members(t.group, upstream_members_new(t.group, &s, 1));
	pass(1000); /* the pool has let go of them */
	ck_assert_uint_eq(mine->refs, 1);
	ck_assert_ptr_eq(dial_address(&t.dial), &mine->server[0].address);
	upstream_give_back(mine->server[0].state, t.worker[0]->now_ms);
	dial_end(&t.dial);
	upstream_members_unref(mine);
}
END_TEST

START_TEST(a_name_is_looked_up)
{
	make(1, 1);
	server_at(t.group, 0)->host = mem_strdup("app.example");
	t.is_slow = true;
	start();
	ck_assert_uint_eq(t.connects, 0);
	resolve("127.0.0.1:1", "127.0.0.2:1");
	ck_assert_uint_eq(t.connects, 1);
	sim_push_error(t.made[0], ECONNREFUSED); /* the next address */
	ck_assert_uint_eq(t.connects, 2);
	connected(1);
	turn();
	ck_assert_uint_eq(state_at(t.group, 0)->fails, 0);
	use(0);
	ck_assert_ptr_eq(t.used, t.made[1]);
	struct address a;
	address_parse(&a, "127.0.0.2:80");
	ck_assert(address_equal(dial_address(&t.dial), &a));
	opened();
	resolve(NULL, NULL);
	ck_assert_uint_eq(state_at(t.group, 0)->fails, 1);
}
END_TEST

/* ---- configurations ---- */

START_TEST(a_group_that_is_gone_has_none)
{
	struct upstream_group *old = make(2, 1);
	start();
	struct upstream_group *both[2] = {old, make(1, 1)}; /* the same server, other settings */
	spares_follow(t.worker[0], &both[1], 1, 1);
	ck_assert_uint_eq(open_now(), 0);
	ck_assert_uint_eq(spares_of(t.worker[0], old, old->members), 0);
	turn();
	ck_assert_uint_eq(open_now(), 1);
	spares_follow(t.worker[0], &both[1], 1, 1); /* carried over */
	turn();
	ck_assert_uint_eq(t.connects, 3);
	ck_assert_uint_eq(old->refs, 1);
	upstream_group_unref(old);
}
END_TEST

/* U-09: removed with all it has, and what is in use lives on. */
START_TEST(U_09_many_at_once)
{
	make(5000, 1);
	start();
	for (unsigned i = 0; i < 1000 && open_now() < 5000; i++)
		pass(1);
	ck_assert_uint_eq(open_now(), 5000);
	use(0);
	spares_stop(t.worker[0]);
	ck_assert_uint_eq(open_now(), 1);
	ck_assert(!sim_is_released(t.used, NULL));
}
END_TEST

START_TEST(stopped_while_they_are_made)
{
	make(4, 1);
	if (_i)
		server_at(t.group, 0)->host = mem_strdup("app.example");
	t.is_slow = true;
	start();
	spares_stop(t.worker[0]);
	turn();
	ck_assert_uint_eq(open_now(), 0);
	ck_assert_ptr_null(fake.fn);
	pass(100000);
	ck_assert_uint_eq(t.connects, _i ? 0 : 4);
}
END_TEST

START_TEST(not_while_memory_is_short)
{
	make(2, 1);
	budget_set(1 << 20);
	budget_take(1 << 20);
	budget_settle();
	ck_assert(budget_is_short());
	start();
	ck_assert_uint_eq(t.connects, 0);
	budget_take(-(1 << 20));
	budget_set(0);
	budget_settle();
	pass(1000);
	ck_assert_uint_eq(t.connects, 2);
}
END_TEST

/* ---- max_connections ---- */

static void limit(unsigned max)
{
	for (unsigned i = 0; i < t.group->members->n; i++)
		server_at(t.group, i)->max_connections = max;
	t.group->members->has_one_open = false;
}

START_TEST(none_into_the_last_free_place)
{
	make(10, 1);
	limit(4);
	start();
	ck_assert_uint_eq(open_now(), 3);
	ck_assert_uint_eq(state_at(t.group, 0)->idle, 3);
	use(1); /* the last place */
	ck_assert_uint_eq(t.connects, 4);
	ck_assert_int_eq(use(1), PICK_FULL);
	ck_assert_int_eq(use(0), PICK_SERVER); /* it has one */
	ck_assert(t.dial.is_spare);
	ck_assert_uint_eq(state_at(t.group, 0)->idle, 2);
	ck_assert_uint_eq(state_at(t.group, 0)->active, 2);
	pass(1000);
	ck_assert_uint_eq(t.connects, 4);
	leave();
	leave();
	pass(1000);
	ck_assert_uint_eq(state_at(t.group, 0)->idle, 3);
}
END_TEST

START_TEST(with_one_connection_there_is_no_spare)
{
	make(1, 1);
	limit(1);
	start();
	pass(5000);
	ck_assert_uint_eq(t.connects, 0);
}
END_TEST

static void on_place(struct waiting *w)
{
	(void)w;
	t.places++;
}

static bool wait_for_place(struct waiting *w, unsigned worker)
{
	struct pick_request r = request(worker);
	return waiting_start(w, t.worker[worker], t.group, t.group->members, &r, on_place);
}

/* The server is full of another worker's spares: one is closed, then the place given. No
 * queue is needed for that. */
START_TEST(another_workers_spare_makes_room)
{
	struct waiting a = {.is_on = false}, b = a, c = a;
	make(2, 1);
	limit(3);
	t.is_slow = _i;
	start();
	ck_assert_uint_eq(open_now(), 2);
	use(1);
	ck_assert_int_eq(use(1), PICK_FULL);
	ck_assert(wait_for_place(&a, 1));
	ck_assert(wait_for_place(&b, 1));
	ck_assert(!wait_for_place(&c, 1));
	ck_assert_uint_eq(t.places, 0);
	ck_assert_int_eq(use(0), PICK_FULL); /* nobody overtakes by having a spare */
	turn();
	turn();
	ck_assert_uint_eq(t.places, 2);
	ck_assert(is_closed(0));
	ck_assert(is_closed(1));
	ck_assert_uint_eq(state_at(t.group, 0)->idle, 0);
	ck_assert_uint_eq(state_at(t.group, 0)->active, 3);
	ck_assert(!wait_for_place(&c, 1)); /* full, indeed */
	pass(1000);
	ck_assert_uint_eq(t.connects, 3);
	count_is(spares_evicted, 2);
}
END_TEST

/* The one that was to be closed dies by itself before the worker hears of it. */
START_TEST(one_that_dies_first_makes_room_too)
{
	struct waiting a = {.is_on = false};
	make(2, 1);
	limit(3);
	start();
	use(1);
	ck_assert(wait_for_place(&a, 1));
	sim_push_eof(t.made[_i]);
	turn();
	turn();
	ck_assert_uint_eq(t.places, 1);
	ck_assert_uint_eq(state_at(t.group, 0)->idle, 1);
	count_is(spares_evicted, 0);
}
END_TEST

/* Who asked goes away: the place is free, and the spare was not worth keeping. */
START_TEST(who_asked_goes_away)
{
	struct waiting a = {.is_on = false};
	make(1, 1);
	limit(2);
	start();
	use(1);
	ck_assert(wait_for_place(&a, 1));
	waiting_cancel(&a, t.worker[1]->now_ms);
	turn();
	ck_assert_uint_eq(state_at(t.group, 0)->active, 1);
	ck_assert_uint_eq(state_at(t.group, 0)->idle, 0);
	ck_assert_int_eq(use(1), PICK_SERVER);
}
END_TEST

/* the worker cannot be told; the next one who waits tells it. */
START_TEST(no_memory_to_ask)
{
	struct waiting a = {.is_on = false}, b = a;
	make(2, 1);
	limit(3);
	start();
	use(1);
	ck_assert(fault_plan("alloc:1:ENOMEM"));
	ck_assert(wait_for_place(&a, 1));
	turn();
	ck_assert_uint_eq(open_now(), 3);
	fault_plan(NULL);
	ck_assert(wait_for_place(&b, 1));
	turn();
	turn();
	ck_assert_uint_eq(t.places, 1);
	ck_assert_uint_eq(state_at(t.group, 0)->idle, 1);
	waiting_cancel(&b, t.worker[1]->now_ms);
}
END_TEST

/* A worker that has ended meanwhile is told in vain. */
START_TEST(asked_after_its_end)
{
	struct waiting a = {.is_on = false};
	make(1, 1);
	limit(2);
	start();
	use(1);
	ck_assert(wait_for_place(&a, 1));
	spares_stop(t.worker[0]); /* with the message on its way */
	worker_turn(t.worker[1], 0);
	ck_assert_uint_eq(t.places, 1);
}
END_TEST

/* A backup is not used because a server is full of spares. */
START_TEST(spares_bring_no_backup_into_use)
{
	struct waiting a = {.is_on = false};
	make(1, 1, 1);
	limit(2);
	server_at(t.group, 1)->is_backup = true;
	start();
	use(1);
	ck_assert_int_eq(use(1), PICK_FULL);
	ck_assert(wait_for_place(&a, 1));
	turn();
	turn();
	ck_assert_uint_eq(t.places, 1);
	ck_assert_ptr_eq(a.picked.server, server_at(t.group, 0));
	use(1); /* full of sessions */
	ck_assert_uint_eq(state_at(t.group, 1)->active, 1);
}
END_TEST

/* A spare that died on its session: the next one gives its place back. */
START_TEST(the_next_spare_of_the_same_session)
{
	struct picked p;
	int error;
	make(2, 1);
	limit(4);
	start();
	struct pick_request r = request(0);
	upstream_pick(t.group, t.group->members, &r, &p);
	ck_assert(p.has_spare);
	ck_assert_uint_eq(state_at(t.group, 0)->idle, 1);
	for (unsigned i = 0; i < 3; i++) {
		spare_dial_start(&t.dial, t.worker[0], t.group, &p, on_dialled);
		p.has_spare = false;
		ck_assert(t.dial.is_spare == (i < 2));
		ck_assert_uint_eq(state_at(t.group, 0)->idle, i == 0);
		stream_free(dial_next(&t.dial, &error), false);
		dial_end(&t.dial);
	}
	ck_assert_uint_eq(state_at(t.group, 0)->active, 1);
}
END_TEST

/* The one whose place the session has got is not sound: another connection in its place. */
START_TEST(the_place_of_one_that_was_not_sound)
{
	make(1, 1);
	limit(2);
	start();
	use(1);
	t.made[0]->flags |= STREAM_PEER_CLOSED; /* heard of only now */
	ck_assert_int_eq(use(0), PICK_SERVER);
	ck_assert(!t.dial.is_spare);
	ck_assert_uint_eq(state_at(t.group, 0)->active, 2);
	ck_assert_uint_eq(state_at(t.group, 0)->idle, 0);
	ck_assert(is_closed(0));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("upstream/spare");
	TCase *c = tcase_create("all");
	tcase_set_timeout(c, 30);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, so_many_are_kept_to_each_server);
	tcase_add_loop_test(c, the_number_is_shared_by_the_workers, 0, 4);
	tcase_add_test(c, a_session_takes_the_newest_and_it_is_replaced);
	tcase_add_test(c, none_ready_is_a_connect);
	tcase_add_test(c, a_group_without_spares_has_none);
	tcase_add_test(c, not_too_many_at_a_time);
	tcase_add_test(c, none_is_made_while_a_session_waits_for_its_server);
	tcase_add_test(c, the_last_one_is_replaced_at_once);
	tcase_add_test(c, they_wait_for_sessions_so_long);
	tcase_add_test(c, sessions_without_a_spare_count_too);
	tcase_add_test(c, one_with_TLS_at_a_time);
	tcase_add_test(c, one_with_TLS_now_and_then);
	tcase_add_test(c, groups_take_turns);
	tcase_add_loop_test(c, U_05_a_byte_or_an_end_on_a_spare, 0, 3);
	tcase_add_loop_test(c, U_05_what_the_loop_has_not_heard_of, 0, 2);
	tcase_add_loop_test(c, what_has_come_was_not_for_its_user, 0, 2);
	tcase_add_test(c, U_08_none_is_used_past_its_time);
	tcase_add_test(c, a_successor_is_made_ahead);
	tcase_add_loop_test(c, short_lives_are_no_storm, 0, 2);
	tcase_add_test(c, U_11_a_server_that_refuses_is_asked_less_and_less);
	tcase_add_test(c, those_under_way_together_count_once);
	tcase_add_loop_test(c, want_of_our_own_says_nothing_of_the_server, 0, 6);
	tcase_add_test(c, U_04_a_connect_that_takes_too_long);
	tcase_add_test(c, U_11_a_server_that_hangs_up);
	tcase_add_test(c, R_06_memory_fails);
	tcase_add_loop_test(c, a_server_that_goes_down_loses_them, 0, 2);
	tcase_add_test(c, a_backup_has_some_while_it_is_needed);
	tcase_add_test(c, members_come_and_go);
	tcase_add_test(c, a_session_holds_its_own_members);
	tcase_add_test(c, a_name_is_looked_up);
	tcase_add_test(c, a_group_that_is_gone_has_none);
	tcase_add_test(c, U_09_many_at_once);
	tcase_add_loop_test(c, stopped_while_they_are_made, 0, 2);
	tcase_add_test(c, not_while_memory_is_short);
	tcase_add_test(c, none_into_the_last_free_place);
	tcase_add_test(c, with_one_connection_there_is_no_spare);
	tcase_add_loop_test(c, another_workers_spare_makes_room, 0, 2);
	tcase_add_loop_test(c, one_that_dies_first_makes_room_too, 0, 2);
	tcase_add_test(c, who_asked_goes_away);
	tcase_add_test(c, no_memory_to_ask);
	tcase_add_test(c, asked_after_its_end);
	tcase_add_test(c, spares_bring_no_backup_into_use);
	tcase_add_test(c, the_next_spare_of_the_same_session);
	tcase_add_test(c, the_place_of_one_that_was_not_sound);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
