# SPDX-License-Identifier: BSD-2-Clause
"""Upstreams by wss: what is known of servers, spare connections, the queue, and ends (FAULTS.md C-09, U-05, U-07 to U-09,
U-14, U-15, U-22)."""

import socket
import ssl
import struct

import pytest

from helpers.daemon import refused, wait_until
from helpers.frames import CONT, TEXT
from helpers.hall import Hall
from helpers.peer import LIMIT
from helpers.reloads import reload
from helpers.secure import V12, V13, VERSIONS, ends, works
from helpers.tls import Authority, server_context


TCP_CLOSE = 7  # the kernel's states: a FIN would have made it CLOSE_WAIT


@pytest.fixture
def hall(closing, app_pair):
    """A function that makes a Hall behind TLS."""

    def make(**options):
        closing.append(Hall(context=server_context(app_pair), **options))
        return closing[-1]

    return make


def spared(moongate, ca, app, spare, **group):
    """A daemon that has made its spare connections, each with its handshake."""
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "spare": spare, "spare_idle": "1h", **group})
    wait_until(lambda: app.idle == spare and daemon.is_asleep(), "the spare connections")
    return daemon


def asked(daemon):
    client = daemon.client()
    client.send(client.request("/app"))
    return client


def opened(daemon):
    client = asked(daemon)
    client.expect_101()
    client.echoes(1)
    return client


# ---- spare connections ----


def test_U_05_a_spare_that_ends_when_it_is_asked(moongate, ca, hall):
    """That is no try, and no failure of the server's: the session gets a connection of its own."""
    app = hall(drops=1)
    daemon = spared(moongate, ca, app, 2, tries=1, max_fails=1, fail_timeout="1h")
    opened(daemon).end()
    opened(daemon).end()
    totals = daemon.stop()
    assert app.requests == 3 and totals["spares_lost"] == 1 and totals["tls_connected"] >= 3
    assert totals["tries"] == totals["server_failures"] == totals["refused_502"] == 0


def test_U_08_the_upstream_ends_idle_connections_by_itself(moongate, ca, hall):
    app = hall(patience=0.5)
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "spare": 3})
    for n in range(40):
        if n % 10 == 9:
            app.lose_patience()
        opened(daemon).end()
    totals = daemon.stop()
    assert totals["tries"] == totals["server_failures"] == totals["refused_502"] == 0
    assert totals["opened"] == 40


def test_U_08_their_time_is_over(moongate, ca, hall):
    app = hall()
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "spare": 2, "spare_idle": "1s"})
    wait_until(lambda: app.accepted >= 6, "successors")
    opened(daemon).end()
    totals = daemon.stop()
    assert totals["spares_aged"] >= 2 and totals["spares_died"] == totals["tries"] == 0


def test_U_09_a_reload_closes_the_spares_of_a_group_that_has_changed_or_gone(moongate, ca, hall):
    app, other = hall(), hall()
    daemon = spared(moongate, ca, app, 20)
    client = opened(daemon)
    reload(daemon, ("spare = 20", "spare = 5"))
    wait_until(lambda: app.idle == 5, "the fewer spare connections")
    reload(daemon, (app.server, other.server))
    wait_until(lambda: app.idle == 0 and other.idle == 5, "the other server's")
    reload(daemon, ("spare = 5", "spare = off"), ("spare_idle = 1h", ""))
    wait_until(lambda: other.idle == 0, "none")
    client.echoes(3)  # on the connection that it had
    client.end()
    opened(daemon).end()
    assert app.requests == 2 - other.requests


def test_spares_keep_nobody_out(moongate, ca, hall):
    """Two workers; sessions fill the server, and each spare that has a place makes room for one."""
    app = hall()
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "spare": 6, "spare_idle": "1h",
                                  "max_connections": 8}, process={"workers": 2})
    for _ in range(3):
        wait_until(lambda: app.idle == 6, "the spare connections")
        clients = [opened(daemon) for _ in range(8)]
        asked(daemon).expect_refusal(503)
        for client in clients:
            client.end()
    assert app.most <= 8
    assert daemon.stop()["queue_refused"] == 3


# ---- the queue ----


def test_U_07_the_server_dies_while_all_wait(moongate, ca, secure_apps):
    app = secure_apps()
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "max_connections": 1, "queue": 5,
                                  "max_fails": 1, "fail_timeout": "1h"},
                      listener={"handshake_timeout": "1h"}, process={"workers": 2, "log_level": "debug"})
    holder = asked(daemon)
    peer = app.accept_open()
    holder.expect_101()
    clients = []
    for n in range(1, 4):
        clients.append(asked(daemon))
        daemon.wait_line("waiting", n=n)
    app.sock.close()
    peer.reset()
    holder.expect_close(1011)
    holder.close_frame(1011)
    holder.expect_eof()
    for client in clients:
        refused(daemon, client, 502)


# ---- ends in the middle ----


