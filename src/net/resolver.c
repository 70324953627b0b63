/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/resolver.h"

#include "base/mem.h"
#include "net/channel.h"
#include "net/names.h"
#include "net/names_log.h"
#include "net/worker.h"

#include <ares.h>
#include <assert.h>
#include <sys/stat.h>

enum {
	TIMEOUT_MS = 2000, /* until configured */
	TTL_MIN_S = 1,
	TTL_MAX_S = 3600,
	HOSTS_TTL_MS = 1000,     /* the file is read again after it */
	PARTIAL_TTL_S = 5,       /* one family's question failed */
	OTHER_FAMILY_MS = 50,    /* wait for it when one has answered (RFC 8305 3) */
	STALE_PATIENCE_MS = 500, /* wait for a new answer when there is an old one */
	RESOLV_CONF_LOOK_MS = 1000,
};

static const char no_host[] = "no such host";
static const char no_memory[] = "out of memory";

struct resolver {
	struct worker *worker;
	struct resolver_settings settings;
	struct channel *channel; /* opened with the first question */
	ares_channel files;      /* looks into the hosts file only; NULL until needed */
	struct names names;
	size_t open; /* requests */
	bool is_closing;
	struct stat resolv_conf; /* as the channel was opened with it */
	uint64_t resolv_conf_ms; /* when it was looked at last */
};

struct resolving {
	struct timer due; /* the answer is there, or it was waited for long enough */
	struct retired retired;
	struct list node; /* name->waiters */
	struct resolver *resolver;
	struct name *name;
	union {
		resolver_fn fn;
		resolver_service_fn service_fn;
	};
	void *owner;
};

/* A name being asked for: a question for each family, or one for a service. */
struct lookup {
	struct question {
		struct lookup *lookup;
		bool is_answered; /* well, and `reply` holds what was said */
		struct dns_reply reply;
	} question[2];
	struct resolver *resolver;
	struct name *name;
	struct timer patience; /* for the other family */
	uint64_t begun_ms;
	unsigned step;      /* in the search list */
	unsigned open;      /* questions */
	bool has_news;      /* an answer that the name has not learnt */
	bool has_settled;   /* the waiters were told; what still comes may add to it */
	bool is_superseded; /* by another of the same name */
	bool exists;        /* some name server knows the name, without what was asked for */
	const char *error;  /* of a question that failed */
};

static uint64_t now(const struct resolver *r)
{
	return r->worker->now_ms;
}

/* ---- the end of a lookup ---- */

static void log_name(
        const struct resolver *r, enum log_level level, const char *event, const struct name *n)
{
	names_log(level, event, n, r->worker->index, now(r));
}

static void wake_waiters(struct resolver *r, struct name *n)
{
	list_each (it, &n->waiters)
		worker_timer(r->worker, &list_entry(it, struct resolving, node)->due, now(r));
}

static void learn(struct resolver *r, struct name *n, struct name_answer *a, uint64_t ttl_ms)
{
	bool had_failed = n->fails > 0;
	bool has_changed = name_learn(n, a, now(r), ttl_ms);

	if (has_changed)
		log_name(r, LOG_LEVEL_INFO, "name_changed", n);
	else if (had_failed)
		log_name(r, LOG_LEVEL_INFO, "name_found", n);
	wake_waiters(r, n);
}

/* Told once until it is found again. */
static void note_failure(
        struct resolver *r, struct name *n, enum name_failure failure, const char *error)
{
	name_fail(n, failure, error, now(r));
	counter_inc(&r->worker->counters.dns_failures);
	if (n->fails == 1)
		log_name(r, LOG_LEVEL_WARN, "name_failed", n);
}

static void free_lookup(struct lookup *l)
{
	timer_clear(&l->resolver->worker->wheel, &l->patience);
	if (!l->is_superseded)
		l->name->lookup = NULL;
	l->name->users--;
	mem_free(l);
}

/* Both families in one, IPv6 first. */
static struct name_answer *join_addresses(const struct lookup *l)
{
	size_t n = 0;

