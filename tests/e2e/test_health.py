# SPDX-License-Identifier: BSD-2-Clause
"""Active health checks: connect, handshake and ping, and what becomes of unhealthy servers."""

import pytest

from helpers.daemon import check_config, section, server_text, still_works, wait_until
from helpers.frames import PING, PONG, TEXT, frame

QUICK = {"health_interval": "20ms", "health_timeout": "20s", "max_fails": "off"}  # whoever answers has time
KINDS = ["connect", "handshake", "ping"]


def checked(moongate, servers, kind, *, group=None, **how):
    """A daemon before these servers, whose health is probed often."""
    texts = [server_text(getattr(s, "address", s)) for s in servers]
    return moongate(servers[0], group={"server": texts, "health": kind, **QUICK, **(group or {})}, **how)


def who(daemon):
    """The name of the application that a new client gets."""
    client = daemon.client()
    client.send(client.request("/app"))
    client.expect_101()
    name = client.read_message()[1].decode()
    client.end()
    daemon.end_of(client)
    return name


def answer_probe(upstream, kind):
    """Plays a healthy server for one probe: nothing is missing, and it ends with 1000."""
    if kind == "connect":
        peer = upstream.accept()
        peer.expect_eof()
        peer.close()
        return None
    peer = upstream.accept_open()
    if kind == "ping":
        ping = peer.read_frame()
        assert (ping.opcode, ping.fin, len(ping.payload)) == (PING, True, 8) and ping.mask is not None
        peer.frame(PONG, ping.payload)
    peer.expect_close(1000)
    peer.close_frame(1000)
    peer.shutdown()
    peer.expect_eof()
    peer.close()
    return peer.head


# What a probe does.


@pytest.mark.parametrize("kind", KINDS)
def test_probe_by_hand(moongate, upstream, kind):
    path = {} if kind == "connect" else {"health_path": "/health?deep=1"}
    daemon = checked(moongate, [upstream], kind, group=path)
    for _ in range(3):
        head = answer_probe(upstream, kind)
        if head:
            assert head.line == "GET /health?deep=1 HTTP/1.1"
            assert head.get("Host") == "127.0.0.1:%d" % upstream.address[1]
            assert head.get("User-Agent") == "moongate-health"
            assert head.get("Upgrade") == "websocket" and head.get("Sec-WebSocket-Version") == "13"
            assert "Sec-WebSocket-Extensions" not in head and "Sec-WebSocket-Protocol" not in head
    upstream.close()
    totals = daemon.stop()
    assert totals["health_probes"] >= 3
    assert not daemon.find("server_healthy")


def test_path_by_default_and_unix_sockets(moongate, upstreams, tmp_path):
    upstream = upstreams(str(tmp_path / "app"))
    checked(moongate, [upstream], "handshake")
    head = answer_probe(upstream, "handshake")
    assert head.line == "GET / HTTP/1.1" and head.get("Host") == "localhost"


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("kind", ["handshake", "ping"])
def test_proxy_header_in_front(moongate, upstream, kind, version):
    """Nobody is told of in version 2; version 1 tells the ends of the connection itself."""
    checked(moongate, [upstream], kind, group={"proxy_protocol": version})
    peer = upstream.accept()
    if version == "v1":
        host, port = peer.sock.getpeername()
        assert peer.read_until(b"\r\n") == f"PROXY TCP4 {host} 127.0.0.1 {port} {upstream.address[1]}\r\n".encode()
    else:
        assert peer.read(16) == b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
    assert peer.read_request().line == "GET / HTTP/1.1"


def test_ping_between_other_frames(moongate, upstream):
    """A server that greets, pings and sends a long message, in any pieces."""
    daemon = checked(moongate, [upstream], "ping", group={"health_fall": 1})
    peer = upstream.accept_request()
    peer.send(peer.answer() + frame(TEXT, b"hello") + frame(PING, b"abc") + frame(PONG, b"other")
              + frame(TEXT, b"x" * 200000))
    ping = peer.read_frame()
    peer.drip(frame(TEXT, b"y" * 300) + frame(PONG, b"z" * 125) + frame(PONG, ping.payload), step=7)
    peer.expect_close(1000)
    peer.close_frame(1000)
    peer.close()
    answer_probe(upstream, "ping")
    assert not daemon.find("server_unhealthy")


