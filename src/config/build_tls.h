/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* TLS of listeners and upstreams: their keys judged together, the files read, the contexts made.
 * Control thread. */

#include <stdbool.h>

struct draft;
struct draft_listener;
struct draft_upstream;
struct file;
struct proxy_listener;
struct reader_entry;
struct reader_section;

/* The listener speaks TLS when it has a certificate. */
void build_listener_tls(struct draft *d, struct draft_listener *l, struct proxy_listener *built);
/* What is said of it in [moongate]. */
void build_key_log(struct draft *d);
/* The group does when one of its servers does; after its servers are known. */
void build_upstream_tls(struct draft *d, struct draft_upstream *u);

/* Warns of a file with a secret that every user may read or change; `e` has named it. */
void build_warn_open(struct draft *d, const struct reader_section *s, const struct reader_entry *e,
        const struct file *f);
/* Judges what tls_certificate_left() tells of a certificate. When the daemon starts, a service with
 * one that has expired is better than none; when a reload brings one (is_news), what serves is. */
void build_judge_time(struct draft *d, const struct reader_section *s, const struct reader_entry *e,
        bool is_news, long left, bool has_begun);
