/* SPDX-License-Identifier: BSD-2-Clause */
#include "ws/reader.h"

#include "base/random.h"
#include "ws/forms.h"
#include "ws/header.h"
#include "ws/mask.h"
#include "ws/word.h"

#include <assert.h>
#include <string.h>

/* What lies at the front of the bytes: the result of judge(). */
struct item {
	enum ws_error error;   /* WS_ITEM_BROKEN */
	size_t header_len;     /* 0: the rest of a frame begun before */
	size_t len;            /* payload bytes of this piece, or of the control frame */
	struct ws_frame frame; /* when there is a header */
};

void ws_reader_init(struct ws_reader *r, unsigned flags)
{
	assert(!(flags & WS_REMASK) || (flags & WS_FROM_CLIENT));
	memset(r, 0, sizeof(*r));
	r->flags = (uint8_t)flags;
}

static inline bool exceeds(uint64_t n, uint64_t limit)
{
	return limit != 0 && n > limit;
}

static enum ws_error check_first(
        const struct ws_reader *r, const struct ws_limits *limits, uint8_t first)
{
	enum ws_error error = ws_header_first(first);
	if (error || (first & WS_CONTROL))
		return error;
	bool inside = r->opcode != 0;
	if (((first & WS_OPCODE) == WS_CONTINUATION) != inside)
		return WS_ERR_SEQUENCE;
	return exceeds((uint64_t)r->fragments + 1, limits->max_fragments) ? WS_ERR_FRAGMENTS
	                                                                  : WS_OK;
}

static enum ws_error check_second(const struct ws_reader *r, const uint8_t *buf)
{
	bool masked = buf[1] & WS_MASKED;
	if (masked != ((r->flags & WS_FROM_CLIENT) != 0))
		return WS_ERR_MASK;
	return ws_header_second(buf[0], buf[1]);
}

/* Two lengths are below 2^63 each, but without a limit their number has none. */
static inline uint64_t message_with(const struct ws_reader *r, uint64_t len)
{
	return r->message + len < len ? UINT64_MAX : r->message + len;
}

static enum ws_error check_size(
        const struct ws_reader *r, const struct ws_limits *limits, uint64_t len)
{
	if (exceeds(len, limits->max_frame))
		return WS_ERR_FRAME_SIZE;
	return exceeds(message_with(r, len), limits->max_message) ? WS_ERR_MESSAGE_SIZE : WS_OK;
}

/* As ws_frame_parse(), with the checks that need the role, the message so far and
 * the limits, each at the first byte that tells. */
static ssize_t read_header(const struct ws_reader *r, const struct ws_limits *limits,
        const uint8_t *buf, size_t len, struct ws_frame *f)
{
	enum ws_error error = check_first(r, limits, buf[0]);
	if (!error && len > 1)
		error = check_second(r, buf);
	if (error)
		return -(ssize_t)error;
	ssize_t used = len > 1 ? ws_header_length(buf, len, &f->len) : 0;
	if (used <= 0)
		return used;
	f->opcode = buf[0] & WS_OPCODE;
	f->fin = buf[0] & WS_FIN;
	f->masked = buf[1] & WS_MASKED;
	error = f->opcode & WS_CONTROL ? WS_OK : check_size(r, limits, f->len);
	if (error)
		return -(ssize_t)error;
	memset(f->key, 0, 4);
	if (f->masked) {
		if (len - (size_t)used < 4)
			return 0;
		memcpy(f->key, buf + used, 4);
		used += 4;
	}
	f->header_len = (uint8_t)used;
	return used;
}

static void begin_frame(struct ws_reader *r, const struct ws_frame *f)
{
	if (f->opcode != WS_CONTINUATION)
		r->opcode = f->opcode;
	r->left = r->frame = f->len;
	r->message = message_with(r, f->len);
	r->fragments++;
	r->fin = f->fin;
	r->phase = 0;
	memcpy(r->key, f->key, 4);
	if (r->flags & WS_REMASK) /* the leaving key is as random as its difference */
		random_bytes(r->twist, 4);
}

/* The payload bytes of a piece are done with. Returns whether its frame is. */
static bool advance(struct ws_reader *r, size_t len)
{
	r->left -= len;
	r->phase = (uint8_t)((r->phase + len) & 3);
	if (r->left > 0)
		return false;
	if (r->fin) {
		uint8_t flags = r->flags;
		memset(r, 0, sizeof(*r));
		r->flags = flags;
	}
	return true;
}

