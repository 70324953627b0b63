/* SPDX-License-Identifier: BSD-2-Clause */
/* Configurations in files: includes, and files that cannot be read. */
#include "config/config.h"

#include "base/mem.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOUND "[listener l]\nbind = 127.0.0.1:8080\n[route r]\necho = on\n"

static char folder[64];

static const char *in_folder(const char *name)
{
	static char path[4][160];
	static unsigned turn;
	char *out = path[turn++ % 4];
	snprintf(out, sizeof path[0], "%s/%s", folder, name);
	return out;
}

static void setup(void)
{
	strcpy(folder, "/tmp/moongate-config-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
	static const char *const names[] = {"t.conf", "a.conf", "b.conf", "a, b.conf", "c.conf",
	        "sub/a.conf", "sub/b.conf", "sub/d", "pipe", "sub", "link.conf"};
	char path[160];
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (unlink(in_folder(names[i])) != 0)
			rmdir(in_folder(names[i]));
	for (int i = 0; i < 12; i++) {
		snprintf(path, sizeof path, "%s/n%d.conf", folder, i);
		unlink(path);
	}
	ck_assert_int_eq(rmdir(folder), 0);
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_folder(name), "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(in_folder(name), 0644), 0);
}

/* What is told, with the folder's name taken out; the caller frees it. */
static char *shortened(const char *text)
{
	char *out = mem_new(strlen(text) + 1), *at = out;
	size_t n = strlen(folder) + 1;
	while (*text) {
		if (strncmp(text, folder, n - 1) == 0 && text[n - 1] == '/')
			text += n;
		else
			*at++ = *text++;
	}
	return out;
}

static void refuse(const char *name, const char *want)
{
	struct config_errors errors;
	ck_assert_ptr_null(config_load(in_folder(name), &errors));
	ck_assert_uint_gt(errors.n, 0);
	char *told = shortened(errors.text);
	ck_assert_str_eq(told, want);
	mem_free(told);
	config_errors_free(&errors);
}

static struct config *accept_file(const char *name, const char *warning)
{
	struct config_errors errors;
	struct config *c = config_load(in_folder(name), &errors);
	ck_assert_msg(c != NULL, "%s", errors.text);
	ck_assert_uint_eq(errors.n, 0);
	char *told = shortened(errors.text ? errors.text : "");
	ck_assert_str_eq(told, warning ? warning : "");
	mem_free(told);
	config_errors_free(&errors);
	return c;
}

START_TEST(k01_what_is_no_file)
{
	refuse("none.conf", "none.conf: cannot open it: No such file or directory");
	ck_assert_int_eq(mkdir(in_folder("sub"), 0755), 0);
	refuse("sub", "sub: it is a directory");
	ck_assert_int_eq(mkfifo(in_folder("pipe"), 0644), 0);
	refuse("pipe", "pipe: it is a pipe");
	struct config_errors errors;
	ck_assert_ptr_null(config_load("/dev/null", &errors));
	ck_assert_str_eq(errors.text, "/dev/null: it is no regular file");
	config_errors_free(&errors);
	ck_assert_ptr_null(config_load("", &errors));
	ck_assert_str_eq(errors.text, ": cannot open it: No such file or directory");
	config_errors_free(&errors);
}
END_TEST

START_TEST(k01_unreadable)
{
	put("t.conf", SOUND);
	ck_assert_int_eq(chmod(in_folder("t.conf"), 0), 0);
	if (geteuid() == 0) /* root may read it */
		config_free(accept_file("t.conf", NULL));
	else
		refuse("t.conf", "t.conf: cannot open it: Permission denied");
}
END_TEST

START_TEST(k01_too_large)
{
	put("t.conf", SOUND "#");
	ck_assert_int_eq(truncate(in_folder("t.conf"), 100 << 20), 0);
	refuse("t.conf", "t.conf: it is too large: want at most 1024 KiB");
	ck_assert_int_eq(truncate(in_folder("t.conf"), (1 << 20) + 1), 0);
	refuse("t.conf", "t.conf: it is too large: want at most 1024 KiB");
	/* At the limit it is read: what follows the # is a line with NUL bytes. */
	ck_assert_int_eq(truncate(in_folder("t.conf"), 1 << 20), 0);
	refuse("t.conf", "t.conf:5: NUL byte");
	put("t.conf", "");
	refuse("t.conf", "t.conf: no listener: want [listener NAME] with bind = ADDRESS:PORT\n"
	                 "t.conf: no route: want [route NAME] with upstream = NAME, handler = "
	                 "PATH, respond = "
	                 "STATUS or echo = on");
}
END_TEST

START_TEST(k08_others_may_write)
{
	put("t.conf", SOUND);
	ck_assert_int_eq(chmod(in_folder("t.conf"), 0646), 0);
	config_free(accept_file(
	        "t.conf", "t.conf: warning: every user of this host may write this file"));
}
END_TEST

/* K-07 */
START_TEST(k07_relative_to_the_file)
{
	ck_assert_int_eq(mkdir(in_folder("sub"), 0755), 0);
	put("t.conf", "[moongate]\nlog = x.log\ninclude = sub/a.conf\n");
	put("sub/a.conf", "[listener l]\nbind = unix:s\n[route r]\nupstream = u\n[upstream u]\n"
	                  "server = ws://unix:../app\n");
	struct config *c = accept_file("t.conf", NULL);
	ck_assert_str_eq(c->log, in_folder("x.log"));
	ck_assert_str_eq(c->bind[0].settings.address.un.sun_path, in_folder("sub/s"));
	config_free(c);
}
END_TEST

START_TEST(includes)
{
	ck_assert_int_eq(mkdir(in_folder("sub"), 0755), 0);
	put("t.conf", "[moongate]\ninclude = sub/*.conf\ninclude = none/*.conf\nworkers = 2\n"
	              "[route r]\npath = /x\nlistener = l\necho = on\n");
	put("sub/b.conf", "[defaults]\nmax_queue = 8k\n[moongate]\nlog_level = warn\n");
	put("sub/a.conf", "[listener l]\nbind = 127.0.0.1:8080\n");
	struct config *c = accept_file("t.conf", NULL);
	ck_assert_uint_eq(c->workers, 2);
	ck_assert_int_eq(c->log_level, LOG_LEVEL_WARN);
	ck_assert_uint_eq(route_find(c->routes, &(struct route_query){.path = SLICE("/x")})
	                          ->settings.max_queue,
	        8192);
	config_free(c);
	put("sub/b.conf", "[defaults]\nmax_queue = 8\n[route r]\n[moongate]\nworkers = 3\n");
	refuse("t.conf", "sub/b.conf:2: [defaults] max_queue = 8: want 4k..64m\n"
	                 "sub/b.conf:3: [route r]: given before, at t.conf:5\n"
	                 "sub/b.conf:3: [route r]: nothing to do: want exactly one of upstream = "
	                 "NAME, handler = PATH, respond = "
	                 "STATUS and echo = on\n"
	                 "sub/b.conf:5: [moongate] workers = 3: given before, at t.conf:4");
}
END_TEST

START_TEST(includes_refused)
{
	ck_assert_int_eq(mkdir(in_folder("sub"), 0755), 0);
	put("t.conf", SOUND "[moongate]\ninclude = none.conf\ninclude = sub\ninclude = "
	                    "t.conf\ninclude = s[u]b\n"
	                    "include =\n");
	refuse("t.conf", "t.conf:6: [moongate] include = none.conf: none.conf: cannot open it: "
	                 "No such file or directory\n"
	                 "t.conf:7: [moongate] include = sub: sub: it is a directory\n"
	                 "t.conf:8: [moongate] include = t.conf: t.conf: it includes itself\n"
	                 "t.conf:9: [moongate] include = s[u]b: sub: it is a directory\n"
	                 "t.conf:10: [moongate] include = : want PATTERN");
	/* Round another file, by another name. */
	put("t.conf", SOUND "[moongate]\ninclude = a.conf\n");
	put("a.conf", "[moongate]\ninclude = link.conf\n");
	ck_assert_int_eq(symlink("t.conf", in_folder("link.conf")), 0);
	refuse("t.conf", "a.conf:2: [moongate] include = link.conf: link.conf: it includes itself");
}
END_TEST

START_TEST(includes_too_deep)
{
	char name[20], text[60];
	put("t.conf", SOUND "[moongate]\ninclude = n0.conf\n");
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "n%d.conf", i);
		snprintf(text, sizeof text, "[moongate]\ninclude = n%d.conf\n", i + 1);
		put(name, text);
	}
	put("n7.conf", "# the end\n");
	config_free(accept_file("t.conf", NULL));
	put("n7.conf", "[moongate]\ninclude = n8.conf\n");
	put("n8.conf", "");
	refuse("t.conf",
	        "n7.conf:2: [moongate] include = n8.conf: n8.conf: includes are nested too deeply");
}
END_TEST

