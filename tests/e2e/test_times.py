# SPDX-License-Identifier: BSD-2-Clause
"""Every timeout of the data path, set small and waited for. No test says how long one takes."""

import select
import socket

import pytest

from helpers.daemon import still_works
from helpers.frames import BINARY, CLOSE, PING, PONG, TEXT
from helpers.kernel import wait_stuck
from helpers.peer import RawClient
from helpers.traffic import Application, Doing, full_listener, sending_for_ever
from helpers.ways import BOTH, Way, open_pair

OWN = b"moongate"  # how the payload of an own ping begins
SMALL = {"send_buffer": "4k", "receive_buffer": "4k"}


class Clock:
    """Sessions of the same route that stay silent: each event of theirs proves that the same time
    has passed for a session that was there before."""

    def __init__(self, daemon, target="/echo"):
        self.daemon, self.target = daemon, target

    def ping_time(self):
        """Returns when a client that is silent from now on would have been sent a ping."""
        with self.daemon.client().open(self.target) as silent:
            while silent.read_frame().opcode != PING:
                pass

    def pong_time(self):
        """Returns when a client that is silent from now on would have been given up."""
        with self.daemon.client().open(self.target) as silent:
            while silent.read_frame().opcode != CLOSE:
                pass


def asks_at_once(daemon, target="/app"):
    """A client whose request is there when it is accepted, however slow the test is."""
    with daemon.frozen():
        client = daemon.client()
        client.send(client.request(target))
    return client


# handshake_timeout, keepalive_timeout, connect_timeout.


def test_handshake_timeout_nothing_came(moongate):
    daemon = moongate(listener={"handshake_timeout": "200ms"})
    client = daemon.client()
    client.expect_eof()  # closed silently
    daemon.settle()
    assert not daemon.find("refused", client=client.local)
    client.close()
    still_works(daemon)
    assert daemon.stop()["silent"] == 1


@pytest.mark.parametrize("part", ["G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: x\r\n"])
def test_handshake_timeout_half_a_head(moongate, part):
    daemon = moongate(listener={"handshake_timeout": "200ms"})
    with daemon.frozen():
        client = daemon.client()
        client.send(part)
    client.expect_refusal(408)
    assert daemon.refusal_of(client)["status"] == "408"
    still_works(daemon)
    assert daemon.stop()["refused_408"] == 1


def test_handshake_timeout_is_absolute(moongate):
    """Bytes that keep coming do not move it."""
    daemon = moongate(listener={"handshake_timeout": "300ms"})
    with daemon.frozen():
        client = daemon.client()
        client.send("GET /echo HTTP/1.1\r\nX: ")
    while not select.select([client.sock], [], [], 0.02)[0]:
        client.send("x")
    client.expect_answer(408)
    still_works(daemon)


def test_handshake_timeout_upstream_is_silent(moongate, upstream):
    daemon = moongate(upstream, listener={"handshake_timeout": "300ms"})
    client = asks_at_once(daemon)
    app = upstream.accept_request()
    client.expect_refusal(504)
    app.expect_end()
    assert daemon.refusal_of(client)["status"] == "504"
    still_works(daemon)
    assert daemon.stop()["refused_504"] == 1


def test_handshake_timeout_upstream_answers_half(moongate, upstream):
    daemon = moongate(upstream, listener={"handshake_timeout": "300ms"})
    client = asks_at_once(daemon)
    app = upstream.accept_request()
    app.send(app.answer()[:-1])
    client.expect_refusal(504)
    app.expect_end()
    still_works(daemon)


def test_handshake_timeout_ends_with_the_101(moongate):
    """An open session outlives it. (The application is the daemon itself: no test is too slow for it.)"""
    daemon = moongate(listener={"handshake_timeout": "300ms"})
    client = asks_at_once(daemon, "/still")
    client.expect_101()
    daemon.client().expect_eof()
    client.echoes(1)
    still_works(daemon)


