/* SPDX-License-Identifier: BSD-2-Clause */

/* The values of sticky sessions. */

#include "base/mem.h"
#include "config/parse.h"
#include "http/head.h"
#include "upstream/sticky.h"

#include <string.h>

bool parse_sticky(struct parse *p, void *field)
{
	char **out = field;
	bool is_off = strcmp(p->value, "off") == 0;
	if (!is_off && !http_is_token(slice_str(p->value)))
		return parse_refuse(p, "want off, or the name of a cookie, such as node");
	if (strlen(p->value) > STICKY_TEXT_MAX)
		return parse_refuse(p, "want at most 256 bytes");
	mem_free(*out);
	*out = is_off ? NULL : mem_strdup(p->value);
	return true;
}

bool parse_file(struct parse *p, void *field)
{
	char **out = field;
	if (p->value[0] == '\0')
		return false;
	mem_free(*out);
	*out = parse_relative(p->file, p->value);
	return true;
}

bool parse_attributes(struct parse *p, void *field)
{
	char **out = field;
	const char *wrong = sticky_check_attributes(p->value);
	if (wrong)
		return parse_refuse(p, wrong);
	mem_free(*out);
	*out = mem_strdup(p->value);
	return true;
}
