/* SPDX-License-Identifier: BSD-2-Clause */

/* raw-forward: a TCP forwarder on bare epoll, as a competent programmer writes it plainly.
 * It looks at no byte. What it costs is the floor for any proxy in user space that reads
 * and writes: the other servers of the benchmark are measured against it.
 *
 *     raw-forward LISTEN UPSTREAM [THREADS] */

#include "util.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 64 * 1024, EVENTS = 256 };

struct side {
	struct pair *pair;
	int fd;
	uint32_t watched;
	bool ended;    /* fd's end was read */
	uint8_t *kept; /* what the other side sent and fd did not take yet */
	size_t kept_at, kept_len;
};

struct pair {
	struct side client, upstream;
	struct pair *next_dead;
	bool connecting, dead;
};

struct worker {
	struct sockaddr_in listen, upstream;
	int epoll, listener;
	struct pair *dead; /* freed after the events of one epoll_wait */
	uint8_t buffer[BUFFER];
};

static struct side *other(struct side *s)
{
	return s == &s->pair->client ? &s->pair->upstream : &s->pair->client;
}

static void side_watch(struct worker *w, struct side *s, uint32_t events)
{
	watch(w->epoll, s->fd, &s->watched, events, s);
}

static void pair_close(struct worker *w, struct pair *p)
{
	if (p->dead)
		return;
	p->dead = true;
	p->next_dead = w->dead;
	w->dead = p;
	close(p->client.fd);
	close(p->upstream.fd);
}

static void free_dead(struct worker *w)
{
	while (w->dead) {
		struct pair *p = w->dead;

		w->dead = p->next_dead;
		free(p->client.kept);
		free(p->upstream.kept);
		free(p);
	}
}

/* Passes on the end of `from`, once all that came before it has been written. */
static void pass_end(struct worker *w, struct side *from)
{
	struct side *to = other(from);

	if (!from->ended || to->kept)
		return;
	if (to->ended)
		pair_close(w, from->pair);
	else
		shutdown(to->fd, SHUT_WR);
}

static void keep(struct worker *w, struct side *to, const uint8_t *bytes, size_t len)
{
	to->kept = must_copy(bytes, len);
	to->kept_at = 0;
	to->kept_len = len;
	side_watch(w, to, to->watched | EPOLLOUT);
	side_watch(w, other(to), other(to)->watched & ~(uint32_t)EPOLLIN);
}

static void on_readable(struct worker *w, struct side *from)
{
	struct side *to = other(from);
	ssize_t sent, n = recv(from->fd, w->buffer, BUFFER, 0);

	if (n < 0) {
		if (errno != EAGAIN)
			pair_close(w, from->pair);
		return;
	}
	if (n == 0) {
		from->ended = true;
		side_watch(w, from, from->watched & ~(uint32_t)EPOLLIN);
		pass_end(w, from);
		return;
	}
	sent = send(to->fd, w->buffer, (size_t)n, MSG_NOSIGNAL);
	if (sent == n)
		return;
	if (sent < 0 && errno != EAGAIN)
		pair_close(w, from->pair);
	else
		keep(w, to, w->buffer + (sent > 0 ? sent : 0), (size_t)(n - (sent > 0 ? sent : 0)));
}

static void on_writable(struct worker *w, struct side *to)
{
	struct side *from = other(to);
	ssize_t n = send(to->fd, to->kept + to->kept_at, to->kept_len - to->kept_at, MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN)
			pair_close(w, to->pair);
		return;
	}
	to->kept_at += (size_t)n;
	if (to->kept_at < to->kept_len)
		return;
	free(to->kept);
	to->kept = NULL;
	side_watch(w, to, to->watched & ~(uint32_t)EPOLLOUT);
	if (from->ended)
		pass_end(w, from);
	else
		side_watch(w, from, from->watched | EPOLLIN);
}

static void on_connected(struct worker *w, struct pair *p)
{
	if (connect_result(p->upstream.fd) != 0) {
		pair_close(w, p);
		return;
	}
	p->connecting = false;
	side_watch(w, &p->upstream, EPOLLIN);
	side_watch(w, &p->client, EPOLLIN);
}

static void on_event(struct worker *w, struct side *s, uint32_t events)
{
	if (s->pair->dead)
		return;
	if (s->pair->connecting) {
		on_connected(w, s->pair);
		return;
	}
	if (s->kept && events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		on_writable(w, s);
	if (!s->pair->dead && s->watched & EPOLLIN && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		on_readable(w, s);
}

static void on_accept(struct worker *w)
{
	int fd = accept_from(w->listener);
	struct pair *p;

	if (fd < 0)
		return;
	p = must_alloc(sizeof(*p));
	p->client = (struct side){.pair = p, .fd = fd};
	p->upstream = (struct side){.pair = p, .fd = connect_to(&w->upstream, NULL)};
	p->connecting = true;
	side_watch(w, &p->upstream, EPOLLOUT);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct epoll_event events[EVENTS];
	uint32_t watched = 0;

	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(w->epoll, w->listener, &watched, EPOLLIN, NULL);
	for (;;) {
		int n = epoll_wait(w->epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				on_event(w, events[i].data.ptr, events[i].events);
			else
				on_accept(w);
		}
		free_dead(w);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t threads;

	if (argc < 3 || argc > 4)
		die("usage: raw-forward LISTEN UPSTREAM [THREADS]");
	threads = argc == 4 ? parse_number(argv[3], "threads") : 1;
	raise_descriptor_limit();
	for (uint64_t i = 0; i < threads; i++) {
		struct worker *w = must_alloc(sizeof(*w));
		pthread_t thread;

		w->listen = parse_address(argv[1]);
		w->upstream = parse_address(argv[2]);
		w->listener = listen_on(&w->listen, threads > 1);
		if (pthread_create(&thread, NULL, work, w) != 0)
			die("cannot start a thread");
	}
	for (;;)
		pause();
}
