/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/build_tls.h"

#include "config/carry.h"
#include "config/draft.h"
#include "config/file.h"
#include "net/tls_client.h"
#include "net/tls_server.h"
#include "net/tls_ticket.h"
#include "proxy/proxy.h"

#include <stdio.h>
#include <string.h>

enum {
	PEM_MAX = 1024 * 1024, /* a chain; a bundle of CAs */
	KEY_MAX = 64 * 1024,
	DAY_S = 24 * 3600,
};

/* ---- what both share ---- */

/* False, and told, when it cannot be read. */
static bool read_file(struct draft *d, const struct reader_section *s,
        const struct draft_file *from, size_t max, struct file *out)
{
	const char *wrong = file_read(out, from->path, max);
	if (wrong)
		draft_error(d, s, from->entry, "cannot read it: %s", wrong);
	return !wrong;
}

static void warn(struct draft *d, const struct reader_section *s, const struct reader_entry *e,
        const char *text)
{
	char title[DRAFT_TITLE_MAX], value[PROBLEM_QUOTE_MAX];
	problem_warning(&d->problems, reader_place(s->file, e->line), "%s %s = %s: %s",
	        draft_title(s, title), e->key, problem_quote(e->value, value), text);
}

/* About the section as a whole where no key is at fault. */
static void complain(struct draft *d, const struct reader_section *s, const struct reader_entry *e,
        const char *why)
{
	if (e)
		draft_error(d, s, e, "%s", why);
	else
		draft_section_error(d, s, "TLS: %s", why);
}

void build_warn_open(struct draft *d, const struct reader_section *s, const struct reader_entry *e,
        const struct file *f)
{
	const char *may = file_is_open_to_all(f);
	char text[64];
	snprintf(text, sizeof text, "every user of this host may %s this file", may ? may : "");
	if (may)
		warn(d, s, e, text);
}

void build_judge_time(struct draft *d, const struct reader_section *s, const struct reader_entry *e,
        bool is_news, long left, bool has_begun)
{
	char text[80];
	if (left >= 0 && has_begun)
		return;
	if (left < 0)
		snprintf(text, sizeof text, "the certificate has expired, %ld days ago",
		        -left / DAY_S);
	else
		snprintf(text, sizeof text, "the certificate's time has not begun yet");
	if (is_news)
		draft_error(d, s, e, "%s", text);
	else
		warn(d, s, e, text);
}

/* Keys that would do nothing are mistakes. */
static void check_idle(struct draft *d, const struct reader_section *s, const char *const *keys,
        size_t n, const char *want)
{
	for (size_t i = 0; i < n; i++) {
		const struct reader_entry *e = reader_find(s, keys[i]);
		if (e && draft_is_whole(s))
			draft_error(d, s, e, "does nothing: want %s too", want);
	}
}

static struct slice bytes_of(const struct file *f)
{
	return slice_of(f->at, f->len);
}

/* ---- listeners ---- */

static struct tls_settings settings_of(const struct draft_listener *l)
{
	return (struct tls_settings){.min_version = l->tls.min_version,
	        .ciphers = l->tls.ciphers,
	        .ciphersuites = l->tls.ciphersuites,
	        .groups = l->tls.groups};
}

/* The key may be in the certificate's file. */
static bool add_pair(struct draft *d, const struct draft_listener *l, struct tls_server *t,
        const struct draft_file *chain, const struct draft_file *key)
{
	struct file chain_file, key_file = {.at = NULL};
	char why[TLS_WHY_MAX];
	bool has_begun;
	bool is_good = read_file(d, l->section, chain, PEM_MAX, &chain_file) &&
	               (key == chain || read_file(d, l->section, key, KEY_MAX, &key_file));
	if (is_good) {
		const struct file *secret = key == chain ? &chain_file : &key_file;
		is_good = tls_server_add(t, bytes_of(&chain_file), bytes_of(secret), why);
		if (is_good)
			build_warn_open(d, l->section, key->entry, secret);
		else
			draft_error(d, l->section, tls_why_is_key(why) ? key->entry : chain->entry,
			        "%s", why);
	}
	if (is_good) {
		long left = tls_server_left(t, &has_begun);
		build_judge_time(d, l->section, chain->entry,
		        carry_is_news(d, PART_LISTENER, &l->part), left, has_begun);
	}
	file_fini(&chain_file);
	file_fini(&key_file);
	return is_good;
}

