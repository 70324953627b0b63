/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Host names to addresses, and services to hosts: the hosts file first (/etc/hosts, or
 * the one that CARES_HOSTS in the environment names), then the name servers (net/channel.h).
 * localhost is the loopback whatever they say.
 *
 * What is found is kept (net/names.h) as long as its TTL says, within 1 s .. 1 h. A name
 * is asked for once however many wait for it; one that is used in the last quarter of its
 * time is asked for again meanwhile. When no answer can be had the last good one is used,
 * for a day past its time, or five minutes where the name servers say that the name has none;
 * asking is tried again, first after a second, then less often.
 *
 * A request belongs to its owner, who may cancel it. One worker's thread. */

#include "net/address.h"

struct dns_target;
struct worker;
struct resolver;
struct resolving;

struct resolver_settings {
	char *servers;       /* `1.2.3.4:53,[::1]:53`; NULL = as the system says */
	uint32_t timeout_ms; /* longest wait for one name */
};

enum { RESOLVER_FOUND_MAX = 128 };

/* n addresses (port 0), at most RESOLVER_FOUND_MAX, in the order in which to try them;
 * or n = 0 and why not in words. Not called after resolver_cancel(). Never called before
 * resolver_start() has returned. */
typedef void (*resolver_fn)(void *owner, const struct address *found, size_t n, const char *error);
/* The same with the targets of a service, and when these were learnt, by the worker's
 * clock. With n = 0: when those were that are not to be used any longer; 0 = never. */
typedef void (*resolver_service_fn)(void *owner, const struct dns_target *const *found, size_t n,
        uint64_t learnt_ms, const char *error);

struct resolver *resolver_new(struct worker *w);
void resolver_free(struct resolver *r);
/* For questions from now on, and those that are under way; what is known stays. The text is
 * borrowed, and the one before it is still looked at here. */
void resolver_configure(struct resolver *r, const struct resolver_settings *s);
/* NULL when memory is short. */
struct resolving *resolver_start(struct resolver *r, const char *name, resolver_fn fn, void *owner);
/* `name`: as _chat._tcp.example.com. */
struct resolving *resolver_start_service(
        struct resolver *r, const char *name, resolver_service_fn fn, void *owner);
void resolver_cancel(struct resolving *q);
