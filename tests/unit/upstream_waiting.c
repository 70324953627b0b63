/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/waiting.h"

#include "base/fault.h"
#include "net/worker.h"
#include "upstream/dial.h"
#include "upstream_test.h"

#include <semaphore.h>
#include <stdlib.h>

#define WEIGHTS(...) ((const unsigned[]){__VA_ARGS__, 0})

enum { WORKERS = 2, GUESTS = 8 };

struct guest {
	struct waiting waiting;
	unsigned told;
	unsigned place; /* in the order in which guests were told */
};

static struct worker *w[WORKERS];
static struct upstream_group *g;
static struct guest guest[GUESTS];
static unsigned told;

static void setup(void)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		w[i] = worker_new(i);
		ck_assert(upstream_worker_new(w[i]));
	}
	memset(guest, 0, sizeof guest);
	told = 0;
}

static void make(unsigned limit, const unsigned *weights)
{
	g = group_make("g", BALANCE_ROUND_ROBIN, weights);
	for (unsigned i = 0; i < g->members->n; i++)
		server_at(g, i)->max_connections = limit;
	g->queue = GUESTS;
}

static void turns(void)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		worker_turn(w[i], 0);
		worker_turn(w[i], 0);
	}
}

static void teardown(void)
{
	fault_plan(NULL);
	for (unsigned i = 0; i < GUESTS; i++)
		waiting_cancel(&guest[i].waiting, 1000);
	ck_assert_uint_eq(g->members->server[0].state->group->waiting_n, 0);
	for (unsigned i = 0; i < g->members->n; i++)
		while (state_at(g, i)->active > 0)
			upstream_give_back(state_at(g, i), 1000);
	upstream_group_unref(g);
	for (unsigned i = 0; i < WORKERS; i++) {
		upstream_worker_free(w[i]);
		worker_free(w[i]);
	}
}

static enum pick take(void)
{
	struct picked p;
	return upstream_pick(g, g->members, &plain_request, &p);
}

static void on_told(struct waiting *waiting)
{
	struct guest *guest_ = list_entry(waiting, struct guest, waiting);
	guest_->told++;
	guest_->place = ++told;
}

static bool join_with(unsigned i, unsigned worker, uint64_t tried)
{
	struct pick_request r = plain_request;
	r.tried = tried;
	return waiting_start(&guest[i].waiting, w[worker], g, g->members, &r, on_told);
}

static bool join(unsigned i, unsigned worker)
{
	return join_with(i, worker, 0);
}

static void leave(unsigned server)
{
	upstream_give_back(state_at(g, server), 1000);
}

START_TEST(first_come_first_served_over_workers)
{
	make(1, WEIGHTS(1));
	ck_assert_int_eq(take(), PICK_SERVER);
	for (unsigned i = 0; i < GUESTS; i++)
		ck_assert(join(i, i % WORKERS));
	for (unsigned i = 0; i < GUESTS; i++) {
		turns();
		ck_assert_uint_eq(told, i);
		leave(0);
		turns();
		ck_assert_uint_eq(told, i + 1);
		ck_assert_uint_eq(guest[i].place, i + 1);
		ck_assert_uint_eq(state_at(g, 0)->active, 1);
	}
}
END_TEST

START_TEST(nobody_overtakes)
{
	make(1, WEIGHTS(1));
	take();
	join(0, 0);
	join(1, 1);
	leave(0); /* the place is the first guest's, who does not know yet */
	ck_assert_int_eq(take(), PICK_FULL);
	ck_assert(join(2, 1));
	turns();
	ck_assert_uint_eq(guest[0].told, 1);
	ck_assert_uint_eq(guest[1].told + guest[2].told, 0);
}
END_TEST

START_TEST(a_full_queue_and_none)
{
	make(1, WEIGHTS(1));
	take();
	g->queue = 2;
	ck_assert(join(0, 0));
	ck_assert(join(1, 1));
	ck_assert(!join(2, 0));
	waiting_cancel(&guest[2].waiting, 1000);
	waiting_cancel(&guest[0].waiting, 1000);
	ck_assert(join(3, 0));
	waiting_cancel(&guest[1].waiting, 1000);
	waiting_cancel(&guest[3].waiting, 1000);
	g->queue = 0;
	ck_assert(!join(4, 0));
}
END_TEST

