# SPDX-License-Identifier: BSD-2-Clause
"""An application that counts its connections, used and idle ones, on a thread of its own."""

import queue
import selectors
import socket
import ssl
import threading
import time

from .daemon import wait_until
from .frames import CLOSE, PING, PONG, frame, parse_frame
from .peer import LIMIT, UpstreamPeer


class Hall:
    """Accepts upgrades and echoes; each message of a connection must begin with the same byte.

    context: of a server of TLS, which is spoken then.
    is_shared: one connection may serve several clients, one after the other: messages begin as they will.
    patience: a connection is closed when no request has come in so many seconds.
    drops: a connection is closed when its request has come; a number: so many are.
    accepted, now, most, requests: connections so far, at present, at most at a time; and requests.
    given_up: connections that it had no patience for.
    """

    def __init__(self, address=("127.0.0.1", 0), patience=None, drops=False, context=None, is_shared=False):
        self.context = context
        self.is_shared = is_shared
        self.patience = patience
        self.drops = drops
        self.sock = socket.create_server(address, backlog=4096)
        self.sock.setblocking(False)
        self.address = self.sock.getsockname()
        self.accepted = self.most = self.requests = self.given_up = 0
        self.peers = set()
        self.commands = queue.SimpleQueue()
        self.wake, self.woken = socket.socketpair()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.sock, selectors.EVENT_READ, self._accept)
        self.selector.register(self.woken, selectors.EVENT_READ, self._obey)
        self.error = None
        self.is_over = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def now(self):
        return len(self.peers)

    @property
    def server(self):
        return "%s://localhost:%d" % ("wss" if self.context else "ws", self.address[1])

    @property
    def idle(self):
        return sum(p.head is None for p in list(self.peers))

    def lose_patience(self):
        """Until it has had none for one more."""
        before = self.given_up
        wait_until(lambda: self.given_up > before, "an idle connection to be ended")

    # What a test tells it.

    def _tell(self, what):
        done = threading.Event()
        self.commands.put((what, done))
        self.wake.send(b"x")
        assert done.wait(LIMIT), "the application does not obey"

    def hang_up(self):
        """Ends every connection on which no request has come."""
        self._tell(lambda: [self._end(p) for p in list(self.peers) if p.head is None])

    def speak(self, text):
        """Says something on every one of them."""
        self._tell(lambda: [p.sock.send(text) for p in list(self.peers) if p.head is None])

    def close(self):
        """All at once, as when it is killed."""
        if self.is_over:
            return
        self._tell(self._stop)
        self.thread.join(LIMIT)
        self.wake.close()
        self.woken.close()
        if self.error:
            raise self.error

    # On its thread.

    def _run(self):
        try:
            while not self.is_over:
                for key, _ in self.selector.select(0.01 if self.patience else None):
                    if self.is_over:
                        return  # what it was told before is closed
                    key.data(key.fileobj)
                if self.patience:
                    self._lose_patience()
        except (OSError, AssertionError) as e:
            self.error = e

    def _stop(self):
        self.selector.unregister(self.sock)
        self.sock.close()
        for peer in list(self.peers):
            self._end(peer)
        self.is_over = True

    def _obey(self, sock):
        sock.recv(1)
        what, done = self.commands.get()
        what()
        done.set()

    def _accept(self, sock):
        # Ends that have come are seen first, so that `most` is no more than there were.
        for key, _ in self.selector.select(0):
            if key.fileobj not in (sock, self.woken):
                key.data(key.fileobj)
        try:
            peer = UpstreamPeer(sock.accept()[0])
        except BlockingIOError:
            return
        peer.since = time.monotonic()
        peer.mark = None
        peer.sock.setblocking(False)
        peer.is_secured = not self.context
        if self.context:
            peer.sock = self.context.wrap_socket(peer.sock, server_side=True, do_handshake_on_connect=False)
        self.peers.add(peer)
        self.accepted += 1
        self.most = max(self.most, len(self.peers))
        self.selector.register(peer.sock, selectors.EVENT_READ, lambda _: self._read(peer))

    def _end(self, peer):
        if peer in self.peers:
            self.peers.remove(peer)
            self.selector.unregister(peer.sock)
            peer.close()

    def _lose_patience(self):
        for peer in list(self.peers):
            if peer.head is None and time.monotonic() - peer.since > self.patience:
                self._end(peer)
                self.given_up += 1

    def _read(self, peer):
        try:
            if not peer.is_secured:
                peer.sock.do_handshake()
                peer.is_secured = True
            if not peer.fill():
                self._end(peer)
                return
            while self.context and peer.sock.pending():
                peer.fill()
            if peer.head is None and b"\r\n\r\n" in peer.buf:
                peer.read_request()
                self.requests += 1
                if self.drops:
                    if self.drops is not True:
                        self.drops -= 1
                    self._end(peer)
                    return
                peer.sock.send(peer.answer())
            while peer.head is not None and peer in self.peers:
                f, used = parse_frame(peer.buf)
                if not f:
                    return
                del peer.buf[:used]
                self._answer(peer, f)
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError:
            self._end(peer)

    def _answer(self, peer, f):
        if f.opcode == CLOSE:
            peer.sock.send(frame(CLOSE, f.payload))
            self._end(peer)
        elif f.opcode != PONG:
            if f.opcode != PING and not self.is_shared:
                assert peer.mark in (None, f.payload[:1]), "bytes of two clients on one connection"
                peer.mark = f.payload[:1]
            peer.sock.send(frame(PONG if f.opcode == PING else f.opcode, f.payload))
