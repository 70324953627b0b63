/* SPDX-License-Identifier: BSD-2-Clause */

/* A client's cookies. No bytes but those that were made here lead to a server, however
 * they stand among others; a cookie that was made does; attributes that were found
 * sound make one sound line of a head. The first byte says which. */

#include "http_common.h"

#include "base/mem.h"
#include "http/cookie.h"
#include "upstream/group.h"
#include "upstream/sticky.h"

enum { SERVERS = 3, NOW = 1800000000 };

static struct upstream_members *members;
static struct sticky *sticky;
static char values[SERVERS][STICKY_VALUE_LEN];
static struct http_head head;

static void put_line(
        const struct sticky *s, unsigned server, struct http_writer *w, uint8_t *buf, size_t size)
{
	http_writer_init(w, buf, size);
	sticky_put(s, w, members->server[server].state->key, NOW);
	REQUIRE(!w->overflow);
}

static void init(void)
{
	struct upstream_group *g = upstream_group_new("chat");
	struct upstream_server servers[SERVERS];
	memset(servers, 0, sizeof servers);
	for (unsigned i = 0; i < SERVERS; i++) {
		char name[] = "192.0.2.1:9000";
		name[8] = (char)('1' + i);
		servers[i].name = mem_strdup(name);
		servers[i].weight = 1;
		REQUIRE(address_parse(&servers[i].address, name));
	}
	upstream_group_set_members(g, upstream_members_new(g, servers, SERVERS));
	members = upstream_group_members(g);
	upstream_group_unref(g);
	sticky = sticky_new("chat", "n", "Path=/", 0, SLICE("0123456789abcdef0123456789abcdef"));
	REQUIRE(sticky);
	for (unsigned i = 0; i < SERVERS; i++) {
		uint8_t buf[STICKY_LINE_MAX];
		struct http_writer w;
		put_line(sticky, i, &w, buf, sizeof buf);
		memcpy(values[i], buf + strlen("Set-Cookie: n="), STICKY_VALUE_LEN);
	}
}

/* The input as header lines of a head; a newline ends one. */
static void set_lines(const uint8_t *at, size_t len)
{
	const uint8_t *end = at + len;
	head.n = 0;
	while (at < end && head.n < 8) {
		const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
		stop = stop ? stop : end;
		head.field[head.n++] = (struct http_field){
		        .name = SLICE("Cookie"), .value = slice_of(at, (size_t)(stop - at))};
		at = stop + (stop < end);
	}
}

static bool is_made(struct slice v)
{
	for (unsigned i = 0; i < SERVERS; i++)
		if (slice_equal(v, slice_of(values[i], STICKY_VALUE_LEN)))
			return true;
	return false;
}

/* Among the values of the walk there is one that was made, or none is found. */
static void check_client(const uint8_t *at, size_t len)
{
	struct http_cookies walk = {.field = 0};
	struct slice v;
	bool has_made = false;
	size_t n = 0;
	set_lines(at, len);
	while (http_cookie_next(&head, &walk, SLICE("n"), &v)) {
		REQUIRE(v.at >= at && v.at + v.len <= at + len);
		REQUIRE(v.len == 0 || !memchr(v.at, ';', v.len));
		REQUIRE(++n <= len);
		has_made |= is_made(v);
	}
	int found = sticky_find(sticky, &head, members, NOW);
	REQUIRE(found == -1 || (found < SERVERS && has_made));
}

/* A made cookie behind anything that is no cookie of that name is found. */
static void check_made(const uint8_t *at, size_t len)
{
	size_t total = len + 3 + STICKY_VALUE_LEN;
	uint8_t *text = malloc(total);
	unsigned server = (unsigned)(len % SERVERS);
	struct http_cookies walk = {.field = 0};
	struct slice v;
	memcpy(text, at, len);
	memcpy(text + len, ";n=", 3);
	memcpy(text + len + 3, values[server], STICKY_VALUE_LEN);
	head.n = 1;
	head.field[0] =
	        (struct http_field){.name = SLICE("cookie"), .value = slice_of(text, total)};
	bool is_first = http_cookie_next(&head, &walk, SLICE("n"), &v) && v.at == text + len + 3;
	int found = sticky_find(sticky, &head, members, NOW);
	REQUIRE(!is_first || found == (int)server);
	free(text);
}

static void check_attributes(const uint8_t *at, size_t len)
{
	char *text = malloc(len + 1);
	memcpy(text, at, len);
	text[len] = '\0';
	if (!sticky_check_attributes(text)) {
		struct sticky *s = sticky_new("chat", "n", text, (uint32_t)len,
		        SLICE("0123456789abcdef0123456789abcdef"));
		uint8_t buf[STICKY_LINE_MAX + 64] = "HTTP/1.1 101 X\r\n";
		static struct http_head answer;
		struct http_scan scan = {0};
		struct http_writer w;
		http_writer_init(&w, buf, sizeof buf);
		w.len = strlen((char *)buf);
		sticky_put(s, &w, members->server[0].state->key, NOW);
		http_put_end(&w);
		REQUIRE(!w.overflow);
		REQUIRE(http_parse_response(&answer, &scan, buf, w.len) == (ssize_t)w.len);
		REQUIRE(answer.n == 1);
		sticky_free(s);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	if (!sticky)
		init();
	if (size == 0)
		return 0;
	uint8_t *exact = exact_copy(input + 1, size - 1);
	switch (input[0] % 3) {
	case 0:
		check_client(exact, size - 1);
		break;
	case 1:
		check_made(exact, size - 1);
		break;
	default:
		check_attributes(exact, size - 1);
		break;
	}
	free(exact);
	return 0;
}
