/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/datagram.h"

#include "base/mem.h"
#include "net/sys.h"
#include "net/worker_private.h"

#include <errno.h>

struct datagram {
	struct retired retired;
	struct worker *worker;
	struct event event;
	datagram_fn fn; /* NULL = closed */
	void *owner;
	int fd;
};

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct datagram *d = arg;
	(void)fd, (void)what;
	if (d->fn)
		d->fn(d->owner);
}

/* A unix socket needs a name of its own, or it gets no answers: the kernel makes one up. */
static bool name_it(int fd, const struct address *to, const struct address *source)
{
	if (to->sa.sa_family == AF_UNIX)
		return sys_bind(fd, &(struct sockaddr){.sa_family = AF_UNIX},
		               sizeof(sa_family_t)) == 0;
	return !source || sys_bind(fd, &source->sa, source->len) == 0;
}

struct datagram *datagram_open(struct worker *w, const struct address *to,
        const struct address *source, datagram_fn fn, void *owner)
{
	struct datagram *d = mem_try(sizeof *d);
	int fd = d ? sys_socket(to->sa.sa_family, SOCK_DGRAM) : -1;
	if (!d)
		errno = ENOMEM;
	if (fd >= 0 && name_it(fd, to, source) && sys_connect(fd, &to->sa, to->len) == 0) {
		*d = (struct datagram){.worker = w, .fn = fn, .owner = owner, .fd = fd};
		event_assign(&d->event, w->base, fd, EV_READ | EV_ET | EV_PERSIST, on_event, d);
		if (sys_event_add(&d->event) == 0)
			return d;
		errno = ENOMEM;
	}
	int error = errno;
	if (fd >= 0)
		sys_close(fd);
	mem_free(d);
	errno = error;
	return NULL;
}

ssize_t datagram_send(struct datagram *d, const void *bytes, size_t len)
{
	return sys_send(d->fd, bytes, len);
}

ssize_t datagram_receive(struct datagram *d, void *buf, size_t len)
{
	return sys_recv(d->fd, buf, len);
}

static void free_datagram(struct retired *r)
{
	mem_free(list_entry(r, struct datagram, retired));
}

void datagram_close(struct datagram *d)
{
	if (!d)
		return;
	event_del(&d->event);
	sys_close(d->fd);
	d->fn = NULL;
	worker_retire(d->worker, &d->retired, free_datagram);
}
