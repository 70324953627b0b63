/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/rules_name.h"

#include "proxy/rules.h"

#include <stdio.h>

enum { KNOWN_MAX = 32 }; /* longer than any name that Moongate understands */

enum http_name rules_name_meant(struct slice name)
{
	uint8_t folded[KNOWN_MAX];
	if (name.len == 0 || name.len > sizeof folded)
		return HTTP_OTHER;
	for (size_t i = 0; i < name.len; i++)
		folded[i] = rules_name_fold(name.at[i]);
	return http_name_of(slice_of(folded, name.len));
}

static bool refuse_name(char why[RULES_WHY_MAX], const char *format, struct slice name)
{
	int len = name.len < 64 ? (int)name.len : 64;
	snprintf(why, RULES_WHY_MAX, format, len, (const char *)name.at);
	return false;
}

bool rules_may_name(enum rules_side side, struct slice name, char why[RULES_WHY_MAX])
{
	enum http_name id = rules_name_meant(name);
	if (!http_is_token(name)) {
		snprintf(why, RULES_WHY_MAX, "want a header's name, such as X-Name");
		return false;
	}
	switch (id) {
	case HTTP_CONNECTION:
	case HTTP_KEEP_ALIVE:
	case HTTP_TE:
	case HTTP_TRAILER:
	case HTTP_TRANSFER_ENCODING:
	case HTTP_UPGRADE:
	case HTTP_CONTENT_LENGTH:
	case HTTP_EXPECT:
		return refuse_name(why,
		        "%.*s concerns one connection only and is Moongate's own: want another "
		        "header",
		        name);
	case HTTP_HOST:
		if (side == RULES_RESPONSE)
			break;
		return refuse_name(
		        why, "%.*s has a key of its own: want upstream_host = VALUE", name);
	default:
		break;
	}
	if (rules_name_begins_like(name, SLICE("proxy-")))
		return refuse_name(
		        why, "%.*s concerns one connection only: want another header", name);
	if (rules_name_begins_like(name, SLICE("sec-websocket-")))
		return refuse_name(why, "%.*s belongs to the handshake: want another header", name);
	return true;
}
