# SPDX-License-Identifier: BSD-2-Clause
"""Groups of servers: U-04, U-07, U-10, U-11, and every key of [upstream]."""

import time
from collections import Counter

import pytest

from helpers.daemon import check_config, section, still_works, wait_until
from helpers.frames import TEXT
from helpers.kernel import Network

UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"


def url(thing):
    host, port = getattr(thing, "address", thing)
    return f"ws://{host}:{port}"


def grouped(moongate, servers, options=None, **how):
    """A daemon before a group of these servers; `options`: what stands behind each."""
    texts = [url(s) + " " + (options or {}).get(i, "") for i, s in enumerate(servers)]
    group = {"server": texts, **how.pop("group", {})}
    return moongate(servers[0], group=group, **how)


def ask(daemon, target="/app", **how):
    client = daemon.client(**how.pop("options", {}))
    client.send(client.request(target, **how))
    return client


# A listener for those who are to be given up soon; who comes by the other one has time.
HASTY = (section("listener", "hasty", {"bind": "unix:hasty.sock", "handshake_timeout": "300ms"})
         + section("route", "hasty", {"listener": "hasty", "path": "/app*", "upstream": "app"}))


def ask_hastily(daemon, clients):
    """A client of the hasty listener, whose request is there when it is accepted."""
    with daemon.frozen():
        client = clients(str(daemon.config.parent / "hasty.sock"))
        client.send(client.request("/app"))
    return client


def greeted(client):
    client.expect_101()
    return client.read_message()[1].decode()


def who(daemon, target="/app", **how):
    """The name of the application that a new client gets, which is then closed."""
    client = ask(daemon, target, **how)
    name = greeted(client)
    client.end()
    daemon.end_of(client)
    return name


def refused_so(daemon, client, status, reason):
    client.expect_refusal(status)
    line = daemon.refusal_of(client)
    assert line["status"] == str(status) and line["reason"] == reason, line
    return line


# Policies.


def test_round_robin_by_weight(moongate, apps):
    daemon = grouped(moongate, apps("abc"), {2: "weight=2"})
    assert Counter(who(daemon) for _ in range(12)) == {"a": 3, "b": 3, "c": 6}


def test_least_connections_over_workers(moongate, apps):
    daemon = grouped(moongate, apps("abcd"), {2: "weight=2", 3: "weight=4"},
                     group={"balance": "least_connections"}, process={"workers": 2})
    clients = [ask(daemon) for _ in range(80)]
    names = Counter(greeted(c) for c in clients)
    assert names == {"a": 10, "b": 10, "c": 20, "d": 40}


def test_random_two_serves_all(moongate, apps):
    daemon = grouped(moongate, apps("abc"), group={"balance": "random_two"}, process={"workers": 2})
    names = Counter(greeted(ask(daemon)) for _ in range(60))
    assert set(names) == set("abc") and min(names.values()) >= 10, names


def by_header(k):
    return {"add": [("X-User", f"user-{k}")]}


def by_cookie(k):
    return {"add": [("Cookie", f"theme=dark; user=u{k}; x=y")]}


def by_query(k):
    return {"target": f"/app?x=1&user=u{k}"}


def by_uri(k):
    return {"target": f"/app/{k}"}


def by_address(k):
    return {"options": {"source": (f"127.0.1.{k + 1}", 0)}}


@pytest.mark.parametrize("key, of", [("header X-User", by_header), ("cookie user", by_cookie),
                                     ("query user", by_query), ("uri", by_uri),
                                     ("client_address", by_address), (None, by_address)])
def test_hash(moongate, apps, key, of):
    daemon = grouped(moongate, apps("abc"), group={"balance": "hash", **({"hash_key": key} if key else {})},
                     process={"workers": 2})
    first = [who(daemon, **of(k)) for k in range(20)]
    assert [who(daemon, **of(k)) for k in range(20)] == first
    assert len(set(first)) > 1


def test_hash_moves_only_who_must(moongate, apps):
    servers = apps("abc")
    daemon = grouped(moongate, servers, group={"balance": "hash", "hash_key": "header X-User", "max_fails": 1,
                                               "fail_timeout": "1h"})
    keys = range(80)  # of which a third is b's: never none
    before = [who(daemon, **by_header(k)) for k in keys]
    servers[1].kill()
    after = [who(daemon, **by_header(k)) for k in keys]
    assert all(new == old for old, new in zip(before, after) if old != "b")
    assert "b" in before and "b" not in after


