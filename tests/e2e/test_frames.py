# SPDX-License-Identifier: BSD-2-Clause
"""Group F: frames, sound and unsound, from clients and from applications."""

import select

import pytest

from helpers.daemon import SANITIZED, still_works, wait_until
from helpers.frames import BINARY, CLOSE, CONT, KEY, PING, PONG, TEXT, close_payload, parse_frame
from helpers.kernel import wait_consumed
from helpers.peer import arrived
from helpers.traffic import Application, Doing, sending, sending_for_ever
from helpers.ways import ALL, BOTH, Way, case, open_pair

KIB, MIB = 1024, 1024 * 1024
CONTROLS = (CLOSE, PING, PONG)
MOON = "\U0001f319".encode()  # four bytes

# Invalid UTF-8 up to and with the first byte that is wrong.
BAD_TEXT = {
    "lone continuation": b"ab\x80",
    "overlong, two bytes": b"\xc0",
    "overlong slash": b"..\xc1",
    "overlong, three bytes": b"x\xe0\x9f",
    "overlong, four bytes": b"x\xf0\x8f",
    "surrogate, first": b"\xed\xa0",
    "surrogate, last": b"\xed\xbf",
    "over U+10FFFF": b"\xf4\x90",
    "far over U+10FFFF": b"\xf5",
    "no such lead byte": b"\xff",
    "two bytes, cut": b"\xc3a",
    "three bytes, cut": b"\xe2\x82a",
    "four bytes, cut": b"\xf0\x9f\x8c\xc3",
    "behind long ASCII": b"a" * 200 + b"\x80",
    "behind many characters": MOON * 50 + b"\xf8",
}


def all_ways(daemon, upstream, who, cases, check):
    """check(way, case) on a fresh session for each of them."""
    for name in cases:
        with case(name), Way(daemon, upstream, who) as way:
            check(way, name)


@pytest.mark.parametrize("who", ALL)
def test_F_01_every_opcode_masked_or_not(moongate, upstream, who):
    daemon = moongate(upstream)
    cases = [(op, fin, right) for op in range(16) for fin in (True, False) for right in (True, False)]
    broken = 0
    for op, fin, right in cases:
        with case(op, fin, right), Way(daemon, upstream, who) as way:
            mask = way.key if right else (None if way.key else KEY)
            frame = way.frame(op, b"", fin=fin, mask=mask)
            if right and (op in (TEXT, BINARY) or (op in CONTROLS and fin)):
                if who == "echo" and op == PING:
                    way.source.send(frame)
                    way.sink.expect_frame(PONG)
                elif who == "echo" and op == PONG:
                    way.source.send(frame)
                    way.goes_on()
                else:
                    way.passes(frame)
            else:
                way.breaks(frame, 1002)
                broken += 1
    still_works(daemon)
    assert daemon.stop()["broken_by_upstream" if who == "upstream" else "broken_by_client"] == broken


@pytest.mark.parametrize("who", ALL)
def test_F_02_reserved_bits(moongate, upstream, who):
    daemon = moongate(upstream)
    cases = [(rsv, op) for rsv in range(1, 8) for op in (TEXT, BINARY, CONT, *CONTROLS)]
    all_ways(daemon, upstream, who, cases,
             lambda way, c: way.breaks(way.frame(c[1], b"", rsv=c[0]), 1002, "reserved bits set"))
    still_works(daemon)


@pytest.mark.parametrize("who", ["client", "echo"])
def test_F_03_unmasked_client_frame(moongate, upstream, who):
    daemon = moongate(upstream)
    for op in (TEXT, BINARY, *CONTROLS):
        with case(op), Way(daemon, upstream, who) as way:
            way.breaks(way.frame(op, b"", mask=None), 1002, "wrong masking")
    still_works(daemon)


