/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/spare_server.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "net/stream.h"
#include "upstream/group.h"
#include "upstream/spare_make.h"
#include "upstream/spare_pace.h"

enum {
	AHEAD_MS = 1000, /* before one's time is over its successor is made */
	SOUND_MS = 1000, /* one that lived so long was well received */
	MAKING_MAX = 16, /* at a time */
	DELAY_MIN_MS = 100,
	DELAY_MAX_MS = 10000,
};

/* A connection that waits to be used. */
struct spare {
	struct list node; /* server->ready, the oldest first */
	struct spare_server *server;
	struct stream *stream;
	struct address *address; /* owned; NULL unless the server has a name */
	uint64_t since_ms, until_ms;
	uint64_t doubt_ms; /* when something was found to have come; 0 = nothing */
	struct retired retired;
};

static struct upstream_worker *shared(const struct spare_server *x)
{
	return x->group->worker->layer[WORKER_UPSTREAM];
}

static struct upstream_counters *counters_of(const struct spare_server *x)
{
	return &shared(x)->counters;
}

static uint64_t now_of(const struct spare_server *x)
{
	return x->group->worker->now_ms;
}

/* ---- places ---- */

static bool take_place(struct spare_server *x)
{
	return !x->is_counted || holder_take(&x->holder, x->server->max_connections);
}

static void give_place(struct spare_server *x)
{
	if (x->is_counted)
		holder_give(&x->holder, now_of(x));
}

/* ---- pace ---- */

/* When the next may be made; while not all is well, one at a time. */
static uint64_t due_ms(const struct spare_server *x)
{
	return x->delay_ms && x->one_ms > x->next_ms ? x->one_ms : x->next_ms;
}

static void slow_down(struct spare_server *x)
{
	x->delay_ms = x->delay_ms ? 2 * x->delay_ms : DELAY_MIN_MS;
	if (x->delay_ms > DELAY_MAX_MS)
		x->delay_ms = DELAY_MAX_MS;
	x->next_ms = now_of(x) + x->delay_ms - x->delay_ms / 10 + random_below(x->delay_ms / 5);
}

/* ---- ready ones ---- */

static void free_spare(struct retired *r)
{
	struct spare *s = list_entry(r, struct spare, retired);
	mem_free(s->address);
	mem_free(s);
}

/* Takes it off the list; its stream and its place are the caller's. */
static struct stream *spare_take_out(struct spare *s)
{
	struct stream *stream = s->stream;
	list_remove(&s->node);
	s->server->ready_n--;
	s->server->doubt_n -= s->doubt_ms > 0;
	worker_retire(s->server->group->worker, &s->retired, free_spare);
	return stream;
}

static void spare_close(struct spare *s)
{
	struct spare_server *x = s->server;
	stream_free(spare_take_out(s), false);
	give_place(x);
}

/* Its server has ended it, or has sent what nobody asked for. */
static void spare_die(struct spare *s)
{
	struct spare_server *x = s->server;
	bool was_short = now_of(x) - s->since_ms < SOUND_MS;
	counter_inc(&counters_of(x)->spares_died);
	if (was_short && now_of(x) >= x->next_ms)
		slow_down(x);
	spare_close(s);
	spare_look_soon(x->group);
}

static void on_data(struct stream *s, uint8_t *buf, size_t len)
{
	(void)buf, (void)len;
	spare_die(s->owner);
}

static void on_end(struct stream *s, enum stream_end end, int error)
{
	(void)end, (void)error;
	spare_die(s->owner);
}

static void on_drain(struct stream *s)
{
	(void)s;
}

static const struct stream_events spare_events = {
        .on_data = on_data,
        .on_end = on_end,
        .on_drain = on_drain,
};

/* ---- making them ---- */

static bool keep(struct spare_server *x, struct stream *stream, const struct address *address)
{
	bool has_name = x->server->host != NULL;
	struct spare *s = mem_try(sizeof *s);
	struct address *copy = has_name ? mem_try(sizeof *copy) : NULL;
	if (!s || (has_name && !copy)) {
		mem_free(s);
		mem_free(copy);
		return false;
	}
	uint64_t now = now_of(x);
	*s = (struct spare){.server = x,
	        .stream = stream,
	        .address = copy,
	        .since_ms = now,
	        .until_ms = now + x->group->group->spare_idle_ms};
	if (copy)
		*copy = *address;
	stream->owner = s;
	stream->events = &spare_events;
	list_init(&s->node);
	list_append(&x->ready, &s->node);
	x->ready_n++;
	return true;
}

