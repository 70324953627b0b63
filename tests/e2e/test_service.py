# SPDX-License-Identifier: BSD-2-Clause
"""The daemon as a service: what it says to its manager, sockets that it is given, rights that it gives up."""

import os
import pwd
import re
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from helpers import sandbox
from helpers.daemon import BINARY, LIMIT, ROOT, SANITIZED, SANITIZERS, check_config, section, still_works, wait_until
from helpers.peer import RawClient
from helpers.supervisor import Supervisor, listening

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
PLAIN_ONLY = pytest.mark.skipif(SANITIZED, reason="the sanitizers make system calls of their own")
NOBODY = pwd.getpwnam("nobody")
# Nobody may trace itself any more, so the search for leaks cannot.
NO_LEAKS = {"ASAN_OPTIONS": SANITIZERS["ASAN_OPTIONS"].replace("detect_leaks=1", "detect_leaks=0")}
UNITS = ROOT / "systemd"


@pytest.fixture
def folder():
    """A folder that every user can enter, but only root can write to."""
    path = Path(tempfile.mkdtemp(prefix="moongate-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def write(path, bind, process=None, listener=None, extra=""):
    """A configuration with an echo at /echo."""
    text = section("moongate", "", {"workers": 2, "drain_timeout": "1s", **(process or {})})
    text += section("listener", "main", {"bind": bind, **(listener or {})})
    text += section("route", "echo", {"path": "/echo", "echo": "on"})
    path.write_text(text + extra)
    path.chmod(0o644)
    return path


@pytest.fixture
def supervisors(folder):
    """A function that makes a Supervisor on a configuration with those binds."""
    made = []

    def make(bind, *, process=None, listener=None, extra="", **how):
        config = write(folder / f"{len(made)}.conf", bind, process, listener, extra)
        made.append(Supervisor(config, **how))
        return made[-1]

    yield make
    for s in made:
        s.close()


def echoes(address, n=3):
    with RawClient(address) as client:
        client.open("/echo").echoes(n)
        client.end()


def starts(config, *, env=None, wrapper=(), args=()):
    """A start that must fail. Returns (exit status, what it said)."""
    done = subprocess.run([*wrapper, BINARY, "-c", config, *args], capture_output=True, timeout=LIMIT,
                          check=False, env={**os.environ, **SANITIZERS, **NO_LEAKS, **(env or {})})
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


# Messages.


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_S_15_messages_in_order(supervisors, port, abstract):
    n = port()
    s = supervisors(f"127.0.0.1:{n}", abstract=abstract)
    daemon = s.start()
    ready = s.ready()
    assert int(ready["MAINPID"]) == daemon.pid == ready["pid"]
    assert "2 workers" in ready["STATUS"]
    echoes(("127.0.0.1", n))  # ready means that it accepts
    daemon.signal()
    stopping = s.expect("STOPPING")
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 10_000_000
    daemon.wait_end()
    assert s.hear() is None
    assert [m for m in s.messages if "WATCHDOG" in m] == []  # nobody asked for it


def test_S_15_stopped_before_it_was_ready(supervisors, port):
    """The signal comes at any moment of the start: what was said is in order all the same."""
    s = supervisors(f"127.0.0.1:{port()}")
    for delay in range(0, 300, 30):
        daemon = s.start()
        for _ in range(delay):
            os.stat(f"/proc/{daemon.pid}/status")
        daemon.signal()
        assert daemon.process.wait(LIMIT) in (0, -signal.SIGTERM)
        keys = []
        while message := s.hear():
            keys += [k for k in message if k in ("READY", "STOPPING", "RELOADING")]
        assert keys in ([], ["READY"], ["READY", "STOPPING"]), keys


def test_S_15_a_long_drain_asks_for_time_again(supervisors, port):
    n = port()
    s = supervisors(f"127.0.0.1:{n}", extra=section("defaults", "", {"close_timeout": "20s"}),
                    process={"drain_timeout": "10s"})
    s.start()
    s.ready()
    with RawClient(("127.0.0.1", n)) as client:
        client.open("/echo")
        s.daemon.signal()
        first = s.expect("STOPPING")
        client.expect_close(1001)  # and is silent about it
        again = s.expect("EXTEND_TIMEOUT_USEC")
        assert "STOPPING" not in again
        assert "1 sessions left" in first["STATUS"] and "1 sessions left" in again["STATUS"]
        assert (again["time"] - first["time"]) * 1e6 < int(first["EXTEND_TIMEOUT_USEC"])
        client.close_frame(1001)
        client.expect_eof()
    s.daemon.wait_end()


def test_S_15_refused_start_is_never_ready(supervisors):
    s = supervisors("127.0.0.1:1x")
    s.start().process.wait(LIMIT)
    assert s.daemon.process.returncode == 78
    assert s.hear() is None


@pytest.mark.parametrize("variable, value", [
    ("NOTIFY_SOCKET", "nonsense"), ("NOTIFY_SOCKET", "/" + 120 * "x"), ("WATCHDOG_USEC", "soon"),
    ("LISTEN_FDS", "many"), ("LISTEN_FDS", "999")])
def test_S_15_environment_that_makes_no_sense(folder, port, variable, value):
    config = write(folder / "c", f"127.0.0.1:{port()}")
    wrapper = ["bash", "-c", 'LISTEN_PID=$$ exec "$@"', "bash"]
    status, said = starts(config, env={"NOTIFY_SOCKET": f"{folder}/none", variable: value}, wrapper=wrapper)
    assert status == 1
    assert variable in said and value[:40] in said, said


def test_S_15_manager_that_went_away(supervisors, port):
    """The service goes on without one."""
    n = port()
    s = supervisors(f"127.0.0.1:{n}", watchdog=0.2)
    s.start()
    s.ready()
    s.notify.close()
    s.daemon.wait_line("notify_failed")
    echoes(("127.0.0.1", n))
    s.stop()
    assert len(s.daemon.find("notify_failed")) == 1


# The watchdog.


def test_S_14_idle_daemon_feeds_the_watchdog(supervisors, port):
    s = supervisors(f"127.0.0.1:{port()}", watchdog=1)
    s.start()
    s.ready()
    for _ in range(6):
        s.expect("WATCHDOG", skip=())
    s.stop()


def test_S_14_draining_daemon_feeds_the_watchdog(supervisors, port):
    n = port()
    s = supervisors(f"127.0.0.1:{n}", watchdog=0.5)
    s.start()
    s.ready()
    with RawClient(("127.0.0.1", n)) as client:
        client.open("/echo")
        s.daemon.signal()
        s.expect("STOPPING")
        for _ in range(3):
            s.expect("WATCHDOG")
        client.expect_close(1001)
        client.close_frame(1001)
        client.expect_eof()
    s.daemon.wait_end()


def test_S_14_watchdog_of_another_process(supervisors, port):
    s = supervisors(f"127.0.0.1:{port()}", watchdog=0.1)
    s.start(WATCHDOG_PID="1")
    s.ready()
    s.stop()
    s.expect("STOPPING", skip=())  # no WATCHDOG=1 before it


def knock(address, n):
    """Every connection makes loops turn."""
    for _ in range(n):
        with socket.create_connection(address):
            pass


def test_S_14_worker_that_is_stuck(supervisors, port):
    n = port()
    s = supervisors(f"127.0.0.1:{n}", watchdog=2, faults=True, env={"MOONGATE_FAULTS": "turn:40:EDEADLK"})
    s.start()
    s.ready()
    s.watch(until=lambda: knock(("127.0.0.1", n), 1))  # for as many turns as it takes
    assert s.killed == 1
    assert s.daemon.process.returncode == -signal.SIGABRT
    assert len(s.daemon.find("worker_stuck")) == 1
    s.start(MOONGATE_FAULTS="")
    s.ready()
    echoes(("127.0.0.1", n))
    s.stop()


def test_S_18_worker_that_dies_takes_the_process_with_it(supervisors, port):
    n = port()
    s = supervisors(f"127.0.0.1:{n}", faults=True, env={"MOONGATE_FAULTS": "turn:40:EFAULT"})
    s.start()
    s.ready()
    knock_until_gone(s.daemon, ("127.0.0.1", n))
    assert s.daemon.process.returncode == -signal.SIGABRT
    s.start(MOONGATE_FAULTS="")
    s.ready()
    echoes(("127.0.0.1", n))
    s.stop()


def knock_until_gone(daemon, address):
    def is_gone():
        try:
            knock(address, 1)
        except OSError:
            pass
        return daemon.process.poll() is not None

    wait_until(is_gone, "the daemon to end")


# Sockets that are passed on.


def test_S_13_killed_and_restarted_on_the_kept_socket(supervisors, many):
    """No connection is refused, and those that wait meanwhile are served."""
    held = listening()
    address = held.getsockname()
    s = supervisors("fd:web", sockets=[("web", held)])
    refused, served, going = [], [], True

    def visit():
        while going:
            try:
                with RawClient(address) as client:
                    client.open("/echo").echoes(1)
                    served.append(1)
            except ConnectionRefusedError as e:
                refused.append(e)
            except (AssertionError, OSError):
                pass  # its session was killed

    s.start()
    s.ready()
    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for v in visitors:
        v.start()
    try:
        for _ in range(many(1000) if many(100) > 1 else 10):
            before = len(served)
            wait_until(lambda n=before: len(served) > n + 4, "visitors")
            s.kill9()
            s.start()
            s.ready()
    finally:
        going = False
        for v in visitors:
            v.join(LIMIT)
    assert not refused
    echoes(address)
    s.stop()


def test_R_18_all_clients_come_back_at_once(supervisors, many):
    """Killed with all their sessions; all connect before the restart, and all are served after it."""
    # All wait in the socket's backlog, which may be as long as the kernel allows.
    with open("/proc/sys/net/core/somaxconn") as file:
        count = min(many(9000), int(file.read()) - 10)
    held = listening(backlog=count + 10)
    address = held.getsockname()
    s = supervisors("fd:web", sockets=[("web", held)])
    s.start()
    s.ready()
    clients = [RawClient(address).open("/echo") for _ in range(count)]
    s.kill9()
    for client in clients:
        client.close()
    clients = [RawClient(address) for _ in range(count)]
    for client in clients:
        client.send(client.request("/echo"))
    s.start()
    s.ready()
    for client in clients:
        client.expect_101()
        client.echoes(1)
        client.close()
    totals = s.stop()
    assert totals["sessions"] == count


def test_fd_sockets_stay_whose_they_are(supervisors, folder):
    """Several of one name, of several kinds; none is closed for good, no file removed."""
    inet, unix = listening(), listening(f"{folder}/web.sock")
    os.chmod(f"{folder}/web.sock", 0o666)
    admin = listening()
    sockets = [("web", inet), ("admin", admin), ("web", unix)]
    s = supervisors("fd:web", sockets=sockets, extra=section("listener", "admin", {"bind": "fd:admin"}))
    for _ in range(2):
        s.start()
        s.ready()
        for address in (inet.getsockname(), admin.getsockname(), f"{folder}/web.sock"):
            echoes(address)
        listening_lines = s.daemon.find("listening")
        assert [x["listener"] for x in listening_lines] == ["main", "main", "admin"]
        assert listening_lines[0]["address"] == f"127.0.0.1:{inet.getsockname()[1]}"
        s.stop()
        assert stat.S_ISSOCK(os.stat(f"{folder}/web.sock").st_mode)
        with RawClient(inet.getsockname()):
            pass  # waits in the supervisor's queue


def test_fd_sockets_are_shared_by_all_workers(supervisors):
    held = listening()
    s = supervisors("fd:web", sockets=[("web", held)], process={"workers": 2})
    s.start()
    s.ready()
    workers = set()

    def visit():
        with RawClient(held.getsockname()) as client:
            client.open("/echo").echoes(1)
            client.end()
        line = s.daemon.find("session_end")[-1:]
        workers.update(int(x["id"]) >> 56 for x in line)
        return len(workers) == 2

    wait_until(visit, "a session on each worker")
    s.stop()


def test_fd_socket_of_both_families(supervisors, upstream):
    """IPv4 clients of an IPv6 socket, as systemd opens them by default, are IPv4 clients everywhere."""
    held = socket.socket(socket.AF_INET6)
    held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    held.bind(("::", 0))
    held.listen()
    port = held.getsockname()[1]
    app = {"server": "ws://127.0.0.1:%d" % upstream.address[1], "proxy_protocol": "v1"}
    s = supervisors("fd:web", sockets=[("web", held)],
                    extra=section("upstream", "app", app) + section("route", "app", {"path": "/app", "upstream": "app"}))
    s.start()
    s.ready()
    with RawClient(("127.0.0.1", port)) as client:
        client.send(client.request("/app"))
        app = upstream.accept()
        mine = client.sock.getsockname()[1]
        assert app.read_until(b"\r\n") == f"PROXY TCP4 127.0.0.1 127.0.0.1 {mine} {port}\r\n".encode()
        app.read_request()
        assert app.head.get("X-Forwarded-For") == "127.0.0.1"
        app.send(app.answer())
        client.expect_101()
        client.reset()
    app.close()
    assert s.daemon.wait_line("session_end")["client"] == f"127.0.0.1:{mine}"
    s.stop()


@pytest.mark.parametrize("names, words", [
    ("web:extra", ["descriptor 4 was passed by the name of extra", "bind = fd:extra"]),
    ("other:web", ["descriptor 3 was passed by the name of other"]),
    ("other:extra", ["the name of other", "the name of extra"]),
])
def test_fd_sockets_that_nobody_takes(supervisors, names, words):
    sockets = [(name, listening()) for name in names.split(":")]
    s = supervisors("fd:web", sockets=sockets)
    daemon = s.start()
    assert daemon.process.wait(LIMIT) == 78
    daemon.reader.join(LIMIT)
    for w in words:
        assert w in daemon.log, daemon.log


def test_fd_socket_that_is_missing(supervisors):
    s = supervisors(["fd:web", "fd:admin"], sockets=[("web", listening())])
    daemon = s.start()
    assert daemon.process.wait(LIMIT) == 78
    daemon.reader.join(LIMIT)
    assert "fd:admin: no socket of that name was passed to this process" in daemon.log
    # `-t` cannot know them.
    assert check_config(s.config)[0] == 0


def test_fd_socket_that_does_not_listen(supervisors):
    idle = socket.socket()
    s = supervisors("fd:web", sockets=[("web", idle)])
    daemon = s.start()
    assert daemon.process.wait(LIMIT) == 78
    daemon.reader.join(LIMIT)
    assert "no listening stream socket" in daemon.log


# Threads.


@pytest.mark.parametrize("n", [1, 2, 3])
def test_S_17_thread_that_cannot_be_made(supervisors, port, n):
    number = port()
    s = supervisors(f"127.0.0.1:{number}", process={"workers": 3}, faults=True,
                    env={"MOONGATE_FAULTS": f"thread:{n}:EAGAIN"})
    daemon = s.start()
    assert daemon.process.wait(LIMIT) == 1
    daemon.reader.join(LIMIT)
    assert f"cannot start worker {n - 1}" in daemon.log
    assert s.hear() is None
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", number)) != 0


@ROOT_ONLY
@PLAIN_ONLY
@pytest.mark.parametrize("limit, words", [(1, "the log's thread"), (2, "cannot start worker 0"),
                                          (3, "cannot start worker 1")])
def test_S_17_as_many_threads_as_the_user_may_have(folder, port, limit, words):
    # The kernel counts a user's threads on the whole machine: nobody else may be this one.
    user = 20000 + (os.getpid() * 4 + limit) % 40000
    config = write(folder / "c", f"127.0.0.1:{port()}", {"user": user, "group": user})
    status, said = starts(config, wrapper=["prlimit", f"--nproc={limit}"])
    assert status == 1 and words in said, said


# Rights.


def status_of(task):
    text = Path(task, "status").read_text()
    return dict(re.findall(r"^(\w+):[ \t]*(.*)$", text, re.M))


def can_bind_low():
    return int(status_of("/proc/self")["CapEff"], 16) >> 10 & 1


@ROOT_ONLY
@pytest.mark.parametrize("user, gid", [
    ({"user": "nobody"}, NOBODY.pw_gid),
    ({"user": "nobody", "group": "12345"}, 12345),
    ({"user": NOBODY.pw_uid}, NOBODY.pw_gid),
])
def test_S_20_root_becomes_nobody(supervisors, low_port, user, gid):
    s = supervisors(f"127.0.0.1:{low_port}", process=user, env=NO_LEAKS)
    daemon = s.start()
    s.ready()
    tasks = list(Path(f"/proc/{daemon.pid}/task").iterdir())
    assert len(tasks) >= 4
    keys = 1 << 10 if can_bind_low() else 0
    for task in tasks:
        if SANITIZED and (task / "comm").read_text().strip() not in ("moongate", "moongate-w0", "moongate-w1"):
            continue  # a sanitizer's own, made before the first line of ours
        got = status_of(task)
        assert set(got["Uid"].split()) == {str(NOBODY.pw_uid)}, got
        assert set(got["Gid"].split()) == {str(gid)}, got
        assert got["Groups"].split() == [], got
        assert int(got["CapPrm"], 16) == int(got["CapEff"], 16) == keys, got
        assert int(got["CapInh"], 16) == int(got["CapAmb"], 16) == 0, got
        assert int(got["CapBnd"], 16) & ~(1 << 10) == 0, got
        assert got["NoNewPrivs"] == "1", got
    echoes(("127.0.0.1", low_port))
    assert not daemon.find("running_as_root")
    s.stop()


@ROOT_ONLY
@pytest.mark.parametrize("user", [None, "nobody"])
@pytest.mark.parametrize("allowed", ["off", "on"])
def test_S_20_core_dumps(supervisors, port, user, allowed):
    s = supervisors(f"127.0.0.1:{port()}", env=NO_LEAKS,
                    process={"core_dumps": allowed, **({"user": user} if user else {})})
    daemon = s.start()
    s.ready()
    limits = Path(f"/proc/{daemon.pid}/limits").read_text()
    soft = re.search(r"^Max core file size +(\S+)", limits, re.M)[1]
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    if allowed == "off":
        assert soft == "0"
    else:
        assert soft == ("unlimited" if hard == resource.RLIM_INFINITY else str(hard))
    # Of a process that may not be traced or dumped, /proc belongs to root.
    if not SANITIZED and user:
        owner = os.stat(f"/proc/{daemon.pid}/fd").st_uid
        assert owner == (NOBODY.pw_uid if allowed == "on" else 0)
    s.stop()


def both(config, **how):
    """Start and `-t` give the same verdict. Returns what the start said."""
    status, said = starts(config, **how)
    checked, told = starts(config, args=["-t"], **how)
    assert (status, checked) == (78, 78), (said, told)
    return said, told


@ROOT_ONLY
def test_S_20_configuration_that_the_user_cannot_read(folder, port):
    """A reload could not either, so it is refused at once."""
    config = write(folder / "c", f"127.0.0.1:{port()}", {"user": "nobody"})
    config.chmod(0o600)
    said, told = both(config)
    assert f"{config}" in said and "Permission denied" in said
    assert said == told
    part = folder / "part"
    part.write_text("[route more]\npath = /more\necho = on\n")
    part.chmod(0o600)
    write(config, f"127.0.0.1:{port()}", {"user": "nobody", "include": "part"})
    said, told = both(config)
    assert "part" in said and "Permission denied" in said
    assert said == told


@ROOT_ONLY
def test_S_20_folder_of_parts_that_the_user_cannot_read(folder, port):
    """Its files would be missing without a word."""
    parts = folder / "parts"
    parts.mkdir(mode=0o700)
    (parts / "more").write_text("[route more]\npath = /more\necho = on\n")
    config = write(folder / "c", f"127.0.0.1:{port()}", {"user": "nobody", "include": "parts/*"})
    said, told = both(config)
    assert re.search(r"include = parts/\*: .*parts.*: cannot open it: Permission denied", said), said
    assert said == told
    parts.chmod(0o755)
    assert starts(config, args=["-t"])[0] == 0


@ROOT_ONLY
@pytest.mark.parametrize("key", ["log", "access_log"])
def test_S_20_log_that_the_user_cannot_write(folder, port, key):
    config = write(folder / "c", f"127.0.0.1:{port()}", {"user": "nobody", key: "x.log"})
    for said in both(config):
        assert "x.log" in said and "ermission denied" in said, said
    (folder / "x.log").write_text("")
    for said in both(config):
        assert "x.log" in said and "ermission denied" in said, said
    os.chown(folder / "x.log", NOBODY.pw_uid, -1)
    assert starts(config, args=["-t"])[0] == 0


@ROOT_ONLY
@pytest.mark.parametrize("keys", [{}, {"owner": "root"}, {"group": "root"}])
def test_S_20_socket_that_the_user_cannot_make(folder, keys):
    place = folder / "run"
    place.mkdir()
    config = write(folder / "c", f"unix:{place}/s", {"user": "nobody"}, keys)
    if keys:
        os.chown(place, NOBODY.pw_uid, -1)
    for said in both(config):
        assert f"{config}:" in said and f"bind = unix:{place}/s" in said, said


@ROOT_ONLY
def test_S_20_socket_of_the_user(supervisors, folder):
    place = folder / "run"
    place.mkdir()
    os.chown(place, NOBODY.pw_uid, -1)
    s = supervisors(f"unix:{place}/s", process={"user": "nobody"}, listener={"mode": "0666"}, env=NO_LEAKS)
    assert starts(s.config, args=["-t"])[0] == 0
    s.start()
    s.ready()
    assert os.stat(f"{place}/s").st_uid == NOBODY.pw_uid
    echoes(f"{place}/s")
    s.stop()
    assert os.listdir(place) == []


@ROOT_ONLY
def test_S_20_rights_that_cannot_be_given_up(folder, port):
    """Root in name, without the right to become another: it must not go on as root."""
    config = write(folder / "c", f"127.0.0.1:{port()}", {"user": "nobody"})
    for right in ("setuid", "setgid"):
        wrapper = ["setpriv", f"--bounding-set=-{right}", f"--inh-caps=-{right}"]
        for args in ([], ["-t"]):
            status, said = starts(config, wrapper=wrapper, args=args)
            assert status == 1 and "cannot give up root's rights" in said, said


@ROOT_ONLY
def test_S_20_user_that_is_already_another(folder, supervisors, port):
    """Whoever is not root stays who he is, and is told so; his own name is no cause for words."""
    as_nobody = ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups"]
    n = port()
    s = supervisors(f"127.0.0.1:{n}", process={"user": "daemon"}, wrapper=as_nobody, env=NO_LEAKS)
    status, said = starts(s.config, wrapper=as_nobody, args=["-t"])
    assert status == 0 and "user = daemon: ignored" in said, said
    s.start()
    s.ready()
    assert "user = daemon: ignored" in s.daemon.find("config_warning")[0].text
    echoes(("127.0.0.1", n))
    s.stop()
    write(s.config, f"127.0.0.1:{n}", {"user": "nobody"})
    assert starts(s.config, wrapper=as_nobody, args=["-t"]) == (0, f"{s.config}: ok\n")


@ROOT_ONLY
def test_S_20_root_is_told_that_it_is_root(supervisors, port):
    s = supervisors(f"127.0.0.1:{port()}")
    s.start()
    s.ready()
    assert len(s.daemon.find("running_as_root")) == 1
    s.stop()
    s = supervisors(f"127.0.0.1:{port()}", process={"user": "root"})
    s.start()
    s.ready()
    assert not s.daemon.find("running_as_root")
    s.stop()


@ROOT_ONLY
@pytest.mark.parametrize("user", ["nobody", "root", "daemon"])
def test_A_06_second_daemon_of_another_user(supervisors, folder, port, user):
    place = folder / "run"
    place.mkdir()
    place.chmod(0o777)
    n = port()
    binds = [f"127.0.0.1:{n}", f"unix:{place}/s"]
    s = supervisors(binds, process={"user": "nobody"}, listener={"mode": "0666"}, env=NO_LEAKS)
    s.start()
    s.ready()
    with RawClient(("127.0.0.1", n)) as client:
        client.open("/echo")
        for bind in binds:
            status, said = starts(write(folder / "second", bind, {"user": user}))
            assert status == 78 and bind in said and "in use" in said, said
        client.echoes(3)
        client.end()
    for address in (("127.0.0.1", n), f"{place}/s"):
        echoes(address)
    s.stop()


# What is shipped.


def unit(tmp_path, name):
    """A unit as installed, but for the daemon that was built."""
    text = (UNITS / name).read_text().replace("/usr/sbin/moongate", str(BINARY.resolve()))
    path = tmp_path / name
    path.write_text(text)
    return path


needs_analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")


@pytest.mark.parametrize("name", ["moongate.service", "moongate@.service"])
def test_S_16_no_pid_file_to_be_stale(name):
    """systemd knows the process as the one it has started, and is told by MAINPID."""
    text = (UNITS / name).read_text()
    assert "Type=notify" in text and "PIDFile" not in text


def test_S_16_nothing_is_left_behind_that_hinders(supervisors, port, folder):
    """Killed, it leaves no file but its log; the next one starts as the first did."""
    where = folder / "run"
    where.mkdir()
    s = supervisors(f"127.0.0.1:{port()}", cwd=where)
    for _ in range(2):
        s.start()
        s.ready()
        s.kill9()
    assert not list(where.iterdir())
    s.start()
    s.ready()
    s.stop()


@needs_analyze
def test_units_are_sound(tmp_path):
    units = [unit(tmp_path, n) for n in ("moongate.service", "moongate@.service", "moongate.socket")]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True,
                          text=True, check=False, timeout=LIMIT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_analyze
@pytest.mark.parametrize("name", ["moongate.service", "moongate@.service"])
def test_units_are_exposed_little(tmp_path, name):
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=19", unit(tmp_path, name)],
                          capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
    assert float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)[1]) < 2.0


