# SPDX-License-Identifier: BSD-2-Clause
"""resty.websocket.server and .protocol in handlers: frames split anywhere, hostile ones, timeouts, additions."""

import asyncio
import threading
from pathlib import Path

import pytest
import websockets

from helpers.daemon import still_works
from helpers.frames import BINARY, CLOSE, CONT, KEY, PING, PONG, TEXT, close_payload, frame

ECHO = Path(__file__).resolve().parents[2] / "conf/handlers/echo.lua"

NEW = "local server = require 'resty.websocket.server'\n"
# Tells what each recv_frame returns, as text: data, typ, err; until it is over.
TELL = NEW + """
local wb = assert(server:new { %s })
repeat
    local data, typ, err = wb:recv_frame()
    if not wb.fatal then
        wb:send_text(table.concat({ tostring(data), tostring(typ), tostring(err) }, "|"))
    else
        ngx.log(ngx.WARN, "told ", tostring(err))
    end
until wb.fatal or typ == "close"
"""


def masked(opcode, payload=b"", **how):
    return frame(opcode, payload, mask=KEY, **how)


def opened(daemon, target="/h"):
    client = daemon.client()
    client.open(target)
    return client


def test_example_echo_with_a_polite_client(lua):
    d = lua(ECHO.read_text())

    async def talk():
        async with websockets.connect("ws://%s:%d/h" % d.address, max_size=None) as ws:
            for message in ("", "x", "ä" * 300, b"\0" * 65536, "y" * 1048576):
                await ws.send(message)
                assert await ws.recv() == message
            await (await ws.ping())
            await ws.send(["part ", "by ", "part"])
            assert await ws.recv() == "part by part"
        assert ws.close_code == 1000

    asyncio.run(talk())
    still_works(d)


def test_example_echo_refuses_what_is_no_websocket(lua):
    d = lua(ECHO.read_text())
    client = d.client()
    client.send(client.get("/h"))
    client.expect_answer(400)
    d.wait_text("no WebSocket: bad")


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_every_frame_in_small_pieces(lua, step):
    d = lua(TELL % "")
    client = opened(d)
    client.drip(masked(TEXT, b"short") + masked(BINARY, b"z" * 200) + masked(PING, b"p") +
                masked(TEXT, b"a", fin=False) + masked(CONT, b"", fin=True) +
                masked(TEXT, b"w", form=64) + masked(CLOSE, close_payload(1000, "bye")), step)
    for told in ("short|text|nil", "z" * 200 + "|binary|nil", "p|ping|nil", "a|text|again", "|continuation|nil",
                 "w|text|nil", "bye|close|1000"):
        client.expect_text(told)
    client.expect_close(1000)
    client.expect_end()


@pytest.mark.parametrize("payload", [b"", b"x", b"y" * 126, b"z" * 300])
def test_every_split_point(lua, payload):
    d = lua(TELL % "")
    client = opened(d)
    whole = masked(TEXT, payload)
    for at in [*range(1, min(len(whole), 16)), *range(max(len(whole) - 2, 16), len(whole))]:
        client.send(whole[:at])
        client.flushed()
        client.send(whole[at:])
        client.expect_text(payload + b"|text|nil")
    client.close_frame(1001)
    client.expect_text("|close|1001")


def test_frames_far_over_the_buffer(lua):
    d = lua(TELL % "max_payload_len = 4194304")
    client = opened(d)
    body = bytes(range(256)) * 8192
    client.binary(body)
    client.expect_text(body + b"|binary|nil")
    client.send(masked(BINARY, body) + masked(TEXT, b"behind"))
    client.expect_text(body + b"|binary|nil")
    client.expect_text("behind|text|nil")


def test_a_large_frame_that_comes_slowly_and_one_more_behind_it(lua):
    d = lua(TELL % "max_payload_len = 1048576")
    client = opened(d)
    body = b"slow" * 65536
    raw = masked(BINARY, body) + masked(TEXT, b"behind")
    for at in range(0, len(raw), 50000):
        client.send(raw[at:at + 50000])
        client.flushed()
    client.expect_text(body + b"|binary|nil")
    client.expect_text("behind|text|nil")


