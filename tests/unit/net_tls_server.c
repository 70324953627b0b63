/* SPDX-License-Identifier: BSD-2-Clause */

/* What a listener's TLS does: which certificate a client gets, whose sessions are resumed, who may
 * come in. */

#include "net/tls_server.h"
#include "net/tls_ticket.h"
#include "tls_peer.h"

#include <errno.h>
#include <openssl/ocsp.h>

static struct worker *w;
static struct stream *far;
static struct tap tap;
static struct peer peer;
static char why[TLS_WHY_MAX];
static struct tls_server_settings settings;

static void setup(void)
{
	memset(&tap, 0, sizeof tap);
	w = worker_new(0);
	settings = (struct tls_server_settings){
	        .tls = {TLS_FLOOR_1_2, TLS_CIPHERS, TLS_CIPHERSUITES, TLS_GROUPS}, .scope = "test"};
}

static void close_stream(void)
{
	tap_free(&tap);
	worker_turn(w, 0);
	sim_free(far);
	far = NULL;
	peer_free(&peer);
	ERR_clear_error();
}

static void teardown(void)
{
	if (far)
		close_stream();
	worker_turn(w, 0);
	worker_free(w);
}

static struct tls_server *begin(void)
{
	struct tls_server *t = tls_server_new(&settings, why);
	ck_assert_msg(t != NULL, "%s", why);
	return t;
}

static void add(struct tls_server *t, const struct identity *id)
{
	ck_assert_msg(tls_server_add(t, slice_str(id->chain), slice_str(id->key), why), "%s", why);
}

static void finish(struct tls_server *t)
{
	ck_assert_msg(tls_server_finish(t, why), "%s", why);
}

static struct tls_server *server_with(const struct identity *id)
{
	struct tls_server *t = begin();
	add(t, id);
	finish(t);
	return t;
}

/* A connection that asks for a name, or for none; succeeds or fails. */
static bool connect_with(struct tls_server *t, const char *name, const struct identity *shown,
        SSL_SESSION *session, int version)
{
	if (far)
		close_stream();
	far = sim_new(w);
	tap_init(&tap, far);
	peer = peer_new(false, shown);
	if (name)
		SSL_set_tlsext_host_name(peer.ssl, name);
	if (session)
		SSL_set_session(peer.ssl, session);
	if (version) {
		SSL_set_min_proto_version(peer.ssl, version);
		SSL_set_max_proto_version(peer.ssl, version);
	}
	ck_assert(tls_accept(far, t, SLICE("")));
	shake_hands(&peer, far, w, SIZE_MAX);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	return tap.connects > 0;
}

static bool is_shown(const struct identity *id)
{
	X509 *x = SSL_get0_peer_certificate(peer.ssl);
	return x && X509_cmp(x, id->x) == 0;
}

static void shows(struct tls_server *t, const char *name, const struct identity *id)
{
	ck_assert_msg(connect_with(t, name, NULL, NULL, 0), "%s", name);
	ck_assert_msg(is_shown(id), "%s", name);
}

/* ---- names ---- */

START_TEST(T_07_names)
{
	struct identity a = identity_of("EC", "a", "DNS:a.example,DNS:*.w.example", 86400, NULL);
	struct identity b = identity_of("EC", "b", "DNS:b.example,DNS:x.w.example", 86400, NULL);
	struct identity c = identity_of("EC", "c.example", NULL, 86400, NULL);
	struct tls_server *t = begin();
	char name[256];
	add(t, &a);
	add(t, &b);
	add(t, &c);
	finish(t);
	shows(t, "a.example", &a);
	shows(t, "b.example", &b);
	shows(t, "c.example", &c);
	shows(t, "B.EXAMPLE", &b);
	shows(t, "one.w.example", &a);
	shows(t, "ONE.W.example", &a);
	shows(t, "x.w.example", &b);
	shows(t, "b.example.", &b);
	/* Unknown ones get the first. */
	shows(t, NULL, &a);
	shows(t, "w.example", &a);
	shows(t, "two.labels.w.example", &a);
	shows(t, "127.0.0.1", &a);
	memset(name, 'x', 255);
	name[255] = '\0';
	shows(t, name, &a);
	tls_server_unref(t);
	identity_free(&a);
	identity_free(&b);
	identity_free(&c);
}
END_TEST