START_TEST(who_leaves_the_queue_is_passed_over)
{
	make(1, WEIGHTS(1));
	take();
	for (unsigned i = 0; i < 3; i++)
		join(i, 0);
	waiting_cancel(&guest[0].waiting, 1000);
	waiting_cancel(&guest[0].waiting, 1000);
	leave(0);
	turns();
	ck_assert_uint_eq(guest[0].told, 0);
	ck_assert_uint_eq(guest[1].told, 1);
}
END_TEST

START_TEST(who_leaves_with_a_place_hands_it_on)
{
	make(1, WEIGHTS(1));
	take();
	for (unsigned i = 0; i < 3; i++)
		join(i, i % WORKERS);
	leave(0);
	waiting_cancel(&guest[0].waiting, 1000);
	waiting_cancel(&guest[1].waiting, 1000);
	turns();
	ck_assert_uint_eq(guest[0].told + guest[1].told, 0);
	ck_assert_uint_eq(guest[2].told, 1);
	ck_assert_uint_eq(state_at(g, 0)->active, 1);
}
END_TEST

START_TEST(who_waited_before_keeps_its_turn)
{
	make(1, WEIGHTS(1, 1));
	take();
	take();
	for (unsigned i = 0; i < 3; i++)
		join(i, i % WORKERS);
	leave(0);
	turns();
	ck_assert_uint_eq(guest[0].told, 1);
	leave(0); /* the server did not do, and is given back */
	turns();
	ck_assert_uint_eq(guest[1].told, 1);
	ck_assert(join_with(0, 0, 1));
	join(3, 1);
	leave(1);
	turns();
	ck_assert_uint_eq(guest[0].told, 2);
	leave(0);
	turns();
	ck_assert_uint_eq(guest[2].told, 1);
	ck_assert_uint_eq(guest[3].told, 0);
}
END_TEST

/* Between the look for a place and the queue one became free. */
START_TEST(a_place_is_not_missed)
{
	make(1, WEIGHTS(1));
	take();
	leave(0);
	ck_assert(join(0, 0));
	ck_assert_uint_eq(told, 0);
	turns();
	ck_assert_uint_eq(guest[0].told, 1);
}
END_TEST

START_TEST(a_place_is_not_missed_without_a_queue)
{
	make(1, WEIGHTS(1));
	g->queue = 0;
	/* A server that was full is not any more when the guest joins, and nobody may stay. */
	ck_assert(join(0, 0));
	ck_assert(!join(1, 1));
	turns();
	ck_assert_uint_eq(guest[0].told, 1);
	ck_assert_uint_eq(guest[1].told, 0);
	ck_assert_uint_eq(state_at(g, 0)->active, 1);
	leave(0);
	ck_assert(join(1, 1)); /* the one who was refused is not in anybody's way */
	turns();
	ck_assert_uint_eq(guest[1].told, 1);
}
END_TEST

START_TEST(a_place_that_the_first_cannot_use_is_the_next_ones)
{
	make(1, WEIGHTS(1, 1));
	take();
	take();
	join_with(0, 0, 1); /* has tried the first server */
	join(1, 0);
	leave(0);
	turns();
	ck_assert_uint_eq(guest[0].told, 0);
	ck_assert_uint_eq(guest[1].told, 1);
	leave(1);
	turns();
	ck_assert_uint_eq(guest[0].told, 1);
	ck_assert_uint_eq(guest[0].waiting.picked.index, 1);
}
END_TEST

/* U-07: all places are taken, and the server dies. */
START_TEST(U_07_the_server_dies_while_all_wait)
{
	make(2, WEIGHTS(1));
	take();
	take();
	for (unsigned i = 0; i < 4; i++)
		join(i, i % WORKERS);
	leave(0);
	leave(0);
	turns();
	ck_assert_uint_eq(told, 2); /* both cannot connect */
	for (int i = 0; i < 3; i++)
		server_state_fail(state_at(g, 0), false, 3, 10000, 1000, "test");
	leave(0);
	leave(0);
	turns();
	ck_assert_uint_eq(told, 3); /* one at a time finds out */
	ck_assert(guest[2].waiting.picked.is_trial);
	server_state_fail(state_at(g, 0), true, 3, 10000, 1000, "test");
	leave(0);
	turns();
	ck_assert_uint_eq(told, 4);
	ck_assert(guest[3].waiting.picked.is_trial);
	server_state_answered(state_at(g, 0), 1000);
	ck_assert_int_eq(take(), PICK_SERVER);
}
END_TEST

