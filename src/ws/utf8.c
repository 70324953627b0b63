/* SPDX-License-Identifier: BSD-2-Clause */
#include "ws/utf8.h"

#include "ws/forms.h"
#include "ws/word.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_neon.h>
#endif

/* The automaton, for short texts, for tails and for what a call leaves open.
 * A state is a shift count: the row of a byte holds, in the six bits at each
 * state's count, the state that follows. So a step is one shift, and waits for
 * no table. Outside, a state is its number, count / 6. */
enum {
	START = 6 * UTF8_START,
	WRONG = 6 * UTF8_WRONG,
	WANT1 = 12,    /* any one continuation byte */
	WANT2 = 18,    /* two */
	WANT3 = 24,    /* three */
	AFTER_E0 = 30, /* not overlong: a0..bf */
	AFTER_ED = 36, /* no surrogate: 80..9f */
	AFTER_F0 = 42, /* not overlong: 90..bf */
	AFTER_F4 = 48, /* not over U+10FFFF: 80..8f */
};

#define ROW(start, want1, want2, want3, e0, ed, f0, f4)                                       \
	((uint64_t)(start) << START | (uint64_t)WRONG << WRONG | (uint64_t)(want1) << WANT1 | \
	        (uint64_t)(want2) << WANT2 | (uint64_t)(want3) << WANT3 |                     \
	        (uint64_t)(e0) << AFTER_E0 | (uint64_t)(ed) << AFTER_ED |                     \
	        (uint64_t)(f0) << AFTER_F0 | (uint64_t)(f4) << AFTER_F4)
#define LEAD(next) ROW(next, WRONG, WRONG, WRONG, WRONG, WRONG, WRONG, WRONG)

static const uint64_t rows[256] = {
        [0x00 ... 0x7f] = LEAD(START),
        [0x80 ... 0x8f] = ROW(WRONG, START, WANT1, WANT2, WRONG, WANT1, WRONG, WANT2),
        [0x90 ... 0x9f] = ROW(WRONG, START, WANT1, WANT2, WRONG, WANT1, WANT2, WRONG),
        [0xa0 ... 0xbf] = ROW(WRONG, START, WANT1, WANT2, WANT1, WRONG, WANT2, WRONG),
        [0xc0 ... 0xc1] = LEAD(WRONG),
        [0xc2 ... 0xdf] = LEAD(WANT1),
        [0xe0] = LEAD(AFTER_E0),
        [0xe1 ... 0xec] = LEAD(WANT2),
        [0xed] = LEAD(AFTER_ED),
        [0xee ... 0xef] = LEAD(WANT2),
        [0xf0] = LEAD(AFTER_F0),
        [0xf1 ... 0xf3] = LEAD(WANT3),
        [0xf4] = LEAD(AFTER_F4),
        [0xf5 ... 0xff] = LEAD(WRONG),
};

static inline uint64_t step(uint64_t state, uint64_t byte)
{
	return rows[byte & 0xff] >> (state & 63);
}

static inline uint64_t step_word(uint64_t state, uint64_t w)
{
	for (int i = 0; i < 8; i++, w >>= 8)
		state = step(state, w);
	return state;
}

static utf8_state walk(utf8_state from, const uint8_t *buf, size_t len, uint32_t key)
{
	uint64_t wide = key_widen(key), state = 6u * from;
	size_t i = 0;
	for (; len - i >= 8; i += 8) {
		uint64_t w = word_load(buf + i) ^ wide;
		if ((state & 63) != START || (w & WORD_HIGH_BITS))
			state = step_word(state, w);
		if ((state & 63) == WRONG)
			return UTF8_WRONG;
	}
	for (; i < len; i++)
		state = step(state, buf[i] ^ (wide >> (8 * (i & 3))));
	return (utf8_state)((state & 63) / 6);
}

#if defined(__x86_64__) || (defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

/* What can be wrong with two neighbouring bytes. */
enum {
	TOO_SHORT = 1,     /* a lead byte without a continuation byte */
	TOO_LONG = 2,      /* ASCII with one */
	OVERLONG_3 = 4,    /* e0 80..9f */
	TOO_LARGE = 8,     /* f4 90..bf, f5..ff 90..bf */
	SURROGATE = 16,    /* ed a0..bf */
	OVERLONG_2 = 32,   /* c0..c1 */
	TOO_LARGE_80 = 64, /* f5..ff 80..8f */
	OVERLONG_4 = 64,   /* f0 80..8f; told from the above by the lower half */
	TWO_CONTINUATIONS = 128,
	ANY_LOW = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS,
	LARGE = ANY_LOW | TOO_LARGE | TOO_LARGE_80,
	CONTINUATION = TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS,
};