def test_keepalive_timeout(moongate):
    daemon = moongate(listener={"keepalive_timeout": "200ms"})
    client = daemon.client()
    client.send(client.get("/nowhere") * 3)
    for _ in range(3):
        head = client.expect_answer(404)
        client.read_body(head)
    client.expect_eof()
    daemon.wait_line("refused", n=3, client=client.local)
    still_works(daemon)
    assert daemon.stop()["silent"] == 0
    assert len(daemon.find("refused", client=client.local)) == 3


def test_keepalive_timeout_starts_after_the_handshake_time(moongate):
    """The next request has a handshake_timeout of its own, from its first byte on."""
    daemon = moongate(listener={"handshake_timeout": "200ms", "keepalive_timeout": "20s"})
    with daemon.frozen():
        client = daemon.client()
        client.send(client.get("/nowhere"))
    client.read_body(client.expect_answer(404))
    daemon.client().expect_eof()  # a handshake_timeout has passed
    client.send(client.get("/nowhere"))
    client.read_body(client.expect_answer(404))
    client.send("GET /again")
    client.expect_refusal(408)
    still_works(daemon)


def test_connect_timeout(moongate, upstreams, closing):
    full = full_listener(upstreams, closing)
    daemon = moongate(full, group={"connect_timeout": "300ms"})
    client = daemon.client()
    client.send(client.request("/app"))
    client.expect_refusal(504)
    assert daemon.refusal_of(client)["status"] == "504"
    daemon.settle()
    still_works(daemon)


def test_connect_timeout_is_bounded_by_handshake_timeout(moongate, upstreams, closing):
    full = full_listener(upstreams, closing)
    daemon = moongate(full, group={"connect_timeout": "20s"}, listener={"handshake_timeout": "300ms"})
    asks_at_once(daemon).expect_refusal(504)
    daemon.settle()
    still_works(daemon)


def test_connect_timeout_does_not_count_the_answer(moongate, upstream):
    """Connected in time, the upstream may take until handshake_timeout to answer."""
    daemon = moongate(upstream, group={"connect_timeout": "200ms"}, listener={"handshake_timeout": "20s"},
                      extra="[listener quick]\nbind = unix:quick.sock\nhandshake_timeout = 500ms\n")
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_request()
    with RawClient(str(daemon.config.parent / "quick.sock")) as quick:
        quick.expect_eof()  # more than a connect_timeout has passed
    app.send(app.answer())
    client.expect_101()
    client.text("x")
    app.expect_text("x")
    still_works(daemon)


# send_timeout.


def test_send_timeout_client_does_not_read(moongate, upstream):
    daemon = moongate(upstream, route={"send_timeout": "1s"}, listener=SMALL)
    client, app = open_pair(daemon, upstream, rcvbuf=4096)
    sender = sending_for_ever(app, app.make(BINARY, b"x" * 1000))
    daemon.wait_line("session_end", client=client.local, cause="send_timeout", closed_by="proxy")
    sender.join()
    client.expect_reset()
    still_works(daemon)
    assert daemon.stop()["timeout_send"] == 1


def test_send_timeout_is_told_to_the_upstream(moongate, upstream):
    """The other side, which is well, gets a close frame with the limit's name."""
    daemon = moongate(upstream, route={"send_timeout": "1s", "max_queue": "64k"}, listener=SMALL)
    client, app = open_pair(daemon, upstream, rcvbuf=4096)
    app.send(app.make(BINARY, b"x" * 1000) * 40)  # more than the client's buffers, less than the mark
    app.expect_close(1008, "send_timeout")
    app.close()
    line = daemon.end_of(client)
    assert line["cause"] == "send_timeout" and line["code"] == "1008"
    still_works(daemon)


