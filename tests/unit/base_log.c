/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fault.h"
#include "base/log.h"
#include "base/log_queue.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[] = "/tmp/moongate-log-XXXXXX";
static char path[64];

static void setup(void)
{
	fault_plan(NULL);
	unlink(path);
	ck_assert(log_open(path, LOG_LEVEL_INFO));
}

static void teardown(void)
{
	log_stop();
	fault_plan(NULL);
	log_open("stderr", LOG_LEVEL_INFO);
}

/* The whole log; the caller frees it. */
static char *content(void)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	ck_assert_ptr_nonnull(f);
	if (getdelim(&text, &size, '\0', f) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(f);
	return text;
}

static unsigned count_of(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
		n++;
	return n;
}

/* One line of one value, without the time in front. */
static void expect_value(struct slice value, const char *want)
{
	char *text;
	struct log_line l;

	ck_assert(log_open(path, LOG_LEVEL_INFO));
	ck_assert_int_eq(truncate(path, 0), 0);
	log_begin(&l, LOG_LEVEL_WARN, "event");
	log_slice(&l, "key", value);
	log_end(&l);
	text = content();
	ck_assert_str_eq(text + 24, want);
	free(text);
}

START_TEST(a_line_looks_as_promised)
{
	struct log_line l;
	char *text;

	log_begin(&l, LOG_LEVEL_ERROR, "event");
	log_text(&l, "text", "127.0.0.1:80");
	log_text(&l, "null", NULL);
	log_num(&l, "negative", INT64_MIN);
	log_num(&l, "zero", 0);
	log_unum(&l, "most", UINT64_MAX);
	log_errno(&l, "error", ECONNREFUSED);
	log_errno(&l, "odd", 12345);
	log_end(&l);
	text = content();
	ck_assert_uint_eq(strspn(text, "0123456789-T:.Z"), 24);
	ck_assert_str_eq(text + 24,
	        " error event text=127.0.0.1:80 null=- negative=-9223372036854775808 zero=0"
	        " most=18446744073709551615 error=\"connection refused\" odd=\"error 12345\"\n");
	free(text);
}
END_TEST

START_TEST(levels_are_padded_and_muted)
{
	enum log_level level;
	char *text;

	log_event(LOG_LEVEL_INFO, "one", "k", "v", NULL);
	log_event(LOG_LEVEL_DEBUG, "two", NULL);
	ck_assert(log_open(path, LOG_LEVEL_DEBUG));
	log_event(LOG_LEVEL_DEBUG, "three", NULL);
	ck_assert(log_open(path, LOG_LEVEL_ERROR));
	log_event(LOG_LEVEL_WARN, "four", NULL);
	text = content();
	ck_assert_ptr_nonnull(strstr(text, "Z info  one k=v\n"));
	ck_assert_ptr_nonnull(strstr(text, "Z debug three\n"));
	ck_assert_uint_eq(count_of(text, "\n"), 2);
	free(text);
	ck_assert(log_level_parse("warn", &level));
	ck_assert_int_eq(level, LOG_LEVEL_WARN);
	ck_assert(!log_level_parse("Warn", &level));
	ck_assert(!log_level_parse("", &level));
}
END_TEST

/* */
START_TEST(no_value_breaks_a_line)
{
	expect_value(SLICE("aZ09._-/:@%+,[]*"), " warn  event key=aZ09._-/:@%+,[]*\n");
	expect_value(SLICE(""), " warn  event key=\"\"\n");
	expect_value(SLICE("a b"), " warn  event key=\"a b\"\n");
	expect_value(SLICE("a=b"), " warn  event key=\"a=b\"\n");
	expect_value(SLICE("\"\\"), " warn  event key=\"\\x22\\x5c\"\n");
	expect_value(SLICE("a\r\nb\033[0m"), " warn  event key=\"a\\x0d\\x0ab\\x1b[0m\"\n");
	expect_value(SLICE("\0\x7f\x80\xff"), " warn  event key=\"\\x00\\x7f\\x80\\xff\"\n");
}
END_TEST

START_TEST(every_byte_stays_on_its_line)
{
	for (unsigned c = 0; c < 256; c++) {
		uint8_t byte = (uint8_t)c;
		struct log_line l;

		log_begin(&l, LOG_LEVEL_WARN, "e");
		log_slice(&l, "k", slice_of(&byte, 1));
		for (uint32_t i = 0; i < l.len; i++)
			ck_assert(l.text[i] >= 0x20 && l.text[i] <= 0x7e);
	}
}
END_TEST

START_TEST(long_lines_are_cut)
{
	static uint8_t value[3 * LOG_LINE_MAX];
	static const uint8_t fillers[] = {'a', ' ', '\n'};

	for (size_t k = 0; k < sizeof(fillers); k++) {
		memset(value, fillers[k], sizeof(value));
		for (size_t len = LOG_LINE_MAX - 100; len < LOG_LINE_MAX + 10; len++) {
			struct log_line l;

			log_begin(&l, LOG_LEVEL_INFO, "e");
			log_slice(&l, "k", slice_of(value, len));
			log_text(&l, "later", "x");
			log_end(&l);
			ck_assert_uint_le(l.len, LOG_LINE_MAX);
			ck_assert_int_eq(l.text[l.len - 1], '\n');
			if (l.cut)
				ck_assert_mem_eq(l.text + l.len - 4, "...\n", 4);
			else
				ck_assert_mem_eq(l.text + l.len - 9, " later=x\n", 9);
			ck_assert(l.cut || len < LOG_LINE_MAX - 40);
		}
	}
}
END_TEST

