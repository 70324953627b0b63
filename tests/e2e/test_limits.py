# SPDX-License-Identifier: BSD-2-Clause
"""Limits on connections and handshakes, of listeners, routes and addresses; on control frames and
on a session's life. Addresses are those of the loopback's 127.0.0.0/8, or of a network namespace."""

import contextlib

import pytest

from helpers.daemon import check_config, section, still_works, wait_until
from helpers.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT
from helpers.kernel import Network
from helpers.peer import RawClient
from helpers.ways import ALL, BOTH, Way

HERE = "127.0.0.9"  # still_works() comes from 127.0.0.1


def from_(ip):
    return {"source": (ip, 0)}


def refused_early(daemon, client, status, reason):
    """A refusal that came without a request. Returns the head."""
    head = client.expect_refusal(status)
    assert int(head.get("Retry-After")) >= 1
    line = daemon.refusal_of(client)
    assert line["status"] == str(status) and line["reason"] == reason, line
    return head


def refused(daemon, client, status, reason, target="/echo"):
    """The upgrade is refused so."""
    client.send(client.request(target))
    return refused_early(daemon, client, status, reason)


# Of a listener.


def test_listener_max_connections(moongate):
    daemon = moongate(listener={"max_connections": 3})
    clients = [daemon.client().open("/echo"), daemon.client(), daemon.client()]
    for _ in range(3):
        refused_early(daemon, daemon.client(), 503, "max_connections of the listener")
    clients[0].echoes(10)
    clients[1].close()  # it never asked anything
    wait_until(lambda: opens(daemon), "a place to be free")
    for c in clients:
        c.close()
    daemon.settle()
    still_works(daemon)
    assert daemon.stop()["limit_connections"] >= 3


def opens(daemon, target="/echo", **how):
    """Whether a session can be opened now; it ends at once."""
    with daemon.client(**how) as client, contextlib.suppress(OSError):
        client.send(client.request(target))
        if client.read_head().status != 101:
            return False
        client.close_frame(1000)
        client.expect_end()
        return True
    return False


def test_listener_max_connections_of_all_workers(moongate):
    daemon = moongate(listener={"max_connections": 8}, process={"workers": 4})
    clients = [daemon.client().open("/echo") for _ in range(8)]
    for _ in range(16):
        refused_early(daemon, daemon.client(), 503, "max_connections of the listener")
    for c in clients:
        c.echoes(1)
        c.end()
    wait_until(lambda: opens(daemon), "a place to be free")
    daemon.settle()
    still_works(daemon)


def test_listener_refusal_reaches_a_client_that_asks(moongate):
    """The answer is not lost when the request comes after it, or with it."""
    daemon = moongate(listener={"max_connections": 1})
    held = daemon.client()
    with daemon.frozen():
        clients = [daemon.client() for _ in range(20)]
        for c in clients:
            c.send(c.request("/echo"))
    for c in clients:
        refused_early(daemon, c, 503, "max_connections of the listener")
    for _ in range(20):
        c = daemon.client()
        with contextlib.suppress(OSError):
            c.send(c.request("/echo") + "x" * 10000)
        refused_early(daemon, c, 503, "max_connections of the listener")
    held.close()
    daemon.settle()
    still_works(daemon)


def test_listener_refused_ones_do_not_stay(moongate):
    """Those who do not go by themselves are closed, and never count."""
    daemon = moongate(listener={"max_connections": 2})
    held = [daemon.client() for _ in range(2)]
    crowd = [daemon.client() for _ in range(400)]
    for c in crowd:
        assert c.read_head().status == 503
    held[0].close()
    wait_until(lambda: opens(daemon), "a place to be free")
    wait_until(lambda: daemon.count_descriptors() <= daemon.descriptors + 3, "the crowd to be gone")
    for c in crowd + held:
        c.close()
    daemon.settle()
    still_works(daemon)
    assert daemon.stop()["refused_503"] >= 400


def test_listener_max_connections_per_address(moongate):
    daemon = moongate(listener={"max_connections_per_address": 2}, process={"workers": 2})
    held = [daemon.client(**from_(HERE)).open("/echo") for _ in range(2)]
    for _ in range(4):
        refused_early(daemon, daemon.client(**from_(HERE)), 429, "max_connections_per_address of the listener")
    other = daemon.client(**from_("127.0.0.10")).open("/echo")
    still_works(daemon)
    for c in held + [other]:
        c.echoes(1)
        c.end()
    wait_until(lambda: opens(daemon, **from_(HERE)), "a place to be free")
    daemon.settle()
    totals = daemon.stop()
    assert totals["refused_429"] >= 4 and totals["limit_address_connections"] >= 4


