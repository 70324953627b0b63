# SPDX-License-Identifier: BSD-2-Clause
"""How scripts run: phases, coroutines, light threads, timers, semaphores, globals, the limits of a VM."""

import pytest

from helpers.daemon import still_works

def ask(daemon, target="/h", **how):
    """A plain request; its answer's body."""
    client = daemon.client()
    client.send(client.get(target, **how))
    head = client.expect_answer(200)
    return client.read_body(head).decode()


def lines(daemon, target="/h"):
    return ask(daemon, target).splitlines()


def test_phases_each_by_its_name(lua):
    tell = "ngx.log(ngx.WARN, 'phase ', ngx.get_phase())"
    d = lua(f"{tell} ngx.say('ok')", access=tell, log=tell, init=tell, exit_worker=tell,
            init_worker=f"{tell} ngx.timer.at(0, function () {tell} end)")
    assert lines(d) == ["ok"]
    for phase in ("init", "init_worker", "timer", "access", "content", "log"):
        d.wait_text(f"phase {phase}")
    d.stop()
    d.wait_text("phase exit_worker")


def test_a_phase_allows_what_it_should(lua):
    attempt = """
        local ok, err = pcall(%s)
        ngx.log(ngx.WARN, "tried ", ngx.get_phase(), ": ", tostring(err))
    """
    sleep = attempt % "ngx.sleep, 0.001"
    d = lua("ngx.say('ok')", log=sleep + attempt % "ngx.say, 'x'", init_worker=sleep,
            init=attempt % "ngx.req.get_method")
    lines(d)
    d.wait_text("tried init: no request found")
    d.wait_text("tried init_worker: API disabled in the context of init_worker_by_lua*")
    d.wait_text("tried log: API disabled in the context of log_by_lua*")


def test_ctx_goes_from_phase_to_phase_and_no_further(lua):
    d = lua("ngx.say(ngx.ctx.n) ngx.ctx.n = ngx.ctx.n + 1", access="ngx.ctx.n = (ngx.ctx.n or 0) + 1",
            log="ngx.log(ngx.WARN, 'ctx ', ngx.ctx.n)")
    client = d.client()
    for i in range(2):
        client.send(client.get("/h"))
        # An access script's connection ends with its answer only when that was the script's.
        assert client.read_body(client.expect_answer(200)) == b"1\n"
        d.wait_text("ctx 2", i + 1)


def test_each_request_has_globals_of_its_own(lua):
    d = lua("ngx.say(tostring(mine)) mine = 'set' ngx.say(mine, ' ', tostring(_G.mine))")
    assert lines(d) == ["nil", "set set"]
    assert lines(d) == ["nil", "set set"]
    d.wait_text("writing a global Lua variable ('mine')")


def test_coroutines_wait_wherever_they_are(lua):
    d = lua("""
        local function work(x)
            ngx.sleep(0.001)
            local y = coroutine.yield(x + 1)
            local ok, err = pcall(function () ngx.sleep(0.001) error({y}) end)
            return "end", ok, err[1]
        end
        local co = coroutine.create(work)
        ngx.say(coroutine.status(co))
        ngx.say(coroutine.resume(co, 1))
        ngx.say(coroutine.status(co))
        ngx.say(coroutine.resume(co, "y"))
        ngx.say(coroutine.status(co))
        ngx.say(coroutine.resume(co))
        local failing = coroutine.create(function () ngx.sleep(0.001) error("no", 0) end)
        ngx.say(coroutine.resume(failing))
        for i in coroutine.wrap(function () for i = 1, 3 do ngx.sleep(0.001) coroutine.yield(i) end end) do
            ngx.print(i, " ")
        end
        ngx.say(pcall(coroutine.wrap(function () ngx.sleep(0) error("wrapped", 0) end)))
    """)
    assert lines(d) == ["suspended", "true2", "suspended", "trueendfalsey", "dead",
                        "falsecannot resume dead coroutine", "falseno", "1 2 3 falsewrapped"]


def test_yields_across_metamethods_iterators_and_deep_coroutines(lua):
    d = lua("""
        local lazy = setmetatable({}, {
            __index = function (_, k) ngx.sleep(0.001) return k .. "!" end,
            __call = function (_, x) ngx.sleep(0.001) return x * 2 end,
            __concat = function (a, b) ngx.sleep(0.001) return "joined" end,
        })
        ngx.say(lazy.x, " ", lazy(4), " ", lazy .. "y")
        local function nest(n)
            if n == 0 then ngx.sleep(0.001) return 0 end
            return 1 + coroutine.wrap(function () return nest(n - 1) end)()
        end
        ngx.say(nest(50))
    """)
    assert lines(d) == ["x! 8 joined", "50"]


