/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_names.h"

#include "base/mem.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 255 };

void tls_names_fini(struct tls_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		mem_free(names->at[i].text);
	mem_free(names->at);
	*names = (struct tls_names){.at = NULL};
}

void tls_names_add(struct tls_names *names, const char *name, unsigned value)
{
	names->at = mem_resize(names->at, (names->n + 1) * sizeof names->at[0]);
	names->at[names->n++] = (struct tls_name){mem_strdup(name), value};
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct tls_name *)a)->text, ((const struct tls_name *)b)->text);
}

void tls_names_sort(struct tls_names *names)
{
	if (names->n > 0)
		qsort(names->at, names->n, sizeof names->at[0], by_text);
}

static int find(const struct tls_names *names, const char *text)
{
	struct tls_name key = {.text = (char *)(uintptr_t)text};
	const struct tls_name *found =
	        names->n > 0 ? bsearch(&key, names->at, names->n, sizeof key, by_text) : NULL;
	return found ? (int)found->value : -1;
}

bool tls_names_has(const struct tls_names *names, const char *name)
{
	return find(names, name) >= 0;
}

int tls_names_find(const struct tls_names *names, struct slice name)
{
	char text[NAME_MAX_LEN + 1];
	if (name.len > 0 && name.at[name.len - 1] == '.')
		name.len--;
	if (name.len == 0 || name.len > NAME_MAX_LEN)
		return -1;
	for (size_t i = 0; i < name.len; i++)
		text[i] = (char)ascii_lower(name.at[i]);
	text[name.len] = '\0';
	int exact = find(names, text);
	char *dot = strchr(text, '.');
	if (exact >= 0 || !dot || dot == text)
		return exact;
	dot[-1] = '*';
	return find(names, dot - 1);
}

/* ---- certificates ---- */

static void tell(const unsigned char *at, int len, tls_name_fn fn, void *arg)
{
	char text[NAME_MAX_LEN + 1];
	if (len <= 0 || len > NAME_MAX_LEN || memchr(at, '\0', (size_t)len))
		return;
	for (int i = 0; i < len; i++)
		text[i] = (char)ascii_lower(at[i]);
	text[len] = '\0';
	fn(text, arg);
}

static void tell_common_name(const X509 *x, tls_name_fn fn, void *arg)
{
	X509_NAME *subject = X509_get_subject_name(x);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	if (at < 0)
		return;
	const ASN1_STRING *s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	tell(ASN1_STRING_get0_data(s), ASN1_STRING_length(s), fn, arg);
}

void tls_names_of_certificate(const X509 *x, tls_name_fn fn, void *arg)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	if (!all) {
		tell_common_name(x, fn, arg);
		return;
	}
	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
		if (name->type == GEN_DNS)
			tell(ASN1_STRING_get0_data(name->d.dNSName),
			        ASN1_STRING_length(name->d.dNSName), fn, arg);
	}
	GENERAL_NAMES_free(all);
}
