# SPDX-License-Identifier: BSD-2-Clause
"""What scripts rely on that no case of tests/parity shows: settings, what a reload keeps, ends from on_abort."""

import shutil
import socket
from pathlib import Path

import pytest

from helpers.names import NameServer
from helpers.reloads import reload

PORT = "local port = tonumber(ngx.var.arg_port)\n"


def ask(daemon, target="/h", **variables):
    """A plain request on a connection of its own; the answer's lines."""
    query = "&".join(f"{k}={v}" for k, v in variables.items())
    client = daemon.client()
    client.send(client.get(f"{target}?{query}", add=["Connection: close"]))
    body = client.read_body(client.expect_answer(200)).decode("latin-1")
    client.close()
    return body.splitlines()


# ---- patterns ----

GIVES_UP = "ngx.say(tostring(select(2, ngx.re.match(('a'):rep(30) .. '!', '^(a+)+$', ngx.var.arg_o))))"


@pytest.mark.parametrize("options", ["", "j", "o", "jo"])
def test_lua_regex_match_limit(lua, options):
    """Most patterns end long before the default of ten million."""
    d = lua(GIVES_UP, process={"lua_regex_match_limit": 1000})
    assert ask(d, o=options) == ["pcre_exec() failed: -8"]


def test_lua_regex_match_limit_of_init(lua):
    d = lua("ngx.say(tostring(found))", init="found = select(2, ngx.re.match(('a'):rep(30) .. '!', '^(a+)+$'))",
            process={"lua_regex_match_limit": 1000})
    assert ask(d) == ["pcre_exec() failed: -8"]


@pytest.mark.parametrize("most", ["1", "2", "off"])
def test_lua_regex_cache_max_entries(lua, most):
    """Patterns work as they did, however few are kept."""
    d = lua("for i = 1, 50 do assert(ngx.re.find('x' .. i % 7, i % 7 .. '$', 'jo') == 2) end ngx.say('ok')",
            process={"lua_regex_cache_max_entries": most})
    assert ask(d) == ["ok"]


def test_a_reload_changes_the_limits_of_patterns(lua):
    d = lua("ngx.say(select(2, ngx.re.match(('a'):rep(18) .. '!', '^(a+)+$')) or 'none')", process={"lua_regex_match_limit": 1000})
    assert ask(d) == ["pcre_exec() failed: -8"]
    reload(d, ("lua_regex_match_limit = 1000", "lua_regex_match_limit = 10000000"))
    assert ask(d) == ["none"]


# ---- modules ----

def test_lua_package_cpath(lua, tmp_path):
    cjson = next(Path("/usr/lib").glob("*/lua/5.1/cjson.so"), None) or Path("/usr/lib/lua/5.1/cjson.so")
    folder = tmp_path / "c"
    folder.mkdir()
    shutil.copy(cjson, folder / "cjson.so")
    d = lua("package.loaded.cjson = nil ngx.say(package.searchpath('cjson', package.cpath)) ngx.say(require('cjson').encode({1}))",
            process={"lua_package_cpath": "c/?.so;;"})
    assert ask(d) == [str(folder / "cjson.so"), "[1]"]


# ---- what a reload keeps ----

def test_dictionaries_outlive_a_vm_and_are_shared_by_workers(lua, tmp_path):
    d = lua("ngx.say(ngx.shared.d:incr('n', 1, 0), ' ', version)", init="version = 1", process={"workers": 2},
            extra="[shared_dict d]\nsize = 1m\n")
    for n in range(1, 9):
        assert ask(d) == [f"{n} 1"]
    (tmp_path / "init.lua").write_text("version = 2")
    reload(d)
    assert ask(d) == ["9 2"]


def test_pools_outlive_a_vm(lua, tmp_path, upstreams):
    up = upstreams()
    d = lua(PORT + """
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        ngx.say(sock:getreusedtimes(), " ", version)
        sock:setkeepalive(60000)
    """, init="version = 1")
    assert ask(d, port=up.address[1]) == ["0 1"]
    up.accept()
    (tmp_path / "init.lua").write_text("version = 2")
    reload(d)
    assert ask(d, port=up.address[1]) == ["1 2"]


# ---- settings of sockets ----

