/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the client is behind proxies, the target that goes on, and what is remembered. */
#include "proxy/headers.h"
#include "proxy/note.h"
#include "proxy/rewrite.h"
#include "proxy/trust.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static struct http_head head;
static char *text;

static void teardown(void)
{
	free(text);
	text = NULL;
}

static void request(const char *target, const char *lines)
{
	struct http_scan scan = {0};
	free(text);
	int len = asprintf(&text, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target, lines);
	ck_assert_int_gt(len, 0);
	ck_assert_int_eq(http_parse_request(&head, &scan, (uint8_t *)text, (size_t)len), len);
}

static void client_is(enum trust_header believed, const char *want)
{
	static const char *const blocks[] = {"10.0.0.0/8", "fd00::/8", "unix:"};
	struct cidr_list trusted = {NULL, 0};
	struct address_brief peer, got;
	char ip[ADDRESS_TEXT_MAX];
	struct cidr c;
	for (size_t i = 0; i < 3; i++) {
		ck_assert_ptr_null(cidr_parse(&c, blocks[i]));
		cidr_list_add(&trusted, &c);
	}
	ck_assert(address_brief_parse(&peer, SLICE("10.0.0.1:5000")));
	got = trust_client(&trusted, believed, &peer, &head);
	cidr_list_fini(&trusted);
	ck_assert_str_eq(address_brief_text(&got, ip), want);
}

