/* SPDX-License-Identifier: BSD-2-Clause */

/* The keys of [upstream]. */

#include "config/config.h"
#include "upstream/group.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define HEAD  "[listener l]\nbind = 127.0.0.1:8080\n[upstream u]\n"
#define ROUTE "[route r]\nupstream = u\n"

static struct config *load(const char *keys, struct config_errors *errors)
{
	char text[8192];
	snprintf(text, sizeof text, HEAD "%s\n" ROUTE, keys);
	/* Of its exact size, so that a look behind it is seen. */
	size_t len = strlen(text);
	char *exact = malloc(len);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, text, len);
	struct config *c = config_load_text("t", exact, len, errors);
	free(exact);
	return c;
}

static struct upstream_group *group_of(struct config *c)
{
	struct route_query q = {.listener = 0, .path = SLICE("/")};
	return route_find(c->routes, &q)->group;
}

static struct config *accept_keys(const char *keys)
{
	struct config_errors errors;
	struct config *c = load(keys, &errors);
	ck_assert_msg(c && !errors.text, "%s: %s", keys, errors.text ? errors.text : "");
	return c;
}

static void refuse(const char *keys, const char *why)
{
	struct config_errors errors;
	struct config *c = load(keys, &errors);
	ck_assert_msg(!c && errors.text && strstr(errors.text, why), "%s: %s", keys,
	        errors.text ? errors.text : "accepted");
	config_errors_free(&errors);
}

START_TEST(defaults)
{
	struct config *c = accept_keys("server = ws://a");
	const struct upstream_group *g = group_of(c);
	const struct upstream_members *m = g->members;
	ck_assert_uint_eq(m->n, 1);
	ck_assert_uint_eq(m->server[0].weight, 1);
	ck_assert_uint_eq(m->server[0].max_connections, 0);
	ck_assert(!m->server[0].is_backup);
	ck_assert(m->has_one_open);
	ck_assert(!m->is_private); /* a name may turn out to be anywhere */
	ck_assert_str_eq(m->server[0].state->name, "a:80");
	ck_assert_int_eq(g->balance, BALANCE_ROUND_ROBIN);
	ck_assert_int_eq(g->hash, HASH_CLIENT_ADDRESS);
	ck_assert_ptr_null(g->hash_name);
	ck_assert_uint_eq(g->queue, 0);
	ck_assert_uint_eq(g->queue_timeout_ms, 0);
	ck_assert_uint_eq(g->tries, 2);
	ck_assert_uint_eq(g->max_fails, 3);
	ck_assert_uint_eq(g->fail_timeout_ms, 10000);
	ck_assert_uint_eq(g->slow_start_ms, 0);
	ck_assert_uint_eq(g->source_n, 0);
	config_free(c);
}
END_TEST

START_TEST(everything_set)
{
	struct config *c = accept_keys(
	        "server = ws://10.0.0.1 weight=256\n"
	        "server =\tws://10.0.0.2:81\tbackup   max_connections=7 weight=2\n"
	        "server = ws://unix:/run/x max_connections=1000000\n"
	        "balance = hash\nhash_key = cookie sid\nmax_connections = 5\nqueue = 1000000\n"
	        "queue_timeout = 1ms\ntries = 64\nmax_fails = 64\nfail_timeout = 24h\n"
	        "slow_start = 30s\nsource = 127.0.0.2\nsource = ::1");
	const struct upstream_group *g = group_of(c);
	const struct upstream_server *s = g->members->server;
	ck_assert_uint_eq(g->members->n, 3);
	ck_assert(g->members->is_private && !g->members->has_one_open);
	ck_assert_ptr_nonnull(g->members->ring);
	ck_assert(s[0].weight == 256 && !s[0].is_backup && s[0].max_connections == 5);
	ck_assert(s[1].weight == 2 && s[1].is_backup && s[1].max_connections == 7);
	ck_assert(s[2].weight == 1 && s[2].max_connections == 1000000);
	ck_assert_str_eq(s[1].name, "10.0.0.2:81");
	ck_assert_str_eq(s[2].state->name, "unix:/run/x");
	ck_assert_int_eq(g->balance, BALANCE_HASH);
	ck_assert_int_eq(g->hash, HASH_COOKIE);
	ck_assert_str_eq(g->hash_name, "sid");
	ck_assert_uint_eq(g->queue, 1000000);
	ck_assert_uint_eq(g->queue_timeout_ms, 1);
	ck_assert_uint_eq(g->tries, 64);
	ck_assert_uint_eq(g->max_fails, 64);
	ck_assert_uint_eq(g->fail_timeout_ms, 24 * 3600 * 1000);
	ck_assert_uint_eq(g->slow_start_ms, 30000);
	ck_assert_uint_eq(g->source_n, 2);
	ck_assert_int_eq(g->source[0].sa.sa_family, AF_INET);
	ck_assert_int_eq(g->source[1].sa.sa_family, AF_INET6);
	ck_assert_uint_eq(address_port(&g->source[0]), 0);
	config_free(c);
}
END_TEST

