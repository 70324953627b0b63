# SPDX-License-Identifier: BSD-2-Clause
"""Scripts that go where scripts do not go: as deep, as much, as late and as crosswise as they can.

Whatever they meet there, the daemon goes on, and others notice nothing."""

import os
import subprocess

import pytest

from helpers.daemon import BINARY, check_config, server_text, still_works
from helpers.peer import RawClient
from helpers.reloads import reload


def body(d, target="/h", status=200):
    client = d.client()
    client.send(client.get(target))
    return client.read_body(client.expect_answer(status)).decode()


# More values than a C function can have.
MANY = """
    local function twice(...) return 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, ... end
    local full = {} for i = 1, 7900 do full[i] = i end
    local function many() local f = twice return f(f(f(f(f(f(f(f(f(f(unpack(full))))))))))) end
"""


@pytest.mark.parametrize("call, said", [
    ("coroutine.resume(coroutine.create(function () return many() end))", "false stack overflow (too many values)"),
    ("coroutine.resume(coroutine.create(function () coroutine.yield(many()) end))",
     "false stack overflow (too many values)"),
    ("pcall(coroutine.resume, coroutine.create(function () end), many())", "false too many arguments to resume"),
    ("pcall(ngx.thread.spawn, function () end, many())", "false too many arguments to spawn"),
    ("ngx.thread.wait(ngx.thread.spawn(function () ngx.sleep(0.001) return many() end))",
     "false stack overflow (too many values)"),
    ("pcall(ngx.thread.wait, ngx.thread.spawn(function () return many() end))",
     "false stack overflow (too many results)"),
    ("pcall(ngx.timer.at, 0, print, many())", "false bad argument #7901 to '?' (too many arguments)"),
])
def test_more_values_than_fit(lua, call, said):
    d = lua(f"{MANY} local ok, err = {call} ngx.say(tostring(ok), ' ', err)")
    assert body(d) == f"{said}\n"
    still_works(d)


# Called so deeply that no room is left on its stack for what comes back. How deep that is depends on much.
DEEP = """
    local function values() local t = {} for i = 1, 7000 do t[i] = i end return unpack(t) end
    local function deep(n, f) if n == 0 then return (select('#', f())) end return 1 + deep(n - 1, f) end
    local function yields() return coroutine.resume(coroutine.create(function () coroutine.yield(values()) end)) end
    local function waits()
        return ngx.thread.wait(ngx.thread.spawn(function () ngx.sleep(0.001) return values() end))
    end
    local function resumed(f, n)
        local co = coroutine.create(deep)
        local ok, err = coroutine.resume(co, n, f)
        return err, coroutine.status(co)
    end
    local function spawned(f, n) return select(2, ngx.thread.wait(ngx.thread.spawn(deep, n, f))), "dead" end
    local function resumed_again(_, n)
        local co = coroutine.create(deep)
        local ok, err = coroutine.resume(co, n, coroutine.yield)
        if ok then ok, err = coroutine.resume(co, values()) end
        return err, coroutine.status(co)
    end
"""


@pytest.mark.parametrize("how", ["resumed, yields", "resumed, waits", "spawned, yields", "spawned, waits", "resumed_again"])
def test_values_for_one_that_is_too_deep(lua, how):
    d = lua(DEEP + """
        local seen = {}
        local function try(how, f)
            for n = 1000, 24000, 500 do
                local said, status = how(f, n)
                local key = type(said) == "number" and "good" or tostring(said):gsub("^.*: ", "")
                seen[key .. " " .. status] = true
            end
        end
        try(%s)
        local out = {}
        for key in pairs(seen) do out[#out + 1] = key end
        table.sort(out)
        ngx.say(table.concat(out, ", "))
    """ % how)
    assert body(d) == "good dead, stack overflow dead\n"
    still_works(d)


