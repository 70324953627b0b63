/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/reader.h"

#include "base/mem.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct reader_file file = {(char *)"t.conf", 0};
static struct reader_doc doc;
static struct problems problems;

static void read_bytes(const char *text, size_t len)
{
	/* Exact size: a byte read behind it is seen. */
	char *copy = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, len);
	problems_init(&problems);
	doc = (struct reader_doc){.n = 0};
	reader_read(&doc, &file, copy, len, &problems);
	free(copy);
}

static void done(void)
{
	reader_doc_fini(&doc);
	problems_fini(&problems);
}

static char *text_of_problems(void)
{
	struct problem_line *line;
	size_t n;
	char *text = problems_text(&problems, &line, &n);
	mem_free(line);
	return text;
}

/* Reads the text; all that is told must be `want` (NULL: nothing). */
static void expect(const char *text, const char *want)
{
	read_bytes(text, strlen(text));
	char *told = text_of_problems();
	if (want)
		ck_assert_str_eq(told ? told : "", want);
	else
		ck_assert_ptr_null(told);
	mem_free(told);
}

/* As expect(), when the sections are of no interest. */
static void refuse(const char *text, const char *want)
{
	expect(text, want);
	done();
}

static void check_value(size_t section, const char *key, const char *value, unsigned line)
{
	ck_assert_uint_lt(section, doc.n);
	const struct reader_entry *e = reader_find(doc.section[section], key);
	ck_assert_ptr_nonnull(e);
	ck_assert_str_eq(e->value, value);
	ck_assert_uint_eq(e->line, line);
}

START_TEST(sections_and_lines)
{
	expect("; first\n\n[a]\nx = 1\n# c\n[ b   c.d-e_F ] ; comment\n y=2 ; tail\n[empty]\n",
	        NULL);
	ck_assert_uint_eq(doc.n, 3);
	ck_assert_str_eq(doc.section[0]->kind, "a");
	ck_assert_str_eq(doc.section[0]->name, "");
	check_value(0, "x", "1", 4);
	ck_assert_str_eq(doc.section[1]->kind, "b");
	ck_assert_str_eq(doc.section[1]->name, "c.d-e_F");
	ck_assert_uint_eq(doc.section[1]->line, 6);
	check_value(1, "y", "2", 7);
	ck_assert_str_eq(doc.section[2]->kind, "empty");
	ck_assert_uint_eq(doc.section[2]->line, 8);
	ck_assert_uint_eq(doc.section[2]->entry_n, 0);
	done();
}
END_TEST

START_TEST(repeated_sections_and_keys_stay)
{
	expect("[a b]\nx=1\nx=2\n[a b]\nx=3", NULL);
	ck_assert_uint_eq(doc.n, 2);
	ck_assert_uint_eq(doc.section[0]->entry_n, 2);
	ck_assert_str_eq(doc.section[0]->entry[1].value, "2");
	ck_assert_uint_eq(doc.section[0]->entry[1].line, 3);
	check_value(1, "x", "3", 5);
	done();
}
END_TEST

START_TEST(continuation)
{
	expect("[a]\nx = 1 ; one\n\ty\n# between\n\n   z  ; end\nw = \n  v\n", NULL);
	check_value(0, "x", "1 y z", 2);
	check_value(0, "w", "v", 7);
	done();
}
END_TEST

START_TEST(long_values_by_continuation)
{
	char text[4096] = "[a]\nx = ", part[64];
	memset(part, 'p', 63);
	part[63] = '\0';
	for (int i = 0; i < 20; i++) {
		strcat(text, part);
		strcat(text, "\n ");
	}
	expect(text, NULL);
	ck_assert_uint_eq(strlen(doc.section[0]->entry[0].value), 20 * 63 + 19);
	done();
}
END_TEST

START_TEST(value_has_a_limit)
{
	size_t lines = 200, each = 100, len = 0;
	char *text = malloc(lines * (each + 2) + 16);
	ck_assert_ptr_nonnull(text);
	len += (size_t)sprintf(text, "[a]\nx=\n");
	for (size_t i = 0; i < lines; i++) {
		text[len++] = ' ';
		memset(text + len, 'v', each);
		len += each;
		text[len++] = '\n';
	}
	read_bytes(text, len);
	ck_assert_uint_eq(problems.errors, 1);
	ck_assert_ptr_nonnull(strstr(problems.at[0].text, "value of more than"));
	free(text);
	done();
}
END_TEST

