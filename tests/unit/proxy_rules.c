/* SPDX-License-Identifier: BSD-2-Clause */
/* Header rules: what is no rule, what is dropped, what is added. */
#include "proxy/rules.h"

#include "http/handshake.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct http_head head;
static char *text_of_head;
static struct rules *rules;
static uint8_t out[64 * 1024];
static struct address_brief client, peer;

static struct rules_scope scope(bool trusted)
{
	return (struct rules_scope){.head = &head,
	        .client = &client,
	        .peer = &peer,
	        .trusted = trusted,
	        .port = 8080,
	        .listener = SLICE("public"),
	        .route = SLICE("chat"),
	        .request_id = SLICE("id-1")};
}

static void setup(void)
{
	ck_assert(address_brief_parse(&client, SLICE("192.0.2.7:4711")));
	ck_assert(address_brief_parse(&peer, SLICE("10.0.0.1:99")));
}

static void teardown(void)
{
	rules_free(rules);
	rules = NULL;
	free(text_of_head);
	text_of_head = NULL;
}

/* A request with these lines, in memory of its own. */
static void request(const char *lines)
{
	struct http_scan scan = {0};
	free(text_of_head);
	int len = asprintf(
	        &text_of_head, "GET /x/y?q=1 HTTP/1.1\r\nHost: a.example:81\r\n%s\r\n", lines);
	ck_assert_int_gt(len, 0);
	ck_assert_int_eq(
	        http_parse_request(&head, &scan, (uint8_t *)text_of_head, (size_t)len), len);
}

static void make(enum rules_side side, enum rules_forward forward, bool rfc7239)
{
	rules_free(rules);
	rules = rules_new(side, forward, rfc7239);
}

static void rule(enum rules_op op, const char *text)
{
	char why[RULES_WHY_MAX] = "";
	ck_assert_msg(rules_add(rules, op, text, why), "%s: %s", text, why);
}

static void refused(enum rules_side side, enum rules_op op, const char *text, const char *want)
{
	char why[RULES_WHY_MAX] = "";
	make(side, FORWARD_OFF, false);
	ck_assert_msg(!rules_add(rules, op, text, why), "%s", text);
	ck_assert_str_eq(why, want);
	ck_assert(!rules_have_lines(rules));
}

/* What passes of the request's own fields, as names with ',', and what is added. */
static void gives(bool trusted, const char *passed, const char *added)
{
	char names[1000] = "";
	struct http_writer w;
	struct rules_scope s = scope(trusted);
	rules_filter(rules, &head, trusted);
	for (size_t i = 0; i < head.n; i++)
		if (!head.field[i].named && head.field[i].id != HTTP_HOST)
			snprintf(names + strlen(names), sizeof names - strlen(names), "%.*s,",
			        (int)head.field[i].name.len, (const char *)head.field[i].name.at);
	ck_assert_str_eq(names, passed);
	http_writer_init(&w, out, sizeof out - 1);
	rules_put(rules, &w, &s);
	ck_assert(!w.overflow);
	out[w.len] = '\0';
	ck_assert_str_eq((char *)out, added);
}

#define OWN_CONNECTION " concerns one connection only and is Moongate's own: want another header"
#define NAME_WANTED    "want a header's name, such as X-Name"
#define VARIABLES                                                                              \
	"unknown variable: want one of ${remote_addr}, ${remote_port}, ${host}, ${scheme}, "   \
	"${listener}, ${route}, ${request_id}, ${upstream}, ${uri}, ${time}, ${tls_version}, " \
	"${tls_cipher}, ${tls_server_name}, ${tls_client_subject}, ${tls_client_issuer}, "     \
	"${tls_client_fingerprint}"

