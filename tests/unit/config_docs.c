/* SPDX-License-Identifier: BSD-2-Clause */
/* The schema, the sample file and the manual page say the same, and the tests that
 * docs/conformance.md names exist. Run from the top of the tree. After a change of the
 * schema, UPDATE_DOCS=1 writes the manual's list of keys anew. */
#include "config/config.h"
#include "config/schema.h"

#include "base/mem.h"

#include <check.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLE      "conf/moongate.conf"
#define MAN         "docs/moongate.conf.5"
#define CONFORMANCE "docs/conformance.md"
#define MAN_BEGIN   ".\\\" Begin of the list of keys, which the schema generates.\n"
#define MAN_END     ".\\\" End of the list of keys.\n"

static char *contents(const char *path)
{
	FILE *f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s: run from the top of the tree", path);
	char *text = mem_new(1 << 20);
	size_t len = fread(text, 1, (1 << 20) - 1, f);
	ck_assert_uint_lt(len, (1 << 20) - 1);
	fclose(f);
	return text;
}

static void load(const char *name, const char *text)
{
	struct config_errors errors;
	struct config *c = config_load_text(name, text, strlen(text), &errors);
	ck_assert_msg(c != NULL && !errors.text, "%s", errors.text ? errors.text : "");
	config_free(c);
}

START_TEST(sample_loads)
{
	char *text = contents(SAMPLE);
	load(SAMPLE, text);
	mem_free(text);
}
END_TEST

/* The sample's lines, `;key = value` and `key = value` alike, by section. */
struct line {
	enum schema_kind kind;
	char key[32], value[100];
	bool is_commented;
};

static size_t sample_lines(struct line *out, size_t max)
{
	char *text = contents(SAMPLE);
	enum schema_kind kind = KIND_N;
	size_t n = 0;
	for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n")) {
		char word[32];
		ck_assert_uint_lt(n, max);
		struct line *l = &out[n];
		l->is_commented = at[0] == ';';
		if (at[0] == '#')
			continue;
		if (sscanf(at, "[%31[a-z_]", word) == 1)
			kind = (enum schema_kind)(schema_find_section(word) - schema_section);
		else if (sscanf(at + l->is_commented, "%31[a-z_0-9] = %99[^\n]", l->key,
		                 l->value) == 2)
			out[n++].kind = kind;
		else
			ck_abort_msg("%s: %s", SAMPLE, at);
	}
	mem_free(text);
	return n;
}

START_TEST(sample_has_every_key)
{
	static struct line lines[300];
	size_t n = sample_lines(lines, 300);
	for (size_t k = 0; k < schema_key_n; k++) {
		enum schema_kind kind =
		        schema_key[k].flags & KEY_DEFAULTS ? KIND_DEFAULTS : schema_key[k].kind;
		bool found = false;
		for (size_t i = 0; i < n && !found; i++)
			found = lines[i].kind == kind &&
			        strcmp(lines[i].key, schema_key[k].name) == 0;
		ck_assert_msg(found, "%s lacks %s", SAMPLE, schema_key[k].name);
	}
}
END_TEST

START_TEST(sample_shows_the_defaults)
{
	static struct line lines[300];
	size_t n = sample_lines(lines, 300);
	for (size_t i = 0; i < n; i++) {
		const struct schema_key *k = schema_find(lines[i].kind, lines[i].key);
		ck_assert_msg(k != NULL, "%s", lines[i].key);
		if (lines[i].is_commented && k->initial)
			ck_assert_str_eq(lines[i].value, k->initial);
	}
}
END_TEST

/* Every commented key may be set as it stands. An include is left out: this is
 * no file. And what is always warned of, or beside the other keys' defaults. */
START_TEST(sample_loads_with_every_key)
{
	char *text = contents(SAMPLE);
	for (char *at = text; (at = strchr(at, ';')); at++)
		if ((at == text || at[-1] == '\n') && strncmp(at, ";include", 8) != 0 &&
		        strncmp(at, ";tls_key_log", 12) != 0 &&
		        strncmp(at, ";tls_client_ca", 14) != 0 &&
		        strncmp(at, ";tls_client =", 13) != 0 && strncmp(at, ";echo", 5) != 0)
			*at = '\n';
	load(SAMPLE, text);
	mem_free(text);
}
END_TEST

START_TEST(demonstration_loads)
{
	char *text = contents("conf/demo.conf");
	load("conf/demo.conf", text);
	mem_free(text);
}
END_TEST

static char *printed(void (*print)(FILE *))
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	ck_assert_ptr_nonnull(f);
	print(f);
	fclose(f);
	return text;
}

