/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Blocks of addresses, as lists of them stand in a configuration: which peers are
 * trusted, exempt, or expected. Any thread. */

#include "net/address.h"

struct cidr {
	uint8_t family; /* AF_INET, AF_INET6 or AF_UNIX (all unix peers) */
	uint8_t bits;
	uint8_t ip[16]; /* network order; bits behind the prefix are 0 */
};

struct cidr_list {
	struct cidr *at; /* owned */
	size_t n;
};

/* `10.0.0.0/8`, `192.0.2.1`, `2001:db8::/32`, `::1` or `unix:`. NULL when it is one;
 * otherwise what would be right, static. Mapped IPv4 (`::ffff:10.0.0.0/104`) is IPv4. */
const char *cidr_parse(struct cidr *out, const char *text);
/* A peer on an IPv6 socket with a mapped IPv4 address is an IPv4 peer. */
bool cidr_has(const struct cidr *c, const struct address_brief *a);

void cidr_list_add(struct cidr_list *l, const struct cidr *c);
/* An empty list has nobody. */
bool cidr_list_has(const struct cidr_list *l, const struct address_brief *a);
void cidr_list_fini(struct cidr_list *l);
