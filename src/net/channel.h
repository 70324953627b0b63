/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Questions to name servers: a c-ares channel whose sockets and timeouts are events of
 * a worker's loop. c-ares asks by UDP, again by TCP what was cut short, the next server
 * when one is silent or fails, and drops replies that have another id or question or
 * come from elsewhere. One worker's thread. */

#include "net/dns.h"

struct channel;
struct worker;

/* `reply` is the whole message when status is ARES_SUCCESS. */
typedef void (*channel_fn)(
        void *arg, int status, int timeouts, unsigned char *reply, int reply_len);

struct channel_settings {
	const char *servers; /* `1.2.3.4:53,[::1]:53`; NULL = those of /etc/resolv.conf */
	uint32_t timeout_ms; /* for one question, about; it bounds how long c-ares goes on */
};

/* NULL when memory is short or the system's configuration cannot be read. */
struct channel *channel_new(struct worker *w, const struct channel_settings *s);
/* Not inside a channel_fn. Questions in flight end with ARES_EDESTRUCTION. */
void channel_free(struct channel *c);
/* fn is called once, perhaps before this returns. */
void channel_ask(struct channel *c, const char *name, enum dns_type type, channel_fn fn, void *arg);
bool channel_is_idle(const struct channel *c);

/* The step-th full name that `name` may stand for, by the search domains of the system.
 * "" for one that is too long. False: there are no more. */
bool channel_search(
        const struct channel *c, const char *name, unsigned step, char out[DNS_NAME_MAX]);
