/* SPDX-License-Identifier: BSD-2-Clause */

/* The frame engine in both roles. Input: a byte of options, a byte that counts
 * the cuts, the distances between the cuts, the stream.
 *
 * However the stream is cut, and by whichever call it is read, the verdict, the
 * whole frames and the control frames are the same; what passes is a sound
 * stream of the same messages. */

#include "../unit/ws_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

enum { FROM_CLIENT = 1, LIMIT_MESSAGE = 4, LIMIT_FRAME = 8, LIMIT_FRAGMENTS = 16 };
enum { CUTS_MAX = 15 };

struct input {
	struct ws_limits limits;
	size_t cuts[CUTS_MAX], cut_count;
	uint8_t *stream;
	size_t len;
};

static void require(bool is_true)
{
	if (!is_true)
		abort();
}

static struct feed feed(const struct input *in, unsigned flags, feed_fn fn, size_t cut_count)
{
	struct feed f = {0};
	size_t pos = 0;
	ws_reader_init(&f.reader, flags);
	for (size_t i = 0; i <= cut_count && !f.error; i++) {
		size_t end = i < cut_count ? in->cuts[i] : in->len;
		require(fn(&f, &in->limits, in->stream + pos, end - pos));
		pos = end;
	}
	if (fn == feed_run)
		require(feed_unmask(&f, flags & WS_FROM_CLIENT));
	require(ws_reader_is_mid_frame(&f.reader) == (f.cut > 0));
	return f;
}

static void expect_same(const struct feed *want, const struct input *in, unsigned flags, feed_fn fn,
        size_t cut_count)
{
	struct feed got = feed(in, flags, fn, cut_count);
	require(!feed_difference(want, &got));
	/* What passed is sound by itself, and the same messages. */
	struct input again = {.limits = in->limits, .stream = got.passed.p, .len = got.passed.len};
	if (fn == feed_run && again.len > 0) {
		struct feed passed = feed(&again, flags & WS_FROM_CLIENT, fn, 0);
		require(!passed.error && passed.messages == got.messages &&
		        passed.frames == got.frames);
		require(bytes_equal(&passed.plain, &got.plain, got.plain.len));
		feed_free(&passed);
	}
	feed_free(&got);
}

static bool read_input(struct input *in, const uint8_t *p, size_t size)
{
	if (size < 2)
		return false;
	size_t count = p[1] & CUTS_MAX;
	if (size < 2 + count)
		return false;
	uint8_t options = p[0];
	in->limits = (struct ws_limits){
	        .max_message = options & LIMIT_MESSAGE ? 1 + (options >> 5) * 40u : 0,
	        .max_frame = options & LIMIT_FRAME ? 1 + (options >> 5) * 30u : 0,
	        .max_fragments = options & LIMIT_FRAGMENTS ? 1u + (options >> 5) : 0,
	};
	in->stream = (uint8_t *)(uintptr_t)(p + 2 + count);
	in->len = size - 2 - count;
	in->cut_count = 0;
	for (size_t i = 0, pos = 0; i < count && (pos += p[2 + i]) < in->len; i++)
		in->cuts[in->cut_count++] = pos;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct input in;
	if (!read_input(&in, input, size))
		return 0;
	unsigned role = input[0] & FROM_CLIENT ? WS_FROM_CLIENT : 0;
	struct feed want = feed(&in, role, feed_run, 0);
	expect_same(&want, &in, role, feed_run, in.cut_count);
	expect_same(&want, &in, role, feed_next, 0);
	expect_same(&want, &in, role, feed_next, in.cut_count);
	if (role) {
		expect_same(&want, &in, role | WS_REMASK, feed_run, 0);
		expect_same(&want, &in, role | WS_REMASK, feed_run, in.cut_count);
	}
	feed_free(&want);
	return 0;
}
