/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/options.h"

#include "daemon/say.h"

#include <getopt.h>
#include <string.h>

static const char usage[] = "usage: moongate [-c FILE] [-t]\n"
                            "       moongate --help | --help-config | --version\n";

static const char help[] =
        "\n"
        "Moongate stands in front of applications and proxies WebSocket connections to\n"
        "them, as its configuration says.\n"
        "\n"
        "  -c, --config=FILE   read this configuration\n"
        "                      (otherwise " OPTIONS_CONFIG_DEFAULT ")\n"
        "  -t, --test          check the configuration and exit\n"
        "      --help-config   list every section and key, with defaults\n"
        "  -h, --help          this text\n"
        "  -V, --version       the version\n"
        "\n"
        "It runs in the foreground. SIGTERM and SIGINT stop it, closing sessions within\n"
        "drain_timeout; a second one ends it at once.\n"
        "Exit status: 0 good, 1 failed to start, 2 wrong usage, 78 wrong configuration.\n";

void options_help(FILE *out)
{
	fputs(usage, out);
	fputs(help, out);
}

enum { LONG_HELP_CONFIG = 256 };

static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"test", no_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {"help-config", optional_argument, NULL, LONG_HELP_CONFIG},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
};

/* The option that getopt_long() has just refused, as it was written. */
static void refuse(int result, char **argv)
{
	const char *word = argv[optind - 1];
	bool is_short = optopt > 0 && optopt < LONG_HELP_CONFIG && strncmp(word, "--", 2) != 0;

	if (result == ':' && is_short)
		say("option -%c wants a value", optopt);
	else if (result == ':')
		say("option %s wants a value", word);
	else if (is_short)
		say("unknown option -%c", optopt);
	else if (optopt != 0)
		say("option %.*s takes no value", (int)strcspn(word, "="), word);
	else
		say("unknown or ambiguous option %s", word);
}

static bool take(struct options *o, int result, char **argv)
{
	switch (result) {
	case 'c':
		o->config = optarg;
		return true;
	case 't':
		o->action = OPTIONS_CHECK;
		return true;
	case 'h':
		o->action = OPTIONS_HELP;
		return true;
	case 'V':
		o->action = OPTIONS_VERSION;
		return true;
	case LONG_HELP_CONFIG:
		o->action = optarg ? OPTIONS_HELP_CONFIG_ROFF : OPTIONS_HELP_CONFIG;
		if (!optarg || strcmp(optarg, "roff") == 0)
			return true;
		say("option --help-config takes no value but roff");
		return false;
	default:
		refuse(result, argv);
		return false;
	}
}

static bool parse(struct options *o, int argc, char **argv)
{
	int result;

	optind = 0; /* also forgets an earlier run, for tests */
	opterr = 0;
	while ((result = getopt_long(argc, argv, "+:c:thV", long_options, NULL)) != -1)
		if (!take(o, result, argv))
			return false;
	if (optind < argc) {
		say("unexpected argument: %s", argv[optind]);
		return false;
	}
	if (o->config[0] == '\0') {
		say("option -c wants the name of a file");
		return false;
	}
	return true;
}

bool options_parse(struct options *o, int argc, char **argv)
{
	*o = (struct options){.action = OPTIONS_RUN, .config = OPTIONS_CONFIG_DEFAULT};
	if (parse(o, argc, argv))
		return true;
	fputs(usage, stderr);
	return false;
}
