/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the fields of a head mean for the connection: its host, whether it goes
 * on, and where the body ends. For head.c. */

#include "http/head.h"

/* h has its first line and its fields. Fill the rest. */
enum http_error meaning_of_request(struct http_head *h);
enum http_error meaning_of_response(struct http_head *h);
