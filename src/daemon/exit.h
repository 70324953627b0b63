/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* How the program ends. */

#include "net/sys.h"

enum exit_status {
	EXIT_GOOD = 0,
	EXIT_FAILED = 1, /* something the system would not give */
	EXIT_USAGE = 2,
	EXIT_CONFIG = 78, /* EX_CONFIG of sysexits.h: starting again cannot help */
};

/* For what the configuration asked for and the system refused. */
static inline enum exit_status exit_for(int error)
{
	return sys_is_lack(error) ? EXIT_FAILED : EXIT_CONFIG;
}
