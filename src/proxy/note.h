/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a session remembers of its connection and its request beside its client's address:
 * an id that a trusted proxy gave the request, who was connected when the client is somebody else,
 * and whereto, when a PROXY header told. Small, since it lasts as long as the session. One worker's
 * thread. */

#include "net/address.h"

#include <stdbool.h>

enum { NOTE_ID_MAX = 128 };

struct note;

/* `peer` and `destination` may be NULL, `id` (at most NOTE_ID_MAX bytes) empty. NULL: out
 * of memory. */
struct note *note_new(
        const struct address_brief *peer, const struct address_brief *destination, struct slice id);
void note_free(struct note *n);
/* The connection's next request begins: of the last one's nothing stays, its peer is the client. */
void note_forget_request(struct note *n);
/* Empty: none. The slice lies in the note. */
struct slice note_id(const struct note *n);
/* False: the peer is the client. */
bool note_peer(const struct note *n, struct address_brief *out);
/* False: no PROXY header told it. */
bool note_destination(const struct note *n, struct address_brief *out);
