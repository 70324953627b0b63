/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A group of servers from its draft: judged as a whole, then built. Control thread. */

struct draft;
struct draft_upstream;

/* Fills u->group; a group with errors may have no members. */
void build_upstream(struct draft *d, struct draft_upstream *u);
