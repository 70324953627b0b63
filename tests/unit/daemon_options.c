/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/limits.h"
#include "daemon/options.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What options_parse() said on stderr. */
static char said[4096];

static bool parse(struct options *o, const char *words)
{
	char *copy = strdup(words);
	char *rest = copy;
	char *argv[16] = {NULL};
	int argc = 0;
	int saved, fd;
	bool good;
	ssize_t n;

	for (char *word; (word = strsep(&rest, " ")) != NULL;)
		argv[argc++] = word;
	fflush(stderr);
	saved = dup(STDERR_FILENO);
	fd = memfd_create("said", MFD_CLOEXEC);
	dup2(fd, STDERR_FILENO);
	good = options_parse(o, argc, argv);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(fd, said, sizeof(said) - 1, 0);
	close(fd);
	ck_assert_int_ge(n, 0);
	said[n] = '\0';
	if (o->config && strcmp(o->config, OPTIONS_CONFIG_DEFAULT) != 0)
		o->config = strcmp(o->config, "a.conf") == 0 ? "a.conf" : "another";
	free(copy);
	return good;
}

START_TEST(wrong_ones_are_refused_with_a_reason)
{
	static const struct {
		const char *words, *reason;
	} cases[] = {
	        {"moongate -c", "moongate: option -c wants a value\n"},
	        {"moongate --config", "moongate: option --config wants a value\n"},
	        {"moongate --config=", "moongate: option -c wants the name of a file\n"},
	        {"moongate -x", "moongate: unknown option -x\n"},
	        {"moongate -tx", "moongate: unknown option -x\n"},
	        {"moongate --what", "moongate: unknown or ambiguous option --what\n"},
	        {"moongate --he", "moongate: unknown or ambiguous option --he\n"},
	        {"moongate --what=1", "moongate: unknown or ambiguous option --what=1\n"},
	        {"moongate --test=yes", "moongate: option --test takes no value\n"},
	        {"moongate --help-config=xml",
	                "moongate: option --help-config takes no value but roff\n"},
	        {"moongate --explain", "moongate: option --explain wants a value\n"},
	        {"moongate --header X:1",
	                "moongate: options --header and --listener go with --explain\n"},
	        {"moongate -t --listener l",
	                "moongate: options --header and --listener go with --explain\n"},
	        {"moongate --explain ws://h --header X",
	                "moongate: option --header wants 'NAME: VALUE'\n"},
	        {"moongate --explain ws://h --header :X",
	                "moongate: option --header wants 'NAME: VALUE'\n"},
	        {"moongate --explain ws://h --header X:1\r\nY:2",
	                "moongate: option --header wants 'NAME: VALUE'\n"},
	        {"moongate start", "moongate: unexpected argument: start\n"},
	        {"moongate -t a.conf", "moongate: unexpected argument: a.conf\n"},
	        {"moongate -- -t", "moongate: unexpected argument: -t\n"},
	};
	struct options o;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(!parse(&o, cases[i].words), "%s", cases[i].words);
		ck_assert_mem_eq(said, cases[i].reason, strlen(cases[i].reason));
		ck_assert_ptr_nonnull(strstr(said, "\nusage: moongate "));
	}
}
END_TEST

START_TEST(right_ones_are_taken)
{
	static const struct {
		const char *words;
		enum options_action action;
		const char *config;
	} cases[] = {
	        {"moongate", OPTIONS_RUN, OPTIONS_CONFIG_DEFAULT},
	        {"moongate --", OPTIONS_RUN, OPTIONS_CONFIG_DEFAULT},
	        {"moongate -c a.conf", OPTIONS_RUN, "a.conf"},
	        {"moongate -ca.conf", OPTIONS_RUN, "a.conf"},
	        {"moongate --config=a.conf", OPTIONS_RUN, "a.conf"},
	        {"moongate --config a.conf -t", OPTIONS_CHECK, "a.conf"},
	        {"moongate -tc a.conf", OPTIONS_CHECK, "a.conf"},
	        {"moongate --test", OPTIONS_CHECK, OPTIONS_CONFIG_DEFAULT},
	        {"moongate -c a.conf --explain ws://h", OPTIONS_EXPLAIN, "a.conf"},
	        {"moongate --header=X:1 --explain=ws://h --listener l --header Y:2",
	                OPTIONS_EXPLAIN, OPTIONS_CONFIG_DEFAULT},
	        {"moongate -V", OPTIONS_VERSION, OPTIONS_CONFIG_DEFAULT},
	        {"moongate --version", OPTIONS_VERSION, OPTIONS_CONFIG_DEFAULT},
	        {"moongate -h", OPTIONS_HELP, OPTIONS_CONFIG_DEFAULT},
	        {"moongate --help", OPTIONS_HELP, OPTIONS_CONFIG_DEFAULT},
	        {"moongate --help-config", OPTIONS_HELP_CONFIG, OPTIONS_CONFIG_DEFAULT},
	        {"moongate --help-config=roff", OPTIONS_HELP_CONFIG_ROFF, OPTIONS_CONFIG_DEFAULT},
	};
	struct options o;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(parse(&o, cases[i].words), "%s", cases[i].words);
		ck_assert_int_eq(o.action, cases[i].action);
		ck_assert_str_eq(o.config, cases[i].config);
		ck_assert_int_eq(o.explain != NULL, o.action == OPTIONS_EXPLAIN);
		ck_assert_uint_eq(o.header_n, o.listener ? 2 : 0);
		ck_assert_str_eq(said, "");
	}
}
END_TEST

START_TEST(limits_leave_room_for_the_process)
{
	ck_assert_uint_eq(limits_sessions(0, 2, 2), 0);
	ck_assert_uint_eq(limits_sessions(32 + 2 * 10, 2, 2), 0);
	ck_assert_uint_eq(limits_sessions(32 + 2 * 10 + 1, 2, 2), 0);
	ck_assert_uint_eq(limits_sessions(32 + 2 * 10 + 2, 2, 2), 1);
	ck_assert_uint_gt(limits_sessions(20000, 2, 2), 9900);
	ck_assert_uint_lt(limits_sessions(20000, 2, 2), 10000);
	ck_assert_uint_ge(limits_processors(), 1);
	ck_assert_uint_le(limits_processors(), (unsigned)sysconf(_SC_NPROCESSORS_CONF));
	ck_assert_uint_gt(limits_raise_descriptors(), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("daemon/options");
	TCase *t = tcase_create("options");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, wrong_ones_are_refused_with_a_reason);
	tcase_add_test(t, right_ones_are_taken);
	tcase_add_test(t, limits_leave_room_for_the_process);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
