# SPDX-License-Identifier: BSD-2-Clause
"""Peers without manners: what they say is half right, in odd pieces, and ends anyhow.

All of it comes from a random.Random, so a seed tells it again. Nothing is expected of the answers.
"""

import socket
import struct
import threading

from .frames import BINARY, CLOSE, CONT, KEY, PING, PONG, TEXT, close_payload, frame
from .peer import accept_value, connect

PATHS = ["/app"] * 12 + ["/echo"] * 4 + ["/app/x?y", "/still", "/none", "//app", "/app/%2e%2e/echo", "http://x/app", "*", "/app?" + "q" * 9000]
OFFERS = ["a", "a, b", "b,c,d", "a, a", "x" * 300]
SIZES = [0, 1, 125, 126, 127, 1000, 65535, 65536, 200_000]
MARK = b"\r\n\r\n\0\r\nQUIT\n"  # of a PROXY header, version 2


def noise(rng, most):
    return rng.randbytes(rng.randrange(most))


def some_frames(rng, masks):
    """A few frames, most of them sound."""
    mask = KEY if masks else None
    size = rng.choice(SIZES) if rng.random() < 0.2 else rng.randrange(40)

    def make(opcode, payload=b"", **how):
        return frame(opcode, payload, **{"mask": mask, **how})

    makers = [
        lambda: make(TEXT, b"x" * size), lambda: make(TEXT, b"x" * size), lambda: make(BINARY, rng.randbytes(size)),
        lambda: make(TEXT, b"ab", fin=False) + make(PING, b"p") + make(CONT, b"c", fin=rng.random() < 0.7),
        lambda: make(PING, b"p" * min(size, 125)) * rng.randrange(1, 50), lambda: make(PONG, b"q"),
        lambda: make(BINARY, b"", fin=False) + make(CONT, b"", fin=False) * rng.randrange(200),
        lambda: make(CLOSE, close_payload(rng.choice([1000, 1001, 1005, 3000, 5000]))),
        lambda: make(BINARY, b"y" * 10, length=rng.choice([100, 2**20, 2**63 - 1, 2**63])),
        lambda: make(rng.randrange(16), rsv=rng.choice([0, 0, 1, 4])),
        lambda: make(TEXT, rng.randbytes(size)), lambda: make(TEXT, mask=None if masks else KEY), lambda: noise(rng, 20),
    ]
    weights = [6, 6, 6, 4, 2, 2, 1, 1, 1, 1, 1, 1, 1]
    return b"".join(m() for m in rng.choices(makers, weights, k=rng.randrange(1, 12)))


def some_request(rng):
    lines = ["Host: " + rng.choice(["a", "localhost:1", "[::1]:2", "x.example"])]
    if rng.random() < 0.95:
        lines += ["Upgrade: websocket", "Connection: Upgrade" + rng.choice(["", ", x", ", host, cookie", ", keep-alive"]),
                  "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
    odd = [
        (0.1, lambda: "Sec-WebSocket-Protocol: " + rng.choice(OFFERS)),
        (0.2, lambda: "Sec-WebSocket-Extensions: permessage-deflate"),
        (0.3, lambda: f"Cookie: k={rng.randrange(99)}; node={'A' * rng.choice([0, 10, 43, 4000])}; node=x; =; ;;"),
        (0.3, lambda: "X-Forwarded-For: " + ", ".join(rng.choices(["1.2.3.4", "::1", "[::1]:7", "junk", '"'], k=9))),
        (0.1, lambda: 'Forwarded: for="[::1]:1";proto=http, for=unknown;by=_x, for="'),
        (0.05, lambda: "\r\n".join(f"X-{i}: {'z' * rng.randrange(400)}" for i in range(rng.randrange(1, 120)))),
        (0.05, lambda: rng.choice(["Content-Length: 5", "Transfer-Encoding: chunked", "Expect: 100-continue", "TE: x", "Host: b"])),
        (0.05, lambda: noise(rng, 20).decode("latin-1")),
    ]
    lines += [make() for chance, make in odd if rng.random() < chance]
    rng.shuffle(lines)
    method = rng.choice(["GET"] * 30 + ["POST", "HEAD", "X"])
    head = f"{method} {rng.choice(PATHS)} HTTP/1.{rng.choice('1111111110')}\r\n" + "\r\n".join(lines) + "\r\n\r\n"
    body = rng.choice([""] * 8 + ["hello", "5\r\nhello\r\n0\r\n\r\n"])
    return (head + body).encode("latin-1")


def some_preface(rng):
    return rng.choice([
        b"", b"PROXY UNKNOWN\r\n", b"PROXY TCP4 1.2.3.4 127.0.0.1 %d 80\r\n" % rng.randrange(65536), b"PROXY TCP6 ::1 ::2 1 2\r\n",
        MARK + b"\x21\x11\0\x0c" + rng.randbytes(12), MARK + b"\x21\x21\0\x24" + rng.randbytes(36),
        MARK + b"\x20\0\0\0", MARK[: rng.randrange(12)] + noise(rng, 30)])


def some_answer(rng, key):
    right = ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             f"Sec-WebSocket-Accept: {accept_value(key)}\r\n").encode()
    answers = [
        lambda: right + b"\r\n" + some_frames(rng, False), lambda: right + b"\r\n",
        lambda: right + b"Sec-WebSocket-Protocol: a\r\nSet-Cookie: q=1\r\n\r\n", lambda: right + b"X: " + b"y" * rng.randrange(40000),
        lambda: right[: rng.randrange(len(right))], lambda: b"HTTP/1.1 100 C\r\n\r\n" * rng.randrange(12) + right + b"\r\n",
        lambda: b"HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nhello", lambda: b"HTTP/1.1 500 X\r\n\r\n" + b"z" * rng.randrange(90000),
        lambda: b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n" + b"5\r\nhello\r\n" * rng.randrange(20),
        lambda: noise(rng, 3000),
    ]
    return rng.choices(answers, [8, 8, 2, 1, 1, 1, 1, 1, 1, 1])[0]()