START_TEST(errno_is_preserved)
{
	struct log_line l;

	for (int round = 0; round < 2; round++) {
		fault_plan("log_write:2:ENOSPC");
		errno = EDOM;
		log_begin(&l, LOG_LEVEL_INFO, "e");
		log_errno(&l, "k", 99999);
		log_num(&l, "n", -5);
		log_end(&l);
		log_event(LOG_LEVEL_INFO, "e", "k", "v", NULL);
		ck_assert_int_eq(errno, EDOM);
		ck_assert(round == 1 || log_start());
	}
	errno = EDOM;
	log_stop();
	ck_assert_int_eq(errno, EDOM);
}
END_TEST

START_TEST(what_cannot_be_opened_changes_nothing)
{
	char *text;

	ck_assert(!log_open("/nonexistent/log", LOG_LEVEL_DEBUG));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert(!log_open(dir, LOG_LEVEL_DEBUG));
	ck_assert_int_eq(errno, EISDIR);
	fault_plan("log_open:1:EMFILE");
	ck_assert(!log_open(path, LOG_LEVEL_DEBUG));
	ck_assert_int_eq(errno, EMFILE);
	log_event(LOG_LEVEL_INFO, "still", NULL);
	log_event(LOG_LEVEL_DEBUG, "quiet", NULL);
	text = content();
	ck_assert_uint_eq(count_of(text, "still\n"), 1);
	ck_assert_uint_eq(count_of(text, "quiet"), 0);
	free(text);
}
END_TEST

/* What the first entry holds, which is dropped. */
static void take(struct log_queue *q, const void *bytes, size_t len)
{
	const struct log_entry *e = log_queue_first(q);

	if (e->len == 0) { /* the ring's end */
		log_queue_drop(q);
		e = log_queue_first(q);
	}
	ck_assert_uint_eq(e->len, len);
	ck_assert_mem_eq(e->bytes, bytes, len);
	ck_assert_uint_eq((uintptr_t)e->bytes % _Alignof(max_align_t), 0);
	ck_assert_ptr_null(e->record_of);
	log_queue_drop(q);
}

START_TEST(queue_keeps_order_and_refuses_what_does_not_fit)
{
	enum { LEN = 1000, ENTRY = 1024, FIT = LOG_QUEUE_SIZE / ENTRY };
	struct log_queue *q = log_queue_new(LOG_QUEUE_SIZE);
	char line[LEN];
	unsigned in = 0, seen = 0;

	memset(line, '.', sizeof(line));
	for (unsigned round = 0; round < 5; round++) {
		unsigned left = round % 2; /* some rounds begin anew, some go on */

		for (;; in++) {
			memcpy(line, &in, sizeof(in));
			if (!log_queue_put(q, NULL, line, sizeof(line)))
				break;
		}
		ck_assert_uint_eq(in - seen, FIT);
		ck_assert_uint_eq(log_queue_bytes(q), LOG_QUEUE_SIZE);
		for (; seen < in - left; seen++) {
			memcpy(line, &seen, sizeof(seen));
			take(q, line, sizeof(line));
		}
		ck_assert_uint_eq(log_queue_bytes(q), left * ENTRY);
	}
	log_queue_free(q);
}
END_TEST

/* Entries of every length at every place, so in all ways about the ring's end: each lies in one
 * piece, or is refused while there is no room for that. */
START_TEST(queue_keeps_entries_in_one_piece)
{
	enum { SIZE = 256, MOST = SIZE - 16 };
	char bytes[SIZE];

	for (size_t begin = 16; begin <= SIZE; begin += 16) {
		for (size_t len = 0; len <= SIZE; len++) {
			struct log_queue *q = log_queue_new(SIZE);
			size_t entry = (16 + len + 15) / 16 * 16, left = SIZE - begin;
			bool fits = entry <= left || entry <= begin - 16;

			memset(bytes, (int)len, sizeof(bytes));
			/* Two, so that it is never empty, or it would begin anew. */
			ck_assert(begin == 16 || log_queue_put(q, NULL, bytes, begin - 32));
			ck_assert(log_queue_put(q, NULL, "", 0));
			if (begin > 16)
				log_queue_drop(q);
			ck_assert_uint_eq(log_queue_bytes(q), 16);
			ck_assert_int_eq(log_queue_put(q, NULL, bytes, len), fits);
			log_queue_drop(q);
			if (!fits) {
				ck_assert_int_eq(log_queue_put(q, NULL, bytes, len), len <= MOST);
			}
			if (len > 0 && len <= MOST)
				take(q, bytes, len);
			else if (len == 0)
				log_queue_drop(q);
			ck_assert_uint_eq(log_queue_bytes(q), 0);
			log_queue_free(q);
		}
	}
}
END_TEST

