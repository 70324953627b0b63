/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Who the daemon is to be: user and group judged together. Control thread. */

struct draft;

void build_identity(struct draft *d);
