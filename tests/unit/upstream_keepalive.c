/* SPDX-License-Identifier: BSD-2-Clause */

/* Pools of connections that users hand back, on a clock that the test moves. Simulated
 * streams; where the kernel must know more than the loop, a pair of sockets. */

#include "upstream/keepalive.h"

#include "base/fault.h"
#include "net/plain.h"
#include "net/sim.h"
#include "net/worker.h"
#include "upstream/dial.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { USERS = 8, STREAMS = 256 };

struct user {
	struct lease lease;
	enum keepalive_got got; /* what it was told, told times */
	unsigned told, order;
	bool puts_back; /* as soon as it has something */
};

static struct worker *w;
static struct keepalive *k;
static struct user user[USERS];
static struct stream *sim[STREAMS];
static unsigned sims, told;

static const struct keepalive_key name = {.name = {(const uint8_t *)"redis:6379", 10}};
static const struct keepalive_limits none = {0, -1};

static struct upstream_counters *counters(void)
{
	return &((struct upstream_worker *)w->layer[WORKER_UPSTREAM])->counters;
}

#define count_is(field, n) ck_assert_uint_eq(counter_get(&counters()->field), n)

static void setup(void)
{
	w = worker_new(0);
	worker_set_time(w, w->now_ms + 1000);
	ck_assert(upstream_worker_new(w));
	k = keepalive_new(w);
	memset(user, 0, sizeof user);
	sims = told = 0;
}

static void turn(void)
{
	worker_turn(w, 0);
}

static void pass(uint64_t ms)
{
	worker_set_time(w, w->now_ms + ms);
	turn();
}

static void teardown(void)
{
	fault_plan(NULL);
	for (unsigned i = 0; i < USERS; i++)
		keepalive_release(k, &user[i].lease);
	keepalive_free(k);
	turn();
	for (unsigned i = 0; i < sims; i++) {
		if (!sim_is_released(sim[i], NULL))
			stream_free(sim[i], false);
		sim_free(sim[i]);
	}
	upstream_worker_free(w);
	worker_free(w);
}

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

static struct stream *connected(void)
{
	ck_assert_uint_lt(sims, STREAMS);
	struct stream *s = sim[sims++] = sim_new(w);
	s->events = &quiet;
	return s;
}

static enum keepalive_put put(unsigned i, struct stream *s)
{
	return keepalive_put(k, &user[i].lease, &name, s, 0, 0);
}

static void on_told(struct lease *l, enum keepalive_got got)
{
	struct user *u = list_entry(l, struct user, lease);
	u->got = got;
	u->told++;
	u->order = ++told;
	if (got == KEEPALIVE_REUSED)
		l->stream->events = &quiet;
	if (u->puts_back && got <= KEEPALIVE_CONNECT)
		ck_assert_int_eq(put((unsigned)(u - user),
		                         got == KEEPALIVE_REUSED ? l->stream : connected()),
		        KEEPALIVE_KEPT);
}

static enum keepalive_got get_with(
        unsigned i, const struct keepalive_key *key, uint32_t size, int64_t backlog)
{
	struct keepalive_limits limits = {size, backlog};
	enum keepalive_got got =
	        keepalive_get(k, &user[i].lease, key, &limits, w->now_ms + 1000, on_told);
	if (got == KEEPALIVE_REUSED)
		user[i].lease.stream->events = &quiet;
	return got;
}

static enum keepalive_got get(unsigned i, uint32_t size, int64_t backlog)
{
	return get_with(i, &name, size, backlog);
}

static void release(unsigned i)
{
	keepalive_release(k, &user[i].lease);
}

/* ---- reuse ---- */

