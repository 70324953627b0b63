/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Where one request goes, from listener to listener of this configuration, with what the
 * routes on its way make of its host, path and headers. Control thread. */

#include "config/draft.h"
#include "http/uri.h"

struct loop_walk;

/* The request: its query and the lines of its header, each with its line end. Both are
 * borrowed. */
struct loop_walk *loop_walk_new(struct draft *d, const char *query, const char *lines);
void loop_walk_free(struct loop_walk *w);
/* Begins at this listener, with a host and a path in their normal forms. What leads back to
 * where the request was, as it was, goes to the draft's problems; so does what changes it at
 * every turn for more turns than anybody means. */
void loop_walk_from(struct loop_walk *w, int listener, const char *host, const char *path);
