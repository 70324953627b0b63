/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/address.h"

#include "base/digits.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

/* The sockets of both families as the union's storage holds them. */
static struct sockaddr_in *in4(struct address *a)
{
	return (struct sockaddr_in *)(void *)&a->storage;
}

static struct sockaddr_in6 *in6(struct address *a)
{
	return (struct sockaddr_in6 *)(void *)&a->storage;
}

static const struct sockaddr_in *in4_of(const struct address *a)
{
	return (const struct sockaddr_in *)(const void *)&a->storage;
}

static const struct sockaddr_in6 *in6_of(const struct address *a)
{
	return (const struct sockaddr_in6 *)(const void *)&a->storage;
}

/* Decimal digits and nothing else, 0 to 65535. */
static bool parse_port(const char *text, uint16_t *out)
{
	unsigned value = 0;
	size_t n = strspn(text, "0123456789");
	if (n == 0 || n > 5 || text[n])
		return false;
	for (size_t i = 0; i < n; i++)
		value = value * 10 + (unsigned)(text[i] - '0');
	*out = (uint16_t)value;
	return value <= UINT16_MAX;
}

static bool parse_unix(struct address *a, const char *path)
{
	size_t len = strlen(path);
	if (len == 0 || len >= sizeof(a->un.sun_path))
		return false;
	a->un.sun_family = AF_UNIX;
	memcpy(a->un.sun_path, path, len + 1);
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	return true;
}

/* The host part, without brackets, to the address; false if it is none. */
static bool parse_host(struct address *a, const char *host, bool bracketed)
{
	if (bracketed) {
		in6(a)->sin6_family = AF_INET6;
		a->len = sizeof(struct sockaddr_in6);
		return inet_pton(AF_INET6, host, &in6(a)->sin6_addr) == 1;
	}
	in4(a)->sin_family = AF_INET;
	a->len = sizeof(struct sockaddr_in);
	return inet_pton(AF_INET, host, &in4(a)->sin_addr) == 1;
}

static bool parse_inet(struct address *a, const char *text)
{
	char host[INET6_ADDRSTRLEN + 1];
	bool bracketed = text[0] == '[';
	const char *start = text + bracketed;
	const char *end = strchr(start, bracketed ? ']' : ':');
	uint16_t port;

	if (!end || (size_t)(end - start) >= sizeof(host))
		return false;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	end += bracketed;
	if (*end != ':' || !parse_port(end + 1, &port) || !parse_host(a, host, bracketed))
		return false;
	address_set_port(a, port);
	return true;
}

bool address_parse(struct address *a, const char *text)
{
	memset(a, 0, sizeof(*a));
	bool ok = strncmp(text, "unix:", 5) == 0 ? parse_unix(a, text + 5) : parse_inet(a, text);
	if (!ok)
		memset(a, 0, sizeof(*a));
	return ok;
}

/* Returns its end. Every request to an upstream tells the client's address, and the C
 * library takes thirty times as long. */

static char *put_ipv4(char *out, const uint8_t *ip)
{
	for (int i = 0; i < 4; i++) {
		out = digits_put(out, ip[i]);
		*out++ = '.';
	}
	return out - 1;
}

static char *put_inet(char *out, int family, const void *ip, unsigned port)
{
	char host[INET6_ADDRSTRLEN];
	if (family == AF_INET) {
		out = put_ipv4(out, ip);
		*out++ = ':';
		return digits_put(out, port);
	}
	inet_ntop(family, ip, host, sizeof(host));
	return out + snprintf(out, ADDRESS_TEXT_MAX, "[%s]:%u", host, port);
}

static const char *inet_text(char *out, int family, const void *ip, unsigned port)
{
	*put_inet(out, family, ip, port) = '\0';
	return out;
}

/* An abstract name, which begins with a NUL, shows as `unix:@name`. */
static const char *unix_text(char *out, const struct address *a)
{
	size_t head = offsetof(struct sockaddr_un, sun_path);
	size_t len = a->len > head ? a->len - head : 0;
	const char *path = a->un.sun_path;
	bool is_abstract = len > 0 && path[0] == '\0';

	if (is_abstract && len > 1)
		snprintf(out, ADDRESS_TEXT_MAX, "unix:@%.*s", (int)(len - 1), path + 1);
	else
		snprintf(out, ADDRESS_TEXT_MAX, "unix:%.*s", (int)len, is_abstract ? "" : path);
	return out;
}

const char *address_text(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
	if (a->len >= sizeof(sa_family_t)) {
		if (a->sa.sa_family == AF_INET)
			return inet_text(out, AF_INET, &in4_of(a)->sin_addr, address_port(a));
		if (a->sa.sa_family == AF_INET6)
			return inet_text(out, AF_INET6, &in6_of(a)->sin6_addr, address_port(a));
		if (a->sa.sa_family == AF_UNIX)
			return unix_text(out, a);
	}
	snprintf(out, ADDRESS_TEXT_MAX, "none");
	return out;
}

