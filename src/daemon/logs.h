/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Log and access log as a configuration wants them. Control thread. */

#include <stdbool.h>
#include <stddef.h>

struct config;

/* Opens both, sets level and rate. False, with a text for a person, when one cannot be opened:
 * that one stays as it was. */
enum { LOGS_WHY_MAX = 512 };
bool logs_open(const struct config *c, char why[LOGS_WHY_MAX]);
