/* SPDX-License-Identifier: BSD-2-Clause */
/* K-09: conf/demo.conf with every byte deleted, flipped or doubled: never a crash
 * or a leak, the verdict always told, and the same each time, at a start and beside the
 * original as it runs. Run from the top of the tree. */
#include "config/config.h"

#include "base/mem.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char original[8192];
static size_t original_len;
static struct config *running;

static void setup(void)
{
	FILE *f = fopen("conf/demo.conf", "r");
	ck_assert_msg(f != NULL, "run from the top of the tree");
	original_len = fread(original, 1, sizeof original, f);
	ck_assert_uint_lt(original_len, sizeof original);
	fclose(f);
	struct config_errors errors;
	running = config_load_text("t", original, original_len, &errors);
	ck_assert_ptr_nonnull(running);
}

static void teardown(void)
{
	config_free(running);
}

static bool judge(
        const char *text, size_t len, const struct config *beside, struct config_errors *errors)
{
	char *exact = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, text, len);
	struct config *c = config_reload_text("t", exact, len, beside, errors);
	free(exact);
	ck_assert((c != NULL) == (errors->n == 0));
	ck_assert(errors->n == 0 || errors->text);
	config_free(c);
	return c != NULL;
}

static void check(const char *text, size_t len)
{
	struct config_errors first, second;
	bool verdict = judge(text, len, NULL, &first);
	ck_assert_int_eq(judge(text, len, running, &second), verdict);
	/* A warning more: what only a start can change. */
	ck_assert(!first.text || second.text);
	if (first.text && first.n > 0 && !strstr(second.text, "needs a restart"))
		ck_assert_str_eq(first.text, second.text);
	config_errors_free(&first);
	config_errors_free(&second);
}

START_TEST(k09_original)
{
	struct config_errors errors;
	ck_assert(judge(original, original_len, running, &errors));
	ck_assert_ptr_null(errors.text);
}
END_TEST

START_TEST(k09_deleted)
{
	char text[sizeof original];
	for (size_t i = 0; i < original_len; i++) {
		memcpy(text, original, i);
		memcpy(text + i, original + i + 1, original_len - i - 1);
		check(text, original_len - 1);
	}
}
END_TEST

START_TEST(k09_doubled)
{
	char text[sizeof original + 1];
	for (size_t i = 0; i < original_len; i++) {
		memcpy(text, original, i + 1);
		memcpy(text + i + 1, original + i, original_len - i);
		check(text, original_len + 1);
	}
}
END_TEST

START_TEST(k09_flipped)
{
	char text[sizeof original];
	memcpy(text, original, original_len);
	for (size_t i = 0; i < original_len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			text[i] = (char)(original[i] ^ (1 << bit));
			check(text, original_len);
		}
		text[i] = original[i];
	}
}
END_TEST

START_TEST(k09_cut)
{
	for (size_t len = 0; len < original_len; len++)
		check(original, len);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("mutations");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, k09_original);
	tcase_add_test(t, k09_deleted);
	tcase_add_test(t, k09_doubled);
	tcase_add_test(t, k09_flipped);
	tcase_add_test(t, k09_cut);
	Suite *s = suite_create("config_mutations");
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
