/* SPDX-License-Identifier: BSD-2-Clause */
#include "ws/frame.h"

#include "base/random.h"
#include "ws/header.h"
#include "ws/mask.h"

#include <assert.h>
#include <string.h>

static const struct {
	uint16_t code;
	const char *reason;
} errors[] = {
        [WS_OK] = {1000, "no error"},
        [WS_ERR_RESERVED_BITS] = {1002, "reserved bits set"},
        [WS_ERR_OPCODE] = {1002, "reserved opcode"},
        [WS_ERR_CONTROL_FRAGMENT] = {1002, "fragmented control frame"},
        [WS_ERR_SEQUENCE] = {1002, "frame out of sequence"},
        [WS_ERR_FRAGMENTS] = {1008, "too many fragments"},
        [WS_ERR_MASK] = {1002, "wrong masking"},
        [WS_ERR_CONTROL_LENGTH] = {1002, "control frame too long"},
        [WS_ERR_CLOSE_LENGTH] = {1002, "close frame too short"},
        [WS_ERR_LENGTH_FORM] = {1002, "length not in shortest form"},
        [WS_ERR_LENGTH] = {1002, "length out of range"},
        [WS_ERR_FRAME_SIZE] = {1009, "frame too big"},
        [WS_ERR_MESSAGE_SIZE] = {1009, "message too big"},
        [WS_ERR_CLOSE_CODE] = {1002, "invalid close code"},
        [WS_ERR_UTF8] = {1007, "invalid UTF-8"},
};

uint16_t ws_error_code(enum ws_error error)
{
	return errors[error].code;
}

const char *ws_error_reason(enum ws_error error)
{
	return errors[error].reason;
}

ssize_t ws_frame_parse(struct ws_frame *f, const uint8_t *buf, size_t len)
{
	enum ws_error error = len > 0 ? ws_header_first(buf[0]) : WS_OK;
	if (!error && len > 1)
		error = ws_header_second(buf[0], buf[1]);
	if (error)
		return -(ssize_t)error;
	uint64_t payload = 0;
	ssize_t used = len > 1 ? ws_header_length(buf, len, &payload) : 0;
	if (used <= 0)
		return used;
	bool masked = buf[1] & WS_MASKED;
	if (masked && len < (size_t)used + 4)
		return 0;
	*f = (struct ws_frame){
	        .len = payload,
	        .header_len = (uint8_t)(used + (masked ? 4 : 0)),
	        .opcode = buf[0] & WS_OPCODE,
	        .fin = buf[0] & WS_FIN,
	        .masked = masked,
	};
	if (masked)
		memcpy(f->key, buf + used, 4);
	return f->header_len;
}

static size_t write_length(uint8_t *out, uint64_t len)
{
	size_t bytes = len > UINT16_MAX ? 8 : len > 125 ? 2 : 0;
	out[0] = (uint8_t)(bytes == 8 ? 127 : bytes == 2 ? 126 : len);
	for (size_t i = bytes; i > 0; i--, len >>= 8)
		out[i] = (uint8_t)len;
	return 1 + bytes;
}

size_t ws_frame_write(uint8_t out[WS_HEADER_MAX], const struct ws_frame *f)
{
	out[0] = (uint8_t)((f->fin ? WS_FIN : 0) | f->opcode);
	size_t used = 1 + write_length(out + 1, f->len);
	if (f->masked) {
		out[1] |= WS_MASKED;
		memcpy(out + used, f->key, 4);
		used += 4;
	}
	return used;
}

size_t ws_control_write(uint8_t out[WS_CONTROL_FRAME_MAX], uint8_t opcode, const void *payload,
        size_t len, bool masked)
{
	assert(len <= WS_CONTROL_MAX);
	struct ws_frame f = {.len = len, .opcode = opcode, .fin = true, .masked = masked};
	if (masked)
		random_bytes(f.key, sizeof(f.key));
	size_t header = ws_frame_write(out, &f);
	if (len > 0)
		memcpy(out + header, payload, len);
	if (masked)
		ws_mask(out + header, len, f.key, 0);
	return header + len;
}

size_t ws_close_write(
        uint8_t out[WS_CONTROL_FRAME_MAX], uint16_t code, const char *reason, bool masked)
{
	uint8_t body[WS_CONTROL_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};
	if (code == 0)
		return ws_control_write(out, WS_CLOSE, NULL, 0, masked);
	size_t len = reason ? strlen(reason) : 0;
	if (len > sizeof(body) - 2) {
		len = sizeof(body) - 2;
		while (len > 0 && ((uint8_t)reason[len] & 0xc0) == 0x80)
			len--;
	}
	if (len > 0)
		memcpy(body + 2, reason, len);
	return ws_control_write(out, WS_CLOSE, body, 2 + len, masked);
}

bool ws_close_code_is_valid(uint16_t code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}
