/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/route_table.h"

#include "base/mem.h"
#include "http/head.h"
#include "proxy/condition.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUTES_MAX = 40, TEXT_MAX = 400 };

/* A route told in words: `/a` exact, `/a*` a prefix, "*" every path; then, each behind a
 * blank, @12 the numbers of listeners, =a.example or =*.example hosts, h:NAME:VALUE
 * and q:NAME:VALUE conditions. */
static void add_word(struct route *r, char *word)
{
	char *name = word + 2, *value;
	switch (word[0]) {
	case '@':
		for (const char *digit = word + 1; *digit; digit++)
			r->listeners |= UINT64_C(1) << (*digit - '0');
		return;
	case '=':
		ck_assert(route_add_host(r, word + 1));
		return;
	default:
		value = strchr(name, ':');
		ck_assert_ptr_nonnull(value);
		*value++ = '\0';
		ck_assert(route_add_condition(
		        r, word[0] == 'h' ? CONDITION_HEADER : CONDITION_QUERY, name, value));
	}
}

static struct route *route(const char *words)
{
	char text[TEXT_MAX], *rest = text;
	struct route *r = route_new(words);
	snprintf(text, sizeof text, "%s", words);
	r->path = mem_strdup(strsep(&rest, " "));
	char *star = strchr(r->path, '*');
	r->prefix = star != NULL;
	if (star)
		*star = '\0';
	for (char *word; (word = strsep(&rest, " "));)
		add_word(r, word);
	return r;
}

static struct route_table *table(const char *const *names)
{
	struct route *routes[ROUTES_MAX] = {NULL};
	size_t n = 0;
	for (; names[n]; n++)
		routes[n] = route(names[n]);
	struct route_table *t = route_table_new(routes, n);
	for (size_t i = 0; i < n; i++)
		route_unref(routes[i]);
	return t;
}

static void *exact_copy(const char *text)
{
	size_t len = strlen(text);
	void *copy = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, len);
	return copy;
}

/* What the steps of route_explain() were, as words. */
static char told[20000];

static void tell(const struct route_step *step, void *arg)
{
	size_t len = strlen(told);
	static const char *const verdicts[] = {[ROUTE_HOLDS] = "yes",
	        [ROUTE_NOT_AT_LISTENER] = "listener",
	        [ROUTE_NOT_BY_CONDITION] = "condition"};
	(void)arg;
	snprintf(told + len, sizeof told - len, "%.*s|%s %s%s%s;", (int)step->host.len,
	        (const char *)step->host.at, step->route ? step->route->name : "none",
	        step->route ? verdicts[step->verdict] : "", step->condition ? " " : "",
	        step->condition ? step->condition->name : "");
}

/* `fields`: header lines, each with its \n, or NULL for no head at all. */
static const struct route *find(const struct route_table *t, unsigned listener, const char *host,
        const char *path, const char *query, const char *fields)
{
	static struct http_head h;
	char text[TEXT_MAX], *rest = text;
	uint8_t *at_host = exact_copy(host), *at_path = exact_copy(path);
	uint8_t *at_query = exact_copy(query);
	h.n = 0;
	h.query = slice_of(at_query, strlen(query));
	snprintf(text, sizeof text, "%s", fields ? fields : "");
	for (char *line; (line = strsep(&rest, "\n")) && *line;) {
		char *value = strstr(line, ": ");
		ck_assert_ptr_nonnull(value);
		h.field[h.n++] = (struct http_field){.name = slice_of(line, (size_t)(value - line)),
		        .value = slice_str(value + 2)};
	}
	struct route_query q = {.listener = listener,
	        .host = slice_of(at_host, strlen(host)),
	        .path = slice_of(at_path, strlen(path)),
	        .head = fields ? &h : NULL};
	const struct route *r = route_find(t, &q);
	told[0] = '\0';
	ck_assert_ptr_eq(route_explain(t, &q, tell, NULL), r);
	ck_assert_int_eq(r != NULL, strstr(told, " yes;") != NULL);
	free(at_host);
	free(at_path);
	free(at_query);
	return r;
}