FAULTS = {
    "rsv": (b"\xc1\x80" + KEY, "bad RSV1, RSV2, or RSV3 bits"),
    "reserved": (b"\x83\x80" + KEY, "reserved non-control frames"),
    "reserved control": (b"\x8b\x80" + KEY, "reserved control frames"),
    "unmasked": (b"\x81\x00", "frame unmasked"),
    "too large": (b"\x82\xff" + b"\x00\x00\x00\x00\x80\x00\x00\x00", "payload len too large"),
    "top bit": (b"\x82\xff" + b"\x80\x00\x00\x00\x00\x00\x00\x00", "payload len too large"),
    "long ping": (b"\x89\xfe\x00\x7e", "too long payload for control frame"),
    "ping in parts": (b"\x09\x80", "fragmented control frame"),
    "over the limit": (b"\x82\xff" + b"\x00\x00\x00\x00\x7f\xff\xff\xff", "exceeding max payload len"),
    "close of one byte": (masked(CLOSE, b"x"), "close frame with a body must carry a 2-byte status code"),
}


@pytest.mark.parametrize("compat", ["fixed", "strict"])
@pytest.mark.parametrize("fault", FAULTS)
def test_F_faults_of_frames(lua, fault, compat):
    sent, words = FAULTS[fault]
    d = lua(TELL % "", route={"compat": compat})
    client = opened(d)
    client.drip(sent)
    d.wait_text(f"told {words}")
    if compat == "fixed":
        client.expect_close(1009 if "payload len" in words else 1002)
    client.expect_end()
    still_works(d)


@pytest.mark.parametrize("compat", ["fixed", "strict"])
@pytest.mark.parametrize("cut", range(1, 7))
def test_a_client_that_leaves_within_a_frame(lua, cut, compat):
    d = lua(TELL % "", route={"compat": compat})
    client = opened(d)
    client.send(masked(TEXT, b"hello")[:cut])
    client.flushed()
    client.close()
    words = "failed to receive the first 2 bytes: closed" if cut < 2 else \
        "failed to read masking-len and payload: closed"
    d.wait_text(f"told {words}")
    still_works(d)


def test_a_client_that_resets_within_a_large_frame(lua):
    d = lua(TELL % "max_payload_len = 1048576")
    client = opened(d)
    client.send(masked(BINARY, b"x" * 500000)[:300000])
    client.flushed()
    client.reset()
    d.wait_text("told failed to read masking-len and payload: connection reset by peer")
    still_works(d)


TIMEOUT = NEW + """
local wb = assert(server:new { max_payload_len = 1048576 })
wb:recv_frame() -- sent in one with the first part of the next one, however slow the test is
wb:set_timeout(20)
local data, typ, err = wb:recv_frame()
wb:send_text(tostring(err))
wb:set_timeout(20000)
data, typ, err = wb:recv_frame()
wb:send_text(data and #data .. typ or err)
"""


@pytest.mark.parametrize("size", [1, 300, 200000])
@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 11])
def test_a_frame_is_resumed_after_a_timeout(lua, cut, size):
    d = lua(TIMEOUT)
    whole = masked(BINARY, b"x" * size)
    cut = min(cut, len(whole) - 1)
    client = opened(d)
    client.send(masked(TEXT, b"go") + whole[:cut])
    assert client.read_frame().payload.endswith(b": timeout")
    client.send(whole[cut:])
    client.expect_text(f"{size}binary")


def test_a_large_frame_is_resumed_in_its_midst(lua):
    d = lua(TIMEOUT)
    whole = masked(BINARY, b"x" * 900000)
    client = opened(d)
    client.send(masked(TEXT, b"go") + whole[:600000])
    assert client.read_frame().payload == b"failed to read masking-len and payload: timeout"
    client.send(whole[600000:])
    client.expect_text("900000binary")


def test_strict_loses_what_came_before_a_timeout(lua):
    d = lua(TIMEOUT, route={"compat": "strict"})
    client = opened(d)
    client.send(masked(TEXT, b"go") + masked(TEXT, b"hello")[:8])
    client.expect_text("failed to read masking-len and payload: timeout")
    client.send(masked(BINARY, b"next"))
    client.expect_text("4binary")
    client.expect_end()