/* A path may hold commas; where there is no such file, a list was meant. */
START_TEST(lists_of_files)
{
	static const char again[] = "; the key may be given again for more";
	char want[500];
	put("a.conf", "");
	put("a, b.conf", "");
	put("t.conf", SOUND "[moongate]\ninclude = a, b.conf\ninclude = *, b.conf\n");
	config_free(accept_file("t.conf", NULL));
	put("t.conf", SOUND "[moongate]\ninclude = a.conf, b.conf\ninclude = a*.conf, c/*.conf\n"
	                    "include = c d.conf\ninclude = c d/*.conf\n");
	snprintf(want, sizeof want,
	        "t.conf:6: [moongate] include = a.conf, b.conf: a.conf, b.conf: cannot open it: "
	        "No such file or directory%s\n"
	        "t.conf:7: [moongate] include = a*.conf, c/*.conf: no file has such a name%s\n"
	        "t.conf:8: [moongate] include = c d.conf: c d.conf: cannot open it: No such file "
	        "or "
	        "directory",
	        again, again);
	refuse("t.conf", want);
	put("t.conf", "[listener l]\nbind = unix:s\ntls_certificate = a.pem, b.pem\n"
	              "[route r]\necho = on\n");
	snprintf(want, sizeof want,
	        "t.conf:3: [listener l] tls_certificate = a.pem, b.pem: cannot read it: No such "
	        "file "
	        "or directory%s",
	        again);
	refuse("t.conf", want);
}
END_TEST

/* Files that include the next one three times triple with every step. */
START_TEST(includes_too_many)
{
	char name[20], text[100];
	struct config_errors errors;
	put("t.conf", SOUND "[moongate]\ninclude = n0.conf\n");
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "n%d.conf", i);
		snprintf(text, sizeof text,
		        "[moongate]\ninclude = n%d.conf\ninclude = n%d.conf\ninclude = n%d.conf\n",
		        i + 1, i + 1, i + 1);
		put(name, i < 7 ? text : "");
	}
	ck_assert_ptr_null(config_load(in_folder("t.conf"), &errors));
	ck_assert_ptr_nonnull(strstr(errors.text, "too many files"));
	config_errors_free(&errors);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("files");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, k01_what_is_no_file);
	tcase_add_test(t, k01_unreadable);
	tcase_add_test(t, k01_too_large);
	tcase_add_test(t, k08_others_may_write);
	tcase_add_test(t, k07_relative_to_the_file);
	tcase_add_test(t, includes);
	tcase_add_test(t, includes_refused);
	tcase_add_test(t, includes_too_deep);
	tcase_add_test(t, lists_of_files);
	tcase_add_test(t, includes_too_many);
	Suite *s = suite_create("config_files");
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