@pytest.mark.parametrize("how", ["yields", "waits"])
def test_the_entry_thread_is_too_deep(lua, how):
    d = lua(f"{DEEP} ngx.say(deep(tonumber(ngx.var.arg_n), {how}))")
    statuses = set()
    for n in range(1000, 24000, 1000):
        client = d.client()
        client.send(client.get(f"/h?n={n}"))
        statuses.add(client.read_head().status)
        client.close()
    assert statuses == {200, 500}
    d.wait_text("lua entry thread aborted: runtime error: stack overflow")
    still_works(d)


RECURSION = {
    "sort": "local co = coroutine.create(f) table.sort({1, 2, 3}, function () assert(coroutine.resume(co)) return false end)",
    "gsub": "string.gsub('x', '.', f)",
    "re": "ngx.re.gsub('x', '.', function () f() return '' end)",
    "tostring": "ngx.log(ngx.ERR, setmetatable({}, {__tostring = f}))",
    "load": "assert(load(f))",
    "metamethod": "local x = setmetatable({}, {__index = f}).x",
    "wrap": "coroutine.wrap(f)()",
    "pcall": "assert(pcall(f))",
    "spawn": "ngx.thread.wait(ngx.thread.spawn(f))",
}


@pytest.mark.parametrize("how", RECURSION)
def test_without_end_through_c(lua, how):
    """Where Lua's own limit does not count, memory or the C stack would be what ends it."""
    text = f"local n = 0 local function f() n = n + 1 {RECURSION[how]} return 'x' end"
    d = lua(f"{text} local ok = pcall(f) ngx.say(tostring(ok), ' ', n > 100)", process={"lua_memory": "8m"})
    client = d.client()
    client.send(client.get("/h"))
    head = client.read_head()
    assert head.status == 500 or client.read_body(head) in (b"false true\n", b"true true\n")
    client.close()
    still_works(d)


def test_without_end_through_c_while_it_is_checked(lua):
    d = lua("ngx.say('fine')", init="local function f() return (string.gsub('x', '.', f)) end pcall(f)")
    assert body(d) == "fine\n"


def test_functions_behind_metatables(lua):
    """What scripts can get hold of there takes any arguments."""
    d = lua("""
        local args = {{}, {1}, {nil, "zz", 1}, {5, "zz", 1}, {"s", "zz", 1}, {{}}, {{}, nil, 1}, {{}, 0/0, 1},
            {{}, "status"}, {coroutine.create(function () end), "a", 1}, {{}, {}, {}}, {{}, print, print}}
        local seen, n = {}, 0
        local function try(f)
            for _, a in ipairs(args) do pcall(f, unpack(a, 1, 3)) pcall(f, unpack(a, 1, 2)) n = n + 1 end
        end
        local function visit(t, depth)
            if seen[t] or depth > 3 then return end
            seen[t] = true
            local meta = debug.getmetatable(t)
            for _, f in pairs(type(meta) == "table" and meta or {}) do
                if type(f) == "function" then try(f) elseif type(f) == "table" then visit(f, depth + 1) end
            end
            for k, v in pairs(type(t) == "table" and t or {}) do
                if type(v) == "table" or type(v) == "userdata" then visit(v, depth + 1) end
            end
        end
        visit(_G, 0) visit(getfenv(1), 0) visit(ngx, 0)
        ngx.exit(n > 50 and 204 or 500)
    """)
    client = d.client()
    client.send(client.get("/h"))
    client.read_head()
    still_works(d)


# A coroutine of one request that another one resumes, when it is the parent of a thread of the first.
CROSSWISE = """
    local m = require "m"
    if ngx.var.arg_first then
        m.co = coroutine.create(function ()
            m.thread = ngx.thread.spawn(function () while not m.is_over do ngx.sleep(0.001) end return "end" end)
            while true do coroutine.yield(ngx.thread[coroutine.yield()](m.thread)) end
        end)
        coroutine.resume(m.co)
        ngx.say("ready") ngx.flush(true)
        while not m.is_over do ngx.sleep(0.001) end
        return ngx.say("first ", tostring(coroutine.status(m.thread)))
    end
    local ok, err = coroutine.resume(m.co, ngx.var.arg_how)
    m.is_over = true
    ngx.say(tostring(ok), " ", err)
"""


