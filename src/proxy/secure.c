/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/secure.h"

#include "base/log.h"
#include "net/tls_stream.h"
#include "proxy/deadline.h"

static struct stream *stream_of(const struct session *s)
{
	return s->side[CLIENT].ep.stream;
}

bool secure_begin(struct session *s, struct slice early)
{
	const struct proxy_listener *l = s->listener;
	if (!l->tls)
		return true;
	if (!tls_accept(stream_of(s), l->tls, early))
		return false;
	uint64_t until = session_clock(s) + l->tls_timeout_ms;
	if (until < s->deadline_ms) {
		s->deadline_ms = until;
		deadline_reset(s);
	}
	return true;
}

/* Those refused at the door have another deadline. */
void secure_on_handshake(struct session *s)
{
	if (s->state != SESSION_READING)
		return;
	s->deadline_ms = s->start_ms + s->listener->handshake_timeout_ms;
	deadline_reset(s);
}

bool secure_is_missing(const struct session *s)
{
	return s->listener->tls && !stream_is_tls(stream_of(s));
}

/* Who ends before the first byte has only looked whether anybody is there. */
void secure_on_end(struct session *s, enum stream_end end, int error)
{
	char words[LOG_ERRNO_MAX];
	tls_give_up(stream_of(s), end == STREAM_EOF ? "the connection ended within the handshake"
	                                            : log_errno_words(error, words));
}

bool secure_timed_out(struct session *s)
{
	if (!tls_give_up(stream_of(s), "the handshake did not end in time"))
		return false;
	session_log_tls(s, &s->side[CLIENT]);
	return true;
}
