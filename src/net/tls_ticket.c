/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_ticket.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

enum { OWN_KEYS = 1 + TLS_TICKET_LIFE_S / TLS_TICKET_ROTATE_S, AES_BLOCK = 16 };

/* The process's own, the newest first. */
static struct {
	pthread_mutex_t lock;
	struct tls_ticket_key key[OWN_KEYS];
	unsigned n;
	uint64_t made_ms;
} own = {.lock = PTHREAD_MUTEX_INITIALIZER};

void tls_ticket_add(struct tls_ticket_keys *k, struct slice file)
{
	struct tls_ticket_key key;
	_Static_assert(sizeof key == TLS_TICKET_FILE, "a file is a key as it lies");
	assert(file.len == sizeof key);
	k->key = mem_resize(k->key, (k->n + 1) * sizeof key);
	memcpy(&k->key[k->n++], file.at, sizeof key);
}

void tls_ticket_fini(struct tls_ticket_keys *k)
{
	if (k->key)
		OPENSSL_cleanse(k->key, k->n * sizeof k->key[0]);
	mem_free(k->key);
	*k = (struct tls_ticket_keys){.key = NULL};
}

/* Under the lock. Keys that were not needed for hours are too old all the same. */
static void rotate(void)
{
	uint64_t now = clock_ms(), period = UINT64_C(1000) * TLS_TICKET_ROTATE_S;
	uint64_t periods = (now - own.made_ms) / period;
	if (own.n > 0 && periods == 0)
		return;
	if (periods >= OWN_KEYS)
		own.n = 0;
	memmove(&own.key[1], &own.key[0], (OWN_KEYS - 1) * sizeof own.key[0]);
	random_bytes((uint8_t *)&own.key[0], sizeof own.key[0]);
	unsigned young = OWN_KEYS - (unsigned)(own.n > 0 ? periods - 1 : 0);
	own.n = own.n + 1 < young ? own.n + 1 : young;
	own.made_ms = now;
}

void tls_ticket_age(uint64_t ms)
{
	pthread_mutex_lock(&own.lock);
	own.made_ms -= ms;
	pthread_mutex_unlock(&own.lock);
}

/* Copies the key of that name, or for NULL the one for new tickets. Returns its place, -1:
 * none. */
static int find(
        const struct tls_ticket_key *key, size_t n, const uint8_t *name, struct tls_ticket_key *out)
{
	for (size_t i = 0; i < n; i++) {
		if (name && memcmp(key[i].name, name, sizeof key[i].name) != 0)
			continue;
		*out = key[i];
		return (int)i;
	}
	return -1;
}

static int find_own(const uint8_t *name, struct tls_ticket_key *out)
{
	pthread_mutex_lock(&own.lock);
	rotate();
	int found = find(own.key, own.n, name, out);
	pthread_mutex_unlock(&own.lock);
	return found;
}

/* Looked up once: OpenSSL's own search takes longer than the encryption. */
static EVP_CIPHER *aes;

static void fetch_aes(void)
{
	aes = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
}

static bool init(const struct tls_ticket_key *key, uint8_t *iv, EVP_CIPHER_CTX *cipher,
        EVP_MAC_CTX *mac, bool encrypt)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct tls_ticket_key copy = *key;
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	        OSSL_PARAM_octet_string(OSSL_MAC_PARAM_KEY, copy.hmac, sizeof copy.hmac),
	        OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, sizeof digest - 1),
	        OSSL_PARAM_END};
	pthread_once(&once, fetch_aes);
	bool is_good = aes && EVP_MAC_CTX_set_params(mac, params) &&
	               EVP_CipherInit_ex2(cipher, aes, copy.aes, iv, encrypt, NULL);
	OPENSSL_cleanse(&copy, sizeof copy);
	return is_good;
}

/* As OpenSSL wants it: -1 it failed, 0 no such key, 1 done, 2 done, and a new ticket is due. */
int tls_ticket_crypt(const struct tls_ticket_keys *k, uint8_t *name, uint8_t *iv,
        EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt)
{
	struct tls_ticket_key key;
	const uint8_t *wanted = encrypt ? NULL : name;
	int found = k->n > 0 ? find(k->key, k->n, wanted, &key) : find_own(wanted, &key);
	if (found < 0)
		return 0;
	if (encrypt) {
		memcpy(name, key.name, sizeof key.name);
		random_bytes(iv, AES_BLOCK);
	}
	bool is_good = init(&key, iv, cipher, mac, encrypt);
	OPENSSL_cleanse(&key, sizeof key);
	return !is_good ? -1 : found == 0 ? 1 : 2;
}
