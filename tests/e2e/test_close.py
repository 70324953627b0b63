# SPDX-License-Identifier: BSD-2-Clause
"""Group C: how sessions come to their end."""

import contextlib
import socket

import pytest

from helpers.daemon import SANITIZED, still_works, wait_until
from helpers.frames import BINARY, CLOSE, CONT, PING, TEXT, close_payload
from helpers.kernel import TIME_WAIT, tcp4, wait_consumed, wait_stuck
from helpers.peer import LIMIT, RawClient
from helpers.traffic import Application, full_listener, sending, sending_for_ever
from helpers.ways import ALL, BOTH, Way, case, open_pair

VALID = [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999]
INVALID = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


def has_ended(peer):
    """True when the peer's stream has brought its end already."""
    peer.sock.settimeout(0)
    try:
        return not peer.fill()
    except BlockingIOError:
        return False
    finally:
        peer.sock.settimeout(LIMIT)


@pytest.mark.parametrize("who", BOTH)
@pytest.mark.parametrize("payload", [b"", close_payload(1000), close_payload(1000, b"r" * 123),
                                     close_payload(4001, "\u6708" * 41)],
                         ids=["empty", "2 bytes", "125 bytes", "125 bytes of text"])
def test_C_01_close_is_relayed(moongate, upstream, who, payload):
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        way.passes(way.frame(TEXT, b"last") + way.frame(CLOSE, payload))
        # The other side's own Close is the answer, not a copy of the first.
        way.sink.close_frame(3333, "my own words")
        way.source.expect_close(3333, "my own words")
        way.is_over(cause="close", code=None, cut=None)
        line = way.logged()
        codes = (line["client_code"], line["upstream_code"])
        first = str(int.from_bytes(payload[:2], "big"))
        assert codes == ((first, "3333") if who == "client" else ("3333", first)), line
    still_works(daemon)


@pytest.mark.parametrize("payload", [b"", close_payload(1000), close_payload(3000, b"r" * 123)],
                         ids=["empty", "2 bytes", "125 bytes"])
def test_C_01_close_on_echo(moongate, payload):
    daemon = moongate()
    with Way(daemon, None, "echo") as way:
        way.source.send(way.frame(TEXT, b"last") + way.frame(CLOSE, payload))
        way.sink.expect_text("last")
        f = way.sink.read_frame()
        assert f.opcode == CLOSE and f.payload[:2] == payload[:2]
        way.is_over(cause="close")
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_C_01_close_of_one_byte(moongate, upstream, who):
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        way.breaks(way.frame(CLOSE, b"\x03"), 1002, "close frame too short")
    still_works(daemon)


@pytest.mark.parametrize("who", BOTH)
def test_C_02_valid_codes_are_relayed(moongate, upstream, who):
    daemon = moongate(upstream)
    for code in VALID:
        with case(code), Way(daemon, upstream, who) as way:
            way.source.close_frame(code, "why")
            way.sink.expect_close(code, "why")
            way.sink.close_frame(code)
            way.source.expect_close(code, "")
            way.is_over(cause="close")
    still_works(daemon)
    assert daemon.stop()["closed_normally"] >= len(VALID)


@pytest.mark.parametrize("who", ALL)
def test_C_02_invalid_codes(moongate, upstream, who):
    daemon = moongate(upstream)
    for code in INVALID:
        with case(code), Way(daemon, upstream, who) as way:
            way.breaks(way.frame(CLOSE, close_payload(code, b"why")), 1002, "invalid close code")
    still_works(daemon)


def test_C_03_client_that_stays_after_our_close(moongate, upstream):
    daemon = moongate(upstream, route={"close_timeout": "200ms"})
    client, app = open_pair(daemon, upstream)
    client.frame(3)
    client.expect_close(1002)
    client.expect_eof()
    app.expect_close(1001)
    # Neither side ends its stream: both are gone after close_timeout all the same.
    line = daemon.end_of(client)
    assert line["cause"] == "protocol" and line["code"] == "1002"
    daemon.settle()
    still_works(daemon)
    assert daemon.stop()["timeout_close"] == 1