def test_below_a_function_that_cannot_yield_coroutines_run_and_waiting_is_refused(lua):
    d = lua("""
        local t = {3, 1, 2}
        table.sort(t, function (a, b)
            return coroutine.wrap(function () coroutine.yield(a < b) end)()
        end)
        ngx.say(table.concat(t, ","))
        ngx.say((string.gsub("ab", ".", function (c)
            local co = coroutine.create(function () local x = coroutine.yield(c) return x .. c end)
            local _, first = coroutine.resume(co)
            local _, second = coroutine.resume(co, first)
            return second
        end)))
        ngx.say(select(2, pcall(string.gsub, "a", ".", function () ngx.sleep(0.001) end)))
        ngx.say((string.gsub("a", ".", function ()
            local ok, err = coroutine.resume(coroutine.create(function () ngx.sleep(0.001) end))
            return tostring(ok) .. err
        end)))
    """)
    out = lines(d)
    assert out[:2] == ["1,2,3", "aabb"]
    assert "attempt to yield across C-call boundary" in out[2]
    assert out[3].startswith("false") and "attempt to yield across C-call boundary" in out[3]


def test_light_threads(lua):
    d = lua("""
        local log = {}
        local t = ngx.thread.spawn(function (a, b)
            table.insert(log, "first")
            ngx.sleep(0.002)
            return a + b, "done"
        end, 1, 2)
        table.insert(log, "second")
        ngx.say(table.concat(log, " "), " ", coroutine.status(t))
        ngx.say(ngx.thread.wait(t))
        ngx.say(ngx.thread.wait(t))
        local slow = ngx.thread.spawn(function () ngx.sleep(5) end)
        local quick = ngx.thread.spawn(function () ngx.sleep(0.001) return "quick" end)
        ngx.say(ngx.thread.wait(slow, quick))
        ngx.say(ngx.thread.kill(slow), " ", tostring(ngx.thread.kill(slow)), " ", select(2, ngx.thread.kill(slow)))
        local over = ngx.thread.spawn(function () return 7 end)
        ngx.say(coroutine.status(over), " ", ngx.thread.wait(over))
        local failing = ngx.thread.spawn(function () error("oops", 0) end)
        ngx.say(ngx.thread.wait(failing))
        local over2 = ngx.thread.spawn(function () end)
        ngx.say(select(2, ngx.thread.kill(over2)))
        ngx.say(select(2, ngx.thread.kill(coroutine.create(function () end))))
        local inner = ngx.thread.spawn(function (t)
            ngx.say(select(2, ngx.thread.kill(t)))
            ngx.say(select(2, pcall(ngx.thread.wait, t)))
        end, ngx.thread.spawn(function () ngx.sleep(0.01) end))
        ngx.say(select(2, pcall(ngx.thread.wait)))
    """)
    assert lines(d) == ["first second running", "true3done", "nilalready waited or killed",
                        "truequick", "1 nil already waited or killed", "zombie true7", "falseoops",
                        "already terminated", "not user thread", "killer not parent",
                        "only the parent coroutine can wait on the thread",
                        "at least one coroutine should be specified"]


def test_the_request_lasts_until_its_last_thread(lua):
    d = lua("ngx.thread.spawn(function () ngx.sleep(0.01) ngx.say('late') end) ngx.say('early')")
    assert lines(d) == ["early", "late"]


def test_an_error_of_the_entry_thread_ends_all_one_of_another_does_not(lua):
    d = lua("""
        if ngx.var.arg_entry then
            ngx.thread.spawn(function () ngx.sleep(0.01) ngx.log(ngx.WARN, "still here") end)
            error("the entry fails")
        end
        ngx.thread.spawn(function () error("the other fails") end)
        ngx.say("fine")
    """)
    assert lines(d) == ["fine"]
    d.wait_text("handler.lua:6: the other fails")
    client = d.client()
    client.send(client.get("/h?entry=1"))
    client.expect_answer(500)
    d.wait_text("handler.lua:4: the entry fails")
    d.stop()
    assert "still here" not in d.log


def test_exit_from_a_light_thread_ends_the_request(lua):
    d = lua("""
        ngx.thread.spawn(function () ngx.sleep(0.001) ngx.exit(403) end)
        ngx.sleep(10)
    """)
    client = d.client()
    client.send(client.get("/h"))
    client.expect_answer(403)


def test_exit_is_caught_by_nobody(lua):
    d = lua("pcall(function () coroutine.wrap(function () ngx.exit(410) end)() end) ngx.say('not here')")
    client = d.client()
    client.send(client.get("/h"))
    client.expect_answer(410)


