/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The servers to which a route leads and how one of them is found, told for --explain.
 * Control thread. */

#include "http/head.h"
#include "upstream/group.h"

#include <stdio.h>

/* The facts of the group, one or more lines each. */
void explain_group(FILE *out, struct upstream_group *g, const struct http_head *head);
