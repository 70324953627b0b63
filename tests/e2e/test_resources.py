# SPDX-License-Identifier: BSD-2-Clause
"""Group R: little memory, few descriptors, slow and dead peers."""

import fcntl
import os
import re
import resource
import select
import socket
import subprocess

import pytest

from helpers.bare import Bare
from helpers.daemon import SANITIZED, Daemon, section, still_works, wait_until
from helpers.frames import BINARY, CLOSE, PING, TEXT
from helpers.kernel import Network, sockets_of, wait_consumed, wait_stuck
from helpers.peer import LIMIT, RawClient, RawUpstream
from helpers.traffic import Application, Doing, sending, sending_for_ever
from helpers.ways import case, open_pair

KIB, MIB = 1024, 1024 * 1024
SMALL = {"send_buffer": "4k", "receive_buffer": "4k"}


@pytest.fixture
def network():
    """A network namespace, for one test."""
    if why := Network.why_not():
        pytest.skip(why)
    with Network() as made:
        yield made


@pytest.fixture
def app(upstream, closing):
    """The application, which echoes on all its connections by itself."""
    closing.insert(0, Application(upstream))
    return closing[0]


def through(daemon, **options):
    """A client with an open tunnel to an application that acts by itself."""
    return daemon.client(**options).open("/app")


# Slow and silent clients.


