/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/vm.h"

#include "base/budget.h"
#include "base/log.h"
#include "base/mem.h"
#include "lua/client.h"
#include "lua/finalizers.h"
#include "lua/ngx_log.h"
#include "lua/ngx_re.h"
#include "lua/ngx_time.h"
#include "lua/ngx_timer.h"
#include "lua/request.h"
#include "lua/values.h"
#include "lua/words.h"
#include "lua/worker.h"
#include "net/sys.h"

#include <assert.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	THREADS_PER_SLAB = 64,
	REQUESTS_PER_SLAB = 64,
};

static int vm_key; /* its address is the key in the registry */

struct lua_vm *lua_vm_of(lua_State *L)
{
	const struct lua_request *r = lua_request_of(L);
	if (r)
		return r->vm;
	lua_pushlightuserdata(L, &vm_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	struct lua_vm *vm = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return vm;
}

/* ---- scripts ---- */

/* The same script as a function that makes the script's function: so that each request has its own
 * with globals of its own, and nothing is compiled again. */
static int load_maker(lua_State *L, const struct lua_script *s)
{
	static const char head[] = "return function(...) ", tail[] = "\nend";
	size_t len = sizeof head - 1 + s->len + sizeof tail - 1;
	char *text = mem_new(len);
	memcpy(text, head, sizeof head - 1);
	memcpy(text + sizeof head - 1, s->text, s->len);
	memcpy(text + sizeof head - 1 + s->len, tail, sizeof tail - 1);
	lua_pushfstring(L, "@%s", s->path);
	int status = luaL_loadbuffer(L, text, len, lua_tostring(L, -1));
	lua_remove(L, -2);
	mem_free(text);
	return status;
}

/* A first line that begins with # is the shell's. */
static struct lua_script without_shebang(const struct lua_script *s)
{
	struct lua_script copy = *s;
	const char *end = s->len > 0 && s->text[0] == '#' ? memchr(s->text, '\n', s->len) : NULL;
	if (end) {
		copy.text = s->text + (end - s->text);
		copy.len = s->len - (size_t)(end - s->text);
	}
	return copy;
}

static int load_script(lua_State *L, const struct lua_script *s)
{
	struct lua_script code = without_shebang(s);
	lua_pushfstring(L, "@%s", s->path);
	int status = luaL_loadbuffer(L, code.text, code.len, lua_tostring(L, -1));
	lua_remove(L, -2);
	if (status == 0) {
		lua_pop(L, 1);
		status = load_maker(L, &code);
	}
	return status;
}

/* Lua shortens a long path at its front. */
static struct slice without_path(struct slice text, const char *path, bool *is_short)
{
	const uint8_t *end = memchr(text.at, ':', text.len);
	size_t len = end ? (size_t)(end - text.at) : 0, whole = strlen(path);
	*is_short = len > 3 && memcmp(text.at, "...", 3) == 0 && len - 3 <= whole &&
	            memcmp(text.at + 3, path + whole - (len - 3), len - 3) == 0;
	return *is_short ? slice_of(end, text.len - len) : text;
}

void lua_say_why(struct slice text, const char *path, char why[LUA_WHY_MAX])
{
	bool is_short = false;
	if (path)
		text = without_path(text, path, &is_short);
	snprintf(why, LUA_WHY_MAX, "%s%.*s", is_short ? path : "",
	        (int)(text.len < LUA_WHY_MAX ? text.len : LUA_WHY_MAX), (const char *)text.at);
	why[strcspn(why, "\n")] = '\0';
}

static void say_why(lua_State *L, const char *path, char why[LUA_WHY_MAX])
{
	lua_say_why(lua_error_text(L), path, why);
}

bool lua_script_compiles(const struct lua_script *s, char why[LUA_WHY_MAX])
{
	lua_State *L = luaL_newstate();
	bool is_good = L && load_script(L, s) == 0;
	if (!is_good && L)
		say_why(L, s->path, why);
	else if (!L)
		snprintf(why, LUA_WHY_MAX, "out of memory");
	if (L)
		lua_close(L);
	return is_good;
}

static bool load_scripts(struct lua_vm *vm, char why[LUA_WHY_MAX])
{
	unsigned n = lua_handlers_count(vm->set);
	vm->script = mem_new((n + 1) * sizeof vm->script[0]);
	for (unsigned i = 0; i < n; i++)
		vm->script[i] = LUA_NOREF;
	for (unsigned i = 0; i < n; i++) {
		const struct lua_script *s = lua_handlers_script(vm->set, i);
		if (load_script(vm->L, s)) {
			say_why(vm->L, s->path, why);
			return false;
		}
		vm->script[i] = luaL_ref(vm->L, LUA_REGISTRYINDEX);
	}
	return true;
}

bool lua_vm_push_script(struct lua_vm *vm, lua_State *to, const struct lua_script *s)
{
	unsigned depth = lua_vm_pause(vm);
	lua_rawgeti(to, LUA_REGISTRYINDEX, vm->script[s->number]);
	if (s->kind != LUA_SCRIPT_INIT && s->kind != LUA_SCRIPT_INIT_WORKER) {
		lua_createtable(to, 0, 1);
		lua_pushvalue(to, -1);
		lua_setfield(to, -2, "_G");
		lua_rawgeti(to, LUA_REGISTRYINDEX, vm->env_meta);
		lua_setmetatable(to, -2);
		lua_setfenv(to, -2);
	}
	/* Nothing in it can fail, but for a hook that some script has left behind. */
	int status = lua_pcall(to, 0, 1, 0);
	lua_vm_resume(vm, depth);
	return status == 0;
}

/* ---- globals ---- */

/* A script that writes a global mostly forgot a `local`. What it writes stays in its own request,
 * if that has globals of its own. What is made in init and init_worker is for all. */
static int l_write_global(lua_State *L)
{
	struct lua_vm *vm = lua_vm_of(L);
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 3);
	if (vm->is_ready && lua_type(L, 2) == LUA_TSTRING &&
	        lua_phase_of(L) != LUA_PHASE_INIT_WORKER)
		lua_log_global(L, lua_tostring(L, 2));
	lua_rawset(L, 1);
	return 0;
}

