# SPDX-License-Identifier: BSD-2-Clause
"""Scripts between hostile bytes and hostile calls: what a peer sends at every limit, what a script may do to a
socket while another of its threads waits in it."""

import socket
import threading

import pytest

from helpers.daemon import still_works
from helpers.names import NameServer
from helpers.reloads import reload


# ---- heads at the very limit ----

LINE_MAX, HEAD_MAX = 16 * 1024, 32 * 1024


@pytest.mark.parametrize("phase", ["handler", "access", "log"])
def test_H_07_lines_at_the_limit_without_a_blank(lua, phase):
    """A head is kept in a form of its own, which must not be longer than what was accepted."""
    scripts = {"handler": "ngx.say(#ngx.req.raw_header(), ' ', #(ngx.var.http_a or ''))"}
    if phase != "handler":
        scripts[phase] = "ngx.ctx.a = #ngx.req.raw_header()"
    d = lua(**scripts)
    for name, lines in {"long": ["A:" + "x" * (LINE_MAX - 2)], "many": [f"A{i}:b" for i in range(97)],
                        "all": [f"A{i}:" + "y" * 300 for i in range(95)]}.items():
        client = d.client()
        head = client.get("/h", add=lines + ["Connection:close"])
        assert len(head) < HEAD_MAX, name
        client.send(head)
        client.expect_answer(200)
        client.close()
    client = d.client()
    head = client.get("/h", add=["Connection:close"])
    rest = HEAD_MAX - len(head) - len("B:\r\nC:\r\n")
    half = rest // 2
    head = client.get("/h", add=["B:" + "x" * half, "C:" + "y" * (rest - half), "Connection:close"])
    assert len(head) == HEAD_MAX
    client.send(head)
    client.expect_answer(200)
    still_works(d)


# ---- where one request ends and the next begins ----

@pytest.mark.parametrize("change", ['ngx.req.clear_header("Content-Length")', 'ngx.req.clear_header("Transfer-Encoding")',
                                    'ngx.req.set_header("Content-Length", 4)',
                                    'ngx.req.set_header("Transfer-Encoding", "chunked")'])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("phase", ["handler", "access"])
@pytest.mark.parametrize("read", ["", "ngx.req.read_body()"])
def test_a_script_does_not_move_the_end_of_the_body(lua, change, chunked, phase, read):
    """What the script makes of the head is for others: the bytes on the connection are as the client framed them."""
    handler = f"{read} ngx.say(ngx.var.uri, ' ', tostring(ngx.req.get_body_data()))"
    change = f"pcall(function () {change} end)"
    scripts = {"handler": change + "\n" + handler} if phase == "handler" else {"access": change, "handler": handler}
    d = lua(**scripts)
    client = d.client()
    evil = client.get("/h/evil").encode()
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(evil), evil) if chunked else evil
    how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(evil)}"
    client.send(client.get("/h/first", method="POST", add=[how]).encode() + body)
    client.send(client.get("/h/last", add=["Connection: close"]))
    said = client.read_all().decode("latin-1")
    assert "/h/first" in said and "\n/h/evil nil" not in said, said
    assert not read or "/h/last" in said
    still_works(d)


def test_an_empty_body_as_arguments(lua):
    d = lua("ngx.req.read_body() ngx.say(next(ngx.req.get_post_args()), next(ngx.req.get_uri_args()))")
    for how in (["Content-Length: 0"], []):
        client = d.client()
        client.send(client.get("/h", method="POST", add=how + ["Connection: close"]))
        assert client.read_body(client.expect_answer(200)) == b"nilnil\n"


# ---- NUL in what becomes text of C, or of a head ----

