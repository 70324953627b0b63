/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One end of a session after, or while, its handshake: sends the messages of its script,
 * compares all that comes with what must come, makes its trouble, and keeps its entry of the
 * book. Whatever is not as it should be ends the program with exit status 1.
 *
 * A process has one loop for all its peers; its owner does the handshakes. */

#include "../bench/secure.h"
#include "../bench/util.h"
#include "script.h"

struct peer {
	struct peer *next;
	int fd;
	struct secure *tls; /* NULL = none */
	uint32_t watched;
	enum role role;
	bool in_head;  /* a head is awaited, not frames */
	bool speaking; /* may send frames */
	bool gone;     /* freed at the end of the turn */
	struct head head;
	struct script script;
	struct entry *entry; /* NULL: the upstream does not know yet who it is */
	struct draw draw;    /* for what need not be foreseen */
	uint64_t wake_ns;    /* when the owner wants on_wake(); 0 = never */

	/* Output: whole frames that wait. */
	uint8_t *out;
	size_t out_at, out_len, out_room;
	bool faulting;
	size_t out_fault; /* the connection is ended when the output got so far */
	struct message sending;
	uint32_t number, sent_of; /* next message; how much of `sending` went out */
	bool sending_begun, shut, blocked, send_failed;
	uint32_t burst_left;
	uint64_t talk_ns, flush_ns;

	/* Input. */
	uint8_t part[WS_HEADER_MAX];
	size_t part_len;
	struct ws_header frame;
	uint64_t left, done;
	struct message awaited;
	uint32_t got_of;
	bool awaited_begun, stalled, stalled_once;
	uint64_t stall_end_ns;
	uint8_t control[WS_CONTROL_MAX];
};

struct peer_owner {
	void (*on_head)(struct peer *p); /* a whole head has come */
	void (*on_wake)(struct peer *p);
	void (*on_gone)(struct peer *p); /* about to be freed */
	void (*on_listener)(void);       /* NULL: there is none */
};

enum { MS = 1000000 }; /* nanoseconds */

/* LEDGER_TLS in the environment, a folder with tls.pem and tls.key: all of them speak TLS. */
void peers_init(const struct peer_owner *owner);
void peers_listen(int listener);
/* Waits for events, or a short while, and serves all peers. */
void peers_turn(void);
unsigned peers_count(void);
struct peer *peers_first(void);

struct peer *peer_new(int fd, enum role role);
/* The script and the entry of the book are known from now on. */
void peer_assign(struct peer *p, const struct script *s, struct entry *e);
void peer_put(struct peer *p, const void *bytes, size_t len);
/* Ends the connection and writes down how. */
void peer_end(struct peer *p, enum ending how);
/* Resets it, as the fault that is written down. */
void peer_reset(struct peer *p, enum fault fault);
_Noreturn void peer_wrong(const struct peer *p, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