def test_F_04_masked_server_frame(moongate, upstream):
    daemon = moongate(upstream)
    for op in (TEXT, BINARY, *CONTROLS):
        with case(op), Way(daemon, upstream, "upstream") as way:
            way.breaks(way.frame(op, b"", mask=KEY), 1002, "wrong masking")
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_05_length_form_not_minimal(moongate, upstream, who):
    daemon = moongate(upstream)
    cases = [(16, 0), (16, 1), (16, 125), (64, 0), (64, 125), (64, 126), (64, 65535)]
    # The header tells; no byte of the payload is sent.
    all_ways(daemon, upstream, who, cases,
             lambda way, c: way.breaks(way.header(BINARY, c[1], form=c[0]), 1002,
                                       "length not in shortest form"))
    for form, length in [(16, 126), (16, 65535), (64, 65536)]:
        with case(form, length), Way(daemon, upstream, who) as way:
            payload = b"x" * length
            sender = sending(way.source, way.frame(BINARY, payload, form=form))
            way.sink.expect_binary(payload)
            sender.join()
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_06_lengths_out_of_range(moongate, upstream, who):
    daemon = moongate(upstream, route={"max_message": "100k"})
    cases = {2**63: 1002, 2**64 - 1: 1002, 2**63 - 1: 1009, 100 * KIB + 1: 1009, 2**32: 1009}
    for i in range(10):
        if i == 1:  # the first use of all that is needed is over
            before = daemon.memory()
        for length, code in cases.items():
            with case(length), Way(daemon, upstream, who) as way:
                way.breaks(way.header(BINARY, length), code)
    assert SANITIZED or daemon.memory() - before < MIB
    still_works(daemon)


@pytest.mark.parametrize("who", BOTH)
def test_F_06_without_a_limit_a_declared_length_costs_nothing(moongate, upstream, who):
    daemon = moongate(upstream, route={"max_message": "off"})
    with Way(daemon, upstream, who) as way:
        way.passes(way.frame(BINARY, b"x"))
        before = daemon.memory()
        data = way.header(BINARY, 2**63 - 1) + b"some of it"
        way.source.send(data)
        assert way.sink.read(len(data)) == data
        assert SANITIZED or daemon.memory() - before < 256 * KIB
        way.source.close()
        way.sink.expect_reset(after=b"")
        if who == "upstream":
            way.client.close()
        way.logged(cut="mid_frame", closed_by=who)
    still_works(daemon)


@pytest.mark.parametrize("limit", [125, 126, 1000, 65535, 65536, 100_000])
@pytest.mark.parametrize("who", ALL)
def test_F_07_length_at_the_limit(moongate, upstream, who, limit):
    daemon = moongate(upstream, route={"max_message": limit})
    with Way(daemon, upstream, who) as way:
        payload = b"y" * limit
        for _ in range(2):
            sender = sending(way.source, way.frame(TEXT, payload))
            way.sink.expect_text(payload)
            sender.join()
        way.breaks(way.header(TEXT, limit + 1), 1009, "message too big")
    still_works(daemon)


def test_F_07_max_frame(moongate, upstream):
    daemon = moongate(upstream, route={"max_frame": 1000})
    with Way(daemon, upstream, "client") as way:
        way.passes(way.frame(TEXT, b"y" * 1000, fin=False) + way.frame(CONT, b"z" * 1000))
        way.breaks(way.header(BINARY, 1001), 1009, "frame too big")
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_08_frames_whose_sum_is_over_the_limit(moongate, upstream, who):
    daemon = moongate(upstream, route={"max_message": 1000})
    with Way(daemon, upstream, who) as way:
        for sizes in ([1000, 0], [500, 500], [100] * 10, [0, 999, 1]):
            frames = [way.frame(CONT if i else BINARY, b"x" * n, fin=i == len(sizes) - 1)
                      for i, n in enumerate(sizes)]
            way.passes(b"".join(frames))
        way.passes(way.frame(BINARY, b"x" * 100, fin=False))
        way.passes(way.frame(CONT, b"x" * 100, fin=False) * 9)
        way.breaks(way.header(CONT, 1, fin=False), 1009, "message too big")
    still_works(daemon)


@pytest.mark.parametrize("who", BOTH)
def test_F_09_a_trickle(moongate, upstream, who):
    daemon = moongate(upstream, route={"message_timeout": "300ms"})
    with Way(daemon, upstream, who) as way:
        header = way.header(BINARY, MIB)
        way.source.send(header + b"x")
        got = way.sink.read(len(header) + 1)
        before, sent = daemon.memory(), 1
        # A byte now and then, until there is an answer.
        while not select.select([way.source.sock], [], [], 0.02)[0]:
            way.source.send(b"x")
            sent += 1
            wait_until(lambda n=sent - 1: arrived(way.sink) == n or select.select([way.source.sock], [], [], 0)[0],
                       "the byte to pass, or the time to be over")
        assert SANITIZED or daemon.memory() - before < 256 * KIB
        way.source.expect_close(1008, "message_timeout")
        got += way.sink.expect_reset()
        # All of it has passed, but for a byte that came as the time was over.
        assert got in (header + b"x" * sent, header + b"x" * (sent - 1))
        way.client.close()
        if who == "upstream":
            way.app.close()
        way.logged(cause="message_timeout", closed_by="proxy", cut="mid_frame", code=1008)
    still_works(daemon)
    assert daemon.stop()["timeout_message"] == 1


