/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/route.h"

#include "base/mem.h"

#include <check.h>
#include <stdlib.h>

enum { ROUTES_MAX = 40 };

/* Routes by their names: `/a` exact, `/a*` a prefix, "*" every path; behind an @
 * the numbers of the listeners, a digit each. */
static struct route_table *table(const char *const *names)
{
	struct route *routes[ROUTES_MAX] = {NULL};
	size_t n = 0;
	for (; names[n]; n++) {
		struct route *r = routes[n] = route_new(names[n]);
		r->path = mem_strdup(names[n]);
		char *at = strchr(r->path, '@');
		if (at)
			*at = '\0';
		char *star = strchr(r->path, '*');
		r->prefix = star != NULL;
		if (star)
			*star = '\0';
		for (const char *digit = strchr(names[n], '@'); digit && *++digit;)
			r->listeners |= UINT64_C(1) << (*digit - '0');
	}
	struct route_table *t = route_table_new(routes, n);
	for (size_t i = 0; i < n; i++)
		route_unref(routes[i]);
	return t;
}

static void expect(
        const struct route_table *t, unsigned listener, const char *path, const char *want)
{
	size_t len = strlen(path);
	char *exact = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, path, len);
	const struct route *r = route_find(t, listener, slice_of(exact, len));
	ck_assert_msg((r && want && strcmp(r->name, want) == 0) || (!r && !want),
	        "%s at %u: want %s, found %s", path, listener, want ? want : "none",
	        r ? r->name : "none");
	free(exact);
}

START_TEST(empty)
{
	static const char *const names[] = {NULL};
	struct route_table *t = table(names);
	expect(t, 0, "/", NULL);
	expect(t, 0, "", NULL);
	route_table_unref(t);
	route_table_unref(NULL);
	route_unref(NULL);
}
END_TEST

START_TEST(exact_then_longest_prefix_then_none)
{
	static const char *const names[] = {
	        "*", "/a*", "/a/*", "/a/b", "/a/b*", "/a/bc*", "/b", "/a/b/c/*", NULL};
	struct route_table *t = table(names);
	expect(t, 0, "/", "*");
	expect(t, 0, "/a", "/a*");
	expect(t, 0, "/ab", "/a*");
	expect(t, 0, "/a/", "/a/*");
	expect(t, 0, "/a/x", "/a/*");
	expect(t, 0, "/a/b", "/a/b");
	expect(t, 0, "/a/b/", "/a/b*");
	expect(t, 0, "/a/bb", "/a/b*");
	expect(t, 0, "/a/bc", "/a/bc*");
	expect(t, 0, "/a/bd", "/a/b*");
	expect(t, 0, "/a/b/c", "/a/b*");
	expect(t, 0, "/a/b/c/", "/a/b/c/*");
	expect(t, 0, "/a/b/c/~", "/a/b/c/*");
	expect(t, 0, "/a/c", "/a/*");
	expect(t, 0, "/a~", "/a*");
	expect(t, 0, "/b", "/b");
	expect(t, 0, "/b/", "*");
	expect(t, 0, "/c", "*");
	route_table_unref(t);
}
END_TEST

START_TEST(none_without_catch_all)
{
	static const char *const names[] = {"/b*", "/a", NULL};
	struct route_table *t = table(names);
	expect(t, 0, "/", NULL);
	expect(t, 0, "/a", "/a");
	expect(t, 0, "/aa", NULL);
	expect(t, 0, "/c", NULL);
	expect(t, 0, "", NULL);
	route_table_unref(t);
}
END_TEST

START_TEST(listeners)
{
	static const char *const names[] = {
	        "/a", "/a@12", "/a@3", "/p*@1", "/p/q*@2", "/p/q/r@1", "*@5", "/x@4", "/x*", NULL};
	struct route_table *t = table(names);
	expect(t, 0, "/a", "/a");
	expect(t, 1, "/a", "/a@12");
	expect(t, 2, "/a", "/a@12");
	expect(t, 3, "/a", "/a@3");
	expect(t, 63, "/a", "/a");
	expect(t, 1, "/p/q/s", "/p*@1");
	expect(t, 2, "/p/q/s", "/p/q*@2");
	expect(t, 3, "/p/q/s", NULL);
	expect(t, 1, "/p/q/r", "/p/q/r@1");
	expect(t, 2, "/p/q/r", "/p/q*@2");
	expect(t, 5, "/p/q/r", "*@5");
	expect(t, 4, "/x", "/x@4");
	expect(t, 3, "/x", "/x*");
	route_table_unref(t);
}
END_TEST

START_TEST(references)
{
	static const char *const names[] = {"/a", NULL};
	struct route_table *t = table(names);
	struct route *r = route_ref(route_find(t, 0, SLICE("/a")));
	ck_assert_ptr_eq(route_table_ref(t), t);
	route_table_unref(t);
	expect(t, 0, "/a", "/a");
	route_table_unref(t);
	/* A session still holds its route. */
	ck_assert_str_eq(r->name, "/a");
	route_unref(r);
}
END_TEST

/* The rule, told simply. */
static const char *by_search(const char *const *names, unsigned listener, const char *path)
{
	const char *best = NULL;
	long best_rank = -1;
	for (; *names; names++) {
		size_t len = strcspn(*names, "*@");
		bool prefix = (*names)[len] == '*';
		const char *at = strchr(*names, '@');
		bool names_it = at && strchr(at + 1, (char)('0' + listener));
		if (strncmp(*names, path, len) != 0 || (!prefix && path[len]) || (at && !names_it))
			continue;
		long rank = 2 * (prefix ? (long)len : 1000) + (names_it ? 1 : 0);
		if (rank > best_rank) {
			best_rank = rank;
			best = *names;
		}
	}
	return best;
}

/* All paths of up to six letters out of two, against a table full of overlaps. */
START_TEST(same_as_search)
{
	static const char *const names[] = {"/*", "/a*", "/a@1", "/a/*", "/a/*@2", "/a/a*@1",
	        "/a/a", "/aa*", "/aa", "/aaa*@12", "/aaaa", "/a/a/*", "/a/a/a@2", "//*@1", "*@3",
	        "/a//a*", NULL};
	struct route_table *t = table(names);
	for (unsigned bits = 0; bits < 64; bits++) {
		for (size_t len = 0; len <= 6; len++) {
			char path[8] = "/";
			for (size_t i = 0; i < len; i++)
				path[1 + i] = bits >> i & 1 ? '/' : 'a';
			path[1 + len] = '\0';
			for (unsigned l = 0; l < 4; l++)
				expect(t, l, path, by_search(names, l, path));
		}
	}
	route_table_unref(t);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("route");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, empty);
	tcase_add_test(t, exact_then_longest_prefix_then_none);
	tcase_add_test(t, none_without_catch_all);
	tcase_add_test(t, listeners);
	tcase_add_test(t, references);
	tcase_add_test(t, same_as_search);
	Suite *s = suite_create("proxy_route");
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
