/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_writer.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/log_drain.h"
#include "base/log_target.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <time.h>

enum { TELL_MS = 1000 }; /* between two lines that tell of lost records */

/* What a writer does: it looks at everything before it waits again; or it waits for more, but not
 * for long; or until it is woken. */
enum writer_state { AWAKE, GATHERING, SLEEPING };

/* Between two lines, so none is lost or doubled; those that are queued go to the new file.
 * One that cannot be opened leaves the old one. A reload may put another one there meanwhile. */
static void reopen(struct log_channel *c)
{
	struct log_target opened;
	char words[LOG_ERRNO_MAX], *name;

	pthread_mutex_lock(&c->lock);
	name = log_target_can_reopen(&c->target) ? mem_strdup(c->target.name) : NULL;
	pthread_mutex_unlock(&c->lock);
	if (!name)
		return;
	if (log_target_open(&opened, name)) {
		if (log_channel_renew_target(c, opened))
			log_event(LOG_LEVEL_INFO, "log_reopened", "target", name, NULL);
	} else {
		log_event(LOG_LEVEL_ERROR, "log_reopen_failed", "target", name, "error",
		        log_target_words(errno, words), NULL);
	}
	mem_free(name);
}

/* Of what the access log lost the log tells, at most once a second. */
static bool is_loss_due(struct log_channel *c, uint64_t now_ms)
{
	return c == &log_channels[LOG_ACCESS] && atomic_load(&c->lost) > c->told &&
	       (atomic_load(&c->is_ending) || now_ms - c->told_ms >= TELL_MS);
}

static void tell_loss(struct log_channel *c)
{
	uint64_t n = atomic_load(&c->lost);
	struct log_line l;

	if (!is_loss_due(c, clock_ms()))
		return;
	log_begin(&l, LOG_LEVEL_WARN, "access_log_lost");
	log_unum(&l, "records", n - c->told);
	log_end(&l);
	c->told = n;
	c->told_ms = clock_ms();
}

static bool has_orders(struct log_channel *c)
{
	return atomic_load(&c->is_ending) || atomic_load(&c->wants_reopen);
}

static bool must_act(struct log_channel *c)
{
	return log_drain_has_work(c) || has_orders(c);
}

static bool must_act_soon(struct log_channel *c)
{
	return log_drain_has_pressing_work(c) || has_orders(c);
}

/* How long it may sleep: until there is something to tell; -1 = for ever. */
static int sleep_ms(struct log_channel *c)
{
	uint64_t due = log_drain_due(c), now = clock_ms();

	if (c == &log_channels[LOG_ACCESS] && atomic_load(&c->lost) > c->told &&
	        c->told_ms + TELL_MS < due)
		due = c->told_ms + TELL_MS;
	if (due == UINT64_MAX)
		return -1;
	return due > now ? (int)(due - now) : 0;
}

/* Until it is woken, or for so long; -1 = for ever. What ends it early does no harm: the writer
 * looks at everything again. */
static void wait_for_wake(struct log_channel *c, int ms)
{
	uint64_t end_ms = clock_ms() + (uint64_t)ms;
	struct timespec end = {
	        .tv_sec = (time_t)(end_ms / 1000), .tv_nsec = (long)(end_ms % 1000) * 1000000};

	if (ms < 0)
		sem_wait(&c->wake);
	else
		sem_clockwait(&c->wake, CLOCK_MONOTONIC, &end);
}

static void sleep_until_woken(struct log_channel *c)
{
	atomic_store(&c->state, SLEEPING);
	if (!must_act(c))
		wait_for_wake(c, sleep_ms(c));
	atomic_store(&c->state, AWAKE);
}

static void wait_for_more(struct log_channel *c)
{
	atomic_store(&c->state, GATHERING);
	if (!must_act_soon(c))
		wait_for_wake(c, c->gather_ms);
	atomic_store(&c->state, AWAKE);
}

/* What it is woken for has been put where the writer looks once it is awake, and again when it has
 * said that it will wait. */
void log_writer_wake(struct log_channel *c, bool is_pressing)
{
	int from = atomic_load(&c->state);

	if (from == AWAKE || (from == GATHERING && !is_pressing) ||
	        !atomic_compare_exchange_strong(&c->state, &from, AWAKE))
		return;
	sem_post(&c->wake);
}

static void *run(void *arg)
{
	struct log_channel *c = arg;
	bool is_last, has_written;

	pthread_setname_np(pthread_self(), c->thread_name);
	if (c != &log_channels[LOG_MAIN])
		log_thread_init();
	do {
		is_last = atomic_load(&c->is_ending);
		if (atomic_exchange(&c->wants_reopen, false))
			reopen(c);
		has_written = log_drain(c);
		tell_loss(c);
		if (!is_last && !has_written)
			sleep_until_woken(c);
		if (!is_last)
			wait_for_more(c);
	} while (!is_last);
	if (c != &log_channels[LOG_MAIN])
		log_thread_fini();
	return NULL;
}

/* No signal is for the writer: neither the process's nor a broken pipe's. */
static int start_thread(struct log_channel *c)
{
	sigset_t all, before;
	int error = fault_next(c->fault);

	if (error != 0)
		return error;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&c->thread, NULL, run, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

bool log_writer_start(struct log_channel *c)
{
	int error;

	assert(!atomic_load(&c->is_running));
	sem_init(&c->wake, 0, 0);
	atomic_store(&c->is_ending, false);
	atomic_store(&c->deadline_ms, 0);
	error = start_thread(c);
	if (error != 0) {
		sem_destroy(&c->wake);
		errno = error;
		return false;
	}
	atomic_store(&c->is_running, true);
	return true;
}

void log_writer_stop(struct log_channel *c)
{
	if (!atomic_load(&c->is_running))
		return;
	atomic_store(&c->deadline_ms, clock_ms() + LOG_TARGET_WAIT_MS);
	atomic_store(&c->is_ending, true);
	log_writer_wake(c, true);
	pthread_join(c->thread, NULL);
	atomic_store(&c->is_running, false);
	log_drain(c);
	tell_loss(c);
	atomic_store(&c->deadline_ms, 0);
	sem_destroy(&c->wake);
}

void log_writer_reopen(struct log_channel *c)
{
	atomic_store(&c->wants_reopen, true);
	if (atomic_load(&c->is_running))
		log_writer_wake(c, true);
	else if (atomic_exchange(&c->wants_reopen, false))
		reopen(c);
}
