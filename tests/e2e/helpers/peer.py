# SPDX-License-Identifier: BSD-2-Clause
"""Raw peers: sockets on which a test says and checks every byte itself.

RawClient talks to the daemon; RawUpstream is the application behind it, whose
accept() gives a RawPeer per connection. Client and upstream are driven in turn
by the test, in one thread, so the order of events is the test's.
"""

import base64
import hashlib
import os
import socket
import struct
import threading

from .frames import BINARY, CLOSE, KEY, PING, PONG, TEXT, close_payload, frame, parse_frame

# Seconds any single wait may take before the test fails; a sanitizer's build takes some times the processor.
LIMIT = 60 if os.environ.get("SAN") else 20
TCP_CLOSE = b"\x07"  # a state of linux/tcp_states.h
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_value(key):
    if isinstance(key, str):
        key = key.encode()
    return base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()


class Head:
    """A request or response head: first line, and the fields in their order."""

    def __init__(self, raw):
        self.raw = raw
        first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        self.line = first
        parts = first.split(" ", 2)
        self.fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
        if first.startswith("HTTP/"):
            self.status = int(parts[1])
            self.reason = parts[2] if len(parts) > 2 else ""
        else:
            self.method, self.target = parts[0], parts[1]

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name):
        """The only value of that name, None when absent."""
        found = self.all(name)
        assert len(found) <= 1, f"{name} stands {len(found)} times in {self.raw!r}"
        return found[0] if found else None

    def __contains__(self, name):
        return bool(self.all(name))


