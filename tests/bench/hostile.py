# SPDX-License-Identifier: BSD-2-Clause
"""What hostile clients and want of descriptors cost the others: the lines of the list of faults that speak of
processor time and of the 99th percentile (H-08, R-01, R-03)."""

import contextlib
import json
import os
import resource
import select
import socket
import threading
import time

import servers
import table
from servers import Failed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

HEAD = ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")
NAME = "Sec-WebSocket-Protocol:"
# Such as a regular expression or a comparison of all with all would take long over; each within the limits of a head.
HEADS = {
    "H-08 one line of tokens": HEAD + NAME + ",".join(["a"] * 8000) + "\r\n\r\n",
    "H-08 different tokens": HEAD + NAME + ",".join(f"p{i}" for i in range(2500)) + "\r\n\r\n",
    "H-08 one line of spaces": HEAD + NAME + "a" + " " * 16000 + "b\r\n\r\n",
    "H-08 94 lines of tokens": HEAD + (NAME + ",".join(["a"] * 140) + "\r\n") * 94 + "\r\n",
}
PLAIN = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
ROUNDS_OF_HEADS = 300
FEW = 256  # descriptors


def verdict(is_met, limit):
    return limit if is_met else f"{limit} MISSED"


def add(out, title, name, pairs, limit, most=None, worst=None):
    """A line of what is measured without and with the hostile part."""
    ratios = [second / first for first, second in pairs]
    seconds = [second for _, second in pairs]
    is_met = (table.median(ratios) <= most) if most else (table.median(seconds) <= worst)
    out.add(title, name, table.number(table.median([first for first, _ in pairs])), table.number(table.median(seconds)),
            table.ratio(ratios, spread=True), verdict(is_met, limit))


def connect(server):
    client = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def refused(server, head):
    """One connection whose request is answered and which is closed then."""
    with connect(server) as client:
        client.sendall(head)
        client.shutdown(socket.SHUT_WR)
        if not client.recv(65536).startswith(b"HTTP/1.1 4"):
            raise Failed("a head was not refused")
        while client.recv(65536):
            pass


def cpu_us_of(server, head):
    head = head.encode()
    before = server.cpu_ns()
    for _ in range(ROUNDS_OF_HEADS):
        refused(server, head)
    return (server.cpu_ns() - before) / ROUNDS_OF_HEADS / 1000


def heads(bench, name, server, out):
    """The processor's time for a request that is refused, beside a short one."""
    for title, head in HEADS.items():
        pairs = [(cpu_us_of(server, PLAIN), cpu_us_of(server, head)) for _ in range(bench.settings.rounds)]
        add(out, f"{title}, CPU µs", name, pairs, "≤ 1000 µs", worst=1000)


class Slowloris:
    """So many heads that come a byte in ten seconds each."""

    def __init__(self, server, n):
        self.clients = []
        self.over = threading.Event()
        for _ in range(n):
            client = connect(server)
            client.send(b"G")
            self.clients.append(client)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        text = b"ET /" + b"a" * 1000
        for byte in text:
            for i, client in enumerate(self.clients):
                with contextlib.suppress(OSError):
                    client.send(bytes([byte]))
                if i % 90 == 0 and self.over.wait(0.1 * 9000 / len(self.clients)):
                    return

    def close(self):
        self.over.set()
        self.thread.join()
        for client in self.clients:
            client.close()


def slow_heads(bench, name, server, cores, out):
    load = dict(mode="handshakes", connections=4)
    pairs = []
    for _ in range(bench.settings.rounds):
        calm = bench.measure(server, cores, load)["setup_p99_us"]
        slow = Slowloris(server, bench.settings.sessions)
        try:
            pairs.append((calm, bench.measure(server, cores, load)["setup_p99_us"]))
        finally:
            slow.close()
    add(out, f"R-01 {bench.settings.sessions} slow heads, p99 µs of a handshake", name, pairs, "≤ 2 ×", most=2)


class Crowd:
    """Takes all descriptors of a server, and knocks again as soon as it is turned away."""

    def __init__(self, server):
        self.server = server
        self.clients = []
        while len(self.clients) < 2 * FEW and not self.is_full():
            self.clients.append(connect(server))
        self.over = threading.Event()
        self.knocks = 0
        self.threads = [threading.Thread(target=self.knock) for _ in range(4)]
        for thread in self.threads:
            thread.start()

    def is_full(self):
        """The last one was turned away."""
        return bool(self.clients) and bool(select.select(self.clients[-1:], [], [], 0.002)[0])

    def knock(self):
        while not self.over.is_set():
            with contextlib.suppress(OSError), connect(self.server) as client:
                client.recv(1)
                self.knocks += 1

    def close(self):
        """Returns the seconds until somebody is served again."""
        self.over.set()
        for client in self.clients:
            client.close()
        begun = time.monotonic()
        while time.monotonic() < begun + 10:
            with contextlib.suppress(OSError, Failed):
                refused(self.server, PLAIN.encode())
                break
        took = time.monotonic() - begun
        for thread in self.threads:
            thread.join()
        return took


def no_descriptors(bench, name, server, cores, out):
    """Few descriptors, all of them taken while others knock: what those who are served notice of it."""
    resource.prlimit(server.popen.pid, resource.RLIMIT_NOFILE, (FEW, FEW))
    load = dict(connections=20)
    pairs, shares, recoveries = [], [], []
    for _ in range(bench.settings.rounds):
        calm = bench.measure(server, cores, load)["p99_us"]
        among = servers.Load(ROOT, server.port, cores, bench.folder, seconds=bench.settings.seconds,
                             warmup=bench.settings.warmup, **load)
        try:
            among.wait_ready()
            crowd = Crowd(server)
            among.go()
            pairs.append((calm, json.loads(among.line(bench.settings.seconds + 60))["p99_us"]))
            begun, used = time.monotonic(), server.cpu_ns()
            time.sleep(1)
            shares.append((server.cpu_ns() - used) / (time.monotonic() - begun) / 1e7)
            recoveries.append(crowd.close() * 1000)
            among.finish()
        finally:
            among.stop()
    add(out, "R-03 no descriptor left, p99 µs of an echo", name, pairs, "≤ 2 ×", most=2)
    out.add("R-03 no descriptor left, % of a core with nothing else to do", name, "", table.number(table.median(shares)),
            "", verdict(max(shares) <= 2, "≤ 2 %"))
    out.add("R-03 ms until somebody is served again", name, "", table.number(table.median(recoveries)), "",
            verdict(table.median(recoveries) <= 200, "≤ 200 ms"))


def rows(bench, cores, started, out):
    """`started` makes the servers of a row: a name and the upstream's port."""
    echo = servers.Echo(ROOT, cores, bench.folder)
    try:
        for name, server in started(echo.port).items():
            try:
                heads(bench, name, server, out)
                slow_heads(bench, name, server, cores, out)
                no_descriptors(bench, name, server, cores, out)
            except (Failed, OSError) as e:
                bench.fail("hostile", name, e)
    finally:
        servers.stop_all()
