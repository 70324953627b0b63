/* SPDX-License-Identifier: BSD-2-Clause */
/* K-09: a good configuration with every byte deleted, flipped or doubled: never a crash
 * or a leak, the verdict always told, and the same each time, at a start and beside the
 * original as it runs. It is conf/demo.conf, and conf/moongate.conf with every key that it shows
 * set. Run from the top of the tree. */
#include "config/config.h"

#include "base/mem.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char original[16384];
static size_t original_len;
static struct config *running;

static void take(const char *path)
{
	FILE *f = fopen(path, "r");
	ck_assert_msg(f != NULL, "run from the top of the tree");
	original_len = fread(original, 1, sizeof original, f);
	ck_assert_uint_lt(original_len, sizeof original);
	original[original_len] = '\0';
	fclose(f);
}

static void run(void)
{
	struct config_errors errors;
	running = config_load_text("t", original, original_len, &errors);
	ck_assert_msg(running != NULL && !errors.text, "%s", errors.text ? errors.text : "");
}

static void setup(void)
{
	take("conf/demo.conf");
	run();
}

/* Of a line of the sample: what belongs to it without comments. */
static const char *set_line(const char *line)
{
	/* An include is no file here; these are always warned of, or beside the others. */
	static const char *const left_out[] = {
	        ";include", ";tls_key_log", ";tls_client_ca", ";tls_client =", ";echo"};
	for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++)
		if (strncmp(line, left_out[i], strlen(left_out[i])) == 0)
			return "";
	return line[0] == '#' ? "" : line[0] == ';' ? line + 1 : line;
}

static void setup_sample(void)
{
	size_t len = 0;
	take("conf/moongate.conf");
	char *text = mem_strdup(original);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (set_line(line)[0])
			len += (size_t)sprintf(original + len, "%s\n", set_line(line));
	mem_free(text);
	original_len = len;
	run();
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

/* The bit that is flipped goes with the place; all of them would take too long. So would every
 * place with a sanitizer. */
START_TEST(k09_sample)
{
	char text[sizeof original + 1];
	const char *san = getenv("SAN");
	size_t step = san && san[0] ? 7 : 1;
	for (size_t i = 0; i < original_len; i += step) {
		memcpy(text, original, i);
		memcpy(text + i, original + i + 1, original_len - i - 1);
		check(text, original_len - 1);
		memcpy(text + i + 1, original + i, original_len - i);
		text[i] = original[i];
		check(text, original_len + 1);
		memcpy(text, original, original_len);
		text[i] = (char)(original[i] ^ (1 << i % 8));
		check(text, original_len);
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("mutations"), *sample = tcase_create("sample");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, k09_original);
	tcase_add_test(t, k09_deleted);
	tcase_add_test(t, k09_doubled);
	tcase_add_test(t, k09_flipped);
	tcase_add_test(t, k09_cut);
	Suite *s = suite_create("config_mutations");
	suite_add_tcase(s, t);
	suite_add_tcase(s, sample);
	tcase_set_timeout(sample, 120);
	tcase_add_checked_fixture(sample, setup_sample, teardown);
	tcase_add_test(sample, k09_original);
	tcase_add_test(sample, k09_sample);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
