/* SPDX-License-Identifier: BSD-2-Clause */

/* Header rules on requests and answers. The input is a byte of options, one for the
 * peers, header rules (a line each: `=`, `+` or `-`, then the rule), a NUL, and a head. What a
 * rule set is accepted for, the written head must be: sound, with nothing of one connection
 * only, nothing that a client forged, no more lines than rules and fields explain. */

#include "http_common.h"
#include "proxy/rewrite.h"
#include "proxy/rules.h"
#include "proxy/trust.h"

static struct http_head head, written;
static uint8_t out[256 * 1024], expanded[256 * 1024];
static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
static unsigned added;

enum {
	OPTION_FORWARD = 3,
	OPTION_RFC7239 = 4,
	OPTION_TRUSTED = 8,
	OPTION_ID = 16,
	OPTION_RESPONSE = 32,
	OPTION_REPLACE = 64
};

static struct rules *make_rules(uint8_t options)
{
	enum rules_forward forward = (enum rules_forward)((options & OPTION_FORWARD) % 3);
	enum rules_side side = options & OPTION_RESPONSE ? RULES_RESPONSE : RULES_REQUEST;
	struct rules *r = rules_new(side, forward, options & OPTION_RFC7239);
	if (side == RULES_REQUEST && options & OPTION_ID)
		rules_identify(r, "X-Request-Id");
	added = 6;
	return r;
}

static void add_rule(struct rules *r, struct slice line)
{
	char why[RULES_WHY_MAX];
	enum rules_op op = line.len > 0 && line.at[0] == '='   ? RULES_SET
	                   : line.len > 0 && line.at[0] == '+' ? RULES_ADD
	                                                       : RULES_REMOVE;
	if (line.len == 0)
		return;
	char *text = malloc(line.len);
	REQUIRE(text);
	memcpy(text, line.at + 1, line.len - 1);
	text[line.len - 1] = '\0';
	why[0] = '\0';
	if (!rules_add(r, op, text, why))
		REQUIRE(why[0] != '\0');
	added++;
	free(text);
}

static void add_rules(struct rules *r, struct slice text)
{
	while (text.len > 0) {
		const uint8_t *end = memchr(text.at, '\n', text.len);
		size_t len = end ? (size_t)(end - text.at) : text.len;
		add_rule(r, slice_of(text.at, len));
		len += end ? 1 : 0;
		text = slice_of(text.at + len, text.len - len);
	}
}

static bool looks_forged(struct slice name)
{
	char folded[32];
	size_t n = name.len < sizeof folded ? name.len : sizeof folded;
	for (size_t i = 0; i < n; i++)
		folded[i] =
		        (char)(name.at[i] == '_' || name.at[i] == '.' ? '-'
		                                                      : ascii_lower(name.at[i]));
	struct slice s = slice_of(folded, n);
	return slice_starts_with(s, SLICE("x-forwarded-")) ||
	       (name.len == 9 && slice_equal(s, SLICE("forwarded"))) ||
	       (name.len == 9 && slice_equal(s, SLICE("x-real-ip")));
}

/* What is left of the client's own fields. */
static void check_passed(struct http_head *h, bool believed)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct http_field *f = &h->field[i];
		bool has_marks = memchr(f->name.at, '_', f->name.len) ||
		                 memchr(f->name.at, '.', f->name.len);
		if (f->named || f->id == HTTP_HOST)
			continue;
		REQUIRE(!looks_forged(f->name) || (believed && !has_marks));
	}
}

static void write_request(const struct rules *r, const struct rules_scope *s, uint8_t options)
{
	uint8_t target[HTTP_TARGET_MAX * 2];
	struct http_writer w, t, e;
	struct http_scan scan = {0};
	http_writer_init(&t, target, sizeof target);
	rewrite_target(&t, &head, options & OPTION_REPLACE ? "/a" : NULL, "/b/c");
	REQUIRE(!t.overflow && t.len > 0);
	bool believed = s->trusted && (options & OPTION_FORWARD) % 3 == FORWARD_APPEND;
	rules_filter(r, &head, s->trusted);
	check_passed(&head, believed);
	size_t passed = 0;
	for (size_t i = 0; i < head.n; i++)
		passed += !head.field[i].named;
	http_writer_init(&w, out, sizeof out);
	upgrade_begin_request(&w, &head, slice_of(target, t.len),
	        options & OPTION_REPLACE ? RULES_SERVER : SLICE(""));
	rules_put(r, &w, s);
	upgrade_end_request(&w, key);
	REQUIRE(!w.overflow);
	http_writer_init(&e, expanded, sizeof expanded);
	rules_expand(&e, slice_of(out, w.len), SLICE("h.example:80"));
	if (e.overflow || e.len > HTTP_HEAD_MAX)
		return;
	ssize_t n = http_parse_request(&written, &scan, expanded, e.len);
	if (n == -HTTP_ERR_LINES || n == -HTTP_ERR_LINE_SIZE || n == -HTTP_ERR_HEAD_SIZE ||
	        n == -HTTP_ERR_TARGET_SIZE)
		return;
	REQUIRE(n == (ssize_t)e.len);
	check_fields(&written);
	REQUIRE(written.n <= passed + added + 4);
	REQUIRE(http_count(&written, HTTP_SEC_WEBSOCKET_KEY) == 1 &&
	        http_count(&written, HTTP_HOST) == 1);
	REQUIRE(http_count(&written, HTTP_CONNECTION) == 1 &&
	        http_count(&written, HTTP_UPGRADE) == 1);
	REQUIRE(written.framing == HTTP_BODY_NONE && !http_find(&written, HTTP_TE));
	for (size_t i = 0; i < written.n; i++)
		REQUIRE(written.field[i].id == HTTP_CONNECTION ||
		        written.field[i].id == HTTP_UPGRADE ||
		        !http_is_hop_by_hop(&written.field[i]));
}

