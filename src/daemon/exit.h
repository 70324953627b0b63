/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* How the program ends. */

#include "config/config.h"

enum exit_status {
	EXIT_GOOD = 0,
	EXIT_FAILED = 1, /* something the system would not give */
	EXIT_USAGE = 2,
	EXIT_CONFIG = 78, /* EX_CONFIG of sysexits.h: starting again cannot help */
};

/* When a configuration was refused, or what it asks for: by no error of its own, the system is to
 * blame. */
static inline enum exit_status exit_for(const struct config_errors *e)
{
	return e->lacks < e->n ? EXIT_CONFIG : EXIT_FAILED;
}
