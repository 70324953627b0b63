# SPDX-License-Identifier: BSD-2-Clause
"""R-15, R-16, R-19: bad networks. Each test has a network namespace of its own."""

import os

import pytest

from helpers.daemon import still_works
from helpers.frames import CLOSE, parse_frame
from helpers.kernel import Network
from helpers.peer import RawClient, RawUpstream
from helpers.traffic import Doing, echo

KIB = 1024


@pytest.fixture
def network():
    """A network namespace, for one test."""
    if why := Network.why_not():
        pytest.skip(why)
    with Network() as made:
        yield made


@pytest.fixture
def inside(network, moongate, closing):
    """A function that starts the daemon and its application in the namespace: (daemon, application)."""

    def make(**how):
        with network.enter():
            app = RawUpstream()
        closing.append(app)
        return moongate(app, wrapper=network.wrapper, **how), app

    return make


@pytest.fixture
def come(network, closing):
    """A function that connects a client from inside the namespace."""

    def make(daemon):
        with network.enter():
            client = RawClient(daemon.address)
        closing.insert(0, client)
        return client

    return make


def echoing(upstream):
    """The application: one connection, whose frames come back until it is closed."""

    def run():
        app = upstream.accept_open()
        with app:
            while True:
                f, used = parse_frame(app.buf)
                if not f:
                    if not app.fill():
                        return
                    continue
                del app.buf[:used]
                app.send(echo(f))
                if f.opcode == CLOSE:
                    return

    return Doing(run)


def echoes_bytes(network, inside, come, size, **how):
    """What goes through comes back as it was, by the daemon's own echo and by an application's."""
    daemon, upstream = inside(**how)
    payload = os.urandom(size)
    for way in ("echo", "app"):
        app = echoing(upstream) if way == "app" else None
        client = come(daemon).open(f"/{way}")
        sender = Doing(client.binary, payload)
        client.expect_binary(payload)
        assert not sender.join().error
        client.end()
        if app:
            assert not app.join().error
    with network.enter():
        still_works(daemon, 5)


# The least that IPv4 knows, SLIP's, a modem's, IPv6's least, PPPoE's, Ethernet's.
@pytest.mark.parametrize("mtu", [68, 296, 576, 1280, 1492, 1500])
def test_R_19_mtu(network, inside, come, mtu):
    network.ip("link", "set", "lo", "mtu", str(mtu))
    echoes_bytes(network, inside, come, 200 * KIB)


@pytest.mark.parametrize("mtu, size", [(576, 100 * KIB), (1500, 300 * KIB)])
def test_R_19_loss_of_5_percent(network, inside, come, mtu, size):
    network.ip("link", "set", "lo", "mtu", str(mtu))
    network.lose(5)
    echoes_bytes(network, inside, come, size)


def test_R_19_64_kbit(network, inside, come):
    network.ip("link", "set", "lo", "mtu", "576")
    network.slow("64kbit")
    echoes_bytes(network, inside, come, 4 * KIB)


def test_R_19_tiny_buffers_small_packets_and_loss(network, inside, come):
    tiny = {"send_buffer": "2k", "receive_buffer": "2k"}
    network.ip("link", "set", "lo", "mtu", "576")
    network.lose(5)
    echoes_bytes(network, inside, come, 16 * KIB, listener=tiny, group=tiny)


def established(inside, come, **how):
    daemon, upstream = inside(**how)
    client = come(daemon)
    client.send(client.request("/app"))
    app = upstream.accept_open()
    client.expect_101()
    return daemon, client, app


PATIENT = {"ping_interval": "off", "idle_timeout": "10m", "send_timeout": "10m"}


def test_R_15_client_gone_with_unsent_data(network, inside, come):
    daemon, client, app = established(inside, come, route=PATIENT, listener={"tcp_user_timeout": "500ms", "tcp_keepalive": "off"})
    with app:
        network.cut(client.sock)
        app.text("never acknowledged")
        app.expect_close(1001, "client lost")
    line = daemon.wait_line("session_end", client=client.local)
    assert (line["closed_by"], line["cause"]) == ("client", "error") and line["error"] == "connection timed out"
    with network.enter():
        still_works(daemon)


def test_R_16_upstream_gone_with_unsent_data(network, inside, come):
    daemon, client, app = established(inside, come, route=PATIENT, group={"tcp_user_timeout": "500ms", "tcp_keepalive": "off"})
    with app:
        network.cut(app.sock)
        client.text("never acknowledged")
        client.expect_close(1011, "upstream lost")
        client.close()
        line = daemon.wait_line("session_end", client=client.local)
        assert (line["closed_by"], line["cause"]) == ("upstream", "error") and line["error"] == "connection timed out"
    with network.enter():
        still_works(daemon)


# With a user timeout it is that which counts, not the number of probes.
@pytest.mark.parametrize("user_timeout", ["off", "1s"])
@pytest.mark.parametrize("who", ["client", "upstream"])
def test_R_16_idle_peer_gone_is_found_by_keepalive(network, inside, come, who, user_timeout):
    keys = {"tcp_keepalive": "1s", "tcp_user_timeout": user_timeout}
    daemon, client, app = established(inside, come, route=PATIENT, **{"listener" if who == "client" else "group": keys})
    with app:
        if who == "client":
            network.cut(client.sock)
            app.expect_close(1001, "client lost")
            app.close()
        else:
            network.cut(app.sock)
            client.expect_close(1011, "upstream lost")
            client.close()
        line = daemon.wait_line("session_end", client=client.local)
        assert (line["closed_by"], line["cause"]) == (who, "error")
    with network.enter():
        still_works(daemon)