@pytest.mark.parametrize("who", BOTH)
def test_C_03_close_that_the_other_never_answers(moongate, upstream, who):
    daemon = moongate(upstream, route={"close_timeout": "200ms"})
    for code in (1000, 4321, None):
        with case(code), Way(daemon, upstream, who) as way:
            way.source.close_frame(code, "why" if code else "")
            way.sink.expect_close(code)
            # Moongate gives the answer that is owed: the code received.
            way.source.expect_close(code)
            if who == "client":
                way.client.expect_eof()
            way.logged(closed_by=who, cause="close")
            way.sink.expect_end()
    daemon.settle()
    still_works(daemon)
    assert daemon.stop()["timeout_close"] == 3


@pytest.mark.parametrize("flood", ["pings", "data", "continuations"])
@pytest.mark.parametrize("who", BOTH)
def test_C_04_close_answered_with_endless_traffic(moongate, upstream, who, flood):
    daemon = moongate(upstream, route={"close_timeout": "1s"})
    with Way(daemon, upstream, who) as way:
        sink = way.sink
        way.source.close_frame(1000)
        sink.expect_close(1000)
        data = {
            "pings": sink.make(PING, b"p" * 125),
            "data": sink.make(BINARY, b"d" * 1000),
            "continuations": sink.make(TEXT, b"", fin=False) + sink.make(CONT, b"c", fin=False) * 10,
        }[flood]
        if flood == "continuations":
            with contextlib.suppress(OSError):
                sink.send(data)
            data = sink.make(CONT, b"c", fin=False) * 100
        sender = sending_for_ever(sink, data)
        daemon.end_of(way.client)
        way.close()
        sender.join()
    daemon.settle()
    still_works(daemon)


def test_C_04_violation_then_endless_traffic(moongate, upstream):
    """What a peer sends after its violation is thrown away, for close_timeout at most."""
    daemon = moongate(upstream, route={"close_timeout": "2s"})
    client, app = open_pair(daemon, upstream)
    client.frame(3)
    sender = sending_for_ever(client, client.make(TEXT, b"x" * 1000))
    client.expect_close(1002)
    app.expect_close(1001)
    app.shutdown()
    app.expect_eof()
    assert daemon.end_of(client)["cause"] == "protocol"
    client.close()
    sender.join()
    still_works(daemon)


@pytest.mark.parametrize("how", ["same segment", "later"])
@pytest.mark.parametrize("who", BOTH)
def test_C_05_data_after_close(moongate, upstream, who, how):
    daemon = moongate(upstream)
    junk = [b"", b"\xff" * 100]
    for extra in junk:
        with case(extra), Way(daemon, upstream, who) as way:
            late = extra or way.frame(TEXT, b"too late") * 50 + way.frame(PING, b"p")
            close = way.frame(CLOSE, close_payload(1000))
            if how == "later":
                way.source.send(close)
                wait_consumed(way.source)
                way.source.send(late)
            else:
                way.source.send(close + late)
            way.sink.expect_close(1000)
            way.sink.close_frame(1000)
            way.source.expect_close(1000)
            way.is_over(cause="close")  # with nothing behind the Close, on either side
    still_works(daemon)
    totals = daemon.stop()
    assert totals["broken_by_client"] == totals["broken_by_upstream"] == 0


@pytest.mark.parametrize("who", BOTH)
def test_C_06_second_close(moongate, upstream, who):
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        way.source.send(way.frame(CLOSE, close_payload(1000)) + way.frame(CLOSE, close_payload(4000)))
        way.sink.expect_close(1000)
        way.sink.send(way.sink.make(CLOSE, close_payload(1001)) + way.sink.make(CLOSE, close_payload(4001)))
        way.source.expect_close(1001)
        way.is_over(cause="close")
        line = way.logged()
        assert {line["client_code"], line["upstream_code"]} == {"1000", "1001"}
    still_works(daemon)


def test_C_07_both_sides_close_at_once(moongate, upstream):
    daemon = moongate(upstream)
    for _ in range(10):
        client, app = open_pair(daemon, upstream)
        with daemon.frozen():  # both closes wait for it in the same turn
            client.close_frame(3001, "client's")
            app.close_frame(3002, "upstream's")
        app.expect_close(3001, "client's")
        client.expect_close(3002, "upstream's")
        client.expect_eof()
        client.close()
        app.shutdown()
        app.expect_eof()
        line = daemon.end_of(client)
        assert line["cause"] == "close"
        assert (line["client_code"], line["upstream_code"]) == ("3001", "3002")
    still_works(daemon)


