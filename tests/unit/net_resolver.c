/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fault.h"
#include "net/resolver.h"
#include "net/worker.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct worker *w;
static struct resolver *r;
static struct resolving *q;
static char hosts[64];
static char found_text[1024]; /* addresses, joined by spaces */
static char error_text[128];
static unsigned answers;
static bool cancel_other;
static struct resolving *other;

static void on_found(void *owner, const struct address *found, size_t n, const char *error)
{
	ck_assert_ptr_eq(owner, &answers);
	ck_assert((n == 0) == (error != NULL));
	found_text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		char text[ADDRESS_TEXT_MAX];
		ck_assert_uint_eq(address_port(&found[i]), 0);
		if (i > 0)
			strcat(found_text, " ");
		strcat(found_text, address_text(&found[i], text));
	}
	snprintf(error_text, sizeof(error_text), "%s", error ? error : "");
	answers++;
	if (cancel_other) {
		resolver_cancel(other);
		cancel_other = false;
	}
}

static void write_hosts(const char *text)
{
	FILE *f = fopen(hosts, "w");
	fputs(text, f);
	fclose(f);
}

static void setup(void)
{
	snprintf(hosts, sizeof(hosts), "/tmp/net_resolver.%d.hosts", (int)getpid());
	write_hosts("# a comment\n"
	            "192.0.2.7 app App.Example.com alias\n"
	            "2001:db8::7 app\n"
	            "192.0.2.8 app\n"
	            "192.0.2.7 app\n"
	            "not-an-address broken\n"
	            "198.51.100.1 mylocalhost\n");
	setenv("CARES_HOSTS", hosts, 1);
	answers = 0;
	cancel_other = false;
	w = worker_new(0);
	r = resolver_new(w);
	ck_assert_ptr_nonnull(r);
}

static void teardown(void)
{
	fault_plan(NULL);
	worker_turn(w, 0);
	resolver_free(r);
	worker_free(w);
	unlink(hosts);
}

static void look_up(const char *name)
{
	unsigned before = answers;
	q = resolver_start(r, name, on_found, &answers);
	ck_assert_ptr_nonnull(q);
	ck_assert_uint_eq(answers, before); /* never at once */
	for (int i = 0; i < 3 && answers == before; i++)
		worker_turn(w, -1);
	ck_assert_uint_eq(answers, before + 1);
	worker_turn(w, 0);
	ck_assert_uint_eq(answers, before + 1);
}

START_TEST(names_of_the_file)
{
	look_up("app");
	/* In the order of the file, each once. */
	ck_assert_str_eq(found_text, "192.0.2.7:0 [2001:db8::7]:0 192.0.2.8:0");
	look_up("aPP.eXAMPLE.com");
	ck_assert_str_eq(found_text, "192.0.2.7:0");
	look_up("mylocalhost");
	ck_assert_str_eq(found_text, "198.51.100.1:0");
	/* The file is read each time. */
	write_hosts("192.0.2.99 app\n");
	look_up("app");
	ck_assert_str_eq(found_text, "192.0.2.99:0");
}
END_TEST

static const char *const unknown[] = {
        "nobody",
        "broken",
        "example.com",
        "notlocalhost",
        "localhost.example",
        "xlocalhost",
        "",
        ".",
        "..",
        "a b",
        "localhost..",
        "-",
        "0123456789012345678901234567890123456789012345678901234567890123456789.example",
};

START_TEST(names_that_nobody_has)
{
	look_up(unknown[_i]);
	ck_assert_str_eq(found_text, "");
	ck_assert_str_ne(error_text, "");
	if (_i < 6)
		ck_assert_str_eq(error_text, "no such host");
}
END_TEST

static const char *const locals[] = {"localhost", "LocalHost", "app.localhost", "localhost."};

START_TEST(localhost_needs_no_file)
{
	look_up(locals[_i]);
	ck_assert_str_eq(found_text, "127.0.0.1:0 [::1]:0");
	unlink(hosts);
	look_up(locals[_i]);
	ck_assert_str_eq(found_text, "127.0.0.1:0 [::1]:0");
}
END_TEST

START_TEST(a_name_under_localhost_in_the_file)
{
	write_hosts("127.0.0.5 app.localhost\n");
	look_up("app.localhost");
	ck_assert_str_eq(found_text, "127.0.0.5:0");
}
END_TEST

START_TEST(the_systems_own_file)
{
	unsetenv("CARES_HOSTS");
	look_up("localhost");
	ck_assert_ptr_nonnull(strstr(found_text, "127.0.0.1:0"));
}
END_TEST

START_TEST(cancelled)
{
	q = resolver_start(r, "app", on_found, &answers);
	resolver_cancel(q);
	worker_turn(w, 0);
	ck_assert_uint_eq(answers, 0);
	/* By the answer of another. */
	cancel_other = true;
	q = resolver_start(r, "app", on_found, &answers);
	other = resolver_start(r, "alias", on_found, &answers);
	worker_turn(w, 0);
	worker_turn(w, 0);
	ck_assert_uint_eq(answers, 1);
}
END_TEST

START_TEST(no_memory)
{
	ck_assert(fault_plan("alloc:1:ENOMEM"));
	ck_assert_ptr_null(resolver_start(r, "app", on_found, &answers));
	ck_assert(fault_plan("alloc:1:ENOMEM"));
	ck_assert_ptr_null(resolver_new(w));
	resolver_free(NULL);
}
END_TEST

START_TEST(a_name_with_very_many_addresses)
{
	FILE *f = fopen(hosts, "w");
	for (int i = 0; i < 200; i++)
		fprintf(f, "192.0.2.%d many\n", i);
	fclose(f);
	look_up("many");
	ck_assert_str_eq(error_text, "");
	ck_assert_uint_gt(strlen(found_text), 100);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/resolver");
	TCase *t = tcase_create("resolver");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, names_of_the_file);
	tcase_add_loop_test(t, names_that_nobody_has, 0, sizeof(unknown) / sizeof(unknown[0]));
	tcase_add_loop_test(t, localhost_needs_no_file, 0, 4);
	tcase_add_test(t, a_name_under_localhost_in_the_file);
	tcase_add_test(t, the_systems_own_file);
	tcase_add_test(t, cancelled);
	tcase_add_test(t, no_memory);
	tcase_add_test(t, a_name_with_very_many_addresses);
	suite_add_tcase(s, t);
	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