	for (int i = 0; i < 2; i++)
		n += l->question[i].is_answered ? l->question[i].reply.n : 0;
	struct name_answer *a = name_answer_new(NAME_ADDRESSES, n);
	if (!a)
		return NULL;
	struct address_brief *to = a->address;
	for (int i = 1; i >= 0; i--) {
		const struct dns_reply *reply = &l->question[i].reply;
		for (size_t k = 0; l->question[i].is_answered && k < reply->n; k++, to++) {
			*to = (struct address_brief){
			        .family = reply->type == DNS_A ? AF_INET : AF_INET6};
			memcpy(to->ip, reply->ip[k], sizeof(to->ip));
		}
	}
	a->rotates = true;
	return a;
}

static struct name_answer *copy_targets(const struct dns_reply *reply)
{
	struct name_answer *a = name_answer_new(NAME_SERVICE, reply->n);

	if (a)
		memcpy(a->target, reply->target, reply->n * sizeof(a->target[0]));
	return a;
}

static uint32_t ttl_of(const struct lookup *l)
{
	uint32_t ttl = l->error ? PARTIAL_TTL_S : TTL_MAX_S;

	for (int i = 0; i < 2; i++)
		if (l->question[i].is_answered && l->question[i].reply.ttl_s < ttl)
			ttl = l->question[i].reply.ttl_s;
	return ttl < TTL_MIN_S ? TTL_MIN_S : ttl;
}

static bool has_answer(const struct lookup *l)
{
	return l->question[0].is_answered || l->question[1].is_answered;
}

/* With what has been answered up to now. */
static void settle(struct lookup *l)
{
	struct name_answer *a = l->name->kind == NAME_SERVICE ? copy_targets(&l->question[0].reply)
	                                                      : join_addresses(l);

	l->has_settled = true;
	l->has_news = false;
	if (a) {
		learn(l->resolver, l->name, a, (uint64_t)ttl_of(l) * 1000);
		return;
	}
	note_failure(l->resolver, l->name, NAME_UNANSWERED, no_memory);
	wake_waiters(l->resolver, l->name);
}

static void on_patience(struct timer *t)
{
	settle(list_entry(t, struct lookup, patience));
}

static bool ask_next(struct lookup *l);

/* All questions of this step are over. */
static void finish(struct lookup *l)
{
	struct resolver *r = l->resolver;

	if (!has_answer(l) && !l->error && !r->is_closing && !l->has_settled && ask_next(l))
		return;
	if (l->is_superseded || r->is_closing) {
		free_lookup(l);
		return;
	}
	if (l->has_news) {
		settle(l);
	} else if (!l->has_settled) {
		note_failure(r, l->name, l->error ? NAME_UNANSWERED : NAME_DENIED,
		        l->error                        ? l->error
		        : !l->exists                    ? no_host
		        : l->name->kind == NAME_SERVICE ? "no such service"
		                                        : "no address");
		wake_waiters(r, l->name);
	}
	free_lookup(l);
}

/* ---- asking ---- */

static const char *reason_of(int status)
{
	switch (status) {
	case ARES_ETIMEOUT:
		return "no name server answered in time";
	case ARES_ECONNREFUSED: /* also when all of them said SERVFAIL, REFUSED or NOTIMP */
		return "no name server gave an answer";
	case ARES_EBADNAME:
		return no_host;
	default:
		return ares_strerror(status);
	}
}

static void read_reply(struct question *q, int status, const unsigned char *reply, int len)
{
	struct lookup *l = q->lookup;
	enum dns_type type = q->reply.type;

	if (status == ARES_SUCCESS) {
		enum dns_verdict v = dns_read(&q->reply, type, reply, (size_t)len);
		q->is_answered = v == DNS_OK;
		l->has_news = l->has_news || q->is_answered;
		l->exists = true;
		if (v != DNS_OK && v != DNS_EMPTY)
			l->error = dns_reason(v);
	} else if (status == ARES_ENODATA) {
		l->exists = true;
	} else if (status != ARES_ENOTFOUND) {
		l->error = reason_of(status);
	}
}

static void on_reply(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
	(void)timeouts;
	struct question *q = arg;
	struct lookup *l = q->lookup;

	read_reply(q, status, reply, len);
	if (--l->open == 0) {
		finish(l);
	} else if (q->is_answered && !timer_is_set(&l->patience)) {
		worker_timer(l->resolver->worker, &l->patience, now(l->resolver) + OTHER_FAMILY_MS);
	}
}

