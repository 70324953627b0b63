# SPDX-License-Identifier: BSD-2-Clause
"""End-to-end tests: the real daemon between real sockets.

A test asks for the fixtures it needs and drives client and application in turn,
in one thread:

    def test_U_99_example(moongate, upstream):
        d = moongate(upstream, route={"max_message": "1k"})   # the daemon, ready
        client = d.client()                                   # a connected RawClient
        client.send(client.request("/app"))                   # an upgrade request, as text
        app = upstream.accept_open()                          # its other end, 101 sent
        client.expect_101()
        client.text("x" * 1025)
        client.expect_close(1009)
        app.expect_close(1001)
        assert d.end_of(client)["closed_by"] == "client"      # its one line in the log
        still_works(d)                                        # the rule after every fault
        assert d.stop()["broken_by_client"] == 1              # the counters, at exit

The daemon's routes: /app* goes to `upstream` (when given), /echo answers by itself;
both take the keys of `route`. /still is proxied to an echo inside the same process,
with default settings, for still_works(). Keys for [listener main], [defaults],
[moongate] and [upstream app]: listener=, defaults=, process=, group=. More text:
extra=. faults="recv:3:ECONNRESET" runs the build in which calls can be made to fail; with
may_fail=True None comes back from a start that was refused, in order, because of it.

When the test ends, all its peers are closed, the daemon must give back every
descriptor, and must exit with 0, without a sanitizer's report and with as many
sessions ended as begun, on SIGTERM. Its log is printed when the test fails.

Lines of the list marked (L) take their counts from `many`: many(10**6) is that under
`make soak`, and a hundredth else. That runs only what `pytest -m "many or for_long"` chooses:
the tests that ask for one of these fixtures.

Rules: no sleeping, no asserted times, 30 s for a test. Each read waits up to 20 s for
what it wants (peer.LIMIT); shorten a timeout in the configuration to see it expire. (Both
are longer under a sanitizer.)
Unwanted traffic is proven absent by what must come after it, not by waiting.
The machine may be so busy that seconds pass between two lines of a test. Where a small
timeout is not to be reached by that, what counts is there before the daemon sees any of it:
`with d.frozen():` the client connects and speaks; an answer and what follows go out in one.
`pytest tests/e2e -k H_05` runs one line of the list; MOONGATE_BINARY chooses the build.
"""

import os
import random
import signal
import socket
import time

import pytest

from helpers.apps import App
from helpers.daemon import SANITIZED, Daemon, section, server_text
from helpers.peer import LIMIT, RawClient, RawUpstream


pytest_plugins = ["helpers.secure"]

# Whoever runs the tests in the background of a script may have it ignored, and the daemons with it.
signal.signal(signal.SIGINT, signal.default_int_handler)

SOAK = os.environ.get("MOONGATE_SOAK")  # seconds, under `make soak`


def pytest_collection_modifyitems(items):
    for item in items:
        for name in {"many", "for_long"} & set(item.fixturenames):
            item.add_marker(name)
        if SANITIZED and not SOAK:
            item.add_marker(pytest.mark.timeout(120))


