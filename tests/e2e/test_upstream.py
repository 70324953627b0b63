# SPDX-License-Identifier: BSD-2-Clause
"""Group U, as far as one plain server goes: U-01 to U-03, U-22."""

import socket

import pytest

from helpers.daemon import SANITIZED, still_works
from helpers.frames import CONT, PING, TEXT
from helpers.peer import RawUpstream


def opened(daemon, upstream):
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_open()
    client.expect_101()
    return client, app


@pytest.fixture
def full(closing):
    """An upstream whose backlog is full: a connect to it neither succeeds nor fails."""
    upstream = RawUpstream(backlog=0)
    closing.append(upstream)
    while True:
        filler = socket.socket()
        closing.insert(0, filler)
        filler.setblocking(False)
        filler.connect_ex(upstream.address)
        probe = socket.socket()
        probe.settimeout(0.2)
        try:
            probe.connect(upstream.address)
            closing.insert(0, probe)
        except TimeoutError:
            probe.close()
            return upstream


@pytest.mark.parametrize("leave", ["reset", "close"])
def test_U_01_client_leaves_while_connecting(moongate, full, leave):
    daemon = moongate(full)
    client = daemon.client()
    client.send(client.request("/app"))
    client.flushed()
    still_works(daemon)  # a whole session later the request has been read
    getattr(client, leave)()
    daemon.settle()
    still_works(daemon)


def test_U_01_connect_timeout(moongate, full):
    daemon = moongate(full, group={"connect_timeout": "200ms"})
    client = daemon.client()
    client.send(client.request("/app"))
    client.expect_refusal(504)
    still_works(daemon)


@pytest.fixture
def full_unix(upstreams, closing, tmp_path):
    """The same at a unix socket, where a connect fails at once; and those that wait there already."""
    upstream = upstreams(f"{tmp_path}/full", backlog=1)
    fillers = []
    while True:
        fillers.append(socket.socket(socket.AF_UNIX))
        closing.insert(0, fillers[-1])
        fillers[-1].setblocking(False)
        try:
            fillers[-1].connect(upstream.address)
        except BlockingIOError:
            return upstream, len(fillers) - 1


def test_U_04_unix_socket_whose_queue_is_full(moongate, full_unix):
    """As with TCP, it is waited for."""
    upstream, waiting = full_unix
    daemon = moongate(upstream, group={"max_fails": 1, "connect_timeout": "1h"}, listener={"handshake_timeout": "1h"})
    clients = [daemon.client() for _ in range(3)]
    for client in clients:
        client.send(client.request("/app"))
    still_works(daemon)  # they have all been read
    for _ in range(waiting):
        upstream.accept().close()
    for client in clients:
        upstream.accept_open()
    for client in clients:
        client.expect_101()
    assert not daemon.find("server_down") and not daemon.find("refused")
    still_works(daemon)


def test_U_04_unix_socket_whose_queue_stays_full(moongate, full_unix):
    daemon = moongate(full_unix[0], group={"connect_timeout": "200ms"})
    for leave in (False, True):
        client = daemon.client()
        client.send(client.request("/app"))
        if leave:
            still_works(daemon)
            client.reset()
        else:
            client.expect_refusal(504)
            assert daemon.refusal_of(client)["reason"] == "the upstream did not connect in time"
    daemon.settle()
    still_works(daemon)


def test_U_04_spares_at_a_full_unix_socket(moongate, full_unix):
    """They wait as well: none has failed by the time there is room."""
    upstream, waiting = full_unix
    daemon = moongate(upstream, group={"spare": 2, "connect_timeout": "1h"})
    still_works(daemon)
    for _ in range(waiting):
        upstream.accept().close()
    for _ in range(2):
        upstream.accept()
    still_works(daemon)  # it knows as well
    totals = daemon.stop()
    assert (totals["spares_opened"], totals["spares_failed"]) == (2, 0)


@pytest.mark.parametrize("leave", ["reset", "close"])
def test_U_01_client_leaves_while_waiting(moongate, upstream, leave):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_request()
    getattr(client, leave)()
    assert app.expect_end() == b""
    app.close()
    daemon.settle()
    still_works(daemon)


