/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* PROXY headers (net/proxy_header.h) in front of sessions: expected from the peers that
 * a listener names, and from nobody else; and sent to upstreams that want them. Private
 * to proxy/. One worker's thread. */

#include "net/proxy_header.h"
#include "proxy/session.h"

/* At the door: whether the session's peer has to send a header first. If so, the session
 * is admitted only when that has come. */
bool preface_is_due(const struct session *s);
/* endpoint_events.on_preface: takes the header, which says who the client is; without a
 * sound one the session ends. */
size_t preface_on_bytes(struct endpoint *ep, const uint8_t *buf, size_t len);
/* No more will come, or the time is over. True: in the middle of a header, and the session
 * has ended with a line in the log. */
bool preface_cut_short(struct session *s, const char *reason);

/* Writes what the session's upstream wants to see in front of its request. Returns its
 * bytes, 0 for nothing. */
size_t preface_write(const struct session *s, uint8_t out[PROXY_HEADER_WRITE_MAX]);
