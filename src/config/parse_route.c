/* SPDX-License-Identifier: BSD-2-Clause */

/* The values by which routes are chosen, and what they allow. */

#include "config/draft.h"
#include "config/parse.h"
#include "http/head.h"
#include "http/uri.h"
#include "proxy/tokens.h"

#include <stdio.h>
#include <string.h>

static bool is_host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

/* Labels that are not empty. */
static bool is_name(const char *host)
{
	size_t len = strlen(host);
	if (len == 0 || len > 253 || host[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_host_byte(host[i]) || (host[i] == '.' && i > 0 && host[i - 1] == '.'))
			return false;
	return true;
}

bool parse_host(struct parse *p, void *field)
{
	struct draft_route *r = field;
	bool is_suffix = strncmp(p->value, "*.", 2) == 0;
	const char *host = p->value + (is_suffix ? 2 : 0);
	uint8_t normal[URI_HOST_MAX];
	char text[URI_HOST_MAX + 2];
	struct slice port;
	if (strcmp(p->value, "*") == 0)
		return parse_refuse(p, "want no host at all for every host");
	size_t n = uri_host(slice_str(host), normal, &port);
	if (n > 0 && (host[0] == '[' ? host[strlen(host) - 1] != ']' : strchr(host, ':') != NULL))
		return parse_refuse(
		        p, "want a host without port: it counts the same at every port");
	if (n == 0 || (host[0] == '[' ? is_suffix : !is_name(host)))
		return parse_refuse(p,
		        "want a host name (in its xn-- form), an address, or *. and a "
		        "domain");
	snprintf(text, sizeof text, "%s%.*s", is_suffix ? "*." : "", (int)n, (const char *)normal);
	return route_add_host(r->route, text) || parse_refuse(p, "given before in this section");
}

enum { CONDITION_NAME_MAX = 100, CONDITION_VALUE_MAX = 300 };

/* NAME, the mark, VALUE: to the route. A header has no blanks around its value. */
static bool add_condition(struct parse *p, struct route *r, enum condition_kind kind)
{
	const char *mark = strchr(p->value, kind == CONDITION_HEADER ? ':' : '=');
	char name[CONDITION_NAME_MAX + 1];
	if (!mark || mark == p->value)
		return false;
	const char *value = mark + 1 + (kind == CONDITION_HEADER ? strspn(mark + 1, " \t") : 0);
	size_t len = (size_t)(mark - p->value);
	if (len > CONDITION_NAME_MAX || strlen(value) > CONDITION_VALUE_MAX) {
		snprintf(p->why, sizeof p->why, "want a name of at most %d bytes, a value of %d",
		        CONDITION_NAME_MAX, CONDITION_VALUE_MAX);
		return false;
	}
	snprintf(name, sizeof name, "%.*s", (int)len, p->value);
	if (kind == CONDITION_HEADER && !http_is_token(slice_str(name)))
		return parse_refuse(p, "want the name of a header before the colon");
	if (kind == CONDITION_HEADER && *value == '\0')
		return parse_refuse(p, "want a value behind the colon");
	if (kind == CONDITION_HEADER && http_name_of(slice_str(name)) == HTTP_HOST)
		return parse_refuse(p, "want host = NAME for this");
	if (r->condition_n == CONDITIONS_MAX)
		return parse_refuse(p, "the route has 8 conditions already, and they are the most");
	return route_add_condition(r, kind, name, value) ||
	       parse_refuse(
	               p, "the route has a condition on it already: no request could meet both");
}

bool parse_header(struct parse *p, void *field)
{
	return add_condition(p, ((struct draft_route *)field)->route, CONDITION_HEADER);
}

bool parse_query(struct parse *p, void *field)
{
	return add_condition(p, ((struct draft_route *)field)->route, CONDITION_QUERY);
}

enum { FINGERPRINT_LEN = 64 };

/* SHA-256 in hex as tools print it: in any case, with or without colons. */
static bool read_fingerprint(const char *text, char out[FINGERPRINT_LEN + 1])
{
	size_t n = 0;
	for (; *text; text++) {
		if (*text == ':' && n % 2 == 0 && n > 0)
			continue;
		if (n == FINGERPRINT_LEN || !strchr("0123456789abcdefABCDEF", *text))
			return false;
		out[n++] = (char)ascii_lower((uint8_t)*text);
	}
	out[n] = '\0';
	return n == FINGERPRINT_LEN;
}

bool parse_tls_client(struct parse *p, void *field)
{
	static const char *const words[] = {"subject ", "issuer ", "fingerprint ", NULL};
	struct draft_route *r = field;
	char fingerprint[FINGERPRINT_LEN + 1];
	int i = 0;
	while (words[i] && strncmp(p->value, words[i], strlen(words[i])) != 0)
		i++;
	if (!words[i])
		return false;
	enum condition_kind kind = (enum condition_kind)(CONDITION_TLS_SUBJECT + i);
	const char *value = p->value + strlen(words[i]);
	value += strspn(value, " \t");
	if (*value == '\0' || strlen(value) > CONDITION_VALUE_MAX)
		return parse_refuse(p, "want a value of 1 to 300 bytes behind it");
	if (kind == CONDITION_TLS_FINGERPRINT && !read_fingerprint(value, fingerprint))
		return parse_refuse(p, "want a SHA-256 of 64 hex digits, with or without colons");
	if (r->route->condition_n == CONDITIONS_MAX)
		return parse_refuse(p, "the route has 8 conditions already, and they are the most");
	return route_add_condition(r->route, kind, "",
	               kind == CONDITION_TLS_FINGERPRINT ? fingerprint : value) ||
	       parse_refuse(
	               p, "the route has a condition on it already: no request could meet both");
}

/* `any` is no list, and stands alone. */
static bool is_alone(struct parse *p, bool has_list)
{
	return p->first || (has_list && strcmp(p->value, "any") != 0) ||
	       parse_refuse(p, "want any alone, or a list without it");
}

/* Whatever stands beside it. */
static bool is_origin(struct parse *p)
{
	struct origin_list *alone = origin_list_new();
	bool is_good = strcmp(p->value, "any") == 0 || !origin_list_add(alone, p->value, p->why);
	origin_list_unref(alone);
	return is_good;
}

bool parse_origin(struct parse *p, void *field)
{
	struct origin_list **list = field;
	bool is_any = strcmp(p->value, "any") == 0;
	if (p->first) {
		origin_list_unref(*list);
		*list = is_any ? NULL : origin_list_new();
	}
	if (!is_origin(p) || !is_alone(p, *list != NULL))
		return false;
	return is_any || !origin_list_add(*list, p->value, p->why);
}

bool parse_origin_missing(struct parse *p, void *field)
{
	static const char *const words[] = {
	        [ORIGIN_MISSING_ALLOW] = "allow", [ORIGIN_MISSING_DENY] = "deny", NULL};
	int i = parse_word(p, words);
	if (i < 0)
		return false;
	*(enum origin_missing *)field = (enum origin_missing)i;
	return true;
}

bool parse_subprotocol(struct parse *p, void *field)
{
	struct token_list **list = field;
	bool is_any = strcmp(p->value, "any") == 0;
	if (p->first) {
		token_list_unref(*list);
		*list = is_any ? NULL : token_list_new();
	}
	if (!http_is_token(slice_str(p->value)))
		return parse_refuse(p, "want one token, such as chat.v2");
	if (!is_alone(p, *list != NULL))
		return false;
	return is_any || token_list_add(*list, p->value) ||
	       parse_refuse(p, "given before in this section");
}
