/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { FIXED = 16, COMMAND_AT = 12, FAMILY_AT = 13, LENGTH_AT = 14 };
enum { VERSION_2 = 0x20, LOCAL = 0, PROXY = 1 };
enum { FAMILY_UNSPEC = 0, FAMILY_INET = 1, FAMILY_INET6 = 2, FAMILY_UNIX = 3 };
enum { TRANSPORT_UNSPEC = 0, TRANSPORT_STREAM = 1, TRANSPORT_DGRAM = 2 };

/* A version 2 header begins so, and no protocol that speaks in lines does. */
static const uint8_t signature[COMMAND_AT] = {
        '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

const char *proxy_header_reason(enum proxy_header_error error)
{
	switch (error) {
	case PROXY_HEADER_OK:
		return "";
	case PROXY_HEADER_MISSING:
		return "the connection does not begin with a PROXY header";
	case PROXY_HEADER_LINE:
		return "the PROXY line is malformed";
	case PROXY_HEADER_LINE_SIZE:
		return "the PROXY line is over 107 bytes";
	case PROXY_HEADER_COMMAND:
		return "the PROXY header has an unknown version or command";
	case PROXY_HEADER_FAMILY:
		return "the PROXY header has an unknown address family or transport";
	case PROXY_HEADER_SHORT:
		return "the PROXY header is too short for its addresses";
	case PROXY_HEADER_SIZE:
		return "the PROXY header is over 4 KiB";
	}
	return "";
}

static bool begins_like(const uint8_t *buf, size_t len, const void *what, size_t n)
{
	return memcmp(buf, what, len < n ? len : n) == 0;
}

static bool begins_like_text(const uint8_t *buf, size_t len, const char *text)
{
	return begins_like(buf, len, text, strlen(text));
}

/* ---- version 1 ---- */

/* Cuts the part up to the next space off; at the end of the line there is none. */
static struct slice cut_part(struct slice *rest)
{
	const uint8_t *space = rest->len ? memchr(rest->at, ' ', rest->len) : NULL;
	size_t n = space ? (size_t)(space - rest->at) : rest->len;
	struct slice part = slice_of(rest->at, n);
	*rest = space ? slice_of(space + 1, rest->len - n - 1) : slice_of(rest->at + n, 0);
	return part;
}

/* inet_pton() takes no zeroes in front of IPv4 numbers, as the protocol wants it. */
static bool read_ip(struct slice text, struct address_brief *a)
{
	char copy[INET6_ADDRSTRLEN];
	if (text.len == 0 || text.len >= sizeof copy || memchr(text.at, 0, text.len))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	return inet_pton(a->family, copy, a->ip) == 1;
}

static bool read_port(struct slice text, uint16_t *port)
{
	unsigned value = 0;
	if (text.len == 0 || text.len > 5 || (text.len > 1 && text.at[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text.at[i] - '0');
	}
	*port = (uint16_t)value;
	return value <= UINT16_MAX;
}

/* Source, destination and their ports; nothing else, one space between them. */
static bool read_addresses(struct proxy_header *h, uint8_t family, struct slice rest)
{
	*h = (struct proxy_header){
	        .is_told = true, .source.family = family, .destination.family = family};
	if (!read_ip(cut_part(&rest), &h->source) || !read_ip(cut_part(&rest), &h->destination) ||
	        !read_port(cut_part(&rest), &h->source.port))
		return false;
	/* What is left must be the port alone: no space behind it. */
	return read_port(rest, &h->destination.port);
}

static bool read_line(struct proxy_header *h, struct slice rest)
{
	static const struct slice unknown = {(const uint8_t *)"PROXY UNKNOWN", 13};
	struct slice proxy, family;
	/* What follows is nobody's business. */
	if (slice_starts_with(rest, unknown) && (rest.len == unknown.len || rest.at[13] == ' ')) {
		*h = (struct proxy_header){.is_told = false};
		return true;
	}
	proxy = cut_part(&rest);
	family = cut_part(&rest);
	if (!slice_equal(proxy, SLICE("PROXY")))
		return false;
	if (slice_equal(family, SLICE("TCP4")))
		return read_addresses(h, AF_INET, rest);
	return slice_equal(family, SLICE("TCP6")) && read_addresses(h, AF_INET6, rest);
}

static bool may_become_line(const uint8_t *buf, size_t len)
{
	return begins_like_text(buf, len, "PROXY TCP4 ") ||
	       begins_like_text(buf, len, "PROXY TCP6 ") ||
	       begins_like_text(buf, len, "PROXY UNKNOWN");
}

static ssize_t parse_line(struct proxy_header *out, const uint8_t *buf, size_t len)
{
	size_t n = len < PROXY_HEADER_LINE_MAX ? len : PROXY_HEADER_LINE_MAX;
	const uint8_t *cr = memchr(buf, '\r', n);
	size_t text = cr ? (size_t)(cr - buf) : n;
	struct proxy_header h;
	if (memchr(buf, '\n', text) || !may_become_line(buf, text))
		return -PROXY_HEADER_LINE;
	if (text + 2 > n)
		return n == PROXY_HEADER_LINE_MAX ? -PROXY_HEADER_LINE_SIZE : 0;
	if (cr[1] != '\n' || !read_line(&h, slice_of(buf, text)))
		return -PROXY_HEADER_LINE;
	*out = h;
	return (ssize_t)text + 2;
}

/* ---- version 2 ---- */

/* Bytes of both addresses with their ports. */
static size_t block_of(unsigned family)
{
	static const uint8_t sizes[] = {
	        [FAMILY_UNSPEC] = 0,
	        [FAMILY_INET] = 2 * 4 + 2 * 2,
	        [FAMILY_INET6] = 2 * 16 + 2 * 2,
	        [FAMILY_UNIX] = 2 * 108,
	};
	return sizes[family];
}

static uint16_t number_at(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void read_block(struct proxy_header *h, unsigned family, const uint8_t *at)
{
	size_t n = family == FAMILY_INET ? 4 : 16;
	uint8_t of = family == FAMILY_INET ? AF_INET : AF_INET6;
	h->is_told = true;
	h->source.family = h->destination.family = family == FAMILY_UNIX ? AF_UNIX : of;
	if (family == FAMILY_UNIX)
		return;
	memcpy(h->source.ip, at, n);
	memcpy(h->destination.ip, at + n, n);
	h->source.port = number_at(at + 2 * n);
	h->destination.port = number_at(at + 2 * n + 2);
}

/* Each byte is judged as soon as it is there; a LOCAL header's family is ignored. */
static enum proxy_header_error judge(const uint8_t *buf, size_t len)
{
	if (len <= COMMAND_AT)
		return PROXY_HEADER_OK;
	unsigned command = buf[COMMAND_AT];
	if (command != (VERSION_2 | LOCAL) && command != (VERSION_2 | PROXY))
		return PROXY_HEADER_COMMAND;
	bool is_local = command == (VERSION_2 | LOCAL);
	if (len > FAMILY_AT && !is_local &&
	        (buf[FAMILY_AT] >> 4 > FAMILY_UNIX || (buf[FAMILY_AT] & 15) > TRANSPORT_DGRAM))
		return PROXY_HEADER_FAMILY;
	if (len < FIXED)
		return PROXY_HEADER_OK;
	size_t size = number_at(buf + LENGTH_AT);
	if (size > PROXY_HEADER_MAX - FIXED)
		return PROXY_HEADER_SIZE;
	if (!is_local && (buf[FAMILY_AT] & 15) != TRANSPORT_UNSPEC &&
	        size < block_of(buf[FAMILY_AT] >> 4))
		return PROXY_HEADER_SHORT;
	return PROXY_HEADER_OK;
}

static ssize_t parse_binary(struct proxy_header *out, const uint8_t *buf, size_t len)
{
	enum proxy_header_error error = judge(buf, len);
	if (error)
		return -(ssize_t)error;
	size_t whole = len < FIXED ? FIXED : FIXED + (size_t)number_at(buf + LENGTH_AT);
	if (len < FIXED || len < whole)
		return 0;
	unsigned family = buf[FAMILY_AT] >> 4, transport = buf[FAMILY_AT] & 15;
	*out = (struct proxy_header){.is_told = false};
	if (buf[COMMAND_AT] == (VERSION_2 | PROXY) && family != FAMILY_UNSPEC &&
	        transport != TRANSPORT_UNSPEC)
		read_block(out, family, buf + FIXED);
	return (ssize_t)whole;
}

ssize_t proxy_header_parse(struct proxy_header *out, const uint8_t *buf, size_t len)
{
	if (len == 0)
		return 0;
	if (begins_like(buf, len, signature, sizeof signature))
		return parse_binary(out, buf, len);
	if (!begins_like_text(buf, len, "PROXY "))
		return -PROXY_HEADER_MISSING;
	return parse_line(out, buf, len);
}

/* ---- writing ---- */

static bool is_inet(const struct address_brief *a)
{
	return a && (a->family == AF_INET || a->family == AF_INET6);
}

/* As ::ffff:192.0.2.1; an unspecified address as the other family's. */
static void widen(struct address_brief *a)
{
	static const uint8_t zero[4];
	bool is_unspecified = memcmp(a->ip, zero, 4) == 0;
	if (a->family != AF_INET)
		return;
	a->family = AF_INET6;
	memcpy(a->ip + 12, a->ip, 4);
	memset(a->ip, 0, 12);
	if (!is_unspecified)
		a->ip[10] = a->ip[11] = 0xff;
}

static size_t write_line(
        uint8_t *out, const struct address_brief *from, const struct address_brief *to)
{
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	inet_ntop(from->family, from->ip, source, sizeof source);
	inet_ntop(to->family, to->ip, destination, sizeof destination);
	int n = snprintf((char *)out, PROXY_HEADER_WRITE_MAX, "PROXY TCP%c %s %s %u %u\r\n",
	        from->family == AF_INET ? '4' : '6', source, destination, from->port, to->port);
	return (size_t)n;
}

static size_t write_fixed(uint8_t *out, unsigned command, unsigned family, size_t size)
{
	memcpy(out, signature, sizeof signature);
	out[COMMAND_AT] = (uint8_t)(VERSION_2 | command);
	out[FAMILY_AT] = (uint8_t)(family << 4 | (family ? TRANSPORT_STREAM : TRANSPORT_UNSPEC));
	out[LENGTH_AT] = (uint8_t)(size >> 8);
	out[LENGTH_AT + 1] = (uint8_t)size;
	return FIXED;
}

static void put_number(uint8_t *out, uint16_t n)
{
	out[0] = (uint8_t)(n >> 8);
	out[1] = (uint8_t)n;
}

static size_t write_binary(
        uint8_t *out, const struct address_brief *from, const struct address_brief *to)
{
	unsigned family = from->family == AF_INET ? FAMILY_INET : FAMILY_INET6;
	size_t n = family == FAMILY_INET ? 4 : 16, size = block_of(family);
	uint8_t *at = out + write_fixed(out, PROXY, family, size);
	memcpy(at, from->ip, n);
	memcpy(at + n, to->ip, n);
	put_number(at + 2 * n, from->port);
	put_number(at + 2 * n + 2, to->port);
	return FIXED + size;
}

static size_t write_nothing_told(uint8_t *out, enum proxy_header_version version)
{
	static const char line[] = "PROXY UNKNOWN\r\n";
	if (version == PROXY_HEADER_V2)
		return write_fixed(out, LOCAL, FAMILY_UNSPEC, 0);
	memcpy(out, line, sizeof line - 1);
	return sizeof line - 1;
}

size_t proxy_header_write(uint8_t out[PROXY_HEADER_WRITE_MAX], enum proxy_header_version version,
        const struct address_brief *source, const struct address_brief *destination)
{
	if (version == PROXY_HEADER_OFF)
		return 0;
	if (!is_inet(source))
		return write_nothing_told(out, version);
	struct address_brief from = *source, to = {.family = source->family};
	if (is_inet(destination))
		to = *destination;
	if (from.family != to.family) {
		widen(&from);
		widen(&to);
	}
	return version == PROXY_HEADER_V1 ? write_line(out, &from, &to)
	                                  : write_binary(out, &from, &to);
}
