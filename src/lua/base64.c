/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/base64.h"

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64_write(char *out, struct slice in, enum base64_form form)
{
	const char *digit = form == BASE64_URL ? url : plain;
	const uint8_t *p = in.at;
	size_t left = in.len;
	char *to = out;

	for (; left >= 3; left -= 3, p += 3) {
		uint32_t three = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		*to++ = digit[three >> 18];
		*to++ = digit[three >> 12 & 63];
		*to++ = digit[three >> 6 & 63];
		*to++ = digit[three & 63];
	}
	if (left > 0) {
		uint32_t rest = (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0);
		*to++ = digit[rest >> 18];
		*to++ = digit[rest >> 12 & 63];
		if (left > 1)
			*to++ = digit[rest >> 6 & 63];
		for (; form == BASE64_PADDED && left < 3; left++)
			*to++ = '=';
	}
	return (size_t)(to - out);
}

/* What a byte stands for; 64: nothing. */
static uint32_t value_of(uint8_t c, bool of_url)
{
	if (c >= 'A' && c <= 'Z')
		return c - (uint32_t)'A';
	if (c >= 'a' && c <= 'z')
		return c - (uint32_t)'a' + 26;
	if (c >= '0' && c <= '9')
		return c - (uint32_t)'0' + 52;
	if (c == (of_url ? '-' : '+'))
		return 62;
	return c == (of_url ? '_' : '/') ? 63 : 64;
}

struct values {
	uint8_t of[2][256];
};

/* Filled before main() and the same for all threads. */
static struct values values;

__attribute__((constructor)) static void fill_values(void)
{
	for (int i = 0; i < 512; i++)
		values.of[i / 256][i % 256] = (uint8_t)value_of((uint8_t)(i % 256), i / 256);
}

/* Whole groups of four digits from the front, as far as nothing else comes. Returns how many
 * bytes those were. */
static size_t read_groups(char *out, struct slice in, const uint8_t *of)
{
	size_t i = 0;

	for (; in.len - i >= 4; i += 4, out += 3) {
		uint32_t a = of[in.at[i]], b = of[in.at[i + 1]], c = of[in.at[i + 2]],
		         d = of[in.at[i + 3]];
		if ((a | b | c | d) & 64)
			break;
		uint32_t bits = a << 18 | b << 12 | c << 6 | d;
		out[0] = (char)(bits >> 16);
		out[1] = (char)(bits >> 8);
		out[2] = (char)bits;
	}
	return i;
}

ssize_t base64_read(char *out, struct slice in, enum base64_form form)
{
	const uint8_t *of = values.of[form == BASE64_URL];
	size_t i = read_groups(out, in, of), digits = i;
	char *to = out + i / 4 * 3;
	uint32_t bits = 0;

	for (; i < in.len && in.at[i] != '='; i++) {
		uint32_t value = of[in.at[i]];
		if (value >= 64) {
			if (form == BASE64_MIME)
				continue;
			return -1;
		}
		bits = bits << 6 | value;
		/* Of each four digits the first brings no whole byte. */
		if (digits++ % 4 > 0)
			*to++ = (char)(bits >> (6 - (digits - 1) % 4 * 2));
	}
	return digits % 4 == 1 ? -1 : (ssize_t)(to - out);
}
