/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The way of a line from the thread that built it to the target. */

#include <stddef.h>

/* Takes one line, its line feed included: into the calling thread's queue, or to
 * the target at once. Any thread. Preserves errno. */
void log_writer_put(const char *line, size_t len);
