/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ffi_symbols.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(bytes_become_digits)
{
	unsigned char *out = malloc(6);

	ck_assert_ptr_eq(ngx_hex_dump(out, (const unsigned char *)"\x00\x9f\xff", 3), out + 6);
	ck_assert_int_eq(memcmp(out, "009fff", 6), 0);
	ck_assert_ptr_eq(ngx_hex_dump(out, NULL, 0), out);
	free(out);
}
END_TEST

START_TEST(digits_become_a_number)
{
	static const struct {
		const char *text;
		intptr_t want;
	} rows[] = {{"0", 0}, {"007", 7}, {"9223372036854775807", INTPTR_MAX}, {"", -1}, {"-1", -1},
	        {"1x", -1}, {" 1", -1}, {"9223372036854775808", -1}, {"99999999999999999999", -1}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].text);
		unsigned char *exact = malloc(len ? len : 1);
		memcpy(exact, rows[i].text, len);
		ck_assert_int_eq(ngx_atoi(exact, len), rows[i].want);
		free(exact);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lua_ffi_symbols");
	TCase *tc = tcase_create("ffi_symbols");
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, bytes_become_digits);
	tcase_add_test(tc, digits_become_a_number);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
