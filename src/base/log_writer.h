/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A channel's thread: it drains, waits a little for more while there is some, and sleeps until
 * it is woken. Orders (to end, to open the target again) are flags that it looks at between two
 * batches. */

#include "base/log_channel.h"

/* Control thread. False with errno when the thread cannot be made. */
bool log_writer_start(struct log_channel *c);
/* Writes all that is queued, but waits for the target no longer than LOG_TARGET_WAIT_MS. Nothing
 * happens to a writer that does not run. Control thread. */
void log_writer_stop(struct log_channel *c);
/* Something was queued, or ordered, and lies where the writer looks. One that gathers goes on doing
 * so unless it is pressing. Any thread, while the writer runs. */
void log_writer_wake(struct log_channel *c, bool is_pressing);
/* Opens the target again by its name, with or without a writer. Control thread. */
void log_writer_reopen(struct log_channel *c);