static const struct {
	enum trust_header believed;
	const char *lines, *want;
} rows[] = {
        {TRUST_X_FORWARDED_FOR, "", "10.0.0.1:5000"},
        {TRUST_X_FORWARDED_FOR, "X-Forwarded-For:\r\n", "10.0.0.1:5000"},
        {TRUST_X_FORWARDED_FOR, "X-Forwarded-For: ,, ,\r\n", "10.0.0.1:5000"},
        {TRUST_X_FORWARDED_FOR, "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1:0"},
        {TRUST_X_FORWARDED_FOR, "X-Forwarded-For: 192.0.2.1:77\r\n", "192.0.2.1:77"},
        {TRUST_X_FORWARDED_FOR, "x-forwarded-for: 6.6.6.6, 192.0.2.1\r\n", "192.0.2.1:0"},
        {TRUST_X_FORWARDED_FOR, "X-Forwarded-For: 6.6.6.6, 192.0.2.1 , 10.2.2.2,fd00::7\r\n",
                "192.0.2.1:0"},
        {TRUST_X_FORWARDED_FOR, "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.1\r\n",
                "192.0.2.1:0"},
        {TRUST_X_FORWARDED_FOR, "X-Forwarded-For: 10.9.9.9, 10.2.2.2\r\n", "10.9.9.9:0"},
        {TRUST_X_FORWARDED_FOR, "X-Forwarded-For: 6.6.6.6, unknown, 10.2.2.2\r\n", "10.2.2.2:0"},
        {TRUST_X_FORWARDED_FOR, "X-Forwarded-For: 6.6.6.6, evil\r\n", "10.0.0.1:5000"},
        {TRUST_X_FORWARDED_FOR, "X-Forwarded-For: 6.6.6.6 7.7.7.7\r\n", "10.0.0.1:5000"},
        {TRUST_X_FORWARDED_FOR, "X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1:0"},
        {TRUST_X_FORWARDED_FOR, "X-Forwarded-For: 6.6.6.6, ::ffff:10.2.2.2\r\n", "6.6.6.6:0"},
        {TRUST_X_FORWARDED_FOR, "X-Forwarded-For: [2001:db8::1]:9\r\n", "[2001:db8::1]:9"},
        {TRUST_X_FORWARDED_FOR,
                "X_Forwarded_For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n",
                "10.0.0.1:5000"},
        {TRUST_X_REAL_IP, "X-Real-IP: 192.0.2.1\r\n", "192.0.2.1:0"},
        {TRUST_X_REAL_IP, "X-Real-IP: 10.7.7.7\r\n", "10.7.7.7:0"},
        {TRUST_X_REAL_IP, "X-Real-IP: 6.6.6.6\r\nX-Real-IP: 192.0.2.1\r\n", "10.0.0.1:5000"},
        {TRUST_X_REAL_IP, "X-Real-IP: 6.6.6.6, 192.0.2.1\r\n", "10.0.0.1:5000"},
        {TRUST_X_REAL_IP, "X-Forwarded-For: 6.6.6.6\r\n", "10.0.0.1:5000"},
        {TRUST_FORWARDED, "Forwarded: for=192.0.2.1\r\n", "192.0.2.1:0"},
        {TRUST_FORWARDED, "Forwarded: FOR=\"192.0.2.1:8\"\r\n", "192.0.2.1:8"},
        {TRUST_FORWARDED, "Forwarded: for=192.0.2.1:8\r\n", "192.0.2.1:8"},
        {TRUST_FORWARDED, "Forwarded: proto=https; for=\"[2001:db8::1]\" ;by=x\r\n",
                "[2001:db8::1]:0"},
        {TRUST_FORWARDED,
                "Forwarded: for=6.6.6.6, for=192.0.2.1;host=\"a,b;c\\\"d\", for=10.2.2.2\r\n",
                "192.0.2.1:0"},
        {TRUST_FORWARDED, "Forwarded: for=6.6.6.6\r\nForwarded: for=192.0.2.1\r\n", "192.0.2.1:0"},
        {TRUST_FORWARDED, "Forwarded: for=6.6.6.6, for=unknown\r\n", "10.0.0.1:5000"},
        {TRUST_FORWARDED, "Forwarded: for=6.6.6.6, for=_hidden\r\n", "10.0.0.1:5000"},
        {TRUST_FORWARDED, "Forwarded: for=6.6.6.6, proto=http\r\n", "10.0.0.1:5000"},
        {TRUST_FORWARDED, "Forwarded: for=6.6.6.6, for\r\n", "10.0.0.1:5000"},
        {TRUST_FORWARDED, "Forwarded: for=6.6.6.6, for=\r\n", "10.0.0.1:5000"},
        {TRUST_FORWARDED, "Forwarded: for=6.6.6.6, =192.0.2.1\r\n", "10.0.0.1:5000"},
        {TRUST_FORWARDED, "Forwarded: for=\"6.6.6.6\r\n", "10.0.0.1:5000"},
        {TRUST_FORWARDED, "Forwarded: for=\"6.6.6.6\\\r\n", "10.0.0.1:5000"},
        {TRUST_FORWARDED, "Forwarded: for=\"6.6.6.6, for=192.0.2.1\r\n", "10.0.0.1:5000"},
        {TRUST_FORWARDED, "Forwarded: for=6.6.6.6 x, for=192.0.2.1\r\n", "10.0.0.1:5000"},
        {TRUST_FORWARDED, "Forwarded: for=6.6.6.6 x\r\nForwarded: ,for=192.0.2.1,\r\n",
                "192.0.2.1:0"},
        {TRUST_FORWARDED, "Forwarded: ;;for=192.0.2.1;\r\n", "192.0.2.1:0"},
        {TRUST_FORWARDED, "Forwarded: ,\r\n", "10.0.0.1:5000"},
        {TRUST_FORWARDED, "Forwarded:\r\n", "10.0.0.1:5000"},
};

START_TEST(clients)
{
	request("/", rows[_i].lines);
	client_is(rows[_i].believed, rows[_i].want);
}
END_TEST

/* However long the list, its end counts; more trusted hops than are kept is the oldest
 * of those. */