/* Entries lie at the ring's front again once it was empty; one may be made in its place, and
 * what was reserved and is not put does no harm. */
START_TEST(an_empty_queue_begins_at_its_front)
{
	enum { SIZE = 64, LEN = 10 };
	static const char line[] = "aaaaaaaaa\n", other[] = "bbbbbbbbb\n";
	struct log_queue *q = log_queue_new(SIZE);
	char *front = log_queue_reserve(q, LEN);

	ck_assert_ptr_nonnull(front);
	for (int i = 0; i < 20; i++) {
		char *place = log_queue_reserve(q, SIZE - 16);

		ck_assert_ptr_eq(place, front);
		ck_assert_ptr_null(log_queue_reserve(q, SIZE - 15));
		place = log_queue_reserve(q, 2 * LEN);
		memcpy(place, line, LEN);
		ck_assert(log_queue_put(q, NULL, place, LEN)); /* less than was reserved */
		ck_assert_uint_eq(log_queue_bytes(q), 32);
		place = log_queue_reserve(q, LEN);
		ck_assert_ptr_eq(place, front + 32);
		memcpy(place, line, LEN);
		ck_assert(log_queue_put(q, NULL, other, LEN));
		ck_assert(!log_queue_put(q, NULL, line, LEN));
		ck_assert_ptr_null(log_queue_reserve(q, LEN));
		take(q, line, LEN);
		take(q, other, LEN);
	}
	log_queue_free(q);
}
END_TEST

enum { THREADS = 3, LINES = 3000 };

static void *log_many(void *name)
{
	log_thread_init();
	for (int i = 0; i < LINES; i++) {
		struct log_line l;

		log_begin(&l, LOG_LEVEL_INFO, name);
		log_num(&l, "i", i);
		log_end(&l);
	}
	log_thread_fini();
	return NULL;
}

/* Each thread's lines are there in order, or counted. */
START_TEST(threads_do_not_mix_their_lines)
{
	static char names[THREADS][4] = {"t0", "t1", "t2"};
	int next[THREADS] = {0};
	uint64_t lost = log_lost();
	pthread_t t[THREADS];
	unsigned seen = 0;
	char *text, *rest;

	ck_assert(log_start());
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, log_many, names[i]), 0);
	log_event(LOG_LEVEL_INFO, "control", NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	log_stop();
	text = rest = content();
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		int who, i;

		if (sscanf(line, "%*24s info t%d i=%d", &who, &i) != 2)
			continue;
		ck_assert_int_ge(i, next[who]);
		next[who] = i + 1;
		seen++;
	}
	ck_assert_uint_eq(seen + (log_lost() - lost), THREADS * LINES);
	free(text);
	text = content();
	ck_assert_uint_eq(count_of(text, "info  control\n"), 1);
	free(text);
}
END_TEST

START_TEST(starts_and_stops_again_and_again)
{
	char *text;

	log_stop();
	for (int i = 0; i < 20; i++) {
		ck_assert(log_start());
		log_event(LOG_LEVEL_INFO, "round", NULL);
		log_stop();
		log_event(LOG_LEVEL_INFO, "between", NULL);
	}
	text = content();
	ck_assert_uint_eq(count_of(text, "round\n"), 20);
	ck_assert_uint_eq(count_of(text, "between\n"), 20);
	free(text);
}
END_TEST

/* S-17 */
START_TEST(no_thread_no_start)
{
	char *text;

	fault_plan("log_start:1:EAGAIN");
	ck_assert(!log_start());
	ck_assert_int_eq(errno, EAGAIN);
	log_event(LOG_LEVEL_INFO, "direct", NULL);
	text = content();
	ck_assert_uint_eq(count_of(text, "direct\n"), 1);
	free(text);
}
END_TEST

/* no space; a line broken in the middle does not swallow the next. */
START_TEST(refused_lines_are_counted_and_told)
{
	uint64_t lost = log_lost();
	char *text;

	fault_plan("log_write:1:SHORT,log_write:2:ENOSPC");
	log_event(LOG_LEVEL_INFO, "broken", NULL);
	ck_assert_uint_eq(log_lost() - lost, 1);
	fault_plan("log_write:1:ENOSPC:1000");
	log_event(LOG_LEVEL_INFO, "gone", NULL);
	log_event(LOG_LEVEL_INFO, "gone", NULL);
	ck_assert_uint_eq(log_lost() - lost, 3);
	fault_plan(NULL);
	log_event(LOG_LEVEL_INFO, "whole", NULL);
	log_event(LOG_LEVEL_INFO, "more", NULL);
	ck_assert_uint_eq(log_lost() - lost, 3);
	text = content();
	ck_assert_uint_eq(text[1] == '\n' && text[2] == '2', 1);
	ck_assert_uint_eq(count_of(text, " warn  log_lost lines="), 1);
	ck_assert_uint_eq(count_of(text, " info  whole\n"), 1);
	ck_assert_uint_eq(count_of(text, "gone"), 0);
	ck_assert_uint_eq(count_of(text, "\n"), 4);
	free(text);
}
END_TEST