static bool add_pairs(struct draft *d, const struct draft_listener *l, struct tls_server *t)
{
	const struct draft_files *chains = &l->tls.certificate, *keys = &l->tls.key;
	bool is_good = true;
	for (size_t i = 0; i < chains->n; i++) {
		const struct draft_file *key = keys->n > 0 ? &keys->at[i] : &chains->at[i];
		is_good = add_pair(d, l, t, &chains->at[i], key) && is_good;
	}
	return is_good;
}

static bool add_ocsp(struct draft *d, const struct draft_listener *l, struct tls_server *t)
{
	char why[TLS_WHY_MAX];
	for (size_t i = 0; i < l->tls.ocsp.n; i++) {
		const struct draft_file *from = &l->tls.ocsp.at[i];
		struct file f;
		if (!read_file(d, l->section, from, KEY_MAX, &f))
			return false;
		bool is_good = tls_server_add_ocsp(t, bytes_of(&f), why);
		file_fini(&f);
		if (!is_good) {
			draft_error(d, l->section, from->entry, "%s", why);
			return false;
		}
		if (tls_server_ocsp_is_old(t))
			warn(d, l->section, from->entry,
			        "the answer is out of date, and is not sent");
	}
	return true;
}

static bool add_ticket_keys(struct draft *d, const struct draft_listener *l, struct tls_server *t)
{
	for (size_t i = 0; i < l->tls.ticket_key.n; i++) {
		const struct draft_file *from = &l->tls.ticket_key.at[i];
		struct file f;
		if (!read_file(d, l->section, from, KEY_MAX, &f))
			return false;
		bool is_good = f.len == TLS_TICKET_FILE;
		build_warn_open(d, l->section, from->entry, &f);
		if (is_good)
			tls_server_add_ticket_key(t, bytes_of(&f));
		else
			draft_error(d, l->section, from->entry,
			        "it has %zu bytes: want a file of %d random bytes, such as of "
			        "'openssl rand %d'",
			        f.len, TLS_TICKET_FILE, TLS_TICKET_FILE);
		file_fini(&f);
		if (!is_good)
			return false;
	}
	return true;
}

static void check_pairs(struct draft *d, const struct draft_listener *l)
{
	const struct draft_files *chains = &l->tls.certificate, *keys = &l->tls.key;
	if (keys->n == 0 || keys->n == chains->n || !draft_is_whole(l->section))
		return;
	draft_error(d, l->section, keys->at[keys->n - 1].entry,
	        "%zu keys and %zu certificates: want one tls_key for each tls_certificate, in the "
	        "same order, or none at all if they are in the certificates' files",
	        keys->n, chains->n);
}

static void check_client_ca(struct draft *d, const struct draft_listener *l)
{
	const struct reader_entry *ca = reader_find(l->section, "tls_client_ca");
	const struct reader_entry *verify = reader_find(l->section, "tls_verify_client");
	if (!draft_is_whole(l->section))
		return;
	if (ca && !verify)
		draft_error(d, l->section, ca,
		        "does nothing: want tls_verify_client = optional or on too");
	/* Said in so many words: for a time, perhaps. */
	if (ca && verify && l->tls.verify == TLS_VERIFY_OFF)
		warn(d, l->section, ca,
		        "does nothing while tls_verify_client = off, and no client is asked for a "
		        "certificate: want optional or on, or no tls_client_ca");
	if (!ca && l->tls.verify != TLS_VERIFY_OFF)
		draft_error(d, l->section, verify,
		        "nobody says whom to believe: want tls_client_ca = PATH too");
}

