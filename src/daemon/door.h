/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One worker's watch over a gate (daemon/gate.h), with the settings that its next client is
 * accepted by. That worker's thread. */

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct gate;
struct proxy;
struct proxy_listener;
struct watch;
struct worker;

/* Of one worker. */
struct doors {
	struct worker *worker;
	struct proxy *proxy;
	struct list all;
};
void doors_init(struct doors *d, struct worker *w, struct proxy *p);

/* Begins to accept. False: the worker's loop cannot take it; nothing is left open. With
 * `insists` it is tried again until it can. */
bool door_open(struct doors *d, struct gate *g, struct proxy_listener *part, bool insists);
/* Whoever comes by the gate from now on has these settings; false: there is no door to it. */
bool door_change(struct doors *d, const struct gate *g, struct proxy_listener *part);
/* The gate will be closed: accepts what waits there, then calls fn(arg), perhaps at once. */
void door_finish(struct doors *d, const struct gate *g, void (*fn)(void *arg), void *arg);
/* Stops all; those that were finishing are finished. */
void doors_shut(struct doors *d);