/* a full disk, for real. */
START_TEST(a_full_device_loses_lines)
{
	uint64_t lost = log_lost();

	ck_assert(log_open("/dev/full", LOG_LEVEL_INFO));
	ck_assert(log_start());
	log_event(LOG_LEVEL_INFO, "gone", NULL);
	log_event(LOG_LEVEL_INFO, "gone", NULL);
	log_stop();
	ck_assert_uint_eq(log_lost() - lost, 2);
}
END_TEST

static int saved_stderr;

static void replace_stderr(int fd)
{
	saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	if (fd >= 0)
		ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	else
		close(STDERR_FILENO);
	ck_assert(log_open("stderr", LOG_LEVEL_INFO));
}

static void restore_stderr(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	ck_assert(log_open(path, LOG_LEVEL_INFO));
}

/* */
START_TEST(a_closed_stderr_loses_lines)
{
	uint64_t lost = log_lost();

	replace_stderr(-1);
	log_event(LOG_LEVEL_INFO, "gone", NULL);
	restore_stderr();
	ck_assert_uint_eq(log_lost() - lost, 1);
}
END_TEST

/* SIGPIPE is ignored by the process. */
START_TEST(a_broken_pipe_loses_lines)
{
	uint64_t lost = log_lost();
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	replace_stderr(fd[1]);
	close(fd[1]);
	close(fd[0]);
	ck_assert(log_start());
	log_event(LOG_LEVEL_INFO, "gone", NULL);
	log_stop();
	restore_stderr();
	ck_assert_uint_eq(log_lost() - lost, 1);
}
END_TEST

static void fill_up(int fd, int end)
{
	char bytes[1024] = {0};

	fcntl(end, F_SETPIPE_SZ, 4096);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		continue;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

/* All that lies in fd, as text; NULs are skipped. */
static size_t read_all(int fd, char *out, size_t max)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t len = 0;

	while (len < max - 1 && poll(&p, 1, 0) > 0) {
		ssize_t n = read(fd, out + len, max - 1 - len);

		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			if (out[len + (size_t)i] == '\0')
				out[len + (size_t)i] = '_';
		len += (size_t)n;
	}
	out[len] = '\0';
	return len;
}

/* nobody reads; the threads that log never wait, the end comes. */
static void log_to_a_blocked_one(int in, int end)
{
	static char text[300 * 1024];
	uint64_t lost = log_lost();
	bool shared;

	fill_up(in, end);
	replace_stderr(in);
	close(in);
	ck_assert(log_start());
	for (int i = 0; i < 20000; i++)
		log_event(LOG_LEVEL_INFO, "blocked", "filler",
		        "0123456789012345678901234567890123456789", NULL);
	shared = fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK;
	log_stop();
	ck_assert_uint_eq(log_lost() - lost, 20000);
	ck_assert(!shared);
	read_all(end, text, sizeof(text));
	log_event(LOG_LEVEL_INFO, "again", NULL);
	read_all(end, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, " warn  log_lost lines="));
	ck_assert_ptr_nonnull(strstr(text, " info  again\n"));
	restore_stderr();
	close(end);
}

START_TEST(a_blocked_pipe_loses_lines)
{
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	log_to_a_blocked_one(fd[1], fd[0]);
}
END_TEST

START_TEST(a_blocked_socket_loses_lines)
{
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	log_to_a_blocked_one(fd[1], fd[0]);
}
END_TEST

/* A reader that comes in time gets every line, in one piece each. */
static void *read_slowly(void *arg)
{
	static char text[1024 * 1024];
	int fd = *(int *)arg;
	size_t len = 0;
	ssize_t n;

	while (!strstr(text + (len > 100 ? len - 100 : 0), "last\n") &&
	        (n = read(fd, text + len, 777)) > 0) {
		for (size_t i = len; i < len + (size_t)n; i++)
			if (text[i] == '\0')
				text[i] = '_';
		len += (size_t)n;
	}
	return text;
}

START_TEST(a_slow_pipe_loses_nothing)
{
	uint64_t lost = log_lost();
	int fd[2];
	pthread_t t;
	void *text;

	ck_assert_int_eq(pipe(fd), 0);
	fill_up(fd[1], fd[0]);
	replace_stderr(fd[1]);
	close(fd[1]);
	ck_assert(log_start());
	for (int i = 0; i < 2000; i++)
		log_event(LOG_LEVEL_INFO, "slow", NULL);
	log_event(LOG_LEVEL_INFO, "last", NULL);
	ck_assert_int_eq(pthread_create(&t, NULL, read_slowly, &fd[0]), 0);
	log_stop();
	pthread_join(t, &text);
	restore_stderr();
	close(fd[0]);
	ck_assert_uint_eq(log_lost() - lost, 0);
	ck_assert_uint_eq(count_of(text, "Z info  slow\n"), 2000);
}
END_TEST