START_TEST(T_07_unknown_names_refused)
{
	struct identity a = identity_of("EC", "a", "DNS:a.example,DNS:*.w.example", 86400, NULL);
	settings.refuse_unknown = true;
	struct tls_server *t = server_with(&a);
	shows(t, "a.example", &a);
	shows(t, "x.w.example", &a);
	ck_assert(!connect_with(t, NULL, NULL, NULL, 0));
	ck_assert(!connect_with(t, "b.example", NULL, NULL, 0));
	ck_assert(!connect_with(t, ".w.example", NULL, NULL, 0));
	tls_server_unref(t);
	identity_free(&a);
}
END_TEST

/* A hello whose name holds a NUL. */
START_TEST(T_07_name_with_nul)
{
	struct identity a = identity_of("EC", "a", "DNS:a.example", 86400, NULL);
	struct tls_server *t = server_with(&a);
	far = sim_new(w);
	tap_init(&tap, far);
	peer = peer_new(false, NULL);
	SSL_set_tlsext_host_name(peer.ssl, "aXexample");
	ck_assert(tls_accept(far, t, SLICE("")));
	SSL_do_handshake(peer.ssl);
	char *at;
	long n = BIO_get_mem_data(peer.out, &at);
	char *found = memmem(at, (size_t)n, "aXexample", 9);
	ck_assert_ptr_nonnull(found);
	found[1] = '\0';
	peer_to_stream(&peer, far, SIZE_MAX);
	worker_turn(w, 0);
	ck_assert_int_eq(tap.error, EPROTO);
	tls_server_unref(t);
	identity_free(&a);
}
END_TEST

/* Whose key a client understands decides, for each name. */
START_TEST(two_types_of_keys)
{
	struct identity ec = identity_of("EC", "e", "DNS:a.example,DNS:b.example", 86400, NULL);
	struct identity rsa = identity_of("RSA", "r", "DNS:a.example", 86400, NULL);
	struct tls_server *t = begin();
	add(t, &rsa);
	add(t, &ec);
	finish(t);
	for (int i = 0; i < 2; i++) {
		if (far)
			close_stream();
		far = sim_new(w);
		tap_init(&tap, far);
		peer = peer_new(false, NULL);
		SSL_set_tlsext_host_name(peer.ssl, "a.example");
		SSL_set1_sigalgs_list(
		        peer.ssl, i == 0 ? "RSA-PSS+SHA256:RSA+SHA256" : "ECDSA+SHA256");
		ck_assert(tls_accept(far, t, SLICE("")));
		shake_hands(&peer, far, w, SIZE_MAX);
		ck_assert(is_shown(i == 0 ? &rsa : &ec));
	}
	shows(t, "b.example", &ec);
	tls_server_unref(t);
	identity_free(&ec);
	identity_free(&rsa);
}
END_TEST

/* ---- what is refused when it is read ---- */

static void refused(struct tls_server *t, const char *chain, const char *key, const char *words)
{
	ck_assert(!tls_server_add(t, slice_str(chain), slice_str(key), why));
	ck_assert_msg(strstr(why, words) != NULL, "%s", why);
	ck_assert_uint_eq(ERR_peek_error(), 0);
}

