/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Socket addresses: IPv4, IPv6, unix paths. Any thread. */

#include "base/slice.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
	socklen_t len; /* 0 = no address */
	union {
		struct sockaddr sa;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	};
};

/* What a session keeps of its client's address, for its log lines. */
struct address_brief {
	uint8_t family; /* AF_INET, AF_INET6 or AF_UNIX */
	uint16_t port;
	uint8_t ip[16]; /* network order; the first 4 for AF_INET */
};

enum { ADDRESS_TEXT_MAX = 128 };

/* Numeric `1.2.3.4:80`, `[::1]:80`, `unix:/path`. False for anything else; no
 * name is looked up. */
bool address_parse(struct address *a, const char *text);
/* The same forms; `unix:` for a nameless peer. Returns out. */
const char *address_text(const struct address *a, char out[ADDRESS_TEXT_MAX]);
/* An IPv4 peer of an IPv6 socket is an IPv4 peer. */
void address_brief(struct address_brief *out, const struct address *a);
const char *address_brief_text(const struct address_brief *b, char out[ADDRESS_TEXT_MAX]);
/* The same without a NUL behind it; out has ADDRESS_TEXT_MAX bytes. Returns its end. */
char *address_brief_put(const struct address_brief *b, char *out);
/* The address alone, as 192.0.2.1 or 2001:db8::1. Returns out. */
const char *address_brief_ip(const struct address_brief *b, char out[ADDRESS_TEXT_MAX]);
/* An address as other proxies tell it: 192.0.2.1, 192.0.2.1:80, 2001:db8::1,
 * [2001:db8::1] or [2001:db8::1]:80; the port is 0 when none is told. False, and *out
 * unchanged, for anything else. */
bool address_brief_parse(struct address_brief *out, struct slice text);
/* An IPv4 address in IPv6 clothes (::ffff:192.0.2.1) becomes an IPv4 address. */
void address_brief_unmap(struct address_brief *b);
bool address_brief_equal(const struct address_brief *a, const struct address_brief *b);
bool address_equal(const struct address *a, const struct address *b);
uint16_t address_port(const struct address *a);
void address_set_port(struct address *a, uint16_t port);
/* Loopback, private, link-local and unix: an address that no public network
 * routes (RFC 1122, 1918, 3927, 4193, 4291, 6598). */
bool address_is_private(const struct address *a);
