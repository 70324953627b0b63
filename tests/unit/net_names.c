/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/names.h"

#include "base/fault.h"
#include "base/mem.h"

#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

static struct names all;

static void setup(void)
{
	names_init(&all);
}

static void teardown(void)
{
	fault_plan(NULL);
	names_fini(&all);
}

/* 10.0.0.1 and on, and 2001:db8::1 and on; IPv6 first. */
static struct name_answer *answer(size_t v6, size_t v4)
{
	struct name_answer *a = name_answer_new(NAME_ADDRESSES, v4 + v6);
	for (size_t i = 0; i < v4 + v6; i++) {
		a->address[i] =
		        i < v6 ? (struct address_brief){.family = AF_INET6,
		                         .ip = {0x20, 1, 0xd, 0xb8, [15] = (uint8_t)(i + 1)}}
		               : (struct address_brief){.family = AF_INET,
		                         .ip = {10, 0, 0, (uint8_t)(i - v6 + 1)}};
	}
	a->rotates = true;
	return a;
}

/* The last bytes of the addresses, IPv6 ones with a 6 before them. */
static const char *order(struct name *n)
{
	static char text[1024];
	struct address found[NAME_ADDRESSES_MAX];
	size_t count = name_addresses(n, found), len = 0;
	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		char one[ADDRESS_TEXT_MAX];
		ck_assert_uint_eq(address_port(&found[i]), 0);
		const char *last = strrchr(address_text(&found[i], one), ':');
		bool v6 = found[i].sa.sa_family == AF_INET6;
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%c%c", i ? " " : "",
		        v6 ? '6' : '4', last[v6 ? -2 : -1]);
	}
	return text;
}

START_TEST(found_again)
{
	struct name *n = names_get(&all, NAME_ADDRESSES, "App.Example");
	ck_assert_str_eq(n->text, "app.example");
	ck_assert_ptr_eq(names_get(&all, NAME_ADDRESSES, "aPP.eXAMPLE"), n);
	ck_assert_ptr_ne(names_get(&all, NAME_SERVICE, "app.example"), n);
	ck_assert_ptr_ne(names_get(&all, NAME_ADDRESSES, "app.exampl"), n);
	ck_assert_uint_eq(all.n, 3);
}
END_TEST

START_TEST(bounded)
{
	char text[32];
	struct name *first = names_get(&all, NAME_ADDRESSES, "first");
	struct name *held = names_get(&all, NAME_ADDRESSES, "held");
	held->users = 1;
	for (int i = 0; i < 3 * NAMES_MAX; i++) {
		snprintf(text, sizeof text, "n%d", i);
		ck_assert_ptr_nonnull(names_get(&all, NAME_ADDRESSES, text));
		ck_assert_ptr_eq(names_get(&all, NAME_ADDRESSES, "first"), first);
	}
	ck_assert_uint_eq(all.n, NAMES_MAX);
	ck_assert_ptr_eq(names_get(&all, NAME_ADDRESSES, "held"), held);
	held->users = 0;
}
END_TEST

START_TEST(all_in_use)
{
	char text[32];
	for (int i = 0; i < NAMES_MAX; i++) {
		snprintf(text, sizeof text, "n%d", i);
		names_get(&all, NAME_ADDRESSES, text)->users = 1;
	}
	ck_assert_ptr_null(names_get(&all, NAME_ADDRESSES, "more"));
	ck_assert_ptr_nonnull(names_get(&all, NAME_ADDRESSES, "n1"));
	list_each (it, &all.by_use)
		list_entry(it, struct name, node)->users = 0;
}
END_TEST

START_TEST(no_memory)
{
	ck_assert(fault_plan("alloc:1:ENOMEM"));
	ck_assert_ptr_null(names_get(&all, NAME_ADDRESSES, "a"));
	ck_assert_uint_eq(all.n, 0);
	ck_assert(fault_plan("alloc:1:ENOMEM"));
	ck_assert_ptr_null(name_answer_new(NAME_SERVICE, 3));
}
END_TEST

START_TEST(learnt_and_failed)
{
	struct name *n = names_get(&all, NAME_ADDRESSES, "a");
	ck_assert(!name_is_fresh(n, 0));
	ck_assert(!name_learn(n, answer(1, 2), 1000, 4000));
	ck_assert(name_is_fresh(n, 4999) && !name_is_fresh(n, 5000));
	ck_assert_uint_eq(n->refresh_ms, 4000);
	ck_assert(!name_learn(n, answer(1, 2), 1000, 4000));
	ck_assert(name_learn(n, answer(2, 1), 1000, 4000));
	ck_assert(name_learn(n, answer(2, 2), 1000, 4000));
	/* Failures keep what is known; the waits double up to a bound. */
	static const uint64_t waits[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
	for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
		name_fail(n, NAME_UNANSWERED, "why", 7000);
		ck_assert_uint_eq(n->retry_ms, 7000 + waits[i]);
	}
	ck_assert_uint_eq(n->good->n, 4);
	ck_assert_str_eq(n->error, "why");
	ck_assert(!name_learn(n, answer(2, 2), 9000, 1000));
	ck_assert(n->fails == 0 && n->retry_ms == 0 && !n->error);
	/* Without anything good, soon again each time. */
	struct name *bad = names_get(&all, NAME_ADDRESSES, "bad");
	for (int i = 0; i < 100; i++)
		name_fail(bad, NAME_DENIED, "why", 7000);
	ck_assert_uint_eq(bad->retry_ms, 8000);
}
END_TEST

