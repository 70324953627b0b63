/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* How the program ends. */

enum exit_status {
	EXIT_GOOD = 0,
	EXIT_FAILED = 1, /* something the system would not give */
	EXIT_USAGE = 2,
	EXIT_CONFIG = 78, /* EX_CONFIG of sysexits.h: starting again cannot help */
};
