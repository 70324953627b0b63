/* SPDX-License-Identifier: BSD-2-Clause */

/* Names of fields, and the lists that values are. */

#include "http/chars.h"
#include "http/head.h"

static const struct slice names[HTTP_NAMES] = {
        [HTTP_OTHER] = {NULL, 0},
#define NAME(id, text) [id] = {(const uint8_t *)(text), sizeof(text) - 1}
        NAME(HTTP_CONNECTION, "connection"),
        NAME(HTTP_CONTENT_LENGTH, "content-length"),
        NAME(HTTP_HOST, "host"),
        NAME(HTTP_KEEP_ALIVE, "keep-alive"),
        NAME(HTTP_ORIGIN, "origin"),
        NAME(HTTP_PROXY_AUTHENTICATE, "proxy-authenticate"),
        NAME(HTTP_PROXY_AUTHORIZATION, "proxy-authorization"),
        NAME(HTTP_PROXY_CONNECTION, "proxy-connection"),
        NAME(HTTP_SEC_WEBSOCKET_ACCEPT, "sec-websocket-accept"),
        NAME(HTTP_SEC_WEBSOCKET_EXTENSIONS, "sec-websocket-extensions"),
        NAME(HTTP_SEC_WEBSOCKET_KEY, "sec-websocket-key"),
        NAME(HTTP_SEC_WEBSOCKET_PROTOCOL, "sec-websocket-protocol"),
        NAME(HTTP_SEC_WEBSOCKET_VERSION, "sec-websocket-version"),
        NAME(HTTP_TE, "te"),
        NAME(HTTP_TRAILER, "trailer"),
        NAME(HTTP_TRANSFER_ENCODING, "transfer-encoding"),
        NAME(HTTP_UPGRADE, "upgrade"),
        NAME(HTTP_EXPECT, "expect"),
        NAME(HTTP_ALT_SVC, "alt-svc"),
#undef NAME
};

static inline enum http_name either(struct slice s, enum http_name a, enum http_name b)
{
	/* No two names of one length begin with the same letter. */
	enum http_name id = ascii_lower(s.at[0]) == names[a].at[0] ? a : b;

	return slice_equal_nocase(s, names[id]) ? id : HTTP_OTHER;
}

enum http_name http_name_of(struct slice s)
{
	switch (s.len) {
	case 2:
		return either(s, HTTP_TE, HTTP_TE);
	case 4:
		return either(s, HTTP_HOST, HTTP_HOST);
	case 6:
		return either(s, HTTP_ORIGIN, HTTP_EXPECT);
	case 7:
		if (ascii_lower(s.at[0]) == 'a')
			return either(s, HTTP_ALT_SVC, HTTP_ALT_SVC);
		return either(s, HTTP_UPGRADE, HTTP_TRAILER);
	case 10:
		return either(s, HTTP_CONNECTION, HTTP_KEEP_ALIVE);
	case 14:
		return either(s, HTTP_CONTENT_LENGTH, HTTP_CONTENT_LENGTH);
	case 16:
		return either(s, HTTP_PROXY_CONNECTION, HTTP_PROXY_CONNECTION);
	case 17:
		return either(s, HTTP_TRANSFER_ENCODING, HTTP_SEC_WEBSOCKET_KEY);
	case 18:
		return either(s, HTTP_PROXY_AUTHENTICATE, HTTP_PROXY_AUTHENTICATE);
	case 19:
		return either(s, HTTP_PROXY_AUTHORIZATION, HTTP_PROXY_AUTHORIZATION);
	case 20:
		return either(s, HTTP_SEC_WEBSOCKET_ACCEPT, HTTP_SEC_WEBSOCKET_ACCEPT);
	case 21:
		return either(s, HTTP_SEC_WEBSOCKET_VERSION, HTTP_SEC_WEBSOCKET_VERSION);
	case 22:
		return either(s, HTTP_SEC_WEBSOCKET_PROTOCOL, HTTP_SEC_WEBSOCKET_PROTOCOL);
	case 24:
		return either(s, HTTP_SEC_WEBSOCKET_EXTENSIONS, HTTP_SEC_WEBSOCKET_EXTENSIONS);
	default:
		return HTTP_OTHER;
	}
}

static inline bool has(const struct http_head *h, enum http_name id)
{
	return (h->seen >> id & 1) != 0;
}

const struct http_field *http_find(const struct http_head *h, enum http_name id)
{
	if (has(h, id))
		for (size_t i = 0; i < h->n; i++)
			if (h->field[i].id == id)
				return &h->field[i];
	return NULL;
}

size_t http_count(const struct http_head *h, enum http_name id)
{
	size_t count = 0;

	if (has(h, id))
		for (size_t i = 0; i < h->n; i++)
			count += h->field[i].id == id;
	return count;
}

static inline bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

bool http_list_next(struct slice *rest, struct slice *member)
{
	if (rest->len == 0)
		return false;
	const uint8_t *at = rest->at, *end = at + rest->len;
	while (at < end && (is_blank(*at) || *at == ','))
		at++;
	if (at == end) {
		*rest = slice_of(end, 0);
		return false;
	}
	const uint8_t *comma = memchr(at, ',', (size_t)(end - at));
	if (!comma)
		comma = end;
	*rest = slice_of(comma, (size_t)(end - comma));
	const uint8_t *last = comma;
	while (is_blank(last[-1]))
		last--;
	*member = slice_of(at, (size_t)(last - at));
	return true;
}

bool http_lists(const struct http_head *h, enum http_name id, struct slice token)
{
	struct slice rest, member;

	if (id == HTTP_OTHER || !has(h, id))
		return false;
	for (size_t i = 0; i < h->n; i++) {
		if (h->field[i].id != id)
			continue;
		rest = h->field[i].value;
		while (http_list_next(&rest, &member))
			if (slice_equal_nocase(member, token))
				return true;
	}
	return false;
}

bool http_is_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!char_is(s.at[i], CHAR_TOKEN))
			return false;
	return s.len > 0;
}
