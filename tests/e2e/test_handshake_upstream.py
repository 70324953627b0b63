# SPDX-License-Identifier: BSD-2-Clause
"""Group H, second half: what applications answer."""

import pytest

from helpers.daemon import refused, still_works
from helpers.frames import TEXT


@pytest.fixture
def ask(moongate, upstream):
    """A function: a client asks for /app, and the application has read the request.
    Returns (client, app); further calls use the same daemon."""

    def ask(**how):
        if not hasattr(ask, "daemon"):
            ask.daemon = moongate(upstream, **how)
        client = ask.daemon.client()
        client.send(client.request("/app", add=[("Sec-WebSocket-Protocol", "chat, super")]))
        return client, upstream.accept_request()

    return ask


def is_502(ask, answer):
    """`answer`, bytes or a function of the application's peer, gives the client a 502."""
    client, app = ask()
    app.send(answer(app) if callable(answer) else answer)
    refused(ask.daemon, client, 502)
    app.expect_end()
    still_works(ask.daemon)
    assert ask.daemon.stop()["refused_502"] == 1


# The end instead of an answer.


@pytest.mark.parametrize("sent", ["nothing", "one byte", "half", "all but the last byte"])
@pytest.mark.parametrize("end", ["close", "reset", "shutdown"])
def test_H_20_end_before_the_head(ask, sent, end):
    client, app = ask()
    answer = app.answer()
    app.send({"nothing": b"", "one byte": answer[:1], "half": answer[: len(answer) // 2]}.get(sent, answer[:-1]))
    app.flushed()
    getattr(app, end)()
    refused(ask.daemon, client, 502)
    still_works(ask.daemon)
    assert ask.daemon.stop()["refused_502"] == 1


@pytest.mark.parametrize("where, why", [("port", "connection refused"), ("socket", "no such file or directory")])
def test_H_20_nobody_listens(moongate, port, tmp_path, where, why):
    """The operator is told what the system said, the client is not."""
    daemon = moongate(("127.0.0.1", port()) if where == "port" else str(tmp_path / "none"))
    client = daemon.client()
    client.send(client.request("/app"))
    refused(daemon, client, 502)
    line = daemon.find("refused")[0]
    assert (line["reason"], line["error"]) == ("the upstream cannot be reached", why)
    still_works(daemon)


# Honest answers that are no 101.

BODY = b"come back\nlater"


@pytest.mark.parametrize("status", ["426 Upgrade Required", "401 Unauthorized", "302 Found", "404 Not Found",
                                    "500 Internal Server Error", "200 OK", "503 Service Unavailable", "299 Odd"])
def test_H_21_relayed(ask, status):
    client, app = ask()
    app.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(BODY)}\r\nX-Kept: yes\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
             "Location: /elsewhere\r\nWWW-Authenticate: Basic\r\nKeep-Alive: timeout=5\r\nX-Hop: no\r\n"
             "Connection: keep-alive, X-Hop\r\nUpgrade: h2c\r\nProxy-Authenticate: Basic\r\n\r\n".encode() + BODY)
    head = client.expect_refusal(int(status.split()[0]))
    assert head.body == BODY
    assert head.get("X-Kept") == "yes" and head.get("Location") == "/elsewhere"
    assert head.get("WWW-Authenticate") == "Basic"
    assert head.all("Set-Cookie") == ["a=1", "b=2"]
    for gone in ("Keep-Alive", "X-Hop", "Proxy-Authenticate"):
        assert gone not in head
    app.expect_end()
    still_works(ask.daemon)
    assert ask.daemon.stop()["relayed"] == 1


BODIES = {
    "length": (b"Content-Length: 15\r\n\r\n" + BODY, BODY),
    "chunked": (b"Transfer-Encoding: chunked\r\n\r\n4\r\ncome\r\n5;x=y\r\n back\r\n6\r\n\nlater\r\n0\r\nTrailer: x\r\n\r\n", BODY),
    "until_close": (b"\r\n" + BODY, BODY),
    "none": (b"Content-Length: 0\r\n\r\n", b""),
    "largest": (b"Content-Length: 65536\r\n\r\n" + b"x" * 65536, b"x" * 65536),
    "largest_chunked": (b"Transfer-Encoding: chunked\r\n\r\n10000\r\n" + b"x" * 65536 + b"\r\n0\r\n\r\n", b"x" * 65536),
    "largest_until_close": (b"\r\n" + b"x" * 65536, b"x" * 65536),
}


@pytest.mark.parametrize("step", [None, 1])
@pytest.mark.parametrize("name", BODIES)
def test_H_21_bodies(ask, name, step):
    raw, content = BODIES[name]
    if step and len(raw) > 1000:
        step = 997
    client, app = ask()
    app.drip(b"HTTP/1.1 403 Forbidden\r\n" + raw, step or len(raw) + 100)
    if "until_close" in name:
        app.shutdown()
    head = client.expect_refusal(403)
    assert head.body == content
    still_works(ask.daemon)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_H_21_without_body(ask, status):
    client, app = ask()
    app.send(f"HTTP/1.1 {status}\r\nX-Kept: yes\r\n\r\n")
    head = client.expect_refusal(int(status[:3]))
    assert head.get("X-Kept") == "yes" and head.body == b""
    still_works(ask.daemon)


def test_H_21_http_1_0(ask):
    client, app = ask()
    app.send(b"HTTP/1.0 404 Not Found\r\n\r\n" + BODY)
    app.shutdown()
    assert client.expect_refusal(404).body == BODY
    still_works(ask.daemon)


@pytest.mark.parametrize("raw", [b"Content-Length: 65537\r\n\r\n" + b"x" * 65537,
                                 b"Transfer-Encoding: chunked\r\n\r\n10001\r\n" + b"x" * 65537 + b"\r\n0\r\n\r\n",
                                 b"\r\n" + b"x" * 65537], ids=["length", "chunked", "until_close"])
def test_H_21_body_too_long(ask, raw):
    is_502(ask, b"HTTP/1.1 404 Not Found\r\n" + raw)


@pytest.mark.parametrize("raw", [b"Content-Length: 100\r\n\r\nshort", b"Content-Length: 100\r\n\r\n",
                                 b"Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n", b"Transfer-Encoding: chunked\r\n\r\n5\r\nsho"])
@pytest.mark.parametrize("end", ["shutdown", "reset"])
def test_H_21_body_cut_short(ask, raw, end):
    client, app = ask()
    app.send(b"HTTP/1.1 500 Oops\r\n" + raw)
    app.flushed()
    getattr(app, end)()
    refused(ask.daemon, client, 502)
    still_works(ask.daemon)


@pytest.mark.parametrize("raw", ["Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "Content-Length: +5\r\n\r\nhello",
                                 "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                                 "Transfer-Encoding: xchunked\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello",
                                 "Transfer-Encoding: chunked\r\n\r\n-1\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n"])
def test_H_21_broken_body(ask, raw):
    is_502(ask, f"HTTP/1.1 404 Not Found\r\n{raw}")


# Lies.


def test_H_22_upgrade_without_101(ask):
    is_502(ask, lambda app: app.answer(line="HTTP/1.1 200 OK"))


@pytest.mark.parametrize("how", [{"drop": ["Upgrade"]}, {"change": {"Upgrade": "foo"}}, {"drop": ["Connection"]},
                                 {"change": {"Connection": "close"}}, {"change": {"Upgrade": "websocket2"}},
                                 {"change": {"Upgrade": ""}}, {"change": {"Connection": "keep-alive"}},
                                 {"drop": ["Upgrade", "Connection"]}], ids=str)
def test_H_23_not_an_upgrade(ask, how):
    is_502(ask, lambda app: app.answer(**how))


@pytest.mark.parametrize("how", [{"change": {"Upgrade": "WebSocket"}}, {"change": {"Connection": "keep-alive, upgrade"}},
                                 {"change": {"Connection": ["x", "UPGRADE"]}}], ids=str)
def test_H_23_any_case(ask, how):
    client, app = ask()
    app.send(app.answer(**how))
    client.expect_101()
    still_works(ask.daemon)


def test_H_24_no_accept(ask):
    is_502(ask, lambda app: app.answer(drop=["Sec-WebSocket-Accept"]))


@pytest.mark.parametrize("value", ["", "x", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "client's"])
def test_H_25_wrong_accept(ask, value):
    from helpers.peer import accept_value

    client, app = ask()
    if value == "client's":  # the right answer to the client's own key, which the daemon must not have sent on
        assert app.head.get("Sec-WebSocket-Key") != client.key
        value = accept_value(client.key)
    app.send(app.answer(change={"Sec-WebSocket-Accept": value}))
    refused(ask.daemon, client, 502)
    still_works(ask.daemon)


def test_H_25_accept_in_another_case(ask):
    def swapped(app):
        right = dict(x.split(": ", 1) for x in app.answer().decode().split("\r\n")[1:-2])["Sec-WebSocket-Accept"]
        return app.answer(change={"Sec-WebSocket-Accept": right.swapcase()})

    is_502(ask, swapped)


def test_H_26_accept_twice(ask):
    from helpers.peer import accept_value

    is_502(ask, lambda app: app.answer(
        change={"Sec-WebSocket-Accept": [accept_value(app.head.get("Sec-WebSocket-Key"))] * 2}))


@pytest.mark.parametrize("protocols", [["other"], ["Chat"], ["chat, super"], ["chat", "super"], ["chat", "chat"], [""], ["chat x"]],
                         ids=str)
def test_H_27_subprotocol_not_offered(ask, protocols):
    is_502(ask, lambda app: app.answer(add=[("Sec-WebSocket-Protocol", p) for p in protocols]))


@pytest.mark.parametrize("protocol", ["chat", "super"])
def test_H_27_subprotocol(ask, protocol):
    client, app = ask()
    assert app.head.get("Sec-WebSocket-Protocol") == "chat, super"
    app.send(app.answer(add=[("Sec-WebSocket-Protocol", protocol)]))
    assert client.expect_101().get("Sec-WebSocket-Protocol") == protocol
    still_works(ask.daemon)


def test_H_27_none_offered(moongate, upstream):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_request()
    assert "Sec-WebSocket-Protocol" not in app.head
    app.send(app.answer(add=["Sec-WebSocket-Protocol: chat"]))
    refused(daemon, client, 502)
    still_works(daemon)


@pytest.mark.parametrize("value", ["permessage-deflate", "x-webkit-deflate-frame", "foo; bar=1", "permessage-deflate; server_no_context_takeover"])
def test_H_28_extension_not_offered(moongate, upstream, value):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("/app", add=["Sec-WebSocket-Extensions: permessage-deflate"]))
    app = upstream.accept_request()
    assert "Sec-WebSocket-Extensions" not in app.head
    app.send(app.answer(add=[("Sec-WebSocket-Extensions", value)]))
    refused(daemon, client, 502)
    still_works(daemon)


