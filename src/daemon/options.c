/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/options.h"

#include "daemon/say.h"

#include <getopt.h>
#include <string.h>

static const char usage[] =
        "usage: moongate [-c FILE] [-t]\n"
        "       moongate [-c FILE] --explain 'GET ws://HOST/PATH' [--header 'NAME: VALUE']...\n"
        "                [--listener NAME]\n"
        "       moongate --help | --help-config | --version\n";

static const char help[] =
        "\n"
        "Moongate stands in front of applications and proxies WebSocket connections to\n"
        "them, as its configuration says.\n"
        "\n"
        "  -c, --config=FILE   read this configuration\n"
        "                      (otherwise " OPTIONS_CONFIG_DEFAULT ")\n"
        "  -t, --test          check the configuration and exit\n"
        "      --explain=REQUEST\n"
        "                      say which route a request such as 'GET ws://host/path' takes,\n"
        "                      why, and what it gets there\n"
        "      --header='NAME: VALUE'\n"
        "                      a header of that request; may be repeated\n"
        "      --listener=NAME the listener by which it comes\n"
        "      --help-config   list every section and key, with defaults\n"
        "  -h, --help          this text\n"
        "  -V, --version       the version\n"
        "\n"
        "It runs in the foreground. SIGTERM and SIGINT stop it, closing sessions within\n"
        "drain_timeout; a second one ends it at once.\n"
        "Exit status: 0 good, 1 failed to start or no route explained, 2 wrong usage,\n"
        "78 wrong configuration.\n";

void options_help(FILE *out)
{
	fputs(usage, out);
	fputs(help, out);
}

enum { LONG_HELP_CONFIG = 256, LONG_EXPLAIN, LONG_HEADER, LONG_LISTENER };

static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"test", no_argument, NULL, 't'},
        {"explain", required_argument, NULL, LONG_EXPLAIN},
        {"header", required_argument, NULL, LONG_HEADER},
        {"listener", required_argument, NULL, LONG_LISTENER},
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

/* What would end the line would begin another one. */
static bool take_header(struct options *o, const char *line)
{
	const char *colon = strchr(line, ':');
	if (!colon || colon == line || strpbrk(line, "\r\n")) {
		say("option --header wants 'NAME: VALUE'");
		return false;
	}
	if (o->header_n == OPTIONS_HEADERS_MAX) {
		say("option --header may be given %d times", OPTIONS_HEADERS_MAX);
		return false;
	}
	o->header[o->header_n++] = line;
	return true;
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
	case LONG_EXPLAIN:
		o->action = OPTIONS_EXPLAIN;
		o->explain = optarg;
		return true;
	case LONG_HEADER:
		return take_header(o, optarg);
	case LONG_LISTENER:
		o->listener = optarg;
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
	if (o->action != OPTIONS_EXPLAIN && (o->header_n > 0 || o->listener)) {
		say("options --header and --listener go with --explain");
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
