/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/uri.h"

#include "http_test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Normalises in exact buffers, in place too. Returns the length or -1. */
static ssize_t normalise(struct slice in, char *text)
{
	uint8_t *from = exact_copy(in), *out = malloc(in.len > 0 ? in.len : 1);
	ssize_t n = uri_normalise_path(slice_of(from, in.len), out);

	if (n >= 0) {
		memcpy(text, out, (size_t)n);
		ck_assert_int_eq(uri_normalise_path(slice_of(from, in.len), from), n);
		ck_assert_mem_eq(from, out, (size_t)n);
		/* Once more changes nothing. */
		ck_assert_int_eq(uri_normalise_path(slice_of(out, (size_t)n), from), n);
		ck_assert_mem_eq(from, out, (size_t)n);
	}
	free(from);
	free(out);
	return n;
}

START_TEST(paths_that_are_none_are_refused) /* H-13 */
{
	static const char *const list[] = {"", "a", "*", "..", "/..", "/../", "/../a", "/a/../..",
	        "/a/../../b", "//..", "/./..", "/%2e%2e", "/.%2E", "/%2e./a", "/a/%2e%2e/%2e%2e/x",
	        "/%", "/%2", "/%zz", "/%2g", "/%g2", "/a%", "/%00", "/a%00b", "/%2f", "/%2F",
	        "/a%2f..%2fb", "/a b", "/a?b", "/a#b", "/\x7f", "/\x01", "/\t", "/\xc3\xa4"};
	char out[64];

	for (size_t i = 0; i < COUNT(list); i++)
		ck_assert_msg(normalise(slice_str(list[i]), out) == -1, "%s", list[i]);
	ck_assert_int_eq(normalise(slice_of("/\0", 2), out), -1);
}
END_TEST

START_TEST(paths_get_one_form) /* H-13 */
{
	static const struct {
		const char *in, *out;
	} list[] = {
	        {"/", "/"},
	        {"//", "/"},
	        {"///a", "/a"},
	        {"/a", "/a"},
	        {"/a/", "/a/"},
	        {"/a//", "/a/"},
	        {"/a//b", "/a/b"},
	        {"/.", "/"},
	        {"/./", "/"},
	        {"/a/.", "/a/"},
	        {"/a/./b", "/a/b"},
	        {"/a/..", "/"},
	        {"/a/../", "/"},
	        {"/a/b/..", "/a/"},
	        {"/a/b/../c", "/a/c"},
	        {"/a/b/../../c", "/c"},
	        {"/a//../b", "/b"},
	        {"/a/%2e%2e/b", "/b"},
	        {"/a/%2E/b", "/a/b"},
	        {"/%2e", "/"},
	        {"/%61%7E%2d%5F", "/a~-_"},
	        {"/%c3%a4", "/%C3%A4"},
	        {"/%0a%20%3f%23%5c", "/%0A%20%3F%23%5C"},
	        {"/%252e%252e/a", "/%252e%252e/a"},
	        {"/%252f", "/%252f"},
	        {"/%25%32%66", "/%252f"},
	        {"/...", "/..."},
	        {"/..a", "/..a"},
	        {"/a..", "/a.."},
	        {"/.a", "/.a"},
	        {"/a;b=c,d@e:f!$&'()*+", "/a;b=c,d@e:f!$&'()*+"},
	        {"/a\\b", "/a\\b"},
	        {"/a/*", "/a/*"},
	};
	char out[64];

	for (size_t i = 0; i < COUNT(list); i++) {
		ssize_t n = normalise(slice_str(list[i].in), out);
		ck_assert_msg(
		        n >= 0 && slice_equal(slice_of(out, (size_t)n), slice_str(list[i].out)),
		        "%s became %.*s (%zd)", list[i].in, (int)(n > 0 ? n : 0), out, n);
	}
}
END_TEST

static bool is_authority(struct slice s)
{
	uint8_t *copy = exact_copy(s);
	bool is = uri_is_authority(slice_of(copy, s.len));

	free(copy);
	return is;
}

