/* SPDX-License-Identifier: BSD-2-Clause */

/* The values of an [upstream]: its servers, and how one of them is chosen. */

#include "base/mem.h"
#include "config/draft.h"
#include "config/parse.h"
#include "http/head.h"

#include <stdio.h>
#include <string.h>

enum { CONNECTIONS_MAX = 1000000 };

static bool is_host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

/* A name to look up: labels of 1 to 63 bytes, the last one not a number, for
 * `10.0.0` and `0x7f.1` are mistaken addresses, not names. */
static bool is_host_name(const char *host)
{
	size_t len = strlen(host), label = 0;
	const char *last = host;
	if (len == 0 || len > 253)
		return false;
	for (const char *at = host; *at; at++) {
		label = *at == '.' ? 0 : label + 1;
		if (!is_host_byte(*at) || label > 63 ||
		        (*at == '.' && (at == host || at[-1] == '.')))
			return false;
		if (at > host && at[-1] == '.')
			last = at;
	}
	return last[0] < '0' || last[0] > '9' ||
	       last[strspn(last, "0123456789abcdefABCDEFxX")] != '\0';
}

static bool refuse_several(struct parse *p)
{
	return parse_refuse(p, "want one server in a line; the key may be given again for more");
}

static bool has_several(const char *text)
{
	const char *mark = strstr(text, "://");
	return mark && strstr(mark + 1, "://");
}

/* host[:port] in pieces: host without brackets; the port stays if none is given. */
static bool split_host(struct parse *p, const char *text, char *host, size_t size, uint16_t *port)
{
	bool is_v6 = text[0] == '[';
	const char *start = is_v6 ? text + 1 : text;
	size_t len = strcspn(start, is_v6 ? "]" : ":/?#@");
	if (len == 0 || len >= size || (is_v6 && start[len] != ']'))
		return false;
	memcpy(host, start, len);
	host[len] = '\0';
	const char *rest = start + len + (is_v6 ? 1 : 0);
	if (strchr(rest, ','))
		return refuse_several(p);
	if ((*rest != ':' && *rest != '\0') || strpbrk(rest, "/?#"))
		return parse_refuse(
		        p, "want nothing behind the host and port: the client's path is passed on");
	return *rest == '\0' || parse_port(rest + 1, port) || parse_refuse_port(p);
}

static bool host_server(struct parse *p, const char *text, struct upstream_server *out)
{
	char host[256], whole[280];
	uint16_t port = out->is_secure ? 443 : 80;
	if (!split_host(p, text, host, sizeof host, &port))
		return false;
	bool is_v6 = text[0] == '[';
	snprintf(whole, sizeof whole, is_v6 ? "[%s]:%u" : "%s:%u", host, port);
	struct address a = {.len = 0};
	bool is_address = address_parse(&a, whole);
	if (!is_address && (is_v6 || !is_host_name(host)))
		return parse_refuse(p, "want an address or a host name");
	if (!is_address)
		a.len = 0;
	out->name = mem_strdup(whole);
	out->host = is_address ? NULL : mem_strdup(host);
	out->port = port;
	out->address = a;
	return true;
}

static bool unix_server(struct parse *p, const char *text, struct upstream_server *out)
{
	if (!parse_unix_address(p, text + 5, &out->address))
		return false;
	out->name = mem_strdup(text);
	return true;
}

/* What follows the prefix; NULL = the text does not begin so. */
static const char *behind(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);
	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

static const char *service_of(const char *url)
{
	const char *plain = behind(url, "ws+srv://");
	return plain ? plain : behind(url, "wss+srv://");
}

/* _SERVICE._tcp.DOMAIN (RFC 2782). */
static bool service_server(struct parse *p, const char *text, struct upstream_server *out)
{
	static const char tcp[] = "._tcp.";
	const char *dot = strchr(text, '.');
	if (text[0] != '_' || !dot || dot == text + 1 || strncmp(dot, tcp, sizeof tcp - 1) != 0 ||
	        !is_host_name(dot + sizeof tcp - 1) || !is_host_name(text))
		return parse_refuse(p, "want a service, such as ws+srv://_chat._tcp.example.com");
	out->name = mem_strdup(text);
	out->host = mem_strdup(text);
	return true;
}

