# SPDX-License-Identifier: BSD-2-Clause
"""The words of a case's client and upstream blocks.

A word acts on the connection that was made or accepted last; `a = client()` and `a = accept()`
return it, and a.send() names it. All that is received is kept for the transcript; a word that
waits, waits for bytes, never for a time. At a block's end its connections are read to their ends.
"""

import re
import socket
import ssl
import struct
import threading
import time

from helpers.frames import BINARY, CLOSE, KEY, PING, PONG, TEXT, close_payload, frame, parse_frame

LIMIT = 30  # seconds a case may take
WS_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = {
    "Host": "parity",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": WS_KEY,
    "Sec-WebSocket-Version": "13",
}


class Stuck(Exception):
    """What was waited for did not come within the case's time."""


def to_bytes(data):
    return data.encode("latin-1") if isinstance(data, str) else bytes(data)


def switched(received):
    """Where the frames begin in a stream that began with HTTP; None before that."""
    found = re.search(rb"(HTTP/1\.1 101 |\r\nUpgrade: websocket\r\n).*?\r\n\r\n", received, re.S)
    return found.end() if found else None


class Channel:
    """One connection of a case."""

    def __init__(self, scene, sock, masks):
        self.scene = scene
        self.sock = sock
        self.masks = masks
        self.sent = bytearray()
        self.received = bytearray()
        self.cursor = 0  # wait() looks behind it
        self.over = None  # "end" once the peer has closed, "left" when this end did first
        self.plain_chunks = False
        self.shown = True

    # Sending.

    def send(self, data):
        data = to_bytes(data)
        self.sent += data
        self.sock.settimeout(self.scene.left())
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def hex(self, text):
        self.send(bytes.fromhex(text))

    def frame(self, opcode, payload=b"", **how):
        how.setdefault("mask", KEY if self.masks else None)
        self.send(frame(opcode, to_bytes(payload), **how))

    def text(self, payload="", **how):
        self.frame(TEXT, payload, **how)

    def binary(self, payload="", **how):
        self.frame(BINARY, payload, **how)

    def ping(self, payload="", **how):
        self.frame(PING, payload, **how)

    def pong(self, payload="", **how):
        self.frame(PONG, payload, **how)

    def close_frame(self, code=None, reason="", **how):
        self.frame(CLOSE, close_payload(code, to_bytes(reason)), **how)

    # Receiving.

    def fill(self):
        """Receives once; False at the end."""
        if self.over:
            return False
        self.sock.settimeout(self.scene.left())
        try:
            got = self.sock.recv(65536)
        except (socket.timeout, ssl.SSLWantReadError):
            raise Stuck(f"after {bytes(self.received[-300:])!r}") from None
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            got = b""
        self.received += got
        if not got:
            self.over = "end"
        return bool(got)

    def wait(self, what):
        """Until these bytes have come, behind what was waited for before."""
        what = to_bytes(what)
        while (at := self.received.find(what, self.cursor)) < 0:
            if not self.fill():
                raise Stuck(f"the end before {what!r}, after {bytes(self.received[-300:])!r}")
        self.cursor = at + len(what)

    def wait_bytes(self, n):
        """Until n more bytes have come."""
        while len(self.received) < self.cursor + n:
            if not self.fill():
                raise Stuck(f"the end before {n} bytes, after {bytes(self.received[-300:])!r}")
        self.cursor += n

    def frames(self):
        """The frames that have come in full."""
        at, out = switched(self.received), []
        while at is not None:
            f, used = parse_frame(self.received[at:])
            if not f:
                break
            out.append(f)
            at += used
        return out

    def wait_frames(self, n=1):
        """Until n frames have come since the handshake."""
        while len(self.frames()) < n:
            if not self.fill():
                raise Stuck(f"the end before frame {n}: {self.frames()}")
        self.cursor = len(self.received)

    # Ending.

    def fin(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.leave()

    def leave(self):
        self.over = self.over or "left"
        self.sock.close()

    def end(self):
        """Until the peer has ended it."""
        while self.fill():
            pass

    def forget(self):
        """What has come and comes yet is not for the transcript: how much it is, is chance."""
        self.shown = False

    def show_chunks(self):
        """The transcript keeps the chunks of bodies as they came."""
        self.plain_chunks = True


class ClientChannel(Channel):
    def request(self, method, target="", *lines, version="1.1", body=None, close=True, host="parity"):
        """A plain request; target is put behind the case's path. close: `Connection: close`."""
        head = [f"{method} {target if target[:1] == '/' else self.scene.path + target} HTTP/{version}"]
        if host:
            head.append(f"Host: {host}")
        if close:
            head.append("Connection: close")
        head += self.scene.hints() + list(lines)
        if body is not None:
            head.append(f"Content-Length: {len(to_bytes(body))}")
        self.send(to_bytes("\r\n".join(head) + "\r\n\r\n") + to_bytes(body or ""))

    def get(self, target="", *lines, **how):
        self.request("GET", target, *lines, **how)

    def upgrade(self, *lines, target="", version="1.1", drop=(), change=None, early=""):
        """An upgrade request. change: {name: value or values} of its fields; lines: more of them;
        early: bytes, in hex, that follow in the same segment."""
        fields = {**UPGRADE, **(change or {})}
        head = [f"GET {self.scene.path}{target} HTTP/{version}"]
        for name, value in fields.items():
            for v in [value] if isinstance(value, str) else value:
                if name not in drop:
                    head.append(f"{name}: {v}")
        head += self.scene.hints() + list(lines)
        self.send(to_bytes("\r\n".join(head) + "\r\n\r\n") + bytes.fromhex(early))

    def open(self, *lines, **how):
        """An upgrade request, and its answer."""
        self.upgrade(*lines, **how)
        self.wait("\r\n\r\n")


class UpstreamChannel(Channel):
    def answer_101(self, *lines):
        """Waits for an upgrade request and accepts it."""
        self.wait("\r\n\r\n")
        self.send("\r\n".join(["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket",
                               "Connection: Upgrade", *lines]) + "\r\n\r\n")


class Datagrams:
    """The far end of a UDP socket."""

    def __init__(self, scene):
        self.scene = scene
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.seen, self.senders = [], []

    def receive(self):
        self.sock.settimeout(self.scene.left())
        try:
            data, sender = self.sock.recvfrom(65536)
        except socket.timeout:
            raise Stuck(f"after datagrams {self.seen}") from None
        self.seen.append(data)
        self.senders.append(sender)
        return data

    def reply(self, data, to=-1):
        """To the sender of the last datagram, or of the one with that number."""
        self.sock.sendto(to_bytes(data), self.senders[to])


class Scene:
    """One run of one case against one server."""

    def __init__(self, case, server):
        self.case = case
        self.server = server
        self.path = "/" + case.name
        self.deadline = time.monotonic() + LIMIT
        self.clients, self.accepted, self.remarks, self.faults = [], [], [], []
        self.listening = self.udp = None
        self.port = self.unix = self.unix_path = None
        if "accept_unix" in case.blocks.get("upstream", ""):
            self.unix_path = f"{server.stage.folder}/{case.name.replace('/', '.')}.sock"
            self.unix = socket.socket(socket.AF_UNIX)
            self.unix.bind(self.unix_path)
            self.unix.listen()
        if "upstream" in case.blocks:
            self.listening = socket.create_server(("127.0.0.1", 0))
            self.port = self.listening.getsockname()[1]
        if "udp" in case.blocks:
            self.udp = Datagrams(self)

    def left(self):
        """Seconds that are left to the case; Stuck when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Stuck("the case took too long")
        return left

    def hints(self):
        """Header lines that tell the script where the case's own servers are."""
        lines = [f"Upstream-Port: {self.port}"] if self.port else []
        lines += [f"Upstream-Path: {self.unix_path}"] if self.unix else []
        return lines + ([f"Udp-Port: {self.udp.port}"] if self.udp else [])

    # Words of a client block that are about no connection, or make one.

    def client(self, tls=None):
        """Connects. tls, for the listener with TLS: {"name": SNI, "certificate": True or a name of Keys.clients},
        or {"again": a connection} to go on with its session."""
        address = self.server.address if tls is None else self.server.tls_address
        sock = socket.create_connection(address, timeout=self.left())
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            before = tls["again"].sock if "again" in tls else None
            context = before.context if before else self.server.keys.client_context(tls)
            sock = context.wrap_socket(sock, server_hostname=tls.get("name"), session=before and before.session)
            if before:
                self.remarks.append(f"session reused: {sock.session_reused}")
        self.clients.append(ClientChannel(self, sock, masks=True))
        return self.clients[-1]

    def notes(self):
        """What the script noted (t.notes()), once it says that it is done."""
        got = b""
        with socket.create_connection(self.server.address, timeout=self.left()) as sock:
            sock.sendall(f"GET /parity/notes?{self.path} HTTP/1.0\r\nHost: parity\r\n\r\n".encode())
            try:
                while part := sock.recv(65536):
                    got += part
            except socket.timeout:
                raise Stuck("the script never said that it was done") from None
        head, _, body = got.partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise Stuck(f"no notes: {got[:300]!r}")
        self.remarks += ["note " + x for x in body.decode("utf-8", "backslashreplace").splitlines()]

    def logged(self, text):
        """Until the server's log holds this text."""
        while text not in self.server.log():
            self.left()
            self.server.wait_log()
        self.remarks.append(f"logged {text}")

    # Words of an upstream block.

    def accept(self, tls=None, at=None):
        """The next connection. tls: {} or what keys.server_context() takes."""
        at = at or self.listening
        at.settimeout(self.left())
        try:
            sock = at.accept()[0]
        except socket.timeout:
            raise Stuck("nobody connected to the upstream") from None
        self.accepted.append(UpstreamChannel(self, sock, masks=False))
        if tls is not None:
            sock.settimeout(self.left())
            try:
                self.accepted[-1].sock = self.server.keys.server_context(tls).wrap_socket(sock, server_side=True)
            except (ssl.SSLError, ConnectionError):
                self.accepted[-1].over = "no TLS"
        return self.accepted[-1]

    def accept_unix(self):
        return self.accept(at=self.unix)

    # Running.

    def words(self, kind, channels, extra):
        """The names a block may use: of its last connection, and of the scene."""

        def on_last(name):
            def word(*args, **options):
                if not channels and kind is ClientChannel:
                    self.client()
                return getattr(channels[-1], name)(*args, **options)
            return word

        names = {n: on_last(n) for n in dir(kind) if not n.startswith("_")}
        return {**names, **extra, "path": self.path, "KEY": KEY, "port": self.port}

    def play(self, kind, block, words, channels):
        """Runs a block, then reads its connections to their ends."""
        try:
            exec(compile(block, f"{self.case.path} {kind}", "exec"), words)
            for c in channels:
                c.end()
        except Stuck as e:
            self.faults.append(f"{kind} stuck: {e}")
        except Exception as e:  # of the case's own making
            self.faults.append(f"{kind} failed: {type(e).__name__}: {e}")

    def run(self):
        threads = []
        if self.listening:
            words = self.words(UpstreamChannel, self.accepted,
                               {"accept": self.accept, "accept_unix": self.accept_unix})
            threads.append(("upstream", words, self.accepted))
        if self.udp:
            words = {"receive": self.udp.receive, "reply": self.udp.reply}
            threads.append(("udp", words, []))
        running = [threading.Thread(target=self.play, args=(k, self.case.blocks[k], w, c))
                   for k, w, c in threads]
        for thread in running:
            thread.start()
        words = self.words(ClientChannel, self.clients,
                           {"client": self.client, "notes": self.notes, "logged": self.logged})
        self.play("client", self.case.blocks.get("client", "get()"), words, self.clients)
        for thread in running:
            thread.join()
        for c in self.clients + self.accepted:
            c.sock.close()
        for s in (self.listening, self.unix, self.udp and self.udp.sock):
            if s:
                s.close()
