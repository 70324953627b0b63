# SPDX-License-Identifier: BSD-2-Clause
"""Group S, as far as one process goes: stopping, other signals; and what listeners promise."""

import os
import signal
import socket
import stat
import subprocess
import time

import pytest

from helpers.daemon import BINARY, SANITIZERS, Daemon, section, still_works, wait_until
from helpers.frames import BINARY as BINARY_FRAME
from helpers.frames import TEXT
from helpers.peer import LIMIT, RawClient
from helpers.traffic import Application
from helpers.ways import BOTH, Way, open_pair


def accepts(address):
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as s:
        return s.connect_ex(address) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_S_10_few_sessions_are_told_at_once(moongate, upstream, number):
    """Ctrl-C does not hang: with a drain_timeout of minutes, it is over when the peers have answered."""
    daemon = moongate(upstream, process={"drain_timeout": "10m"})
    pairs = [open_pair(daemon, upstream) for _ in range(5)]
    echo = daemon.client().open("/echo")
    daemon.signal(number)
    for client, app in pairs:
        client.expect_close(1001, "stopping")
        app.expect_close(1001, "stopping")
        client.close_frame(1001)
        client.expect_eof()
        client.close()
        app.close()
    echo.expect_close(1001, "stopping")
    echo.close_frame(1001)
    echo.expect_eof()
    echo.close()
    totals = daemon.wait_end()
    assert totals["drained"] == 6
    for client, _ in pairs:
        line = daemon.end_of(client)
        assert (line["cause"], line["closed_by"], line["code"]) == ("stopping", "proxy", "1001")
    assert not accepts(daemon.address)


def test_S_10_many_sessions_are_told_over_the_drain_time(moongate, upstream, closing):
    closing.insert(0, Application(upstream))
    daemon = moongate(upstream, process={"drain_timeout": "5s"}, route={"close_timeout": "20s"})
    clients = [daemon.client().open("/app" if i % 2 else "/echo") for i in range(5000)]
    daemon.signal()
    stopping = daemon.wait_line("stopping")
    assert stopping["sessions"] == "5000"
    # Spread: those that are told last still carry traffic after the first was told.
    clients[0].expect_close(1001, "stopping")
    clients[-1].echoes(1)
    for client in clients:
        if client is not clients[0]:
            client.expect_close(1001, "stopping")
        client.close_frame(1001)
        client.expect_eof()
        client.close()
    assert daemon.wait_end()["drained"] == 5000


@pytest.mark.parametrize("number, spread", [(99, "0"), (100, "600000")])
def test_S_10_from_100_sessions_on_it_takes_its_time(moongate, number, spread):
    daemon = moongate(process={"drain_timeout": "10m"})
    clients = [daemon.client().open("/echo") for _ in range(number)]
    daemon.signal()
    line = daemon.wait_line("stopping")
    assert (line["sessions"], line["spread_ms"]) == (str(number), spread)
    if spread != "0":
        daemon.signal()
        daemon.wait_line("stopping_now")
    for client in clients:
        if spread == "0":
            client.expect_close(1001, "stopping")
            client.close_frame(1001)
            client.expect_eof()
        client.close()
    daemon.wait_end()


def test_S_10_peers_that_do_not_answer(moongate, upstream):
    """They have close_timeout, then it ends all the same, with 0."""
    daemon = moongate(upstream, route={"close_timeout": "300ms"})
    pairs = [open_pair(daemon, upstream) for _ in range(3)]
    daemon.signal()
    for client, app in pairs:
        client.expect_close(1001, "stopping")
        app.expect_close(1001, "stopping")
    daemon.wait_end()


def test_S_10_second_signal_ends_at_once(moongate, upstream):
    daemon = moongate(upstream, process={"drain_timeout": "10m"}, route={"close_timeout": "10m"})
    pairs = [open_pair(daemon, upstream) for _ in range(5)]
    daemon.signal()
    for client, app in pairs:
        client.expect_close(1001, "stopping")
    daemon.signal()
    totals = daemon.wait_end()
    assert totals["drained"] == 5
    for client, app in pairs:
        client.expect_end()
        app.expect_end()


def test_S_10_second_signal_during_the_spread(moongate):
    daemon = moongate(process={"drain_timeout": "10m"})
    clients = [daemon.client().open("/echo") for _ in range(150)]
    daemon.signal()
    daemon.wait_line("stopping")
    daemon.signal()
    daemon.wait_end()
    for client in clients:
        client.expect_end()