START_TEST(without_limits_no_pool_is_made)
{
	ck_assert_int_eq(
	        keepalive_get(k, &user[0].lease, &name, &none, 0, on_told), KEEPALIVE_CONNECT);
	ck_assert_ptr_null(user[0].lease.pool);
	struct stream *s = connected();
	ck_assert_int_eq(put(0, s), KEEPALIVE_KEPT); /* it makes the pool */
	ck_assert_uint_eq(keepalive_idle(k), 1);
	ck_assert_int_eq(get(1, 0, -1), KEEPALIVE_REUSED);
	ck_assert_ptr_eq(user[1].lease.stream, s);
	ck_assert_ptr_nonnull(user[1].lease.pool);
	ck_assert_uint_eq(keepalive_idle(k), 0);
	count_is(keepalive_kept, 1);
	count_is(keepalive_reused, 1);
}
END_TEST

START_TEST(the_last_one_back_is_the_next_used)
{
	struct stream *s[3];
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(get(i, 3, -1), KEEPALIVE_CONNECT);
	for (unsigned i = 0; i < 3; i++)
		put(i, s[i] = connected());
	for (unsigned i = 3; i > 0; i--) {
		ck_assert_int_eq(get(i, 3, -1), KEEPALIVE_REUSED);
		ck_assert_ptr_eq(user[i].lease.stream, s[i - 1]);
	}
	ck_assert_int_eq(get(0, 3, -1), KEEPALIVE_CONNECT);
}
END_TEST

START_TEST(reuse_is_counted)
{
	struct stream *s = connected();
	get(0, 1, -1);
	ck_assert_uint_eq(user[0].lease.reused, 0);
	put(0, s);
	for (uint32_t n = 1; n < 5; n++) {
		ck_assert_int_eq(get(0, 1, -1), KEEPALIVE_REUSED);
		ck_assert_uint_eq(user[0].lease.reused, n);
		put(0, s);
	}
}
END_TEST

START_TEST(the_least_recently_used_goes_first)
{
	struct stream *s[4];
	for (unsigned i = 0; i < 4; i++)
		get(i, 2, -1); /* any number beside those that are kept */
	for (unsigned i = 0; i < 4; i++)
		put(i, s[i] = connected());
	ck_assert(sim_is_released(s[0], NULL));
	ck_assert(sim_is_released(s[1], NULL));
	ck_assert(!sim_is_released(s[2], NULL));
	ck_assert_uint_eq(keepalive_idle(k), 2);
	count_is(keepalive_evicted, 2);
}
END_TEST

START_TEST(the_size_is_30_if_none_is_given)
{
	for (unsigned n = 0; n < 40; n++) {
		keepalive_get(k, &user[0].lease, &(struct keepalive_key){.name = SLICE("other")},
		        &none, 0, on_told);
		put(0, connected());
	}
	ck_assert_uint_eq(keepalive_idle(k), KEEPALIVE_SIZE);
}
END_TEST

/* A pool keeps the limits it was made with, until it is gone. */
START_TEST(a_pool_keeps_its_limits)
{
	ck_assert_int_eq(get(0, 1, 0), KEEPALIVE_CONNECT);
	ck_assert_int_eq(get(1, 100, 100), KEEPALIVE_FULL);
	ck_assert_int_eq(get(1, 0, -1), KEEPALIVE_FULL);
	release(0);
	ck_assert_int_eq(get(0, 2, 0), KEEPALIVE_CONNECT);
	ck_assert_int_eq(get(1, 2, 0), KEEPALIVE_CONNECT);
	ck_assert_int_eq(get(2, 2, 0), KEEPALIVE_FULL);
}
END_TEST

/* One that was opened before there was a pool counts from when it is put there. */
START_TEST(who_counts_in_no_pool)
{
	keepalive_get(k, &user[0].lease, &name, &none, 0, on_told);
	get(1, 1, 0);
	release(0); /* takes no place of the pool's */
	ck_assert_int_eq(get(2, 1, 0), KEEPALIVE_FULL);
	keepalive_get(
	        k, &user[0].lease, &(struct keepalive_key){.name = SLICE("x")}, &none, 0, on_told);
	struct stream *s = connected();
	ck_assert_int_eq(put(0, s), KEEPALIVE_KEPT);
	ck_assert(sim_is_released(s, NULL)); /* it would be one too many */
	release(1);
	ck_assert_uint_eq(keepalive_idle(k), 0);
}
END_TEST

