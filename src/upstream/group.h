/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A group of servers that a route proxies to. Immutable part of a configuration,
 * counted by references across threads. Only its members may be replaced, as a whole,
 * when they come from a name; what is known of them is in upstream/state.h. */

#include "net/address.h"
#include "net/plain.h"
#include "net/proxy_header.h"
#include "upstream/state.h"

#include <stdatomic.h>

struct ring;
struct sticky;
struct tls_client;

enum {
	UPSTREAM_SERVERS_MAX = 64, /* bits of pick_request.tried */
	UPSTREAM_WEIGHT_MAX = 256,
};

enum upstream_balance {
	BALANCE_ROUND_ROBIN,
	BALANCE_LEAST_CONNECTIONS,
	BALANCE_RANDOM_TWO,
	BALANCE_HASH,
};

/* How servers are probed. */
enum upstream_health { HEALTH_OFF, HEALTH_CONNECT, HEALTH_HANDSHAKE, HEALTH_PING };

/* What of a request decides on the server, with BALANCE_HASH. */
enum upstream_hash { HASH_CLIENT_ADDRESS, HASH_HEADER, HASH_COOKIE, HASH_QUERY, HASH_URI };

struct upstream_server {
	char *name; /* as configured: host:port, or unix:/path */
	char *host; /* to look up; NULL when `address` is known */
	uint16_t port;
	bool is_secure; /* TLS is spoken with it, as the group says */
	bool is_backup;
	uint32_t weight;          /* 1 .. UPSTREAM_WEIGHT_MAX */
	uint32_t max_connections; /* 0 = any number */
	struct address address;
	struct server_state *state; /* referenced; set when it becomes a member */
};

/* The servers of a group at a time: immutable, counted. An opening holds the ones it
 * began with, so that `tried` and indices keep their meaning. */
struct upstream_members {
	atomic_uint refs;
	unsigned n;
	struct upstream_server *server;
	struct ring *ring; /* with BALANCE_HASH */
	bool is_private; /* nobody looks on: TLS, or no address that may prove to be a public one */
	bool has_one_open; /* a single server without a limit: nothing to choose */
};

struct upstream_group {
	char *name;
	atomic_uint refs;
	char *service;               /* whose targets are the members; NULL = they are configured */
	uint32_t max_connections;    /* of each target of a service; 0 = any number */
	_Atomic uint64_t members_ms; /* when the service was answered so */
	struct upstream_members *members; /* under the lock unless is_fixed */
	_Atomic uint64_t used; /* when it was last taken into use, by a count; 0 = never */
	bool is_fixed;         /* the members stay as they are, once set */
	pthread_mutex_t lock;
	enum upstream_balance balance;
	enum upstream_hash hash;
	char *hash_name;           /* of the header, cookie or query argument */
	uint32_t queue;            /* requests that may wait for a place; 0 = none */
	uint32_t queue_timeout_ms; /* 0 = as long as the handshake may take */
	uint32_t tries;
	uint32_t max_fails; /* 0 = failures do not take a server out */
	uint32_t fail_timeout_ms;
	uint32_t slow_start_ms; /* 0 = off */
	struct address *source; /* to connect from, by turns; none = the kernel's choice */
	size_t source_n;
	uint32_t connect_timeout_ms;
	uint32_t answer_timeout_ms; /* of a try, from its beginning; 0 = off */
	uint32_t spare; /* connections kept ready to each server, by all workers; 0 = none */
	uint32_t spare_idle_ms; /* for which they are kept */
	enum upstream_health health;
	uint32_t health_interval_ms, health_timeout_ms;
	uint32_t health_rise, health_fall; /* probes in a row that make healthy and unhealthy */
	char *health_path;
	struct socket_options socket;
	enum proxy_header_version proxy_protocol; /* sent in front of each connection */
	struct sticky *sticky;                    /* owned; NULL = off */
	struct tls_client *tls; /* referenced; NULL: none of the servers is secure */
	bool is_secure;         /* the targets of the service are */
};

struct upstream_group *upstream_group_new(const char *name);
struct upstream_group *upstream_group_ref(struct upstream_group *g);
void upstream_group_unref(struct upstream_group *g);

/* Takes over the servers and what they own, but not the array; finds their states. At
 * most UPSTREAM_SERVERS_MAX, at least one. */
struct upstream_members *upstream_members_new(
        const struct upstream_group *g, const struct upstream_server *servers, unsigned n);
struct upstream_members *upstream_members_ref(struct upstream_members *m);
void upstream_members_unref(struct upstream_members *m);
/* Takes over the reference. Sessions keep their servers; who waits in the queue keeps
 * the members that it began with. */
void upstream_group_set_members(struct upstream_group *g, struct upstream_members *m);
/* The limits of its servers count from now on, also for who began with an earlier group of its
 * name; who waits for a place and now finds one gets it. */
void upstream_group_use(struct upstream_group *g, uint64_t now_ms);
/* A group takes the place of another of its name: when both ask for the same service, its
 * members are those of the other until it has been answered itself. Before others see it. */
void upstream_group_inherit(struct upstream_group *g, struct upstream_group *from);
/* A reference to the present ones; NULL: of a service that was not found yet. Any
 * thread. */
struct upstream_members *upstream_group_members(struct upstream_group *g);

void upstream_server_fini(struct upstream_server *s);
