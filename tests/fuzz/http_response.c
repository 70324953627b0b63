/* SPDX-License-Identifier: BSD-2-Clause */

/* An upstream's bytes. The verdict is that of any split; a sound head is clean, its
 * body ends in one place, and relayed it is a sound head without hop-by-hop fields. */

#include "http_common.h"

static struct http_head head, relayed;
static uint8_t out[64 * 1024];

static void check_relayed(bool keep_alive)
{
	struct http_writer w;

	http_writer_init(&w, out, sizeof(out));
	http_put_relayed(&w, &head, keep_alive);
	http_put_end(&w);
	/* Up to three lines of our own may pass a limit. */
	struct http_scan scan = {0};
	ssize_t n = http_parse_response(&relayed, &scan, w.buf, w.len);
	if (head.n + 3 > HTTP_LINES_MAX || w.len > HTTP_HEAD_MAX)
		return;
	REQUIRE(!w.overflow && n == (ssize_t)w.len);
	check_fields(&relayed);
	REQUIRE(relayed.status == head.status && slice_equal(relayed.reason, head.reason));
	REQUIRE(http_count(&relayed, HTTP_CONNECTION) == 1);
	REQUIRE(head.framing != HTTP_BODY_LENGTH ||
	        (relayed.framing == HTTP_BODY_LENGTH &&
	                relayed.content_length == head.content_length));
	for (size_t i = 0; i < relayed.n; i++) {
		const struct http_field *f = &relayed.field[i];
		bool own =
		        f->id == HTTP_CONNECTION || (f->id == HTTP_UPGRADE && head.status == 426);
		REQUIRE(own || !http_is_hop_by_hop(f));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct http_scan scan = {0};

	if (size < 2)
		return 0;
	uint16_t choice = (uint16_t)(input[0] << 8 | input[1]);
	const uint8_t *at = input + 2;
	size_t len = size - 2;
	check_splits(http_parse_response, at, len, choice);
	ssize_t r = http_parse_response(&head, &scan, at, len);
	if (r <= 0)
		return 0;
	REQUIRE(head.status >= 100 && head.status <= 599);
	check_clean(head.reason);
	check_fields(&head);
	check_body(&head, at + r, len - (size_t)r, choice);
	if (head.status >= 200)
		check_relayed((choice & 1) != 0);
	return 0;
}
