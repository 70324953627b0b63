# SPDX-License-Identifier: BSD-2-Clause
"""Clients that leave while their script waits, errors behind the handshake, and what belongs to others."""

import pytest

from helpers.daemon import still_works
from test_lua_bad import ERRORS

# Each waits for what does not come. `%d` is the port of somebody who accepts and says nothing.
CALLS = """
    local port = %d
    local function connected()
        local sock = ngx.socket.tcp()
        sock:settimeouts(60000, 60000, 60000)
        assert(sock:connect("127.0.0.1", port))
        return sock
    end
    local function opened()
        return assert(require("resty.websocket.server"):new { timeout = 60000, max_payload_len = 2^30 })
    end
    local block = ("x"):rep(1048576)
    return {
        receive = function () connected():receive() end,
        receive_some = function () connected():receiveany(10) end,
        receive_until = function () connected():receiveuntil("x")() end,
        send = function () local sock = connected() for _ = 1, 100 do assert(sock:send(block)) end end,
        handshake = function () connected():sslhandshake() end,
        pool = function ()
            local sock, other = ngx.socket.tcp(), ngx.socket.tcp()
            local how = { pool = "p" .. ngx.var.connection, pool_size = 1, backlog = 10 }
            assert(sock:connect("127.0.0.1", port, how))
            other:settimeout(60000)
            other:connect("127.0.0.1", port, how)
        end,
        connect = function ()
            require("resty.websocket.client"):new { timeout = 60000 }:connect("ws://127.0.0.1:" .. port .. "/")
        end,
        udp = function ()
            local sock = ngx.socket.udp()
            assert(sock:setpeername("127.0.0.1", port))
            sock:receive()
        end,
        raw_receive = function () ngx.req.socket(true):receive(10) end,
        raw_send = function () local sock = ngx.req.socket(true) for _ = 1, 100 do assert(sock:send(block)) end end,
        recv_frame = function () opened():recv_frame() end,
        recv_message = function () opened():recv_message() end,
        send_frame = function () local wb = opened() for _ = 1, 100 do if not wb:send_binary(block) then return end end end,
        both = function ()
            local wb = opened()
            ngx.thread.spawn(function () for _ = 1, 100 do if not wb:send_binary(block) then return end end end)
            ngx.thread.spawn(function () connected():receive() end)
            wb:recv_frame()
        end,
        wait_any = function ()
            ngx.thread.wait(ngx.thread.spawn(ngx.sleep, 3600), ngx.thread.spawn(function () connected():receive() end))
        end,
        in_pcall = function () for _ = 1, 3 do pcall(function () connected():receive() end) end end,
        in_coroutine = function () coroutine.wrap(function () connected():receive() end)() end,
        in_metamethod = function ()
            local t = setmetatable({}, { __index = function () return connected():receive() end })
            return t.x
        end,
    }
"""
NAMES = ("receive receive_some receive_until send handshake pool connect udp raw_receive raw_send recv_frame recv_message"
         " send_frame both wait_any in_pcall in_coroutine in_metamethod").split()


@pytest.mark.parametrize("aborts", [False, True])
@pytest.mark.parametrize("how", ["close", "reset", "shutdown"])
def test_a_client_that_leaves_while_sockets_wait(lua, upstreams, how, aborts):
    """Whether the script ends then, or goes on until the daemon stops: nothing of the client's is touched."""
    silent = upstreams()
    d = lua("""
        if ngx.var.arg_aborts == "True" then
            ngx.on_abort(function () ngx.log(ngx.WARN, "left ", ngx.var.arg_what) ngx.exit(499) end)
        end
        ngx.log(ngx.WARN, "waits in ", ngx.var.arg_what)
        require("calls")[ngx.var.arg_what]()
    """, files={"calls.lua": CALLS % silent.address[1]}, process={"drain_timeout": "100ms"},
            route={"close_timeout": "100ms"})
    clients = []
    for what in NAMES:
        client = d.client()
        client.send(client.request(f"/h?what={what}&aborts={aborts}"))
        d.wait_text(f"waits in {what}")
        getattr(client, how)()
        clients.append(client)
    still_works(d)
    if aborts:
        for what in ("receive", "udp", "connect", "wait_any", "in_pcall"):
            d.wait_text(f"left {what}")
    for client in clients:
        client.close()
    d.stop()


# Those that end a request without an error, or need a limit of memory, stand elsewhere.
@pytest.mark.parametrize("what", [e for e in ERRORS if e != "spawn"])
def test_an_error_behind_the_handshake_gives_1011(lua, what):
    d = lua(f"""
        local wb = assert(require("resty.websocket.server"):new())
        local data = wb:recv_frame()
        if data == "echo" then wb:send_text(data) return wb:send_close(1000) end
        {ERRORS[what]}
    """, process={"lua_memory": "16m"})
    other = d.client().open("/h")
    client = d.client().open("/h")
    client.text("now")
    client.expect_close(1011)
    client.expect_end()
    line = d.wait_text("lua entry thread aborted: ")
    assert "traceback" in line
    other.text("echo")
    other.expect_text("echo")
    other.expect_close(1000)
    still_works(d)


