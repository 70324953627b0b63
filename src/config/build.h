/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Drafts to the parts of a configuration: names resolved, and what can only be
 * judged together: an address bound twice, routes that overlap, an upstream that
 * leads back to where the request came from. Control thread. */

struct draft;

/* Fills the draft's config; what is wrong goes to its problems. `name` stands for
 * the configuration as a whole. */
void build_run(struct draft *d, const char *name);
/* After build_run(); NULL: none such. */
struct draft_upstream *build_find_upstream(struct draft *d, const char *name);
