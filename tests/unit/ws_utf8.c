/* SPDX-License-Identifier: BSD-2-Clause */
#include "ws/utf8.h"

#include "ws/forms.h"
#include "ws/word.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The judge: by code points, not by byte ranges. A started character is possible
 * as long as some code point that is allowed in that many bytes begins like it. */
struct slow {
	unsigned want; /* continuation bytes */
	uint32_t low, high;
};

static bool is_possible(uint32_t low, uint32_t high, unsigned bytes)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	static const uint32_t most[] = {0, 0x7f, 0x7ff, 0xffff, 0x10ffff};
	if (high < least[bytes] || low > most[bytes])
		return false;
	return !(low >= 0xd800 && high <= 0xdfff);
}

static bool slow_step(struct slow *s, uint8_t byte, unsigned *bytes)
{
	if (s->want == 0) {
		*bytes = byte < 0x80       ? 1
		         : byte >> 5 == 6  ? 2
		         : byte >> 4 == 14 ? 3
		         : byte >> 3 == 30 ? 4
		                           : 0;
		if (*bytes == 0)
			return false;
		if (*bytes == 1)
			return true;
		s->want = *bytes - 1;
		s->low = byte & (0x7fu >> *bytes);
	} else {
		if (byte >> 6 != 2)
			return false;
		s->want--;
		s->low = s->low << 6 | (byte & 0x3f);
	}
	uint32_t first = s->low << (6 * s->want);
	return is_possible(first, first + (1u << (6 * s->want)) - 1, *bytes);
}

/* The index of the first wrong byte, or len. */
static size_t slow_check(const uint8_t *buf, size_t len, bool *is_open)
{
	struct slow s = {0};
	unsigned bytes = 0;
	for (size_t i = 0; i < len; i++)
		if (!slow_step(&s, buf[i], &bytes))
			return i;
	*is_open = s.want > 0;
	return len;
}

static const uint8_t key[4] = {0xa5, 0x00, 0xff, 0x5a};

static bool agrees(const uint8_t *buf, size_t len, utf8_state state)
{
	bool is_open = false;
	bool is_right = slow_check(buf, len, &is_open) == len;
	return is_right ? (state == UTF8_START) == !is_open && state != UTF8_WRONG
	                : state == UTF8_WRONG;
}

/* Every form, masked, in a block of just that size, against the judge. */
static void try_forms(const uint8_t *text, size_t len, unsigned phase)
{
	uint8_t *exact = malloc(len + (len == 0));
	for (size_t i = 0; i < len; i++)
		exact[i] = text[i] ^ key[(phase + i) % 4];
	for (const struct utf8_form *form = utf8_forms; form->name; form++) {
		if (!form->is_supported())
			continue;
		utf8_state state = utf8_check_form(
		        form, UTF8_START, exact, len, key_skip(key_load(key), phase));
		ck_assert_msg(agrees(text, len, state), "%s: len %zu phase %u state %u", form->name,
		        len, phase, state);
	}
	free(exact);
}

static const uint8_t edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2,
        0xe0, 0xed, 0xf0, 0xf4, 0xff};
enum { EDGES = sizeof(edges) };

/* All third bytes, or some when the first two are wrong already. */
static size_t try_third_bytes(uint8_t first, uint8_t second)
{
	uint8_t b[3] = {first, second, 0};
	bool is_open, is_over = slow_check(b, 2, &is_open) < 2;
	size_t wrong = !agrees(b, 2, utf8_check(UTF8_START, b, 2));
	for (size_t i = 0; i < (is_over ? EDGES : 256); i++) {
		b[2] = is_over ? edges[i] : (uint8_t)i;
		wrong += !agrees(b, 3, utf8_check(UTF8_START, b, 3));
	}
	return wrong;
}

