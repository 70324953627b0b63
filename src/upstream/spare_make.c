/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/spare_make.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/stream.h"
#include "net/tls_error.h"
#include "net/tls_stream.h"
#include "upstream/group.h"

#include <stdio.h>

enum { CONNECT_MS = 5000 }; /* where the group has no connect_timeout */

static void next_address(struct spare_make *m);

static void free_make(struct retired *r)
{
	mem_free(list_entry(r, struct spare_make, retired));
}

static void end(struct spare_make *m)
{
	list_remove(&m->node);
	timer_clear(&m->worker->wheel, &m->timer);
	dial_end(&m->dial);
	upstream_members_unref(m->members);
	upstream_group_unref(m->group);
	worker_retire(m->worker, &m->retired, free_make);
}

void spare_make_cancel(struct spare_make *m)
{
	if (m->stream)
		stream_free(m->stream, false);
	m->stream = NULL;
	end(m);
}

static void tell(struct spare_make *m, const struct spare_made *made)
{
	list_remove(&m->node);
	m->fn(m->owner, made);
	end(m);
}

static void tell_failed(struct spare_make *m, const char *reason, bool is_ours)
{
	tell(m, &(struct spare_made){.reason = reason, .is_ours = is_ours});
}

static void tell_connected(struct spare_make *m)
{
	struct stream *s = m->stream;
	m->stream = NULL;
	stream_settle(s, &m->group->socket); /* it is made to wait */
	tell(m, &(struct spare_made){.stream = s, .address = dial_address(&m->dial)});
}

static void on_connect(struct stream *s)
{
	tell_connected(s->owner);
}

/* The words are the stream's. */
static void fail_tls(struct spare_make *m)
{
	char reason[TLS_WHY_MAX];
	snprintf(reason, sizeof reason, "%s", tls_failure(m->stream));
	stream_free(m->stream, false);
	m->stream = NULL;
	tell_failed(m, reason, false);
}

static void on_end(struct stream *s, enum stream_end stream_end, int error)
{
	struct spare_make *m = s->owner;
	if (stream_end != STREAM_ERROR)
		return; /* an error follows, or its time is over */
	if (tls_failure(s)) {
		fail_tls(m);
		return;
	}
	stream_free(s, false);
	m->stream = NULL;
	m->error = error;
	next_address(m);
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

static const struct stream_events make_events = {
        .on_data = on_data,
        .on_end = on_end,
        .on_drain = on_drain,
        .on_connect = on_connect,
};

static void next_address(struct spare_make *m)
{
	int error = 0;
	m->stream = dial_next(&m->dial, &error);
	if (!m->stream && dial_is_waiting(&m->dial))
		return;
	if (!m->stream) {
		char words[LOG_ERRNO_MAX];
		error = m->error ? m->error : error;
		tell_failed(m, log_errno_words(error, words), dial_is_own_lack(error));
		return;
	}
	m->stream->owner = m;
	m->stream->events = &make_events;
	if (!stream_is_connecting(m->stream))
		tell_connected(m);
}

static void on_dialled(struct dial *d, const char *error)
{
	struct spare_make *m = list_entry(d, struct spare_make, dial);
	if (error)
		tell_failed(m, error, false);
	else
		next_address(m);
}

static void on_time(struct timer *t)
{
	struct spare_make *m = list_entry(t, struct spare_make, timer);
	if (m->stream) {
		tls_doubt_session(m->stream);
		stream_free(m->stream, false);
	}
	m->stream = NULL;
	tell_failed(m, "connect_timeout", false);
}

struct spare_make *spare_make_new(struct worker *w, struct upstream_group *g,
        struct upstream_members *members, const struct upstream_server *server)
{
	struct spare_make *m = mem_try(sizeof *m);
	if (!m)
		return NULL;
	*m = (struct spare_make){.worker = w,
	        .group = upstream_group_ref(g),
	        .members = upstream_members_ref(members),
	        .server = server};
	list_init(&m->node);
	timer_init(&m->timer, on_time);
	return m;
}

void spare_make_start(struct spare_make *m, struct list *list, spare_make_fn fn, void *owner)
{
	uint32_t limit = m->group->connect_timeout_ms;
	m->fn = fn;
	m->owner = owner;
	list_append(list, &m->node);
	worker_timer(m->worker, &m->timer, m->worker->now_ms + (limit ? limit : CONNECT_MS));
	enum dial_start start = dial_start(&m->dial, m->worker, m->group, m->server, on_dialled);
	/* What says who the client is goes in front of TLS, which then begins with its session. */
	m->dial.stays_clear = m->group->proxy_protocol != PROXY_HEADER_OFF;
	switch (start) {
	case DIAL_READY:
		next_address(m);
		break;
	case DIAL_FAILED:
		tell_failed(m, "out of memory", true);
		break;
	case DIAL_RESOLVING:
		break;
	}
}
