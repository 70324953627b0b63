/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The limits of listeners and routes, judged as a whole. Control thread. */

struct draft;
struct draft_listener;
struct draft_route;
struct proxy_listener;

/* Moves the limits to the built listener. */
void build_listener_limits(struct draft *d, struct draft_listener *l, struct proxy_listener *built);
/* r->route has its settings. */
void build_route_limits(struct draft *d, struct draft_route *r);