# What comes before the 101.

EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("before", [EARLY_HINTS, CONTINUE, CONTINUE + EARLY_HINTS, CONTINUE * 8], ids=["103", "100", "both", "8"])
def test_H_29_interim_answers(ask, before):
    client, app = ask()
    app.send(before + app.answer())
    head = client.expect_101()
    assert "Link" not in head
    app.text("x")
    client.expect_text("x")
    still_works(ask.daemon)


def test_H_29_too_many(ask):
    is_502(ask, CONTINUE * 9)


def test_H_30_endless_interim_answers(ask):
    client, app = ask()
    with pytest.raises((ConnectionError, TimeoutError)):
        while True:
            app.send(CONTINUE * 100)
    refused(ask.daemon, client, 502)
    still_works(ask.daemon)


def test_H_31_endless_head(ask):
    client, app = ask()
    with pytest.raises(ConnectionError):
        app.send(app.answer()[:-2])
        for _ in range(1 << 10):
            app.send(b"X: " + b"x" * 1000 + b"\r\n")
            app.flushed()
    refused(ask.daemon, client, 502)
    still_works(ask.daemon)


@pytest.mark.parametrize("line", ["X: " + "x" * 16384, "x" * 16385], ids=["line", "name"])
def test_H_31_long_line(ask, line):
    is_502(ask, lambda app: app.answer(add=[line]))


