/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* For the tests of the frame engine: feeds a stream to it in pieces as a session
 * would, and brings what came out into a form that can be compared. */

#include "ws/header.h"
#include "ws/mask.h"
#include "ws/reader.h"

#include <stdlib.h>
#include <string.h>

struct bytes {
	uint8_t *p;
	size_t len, size;
};

static inline void bytes_add(struct bytes *b, const void *p, size_t len)
{
	if (b->len + len > b->size) {
		b->size = 2 * (b->len + len) + 64;
		b->p = realloc(b->p, b->size);
	}
	if (len > 0)
		memcpy(b->p + b->len, p, len);
	b->len += len;
}

struct feed {
	struct ws_reader reader;
	enum ws_error error;
	uint32_t messages, frames, texts; /* texts, text_bytes: ws_reader_run only */
	size_t text_bytes;
	struct bytes passed;   /* raw (ws_reader_run only) */
	struct bytes plain;    /* data frames without masks, the last one perhaps cut */
	size_t complete;       /* of plain: up to the end of the last whole frame */
	struct bytes controls; /* opcode, frames before it, close code, length, payload */
	struct bytes rest;     /* what the engine has left with the caller */
	uint64_t cut;          /* payload bytes that the last frame in plain lacks */
};

static inline void feed_free(struct feed *f)
{
	free(f->passed.p);
	free(f->plain.p);
	free(f->controls.p);
	free(f->rest.p);
}

static inline void feed_control(struct feed *f, const struct ws_run *run)
{
	uint32_t facts[4] = {run->control_opcode, f->frames, run->close_code, run->payload_len};
	bytes_add(&f->controls, facts, sizeof(facts));
	bytes_add(&f->controls, run->payload, run->payload_len);
}

/* The passed bytes without their masks. Returns false when they are no sound
 * sequence of frames of the right masking. */
static inline bool feed_unmask(struct feed *f, bool masked)
{
	const uint8_t *p = f->passed.p;
	size_t len = f->passed.len;
	while (len > 0) {
		struct ws_frame frame;
		uint8_t header[WS_HEADER_MAX];
		ssize_t used = ws_frame_parse(&frame, p, len);
		if (used <= 0 || frame.masked != masked || (frame.opcode & WS_CONTROL))
			return false;
		size_t n = len - (size_t)used < frame.len ? len - (size_t)used : (size_t)frame.len;
		if (n == 0 && frame.len > 0)
			return false;
		frame.masked = false;
		bytes_add(&f->plain, header, ws_frame_write(header, &frame));
		bytes_add(&f->plain, p + used, n);
		ws_mask(f->plain.p + f->plain.len - n, n, frame.key, 0);
		f->cut = frame.len - n;
		if (n == frame.len)
			f->complete = f->plain.len;
		p += (size_t)used + n;
		len -= (size_t)used + n;
	}
	return true;
}

/* One call's worth: what was left and the new bytes, in a buffer of just that size. */
static inline uint8_t *feed_gather(struct feed *f, const uint8_t *p, size_t n, size_t *len)
{
	*len = f->rest.len + n;
	uint8_t *buf = malloc(*len);
	if (f->rest.len > 0)
		memcpy(buf, f->rest.p, f->rest.len);
	if (n > 0)
		memcpy(buf + f->rest.len, p, n);
	f->rest.len = 0;
	return buf;
}

