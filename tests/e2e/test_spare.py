# SPDX-License-Identifier: BSD-2-Clause
"""Spare connections to upstreams: U-05, U-06, U-08, U-11, S-10, and max_connections."""

import random
import signal

import pytest

from helpers.daemon import check_config, refused, section, still_works, wait_until
from helpers.hall import Hall


@pytest.fixture
def hall(closing, port):
    """A function that makes a Hall, at a port that nobody else takes while it is closed."""

    def make(address=None, **options):
        closing.append(Hall(address or ("127.0.0.1", port()), **options))
        return closing[-1]

    return make


def spared(moongate, hall, spare, group=None, **how):
    """A daemon that has made its spare connections."""
    keys = {"spare": spare, "spare_idle": "1h", **(group or {})}
    daemon = moongate(hall, group=keys, **how)
    wait_until(lambda: hall.idle == spare and daemon.is_asleep(), "the spare connections")
    return daemon


def asked(daemon, **how):
    client = daemon.client(**how)
    client.send(client.request("/app"))
    return client


def opened(daemon, **how):
    client = asked(daemon, **how)
    client.expect_101()
    client.echoes(1)
    return client


def test_a_session_uses_a_spare_and_it_is_replaced(moongate, hall):
    app = hall()
    daemon = spared(moongate, app, 3)
    assert app.accepted == 3
    client = opened(daemon)
    wait_until(lambda: app.idle == 3, "its successor")
    assert app.accepted == 4 and app.requests == 1
    client.end()
    for _ in range(20):
        opened(daemon).end()
    wait_until(lambda: app.idle == 3, "the successors")
    still_works(daemon)
    totals = daemon.stop()
    assert totals["spares_used"] == 21 and totals["spares_opened"] == app.accepted == 24
    wait_until(lambda: app.now == 0, "all to be closed")


@pytest.mark.parametrize("workers, spare, made", [(2, 1, 2), (2, 2, 2), (2, 5, 5), (4, 6, 6)])
def test_the_number_is_shared_by_workers_and_each_has_one(moongate, hall, workers, spare, made):
    app = hall()
    moongate(app, group={"spare": spare, "spare_idle": "1h"}, process={"workers": workers})
    wait_until(lambda: app.idle == made, "the spare connections")
    assert app.accepted == made


def test_U_05_the_upstream_hangs_up(moongate, hall):
    app = hall()
    daemon = spared(moongate, app, 4)
    app.hang_up()
    wait_until(lambda: app.idle == 4, "the successors")
    opened(daemon).end()
    totals = daemon.stop()
    assert totals["spares_died"] == 4 and totals["tries"] == totals["server_failures"] == 0