def test_hash_without_what_it_names(moongate, apps):
    daemon = grouped(moongate, apps("abc"), group={"balance": "hash", "hash_key": "cookie user"})
    assert len({who(daemon) for _ in range(6)}) == 1  # the client's address


# Servers that fail.


def test_U_10_killed_under_sessions(moongate, apps):
    victim, other = servers = apps("ab")
    daemon = grouped(moongate, servers, {1: "backup"}, group={"fail_timeout": "1h"}, process={"workers": 2})
    clients = [ask(daemon) for _ in range(1000)]
    assert {greeted(c) for c in clients} == {"a"}
    victim.kill()
    for client in clients:
        client.expect_close(1011, "upstream lost")
        client.close_frame(1011)
    assert [who(daemon) for _ in range(5)] == ["b"] * 5
    for client in clients:
        client.expect_eof()
        client.close()
    daemon.wait_line("session_end", n=1000, server=victim.text, closed_by="upstream")
    # Three could not connect, the others were not sent there any more.
    line = daemon.wait_line("server_down", server=victim.text)
    assert line["upstream"] == "app" and line["reason"] == "connection refused"
    daemon.wait_line("session_end", server=other.text)
    totals = daemon.stop()
    assert len(daemon.find("server_down")) == 1 and not daemon.find("server_up")
    assert totals["closed_by_upstream_end"] == 1000
    assert totals["tries"] == totals["server_failures"] == 3


def test_U_04_stalled(moongate, apps, clients):
    victim, _ = servers = apps("ab")
    daemon = grouped(moongate, servers, group={"max_fails": 1, "fail_timeout": "1h"}, extra=HASTY,
                     process={"log_level": "debug"})
    victim.stall()
    first = ask_hastily(daemon, clients)
    daemon.wait_line("state", to="opening")  # it has been given its server
    assert greeted(ask(daemon)) == "b"
    first.expect_refusal(504)
    daemon.wait_line("refused", status=504, reason="the upstream did not answer in time")
    daemon.wait_line("server_down", server=victim.text)
    assert [who(daemon) for _ in range(6)] == ["b"] * 6
    victim.go_on()


def test_restarted(moongate, apps):
    victim, _ = servers = apps("ab")
    daemon = grouped(moongate, servers, group={"max_fails": 1, "fail_timeout": "50ms"})
    victim.kill()
    assert [who(daemon) for _ in range(2)] == ["b"] * 2
    daemon.wait_line("server_down", server=victim.text)
    victim.start()
    wait_until(lambda: who(daemon) == "a", "the server to be tried again")
    daemon.wait_line("server_up", server=victim.text)
    assert Counter(who(daemon) for _ in range(4)) == {"a": 2, "b": 2}
    assert len(daemon.find("server_up")) == len(daemon.find("server_down")) == 1


def test_U_11_one_session_at_a_time_tries_a_server_that_was_down(moongate, apps, upstream):
    app, = apps("b")
    daemon = grouped(moongate, [upstream, app], group={"max_fails": 1, "fail_timeout": "1ms"})
    first = ask(daemon)
    upstream.accept_request().close()  # no answer: a failure
    assert greeted(first) == "b"
    daemon.wait_line("server_down")
    trials = [ask(daemon) for _ in range(2)]
    trial = upstream.accept_request()
    rest = [ask(daemon) for _ in range(10)]
    names = [greeted(c) for c in rest]
    assert names == ["b"] * 10 and upstream.nobody_came()
    trial.send(trial.answer() + trial.make(TEXT, "a"))
    assert {greeted(c) for c in trials} == {"a", "b"}
    daemon.wait_line("server_up")


def test_U_11_flapping(moongate, apps, many):
    """However often it comes and goes: everybody is served, and few are sent there in vain."""
    victim, _ = servers = apps("ab")
    daemon = grouped(moongate, servers, group={"max_fails": 1, "fail_timeout": "100ms"}, process={"workers": 2})
    flaps, begin = many(1500), time.monotonic()
    for i in range(flaps):
        victim.kill()
        assert Counter(who(daemon) for _ in range(10)) == {"b": 10}
        daemon.wait_line("server_down", n=i + 1)
        victim.start()
        wait_until(lambda: who(daemon) == "a", "the server to be tried again")
        daemon.wait_line("server_up", n=i + 1)
    passed = time.monotonic() - begin
    totals = daemon.stop()
    assert len(daemon.find("server_down")) == len(daemon.find("server_up")) == flaps
    # One finds out, and then one for each fail_timeout that passes; a bit more, as its clock is not ours.
    assert totals["server_failures"] == totals["tries"] <= flaps + passed / 0.1 * 1.1


