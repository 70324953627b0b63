/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/handshake.h"

static const struct {
	unsigned status;
	const char *reason;
} verdicts[] = {
        [UPGRADE_OK] = {101, "no error"},
        [UPGRADE_NONE] = {426, "this is a WebSocket endpoint; send Upgrade: websocket."},
        [UPGRADE_BAD_METHOD] = {405, "a WebSocket handshake is a GET request."},
        [UPGRADE_BAD_HTTP] = {505, "a WebSocket handshake needs HTTP/1.1."},
        [UPGRADE_BAD_CONNECTION] = {400,
                "Upgrade is not listed in Connection; send Connection: Upgrade."},
        [UPGRADE_BAD_VERSION] = {426, "unknown WebSocket version; send Sec-WebSocket-Version: 13."},
        [UPGRADE_BAD_KEY] = {400, "bad Sec-WebSocket-Key; send one that is 16 bytes in base64."},
        [UPGRADE_BAD_BODY] = {400, "a WebSocket handshake has no body."},
        [UPGRADE_BAD_PROTOCOL] = {400,
                "bad Sec-WebSocket-Protocol; send up to 100 distinct tokens."},
};

unsigned upgrade_status(enum upgrade_verdict v)
{
	return verdicts[v].status;
}

const char *upgrade_reason(enum upgrade_verdict v)
{
	return verdicts[v].reason;
}

/* The value of the only field of that name, or an empty slice. */
static struct slice only(const struct http_head *h, enum http_name id)
{
	const struct http_field *f = http_find(h, id);

	return f && http_count(h, id) == 1 ? f->value : SLICE("");
}

struct protocols {
	struct slice at[WS_PROTOCOLS_MAX];
	size_t n;
};

static bool protocols_add(struct protocols *p, struct slice token)
{
	if (p->n == WS_PROTOCOLS_MAX || !http_is_token(token))
		return false;
	for (size_t i = 0; i < p->n; i++)
		if (slice_equal(p->at[i], token))
			return false;
	p->at[p->n++] = token;
	return true;
}

static bool protocols_are_sound(const struct http_head *h)
{
	struct protocols seen;
	struct slice rest, member;

	if (!http_find(h, HTTP_SEC_WEBSOCKET_PROTOCOL))
		return true;
	seen.n = 0;
	for (size_t i = 0; i < h->n; i++) {
		if (h->field[i].id != HTTP_SEC_WEBSOCKET_PROTOCOL)
			continue;
		rest = h->field[i].value;
		while (http_list_next(&rest, &member))
			if (!protocols_add(&seen, member))
				return false;
	}
	return seen.n > 0;
}

static bool has_body(const struct http_head *h)
{
	return h->framing == HTTP_BODY_CHUNKED ||
	       (h->framing == HTTP_BODY_LENGTH && h->content_length > 0);
}

enum upgrade_verdict upgrade_check(const struct http_head *h, struct slice *key)
{
	*key = only(h, HTTP_SEC_WEBSOCKET_KEY);
	if (!http_lists(h, HTTP_UPGRADE, SLICE("websocket")))
		return UPGRADE_NONE;
	if (!slice_equal(h->method, SLICE("GET")))
		return UPGRADE_BAD_METHOD;
	if (h->minor == 0)
		return UPGRADE_BAD_HTTP;
	if (!http_lists(h, HTTP_CONNECTION, SLICE("upgrade")))
		return UPGRADE_BAD_CONNECTION;
	if (!slice_equal(only(h, HTTP_SEC_WEBSOCKET_VERSION), SLICE("13")))
		return UPGRADE_BAD_VERSION;
	if (!ws_key_is_valid(*key))
		return UPGRADE_BAD_KEY;
	if (has_body(h))
		return UPGRADE_BAD_BODY;
	return protocols_are_sound(h) ? UPGRADE_OK : UPGRADE_BAD_PROTOCOL;
}

static bool is_among(struct slice token, const struct slice *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slice_equal(token, list[i]))
			return true;
	return false;
}

/* Moves the allowed members to the front of the value; with the bare comma between
 * them they take no more room than they did. */