START_TEST(names_are_apart)
{
	uint8_t room[5][KEEPALIVE_ADDRESS_MAX];
	struct keepalive_key key[7];
	struct slice host = SLICE("a.example");
	ck_assert(keepalive_address_key(&key[0], room[0], "ws", host, 80, SLICE("")));
	ck_assert(keepalive_address_key(&key[1], room[1], "wss", host, 80, SLICE("")));
	ck_assert(keepalive_address_key(&key[2], room[2], "ws", host, 81, SLICE("")));
	ck_assert(keepalive_address_key(&key[3], room[3], "wss", host, 80, SLICE("verified")));
	ck_assert(keepalive_address_key(
	        &key[4], room[4], "wss", SLICE("a.examplever"), 80, SLICE("ified")));
	key[5] = (struct keepalive_key){.name = key[0].name}; /* a user's own */
	key[6] = (struct keepalive_key){.name = SLICE("")};
	for (unsigned i = 0; i < 7; i++) {
		get_with(0, &key[i], 1, -1);
		ck_assert_int_eq(keepalive_put(k, &user[0].lease, &key[i], connected(), 0, 0),
		        KEEPALIVE_KEPT);
	}
	ck_assert_uint_eq(keepalive_idle(k), 7);
	for (unsigned i = 0; i < 7; i++) {
		ck_assert_int_eq(get_with(i, &key[i], 1, -1), KEEPALIVE_REUSED);
		ck_assert_ptr_eq(user[i].lease.stream, sim[i]);
	}
	ck_assert(!keepalive_address_key(&key[0], room[0], "ws",
	        slice_of(room[1], KEEPALIVE_ADDRESS_MAX - 4), 80, SLICE("")));
}
END_TEST

/* ---- what comes while a connection is idle ---- */

START_TEST(U_05_a_byte_or_an_end_on_an_idle_connection)
{
	struct stream *s = connected();
	get(0, 1, -1);
	put(0, s);
	if (_i == 0)
		ck_assert(sim_push(s, "x", 1));
	else if (_i == 1)
		sim_push_eof(s);
	else
		sim_push_error(s, ECONNRESET);
	ck_assert(sim_is_released(s, NULL));
	ck_assert_uint_eq(keepalive_idle(k), 0);
	ck_assert_int_eq(get(0, 1, -1), KEEPALIVE_CONNECT);
	count_is(keepalive_died, 1);
}
END_TEST

