/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the system allows the process. Control thread, before others start. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Processors that this process may run on; at least 1. */
unsigned limits_processors(void);
/* Raises RLIMIT_NOFILE as far as allowed; returns it. */
uint64_t limits_raise_descriptors(void);
/* As much C stack for this thread as workers have (net/worker.c): scripts are checked on it. */
void limits_raise_stack(void);
/* Proxied sessions that so many descriptors serve, two each, after what the process
 * needs itself. */
uint64_t limits_sessions(uint64_t descriptors, unsigned workers, size_t binds);

/* The memory limit of the control group that the process is in, and whether it counts
 * the buffers of sockets (version 2 does). False: there is none. `root` is in front of
 * /proc and /sys, for tests. */
struct limits_memory {
	uint64_t bytes;
	bool counts_sockets;
};
bool limits_memory(const char *root, struct limits_memory *out);
/* What [moongate] memory_max comes to: bytes; 0 = no limit. */
uint64_t limits_budget(uint64_t memory_max);