START_TEST(a_trial_that_is_cancelled_is_over)
{
	make(1, WEIGHTS(1));
	take();
	join(0, 0);
	for (int i = 0; i < 3; i++)
		server_state_fail(state_at(g, 0), false, 3, 10000, 1000, "test");
	leave(0);
	waiting_cancel(&guest[0].waiting, 1000);
	ck_assert(!state_at(g, 0)->on_trial);
	ck_assert_uint_eq(state_at(g, 0)->active, 0);
}
END_TEST

START_TEST(a_server_that_is_well_again_serves_the_queue)
{
	make(1, WEIGHTS(1, 1));
	server_state_set_healthy(state_at(g, 1), false, 1000, "test");
	ck_assert_int_eq(take(), PICK_SERVER);
	ck_assert_int_eq(take(), PICK_FULL);
	join(0, 1);
	server_state_set_healthy(state_at(g, 1), true, 1000, NULL);
	turns();
	ck_assert_uint_eq(guest[0].told, 1);
}
END_TEST

/* The worker cannot be told for want of memory: the next place tells of both. */
START_TEST(no_memory_to_tell)
{
	make(2, WEIGHTS(1));
	take();
	take();
	join(0, 0);
	join(1, 0);
	ck_assert(fault_plan("alloc:1:ENOMEM"));
	leave(0);
	turns();
	ck_assert_uint_eq(told, 0);
	leave(0);
	turns();
	ck_assert_uint_eq(told, 2);
}
END_TEST

/* ---- threads ---- */

enum { THREADS = 4, EACH = 300, LIMIT = 3 };

struct visitor {
	struct waiting waiting;
	struct retired retired;
	struct worker *worker;
	struct server_state *at;
	bool has_left;
};

static struct visitor visitor[THREADS][EACH];
static atomic_uint inside[2], most[2], served, gone, refused;
static sem_t all_done;

static void come(struct worker *me, void *arg);

static void done(atomic_uint *count)
{
	atomic_fetch_add(count, 1);
	if (served + gone + refused == THREADS * EACH)
		sem_post(&all_done);
}

static void go(struct worker *me, void *arg)
{
	struct visitor *v = arg;
	atomic_fetch_sub(&inside[v->at == state_at(g, 1)], 1);
	upstream_give_back(v->at, me->now_ms);
	done(&served);
}

static void enter(struct visitor *v, const struct picked *p)
{
	unsigned n = atomic_fetch_add(&inside[p->index], 1) + 1;
	v->at = p->server->state;
	unsigned seen = most[p->index];
	while (n > seen && !atomic_compare_exchange_weak(&most[p->index], &seen, n))
		continue;
	ck_assert(worker_post(v->worker, go, v));
}

static void on_place(struct waiting *waiting)
{
	struct visitor *v = list_entry(waiting, struct visitor, waiting);
	enter(v, &waiting->picked);
}

/* Loses patience, unless it was told in time. */
static void give_up(struct worker *me, void *arg)
{
	struct visitor *v = arg;
	if (!v->waiting.is_on)
		return;
	waiting_cancel(&v->waiting, me->now_ms);
	done(&gone);
}

static void come(struct worker *me, void *arg)
{
	struct visitor *v = arg;
	struct picked p;
	v->worker = me;
	enum pick pick = upstream_pick(g, g->members, &plain_request, &p);
	if (pick == PICK_SERVER) {
		enter(v, &p);
		return;
	}
	ck_assert_int_eq(pick, PICK_FULL);
	if (!waiting_start(&v->waiting, me, g, g->members, &plain_request, on_place))
		done(&refused);
	else if ((v - visitor[me->index]) % 3 == 0)
		worker_post(me, give_up, v);
}

/* Each comes, stays a turn and goes, so many at a time that most have to wait. */
static void run(unsigned queue)
{
	struct worker *worker[THREADS];
	inside[0] = inside[1] = most[0] = most[1] = served = gone = refused = 0;
	memset(visitor, 0, sizeof visitor);
	sem_init(&all_done, 0, 0);
	make(LIMIT, WEIGHTS(1, 1));
	g->queue = queue;
	for (unsigned i = 0; i < THREADS; i++) {
		worker[i] = worker_new(i);
		ck_assert(upstream_worker_new(worker[i]));
		ck_assert(worker_start(worker[i], NULL, NULL, NULL));
	}
	for (unsigned k = 0; k < EACH; k++)
		for (unsigned i = 0; i < THREADS; i++)
			ck_assert(worker_post(worker[i], come, &visitor[i][k]));
	sem_wait(&all_done);
	for (unsigned i = 0; i < THREADS; i++) {
		worker_stop(worker[i]);
		worker_join(worker[i]);
	}
	ck_assert_uint_eq(inside[0] + inside[1], 0);
	ck_assert_uint_eq(state_at(g, 0)->active + state_at(g, 1)->active, 0);
	ck_assert_uint_le(most[0], LIMIT);
	ck_assert_uint_le(most[1], LIMIT);
	ck_assert_uint_eq(state_at(g, 0)->group->waiting_n, 0);
	upstream_group_unref(g);
	for (unsigned i = 0; i < THREADS; i++) {
		upstream_worker_free(worker[i]);
		worker_free(worker[i]);
	}
	sem_destroy(&all_done);
}