START_TEST(words)
{
	static const char *const keys[] = {"balance = round_robin", "balance = least_connections",
	        "balance = random_two", "balance = hash\nhash_key = uri",
	        "balance = hash\nhash_key = client_address", "hash_key = client_address",
	        "balance = hash\nhash_key = header X-User", "balance = hash\nhash_key = query room",
	        "max_fails = off", "queue = off\nqueue_timeout = off", "slow_start = off"};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		char text[200];
		snprintf(text, sizeof text, "server = ws://a\n%s", keys[i]);
		config_free(accept_keys(text));
	}
	refuse("server = ws://a\nbalance = Hash", "want round_robin | least_connections");
	refuse("server = ws://a\nbalance =", "want round_robin | least_connections");
	refuse("server = ws://a\nbalance = hash\nhash_key =", "want client_address | header NAME");
	refuse("server = ws://a\nbalance = hash\nhash_key = header X Y", "want client_address");
	refuse("server = ws://a\nbalance = hash\nhash_key = query a&b", "want client_address");
	refuse("server = ws://a\nbalance = hash\nhash_key = client_address x",
	        "want client_address");
}
END_TEST

START_TEST(server_lines)
{
	refuse("server =", "want ws[s]://HOST[:PORT]");
	refuse("server = weight=2", "want ws[s]://HOST[:PORT]");
	refuse("server = weight=2 ws://a", "want ws[s]://HOST[:PORT]");
	refuse("server = ws://a weight=", "want weight=1..256");
	refuse("server = ws://a weight=-1", "want weight=1..256");
	refuse("server = ws://a weight=1x", "want weight=1..256");
	refuse("server = ws://a weight = 2", "behind the address want weight=N");
	refuse("server = ws://a weight=99999999999999999999", "want weight=1..256");
	refuse("server = ws://a max_connections=0", "want max_connections=1..1000000");
	refuse("server = ws://a max_connections=1000001", "want max_connections=1..1000000");
	refuse("server = ws://a ws://b", "want one server in a line");
	refuse("server = ws://a Backup", "behind the address want weight=N");
	refuse("server = ws://a\nserver = ws://b\nserver = ws://a weight=2",
	        "t:6: [upstream u] server = ws://a weight=2: given before, at line 4");
	refuse("server = ws://a backup", "all servers are backups: want one that is not");
	/* A mistake in one is not taken for its absence. */
	refuse("server = ws://a backup\nserver = ws://b x", "behind the address");
}
END_TEST

START_TEST(as_many_as_there_may_be)
{
	char text[8192];
	size_t at = 0;
	for (unsigned i = 0; i < UPSTREAM_SERVERS_MAX; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "server = ws://h:%u\n", i + 1);
	config_free(accept_keys(text));
	snprintf(text + at, sizeof text - at, "server = ws://h:1000\n");
	refuse(text, "65 servers: want at most 64");
}
END_TEST

START_TEST(sources)
{
	refuse("server = ws://a\nsource = 127.0.0.1:80", "want ADDRESS");
	refuse("server = ws://a\nsource = [::1]", "want ADDRESS");
	refuse("server = ws://a\nsource = localhost", "want ADDRESS");
	refuse("server = ws://a\nsource = unix:/x", "want ADDRESS");
	refuse("server = ws://a\nsource =", "want ADDRESS");
	refuse("server = ws://a\nsource = ::1\nsource = 0:0::1", "given before in this section");
}
END_TEST

/* Many generations that name the same servers leave nothing behind. */
START_TEST(states_are_found_again)
{
	struct config *old = accept_keys("server = ws://a\nserver = ws://b");
	for (int i = 0; i < 1000; i++) {
		struct config *new =
		        accept_keys("server = ws://b\nserver = ws://c\nbalance = hash");
		ck_assert_ptr_eq(group_of(old)->members->server[1].state,
		        group_of(new)->members->server[0].state);
		config_free(old);
		old = accept_keys("server = ws://b\nserver = ws://a");
		ck_assert_ptr_eq(group_of(old)->members->server[0].state,
		        group_of(new)->members->server[0].state);
		config_free(new);
		new = accept_keys("server = ws://a\nserver = ws://b");
		config_free(old);
		old = new;
	}
	config_free(old);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("groups");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, defaults);
	tcase_add_test(t, everything_set);
	tcase_add_test(t, words);
	tcase_add_test(t, server_lines);
	tcase_add_test(t, as_many_as_there_may_be);
	tcase_add_test(t, sources);
	tcase_add_test(t, states_are_found_again);
	Suite *s = suite_create("config/groups");
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
