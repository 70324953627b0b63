/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to ws/: eight bytes at a time, and mask keys in that shape. Words are
 * little-endian whatever the machine: byte i of memory is bits 8i to 8i + 7. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORD_HIGH_BITS UINT64_C(0x8080808080808080)

static inline uint64_t word_swap(uint64_t w)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(w);
#else
	return w;
#endif
}

static inline uint64_t word_load(const uint8_t *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof(w));
	return word_swap(w);
}

static inline void word_store(uint8_t *p, uint64_t w)
{
	w = word_swap(w);
	memcpy(p, &w, sizeof(w));
}

/* The first n bytes, n < 8, without touching the ninth; the rest of the word is 0. */
static inline uint64_t word_load_part(const uint8_t *p, size_t n)
{
	uint64_t w = 0;
	for (size_t i = 0; i < n; i++)
		w |= (uint64_t)p[i] << (8 * i);
	return w;
}

/* The key as four bytes of a word; byte 0 masks the first byte of a payload. */
static inline uint32_t key_load(const uint8_t key[4])
{
	return (uint32_t)key[0] | (uint32_t)key[1] << 8 | (uint32_t)key[2] << 16 |
	       (uint32_t)key[3] << 24;
}

/* The key for bytes that begin n bytes further on. */
static inline uint32_t key_skip(uint32_t key, size_t n)
{
	unsigned bits = 8 * (unsigned)(n & 3);
	return key >> bits | key << (-bits & 31);
}

static inline uint64_t key_widen(uint32_t key)
{
	return (uint64_t)key << 32 | key;
}

/* All of the bytes are ASCII once unmasked. For short texts: no call, no vector. */
static inline bool word_is_ascii(const uint8_t *p, size_t len, uint32_t key)
{
	uint64_t wide = key_widen(key), seen = 0;
	if (len < 8) {
		uint64_t part = ~(~UINT64_C(0) << (8 * len));
		return !((word_load_part(p, len) ^ wide) & part & WORD_HIGH_BITS);
	}
	for (size_t i = 0; i + 8 < len; i += 8)
		seen |= word_load(p + i) ^ wide;
	/* The last word overlaps the one before. */
	seen |= word_load(p + len - 8) ^ key_widen(key_skip(key, len));
	return !(seen & WORD_HIGH_BITS);
}
