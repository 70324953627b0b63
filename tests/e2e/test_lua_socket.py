# SPDX-License-Identifier: BSD-2-Clause
"""Cosockets against raw servers: what arrives in pieces, who vanishes, what a pool may not mix up."""

import hashlib
import socket
import threading

import pytest

from helpers.daemon import section, still_works, wait_until
from helpers.kernel import wait_consumed
from helpers.names import NameServer

PORT = "local port = tonumber(ngx.var.arg_port)\n"
CONNECT = PORT + """
    local sock = assert(ngx.socket.tcp())
    sock:settimeout(20000)
    assert(sock:connect("127.0.0.1", port))
"""


def ask(daemon, target="/h", **variables):
    """A plain request on a connection of its own; the answer's lines."""
    query = "&".join(f"{k}={v}" for k, v in variables.items())
    client = daemon.client()
    client.send(client.get(f"{target}?{query}", add=["Connection: close"]))
    head = client.expect_answer(200)
    body = client.read_body(head).decode("latin-1")
    client.close()
    return body.splitlines()


@pytest.fixture
def begun(clients):
    """begun(daemon, **variables): a client whose request is under way."""

    def make(daemon, **variables):
        query = "&".join(f"{k}={v}" for k, v in variables.items())
        client = clients(daemon.address)
        client.send(client.get(f"/h?{query}", add=["Connection: close"]))
        return client

    return make


def answer_of(client):
    return client.read_body(client.expect_answer(200)).decode("latin-1").splitlines()


# ---- what arrives in pieces ----

READS = """
    local out = {}
    local function add(...)
        for i = 1, select("#", ...) do out[#out + 1] = tostring((select(i, ...))) end
    end
    add(sock:receive())
    add(sock:receive(5))
    local read = sock:receiveuntil("--end")
    add(read(4)) add(read(100)) add(read(100))
    add(sock:receiveuntil("\\r\\n", { inclusive = true })())
    add(sock:receive("*l"))
    local rest = {}
    repeat
        local some, err = sock:receiveany(3)
        rest[#rest + 1] = some
    until not some
    add(table.concat(rest))
    add(sock:receive())
    ngx.say(ngx.escape_uri(table.concat(out, "|")))
"""
SENT = b"one\r\n12345abcd-ef---endtail\r\nla\rst\nremains"
READ = "one%7C12345%7Cabcd%7C-ef-%7Cnil%7Cnil%7Cnil%7Ctail%0D%0A%7Clast%7Cremains%7Cnil%7Cclosed"


def test_what_is_read_does_not_depend_on_where_it_is_split(lua, upstreams, begun):
    up = upstreams()
    d = lua(CONNECT + READS)
    for at in range(1, len(SENT)):
        client = begun(d, port=up.address[1])
        peer = up.accept()
        peer.send(SENT[:at])
        wait_consumed(peer)
        peer.send(SENT[at:])
        peer.shutdown()
        assert answer_of(client) == [READ], f"split at {at}"
        peer.close()
        client.close()
    still_works(d)


def test_what_is_read_byte_by_byte(lua, upstreams, begun):
    up = upstreams()
    d = lua(CONNECT + READS)
    client = begun(d, port=up.address[1])
    peer = up.accept()
    for i in range(len(SENT)):
        peer.send(SENT[i:i + 1])
        wait_consumed(peer)
    peer.shutdown()
    assert answer_of(client) == [READ]


def test_a_body_is_read_through_its_socket_wherever_it_is_split(lua):
    d = lua("""
        local sock = assert(ngx.req.socket())
        local out = { sock:receive(), sock:receive(3), (sock:receiveuntil("::")()) }
        local all = sock:receive("*a")
        ngx.say(table.concat(out, "|"), "|", all, "|", (select(2, sock:receive())))
    """)
    body = b"first\r\nabcuntil::rest"
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:4], body[4:9], body[9:])) + b"0\r\n\r\n"
    for head, sent in ((f"Content-Length: {len(body)}", body), ("Transfer-Encoding: chunked", chunked)):
        for at in range(1, len(sent)):
            client = d.client()
            client.send(client.get("/h", method="POST", add=[head, "Connection: close"]).encode() + sent[:at])
            wait_consumed(client)
            client.send(sent[at:])
            assert answer_of(client) == ["first|abc|until|rest|closed"], f"{head}, split at {at}"
            client.close()


