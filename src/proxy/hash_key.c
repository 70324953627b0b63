/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/hash_key.h"

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

static struct slice without_blanks(struct slice s)
{
	while (s.len && (s.at[0] == ' ' || s.at[0] == '\t'))
		s = slice_of(s.at + 1, s.len - 1);
	while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* The value of `name` in name=value pairs. */
static struct slice pair(struct slice pairs, uint8_t separator, const char *name)
{
	while (pairs.len) {
		struct slice value = without_blanks(cut(&pairs, separator));
		struct slice key = cut(&value, '=');
		if (slice_equal(key, slice_str(name)))
			return value;
	}
	return (struct slice){0};
}

static struct slice cookie(const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->n; i++) {
		if (!slice_equal_nocase(h->field[i].name, SLICE("Cookie")))
			continue;
		struct slice value = pair(h->field[i].value, ';', name);
		if (value.len)
			return value;
	}
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
		return pair(h->query, '&', g->hash_name);
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