@pytest.fixture
def many():
    """many(n): a count of the fault list, in full under `make soak`, a hundredth of it otherwise."""
    return lambda n: n if SOAK else max(n // 100, 1)


@pytest.fixture
def for_long():
    """Rounds to loop over: for the seconds of `make soak`; three of them otherwise."""

    def rounds():
        end = time.monotonic() + float(SOAK or 0)
        n = 0
        while n < 3 or time.monotonic() < end:
            yield n
            n += 1

    return rounds


class Ports:
    """TCP ports that nobody listens on, below the ephemeral range, in a range per test process."""

    def __init__(self):
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw15")
        self.base = 10000 + int(worker[2:]) % 20 * 1000
        self.next = random.randrange(1000)

    def take(self):
        for _ in range(1000):
            port = self.base + self.next % 1000
            self.next += 1
            with socket.socket() as probe:
                # As the daemon's own probe: a port in TIME_WAIT is free, one in use is not.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("0.0.0.0", port))
                except OSError:
                    continue
            return port
        raise AssertionError("no port is free")


PORTS = Ports()


@pytest.fixture
def port():
    """A function that gives a free TCP port at each call."""
    return PORTS.take


@pytest.fixture
def low_port():
    """A free port that only root may bind, in a range per test process as those of `port` are."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw15")[2:])
    first = 600 + worker % 20 * 20
    for n in range(first, first + 20):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", n))
            except OSError:
                continue
            return n
    pytest.skip("no port below 1024 is free")


@pytest.fixture
def closing():
    """What is closed, in this order, when the test ends and before a daemon is stopped."""
    things = []
    yield things
    close_all(things)


def close_all(things):
    while things:
        things.pop(0).close()


@pytest.fixture
def clients(closing):
    """A function that connects a RawClient."""

    def make(address, **options):
        closing.insert(0, RawClient(address, **options))
        return closing[0]

    return make


@pytest.fixture
def upstreams(closing):
    """A function that makes a RawUpstream."""

    def make(*args, **options):
        closing.append(RawUpstream(*args, **options))
        return closing[-1]

    return make


@pytest.fixture
def upstream(upstreams):
    """The application: a RawUpstream on 127.0.0.1."""
    return upstreams()


@pytest.fixture
def apps(closing):
    """A function that starts an App for each name, at ports that nobody else takes while one is down."""

    def make(names):
        made = [App(name, ("127.0.0.1", PORTS.take())) for name in names]
        closing.extend(made)
        return made

    return make


@pytest.fixture
def dead(closing):
    """An address at which nobody listens, as long as the test runs."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    closing.append(holder)
    return holder.getsockname()


@pytest.fixture
def daemons(closing):
    """A function that starts a Daemon on a configuration file; stopped and checked at the end."""
    made = []

    def make(config, **how):
        made.append(Daemon(config, **how))
        return made[-1]

    yield make
    try:
        close_all(closing)
        for daemon in made:
            if not daemon.checked:
                daemon.settle()
                daemon.stop()
    finally:
        for daemon in made:
            daemon.kill()
            print(daemon.log)


@pytest.fixture
def moongate(daemons, clients, tmp_path):
    """A function that writes a configuration, starts the daemon on it and waits until it is ready."""

    def make(upstream=None, *, listener=None, route=None, defaults=None, process=None, group=None,
             extra="", faults=None, env=None, may_fail=False, **how):
        main, inner = PORTS.take(), PORTS.take()
        text = section("moongate", "", {"workers": 1, "drain_timeout": "1s", "log_rate": "off", **(process or {})})
        text += section("defaults", "", defaults) if defaults else ""
        text += section("listener", "main", {"bind": f"127.0.0.1:{main}", **(listener or {})})
        text += section("listener", "inner", {"bind": f"127.0.0.1:{inner}"})
        text += section("upstream", "inner", {"server": f"ws://127.0.0.1:{inner}"})
        text += section("route", "still", {"listener": "main", "path": "/still", "upstream": "inner"})
        text += section("route", "inner", {"listener": "inner", "path": "/still", "echo": "on"})
        text += section("route", "echo", {"listener": "main", "path": "/echo", "echo": "on", **(route or {})})
        if upstream is not None:
            address = getattr(upstream, "address", upstream)
            text += section("upstream", "app", {"server": server_text(address), **(group or {})})
            text += section("route", "app",
                            {"listener": "main", "path": "/app*", "upstream": "app", **(route or {})})
        config = tmp_path / f"moongate-{main}.conf"
        config.write_text(text + extra)

        env = {**(env or {}), **({"MOONGATE_FAULTS": faults} if faults else {})}
        daemon = daemons(config, env=env, faults=bool(faults), **how)
        daemon.address = ("127.0.0.1", main)
        daemon.is_hasty = "handshake_timeout" in (listener or {})
        daemon.client = lambda **options: clients(daemon.address, **options)
        try:
            return daemon.wait_ready()
        except AssertionError:
            if not may_fail or not daemon.ended:
                raise
        # What was made to fail was needed for the start. None, when it refused in order.
        status = daemon.process.wait(LIMIT)
        assert status in (1, 78), f"exit status {status}:\n{daemon.log}"
        daemon.wait_end(status)
        return None

    return make


@pytest.fixture
def lua(moongate, tmp_path):
    """A function that starts a daemon whose route /h* has these scripts: texts of `handler`, `access`, `log`,
    and, of the process, `init`, `init_worker`, `exit_worker`; `files` by name. `route` and `process`:
    more keys. `does`: keys of what the route does instead of a handler."""

    def make(handler=None, *, access=None, log=None, init=None, init_worker=None, exit_worker=None,
             files=None, route=None, process=None, does=None, extra="", **how):
        scripts = {"handler": handler, "access": access, "log_handler": log}
        own = {"init": init, "init_worker": init_worker, "exit_worker": exit_worker}
        for name, text in (files or {}).items():
            (tmp_path / name).write_text(text)
        keys = dict(route or {})
        for name, text in {**scripts, **own}.items():
            if text is not None:
                (tmp_path / f"{name}.lua").write_text(text)
        keys |= {name: f"{name}.lua" for name, text in scripts.items() if text is not None}
        process = {"allow_root_handlers": "yes", "lua_package_path": "?.lua;;", **(process or {}),
                   **{name: f"{name}.lua" for name, text in own.items() if text is not None}}
        text = section("route", "h", {"listener": "main", "path": "/h*", **keys, **(does or {})})
        return moongate(process=process, extra=text + extra, **how)

    return make