/* Judges what came of the current frame; the state moves on only past sound text. */
static enum ws_item judge_piece(
        struct ws_reader *r, const uint8_t *payload, size_t len, struct item *item)
{
	item->len = len < r->left ? len : (size_t)r->left;
	if (r->opcode != WS_TEXT)
		return WS_ITEM_PIECE;
	utf8_state after = utf8_check_masked(r->utf8, payload, item->len, r->key, r->phase);
	bool is_end = r->fin && item->len == r->left;
	if (after != UTF8_WRONG && (after == UTF8_START || !is_end)) {
		r->utf8 = after;
		return WS_ITEM_PIECE;
	}
	if (item->header_len > 0)
		r->left = 0; /* nothing of this frame has passed */
	item->error = WS_ERR_UTF8;
	return WS_ITEM_BROKEN;
}

/* The `have` first payload bytes of a close frame. */
static enum ws_error check_close(const struct ws_frame *f, const uint8_t *payload, size_t have)
{
	if (f->opcode != WS_CLOSE || have < 2)
		return WS_OK;
	uint16_t code = (uint16_t)((payload[0] ^ f->key[0]) << 8 | (payload[1] ^ f->key[1]));
	if (!ws_close_code_is_valid(code))
		return WS_ERR_CLOSE_CODE;
	utf8_state reason = utf8_check_masked(UTF8_START, payload + 2, have - 2, f->key, 2);
	bool is_bad = reason == UTF8_WRONG || (have == f->len && reason != UTF8_START);
	return is_bad ? WS_ERR_UTF8 : WS_OK;
}

static enum ws_item judge_control(const uint8_t *payload, size_t len, struct item *item)
{
	item->len = len < item->frame.len ? len : (size_t)item->frame.len;
	item->error = check_close(&item->frame, payload, item->len);
	if (item->error)
		return WS_ITEM_BROKEN;
	return item->len < item->frame.len ? WS_ITEM_MORE : WS_ITEM_CONTROL;
}

/* What lies at the front of buf. For a piece the reader is inside its frame, and
 * advance() is to follow; nothing has been changed in buf. */
static enum ws_item judge(struct ws_reader *r, const struct ws_limits *limits, const uint8_t *buf,
        size_t len, struct item *item)
{
	item->header_len = 0;
	item->error = WS_OK;
	if (len == 0)
		return WS_ITEM_MORE;
	if (r->left > 0)
		return judge_piece(r, buf, len, item);
	ssize_t header = read_header(r, limits, buf, len, &item->frame);
	if (header <= 0) {
		item->error = (enum ws_error) - header;
		return header < 0 ? WS_ITEM_BROKEN : WS_ITEM_MORE;
	}
	item->header_len = (size_t)header;
	buf += header;
	len -= (size_t)header;
	if (item->frame.opcode & WS_CONTROL)
		return judge_control(buf, len, item);
	if (item->frame.len > 0 && len == 0)
		return WS_ITEM_MORE;
	begin_frame(r, &item->frame);
	return judge_piece(r, buf, len, item);
}

/* Gives a frame that begins at buf another key: twists the key at the end of its
 * header and the payload that came. */
static void remask(uint8_t *buf, size_t header_len, size_t len, const uint8_t twist[4])
{
	for (size_t i = 0; i < 4; i++)
		buf[header_len - 4 + i] ^= twist[i];
	ws_mask(buf + header_len, len, twist, 0);
}

static void remask_piece(const struct ws_reader *r, uint8_t *buf, const struct item *item)
{
	if (item->header_len > 0)
		remask(buf, item->header_len, item->len, r->twist);
	else
		ws_mask(buf, item->len, r->twist, r->phase);
}

static void describe_control(const uint8_t *buf, const struct item *item, struct ws_run *run)
{
	run->control_opcode = item->frame.opcode;
	run->control_len = (uint8_t)(item->header_len + item->len);
	run->payload_len = (uint8_t)item->len;
	memcpy(run->payload, buf + item->header_len, item->len);
	ws_mask(run->payload, item->len, item->frame.key, 0);
	run->close_code = 0;
	if (item->frame.opcode == WS_CLOSE && item->len > 0)
		run->close_code = (uint16_t)(run->payload[0] << 8 | run->payload[1]);
}

struct tally {
	uint32_t messages, texts;
	size_t text_bytes;
};

/* The way of most traffic: whole messages of up to 125 bytes, while they are
 * sound. All else, faults too, is left to judge(). Returns the bytes passed. */
