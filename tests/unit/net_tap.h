/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* An owner of a stream that writes down what it is told. */

#include "net/stream.h"
#include "net/worker.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum tap_call { TAP_NONE, TAP_DATA, TAP_EOF, TAP_ERROR, TAP_DRAIN, TAP_CONNECT };

struct tap {
	struct stream *stream; /* NULL once freed */
	uint8_t *bytes;
	size_t len;
	unsigned datas, eofs, errors, drains, connects;
	int error;
	enum tap_call free_in;  /* frees the stream in this call */
	enum tap_call pause_in; /* pauses it */
	const char *answer;     /* sent in each on_data */
	unsigned inside;        /* calls of the stream's functions in progress */
};

static void tap_called(struct tap *t, enum tap_call call)
{
	/* Never from within a function of the stream, never after the end. */
	ck_assert_uint_eq(t->inside, 0);
	ck_assert_ptr_nonnull(t->stream);
	ck_assert_uint_eq(t->errors, call == TAP_ERROR ? 1 : 0);
	if (t->pause_in == call)
		stream_pause(t->stream);
	if (t->free_in != call)
		return;
	stream_free(t->stream, false);
	t->stream = NULL;
}

static void tap_data(struct stream *s, uint8_t *buf, size_t len)
{
	struct tap *t = s->owner;
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_eq(t->eofs, 0);
	ck_assert(!stream_is_paused(s));
	t->bytes = realloc(t->bytes, t->len + len);
	memcpy(t->bytes + t->len, buf, len);
	/* The owner may use the room before it and the bytes themselves. */
	memset(buf - WORKER_RX_HEADROOM, 0xee, WORKER_RX_HEADROOM + len);
	t->len += len;
	t->datas++;
	if (t->answer) {
		struct slice v = slice_str(t->answer);
		t->inside++;
		stream_send(s, &v, 1);
		t->inside--;
	}
	tap_called(t, TAP_DATA);
}

static void tap_end(struct stream *s, enum stream_end end, int error)
{
	struct tap *t = s->owner;
	if (end == STREAM_EOF) {
		ck_assert_uint_eq(++t->eofs, 1);
		ck_assert(!stream_is_paused(s));
		tap_called(t, TAP_EOF);
		return;
	}
	t->errors++;
	t->error = error;
	tap_called(t, TAP_ERROR);
}

static void tap_drain(struct stream *s)
{
	struct tap *t = s->owner;
	t->drains++;
	tap_called(t, TAP_DRAIN);
}

static void tap_connect(struct stream *s)
{
	struct tap *t = s->owner;
	ck_assert_uint_eq(++t->connects, 1);
	tap_called(t, TAP_CONNECT);
}

static const struct stream_events tap_events = {tap_data, tap_end, tap_drain, tap_connect, NULL};

static void tap_init(struct tap *t, struct stream *s)
{
	memset(t, 0, sizeof(*t));
	ck_assert_ptr_nonnull(s);
	t->stream = s;
	s->owner = t;
	s->events = &tap_events;
}

static bool tap_send(struct tap *t, const void *at, size_t len)
{
	/* In three slices, of which one is empty, from a buffer of the exact size. */
	uint8_t *copy = malloc(len ? len : 1);
	memcpy(copy, at, len);
	struct slice v[3] = {slice_of(copy, len / 3), slice_of(copy, 0),
	        slice_of(copy + len / 3, len - len / 3)};
	t->inside++;
	bool ok = stream_send(t->stream, v, len ? 3 : 0);
	t->inside--;
	free(copy);
	return ok;
}

static inline bool tap_send_text(struct tap *t, const char *text)
{
	return tap_send(t, text, strlen(text));
}

static inline void tap_has(const struct tap *t, const char *text)
{
	ck_assert_uint_eq(t->len, strlen(text));
	if (t->len > 0)
		ck_assert_mem_eq(t->bytes, text, t->len);
}

/* What the stream knows of its peer's end, told or not. */
static inline bool peer_has_closed(const struct stream *s)
{
	return s->flags & (STREAM_PEER_CLOSED | STREAM_EOF_SEEN | STREAM_FAILED);
}

static void tap_free(struct tap *t)
{
	if (t->stream) {
		t->inside++;
		stream_free(t->stream, false);
	}
	t->stream = NULL;
	free(t->bytes);
	t->bytes = NULL;
}