static void log_failed(const struct spare_server *x, const char *reason)
{
	struct log_line l;
	if (!log_is_on(LOG_LEVEL_INFO))
		return;
	log_begin(&l, LOG_LEVEL_INFO, "spare_failed");
	log_text(&l, "upstream", x->group->group->name);
	log_text(&l, "server", x->state->name);
	log_text(&l, "reason", reason);
	log_end(&l);
}

/* Of those that were under way together the first to fail tells of all. */
static void failed(struct spare_server *x, const char *reason, bool is_ours)
{
	const struct upstream_group *g = x->group->group;
	counter_inc(&counters_of(x)->spares_failed);
	if (now_of(x) < x->next_ms)
		return;
	slow_down(x);
	log_failed(x, reason);
	if (!is_ours)
		server_state_fail(
		        x->state, false, g->max_fails, g->fail_timeout_ms, now_of(x), reason);
}

static void on_made(void *owner, const struct spare_made *made)
{
	struct spare_server *x = owner;
	x->making_n--;
	if (made->stream && keep(x, made->stream, made->address)) {
		counter_inc(&counters_of(x)->spares_opened);
	} else {
		if (made->stream)
			stream_free(made->stream, false);
		give_place(x);
		failed(x, made->stream ? "out of memory" : made->reason,
		        made->stream || made->is_ours);
	}
	spare_look_soon(x->group);
}

/* False: not now. */
static bool make_one(struct spare_server *x)
{
	if (budget_is_short() || !take_place(x))
		return false;
	struct spare_group *g = x->group;
	struct spare_make *m = spare_make_new(g->worker, g->group, g->members, x->server);
	if (!m) {
		give_place(x);
		return false;
	}
	x->making_n++;
	x->one_ms = now_of(x) + x->delay_ms;
	spare_make_start(m, &x->making, on_made, x);
	return true;
}

static void close_all(struct spare_server *x)
{
	x->lack_n = 0;
	list_remove(&x->turn);
	for (; !list_is_empty(&x->making); x->making_n--) {
		spare_make_cancel(list_entry(x->making.next, struct spare_make, node));
		give_place(x);
	}
	while (!list_is_empty(&x->ready))
		spare_close(list_entry(x->ready.next, struct spare, node));
}

/* ---- how many there should be ---- */

static bool has_main_server_up(const struct upstream_members *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (!m->server[i].is_backup && server_state_is_up(m->server[i].state))
			return true;
	return false;
}

static bool is_wanted(const struct spare_server *x)
{
	return x->server && server_state_is_up(x->state) &&
	       (!x->server->is_backup || !has_main_server_up(x->group->members));
}

static uint64_t ahead_ms(const struct spare_server *x)
{
	uint32_t quarter = x->group->group->spare_idle_ms / 4;
	return quarter < AHEAD_MS ? quarter : AHEAD_MS;
}

static void sooner(uint64_t *next, uint64_t ms)
{
	if (ms < *next)
		*next = ms;
}

static struct spare *oldest(const struct spare_server *x)
{
	return list_is_empty(&x->ready) ? NULL : list_entry(x->ready.next, struct spare, node);
}

static void doubt(struct spare *s, uint64_t now_ms)
{
	s->server->doubt_n += now_ms > 0;
	s->server->doubt_n -= s->doubt_ms > 0;
	s->doubt_ms = now_ms;
}

/* Of those that something had come to the loop has been told meanwhile, or TLS keeps it. */
static void settle_doubts(struct spare_server *x, uint64_t *next)
{
	uint64_t now = now_of(x);
	if (x->doubt_n == 0)
		return;
	for (struct list *after, *it = x->ready.next; it != &x->ready; it = after) {
		struct spare *s = list_entry(it, struct spare, node);
		after = it->next;
		if (s->doubt_ms == 0)
			continue;
		if (s->doubt_ms == now)
			sooner(next, now + 1);
		else if (stream_is_quiet(s->stream))
			doubt(s, 0);
		else
			spare_die(s);
	}
}

static bool may_begin(const struct spare_server *x)
{
	return x->lack_n > 0 && x->making_n < MAKING_MAX && now_of(x) >= due_ms(x);
}

/* Closes those whose time is over. Returns how many need no successor yet. The list is in the
 * order of their times, so only those are looked at that are due. */
