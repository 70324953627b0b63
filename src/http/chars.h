/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Classes of bytes, as the grammars of RFC 9110, RFC 3986 and RFC 4648 name them. */

#include <stdbool.h>
#include <stdint.h>

enum {
	CHAR_TOKEN = 1 << 0,      /* tchar */
	CHAR_TARGET = 1 << 1,     /* visible ASCII except '#': what a request target may hold */
	CHAR_UNRESERVED = 1 << 2, /* never percent-encoded in the normal form */
	CHAR_NAME = 1 << 3,       /* of a host's name: unreserved and sub-delims but the comma */
	CHAR_BASE64 = 1 << 4,
	CHAR_LAX = 1 << 5, /* in a field's name: what some programs take for '-' */
};

extern const uint8_t http_chars[256];

static inline bool char_is(uint8_t c, unsigned classes)
{
	return (http_chars[c] & classes) != 0;
}

/* 0 to 15, or -1. */
static inline int char_hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
