/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Listening sockets: opened, owned and closed by the control thread, watched by
 * the workers. TCP: one socket per worker with SO_REUSEPORT, after a probe bind
 * without it, or a second daemon would bind silently. Unix, or passed to us by whoever
 * started the process: one, watched by all. */

#include "net/address.h"
#include "net/plain.h"

#include <sys/stat.h>

struct worker;

struct listener_settings {
	struct address address;
	const char *passed;     /* the name of a socket of net/passed.h, instead of an address */
	unsigned passed_number; /* among those of that name */
	int backlog;
	mode_t mode; /* unix; 0 = as the umask says */
	uid_t owner; /* unix; (uid_t)-1 = unchanged */
	gid_t group;
	struct socket_options socket;
	bool is_beside_own; /* the address meets one of ours that is about to go: no probe bind */
};

struct listener;

/* On failure NULL with errno, and in why a few words. A
 * stale unix socket file (nobody answers a connect) is removed first; a file that
 * is no socket never. */
struct listener *listener_open(const struct listener_settings *s, unsigned workers, char why[160]);
/* The address in use (a port 0 replaced by the kernel's choice). */
const struct address *listener_address(const struct listener *l);
/* The socket that a worker of this number watches. */
int listener_fd(const struct listener *l, unsigned worker);
/* Sockets that stay are given other settings of the same address: the options, the backlog,
 * the mode, owner and group of a unix socket's file. The last of it may fail: false, with
 * errno and in why a few words, and some of it is done. */
bool listener_change(struct listener *l, const struct listener_settings *s, char why[160]);
/* A unix socket's file, if it was made here, is still the socket's. True for other kinds. */
bool listener_has_file(const struct listener *l);
/* Closes the sockets and removes a unix socket's file, if it was made here. No worker may
 * watch it. */
void listener_close(struct listener *l);
/* Removes the file first, so that no more clients come by it; the sockets stay. */
void listener_unlink(struct listener *l);
/* Closes the one socket of a worker that watches it no more, on that worker's thread, unless
 * it is the socket of others too. What comes after what it accepted last is refused rather than
 * queued for nobody. */
void listener_close_own(struct listener *l, unsigned worker);

/* Gets a connected descriptor, which it owns, and the peer's address. */
typedef void (*listener_fn)(struct worker *w, int fd, const struct address *peer, void *arg);

/* One worker's watch over its socket of a listener (watch.c). Out of descriptors: the
 * worker's spare one is used to close the waiting peers (counted as shed), then the
 * watch rests for 100 ms. One log line, descriptors_exhausted, at the start and one,
 * descriptors_available, when there was no shortage for a while. */
struct watch;
/* NULL when the worker's base cannot take it. */
struct watch *listener_watch(struct listener *l, struct worker *w, listener_fn fn, void *arg);
/* The same of a worker that cannot go back: when its base cannot take it, that is tried again. */
struct watch *listener_watch_soon(struct listener *l, struct worker *w, listener_fn fn, void *arg);
/* The listener is to be closed: accepts what the kernel has queued on the socket, some of it
 * in each turn, and then calls done(arg), by which the watch is gone. Perhaps before it
 * returns. */
void watch_finish(struct watch *x, void (*done)(void *arg));
/* On the worker's thread, before the listener is closed; also from within fn. What the
 * kernel has queued on the socket stays there. */
void watch_stop(struct watch *x);
