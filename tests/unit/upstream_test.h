/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Groups made for a test. */

#include "base/mem.h"
#include "upstream/balance.h"

#include <check.h>
#include <stdio.h>

/* n servers named a, b, c ... with the weights, which end with 0. */
static inline struct upstream_group *group_make(
        const char *name, enum upstream_balance balance, const unsigned *weights)
{
	struct upstream_group *g = upstream_group_new(name);
	struct upstream_server servers[UPSTREAM_SERVERS_MAX];
	unsigned n = 0;
	g->balance = balance;
	g->max_fails = 3;
	g->fail_timeout_ms = 10000;
	for (; weights[n]; n++) {
		char text[32];
		snprintf(text, sizeof text, "10.0.0.%u:80", n + 1);
		servers[n] = (struct upstream_server){
		        .name = mem_strdup(text), .port = 80, .weight = weights[n]};
		ck_assert(address_parse(&servers[n].address, text));
	}
	upstream_group_set_members(g, upstream_members_new(g, servers, n));
	return g;
}

static inline struct upstream_server *server_at(struct upstream_group *g, unsigned i)
{
	return &g->members->server[i];
}

static inline struct server_state *state_at(struct upstream_group *g, unsigned i)
{
	return g->members->server[i].state;
}

static const struct pick_request plain_request = {.now_ms = 1000, .sticky = -1};
