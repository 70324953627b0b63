/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The key of an opening handshake and the proof that it was read (RFC 6455 4.1
 * and 4.2.2). Any thread; each keeps one digest context until it ends. */

#include "base/slice.h"

#include <stdbool.h>

enum { WS_KEY_LEN = 24, WS_ACCEPT_LEN = 28 };

/* Base64 of exactly 16 bytes, the unused bits of its last digit zero. */
bool ws_key_is_valid(struct slice key);
/* Sec-WebSocket-Accept for a key (4.2.2 step 5.4), which has WS_KEY_LEN bytes. */
void ws_accept_value(char out[WS_ACCEPT_LEN], struct slice key);
/* A fresh Sec-WebSocket-Key: base64 of 16 random bytes. */
void ws_key_make(char out[WS_KEY_LEN]);
