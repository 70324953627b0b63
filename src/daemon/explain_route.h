/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a route does with a request, told for --explain. Control thread. */

#include "http/head.h"
#include "proxy/route.h"

#include <stdio.h>

/* The facts of the route, one or more lines each. */
void explain_route(FILE *out, const struct route *r, const struct http_head *head);
/* Begins such a line. */
void explain_label(FILE *out, const char *name);