static void put_question(struct lookup *l, int which, const char *name, enum dns_type type)
{
	struct question *q = &l->question[which];

	q->lookup = l;
	q->reply.type = type;
	counter_inc(&l->resolver->worker->counters.dns_queries);
	channel_ask(l->resolver->channel, name, type, on_reply, q);
}

/* The next name of the search list, unless that takes too long already. False: none. */
static bool ask_next(struct lookup *l)
{
	char name[DNS_NAME_MAX];
	struct resolver *r = l->resolver;

	do
		if (now(r) - l->begun_ms >= r->settings.timeout_ms ||
		        !channel_search(r->channel, l->name->text, l->step++, name))
			return false;
	while (name[0] == '\0');
	/* Counted first: a question may be over before it was put. */
	if (l->name->kind == NAME_SERVICE) {
		l->open = 1;
		put_question(l, 0, name, DNS_SRV);
		return true;
	}
	l->open = 2;
	put_question(l, 0, name, DNS_A);
	put_question(l, 1, name, DNS_AAAA);
	return true;
}

/* Another file than the one that the channel was opened with. */
static bool resolv_conf_changed(struct resolver *r)
{
	struct stat now_is = {.st_ino = 0};

	if (r->settings.servers || now(r) - r->resolv_conf_ms < RESOLV_CONF_LOOK_MS)
		return false;
	r->resolv_conf_ms = now(r);
	if (stat("/etc/resolv.conf", &now_is) < 0)
		return false;
	return now_is.st_ino != r->resolv_conf.st_ino || now_is.st_dev != r->resolv_conf.st_dev ||
	       now_is.st_size != r->resolv_conf.st_size ||
	       now_is.st_mtim.tv_sec != r->resolv_conf.st_mtim.tv_sec ||
	       now_is.st_mtim.tv_nsec != r->resolv_conf.st_mtim.tv_nsec;
}

/* Never inside a reply. */
static bool has_channel(struct resolver *r)
{
	struct channel_settings s = {r->settings.servers, r->settings.timeout_ms};

	if (r->channel && (!channel_is_idle(r->channel) || !resolv_conf_changed(r)))
		return true;
	if (stat("/etc/resolv.conf", &r->resolv_conf) < 0)
		memset(&r->resolv_conf, 0, sizeof(r->resolv_conf));
	struct channel *c = channel_new(r->worker, &s);
	if (c) {
		channel_free(r->channel);
		r->channel = c;
	}
	return r->channel != NULL;
}

/* NULL, or why it cannot. */
static const char *ask_servers(struct resolver *r, struct name *n)
{
	struct lookup *l = has_channel(r) ? mem_try(sizeof(*l)) : NULL;

	if (!l)
		return no_memory;
	memset(l, 0, sizeof(*l));
	l->resolver = r;
	l->name = n;
	l->begun_ms = now(r);
	timer_init(&l->patience, on_patience);
	n->users++;
	if (n->lookup)
		n->lookup->is_superseded = true;
	n->lookup = l;
	if (!ask_next(l))
		finish(l);
	return NULL;
}

/* ---- names that need no server ---- */

/* Whether the name is, or is under, that domain. */
static bool is_in(const char *name, const char *domain, bool or_under_it)
{
	size_t len = strlen(name), n = strlen(domain);

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len < n || (len > n && (!or_under_it || name[len - n - 1] != '.')))
		return false;
	return slice_equal_nocase(slice_of(name + len - n, n), slice_of(domain, n));
}

/* RFC 6761 6.3: localhost and the names under it are the loopback, whether a file says
 * so or not. The name itself is never looked up (c-ares 1.18 leaks memory when the file
 * lacks it); a name under it may have a loopback address of its own in the file. */
static bool is_localhost(const char *name, bool or_under_it)
{
	return is_in(name, "localhost", or_under_it);
}

static struct name_answer *loopback(void)
{
	struct name_answer *a = name_answer_new(NAME_ADDRESSES, 2);

	if (a) {
		a->address[0] = (struct address_brief){.family = AF_INET, .ip = {127, 0, 0, 1}};
		a->address[1] = (struct address_brief){.family = AF_INET6, .ip = {[15] = 1}};
	}
	return a;
}

