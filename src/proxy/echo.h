/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The built-in echo of a route with `echo = on`: messages come back as they came,
 * pings are answered, closes too. For probes and demonstrations. */

#include "proxy/session.h"

void echo_open(struct session *s, const struct http_head *head, struct slice key);
size_t echo_on_frames(struct session *s, uint8_t *buf, size_t len);
void echo_on_drain(struct session *s);
void echo_free(struct session *s);