START_TEST(a_new_target_takes_over_while_running)
{
	char second[80];
	char *text;

	snprintf(second, sizeof(second), "%s/second", dir);
	ck_assert(log_start());
	log_event(LOG_LEVEL_INFO, "before", NULL);
	ck_assert(log_open(second, LOG_LEVEL_INFO));
	log_event(LOG_LEVEL_INFO, "after", NULL);
	log_stop();
	ck_assert(log_open(path, LOG_LEVEL_INFO));
	text = content();
	ck_assert_uint_eq(count_of(text, "after"), 0);
	free(text);
	ck_assert_int_eq(rename(second, path), 0);
	text = content();
	ck_assert_uint_eq(count_of(text, "after\n"), 1);
	free(text);
}
END_TEST

/* under load, renamed and opened anew between two lines. */
START_TEST(A_12_files_are_reopened_between_lines)
{
	enum { ROUNDS = 20 };
	static char name[] = "t0";
	char old[ROUNDS][100], *text;
	uint64_t lost = log_lost();
	pthread_t t;
	unsigned next = 0;

	ck_assert(log_start());
	ck_assert_int_eq(pthread_create(&t, NULL, log_many, name), 0);
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(old[i], sizeof(old[i]), "%s/old%d", dir, i);
		ck_assert_int_eq(rename(path, old[i]), 0);
		log_reopen();
		while (access(path, F_OK) < 0)
			sched_yield();
	}
	pthread_join(t, NULL);
	log_stop();
	for (int i = 0; i <= ROUNDS; i++) {
		char *rest;

		FILE *f = fopen(i < ROUNDS ? old[i] : path, "r");
		size_t size = 0;

		ck_assert_ptr_nonnull(f);
		text = NULL;
		if (getdelim(&text, &size, '\0', f) < 0) {
			free(text);
			text = strdup("");
		}
		fclose(f);
		rest = text;
		for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
			unsigned n;

			if (sscanf(line, "%*24s info t0 i=%u", &n) != 1)
				continue;
			ck_assert_uint_eq(n, next); /* none lost, none twice, in order */
			next++;
		}
		free(text);
		if (i < ROUNDS)
			unlink(old[i]);
	}
	ck_assert_uint_eq(next + (log_lost() - lost), LINES);
	ck_assert_uint_eq(log_lost() - lost, 0);
}
END_TEST

START_TEST(A_12_what_cannot_be_reopened_stays)
{
	char moved[100], *text;

	snprintf(moved, sizeof(moved), "%s/moved", dir);
	ck_assert(log_start());
	log_event(LOG_LEVEL_INFO, "before", NULL);
	fault_plan("log_open:1:EACCES");
	ck_assert_int_eq(rename(path, moved), 0);
	log_reopen();
	log_stop();
	log_event(LOG_LEVEL_INFO, "after", NULL);
	ck_assert_int_eq(rename(moved, path), 0);
	text = content();
	ck_assert_uint_eq(count_of(text, "before\n"), 1);
	ck_assert_uint_eq(count_of(text, "log_reopen_failed target="), 1);
	ck_assert_uint_eq(count_of(text, "error=\"permission denied\"\n"), 1);
	ck_assert_uint_eq(count_of(text, "after\n"), 1);
	free(text);
}
END_TEST

static bool has_line(const char *file, const char *what)
{
	char line[200];
	bool has = false;
	FILE *f = fopen(file, "r");

	ck_assert_ptr_nonnull(f);
	while (!has && fgets(line, sizeof(line), f))
		has = strstr(line, what) != NULL;
	fclose(f);
	return has;
}

/* The writer opens the present target again while the control thread puts another one there. */
START_TEST(A_12_a_reload_is_not_undone_by_a_reopening)
{
	enum { ROUNDS = 100, TURNS = 20 };
	char name[2][100];

	for (int i = 0; i < 2; i++)
		snprintf(name[i], sizeof(name[i]), "%s/target%d", dir, i);
	for (int i = 0; i < ROUNDS; i++) {
		char mark[20];
		int last = (i + TURNS - 1) % 2;

		ck_assert(log_start());
		for (int n = 0; n < TURNS; n++) {
			log_reopen();
			for (int turns = i % 32; turns > 0; turns--)
				sched_yield();
			ck_assert(log_prepare(name[(i + n) % 2]));
			log_use_prepared();
		}
		log_stop();
		snprintf(mark, sizeof(mark), "mark%d.", i);
		log_event(LOG_LEVEL_INFO, mark, NULL);
		ck_assert(has_line(name[last], mark));
	}
	unlink(name[0]);
	unlink(name[1]);
}
END_TEST

static uint64_t sum_of(const char *text, const char *before)
{
	uint64_t sum = 0;

	for (const char *at = text; (at = strstr(at, before)) != NULL; at++)
		sum += strtoull(at + strlen(before), NULL, 10);
	return sum;
}

