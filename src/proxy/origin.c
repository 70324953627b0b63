/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/origin.h"

#include "base/mem.h"
#include "http/uri.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SCHEME://HOST[:PORT] in its parts. */
struct parts {
	struct slice scheme, host; /* an IPv6 address with its brackets */
	struct slice port;         /* without the colon; empty when there is none */
	bool has_port;
};

enum entry_kind { SAME_HOST, NULL_ORIGIN, EXACT, PATTERN };

struct entry {
	enum entry_kind kind;
	size_t len; /* of the text */
	char *text;
	struct parts parts;  /* PATTERN; they point into the text */
	bool has_subdomains; /* the host is what follows "*", with its dot */
};

struct origin_list {
	atomic_uint refs;
	struct entry *entry;
	size_t n;
};

struct origin_list *origin_list_new(void)
{
	struct origin_list *l = mem_new(sizeof *l);
	atomic_init(&l->refs, 1);
	return l;
}

struct origin_list *origin_list_ref(struct origin_list *l)
{
	if (l)
		atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void origin_list_unref(struct origin_list *l)
{
	if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < l->n; i++)
		mem_free(l->entry[i].text);
	mem_free(l->entry);
	mem_free(l);
}

size_t origin_list_n(const struct origin_list *l)
{
	return l ? l->n : 0;
}

const char *origin_list_text(const struct origin_list *l, size_t i)
{
	return l->entry[i].text;
}

/* ---- the form ---- */

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_scheme(struct slice s)
{
	if (s.len == 0 || !is_lower(s.at[0]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_lower(s.at[i]) && !is_digit(s.at[i]) && !memchr("+-.", s.at[i], 3))
			return false;
	return true;
}

/* Labels of lower-case letters, digits, '-' and '_', none of them empty. */
static bool is_name(struct slice s)
{
	if (s.len == 0 || s.at[s.len - 1] == '.')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		bool is_dot = s.at[i] == '.';
		if (is_dot && (i == 0 || s.at[i - 1] == '.'))
			return false;
		if (!is_dot && !is_lower(s.at[i]) && !is_digit(s.at[i]) && s.at[i] != '-' &&
		        s.at[i] != '_')
			return false;
	}
	return true;
}

static bool is_literal(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] != ascii_lower(s.at[i]))
			return false;
	return s.len > 2 && s.at[0] == '[' && s.at[s.len - 1] == ']' && uri_is_authority(s);
}

/* 0 for what is no port as a browser writes it. */
static unsigned port_number(struct slice s)
{
	unsigned n = 0;
	if (s.len == 0 || s.len > 5 || s.at[0] == '0')
		return 0;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_digit(s.at[i]))
			return 0;
		n = n * 10 + (s.at[i] - (unsigned)'0');
	}
	return n <= 65535 ? n : 0;
}

/* The port that a browser leaves out; 0 = it leaves out none. */
static unsigned default_port(struct slice scheme)
{
	return slice_equal(scheme, SLICE("https"))  ? 443
	       : slice_equal(scheme, SLICE("http")) ? 80
	                                            : 0;
}

static bool split(struct slice s, struct parts *out)
{
	const uint8_t *mark = s.len > 3 ? memmem(s.at, s.len, "://", 3) : NULL;
	if (!mark)
		return false;
	out->scheme = slice_of(s.at, (size_t)(mark - s.at));
	struct slice rest = slice_of(mark + 3, s.len - out->scheme.len - 3);
	const uint8_t *bracket =
	        rest.len > 0 && rest.at[0] == '[' ? memchr(rest.at, ']', rest.len) : NULL;
	const uint8_t *from = bracket ? bracket : rest.at;
	const uint8_t *end = rest.at + rest.len;
	const uint8_t *colon = from < end ? memchr(from, ':', (size_t)(end - from)) : NULL;
	out->has_port = colon != NULL;
	out->host = slice_of(rest.at, (size_t)((colon ? colon : end) - rest.at));
	out->port = colon ? slice_of(colon + 1, (size_t)(end - colon - 1)) : slice_of(end, 0);
	return true;
}

static const char *tell(char why[ORIGIN_WHY_MAX], const char *text)
{
	snprintf(why, ORIGIN_WHY_MAX, "%s", text);
	return why;
}

static bool has_upper(const char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'Z')
			return true;
	return false;
}

static const char *judge_port(const struct parts *p, char why[ORIGIN_WHY_MAX])
{
	if (!p->has_port || slice_equal(p->port, SLICE("*")))
		return NULL;
	unsigned n = port_number(p->port);
	if (n == 0)
		return tell(why, "want a port of 1..65535, or * for any");
	if (n != default_port(p->scheme))
		return NULL;
	snprintf(why, ORIGIN_WHY_MAX, "want it without :%u, which browsers leave out", n);
	return why;
}

static const char *judge(const char *text, const struct parts *p, char why[ORIGIN_WHY_MAX])
{
	struct slice host = p->host;
	if (has_upper(text))
		return tell(why, "want lower case, as browsers write it");
	if (slice_equal(p->scheme, SLICE("ws")) || slice_equal(p->scheme, SLICE("wss")))
		return tell(why, "want http:// or https://: it is the page's origin that browsers "
		                 "send");
	if (!is_scheme(p->scheme))
		return tell(why, "want a scheme such as https before ://");
	if (strpbrk(text + p->scheme.len + 3, "/?#@ "))
		return tell(why, "want nothing but the host and port behind ://, no slash either");
	bool has_star = slice_starts_with(host, SLICE("*."));
	if (has_star)
		host = slice_of(host.at + 2, host.len - 2);
	if (host.len > 1 && host.at[host.len - 1] == '.')
		return tell(why, "want no dot at the end of the host");
	if (!is_name(host) && (has_star || !is_literal(host)))
		return tell(why, "want a host name (in its xn-- form), an address, or *. and a "
		                 "domain");
	return judge_port(p, why);
}

