/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Tells the service manager that the daemon lives, at half the interval that it asks
 * for, and only while every worker's loop turns: a worker that is stuck has the whole process
 * restarted. An idle loop is woken to turn. Control thread. */

#include <stdint.h>

struct event_base;
struct service;
struct watchdog;

/* NULL when there is no memory, with errno. */
struct watchdog *watchdog_new(struct event_base *base, struct service *s, uint64_t interval_us);
void watchdog_free(struct watchdog *w);