def test_S_10_sessions_in_every_state(moongate, upstream):
    daemon = moongate(upstream)
    silent = daemon.client()
    kept = daemon.client()
    kept.send(kept.get("/nowhere"))
    kept.read_body(kept.expect_answer(404))
    half = daemon.client()
    half.send(half.request("/app")[:30])
    opening = daemon.client()
    opening.send(opening.request("/app"))
    app = upstream.accept_request()
    closing = daemon.client()
    closing.send(closing.request("/app"))
    closing_app = upstream.accept_open()
    closing.expect_101()
    closing.close_frame(1000)
    closing_app.expect_close(1000)
    daemon.signal()
    silent.expect_eof()
    kept.expect_eof()
    half.expect_refusal(503)
    opening.expect_refusal(503)
    app.expect_end()
    closing_app.close_frame(1000)
    closing.expect_close(1000)
    closing.expect_eof()
    for peer in (silent, kept, half, opening, app, closing, closing_app):
        peer.close()
    daemon.wait_end()
    assert daemon.end_of(closing)["cause"] == "close"


@pytest.mark.parametrize("who", BOTH)
def test_S_10_in_the_middle_of_a_frame(moongate, upstream, who):
    """The frame's rest still passes, then comes the Close."""
    daemon = moongate(upstream)
    with Way(daemon, upstream, who) as way:
        whole = way.frame(BINARY_FRAME, b"x" * 1000)
        way.source.send(whole[:500])
        assert way.sink.read(500) == whole[:500]
        daemon.signal()
        way.source.expect_close(1001, "stopping")
        way.source.send(whole[500:])
        assert way.sink.read(len(whole) - 500) == whole[500:]
        way.sink.expect_close(1001, "stopping")
        way.source.close_frame(1001)
        way.sink.close_frame(1001)
        way.client.expect_eof()
        way.client.close()
        way.app.close()
        daemon.wait_end()
        way.logged(cause="stopping", cut=None)


def test_S_10_what_was_accepted_still_arrives(moongate, upstream):
    daemon = moongate(upstream)
    client, app = open_pair(daemon, upstream)
    with daemon.frozen():
        client.send(b"".join(client.make(TEXT, b"message %d" % i) for i in range(100)))
        daemon.signal()
    got = []
    while (f := app.read_frame()).opcode == TEXT:
        got.append(f.payload)
    assert f.close_code == 1001
    assert got == [b"message %d" % i for i in range(100)]
    client.expect_close(1001, "stopping")
    client.close()
    app.close()
    daemon.wait_end()


# At each moment of the start.


@pytest.fixture
def config(tmp_path, port):
    """A configuration, without a daemon: (file, address)."""
    n = port()
    path = tmp_path / f"{n}.conf"
    path.write_text(section("moongate", "", {"workers": 2, "drain_timeout": "1s"})
                    + section("listener", "main", {"bind": f"127.0.0.1:{n}"})
                    + section("route", "echo", {"echo": "on"}))
    return path, ("127.0.0.1", n)


def start_lines(config):
    daemon = Daemon(config[0])
    try:
        daemon.wait_line("ready")
        count = len(daemon.lines)
        daemon.stop()
    finally:
        daemon.kill()
    return count


def test_S_11_stopped_after_each_line_of_the_start(config):
    for n in range(start_lines(config) + 1):
        for number in (signal.SIGTERM, signal.SIGINT):
            daemon = Daemon(config[0])
            try:
                wait_until(lambda d=daemon, k=n: len(d.lines) >= k, f"line {n}")
                daemon.signal(number)
                code = daemon.process.wait(LIMIT)
                # Before main() the system's rule holds.
                assert code == 0 or (n == 0 and code == -number), f"status {code} after line {n}"
            finally:
                daemon.kill()


def test_S_11_stopped_at_any_moment_of_the_start(config):
    """While the kernel loads it, the libraries, the configuration: wherever the signal lands."""
    for delay in range(0, 400, 10):
        daemon = Daemon(config[0])
        try:
            for _ in range(delay):
                os.stat(f"/proc/{daemon.pid}/status")
            daemon.signal()
            assert daemon.process.wait(LIMIT) in (0, -signal.SIGTERM)
        finally:
            daemon.kill()
    assert not accepts(config[1])


