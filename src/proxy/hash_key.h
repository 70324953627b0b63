/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What of a request decides on the server, for groups with balance = hash. Any
 * thread. */

#include "net/address.h"
#include "upstream/group.h"

struct http_head;

/* The hash of what the group's key names: the value of the first header line, cookie
 * or query argument of that name, or the target's path and query. The client's address
 * stands in for what the request lacks. */
uint64_t hash_key_of(const struct upstream_group *g, const struct http_head *h,
        const struct address_brief *client);