static struct slice limit_value(struct slice value, const struct slice *allowed, size_t n)
{
	uint8_t *start = (uint8_t *)value.at, *end = start;
	struct slice rest = value, member;

	while (http_list_next(&rest, &member)) {
		if (!is_among(member, allowed, n))
			continue;
		if (end > start)
			*end++ = ',';
		memmove(end, member.at, member.len);
		end += member.len;
	}
	return slice_of(start, (size_t)(end - start));
}

void upgrade_limit_protocols(struct http_head *h, const struct slice *allowed, size_t n)
{
	size_t kept = 0;

	if (!http_find(h, HTTP_SEC_WEBSOCKET_PROTOCOL))
		return;
	h->seen &= ~(UINT32_C(1) << HTTP_SEC_WEBSOCKET_PROTOCOL);
	for (size_t i = 0; i < h->n; i++) {
		struct http_field f = h->field[i];
		if (f.id == HTTP_SEC_WEBSOCKET_PROTOCOL) {
			f.value = limit_value(f.value, allowed, n);
			if (f.value.len == 0)
				continue;
			h->seen |= UINT32_C(1) << HTTP_SEC_WEBSOCKET_PROTOCOL;
		}
		h->field[kept++] = f;
	}
	h->n = kept;
}

struct slice upgrade_first_protocol(const struct http_head *h)
{
	const struct http_field *f = http_find(h, HTTP_SEC_WEBSOCKET_PROTOCOL);
	struct slice rest, member = SLICE("");

	for (; f && f < h->field + h->n; f++) {
		rest = f->value;
		if (f->id == HTTP_SEC_WEBSOCKET_PROTOCOL && http_list_next(&rest, &member))
			return member;
	}
	return SLICE("");
}

static bool passes_to_upstream(const struct http_field *f)
{
	switch (f->id) {
	case HTTP_SEC_WEBSOCKET_ACCEPT:
	case HTTP_SEC_WEBSOCKET_EXTENSIONS:
	case HTTP_SEC_WEBSOCKET_KEY:
	case HTTP_SEC_WEBSOCKET_VERSION:
	case HTTP_CONTENT_LENGTH:
	case HTTP_EXPECT:
		return false;
	default:
		return !http_is_hop_by_hop(f);
	}
}

void upgrade_begin_request(struct http_writer *w, const struct http_head *client,
        struct slice target, struct slice host)
{
	if (host.len == 0)
		host = client->authority.len > 0 ? client->authority : client->host;
	http_put(w, SLICE("GET "));
	http_put(w, target);
	http_put(w, SLICE(" HTTP/1.1\r\n"));
	if (!http_find(client, HTTP_HOST))
		http_put_field(w, SLICE("Host"), host);
	for (size_t i = 0; i < client->n; i++) {
		const struct http_field *f = &client->field[i];
		if (f->id == HTTP_HOST)
			http_put_field(w, f->name, host);
		else if (passes_to_upstream(f))
			http_put_field(w, f->name, f->value);
	}
}

void upgrade_end_request(struct http_writer *w, const char key[WS_KEY_LEN])
{
	http_put(w, SLICE("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "));
	http_put(w, slice_of(key, WS_KEY_LEN));
	http_put(w, SLICE("\r\nSec-WebSocket-Version: 13\r\n\r\n"));
}

void upgrade_put_request(struct http_writer *w, const struct http_head *client, struct slice target,
        struct slice host, const char key[WS_KEY_LEN])
{
	upgrade_begin_request(w, client, target, host);
	upgrade_end_request(w, key);
}

/* Subprotocols are compared as they are: RFC 6455 4.1 asks for no folding of case. */
static bool was_offered(const struct http_head *request, struct slice protocol)
{
	struct slice rest, member;

	for (size_t i = 0; i < request->n; i++) {
		if (request->field[i].id != HTTP_SEC_WEBSOCKET_PROTOCOL)
			continue;
		rest = request->field[i].value;
		while (http_list_next(&rest, &member))
			if (slice_equal(member, protocol))
				return true;
	}
	return false;
}