def test_a_trial_that_leaves_is_followed_by_another(moongate, upstream):
    daemon = grouped(moongate, [upstream], group={"max_fails": 1, "fail_timeout": "1h"})
    first = ask(daemon)
    upstream.accept_request().reset()
    first.expect_refusal(502)
    daemon.wait_line("server_down")
    trial = ask(daemon)
    app = upstream.accept_request()
    refused_so(daemon, ask(daemon), 503, "no server of the upstream is up")
    trial.reset()
    assert app.expect_end() == b""
    daemon.end_of(trial)
    last = ask(daemon)
    app = upstream.accept_open()
    last.expect_101()
    daemon.wait_line("server_up")


def test_all_down(moongate, dead, upstream):
    daemon = grouped(moongate, [dead, upstream], group={"max_fails": 1, "fail_timeout": "1h"})
    client = ask(daemon)
    upstream.accept_request().close()
    refused_so(daemon, client, 502, "the upstream closed before a whole answer")
    daemon.wait_line("server_down", n=2)
    # The one that went down first is tried, then the other, which answers.
    client = ask(daemon)
    upstream.accept_open()
    client.expect_101()
    daemon.wait_line("server_up", server="%s:%d" % upstream.address)
    assert len(daemon.find("server_up")) == 1


def test_backup(moongate, apps):
    victim, _ = servers = apps("ab")
    daemon = grouped(moongate, servers, {1: "backup"}, group={"max_fails": 1, "fail_timeout": "50ms"})
    assert [who(daemon) for _ in range(4)] == ["a"] * 4
    victim.kill()
    assert [who(daemon) for _ in range(4)] == ["b"] * 4
    victim.start()
    wait_until(lambda: who(daemon) == "a", "the server to be tried again")
    assert [who(daemon) for _ in range(4)] == ["a"] * 4


def test_slow_start(moongate, apps):
    """By counts: with an hour to go, a server that came back gets next to nothing."""
    victim, _ = servers = apps("ab")
    daemon = grouped(moongate, servers, group={"max_fails": 1, "fail_timeout": "50ms", "slow_start": "1h"})
    victim.kill()
    assert [who(daemon) for _ in range(2)] == ["b"] * 2
    daemon.wait_line("server_down")
    victim.start()
    wait_until(lambda: who(daemon) == "a", "the server to be tried again")
    assert Counter(who(daemon) for _ in range(60))["a"] <= 2


def test_max_fails_off(moongate, dead):
    daemon = grouped(moongate, [dead], group={"max_fails": "off"})
    for _ in range(10):
        refused_so(daemon, ask(daemon), 502, "the upstream cannot be reached")
    assert not daemon.find("server_down")


def test_answers_do_not_count(moongate, upstream):
    """Or a client could take a server out by what it asks."""
    upstream.serve(lambda peer: (peer.read_request(), peer.send(UNAVAILABLE), peer.expect_eof()))
    daemon = grouped(moongate, [upstream], group={"max_fails": 1})
    for _ in range(5):
        ask(daemon).expect_refusal(503)
    assert not daemon.find("server_down")
    assert daemon.stop()["server_failures"] == 0


# Tries.


def bad_answers():
    return {
        "refused": None,
        "end": lambda peer: None,
        "end in the status line": lambda peer: peer.send("HTTP/1.1 10"),
        "reset": lambda peer: peer.reset(),
        "502": lambda peer: peer.send("HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"),
        "503": lambda peer: peer.send(UNAVAILABLE),
        "504": lambda peer: peer.send("HTTP/1.1 504 No\r\nContent-Length: 0\r\n\r\n"),
        "503 in pieces": lambda peer: peer.drip(UNAVAILABLE, 20),
        "503 and more": lambda peer: peer.send(UNAVAILABLE * 2),
    }