/* K-01 */
START_TEST(k01_bom_crlf_and_high_bytes)
{
	expect("\xef\xbb\xbf[a]\r\nx = 1\r\n; \xff\xfe\x80\r\ny = caf\xc3\xa9\r\n\r\n", NULL);
	check_value(0, "x", "1", 2);
	check_value(0, "y", "caf\xc3\xa9", 4);
	done();
	refuse("\xef\xbb\xbf", NULL);
	refuse("\xef\xbb", "t.conf:1: want 'key = value', [section] or a comment");
}
END_TEST

START_TEST(k01_nul)
{
	static const char in_key[] = "[a]\nx = 1\0 2\ny = 3\n", in_comment[] = "[a]\n;\0\ny = 3\n";
	read_bytes(in_key, sizeof in_key - 1);
	ck_assert_uint_eq(problems.errors, 1);
	ck_assert_str_eq(problems.at[0].text, "NUL byte");
	ck_assert_uint_eq(problems.at[0].place.line, 2);
	check_value(0, "y", "3", 3);
	done();
	read_bytes(in_comment, sizeof in_comment - 1);
	ck_assert_uint_eq(problems.errors, 1);
	ck_assert_uint_eq(problems.at[0].place.line, 2);
	done();
}
END_TEST

/* A line of every length around inih's buffer: whole or refused, never cut, and
 * the lines after it keep their numbers. */
START_TEST(k01_long_lines)
{
	for (size_t len = 150; len < 460; len++) {
		char text[600], *at = text;
		at += sprintf(at, "[a]\nx = ");
		memset(at, 'v', len - 4);
		at += len - 4;
		strcpy(at, "\ny = 2\n");
		read_bytes(text, strlen(text));
		check_value(0, "y", "2", 3);
		if (len <= 198) {
			ck_assert_uint_eq(problems.errors, 0);
			ck_assert_uint_eq(strlen(doc.section[0]->entry[0].value), len - 4);
		} else {
			ck_assert_uint_eq(problems.errors, 1);
			ck_assert_uint_eq(problems.at[0].place.line, 2);
			ck_assert_uint_eq(doc.section[0]->entry_n, 1);
		}
		done();
	}
}
END_TEST

START_TEST(k01_line_of_10000)
{
	char *text = malloc(40000);
	ck_assert_ptr_nonnull(text);
	size_t len = (size_t)sprintf(text, "[a]\n;");
	memset(text + len, 'c', 10000);
	len += 10000;
	len += (size_t)sprintf(text + len, "\nx = ");
	memset(text + len, 'v', 10000);
	len += 10000;
	len += (size_t)sprintf(text + len, "\n continued\n[");
	memset(text + len, 's', 10000);
	len += 10000;
	len += (size_t)sprintf(text + len, "]\nz = 1\n");
	read_bytes(text, len);
	char *told = text_of_problems();
	ck_assert_str_eq(told, "t.conf:3: line of 10004 bytes: want at most 198; a longer value "
	                       "goes on in indented lines\n"
	                       "t.conf:5: section name of 10000 bytes: want at most 49");
	mem_free(told);
	free(text);
	done();
}
END_TEST

START_TEST(section_names_at_the_limit)
{
	char text[80];
	for (int len = 45; len < 55; len++) {
		sprintf(text, "[a %.*s]\n", len - 2,
		        "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn");
		read_bytes(text, strlen(text));
		ck_assert_uint_eq(problems.errors, len <= 49 ? 0 : 1);
		if (len <= 49)
			ck_assert_uint_eq(strlen(doc.section[0]->name), (size_t)len - 2);
		done();
	}
}
END_TEST

