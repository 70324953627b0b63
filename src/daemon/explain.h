/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* moongate --explain: says what a configuration would do with a request, and why,
 * without a socket. Control thread. */

#include "config/config.h"

#include <stdio.h>

struct explain_request {
	const char *request;       /* `GET ws://host/path?query`; the method may be left out */
	const char *const *header; /* `Name: value` each */
	size_t header_n;
	const char *listener; /* by name; NULL: the one at the URL's port, else the first */
};

/* EXPLAIN_UNUSABLE: no such request or listener, which was said on stderr. */
enum explain_result { EXPLAIN_ROUTED, EXPLAIN_NOT_ROUTED, EXPLAIN_UNUSABLE };

enum explain_result explain(
        FILE *out, const struct config *c, const struct explain_request *request);