def test_send_timeout_upstream_does_not_read(moongate, upstreams):
    upstream = upstreams(rcvbuf=4096)
    daemon = moongate(upstream, route={"send_timeout": "1s", "max_queue": "64k"}, group=SMALL)
    client, app = open_pair(daemon, upstream)
    client.send(client.make(BINARY, b"x" * 1000) * 40)
    client.expect_close(1008, "send_timeout")
    client.close_frame(1008)
    client.expect_eof()
    client.close()
    app.expect_end()
    assert daemon.end_of(client)["cause"] == "send_timeout"
    still_works(daemon)


def test_send_timeout_on_echo(moongate):
    daemon = moongate(route={"send_timeout": "1s"}, listener=SMALL)
    client = daemon.client(rcvbuf=4096).open("/echo")
    sender = sending_for_ever(client, client.make(BINARY, b"x" * 1000))
    daemon.wait_line("session_end", client=client.local, cause="send_timeout")
    sender.join()
    still_works(daemon)


# message_timeout: silence and a trickle are in test_frames (F-09, F-10, F-16, F-18).


def test_message_timeout_grows_with_what_comes(moongate, upstream):
    """A second for each KiB: 20 KiB of an unfinished frame outlive a message_timeout."""
    daemon = moongate(upstream, route={"message_timeout": "100ms"})
    with Way(daemon, upstream, "client") as way:
        whole = way.frame(BINARY, b"x" * 30_000)
        way.source.send(whole[:20_480])
        assert way.sink.read(20_480) == whole[:20_480]
        with Way(daemon, upstream, "client") as quick:  # cut by its own, meanwhile
            quick.passes(quick.frame(TEXT, b"", fin=False))
            quick.source.expect_close(1008, "message_timeout")
        way.source.send(whole[20_480:])
        assert way.sink.read(len(whole) - 20_480) == whole[20_480:]
        way.goes_on()
    still_works(daemon)


def test_message_timeout_starts_anew_with_each_message(moongate, upstream):
    daemon = moongate(upstream, route={"message_timeout": "3s"})
    with Way(daemon, upstream, "upstream") as way:
        # Always inside a message, but never long inside the same one.
        way.passes(way.frame(TEXT, b"a", fin=False))
        other = Way(daemon, upstream, "client")
        other.passes(other.frame(TEXT, b"", fin=False))
        while not select.select([other.source.sock], [], [], 0.02)[0]:
            way.passes(way.frame(0, b"b") + way.frame(TEXT, b"a", fin=False))
        other.source.expect_close(1008, "message_timeout")
        other.close()
        way.passes(way.frame(0, b"b"))
        way.goes_on()
    still_works(daemon)


def test_message_timeout_of_early_frames(moongate, upstream):
    """What came before the 101 counts from the 101 on."""
    daemon = moongate(upstream, route={"message_timeout": "300ms"})
    client = daemon.client()
    client.send(client.request("/app").encode() + client.make(TEXT, b"x", fin=False))
    app = upstream.accept_open()
    client.expect_101()
    app.expect_text("x", fin=False)
    client.expect_close(1008, "message_timeout")
    app.expect_close(1008, "message_timeout")
    still_works(daemon)


# close_timeout is in test_close (C-03, C-04).

# Pings.

PINGS = {"ping_interval": "300ms", "pong_timeout": "20s"}
PONGS = {"ping_interval": "200ms", "pong_timeout": "300ms"}
LATE_PONGS = {"ping_interval": "200ms", "pong_timeout": "2s"}  # the client is to be in time


@pytest.mark.parametrize("target", ["/app", "/echo"])
def test_own_ping(moongate, upstream, target):
    daemon = moongate(upstream, route=PINGS)
    with Way(daemon, upstream, "client" if target == "/app" else "echo") as way:
        client = way.client
        for _ in range(3):
            ping = client.read_frame()
            assert ping.opcode == PING and ping.payload.startswith(OWN)
            client.pong(ping.payload)
        # Its pongs went nowhere; other pongs and all else pass.
        if way.app:
            way.passes(way.frame(PONG, b"moongate") + way.frame(PONG, b"") + way.frame(TEXT, b"x"))
        else:
            client.text("x")
            while (f := client.read_frame()).opcode == PING:
                assert f.payload.startswith(OWN)
            assert (f.opcode, f.payload) == (TEXT, b"x")
    still_works(daemon)
    assert daemon.stop()["pings_sent"] >= 3