def test_yielding_in_turns(lua):
    d = lua("""
        local out = {}
        local function count(name)
            for i = 1, 3 do out[#out + 1] = name .. i coroutine.yield() end
        end
        local a, b = ngx.thread.spawn(count, "a"), ngx.thread.spawn(count, "b")
        ngx.thread.wait(a) ngx.thread.wait(b)
        ngx.say(table.concat(out, " "))
    """)
    assert lines(d) == ["a1 b1 a2 b2 a3 b3"]


def test_semaphores(lua):
    d = lua("""
        local semaphore = require "ngx.semaphore"
        local sem = semaphore.new(1)
        ngx.say(sem:count(), " ", tostring(sem:wait(0)), " ", sem:count())
        ngx.say(tostring(sem:wait(0)), " ", select(2, sem:wait(0.001)))
        local got = {}
        for i = 1, 3 do
            ngx.thread.spawn(function () local ok = sem:wait(1) got[#got + 1] = i .. tostring(ok) end)
        end
        ngx.say(sem:count())
        sem:post(3)
        ngx.sleep(0)
        ngx.say(table.concat(got, " "), " ", sem:count())
        ngx.say(tostring(pcall(sem.wait, sem, -1)), " ", tostring(pcall(sem.post, sem, 0)))
    """)
    assert lines(d) == ["1 true 0", "nil timeout", "-3", "1true 2true 3true 0", "false false"]


def test_a_semaphore_between_requests(lua):
    d = lua("""
        local shared = require "shared"
        if ngx.var.arg_post then shared.sem:post(1) ngx.say("posted") return end
        ngx.say(tostring(shared.sem:wait(10)))
    """, files={"shared.lua": 'return { sem = require("ngx.semaphore").new() }'})
    waiter = d.client()
    waiter.send(waiter.get("/h"))
    assert lines(d, "/h?post=1") == ["posted"]
    assert waiter.read_body(waiter.expect_answer(200)) == b"true\n"


def test_timers(lua):
    d = lua("""
        local function report(premature, a, b)
            ngx.log(ngx.WARN, "timer ", tostring(premature), " ", a, " ", tostring(b), " ", type(ngx.ctx))
        end
        ngx.say(ngx.timer.at(0, report, "now", nil))
        ngx.say(ngx.timer.at(0.001, report, "soon", 2))
        ngx.say(ngx.timer.pending_count(), " ", ngx.timer.running_count())
        ngx.say(select(2, pcall(ngx.timer.every, 0, report)))
        ngx.say((pcall(ngx.timer.at, -1, report)))
        local n = 0
        ngx.timer.every(0.001, function ()
            n = n + 1
            if n <= 3 then ngx.log(ngx.WARN, "again ", n) end
        end)
    """)
    assert lines(d) == ["1", "1", "2 0", "delay cannot be zero", "false"]
    d.wait_text("timer false now nil table")
    d.wait_text("timer false soon 2 table")
    d.wait_text("again 3")


def test_a_timer_that_waits_is_told_to_stop(lua):
    d = lua("""
        ngx.timer.at(3600, function (premature)
            ngx.log(ngx.WARN, "premature ", tostring(premature), " ", tostring(ngx.worker.exiting()), " ",
                    tostring(select(2, ngx.timer.at(1, function () end))))
        end)
        ngx.timer.at(0, function () ngx.sleep(3600) end)
        ngx.say("ok")
    """)
    lines(d)
    d.stop()
    d.wait_text("premature true true process exiting")


def test_too_many_timers(lua, many):
    d = lua("""
        local made, err = 0
        for i = 1, tonumber(ngx.var.arg_n) do
            local ok, e = ngx.timer.at(3600, function () end)
            if ok then made = made + 1 else err = e end
        end
        ngx.say(made, " ", tostring(err))
    """, process={"lua_max_pending_timers": "1000"})
    assert lines(d, f"/h?n={many(10**5)}") == [f"{min(many(10**5), 1000)} " + (
        "too many pending timers" if many(10**5) > 1000 else "nil")]
    still_works(d)


def test_as_many_timers_as_one_wants(lua, many):
    n = max(many(10**6), 10**5)
    d = lua("""
        local left, from = tonumber(ngx.var.arg_n), ngx.now()
        local done = require("ngx.semaphore").new()
        for i = 1, tonumber(ngx.var.arg_n) do
            assert(ngx.timer.at(i % 50 / 1000, function () left = left - 1 if left == 0 then done:post() end end))
        end
        ngx.say(tostring(done:wait(20)), " ", left)
    """, process={"lua_max_pending_timers": "1000000"})
    assert lines(d, f"/h?n={n}") == ["true 0"]