@pytest.mark.parametrize("size", ["64", "4k", "1m"])
def test_how_much_may_wait_is_of_no_account_to_frames(lua, size):
    """lua_socket_buffer_size: the stream is paused and goes on, whatever the frames are like."""
    d = lua(NEW + """
        local wb = assert(server:new { max_payload_len = 1000000 })
        while true do
            local data, typ = wb:recv_frame()
            if typ ~= "binary" then return end
            ngx.sleep(0)
            wb:send_binary(data)
        end
        """, route={"lua_socket_buffer_size": size})
    client = opened(d)
    payloads = [bytes([i]) * n for i, n in enumerate([1, 100, 300000, 0, 70, 5000] + [20] * 200)]
    thread = threading.Thread(target=lambda: [client.binary(p) for p in payloads], daemon=True)
    thread.start()
    for p in payloads:
        client.expect_binary(p)
    thread.join()


def test_ends_by_a_close_frame(lua):
    d = lua(NEW + "local wb = server:new() wb:send_text('x') if ngx.var.args == 'e' then error('broken') end")
    client = opened(d)
    client.expect_text("x")
    client.expect_close(1000)
    client = opened(d, "/h?e")
    client.expect_text("x")
    client.expect_close(1011)
    client.expect_end()


def test_strict_adds_no_close_frame(lua):
    d = lua(NEW + "local wb = server:new() wb:send_text('x') if ngx.var.args == 'e' then error('broken') end",
            route={"compat": "strict"})
    for target in ("/h", "/h?e"):
        client = opened(d, target)
        client.expect_text("x")
        client.expect_end()


def test_log_tells_messages_and_codes(lua):
    d = lua(ECHO.read_text())
    client = opened(d)
    client.text("one")
    client.expect_text("one")
    client.text("t", fin=False)
    client.frame(CONT, "wo")
    client.expect_frame(TEXT, b"t", fin=False)
    client.expect_frame(CONT, b"wo")
    client.close_frame(4001, "mine")
    client.expect_close(4001)
    client.expect_end()
    client.close()
    line = d.end_of(client)
    assert line["messages_up"] == "2" and line["messages_down"] == "2"
    assert line["closed_by"] == "client"


def test_daemon_stops_with_1001(lua):
    d = lua(ECHO.read_text())
    client = opened(d)
    client.echoes(2)
    d.signal()
    client.expect_close(1001)
    client.close_frame(1001)
    client.expect_end()


def test_senders_wait_for_a_slow_reader_in_their_order(lua):
    d = lua(NEW + """
        local wb = assert(server:new { max_payload_len = 8388608 })
        local threads = {}
        for i = 1, 3 do
            threads[i] = ngx.thread.spawn(function () return wb:send_text(tostring(i):rep(4194304)) end)
        end
        for i = 1, 3 do
            local ok, bytes = ngx.thread.wait(threads[i])
            wb:send_text(tostring(bytes))
        end
        """)
    client = opened(d)
    for i in "123":
        client.expect_text(i * 4194304)
    for _ in range(3):
        client.expect_text(str(4194304 + 10))


def test_a_peer_that_does_not_read_ends_a_send(lua):
    d = lua(NEW + """
        local wb = assert(server:new { max_payload_len = 134217728, timeout = 50 })
        local bytes, err = wb:send_binary(("x"):rep(16777216))
        ngx.log(ngx.WARN, "sent ", tostring(bytes), " ", tostring(err), " ", tostring(wb.fatal))
        ngx.log(ngx.WARN, "then ", select(3, wb:recv_frame()))
        """)
    client = opened(d)
    d.wait_text("sent nil failed to send frame: timeout true")
    d.wait_text("then fatal error already happened")
    client.close()
    still_works(d)


def test_a_second_reader(lua):
    d = lua(NEW + """
        local wb = assert(server:new())
        local first = ngx.thread.spawn(function () return wb:recv_frame() end)
        local _, _, err = wb:recv_frame()
        wb:send_text(err .. tostring(wb.fatal))
        wb:send_text(select(2, ngx.thread.wait(first)))
        """)
    client = opened(d)
    client.expect_text("failed to receive the first 2 bytes: socket busy readingnil")
    client.text("for the first")
    client.expect_text("for the first")
    client.expect_close(1000)


