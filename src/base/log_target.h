/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Where log lines go: a file, a pipe, a terminal or a socket. Writing waits for
 * a slow one, but not for ever, and never changes a flag of a descriptor that other
 * processes share. One thread, except where said. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_TARGET_WAIT_MS = 1000 };

enum log_target_kind {
	LOG_TARGET_FILE,     /* never waits for a reader */
	LOG_TARGET_READY,    /* a pipe or terminal that does not block */
	LOG_TARGET_BLOCKING, /* one that could: asked first, given little at a time */
	LOG_TARGET_SOCKET,   /* the journal's stderr */
};

struct log_target {
	int fd;
	enum log_target_kind kind;
	bool stuck; /* it took nothing in time; no more waiting until it does */
};

/* "stderr" or a path. False with errno. */
bool log_target_open(struct log_target *t, const char *name);
void log_target_close(struct log_target *t);
/* Returns how many bytes went out: all, or fewer with errno when the target refused
 * the rest or took nothing for LOG_TARGET_WAIT_MS, or the clock (clock_ms) passed
 * *deadline_ms while it had to wait; 0 there means no deadline. Another thread may set
 * it. */
size_t log_target_write(
        struct log_target *t, const char *text, size_t len, const _Atomic uint64_t *deadline_ms);
