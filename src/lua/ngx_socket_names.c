/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_socket_names.h"

#include <stdio.h>
#include <string.h>

enum { UNIX_LEN = 5 };

bool ngx_names_is_unix(struct slice host)
{
	return host.len >= UNIX_LEN && memcmp(host.at, "unix:", UNIX_LEN) == 0;
}

bool ngx_names_is_path(struct slice host)
{
	size_t max = sizeof((struct sockaddr_un *)0)->sun_path;
	return host.len > UNIX_LEN && host.len - UNIX_LEN < max && ngx_names_is_text(host);
}

bool ngx_names_is_text(struct slice host)
{
	return memchr(host.at, '\0', host.len) == NULL;
}

bool ngx_names_parse(struct address *a, const char *host)
{
	char text[ADDRESS_TEXT_MAX];
	if (ngx_names_is_unix(slice_str(host)))
		return address_parse(a, host);
	bool is_bare = host[0] != '[' && strchr(host, ':');
	int n = snprintf(text, sizeof text, is_bare ? "[%s]:1" : "%s:1", host);
	if (n < 0 || (size_t)n >= sizeof text || !address_parse(a, text))
		return false;
	address_set_port(a, 0);
	return true;
}

void ngx_names_push_error(lua_State *L, const char *host, const char *error)
{
	const char *why = "2: Server failure";
	if (strcmp(error, "no such host") == 0 || strstr(error, "no address"))
		why = "3: Host not found";
	else if (strstr(error, "too long") || strstr(error, "imeout"))
		why = "110: Operation timed out";
	lua_pushfstring(L, "%s could not be resolved (%s)", host, why);
}