def test_listener_limit_exempt(moongate):
    daemon = moongate(listener={"max_connections_per_address": 1, "limit_exempt": ["127.0.0.1", "127.1.0.0/16"]})
    many = [daemon.client(**from_(ip)).open("/echo") for ip in ("127.1.2.3", "127.1.2.3", "127.1.2.4") * 3]
    one = daemon.client(**from_(HERE)).open("/echo")
    refused_early(daemon, daemon.client(**from_(HERE)), 429, "max_connections_per_address of the listener")
    for c in many + [one]:
        c.echoes(1)
        c.close()
    still_works(daemon)


# Of a route.


def test_route_max_connections(moongate, upstream):
    """Before any upstream work: the application sees nothing of who is refused."""
    daemon = moongate(upstream, route={"max_connections": 2}, process={"workers": 2})
    with Way(daemon, upstream, "client"), Way(daemon, upstream, "client") as way:
        for _ in range(4):
            refused(daemon, daemon.client(), 503, "max_connections of the route", "/app")
        way.goes_on()
        still_works(daemon)  # another route
    daemon.settle()
    with Way(daemon, upstream, "client") as way:
        way.goes_on()
    totals = daemon.stop()
    assert totals["limit_connections"] == 4 and totals["connects"] == 4  # one is that of still_works()


def test_route_max_connections_per_address(moongate, upstream):
    daemon = moongate(upstream, route={"max_connections_per_address": 1})
    with Way(daemon, upstream, "client", **from_(HERE)) as way:
        refused(daemon, daemon.client(**from_(HERE)), 429, "max_connections_per_address of the route", "/app")
        daemon.client(**from_(HERE)).open("/still")
        with Way(daemon, upstream, "client", **from_("127.0.0.10")) as other:
            other.goes_on()
        way.goes_on()
    still_works(daemon)


def test_route_handshake_rate(moongate, upstream):
    daemon = moongate(upstream, route={"handshake_rate": "1/h", "handshake_burst": 3}, process={"workers": 2})
    for _ in range(3):
        with Way(daemon, upstream, "client") as way:
            way.goes_on()
    for _ in range(3):
        head = refused(daemon, daemon.client(), 503, "handshake_rate of the route", "/app")
        assert 60 < int(head.get("Retry-After")) <= 3600
    # The other route of the same settings has a rate of its own.
    daemon.client().open("/echo").end()
    still_works(daemon)
    totals = daemon.stop()
    assert totals["limit_rate"] == 3 and totals["refused_503"] == 3


def test_route_handshake_rate_per_address(moongate, upstream):
    daemon = moongate(upstream, route={"handshake_rate_per_address": "3/h"}, process={"workers": 2})
    for _ in range(3):
        with Way(daemon, upstream, "client", **from_(HERE)) as way:
            way.goes_on()
    for _ in range(3):
        head = refused(daemon, daemon.client(**from_(HERE)), 429, "handshake_rate_per_address of the route", "/app")
        assert 60 < int(head.get("Retry-After")) <= 1200
    with Way(daemon, upstream, "client", **from_("127.0.0.10")) as way:
        way.goes_on()
    still_works(daemon)
    totals = daemon.stop()
    assert totals["limit_address_rate"] == 3 and totals["refused_429"] == 3


def test_route_handshake_rate_comes_back(moongate):
    daemon = moongate(route={"handshake_rate": "20/s", "handshake_burst": 1})
    for _ in range(5):
        wait_until(lambda: opens(daemon), "the next token")
    daemon.settle()
    still_works(daemon)


def test_route_limit_exempt(moongate):
    daemon = moongate(
        defaults={"limit_exempt": "127.0.0.1"},
        route={"handshake_rate_per_address": "1/h", "max_connections_per_address": 1, "limit_exempt": HERE})
    for _ in range(3):
        daemon.client(**from_(HERE)).open("/echo")
    daemon.client().open("/echo")
    # The list of the route has replaced the one of [defaults].
    refused(daemon, daemon.client(), 429, "max_connections_per_address of the route")
    still_works(daemon)


def test_plain_requests_are_free(moongate):
    daemon = moongate(route={"handshake_rate": "1/h", "max_connections": 1})
    client = daemon.client()
    for _ in range(5):
        client.send(client.get("/echo"))
        client.read_body(client.expect_answer(426))
    client.open("/echo")
    client.end()
    still_works(daemon)


