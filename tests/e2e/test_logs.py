# SPDX-License-Identifier: BSD-2-Clause
"""The log's targets, rates and rotation, and the access log: A-10 to A-13, R-07."""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import textwrap
import threading
import time

import pytest

from helpers.bare import Bare
from helpers.daemon import LINE, ROOT, SANITIZED, Line, check_config, section, still_works, wait_until
from helpers.frames import BINARY, CONT, TEXT, frame
from helpers.kernel import wait_stuck
from helpers.peer import LIMIT, RawClient
from helpers.traffic import Application
from helpers.ways import open_pair


def records(path):
    """What an access log holds: every line a whole JSON object of ASCII."""
    raw = path.read_bytes() if path.exists() else b""
    assert raw == b"" or raw.endswith(b"\n")
    return [json.loads(line.decode("ascii")) for line in raw.splitlines()]


def wait_records(path, n):
    return wait_until(lambda: (r := whole(path)) and len(r) >= n and r, f"{n} records in {path}")


def whole(path):
    """As records(), while the daemon may be in the middle of a write."""
    raw = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in raw[: raw.rfind(b"\n") + 1].splitlines()]


@pytest.fixture
def access(moongate, tmp_path):
    """A function that starts a daemon with an access log; .records(n) waits for n of them."""

    def make(upstream=None, *, process=None, **how):
        path = tmp_path / "access.log"
        daemon = moongate(upstream, process={"access_log": path, **(process or {})}, **how)
        daemon.access_log = path
        daemon.records = lambda n: wait_records(path, n)
        return daemon

    return make


# The access log.


def test_a_record_tells_what_the_client_did(access, upstream):
    daemon = access(upstream)
    client = daemon.client()
    client.send(client.request("/app/x?y=z", add=[("Origin", "http://page.example")]))
    app = upstream.accept_open()
    client.expect_101()
    ups = [
        client.make(TEXT, "hello"),
        client.make(TEXT, "frag", fin=False) + client.make(CONT, "ments"),
        client.make(BINARY, b"\0" * 300),
        client.make(9, b"ping"),
        client.make(10, b"unasked"),
    ]
    for data in ups:
        client.send(data)
    client_close = client.make(8, struct.pack("!H", 1000) + "bye \u20ac".encode())
    app.expect_text("hello")
    app.expect_text("frag", fin=False)
    app.expect_frame(CONT, b"ments")
    app.expect_binary(b"\0" * 300)
    app.expect_frame(9, b"ping")
    app.expect_frame(10, b"unasked")
    app.text("down")
    app.pong(b"ping")
    client.expect_text("down")
    client.expect_frame(10, b"ping")
    client.send(client_close)
    app.expect_close(1000)
    app.close_frame(1000, b"so long")
    client.expect_close(1000)
    client.expect_eof()
    client.close()
    app.close()
    [r] = daemon.records(1)
    line = daemon.end_of(client)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", r.pop("time"))
    for name in ("handshake_ms", "connect_ms", "duration_ms"):
        assert 0 <= r.pop(name) < LIMIT * 1000
    for name in ("queue_peak_up", "queue_peak_down"):
        assert r.pop(name, 1) > 0
    assert r == {
        "event": "end",
        "id": line["id"],
        "request": line["request"],
        "client": client.local,
        "listener": "main",
        "route": "app",
        "upstream": "app",
        "server": "%s:%d" % upstream.address,
        "method": "GET",
        "host": client.authority,
        "target": "/app/x?y=z",
        "origin": "http://page.example",
        "status": 101,
        "text_up": 2,
        "text_bytes_up": len(ups[0] + ups[1]),
        "binary_up": 1,
        "binary_bytes_up": len(ups[2]),
        "ping_up": 1,
        "ping_bytes_up": len(ups[3]),
        "pong_up": 1,
        "pong_bytes_up": len(ups[4]),
        "bytes_up": sum(map(len, ups)) + len(client_close),
        "text_down": 1,
        "text_bytes_down": 6,
        "pong_down": 1,
        "pong_bytes_down": 6,
        "bytes_down": 6 + 6 + 11,
        "client_code": 1000,
        "client_reason": "bye \u20ac",
        "upstream_code": 1000,
        "upstream_reason": "so long",
        "closed_by": "client",
        "cause": "close",
    }


