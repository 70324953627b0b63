/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The listeners and the workers of a running daemon: how they start, drain and
 * stop. Control thread. */

#include "daemon/exit.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct config_errors;
struct daemon_counters;
struct service;

/* Takes the configuration over. report_fd is an eventfd: readable when service_look() or
 * service_not_swapped() has something to see. */
struct service *service_new(struct config *c, unsigned workers, int report_fd);
/* After service_stop(), or before service_start(). */
void service_free(struct service *s);

/* Opens every listener. When some cannot be opened, which was said of each: EXIT_CONFIG,
 * or EXIT_FAILED if all that was missing were the system's means. */
enum exit_status service_open(struct service *s);
/* Starts the workers; returns when all of them accept connections. False when one
 * could not start, which was said: service_stop() comes next. */
bool service_start(struct service *s);

/* The one in use: by all workers, unless another is being taken over. */
const struct config *service_config(const struct service *s);
struct daemon_counters *service_counters(struct service *s);

/* Another configuration, which config_reload() has made of the one in use. First all that can
 * fail: opens listeners and gives those that stay their new settings. False, with the reasons
 * added to `why`: nothing has changed. */
bool service_prepare(struct service *s, struct config *next, struct config_errors *why);
/* Then, after service_prepare() was true, either nothing has changed after all, */
void service_drop(struct service *s);
/* or each worker takes it over between two of its events; the service owns it. Does not wait for
 * them: */
void service_swap(struct service *s, struct config *next);
/* a worker that has not yet, or -1, in any order. */
int service_not_swapped(const struct service *s);
/* All have: what is not in use any more is closed and let go. */
void service_swapped(struct service *s);

/* Tells of scripts that hold their worker. False: nobody wants to know. */
bool service_look_for_stalls(struct service *s);
/* A worker whose loop has not turned since it was last asked to, or -1; those that have are
 * asked again. */
int service_stuck(struct service *s);

/* Sessions that have begun and not ended. */
uint64_t service_sessions(const struct service *s);
/* Stops accepting and begins to end all sessions, spread over spread_ms. */
void service_drain(struct service *s, uint32_t spread_ms);
/* Closes the listeners once no worker watches them. True when all workers have
 * drained. */
bool service_look(struct service *s);
/* Ends the workers, with resets for sessions that are left, and logs the totals. */
void service_stop(struct service *s);