@pytest.mark.parametrize("who", BOTH)
def test_C_08_fin_without_close(moongate, upstream, who):
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        data = way.frame(TEXT, b"the last words") * 100 + way.frame(PING, b"x")
        way.source.send(data)
        way.source.shutdown()
        assert way.sink.read(len(data)) == data
        way.sink.expect_close(way.sink_code, f"{who} lost")
        way.source.expect_eof()
        way.sink.close_frame(way.sink_code)
        way.client.close()
        way.app.close()
        way.logged(closed_by=who, cause="vanished", code=None, cut=None)
    still_works(daemon)
    totals = daemon.stop()
    assert totals["closed_by_client_end" if who == "client" else "closed_by_upstream_end"] == 1


def test_C_08_fin_without_close_on_echo(moongate):
    daemon = moongate()
    with Way(daemon, None, "echo") as way:
        way.source.send(way.frame(TEXT, b"last"))
        way.source.shutdown()
        way.sink.expect_text("last")
        way.source.expect_eof()
        way.logged(closed_by="client", cause="vanished")
    still_works(daemon)


@pytest.mark.parametrize("who", BOTH)
def test_C_08_data_of_the_survivor_after_the_other_vanished(moongate, upstream, who):
    """What the survivor sends when the other is gone goes nowhere; its end is in order."""
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        way.source.close()
        way.sink.expect_close(way.sink_code, f"{who} lost")
        way.sink.text("too late")
        way.sink.close_frame(way.sink_code)
        if who == "upstream":
            way.sink.expect_eof()
        way.sink.close()
        way.logged(closed_by=who)
    still_works(daemon)


@pytest.mark.parametrize("end", ["fin", "rst"])
@pytest.mark.parametrize("who", BOTH)
def test_C_08_end_in_the_middle_of_a_frame(moongate, upstream, who, end):
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        whole = way.frame(TEXT, b"before") + way.frame(BINARY, b"x" * 1000)
        part = whole[:-1]
        way.source.send(part)
        assert way.sink.read(len(part)) == part
        if end == "fin":
            way.source.shutdown()
            way.source.expect_eof()
        else:
            way.source.reset()
        way.sink.expect_reset(after=b"")  # no Close inside a frame
        way.client.close()
        way.app.close()
        way.logged(closed_by=who, cut="mid_frame")
    still_works(daemon)
    assert daemon.stop()["cut_mid_frame"] == 1


@pytest.mark.parametrize("who", BOTH)
def test_U_22_end_in_the_middle_of_a_message(moongate, upstream, who):
    """The frames were whole, the message was not: a Close, and no false end of the message."""
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        way.passes(way.frame(TEXT, b"a", fin=False) + way.frame(CONT, b"b", fin=False))
        way.source.shutdown()
        way.sink.expect_close(way.sink_code, f"{who} lost")
        way.client.close()
        way.app.close()
        way.logged(closed_by=who, cause="vanished", cut=None)
    still_works(daemon)


def test_C_08_queue_goes_out_before_the_reset(moongate, upstream):
    """The upstream dies in the middle of a frame with a full queue to a slow client."""
    daemon = moongate(upstream, listener={"send_buffer": "4k"}, route={"max_queue": "32k"})
    client, app = open_pair(daemon, upstream, rcvbuf=4096)
    data = app.make(BINARY, b"q" * 2000) * 10 + app.make(BINARY, b"x" * 1000)[:-1]
    app.send(data)
    wait_consumed(app)
    app.close()
    assert client.read(len(data)) == data
    client.expect_reset(after=b"")
    line = daemon.end_of(client)
    assert line["cut"] == "mid_frame" and line["closed_by"] == "upstream"
    still_works(daemon)


