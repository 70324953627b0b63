/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Where addresses are: which of them meet on one host. Any thread. */

#include "net/address.h"

#include <stdbool.h>

/* 0.0.0.0 or [::] */
bool place_is_any(const struct address *a);
bool place_is_loopback(const struct address *a);
/* Whether two sockets cannot be bound to both: the same, or one of them is
 * 0.0.0.0 or [::] with the same port. */
bool place_overlaps(const struct address *a, const struct address *b);
/* Whether an interface of this host has the address now. Asks the kernel. */
bool place_is_ours(const struct address *a);
