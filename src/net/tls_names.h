/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Which certificates a name leads to: exact names, and *.domain for one label more. Made by one
 * thread, then immutable. */

#include "base/slice.h"

#include <openssl/x509.h>
#include <stdbool.h>

struct tls_name {
	char *text; /* in lower case; owned */
	unsigned value;
};

struct tls_names {
	struct tls_name *at;
	size_t n;
};

void tls_names_fini(struct tls_names *names);
/* Before tls_names_sort(). A name that is there twice has one value. */
void tls_names_add(struct tls_names *names, const char *name, unsigned value);
void tls_names_sort(struct tls_names *names);
/* Then: the name itself. */
bool tls_names_has(const struct tls_names *names, const char *name);
/* The value of the name itself, or of the *. that it is one of; -1: none. */
int tls_names_find(const struct tls_names *names, struct slice name);

/* Calls fn with the DNS names of a certificate, in lower case; its common name, if it has none. */
typedef void (*tls_name_fn)(const char *name, void *arg);
void tls_names_of_certificate(const X509 *x, tls_name_fn fn, void *arg);