static const struct {
	enum rules_side side;
	enum rules_op op;
	const char *text, *want;
} bad[] = {
        {RULES_REQUEST, RULES_SET, "", "want Name: value, such as X-Name: text"},
        {RULES_REQUEST, RULES_SET, "X-A", "want Name: value, such as X-Name: text"},
        {RULES_REQUEST, RULES_ADD, "X-A", "want Name: value, such as X-Name: text"},
        {RULES_REQUEST, RULES_SET,
                "X-A:", "want a value behind the ':'; request_remove takes a header away"},
        {RULES_RESPONSE, RULES_ADD,
                "X-A: ", "want a value behind the ':'; response_remove takes a header away"},
        {RULES_REQUEST, RULES_REMOVE, "X-A: b", "want a name alone, such as X-Name"},
        {RULES_REQUEST, RULES_REMOVE, "", NAME_WANTED},
        {RULES_REQUEST, RULES_REMOVE, "X A", NAME_WANTED},
        {RULES_REQUEST, RULES_SET, "X-A : b", NAME_WANTED},
        {RULES_REQUEST, RULES_SET, ": b", NAME_WANTED},
        {RULES_REQUEST, RULES_SET, "X\303\244: b", NAME_WANTED},
        {RULES_REQUEST, RULES_SET, "${host}: b", NAME_WANTED},
        {RULES_REQUEST, RULES_SET, "X-A: b\r\nX-B: c",
                "want a value without CR, LF and other control bytes"},
        {RULES_REQUEST, RULES_SET, "X-A: b\n",
                "want a value without CR, LF and other control bytes"},
        {RULES_RESPONSE, RULES_SET, "X-A: b\rc",
                "want a value without CR, LF and other control bytes"},
        {RULES_RESPONSE, RULES_SET, "X-A: \001",
                "want a value without CR, LF and other control bytes"},
        {RULES_RESPONSE, RULES_SET, "X-A: \177",
                "want a value without CR, LF and other control bytes"},
        {RULES_REQUEST, RULES_SET, "X-A: ${hots}", VARIABLES},
        {RULES_REQUEST, RULES_SET, "X-A: ${}", VARIABLES},
        {RULES_REQUEST, RULES_SET, "X-A: ${host", VARIABLES},
        {RULES_REQUEST, RULES_SET, "X-A: ${host }", VARIABLES},
        {RULES_REQUEST, RULES_SET, "Connection: close", "Connection" OWN_CONNECTION},
        {RULES_RESPONSE, RULES_REMOVE, "connection", "connection" OWN_CONNECTION},
        {RULES_REQUEST, RULES_ADD, "Keep-Alive: 5", "Keep-Alive" OWN_CONNECTION},
        {RULES_REQUEST, RULES_ADD, "TE: x", "TE" OWN_CONNECTION},
        {RULES_RESPONSE, RULES_ADD, "Trailer: x", "Trailer" OWN_CONNECTION},
        {RULES_RESPONSE, RULES_ADD, "Transfer-Encoding: x", "Transfer-Encoding" OWN_CONNECTION},
        {RULES_RESPONSE, RULES_ADD, "Transfer_Encoding: x", "Transfer_Encoding" OWN_CONNECTION},
        {RULES_RESPONSE, RULES_SET, "Content-Length: 1", "Content-Length" OWN_CONNECTION},
        {RULES_RESPONSE, RULES_SET, "Upgrade: h2c", "Upgrade" OWN_CONNECTION},
        {RULES_REQUEST, RULES_SET, "Expect: 100-continue", "Expect" OWN_CONNECTION},
        {RULES_REQUEST, RULES_SET, "Proxy-Authorization: x",
                "Proxy-Authorization concerns one connection only: want another header"},
        {RULES_REQUEST, RULES_REMOVE, "Proxy_X",
                "Proxy_X concerns one connection only: want another header"},
        {RULES_REQUEST, RULES_SET, "Sec-WebSocket-Key: x",
                "Sec-WebSocket-Key belongs to the handshake: want another header"},
        {RULES_RESPONSE, RULES_SET, "sec.websocket.accept: x",
                "sec.websocket.accept belongs to the handshake: want another header"},
        {RULES_REQUEST, RULES_REMOVE, "Sec-WebSocket-Protocol",
                "Sec-WebSocket-Protocol belongs to the handshake: want another header"},
        {RULES_REQUEST, RULES_SET, "Host: x",
                "Host has a key of its own: want upstream_host = VALUE"},
        {RULES_REQUEST, RULES_REMOVE, "host",
                "host has a key of its own: want upstream_host = VALUE"},
};

START_TEST(K_10_refused)
{
	refused(bad[_i].side, bad[_i].op, bad[_i].text, bad[_i].want);
}
END_TEST

