/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the daemon says on stderr while nobody can be expected to read its log:
 * a line `moongate: ...`. Control thread. */

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Each line of a text. */
void say_lines(const char *text);
