/* SPDX-License-Identifier: BSD-2-Clause */

/* Replies of name servers as they are read: the first byte chooses the type that was asked
 * for. What is found must be within its bounds and true to the reply; what it becomes as
 * an answer that is kept is tried as askers do. */

#include "net/dns.h"
#include "base/mem.h"
#include "net/names.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(what)                                                 \
	do {                                                          \
		if (!(what)) {                                        \
			fprintf(stderr, "%d: %s\n", __LINE__, #what); \
			abort();                                      \
		}                                                     \
	} while (0)

static struct dns_reply r;

static void check_addresses(const uint8_t *reply, size_t len)
{
	size_t bytes = r.type == DNS_A ? 4 : 16;
	struct address found[NAME_ADDRESSES_MAX];
	struct name n = {.kind = NAME_ADDRESSES};
	struct name_answer *a = name_answer_new(NAME_ADDRESSES, r.n);

	a->rotates = true;
	for (size_t i = 0; i < r.n; i++) {
		REQUIRE(memmem(reply, len, r.ip[i], bytes));
		a->address[i] =
		        (struct address_brief){.family = r.type == DNS_A ? AF_INET : AF_INET6};
		memcpy(a->address[i].ip, r.ip[i], 16);
		for (size_t k = 0; k < i; k++)
			REQUIRE(memcmp(r.ip[i], r.ip[k], 16) != 0);
	}
	REQUIRE(!name_learn(&n, a, 1, 1000));
	for (int turn = 0; turn < 2; turn++)
		REQUIRE(name_addresses(&n, found) == r.n);
	mem_free(n.good);
}

static void check_targets(void)
{
	const struct dns_target *found[DNS_RECORDS_MAX];
	struct name n = {.kind = NAME_SERVICE};
	struct name_answer *a = name_answer_new(NAME_SERVICE, r.n);

	memcpy(a->target, r.target, r.n * sizeof(r.target[0]));
	REQUIRE(!name_learn(&n, a, 1, 1000));
	REQUIRE(name_targets(&n, found) == r.n);
	for (size_t i = 0; i < r.n; i++) {
		REQUIRE(memchr(found[i]->host, '\0', DNS_NAME_MAX));
		REQUIRE(!strpbrk(found[i]->host, " \t\r\n\\\"/:"));
		REQUIRE(i == 0 || found[i - 1]->priority <= found[i]->priority);
		REQUIRE(found[i]->port != 0 || found[i]->host[0] == '\0');
	}
	mem_free(n.good);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	if (size < 1)
		return 0;
	enum dns_type type = (enum dns_type)(input[0] % 3);
	if (dns_read(&r, type, input + 1, size - 1) != DNS_OK)
		return 0;
	REQUIRE(r.type == type && r.n >= 1 && r.n <= DNS_RECORDS_MAX && r.ttl_s <= INT32_MAX);
	if (type == DNS_SRV)
		check_targets();
	else
		check_addresses(input + 1, size - 1);
	return 0;
}