START_TEST(many_workers_share_a_few_places)
{
	run(THREADS * EACH);
	ck_assert_uint_eq(refused, 0);
	ck_assert_uint_gt(served, 0);
	run(5);
}
END_TEST

static struct upstream_group *successor(unsigned limit)
{
	struct upstream_group *next = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1));
	server_at(next, 0)->max_connections = limit;
	next->queue = GUESTS;
	return next;
}

/* A reload with another limit: it counts for who waits by the old settings too. */
START_TEST(another_limit)
{
	make(1, WEIGHTS(1));
	ck_assert_int_eq(take(), PICK_SERVER);
	join(0, 0);
	join(1, 0);
	join(2, 0);
	struct upstream_group *next = successor(3);
	turns();
	ck_assert_uint_eq(told, 0); /* it is not in use yet */
	upstream_group_use(next, 1000);
	turns();
	ck_assert_uint_eq(told, 2);
	ck_assert_uint_eq(guest[2].told, 0);
	/* Lowered: nobody more before two have gone. */
	struct upstream_group *last = successor(2);
	upstream_group_use(last, 1000);
	leave(0);
	turns();
	ck_assert_uint_eq(told, 2);
	leave(0);
	turns();
	ck_assert_uint_eq(told, 3);
	upstream_group_unref(next);
	upstream_group_unref(last);
}
END_TEST

/* Who waits for a server that the group has no more does not stand in the way of who waits for
 * another. */
START_TEST(other_members)
{
	make(1, WEIGHTS(1, 1));
	take();
	take();
	join(0, 0);
	struct upstream_group *next = group_make("g", BALANCE_ROUND_ROBIN, WEIGHTS(1, 1, 1));
	struct picked p;
	for (unsigned i = 0; i < 3; i++)
		server_at(next, i)->max_connections = 1;
	next->queue = GUESTS;
	ck_assert_int_eq(upstream_pick(next, next->members, &plain_request, &p), PICK_SERVER);
	ck_assert_uint_eq(p.index, 2);
	struct pick_request r = plain_request;
	for (unsigned i = 1; i < 3; i++)
		ck_assert(waiting_start(&guest[i].waiting, w[0], next, next->members, &r, on_told));
	upstream_give_back(state_at(next, 2), 1000);
	turns();
	ck_assert_uint_eq(guest[0].told, 0);
	ck_assert_uint_eq(guest[1].told, 1);
	leave(0);
	turns();
	ck_assert_uint_eq(guest[0].told, 1);
	leave(1);
	turns();
	ck_assert_uint_eq(guest[2].told, 1);
	upstream_give_back(state_at(next, 2), 1000);
	upstream_group_unref(next);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("upstream/waiting");
	TCase *c = tcase_create("queue");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, first_come_first_served_over_workers);
	tcase_add_test(c, nobody_overtakes);
	tcase_add_test(c, a_full_queue_and_none);
	tcase_add_test(c, who_leaves_the_queue_is_passed_over);
	tcase_add_test(c, who_leaves_with_a_place_hands_it_on);
	tcase_add_test(c, who_waited_before_keeps_its_turn);
	tcase_add_test(c, a_place_is_not_missed);
	tcase_add_test(c, a_place_is_not_missed_without_a_queue);
	tcase_add_test(c, a_place_that_the_first_cannot_use_is_the_next_ones);
	tcase_add_test(c, U_07_the_server_dies_while_all_wait);
	tcase_add_test(c, a_trial_that_is_cancelled_is_over);
	tcase_add_test(c, a_server_that_is_well_again_serves_the_queue);
	tcase_add_test(c, no_memory_to_tell);
	tcase_add_test(c, another_limit);
	tcase_add_test(c, other_members);
	suite_add_tcase(s, c);
	c = tcase_create("threads");
	tcase_add_test(c, many_workers_share_a_few_places);
	tcase_set_timeout(c, 30);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