/* 100 000 lines of an event, as fast as they come: each is written or counted. */
START_TEST(A_11_a_flood_of_an_event)
{
	uint64_t lost = log_lost();
	char *text;

	log_set_rate(50);
	ck_assert(log_start());
	for (int i = 0; i < 100000; i++) {
		log_event(LOG_LEVEL_INFO, "flood", NULL);
		if (i % 1000 == 0)
			log_event(LOG_LEVEL_INFO, "listening", NULL);
	}
	log_event(LOG_LEVEL_ERROR, "serious", NULL);
	log_stop();
	log_set_rate(0);
	text = content();
	ck_assert_uint_eq(log_lost() - lost, 0);
	ck_assert_uint_le(count_of(text, "info  flood\n"), 50 * 30);
	ck_assert_uint_eq(count_of(text, "info  flood\n") +
	                          sum_of(text, "info  suppressed event=flood count="),
	        100000);
	ck_assert_uint_eq(count_of(text, "info  listening\n"), 100);
	ck_assert_uint_eq(count_of(text, "error serious\n"), 1);
	free(text);
}
END_TEST

/* The count is told though nothing more is logged. */
START_TEST(A_11_the_count_comes_at_the_seconds_end)
{
	char *text;
	bool is_told = false;

	log_set_rate(1);
	ck_assert(log_start());
	for (int i = 0; i < 3; i++)
		log_event(LOG_LEVEL_WARN, "twice", NULL);
	while (!is_told) {
		text = content();
		is_told = strstr(text, "warn  suppressed event=twice count=2\n") != NULL;
		free(text);
		poll(NULL, 0, 1);
	}
	log_set_rate(0);
}
END_TEST

/* The text is put as it is. */
static size_t text_of(const void *text, size_t len, char *out, size_t max)
{
	ck_assert_uint_le(len, max);
	memcpy(out, text, len);
	return len;
}

static void put_text(const char *record)
{
	log_access_put(text_of, record, strlen(record));
}

/* The access log: beside the log, with its own target. */
START_TEST(records_have_their_own_file)
{
	char second[80], *text;

	snprintf(second, sizeof(second), "%s/access", dir);
	put_text("none\n");
	ck_assert(!log_access_open("/nonexistent/x"));
	ck_assert(!log_access_is_on());
	ck_assert(log_access_open(second));
	ck_assert(log_start());
	log_event(LOG_LEVEL_INFO, "line", NULL);
	for (int i = 0; i < 1000; i++)
		put_text("record\n");
	log_stop();
	log_access_close();
	put_text("late\n");
	text = content();
	ck_assert_uint_eq(count_of(text, "record"), 0);
	ck_assert_uint_eq(count_of(text, "line\n"), 1);
	free(text);
	ck_assert_int_eq(rename(second, path), 0);
	text = content();
	ck_assert_uint_eq(count_of(text, "record\n"), 1000);
	ck_assert_uint_eq(strlen(text), 7000);
	free(text);
}
END_TEST

static void check_flood(char *text, unsigned records, uint64_t lost)
{
	unsigned seen = 0, next = 0;

	for (char *line; (line = strsep(&text, "\n")) != NULL && *line;) {
		unsigned i, len;

		ck_assert_int_eq(sscanf(line, "%u %u ", &i, &len), 2);
		ck_assert_uint_eq(strlen(line), len);
		ck_assert_uint_ge(i, next);
		next = i + 1;
		seen++;
	}
	ck_assert_uint_eq(seen + lost, records);
}

/* Every other one is made where it lies. */
static void put_record(const char *line, size_t len, bool in_place)
{
	char *at = in_place ? log_access_room(2 * len) : NULL;

	if (at)
		log_access_put(text_of, memcpy(at, line, len), len);
	else
		log_access_put(text_of, line, len);
}

/* Many rings full, in lines of all lengths: each is whole and in order, or counted. */
START_TEST(a_flood_of_records)
{
	enum { RECORDS = 20000, LONGEST = 1000 };
	static char line[LONGEST + 1];
	uint64_t lost = log_access_lost();
	char other[80], *text;

	snprintf(other, sizeof(other), "%s/flood", dir);
	ck_assert(log_start());
	ck_assert(log_access_open(other));
	for (unsigned i = 0; i < RECORDS; i++) {
		unsigned len = 20 + i * 7 % (LONGEST - 20);

		memset(line, '.', len);
		line[sprintf(line, "%u %u ", i, len)] = '.';
		line[len] = '\n';
		put_record(line, len + 1, i % 2);
		if (i % 64 == 0)
			sched_yield();
	}
	log_stop();
	log_access_close();
	ck_assert_int_eq(rename(other, path), 0);
	text = content();
	check_flood(text, RECORDS, log_access_lost() - lost);
	free(text);
}
END_TEST

/* Threads that come and go, a target that does: what was put is there whole, or was lost. */
static void *put_and_leave(void *arg)
{
	enum { TIMES = 60, RECORDS = 20 };

	for (int i = 0; i < TIMES; i++) {
		log_thread_init();
		for (int j = 0; j < RECORDS; j++)
			put_record("record\n", 7, (i + j) % 2);
		log_thread_fini();
		sched_yield();
	}
	atomic_fetch_sub((atomic_int *)arg, 1);
	return NULL;
}

