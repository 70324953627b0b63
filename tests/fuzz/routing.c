/* SPDX-License-Identifier: BSD-2-Clause */

/* Routing, origins and subprotocols. An input is lines that make routes and lists, an
 * empty line, and a request's head:
 *
 *     r /path @12 =a.example =*.example h:X-Beta:yes q:room:1     a route: path, listeners,
 *                                                                 hosts, conditions
 *     o https://a.good.example                                    an origin that may connect
 *     p chat.v2                                                   a subprotocol
 *
 * The table must find what a plain search by the rules finds, and tell the same when it
 * explains; where no two routes clash, one route is the best. An allowed origin has the
 * form that its entry demands. A limited offer keeps what is allowed, in its order. */

#include "base/mem.h"
#include "http/handshake.h"
#include "http/uri.h"
#include "proxy/condition.h"
#include "proxy/origin.h"
#include "proxy/route_table.h"
#include "proxy/tokens.h"

#include "http_common.h"

#include <string.h>

enum { ROUTES_MAX = 32, LINE_LEN_MAX = 400 };

static struct route *routes[ROUTES_MAX];
static size_t route_n;
static struct origin_list *origins;
static struct token_list *tokens;
static struct http_head head;
static bool has_clash;

/* ---- the lines ---- */

static void add_condition(struct route *r, char *word)
{
	char *name = word + 2, *value = word[1] == ':' ? strchr(name, ':') : NULL;
	if (r->condition_n == CONDITIONS_MAX || !value || value == name)
		return;
	*value++ = '\0';
	if (word[0] == 'h' && !http_is_token(slice_str(name)))
		return;
	route_add_condition(r, word[0] == 'h' ? CONDITION_HEADER : CONDITION_QUERY, name, value);
}

static void add_word(struct route *r, char *word)
{
	if (word[0] == '@')
		for (const char *at = word + 1; *at >= '0' && *at <= '9'; at++)
			r->listeners |= UINT64_C(1) << (*at - '0');
	else if (word[0] == '=' && word[1] && (word[1] != '*' || word[2] == '.'))
		route_add_host(r, word + 1);
	else if (word[0] == 'h' || word[0] == 'q')
		add_condition(r, word);
}

static void add_route(char *line)
{
	char *rest = line, *path = strsep(&rest, " ");
	if (route_n == ROUTES_MAX)
		return;
	struct route *r = routes[route_n++] = route_new("r");
	size_t len = strlen(path);
	r->prefix = len > 0 && path[len - 1] == '*';
	if (r->prefix)
		path[len - 1] = '\0';
	r->path = mem_strdup(path);
	for (char *word; (word = strsep(&rest, " "));)
		add_word(r, word);
}

static void add_line(char *line)
{
	char why[ORIGIN_WHY_MAX];
	if (line[0] == '\0' || line[1] != ' ')
		return;
	if (line[0] == 'r')
		add_route(line + 2);
	if (line[0] == 'o') {
		const char *wrong = origin_list_add(origins, line + 2, why);
		REQUIRE(!wrong || (wrong[0] && strlen(wrong) < ORIGIN_WHY_MAX));
	}
	if (line[0] == 'p' && http_is_token(slice_str(line + 2)))
		token_list_add(tokens, line + 2);
}

/* Up to the empty line; returns where the head begins. */
static const uint8_t *read_lines(const uint8_t *at, const uint8_t *end)
{
	char line[LINE_LEN_MAX + 1];
	while (at < end) {
		const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop ? stop : end) - at);
		if (len == 0)
			return at + 1;
		size_t keep = len < LINE_LEN_MAX ? len : LINE_LEN_MAX;
		memcpy(line, at, keep);
		line[keep] = '\0';
		add_line(line);
		at = stop ? stop + 1 : end;
	}
	return end;
}

/* ---- the plain search ---- */

struct rank {
	long part[4]; /* host, path, listener, conditions */
};