START_TEST(T_09_bad_files)
{
	struct identity a = identity_of("EC", "a", "DNS:a", 86400, NULL);
	struct identity b = identity_of("EC", "b", "DNS:b", 86400, NULL);
	struct tls_server *t = begin();
	char *broken = strdup(a.chain);
	broken[100] = '!';
	refused(t, a.chain, b.key, "private key: it does not belong to the certificate");
	refused(t, "", a.key, "it holds no certificate in PEM");
	refused(t, a.key, a.key, "it holds no certificate in PEM");
	refused(t, a.chain, "", "private key: there is none in PEM");
	refused(t, a.chain, a.chain, "private key: there is none in PEM");
	refused(t, broken, a.key, "bad base64 decode");
	BIO *out = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(
	        out, a.pkey, EVP_aes_128_cbc(), (const unsigned char *)"x", 1, NULL, NULL);
	char *locked = pem_text(out);
	refused(t, a.chain, locked, "private key: it is encrypted");
	free(locked);
	free(broken);
	tls_server_unref(t);
	identity_free(&a);
	identity_free(&b);
}
END_TEST

START_TEST(bad_settings)
{
	struct identity a = identity_of("EC", "a", "DNS:a", 86400, NULL);
	for (int i = 0; i < 3; i++) {
		struct tls_server_settings s = settings;
		*(i == 0         ? &s.tls.ciphers
		        : i == 1 ? &s.tls.ciphersuites
		                 : &s.tls.groups) = "NO-SUCH-THING";
		struct tls_server *t = tls_server_new(&s, why);
		ck_assert(tls_server_add(t, slice_str(a.chain), slice_str(a.key), why));
		ck_assert(!tls_server_finish(t, why));
		ck_assert_msg(strstr(why, "NO-SUCH-THING") != NULL, "%s", why);
		tls_server_unref(t);
		ck_assert_uint_eq(ERR_peek_error(), 0);
	}
	identity_free(&a);
}
END_TEST

START_TEST(T_02_versions)
{
	struct identity a = identity_of("EC", "a", "DNS:a", 86400, NULL);
	struct tls_server *t = server_with(&a);
	ck_assert(!connect_with(t, "a", NULL, NULL, TLS1_VERSION));
	ck_assert(!connect_with(t, "a", NULL, NULL, TLS1_1_VERSION));
	ck_assert(connect_with(t, "a", NULL, NULL, TLS1_2_VERSION));
	ck_assert(connect_with(t, "a", NULL, NULL, TLS1_3_VERSION));
	tls_server_unref(t);
	settings.tls.min_version = TLS_FLOOR_1_3;
	t = server_with(&a);
	ck_assert(!connect_with(t, "a", NULL, NULL, TLS1_2_VERSION));
	ck_assert(connect_with(t, "a", NULL, NULL, TLS1_3_VERSION));
	tls_server_unref(t);
	identity_free(&a);
}
END_TEST

START_TEST(protocols)
{
	static const struct {
		const char *offered;
		unsigned len;
		bool is_taken;
	} row[] = {
	        {"\x08http/1.1", 9, true}, {"\x02h2\x08http/1.1", 12, true}, {"\x02h2", 3, false}};
	struct identity a = identity_of("EC", "a", "DNS:a", 86400, NULL);
	struct tls_server *t = server_with(&a);
	for (size_t i = 0; i < 3; i++) {
		if (far)
			close_stream();
		far = sim_new(w);
		tap_init(&tap, far);
		peer = peer_new(false, NULL);
		SSL_set_alpn_protos(peer.ssl, (const unsigned char *)row[i].offered, row[i].len);
		ck_assert(tls_accept(far, t, SLICE("")));
		shake_hands(&peer, far, w, SIZE_MAX);
		ck_assert_uint_eq(tap.connects, row[i].is_taken);
		const unsigned char *got;
		unsigned len;
		SSL_get0_alpn_selected(peer.ssl, &got, &len);
		ck_assert_uint_eq(len, row[i].is_taken ? 8 : 0);
	}
	tls_server_unref(t);
	identity_free(&a);
}
END_TEST

/* ---- sessions ---- */

/* Of TLS 1.3 it comes with the first data. */
static SSL_SESSION *session_of_peer(void)
{
	char c[8];
	ck_assert(tap_send_text(&tap, "x"));
	ck_assert_uint_eq(peer_read(&peer, far, c, sizeof c), 1);
	SSL_SESSION *s = SSL_get1_session(peer.ssl);
	ck_assert_ptr_nonnull(s);
	return s;
}