def test_too_many_running_timers(lua):
    d = lua("""
        for i = 1, 5 do ngx.timer.at(0, function () ngx.sleep(3600) end) end
        ngx.sleep(0.01)
        ngx.say(ngx.timer.running_count())
    """, process={"lua_max_running_timers": "3"})
    assert lines(d) == ["3"]
    d.wait_text("3 lua_max_running_timers are not enough", 2)


def test_the_memory_of_a_vm_is_limited(lua):
    d = lua("""
        if ngx.var.arg_hungry then
            local t = {}
            for i = 1, 1e7 do t[i] = ("x"):rep(1000) .. i end
        elseif ngx.var.arg_string then
            return ngx.say(#("x"):rep(50 * 1024 * 1024))
        end
        ngx.say("well ", #("x"):rep(1024 * 1024))
    """, process={"lua_memory": "16m"})
    for _ in range(3):
        for query in ("hungry", "string"):
            client = d.client()
            client.send(client.get(f"/h?{query}=1"))
            client.expect_answer(500)
        assert lines(d) == ["well 1048576"]
    d.wait_text("not enough memory", 6)
    assert int(d.stop()["lua_memory_errors"]) >= 6


def test_without_a_code_cache_everything_is_new(lua, tmp_path):
    d = lua("ngx.say(require('counted').next(), ' ', tostring(once))", init="once = 'init ran'",
            files={"counted.lua": "local n = 0 return { next = function () n = n + 1 return n end }"},
            process={"lua_code_cache": "off"})
    assert lines(d) == ["1 init ran"]
    (tmp_path / "counted.lua").write_text("return { next = function () return 'changed' end }")
    assert lines(d) == ["changed init ran"]


def test_a_stall_is_told(lua):
    d = lua("""
        local from = os.clock()
        while os.clock() - from < 0.05 do end
        ngx.sleep(0)
        ngx.say("ok")
    """, process={"lua_stall": "20ms"})
    assert lines(d) == ["ok"]
    line = d.wait_line("lua_stall")
    assert line["script"].endswith("handler.lua") and line["phase"] == "content"
    assert int(line["ms"]) >= 20 and "handler.lua:4" in line["until"], line


@pytest.mark.parametrize("renewed", ["", "ngx.update_time()"])
def test_a_sleep_is_as_long_as_asked_by_the_time_that_is_told(lua, renewed):
    """However much of the turn was over when the clock was first read, or read again."""
    d = lua(f"""
        local from = os.clock()
        while os.clock() - from < 0.05 do end
        {renewed}
        from = ngx.now()
        ngx.sleep(0.03)
        ngx.say(math.floor((ngx.now() - from) * 1000 + 0.5))
    """)
    assert int(lines(d)[0]) >= 30


def test_one_that_has_not_come_back_is_told_of_meanwhile(lua, tmp_path):
    d = lua(f"""
        local f
        repeat f = io.open("{tmp_path}/told") until f
        f:close()
        ngx.say("ok")
    """, process={"lua_stall": "100ms"})
    client = d.client()
    client.send(client.get("/h"))
    line = d.wait_line("lua_stalled")
    assert line["script"].endswith("handler.lua") and not d.find("lua_stall"), line
    (tmp_path / "told").touch()
    client.expect_answer(200)


def test_worker(lua):
    d = lua("ngx.say(ngx.worker.count(), ' ', ngx.worker.id(), ' ', type(ngx.worker.pid()), ' ', "
            "tostring(ngx.worker.exiting()))", process={"workers": 2})
    assert lines(d)[0] in ("2 0 number false", "2 1 number false")


def test_constants_config_and_what_libraries_ask(lua):
    d = lua("""
        ngx.say(ngx.OK, ngx.ERROR, ngx.AGAIN, ngx.DONE, ngx.DECLINED, " ", ngx.HTTP_SWITCHING_PROTOCOLS,
                ngx.HTTP_FORBIDDEN, " ", ngx.HTTP_POST, " ", ngx.ERR, ngx.DEBUG, " ", tostring(ngx.null))
        ngx.say(ngx.config.subsystem, " ", ngx.config.ngx_lua_version, " ", tostring(ngx.config.debug), " ",
                ngx.config.prefix())
        require "resty.core"
        ngx.say(type(require("resty.core.base").new_tab), " ", type(require("ngx.re").split), " ",
                jit.status() and "jit")
    """)
    out = lines(d)
    assert out[0].startswith("0-1-2-4-5 101403 8 48 userdata: ")
    assert out[1].startswith("http 10030 false /") and out[1].endswith("/")
    assert out[2] == "function function jit"


