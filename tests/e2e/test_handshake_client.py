# SPDX-License-Identifier: BSD-2-Clause
"""Group H, first half: what clients ask for."""

import os

import pytest

from helpers.daemon import SANITIZED, refused, still_works
from helpers.frames import TEXT

CASES = {  # name in a parameter -> how it spells the header names
    "lower": str.lower,
    "upper": str.upper,
    "mixed": lambda s: "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(s)),
}


@pytest.fixture
def echo(moongate):
    """The daemon with its /echo route."""
    return moongate()


def opens(daemon, **how):
    """A fresh client whose request is accepted and carries a message."""
    client = daemon.client().open(**how)
    client.echoes(1)
    client.end()
    return client


def is_refused(daemon, status, request, **how):
    """A fresh client whose request is refused; `request` is its bytes, or made from **how."""
    client = daemon.client()
    client.send(request if request is not None else client.request(**how))
    return refused(daemon, client, status)


def lines(client, *first, target="/echo"):
    """A request whose first header lines are given verbatim."""
    head, rest = client.request(target).split("\r\n", 1)
    return "\r\n".join([head, *first, rest])


def test_H_01_byte_by_byte(echo):
    client = echo.client()
    client.drip(client.request("/echo"))
    client.expect_101()
    client.echoes(3)
    client.end()
    still_works(echo)


def test_H_01_byte_by_byte_proxied(moongate, upstream):
    daemon = moongate(upstream)
    client = daemon.client()
    client.drip(client.request("/app"))
    app = upstream.accept_request()
    app.drip(app.answer())
    client.expect_101()
    client.text("x")
    app.expect_text("x")
    still_works(daemon)


@pytest.mark.parametrize("spelling", CASES)
def test_H_02_names_in_any_case(echo, spelling):
    client = echo.client()
    head, *rest = client.request("/echo").split("\r\n")
    spelled = [":".join([CASES[spelling](n), v]) for n, v in (x.split(":", 1) for x in rest[:-2])]
    client.send("\r\n".join([head, *spelled, "", ""]))
    client.expect_101()
    client.echoes(1)
    still_works(echo)


@pytest.mark.parametrize("value", ["keep-alive, Upgrade", "Upgrade,keep-alive", "upgrade", " ,, UPGRADE ,",
                                   ["keep-alive", "Upgrade"], ["Upgrade", "keep-alive, x"]])
def test_H_03_connection_lists(echo, value):
    opens(echo, change={"Connection": value})
    still_works(echo)


@pytest.mark.parametrize("value", ["foo, websocket", "WebSocket", ["websocket", "websocket"], ["h2c", "websocket"]])
def test_H_04_upgrade_lists(echo, value):
    opens(echo, change={"Upgrade": value})
    still_works(echo)


@pytest.mark.parametrize("target", ["/echo", "/app"])
@pytest.mark.parametrize("value", ["websocket2", "web socket", "h2c", ""])
def test_H_04_other_upgrades(moongate, upstream, target, value):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request(target, change={"Upgrade": value}))
    head = client.expect_answer(426)
    assert head.get("Upgrade") == "websocket"
    assert upstream.nobody_came()
    client.close()
    assert daemon.refusal_of(client)["status"] == "426"
    still_works(daemon)
    assert daemon.stop()["refused_426"] == 1


@pytest.mark.parametrize("target", ["/echo", "/app"])
@pytest.mark.parametrize("version", ["12", "7", "8", "0", "255", "13,8", "13, 13", "013", "+13", "13.0", "", None,
                                     ["13", "13"], ["13", "8"]], ids=str)
def test_H_05_versions(moongate, upstream, target, version):
    daemon = moongate(upstream)
    how = {"drop": ["Sec-WebSocket-Version"]} if version is None else {"change": {"Sec-WebSocket-Version": version}}
    head = is_refused(daemon, 426, None, target=target, **how)
    assert head.get("Sec-WebSocket-Version") == "13"
    assert upstream.nobody_came()
    still_works(daemon)
    assert daemon.stop()["refused_426"] == 1


@pytest.mark.parametrize("target", ["/echo", "/fixed"])
@pytest.mark.parametrize("host", [None, "", ["a", "a"], ["a", "b"], "a,b", "a\0b", "a b", "a/b", "user@a", "a:b", "a:99999999"],
                         ids=repr)