@pytest.mark.parametrize("how", ["wait", "kill"])
def test_threads_of_another_request(lua, how):
    d = lua(CROSSWISE, files={"m.lua": "return {}"})
    first = d.client()
    first.send(first.get("/h?first=1"))
    head = first.expect_answer(200)
    first.read_until(b"ready\n\r\n")
    assert body(d, f"/h?how={how}").endswith(": no co ctx found\n")
    assert first.read_body(head).startswith(b"first ")
    still_works(d)


def test_what_a_semaphore_gave_to_one_that_is_no_more(lua):
    d = lua("""
        local s = require "s"
        if ngx.var.arg_n then return ngx.say(s:count()) end
        if ngx.var.arg_next then
            ngx.say("waits") ngx.flush(true)
            return ngx.say(tostring(s:wait(20)))
        end
        ngx.thread.spawn(function () s:wait(5) ngx.say("never") end)
        s:post()
        ngx.exit(200)
    """, files={"s.lua": "return require('ngx.semaphore').new()"})
    body(d)
    assert body(d, "/h?n=1") == "1\n"
    assert body(d, "/h?next=1") == "waits\ntrue\n"
    waiting = d.client()
    waiting.send(waiting.get("/h?next=1"))
    head = waiting.expect_answer(200)
    waiting.read_until(b"waits\n\r\n")
    body(d)
    assert waiting.read_body(head) == b"true\n"
    assert body(d, "/h?n=1") == "0\n"


def test_numbers_that_nobody_counts_to(lua):
    d = lua("""
        local semaphore = require "ngx.semaphore"
        local s = semaphore.new(1e300)
        for _, n in ipairs{1e300, math.huge, 2^62, 2^63, 1} do s:post(n) s:count() end
        assert(s:count() > 1e14 and s:wait(0))
        for _, n in ipairs{0/0, -1, -math.huge} do
            assert(not pcall(semaphore.new, n)) assert(not pcall(s.post, s, n)) assert(not pcall(s.wait, s, n))
        end
        local none = semaphore.new()
        for _, seconds in ipairs{1e300, math.huge, 1e18} do
            ngx.thread.spawn(function () ngx.sleep(0.001) none:post() end)
            assert(none:wait(seconds))
        end
        ngx.say("good")
    """)
    assert body(d) == "good\n"


HUNGER = {
    "strings": "local t = {} for i = 1, 1e9 do t[i] = 'k' .. i end",
    "one string": "local s = 'x' while true do s = s .. s end",
    "tables": "local t = {} for i = 1, 1e9 do t[i] = {i} end",
    "one table": "local t = {} for i = 1, 1e9 do t[i] = i end",
    "closures": "local t = {} while true do local n = #t t[n + 1] = function () return n end end",
    "coroutines": "local t = {} while true do t[#t + 1] = coroutine.create(function () end) end",
    "ffi": "local t, new = {}, require('ffi').new while true do t[#t + 1] = new('char[?]', 1000) end",
    "buffer": "local b = require('string.buffer').new() while true do b:put('xxxxxxxxxxxxxxxx') end",
}


@pytest.mark.parametrize("what", HUNGER)
def test_hunger_of_compiled_code(lua, what):
    """LuaJIT's own error for it is not safe in what it has compiled. Each time a bit less is left."""
    d = lua("""
        local hold, ok, err = {}
        for i = 1, tonumber(ngx.var.arg_n) do hold[i] = ("x"):rep(20000) .. i end
        local function hungry() %s end
        ok, err = pcall(hungry)
        hold = nil
        collectgarbage()
        ngx.say(tostring(ok), " ", (tostring(err):gsub("^.*: ", "")))
    """ % HUNGER[what], process={"lua_memory": "6m", "lua_stall": "10s"})
    for n in range(0, 200, 20):
        assert body(d, f"/h?n={n}") == "false not enough memory\n"
    still_works(d)


