/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Who a client is, when proxies stand before Moongate: a proxy that the listener
 * trusts is believed about who came to it, and so on until somebody who is not trusted.
 * Nobody else is believed anything. Any thread. */

#include "http/head.h"
#include "net/cidr.h"

enum trust_header { TRUST_X_FORWARDED_FOR, TRUST_FORWARDED, TRUST_X_REAL_IP };

/* A list with more proxies than these is read from its end that far. */
enum { TRUST_HOPS_MAX = 32 };

/* The client of a request that came from `peer`, who is in the list: the last address
 * in the one header believed that is not in the list itself. What is no address
 * ("unknown", noise) ends the way there: the last known proxy is the client then. */
struct address_brief trust_client(const struct cidr_list *trusted, enum trust_header believed,
        const struct address_brief *peer, const struct http_head *head);

/* The request id that a trusted proxy sent in the one field of that name, if it is 1 to
 * TRUST_ID_MAX of A-Z a-z 0-9 . _ -; else empty. */
enum { TRUST_ID_MAX = 128 };
struct slice trust_id(const struct http_head *head, struct slice header);
