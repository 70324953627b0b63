/* SPDX-License-Identifier: BSD-2-Clause */

/* A client's bytes. The verdict is that of any split; a sound head is clean, its
 * path has one normal form, its body ends in one place, and the answer to it, a
 * refusal or not, is itself a sound answer. */

#include "http_common.h"

#include "http/uri.h"

static struct http_head head, answer;
static uint8_t out[64 * 1024];

static void check_path(struct slice path)
{
	uint8_t *once = exact_copy(path.at, path.len), *twice = exact_copy(path.at, path.len);
	ssize_t n = uri_normalise_path(path, once);

	if (n >= 0) {
		REQUIRE(n > 0 && (size_t)n <= path.len && once[0] == '/');
		REQUIRE(!memmem(once, (size_t)n, "//", 2) && !memmem(once, (size_t)n, "/../", 4) &&
		        !memmem(once, (size_t)n, "/./", 3));
		REQUIRE(uri_normalise_path(slice_of(once, (size_t)n), twice) == n);
		REQUIRE(memcmp(once, twice, (size_t)n) == 0);
	}
	free(once);
	free(twice);
}

static void check_request(const struct http_head *h)
{
	REQUIRE(http_is_token(h->method));
	REQUIRE(h->target.len > 0 && h->target.len <= HTTP_TARGET_MAX);
	REQUIRE(h->minor <= 1);
	REQUIRE(h->minor == 0 || h->host.len > 0);
	for (size_t i = 0; i < h->target.len; i++)
		REQUIRE(h->target.at[i] > 0x20 && h->target.at[i] < 0x7f && h->target.at[i] != '#');
	check_fields(h);
	check_path(h->path);
}

static void check_answer(const struct http_writer *w)
{
	struct http_scan scan = {0};
	struct http_body b;
	struct slice content;
	ssize_t n = http_parse_response(&answer, &scan, w->buf, w->len);

	REQUIRE(!w->overflow && n > 0);
	http_body_init(&b, &answer);
	REQUIRE(http_body_read(&b, w->buf + n, w->len - (size_t)n, &content) ==
	        (ssize_t)(w->len - (size_t)n));
	REQUIRE(b.done);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct http_scan scan = {0};
	struct http_writer w;
	struct slice key;

	if (size < 2)
		return 0;
	uint16_t choice = (uint16_t)(input[0] << 8 | input[1]);
	const uint8_t *at = input + 2;
	size_t len = size - 2;
	check_splits(http_parse_request, at, len, choice);
	ssize_t r = http_parse_request(&head, &scan, at, len);
	http_writer_init(&w, out, sizeof(out));
	if (r > 0) {
		check_request(&head);
		check_body(&head, at + r, len - (size_t)r, choice);
		enum upgrade_verdict v = upgrade_check(&head, &key);
		if (v != UPGRADE_OK) {
			http_put_refusal(&w, v, head.keep_alive, false);
			check_answer(&w);
		}
	} else if (r < 0) {
		http_put_error(&w, (enum http_error) - r);
		check_answer(&w);
	}
	return 0;
}