START_TEST(long_lists)
{
	char lines[16000] = "X-Forwarded-For: 6.6.6.6";
	for (int i = 0; i < 1000; i++)
		strcat(lines, ", 192.0.2.9");
	strcat(lines, ", 192.0.2.1, 10.2.2.2\r\n");
	request("/", lines);
	client_is(TRUST_X_FORWARDED_FOR, "192.0.2.1:0");
	snprintf(lines, sizeof lines, "X-Forwarded-For: 6.6.6.6");
	for (int i = 0; i < TRUST_HOPS_MAX; i++)
		snprintf(lines + strlen(lines), sizeof lines - strlen(lines), ", 10.0.1.%d", i);
	strcat(lines, "\r\n");
	request("/", lines);
	client_is(TRUST_X_FORWARDED_FOR, "10.0.1.0:0");
}
END_TEST

START_TEST(unix_peers)
{
	struct cidr_list trusted = {NULL, 0};
	struct address_brief peer = {.family = AF_UNIX}, got;
	struct cidr c;
	char ip[ADDRESS_TEXT_MAX];
	ck_assert_ptr_null(cidr_parse(&c, "unix:"));
	cidr_list_add(&trusted, &c);
	request("/", "X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\n");
	got = trust_client(&trusted, TRUST_X_FORWARDED_FOR, &peer, &head);
	ck_assert_str_eq(address_brief_text(&got, ip), "192.0.2.1:0");
	cidr_list_fini(&trusted);
}
END_TEST

START_TEST(ids)
{
	char lines[400], id[200] = "";
	static const char *const bad[] = {"", "a b", "a\"", "a~", "a/b", "a,b", "\303\244", "a=b"};
	request("/", "x-request-ID: aZ09._-\r\n");
	ck_assert(slice_equal(trust_id(&head, SLICE("X-Request-Id")), SLICE("aZ09._-")));
	ck_assert_uint_eq(trust_id(&head, SLICE("X-Other")).len, 0);
	request("/", "X-Request-Id: a\r\nX-Request-Id: a\r\n");
	ck_assert_uint_eq(trust_id(&head, SLICE("X-Request-Id")).len, 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(lines, sizeof lines, "X-Request-Id: %s\r\n", bad[i]);
		request("/", lines);
		ck_assert_uint_eq(trust_id(&head, SLICE("X-Request-Id")).len, 0);
	}
	for (size_t len = 1; len <= TRUST_ID_MAX + 1; len++) {
		id[len - 1] = 'x';
		snprintf(lines, sizeof lines, "X-Request-Id: %s\r\n", id);
		request("/", lines);
		ck_assert_uint_eq(
		        trust_id(&head, SLICE("X-Request-Id")).len, len > TRUST_ID_MAX ? 0 : len);
	}
}
END_TEST

/* ---- targets ---- */

static const struct {
	const char *target, *from, *to, *want;
} targets[] = {
        {"/a/b?x=1", NULL, NULL, "/a/b?x=1"},
        {"/%61/../b", NULL, NULL, "/%61/../b"},
        {"http://h/a?x", NULL, NULL, "/a?x"},
        {"http://h", NULL, NULL, "/"},
        {"http://h?x", NULL, NULL, "/?x"},
        {"/a?", NULL, NULL, "/a?"},
        {"/app/x", "/app", "/", "/x"},
        {"/app/", "/app", "/", "/"},
        {"/app", "/app", "/", "/"},
        {"/app?q", "/app", "/", "/?q"},
        {"/application/x", "/app", "/", "/application/x"},
        {"/other", "/app", "/", "/other"},
        {"/ap", "/app", "/", "/ap"},
        {"/app/x", "/app/", "/", "/x"},
        {"/app", "/app/", "/", "/"},
        {"/%61pp/./y/../x", "/app", "/", "/x"},
        {"//app//x", "/app", "/", "/x"},
        {"/x/../app/z", "/app", "/", "/z"},
        {"/old/x?a=/old", "/old", "/new", "/new/x?a=/old"},
        {"/old", "/old", "/new", "/new"},
        {"/old/", "/old", "/new", "/new/"},
        {"/old", "/old", "/new/", "/new/"},
        {"/old/x", "/old", "/new/", "/new/x"},
        {"/old/x", "/old/", "/new", "/new/x"},
        {"/x", "/", "/new", "/new/x"},
        {"/", "/", "/new", "/new/"},
        {"/app//evil.example/", "/app", "/", "/evil.example/"},
        {"http://h/app/x?q", "/app", "/", "/x?q"},
};