/* Returns false when the engine did what it must not. */
static inline bool feed_run(
        struct feed *f, const struct ws_limits *limits, const uint8_t *p, size_t n)
{
	size_t len, pos = 0;
	uint8_t *buf = feed_gather(f, p, n, &len), *original = malloc(len);
	memcpy(original, buf, len);
	struct ws_run run;
	bool is_good = true;
	do {
		ws_reader_run(&f->reader, limits, buf + pos, len - pos, &run);
		is_good = is_good && run.pass <= len - pos && run.messages <= run.frames;
		bytes_add(&f->passed, buf + pos, run.pass);
		pos += run.pass;
		f->frames += run.frames;
		f->messages += run.messages;
		f->texts += run.texts;
		f->text_bytes += run.text_bytes;
		if (run.stop == WS_STOP_CONTROL) {
			struct ws_frame frame;
			struct ws_run seen = run;
			is_good = is_good && ws_frame_parse(&frame, buf + pos, len - pos) > 0 &&
			          frame.opcode == run.control_opcode &&
			          frame.len == run.payload_len &&
			          run.control_len == frame.header_len + frame.len;
			ws_mask(seen.payload, run.payload_len,
			        frame.masked ? frame.key : (uint8_t[4]){0}, 0);
			is_good = is_good && !memcmp(seen.payload, buf + pos + frame.header_len,
			                             run.payload_len);
			feed_control(f, &run);
			pos += run.control_len;
		}
	} while (run.stop == WS_STOP_CONTROL);
	f->error = run.error;
	bytes_add(&f->rest, buf + pos, len - pos);
	/* What is left is unchanged, and little. */
	is_good = is_good && (len == pos || !memcmp(buf + pos, original + pos, len - pos)) &&
	          (run.stop == WS_STOP_BROKEN) == (run.error != WS_OK) &&
	          (run.error || len - pos < WS_CONTROL_FRAME_MAX);
	free(buf);
	free(original);
	return is_good;
}

static inline bool feed_next(
        struct feed *f, const struct ws_limits *limits, const uint8_t *p, size_t n)
{
	size_t len, pos = 0, used;
	uint8_t *buf = feed_gather(f, p, n, &len);
	struct ws_run run;
	struct ws_piece piece;
	enum ws_item item;
	bool is_good = true;
	for (;;) {
		item = ws_reader_next(
		        &f->reader, limits, buf + pos, len - pos, &used, &piece, &run);
		if (item == WS_ITEM_CONTROL)
			feed_control(f, &run);
		if (item == WS_ITEM_PIECE) {
			uint8_t header[WS_HEADER_MAX];
			struct ws_frame frame = {
			        .len = piece.frame_len, .opcode = piece.opcode, .fin = piece.fin};
			is_good = is_good && used == piece.header_len + piece.len &&
			          piece.payload == buf + pos + piece.header_len &&
			          piece.starts == (piece.header_len > 0) &&
			          piece.starts == (f->cut == 0);
			if (piece.starts) {
				bytes_add(&f->plain, header, ws_frame_write(header, &frame));
				f->cut = frame.len;
			}
			bytes_add(&f->plain, piece.payload, piece.len);
			f->cut -= piece.len;
			is_good = is_good && piece.ends == (f->cut == 0);
			f->frames += piece.ends;
			f->messages += piece.ends && piece.fin;
			if (piece.ends)
				f->complete = f->plain.len;
			memset(piece.payload - piece.header_len, 0xee, used);
		}
		pos += used;
		if (item == WS_ITEM_MORE || item == WS_ITEM_BROKEN)
			break;
	}
	f->error = run.error;
	is_good = is_good && used == 0 && run.pass == 0 &&
	          run.stop == (item == WS_ITEM_MORE ? WS_STOP_MORE : WS_STOP_BROKEN);
	bytes_add(&f->rest, buf + pos, len - pos);
	free(buf);
	return is_good;
}

typedef bool (*feed_fn)(struct feed *f, const struct ws_limits *limits, const uint8_t *p, size_t n);

static inline bool bytes_equal(const struct bytes *a, const struct bytes *b, size_t len)
{
	return a->len >= len && b->len >= len && (len == 0 || !memcmp(a->p, b->p, len));
}

/* Returns what differs in what must not depend on how the bytes were cut; NULL: nothing. */
static inline const char *feed_difference(const struct feed *a, const struct feed *b)
{
	if (a->error != b->error)
		return "error";
	if (a->messages != b->messages || a->frames != b->frames)
		return "counts";
	if (a->complete != b->complete || !bytes_equal(&a->plain, &b->plain, a->complete))
		return "complete frames";
	if (a->controls.len != b->controls.len ||
	        !bytes_equal(&a->controls, &b->controls, a->controls.len))
		return "control frames";
	if (a->error) {
		size_t both = a->plain.len < b->plain.len ? a->plain.len : b->plain.len;
		return bytes_equal(&a->plain, &b->plain, both) ? NULL : "cut frame";
	}
	if (a->plain.len != b->plain.len || !bytes_equal(&a->plain, &b->plain, a->plain.len))
		return "partial frame";
	if (a->rest.len != b->rest.len || !bytes_equal(&a->rest, &b->rest, a->rest.len))
		return "rest";
	return NULL;
}
