/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The sticky sessions of an upstream from its draft. Control thread. */

struct draft;
struct draft_upstream;

/* Reads the secret and fills u->group->sticky. */
void build_sticky(struct draft *d, struct draft_upstream *u);
