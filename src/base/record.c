/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/record.h"

#include "base/log.h"

#include <assert.h>

enum { KEY_MAX = 60, NUMBER_MAX = 20 };

static const char hex[] = "0123456789abcdef";

static void put(struct record *r, const char *text, size_t len)
{
	if (r->overflow || len > r->max - r->len) {
		r->overflow = true;
		return;
	}
	memcpy(r->at + r->len, text, len);
	r->len += len;
}

static void put_str(struct record *r, const char *text)
{
	put(r, text, strlen(text));
}

/* ---- JSON ---- */

/* The length of the sound UTF-8 sequence at the front and its code point; 0: there is none. */
static size_t decode(const uint8_t *at, size_t len, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : at[0] >= 0xc0 ? 2 : 0;

	if (n == 0 || at[0] > 0xf4 || n > len)
		return 0;
	*code = at[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (at[i] & 0x3fU);
	}
	if (*code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return n;
}

static void put_unit(struct record *r, uint32_t unit)
{
	const char text[6] = {'\\', 'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15],
	        hex[unit >> 4 & 15], hex[unit & 15]};

	put(r, text, sizeof(text));
}

static void put_code(struct record *r, uint32_t code)
{
	if (code > 0xffff) {
		put_unit(r, 0xd800 + ((code - 0x10000) >> 10));
		put_unit(r, 0xdc00 + ((code - 0x10000) & 0x3ff));
	} else {
		put_unit(r, code);
	}
}

static bool is_bare(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Returns the bytes it took. */
static size_t put_escaped(struct record *r, const uint8_t *at, size_t len)
{
	uint32_t code = at[0];
	size_t n = at[0] < 0x80 ? 1 : decode(at, len, &code);

	if (at[0] == '"' || at[0] == '\\')
		put(r, (const char[]){'\\', (char)at[0]}, 2);
	else
		put_code(r, n ? code : at[0]);
	return n ? n : 1;
}

static void put_json(struct record *r, struct slice value)
{
	put(r, "\"", 1);
	for (size_t i = 0; i < value.len && !r->overflow;) {
		size_t n = 0;

		while (i + n < value.len && is_bare(value.at[i + n]))
			n++;
		put(r, (const char *)value.at + i, n);
		i += n;
		if (i < value.len)
			i += put_escaped(r, value.at + i, value.len - i);
	}
	put(r, "\"", 1);
}

/* ---- text ---- */

static void put_quoted(struct record *r, struct slice value)
{
	put(r, "\"", 1);
	for (size_t i = 0; i < value.len && !r->overflow; i++) {
		uint8_t c = value.at[i];

		if (is_bare(c))
			put(r, (const char *)&c, 1);
		else
			put(r, (const char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
	}
	put(r, "\"", 1);
}

/* ---- both ---- */

/* Room for so many bytes more; NULL: there is not. */
static char *room(struct record *r, size_t len)
{
	r->overflow = r->overflow || len > r->max - r->len;
	return r->overflow ? NULL : r->at + r->len;
}

/* ` key=` or `,"key":`, without a comma behind the brace. Returns its end. */
static char *write_key(const struct record *r, char *at, const char *key, size_t len)
{
	bool is_text = r->format == RECORD_TEXT;

	if (is_text)
		*at++ = ' ';
	else if (r->len > 1)
		*at++ = ',';
	if (!is_text)
		*at++ = '"';
	memcpy(at, key, len);
	at += len;
	if (!is_text)
		*at++ = '"';
	*at++ = is_text ? '=' : ':';
	return at;
}

static void put_key(struct record *r, const char *key)
{
	char text[KEY_MAX + 4];
	size_t len = strlen(key);

	assert(len <= KEY_MAX);
	put(r, text, (size_t)(write_key(r, text, key, len) - text));
}

void record_begin(struct record *r, char *buf, size_t max, enum record_format format,
        const char *time, const char *event)
{
	*r = (struct record){.at = buf, .max = max, .format = format};
	if (format == RECORD_TEXT) {
		put_str(r, time);
		put_str(r, " info  ");
		put_str(r, event);
		return;
	}
	put(r, "{", 1);
	if (time)
		record_text(r, "time", time);
	if (event)
		record_text(r, "event", event);
}

void record_slice(struct record *r, const char *key, struct slice value)
{
	put_key(r, key);
	if (r->format == RECORD_JSON)
		put_json(r, value);
	else if (log_needs_quotes(value))
		put_quoted(r, value);
	else
		put(r, (const char *)value.at, value.len);
}

void record_text(struct record *r, const char *key, const char *value)
{
	record_slice(r, key, slice_str(value));
}

void record_num(struct record *r, const char *key, uint64_t value)
{
	char digits[NUMBER_MAX];
	size_t at = sizeof(digits), len = strlen(key);
	char *out = room(r, len + 4 + sizeof(digits));

	if (!out)
		return;
	out = write_key(r, out, key, len);
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	memcpy(out, digits + at, sizeof(digits) - at);
	r->len = (size_t)(out - r->at) + sizeof(digits) - at;
}

bool record_end(struct record *r)
{
	if (r->format == RECORD_JSON)
		put(r, "}", 1);
	put(r, "\n", 1);
	return !r->overflow;
}
