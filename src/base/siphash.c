/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/siphash.h"

#include <endian.h>
#include <string.h>

static uint64_t load(const uint8_t *at)
{
	uint64_t v;
	memcpy(&v, at, sizeof(v));
	return le64toh(v);
}

/* Less than eight. */
static uint64_t load_rest(const uint8_t *at, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)at[i] << 8 * i;
	return v;
}

static uint64_t turned(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

static inline void stir(uint64_t v[4], unsigned rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[1] = turned(v[1], 13) ^ v[0];
		v[0] = turned(v[0], 32);
		v[2] += v[3];
		v[3] = turned(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = turned(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = turned(v[1], 17) ^ v[2];
		v[2] = turned(v[2], 32);
	}
}

static inline void absorb(uint64_t v[4], uint64_t word, unsigned rounds)
{
	v[3] ^= word;
	stir(v, rounds);
	v[0] ^= word;
}

static inline void begin(uint64_t v[4], const uint8_t key[SIPHASH_KEY_LEN])
{
	uint64_t k0 = load(key), k1 = load(key + 8);
	v[0] = k0 ^ UINT64_C(0x736f6d6570736575);
	v[1] = k1 ^ UINT64_C(0x646f72616e646f6d);
	v[2] = k0 ^ UINT64_C(0x6c7967656e657261);
	v[3] = k1 ^ UINT64_C(0x7465646279746573);
}

/* All but what makes the result. `mark` tells the two forms apart. */
static inline void digest(uint64_t v[4], const uint8_t key[SIPHASH_KEY_LEN], uint64_t mark,
        const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	size_t rest = len;
	begin(v, key);
	v[1] ^= mark;
	for (; rest >= 8; rest -= 8, at += 8)
		absorb(v, load(at), 2);
	absorb(v, load_rest(at, rest) | (uint64_t)len << 56, 2);
}

static inline uint64_t finish(uint64_t v[4])
{
	stir(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t siphash(const uint8_t key[SIPHASH_KEY_LEN], const void *bytes, size_t len)
{
	uint64_t v[4];
	digest(v, key, 0, bytes, len);
	v[2] ^= 0xff;
	return finish(v);
}

uint64_t siphash13_16(const uint8_t key[SIPHASH_KEY_LEN], const uint8_t bytes[16])
{
	uint64_t v[4];
	begin(v, key);
	absorb(v, load(bytes), 1);
	absorb(v, load(bytes + 8), 1);
	absorb(v, UINT64_C(16) << 56, 1);
	v[2] ^= 0xff;
	stir(v, 3);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void siphash128(uint64_t out[2], const uint8_t key[SIPHASH_KEY_LEN], const void *bytes, size_t len)
{
	uint64_t v[4];
	digest(v, key, 0xee, bytes, len);
	v[2] ^= 0xee;
	out[0] = finish(v);
	v[1] ^= 0xdd;
	out[1] = finish(v);
}
