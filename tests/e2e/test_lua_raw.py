# SPDX-License-Identifier: BSD-2-Clause
"""The client's connection in a script's hands: ngx.req.socket(true)."""

import threading

import pytest

from helpers.daemon import still_works

UPGRADE = """
    ngx.status = 101
    ngx.header.upgrade = "websocket"
    ngx.send_headers()
    local sock = assert(ngx.req.socket(true))
"""

ECHO = UPGRADE + """
    while true do
        local data, err = sock:receiveany(65536)
        if not data then ngx.log(ngx.WARN, "echo ends: ", err) break end
        assert(sock:send(data))
    end
"""


def opened(d, target="/h", more=b""):
    client = d.client()
    client.send(client.request(target).encode() + more)
    head = client.expect_answer(101)
    assert head.get("Upgrade") == "websocket" and head.get("Connection") == "upgrade"
    assert "Content-Type" not in head and "Transfer-Encoding" not in head
    return client


def test_an_echo(lua):
    d = lua(ECHO)
    client = opened(d, more=b"early")
    assert client.read(5) == b"early"
    for n in (1, 20, 70000, 1000000):
        data = bytes(i % 251 for i in range(n))
        client.send(data)
        assert client.read(n) == data
    client.shutdown()
    client.expect_eof()
    d.wait_text("echo ends: closed")
    assert d.end_of(client)["cause"] == "vanished"


def test_patterns_at_every_split_point(lua):
    d = lua(UPGRADE + """
        while true do
            local line, err, rest = sock:receive()
            if not line then break end
            local five = sock:receive(5)
            local none = sock:receive(0)
            sock:send({"[", line, "|", five, "|", none, "]"})
        end
        sock:send("bye")
    """)
    stream = b"a line\r\n12345\nabcde"
    client = opened(d)
    for at in range(len(stream) + 1):
        client.send(stream[:at])
        client.flushed()
        client.send(stream[at:])
        assert client.read(16) == b"[a line|12345|]["
        assert client.read(8) == b"|abcde|]"
    client.shutdown()
    assert client.read_all() == b"bye"


def test_all_until_the_end(lua):
    d = lua(UPGRADE + "local all, err = sock:receive('*a') sock:send(#all .. ' ' .. tostring(err))")
    client = opened(d)
    for _ in range(10):
        client.send(b"x" * 30000)
    client.shutdown()
    assert client.read_all() == b"300000 nil"


def test_a_timeout_gives_what_came_and_loses_nothing(lua):
    d = lua(UPGRADE + """
        sock:settimeout(20)
        local data, err, part = sock:receive(10)
        sock:send(table.concat({tostring(data), err, part}, " "))
        sock:settimeouts(20000, 20000, 20000)
        sock:send(" then " .. sock:receive(3))
    """)
    client = opened(d, more=b"abc")
    assert client.read(15) == b"nil timeout abc"
    client.send(b"def")
    assert client.read(9) == b" then def"
    d.wait_text("lua tcp socket read timed out")


def test_the_end_gives_what_came(lua):
    d = lua(UPGRADE + "local data, err, part = sock:receive(10) sock:send(table.concat({tostring(data), err, part}, ' '))")
    client = opened(d)
    client.send(b"abc")
    client.shutdown()
    assert client.read_all() == b"nil closed abc"


def test_one_reader_and_one_writer(lua):
    d = lua(UPGRADE + """
        local reader = ngx.thread.spawn(function () return sock:receive(5) end)
        sock:send(select(2, sock:receive(1)))
        sock:send(" " .. select(2, ngx.thread.wait(reader)))
    """)
    client = opened(d)
    assert client.read(19) == b"socket busy reading"
    client.send(b"hello")
    assert client.read(6) == b" hello"


@pytest.mark.parametrize("script, said", [
    ("ngx.req.socket(true) ngx.log(ngx.WARN, 'said ', select(2, ngx.req.socket(true)))", "said duplicate call"),
    ("ngx.req.socket(true) ngx.log(ngx.WARN, 'said ', select(2, ngx.say('x')))", "said raw request socket acquired"),
    ("local s = ngx.req.socket(true) require('kept').s = s ngx.timer.at(0, function () "
     "ngx.log(ngx.WARN, 'said ', select(2, pcall(s.receive, s))) end) ngx.sleep(0.01)", "bad request"),
])
def test_what_is_refused(lua, script, said):
    d = lua("ngx.status = 101 ngx.header.upgrade = 'websocket' ngx.send_headers() " + script, files={"kept.lua": "return {}"})
    opened(d)
    d.wait_text(said)


def test_use_after_the_end_and_by_another(lua):
    d = lua("""
        local kept = require "kept"
        if ngx.var.arg_other then
            return ngx.say(select(2, pcall(kept.sock.send, kept.sock, "x")), select(2, pcall(kept.sock.receive, kept.sock)))
        end
    """ + UPGRADE + "kept.sock = sock sock:receive(1) ngx.log(ngx.WARN, 'ended')", files={"kept.lua": "return {}"})
    client = opened(d)
    for ended in (False, True):
        if ended:
            client.send(b"x")
            d.wait_text("ended")
        other = d.client()
        other.send(other.get("/h?other=1"))
        said = other.read_body(other.expect_answer(200))
        # Whose connection is gone is closed for everybody, as on ngx_lua.
        assert said == b"nilnilclosed\n" if ended else said.count(b"bad request") == 2


