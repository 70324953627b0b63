/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Streaming validation of UTF-8 (RFC 3629: no overlong forms, no surrogates,
 * nothing over U+10FFFF), directly on masked bytes, vectorised; the form is
 * chosen at run time. A wrong byte is found when it arrives. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTF8_START is "at the border of a character". */
typedef uint8_t utf8_state;
enum { UTF8_START = 0, UTF8_WRONG = 1 };

/* The state after these bytes; UTF8_WRONG stays wrong. */
utf8_state utf8_check(utf8_state state, const uint8_t *buf, size_t len);
/* The same for bytes that are masked: byte i is buf[i] ^ key[(phase + i) % 4]. */
utf8_state utf8_check_masked(
        utf8_state state, const uint8_t *buf, size_t len, const uint8_t key[4], unsigned phase);