def test_a_module_that_memory_was_short_for(lua):
    d = lua("""
        local hold = {}
        if ngx.var.arg_hungry then
            hold[1] = ("x"):rep(5 * 1024 * 1024)
            for _ = 1, 300 do pcall(function () for i = 1, 1e6 do hold[#hold + 1] = ("x"):rep(100 + i) end end) end
        end
        ngx.say(type(require "big"))
    """, files={"big.lua": "local t = {} for i = 1, 1e5 do t[i] = i end return t"},
        process={"lua_memory": "6m", "lua_stall": "10s"})
    body(d, "/h?hungry=1", status=500)
    assert body(d) == "table\n"


def test_a_hook_goes_with_its_request(lua):
    d = lua("""
        if ngx.var.arg_hook then
            debug.sethook(function () error("of a hook", 0) end, "", 1000)
            return ngx.exit(204)
        end
        for i = 1, 1e5 do math.abs(i) end
        ngx.say((select(3, debug.gethook())))
    """)
    client = d.client()
    client.send(client.get("/h?hook=1"))
    client.expect_answer(204)
    assert body(d) == "0\n"


def test_a_hook_of_init_stays(lua):
    d = lua("if ngx.var.arg_other then debug.sethook(debug.gethook()) end ngx.say(type(debug.gethook()))",
            init="debug.sethook(function () end, '', 1e6)")
    for _ in range(3):
        assert body(d) == "function\n"


@pytest.mark.parametrize("of", ["handler", "access", "log", "init_worker"])
def test_a_script_cannot_end_the_daemon(lua, of):
    d = lua(**{"handler": "ngx.say('served')", of: "local ok, why = pcall(os.exit, 0) ngx.log(ngx.WARN, why) "
               + ("ngx.say('served')" if of == "handler" else "")})
    assert body(d) == "served\n"
    d.wait_text("os.exit would end the daemon: want return, error() or ngx.exit()")


def test_init_cannot_end_the_check(tmp_path):
    """Its status would be that of a good configuration."""
    (tmp_path / "init.lua").write_text("os.exit(0)")
    config = tmp_path / "moongate.conf"
    config.write_text("[moongate]\ninit = init.lua\nallow_root_handlers = yes\n[listener l]\nbind = 127.0.0.1:18080\n"
                      "[route r]\nhandler = init.lua\n")
    status, said = check_config(config)
    assert status == 78 and "os.exit would end the daemon" in said


@pytest.mark.parametrize("module", ["jit.profile", "jit.p"])
def test_the_profiler_is_not_for_threads(lua, module):
    d = lua(f"ngx.say(select(2, pcall(require, '{module}')))")
    assert "jit.profile cannot be used where workers are threads" in body(d)


def test_a_script_that_is_no_file(lua, tmp_path):
    d = lua("ngx.say('one')")
    (tmp_path / "handler.lua").unlink()
    os.mkfifo(tmp_path / "handler.lua")
    reload(d, refused=True)
    d.wait_text("handler.lua: invalid argument")
    assert body(d) == "one\n"


def test_timers_of_vms_that_are_not_cached(lua, tmp_path):
    """Those that a reload or the end leaves behind fire as premature, whichever VM they are of."""
    script = """
        ngx.timer.at(3600, function (p) ngx.log(ngx.WARN, "%s ", tostring(p)) end)
        ngx.timer.every(3600, function (p) ngx.log(ngx.WARN, "every %s ", tostring(p)) end)
        ngx.say("x")
    """
    d = lua(script % ("first", "first"), process={"lua_code_cache": "off"})
    body(d)
    body(d)
    (tmp_path / "handler.lua").write_text(script % ("second", "second"))
    reload(d)
    d.wait_text("every first true")
    body(d)
    d.stop()
    d.wait_text("every second true")


