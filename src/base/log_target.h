/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Where log lines go: a file, a pipe, a terminal, a socket, syslog or the journal. Writing
 * waits for a slow one, but not for ever, and never changes a flag of a descriptor that other
 * processes share. One thread, except where said. */

#include "base/log.h"

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
	LOG_TARGET_SYSLOG,   /* a datagram for each line: RFC 3164 */
	LOG_TARGET_JOURNAL,  /* the same with fields */
};

/* Their sockets, unless the name says others: syslog:PATH. */
#define LOG_SYSLOG_PATH  "/dev/log"
#define LOG_JOURNAL_PATH "/run/systemd/journal/socket"

struct log_target {
	int fd;
	enum log_target_kind kind;
	bool stuck; /* it took nothing in time; no more waiting until it does */
	char *name; /* as it was opened; owned */
	/* SYSLOG, JOURNAL: a socket that is gone (-1) is opened again for each line. */
	char *datagram; /* what is sent; owned */
	size_t room;    /* for it */
};

/* "stderr", "syslog", "journal", "syslog:PATH", "journal:PATH" or a path. False with errno;
 * *t is unchanged then. Control thread, or the writer of an open target for its own name. */
bool log_target_open(struct log_target *t, const char *name);
/* Why it could not be opened. */
const char *log_target_words(int error, char text[LOG_ERRNO_MAX]);
/* It can be opened again by its name: nothing else can happen to stderr. */
bool log_target_can_reopen(const struct log_target *t);
void log_target_close(struct log_target *t);
/* Returns how many bytes went out: all, or fewer with errno when the target refused
 * the rest or took nothing for LOG_TARGET_WAIT_MS, or the clock (clock_ms) passed
 * *deadline_ms while it had to wait; 0 there means no deadline. Another thread may set
 * it. */
size_t log_target_write(
        struct log_target *t, const char *text, size_t len, const _Atomic uint64_t *deadline_ms);