def test_the_raw_socket_reads_wherever_it_is_split(lua):
    d = lua("""
        local sock = assert(ngx.req.socket(true))
        local line, some = sock:receive(), sock:receive(4)
        local until_ = sock:receiveuntil("..")()
        sock:send { "HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n", line, "|", some, "|", until_, "\\n" }
    """)
    sent = b"hello\n1234some.text.."
    for at in range(1, len(sent)):
        client = d.client()
        client.send(client.get("/h").encode() + sent[:at])
        wait_consumed(client)
        client.send(sent[at:])
        assert client.read_all().endswith(b"\r\n\r\nhello|1234|some.text\n"), f"split at {at}"
        client.close()


def test_large_reads_on_every_kind_of_socket(lua, upstreams, begun):
    """More than is kept without a reader: the stream that a reader waits for is not paused."""
    size = 1_000_000
    up = upstreams()
    d = lua(PORT + f"""
        if ngx.var.arg_kind == "raw" then
            local sock = assert(ngx.req.socket(true))
            sock:send("HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n")
            ngx.sleep(0.01)
            return sock:send(ngx.md5(sock:receive({size})))
        end
        local sock
        if ngx.var.arg_kind == "body" then
            sock = assert(ngx.req.socket())
        else
            sock = ngx.socket.tcp()
            assert(sock:connect("127.0.0.1", port))
            sock:send("go")
        end
        ngx.say(ngx.md5(sock:receive({size})))
    """, route={"client_max_body_size": "2m"})
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    want = hashlib.md5(data).hexdigest()
    client = begun(d, port=up.address[1], kind="tcp")
    peer = up.accept()
    peer.read(2)
    peer.send(data)
    assert answer_of(client) == [want]
    client = d.client()
    client.send(client.get("/h?kind=body", method="POST", add=[f"Content-Length: {size}", "Connection: close"]).encode())
    client.send(data)
    assert answer_of(client) == [want]
    client = d.client()
    client.send(client.get("/h?kind=raw"))
    client.send(data)
    assert client.read_all().endswith(want.encode())


def test_what_nobody_reads_pauses_the_peer_until_it_is_read(lua, upstreams, begun):
    up = upstreams()
    d = lua(CONNECT + """
        ngx.say("there") ngx.flush(true)
        while not ngx.shared.flags:get("go") do ngx.sleep(0.002) end
        local n = 0
        repeat
            local some, err = sock:receiveany(100000)
            n = n + #(some or "")
        until not some
        ngx.say(n)
    """, files={"go.lua": "ngx.shared.flags:set('go', 1) ngx.say('ok')"},
        extra=section("shared_dict", "flags", {"size": "1m"}) +
        section("route", "go", {"listener": "main", "path": "/go", "handler": "go.lua"}))
    client = begun(d, port=up.address[1])
    peer = up.accept()
    before = d.memory() if hasattr(d, "memory") else None
    sent = threading.Thread(target=lambda: (peer.send(b"x" * 30_000_000), peer.shutdown()))
    sent.start()
    client.expect_answer(200)
    client.read_until(b"there\n")
    assert before is None or d.memory() - before < 20_000_000
    assert ask(d, "/go") == ["ok"]
    assert b"30000000" in client.read_all()
    sent.join()


# ---- sending ----

def test_what_was_sent_before_close_arrives(lua, upstreams, begun):
    """The kernel has not taken all of it when the socket is closed."""
    up = upstreams(rcvbuf=4096)
    d = lua(CONNECT + """
        for i = 1, 40 do assert(sock:send(("x"):rep(1000))) end
        local n = 0
        local writer = ngx.thread.spawn(function ()
            for i = 1, 400 do n = n + assert(sock:send(("%05d"):format(i):rep(2000))) end
        end)
        ngx.thread.wait(writer)
        ngx.say(sock:close(), " ", n)
    """)
    client = begun(d, port=up.address[1])
    peer = up.accept()
    data = peer.read_all()
    assert data == b"x" * 40000 + b"".join(b"%05d" % i * 2000 for i in range(1, 401))
    assert answer_of(client) == ["1 4000000"]