static void make_globals(struct lua_vm *vm)
{
	lua_State *L = vm->L;
	lua_createtable(L, 0, 2);
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, l_write_global);
	lua_setfield(L, -2, "__newindex");
	vm->env_meta = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void guard_globals(lua_State *L)
{
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	if (!lua_getmetatable(L, -1)) {
		lua_createtable(L, 0, 1);
		lua_pushcfunction(L, l_write_global);
		lua_setfield(L, -2, "__newindex");
		lua_setmetatable(L, -2);
	} else {
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* Around the loader of modules in Lua: which files they were matters at a reload. */
static int l_load_module(lua_State *L)
{
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "searchpath");
	lua_pushvalue(L, 1);
	lua_getfield(L, -3, "path");
	if (lua_isfunction(L, -3) && lua_isstring(L, -1)) {
		lua_call(L, 2, 1);
		if (lua_isstring(L, -1))
			lua_handlers_add_module(lua_vm_of(L)->set, lua_tostring(L, -1));
	}
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, 1, LUA_MULTRET);
	return lua_gettop(L);
}

static void watch_modules(lua_State *L)
{
	enum { LUA_LOADER = 2 };
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "loaders");
	lua_rawgeti(L, -1, LUA_LOADER);
	lua_pushcclosure(L, l_load_module, 1);
	lua_rawseti(L, -2, LUA_LOADER);
	lua_pop(L, 2);
}

/* A hook is the whole VM's; so that nobody else keeps it, it goes with the request that has set it.
 */
static int l_set_hook(lua_State *L)
{
	struct lua_vm *vm = lua_vm_of(L);
	struct lua_request *r = lua_request_of(L);
	bool is_all = r && r->phase & (LUA_PHASE_INIT | LUA_PHASE_INIT_WORKER);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 0);
	vm->hook_owner = is_all || !lua_gethook(L) ? NULL : r;
	return 0;
}

static void watch_hooks(lua_State *L)
{
	lua_getglobal(L, "debug");
	lua_getfield(L, -1, "sethook");
	lua_pushcclosure(L, l_set_hook, 1);
	lua_setfield(L, -2, "sethook");
	lua_pop(L, 1);
}

/* LuaJIT's profiler belongs to the process, and its signal may meet any thread. */
static int l_no_profiler(lua_State *L)
{
	return luaL_error(L, "jit.profile cannot be used where workers are threads");
}

/* It would end the process, all sessions of all workers with it, without a word and with a status
 * that tells the service manager that this was meant. */
static int l_no_exit(lua_State *L)
{
	return luaL_error(L, "os.exit would end the daemon: want return, error() or ngx.exit()");
}

static void forbid_exit(lua_State *L)
{
	lua_getglobal(L, "os");
	lua_pushcfunction(L, l_no_exit);
	lua_setfield(L, -2, "exit");
	lua_pop(L, 1);
}

/* `;;` in a path is the default. */
static void set_path(lua_State *L, const char *field, const char *path)
{
	if (!path || !path[0])
		return;
	lua_getglobal(L, "package");
	lua_getfield(L, -1, field);
	const char *initial = lua_tostring(L, -1);
	luaL_gsub(L, path, ";;", ";\1;");
	luaL_gsub(L, lua_tostring(L, -1), "\1", initial);
	const char *text = lua_tostring(L, -1);
	text += text[0] == ';';
	lua_pushstring(L, text);
	lua_setfield(L, -5, field);
	lua_pop(L, 4);
}

