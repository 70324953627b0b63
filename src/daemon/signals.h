/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Signals reach the process as bytes on a descriptor, never as handlers: a signal
 * that comes while the daemon starts waits there until the control loop runs, and no
 * call of any thread is interrupted. */

#include <stdbool.h>

/* Ignores those that must not end the process. */
void signals_init(void);
/* Holds back the signals that the control loop will read. Only for who comes to run it: they could
 * not end anybody else. Before any thread is made. */
void signals_hold(void);
/* The descriptor to read them from; -1 with errno. */
int signals_open(void);
/* The next signal, 0 when there is none. */
int signals_next(int fd);
/* SIGTERM, SIGINT: the daemon is to stop. */
bool signals_is_stop(int number);
/* "SIGTERM" */
const char *signals_name(int number, char text[16]);