def test_an_echo_counts_what_came(access):
    daemon = access()
    client = daemon.client().open("/echo")
    data = [client.make(TEXT, "a", fin=False) + client.make(CONT, "b"), client.make(BINARY, b"c" * 200)]
    for d in data:
        client.send(d)
    client.expect_text("a", fin=False)
    client.expect_frame(CONT, b"b")
    client.expect_binary(b"c" * 200)
    client.ping(b"x")
    client.expect_frame(10, b"x")
    client.end()
    [r] = daemon.records(1)
    assert (r["text_up"], r["text_bytes_up"], r["binary_up"], r["binary_bytes_up"]) == (
        1, len(data[0]), 1, len(data[1]))
    assert (r["ping_up"], r["ping_bytes_up"], r["bytes_up"]) == (1, 7, len(data[0] + data[1]) + 7 + 8)
    assert "text_down" not in r and "upstream" not in r and r["cause"] == "close"


# What a side has sent is told apart from the second kind on: each order, pings in between, all in one
# read or each alone; the close frame with a code, without one, or none at all.
@pytest.mark.parametrize("at_once", [True, False], ids=["at-once", "one-by-one"])
@pytest.mark.parametrize("kinds", ["", "t", "b", "p", "tb", "bt", "ptb", "btp", "tbtb", "bbttp", "ttpbbpt"])
def test_kinds_of_messages_in_any_order(access, upstream, kinds, at_once):
    daemon = access(upstream)
    client, app = open_pair(daemon, upstream)
    frames = [client.make({"t": TEXT, "b": BINARY, "p": 9}[k], b"m" * (i + 1)) for i, k in enumerate(kinds)]
    end = [client.make(8, struct.pack("!H", 1000)), client.make(8, b""), b""][len(kinds) % 3]
    if at_once:
        client.send(b"".join(frames) + end)
    for data in [] if at_once else frames + [end]:
        client.send(data)
    for _ in frames:
        app.read_frame()
    client.close()
    app.close()
    [r] = daemon.records(1)
    for kind, name in (("t", "text"), ("b", "binary"), ("p", "ping")):
        of_kind = [f for f, k in zip(frames, kinds) if k == kind]
        assert (r.get(f"{name}_up", 0), r.get(f"{name}_bytes_up", 0)) == (len(of_kind), sum(map(len, of_kind))), name
    assert not [name for name in r if name.endswith("_down")]


def test_own_pings_and_their_time(access):
    daemon = access(route={"ping_interval": "50ms"})
    client = daemon.client().open("/echo")
    for _ in range(3):
        ping = client.read_frame()
        assert ping.opcode == 9
        client.pong(ping.payload)
    client.text("end")
    while client.read_frame().opcode == 9:
        pass
    client.close_frame(1000)
    client.expect_end()
    client.close()
    [r] = daemon.records(1)
    assert r["pings"] >= 3 and r["pong_up"] >= 3
    assert 0 <= r["rtt_ms"] < LIMIT * 1000


def test_queues_and_pauses(access, upstream):
    daemon = access(upstream, route={"max_queue": "4k", "send_timeout": "off"})
    client, app = open_pair(daemon, upstream)
    data = frame(BINARY, b"x" * 65535)

    def flood():
        try:
            for _ in range(200):
                app.send(data)
        except OSError:
            pass

    thread = threading.Thread(target=flood)
    thread.start()
    wait_stuck(app, daemon)
    for _ in range(200):
        client.expect_binary(b"x" * 65535)
    thread.join(LIMIT)
    client.close_frame(1000)
    app.expect_close(1000)
    app.close_frame(1000)
    client.expect_close(1000)
    client.expect_eof()
    client.close()
    app.close()
    [r] = daemon.records(1)
    assert r["queue_peak_down"] >= 4096 and r["pauses_down"] > 0
    assert "queue_peak_up" not in r and "pauses_up" not in r
    assert r["binary_down"] == 200 and r["binary_bytes_down"] == 200 * len(data)


def test_plain_and_refused_requests(access, dead):
    daemon = access(dead, extra=section("route", "hello", {"path": "/hello", "respond": 204}),
                    route={"origin": "https://good.example"})
    with daemon.client() as c:
        c.send(c.get("/hello?1"))
        c.expect_answer(204)
        c.send(c.get("/nowhere"))
        c.read_body(c.expect_answer(404))
        c.send(c.request("/echo", add=[("Origin", "http://bad.example")]))
        c.expect_refusal(403)
    with daemon.client() as c:
        c.send(c.request("/app", add=[("Origin", "https://good.example")]))
        c.expect_refusal(502)
    with daemon.client() as c:
        c.send("NOT HTTP\r\n\r\n")
        c.expect_refusal(400)
    daemon.settle()
    got = daemon.records(5)
    assert [(r["status"], r["cause"], r.get("target"), r.get("reason")) for r in got] == [
        (204, "answered", "/hello?1", None),
        (404, "refused", "/nowhere", "no route for this host and path"),
        (403, "refused", "/echo", got[2]["reason"]),
        (502, "refused", "/app", "the upstream cannot be reached"),
        (400, "refused", None, got[4]["reason"]),
    ]
    assert got[2]["origin"] == "http://bad.example"
    assert got[3]["server"] == "%s:%d" % dead
    assert [r.get("error") for r in got] == [None, None, None, "connection refused", None]
    assert "text_up" not in got[0]


