/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Listening sockets that whoever started the process opened and passed on by the
 * protocol of sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, descriptors from
 * 3 on. They stay open for as long as the process lives, so that a listener that a
 * reload takes away can come back. Control thread. */

#include <stdbool.h>

/* Takes what the environment says, and the variables out of it. Before any other
 * descriptor is opened above 2. False, and a few words in why, when it makes no sense. */
bool passed_init(char why[160]);
/* How many there are, of all names. */
unsigned passed_n(void);
/* The name of one of them. */
const char *passed_name(unsigned i);
int passed_fd(unsigned i);
/* How many have that name. */
unsigned passed_count(const char *name);
/* The index-th socket of that name, or -1. */
int passed_find(const char *name, unsigned index);
/* Whether a name may be one: 1 to 255 printable ASCII characters without ':'. */
bool passed_is_name(const char *name);