def test_H_06_hosts(moongate, target, host):
    daemon = moongate(extra="[route fixed]\npath = /fixed\nrespond = 200\n")
    how = {"drop": ["Host"]} if host is None else {"change": {"Host": host}}
    is_refused(daemon, 400, None, target=target, **how)
    still_works(daemon)
    assert daemon.stop()["refused_400"] == 1


def test_H_07_most_lines(echo):
    opens(echo, add=[f"X-{i}: {i}" for i in range(95)])  # 100 with the five of the handshake
    is_refused(echo, 431, None, target="/echo", add=[f"X-{i}: {i}" for i in range(96)])
    still_works(echo)
    assert echo.stop()["refused_431"] == 1


def test_H_07_longest_line(echo):
    opens(echo, add=["X: " + "x" * (16384 - 3)])
    is_refused(echo, 431, None, target="/echo", add=["X: " + "x" * (16385 - 3)])
    still_works(echo)


def test_H_07_long_name(echo):
    client = echo.client()
    client.send(lines(client, "x" * 16385))
    head = client.read_head()
    assert head.status in (400, 431), head.raw
    client.read_body(head)
    client.expect_eof()
    still_works(echo)


def test_H_07_long_target(echo):
    is_refused(echo, 414, None, target="/" + "x" * 16384)
    is_refused(echo, 414, None, target="/" + "x" * 8192)
    client = echo.client()
    client.send(client.request("/" + "x" * 8191))
    client.expect_answer(404)
    still_works(echo)
    assert echo.stop()["refused_414"] == 2


def test_H_07_long_head(echo):
    is_refused(echo, 431, None, target="/echo", add=["X: " + "x" * 11000] * 3)
    still_works(echo)


def test_H_07_huge_cookie(echo):
    client = echo.client()
    client.send(lines(client, "Cookie: " + "x" * (1 << 20)))
    assert client.expect_answer(431).get("Connection") == "close"
    client.shutdown()
    client.expect_end()
    assert echo.refusal_of(client)["status"] == "431"
    still_works(echo)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is not the daemon's")
def test_H_07_memory_of_unfinished_heads(echo):
    still_works(echo)
    before = echo.memory()
    clients = [echo.client() for _ in range(200)]
    half = ("GET /echo HTTP/1.1\r\nHost: a\r\n" + "".join(f"X-{i}: {'x' * 15000}\r\n" for i in range(2)))
    for client in clients:
        client.send(half + "X: ")
        client.flushed()
    still_works(echo)
    assert echo.memory() - before < 200 * (33 << 10) + (2 << 20)


def test_H_08_many_protocol_lines(echo):
    is_refused(echo, 431, None, target="/echo", add=["Sec-WebSocket-Protocol: a"] * 200)
    still_works(echo)


@pytest.mark.parametrize("value", [",".join(["a"] * 8000), ",".join(f"p{i}" for i in range(2000)), "a b", "a, a", "a;b", ",", '"a"'],
                         ids=["same", "distinct", "space", "twice", "separator", "empty", "quoted"])
def test_H_08_bad_protocols(echo, value):
    is_refused(echo, 400, None, target="/echo", add=["Sec-WebSocket-Protocol: " + value])
    still_works(echo)


def test_H_08_spaces(echo):
    opens(echo, add=["Sec-WebSocket-Protocol:" + " " * 10000 + "a" + " " * 5000])
    is_refused(echo, 400, None, target="/echo", add=["Sec-WebSocket-Protocol: a" + " " * 10000 + "b"])
    still_works(echo)


BAD_LINES = {
    "fold": "X: a\r\n b",
    "fold_first": " X: a",
    "space_before_colon": "X : a",
    "tab_before_colon": "X\t: a",
    "empty_name": ": a",
    "no_colon": "X",
    "bare_lf": "X: a\nY: b",
    "bare_cr": "X: a\rY: b",
    "cr_cr_lf": "X: a\r\r\nY: b",
    "nul": "X: a\0b",
    "nul_in_name": "X\0: a",
    "high_in_name": "X\xe9: a",
    "last_in_name": "X\xff: a",
    "first_high_in_name": "X\x80: a",
    "control": "X: a\x01b",
    "escape": "X: \x1b[31m",
    "del": "X: a\x7fb",
    "separator_in_name": "X(a): b",
}