def test_F_09_a_trickle_on_echo(moongate):
    """The answer is half sent as well: no Close fits into it."""
    daemon = moongate(route={"message_timeout": "300ms"})
    with Way(daemon, None, "echo") as way:
        way.source.send(way.header(BINARY, MIB, mask=b"\0\0\0\0") + b"x" * 10)
        wanted = way.header(BINARY, MIB, mask=None) + b"x" * 10
        assert way.sink.read(len(wanted)) == wanted
        way.sink.expect_reset(after=b"")
        way.logged(cause="message_timeout", closed_by="proxy", cut="mid_frame")
    still_works(daemon)


HEADERS = {7: 5, 16: 200, 64: 70000}


def header_cuts(who):
    """Every cut of each form of header: (form, length, bytes sent). A frame without payload is
    whole with its header; these have some."""
    for form, length in HEADERS.items():
        size = {7: 2, 16: 4, 64: 10}[form] + (0 if who == "upstream" else 4)
        for n in range(1, size + 1):
            yield form, length, n


@pytest.mark.parametrize("end", ["fin", "rst"])
@pytest.mark.parametrize("who", ALL)
def test_F_10_header_cut_then_the_end(moongate, upstream, who, end):
    daemon = moongate(upstream)
    for form, length, n in header_cuts(who):
        with case(form, length, n), Way(daemon, upstream, who) as way:
            way.source.send(way.header(BINARY, length)[:n])
            if end == "rst":
                wait_consumed(way.source)
                way.source.reset()
            else:
                way.source.shutdown()
            if way.app:
                way.sink.expect_close(way.sink_code, f"{who} lost")
            if end == "fin":
                way.source.expect_eof()
            way.client.close()
            if way.app:
                way.app.close()
            way.logged(closed_by=way.speaker, cause="vanished" if end == "fin" else "error", cut=None)
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_10_header_cut_then_silence(moongate, upstream, who):
    daemon = moongate(upstream, route={"message_timeout": "200ms", "close_timeout": "30s"})
    ways = []
    for form, length, n in header_cuts(who):
        way = Way(daemon, upstream, who)
        way.source.send(way.header(BINARY, length)[:n])
        ways.append(way)
    for way in ways:
        with case(ways.index(way)):
            way.source.expect_close(1008, "message_timeout")
            if way.app:
                way.sink.expect_close(1008, "message_timeout")
            way.is_over(closed_by="proxy", answer=True, cause="message_timeout", code=1008, cut=None)
    still_works(daemon)
    assert daemon.stop()["timeout_message"] == len(ways)


@pytest.mark.parametrize("who", ALL)
def test_F_11_continuation_without_start(moongate, upstream, who):
    daemon = moongate(upstream)
    for fin in (True, False):
        with case(fin), Way(daemon, upstream, who) as way:
            way.breaks(way.frame(CONT, b"x", fin=fin), 1002, "frame out of sequence")
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_12_a_start_inside_a_message(moongate, upstream, who):
    daemon = moongate(upstream)
    for first in (TEXT, BINARY):
        for second in (TEXT, BINARY):
            with case(first, second), Way(daemon, upstream, who) as way:
                way.passes(way.frame(first, b"x", fin=False))
                way.breaks(way.frame(second, b"y"), 1002, "frame out of sequence")
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_13_continuation_after_the_end(moongate, upstream, who):
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        way.passes(way.frame(TEXT, b"x", fin=False) + way.frame(CONT, b"y"))
        way.breaks(way.frame(CONT, b"z"), 1002, "frame out of sequence")
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_14_control_frame_too_long(moongate, upstream, who):
    daemon = moongate(upstream)
    for op in CONTROLS:
        for length in (126, 70000):
            with case(op, length), Way(daemon, upstream, who) as way:
                way.breaks(way.header(op, length), 1002, "control frame too long")
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_14_control_frame_in_fragments(moongate, upstream, who):
    daemon = moongate(upstream)
    for op in CONTROLS:
        with case(op), Way(daemon, upstream, who) as way:
            way.breaks(way.frame(op, b"", fin=False), 1002, "fragmented control frame")
    still_works(daemon)