def test_sends_of_one_turn_leave_together(lua, upstreams, begun):
    up = upstreams()
    d = lua(CONNECT + """
        for i = 1, 100 do sock:send { "part ", i, "," } end
        ngx.say(sock:receive())
    """)
    client = begun(d, port=up.address[1])
    peer = up.accept()
    peer.sock.settimeout(20)
    data = peer.sock.recv(100000)
    assert data.decode() == "".join(f"part {i}," for i in range(1, 101))
    peer.send(b"done\n")
    assert answer_of(client) == ["done"]


def test_a_refused_place_leaves_the_object_usable(lua, upstreams, begun, closing):
    up = upstreams()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = unused.getsockname()[1]
        d = lua(PORT + """
            local sock = ngx.socket.tcp()
            ngx.say(sock:connect("127.0.0.1", tonumber(ngx.var.arg_dead)))
            ngx.say(sock:connect("127.0.0.1", port))
            ngx.say(sock:send("x"))
        """)
        client = begun(d, port=up.address[1], dead=dead)
        assert up.accept().read(1) == b"x"
        assert answer_of(client) == ["nilconnection refused", "1", "1"]


def test_localhost_is_found_on_whatever_family_it_listens(lua, upstreams, begun):
    up = upstreams()
    d = lua(PORT + """
        for i = 1, 8 do
            local sock = assert(ngx.socket.connect("localhost", port))
            sock:close()
        end
        ngx.say("ok")
    """)
    client = begun(d, port=up.address[1])
    for _ in range(8):
        up.accept().close()
    assert answer_of(client) == ["ok"]


# ---- who vanishes ----

WAITS = {
    "connect": 'sock = ngx.socket.tcp() sock:settimeout(60000) sock:connect("slow.test", 1)',
    "handshake": 'sock:sslhandshake(nil, "x.test", true)',
    "receive": "sock:receive()",
    "receive_size": "sock:receive(5)",
    "receive_all": 'sock:receive("*a")',
    "receiveany": "sock:receiveany(5)",
    "receiveuntil": 'sock:receiveuntil("x")()',
    "send": 'sock:send(("x"):rep(50000000))',
    "pool": 'local o = { pool_size = 1, backlog = 5, pool = "full" } local a, b = ngx.socket.tcp(), ngx.socket.tcp() '
            'a:connect("127.0.0.1", port, o) b:connect("127.0.0.1", port, o)',
    "udp_name": 'ngx.socket.udp():setpeername("slow.test", 1)',
    "udp": 'local u = ngx.socket.udp() u:setpeername("127.0.0.1", port) u:receive()',
    "raw": "ngx.req.socket(true):receiveuntil('never')()",
    "wait": "ngx.thread.wait(ngx.thread.spawn(function () sock:receive() end))",
    "coroutine": "coroutine.wrap(function () pcall(sock.receive, sock) end)()",
}


@pytest.mark.parametrize("how", WAITS)
def test_a_client_that_vanishes_within_a_call_that_waits(lua, upstreams, begun, closing, how):
    """The request ends, and with it every socket that it has; nothing is touched after."""
    up, names = upstreams(), NameServer()
    try:
        names.scripts["slow.test"] = lambda question: None
        d = lua(CONNECT + "ngx.on_abort(function () ngx.exit(499) end) ngx.log(ngx.WARN, 'waits now')\n" + WAITS[how],
                process={"resolver": names.text}, route={"lua_socket_log_errors": "off"})
        for end in ("close", "reset"):
            client = begun(d, port=up.address[1])
            peer = up.accept()
            d.wait_text("waits now", 1 if end == "close" else 2)
            getattr(client, end)()
            peer.expect_end()
            peer.close()
        d.stop()
    finally:
        names.stop()