START_TEST(rewritten)
{
	uint8_t out[200];
	struct http_writer w;
	request(targets[_i].target, "");
	http_writer_init(&w, out, sizeof out);
	rewrite_target(&w, &head, targets[_i].from, targets[_i].to);
	out[w.len] = '\0';
	ck_assert_str_eq((char *)out, targets[_i].want);
	for (size_t size = 0; size < w.len; size++) {
		struct http_writer small;
		http_writer_init(&small, out, size);
		rewrite_target(&small, &head, targets[_i].from, targets[_i].to);
		ck_assert(small.overflow);
	}
}
END_TEST

/* ---- notes ---- */

START_TEST(notes)
{
	struct address_brief peer, to, got;
	char ip[ADDRESS_TEXT_MAX];
	ck_assert(address_brief_parse(&peer, SLICE("[2001:db8::1]:9")));
	ck_assert_uint_eq(note_id(NULL).len, 0);
	ck_assert(address_brief_parse(&to, SLICE("192.0.2.9:443")));
	ck_assert(!note_peer(NULL, &got));
	ck_assert(!note_destination(NULL, &got));
	for (int i = 0; i < 8; i++) {
		bool has_peer = i & 1, has_id = i & 2, has_to = i & 4;
		struct note *n = note_new(has_peer ? &peer : NULL, has_to ? &to : NULL,
		        has_id ? SLICE("some-id") : SLICE(""));
		ck_assert_ptr_nonnull(n);
		ck_assert(note_peer(n, &got) == has_peer);
		if (has_peer)
			ck_assert_str_eq(address_brief_text(&got, ip), "[2001:db8::1]:9");
		ck_assert(note_destination(n, &got) == has_to);
		if (has_to)
			ck_assert_str_eq(address_brief_text(&got, ip), "192.0.2.9:443");
		ck_assert(slice_equal(note_id(n), has_id ? SLICE("some-id") : SLICE("")));
		note_free(n);
	}
	note_free(NULL);
}
END_TEST

START_TEST(own_ids_differ)
{
	struct proxy p = {.id_key = "a key"}, q = {.id_key = "another"};
	struct session s = {.proxy = &p, .id = 1},
	               other = {.proxy = &p, .id = 2, .has_own_id = true};
	char a[HEADERS_ID_LEN], b[HEADERS_ID_LEN];
	ck_assert_uint_eq(headers_request_id(&s, a).len, 0);
	s.has_own_id = true;
	struct slice id = headers_request_id(&s, a);
	ck_assert_uint_eq(id.len, HEADERS_ID_LEN);
	for (size_t i = 0; i < id.len; i++)
		ck_assert_ptr_nonnull(strchr("0123456789abcdef", id.at[i]));
	ck_assert(memcmp(a, a + HEADERS_ID_LEN / 2, HEADERS_ID_LEN / 2) != 0);
	ck_assert(slice_equal(id, headers_request_id(&s, b)));
	ck_assert(!slice_equal(id, headers_request_id(&other, b)));
	s.requests = 1;
	ck_assert(!slice_equal(id, headers_request_id(&s, b)));
	s.requests = 0;
	s.proxy = &q;
	ck_assert(!slice_equal(id, headers_request_id(&s, b)));
}
END_TEST

#define ROWS(a) (int)(sizeof(a) / sizeof(a[0]))

int main(void)
{
	Suite *s = suite_create("proxy/trust");
	TCase *t = tcase_create("trust");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_loop_test(t, clients, 0, ROWS(rows));
	tcase_add_test(t, long_lists);
	tcase_add_test(t, unix_peers);
	tcase_add_test(t, ids);
	tcase_add_loop_test(t, rewritten, 0, ROWS(targets));
	tcase_add_test(t, notes);
	tcase_add_test(t, own_ids_differ);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
