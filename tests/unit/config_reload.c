/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration beside one that runs: what is carried over, and what is not. */
#include "config/config.h"

#include "base/mem.h"
#include "proxy/route_table.h"
#include "upstream/group.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTENERS "[listener l]\nbind = 127.0.0.1:8080\n[listener m]\nbind = 127.0.0.1:8081\n"
#define UPSTREAMS \
	"[upstream u]\nserver = ws://127.0.0.1:9000\n[upstream v]\nserver = ws://127.0.0.1:9001\n"
#define ROUTES                                                                     \
	"[route a]\npath = /a\nupstream = u\n[route b]\npath = /b\nupstream = v\n" \
	"[route c]\npath = /c\nlistener = m\necho = on\n"
#define WHOLE LISTENERS UPSTREAMS ROUTES

static struct config *running, *next;

static struct config *load(const char *text, const struct config *beside, const char *warning)
{
	struct config_errors errors;
	struct config *c = config_reload_text("t", text, strlen(text), beside, &errors);
	ck_assert_msg(c != NULL, "%s\n%s", text, errors.text);
	if (warning)
		ck_assert_str_eq(errors.text, warning);
	else
		ck_assert_msg(!errors.text, "%s", errors.text);
	config_errors_free(&errors);
	return c;
}

/* `next` becomes what runs. */
static void move_on(void)
{
	config_free(running);
	running = next;
	next = NULL;
}

static void reload(const char *text)
{
	if (next)
		move_on();
	next = load(text, running, NULL);
}

static void setup(void)
{
	running = load(WHOLE, NULL, NULL);
	next = NULL;
}

static void teardown(void)
{
	config_free(next);
	config_free(running);
}

static void *part(const struct config *c, enum part_kind kind, const char *name)
{
	const struct part *p = parts_find(&c->parts[kind], name);
	return p ? p->at : NULL;
}

/* kept, new, changed, gone */
static const char *counts(enum part_kind kind)
{
	static char text[64];
	struct part_counts c = parts_compare(&running->parts[kind], &next->parts[kind]);
	snprintf(text, sizeof text, "%u %u %u %u", c.kept, c.fresh, c.changed, c.gone);
	return text;
}

static void expect(const char *listeners, const char *upstreams, const char *routes)
{
	ck_assert_str_eq(counts(PART_LISTENER), listeners);
	ck_assert_str_eq(counts(PART_UPSTREAM), upstreams);
	ck_assert_str_eq(counts(PART_ROUTE), routes);
}

static struct route *find(const struct config *c, const char *listener, const char *path)
{
	struct route_query q = {
	        .path = slice_str(path), .listener = route_table_listener(c->routes, listener, 0)};
	return route_find(c->routes, &q);
}

START_TEST(the_same)
{
	reload(WHOLE);
	expect("2 0 0 0", "2 0 0 0", "3 0 0 0");
	ck_assert_ptr_eq(find(next, "l", "/a"), find(running, "l", "/a"));
	ck_assert_ptr_eq(next->bind[1].listener, running->listener[1]);
	/* Whoever goes first: the other has its own references. */
	struct route *a = find(running, "l", "/a");
	move_on();
	ck_assert_str_eq(a->name, "a");
	ck_assert_str_eq(a->group->name, "u");
	ck_assert_uint_eq(a->group->members->server[0].weight, 1);
}
END_TEST

/* Where lines, comments and sections stand means nothing; what they say does. */
START_TEST(the_same_in_other_words)
{
	reload("; a comment\n" ROUTES "\n\n# another\n" UPSTREAMS LISTENERS);
	expect("2 0 0 0", "2 0 0 0", "3 0 0 0");
	reload(LISTENERS UPSTREAMS "[route b]\nupstream = v\npath =   /b\n[route c]\necho = "
	                           "on\nlistener = m\npath = /c\n"
	                           "[route a]\nupstream = u\npath = /a\n");
	expect("2 0 0 0", "2 0 0 0", "3 0 0 0");
}
END_TEST

