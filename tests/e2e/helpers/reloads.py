# SPDX-License-Identifier: BSD-2-Clause
"""Reloading a daemon: another configuration, SIGHUP, and the line that tells how it went."""

import selectors
import signal
import threading
import time

from .frames import CLOSE, TEXT, frame, parse_frame
from .peer import LIMIT, RawClient

OUTCOMES = ("reloaded", "reload_failed")


def outcomes(daemon):
    return [line for line in list(daemon.lines) if line.event in OUTCOMES]


def wait_outcome(daemon, n):
    """The n-th line that tells how a reload went."""
    end = time.monotonic() + LIMIT
    with daemon.changed:
        while len(found := outcomes(daemon)) < n:
            left = end - time.monotonic()
            assert not daemon.ended and left > 0, f"no {n}th reload:\n{daemon.log}"
            daemon.changed.wait(left)
    return found[n - 1]


def edit(daemon, *changes):
    """Replaces texts, of which each stands in the configuration, and adds those without another."""
    if not changes:
        return
    text = daemon.config.read_text()
    for change in changes:
        if isinstance(change, str):
            text += change
        else:
            assert change[0] in text, change
            text = text.replace(*change)
    daemon.config.write_text(text)


def reload(daemon, *changes, refused=False):
    """Edits, reloads, and returns the one line of the outcome."""
    edit(daemon, *changes)
    n = len(outcomes(daemon))
    daemon.signal(signal.SIGHUP)
    line = wait_outcome(daemon, n + 1)
    assert line.event == OUTCOMES[refused], daemon.log
    daemon.descriptors = daemon.count_descriptors() if not refused else daemon.descriptors
    return line


def refuse(daemon, *changes):
    """The same for one that is refused: the texts of its errors. Then the old text is back."""
    before = daemon.config.read_text()
    n = len(daemon.find("config_error"))
    line = reload(daemon, *changes, refused=True)
    errors = [x["text"] for x in daemon.find("config_error")[n:]]
    assert int(line["errors"]) == len(errors) >= 1 and line["first"] == errors[0], daemon.log
    daemon.config.write_text(before)
    return errors


def counts(line, what):
    """Its numbers of listeners, upstreams or routes: (kept, new, changed, gone)."""
    return tuple(int(line[f"{what}_{how}"]) for how in ("kept", "new", "changed", "gone"))


def labelled(label):
    """For Application: answers each message with the label in front of it."""

    def on_frame(f):
        if f.opcode == TEXT:
            return frame(TEXT, label.encode() + b" " + f.payload)
        return frame(f.opcode, f.payload) if f.opcode == CLOSE else b""

    return on_frame


class Crowd:
    """Sessions that send numbered messages, one after the other, on a thread: each answer must be
    the label of its target and the message."""

    def __init__(self, address, targets):
        """targets: for each session (target, label)."""
        self.selector = selectors.DefaultSelector()
        self.clients = []
        self.error = None
        self.ends = False
        self.messages = 0
        for target, label in targets:
            client = RawClient(address).open(target)
            client.label, client.n = label, 0
            client.sock.settimeout(0)
            self.clients.append(client)
            self.selector.register(client.sock, selectors.EVENT_READ, client)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            for client in self.clients:
                client.text("0")
            while not self.ends:
                for key, _ in self.selector.select(0.1):
                    self._serve(key.data)
        except (OSError, AssertionError) as e:
            self.error = e

    def _serve(self, client):
        assert client.fill(), f"a session of {client.label} ended"
        while True:
            f, used = parse_frame(client.buf)
            if not f:
                return
            del client.buf[:used]
            wanted = f"{client.label} {client.n}".encode()
            assert f.opcode == TEXT and f.payload == wanted, f"wanted {wanted}, got {f}"
            client.n += 1
            self.messages += 1
            client.text(str(client.n))

    def check(self):
        if self.error:
            raise self.error

    def finish(self):
        """All of them are still there; they end politely."""
        self.ends = True
        self.thread.join(LIMIT)
        self.check()
        for client in self.clients:
            client.sock.settimeout(LIMIT)
            client.expect_text(f"{client.label} {client.n}")
            client.end()

    def close(self):
        self.ends = True
        self.thread.join(LIMIT)
        self.selector.close()
        for client in self.clients:
            client.close()
