/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Borrowed bytes. A slice owns nothing and dies with the callback that was
 * given it. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const uint8_t *at;
	size_t len;
};

/* The bytes of a string literal, without its NUL. */
#define SLICE(literal) ((struct slice){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline struct slice slice_of(const void *at, size_t len)
{
	return (struct slice){(const uint8_t *)at, len};
}

static inline struct slice slice_str(const char *s)
{
	return slice_of(s, strlen(s));
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* ASCII letters only, whatever the locale. */
static inline uint8_t ascii_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* The same for eight bytes at once. A byte of `from_a` has its top bit set from 'A' on, one
 * of `behind_z` behind 'Z'. */
static inline uint64_t ascii_lower8(const uint8_t *at)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t v;
	memcpy(&v, at, sizeof v);
	uint64_t low = v & 0x7f * each;
	uint64_t from_a = low + (0x80 - 'A') * each, behind_z = low + (0x7f - 'Z') * each;
	return v | (((from_a ^ behind_z) & ~v & 0x80 * each) >> 2);
}

static inline bool slice_equal_nocase(struct slice a, struct slice b)
{
	size_t i = 0;
	if (a.len != b.len)
		return false;
	if (a.len >= 8) {
		for (; a.len - i > 8; i += 8)
			if (ascii_lower8(a.at + i) != ascii_lower8(b.at + i))
				return false;
		return ascii_lower8(a.at + a.len - 8) == ascii_lower8(b.at + a.len - 8);
	}
	for (; i < a.len; i++)
		if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
			return false;
	return true;
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.at, prefix.at, prefix.len) == 0);
}
