/* SPDX-License-Identifier: BSD-2-Clause */

/* The values of the log and of the access log. */

#include "base/log.h"
#include "base/mem.h"
#include "config/parse.h"
#include "proxy/access.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LOG_RATE_MAX = 1000000 };

/* `word`, or `word:PATH` with what PATH is relative to put in front. NULL: neither. */
static char *parse_service(const struct parse *p, const char *word)
{
	size_t len = strlen(word);
	if (strncmp(p->value, word, len) != 0)
		return NULL;
	if (p->value[len] == '\0')
		return mem_strdup(word);
	if (p->value[len] != ':' || p->value[len + 1] == '\0')
		return NULL;
	char *path = parse_relative(p->file, p->value + len + 1);
	size_t path_len = strlen(path);
	char *out = mem_new(len + 1 + path_len + 1);
	memcpy(out, p->value, len + 1);
	memcpy(out + len + 1, path, path_len);
	mem_free(path);
	return out;
}

static void set_target(struct parse *p, char **target)
{
	char *service = parse_service(p, "syslog");
	if (!service)
		service = parse_service(p, "journal");
	mem_free(*target);
	*target = service ? service : parse_relative(p->file, p->value);
}

/* Meant as something else than a file beside the configuration, surely; so is what begins like
 * a list of these. */
static bool is_no_file(const char *value)
{
	static const char *const words[] = {"stderr", "stdout", "syslog", "journal",
	        "syslog:", "journal:", "off", "on", "none", "no", "yes", "file", "console", NULL};
	size_t len = strcspn(value, ",");
	for (size_t i = 0; words[i]; i++)
		if (len == strlen(words[i]) && strncasecmp(value, words[i], len) == 0)
			return true;
	return false;
}

static bool set_file(struct parse *p, char **target, const char *words)
{
	bool is_service = strcmp(p->value, "syslog") == 0 || strcmp(p->value, "journal") == 0;
	if (strstr(p->value, " #") || strstr(p->value, "\t#"))
		return false;
	if (is_no_file(p->value) && !is_service) {
		snprintf(p->why, sizeof p->why,
		        "want %s or a path; a file of this very name is ./%s", words, p->value);
		return false;
	}
	set_target(p, target);
	return true;
}

bool parse_log(struct parse *p, void *field)
{
	char **target = field;
	if (p->value[0] == '\0')
		return false;
	if (strcmp(p->value, "stderr") != 0)
		return set_file(p, target, "stderr, syslog, journal");
	mem_free(*target);
	*target = mem_strdup("stderr");
	return true;
}

bool parse_log_rate(struct parse *p, void *field)
{
	uint64_t n = 0;
	const char *rest = "";
	bool is_off = strcmp(p->value, "off") == 0;
	if (!is_off && (!parse_digits(p->value, &n, &rest) || strcmp(rest, "/s") != 0 || n < 1 ||
	                       n > LOG_RATE_MAX))
		return false;
	*(uint32_t *)field = (uint32_t)n;
	return true;
}

bool parse_access_log(struct parse *p, void *field)
{
	char **target = field;
	if (p->value[0] == '\0')
		return false;
	if (strcmp(p->value, "stderr") == 0)
		return parse_refuse(p, "want a path, as /dev/stdout: stderr is the log's");
	if (strcmp(p->value, "off") != 0)
		return set_file(p, target, "off, syslog, journal");
	mem_free(*target);
	*target = NULL;
	return true;
}

bool parse_key_log(struct parse *p, void *field)
{
	char **target = field;
	if (p->value[0] == '\0')
		return false;
	if (is_no_file(p->value) && strcmp(p->value, "off") != 0) {
		snprintf(p->why, sizeof p->why,
		        "want off or a path; a file of this very name is ./%s", p->value);
		return false;
	}
	mem_free(*target);
	*target = strcmp(p->value, "off") == 0 ? NULL : parse_relative(p->file, p->value);
	return true;
}

bool parse_access_format(struct parse *p, void *field)
{
	static const char *const words[] = {"json", "text", NULL};
	int which = parse_word(p, words);
	if (which >= 0)
		*(enum record_format *)field = which == 0 ? RECORD_JSON : RECORD_TEXT;
	return which >= 0;
}

static bool refuse_field(struct parse *p, struct slice name)
{
	char why[sizeof p->why];
	snprintf(why, sizeof why, "no field %.*s: moongate.conf(5) lists them",
	        (int)(name.len < 64 ? name.len : 64), (const char *)name.at);
	return parse_refuse(p, why);
}

bool parse_access_fields(struct parse *p, void *field)
{
	uint64_t fields = 0;
	const char *at = p->value;
	if (strcmp(at, "all") == 0) {
		*(uint64_t *)field = ACCESS_ALL;
		return true;
	}
	while (*(at += strspn(at, " \t")) != '\0') {
		struct slice name = slice_of(at, strcspn(at, " \t"));
		enum access_field f = access_field_of(name);
		if (f == ACCESS_FIELD_N)
			return refuse_field(p, name);
		fields |= UINT64_C(1) << f;
		at += name.len;
	}
	if (fields == 0)
		return false;
	*(uint64_t *)field = fields;
	return true;
}

bool parse_access_sample(struct parse *p, void *field)
{
	uint64_t n;
	const char *rest;
	if (!parse_digits(p->value, &n, &rest) || strcmp(rest, "%") != 0 || n < 1 || n > 100)
		return false;
	*(uint32_t *)field = (uint32_t)n;
	return true;
}