/* They may have been there before the floor was raised. */
static void check_ciphers(struct draft *d, const struct draft_listener *l)
{
	const struct reader_entry *e = reader_find(l->section, "tls_ciphers");
	if (e && l->tls.min_version == TLS_FLOOR_1_3 && strcmp(l->tls.ciphers, TLS_CIPHERS) != 0)
		warn(d, l->section, e,
		        "does nothing with tls_min_version = 1.3, since it is of TLS 1.2: want "
		        "tls_ciphersuites, or tls_min_version = 1.2");
}

static struct tls_server *new_server(struct draft *d, const struct draft_listener *l)
{
	char why[TLS_WHY_MAX];
	struct file ca = {.at = NULL};
	struct tls_server_settings s = {.tls = settings_of(l),
	        .refuse_unknown = l->tls.refuse_unknown,
	        .verify = l->tls.verify,
	        .scope = l->section->name};
	if (s.verify != TLS_VERIFY_OFF &&
	        !read_file(d, l->section, &l->tls.client_ca, PEM_MAX, &ca))
		return NULL;
	s.client_ca = bytes_of(&ca);
	struct tls_server *t = tls_server_new(&s, why);
	file_fini(&ca);
	if (!t)
		complain(d, l->section, l->tls.client_ca.entry, why);
	return t;
}

static void make_server(
        struct draft *d, const struct draft_listener *l, struct proxy_listener *built)
{
	char why[TLS_WHY_MAX];
	struct tls_server *t = new_server(d, l);
	if (t && add_pairs(d, l, t) && add_ocsp(d, l, t) && add_ticket_keys(d, l, t)) {
		if (tls_server_finish(t, why))
			built->tls = tls_server_ref(t);
		else
			draft_section_error(d, l->section, "TLS: %s", why);
	}
	tls_server_unref(t);
}

void build_listener_tls(struct draft *d, struct draft_listener *l, struct proxy_listener *built)
{
	static const char *const keys[] = {"tls_key", "tls_unknown_name", "tls_min_version",
	        "tls_ciphers", "tls_ciphersuites", "tls_groups", "tls_timeout", "tls_ticket_key",
	        "tls_ocsp", "tls_client_ca", "tls_verify_client"};
	size_t before = d->problems.errors;
	built->tls_timeout_ms = l->tls.timeout_ms;
	if (l->tls.certificate.n == 0) {
		check_idle(d, l->section, keys, sizeof keys / sizeof keys[0],
		        "tls_certificate = PATH");
		return;
	}
	check_pairs(d, l);
	check_client_ca(d, l);
	check_ciphers(d, l);
	if (d->problems.errors == before && !d->is_memory)
		make_server(d, l, built);
}

/* ---- upstreams ---- */

static bool read_pair(
        struct draft *d, const struct draft_upstream *u, struct file *chain, struct file *key)
{
	const struct draft_file *chain_from = &u->tls.certificate;
	const struct draft_file *key_from = u->tls.key.path ? &u->tls.key : chain_from;
	if (!chain_from->path)
		return true;
	return read_file(d, u->section, chain_from, PEM_MAX, chain) &&
	       read_file(d, u->section, key_from, PEM_MAX, key);
}

static bool is_ca_at_fault(const struct tls_client_settings *s)
{
	char why[TLS_WHY_MAX];
	struct tls_client_settings alone = *s;
	alone.chain = alone.key = SLICE("");
	struct tls_client *t = tls_client_new(&alone, why);
	tls_client_unref(t);
	return !t;
}

static const struct reader_entry *entry_at_fault(
        const struct draft_upstream *u, const struct tls_client_settings *s, const char *why)
{
	if (!u->tls.certificate.path || (u->tls.ca.path && is_ca_at_fault(s)))
		return u->tls.ca.entry;
	return u->tls.key.path && tls_why_is_key(why) ? u->tls.key.entry : u->tls.certificate.entry;
}