/* ... where the loop has not heard of it yet. */
static struct stream *from_socket(int *peer)
{
	int pair[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	*peer = pair[1];
	struct stream *s = plain_accepted(w, pair[0]);
	s->events = &quiet;
	turn();
	return s;
}

static void come(int peer, unsigned what)
{
	if (what == 0)
		ck_assert_int_eq(write(peer, "x", 1), 1);
	else
		close(peer);
}

START_TEST(U_05_what_the_loop_has_not_heard_of)
{
	int peer;
	struct stream *s = from_socket(&peer);
	get(0, 1, -1);
	ck_assert_int_eq(put(0, s), KEEPALIVE_KEPT);
	come(peer, (unsigned)_i);
	ck_assert_int_eq(get(0, 1, -1), KEEPALIVE_CONNECT);
	count_is(keepalive_died, 1);
	if (_i == 0)
		close(peer);
}
END_TEST

START_TEST(a_dubious_connection_is_not_taken)
{
	int peer;
	struct stream *s = from_socket(&peer);
	get(0, 1, -1);
	come(peer, (unsigned)_i);
	ck_assert_int_eq(put(0, s), KEEPALIVE_DUBIOUS);
	turn();
	ck_assert_int_eq(put(0, s), _i ? KEEPALIVE_CLOSED : KEEPALIVE_KEPT); /* it was read */
	ck_assert_uint_eq(keepalive_idle(k), !_i);
	if (_i)
		stream_free(s, false);
	else
		close(peer);
}
END_TEST

START_TEST(one_that_is_closed_or_has_bytes_to_send)
{
	get(0, 1, -1);
	struct stream *s = connected();
	sim_set_window(s, 1);
	ck_assert(stream_send(s, &SLICE("two"), 1));
	ck_assert_int_eq(put(0, s), KEEPALIVE_DUBIOUS);
	sim_set_window(s, SIZE_MAX);
	turn();
	sim_push_eof(s);
	ck_assert_int_eq(put(0, s), KEEPALIVE_CLOSED);
	ck_assert_int_eq(user[0].lease.state, LEASE_HELD);
}
END_TEST

/* A user that had stopped reading: in the pool the end is heard. */
START_TEST(a_paused_stream_is_watched)
{
	get(0, 1, -1);
	struct stream *s = connected();
	stream_pause(s);
	ck_assert_int_eq(put(0, s), KEEPALIVE_KEPT);
	sim_push_eof(s);
	ck_assert(sim_is_released(s, NULL));
}
END_TEST

START_TEST(U_08_the_idle_time)
{
	struct stream *s = connected(), *other = connected();
	get(0, 2, -1);
	get(1, 2, -1);
	keepalive_put(k, &user[0].lease, &name, s, 0, 100);
	put(1, other); /* for any time */
	pass(99);
	ck_assert(!sim_is_released(s, NULL));
	pass(1);
	ck_assert(sim_is_released(s, NULL));
	pass(1000000);
	ck_assert(!sim_is_released(other, NULL));
	count_is(keepalive_aged, 1);
	/* Used in the last moment, its time is over for good. */
	get(0, 2, -1);
	keepalive_put(k, &user[0].lease, &name, other, 0, 100);
	worker_set_time(w, w->now_ms + 100);
	ck_assert_int_eq(get(0, 2, -1), KEEPALIVE_REUSED);
	pass(1000);
	ck_assert(!sim_is_released(other, NULL));
}
END_TEST

/* ---- the backlog ---- */

START_TEST(further_connects_wait)
{
	ck_assert_int_eq(get(0, 2, 2), KEEPALIVE_CONNECT);
	ck_assert_int_eq(get(1, 2, 2), KEEPALIVE_CONNECT);
	ck_assert_int_eq(get(2, 2, 2), KEEPALIVE_WAIT);
	ck_assert_int_eq(get(3, 2, 2), KEEPALIVE_WAIT);
	ck_assert_int_eq(get(4, 2, 2), KEEPALIVE_FULL);
	ck_assert_int_eq(user[4].lease.state, LEASE_FREE);
	release(0); /* its connection is closed */
	ck_assert_uint_eq(told, 0);
	/* Nobody overtakes one that does not know yet that it is its turn. */
	ck_assert_int_eq(get(5, 2, 2), KEEPALIVE_WAIT);
	turn();
	ck_assert_uint_eq(user[2].told, 1);
	ck_assert_int_eq(user[2].got, KEEPALIVE_CONNECT);
	put(1, connected()); /* handed back, it is the next one's */
	turn();
	ck_assert_int_eq(user[3].got, KEEPALIVE_REUSED);
	ck_assert_ptr_eq(user[3].lease.stream, sim[0]);
	ck_assert_uint_eq(user[3].lease.reused, 1);
	ck_assert_uint_eq(told, 2);
	count_is(keepalive_waits, 3);
	count_is(keepalive_refused, 1);
}
END_TEST

START_TEST(with_a_backlog_of_0_nobody_waits)
{
	ck_assert_int_eq(get(0, 2, 0), KEEPALIVE_CONNECT);
	ck_assert_int_eq(get(1, 2, 0), KEEPALIVE_CONNECT);
	ck_assert_int_eq(get(2, 2, 0), KEEPALIVE_FULL);
	put(0, connected());
	ck_assert_int_eq(get(0, 2, 0), KEEPALIVE_REUSED);
	ck_assert_int_eq(get(2, 2, 0), KEEPALIVE_FULL);
}
END_TEST

START_TEST(the_wait_is_bounded)
{
	get(0, 1, 2);
	get(1, 1, 2);
	pass(500);
	get(2, 1, 2);
	pass(499);
	ck_assert_uint_eq(told, 0);
	pass(1);
	ck_assert_uint_eq(told, 1);
	ck_assert_int_eq(user[1].got, KEEPALIVE_TIMED_OUT);
	ck_assert_int_eq(user[1].lease.state, LEASE_FREE);
	ck_assert_int_eq(get(1, 1, 2), KEEPALIVE_WAIT); /* its place in the queue was free */
	release(0);
	turn();
	ck_assert_int_eq(user[2].got, KEEPALIVE_CONNECT);
}
END_TEST

/* Its turn comes in the moment in which its time is over. */
START_TEST(the_turn_and_the_end_of_time)
{
	get(0, 1, 1);
	get(1, 1, 1);
	worker_set_time(w, w->now_ms + 1000);
	release(0);
	turn();
	ck_assert_uint_eq(user[1].told, 1);
	ck_assert_int_eq(user[1].got, KEEPALIVE_CONNECT);
}
END_TEST

START_TEST(who_stops_waiting)
{
	for (unsigned i = 0; i < 4; i++)
		get(i, 1, 3);
	release(2);
	release(2);
	release(0);
	release(1); /* whose turn it was, and who did not know */
	turn();
	ck_assert_uint_eq(user[1].told + user[2].told, 0);
	ck_assert_int_eq(user[3].got, KEEPALIVE_CONNECT);
	release(3);
	ck_assert_int_eq(get(0, 5, -1), KEEPALIVE_CONNECT); /* the pool was gone */
	ck_assert_int_eq(get(1, 5, -1), KEEPALIVE_CONNECT);
}
END_TEST

/* The connection that was handed back dies before the one who waits is told. */
START_TEST(death_before_the_turn)
{
	get(0, 1, 1);
	get(1, 1, 1);
	struct stream *s = connected();
	put(0, s);
	sim_push_eof(s);
	turn();
	ck_assert_int_eq(user[1].got, KEEPALIVE_CONNECT);
	ck_assert(sim_is_released(s, NULL));
}
END_TEST

/* Users that hand back at once what they get: all are served in turn. */
START_TEST(a_chain_of_users)
{
	get(0, 1, USERS);
	for (unsigned i = 1; i < USERS; i++) {
		user[i].puts_back = true;
		get(i, 1, USERS);
	}
	put(0, connected());
	for (unsigned i = 0; i < USERS; i++)
		turn();
	for (unsigned i = 1; i < USERS; i++) {
		ck_assert_uint_eq(user[i].order, i);
		ck_assert_int_eq(user[i].got, KEEPALIVE_REUSED);
	}
	ck_assert_uint_eq(sims, 1);
	ck_assert_uint_eq(keepalive_idle(k), 1);
}
END_TEST

/* ---- scopes ---- */

static enum keepalive_got get_in(unsigned i, uint64_t scope, uint32_t size, int64_t backlog)
{
	struct keepalive_key key = name;
	key.scope = scope;
	return get_with(i, &key, size, backlog);
}

static struct stream *put_in(unsigned i, uint64_t scope)
{
	struct keepalive_key key = name;
	struct stream *s = user[i].lease.stream ? user[i].lease.stream : connected();
	key.scope = scope;
	ck_assert_int_eq(keepalive_put(k, &user[i].lease, &key, s, 0, 0), KEEPALIVE_KEPT);
	return s;
}

/* The last one of their own, past those of others. */
START_TEST(each_scope_has_its_own_and_all_share_what_has_none)
{
	struct stream *s[4];
	for (unsigned i = 0; i < 4; i++)
		get(i, 10, -1);
	for (unsigned i = 0; i < 4; i++)
		s[i] = put_in(i, (uint64_t[]){7, 0, 7, 8}[i]);
	ck_assert_int_eq(get_in(0, 8, 0, -1), KEEPALIVE_REUSED);
	ck_assert_ptr_eq(user[0].lease.stream, s[3]);
	ck_assert_int_eq(get_in(1, 8, 0, -1), KEEPALIVE_REUSED);
	ck_assert_ptr_eq(user[1].lease.stream, s[1]);
	ck_assert_int_eq(get_in(2, 8, 0, -1), KEEPALIVE_CONNECT);
	ck_assert_int_eq(get_in(3, 0, 0, -1), KEEPALIVE_CONNECT);
	ck_assert_int_eq(get_in(4, 7, 0, -1), KEEPALIVE_REUSED);
	ck_assert_ptr_eq(user[4].lease.stream, s[2]);
	ck_assert_uint_eq(user[4].lease.reused, 1);
	ck_assert_int_eq(get_in(5, 7, 0, -1), KEEPALIVE_REUSED);
	ck_assert_ptr_eq(user[5].lease.stream, s[0]);
	ck_assert_uint_eq(keepalive_idle(k), 0);
}
END_TEST

/* No more are open than may, and nobody waits for a place that only another's idle one has. */
START_TEST(one_of_another_scope_gives_way)
{
	struct stream *s[2];
	get_in(0, 7, 2, 1);
	get_in(1, 7, 2, 1);
	s[0] = put_in(0, 7);
	s[1] = put_in(1, 7);
	ck_assert_int_eq(get_in(2, 8, 2, 1), KEEPALIVE_CONNECT);
	ck_assert(sim_is_released(s[0], NULL));
	ck_assert_uint_eq(keepalive_idle(k), 1);
	ck_assert_int_eq(get_in(3, 8, 2, 1), KEEPALIVE_CONNECT);
	ck_assert(sim_is_released(s[1], NULL));
	ck_assert_int_eq(get_in(4, 7, 2, 1), KEEPALIVE_WAIT);
	struct stream *last = put_in(3, 8);
	turn();
	ck_assert_int_eq(user[4].got, KEEPALIVE_CONNECT);
	ck_assert(sim_is_released(last, NULL));
	count_is(keepalive_evicted, 3);
	count_is(keepalive_reused, 0);
}
END_TEST

/* Without a limit on what is open, those of others stay. */
START_TEST(without_a_backlog_nobody_gives_way)
{
	get_in(0, 7, 1, -1);
	struct stream *s = put_in(0, 7);
	ck_assert_int_eq(get_in(1, 8, 1, -1), KEEPALIVE_CONNECT);
	ck_assert(!sim_is_released(s, NULL));
	ck_assert_int_eq(get_in(2, 7, 1, -1), KEEPALIVE_REUSED);
}
END_TEST

/* An unsound one of the scope is passed over, and closed. */
START_TEST(an_unsound_one_of_the_scope)
{
	struct stream *s[3];
	for (unsigned i = 0; i < 3; i++)
		get_in(i, 7, 3, -1);
	for (unsigned i = 0; i < 3; i++)
		s[i] = put_in(i, (uint64_t[]){7, 7, 8}[i]);
	sim_push(s[1], "x", 1);
	sim_push(s[2], "x", 1);
	ck_assert_int_eq(get_in(0, 7, 3, -1), KEEPALIVE_REUSED);
	ck_assert_ptr_eq(user[0].lease.stream, s[0]);
	ck_assert(sim_is_released(s[1], NULL));
}
END_TEST

/* It comes back with its connection, to whoever gets that. */
START_TEST(what_a_user_notes_on_a_connection)
{
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(get(i, 2, -1), KEEPALIVE_CONNECT);
		ck_assert_uint_eq(user[i].lease.mark.identity, 0);
		user[i].lease.mark.identity = i + 5;
	}
	put(0, connected());
	put(1, connected());
	ck_assert_uint_eq(user[1].lease.mark.identity, 0);
	for (unsigned n = 0; n < 3; n++) {
		ck_assert_int_eq(get(2, 2, -1), KEEPALIVE_REUSED);
		ck_assert_uint_eq(user[2].lease.mark.identity, 6);
		put(2, user[2].lease.stream);
	}
	get(3, 2, -1);
	ck_assert_int_eq(get(4, 2, -1), KEEPALIVE_REUSED);
	ck_assert_uint_eq(user[4].lease.mark.identity, 5);
	release(4);
	ck_assert_int_eq(get(4, 2, -1), KEEPALIVE_CONNECT);
	ck_assert_uint_eq(user[4].lease.mark.identity, 0);
}
END_TEST

