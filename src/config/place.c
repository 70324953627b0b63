/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/place.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stddef.h>

/* The bytes of the IP address alone; none for a unix socket. */
static struct slice ip_of(const struct sockaddr *sa)
{
	const char *at = (const char *)sa;
	if (sa->sa_family == AF_INET)
		return slice_of(at + offsetof(struct sockaddr_in, sin_addr), 4);
	if (sa->sa_family == AF_INET6)
		return slice_of(at + offsetof(struct sockaddr_in6, sin6_addr), 16);
	return slice_of(NULL, 0);
}

bool place_is_any(const struct address *a)
{
	static const uint8_t zero[16];
	struct slice ip = ip_of(&a->sa);
	return ip.len > 0 && memcmp(ip.at, zero, ip.len) == 0;
}

bool place_is_loopback(const struct address *a)
{
	static const uint8_t one[16] = {[15] = 1};
	struct slice ip = ip_of(&a->sa);
	return (ip.len == 4 && ip.at[0] == 127) || (ip.len == 16 && memcmp(ip.at, one, 16) == 0);
}

bool place_overlaps(const struct address *a, const struct address *b)
{
	if (address_equal(a, b))
		return true;
	return a->sa.sa_family == b->sa.sa_family && a->sa.sa_family != AF_UNIX &&
	       address_port(a) == address_port(b) && (place_is_any(a) || place_is_any(b));
}

bool place_is_ours(const struct address *a)
{
	struct ifaddrs *all;
	bool found = false;
	if (getifaddrs(&all) != 0)
		return false;
	for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next)
		found = i->ifa_addr && i->ifa_addr->sa_family == a->sa.sa_family &&
		        ip_of(&a->sa).len > 0 && slice_equal(ip_of(i->ifa_addr), ip_of(&a->sa));
	freeifaddrs(all);
	return found;
}
