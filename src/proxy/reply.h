/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the upstream says to an opening session: a verified 101 opens the tunnel, an answer that
 * is no 101 and no lie is relayed, all else is refused. Private to proxy/. */

#include "http/head.h"

struct session;

void reply_on_head(struct session *s, struct http_head *answer);
/* Content of a relayed answer's body; `end`: that was all. */
void reply_on_body(struct session *s, struct slice content, bool end);