@pytest.mark.parametrize("offer", ["permessage-deflate", "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame",
                                   'foo; bar="b a z"', 'foo; bar="', "; ;=,,", "", "\xe9"])
@pytest.mark.parametrize("target", ["/echo", "/app"])
def test_extensions_are_never_agreed_to(moongate, upstream, target, offer):
    """RFC 6455 9.1: none is offered to the upstream, none is in the 101, however the offer reads."""
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request(target, add=[("Sec-WebSocket-Extensions", offer)] * 2))
    if target == "/app":
        app = upstream.accept_request()
        assert "Sec-WebSocket-Extensions" not in app.head
        app.send(app.answer())
    client.expect_101()  # which looks for it
    still_works(daemon)


@pytest.mark.parametrize("name", BAD_LINES)
@pytest.mark.parametrize("target", ["/echo", "/fixed"])
def test_H_09_syntax(moongate, name, target):
    daemon = moongate(extra="[route fixed]\npath = /fixed\nrespond = 200\n")
    client = daemon.client()
    client.send(lines(client, BAD_LINES[name], target=target))
    refused(daemon, client, 400)
    still_works(daemon)


@pytest.mark.parametrize("request_line", ["GET  /echo HTTP/1.1", "GET /echo  HTTP/1.1", "GET /echo HTTP/1.1 ", " GET /echo HTTP/1.1",
                                          "GET\t/echo HTTP/1.1", "GET /ec ho HTTP/1.1", "GET /echo", "GET", "G@T /echo HTTP/1.1",
                                          "GET /echo\x01 HTTP/1.1", "GET /\xe9 HTTP/1.1", "GET echo HTTP/1.1"])
def test_H_09_request_line(echo, request_line):
    client = echo.client()
    client.send(request_line + "\r\nHost: a\r\n\r\n")
    refused(echo, client, 400)
    still_works(echo)


def test_H_09_line_ends(echo):
    client = echo.client()
    client.send(client.request("/echo").replace("\r\n", "\n"))
    refused(echo, client, 400)
    still_works(echo)


BAD_FRAMING = {
    "twice": ["Content-Length: 0", "Content-Length: 0"],
    "differing": ["Content-Length: 0", "Content-Length: 5"],
    "list": ["Content-Length: 5, 5"],
    "plus": ["Content-Length: +5"],
    "minus": ["Content-Length: -1"],
    "hex": ["Content-Length: 0x5"],
    "empty": ["Content-Length:"],
    "2^64": ["Content-Length: 18446744073709551616"],
    "2^64+5": ["Content-Length: 18446744073709551621"],
    "space": ["Content-Length: 1 2"],
    "letter": ["Content-Length: 5a"],
    "with_te": ["Content-Length: 5", "Transfer-Encoding: chunked"],
    "te_first": ["Transfer-Encoding: chunked", "Content-Length: 5"],
    "xchunked": ["Transfer-Encoding: xchunked"],
    "identity": ["Transfer-Encoding: identity"],
    "chunked_twice": ["Transfer-Encoding: chunked, chunked"],
    "chunked_first": ["Transfer-Encoding: chunked, gzip"],
    "te_twice": ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    "te_quoted": ['Transfer-Encoding: "chunked"'],
    "te_tab": ["Transfer-Encoding: \x0bchunked"],
}


@pytest.mark.parametrize("target", ["/fixed", "/echo", "/app"])
@pytest.mark.parametrize("name", BAD_FRAMING)
def test_H_10_body_lengths(moongate, upstream, target, name):
    daemon = moongate(upstream, extra="[route fixed]\npath = /fixed\nrespond = 200\n")
    client = daemon.client()
    if target == "/fixed":
        client.send(client.get(target, method="POST", add=BAD_FRAMING[name]))
    else:
        client.send(client.request(target, add=BAD_FRAMING[name]))
    refused(daemon, client, 400)
    assert upstream.nobody_came()
    still_works(daemon)
    assert daemon.stop()["refused_400"] == 1


