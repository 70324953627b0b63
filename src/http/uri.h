/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Paths of request targets, in the one form that every decision uses
 * (RFC 3986 6.2.2): percent-encoded unreserved characters decoded, other
 * percent-encodings in upper case, `.` and `..` resolved, `//` kept as one `/`.
 * No I/O. */

#include "base/slice.h"

#include <stdbool.h>
#include <sys/types.h>

/* Writes the normalised path to out (at most in.len bytes, which out must hold)
 * and returns its length; -1 for a path that is none: not starting with '/', a
 * broken percent-encoding, an encoded NUL or slash, or a step above the root. */
ssize_t uri_normalise_path(struct slice in, uint8_t *out);

/* host[:port] as a Host line or an absolute target may hold it (RFC 3986 3.2.2,
 * 3.2.3), a bracketed IPv6 literal included. */
bool uri_is_authority(struct slice s);