static bool is_resumed(void)
{
	struct tls_info info;
	return tls_describe(far, &info) && info.is_resumed && SSL_session_reused(peer.ssl);
}

START_TEST(tickets_of_the_process)
{
	struct identity a = identity_of("EC", "a", "DNS:a,DNS:b", 86400, NULL);
	struct tls_server *t = server_with(&a), *same = server_with(&a);
	int version = _i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
	ck_assert(connect_with(t, "a", NULL, NULL, version));
	ck_assert(!is_resumed());
	SSL_SESSION *s = session_of_peer();
	ck_assert(connect_with(t, "a", NULL, s, version));
	ck_assert(is_resumed());
	for (int i = 0; i < 3; i++) {
		SSL_SESSION_free(s);
		s = session_of_peer();
		ck_assert(connect_with(t, "a", NULL, s, version));
		ck_assert(is_resumed());
	}
	/* A reload has made the context anew. */
	ck_assert(connect_with(same, "a", NULL, s, version));
	ck_assert(is_resumed());
	SSL_SESSION_free(s);
	tls_server_unref(t);
	tls_server_unref(same);
	identity_free(&a);
}
END_TEST

/* After an hour there is a new key; those of the two hours before still count, and a ticket of
 * theirs is replaced. */
START_TEST(tickets_get_old)
{
	enum { HOUR = TLS_TICKET_ROTATE_S * 1000 };
	static const struct {
		unsigned hours, again;
		bool is_good;
	} row[] = {{0, 0, true}, {1, 0, true}, {2, 0, true}, {3, 0, false}, {10, 0, false},
	        {1, 1, true}, {1, 2, false}};
	struct identity a = identity_of("EC", "a", "DNS:a", 86400, NULL);
	struct tls_server *t = server_with(&a);
	int version = _i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		ck_assert(connect_with(t, "a", NULL, NULL, version));
		SSL_SESSION *s = session_of_peer();
		tls_ticket_age((uint64_t)row[i].hours * HOUR);
		if (row[i].again) /* somebody else comes meanwhile */
			ck_assert(connect_with(t, "a", NULL, NULL, version));
		tls_ticket_age((uint64_t)row[i].again * HOUR);
		ck_assert(connect_with(t, "a", NULL, s, version));
		ck_assert_msg(is_resumed() == row[i].is_good, "%u and %u hours", row[i].hours,
		        row[i].again);
		SSL_SESSION_free(s);
	}
	tls_server_unref(t);
	identity_free(&a);
}
END_TEST

static struct tls_server *with_ticket_keys(
        const struct identity *id, const uint8_t *first, const uint8_t *second)
{
	struct tls_server *t = begin();
	add(t, id);
	tls_server_add_ticket_key(t, slice_of(first, TLS_TICKET_FILE));
	if (second)
		tls_server_add_ticket_key(t, slice_of(second, TLS_TICKET_FILE));
	finish(t);
	return t;
}

START_TEST(tickets_of_nodes)
{
	uint8_t key[3][TLS_TICKET_FILE];
	struct identity a = identity_of("EC", "a", "DNS:a", 86400, NULL);
	int version = _i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
	for (size_t i = 0; i < 3; i++)
		memset(key[i], (int)i, sizeof key[i]);
	struct tls_server *one = with_ticket_keys(&a, key[0], NULL);
	struct tls_server *next = with_ticket_keys(&a, key[1], key[0]);
	struct tls_server *other = with_ticket_keys(&a, key[2], NULL);
	ck_assert(connect_with(one, "a", NULL, NULL, version));
	SSL_SESSION *s = session_of_peer();
	ck_assert(connect_with(next, "a", NULL, s, version));
	ck_assert(is_resumed());
	ck_assert(connect_with(other, "a", NULL, s, version));
	ck_assert(!is_resumed());
	SSL_SESSION_free(s);
	tls_server_unref(one);
	tls_server_unref(next);
	tls_server_unref(other);
	identity_free(&a);
}
END_TEST

