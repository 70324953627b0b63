# SPDX-License-Identifier: BSD-2-Clause
"""A small name server of the tests' own, which can also cut answers short, hold them back, fail
and lie. It answers from .records by UDP and TCP; .scripts replaces that for a name:

    ns.a("app.test", "127.0.0.2", ttl=1)
    ns.scripts["app.test"] = lambda q: [q.error(SERVFAIL)]
"""

import socket
import struct
import threading

A, CNAME, AAAA, SRV = 1, 5, 28, 33
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5


def pack_name(name):
    labels = [label.encode() for label in name.strip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record(name, kind, ttl, data):
    return pack_name(name) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def address(name, ip, ttl=60):
    """An A or AAAA record."""
    is_v6 = ":" in ip
    packed = socket.inet_pton(socket.AF_INET6 if is_v6 else socket.AF_INET, ip)
    return record(name, AAAA if is_v6 else A, ttl, packed)


def alias(name, to, ttl=60):
    return record(name, CNAME, ttl, pack_name(to))


def target(name, priority, weight, port, host, ttl=60):
    return record(name, SRV, ttl, struct.pack(">HHH", priority, weight, port) + pack_name(host))


class Question:
    """What was asked, and answers to it."""

    def __init__(self, raw, by_tcp):
        self.raw, self.by_tcp = raw, by_tcp
        self.id = raw[:2]
        labels, at = [], 12
        while raw[at]:
            labels.append(raw[at + 1:at + 1 + raw[at]].decode())
            at += 1 + raw[at]
        self.name = ".".join(labels).lower()
        self.kind = struct.unpack(">H", raw[at + 1:at + 3])[0]
        self.text = raw[12:at + 5]

    def answer(self, *records, code=0, cut=False, id=None, text=None):
        flags = 0x8180 | code | (0x0200 if cut else 0)
        return ((id or self.id) + struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
                + (text or self.text) + b"".join(records))

    def error(self, code):
        return self.answer(code=code)


class NameServer:
    """Listens on a port of its own; closed by whoever made it."""

    def __init__(self, host="127.0.0.1", port=0):
        self.records = {}  # (name, kind) -> records
        self.scripts = {}  # name -> function of a question: the answers; None = silence
        self.asked = []  # (name, kind, by TCP)
        self.lock = threading.Lock()
        self.threads = []
        self.host, self.port = host, port
        self.start()

    @property
    def text(self):
        return f"{self.host}:{self.port}"

    def start(self):
        """Again at the same port, after stop()."""
        for _ in range(100):
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.tcp = socket.socket()
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.udp.bind((self.host, self.port))
            try:
                self.tcp.bind(self.udp.getsockname())
                break
            except OSError:
                self.udp.close()
                self.tcp.close()
        self.tcp.listen()
        self.port = self.udp.getsockname()[1]
        self.is_on = True
        self._run(self._serve_udp)
        self._run(self._serve_tcp)

    def stop(self):
        """Dead: nobody listens at its port."""
        if not self.is_on:
            return
        self.is_on = False
        for sock in self.udp, self.tcp:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # an unconnected UDP socket says so, and wakes its reader all the same
        for thread in self.threads:
            thread.join()
        self.threads.clear()
        self.udp.close()
        self.tcp.close()

    close = stop

    def a(self, name, *ips, ttl=60):
        """The addresses of a name from now on."""
        for kind in A, AAAA:
            self.records[name, kind] = [address(name, ip, ttl) for ip in ips
                                        if (":" in ip) == (kind == AAAA)]

    def srv(self, name, *targets, ttl=60):
        """The targets of a service: (priority, weight, port, host) each."""
        self.records[name, SRV] = [target(name, *t, ttl) for t in targets]

    def count(self, name, kind=None):
        with self.lock:
            return sum(n == name and kind in (None, k) for n, k, _ in self.asked)

    def _run(self, what, *args):
        self.threads.append(threading.Thread(target=what, args=args, daemon=True))
        self.threads[-1].start()

    def _answers(self, question):
        with self.lock:
            self.asked.append((question.name, question.kind, question.by_tcp))
        script = self.scripts.get(question.name)
        if script:
            return script(question) or []
        known = [k for k in self.records if k[0] == question.name]
        found = self.records.get((question.name, question.kind), [])
        whole = question.answer(*found, code=0 if known else NXDOMAIN)
        if len(whole) > 512 and not question.by_tcp:
            whole = question.answer(cut=True)
        return [whole]

    def _serve_udp(self):
        udp = self.udp
        while True:
            raw, peer = udp.recvfrom(4096)
            if not self.is_on:
                return
            for answer in self._answers(Question(raw, False)):
                if callable(answer):
                    answer(peer)
                else:
                    udp.sendto(answer, peer)

    def _serve_tcp(self):
        while True:
            try:
                peer = self.tcp.accept()[0]
            except OSError:
                return
            with peer:
                peer.settimeout(5)
                try:
                    self._serve_peer(peer)
                except OSError:
                    pass  # it went away

    def _serve_peer(self, peer):
        stream = peer.makefile("rb")
        while len(head := stream.read(2)) == 2:
            raw = stream.read(int.from_bytes(head, "big"))
            for answer in self._answers(Question(raw, True)):
                peer.sendall(struct.pack(">H", len(answer)) + answer)