def test_S_11_session_of_the_first_moment(config):
    """A client that came before `ready` was said is served."""
    daemon = Daemon(config[0])
    try:
        wait_until(lambda: accepts(config[1]), "the listener")
        with RawClient(config[1]) as client:
            client.open("/x").echoes(3)
            client.end()
        daemon.stop()
    finally:
        daemon.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_S_11_a_check_can_be_ended(tmp_path, number):
    """However long its scripts take."""
    (tmp_path / "init.lua").write_text("io.stderr:write('begun\\n') while true do end")
    config = tmp_path / "moongate.conf"
    config.write_text("[moongate]\ninit = init.lua\nallow_root_handlers = yes\n[listener l]\nbind = 127.0.0.1:18080\n"
                      "[route r]\nhandler = init.lua\n")
    daemon = Daemon(config, args=["-t"])
    try:
        daemon.wait_text("begun")
        daemon.signal(number)
        assert daemon.process.wait(LIMIT) == -number
    finally:
        daemon.kill()


# Other signals.

IGNORED = [signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGCHLD,
           signal.SIGURG, signal.SIGWINCH, signal.SIGRTMIN, signal.SIGRTMIN + 5, signal.SIGRTMAX]


@pytest.mark.parametrize("number", IGNORED, ids=lambda n: getattr(n, "name", f"RT{n - signal.SIGRTMIN}"))
def test_S_12_signals_that_do_not_end_it(moongate, upstream, number):
    daemon = moongate(upstream)
    with Way(daemon, upstream, "client") as way:
        for _ in range(20):
            daemon.signal(number)
            way.goes_on()
    still_works(daemon)


def test_S_12_storm(moongate, upstream):
    daemon = moongate(upstream)
    begin = time.monotonic()
    with Way(daemon, upstream, "client") as way:
        for i in range(20_000):
            os.kill(daemon.pid, IGNORED[i % len(IGNORED)])
            if i % 100 == 0:
                way.goes_on()
    still_works(daemon)
    # The log does not drown in them: a line a second and signal at most.
    told = len(daemon.find("signal_ignored"))
    assert told <= len(IGNORED) * (time.monotonic() - begin + 1)


def test_S_12_signals_to_each_thread(moongate, upstream):
    daemon = moongate(upstream, process={"workers": 2})
    with Way(daemon, upstream, "client") as way:
        for task in os.listdir(f"/proc/{daemon.pid}/task"):
            for number in IGNORED:
                os.kill(int(task), number)
                way.goes_on()
    still_works(daemon)


# Listeners.


def unix_daemon(moongate, path, **keys):
    daemon = moongate(listener={"bind": f"unix:{path}", **keys})
    daemon.address = str(path)
    return daemon


def test_unix_listener(moongate, tmp_path):
    path = tmp_path / "socket"
    daemon = unix_daemon(moongate, path, mode="0606")
    assert stat.S_IMODE(path.stat().st_mode) == 0o606
    still_works(daemon)
    client = daemon.client().open("/echo")
    client.echoes(3)
    client.end()
    daemon.stop()
    assert not path.exists()


