/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/answer.h"

static const struct {
	unsigned status;
	const char *sentence;
} sentences[] = {
        {400, "the request is malformed."},
        {403, "this request is not allowed."},
        {404, "no route for this path."},
        {405, "send GET."},
        {408, "the request did not come in time; send it at once."},
        {413, "the body is too large."},
        {414, "the request target is too long; send at most 8 KiB."},
        {426, "this is a WebSocket endpoint; send Upgrade: websocket."},
        {431, "the head is too large; send at most 100 lines of 16 KiB, 32 KiB in all."},
        {500, "something went wrong here; try again later."},
        {502, "the application gave no usable answer; try again later."},
        {503, "too busy; try again later."},
        {504, "the application did not answer in time; try again later."},
        {505, "send HTTP/1.1."},
};

static const char *sentence_of(unsigned status)
{
	for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
		if (sentences[i].status == status)
			return sentences[i].sentence;
	return "";
}

static void put_connection(struct http_writer *w, unsigned status, bool keep_alive)
{
	if (status == 426)
		http_put(w, SLICE("Upgrade: websocket\r\nConnection: upgrade, "));
	else
		http_put(w, SLICE("Connection: "));
	http_put(w, keep_alive ? SLICE("keep-alive\r\n") : SLICE("close\r\n"));
}

/* "404 Not Found: sentence\n"; the sentence, and a name, may be missing. */
static void put_body(struct http_writer *w, unsigned status, struct slice text)
{
	struct slice name = slice_str(http_status_text(status));

	http_put_code(w, status);
	if (name.len > 0) {
		http_put(w, SLICE(" "));
		http_put(w, name);
	}
	if (text.len > 0) {
		http_put(w, SLICE(": "));
		http_put(w, text);
	}
	http_put(w, SLICE("\n"));
}

/* What put_body() would write. */
static size_t body_len(unsigned status, struct slice text)
{
	size_t name = strlen(http_status_text(status));

	return 3 + (name > 0 ? 1 + name : 0) + (text.len > 0 ? 2 + text.len : 0) + 1;
}

void http_put_answer(struct http_writer *w, const struct http_answer *a)
{
	bool bare = a->status == 204 || a->status == 304;
	struct slice text = a->text.len > 0 ? a->text : slice_str(sentence_of(a->status));

	http_put_status(w, a->status);
	if (!bare) {
		http_put(w, SLICE("Content-Type: text/plain; charset=utf-8\r\n"));
		http_put_number(w, SLICE("Content-Length"), body_len(a->status, text));
	}
	put_connection(w, a->status, a->keep_alive);
	if (a->status == 405)
		http_put(w, SLICE("Allow: GET\r\n"));
	http_put(w, a->extra);
	http_put_end(w);
	if (!bare && !a->head)
		put_body(w, a->status, text);
}

void http_put_error(struct http_writer *w, enum http_error error)
{
	struct http_answer a = {.status = http_error_status(error)};
	char text[80];

	/* A status that names its cause has a sentence of its own. */
	if (a.status == 400) {
		struct http_writer sentence;
		http_writer_init(&sentence, text, sizeof(text));
		http_put(&sentence, slice_str(http_error_reason(error)));
		http_put(&sentence, SLICE("."));
		a.text = slice_of(text, sentence.len);
	}
	http_put_answer(w, &a);
}

void http_put_refusal(
        struct http_writer *w, enum upgrade_verdict v, bool keep_alive, bool answers_head)
{
	struct http_answer a = {
	        .status = upgrade_status(v),
	        .keep_alive = keep_alive && v == UPGRADE_NONE,
	        .head = answers_head,
	        .text = slice_str(upgrade_reason(v)),
	};

	if (v == UPGRADE_BAD_VERSION)
		a.extra = SLICE("Sec-WebSocket-Version: 13\r\n");
	http_put_answer(w, &a);
}

static bool passes(const struct http_field *f)
{
	switch (f->id) {
	case HTTP_SEC_WEBSOCKET_ACCEPT:
	case HTTP_SEC_WEBSOCKET_EXTENSIONS:
	case HTTP_SEC_WEBSOCKET_KEY:
	case HTTP_SEC_WEBSOCKET_PROTOCOL:
	case HTTP_SEC_WEBSOCKET_VERSION:
	case HTTP_CONTENT_LENGTH:
		return false;
	default:
		return !http_is_hop_by_hop(f);
	}
}

void http_put_relayed(struct http_writer *w, const struct http_head *answer, bool keep_alive)
{
	http_put(w, SLICE("HTTP/1.1 "));
	http_put_code(w, answer->status);
	http_put(w, SLICE(" "));
	http_put(w, answer->reason);
	http_put_end(w);
	for (size_t i = 0; i < answer->n; i++)
		if (passes(&answer->field[i]))
			http_put_field(w, answer->field[i].name, answer->field[i].value);
	if (answer->framing == HTTP_BODY_LENGTH)
		http_put_number(w, SLICE("Content-Length"), answer->content_length);
	put_connection(w, answer->status, keep_alive);
}
