# SPDX-License-Identifier: BSD-2-Clause
"""Scripts that lay hands on userdata: finalizers called by hand, twice, with others' userdata, in
the midst of a wait; metatables that are swapped; what was collected and is used again."""

import pytest

from helpers.daemon import still_works
from helpers.frames import TEXT
from helpers.peer import RawUpstream

# Every userdata that debug can reach, and its __gc.
REACH = """
local found, seen, todo = {}, {}, { debug.getregistry() }
local function add(x)
    local t = type(x)
    if (t == "table" or t == "function" or t == "userdata" or t == "thread") and not seen[x] then
        seen[x] = true
        todo[#todo + 1] = x
    end
end
local function reach()
    while #todo > 0 do
        local x = table.remove(todo)
        add(debug.getmetatable(x))
        add(debug.getfenv(x))
        if type(x) == "table" then
            for k, v in next, x do add(k) add(v) end
        elseif type(x) == "function" then
            for i = 1, 255 do
                local name, v = debug.getupvalue(x, i)
                if not name then break end
                add(v)
            end
        elseif type(x) == "userdata" and debug.getmetatable(x) and rawget(debug.getmetatable(x), "__gc") then
            found[#found + 1] = { x, rawget(debug.getmetatable(x), "__gc") }
        end
    end
end
"""

# One of each kind that there is, and whether it does what it is for.
KINDS = """
local ssl = require "ngx.ssl"
local semaphore = require "ngx.semaphore"
local sock, udp = ngx.socket.tcp(), ngx.socket.udp()
sock:settimeout(100) udp:settimeout(100)
assert(sock:connect("127.0.0.1", %d))
assert(udp:setpeername("127.0.0.1", %d))
local sema = semaphore.new(1)
local iterator = ngx.re.gmatch("aaa", "(?<n>a)", "jo")
local names = ngx.re.match("ab", "(?<first>a)(?<second>b)", "jo")
local function text(path)
    local opened = assert(io.open(path))
    local text = opened:read("*a")
    opened:close()
    return text
end
local chain, key = assert(ssl.parse_pem_cert(text("%s"))), assert(ssl.parse_pem_priv_key(text("%s")))
local function use()
    local n = 0
    local function try(f, ...)
        if pcall(f, ...) then n = n + 1 end
    end
    try(ngx.re.match, "ab", "(?<first>a)(?<second>b)", "jo")
    try(ngx.re.gsub, "ab", "[ab]", function (m) return m[0] .. "x" end, "jo")
    try(ngx.re.find, "ab", "b")
    try(ngx.re.sub, "ab", "(a)|(b)", "$1$2", "d")
    try(iterator)
    try(require("ngx.re").split, "a,b", ",")
    try(require("ngx.re").opt, "jit_stack_size", 65536)
    try(ngx.md5, "a") try(ngx.sha1_bin, "a") try(ngx.md5_bin, "a") try(ngx.hmac_sha1, "k", "a")
    local d = ngx.shared.d
    try(d.set, d, "a", 1) try(d.get, d, "a") try(d.incr, d, "a", 1) try(d.get_keys, d) try(d.lpush, d, "l", "x")
    try(sock.send, sock, "x") try(sock.receive, sock, 1) try(sock.setclientcert, sock, chain, key)
    try(sock.settimeout, sock, 1) try(sock.getreusedtimes, sock) try(sock.setkeepalive, sock) try(sock.close, sock)
    try(udp.send, udp, "x") try(udp.settimeout, udp, 1) try(udp.receive, udp, 1) try(udp.close, udp)
    try(sema.wait, sema, 0) try(sema.post, sema) try(sema.count, sema)
    try(ngx.now) try(ngx.say, "x") try(tostring, sock[1])
    return n
end
"""


@pytest.fixture(scope="module")
def pair(ca):
    return ca.make("app", "DNS:app.test")


@pytest.fixture
def daemon(lua, closing, pair):
    """A function that starts one with that handler, behind what makes one of each kind."""

    def make(handler, kinds=True):
        far = RawUpstream()
        closing.append(far)
        text = KINDS % (far.address[1], far.address[1], pair.certificate, pair.key) if kinds else ""
        return lua(text + handler, extra="[shared_dict d]\nsize = 100k\n")

    return make


def ask(d, path="/h"):
    client = d.client()
    client.send(client.get(path))
    return client.read_body(client.expect_answer(200)).decode()


CALLS = {
    "twice": "gc(x) gc(x)",
    "with nothing": "pcall(gc)",
    "with values": "for _, v in ipairs { 0, 'a', {}, true, print, coroutine.create(function () end), ngx.null } do pcall(gc, v) end pcall(gc, nil)",
    "with an empty one": "pcall(gc, newproxy()) pcall(gc, newproxy(true))",
    "with all others": "for _, other in ipairs(found) do if other[2] ~= gc then pcall(gc, other[1]) end end",
}


