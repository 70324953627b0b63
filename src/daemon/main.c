/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/budget.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/control.h"
#include "daemon/exit.h"
#include "daemon/explain.h"
#include "daemon/limits.h"
#include "daemon/logs.h"
#include "daemon/notify.h"
#include "daemon/openable.h"
#include "daemon/options.h"
#include "daemon/privileges.h"
#include "daemon/reload.h"
#include "daemon/say.h"
#include "daemon/service.h"
#include "daemon/signals.h"
#include "net/passed.h"
#include "net/tls_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A standard stream that is closed would be the next descriptor to be opened,
 * and a client's socket would get what is meant for stderr. Opened only for reading, it
 * refuses what is written, which the log counts. */
static void hold_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static struct config *load(const char *path, struct config_errors *problems)
{
	struct config *c = config_load(path, problems);

	if (!c) {
		if (problems->text)
			say_lines(problems->text);
		say("%s: %zu error%s", path, problems->n, problems->n == 1 ? "" : "s");
	}
	return c;
}

/* Root reads the file to learn who to be, and then reads it once more as that user: what a
 * reload could not read is found now. NULL with *status. */
static struct config *load_as_user(
        const char *path, struct config_errors *problems, enum exit_status *status)
{
	struct config *c = load(path, problems);

	if (c && privileges_are_too_many(&c->identity)) {
		bool has_become = privileges_drop(&c->identity);
		config_free(c);
		config_errors_free(problems);
		c = has_become ? load(path, problems) : NULL;
	}
	*status = exit_for(problems);
	return c;
}

static void log_limits(unsigned workers, size_t binds)
{
	uint64_t descriptors = limits_raise_descriptors();
	struct log_line l;

	log_begin(&l, LOG_LEVEL_INFO, "limits");
	log_unum(&l, "descriptors", descriptors);
	log_unum(&l, "sessions", limits_sessions(descriptors, workers, binds));
	if (budget_max())
		log_unum(&l, "memory_max", budget_max());
	log_end(&l);
}

static void log_ready(unsigned workers)
{
	struct log_line l;

	log_begin(&l, LOG_LEVEL_INFO, "ready");
	log_unum(&l, "workers", workers);
	log_num(&l, "pid", getpid());
	log_end(&l);
}

static enum exit_status failed(const char *what)
{
	char words[LOG_ERRNO_MAX];

	say("%s: %s", what, log_errno_words(errno, words));
	return EXIT_FAILED;
}

/* The log's thread runs; listeners are open. */
static enum exit_status serve(
        struct control *control, struct service *s, const char *path, unsigned workers)
{
	bool good = service_start(s);

	if (good) {
		log_ready(workers);
		notify_ready("serving with %u workers", workers);
		control_run(control, s, path);
	}
	service_stop(s);
	return good ? EXIT_GOOD : EXIT_FAILED;
}

/* Takes the configuration over. */
static enum exit_status start(struct control *control, const char *path, struct config *c)
{
	unsigned workers = c->workers ? c->workers : limits_processors();
	struct service *s = service_new(c, workers, control_report_fd(control));
	enum exit_status status;

	log_limits(workers, c->bind_n);
	status = service_open(s);
	if (status == EXIT_GOOD) {
		if (log_start())
			status = serve(control, s, path, workers);
		else
			status = failed("cannot start the log's thread");
	}
	service_free(s);
	log_stop();
	return status;
}

/* Takes the configuration over. */
static enum exit_status run_configured(
        const char *path, struct config *c, const struct config_errors *warnings)
{
	enum exit_status status;
	struct control *control;
	struct config_errors why = {.text = NULL};

	if (!logs_open(c, path, &why)) {
		status = exit_for(&why);
		say_lines(why.text);
		config_errors_free(&why);
		config_free(c);
		return status;
	}
	log_event(LOG_LEVEL_INFO, "starting", "version", MOONGATE_VERSION, NULL);
	reload_log_lines(warnings);
	if (geteuid() == 0 && !c->identity.user)
		log_event(
		        LOG_LEVEL_WARN, "running_as_root", "hint", "set user in [moongate]", NULL);
	control = control_new();
	if (!control) {
		status = failed("cannot start");
		config_free(c);
		return status;
	}
	status = start(control, path, c);
	control_free(control);
	return status;
}

/* What came along from whoever started the process. */
static bool take_environment(void)
{
	char why[160];
	bool good = passed_init(why) && notify_init(why);

	if (!good)
		say("%s", why);
	return good;
}

static enum exit_status run(const char *path)
{
	struct config_errors problems = {0};
	enum exit_status status;
	struct config *c;

	if (!take_environment())
		return EXIT_FAILED;
	c = load_as_user(path, &problems, &status);
	if (c) {
		privileges_allow_core_dumps(c->core_dumps);
		status = run_configured(path, c, &problems);
	}
	config_errors_free(&problems);
	notify_fini();
	return status;
}

/* Text for a person or a script: it matters whether it arrived. */
static enum exit_status printed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_GOOD;
	return failed("cannot write to standard output");
}

static enum exit_status check(const char *path)
{
	struct config_errors problems = {0};
	enum exit_status status;
	struct config *c = load_as_user(path, &problems, &status);

	if (c) {
		if (problems.text)
			say_lines(problems.text);
		status = EXIT_CONFIG;
		if (openable_check(path, c)) {
			printf("%s: ok\n", path);
			status = printed();
		}
	}
	config_errors_free(&problems);
	config_free(c);
	return status;
}

static enum exit_status explain_configured(const struct options *o, const struct config *c)
{
	struct explain_request r = {.request = o->explain,
	        .header = o->header,
	        .header_n = o->header_n,
	        .listener = o->listener};
	enum explain_result result = explain(stdout, c, &r);
	enum exit_status status = printed();

	if (result == EXPLAIN_UNUSABLE)
		return EXIT_USAGE;
	return result == EXPLAIN_ROUTED ? status : EXIT_FAILED;
}

static enum exit_status explain_request(const struct options *o)
{
	struct config_errors problems = {0};
	struct config *c = load(o->config, &problems);
	enum exit_status status = c ? explain_configured(o, c) : exit_for(&problems);

	config_errors_free(&problems);
	config_free(c);
	return status;
}

int main(int argc, char **argv)
{
	struct options o;

	tls_memory_init();
	signals_init();
	limits_raise_stack();
	hold_standard_streams();
	if (!options_parse(&o, argc, argv))
		return EXIT_USAGE;
	switch (o.action) {
	case OPTIONS_RUN:
		signals_hold();
		return (int)run(o.config);
	case OPTIONS_CHECK:
		return (int)check(o.config);
	case OPTIONS_EXPLAIN:
		return (int)explain_request(&o);
	case OPTIONS_VERSION:
		puts("moongate " MOONGATE_VERSION);
		return (int)printed();
	case OPTIONS_HELP:
		options_help(stdout);
		return (int)printed();
	case OPTIONS_HELP_CONFIG:
		config_help(stdout);
		return (int)printed();
	case OPTIONS_HELP_CONFIG_ROFF:
		config_help_roff(stdout);
		return (int)printed();
	}
	return EXIT_FAILED;
}
