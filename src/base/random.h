/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Random bytes that nobody can guess (RFC 6455 5.3 and 10.3), from getrandom()
 * in batches of each thread's own. Any thread. Aborts if the kernel has none. */

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t len);
/* Uniform in 0 .. bound - 1; bound > 0. */
uint32_t random_below(uint32_t bound);
