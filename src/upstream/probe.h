/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One look at one server: whether it can be connected to, upgrades, answers a ping.
 * Embedded in its owner, which keeps the time. One worker's thread.
 *
 *   IDLE --> NAMING --> CONNECTING --> ASKING --101--> PINGING --pong--> LEAVING --> IDLE
 *                           |             +---handshake-------------------^            ^
 *                           +-- connect -------------------------------------- good ---+
 *                                                          any of them, bad -----------+
 */

#include "http/head.h"
#include "http/key.h"
#include "upstream/dial.h"
#include "upstream/group.h"
#include "ws/frame.h"

struct probe;

enum probe_verdict {
	PROBE_GOOD,
	PROBE_BAD,
	PROBE_UNKNOWN, /* no descriptor, memory or port of our own: nothing is known */
};

/* Called once for each probe; `reason`, in words, unless it is good. The probe may not be
 * started nor ended inside. A good one that has upgraded may have its close to wait for. */
typedef void (*probe_fn)(struct probe *p, enum probe_verdict verdict, const char *reason);

enum probe_step {
	PROBE_IDLE,
	PROBE_NAMING,
	PROBE_CONNECTING,
	PROBE_ASKING,
	PROBE_PINGING,
	PROBE_LEAVING,
};

enum { PROBE_PING_LEN = 8 };

struct probe {
	probe_fn fn;
	struct worker *worker;
	struct upstream_group *group;     /* the owner's reference */
	struct upstream_members *members; /* referenced */
	struct dial dial;
	struct stream *stream;
	uint8_t *head; /* of the answer, as far as it has come; owned */
	uint32_t head_len, head_size;
	struct http_scan scan;
	uint64_t skip; /* bytes of a frame that is not looked at */
	uint8_t step, interim;
	bool has_dialled_again; /* without the TLS session that the server had failed for */
	uint8_t rest_len;
	uint8_t rest[WS_CONTROL_FRAME_MAX + 4]; /* an unfinished header or control frame */
	uint8_t ping[PROBE_PING_LEN];
	char key[WS_KEY_LEN];
};

/* Of an idle probe: looks at this member in the group's way. May call fn before it
 * returns. */
void probe_start(struct probe *p, struct worker *w, struct upstream_group *g,
        struct upstream_members *m, unsigned index, probe_fn fn);
static inline bool probe_is_idle(const struct probe *p)
{
	return p->step == PROBE_IDLE;
}
/* It has its verdict, and waits for the server to end the connection. */
static inline bool probe_is_leaving(const struct probe *p)
{
	return p->step == PROBE_LEAVING;
}
/* The time is over: a verdict if there was none, and idle. */
void probe_time_out(struct probe *p);
/* Idle at once; fn is not called any more. */
void probe_end(struct probe *p);
