/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The command line. */

#include <stdbool.h>
#include <stdio.h>

#define OPTIONS_CONFIG_DEFAULT "/etc/moongate/moongate.conf"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_CHECK,
	OPTIONS_VERSION,
	OPTIONS_HELP,
	OPTIONS_HELP_CONFIG,
	OPTIONS_HELP_CONFIG_ROFF,
};

struct options {
	enum options_action action;
	const char *config; /* points into argv, or the default */
};

/* False for a command line that makes no sense; why, and the usage, were said on
 * stderr. */
bool options_parse(struct options *o, int argc, char **argv);
void options_help(FILE *out);