@pytest.mark.parametrize("who", BOTH)
def test_own_close_waits_for_the_end_of_a_frame(moongate, upstream, who):
    """The sink breaks the protocol while a frame to it is half sent: its Close comes behind it."""
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        whole = way.frame(BINARY, b"x" * 100)
        way.source.send(whole[:50])
        assert way.sink.read(50) == whole[:50]
        way.sink.frame(3)
        other = "upstream" if who == "client" else "client"
        way.source.expect_close(1011 if who == "client" else 1001, f"{other} broke the protocol")
        way.source.send(whole[50:])
        assert way.sink.read(len(whole) - 50) == whole[50:]
        way.sink.expect_close(1002, "reserved opcode")
        way.source.close_frame(1000)
        way.client.expect_eof()
        way.client.close()
        way.app.shutdown()
        way.app.expect_eof()
        way.logged(closed_by=other, cause="protocol", code=1002, cut=None)
    still_works(daemon)


@pytest.mark.parametrize("end", ["close", "fin", "nothing"])
@pytest.mark.parametrize("who", BOTH)
def test_own_close_and_a_frame_that_never_ends(moongate, upstream, who, end):
    """As before, but the frame's rest never comes: a reset instead of a Close."""
    daemon = moongate(upstream, route={"close_timeout": "5s" if end != "nothing" else "200ms"})
    with Way(daemon, upstream, who) as way:
        whole = way.frame(BINARY, b"x" * 100)
        way.source.send(whole[:50])
        assert way.sink.read(50) == whole[:50]
        way.sink.frame(3)
        way.source.expect_close(1011 if who == "client" else 1001)
        if end == "fin":
            way.source.shutdown()
        elif end == "close":  # a Close cannot stand inside a frame: these bytes are its payload
            way.source.send(way.frame(CLOSE, close_payload(1000)))
            way.source.shutdown()
        way.sink.expect_reset()
        way.client.close()
        way.app.close()
        way.logged(cause="protocol", cut="mid_frame")
    still_works(daemon)


@pytest.mark.parametrize("end", ["fin", "rst"])
def test_C_08_what_the_kernel_holds_goes_out_before_the_reset(moongate, upstream, end):
    """Whole messages on their way to a slow client are not thrown away with the last, cut one."""
    daemon = moongate(upstream)
    client, app = open_pair(daemon, upstream, rcvbuf=4096)
    data = app.make(BINARY, b"q" * 2000) * 50 + app.make(BINARY, b"x" * 1000)[:-1]
    app.send(data)
    wait_consumed(app)
    if end == "fin":
        app.shutdown()
        app.expect_eof()  # the daemon knows
    else:
        app.reset()
    assert client.read(len(data)) == data
    client.expect_reset(after=b"")
    assert daemon.end_of(client)["cut"] == "mid_frame"
    still_works(daemon)


def test_C_10_reset_after_the_last_message(moongate, upstream):
    """The client resets while the application is slow: all that was read arrives."""
    daemon = moongate(upstream, group={"send_buffer": "4k"}, route={"max_queue": "32k"})
    client, app = open_pair(daemon, upstream)
    messages = b"".join(client.make(TEXT, b"message %05d" % i * 50) for i in range(40))
    client.send(messages)
    wait_consumed(client)
    client.reset()
    assert app.read(len(messages)) == messages
    app.expect_close(1001, "client lost")
    app.close()
    line = daemon.end_of(client)
    assert line["closed_by"] == "client" and line["bytes_up"] == str(len(messages))
    still_works(daemon)


def test_C_10_reset_while_paused(moongate, upstream):
    """The same with more than the queue takes. What was read, a prefix, arrives to the last byte."""
    small = {"send_buffer": "4k", "receive_buffer": "4k"}
    daemon = moongate(upstream, listener=small, group=small, route={"max_queue": "16k"})
    client, app = open_pair(daemon, upstream)
    data = client.make(BINARY, b"0123456789abcdef" * 64) * 1000
    sender = sending(client, data)
    wait_stuck(client, daemon)
    client.sock.shutdown(socket.SHUT_RD)
    client.reset()
    sender.join()
    got = app.expect_end()
    # Either a Close behind the last whole frame or a reset inside one.
    line = daemon.end_of(client)
    n = int(line["bytes_up"])
    assert got[:n] == data[:n] and n > 0
    assert len(got) == n or line.get("cut") is None
    still_works(daemon)
    assert daemon.stop()["pauses"] >= 1