/* Of a client that believes our tickets to allow it: skipped, and what follows is heard. */
START_TEST(T_10_early_data_is_refused)
{
	struct identity a = identity_of("EC", "a", "DNS:a", 86400, NULL);
	struct tls_server *t = server_with(&a);
	size_t n;
	ck_assert(connect_with(t, "a", NULL, NULL, TLS1_3_VERSION));
	SSL_SESSION *s = session_of_peer();
	ck_assert_uint_eq(SSL_SESSION_get_max_early_data(s), 0);
	SSL_SESSION_set_max_early_data(s, 1000);
	close_stream();
	far = sim_new(w);
	tap_init(&tap, far);
	peer = peer_new(false, NULL);
	SSL_set_tlsext_host_name(peer.ssl, "a");
	SSL_set_session(peer.ssl, s);
	ck_assert(tls_accept(far, t, SLICE("")));
	ck_assert(SSL_write_early_data(peer.ssl, "early", 5, &n));
	shake_hands(&peer, far, w, SIZE_MAX);
	ck_assert_int_eq(SSL_get_early_data_status(peer.ssl), SSL_EARLY_DATA_REJECTED);
	ck_assert(is_resumed());
	ck_assert_uint_eq(tap.len, 0);
	peer_write(&peer, "late", 4);
	peer_to_stream(&peer, far, SIZE_MAX);
	tap_has(&tap, "late");
	SSL_SESSION_free(s);
	tls_server_unref(t);
	identity_free(&a);
}
END_TEST

/* Who keeps no ticket has nothing to go on with: no session is kept here. */
START_TEST(without_tickets_nothing_is_resumed)
{
	struct identity a = identity_of("EC", "a", "DNS:a", 86400, NULL);
	struct tls_server *t = server_with(&a);
	SSL_SESSION *s = NULL;
	for (int i = 0; i < 3; i++) {
		if (far)
			close_stream();
		far = sim_new(w);
		tap_init(&tap, far);
		peer = peer_new(false, NULL);
		SSL_set_max_proto_version(peer.ssl, TLS1_2_VERSION);
		SSL_set_options(peer.ssl, SSL_OP_NO_TICKET);
		if (s)
			SSL_set_session(peer.ssl, s);
		ck_assert(tls_accept(far, t, SLICE("")));
		shake_hands(&peer, far, w, SIZE_MAX);
		ck_assert_uint_eq(tap.connects, 1);
		ck_assert(!is_resumed());
		SSL_SESSION_free(s);
		s = SSL_get1_session(peer.ssl);
		ck_assert(!SSL_SESSION_has_ticket(s));
	}
	SSL_SESSION_free(s);
	tls_server_unref(t);
	identity_free(&a);
}
END_TEST

/* ---- clients' certificates ---- */

static void check_peer(const char *subject, const char *issuer)
{
	struct tls_info info;
	ck_assert(tls_describe(far, &info));
	ck_assert(slice_equal(info.subject, slice_str(subject)));
	ck_assert(slice_equal(info.issuer, slice_str(issuer)));
	ck_assert_uint_eq(info.fingerprint.len, subject[0] ? 64 : 0);
	const unsigned char *at = info.certificate.at;
	X509 *x = d2i_X509(NULL, &at, (long)info.certificate.len);
	ck_assert_int_eq(x != NULL, subject[0] != '\0');
	ck_assert(!x || at == info.certificate.at + info.certificate.len);
	X509_free(x);
}

