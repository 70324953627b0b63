/* SPDX-License-Identifier: BSD-2-Clause */

/* Values of the keys about headers, prefixes and trusted proxies. Those that [defaults]
 * and a route share have no field: they are only checked here, and compiled when the route
 * is built (config/build_headers.h), in the order in which they stand. */

#include "config/build_headers.h"
#include "config/draft.h"
#include "config/parse.h"
#include "config/schema.h"
#include "http/uri.h"

#include <stdio.h>

bool parse_rule(struct parse *p, void *field)
{
	struct rules *r = rules_new(headers_side(p->key->name), FORWARD_OFF, false);
	bool ok = rules_add(r, headers_op(p->key->name), p->value, p->why);
	(void)field;
	rules_free(r);
	return ok;
}

bool parse_forwarded(struct parse *p, void *field)
{
	static const char *const words[] = {"off", "replace", "append", NULL};
	int i = parse_word(p, words);
	if (i < 0)
		return false;
	*(enum rules_forward *)field = (enum rules_forward)i;
	return true;
}

bool parse_upstream_host(struct parse *p, void *field)
{
	(void)field;
	return uri_is_authority(slice_str(p->value)) ||
	       parse_refuse(p, "want keep, server, or a host with or without a port");
}

bool parse_request_id(struct parse *p, void *field)
{
	(void)field;
	return strcmp(p->value, "off") == 0 ||
	       rules_may_name(RULES_REQUEST, slice_str(p->value), p->why);
}

/* A path in its normal form, which is what is compared and goes out. */
static bool is_prefix(struct parse *p, struct slice s)
{
	uint8_t normal[HTTP_TARGET_MAX];
	if (s.len == 0 || s.len > HEADERS_PREFIX_MAX || s.at[0] != '/')
		return parse_refuse(p, "want a path of at most 1024 bytes that begins with '/'");
	ssize_t n = uri_normalise_path(s, normal);
	if (n < 0)
		return parse_refuse(p, "want a path without query and blanks, other bytes as %XX");
	if (!slice_equal(slice_of(normal, (size_t)n), s)) {
		snprintf(p->why, sizeof p->why, "want the normal form, %.*s",
		        (int)(n < 100 ? n : 100), (const char *)normal);
		return false;
	}
	return true;
}

bool parse_strip_prefix(struct parse *p, void *field)
{
	(void)field;
	return strcmp(p->value, "off") == 0 || is_prefix(p, slice_str(p->value));
}

bool parse_replace_prefix(struct parse *p, void *field)
{
	struct slice from, to;
	(void)field;
	if (strcmp(p->value, "off") == 0)
		return true;
	if (!headers_split_prefix(p->value, &from, &to))
		return parse_refuse(p, "want two paths, such as /old /new");
	return is_prefix(p, from) && is_prefix(p, to);
}

bool parse_trusted_proxy(struct parse *p, void *field)
{
	struct cidr_list *list = field;
	struct cidr c;
	const char *why = cidr_parse(&c, p->value);
	if (why)
		return parse_refuse(p, why);
	cidr_list_add(list, &c);
	return true;
}

bool parse_trusted_header(struct parse *p, void *field)
{
	static const char *const words[] = {
	        [TRUST_X_FORWARDED_FOR] = "X-Forwarded-For",
	        [TRUST_FORWARDED] = "Forwarded",
	        [TRUST_X_REAL_IP] = "X-Real-IP",
	        NULL,
	};
	for (int i = 0; words[i]; i++) {
		if (!slice_equal_nocase(slice_str(p->value), slice_str(words[i])))
			continue;
		*(enum trust_header *)field = (enum trust_header)i;
		return true;
	}
	return false;
}