def test_own_pong_of_another_session_is_forwarded(moongate, upstream):
    """The payload is the session's own: what another one was sent is not taken for it."""
    daemon = moongate(upstream, route=PINGS)
    a, b = Way(daemon, upstream, "client"), Way(daemon, upstream, "client")
    with a, b:
        one, two = a.client.read_frame(), b.client.read_frame()
        assert one.opcode == two.opcode == PING and one.payload != two.payload
        a.passes(a.frame(PONG, two.payload))
        a.source.pong(one.payload)
        a.goes_on()
    still_works(daemon)


def test_own_ping_only_after_silence(moongate, upstream):
    """A client that speaks is not pinged."""
    daemon = moongate(upstream, route={"ping_interval": "3s", "pong_timeout": "20s"})
    busy, silent = Way(daemon, upstream, "client"), Way(daemon, upstream, "client")
    with busy, silent:
        while not select.select([silent.client.sock], [], [], 0.02)[0]:
            busy.goes_on()
        assert silent.client.read_frame().opcode == PING
        busy.client.text("and back")
        busy.app.expect_text("and back")
        busy.app.text("no ping before this")
        busy.client.expect_text("no ping before this")
    still_works(daemon)


def test_pong_timeout(moongate, upstream):
    daemon = moongate(upstream, route=PONGS)
    client, app = open_pair(daemon, upstream)
    assert client.read_frame().opcode == PING
    client.expect_close(1008, "pong_timeout")
    app.expect_close(1001, "pong_timeout")
    client.close_frame(1008)
    client.expect_eof()
    client.close()
    app.close()
    line = daemon.end_of(client)
    assert (line["cause"], line["closed_by"], line["code"]) == ("pong_timeout", "proxy", "1008")
    still_works(daemon)
    assert daemon.stop()["timeout_pong"] == 1


def test_pong_timeout_on_echo(moongate):
    daemon = moongate(route=PONGS)
    client = daemon.client().open("/echo")
    assert client.read_frame().opcode == PING
    client.expect_close(1008, "pong_timeout")
    client.close_frame(1008)
    client.expect_eof()
    assert daemon.end_of(client)["cause"] == "pong_timeout"
    still_works(daemon)


@pytest.mark.parametrize("what", ["text", "pong", "ping", "part of a frame"])
def test_pong_timeout_any_byte_is_life(moongate, upstream, what):
    """While a ping is unanswered, no other is sent."""
    daemon = moongate(upstream, route={"ping_interval": "200ms", "pong_timeout": "20s"})
    client, app = open_pair(daemon, upstream)
    for i in range(3):
        assert client.read_frame().opcode == PING, i
        if what == "text":
            client.text("alive")
        elif what == "pong":
            client.pong(b"not yours")
        elif what == "ping":
            client.ping(b"you?")
        elif i == 0:
            client.send(client.make(BINARY, b"0123456789")[:7])
        else:
            client.send(b"x")
    if what == "text":
        app.expect_text("alive")
    still_works(daemon)


def pinged_at_once(daemon, upstream):
    """A client whose application pings it before the daemon does."""
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_request()
    app.send(app.answer() + app.make(PING, b"are you there"))
    client.expect_101()
    client.expect_frame(PING, b"are you there")
    return client, app