def test_unix_listener_owner_and_group(moongate, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    path = tmp_path / "socket"
    daemon = unix_daemon(moongate, path, mode="0660", owner="12345", group="23456")
    seen = path.stat()
    assert (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) == (12345, 23456, 0o660)
    still_works(daemon)


def test_unix_listener_is_never_open_to_others(moongate, tmp_path):
    """With a mode, no moment comes in which the umask's would hold."""
    path = tmp_path / "socket"
    daemon = moongate(listener={"bind": f"unix:{path}", "mode": "0600"})
    daemon.address = str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    still_works(daemon)


def test_A_06_stale_socket_file(moongate, tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
        old.listen()
    assert path.is_socket()
    daemon = unix_daemon(moongate, path)
    still_works(daemon)


def test_A_06_socket_file_of_a_killed_daemon(moongate, tmp_path):
    path = tmp_path / "socket"
    first = unix_daemon(moongate, path)
    first.process.kill()
    first.process.wait()
    first.checked = True
    assert path.is_socket()
    daemon = unix_daemon(moongate, path)
    still_works(daemon)


@pytest.mark.parametrize("kind", ["file", "directory", "symlink"])
def test_A_06_file_that_is_no_socket(config, tmp_path, kind):
    path = tmp_path / "taken"
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    else:
        (tmp_path / "target").write_text("precious")
        path.symlink_to("target")
    config[0].write_text(f"[listener main]\nbind = unix:{path}\n[route echo]\necho = on\n")
    status, said = start_fails(config[0])
    assert status == 78 and str(path) in said, said
    if kind != "directory":
        assert path.read_text() == "precious"


def start_fails(config):
    """A start that must fail. Returns (exit status, what it said)."""
    done = subprocess.run([BINARY, "-c", config], capture_output=True, timeout=LIMIT, check=False,
                          env={**os.environ, **SANITIZERS})
    return done.returncode, (done.stdout + done.stderr).decode()


def test_A_06_second_daemon_on_a_unix_socket(moongate, tmp_path):
    path = tmp_path / "socket"
    daemon = unix_daemon(moongate, path)
    client = daemon.client().open("/echo")
    status, said = start_fails(daemon.config)
    assert status == 78 and str(path) in said and "in use" in said, said
    client.echoes(3)  # the first one is unharmed, and its socket still there
    still_works(daemon)


def test_A_06_second_daemon_on_a_port(moongate):
    daemon = moongate(process={"workers": 2})
    client = daemon.client().open("/echo")
    status, said = start_fails(daemon.config)
    assert status == 78 and str(daemon.address[1]) in said and "in use" in said, said
    client.echoes(3)
    for _ in range(5):
        still_works(daemon, 10)


def test_A_06_path_too_long(config, tmp_path):
    path = tmp_path / ("x" * 120)
    config[0].write_text(f"[listener main]\nbind = unix:{path}\n[route echo]\necho = on\n")
    status, said = start_fails(config[0])
    assert status == 78 and f"{config[0]}:2:" in said, said


def test_several_binds_of_a_listener(moongate, tmp_path, port, clients):
    other = port()
    daemon = moongate(listener={"bind": [f"127.0.0.1:{other}", f"unix:{tmp_path}/s", f"[::1]:{other}"]})
    for address in [("127.0.0.1", other), f"{tmp_path}/s", ("::1", other)]:
        daemon.address = address
        clients(address).open("/echo").echoes(2)
        still_works(daemon, 5)


def test_IPv6_listener(moongate, port):
    n = port()
    daemon = moongate(listener={"bind": f"[::1]:{n}"})
    daemon.address = ("::1", n)
    client = daemon.client()
    client.send(client.request("/echo", change={"Host": f"[::1]:{n}"}))
    client.expect_101()
    client.echoes(2)
    client.end()
    line = daemon.end_of(client)
    assert line["client"].startswith("[::1]:")


def test_IPv6_only(moongate, port):
    """[::] does not take IPv4: both may stand side by side."""
    n = port()
    daemon = moongate(listener={"bind": [f"[::]:{n}", f"127.0.0.1:{n}"]})
    for address in [("::1", n), ("127.0.0.1", n)]:
        with RawClient(address) as client:
            client.send(client.request("/echo", change={"Host": "localhost"}))
            client.expect_101()
            client.echoes(2)
    daemon.address = ("127.0.0.1", n)
    still_works(daemon)


def test_IPv6_only_leaves_IPv4_alone(moongate, port):
    n = port()
    moongate(listener={"bind": f"[::]:{n}"})
    assert not accepts(("127.0.0.1", n))


@pytest.mark.parametrize("host", ["::1", "localhost"])
def test_upstream_addresses(moongate, upstreams, host):
    upstream = upstreams(("::1" if host == "::1" else "127.0.0.1", 0))
    daemon = moongate((host, upstream.address[1]))
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept_open()
    client.expect_101()
    client.text("x")
    app.expect_text("x")
    still_works(daemon)


def test_unix_upstream(moongate, upstreams, tmp_path):
    upstream = upstreams(f"{tmp_path}/app")
    daemon = moongate(upstream)
    client, app = open_pair(daemon, upstream)
    client.text("x")
    app.expect_text("x")
    app.text("y")
    client.expect_text("y")
    client.close_frame(1000)
    app.expect_close(1000)
    app.close_frame(1000)
    client.expect_close(1000)
    client.expect_eof()
    app.close()
    still_works(daemon)


def test_workers_share_a_port(moongate):
    """Connections go to all workers, and all of them stop in order."""
    daemon = moongate(process={"workers": 4})
    clients = [daemon.client().open("/echo") for _ in range(64)]
    for client in clients:
        client.echoes(2)
    for client in clients:
        client.end()
    daemon.wait_line("session_end", n=64)
    workers = {int(x["id"]) >> 56 for x in daemon.find("session_end")}
    assert len(workers) == 4, workers
    assert daemon.stop()["sessions"] == 64