static bool server_url(struct parse *p, const char *url, struct upstream_server *out)
{
	const char *service = service_of(url), *text = behind(url, "ws://");
	out->is_secure = behind(url, "wss") != NULL;
	if (service)
		return service_server(p, service, out);
	if (!text && !(text = behind(url, "wss://")))
		return false;
	return behind(text, "unix:") ? unix_server(p, text, out) : host_server(p, text, out);
}

/* `name=N` of a server, once. False when the word is not that; then *why may say more. */
static bool server_number(
        struct parse *p, const char *word, const char *name, uint32_t max, uint32_t *out)
{
	size_t len = strlen(name);
	uint64_t n;
	const char *rest;
	if (strncmp(word, name, len) != 0 || word[len] != '=')
		return false;
	if (*out)
		snprintf(p->why, sizeof p->why, "%s is given twice", name);
	else if (!parse_digits(word + len + 1, &n, &rest) || *rest != '\0' || n < 1 || n > max)
		snprintf(p->why, sizeof p->why, "want %s=1..%u", name, max);
	else
		*out = (uint32_t)n;
	return p->why[0] == '\0';
}

static bool server_option(struct parse *p, const char *word, struct upstream_server *out)
{
	if (strchr(word, ','))
		return parse_refuse(p, "behind the address want weight=N, backup or "
		                       "max_connections=N, with blanks between them");
	if (strcmp(word, "backup") == 0) {
		if (out->is_backup)
			return parse_refuse(p, "backup is given twice");
		out->is_backup = true;
		return true;
	}
	if (server_number(p, word, "weight", UPSTREAM_WEIGHT_MAX, &out->weight) ||
	        server_number(p, word, "max_connections", CONNECTIONS_MAX, &out->max_connections))
		return true;
	if (p->why[0] == '\0')
		parse_refuse(p, "behind the address want weight=N, backup or max_connections=N");
	return false;
}

/* Cuts the next word off a text; NULL at the end. */
static char *next_word(char **text)
{
	char *word = *text + strspn(*text, " \t");
	size_t len = strcspn(word, " \t");
	if (len == 0)
		return NULL;
	*text = word + len;
	if (**text)
		*(*text)++ = '\0';
	return word;
}

static bool server_words(struct parse *p, char *text, struct upstream_server *out, bool *is_service)
{
	const char *word = next_word(&text);
	if (!word || !server_url(p, word, out))
		return false;
	*is_service = service_of(word) != NULL;
	while ((word = next_word(&text)))
		if (!server_option(p, word, out))
			return false;
	if (*is_service && (out->weight || out->is_backup))
		return parse_refuse(p,
		        "want no weight and no backup here: the name servers say which "
		        "servers there are, with what weights, and which are backups");
	return true;
}

bool parse_server(struct parse *p, void *field)
{
	struct draft_upstream *u = field;
	struct upstream_server s = {.name = NULL};
	char *text = mem_strdup(p->value);
	bool is_service = false;
	bool is_good =
	        has_several(p->value) ? refuse_several(p) : server_words(p, text, &s, &is_service);
	mem_free(text);
	if (!is_good) {
		upstream_server_fini(&s);
		return false;
	}
	u->server = mem_resize(u->server, (u->server_n + 1) * sizeof u->server[0]);
	u->server[u->server_n++] =
	        (struct draft_server){.entry = p->entry, .server = s, .is_service = is_service};
	return true;
}

