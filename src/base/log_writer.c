/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_writer.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/log_queue.h"
#include "base/log_target.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* After it was woken the writer waits so long for more lines: under load they
 * then share a wake-up and a write. */
enum { GATHER_MS = 2 };

static atomic_int level_on = LOG_LEVEL_INFO;
static _Atomic uint64_t lost;

/* The target and the batch that is on its way there. */
static struct {
	pthread_mutex_t lock;
	struct log_target target;
	bool is_mid_line; /* the last thing written was part of a line */
	uint64_t told;    /* of `lost`, by log_lost lines */
	char batch[LOG_QUEUE_SIZE];
	size_t len;
} out = {.lock = PTHREAD_MUTEX_INITIALIZER,
        .target = {.fd = STDERR_FILENO, .kind = LOG_TARGET_BLOCKING}};

static struct {
	pthread_mutex_t lock; /* for `queues`; the writer alone unlinks */
	struct log_queue *queues;
	atomic_bool is_running;  /* lines go to queues */
	atomic_bool is_sleeping; /* the writer waits for `wake` */
	atomic_bool is_ending;
	_Atomic uint64_t deadline_ms; /* once ending: of all waiting for the target */
	int wake;
	pthread_t thread;
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = -1};

static _Thread_local struct log_queue *own;
static _Thread_local bool has_none; /* no memory for a queue */

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

uint64_t log_lost(void)
{
	return atomic_load(&lost);
}

