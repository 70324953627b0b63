/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Time. Any thread. Workers read the clock once a turn: worker->now_ms. */

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t clock_ms(void);
/* Milliseconds since 1970 by CLOCK_REALTIME; 0 before that. */
uint64_t clock_wall_ms(void);
/* Wall time as 2026-11-21T00:35:10.123Z (24 characters and NUL). */
void clock_iso(char out[25]);
/* The same of a given time: seconds since 1970 (a negative number counts as 0) and
 * milliseconds. Needs no locale, time zone or lock. */
void clock_iso_of(char out[25], int64_t s, uint32_t ms);
