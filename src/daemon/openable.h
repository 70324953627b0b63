/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Whether a start as the present user could open what the configuration names, found
 * without opening any of it. For `moongate -t`. */

#include <stdbool.h>

struct config;

/* False when something cannot be, all of which was said. `path` is the configuration's. */
bool openable_check(const char *path, const struct config *c);