START_TEST(broken_lines)
{
	refuse("x = 1\n[a]\n", "t.conf:1: a key before the first [section]");
	refuse("[a\nx = 1\n", "t.conf:1: a section begins but ']' is missing: want [kind name]");
	refuse("[a] b\n", "t.conf:1: text behind a section's ']': want it in a line of its own");
	refuse("[]\n", "t.conf:1: want [kind name], the name of letters, digits, '_', '-' and '.'");
	refuse("[a b c]\n",
	        "t.conf:1: want [kind name], the name of letters, digits, '_', '-' and '.'");
	refuse("[a b/c]\n",
	        "t.conf:1: want [kind name], the name of letters, digits, '_', '-' and '.'");
	refuse("[a]\nx\ny = 1\nz", "t.conf:2: want 'key = value', [section] or a comment\n"
	                           "t.conf:4: want 'key = value', [section] or a comment");
	refuse("[a]\n= 1\n", "t.conf:2: want 'key = value', the key of letters and '_'");
	refuse("[a]\nbind 127.0.0.1:80\n",
	        "t.conf:2: want 'key = value', the key of letters and '_'");
	refuse("[a]\nx = 1\ry = 2\n",
	        "t.conf:2: a CR within a line: want lines that end with LF, or CR and LF");
	refuse("[a]\rx = 1\r",
	        "t.conf:1: a CR within a line: want lines that end with LF, or CR and LF");
	refuse("[a]\nx: 1\ny :2\nz = a:b\n", "t.conf:2: want 'key = value', with '=' and not ':'\n"
	                                     "t.conf:3: want 'key = value', with '=' and not ':'");
	refuse("\xff\xfe[\0a\0", "t.conf:1: this is UTF-16: want UTF-8");
	refuse("[a]\nx = \x1b[31m\n", "t.conf:2: control byte in a line");
	refuse("[a]\nx = \x7f\n", "t.conf:2: control byte in a line");
}
END_TEST

/* Indentation by habit must not make one value of two keys. */
START_TEST(lost_lines)
{
	refuse("[a]\n  workers = 1\n  log = stderr\n",
	        "t.conf:3: an indented line continues the value above: want keys and sections at "
	        "the margin");
	refuse("[a]\nx = 1\n  [b]\n", "t.conf:3: an indented line continues the value above: want "
	                              "keys and sections at the margin");
	expect("[a]\nserver = ws://h\n  weight=2\n", NULL);
	check_value(0, "server", "ws://h weight=2", 2);
	done();
}
END_TEST

/* What continues a refused line belongs to no other key. */
START_TEST(continuation_of_refused)
{
	expect("[a]\nx = 1\ny = \x01\n more\nz = 2\n", "t.conf:3: control byte in a line");
	check_value(0, "x", "1", 2);
	check_value(0, "z", "2", 5);
	done();
	expect("[a]\nx = 1\n[b c d]\n more = 2\nz = 2\n[e]\nw = 1\n",
	        "t.conf:3: want [kind name], the name of letters, digits, '_', '-' and '.'");
	check_value(0, "x", "1", 2);
	ck_assert_uint_eq(doc.n, 2);
	check_value(1, "w", "1", 7);
	ck_assert(doc.has_refused_section);
	done();
}
END_TEST

START_TEST(problems_are_bounded)
{
	char text[4000] = "[a]\n";
	for (int i = 0; i < 300; i++)
		strcat(text, "x\n");
	read_bytes(text, strlen(text));
	ck_assert_uint_eq(problems.errors, 300);
	ck_assert_uint_eq(problems.n, PROBLEMS_MAX);
	char *told = text_of_problems();
	ck_assert_ptr_nonnull(strstr(told, "\nand 250 more"));
	mem_free(told);
	done();
}
END_TEST

/* inih and the reader must agree on every text: cut at every byte, it is never
 * read wrongly, and what was whole stays. */
START_TEST(cut_anywhere)
{
	static const char text[] = "\xef\xbb\xbf; c\r\n[a b] ; d\n x = 1\n\ty ; e\n\n[c]\nz=2\n";
	for (size_t len = 0; len < sizeof text; len++) {
		read_bytes(text, len);
		if (len == sizeof text - 1)
			check_value(1, "z", "2", 7);
		done();
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("reader");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, sections_and_lines);
	tcase_add_test(t, repeated_sections_and_keys_stay);
	tcase_add_test(t, continuation);
	tcase_add_test(t, long_values_by_continuation);
	tcase_add_test(t, value_has_a_limit);
	tcase_add_test(t, k01_bom_crlf_and_high_bytes);
	tcase_add_test(t, k01_nul);
	tcase_add_test(t, k01_long_lines);
	tcase_add_test(t, k01_line_of_10000);
	tcase_add_test(t, section_names_at_the_limit);
	tcase_add_test(t, broken_lines);
	tcase_add_test(t, lost_lines);
	tcase_add_test(t, continuation_of_refused);
	tcase_add_test(t, problems_are_bounded);
	tcase_add_test(t, cut_anywhere);
	Suite *s = suite_create("config_reader");
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
