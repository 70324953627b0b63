/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Log and access log as a configuration wants them. Control thread. */

#include <stdbool.h>
#include <stddef.h>

struct config;
struct config_errors;

/* Opens all, sets level and rate. False, with the reasons added to `why`, when some cannot be
 * opened: they stay as they were. `path` is the configuration's. */
bool logs_open(const struct config *c, const char *path, struct config_errors *why);

/* For a configuration that takes the place of another: opens what it names and the other does
 * not. False, with the reasons added to `why`: nothing was opened. */
bool logs_prepare(const struct config *next, const struct config *now, const char *path,
        struct config_errors *why);
/* Then: */
void logs_use(const struct config *next);
/* Nobody writes records any more that `next` has no place for. */
void logs_end(const struct config *next);