def test_U_01_client_leaves_with_early_frames(moongate, upstream):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_request()
    client.text("early")
    client.flushed()
    client.reset()
    assert app.expect_end() == b""
    still_works(daemon)


def test_U_01_client_leaves_in_the_middle_of_an_answer(moongate, upstream):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_request()
    app.send(app.answer()[:20])
    app.flushed()
    client.reset()
    assert app.expect_end() == b""
    still_works(daemon)


def knows_already(daemon, client):
    """The end of the client is in the log before that of a whole session that came later."""
    later = daemon.client()
    later.send(later.request("/echo"))
    later.expect_101()
    later.reset()
    daemon.end_of(later)
    if not SANITIZED:  # libevent alone finds such a reset later
        assert daemon.find(client=client.local), daemon.log


@pytest.mark.parametrize("sent", ["request", "request and frame", "half"])
def test_U_01_request_and_reset_at_once(moongate, upstream, sent):
    daemon = moongate(upstream)
    with daemon.frozen():
        client = daemon.client()
        request = client.request("/app")
        client.send(request[:30] if sent == "half" else request)
        if sent == "request and frame":
            client.text("early")
        client.flushed()
        client.reset()
    knows_already(daemon, client)
    daemon.wait_line_about(client)
    if sent != "half":
        assert upstream.accept_request().expect_end() == b""
    still_works(daemon)


