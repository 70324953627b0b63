/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/dial.h"

#include "base/mem.h"
#include "net/plain.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "net/tls_stream.h"
#include "net/worker.h"
#include "upstream/group.h"
#include "upstream/spare.h"

#include <errno.h>
#include <string.h>

enum {
	ADDRESSES_MAX = 16, /* that one session tries of a name with more */
	STAGGER_MS = 250,   /* RFC 8305 5 */
	KNOCK_MS = 5,       /* from one look at a full queue to the next: the first time, */
	KNOCK_DOUBLES = 5,  /* and so often twice as long */
};

/* One of several addresses that are being connected to. */
struct attempt {
	struct list node;
	struct dial *dial;
	struct stream *stream;
	size_t address;
};

const struct counter_info upstream_counter_info[] = {UPSTREAM_COUNTERS(COUNTER_INFO)};
const unsigned upstream_counter_n = sizeof upstream_counter_info / sizeof *upstream_counter_info;

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
	u->spares = spares_new(w);
	spare_pace_init(&u->pace, w);
	w->layer[WORKER_UPSTREAM] = u;
	return true;
}

void upstream_worker_free(struct worker *w)
{
	struct upstream_worker *u = w->layer[WORKER_UPSTREAM];
	spares_free(u->spares);
	spare_pace_fini(&u->pace);
	resolver_free(u->resolver);
	mailbox_fini(&u->mailbox);
	mem_free(u);
	w->layer[WORKER_UPSTREAM] = NULL;
}

static struct upstream_worker *shared(const struct dial *d)
{
	return d->worker->layer[WORKER_UPSTREAM];
}

static const struct address *address_at(const struct dial *d, size_t i)
{
	return d->found ? &d->found[i] : &d->server->address;
}

