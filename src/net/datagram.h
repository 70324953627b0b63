/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A socket of datagrams that is connected to one peer: UDP or unix. What comes stays in the
 * kernel until it is asked for. One worker's thread. */

#include "net/address.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct datagram;
struct worker;

/* Something has come, or an error: for whoever waits. May close the socket. */
typedef void (*datagram_fn)(void *owner);

/* NULL with errno. `source`: where from; NULL = the kernel's choice. */
struct datagram *datagram_open(struct worker *w, const struct address *to,
        const struct address *source, datagram_fn fn, void *owner);
/* As send() and recv() do: -1 with errno, EAGAIN when nothing has come or there is no room. What
 * does not fit into buf is lost. */
ssize_t datagram_send(struct datagram *d, const void *bytes, size_t len);
ssize_t datagram_receive(struct datagram *d, void *buf, size_t len);
/* fn is not called any more. NULL is fine. */
void datagram_close(struct datagram *d);
