/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/plain.h"

#include "net/sys.h"
#include "net/worker_private.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/* A descriptor is registered once, edge-triggered and for both directions, so a
 * connection costs one epoll_ctl, to add it (closing removes it); pausing, resuming
 * and waiting until it is writable cost none. In return nothing that an edge has told
 * may be forgotten; the rules:
 *
 * - A receive that fills less than it could has emptied the kernel's buffer, so what
 *   comes later makes a new edge. A full one has not: the stream goes on the ready list.
 * - The end of the peer, when it came before the edge was taken, makes no further
 *   edge. EPOLLRDHUP (EV_CLOSED) tells of it, and then it is read until it is found.
 * - A reset is known by its edge (sys.h: sys_tells_resets()) and read for as an end is, so
 *   one that came with bytes is found in the same turn, behind them. Behind an end no receive
 *   finds it: the kernel is asked for it, but only where nothing can be written any more,
 *   which a reset's edge leaves behind, or where an end came that no edge had told of.
 * - Where it is not, libevent turns EPOLLERR into EV_READ | EV_WRITE, without EV_CLOSED, which is
 *   also what bytes alone look like, and a reset that came with bytes in one edge is
 *   not seen after a short receive. So such a stream is `doubtful` until a later send
 *   works or a sweep, once a second over all that are, has received once more. It spares those
 *   whose doubt is of the same second: of busy streams half are always doubtful, each for
 *   a moment. Sweeps are late in a second, so that most doubts of it are resolved by then. */

enum { SWEEP_LATE_MS = 900, IOV_MAX_OUT = 64, STREAMS_PER_SLAB = 256 };

/* What a connection takes of memory in the kernel (socket, file, inode, watch) and in
 * libevent; its buffers not counted. */
enum { SOCKET_MEMORY = 4096 };

enum { KEEPALIVE_PROBES = 3 };

struct plain {
	struct stream stream;
	union {
		struct event event;
		struct retired retired; /* once released */
	};
};
_Static_assert(sizeof(struct plain) <= 232, "an idle connection stays small");

static struct plain *plain_of(struct stream *s)
{
	return list_entry(s, struct plain, stream);
}

static int fd_of(struct stream *s)
{
	return plain_of(s)->event.ev_fd; /* as event_get_fd(), without a call */
}

static bool is_gone(const struct stream *s)
{
	return s->flags & STREAM_RELEASED;
}

static void set(struct stream *s, unsigned flags)
{
	s->flags |= (uint16_t)flags;
}

static void unset(struct stream *s, unsigned flags)
{
	s->flags &= (uint16_t)~flags;
}

static void fail(struct stream *s, int error)
{
	if (s->flags & STREAM_CONNECTING && !(s->flags & STREAM_FAILED))
		counter_inc(&s->worker->counters.connect_errors);
	stream_fail(s, error);
}

static uint16_t second(const struct worker *w)
{
	return (uint16_t)(w->now_ms / 1000);
}

static void set_sweep(struct worker *w)
{
	uint64_t next_s = w->now_ms / 1000 + 1;
	worker_timer(w, &w->priv->sweep, next_s * 1000 + SWEEP_LATE_MS);
}

/* The kernel holds no more bytes, but possibly a reset. */
static void doubt(struct stream *s)
{
	struct worker *w = s->worker;

	set(s, STREAM_DOUBTFUL);
	s->doubt_s = second(w);
	if (!list_is_empty(&s->ready))
		return;
	list_append(&w->priv->doubtful, &s->ready);
	if (!timer_is_set(&w->priv->sweep))
		set_sweep(w);
}

static size_t receive_size(void)
{
	return budget_is_short() ? STREAM_SHORT_READ : WORKER_RX_SIZE;
}

static ssize_t receive(struct stream *s, size_t size)
{
	struct net_counters *c = &s->worker->counters;
	ssize_t n = sys_recv(fd_of(s), stream_open(s->worker->rx), size);

	counter_inc(&c->reads);
	if (n > 0)
		counter_add(&c->bytes_read, (uint64_t)n);
	return n;
}

/* After a receive of n > 0 bytes, into so much room: will an edge tell of more? */
static void after_bytes(struct stream *s, size_t n, size_t size)
{
	bool is_emptied = n < size && !sys_lied();

	if (s->flags & STREAM_PEER_CLOSED || !is_emptied) {
		stream_make_ready(s);
		return;
	}
	unset(s, STREAM_READABLE);
	if (!sys_tells_resets())
		doubt(s);
}