START_TEST(client_certificates)
{
	int version = _i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
	struct identity ca = identity_of("EC", "ca", NULL, 86400, NULL);
	struct identity a = identity_of("EC", "a", "DNS:a", 86400, NULL);
	struct identity alice = identity_of("EC", "alice, \"the\" first", NULL, 86400, &ca);
	struct identity old = identity_of("EC", "old", NULL, -10, &ca);
	struct identity stranger = identity_of("EC", "stranger", NULL, 86400, NULL);
	settings.client_ca = slice_str(ca.chain);
	settings.verify = TLS_VERIFY_ON;
	struct tls_server *must = server_with(&a);
	settings.verify = TLS_VERIFY_OPTIONAL;
	struct tls_server *may = server_with(&a);
	settings.verify = TLS_VERIFY_OFF;
	struct tls_server *off = server_with(&a);

	ck_assert(connect_with(must, "a", &alice, NULL, version));
	check_peer("CN=alice\\, \\\"the\\\" first", "CN=ca");
	ck_assert(!connect_with(must, "a", NULL, NULL, version));
	ck_assert_str_eq(tls_failure(far), "peer did not return a certificate");
	ck_assert(!connect_with(must, "a", &old, NULL, version));
	ck_assert_str_eq(
	        tls_failure(far), "certificate not accepted: certificate has expired (depth 0)");
	ck_assert(!connect_with(must, "a", &stranger, NULL, version));
	ck_assert(connect_with(may, "a", &alice, NULL, version));
	check_peer("CN=alice\\, \\\"the\\\" first", "CN=ca");
	ck_assert(connect_with(may, "a", NULL, NULL, version));
	check_peer("", "");
	ck_assert(!connect_with(may, "a", &stranger, NULL, version));
	ck_assert(connect_with(off, "a", &stranger, NULL, version));
	check_peer("", "");
	tls_server_unref(must);
	tls_server_unref(may);
	tls_server_unref(off);
	identity_free(&ca);
	identity_free(&a);
	identity_free(&alice);
	identity_free(&old);
	identity_free(&stranger);
}
END_TEST

/* T-06: what was resumed at another listener is a full handshake here, with its check. */
START_TEST(T_06_sessions_of_others)
{
	int version = _i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
	struct identity ca = identity_of("EC", "ca", NULL, 86400, NULL);
	struct identity other_ca = identity_of("EC", "ca", NULL, 86400, NULL);
	struct identity a = identity_of("EC", "a", "DNS:a", 86400, NULL);
	struct identity alice = identity_of("EC", "alice", NULL, 86400, &ca);
	struct tls_server *open = server_with(&a);
	settings.verify = TLS_VERIFY_ON;
	settings.client_ca = slice_str(ca.chain);
	struct tls_server *closed = server_with(&a);
	settings.client_ca = slice_str(other_ca.chain);
	struct tls_server *other = server_with(&a);

	ck_assert(connect_with(open, "a", NULL, NULL, version));
	SSL_SESSION *s = session_of_peer();
	ck_assert(!connect_with(closed, "a", NULL, s, version));
	SSL_SESSION_free(s);
	ck_assert(connect_with(closed, "a", &alice, NULL, version));
	s = session_of_peer();
	ck_assert(connect_with(closed, "a", NULL, s, version));
	ck_assert(is_resumed());
	check_peer("CN=alice", "CN=ca");
	ck_assert(!connect_with(other, "a", NULL, s, version));
	SSL_SESSION_free(s);
	tls_server_unref(open);
	tls_server_unref(closed);
	tls_server_unref(other);
	identity_free(&ca);
	identity_free(&other_ca);
	identity_free(&a);
	identity_free(&alice);
}
END_TEST

/* ---- stapling ---- */

static uint8_t *answer_about(
        const struct identity *who, const struct identity *ca, int status, long until, int *len)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), who->x, ca->x);
	ASN1_TIME *now = X509_gmtime_adj(NULL, -100), *end = X509_gmtime_adj(NULL, until);
	OCSP_basic_add1_status(basic, id, status, 0, now, now, end);
	OCSP_basic_sign(basic, ca->x, ca->pkey, EVP_sha256(), NULL, 0);
	OCSP_RESPONSE *answer = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	uint8_t *der = NULL;
	*len = i2d_OCSP_RESPONSE(answer, &der);
	OCSP_RESPONSE_free(answer);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(now);
	ASN1_TIME_free(end);
	return der;
}