@pytest.mark.parametrize("given", [[], ["X-Request-ID: given"]], ids=["own", "given"])
@pytest.mark.parametrize("then", ["unrouted", "unnamed", "broken", "cut"])
def test_a_request_is_not_named_as_the_one_before_it(access, given, then):
    """On one connection: neither its id, nor who asked by what a trusted proxy said, nor its route."""
    daemon = access(listener={"trusted_proxy": "127.0.0.0/8"},
                    extra=section("route", "named", {"path": "/named", "respond": 204, "request_id": "X-Request-ID"})
                    + section("route", "bare", {"path": "/bare", "respond": 204, "request_id": "off"}))
    with daemon.client() as c:
        c.send(c.get("/named", add=["X-Forwarded-For: 192.0.2.1", *given]))
        c.expect_answer(204)
        if then == "unrouted":
            c.send(c.get("/nowhere"))
            c.read_body(c.expect_answer(404))
        elif then == "unnamed":
            c.send(c.get("/bare"))
            c.expect_answer(204)
        elif then == "broken":
            c.send("GET /bare HTTP/1.1\r\nHo st: x\r\n\r\n")
            c.expect_refusal(400)
        else:
            c.send("GET /bare HTTP/1.1\r\n")
        c.close()
    first, second = daemon.records(2)
    assert first["client"] == "192.0.2.1:0" and first["peer"] == c.local and first["route"] == "named"
    assert first["request"] == "given" if given else len(first["request"]) == 32
    assert second["client"] == c.local and "peer" not in second and "request" not in second
    assert second.get("route") == ("bare" if then == "unnamed" else None)
    lines = [x for x in daemon.find("refused") + daemon.find("session_end") if x["client"].startswith("192.0.2.1")]
    assert lines == []


def test_relayed_answer(access, upstream):
    daemon = access(upstream)
    with daemon.client() as c:
        c.send(c.request("/app"))
        app = upstream.accept_request()
        app.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        c.expect_refusal(403)
    [r] = daemon.records(1)
    assert r["status"] == 403 and r["server"] == "%s:%d" % upstream.address
    assert r["reason"] == "answered so by the upstream"


def test_silent_and_vanished(access):
    daemon = access(listener={"handshake_timeout": "200ms"})
    silent = daemon.client()
    silent.expect_eof()
    [r] = daemon.records(1)
    assert (r["cause"], r["closed_by"], r["client"]) == ("silent", "proxy", silent.local)
    assert "status" not in r
    with daemon.frozen():
        gone = daemon.client()
        gone.send(gone.request("/echo"))
    gone.expect_101()
    gone.close()
    r = daemon.records(2)[1]
    assert (r["cause"], r["closed_by"], r["status"]) == ("vanished", "client", 101)


@pytest.mark.parametrize("how", ["gone", "reset", "broken", "timed out"])
def test_a_later_request_cut_off_in_its_head_lasted_from_its_first_byte(access, how):
    """Not from the beginning of its connection, nor from the answer that the rest of it did not wait for."""
    daemon = access(listener={"handshake_timeout": "1s"},
                    extra=section("route", "hello", {"path": "/hello", "respond": 204}))
    with daemon.frozen():  # however slow the test is, the request is there with the connection
        client = daemon.client()
        client.send(client.get("/hello"))
    client.expect_answer(204)
    silent = daemon.client()
    silent.expect_eof()  # a second after it came, and so the first has lasted longer
    daemon.records(2)
    began = time.monotonic()
    client.send("GET /hello HTTP/1.1\r\nHo st: x\r\n\r\n" if how == "broken" else "GET /hello HTTP/1.1\r\n")
    client.flushed()
    if how == "gone":
        client.shutdown()
    elif how == "reset":
        client.reset()
    else:
        client.expect_refusal(400 if how == "broken" else 408)
        client.close()
    r = daemon.records(3)[2]
    lasted = (time.monotonic() - began) * 1000
    assert (r["cause"], r.get("status")) == {
        "gone": ("vanished", None), "reset": ("error", None), "broken": ("refused", 400), "timed out": ("refused", 408)}[how]
    assert (1000 if how == "timed out" else 0) <= r["duration_ms"] <= lasted + 1
    assert r.get("handshake_ms", 0) <= r["duration_ms"]