def test_a_peer_that_takes_nothing_holds_only_its_script_up(lua):
    d = lua(UPGRADE + """
        sock:settimeouts(1000, 50, 1000)
        while true do
            local ok, err = sock:send(("x"):rep(100000))
            if not ok then ngx.log(ngx.WARN, "send said ", err, " then ", select(2, sock:send("y"))) break end
        end
    """, route={"close_timeout": "50ms"})
    opened(d)
    still_works(d)
    d.wait_text("send said timeout then closed")


def test_a_reset_is_told_by_both_halves(lua):
    d = lua(UPGRADE + """
        local data, err = sock:receive(1)
        ngx.log(ngx.WARN, "receive said ", err)
        ngx.log(ngx.WARN, "send said ", select(2, sock:send("x")))
    """)
    client = opened(d)
    client.reset()
    d.wait_text("receive said connection reset by peer")
    d.wait_text("send said ")
    assert d.end_of(client)["cause"] == "error"


def test_what_nobody_reads_stays_with_the_peer(lua):
    """64 KiB are kept, then reading stops; what was kept and what comes later is read in order."""
    d = lua(UPGRADE + """
        sock:receive(1)
        require("gate").sem:wait(20)
        local n = 0
        while true do
            local data = sock:receiveany(10000)
            if not data then break end
            n = n + #data
        end
        sock:send(tostring(n))
    """, files={"gate.lua": 'return {sem = require("ngx.semaphore").new()}', "open.lua": "require('gate').sem:post(1)"},
            extra="[route gate]\npath = /gate\nhandler = open.lua\n")
    client = opened(d)
    client.send(b"x")
    sender = threading.Thread(target=lambda: (client.sock.sendall(b"y" * 20000000), client.shutdown()))
    sender.start()
    still_works(d)
    assert sender.is_alive()
    gate = d.client()
    gate.send(gate.get("/gate"))
    gate.expect_answer(200)
    sender.join()
    assert client.read_all() == b"20000000"


@pytest.mark.parametrize("script", ["error('x')", "", "ngx.exit(444)", "ngx.exit(200)", "sock:send('last')"])
def test_how_a_raw_connection_ends(lua, script):
    d = lua(UPGRADE + script)
    client = opened(d)
    assert client.read_all() == (b"last" if "last" in script else b"")


def test_max_lifetime_ends_a_script_that_goes_on(lua):
    d = lua(UPGRADE + "sock:receive(1)", route={"max_lifetime": "30ms", "close_timeout": "30ms"})
    client = opened(d)
    client.expect_end()
    assert d.end_of(client)["cause"] == "max_lifetime"


def test_a_stop_ends_scripts_after_close_timeout(lua):
    d = lua(UPGRADE + "while not ngx.worker.exiting() do ngx.sleep(0.001) end sock:send('exiting')")
    client = opened(d)
    d.signal()
    assert client.read_all() == b"exiting"
    d = lua(UPGRADE + "ngx.sleep(3600)", route={"close_timeout": "30ms"})
    client = opened(d)
    d.signal()
    client.expect_end()
    assert d.stop()["drained"] == 1


def test_a_peek_takes_nothing(lua):
    d = lua(UPGRADE + """
        sock:settimeout(50)
        local function say(...) sock:send(table.concat({ ... }, " ") .. "\\n") end
        local function tell(a, err, part) say(tostring(a), tostring(err), tostring(part)) end
        tell(sock:peek(3))
        sock:send("ready\\n")
        sock:settimeout(20000)
        tell(sock:peek(3)) tell(sock:peek(6)) tell(sock:peek(1))
        tell(sock:receive(4))
        sock:settimeout(50)
        tell(sock:peek(3))
        tell(sock:receive(2))
        sock:settimeout(20000)
        say("end")
        tell(sock:peek(3))
        tell(sock:receiveany(10))
        tell(sock:peek(1)) tell(sock:receive(1)) tell(sock:peek(1))
        say(select(2, pcall(sock.peek, sock)))
        say(select(2, pcall(sock.peek, sock, 0)))
    """)
    client = opened(d)
    lines = client.read_until(b"ready\n").decode()
    assert lines == "nil timeout \nready\n"
    for byte in b"abcdef":
        client.send(bytes([byte]))
    assert client.read_until(b"end\n").decode() == (
        "abc nil nil\nabcdef nil nil\na nil nil\nabcd nil nil\nnil timeout ef\nef nil nil\nend\n")
    client.send(b"xy")
    client.shutdown()
    said = client.read_all().decode().split("\n")
    assert said[:5] == ["nil closed xy", "xy nil nil", "nil closed ", "nil closed ", "nil closed nil"]
    assert "expecting 2 arguments (including the object), but got 1" in said[5]
    still_works(d)