static bool has_wildcard(const struct parts *p)
{
	return p->host.at[0] == '*' || slice_equal(p->port, SLICE("*"));
}

static struct entry *append(struct origin_list *l, const char *text, enum entry_kind kind)
{
	l->entry = mem_resize(l->entry, (l->n + 1) * sizeof l->entry[0]);
	struct entry *e = &l->entry[l->n++];
	*e = (struct entry){.kind = kind, .len = strlen(text), .text = mem_strdup(text)};
	return e;
}

const char *origin_list_add(struct origin_list *l, const char *text, char why[ORIGIN_WHY_MAX])
{
	struct parts p;
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->entry[i].text, text) == 0)
			return tell(why, "given before in this section");
	if (strcmp(text, "same-host") == 0 || strcmp(text, "null") == 0) {
		append(l, text, text[0] == 's' ? SAME_HOST : NULL_ORIGIN);
		return NULL;
	}
	if (!split(slice_str(text), &p))
		return tell(why, "want any, same-host, null or an origin such as "
		                 "https://www.example.com");
	if (judge(text, &p, why))
		return why;
	struct entry *e = append(l, text, has_wildcard(&p) ? PATTERN : EXACT);
	split(slice_str(e->text), &e->parts);
	e->has_subdomains = e->parts.host.at[0] == '*';
	if (e->has_subdomains)
		e->parts.host = slice_of(e->parts.host.at + 1, e->parts.host.len - 1);
	return NULL;
}

/* ---- the check ---- */

/* What stands before the domain is labels, or `https://evil.example/.good.example` would
 * pass. */
static bool is_subdomain(struct slice host, struct slice dot_domain)
{
	return host.len > dot_domain.len && is_name(host) &&
	       slice_equal(
	               slice_of(host.at + host.len - dot_domain.len, dot_domain.len), dot_domain);
}

static bool fits(const struct entry *e, const struct parts *p)
{
	const struct parts *want = &e->parts;
	if (!slice_equal(p->scheme, want->scheme))
		return false;
	if (e->has_subdomains ? !is_subdomain(p->host, want->host)
	                      : !slice_equal(p->host, want->host))
		return false;
	if (slice_equal(want->port, SLICE("*")))
		return !p->has_port || port_number(p->port) != 0;
	return p->has_port == want->has_port && slice_equal(p->port, want->port);
}

/* The origin's host and port are those that the request itself is for. Only what the
 * request says of its host is brought in another form. */
static bool is_same_host(const struct parts *p, const struct http_head *h)
{
	uint8_t host[URI_HOST_MAX];
	struct slice port;
	unsigned usual = default_port(p->scheme);
	size_t n = uri_host(h->authority.len > 0 ? h->authority : h->host, host, &port);
	if (n == 0 || usual == 0 || !slice_equal(p->host, slice_of(host, n)))
		return false;
	while (port.len > 1 && port.at[0] == '0')
		port = slice_of(port.at + 1, port.len - 1);
	unsigned asked = port.len > 0 ? port_number(port) : usual;
	unsigned given = p->has_port ? port_number(p->port) : usual;
	return given != 0 && given == asked && !(p->has_port && given == usual);
}

static const struct entry *find_exact(const struct origin_list *l, struct slice origin)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct entry *e = &l->entry[i];
		if ((e->kind == EXACT || e->kind == NULL_ORIGIN) &&
		        slice_equal(origin, slice_of(e->text, e->len)))
			return e;
	}
	return NULL;
}

static const struct entry *find_pattern(const struct origin_list *l, const struct parts *p)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->entry[i].kind == PATTERN && fits(&l->entry[i], p))
			return &l->entry[i];
	return NULL;
}

/* What costs most comes last: same-host has to bring the request's host in its normal form. */
static const struct entry *find(
        const struct origin_list *l, struct slice origin, const struct http_head *h)
{
	struct parts p;
	const struct entry *e = find_exact(l, origin);
	if (e || !split(origin, &p) || p.scheme.len == 0)
		return e;
	if ((e = find_pattern(l, &p)))
		return e;
	for (size_t i = 0; i < l->n; i++)
		if (l->entry[i].kind == SAME_HOST)
			return is_same_host(&p, h) ? &l->entry[i] : NULL;
	return NULL;
}

const char *origin_list_find(const struct origin_list *l, const struct http_head *h)
{
	const struct http_field *f = http_find(h, HTTP_ORIGIN);
	const struct entry *e = f && http_count(h, HTTP_ORIGIN) == 1 ? find(l, f->value, h) : NULL;
	return e ? e->text : NULL;
}

enum origin_verdict origin_check(
        const struct origin_list *l, enum origin_missing missing, const struct http_head *h)
{
	const struct http_field *f = http_find(h, HTTP_ORIGIN);
	if (!f)
		return missing == ORIGIN_MISSING_DENY ? ORIGIN_IS_MISSING : ORIGIN_ALLOWED;
	if (!l)
		return ORIGIN_ALLOWED;
	if (http_count(h, HTTP_ORIGIN) > 1)
		return ORIGIN_IS_REPEATED;
	return find(l, f->value, h) ? ORIGIN_ALLOWED : ORIGIN_IS_OTHER;
}

const char *origin_reason(enum origin_verdict v)
{
	switch (v) {
	case ORIGIN_IS_MISSING:
		return "an Origin is required here.";
	case ORIGIN_IS_REPEATED:
		return "more than one Origin; send one.";
	case ORIGIN_IS_OTHER:
		return "this Origin is not allowed here.";
	default:
		return "the Origin is allowed.";
	}
}
