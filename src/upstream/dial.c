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
	mailbox_init(&u->mailbox);
	w->layer[WORKER_UPSTREAM] = u;
	return true;
}

void upstream_worker_free(struct worker *w)
{
	struct upstream_worker *u = w->layer[WORKER_UPSTREAM];
	resolver_free(u->resolver);
	mailbox_fini(&u->mailbox);
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
		address_set_port(&d->found[i], d->server->port);
	}
	d->found_n = n;
	d->fn(d, n ? NULL : error);
}

enum dial_start dial_start(struct dial *d, struct worker *w, const struct upstream_group *g,
        const struct upstream_server *server, dial_fn fn)
{
	*d = (struct dial){.worker = w, .group = g, .server = server, .fn = fn};
	if (!server->host)
		return DIAL_READY;
	d->resolving = resolver_start(shared(d)->resolver, server->host, on_resolved, d);
	return d->resolving ? DIAL_RESOLVING : DIAL_FAILED;
}

static const struct address *address_at(const struct dial *d, size_t i)
{
	return d->found ? &d->found[i] : &d->server->address;
}

const struct address *dial_address(const struct dial *d)
{
	return address_at(d, d->next - 1);
}

/* The next source address for a connection to `to`, counted by *k; false when there is
 * none. Without any of its family the kernel chooses, once. */
static bool next_source(
        struct dial *d, const struct address *to, size_t *k, bool *found, struct socket_options *o)
{
	const struct upstream_group *g = d->group;
	unsigned turn = shared(d)->turn;
	o->source = NULL;
	for (; *k < g->source_n; ++*k) {
		const struct address *a = &g->source[(turn + *k) % g->source_n];
		if (a->sa.sa_family != to->sa.sa_family)
			continue;
		++*k;
		*found = true;
		o->source = a;
		return true;
	}
	bool is_first = !*found;
	*found = true;
	return is_first;
}

static struct stream *connect_from_any(struct dial *d, const struct address *to, int *error)
{
	struct socket_options o = d->group->socket;
	bool found = false;
	size_t k = 0;
	struct stream *s = NULL;
	*error = EADDRNOTAVAIL;
	while (!s && *error == EADDRNOTAVAIL && next_source(d, to, &k, &found, &o)) {
		s = shared(d)->connect(d->worker, to, &o);
		*error = s ? 0 : errno;
	}
	shared(d)->turn++;
	return s;
}

struct stream *dial_next(struct dial *d, int *error)
{
	*error = 0;
	while (dial_has_next(d)) {
		struct stream *s = connect_from_any(d, address_at(d, d->next++), error);
		if (s)
			return s;
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