def test_print_and_log_levels(lua):
    d = lua("""
        print("printed ", 1, nil, true)
        ngx.log(ngx.ERR, "an error\\nof two lines ", "a", setmetatable({}, {__tostring = function () return "b" end}))
        ngx.log(ngx.DEBUG, "not shown")
        ngx.log(ngx.WARN, ("long "):rep(2000), "end")
        ngx.say(select(2, pcall(ngx.log, 99, "x")))
    """)
    assert "bad log level" in lines(d)[0]
    line = d.wait_text("printed 1niltrue")
    assert line.level == "info" and "handler.lua:2: " in line.text and "id" in line
    line = d.wait_text("an error")
    assert line.level == "error" and r"\x0aof two lines ab" in line.text
    d.wait_text("long end")
    assert "not shown" not in d.log


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_a_client_that_leaves_in_every_yielding_call(lua, how):
    d = lua("""
        local calls = {
            sleep = function () ngx.sleep(3600) end,
            turn = function () for i = 1, 100 do ngx.sleep(0) end end,
            thread = function () ngx.thread.wait(ngx.thread.spawn(ngx.sleep, 3600)) end,
            semaphore = function () require("ngx.semaphore").new():wait(3600) end,
            body = function () ngx.req.read_body() end,
            flush = function () for i = 1, 1000 do ngx.print(("x"):rep(100000)) ngx.flush(true) end end,
            print = function () for i = 1, 1000 do ngx.print(("x"):rep(100000)) end end,
            coroutine = function () coroutine.wrap(function () ngx.sleep(3600) end)() end,
        }
        ngx.log(ngx.WARN, "calls ", ngx.var.arg_what)
        calls[ngx.var.arg_what]()
    """, process={"drain_timeout": "100ms"}, route={"close_timeout": "100ms"})
    for what in ("sleep", "turn", "thread", "semaphore", "body", "flush", "print", "coroutine"):
        client = d.client()
        client.send(client.get(f"/h?what={what}", method="POST", add=["Content-Length: 10"]))
        d.wait_text(f"calls {what}")
        if how == "reset":
            client.reset()
        else:
            client.close()
    still_works(d)
    d.stop()


def test_on_abort(lua):
    d = lua("""
        ngx.say(ngx.on_abort(function () ngx.log(ngx.WARN, "aborted ", ngx.ctx.who) ngx.exit(499) end))
        ngx.say(ngx.on_abort(function () end))
        ngx.ctx.who = "me"
        ngx.flush(true)
        ngx.sleep(3600)
    """)
    client = d.client()
    client.send(client.get("/h"))
    client.expect_answer(200)
    client.read_until(b"duplicate call")
    client.close()
    d.wait_text("aborted me")


def test_scripts_of_another_request_have_no_access(lua):
    """What a script keeps of its request is of no use to another; nothing of the first is touched."""
    d = lua("""
        local kept = require "kept"
        if kept.thread then
            ngx.say(coroutine.status(kept.thread), " ", select(2, ngx.thread.kill(kept.thread)))
            ngx.say(select(2, ngx.thread.wait(kept.thread)))
            ngx.say(coroutine.status(kept.co), " ", coroutine.resume(kept.co))
            return
        end
        kept.co = coroutine.create(function () coroutine.yield() return ngx.var.arg_n end)
        coroutine.resume(kept.co)
        kept.thread = ngx.thread.spawn(function () ngx.sleep(3600) end)
        ngx.exit(200)
    """, files={"kept.lua": "return {}"})
    ask(d, "/h?n=1")
    assert lines(d, "/h?n=2") == ["dead already waited or killed", "already waited or killed",
                                  "suspended true2"]


@pytest.mark.parametrize("answer", ["ngx.say('x')", "require('resty.websocket.server'):new()", "ngx.exit(404)"])
def test_response_rules_for_a_client_that_has_left(lua, answer):
    d = lua(f"ngx.on_abort(function () ngx.log(ngx.WARN, 'gone') ngx.shared.gone:set('is', true) end) "
            f"while not ngx.shared.gone:get('is') do ngx.sleep(0.01) end {answer}",
            log="ngx.log(ngx.WARN, 'over')",
            route={"response_set": "X-Request-Id: ${request_id}"}, extra="[shared_dict gone]\nsize = 1m\n")
    client = d.client()
    client.send(client.request("/h"))
    client.flushed()
    client.reset()
    d.wait_text("gone")
    d.wait_text("over")
    still_works(d)
