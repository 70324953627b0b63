/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A resolver that the test answers: defined here, so that the real one is not linked.
 * One question is open at a time. */

#include "base/fault.h"
#include "net/resolver.h"

#include <check.h>

enum { FAKE_ADDRESSES_MAX = 32 };

static struct fake_resolver {
	resolver_fn fn; /* NULL = nothing is asked */
	void *owner;
	unsigned cancels;
} fake;

struct resolver {
	int unused;
};
struct resolving {
	int unused;
};
static struct resolver the_resolver;
static struct resolving the_resolving;

struct resolver *resolver_new(struct worker *w)
{
	(void)w;
	return &the_resolver;
}
void resolver_free(struct resolver *r)
{
	(void)r;
}
struct resolving *resolver_start(struct resolver *r, const char *name, resolver_fn fn, void *owner)
{
	(void)r, (void)name;
	if (fault_next("alloc"))
		return NULL;
	fake.fn = fn;
	fake.owner = owner;
	return &the_resolving;
}
struct resolving *resolver_start_service(
        struct resolver *r, const char *service, resolver_service_fn fn, void *owner)
{
	(void)r, (void)service, (void)fn, (void)owner;
	return NULL;
}
void resolver_configure(struct resolver *r, const struct resolver_settings *s)
{
	(void)r, (void)s;
}
void resolver_cancel(struct resolving *q)
{
	ck_assert_ptr_eq(q, &the_resolving);
	fake.fn = NULL;
	fake.cancels++;
}

/* Answers what was asked: n addresses, or none and why. */
static inline void fake_resolve(size_t n, const char *const *addresses, const char *error)
{
	struct address found[FAKE_ADDRESSES_MAX];
	ck_assert_uint_le(n, FAKE_ADDRESSES_MAX);
	for (size_t i = 0; i < n; i++)
		ck_assert(address_parse(&found[i], addresses[i]));
	ck_assert(fake.fn != NULL);
	resolver_fn fn = fake.fn;
	fake.fn = NULL;
	fn(fake.owner, found, n, error);
}
