/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The header rules of a route from its section and [defaults]: the rules of [defaults]
 * come first, then the route's, each in the order of the file, so that a route can undo
 * them; of the keys that stand once, the route's counts. Control thread. */

#include "base/slice.h"
#include "proxy/rules.h"

struct draft;
struct draft_route;

enum { HEADERS_PREFIX_MAX = 1024 };

/* What a key such as response_remove says. */
enum rules_side headers_side(const char *key);
enum rules_op headers_op(const char *key);
/* `/from /to`; false when there are not two words. */
bool headers_split_prefix(const char *value, struct slice *from, struct slice *to);

/* Fills r->route->headers; the rest of the route is built. */
void build_headers(struct draft *d, struct draft_route *r);