def test_memory_hunger_behind_the_handshake(lua):
    d = lua("""
        local wb = assert(require("resty.websocket.server"):new())
        if wb:recv_frame() == "eat" then
            local t = {}
            while true do t[#t + 1] = ("x"):rep(10000) .. #t end
        end
        wb:send_text("fine")
    """, process={"lua_memory": "16m"})
    other = d.client().open("/h")
    for _ in range(3):
        client = d.client().open("/h")
        client.text("eat")
        client.expect_close(1011)
        client.expect_end()
        d.wait_text("not enough memory")
    other.text("x")
    other.expect_text("fine")


FOREIGN = {
    "recv_frame": "wb:recv_frame()", "send_text": "wb:send_text('x')", "send_close": "wb:send_close(1000)",
    "recv_message": "wb:recv_message()", "receive": "wb.sock:receive(1)", "send": "wb.sock:send('x')",
    "tcp_receive": "tcp:receive(1)", "tcp_send": "tcp:send('x')", "tcp_close": "tcp:close()",
    "tcp_keep": "tcp:setkeepalive()", "client": "client:recv_frame()", "client_send": "client:send_text('x')",
    "client_close": "client:close()", "udp": "udp:send('x')", "udp_receive": "udp:receive()",
}


@pytest.mark.parametrize("when", ["timer", "other", "ended"])
def test_connections_of_others(lua, upstreams, when):
    """From a timer, from another request, and after its own request's end: an error each, and nobody is hurt."""
    silent = upstreams()
    d = lua("""
        local shared = require "shared"
        if ngx.var.arg_make then
            local wb = assert(require("resty.websocket.server"):new())
            local tcp, udp = ngx.socket.tcp(), ngx.socket.udp()
            assert(tcp:connect("127.0.0.1", PORT))
            assert(udp:setpeername("127.0.0.1", PORT))
            local client = require("resty.websocket.client"):new()
            client.sock:connect("127.0.0.1", PORT)
            shared.wb, shared.tcp, shared.udp, shared.client = wb, tcp, udp, client
            wb:send_text("made")
            while wb:recv_frame() do end
            return
        end
        local function try()
            for _, name in ipairs(shared.names) do
                local wb, tcp, udp, client = shared.wb, shared.tcp, shared.udp, shared.client
                wb.fatal, client.fatal, client.closed = nil
                local env = setmetatable({ wb = wb, tcp = tcp, udp = udp, client = client }, { __index = _G })
                local out = { pcall(setfenv(assert(loadstring("return " .. shared.calls[name])), env)) }
                for i = 1, 3 do out[i] = tostring(out[i]) end
                ngx.log(ngx.WARN, "tried ", name, " ", table.concat(out, "|"))
            end
            ngx.log(ngx.WARN, "all tried")
        end
        if ngx.var.arg_when == "timer" then ngx.timer.at(0, try) else try() end
    """.replace("PORT", str(silent.address[1])), files={"shared.lua": "return { calls = {" + ", ".join(
        f'{k} = "{v}"' for k, v in FOREIGN.items()) + "}, names = {" + ", ".join(f'"{k}"' for k in FOREIGN) + "} }"})
    owner = d.client().open("/h?make=1")
    owner.expect_text("made")
    if when == "ended":
        owner.close()
        d.wait_line("session_end")
    client = d.client()
    client.send(client.get(f"/h?when={when}"))
    client.expect_answer(200)
    d.wait_text("all tried")
    tried = {line.text.split(" tried ")[1].split(" ")[0]: line.text.split(" tried ")[1].split(" ", 1)[1]
             for line in d.lines if " tried " in line.text and "all tried" not in line.text}
    assert set(tried) == set(FOREIGN)
    for name, said in tried.items():
        assert not said.startswith("true|1|"), (name, said)
        assert "bad request" in said or "closed" in said or "fatal" in said or "not initialized" in said, (name, said)
    if when != "ended":
        owner.text("still mine")
        owner.close_frame(1000)
    still_works(d)


@pytest.mark.parametrize("shake, error", [("", "failed to send response header: closed"), ("ngx.send_headers()", "response header already sent")])
def test_a_handshake_with_who_has_left(lua, shake, error):
    d = lua("""
        local done
        ngx.on_abort(function () done = true end)
        ngx.log(ngx.WARN, "waits")
        while not done do ngx.sleep(0.01) end
        %s
        local wb, err = require("resty.websocket.server"):new()
        ngx.log(ngx.WARN, tostring(wb), " ", err)
        """ % shake)
    client = d.client()
    client.send(client.request("/h"))
    d.wait_text("waits")
    client.reset()
    d.wait_text("nil " + error)
    still_works(d)
