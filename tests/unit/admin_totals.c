/* SPDX-License-Identifier: BSD-2-Clause */
/* The sums of counters; and the manual lists all of them: after a change, UPDATE_DOCS=1 writes
 * its list anew. Run from the top of the tree. */
#include "admin/totals.h"

#include "base/mem.h"
#include "lua/worker.h"
#include "net/worker.h"
#include "proxy/proxy.h"
#include "upstream/dial.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAN       "docs/moongate.8"
#define MAN_BEGIN ".\\\" Begin of the list of counters, which the sources generate.\n"
#define MAN_END   ".\\\" End of the list of counters.\n"

static const struct counter_info info[] = {{"first", ""}, {"second", ""}, {"third", ""}};

START_TEST(sums_over_workers_zeros_too)
{
	counter a[3] = {1, 0, UINT64_MAX - 5};
	counter b[3] = {41, 0, 5};
	const counter *sets[] = {a, b};
	struct log_line l;

	log_begin(&l, LOG_LEVEL_INFO, "totals");
	totals_add(&l, info, 3, sets, 2);
	l.text[l.len] = '\0';
	ck_assert_str_eq(l.text + 24, " info  totals first=42 second=0 third=18446744073709551615");
}
END_TEST

START_TEST(one_worker_or_none)
{
	counter a[3] = {7, 8, 9};
	const counter *sets[] = {a};
	struct log_line l;

	log_begin(&l, LOG_LEVEL_INFO, "totals");
	totals_add(&l, info, 3, sets, 1);
	totals_add(&l, info, 1, NULL, 0);
	l.text[l.len] = '\0';
	ck_assert_str_eq(l.text + 24, " info  totals first=7 second=8 third=9 first=0");
}
END_TEST

static const struct {
	const struct counter_info *info;
	const unsigned *n;
} kinds[] = {
        {net_counter_info, &net_counter_n},
        {upstream_counter_info, &upstream_counter_n},
        {proxy_counter_info, &proxy_counter_n},
        {lua_counter_info, &lua_counter_n},
        {daemon_counter_info, &daemon_counter_n},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

START_TEST(every_counter_has_room)
{
	enum { MANY = 100 };
	counter most[MANY];
	const counter *sets[] = {most};
	struct log_line l;

	for (unsigned i = 0; i < MANY; i++)
		most[i] = UINT64_MAX;
	log_begin(&l, LOG_LEVEL_INFO, "totals");
	for (unsigned k = 0; k < KINDS; k++) {
		ck_assert_uint_le(*kinds[k].n, MANY);
		totals_add(&l, kinds[k].info, *kinds[k].n, sets, 1);
	}
	log_unum(&l, "log_lost", UINT64_MAX);
	log_unum(&l, "access_log_lost", UINT64_MAX);
	ck_assert(!l.cut);
}
END_TEST

/* ---- the manual ---- */

static char *contents(void)
{
	FILE *f = fopen(MAN, "r");
	ck_assert_msg(f != NULL, MAN ": run from the top of the tree");
	char *text = mem_new(1 << 16);
	ck_assert_uint_lt(fread(text, 1, 1u << 16, f), 1u << 16);
	fclose(f);
	return text;
}

/* What it says of all counters, in the order of the line; the caller frees it. */
static char *list_of_counters(void)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	ck_assert_ptr_nonnull(f);
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned i = 0; i < *kinds[k].n; i++)
			fprintf(f, ".TP\n.B %s\n%s\n", kinds[k].info[i].name,
			        kinds[k].info[i].help);
	fclose(f);
	return text;
}

START_TEST(manual_lists_every_counter)
{
	char *text = contents(), *list = list_of_counters();
	char *begin = strstr(text, MAN_BEGIN), *end = strstr(text, MAN_END);
	ck_assert(begin && end && begin < end);
	begin += strlen(MAN_BEGIN);
	if (getenv("UPDATE_DOCS")) {
		FILE *f = fopen(MAN, "w");
		ck_assert_ptr_nonnull(f);
		fprintf(f, "%.*s%s%s", (int)(begin - text), text, list, end);
		ck_assert_int_eq(fclose(f), 0);
	} else {
		ck_assert_msg(strlen(list) == (size_t)(end - begin) &&
		                      strncmp(list, begin, strlen(list)) == 0,
		        MAN " is not what the counters say: run this test with UPDATE_DOCS=1");
	}
	mem_free(text);
	free(list);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("admin/totals");
	TCase *t = tcase_create("totals");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, sums_over_workers_zeros_too);
	tcase_add_test(t, one_worker_or_none);
	tcase_add_test(t, every_counter_has_room);
	tcase_add_test(t, manual_lists_every_counter);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