static bool accept_is_right(const struct http_head *answer, const char key[WS_KEY_LEN])
{
	char want[WS_ACCEPT_LEN];

	ws_accept_value(want, slice_of(key, WS_KEY_LEN));
	return slice_equal(only(answer, HTTP_SEC_WEBSOCKET_ACCEPT), slice_of(want, sizeof(want)));
}

static const char *check_protocol(const struct http_head *answer, const struct http_head *request)
{
	const struct http_field *f = http_find(answer, HTTP_SEC_WEBSOCKET_PROTOCOL);

	if (!f)
		return NULL;
	if (http_count(answer, HTTP_SEC_WEBSOCKET_PROTOCOL) > 1)
		return "more than one Sec-WebSocket-Protocol";
	if (!http_is_token(f->value) || !was_offered(request, f->value))
		return "Sec-WebSocket-Protocol that was not offered";
	return NULL;
}

const char *upgrade_check_answer(
        const struct http_head *answer, const char key[WS_KEY_LEN], const struct http_head *request)
{
	if (answer->minor == 0)
		return "101 in HTTP/1.0, which knows no upgrade";
	if (!slice_equal_nocase(only(answer, HTTP_UPGRADE), SLICE("websocket")))
		return "101 without Upgrade: websocket";
	if (!http_lists(answer, HTTP_CONNECTION, SLICE("upgrade")))
		return "101 without Connection: upgrade";
	if (http_find(answer, HTTP_CONTENT_LENGTH) || http_find(answer, HTTP_TRANSFER_ENCODING))
		return "101 with a body";
	if (!http_find(answer, HTTP_SEC_WEBSOCKET_ACCEPT))
		return "101 without Sec-WebSocket-Accept";
	if (!accept_is_right(answer, key))
		return "wrong Sec-WebSocket-Accept";
	if (http_find(answer, HTTP_SEC_WEBSOCKET_EXTENSIONS))
		return "Sec-WebSocket-Extensions that was not offered";
	return check_protocol(answer, request);
}

static bool is_content(struct slice name)
{
	return name.len >= 8 && slice_equal_nocase(slice_of(name.at, 8), SLICE("content-"));
}

static bool passes_to_client(const struct http_field *f)
{
	switch (f->id) {
	case HTTP_SEC_WEBSOCKET_PROTOCOL:
		return true;
	case HTTP_SEC_WEBSOCKET_ACCEPT:
	case HTTP_SEC_WEBSOCKET_EXTENSIONS:
	case HTTP_SEC_WEBSOCKET_KEY:
	case HTTP_SEC_WEBSOCKET_VERSION:
	case HTTP_CONTENT_LENGTH:
	case HTTP_ALT_SVC:
		return false;
	default:
		return !http_is_hop_by_hop(f) && !is_content(f->name);
	}
}

static void put_switching(struct http_writer *w, const char accept[WS_ACCEPT_LEN])
{
	http_put(w, SLICE("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	                  "Connection: upgrade\r\nSec-WebSocket-Accept: "));
	http_put(w, slice_of(accept, WS_ACCEPT_LEN));
	http_put_end(w);
}

void upgrade_begin_101(
        struct http_writer *w, const struct http_head *answer, const char accept[WS_ACCEPT_LEN])
{
	put_switching(w, accept);
	for (size_t i = 0; i < answer->n; i++)
		if (passes_to_client(&answer->field[i]))
			http_put_field(w, answer->field[i].name, answer->field[i].value);
}

void upgrade_begin_own_101(
        struct http_writer *w, const char accept[WS_ACCEPT_LEN], struct slice protocol)
{
	put_switching(w, accept);
	if (protocol.len > 0)
		http_put_field(w, SLICE("Sec-WebSocket-Protocol"), protocol);
}

void upgrade_put_101(
        struct http_writer *w, const struct http_head *answer, const char accept[WS_ACCEPT_LEN])
{
	upgrade_begin_101(w, answer, accept);
	http_put_end(w);
}

void upgrade_put_own_101(
        struct http_writer *w, const char accept[WS_ACCEPT_LEN], struct slice protocol)
{
	upgrade_begin_own_101(w, accept, protocol);
	http_put_end(w);
}