def test_names_with_a_nul_are_no_names(lua, upstreams):
    """Not what stands before it: whoever has looked at the end of a name has looked at the name."""
    up = upstreams()
    d = lua("""
        local port = tonumber(ngx.var.arg_port)
        local tcp, udp = ngx.socket.tcp(), ngx.socket.udp()
        ngx.say(tcp:connect("127.0.0.1\\0.example", port))
        ngx.say(udp:setpeername("127.0.0.1\\0.example", port))
        ngx.say(udp:bind("127.0.0.1\\0.example"))
        ngx.say(tcp:bind("127.0.0.1\\0.example"))
        ngx.say((pcall(ngx.req.set_uri_args, "a=1\\0b")), " ", (pcall(ngx.req.set_uri_args, "a=1 b")), " ",
            (pcall(ngx.req.set_uri_args, "a=1\\r\\nX: y")))
        ngx.req.set_uri("/a\\0b\\r\\nX: 1")
        ngx.req.set_header("X-A", "a\\0b\\r\\nX-B: 1")
        ngx.say(ngx.var.http_x_b, " ", ngx.var.http_x_a)
    """)
    client = d.client()
    client.send(client.get(f"/h?port={up.address[1]}", add=["Connection: close"]))
    lines = client.read_body(client.expect_answer(200)).split(b"\n")
    for line in lines[:4]:
        assert line.startswith(b"nil"), lines
    assert lines[4:6] == [b"false false false", b"nil a%00b%0D%0AX-B: 1"]
    still_works(d)


# ---- pools ----

BOTH_ENDS = """
    local port = tonumber(ngx.var.arg_port)
    local options = { pool = "one", pool_size = 1, backlog = 1 }
    local first, second = ngx.socket.tcp(), ngx.socket.tcp()
    first:settimeout(20000)
    second:settimeout(20000)
    assert(first:connect("127.0.0.1", port, options))
    assert(first:send("hello"))
    ngx.say(first:receive())
    repeat local ok, err = first:send("more") until not ok
    ngx.say(first:close())
    ngx.say(second:connect("127.0.0.1", port, options))
"""


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_connection_whose_both_halves_are_over_has_left_its_pool(lua, upstreams, clients, end):
    up = upstreams()
    d = lua(BOTH_ENDS)
    client = clients(d.address)
    client.send(client.get(f"/h?port={up.address[1]}", add=["Connection: close"]))
    peer = up.accept()
    peer.read_until(b"hello")
    getattr(peer, end)()
    up.accept()
    lines = client.read_body(client.expect_answer(200)).decode().splitlines()
    assert lines[-1] == "1" and lines[-2] in ("1", "nilclosed"), lines
    still_works(d)


# ---- a socket that is torn from under those who wait in it ----

WAIT_AND = """
    local port = tonumber(ngx.var.arg_port)
    local sock = ngx.socket.tcp()
    sock:settimeout(%(timeout)s)
    assert(sock:connect("127.0.0.1", port))
    local function reads() return sock:receive("*a") end
    local function sends() return sock:send(("x"):rep(8000000)) end
    local reader, writer = ngx.thread.spawn(reads), ngx.thread.spawn(sends)
    ngx.sleep(0.001)
    %(does)s
    collectgarbage() collectgarbage()
    for _, t in ipairs { reader, writer } do
        local ok, result, err = ngx.thread.wait(t)
        ngx.say(tostring(ok), " ", tostring(result), " ", tostring(err))
    end
"""


@pytest.mark.parametrize("killed", ["reader", "writer"])
def test_whoever_waits_in_a_socket_that_another_threads_death_has_closed(lua, upstreams, clients, killed):
    up = upstreams()
    other = "writer" if killed == "reader" else "reader"
    d = lua(WAIT_AND % {"timeout": 100000, "does": f"ngx.thread.kill({killed}) local _, ok, err = ngx.thread.wait({other}) "
                        "ngx.say(ok, ' ', err) do return end"})
    client = clients(d.address)
    client.send(client.get(f"/h?port={up.address[1]}", add=["Connection: close"]))
    peer = up.accept()
    assert client.read_body(client.expect_answer(200)).decode().startswith("nil closed")
    peer.close()
    still_works(d)


@pytest.mark.parametrize("what", ["sock[1] = nil", "sock[1] = nil sock = nil", "for k in pairs(sock) do sock[k] = nil end",
                                  "setmetatable(sock, nil) sock[1] = nil"])
def test_a_socket_whose_table_is_torn_apart(lua, upstreams, clients, what):
    up = upstreams()
    d = lua(WAIT_AND % {"timeout": 50, "does": what})
    client = clients(d.address)
    client.send(client.get(f"/h?port={up.address[1]}", add=["Connection: close"]))
    peer = up.accept()
    assert client.read_body(client.expect_answer(200)) == b"true nil timeout\n" * 2
    peer.close()
    still_works(d)


@pytest.mark.parametrize("call", ['sock:connect("slow.test", 80)', 'sock:connect("127.0.0.1", port, pool)',
                                  'udp:setpeername("slow.test", 80)', 'udp:receive()', 'sock:connect(x)'])
