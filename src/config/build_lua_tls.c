/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/build_lua_tls.h"

#include "base/mem.h"
#include "base/siphash.h"
#include "config/build_tls.h"
#include "config/draft.h"
#include "config/file.h"
#include "lua/handlers.h"

#include <string.h>

enum { PEM_MAX = 1024 * 1024 };

void lua_tls_keys_fini(struct lua_tls_keys *k)
{
	mem_free(k->trusted);
	mem_free(k->certificate);
	mem_free(k->key);
	mem_free(k->ciphers);
	mem_free(k->crl);
	mem_free(k->commands);
	*k = (struct lua_tls_keys){.trusted = NULL};
}

/* ---- where the keys stand ---- */

/* The line of that key in the route, or in [moongate]. */
static const struct reader_entry *find(const struct draft *d, const struct draft_route *r,
        const char *key, const struct reader_section **s)
{
	const struct reader_entry *e = r ? reader_find(r->section, key) : NULL;
	*s = r ? r->section : NULL;
	for (size_t i = 0; !e && i < d->doc.n; i++) {
		*s = d->doc.section[i];
		if (strcmp((*s)->kind, "moongate") == 0)
			e = reader_find(*s, key);
	}
	return e;
}

static void refuse(struct draft *d, const struct draft_route *r, const char *key, const char *why)
{
	const struct reader_section *s;
	const struct reader_entry *e = find(d, r, key, &s);
	if (e)
		draft_error(d, s, e, "%s", why);
	else if (d->doc.n > 0)
		draft_section_error(
		        d, r ? r->section : d->doc.section[0], "TLS of scripts: %s", why);
}

static bool read_file(struct draft *d, const struct draft_route *r, const char *key,
        const char *path, struct file *out)
{
	const char *wrong = path ? file_read(out, path, PEM_MAX) : NULL;
	char why[160];
	if (!wrong)
		return true;
	snprintf(why, sizeof why, "cannot read it: %s", wrong);
	refuse(d, r, key, why);
	problem_cause(&d->problems, out->error);
	return false;
}

/* ---- making ---- */

struct files {
	struct file trusted, certificate, key, crl;
};

static struct slice bytes_of(const struct file *f)
{
	return slice_of(f->at, f->len);
}

static bool read_files(
        struct draft *d, const struct draft_route *r, const struct lua_tls_keys *k, struct files *f)
{
	bool is_good = read_file(d, r, "lua_ssl_trusted_certificate", k->trusted, &f->trusted);
	is_good &= read_file(d, r, "lua_ssl_certificate", k->certificate, &f->certificate);
	is_good &= read_file(d, r, "lua_ssl_certificate_key", k->key, &f->key);
	is_good &= read_file(d, r, "lua_ssl_crl", k->crl, &f->crl);
	return is_good;
}

/* By which key the context could not be made; trusted certificates were looked at before. */
static const char *key_at_fault(const struct lua_tls_keys *k, const char *why)
{
	if (strstr(why, "no such ciphers"))
		return "lua_ssl_ciphers";
	if (strncmp(why, TLS_NO_COMMAND, strlen(TLS_NO_COMMAND)) == 0)
		return "lua_ssl_conf_command";
	return k->key && tls_why_is_key(why) ? "lua_ssl_certificate_key" : "lua_ssl_certificate";
}

static bool is_store(struct draft *d, const struct draft_route *r, const struct file *f)
{
	char why[TLS_WHY_MAX];
	X509_STORE *store = f->at ? tls_read_store(bytes_of(f), why) : NULL;
	if (f->at && !store)
		refuse(d, r, "lua_ssl_trusted_certificate", why);
	bool is_good = store || !f->at;
	X509_STORE_free(store);
	return is_good;
}

static bool are_crls(struct draft *d, const struct draft_route *r, const struct file *f)
{
	char why[TLS_WHY_MAX];
	X509_STORE *store = X509_STORE_new();
	bool is_good = !f->at || (store && tls_store_add_crls(store, bytes_of(f), why));
	if (!is_good)
		refuse(d, r, "lua_ssl_crl", store ? why : "no memory");
	X509_STORE_free(store);
	return is_good;
}

static struct tls_client *make_of(struct draft *d, const struct draft_route *r,
        const struct lua_tls_keys *k, const struct files *f, uint64_t scope)
{
	char why[TLS_WHY_MAX];
	struct tls_client_settings s = {.tls = {.min_version = TLS_FLOOR_1_2,
	                                        .ciphers = k->ciphers ? k->ciphers : TLS_CIPHERS,
	                                        .ciphersuites = TLS_CIPHERSUITES,
	                                        .groups = TLS_GROUPS},
	        .verify = true,
	        .depth = k->depth,
	        .is_mute = true,
	        .ca = bytes_of(&f->trusted),
	        .crl = bytes_of(&f->crl),
	        .commands = k->commands,
	        .chain = bytes_of(&f->certificate),
	        .key = bytes_of(k->key ? &f->key : &f->certificate),
	        .scope = scope};
	if (k->versions.is_given) {
		s.tls.min_version = k->versions.has_1_2 ? TLS_FLOOR_1_2 : TLS_FLOOR_1_3;
		s.no_1_3 = !k->versions.has_1_3;
	}
	struct tls_client *c = tls_client_new(&s, why);
	if (!c)
		refuse(d, r, key_at_fault(k, why), why);
	return c;
}

