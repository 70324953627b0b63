/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What is to happen in a session. It follows from the seed and the session's number, so that
 * both of its peers know it, and a session that showed a fault can be played again. */

#include "book.h"
#include "message.h"

struct side_script {
	uint32_t messages;
	enum sizes sizes;
	uint32_t burst, pause_ms;    /* so many messages, then a pause */
	uint32_t dribble;            /* at most so many bytes in one send; 0 = no bound */
	uint32_t stall_at, stall_ms; /* does not read after so many messages */
	int receive_buffer;          /* 0 = the kernel's choice */
	bool closes;                 /* sends the first close frame; both may */
	bool eager;                  /* and does so while the other still sends */
	bool abrupt;                 /* a close frame may stand inside a message */
	uint16_t code;
	enum fault fault;
	uint32_t fault_at; /* before or in the message of that number */
	bool hasty;        /* closes as soon as the close handshake is done */
	bool half;         /* shuts its sending half down behind its close frame */
};

struct script {
	uint64_t seed, session;
	bool tight; /* by the route whose time limits are short */
	bool early; /* the client does not wait for the answer */
	uint32_t answer_ms, early_ms;
	struct side_script side[2];
};

struct script script_make(uint64_t seed, uint64_t session);