def test_a_choice_of_access_is_taken_back(lua, upstream):
    d = lua(access="ngx.var.upstream = 'other' ngx.var.upstream_server = '127.0.0.1:1' "
                   "ngx.var.upstream = nil ngx.var.upstream_server = nil",
            does={"upstream": "app"}, upstream=upstream,
            extra="\n[upstream other]\nserver = ws://127.0.0.1:1\n")
    client = d.client()
    client.send(client.request("/h"))
    upstream.accept_open()
    client.expect_101()


@pytest.mark.parametrize("end", ["leaves", "stays"])
def test_a_chosen_group_that_a_reload_removes(lua, upstream, tmp_path, end):
    d = lua(access=f"ngx.var.upstream = 'other' ngx.log(ngx.WARN, 'waits') local f "
                   f"repeat ngx.sleep(0.001) f = io.open('{tmp_path}/told') until f f:close()",
            does={"upstream": "app"}, upstream=upstream,
            extra=f"\n[upstream other]\nserver = {server_text(upstream.address)}\n")
    client = d.client()
    client.send(client.request("/h"))
    d.wait_text("waits")
    (tmp_path / "access.lua").write_text("ngx.exit(403)")
    d.config.write_text(d.config.read_text().replace("[upstream other]", "[upstream another]"))
    reload(d)
    if end == "leaves":
        client.close()
    (tmp_path / "told").touch()
    if end == "stays":
        upstream.accept_open()
        client.expect_101()
    other = d.client()
    other.send(other.request("/h"))
    other.expect_answer(403)


def test_a_script_that_never_comes_back_does_not_hold_up_the_end(tmp_path):
    """Its worker is abandoned, and with it the process ends; told as a failure."""
    (tmp_path / "loop.lua").write_text("ngx.log(ngx.WARN, 'begins') while true do end")
    config = tmp_path / "loop.conf"
    config.write_text("[moongate]\nallow_root_handlers = yes\n[listener main]\n"
                      f"bind = unix:{tmp_path}/s\n[route h]\nhandler = loop.lua\n")
    with subprocess.Popen([BINARY, "-c", config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as p:
        client = None
        for line in p.stdout:
            if " ready " in line:
                client = RawClient(f"{tmp_path}/s")
                client.send(client.get("/"))
            if "begins" in line:
                p.terminate()
            if " stopping " in line:
                p.terminate()
            if " worker_abandoned " in line:
                assert f"script={tmp_path}/loop.lua" in line or "loop.lua" in line
                break
        rest = p.stdout.read()
        assert p.wait(20) == 1, rest
    client.close()


def test_threads_that_wake_each_other_without_end(lua):
    """Others have their turn all the same."""
    d = lua("""
        local m = require "m"
        if ngx.var.arg_end then m.is_over = m.n > 10000 return ngx.say(m.is_over) end
        local new = require("ngx.semaphore").new
        local a, b = new(), new()
        ngx.thread.spawn(function () while not m.is_over do a:wait(20) m.n = m.n + 1 b:post() end end)
        ngx.say("begins") ngx.flush(true)
        while not m.is_over do a:post() b:wait(20) end
        a:post()  -- the answer ends with the last thread
        ngx.say("end")
    """, files={"m.lua": "return {n = 0}"})
    first = d.client()
    first.send(first.get("/h"))
    head = first.expect_answer(200)
    first.read_until(b"begins\n\r\n")
    while body(d, "/h?end=1") != "true\n":
        pass
    assert first.read_body(head) == b"end\n"


def test_a_stall_of_many_switches(lua):
    d = lua("""
        local next = coroutine.wrap(function () while true do coroutine.yield() end end)
        local from = os.clock()
        while os.clock() - from < 0.4 do next() end
        ngx.say("ok")
    """, process={"lua_stall": "100ms"})
    assert body(d) == "ok\n"
    d.wait_line("lua_stall")