static void expect_all(const struct route_table *t, unsigned listener, const char *host,
        const char *path, const char *query, const char *fields, const char *want)
{
	const struct route *r = find(t, listener, host, path, query, fields);
	ck_assert_msg((r && want && strcmp(r->name, want) == 0) || (!r && !want),
	        "%s %s?%s at %u: want %s, found %s; %s", host, path, query, listener,
	        want ? want : "none", r ? r->name : "none", told);
}

static void expect(
        const struct route_table *t, unsigned listener, const char *path, const char *want)
{
	expect_all(t, listener, "", path, "", NULL, want);
}

static void expect_at(
        const struct route_table *t, const char *host, const char *path, const char *want)
{
	expect_all(t, 0, host, path, "", "", want);
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
	static const char *const names[] = {"/a", "/a @12", "/a @3", "/p* @1", "/p/q* @2",
	        "/p/q/r @1", "* @5", "/x @4", "/x*", NULL};
	struct route_table *t = table(names);
	expect(t, 0, "/a", "/a");
	expect(t, 1, "/a", "/a @12");
	expect(t, 2, "/a", "/a @12");
	expect(t, 3, "/a", "/a @3");
	expect(t, 63, "/a", "/a");
	expect(t, 1, "/p/q/s", "/p* @1");
	expect(t, 2, "/p/q/s", "/p/q* @2");
	expect(t, 3, "/p/q/s", NULL);
	expect(t, 1, "/p/q/r", "/p/q/r @1");
	expect(t, 2, "/p/q/r", "/p/q* @2");
	expect(t, 5, "/p/q/r", "* @5");
	expect(t, 4, "/x", "/x @4");
	expect(t, 3, "/x", "/x*");
	route_table_unref(t);
}
END_TEST