/* Where they are the route's own, or [moongate]'s: of what a route takes over it was said there. */
static void judge(struct draft *d, const struct draft_route *r, const struct lua_tls_keys *k,
        const struct files *f, const struct tls_client *c)
{
	const struct reader_section *s;
	const struct reader_entry *e = find(d, r, "lua_ssl_certificate", &s);
	long left;
	bool has_begun;
	if (!tls_client_left(c, &left, &has_begun) || !e || (r && s != r->section))
		return;
	build_judge_time(d, s, e, false, left, has_begun);
	if (k->key)
		e = find(d, r, "lua_ssl_certificate_key", &s);
	build_warn_open(d, s, e, k->key ? &f->key : &f->certificate);
}

/* Of a file that commands name; one that cannot be read is none. */
static void digest_file(void *owner, const char *path)
{
	static const uint8_t key[SIPHASH_KEY_LEN];
	uint64_t *all = owner, both[2] = {*all};
	struct file f = {.at = NULL};
	if (file_read(&f, path, PEM_MAX))
		return;
	both[1] = siphash(key, f.at, f.len);
	*all = siphash(key, (const uint8_t *)both, sizeof both);
	file_fini(&f);
}

static void digest(const struct lua_tls_keys *k, const struct files *f, uint64_t out[7])
{
	static const uint8_t key[SIPHASH_KEY_LEN];
	const char *ciphers = k->ciphers ? k->ciphers : "";
	const char *commands = k->commands ? k->commands : "";
	out[0] = siphash(key, f->trusted.at, f->trusted.len);
	out[1] = siphash(key, f->certificate.at, f->certificate.len);
	out[2] = siphash(key, f->key.at, f->key.len);
	out[3] = siphash(key, ciphers, strlen(ciphers));
	out[5] = siphash(key, f->crl.at, f->crl.len);
	out[6] = siphash(key, commands, strlen(commands));
	tls_client_command_files(k->commands, digest_file, &out[6]);
	out[4] = k->depth | (uint64_t)k->versions.is_given << 40 |
	         (uint64_t)k->versions.has_1_2 << 41 | (uint64_t)k->versions.has_1_3 << 42;
}

/* Of connections: a reload that changes nothing of this leaves them theirs who made them. */
static uint64_t scope_of(const uint64_t made_of[7])
{
	static const uint8_t key[SIPHASH_KEY_LEN];
	return siphash(key, made_of, 7 * sizeof *made_of) | 1;
}

static struct tls_client *make(
        struct draft *d, const struct draft_route *r, const struct lua_tls_keys *k, uint64_t out[7])
{
	struct files f = {.trusted = {.at = NULL}};
	struct tls_client *c = NULL;
	bool is_read = read_files(d, r, k, &f);
	bool is_store_good = is_store(d, r, &f.trusted), are_crls_good = are_crls(d, r, &f.crl);
	digest(k, &f, out);
	/* Without what was told of already, so that the rest is looked at all the same. */
	if (!is_store_good)
		file_fini(&f.trusted);
	if (!are_crls_good)
		file_fini(&f.crl);
	if (k->certificate && (!f.certificate.at || (k->key && !f.key.at)))
		file_fini(&f.certificate);
	c = make_of(d, r, k, &f, scope_of(out));
	if (!is_read || !is_store_good || !are_crls_good) {
		tls_client_unref(c);
		c = NULL;
	} else if (c) {
		judge(d, r, k, &f, c);
	}
	file_fini(&f.trusted);
	file_fini(&f.certificate);
	file_fini(&f.key);
	file_fini(&f.crl);
	return c;
}

void build_lua_tls(struct draft *d, struct lua_settings *s)
{
	const struct lua_tls_keys *k = &d->config->lua_tls;
	if (k->key && !k->certificate)
		refuse(d, NULL, "lua_ssl_certificate_key",
		        "does nothing: want lua_ssl_certificate too");
	s->handlers.tls = make(d, NULL, k, s->tls_digest);
}

struct tls_client *build_route_lua_tls(
        struct draft *d, const struct draft_route *r, struct tls_client *common)
{
	const struct lua_tls_keys *own = &r->lua_tls;
	/* When what all have in common is wrong, that is told already: then the route's own alone.
	 */
	struct lua_tls_keys k = {.depth = d->config->lua_tls.depth};
	uint64_t unused[7];
	if (common)
		k = d->config->lua_tls;
	if (!own->trusted && !own->certificate && !own->ciphers && !own->depth &&
	        !own->versions.is_given && !own->key && !own->crl && !own->commands)
		return common ? tls_client_ref(common) : NULL;
	if (own->key && !own->certificate)
		refuse(d, r, "lua_ssl_certificate_key",
		        "does nothing: want lua_ssl_certificate too");
	if (own->certificate) {
		k.certificate = own->certificate;
		k.key = own->key;
	}
	k.trusted = own->trusted ? own->trusted : k.trusted;
	k.ciphers = own->ciphers ? own->ciphers : k.ciphers;
	k.crl = own->crl ? own->crl : k.crl;
	k.commands = own->commands ? own->commands : k.commands;
	k.depth = own->depth ? own->depth : k.depth;
	if (own->versions.is_given)
		k.versions = own->versions;
	return make(d, r, &k, unused);
}