def script(daemon):
    """What a client sends in a session that uses most of the protocol."""
    client = RawClient(daemon.address)
    data = client.request("/app").encode()
    data += client.make(TEXT, "h\u00e9llo") + client.make(BINARY, b"x" * 200)
    data += client.make(TEXT, b"a", fin=False) + client.make(PING, b"p") + client.make(CONT, b"b")
    data += client.make(CLOSE, close_payload(1000, b"bye"))
    return client, data


@pytest.mark.parametrize("end", ["rst", "fin"])
def test_C_11_client_ends_at_each_position(moongate, upstream, closing, end):
    closing.insert(0, Application(upstream))
    daemon = moongate(upstream)
    client, data = script(daemon)
    client.close()
    for i in range(0, len(data) + 1, max(1, len(data) // 200)):
        client, data = script(daemon)
        client.send(data[:i])
        if i % 3 == 0:
            wait_consumed(client)
        if end == "rst":
            client.reset()
        else:
            client.close()
    daemon.settle()
    still_works(daemon)


def hear_close(client):
    """Reads up to a Close or a reset: to where the other side's end is known."""
    try:
        while client.read_frame().opcode != CLOSE:
            pass
    except ConnectionResetError:
        pass


@pytest.mark.parametrize("end", ["rst", "fin"])
def test_C_11_upstream_ends_at_each_position(moongate, upstream, end):
    daemon = moongate(upstream, group={"max_fails": "off"})  # else it would be left alone soon
    at, length, clients = 0, 1, []
    while at <= length:
        client = daemon.client()
        client.send(client.request("/app") + client.make(TEXT, b"hi").decode("latin-1"))
        app = upstream.accept_request()
        data = app.answer() + app.make(TEXT, b"abc") + app.make(BINARY, b"x" * 200)
        data += app.make(TEXT, b"a", fin=False) + app.make(PING) + app.make(CONT, b"b")
        data += app.make(CLOSE, close_payload(1000, b"bye"))
        length = len(data)
        app.send(data[:at])
        if at % 3 == 0:
            wait_consumed(app)
        if end == "rst":
            app.reset()
        else:
            app.close()
        clients.append(client)
        at += 2
    for client in clients:
        if client.read_head().status == 101:
            hear_close(client)
        client.close()
    daemon.settle()
    still_works(daemon)


def test_C_12_connect_and_close_as_fast_as_it_goes(moongate, upstream, closing, many):
    closing.insert(0, Application(upstream))
    daemon = moongate(upstream)
    before = daemon.memory()
    for i in range(many(100_000)):
        client = RawClient(daemon.address)
        if i % 4 == 1:
            client.send(client.request("/echo"))
        elif i % 4 == 2:
            client.send(client.request("/app"))
        elif i % 4 == 3:
            client.open("/echo")
        if i % 8 < 4:
            client.reset()
        client.close()
    daemon.settle()
    assert SANITIZED or daemon.memory() - before < 4 * 1024 * 1024
    still_works(daemon)


def test_C_12_time_wait_is_on_the_right_side(moongate, upstream):
    """Towards the client Moongate ends TCP first; the upstream ends it first on the other side."""
    daemon = moongate(upstream)
    client_ports, app_ports = set(), set()
    for i in range(10):
        client, app = open_pair(daemon, upstream)
        client_ports.add(client.sock.getsockname()[1])
        app_ports.add(app.sock.getpeername()[1])
        first, second = (client, app) if i % 2 else (app, client)
        first.close_frame(1000)
        second.expect_close(1000)
        second.close_frame(1000)
        first.expect_close(1000)
        client.expect_eof()  # although the client has not ended its stream
        assert not has_ended(app)  # the upstream is waited for
        client.close()
        app.close()
        daemon.end_of(client)
    daemon.settle()
    listening, serving = daemon.address[1], upstream.address[1]

    def waiting_now():
        return [(local, remote) for local, remote, state, _ in tcp4() if state == TIME_WAIT]

    # The kernel's list is read in parts, while others of its connections come and go.
    wait_until(lambda: {remote for local, remote in waiting_now() if local == listening} >= client_ports,
               "every client to be waited for")
    wait_until(lambda: {remote for local, remote in waiting_now() if local == serving} >= app_ports,
               "the application to wait for every upstream connection")
    waiting = waiting_now()
    assert not [x for x in waiting if x[1] == listening and x[0] in client_ports]
    assert not [x for x in waiting if x[1] == serving and x[0] in app_ports]
    still_works(daemon)


def test_upstream_that_does_not_end_its_stream(moongate, upstream):
    """It is waited for, but not for ever."""
    daemon = moongate(upstream, route={"close_timeout": "200ms"})
    client, app = open_pair(daemon, upstream)
    client.close_frame(1000)
    app.expect_close(1000)
    app.close_frame(1000)
    client.expect_close(1000)
    client.expect_eof()
    client.close()
    app.expect_end()
    assert daemon.end_of(client)["cause"] == "close"
    still_works(daemon)


def test_half_close_keeps_the_answers_coming(moongate, upstream):
    """A client that has ended its stream after its Close still gets what was on the way."""
    daemon = moongate(upstream)
    client, app = open_pair(daemon, upstream)
    client.close_frame(1000)
    client.shutdown()
    app.expect_close(1000)
    app.text("on the way")
    app.close_frame(1001, "done")
    client.expect_text("on the way")
    client.expect_close(1001, "done")
    client.expect_eof()
    app.shutdown()
    app.expect_eof()
    assert daemon.end_of(client)["cause"] == "close"
    still_works(daemon)


def test_U_01_client_reset_while_connecting(moongate, upstreams, closing):
    """Nothing answers the SYN: the attempt goes with the client."""
    full = full_listener(upstreams, closing)
    daemon = moongate(full)
    for end in ("reset", "close"):
        client = daemon.client()
        client.send(client.request("/app"))
        wait_until(lambda: daemon.count_descriptors() == daemon.descriptors + 2, "the attempt")
        getattr(client, end)()
        daemon.settle()
    still_works(daemon)


@pytest.mark.parametrize("ends_first", [False, True], ids=["reset", "end, then reset"])
def test_U_01_client_reset_while_a_script_runs(lua, ends_first):
    """Its connection is not kept until the script, which sends nothing, comes to its end."""
    daemon = lua("ngx.log(ngx.WARN, 'begun') ngx.sleep(3600)", route={"close_timeout": "100ms"})
    client = daemon.client()
    client.send(client.get("/h"))
    daemon.wait_text("begun")
    with daemon.frozen():
        if ends_first:
            client.shutdown()
        client.reset()
    daemon.settle()


@pytest.mark.parametrize("end", ["reset", "close"])
def test_U_01_client_gone_while_waiting_for_the_101(moongate, upstream, end):
    daemon = moongate(upstream)
    client = daemon.client()
    client.send(client.request("/app") + client.make(TEXT, b"early").decode("latin-1"))
    app = upstream.accept_request()
    getattr(client, end)()
    assert app.expect_end() == b""
    daemon.settle()
    assert daemon.end_of(client)["closed_by"] == "client"
    still_works(daemon)


def test_U_02_close_and_answer_in_the_same_turn(moongate, upstream):
    daemon = moongate(upstream)
    for _ in range(10):
        client, app = open_pair(daemon, upstream)
        with daemon.frozen():
            client.close_frame(1000)
            client.shutdown()
            app.text("an answer")
            app.close_frame(1000)
            app.shutdown()
        client.expect_text("an answer")
        client.expect_close(1000)
        client.expect_eof()
        app.expect_close(1000)
        app.expect_eof()
        assert daemon.end_of(client)["cause"] == "close"
    still_works(daemon)


@pytest.mark.parametrize("first", ["reset", "close"])
@pytest.mark.parametrize("second", ["reset", "close"])
def test_U_03_both_die_in_the_same_turn(moongate, upstream, first, second):
    daemon = moongate(upstream)
    for when in ("open", "opening", "mid frame"):
        with case(when):
            if when == "opening":
                client = daemon.client()
                client.send(client.request("/app"))
                app = upstream.accept_request()
            else:
                client, app = open_pair(daemon, upstream)
            with daemon.frozen():
                if when == "mid frame":
                    client.send(client.make(TEXT, b"hello")[:-1])
                    app.send(app.make(TEXT, b"hello")[:-1])
                getattr(client, first)()
                getattr(app, second)()
            wait_until(lambda c=client: daemon.find(client=c.local), "a line")
            assert len(daemon.find(client=client.local)) == 1
    daemon.settle()
    still_works(daemon)
