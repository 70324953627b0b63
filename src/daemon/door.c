/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/door.h"

#include "base/mem.h"
#include "daemon/gate.h"
#include "net/worker.h"
#include "proxy/proxy.h"

struct door {
	struct list node; /* doors->all */
	struct doors *owner;
	const struct gate *gate;
	struct watch *watch;
	struct proxy_door *inside;   /* referenced */
	void (*finished)(void *arg); /* NULL = it stays */
	void *arg;
};

void doors_init(struct doors *d, struct worker *w, struct proxy *p)
{
	*d = (struct doors){.worker = w, .proxy = p};
	list_init(&d->all);
}

static struct door *find(const struct doors *d, const struct gate *g)
{
	list_each (it, &d->all) {
		struct door *door = list_entry(it, struct door, node);
		if (door->gate == g)
			return door;
	}
	return NULL;
}

static void on_accept(struct worker *w, int fd, const struct address *peer, void *arg)
{
	struct door *door = arg;

	(void)w;
	proxy_accept(door->owner->proxy, fd, peer, door->inside);
}

static void door_free(struct door *door)
{
	list_remove(&door->node);
	proxy_door_change(door->inside, NULL);
	proxy_door_unref(door->inside);
	mem_free(door);
}

bool door_open(struct doors *d, struct gate *g, struct proxy_listener *part, bool insists)
{
	struct door *door = mem_new(sizeof(*door));

	*door = (struct door){.owner = d,
	        .gate = g,
	        .inside = proxy_door_new(part, address_port(listener_address(g->listener)))};
	list_append(&d->all, &door->node);
	door->watch = insists ? listener_watch_soon(g->listener, d->worker, on_accept, door)
	                      : listener_watch(g->listener, d->worker, on_accept, door);
	if (door->watch)
		return true;
	door_free(door);
	return false;
}

bool door_change(struct doors *d, const struct gate *g, struct proxy_listener *part)
{
	struct door *door = find(d, g);

	if (!door)
		return false;
	proxy_door_change(door->inside, part);
	return true;
}

/* It watches no more. */
static void on_finished(void *arg)
{
	struct door *door = arg;
	void (*finished)(void *arg) = door->finished;
	void *to = door->arg;

	listener_close_own(door->gate->listener, door->owner->worker->index);
	door_free(door);
	finished(to);
}

void door_finish(struct doors *d, const struct gate *g, void (*fn)(void *arg), void *arg)
{
	struct door *door = find(d, g);

	if (!door) {
		fn(arg);
		return;
	}
	door->finished = fn;
	door->arg = arg;
	watch_finish(door->watch, on_finished);
}

void doors_shut(struct doors *d)
{
	while (!list_is_empty(&d->all)) {
		struct door *door = list_entry(d->all.next, struct door, node);
		watch_stop(door->watch);
		if (door->finished)
			on_finished(door);
		else
			door_free(door);
	}
}
