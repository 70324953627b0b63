/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* XOR with a 4-byte key (RFC 6455 5.3), vectorised; the form is chosen when the
 * program is loaded. Any thread. */

#include <stddef.h>
#include <stdint.h>

/* buf[i] ^= key[(phase + i) % 4]; returns the phase of the byte that follows.
 * Any alignment. */
unsigned ws_mask(uint8_t *buf, size_t len, const uint8_t key[4], unsigned phase);