START_TEST(every_sequence_of_up_to_3_bytes)
{
	size_t wrong = 0;
	for (unsigned first = 0; first < 256; first++) {
		uint8_t b = (uint8_t)first;
		wrong += !agrees(&b, 1, utf8_check(UTF8_START, &b, 1));
		for (unsigned second = 0; second < 256; second++)
			wrong += try_third_bytes(b, (uint8_t)second);
	}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* In the middle of ASCII, across the borders of words and vectors, and at the end. */
static void try_placed(const uint8_t *seq, size_t n)
{
	static const size_t places[] = {0, 13, 15, 30, 33};
	uint8_t text[48];
	size_t wrong = 0;
	memset(text, 'x', sizeof(text));
	for (size_t i = seq[n - 1] % 2; i < sizeof(places) / sizeof(*places); i += 2) {
		memcpy(text + places[i], seq, n);
		for (const struct utf8_form *f = utf8_forms; f->name; f++) {
			if (!f->is_supported())
				continue;
			size_t end = places[i] + n;
			utf8_state whole = utf8_check_form(f, UTF8_START, text, sizeof(text), 0);
			wrong += !agrees(text, sizeof(text), whole);
			wrong += !agrees(text, end, utf8_check_form(f, UTF8_START, text, end, 0));
		}
		memset(text + places[i], 'x', n);
	}
	ck_assert_uint_eq(wrong, 0);
}

START_TEST(every_lead_and_second_byte_in_every_form)
{
	for (uint32_t n = 0; n < 1 << 16; n++)
		for (size_t i = 0; i < EDGES; i += n % 3 + 1) {
			uint8_t seq[4] = {(uint8_t)(n >> 8), (uint8_t)n, edges[i],
			        edges[(i * 7 + n) % EDGES]};
			if (seq[0] < 0xc0 && (n + i) % 16)
				continue; /* the ASCII and continuation leads are all alike */
			try_placed(seq, 3 + (n + i) % 2);
		}
}
END_TEST

static uint32_t random_state = 12345;
static uint32_t rnd(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % bound;
}

static size_t put(uint8_t *out, uint32_t c)
{
	if (c < 0x80)
		return out[0] = (uint8_t)c, 1;
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (uint8_t)(0x80 | (c & 0x3f));
	out[0] = (uint8_t)((0xf00u >> n) | c);
	return n;
}

static uint32_t random_char(unsigned mix)
{
	static const uint32_t from[] = {1, 0x80, 0x800, 0xe000, 0x10000};
	static const uint32_t to[] = {0x80, 0x800, 0xd800, 0x10000, 0x110000};
	unsigned kind = mix == 5 ? rnd(5) : mix == 6 ? (rnd(40) ? 0 : rnd(5)) : mix;
	return from[kind] + rnd(to[kind] - from[kind]);
}

/* Sound text of just that length; ASCII fills what no character fits into. */
static void fill(uint8_t *text, size_t len, unsigned mix)
{
	uint8_t c[4];
	for (size_t i = 0; i < len;) {
		size_t n = put(c, random_char(mix));
		if (n > len - i)
			n = put(c, 'z');
		memcpy(text + i, c, n);
		i += n;
	}
}

START_TEST(every_length_phase_and_form)
{
	uint8_t text[700];
	/* The widest form takes 256 bytes at once, behind the first 64. */
	for (size_t len = 0; len <= sizeof(text); len += len < 350 ? 1 : 7)
		for (unsigned mix = 0; mix < 7; mix++) {
			fill(text, len, mix);
			for (unsigned phase = 0; phase < 4; phase++)
				try_forms(text, len, phase);
			/* One byte changed, at each place in turn; and cut short. */
			for (size_t i = 0; i < len; i += 1 + (len > 70) * (mix + 3)) {
				uint8_t old = text[i];
				text[i] = (i + len) % 3 ? edges[rnd(EDGES)] : (uint8_t)rnd(256);
				try_forms(text, len, mix % 4);
				text[i] = old;
				try_forms(text, i, mix % 4);
			}
		}
}
END_TEST

START_TEST(all_alignments)
{
	uint8_t block[64 + 400], text[400];
	for (size_t offset = 0; offset < 64; offset++)
		for (unsigned mix = 0; mix < 7; mix++) {
			fill(text, sizeof(text), mix);
			memcpy(block + offset, text, sizeof(text));
			for (const struct utf8_form *f = utf8_forms; f->name; f++)
				ck_assert(!f->is_supported() ||
				          !utf8_check_form(
				                  f, UTF8_START, block + offset, sizeof(text), 0));
		}
}
END_TEST

START_TEST(a_wrong_byte_is_found_when_it_arrives)
{
	uint8_t text[500];
	for (int round = 0; round < 300; round++) {
		size_t len = 1 + rnd(sizeof(text));
		fill(text, len, (unsigned)round % 7);
		text[rnd((uint32_t)len)] = edges[rnd(EDGES)];
		bool is_open;
		size_t first = slow_check(text, len, &is_open);
		for (const struct utf8_form *f = utf8_forms; f->name; f++)
			for (size_t n = 0; n <= len; n++) {
				if (!f->is_supported())
					continue;
				utf8_state s = utf8_check_form(f, UTF8_START, text, n, 0);
				ck_assert_uint_eq(s == UTF8_WRONG, n > first);
				/* And in two calls, the second from any state. */
				size_t cut = n > 0 ? rnd((uint32_t)n) : 0;
				utf8_state half = utf8_check_form(f, UTF8_START, text, cut, 0);
				ck_assert_uint_eq(
				        utf8_check_form(f, half, text + cut, n - cut, 0), s);
			}
	}
}
END_TEST

/* F-22: 4-byte characters cut anywhere, at any phase of the mask. */
START_TEST(characters_cut_over_calls)
{
	uint8_t text[64], masked[64];
	fill(text, sizeof(text), 4);
	for (size_t i = 0; i < sizeof(text); i++)
		masked[i] = text[i] ^ key[i % 4];
	for (size_t a = 0; a <= sizeof(text); a++)
		for (size_t b = a; b <= sizeof(text); b++) {
			utf8_state s = utf8_check_masked(UTF8_START, masked, a, key, 0);
			s = utf8_check_masked(s, masked + a, b - a, key, a % 4);
			s = utf8_check_masked(s, masked + b, sizeof(text) - b, key, b % 4);
			ck_assert_uint_eq(s, UTF8_START);
		}
}
END_TEST

START_TEST(wrong_stays_wrong)
{
	ck_assert_uint_eq(utf8_check(UTF8_WRONG, (const uint8_t *)"a", 1), UTF8_WRONG);
	ck_assert_uint_eq(utf8_check(UTF8_WRONG, NULL, 0), UTF8_WRONG);
	ck_assert_uint_eq(utf8_check(UTF8_START, (const uint8_t *)"", 0), UTF8_START);
}
END_TEST

/* A fault in a long text, at the block it lies in and right behind it. */
START_TEST(faults_in_long_texts)
{
	enum { LEN = 4096 };
	uint8_t *text = malloc(LEN);
	for (unsigned mix = 0; mix < 7; mix++)
		for (int round = 0; round < 200; round++) {
			fill(text, LEN, mix);
			text[rnd(LEN)] = edges[rnd(EDGES)];
			try_forms(text, LEN - rnd(200), (unsigned)round % 4);
		}
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ws_utf8");
	TCase *c = tcase_create("utf8");
	tcase_set_timeout(c, 30);
	tcase_add_test(c, every_sequence_of_up_to_3_bytes);
	tcase_add_test(c, every_lead_and_second_byte_in_every_form);
	tcase_add_test(c, every_length_phase_and_form);
	tcase_add_test(c, all_alignments);
	tcase_add_test(c, a_wrong_byte_is_found_when_it_arrives);
	tcase_add_test(c, characters_cut_over_calls);
	tcase_add_test(c, wrong_stays_wrong);
	tcase_add_test(c, faults_in_long_texts);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
