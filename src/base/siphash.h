/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* SipHash-2-4 (Aumasson, Bernstein): a hash that nobody without the key can aim at a
 * place of a table, or invert. Short inputs. Any thread. */

#include <stddef.h>
#include <stdint.h>

enum { SIPHASH_KEY_LEN = 16 };

uint64_t siphash(const uint8_t key[SIPHASH_KEY_LEN], const void *bytes, size_t len);
/* SipHash-1-3 of 16 bytes, an address: for places in tables, where only who sees the hash could
 * profit from fewer rounds. */
uint64_t siphash13_16(const uint8_t key[SIPHASH_KEY_LEN], const uint8_t bytes[16]);
/* The form with 128 bits, of which the first 64 are not those of siphash(). */
void siphash128(uint64_t out[2], const uint8_t key[SIPHASH_KEY_LEN], const void *bytes, size_t len);