def test_C_09_the_upstreams_end_in_one_segment(both, secure, ca, many):
    """Its last message, its Close, close_notify and FIN all at once: nothing is lost, and nothing cut off."""
    daemon, app = both()
    contexts = [ca.client_context(version=version) for version in (V12, V13)]
    for i in range(many(10000)):
        app.context.maximum_version = (V13, V12, V13)[i % 3]
        client = secure(daemon, contexts[i % 2])
        client.send(client.request("/app"))
        peer = app.accept_open()
        client.expect_101()
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        peer.text(f"last {i}")
        peer.close_frame(1000)
        peer.sock.settimeout(0)
        with pytest.raises(ssl.SSLWantReadError):
            peer.sock.unwrap()  # says its part
        peer.sock.shutdown(socket.SHUT_WR)
        client.expect_text(f"last {i}")
        client.expect_close(1000)
        client.close_frame(1000)
        client.finish()
        client.close()
        peer.close()
        end = daemon.end_of(client)
        assert end["cause"] == "close" and end["closed_by"] == "upstream" and "truncated" not in end


@pytest.mark.parametrize("end", ["reset", "close"])
def test_U_22_end_between_fragments(both, secure, ca, end):
    daemon, app = both()
    client = secure(daemon)
    client.send(client.request("/app"))
    peer = app.accept_open()
    client.expect_101()
    peer.send(peer.make(TEXT, "one ", fin=False) + peer.make(CONT, "two ", fin=False))
    client.expect_text("one ", fin=False)
    client.expect_frame(CONT, "two ", fin=False)
    getattr(peer, end)()
    client.expect_close(1011, "upstream lost")
    client.close_frame(1011)
    client.close()
    assert daemon.end_of(client)["closed_by"] == "upstream"
    works(daemon, ca)


@pytest.mark.parametrize("end", ["reset", "close"])
@pytest.mark.parametrize("size", [10, 70000])
def test_U_22_end_in_a_frame(both, secure, ca, end, size):
    """No close frame follows a part of a frame, and no close_notify: what the client has is cut off for it to see."""
    daemon, app = both()
    client = secure(daemon)
    client.send(client.request("/app"))
    peer = app.accept_open()
    client.expect_101()
    part = peer.make(TEXT, "x" * size)[:-1]
    peer.send(part)
    assert client.read(len(part)) == part
    getattr(peer, end)()
    with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):  # which of them, Python does not tell truthfully
        client.sock.recv(1)
    assert client.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE  # by a reset
    line = daemon.end_of(client)
    assert line["cut"] == "mid_frame" and line["closed_by"] == "upstream"
    works(daemon, ca)


# ---- whom a server is ----


def test_the_name_and_the_protocol_that_are_asked_for(moongate, ca, secure_apps):
    app, names = secure_apps(), []
    app.context.sni_callback = lambda _, name, __: names.append(name)
    app.context.set_alpn_protocols(["h2", "http/1.1"])
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate})
    client = asked(daemon)
    peer = app.accept_open()
    client.expect_101()
    assert names == ["localhost"] and peer.sock.selected_alpn_protocol() == "http/1.1"


def test_sessions_are_of_one_server(moongate, ca, secure_apps):
    """Each one's goes on with it, and with no other: what another does not know would be a full handshake."""
    apps = [secure_apps(), secure_apps()]
    daemon = moongate(apps[0], group={"server": [app.server for app in apps], "tls_ca": ca.certificate})
    for n in range(3):
        for app in apps:
            client = asked(daemon)
            peer = app.accept_open()
            client.expect_101()
            peer.text("x")
            client.expect_text("x")
            assert peer.sock.session_reused == (n > 0)
            ends(client, peer)
            daemon.end_of(client)
    assert daemon.stop()["tls_resumed"] == 4


def fails(app, how):
    """Its next connection ends within the handshake."""
    with app.sock.accept()[0] as sock:
        sock.settimeout(LIMIT)
        assert sock.recv(1) == b"\x16"
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        if how == "alert":
            sock.sendall(bytes([21, 3, 3, 0, 2, 2, 80]))
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass


def served(daemon, app):
    """Whether its session went on."""
    client = asked(daemon)
    peer = app.accept_open()
    has_gone_on = peer.sock.session_reused
    client.expect_101()
    peer.text("x")
    client.expect_text("x")
    ends(client, peer)
    daemon.end_of(client)
    return has_gone_on


@pytest.mark.parametrize("how", ["alert", "end", "reset"])
@pytest.mark.parametrize("version", VERSIONS)
def test_U_12_a_server_that_fails_when_a_session_is_to_go_on(moongate, ca, secure_apps, version, how):
    """It is asked again without, once; neither it nor the client suffers for that."""
    app = secure_apps()
    app.context.maximum_version = version
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "max_fails": 1, "fail_timeout": "1h"})
    assert not served(daemon, app)
    client = asked(daemon)
    fails(app, how)
    peer = app.accept_open()
    client.expect_101()
    assert not peer.sock.session_reused
    ends(client, peer)
    line = daemon.wait_line("try_failed")
    assert "server_down" not in daemon.log and line["server"] == daemon.end_of(client)["server"]
    totals = daemon.stop()
    assert totals["opened"] == 2 and totals["tls_connected"] == 2 and totals["tls_resumed"] == 0
    assert totals["tries"] == totals["server_failures"] == totals["refused_502"] == 0


