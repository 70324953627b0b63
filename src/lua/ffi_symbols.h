/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Functions that libraries for ngx_lua call by the FFI, since they are in nginx's binary: the
 * program exports them (Makefile). Names and types are nginx's. Any thread. */

#include <stddef.h>
#include <stdint.h>

/* Two lower-case digits for each byte, without a NUL. Returns the end of what was written. */
unsigned char *ngx_hex_dump(unsigned char *out, const unsigned char *in, size_t len);
/* A decimal number, or -1 for what is none or too large. */
intptr_t ngx_atoi(const unsigned char *text, size_t len);
