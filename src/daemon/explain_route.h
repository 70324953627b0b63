/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a route does with a request, told for --explain. Control thread. */

#include "config/schema.h"
#include "http/head.h"
#include "proxy/proxy.h"
#include "proxy/route.h"

#include <stdio.h>

/* The facts of the route, one or more lines each; `l` is where the request comes. */
void explain_route(FILE *out, const struct route *r, const struct proxy_listener *l,
        const struct http_head *head);

/* Begins such a line. */
void explain_label(FILE *out, const char *name);

/* A line of names and values, broken where it gets long; the caller ends it. */
struct explain_list {
	FILE *out;
	const char *label;
	size_t at; /* column; 0: nothing is printed yet */
};
void explain_item(struct explain_list *l, const char *name, const char *value);
/* The same with a number as its key is written. */
void explain_key(
        struct explain_list *l, enum schema_kind kind, const char *name, const void *field);