static bool is_among(const struct address_brief *a, size_t n, const struct address_brief *b)
{
	for (size_t i = 0; i < n; i++)
		if (a[i].family == b->family && memcmp(a[i].ip, b->ip, sizeof(b->ip)) == 0)
			return true;
	return false;
}

struct from_file {
	size_t n;
	struct address_brief address[DNS_RECORDS_MAX];
};

static void on_file(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	(void)status, (void)timeouts;
	struct from_file *f = arg;

	if (!info)
		return;
	for (struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
		struct address a = {.len = (socklen_t)node->ai_addrlen};
		if (f->n == DNS_RECORDS_MAX || node->ai_addrlen > sizeof(a.storage))
			break;
		memcpy(&a.storage, node->ai_addr, node->ai_addrlen);
		address_brief(&f->address[f->n], &a);
		f->address[f->n].port = 0;
		if (!is_among(f->address, f->n, &f->address[f->n]))
			f->n++;
	}
	ares_freeaddrinfo(info);
}

static bool has_files(struct resolver *r)
{
	char lookups[] = "f";
	struct ares_options o = {.lookups = lookups};

	if (!r->files && ares_init_options(&r->files, &o, ARES_OPT_LOOKUPS) != ARES_SUCCESS)
		r->files = NULL;
	return r->files != NULL;
}

/* The order of the file, not one by reachability: that opens sockets to find out. c-ares
 * looks into the file while it is asked, so its answer is there at once. */
static struct name_answer *look_into_hosts(struct resolver *r, const char *name)
{
	static const struct ares_addrinfo_hints hints = {
	        .ai_family = AF_UNSPEC,
	        .ai_socktype = SOCK_STREAM,
	        .ai_flags = ARES_AI_NOSORT | ARES_AI_ENVHOSTS,
	};
	struct from_file found = {.n = 0};

	if (!has_files(r))
		return NULL;
	ares_getaddrinfo(r->files, name, NULL, &hints, on_file, &found);
	struct name_answer *a = found.n > 0 ? name_answer_new(NAME_ADDRESSES, found.n) : NULL;
	if (a)
		memcpy(a->address, found.address, found.n * sizeof(found.address[0]));
	return a;
}

static void begin(struct resolver *r, struct name *n)
{
	struct name_answer *a = NULL;
	const char *error;

	if (n->kind == NAME_ADDRESSES) {
		a = is_localhost(n->text, false) ? loopback() : look_into_hosts(r, n->text);
		if (!a && is_localhost(n->text, true))
			a = loopback();
	}
	if (a) {
		learn(r, n, a, HOSTS_TTL_MS);
		return;
	}
	/* RFC 6761 6.4: there are no names under this one. */
	error = is_in(n->text, "invalid", true) ? no_host : ask_servers(r, n);
	if (error)
		note_failure(r, n, error == no_host ? NAME_DENIED : NAME_UNANSWERED, error);
}

/* ---- requests ---- */

static bool is_asking(const struct name *n)
{
	return n->lookup && !n->lookup->has_settled;
}

/* Looks it up if that is due. True: an answer is worth waiting for. */
static bool must_wait(struct resolver *r, struct name *n)
{
	bool is_fresh = name_is_fresh(n, now(r));

	if (is_fresh && now(r) < n->refresh_ms)
		return false;
	if (!is_asking(n) && now(r) >= n->retry_ms)
		begin(r, n);
	/* Of one that has failed, the last good answer will do. */
	return !is_fresh && is_asking(n) && !(n->good && n->fails > 0);
}

static void free_request(struct retired *r)
{
	mem_free(list_entry(r, struct resolving, retired));
}

/* The request is over; its memory lives to the end of the turn. */
static void end_request(struct resolving *q)
{
	q->resolver->open--;
	q->name->users--;
	list_remove(&q->node);
	worker_retire(q->resolver->worker, &q->retired, free_request);
}

static const char *error_of(const struct name *n)
{
	return n->good ? NULL : n->error ? n->error : "the name servers took too long";
}

static void tell_addresses(struct resolving *q)
{
	struct address found[NAME_ADDRESSES_MAX];
	size_t n = name_addresses(q->name, found);

	q->fn(q->owner, found, n, error_of(q->name));
}

