# SPDX-License-Identifier: BSD-2-Clause
"""Peers that act by themselves on a thread, so that a test can watch meanwhile."""

import selectors
import socket
import threading

from .frames import CLOSE, PING, PONG, frame, parse_frame
from .peer import LIMIT


class Doing:
    """Runs fn(*args) on a thread; its exception, if any, is .error. join() waits for its end."""

    def __init__(self, fn, *args):
        self.error = None
        self.result = None
        self.thread = threading.Thread(target=self._run, args=(fn, *args), daemon=True)
        self.thread.start()

    def _run(self, fn, *args):
        try:
            self.result = fn(*args)
        except (OSError, AssertionError) as e:
            self.error = e

    def is_over(self):
        return not self.thread.is_alive()

    def join(self):
        self.thread.join(LIMIT)
        assert self.is_over(), "a helper thread does not end"
        return self


def sending(peer, data):
    """Sends it all, while the test goes on to read."""
    return Doing(peer.send, data)


def sending_for_ever(peer, data):
    """Sends it again and again until the stream fails, which is no error."""

    def run():
        try:
            while True:
                peer.send(data)
        except OSError:
            pass

    return Doing(run)


class Application:
    """An application of many connections on one thread: what on_frame(peer, frame) returns is
    sent, after everything that was sent before. Upgrade requests are accepted.

    flood: bytes that every connection is sent without end, from its first message on, as fast as
    it takes them.
    """

    def __init__(self, upstream, on_frame=None, flood=b""):
        self.upstream, self.on_frame, self.flood = upstream, on_frame or echo, flood
        self.selector = selectors.DefaultSelector()
        self.wake, self.woken = socket.socketpair()
        self.error = None
        self.opened = 0
        upstream.sock.settimeout(0)
        self.selector.register(upstream.sock, selectors.EVENT_READ)
        self.selector.register(self.woken, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while True:
                for key, events in self.selector.select():
                    if key.fileobj is self.woken:
                        return
                    if key.fileobj is self.upstream.sock:
                        self._accept()
                    else:
                        self._serve(key.data, events)
        except OSError as e:
            self.error = e

    def _accept(self):
        try:
            peer = self.upstream.accept()
        except BlockingIOError:
            return
        peer.sock.settimeout(0)
        peer.out = bytearray()
        peer.floods = False
        peer.ended = False
        self.selector.register(peer.sock, selectors.EVENT_READ, peer)

    def _serve(self, peer, events):
        try:
            if events & selectors.EVENT_READ:
                self._read(peer)
            if peer.floods and len(peer.out) < len(self.flood):
                peer.out += self.flood
            if peer.out:
                sent = peer.sock.send(peer.out)
                del peer.out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            peer.ended, peer.out = True, b""
        if peer.ended and not peer.out:
            self.selector.unregister(peer.sock)
            peer.close()
            return
        writes = selectors.EVENT_WRITE if peer.out or peer.floods else 0
        # One that takes nothing is not asked for more.
        reads = selectors.EVENT_READ if len(peer.out) <= 65536 + len(self.flood) else 0
        if peer.ended:
            reads = 0
        self.selector.modify(peer.sock, reads | writes or selectors.EVENT_READ, peer)

    def _read(self, peer):
        if not peer.fill():
            peer.ended, peer.floods = True, False
            return
        if peer.head is None:
            if b"\r\n\r\n" not in peer.buf:
                return
            peer.read_request()
            peer.out += peer.answer()
            self.opened += 1
        while True:
            f, used = parse_frame(peer.buf)
            if not f:
                return
            del peer.buf[:used]
            peer.floods = bool(self.flood) and f.opcode != CLOSE
            peer.out += self.on_frame(f)
            if f.opcode == CLOSE:
                peer.ended = True
                return

    def close(self):
        self.wake.close()
        self.thread.join(LIMIT)
        self.selector.close()
        self.woken.close()
        self.upstream.sock.settimeout(LIMIT)
        if self.error:
            raise self.error


def echo(f):
    """Messages and Closes come back as they came, pings as pongs."""
    if f.opcode == PONG:
        return b""
    return frame(PONG if f.opcode == PING else f.opcode, f.payload, fin=f.fin)


def full_listener(upstreams, closing):
    """A listening socket that answers no more SYN, because its queue is full."""
    full = upstreams(backlog=0)
    for _ in range(8):
        filler = socket.socket()
        closing.append(filler)
        filler.setblocking(False)
        filler.connect_ex(full.address)
    return full
