# SPDX-License-Identifier: BSD-2-Clause
"""WebSocket frames (RFC 6455 5.2) made and read by hand, sound and unsound alike."""

import struct
from dataclasses import dataclass

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
KEY = b"\x37\xfa\x21\x3d"


def apply_mask(payload, key):
    if not payload:
        return b""
    n = len(payload)
    pad = (key * (n // 4 + 1))[:n]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(n, "big")


def frame(opcode, payload=b"", *, fin=True, rsv=0, mask=None, length=None, form=None):
    """One frame as bytes.

    mask: four bytes of key, or None for an unmasked frame. length: what the
    header declares, when that is not the payload's. form: 7, 16 or 64, the size
    of the length field, when that is not the shortest. rsv: 3 bits, RSV1 = 4.
    """
    n = len(payload) if length is None else length
    if form is None:
        form = 7 if n <= 125 else 16 if n <= 0xFFFF else 64
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    flag = 0x80 if mask is not None else 0
    if form == 7:
        head = struct.pack("!BB", first, flag | n)
    elif form == 16:
        head = struct.pack("!BBH", first, flag | 126, n)
    else:
        head = struct.pack("!BBQ", first, flag | 127, n)
    if mask is None:
        return head + payload
    return head + mask + apply_mask(payload, mask)


def close_payload(code=None, reason=b""):
    if isinstance(reason, str):
        reason = reason.encode()
    return b"" if code is None else struct.pack("!H", code) + reason


@dataclass(frozen=True)
class Frame:
    opcode: int
    payload: bytes  # unmasked
    fin: bool = True
    rsv: int = 0
    mask: bytes = None  # the key, None when it came unmasked

    @property
    def close_code(self):
        """The code of a close frame; None when it has none."""
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else None

    @property
    def close_reason(self):
        return self.payload[2:].decode()


def parse_frame(buf):
    """The frame at the front of buf and the bytes it took, or (None, 0) when it is unfinished."""
    if len(buf) < 2:
        return None, 0
    first, second = buf[0], buf[1]
    at, n = 2, second & 0x7F
    if n >= 126:
        size, code = (2, "!H") if n == 126 else (8, "!Q")
        if len(buf) < at + size:
            return None, 0
        n = struct.unpack(code, buf[at : at + size])[0]
        at += size
    key = None
    if second & 0x80:
        if len(buf) < at + 4:
            return None, 0
        key = bytes(buf[at : at + 4])
        at += 4
    if len(buf) < at + n:
        return None, 0
    payload = bytes(buf[at : at + n])
    if key is not None:
        payload = apply_mask(payload, key)
    return Frame(first & 0xF, payload, bool(first & 0x80), first >> 4 & 7, key), at + n
