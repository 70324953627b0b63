/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/find.h"

#include <stdatomic.h>
#include <stdbool.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

static inline bool is_control(uint8_t c)
{
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

static const uint8_t *find_scalar(const uint8_t *at, const uint8_t *end)
{
	while (at < end && !is_control(*at))
		at++;
	return at;
}

#if defined(__x86_64__)

/* SSE2 and AVX2 compare signed bytes only; x is below 0x20 without a sign where
 * the lesser of x and 0x1f is x. */
static const uint8_t *find_sse2(const uint8_t *at, const uint8_t *end)
{
	const __m128i last = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t');
	const __m128i del = _mm_set1_epi8(0x7f);

	for (; end - at >= 16; at += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
		__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(x, last), x);
		__m128i hit = _mm_or_si128(
		        _mm_andnot_si128(_mm_cmpeq_epi8(x, tab), low), _mm_cmpeq_epi8(x, del));
		unsigned mask = (unsigned)_mm_movemask_epi8(hit);
		if (mask)
			return at + __builtin_ctz(mask);
	}
	return find_scalar(at, end);
}

__attribute__((target("avx2"))) static const uint8_t *find_avx2(
        const uint8_t *at, const uint8_t *end)
{
	const __m256i last = _mm256_set1_epi8(0x1f), tab = _mm256_set1_epi8('\t');
	const __m256i del = _mm256_set1_epi8(0x7f);

	for (; end - at >= 32; at += 32) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)at);
		__m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(x, last), x);
		__m256i hit = _mm256_or_si256(_mm256_andnot_si256(_mm256_cmpeq_epi8(x, tab), low),
		        _mm256_cmpeq_epi8(x, del));
		unsigned mask = (unsigned)_mm256_movemask_epi8(hit);
		if (mask)
			return at + __builtin_ctz(mask);
	}
	return find_sse2(at, end);
}

static http_find_fn best(void)
{
	return __builtin_cpu_supports("avx2") ? find_avx2 : find_sse2;
}

void http_find_forms(struct http_find_form out[4])
{
	size_t n = 0;

	out[n++] = (struct http_find_form){"scalar", find_scalar};
	out[n++] = (struct http_find_form){"sse2", find_sse2};
	if (__builtin_cpu_supports("avx2"))
		out[n++] = (struct http_find_form){"avx2", find_avx2};
	out[n] = (struct http_find_form){NULL, NULL};
}

#elif defined(__aarch64__)

static const uint8_t *find_neon(const uint8_t *at, const uint8_t *end)
{
	const uint8x16_t space = vdupq_n_u8(0x20), tab = vdupq_n_u8('\t'), del = vdupq_n_u8(0x7f);

	for (; end - at >= 16; at += 16) {
		uint8x16_t x = vld1q_u8(at);
		uint8x16_t hit =
		        vorrq_u8(vbicq_u8(vcltq_u8(x, space), vceqq_u8(x, tab)), vceqq_u8(x, del));
		/* Four bits of each byte make a mask of 64 bits. */
		uint8x8_t nibbles = vshrn_n_u16(vreinterpretq_u16_u8(hit), 4);
		uint64_t mask = vget_lane_u64(vreinterpret_u64_u8(nibbles), 0);
		if (mask)
			return at + __builtin_ctzll(mask) / 4;
	}
	return find_scalar(at, end);
}

static http_find_fn best(void)
{
	return find_neon;
}

void http_find_forms(struct http_find_form out[4])
{
	out[0] = (struct http_find_form){"scalar", find_scalar};
	out[1] = (struct http_find_form){"neon", find_neon};
	out[2] = (struct http_find_form){NULL, NULL};
}

#else

static http_find_fn best(void)
{
	return find_scalar;
}

void http_find_forms(struct http_find_form out[4])
{
	out[0] = (struct http_find_form){"scalar", find_scalar};
	out[1] = (struct http_find_form){NULL, NULL};
}

#endif

static const uint8_t *choose(const uint8_t *at, const uint8_t *end);

/* Replaced by the first call; threads that race write the same. */
static _Atomic(http_find_fn) chosen = choose;

static const uint8_t *choose(const uint8_t *at, const uint8_t *end)
{
	http_find_fn f = best();

	atomic_store_explicit(&chosen, f, memory_order_relaxed);
	return f(at, end);
}

const uint8_t *http_find_control(const uint8_t *at, const uint8_t *end)
{
	return atomic_load_explicit(&chosen, memory_order_relaxed)(at, end);
}