def test_of_another_request_and_after_its_end(lua):
    d = lua(NEW + """
        if ngx.var.args == "keep" then
            package.loaded.kept = assert(server:new())
            package.loaded.kept:send_text("kept")
            return package.loaded.kept:recv_frame()
        end
        local wb = package.loaded.kept
        local function try(f, ...) local ok, a, b, c = pcall(f, ...) return tostring(ok and (c or b) or a) end
        ngx.say(try(wb.recv_frame, wb)) ngx.say(try(wb.send_text, wb, "x"))
        """)
    client = opened(d, "/h?keep")
    client.expect_text("kept")
    other = d.client()
    other.send(other.get("/h"))
    assert other.read_body(other.expect_answer(200)).count(b"bad request\n") == 2
    client.text("x")
    client.expect_close(1000)
    client.expect_end()
    client.close()
    d.end_of(client)
    other.send(other.get("/h"))
    assert other.read_body(other.expect_answer(200)) == \
        b"failed to receive the first 2 bytes: closed\nfatal error already happened\n"


def test_frames_within_the_handshakes_segment(lua):
    d = lua(TELL % "")
    client = d.client()
    client.send(client.request("/h").encode() + masked(TEXT, b"early") + masked(TEXT, b"later")[:3])
    client.expect_101()
    client.expect_text("early|text|nil")
    client.send(masked(TEXT, b"later")[3:])
    client.expect_text("later|text|nil")


def test_ten_thousand_frames_in_one_write(lua):
    d = lua(TELL % "")
    client = opened(d)
    client.send(masked(TEXT, b"m") * 10000)
    for _ in range(10000):
        client.expect_text("m|text|nil")


# ---- additions ----


def test_auto_pong(lua):
    d = lua(TELL % "auto_pong = true")
    client = opened(d)
    client.send(masked(PING, b"one") + masked(PING, b"") + masked(TEXT, b"x") + masked(PONG, b"mine"))
    client.expect_frame(PONG, b"one")
    client.expect_frame(PONG, b"")
    client.expect_text("x|text|nil")
    client.expect_text("mine|pong|nil")


@pytest.mark.parametrize("code,answer", [(1000, 1000), (4999, 4999), (None, None), (1005, 1002), (0, 1002)])
def test_auto_close(lua, code, answer):
    d = lua(NEW + """
        local wb = assert(server:new { auto_close = true })
        local data, typ, err = wb:recv_frame()
        ngx.log(ngx.WARN, "got ", data, typ, tostring(err), " ", tostring(select(2, wb:send_close(1000))),
            tostring(wb.fatal))
        """)
    client = opened(d)
    client.close_frame(code)
    client.expect_close(answer)
    client.expect_end()
    d.wait_text(f"got close{code if code is not None else 'nil'} already closednil")


@pytest.mark.parametrize("sent,code", [(b"\xc1\x80" + KEY, 1002), (b"\x82\xfe\xff\xff", 1009)])
def test_auto_close_of_faults(lua, sent, code):
    d = lua(TELL % "auto_close = true, max_payload_len = 1000")
    client = opened(d)
    client.send(sent)
    client.expect_close(code)
    client.expect_end()


@pytest.mark.parametrize("method", ["recv_frame", "recv_message"])
def test_whole_messages(lua, method):
    d = lua((TELL % "whole_messages = %s, max_message_len = 100" % str(method == "recv_frame").lower()).replace(
        "wb:recv_frame", "wb:" + method))
    client = opened(d)
    client.send(masked(TEXT, b"one ", fin=False) + masked(CONT, b"two ", fin=False) + masked(PING, b"p") +
                masked(CONT, b"three") + masked(BINARY, b"alone") + masked(BINARY, b"", fin=False) + masked(CONT, b""))
    for told in ("p|ping|nil", "one two three|text|nil", "alone|binary|nil", "|binary|nil"):
        client.expect_text(told)
    client.send(masked(TEXT, b"x" * 60, fin=False) + masked(CONT, b"x" * 41))
    d.wait_text("told exceeding max message len")


@pytest.mark.parametrize("sent,words", [
    (masked(CONT, b"x"), "continuation frame without a message"),
    (masked(TEXT, b"x", fin=False) + masked(TEXT, b"y"), "new message within a message"),
])
def test_whole_messages_in_their_order(lua, sent, words):
    d = lua(TELL % "whole_messages = true")
    client = opened(d)
    client.send(sent)
    d.wait_text(f"told {words}")
    client.expect_close(1002)


