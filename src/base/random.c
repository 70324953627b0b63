/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { BATCH = 512 };

/* What is left of the batch lies at its end. Bytes that were handed out are
 * wiped, so that reading this memory tells nothing of keys already in use. */
static _Thread_local struct {
	uint8_t bytes[BATCH];
	size_t left;
} batch;

static void fill(uint8_t *out, size_t len)
{
	while (len > 0) {
		ssize_t n = getrandom(out, len, 0);

		if (n < 0 && errno != EINTR)
			abort();
		if (n > 0) {
			out += n;
			len -= (size_t)n;
		}
	}
}

static void hand_out(uint8_t *out, size_t len)
{
	uint8_t *from = batch.bytes + BATCH - batch.left;

	memcpy(out, from, len);
	explicit_bzero(from, len);
	batch.left -= len;
}

void random_bytes(void *out, size_t len)
{
	int saved = errno;

	if (len == 0)
		return;
	if (len > BATCH) {
		fill(out, len);
	} else {
		if (len > batch.left) {
			fill(batch.bytes, BATCH);
			batch.left = BATCH;
		}
		hand_out(out, len);
	}
	errno = saved;
}

uint32_t random_below(uint32_t bound)
{
	/* The values under `unfair` would make the first remainders likelier. */
	uint32_t unfair = (0 - bound) % bound;
	uint32_t r;

	do
		random_bytes(&r, sizeof(r));
	while (r < unfair);
	return r % bound;
}
