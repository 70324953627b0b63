/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A connection that a script makes: what its files share. One worker's thread.
 *
 *   FREE --connect--> WAITING for its turn in a pool, RESOLVING, CONNECTING --> OPEN
 *   OPEN --sslhandshake--> SECURING --> OPEN
 *   OPEN --close, setkeepalive, an error of the connection--> FREE
 *
 * All between FREE and OPEN is `is_connecting`: one coroutine waits in it. */

#include "lua/ngx_socket.h"
#include "lua/ngx_ssl.h"
#include "net/address.h"
#include "upstream/keepalive.h"

struct resolving;
struct stream;

struct lua_tcp {
	struct lua_socket socket;
	struct lua_input in;
	struct lua_output out;
	struct stream *stream; /* NULL: none, or it has failed, and only what it brought is left */
	struct lua_wait *waiter; /* of connect or sslhandshake */
	struct lease lease;      /* of the pool, from connect on */
	char *pool;              /* its name; owned */
	size_t pool_len;
	struct resolving *resolving;
	struct address *found; /* where it can be reached; owned */
	struct address *source;
	char *host; /* as connect was told; owned */
	size_t found_n, tried, first;
	uint64_t deadline_ms;   /* of connect */
	STACK_OF(X509) * chain; /* referenced, as is the key; NULL = none */
	EVP_PKEY *key;
	char *expected; /* owned; NULL = no certificate of the server's is asked for */
	uint32_t reused;
	uint16_t port;
	bool is_address; /* the pool's name is made of an address */
	bool is_open;    /* neither closed nor given back */
	bool verifies;   /* in the handshake that is under way */
	bool is_exact;   /* what it shows, or that it shows nothing, was said before connect */
};

static inline struct lua_tcp *lua_tcp_of(struct lua_socket *s)
{
	return (struct lua_tcp *)(void *)s;
}
/* The socket of such an object; raises for others. */
struct lua_tcp *lua_tcp_check(lua_State *L, int at);
struct worker *lua_tcp_worker(const struct lua_tcp *t);

/* Whose stream it is now: `s` is connected. */
void lua_tcp_open(struct lua_tcp *t, struct stream *s);
/* Connecting, or the handshake, has come to nothing. */
void lua_tcp_give_up(struct lua_tcp *t);
/* Its waiter goes on with n results, which are on its stack. */
void lua_tcp_wake(struct lua_tcp *t, int n);
/* Why a connect, or a handshake, cannot be made now; NULL: it can. */
extern const struct stream_events lua_tcp_events;
struct keepalive_key lua_tcp_key(const struct lua_tcp *t);

/* ngx_socket_connect.c */
int lua_tcp_connect(lua_State *L);
void lua_tcp_on_attempt_failed(struct lua_tcp *t, int error);
/* ngx_socket_tls.c */
/* Pushes the method. */
void lua_tcp_push_sslhandshake(lua_State *L);
int lua_tcp_setclientcert(lua_State *L);
void lua_tcp_on_secured(struct lua_tcp *t);
void lua_tcp_on_tls_failed(struct lua_tcp *t);
void lua_tcp_drop_certificate(struct lua_tcp *t);
/* For the next connects of the socket in slot 1, if it is one that connects: of pooled connections
 * with TLS only one will do that has shown what setclientcert() has given, be it nothing; and,
 * where slot 2 is a string, whose server was verified to be of that name. */
int lua_tcp_expect(lua_State *L);
/* keepalive_fits_fn. */
bool lua_tcp_fits(struct lease *l, const struct stream *s, const struct keepalive_mark *mark);
/* ngx_socket_option.c */
int lua_tcp_setoption(lua_State *L);
int lua_tcp_getoption(lua_State *L);

/* ngx_socket_linger.c: sends what is queued and then the end, after the script has closed it; takes
 * the stream over. */
void lua_linger(struct lua_worker *lw, struct stream *s, uint64_t ms);
/* The worker ends: none are left. */
void lua_linger_end(struct lua_worker *lw);
