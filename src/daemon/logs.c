/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/logs.h"

#include "base/log.h"
#include "config/config.h"

#include <errno.h>
#include <stdio.h>

static bool failed(char why[LOGS_WHY_MAX], const char *key, const char *value)
{
	char words[LOG_ERRNO_MAX];

	snprintf(why, LOGS_WHY_MAX, "[moongate] %s = %s: %s", key, value,
	        log_errno_words(errno, words));
	return false;
}

bool logs_open(const struct config *c, char why[LOGS_WHY_MAX])
{
	log_set_rate(c->log_rate);
	if (!log_open(c->log, c->log_level))
		return failed(why, "log", c->log);
	if (!c->access_log)
		log_access_close();
	else if (!log_access_open(c->access_log))
		return failed(why, "access_log", c->access_log);
	return true;
}
