/* SPDX-License-Identifier: BSD-2-Clause */

/* The values of TLS. Which ciphers there are OpenSSL knows: it is asked when the context is made.
 */

#include "base/mem.h"
#include "config/draft.h"
#include "config/parse.h"
#include "net/tls_server.h"

#include <arpa/inet.h>
#include <string.h>

static bool read_file_name(struct parse *p, struct draft_file *out)
{
	if (p->value[0] == '\0')
		return false;
	*out = (struct draft_file){p->entry, parse_relative(p->file, p->value)};
	return true;
}

bool parse_tls_file(struct parse *p, void *field)
{
	struct draft_file *f = field;
	mem_free(f->path);
	f->path = NULL;
	return read_file_name(p, f);
}

bool parse_tls_files(struct parse *p, void *field)
{
	enum { FILES_MAX = 64 };
	struct draft_files *all = field;
	struct draft_file f;
	if (all->n == FILES_MAX)
		return parse_refuse(p, "64 of them are given already, and they are the most");
	if (!read_file_name(p, &f))
		return false;
	all->at = mem_resize(all->at, (all->n + 1) * sizeof all->at[0]);
	all->at[all->n++] = f;
	return true;
}

bool parse_tls_version(struct parse *p, void *field)
{
	static const char *const words[] = {[TLS_FLOOR_1_2] = "1.2", [TLS_FLOOR_1_3] = "1.3", NULL};
	int i = parse_word(p, words);
	if (i < 0)
		return false;
	*(enum tls_floor *)field = (enum tls_floor)i;
	return true;
}

bool parse_tls_versions(struct parse *p, void *field)
{
	struct tls_versions *v = field;
	char *copy = mem_strdup(p->value), *rest = copy, *word;
	bool is_good = true;
	*v = (struct tls_versions){.is_given = true};
	while ((word = strtok_r(rest, " \t", &rest)) != NULL) {
		v->has_1_2 |= strcmp(word, "TLSv1.2") == 0;
		v->has_1_3 |= strcmp(word, "TLSv1.3") == 0;
		is_good &= strcmp(word, "TLSv1.2") == 0 || strcmp(word, "TLSv1.3") == 0;
	}
	mem_free(copy);
	return is_good && (v->has_1_2 || v->has_1_3);
}

bool parse_tls_command(struct parse *p, void *field)
{
	enum { ALL_MAX = 8192 };
	char **out = field, *before = *out;
	if (!strchr(p->value, ' ') || strlen(p->value) > 250)
		return parse_refuse(p, "want NAME VALUE, as in a file of settings of OpenSSL");
	if (before && strlen(before) > ALL_MAX)
		return parse_refuse(p, "there are too many of them");
	*out = mem_format("%s%s\n", before ? before : "", p->value);
	mem_free(before);
	return true;
}

/* Of ciphers OpenSSL takes a list with commas too. */
static bool read_list(
        struct parse *p, char **out, const char *intermediate, const char *not_between)
{
	if (p->value[0] == '\0' || strpbrk(p->value, not_between))
		return parse_refuse(p, "want names with ':' between them, as OpenSSL writes them");
	mem_free(*out);
	*out = mem_strdup(strcmp(p->value, "intermediate") == 0 ? intermediate : p->value);
	return true;
}

bool parse_tls_ciphers(struct parse *p, void *field)
{
	return read_list(p, field, TLS_CIPHERS, " \t");
}

bool parse_tls_suites(struct parse *p, void *field)
{
	return read_list(p, field, TLS_CIPHERSUITES, ", \t");
}

bool parse_tls_groups(struct parse *p, void *field)
{
	return read_list(p, field, TLS_GROUPS, ", \t");
}

bool parse_tls_unknown(struct parse *p, void *field)
{
	static const char *const words[] = {"default", "refuse", NULL};
	int i = parse_word(p, words);
	if (i < 0)
		return false;
	*(bool *)field = i == 1;
	return true;
}

bool parse_tls_verify(struct parse *p, void *field)
{
	static const char *const words[] = {[TLS_VERIFY_OFF] = "off",
	        [TLS_VERIFY_OPTIONAL] = "optional",
	        [TLS_VERIFY_ON] = "on",
	        NULL};
	int i = parse_word(p, words);
	if (i < 0)
		return false;
	*(enum tls_verify *)field = (enum tls_verify)i;
	return true;
}

/* A name as certificates hold it, or an address without brackets. */
bool parse_tls_name(struct parse *p, void *field)
{
	char **out = field;
	struct in6_addr a;
	size_t len = strlen(p->value);
	bool is_address = inet_pton(AF_INET6, p->value, &a) == 1;
	if (!is_address && (len == 0 || len > 253 || strpbrk(p->value, " \t:/*[]@")))
		return parse_refuse(p, "want one host name, or an address, without port");
	mem_free(*out);
	*out = mem_strdup(p->value);
	return true;
}