@pytest.mark.parametrize("who", BOTH)
def test_F_14_control_frames_between_fragments(moongate, upstream, who):
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        pings = b"".join(way.frame(PING, b"%d" % i) for i in range(10))
        data = way.frame(TEXT, b"a", fin=False)
        for i in range(20):
            data += pings + way.frame(PONG, b"!") + way.frame(CONT, b"b" * i, fin=False)
        way.passes(data + way.frame(PING, b"p" * 125) + way.frame(CONT, b"c"))
        way.goes_on()
        # A close frame may stand there too.
        way.passes(way.frame(TEXT, b"a", fin=False) + way.frame(CLOSE, close_payload(1000)))
        way.sink.close_frame(1000)
        way.source.expect_close(1000)
        way.is_over(cause="close")
    still_works(daemon)


def test_F_14_echo_answers_between_fragments(moongate):
    daemon = moongate()
    with Way(daemon, None, "echo") as way:
        way.source.send(way.frame(TEXT, b"a", fin=False) + way.frame(PING, b"p") + way.frame(CONT, b"b"))
        way.sink.expect_text("a", fin=False)
        way.sink.expect_frame(PONG, b"p")
        way.sink.expect_frame(CONT, b"b")
        way.goes_on()
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_15_max_fragments(moongate, upstream, who):
    daemon = moongate(upstream, route={"max_fragments": 1024})
    with Way(daemon, upstream, who) as way:
        most = way.frame(BINARY, b"x", fin=False) + way.frame(CONT, b"x", fin=False) * 1022
        for _ in range(2):
            way.passes(most + way.frame(CONT, b"x"))
        way.passes(most + way.frame(CONT, b"x", fin=False))
        way.breaks(way.frame(CONT, b"x"), 1008, "too many fragments")
    still_works(daemon)


@pytest.mark.parametrize("who", BOTH)
def test_F_15_many_fragments_by_default(moongate, upstream, who):
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        data = way.frame(BINARY, b"x" * 64, fin=False) + way.frame(CONT, b"y" * 64, fin=False) * 65534
        data += way.frame(CONT, b"z" * 64)
        sender = sending(way.source, data)
        assert way.sink.read(len(data)) == data
        sender.join()
        way.goes_on()
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_16_endless_empty_fragments(moongate, upstream, who):
    daemon = moongate(upstream, route={"max_fragments": 100})
    with Way(daemon, upstream, who) as way:
        way.passes(way.frame(BINARY, b"", fin=False) + way.frame(CONT, b"", fin=False) * 99)
        way.breaks(way.frame(CONT, b"", fin=False) * 1000, 1008, "too many fragments")
    still_works(daemon)


def skip(sink, unit):
    """Reads the same frame over and over, until another one comes."""
    while True:
        n = len(sink.buf) // len(unit)
        if sink.buf[: n * len(unit)] != unit * n:
            break
        del sink.buf[: n * len(unit)]
        if len(sink.buf) >= len(unit):
            return
        assert sink.fill()
    while sink.buf.startswith(unit):
        del sink.buf[: len(unit)]


@pytest.mark.parametrize("who", BOTH)
def test_F_16_endless_empty_fragments_are_a_trickle(moongate, upstream, who):
    daemon = moongate(upstream, route={"message_timeout": "300ms", "max_control_rate": "off"})
    with Way(daemon, upstream, who) as way:
        way.source.send(way.frame(BINARY, b"", fin=False))
        sender = sending_for_ever(way.source, way.frame(CONT, b"", fin=False) * 100)
        way.sink.expect_binary(b"", fin=False)
        skip(way.sink, way.frame(CONT, b"", fin=False))
        way.sink.expect_close(1008, "message_timeout")
        way.close()
        way.logged(cause="message_timeout", closed_by="proxy")
        sender.join()
    still_works(daemon)


