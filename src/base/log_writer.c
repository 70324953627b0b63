/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_writer.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/log_queue.h"
#include "base/log_rate.h"
#include "base/log_target.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	/* After it was woken, and after each write, a writer waits so long for more lines: under
	 * load they then share a write, and nobody has to wake it. */
	GATHER_MS = 2,
	ACCESS_GATHER_MS = 100, /* nobody watches that one line by line */
	PIECE = 64 * 1024,      /* of a file is written at once; the longest record fits */
	DIRECT_MIN = 4 * 1024,  /* what is less than that goes to a file together with others */
	TELL_MS = 1000,         /* between two lines that tell of lost records */
	ACCESS_QUEUE_SIZE = 4 * LOG_QUEUE_SIZE,
	/* So much of one thread and a gathering writer begins: what it writes is then still in the
	 * processor's cache, and the next lines soon lie there again. */
	PRESSING = LOG_QUEUE_SIZE / 2,
	ACCESS_PRESSING = 64 * 1024,
};

/* What a writer does: it looks at everything before it waits again; or it waits for more, but not
 * for long; or until it is woken. */
enum writer_state { AWAKE, GATHERING, SLEEPING };

/* The log and the access log: each has a target, a thread that writes to it, and a queue
 * of every thread that has something for it. */
struct channel {
	const char *thread_name, *fault; /* of its start */
	int gather_ms;
	size_t queue_size, pressing;

	/* The target and the batch that is on its way there. */
	pthread_mutex_t lock;
	struct log_target target;
	bool is_mid_line; /* the last thing written was part of a line */
	uint64_t told;    /* of `lost` */
	uint64_t told_ms;
	char *batch; /* queue_size bytes */
	size_t len;

	struct log_target prepared; /* the control thread's */
	bool is_prepared;

	pthread_mutex_t queues_lock; /* for `queues`; the writer alone unlinks */
	struct log_queue *queues;
	atomic_bool is_running; /* lines go to queues */
	atomic_int state;       /* enum writer_state; back to AWAKE also by who wakes it */
	atomic_bool is_ending;
	atomic_bool wants_reopen;
	_Atomic uint64_t deadline_ms; /* once ending: of all waiting for the target */
	_Atomic uint64_t lost;
	int wake;
	pthread_t thread;
};

static char log_batch[LOG_QUEUE_SIZE];

enum { LOG, ACCESS, CHANNELS };

static struct channel channels[CHANNELS] = {
        [LOG] = {.thread_name = "moongate-log",
                .fault = "log_start",
                .gather_ms = GATHER_MS,
                .queue_size = LOG_QUEUE_SIZE,
                .pressing = PRESSING,
                .batch = log_batch,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .queues_lock = PTHREAD_MUTEX_INITIALIZER,
                .target = {.fd = STDERR_FILENO, .kind = LOG_TARGET_BLOCKING},
                .wake = -1},
        [ACCESS] = {.thread_name = "moongate-access",
                .fault = "access_start",
                .gather_ms = ACCESS_GATHER_MS,
                .queue_size = ACCESS_QUEUE_SIZE,
                .pressing = ACCESS_PRESSING,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .queues_lock = PTHREAD_MUTEX_INITIALIZER,
                .target = {.fd = -1},
                .wake = -1},
};

static atomic_int level_on = LOG_LEVEL_INFO;
static _Atomic uint32_t lines_per_second; /* of one event and thread; 0 = any */
static atomic_bool access_on;

static _Thread_local struct log_queue *own[CHANNELS];
static _Thread_local bool has_none[CHANNELS]; /* no memory for a queue */

bool log_is_on(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&level_on, memory_order_relaxed);
}

bool log_level_parse(const char *name, enum log_level *level)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_set_rate(uint32_t per_second)
{
	atomic_store(&lines_per_second, per_second);
}

uint64_t log_lost(void)
{
	return atomic_load(&channels[LOG].lost);
}

uint64_t log_access_lost(void)
{
	return atomic_load(&channels[ACCESS].lost);
}

static void set_target(struct channel *c, struct log_target target)
{
	struct log_target old;

	pthread_mutex_lock(&c->lock);
	old = c->target;
	c->target = target;
	c->is_mid_line = false;
	pthread_mutex_unlock(&c->lock);
	log_target_close(&old);
}

void log_set_level(enum log_level level)
{
	atomic_store(&level_on, (int)level);
}