@pytest.mark.parametrize("how", [how for how in WAITS if how != "wait"])
def test_a_thread_that_is_killed_within_a_call_that_waits(lua, upstreams, begun, how):
    up, names = upstreams(), NameServer()
    try:
        names.scripts["slow.test"] = lambda question: None
        d = lua(CONNECT + f"""
            if "{how}" == "raw" then ngx.say("ok") return end
            local t = ngx.thread.spawn(function () {WAITS[how]} end)
            ngx.say(ngx.thread.kill(t))
            local other = ngx.socket.tcp()
            ngx.say(other:connect("127.0.0.1", port))
            other:close()
            sock:close()
        """, process={"resolver": names.text})
        client = begun(d, port=up.address[1])
        assert answer_of(client) == (["ok"] if how == "raw" else ["1", "1"])
        d.stop()
    finally:
        names.stop()


def test_a_script_that_closes_its_socket_while_it_is_given_bytes(lua, upstreams, begun):
    """And drops the object, and makes another at the same place."""
    up = upstreams()
    d = lua(CONNECT + """
        local function use(s)
            local got = s:receive(1)
            s:close()
            assert(s:connect("127.0.0.1", port))
            got = got .. s:receive(1)
            s = nil
            collectgarbage() collectgarbage()
            return got
        end
        ngx.say(use(sock))
        sock = nil
        collectgarbage() collectgarbage()
        local lost = ngx.socket.tcp()
        assert(lost:connect("127.0.0.1", port))
        lost = nil
        collectgarbage() collectgarbage()
        ngx.say("end")
    """)
    client = begun(d, port=up.address[1])
    first = up.accept()
    first.send(b"abc")
    second = up.accept()
    second.send(b"xyz")
    up.accept().expect_end()
    second.expect_end()
    assert answer_of(client) == ["ax", "end"]
    still_works(d)


# ---- pools ----

POOL = PORT + """
    local sock = ngx.socket.tcp()
    sock:settimeout(20000)
    assert(sock:connect("127.0.0.1", port, { pool = ngx.var.arg_pool }))
    local times = sock:getreusedtimes()
    local mark = ngx.var.arg_mark
    for i = 1, 3 do
        assert(sock:send { mark, " ", i, "\\n" })
        local line = sock:receive()
        if line ~= mark .. " " .. i then ngx.say("foreign: ", line) return end
    end
    if ngx.var.arg_leave == "dirty" then sock:send("again\\n") sock:receive(1) end
    ngx.say(times > 0 and "reused" or "new", " ", tostring((sock:setkeepalive(300, 5))))
"""


def test_no_byte_of_a_pooled_connection_is_another_users(lua, upstreams):
    """Every user marks what it sends; some leave in the middle of an answer."""
    up = upstreams()

    def echo(peer):
        while True:
            data = peer.sock.recv(1000)
            if not data:
                return
            peer.send(data)

    def serve():
        while True:
            try:
                peer = up.accept()
            except OSError:
                return
            threading.Thread(target=lambda: quiet(echo, peer), daemon=True).start()

    def quiet(f, *args):
        try:
            f(*args)
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    d = lua(POOL)
    seen = []

    def use(k):
        for i in range(25):
            leave = "dirty" if (i + k) % 4 == 0 else "clean"
            seen.extend(ask(d, port=up.address[1], pool="one", mark=f"m{k}-{i}", leave=leave))

    users = [threading.Thread(target=use, args=(k,)) for k in range(4)]
    for u in users:
        u.start()
    for u in users:
        u.join()
    assert len(seen) == 100 and not [x for x in seen if x.startswith("foreign")], seen
    assert [x for x in seen if x.startswith("reused")]
    still_works(d)


