/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Finds upstreams that lead back to where the request came from: a request would
 * go round until descriptors run out. Control thread. */

struct draft;

/* After the routes were built and found free of overlaps; loops go to the
 * draft's problems. */
void loop_check(struct draft *d);