@pytest.mark.parametrize("who", BOTH)
def test_F_17_a_message_that_grows_by_bytes(moongate, upstream, who):
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        way.passes(way.frame(BINARY, b"x", fin=False))
        before = daemon.memory()
        data = way.frame(CONT, b"x", fin=False) * 131_000
        sender = sending(way.source, data)
        assert way.sink.read(len(data)) == data
        sender.join()
        assert SANITIZED or daemon.memory() - before < MIB
        way.passes(way.frame(CONT, b"end"))
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_18_unfinished_message(moongate, upstream, who):
    daemon = moongate(upstream, route={"message_timeout": "200ms"})
    with Way(daemon, upstream, who) as way:
        way.passes(way.frame(TEXT, b"x", fin=False))
        way.source.expect_close(1008, "message_timeout")
        if way.app:
            way.sink.expect_close(1008, "message_timeout")
        way.is_over(closed_by="proxy", answer=True, cause="message_timeout", code=1008)
    still_works(daemon)
    assert daemon.stop()["timeout_message"] == 1


SMALL = {"send_buffer": "4k", "receive_buffer": "4k"}


def flood_pings(client, n):
    """n pings that carry their number."""
    client.send(b"".join(client.make(PING, b"%010d" % i + b"." * 115) for i in range(n)))


def test_F_19_ping_flood_on_echo(moongate, many):
    daemon = moongate(listener=SMALL, defaults={"max_control_rate": "off"})
    client = daemon.client(rcvbuf=4096).open("/echo")
    client.echoes(1)
    before, n = daemon.memory(), many(10**6)
    # All of it is taken, though not one pong is read.
    flood_pings(client, n)
    wait_consumed(client)
    assert SANITIZED or daemon.memory() - before < 256 * KIB
    got = [client.read_frame()]
    while got[-1].payload[:10] != b"%010d" % (n - 1):
        got.append(client.read_frame())
    assert all(f.opcode == PONG for f in got)
    numbers = [int(f.payload[:10]) for f in got]
    # What the kernel's buffers took, in order; of all that did not fit, the last.
    assert numbers == sorted(set(numbers)) and len(numbers) < n // 4
    client.echoes(10)
    client.end()
    still_works(daemon)


def test_F_19_ping_flood_to_an_upstream(moongate, upstream, closing):
    closing.insert(0, Application(upstream))
    daemon = moongate(upstream, listener=SMALL, group=SMALL,
                      route={"send_timeout": "1s", "max_queue": "16k", "max_control_rate": "off"})
    client = daemon.client(rcvbuf=4096)
    client.send(client.request("/app"))
    client.expect_101()
    client.text("hello")
    client.expect_text("hello")
    before = daemon.memory()
    flooding = Doing(flood_pings, client, 100_000)
    line = daemon.wait_line("session_end", client=client.local)
    assert SANITIZED or daemon.memory() - before < MIB
    assert line["cause"] == "send_timeout" and line["closed_by"] == "proxy"
    flooding.join()
    still_works(daemon)
    totals = daemon.stop()
    assert totals["timeout_send"] == 1 and totals["pauses"] >= 1


def test_F_20_unsolicited_pongs(moongate, upstream):
    daemon = moongate(upstream, route={"max_control_rate": "off"})
    with Way(daemon, upstream, "echo") as way:
        way.source.send(way.frame(PONG, b"what?") * 10_000)
        way.goes_on()
    for who in BOTH:
        with Way(daemon, upstream, who) as way:
            data = way.frame(PONG, b"what?") * 10_000
            sender = sending(way.source, data)
            assert way.sink.read(len(data)) == data
            sender.join()
            way.goes_on()
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_21_invalid_text(moongate, upstream, who):
    daemon = moongate(upstream)
    for name, text in BAD_TEXT.items():
        # The rest of the frame never comes: the first wrong byte tells.
        with case(name, "first byte"), Way(daemon, upstream, who) as way:
            way.breaks(way.header(TEXT, 1000) + way.frame(TEXT, text)[-len(text):], 1007, "invalid UTF-8")
        with case(name, "whole"), Way(daemon, upstream, who) as way:
            way.goes_on()
            way.breaks(way.frame(TEXT, text + b" and more"), 1007, "invalid UTF-8")
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_21_text_that_ends_inside_a_character(moongate, upstream, who):
    daemon = moongate(upstream)
    for n in (1, 2, 3):
        with case(n), Way(daemon, upstream, who) as way:
            way.breaks(way.frame(TEXT, b"ab" + MOON[:n]), 1007, "invalid UTF-8")
        with case(n, "fragments"), Way(daemon, upstream, who) as way:
            way.passes(way.frame(TEXT, b"ab" + MOON[:n], fin=False))
            way.breaks(way.frame(CONT, b""), 1007, "invalid UTF-8")
    still_works(daemon)