@pytest.mark.parametrize("end", ["late", "leaves"])
def test_a_connect_whose_socket_is_torn_apart(lua, upstreams, clients, call, end):
    up, names = upstreams(), NameServer()
    names.scripts["slow.test"] = lambda question: None
    try:
        d = lua(f"""
            local port = tonumber(ngx.var.arg_port)
            local pool = {{ pool = "p", pool_size = 1, backlog = 3 }}
            local first, sock, udp = ngx.socket.tcp(), ngx.socket.tcp(), ngx.socket.udp()
            assert(first:connect("127.0.0.1", port, pool))
            sock:settimeout(50) udp:settimeout(50)
            assert(udp:setpeername("127.0.0.1", port))
            local t = ngx.thread.spawn(function () return {call} end)
            sock[1] = nil udp[1] = nil sock = nil udp = nil
            collectgarbage() collectgarbage()
            ngx.log(ngx.WARN, "torn")
            if {str(end == "leaves").lower()} then ngx.exit(444) end
            ngx.thread.wait(t)
            ngx.say("over")
        """, process={"resolver": names.text})
        client = clients(d.address)
        client.send(client.get(f"/h?port={up.address[1]}", add=["Connection: close"]))
        if end == "late":
            client.read_body(client.expect_answer(200))
        else:
            client.expect_end()
        still_works(d)
        d.stop()
    finally:
        names.stop()


@pytest.mark.parametrize("what", ["wb[1] = nil wb.sock = nil", "wb.sock = nil", "wb[1] = nil",
                                  "wb.sock[2] = nil wb[1] = nil", "wb.sock[1] = nil wb.sock[2] = nil wb[1] = nil wb.sock = nil"])
@pytest.mark.parametrize("does", ["wb:recv_frame()", "for _ = 1, 10000 do wb:send_binary(('x'):rep(60000)) end"])
def test_frames_whose_object_is_torn_apart(lua, what, does):
    d = lua(f"""
        local wb = assert(require("resty.websocket.server"):new {{ timeout = 50 }})
        local t = ngx.thread.spawn(function () {does} end)
        {what}
        collectgarbage() collectgarbage()
        ngx.thread.wait(t)
        ngx.log(ngx.WARN, "over")
    """)
    client = d.client()
    client.send(client.request("/h"))
    client.expect_101()
    d.wait_text("over")
    client.close()
    still_works(d)


@pytest.mark.parametrize("kind", ["udp", "tcp", "body"])
def test_an_object_over_a_socket_that_carries_no_frames(lua, kind):
    """Its native half is that of another socket, which has no connection yet, or never will."""
    d = lua("""
        if ngx.var.arg_kind == "body" then
            local sock = assert(ngx.req.socket())
            ngx.ctx.sock = sock
        end
        local server, client = require "resty.websocket.server", require "resty.websocket.client"
        local sock = ngx.ctx.sock or ngx.socket[ngx.var.arg_kind]()
        if ngx.var.arg_kind == "udp" then assert(sock:setpeername("127.0.0.1", 9)) end
        local wb = assert(client:new { timeout = 50 })
        wb[1], wb.sock = sock[1], sock
        for _ = 1, 100 do
            pcall(wb.recv_frame, wb) wb.fatal = nil
            pcall(wb.send_text, wb, "a") wb.fatal = nil
            pcall(server.recv_frame, wb) wb.fatal = nil
            pcall(server.send_binary, wb, "a") wb.fatal = nil
        end
        ngx.say("over")
    """)
    client = d.client()
    client.send(client.get(f"/h?kind={kind}", add=["Content-Length: 4", "Connection: close"]) + "abcd")
    assert client.read_body(client.expect_answer(200)) == b"over\n"
    still_works(d)


def test_options_that_tear_their_socket_apart(lua, upstreams):
    up = upstreams()
    d = lua("""
        for _ = 1, 20 do
            local sock = ngx.socket.tcp()
            local options = setmetatable({}, { __index = function ()
                sock[1] = nil
                collectgarbage() collectgarbage()
            end })
            ngx.say(pcall(sock.connect, sock, "127.0.0.1", tonumber(ngx.var.arg_port), options))
        end
    """)
    client = d.client()
    client.send(client.get(f"/h?port={up.address[1]}", add=["Connection: close"]))
    lines = client.read_body(client.expect_answer(200)).splitlines()
    assert len(lines) == 20 and all(line.startswith(b"false") for line in lines)
    still_works(d)


