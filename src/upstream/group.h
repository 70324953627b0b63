/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A group of servers that a route proxies to. Immutable part of a configuration,
 * counted by references across threads. */

#include "net/address.h"
#include "net/plain.h"

#include <stdatomic.h>

struct upstream_server {
	char *name; /* as configured: host:port, or unix:/path */
	char *host; /* to look up; NULL when `address` is known */
	uint16_t port;
	struct address address;
};

struct upstream_group {
	char *name;
	atomic_uint refs;
	struct upstream_server server;
	uint32_t connect_timeout_ms;
	struct socket_options socket;
};

struct upstream_group *upstream_group_new(const char *name);
struct upstream_group *upstream_group_ref(struct upstream_group *g);
void upstream_group_unref(struct upstream_group *g);