START_TEST(one_of_each_changes)
{
	struct route *b = part(running, PART_ROUTE, "b");
	reload("[listener l]\nbind = 127.0.0.1:8080\nkeepalive_timeout = 1s\n"
	       "[listener m]\nbind = 127.0.0.1:8081\n" UPSTREAMS
	       "[route a]\npath = /a\nupstream = u\nmax_queue = 8k\n[route b]\npath = /b\nupstream "
	       "= v\n"
	       "[route c]\npath = /c\nlistener = m\necho = on\n");
	expect("1 0 1 0", "2 0 0 0", "2 0 1 0");
	ck_assert_ptr_eq(part(next, PART_ROUTE, "b"), b);
	/* The new route leads to the group that stays. */
	ck_assert_ptr_eq(find(next, "l", "/a")->group, find(running, "l", "/a")->group);
	ck_assert_ptr_eq(next->listener[1], running->listener[1]);
	ck_assert_uint_eq(next->listener[0]->keepalive_timeout_ms, 1000);
	ck_assert_uint_eq(running->listener[0]->keepalive_timeout_ms, 60000);
}
END_TEST

/* A route whose upstream is another one is another one. */
START_TEST(a_group_takes_its_routes_along)
{
	reload(LISTENERS "[upstream u]\nserver = ws://127.0.0.1:9000 weight=2\n"
	                 "[upstream v]\nserver = ws://127.0.0.1:9001\n" ROUTES);
	expect("2 0 0 0", "1 0 1 0", "2 0 1 0");
	ck_assert_ptr_ne(find(next, "l", "/a"), find(running, "l", "/a"));
	/* What is known of the server is known to both. */
	ck_assert_ptr_eq(find(next, "l", "/a")->group->members->server[0].state,
	        find(running, "l", "/a")->group->members->server[0].state);
}
END_TEST

START_TEST(some_come_and_some_go)
{
	reload("[listener m]\nbind = 127.0.0.1:8081\n[upstream v]\nserver = ws://127.0.0.1:9001\n"
	       "[route b]\npath = /b\nupstream = v\n[route d]\npath = /d\necho = on\n");
	expect("1 0 0 1", "1 0 0 1", "1 1 0 2");
	move_on();
	reload(WHOLE);
	expect("1 1 0 0", "1 1 0 0", "1 2 0 1");
}
END_TEST

/* An upstream that no route leads to is none. */
START_TEST(unused)
{
	const char *text = LISTENERS UPSTREAMS "[route b]\npath = /b\nupstream = v\n";
	next = load(text, running, "t:5: warning: [upstream u]: no route leads to it");
	expect("2 0 0 0", "1 0 0 1", "1 0 0 2");
}
END_TEST

START_TEST(defaults)
{
	reload(WHOLE "[defaults]\nmax_queue = 8k\n");
	expect("2 0 0 0", "2 0 0 0", "0 0 3 0");
	/* One that says otherwise does not care. */
	reload(LISTENERS UPSTREAMS "[route a]\npath = /a\nupstream = u\nmax_queue = 9k\n"
	                           "[route b]\npath = /b\nupstream = v\n"
	                           "[defaults]\nmax_queue = 8k\n");
	reload(LISTENERS UPSTREAMS "[route a]\npath = /a\nupstream = u\nmax_queue = 9k\n"
	                           "[route b]\npath = /b\nupstream = v\n"
	                           "[defaults]\nmax_queue = 10k\n");
	expect("2 0 0 0", "2 0 0 0", "1 0 1 0");
	/* But rules of [defaults] come before its own. */
	reload(LISTENERS UPSTREAMS
	        "[route a]\npath = /a\nupstream = u\nmax_queue = 9k\nrequest_set = A: 1\n"
	        "[route b]\npath = /b\nupstream = v\n"
	        "[defaults]\nmax_queue = 10k\n");
	reload(LISTENERS UPSTREAMS
	        "[route a]\npath = /a\nupstream = u\nmax_queue = 9k\nrequest_set = A: 1\n"
	        "[route b]\npath = /b\nupstream = v\n"
	        "[defaults]\nmax_queue = 10k\nrequest_set = B: 1\n");
	expect("2 0 0 0", "2 0 0 0", "0 0 2 0");
}
END_TEST

/* Rules undo each other: their order is part of what they say. */
START_TEST(order_of_rules)
{
	const char *head =
	        "[listener l]\nbind = 127.0.0.1:8080\n[upstream u]\nserver = ws://127.0.0.1:9000\n"
	        "[route a]\nupstream = u\n";
	char text[512];
	snprintf(text, sizeof text, "%srequest_set = A: 1\nrequest_remove = A\n", head);
	next = load(text, running, NULL);
	snprintf(text, sizeof text, "%srequest_remove = A\nrequest_set = A: 1\n", head);
	reload(text);
	ck_assert_str_eq(counts(PART_ROUTE), "0 0 1 0");
	/* Two texts do not run into each other. */
	snprintf(text, sizeof text, "%srequest_set = A: 12\nrequest_add = A: 3\n", head);
	reload(text);
	snprintf(text, sizeof text, "%srequest_set = A: 1\nrequest_add = A: 23\n", head);
	reload(text);
	ck_assert_str_eq(counts(PART_ROUTE), "0 0 1 0");
}
END_TEST

