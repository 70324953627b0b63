/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/group.h"

#include "base/mem.h"

struct upstream_group *upstream_group_new(const char *name)
{
	struct upstream_group *g = mem_new(sizeof *g);
	g->name = mem_strdup(name);
	atomic_init(&g->refs, 1);
	return g;
}

struct upstream_group *upstream_group_ref(struct upstream_group *g)
{
	atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
	return g;
}

void upstream_group_unref(struct upstream_group *g)
{
	if (!g || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) > 1)
		return;
	mem_free(g->server.name);
	mem_free(g->server.host);
	mem_free(g->name);
	mem_free(g);
}
