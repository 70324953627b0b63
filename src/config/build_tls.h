/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* TLS of listeners and upstreams: their keys judged together, the files read, the contexts made.
 * Control thread. */

struct draft;
struct draft_listener;
struct draft_upstream;
struct proxy_listener;

/* The listener speaks TLS when it has a certificate. */
void build_listener_tls(struct draft *d, struct draft_listener *l, struct proxy_listener *built);
/* What is said of it in [moongate]. */
void build_key_log(struct draft *d);
/* The group does when one of its servers does; after its servers are known. */
void build_upstream_tls(struct draft *d, struct draft_upstream *u);
