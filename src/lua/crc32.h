/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* CRC-32 as of Ethernet, gzip and nginx. Any thread. */

#include "base/slice.h"

uint32_t crc32_of(struct slice s);