static void judge_request(const struct rules *r, struct slice text, uint8_t options, uint8_t who)
{
	struct http_scan scan = {0};
	struct address_brief peer = {
	        .family = who & 1 ? 2 : 10, .port = who, .ip = {10, who, 1, 2}};
	struct cidr_list trusted = {NULL, 0};
	struct cidr block;
	struct slice host_key;
	if (http_parse_request(&head, &scan, text.at, text.len) <= 0 ||
	        upgrade_check(&head, &host_key) != UPGRADE_OK)
		return;
	REQUIRE(!cidr_parse(&block, "10.0.0.0/8"));
	cidr_list_add(&trusted, &block);
	struct address_brief client =
	        trust_client(&trusted, (enum trust_header)(who % 3), &peer, &head);
	REQUIRE(client.family == 2 || client.family == 10);
	cidr_list_fini(&trusted);
	struct slice id = trust_id(&head, SLICE("X-Request-Id"));
	check_clean(id);
	struct rules_scope s = {.head = &head,
	        .client = &client,
	        .peer = &peer,
	        .trusted = options & OPTION_TRUSTED,
	        .port = who,
	        .listener = SLICE("l"),
	        .route = SLICE("r"),
	        .request_id = id};
	write_request(r, &s, options);
}

/* Nothing of an answer passes that a rule took away, and its framing stays Moongate's. */
static void judge_response(const struct rules *r, struct slice text)
{
	static struct http_head asked;
	static const char request[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
	struct http_scan scan = {0}, again = {0};
	struct address_brief who = {.family = 2};
	struct http_writer w;
	if (http_parse_response(&head, &scan, text.at, text.len) <= 0 || head.status < 200)
		return;
	REQUIRE(http_parse_request(&asked, &again, (const uint8_t *)request, sizeof request - 1) >
	        0);
	struct rules_scope s = {.head = &asked, .client = &who, .peer = &who};
	rules_filter(r, &head, false);
	http_writer_init(&w, out, sizeof out);
	http_put_relayed(&w, &head, false);
	size_t lines = w.len;
	rules_put(r, &w, &s);
	http_put_end(&w);
	REQUIRE(!w.overflow && lines <= w.len);
	struct http_writer e;
	struct http_scan last = {0};
	http_writer_init(&e, expanded, sizeof expanded);
	rules_expand(&e, slice_of(out, w.len), SLICE("h:1"));
	ssize_t n = http_parse_response(&written, &last, expanded, e.len);
	if (n == -HTTP_ERR_LINES || n == -HTTP_ERR_LINE_SIZE || n == -HTTP_ERR_HEAD_SIZE)
		return;
	REQUIRE(n == (ssize_t)e.len);
	check_fields(&written);
	REQUIRE(http_count(&written, HTTP_CONNECTION) == 1);
	REQUIRE(http_count(&written, HTTP_CONTENT_LENGTH) <= 1);
	REQUIRE(!http_find(&written, HTTP_TRANSFER_ENCODING));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	if (size < 3)
		return 0;
	const uint8_t *at = input + 2, *nul = memchr(at, '\0', size - 2);
	if (!nul)
		return 0;
	size_t rest = size - 3 - (size_t)(nul - at);
	struct rules *r = make_rules(input[0]);
	uint8_t *text = exact_copy(nul + 1, rest);
	add_rules(r, slice_of(at, (size_t)(nul - at)));
	if (input[0] & OPTION_RESPONSE)
		judge_response(r, slice_of(text, rest));
	else
		judge_request(r, slice_of(text, rest), input[0], input[1]);
	free(text);
	rules_free(r);
	return 0;
}
