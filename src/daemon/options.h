/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The command line. */

#include <stdbool.h>
#include <stdio.h>

#define OPTIONS_CONFIG_DEFAULT "/etc/moongate/moongate.conf"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_CHECK,
	OPTIONS_EXPLAIN,
	OPTIONS_VERSION,
	OPTIONS_HELP,
	OPTIONS_HELP_CONFIG,
	OPTIONS_HELP_CONFIG_ROFF,
};

enum { OPTIONS_HEADERS_MAX = 64 };

struct options {
	enum options_action action;
	const char *config;   /* points into argv, or the default */
	const char *explain;  /* the request, with OPTIONS_EXPLAIN; like what follows, into argv */
	const char *listener; /* or NULL */
	const char *header[OPTIONS_HEADERS_MAX];
	size_t header_n;
};

/* False for a command line that makes no sense; why, and the usage, were said on
 * stderr. */
bool options_parse(struct options *o, int argc, char **argv);
void options_help(FILE *out);