@pytest.mark.parametrize("when", ["within its head", "while the upstream is asked"])
def test_U_01_a_request_without_an_answer_has_no_status(access, upstream, when):
    """Though the one before it, on the same connection, had one."""
    daemon = access(upstream)
    client = daemon.client()
    client.send(client.get("/none"))
    client.read_body(client.expect_answer(404))
    if when == "within its head":
        client.send("GET /app HTTP/1.1\r\n")
        client.flushed()
        client.shutdown()
    else:
        client.send(client.request("/app"))
        upstream.accept_request()
        client.reset()
    assert daemon.wait_line("session_end", client=client.local)["status"] == "0"
    first, second = daemon.records(2)
    assert (first["status"], first["cause"]) == (404, "refused")
    assert "status" not in second and second["closed_by"] == "client"


def test_U_01_a_script_without_an_answer_has_no_status(lua, tmp_path):
    daemon = lua("ngx.log(ngx.WARN, 'begun') ngx.sleep(3600)", process={"access_log": tmp_path / "access.log"}, route={"close_timeout": "100ms"})
    client = daemon.client()
    client.send(client.get("/none"))
    client.read_body(client.expect_answer(404))
    client.send(client.get("/h"))
    daemon.wait_text("begun")
    client.reset()
    totals = daemon.stop()
    assert totals["responses"] == 1
    assert [r.get("status") for r in records(tmp_path / "access.log")] == [404, None]


def test_A_10_what_peers_send_breaks_no_record(access, upstream):
    """Targets, hosts, origins and close reasons with every byte that gets through; payload never."""
    daemon = access(upstream, extra=section("route", "bytes", {"path": "/b/*", "respond": 204}))
    for i in range(0x20, 0x100):
        with daemon.client() as c:
            c.send(c.get("/b/TARGET", add=["Connection: close", "Origin: ORIGIN"]).encode()
                   .replace(b"TARGET", bytes([i]) if i < 0x80 else b"x").replace(b"ORIGIN", b"a" + bytes([i]) + b'"\\b'))
            c.read_head()
            c.expect_end()
            c.close()
    for reason in ("line\r\nfeed \x1b[2J \0 \x7f", "\u0085\u2028\u2029 \U0001f642", '"}{\\', ""):
        client, app = open_pair(daemon, upstream)
        client.text("SECRET PAYLOAD")
        app.expect_text("SECRET PAYLOAD")
        client.close_frame(1000, reason.encode())
        app.expect_close(1000)
        app.close_frame(1000, reason.encode())
        client.expect_end()
        client.close()
        app.close()
        wait_until(lambda: any(r.get("client_reason", "") == reason and r["client"] == client.local
                               for r in whole(daemon.access_log)), "its record")
    daemon.settle()
    got = records(daemon.access_log)
    origins = {r["origin"] for r in got if "origin" in r}
    assert origins >= {f'a{chr(i)}"\\b' for i in range(0x80, 0x100)}
    assert len([r for r in got if r["status"] != 101]) == 0x100 - 0x20
    assert b"SECRET" not in daemon.access_log.read_bytes()
    assert "SECRET" not in daemon.log


def test_fields_sampling_and_start(access, upstream):
    daemon = access(upstream, process={"access_log_fields": "event status cause target", "access_log_start": "on"})
    client, app = open_pair(daemon, upstream)
    daemon.records(1)
    client.close_frame(1000)
    app.expect_close(1000)
    app.close_frame(1000)
    client.expect_end()
    client.close()
    app.close()
    assert daemon.records(2) == [
        {"event": "start", "target": "/app", "status": 101},
        {"event": "end", "target": "/app", "status": 101, "cause": "close"},
    ]


COUNTS = [f"{what}_{way}" for way in ("up", "down") for what in (
    "text", "text_bytes", "binary", "binary_bytes", "ping", "ping_bytes", "pong", "pong_bytes", "bytes",
    "queue_peak", "pauses")] + ["pings"]


