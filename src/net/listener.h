/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Listening sockets: opened, owned and closed by the control thread, watched by
 * the workers. TCP: one socket per worker with SO_REUSEPORT, after a probe bind
 * without it, or a second daemon would bind silently. Unix: one, watched by all. */

#include "net/address.h"
#include "net/plain.h"

#include <sys/stat.h>

struct worker;

struct listener_settings {
	struct address address;
	int backlog;
	mode_t mode;        /* unix; 0 = as the umask says */
	uid_t owner;        /* unix; (uid_t)-1 = unchanged */
	gid_t group;
	struct socket_options socket;
};

struct listener;

/* On failure NULL, and *why a few words with the errno's, static or in `text`. A
 * stale unix socket file (nobody answers a connect) is removed first; a file that
 * is no socket never. */
struct listener *listener_open(const struct listener_settings *s, unsigned workers, char why[160]);
/* The address in use (a port 0 replaced by the kernel's choice). */
const struct address *listener_address(const struct listener *l);
/* Closes the sockets and removes a unix socket's file. No worker may watch it. */
void listener_close(struct listener *l);

/* Gets a connected descriptor, which it owns; the peer's address. */
typedef void (*listener_fn)(struct worker *w, int fd, const struct address *peer, void *arg);

/* One worker's watch over its socket of a listener. Out of descriptors: the spare
 * one is used to close the waiting peers (counted as shed), then the watch rests
 * for 100 ms; one log line at the start and one at the end of such a time. */
struct watch;
struct watch *listener_watch(struct listener *l, struct worker *w, listener_fn fn, void *arg);
void watch_stop(struct watch *x);
