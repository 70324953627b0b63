/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The side of the threads that log: each has its queues, or none, and puts into them or writes at
 * once. log_thread_init() and all that puts a record into the access log are in base/log.h. */

#include "base/log.h"

#include <stddef.h>

/* Takes one line of the log, its line feed included: into the calling thread's queue, or to
 * the target at once. Any thread. Preserves errno. */
void log_thread_put(const char *line, size_t len);
/* Whether the calling thread may log one more line of the event in this second; if not, it has
 * been counted. Any thread. Preserves errno. */
bool log_thread_may(enum log_level level, const char *event);