@pytest.mark.parametrize("who", BOTH)
def test_F_21_wrong_byte_behind_what_has_passed(moongate, upstream, who):
    """Part of the frame has gone: no close frame can follow it, only a reset."""
    daemon = moongate(upstream)
    for name, text in BAD_TEXT.items():
        with case(name), Way(daemon, upstream, who) as way:
            whole = way.frame(TEXT, b"good" + text + b"x" * 1000)
            first = whole[: -(len(text) + 1000)]
            way.source.send(first)
            assert way.sink.read(len(first)) == first
            way.source.send(whole[len(first) :])
            way.sink.expect_reset(after=b"")
            way.source.expect_close(1007, "invalid UTF-8")
            way.client.close()
            way.app.close()
            way.logged(closed_by=who, cause="protocol", code=1007, cut="mid_frame")
    still_works(daemon)
    assert daemon.stop()["cut_mid_frame"] == len(BAD_TEXT)


@pytest.mark.parametrize("who", ALL)
def test_F_22_character_cut_at_each_byte(moongate, upstream, who):
    daemon = moongate(upstream)
    text = b"a" + MOON + "\u6708\u00e9".encode() + MOON
    with Way(daemon, upstream, who) as way:
        for i in range(len(text) + 1):
            with case("two frames", i):
                way.passes(way.frame(TEXT, text[:i], fin=False) + way.frame(CONT, text[i:]))
        frames = [way.frame(CONT if i else TEXT, text[i : i + 1], fin=False) for i in range(len(text))]
        way.passes(b"".join(frames) + way.frame(CONT, b""))
        whole = way.frame(TEXT, text)
        for i in range(1, len(whole)):
            with case("two segments", i):
                way.source.send(whole[:i])
                wait_consumed(way.source)
                way.source.send(whole[i:])
                wanted = way.as_heard(whole)
                assert way.sink.read(len(wanted)) == wanted
        way.goes_on()
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_23_anything_in_binary(moongate, upstream, who):
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        for text in BAD_TEXT.values():
            way.passes(way.frame(BINARY, text))
        way.passes(way.frame(BINARY, bytes(range(256)), fin=False) + way.frame(CONT, b"\xff\xfe"))
        way.goes_on()
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_24_close_reason(moongate, upstream, who):
    daemon = moongate(upstream)
    for name, text in BAD_TEXT.items():
        text = text[-100:]
        with case(name), Way(daemon, upstream, who) as way:
            way.breaks(way.frame(CLOSE, close_payload(1000, text + b"x")), 1007, "invalid UTF-8")
    for n in (1, 2, 3):
        with case("cut", n), Way(daemon, upstream, who) as way:
            way.breaks(way.frame(CLOSE, close_payload(1000, MOON[:n])), 1007, "invalid UTF-8")
    with Way(daemon, upstream, who) as way:  # the code comes first
        way.breaks(way.frame(CLOSE, close_payload(1005, b"\xff")), 1002, "invalid close code")
    still_works(daemon)


