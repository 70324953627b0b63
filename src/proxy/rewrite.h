/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Target and host of a request as the upstream gets them. Any thread. */

#include "http/head.h"
#include "http/writer.h"

/* Writes path and query. With `from`, a path (in its normal form, which then goes out)
 * that is `from` or lies under it gets `to` in its place; others stay as they came.
 * Both begin with '/', in normal form; `from` NULL: nothing is replaced. The path has
 * a normal form. */
void rewrite_target(
        struct http_writer *w, const struct http_head *head, const char *from, const char *to);
/* The same for a path that is in its normal form already. */
void rewrite_path(struct http_writer *w, struct slice path, const char *from, const char *to);
/* What a server of this name is called in Host. */
struct slice rewrite_server_host(struct slice name);