/* Numbers stay with names, whatever comes and goes around them. */
START_TEST(numbers_of_listeners)
{
	const char *rest = UPSTREAMS ROUTES;
	char text[1024];
	snprintf(text, sizeof text, "[listener first]\nbind = 127.0.0.1:8082\n%s%s", LISTENERS,
	        rest);
	reload(text);
	expect("2 1 0 0", "2 0 0 0", "3 0 0 0");
	ck_assert_uint_eq(next->listener[0]->number, 2);
	ck_assert_uint_eq(next->listener[2]->number, 1);
	ck_assert_ptr_eq(find(next, "m", "/c"), part(next, PART_ROUTE, "c"));
	ck_assert_ptr_null(find(next, "first", "/c"));
	/* l goes, and another has its number; whoever came by l is nobody's any more. */
	snprintf(text, sizeof text,
	        "[listener m]\nbind = 127.0.0.1:8081\n[listener n]\nbind = 127.0.0.1:8080\n%s"
	        "[route n]\nlistener = n\npath = /n\necho = on\n",
	        rest);
	reload(text);
	ck_assert_uint_eq(next->listener[1]->number, 0);
	ck_assert_ptr_nonnull(find(next, "n", "/n"));
	ck_assert_ptr_null(find(next, "l", "/n"));
	ck_assert_ptr_nonnull(find(next, "l", "/a"));
	ck_assert_uint_eq(route_table_listener(next->routes, "l", 0), ROUTE_LISTENERS_MAX);
	ck_assert_uint_eq(route_table_listener(next->routes, "m", 0), 1);
}
END_TEST

/* A route by name whose listener has another number than that of this name had: it is new. */
START_TEST(a_route_whose_listener_was_away)
{
	reload("[listener l]\nbind = 127.0.0.1:8080\n[route c]\npath = /c\necho = on\n");
	reload("[listener l]\nbind = 127.0.0.1:8080\n[listener x]\nbind = 127.0.0.1:1\n"
	       "[listener m]\nbind = 127.0.0.1:8081\n[route c]\npath = /c\nlistener = m\necho = "
	       "on\n");
	ck_assert_uint_eq(next->listener[2]->number, 2);
	ck_assert_ptr_null(find(next, "x", "/c"));
	ck_assert_ptr_nonnull(find(next, "m", "/c"));
}
END_TEST

START_TEST(errors_change_nothing)
{
	struct config_errors errors;
	struct upstream_group *u = part(running, PART_UPSTREAM, "u");
	unsigned refs = atomic_load(&u->refs);
	static const char *const texts[] = {"", WHOLE "[route a]\necho = on\n", WHOLE "nonsense\n",
	        WHOLE "[route d]\npath = /a\necho = on\n", WHOLE "[route d]\nupstream = x\n",
	        LISTENERS UPSTREAMS ROUTES "[upstream w]\nserver = ws://127.0.0.1:8080\n"
	                                   "[route w]\npath = /w\nupstream = w\n"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		ck_assert_ptr_null(
		        config_reload_text("t", texts[i], strlen(texts[i]), running, &errors));
		ck_assert_uint_ge(errors.n, 1);
		config_errors_free(&errors);
	}
	ck_assert_uint_eq(atomic_load(&u->refs), refs);
	reload(WHOLE);
	expect("2 0 0 0", "2 0 0 0", "3 0 0 0");
}
END_TEST