@pytest.mark.parametrize("bad", bad_answers())
def test_U_04_the_next_server(moongate, upstreams, dead, bad):
    first, second = upstreams(), upstreams()
    daemon = grouped(moongate, [dead if bad == "refused" else first, second])
    client = ask(daemon)
    client.text("early")
    if bad != "refused":
        peer = first.accept_request()
        bad_answers()[bad](peer)
        peer.close()
        one = peer.head
    app = second.accept_open()
    client.expect_101()
    app.expect_text("early")
    app.text("late")
    client.expect_text("late")
    if bad != "refused":
        assert app.head.raw == one.raw  # the same request
    client.close()
    app.expect_close(1001)
    app.close()
    line = daemon.end_of(client)
    assert line["server"] == "%s:%d" % second.address
    tried, = daemon.find("try_failed")
    assert tried.get("error") == ("connection refused" if bad == "refused" else None)
    still_works(daemon)
    assert daemon.stop()["tries"] == 1


@pytest.mark.parametrize("answer", [b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
                                    b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
                                    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
def test_other_answers_are_the_clients(moongate, upstreams, answer):
    first, second = upstreams(), upstreams()
    daemon = grouped(moongate, [first, second])
    client = ask(daemon)
    with first.accept_request() as peer:
        peer.send(answer)
        client.expect_refusal(int(answer[9:12]))
    assert second.nobody_came()


@pytest.mark.parametrize("part", ["HTTP/1.1 101 Switching Protocols\r\n", "HTTP/1.1 103 Hints\r\n\r\n",
                                  "HTTP/1.1 503 No\r\nContent-Length: 10\r\n\r\nx"])
def test_no_other_server_once_it_has_begun_to_answer(moongate, upstreams, part):
    first, second = upstreams(), upstreams()
    daemon = grouped(moongate, [first, second], group={"tries": 1 if "503" in part else 2})
    client = ask(daemon)
    with first.accept_request() as peer:
        peer.send(part)
        peer.flushed()
    refused_so(daemon, client, 502, "the upstream closed before a whole answer")
    assert second.nobody_came()


def test_tries_are_bounded(moongate, upstreams):
    servers = [upstreams() for _ in range(4)]
    daemon = grouped(moongate, servers, group={"tries": 3})
    client = ask(daemon)
    for server in servers[:3]:
        server.accept_request().close()
    refused_so(daemon, client, 502, "the upstream closed before a whole answer")
    assert servers[3].nobody_came()
    assert daemon.stop()["tries"] == 2


def test_the_last_answer_is_relayed(moongate, upstreams):
    servers = [upstreams() for _ in range(2)]
    daemon = grouped(moongate, servers, group={"tries": 5})
    client = ask(daemon)
    for i, server in enumerate(servers):
        server.accept_request().send(UNAVAILABLE.replace(b"busy", b"%d   " % i))
    assert client.expect_refusal(503).body == b"1   "
    assert daemon.stop()["relayed"] == 1


def test_an_answer_is_relayed_when_nobody_else_can_be_asked(moongate, upstreams):
    first, second = upstreams(), upstreams()
    daemon = grouped(moongate, [first, second], {1: "max_connections=1"})
    one = ask(daemon)
    first.accept_open()
    one.expect_101()
    two = ask(daemon)
    second.accept_open()
    two.expect_101()
    three = ask(daemon)
    first.accept_request().send(UNAVAILABLE)
    assert three.expect_refusal(503).body == b"busy"


def test_tries_end_with_the_deadline(moongate, dead, upstream):
    daemon = grouped(moongate, [dead, upstream], listener={"handshake_timeout": "300ms"})
    with daemon.frozen():
        client = ask(daemon)
    upstream.accept_request()
    refused_so(daemon, client, 504, "the upstream did not answer in time")
    assert len(daemon.find("try_failed")) == 1


@pytest.mark.parametrize("spare", ["off", 1])
def test_answer_timeout(moongate, upstreams, apps, spare):
    """A server that accepts and says nothing costs its own time only; the next one serves."""
    silent, app = upstreams(), apps("a")[0]
    daemon = grouped(moongate, [silent, app], group={"answer_timeout": "2s", "spare": spare, "max_fails": "off"})
    client = ask(daemon)
    assert greeted(client) == "a"
    client.end()
    assert daemon.wait_line("try_failed")["reason"] == "the upstream did not answer in time"
    still_works(daemon)
    assert daemon.stop()["server_failures"] >= 1


def test_answer_timeout_of_the_last(moongate, upstream):
    daemon = moongate(upstream, group={"answer_timeout": "200ms"}, listener={"handshake_timeout": "30s"})
    client = ask(daemon)
    peer = upstream.accept_request()
    refused_so(daemon, client, 504, "the upstream did not answer in time")
    peer.expect_end()


def test_client_leaves_between_tries(moongate, upstreams):
    first, second = upstreams(), upstreams()
    daemon = grouped(moongate, [first, second])
    client = ask(daemon)
    peer = first.accept_request()
    with daemon.frozen():
        peer.close()
        client.reset()
    still_works(daemon)


# Places and the queue.


def test_full_without_a_queue(moongate, upstreams):
    servers = [upstreams(), upstreams()]
    daemon = grouped(moongate, servers, {0: "max_connections=2"}, group={"max_connections": 1}, process={"workers": 2})
    clients = []
    for server in [servers[0], servers[1], servers[0]]:
        clients.append(ask(daemon))
        server.accept_open()
        clients[-1].expect_101()
    refused_so(daemon, ask(daemon), 503, "every server of the upstream is full")
    clients[1].close()
    daemon.end_of(clients[1])
    last = ask(daemon)
    servers[1].accept_open()
    last.expect_101()
    assert daemon.stop()["queue_refused"] == 1


def waits(daemon, n, **how):
    """One more client that waits for a place, the n-th of all."""
    client = ask(daemon, **how)
    daemon.wait_line("waiting", n=n)
    return client


def queued(moongate, upstream, route=None, **group):
    """A daemon with two workers, before a server with one place, which is taken. Whoever waits has time."""
    daemon = grouped(moongate, [upstream], group={"max_connections": 1, "queue": 5, **group}, route=route,
                     listener={"handshake_timeout": "1h"}, process={"workers": 2, "log_level": "debug"})
    holder = ask(daemon)
    holder.app = upstream.accept_open()
    holder.expect_101()
    return daemon, holder


def test_queue_is_fair_over_workers(moongate, upstream):
    many = 24  # dealt out by the kernel: never all to one worker
    daemon, holder = queued(moongate, upstream, queue=many)
    waiting = []
    for i in range(many):
        waiting.append(waits(daemon, i + 1, target=f"/app/{i}"))
        waiting[-1].text(f"early {i}")
    refused_so(daemon, ask(daemon), 503, "the upstream's queue is full")
    for i, client in enumerate(waiting):
        assert upstream.nobody_came()
        holder.close()
        holder.app.expect_close(1001)
        holder.app.close()
        holder.app = app = upstream.accept_open()
        assert app.head.target == f"/app/{i}"
        client.expect_101()
        app.expect_text(f"early {i}")
        holder, holder.app = client, app
    totals = daemon.stop()
    ids = {int(x["id"]) >> 56 for x in daemon.find("state", to="opening")}
    assert ids == {0, 1}, "both workers took part"
    assert totals["queue_waits"] == many and totals["queue_refused"] == 1


def test_queue_timeout(moongate, upstream):
    daemon, holder = queued(moongate, upstream, queue_timeout="100ms")
    client = waits(daemon, 1)
    refused_so(daemon, client, 503, "no server of the upstream had a place free in time")
    assert upstream.nobody_came()
    holder.close()
    daemon.end_of(holder)
    last = ask(daemon)
    upstream.accept_open()
    last.expect_101()
    assert daemon.stop()["queue_timeouts"] == 1


def test_queue_ends_with_the_handshake(moongate, upstream, clients):
    daemon = grouped(moongate, [upstream], group={"max_connections": 1, "queue": 5}, extra=HASTY)
    holder = ask(daemon)
    upstream.accept_open()
    holder.expect_101()
    client = ask_hastily(daemon, clients)
    client.expect_refusal(503)
    daemon.wait_line("refused", status=503, reason="no server of the upstream had a place free in time")


def test_who_leaves_the_queue_is_passed_over(moongate, upstream):
    daemon, holder = queued(moongate, upstream)
    first, second = waits(daemon, 1, target="/app/first"), waits(daemon, 2, target="/app/second")
    first.reset()
    daemon.end_of(first)
    holder.close()
    holder.app.expect_close(1001)
    holder.app.close()
    assert upstream.accept_open().head.target == "/app/second"
    second.expect_101()


@pytest.mark.parametrize("end", ["reset", "close"])
def test_a_place_is_free_with_the_end_of_its_connection(moongate, upstream, end):
    """The client that had it may be long in ending."""
    daemon, holder = queued(moongate, upstream, route={"close_timeout": "1h"})
    client = waits(daemon, 1)
    getattr(holder.app, end)()
    upstream.accept_open()
    client.expect_101()
    holder.expect_close(1011)
    holder.close()
    line = daemon.end_of(holder)
    assert line["server"] == url(upstream)[5:] and line["closed_by"] == "upstream"
    client.close()


def test_U_07_server_dies_while_all_wait(moongate, upstream):
    daemon, holder = queued(moongate, upstream, max_fails=1, fail_timeout="1h")
    clients = [waits(daemon, i + 1) for i in range(3)]
    upstream.sock.close()
    holder.app.reset()
    for client in clients:
        refused_so(daemon, client, 502, "the upstream cannot be reached")
    assert len(daemon.find("server_down")) == 1
    holder.expect_close(1011)
    holder.close()


def test_U_07_the_others_serve_when_one_dies(moongate, apps):
    servers = apps("ab")
    daemon = grouped(moongate, servers, group={"max_connections": 1, "queue": 9, "max_fails": 1, "fail_timeout": "1h"},
                     process={"workers": 2, "log_level": "debug"})
    holders = {greeted(c): c for c in [ask(daemon), ask(daemon)]}
    clients = [waits(daemon, i + 1) for i in range(3)]
    servers[0].kill()
    holders["a"].expect_close(1011)
    holders["a"].close()
    daemon.wait_line("server_down")
    holders["b"].end()
    for client in clients:
        assert greeted(client) == "b"
        client.end()


def test_stop_with_a_queue(moongate, upstream):
    daemon, holder = queued(moongate, upstream)
    clients = [waits(daemon, i + 1) for i in range(3)]
    daemon.signal()
    for client in clients:
        client.expect_refusal(503)
    holder.expect_close(1001)
    holder.close_frame(1001)
    holder.app.close()
    holder.close()
    daemon.wait_end()


def test_a_place_at_a_dead_server_is_given_back(moongate, dead):
    """Refused connections do not fill it up."""
    daemon = grouped(moongate, [dead], group={"max_connections": 1, "max_fails": "off"})
    for _ in range(10):
        refused_so(daemon, ask(daemon), 502, "the upstream cannot be reached")


# Source addresses.


def test_source_addresses_by_turns(moongate, upstream):
    daemon = moongate(upstream, group={"source": ["127.0.0.5", "127.0.0.6", "::1"]})
    seen = Counter()
    for _ in range(6):
        client = ask(daemon)
        app = upstream.accept_open()
        client.expect_101()
        seen[app.sock.getpeername()[0]] += 1
    assert set(seen) == {"127.0.0.5", "127.0.0.6"} and min(seen.values()) >= 2


def test_U_04_no_free_port_at_one_source(moongate, upstream):
    daemon = moongate(upstream, group={"source": ["127.0.0.5", "127.0.0.6"]}, faults="connect:1:EADDRNOTAVAIL")
    client = ask(daemon)
    assert upstream.accept_open().sock.getpeername()[0] == "127.0.0.6"
    client.expect_101()


def test_U_04_no_free_port(moongate, upstream):
    daemon = moongate(upstream, group={"source": ["127.0.0.5", "127.0.0.6"], "max_fails": 1},
                      faults="connect:1:EADDRNOTAVAIL:2")
    refused_so(daemon, ask(daemon), 503, "no free port")
    assert not daemon.find("server_down")  # it is not to blame
    client = ask(daemon)
    upstream.accept_open()
    client.expect_101()
    assert daemon.stop()["no_free_port"] == 1


@pytest.mark.skipif(Network.why_not() is not None, reason=str(Network.why_not()))
def test_U_04_ports_used_up(moongate, upstreams, closing):
    """For real, in a network in which there are four ports for each address."""
    with Network() as net:
        net.sysctl("net.ipv4.ip_local_port_range", "20000 20003")
        with net.enter():
            upstream = upstreams(("127.0.0.1", 9000))
        daemon = moongate(upstream, group={"source": ["127.0.0.5", "127.0.0.6"]}, wrapper=net.wrapper)

        def come(i):
            with net.enter():  # from a port that is not one of the four
                client = daemon.client(source=("127.0.0.1", 30000 + i))
            client.send(client.request("/app"))
            return client

        seen, clients = Counter(), []
        for i in range(8):
            clients.append(come(i))
            app = upstream.accept_open()
            clients[-1].expect_101()
            seen[app.sock.getpeername()[0]] += 1
        assert seen == {"127.0.0.5": 4, "127.0.0.6": 4}
        refused_so(daemon, come(8), 503, "no free port")
        # The client goes, so Moongate ends the upstream's connection last and leaves no port behind.
        clients[0].reset()
        upstream.peers[0].expect_close(1001)
        upstream.peers[0].close()
        daemon.end_of(clients[0])
        last = come(9)
        upstream.accept_open()
        last.expect_101()
        while closing:
            closing.pop(0).close()
        daemon.settle()
        assert daemon.stop()["no_free_port"] == 1


def test_source_of_another_host(moongate, upstream):
    daemon = moongate(upstream, group={"source": "192.0.2.1"})
    refused_so(daemon, ask(daemon), 503, "a source address is not one of this host")
    assert upstream.nobody_came()


def test_source_and_unix_socket(moongate, upstreams, tmp_path):
    upstream = upstreams(str(tmp_path / "app.sock"))
    daemon = moongate(upstream, group={"source": "127.0.0.5"})
    client = ask(daemon)
    upstream.accept_open()
    client.expect_101()


# Configuration.

MISTAKES = [
    ({"server": ["ws://a weight=0"]}, "want weight=1..256"),
    ({"server": ["ws://a weight=257"]}, "want weight=1..256"),
    ({"server": ["ws://a weight=2 weight=3"]}, "weight is given twice"),
    ({"server": ["ws://a heavy"]}, "behind the address want weight=N, backup or max_connections=N"),
    ({"server": ["ws://a max_connections=x"]}, "want max_connections=1..1000000"),
    ({"server": ["ws://a backup backup", "ws://b"]}, "backup is given twice"),
    ({"server": ["ws://a", "ws://a:80"]}, "given before, at line"),
    ({"server": ["ws://a backup"]}, "all servers are backups"),
    ({"server": [f"ws://a:{i + 1}" for i in range(65)]}, "65 servers: want at most 64"),
    ({"balance": "fastest"}, "want round_robin | least_connections | random_two | hash"),
    ({"hash_key": "uri"}, "does nothing: want balance = hash too"),
    ({"balance": "hash", "hash_key": "header"}, "want client_address | header NAME"),
    ({"balance": "hash", "hash_key": "uri x"}, "want client_address | header NAME"),
    ({"balance": "hash", "hash_key": "header a:b"}, "want client_address | header NAME"),
    ({"balance": "hash", "hash_key": "cookie a;b"}, "want client_address | header NAME"),
    ({"queue": "5"}, "does nothing: want max_connections too"),
    ({"queue_timeout": "5s"}, "does nothing: want queue too"),
    ({"max_fails": "off", "fail_timeout": "5s"}, "does nothing: want max_fails too"),
    ({"max_connections": "0"}, "want off | 1..1000000"),
    ({"queue": "x"}, "want off | 1..1000000"),
    ({"tries": "0"}, "want 1..64"),
    ({"max_fails": "65"}, "want off | 1..64"),
    ({"fail_timeout": "10"}, "want a time with a unit"),
    ({"slow_start": "25h"}, "want off | 1ms..24h"),
    ({"source": "localhost"}, "want ADDRESS"),
    ({"source": "127.0.0.1:80"}, "want ADDRESS"),
    ({"source": ["127.0.0.1", "127.0.0.1"]}, "given before"),
]


@pytest.mark.parametrize("keys, why", MISTAKES)
def test_mistakes(tmp_path, keys, why):
    config = tmp_path / "x.conf"
    config.write_text(section("listener", "l", {"bind": "127.0.0.1:1"})
                      + section("upstream", "u", {"server": "ws://a", **keys})
                      + section("route", "r", {"upstream": "u"}))
    status, said = check_config(config)
    assert status == 78 and why in said, said


def test_a_loop_by_one_of_several_servers(tmp_path):
    config = tmp_path / "x.conf"
    config.write_text(section("listener", "l", {"bind": "127.0.0.1:81"})
                      + section("upstream", "u", {"server": ["ws://127.0.0.1:82", "ws://127.0.0.1:81"]})
                      + section("route", "r", {"upstream": "u"}))
    status, said = check_config(config)
    assert status == 78 and "server = ws://127.0.0.1:81: a loop" in said and said.count(": a loop:") == 1, said
