/* SPDX-License-Identifier: BSD-2-Clause */

/* The values of limits: rates, and who is free of them. */

#include "config/parse.h"
#include "net/cidr.h"
#include "proxy/limits.h"

#include <string.h>

enum { RATE_MAX = 1000000 };

bool parse_rate(struct parse *p, void *field)
{
	static const struct {
		const char *text;
		uint32_t ms;
	} units[] = {{"/s", 1000}, {"/m", 60000}, {"/h", 3600000}};
	struct limit_rate *out = field;
	uint64_t n;
	const char *rest;
	if (strcmp(p->value, "off") == 0) {
		*out = (struct limit_rate){.n = 0};
		return true;
	}
	if (!parse_digits(p->value, &n, &rest))
		return false;
	if (*rest == '\0')
		return parse_refuse(p, "want a rate with its unit, such as 100/s, 30/m or 5/h");
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(rest, units[i].text) != 0 || n < 1 || n > RATE_MAX)
			continue;
		*out = (struct limit_rate){(uint32_t)n, units[i].ms};
		return true;
	}
	return false;
}

/* `none` is no list, and stands alone. */
bool parse_exempt(struct parse *p, void *field)
{
	struct limit_exempt **list = field;
	bool is_none = strcmp(p->value, "none") == 0;
	struct cidr block;
	const char *wrong = is_none ? NULL : cidr_parse(&block, p->value);
	if (p->first) {
		limit_exempt_unref(*list);
		*list = is_none ? NULL : limit_exempt_new();
	}
	if (wrong)
		return parse_refuse(p, wrong);
	if (!p->first && (is_none || !*list))
		return parse_refuse(p, "want none alone, or a list without it");
	if (!is_none)
		cidr_list_add(&(*list)->list, &block);
	return true;
}