/* Workers and the like stay as they began, and that is told as long as it is so. */
START_TEST(what_a_start_decides)
{
	const char *later = "[moongate]\nworkers = 3\ncore_dumps = on\ndrain_timeout = 1s\n" WHOLE;
	const char *told =
	        "t:2: warning: [moongate] workers: needs a restart to become 3; it stays auto\n"
	        "t:3: warning: [moongate] core_dumps: needs a restart to become on; it stays off";
	for (int i = 0; i < 2; i++) {
		next = load(later, running, told);
		ck_assert_uint_eq(next->workers, 0);
		ck_assert(!next->core_dumps);
		ck_assert_uint_eq(next->drain_timeout_ms, 1000);
		ck_assert_str_eq(config_place(next, "drain_timeout", "-"), "t:4");
		ck_assert_str_eq(config_place(next, "log", "-"), "-");
		move_on();
	}
	next = load("[moongate]\nallow_root_handlers = yes\n" WHOLE, running,
	        "t:2: warning: [moongate] allow_root_handlers: needs a restart to become yes; "
	        "it stays no");
	ck_assert(!next->allow_root_handlers);
	/* A default that is written out is no change. */
	reload("[moongate]\nworkers = auto\ncore_dumps = off\nallow_root_handlers = no\n" WHOLE);
	reload(WHOLE);
	move_on();
	config_free(running);
	running = load("[moongate]\nallow_root_handlers = yes\n" WHOLE, NULL, NULL);
	next = load(WHOLE, running,
	        "t: warning: [moongate] allow_root_handlers: needs a restart to become no; "
	        "it stays yes");
	ck_assert(next->allow_root_handlers);
	move_on();
	config_free(running);
	running = load("[moongate]\nworkers = 2\nuser = 0\n" WHOLE, NULL, NULL);
	next = load(WHOLE, running,
	        "t: warning: [moongate] workers: needs a restart to become auto; it stays 2\n"
	        "t: warning: [moongate] user: needs a restart to become not given; it stays 0");
	ck_assert_uint_eq(next->workers, 2);
	ck_assert_str_eq(next->identity.user, "0");
}
END_TEST

/* ---- with files ---- */

static char folder[64], path[96], secret[96];

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	chmod(name, 0600);
}

static struct config *load_file(const struct config *beside)
{
	struct config_errors errors;
	struct config *c = config_reload(path, beside, &errors);
	ck_assert_msg(c != NULL, "%s", errors.text);
	config_errors_free(&errors);
	return c;
}

/* The bytes of a file that a key names belong to the setting; a path is the file's that names
 * it. */
START_TEST(files)
{
	strcpy(folder, "/tmp/config_reload.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/c", folder);
	snprintf(secret, sizeof secret, "%s/secret", folder);
	write_file(secret, "0123456789abcdef0123456789abcdef");
	write_file(path,
	        "[listener l]\nbind = 127.0.0.1:8080\n"
	        "[upstream u]\nserver = ws://127.0.0.1:9000\nsticky = c\nsticky_secret = secret\n"
	        "[route a]\nupstream = u\n");
	config_free(running);
	running = load_file(NULL);
	next = load_file(running);
	expect("1 0 0 0", "1 0 0 0", "1 0 0 0");
	move_on();
	write_file(secret, "0123456789abcdef0123456789abcdeF");
	next = load_file(running);
	expect("1 0 0 0", "0 0 1 0", "0 0 1 0");
	unlink(secret);
	unlink(path);
	rmdir(folder);
}
END_TEST

enum { MANY = 1000 };

/* A thousand times the same, and nothing piles up. */
START_TEST(many_times)
{
	struct route *a = part(running, PART_ROUTE, "a");
	for (int i = 0; i < MANY; i++)
		reload(i % 2 ? WHOLE : WHOLE "[route more]\npath = /more\necho = on\n");
	ck_assert_ptr_eq(part(next, PART_ROUTE, "a"), a);
	move_on();
	/* The configuration's parts, its table. */
	ck_assert_uint_eq(atomic_load(&a->refs), 2);
	ck_assert_uint_eq(atomic_load(&running->listener[0]->refs), 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config/reload");
	TCase *c = tcase_create("reload");
	tcase_set_timeout(c, 30);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, the_same);
	tcase_add_test(c, the_same_in_other_words);
	tcase_add_test(c, one_of_each_changes);
	tcase_add_test(c, a_group_takes_its_routes_along);
	tcase_add_test(c, some_come_and_some_go);
	tcase_add_test(c, unused);
	tcase_add_test(c, defaults);
	tcase_add_test(c, order_of_rules);
	tcase_add_test(c, numbers_of_listeners);
	tcase_add_test(c, a_route_whose_listener_was_away);
	tcase_add_test(c, errors_change_nothing);
	tcase_add_test(c, what_a_start_decides);
	tcase_add_test(c, files);
	tcase_add_test(c, many_times);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
