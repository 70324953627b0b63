/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/origin.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(entries_that_are_none_are_refused)
{
	static const struct {
		const char *text, *why;
	} list[] = {
	        {"", "want any, same-host, null or"},
	        {"*", "want any, same-host, null or"},
	        {"example.com", "want any, same-host, null or"},
	        {"https:/example.com", "want any, same-host, null or"},
	        {"Null", "want any, same-host, null or"},
	        {"https://", "want a host name"},
	        {"://a", "want a scheme"},
	        {"1a://b", "want a scheme"},
	        {"https://Example.com", "want lower case"},
	        {"HTTPS://example.com", "want lower case"},
	        {"ws://example.com", "want http:// or https://"},
	        {"wss://example.com", "want http:// or https://"},
	        {"https://example.com/", "want nothing but the host"},
	        {"https://example.com/app", "want nothing but the host"},
	        {"https://example.com?x", "want nothing but the host"},
	        {"https://u@example.com", "want nothing but the host"},
	        {"https://example.com https://b.com", "want nothing but the host"},
	        {"https://example.com.", "want no dot at the end"},
	        {"https://example.com.:8443", "want no dot at the end"},
	        {"https://.example.com", "want a host name"},
	        {"https://a..b", "want a host name"},
	        {"https://a*.b", "want a host name"},
	        {"https://*", "want a host name"},
	        {"https://*.", "want a host name"},
	        {"https://*.*.b", "want a host name"},
	        {"https://\xc3\xa4.example", "want a host name"},
	        {"https://[::1", "want a host name"},
	        {"https://[::g]", "want a host name"},
	        {"https://*.[::1]", "want a host name"},
	        {"https://a:", "want a port"},
	        {"https://a:0", "want a port"},
	        {"https://a:080", "want a port"},
	        {"https://a:65536", "want a port"},
	        {"https://a:8*", "want a port"},
	        {"https://a:443", "want it without :443"},
	        {"http://a:80", "want it without :80"},
	};
	for (size_t i = 0; i < COUNT(list); i++) {
		struct origin_list *l = origin_list_new();
		char why[ORIGIN_WHY_MAX];
		const char *told = origin_list_add(l, list[i].text, why);
		ck_assert_msg(told && strncmp(told, list[i].why, strlen(list[i].why)) == 0,
		        "%s: %s", list[i].text, told ? told : "accepted");
		ck_assert_uint_eq(origin_list_n(l), 0);
		origin_list_unref(l);
	}
}
END_TEST

START_TEST(an_entry_is_taken_once)
{
	struct origin_list *l = origin_list_new();
	char why[ORIGIN_WHY_MAX];
	ck_assert_ptr_null(origin_list_add(l, "https://a", why));
	ck_assert_ptr_null(origin_list_add(l, "https://a:*", why));
	ck_assert_ptr_null(origin_list_add(l, "null", why));
	ck_assert_str_eq(origin_list_add(l, "https://a", why), "given before in this section");
	ck_assert_str_eq(origin_list_text(l, 1), "https://a:*");
	ck_assert_uint_eq(origin_list_n(l), 3);
	ck_assert_uint_eq(origin_list_n(NULL), 0);
	ck_assert_ptr_eq(origin_list_ref(l), l);
	origin_list_unref(l);
	origin_list_unref(l);
	origin_list_unref(NULL);
}
END_TEST

/* A head with these Origin lines; each in memory that ends where it ends. */
static struct http_head head;
static uint8_t *copies[4];
static size_t copy_n;

static void set_head(const char *host, const char *const *origins)
{
	head.n = 0;
	head.seen = 0;
	head.authority = SLICE("");
	head.host = slice_str(host);
	for (copy_n = 0; origins[copy_n]; copy_n++) {
		size_t len = strlen(origins[copy_n]);
		copies[copy_n] = malloc(len ? len : 1);
		memcpy(copies[copy_n], origins[copy_n], len);
		head.field[head.n++] = (struct http_field){.name = SLICE("Origin"),
		        .value = slice_of(copies[copy_n], len),
		        .id = HTTP_ORIGIN};
		head.seen |= UINT32_C(1) << HTTP_ORIGIN;
	}
}