@pytest.mark.parametrize("who", BOTH)
def test_F_25_empty_frames(moongate, upstream, who, many):
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        way.passes(b"".join(way.frame(op, b"") for op in (TEXT, BINARY, PING, PONG)))
        way.passes(way.frame(TEXT, b"", fin=False) + way.frame(CONT, b"", fin=False) + way.frame(CONT, b""))
        n = many(10**6)
        empty = (way.frame(TEXT, b"") + way.frame(BINARY, b"")) * (n // 2)
        sender = sending(way.source, empty)
        assert way.sink.read(len(empty)) == empty
        sender.join()
        way.passes(way.frame(CLOSE, b""))
        way.sink.close_frame()
        way.source.expect_close(None)
        way.is_over(cause="close")
        name = "messages_up" if who == "client" else "messages_down"
        assert way.logged()[name] == str(n + 3)
    still_works(daemon)


def test_F_25_empty_frames_on_echo(moongate):
    daemon = moongate()
    with Way(daemon, None, "echo") as way:
        way.passes(way.frame(TEXT, b"") + way.frame(BINARY, b""))
        way.source.ping()
        way.sink.expect_frame(PONG)
        many = (way.frame(TEXT, b"") + way.frame(BINARY, b"")) * 5000
        sender = sending(way.source, many)
        got = way.sink.read(20_000)
        assert got == b"\x81\x00\x82\x00" * 5000
        sender.join()
        way.source.close_frame()
        way.sink.expect_close(None)
        way.is_over(cause="close")
    still_works(daemon)


def streams(way):
    """Captured streams, each with its end: a close frame or a violation."""
    close = way.frame(CLOSE, close_payload(1000, "bye \u6708"))
    hello = way.frame(TEXT, "h\u00e9llo \u6708".encode())
    return {
        "messages": hello + way.frame(BINARY, b"\x00\xff") + way.frame(TEXT, b"") + close,
        "fragments": way.frame(TEXT, MOON[:2], fin=False) + way.frame(PING, b"p")
        + way.frame(CONT, MOON[2:]) + close,
        "long form": way.frame(BINARY, b"x" * 130) + close,
        "bad text": hello + way.frame(TEXT, b"abc\xed\xa0\x80def") + close,
        "bad close": hello + way.frame(CLOSE, close_payload(1006)),
        "bad sequence": hello + way.frame(CONT, b"xyz") + hello,
        "too long": hello + way.frame(BINARY, b"x" * 200) + close,
        "bad length form": way.frame(PING, b"x") + way.header(BINARY, 5, form=64) + b"hello",
    }


def outcome(way, first, second):
    """Sends a stream in two reads. What the sender is answered, and the frames the sink got; what
    is left of a broken frame is not looked at."""
    way.source.send(first)
    if first and second:
        wait_consumed(way.source)
    try:
        way.source.send(second)
    except OSError:
        pass  # judged by the first part, and gone
    heard = []
    while (f := sink_frame(way.sink)) and f.opcode != CLOSE:
        heard.append((f.opcode, f.fin, f.payload))
    if f:  # a reset says less of the frame before it, but no frame more
        if f.close_code == 1000:
            way.sink.close_frame(1000)
    else:
        way.sink.close()
    answer = way.source.read_frame()
    way.close()
    return (answer.opcode, answer.payload), heard


def sink_frame(sink):
    """The next frame, None for a reset in the middle of one."""
    while True:
        f, used = parse_frame(sink.buf)
        if f:
            del sink.buf[:used]
            return f
        try:
            assert sink.fill(), "an end without a close frame or a reset"
        except ConnectionResetError:
            return None


@pytest.mark.parametrize("name", ["messages", "fragments", "long form", "bad text", "bad close",
                                  "bad sequence", "too long", "bad length form"])
@pytest.mark.parametrize("who", BOTH)
def test_F_26_cut_at_every_byte(moongate, upstream, who, name):
    daemon = moongate(upstream, route={"max_message": 150 if name == "too long" else 1000})
    with Way(daemon, upstream, who) as way:
        stream = streams(way)[name]
        wanted = outcome(way, stream, b"")
    for i in range(1, len(stream)):
        with case(i), Way(daemon, upstream, who) as way:
            got = outcome(way, stream[:i], stream[i:])
            assert got == wanted, f"{got} is not {wanted}"
    still_works(daemon)


def test_U_20_remask_gives_each_frame_a_key_of_its_own(moongate, upstream):
    """What is said stays, the keys differ from the client's and each other."""
    daemon = moongate(upstream, route={"remask": "on"})
    client, app = open_pair(daemon, upstream)
    keys = set()
    for i in range(200):
        client.send(client.make(TEXT, b"a" * i, fin=False) + client.make(PING, b"p") + client.make(CONT, b"bc"))
        for wanted in (b"a" * i, b"p", b"bc"):
            f = app.read_frame()
            assert f.payload == wanted
            keys.add(f.mask)
    # Two of 600 random keys are the same once in 24 000 runs; three pairs never.
    assert len(keys) >= 598 and KEY not in keys
    still_works(daemon)
