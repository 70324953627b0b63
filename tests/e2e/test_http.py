# SPDX-License-Identifier: BSD-2-Clause
"""Requests that are no upgrade: 426, respond, 404, and connections that go on."""

import pytest

from helpers.daemon import refused, still_works

ROUTES = """\
[route fixed]
path = /fixed
respond = 200
[route gone]
path = /gone
respond = 410
[route moved]
path = /moved
respond = 301 https://example.com/new?x=1
"""


@pytest.fixture
def daemon(moongate, upstream):
    return moongate(upstream, extra=ROUTES)


@pytest.mark.parametrize("target", ["/app", "/echo"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE"])
def test_426(daemon, upstream, target, method):
    client = daemon.client()
    client.send(client.get(target, method=method))
    head = client.expect_answer(426)
    assert head.get("Upgrade") == "websocket"
    assert "upgrade" in head.get("Connection").lower()
    assert upstream.nobody_came()
    client.close()
    still_works(daemon)
    assert daemon.stop()["refused_426"] == 1


def test_upgrade_header_alone_is_no_upgrade(daemon):
    client = daemon.client()
    client.send(client.request("/echo", drop=["Connection"]))
    assert client.read_head().status in (400, 426)
    still_works(daemon)


@pytest.mark.parametrize("target,status", [("/fixed", 200), ("/gone", 410), ("/moved", 301), ("/none", 404)])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PATCH"])
def test_plain_answers(daemon, target, status, method):
    client = daemon.client()
    client.send(client.get(target, method=method))
    head = client.expect_answer(status)
    client.read_body(head)
    assert head.get("Location") == ("https://example.com/new?x=1" if status == 301 else None)
    client.send(client.get("/fixed"))  # the connection goes on
    client.read_body(client.expect_answer(200))
    client.close()
    still_works(daemon)


def test_head_has_no_body(daemon):
    client = daemon.client()
    for target in ("/fixed", "/gone", "/moved", "/none", "/echo"):
        client.send(client.get(target, method="HEAD"))
        client.read_head()
    client.send(client.get("/fixed"))
    client.expect_answer(200)
    still_works(daemon)


def test_404(daemon):
    for target in ("/", "/fixe", "/fixed/", "/fixedx", "/nowhere", "/FIXED"):
        client = daemon.client()
        client.send(client.get(target))
        client.expect_answer(404)
        client.close()
    still_works(daemon)
    assert daemon.stop()["refused_404"] == 6


def test_keep_alive_then_upgrade(daemon):
    client = daemon.client()
    for _ in range(50):
        client.send(client.get("/fixed"))
        head = client.expect_answer(200)
        assert head.get("Connection") in (None, "keep-alive")
        client.read_body(head)
    client.open("/echo").echoes(10)
    client.end()
    still_works(daemon)


def test_keep_alive_then_proxied(daemon, upstream):
    client = daemon.client()
    client.send(client.get("/fixed"))
    client.read_body(client.expect_answer(200))
    client.send(client.request("/app"))
    app = upstream.accept_open()
    client.expect_101()
    client.text("x")
    app.expect_text("x")
    still_works(daemon)


@pytest.mark.parametrize("step", [1, 7, 100000])
def test_pipelining(daemon, step):
    """Answers in the order of the requests, also when the last one is an upgrade."""
    client = daemon.client()
    stream = "".join(client.get(t) for t in ("/fixed", "/gone", "/moved", "/none", "/fixed"))
    client.drip((stream + client.request("/echo")).encode(), step)
    for status in (200, 410, 301, 404, 200):
        client.read_body(client.expect_answer(status))
    client.expect_101()
    client.echoes(3)
    client.end()
    still_works(daemon)


def test_long_pipeline(daemon):
    client = daemon.client()
    one = client.get("/fixed")
    for _ in range(10):
        client.send(one * 100)
        for _ in range(100):
            client.read_body(client.expect_answer(200))
    still_works(daemon)


@pytest.mark.parametrize("body", [("Content-Length: 5", "hello"), ("Content-Length: 5", "GET /"), ("Content-Length: 65536", "x" * 65536)], ids=["hello", "GET", "64k"])
@pytest.mark.parametrize("target,status", [("/fixed", 200), ("/none", 404), ("/echo", 426)])
def test_bodies_are_skipped(daemon, target, status, body):
    client = daemon.client()
    client.send(client.get(target, method="POST", add=[body[0]]) + body[1] + client.get("/gone"))
    client.read_body(client.expect_answer(status))
    client.expect_answer(410)
    still_works(daemon)


def test_body_with_a_request_in_it(daemon):
    """A body is never read as a request, however it ends."""
    for framing, body in (("Content-Length: 31", "GET /gone HTTP/1.1\r\nHost: a\r\n\r\n"),
                          ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n")):
        client = daemon.client()
        client.send(client.get("/fixed", method="POST", add=[framing]) + body)
        head = client.expect_answer(200)
        client.read_body(head)
        client.shutdown()
        assert client.expect_end() == b""
    still_works(daemon)


def test_http_1_0(daemon):
    client = daemon.client()
    client.send(client.get("/fixed", version="HTTP/1.0"))
    client.expect_refusal(200)
    client = daemon.client()
    client.send("GET /fixed HTTP/1.0\r\n\r\n")
    client.expect_refusal(200)
    still_works(daemon)


def test_connection_close(daemon):
    client = daemon.client()
    client.send(client.get("/fixed", add=["Connection: close"]) + client.get("/gone"))
    client.expect_refusal(200)
    still_works(daemon)


def test_expect_continue(daemon):
    """The body is not asked for, so the connection ends after the answer (RFC 9110 10.1.1)."""
    client = daemon.client()
    client.send(client.get("/fixed", method="POST", add=["Content-Length: 5", "Expect: 100-continue"]))
    client.expect_refusal(200)
    still_works(daemon)


def test_empty_line_before_a_request(daemon):
    client = daemon.client()
    client.send("\r\n" + client.get("/fixed"))
    client.read_body(client.expect_answer(200))
    client.send("\r\n" + client.get("/fixed"))
    client.expect_answer(200)
    still_works(daemon)


def test_keepalive_timeout(moongate):
    daemon = moongate(listener={"keepalive_timeout": "200ms"}, extra=ROUTES)
    client = daemon.client()
    client.send(client.get("/fixed"))
    client.read_body(client.expect_answer(200))
    client.expect_eof()
    still_works(daemon)


def test_handshake_timeout_of_a_later_request(moongate):
    daemon = moongate(listener={"handshake_timeout": "300ms"}, extra=ROUTES)
    with daemon.frozen():
        client = daemon.client()
        client.send(client.get("/fixed"))
    client.read_body(client.expect_answer(200))
    client.send("GET /fixed HTTP/1.1\r\n")
    client.expect_refusal(408)
    still_works(daemon)
    assert daemon.stop()["refused_408"] == 1


def test_connections_that_end_between_requests(daemon):
    for leave in ("close", "reset", "shutdown"):
        client = daemon.client()
        client.send(client.get("/fixed"))
        client.read_body(client.expect_answer(200))
        getattr(client, leave)()
        if leave == "shutdown":
            assert client.expect_end() == b""
    still_works(daemon)


def test_client_shuts_down_its_half(daemon):
    """All that came before the FIN is answered."""
    client = daemon.client()
    client.send(client.get("/fixed") * 5)
    client.shutdown()
    for _ in range(5):
        client.read_body(client.expect_answer(200))
    client.expect_eof()
    still_works(daemon)


def test_routes_by_listener(daemons, port, tmp_path, clients):
    """The same path on two listeners; a route that names the listener comes before one that does not."""
    a, b = port(), port()
    path = tmp_path / "m.conf"
    path.write_text(f"[listener a]\nbind = 127.0.0.1:{a}\n[listener b]\nbind = 127.0.0.1:{b}\n"
                    "[route any]\npath = /x\nrespond = 200\n[route b]\nlistener = b\npath = /x\nrespond = 410\n"
                    "[route prefix]\npath = /x*\nrespond = 403\n[route long]\npath = /xyz*\nrespond = 451\n")
    daemon = daemons(path).wait_ready()
    for number, target, status in ((a, "/x", 200), (b, "/x", 410), (a, "/xy", 403), (b, "/xyz", 451), (a, "/xyzzy", 451), (a, "/y", 404)):
        client = clients(("127.0.0.1", number))
        client.send(client.get(target))
        client.expect_answer(status)
        client.close()
    daemon.settle()
    daemon.stop()


def test_ipv6(daemons, port, tmp_path, clients, upstreams):
    number = port()
    app = upstreams(("::1", 0))
    path = tmp_path / "m.conf"
    path.write_text(f"[listener a]\nbind = [::1]:{number}\n[upstream u]\nserver = ws://[::1]:{app.address[1]}\n[route r]\nupstream = u\n")
    daemons(path).wait_ready()
    client = clients(("::1", number))
    client.send("GET / HTTP/1.1\r\nHost: [::1]\r\n" + client.request().split("\r\n", 2)[2])
    peer = app.accept_open()
    client.expect_101()
    client.text("six")
    peer.expect_text("six")


def test_unix_upstream(moongate, upstreams, tmp_path):
    app = upstreams(str(tmp_path / "app.sock"))
    daemon = moongate(app)
    client = daemon.client()
    client.send(client.request("/app"))
    peer = app.accept_open()
    client.expect_101()
    client.text("x")
    peer.expect_text("x")
    still_works(daemon)


def test_localhost_upstream(moongate, upstream):
    daemon = moongate(extra=f"[upstream l]\nserver = ws://localhost:{upstream.address[1]}\n[route l]\nlistener = main\npath = /l\nupstream = l\n")
    client = daemon.client()
    client.send(client.request("/l"))
    upstream.accept_open()
    client.expect_101()
    still_works(daemon)


def test_unknown_name(moongate):
    daemon = moongate(extra="[upstream l]\nserver = ws://no-such-host.invalid:80\n[route l]\nlistener = main\npath = /l\nupstream = l\n")
    client = daemon.client()
    client.send(client.request("/l"))
    refused(daemon, client, 502)
    still_works(daemon)
