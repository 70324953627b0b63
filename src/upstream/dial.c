/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/dial.h"

#include "base/mem.h"
#include "net/plain.h"
#include "net/resolver.h"
#include "net/worker.h"
#include "upstream/group.h"

#include <errno.h>
#include <string.h>

enum { ADDRESSES_MAX = 16 }; /* of one name; a name with more is cut */

bool upstream_worker_new(struct worker *w)
{
	struct upstream_worker *u = mem_new(sizeof *u);
	u->connect = plain_connect;
	u->resolver = resolver_new(w);
	if (!u->resolver) {
		mem_free(u);
		return false;
	}
	w->layer[WORKER_UPSTREAM] = u;
	return true;
}

void upstream_worker_free(struct worker *w)
{
	struct upstream_worker *u = w->layer[WORKER_UPSTREAM];
	resolver_free(u->resolver);
	mem_free(u);
	w->layer[WORKER_UPSTREAM] = NULL;
}

static struct upstream_worker *shared(const struct dial *d)
{
	return d->worker->layer[WORKER_UPSTREAM];
}

static void on_resolved(void *owner, const struct address *found, size_t n, const char *error)
{
	struct dial *d = owner;
	d->resolving = NULL;
	if (n > ADDRESSES_MAX)
		n = ADDRESSES_MAX;
	if (n > 0 && !(d->found = mem_try(n * sizeof *found))) {
		d->fn(d, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		d->found[i] = found[i];
		address_set_port(&d->found[i], d->group->server.port);
	}
	d->found_n = n;
	d->fn(d, n ? NULL : error);
}

enum dial_start dial_start(
        struct dial *d, struct worker *w, const struct upstream_group *g, dial_fn fn)
{
	*d = (struct dial){.worker = w, .group = g, .fn = fn};
	if (!g->server.host)
		return DIAL_READY;
	d->resolving = resolver_start(shared(d)->resolver, g->server.host, on_resolved, d);
	return d->resolving ? DIAL_RESOLVING : DIAL_FAILED;
}

const struct address *dial_address(const struct dial *d)
{
	return d->found ? &d->found[d->next - 1] : &d->group->server.address;
}

struct stream *dial_next(struct dial *d, int *error)
{
	*error = 0;
	while (dial_has_next(d)) {
		const struct address *to =
		        d->found ? &d->found[d->next] : &d->group->server.address;
		d->next++;
		struct stream *s = shared(d)->connect(d->worker, to, &d->group->socket);
		if (s)
			return s;
		*error = errno;
	}
	return NULL;
}

void dial_end(struct dial *d)
{
	if (d->resolving)
		resolver_cancel(d->resolving);
	d->resolving = NULL;
	mem_free(d->found);
	d->found = NULL;
}