def crowd(most):
    """So many connections, or as many as this process may have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(most, hard - 500)


def test_R_01_slowloris(moongate, upstream, app):
    daemon = moongate(upstream, listener={"handshake_timeout": "2s"})
    with daemon.frozen():  # what is sent is there with the connection
        good = daemon.client()
        head = good.request("/app")
        good.send(head)
    good.expect_101()
    n = crowd(9000)
    slow = []
    while len(slow) < n:
        with daemon.frozen():
            for _ in range(min(1000, n - len(slow))):
                slow.append(daemon.client())
                slow[-1].send(head[0])
        good.echoes(1)
        wait_until(daemon.is_asleep, "all of them to be accepted")
    waiting = {c.sock.fileno(): c for c in slow}
    poll = select.poll()
    for number in waiting:
        poll.register(number, select.POLLIN)
    at = 1
    while waiting:
        # A byte to each now and then, until it was refused.
        for number, _ in poll.poll(50):
            client = waiting.pop(number)
            poll.unregister(number)
            client.expect_refusal(408)
            client.close()
        for client in waiting.values():
            try:
                client.send(head[at % 40])
            except OSError:
                pass
        at += 1
        good.echoes(1)
    still_works(daemon)
    good.close()
    daemon.settle()
    assert daemon.stop()["refused_408"] == n


def test_R_02_connect_and_silence(moongate):
    daemon = moongate(listener={"handshake_timeout": "2s"})
    n = crowd(9000)
    silent = [daemon.client() for _ in range(n)]
    still_works(daemon)
    for client in silent:
        client.expect_eof()
        client.close()
    daemon.settle()
    still_works(daemon)
    assert daemon.stop()["silent"] == n


# Few descriptors.


@pytest.mark.parametrize("soft, hard", [(50, 300), (300, 300)])
def test_as_many_descriptors_as_are_allowed(moongate, soft, hard):
    """And the log says for how many sessions they are enough: no fewer than that are served."""
    daemon = moongate(wrapper=("prlimit", f"--nofile={soft}:{hard}"))
    line = daemon.wait_line("limits")
    assert line["descriptors"] == str(hard)
    assert resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    sessions = int(line["sessions"])
    assert hard // 2 - 30 < sessions <= hard // 2
    clients = [daemon.client().open("/still") for _ in range(sessions // 2)]  # each comes in twice
    for client in clients:
        client.echoes(1)
        client.end()
    assert not daemon.find("descriptors_exhausted")


def test_R_04_a_start_with_too_few_descriptors(tmp_path, port):
    """Whatever cannot be opened, epoll and eventfd among it: it is told, with a status that has it tried again."""
    (tmp_path / "h.lua").write_text("ngx.say('x')")
    config = tmp_path / "c.conf"
    config.write_text(section("moongate", "", {"workers": 2, "log": f"{tmp_path}/log", "access_log": f"{tmp_path}/access",
                                               "allow_root_handlers": "yes"})
                      + section("listener", "main", {"bind": [f"127.0.0.1:{port()}", f"unix:{tmp_path}/s"]})
                      + section("route", "h", {"handler": "h.lua"}))
    for n in range(6, 60):
        with case(n):
            daemon = Daemon(config, wrapper=("prlimit", f"--nofile={n}:{n}"))
            try:
                log = tmp_path / "log"
                wait_until(lambda d=daemon, f=log: d.ended or (f.exists() and " ready " in f.read_text()), "a verdict")
                if not daemon.ended:
                    break
                status = daemon.process.wait(LIMIT)
                said = daemon.log + (log.read_text() if log.exists() else "")
                # Without the libraries there is no daemon yet that could say anything.
                assert (status == 1 and "oo many open files" in said) or "shared libraries" in said, (status, said)
            finally:
                daemon.kill()
            log.unlink(missing_ok=True)
    assert 10 < n < 59, n


def exhaust(daemon, most=200):
    """Connects until the daemon takes no more. The clients that it took."""
    taken = []
    for _ in range(most):
        client = daemon.client()
        try:
            client.open("/echo")
        except (AssertionError, OSError):
            client.close()
            return taken
        taken.append(client)
    raise AssertionError("the descriptors do not end")


def test_R_03_descriptors_exhausted(moongate, many):
    daemon = moongate(wrapper=("prlimit", "--nofile=64:64"))
    taken = exhaust(daemon)
    assert len(taken) >= 20
    # Waiting peers are shed, not left to wait; those who are there do not notice.
    turns = max(many(600), 10)  # at ten a second
    for _ in range(turns):
        client = daemon.client()
        client.expect_end()
        client.close()
        for old in taken:
            old.echoes(1)
    for client in taken:
        client.end()
    # It recovers by itself.
    wait_until(lambda: works(daemon), "the daemon to take connections again")
    still_works(daemon)
    lines = [x for x in daemon.lines if x.level in ("warn", "error")]
    assert 1 <= len(lines) <= 20, lines
    assert daemon.stop()["shed"] >= turns


def works(daemon):
    try:
        still_works(daemon, 1)
    except (AssertionError, OSError):
        return False
    return True


def test_R_03_descriptors_exhausted_by_upstreams(moongate, upstream, app):
    """The last descriptor went to the client: its upstream cannot be connected."""
    daemon = moongate(upstream, wrapper=("prlimit", "--nofile=64:64"))
    seen = set()
    clients = []
    for extra in (0, 1):  # an even and an odd number of free descriptors
        taken = exhaust(daemon)
        taken.pop().end()
        if extra:
            taken.pop().end()
        clients = taken
        client = daemon.client()
        try:
            client.send(client.request("/app"))
            seen.add(client.read_head().status)
        except (AssertionError, OSError):
            seen.add(None)
        client.close()
        for c in clients:
            c.end()
        wait_until(lambda: works(daemon), "the daemon to take connections again")
    assert 503 in seen and seen <= {503, 101, None}, seen
    still_works(daemon)


@pytest.mark.parametrize("error", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED", "EPROTO", "EINTR"])
def test_R_04_accept_fails(moongate, error):
    daemon = moongate(faults=f"accept:2:{error}:5")
    for _ in range(20):
        works(daemon)
    still_works(daemon)


# Every call fails once, at each of its first uses.

ERRORS = {
    "accept": ["EMFILE"],
    "socket": ["EMFILE"],
    "connect": ["ECONNREFUSED", "EADDRNOTAVAIL"],
    "recv": ["ECONNRESET", "EINTR", "EAGAIN", "SHORT"],
    "send": ["EPIPE", "ECONNRESET", "EINTR", "EAGAIN", "SHORT"],
    "writev": ["EPIPE", "ENOBUFS", "EINTR", "EAGAIN", "SHORT"],
    "shutdown": ["ENOTCONN"],
    "setsockopt": ["ENOBUFS"],
    "socket_error": ["ETIMEDOUT"],
    "event_base": ["EMFILE"],
    "event_add": ["ENOMEM", "ENOSPC"],
    "getsockname": ["ENOBUFS"],
    "unsent": ["ENOTTY"],
    "close_reset": ["ENOBUFS"],
    "alloc": ["ENOMEM"],
}
HARMLESS = ("EINTR", "EAGAIN", "SHORT")


def short_session(daemon):
    """Everything once: a plain answer, an echo, a tunnel, and both ways to end."""
    with RawClient(daemon.address) as client:
        client.send(client.get("/nowhere"))
        client.read_body(client.expect_answer(404))
        client.open("/echo").echoes(2)
        client.end()
    with RawClient(daemon.address) as client:
        client.open("/still").echoes(2)
        client.send(client.make(TEXT, b"a", fin=False) + client.make(PING, b"p") + client.make(0, b"b"))
        client.expect_text("a", fin=False)
        f = [client.read_frame(), client.read_frame()]
        assert {x.payload for x in f} == {b"p", b"b"}
        client.send(client.make(BINARY, b"x" * 5000))
        client.expect_binary("x" * 5000)
        client.end()
    with RawClient(daemon.address) as client:
        client.open("/still").echoes(1)


CALLS = {"connect": 6, "socket_error": 6, "socket": 10, "recv": 20, "send": 20, "alloc": 30, "event_add": 20}  # that a start and three sessions make


def survives(daemon, allowed):
    """Sessions on a daemon in which calls fail: at most `allowed` of them are spoilt."""
    spoilt = []
    for _ in range(3):
        try:
            short_session(daemon)
        except (AssertionError, OSError) as e:
            spoilt.append(e)
    assert len(spoilt) <= allowed, spoilt
    if allowed > 1:
        wait_until(lambda: works(daemon), "the daemon to take connections again")
    still_works(daemon)
    daemon.settle()
    daemon.stop()


@pytest.mark.parametrize("name, error", [(n, e) for n, errors in ERRORS.items() for e in errors])
def test_R_04_R_06_each_call_fails(moongate, name, error):
    for n in range(1, CALLS.get(name, 12) + 1):
        with case(name, n, error):
            if daemon := moongate(faults=f"{name}:{n}:{error}", may_fail=True):
                # One who comes back at once may be shed more than once.
                survives(daemon, 0 if error in HARMLESS else 3 if name == "accept" else 1)


@pytest.mark.parametrize("plan", ["alloc:0:ENOMEM:100", "alloc:30:ENOMEM:30", "recv:0:SHORT:500",
                                  "send:0:SHORT:300,writev:0:SHORT:300",
                                  "send:0:EAGAIN:300,writev:0:EAGAIN:300,recv:0:EAGAIN:300",
                                  "recv:0:ECONNRESET:20,send:0:EPIPE:20,writev:0:EPIPE:20,connect:0:ETIMEDOUT:50",
                                  "accept:0:EMFILE:200,socket:0:EMFILE:200"])
def test_R_06_calls_fail_at_random(moongate, plan):
    daemon = moongate(faults=plan)
    harmless = "SHORT" in plan or "EAGAIN" in plan
    for i in range(15):
        try:
            short_session(daemon)
        except (AssertionError, OSError) as e:
            assert not harmless, f"session {i}: {e}"
    daemon.settle()
    daemon.stop()


def test_R_05_limit_lowered_at_run_time(moongate, upstream, app):
    daemon = moongate(upstream)
    old = [through(daemon) for _ in range(20)]
    limits = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (10, limits[1]))
    for client in old:
        client.echoes(1)
    waiting = [daemon.client() for _ in range(5)]
    for client in old:
        client.echoes(1)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, limits)
    wait_until(lambda: works(daemon), "the daemon to take connections again")
    for client in old:
        client.end()
    for client in waiting:
        client.close()
    still_works(daemon)


# The log.


@pytest.fixture
def bare(closing, tmp_path, port):
    """A function that starts a daemon without following its log."""

    def make(process="", **how):
        n = port()
        config = tmp_path / f"bare-{n}.conf"
        config.write_text(f"[moongate]\nworkers = 1\nlog_rate = off\n{process}"
                          f"\n[listener main]\nbind = 127.0.0.1:{n}\n[route echo]\npath = /x\necho = on\n")
        closing.append(Bare(config, ("127.0.0.1", n), **how))
        return closing[-1].wait_ready()

    return make


def traffic(daemon, n=50):
    """Sessions, each of which is a line in the log."""
    for _ in range(n):
        with RawClient(daemon.address) as client:
            client.open("/x").echoes(1)
            client.end()


def test_R_07_log_to_a_full_disk(bare):
    daemon = bare("log = /dev/full\n")
    traffic(daemon)
    daemon.stop()


def test_R_07_log_over_its_size_limit(bare, tmp_path):
    log = tmp_path / "log"
    daemon = bare(f"log = {log}\n", wrapper=("prlimit", "--fsize=2000"))
    traffic(daemon)
    daemon.stop()
    assert 1000 < log.stat().st_size <= 2000


def refusals(daemon, n):
    """That many lines in the log, by requests of one connection."""
    with RawClient(daemon.address) as client:
        for _ in range(n // 100):
            client.send(client.get("/nowhere") * 100)
            for _ in range(100):
                client.read_body(client.expect_answer(404))


def test_R_07_log_pipe_blocked(bare):
    """More lines than all queues hold: they are dropped, and nobody waits for them."""
    daemon = bare(stderr=subprocess.PIPE)
    fcntl.fcntl(daemon.process.stderr, fcntl.F_SETPIPE_SZ, 4096)
    with RawClient(daemon.address) as client:
        client.open("/x")
        for _ in range(20):
            refusals(daemon, 500)
            client.echoes(1)
    # Read again, the log goes on, and says how much is missing.
    seen = b""
    while not re.search(rb"log_lost lines=[1-9]", seen):
        got = os.read(daemon.process.stderr.fileno(), 65536)
        assert got
        seen += got
        traffic(daemon, 1)
    daemon.stop()


def test_R_07_log_pipe_blocked_at_the_end(bare):
    """It stops all the same."""
    daemon = bare(stderr=subprocess.PIPE)
    fcntl.fcntl(daemon.process.stderr, fcntl.F_SETPIPE_SZ, 4096)
    traffic(daemon, 50)
    daemon.stop()


def test_R_07_log_pipe_closed(bare):
    daemon = bare(stderr=subprocess.PIPE)
    daemon.process.stderr.close()
    traffic(daemon)
    daemon.stop()


def test_R_07_stderr_closed(bare):
    daemon = bare(wrapper=("sh", "-c", 'exec "$@" 2>&- >&- <&-', "sh"))
    traffic(daemon)
    daemon.stop()


# Time stands still.


def test_R_09_stopped_and_continued(moongate, upstream, app):
    """Longer than ping_interval and pong_timeout asleep: who has answered meanwhile stays."""
    pings = {"ping_interval": "400ms", "pong_timeout": "3s"}
    daemon = moongate(upstream, route=pings)
    other = moongate(route=pings)
    clients = [through(daemon) for _ in range(10)] + [daemon.client().open("/echo") for _ in range(10)]
    for client in clients:
        ping = client.read_frame()
        assert ping.opcode == PING
        client.ping_payload = ping.payload
    for client in clients[1::2]:  # some before, some while it sleeps
        client.pong(client.ping_payload)
    with daemon.frozen():
        for client in clients[::2]:
            client.pong(client.ping_payload)
        # That much time has passed when another daemon gives up a silent client.
        for _ in range(2):
            silent = other.client().open("/echo")
            while silent.read_frame().opcode != CLOSE:
                pass
    for client in clients:
        client.text("I am here")
        f = client.read_frame()
        while f.opcode == PING:
            client.pong(f.payload)
            f = client.read_frame()
        assert f.opcode == TEXT, f
    assert not daemon.find("session_end", cause="pong_timeout")
    for client in clients:  # and pings go on
        while client.read_frame().opcode != PING:
            pass
    still_works(daemon)


@pytest.mark.parametrize("kind", ["handshake", "message", "close", "send"])
def test_R_09_other_clocks(moongate, upstream, app, kind):
    """What came while the daemon slept came in time."""
    limits = {"message_timeout": "2s", "close_timeout": "2s", "send_timeout": "2s"}
    daemon = moongate(upstream, route=limits, listener={"handshake_timeout": "2s"})
    other = moongate(route={"message_timeout": "3s", "max_message": "1k"})
    client = daemon.client()
    if kind != "handshake":
        client.open("/app")
    whole = client.make(TEXT, b"0123456789")
    if kind == "handshake":
        client.send(client.request("/app")[:20])
    elif kind == "message":
        client.send(whole[:8])
    wait_consumed(client)
    with daemon.frozen():
        if kind == "handshake":
            client.send(client.request("/app")[20:])
        elif kind == "message":
            client.send(whole[8:])
        else:
            client.send(whole)
        silent = other.client().open("/echo")
        silent.send(silent.make(TEXT, b"", fin=False))
        while silent.read_frame().opcode != CLOSE:
            pass
    if kind == "handshake":
        client.expect_101()
        client.send(whole)
    client.expect_text("0123456789")
    client.end()
    still_works(daemon)


# Slow readers.


def test_R_10_U_21_clients_that_never_read(moongate, upstream, closing):
    flood = Application(upstream, on_frame=lambda f: b"", flood=b"\x82\x7e\x40\x00" + b"f" * 16384)
    closing.insert(0, flood)
    daemon = moongate(upstream, listener=SMALL, route={"send_timeout": "2s", "max_queue": "64k"})
    good = daemon.client().open("/echo")
    before = daemon.memory()
    n = crowd(1000)
    clients = [through(daemon, rcvbuf=4096) for _ in range(n)]
    most = 0
    for client in clients:
        client.text("go")
    while len(daemon.find("session_end", cause="send_timeout")) < n:
        select.select([], [], [], 0.01)
        most = max(most, daemon.memory())
        good.echoes(1)
    # The mark, what one read brings over it, and room for chunks.
    assert SANITIZED or most - before < n * (64 + 64 + 32) * KIB, most - before
    for client in clients:
        client.close()
    good.end()
    daemon.settle()
    still_works(daemon)
    totals = daemon.stop()
    assert totals["timeout_send"] == n and totals["pauses"] >= n


def test_R_11_reading_byte_by_byte(moongate, upstream):
    daemon = moongate(upstream, listener=SMALL, route={"max_queue": "16k"})
    client, app = open_pair(daemon, upstream, rcvbuf=4096)
    data = b"".join(app.make(BINARY, b"%06d" % i * 20) for i in range(1000))
    sender = sending(app, data)
    got = bytearray()
    while len(got) < len(data):
        got += client.sock.recv(1)
    assert got == data
    sender.join()
    still_works(daemon)


def test_R_12_window_closed_for_ever(moongate, upstream):
    daemon = moongate(upstream, listener=SMALL, route={"send_timeout": "1s"})
    client, app = open_pair(daemon, upstream, rcvbuf=4096)
    sender = sending_for_ever(app, app.make(TEXT, b"x" * 4000))
    line = daemon.wait_line("session_end", client=client.local)
    assert line["cause"] == "send_timeout"
    sender.join()
    still_works(daemon)


def test_R_13_reads_after_a_pause(moongate, upstream):
    daemon = moongate(upstream, route={"max_queue": "64k"}, listener=SMALL, group=SMALL)
    client, app = open_pair(daemon, upstream, rcvbuf=65536)
    data = b"".join(app.make(BINARY, b"%08d" % i * 2000) for i in range(1000))  # 16 MB
    sender = sending(app, data)
    wait_stuck(app, daemon)
    assert not sender.is_over()
    assert client.read(len(data)) == data
    sender.join()
    client.text("and back")
    app.expect_text("and back")
    still_works(daemon)
    assert daemon.stop()["pauses"] >= 1


@pytest.mark.parametrize("way", ["echo", "app"])
def test_R_19_tiny_buffers(moongate, upstream, app, way):
    tiny = {"send_buffer": "2k", "receive_buffer": "2k"}
    daemon = moongate(upstream, listener=tiny, group=tiny)
    client = daemon.client(rcvbuf=2048).open(f"/{way}")
    payload = os.urandom(MIB)
    sender = Doing(client.binary, payload)
    client.expect_binary(payload)
    sender.join()
    client.end()
    still_works(daemon)


# Peers that are gone without a word.


def test_R_14_client_gone_without_fin(moongate, network, tmp_path):
    with network.enter():
        upstream = RawUpstream()
    with upstream:
        daemon = moongate(upstream, route={"ping_interval": "300ms", "pong_timeout": "500ms"},
                          extra=f"[listener unix]\nbind = unix:{tmp_path}/still\n",
                          wrapper=network.wrapper)
        tcp = daemon.address
        with network.enter():
            client = RawClient(tcp)
        with client:
            client.send(client.request("/app"))
            app = upstream.accept_open()
            client.expect_101()
            network.cut(client.sock)
            app.expect_close(1001, "pong_timeout")
            app.close()
            line = daemon.wait_line("session_end", client=client.local)
            assert line["cause"] == "pong_timeout" and line["code"] == "1008"
            daemon.settle()
        with network.enter():
            still_works(daemon)


def test_R_14_upstream_gone_without_fin_while_connecting(moongate, network, tmp_path):
    with network.enter():
        upstream = RawUpstream()
    with upstream:
        network.drop(upstream.address[1])
        daemon = moongate(upstream, group={"connect_timeout": "300ms"}, wrapper=network.wrapper)
        with network.enter():
            client = RawClient(daemon.address)
        with client:
            client.send(client.request("/app"))
            client.expect_refusal(504)
        with network.enter():
            still_works(daemon)


def test_R_15_R_16_sockets_find_dead_peers(moongate, upstream):
    """Keepalive and TCP_USER_TIMEOUT, which do it, are set on both sides; on the upstream's once
    the session has lasted a third of the shorter one."""
    daemon = moongate(upstream, group={"tcp_keepalive": "3s", "tcp_user_timeout": "2s"})
    client, app = open_pair(daemon, upstream)

    def options(peer):
        sockets, found = sockets_of(daemon.pid), []
        if sockets is None:
            pytest.skip("the kernel does not give out descriptors of other processes")
        for sock in sockets:
            with sock:
                try:
                    if sock.getpeername() != peer:
                        continue
                except OSError:
                    continue
                tcp = socket.IPPROTO_TCP
                found.append([sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)] +
                             [sock.getsockopt(tcp, name) for name in (
                                 socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT,
                                 socket.TCP_USER_TIMEOUT, socket.TCP_NODELAY)])
        return found

    assert options(client.sock.getsockname()) == [[1, 30, 10, 3, 30_000, 1]]
    wait_until(lambda: options(app.sock.getsockname()) == [[1, 3, 1, 3, 2_000, 1]], "the options")
    client.text("x")
    app.expect_text("x")
    still_works(daemon)


def test_R_17_no_ephemeral_port_left(moongate, network, tmp_path):
    network.sysctl("net.ipv4.ip_local_port_range", "40000 40099")
    with network.enter():
        upstream = RawUpstream(("127.0.0.1", 9000))
    with upstream:
        path = f"{tmp_path}/main"
        daemon = moongate(upstream, listener={"bind": f"unix:{path}"}, wrapper=network.wrapper)
        daemon.address = path
        open_ones = []
        while True:
            client = daemon.client()
            client.send(client.request("/app"))
            if select.select([client.sock, upstream.sock], [], [])[0] == [client.sock]:
                break
            app = upstream.accept_open()
            client.expect_101()
            open_ones.append((client, app))
            assert len(open_ones) <= 100
        client.expect_refusal(503)
        line = daemon.wait_line("refused", status=503)
        assert "port" in line["reason"], line
        for client, app in open_ones:
            client.text("still there")
            app.expect_text("still there")
            client.close()
            app.expect_close(1001)
            app.close()
        daemon.settle()
        assert len(open_ones) == 100
        totals = daemon.stop()
        assert totals["refused_503"] == totals["no_free_port"] == 1


def test_R_06_ENOMEM_of_a_session_is_said(moongate):
    """One line and one counter tell of it."""
    for n in range(1, 40):
        daemon = moongate(faults=f"alloc:{n}:ENOMEM:1", may_fail=True)
        if not daemon:
            continue
        before = len(daemon.lines)
        spoilt = not works(daemon)
        still_works(daemon)
        daemon.settle()
        totals = daemon.stop()
        if spoilt:
            assert totals["out_of_memory"] >= 1, (n, daemon.lines[before:])
            return