# ---- names, datagrams ----

def test_names_of_every_kind_are_names_or_are_refused(lua):
    names = NameServer()
    try:
        d = lua("""
            local long = ("x"):rep(63)
            local names = { "", ".", "..", "a..b", "-", "a b", "a\\nb", "a\\127", "\\195\\169", "*", "a/b", "127.0.0.1:80", "[::1", "::1]", "[]", "[::1]x",
                ":::", "1.2.3.4.5", "0x7f.1", "unix:", "a@b", "%00", long .. "." .. long .. "." .. long .. "." .. long .. "." .. long,
                ("x"):rep(64) .. ".test", ("a."):rep(200), ("x"):rep(70000), "localhost..", "_._", "xn--" }
            for i, name in ipairs(names) do
                local tcp, udp = ngx.socket.tcp(), ngx.socket.udp()
                tcp:settimeout(2000) udp:settimeout(2000)
                local ok, err = tcp:connect(name, 1)
                assert(ok == nil and type(err) == "string", i)
                ok, err = udp:setpeername(name, 1)
                assert(ok == 1 or ok == nil and type(err) == "string", i)
            end
            ngx.say("all")
        """, process={"resolver": names.text}, route={"lua_socket_log_errors": "off"})
        client = d.client()
        client.send(client.get("/h", add=["Connection: close"]))
        assert client.read_body(client.expect_answer(200)) == b"all\n"
        still_works(d)
    finally:
        names.stop()


def test_datagrams_of_every_size(lua, clients):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(20)
        d = lua("""
            local u = ngx.socket.udp()
            u:settimeout(20000)
            assert(u:setpeername("127.0.0.1", tonumber(ngx.var.arg_port)))
            assert(u:send("hello"))
            for _ = 1, 6 do
                local data, err = u:receive()
                ngx.say(data and #data or err)
            end
            ngx.say(#u:receive(1), " ", #u:receive(2^40), " ", #u:receive("7"))
            for _, n in ipairs { 0, -1, 0/0, -1/0 } do ngx.say(#u:receive(n)) end
            for _, n in ipairs { 0, 1, 65507, 65508, 1000000 } do ngx.say(u:send(("x"):rep(n))) end
            ngx.say(u:send { "a", { "b", 1 } })
            ngx.say(u:close(), u:close())
        """)
        client = clients(d.address)
        client.send(client.get(f"/h?port={peer.getsockname()[1]}", add=["Connection: close"]))
        data, address = peer.recvfrom(100)
        assert data == b"hello"
        for n in (0, 1, 1472, 1473, 65506, 65507, *[10] * 7):
            peer.sendto(b"y" * n, address)
        lines = client.read_body(client.expect_answer(200)).decode().splitlines()
        assert lines == ["0", "1", "1472", "1473", "65506", "65507", "1 10 7", "0", "10", "10", "10",
                         "1", "1", "1", "nilmessage too long", "nilmessage too long", "1", "1nilclosed"]
        assert [len(peer.recv(70000)) for _ in range(4)] == [0, 1, 65507, 3]
    still_works(d)


# ---- patterns ----