@pytest.mark.parametrize("name", CALLS)
def test_finalizers_called_by_hand(daemon, name):
    d = daemon(REACH + """
        add(sock) add(udp) add(sema) add(chain) add(key) add(ngx)
        reach()
        local n = 0
        for _, f in ipairs(found) do
            local x, gc = f[1], f[2]
            if io.type(x) == nil then
                n = n + 1
                %s
            end
        end
        local used = use()
        collectgarbage() collectgarbage()
        ngx.say(n > 8, " ", used > 5)
        """ % CALLS[name])
    assert ask(d).split("\n")[-2] == "true true"
    assert ask(d)
    still_works(d)


def test_metatables_that_are_swapped(daemon):
    d = daemon(REACH + """
        add(sock) add(udp) add(sema) add(ngx)
        reach()
        found[#found + 1] = { sema }
        found[#found + 1] = { newproxy() }
        found[#found + 1] = { newproxy(true) }
        found[#found + 1] = { io.stdout }
        local refused, done = 0, 0
        for _, a in ipairs(found) do
            for _, b in ipairs(found) do
                if a ~= b then
                    local ok = pcall(debug.setmetatable, a[1], debug.getmetatable(b[1]))
                    refused = refused + (ok and 0 or 1)
                end
            end
            pcall(debug.setmetatable, a[1], nil)
        end
        pcall(use)
        collectgarbage() collectgarbage()
        ngx.say(refused > 20)
        """)
    assert ask(d).split("\n")[-2] == "true"
    still_works(d)


def test_metatables_that_may_be_set(daemon):
    d = daemon("""
        local own, meta = newproxy(), { __index = { a = 1 }, __gc = function () end }
        debug.setmetatable(own, meta)
        debug.setmetatable(newproxy(true), nil)
        debug.setmetatable("", { __index = string })
        debug.setmetatable(nil, { __index = { b = 2 } })
        local t = {}
        ngx.say(own.a, (nil).b, debug.setmetatable(t, meta), t.a, pcall(debug.setmetatable, {}, 1))
        debug.setmetatable(nil, nil)
        """, kinds=False)
    assert ask(d).startswith("12true1false") and "nil or table expected" in ask(d)


WAITS = {
    "receive": "sock:receive(5)",
    "receiveuntil": "sock:receiveuntil('\\n')()",
    "connect": "sock:close() sock:connect('name.invalid', 1)",
    "datagram": "udp:receive()",
    "send": "sock:send(('x'):rep(2^24))",
    "semaphore": "sema:wait(0) sema:wait(1)",
}


@pytest.mark.parametrize("name", WAITS)
def test_by_hand_while_somebody_waits(daemon, name):
    d = daemon("""
        local x = %s
        local waiter = ngx.thread.spawn(function () %s return "waited" end)
        local gc = (debug.getmetatable(x) or {}).__gc or tostring
        gc(x) gc(x)
        local use_ok = pcall(use)
        gc(x)
        collectgarbage()
        ngx.say(select(2, ngx.thread.wait(waiter)))
        """ % ("udp[1]" if name == "datagram" else "sema" if name == "semaphore" else "sock[1]", WAITS[name]))
    assert "waited" in ask(d)
    still_works(d)


@pytest.mark.parametrize("way", ["wb:recv_frame()", "wb:recv_message()"])
def test_a_websocket_by_hand(lua, way):
    d = lua("""
        local wb = assert(require("resty.websocket.server"):new { timeout = 200 })
        local gc = debug.getmetatable(wb[1]).__gc
        local waiter = ngx.thread.spawn(function () return %s end)
        gc(wb[1])                                       -- waited for: nothing happens
        local _, data = ngx.thread.wait(waiter)
        wb:send_text(data)
        local payload = setmetatable({}, { __tostring = function () gc(wb[1]) gc(wb[1]) return "late" end })
        wb:send_text(payload)
        local results = { pcall(wb.recv_frame, wb) }
        results[#results + 1] = pcall(wb.send_text, wb, "x")
        results[#results + 1] = pcall(wb.send_close, wb)
        results[#results + 1] = pcall(wb.set_timeout, wb, 1)
        results[#results + 1] = pcall(wb.sock.receive, wb.sock)
        collectgarbage() collectgarbage()
        """ % way)
    client = d.client()
    client.send(client.request("/h").encode() + client.make(TEXT, "first"))  # in one: there is no time to lose
    client.expect_101()
    client.expect_text("first")
    client.expect_end()
    still_works(d)


def test_callbacks_that_free_what_is_matched(daemon):
    d = daemon(REACH + """
        local function free()
            found, seen, todo = {}, {}, { debug.getregistry(), ngx }
            reach()
            for _, f in ipairs(found) do
                if io.type(f[1]) == nil then f[2](f[1]) end
            end
        end
        for _, opts in ipairs { "", "jo", "d", "u" } do
            pcall(ngx.re.gsub, "abab", "(?<n>[ab])(?<m>.)?", function (m) free() return m[0] end, opts)
            local it = ngx.re.gmatch("abab", "(?<n>[ab])", opts)
            if it then pcall(it) free() pcall(it) end
        end
        local key = setmetatable({}, { __tostring = function () free() return "k" end })
        local d = ngx.shared.d
        pcall(d.set, d, key, 1)
        pcall(sock.send, sock, key)
        pcall(ngx.md5, key)
        ngx.say("there")
        """)
    assert "there" in ask(d)
    still_works(d)
