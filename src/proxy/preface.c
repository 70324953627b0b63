/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/preface.h"

#include "proxy/admit.h"
#include "proxy/note.h"
#include "proxy/opening.h"
#include "proxy/secure.h"
#include "upstream/group.h"

bool preface_is_due(const struct session *s)
{
	const struct proxy_listener *l = s->listener;
	return l->proxy_protocol && cidr_list_has(&l->proxy_protocol_from, &s->client);
}

/* There is no answer: who does not speak the protocol would not understand it, or is not
 * meant to be answered by whoever it believes to speak with. */
static void refuse(struct session *s, const char *reason)
{
	counter_inc(&s->proxy->counters.proxy_headers_refused);
	session_blame(s, CAUSE_REFUSED, CLOSED_BY_PROXY, 0);
	session_log_refused(s, 0, reason);
	session_end(s, false);
}

/* False when memory is short. */
static bool believe(struct session *s, const struct proxy_header *h)
{
	counter_inc(&s->proxy->counters.proxy_headers);
	if (!h->is_told)
		return true;
	s->client = h->source;
	address_brief_unmap(&s->client);
	s->port = h->destination.port;
	s->note = note_new(NULL, &h->destination, SLICE(""));
	return s->note != NULL;
}

size_t preface_on_bytes(struct endpoint *ep, const uint8_t *buf, size_t len)
{
	struct session *s = session_of(ep);
	struct proxy_header h;
	ssize_t n = proxy_header_parse(&h, buf, len);
	if (n == 0)
		return 0;
	if (n < 0) {
		refuse(s, proxy_header_reason((enum proxy_header_error) - n));
		return len;
	}
	/* What follows is TLS, if that is spoken here, and no longer the endpoint's. */
	struct slice rest = slice_of(buf + n, len - (size_t)n);
	if (!believe(s, &h) || !secure_begin(s, rest)) {
		counter_inc(&s->proxy->counters.out_of_memory);
		refuse(s, "out of memory");
		return len;
	}
	admit_connection(s);
	return s->listener->tls ? len : (size_t)n;
}

bool preface_cut_short(struct session *s, const char *reason)
{
	const struct endpoint *ep = &s->side[CLIENT].ep;
	if (ep->phase != ENDPOINT_PREFACE || !endpoint_has_rest(ep))
		return false;
	refuse(s, reason);
	return true;
}

/* Whereto the client connected; false when that is not known. */
static bool find_destination(const struct session *s, struct address_brief *out)
{
	struct address local;
	if (note_destination(s->note, out))
		return true;
	if (!stream_local_address(s->side[CLIENT].ep.stream, &local))
		return false;
	address_brief(out, &local);
	return true;
}

size_t preface_write(const struct session *s, uint8_t out[PROXY_HEADER_WRITE_MAX])
{
	enum proxy_header_version version = s->opening->group->proxy_protocol;
	struct address_brief to;
	if (version == PROXY_HEADER_OFF)
		return 0;
	return proxy_header_write(out, version, &s->client, find_destination(s, &to) ? &to : NULL);
}
