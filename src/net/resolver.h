/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Host names to addresses by c-ares, one channel per worker. For now with
 * lookups `f`: /etc/hosts only (or the file that CARES_HOSTS in the environment names).
 * localhost is 127.0.0.1, ::1 in any case. A request belongs to its owner, who may cancel
 * it. One worker's thread. */

#include "net/address.h"

struct worker;
struct resolver;
struct resolving;

/* n addresses (port 0), or n = 0 and why not in words. Not called after
 * resolver_cancel(). Never called before resolver_start() has returned. */
typedef void (*resolver_fn)(void *owner, const struct address *found, size_t n, const char *error);

struct resolver *resolver_new(struct worker *w);
void resolver_free(struct resolver *r);
/* NULL when memory is short. */
struct resolving *resolver_start(struct resolver *r, const char *name, resolver_fn fn, void *owner);
void resolver_cancel(struct resolving *q);