static void ask_for_error(struct stream *s)
{
	int error = sys_socket_error(fd_of(s));
	if (error) {
		fail(s, error);
		stream_tell_error(s);
	}
}

/* The end of the peer was received, which a reset may have followed in the same edge. */
static void end(struct stream *s)
{
	enum { AS_EVER = STREAM_PEER_CLOSED | STREAM_WRITABLE };
	bool is_as_ever = (s->flags & AS_EVER) == AS_EVER;

	unset(s, STREAM_READABLE);
	stream_tell_eof(s);
	if (!is_as_ever && !(s->flags & (STREAM_RELEASED | STREAM_FAILED)))
		ask_for_error(s);
}

/* One receive, and the owner told. */
static void read_once(struct stream *s)
{
	size_t size = receive_size();

	ssize_t n = receive(s, size);
	unset(s, STREAM_DOUBTFUL);
	if (n > 0) {
		after_bytes(s, (size_t)n, size);
		stream_deliver(s, (size_t)n);
	} else if (n == 0) {
		end(s);
	} else if (errno != EAGAIN) {
		fail(s, errno);
		stream_tell_error(s);
	} else if (sys_lied()) {
		stream_make_ready(s);
	} else {
		unset(s, STREAM_READABLE);
	}
}

/* The stream has failed, but what the peer sent before is the owner's. Each time one
 * receive, as in good days. */
static void read_last(struct stream *s)
{
	if (!(s->flags &
	            (STREAM_PAUSED | STREAM_EOF_SEEN | STREAM_CONNECTING | STREAM_ERROR_TOLD))) {
		ssize_t n = receive(s, receive_size());
		if (n > 0 || (n < 0 && sys_lied()))
			stream_make_ready(s);
		if (n > 0)
			stream_deliver(s, (size_t)n);
		if (n == 0)
			stream_tell_eof(s);
		if (s->flags & STREAM_READY)
			return;
	}
	stream_tell_error(s);
}

/* After a send of `all` bytes, of which `done` went. Returns how many did, or -1: it has failed. */
static inline ssize_t after_send(struct stream *s, ssize_t done, size_t all)
{
	struct net_counters *c = &s->worker->counters;

	counter_inc(&c->writes);
	if (done < 0 && errno != EAGAIN) {
		fail(s, errno);
		return -1;
	}
	done = done < 0 ? 0 : done;
	if (done > 0 && s->flags & STREAM_CONNECTING)
		set(s, STREAM_TAKEN);
	counter_add(&c->bytes_written, (uint64_t)done);
	unset(s, STREAM_DOUBTFUL);
	if ((size_t)done == all) {
		set(s, STREAM_WRITABLE);
	} else if (sys_lied()) {
		set(s, STREAM_WRITABLE);
		stream_make_ready(s);
	} else {
		unset(s, STREAM_WRITABLE);
	}
	return done;
}

/* One piece, with nothing queued before it. */
static inline bool send_piece(struct stream *s, const struct slice *v)
{
	ssize_t done = after_send(s, sys_send(fd_of(s), v->at, v->len), v->len);

	return done >= 0 && ((size_t)done == v->len || stream_keep(s, v, 1, (size_t)done));
}

/* Sends `all` bytes as far as they go. Returns as after_send(). */
static ssize_t transmit(struct stream *s, const struct iovec *v, int n, size_t all)
{
	int fd = fd_of(s);
	ssize_t done = n == 1 ? sys_send(fd, v->iov_base, v->iov_len) : sys_writev(fd, v, n);

	return after_send(s, done, all);
}

static bool send_pieces(struct stream *s, const struct slice *v, size_t n)
{
	struct iovec iov[IOV_MAX_OUT];
	size_t all = 0;
	ssize_t done = 0;

	assert(n <= IOV_MAX_OUT);
	if (queue_is_empty(&s->out)) {
		for (size_t i = 0; i < n; i++) {
			/* Sending does not write through the pointer. */
			iov[i] = (struct iovec){(void *)(uintptr_t)v[i].at, v[i].len};
			all += v[i].len;
		}
		if (all == 0)
			return true;
		done = transmit(s, iov, (int)n, all);
		if (done < 0)
			return false;
		if ((size_t)done == all)
			return true;
	}
	return stream_keep(s, v, n, (size_t)done);
}

