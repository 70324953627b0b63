/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/build_headers.h"

#include "base/mem.h"
#include "config/draft.h"

#include <string.h>

static const struct {
	const char *key;
	enum rules_side side;
	enum rules_op op;
} rule_keys[] = {
        {"request_set", RULES_REQUEST, RULES_SET},
        {"request_add", RULES_REQUEST, RULES_ADD},
        {"request_remove", RULES_REQUEST, RULES_REMOVE},
        {"response_set", RULES_RESPONSE, RULES_SET},
        {"response_add", RULES_RESPONSE, RULES_ADD},
        {"response_remove", RULES_RESPONSE, RULES_REMOVE},
};
enum { RULE_KEYS = sizeof rule_keys / sizeof rule_keys[0] };

static int rule_key(const char *key)
{
	for (int i = 0; i < RULE_KEYS; i++)
		if (strcmp(rule_keys[i].key, key) == 0)
			return i;
	return -1;
}

enum rules_side headers_side(const char *key)
{
	int i = rule_key(key);
	return i < 0 ? RULES_REQUEST : rule_keys[i].side;
}

enum rules_op headers_op(const char *key)
{
	int i = rule_key(key);
	return i < 0 ? RULES_SET : rule_keys[i].op;
}

bool headers_split_prefix(const char *value, struct slice *from, struct slice *to)
{
	size_t first = strcspn(value, " \t");
	const char *second = value + first + strspn(value + first, " \t");
	*from = slice_of(value, first);
	*to = slice_str(second);
	return first > 0 && *second && !strpbrk(second, " \t");
}

/* One section's rules for that side. What is wrong with them has been told. */
static void add_rules(struct rules *r, enum rules_side side, const struct reader_section *s)
{
	char why[RULES_WHY_MAX];
	for (size_t i = 0; i < s->entry_n; i++) {
		int k = rule_key(s->entry[i].key);
		if (k >= 0 && rule_keys[k].side == side)
			rules_add(r, rule_keys[k].op, s->entry[i].value, why);
	}
}

static void add_all_rules(
        struct draft *d, struct draft_route *route, struct rules *r, enum rules_side side)
{
	for (size_t i = 0; i < d->defaults_n; i++)
		add_rules(r, side, d->defaults_from[i]);
	add_rules(r, side, route->section);
}

/* A key that stands once: the route's, or that of [defaults]. `section`: where it stands. */
static const struct reader_entry *find(
        struct draft *d, const struct draft_route *r, const char *key)
{
	const struct reader_entry *e = reader_find(r->section, key);
	for (size_t i = 0; !e && i < d->defaults_n; i++)
		e = reader_find(d->defaults_from[i], key);
	return e;
}

static char *copy(struct slice s)
{
	char *out = mem_new(s.len + 1);
	memcpy(out, s.at, s.len);
	return out;
}

/* The value, or NULL for one that is `word` or not given. */
static const char *unless(const struct reader_entry *e, const char *word)
{
	return e && strcmp(e->value, word) != 0 ? e->value : NULL;
}

static void build_prefix(struct draft *d, const struct draft_route *r, struct route_headers *out)
{
	const struct reader_entry *strip = reader_find(r->section, "strip_prefix");
	const struct reader_entry *replace = reader_find(r->section, "replace_prefix");
	struct slice from, to;
	if (unless(strip, "off") && unless(replace, "off")) {
		draft_error(
		        d, r->section, replace, "want only one of strip_prefix and replace_prefix");
		return;
	}
	/* Either key of the route puts both of [defaults] aside. */
	if (!strip && !replace) {
		strip = find(d, r, "strip_prefix");
		replace = find(d, r, "replace_prefix");
	}
	if (unless(replace, "off")) {
		if (!headers_split_prefix(replace->value, &from, &to))
			return;
		out->from = copy(from);
		out->to = copy(to);
	} else if (unless(strip, "off")) {
		out->from = mem_strdup(strip->value);
		out->to = mem_strdup("/");
	}
}

static void build_host(struct draft *d, const struct draft_route *r, struct route_headers *out)
{
	const char *host = unless(find(d, r, "upstream_host"), "keep");
	if (!host)
		return;
	out->host_is_server = strcmp(host, "server") == 0;
	if (!out->host_is_server)
		out->host = mem_strdup(host);
}

static void check_id(struct draft *d, const struct draft_route *r, const struct rules *rules)
{
	if (rules && rules_use(rules, RULES_REQUEST_ID) && !r->route->headers.request_id)
		draft_section_error(d, r->section,
		        "a rule has ${request_id}, but request_id is off: want the name of a "
		        "header");
}

/* Keys of the route itself that would do nothing are mistakes. */
static void check_use(struct draft *d, const struct draft_route *r)
{
	static const char *const keys[] = {"request_set", "request_add", "request_remove",
	        "upstream_host", "strip_prefix", "replace_prefix", "forwarded",
	        "forwarded_rfc7239"};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		const struct reader_entry *e = reader_find(r->section, keys[i]);
		if (e && r->route->action != ROUTE_UPSTREAM)
			draft_error(d, r->section, e,
			        "nothing is passed on here: want it in a route with an upstream");
	}
}

void build_headers(struct draft *d, struct draft_route *r)
{
	const struct route_settings *settings = &r->route->settings;
	struct route_headers *h = &r->route->headers;
	const struct reader_entry *id = find(d, r, "request_id");
	if (!id || unless(id, "off"))
		h->request_id = mem_strdup(id ? id->value : "X-Request-Id");
	h->response = rules_new(RULES_RESPONSE, FORWARD_OFF, false);
	add_all_rules(d, r, h->response, RULES_RESPONSE);
	if (rules_are_empty(h->response)) {
		rules_free(h->response);
		h->response = NULL;
	}
	if (r->route->action == ROUTE_UPSTREAM) {
		h->request =
		        rules_new(RULES_REQUEST, settings->forwarded, settings->forwarded_rfc7239);
		if (h->request_id)
			rules_identify(h->request, h->request_id);
		add_all_rules(d, r, h->request, RULES_REQUEST);
		build_prefix(d, r, h);
		build_host(d, r, h);
	}
	check_use(d, r);
	check_id(d, r, h->request);
	check_id(d, r, h->response);
}
