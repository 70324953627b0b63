# SPDX-License-Identifier: BSD-2-Clause
"""Peers that speak TLS well until the handshake is done, and then anything (FAULTS.md T), on both sides
of the daemon. Floods go on until the daemon ends them."""

import itertools

import pytest

from helpers.forger import ALERT, DATA, HANDSHAKE, ForgingClient, ForgingUpstream
from helpers.frames import TEXT
from helpers.secure import V12, V13
from helpers.tls import SecureClient, server_context

VERSIONS = {"1.2": V12, "1.3": V13}
SIDES = ["client", "upstream"]
FLOOD_MAX = 100000  # records; far less has to be enough
QUICK = {"close_timeout": "200ms"}  # of ends for which the forger does not wait
AES_12 = "ECDHE-ECDSA-AES128-GCM-SHA256"  # what the forger can seal
NO_RENEGOTIATION, USER_CANCELED = 100, 90


def limited(context, version):
    context.minimum_version = context.maximum_version = VERSIONS[version]
    if version == "1.2":
        context.set_ciphers(AES_12)
    return context


class Scene:
    """An open session whose one side is the forger's, the other a polite peer without TLS."""

    def __init__(self, daemon, side, forger, other, ca):
        self.daemon, self.side, self.forger, self.other, self.ca = daemon, side, forger, other, ca

    def goes_on(self):
        for one, to in ((self.forger, self.other), (self.other, self.forger)):
            one.text("goes on")
            to.expect_text("goes on")

    def is_refused(self, alert, words):
        """The forger is told of it, the other side that it is over, and the log the reason."""
        assert self.forger.sock.hear_alert() == (2, alert)
        self.is_over(words)

    def is_over(self, words):
        self.closes()
        line = self.daemon.wait_line("tls_failed")
        assert line["side"] == self.side and words in line["reason"], line
        self.works()
        totals = self.daemon.stop()
        assert totals["tls_errors"] == 1

    def closes(self):
        """The other side politely."""
        code = 1001 if self.side == "client" else 1011
        self.other.expect_close(code)
        self.other.close_frame(code)
        if self.side == "client":
            self.other.close()
        else:
            self.other.expect_eof()
        self.forger.sock.end()

    def works(self):
        client = SecureClient(self.daemon.address, self.ca.client_context()) if self.side == "client" else \
            self.daemon.client()
        with client:
            client.open("/still").echoes(20)
            client.end()

    def flood(self, say):
        """Until the daemon ends it."""
        try:
            for i in range(FLOOD_MAX):
                say(i)
        except (BrokenPipeError, ConnectionResetError):
            return
        raise AssertionError("the flood was borne")


@pytest.fixture
def forging_upstream(closing, ca, app_pair, tmp_path):
    def make(version, tickets=2, pieces=False):
        context = limited(server_context(app_pair), version)
        context.num_tickets = tickets
        closing.append(ForgingUpstream(context, tmp_path / "secrets", pieces))
        return closing[-1]

    return make


@pytest.fixture
def scene(moongate, upstream, closing, ca, app_pair, tmp_path, forging_upstream):
    """A function that opens a session."""

    def make(side, version, tickets=2, pieces=False):
        if side == "client":
            daemon, app = moongate(upstream, listener=app_pair.keys, route=QUICK), upstream
            client = ForgingClient(daemon.address, limited(ca.client_context(), version), tmp_path / "secrets", pieces)
            closing.insert(0, client)
        else:
            app = forging_upstream(version, tickets, pieces)
            daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate}, route=QUICK)
            client = daemon.client()
        client.send(client.request("/app"))
        peer = app.accept_open()
        client.expect_101()
        forger, other = (client, peer) if side == "client" else (peer, client)
        return Scene(daemon, side, forger, other, ca)

    return make


every = pytest.mark.parametrize("side, version", list(itertools.product(SIDES, VERSIONS)))
in_1_2 = pytest.mark.parametrize("side", SIDES)
in_1_3 = in_1_2


@every
@pytest.mark.parametrize("pieces", [False, True])
def test_T_01_a_forger_can_be_polite(scene, side, version, pieces):
    """And its handshake may come byte by byte, each in a record of its own."""
    s = scene(side, version, pieces=pieces)
    s.goes_on()
    s.forger.sock.say(DATA)
    s.goes_on()
    s.works()
    assert s.daemon.stop()["tls_errors"] == 0


@every
def test_T_01_empty_records_for_ever(scene, side, version):
    s = scene(side, version)
    s.flood(lambda _: s.forger.sock.say(DATA))
    s.is_over("too many messages that carry nothing")


