/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes the configuration loader: any text gets a verdict, told in words; the
 * same text the same one; and its line ends make no difference. No file is
 * opened: an include in a text is refused. */
#include "config/config.h"

#include "base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The verdict in words; the caller frees it. */
static char *verdict(const char *text, size_t len)
{
	struct config_errors errors;
	struct config *c = config_load_text("t", text, len, &errors);
	assert((c != NULL) == (errors.n == 0));
	if (c) {
		assert(c->listener_n > 0 && c->listener_n <= 64 && c->bind_n > 0 && c->route_n > 0);
		for (size_t i = 0; i < c->bind_n; i++)
			assert(c->bind[i].settings.address.len > 0);
		struct route *r = route_find(c->routes, &(struct route_query){.path = SLICE("/")});
		assert(!r || (r->action == ROUTE_UPSTREAM) == (r->group != NULL));
	} else {
		assert(errors.text && strlen(errors.text) < 64 * 1100);
	}
	char *told = mem_strdup(errors.text ? errors.text : "");
	config_errors_free(&errors);
	config_free(c);
	return told;
}

/* With CRLF for LF, where no CR stands already. */
static char *with_crlf(const uint8_t *data, size_t size, size_t *len)
{
	char *out = mem_new(2 * size + 1);
	*len = 0;
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n')
			out[(*len)++] = '\r';
		out[(*len)++] = (char)data[i];
	}
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *first = verdict((const char *)data, size);
	if (size > 0 && !memchr(data, '\r', size)) {
		size_t len;
		char *other = with_crlf(data, size, &len);
		char *second = verdict(other, len);
		assert(strcmp(first, second) == 0);
		mem_free(second);
		mem_free(other);
	}
	mem_free(first);
	return 0;
}
