/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The control thread's loop: it waits for signals and for the workers' reports, and
 * leads the daemon from running to its end:
 *
 *     RUNNING --SIGTERM, SIGINT--> DRAINING --all drained, out of time, a second signal--> ENDED
 *
 * While it runs, SIGHUP has the configuration read again (daemon/reload.h). A stop that comes
 * at the same time goes before it. */

struct control;

/* Makes the loop and opens what it waits for. NULL with errno. */
struct control *control_new(void);
void control_free(struct control *c);
/* The eventfd for service_new(). */
int control_report_fd(const struct control *c);

struct service;

/* Returns when the service is to be stopped: all sessions have ended, or their
 * time is over. `path` is the configuration's. */
void control_run(struct control *c, struct service *s, const char *path);
