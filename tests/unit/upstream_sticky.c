/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/sticky.h"

#include "base/mem.h"
#include "upstream/group.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET SLICE("0123456789abcdef0123456789abcdef")

enum { SERVERS = 4, NOW = 1800000000 };

static struct upstream_group *group;
static struct upstream_members *members;

static void setup(void)
{
	struct upstream_server servers[SERVERS];
	memset(servers, 0, sizeof servers);
	group = upstream_group_new("chat");
	for (unsigned i = 0; i < SERVERS; i++) {
		char name[32];
		snprintf(name, sizeof name, "192.0.2.%u:9000", i + 1);
		servers[i].name = mem_strdup(name);
		servers[i].weight = 1;
		ck_assert(address_parse(&servers[i].address, name));
	}
	upstream_group_set_members(group, upstream_members_new(group, servers, SERVERS));
	members = upstream_group_members(group);
}

static void teardown(void)
{
	upstream_members_unref(members);
	upstream_group_unref(group);
}

static struct sticky *make(const char *of, uint32_t ttl_s, struct slice secret)
{
	struct sticky *s = sticky_new(of, "node", "Path=/; HttpOnly", ttl_s, secret);
	ck_assert_ptr_nonnull(s);
	return s;
}

static const char *key_of(unsigned i)
{
	return members->server[i].state->key;
}

/* The line without its CRLF. */
static const char *line_for(const struct sticky *s, unsigned server, int64_t now_s)
{
	static char out[STICKY_LINE_MAX + 64];
	struct http_writer w;
	http_writer_init(&w, out, sizeof out - 1);
	sticky_put(s, &w, key_of(server), now_s);
	ck_assert(!w.overflow && w.len > 2);
	out[w.len - 2] = '\0';
	return out;
}

static const char *value_for(const struct sticky *s, unsigned server, int64_t now_s)
{
	static char out[STICKY_VALUE_LEN + 1];
	const char *line = line_for(s, server, now_s);
	ck_assert_int_eq(strncmp(line, "Set-Cookie: node=", 17), 0);
	memcpy(out, line + 17, STICKY_VALUE_LEN);
	ck_assert_uint_eq(strcspn(out, "; "), STICKY_VALUE_LEN);
	return out;
}

/* What a request with this Cookie line leads to; the line ends where its buffer does. */
static int find(const struct sticky *s, const char *cookies, int64_t now_s)
{
	static struct http_head head;
	size_t len = strlen(cookies);
	uint8_t *exact = malloc(len ? len : 1);
	memcpy(exact, cookies, len);
	head.n = 1;
	head.field[0] = (struct http_field){.name = SLICE("Cookie"), .value = slice_of(exact, len)};
	int found = sticky_find(s, &head, members, now_s);
	free(exact);
	return found;
}

static int find_value(const struct sticky *s, const char *value, int64_t now_s)
{
	char line[256];
	snprintf(line, sizeof line, "x=1; node=%s; y=2", value);
	return find(s, line, now_s);
}

START_TEST(each_server_is_found_again)
{
	struct sticky *s = make("chat", 0, SECRET), *node = make("chat", 0, SECRET);
	for (unsigned i = 0; i < SERVERS; i++) {
		/* By any node with the same secret, at any time. */
		ck_assert_int_eq(find_value(node, value_for(s, i, NOW), NOW), (int)i);
		ck_assert_int_eq(find_value(s, value_for(node, i, 1), INT64_MAX), (int)i);
	}
	sticky_free(s);
	sticky_free(node);
}
END_TEST

START_TEST(the_line)
{
	struct sticky *s = make("chat", 0, SECRET);
	const char *line = line_for(s, 0, NOW);
	ck_assert_str_eq(line + 17 + STICKY_VALUE_LEN, "; Path=/; HttpOnly");
	ck_assert_ptr_null(strstr(line, "192.0.2"));
	sticky_free(s);
	s = make("chat", 3600, SECRET);
	ck_assert_str_eq(
	        line_for(s, 0, NOW) + 17 + STICKY_VALUE_LEN, "; Max-Age=3600; Path=/; HttpOnly");
	sticky_free(s);
	s = sticky_new("chat", "node", "", 0, SECRET);
	ck_assert_uint_eq(strlen(line_for(s, 0, NOW)), 17 + STICKY_VALUE_LEN);
	sticky_free(s);
}
END_TEST

START_TEST(the_longest_line_fits)
{
	char name[STICKY_TEXT_MAX + 1], path[STICKY_TEXT_MAX + 1];
	memset(name, 'n', STICKY_TEXT_MAX);
	memset(path, 'p', STICKY_TEXT_MAX);
	name[STICKY_TEXT_MAX] = path[STICKY_TEXT_MAX] = '\0';
	memcpy(path, "Path=/", 6);
	ck_assert_ptr_null(sticky_check_attributes(path));
	struct sticky *s = sticky_new("chat", name, path, UINT32_MAX, SECRET);
	line_for(s, 0, NOW);
	sticky_free(s);
}
END_TEST

START_TEST(no_room_for_the_line)
{
	struct sticky *s = make("chat", 0, SECRET);
	char out[40];
	struct http_writer w;
	http_writer_init(&w, out, sizeof out);
	sticky_put(s, &w, key_of(0), NOW);
	ck_assert(w.overflow);
	sticky_free(s);
}
END_TEST

