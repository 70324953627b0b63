/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The proxy of one worker: takes accepted connections, runs their sessions,
 * counts, drains. One worker's thread, except where said. */

#include "base/counter.h"
#include "net/address.h"
#include "proxy/limits.h"
#include "proxy/route.h"
#include "proxy/route_table.h"
#include "proxy/trust.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct access_settings;
struct resolver_settings;
struct stream;
struct tls_server;
struct worker;

/* What a session needs to know of the listener it came by. Immutable part of a
 * configuration, counted by references across threads; sessions hold one each. */
struct proxy_listener {
	char *name;
	atomic_uint refs;
	unsigned number; /* bit in route->listeners, in the tables made with it */
	uint32_t handshake_timeout_ms;
	uint32_t keepalive_timeout_ms;
	struct tls_server *tls;   /* referenced; NULL: plain HTTP is spoken */
	uint32_t tls_timeout_ms;  /* for its handshake, within that of the other */
	struct cidr_list trusted; /* proxies that are believed about their clients */
	enum trust_header trusted_header;
	bool proxy_protocol;                  /* these peers begin with a PROXY header: */
	struct cidr_list proxy_protocol_from; /* owned, as the other list */
	struct limit_settings limits;         /* of connections */
	struct limit_scope *scope;            /* referenced; NULL = nothing is limited */
};

struct proxy_listener *proxy_listener_new(const char *name);
struct proxy_listener *proxy_listener_ref(struct proxy_listener *l);
void proxy_listener_unref(struct proxy_listener *l);

/* An address as one worker's clients come by it. Sessions hold the one they came by, so that they
 * are still known when its listener has got another name. That worker's thread. */
struct proxy_door {
	struct proxy_listener *listener; /* that counts there now, referenced; NULL = it is shut */
	unsigned refs;
	uint16_t port; /* 0 = a unix socket */
};
struct proxy_door *proxy_door_new(struct proxy_listener *l, uint16_t port);
/* NULL: nobody comes by it any more. */
void proxy_door_change(struct proxy_door *d, struct proxy_listener *l);
void proxy_door_unref(struct proxy_door *d);

#define PROXY_COUNTERS(X)                                                                \
	X(sessions, "connections accepted as sessions")                                  \
	X(sessions_ended, "sessions that ended")                                         \
	X(opened, "WebSocket tunnels and echo sessions opened with a 101")               \
	X(requests, "complete request heads")                                            \
	X(responses, "answers other than 101 sent to clients")                           \
	X(refused_400, "requests refused with 400")                                      \
	X(refused_403, "upgrades from an origin that the route does not allow")          \
	X(refused_404, "requests for which no route exists")                             \
	X(refused_405, "upgrades by a method other than GET")                            \
	X(refused_408, "requests whose head did not come in time")                       \
	X(refused_414, "request targets that were too long")                             \
	X(refused_426, "requests refused with 426: no upgrade, or a wrong version")      \
	X(refused_429, "connections and requests of addresses over a limit")             \
	X(refused_431, "request heads over a limit")                                     \
	X(refused_502, "broken, lying or missing answers of upstreams")                  \
	X(refused_503, "requests refused for want of resources")                         \
	X(refused_memory, "connections refused because memory was short")                \
	X(refused_504, "upstreams that did not answer in time")                          \
	X(refused_505, "requests in another version of HTTP")                            \
	X(tries, "further servers asked for a session after one did not do")             \
	X(server_failures, "servers that could not be reached or gave no answer")        \
	X(health_probes, "health checks of servers")                                     \
	X(health_failures, "health checks that failed")                                  \
	X(queue_waits, "requests that waited for a place at a server")                   \
	X(queue_refused, "requests refused because servers and queue were full")         \
	X(queue_timeouts, "requests refused because no place became free in time")       \
	X(no_free_port, "connects for which no local port was free")                     \
	X(relayed, "complete answers of upstreams other than 101, relayed")              \
	X(proxy_headers, "PROXY headers accepted from clients' proxies")                 \
	X(proxy_headers_refused, "connections closed for want of a sound PROXY header")  \
	X(silent, "connections that sent nothing, or no whole request, and were closed") \
	X(messages_up, "messages from clients")                                          \
	X(messages_down, "messages from upstreams")                                      \
	X(bytes_up, "bytes of frames from clients")                                      \
	X(bytes_down, "bytes of frames from upstreams")                                  \
	X(pings_sent, "own pings to clients")                                            \
	X(closed_normally, "sessions ended by a close handshake of the peers")           \
	X(closed_by_client_end, "clients that vanished without a close frame")           \
	X(closed_by_upstream_end, "upstreams that vanished without a close frame")       \
	X(broken_by_client, "protocol violations by clients")                            \
	X(broken_by_upstream, "protocol violations by upstreams")                        \
	X(cut_mid_frame, "sides that got a reset because a frame to them was half sent") \
	X(timeout_send, "sessions ended by send_timeout")                                \
	X(timeout_message, "sessions ended by message_timeout")                          \
	X(timeout_pong, "sessions ended by pong_timeout")                                \
	X(timeout_idle, "sessions ended by idle_timeout")                                \
	X(timeout_close, "close handshakes that were not answered in time")              \
	X(max_lifetime, "sessions ended by max_lifetime")                                \
	X(max_control_rate, "sessions ended by max_control_rate")                        \
	X(limit_connections, "refused by max_connections of a listener or route")        \
	X(limit_rate, "refused by handshake_rate of a route")                            \
	X(limit_address_connections, "refused by max_connections_per_address")           \
	X(limit_address_rate, "refused by handshake_rate_per_address")                   \
	X(address_table_full, "addresses let through uncounted: address_table was full") \
	X(drained, "sessions closed with 1001 because the daemon stops")                 \
	X(out_of_memory, "sessions ended because memory was short")                      \
	X(pauses, "times that reading was stopped because the other side was slow")
