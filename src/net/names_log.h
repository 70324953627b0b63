/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What becomes of names, told: a line for all workers, which find out side by side. Any
 * thread. */

#include "base/log.h"
#include "net/names.h"

/* Of a name that fails: why, and how many addresses or targets are kept; else what was
 * found. Not if another worker has said the same of the name within the last second. */
void names_log(enum log_level level, const char *event, const struct name *n, unsigned worker,
        uint64_t now_ms);