@pytest.mark.parametrize("whole", ["true", "false"])
def test_utf8(lua, whole):
    d = lua(TELL % f"utf8 = true, whole_messages = {whole}")
    client = opened(d)
    text = "ä€𐍈".encode()
    client.text(text)
    client.expect_text(text + b"|text|nil")
    client.binary(b"\xff")
    client.expect_text(b"\xff|binary|nil")
    client.send(masked(TEXT, text[:1], fin=False) + masked(CONT, text[1:]))
    if whole == "true":
        client.expect_text(text + b"|text|nil")
    else:
        client.expect_text(text[:1] + b"|text|again")
        client.expect_text(text[1:] + b"|continuation|nil")
    client.send(masked(TEXT, text[:1], fin=False) + masked(CONT, b""))
    d.wait_text("told invalid utf-8")
    if whole == "false":
        client.expect_text(text[:1] + b"|text|again")
    client.expect_close(1007)


@pytest.mark.parametrize("sent", [masked(TEXT, b"\xff"), masked(TEXT, b"\xe2\x82"),
                                  masked(CLOSE, close_payload(1000, b"\xff"))])
def test_utf8_faults(lua, sent):
    d = lua(TELL % "utf8 = true, auto_close = true")
    client = opened(d)
    client.send(sent)
    client.expect_close(1007)
    d.wait_text("told invalid utf-8")


def test_protocol_with_a_socket_that_yields(lua):
    d = lua("""
        local protocol = require "resty.websocket.protocol"
        local parts = { "\\129\\133", "\\1\\1\\1\\1idmmn" }
        local sock = { receive = function (_, n) ngx.sleep(0.001) return table.remove(parts, 1) end,
                       send = function (_, data) ngx.sleep(0.001) return #data end }
        ngx.say(protocol.recv_frame(sock, 100, true))
        ngx.say(protocol.send_frame(sock, true, 1, "hello", 100, true))
        """)
    client = d.client()
    client.send(client.get("/h"))
    assert client.read_body(client.expect_answer(200)) == b"hellotextnil\n11\n"


def test_objects_of_the_scripts_own(lua):
    d = lua(NEW + """
        local sent
        local wb = setmetatable({ max_recv_len = 100, max_send_len = 3, sock = {
            receive = function (_, n) return n == 2 and "\\129\\128" or "abcd" end,
            send = function (_, data) sent = data return #data end } }, { __index = server })
        ngx.say(wb:recv_frame()) ngx.say(wb:send_text("abc")) ngx.say(sent == "\\129\\3abc")
        ngx.say(wb:send_text("abcd")) ngx.say(wb.fatal)
        """)
    client = d.client()
    client.send(client.get("/h"))
    assert client.read_body(client.expect_answer(200)) == b"textnil\n5nil\ntrue\nnilpayload too big\ntrue\n"


WAYS_TO_WAIT = {
    "a timer": "local function pause() ngx.sleep(0.001) end",
    "the next turn": "local function pause() ngx.sleep(0) end",
    "a coroutine of its own": "local inner = coroutine.wrap(function () while true do ngx.sleep(0) coroutine.yield() end end)\n"
                              "local function pause() inner() end",
    "who resumed it": "local function pause() coroutine.yield() end",
}


