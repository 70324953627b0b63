/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Names of fields as applications behind CGI's naming take them: '_' and '.' are as good as '-',
 * and upper case as lower. A folded name is in lower case, with '-' in place of the others. What
 * rules may name (rules_may_name()) is decided here too. */

#include "base/slice.h"
#include "http/head.h"

static inline uint8_t rules_name_fold(uint8_t c)
{
	return c == '_' || c == '.' ? '-' : ascii_lower(c);
}

/* Whether the name may be meant by the folded one. */
static inline bool rules_name_is_alias(struct slice name, struct slice folded)
{
	if (name.len != folded.len)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (rules_name_fold(name.at[i]) != folded.at[i])
			return false;
	return true;
}

static inline bool rules_name_begins_like(struct slice name, struct slice folded)
{
	return name.len >= folded.len && rules_name_is_alias(slice_of(name.at, folded.len), folded);
}

/* What the name would be, spelt with '-'. */
enum http_name rules_name_meant(struct slice name);
