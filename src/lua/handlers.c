/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/handlers.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "lua/ngx_shared.h"
#include "lua/vm.h"
#include "lua/worker.h"
#include "net/sys.h"
#include "net/tls_client.h"
#include "upstream/group.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRIPT_MAX = 16 * 1024 * 1024 };

/* A file that require has read. */
struct module {
	struct module *next;
	uint64_t hash; /* of its contents; 0: it could not be read */
	char path[];
};

struct lua_handlers {
	atomic_uint refs;
	struct lua_settings settings;
	struct lua_script **script;
	unsigned n;
	struct upstream_group **group;
	unsigned group_n;
	struct {
		char *name;
		struct shared_dict *dict;
	} * dict;
	unsigned dict_n;
	pthread_mutex_t lock; /* over the modules, which workers add */
	struct module *modules;
};

void lua_settings_fini(struct lua_settings *s)
{
	mem_free(s->init);
	mem_free(s->init_worker);
	mem_free(s->exit_worker);
	mem_free(s->package_path);
	mem_free(s->package_cpath);
	mem_free(s->prefix);
	tls_client_unref(s->handlers.tls);
	*s = (struct lua_settings){.init = NULL};
}

struct lua_handlers *lua_handlers_new(struct lua_settings *s)
{
	struct lua_handlers *h = mem_new(sizeof *h);
	atomic_init(&h->refs, 1);
	pthread_mutex_init(&h->lock, NULL);
	h->settings = *s;
	*s = (struct lua_settings){.init = NULL};
	return h;
}

struct lua_handlers *lua_handlers_ref(struct lua_handlers *h)
{
	if (h)
		atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
	return h;
}

/* Paths last as long as the process: what a worker is busy with is told by another thread. */
static const char *intern(const char *path)
{
	static struct known {
		struct known *next;
		char *path;
	} * first;
	struct known *k = first;
	while (k && strcmp(k->path, path) != 0)
		k = k->next;
	if (!k) {
		k = mem_new(sizeof *k);
		k->path = mem_strdup(path);
		k->next = first;
		first = k;
	}
	return k->path;
}

static void script_delete(struct lua_script *s)
{
	mem_free(s->text);
	mem_free(s);
}

void lua_handlers_unref(struct lua_handlers *h)
{
	if (!h || atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned i = 0; i < h->n; i++)
		script_delete(h->script[i]);
	for (unsigned i = 0; i < h->group_n; i++)
		upstream_group_unref(h->group[i]);
	mem_free(h->script);
	for (unsigned i = 0; i < h->dict_n; i++) {
		shared_dict_put(h->dict[i].dict);
		mem_free(h->dict[i].name);
	}
	mem_free(h->dict);
	while (h->modules) {
		struct module *m = h->modules;
		h->modules = m->next;
		mem_free(m);
	}
	pthread_mutex_destroy(&h->lock);
	mem_free(h->group);
	lua_settings_fini(&h->settings);
	mem_free(h);
}

/* The last route is gone; the script stays with its set. */
static void script_release(struct script *s)
{
	lua_handlers_unref(((struct lua_script *)(void *)s)->set);
}

struct script *lua_script_ref(struct lua_script *s)
{
	if (atomic_fetch_add_explicit(&s->script.refs, 1, memory_order_relaxed) == 0)
		lua_handlers_ref(s->set);
	return &s->script;
}

/* ---- files ---- */

static char *read_all(int fd, size_t size, size_t *len)
{
	char *text = mem_new(size + 1);
	ssize_t n = 1;
	*len = 0;
	while (*len < size && n > 0) {
		n = sys_read(fd, text + *len, size - *len);
		*len += n > 0 ? (size_t)n : 0;
	}
	if (n >= 0)
		return text;
	mem_free(text);
	return NULL;
}

/* NULL with why and errno. */
static char *read_file(const char *path, size_t *len, char why[LUA_WHY_MAX])
{
	struct stat st;
	char words[LOG_ERRNO_MAX], *text = NULL;
	int fd = sys_open(path, O_RDONLY | O_NONBLOCK, 0);
	if (fd >= 0 && fstat(fd, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			errno = EISDIR;
		else if (!S_ISREG(st.st_mode))
			errno = EINVAL;
		else if (st.st_size > SCRIPT_MAX)
			errno = EFBIG;
		else
			text = read_all(fd, (size_t)st.st_size, len);
	}
	int error = errno;
	if (!text)
		snprintf(why, LUA_WHY_MAX, "%s: %s", path, log_errno_words(error, words));
	if (fd >= 0)
		sys_close(fd);
	errno = error;
	return text;
}

static struct lua_script *find(
        const struct lua_handlers *h, enum lua_script_kind kind, const char *path)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->script[i]->kind == kind && strcmp(h->script[i]->path, path) == 0)
			return h->script[i];
	return NULL;
}

struct lua_script *lua_handlers_add(
        struct lua_handlers *h, enum lua_script_kind kind, const char *path, char why[LUA_WHY_MAX])
{
	struct lua_script *s = find(h, kind, path);
	size_t len;
	char *text = s ? NULL : read_file(path, &len, why);
	if (!text)
		return s;
	s = mem_new(sizeof *s);
	atomic_init(&s->script.refs, 0);
	s->script.free = script_release;
	s->set = h;
	s->kind = kind;
	s->number = h->n;
	s->path = intern(path);
	s->text = text;
	s->len = len;
	h->script = mem_resize(h->script, (h->n + 1) * sizeof(struct lua_script *));
	h->script[h->n++] = s;
	return s;
}

void lua_handlers_add_group(struct lua_handlers *h, struct upstream_group *g)
{
	h->group = mem_resize(h->group, (h->group_n + 1) * sizeof(struct upstream_group *));
	h->group[h->group_n++] = upstream_group_ref(g);
}

