# SPDX-License-Identifier: BSD-2-Clause
"""The ways frames take: from a client to an application, back, and into the built-in echo.

A test of what one sender does is written once and runs on all of them:

    with Way(d, upstream, "client") as way:     # or "upstream", "echo"
        way.source.text("x")                    # who speaks
        way.sink.expect_text("x")               # who hears it
"""

import contextlib

from .frames import KEY, TEXT, frame, parse_frame

BOTH = ["client", "upstream"]
ALL = ["client", "upstream", "echo"]


@contextlib.contextmanager
def case(*what):
    """Names the case of a loop in the failure that it raises."""
    try:
        yield
    except (AssertionError, OSError) as e:
        raise AssertionError(f"case {what!r}: {type(e).__name__} {e}") from e


def open_pair(daemon, upstream, who="client", early="", **options):
    """A client and the application's end of its tunnel. early: a text that `who` sends in one with
    its half of the handshake, so that it is there however slow the test is."""

    def first(peer, name):
        return peer.make(TEXT, early) if early and who == name else b""

    client = daemon.client(**options)
    client.send(client.request("/app").encode() + first(client, "client"))
    app = upstream.accept_request()
    app.send(app.answer() + first(app, "upstream"))
    client.expect_101()
    return client, app


class Way:
    """One open session. `who` speaks: source, heard by sink. Of echo, both are the client. early: a
    text that the source has sent in one with its half of the handshake, not read yet."""

    def __init__(self, daemon, upstream, who, early="", **options):
        self.daemon, self.who = daemon, who
        if who == "echo":
            self.client, self.app = daemon.client(**options), None
            self.client.send(self.client.request("/echo").encode() + (self.client.make(TEXT, early) if early else b""))
            self.client.expect_101()
        else:
            self.client, self.app = open_pair(daemon, upstream, who, early, **options)
        self.source, self.sink = {
            "client": (self.client, self.app),
            "upstream": (self.app, self.client),
            "echo": (self.client, self.client),
        }[who]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.client.close()
        if self.app:
            self.app.close()

    @property
    def speaker(self):
        """Who the log says it was."""
        return "upstream" if self.who == "upstream" else "client"

    @property
    def sink_code(self):
        """What the other side is told when the source fails."""
        return {"client": 1001, "upstream": 1011}[self.who]

    @property
    def key(self):
        return KEY if self.source.masks else None

    def frame(self, *args, **how):
        """A frame as the source would mask it."""
        how.setdefault("mask", self.key)
        return frame(*args, **how)

    def header(self, opcode, length, **how):
        """The header alone of a frame that declares so many bytes."""
        return self.frame(opcode, b"", length=length, **how)

    def as_heard(self, data):
        """These frames as the sink sees them: an echo takes the mask away."""
        if self.who != "echo":
            return data
        out = b""
        while data:
            f, used = parse_frame(data)
            out += frame(f.opcode, f.payload, fin=f.fin)
            data = data[used:]
        return out

    def passes(self, data):
        """These frames, all sound, reach the sink as they are."""
        self.source.send(data)
        wanted = self.as_heard(data)
        got = self.sink.read(len(wanted))
        assert got == wanted, f"{got[:100]!r} is not {wanted[:100]!r}"

    def goes_on(self, text="still there"):
        """One more message passes."""
        self.passes(self.frame(1, text.encode()))

    def breaks(self, data, code, reason=None):
        """These bytes are a violation, none of which passes: each side is told, the log names it."""
        self.source.send(data)
        self.is_broken(code, reason)

    def is_broken(self, code, reason=None):
        if self.app:
            self.sink.expect_close(self.sink_code, f"{self.who} broke the protocol")
        self.source.expect_close(code, reason)
        self.is_over(cause="protocol", code=code, answer=self.who == "upstream")

    def is_over(self, closed_by=None, answer=False, **keys):
        """Both streams end in order, and the log says so. answer: the client was told with a
        Close that it has to answer first."""
        if answer:
            self.client.close_frame(1000)
        self.client.expect_eof()
        self.client.close()
        if self.app:
            self.app.shutdown()
            self.app.expect_eof()
        self.logged(closed_by=closed_by or self.speaker, **keys)

    def logged(self, **keys):
        line = self.daemon.end_of(self.client)
        for key, value in keys.items():
            assert line.get(key) == (None if value is None else str(value)), f"{key} in {line}"
        return line
