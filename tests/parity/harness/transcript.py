# SPDX-License-Identifier: BSD-2-Clause
"""What was seen in a case, as lines that can be compared and read.

    client 1
      HTTP/1.1 200 OK                   a head; fields by name, `Date` and `Server` left out
      Transfer-Encoding: chunked
      | a line of a body                |- is one without a line feed at its end
      handshake                         the head of a plain 101 with the right accept value
      frame 81 05 "hello"               the head's bytes, and the payload without its mask
      ... 7 times                       as many lines like the one above, that one among them
      bytes "\x00..."                   what is neither
      end                               the server closed; `left`: the client was first
    upstream 1                          the same for what the script sent to another server
    note ..., logged ...                from t.notes(), and from the log

What may differ between two servers is told apart here and nowhere else: the two fields, the
phrases beside statuses other than 200 and 101 and so the text of the short pages that tell them,
keys and masks that are random, ports, and how a body is framed that is empty (unless a case asks
for its chunks).
"""

import hashlib
import itertools
import re

from helpers.frames import parse_frame
from helpers.peer import accept_value

from .peers import WS_KEY

LONG = 400
REQUEST = re.compile(rb"^([A-Z]+) \S+ HTTP/1\.[01]\r$", re.M)
PAGE = re.compile(rb"<html>\r\n<head><title>(\d{3}) [^<]*</title></head>\r\n"
                  rb"<body>\r\n<center><h1>\1 [^<]*</h1></center>\r\n"
                  rb"(<hr><center>[^<]*</center>\r\n)?</body>\r\n</html>\r\n")
UNLIKE = {b"date", b"server"}
HANDSHAKE = ["HTTP/1.1 101 Switching Protocols", "Connection: upgrade",
             "Sec-WebSocket-Accept: " + accept_value(WS_KEY), "Upgrade: websocket"]


def escape(data):
    """Bytes as readable text without line feeds."""
    if len(data) > LONG:
        digest = hashlib.sha1(data).hexdigest()[:12]
        return escape(data[:40]) + f"... {len(data)} bytes, sha1 {digest}"
    text = data.decode("utf-8", "backslashreplace")
    out = "".join(c if c.isprintable() else "".join(f"\\x{b:02x}" for b in c.encode()) for c in text)
    return out[:-1] + "\\x20" if out.endswith(" ") else out


def body_lines(body):
    if not body:
        return []
    *lines, last = body.split(b"\n")
    return ["| " + escape(x) if x else "|" for x in lines] + (["|- " + escape(last)] if last else [])


def dechunk(data):
    """The content of a chunked body at the front of data and the bytes it took, or (so far, None)."""
    body, at = b"", 0
    while True:
        found = re.compile(rb"([0-9a-fA-F]+)\r\n").match(data, at)
        if not found:
            return body, None
        size, at = int(found[1], 16), found.end()
        if len(data) < at + size + 2:
            return body + data[at : at + size], None
        body += data[at : at + size]
        at += size + 2
        if size == 0:
            return body, at


def frame_lines(data):
    out = []
    while data:
        f, used = parse_frame(data)
        if not f:
            return out + [f'bytes "{escape(data)}"']
        head = used - len(f.payload) - (4 if f.mask is not None else 0)
        masked = "mask " if f.mask is not None else ""
        out.append(f'frame {data[:head].hex(" ")} {masked}"{escape(f.payload)}"')
        data = data[used:]
    return out


class Response:
    """One response at the front of data: .lines, and .used bytes of it (None: it was cut)."""

    def __init__(self, data, method, plain_chunks):
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            self.lines, self.used = [f'bytes "{escape(data)}"'], None
            return
        first, *fields = head.split(b"\r\n")
        self.status = int(first.split()[1])
        if self.status not in (101, 200):
            first = b" ".join(first.split()[:2])
        self.fields = [f for f in fields if f.split(b":")[0].lower() not in UNLIKE]
        used, body = self.take_body(rest, method, plain_chunks)
        self.fields.sort(key=lambda f: f.split(b":")[0].lower())
        self.lines = [escape(x) for x in [first, *self.fields]]
        self.lines = ["handshake"] if self.lines == HANDSHAKE else self.lines + body
        self.used = None if used is None else len(head) + 4 + used

    def value(self, name):
        for f in self.fields:
            if f.lower().startswith(name + b":"):
                return f.split(b":", 1)[1].strip()
        return None

    def replace(self, name, field):
        self.fields = [field if f.lower().startswith(name + b":") else f for f in self.fields]

    def take_body(self, rest, method, plain_chunks):
        """(bytes used or None when it was cut, lines)."""
        if method == b"HEAD" or self.status in (204, 304) or self.status < 200:
            return 0, []
        length = self.value(b"content-length")
        if self.value(b"transfer-encoding") == b"chunked":
            body, used = dechunk(rest)
            if plain_chunks:
                body = rest[:used]
            elif used and not body:
                self.replace(b"transfer-encoding", b"Content-Length: 0")
        elif length is None:
            body, used = rest, len(rest)
        else:
            body = rest[: int(length)]
            used = int(length) if len(body) == int(length) else None
            if used and PAGE.fullmatch(body):
                self.replace(b"content-length", b"Content-Length: that of the page")
        page = PAGE.fullmatch(body)
        lines = [f"the page of {page[1].decode()}"] if page else body_lines(body)
        return used, lines + ([] if used is not None else ["(cut)"])


def client_lines(sent, received, plain_chunks):
    methods = REQUEST.findall(sent)
    data, out = bytes(received), []
    while data:
        if not data.startswith(b"HTTP/1."):
            return out + frame_lines(data)
        response = Response(data, methods.pop(0) if methods else b"GET", plain_chunks)
        out += response.lines
        if response.used is None:
            return out
        data = data[response.used :]
        if response.status == 101:
            return out + frame_lines(data)
    return out


def upstream_lines(received):
    data = bytes(received)
    head, end, rest = data.partition(b"\r\n\r\n")
    if data.startswith(b"\x16\x03"):
        return ["a TLS client's first words"]
    if not end or b"\r\nUpgrade: websocket" not in head:
        return body_lines(data)
    head = re.sub(rb"(\r\nSec-WebSocket-Key: )[A-Za-z0-9+/]{22}==", rb"\1RANDOM", head)
    return [escape(x) for x in head.split(b"\r\n")] + frame_lines(rest)


def fold(lines):
    """Says of equal lines, one below the other, how many they are."""
    out = []
    for line, same in itertools.groupby(lines):
        n = len(list(same))
        out += [line] * n if n <= 3 else [line, f"  ... {n} times"]
    return out


def channel_lines(title, channel, lines):
    return [title, *("  " + x for x in (lines if channel.shown else [])), "  " + (channel.over or "open")]


def transcript(scene):
    """The lines of a scene that is over."""
    out = []
    for i, c in enumerate(scene.clients, 1):
        out += channel_lines(f"client {i}", c, fold(client_lines(c.sent, c.received, c.plain_chunks)))
    for i, c in enumerate(scene.accepted, 1):
        out += channel_lines(f"upstream {i}", c, upstream_lines(c.received))
    if scene.udp:
        out += [f'datagram "{escape(d)}"' for d in scene.udp.seen]
    out += scene.remarks
    return [scene.server.normal(scene, line) for line in out]