@pytest.mark.parametrize("how", WAYS_TO_WAIT)
@pytest.mark.parametrize("role", ["server", "client"])
def test_methods_of_a_socket_of_the_scripts_own_may_wait(lua, how, role):
    d = lua(WAYS_TO_WAIT[how] + """
        local class = require("resty.websocket.%s")
        local bytes, sent = "", {}
        local sock = {
            receive = function (_, n)
                pause()
                if #bytes < n then return nil, "timeout" end
                local data = bytes:sub(1, n)
                bytes = bytes:sub(n + 1)
                pause()
                return data
            end,
            send = function (_, data) pause() sent[#sent + 1] = #data return #data end,
            settimeout = function (_, ms) pause() return "set " .. ms end,
        }
        local wb = setmetatable({ max_recv_len = 100, max_send_len = 300, sock = sock }, { __index = class })
        local function all()
            ngx.say(wb:set_timeout(7))
            bytes = "\\129\\131abcd\\2\\3\\23"
            ngx.say(wb:recv_frame()) ngx.say(wb:recv_frame()) ngx.say(wb.fatal)
            bytes = "\\138\\129aaaaz"
            ngx.say(wb:recv_message())
            wb:send_text("abc") wb:send_binary(12) wb:send_ping() wb:send_pong("x")
            wb:send_frame(false, 1, "part")
            if wb.send_continue then wb:send_continue("rest") end
            ngx.say(wb:send_close("no")) ngx.say(wb:send_close(1000, "bye"))
            ngx.say(table.concat(sent, " "))
            ngx.say(wb:send_close(1000)) ngx.say(wb.closed, wb.fatal)
            wb.fatal = nil wb.closed = nil
            ngx.say(wb:send_text(("x"):rep(301))) ngx.say(wb.fatal)
            ngx.say(wb:send_text("x")) ngx.say(wb:recv_frame())
            wb.fatal = nil
            bytes = "\\255\\1"
            ngx.say(wb:recv_frame()) ngx.say(wb.fatal)
            wb.fatal = nil
            wb.sock = nil
            ngx.say(wb:recv_frame()) ngx.say(wb:send_ping()) ngx.say(wb:set_timeout(1))
        end
        local co = coroutine.wrap(function () all() return "end" end)
        while co() ~= "end" do end
        """ % role)
    client = d.client()
    client.send(client.get("/h"))
    masks = 4 if role == "client" else 0
    sizes = [5, 4, 2, 3, 6] + ([6] if role == "server" else []) + [7]
    after = ["nilalready closed", "truetrue"] if role == "client" else ["4nil", "nilnil"]
    assert client.read_body(client.expect_answer(200)).decode("latin-1").splitlines() == [
        "set 7", "cattextnil", "nilnilfailed to receive the first 2 bytes: timeout",
        "nil", "\x1bpongnil", "nilbad status code", f"{7 + masks}nil", " ".join(str(n + masks) for n in sizes), *after,
        "nilpayload too big", "true", "nilfatal error already happened", "nilnilfatal error already happened",
        "nilnilbad RSV1, RSV2, or RSV3 bits", "true", "nilnilnot initialized yet", "nilnot initialized yet",
        "nilnilnot initialized yet"]


# ---- clients ----

CLIENT = """
local client = require "resty.websocket.client"
local wb = assert(client:new { %s })
local ok, err, header = wb:connect("ws://%s/app%s", %s)
"""


def script(upstream, text, *, new="", query="", opts="{}"):
    return CLIENT % (new, "%s:%d" % upstream.address, query, opts) + text


def run(daemon, target="/h"):
    client = daemon.client()
    client.send(client.get(target))
    return client


def test_a_client_masks_with_keys_of_its_own(lua, upstream):
    d = lua(script(upstream, """
        for i = 1, 3 do wb:send_text("same") end
        wb:send_binary(("x"):rep(70000))
        ngx.say(wb:recv_frame()) ngx.say(wb:close())
        """, new="max_payload_len = 100000"))
    client = run(d)
    app = upstream.accept_open()
    keys = {app.read_frame().mask for _ in range(3)}
    assert len(keys) == 3 and None not in keys
    assert app.read_frame().payload == b"x" * 70000
    app.text("hello")
    assert app.read_frame().opcode == CLOSE
    assert client.read_body(client.expect_answer(200)) == b"hellotextnil\n1\n"


@pytest.mark.parametrize("step", [1, 3])
def test_a_client_reads_in_small_pieces(lua, upstream, step):
    d = lua(script(upstream, """
        for _ = 1, 3 do ngx.say(wb:recv_frame()) end
        """))
    client = run(d)
    app = upstream.accept_open()
    app.drip(frame(TEXT, b"one") + frame(BINARY, b"y" * 130) + frame(CLOSE, close_payload(1001, "x")), step)
    assert client.read_body(client.expect_answer(200)) == b"onetextnil\n" + b"y" * 130 + b"binarynil\nxclose1001\n"


def test_a_client_is_refused(lua, upstream):
    d = lua(script(upstream, "ngx.say(tostring(ok), '|', err, '|', #header, '|', tostring(wb.fatal), '|', "
                             "wb:get_resp_status_code(), '|', wb:get_resp_headers().x_why)"))
    client = run(d)
    app = upstream.accept_request()
    app.send(app.answer(line="HTTP/1.1 403 Forbidden", add=["X-Why: because"]))
    body = client.read_body(client.expect_answer(200)).decode().strip().split("|")
    assert body[:2] == ["nil", "failed websocket handshake: unexpected response status: 403"]
    assert body[3:] == ["true", "403", "because"]
    app.expect_end()


