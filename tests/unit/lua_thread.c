/* SPDX-License-Identifier: BSD-2-Clause */

/* VMs, handler sets and the scheduler on a worker whose clock the test turns; scripts are timers of
 * an init_worker, which report by ngx.log(), and by a function that notes what it is given. */

#include "lua/thread.h"

#include "base/budget.h"
#include "base/mem.h"
#include "lua/ngx_timer.h"
#include "lua/request.h"
#include "lua/vm.h"
#include "lua/worker.h"
#include "net/worker.h"
#include "proxy/proxy.h"

#include <check.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct worker *worker;
static struct proxy *proxy;
static struct lua_worker *lw;
static char folder[64], noted[4096];

/* note(...) writes its arguments down, each with a comma behind it. */
static int l_note(lua_State *L)
{
	for (int i = 1; i <= lua_gettop(L); i++) {
		lua_getglobal(L, "tostring");
		lua_pushvalue(L, i);
		lua_call(L, 1, 1);
		strncat(noted, lua_tostring(L, -1), sizeof noted - strlen(noted) - 1);
		strncat(noted, ",", sizeof noted - strlen(noted) - 1);
		lua_pop(L, 1);
	}
	return 0;
}

/* A wait that nobody ends but its timeout or its cancelling; then it is noted. */
static int on_expired(struct lua_wait *w)
{
	lua_pushliteral(w->L, "expired");
	return 1;
}

static void on_cancelled(struct lua_wait *w)
{
	(void)w;
	strcat(noted, "cancelled,");
}

static const struct lua_wait_ops ops = {.expire = on_expired, .cancel = on_cancelled};
static struct lua_wait *waiting;

static int l_wait(lua_State *L)
{
	struct lua_wait *w = lua_wait_begin(L, &ops, NULL);
	waiting = w;
	return lua_wait(L, w, (uint64_t)luaL_optinteger(L, 1, 0));
}