static bool is_of_user(struct lease *l, const struct stream *s, const struct keepalive_mark *mark)
{
	(void)s;
	return mark->maker == (uint64_t)(list_entry(l, struct user, lease) - user) % 2;
}

/* Its user is not asked about one without TLS. */
START_TEST(one_that_does_not_fit_is_passed_over)
{
	struct keepalive_key key = name;
	struct stream *s[3];
	key.scope = 7;
	key.fits = is_of_user;
	for (unsigned i = 0; i < 3; i++) {
		get(i, 10, -1);
		user[i].lease.mark.maker = i % 2;
	}
	for (unsigned i = 0; i < 3; i++)
		s[i] = put_in(i, i < 2 ? 7 : 0);
	ck_assert_int_eq(get_with(1, &key, 0, -1), KEEPALIVE_REUSED);
	ck_assert_ptr_eq(user[1].lease.stream, s[2]);
	ck_assert_int_eq(get_with(3, &key, 0, -1), KEEPALIVE_REUSED);
	ck_assert_ptr_eq(user[3].lease.stream, s[1]);
	ck_assert_uint_eq(user[3].lease.mark.maker, 1);
	ck_assert_int_eq(get_with(5, &key, 0, -1), KEEPALIVE_CONNECT);
	ck_assert_int_eq(get_with(2, &key, 0, -1), KEEPALIVE_REUSED);
	ck_assert_ptr_eq(user[2].lease.stream, s[0]);
}
END_TEST