/* Lines that no head has room for. */
START_TEST(too_much_is_refused)
{
	char why[RULES_WHY_MAX], text[1100] = "X: ";
	memset(text + 3, 'v', 1019); /* 1024 with the line's end */
	for (int i = 0; i < 2; i++) {
		make(RULES_RESPONSE, FORWARD_OFF, false);
		for (unsigned n = 0; n < RULES_LINES_MAX / 1024; n++)
			ck_assert(rules_add(rules, RULES_ADD, text, why));
		ck_assert(!rules_add(rules, RULES_ADD, "Y: 1", why));
		ck_assert_str_eq(why, "with this line 16390 bytes are added: want at most 16384");
		ck_assert(rules_add(rules, RULES_SET, "X: 1", why)); /* in their place */
		ck_assert(rules_add(rules, RULES_ADD, "Y: 1", why));
	}
}
END_TEST

START_TEST(without_rules_only_forgeries_go)
{
	make(RULES_REQUEST, FORWARD_OFF, false);
	request("X-A: 1\r\nX-Forwarded-For: 6.6.6.6\r\nX-B: 2\r\n");
	gives(false, "X-A,X-B,", "");
	make(RULES_RESPONSE, FORWARD_REPLACE, true);
	request("X-A: 1\r\nX-Forwarded-For: 6.6.6.6\r\nX_B: 2\r\n");
	gives(false, "X-A,X-Forwarded-For,X_B,", "");
}
END_TEST

START_TEST(set_add_remove)
{
	make(RULES_REQUEST, FORWARD_OFF, false);
	rule(RULES_SET, "X-Set: s");
	rule(RULES_ADD, "X-Add: a");
	rule(RULES_ADD, "X-Add:\t b c ");
	rule(RULES_REMOVE, "X-Remove");
	request("x-set: 1\r\nX-SET: 2\r\nX-Add: 3\r\nX-Remove: 4\r\nX_Remove: 5\r\nX.Set: "
	        "6\r\nX_Add: 7\r\n"
	        "X-Removed: 8\r\nXRemove: 9\r\n");
	gives(false, "X-Add,X-Removed,XRemove,", "X-Set: s\r\nX-Add: a\r\nX-Add: b c \r\n");
}
END_TEST

START_TEST(later_rules_win)
{
	make(RULES_REQUEST, FORWARD_OFF, false);
	rule(RULES_SET, "X-A: 1");
	rule(RULES_ADD, "X-B: 1");
	rule(RULES_SET, "x-a: 2");
	rule(RULES_REMOVE, "x-b");
	rule(RULES_REMOVE, "X-C");
	rule(RULES_ADD, "X-C: 3");
	request("X-C: 9\r\nX-A: 9\r\n");
	gives(false, "", "x-a: 2\r\nX-C: 3\r\n");
}
END_TEST

START_TEST(variables)
{
	make(RULES_REQUEST, FORWARD_OFF, false);
	rule(RULES_SET, "V: ${remote_addr} ${remote_port} ${host} ${scheme} ${listener} ${route} "
	                "${request_id}");
	rule(RULES_SET, "U: ${uri}${uri}");
	rule(RULES_SET, "S: <${upstream}>");
	rule(RULES_SET, "L: $ $$ $${host} $$${host} } {host}");
	request("");
	gives(false, "",
	        "V: 192.0.2.7 4711 a.example:81 http public chat id-1\r\n"
	        "U: /x/y?q=1/x/y?q=1\r\nS: <\001>\r\nL: $ $$ ${host} $${host} } {host}\r\n");
	ck_assert(rules_use(rules, RULES_REQUEST_ID) && rules_use(rules, RULES_UPSTREAM));
	ck_assert(!rules_use(rules, RULES_TIME));
	make(RULES_RESPONSE, FORWARD_OFF, false);
	rule(RULES_SET, "T: ${time}");
	struct http_writer w;
	struct rules_scope s = scope(false);
	http_writer_init(&w, out, sizeof out);
	rules_put(rules, &w, &s);
	ck_assert_uint_eq(w.len, sizeof("T: 2026-11-21T00:35:10.123Z\r\n") - 1);
}
END_TEST

START_TEST(server_is_put_in_at_the_end)
{
	struct http_writer w;
	for (size_t size = 0; size <= 14; size++) {
		http_writer_init(&w, out, size);
		rules_expand(&w, SLICE("\001a\001\001b"), SLICE("h:1"));
		ck_assert(w.overflow == (size < 11));
	}
	ck_assert(memcmp(out, "h:1ah:1h:1b", 11) == 0);
	http_writer_init(&w, out, sizeof out);
	rules_expand(&w, SLICE(""), SLICE("h"));
	rules_expand(&w, SLICE("no mark"), SLICE("h"));
	ck_assert_uint_eq(w.len, 7);
}
END_TEST