def test_forwarded_ping_suppresses_the_own(moongate, upstream):
    daemon = moongate(upstream, route={"ping_interval": "300ms", "pong_timeout": "20s"})
    client, app = pinged_at_once(daemon, upstream)
    Clock(daemon).ping_time()
    app.text("no ping before this")
    client.expect_text("no ping before this")
    # Answered, its pong is the upstream's; then own pings are due again.
    client.pong(b"are you there")
    app.expect_frame(PONG, b"are you there")
    ping = client.read_frame()
    assert ping.opcode == PING and ping.payload.startswith(OWN)
    still_works(daemon)


def test_forwarded_ping_unanswered(moongate, upstream):
    daemon = moongate(upstream, route=PONGS)
    client, app = pinged_at_once(daemon, upstream)
    client.expect_close(1008, "pong_timeout")
    app.expect_close(1001, "pong_timeout")
    client.close()
    app.close()
    daemon.settle()
    still_works(daemon)
    assert daemon.stop()["pings_sent"] == 0


def half_a_frame_at_once(daemon, upstream):
    """A client that has had 50 bytes of a frame before it could be pinged: (client, app, frame)."""
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_request()
    whole = app.make(BINARY, b"x" * 100)
    app.send(app.answer() + whole[:50])
    client.expect_101()
    assert client.read(50) == whole[:50]
    return client, app, whole


def test_own_ping_waits_for_the_end_of_a_frame(moongate, upstream):
    daemon = moongate(upstream, route={"ping_interval": "300ms", "pong_timeout": "20s"})
    client, app, whole = half_a_frame_at_once(daemon, upstream)
    for _ in range(2):
        Clock(daemon).ping_time()
    app.send(whole[50:])
    assert client.read(50 + 2) == whole[50:]
    ping = client.read_frame()
    assert ping.opcode == PING and ping.payload.startswith(OWN)
    client.pong(ping.payload)
    client.text("x")
    app.expect_text("x")
    still_works(daemon)


def test_ping_that_could_not_be_sent_is_not_missed(moongate, upstream):
    """A frame that takes long to arrive keeps the ping back: the client owes no pong for it."""
    daemon = moongate(upstream, route=PONGS)
    client, app, whole = half_a_frame_at_once(daemon, upstream)
    for _ in range(2):
        Clock(daemon).pong_time()
    app.send(whole[50:])
    assert client.read(50 + 2) == whole[50:]
    ping = client.read_frame()
    assert ping.opcode == PING and ping.payload.startswith(OWN)
    client.expect_close(1008, "pong_timeout")  # this one was sent
    still_works(daemon)


@pytest.mark.parametrize("where", ["queue", "kernel"])
@pytest.mark.parametrize("whose", ["own", "forwarded"])
def test_ping_behind_a_queue_is_not_missed(moongate, upstream, where, whose):
    """A slow reader takes bytes all the time; the ping behind them has not reached it yet."""
    listener = SMALL if where == "queue" else {"send_buffer": "1m"}
    daemon = moongate(upstream, route={**LATE_PONGS, "max_queue": "64k"}, listener=listener)
    client = daemon.client(rcvbuf=4096)
    client.send(client.request("/app"))
    app = upstream.accept_request()
    data = app.make(BINARY, b"x" * 1000) * 60
    if whose == "forwarded":
        data += app.make(PING, b"moon")
    app.send(app.answer() + data)
    client.expect_101()
    got = b""
    clock = Doing(Clock(daemon).pong_time)
    while not clock.is_over():
        select.select([], [], [], 0.01)
        got += client.read(1)
    clock.join()
    got += client.read(len(data) - len(got))
    assert got == data
    if whose == "forwarded":
        client.pong(b"moon")
        app.expect_frame(PONG, b"moon")
    ping = client.read_frame()
    assert ping.opcode == PING, ping
    client.pong(ping.payload)
    client.text("x")
    app.expect_text("x")
    still_works(daemon)