def test_an_answer_without_end_is_cut(lua, upstream):
    d = lua(script(upstream, "ngx.say(tostring(ok), '|', err)"))
    client = run(d)
    app = upstream.accept_request()
    app.send("HTTP/1.1 101 x\r\n" + "X: " + "y" * 40000)
    assert client.read_body(client.expect_answer(200)) == b"nil|failed to receive response header: too long\n"


@pytest.mark.parametrize("opts", ["{ headers = { 'X: a\\r\\nY: b' } }", "{ origin = 'a\\nb' }", "{ key = 'a\\rb' }",
                                  "{ host = 'a\\r\\nb' }", "{ protocols = { 'a\\r\\nb' } }", "{ headers = { 'X: a\\0b' } }",
                                  "{ host = 'a\\0b' }", "{ headers = { 'X: a', '', 'GET / HTTP/1.1' } }"])
def test_line_breaks_in_options(lua, upstream, opts):
    d = lua(script(upstream, "ngx.say(tostring(ok), err)", opts=opts))
    client = run(d)
    assert client.read_body(client.expect_answer(200)) == b"nilcustom headers must not contain line breaks\n"
    upstream.nobody_came()


def test_a_bridge_and_its_fragments(lua, upstream):
    d = lua("""
        local server, client = require "resty.websocket.server", require "resty.websocket.client"
        local down = assert(server:new { max_payload_len = 2097152 })
        local up = assert(client:new { max_payload_len = 2097152 })
        assert(up:connect("ws://%s:%d/app"))
        local opcodes = { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 }
        local function pump(from, to)
            while true do
                local data, typ, err = from:recv_frame()
                if not data then return end
                if typ == "close" then return to:send_close(err, data) end
                to:send_frame(err ~= "again", opcodes[typ], data)
            end
        end
        local back = ngx.thread.spawn(pump, up, down)
        pump(down, up)
        ngx.thread.wait(back)
        """ % upstream.address)
    client = opened(d)
    app = upstream.accept_open()
    for payload in (b"", b"x", b"y" * 65536, b"z" * 1048576):
        client.send(masked(BINARY, payload[:1], fin=False) + masked(PING, b"p") + masked(CONT, payload[1:]))
        app.expect_frame(BINARY, payload[:1], fin=False)
        app.expect_frame(PING, b"p")
        app.expect_frame(CONT, payload[1:])
        app.binary(payload)
        client.expect_binary(payload)
    client.close_frame(1001, "bye")
    app.expect_close(1001, "bye")
    app.close_frame(1001)
    client.expect_close(1001)
    client.expect_end()


def test_a_client_that_is_torn_apart(lua, upstream):
    d = lua(script(upstream, """
        local reader = ngx.thread.spawn(function () return wb:recv_frame() end)
        wb.sock[1] = nil wb.sock = nil wb[1] = nil
        collectgarbage() collectgarbage()
        ngx.say(ngx.thread.kill(reader))
        ngx.say(tostring(select(3, wb:recv_frame())))
        """))
    client = run(d)
    upstream.accept_open()
    assert client.read_body(client.expect_answer(200)) == b"1\nnot initialized yet\n"
    still_works(d)


@pytest.mark.parametrize("wait", ["wb:recv_frame()", "wb.sock:receive(2)"])
def test_what_waits_for_a_socket_that_is_torn_apart_holds_it(lua, wait):
    """Its memory is not given to others while a timeout is to look at it."""
    d = lua(NEW + """
        local wb = assert(server:new { timeout = 100 })
        local sock = wb.sock
        ngx.thread.spawn(function ()
            local data, typ, err = %s
            wb.sock = sock
            sock[1] = wb[2]
            wb[1] = wb[2]
            wb:send_text(typ == "timeout" and typ or tostring(err))
        end)
        wb[2] = setmetatable({ sock[1] }, { __mode = "v" })
        sock[1] = nil wb.sock = nil wb[1] = nil
        for i = 1, 4 do collectgarbage() end
        wb[2] = wb[2][1]
        for i = 1, 1000 do local x = newproxy() end
        """ % wait.replace("wb.sock", "sock"))
    client = opened(d)
    assert client.read_frame().payload.endswith(b"timeout")
    still_works(d)


def test_a_server_that_is_torn_apart(lua):
    d = lua(NEW + """
        local wb = assert(server:new())
        ngx.thread.spawn(function () return wb:recv_frame() end)
        wb.sock[1] = nil wb.sock = nil wb[1] = nil
        collectgarbage() collectgarbage()
        ngx.exit(444)
        """)
    client = opened(d)
    client.text("x")
    client.expect_end()
    still_works(d)


