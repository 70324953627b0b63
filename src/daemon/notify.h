/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the service manager is told: the datagrams of sd_notify(3), written here. Without a
 * manager that listens nothing is done. Control thread.
 *
 * The order in a life: READY=1; any number of RELOADING=1, READY=1; STOPPING=1. In
 * between STATUS= and, while asked for, WATCHDOG=1. */

#include <stdbool.h>
#include <stdint.h>

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment. False, and a
 * few words in why, when the manager could not be told. */
bool notify_init(char why[160]);
void notify_fini(void);
/* At least so often it wants notify_alive(), in microseconds; 0 = never. */
uint64_t notify_watchdog_us(void);

/* Each of them says a STATUS= too, a line for people. */
void notify_ready(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_reloading(void);
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The stop may take so much longer, from now; to be repeated before it is over. */
void notify_stopping(uint32_t more_ms, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
void notify_alive(void);
