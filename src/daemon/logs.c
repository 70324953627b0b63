/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/logs.h"

#include "base/log.h"
#include "base/log_target.h"
#include "config/config.h"
#include "net/tls_context.h"

#include <errno.h>
#include <string.h>

/* errno tells why. Returns false. */
static bool complain(struct config_errors *why, const struct config *c, const char *path,
        const char *key, const char *value)
{
	int error = errno;
	char words[LOG_ERRNO_MAX];

	config_errors_add(why, error, "%s: [moongate] %s = %s: %s", config_place(c, key, path), key,
	        value, log_target_words(error, words));
	return false;
}

/* All of them, whatever of the others. */
bool logs_open(const struct config *c, const char *path, struct config_errors *why)
{
	bool good = true;

	log_set_rate(c->log_rate);
	if (!log_open(c->log, c->log_level))
		good = complain(why, c, path, "log", c->log);
	if (!c->access_log)
		log_access_close();
	else if (!log_access_open(c->access_log))
		good = complain(why, c, path, "access_log", c->access_log);
	if (!tls_key_log_open(c->tls_key_log))
		good = complain(why, c, path, "tls_key_log", c->tls_key_log);
	return good;
}

static bool is_other(const char *next, const char *now)
{
	return next && !(now && strcmp(next, now) == 0);
}

bool logs_prepare(const struct config *next, const struct config *now, const char *path,
        struct config_errors *why)
{
	bool good = true;

	if (is_other(next->log, now->log) && !log_prepare(next->log))
		good = complain(why, next, path, "log", next->log);
	if (is_other(next->access_log, now->access_log) && !log_access_prepare(next->access_log))
		good = complain(why, next, path, "access_log", next->access_log);
	if (is_other(next->tls_key_log, now->tls_key_log) && !tls_key_log_check(next->tls_key_log))
		good = complain(why, next, path, "tls_key_log", next->tls_key_log);
	if (!good)
		log_drop_prepared();
	return good;
}

void logs_use(const struct config *next)
{
	log_set_rate(next->log_rate);
	log_set_level(next->log_level);
	log_use_prepared();
	if (!tls_key_log_open(next->tls_key_log))
		log_event(LOG_LEVEL_ERROR, "tls_key_log_failed", "path", next->tls_key_log, NULL);
}

void logs_end(const struct config *next)
{
	if (!next->access_log)
		log_access_close();
}