def test_H_31_many_lines(ask):
    is_502(ask, lambda app: app.answer(add=[f"X-{i}: x" for i in range(98)]))


def test_H_31_drip(ask):
    client, app = ask(listener={"handshake_timeout": "400ms"})
    app.send(b"HTTP/1.1 101")
    refused(ask.daemon, client, 504)
    app.expect_end()
    still_works(ask.daemon)
    assert ask.daemon.stop()["refused_504"] == 1


def test_H_31_silence(ask):
    client, app = ask(listener={"handshake_timeout": "400ms"})
    refused(ask.daemon, client, 504)
    app.expect_end()
    still_works(ask.daemon)


def test_H_31_body_never_ends(ask):
    client, app = ask(listener={"handshake_timeout": "400ms"})
    app.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nhalf")
    refused(ask.daemon, client, 504)
    still_works(ask.daemon)


@pytest.mark.parametrize("line", ["Content-Length: 5", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked"])
def test_H_32_101_with_a_body(ask, line):
    is_502(ask, lambda app: app.answer(add=[line]))


@pytest.mark.parametrize("line", ["HTTP/2 101 Switching Protocols", "HTTP/2.0 101 x", "ICY 200 OK", "HTTP/1.1 1010 x", "HTTP/1.1 10 x",
                                  "HTTP/1.1 abc x", "HTTP/1.1 ", "HTTP/1.1 -101 x", "HTTP/1.1 099 x", "HTTP/1.1 000 x", "HTTP/1.1 600 x",
                                  "HTTP/1.1  101 x", " HTTP/1.1 101 x", "http/1.1 101 x", "HTTP/1.1\t101 x", "HTTP/1.0 101 x",
                                  "HTTP/1.1 101\0x", "SSH-2.0-OpenSSH_9.2", "HTTP/1.1 102 x\r\nHTTP/1.1 101 x", "101 Switching Protocols",
                                  "\x16\x03\x01\x02", "220 smtp.example ESMTP"])
def test_H_33_status_lines(ask, line):
    is_502(ask, lambda app: app.answer(line=line))


def test_H_33_no_reason_phrase(ask):
    """RFC 9112 4: the phrase may be empty; a client then sees a 101 all the same."""
    client, app = ask()
    app.send(app.answer(line="HTTP/1.1 101 "))
    client.expect_101()
    still_works(ask.daemon)


def test_H_34_what_passes(ask):
    client, app = ask()
    app.send(app.answer(change={"Connection": "Upgrade, X-Hop"},
                        add=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Kept", "yes"), ("Server", "app"), ("X-Hop", "no"),
                             ("Keep-Alive", "timeout=5"), ("Alt-Svc", 'h3=":443"'), ("Content-Type", "text/html"),
                             ("Content-Encoding", "gzip"), ("Proxy-Authenticate", "Basic"), ("Trailer", "x"),
                             ("X-Utf8", "caf\xe9")]))
    head = client.expect_101()
    assert head.all("Set-Cookie") == ["a=1", "b=2"]
    assert head.get("X-Kept") == "yes" and head.get("Server") == "app" and head.get("X-Utf8") == "caf\xe9"
    for gone in ("X-Hop", "Keep-Alive", "Alt-Svc", "Content-Type", "Content-Encoding", "Proxy-Authenticate", "Trailer"):
        assert gone not in head, gone
    still_works(ask.daemon)


@pytest.mark.parametrize("line", ["X: a\nSet-Cookie: evil=1", "X: a\rSet-Cookie: evil=1", "X: a\r\r\n", "X: a\0b", "X: a\r\n b", " X: a",
                                  "X : a", ": a", "no colon", "X\xe9: a"])
def test_H_34_tricks(ask, line):
    is_502(ask, lambda app: app.answer(add=[line]))


# Frames right behind the 101.


def test_H_35_split_at_every_offset(ask, upstream):
    client, app = ask()
    answer = app.answer(add=["Sec-WebSocket-Protocol: chat"])
    frames = app.make(TEXT, "first") + app.make(TEXT, "\u6708" * 50) + app.make(0x2, b"third")
    total = len(answer + frames)
    for cut in range(1, total + 1):
        stream = app.answer(add=["Sec-WebSocket-Protocol: chat"]) + frames
        app.send(stream[:cut])
        app.flushed()
        app.send(stream[cut:])
        client.expect_101()
        client.expect_text("first")
        client.expect_text("\u6708" * 50)
        client.expect_binary("third")
        client.text("back")
        app.expect_text("back")
        client.close_frame(1000)
        app.expect_close(1000)
        app.close_frame(1000)
        app.close()
        client.expect_close(1000)
        client.expect_eof()
        client.close()
        if cut < total:
            client, app = ask()
    still_works(ask.daemon)
    assert ask.daemon.stop()["messages_down"] == 3 * total + 100  # those of still_works()


def test_H_35_bytes_one_by_one(ask):
    client, app = ask()
    app.drip(app.answer() + app.make(TEXT, "first") + app.make(TEXT, "second"))
    client.expect_101()
    client.expect_text("first")
    client.expect_text("second")
    still_works(ask.daemon)


def test_H_35_close_behind_the_101(ask):
    client, app = ask()
    app.send(app.answer() + app.make(TEXT, "last") + app.make(0x8, b"\x03\xe8"))
    client.expect_101()
    client.expect_text("last")
    client.expect_close(1000)
    client.close_frame(1000)
    app.expect_close(1000)
    app.close()
    client.expect_eof()
    still_works(ask.daemon)


def test_H_35_end_behind_the_101(ask):
    client, app = ask()
    app.send(app.answer() + app.make(TEXT, "last"))
    app.close()
    client.expect_101()
    client.expect_text("last")
    client.expect_close(1011, "upstream lost")
    client.close()
    still_works(ask.daemon)