START_TEST(references)
{
	static const char *const names[] = {"/a", NULL};
	struct route_table *t = table(names);
	struct route *r = route_ref(route_find(t, &(struct route_query){.path = SLICE("/a")}));
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
		size_t len = strcspn(*names, "* ");
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
	static const char *const names[] = {"/*", "/a*", "/a @1", "/a/*", "/a/* @2", "/a/a* @1",
	        "/a/a", "/aa*", "/aa", "/aaa* @12", "/aaaa", "/a/a/*", "/a/a/a @2", "//* @1",
	        "* @3", "/a//a*", NULL};
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

START_TEST(hosts)
{
	static const char *const names[] = {"*", "/only =a.example", "/a* =a.example =b.example",
	        "* =*.example", "/s* =*.a.example", "/x", "/lit =[::1]", NULL};
	struct route_table *t = table(names);
	expect_at(t, "", "/a", "*");
	expect_at(t, "", "/x", "/x");
	expect_at(t, "example", "/a", "*");
	expect_at(t, "a.example", "/only", "/only =a.example");
	expect_at(t, "a.example", "/ab", "/a* =a.example =b.example");
	expect_at(t, "b.example", "/a", "/a* =a.example =b.example");
	/* The host has no such path: on to the suffix, whatever the path of "no host" is. */
	expect_at(t, "a.example", "/x", "* =*.example");
	expect_at(t, "c.example", "/a", "* =*.example");
	expect_at(t, "x.a.example", "/s", "/s* =*.a.example");
	expect_at(t, "y.x.a.example", "/s", "/s* =*.a.example");
	expect_at(t, "x.a.example", "/a", "* =*.example");
	expect_at(t, "xa.example", "/s", "* =*.example");
	expect_at(t, ".example", "/", "*");
	expect_at(t, "*.example", "/", "* =*.example");
	expect_at(t, "a.example.org", "/x", "/x");
	expect_at(t, "[::1]", "/lit", "/lit =[::1]");
	expect_at(t, "[::2]", "/lit", "*");
	route_table_unref(t);
}
END_TEST

START_TEST(a_host_alone_hides_nothing)
{
	static const char *const names[] = {"/a =h.example", NULL};
	struct route_table *t = table(names);
	expect_at(t, "h.example", "/a", "/a =h.example");
	expect_at(t, "h.example", "/b", NULL);
	expect_at(t, "g.example", "/a", NULL);
	expect_at(t, "", "/a", NULL);
	route_table_unref(t);
}
END_TEST

/* The longest host there is, of nothing but dots and letters. */
START_TEST(long_hosts)
{
	static const char *const names[] = {"* =*.a", "* =*.a.a.a", NULL};
	struct route_table *t = table(names);
	char host[300];
	for (size_t i = 0; i < sizeof host - 1; i++)
		host[i] = i % 2 ? '.' : 'a';
	host[255] = '\0';
	expect_at(t, host, "/", "* =*.a.a.a");
	host[255] = '.';
	host[256] = '\0'; /* longer than uri_host() gives any */
	expect_at(t, host, "/", NULL);
	route_table_unref(t);
}
END_TEST

START_TEST(conditions)
{
	static const char *const names[] = {"/a", "/a h:X-Beta:yes", "/a h:x-beta:yes q:room:1",
	        "/a h:X-Beta:no", "/b h:X:1", "/b* q:k:v", "/c q:a+b:%31", NULL};
	struct route_table *t = table(names);
	expect_all(t, 0, "", "/a", "", "", "/a");
	expect_all(t, 0, "", "/a", "", NULL, "/a");
	expect_all(t, 0, "", "/a", "", "X-BETA: yes\n", "/a h:X-Beta:yes");
	expect_all(t, 0, "", "/a", "", "X-Beta: no\n", "/a h:X-Beta:no");
	expect_all(t, 0, "", "/a", "", "X-Beta: Yes\n", "/a");
	expect_all(t, 0, "", "/a", "", "X-Beta: yes, no\n", "/a");
	expect_all(t, 0, "", "/a", "", "X-Betas: yes\n", "/a");
	/* Twice is not once. */
	expect_all(t, 0, "", "/a", "", "X-Beta: yes\nx-beta: yes\n", "/a");
	expect_all(t, 0, "", "/a", "", "X-Beta: yes\nX-Beta: no\n", "/a");
	expect_all(t, 0, "", "/a", "room=1", "X-Beta: yes\n", "/a h:x-beta:yes q:room:1");
	expect_all(t, 0, "", "/a", "x=&room=%31", "X-Beta: yes\n", "/a h:x-beta:yes q:room:1");
	expect_all(t, 0, "", "/a", "r%6Fom=1&y", "X-Beta: yes\n", "/a h:x-beta:yes q:room:1");
	expect_all(t, 0, "", "/a", "room=1&room=1", "X-Beta: yes\n", "/a h:X-Beta:yes");
	expect_all(t, 0, "", "/a", "room=1&room=2", "X-Beta: yes\n", "/a h:X-Beta:yes");
	expect_all(t, 0, "", "/a", "room", "X-Beta: yes\n", "/a h:X-Beta:yes");
	expect_all(t, 0, "", "/a", "room=11", "X-Beta: yes\n", "/a h:X-Beta:yes");
	expect_all(t, 0, "", "/a", "room=", "X-Beta: yes\n", "/a h:X-Beta:yes");
	expect_all(t, 0, "", "/a", "room=1", "", "/a");
	/* Conditions that do not hold lead on to the next place. */
	expect_all(t, 0, "", "/b", "", "X: 1\n", "/b h:X:1");
	expect_all(t, 0, "", "/b", "k=v", "X: 2\n", "/b* q:k:v");
	expect_all(t, 0, "", "/b", "k=w", "X: 2\n", NULL);
	expect_all(t, 0, "", "/c", "a%2Bb=%2531", "", "/c q:a+b:%31");
	expect_all(t, 0, "", "/c", "a+b=1", "", NULL);
	route_table_unref(t);
}
END_TEST

/* A named listener weighs more than any number of conditions. */
START_TEST(order_in_a_place)
{
	static const char *const names[] = {
	        "/a", "/a @1", "/a h:X:1 h:Y:1", "/a h:X:1", "/a @12 h:Y:1", NULL};
	struct route_table *t = table(names);
	expect_all(t, 0, "", "/a", "", "X: 1\nY: 1\n", "/a h:X:1 h:Y:1");
	expect_all(t, 0, "", "/a", "", "X: 1\n", "/a h:X:1");
	expect_all(t, 0, "", "/a", "", "Y: 1\n", "/a");
	expect_all(t, 1, "", "/a", "", "X: 1\nY: 1\n", "/a @12 h:Y:1");
	expect_all(t, 1, "", "/a", "", "X: 1\nY: 2\n", "/a @1");
	expect_all(t, 2, "", "/a", "", "X: 1\nY: 2\n", "/a h:X:1");
	route_table_unref(t);
}
END_TEST

/* Many values of the same names are looked up, not tried in turn. */
START_TEST(many_values)
{
	enum { N = 300 };
	static struct route *routes[N];
	char words[64], fields[64], query[64];
	for (size_t i = 0; i < N; i++) {
		snprintf(words, sizeof words, "/t h:X-Tenant:%zu q:v:%zu", i / 3, i % 3);
		routes[i] = route(words);
	}
	struct route_table *t = route_table_new(routes, N);
	for (size_t i = 0; i < N; i++) {
		snprintf(fields, sizeof fields, "X-Tenant: %zu\n", i / 3);
		snprintf(query, sizeof query, "v=%zu", i % 3);
		expect_all(t, 0, "", "/t", query, fields, routes[i]->name);
		snprintf(query, sizeof query, "v=%zu", i + 3);
		expect_all(t, 0, "", "/t", query, fields, NULL);
	}
	route_table_unref(t);
	for (size_t i = 0; i < N; i++)
		route_unref(routes[i]);
}
END_TEST

static char clashes[2000];

static void note_clash(const struct route *a, const struct route *b, void *arg)
{
	(void)arg;
	snprintf(clashes + strlen(clashes), sizeof clashes - strlen(clashes), "%s ~ %s;", a->name,
	        b->name);
}

static void expect_clash(const char *a, const char *b, bool want)
{
	const char *const names[] = {a, b, NULL};
	struct route_table *t = table(names);
	clashes[0] = '\0';
	route_table_clashes(t, note_clash, NULL);
	ck_assert_msg((clashes[0] != '\0') == want, "%s and %s: %s", a, b, clashes);
	route_table_unref(t);
}

START_TEST(what_nothing_decides_between) /* K-06 */
{
	static const struct {
		const char *a, *b;
		bool clash;
	} list[] = {
	        {"/a", "/a", true},
	        {"/a", "/a*", false},
	        {"/a", "/b", false},
	        {"/a @1", "/a", false},
	        {"/a @1", "/a @2", false},
	        {"/a @1", "/a @12", true},
	        {"/a =h", "/a", false},
	        {"/a =h", "/a =g", false},
	        {"/a =h =i", "/a =g =i", true},
	        {"/a =*.h", "/a =h", false},
	        {"/a =*.h", "/a =*.h", true},
	        {"/a h:X:1", "/a", false},
	        {"/a h:X:1", "/a h:X:2", false},
	        {"/a h:X:1", "/a h:x:1", true},
	        {"/a h:X:1", "/a h:Y:1", true},
	        {"/a h:X:1", "/a q:X:2", true},
	        {"/a q:x:1", "/a q:X:2", true},
	        {"/a h:X:1 h:Y:1", "/a h:X:1", false},
	        {"/a h:X:1 h:Y:1", "/a h:X:2 h:Z:1", false},
	        {"/a h:X:1 h:Y:1", "/a h:X:1 h:Z:1", true},
	        {"/a h:X:1 q:y:1", "/a h:Z:1 q:y:2", false},
	        {"/a @1 h:X:1", "/a @12 h:X:2", false},
	        {"/a @1 h:X:1", "/a @12 h:X:1", true},
	        {"/a @1 h:X:1", "/a h:X:1", false},
	};
	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		expect_clash(list[i].a, list[i].b, list[i].clash);
		expect_clash(list[i].b, list[i].a, list[i].clash);
	}
}
END_TEST