static const uint8_t first_high[16] = {
        [0x0 ... 0x7] = TOO_LONG,
        [0x8 ... 0xb] = TWO_CONTINUATIONS,
        [0xc] = TOO_SHORT | OVERLONG_2,
        [0xd] = TOO_SHORT,
        [0xe] = TOO_SHORT | OVERLONG_3 | SURROGATE,
        [0xf] = TOO_SHORT | TOO_LARGE | TOO_LARGE_80 | OVERLONG_4,
};
static const uint8_t first_low[16] = {
        [0x0] = ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
        [0x1] = ANY_LOW | OVERLONG_2,
        [0x2 ... 0x3] = ANY_LOW,
        [0x4] = ANY_LOW | TOO_LARGE,
        [0x5 ... 0xc] = LARGE,
        [0xd] = LARGE | SURROGATE,
        [0xe ... 0xf] = LARGE,
};
static const uint8_t second_high[16] = {
        [0x0 ... 0x7] = TOO_SHORT,
        [0x8] = CONTINUATION | OVERLONG_3 | TOO_LARGE_80 | OVERLONG_4,
        [0x9] = CONTINUATION | OVERLONG_3 | TOO_LARGE,
        [0xa ... 0xb] = CONTINUATION | SURROGATE | TOO_LARGE,
        [0xc ... 0xf] = TOO_SHORT,
};

/* Bytes at the end, 0 to 3, of a character that wants more. */
static size_t unfinished(const uint8_t *buf, size_t len, uint32_t key)
{
	for (size_t n = 1; n <= 3; n++) {
		uint8_t c = buf[len - n] ^ (uint8_t)key_skip(key, len - n);
		size_t whole = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
		if (c >= 0xc0)
			return whole > n ? n : 0;
	}
	return 0;
}

#endif

#if defined(__x86_64__)

#define NAME(x)          ssse3_##x
#define TARGET           __attribute__((target("ssse3")))
#define V                __m128i
#define WIDTH            16
#define v_load(p)        _mm_loadu_si128((const __m128i *)(const void *)(p))
#define v_splat8(b)      _mm_set1_epi8((char)(b))
#define v_splat32(k)     _mm_set1_epi32((int)(k))
#define v_table(t)       v_load(t)
#define v_lookup(t, i)   _mm_shuffle_epi8(t, i)
#define v_xor(a, b)      _mm_xor_si128(a, b)
#define v_and(a, b)      _mm_and_si128(a, b)
#define v_or(a, b)       _mm_or_si128(a, b)
#define v_high(v)        _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(15))
#define v_less(a, b)     _mm_subs_epu8(a, b)
#define v_is_ascii(v)    (_mm_movemask_epi8(v) == 0)
#define v_is_zero(v)     (_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128())) == 0xffff)
#define v_shift_in(v, n) _mm_slli_si128(v, n)
#include "ws/utf8_vector.inc"

#define NAME(x)          avx2_##x
#define TARGET           __attribute__((target("avx2")))
#define V                __m256i
#define WIDTH            32
#define v_load(p)        _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define v_splat8(b)      _mm256_set1_epi8((char)(b))
#define v_splat32(k)     _mm256_set1_epi32((int)(k))
#define v_table(t)       _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(t)))
#define v_lookup(t, i)   _mm256_shuffle_epi8(t, i)
#define v_xor(a, b)      _mm256_xor_si256(a, b)
#define v_and(a, b)      _mm256_and_si256(a, b)
#define v_or(a, b)       _mm256_or_si256(a, b)
#define v_high(v)        _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15))
#define v_less(a, b)     _mm256_subs_epu8(a, b)
#define v_is_ascii(v)    (_mm256_movemask_epi8(v) == 0)
#define v_is_zero(v)     _mm256_testz_si256(v, v)
#define v_shift_in(v, n) _mm256_alignr_epi8(v, _mm256_permute2x128_si256(v, v, 0x08), 16 - (n))
#include "ws/utf8_vector.inc"