def test_interim_answers_and_a_split_head(moongate, upstream):
    daemon = checked(moongate, [upstream], "handshake", group={"health_fall": 1})
    peer = upstream.accept_request()
    peer.drip(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + peer.answer(add=[("X", "y" * 300)]), step=3)
    peer.expect_close(1000)
    peer.close()
    answer_probe(upstream, "handshake")
    assert not daemon.find("server_unhealthy")


# What is bad.


def upgrade(peer, **how):
    peer.send(peer.answer(**how))


BAD = {
    "status": ("handshake", lambda p: p.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), "with 503"),
    "plain": ("handshake", lambda p: p.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "with 200"),
    "accept": ("handshake", lambda p: upgrade(p, change={"Sec-WebSocket-Accept": "x" * 28}), "Accept"),
    "no upgrade": ("handshake", lambda p: upgrade(p, drop=["Upgrade"]), "Upgrade"),
    "protocol": ("handshake", lambda p: upgrade(p, add=[("Sec-WebSocket-Protocol", "x")]), "not offered"),
    "extension": ("handshake", lambda p: upgrade(p, add=[("Sec-WebSocket-Extensions", "x")]), "extension"),
    "noise": ("handshake", lambda p: p.send(b"SSH-2.0-OpenSSH\r\n\r\n"), ""),
    "endless interim": ("handshake", lambda p: p.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 9), "with 100"),
    "end": ("handshake", lambda p: p.close(), "before a whole answer"),
    "end in the head": ("handshake", lambda p: (p.send(b"HTTP/1.1 101 Swi"), p.close()), "before a whole answer"),
    "reset": ("handshake", lambda p: p.reset(), "reset"),
    "no pong": ("ping", lambda p: (upgrade(p), p.read_frame(), p.close_frame(1001)), "closed instead"),
    "masked": ("ping", lambda p: (upgrade(p), p.read_frame(), p.send(frame(PONG, b"x", mask=b"abcd"))), "mask"),
    "bad frame": ("ping", lambda p: (upgrade(p), p.read_frame(), p.send(b"\xff\xff")), "reserved"),
    "end at the ping": ("ping", lambda p: (upgrade(p), p.read_frame(), p.close()), "instead of answering a ping"),
    "wrong pong": ("ping", lambda p: (upgrade(p), p.frame(PONG, b"x"), p.read_frame(), p.close()), "instead of answering"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_answers(moongate, upstream, name):
    kind, misbehave, reason = BAD[name]
    daemon = checked(moongate, [upstream], kind, group={"health_fall": 2, "health_rise": 2})
    for _ in range(2):
        assert not daemon.find("server_unhealthy")
        misbehave(upstream.accept_request())
    line = daemon.wait_line("server_unhealthy")
    assert line["upstream"] == "app" and reason.lower() in line["reason"].lower(), line
    assert line["server"] == "127.0.0.1:%d" % upstream.address[1]
    for _ in range(2):
        assert not daemon.find("server_healthy")
        answer_probe(upstream, kind)
    daemon.wait_line("server_healthy")
    assert len(daemon.find("server_healthy")) == len(daemon.find("server_unhealthy")) == 1
    totals = daemon.stop()
    assert totals["health_failures"] >= 2


@pytest.mark.parametrize("kind, step, reason", [
    ("handshake", "silent", "did not answer the handshake in time"),
    ("handshake", "half a head", "did not answer the handshake in time"),
    ("ping", "upgraded", "did not answer a ping in time"),
    ("ping", "endless", "did not answer a ping in time"),
])
def test_never_answers(moongate, upstream, kind, step, reason):
    """One probe at a time, each ended by its timeout, though that is longer than the interval."""
    daemon = checked(moongate, [upstream], kind, group={"health_fall": 2, "health_timeout": "1500ms"})
    base = daemon.descriptors
    for _ in range(3):
        peer = upstream.accept_request()
        if step == "half a head":
            peer.send(b"HTTP/1.1 101 Switching")
        elif step != "silent":
            upgrade(peer)
            peer.read_frame()
        if step == "endless":
            peer.send(b"\x82\x7f" + (1 << 40).to_bytes(8, "big") + bytes(1000))
        assert daemon.count_descriptors() <= base + 1
        peer.expect_end()
        peer.close()
    assert reason in daemon.wait_line("server_unhealthy")["reason"]
    upstream.close()


def test_a_server_that_does_not_end(moongate, upstream):
    """It was good; it is left at the timeout."""
    daemon = checked(moongate, [upstream], "handshake", group={"health_fall": 1, "health_timeout": "1500ms"})
    for _ in range(3):
        peer = upstream.accept_open()
        peer.expect_close(1000)
        assert peer.expect_end() == b""
    assert not daemon.find("server_unhealthy")


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_listens(moongate, apps, dead, kind):
    app, = apps("a")
    daemon = checked(moongate, [dead, app], kind, group={"tries": 1})
    line = daemon.wait_line("server_unhealthy")
    assert line["server"] == "%s:%d" % dead and "refused" in line["reason"].lower()
    assert [who(daemon) for _ in range(6)] == ["a"] * 6
    assert len(daemon.find("server_unhealthy")) == 1


def test_names_that_do_not_resolve(moongate, apps):
    app, = apps("a")
    daemon = checked(moongate, [("nowhere.invalid", 80), app], "connect", process={"resolver": "127.0.0.1:9", "resolver_timeout": "1s"},
                     group={"tries": 1, "health_fall": 1, "health_timeout": "2s"})
    line = daemon.wait_line("server_unhealthy")
    assert line["server"] == "nowhere.invalid:80" and line["reason"]
    assert [who(daemon) for _ in range(4)] == ["a"] * 4


# What becomes of it.


@pytest.mark.parametrize("kind", KINDS)
def test_killed_and_back(moongate, apps, kind):
    a, b = apps("ab")
    daemon = checked(moongate, [a, b], kind, group={"tries": 1}, process={"workers": 2})
    assert {who(daemon) for _ in range(4)} == {"a", "b"}
    a.kill()
    assert daemon.wait_line("server_unhealthy", server=a.text).level == "warn"
    assert {who(daemon) for _ in range(6)} == {"b"}
    a.start()
    daemon.wait_line("server_healthy", server=a.text)
    assert {who(daemon) for _ in range(6)} == {"a", "b"}
    assert not daemon.find("try_failed") and len(daemon.find("server_unhealthy")) == 1
    still_works(daemon)


@pytest.mark.parametrize("kind", ["handshake", "ping"])
def test_stalled_and_back(moongate, apps, kind):
    """Its kernel accepts connections: connect would not see it."""
    a, b = apps("ab")
    daemon = checked(moongate, [a, b], kind, group={"health_timeout": "2s", "health_fall": 1, "tries": 1})
    assert {who(daemon) for _ in range(4)} == {"a", "b"}
    a.stall()
    daemon.wait_line("server_unhealthy", server=a.text)
    assert {who(daemon) for _ in range(6)} == {"b"}
    a.go_on()
    daemon.wait_line("server_healthy", server=a.text)
    assert {who(daemon) for _ in range(6)} == {"a", "b"}


def test_all_unhealthy(moongate, upstream):
    """Then one session at a time tries one: health checks may be wrong."""
    daemon = checked(moongate, [upstream], "handshake", group={"health_fall": 1})
    upstream.accept_request().send(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    daemon.wait_line("server_unhealthy")
    client = daemon.client()
    client.send(client.request("/app"))
    while "User-Agent" in (app := upstream.accept_request()).head:
        app.close()
    upgrade(app)
    client.expect_101()
    assert not daemon.find("server_healthy")


def test_open_sessions_stay(moongate, upstream):
    """A server that fails its checks keeps the sessions that it has."""
    daemon = checked(moongate, [upstream], "handshake", group={"health_fall": 1, "health_interval": "300ms"})
    answer_probe(upstream, "handshake")
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_request()
    while app.head.get("User-Agent") == "moongate-health":
        upgrade(app)
        app.expect_close(1000)
        app.close()
        app = upstream.accept_request()
    upgrade(app)
    client.expect_101()
    upstream.accept_request().send(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    daemon.wait_line("server_unhealthy")
    client.text("still here")
    app.expect_text("still here")


@pytest.mark.parametrize("kind", KINDS)
def test_stops_in_the_middle(moongate, upstream, kind):
    """A probe that is under way does not hold the daemon up, and leaks nothing."""
    daemon = checked(moongate, [upstream], kind, group={"health_timeout": "1h"})
    peer = upstream.accept() if kind == "connect" else upstream.accept_request()
    if kind == "ping":
        upgrade(peer)
        assert peer.read_frame().opcode == PING
    daemon.stop()
    assert peer.expect_end() == b""


def test_ends_when_it_drains(moongate, upstream, apps):
    """Nothing is probed any more while the last sessions end."""
    daemon = checked(moongate, [upstream], "connect", process={"drain_timeout": "10s"})
    peer = upstream.accept()
    peer.close()
    client = daemon.client().open("/echo")
    daemon.signal()
    daemon.wait_line("stopping")
    client.expect_close(1001)
    upstream.close()
    client.close_frame(1001)
    client.expect_eof()
    client.close()
    daemon.wait_end()
    assert not daemon.find("server_unhealthy")


def test_many_servers_are_spread(moongate, upstream, port):
    """64 servers that nobody is at: bounded, one line each."""
    servers = [("127.0.0.%d" % (i + 10), 9) for i in range(63)]
    daemon = checked(moongate, [upstream, *servers], "connect", group={"health_fall": 2})
    base = daemon.descriptors
    wait_until(lambda: len(daemon.find("server_unhealthy")) == 63, "63 unhealthy servers")
    wait_until(lambda: len(daemon.find("server_unhealthy")) == 63, "no more lines")
    assert daemon.count_descriptors() <= base + 64
    upstream.close()


@pytest.mark.parametrize("faults", ["socket:5:EMFILE:3", "connect:1:EADDRNOTAVAIL:3"])
def test_own_shortage_blames_nobody(moongate, upstream, faults):
    daemon = checked(moongate, [upstream], "ping", group={"health_fall": 1}, faults=faults)
    answer_probe(upstream, "ping")
    assert not daemon.find("server_unhealthy")


# The configuration.


@pytest.mark.parametrize("keys, wants", [
    ({"health": "on"}, "want off | connect | handshake | ping"),
    ({"health_interval": "1s"}, "want health = connect, handshake or ping"),
    ({"health_timeout": "1s"}, "want health = connect, handshake or ping"),
    ({"health_rise": "1"}, "want health = connect, handshake or ping"),
    ({"health_fall": "1"}, "want health = connect, handshake or ping"),
    ({"health_path": "/x"}, "want health = handshake or ping"),
    ({"health": "connect", "health_path": "/x"}, "want health = handshake or ping"),
    ({"health": "ping", "health_path": "x"}, "want /PATH"),
    ({"health": "ping", "health_path": "/a b"}, "%20"),
    ({"health": "ping", "health_path": "/é"}, "%20"),
    ({"health": "ping", "health_interval": "1ms"}, "want 10ms..24h"),
    ({"health": "ping", "health_interval": "off"}, "want 10ms..24h"),
    ({"health": "ping", "health_timeout": "0ms"}, "want 1ms..24h"),
    ({"health": "ping", "health_rise": "0"}, "want 1..1000"),
    ({"health": "ping", "health_fall": "1001"}, "want 1..1000"),
])
def test_wrong_settings(tmp_path, keys, wants):
    config = tmp_path / "m.conf"
    config.write_text(section("listener", "main", {"bind": "127.0.0.1:8080"})
                      + section("upstream", "app", {"server": "ws://127.0.0.1:9", **keys})
                      + section("route", "app", {"upstream": "app"}))
    status, said = check_config(config)
    assert status != 0 and wants in said, said