@pytest.mark.parametrize("host", ["http://[::1", "[::1", "//", "[", "]", "[::1]x", "[::1]:", "[zz]", "\x7f", "a" * 8192 + "/"],
                         ids=lambda h: h[:12])
def test_H_11_hosts(echo, host):
    client = echo.client()
    client.send(client.request("/echo", change={"Host": host}))
    head = client.read_head()
    # `[::1]:` is an authority with an empty port (RFC 3986 3.2.3): either verdict is sound.
    assert head.status in ((101, 400) if host == "[::1]:" else (400, 403)), head.raw
    client.close()
    still_works(echo)


@pytest.mark.parametrize("origin", ["http://[::1", "//", "a" * 8192, "null", "http://a\x01", "http://a\x7f"], ids=lambda o: o[:12])
def test_H_11_origins(echo, origin):
    client = echo.client()
    client.send(client.request("/echo", add=[("Origin", origin)]))
    head = client.read_head()
    assert head.status in ((400, 403) if origin[-1] in "\x01\x7f" else (101, 400, 403)), head.raw
    client.close()
    still_works(echo)


@pytest.mark.parametrize("target", ["/echo", "/app"])
@pytest.mark.parametrize("body", [("Content-Length: 5", "hello"), ("Content-Length: 1", ""), ("Content-Length: 99999999999", ""),
                                  ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"), ("Transfer-Encoding: chunked", "")],
                         ids=str)
def test_H_12_upgrade_with_body(moongate, upstream, target, body):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request(target, add=[body[0]]) + body[1])
    refused(daemon, client, 400)
    assert upstream.nobody_came()
    still_works(daemon)


def test_H_12_empty_body(echo):
    opens(echo, add=["Content-Length: 0"])
    still_works(echo)


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS", "TRACE", "get", "GETX", "BREW"])
@pytest.mark.parametrize("target", ["/echo", "/app"])
def test_H_13_methods(moongate, upstream, method, target):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request(target, method=method))
    head = client.expect_answer(405)
    assert head.get("Allow") == "GET"
    client.shutdown()
    client.expect_end()
    assert daemon.refusal_of(client)["status"] == "405"
    assert upstream.nobody_came()
    still_works(daemon)
    assert daemon.stop()["refused_405"] == 1


def test_H_13_connect(moongate, upstream):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request(client.authority, method="CONNECT"))
    assert client.read_head().status in (400, 404, 405)
    assert upstream.nobody_came()
    still_works(daemon)


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/2.0", "HTTP/2", "HTTP/3.0", "HTTP/0.9", "HTTP/9.9"])
def test_H_13_versions(moongate, upstream, version):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("/app", version=version))
    head = client.read_head()
    assert head.status == 505 or head.status == 400 and version == "HTTP/2", head.raw
    assert upstream.nobody_came()
    still_works(daemon)


@pytest.mark.parametrize("version", ["HTTP/1.11", "HTTP/11.1", "http/1.1", "HTTP/1.", "HTTP/1", "HTTP/1.1x", "HTTPS/1.1", "HTTP-1.1"])
def test_H_13_broken_versions(echo, version):
    client = echo.client()
    client.send(client.request("/echo", version=version))
    assert client.read_head().status in (400, 505)
    still_works(echo)


def test_H_13_http2_preface(echo):
    client = echo.client()
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert client.read_head().status in (400, 505)
    still_works(echo)


@pytest.fixture
def two(moongate, upstreams):
    """The daemon, the application of /app*, and that of /other, which /app's clients must not reach."""
    app, other = upstreams(), upstreams()
    extra = ("[upstream other]\nserver = ws://127.0.0.1:%d\n[route other]\nlistener = main\n"
             "path = /other\nupstream = other\n" % other.address[1])
    return moongate(app, extra=extra), app, other


@pytest.mark.parametrize("target", ["/x/../app", "/./app", "/app/", "/app?x=1", "/app?/../other", "/%61pp", "/x/%2e%2e/app",
                                    "//app", "/other/../app", "/other/%2E%2E/app", "http://%s/app", "HTTP://%s/app",
                                    "/app//other", "/app%3f", "/app/./../app", "/app?#".rstrip("#")])
def test_H_13_same_route(two, target):
    daemon, app, other = two
    client = daemon.client()
    client.send(client.request(target.replace("%s", client.authority)))
    app.accept_open()
    client.expect_101()
    assert other.nobody_came()
    still_works(daemon)


