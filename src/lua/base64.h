/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Base64 and base64url (RFC 4648), of any length, as nginx reads and writes it: reading ends at
 * the first `=`, the unused bits of the last digit may be anything. Pure; any thread. */

#include "base/slice.h"

#include <sys/types.h>

enum base64_form {
	BASE64_PADDED,
	BASE64_UNPADDED,
	BASE64_URL,  /* no padding, and the alphabet that URLs can hold */
	BASE64_MIME, /* reading only: bytes outside the alphabet are skipped */
};

/* Enough room for what `len` bytes become. */
static inline size_t base64_room(size_t len)
{
	return (len + 2) / 3 * 4;
}

/* Both return how many bytes they wrote. base64_read() needs `in.len` bytes of room, and
 * returns -1 for a byte outside the alphabet and a length that nothing has. */
size_t base64_write(char *out, struct slice in, enum base64_form form);
ssize_t base64_read(char *out, struct slice in, enum base64_form form);
