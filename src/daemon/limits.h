/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the system allows the process. Control thread, before others start. */

#include <stddef.h>
#include <stdint.h>

/* Processors that this process may run on; at least 1. */
unsigned limits_processors(void);
/* Raises RLIMIT_NOFILE as far as allowed; returns it. */
uint64_t limits_raise_descriptors(void);
/* Proxied sessions that so many descriptors serve, two each, after what the process
 * needs itself. */
uint64_t limits_sessions(uint64_t descriptors, unsigned workers, size_t binds);
