/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The cookies of a request (RFC 6265 4.2), read with patience: what is no cookie is
 * passed over. Any thread. */

#include "http/head.h"

/* Where a walk stands; zero to begin. */
struct http_cookies {
	size_t field;      /* the line to look at next */
	struct slice rest; /* of the line before */
};

/* The next cookie of that name, whose case counts: its value, without quotes around it.
 * False: no more. */
bool http_cookie_next(
        const struct http_head *h, struct http_cookies *at, struct slice name, struct slice *value);
