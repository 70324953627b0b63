/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_datagram.h"

#include "base/log.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE(rest) "2026-11-21T00:35:10.123Z" rest "\n"

static char out[64 * 1024];

/* In exact memory: nothing behind the line may be looked at, and the promised room suffices. */
static size_t syslog_of(const char *text)
{
	size_t len = strlen(text);
	char *line = malloc(len), *room = malloc(log_datagram_room(len));

	memcpy(line, text, len);
	size_t n = log_datagram_syslog(room, line, len, 77);
	memcpy(out, room, n);
	out[n] = '\0';
	free(line);
	free(room);
	return n;
}

static size_t journal_of(const char *text, size_t len)
{
	char *line = malloc(len), *room = malloc(log_datagram_room(len));

	memcpy(line, text, len);
	size_t n = log_datagram_journal(room, line, len);
	memcpy(out, room, n);
	free(line);
	free(room);
	return n;
}

START_TEST(syslog_form)
{
	syslog_of(LINE(" error bad thing=\"a b\""));
	ck_assert_str_eq(out, "<27>Nov 21 00:35:10 moongate[77]: bad thing=\"a b\"");
	syslog_of(LINE(" warn  w"));
	ck_assert_str_eq(out, "<28>Nov 21 00:35:10 moongate[77]: w");
	syslog_of("2026-01-02T03:04:05.000Z info  i k=v\n");
	ck_assert_str_eq(out, "<30>Jan  2 03:04:05 moongate[77]: i k=v");
	syslog_of(LINE(" debug d"));
	ck_assert_str_eq(out, "<31>Nov 21 00:35:10 moongate[77]: d");
}
END_TEST

START_TEST(syslog_time_is_local)
{
	setenv("TZ", "UTC-2", 1); /* two hours ahead */
	tzset();
	syslog_of("2026-12-31T23:04:05.000Z info  i\n");
	ck_assert_str_eq(out, "<30>Jan  1 01:04:05 moongate[77]: i");
	setenv("TZ", "UTC", 1);
	tzset();
}
END_TEST

START_TEST(syslog_takes_what_is_no_line)
{
	syslog_of("{\"a\":1}\n");
	ck_assert_int_eq(strncmp(out, "<30>", 4), 0);
	ck_assert_ptr_nonnull(strstr(out, " moongate[77]: {\"a\":1}"));
	syslog_of("\n");
	ck_assert_ptr_nonnull(strstr(out, " moongate[77]: "));
}
END_TEST

/* A peer's word may be all that a record holds, and look like a line from a certain place on. */
START_TEST(A_10_a_record_is_no_line_whatever_it_holds)
{
	static const char text[] = "{\"origin\":\"aaaaaaaaaaaaZ error forged client=192.0.2.1\"}\n";
	static const char want[] = "PRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=moongate\n"
	                           "MOONGATE_EVENT=access\nMESSAGE=";
	size_t n = journal_of(text, sizeof(text) - 1);

	ck_assert_uint_eq(n, sizeof(want) - 1 + sizeof(text) - 1);
	ck_assert_mem_eq(out, want, sizeof(want) - 1);
	ck_assert_mem_eq(out + sizeof(want) - 1, text, sizeof(text) - 1);
	syslog_of(text);
	ck_assert_int_eq(strncmp(out, "<30>", 4), 0);
	ck_assert_ptr_nonnull(strstr(out, " moongate[77]: {\"origin\":"));
}
END_TEST

#define FIELD(name, length, value) name "\n" length "\0\0\0\0\0\0\0" value "\n"

START_TEST(journal_form)
{
	static const char line[] =
	        LINE(" warn  it_happened id=7 key.a=\"a\\x0ab \\x22\\xff\" e=\"\"");
	static const char want[] =
	        "PRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=moongate\n"
	        "MOONGATE_EVENT=it_happened\n"
	        "MESSAGE=it_happened id=7 key.a=\"a\\x0ab \\x22\\xff\" e=\"\"\n" FIELD(
	                "MOONGATE_ID", "\x01", "7") FIELD("MOONGATE_KEY_A", "\x06", "a\nb \"\xff")
	                FIELD("MOONGATE_E", "\x00", "");
	size_t n = journal_of(line, sizeof(line) - 1);

	ck_assert_uint_eq(n, sizeof(want) - 1);
	ck_assert_mem_eq(out, want, n);
}
END_TEST

START_TEST(journal_takes_what_is_no_line)
{
	static const char want[] = "PRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=moongate\n"
	                           "MOONGATE_EVENT=access\nMESSAGE={\"a\":1}\n";

	ck_assert_uint_eq(journal_of("{\"a\":1}\n", 8), sizeof(want) - 1);
	ck_assert_mem_eq(out, want, sizeof(want) - 1);
}
END_TEST

/* Lines that were cut, at every place. */
START_TEST(A_10_cut_lines_are_survived)
{
	static const char line[] = LINE(" warn  e a=1 b=\"x\\x0a y\" c=\"\" dddd=e");

	for (size_t len = 0; len < sizeof(line); len++) {
		char text[sizeof(line)];

		memcpy(text, line, len);
		text[len] = '\0';
		syslog_of(text);
		if (len > 0)
			ck_assert_uint_gt(journal_of(text, len), 0);
	}
}
END_TEST

START_TEST(many_fields_fit)
{
	static char line[LOG_LINE_MAX];
	size_t n = (size_t)sprintf(line, "2026-11-21T00:35:10.123Z info  e");

	while (n < sizeof(line) - 5)
		n += (size_t)sprintf(line + n, " a=b");
	line[n++] = '\n';
	ck_assert_uint_le(journal_of(line, n), log_datagram_room(n));
}
END_TEST

int main(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	Suite *suite = suite_create("base_log_datagram");
	TCase *tc = tcase_create("log_datagram");
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, syslog_form);
	tcase_add_test(tc, syslog_time_is_local);
	tcase_add_test(tc, syslog_takes_what_is_no_line);
	tcase_add_test(tc, journal_form);
	tcase_add_test(tc, journal_takes_what_is_no_line);
	tcase_add_test(tc, A_10_a_record_is_no_line_whatever_it_holds);
	tcase_add_test(tc, A_10_cut_lines_are_survived);
	tcase_add_test(tc, many_fields_fit);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