/* U-16, RFC 8767: what was good is not good for ever. */
START_TEST(given_up)
{
	static const uint64_t keep[] = {
	        [NAME_UNANSWERED] = NAME_KEEP_MS, [NAME_DENIED] = NAME_KEEP_DENIED_MS};
	for (int last = NAME_UNANSWERED; last <= NAME_DENIED; last++) {
		struct name *n = names_get(&all, NAME_ADDRESSES, last ? "denied" : "unanswered");
		ck_assert(!name_give_up(n, UINT64_MAX));
		ck_assert(!name_learn(n, answer(1, 2), 1000, 4000));
		ck_assert(!name_give_up(n, UINT64_MAX)); /* nobody was asked */
		name_fail(n, !last, "before", 5000);
		name_fail(n, (enum name_failure)last, "last", 6000);
		ck_assert(!name_give_up(n, 5000 + keep[last] - 1));
		ck_assert(name_give_up(n, 5000 + keep[last]));
		ck_assert(!n->good && n->learnt_ms == 1000);
		ck_assert(!name_give_up(n, UINT64_MAX));
		ck_assert_str_eq(n->error, "last");
		ck_assert(!name_learn(n, answer(1, 1), 9000, 1000)); /* no change: there was none */
		ck_assert(name_is_fresh(n, 9999));
	}
}
END_TEST

/* RFC 8305 4; and each asker is sent to the next one first. */
START_TEST(families_in_turn)
{
	struct name *n = names_get(&all, NAME_ADDRESSES, "a");
	ck_assert_str_eq(order(n), "");
	name_learn(n, answer(2, 3), 0, 1000);
	ck_assert_str_eq(order(n), "61 41 62 42 43");
	ck_assert_str_eq(order(n), "62 42 61 43 41");
	ck_assert_str_eq(order(n), "61 43 62 41 42");
	n->good->rotates = false;
	ck_assert_str_eq(order(n), "61 41 62 42 43");
	name_learn(n, answer(0, 2), 0, 1000);
	n->turn = 0;
	ck_assert_str_eq(order(n), "41 42");
	ck_assert_str_eq(order(n), "42 41");
	n->turn = UINT32_MAX;
	ck_assert_str_eq(order(n), "42 41");
	ck_assert_str_eq(order(n), "41 42");
	name_learn(n, answer(DNS_RECORDS_MAX, DNS_RECORDS_MAX), 0, 1000);
	ck_assert_uint_eq(strlen(order(n)), 3 * NAME_ADDRESSES_MAX - 1);
}
END_TEST

static void service(struct name *n, const struct dns_target *t, size_t count)
{
	struct name_answer *a = name_answer_new(NAME_SERVICE, count);
	memcpy(a->target, t, count * sizeof *t);
	name_learn(n, a, 0, 1000);
}

/* RFC 2782 */
START_TEST(targets_by_priority_and_weight)
{
	static const struct dns_target t[] = {{20, 100, 1, "late"}, {10, 30, 1, "heavy"},
	        {10, 10, 1, "light"}, {10, 0, 1, "none"}};
	enum { ROUNDS = 20000 };
	unsigned heavy = 0, light = 0, none = 0;
	struct name *n = names_get(&all, NAME_SERVICE, "_s._tcp.a");
	const struct dns_target *out[DNS_RECORDS_MAX];
	ck_assert_uint_eq(name_targets(n, out), 0);
	service(n, t, 4);
	for (int i = 0; i < ROUNDS; i++) {
		ck_assert_uint_eq(name_targets(n, out), 4);
		ck_assert_str_eq(out[3]->host, "late");
		ck_assert(out[0] != out[1] && out[1] != out[2] && out[0] != out[2]);
		heavy += strcmp(out[0]->host, "heavy") == 0;
		light += strcmp(out[0]->host, "light") == 0;
		none += strcmp(out[0]->host, "none") == 0;
	}
	/* 30 : 10 : 1 in 41; far outside of chance to miss. */
	ck_assert_uint_eq(heavy + light + none, ROUNDS);
	ck_assert(heavy > ROUNDS * 68 / 100 && heavy < ROUNDS * 78 / 100);
	ck_assert(light > ROUNDS * 20 / 100 && light < ROUNDS * 29 / 100);
	ck_assert(none > 0 && none < ROUNDS * 5 / 100);
}
END_TEST

START_TEST(targets_that_change)
{
	static const struct dns_target a[] = {{1, 1, 1, "a"}, {1, 1, 2, "b"}};
	static const struct dns_target b[] = {{1, 1, 2, "B"}, {1, 1, 1, "A"}};
	static const struct dns_target c[] = {{1, 1, 2, "b"}, {1, 2, 1, "a"}};
	struct name *n = names_get(&all, NAME_SERVICE, "s");
	struct name_answer *x;
	service(n, a, 2);
	x = name_answer_new(NAME_SERVICE, 2);
	memcpy(x->target, b, sizeof b);
	ck_assert(!name_learn(n, x, 0, 1));
	x = name_answer_new(NAME_SERVICE, 2);
	memcpy(x->target, c, sizeof c);
	ck_assert(name_learn(n, x, 0, 1));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/names");
	TCase *t = tcase_create("names");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, found_again);
	tcase_add_test(t, bounded);
	tcase_add_test(t, all_in_use);
	tcase_add_test(t, no_memory);
	tcase_add_test(t, learnt_and_failed);
	tcase_add_test(t, given_up);
	tcase_add_test(t, families_in_turn);
	tcase_add_test(t, targets_by_priority_and_weight);
	tcase_add_test(t, targets_that_change);
	suite_add_tcase(s, t);
	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
