/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Faults on demand. A build with FAULTS=1 asks here before each fallible call
 * of the data path (net/sys.h) and each checked allocation (base/mem.h); any
 * other build compiles all of it away. Any thread.
 *
 * A plan is text, `name:nth:errno[:count]` joined by commas: `recv:3:ECONNRESET`
 * fails the third recv, `alloc:10:ENOMEM:5` the tenth to the fourteenth checked
 * allocation, `writev:1:SHORT` lets the first writev take one byte. nth = 0
 * means at random, `count` times in a thousand. The daemon reads the plan from
 * the environment, MOONGATE_FAULTS; unit tests call fault_plan(). */

#include <stdbool.h>

#define FAULT_SHORT (-1)

#ifdef MOONGATE_FAULTS
/* Replaces the plan; NULL clears it. Returns false for a plan that does not parse. */
bool fault_plan(const char *plan);
/* The errno to fail this call of `name` with, FAULT_SHORT, or 0 to go on. */
int fault_next(const char *name);
#else
static inline int fault_next(const char *name)
{
	(void)name;
	return 0;
}
#endif