START_TEST(every_other_text_is_refused)
{
	struct sticky *s = make("chat", 0, SECRET);
	char good[STICKY_VALUE_LEN + 2], value[STICKY_VALUE_LEN + 2];
	strcpy(good, value_for(s, 1, NOW));
	for (size_t i = 0; i < STICKY_VALUE_LEN; i++) {
		for (int c = 0x21; c < 0x7f; c++) {
			strcpy(value, good);
			value[i] = (char)c;
			if (c != good[i] && c != ';')
				ck_assert_int_eq(find_value(s, value, NOW), -1);
		}
	}
	for (size_t len = 0; len < STICKY_VALUE_LEN; len++) {
		strcpy(value, good);
		value[len] = '\0';
		ck_assert_int_eq(find_value(s, value, NOW), -1);
	}
	memcpy(value, good, STICKY_VALUE_LEN);
	strcpy(value + STICKY_VALUE_LEN, "A");
	ck_assert_int_eq(find_value(s, value, NOW), -1);
	sticky_free(s);
}
END_TEST

START_TEST(others_secrets_groups_and_names)
{
	struct sticky *s = make("chat", 0, SECRET), *group_of = make("shop", 0, SECRET),
	              *secret = make("chat", 0, SLICE("0123456789abcdef0123456789abcdeF"));
	char value[STICKY_VALUE_LEN + 1], line[256];
	strcpy(value, value_for(s, 0, NOW));
	ck_assert_int_eq(find_value(group_of, value, NOW), -1);
	ck_assert_int_eq(find_value(secret, value, NOW), -1);
	snprintf(line, sizeof line, "Node=%s; nod=%s; nodes=%s", value, value, value);
	ck_assert_int_eq(find(s, line, NOW), -1);
	ck_assert_int_eq(find(s, "", NOW), -1);
	/* Servers have other names in another group: nobody learns that two share one. */
	ck_assert_int_ne(strncmp(value, value_for(group_of, 0, NOW), 10), 0);
	sticky_free(s);
	sticky_free(group_of);
	sticky_free(secret);
}
END_TEST

START_TEST(expiry)
{
	struct sticky *s = make("chat", 60, SECRET);
	char value[STICKY_VALUE_LEN + 1];
	strcpy(value, value_for(s, 2, NOW));
	ck_assert_int_eq(find_value(s, value, NOW), 2);
	ck_assert_int_eq(find_value(s, value, NOW + 59), 2);
	ck_assert_int_eq(find_value(s, value, NOW + 60), -1);
	ck_assert_int_eq(find_value(s, value, INT64_MAX), -1);
	ck_assert_int_eq(find_value(s, value, -1), -1);
	sticky_free(s);
}
END_TEST

START_TEST(a_server_that_left)
{
	struct sticky *s = make("chat", 0, SECRET);
	char value[STICKY_VALUE_LEN + 1];
	strcpy(value, value_for(s, SERVERS - 1, NOW));
	members->n--;
	ck_assert_int_eq(find_value(s, value, NOW), -1);
	members->n++;
	ck_assert_int_eq(find_value(s, value, NOW), SERVERS - 1);
	sticky_free(s);
}
END_TEST

/* Sites beside this one can set cookies of the same name: noise before the real one
 * does no harm, but each that looks right costs a signature, and only four are paid. */
START_TEST(several_of_the_name)
{
	struct sticky *s = make("chat", 0, SECRET), *other = make("shop", 0, SECRET);
	char good[STICKY_VALUE_LEN + 1], bad[STICKY_VALUE_LEN + 1], line[1024];
	strcpy(good, value_for(s, 3, NOW));
	strcpy(bad, value_for(other, 3, NOW));
	snprintf(line, sizeof line, "node=; node=x; node=x; node=x; node=x; node=%s; node=%s", bad,
	        good);
	ck_assert_int_eq(find(s, line, NOW), 3);
	snprintf(line, sizeof line, "node=%s; node=%s; node=%s; node=%s", bad, bad, bad, good);
	ck_assert_int_eq(find(s, line, NOW), 3);
	snprintf(line, sizeof line, "node=%s; node=%s; node=%s; node=%s; node=%s", bad, bad, bad,
	        bad, good);
	ck_assert_int_eq(find(s, line, NOW), -1);
	sticky_free(s);
	sticky_free(other);
}
END_TEST

START_TEST(attributes)
{
	static const char *const good[] = {"", "Path=/", "Path=/; HttpOnly; SameSite=Lax",
	        "path=/x;secure;httponly;samesite=NONE;partitioned",
	        "Domain=example.com; Path=/a b"};
	static const char *const bad[] = {"Path", "Path=", "Path=x", "Domain",
	        "Domain=", "Secure=1", "SameSite", "SameSite=", "SameSite=Laxer", "Max-Age=5",
	        "Expires=never", "nonsense", "Path=/;", "Path=/;; Secure", ";", "Path=/\r\nX: 1",
	        "Path=/\t", "Path=/\x7f", "Path=/\xc3\xa4", "Path=/, Secure", "=x"};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		ck_assert_msg(!sticky_check_attributes(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(sticky_check_attributes(bad[i]) != NULL, "%s", bad[i]);
	char longest[STICKY_TEXT_MAX + 2] = "Path=/";
	memset(longest + 6, 'a', STICKY_TEXT_MAX + 1 - 6);
	ck_assert_ptr_nonnull(sticky_check_attributes(longest));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("upstream_sticky");
	TCase *tc = tcase_create("sticky");
	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, each_server_is_found_again);
	tcase_add_test(tc, the_line);
	tcase_add_test(tc, the_longest_line_fits);
	tcase_add_test(tc, no_room_for_the_line);
	tcase_add_test(tc, every_other_text_is_refused);
	tcase_add_test(tc, others_secrets_groups_and_names);
	tcase_add_test(tc, expiry);
	tcase_add_test(tc, a_server_that_left);
	tcase_add_test(tc, several_of_the_name);
	tcase_add_test(tc, attributes);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