@pytest.mark.parametrize("text", [b"x", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
                                  b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"])
def test_U_05_the_upstream_speaks_first(moongate, hall, text):
    app = hall()
    daemon = spared(moongate, app, 2)
    app.speak(text)
    client = opened(daemon)
    client.echoes(10)
    client.end()
    assert daemon.stop()["spares_died"] == 2


def test_U_11_the_upstream_drops_every_request(moongate, hall):
    """One spare that ends is no failure of the server's, but what takes its place is asked on a
    connection of its own: a session is no storm of them."""
    app = hall(drops=True)
    daemon = spared(moongate, app, 4, group={"max_fails": "off"})
    for n in range(1, 11):
        client = asked(daemon)
        refused(daemon, client, 502)
        assert app.requests <= 2 * n
        wait_until(lambda: app.idle == 4, "the spare connections")
    still_works(daemon)


def test_U_08_the_upstream_ends_idle_connections_by_itself(moongate, hall):
    """Whenever a session comes, it finds a connection that stands, or makes one."""
    app = hall(patience=0.5)
    daemon = moongate(app, group={"spare": 3})
    for n in range(60):
        if n % 20 == 19:
            app.lose_patience()
        opened(daemon).end()
    totals = daemon.stop()
    assert totals["tries"] == totals["server_failures"] == totals["refused_502"] == 0
    assert totals["opened"] == 60


def test_U_03_a_frozen_daemon_finds_its_spares_ended_and_a_session(moongate, hall):
    """The session comes first: what was not heard of yet is looked for."""
    app = hall()
    daemon = spared(moongate, app, 2)
    clients = []
    with daemon.frozen():
        clients.append(asked(daemon))
        app.hang_up()
    for client in clients:
        client.expect_101()
        client.echoes(3)
        client.end()
    totals = daemon.stop()
    assert totals["tries"] == totals["refused_502"] == 0


def test_U_11_killed_and_started_again(moongate, hall):
    app = hall()
    daemon = spared(moongate, app, 8, group={"max_fails": "off"})
    client = opened(daemon)
    app.close()
    client.expect_close(1011)
    daemon.wait_line("spare_failed", 3)
    refusal = asked(daemon)
    refusal.expect_refusal(502)
    again = hall(app.address)
    opened(daemon).end()
    wait_until(lambda: again.idle == 8, "the spare connections")
    totals = daemon.stop()
    # 0.1 s, 0.2 s and so on apart, not one after the other.
    assert 3 <= totals["spares_failed"] < 40


def test_U_11_a_server_is_found_down_in_the_background(moongate, hall):
    first, second = hall(), hall()
    daemon = moongate(first, group={
        "server": [f"ws://127.0.0.1:{first.address[1]}", f"ws://127.0.0.1:{second.address[1]}"],
        "spare": 2, "max_fails": 2, "fail_timeout": "1h"})
    wait_until(lambda: first.idle == second.idle == 2, "the spare connections")
    first.close()
    daemon.wait_line("server_down")
    for _ in range(6):
        opened(daemon).end()
    totals = daemon.stop()
    assert totals["tries"] == totals["server_failures"] == 0 and second.requests == 6


def test_spares_age(moongate, hall):
    app = hall()
    daemon = moongate(app, group={"spare": 2, "spare_idle": "1s"})
    wait_until(lambda: app.accepted >= 8, "successors")
    assert app.most <= 4
    opened(daemon).end()
    totals = daemon.stop()
    assert totals["spares_died"] == 0 and totals["spares_aged"] >= 4


def test_the_proxy_protocol_is_sent_when_one_is_used(moongate, upstream):
    daemon = moongate(upstream, group={"spare": 1, "spare_idle": "1h", "proxy_protocol": "v1"})
    peer = upstream.accept()
    client = asked(daemon)
    assert peer.read_until(b"\r\n").startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 %d" % client.sock.getsockname()[1])
    peer.read_request()
    peer.send(peer.answer())
    client.expect_101()


def test_they_are_made_from_source_addresses(moongate, upstream):
    moongate(upstream, group={"spare": 2, "source": ["127.0.3.1", "127.0.3.2"]})
    sources = {upstream.accept().sock.getpeername()[0] for _ in range(2)}
    assert sources == {"127.0.3.1", "127.0.3.2"}


@pytest.mark.parametrize("faults", ["socket:6:EMFILE:4", "connect:3:EADDRNOTAVAIL:3", "connect:1:ENOBUFS:2",
                                    "peek:1:ECONNRESET:3", "peek:2:EINTR:9"])
def test_R_04_want_of_our_own_passes(moongate, hall, faults):
    app = hall()
    daemon = moongate(app, group={"spare": 4, "spare_idle": "1h", "max_fails": 1}, faults=faults)
    for _ in range(6):
        client = asked(daemon)
        assert client.read_head().status in (101, 503)
        client.close()
    wait_until(lambda: app.idle == 4, "the spare connections")
    opened(daemon).end()
    assert daemon.stop()["server_failures"] == 0
    assert not daemon.find("server_down")


# max_connections.


def test_spares_keep_nobody_out(moongate, hall):
    """Two workers; a limit that sessions fill, with no queue: each gets its place, and the
    application never sees more connections than that."""
    app = hall()
    daemon = moongate(app, group={"spare": 6, "spare_idle": "1h", "max_connections": 8},
                      process={"workers": 2})
    wait_until(lambda: app.idle == 6, "the spare connections")
    for _ in range(5):
        clients = []
        for n in range(8):
            clients.append(opened(daemon))
        assert app.now == 8
        wait_until(lambda: app.idle == 0, "no spare to be left")
        asked(daemon).expect_refusal(503)
        for client in clients:
            client.end()
        wait_until(lambda: app.idle == 6, "the spare connections again")
    assert app.most <= 8
    totals = daemon.stop()
    assert totals["spares_evicted"] + totals["spares_used"] >= 5 * 6
    assert totals["queue_refused"] == 5


def test_none_goes_into_the_last_free_place(moongate, hall):
    app = hall()
    daemon = moongate(app, group={"spare": 10, "spare_idle": "1h", "max_connections": 3})
    wait_until(lambda: app.idle == 2, "the spare connections")
    client = opened(daemon)
    wait_until(lambda: app.idle == 1 and app.now == 2, "one session, one spare")
    client.end()
    wait_until(lambda: app.idle == 2, "two again")
    assert app.most <= 3


# U-06.


@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("spare", [1, 8])
def test_U_06_aborted_then_next(moongate, hall, many, spare, part):
    """One client is aborted at some step, the next one follows at once: it gets its own bytes."""
    app = hall()
    daemon = spared(moongate, app, spare)
    dice = random.Random(10 * spare + part)
    for n in range(many(10**5)):
        first = daemon.client()
        request = first.request("/app")
        step = dice.randrange(5)
        text = request if isinstance(request, bytes) else request.encode()
        first.send(text[: dice.randrange(len(text))] if step == 0 else text)
        if step >= 2:
            first.text("A" * dice.randrange(1, 2000))
        if step >= 3:
            first.expect_101()
        if step == 4:
            first.text("A")
        first.reset()
        second = daemon.client()
        second.send(second.request("/app"))
        second.expect_101()
        message = "B%d" % n
        second.text(message)
        assert second.read_message()[1] == message.encode()
        second.end()
    totals = daemon.stop()
    assert totals["refused_502"] == totals["tries"] == 0


# The end, and the configuration.


def test_S_10_they_are_closed_at_once_when_the_daemon_drains(moongate, hall):
    app = hall()
    daemon = spared(moongate, app, 5, process={"drain_timeout": "30s"})
    client = opened(daemon)
    daemon.signal()
    client.read_frame()
    wait_until(lambda: app.idle == 0, "the spares to be closed")
    client.close()


@pytest.mark.parametrize("spare, line", [(20, "spare       20 connections ready to each server, for 8s each\n"), ("off", "")])
def test_explain_tells_of_them(tmp_path, spare, line):
    config = tmp_path / "good.conf"
    config.write_text(section("listener", "a", {"bind": "127.0.0.1:1"})
                      + section("upstream", "u", {"server": "ws://127.0.0.1:2", "spare": spare})
                      + section("route", "r", {"upstream": "u"}))
    status, said = check_config(config, "--explain", "GET ws://127.0.0.1:1/")
    assert status == 0 and ("spare" in said) == bool(line) and line in said, said


@pytest.mark.parametrize("keys, word", [
    ({"spare": 0}, "spare"), ({"spare": -1}, "spare"), ({"spare": "many"}, "spare"), ({"spare": 10001}, "spare"),
    ({"spare": 1, "spare_idle": "0"}, "spare_idle"), ({"spare": 1, "spare_idle": "999ms"}, "spare_idle"),
    ({"spare_idle": "5s"}, "spare_idle = 5s: does nothing: want spare too"),
    ({"spare": 3, "max_connections": 1}, "spare = 3: does nothing: want max_connections = 2 or more too"),
    ({"spare": 3, "server": ["ws://127.0.0.1:2 max_connections=1", "ws://127.0.0.1:3 max_connections=1"]},
     "spare = 3: does nothing: want max_connections = 2 or more too"),
])
def test_bad_values(tmp_path, keys, word):
    config = tmp_path / "bad.conf"
    config.write_text(section("listener", "a", {"bind": "127.0.0.1:1"})
                      + section("upstream", "u", {"server": "ws://127.0.0.1:2", **keys})
                      + section("route", "r", {"upstream": "u"}))
    status, said = check_config(config)
    assert status == 78 and f"{config}:" in said and f"[upstream u] {word}" in said, said


@pytest.mark.parametrize("keys", [
    {"spare": 3, "max_connections": 2}, {"spare": "off", "max_connections": 1},
    {"spare": 3, "max_connections": 1, "server": ["ws://127.0.0.1:2 max_connections=9", "ws://127.0.0.1:3"]}])
def test_good_values(tmp_path, keys):
    config = tmp_path / "good.conf"
    config.write_text(section("listener", "a", {"bind": "127.0.0.1:1"})
                      + section("upstream", "u", {"server": "ws://127.0.0.1:2", **keys})
                      + section("route", "r", {"upstream": "u"}))
    assert check_config(config)[0] == 0


# Reloads.


def reload(daemon, n, text=None):
    if text is not None:
        daemon.config.write_text(text)
    daemon.signal(signal.SIGHUP)
    daemon.wait_line("reloaded", n)


def test_S_01_reloads_leave_the_spares_of_a_group_that_is_the_same(moongate, hall, many):
    app = hall()
    daemon = spared(moongate, app, 4, process={"workers": 2})
    text = daemon.config.read_text()
    for n in range(1, many(500) + 1):
        reload(daemon, n, text + f"\n[route r{n}]\npath = /r{n}\nrespond = 404\n")
    opened(daemon).end()
    wait_until(lambda: app.idle == 4, "the spare connections")
    assert app.accepted == 5


def test_U_09_a_reload_closes_the_spares_of_a_group_that_has_changed_or_gone(moongate, hall):
    app, other = hall(), hall()
    daemon = spared(moongate, app, 30)
    text = daemon.config.read_text()
    client = opened(daemon)
    reload(daemon, 1, text.replace("spare = 30", "spare = 5"))
    wait_until(lambda: app.idle == 5, "the fewer spare connections")
    reload(daemon, 2, text.replace(str(app.address[1]), str(other.address[1])))
    wait_until(lambda: app.idle == 0 and other.idle == 30, "the other server's")
    reload(daemon, 3, text.replace("spare = 30", "spare = off").replace("spare_idle = 1h", ""))
    wait_until(lambda: other.idle == 0, "none")
    client.echoes(3)  # on the connection that it had
    client.end()
    opened(daemon).end()
    assert app.requests == 2


def test_U_09_many_spares_and_many_sessions(moongate, hall):
    """Those that are idle go at once, the busy ones live on."""
    app, other = hall(), hall()
    daemon = spared(moongate, app, 5000)
    clients = [opened(daemon) for _ in range(4000)]
    wait_until(lambda: app.idle == 5000, "the spare connections")
    text = daemon.config.read_text().replace("spare = 5000", "spare = off").replace("spare_idle = 1h", "")
    reload(daemon, 1, text.replace(str(app.address[1]), str(other.address[1])))
    wait_until(lambda: app.idle == 0, "none to be left")
    assert app.now == len(clients)
    opened(daemon).end()
    for client in clients:
        client.echoes(1)
        client.end()
    assert other.requests == 1


def test_S_03_reloads_while_sessions_fill_a_server(moongate, hall, many):
    """The limit holds over generations of the configuration."""
    app = hall()
    daemon = moongate(app, group={"spare": 6, "spare_idle": "1h", "max_connections": 8}, process={"workers": 2})
    text = daemon.config.read_text()
    for n in range(1, many(1000) + 1):
        clients = [opened(daemon) for _ in range(4)]
        reload(daemon, n, text.replace("spare = 6", f"spare = {3 + n % 4}"))
        clients += [opened(daemon) for _ in range(4)]
        for client in clients:
            client.end()
        wait_until(lambda: app.now == app.idle, "the sessions to be gone")
    assert app.most <= 8
