/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the tests of TLS streams stand on: one stream on a simulated one, ours, with a tap as its
 * owner, contexts for either role, and OpenSSL at the other end. */

#include "base/budget.h"
#include "base/fault.h"
#include "net/tls_client.h"
#include "net/tls_server.h"
#include "tls_peer.h"

/* With the last of each OpenSSL protects the records to the end. */
#define EVERY_CIPHER TLS_CIPHERS ":ECDHE-ECDSA-AES128-SHA256"
#define EVERY_SUITE  TLS_CIPHERSUITES ":TLS_AES_128_CCM_SHA256"

static struct worker *w;
static struct stream *far;
static struct tap tap;
static struct identity id;
static struct tls_server *server;
static struct tls_client *client;
static struct peer peer;

static struct tls_settings every_kind(void)
{
	return (struct tls_settings){TLS_FLOOR_1_2, EVERY_CIPHER, EVERY_SUITE, TLS_GROUPS};
}

static struct tls_server *new_server(const struct identity *who)
{
	char why[TLS_WHY_MAX];
	struct tls_server_settings s = {.tls = every_kind(), .scope = "test"};
	struct tls_server *t = tls_server_new(&s, why);
	ck_assert(tls_server_add(t, slice_str(who->chain), slice_str(who->key), why));
	ck_assert(tls_server_finish(t, why));
	return t;
}

/* `ca` NULL: it believes anybody. */
static struct tls_client *new_client(const struct identity *ca)
{
	char why[TLS_WHY_MAX];
	struct tls_client_settings s = {.tls = every_kind(),
	        .verify = ca != NULL,
	        .ca = ca ? slice_str(ca->chain) : SLICE("")};
	struct tls_client *c = tls_client_new(&s, why);
	ck_assert_msg(c != NULL, "%s", why);
	return c;
}

static void new_stream(void)
{
	far = sim_new(w);
	tap_init(&tap, far);
}

static void tls_setup(void)
{
	memset(&tap, 0, sizeof tap);
	w = worker_new(0);
	id = identity_of("EC", "localhost", "DNS:localhost,IP:127.0.0.1", 86400, NULL);
	server = new_server(&id);
	client = new_client(&id);
	new_stream();
}

static void tls_teardown(void)
{
	fault_plan(NULL);
	budget_set(0);
	budget_settle();
	tap_free(&tap);
	sim_free(far);
	peer_free(&peer);
	tls_server_unref(server);
	tls_client_unref(client);
	identity_free(&id);
	worker_turn(w, 0);
	ck_assert_uint_eq(w->chunks.used, 0);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	worker_free(w);
}

/* The next of a test: nothing is left of the stream and of its peer. */
static void replace_stream(void)
{
	fault_plan(NULL);
	tap_free(&tap);
	worker_turn(w, 0);
	sim_free(far);
	peer_free(&peer);
	new_stream();
}

/* The peer speaks this version and no other. */
static void set_version(int version)
{
	SSL_set_max_proto_version(peer.ssl, version);
	SSL_set_min_proto_version(peer.ssl, version);
}