START_TEST(hosts_that_are_none_are_refused) /* H-06, H-11 */
{
	static const char *const list[] = {"", ":", ":80", "a:b", "a:8o", "a:65536",
	        "a:99999999999", "a:-1", "a:80:80", "a,b", "a b", "a/", "//", "u@a", "u:p@a", "a?b",
	        "a#b", "a\\b", "a%", "a%2", "a%zz", "a%2:80", "[", "[]", "[::1", "::1]", "[::1]x",
	        "[::1]80", "[::1]:x", "[1.2.3.4]", "[::1%25eth0]", "[fe80::1%eth0]", "[v1.a]",
	        "[::g]", "[1:2]", "::1", "http://[::1", "a\"b", "<a>", "a|b", "a\tb", "\xc3\xa4",
	        "a\x7f", "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]"};

	for (size_t i = 0; i < COUNT(list); i++)
		ck_assert_msg(!is_authority(slice_str(list[i])), "%s", list[i]);
	ck_assert(!is_authority(slice_of("a\0b", 3)));
	ck_assert(!is_authority(slice_of("[::1\0]", 6)));
}
END_TEST

START_TEST(hosts_are_accepted)
{
	static const char *const list[] = {"a", "A.example", "a.example.", "a_b-c~d", "127.0.0.1",
	        "a:80", "a:0", "a:65535", "a:", "[::1]", "[::1]:80", "[::ffff:127.0.0.1]:1",
	        "[2001:DB8::]", "xn--nxasmq6b", "a%c3%a4", "a%C3%A4:80", "a!$&'()*+;=b"};
	char name[300];

	for (size_t i = 0; i < COUNT(list); i++)
		ck_assert_msg(is_authority(slice_str(list[i])), "%s", list[i]);
	memset(name, 'a', sizeof(name));
	ck_assert(is_authority(slice_of(name, 255)));
	ck_assert(!is_authority(slice_of(name, 256)));
}
END_TEST

static void expect_host(const char *authority, const char *host, const char *port)
{
	struct slice in = slice_str(authority), digits;
	uint8_t *exact = exact_copy(in), *out = malloc(URI_HOST_MAX);
	size_t n = uri_host(slice_of(exact, in.len), out, &digits);

	ck_assert_msg(slice_equal(slice_of(out, n), slice_str(host)), "%s: %.*s", authority, (int)n,
	        (const char *)out);
	ck_assert_msg(slice_equal(digits, slice_str(port)), "%s", authority);
	free(exact);
	free(out);
}

START_TEST(hosts_get_one_form) /* H-13 */
{
	expect_host("a", "a", "");
	expect_host("A.Example", "a.example", "");
	expect_host("a.example.", "a.example", "");
	expect_host("a.example..", "a.example.", "");
	expect_host(".", ".", "");
	expect_host("a.example:8080", "a.example", "8080");
	expect_host("a.example.:80", "a.example", "80");
	expect_host("a:", "a", "");
	expect_host("%61dmin.Example", "admin.example", "");
	expect_host("%41%2eb%2E", "a.b", "");
	expect_host("a%c3%A4", "a%c3%a4", "");
	expect_host("a%2fb%00", "a%2fb%00", "");
	expect_host("127.0.0.1:1", "127.0.0.1", "1");
	expect_host("[::1]", "[::1]", "");
	expect_host("[0:0::0001]:443", "[::1]", "443");
	expect_host("[2001:DB8::A]", "[2001:db8::a]", "");
	expect_host("[::1:2]", "[::0.1.0.2]", "");
	expect_host("", "", "");
	expect_host("a b", "", "");
	expect_host("u@a", "", "");
}
END_TEST

START_TEST(long_hosts_fit)
{
	char name[262];

	memset(name, 'A', 255);
	strcpy(name + 255, ":12");
	uint8_t *out = malloc(URI_HOST_MAX);
	struct slice port;
	ck_assert_uint_eq(uri_host(slice_str(name), out, &port), 255);
	ck_assert_int_eq(out[254], 'a');
	free(out);
}
END_TEST

START_TEST(query_arguments_are_decoded)
{
	static const char want[] = "a b%c\0%4%zz d%";
	struct slice rest = SLICE("a+b%25c%00%4%zz%20d%");

	for (size_t i = 0; i < sizeof(want) - 1; i++)
		ck_assert_int_eq(uri_query_next(&rest), (unsigned char)want[i]);
	ck_assert_int_eq(uri_query_next(&rest), -1);
	ck_assert_int_eq(uri_query_next(&rest), -1);
}
END_TEST

RUN_TESTS("http_uri", paths_that_are_none_are_refused, paths_get_one_form,
        hosts_that_are_none_are_refused, hosts_are_accepted, hosts_get_one_form, long_hosts_fit,
        query_arguments_are_decoded)