static bool plain_send(struct stream *s, const struct slice *v, size_t n)
{
	if (s->flags & (STREAM_FAILED | STREAM_SHUTDOWN | STREAM_RELEASED))
		return false;
	if (n == 1 && v->len > 0 && queue_is_empty(&s->out))
		return send_piece(s, v);
	return send_pieces(s, v, n);
}

static void send_fin(struct stream *s)
{
	if ((s->flags & (STREAM_SHUTDOWN | STREAM_FIN_SENT | STREAM_CONNECTING | STREAM_FAILED)) !=
	                STREAM_SHUTDOWN ||
	        !queue_is_empty(&s->out))
		return;
	set(s, STREAM_FIN_SENT);
	if (sys_shutdown(fd_of(s)) < 0)
		fail(s, errno);
}

static void plain_shutdown(struct stream *s)
{
	set(s, STREAM_SHUTDOWN);
	send_fin(s);
}

static bool plain_send_last(struct stream *s, const struct slice *v, size_t n)
{
	bool sent;

	if (n != 1 || v->len == 0 || !queue_is_empty(&s->out) ||
	        s->flags &
	                (STREAM_FAILED | STREAM_SHUTDOWN | STREAM_RELEASED | STREAM_CONNECTING)) {
		sent = plain_send(s, v, n);
	} else {
		ssize_t done = after_send(s, sys_send_last(fd_of(s), v->at, v->len), v->len);
		sent = done >= 0 && stream_keep(s, v, n, (size_t)done);
	}
	plain_shutdown(s);
	return sent;
}

/* Sends from the queue, once. */
static void flush(struct stream *s)
{
	struct iovec iov[IOV_MAX_OUT];
	uint32_t before = s->out.bytes;
	int n = queue_iov(&s->out, iov, IOV_MAX_OUT);
	size_t all = 0;

	for (int i = 0; i < n; i++)
		all += iov[i].iov_len;
	ssize_t done = transmit(s, iov, n, all);
	if (done <= 0)
		return;
	stream_sent(s, (size_t)done);
	if (!queue_is_empty(&s->out) && s->flags & STREAM_WRITABLE)
		stream_make_ready(s);
	send_fin(s);
	stream_drained(s, before);
}

/* The first event of a socket that was connecting. */
static void finish_connect(struct stream *s)
{
	int error = s->flags & STREAM_TAKEN ? 0 : sys_socket_error(fd_of(s));

	if (error) {
		fail(s, error);
		stream_tell_error(s);
		return;
	}
	unset(s, STREAM_CONNECTING | STREAM_TAKEN);
	counter_inc(&s->worker->counters.connects);
	stream_tell_connected(s);
	if (!is_gone(s))
		send_fin(s);
}

/* See sys_tells_resets(). An end has EV_READ too. */
static bool is_reset(short what)
{
	return (what & (EV_READ | EV_CLOSED)) == EV_CLOSED;
}

/* A reset that no receive will find: because none is made, or because the peer had
 * ended already. */
static void look_for_error(struct stream *s, short what)
{
	bool may_be_reset = is_reset(what) || (what & (EV_READ | EV_CLOSED)) == EV_READ;

	if (may_be_reset && s->flags & (STREAM_PAUSED | STREAM_EOF_SEEN))
		ask_for_error(s);
}

static bool wants_read(const struct stream *s)
{
	return (s->flags & (STREAM_READABLE | STREAM_PAUSED | STREAM_EOF_SEEN | STREAM_FAILED |
	                           STREAM_RELEASED)) == STREAM_READABLE;
}

static void on_event(evutil_socket_t fd, short what, void *arg);

static void soon(struct stream *s, bool next)
{
	if (s->events->on_soon)
		s->events->on_soon(s, next);
}

/* Possibly that of no stream, which does no harm. */
static void fetch_behind(const struct event_callback *c)
{
	const struct event_callback *behind = c->evcb_active_next.tqe_next;

	if (behind)
		stream_fetch(
		        &list_entry((uintptr_t)behind, struct plain, event.ev_evcallback)->stream);
}

/* More than stay in the cache; all tests look ahead. */
static bool are_many(const struct worker *w)
{
#ifdef MOONGATE_FAULTS
	(void)w;
	return true;
#else
	return w->priv->plain.used >= 512;
#endif
}

