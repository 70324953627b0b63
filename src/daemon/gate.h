/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The addresses that the daemon listens at, each a gate: its sockets, and the listener whose
 * settings count there. A gate outlives configurations that keep its address, so its sockets
 * are never closed nor bound again. Control thread; workers read gates while they take a
 * configuration over (daemon/service.c), when the control thread leaves them alone. */

#include "net/listener.h"

#include <stdbool.h>
#include <stddef.h>

struct config;
struct config_bind;
struct config_errors;
struct proxy_listener;

struct gate {
	struct listener *listener;
	struct listener_settings settings; /* owns the text of `passed` */
	struct proxy_listener *part;       /* of the configuration in use, referenced */
	/* While another configuration is taken over. */
	const struct config_bind *wanted; /* what it wants here; NULL = nothing: the gate goes */
	bool is_new;
};

/* The gates of a configuration, in the order of its binds. */
struct gates {
	struct gate **at;
	size_t n;
};

/* Opens what the configuration wants, but for those gates of `now` that stay; to these nothing
 * happens yet. False when some cannot be opened, all of which is added to `why`: those that could
 * are closed again. */
bool gates_open(struct gates *next, struct gates *now, const struct config *c, unsigned workers,
        struct config_errors *why);
/* Gives the gates that stay their new settings. False, with the reason added to `why`: all is as
 * it was. */
bool gates_change(struct gates *next, struct config_errors *why);
/* After it was true: all is as it was. */
void gates_change_back(struct gates *next);
/* `next` is not taken over. */
void gates_drop(struct gates *next);
/* `next` will be in use, and no more clients come by the files of those that go. */
void gates_leave(struct gates *now);
/* All workers have taken over: closes the gates that are in `now` alone, and moves the
 * others. */
void gates_move(struct gates *now, struct gates *next);
void gates_close(struct gates *all);
/* `listening`, for the new ones. */
void gates_log(const struct gates *all);
