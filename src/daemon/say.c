/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void say(const char *format, ...)
{
	va_list args;

	fputs("moongate: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void say_lines(const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		if (len > 0)
			say("%.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
}