/* With many streams each message finds all that is known of its stream outside the processor's
 * cache. What is served next, libevent has in its list: an event was taken out of it just
 * now, and still points to the one behind. So the events' memory is fetched two ahead, what
 * lies around the owner one ahead, and where it leads to in front of the receive. */
static void look_ahead(struct stream *s)
{
	struct event_callback *next = plain_of(s)->event.ev_evcallback.evcb_active_next.tqe_next;
	bool is_stream = next && next->evcb_cb_union.evcb_callback == on_event;

	s->worker->next = is_stream ? next->evcb_arg : NULL;
	if (!are_many(s->worker))
		return;
	if (is_stream) {
		fetch_behind(next);
		soon(next->evcb_arg, true);
	}
	soon(s, false);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	struct stream *s = arg;

	look_ahead(s);
	worker_read_clock(s->worker);
	if (s->flags & STREAM_FAILED)
		return; /* on the ready list, or told */
	if (what & EV_CLOSED)
		set(s, STREAM_PEER_CLOSED | STREAM_READABLE);
	if (what & EV_READ)
		set(s, STREAM_READABLE);
	if (s->flags & STREAM_CONNECTING)
		finish_connect(s);
	if ((what & EV_WRITE || is_reset(what)) && !queue_is_empty(&s->out))
		flush(s);
	if (is_reset(what))
		unset(s, STREAM_WRITABLE);
	if (!is_gone(s) && !(s->flags & STREAM_FAILED))
		look_for_error(s, what);
	if (wants_read(s))
		read_once(s);
}

static void plain_wake(struct stream *s)
{
	if (s->flags & STREAM_FAILED) {
		read_last(s);
		return;
	}
	if (s->flags & STREAM_WRITABLE && !queue_is_empty(&s->out))
		flush(s);
	if (is_gone(s) || s->flags & STREAM_FAILED)
		return;
	if (s->flags & STREAM_DOUBTFUL)
		set(s, STREAM_READABLE);
	if (wants_read(s))
		read_once(s);
	else if (s->flags & STREAM_PAUSED && s->flags & STREAM_PEER_CLOSED)
		ask_for_error(s); /* paused by the bytes that a reset may have come with */
}

/* One more receive; a paused stream is only asked. */
static void resolve(struct stream *s)
{
	if (!(s->flags & STREAM_PAUSED)) {
		stream_make_ready(s);
		return;
	}
	int error = sys_socket_error(fd_of(s));
	if (error)
		fail(s, error);
}

/* All doubtful streams, those of this second excepted. Whoever has doubted in it stays in the
 * list, so that of busy streams nothing is written, and they keep the order in which they came,
 * which is nearly that in memory. */
void plain_sweep(struct timer *t)
{
	struct worker_private *p = list_entry(t, struct worker_private, sweep);
	struct worker *w = NULL;

	for (struct list *next, *it = p->doubtful.next; it != &p->doubtful; it = next) {
		struct stream *s = list_entry(it, struct stream, ready);
		next = it->next;
		w = s->worker;
		if (s->doubt_s == second(w))
			continue;
		list_remove(it);
		if (s->flags & STREAM_DOUBTFUL)
			resolve(s);
	}
	if (!list_is_empty(&p->doubtful))
		set_sweep(w);
}

static void free_plain(struct retired *r)
{
	struct plain *p = list_entry(r, struct plain, retired);
	pool_put(&p->stream.worker->priv->plain, p);
}

static void plain_release(struct stream *s, bool reset)
{
	struct plain *p = plain_of(s);
	int fd = fd_of(s);

	sys_close_follows(fd);
	event_del(&p->event);
	sys_close_follows(-1);
	if (reset)
		sys_close_reset(fd);
	else
		sys_close(fd);
	budget_take(-SOCKET_MEMORY);
	worker_retire(s->worker, &p->retired, free_plain);
}

static bool plain_is_delivered(struct stream *s)
{
	return s->flags & STREAM_FAILED || sys_unsent(fd_of(s)) == 0;
}

static bool plain_is_quiet(struct stream *s)
{
	return sys_is_empty(fd_of(s));
}

static bool plain_local(struct stream *s, struct address *out)
{
	*out = (struct address){.len = sizeof out->storage};
	return sys_getsockname(fd_of(s), &out->sa, &out->len) == 0;
}

