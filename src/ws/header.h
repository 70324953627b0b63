/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to ws/: the steps of reading a frame header, each as soon as its bytes
 * are there. */

#include "ws/frame.h"

enum { WS_FIN = 0x80, WS_RESERVED = 0x70, WS_OPCODE = 0x0f, WS_CONTROL = 0x08, WS_MASKED = 0x80 };

static inline enum ws_error ws_header_first(uint8_t first)
{
	if (first & WS_RESERVED)
		return WS_ERR_RESERVED_BITS;
	if ((first & 0x07) > 2)
		return WS_ERR_OPCODE;
	if ((first & WS_CONTROL) && !(first & WS_FIN))
		return WS_ERR_CONTROL_FRAGMENT;
	return WS_OK;
}

static inline enum ws_error ws_header_second(uint8_t first, uint8_t second)
{
	uint8_t len = second & 0x7f;
	if (!(first & WS_CONTROL))
		return WS_OK;
	if (len > WS_CONTROL_MAX)
		return WS_ERR_CONTROL_LENGTH;
	return (first & WS_OPCODE) == WS_CLOSE && len == 1 ? WS_ERR_CLOSE_LENGTH : WS_OK;
}

static inline uint64_t ws_big_endian(const uint8_t *p, size_t bytes)
{
	uint64_t n = 0;
	for (size_t i = 0; i < bytes; i++)
		n = n << 8 | p[i];
	return n;
}

/* The length and what is before it; buf holds two bytes at least. Returns the
 * bytes used, 0 when more are needed, or -WS_ERR_*. */
static inline ssize_t ws_header_length(const uint8_t *buf, size_t len, uint64_t *out)
{
	uint8_t form = buf[1] & 0x7f;
	size_t bytes = form == 127 ? 8 : form == 126 ? 2 : 0;
	if (bytes == 0) {
		*out = form;
		return 2;
	}
	size_t have = len - 2 < bytes ? len - 2 : bytes;
	if (bytes == 8 && have > 0 && (buf[2] & 0x80))
		return -WS_ERR_LENGTH;
	if (bytes == 8 && have >= 6 && ws_big_endian(buf + 2, 6) == 0)
		return -WS_ERR_LENGTH_FORM;
	if (have < bytes)
		return 0;
	*out = ws_big_endian(buf + 2, bytes);
	return *out > 125 ? (ssize_t)(2 + bytes) : -WS_ERR_LENGTH_FORM;
}
