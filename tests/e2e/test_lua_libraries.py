# SPDX-License-Identifier: BSD-2-Clause
"""Handlers with libraries that others wrote, unmodified as Debian ships them, and real servers."""

import os
import subprocess

import pytest

from helpers.daemon import section, wait_until
from helpers.names import NXDOMAIN, NameServer
from helpers.peer import RawClient


@pytest.fixture
def run(moongate, tmp_path):
    """run(script, **of the route): the lines that the script answers. The daemon is started by the first."""
    started = []

    def answer(script, **variables):
        path = tmp_path / "handlers" / "script.lua"
        if not started:
            path.parent.mkdir()
            path.write_text(script)
            process = {"allow_root_handlers": "yes"} if os.geteuid() == 0 else {}
            started.append(moongate(process=process, extra=section(
                "route", "script", {"listener": "main", "path": "/script", "handler": path})))
        query = "&".join(f"{k}={v}" for k, v in variables.items())
        with RawClient(started[0].address) as client:
            client.send(client.get(f"/script?{query}", add=["Connection: close"]))
            head = client.read_head()
            body = client.read_body(head).decode()
            client.expect_eof()
        assert head.status == 200, f"{head.raw}{body}\n{started[0].log}"
        return body.splitlines()

    return answer


@pytest.fixture
def servers():
    """A function that starts a server and waits until it answers at its port; ended after the test."""
    running = []

    def start(command, port):
        running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL))

        def is_up():
            assert running[-1].poll() is None, f"{command} ended"
            try:
                RawClient(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                return False
            return True

        wait_until(is_up, f"{command[0]} at its port")

    yield start
    for process in running:
        process.terminate()
        process.wait()


@pytest.fixture
def redis(servers, port, tmp_path):
    """The port of a redis-server without persistence."""
    number = port()
    servers(["redis-server", "--port", str(number), "--bind", "127.0.0.1", "--save", "", "--dir", tmp_path], number)
    return number


REDIS = """
local redis = require "nginx.redis"
local red = redis:new()
red:set_timeout(5000)
assert(red:connect("127.0.0.1", tonumber(ngx.var.arg_port)))
ngx.say("reused ", red:get_reused_times() > 0)
ngx.say(red:set("animal", "dog"))
ngx.say(red:get("animal"))
ngx.say(red:get("nothing") == ngx.null)
ngx.say(red:incr("counter"))
red:del("list")
red:rpush("list", "a", "b", "c")
ngx.say(table.concat(red:lrange("list", 0, -1), ","))
ngx.say(red:hmset("hash", { name = "moon", size = 4 }))
ngx.say(table.concat(red:hmget("hash", "name", "size"), ","))
ngx.say(tostring(red:lpush("animal", "x")), " ", select(2, red:lpush("animal", "x")))
red:init_pipeline()
red:set("a", 1)
red:get("a")
red:hget("animal", "x")
red:get("b")
local results = assert(red:commit_pipeline())
ngx.say(results[1], " ", results[2], " ", tostring(results[3][1]), " ", results[4] == ngx.null)
ngx.say(red:multi())
ngx.say(red:set("a", 2))
ngx.say(red:exec()[1])
local big = ("x"):rep(1000000)
red:set("big", big)
ngx.say(red:get("big") == big)
ngx.say(red:set_keepalive(10000, 100))
"""


def test_redis(run, redis):
    answers = ["OK", "dog", "true", "1", "a,b,c", "OK", "moon,4",
               "false WRONGTYPE Operation against a key holding the wrong kind of value",
               "OK 1 false true", "OK", "QUEUED", "OK", "true", "1"]
    assert run(REDIS, port=redis) == ["reused false", *answers]
    answers[3] = "2"
    assert run(REDIS, port=redis) == ["reused true", *answers], "the connection was not kept"


def test_redis_publishes_and_subscribes(run, redis):
    said = run("""
local redis = require "nginx.redis"
local function connect()
    local red = redis:new()
    red:set_timeout(5000)
    assert(red:connect("127.0.0.1", tonumber(ngx.var.arg_port)))
    return red
end
local sub = connect()
local subscribed = sub:subscribe("news")
ngx.say(subscribed[1], " ", subscribed[2], " ", subscribed[3])
local reader = ngx.thread.spawn(function()
    local out = {}
    for i = 1, 3 do
        local got = assert(sub:read_reply())
        out[i] = got[1] .. " " .. got[2] .. " " .. got[3]
    end
    return out
end)
local pub = connect()
for i = 1, 3 do
    pub:publish("news", "item " .. i)
end
local _, out = ngx.thread.wait(reader)
for _, line in ipairs(out) do
    ngx.say(line)
end
ngx.say(sub:close(), " ", pub:close())
""", port=redis)
    assert said == ["subscribe news 1", "message news item 1", "message news item 2", "message news item 3", "1 1"]


def test_redis_is_not_there(run, port):
    said = run("""
local red = require("nginx.redis"):new()
ngx.say(tostring(red:connect("127.0.0.1", tonumber(ngx.var.arg_port))))
ngx.say(select(2, red:connect("127.0.0.1", tonumber(ngx.var.arg_port))))
ngx.say(select(2, red:get("x")))
""", port=port())
    assert said == ["nil", "connection refused", "closed"]


def test_cjson(run):
    said = run("""
local cjson = require "cjson"
local safe = require "cjson.safe"
ngx.say(cjson.encode({ 1, "two", true, cjson.null }))
ngx.say(cjson.encode({ a = { b = { 1.5, -2 } } }))
local t = cjson.decode('{"a": [1, 2, {"b": null}], "c": "\\\\u00e4", "d": 1e3}')
ngx.say(#t.a, " ", t.a[3].b == ngx.null, " ", t.c, " ", t.d)
ngx.say(cjson.null == ngx.null)
ngx.say(pcall(cjson.decode, "{"))
ngx.say(tostring(safe.decode("nonsense")), " ", select(2, safe.decode("nonsense")))
ngx.say(pcall(cjson.encode, { [1.5] = print }))
local co = coroutine.wrap(function(text)
    ngx.sleep(0.001)
    return cjson.decode(text)
end)
ngx.say(co('["in a coroutine"]')[1])
""")
    assert said == [
        '[1,"two",true,null]', '{"a":{"b":[1.5,-2]}}', "3 true ä 1000", "true",
        "falseExpected object key string but found T_END at character 2",
        "nil Expected value but found invalid token at character 1",
        "falseCannot serialise function: type not supported", "in a coroutine"]


@pytest.mark.parametrize("module", ["resty.lrucache", "resty.lrucache.pureffi"])
def test_lrucache(run, module):
    said = run("""
local lrucache = require(ngx.var.arg_module)
local c = assert(lrucache.new(2))
c:set("dog", 32)
c:set("cat", 56)
ngx.say((c:get("dog")), " ", (c:get("cat")))
c:set("cow", { "a table" })
ngx.say(tostring(c:get("dog")), " ", (c:get("cat")), " ", c:get("cow")[1])
c:set("short", "lived", 0.01)
ngx.say((c:get("short")))
ngx.sleep(0.03)
local value, stale = c:get("short")
ngx.say(tostring(value), " ", stale)
c:delete("cow")
ngx.say(tostring(c:get("cow")), " ", c:count(), " ", c:capacity())
c:flush_all()
ngx.say(c:count())
""", module=module)
    assert said == ["32 56", "nil 56 a table", "lived", "nil lived", "nil 1 2", "0"]


def test_memcached(run, servers, port):
    number = port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    servers(["memcached", "-p", str(number), "-l", "127.0.0.1", "-U", "0", *user], number)
    script = """
local memcached = require "nginx.memcached"
local memc = assert(memcached:new())
memc:set_timeout(5000)
assert(memc:connect("127.0.0.1", tonumber(ngx.var.arg_port)))
ngx.say("reused ", memc:get_reused_times() > 0)
ngx.say(memc:flush_all())
ngx.say(memc:set("dog", 32))
ngx.say((memc:get("dog")))
ngx.say(tostring(memc:get("cat")), " ", select(3, memc:get("cat")) == nil)
ngx.say(memc:incr("dog", 8))
ngx.say(memc:add("dog", 1))
ngx.say(memc:append("dog", "!"))
local got = memc:get({ "dog", "cat" })
ngx.say(got.dog[1], " ", got.cat == nil)
local big = ("y"):rep(500000)
memc:set("big", big)
ngx.say(memc:get("big") == big)
ngx.say(memc:delete("dog"))
ngx.say(memc:set_keepalive(10000, 100))
"""
    answers = ["1", "1", "32", "nil true", "40", "nilNOT_STORED", "1", "40! true", "true", "1", "1"]
    assert run(script, port=number) == ["reused false", *answers]
    assert run(script, port=number) == ["reused true", *answers]


def test_dns(run, closing):
    names = NameServer()
    closing.append(names)
    names.a("app.test", "127.0.0.7", "127.0.0.8")
    names.scripts["none.test"] = lambda q: [q.error(NXDOMAIN)]
    said = run("""
local resolver = require "nginx.dns.resolver"
local r = assert(resolver:new { nameservers = { { "127.0.0.1", tonumber(ngx.var.arg_port) } }, retrans = 3, timeout = 3000 })
for _, query in ipairs { r.query, r.tcp_query } do
    local answers = assert(query(r, "app.test", { qtype = r.TYPE_A }))
    local out = {}
    for i, a in ipairs(answers) do
        out[i] = a.address
    end
    table.sort(out)
    ngx.say(table.concat(out, " "))
end
local answers = assert(r:query("none.test"))
ngx.say(answers.errcode, " ", answers.errstr)
""", port=names.port)
    assert said == ["127.0.0.7 127.0.0.8", "127.0.0.7 127.0.0.8", "3 name error"]
    assert ("app.test", 1, True) in names.asked


def test_strings(run):
    """By FFI to the libcrypto that the daemon has loaded."""
    said = run("""
local str = require "nginx.string"
for _, name in ipairs { "md5", "sha1", "sha224", "sha256", "sha384", "sha512" } do
    local hash = require("nginx." .. name):new()
    hash:update("hel")
    hash:update("lo")
    ngx.say(name, " ", str.to_hex(hash:final()):sub(1, 32))
end
ngx.say(str.atoi("42") + 1, " ", #require("nginx.random").bytes(20))
""")
    assert said == [
        "md5 5d41402abc4b2a76b9719d911017c592", "sha1 aaf4c61ddcc5e8a2dabede0f3b482cd9",
        "sha224 ea09ae9cc6768c50fcee903ed054556e", "sha256 2cf24dba5fb0a30e26e83b2ac5b9e29e",
        "sha384 59e1748777448c69de6b800d7a33bbfb", "sha512 9b71d224bd62f3785d96d46ad3ea3d73", "43 20"]