def test_counts_of_nothing(access, upstream):
    """JSON leaves them out; times of nothing stand. What never was open has none."""
    daemon = access(upstream)
    client, app = open_pair(daemon, upstream)
    client.close()
    app.expect_close(1001)
    app.close()
    [r] = daemon.records(1)
    assert not set(COUNTS) & set(r)
    assert {"handshake_ms", "connect_ms", "duration_ms", "status"} <= set(r) and "rtt_ms" not in r


def test_counts_of_nothing_in_text(access):
    """A line has them all, in their order."""
    daemon = access(process={"access_log_format": "text"})
    with daemon.client() as c:
        c.open("/echo").end()
    daemon.settle()
    daemon.stop()
    [line] = daemon.access_log.read_text("ascii").splitlines()
    names = [word.partition("=")[0] for word in line.split() if "=" in word]
    source = (ROOT / "src/proxy/access.h").read_text("ascii")
    fields = re.findall(r"^\tX\((\w+)\)", source, re.M)
    assert [n for n in names if n in COUNTS] == [f for f in fields if f in COUNTS]
    counts = {n: Line(line)[n] for n in COUNTS}
    assert counts.pop("bytes_up") == "8" and set(counts.values()) == {"0"}


def test_sampling_keeps_what_ended_badly(access):
    daemon = access(process={"access_log_sample": "10%"})
    for _ in range(300):
        with daemon.client() as c:
            c.open("/echo").end()
    for _ in range(20):
        daemon.client().open("/echo").close()
    daemon.settle()
    daemon.stop()
    got = records(daemon.access_log)
    bad = [r for r in got if r["cause"] == "vanished"]
    assert len(bad) == 20
    assert 5 <= len(got) - len(bad) <= 80


def test_text_records_are_lines_as_of_the_log(access):
    daemon = access(process={"access_log_format": "text"})
    client = daemon.client()
    client.open('/echo?a="b"').end()
    def record():
        raw = daemon.access_log.read_text("ascii") if daemon.access_log.exists() else ""
        return raw.endswith("\n") and raw

    raw = wait_until(record, "a record")
    line = Line(raw.rstrip("\n"))
    assert (line.event, line.level, line["target"], line["client_code"]) == ("end", "info", '/echo?a="b"', "1000")


# Rotation and loss.


def rotate_under_load(path, daemon, reopened):
    """Renames it and signals, again and again, while clients come and go; all that was written."""
    done = threading.Event()
    count = [0, 0]

    def load(i):
        while not done.is_set():
            with RawClient(daemon.address) as c:
                c.open(f"/echo/{i}.{count[i]}").end()
            count[i] += 1

    threads = [threading.Thread(target=load, args=(i,)) for i in range(2)]
    for t in threads:
        t.start()
    olds = []
    for n in range(20):
        olds.append(path.with_name(f"{path.name}.{n}"))
        path.rename(olds[-1])
        daemon.signal(signal.SIGUSR1)
        wait_until(path.exists, "the new file")
        reopened(n + 1)
    done.set()
    for t in threads:
        t.join(LIMIT)
    return [*olds, path], count


def test_A_12_rotation_of_the_access_log(access):
    daemon = access(process={"workers": 2}, extra=section("route", "all", {"path": "/echo/*", "echo": "on"}))
    files, count = rotate_under_load(
        daemon.access_log, daemon,
        lambda n: daemon.wait_line("log_reopened", n, target=str(daemon.access_log)))
    daemon.settle()
    daemon.stop()
    got = [r["target"] for f in files for r in records(f)]
    assert sorted(got) == sorted(f"/echo/{i}.{n}" for i in (0, 1) for n in range(count[i]))
    assert daemon.totals["access_log_lost"] == 0


@pytest.fixture
def bare(closing, tmp_path, port):
    """A function that starts a daemon whose log is elsewhere; with these keys of [moongate]."""

    def make(keys, **how):
        address = ("127.0.0.1", port())
        config = tmp_path / f"bare-{address[1]}.conf"
        config.write_text(section("moongate", "", {"workers": 1, "log_rate": "off", "drain_timeout": "1s", **keys})
                          + section("listener", "main", {"bind": "%s:%d" % address})
                          + section("route", "echo", {"path": "/echo/*", "echo": "on"}))
        closing.append(Bare(config, address, **how))
        daemon = closing[-1].wait_ready()
        daemon.signal = daemon.process.send_signal
        return daemon

    return make


def lines_of(path):
    return [Line(x) for x in path.read_text("ascii").splitlines()]


