/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/siphash.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The paper's example: key 00 01 .. 0f, message 00 01 .. of each length. */
START_TEST(known_answers)
{
	static const struct {
		size_t len;
		uint64_t want;
	} rows[] = {{0, UINT64_C(0x726fdb47dd0e0e31)}, {1, UINT64_C(0x74f839c593dc67fd)},
	        {7, UINT64_C(0xab0200f58b01d137)}, {8, UINT64_C(0x93f5f5799a932462)},
	        {15, UINT64_C(0xa129ca6149be45e5)}};
	uint8_t key[SIPHASH_KEY_LEN];
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t *exact = malloc(rows[i].len + 1);
		uint8_t *at = exact + 1; /* not aligned, nothing behind */
		for (size_t k = 0; k < rows[i].len; k++)
			at[k] = (uint8_t)k;
		ck_assert_uint_eq(siphash(key, at, rows[i].len), rows[i].want);
		free(exact);
	}
}
END_TEST

/* What Python 3.11 says of bytes(range(16)) and bytes(16), with a key of zeros. */
START_TEST(known_answers_of_fewer_rounds)
{
	static const uint8_t key[SIPHASH_KEY_LEN];
	uint8_t text[16] = {0};
	ck_assert_uint_eq(siphash13_16(key, text), UINT64_C(0x76be999e3e25b2a0));
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)i;
	ck_assert_uint_eq(siphash13_16(key, text), UINT64_C(0x8972188433a5c5b7));
}
END_TEST

/* The reference implementation's vectors, words as they lie in memory on its machine. */
START_TEST(known_answers_of_128_bits)
{
	static const struct {
		size_t len;
		uint64_t want[2];
	} rows[] = {{0, {UINT64_C(0xe6a825ba047f81a3), UINT64_C(0x930255c71472f66d)}},
	        {1, {UINT64_C(0x44af996bd8c187da), UINT64_C(0x45fc229b11597634)}}};
	uint8_t key[SIPHASH_KEY_LEN], text[1] = {0};
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t out[2];
		siphash128(out, key, text, rows[i].len);
		ck_assert_uint_eq(out[0], rows[i].want[0]);
		ck_assert_uint_eq(out[1], rows[i].want[1]);
	}
}
END_TEST

START_TEST(every_bit_counts)
{
	uint8_t key[SIPHASH_KEY_LEN] = {1}, text[24] = {2};
	uint64_t was = siphash(key, text, sizeof text);
	for (size_t i = 0; i < 8 * sizeof text; i++) {
		text[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_assert_uint_ne(siphash(key, text, sizeof text), was);
		text[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t i = 0; i < 8 * sizeof key; i++) {
		key[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_assert_uint_ne(siphash(key, text, sizeof text), was);
		key[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	ck_assert_uint_ne(siphash(key, text, sizeof text - 1), was);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base_siphash");
	TCase *tc = tcase_create("siphash");
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, known_answers);
	tcase_add_test(tc, known_answers_of_fewer_rounds);
	tcase_add_test(tc, known_answers_of_128_bits);
	tcase_add_test(tc, every_bit_counts);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
