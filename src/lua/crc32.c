/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/crc32.h"

/* Eight bytes a step: table[k][b] is what byte b does to the sum k bytes later. Filled before
 * main(). */
static uint32_t table[8][256];

__attribute__((constructor)) static void fill_table(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t sum = b;
		for (int bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? UINT32_C(0xedb88320) : 0);
		table[0][b] = sum;
	}
	for (int k = 1; k < 8; k++) {
		for (uint32_t b = 0; b < 256; b++) {
			uint32_t before = table[k - 1][b];
			table[k][b] = before >> 8 ^ table[0][before & 255];
		}
	}
}

uint32_t crc32_of(struct slice s)
{
	const uint8_t *p = s.at;
	size_t left = s.len;
	uint32_t sum = UINT32_MAX;

	for (; left >= 8; left -= 8, p += 8) {
		sum ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
		       (uint32_t)p[3] << 24;
		sum = table[7][sum & 255] ^ table[6][sum >> 8 & 255] ^ table[5][sum >> 16 & 255] ^
		      table[4][sum >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^
		      table[0][p[7]];
	}
	for (; left > 0; left--)
		sum = sum >> 8 ^ table[0][(sum ^ *p++) & 255];
	return ~sum;
}
