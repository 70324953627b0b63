/* SPDX-License-Identifier: BSD-2-Clause */

/* Both handshakes. The input is a client's request and an upstream's answer, with
 * a NUL between them, which neither may hold. An accepted request becomes one to the
 * upstream that is sound itself, would be accepted, and holds no field of the client's
 * connection; an accepted answer becomes such a 101. In the answer, "@ACCEPT@" stands
 * for the right value. */

#include "http_common.h"

static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
static struct http_head client, request, answer, opened;
static uint8_t request_out[64 * 1024], answer_out[64 * 1024];

/* Every field of `from` that may pass is in `to`, in order, and no other that was not
 * expected: own(f) says which those are. */
static void check_passed(const struct http_head *from, const struct http_head *to,
        bool (*own)(const struct http_field *f))
{
	size_t i = 0;

	for (size_t j = 0; j < to->n; j++) {
		const struct http_field *f = &to->field[j];
		if (own(f))
			continue;
		REQUIRE(!http_is_hop_by_hop(f));
		while (i < from->n && !(slice_equal(from->field[i].name, f->name) &&
		                              slice_equal(from->field[i].value, f->value)))
			i++;
		REQUIRE(i < from->n && !http_is_hop_by_hop(&from->field[i]));
		i++;
	}
}

static bool is_own_in_request(const struct http_field *f)
{
	return f->id == HTTP_HOST || f->id == HTTP_CONNECTION || f->id == HTTP_UPGRADE ||
	       f->id == HTTP_SEC_WEBSOCKET_KEY || f->id == HTTP_SEC_WEBSOCKET_VERSION;
}

static bool is_own_in_101(const struct http_field *f)
{
	return f->id == HTTP_CONNECTION || f->id == HTTP_UPGRADE ||
	       f->id == HTTP_SEC_WEBSOCKET_ACCEPT || f->id == HTTP_SEC_WEBSOCKET_PROTOCOL;
}

/* True when the request was accepted and `request` is the one to the upstream. */
static bool open_upstream(struct slice text)
{
	struct http_scan scan = {0}, again = {0};
	struct http_writer w;
	struct slice client_key, own_key;

	if (http_parse_request(&client, &scan, text.at, text.len) <= 0 ||
	        upgrade_check(&client, &client_key) != UPGRADE_OK)
		return false;
	http_writer_init(&w, request_out, sizeof(request_out));
	upgrade_put_request(&w, &client, client.path, slice_of(NULL, 0), key);
	REQUIRE(!w.overflow);
	ssize_t n = http_parse_request(&request, &again, w.buf, w.len);
	/* A head at its limit may pass it with the lines of ours. */
	if (client.n + 2 > HTTP_LINES_MAX || w.len > HTTP_HEAD_MAX - 200)
		return false;
	REQUIRE(n == (ssize_t)w.len);
	check_fields(&request);
	/* Connection may have named the subprotocols away; all else must be in order. */
	REQUIRE(upgrade_check(&request, &own_key) == UPGRADE_OK);
	REQUIRE(slice_equal(own_key, slice_of(key, WS_KEY_LEN)));
	REQUIRE(!http_find(&request, HTTP_SEC_WEBSOCKET_EXTENSIONS));
	REQUIRE(request.framing == HTTP_BODY_NONE && !http_find(&request, HTTP_EXPECT));
	REQUIRE(http_count(&request, HTTP_HOST) == 1);
	check_passed(&client, &request, is_own_in_request);
	return true;
}

/* The answer with the right accept value where it asks for it. */
static struct slice fill_in(struct slice text, uint8_t *buf)
{
	static const struct slice mark = {(const uint8_t *)"@ACCEPT@", 8};
	char accept[WS_ACCEPT_LEN];
	const uint8_t *at = memmem(text.at, text.len, mark.at, mark.len);

	if (!at)
		return text;
	size_t before = (size_t)(at - text.at), after = text.len - before - mark.len;
	ws_accept_value(accept, slice_of(key, WS_KEY_LEN));
	memcpy(buf, text.at, before);
	memcpy(buf + before, accept, WS_ACCEPT_LEN);
	memcpy(buf + before + WS_ACCEPT_LEN, at + mark.len, after);
	return slice_of(buf, before + WS_ACCEPT_LEN + after);
}

static void open_client(struct slice text)
{
	struct http_scan scan = {0};
	struct http_writer w;
	char accept[WS_ACCEPT_LEN];

	if (http_parse_response(&answer, &scan, text.at, text.len) <= 0 || answer.status != 101 ||
	        upgrade_check_answer(&answer, key, &request))
		return;
	ws_accept_value(accept, slice_of(key, WS_KEY_LEN));
	http_writer_init(&w, answer_out, sizeof(answer_out));
	upgrade_put_101(&w, &answer, accept);
	parse_written(http_parse_response, &opened, &w);
	REQUIRE(opened.status == 101 && !upgrade_check_answer(&opened, key, &request));
	REQUIRE(!http_find(&opened, HTTP_ALT_SVC));
	check_passed(&answer, &opened, is_own_in_101);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	if (size < 2)
		return 0;
	uint16_t choice = (uint16_t)(input[0] << 8 | input[1]);
	const uint8_t *at = input + 2;
	size_t len = size - 2;
	const uint8_t *nul = len > 0 ? memchr(at, '\0', len) : NULL;
	size_t request_len = nul ? (size_t)(nul - at) : len;
	check_splits(http_parse_request, at, request_len, choice);
	if (!open_upstream(slice_of(at, request_len)) || !nul)
		return 0;
	uint8_t *buf = malloc(len + WS_ACCEPT_LEN);
	REQUIRE(buf);
	struct slice text = fill_in(slice_of(nul + 1, len - request_len - 1), buf);
	check_splits(http_parse_response, text.at, text.len, choice);
	open_client(text);
	free(buf);
	return 0;
}
