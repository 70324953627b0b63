/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The way of a line from the thread that built it to the target. */

#include "base/log.h"

#include <stddef.h>

/* Takes one line, its line feed included: into the calling thread's queue, or to
 * the target at once. Any thread. Preserves errno. */
void log_writer_put(const char *line, size_t len);
/* Whether the calling thread may log one more line of the event in this second; if not, it has
 * been counted. Any thread. Preserves errno. */
bool log_writer_may(enum log_level level, const char *event);
