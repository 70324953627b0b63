/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/uri.h"

#include "http/chars.h"

#include <arpa/inet.h>

enum { NAME_MAX_LEN = 255 };

/* Copies one character of a path in its normal form. Returns what of the input
 * it used, or 0 when no path may hold it. */
static size_t copy_char(struct slice in, uint8_t **out)
{
	static const char digits[] = "0123456789ABCDEF";
	uint8_t c = in.at[0];

	if (c != '%') {
		*(*out)++ = c;
		return c != '?' && char_is(c, CHAR_TARGET);
	}
	int high = in.len > 2 ? char_hex(in.at[1]) : -1;
	int low = in.len > 2 ? char_hex(in.at[2]) : -1;
	if (high < 0 || low < 0)
		return 0;
	c = (uint8_t)(high << 4 | low);
	if (c == 0 || c == '/')
		return 0;
	if (char_is(c, CHAR_UNRESERVED)) {
		*(*out)++ = c;
		return 3;
	}
	*(*out)++ = '%';
	*(*out)++ = (uint8_t)digits[high];
	*(*out)++ = (uint8_t)digits[low];
	return 3;
}

static bool is_dots(const uint8_t *at, const uint8_t *end, size_t n)
{
	return (size_t)(end - at) == n && memcmp(at, "..", n) == 0;
}

/* out holds "/segment" as often as there are segments, and each turn adds one or
 * takes one back; the last may be empty. */
ssize_t uri_normalise_path(struct slice in, uint8_t *out)
{
	size_t i = 0;
	uint8_t *end = out;

	if (in.len == 0 || in.at[0] != '/')
		return -1;
	while (i < in.len) {
		uint8_t *start = end;
		i++;
		*end++ = '/';
		while (i < in.len && in.at[i] != '/') {
			size_t used = copy_char(slice_of(in.at + i, in.len - i), &end);
			if (used == 0)
				return -1;
			i += used;
		}
		bool up = is_dots(start + 1, end, 2);
		if (!up && end != start + 1 && !is_dots(start + 1, end, 1))
			continue;
		end = start;
		if (up && start == out)
			return -1;
		if (up)
			while (*--end != '/')
				;
		if (i == in.len)
			*end++ = '/';
	}
	return end - out;
}

static bool is_port(struct slice s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		n = n * 10 + (s.at[i] - '0');
		if (n > 65535)
			return false;
	}
	return true;
}

/* The length of "[address]" at the front, or 0. */
static size_t literal_len(struct slice s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	const uint8_t *bracket = memchr(s.at, ']', s.len);
	size_t len = bracket ? (size_t)(bracket - s.at) - 1 : sizeof(text);

	if (len >= sizeof(text))
		return 0;
	memcpy(text, s.at + 1, len);
	text[len] = '\0';
	return strlen(text) == len && inet_pton(AF_INET6, text, &address) == 1 ? len + 2 : 0;
}

static size_t name_len(struct slice s)
{
	size_t i = 0;

	while (i < s.len && s.at[i] != ':') {
		if (s.at[i] == '%') {
			if (s.len - i < 3 || char_hex(s.at[i + 1]) < 0 || char_hex(s.at[i + 2]) < 0)
				return 0;
			i += 3;
		} else if (char_is(s.at[i], CHAR_NAME)) {
			i++;
		} else {
			return 0;
		}
	}
	return i <= NAME_MAX_LEN ? i : 0;
}

bool uri_is_authority(struct slice s)
{
	if (s.len == 0)
		return false;
	size_t host = s.at[0] == '[' ? literal_len(s) : name_len(s);
	if (host == 0)
		return false;
	if (host == s.len)
		return true;
	return s.at[host] == ':' && is_port(slice_of(s.at + host + 1, s.len - host - 1));
}

/* The bytes of a name, at most as many as it has. */
static size_t copy_name(struct slice name, uint8_t *out)
{
	uint8_t *end = out;

	for (size_t i = 0; i < name.len;) {
		size_t used = copy_char(slice_of(name.at + i, name.len - i), &end);
		/* An encoded slash or NUL, which no name of a configuration holds. */
		if (used == 0 && name.at[i] == '%') {
			*end++ = '%';
			used = 1;
		}
		i += used;
	}
	size_t len = (size_t)(end - out);
	for (size_t i = 0; i < len; i++)
		out[i] = ascii_lower(out[i]);
	return len > 1 && out[len - 1] == '.' ? len - 1 : len;
}

static size_t copy_literal(struct slice literal, uint8_t out[URI_HOST_MAX])
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	memcpy(text, literal.at + 1, literal.len - 2);
	text[literal.len - 2] = '\0';
	if (inet_pton(AF_INET6, text, &address) != 1 ||
	        !inet_ntop(AF_INET6, &address, text, sizeof(text)))
		return 0;
	size_t len = strlen(text);
	out[0] = '[';
	memcpy(out + 1, text, len);
	out[len + 1] = ']';
	return len + 2;
}

size_t uri_host(struct slice authority, uint8_t out[URI_HOST_MAX], struct slice *port)
{
	*port = slice_of(authority.at, 0);
	if (!uri_is_authority(authority))
		return 0;
	bool is_literal = authority.at[0] == '[';
	size_t len = is_literal ? literal_len(authority) : name_len(authority);
	if (len < authority.len)
		*port = slice_of(authority.at + len + 1, authority.len - len - 1);
	struct slice host = slice_of(authority.at, len);
	return is_literal ? copy_literal(host, out) : copy_name(host, out);
}

int uri_query_next(struct slice *rest)
{
	if (rest->len == 0)
		return -1;
	uint8_t c = rest->at[0];
	int high = c == '%' && rest->len > 2 ? char_hex(rest->at[1]) : -1;
	int low = high >= 0 ? char_hex(rest->at[2]) : -1;
	size_t used = low >= 0 ? 3 : 1;
	*rest = slice_of(rest->at + used, rest->len - used);
	if (low >= 0)
		return high << 4 | low;
	return c == '+' ? ' ' : c;
}