def test_pools_by_name_and_those_by_address_do_not_meet(lua, upstreams, begun):
    up = upstreams()
    d = lua(CONNECT + """
        assert(sock:setkeepalive(60000))
        local other = ngx.socket.tcp()
        other:connect("127.0.0.1", port, { pool = "tcp " .. port .. " 9 127.0.0.1" })
        ngx.say(other:getreusedtimes())
        local again = ngx.socket.tcp()
        again:connect("127.0.0.1", port)
        ngx.say(again:getreusedtimes())
    """)
    client = begun(d, port=up.address[1])
    up.accept()
    up.accept()
    assert answer_of(client) == ["0", "1"]


# ---- the end ----

def test_sockets_go_with_the_daemon(lua, upstreams, begun):
    up = upstreams()
    d = lua(CONNECT + """
        local idle = ngx.socket.tcp()
        idle:connect("127.0.0.1", port, { pool = "idle" }) idle:setkeepalive()
        ngx.timer.at(0, function ()
            local own = ngx.socket.tcp()
            own:connect("127.0.0.1", port)
            own:receive()
        end)
        sock:receive()
    """, process={"drain_timeout": "100ms"})
    begun(d, port=up.address[1])
    peers = [up.accept() for _ in range(3)]
    d.signal()
    for peer in peers:
        peer.expect_end()
    d.wait_end()


def test_a_socket_outlives_no_request(lua, upstreams, begun):
    up = upstreams()
    d = lua(CONNECT + """
        package.loaded.kept = sock
        ngx.timer.at(0.001, function ()
            for _, name in ipairs { "receive", "close", "setkeepalive", "getreusedtimes" } do
                local _, ok, err = pcall(sock[name], sock)
                ngx.log(ngx.WARN, name, ": ", tostring(err or ok))
            end
            ngx.log(ngx.WARN, "connect: ", tostring(sock:connect("127.0.0.1", port)))
        end)
    """)
    client = begun(d, port=up.address[1])
    up.accept().expect_end()
    answer_of(client)
    up.accept().expect_end()
    d.wait_text("connect: 1")
    for name in ("receive", "close", "setkeepalive", "getreusedtimes"):
        d.wait_text(f"{name}: closed")


# ---- what may fail ----

@pytest.mark.parametrize("fault", [f"alloc:{at}:ENOMEM" for at in range(120, 200, 5)] +
                         [f"{call}:{at}:{error}" for call, error in (("recv", "ECONNRESET"), ("send", "EPIPE"), ("connect", "ENETUNREACH"),
                                                                     ("socket", "EMFILE"), ("recv", "SHORT"), ("send", "SHORT"))
                          for at in (1, 3, 6, 10)])
def test_R_02_whatever_may_fail_around_sockets(lua, upstreams, fault):
    """Each call says so, or does its work; nothing else is hurt."""
    up = upstreams()

    def echo(peer):
        while line := peer.sock.recv(1000):
            peer.send(line)

    def serve():
        while True:
            try:
                peer = up.accept()
            except OSError:
                return
            threading.Thread(target=quiet, args=(peer,), daemon=True).start()

    def quiet(peer):
        try:
            echo(peer)
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    d = lua(PORT + """
        local said = {}
        for i = 1, 4 do
            local sock = ngx.socket.tcp()
            sock:settimeout(5000)
            local ok, err = sock:connect("127.0.0.1", port, { pool = "p", pool_size = 2, backlog = 2 })
            if ok then ok, err = sock:send { "line ", i, "\\n" } end
            if ok then ok, err = sock:receive() end
            if ok then assert(ok == "line " .. i, ok) ok, err = sock:setkeepalive(100) end
            if not ok then sock:close() end
            local u = ngx.socket.udp()
            if u:setpeername("127.0.0.1", 9) then u:send("x") u:close() end
            said[i] = tostring(ok) .. tostring(err)
        end
        ngx.say(table.concat(said, " "))
    """, faults=fault, may_fail=True, route={"lua_socket_log_errors": "off"})
    if d is None:
        return
    for _ in range(3):
        try:
            client = d.client()
            client.send(client.get(f"/h?port={up.address[1]}", add=["Connection: close"]))
            client.expect_end()
        except OSError:
            pass
    still_works(d, 20)