@pytest.mark.parametrize("target", ["/app/../other", "/app/%2e%2e/other", "/app/%2E./other", "//other", "/%6fther", "/app/x/../../other"])
def test_H_13_normalised_route(two, target):
    daemon, app, other = two
    client = daemon.client()
    client.send(client.request(target))
    other.accept_open()
    client.expect_101()
    assert app.nobody_came()
    still_works(daemon)


@pytest.mark.parametrize("target", ["/..", "/../app", "/%2e%2e/app", "/app/../../app", "/app#x", "/app%", "/app%2", "/app%zz", "/app%00",
                                    "/app%2fx", "*", "app", "", "http://", "ftp://a/app", "http:///app", "http://a b/app", "\\app"])
def test_H_13_bad_targets(two, target):
    daemon, app, other = two
    client = daemon.client()
    client.send(client.request(target))
    head = client.read_head()
    assert head.status in (400, 404, 405), head.raw
    assert app.nobody_came() and other.nobody_came()
    client.close()
    still_works(daemon)


def test_H_13_absolute_form_rules(moongate, upstream):
    """The target's host counts, not the Host line's, which must not disagree upstream."""
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("http://real.example/app?q=1", change={"Host": "other.example"}))
    app = upstream.accept_request()
    assert app.head.get("Host") == "real.example"
    assert app.head.target == "/app?q=1"
    app.send(app.answer())
    client.expect_101()
    still_works(daemon)


def test_H_14_pipelined_request_after_upgrade(moongate, upstream):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("/app") + client.get("/admin"))
    refused(daemon, client, 400)
    assert not any(b"admin" in seen for seen in upstream.drain())
    still_works(daemon)


def test_H_15_frame_with_the_upgrade(moongate, upstream):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("/app").encode() + client.make(TEXT, "early"))
    app = upstream.accept_request()
    assert not app.buf, "a byte of the client before the 101"
    app.send(app.answer())
    client.expect_101()
    app.expect_text("early")
    client.text("second")
    app.expect_text("second")
    app.text("answer")
    client.expect_text("answer")
    still_works(daemon)


def test_H_15_frame_with_the_upgrade_echo(echo):
    client = echo.client()
    client.send(client.request("/echo").encode() + client.make(TEXT, "early"))
    client.expect_101()
    client.expect_text("early")
    client.echoes(1)
    client.end()
    still_works(echo)


@pytest.mark.parametrize("cut", range(1, 10))
def test_H_15_part_of_a_frame_with_the_upgrade(moongate, upstream, cut):
    daemon = moongate(upstream)
    client = daemon.client()
    early = client.make(TEXT, "early")
    client.send(client.request("/app").encode() + early[:cut])
    app = upstream.accept_open()
    client.expect_101()
    client.send(early[cut:])
    app.expect_text("early")
    still_works(daemon)


def test_H_15_more_than_is_kept(moongate, upstream):
    """Early frames over 16 KiB wait in the client, and arrive."""
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_request()
    frames = [client.make(TEXT, "%04d" % i + "x" * 996) for i in range(100)]
    client.send(b"".join(frames))
    client.flushed()
    assert not app.buf
    app.send(app.answer())
    client.expect_101()
    for i in range(100):
        app.expect_text("%04d" % i + "x" * 996)
    still_works(daemon)


def test_H_15_violation_before_the_101(moongate, upstream):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_request()
    client.text("unmasked", mask=None)
    refused(daemon, client, 400)
    assert app.expect_end() == b""
    still_works(daemon)


BAD_KEYS = {
    "missing": None,
    "empty": "",
    "15_bytes": "AAAAAAAAAAAAAAAAAAAA",
    "17_bytes": "AAAAAAAAAAAAAAAAAAAAAAA=",
    "no_base64": "!!!!!!!!!!!!!!!!!!!!!!==",
    "url_alphabet": "AAAAAAAAAAAAAAAAAAAA-_==",
    "no_padding": "AAAAAAAAAAAAAAAAAAAAAA",
    "one_padding": "AAAAAAAAAAAAAAAAAAAAAA=",
    "three_padding": "AAAAAAAAAAAAAAAAAAAAA===",
    "long": "A" * 64,
    "space_inside": "AAAAAAAAAA AAAAAAAAAAAA==",
    "list": "AAAAAAAAAAAAAAAAAAAAAA==, AAAAAAAAAAAAAAAAAAAAAA==",
    "twice": ["AAAAAAAAAAAAAAAAAAAAAA=="] * 2,
}


