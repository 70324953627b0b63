/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/rules.h"

#include "base/clock.h"
#include "net/tls_stream.h"
#include "proxy/rules_private.h"

bool rules_have_lines(const struct rules *r)
{
	return r->line_n > 0;
}

static struct slice host_of(const struct http_head *head)
{
	return head->authority.len > 0 ? head->authority : head->host;
}

static bool is_inet(const struct address_brief *a)
{
	return a->family == AF_INET || a->family == AF_INET6;
}

static void put_ip(struct http_writer *w, const struct address_brief *a)
{
	struct address_brief plain = *a;
	char text[ADDRESS_TEXT_MAX];
	address_brief_unmap(&plain);
	http_put(w, slice_str(address_brief_ip(&plain, text)));
}

/* An address in a list of them: a peer without one is told as RFC 7239 6.2 says. */
static void put_hop(struct http_writer *w, const struct address_brief *a)
{
	if (is_inet(a))
		put_ip(w, a);
	else
		http_put(w, SLICE("unknown"));
}

/* The values of all fields of that name, as one list that goes on. */
static void put_list(struct http_writer *w, const struct http_head *head, struct slice name)
{
	for (size_t i = 0; i < head->n; i++) {
		const struct http_field *f = &head->field[i];
		if (f->value.len == 0 || !slice_equal_nocase(f->name, name))
			continue;
		http_put(w, f->value);
		http_put(w, SLICE(", "));
	}
}

static bool appends(const struct rules *r, const struct rules_scope *s)
{
	return r->forward == FORWARD_APPEND && s->trusted;
}

static void put_forwarded_for(
        const struct rules *r, struct http_writer *w, const struct rules_scope *s)
{
	if (appends(r, s))
		put_list(w, s->head, SLICE("X-Forwarded-For"));
	put_hop(w, appends(r, s) ? s->peer : s->client);
}

/* RFC 7239 4; an IPv6 address is in brackets and quotes (6). */
static void put_forwarded(const struct rules *r, struct http_writer *w, const struct rules_scope *s)
{
	struct address_brief by = *(appends(r, s) ? s->peer : s->client);
	address_brief_unmap(&by);
	bool quoted = by.family == AF_INET6;
	if (appends(r, s))
		put_list(w, s->head, SLICE("Forwarded"));
	http_put(w, quoted ? SLICE("for=\"[") : SLICE("for="));
	put_hop(w, &by);
	http_put(w, quoted ? SLICE("]\";host=\"") : SLICE(";host=\""));
	http_put(w, host_of(s->head));
	http_put(w, s->tls ? SLICE("\";proto=https") : SLICE("\";proto=http"));
}

/* What there is no TLS for, or what a client has not shown, is empty. */
static struct slice tls_value(const struct tls_info *tls, unsigned kind)
{
	switch (tls ? kind : RULES_TEXT) {
	case RULES_TLS_VERSION:
		return slice_str(tls->version);
	case RULES_TLS_CIPHER:
		return slice_str(tls->cipher);
	case RULES_TLS_SERVER_NAME:
		return tls->server_name;
	case RULES_TLS_CLIENT_SUBJECT:
		return tls->subject;
	case RULES_TLS_CLIENT_ISSUER:
		return tls->issuer;
	case RULES_TLS_CLIENT_FINGERPRINT:
		return tls->fingerprint;
	default:
		return SLICE("");
	}
}

static void put_uri(struct http_writer *w, const struct http_head *head)
{
	if (head->authority.len == 0) {
		http_put(w, head->target);
		return;
	}
	http_put(w, head->path);
	if (head->query.len > 0) {
		http_put(w, SLICE("?"));
		http_put(w, head->query);
	}
}

static void put_time(struct http_writer *w)
{
	char text[25];
	clock_iso(text);
	http_put(w, slice_of(text, sizeof text - 1));
}

static void put_part(const struct rules *r, struct http_writer *w, const struct rules_scope *s,
        const struct rules_part *p)
{
	switch (p->kind) {
	case RULES_TEXT:
		http_put(w, p->text);
		break;
	case RULES_REMOTE_ADDR:
		put_ip(w, s->client);
		break;
	case RULES_REMOTE_PORT:
		http_put_digits(w, s->client->port);
		break;
	case RULES_HOST:
		http_put(w, host_of(s->head));
		break;
	case RULES_SCHEME:
		http_put(w, s->tls ? SLICE("https") : SLICE("http"));
		break;
	case RULES_LISTENER:
		http_put(w, s->listener);
		break;
	case RULES_ROUTE:
		http_put(w, s->route);
		break;
	case RULES_REQUEST_ID:
		http_put(w, s->request_id);
		break;
	case RULES_UPSTREAM:
		http_put(w, RULES_SERVER);
		break;
	case RULES_URI:
		put_uri(w, s->head);
		break;
	case RULES_TIME:
		put_time(w);
		break;
	case RULES_TLS_VERSION:
	case RULES_TLS_CIPHER:
	case RULES_TLS_SERVER_NAME:
	case RULES_TLS_CLIENT_SUBJECT:
	case RULES_TLS_CLIENT_ISSUER:
	case RULES_TLS_CLIENT_FINGERPRINT:
		http_put(w, tls_value(s->tls, p->kind));
		break;
	case RULES_FORWARDED_FOR:
		put_forwarded_for(r, w, s);
		break;
	case RULES_FORWARDED_PORT:
		http_put_digits(w, s->port);
		break;
	case RULES_FORWARDED:
		put_forwarded(r, w, s);
		break;
	}
}

/* A trusted proxy has said it already, and its line passes. */
static bool is_said(const struct rules *r, const struct rules_scope *s, const struct rules_line *l)
{
	if (!l->yields || !appends(r, s))
		return false;
	for (size_t i = 0; i < s->head->n; i++)
		if (!s->head->field[i].named &&
		        slice_equal_nocase(s->head->field[i].name, slice_str(l->name)))
			return true;
	return false;
}

void rules_put(const struct rules *r, struct http_writer *w, const struct rules_scope *s)
{
	for (size_t i = 0; i < r->line_n; i++) {
		const struct rules_line *l = &r->line[i];
		if (is_said(r, s, l) ||
		        (l->part[l->part_n - 1].kind == RULES_FORWARDED_PORT && s->port == 0))
			continue;
		for (size_t k = 0; k < l->part_n; k++)
			put_part(r, w, s, &l->part[k]);
		http_put_end(w);
	}
}

void rules_expand(struct http_writer *w, struct slice text, struct slice server)
{
	const uint8_t *at = text.at, *end = text.at + text.len;
	while (at < end) {
		const uint8_t *mark = memchr(at, RULES_SERVER.at[0], (size_t)(end - at));
		http_put(w, slice_of(at, (size_t)((mark ? mark : end) - at)));
		if (!mark)
			return;
		http_put(w, server);
		at = mark + 1;
	}
}