START_TEST(records_of_threads_that_leave)
{
	enum { LEAVING = 4 };
	atomic_int left = LEAVING;
	pthread_t t[LEAVING];
	char other[80], *text;

	snprintf(other, sizeof(other), "%s/leave", dir);
	ck_assert(log_start());
	for (int i = 0; i < LEAVING; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, put_and_leave, &left), 0);
	while (atomic_load(&left) > 0) {
		ck_assert(log_access_open(other));
		log_reopen();
		sched_yield();
		ck_assert(log_access_prepare(other));
		log_use_prepared();
		sched_yield();
		log_access_close();
	}
	for (int i = 0; i < LEAVING; i++)
		pthread_join(t[i], NULL);
	log_stop();
	ck_assert_int_eq(rename(other, path), 0);
	text = content();
	ck_assert_uint_eq(strlen(text), 7 * count_of(text, "record\n"));
	free(text);
}
END_TEST

/* */
START_TEST(R_07_lost_records_are_told_in_the_log)
{
	uint64_t lost = log_access_lost();
	char *text;

	ck_assert(log_access_open("/dev/full"));
	ck_assert(log_start());
	for (int i = 0; i < 1000; i++)
		put_text("record\n");
	log_access_lose();
	log_stop();
	log_access_close();
	ck_assert_uint_eq(log_access_lost() - lost, 1001);
	text = content();
	ck_assert_uint_eq(sum_of(text, "warn  access_log_lost records="), 1001);
	free(text);
}
END_TEST

/* A record as large as there may be, of few bytes. */
static size_t largest_of(const void *letter, size_t len, char *out, size_t max)
{
	ck_assert_uint_eq(len, 1);
	ck_assert_uint_eq(max, LOG_RECORD_MAX);
	memset(out, *(const char *)letter, max);
	out[max - 1] = '\n';
	return max;
}

static size_t none_of(const void *bytes, size_t len, char *out, size_t max)
{
	(void)bytes;
	(void)len;
	memset(out, 'x', max); /* what was begun is not written */
	return 0;
}

/* Large ones, small ones, and such as do not fit, which are lost: with and without a writer. */
START_TEST(records_are_made_by_the_writer)
{
	enum { ROUNDS = 20 };
	uint64_t lost = log_access_lost();
	char second[80], *text;

	snprintf(second, sizeof(second), "%s/large", dir);
	ck_assert(log_access_open(second));
	for (int running = 0; running < 2; running++) {
		ck_assert(!running || log_start());
		for (int i = 0; i < ROUNDS; i++) {
			put_text("small\n");
			log_access_put(none_of, "", 0);
			log_access_put(largest_of, "y", 1);
		}
	}
	log_stop();
	log_access_close();
	ck_assert_uint_eq(log_access_lost() - lost, 2 * ROUNDS);
	ck_assert_int_eq(rename(second, path), 0);
	text = content();
	ck_assert_uint_eq(strlen(text), 2 * ROUNDS * (6 + (size_t)LOG_RECORD_MAX));
	ck_assert_uint_eq(count_of(text, "\nsmall\ny"), 2 * ROUNDS - 1);
	ck_assert_uint_eq(count_of(text, "yy\n"), 2 * ROUNDS);
	free(text);
}
END_TEST

START_TEST(no_thread_for_records_no_start)
{
	fault_plan("access_start:1:EAGAIN");
	ck_assert(log_access_open(path));
	ck_assert(!log_start());
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert(log_start());
	log_stop();
	log_access_close();
}
END_TEST

