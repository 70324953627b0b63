/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/record.h"

#include "base/log.h"

enum { NUMBER_MAX = 20 };

#define EACH UINT64_C(0x0101010101010101)

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

/* Where the top bit of a byte is set, it or one behind it is zero. */
static uint64_t zeros(uint64_t v)
{
	return (v - EACH) & ~v;
}

/* Eight bytes, all of them bare. */
static bool are_bare(const uint8_t *at)
{
	uint64_t v;
	memcpy(&v, at, sizeof(v));
	uint64_t odd = v | (v - 0x20 * EACH) | zeros(v ^ 0x7f * EACH) | zeros(v ^ '"' * EACH) |
	               zeros(v ^ '\\' * EACH);
	return !(odd & 0x80 * EACH);
}

static size_t bare_front(struct slice s)
{
	size_t n = 0;
	while (s.len - n >= 8 && are_bare(s.at + n))
		n += 8;
	if (s.len >= 8 && s.len - n < 8 && are_bare(s.at + s.len - 8))
		return s.len;
	while (n < s.len && is_bare(s.at[n]))
		n++;
	return n;
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
		size_t n = bare_front(slice_of(value.at + i, value.len - i));

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

/* Returns its end. Without a comma behind the brace. */
static inline char *write_key(const struct record *r, char *at, const struct record_key *key)
{
	if (r->format == RECORD_TEXT) {
		memcpy(at, key->text, sizeof(key->text));
		return at + key->len + 2;
	}
	bool is_first = r->len == 1;
	memcpy(at - is_first, key->json, sizeof(key->json));
	if (is_first)
		at[-1] = '{';
	return at - is_first + key->len + 4;
}

static void put_key(struct record *r, const struct record_key *key)
{
	char *at = room(r, key->len + 4);

	if (at)
		r->len = (size_t)(write_key(r, at, key) - r->at);
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
	static const struct record_key time_key = RECORD_KEY("time"),
	                               event_key = RECORD_KEY("event");
	put(r, "{", 1);
	if (time)
		record_text(r, &time_key, time);
	if (event)
		record_text(r, &event_key, event);
}

/* Most values are bare: key, quotes and all in one go. */
static void put_bare_json(struct record *r, const struct record_key *key, struct slice value)
{
	char *at = room(r, key->len + 4 + value.len + 2);

	if (!at)
		return;
	at = write_key(r, at, key);
	*at++ = '"';
	if (value.len > 0)
		memcpy(at, value.at, value.len);
	at[value.len] = '"';
	r->len = (size_t)(at - r->at) + value.len + 1;
}

void record_slice(struct record *r, const struct record_key *key, struct slice value)
{
	if (r->format == RECORD_JSON && bare_front(value) == value.len) {
		put_bare_json(r, key, value);
		return;
	}
	put_key(r, key);
	if (r->format == RECORD_JSON)
		put_json(r, value);
	else if (log_needs_quotes(value))
		put_quoted(r, value);
	else
		put(r, (const char *)value.at, value.len);
}

void record_text(struct record *r, const struct record_key *key, const char *value)
{
	record_slice(r, key, slice_str(value));
}

void record_num(struct record *r, const struct record_key *key, uint64_t value)
{
	char digits[NUMBER_MAX];
	size_t n = sizeof(digits);
	char *at = room(r, key->len + 4 + sizeof(digits));

	if (!at)
		return;
	at = write_key(r, at, key);
	if (value < 10) { /* most are */
		*at++ = (char)('0' + value);
	} else {
		for (; value > 0; value /= 10)
			digits[--n] = (char)('0' + value % 10);
		memcpy(at, digits + n, sizeof(digits) - n);
		at += sizeof(digits) - n;
	}
	r->len = (size_t)(at - r->at);
}

bool record_end(struct record *r)
{
	if (r->format == RECORD_JSON)
		put(r, "}", 1);
	put(r, "\n", 1);
	return !r->overflow;
}
