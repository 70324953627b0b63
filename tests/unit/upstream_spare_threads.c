/* SPDX-License-Identifier: BSD-2-Clause */

/* Sessions and spare connections of several workers at a few servers with max_connections:
 * on threads of their own, so that ThreadSanitizer sees them. */

#include "base/fault.h"
#include "net/sim.h"
#include "net/worker.h"
#include "upstream/spare.h"
#include "upstream/waiting.h"
#include "upstream_test.h"

#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>

enum { THREADS = 4, EACH = 400, LIMIT = 4, SERVERS = 2, STREAMS = 8192 };

struct visitor {
	struct waiting waiting;
	struct dial dial;
	struct stream *stream;
	struct worker *worker;
	struct server_state *at;
};

static struct upstream_group *g;
static struct visitor visitor[THREADS][EACH];
static struct stream *made[THREADS][STREAMS];
static unsigned made_n[THREADS];
static atomic_uint served, gone, refused, spares;
static sem_t all_done;

static struct stream *test_connect(
        struct worker *w, const struct address *to, const struct socket_options *o)
{
	(void)to, (void)o;
	ck_assert_uint_lt(made_n[w->index], STREAMS);
	return made[w->index][made_n[w->index]++] = sim_new(w);
}

static void done(atomic_uint *count)
{
	atomic_fetch_add(count, 1);
	if (served + gone + refused == THREADS * EACH)
		sem_post(&all_done);
}

/* All connections, used and idle, are within the limit at any time. */
static void check_places(void)
{
	pthread_mutex_t *lock = &state_at(g, 0)->group->lock;
	pthread_mutex_lock(lock);
	for (unsigned i = 0; i < SERVERS; i++)
		ck_assert_uint_le(state_at(g, i)->active + state_at(g, i)->idle, LIMIT);
	pthread_mutex_unlock(lock);
}

static void go(struct worker *me, void *arg)
{
	struct visitor *v = arg;
	stream_free(v->stream, false);
	upstream_give_back(v->at, me->now_ms);
	check_places();
	done(&served);
}

static void on_dialled(struct dial *d, const char *error)
{
	(void)d, (void)error;
}

static void enter(struct visitor *v, const struct picked *p)
{
	int error;
	v->at = p->server->state;
	ck_assert_int_eq(spare_dial_start(&v->dial, v->worker, g, p, on_dialled), DIAL_READY);
	v->stream = dial_next(&v->dial, &error);
	spares += v->dial.is_spare;
	dial_end(&v->dial);
	check_places();
	ck_assert(worker_post(v->worker, go, v));
}

static void on_place(struct waiting *waiting)
{
	enter(list_entry(waiting, struct visitor, waiting), &waiting->picked);
}

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
	struct pick_request r = {.now_ms = me->now_ms,
	        .sticky = -1,
	        .worker = me,
	        .spare = spares_of(me, g, g->members)};
	enum pick pick = upstream_pick(g, g->members, &r, &p);
	if (pick == PICK_SERVER) {
		enter(v, &p);
		return;
	}
	ck_assert_int_eq(pick, PICK_FULL);
	if (!waiting_start(&v->waiting, me, g, g->members, &r, on_place))
		done(&refused);
	else if ((v - visitor[me->index]) % 5 == 0)
		worker_post(me, give_up, v);
}

static void follow(struct worker *me, void *arg)
{
	(void)arg;
	((struct upstream_worker *)me->layer[WORKER_UPSTREAM])->connect = test_connect;
	spares_follow(me, &g, 1, THREADS);
}

/* Until a spare was used, visitors come a few at a time, when those before have gone and there are
 * connections that wait for them: which are not yet of use while they are being made. */
static void wait_for_spares(unsigned before)
{
	pthread_mutex_t *lock = &state_at(g, 0)->group->lock;
	for (unsigned idle = 0; idle < SERVERS || served + gone + refused < before; sched_yield()) {
		pthread_mutex_lock(lock);
		idle = 0;
		for (unsigned i = 0; i < SERVERS; i++)
			idle += state_at(g, i)->idle;
		pthread_mutex_unlock(lock);
	}
}

static void stop(struct worker *me, void *arg)
{
	(void)arg;
	spares_stop(me);
}

static void run(unsigned queue)
{
	static const unsigned weights[] = {1, 1, 0};
	struct worker *worker[THREADS];
	served = gone = refused = spares = 0;
	memset(visitor, 0, sizeof visitor);
	memset(made_n, 0, sizeof made_n);
	sem_init(&all_done, 0, 0);
	g = group_make("g", BALANCE_LEAST_CONNECTIONS, weights);
	for (unsigned i = 0; i < SERVERS; i++)
		server_at(g, i)->max_connections = LIMIT;
	g->queue = queue;
	g->spare = THREADS;
	g->spare_idle_ms = 8000;
	for (unsigned i = 0; i < THREADS; i++) {
		worker[i] = worker_new(i);
		ck_assert(upstream_worker_new(worker[i]));
		ck_assert(worker_start(worker[i], follow, stop, NULL));
	}
	for (unsigned k = 0; k < EACH; k++) {
		if (spares == 0)
			wait_for_spares(k * THREADS);
		for (unsigned i = 0; i < THREADS; i++)
			ck_assert(worker_post(worker[i], come, &visitor[i][k]));
	}
	sem_wait(&all_done);
	for (unsigned i = 0; i < THREADS; i++)
		worker_stop(worker[i]);
	for (unsigned i = 0; i < THREADS; i++)
		worker_join(worker[i]);
	for (unsigned i = 0; i < SERVERS; i++) {
		ck_assert_uint_eq(state_at(g, i)->active, 0);
		ck_assert_uint_eq(state_at(g, i)->idle, 0);
	}
	ck_assert_uint_eq(state_at(g, 0)->group->waiting_n, 0);
	ck_assert_uint_eq(g->refs, 1);
	upstream_group_unref(g);
	for (unsigned i = 0; i < THREADS; i++) {
		worker_turn(worker[i], 0);
		for (unsigned k = 0; k < made_n[i]; k++)
			sim_free(made[i][k]);
		upstream_worker_free(worker[i]);
		worker_free(worker[i]);
	}
	sem_destroy(&all_done);
}

START_TEST(the_limit_holds_for_used_and_idle_ones)
{
	run(THREADS * EACH);
	ck_assert_uint_eq(refused, 0);
	ck_assert_uint_gt(served, 0);
	ck_assert_uint_gt(spares, 0);
	run(0);
	ck_assert_uint_gt(served, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("upstream/spare_threads");
	TCase *c = tcase_create("threads");
	tcase_set_timeout(c, 30);
	tcase_add_test(c, the_limit_holds_for_used_and_idle_ones);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