@in_1_3
def test_T_01_padding_for_ever(scene, side):
    """Records as long as can be, with nothing in them."""
    s = scene(side, "1.3")
    s.flood(lambda _: s.forger.sock.say(DATA, padding=16384))
    s.is_over("too many messages that carry nothing")


@every
def test_T_04_warnings_for_ever(scene, side, version):
    s = scene(side, version)
    s.flood(lambda _: s.forger.sock.say(ALERT, bytes([1, USER_CANCELED])))
    s.is_over("too many messages that carry nothing")


@in_1_3
@pytest.mark.parametrize("wants_another", [False, True])
def test_T_04_key_updates_for_ever(scene, side, wants_another):
    """Nothing of what the daemon says to it is read."""
    s = scene(side, "1.3")
    s.flood(lambda _: s.forger.sock.key_update(wants_another))
    s.is_over("too many messages that carry nothing")


def ticket():
    body = bytes([0, 0, 1, 0, 1, 2, 3, 4, 0, 0, 8]) + bytes(8) + b"\0\0"
    return b"\x04" + len(body).to_bytes(3, "big") + body


def test_T_04_tickets_for_ever(scene):
    s = scene("upstream", "1.3")
    s.flood(lambda _: s.forger.sock.say(HANDSHAKE, ticket()))
    s.is_over("too many messages that carry nothing")


@pytest.mark.parametrize("tickets", [0, 2])
@pytest.mark.parametrize("step", range(1, 23))
def test_T_04_tickets_in_pieces(scene, tickets, step):
    """Cut so that a message's head lies in two records, and in more."""
    s = scene("upstream", "1.3", tickets)
    both = ticket() * 2
    for i in range(0, len(both), step):
        s.forger.sock.say(HANDSHAKE, both[i : i + step])
    s.goes_on()
    assert s.daemon.stop()["tls_errors"] == 0


@in_1_3
@pytest.mark.parametrize("wants_another", [False, True])
def test_T_04_a_key_update_in_pieces(scene, side, wants_another):
    s = scene(side, "1.3")
    for _ in range(3):
        s.forger.sock.key_update(wants_another, pieces=True)
        s.goes_on()
    assert s.forger.sock.messages.count(b"\x18\0\0\1\0") == 3 * wants_another
    assert s.daemon.stop()["tls_errors"] == 0


HELLO_REQUEST = b"\0\0\0\0"
CLIENT_HELLO = b"\1\0\0\x2b\3\3" + bytes(32) + b"\0\0\2\xc0\x2b\1\0\0\0"


@in_1_2
def test_T_04_renegotiation_is_refused(scene, side):
    """By a warning, as long as it is not asked for too often; byte by byte as well."""
    s = scene(side, "1.2")
    message = CLIENT_HELLO if side == "client" else HELLO_REQUEST
    s.forger.sock.say(HANDSHAKE, message)
    assert s.forger.sock.hear_alert() == (1, NO_RENEGOTIATION)
    s.goes_on()
    for i in range(len(message)):
        s.forger.sock.say(HANDSHAKE, message[i : i + 1])
    assert s.forger.sock.hear_alert() == (1, NO_RENEGOTIATION)
    s.goes_on()
    s.flood(lambda _: s.forger.sock.say(HANDSHAKE, message))
    s.is_over("too many messages that carry nothing")


@every
def test_T_12_close_notify_and_data(scene, side, version):
    """What comes behind it was never said."""
    s = scene(side, version)
    s.forger.text("last")
    s.forger.sock.say(ALERT, b"\1\0")
    s.forger.text("not this")
    s.other.expect_text("last")
    s.closes()
    end = s.daemon.wait_line("session_end", route="app")
    assert end["cause"] == "vanished" and end["closed_by"] == side and "truncated" not in end
    s.works()
    assert s.daemon.stop()["tls_errors"] == 0


@every
@pytest.mark.parametrize("how", ["between records", "in a head", "in a record"])
def test_T_12_an_end_without_close_notify(scene, side, version, how):
    s = scene(side, version)
    s.forger.text("last")
    record = s.forger.sock.write.seal(DATA, s.forger.make(TEXT, b"not this"))
    s.forger.sock.sock.sendall(record[: {"between records": 0, "in a head": 3, "in a record": 20}[how]])
    s.forger.shutdown()
    s.other.expect_text("last")
    s.closes()
    end = s.daemon.wait_line("session_end", route="app")
    assert end["cause"] == "vanished" and end["closed_by"] == side and end["truncated"] == side
    s.works()
    assert s.daemon.stop()["tls_errors"] == 0


RECORD_OVERFLOW, BAD_MAC, UNEXPECTED, DECODE, ILLEGAL = 22, 20, 10, 50, 47