static void write_file(const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static struct lua_handlers *make_set(uint64_t memory_max)
{
	char why[LUA_WHY_MAX];
	struct lua_settings s = {.init = mem_format("%s/init.lua", folder),
	        .init_worker = mem_format("%s/worker.lua", folder),
	        .max_pending_timers = 100,
	        .max_running_timers = 100,
	        .memory_max = memory_max,
	        .is_cached = true};
	struct lua_handlers *set = lua_handlers_new(&s);
	const struct lua_settings *own = lua_handlers_settings(set);
	ck_assert_msg(lua_handlers_add(set, LUA_SCRIPT_INIT, own->init, why), "%s", why);
	ck_assert_msg(
	        lua_handlers_add(set, LUA_SCRIPT_INIT_WORKER, own->init_worker, why), "%s", why);
	return set;
}

/* Runs a script as the function of a timer, with note() and wait(). */
static void run(const char *script, uint64_t memory_max)
{
	char why[LUA_WHY_MAX], *text = mem_format("ngx.timer.at(0, function () %s\nend)", script);
	write_file("worker.lua", text);
	write_file("init.lua", "");
	mem_free(text);
	struct lua_handlers *set = make_set(memory_max);
	noted[0] = '\0';
	ck_assert_msg(lua_worker_use(lw, set, why), "%s", why);
	lua_handlers_unref(set);
	lua_State *L = lw->vm->L;
	lua_pushliteral(L, "note");
	lua_pushcfunction(L, l_note);
	lua_rawset(L, LUA_GLOBALSINDEX);
	lua_pushliteral(L, "wait");
	lua_pushcfunction(L, l_wait);
	lua_rawset(L, LUA_GLOBALSINDEX);
	worker_turn(worker, 0);
}

static void pass(uint64_t ms)
{
	worker_set_time(worker, worker->now_ms + ms);
	worker_turn(worker, 0);
	worker_turn(worker, 0);
}

static void setup(void)
{
	strcpy(folder, "/tmp/moongate-lua-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	worker = worker_new(0);
	worker_set_time(worker, worker->now_ms + 1);
	proxy = proxy_new(worker);
	lw = lua_worker_new(worker, 1);
	waiting = NULL;
}

static void teardown(void)
{
	char path[128];
	proxy_abort(proxy);
	lua_worker_end(lw);
	worker_free_retired(worker);
	lua_worker_free(lw);
	proxy_free(proxy);
	worker_free(worker);
	snprintf(path, sizeof path, "%s/init.lua", folder);
	unlink(path);
	snprintf(path, sizeof path, "%s/worker.lua", folder);
	unlink(path);
	rmdir(folder);
}

START_TEST(a_wait_ends_by_waking)
{
	run("note('a') note(wait(), 'b')", 0);
	ck_assert_str_eq(noted, "a,");
	lua_pushinteger(waiting->L, 7);
	lua_wake(waiting, 1);
	ck_assert_str_eq(noted, "a,7,b,");
	ck_assert_uint_eq(lw->vm->running_timers, 0);
}
END_TEST

START_TEST(a_wait_ends_by_its_timeout_and_not_before)
{
	run("note(wait(50)) note(wait(100))", 0);
	pass(49);
	ck_assert_str_eq(noted, "");
	pass(1);
	ck_assert_str_eq(noted, "expired,");
	pass(99);
	ck_assert_str_eq(noted, "expired,");
	pass(1);
	ck_assert_str_eq(noted, "expired,expired,");
}
END_TEST

/* The timer of a wait that was woken stays armed; it must not end the next one. */
START_TEST(a_timer_left_over_ends_nothing)
{
	run("note(wait(50)) note(wait()) note(wait(1000))", 0);
	lua_pushliteral(waiting->L, "woken");
	lua_wake(waiting, 1);
	pass(200);
	ck_assert_str_eq(noted, "woken,");
	lua_wake(waiting, 0);
	pass(999);
	ck_assert_str_eq(noted, "woken,");
	pass(1);
	ck_assert_str_eq(noted, "woken,expired,");
}
END_TEST

START_TEST(a_later_wait_with_an_earlier_end)
{
	run("ngx.thread.spawn(function () note(wait(1000)) end) note(wait(10)) note('x')", 0);
	pass(10);
	ck_assert_str_eq(noted, "expired,x,");
	pass(990);
	ck_assert_str_eq(noted, "expired,x,expired,");
}
END_TEST

START_TEST(killing_cancels_however_deep)
{
	run("local t = ngx.thread.spawn(function () coroutine.wrap(function () "
	    "coroutine.wrap(function () wait() end)() end)() end) note(ngx.thread.kill(t))",
	        0);
	ck_assert_str_eq(noted, "cancelled,1,");
}
END_TEST

START_TEST(the_end_of_all_cancels_all)
{
	run("for i = 1, 3 do ngx.thread.spawn(wait) end wait()", 0);
	ck_assert_uint_eq(lw->vm->running_timers, 1);
	ngx_timer_leave(lw->vm);
	ck_assert_str_eq(noted, "");
	lua_request_cancel(list_entry(lw->vm->requests.next, struct lua_request, node));
	ck_assert_str_eq(noted, "cancelled,cancelled,cancelled,cancelled,");
}
END_TEST

/* One runs on in the queue of the next turn, so that the loop turns between two of them. */
START_TEST(turns_are_given)
{
	run("for i = 1, 3 do note(i) ngx.sleep(0) end", 0);
	ck_assert_str_eq(noted, "1,");
	worker_turn(worker, 0);
	ck_assert_str_eq(noted, "1,2,");
	worker_turn(worker, 0);
	ck_assert_str_eq(noted, "1,2,3,");
}
END_TEST

/* exdata is the running request, and nothing once there is none. */
START_TEST(coroutines_know_their_request)
{
	run("co = coroutine.create(function () wait() coroutine.yield() wait() end) "
	    "coroutine.resume(co) "
	    "note(coroutine.status(co))",
	        0);
	lua_State *L = lw->vm->L;
	lua_wake(waiting, 0);
	ck_assert_str_eq(noted, "suspended,");
	struct lua_request *r = NULL;
	for (int i = 0; i < 1; i++) {
		lua_getglobal(L, "co");
		if (lua_isthread(L, -1))
			r = lua_request_of(lua_tothread(L, -1));
		lua_pop(L, 1);
	}
	ck_assert_ptr_null(r);
}
END_TEST

START_TEST(coroutines_are_used_again)
{
	run("ngx.timer.every(0.01, function () note('t') end)", 0);
	for (int i = 0; i < 5; i++)
		pass(10);
	ck_assert_str_eq(noted, "t,t,t,t,t,");
	ck_assert_uint_ge(lw->vm->idle_n, 1);
	ck_assert_uint_le(lw->vm->idle_n, 2);
}
END_TEST

START_TEST(want_of_memory_is_an_error_and_passes)
{
	run("note(pcall(string.rep, 'x', 8e6)) note(#string.rep('x', 1e5))", 4 << 20);
	ck_assert_str_eq(noted, "false,not enough memory,100000,");
	ck_assert_uint_lt(lw->vm->memory, 4 << 20);
	ck_assert(lua_vm_has_room(lw->vm->L, 1 << 20));
	ck_assert(!lua_vm_has_room(lw->vm->L, 4 << 20));
}
END_TEST

/* rawset(): or the error would be caught anyway. */
START_TEST(finalizers_wait_for_a_protected_call)
{
	static const char bytes[100000];
	run("local p = newproxy(true) "
	    "rawset(getmetatable(p), '__gc', function () note('gc') error('broken') end)",
	        0);
	lua_State *L = lw->vm->L;
	ck_assert_ptr_nonnull(lw->vm->gc_threshold);
	for (int i = 0; i < 200; i++) {
		lua_pushlstring(L, bytes, sizeof bytes - (size_t)i);
		lua_pop(L, 1);
	}
	ck_assert_str_eq(noted, "");
	lua_vm_enter(lw->vm);
	ck_assert_int_ne(luaL_dostring(L, "for i = 1, 1e5 do local x = {} end"), 0);
	lua_vm_leave(lw->vm, 0);
	lua_pop(L, 1);
	ck_assert_str_eq(noted, "gc,");
}
END_TEST

/* Whatever scripts allocate themselves. */
START_TEST(what_is_pushed_from_outside_is_collected)
{
	static char bytes[100000];
	run("note('x')", 0);
	for (int i = 0; i < 3000; i++) {
		memcpy(bytes, &i, sizeof i);
		lua_pushlstring(lw->vm->L, bytes, sizeof bytes);
		lua_pop(lw->vm->L, 1);
		lua_vm_enter(lw->vm);
		lua_vm_leave(lw->vm, 0);
		ck_assert_uint_lt(lw->vm->memory, 8 << 20);
	}
}
END_TEST

START_TEST(the_budget_knows_of_it)
{
	int64_t before = budget_own.taken;
	run("keep = string.rep('x', 1e6)", 0);
	budget_settle();
	ck_assert_uint_ge(budget_taken(), 1000000);
	(void)before;
}
END_TEST

START_TEST(a_set_with_an_error_is_refused)
{
	static const struct {
		const char *init, *why;
	} sets[] = {
	        {"x =", "init.lua:1: unexpected symbol near '<eof>'"},
	        {"\nerror('no', 1)", "init.lua:2: no"},
	        {"error({})", "unknown reason"},
	        {"ngx.exit(0)", "no request found"},
	        {"ngx.timer.at(0, print)", "no request found"},
	};
	write_file("worker.lua", "");
	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
		char why[LUA_WHY_MAX] = "";
		write_file("init.lua", sets[i].init);
		struct lua_handlers *set = make_set(0);
		ck_assert(!lua_handlers_check(set, why));
		ck_assert_msg(strstr(why, sets[i].why) != NULL, "%s", why);
		ck_assert(!lua_worker_use(lw, set, why));
		ck_assert_ptr_null(lw->vm);
		lua_handlers_unref(set);
	}
}
END_TEST

START_TEST(sets_are_equal_while_files_and_settings_are)
{
	write_file("init.lua", "a = 1");
	write_file("worker.lua", "");
	struct lua_handlers *a = make_set(0), *b = make_set(0), *c = make_set(1 << 20);
	ck_assert(lua_handlers_equal(a, b));
	ck_assert(!lua_handlers_equal(a, c));
	write_file("init.lua", "a = 2");
	struct lua_handlers *d = make_set(0);
	ck_assert(!lua_handlers_equal(a, d));
	lua_handlers_add_module(a, "/proc/self/nothing");
	ck_assert(!lua_handlers_is_stale(a));
	char *path = mem_format("%s/init.lua", folder);
	lua_handlers_add_module(a, path);
	ck_assert(!lua_handlers_is_stale(a));
	write_file("init.lua", "a = 3");
	ck_assert(lua_handlers_is_stale(a));
	mem_free(path);
	lua_handlers_unref(a);
	lua_handlers_unref(b);
	lua_handlers_unref(c);
	lua_handlers_unref(d);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lua/thread");
	TCase *t = tcase_create("thread");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_wait_ends_by_waking);
	tcase_add_test(t, a_wait_ends_by_its_timeout_and_not_before);
	tcase_add_test(t, a_timer_left_over_ends_nothing);
	tcase_add_test(t, a_later_wait_with_an_earlier_end);
	tcase_add_test(t, killing_cancels_however_deep);
	tcase_add_test(t, the_end_of_all_cancels_all);
	tcase_add_test(t, turns_are_given);
	tcase_add_test(t, coroutines_know_their_request);
	tcase_add_test(t, coroutines_are_used_again);
	tcase_add_test(t, want_of_memory_is_an_error_and_passes);
	tcase_add_test(t, finalizers_wait_for_a_protected_call);
	tcase_add_test(t, what_is_pushed_from_outside_is_collected);
	tcase_add_test(t, the_budget_knows_of_it);
	tcase_add_test(t, a_set_with_an_error_is_refused);
	tcase_add_test(t, sets_are_equal_while_files_and_settings_are);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
