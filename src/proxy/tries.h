/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Which server an opening session asks: the first, and the next when one cannot be reached or
 * says that it is unable; the place there, the connection, and the request that is sent by
 * it. What is left when no server will do is an answer of our own. Private to proxy/. */

#include <stdbool.h>
#include <stdint.h>

struct session;

/* The opening knows its group and its request: looks for a server and asks it. */
void tries_begin(struct session *s);
/* Its next address, or, if it has none, the next server; `error`: why the address before
 * failed, 0 = that is for the dialling to know. */
void tries_connect_next(struct session *s, int error);
/* None of its addresses could be connected to, the last one for this reason. */
void tries_cannot_connect(struct session *s, int error);
/* The server did not do: the next, or this answer. */
void tries_next(struct session *s, unsigned status, const char *reason);
/* It answered with this status. False when there is no other that can be asked at once: then
 * this answer is the client's. */
bool tries_ask_another(struct session *s, unsigned status);
/* When the present server has been silent for too long; 0 = never. */
uint64_t tries_answer_due(const struct session *s);
/* The server is to blame for what went wrong. */
void tries_blame(struct session *s, const char *reason);
/* A connection that was made before and ended without a byte of an answer may have been over
 * before it was used: that is no try. Each can be lost once only. */
bool tries_spare_was_lost(const struct session *s);
void tries_replace_spare(struct session *s);
/* The server failed in a TLS handshake that was to go on with a session, which it may have done for
 * that: once, it is asked again without one, and that is no try and nothing to blame it for. To be
 * found out before the stream is freed. */
bool tries_may_dial_again(const struct session *s);
void tries_dial_again(struct session *s, const char *reason);