bool parse_source(struct parse *p, void *field)
{
	struct draft_upstream *u = field;
	struct address a;
	char whole[ADDRESS_TEXT_MAX];
	bool is_v6 = strchr(p->value, ':') != NULL;
	int n = snprintf(whole, sizeof whole, is_v6 ? "[%s]:1" : "%s:1", p->value);
	if (n < 0 || (size_t)n >= sizeof whole || !address_parse(&a, whole))
		return false;
	address_set_port(&a, 0);
	for (size_t i = 0; i < u->source_n; i++)
		if (address_equal(&u->source[i], &a))
			return parse_refuse(p, "given before in this section");
	u->source = mem_resize(u->source, (u->source_n + 1) * sizeof u->source[0]);
	u->source[u->source_n++] = a;
	return true;
}

bool parse_balance(struct parse *p, void *field)
{
	static const char *const words[] = {[BALANCE_ROUND_ROBIN] = "round_robin",
	        [BALANCE_LEAST_CONNECTIONS] = "least_connections",
	        [BALANCE_RANDOM_TWO] = "random_two",
	        [BALANCE_HASH] = "hash",
	        NULL};
	int i = parse_word(p, words);
	if (i < 0)
		return false;
	*(enum upstream_balance *)field = (enum upstream_balance)i;
	return true;
}

static bool is_argument(const char *name)
{
	return name[0] != '\0' && !strpbrk(name, " \t&=#");
}

bool parse_hash_key(struct parse *p, void *field)
{
	static const char *const words[] = {[HASH_CLIENT_ADDRESS] = "client_address",
	        [HASH_HEADER] = "header",
	        [HASH_COOKIE] = "cookie",
	        [HASH_QUERY] = "query",
	        [HASH_URI] = "uri",
	        NULL};
	struct draft_hash_key *out = field;
	char *text = mem_strdup(p->value), *rest = text;
	struct parse first = {.value = next_word(&rest)};
	const char *name = next_word(&rest);
	int i = first.value ? parse_word(&first, words) : -1;
	bool wants_name = i == HASH_HEADER || i == HASH_COOKIE || i == HASH_QUERY;
	bool is_good = i >= 0 && wants_name == (name != NULL) && !next_word(&rest);
	if (is_good && wants_name)
		is_good = i == HASH_QUERY ? is_argument(name) : http_is_token(slice_str(name));
	if (is_good)
		*out = (struct draft_hash_key){
		        (enum upstream_hash)i, name ? mem_strdup(name) : NULL};
	mem_free(text);
	return is_good;
}

bool parse_proxy_protocol(struct parse *p, void *field)
{
	static const char *const words[] = {[PROXY_HEADER_OFF] = "off",
	        [PROXY_HEADER_V1] = "v1",
	        [PROXY_HEADER_V2] = "v2",
	        NULL};
	int i = parse_word(p, words);
	if (i < 0)
		return false;
	*(enum proxy_header_version *)field = (enum proxy_header_version)i;
	return true;
}

bool parse_health(struct parse *p, void *field)
{
	static const char *const words[] = {[HEALTH_OFF] = "off",
	        [HEALTH_CONNECT] = "connect",
	        [HEALTH_HANDSHAKE] = "handshake",
	        [HEALTH_PING] = "ping",
	        NULL};
	int i = parse_word(p, words);
	if (i < 0)
		return false;
	*(enum upstream_health *)field = (enum upstream_health)i;
	return true;
}

bool parse_health_path(struct parse *p, void *field)
{
	char **path = field;
	const uint8_t *at = (const uint8_t *)p->value;
	size_t n = strlen(p->value);
	if (at[0] != '/')
		return false;
	for (size_t i = 0; i < n; i++)
		if (at[i] <= ' ' || at[i] >= 0x7f || at[i] == '#')
			return parse_refuse(p, "want no space, '#' nor other than ASCII in it; "
			                       "escape them as %20");
	if (n > HTTP_TARGET_MAX)
		return parse_refuse(p, "want at most 8 KiB");
	mem_free(*path);
	*path = mem_strdup(p->value);
	return true;
}