static void update_manual(const char *text, const char *begin, const char *list, const char *end)
{
	FILE *f = fopen(MAN, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "%.*s%s%s", (int)(begin - text), text, list, end);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(manual_lists_the_schema)
{
	char *text = contents(MAN), *list = printed(config_help_roff);
	char *begin = strstr(text, MAN_BEGIN), *end = strstr(text, MAN_END);
	ck_assert(begin && end && begin < end);
	begin += strlen(MAN_BEGIN);
	if (getenv("UPDATE_DOCS")) {
		update_manual(text, begin, list, end);
	} else {
		ck_assert_msg(strlen(list) == (size_t)(end - begin) &&
		                      strncmp(list, begin, strlen(list)) == 0,
		        "%s is not what the schema says: run this test with UPDATE_DOCS=1", MAN);
	}
	mem_free(text);
	free(list);
}
END_TEST

START_TEST(help_names_every_key)
{
	char *text = printed(config_help);
	for (size_t k = 0; k < schema_key_n; k++) {
		char form[SCHEMA_FORM_MAX], line[SCHEMA_FORM_MAX + 40];
		snprintf(line, sizeof line, "\n  %s = %s\n", schema_key[k].name,
		        schema_form(&schema_key[k], form));
		ck_assert_msg(strstr(text, line) != NULL, "%s", line);
		ck_assert_ptr_nonnull(strstr(text, schema_key[k].help));
	}
	free(text);
}
END_TEST

/* What the table itself must keep to. */
START_TEST(schema_is_sound)
{
	for (size_t k = 0; k < schema_key_n; k++) {
		const struct schema_key *row = &schema_key[k];
		char form[SCHEMA_FORM_MAX];
		ck_assert_ptr_eq(schema_find(row->kind, row->name), row);
		ck_assert_uint_gt(strlen(schema_form(row, form)), 0);
		ck_assert_uint_lt(strlen(form), SCHEMA_FORM_MAX - 1);
		ck_assert_msg(islower((unsigned char)row->name[0]) &&
		                      row->help[strlen(row->help) - 1] != '.',
		        "%s", row->name);
		ck_assert_msg(!(row->flags & KEY_REQUIRED) || !row->initial, "%s", row->name);
	}
}
END_TEST

START_TEST(suggestions)
{
	ck_assert_str_eq(schema_suggest_key(KIND_ROUTE, "paht"), "path");
	ck_assert_str_eq(schema_suggest_key(KIND_LISTENER, "binds"), "bind");
	ck_assert_str_eq(schema_suggest_key(KIND_DEFAULTS, "maxmessage"), "max_message");
	ck_assert_ptr_null(schema_suggest_key(KIND_ROUTE, "colour"));
	ck_assert_ptr_null(schema_suggest_key(KIND_ROUTE, ""));
	ck_assert_ptr_null(
	        schema_suggest_key(KIND_ROUTE, "a_word_that_is_much_longer_than_any_key_of_ours"));
	ck_assert_str_eq(schema_suggest_section("listner"), "listener");
	ck_assert_ptr_null(schema_suggest_section("x"));
}
END_TEST

/* Whether tests/FILE defines the test. */
static bool test_exists(const char *file, const char *test)
{
	char path[120], line[120];
	bool in_c = strstr(file, ".c") != NULL;
	snprintf(path, sizeof path, "tests/%s", file);
	snprintf(line, sizeof line, in_c ? "\nSTART_TEST(%s)" : "\ndef %s(", test);
	if (access(path, R_OK) != 0)
		return false;
	char *text = contents(path);
	bool found = strstr(text, line) != NULL;
	mem_free(text);
	return found;
}

/* The tests named in a line, as `unit/FILE::TEST` or `e2e/FILE::TEST`. */
static size_t tests_named(const char *line)
{
	size_t n = 0;
	for (const char *at = line; (at = strchr(at, '`')); at++) {
		char file[60], test[80];
		if (sscanf(at, "`%59[a-z0-9_/.]::%79[A-Za-z0-9_]`", file, test) != 2)
			continue;
		ck_assert_msg(
		        test_exists(file, test), "%s: no test %s::%s", CONFORMANCE, file, test);
		n++;
	}
	return n;
}

START_TEST(conformance_names_tests)
{
	char *text = contents(CONFORMANCE);
	size_t rows = 0, named = 0;
	for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n")) {
		size_t n = tests_named(at);
		bool is_row = at[0] == '|' && at[1] == ' ' && isdigit((unsigned char)at[2]);
		rows += is_row;
		named += n;
		ck_assert_msg(!is_row || n > 0 || strstr(at, "none to show"),
		        "%s: without a test or a reason: %s", CONFORMANCE, at);
	}
	ck_assert_uint_gt(rows, 80);
	ck_assert_uint_gt(named, rows);
	mem_free(text);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("docs");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, sample_loads);
	tcase_add_test(t, sample_has_every_key);
	tcase_add_test(t, sample_shows_the_defaults);
	tcase_add_test(t, sample_loads_with_every_key);
	tcase_add_test(t, demonstration_loads);
	tcase_add_test(t, manual_lists_the_schema);
	tcase_add_test(t, help_names_every_key);
	tcase_add_test(t, schema_is_sound);
	tcase_add_test(t, suggestions);
	tcase_add_test(t, conformance_names_tests);
	Suite *s = suite_create("config_docs");
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
