/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The target of a request as the upstream gets it. Any thread. */

#include "http/head.h"
#include "http/writer.h"

/* Writes path and query. With `from`, a path (in its normal form, which then goes out)
 * that is `from` or lies under it gets `to` in its place; others stay as they came.
 * Both begin with '/', in normal form; `from` NULL: nothing is replaced. The path has
 * a normal form. */
void rewrite_target(
        struct http_writer *w, const struct http_head *head, const char *from, const char *to);