void address_brief(struct address_brief *out, const struct address *a)
{
	memset(out, 0, sizeof(*out));
	if (a->len < sizeof(sa_family_t))
		return;
	out->family = (uint8_t)a->sa.sa_family;
	out->port = address_port(a);
	if (a->sa.sa_family == AF_INET)
		memcpy(out->ip, &in4_of(a)->sin_addr, 4);
	else if (a->sa.sa_family == AF_INET6)
		memcpy(out->ip, &in6_of(a)->sin6_addr, 16);
	address_brief_unmap(out);
}

char *address_brief_put(const struct address_brief *b, char *out)
{
	if (b->family == AF_INET || b->family == AF_INET6)
		return put_inet(out, b->family, b->ip, b->port);
	return stpcpy(out, b->family == AF_UNIX ? "unix:" : "none");
}

const char *address_brief_text(const struct address_brief *b, char out[ADDRESS_TEXT_MAX])
{
	*address_brief_put(b, out) = '\0';
	return out;
}

const char *address_brief_ip(const struct address_brief *b, char out[ADDRESS_TEXT_MAX])
{
	if (b->family == AF_INET)
		*put_ipv4(out, b->ip) = '\0';
	else if (b->family == AF_INET6)
		inet_ntop(AF_INET6, b->ip, out, ADDRESS_TEXT_MAX);
	else
		snprintf(out, ADDRESS_TEXT_MAX, b->family == AF_UNIX ? "unix:" : "none");
	return out;
}

bool address_brief_parse(struct address_brief *out, struct slice text)
{
	struct address_brief b = {.family = AF_INET};
	char copy[INET6_ADDRSTRLEN + sizeof("[]:65535")], *host = copy, *port = NULL;

	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.at, 0, text.len))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	if (copy[0] == '[') {
		char *end = strchr(copy, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		port = end[1] ? end + 2 : NULL;
		*end = '\0';
		host = copy + 1;
		b.family = AF_INET6;
	} else if (strchr(copy, ':') != strrchr(copy, ':')) {
		b.family = AF_INET6;
	} else if ((port = strchr(copy, ':'))) {
		*port++ = '\0';
	}
	if ((port && !parse_port(port, &b.port)) || inet_pton(b.family, host, b.ip) != 1)
		return false;
	*out = b;
	return true;
}

void address_brief_unmap(struct address_brief *b)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (b->family != AF_INET6 || memcmp(b->ip, mapped, sizeof(mapped)) != 0)
		return;
	b->family = AF_INET;
	memmove(b->ip, b->ip + 12, 4);
	memset(b->ip + 4, 0, 12);
}

bool address_brief_equal(const struct address_brief *a, const struct address_brief *b)
{
	return a->family == b->family && a->port == b->port && memcmp(a->ip, b->ip, 16) == 0;
}

bool address_equal(const struct address *a, const struct address *b)
{
	if (a->len == 0 || b->len == 0 || a->sa.sa_family != b->sa.sa_family)
		return a->len == b->len && a->len == 0;
	if (a->sa.sa_family == AF_INET)
		return address_port(a) == address_port(b) &&
		       in4_of(a)->sin_addr.s_addr == in4_of(b)->sin_addr.s_addr;
	if (a->sa.sa_family == AF_INET6)
		return address_port(a) == address_port(b) &&
		       in6_of(a)->sin6_scope_id == in6_of(b)->sin6_scope_id &&
		       memcmp(&in6_of(a)->sin6_addr, &in6_of(b)->sin6_addr, 16) == 0;
	return a->len == b->len && memcmp(&a->storage, &b->storage, a->len) == 0;
}

uint16_t address_port(const struct address *a)
{
	if (a->len < sizeof(sa_family_t))
		return 0;
	if (a->sa.sa_family == AF_INET)
		return ntohs(in4_of(a)->sin_port);
	return a->sa.sa_family == AF_INET6 ? ntohs(in6_of(a)->sin6_port) : 0;
}

void address_set_port(struct address *a, uint16_t port)
{
	if (a->len < sizeof(sa_family_t))
		return;
	if (a->sa.sa_family == AF_INET)
		in4(a)->sin_port = htons(port);
	else if (a->sa.sa_family == AF_INET6)
		in6(a)->sin6_port = htons(port);
}

static bool ipv4_is_private(const uint8_t ip[4])
{
	return ip[0] == 127 || ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
	       (ip[0] == 192 && ip[1] == 168) || (ip[0] == 169 && ip[1] == 254) ||
	       (ip[0] == 100 && (ip[1] & 0xc0) == 64);
}

static bool ipv6_is_private(const struct in6_addr *ip)
{
	if (IN6_IS_ADDR_V4MAPPED(ip))
		return ipv4_is_private(ip->s6_addr + 12);
	return IN6_IS_ADDR_LOOPBACK(ip) || IN6_IS_ADDR_LINKLOCAL(ip) ||
	       (ip->s6_addr[0] & 0xfe) == 0xfc;
}

bool address_is_private(const struct address *a)
{
	if (a->sa.sa_family == AF_INET)
		return ipv4_is_private(
		        (const uint8_t *)&((const struct sockaddr_in *)&a->storage)->sin_addr);
	if (a->sa.sa_family == AF_INET6)
		return ipv6_is_private(&((const struct sockaddr_in6 *)&a->storage)->sin6_addr);
	return true;
}