static size_t run_small(const struct ws_reader *r, const struct ws_limits *limits, uint8_t *buf,
        size_t len, struct tally *tally)
{
	bool masked = r->flags & WS_FROM_CLIENT, twists = r->flags & WS_REMASK;
	size_t header = masked ? 6 : 2, most = 125, pos = 0;
	uint8_t mask_bit = masked ? WS_MASKED : 0;
	struct tally all = *tally; /* of which no write to buf could be one */
	if (check_size(r, limits, most))
		return 0;
	while (len - pos >= header) {
		uint8_t *p = buf + pos;
		size_t n = p[1] ^ mask_bit; /* over 255 - 128 when the mask bit is wrong */
		bool is_text = p[0] == (WS_FIN | WS_TEXT);
		if ((!is_text && p[0] != (WS_FIN | WS_BINARY)) || n > most ||
		        len - pos - header < n)
			break;
		if (is_text) {
			uint32_t key = masked ? key_load(p + 2) : 0;
			if (!word_is_ascii(p + header, n, key) &&
			        utf8_check_word(UTF8_START, p + header, n, key) != UTF8_START)
				break;
			all.texts++;
			all.text_bytes += header + n;
		}
		if (twists) {
			uint8_t twist[4];
			random_bytes(twist, sizeof(twist));
			remask(p, header, n, twist);
		}
		pos += header + n;
		all.messages++;
	}
	*tally = all;
	return pos;
}

static const enum ws_stop stops[] = {
        [WS_ITEM_MORE] = WS_STOP_MORE,
        [WS_ITEM_PIECE] = WS_STOP_MORE,
        [WS_ITEM_CONTROL] = WS_STOP_CONTROL,
        [WS_ITEM_BROKEN] = WS_STOP_BROKEN,
};

void ws_reader_run(struct ws_reader *r, const struct ws_limits *limits, uint8_t *buf, size_t len,
        struct ws_run *run)
{
	struct item item;
	enum ws_item kind;
	size_t pos = 0;
	struct tally tally = {.messages = 0};
	uint32_t others = 0, empty = 0; /* others: frames that end no message */
	for (;;) {
		if (r->opcode == 0)
			pos += run_small(r, limits, buf + pos, len - pos, &tally);
		kind = judge(r, limits, buf + pos, len - pos, &item);
		if (kind != WS_ITEM_PIECE)
			break;
		if (r->flags & WS_REMASK)
			remask_piece(r, buf + pos, &item);
		pos += item.header_len + item.len;
		empty += r->frame == 0 && !r->fin;
		bool is_text = r->opcode == WS_TEXT;
		tally.text_bytes += is_text ? item.header_len + item.len : 0;
		if (!advance(r, item.len))
			continue;
		others += r->opcode != 0;
		tally.messages += r->opcode == 0;
		tally.texts += r->opcode == 0 && is_text;
	}
	run->pass = pos;
	run->stop = stops[kind];
	run->error = item.error;
	run->messages = tally.messages;
	run->frames = tally.messages + others;
	run->texts = tally.texts;
	run->text_bytes = tally.text_bytes;
	run->empty = empty;
	if (kind != WS_ITEM_CONTROL)
		return;
	describe_control(buf + pos, &item, run);
	if (r->flags & WS_REMASK) {
		uint8_t twist[4];
		random_bytes(twist, sizeof(twist));
		remask(buf + pos, item.header_len, item.len, twist);
	}
}

static void describe_piece(
        const struct ws_reader *r, uint8_t *buf, const struct item *item, struct ws_piece *piece)
{
	*piece = (struct ws_piece){
	        .frame_len = r->frame,
	        .payload = buf + item->header_len,
	        .len = item->len,
	        .header_len = (uint8_t)item->header_len,
	        .opcode = r->fragments == 1 ? r->opcode : WS_CONTINUATION,
	        .fin = r->fin,
	        .starts = item->header_len > 0,
	        .ends = item->len == r->left,
	};
}

enum ws_item ws_reader_next(struct ws_reader *r, const struct ws_limits *limits, uint8_t *buf,
        size_t len, size_t *used, struct ws_piece *piece, struct ws_run *run)
{
	assert(!(r->flags & WS_REMASK));
	struct item item;
	enum ws_item kind = judge(r, limits, buf, len, &item);
	run->pass = *used = 0;
	run->stop = stops[kind];
	run->error = item.error;
	run->messages = run->frames = run->empty = run->texts = 0;
	run->text_bytes = 0;
	if (kind == WS_ITEM_PIECE) {
		describe_piece(r, buf, &item, piece);
		ws_mask(piece->payload, piece->len, r->key, r->phase);
		advance(r, item.len);
	} else if (kind == WS_ITEM_CONTROL) {
		describe_control(buf, &item, run);
	}
	if (kind == WS_ITEM_PIECE || kind == WS_ITEM_CONTROL)
		*used = item.header_len + item.len;
	return kind;
}