def announce_too_much(sock):
    sock.sock.sendall(b"\x17\3\3\x50\0")


def seal_too_much(sock):
    sock.say(DATA, bytes(16385))


def seal_nothing_but_padding(sock):
    sock.sock.sendall(sock.write.seal(0, b"", 100))


def change_a_bit(sock):
    record = bytearray(sock.write.seal(DATA, b"not this"))
    record[-1] ^= 1
    sock.sock.sendall(record)


def repeat_a_record(sock):
    record = sock.write.seal(DATA, b"\x89\x80\0\0\0\0")  # of a client; masked or not, nothing comes of the second
    sock.write.n -= 1
    sock.write.seal(DATA, b"")
    sock.sock.sendall(record[:-1] + bytes([record[-1] ^ 255]))


def speak_plainly(sock):
    sock.sock.sendall(b"\x15\3\3\0\2\2\x28")


def say_a_third_of_an_alert(sock):
    sock.say(ALERT, b"\1")


def say_no_kind(sock):
    sock.say(99, b"hello")


def change_ciphers(sock):
    sock.say(20, b"\1")


def data_within_a_message(sock):
    sock.say(HANDSHAKE, b"\x18\0")
    sock.say(DATA, b"hello")


WRONG = [(announce_too_much, RECORD_OVERFLOW), (seal_too_much, RECORD_OVERFLOW), (change_a_bit, BAD_MAC),
         (repeat_a_record, BAD_MAC), (say_a_third_of_an_alert, DECODE), (say_no_kind, UNEXPECTED),
         (change_ciphers, UNEXPECTED), (data_within_a_message, UNEXPECTED)]


@every
@pytest.mark.parametrize("what, alert", WRONG, ids=[f.__name__ for f, _ in WRONG])
def test_T_01_what_no_peer_says(scene, side, version, what, alert):
    s = scene(side, version)
    s.goes_on()
    what(s.forger.sock)
    s.is_refused(alert, "")


@in_1_3
@pytest.mark.parametrize("what", [seal_nothing_but_padding, speak_plainly])
def test_T_01_what_no_peer_of_1_3_says(scene, side, what):
    s = scene(side, "1.3")
    what(s.forger.sock)
    s.is_refused(UNEXPECTED, "")


# ---- a spare, which nobody uses yet ----


FLOODS = {
    "empty records": lambda sock: sock.say(DATA),
    "warnings": lambda sock: sock.say(ALERT, bytes([1, USER_CANCELED])),
    "key updates": lambda sock: sock.key_update(True),
    "tickets": lambda sock: sock.say(HANDSHAKE, ticket()),
    "requests for a handshake": lambda sock: sock.say(HANDSHAKE, HELLO_REQUEST),
}
OF_A_VERSION = {"key updates": "1.3", "tickets": "1.3", "requests for a handshake": "1.2"}


@pytest.mark.parametrize("what, version, tickets", [
    (what, version, n) for what in FLOODS for version, n in (("1.2", 0), ("1.3", 0), ("1.3", 2))
    if OF_A_VERSION.get(what, version) == version])
def test_U_05_a_spare_is_flooded(moongate, ca, forging_upstream, what, version, tickets):
    """It is ended, another is made, and the session gets that."""
    app = forging_upstream(version, tickets)
    group = {"server": app.server, "tls_ca": ca.certificate, "spare": 1, "spare_idle": "1h"}
    daemon = moongate(app, group=group, route=QUICK)
    spare = app.accept()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        for _ in range(FLOOD_MAX):
            FLOODS[what](spare.sock)
    app.accept()
    client = daemon.client()
    client.send(client.request("/app"))
    peer = app.peers[-1]
    peer.read_request()
    peer.send(peer.answer())
    client.expect_101()
    totals = daemon.stop()
    assert totals["spares_died"] == 1 and totals["spares_used"] == 1


def test_U_05_a_spare_within_a_ticket(moongate, ca, forging_upstream):
    """OpenSSL sends nothing before that has its end; so the session gets another."""
    app = forging_upstream("1.3", 0)
    group = {"server": app.server, "tls_ca": ca.certificate, "spare": 1, "spare_idle": "1h"}
    daemon = moongate(app, group=group, route=QUICK)
    spare = app.accept()
    spare.sock.say(HANDSHAKE, ticket()[:10])
    client = daemon.client()
    client.send(client.request("/app"))
    peer = app.accept_open()
    client.expect_101()
    assert spare.read_all() == b""
    peer.text("to it")
    client.expect_text("to it")
    totals = daemon.stop()
    assert totals["spares_died"] == 1 and totals["spares_used"] == totals["tries"] == 0
