/* SPDX-License-Identifier: BSD-2-Clause */

/* The text of access records: what is copied from the record before is what would have been
 * written. */

#include "base/log.h"
#include "proxy/access_entry.h"
#include "proxy/session.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { ENTRY_MAX = 4096 };

/* An entry of exactly the bytes it takes, so that an address sanitizer sees what is read behind
 * it. Owned by the caller. */
struct made {
	struct access_entry *entry;
	size_t len;
};

static void add(struct made *m, const void *bytes, size_t len)
{
	if (len > 0)
		memcpy((uint8_t *)m->entry + m->len, bytes, len);
	m->len += len;
}

static void add_part(struct made *m, enum access_part part, const char *text)
{
	m->entry->len[part] = (uint16_t)strlen(text);
	add(m, text, strlen(text));
}

/* With GET /chat at h.example, no parts yet. */
static struct made make(const char *cause, const struct access_counts *counts)
{
	struct made m = {calloc(1, ENTRY_MAX), sizeof(struct access_entry)};
	struct access_entry *e = m.entry;
	*e = (struct access_entry){.fields = ACCESS_ALL,
	        .wall_ms = 1764384000123,
	        .id = 7,
	        .cause = cause,
	        .closer = "client",
	        .basics = {.is_get = 1, .host_len = 9, .target_len = 5},
	        .client = {.family = AF_INET, .port = 80, .ip = {192, 0, 2, 1}},
	        .status = 101,
	        .has_counts = counts != NULL};
	if (counts)
		add(&m, counts, sizeof *counts);
	add(&m, "h.example/chat", 14);
	return m;
}

static const char *text_of(struct made *m)
{
	static char out[LOG_RECORD_MAX];
	struct access_entry *exact = malloc(m->len);
	memcpy(exact, m->entry, m->len);
	size_t n = access_record(exact, m->len, out, sizeof out);
	free(exact);
	ck_assert_uint_lt(n, sizeof out);
	ck_assert(n == 0 || out[n - 1] == '\n');
	out[n] = '\0';
	return out;
}

static void finish(struct made *m, const char *expected)
{
	ck_assert_str_eq(text_of(m), expected);
	ck_assert_str_eq(text_of(m), expected); /* the same again, from what was kept */
	free(m->entry);
}

START_TEST(the_beginning_of_a_session)
{
	struct made m = make(NULL, NULL);
	m.entry->basics.connect_ms = 4;
	add_part(&m, PART_REQUEST_ID, "abc");
	add_part(&m, PART_LISTENER, "one");
	finish(&m, "{\"time\":\"2025-11-29T02:40:00.123Z\",\"event\":\"start\",\"id\":\"7\","
	           "\"request\":\"abc\",\"client\":\"192.0.2.1:80\",\"listener\":\"one\","
	           "\"method\":\"GET\",\"host\":\"h.example\",\"target\":\"/chat\","
	           "\"status\":101,\"connect_ms\":3}\n");
}
END_TEST

static struct made make_all(void)
{
	static const struct access_counts counts = {.text_bytes = {10, 20},
	        .texts = {1, 2},
	        .pings = {3, 4},
	        .pongs = {5, 6},
	        .ping_bytes = {7, 8},
	        .pong_bytes = {9, 10},
	        .queue_peak = {11, 12},
	        .pauses = {13, 14}};
	struct made m = make("error", &counts);
	struct access_entry *e = m.entry;
	const struct address_brief peer = {.family = AF_INET, .port = 81, .ip = {192, 0, 2, 2}};
	e->was_open = e->is_cut = e->has_closed[CLIENT] = e->has_closed[UPSTREAM] = true;
	e->basics.kinds = 0xf;
	e->basics.closes = 0xf;
	e->basics.handshake_ms = e->basics.connect_ms = e->basics.rtt_ms = 1;
	e->basics.own_pings = 21;
	e->error = ECONNRESET;
	e->own_code = 1011;
	e->close_code[CLIENT] = 1000;
	e->close_code[UPSTREAM] = 4000;
	e->bytes[CLIENT] = e->bytes[UPSTREAM] = 100;
	e->messages[CLIENT] = e->messages[UPSTREAM] = 10;
	e->duration_ms = 99;
	e->len[PART_PEER] = sizeof peer;
	e->len[PART_REQUEST_ID] = 0;
	add(&m, &peer, sizeof peer);
	static const char *const parts[PART_N] = {[PART_LISTENER] = "l",
	        [PART_ROUTE] = "r",
	        [PART_UPSTREAM] = "u",
	        [PART_SERVER] = "s:1",
	        [PART_TLS_VERSION] = "TLSv1.3",
	        [PART_TLS_CIPHER] = "C",
	        [PART_TLS_SERVER_NAME] = "n",
	        [PART_TLS_SUBJECT] = "CN=\"",
	        [PART_TLS_ISSUER] = "CN=i",
	        [PART_TLS_FINGERPRINT] = "00",
	        [PART_CLIENT_REASON] = "a b",
	        [PART_UPSTREAM_REASON] = "\n",
	        [PART_REASON] = "why not"};
	for (unsigned i = PART_LISTENER; i < PART_N; i++)
		add_part(&m, i, parts[i]);
	return m;
}