def test_patterns_without_end_are_ended(lua):
    """Backtracking has a limit, with and without JIT and side by side; broken UTF-8 is told or passed over."""
    d = lua("""
        local hostile = { { "(a+)+$", ("a"):rep(64) .. "b" }, { "(a|aa)+$", ("a"):rep(64) .. "b" }, { "^(.*?,){20}x", ("1,"):rep(40) },
            { "(?:(?:(?:a?)*)*)*b", ("a"):rep(64) }, { "(x+x+)+y", ("x"):rep(64) }, { "(?R)?a|b", ("a"):rep(5000) },
            { "((a)|(b)|c)*d", ("abc"):rep(20000) } }
        for i, row in ipairs(hostile) do
            for _, opts in ipairs { "", "j", "jo", "d", "i", "u" } do
                local ok, m, err = pcall(ngx.re.match, row[2], row[1], opts)
                assert(ok, m)
                if i == 1 and opts == "" then assert(err and err:find("^pcre_exec%(%) failed: "), tostring(err)) end
            end
            assert(pcall(ngx.re.gsub, row[2], row[1], "$0$0", "jo"))
        end
        for _, bad in ipairs { "\\255", "a\\192\\175", "\\237\\160\\128", "\\244\\144\\128\\128", "\\226\\130" } do
            local m, err = ngx.re.match(bad .. "x", "x", "u")
            assert(not m and err, "told")
            assert(ngx.re.match(bad .. "x", "x", "U")[0] == "x")
            assert(not ngx.re.match("x", bad .. "(", "u"))
        end
        for _, pattern in ipairs { ("("):rep(10000), ("(?:"):rep(300) .. (")"):rep(300), "[", "(?<n", "\\\\", "a{99999}", "(?<n>a)(?<n>b)",
            ("a|"):rep(50000), "\\0", "(*LIMIT_MATCH=1000000000)(a+)+$", "(*NO_JIT)a", "(?C1)a", "\\\\Q" } do
            pcall(ngx.re.match, "aaa", pattern, "jo")
            pcall(ngx.re.find, "aaa", pattern, "")
        end
        for _, pos in ipairs { -1, 0, 1, 3, 4, 5, 2^31, 2^53, 0/0, 1/0 } do
            pcall(ngx.re.match, "aaa", "a", "jo", { pos = pos })
            pcall(ngx.re.find, "aaa", "(a)", "jo", { pos = pos }, pos)
        end
        ngx.say("all")
    """)
    client = d.client()
    client.send(client.get("/h", add=["Connection: close"]))
    assert client.read_body(client.expect_answer(200)) == b"all\n"
    still_works(d)


# ---- every byte where a head is made ----

def test_no_byte_of_a_script_is_a_line_of_a_head(lua, upstreams, clients):
    """Each of the 256 bytes in names and values: of answers, of the request, of a client's handshake."""
    up = upstreams()
    d = lua("""
        local kind, n = ngx.var.arg_kind, tonumber(ngx.var.arg_n)
        local text = "a" .. string.char(n) .. "Evil: yes"
        if kind == "value" then ngx.header["X-A"] = text
        elseif kind == "name" then ngx.header["X" .. string.char(n) .. "Y"] = "b"
        elseif kind == "add" then require("ngx.resp").add_header("X-A", { text, text })
        elseif kind == "redirect" then pcall(ngx.redirect, "/" .. text) ngx.header.location = nil
        elseif kind == "request" then
            pcall(ngx.req.set_header, "X-A", text)
            pcall(ngx.req.set_header, "X" .. string.char(n) .. "Y", "b")
            pcall(ngx.req.set_uri, "/" .. text)
            pcall(ngx.req.set_uri_args, text)
            pcall(function () ngx.var.args = text end)
            assert(not ngx.req.get_headers().evil and not ngx.req.raw_header():find("\\nEvil"))
        elseif kind == "client" then
            local client = require "resty.websocket.client"
            for _, o in ipairs { { headers = { text } }, { origin = text }, { host = text }, { key = text }, { protocols = text },
                                 { protocols = { "a", text } }, {} } do
                local wb = client:new { timeout = 20000 }
                local uri = "ws://127.0.0.1:" .. ngx.var.arg_port .. "/" .. (next(o) and "" or text)
                ngx.log(ngx.INFO, tostring(select(2, wb:connect(uri, o))))
            end
        end
        ngx.say("ok")
    """)

    def serve():
        while True:
            try:
                peer = up.accept()
                head = peer.read_until(b"\r\n\r\n")
                assert b"\nEvil" not in head and b"\0" not in head
                assert not [line for line in head.split(b"\r\n")[:-2] if not line or b"\r" in line or b"\n" in line]
                peer.send(b"HTTP/1.1 101 x\r\n\r\n" if b"\nEvil" not in head else b"")
                peer.close()
            except OSError:
                return
            except AssertionError as e:
                failures.append(e)

    failures = []
    threading.Thread(target=serve, daemon=True).start()
    client = clients(d.address)
    for kind in ("value", "name", "add", "redirect", "request", "client"):
        for n in range(256):
            client.send(client.get(f"/h?kind={kind}&n={n}&port={up.address[1]}"))
            head = client.read_head()
            assert client.read_body(head) == b"ok\n" or kind == "redirect"
            assert head.get("Evil") is None and "\n" not in head.raw.decode("latin-1").replace("\r\n", ""), (kind, n)
            if kind == "redirect":
                client.close()
                client = clients(d.address)
    assert not failures
    still_works(d)


# ---- the end of everything, while a script waits ----

