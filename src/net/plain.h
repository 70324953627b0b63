/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Streams over TCP and unix sockets. One worker's thread. */

#include "net/address.h"
#include "net/stream.h"

struct socket_options {
	uint32_t send_buffer, receive_buffer; /* bytes; 0 = the kernel's choice */
	uint32_t keepalive_ms;        /* of silence, until the peer is asked for life; 0 = never */
	uint32_t user_timeout_ms;     /* for which sent bytes may lack an answer; 0 = the kernel's
	                                 choice */
	bool speaks_first;            /* connecting: the first bytes follow at once, from here */
	const struct address *source; /* to connect from; NULL = the kernel's choice. Borrowed */
};

/* Takes over a connected descriptor; NULL (and the descriptor closed) when memory
 * is short. The owner sets events and owner before the turn goes on. */
struct stream *plain_accepted(struct worker *w, int fd);
/* Begins to connect. NULL with errno when that fails at once: EADDRNOTAVAIL when no port
 * is free, ENODEV when the source address is not one of this host. What is sent
 * before it is connected is tried at once (a loopback connection is ready before
 * the loop knows) and queued otherwise. The caller keeps the deadline, and settles a
 * connection that lasts (stream_settle()): most system calls of a short one would be its options.
 */
struct stream *plain_connect(
        struct worker *w, const struct address *to, const struct socket_options *o);

/* All options: TCP_NODELAY, buffers, and keepalive (3 probes, a third of the idle time apart)
 * and TCP_USER_TIMEOUT. Accepted sockets inherit them from their listener. */
void plain_set_options(int fd, int family, const struct socket_options *o);

/* For worker.c: the memory of plain streams, and the look at doubtful ones. */
struct pool;
struct timer;
void plain_pool_init(struct pool *pool);
void plain_sweep(struct timer *t);