/* A service's socket at `name`; what it got so far. */
static int listen_at(const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", name);
	unlink(name);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void next_is(int fd, const char *what)
{
	char got[8192];
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

	ck_assert_int_gt(n, 0);
	got[n] = '\0';
	ck_assert_msg(strstr(got, what) != NULL, "%s, wanted %s", got, what);
}

/* A service that is started anew is found again; what came meanwhile is counted. */
static void log_to_a_service(const char *word)
{
	uint64_t lost = log_lost();
	char name[80], target[100];
	int fd;

	snprintf(name, sizeof(name), "%s/socket", dir);
	snprintf(target, sizeof(target), "%s:%s", word, name);
	unlink(name);
	ck_assert(!log_open(target, LOG_LEVEL_INFO));
	ck_assert_int_eq(errno, ENOENT);
	fd = listen_at(name);
	ck_assert(log_open(target, LOG_LEVEL_INFO));
	log_event(LOG_LEVEL_INFO, "first", NULL);
	next_is(fd, "first");
	close(fd);
	log_event(LOG_LEVEL_INFO, "gone", NULL);
	unlink(name);
	log_event(LOG_LEVEL_INFO, "gone", NULL);
	ck_assert_uint_eq(log_lost() - lost, 2);
	fd = listen_at(name);
	log_event(LOG_LEVEL_INFO, "again", NULL);
	next_is(fd, "log_lost lines=");
	next_is(fd, "again");
	close(fd);
	fd = listen_at(name); /* between two lines: nothing is lost */
	log_event(LOG_LEVEL_INFO, "third", NULL);
	next_is(fd, "third");
	ck_assert_uint_eq(log_lost() - lost, 2);
	close(fd);
	unlink(name);
	ck_assert(log_open(path, LOG_LEVEL_INFO));
}

START_TEST(syslog_is_found_again)
{
	log_to_a_service("syslog");
}
END_TEST

START_TEST(the_journal_is_found_again)
{
	log_to_a_service("journal");
}
END_TEST

/* nobody takes the datagrams. */
START_TEST(R_07_a_blocked_service_loses_lines)
{
	uint64_t lost = log_lost();
	char name[80], target[100];
	int fd;

	snprintf(name, sizeof(name), "%s/socket", dir);
	snprintf(target, sizeof(target), "syslog:%s", name);
	fd = listen_at(name);
	ck_assert(log_open(target, LOG_LEVEL_INFO));
	ck_assert(log_start());
	for (int i = 0; i < 5000; i++)
		log_event(LOG_LEVEL_INFO, "many", NULL);
	log_stop();
	ck_assert_uint_gt(log_lost() - lost, 0);
	next_is(fd, "many");
	close(fd);
	unlink(name);
	ck_assert(log_open(path, LOG_LEVEL_INFO));
}
END_TEST

/* Both targets are opened before either is used; one that cannot be leaves both as they are. */
START_TEST(prepared)
{
	char other[128], record[] = "a record\n", *text;

	snprintf(other, sizeof(other), "%s.other", path);
	unlink(other);
	ck_assert(log_prepare(other));
	errno = 0;
	ck_assert(!log_access_prepare("/nowhere/at/all"));
	ck_assert_int_eq(errno, ENOENT);
	log_drop_prepared();
	log_event(LOG_LEVEL_INFO, "before", NULL);
	ck_assert(log_prepare(other));
	log_event(LOG_LEVEL_INFO, "still_before", NULL);
	log_use_prepared();
	log_event(LOG_LEVEL_INFO, "after", NULL);
	log_use_prepared(); /* nothing more */
	text = content();
	ck_assert_uint_eq(count_of(text, "before"), 2);
	ck_assert_uint_eq(count_of(text, "after"), 0);
	free(text);
	ck_assert(log_open(path, LOG_LEVEL_INFO));
	ck_assert(!log_access_is_on());
	ck_assert(log_access_prepare(other));
	ck_assert(!log_access_is_on());
	log_use_prepared();
	ck_assert(log_access_is_on());
	put_text(record);
	log_access_close();
	struct stat st;
	ck_assert_int_eq(stat(other, &st), 0);
	ck_assert_int_gt(st.st_size, (off_t)strlen(record));
	unlink(other);
	log_set_level(LOG_LEVEL_ERROR);
	ck_assert(!log_is_on(LOG_LEVEL_INFO));
	log_set_level(LOG_LEVEL_INFO);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/log");
	TCase *t = tcase_create("log");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_line_looks_as_promised);
	tcase_add_test(t, levels_are_padded_and_muted);
	tcase_add_test(t, no_value_breaks_a_line);
	tcase_add_test(t, every_byte_stays_on_its_line);
	tcase_add_test(t, long_lines_are_cut);
	tcase_add_test(t, errno_is_preserved);
	tcase_add_test(t, what_cannot_be_opened_changes_nothing);
	tcase_add_test(t, queue_keeps_order_and_refuses_what_does_not_fit);
	tcase_add_test(t, queue_keeps_entries_in_one_piece);
	tcase_add_test(t, an_empty_queue_begins_at_its_front);
	tcase_add_test(t, threads_do_not_mix_their_lines);
	tcase_add_test(t, starts_and_stops_again_and_again);
	tcase_add_test(t, no_thread_no_start);
	tcase_add_test(t, refused_lines_are_counted_and_told);
	tcase_add_test(t, a_full_device_loses_lines);
	tcase_add_test(t, a_closed_stderr_loses_lines);
	tcase_add_test(t, a_broken_pipe_loses_lines);
	tcase_add_test(t, a_blocked_pipe_loses_lines);
	tcase_add_test(t, a_blocked_socket_loses_lines);
	tcase_add_test(t, a_slow_pipe_loses_nothing);
	tcase_add_test(t, a_new_target_takes_over_while_running);
	tcase_add_test(t, A_12_files_are_reopened_between_lines);
	tcase_add_test(t, A_12_what_cannot_be_reopened_stays);
	tcase_add_test(t, A_12_a_reload_is_not_undone_by_a_reopening);
	tcase_add_test(t, A_11_a_flood_of_an_event);
	tcase_add_test(t, A_11_the_count_comes_at_the_seconds_end);
	tcase_add_test(t, records_have_their_own_file);
	tcase_add_test(t, a_flood_of_records);
	tcase_add_test(t, records_of_threads_that_leave);
	tcase_add_test(t, R_07_lost_records_are_told_in_the_log);
	tcase_add_test(t, records_are_made_by_the_writer);
	tcase_add_test(t, no_thread_for_records_no_start);
	tcase_add_test(t, syslog_is_found_again);
	tcase_add_test(t, the_journal_is_found_again);
	tcase_add_test(t, R_07_a_blocked_service_loses_lines);
	tcase_add_test(t, prepared);
	return s;
}

int main(void)
{
	SRunner *r;
	int failed;

	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/log", dir);
	r = srunner_create(suite());
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	unlink(path);
	rmdir(dir);
	return failed != 0;
}