struct proxy_counters {
	PROXY_COUNTERS(COUNTER_FIELD)
};
extern const struct counter_info proxy_counter_info[];
extern const unsigned proxy_counter_n;

struct proxy;

/* Fills worker->layer[WORKER_ENDPOINT .. WORKER_PROXY]. NULL when memory is short. */
struct proxy *proxy_new(struct worker *w);
/* All sessions must have ended. */
void proxy_free(struct proxy *p);
const struct proxy_counters *proxy_counters(const struct proxy *p); /* any thread may read */

/* Where names are looked up from now on; the text is borrowed. */
void proxy_set_resolver(struct proxy *p, const struct resolver_settings *s);
/* The routes for requests from now on; takes a reference. */
void proxy_set_routes(struct proxy *p, struct route_table *t);

/* The groups in use from now on, in place of earlier ones: their limits count, and the servers
 * of those that want it are checked, for the proxies of all workers, until this one drains or
 * ends. By one of them, always the same. */
struct upstream_group;
void proxy_use_groups(struct proxy *p, struct upstream_group *const *group, size_t n);

/* The groups to whose servers spare connections are kept from now on, of which this is one of
 * so many workers. Again with each configuration; none once this one drains or ends. */
void proxy_keep_spares(
        struct proxy *p, struct upstream_group *const *group, size_t n, unsigned workers);

/* Which records of sessions go to the access log (base/log.h) from now on. */
void proxy_set_access(struct proxy *p, const struct access_settings *s);

/* A new connection, which came by that door; owns fd. A listener_fn's body. */
void proxy_accept(struct proxy *p, int fd, const struct address *peer, struct proxy_door *d);

/* The same for a stream that exists already, which it takes over: for simulated
 * streams. False, and the stream freed, when memory is short or the proxy drains. */
bool proxy_adopt(struct proxy *p, struct stream *stream, const struct address *peer,
        struct proxy_listener *l);

/* Begins to end all sessions: requests in progress are finished or refused, open
 * sessions get 1001, spread over spread_ms (0 = now). done() is called once, when
 * none is left. */
void proxy_drain(struct proxy *p, uint32_t spread_ms, void (*done)(void *arg), void *arg);
/* Ends what is left at once, with resets. */
void proxy_abort(struct proxy *p);
size_t proxy_session_count(const struct proxy *p);
