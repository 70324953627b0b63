/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What root gives up. Control thread, before any other thread is made and before
 * anything is opened: so that what a reload opens later is opened as it was at the start. */

#include <stdbool.h>
#include <sys/types.h>

struct config_identity;

/* Whether the process is root and is to be somebody else. */
bool privileges_are_too_many(const struct config_identity *who);
/* Becomes that user, of that group and no other, for good; keeps CAP_NET_BIND_SERVICE,
 * if it was there, and no other capability. False when the system refuses, or leaves a way
 * back, which was said: the process must not go on. */
bool privileges_drop(const struct config_identity *who);
/* Whether a crash may leave a core, and the user may trace the process. */
void privileges_allow_core_dumps(bool allowed);