CONNECTED = """
    local port = tonumber(ngx.var.arg_port)
    local sock = assert(ngx.socket.tcp())
    sock:settimeout(20000)
    assert(sock:connect("127.0.0.1", port))
"""
WAITS = {
    "connect": 'sock = ngx.socket.tcp() sock:settimeout(60000) sock:connect("slow.test", 1)',
    "handshake": 'sock:sslhandshake(nil, "x.test", true)',
    "receive": "sock:receive()",
    "until": 'sock:receiveuntil("x")(5)',
    "send": 'sock:send(("x"):rep(20000000))',
    "pool": 'local o = { pool_size = 1, backlog = 5, pool = "full" } local a, b = ngx.socket.tcp(), ngx.socket.tcp() '
            'a:connect("127.0.0.1", port, o) b:connect("127.0.0.1", port, o)',
    "udp_name": 'ngx.socket.udp():setpeername("slow.test", 1)',
    "udp": 'local u = ngx.socket.udp() u:setpeername("127.0.0.1", port) u:receive()',
    "body": "ngx.req.read_body()",
    "body_socket": "ngx.req.socket():receive('*a')",
    "print": "ngx.print(('x'):rep(20000000)) ngx.flush(true)",
    "client": 'require("resty.websocket.client"):new{ timeout = 20000 }:connect("ws://127.0.0.1:" .. port .. "/")',
    "frame": 'require("resty.websocket.protocol").recv_frame(sock, 100)',
}


@pytest.mark.parametrize("cache", ["on", "off"])
@pytest.mark.parametrize("how", WAITS)
def test_exits_reloads_and_stops_within_a_call_that_waits(lua, upstreams, clients, how, cache):
    up, names = upstreams(), NameServer()
    names.scripts["slow.test"] = lambda question: None
    try:
        d = lua(CONNECTED + f"""
            local t = ngx.thread.spawn(function () {WAITS[how]} end)
            ngx.log(ngx.WARN, "waits now")
            if ngx.var.arg_exit then ngx.exit(444) end
            ngx.thread.wait(t)
        """, process={"resolver": names.text, "lua_code_cache": cache, "drain_timeout": "100ms"}, route={"lua_socket_log_errors": "off"})

        def begin(n, **variables):
            client = clients(d.address)
            query = "&".join(f"{k}={v}" for k, v in {"port": up.address[1], **variables}.items())
            client.send(client.get(f"/h?{query}", method="POST", add=["Content-Length: 10"]))
            d.wait_text("waits now", n)
            return client

        begin(1, exit=1).expect_end()
        up.accept().expect_end()
        begin(2)
        peer = up.accept()
        reload(d)
        (d.config.parent / "handler.lua").write_text("ngx.say('new')")
        reload(d)
        d.signal()
        peer.expect_end()
        d.wait_end()
    finally:
        names.stop()


# ---- answers at their limits ----

@pytest.mark.parametrize("what", ['ngx.header["X-" .. i] = "v"', 'ngx.header["X-" .. i] = ("v"):rep(1000)', 'ngx.header["X-" .. i] = ("v"):rep(16380)',
                                  'ngx.header["X"] = ("v"):rep(16384 - i % 8)'])
def test_rules_hold_however_many_headers_a_script_sets(lua, what):
    d = lua(f"""
        for i = 1, 200 do if not pcall(function () {what} end) then break end end
        ngx.say("ok")
    """, route={"response_set": "X-Frame-Options: DENY"})
    client = d.client()
    client.send(client.get("/h", add=["Connection: close"]))
    head = client.expect_answer(200)
    assert head.get("X-Frame-Options") == "DENY"
    assert client.read_body(head) == b"ok\n"
    still_works(d)


def test_an_answer_has_one_length_and_one_type(lua):
    d = lua("""
        local add = require("ngx.resp").add_header
        for _, name in ipairs { "Content-Length", "content_length", "CONTENT-LENGTH" } do
            add(name, { 3, 5 }) add(name, "4")
        end
        add("Content-Type", "a/b") add("content-type", { "c/d", "e/f" })
        ngx.print("abcd")
    """)
    client = d.client()
    client.send(client.get("/h"))
    head = client.expect_answer(200)
    assert head.all("Content-Length") == ["4"] and head.all("Content-Type") == ["e/f"]
    assert client.read_body(head) == b"abcd"
    still_works(d)