START_TEST(a_route_takes_no_host_or_name_twice)
{
	struct route *r = route("/a =h h:X:1 q:X:1");
	ck_assert(!route_add_host(r, "h"));
	ck_assert(route_add_host(r, "*.h"));
	ck_assert(!route_add_condition(r, CONDITION_HEADER, "x", "2"));
	ck_assert(!route_add_condition(r, CONDITION_QUERY, "X", "1"));
	ck_assert(route_add_condition(r, CONDITION_QUERY, "x", "1"));
	ck_assert_uint_eq(r->host_n, 2);
	ck_assert_uint_eq(r->condition_n, 3);
	route_unref(r);
}
END_TEST

START_TEST(steps_are_told)
{
	static const char *const names[] = {"/a h:X:1", "/a @1", "/a*", "/a =*.h", "/b =g.h", NULL};
	struct route_table *t = table(names);
	ck_assert_ptr_nonnull(find(t, 0, "g.h", "/a", "", ""));
	ck_assert_str_eq(told, "g.h|none ;.h|/a =*.h yes;");
	ck_assert_ptr_nonnull(find(t, 0, "x", "/a", "", "X: 2\n"));
	ck_assert_str_eq(told, "|/a @1 listener;|/a h:X:1 condition X;|/a* yes;");
	ck_assert_ptr_null(find(t, 0, "x", "/c", "", ""));
	ck_assert_str_eq(told, "|none ;");
	route_table_unref(t);
}
END_TEST