static void make_client(struct draft *d, struct draft_upstream *u)
{
	char why[TLS_WHY_MAX];
	struct file ca = {.at = NULL}, chain = {.at = NULL}, key = {.at = NULL};
	bool has_begun,
	        is_read = !u->tls.ca.path || read_file(d, u->section, &u->tls.ca, PEM_MAX, &ca);
	long left;
	is_read = is_read && read_pair(d, u, &chain, &key);
	struct tls_client_settings s = {.tls = {.min_version = TLS_FLOOR_1_2,
	                                        .ciphers = TLS_CIPHERS,
	                                        .ciphersuites = TLS_CIPHERSUITES,
	                                        .groups = TLS_GROUPS},
	        .verify = u->tls.verify,
	        .ca = bytes_of(&ca),
	        .name = u->tls.name,
	        .chain = bytes_of(&chain),
	        .key = bytes_of(&key)};
	if (is_read)
		u->group->tls = tls_client_new(&s, why);
	if (u->group->tls) {
		if (tls_client_left(u->group->tls, &left, &has_begun))
			build_judge_time(d, u->section, u->tls.certificate.entry,
			        carry_is_news(d, PART_UPSTREAM, &u->part), left, has_begun);
		if (chain.at)
			build_warn_open(d, u->section,
			        u->tls.key.path ? u->tls.key.entry : u->tls.certificate.entry,
			        &key);
	} else if (is_read) {
		complain(d, u->section, entry_at_fault(u, &s, why), why);
	}
	file_fini(&ca);
	file_fini(&chain);
	file_fini(&key);
}

static bool is_secure(const struct draft_server *s)
{
	return s->server.is_secure;
}

/* A socket's path is no name that a certificate could hold. */
static void check_names(struct draft *d, const struct draft_upstream *u)
{
	for (size_t i = 0; i < u->server_n; i++) {
		const struct draft_server *s = &u->server[i];
		if (is_secure(s) && s->server.address.len > 0 &&
		        s->server.address.sa.sa_family == AF_UNIX && u->tls.verify && !u->tls.name)
			draft_error(d, u->section, s->entry,
			        "which name shall its certificate hold? Want tls_server_name = "
			        "NAME "
			        "too");
	}
}

static void check_client(struct draft *d, const struct draft_upstream *u)
{
	const struct reader_entry *ca = reader_find(u->section, "tls_ca");
	const struct reader_entry *verify = reader_find(u->section, "tls_verify");
	const struct reader_entry *key = reader_find(u->section, "tls_client_key");
	if (ca && !u->tls.verify && draft_is_whole(u->section))
		draft_error(d, u->section, ca, "does nothing: want tls_verify = on too");
	if (key && !u->tls.certificate.path && draft_is_whole(u->section))
		draft_error(d, u->section, key, "does nothing: want tls_client_certificate too");
	if (verify && !u->tls.verify)
		warn(d, u->section, verify,
		        "whoever answers is believed to be the server: traffic can be read and "
		        "changed on the way");
	check_names(d, u);
}

void build_upstream_tls(struct draft *d, struct draft_upstream *u)
{
	static const char *const keys[] = {"tls_ca", "tls_verify", "tls_server_name",
	        "tls_client_certificate", "tls_client_key"};
	size_t before = d->problems.errors;
	bool is_any_secure = false;
	for (size_t i = 0; i < u->server_n; i++)
		is_any_secure = is_any_secure || is_secure(&u->server[i]);
	if (!is_any_secure) {
		check_idle(
		        d, u->section, keys, sizeof keys / sizeof keys[0], "a server = wss://HOST");
		return;
	}
	check_client(d, u);
	if (d->problems.errors == before && !d->is_memory)
		make_client(d, u);
}

void build_key_log(struct draft *d)
{
	for (size_t i = 0; i < d->doc.n; i++) {
		const struct reader_section *s = d->doc.section[i];
		const struct reader_entry *e =
		        strcmp(s->kind, "moongate") == 0 ? reader_find(s, "tls_key_log") : NULL;
		if (e)
			warn(d, s, e, "whoever can read this file can read all TLS traffic");
	}
}
