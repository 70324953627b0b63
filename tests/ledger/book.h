/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A book: what one process of the ledger sent and got, an entry for each of its
 * connections. It is a mapped file, so that it stays true when its process is killed.
 * tests/ledger/books.py reads it and knows this layout. */

#include <stdint.h>

enum { BOOK_ENTRIES = 1 << 17 };

/* What a peer did to its own connection; written before it does so. */
enum fault {
	FAULT_NONE,
	FAULT_RESET,  /* reset, in the middle of a frame */
	FAULT_CUT,    /* ended its side in the middle of a frame; reads on */
	FAULT_VANISH, /* the same between two messages, without a close frame */
	FAULT_EARLY,  /* the client went away before or soon after it was answered */
	FAULT_DROP,   /* the upstream did not answer the request */
	FAULT_STALL,  /* did not read for longer than the route allows */
};

enum close_from { FROM_NOBODY, FROM_PEER, FROM_PROXY };

enum ending {
	STILL_OPEN,
	ENDED_EOF,   /* the proxy ended it */
	ENDED_RESET, /* the proxy reset it */
	ENDED_OWN,   /* the peer ended it itself, as its script or the protocol says */
};

struct entry {
	uint64_t session;
	uint64_t sent_bytes, got_bytes;       /* frames of messages, unfinished ones too */
	uint32_t sent_messages, got_messages; /* whole ones */
	uint32_t sent_pings, got_pings, got_pongs;
	uint32_t partner_book, partner_entry; /* client: who answered */
	uint16_t status;                      /* client: of the answer; upstream: 101 when sent */
	uint16_t close_sent, close_got;       /* codes; 0 = no close frame */
	uint8_t close_from;                   /* enum close_from: whose close frame came */
	uint8_t ending, fault, tight;
	char request_id[32]; /* client: the proxy's name for it */
};

/* Makes the file; the entries are zero. */
void book_open(const char *path);
/* The next entry; its number goes to *number. */
struct entry *book_add(uint64_t session, uint32_t *number);
