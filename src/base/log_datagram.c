/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_datagram.h"

#include "base/log.h"
#include "base/slice.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	TIME_LEN = 24, /* 2026-11-21T00:35:10.123Z */
	LEVEL_LEN = 7, /* " warn  " */
	FACILITY = 3,  /* daemon */
	FIELDS_MAX = 256,
	FIELD_EXTRA = 48, /* around a value: the field's prefix, its length, line feeds */
	FIELD_NAME_MAX = 63,
};

/* By enum log_level: err, warning, info, debug. */
static const unsigned severity[] = {3, 4, 6, 7};

struct line {
	enum log_level level;
	struct slice time; /* empty: the text is no log line, but a record in JSON */
	struct slice event;
	struct slice text;  /* from the event on */
	struct slice pairs; /* behind the event */
};

static struct slice cut(const char *text, size_t len)
{
	return slice_of((const uint8_t *)text, len);
}

static bool read_level(const char *text, enum log_level *level)
{
	static const char padded[][LEVEL_LEN + 1] = {" error ", " warn  ", " info  ", " debug "};

	for (size_t i = 0; i < sizeof(padded) / sizeof(padded[0]); i++) {
		if (memcmp(text, padded[i], LEVEL_LEN) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static struct line read_line(const char *text, size_t len)
{
	struct line l = {.level = LOG_LEVEL_INFO, .event = SLICE("access")};
	const char *at, *end;

	if (len > 0 && text[len - 1] == '\n')
		len--;
	l.text = cut(text, len);
	if (len <= TIME_LEN + LEVEL_LEN || text[0] == '{' || text[TIME_LEN - 1] != 'Z' ||
	        !read_level(text + TIME_LEN, &l.level))
		return l;
	l.time = cut(text, TIME_LEN);
	l.text = cut(text + TIME_LEN + LEVEL_LEN, len - TIME_LEN - LEVEL_LEN);
	at = (const char *)l.text.at;
	end = memchr(at, ' ', l.text.len);
	l.event = cut(at, end ? (size_t)(end - at) : l.text.len);
	l.pairs = cut(at + l.event.len, l.text.len - l.event.len);
	return l;
}

/* The next ` key=value`; the value as it stands, with its quotes. False at the end. */
static bool next_pair(struct slice *rest, struct slice *key, struct slice *value)
{
	if (rest->len == 0 || *rest->at != ' ')
		return false;
	const uint8_t *at = rest->at + 1, *end = rest->at + rest->len, *eq, *stop;
	eq = memchr(at, '=', (size_t)(end - at));
	if (!eq)
		return false;
	*key = slice_of(at, (size_t)(eq - at));
	at = eq + 1;
	/* Inside quotes there is neither quote nor backslash but those of \xNN. */
	stop = at < end && *at == '"' ? memchr(at + 1, '"', (size_t)(end - at - 1))
	                              : memchr(at, ' ', (size_t)(end - at));
	if (stop && *stop == '"')
		stop++;
	if (!stop)
		stop = end; /* the last one, or a line that was cut */
	*value = slice_of(at, (size_t)(stop - at));
	*rest = slice_of(stop, (size_t)(end - stop));
	return true;
}

size_t log_datagram_room(size_t len)
{
	return 2 * len + FIELDS_MAX * FIELD_EXTRA;
}

/* ---- syslog ---- */

static unsigned number_at(struct slice time, size_t at, size_t n)
{
	unsigned value = 0;

	for (size_t i = 0; i < n; i++)
		value = 10 * value + (unsigned)(time.at[at + i] - '0');
	return value;
}

/* `Nov 21 00:35:10`, in the local zone. */
static int put_local(char *out, size_t room, struct slice iso)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm t = {.tm_sec = (int)number_at(iso, 17, 2),
	        .tm_min = (int)number_at(iso, 14, 2),
	        .tm_hour = (int)number_at(iso, 11, 2),
	        .tm_mday = (int)number_at(iso, 8, 2),
	        .tm_mon = (int)number_at(iso, 5, 2) - 1,
	        .tm_year = (int)number_at(iso, 0, 4) - 1900};
	time_t seconds = timegm(&t);

	localtime_r(&seconds, &t);
	return snprintf(out, room, "%.3s %2d %02d:%02d:%02d", months + 3 * t.tm_mon, t.tm_mday,
	        t.tm_hour, t.tm_min, t.tm_sec);
}

size_t log_datagram_syslog(char *out, const char *line, size_t len, pid_t pid)
{
	struct line l = read_line(line, len);
	char when[32] = "", now[25];
	int n;

	if (l.time.len == 0) {
		struct timespec t;

		clock_gettime(CLOCK_REALTIME, &t);
		strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%S",
		        gmtime_r(&t.tv_sec, &(struct tm){0}));
		l.time = cut(now, TIME_LEN - 5);
	}
	put_local(when, sizeof(when), l.time);
	n = sprintf(out, "<%u>%s moongate[%d]: ", FACILITY * 8 + severity[l.level], when, (int)pid);
	memcpy(out + n, l.text.at, l.text.len);
	return (size_t)n + l.text.len;
}

/* ---- the journal ---- */

static unsigned hex(uint8_t c)
{
	return c <= '9' ? c - (unsigned)'0' : c - (unsigned)'a' + 10;
}

/* Takes off quotes and escapes. Returns the bytes written to out. */
static size_t plain(char *out, struct slice value)
{
	size_t n = 0;
	bool is_quoted = value.len > 0 && value.at[0] == '"';

	for (size_t i = is_quoted; i < value.len; i++) {
		if (is_quoted && value.at[i] == '"')
			break;
		if (is_quoted && value.at[i] == '\\' && value.len - i >= 4) {
			out[n++] = (char)(hex(value.at[i + 2]) << 4 | hex(value.at[i + 3]));
			i += 3;
		} else {
			out[n++] = (char)value.at[i];
		}
	}
	return n;
}

/* `MOONGATE_CLOSED_BY`: capitals, digits and _ only, at most 64 bytes. */
static size_t put_name(char *out, struct slice key)
{
	static const char prefix[] = "MOONGATE_";
	size_t n = sizeof(prefix) - 1;

	memcpy(out, prefix, n);
	for (size_t i = 0; i < key.len && n < FIELD_NAME_MAX; i++) {
		uint8_t c = key.at[i];

		if (c >= 'a' && c <= 'z')
			c = (uint8_t)(c - 'a' + 'A');
		out[n++] = (char)((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_');
	}
	return n;
}

/* The form for values of any bytes: the name alone, the length in 64 bits, low byte first. */
static size_t put_field(char *out, struct slice key, struct slice value)
{
	size_t n = put_name(out, key), len;
	char *length;

	out[n++] = '\n';
	length = out + n;
	n += 8;
	len = plain(out + n, value);
	for (unsigned i = 0; i < 8; i++)
		length[i] = (char)((uint64_t)len >> (8 * i) & 0xff);
	n += len;
	out[n++] = '\n';
	return n;
}

size_t log_datagram_journal(char *out, const char *line, size_t len)
{
	struct line l = read_line(line, len);
	struct slice key, value;
	size_t n;

	n = (size_t)sprintf(out,
	        "PRIORITY=%u\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=moongate\nMOONGATE_EVENT=%.*s\n"
	        "MESSAGE=",
	        severity[l.level], FACILITY, (int)l.event.len, (const char *)l.event.at);
	memcpy(out + n, l.text.at, l.text.len);
	n += l.text.len;
	out[n++] = '\n';
	for (unsigned i = 0; i < FIELDS_MAX - 8 && next_pair(&l.pairs, &key, &value); i++)
		n += put_field(out + n, key, value);
	return n;
}