@pytest.mark.parametrize("end", ["refused", "lost", "half", "client leaves", "client resets", "violation", "upstream resets"])
def test_places_come_back_at_every_end(moongate, upstream, end):
    daemon = moongate(upstream, group={"max_fails": "off", "tries": 1},
                      route={"max_connections": 1, "max_connections_per_address": 1, "close_timeout": "2s"},
                      listener={"max_connections": 10})
    for _ in range(5):
        client = daemon.client()
        client.send(client.request("/app"))
        app = upstream.accept_request()
        if end == "refused":
            app.send("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
            client.expect_refusal(403)
        elif end == "lost":
            app.close()
            client.expect_refusal(502)
        elif end == "half":
            app.send("HTTP/1.1 101 ")
            app.close()
            client.expect_refusal(502)
        elif end == "client leaves":
            client.close()
            app.expect_end()
        else:
            app.send(app.answer())
            client.expect_101()
            if end == "client resets":
                client.reset()
                app.expect_close(1001)
            elif end == "violation":
                client.send(b"\xff\xff")
                client.expect_close(1002)
                app.expect_close(1001)
                client.expect_eof()
            else:
                app.reset()
                client.expect_close(1011)
                client.close_frame(1011)
                client.expect_eof()
        client.close()
        app.close()
        daemon.settle()
    still_works(daemon)
    assert daemon.stop()["limit_connections"] == 0


# Behind trusted proxies.


def test_limits_are_for_the_client_behind_the_proxy(moongate, upstream):
    daemon = moongate(upstream, listener={"trusted_proxy": "127.0.0.1", "max_connections_per_address": 2},
                      route={"max_connections_per_address": 1})

    def ask(who, target="/app"):
        client = daemon.client()
        client.send(client.request(target, add=[("X-Forwarded-For", who)]))
        return client

    first = ask("192.0.2.1")
    upstream.accept_open()
    first.expect_101()
    head = ask("192.0.2.1").expect_refusal(429)
    assert b"of the route" in head.body
    second = ask("192.0.2.1", "/still")
    second.expect_101()
    assert b"of the listener" in ask("192.0.2.1", "/still").expect_refusal(429).body
    other = ask("192.0.2.2")
    upstream.accept_open()
    other.expect_101()
    # Who is not trusted says nothing.
    with daemon.client(**from_(HERE)) as client:
        client.send(client.request("/app", add=[("X-Forwarded-For", "192.0.2.1")]))
        upstream.accept_open()
        client.expect_101()


# IPv6, and addresses that are not of the loopback.


@pytest.fixture
def network():
    if why := Network.why_not():
        pytest.skip(why)
    with Network() as made:
        yield made


@pytest.fixture
def in_network(network, daemons, port, tmp_path):
    """A function: a daemon in a namespace with these addresses, with keys for its listener and its
    echo route. Gives it and a function that connects a client from one of them."""

    @contextlib.contextmanager
    def run(addresses, listener, route):
        for address in addresses:
            network.ip("addr", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
        number = port()
        text = section("moongate", "", {"workers": 2, "drain_timeout": "1s"})
        text += section("listener", "main", {"bind": [f"0.0.0.0:{number}", f"[::]:{number}"], **listener})
        text += section("route", "echo", {"path": "/echo", "echo": "on", **route})
        config = tmp_path / "network.conf"
        config.write_text(text)
        daemon = daemons(config, wrapper=network.wrapper).wait_ready()
        clients = []

        def client(source):
            to = "::1" if ":" in source else "127.0.0.1"
            with network.enter():
                clients.append(RawClient((to, number), source=(source, 0)))
            return clients[-1]

        try:
            yield daemon, client
        finally:
            for c in clients:
                c.close()

    return run


@pytest.mark.parametrize("bits, same, other", [
    (64, "2001:db8::2", "2001:db8:0:1::1"),
    (48, "2001:db8:0:ffff::1", "2001:db8:1::1"),
    (128, "2001:db8::1", "2001:db8::2"),
])
def test_ipv6_by_prefix(in_network, bits, same, other):
    addresses = {f"{a}/128" for a in ("2001:db8::1", same, other)}
    with in_network(sorted(addresses), {}, {"max_connections_per_address": 1, "address_prefix_ipv6": bits}) as (daemon, client):
        client("2001:db8::1").open("/echo")
        refused(daemon, client(same), 429, "max_connections_per_address of the route")
        client(other).open("/echo").echoes(1)


def test_ipv6_by_prefix_at_the_door(in_network):
    addresses = ["2001:db8::1/128", "2001:db8::2/128", "2001:db8:0:1::1/128", "192.0.2.1/32", "192.0.2.2/32"]
    with in_network(addresses, {"max_connections_per_address": 1}, {}) as (daemon, client):
        client("2001:db8::1").open("/echo")
        refused_early(daemon, client("2001:db8::2"), 429, "max_connections_per_address of the listener")
        client("2001:db8:0:1::1").open("/echo").echoes(1)
        client("192.0.2.1").open("/echo")
        refused_early(daemon, client("192.0.2.1"), 429, "max_connections_per_address of the listener")
        client("192.0.2.2").open("/echo").echoes(1)


def test_rate_by_ipv6_prefix(in_network):
    addresses = [f"2001:db8::{i}/128" for i in range(1, 6)] + ["2001:db8:0:1::1/128"]
    with in_network(addresses, {}, {"handshake_rate_per_address": "3/h"}) as (daemon, client):
        for i in range(1, 4):
            client(f"2001:db8::{i}").open("/echo").end()
        refused(daemon, client("2001:db8::4"), 429, "handshake_rate_per_address of the route")
        client("2001:db8:0:1::1").open("/echo").end()


# The table of addresses.


def test_address_table_is_bounded(moongate):
    """More addresses than it holds: all are let through, and that is counted."""
    daemon = moongate(process={"address_table": 1000}, listener={"max_connections_per_address": 1})
    held = []
    for i in range(1300):
        held.append(daemon.client(**from_(f"127.2.{i // 250}.{i % 250 + 1}")))
    held[-1].open("/echo").echoes(1)
    for c in held:
        c.close()
    daemon.settle()
    # Now there is room again.
    one = daemon.client(**from_(HERE)).open("/echo")
    refused_early(daemon, daemon.client(**from_(HERE)), 429, "max_connections_per_address of the listener")
    one.end()
    still_works(daemon)
    totals = daemon.stop()
    assert totals["address_table_full"] >= 1300 - 1024
    assert totals["refused_429"] == 1


def test_address_table_forgets_the_idle(moongate):
    daemon = moongate(process={"address_table": 1000}, route={"handshake_rate_per_address": "1/h"})
    for i in range(1300):
        daemon.client(**from_(f"127.2.{i // 250}.{i % 250 + 1}")).open("/echo").close()
    assert daemon.stop()["address_table_full"] == 0


# max_control_rate.


@pytest.mark.parametrize("what", ["ping", "pong", "both"])
@pytest.mark.parametrize("who", ALL)
def test_F_20_control_frames_are_limited(moongate, upstream, who, what):
    daemon = moongate(upstream, route={"max_control_rate": 50})
    quiet = daemon.client().open("/echo")
    with Way(daemon, upstream, who) as way:
        one = {"ping": way.frame(PING, b"?"), "pong": way.frame(PONG, b"!"),
               "both": way.frame(PING, b"?") + way.frame(PONG, b"!")}[what]
        way.goes_on()
        with contextlib.suppress(OSError):
            way.source.send(one * 100_000)
        for peer in {way.client, way.app} - {None}:
            while (f := peer.read_frame()).opcode in (PING, PONG):
                pass
            assert f.opcode == CLOSE and f.close_code == 1008 and f.close_reason == "max_control_rate"
        way.close()
        way.logged(cause="max_control_rate", closed_by="proxy", code=1008)
    quiet.echoes(10)
    still_works(daemon)
    assert daemon.stop()["max_control_rate"] == 1


@pytest.mark.parametrize("who", ALL)
def test_F_20_by_default(moongate, upstream, who):
    """A thousand in a second, and not many more."""
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        way.passes(way.frame(BINARY, b"x"))
        with contextlib.suppress(OSError):
            for _ in range(100):
                way.source.send(way.frame(PONG, b"") * 1000)
        while (f := way.client.read_frame()).opcode == PONG:
            pass
        assert f.opcode == CLOSE and f.close_code == 1008 and f.close_reason == "max_control_rate"
        way.close()
        way.logged(cause="max_control_rate")
    still_works(daemon)


@pytest.mark.parametrize("who", ALL)
def test_F_16_endless_empty_fragments_are_limited(moongate, upstream, who):
    daemon = moongate(upstream, route={"max_control_rate": 50})
    with Way(daemon, upstream, who) as way:
        with contextlib.suppress(OSError):
            way.source.send(way.frame(TEXT, b"", fin=False) + way.frame(CONT, b"", fin=False) * 100_000)
        for peer in {way.client, way.app} - {None}:
            while (f := peer.read_frame()).opcode in (TEXT, CONT):
                assert f.payload == b"" and not f.fin
            assert f.opcode == CLOSE and f.close_code == 1008 and f.close_reason == "max_control_rate"
        way.close()
        way.logged(cause="max_control_rate", closed_by="proxy", code=1008)
    still_works(daemon)
    assert daemon.stop()["max_control_rate"] == 1


@pytest.mark.parametrize("who", ALL)
def test_F_25_empty_messages_are_not_limited(moongate, upstream, who):
    daemon = moongate(upstream, route={"max_control_rate": 1})
    with Way(daemon, upstream, who) as way:
        for _ in range(20):
            way.passes(way.frame(TEXT, b"") * 500 + (way.frame(TEXT, b"x", fin=False) + way.frame(CONT, b"")) * 50)
    still_works(daemon)


# max_lifetime.


@pytest.mark.parametrize("who", BOTH)
def test_max_lifetime(moongate, upstream, who):
    daemon = moongate(upstream, route={"max_lifetime": "300ms"})
    with Way(daemon, upstream, who, early="x") as way:
        way.sink.expect_text("x")
        for peer in (way.client, way.app):
            peer.expect_close(1001, "max_lifetime")
            peer.close_frame(1001)
        way.client.expect_eof()
        way.app.expect_eof()
        way.close()
        way.logged(cause="max_lifetime", closed_by="proxy", code=1001)
    still_works(daemon)
    assert daemon.stop()["max_lifetime"] == 1


def test_max_lifetime_of_a_busy_echo(moongate):
    daemon = moongate(route={"max_lifetime": "300ms"})
    client = daemon.client().open("/echo")
    f = None
    while f is None or f.opcode == TEXT:
        client.text("busy")
        f = client.read_frame()
    assert f.opcode == CLOSE and f.close_code == 1001 and f.close_reason == "max_lifetime"
    client.close()
    still_works(daemon)


# What is refused in a configuration.


@pytest.mark.parametrize("where, key, value, why", [
    ("listener", "max_connections", "0", "want off | 1..10000000"),
    ("listener", "max_connections", "many", "want off | 1..10000000"),
    ("listener", "max_connections_per_address", "-1", "want off | 1..10000000"),
    ("listener", "address_prefix_ipv6", "129", "want 1..128"),
    ("listener", "limit_exempt", "10.0.0.0/33", "want"),
    ("listener", "limit_exempt", "10.0.0.0/8", "does nothing: want max_connections_per_address too"),
    ("listener", "handshake_rate", "1/s", "it belongs in [route NAME]"),
    ("route", "handshake_rate", "100", "want a rate with its unit, such as 100/s, 30/m or 5/h"),
    ("route", "handshake_rate", "0/s", "want off | N/s | N/m | N/h, N of 1..1000000"),
    ("route", "handshake_rate", "1/d", "want off | N/s | N/m | N/h, N of 1..1000000"),
    ("route", "handshake_rate", "1000001/s", "want off | N/s | N/m | N/h, N of 1..1000000"),
    ("route", "handshake_rate", "99999999999999999999/s", "want off | N/s | N/m | N/h"),
    ("route", "handshake_rate_per_address", "1.5/s", "want off | N/s | N/m | N/h"),
    ("route", "handshake_burst", "5", "does nothing: want handshake_rate too"),
    ("route", "handshake_burst_per_address", "5", "does nothing: want handshake_rate_per_address too"),
    ("route", "limit_exempt", "::1", "does nothing: want max_connections_per_address or handshake_rate_per_address too"),
    ("route", "limit_exempt", "localhost", "want"),
    ("route", "max_control_rate", "60001", "want off | 1..60000"),
    ("route", "max_lifetime", "5", "want a time with a unit, such as 10s"),
    ("moongate", "address_table", "10", "want 1000..100000000"),
])
def test_wrong_values(tmp_path, where, key, value, why):
    sections = {"moongate": {}, "listener": {"bind": "127.0.0.1:1"}, "route": {"echo": "on"}}
    sections[where][key] = value
    config = tmp_path / "wrong.conf"
    config.write_text("".join(section(k, "" if k == "moongate" else "x", v) for k, v in sections.items()))
    status, said = check_config(config)
    assert status == 78 and f"{key} = {value}: " in said and why in said, said


@pytest.mark.parametrize("values, why", [
    (["none", "::1"], "want none alone"),
    (["::1", "none"], "want none alone"),
])
def test_exempt_none_stands_alone(tmp_path, values, why):
    config = tmp_path / "wrong.conf"
    config.write_text(section("listener", "x", {"bind": "127.0.0.1:1"}) +
                      section("route", "x", {"echo": "on", "max_connections_per_address": 1, "limit_exempt": values}))
    status, said = check_config(config)
    assert status == 78 and why in said, said
