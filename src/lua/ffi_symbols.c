/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ffi_symbols.h"

unsigned char *ngx_hex_dump(unsigned char *out, const unsigned char *in, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = (unsigned char)digits[in[i] >> 4];
		*out++ = (unsigned char)digits[in[i] & 15];
	}
	return out;
}

intptr_t ngx_atoi(const unsigned char *text, size_t len)
{
	intptr_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int digit = text[i] - '0';
		if (digit < 0 || digit > 9 || n > (INTPTR_MAX - digit) / 10)
			return -1;
		n = n * 10 + digit;
	}
	return len > 0 ? n : -1;
}
