/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* SIGHUP: another configuration takes the place of the one in use, while everything goes on.
 * It is read, checked and made ready beside the other; an error anywhere in it leaves
 * everything as it was, and is told in the log and to the service manager. Then the workers
 * take it over, for which nobody waits: a worker that is stuck holds up no signal.
 *
 *   IDLE --SIGHUP--> refused --> IDLE
 *          +-------> SWAPPING --all workers have it--> IDLE
 *
 * A SIGHUP that comes meanwhile is remembered, however many there are: once more. Control
 * thread. */

struct config_errors;
struct event_base;
struct reload;
struct service;

/* `path` is the configuration's, borrowed. NULL with errno. */
struct reload *reload_new(const char *path, struct service *s, struct event_base *base);
void reload_free(struct reload *r);
void reload_request(struct reload *r);
/* A worker has reported something. */
void reload_look(struct reload *r);
/* The daemon is about to end: what has begun is finished, nothing more begins. */
void reload_stop(struct reload *r);

/* What is said of a configuration, in the log: a line each, config_error or config_warning. */
void reload_log_lines(const struct config_errors *e);