START_TEST(whether_there_is_a_pool)
{
	ck_assert(!keepalive_has_pool(k, &user[0].lease, &name));
	keepalive_get(k, &user[0].lease, &name, &none, 0, on_told);
	ck_assert(!keepalive_has_pool(k, &user[0].lease, &name));
	get(1, 1, -1);
	ck_assert(keepalive_has_pool(k, &user[1].lease, &name));
	ck_assert(keepalive_has_pool(k, &user[0].lease, &name));
	release(1);
	ck_assert(!keepalive_has_pool(k, &user[0].lease, &name));
}
END_TEST

/* The limit holds whatever happens, and nobody is forgotten. */
START_TEST(at_random)
{
	unsigned open = 0, size = 3, seed = (unsigned)_i;
	struct stream *held[USERS] = {NULL};
	struct keepalive_key key = name;
	for (unsigned round = 0; round < 200; round++) {
		unsigned i = (unsigned)rand_r(&seed) % USERS;
		struct lease *l = &user[i].lease;
		switch (rand_r(&seed) % 4) {
		case 0:
			if (l->state == LEASE_FREE)
				get_in(i, i % 3, size, 2);
			break;
		case 1:
			key.scope = i % 3;
			if (l->state == LEASE_HELD && held[i] &&
			        keepalive_put(k, l, &key, held[i], 0, 0) == KEEPALIVE_KEPT)
				held[i] = NULL;
			break;
		case 2:
			if (held[i])
				stream_free(held[i], false);
			held[i] = NULL;
			release(i);
			break;
		default:
			if (sims && !sim_is_released(sim[sims - 1], NULL))
				sim_push_eof(sim[sims - 1]);
			pass((unsigned)rand_r(&seed) % 300);
		}
		for (unsigned u = 0; u < USERS; u++)
			if (user[u].lease.state == LEASE_HELD && !held[u])
				held[u] = user[u].lease.stream ? user[u].lease.stream : connected();
		open = 0;
		for (unsigned s = 0; s < sims; s++)
			open += !sim_is_released(sim[s], NULL);
		ck_assert_uint_le(open, size);
	}
}
END_TEST

