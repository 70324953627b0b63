/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/hash_key.h"

#include "http/cookie.h"
#include "http/head.h"
#include "upstream/ring.h"

static struct slice header(const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->n; i++)
		if (slice_equal_nocase(h->field[i].name, slice_str(name)))
			return h->field[i].value;
	return (struct slice){0};
}

/* Cuts the part before the next `separator` off a slice. */
static struct slice cut(struct slice *rest, uint8_t separator)
{
	const uint8_t *end = rest->len ? memchr(rest->at, separator, rest->len) : NULL;
	struct slice part = *rest;
	if (end) {
		part.len = (size_t)(end - rest->at);
		*rest = slice_of(end + 1, rest->len - part.len - 1);
	} else {
		*rest = (struct slice){0};
	}
	return part;
}

/* The value of an argument. */
static struct slice argument(struct slice pairs, const char *name)
{
	while (pairs.len) {
		struct slice value = cut(&pairs, '&');
		struct slice key = cut(&value, '=');
		if (slice_equal(key, slice_str(name)))
			return value;
	}
	return (struct slice){0};
}

static struct slice cookie(const struct http_head *h, const char *name)
{
	struct http_cookies at = {.field = 0};
	struct slice value;
	while (http_cookie_next(h, &at, slice_str(name), &value))
		if (value.len)
			return value;
	return (struct slice){0};
}

static uint64_t address_hash(const struct address_brief *a)
{
	return ring_hash(a->ip, a->family == AF_INET ? 4 : sizeof a->ip);
}

static struct slice value_of(const struct upstream_group *g, const struct http_head *h)
{
	switch (g->hash) {
	case HASH_HEADER:
		return header(h, g->hash_name);
	case HASH_COOKIE:
		return cookie(h, g->hash_name);
	case HASH_QUERY:
		return argument(h->query, g->hash_name);
	case HASH_URI:
	case HASH_CLIENT_ADDRESS:
		break;
	}
	return (struct slice){0};
}

uint64_t hash_key_of(const struct upstream_group *g, const struct http_head *h,
        const struct address_brief *client)
{
	struct slice value = value_of(g, h);
	if (g->hash == HASH_URI)
		return ring_hash(h->path.at, h->path.len) +
		       3 * ring_hash(h->query.at, h->query.len);
	return value.len ? ring_hash(value.at, value.len) : address_hash(client);
}
