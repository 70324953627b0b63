/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/condition.h"

#include "http/uri.h"
#include "net/tls_stream.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

int condition_order(const struct condition *a, const struct condition *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	/* Names of headers are tokens, so no locale folds them otherwise. */
	return a->kind == CONDITION_HEADER ? strcasecmp(a->name, b->name)
	                                   : strcmp(a->name, b->name);
}

static int compare(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n > 0 ? memcmp(a.at, b.at, n) : 0;
	return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* The order of an argument's bytes once decoded, and plain text. */
static int compare_decoded(struct slice encoded, struct slice plain)
{
	for (size_t i = 0;; i++) {
		int byte = uri_query_next(&encoded);
		if (byte < 0 || i == plain.len)
			return (byte >= 0) - (i < plain.len);
		if (byte != plain.at[i])
			return byte < plain.at[i] ? -1 : 1;
	}
}

static bool find_header(const char *name, const struct http_head *h, struct slice *value)
{
	struct slice want = slice_str(name);
	size_t n = 0;
	for (size_t i = 0; i < h->n; i++) {
		if (!slice_equal_nocase(h->field[i].name, want))
			continue;
		*value = h->field[i].value;
		n++;
	}
	return n == 1;
}

static struct slice take_until(struct slice *rest, char mark)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->at, mark, rest->len) : NULL;
	size_t len = end ? (size_t)(end - rest->at) : rest->len;
	struct slice taken = slice_of(rest->at, len);
	*rest = slice_of(rest->at + len + (end ? 1 : 0), rest->len - len - (end ? 1 : 0));
	return taken;
}

static bool find_argument(const char *name, struct slice query, struct slice *value)
{
	struct slice want = slice_str(name);
	size_t n = 0;
	while (query.len > 0) {
		struct slice argument = take_until(&query, '&');
		struct slice given = take_until(&argument, '=');
		if (compare_decoded(given, want) != 0)
			continue;
		*value = argument;
		n++;
	}
	return n == 1;
}

static bool find_client(enum condition_kind kind, const struct tls_info *tls, struct slice *value)
{
	if (!tls)
		return false;
	*value = kind == CONDITION_TLS_SUBJECT  ? tls->subject
	         : kind == CONDITION_TLS_ISSUER ? tls->issuer
	                                        : tls->fingerprint;
	return value->len > 0;
}

bool condition_find(const struct condition *c, const struct http_head *h,
        const struct tls_info *tls, struct slice *value)
{
	switch (c->kind) {
	case CONDITION_HEADER:
		return find_header(c->name, h, value);
	case CONDITION_QUERY:
		return find_argument(c->name, h->query, value);
	default:
		return find_client(c->kind, tls, value);
	}
}

int condition_compare(const struct condition *c, struct slice value)
{
	struct slice want = slice_str(c->value);
	return c->kind == CONDITION_QUERY ? compare_decoded(value, want) : compare(value, want);
}

bool condition_holds(
        const struct condition *c, const struct http_head *h, const struct tls_info *tls)
{
	struct slice value;
	return condition_find(c, h, tls, &value) && condition_compare(c, value) == 0;
}

const char *condition_text(const struct condition *c, char out[CONDITION_TEXT_MAX])
{
	static const struct {
		const char *before, *between;
	} form[] = {
	        [CONDITION_HEADER] = {"header ", ": "},
	        [CONDITION_QUERY] = {"query ", "="},
	        [CONDITION_TLS_SUBJECT] = {"tls_client subject ", ""},
	        [CONDITION_TLS_ISSUER] = {"tls_client issuer ", ""},
	        [CONDITION_TLS_FINGERPRINT] = {"tls_client fingerprint ", ""},
	};
	snprintf(out, CONDITION_TEXT_MAX, "%s%s%s%s", form[c->kind].before, c->name,
	        form[c->kind].between, c->value);
	return out;
}