def test_A_12_rotation_of_the_log(bare, tmp_path):
    path = tmp_path / "log"
    daemon = bare({"log": path, "access_log": tmp_path / "access.log"})

    def reopened(_):
        wait_until(lambda: any(x.event == "log_reopened" for x in lines_of(path)), "log_reopened")

    files, count = rotate_under_load(path, daemon, reopened)
    daemon.stop()
    lines = [x for f in files for x in lines_of(f)]
    assert all(LINE.match(x.text) for x in lines)
    ids = [x["id"] for x in lines if x.event == "session_end" and x["status"] == "101"]
    assert len(ids) == len(set(ids)) == sum(count)
    assert [x["log_lost"] for x in lines if x.event == "totals"] == ["0"]


def test_A_12_a_file_that_cannot_be_reopened(access, tmp_path):
    """The old one goes on, and the log says so; the next signal mends it."""
    folder = tmp_path / "logs"
    folder.mkdir()
    daemon = access(process={"access_log": folder / "a.log"})
    path, moved = folder / "a.log", tmp_path / "moved"
    folder.rename(moved)
    daemon.signal(signal.SIGUSR1)
    line = daemon.wait_line("log_reopen_failed", target=str(path))
    assert line["error"] == "no such file or directory" and line.level == "error"
    daemon.client().open("/echo").end()
    wait_records(moved / "a.log", 1)
    folder.mkdir()
    daemon.signal(signal.SIGUSR1)
    daemon.wait_line("log_reopened", target=str(path))
    daemon.client().open("/echo").end()
    wait_records(path, 1)
    assert len(records(moved / "a.log")) == 1


def test_R_07_access_log_to_a_full_disk(access):
    daemon = access(process={"access_log": "/dev/full"})
    for _ in range(10):
        daemon.client().open("/echo").end()
    daemon.wait_line("access_log_lost")
    still_works(daemon)
    totals = daemon.stop()
    assert sum(int(x["records"]) for x in daemon.find("access_log_lost")) >= 10
    assert totals["access_log_lost"] >= 1 and totals["log_lost"] == 0


def test_R_07_access_log_pipe_blocked(access, tmp_path):
    """Nobody reads it: the log itself and the traffic do not wait."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    daemon = access(process={"access_log": fifo})
    n = 300
    for _ in range(n):
        with daemon.client() as c:
            c.open("/echo").echoes(1)
            c.end()
    daemon.wait_line("access_log_lost")
    still_works(daemon)
    daemon.stop()
    lost = sum(int(x["records"]) for x in daemon.find("access_log_lost"))
    got = b""
    while chunk := os.read(reader, 65536):
        got += chunk
    os.close(reader)
    # Where it broke off, the rest of a record is missing; that one was counted, and the next is whole.
    whole_ones = [json.loads(x) for x in got.splitlines() if x.startswith(b"{") and x.endswith(b"}")]
    assert len(whole_ones) + lost >= n and len(daemon.find("session_end", cause="close")) >= n


def test_access_log_that_cannot_be_opened(daemons, tmp_path, port):
    config = tmp_path / "m.conf"
    config.write_text(section("moongate", "", {"access_log": "/nonexistent/a.log"})
                      + section("listener", "main", {"bind": f"127.0.0.1:{port()}"})
                      + section("route", "echo", {"path": "/echo", "echo": "on"}))
    daemon = daemons(config)
    daemon.wait_end(78)
    assert "[moongate] access_log = /nonexistent/a.log: no such file or directory" in daemon.log


# Rates.


def test_A_11_a_flood_of_lines_is_counted(moongate):
    daemon = moongate(process={"log_rate": "5/s"})
    n = 300
    for _ in range(n):
        daemon.client().open("/echo").end()
    daemon.wait_line("suppressed")
    daemon.settle()
    daemon.stop()
    told = len(daemon.find("session_end"))
    counted = sum(int(x["count"]) for x in daemon.find("suppressed") if x["event"] == "session_end")
    assert told + counted == n and counted > 0
    assert len(daemon.find("listening")) == 2


# Syslog and the journal.


class Service:
    """A datagram socket at a path, as syslog and the journal have."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(path))
        self.sock.settimeout(LIMIT)

    def until(self, mark):
        got = []
        while not got or mark not in got[-1]:
            got.append(self.sock.recv(1 << 20))
        return got

    def close(self):
        self.sock.close()