def probed(app):
    """Plays the healthy server to one probe. Returns whether its session went on."""
    peer = app.accept_open()
    has_gone_on = peer.sock.session_reused
    peer.expect_close(1000)
    peer.close_frame(1000)
    peer.sock.unwrap().close()
    return has_gone_on


@pytest.mark.parametrize("how", ["alert", "end", "reset"])
@pytest.mark.parametrize("version", VERSIONS)
def test_U_12_a_probe_of_a_server_that_fails_when_a_session_is_to_go_on(moongate, ca, secure_apps, version, how):
    """It asks again without, once; the server is as healthy as it is for sessions."""
    app = secure_apps()
    app.context.maximum_version = version
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "health": "handshake", "health_fall": 1,
                                  "health_interval": "200ms", "health_timeout": "20s"})
    assert not probed(app)
    fails(app, how)
    assert not probed(app) and not probed(app)
    assert "server_unhealthy" not in daemon.log
    totals = daemon.stop()
    assert totals["health_failures"] == 0 and totals["health_probes"] >= 3


@pytest.mark.parametrize("version", VERSIONS)
def test_U_12_a_server_that_hangs_when_a_session_is_to_go_on(moongate, ca, secure_apps, version):
    """There is no time left to ask it again, but who asks next offers none: a probe, or a client."""
    app = secure_apps()
    app.context.maximum_version = version
    probes = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "health": "handshake", "health_fall": 1,
                                  "health_rise": 1, "health_interval": "200ms", "health_timeout": "2s"})
    assert not probed(app) and probed(app)
    with app.sock.accept()[0]:
        probes.wait_line("server_unhealthy")
    assert probed(app) is False
    probes.wait_line("server_healthy")
    probes.stop()
    clients = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "tries": 1, "max_fails": "off",
                                   "connect_timeout": "2s"})
    assert not served(clients, app) and served(clients, app)
    client = asked(clients)
    with app.sock.accept()[0]:
        client.expect_refusal(504)
    assert served(clients, app) is False
    clients.stop()


def test_U_12_a_probe_of_a_server_that_fails_without_a_session_too(moongate, ca, secure_apps):
    app = secure_apps()
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "health": "handshake", "health_fall": 1,
                                  "health_rise": 1, "health_interval": "200ms", "health_timeout": "20s"})
    assert not probed(app)
    fails(app, "alert")
    fails(app, "alert")
    assert "SSL alert number 80" in daemon.wait_line("server_unhealthy")["reason"]
    assert not probed(app)
    daemon.wait_line("server_healthy")
    assert daemon.stop()["health_failures"] == 1


def test_U_12_a_server_that_fails_without_a_session_too(moongate, ca, secure_apps):
    app = secure_apps()
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate})
    assert not served(daemon, app)
    client = asked(daemon)
    fails(app, "alert")
    fails(app, "alert")
    refused(daemon, client, 502)
    assert not served(daemon, app)
    totals = daemon.stop()
    assert totals["tls_errors"] == 2 and totals["server_failures"] == 1


def refused_by(daemon, app, words):
    client = asked(daemon)
    with pytest.raises(OSError):
        app.accept().read(1)
    refused(daemon, client, 502)
    line = daemon.wait_line("tls_failed", client=client.local)
    assert line["side"] == "upstream" and line["server_name"] == "localhost", line
    assert line["reason"] == f"certificate not accepted: {words}", line


def test_U_14_chains(moongate, ca, secure_apps, tmp_path):
    middle = Authority(tmp_path / "middle", "middle", issuer=ca)
    pair = middle.make("app", "DNS:localhost")
    app, lonely = secure_apps(middle.chained(pair)), secure_apps(pair)
    client = asked(moongate(app, group={"server": app.server, "tls_ca": ca.certificate}))
    app.accept_open()
    client.expect_101()
    refused_by(moongate(lonely, group={"server": lonely.server, "tls_ca": ca.certificate}), lonely,
               "unable to get local issuer certificate (depth 0)")


def test_U_15_an_authority_has_expired(moongate, ca, secure_apps, tmp_path):
    """The log tells which certificate it is about."""
    old = Authority(tmp_path / "aged", "aged", issuer=ca, begin=-20, end=-10)
    app = secure_apps(old.chained(old.make("app", "DNS:localhost")))
    refused_by(moongate(app, group={"server": app.server, "tls_ca": ca.certificate}), app,
               "certificate has expired (depth 1)")