/* Numbers of listeners mean something in one table; a name finds its own in any. */
START_TEST(names_of_listeners)
{
	struct route_table *t = route_table_new(NULL, 0), *plain = route_table_new(NULL, 0);
	route_table_name_listener(t, 0, "a");
	route_table_name_listener(t, 3, "b");
	route_table_name_listener(t, ROUTE_LISTENERS_MAX - 1, "c");
	ck_assert_uint_eq(route_table_listener(t, "a", 0), 0);
	ck_assert_uint_eq(route_table_listener(t, "b", 0), 3);
	ck_assert_uint_eq(route_table_listener(t, "b", 1), 3);
	ck_assert_uint_eq(route_table_listener(t, "c", 3), ROUTE_LISTENERS_MAX - 1);
	ck_assert_uint_eq(route_table_listener(t, "d", 3), ROUTE_LISTENERS_MAX);
	ck_assert_uint_eq(route_table_listener(plain, "d", 3), 3);
	route_table_unref(t);
	route_table_unref(plain);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("route_table");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, empty);
	tcase_add_test(t, exact_then_longest_prefix_then_none);
	tcase_add_test(t, none_without_catch_all);
	tcase_add_test(t, listeners);
	tcase_add_test(t, references);
	tcase_add_test(t, same_as_search);
	tcase_add_test(t, hosts);
	tcase_add_test(t, a_host_alone_hides_nothing);
	tcase_add_test(t, long_hosts);
	tcase_add_test(t, conditions);
	tcase_add_test(t, order_in_a_place);
	tcase_add_test(t, many_values);
	tcase_add_test(t, what_nothing_decides_between);
	tcase_add_test(t, a_route_takes_no_host_or_name_twice);
	tcase_add_test(t, steps_are_told);
	tcase_add_test(t, names_of_listeners);
	Suite *s = suite_create("proxy_route_table");
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