def test_frames_when_the_vm_is_full(lua):
    """Whatever becomes of a frame, it is its own bytes or an error."""
    d = lua(NEW + """
        local wb = assert(server:new { max_payload_len = 65536 })
        local hoard, full = {}, false
        local function fill() for i = 1, 1e9 do hoard[#hoard + 1] = ("x"):rep(1000) .. i end end
        pcall(fill)
        for _ = 1, 40 do
            local ok, data, typ, err = pcall(wb.recv_frame, wb)
            if ok and data and data ~= ("y"):rep(#data) then return wb:send_text("garbage") end
            if ok and not data then hoard = nil return end
        end
        hoard = nil
        collectgarbage() collectgarbage()
        wb:send_text("sound")
        """, process={"lua_memory": "16m"})
    client = opened(d)
    for i in range(40):
        client.text(b"y" * (i * 100 + 1))
    f = client.read_frame()
    assert f.opcode == CLOSE or f.payload == b"sound"
    still_works(d)


CROWD = NEW + """
local semaphore = require "ngx.semaphore"
local shared = require "crowd"
shared.sema = shared.sema or semaphore.new()
local wb = assert(server:new { max_payload_len = 1048576 })
if ngx.var.uri == "/h/sleeper" then
    for _ = 1, 12 do
        assert(shared.sema:wait(60))
        wb:send_text("woken")
    end
    return
end
while true do
    local data, typ, err = wb:recv_frame()
    local what = data and data:match("^%a+")
    if what == "twice" then
        wb:send_text(data)
    elseif what == "large" then
        wb:send_text(("z"):rep(100000))
    elseif what == "post" then
        shared.sema:post(1)
    elseif what == "close" then
        wb:send_text(data)
        return wb:send_close(1000, "as asked")
    elseif what == "error" then
        wb:send_text(data)
        error("as asked")
    elseif what == "exit" then
        wb:send_text(data)
        return ngx.exit(444)
    elseif not data or typ == "close" then
        return
    end
    wb:send_text(data)
end
"""
# What a client sends, and how often that comes back.
ASKED = {"echo": 1, "twice": 2, "large": 1, "post": 1, "close": 1, "error": 1, "exit": 1, "reset": 0, "end": 0}


@pytest.mark.parametrize("rounds", [1, 3])
def test_clients_of_one_moment(lua, rounds):
    """Answers that wait for each other: every client gets its own, whole and in order, whatever becomes of the
    others."""
    d = lua(CROWD, files={"crowd.lua": "return {}"}, process={"workers": "1"})
    sleeper = opened(d, "/h/sleeper")
    clients = [(what, f"{what} {n}", opened(d)) for n in range(12) for what in ASKED]
    for _ in range(rounds - 1):
        with d.frozen():
            for _, text, client in clients:
                client.text("echo " + text)
        for _, text, client in clients:
            client.expect_text("echo " + text)
    with d.frozen():
        for what, text, client in clients:
            client.text(text)
            if what == "reset":
                client.reset()
            elif what == "end":
                client.shutdown()
    for what, text, client in clients:
        if what == "large":
            client.expect_text("z" * 100000)
        for _ in range(ASKED[what]):
            client.expect_text(text)
        if what == "close":
            client.expect_close(1000, "as asked")
        elif what == "error":
            client.expect_close(1011)
        elif what == "end":
            client.expect_text(text)
    for _ in range(12):
        sleeper.expect_text("woken")
    for what, text, client in clients:
        if what in ("echo", "twice", "large", "post"):
            client.text("echo at last")
            client.expect_text("echo at last")
    still_works(d)


def test_clients_of_one_moment_one_of_whom_reads_nothing(lua):
    """What waits behind a full socket is not what waits for the others."""
    d = lua(CROWD, files={"crowd.lua": "return {}"}, process={"workers": "1"})
    clients = [opened(d) for _ in range(20)]
    for round_ in range(60):
        with d.frozen():
            for client in clients:
                client.text(f"large {round_}" if client is clients[7] else f"echo {round_}")
        for client in clients:
            if client is not clients[7]:
                client.expect_text(f"echo {round_}")
    for round_ in range(60):
        clients[7].expect_text("z" * 100000)
        clients[7].expect_text(f"large {round_}")
    still_works(d)