static int open_all(lua_State *L)
{
	struct lua_vm *vm = lua_vm_of(L);
	const struct lua_settings *s = lua_handlers_settings(vm->set);
	luaL_openlibs(L);
	lua_libraries_open(L);
	lua_handlers_open_dicts(vm->set, L);
	ngx_re_set_limits(L, s->re);
	ngx_time_set_clock(L, lua_worker_wall_ms, vm->worker);
	set_path(L, "path", s->package_path);
	set_path(L, "cpath", s->package_cpath);
	watch_modules(L);
	watch_hooks(L);
	forbid_exit(L);
	lua_vm_preload(L, "jit.profile", l_no_profiler);
	make_globals(vm);
	return 0;
}

/* ---- life ---- */

/* init has ended, with its error's words on why. */
struct init {
	bool is_done, is_good;
	char *why;
};

static void on_init(struct lua_request *r, enum lua_outcome outcome)
{
	struct init *init = r->owner;
	init->is_done = true;
	init->is_good = outcome == LUA_RETURNED || outcome == LUA_EXITED;
	lua_request_free(r);
}

static bool run_init(struct lua_vm *vm, char why[LUA_WHY_MAX])
{
	const struct lua_script *s = lua_handlers_own(vm->set, LUA_SCRIPT_INIT);
	struct init init = {.why = why};
	struct lua_request *r = s ? lua_request_new(vm, LUA_PHASE_INIT) : NULL;
	if (!s)
		return true;
	if (!r) {
		snprintf(why, LUA_WHY_MAX, "out of memory");
		return false;
	}
	r->owner = &init;
	r->done = on_init;
	vm->worker->last_error = why;
	lua_request_start(r, s);
	vm->worker->last_error = NULL;
	if (!init.is_done)
		lua_request_cancel(r);
	return init.is_good;
}

/* An error where nobody can catch one: the VM is broken. */
static int on_panic(lua_State *L)
{
	struct log_line l;
	log_begin(&l, LOG_LEVEL_ERROR, "lua_panic");
	log_slice(&l, "error", lua_error_text(L));
	log_end(&l);
	abort();
}

static bool set_up(struct lua_vm *vm, char why[LUA_WHY_MAX])
{
	lua_vm_enter(vm);
	int status = lua_cpcall(vm->L, open_all, NULL);
	lua_vm_leave(vm, status);
	if (status) {
		say_why(vm->L, NULL, why);
		return false;
	}
	if (!load_scripts(vm, why) || !run_init(vm, why))
		return false;
	guard_globals(vm->L);
	vm->is_ready = true;
	return true;
}

struct lua_vm *lua_vm_new(struct lua_worker *w, struct lua_handlers *set, char why[LUA_WHY_MAX])
{
	struct lua_vm *vm = mem_new(sizeof *vm);
	vm->worker = w;
	vm->set = lua_handlers_ref(set);
	vm->users = 1;
	vm->env_meta = LUA_NOREF;
	vm->memory_max = lua_handlers_settings(set)->memory_max;
	vm->is_leaving = w->is_exiting;
	list_init(&vm->timers);
	list_init(&vm->requests);
	list_append(&w->vms, &vm->node);
	pool_init(&vm->thread_pool, sizeof(struct lua_thread), THREADS_PER_SLAB);
	pool_init(&vm->request_pool, sizeof(struct lua_request), REQUESTS_PER_SLAB);
	pool_init(&vm->client_pool, sizeof(struct lua_client), REQUESTS_PER_SLAB);
	sys_expect_forks(); /* os.execute(), io.popen() */
	vm->L = luaL_newstate();
	snprintf(why, LUA_WHY_MAX, "out of memory");
	if (vm->L) {
		lua_atpanic(vm->L, on_panic);
		lua_pushlightuserdata(vm->L, &vm_key);
		lua_pushlightuserdata(vm->L, vm);
		lua_rawset(vm->L, LUA_REGISTRYINDEX);
		lua_vm_count(vm);
	}
	if (!vm->L || !set_up(vm, why)) {
		lua_vm_unref(vm);
		return NULL;
	}
	return vm;
}

/* The state frees itself by the allocator that it was made with. */
static void close_state(struct lua_vm *vm)
{
	if (!vm->L)
		return;
	if (vm->finalizers_due > 0) {
		lua_vm_enter(vm);
		lua_vm_leave(vm, 0);
	}
	lua_blocks_drop(&vm->blocks);
	budget_take(-(int64_t)vm->memory);
	lua_setallocf(vm->L, vm->alloc, vm->alloc_ud);
	lua_close(vm->L);
}

void lua_vm_ref(struct lua_vm *vm)
{
	vm->users++;
}

void lua_vm_unref(struct lua_vm *vm)
{
	if (!vm || --vm->users > 0)
		return;
	assert(list_is_empty(&vm->timers));
	list_remove(&vm->node);
	close_state(vm);
	pool_fini(&vm->thread_pool);
	pool_fini(&vm->request_pool);
	pool_fini(&vm->client_pool);
	mem_free(vm->script);
	lua_handlers_unref(vm->set);
	mem_free(vm);
}

void lua_vm_preload(lua_State *L, const char *name, lua_CFunction open)
{
	lua_pushcfunction(L, open);
	lua_preload(L, name);
}