def test_lua_socket_connect_timeout(lua):
    """Towards one who takes no more connections."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for s in (first, second):
            s.setblocking(False)
            s.connect_ex(full.getsockname())
        d = lua(PORT + "ngx.say(tostring(select(2, ngx.socket.connect('127.0.0.1', port))))",
                route={"lua_socket_connect_timeout": "50ms"})
        assert ask(d, port=full.getsockname()[1]) == ["timeout"]


def test_lua_socket_keepalive_timeout_and_pool_size(lua, upstreams):
    up = upstreams()
    d = lua(PORT + """
        local socks = {}
        for i = 1, 3 do
            socks[i] = ngx.socket.tcp()
            assert(socks[i]:connect("127.0.0.1", port))
            socks[i]:send(i)
        end
        for i = 1, 3 do ngx.say((socks[i]:setkeepalive())) end
    """, route={"lua_socket_pool_size": 2, "lua_socket_keepalive_timeout": "50ms"})
    assert ask(d, port=up.address[1]) == ["1"] * 3
    for _ in range(3):  # the first for want of a place, the others in their time
        assert up.accept().read_all() in (b"1", b"2", b"3")


def test_compat_of_the_process_is_that_of_timers(lua, upstreams):
    up = upstreams()
    script = PORT + """
        ngx.timer.at(0, function ()
            local wb = require("resty.websocket.client"):new()
            local ok, err = wb:connect("ws://127.0.0.1:" .. port .. "/x")
            ngx.log(ngx.WARN, "connected ", ok, " ", err)
        end)
    """
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    for process, words in (({}, "connected nil failed websocket handshake: unexpected response status: 403"),
                           ({"compat": "strict"}, "connected 1 nil")):
        d = lua(script, process=process)
        ask(d, port=up.address[1])
        peer = up.accept()
        peer.read_until(b"\r\n\r\n")
        peer.send(refusal)
        d.wait_text(words)
        d.stop()


def test_of_several_addresses_a_random_one_is_tried_first(lua, upstreams):
    """And the others behind it: with one that is dead, every attempt ends at the other."""
    one, names = upstreams(("127.0.0.81", 0)), NameServer()
    other = upstreams(("127.0.0.82", one.address[1]))
    try:
        names.a("two.test", "127.0.0.81", "127.0.0.82")
        names.a("half.test", "127.0.0.83", "127.0.0.82")
        d = lua(PORT + """
            for i = 1, 64 do
                local sock = ngx.socket.tcp()
                assert(sock:connect(ngx.var.arg_name, port))
                sock:close()
            end
            ngx.say("ok")
        """, process={"resolver": names.text})
        assert ask(d, port=one.address[1], name="two.test") == ["ok"]
        ones, others = len(one.drain()), len(other.drain())
        assert ones + others == 64 and ones > 0 and others > 0
        assert ask(d, port=one.address[1], name="half.test") == ["ok"]
        assert len(other.drain()) == 64 and one.nobody_came()
    finally:
        names.stop()


# ---- beyond ngx_lua 0.10.23 ----

def test_bind_of_a_tcp_socket(lua, upstreams):
    up = upstreams()
    d = lua(PORT + """
        local sock = ngx.socket.tcp()
        ngx.say(tostring(select(2, sock:bind("no address"))))
        ngx.say(sock:bind("127.0.0.77"))
        ngx.say(sock:connect("127.0.0.1", port))
        ngx.say(sock:send("x"))
        local other = ngx.socket.tcp()
        other:bind("192.0.2.1")
        ngx.say(tostring(other:connect("127.0.0.1", port)))
    """)
    assert ask(d, port=up.address[1]) == ["bad address", "1", "1", "1", "nil"]
    assert up.accept().sock.getpeername()[0] == "127.0.0.77"


def test_bind_of_a_udp_socket(lua):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        d = lua(PORT + """
            local sock = ngx.socket.udp()
            ngx.say(tostring(select(2, sock:bind("no address"))))
            ngx.say(sock:bind("127.0.0.78"))
            ngx.say(sock:setpeername("127.0.0.1", port))
            ngx.say(sock:send("x"))
        """)
        assert ask(d, port=peer.getsockname()[1]) == ["bad address", "1", "1", "1"]
        peer.settimeout(20)
        data, sender = peer.recvfrom(10)
        assert (data, sender[0]) == (b"x", "127.0.0.78")


def test_shutdown_of_the_sending_half(lua, upstreams):
    """All that was sent arrives before the end, and what the peer answers then is read."""
    up = upstreams()
    d = lua(PORT + """
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        sock:send(("x"):rep(1000000))
        ngx.say(pcall(sock.shutdown, sock, "receive"))
        ngx.say(sock:shutdown("send"))
        ngx.say(tostring(select(2, sock:shutdown("send"))))
        ngx.say(tostring(select(2, sock:send("more"))))
        ngx.say(sock:receive("*a"))
    """)
    client = d.client()
    client.send(client.get(f"/h?port={up.address[1]}", add=["Connection: close"]))
    peer = up.accept()
    assert len(peer.read_all()) == 1000000
    peer.send(b"an answer")
    peer.close()
    said = client.read_body(client.expect_answer(200)).decode().splitlines()
    assert said[0].startswith("false") and said[1:] == ["1", "closed", "closed", "an answer"]


def test_the_head_of_an_answer_that_was_no_scripts(lua):
    """A log script of a route without a handler is told nothing of it, rather than something untrue."""
    d = lua(log="ngx.log(ngx.WARN, 'head ', next(ngx.resp.get_headers()) or 'none', ' ', ngx.var.sent_http_connection or 'none', ' ', ngx.status)",
            does={"echo": "on"})
    client = d.client()
    client.open("/h")
    client.echoes()
    client.end()
    d.wait_text("head none none 101")


# ---- the client leaves ----

@pytest.mark.parametrize("code", [408, 444, 499])
@pytest.mark.parametrize("where", ["at once", "in a thread"])
def test_exit_from_on_abort(lua, code, where):
    leave = f"ngx.exit({code})"
    if where == "in a thread":
        leave = f"ngx.thread.spawn(function () ngx.sleep(0.001) {leave} end) ngx.sleep(3600)"
    d = lua(f"""
        ngx.on_abort(function () ngx.log(ngx.WARN, "aborted") {leave} end)
        ngx.log(ngx.WARN, "waits")
        ngx.sleep(3600)
        ngx.log(ngx.WARN, "never")
    """, log="ngx.log(ngx.WARN, 'ended ', ngx.status)")
    client = d.client()
    client.send(client.get("/h"))
    d.wait_text("waits")
    client.close()
    d.wait_text("aborted")
    d.wait_text("ended ")
    d.stop()
    assert "never" not in d.log
