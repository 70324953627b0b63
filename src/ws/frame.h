/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Frame headers (RFC 6455 5.2). No I/O, no state. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum ws_opcode {
	WS_CONTINUATION = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10
};

enum {
	WS_HEADER_MAX = 14,   /* 2 + 8 length + 4 mask key */
	WS_CONTROL_MAX = 125, /* payload of a control frame */
	WS_CONTROL_FRAME_MAX = 6 + WS_CONTROL_MAX,
};

/* Why a frame was refused. The order is that of the checks, and of the bytes that
 * tell: of two faults the first is reported, however the bytes arrive. */
enum ws_error {
	WS_OK,
	/* the first byte */
	WS_ERR_RESERVED_BITS,
	WS_ERR_OPCODE,
	WS_ERR_CONTROL_FRAGMENT, /* a control frame without FIN */
	WS_ERR_SEQUENCE,         /* continuation without start, or a new start inside a message */
	WS_ERR_FRAGMENTS,        /* over max_fragments */
	/* the second */
	WS_ERR_MASK,           /* unmasked from a client, masked from a server */
	WS_ERR_CONTROL_LENGTH, /* a control frame over 125 bytes */
	WS_ERR_CLOSE_LENGTH,   /* a close frame with a 1-byte body */
	/* the length */
	WS_ERR_LENGTH_FORM,  /* not the shortest form of the length */
	WS_ERR_LENGTH,       /* most significant bit of the 64-bit length */
	WS_ERR_FRAME_SIZE,   /* over max_frame */
	WS_ERR_MESSAGE_SIZE, /* over max_message */
	/* the payload */
	WS_ERR_CLOSE_CODE,
	WS_ERR_UTF8,
};

/* The close code for the peer that did it (1002, 1007, 1008 or 1009), and the
 * reason in a few words, which goes on the wire and into the log. */
uint16_t ws_error_code(enum ws_error error);
const char *ws_error_reason(enum ws_error error);

struct ws_frame {
	uint64_t len;       /* payload bytes */
	uint8_t header_len; /* bytes of the header, mask key included */
	uint8_t opcode;
	bool fin, masked;
	uint8_t key[4]; /* when masked */
};

/* Reads one frame header from the front of buf and checks all that the header
 * alone tells: reserved bits, opcode, control rules, shortest length form. A
 * fault is found as soon as its byte is there. Masking by role, sequence and
 * limits are the reader's. *f is written when the header is whole.
 *
 * Returns the bytes it used, 0 when buf holds only part of a header, or
 * -WS_ERR_*. Keeps no pointer into buf. */
ssize_t ws_frame_parse(struct ws_frame *f, const uint8_t *buf, size_t len);

/* Writes the header that `f` describes, in the shortest form; f->header_len is
 * not looked at. Returns its bytes. */
size_t ws_frame_write(uint8_t out[WS_HEADER_MAX], const struct ws_frame *f);

/* Writes a whole control frame; masked with a fresh key when `masked`.
 * len <= WS_CONTROL_MAX. Returns its bytes. */
size_t ws_control_write(uint8_t out[WS_CONTROL_FRAME_MAX], uint8_t opcode, const void *payload,
        size_t len, bool masked);
/* A close frame; code 0 is an empty body. The reason is cut to fit 123 bytes at
 * a character's border. Returns its bytes. */
size_t ws_close_write(
        uint8_t out[WS_CONTROL_FRAME_MAX], uint16_t code, const char *reason, bool masked);

/* What a peer may send (RFC 6455 7.4.1 and the IANA registry): 1000 to 1003,
 * 1007 to 1014, 3000 to 4999. */
bool ws_close_code_is_valid(uint16_t code);