static void tell_targets(struct resolving *q)
{
	const struct dns_target *found[DNS_RECORDS_MAX];
	size_t n = name_targets(q->name, found);

	q->service_fn(q->owner, found, n, q->name->learnt_ms, error_of(q->name));
}

static void tell(struct timer *t)
{
	struct resolving *q = list_entry(t, struct resolving, due);
	struct resolver *r = q->resolver;
	struct name *n = q->name;

	if (is_asking(n) && n->fails == 0 && !name_is_fresh(n, now(r)))
		note_failure(r, n, NAME_UNANSWERED, "no name server answered in time");
	if (name_give_up(n, now(r)))
		log_name(r, LOG_LEVEL_WARN, "name_given_up", n);
	if (n->good && !name_is_fresh(n, now(r)))
		counter_inc(&r->worker->counters.dns_stale);
	end_request(q);
	if (n->kind == NAME_SERVICE)
		tell_targets(q);
	else
		tell_addresses(q);
}

static struct resolving *start(struct resolver *r, enum name_kind kind, const char *text)
{
	struct name *n = names_get(&r->names, kind, text);
	struct resolving *q = n ? mem_try(sizeof(*q)) : NULL;
	uint64_t wait_ms = 0;

	if (!q)
		return NULL;
	memset(q, 0, sizeof(*q));
	q->resolver = r;
	q->name = n;
	timer_init(&q->due, tell);
	list_init(&q->node);
	n->users++;
	r->open++;
	if (must_wait(r, n)) {
		wait_ms = r->settings.timeout_ms;
		if (n->good && wait_ms > STALE_PATIENCE_MS)
			wait_ms = STALE_PATIENCE_MS;
		list_append(&n->waiters, &q->node);
	}
	worker_timer(r->worker, &q->due, now(r) + wait_ms);
	return q;
}

struct resolving *resolver_start(struct resolver *r, const char *name, resolver_fn fn, void *owner)
{
	struct resolving *q = start(r, NAME_ADDRESSES, name);

	if (q) {
		q->fn = fn;
		q->owner = owner;
	}
	return q;
}

struct resolving *resolver_start_service(
        struct resolver *r, const char *name, resolver_service_fn fn, void *owner)
{
	struct resolving *q = start(r, NAME_SERVICE, name);

	if (q) {
		q->service_fn = fn;
		q->owner = owner;
	}
	return q;
}

void resolver_cancel(struct resolving *q)
{
	timer_clear(&q->resolver->worker->wheel, &q->due);
	end_request(q);
}

/* ---- life ---- */

struct resolver *resolver_new(struct worker *w)
{
	struct resolver *r = mem_try(sizeof(*r));

	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->worker = w;
	r->settings.timeout_ms = TIMEOUT_MS;
	names_init(&r->names);
	return r;
}

static void close_channel(struct resolver *r)
{
	r->is_closing = true;
	channel_free(r->channel);
	r->channel = NULL;
	r->is_closing = false;
}

static bool is_same(const struct resolver_settings *a, const struct resolver_settings *b)
{
	bool is_named = a->servers && b->servers;

	return a->timeout_ms == b->timeout_ms &&
	       (is_named ? strcmp(a->servers, b->servers) == 0 : a->servers == b->servers);
}

/* Who waits is served by the new servers; what the old ones failed at is tried again. */
static void ask_again(struct resolver *r)
{
	list_each (it, &r->names.by_use) {
		struct name *n = list_entry(it, struct name, node);
		n->retry_ms = 0;
		if (list_is_empty(&n->waiters) || n->lookup)
			continue;
		const char *error = ask_servers(r, n);
		if (error) {
			note_failure(r, n, NAME_UNANSWERED, error);
			wake_waiters(r, n);
		}
	}
}

void resolver_configure(struct resolver *r, const struct resolver_settings *s)
{
	bool is_other = !is_same(&r->settings, s);

	if (is_other)
		close_channel(r);
	r->settings = *s;
	if (is_other)
		ask_again(r);
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	assert(r->open == 0);
	close_channel(r);
	if (r->files)
		ares_destroy(r->files);
	names_fini(&r->names);
	mem_free(r);
}
