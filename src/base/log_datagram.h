/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A log line as what syslog and the journal take: a datagram each. A line is
 * `TIME LEVEL event key=value ...` as log_line.c builds it; anything else, as a record of the
 * access log in JSON, is a text with the event "access" and the level info. */

#include <stddef.h>
#include <sys/types.h>

/* Room that surely holds the datagram for a line of `len` bytes. */
size_t log_datagram_room(size_t len);

/* RFC 3164 as programs write it to /dev/log: `<30>Nov 21 00:35:10 moongate[123]: event
 * key=value`, the facility being daemon, the time the line's own in the local zone. The line
 * feed is left out. Returns the bytes written to out. */
size_t log_datagram_syslog(char *out, const char *line, size_t len, pid_t pid);

/* The journal's protocol: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, SYSLOG_FACILITY, MOONGATE_EVENT
 * and for each key MOONGATE_KEY, its value without quotes and escapes. */
size_t log_datagram_journal(char *out, const char *line, size_t len);
