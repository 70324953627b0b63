/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/headers.h"

#include "base/siphash.h"
#include "net/tls_stream.h"
#include "proxy/note.h"
#include "proxy/rewrite.h"
#include "proxy/trust.h"

#include <endian.h>

static bool is_trusted(const struct session *s, const struct address_brief *peer)
{
	return s->listener->trusted.n > 0 && cidr_list_has(&s->listener->trusted, peer);
}

static struct address_brief peer_of(const struct session *s)
{
	struct address_brief peer = s->client;
	note_peer(s->note, &peer);
	return peer;
}

/* Notes what this request tells in place of what the last one did; what a PROXY header told
 * of the connection stays. False when memory is short. */
static bool renew_note(struct session *s, const struct address_brief *peer, struct slice id)
{
	struct address_brief to;
	bool has_destination = note_destination(s->note, &to);
	bool is_wanted = peer || has_destination || id.len > 0;
	struct note *n = is_wanted ? note_new(peer, has_destination ? &to : NULL, id) : NULL;
	note_free(s->note);
	s->note = n;
	return n || !is_wanted;
}

void headers_forget(struct session *s)
{
	s->client = peer_of(s);
	note_forget_request(s->note);
	s->has_own_id = false;
}

bool headers_find_client(struct session *s, const struct http_head *head)
{
	struct address_brief peer = peer_of(s);
	s->client = peer;
	if (is_trusted(s, &peer))
		s->client = trust_client(
		        &s->listener->trusted, s->listener->trusted_header, &peer, head);
	bool is_client = address_brief_equal(&s->client, &peer);
	return (is_client && !s->note) || renew_note(s, is_client ? NULL : &peer, SLICE(""));
}

bool headers_name_request(struct session *s, const struct http_head *head)
{
	const char *header = s->route->headers.request_id;
	struct slice id = SLICE("");
	struct address_brief peer = peer_of(s);
	if (!header)
		return true;
	if (is_trusted(s, &peer))
		id = trust_id(head, slice_str(header));
	bool is_client = address_brief_equal(&peer, &s->client);
	s->has_own_id = id.len == 0;
	s->requests++;
	return (id.len == 0 && !s->note) || renew_note(s, is_client ? NULL : &peer, id);
}

/* The hex digits of half a word, its lowest first. */
static void put_hex(char out[8], uint32_t half)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t v = half;
	v = (v | v << 16) & UINT64_C(0x0000ffff0000ffff);
	v = (v | v << 8) & UINT64_C(0x00ff00ff00ff00ff);
	v = (v | v << 4) & 0x0f * each;
	uint64_t letters = (v + 6 * each) >> 4 & each; /* 1 from ten on */
	v = htole64(v + '0' * each + ('a' - '0' - 10) * letters);
	memcpy(out, &v, sizeof v);
}

_Static_assert(sizeof((struct made_id *)0)->text == HEADERS_ID_LEN, "all of it is kept");

/* An own id is not kept for long: it is made of the session's id, the request's number and a key
 * that nobody else has, whenever it is asked for. */
static void make_id(struct made_id *m, const uint8_t *key)
{
	uint64_t id[2];
	siphash128(id, key, m->of, sizeof m->of);
	for (size_t i = 0; i < HEADERS_ID_LEN / 8; i++)
		put_hex(m->text + 8 * i, (uint32_t)(id[i / 2] >> i % 2 * 32));
}

static void put_id(const struct session *s, char out[HEADERS_ID_LEN])
{
	struct made_id *m = &s->proxy->made_id[s->id % MADE_IDS];
	if (m->of[0] != s->id || m->of[1] != s->requests) {
		m->of[0] = s->id;
		m->of[1] = s->requests;
		make_id(m, s->proxy->id_key);
	}
	memcpy(out, m->text, HEADERS_ID_LEN);
}

struct slice headers_request_id(const struct session *s, char buf[HEADERS_ID_LEN])
{
	struct slice given = note_id(s->note);
	if (given.len > 0 || !s->has_own_id)
		return given;
	put_id(s, buf);
	return slice_of(buf, HEADERS_ID_LEN);
}

/* What a scope points to. */
struct facts {
	struct address_brief peer;
	char id[HEADERS_ID_LEN];
	struct tls_info tls;
	struct rules_scope scope;
};

/* What these rules may ask for. A script may answer a client that has gone: no stream. */
static void gather(struct facts *f, const struct session *s, const struct http_head *head,
        const struct rules *rules)
{
	const struct stream *stream = s->side[CLIENT].ep.stream;
	f->peer = peer_of(s);
	f->scope = (struct rules_scope){.head = head,
	        .client = &s->client,
	        .peer = &f->peer,
	        .trusted = is_trusted(s, &f->peer),
	        .port = s->port,
	        .tls = stream && tls_describe(stream, &f->tls) ? &f->tls : NULL,
	        .listener = slice_str(s->listener->name),
	        .route = slice_str(s->route->name),
	        .request_id = rules_use(rules, RULES_REQUEST_ID) ? headers_request_id(s, f->id)
	                                                         : SLICE("")};
}

const char *headers_put_request(struct session *s, struct http_writer *w, struct http_head *head,
        const char key[WS_KEY_LEN], unsigned *status)
{
	const struct route_headers *h = &s->route->headers;
	uint8_t target[HTTP_TARGET_MAX];
	struct http_writer t;
	struct facts f;
	http_writer_init(&t, target, sizeof target);
	rewrite_target(&t, head, h->from, h->to);
	if (t.overflow) {
		*status = 414;
		return "the request target is over 8 KiB with its path replaced";
	}
	gather(&f, s, head, h->request);
	rules_filter(h->request, head, f.scope.trusted);
	upgrade_begin_request(w, head, slice_of(target, t.len),
	        h->host_is_server ? RULES_SERVER
	        : h->host         ? slice_str(h->host)
	                          : SLICE(""));
	rules_put(h->request, w, &f.scope);
	upgrade_end_request(w, key);
	*status = 431;
	return w->overflow ? "the head is over 32 KiB with the headers added for the upstream"
	                   : NULL;
}

void headers_put_response(
        const struct session *s, struct http_writer *w, const struct http_head *request)
{
	const struct rules *rules = s->route->headers.response;
	struct facts f;
	if (!rules || !rules_have_lines(rules))
		return;
	if (!rules_are_constant(rules))
		gather(&f, s, request, rules);
	rules_put(rules, w, &f.scope);
}

void headers_edit(
        const struct session *s, struct http_writer *w, struct slice lines, struct slice server)
{
	const struct rules *rules = s->route ? s->route->headers.response : NULL;
	struct http_head answer;
	struct http_scan scan = {0};
	struct http_writer edited;
	uint8_t buf[HEADERS_HEAD_MAX];
	ssize_t n = rules ? http_parse_response(&answer, &scan, w->buf, w->len) : 0;
	if (n <= 0)
		return;
	rules_filter(rules, &answer, false);
	http_writer_init(&edited, buf, w->size < sizeof buf ? w->size : sizeof buf);
	http_put(&edited, slice_of(w->buf, scan.fields_at));
	for (size_t i = 0; i < answer.n; i++) {
		const struct http_field *f = &answer.field[i];
		/* The rules cannot name what is of this connection; its own list may. */
		if (!f->named || f->id == HTTP_UPGRADE)
			http_put_field(&edited, f->name, f->value);
	}
	rules_expand(&edited, lines, server);
	http_put_end(&edited);
	http_put(&edited, slice_of(w->buf + n, w->len - (size_t)n));
	if (edited.overflow)
		return;
	memcpy(w->buf, buf, edited.len);
	w->len = edited.len;
}
