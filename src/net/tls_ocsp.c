/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_ocsp.h"

#include "base/mem.h"

#include <openssl/ocsp.h>
#include <stdio.h>

/* The part about the certificate; by its serial number where the issuer is not known. */
static OCSP_SINGLERESP *find(OCSP_BASICRESP *basic, const X509 *leaf)
{
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
		ASN1_INTEGER *serial = NULL;
		OCSP_id_get0_info(NULL, NULL, NULL, &serial,
		        (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(one));
		if (serial && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0)
			return one;
	}
	return NULL;
}

static bool is_of_issuer(OCSP_SINGLERESP *one, const X509 *leaf, X509 *issuer)
{
	ASN1_OBJECT *digest = NULL;
	const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(one);
	if (!issuer)
		return true;
	OCSP_id_get0_info(NULL, &digest, NULL, NULL, (OCSP_CERTID *)(uintptr_t)id);
	OCSP_CERTID *ours = OCSP_cert_to_id(EVP_get_digestbyobj(digest), leaf, issuer);
	bool is_same = ours && OCSP_id_cmp(ours, id) == 0;
	OCSP_CERTID_free(ours);
	return is_same;
}

static time_t end_of(OCSP_SINGLERESP *one)
{
	ASN1_GENERALIZEDTIME *next = NULL;
	struct tm tm;
	OCSP_single_get0_status(one, NULL, NULL, NULL, &next);
	return next && ASN1_TIME_to_tm(next, &tm) ? timegm(&tm) : 0;
}

static enum tls_ocsp_verdict take(
        struct tls_ocsp *o, struct slice der, OCSP_SINGLERESP *one, char why[TLS_WHY_MAX])
{
	if (OCSP_single_get0_status(one, NULL, NULL, NULL, NULL) != V_OCSP_CERTSTATUS_GOOD) {
		snprintf(why, TLS_WHY_MAX, "it does not say that the certificate is good");
		return TLS_OCSP_BAD;
	}
	tls_ocsp_fini(o);
	*o = (struct tls_ocsp){.der = mem_new(der.len), .len = der.len, .until = end_of(one)};
	memcpy(o->der, der.at, der.len);
	return TLS_OCSP_TAKEN;
}

/* What it says of certificates; NULL with why. */
static OCSP_BASICRESP *parse(struct slice der, char why[TLS_WHY_MAX])
{
	const uint8_t *at = der.at;
	OCSP_RESPONSE *answer = d2i_OCSP_RESPONSE(NULL, &at, (long)der.len);
	OCSP_BASICRESP *basic = NULL;
	if (answer && OCSP_response_status(answer) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		basic = OCSP_response_get1_basic(answer);
	if (!basic)
		snprintf(why, TLS_WHY_MAX,
		        answer ? "it holds no answer about a certificate"
		               : "it is no OCSP answer in DER");
	OCSP_RESPONSE_free(answer);
	return basic;
}

enum tls_ocsp_verdict tls_ocsp_read(
        struct tls_ocsp *o, struct slice der, const X509 *leaf, X509 *issuer, char why[TLS_WHY_MAX])
{
	OCSP_BASICRESP *basic = parse(der, why);
	OCSP_SINGLERESP *one = basic ? find(basic, leaf) : NULL;
	enum tls_ocsp_verdict verdict = basic ? TLS_OCSP_OTHER : TLS_OCSP_BAD;
	if (one && is_of_issuer(one, leaf, issuer))
		verdict = take(o, der, one, why);
	OCSP_BASICRESP_free(basic);
	tls_error_clear();
	return verdict;
}

bool tls_ocsp_is_sound(struct slice der, char why[TLS_WHY_MAX])
{
	OCSP_BASICRESP *basic = parse(der, why);
	OCSP_BASICRESP_free(basic);
	tls_error_clear();
	return basic != NULL;
}

void tls_ocsp_fini(struct tls_ocsp *o)
{
	mem_free(o->der);
	*o = (struct tls_ocsp){.der = NULL};
}

bool tls_ocsp_is_fresh(const struct tls_ocsp *o)
{
	return o->der && (o->until == 0 || time(NULL) < o->until);
}

bool tls_ocsp_staple(const struct tls_ocsp *o, SSL *ssl)
{
	if (!tls_ocsp_is_fresh(o))
		return false;
	uint8_t *copy = OPENSSL_memdup(o->der, o->len);
	return copy && SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)o->len);
}