const struct address *dial_address(const struct dial *d)
{
	return address_at(d, d->address);
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

static struct stream *connect_from_any(
        struct dial *d, const struct address *to, bool speaks_first, int *error)
{
	struct socket_options o = d->group->socket;
	o.speaks_first = speaks_first;
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

/* ---- several addresses at a time ---- */

static void try_more(struct dial *d);

static void end_attempt(struct attempt *a)
{
	list_remove(&a->node);
	if (a->stream)
		stream_free(a->stream, false);
	mem_free(a);
}

static void end_attempts(struct dial *d)
{
	timer_clear(&d->worker->wheel, &d->stagger);
	while (!list_is_empty(&d->attempts))
		end_attempt(list_entry(d->attempts.next, struct attempt, node));
}

/* The others are given up. */
static void win(struct attempt *a)
{
	struct dial *d = a->dial;
	d->winner = a->stream;
	d->address = a->address;
	a->stream = NULL;
	end_attempts(d);
	d->fn(d, NULL);
}

static void on_connect(struct stream *s)
{
	win(s->owner);
}

static void on_end(struct stream *s, enum stream_end end, int error)
{
	struct attempt *a = s->owner;
	struct dial *d = a->dial;
	if (end != STREAM_ERROR)
		return;
	d->error = error;
	end_attempt(a);
	try_more(d);
}

/* Nothing comes before the connection stands, and then the events are another's. */
static void on_data(struct stream *s, uint8_t *buf, size_t len)
{
	(void)s, (void)buf, (void)len;
}

static void on_drain(struct stream *s)
{
	(void)s;
}

static const struct stream_events attempt_events = {
        .on_data = on_data,
        .on_end = on_end,
        .on_drain = on_drain,
        .on_connect = on_connect,
};

static void on_stagger(struct timer *t)
{
	try_more(list_entry(t, struct dial, stagger));
}

/* False: not this one; d->error tells why. */
static bool begin_attempt(struct dial *d)
{
	struct attempt *a = mem_try(sizeof *a);
	if (!a) {
		d->error = ENOMEM;
		return false;
	}
	*a = (struct attempt){.dial = d, .address = d->next};
	list_init(&a->node);
	a->stream = connect_from_any(d, address_at(d, d->next), false, &d->error);
	if (!a->stream) {
		mem_free(a);
		return false;
	}
	a->stream->events = &attempt_events;
	a->stream->owner = a;
	list_append(&d->attempts, &a->node);
	return true;
}

/* The last one, when no other is under way, is the caller's to await: it can be sent to
 * while it connects. */
static bool is_alone(const struct dial *d)
{
	return list_is_empty(&d->attempts) && d->next + 1 == d->found_n;
}

static void try_more(struct dial *d)
{
	while (d->next < d->found_n && !is_alone(d)) {
		bool has_begun = begin_attempt(d);
		d->next++;
		if (!has_begun)
			continue;
		struct attempt *a = list_entry(d->attempts.prev, struct attempt, node);
		if (!(a->stream->flags & STREAM_CONNECTING))
			win(a);
		else if (d->next < d->found_n)
			worker_timer(d->worker, &d->stagger, d->worker->now_ms + STAGGER_MS);
		return;
	}
	if (!list_is_empty(&d->attempts))
		return;
	timer_clear(&d->worker->wheel, &d->stagger);
	d->fn(d, NULL);
}

/* ---- names ---- */

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
	if (n > 0)
		try_more(d);
	else
		d->fn(d, error);
}

enum dial_start dial_start(struct dial *d, struct worker *w, const struct upstream_group *g,
        const struct upstream_server *server, dial_fn fn)
{
	*d = (struct dial){.worker = w, .group = g, .server = server, .fn = fn};
	list_init(&d->attempts);
	timer_init(&d->stagger, on_stagger);
	if (server->host)
		d->resolving = resolver_start(shared(d)->resolver, server->host, on_resolved, d);
	else
		d->found_n = 1;
	return d->found_n ? DIAL_READY : d->resolving ? DIAL_RESOLVING : DIAL_FAILED;
}

/* Whose certificate is wanted: the name's, or the address's. */
static const char *identity_of(const struct upstream_server *server, char text[ADDRESS_TEXT_MAX])
{
	struct address_brief a;
	if (server->host)
		return server->host;
	address_brief(&a, &server->address);
	return a.family == AF_UNIX ? "localhost" : address_brief_ip(&a, text);
}

/* NULL, and the stream freed, when memory is short. */
static struct stream *secure(struct dial *d, struct stream *s)
{
	char text[ADDRESS_TEXT_MAX];
	if (!s || !d->server->is_secure || d->stays_clear || stream_is_tls(s))
		return s;
	if (d->in_clear)
		d->in_clear(d, s);
	if (tls_connect(s, d->group->tls, identity_of(d->server, text), d->server->state->key))
		return s;
	stream_free(s, false);
	d->error = ENOMEM;
	return NULL;
}

void dial_start_ready(struct dial *d, struct worker *w, const struct upstream_group *g,
        const struct upstream_server *server, struct stream *s, struct address *address, dial_fn fn)
{
	*d = (struct dial){.worker = w, .group = g, .server = server, .fn = fn};
	list_init(&d->attempts);
	timer_init(&d->stagger, on_stagger);
	d->winner = s;
	d->is_spare = true;
	d->found_n = d->next = 1;
	d->found = address;
}

/* What connect(2) says of a unix socket with as many waiting as its backlog allows. */
static bool is_full(const struct dial *d)
{
	return d->error == EAGAIN && dial_address(d)->sa.sa_family == AF_UNIX;
}

static void knock_again(struct dial *d)
{
	uint64_t wait_ms = KNOCK_MS;
	wait_ms <<= d->knocks < KNOCK_DOUBLES ? d->knocks : KNOCK_DOUBLES;
	d->knocks++;
	d->next = d->address;
	worker_timer(d->worker, &d->stagger, d->worker->now_ms + wait_ms);
}

bool dial_is_waiting(const struct dial *d)
{
	return timer_is_set(&d->stagger);
}

struct stream *dial_next(struct dial *d, int *error)
{
	struct stream *s = d->winner;
	d->winner = NULL;
	if (!s && d->next < d->found_n) {
		d->address = d->next++;
		s = connect_from_any(d, dial_address(d), d->speaks_first, &d->error);
		if (!s && is_full(d))
			knock_again(d);
	}
	s = secure(d, s);
	*error = s ? 0 : d->error;
	return s;
}

bool dial_is_own_lack(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
	       error == EADDRNOTAVAIL || error == ENODEV;
}

void dial_end(struct dial *d)
{
	if (!d->worker)
		return;
	if (d->resolving)
		resolver_cancel(d->resolving);
	d->resolving = NULL;
	end_attempts(d);
	if (d->winner)
		stream_free(d->winner, false);
	d->winner = NULL;
	mem_free(d->found);
	d->found = NULL;
	if (d->is_setup)
		spare_pace_setup_over(&shared(d)->pace);
	d->worker = NULL;
}