bool log_open(const char *name, enum log_level level)
{
	struct log_target old, opened;

	if (!log_target_open(&opened, name))
		return false;
	pthread_mutex_lock(&out.lock);
	old = out.target;
	out.target = opened;
	out.is_mid_line = false;
	pthread_mutex_unlock(&out.lock);
	log_target_close(&old);
	atomic_store(&level_on, (int)level);
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

/* Writes whole lines; counts those that were not taken whole. out.lock is held. */
static bool write_lines(const char *text, size_t len)
{
	size_t done = 0;

	/* The rest of a broken line is gone; what follows must not be taken for it. */
	if (out.is_mid_line && log_target_write(&out.target, "\n", 1, &writer.deadline_ms) == 1)
		out.is_mid_line = false;
	if (!out.is_mid_line) {
		done = log_target_write(&out.target, text, len, &writer.deadline_ms);
		out.is_mid_line = done > 0 && text[done - 1] != '\n';
	}
	if (done < len)
		atomic_fetch_add(&lost, lines_in(text + done, len - done));
	return done == len;
}

/* Says how many lines were lost since the last time. out.lock is held. */
static bool write_note(uint64_t n)
{
	struct log_line l;

	log_begin(&l, LOG_LEVEL_WARN, "log_lost");
	log_unum(&l, "lines", n - out.told);
	if (l.muted)
		return true;
	l.text[l.len++] = '\n';
	if (!write_lines(l.text, l.len)) {
		atomic_fetch_sub(&lost, 1); /* the note itself is not one of them */
		return false;
	}
	out.told = n;
	return true;
}

/* out.lock is held. */
static void write_out(const char *text, size_t len)
{
	uint64_t n = log_lost();

	if (len == 0)
		return;
	if (n > out.told && !write_note(n))
		atomic_fetch_add(&lost, lines_in(text, len));
	else
		write_lines(text, len);
}

static void flush_batch(void)
{
	write_out(out.batch, out.len);
	out.len = 0;
}

/* Moves what a queue holds now, whole lines, to the batch. out.lock is held. */
static void gather(struct log_queue *q)
{
	size_t len = log_queue_bytes(q);

	if (len > sizeof(out.batch) - out.len)
		flush_batch();
	log_queue_take(q, out.batch + out.len, len);
	out.len += len;
}

static struct log_queue *first_queue(void)
{
	struct log_queue *q;

	pthread_mutex_lock(&writer.lock);
	q = writer.queues;
	pthread_mutex_unlock(&writer.lock);
	return q;
}

static void unlink_queue(struct log_queue *q)
{
	struct log_queue **at = &writer.queues;

	pthread_mutex_lock(&writer.lock);
	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	pthread_mutex_unlock(&writer.lock);
	log_queue_free(q);
}

/* Writes what is queued and drops the queues whose threads are gone. */
static void drain(void)
{
	struct log_queue *next;

	pthread_mutex_lock(&out.lock);
	for (struct log_queue *q = first_queue(); q; q = next) {
		bool is_last = atomic_load(&q->closed);

		next = q->next;
		gather(q);
		if (is_last && log_queue_bytes(q) == 0)
			unlink_queue(q);
	}
	flush_batch();
	pthread_mutex_unlock(&out.lock);
}

static bool has_work(void)
{
	if (atomic_load(&writer.is_ending))
		return true;
	for (struct log_queue *q = first_queue(); q; q = q->next)
		if (log_queue_bytes(q) > 0 || atomic_load(&q->closed))
			return true;
	return false;
}

static void sleep_until_woken(void)
{
	uint64_t count;

	atomic_store(&writer.is_sleeping, true);
	if (!has_work() && read(writer.wake, &count, sizeof(count)) > 0)
		poll(NULL, 0, GATHER_MS);
	atomic_store(&writer.is_sleeping, false);
}

static void wake_writer(void)
{
	const uint64_t one = 1;

	if (!atomic_load(&writer.is_sleeping) || !atomic_exchange(&writer.is_sleeping, false))
		return;
	while (write(writer.wake, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

static void *run(void *arg)
{
	bool is_last;

	(void)arg;
	pthread_setname_np(pthread_self(), "moongate-log");
	do {
		is_last = atomic_load(&writer.is_ending);
		drain();
		if (!is_last)
			sleep_until_woken();
	} while (!is_last);
	return NULL;
}

/* No signal is for the writer: neither the process's nor a broken pipe's. */
static int start_thread(void)
{
	sigset_t all, before;
	int error = fault_next("log_start");

	if (error != 0)
		return error;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&writer.thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

bool log_start(void)
{
	int error;

	assert(!atomic_load(&writer.is_running));
	writer.wake = eventfd(0, EFD_CLOEXEC);
	if (writer.wake < 0)
		return false;
	atomic_store(&writer.is_ending, false);
	atomic_store(&writer.deadline_ms, 0);
	error = start_thread();
	if (error != 0) {
		close(writer.wake);
		errno = error;
		return false;
	}
	atomic_store(&writer.is_running, true);
	log_thread_init();
	return true;
}

void log_stop(void)
{
	int saved = errno;

	if (!atomic_load(&writer.is_running))
		return;
	log_thread_fini();
	atomic_store(&writer.deadline_ms, clock_ms() + LOG_TARGET_WAIT_MS);
	atomic_store(&writer.is_ending, true);
	wake_writer();
	pthread_join(writer.thread, NULL);
	atomic_store(&writer.is_running, false);
	drain();
	atomic_store(&writer.deadline_ms, 0);
	close(writer.wake);
	errno = saved;
}

void log_thread_init(void)
{
	int saved = errno;

	if (own)
		return;
	own = log_queue_new();
	has_none = !own;
	if (own) {
		pthread_mutex_lock(&writer.lock);
		own->next = writer.queues;
		writer.queues = own;
		pthread_mutex_unlock(&writer.lock);
	}
	errno = saved;
}

void log_thread_fini(void)
{
	int saved = errno;

	has_none = false;
	if (own) {
		/* From here on it is the writer's. */
		atomic_store(&own->closed, true);
		own = NULL;
		if (atomic_load(&writer.is_running))
			wake_writer();
		else
			drain();
	}
	errno = saved;
}

static void write_now(const char *line, size_t len)
{
	pthread_mutex_lock(&out.lock);
	write_out(line, len);
	pthread_mutex_unlock(&out.lock);
}

void log_writer_put(const char *line, size_t len)
{
	int saved = errno;

	if (!atomic_load(&writer.is_running)) {
		write_now(line, len);
	} else if (own) {
		if (!log_queue_put(own, line, len))
			atomic_fetch_add(&lost, 1);
		wake_writer();
	} else if (has_none) {
		atomic_fetch_add(&lost, 1);
	} else {
		write_now(line, len);
	}
	errno = saved;
}
