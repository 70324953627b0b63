/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/dns.h"

#include <arpa/nameser.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

enum { ANSWERS_MAX = 2048 }; /* records looked at */

int dns_type_number(enum dns_type type)
{
	return type == DNS_A ? ns_t_a : type == DNS_AAAA ? ns_t_aaaa : ns_t_srv;
}

const char *dns_reason(enum dns_verdict v)
{
	static const char *const reasons[] = {
	        [DNS_OK] = "ok",
	        [DNS_EMPTY] = "no address",
	        [DNS_LOOP] = "a loop of aliases",
	        [DNS_BROKEN] = "a broken reply",
	};
	return reasons[v];
}

/* RFC 2181 8: a TTL with its highest bit set counts as 0. */
static uint32_t ttl_of(const ns_rr *rr)
{
	uint32_t ttl = (uint32_t)ns_rr_ttl(*rr);

	return ttl > INT32_MAX ? 0 : ttl;
}

static bool is_from(const ns_rr *rr, const char *owner, int type)
{
	return (int)ns_rr_type(*rr) == type && ns_rr_class(*rr) == ns_c_in &&
	       strcasecmp(ns_rr_name(*rr), owner) == 0;
}

static unsigned answers(const ns_msg *m)
{
	unsigned n = ns_msg_count(*m, ns_s_an);

	return n < ANSWERS_MAX ? n : ANSWERS_MAX;
}

/* Finds the alias that `name` has and puts what it stands for in its place. 1: done, 0:
 * there is none, -1: the reply is broken. */
static int follow(ns_msg *m, char name[NS_MAXDNAME], uint32_t *ttl)
{
	for (unsigned i = 0; i < answers(m); i++) {
		ns_rr rr;

		if (ns_parserr(m, ns_s_an, (int)i, &rr) < 0)
			return -1;
		if (!is_from(&rr, name, ns_t_cname))
			continue;
		if (ns_name_uncompress(ns_msg_base(*m), ns_msg_end(*m), ns_rr_rdata(rr), name,
		            NS_MAXDNAME) < 0)
			return -1;
		if (name[0] == '\0')
			memcpy(name, ".", 2);
		*ttl = ttl_of(&rr) < *ttl ? ttl_of(&rr) : *ttl;
		return 1;
	}
	return 0;
}

static bool is_host(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= DNS_NAME_MAX)
		return false;
	for (const char *at = name; *at; at++)
		if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
		            (*at >= '0' && *at <= '9') || *at == '-' || *at == '_' || *at == '.'))
			return false;
	return true;
}

/* False: it is passed over. A target whose name no host can have cannot be reached. */
static bool read_target(struct dns_target *out, const ns_msg *m, const ns_rr *rr)
{
	const uint8_t *at = ns_rr_rdata(*rr);
	char name[NS_MAXDNAME];

	if (ns_rr_rdlen(*rr) < 7 ||
	        ns_name_uncompress(ns_msg_base(*m), ns_msg_end(*m), at + 6, name, sizeof(name)) < 0)
		return false;
	if (name[0] == '\0' || strcmp(name, ".") == 0)
		name[0] = '\0';
	else if (!is_host(name))
		return false;
	out->priority = (uint16_t)(at[0] << 8 | at[1]);
	out->weight = (uint16_t)(at[2] << 8 | at[3]);
	out->port = (uint16_t)(at[4] << 8 | at[5]);
	memcpy(out->host, name, strlen(name) + 1);
	return out->port != 0 || name[0] == '\0';
}

static bool read_record(struct dns_reply *out, const ns_msg *m, const ns_rr *rr)
{
	size_t want = out->type == DNS_A ? 4 : 16;

	if (out->type == DNS_SRV)
		return read_target(&out->target[out->n], m, rr);
	if (ns_rr_rdlen(*rr) != want)
		return false;
	memset(out->ip[out->n], 0, 16);
	memcpy(out->ip[out->n], ns_rr_rdata(*rr), want);
	for (size_t i = 0; i < out->n; i++)
		if (memcmp(out->ip[i], out->ip[out->n], 16) == 0)
			return false;
	return true;
}

static enum dns_verdict read_records(struct dns_reply *out, ns_msg *m, const char *owner)
{
	int type = dns_type_number(out->type);

	for (unsigned i = 0; i < answers(m) && out->n < DNS_RECORDS_MAX; i++) {
		ns_rr rr;

		if (ns_parserr(m, ns_s_an, (int)i, &rr) < 0)
			return DNS_BROKEN;
		if (!is_from(&rr, owner, type) || !read_record(out, m, &rr))
			continue;
		out->n++;
		out->ttl_s = ttl_of(&rr) < out->ttl_s ? ttl_of(&rr) : out->ttl_s;
	}
	return out->n > 0 ? DNS_OK : DNS_EMPTY;
}

enum dns_verdict dns_read(
        struct dns_reply *out, enum dns_type type, const uint8_t *reply, size_t len)
{
	ns_msg m;
	ns_rr question;
	char owner[NS_MAXDNAME];
	int followed = 1;

	out->type = type;
	out->ttl_s = INT32_MAX;
	out->n = 0;
	if (len > INT_MAX || ns_initparse(reply, (int)len, &m) < 0 ||
	        ns_msg_count(m, ns_s_qd) != 1 || ns_parserr(&m, ns_s_qd, 0, &question) < 0)
		return DNS_BROKEN;
	memcpy(owner, ns_rr_name(question), strlen(ns_rr_name(question)) + 1);
	for (int i = 0; followed > 0; i++) {
		if (i > DNS_ALIASES_MAX)
			return DNS_LOOP;
		followed = follow(&m, owner, &out->ttl_s);
	}
	return followed < 0 ? DNS_BROKEN : read_records(out, &m, owner);
}