def fields_of(datagram):
    """A journal entry's fields."""
    out, at = {}, 0
    while at < len(datagram):
        end = datagram.index(b"\n", at)
        name, eq, value = datagram[at:end].partition(b"=")
        if eq:
            at = end + 1
        else:
            (size,) = struct.unpack_from("<Q", datagram, end + 1)
            value = datagram[end + 9 : end + 9 + size]
            assert datagram[end + 9 + size : end + 10 + size] == b"\n"
            at = end + 10 + size
        assert re.fullmatch(rb"[A-Z][A-Z0-9_]{0,63}", name), name
        out.setdefault(name.decode(), value)
    return out


def test_syslog(bare, closing, tmp_path):
    path = tmp_path / "dev-log"
    closing.append(Service(path))
    service = closing[-1]
    daemon = bare({"log": f"syslog:{path}"})
    with RawClient(daemon.address) as c:
        c.open("/echo/x").end()
    got = service.until(b"session_end")
    form = re.compile(rb"<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d moongate\[(\d+)\]: (\S+)")
    events = [form.match(x)[3] for x in got]
    assert all(int(form.match(x)[2]) == daemon.pid for x in got)
    assert events[0] == b"starting" and b"limits" in events
    assert form.match(got[-1])[1] == b"30" and not got[-1].endswith(b"\n")
    # A service that was started anew is found again, and what was lost is told.
    service.close()
    with RawClient(daemon.address) as c:
        c.open("/echo/x").end()
    path.unlink()
    closing.append(Service(path))
    with RawClient(daemon.address) as c:
        c.open("/echo/last").end()
    closing[-1].until(b"session_end")
    daemon.stop()


def test_journal(bare, closing, tmp_path):
    path, records_at = tmp_path / "journal", tmp_path / "records"
    services = [Service(path), Service(records_at)]
    closing.extend(services)
    daemon = bare({"log": f"journal:{path}", "access_log": f"journal:{records_at}"})
    with RawClient(daemon.address) as c:
        c.send(c.request("/echo/x%20y"))
        c.expect_101()
        c.end()
        client = c
    entry = fields_of(services[0].until(b"session_end")[-1])
    assert entry["MOONGATE_EVENT"] == b"session_end"
    assert entry["PRIORITY"] == b"6" and entry["SYSLOG_IDENTIFIER"] == b"moongate"
    assert entry["MESSAGE"].startswith(b"session_end id=")
    assert entry["MOONGATE_CLOSED_BY"] == b"client" and entry["MOONGATE_STATUS"] == b"101"
    assert entry["MOONGATE_CLIENT"].decode() == "%s:%d" % client_address(client)
    record = fields_of(services[1].until(b"access")[-1])
    assert record["MOONGATE_EVENT"] == b"access"
    assert json.loads(record["MESSAGE"])["target"] == "/echo/x%20y"
    daemon.stop()


def client_address(client):
    host, _, number = client.local.rpartition(":")
    return host, int(number)


def test_no_syslog_no_start(daemons, tmp_path, port):
    config = tmp_path / "m.conf"
    config.write_text(section("moongate", "", {"log": f"syslog:{tmp_path}/none"})
                      + section("listener", "main", {"bind": f"127.0.0.1:{port()}"})
                      + section("route", "echo", {"path": "/echo", "echo": "on"}))
    daemon = daemons(config)
    daemon.wait_end(78)
    assert "none: no such file or directory" in daemon.log
    status, said = check_config(config)
    assert status == 78 and f"m.conf:2: [moongate] log = syslog:{tmp_path}/none: no such file or directory" in said


# The clock.

JUMPS = """
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <stdlib.h>
    #include <time.h>
    #include <unistd.h>

    /* Wall time is an hour ahead while the file exists. */
    int clock_gettime(clockid_t id, struct timespec *t)
    {
        static int (*real)(clockid_t, struct timespec *);
        if (!real)
            real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
        int result = real(id, t);
        if (id == CLOCK_REALTIME && access(getenv("JUMP"), F_OK) == 0)
            t->tv_sec += 3600;
        return result;
    }
"""


