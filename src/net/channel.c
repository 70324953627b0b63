/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/channel.h"

#include "base/mem.h"
#include "net/sys.h"
#include "net/worker_private.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <assert.h>
#include <event2/event_struct.h>
#include <stdio.h>

/* A server is given a quarter of the time at first, twice as long each time it is asked
 * again. */
enum { FIRST_PART = 4, TRIES = 3, TIMEOUT_MIN_MS = 10 };

struct channel_socket {
	struct event event;
	struct retired retired;
	struct list node;
	struct channel *channel;
};

struct channel {
	struct worker *worker;
	ares_channel ares;
	struct list sockets;
	struct timer timer;
	size_t open; /* questions */
	char **domain;
	int domain_n, dots;
};

/* c-ares wants to be called back when the timeout of a question has passed. */
static void set_timer(struct channel *c)
{
	struct timeval buf, *wait = ares_timeout(c->ares, NULL, &buf);

	if (!wait) {
		timer_clear(&c->worker->wheel, &c->timer);
		return;
	}
	uint64_t ms = (uint64_t)wait->tv_sec * 1000 + (uint64_t)wait->tv_usec / 1000 + 1;
	worker_timer(c->worker, &c->timer, c->worker->now_ms + ms);
}

static void on_timer(struct timer *t)
{
	struct channel *c = list_entry(t, struct channel, timer);

	ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(c);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct channel_socket *s = arg;
	struct channel *c = s->channel;

	worker_read_clock(c->worker);
	ares_process_fd(c->ares, what & EV_READ ? fd : ARES_SOCKET_BAD,
	        what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	set_timer(c);
}

static struct channel_socket *find_socket(struct channel *c, int fd)
{
	list_each (it, &c->sockets) {
		struct channel_socket *s = list_entry(it, struct channel_socket, node);
		if (event_get_fd(&s->event) == fd)
			return s;
	}
	return NULL;
}

static void free_socket(struct retired *r)
{
	mem_free(list_entry(r, struct channel_socket, retired));
}

/* Perhaps inside its own event. */
static void forget_socket(struct channel_socket *s)
{
	event_del(&s->event);
	list_remove(&s->node);
	worker_retire(s->channel->worker, &s->retired, free_socket);
}

/* What c-ares waits for at a socket has changed. A socket that cannot be watched is
 * silent, and then its question ends by its timeout. */
static void on_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct channel *c = arg;
	struct channel_socket *s = find_socket(c, fd);
	short what = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));

	if (what == 0) {
		if (s)
			forget_socket(s);
		return;
	}
	if (s) {
		event_del(&s->event);
	} else {
		s = mem_try(sizeof(*s));
		if (!s)
			return;
		s->channel = c;
		list_init(&s->node);
		list_append(&c->sockets, &s->node);
	}
	event_assign(&s->event, c->worker->base, fd, (short)(what | EV_PERSIST), on_socket, s);
	sys_event_add(&s->event);
}

static void free_domains(struct channel *c)
{
	for (int i = 0; i < c->domain_n; i++)
		mem_free(c->domain[i]);
	mem_free(c->domain);
}

/* The search list, which c-ares has read from the system's configuration. */
static bool copy_search(struct channel *c)
{
	struct ares_options o;
	int mask;

	memset(&o, 0, sizeof(o));
	if (ares_save_options(c->ares, &o, &mask) != ARES_SUCCESS) {
		ares_destroy_options(&o);
		return false;
	}
	c->dots = o.ndots;
	c->domain = mem_new(sizeof(char *) * (size_t)(o.ndomains > 0 ? o.ndomains : 1));
	for (; c->domain_n < o.ndomains; c->domain_n++)
		c->domain[c->domain_n] = mem_strdup(o.domains[c->domain_n]);
	ares_destroy_options(&o);
	return true;
}

static bool open_ares(struct channel *c, const struct channel_settings *s)
{
	char lookups[] = "b";
	uint32_t first = s->timeout_ms / FIRST_PART;
	struct ares_options o = {
	        .lookups = lookups,
	        .timeout = (int)(first < TIMEOUT_MIN_MS ? TIMEOUT_MIN_MS : first),
	        .tries = TRIES,
	        .sock_state_cb = on_state,
	        .sock_state_cb_data = c,
	};
	int mask = ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;

	if (ares_init_options(&c->ares, &o, mask) != ARES_SUCCESS)
		return false;
	if ((!s->servers || ares_set_servers_ports_csv(c->ares, s->servers) == ARES_SUCCESS) &&
	        copy_search(c))
		return true;
	ares_destroy(c->ares);
	return false;
}

struct channel *channel_new(struct worker *w, const struct channel_settings *s)
{
	struct channel *c = mem_try(sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct channel){.worker = w};
	list_init(&c->sockets);
	timer_init(&c->timer, on_timer);
	if (open_ares(c, s))
		return c;
	mem_free(c);
	return NULL;
}

void channel_free(struct channel *c)
{
	if (!c)
		return;
	ares_destroy(c->ares);
	assert(c->open == 0 && list_is_empty(&c->sockets));
	timer_clear(&c->worker->wheel, &c->timer);
	free_domains(c);
	mem_free(c);
}

/* Around the asker's own, to know how many are open. */
struct question {
	struct channel *channel;
	channel_fn fn;
	void *arg;
};

static void on_reply(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
	struct question *q = arg;

	q->channel->open--;
	q->fn(q->arg, status, timeouts, reply, len);
	mem_free(q);
}

void channel_ask(struct channel *c, const char *name, enum dns_type type, channel_fn fn, void *arg)
{
	struct question *q = mem_try(sizeof(*q));

	if (!q) {
		fn(arg, ARES_ENOMEM, 0, NULL, 0);
		return;
	}
	*q = (struct question){c, fn, arg};
	c->open++;
	ares_query(c->ares, name, ns_c_in, dns_type_number(type), on_reply, q);
	set_timer(c);
}

bool channel_is_idle(const struct channel *c)
{
	return c->open == 0;
}

static int count_dots(const char *name)
{
	int n = 0;

	for (; *name; name++)
		n += *name == '.';
	return n;
}

/* The name as it is comes first when it has dots enough, else last; alone when it ends
 * in one. */
bool channel_search(
        const struct channel *c, const char *name, unsigned step, char out[DNS_NAME_MAX])
{
	size_t len = strlen(name);
	bool is_whole = len > 0 && name[len - 1] == '.';
	int own = is_whole || count_dots(name) >= c->dots ? 0 : c->domain_n;
	int last = is_whole ? 0 : c->domain_n;

	if ((int)step > last)
		return false;
	int domain = (int)step - (own == 0);
	if ((int)step == own)
		snprintf(out, DNS_NAME_MAX, "%s", name);
	else if (snprintf(out, DNS_NAME_MAX, "%s.%s", name, c->domain[domain]) >= DNS_NAME_MAX)
		out[0] = '\0';
	return true;
}