#define FORGED                                                                               \
	"X-Forwarded-For: 6.6.6.6\r\nx-forwarded-proto: https\r\nX-Forwarded-Host: evil\r\n" \
	"X-Forwarded-Port: 1\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: "                       \
	"6.6.6.6\r\nX-Forwarded-Prefix: /p\r\n"
#define ALIASES                                                                                  \
	"X_Forwarded_For: 6.6.6.6\r\nX.Forwarded.For: 6.6.6.6\r\nX-Forwarded_For: 6.6.6.6\r\n"   \
	"x_forwarded.proto: 6\r\nX_Real_IP: 6.6.6.6\r\nSec_WebSocket_Key: 6\r\nContent_Length: " \
	"6\r\n"                                                                                  \
	"Transfer.Encoding: 6\r\nProxy_Connection: 6\r\nProxy.X: 6\r\nKeep_Alive: 6\r\n"
#define OWN                                                                           \
	"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: " \
	"a.example:81\r\nX-Forwarded-Port: 8080\r\n"

START_TEST(H_37_nothing_forged_passes)
{
	static const struct {
		enum rules_forward forward;
		bool rfc7239, trusted;
		const char *added;
	} rows[] = {
	        {FORWARD_OFF, false, false, ""},
	        {FORWARD_OFF, true, true, ""},
	        {FORWARD_REPLACE, false, false, OWN},
	        {FORWARD_REPLACE, false, true, OWN},
	        {FORWARD_REPLACE, true, false,
	                OWN "Forwarded: for=192.0.2.7;host=\"a.example:81\";proto=http\r\n"},
	        {FORWARD_APPEND, false, false, OWN},
	};
	make(RULES_REQUEST, rows[_i].forward, rows[_i].rfc7239);
	request(FORGED ALIASES "X-Other: kept\r\nX_Other: kept\r\nForwarded-X: kept\r\n");
	gives(rows[_i].trusted, "X-Other,X_Other,Forwarded-X,", rows[_i].added);
}
END_TEST

START_TEST(append_to_a_trusted_proxys)
{
	make(RULES_REQUEST, FORWARD_APPEND, false);
	request(FORGED ALIASES "X-Forwarded-For: 7.7.7.7, 8.8.8.8\r\nX-Forwarded-For:\r\n");
	gives(true,
	        "x-forwarded-proto,X-Forwarded-Host,X-Forwarded-Port,Forwarded,X-Real-IP,X-"
	        "Forwarded-"
	        "Prefix,",
	        "X-Forwarded-For: 6.6.6.6, 7.7.7.7, 8.8.8.8, 10.0.0.1\r\n");
	make(RULES_REQUEST, FORWARD_APPEND, true);
	request(FORGED);
	gives(true,
	        "x-forwarded-proto,X-Forwarded-Host,X-Forwarded-Port,X-Real-IP,X-Forwarded-Prefix,",
	        "X-Forwarded-For: 6.6.6.6, 10.0.0.1\r\n"
	        "Forwarded: for=6.6.6.6, for=10.0.0.1;host=\"a.example:81\";proto=http\r\n");
	request("");
	gives(true, "",
	        "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: "
	        "a.example:81\r\nX-Forwarded-Port: 8080\r\n"
	        "Forwarded: for=10.0.0.1;host=\"a.example:81\";proto=http\r\n");
}
END_TEST

/* What a Connection line takes away is not taken for said. */
START_TEST(append_where_connection_names_it)
{
	make(RULES_REQUEST, FORWARD_APPEND, false);
	request("Connection: X-Forwarded-Proto\r\nX-Forwarded-Proto: https\r\n");
	rules_filter(rules, &head, true);
	struct http_writer w;
	struct rules_scope s = scope(true);
	http_writer_init(&w, out, sizeof out - 1);
	rules_put(rules, &w, &s);
	out[w.len] = '\0';
	ck_assert_ptr_nonnull(strstr((char *)out, "X-Forwarded-Proto: http\r\n"));
}
END_TEST