static uint32_t age(struct spare_server *x, uint64_t *next)
{
	uint64_t now = now_of(x), ahead = ahead_ms(x);
	uint32_t stale = 0;
	if (oldest(x) && now - oldest(x)->since_ms >= SOUND_MS)
		x->delay_ms = 0;
	while (oldest(x) && now >= oldest(x)->until_ms) {
		counter_inc(&counters_of(x)->spares_aged);
		spare_close(oldest(x));
	}
	if (oldest(x))
		sooner(next, oldest(x)->until_ms);
	list_each (it, &x->ready) {
		const struct spare *s = list_entry(it, struct spare, node);
		if (now + ahead < s->until_ms) {
			sooner(next, s->until_ms - ahead);
			break;
		}
		stale++;
	}
	return x->ready_n - stale;
}

void spare_server_upkeep(struct spare_server *x, uint64_t *next)
{
	if (!is_wanted(x)) {
		close_all(x);
		return;
	}
	settle_doubts(x, next);
	uint32_t there = age(x, next) + x->making_n, want = x->group->want;
	x->lack_n = there < want ? want - there : 0;
	if (may_begin(x))
		spare_pace_lacks(&shared(x)->pace, &x->turn);
	else if (x->lack_n > 0 && due_ms(x) > now_of(x))
		sooner(next, due_ms(x));
}

bool spare_server_begin(struct spare_server *x)
{
	if (!may_begin(x) || !is_wanted(x) || !make_one(x))
		return false;
	x->lack_n--;
	return may_begin(x);
}

bool spare_server_is_bare(const struct spare_server *x)
{
	return x->ready_n <= x->group->want / 4;
}

bool spare_server_is_costly(const struct spare_server *x)
{
	return x->server->is_secure && x->group->group->proxy_protocol == PROXY_HEADER_OFF;
}

/* ---- using them ---- */

/* What has come to one may be nothing but tickets, which make no difference: it is neither used
 * nor closed for that before the loop has looked. NULL: there is none. */
static struct spare *newest_sound(const struct spare_server *x)
{
	uint64_t now = now_of(x);
	for (struct list *it = x->ready.prev; it != &x->ready; it = it->prev) {
		struct spare *s = list_entry(it, struct spare, node);
		if (now >= s->until_ms)
			break; /* as are those before it */
		if (s->doubt_ms == now)
			continue;
		if (stream_is_quiet(s->stream))
			return s;
		doubt(s, now);
	}
	return NULL;
}

/* A session has got its place, but cannot use it. */
static void drop(struct spare_server *x)
{
	bool is_old = now_of(x) >= oldest(x)->until_ms;
	counter_inc(is_old ? &counters_of(x)->spares_aged : &counters_of(x)->spares_died);
	stream_free(spare_take_out(oldest(x)), false);
}

bool spare_server_dial(struct spare_server *x, struct dial *d, const struct upstream_server *server,
        bool has_place, dial_fn fn)
{
	struct spare *s = newest_sound(x);
	bool has_given = has_place && x->is_counted; /* one of them is without a place */
	if (!s && has_given && oldest(x))
		drop(x);
	if (!s)
		return false;
	struct stream *stream = spare_take_out(s);
	if (!has_given)
		give_place(x);
	x->delay_ms = 0;
	counter_inc(&counters_of(x)->spares_used);
	dial_start_ready(d, x->group->worker, x->group->group, server, stream, s->address, fn);
	s->address = NULL;
	return true;
}

/* What is being made is worth less. */
static void close_one(struct spare_server *x)
{
	if (!list_is_empty(&x->making)) {
		spare_make_cancel(list_entry(x->making.next, struct spare_make, node));
		x->making_n--;
		give_place(x);
	} else if (!list_is_empty(&x->ready)) {
		spare_close(list_entry(x->ready.next, struct spare, node));
	}
	counter_inc(&counters_of(x)->spares_evicted);
}

void spare_server_close_asked(struct spare_server *x)
{
	for (unsigned n = x->is_counted ? holder_asked(&x->holder) : 0; n > 0; n--)
		close_one(x);
}

/* ---- its life ---- */

struct spare_server *spare_server_new(struct spare_group *g, const struct upstream_server *server)
{
	struct spare_server *x = mem_new(sizeof *x);
	x->group = g;
	x->state = server_state_ref(server->state);
	x->is_counted = server->max_connections > 0;
	list_init(&x->ready);
	list_init(&x->making);
	list_init(&x->turn);
	list_append(&g->servers, &x->node);
	holder_init(&x->holder, x->state, g->worker);
	return x;
}

static void free_server(struct retired *r)
{
	mem_free(list_entry(r, struct spare_server, retired));
}

void spare_server_end(struct spare_server *x)
{
	close_all(x);
	holder_fini(&x->holder);
	server_state_unref(x->state);
	list_remove(&x->node);
	worker_retire(x->group->worker, &x->retired, free_server);
}