static long stapled(struct tls_server *t)
{
	if (far)
		close_stream();
	far = sim_new(w);
	tap_init(&tap, far);
	peer = peer_new(false, NULL);
	SSL_set_tlsext_status_type(peer.ssl, TLSEXT_STATUSTYPE_ocsp);
	ck_assert(tls_accept(far, t, SLICE("")));
	shake_hands(&peer, far, w, SIZE_MAX);
	const uint8_t *got;
	return SSL_get_tlsext_status_ocsp_resp(peer.ssl, &got);
}

START_TEST(stapling)
{
	struct identity ca = identity_of("EC", "ca", NULL, 86400, NULL);
	struct identity a = identity_of("EC", "a", "DNS:a", 86400, &ca);
	struct identity b = identity_of("EC", "b", "DNS:b", 86400, &ca);
	int good_len, old_len, bad_len, other_len;
	uint8_t *good = answer_about(&a, &ca, V_OCSP_CERTSTATUS_GOOD, 1000, &good_len);
	uint8_t *old = answer_about(&a, &ca, V_OCSP_CERTSTATUS_GOOD, -10, &old_len);
	uint8_t *bad = answer_about(&a, &ca, V_OCSP_CERTSTATUS_UNKNOWN, 1000, &bad_len);
	uint8_t *other = answer_about(&b, &ca, V_OCSP_CERTSTATUS_GOOD, 1000, &other_len);
	struct tls_server *t = begin();
	add(t, &a);
	ck_assert(!tls_server_add_ocsp(t, slice_of(other, (size_t)other_len), why));
	ck_assert_str_eq(why, "it is about none of the listener's certificates");
	ck_assert(!tls_server_add_ocsp(t, slice_of(bad, (size_t)bad_len), why));
	ck_assert(!tls_server_add_ocsp(t, SLICE("junk"), why));
	ck_assert_str_eq(why, "it is no OCSP answer in DER");
	for (int i = 0; i < good_len; i += 7)
		tls_server_add_ocsp(t, slice_of(good, (size_t)i), why);
	ck_assert(tls_server_add_ocsp(t, slice_of(old, (size_t)old_len), why));
	ck_assert(tls_server_ocsp_is_old(t));
	finish(t);
	ck_assert_int_eq(stapled(t), -1);
	tls_server_unref(t);
	t = begin();
	add(t, &a);
	ck_assert(tls_server_add_ocsp(t, slice_of(good, (size_t)good_len), why));
	ck_assert(!tls_server_ocsp_is_old(t));
	finish(t);
	ck_assert_int_eq(stapled(t), good_len);
	tls_server_unref(t);
	OPENSSL_free(good);
	OPENSSL_free(old);
	OPENSSL_free(bad);
	OPENSSL_free(other);
	identity_free(&ca);
	identity_free(&a);
	identity_free(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/tls_server");
	TCase *t = tcase_create("tls_server");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, T_07_names);
	tcase_add_test(t, T_07_unknown_names_refused);
	tcase_add_test(t, T_07_name_with_nul);
	tcase_add_test(t, two_types_of_keys);
	tcase_add_test(t, T_09_bad_files);
	tcase_add_test(t, bad_settings);
	tcase_add_test(t, T_02_versions);
	tcase_add_test(t, protocols);
	tcase_add_loop_test(t, tickets_of_the_process, 0, 2);
	tcase_add_loop_test(t, tickets_get_old, 0, 2);
	tcase_add_loop_test(t, tickets_of_nodes, 0, 2);
	tcase_add_test(t, T_10_early_data_is_refused);
	tcase_add_test(t, without_tickets_nothing_is_resumed);
	tcase_add_loop_test(t, client_certificates, 0, 2);
	tcase_add_loop_test(t, T_06_sessions_of_others, 0, 2);
	tcase_add_test(t, stapling);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