START_TEST(forwarded_by_other_families)
{
	make(RULES_REQUEST, FORWARD_REPLACE, true);
	ck_assert(address_brief_parse(&client, SLICE("[2001:db8::1]:5")));
	request("");
	gives(false, "",
	        "X-Forwarded-For: 2001:db8::1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: "
	        "a.example:81\r\nX-Forwarded-Port: 8080\r\n"
	        "Forwarded: for=\"[2001:db8::1]\";host=\"a.example:81\";proto=http\r\n");
	ck_assert(address_brief_parse(&client, SLICE("::ffff:1.2.3.4")));
	rule(RULES_REMOVE, "x-forwarded-proto");
	rule(RULES_REMOVE, "X-Forwarded-Port");
	rule(RULES_SET, "X-Forwarded-Host: ${remote_addr}");
	gives(false, "",
	        "X-Forwarded-For: 1.2.3.4\r\nForwarded: "
	        "for=1.2.3.4;host=\"a.example:81\";proto=http\r\n"
	        "X-Forwarded-Host: 1.2.3.4\r\n");
	client = (struct address_brief){.family = 1 /* AF_UNIX */};
	gives(false, "",
	        "X-Forwarded-For: unknown\r\nForwarded: "
	        "for=unknown;host=\"a.example:81\";proto=http\r\n"
	        "X-Forwarded-Host: unix:\r\n");
}
END_TEST

START_TEST(no_port_of_a_unix_socket)
{
	struct http_writer w;
	make(RULES_REQUEST, FORWARD_REPLACE, false);
	request("");
	struct rules_scope s = scope(false);
	s.port = 0;
	http_writer_init(&w, out, sizeof out - 1);
	rules_put(rules, &w, &s);
	out[w.len] = '\0';
	ck_assert_ptr_null(strstr((char *)out, "Port"));
}
END_TEST

START_TEST(identified)
{
	make(RULES_REQUEST, FORWARD_OFF, false);
	rules_identify(rules, "X-Request-Id");
	request("X-Request-ID: forged\r\nX_Request_Id: forged\r\nX-Request-Ids: kept\r\n");
	gives(true, "X-Request-Ids,", "X-Request-Id: id-1\r\n");
	rule(RULES_REMOVE, "x-request-id");
	gives(true, "X-Request-Ids,", "");
}
END_TEST

/* The names that are compared at all are found by their length: one for each. */
START_TEST(every_length_of_name)
{
	char name[200] = "", text[500];
	for (size_t i = 0; i < 190; i++) {
		name[i] = 'x';
		make(RULES_REQUEST, FORWARD_OFF, false);
		rule(RULES_REMOVE, name);
		snprintf(text, sizeof text, "%s: 1\r\n%sx: 2\r\n", name, name);
		request(text);
		rules_filter(rules, &head, false);
		ck_assert(head.field[1].named && !head.field[2].named);
	}
}
END_TEST

/* Each size of the buffer: all of it, or an overflow that is told. */
START_TEST(overflow)
{
	make(RULES_REQUEST, FORWARD_APPEND, true);
	rule(RULES_SET, "X-A: ${uri} ${upstream} ${time}");
	request(FORGED);
	rules_filter(rules, &head, true);
	struct rules_scope s = scope(true);
	struct http_writer w;
	http_writer_init(&w, out, sizeof out);
	rules_put(rules, &w, &s);
	size_t whole = w.len;
	for (size_t size = 0; size <= whole; size++) {
		uint8_t *exact = malloc(size ? size : 1);
		ck_assert_ptr_nonnull(exact);
		http_writer_init(&w, exact, size);
		rules_put(rules, &w, &s);
		ck_assert(w.overflow == (size < whole));
		free(exact);
	}
}
END_TEST

#define ROWS(a) (int)(sizeof(a) / sizeof(a[0]))

int main(void)
{
	Suite *s = suite_create("proxy/rules");
	TCase *t = tcase_create("rules");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, K_10_refused, 0, ROWS(bad));
	tcase_add_test(t, too_much_is_refused);
	tcase_add_test(t, without_rules_only_forgeries_go);
	tcase_add_test(t, set_add_remove);
	tcase_add_test(t, later_rules_win);
	tcase_add_test(t, variables);
	tcase_add_test(t, server_is_put_in_at_the_end);
	tcase_add_loop_test(t, H_37_nothing_forged_passes, 0, 6);
	tcase_add_test(t, append_to_a_trusted_proxys);
	tcase_add_test(t, append_where_connection_names_it);
	tcase_add_test(t, forwarded_by_other_families);
	tcase_add_test(t, no_port_of_a_unix_socket);
	tcase_add_test(t, identified);
	tcase_add_test(t, every_length_of_name);
	tcase_add_test(t, overflow);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
