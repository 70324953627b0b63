/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"
#include "base/log.h"
#include "base/log_thread.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Kept free for what a line that was cut ends in, and for the line feed. */
static const char cut_mark[] = "...";
enum { TAIL = sizeof(cut_mark) - 1 + 1, ROOM = LOG_LINE_MAX - TAIL };

/* Adds all of it or, when it does not fit, nothing more at all. */
static void put(struct log_line *l, const char *text, size_t len)
{
	if (l->cut || len > ROOM - l->len) {
		l->cut = true;
		return;
	}
	memcpy(l->text + l->len, text, len);
	l->len += (uint32_t)len;
}

static void put_str(struct log_line *l, const char *text)
{
	put(l, text, strlen(text));
}

static bool is_plain(uint8_t c)
{
	static const bool plain[256] = {['a' ... 'z'] = true,
	        ['A' ... 'Z'] = true,
	        ['0' ... '9'] = true,
	        ['.'] = true,
	        ['_'] = true,
	        ['-'] = true,
	        ['/'] = true,
	        [':'] = true,
	        ['@'] = true,
	        ['%'] = true,
	        ['+'] = true,
	        [','] = true,
	        ['['] = true,
	        [']'] = true,
	        ['*'] = true};

	return plain[c];
}

bool log_needs_quotes(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_plain(s.at[i]))
			return true;
	return s.len == 0;
}

static void put_escaped(struct log_line *l, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";

	if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
		put(l, (const char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
	else
		put(l, (const char *)&c, 1);
}

static void put_quoted(struct log_line *l, struct slice s)
{
	put(l, "\"", 1);
	for (size_t i = 0; i < s.len && !l->cut; i++)
		put_escaped(l, s.at[i]);
	put(l, "\"", 1);
}

static void put_key(struct log_line *l, const char *key)
{
	put(l, " ", 1);
	put_str(l, key);
	put(l, "=", 1);
}

void log_begin(struct log_line *l, enum log_level level, const char *event)
{
	static const char padded[][7] = {" error ", " warn  ", " info  ", " debug "};
	char now[25];

	l->level = level;
	l->muted = !log_is_on(level) || !log_thread_may(level, event);
	l->cut = false;
	l->len = 0;
	if (l->muted)
		return;
	clock_iso(now);
	put(l, now, sizeof(now) - 1);
	put(l, padded[level], sizeof(padded[level]));
	put_str(l, event);
}

void log_slice(struct log_line *l, const char *key, struct slice value)
{
	if (l->muted)
		return;
	put_key(l, key);
	if (log_needs_quotes(value))
		put_quoted(l, value);
	else
		put(l, (const char *)value.at, value.len);
}

static bool is_printable(uint8_t c)
{
	return c >= 0x20 && c <= 0x7e && c != '\\';
}

void log_words(struct log_line *l, struct slice words)
{
	if (l->muted)
		return;
	put(l, " ", 1);
	for (size_t i = 0; i < words.len && !l->cut; i++) {
		if (is_printable(words.at[i]))
			put(l, (const char *)&words.at[i], 1);
		else
			put_escaped(l, words.at[i]);
	}
}

void log_text(struct log_line *l, const char *key, const char *value)
{
	if (!l->muted)
		log_slice(l, key, slice_str(value ? value : "-"));
}

void log_unum(struct log_line *l, const char *key, uint64_t value)
{
	char text[20];
	size_t at = sizeof(text);

	if (l->muted)
		return;
	do {
		text[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	put_key(l, key);
	put(l, text + at, sizeof(text) - at);
}

void log_num(struct log_line *l, const char *key, int64_t value)
{
	char text[24];

	if (value >= 0) {
		log_unum(l, key, (uint64_t)value);
	} else if (!l->muted) {
		int len = snprintf(text, sizeof(text), "%lld", (long long)value);

		put_key(l, key);
		put(l, text, (size_t)len);
	}
}

const char *log_errno_words(int error, char text[LOG_ERRNO_MAX])
{
	const char *words = error > 0 ? strerrordesc_np(error) : NULL;

	if (words)
		snprintf(text, LOG_ERRNO_MAX, "%s", words);
	else
		snprintf(text, LOG_ERRNO_MAX, "error %d", error);
	/* "Connection", but not "RPC" or ".lib". */
	if (text[0] != '\0' && text[1] == (char)ascii_lower((uint8_t)text[1]))
		text[0] = (char)ascii_lower((uint8_t)text[0]);
	return text;
}

void log_errno(struct log_line *l, const char *key, int error)
{
	int saved = errno;
	char text[LOG_ERRNO_MAX];

	if (!l->muted)
		log_text(l, key, log_errno_words(error, text));
	errno = saved;
}

void log_end(struct log_line *l)
{
	if (l->muted)
		return;
	if (l->cut) {
		memcpy(l->text + l->len, cut_mark, sizeof(cut_mark) - 1);
		l->len += (uint32_t)sizeof(cut_mark) - 1;
	}
	l->text[l->len++] = '\n';
	log_thread_put(l->text, l->len);
}

void log_event(enum log_level level, const char *event, ...)
{
	struct log_line l;
	const char *key;
	va_list pairs;

	log_begin(&l, level, event);
	if (l.muted)
		return;
	va_start(pairs, event);
	while ((key = va_arg(pairs, const char *)) != NULL)
		log_text(&l, key, va_arg(pairs, const char *));
	va_end(pairs);
	log_end(&l);
}
