/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_error.h"

#include <openssl/err.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void tls_error_clear(void)
{
	if (ERR_peek_error())
		ERR_clear_error();
}

static void put_words(char out[TLS_WHY_MAX], unsigned long e, const char *data, int flags)
{
	const char *reason =
	        ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e)) : ERR_reason_error_string(e);
	bool has_data = data && (flags & ERR_TXT_STRING) && data[0] != '\0';
	if (reason)
		snprintf(out, TLS_WHY_MAX, "%s%s%s", reason, has_data ? ": " : "",
		        has_data ? data : "");
	else
		snprintf(out, TLS_WHY_MAX, "error %lx", e);
}

/* The first error is the cause, and those behind it tell who met it; but what TLS has to say
 * of itself is clearer than what a cipher met. */
const char *tls_error_take(char out[TLS_WHY_MAX])
{
	bool is_found = false, is_of_tls = false;
	const char *data;
	unsigned long e;
	int flags;
	snprintf(out, TLS_WHY_MAX, "unknown error");
	while ((e = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
		bool is_tls = ERR_GET_LIB(e) == ERR_LIB_SSL;
		if (!is_found || (is_tls && !is_of_tls))
			put_words(out, e, data, flags);
		is_found = true;
		is_of_tls = is_of_tls || is_tls;
	}
	return out;
}

static const char key_words[] = "private key: ";

bool tls_why_is_key(const char *why)
{
	return strncmp(why, key_words, sizeof key_words - 1) == 0;
}

void tls_key_why(char out[TLS_WHY_MAX], const char *reason)
{
	char words[TLS_WHY_MAX - sizeof key_words];
	snprintf(words, sizeof words, "%s", reason);
	snprintf(out, TLS_WHY_MAX, "%s%s", key_words, words);
}