bool log_open(const char *name, enum log_level level)
{
	struct log_target opened;

	if (!log_target_open(&opened, name))
		return false;
	set_target(&channels[LOG], opened);
	log_set_level(level);
	return true;
}

static uint64_t lines_in(const char *text, size_t len)
{
	const char *end = text + len;
	uint64_t n = 0;

	while (text < end && (text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
		n++;
		text++;
	}
	return n;
}

/* Writes whole lines; counts those that were not taken whole. c->lock is held. */
static bool write_lines(struct channel *c, const char *text, size_t len)
{
	size_t done = 0;

	/* The rest of a broken line is gone; what follows must not be taken for it. */
	if (c->is_mid_line && log_target_write(&c->target, "\n", 1, &c->deadline_ms) == 1)
		c->is_mid_line = false;
	if (!c->is_mid_line) {
		done = log_target_write(&c->target, text, len, &c->deadline_ms);
		c->is_mid_line = done > 0 && text[done - 1] != '\n';
	}
	if (done < len)
		atomic_fetch_add(&c->lost, lines_in(text + done, len - done));
	return done == len;
}

/* Says in the log how many of its lines were lost since the last time. The lock is held. */
static bool write_note(struct channel *c, uint64_t n)
{
	struct log_line l;

	log_begin(&l, LOG_LEVEL_WARN, "log_lost");
	log_unum(&l, "lines", n - c->told);
	if (l.muted)
		return true;
	l.text[l.len++] = '\n';
	if (!write_lines(c, l.text, l.len)) {
		atomic_fetch_sub(&c->lost, 1); /* the note itself is not one of them */
		return false;
	}
	c->told = n;
	return true;
}

/* The lock is held. */
static void write_out(struct channel *c, const char *text, size_t len)
{
	uint64_t n = atomic_load(&c->lost);

	if (len == 0)
		return;
	if (c == &channels[LOG] && n > c->told && !write_note(c, n))
		atomic_fetch_add(&c->lost, lines_in(text, len));
	else
		write_lines(c, text, len);
}

static void flush_batch(struct channel *c)
{
	write_out(c, c->batch, c->len);
	c->len = 0;
}

static void copy_lines(struct channel *c, struct log_queue *q, size_t len)
{
	if (len > c->queue_size - c->len)
		flush_batch(c);
	log_queue_take(q, c->batch + c->len, len);
	c->len += len;
}

/* More than little goes to a file from where it lies, by the piece, so that there is soon room
 * again. Only a line that lies in two pieces is copied. Returns what is left. */
static size_t write_from_queue(struct channel *c, struct log_queue *q, size_t len)
{
	const char *at;

	while (len >= DIRECT_MIN && c->target.kind == LOG_TARGET_FILE) {
		size_t n = log_queue_look(q, len < PIECE ? len : PIECE, &at);

		if (n > 0) {
			flush_batch(c);
			write_out(c, at, n);
			log_queue_drop(q, n);
		} else {
			n = log_queue_first(q);
			copy_lines(c, q, n);
		}
		len -= n;
	}
	return len;
}

/* Writes what a queue holds now, whole lines, or moves it to the batch. Returns how much. The lock
 * is held. */
static size_t gather(struct channel *c, struct log_queue *q)
{
	size_t len = log_queue_bytes(q);

	copy_lines(c, q, write_from_queue(c, q, len));
	return len;
}

static void gather_count(struct channel *c, const struct log_rate_count *count)
{
	struct log_line l;

	/* As when the first of them was suppressed: the level was on. */
	log_begin(&l, count->level, "suppressed");
	log_text(&l, "event", count->event);
	log_unum(&l, "count", count->n);
	if (l.muted)
		return;
	l.text[l.len++] = '\n';
	if (l.len > c->queue_size - c->len)
		flush_batch(c);
	memcpy(c->batch + c->len, l.text, l.len);
	c->len += l.len;
}

/* What a thread logged too often, once its second is over. The lock is held. */
static void gather_counts(struct channel *c, struct log_queue *q, bool all)
{
	struct log_rate_count count;
	unsigned at = 0;

	if (!q->rate)
		return;
	while (log_rate_take(q->rate, &at, clock_ms(), all, &count))
		gather_count(c, &count);
}

static struct log_queue *first_queue(struct channel *c)
{
	struct log_queue *q;

	pthread_mutex_lock(&c->queues_lock);
	q = c->queues;
	pthread_mutex_unlock(&c->queues_lock);
	return q;
}

static void unlink_queue(struct channel *c, struct log_queue *q)
{
	struct log_queue **at = &c->queues;

	pthread_mutex_lock(&c->queues_lock);
	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	pthread_mutex_unlock(&c->queues_lock);
	log_queue_free(q);
}

/* Writes what is queued and drops the queues whose threads are gone. False: there was nothing. */
static bool drain(struct channel *c)
{
	struct log_queue *next;
	size_t len = 0;

	pthread_mutex_lock(&c->lock);
	for (struct log_queue *q = first_queue(c); q; q = next) {
		bool is_last = atomic_load(&q->closed);

		next = q->next;
		len += gather(c, q);
		gather_counts(c, q, is_last);
		if (is_last && log_queue_bytes(q) == 0)
			unlink_queue(c, q);
	}
	flush_batch(c);
	pthread_mutex_unlock(&c->lock);
	return len > 0;
}

/* ---- the thread that writes ---- */

/* Between two lines, so none is lost or doubled; those that are queued go to the new file.
 * One that cannot be opened leaves the old one. */
static void reopen(struct channel *c)
{
	struct log_target opened;
	char words[LOG_ERRNO_MAX], *name;

	pthread_mutex_lock(&c->lock);
	name = log_target_can_reopen(&c->target) ? mem_strdup(c->target.name) : NULL;
	pthread_mutex_unlock(&c->lock);
	if (!name)
		return;
	if (log_target_open(&opened, name)) {
		set_target(c, opened);
		log_event(LOG_LEVEL_INFO, "log_reopened", "target", name, NULL);
	} else {
		log_event(LOG_LEVEL_ERROR, "log_reopen_failed", "target", name, "error",
		        log_errno_words(errno, words), NULL);
	}
	mem_free(name);
}

/* Of what the access log lost the log tells, at most once a second. */
static bool is_loss_due(struct channel *c, uint64_t now_ms)
{
	return c == &channels[ACCESS] && atomic_load(&c->lost) > c->told &&
	       (atomic_load(&c->is_ending) || now_ms - c->told_ms >= TELL_MS);
}

static void tell_loss(struct channel *c)
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

static bool has_orders(struct channel *c)
{
	return atomic_load(&c->is_ending) || atomic_load(&c->wants_reopen);
}

static bool has_work(struct channel *c)
{
	for (struct log_queue *q = first_queue(c); q; q = q->next)
		if (log_queue_bytes(q) > 0 || atomic_load(&q->closed))
			return true;
	return has_orders(c);
}

static bool is_pressing(const struct channel *c, const struct log_queue *q)
{
	return log_queue_bytes(q) > c->pressing;
}

static bool has_pressing_work(struct channel *c)
{
	for (struct log_queue *q = first_queue(c); q; q = q->next)
		if (is_pressing(c, q))
			return true;
	return has_orders(c);
}

/* How long it may sleep: until there is something to tell; -1 = for ever. */
static int sleep_ms(struct channel *c)
{
	uint64_t due = UINT64_MAX, now = clock_ms();

	if (c == &channels[ACCESS] && atomic_load(&c->lost) > c->told)
		due = c->told_ms + TELL_MS;
	for (struct log_queue *q = first_queue(c); q; q = q->next) {
		uint64_t at = q->rate ? log_rate_due(q->rate) : UINT64_MAX;

		due = at < due ? at : due;
	}
	if (due == UINT64_MAX)
		return -1;
	return due > now ? (int)(due - now) : 0;
}

static void wait_for_wake(struct channel *c, int ms)
{
	struct pollfd p = {.fd = c->wake, .events = POLLIN};
	uint64_t count;

	while (poll(&p, 1, ms) > 0 && read(c->wake, &count, sizeof(count)) < 0 && errno == EINTR)
		continue;
}

static void sleep_until_woken(struct channel *c)
{
	atomic_store(&c->state, SLEEPING);
	if (!has_work(c))
		wait_for_wake(c, sleep_ms(c));
	atomic_store(&c->state, AWAKE);
}

static void wait_for_more(struct channel *c)
{
	atomic_store(&c->state, GATHERING);
	if (!has_pressing_work(c))
		wait_for_wake(c, c->gather_ms);
	atomic_store(&c->state, AWAKE);
}

/* What it is woken for has been put where the writer looks once it is awake, and again when it has
 * said that it will wait. */
static void wake_writer(struct channel *c, bool is_pressing)
{
	const uint64_t one = 1;
	int from = atomic_load(&c->state);

	if (from == AWAKE || (from == GATHERING && !is_pressing) ||
	        !atomic_compare_exchange_strong(&c->state, &from, AWAKE))
		return;
	while (write(c->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

static void *run(void *arg)
{
	struct channel *c = arg;
	bool is_last, has_written;

	pthread_setname_np(pthread_self(), c->thread_name);
	if (c != &channels[LOG])
		log_thread_init();
	do {
		is_last = atomic_load(&c->is_ending);
		if (atomic_exchange(&c->wants_reopen, false))
			reopen(c);
		has_written = drain(c);
		tell_loss(c);
		if (!is_last && !has_written)
			sleep_until_woken(c);
		if (!is_last)
			wait_for_more(c);
	} while (!is_last);
	if (c != &channels[LOG])
		log_thread_fini();
	return NULL;
}

/* No signal is for the writer: neither the process's nor a broken pipe's. */
static int start_thread(struct channel *c)
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

static bool start(struct channel *c)
{
	int error;

	assert(!atomic_load(&c->is_running));
	c->wake = eventfd(0, EFD_CLOEXEC);
	if (c->wake < 0)
		return false;
	atomic_store(&c->is_ending, false);
	atomic_store(&c->deadline_ms, 0);
	error = start_thread(c);
	if (error != 0) {
		close(c->wake);
		errno = error;
		return false;
	}
	atomic_store(&c->is_running, true);
	return true;
}

static void stop(struct channel *c)
{
	if (!atomic_load(&c->is_running))
		return;
	atomic_store(&c->deadline_ms, clock_ms() + LOG_TARGET_WAIT_MS);
	atomic_store(&c->is_ending, true);
	wake_writer(c, true);
	pthread_join(c->thread, NULL);
	atomic_store(&c->is_running, false);
	drain(c);
	tell_loss(c);
	atomic_store(&c->deadline_ms, 0);
	close(c->wake);
}

bool log_start(void)
{
	if (!start(&channels[LOG]))
		return false;
	log_thread_init();
	if (!atomic_load(&access_on) || start(&channels[ACCESS]))
		return true;
	int saved = errno;
	log_stop();
	errno = saved;
	return false;
}

void log_stop(void)
{
	int saved = errno;

	if (atomic_load(&channels[LOG].is_running)) {
		stop(&channels[ACCESS]);
		log_thread_fini();
		stop(&channels[LOG]);
	}
	errno = saved;
}

void log_reopen(void)
{
	for (int i = 0; i < CHANNELS; i++) {
		struct channel *c = &channels[i];

		atomic_store(&c->wants_reopen, true);
		if (atomic_load(&c->is_running))
			wake_writer(c, true);
		else if (atomic_exchange(&c->wants_reopen, false))
			reopen(c);
	}
}

/* ---- the threads that log ---- */

static void give_queue(struct channel *c, struct log_queue **q)
{
	*q = log_queue_new(c->queue_size);
	if (!*q)
		return;
	/* Without memory for it the lines are not limited. */
	if (c == &channels[LOG])
		(*q)->rate = calloc(1, sizeof(struct log_rate));
	pthread_mutex_lock(&c->queues_lock);
	(*q)->next = c->queues;
	c->queues = *q;
	pthread_mutex_unlock(&c->queues_lock);
}

static void take_queue(struct channel *c, struct log_queue **q)
{
	if (!*q)
		return;
	/* From here on it is the writer's. */
	atomic_store(&(*q)->closed, true);
	*q = NULL;
	if (atomic_load(&c->is_running))
		wake_writer(c, false);
	else
		drain(c);
}

void log_thread_init(void)
{
	int saved = errno;

	if (!own[LOG]) {
		give_queue(&channels[LOG], &own[LOG]);
		has_none[LOG] = !own[LOG];
	}
	errno = saved;
}

void log_thread_fini(void)
{
	int saved = errno;

	for (int i = 0; i < CHANNELS; i++) {
		has_none[i] = false;
		take_queue(&channels[i], &own[i]);
	}
	errno = saved;
}

static void write_now(struct channel *c, const char *line, size_t len)
{
	pthread_mutex_lock(&c->lock);
	write_out(c, line, len);
	pthread_mutex_unlock(&c->lock);
}

static void put(int which, const char *line, size_t len)
{
	struct channel *c = &channels[which];

	if (!atomic_load(&c->is_running)) {
		write_now(c, line, len);
	} else if (own[which]) {
		if (!log_queue_put(own[which], line, len))
			atomic_fetch_add(&c->lost, 1);
		wake_writer(c, is_pressing(c, own[which]));
	} else if (has_none[which]) {
		atomic_fetch_add(&c->lost, 1);
	} else {
		write_now(c, line, len);
	}
}

void log_writer_put(const char *line, size_t len)
{
	int saved = errno;

	put(LOG, line, len);
	errno = saved;
}

bool log_writer_may(enum log_level level, const char *event)
{
	uint32_t limit = atomic_load_explicit(&lines_per_second, memory_order_relaxed);
	struct log_queue *q = own[LOG];
	enum log_rate_verdict verdict;

	if (limit == 0 || !q || !q->rate || !atomic_load(&channels[LOG].is_running))
		return true;
	verdict = log_rate_ask(q->rate, level, event, limit, clock_ms());
	if (verdict == LOG_RATE_FIRST) {
		int saved = errno;

		wake_writer(&channels[LOG], false);
		errno = saved;
	}
	return verdict == LOG_RATE_PASS;
}

/* ---- the access log ---- */

/* A writer without a target has nothing to do, so it may run before there is one. */
static bool make_access(struct channel *c)
{
	if (!c->batch)
		c->batch = mem_new(c->queue_size);
	return !atomic_load(&channels[LOG].is_running) || atomic_load(&c->is_running) || start(c);
}

bool log_access_open(const char *name)
{
	struct channel *c = &channels[ACCESS];
	struct log_target opened;

	if (!log_target_open(&opened, name))
		return false;
	set_target(c, opened);
	if (!make_access(c))
		return false;
	atomic_store(&access_on, true);
	return true;
}

static bool prepare(struct channel *c, const char *name)
{
	assert(!c->is_prepared);
	c->is_prepared = log_target_open(&c->prepared, name);
	return c->is_prepared;
}

bool log_prepare(const char *name)
{
	return prepare(&channels[LOG], name);
}

bool log_access_prepare(const char *name)
{
	struct channel *c = &channels[ACCESS];

	return make_access(c) && prepare(c, name);
}

void log_use_prepared(void)
{
	for (int i = 0; i < CHANNELS; i++) {
		struct channel *c = &channels[i];

		if (!c->is_prepared)
			continue;
		set_target(c, c->prepared);
		c->is_prepared = false;
		if (i == ACCESS)
			atomic_store(&access_on, true);
	}
}

void log_drop_prepared(void)
{
	int saved = errno;

	for (int i = 0; i < CHANNELS; i++) {
		if (channels[i].is_prepared)
			log_target_close(&channels[i].prepared);
		channels[i].is_prepared = false;
	}
	errno = saved;
}

void log_access_close(void)
{
	struct channel *c = &channels[ACCESS];

	if (!atomic_exchange(&access_on, false))
		return;
	drain(c);
	set_target(c, (struct log_target){.fd = -1, .kind = LOG_TARGET_FILE});
}

bool log_access_is_on(void)
{
	return atomic_load_explicit(&access_on, memory_order_relaxed);
}

/* The calling thread's queue for records; NULL = it has none. */
static struct log_queue *access_queue(void)
{
	if (!own[ACCESS] && own[LOG] && !has_none[ACCESS]) {
		give_queue(&channels[ACCESS], &own[ACCESS]);
		has_none[ACCESS] = !own[ACCESS];
	}
	return own[ACCESS];
}

char *log_access_room(size_t *len)
{
	int saved = errno;
	struct log_queue *q = log_access_is_on() ? access_queue() : NULL;

	errno = saved;
	return q && atomic_load(&channels[ACCESS].is_running) ? log_queue_room(q, len) : NULL;
}

void log_access_put(const char *record, size_t len)
{
	int saved = errno;

	if (!log_access_is_on())
		return;
	access_queue();
	put(ACCESS, record, len);
	errno = saved;
}

void log_access_lose(void)
{
	atomic_fetch_add(&channels[ACCESS].lost, 1);
	if (atomic_load(&channels[ACCESS].is_running))
		wake_writer(&channels[ACCESS], false);
}