@pytest.mark.parametrize("sent", ["1 byte", "half a head", "101", "half a body"])
def test_U_03_answer_and_reset_at_once(moongate, upstream, sent):
    daemon = moongate(upstream, route={"close_timeout": "100ms"})
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_request()
    with daemon.frozen():
        app.send({"1 byte": "H", "half a head": app.answer()[:30], "101": app.answer(),
                  "half a body": b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nx"}[sent])
        app.flushed()
        app.reset()
    if sent == "101":
        client.expect_101()
        client.expect_close(1011)
        client.close()
    else:
        knows_already(daemon, client)
        client.expect_refusal(502)
    still_works(daemon)


def test_U_01_many_clients_leave(moongate, upstream):
    daemon = moongate(upstream)
    for _ in range(50):
        client = daemon.client()
        client.send(client.request("/app"))
        app = upstream.accept_request()
        client.reset()
        assert app.expect_end() == b""
        app.close()
    daemon.settle()
    still_works(daemon)


@pytest.mark.parametrize("leave", ["reset", "close", "shutdown"])
@pytest.mark.parametrize("answer", ["101", "101 and frame", "404", "half"])
def test_U_02_client_leaves_as_the_upstream_answers(moongate, upstream, leave, answer):
    daemon = moongate(upstream, route={"close_timeout": "100ms"})
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_request()
    with daemon.frozen():
        app.send({"101": app.answer(), "101 and frame": app.answer() + app.make(TEXT, "x"), "half": app.answer()[:30],
                  "404": b"HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx"}[answer])
        getattr(client, leave)()
    # The upstream learns of it: by a close frame if the tunnel was open, by the end in any case.
    end = app.expect_end()
    assert end == b"" or end[0] == 0x88
    app.close()
    client.close()
    still_works(daemon)


@pytest.mark.parametrize("order", ["client first", "upstream first"])
@pytest.mark.parametrize("client_end", ["reset", "close", "shutdown"])
@pytest.mark.parametrize("app_end", ["reset", "close", "shutdown"])
def test_U_03_both_die_in_one_turn(moongate, upstream, order, client_end, app_end):
    daemon = moongate(upstream)
    client, app = opened(daemon, upstream)
    with daemon.frozen():
        ends = [(client, client_end), (app, app_end)]
        for peer, end in ends if order == "client first" else ends[::-1]:
            getattr(peer, end)()
    line = daemon.end_of(client) if "shutdown" not in (client_end, app_end) else None
    for peer, end in ends:
        if end == "shutdown":
            peer.expect_end()
        peer.close()
    line = line or daemon.end_of(client)
    assert line["closed_by"] in ("client", "upstream") and line["cause"] in ("vanished", "error")
    still_works(daemon)
    totals = daemon.stop()
    assert totals["closed_by_client_end"] + totals["closed_by_upstream_end"] == 1


def test_U_03_both_die_while_opening(moongate, upstream):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_request()
    with daemon.frozen():
        client.reset()
        app.reset()
    still_works(daemon)


def test_U_03_both_die_with_data(moongate, upstream):
    daemon = moongate(upstream)
    client, app = opened(daemon, upstream)
    with daemon.frozen():
        client.text("x" * 1000)
        app.text("y" * 1000)
        client.flushed()
        app.flushed()
        client.close()
        app.close()
    daemon.end_of(client)
    still_works(daemon)


# The upstream ends in the middle of a message: never a completed false one.


def fragments(app):
    return [app.make(TEXT, "one ", fin=False), app.make(CONT, "two ", fin=False), app.make(CONT, "three")]


@pytest.mark.parametrize("end", ["reset", "close"])
def test_U_22_end_between_fragments(moongate, upstream, end):
    daemon = moongate(upstream)
    client, app = opened(daemon, upstream)
    app.send(b"".join(fragments(app)[:2]))
    client.expect_text("one ", fin=False)
    client.expect_frame(CONT, "two ", fin=False)
    getattr(app, end)()
    client.expect_close(1011, "upstream lost")
    client.close_frame(1011)
    client.expect_eof()
    client.close()
    line = daemon.end_of(client)
    assert line["closed_by"] == "upstream" and "cut" not in line
    still_works(daemon)
    assert daemon.stop()["closed_by_upstream_end"] == 1


@pytest.mark.parametrize("end", ["reset", "close"])
@pytest.mark.parametrize("size", [10, 70000])
def test_U_22_end_in_a_frame(moongate, upstream, end, size):
    daemon = moongate(upstream)
    client, app = opened(daemon, upstream)
    part = app.make(TEXT, "x" * size)[:-1]
    app.send(part)
    seen = client.read(len(part))  # the part has gone out: a close frame cannot follow it
    getattr(app, end)()
    client.expect_reset(after=b"")
    assert seen == part
    assert daemon.end_of(client)["cut"] == "mid_frame"
    still_works(daemon)
    assert daemon.stop()["cut_mid_frame"] == 1


def test_U_22_end_at_every_offset(moongate, upstream):
    """Whatever the client sees parses, holds no message that was not sent whole, and ends right."""
    from helpers.frames import parse_frame

    daemon = moongate(upstream, route={"close_timeout": "50ms"})
    client, app = opened(daemon, upstream)
    stream = app.make(TEXT, "whole") + b"".join(fragments(app)) + app.make(PING, "p") + app.make(TEXT, "end")
    sent = {b"whole", b"one two three", b"end"}
    for cut in range(len(stream) + 1):
        if cut:
            client, app = opened(daemon, upstream)
        app.send(stream[:cut])
        app.close()
        seen, messages, parts, close = client.expect_end(), [], [], None
        while True:
            f, used = parse_frame(seen)
            if not f:
                break
            seen = seen[used:]
            if f.opcode == 8:
                close = f.close_code
            elif f.opcode < 8:
                parts.append(f.payload)
                if f.fin:
                    messages.append(b"".join(parts))
                    parts = []
        assert set(messages) <= sent, messages
        assert close == 1011 or seen, f"cut at {cut}: neither a close frame nor a part of a frame"
        assert not (close and seen)
        client.close()
    still_works(daemon)


@pytest.mark.parametrize("end", ["reset", "close"])
def test_U_22_client_ends_in_a_frame(moongate, upstream, end):
    daemon = moongate(upstream)
    client, app = opened(daemon, upstream)
    part = client.make(TEXT, "x" * 1000)[:-1]
    client.send(part)
    assert app.read(len(part)) == part
    getattr(client, end)()
    app.expect_reset(after=b"")
    assert daemon.end_of(client)["cut"] == "mid_frame"
    still_works(daemon)


def test_U_22_client_ends_between_fragments(moongate, upstream):
    daemon = moongate(upstream)
    client, app = opened(daemon, upstream)
    client.text("one", fin=False)
    app.expect_text("one", fin=False)
    client.reset()
    app.expect_close(1001)
    app.close()
    still_works(daemon)
