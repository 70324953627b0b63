/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/record.h"

#include "base/digits.h"
#include "base/log.h"

#include <assert.h>

enum { WORD = 8, BLOCK = 16 };
typedef signed char block __attribute__((vector_size(BLOCK)));

#define EACH UINT64_C(0x0101010101010101)

static const char hex[] = "0123456789abcdef";

/* Room for so many bytes more; NULL: there is not. */
static inline char *room(struct record *r, size_t len)
{
	if (len > r->max - r->len) {
		r->overflow = true;
		r->max = r->len;
		return NULL;
	}
	return r->at + r->len;
}

static void put(struct record *r, const char *text, size_t len)
{
	char *at = room(r, len);

	if (!at)
		return;
	memcpy(at, text, len);
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

/* Its top bits, but for zero ones, tell that there is a byte that is not bare. A carry or
 * a borrow comes only from such a byte. */
static inline uint64_t odd_in(uint64_t v)
{
	return v | (v + EACH) | (v - 0x20 * EACH) | ((v ^ '"' * EACH) - EACH) |
	       ((v ^ '\\' * EACH) - EACH);
}

static inline uint64_t copy_word(char *to, const uint8_t *at)
{
	uint64_t v;
	memcpy(&v, at, WORD);
	memcpy(to, &v, WORD);
	return odd_in(v);
}

/* The same for twice as much. What is not ASCII is negative. */
static inline uint64_t copy_block(char *to, const uint8_t *at)
{
	block v;
	uint64_t half[2];
	memcpy(&v, at, BLOCK);
	memcpy(to, &v, BLOCK);
	v = (v < ' ') | (v == 0x7f) | (v == '"') | (v == '\\');
	memcpy(half, &v, BLOCK);
	return half[0] | half[1];
}

/* Less than a word, in two parts that may overlap. */
static inline uint64_t copy_part(char *to, const uint8_t *at, size_t len)
{
	uint64_t odd = 0;
	if (len >= WORD / 2) {
		uint32_t first, last;
		memcpy(&first, at, sizeof(first));
		memcpy(&last, at + len - sizeof(last), sizeof(last));
		memcpy(to, &first, sizeof(first));
		memcpy(to + len - sizeof(last), &last, sizeof(last));
		return odd_in(first | (uint64_t)last << 32);
	}
	for (size_t i = 0; i < len; i++) {
		to[i] = (char)at[i];
		odd |= odd_in(at[i] | '0' * (EACH << 8));
	}
	return odd;
}

/* False: it is not bare, and what was copied is worth nothing. */
static inline bool copy_bare(char *to, const uint8_t *at, size_t len)
{
	uint64_t odd;
	if (len < WORD) {
		odd = copy_part(to, at, len);
	} else if (len < BLOCK) {
		odd = copy_word(to, at) | copy_word(to + len - WORD, at + len - WORD);
	} else {
		odd = copy_block(to + len - BLOCK, at + len - BLOCK);
		for (size_t i = 0; i < len - BLOCK; i += BLOCK)
			odd |= copy_block(to + i, at + i);
	}
	return !(odd & 0x80 * EACH);
}

static size_t bare_front(const uint8_t *at, size_t len)
{
	size_t n = 0;
	while (n < len && is_bare(at[n]))
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
		size_t n = bare_front(value.at + i, value.len - i);

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

/* Returns its end. */
static inline char *write_key(enum record_format format, char *at, const struct record_key *key)
{
	if (format == RECORD_JSON) {
		memcpy(at, key->json, RECORD_KEY_ROOM);
		return at + key->len + 4;
	}
	memcpy(at, key->json + 1, RECORD_KEY_ROOM - 1);
	at[0] = ' ';
	at[key->len + 1] = '=';
	return at + key->len + 2;
}

static void put_key(struct record *r, const struct record_key *key)
{
	char *at = room(r, key->len + 4);

	if (at)
		r->len = (size_t)(write_key(r->format, at, key) - r->at);
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
	if (time)
		record_bare(r, &time_key, slice_str(time));
	if (event)
		record_bare(r, &event_key, slice_str(event));
}

/* ---- pieces ---- */

bool record_keep(const struct record *r, size_t from, struct record_piece *piece)
{
	if (r->overflow || r->len - from > sizeof(piece->bytes))
		return false;
	piece->len = r->len - from;
	memcpy(piece->bytes, r->at + from, piece->len);
	return true;
}

void record_begin_as(struct record *r, char *buf, size_t max, enum record_format format,
        const struct record_piece *piece)
{
	*r = (struct record){.at = buf, .max = max, .format = format};
	record_piece(r, piece);
}

void record_piece(struct record *r, const struct record_piece *piece)
{
	put(r, piece->bytes, piece->len);
}

/* ---- values ---- */

/* Apart, so that the way of a bare value needs no registers saved. */
static __attribute__((noinline)) void put_other(
        struct record *r, const struct record_key *key, struct slice value)
{
	put_key(r, key);
	if (r->format == RECORD_JSON)
		put_json(r, value);
	else if (log_needs_quotes(value))
		put_quoted(r, value);
	else
		put(r, (const char *)value.at, value.len);
}

/* Most values are bare: key, quotes and all in one go. */
static void put_judged_json(struct record *r, const struct record_key *key, struct slice value)
{
	char *at = room(r, key->len + 4 + value.len + 2);

	if (!at)
		return;
	at = write_key(RECORD_JSON, at, key);
	*at++ = '"';
	if (!copy_bare(at, value.at, value.len)) {
		put_other(r, key, value);
		return;
	}
	at[value.len] = '"';
	r->len = (size_t)(at - r->at) + value.len + 1;
}

void record_slice(struct record *r, const struct record_key *key, struct slice value)
{
	if (r->format == RECORD_JSON)
		put_judged_json(r, key, value);
	else
		put_other(r, key, value);
}

void record_text(struct record *r, const struct record_key *key, const char *value)
{
	record_slice(r, key, slice_str(value));
}

char *record_open(struct record *r, const struct record_key *key, size_t max)
{
	char *at = room(r, key->len + 4 + max + 2);

	if (!at)
		return NULL;
	at = write_key(r->format, at, key);
	if (r->format == RECORD_JSON)
		*at++ = '"';
	return at;
}

void record_close(struct record *r, char *end)
{
	if (r->format == RECORD_JSON)
		*end++ = '"';
	r->len = (size_t)(end - r->at);
}

void record_bare(struct record *r, const struct record_key *key, struct slice value)
{
	char *at = record_open(r, key, value.len);

	if (!at)
		return;
	memcpy(at, value.at, value.len);
	record_close(r, at + value.len);
}

void record_id(struct record *r, const struct record_key *key, uint64_t value)
{
	char *at = record_open(r, key, DIGITS_MAX);

	if (at)
		record_close(r, digits_put(at, value));
}

void record_num(struct record *r, const struct record_key *key, uint64_t value)
{
	char *at = room(r, RECORD_KEY_ROOM + DIGITS_MAX);

	if (at)
		r->len = (size_t)(digits_put(write_key(r->format, at, key), value) - r->at);
}

/* ---- rows ---- */

void record_row_init(struct record_row *row, const struct record_key *keys, unsigned n,
        uint64_t wanted, uint64_t counts)
{
	assert(n < 64);
	*row = (struct record_row){
	        .keys = keys, .wanted = wanted & ((UINT64_C(1) << n) - 1), .counts = counts};
	for (unsigned i = 0; i < n; i++)
		if (row->wanted >> i & 1)
			row->room += keys[i].len + RECORD_KEY_ROOM - RECORD_KEY_MAX + DIGITS_MAX;
}

static char *write_json_row(
        char *at, const struct record_row *row, uint64_t given, const uint64_t *values)
{
	for (uint64_t left = row->wanted & given; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);

		at = digits_put(write_key(RECORD_JSON, at, &row->keys[i]), values[i]);
	}
	return at;
}

static char *write_text_row(
        char *at, const struct record_row *row, uint64_t given, const uint64_t *values)
{
	for (uint64_t left = row->wanted & (given | row->counts); left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);

		at = digits_put(
		        write_key(RECORD_TEXT, at, &row->keys[i]), given >> i & 1 ? values[i] : 0);
	}
	return at;
}

void record_row(
        struct record *r, const struct record_row *row, uint64_t given, const uint64_t *values)
{
	char *at = room(r, row->room);

	if (!at)
		return;
	at = r->format == RECORD_JSON ? write_json_row(at, row, given, values)
	                              : write_text_row(at, row, given, values);
	r->len = (size_t)(at - r->at);
}

bool record_end(struct record *r)
{
	if (r->format == RECORD_JSON) {
		/* Each key has its comma in front of it: the first one's becomes the brace. */
		if (r->len > 0)
			r->at[0] = '{';
		else
			put(r, "{", 1);
		put(r, "}", 1);
	}
	put(r, "\n", 1);
	return !r->overflow;
}
