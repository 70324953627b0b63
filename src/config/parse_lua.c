/* SPDX-License-Identifier: BSD-2-Clause */

/* The values of keys that concern scripts. */

#include "base/mem.h"
#include "config/parse.h"

#include <string.h>

bool parse_script(struct parse *p, void *field)
{
	char **out = field;
	if (strcmp(p->value, "off") != 0)
		return parse_file(p, field);
	mem_free(*out);
	*out = NULL;
	return true;
}

/* Relative templates begin at the file's folder; an empty one stands for the usual path. */
bool parse_lua_path(struct parse *p, void *field)
{
	char **out = field, *whole = mem_strdup("");
	const char *at = p->value;
	if (*at == '\0')
		return false;
	for (;;) {
		size_t len = strcspn(at, ";");
		char *one = mem_format("%.*s", (int)len, at);
		char *path = len > 0 ? parse_relative(p->file, one) : mem_strdup("");
		char *longer = mem_format("%s%s%s", whole, at == p->value ? "" : ";", path);
		mem_free(one);
		mem_free(path);
		mem_free(whole);
		whole = longer;
		if (at[len] == '\0')
			break;
		at += len + 1;
	}
	mem_free(*out);
	*out = whole;
	return true;
}

static bool parse_pair(struct parse *p, const char *no, const char *yes, void *field)
{
	const char *const words[] = {no, yes, NULL};
	int i = parse_word(p, words);
	if (i < 0)
		return false;
	*(bool *)field = i == 1;
	return true;
}

bool parse_compat(struct parse *p, void *field)
{
	return parse_pair(p, "fixed", "strict", field);
}

bool parse_yes_no(struct parse *p, void *field)
{
	return parse_pair(p, "no", "yes", field);
}