def test_drop_in_for_a_manager_that_waits():
    """systemd 253 sends SIGHUP itself and waits; the unit's own check of the file is what can fail."""
    check = [x for x in (UNITS / "moongate.service").read_text().splitlines() if x.startswith("ExecReload=") and " -t " in x]
    text = (UNITS / "notify-reload.conf").read_text()
    assert re.findall(r"^[^#\n].*", text, re.M) == ["[Service]", "Type=notify-reload", "ExecReload=", *check]


@pytest.mark.parametrize("prefix", ["/usr", "/usr/local", "/opt/x"])
def test_installed_configuration_is_the_one_that_is_read(prefix):
    """By the units, and by `moongate -t` before a reload."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "SAN", "OUT")}
    make = ["make", "-n", "-C", ROOT, "install", "DESTDIR=/nowhere", f"PREFIX={prefix}"]
    done = subprocess.run(make, capture_output=True, text=True, check=True, env=env)
    told = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True, env={**os.environ, **SANITIZERS})
    file = re.search(r"otherwise (/[^)]*)", told.stdout)[1]
    assert f"conf/moongate.conf /nowhere{file}\n" in done.stdout
    places = re.findall(r"s\|/etc/moongate/\|([^|]*)\|g", done.stdout)
    assert places and {p + "moongate.conf" for p in places} == {file}


def test_units_differ_in_names_only():
    lines = [(UNITS / n).read_text().replace("\n#", "").splitlines() for n in ("moongate.service", "moongate@.service")]
    one, many = [[x for x in text if "=" in x] for text in lines]
    differences = [(a, b) for a, b in zip(one, many, strict=True) if a != b]
    assert [a.split("=")[0] for a, _ in differences] == ["Description", "ExecStart", "ExecReload", "RuntimeDirectory"]


@needs_analyze
@PLAIN_ONLY
def test_S_21_runs_under_the_filter_of_its_unit(moongate, upstreams, tmp_path):
    """Handshakes, frames, names, unix sockets, every signal, the end: no call but those that the unit
    allows, no program started, no process made, nothing traced."""
    wrapper = [sys.executable, sandbox.__file__, UNITS / "moongate.service"]
    app = upstreams()
    daemon = moongate(("localhost", app.address[1]), process={"workers": 2}, wrapper=wrapper,
                      extra=section("listener", "unix", {"bind": f"unix:{tmp_path}/s", "mode": "0600"}))
    client = daemon.client()
    client.send(client.request("/app"))
    peer = app.accept_open()
    client.expect_101()
    client.text("x" * 100_000)
    peer.expect_text("x" * 100_000)
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT):
        daemon.signal(number)
        still_works(daemon)
    client.close()
    peer.close()
    assert daemon.stop()["sessions"] >= 5


@needs_analyze
@PLAIN_ONLY
def test_S_21_the_filter_bites(tmp_path):
    wrapper = [sys.executable, sandbox.__file__, UNITS / "moongate.service"]
    for command in (["true"], ["sh", "-c", "exec true"], ["sh", "-c", "true; (true); true"], ["chroot", "/", "true"]):
        done = subprocess.run([*wrapper, shutil.which(command[0]), *command[1:]], check=False, timeout=LIMIT)
        assert (done.returncode == 0) == (command == ["true"]), command


@pytest.mark.parametrize("words, want", [
    (["--li"], ["--listener"]),
    (["--help"], ["--help-config", "--help"]),
    (["--listener", ""], ["public", "inner"]),
    (["-c", "CONFIG", "--listener", "=", "in"], ["inner"]),
    (["--listener", "pub"], ["public"]),
    (["--config", "CONFIG", "--listener", "pub"], ["public"]),
    (["--config", "=", "CONFIG", "--listener", "pub"], ["public"]),
    (["-c", "CONF"], ["CONFIG"]),
    (["--header", ""], []),
])
def test_completion(tmp_path, words, want):
    (tmp_path / "CONFIG").write_text((ROOT / "conf/demo.conf").read_text())
    if "--listener" in words and not {"-c", "--config"} & set(words):
        words = ["-c", "CONFIG", *words]
    script = 'source "$0"; COMP_WORDS=(moongate "$@"); COMP_CWORD=$#; _moongate; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script, ROOT / "conf/completion.bash", *words], cwd=tmp_path,
                          capture_output=True, text=True, check=False, timeout=LIMIT)
    assert (done.stdout.split(), done.stderr) == (want, ""), done