static int compare_ranks(const struct rank *a, const struct rank *b)
{
	for (size_t i = 0; i < 4; i++)
		if (a->part[i] != b->part[i])
			return a->part[i] < b->part[i] ? -1 : 1;
	return 0;
}

/* -1: not this host. */
static long rank_of_host(const char *pattern, struct slice host)
{
	struct slice want = slice_str(pattern);
	if (want.at[0] != '*')
		return slice_equal(want, host) ? 1000 : -1;
	want = slice_of(want.at + 1, want.len - 1);
	if (host.len <= want.len)
		return -1;
	return slice_equal(slice_of(host.at + host.len - want.len, want.len), want) ? (long)want.len
	                                                                            : -1;
}

static bool rank_route(const struct route *r, const struct route_query *q, struct rank *out)
{
	struct slice path = slice_str(r->path);
	bool is_prefix = r->prefix || path.len == 0;
	out->part[0] = r->host_n == 0 ? 0 : -1;
	for (size_t i = 0; i < r->host_n; i++) {
		long rank = rank_of_host(r->host[i], q->host);
		out->part[0] = rank > out->part[0] ? rank : out->part[0];
	}
	if (is_prefix ? !slice_starts_with(q->path, path) : !slice_equal(q->path, path))
		return false;
	for (size_t i = 0; i < r->condition_n; i++)
		if (!condition_holds(&r->condition[i], q->head, NULL))
			return false;
	out->part[1] = is_prefix ? (long)path.len : 100000;
	out->part[2] = r->listeners != 0;
	out->part[3] = (long)r->condition_n;
	return out->part[0] >= 0 && (r->listeners == 0 || r->listeners >> q->listener & 1);
}

static void on_clash(const struct route *a, const struct route *b, void *arg)
{
	(void)arg;
	REQUIRE(a != b && a->condition_n == b->condition_n && strcmp(a->path, b->path) == 0);
	has_clash = true;
}

static void on_step(const struct route_step *step, void *arg)
{
	const struct route **last = arg;
	REQUIRE(!*last);
	REQUIRE((step->condition != NULL) ==
	        (step->route && step->verdict == ROUTE_NOT_BY_CONDITION));
	if (step->route && step->verdict == ROUTE_HOLDS)
		*last = step->route;
}

static void check_search(const struct route_table *t, const struct route_query *q)
{
	struct rank best = {{-1, 0, 0, 0}}, rank, found_rank;
	size_t best_n = 0;
	const struct route *held = NULL, *found = route_find(t, q);
	for (size_t i = 0; i < route_n; i++) {
		if (!rank_route(routes[i], q, &rank))
			continue;
		int c = compare_ranks(&rank, &best);
		best_n = c > 0 ? 1 : best_n + (c == 0);
		if (c > 0)
			best = rank;
	}
	REQUIRE((found != NULL) == (best_n > 0));
	REQUIRE(!found ||
	        (rank_route(found, q, &found_rank) && compare_ranks(&found_rank, &best) == 0));
	REQUIRE(has_clash || best_n <= 1);
	REQUIRE(route_explain(t, q, on_step, &held) == found);
	/* Of two routes that clash, either may be told. */
	REQUIRE(has_clash ? (held != NULL) == (found != NULL) : held == found);
}

/* ---- origins, subprotocols ---- */

static bool is_plain(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!memchr("abcdefghijklmnopqrstuvwxyz0123456789-_.:[]", s.at[i], 42))
			return false;
	return true;
}

