/* SPDX-License-Identifier: BSD-2-Clause */

/* The name servers of [moongate]. */

#include "base/mem.h"
#include "config/parse.h"
#include "net/address.h"
#include "net/resolver.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { SERVERS_MAX = 8, DNS_PORT = 53, EACH_MAX = 64 };

static bool is_bare_v6(const char *word)
{
	struct in6_addr ip;
	return inet_pton(AF_INET6, word, &ip) == 1;
}

/* ADDRESS or ADDRESS:PORT; IPv6 with or, alone, without brackets. In full form to out. */
static bool read_server(const char *word, char out[EACH_MAX])
{
	struct address a;
	char whole[EACH_MAX + 8], text[ADDRESS_TEXT_MAX];
	size_t len = strlen(word);
	bool is_v6 = is_bare_v6(word);
	bool has_port = !is_v6 && len > 0 && strrchr(word, ':') && word[len - 1] != ']';
	if (len >= EACH_MAX - 8 || strncmp(word, "unix:", 5) == 0)
		return false;
	if (has_port)
		snprintf(whole, sizeof whole, "%s", word);
	else
		snprintf(whole, sizeof whole, is_v6 ? "[%s]:%d" : "%s:%d", word, DNS_PORT);
	if (!address_parse(&a, whole) || address_port(&a) == 0)
		return false;
	snprintf(out, EACH_MAX, "%s", address_text(&a, text));
	return true;
}

/* The words of the value, joined by commas as net/resolver.h wants them. */
static bool read_servers(struct parse *p, char *words, char *out, size_t size)
{
	char *rest = NULL;
	size_t len = 0, n = 0;
	for (char *w = strtok_r(words, " \t", &rest); w; w = strtok_r(NULL, " \t", &rest)) {
		char one[EACH_MAX];
		if (!read_server(w, one))
			return false;
		if (n++ == SERVERS_MAX)
			return parse_refuse(p, "want at most 8 name servers");
		len += (size_t)snprintf(out + len, size - len, "%s%s", n > 1 ? "," : "", one);
	}
	return n > 0;
}

bool parse_resolver(struct parse *p, void *field)
{
	struct resolver_settings *s = field;
	char out[SERVERS_MAX * EACH_MAX], *words;
	bool is_system = strcmp(p->value, "system") == 0;
	if (!is_system) {
		words = mem_strdup(p->value);
		bool is_good = read_servers(p, words, out, sizeof out);
		mem_free(words);
		if (!is_good)
			return false;
	}
	mem_free(s->servers);
	s->servers = is_system ? NULL : mem_strdup(out);
	return true;
}
