/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Log lines: `2026-11-21T00:35:10.123Z warn  event key=value ...`, and the access log,
 * whose records are made elsewhere (proxy/access.h) and go the same way.
 *
 * A line is built by key and value, so nothing a peer sends can break it: a
 * value that is empty or holds anything but letters, digits and ._-/:@%+,[]* is
 * quoted, and bytes outside printable ASCII, `"` and `\` become \xNN. A line longer
 * than LOG_LINE_MAX ends in "...".
 *
 * A thread that called log_thread_init() never waits for the target: it has a
 * bounded queue, drained by one writer thread; what does not fit is dropped and
 * counted. The control thread has one from log_start() to log_stop(). Before and
 * after that, and from threads without a queue, lines are written at once.
 *
 * A target that takes nothing for a second (a pipe that nobody reads, a full
 * disk) loses what was to be written; once it takes lines again, the first is
 * `log_lost lines=N`. Signals: the daemon ignores SIGPIPE.
 *
 * Of an event that a thread with a queue logs more often than log_set_rate() allows, the
 * further lines of the second are only counted: `suppressed event=NAME count=N`.
 *
 * errno is preserved by every function here, unless it says otherwise. Fault names:
 * log_open, log_write, log_start, access_start. */

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum { LOG_LINE_MAX = 4096, LOG_ERRNO_MAX = 64 };

struct log_line {
	enum log_level level;
	bool muted; /* the level is off: nothing is built */
	bool cut;   /* something did not fit: nothing more is added */
	uint32_t len;
	char text[LOG_LINE_MAX];
};

/* `target` is "stderr" (the target at first), "syslog" or "journal", both with :PATH for
 * another socket than the usual one, or a path, opened for appending. False with errno when it
 * cannot be opened; the old target and level stay. Control thread. */
bool log_open(const char *target, enum log_level level);
void log_set_level(enum log_level level); /* control thread */
bool log_level_parse(const char *name, enum log_level *out);
bool log_is_on(enum log_level level);
/* Lines of one event and thread in a second; 0 (at first): any number. Control thread. */
void log_set_rate(uint32_t per_second);
/* Opens log and access log again by their names, between two lines: after files were renamed.
 * Says so, or why not, in the log: then the old file stays. Control thread. */
void log_reopen(void);

/* Starts and stops the writer thread; log_stop() writes all that is queued, but
 * waits for the target no longer than a second. Other threads that log should have
 * ended before. Control thread. False with errno when the thread cannot be made. */
bool log_start(void);
void log_stop(void);
/* Gives the calling thread its queue (unless it has one), and takes it back; what it holds is still
 * written. Without memory for a queue the thread's lines are lost and counted. */
void log_thread_init(void);
void log_thread_fini(void);
/* Lines lost because a queue was full or the target refused them. Any thread. */
uint64_t log_lost(void);

/* The access log: off at first. It has its own target, as log_open() takes them, its own
 * writer and queues; what it loses is told in the log, `access_log_lost records=N`. Control
 * thread. False with errno: what was before stays. */
bool log_access_open(const char *target);
void log_access_close(void);
bool log_access_is_on(void); /* any thread */
/* Opens other targets for both without using them yet; log_use_prepared() or
 * log_drop_prepared() comes next. False with errno: nothing was prepared for this one. Control
 * thread. */
bool log_prepare(const char *target);
bool log_access_prepare(const char *target);
void log_use_prepared(void);
void log_drop_prepared(void);
/* Makes the text of a record, its line feed included, of what was put for it: at most `max` bytes.
 * Returns their number; 0: it does not fit, and is lost. One at a time: the access log's writer,
 * or whoever puts without a queue. */
typedef size_t log_record_fn(const void *facts, size_t len, char *out, size_t max);
enum { LOG_RECORD_MAX = 64 * 1024 };
/* What one record is made of, which is copied; without an access log, there is none. Any thread. */
void log_access_put(log_record_fn *record_of, const void *facts, size_t len);
/* Where the calling thread may gather what its next record is made of, so that to put it copies
 * nothing; as malloc() aligns it. NULL: there is no room; it has to be put from elsewhere. */
void *log_access_room(size_t len);
/* The calling thread will soon put what a usual record is made of: fetches its place. */
void log_access_expect(void);
/* A record that could not even be made. Any thread. */
void log_access_lose(void);
uint64_t log_access_lost(void);

/* `event` lives as long as the process: a literal. */
void log_begin(struct log_line *l, enum log_level level, const char *event);
/* NULL is written as -. */
void log_text(struct log_line *l, const char *key, const char *value);
void log_slice(struct log_line *l, const char *key, struct slice value);
/* Words of its own behind the event, without key and quotes: what of them is no printable ASCII
 * becomes \xNN. Keys follow. */
void log_words(struct log_line *l, struct slice words);
void log_num(struct log_line *l, const char *key, int64_t value);
void log_unum(struct log_line *l, const char *key, uint64_t value);
/* errno as words: key="connection refused" */
void log_errno(struct log_line *l, const char *key, int error);
void log_end(struct log_line *l);

/* A value that has to be quoted. */
bool log_needs_quotes(struct slice value);

/* The words of an errno as they stand in a sentence: "connection refused", "error
 * 1234" for one without words. Returns text. */
const char *log_errno_words(int error, char text[LOG_ERRNO_MAX]);

/* A whole line of text values: log_event(LOG_LEVEL_INFO, "listening", "address", a, NULL). */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