static void check_origins(void)
{
	const char *by = origin_list_find(origins, &head);
	enum origin_verdict v = origin_check(origins, ORIGIN_MISSING_DENY, &head);
	REQUIRE((v == ORIGIN_ALLOWED) == (by != NULL));
	REQUIRE(origin_check(NULL, ORIGIN_MISSING_ALLOW, &head) == ORIGIN_ALLOWED);
	if (!by)
		return;
	REQUIRE(http_count(&head, HTTP_ORIGIN) == 1);
	struct slice origin = http_find(&head, HTTP_ORIGIN)->value;
	if (slice_equal(origin, slice_str(by)))
		return;
	const uint8_t *mark = memmem(origin.at, origin.len, "://", 3);
	REQUIRE(mark && (strchr(by, '*') || strcmp(by, "same-host") == 0));
	REQUIRE(is_plain(slice_of(mark + 3, origin.len - (size_t)(mark + 3 - origin.at))));
	const char *star = strstr(by, "://*.");
	const char *domain = star ? star + 4 : NULL;
	size_t len = domain ? strcspn(domain, ":") : 0;
	REQUIRE(!domain || memmem(mark, origin.len - (size_t)(mark - origin.at), domain, len));
}

static bool is_token_of_list(struct slice token)
{
	for (size_t i = 0; i < tokens->n; i++)
		if (slice_equal(tokens->at[i], token))
			return true;
	return false;
}

/* The members of all lines, joined. */
static size_t members(uint8_t *out, bool only_allowed)
{
	size_t n = 0;
	for (size_t i = 0; i < head.n; i++) {
		struct slice rest = head.field[i].value, member;
		if (head.field[i].id != HTTP_SEC_WEBSOCKET_PROTOCOL)
			continue;
		while (http_list_next(&rest, &member)) {
			if (only_allowed && !is_token_of_list(member))
				continue;
			memcpy(out + n, member.at, member.len);
			n += member.len;
			out[n++] = ',';
		}
	}
	return n;
}

static void check_protocols(void)
{
	static uint8_t want[2 * HTTP_HEAD_MAX], got[2 * HTTP_HEAD_MAX];
	size_t others = head.n - http_count(&head, HTTP_SEC_WEBSOCKET_PROTOCOL);
	size_t want_n = members(want, true);
	upgrade_limit_protocols(&head, tokens->at, tokens->n);
	size_t got_n = members(got, false);
	REQUIRE(slice_equal(slice_of(want, want_n), slice_of(got, got_n)));
	REQUIRE(head.n - http_count(&head, HTTP_SEC_WEBSOCKET_PROTOCOL) == others);
	struct slice first = upgrade_first_protocol(&head);
	REQUIRE(slice_equal(first, slice_of(want, first.len)) && (first.len > 0) == (want_n > 0));
	check_fields(&head);
}

static void check_request(const struct route_table *t, const uint8_t *at, size_t len)
{
	struct http_scan scan = {0};
	struct slice port;
	uint8_t *copy = exact_copy(at, len);
	if (http_parse_request(&head, &scan, copy, len) > 0) {
		uint8_t *path = malloc(head.path.len + 1), host[URI_HOST_MAX];
		REQUIRE(path);
		ssize_t n = uri_normalise_path(head.path, path);
		struct slice authority = head.authority.len > 0 ? head.authority : head.host;
		struct route_query q = {.listener = (unsigned)(len % 4),
		        .host = slice_of(host, uri_host(authority, host, &port)),
		        .path = slice_of(path, n > 0 ? (size_t)n : 0),
		        .head = &head};
		if (n > 0)
			check_search(t, &q);
		free(path);
		check_origins();
		check_protocols();
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	if (size == 0)
		return 0;
	route_n = 0;
	has_clash = false;
	origins = origin_list_new();
	tokens = token_list_new();
	const uint8_t *at = read_lines(input, input + size);
	struct route_table *t = route_table_new(routes, route_n);
	route_table_clashes(t, on_clash, NULL);
	if (at < input + size)
		check_request(t, at, (size_t)(input + size - at));
	route_table_unref(t);
	for (size_t i = 0; i < route_n; i++)
		route_unref(routes[i]);
	origin_list_unref(origins);
	token_list_unref(tokens);
	return 0;
}
