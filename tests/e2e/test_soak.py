# SPDX-License-Identifier: BSD-2-Clause
"""What only shows in the long run. Short in `make test`, in full under `make soak`."""

import contextlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.daemon import SANITIZED, still_works
from helpers.frames import BINARY, PING, TEXT
from helpers.peer import RawClient
from helpers.traffic import Application, sending


def open_app(daemon, upstream):
    client = RawClient(daemon.address)
    client.send(client.request("/app"))
    app = upstream.accept_open()
    client.expect_101()
    return client, app


def test_U_20_mask_keys_are_random(moongate, upstream, many):
    """Over all frames: no key stands out, every byte value is as frequent as chance has it, and
    no key follows from the one before."""
    daemon = moongate(upstream, route={"remask": "on"})
    client, app = open_app(daemon, upstream)
    n = many(10**6)
    sender = sending(client, client.make(TEXT, "x") * n)
    keys = []
    for _ in range(n):
        raw = app.read(7)  # 81 81, the key, a byte
        keys.append(raw[2:6])
        assert raw[:2] == b"\x81\x81" and raw[6] ^ raw[2] == ord("x")
    sender.join()
    # Birthdays among 2^32: n^2 / 2^33 expected, 12 times that (and a few) never.
    assert len(keys) - len(set(keys)) <= 12 * n * n / 2**33 + 5
    stepped = {(b[i] - a[i]) % 256 for a, b in zip(keys[:2000], keys[1:2001]) for i in range(4)}
    assert len(stepped) == 256
    for position in range(4):
        counts = [0] * 256
        for key in keys:
            counts[key[position]] += 1
        expected = n / 256
        chi2 = sum((c - expected) ** 2 / expected for c in counts)
        # 255 degrees of freedom: mean 255, deviation 22.6; seven deviations either way.
        assert 97 < chi2 < 413, (position, chi2)
    client.close()
    app.close()
    still_works(daemon)


@pytest.mark.parametrize("route", ["/echo", "/app"])
def test_mixed_traffic(moongate, upstream, for_long, route):
    """Sessions of all sizes come, talk, and go politely or not, again and again: every byte comes
    back, nothing is left over, and memory stays where it was after the first rounds."""
    daemon = moongate(upstream)
    rng = random.Random(route)
    after_first = None
    for n in for_long():
        pairs = []
        for _ in range(20):
            if route == "/echo":
                client = RawClient(daemon.address).open("/echo")
                pairs.append((client, client))
            else:
                pairs.append(open_app(daemon, upstream))
        for client, app in pairs:
            talk(rng, client, app)
        for client, app in pairs:
            leave(rng, client, app)
        daemon.settle()
        if n == 2:
            after_first = daemon.memory()
    assert SANITIZED or daemon.memory() - after_first < 1 << 20
    still_works(daemon)
    totals = daemon.stop()
    assert totals["broken_by_client"] == totals["broken_by_upstream"] == totals["out_of_memory"] == 0


def talk(rng, client, app):
    for _ in range(rng.randrange(1, 8)):
        data = rng.randbytes(rng.choice((0, 1, 20, 125, 126, 1000, 65535, 65536, 300000)))
        sender = sending(client, client.make(BINARY, data))
        app.expect_binary(data)
        sender.join()
        if app is not client:
            sender = sending(app, app.make(BINARY, data))
            client.expect_binary(data)
            sender.join()


def leave(rng, client, app):
    how = rng.choice(("polite", "close", "reset", "other side"))
    if how == "polite":
        client.close_frame(1000)
        if app is not client:
            app.expect_close(1000)
            app.close_frame(1000)
        client.expect_close(1000)
    elif how == "reset":
        client.reset()
    elif how == "other side":
        app.reset()
    client.close()
    app.close()


@contextlib.contextmanager
def starved(pid):
    """The process has a twentieth of one processor; a loop that never waits has the rest."""
    processor = min(os.sched_getaffinity(0))
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {processor})
        os.setpriority(os.PRIO_PROCESS, int(thread), 13)  # a weight of 56, where 0 has 1024
    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        os.sched_setaffinity(hog.pid, {processor})
        yield
    finally:
        hog.kill()
        hog.wait()


def run_and_waited(pid):
    """For how long all its threads have run, and wanted to: nanoseconds."""
    stats = [f.read_text().split() for f in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(s[0]) for s in stats), sum(int(s[1]) for s in stats)


def message_of(client):
    """The next one, in order; pings before it are answered."""
    while (f := client.read_frame()).opcode == PING:
        client.pong(f.payload)
    assert f.opcode in (TEXT, BINARY), f
    return f.payload


def test_R_08_starved_of_the_processor(moongate, upstream, closing, for_long):
    """With a twentieth of a processor everything takes longer, and nothing else: every message
    comes back in its order, who answers in time is not given up, and all who come are served."""
    closing.insert(0, Application(upstream))
    limits = {} if SANITIZED else dict.fromkeys(("pong_timeout", "send_timeout", "message_timeout", "close_timeout"), "5s")
    daemon = moongate(upstream, route={"ping_interval": "200ms", **limits})
    rng = random.Random(8)
    clients = [daemon.client().open(route) for route in ("/echo", "/app") * 8]
    begun, ended = run_and_waited(daemon.pid), 0
    with starved(daemon.pid):
        for _ in for_long():
            for n in range(10 if SANITIZED else 50):
                sent = [b"%d %d " % (i, n) + rng.randbytes(rng.choice((0, 100, 5000))) for i in range(len(clients))]
                for client, payload in zip(clients, sent):
                    client.send(client.make(BINARY, payload) + client.make(TEXT, f"{n}"))
                for client, payload in zip(clients, sent):
                    assert message_of(client) == payload
                    assert message_of(client) == b"%d" % n
            for client in (clients.pop(0), clients.pop(0)):
                client.close_frame(1000)
                while (f := client.read_frame()).opcode == PING:
                    pass
                assert f.close_code == 1000
                client.close()
            clients += [daemon.client().open(route) for route in ("/echo", "/app")]
            ended += 2
        ran, waited = (now - then for now, then in zip(run_and_waited(daemon.pid), begun))
        assert waited > ran, "it was not starved"
    daemon.wait_line("session_end", n=ended)
    assert {line["cause"] for line in daemon.find("session_end")} == {"close"}
    assert not daemon.find("refused")
    for client in clients:
        client.close()
    daemon.settle()
    still_works(daemon)
    totals = daemon.stop()
    assert totals["broken_by_client"] == totals["broken_by_upstream"] == totals["out_of_memory"] == 0
    assert not [name for name in totals if name.startswith("timeout_") and totals[name]]