/* The kernel counts in seconds. */
static int seconds(uint32_t ms)
{
	return ms < 1000 ? 1 : (int)(ms / 1000);
}

static void set_keepalive(int fd, uint32_t idle_ms)
{
	sys_setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	sys_setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds(idle_ms));
	sys_setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds(idle_ms / KEEPALIVE_PROBES));
	sys_setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

static void set_first_options(int fd, int family, const struct socket_options *o)
{
	if (o->send_buffer)
		sys_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, (int)o->send_buffer);
	if (o->receive_buffer)
		sys_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, (int)o->receive_buffer);
	if (family == AF_UNIX)
		return;
	sys_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	/* Of a socket that connects it means that the kernel acknowledges the peer's SYN with
	 * the first bytes, and not before; if none come, 200 ms later. */
	if (o->speaks_first)
		sys_setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
}

/* The options by which the kernel looks after the peer. */
static void set_care(int fd, const struct socket_options *o)
{
	if (o->keepalive_ms)
		set_keepalive(fd, o->keepalive_ms);
	if (o->user_timeout_ms)
		sys_setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)o->user_timeout_ms);
}

void plain_set_options(int fd, int family, const struct socket_options *o)
{
	set_first_options(fd, family, o);
	if (family != AF_UNIX)
		set_care(fd, o);
}

/* That it is none of TCP costs a few calls that fail, once. */
static void plain_settle(struct stream *s, const struct socket_options *o)
{
	if (!(s->flags & STREAM_FAILED))
		set_care(fd_of(s), o);
}

static bool plain_option(struct stream *s, int level, int name, int *value, bool set)
{
	int fd = fd_of(s);
	return set ? sys_setsockopt(fd, level, name, *value) == 0
	           : sys_getsockopt(fd, level, name, value) == 0;
}

static const struct stream_ops ops = {
        .send = plain_send,
        .shutdown = plain_shutdown,
        .send_last = plain_send_last,
        .wake = plain_wake,
        .release = plain_release,
        .local = plain_local,
        .option = plain_option,
        .settle = plain_settle,
        .is_delivered = plain_is_delivered,
        .is_quiet = plain_is_quiet,
};

void plain_pool_init(struct pool *pool)
{
	pool_init(pool, sizeof(struct plain), STREAMS_PER_SLAB);
}

/* NULL with errno, and fd closed, when memory is short. */
static struct stream *adopt(struct worker *w, int fd, unsigned flags)
{
	struct plain *p = pool_get(&w->priv->plain);

	if (p) {
		event_assign(&p->event, w->base, fd,
		        EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, on_event, &p->stream);
		if (sys_event_add(&p->event) == 0) {
			stream_init(&p->stream, &ops, w);
			set(&p->stream, flags);
			budget_take(SOCKET_MEMORY);
			return &p->stream;
		}
		pool_put(&w->priv->plain, p);
	}
	sys_close(fd);
	errno = ENOMEM;
	return NULL;
}

struct stream *plain_accepted(struct worker *w, int fd)
{
	return adopt(w, fd, STREAM_WRITABLE);
}

/* The port is chosen only when the destination is known, so that all ports can be used
 * towards each destination. */
static bool bind_source(int fd, const struct address *source)
{
	if (!source)
		return true;
	sys_setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	if (sys_bind(fd, &source->sa, source->len) == 0)
		return true;
	if (errno == EADDRNOTAVAIL)
		errno = ENODEV;
	return false;
}

struct stream *plain_connect(
        struct worker *w, const struct address *to, const struct socket_options *o)
{
	struct stream *s = NULL;
	int fd = sys_socket(to->sa.sa_family, SOCK_STREAM);

	if (fd >= 0) {
		set_first_options(fd, to->sa.sa_family, o);
		/* Registered only now: before, epoll would report it as hung up. */
		if (bind_source(fd, o->source) &&
		        (sys_connect(fd, &to->sa, to->len) == 0 || errno == EINPROGRESS))
			s = adopt(w, fd, STREAM_CONNECTING | STREAM_WRITABLE);
		else
			sys_close(fd);
	}
	/* Whether a unix socket's full queue is one is the caller's to say, who may try again. */
	if (!s && (errno != EAGAIN || to->sa.sa_family != AF_UNIX))
		counter_inc(&w->counters.connect_errors);
	return s;
}
