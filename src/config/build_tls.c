/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/build_tls.h"

#include "config/carry.h"
#include "config/draft.h"
#include "config/file.h"
#include "net/tls_client.h"
#include "net/tls_ocsp.h"
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
	if (!wrong)
		return true;
	draft_error(
	        d, s, from->entry, "cannot read it: %s%s", wrong, draft_list_hint(s, from->entry));
	problem_cause(&d->problems, out->error);
	return false;
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
	bool is_good = read_file(d, l->section, chain, PEM_MAX, &chain_file);
	is_good &= key == chain || read_file(d, l->section, key, KEY_MAX, &key_file);
	if (is_good) {
		const struct file *secret = key == chain ? &chain_file : &key_file;
		is_good = tls_server_add(t, bytes_of(&chain_file), bytes_of(secret), why);
		if (is_good)
			build_warn_open(d, l->section, key->entry, secret);
		else
			draft_error(d, l->section, tls_why_is_key(why) ? key->entry : chain->entry,
			        "%s%s", why,
			        key == chain && tls_why_is_key(why)
			                ? "; tls_key = PATH is for one in a file of its own"
			                : "");
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

static bool is_readable(
        struct draft *d, const struct draft_listener *l, const struct draft_file *from, size_t max)
{
	struct file f;
	bool is_good = read_file(d, l->section, from, max, &f);
	file_fini(&f);
	return is_good;
}

/* Which key is whose nobody knows when some are missing. */
static bool look_at_pairs(struct draft *d, const struct draft_listener *l)
{
	const struct draft_files *chains = &l->tls.certificate, *keys = &l->tls.key;
	for (size_t i = 0; i < chains->n; i++)
		is_readable(d, l, &chains->at[i], PEM_MAX);
	for (size_t i = 0; i < keys->n; i++)
		is_readable(d, l, &keys->at[i], KEY_MAX);
	return false;
}

static bool add_pairs(struct draft *d, const struct draft_listener *l, struct tls_server *t)
{
	const struct draft_files *chains = &l->tls.certificate, *keys = &l->tls.key;
	bool is_good = true;
	if (keys->n > 0 && keys->n != chains->n)
		return look_at_pairs(d, l);
	for (size_t i = 0; i < chains->n; i++) {
		const struct draft_file *key = keys->n > 0 ? &keys->at[i] : &chains->at[i];
		is_good &= add_pair(d, l, t, &chains->at[i], key);
	}
	return is_good;
}

/* Whose certificate is not there, may be about that one. */
static bool add_ocsp(
        struct draft *d, const struct draft_listener *l, struct tls_server *t, bool has_pairs)
{
	char why[TLS_WHY_MAX];
	bool is_good = true;
	for (size_t i = 0; i < l->tls.ocsp.n; i++) {
		const struct draft_file *from = &l->tls.ocsp.at[i];
		struct file f;
		bool is_read = read_file(d, l->section, from, KEY_MAX, &f);
		bool is_taken = is_read && (has_pairs ? tls_server_add_ocsp(t, bytes_of(&f), why)
		                                      : tls_ocsp_is_sound(bytes_of(&f), why));
		file_fini(&f);
		if (is_read && !is_taken)
			draft_error(d, l->section, from->entry, "%s", why);
		else if (is_taken && has_pairs && tls_server_ocsp_is_old(t))
			warn(d, l->section, from->entry,
			        "the answer is out of date, and is not sent");
		is_good &= is_taken;
	}
	return is_good;
}

static bool add_ticket_key(struct draft *d, const struct draft_listener *l, struct tls_server *t,
        const struct draft_file *from)
{
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
	return is_good;
}

static bool add_ticket_keys(struct draft *d, const struct draft_listener *l, struct tls_server *t)
{
	bool is_good = true;
	for (size_t i = 0; i < l->tls.ticket_key.n; i++)
		is_good &= add_ticket_key(d, l, t, &l->tls.ticket_key.at[i]);
	return is_good;
}

static void check_pairs(struct draft *d, const struct draft_listener *l)
{
	const struct draft_files *chains = &l->tls.certificate, *keys = &l->tls.key;
	if (keys->n == 0 || keys->n == chains->n || !draft_is_whole(l->section) ||
	        draft_is_refused(l->section, "tls_certificate") ||
	        draft_is_refused(l->section, "tls_key"))
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
	if (!draft_is_whole(l->section) || draft_is_refused(l->section, "tls_verify_client"))
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

/* OpenSSL knows what is in them. */
static bool check_lists(struct draft *d, const struct draft_listener *l)
{
	static const char *const keys[TLS_LISTS] = {[TLS_LIST_CIPHERS] = "tls_ciphers",
	        [TLS_LIST_SUITES] = "tls_ciphersuites",
	        [TLS_LIST_GROUPS] = "tls_groups"};
	const struct tls_settings s = settings_of(l);
	char why[TLS_WHY_MAX];
	bool is_good = true;
	for (int i = 0; i < TLS_LISTS; i++) {
		const struct reader_entry *e = reader_find(l->section, keys[i]);
		if (!e || tls_context_knows(&s, (enum tls_list)i, why))
			continue;
		draft_error(d, l->section, e, "%s", why);
		is_good = false;
	}
	return is_good;
}

/* One that asks nobody stands in when it cannot be had (*is_good), so that the rest is looked at
 * all the same. */
static struct tls_server *new_server(struct draft *d, const struct draft_listener *l, bool *is_good)
{
	char why[TLS_WHY_MAX];
	struct file ca = {.at = NULL};
	struct tls_server *t = NULL;
	struct tls_server_settings s = {.tls = settings_of(l),
	        .refuse_unknown = l->tls.refuse_unknown,
	        .verify = l->tls.verify,
	        .scope = l->section->name};
	bool wants_ca = s.verify != TLS_VERIFY_OFF;
	if (!wants_ca || (l->tls.client_ca.path &&
	                         read_file(d, l->section, &l->tls.client_ca, PEM_MAX, &ca))) {
		s.client_ca = bytes_of(&ca);
		t = tls_server_new(&s, why);
		if (!t)
			complain(d, l->section, l->tls.client_ca.entry, why);
	}
	file_fini(&ca);
	*is_good = t != NULL;
	s.verify = TLS_VERIFY_OFF;
	s.client_ca = SLICE("");
	return t || !wants_ca ? t : tls_server_new(&s, why);
}

/* `is_sound`: but for what the files hold, nothing is wrong. */
static void make_server(struct draft *d, const struct draft_listener *l,
        struct proxy_listener *built, bool is_sound)
{
	char why[TLS_WHY_MAX];
	bool is_good;
	struct tls_server *t = new_server(d, l, &is_good);
	if (t) {
		bool has_pairs = add_pairs(d, l, t);
		is_good &= add_ocsp(d, l, t, has_pairs) & has_pairs;
		is_good &= add_ticket_keys(d, l, t);
		is_good &= check_lists(d, l);
	}
	if (is_good && is_sound) {
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
		if (!draft_is_refused(l->section, "tls_certificate"))
			check_idle(d, l->section, keys, sizeof keys / sizeof keys[0],
			        "tls_certificate = PATH");
		return;
	}
	check_pairs(d, l);
	check_client_ca(d, l);
	check_ciphers(d, l);
	if (!d->is_memory)
		make_server(d, l, built, d->problems.errors == before);
}

/* ---- upstreams ---- */

struct identity {
	struct file ca, chain, key;
};

static const struct draft_file *key_of(const struct draft_upstream *u)
{
	return u->tls.key.path ? &u->tls.key : &u->tls.certificate;
}

/* False when one of those that are given cannot be read; the others are there. */
static bool read_all(struct draft *d, const struct draft_upstream *u, struct identity *i)
{
	bool is_good = !u->tls.ca.path || read_file(d, u->section, &u->tls.ca, PEM_MAX, &i->ca);
	if (!u->tls.certificate.path)
		return is_good;
	is_good &= read_file(d, u->section, &u->tls.certificate, PEM_MAX, &i->chain);
	if (u->tls.key.path || i->chain.at)
		is_good &= read_file(d, u->section, key_of(u), PEM_MAX, &i->key);
	return is_good;
}

static struct tls_client_settings settings_with(
        const struct draft_upstream *u, struct slice ca, struct slice chain, struct slice key)
{
	return (struct tls_client_settings){.tls = {.min_version = TLS_FLOOR_1_2,
	                                            .ciphers = TLS_CIPHERS,
	                                            .ciphersuites = TLS_CIPHERSUITES,
	                                            .groups = TLS_GROUPS},
	        .verify = u->tls.verify,
	        .ca = ca,
	        .name = u->tls.name,
	        .chain = chain,
	        .key = key};
}

/* A client with some of the files, only to see whether they are good; told of if not. */
static void try_files(struct draft *d, const struct draft_upstream *u,
        const struct tls_client_settings *s, const struct reader_entry *e)
{
	char why[TLS_WHY_MAX];
	struct tls_client *t = tls_client_new(s, why);
	if (!t)
		complain(d, u->section,
		        s->chain.len > 0 && u->tls.key.path && tls_why_is_key(why)
		                ? u->tls.key.entry
		                : e,
		        why);
	tls_client_unref(t);
}

/* Each by itself, so that neither keeps the other's error back. */
static void find_faults(struct draft *d, const struct draft_upstream *u, const struct identity *i)
{
	struct tls_client_settings ca = settings_with(u, bytes_of(&i->ca), SLICE(""), SLICE(""));
	struct tls_client_settings pair =
	        settings_with(u, SLICE(""), bytes_of(&i->chain), bytes_of(&i->key));
	if (i->ca.at || !u->tls.ca.path)
		try_files(d, u, &ca, u->tls.ca.entry);
	pair.verify = false; /* for want of the authorities that were tried */
	if (i->chain.at && i->key.at)
		try_files(d, u, &pair, u->tls.certificate.entry);
}

static void use_client(
        struct draft *d, struct draft_upstream *u, struct tls_client *t, const struct identity *i)
{
	bool has_begun;
	long left;
	u->group->tls = t;
	if (tls_client_left(t, &left, &has_begun))
		build_judge_time(d, u->section, u->tls.certificate.entry,
		        carry_is_news(d, PART_UPSTREAM, &u->part), left, has_begun);
	if (i->chain.at)
		build_warn_open(d, u->section, key_of(u)->entry, &i->key);
}

static void make_client(struct draft *d, struct draft_upstream *u)
{
	char why[TLS_WHY_MAX];
	struct identity i = {.ca = {.at = NULL}};
	bool is_read = read_all(d, u, &i);
	struct tls_client_settings s =
	        settings_with(u, bytes_of(&i.ca), bytes_of(&i.chain), bytes_of(&i.key));
	struct tls_client *t = is_read ? tls_client_new(&s, why) : NULL;
	size_t before = d->problems.errors;
	if (t)
		use_client(d, u, t, &i);
	else
		find_faults(d, u, &i);
	/* What no file alone is to blame for. */
	if (is_read && !t && d->problems.errors == before)
		complain(d, u->section, u->tls.certificate.entry, why);
	file_fini(&i.ca);
	file_fini(&i.chain);
	file_fini(&i.key);
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
	if (key && !u->tls.certificate.path && draft_is_whole(u->section) &&
	        !draft_is_refused(u->section, "tls_client_certificate"))
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
	bool is_any_secure = false;
	for (size_t i = 0; i < u->server_n; i++)
		is_any_secure = is_any_secure || is_secure(&u->server[i]);
	if (!is_any_secure && draft_is_refused(u->section, "server"))
		return;
	if (!is_any_secure) {
		check_idle(
		        d, u->section, keys, sizeof keys / sizeof keys[0], "a server = wss://HOST");
		return;
	}
	check_client(d, u);
	if (!d->is_memory)
		make_client(d, u);
}

void build_key_log(struct draft *d)
{
	for (size_t i = 0; i < d->doc.n; i++) {
		const struct reader_section *s = d->doc.section[i];
		const struct reader_entry *e =
		        strcmp(s->kind, "moongate") == 0 ? reader_find(s, "tls_key_log") : NULL;
		if (e && d->config->tls_key_log)
			warn(d, s, e, "whoever can read this file can read all TLS traffic");
	}
}