#define NAME(x)        avx512_##x
#define TARGET         __attribute__((target("avx512f,avx512bw")))
#define V              __m512i
#define WIDTH          64
#define v_load(p)      _mm512_loadu_si512((const void *)(p))
#define v_splat8(b)    _mm512_set1_epi8((char)(b))
#define v_splat32(k)   _mm512_set1_epi32((int)(k))
#define v_table(t)     _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)(t)))
#define v_lookup(t, i) _mm512_shuffle_epi8(t, i)
#define v_xor(a, b)    _mm512_xor_si512(a, b)
#define v_and(a, b)    _mm512_and_si512(a, b)
#define v_or(a, b)     _mm512_or_si512(a, b)
#define v_high(v)      _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(15))
#define v_less(a, b)   _mm512_subs_epu8(a, b)
#define v_is_ascii(v)  (_mm512_movepi8_mask(v) == 0)
#define v_is_zero(v)   (_mm512_test_epi8_mask(v, v) == 0)
#define v_shift_in(v, n) \
	_mm512_alignr_epi8(v, _mm512_alignr_epi32(v, _mm512_setzero_si512(), 12), 16 - (n))
#include "ws/utf8_vector.inc"

static bool has_ssse3(void)
{
	return __builtin_cpu_supports("ssse3");
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

/* The processors before those that know VBMI2 run slower for a while after a wide vector. */
static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2");
}

static size_t sound_ssse3(const uint8_t *buf, size_t len, uint32_t key)
{
	return len < 16 + 3 ? 0 : ssse3_sound(buf, len, key);
}

static size_t sound_avx2(const uint8_t *buf, size_t len, uint32_t key)
{
	return len < 32 + 3 ? sound_ssse3(buf, len, key) : avx2_sound(buf, len, key);
}

static size_t sound_avx512(const uint8_t *buf, size_t len, uint32_t key)
{
	return len < 64 + 3 ? sound_avx2(buf, len, key) : avx512_sound(buf, len, key);
}

#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

#define NAME(x) neon_##x
#define TARGET
#define V                uint8x16_t
#define WIDTH            16
#define v_load(p)        vld1q_u8(p)
#define v_splat8(b)      vdupq_n_u8(b)
#define v_splat32(k)     vreinterpretq_u8_u32(vdupq_n_u32(k))
#define v_table(t)       vld1q_u8(t)
#define v_lookup(t, i)   vqtbl1q_u8(t, i)
#define v_xor(a, b)      veorq_u8(a, b)
#define v_and(a, b)      vandq_u8(a, b)
#define v_or(a, b)       vorrq_u8(a, b)
#define v_high(v)        vshrq_n_u8(v, 4)
#define v_less(a, b)     vqsubq_u8(a, b)
#define v_is_ascii(v)    (vmaxvq_u8(v) < 0x80)
#define v_is_zero(v)     (vmaxvq_u8(v) == 0)
#define v_shift_in(v, n) vextq_u8(vdupq_n_u8(0), v, 16 - (n))
#include "ws/utf8_vector.inc"

static size_t sound_neon(const uint8_t *buf, size_t len, uint32_t key)
{
	return len < 16 + 3 ? 0 : neon_sound(buf, len, key);
}

#endif

static bool always(void)
{
	return true;
}

/* The automaton alone. */
static size_t sound_scalar(const uint8_t *buf, size_t len, uint32_t key)
{
	(void)buf, (void)len, (void)key;
	return 0;
}

const struct utf8_form utf8_forms[] = {
        {"scalar", always, sound_scalar},
#if defined(__x86_64__)
        {"ssse3", has_ssse3, sound_ssse3},
        {"avx2", has_avx2, sound_avx2},
        {"avx512", has_avx512, sound_avx512},
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        {"neon", always, sound_neon},
#endif
        {NULL, NULL, NULL},
};

static const struct utf8_form *chosen = &utf8_forms[0];

/* Before main(), so that no thread ever sees the pointer change. */
__attribute__((constructor)) static void utf8_choose(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
#endif
	for (const struct utf8_form *f = utf8_forms; f->name; f++)
		if (f->is_supported())
			chosen = f;
}

utf8_state utf8_check_form(const struct utf8_form *form, utf8_state state, const uint8_t *buf,
        size_t len, uint32_t key)
{
	size_t i = 0;
	for (; state > UTF8_WRONG && i < len; i++)
		state = walk(state, buf + i, 1, key_skip(key, i));
	if (state != UTF8_START)
		return state;
	i += form->sound(buf + i, len - i, key_skip(key, i));
	return walk(UTF8_START, buf + i, len - i, key_skip(key, i));
}

utf8_state utf8_check_word(utf8_state state, const uint8_t *buf, size_t len, uint32_t key)
{
	return utf8_check_form(chosen, state, buf, len, key);
}

utf8_state utf8_check(utf8_state state, const uint8_t *buf, size_t len)
{
	return utf8_check_word(state, buf, len, 0);
}

utf8_state utf8_check_masked(
        utf8_state state, const uint8_t *buf, size_t len, const uint8_t key[4], unsigned phase)
{
	return utf8_check_word(state, buf, len, key_skip(key_load(key), phase));
}
