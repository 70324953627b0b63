/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Numbers in decimal, two digits at a time. */

#include <stdint.h>
#include <string.h>

enum { DIGITS_MAX = 20 };

/* "00" to "99" in a row. */
extern const char digits_pairs[200];

/* Of 100 and more. */
char *digits_put_large(char *at, uint64_t value);

/* Returns the end of what it wrote: at most DIGITS_MAX characters. */
static inline char *digits_put(char *at, uint64_t value)
{
	if (value < 10) {
		*at = (char)('0' + value);
		return at + 1;
	}
	if (value >= 100)
		return digits_put_large(at, value);
	memcpy(at, digits_pairs + 2 * value, 2);
	return at + 2;
}
