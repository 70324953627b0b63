/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Log lines: `2026-11-21T00:35:10.123Z warn  event key=value ...`.
 *
 * A line is built by key and value, so nothing a peer sends can break it: a
 * value that holds anything but letters, digits and ._-/:@%+,[]* is quoted, and
 * bytes outside printable ASCII, `"` and `\` become \xNN. A line longer than
 * LOG_LINE_MAX ends in "...".
 *
 * Threads other than the control thread never write: each has a bounded queue,
 * drained by one writer thread; what does not fit is dropped and counted.
 * Before log_start() and after log_stop() lines are written at once.
 * errno is preserved by every function here. */

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum { LOG_LINE_MAX = 2048 };

struct log_line {
	enum log_level level;
	bool muted; /* the level is off: nothing is built */
	uint32_t len;
	char text[LOG_LINE_MAX];
};

/* `target` is "stderr" or a path, opened for appending. False with errno when it
 * cannot be opened; the old target stays. Control thread. */
bool log_open(const char *target, enum log_level level);
bool log_level_parse(const char *name, enum log_level *out);
bool log_is_on(enum log_level level);

/* Starts and stops the writer thread; log_stop() writes all that is queued.
 * Control thread. False with errno when the thread cannot be made. */
bool log_start(void);
void log_stop(void);
/* Gives the calling thread its queue, and takes it back. */
void log_thread_init(void);
void log_thread_fini(void);
/* Lines lost because a queue was full or the target refused them. Any thread. */
uint64_t log_lost(void);

void log_begin(struct log_line *l, enum log_level level, const char *event);
void log_text(struct log_line *l, const char *key, const char *value);
void log_slice(struct log_line *l, const char *key, struct slice value);
void log_num(struct log_line *l, const char *key, int64_t value);
/* errno as words: key="connection refused" */
void log_errno(struct log_line *l, const char *key, int error);
void log_end(struct log_line *l);

/* A whole line of text values: log_event(LOG_LEVEL_INFO, "listening", "address", a, NULL). */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
