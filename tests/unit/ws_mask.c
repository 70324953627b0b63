/* SPDX-License-Identifier: BSD-2-Clause */
#include "ws/mask.h"

#include "ws/forms.h"
#include "ws/word.h"

#include <check.h>
#include <stdlib.h>

static const uint8_t key[4] = {0x9a, 0x01, 0xf7, 0x3c};

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 151 + (i >> 8) * 7 + 3);
}

/* In a block that ends where the bytes end, at the given distance from alignment. */
static uint8_t *filled(size_t offset, size_t len, uint8_t **block)
{
	*block = malloc(offset + len + (offset + len == 0));
	for (size_t i = 0; i < offset + len; i++)
		(*block)[i] = pattern(i);
	return *block + offset;
}

static void expect_masked(const uint8_t *block, size_t offset, size_t len, unsigned phase)
{
	for (size_t i = 0; i < offset; i++)
		ck_assert_uint_eq(block[i], pattern(i));
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(block[offset + i], pattern(offset + i) ^ key[(phase + i) % 4]);
}

static void try_form(const struct ws_mask_form *form, size_t offset, size_t len, unsigned phase)
{
	uint8_t *block, *buf = filled(offset, len, &block);
	form->run(buf, len, key_skip(key_load(key), phase));
	size_t wrong = 0;
	for (size_t i = 0; i < offset; i++)
		wrong += block[i] != pattern(i);
	for (size_t i = 0; i < len; i++)
		wrong += buf[i] != (pattern(offset + i) ^ key[(phase + i) % 4]);
	ck_assert_msg(
	        wrong == 0, "%s: offset %zu, len %zu, phase %u", form->name, offset, len, phase);
	free(block);
}

START_TEST(every_form_length_phase_and_alignment)
{
	for (const struct ws_mask_form *form = ws_mask_forms; form->name; form++) {
		if (!form->is_supported())
			continue;
		for (size_t len = 0; len <= 300; len++)
			for (unsigned phase = 0; phase < 4; phase++)
				for (size_t offset = 0; offset < 33;
				        offset += len < 40 ? 1 : 4 + phase)
					try_form(form, offset, len, phase);
	}
}
END_TEST

START_TEST(phase_follows_the_bytes)
{
	for (size_t len = 0; len < 70; len++) {
		uint8_t *block, *buf = filled(1, len, &block);
		unsigned phase = 2;
		for (size_t i = 0; i < len; i++)
			phase = ws_mask(buf + i, 1, key, phase);
		ck_assert_uint_eq(phase, (2 + len) % 4);
		expect_masked(block, 1, len, 2);
		ck_assert_uint_eq(ws_mask(buf, len, key, 2), phase);
		for (size_t i = 0; i < len; i++)
			ck_assert_uint_eq(buf[i], pattern(1 + i));
		free(block);
	}
}
END_TEST

START_TEST(large)
{
	static const size_t sizes[] = {4096, 16384, 65535, 65536, 1 << 20};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint8_t *block, *buf = filled(14, sizes[i], &block);
		ws_mask(buf, sizes[i], key, 1);
		size_t wrong = 0;
		for (size_t j = 0; j < sizes[i]; j++)
			wrong += buf[j] != (pattern(14 + j) ^ key[(1 + j) % 4]);
		ck_assert_uint_eq(wrong, 0);
		free(block);
	}
}
END_TEST

START_TEST(word_helpers)
{
	uint8_t text[40];
	for (size_t len = 0; len <= sizeof(text); len++) {
		uint8_t *exact = malloc(len + (len == 0));
		for (size_t i = 0; i < len; i++)
			exact[i] = (uint8_t)('a' + i % 26) ^ key[i % 4];
		ck_assert(word_is_ascii(exact, len, key_load(key)));
		for (size_t i = 0; i < len; i++) {
			exact[i] ^= 0x80;
			ck_assert(!word_is_ascii(exact, len, key_load(key)));
			exact[i] ^= 0x80;
		}
		free(exact);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ws_mask");
	TCase *c = tcase_create("mask");
	tcase_set_timeout(c, 30);
	tcase_add_test(c, every_form_length_phase_and_alignment);
	tcase_add_test(c, phase_follows_the_bytes);
	tcase_add_test(c, large);
	tcase_add_test(c, word_helpers);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
