/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The frame engine: one direction of one WebSocket (RFC 6455 5 and 7).
 *
 * Bytes in, verdicts out; no I/O, no allocation, no pointer kept. It can stop
 * and go on at every byte: what it does not use (a part of a header, a part of
 * a control frame) the caller keeps and puts in front of the next bytes. */

#include "ws/frame.h"
#include "ws/utf8.h"

enum {
	WS_FROM_CLIENT = 1, /* frames must be masked; otherwise they must not be */
	WS_REMASK = 2, /* give each frame a fresh mask key, in place (client to upstream only) */
};

struct ws_limits {
	uint64_t max_message;   /* payload bytes of a whole message; 0 = no limit */
	uint64_t max_frame;     /* payload bytes of a data frame; 0 = no limit */
	uint32_t max_fragments; /* frames of one message; 0 = no limit */
};

/* All state of one direction. Plain data: may be copied and compared. Between
 * messages everything but the flags is zero. */
struct ws_reader {
	uint64_t left;      /* payload bytes of the current data frame still to come */
	uint64_t message;   /* payload bytes of the unfinished message, the current frame's whole
	                       length included */
	uint64_t frame;     /* payload bytes of the current data frame, all of it */
	uint32_t fragments; /* frames of the unfinished message */
	uint8_t key[4];     /* mask of the current frame as it arrives */
	uint8_t twist[4];   /* with WS_REMASK: arriving key XOR leaving key */
	uint8_t phase;      /* of the mask, 0 to 3 */
	uint8_t opcode;     /* of the unfinished message; 0 = none */
	bool fin;           /* the current frame ends its message */
	utf8_state utf8;
	uint8_t flags;
};
_Static_assert(sizeof(struct ws_reader) <= 64, "a direction's state stays small");

void ws_reader_init(struct ws_reader *r, unsigned flags);

/* Part of a data frame has been passed and its rest has not come yet. */
static inline bool ws_reader_is_mid_frame(const struct ws_reader *r)
{
	return r->left > 0;
}

/* A message has begun and its last frame has not ended. */
static inline bool ws_reader_is_mid_message(const struct ws_reader *r)
{
	return r->opcode != 0;
}

enum ws_stop {
	WS_STOP_MORE, /* all that can be judged has been; buf[pass..len) is the caller's to keep */
	WS_STOP_CONTROL, /* a sound, complete control frame lies at buf[pass..pass + control_len) */
	WS_STOP_BROKEN,  /* the peer broke the protocol at or after buf[pass] */
};

struct ws_run {
	size_t pass; /* sound bytes of data frames at the front, which may leave as they are */
	enum ws_stop stop;
	enum ws_error error; /* WS_STOP_BROKEN */
	uint32_t messages;   /* messages whose last byte is among the passed */
	uint32_t frames;     /* data frames whose last byte is among the passed */
	uint32_t empty;      /* of these: without payload, and ending no message */
	uint32_t texts;      /* of the messages: those of text */
	size_t text_bytes;   /* of the passed: those of frames of text messages */
	/* WS_STOP_CONTROL: */
	uint8_t control_opcode;
	uint8_t control_len; /* of the whole frame */
	uint8_t payload_len;
	uint8_t payload[WS_CONTROL_MAX]; /* unmasked */
	uint16_t close_code;             /* of a close frame; 0 = it has none */
};

/* Reads as many data frames as buf holds, stops at the first control frame.
 *
 * A frame that ends inside buf passes whole or, when it proves broken, not at
 * all; of a longer one the bytes that came pass, checked. Text passes only up to
 * the first wrong byte: of a frame that has passed in part, nothing of the call
 * that brings the wrong byte does. A header passes with the first byte of its
 * payload, never alone; a control frame only whole. A fault is told as soon as
 * its byte is there, also in a header or a close frame that is not complete, and
 * is the same one however the bytes are cut into calls.
 *
 * With WS_STOP_MORE at most WS_CONTROL_FRAME_MAX - 1 bytes are left over,
 * unchanged. After WS_STOP_CONTROL the caller goes on behind the control frame.
 * After WS_STOP_BROKEN the reader must not be used again, but still tells
 * is_mid_frame: whether part of the broken frame has passed. With WS_REMASK the
 * passed bytes and the control frame are changed in place. Of *run only what
 * its stop calls for is written: the control part stays as it was otherwise. */
void ws_reader_run(struct ws_reader *r, const struct ws_limits *limits, uint8_t *buf, size_t len,
        struct ws_run *run);

/* A piece of a data frame, for callers that look at or change each one. */
struct ws_piece {
	uint64_t frame_len; /* payload bytes of the whole frame */
	uint8_t *payload;   /* what came of it, unmasked in place; the caller may change it */
	size_t len;
	uint8_t header_len; /* of the first piece: the bytes right in front of payload that were the
	                       header, which the caller may overwrite too; 0 for the others */
	uint8_t opcode;     /* of the frame: WS_CONTINUATION, WS_TEXT or WS_BINARY */
	bool fin;           /* of the frame */
	bool starts, ends;  /* the frame */
};

enum ws_item { WS_ITEM_MORE, WS_ITEM_PIECE, WS_ITEM_CONTROL, WS_ITEM_BROKEN };

/* The same engine one step at a time: the next piece of a data frame, or what
 * stops it (described in run as above, with run->pass = 0). *used counts the
 * bytes that are done with, the control frame's included; they belong to the
 * caller. A control frame and all bytes behind *used are left as they came.
 * WS_REMASK must be off. */
enum ws_item ws_reader_next(struct ws_reader *r, const struct ws_limits *limits, uint8_t *buf,
        size_t len, size_t *used, struct ws_piece *piece, struct ws_run *run);