@pytest.mark.skipif(SANITIZED, reason="the sanitizers' own interception comes first")
def test_A_13_the_clock_jumps(access, upstream, tmp_path):
    """Forth and back: sessions, pings, limits and rates go by another clock; only the log's times jump."""
    (tmp_path / "jump.c").write_text(textwrap.dedent(JUMPS))
    library = tmp_path / "jump.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, tmp_path / "jump.c"], check=True)
    jump = tmp_path / "jumped"
    daemon = access(upstream, process={"log_rate": "50/s"}, env={"LD_PRELOAD": str(library), "JUMP": str(jump)},
                    route={"idle_timeout": "10m", "max_lifetime": "20m", "pong_timeout": "20s"})
    client, app = open_pair(daemon, upstream)
    for i in range(4):
        if i % 2 == 0:
            jump.touch()
        else:
            jump.unlink()
        with daemon.client() as c:
            c.open("/echo").echoes(3)
            c.end()
        client.text(f"jump {i}")
        app.expect_text(f"jump {i}")
        [*_, last] = daemon.records(i + 1)
        assert (last["duration_ms"], last["cause"]) <= (LIMIT * 1000, "close")
    times = [r["time"] for r in daemon.records(4)]
    assert times[0] > times[1] < times[2] > times[3]  # those that came an hour ahead look later
    client.close_frame(1000)
    app.expect_close(1000)
    app.close_frame(1000)
    client.expect_end()
    client.close()
    app.close()
    assert daemon.end_of(client)["cause"] == "close"
    assert not daemon.find("suppressed")


def test_records_of_many_sessions_are_all_there(access, upstream, closing):
    """Two workers, sessions at once: one record each, whole, and nobody's id twice."""
    closing.insert(0, Application(upstream))
    daemon = access(upstream, process={"workers": 2})
    clients = [daemon.client() for _ in range(200)]
    for i, c in enumerate(clients):
        c.send(c.request(f"/app/{i}"))
    for i, c in enumerate(clients):
        c.expect_101()
        for n in range(i % 5):
            c.text(f"{n}")
            c.expect_text(f"{n}")
    for c in clients:
        c.close_frame(1000)
    for c in clients:
        c.expect_end()
        c.close()
    daemon.settle()
    got = {r["target"]: r for r in daemon.records(200)}
    assert len(got) == 200 and len({r["id"] for r in got.values()}) == 200
    for i in range(200):
        r = got[f"/app/{i}"]
        assert (r.get("text_up", 0), r.get("text_down", 0), r.get("binary_up", 0)) == (i % 5, i % 5, 0)
        assert r["client"] == clients[i].local


EVENT = re.compile(r'(?:LOG_LEVEL_(?:ERROR|WARN|INFO),|log_scarcity\([^"{]*?)\s*(?:[^";,]*\?\s*)?"([a-z_]+)"(?:\s*:\s*"([a-z_]+)")?')


def test_the_papers_tell_of_every_event():
    """But those of level debug."""
    events = {e for path in (ROOT / "src").rglob("*.c") for found in EVENT.findall(path.read_text()) for e in found if e}
    assert len(events) > 40 and {"session_end", "server_healthy", "server_down", "descriptors_exhausted"} <= events
    papers = (ROOT / "docs/operations.md").read_text()
    assert not [e for e in sorted(events) if f"`{e}`" not in papers]


def test_the_man_page_lists_the_fields(access):
    """All of them, in the order of a record."""
    page = (ROOT / "docs/moongate.conf.5").read_text("ascii")
    part = page[page.index(".SH ACCESS LOG") : page.index(".SH FILES")]
    heads = re.findall(r"\.T[PQ]\n\.BR? (.*)", part)
    names = [name for head in heads for name in re.findall(r"[a-z_]+", head)]
    source = (ROOT / "src/proxy/access.h").read_text("ascii")
    fields = re.findall(r"^\tX\((\w+)\)", source, re.M)
    assert len(names) == len(set(names)) and set(names) == set(fields)
    daemon = access(process={"access_log_fields": "\n  ".join(names)})
    daemon.client().open("/echo").end()
    [r] = daemon.records(1)
    assert list(r) == [f for f in fields if f in r]


def test_records_without_memory(access, upstream, closing):
    """Of every fifth allocation nothing comes: records may lack what was not kept, but all are whole."""
    closing.insert(0, Application(upstream))
    daemon = access(upstream, faults="alloc:0:ENOMEM:200")
    n = 200
    for i in range(n):
        try:
            with RawClient(daemon.address) as c:
                c.send(c.request(f"/app/{i}"))
                if c.read_head().status == 101:
                    c.text("x")
                    c.close_frame(1000, b"reason")
                c.expect_end()
        except (AssertionError, OSError):
            pass  # it was turned away
    daemon.settle()
    daemon.stop()  # they are written a little later
    got = records(daemon.access_log)
    assert len(got) <= n and all(r["event"] == "end" and "cause" in r for r in got)
    assert any("target" in r for r in got) and any("target" not in r for r in got)