struct upstream_group *lua_handlers_group(const struct lua_handlers *h, struct slice name)
{
	for (unsigned i = 0; i < h->group_n; i++)
		if (slice_equal(slice_str(h->group[i]->name), name))
			return h->group[i];
	return NULL;
}

void lua_handlers_add_dict(struct lua_handlers *h, const char *name, size_t size)
{
	h->dict = mem_resize(h->dict, (h->dict_n + 1) * sizeof h->dict[0]);
	h->dict[h->dict_n].name = mem_strdup(name);
	h->dict[h->dict_n++].dict = shared_dict_get(name, size);
}

void lua_handlers_use_dicts(const struct lua_handlers *h)
{
	for (unsigned i = 0; i < h->dict_n; i++)
		shared_dict_use(h->dict[i].dict);
}

void lua_handlers_open_dicts(const struct lua_handlers *h, lua_State *L)
{
	lua_getglobal(L, "ngx");
	for (unsigned i = 0; i < h->dict_n; i++)
		ngx_shared_add(L, h->dict[i].name, h->dict[i].dict);
	lua_pop(L, 1);
}

/* What a script says when require() or a call of its own has failed does not tell by which errno:
 * so it is asked whether the system has what that takes. */
static int lack_of_descriptors(void)
{
	int fd = sys_open("/dev/null", O_RDONLY, 0);
	if (fd < 0)
		return errno;
	sys_close(fd);
	return 0;
}

bool lua_handlers_check(struct lua_handlers *h, char why[LUA_WHY_MAX])
{
	struct lua_worker bare;
	why[0] = '\0';
	lua_worker_init(&bare, NULL);
	struct lua_vm *vm = lua_vm_new(&bare, h, why);
	lua_vm_unref(vm);
	lua_worker_fini(&bare);
	errno = vm ? 0 : lack_of_descriptors();
	return vm != NULL;
}

/* ---- modules ---- */

static uint64_t hash_of(const char *path)
{
	static const uint8_t key[SIPHASH_KEY_LEN];
	char why[LUA_WHY_MAX];
	size_t len;
	char *text = read_file(path, &len, why);
	uint64_t hash = text ? siphash(key, text, len) | 1 : 0;
	mem_free(text);
	return hash;
}

void lua_handlers_add_module(struct lua_handlers *h, const char *path)
{
	size_t len = strlen(path) + 1;
	pthread_mutex_lock(&h->lock);
	struct module *m = h->modules;
	while (m && strcmp(m->path, path) != 0)
		m = m->next;
	if (!m) {
		m = mem_new(sizeof *m + len);
		memcpy(m->path, path, len);
		m->hash = hash_of(path);
		m->next = h->modules;
		h->modules = m;
	}
	pthread_mutex_unlock(&h->lock);
}

bool lua_handlers_is_stale(struct lua_handlers *h)
{
	pthread_mutex_lock(&h->lock);
	struct module *m = h->modules;
	while (m && m->hash == hash_of(m->path))
		m = m->next;
	pthread_mutex_unlock(&h->lock);
	return m != NULL;
}

/* ---- what it holds ---- */

bool lua_handlers_is_empty(const struct lua_handlers *h)
{
	return h->n == 0;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_handlers(struct handler_settings a, struct handler_settings b)
{
	a.tls = b.tls = NULL; /* known by its digest */
	return memcmp(&a, &b, sizeof a) == 0;
}

static bool same_settings(const struct lua_settings *a, const struct lua_settings *b)
{
	return same_text(a->init, b->init) && same_text(a->init_worker, b->init_worker) &&
	       same_text(a->exit_worker, b->exit_worker) &&
	       same_text(a->package_path, b->package_path) &&
	       same_text(a->package_cpath, b->package_cpath) && same_text(a->prefix, b->prefix) &&
	       a->memory_max == b->memory_max && a->stall_ms == b->stall_ms &&
	       a->max_pending_timers == b->max_pending_timers &&
	       a->max_running_timers == b->max_running_timers &&
	       a->re.cache_max == b->re.cache_max && a->re.match_limit == b->re.match_limit &&
	       a->is_cached == b->is_cached &&
	       memcmp(a->tls_digest, b->tls_digest, sizeof a->tls_digest) == 0 &&
	       same_handlers(a->handlers, b->handlers);
}

static bool same_script(const struct lua_script *a, const struct lua_script *b)
{
	return a->kind == b->kind && strcmp(a->path, b->path) == 0 &&
	       slice_equal(slice_of(a->text, a->len), slice_of(b->text, b->len));
}

bool lua_handlers_equal(const struct lua_handlers *a, const struct lua_handlers *b)
{
	if (a->n != b->n || a->group_n != b->group_n || a->dict_n != b->dict_n ||
	        !same_settings(&a->settings, &b->settings))
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (!same_script(a->script[i], b->script[i]))
			return false;
	for (unsigned i = 0; i < a->group_n; i++)
		if (a->group[i] != b->group[i])
			return false;
	for (unsigned i = 0; i < a->dict_n; i++)
		if (a->dict[i].dict != b->dict[i].dict)
			return false;
	return true;
}

const struct lua_settings *lua_handlers_settings(const struct lua_handlers *h)
{
	return &h->settings;
}

unsigned lua_handlers_count(const struct lua_handlers *h)
{
	return h->n;
}

const struct lua_script *lua_handlers_script(const struct lua_handlers *h, unsigned number)
{
	return h->script[number];
}

const struct lua_script *lua_handlers_own(const struct lua_handlers *h, enum lua_script_kind kind)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->script[i]->kind == kind && kind >= LUA_SCRIPT_INIT)
			return h->script[i];
	return NULL;
}