START_TEST(all_there_can_be)
{
	struct made m = make_all();
	finish(&m, "{\"time\":\"2025-11-29T02:40:00.123Z\",\"event\":\"end\",\"id\":\"7\","
	           "\"client\":\"192.0.2.1:80\",\"peer\":\"192.0.2.2:81\",\"listener\":\"l\","
	           "\"route\":\"r\",\"upstream\":\"u\",\"server\":\"s:1\",\"method\":\"GET\","
	           "\"host\":\"h.example\",\"target\":\"/chat\",\"tls_version\":\"TLSv1.3\","
	           "\"tls_cipher\":\"C\",\"tls_server_name\":\"n\",\"tls_client_subject\":"
	           "\"CN=\\\"\",\"tls_client_issuer\":\"CN=i\",\"tls_client_fingerprint\":\"00\","
	           "\"status\":101,\"handshake_ms\":0,\"connect_ms\":0,\"duration_ms\":99,"
	           "\"text_up\":1,\"text_bytes_up\":10,\"binary_up\":9,\"binary_bytes_up\":63,"
	           "\"ping_up\":3,\"ping_bytes_up\":7,\"pong_up\":5,\"pong_bytes_up\":9,"
	           "\"bytes_up\":100,\"text_down\":2,\"text_bytes_down\":20,\"binary_down\":8,"
	           "\"binary_bytes_down\":57,\"ping_down\":4,\"ping_bytes_down\":8,"
	           "\"pong_down\":6,\"pong_bytes_down\":10,\"bytes_down\":100,\"pings\":21,"
	           "\"rtt_ms\":0,\"queue_peak_up\":12,\"queue_peak_down\":11,\"pauses_up\":13,"
	           "\"pauses_down\":14,\"client_code\":1000,\"client_reason\":\"a b\","
	           "\"upstream_code\":4000,\"upstream_reason\":\"\\u000a\",\"code\":1011,"
	           "\"closed_by\":\"client\",\"cause\":\"error\",\"reason\":\"why not\","
	           "\"error\":\"connection reset by peer\",\"cut\":\"mid_frame\"}\n");
}
END_TEST

START_TEST(a_record_that_does_not_fit_is_none)
{
	struct made m = make_all();
	size_t whole = strlen(text_of(&m));
	for (size_t max = RECORD_KEY_ROOM; max < whole + RECORD_KEY_ROOM; max++) {
		char *exact = malloc(max);
		ck_assert_uint_eq(access_record(m.entry, m.len, exact, max), 0);
		free(exact);
	}
	free(m.entry);
}
END_TEST

/* Of few values, so that neighbours have much in common. */
static struct made make_any(unsigned *seed)
{
#define ANY(n) ((unsigned)rand_r(seed) % (n))
	static const char *const causes[] = {NULL, "close", "vanished", "answered"};
	static const char *const closers[] = {"client", "upstream", "proxy"};
	static const char *const names[] = {"", "a", "bb", "a\"", "a long one with a space"};
	static const struct access_counts counts = {.pings = {1, 1}};
	struct made m = make(causes[ANY(4)], ANY(4) == 0 ? &counts : NULL);
	struct access_entry *e = m.entry;
	e->fields = ANY(8) ? ACCESS_ALL : ACCESS_ALL >> ANY(60);
	e->format = ANY(8) ? RECORD_JSON : RECORD_TEXT;
	e->wall_ms += ANY(3) ? 0 : ANY(3) * 999;
	e->basics.is_get = ANY(4) > 0;
	e->closer = closers[ANY(3)];
	e->was_open = e->cause && ANY(3);
	e->status = ANY(2) ? 101 : 0;
	e->has_closed[CLIENT] = ANY(4) > 0;
	e->has_closed[UPSTREAM] = ANY(4) > 0;
	e->close_code[CLIENT] = ANY(2) ? 1000 : 1001;
	e->close_code[UPSTREAM] = ANY(2) ? 1000 : 1001;
	e->own_code = ANY(4) ? 0 : 1011;
	e->error = ANY(8) ? 0 : EPIPE;
	e->is_cut = ANY(8) == 0;
	e->messages[CLIENT] = ANY(3);
	e->bytes[CLIENT] = ANY(3) * 50;
	for (unsigned i = 0; i < PART_N; i++)
		if (i != PART_PEER && (i <= PART_SERVER || ANY(8) == 0))
			add_part(&m, i, names[ANY(5)]);
	return m;
#undef ANY
}

START_TEST(what_is_copied_is_what_would_be_written)
{
	unsigned seed = 1;
	for (int i = 0; i < 20000; i++) {
		struct made m = make_any(&seed), other = make(NULL, NULL);
		char *after_another = strdup(text_of(&m));
		/* Of another form: nothing that was kept before it is used behind it. */
		other.entry->fields = m.entry->fields ^ 1;
		text_of(&other);
		ck_assert_str_eq(text_of(&m), after_another);
		free(after_another);
		free(other.entry);
		free(m.entry);
	}
}
END_TEST

/* One that is too large between others leaves nothing wrong behind. */
START_TEST(what_was_cut_is_not_kept)
{
	struct made m = make_all();
	char *whole = strdup(text_of(&m)), out[LOG_RECORD_MAX];
	for (size_t max = RECORD_KEY_ROOM; max < strlen(whole) + RECORD_KEY_ROOM; max++) {
		struct made other = make(NULL, NULL);
		other.entry->fields = m.entry->fields ^ 1;
		text_of(&other);
		ck_assert_uint_eq(access_record(m.entry, m.len, out, max), 0);
		ck_assert_str_eq(text_of(&m), whole);
		free(other.entry);
	}
	free(whole);
	free(m.entry);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy_access_record");
	TCase *tc = tcase_create("access_record");
	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, the_beginning_of_a_session);
	tcase_add_test(tc, all_there_can_be);
	tcase_add_test(tc, a_record_that_does_not_fit_is_none);
	tcase_add_test(tc, what_is_copied_is_what_would_be_written);
	tcase_add_test(tc, what_was_cut_is_not_kept);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
