/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Paths of request targets, in the one form that every decision uses
 * (RFC 3986 6.2.2): percent-encoded unreserved characters decoded, other
 * percent-encodings in upper case, runs of `/` made one `/`, `.` and `..` resolved.
 * No I/O. */

#include "base/slice.h"

#include <stdbool.h>
#include <sys/types.h>

/* Writes the normalised path to out (at most in.len bytes, which out must hold;
 * out may be in.at) and returns its length. -1 for a path that is none, or whose
 * meaning servers do not agree on: not starting with '/', a byte that no path may
 * hold (controls, space, '?', '#', 0x7f and above), a broken percent-encoding, an
 * encoded NUL or slash, or a step above the root. Normalising twice changes nothing. */
ssize_t uri_normalise_path(struct slice in, uint8_t *out);

/* host[:port] as a Host line or an absolute target may hold it (RFC 3986 3.2.2,
 * 3.2.3): a name of at most 255 bytes, an IPv4 address or a bracketed IPv6 address
 * without a zone. No user, no comma; a port is empty or 0 to 65535. */
bool uri_is_authority(struct slice s);

/* The host of an authority (uri_is_authority()) in the one form that every decision
 * uses: lower case, without port and without one dot at the end, percent-encoded
 * unreserved characters decoded, an IPv6 address in its shortest form, in brackets.
 * Returns its length, 0 for what is no authority. *port: the digits behind the colon,
 * or empty. */
enum { URI_HOST_MAX = 256 };
size_t uri_host(struct slice authority, uint8_t out[URI_HOST_MAX], struct slice *port);

/* The next byte of a query argument, '+' and percent-encoded bytes decoded, a broken
 * percent-encoding as it stands; -1 at the end. */
int uri_query_next(struct slice *rest);