static void free_copies(void)
{
	while (copy_n > 0)
		free(copies[--copy_n]);
}

static enum origin_verdict check(const char *const *entries, const char *host, const char *origin)
{
	const char *origins[] = {origin, NULL};
	struct origin_list *l = origin_list_new();
	char why[ORIGIN_WHY_MAX];
	for (; *entries; entries++)
		ck_assert_ptr_null(origin_list_add(l, *entries, why));
	set_head(host, origins);
	enum origin_verdict v = origin_check(l, ORIGIN_MISSING_ALLOW, &head);
	ck_assert_int_eq(origin_list_find(l, &head) != NULL, v == ORIGIN_ALLOWED && origin);
	free_copies();
	origin_list_unref(l);
	return v;
}

static void allowed(const char *const *entries, const char *host, const char *const *origins)
{
	for (; *origins; origins++)
		ck_assert_msg(check(entries, host, *origins) == ORIGIN_ALLOWED, "%s", *origins);
}

static void refused(const char *const *entries, const char *host, const char *const *origins)
{
	for (; *origins; origins++)
		ck_assert_msg(check(entries, host, *origins) == ORIGIN_IS_OTHER, "%s", *origins);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(only_what_is_listed_passes) /* H-16, H-17, H-18 */
{
	const char *const *exact = LIST("https://good.example", "http://[::1]:3000", "app://x");
	allowed(exact, "h", LIST("https://good.example", "http://[::1]:3000", "app://x"));
	refused(exact, "good.example",
	        LIST("https://good.example.evil.tld", "https://goodxexample", "http://good.example",
	                "https://evil.tld", "https://Good.example", "HTTPS://good.example",
	                "https://good.example:443", "https://good.example:8443",
	                "https://good.example.", "https://good.example/", "https://good.example?",
	                "https://good.example#", "https://good.exampl", "ttps://good.example",
	                "https://www.good.example", "https://u@good.example", "null", "", "app://",
	                "https://good.example https://good.example", "https://good.example,null",
	                "http://[::1]", "http://[0::1]:3000", "https://good%2eexample"));
	allowed(LIST("null"), "h", LIST("null"));
	refused(LIST("null"), "null", LIST("NULL", "Null", "null ", "https://null", "https://h"));
}
END_TEST

START_TEST(a_wildcard_port_is_any_port)
{
	const char *const *any = LIST("https://a.example:*", "http://[::1]:*");
	allowed(any, "h",
	        LIST("https://a.example", "https://a.example:1", "https://a.example:65535",
	                "http://[::1]", "http://[::1]:8080"));
	refused(any, "h",
	        LIST("https://a.example:", "https://a.example:*", "https://a.example:0",
	                "https://a.example:65536", "https://a.example:080", "https://a.example:80x",
	                "https://a.example:80:80", "https://a.example:8@evil", "http://a.example",
	                "https://a.example.evil:80", "http://[::1]x:80", "http://[::1",
	                "http://[::1]:", "http://[::11]:80"));
}
END_TEST

START_TEST(a_wildcard_host_is_any_name_below) /* H-18 */
{
	const char *const *any = LIST("https://*.good.example");
	allowed(any, "h",
	        LIST("https://a.good.example", "https://b.a.good.example",
	                "https://x_y-1.good.example"));
	refused(any, "h",
	        LIST("https://good.example", "https://.good.example", "https://agood.example",
	                "https://a.good.example:8443", "https://a.good.example.",
	                "https://a..good.example", "https://A.good.example",
	                "https://evil.tld/.good.example", "https://evil.tld#.good.example",
	                "https://evil.tld?.good.example", "https://evil.tld:80.good.example",
	                "https://evil.tld@a.good.example", "https://evil.tld\\.good.example",
	                "https://*.good.example", "https://a.good.example.evil.tld",
	                "http://a.good.example", "https://%2e.good.example"));
	allowed(LIST("https://*.good.example:*"), "h", LIST("https://a.good.example:8443"));
	allowed(LIST("https://*.good.example:8443"), "h", LIST("https://a.good.example:8443"));
	refused(LIST("https://*.good.example:8443"), "h", LIST("https://a.good.example"));
}
END_TEST

START_TEST(same_host_is_that_of_the_request)
{
	const char *const *same = LIST("same-host");
	allowed(same, "a.example", LIST("https://a.example", "http://a.example"));
	allowed(same, "A.Example.", LIST("https://a.example"));
	allowed(same, "a.example:443", LIST("https://a.example"));
	allowed(same, "a.example:8080", LIST("https://a.example:8080", "http://a.example:8080"));
	allowed(same, "a.example:08080", LIST("http://a.example:8080"));
	allowed(same, "[0::1]:9", LIST("http://[::1]:9"));
	allowed(same, "127.0.0.1:9", LIST("http://127.0.0.1:9"));
	refused(same, "a.example",
	        LIST("https://b.example", "https://a.example:8080", "https://a.example.", "null",
	                "", "https://A.example", "https://a.example:443", "ws://a.example",
	                "a.example", "app://a.example", "https://a.example/",
	                "https://a.example:"));
	refused(same, "a.example:8080",
	        LIST("https://a.example", "https://a.example:8081", "https://a.example:08080"));
	refused(same, "a.example:443", LIST("http://a.example"));
	refused(same, "", LIST("https://", "https://a", "http://:80", "null"));
	/* The target's authority counts, not the Host line. */
	struct origin_list *l = origin_list_new();
	char why[ORIGIN_WHY_MAX];
	ck_assert_ptr_null(origin_list_add(l, "same-host", why));
	set_head("b.example", LIST("https://a.example"));
	head.authority = SLICE("a.example");
	ck_assert_ptr_nonnull(origin_list_find(l, &head));
	free_copies();
	origin_list_unref(l);
}
END_TEST

START_TEST(none_and_several)
{
	struct origin_list *l = origin_list_new();
	char why[ORIGIN_WHY_MAX];
	ck_assert_ptr_null(origin_list_add(l, "https://a", why));
	set_head("h", (const char *const[]){NULL});
	ck_assert_int_eq(origin_check(l, ORIGIN_MISSING_ALLOW, &head), ORIGIN_ALLOWED);
	ck_assert_int_eq(origin_check(l, ORIGIN_MISSING_DENY, &head), ORIGIN_IS_MISSING);
	ck_assert_int_eq(origin_check(NULL, ORIGIN_MISSING_ALLOW, &head), ORIGIN_ALLOWED);
	ck_assert_int_eq(origin_check(NULL, ORIGIN_MISSING_DENY, &head), ORIGIN_IS_MISSING);
	set_head("h", LIST("https://a", "https://a"));
	ck_assert_int_eq(origin_check(l, ORIGIN_MISSING_DENY, &head), ORIGIN_IS_REPEATED);
	ck_assert_int_eq(origin_check(NULL, ORIGIN_MISSING_DENY, &head), ORIGIN_ALLOWED);
	ck_assert_ptr_null(origin_list_find(l, &head));
	free_copies();
	origin_list_unref(l);
	for (int v = ORIGIN_ALLOWED; v <= ORIGIN_IS_OTHER; v++)
		ck_assert_ptr_nonnull(origin_reason((enum origin_verdict)v));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("origin");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, entries_that_are_none_are_refused);
	tcase_add_test(t, an_entry_is_taken_once);
	tcase_add_test(t, only_what_is_listed_passes);
	tcase_add_test(t, a_wildcard_port_is_any_port);
	tcase_add_test(t, a_wildcard_host_is_any_name_below);
	tcase_add_test(t, same_host_is_that_of_the_request);
	tcase_add_test(t, none_and_several);
	Suite *s = suite_create("proxy_origin");
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