@pytest.mark.parametrize("target", ["/echo", "/app"])
@pytest.mark.parametrize("name", BAD_KEYS)
def test_H_19_keys(moongate, upstream, target, name):
    daemon = moongate(upstream)
    key = BAD_KEYS[name]
    how = {"drop": ["Sec-WebSocket-Key"]} if key is None else {"change": {"Sec-WebSocket-Key": key}}
    is_refused(daemon, 400, None, target=target, **how)
    assert upstream.nobody_came()
    still_works(daemon)


HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(192))
NOISE = {
    "tls": HELLO,
    "ssl2": bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0"),
    "ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "smtp": b"EHLO example.com\r\n",
    "zeros": bytes(65536),
    "high": b"\xff" * 65536,
    "line_ends": b"\r\n" * 1000,
    "proxy": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
}


@pytest.mark.parametrize("name", NOISE)
def test_H_36_noise(moongate, name):
    daemon = moongate(listener={"handshake_timeout": "300ms"})
    with daemon.frozen():
        client = daemon.client()
        client.send(NOISE[name])
    out = client.expect_end()
    assert out == b"" or out.startswith(b"HTTP/1.1 4") or out.startswith(b"HTTP/1.1 505"), out
    lines = daemon.wait_line_about(client)
    assert len(lines) == 1, lines
    still_works(daemon)


def test_H_36_random(moongate):
    daemon = moongate(listener={"handshake_timeout": "300ms"})
    for _ in range(20):
        with daemon.frozen():
            client = daemon.client()
            client.send(b"\x81" + os.urandom(65535))
        client.expect_end()
        client.close()
    still_works(daemon)


def test_H_36_nothing(moongate):
    daemon = moongate(listener={"handshake_timeout": "200ms"})
    client = daemon.client()
    client.expect_eof()
    assert len(daemon.wait_line_about(client)) == 1
    still_works(daemon)
    assert daemon.stop()["silent"] == 1


def test_H_36_half_a_head(moongate):
    daemon = moongate(listener={"handshake_timeout": "200ms"})
    with daemon.frozen():
        client = daemon.client()
        client.send("GET /echo HTTP/1.1\r\nHost: a\r\n")
    refused(daemon, client, 408)
    still_works(daemon)
    assert daemon.stop()["refused_408"] == 1


def test_H_36_client_leaves(echo):
    """Clients that go before they asked for anything whole."""
    for part in (b"", b"G", b"GET /echo HTTP/1.1\r\nHost:"):
        for leave in ("close", "reset", "shutdown"):
            client = echo.client()
            client.send(part)
            client.flushed()
            getattr(client, leave)()
            if leave == "shutdown":
                client.expect_end()
    still_works(echo)


@pytest.mark.parametrize("name", ["X-Forwarded-For", "x-forwarded-for", "X_Forwarded_For", "X.Forwarded.For", "X-Forwarded-Proto",
                                  "X_Forwarded_Proto", "X-Forwarded-Host", "X-Forwarded-Port", "x_forwarded-host"])
def test_H_37_forwarded_is_not_the_clients(moongate, upstream, name):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("/app", add=[(name, "6.6.6.6"), ("X-Other", "kept")]))
    app = upstream.accept_open()
    client.expect_101()
    assert "6.6.6.6" not in app.head.raw.decode()
    assert app.head.get("X-Other") == "kept"
    still_works(daemon)


@pytest.mark.parametrize("name", ["Sec_WebSocket_Key", "Content_Length", "Transfer_Encoding", "Transfer.Encoding", "Proxy_Connection"])
def test_H_37_aliases_are_removed(moongate, upstream, name):
    """Names that an application may take for others' (CGI spells '-' as '_')."""
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("/app", add=[(name, "6")]))
    app = upstream.accept_open()
    client.expect_101()
    assert name not in app.head
    still_works(daemon)
