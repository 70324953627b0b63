/* SPDX-License-Identifier: BSD-2-Clause */

/* Connections that scripts have closed while the kernel had not taken all that was sent. */

#include "base/mem.h"
#include "lua/ngx_socket_tcp.h"
#include "lua/worker.h"
#include "net/stream.h"

struct lingering {
	struct list node; /* worker->lingering */
	struct stream *stream;
	struct timer timer;
	struct retired retired;
};

static void free_linger(struct retired *r)
{
	mem_free(list_entry(r, struct lingering, retired));
}

static void end(struct lingering *l, bool reset)
{
	struct worker *w = l->stream->worker;
	stream_free(l->stream, reset);
	list_remove(&l->node);
	timer_clear(&w->wheel, &l->timer);
	worker_retire(w, &l->retired, free_linger);
}

static void on_data(struct stream *s, uint8_t *buf, size_t len)
{
	(void)s, (void)buf, (void)len;
}

static void on_end(struct stream *s, enum stream_end how, int error)
{
	(void)error;
	if (how == STREAM_ERROR)
		end(s->owner, true);
}

static void on_drain(struct stream *s)
{
	if (queue_is_empty(&s->out))
		end(s->owner, false);
}

static const struct stream_events events = {
        .on_data = on_data, .on_end = on_end, .on_drain = on_drain};

static void on_timer(struct timer *t)
{
	end(list_entry(t, struct lingering, timer), true);
}

void lua_linger(struct lua_worker *lw, struct stream *s, uint64_t ms)
{
	struct lingering *l = mem_try(sizeof *l);
	if (!l) {
		stream_free(s, true);
		return;
	}
	l->stream = s;
	list_append(&lw->lingering, &l->node);
	timer_init(&l->timer, on_timer);
	worker_timer(s->worker, &l->timer, s->worker->now_ms + ms);
	s->events = &events;
	s->owner = l;
	stream_resume(s);
}

void lua_linger_end(struct lua_worker *lw)
{
	while (!list_is_empty(&lw->lingering))
		end(list_entry(lw->lingering.next, struct lingering, node), true);
}