class RawPeer:
    """One connection. `masks` says whether the frames it makes are masked, as a client's."""

    def __init__(self, sock, masks):
        sock.settimeout(LIMIT)
        self.sock = sock
        self.masks = masks
        self.buf = bytearray()  # received, not yet read
        if sock.family == socket.AF_UNIX:
            self.local = "unix:"
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            host, port = sock.getsockname()[:2]
            self.local = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Sending.

    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def drip(self, data, step=1):
        """Sends in pieces, each its own segment: waits until the kernel has sent each one."""
        for i in range(0, len(data), step):
            self.send(data[i : i + step])
            self.flushed()

    def flushed(self):
        """Returns once the peer's kernel has acknowledged all that was sent; fails on a reset."""
        while self.sock.family != socket.AF_UNIX and unsent(self.sock) > 0:
            if self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == TCP_CLOSE:
                raise ConnectionResetError("reset before all was acknowledged")
            os.sched_yield()

    def frame(self, opcode, payload=b"", **how):
        """Sends one frame, masked as the role demands unless `mask` says otherwise."""
        self.send(self.make(opcode, payload, **how))

    def make(self, opcode, payload=b"", **how):
        how.setdefault("mask", KEY if self.masks else None)
        return frame(opcode, payload.encode() if isinstance(payload, str) else payload, **how)

    def text(self, payload, **how):
        self.frame(TEXT, payload, **how)

    def binary(self, payload, **how):
        self.frame(BINARY, payload, **how)

    def ping(self, payload=b"", **how):
        self.frame(PING, payload, **how)

    def pong(self, payload=b"", **how):
        self.frame(PONG, payload, **how)

    def close_frame(self, code=None, reason=b"", **how):
        self.frame(CLOSE, close_payload(code, reason), **how)

    # Receiving.

    def fill(self):
        """Receives once. False at the end of the stream."""
        got = self.sock.recv(65536)
        self.buf += got
        return bool(got)

    def read(self, n):
        while len(self.buf) < n:
            assert self.fill(), f"the end after {bytes(self.buf)!r}, {n} bytes wanted"
        out = bytes(self.buf[:n])
        del self.buf[:n]
        return out

    def read_until(self, mark):
        while mark not in self.buf:
            assert self.fill(), f"the end after {bytes(self.buf)!r}, before {mark!r}"
        return self.read(self.buf.index(mark) + len(mark))

    def read_head(self):
        return Head(self.read_until(b"\r\n\r\n"))

    def read_body(self, head):
        """The content of a response's body, however it is framed."""
        if head.status == 304 or head.status == 204:
            return b""
        if "Transfer-Encoding" in head:
            assert head.get("Transfer-Encoding") == "chunked" and "Content-Length" not in head
            return self.read_chunks()
        if "Content-Length" in head:
            return self.read(int(head.get("Content-Length")))
        return self.read_all()

    def read_chunks(self):
        body = b""
        while size := int(self.read_until(b"\r\n"), 16):
            body += self.read(size)
            assert self.read(2) == b"\r\n"
        assert self.read_until(b"\r\n") == b"\r\n"
        return body

    def read_all(self):
        """All bytes up to the end of the stream, which must be a FIN."""
        while self.fill():
            pass
        return self.read(len(self.buf))

    def read_frame(self):
        while True:
            f, used = parse_frame(self.buf)
            if f:
                del self.buf[:used]
                assert (f.mask is not None) == (not self.masks), f"masked wrongly: {f}"
                return f
            assert self.fill(), f"the end after {bytes(self.buf)!r}, a frame was due"

    def read_message(self):
        """A whole message as (opcode, payload); control frames are not expected within it."""
        f = self.read_frame()
        opcode, parts = f.opcode, [f.payload]
        while not f.fin:
            f = self.read_frame()
            assert f.opcode == 0, f"{f} within a message"
            parts.append(f.payload)
        return opcode, b"".join(parts)

    # Expecting.

    def expect_frame(self, opcode, payload=b"", fin=True):
        f = self.read_frame()
        payload = payload.encode() if isinstance(payload, str) else payload
        assert (f.opcode, f.fin, f.rsv) == (opcode, fin, 0), f"wanted opcode {opcode}, got {f}"
        assert f.payload == payload, f"wanted {payload[:200]!r}, got {f.payload[:200]!r}"
        return f

    def expect_text(self, payload, **how):
        return self.expect_frame(TEXT, payload, **how)

    def expect_binary(self, payload, **how):
        return self.expect_frame(BINARY, payload, **how)

    def expect_close(self, code, reason=None):
        """The next frame is a Close with this code (None = without one) and, if given, reason."""
        f = self.read_frame()
        assert f.opcode == CLOSE, f"wanted a close frame, got {f}"
        assert f.close_code == code, f"wanted {code}, got {f.close_code} {f.payload[2:]!r}"
        if reason is not None:
            assert f.close_reason == reason
        return f

    def expect_eof(self):
        """The stream ends here, with a FIN and without another byte."""
        rest = self.read_all()
        assert not rest, f"bytes before the end: {rest[:200]!r}"

    def expect_reset(self, after=None):
        """The stream ends with a reset; `after` = the bytes that come before it, if it matters. Returns them."""
        try:
            while self.fill():
                pass
        except ConnectionResetError:
            pass
        else:
            raise AssertionError(f"a FIN, not a reset, after {bytes(self.buf)!r}")
        out = bytes(self.buf)
        self.buf.clear()
        assert after is None or out == after
        return out

    def expect_end(self):
        """The stream ends, by FIN or reset. Returns what came before."""
        try:
            while self.fill():
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass
        out = bytes(self.buf)
        self.buf.clear()
        return out

    def expect_answer(self, status):
        """A response head of this status; other heads fail with their text."""
        head = self.read_head()
        assert head.status == status, f"wanted {status}, got {head.raw!r}"
        return head

    def expect_refusal(self, status):
        """A response of this status that ends the connection, with nothing behind it; then this end
        is closed too. Returns the head; its body is head.body."""
        head = self.expect_answer(status)
        assert "close" in [x.strip() for x in head.get("Connection").split(",")], head.raw
        head.body = self.read_body(head)
        self.expect_eof()
        self.close()
        return head

    # Ending.

    def shutdown(self):
        """FIN: no more will be sent, reading goes on."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()


def unsent(sock):
    """Bytes in the send queue that were not acknowledged (SIOCOUTQ)."""
    import fcntl
    import termios

    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]


def arrived(peer):
    """Bytes that have come and were not received yet (SIOCINQ)."""
    import fcntl
    import termios

    return struct.unpack("i", fcntl.ioctl(peer.sock, termios.FIONREAD, b"\0" * 4))[0]


def connect(address, **options):
    """A connected socket. address: (host, port) or the path of a unix socket.

    options: rcvbuf, sndbuf in bytes, set before the connect; source = (host, port).
    """
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX)
    else:
        sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    try:
        sock.settimeout(LIMIT)
        if "rcvbuf" in options:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["rcvbuf"])
        if "sndbuf" in options:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, options["sndbuf"])
        if "source" in options:
            sock.bind(options["source"])
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


class RawClient(RawPeer):
    """A client of the daemon. Nothing is sent before the test says so."""

    def __init__(self, address, **options):
        self.address = address
        self.key = base64.b64encode(os.urandom(16)).decode()
        super().__init__(connect(address, **options), masks=True)

    @property
    def authority(self):
        if isinstance(self.address, str):
            return "localhost"
        return ("[%s]:%d" if ":" in self.address[0] else "%s:%d") % self.address

    def request(self, target="/app", *, method="GET", version="HTTP/1.1", drop=(), change=None, add=()):
        """An upgrade request as text. drop: names left out; change: {name: value or whole list of
        values} for the standard fields; add: (name, value) pairs or whole lines put after them."""
        fields = {
            "Host": self.authority,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": self.key,
            "Sec-WebSocket-Version": "13",
        }
        lines = [f"{method} {target} {version}"]
        for name, value in fields.items():
            if name in drop:
                continue
            value = (change or {}).get(name, value)
            for v in [value] if isinstance(value, str) else value:
                lines.append(f"{name}: {v}")
        lines += [a if isinstance(a, str) else "%s: %s" % a for a in add]
        return "\r\n".join(lines) + "\r\n\r\n"

    def get(self, target="/", *, method="GET", version="HTTP/1.1", add=()):
        """A plain request, no upgrade, as text."""
        lines = [f"{method} {target} {version}", f"Host: {self.authority}"]
        lines += [a if isinstance(a, str) else "%s: %s" % a for a in add]
        return "\r\n".join(lines) + "\r\n\r\n"

    def expect_101(self):
        head = self.expect_answer(101)
        assert head.get("Upgrade").lower() == "websocket"
        assert head.get("Connection").lower() == "upgrade"
        assert head.get("Sec-WebSocket-Accept") == accept_value(self.key)
        assert "Sec-WebSocket-Extensions" not in head
        return head

    def open(self, target="/echo", **how):
        """The whole handshake with a route that answers by itself. Returns self."""
        self.send(self.request(target, **how))
        self.head = self.expect_101()
        return self

    def echoes(self, n=1, text="message %d"):
        """n messages go round."""
        for i in range(n):
            self.text(text % i)
            self.expect_text(text % i)

    def end(self, code=1000):
        """A polite end: Close, the same Close back, and the daemon ends the stream."""
        self.close_frame(code)
        self.expect_close(code)
        self.expect_eof()
        self.close()


class UpstreamPeer(RawPeer):
    """An accepted connection of the application; `head` is the request once read."""

    def __init__(self, sock):
        super().__init__(sock, masks=False)
        self.head = None

    def read_request(self):
        self.head = self.read_head()
        return self.head

    def answer(self, *, line="HTTP/1.1 101 Switching Protocols", drop=(), change=None, add=()):
        """The right 101 to the request, as bytes, with changes as in RawClient.request()."""
        fields = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": accept_value(self.head.get("Sec-WebSocket-Key")),
        }
        lines = [line]
        for name, value in fields.items():
            if name in drop:
                continue
            value = (change or {}).get(name, value)
            for v in [value] if isinstance(value, str) else value:
                lines.append(f"{name}: {v}")
        lines += [a if isinstance(a, str) else "%s: %s" % a for a in add]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class RawUpstream:
    """A listening socket that the test accepts from, or, after serve(), a thread does."""

    def __init__(self, address=("127.0.0.1", 0), **options):
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
        else:
            self.sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if "rcvbuf" in options:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["rcvbuf"])
        self.sock.settimeout(LIMIT)
        self.sock.bind(address)
        self.sock.listen(options.get("backlog", 4096))
        self.address = self.sock.getsockname()
        self.peers = []
        self.thread = None
        self.errors = []

    def accept(self):
        """The next connection, its request not yet read."""
        peer = UpstreamPeer(self.sock.accept()[0])
        self.peers.append(peer)
        return peer

    def accept_request(self):
        """The next connection, its request read."""
        peer = self.accept()
        peer.read_request()
        return peer

    def accept_open(self, **how):
        """The next connection, the handshake done."""
        peer = self.accept_request()
        peer.send(peer.answer(**how))
        return peer

    def nobody_came(self):
        """True when no connection waits. Only meaningful after the daemon has answered."""
        self.sock.settimeout(0)
        try:
            self.sock.accept()[0].close()
        except BlockingIOError:
            return True
        finally:
            self.sock.settimeout(LIMIT)
        return False

    def drain(self):
        """What each waiting connection has sent up to its end, all of them over now."""
        seen = []
        self.sock.settimeout(0)
        try:
            while True:
                with UpstreamPeer(self.sock.accept()[0]) as peer:
                    seen.append(peer.expect_end())
        except BlockingIOError:
            return seen
        finally:
            self.sock.settimeout(LIMIT)

    def serve(self, script):
        """Runs script(peer) for each connection, one after the other, on a thread of its own;
        its assertions are raised by close()."""

        def run():
            while True:
                try:
                    peer = self.accept()
                except OSError:
                    return
                try:
                    with peer:
                        script(peer)
                except (ConnectionError, OSError):
                    pass
                except AssertionError as e:
                    self.errors.append(e)

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        return self

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        for peer in self.peers:
            peer.close()
        if self.thread:
            self.thread.join(LIMIT)
        if self.errors:
            raise self.errors.pop(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