/* ---- the end, and no memory ---- */

START_TEST(after_the_stop_nothing_is_kept)
{
	struct stream *s[2] = {connected(), connected()};
	get(0, 2, -1);
	get(1, 2, -1);
	put(0, s[0]);
	keepalive_stop(k);
	ck_assert(sim_is_released(s[0], NULL));
	ck_assert_int_eq(put(1, s[1]), KEEPALIVE_KEPT);
	ck_assert(sim_is_released(s[1], NULL));
	ck_assert_int_eq(user[1].lease.state, LEASE_FREE);
}
END_TEST

START_TEST(R_06_memory_fails)
{
	ck_assert(fault_plan("alloc:1:ENOMEM"));
	ck_assert_int_eq(get(0, 1, -1), KEEPALIVE_NO_MEMORY);
	ck_assert_int_eq(user[0].lease.state, LEASE_FREE);
	fault_plan(NULL);
	keepalive_get(k, &user[0].lease, &name, &none, 0, on_told);
	struct stream *s = connected();
	for (unsigned n = 1; n <= 2; n++) {
		char plan[32];
		snprintf(plan, sizeof plan, "alloc:%u:ENOMEM", n);
		ck_assert(fault_plan(plan));
		ck_assert_int_eq(put(0, s), KEEPALIVE_FAILED);
		ck_assert_int_eq(user[0].lease.state, LEASE_HELD);
	}
	fault_plan(NULL);
	ck_assert_int_eq(put(0, s), KEEPALIVE_KEPT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("upstream/keepalive");
	TCase *c = tcase_create("pools");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, without_limits_no_pool_is_made);
	tcase_add_test(c, the_last_one_back_is_the_next_used);
	tcase_add_test(c, reuse_is_counted);
	tcase_add_test(c, the_least_recently_used_goes_first);
	tcase_add_test(c, the_size_is_30_if_none_is_given);
	tcase_add_test(c, a_pool_keeps_its_limits);
	tcase_add_test(c, who_counts_in_no_pool);
	tcase_add_test(c, names_are_apart);
	tcase_add_loop_test(c, U_05_a_byte_or_an_end_on_an_idle_connection, 0, 3);
	tcase_add_loop_test(c, U_05_what_the_loop_has_not_heard_of, 0, 2);
	tcase_add_loop_test(c, a_dubious_connection_is_not_taken, 0, 2);
	tcase_add_test(c, one_that_is_closed_or_has_bytes_to_send);
	tcase_add_test(c, a_paused_stream_is_watched);
	tcase_add_test(c, U_08_the_idle_time);
	tcase_add_test(c, further_connects_wait);
	tcase_add_test(c, with_a_backlog_of_0_nobody_waits);
	tcase_add_test(c, the_wait_is_bounded);
	tcase_add_test(c, the_turn_and_the_end_of_time);
	tcase_add_test(c, who_stops_waiting);
	tcase_add_test(c, death_before_the_turn);
	tcase_add_test(c, a_chain_of_users);
	tcase_add_test(c, each_scope_has_its_own_and_all_share_what_has_none);
	tcase_add_test(c, one_of_another_scope_gives_way);
	tcase_add_test(c, without_a_backlog_nobody_gives_way);
	tcase_add_test(c, an_unsound_one_of_the_scope);
	tcase_add_test(c, one_that_does_not_fit_is_passed_over);
	tcase_add_test(c, what_a_user_notes_on_a_connection);
	tcase_add_test(c, whether_there_is_a_pool);
	tcase_add_loop_test(c, at_random, 0, 40);
	tcase_add_test(c, after_the_stop_nothing_is_kept);
	tcase_add_test(c, R_06_memory_fails);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