def say(rng, sock, data):
    """In one piece, or in several."""
    step = rng.choice([len(data), len(data), rng.randrange(1, 200)]) or 1
    for i in range(0, min(len(data), 200 * step), step):
        sock.sendall(data[i : i + step])


def hear(rng, sock):
    """False at the end."""
    sock.settimeout(rng.choice([0.005, 0.05]))
    try:
        return bool(sock.recv(rng.choice([1, 100, 65536])))
    except TimeoutError:
        return True
    finally:
        sock.settimeout(1)


def leave(rng, sock):
    try:
        how = rng.randrange(4)
        if how == 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == 1:
            sock.shutdown(socket.SHUT_WR)
            hear(rng, sock)
        elif how == 2:
            sock.shutdown(socket.SHUT_RD)
    except OSError:
        pass
    sock.close()


def talk(rng, sock, masks):
    for _ in range(rng.randrange(6)):
        if rng.random() < 0.6:
            if not hear(rng, sock):
                return
        else:
            say(rng, sock, some_frames(rng, masks))


def visit(rng, address, has_preface):
    """One connection of a client."""
    sock = connect(address, **({"rcvbuf": 2048} if rng.random() < 0.2 else {}))
    sock.settimeout(1)
    try:
        data = (some_preface(rng) if has_preface else b"") + some_request(rng)
        if rng.random() < 0.3:
            data += some_frames(rng, True)
        if rng.random() < 0.1:
            data *= rng.randrange(2, 30)
        if rng.random() < 0.05:
            data = data[: rng.randrange(len(data))]
        say(rng, sock, data)
        talk(rng, sock, True)
    except OSError:
        pass
    leave(rng, sock)


class RudeApplication:
    """Serves each connection on a thread of its own, until it is closed."""

    def __init__(self, rng):
        self.rng = rng
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.address = self.sock.getsockname()
        self.threads = []
        self.main = threading.Thread(target=self._accept, daemon=True)
        self.main.start()

    def _accept(self):
        import random

        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock, random.Random(self.rng.random())), daemon=True)
            thread.start()
            self.threads.append(thread)

    def _serve(self, sock, rng):
        sock.settimeout(1)
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                got = sock.recv(65536)
                if not got:
                    break
                head += got
            key = head.lower().partition(b"sec-websocket-key:")[0]
            say(rng, sock, some_answer(rng, head[len(key) + 18 :].partition(b"\r\n")[0].strip()))
            talk(rng, sock, False)
        except OSError:
            pass
        leave(rng, sock)

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.main.join()
        for thread in self.threads:
            thread.join()
