/* SPDX-License-Identifier: BSD-2-Clause */

/* PROXY protocol headers: however they are split, the verdict is the same, no byte
 * behind them matters, and what was read can be written and read again. */

#include "net/proxy_header.h"

#include <stdlib.h>

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static ssize_t parse_exact(struct proxy_header *h, const uint8_t *at, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	REQUIRE(copy);
	if (len > 0)
		memcpy(copy, at, len);
	ssize_t n = proxy_header_parse(h, copy, len);
	free(copy);
	REQUIRE(n <= (ssize_t)len);
	return n;
}

/* The first bytes that have a verdict have the one that all have. */
static void check_splits(const uint8_t *at, size_t len, ssize_t whole)
{
	struct proxy_header h;
	size_t first = whole > 0 ? (size_t)whole : len;
	REQUIRE(whole <= 0 || parse_exact(&h, at, first - 1) == 0);
	for (size_t n = 0; n < first && n < 600; n++) {
		ssize_t r = parse_exact(&h, at, n);
		REQUIRE(r == 0 || r == whole);
	}
}

static void check_written(const struct proxy_header *h)
{
	for (int v = PROXY_HEADER_V1; v <= PROXY_HEADER_V2; v++) {
		uint8_t out[PROXY_HEADER_WRITE_MAX];
		struct proxy_header again;
		size_t n = proxy_header_write(
		        out, (enum proxy_header_version)v, &h->source, &h->destination);
		REQUIRE(n > 0 && n <= PROXY_HEADER_LINE_MAX);
		REQUIRE(parse_exact(&again, out, n) == (ssize_t)n);
		REQUIRE(again.is_told == (h->source.family != AF_UNIX));
		REQUIRE(!again.is_told ||
		        (address_brief_equal(&again.source, &h->source) &&
		                address_brief_equal(&again.destination, &h->destination)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct proxy_header h;
	ssize_t n = parse_exact(&h, input, size);
	check_splits(input, size, n);
	if (n < 0)
		REQUIRE(proxy_header_reason((enum proxy_header_error) - n)[0]);
	if (n == 0)
		REQUIRE(size < PROXY_HEADER_MAX);
	if (n > 0 && h.is_told)
		check_written(&h);
	return 0;
}