def test_pong_clock_stops_while_the_client_is_not_read(moongate, upstream, closing):
    """The application is slow, so the client is not read: its pong cannot be seen."""
    small = {"send_buffer": "4k", "receive_buffer": "4k"}
    daemon = moongate(upstream, route={**LATE_PONGS, "max_queue": "16k"}, group=small, listener=small)
    client, app = open_pair(daemon, upstream)
    sender = sending_for_ever(client, client.make(BINARY, b"x" * 1000))
    wait_stuck(client, daemon)
    for _ in range(2):
        Clock(daemon).pong_time()
    for _ in range(20):
        app.expect_binary("x" * 1000)
    assert not daemon.find("session_end", client=client.local)
    client.sock.shutdown(socket.SHUT_RDWR)
    sender.join()
    client.reset()
    app.close()
    still_works(daemon)
    assert daemon.stop()["pauses"] >= 1


def test_no_pings_when_off(moongate, upstream):
    daemon = moongate(upstream, route={"ping_interval": "off"},
                      extra="[route pinging]\npath = /pinging\necho = on\nping_interval = 200ms\n")
    with Way(daemon, upstream, "upstream") as way:
        for _ in range(2):
            Clock(daemon, "/pinging").ping_time()
        way.goes_on()
    still_works(daemon)


# idle_timeout.


@pytest.mark.parametrize("target", ["/app", "/echo"])
def test_idle_timeout(moongate, upstream, target):
    daemon = moongate(upstream, route={"ping_interval": "off", "idle_timeout": "300ms"})
    with Way(daemon, upstream, "client" if target == "/app" else "echo", early="last") as way:
        way.sink.expect_text("last")
        way.client.expect_close(1001, "idle_timeout")
        if way.app:
            way.app.expect_close(1001, "idle_timeout")
        way.is_over(closed_by="proxy", answer=True, cause="idle_timeout", code=1001)
    still_works(daemon)
    assert daemon.stop()["timeout_idle"] == 1


@pytest.mark.parametrize("who", BOTH)
def test_idle_timeout_only_messages_count(moongate, upstream, who):
    """Pings do not keep a session; messages, of either side, do."""
    daemon = moongate(upstream, route={"ping_interval": "off", "idle_timeout": "3s"})
    busy, pinging = Way(daemon, upstream, who), Way(daemon, upstream, "client")
    with busy, pinging:
        while not select.select([pinging.client.sock], [], [], 0.02)[0]:
            busy.goes_on()
            try:
                pinging.client.ping()
            except OSError:
                break
        pinging.client.expect_close(1001, "idle_timeout")
        busy.goes_on()
    still_works(daemon)


def test_idle_timeout_is_off_by_default(moongate, upstream):
    daemon = moongate(upstream, route={"ping_interval": "off"},
                      extra="[route idle]\npath = /idle\necho = on\nping_interval = off\nidle_timeout = 200ms\n")
    with Way(daemon, upstream, "client") as way:
        daemon.client().open("/idle").expect_close(1001, "idle_timeout")
        way.goes_on()
    still_works(daemon)


def test_a_limit_and_the_answer_to_it(moongate, upstream, closing):
    """Peers that answer the Close of a limit end in order, with their own codes in the log."""
    daemon = moongate(upstream, route={"ping_interval": "off", "idle_timeout": "300ms"})
    closing.insert(0, Application(upstream))
    client = daemon.client()
    client.send(client.request("/app"))
    client.expect_101()
    client.expect_close(1001, "idle_timeout")
    client.close_frame(1001)
    client.expect_eof()
    client.close()
    line = daemon.end_of(client)
    assert line["cause"] == "idle_timeout"
    daemon.settle()
    still_works(daemon)


def test_send_timeout_on_echo_pongs(moongate):
    """Pongs alone can fill a queue, with nothing else to look at the clock."""
    daemon = moongate(route={"send_timeout": "1s", "ping_interval": "off"}, listener=SMALL)
    client = daemon.client(rcvbuf=4096).open("/echo")
    client.send(client.make(PING, b"p" * 125) * 1000)
    daemon.wait_line("session_end", client=client.local, cause="send_timeout")
    still_works(daemon)
