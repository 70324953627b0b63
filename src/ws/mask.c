/* SPDX-License-Identifier: BSD-2-Clause */
#include "ws/mask.h"

#include "ws/forms.h"
#include "ws/word.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_neon.h>
#endif

static bool always(void)
{
	return true;
}

static void mask_bytes(uint8_t *buf, size_t len, uint32_t key)
{
	for (size_t i = 0; i < len; i++)
		buf[i] ^= (uint8_t)(key >> (8 * (i & 3)));
}

/* All forms do the last, odd part as a whole block that overlaps the one before:
 * it is read before anything is written, and written last. */
static void mask_words(uint8_t *buf, size_t len, uint32_t key)
{
	if (len < 8) {
		mask_bytes(buf, len, key);
		return;
	}
	uint64_t wide = key_widen(key);
	uint64_t last = word_load(buf + len - 8) ^ key_widen(key_skip(key, len));
	for (size_t i = 0; i + 8 < len; i += 8)
		word_store(buf + i, word_load(buf + i) ^ wide);
	word_store(buf + len - 8, last);
}

#if defined(__x86_64__)

static void mask_sse2(uint8_t *buf, size_t len, uint32_t key)
{
	if (len < 16) {
		mask_words(buf, len, key);
		return;
	}
	__m128i wide = _mm_set1_epi32((int)key);
	__m128i *tail = (__m128i *)(void *)(buf + len - 16);
	__m128i last =
	        _mm_xor_si128(_mm_loadu_si128(tail), _mm_set1_epi32((int)key_skip(key, len)));
	for (size_t i = 0; i + 16 < len; i += 16) {
		__m128i *p = (__m128i *)(void *)(buf + i);
		_mm_storeu_si128(p, _mm_xor_si128(_mm_loadu_si128(p), wide));
	}
	_mm_storeu_si128(tail, last);
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i mask_load32(const uint8_t *p, uint32_t key)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
	return _mm256_xor_si256(v, _mm256_set1_epi32((int)key));
}

AVX2 static inline void mask_store32(uint8_t *p, __m256i v)
{
	_mm256_storeu_si256((__m256i *)(void *)p, v);
}

/* From the first aligned block on: stores that cross cache lines cost double,
 * and payloads lie behind headers of any length. */
AVX2 static void mask_avx2(uint8_t *buf, size_t len, uint32_t key)
{
	if (len < 32) {
		mask_sse2(buf, len, key);
		return;
	}
	__m256i first = mask_load32(buf, key);
	__m256i last = mask_load32(buf + len - 32, key_skip(key, len));
	size_t i = 32 - ((uintptr_t)buf & 31);
	uint32_t inner = key_skip(key, i);
	for (; i + 128 <= len; i += 128) {
		__m256i a = mask_load32(buf + i, inner), b = mask_load32(buf + i + 32, inner);
		__m256i c = mask_load32(buf + i + 64, inner), d = mask_load32(buf + i + 96, inner);
		mask_store32(buf + i, a);
		mask_store32(buf + i + 32, b);
		mask_store32(buf + i + 64, c);
		mask_store32(buf + i + 96, d);
	}
	for (; i + 32 < len; i += 32)
		mask_store32(buf + i, mask_load32(buf + i, inner));
	mask_store32(buf, first);
	mask_store32(buf + len - 32, last);
}

#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

static void mask_neon(uint8_t *buf, size_t len, uint32_t key)
{
	if (len < 16) {
		mask_words(buf, len, key);
		return;
	}
	uint8x16_t wide = vreinterpretq_u8_u32(vdupq_n_u32(key));
	uint8x16_t end = vreinterpretq_u8_u32(vdupq_n_u32(key_skip(key, len)));
	uint8x16_t last = veorq_u8(vld1q_u8(buf + len - 16), end);
	size_t i = 0;
	for (; i + 64 <= len; i += 64) {
		uint8x16x4_t v = vld1q_u8_x4(buf + i);
		for (int j = 0; j < 4; j++)
			v.val[j] = veorq_u8(v.val[j], wide);
		vst1q_u8_x4(buf + i, v);
	}
	for (; i + 16 < len; i += 16)
		vst1q_u8(buf + i, veorq_u8(vld1q_u8(buf + i), wide));
	vst1q_u8(buf + len - 16, last);
}

#endif

const struct ws_mask_form ws_mask_forms[] = {
        {"scalar", always, mask_words},
#if defined(__x86_64__)
        {"sse2", always, mask_sse2},
        {"avx2", has_avx2, mask_avx2},
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        {"neon", always, mask_neon},
#endif
        {NULL, NULL, NULL},
};

static void (*mask_run)(uint8_t *buf, size_t len, uint32_t key) = mask_words;

/* Before main(), so that no thread ever sees the pointer change. */
__attribute__((constructor)) static void mask_choose(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
#endif
	for (const struct ws_mask_form *f = ws_mask_forms; f->name; f++)
		if (f->is_supported())
			mask_run = f->run;
}

unsigned ws_mask(uint8_t *buf, size_t len, const uint8_t key[4], unsigned phase)
{
	uint32_t k = key_skip(key_load(key), phase);
	if (len < 32)
		mask_words(buf, len, k);
	else
		mask_run(buf, len, k);
	return (unsigned)((phase + len) & 3);
}
