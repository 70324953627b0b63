# SPDX-License-Identifier: BSD-2-Clause
"""A TLS peer that, its handshake done, says what it likes: any record, sound or not.

Python's ssl makes the handshake and tells the secrets; then the records are sealed and opened here,
by the RFCs, with OpenSSL's AES-GCM. A ForgedSocket stands in for the socket of a RawPeer."""

import ctypes
import hashlib
import hmac
import ssl

from .peer import RawClient, RawUpstream, UpstreamPeer

ALERT, HANDSHAKE, DATA = 21, 22, 23
CUT = 1  # bytes of a handshake's record, where it is cut

crypto = ctypes.CDLL("libcrypto.so.3")
crypto.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
crypto.EVP_CIPHER_fetch.restype = ctypes.c_void_p
crypto.EVP_CIPHER_fetch.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
crypto.EVP_CIPHER_CTX_free.argtypes = [ctypes.c_void_p]
crypto.EVP_CIPHER_CTX_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_char_p]
crypto.EVP_CipherInit_ex.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p,
                                     ctypes.c_char_p, ctypes.c_int]
crypto.EVP_CipherUpdate.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
crypto.EVP_CipherFinal_ex.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
GET_TAG, SET_TAG, TAG = 0x10, 0x11, 16


def aes_gcm(key, nonce, aad, text, encrypt):
    """The text the other way, its tag behind it when it is sealed."""
    tag = b"" if encrypt else text[-TAG:]
    text = text if encrypt else text[:-TAG]
    context = crypto.EVP_CIPHER_CTX_new()
    try:
        cipher = crypto.EVP_CIPHER_fetch(None, b"AES-%d-GCM" % (8 * len(key)), None)
        out, n = ctypes.create_string_buffer(len(text) + TAG), ctypes.c_int()
        assert crypto.EVP_CipherInit_ex(context, cipher, None, key, nonce, int(encrypt)) == 1
        crypto.EVP_CIPHER_free(ctypes.c_void_p(cipher))
        assert crypto.EVP_CipherUpdate(context, None, ctypes.byref(n), aad, len(aad)) == 1
        assert crypto.EVP_CipherUpdate(context, out, ctypes.byref(n), text, len(text)) == 1
        got = out.raw[: n.value]
        if not encrypt:
            assert crypto.EVP_CIPHER_CTX_ctrl(context, SET_TAG, TAG, tag) == 1
        assert crypto.EVP_CipherFinal_ex(context, out, ctypes.byref(n)) == 1, "a record does not open"
        if encrypt:
            assert crypto.EVP_CIPHER_CTX_ctrl(context, GET_TAG, TAG, out) == 1
            got += out.raw[:TAG]
        return got
    finally:
        crypto.EVP_CIPHER_CTX_free(context)


def hash_of(cipher):
    return hashlib.sha384 if cipher.endswith("SHA384") else hashlib.sha256


def expand_label(digest, secret, label, n):
    """HKDF-Expand-Label (RFC 8446 7.1), with no context and n of at most one block."""
    label = b"tls13 " + label
    info = n.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
    return hmac.new(secret, info + b"\1", digest).digest()[:n]


def prf(digest, secret, seed, n):
    """RFC 5246 5."""
    out, a = b"", seed
    while len(out) < n:
        a = hmac.new(secret, a, digest).digest()
        out += hmac.new(secret, a + seed, digest).digest()
    return out[:n]


class Records:
    """One direction: its key, and the number of the next record."""

    def __init__(self, digest, key_len, n):
        self.digest, self.key_len, self.n = digest, key_len, n

    def use_secret(self, secret):
        """Of TLS 1.3."""
        self.secret = secret
        self.key = expand_label(self.digest, secret, b"key", self.key_len)
        self.iv = expand_label(self.digest, secret, b"iv", 12)
        return self

    def use_key(self, key, salt):
        """Of TLS 1.2."""
        self.secret, self.key, self.iv = None, key, salt
        return self

    def update(self):
        self.use_secret(expand_label(self.digest, self.secret, b"traffic upd", len(self.secret)))
        self.n = 0

    def seal(self, kind, content, padding=0):
        number = self.n.to_bytes(8, "big")
        self.n += 1
        if not self.secret:
            aad = number + bytes([kind, 3, 3]) + len(content).to_bytes(2, "big")
            body = number + aes_gcm(self.key, self.iv + number, aad, content, True)
            return bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body
        content += bytes([kind]) + bytes(padding)
        head = bytes([DATA, 3, 3]) + (len(content) + TAG).to_bytes(2, "big")
        return head + aes_gcm(self.key, self._nonce(number), head, content, True)

    def open(self, record):
        """Its kind and content."""
        number, head, body = self.n.to_bytes(8, "big"), record[:5], record[5:]
        self.n += 1
        if not self.secret:
            aad = number + head[:3] + (len(body) - 8 - TAG).to_bytes(2, "big")
            return head[0], aes_gcm(self.key, self.iv + body[:8], aad, body[8:], False)
        content = aes_gcm(self.key, self._nonce(number), head, body, False).rstrip(b"\0")
        return content[-1], content[:-1]

    def _nonce(self, number):
        return bytes(a ^ b for a, b in zip(self.iv, bytes(4) + number))


def cut(records, step=CUT):
    """The same messages, each byte of those in the clear in a record of its own."""
    out = b""
    while records:
        n = 5 + int.from_bytes(records[3:5], "big")
        record, records = records[:n], records[n:]
        if record[0] == HANDSHAKE:
            pieces = [record[i : i + step] for i in range(5, n, step)]
            record = b"".join(record[:3] + len(p).to_bytes(2, "big") + p for p in pieces)
        out += record
    return out


class Handshake:
    """Over a socket, to the end; afterwards what it takes to go on without it. Sealed records of TLS 1.2
    (the Finished) must not be cut, so with `pieces` only what the peer has not answered yet is."""

    def __init__(self, sock, context, keys_file, name=None, pieces=False):
        context.keylog_filename = str(keys_file)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.is_server = name is None
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=self.is_server, server_hostname=name)
        first = self._run(sock, pieces)
        self.suite, self.version, _ = self.tls.cipher()
        self.rest = self.incoming.read()
        self._learn(keys_file, first, context)

    def _run(self, sock, pieces):
        """The server's first words."""
        first, is_done = b"", False
        while not is_done:
            try:
                self.tls.do_handshake()
                is_done = True
            except ssl.SSLWantReadError:
                pass
            out = self.outgoing.read()
            first = first or (out if self.is_server else b"")
            if out:
                sock.sendall(cut(out) if pieces else out)
                pieces = False
            if not is_done:
                got = sock.recv(65536)
                assert got, "the end within the handshake"
                first = first or (b"" if self.is_server else got)
                self.incoming.write(got)
        return first

    def _learn(self, keys_file, first, context):
        digest = hash_of(self.suite)
        n = 32 if "256-GCM" in self.suite or "256_GCM" in self.suite else 16
        with open(keys_file, encoding="ascii") as lines:
            known = {line.split()[0]: line.split()[1:] for line in lines if not line.startswith("#")}
        is_1_3 = self.tls.version() == "TLSv1.3"
        tickets = context.num_tickets if self.is_server else 0
        if self.tls.session_reused:
            tickets = min(tickets, 1)  # OpenSSL's way
        both = [Records(digest, n, 0 if is_1_3 else 1) for _ in range(2)]  # the client's, the server's
        if is_1_3:
            both[1].n = tickets
            for records, who in zip(both, ("CLIENT", "SERVER")):
                records.use_secret(bytes.fromhex(known[f"{who}_TRAFFIC_SECRET_0"][1]))
        else:
            random, master = map(bytes.fromhex, known["CLIENT_RANDOM"])
            block = prf(digest, master, b"key expansion" + first[11:43] + random, 2 * n + 8)
            both[0].use_key(block[:n], block[2 * n : 2 * n + 4])
            both[1].use_key(block[n : 2 * n], block[2 * n + 4 :])
        self.write, self.read = both[::-1] if self.is_server else both


class ForgedSocket:
    """Looks like a socket, of which each sendall() is a record; say() sends any."""

    def __init__(self, sock, handshake):
        self.sock, self.write, self.read = sock, handshake.write, handshake.read
        self.buf = handshake.rest
        self.alerts = []    # (level, number), as they came
        self.messages = []  # of the handshake
        self.is_1_3 = handshake.tls.version() == "TLSv1.3"

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def say(self, kind, content=b"", padding=0):
        self.sock.sendall(self.write.seal(kind, content, padding))

    def sendall(self, data):
        for i in range(0, len(data), 16384):
            self.say(DATA, data[i : i + 16384])

    def key_update(self, wants_another=False, pieces=False):
        message = b"\x18\0\0\1" + bytes([wants_another])
        for part in [message[i : i + 1] for i in range(5)] if pieces else [message]:
            self.say(HANDSHAKE, part)
        self.write.update()

    def _record(self):
        """The next one; empty at the end."""
        while len(self.buf) < 5 or len(self.buf) < 5 + int.from_bytes(self.buf[3:5], "big"):
            got = self.sock.recv(65536)
            if not got:
                return b""
            self.buf += got
        n = 5 + int.from_bytes(self.buf[3:5], "big")
        record, self.buf = self.buf[:n], self.buf[n:]
        return record

    def recv(self, _size):
        """Data; empty at the end, close_notify or not."""
        while record := self._record():
            kind, content = self.read.open(record)
            if kind == DATA and content:
                return content
            if kind == ALERT:
                self.alerts.append((content[0], content[1]))
            if kind == HANDSHAKE:
                self.messages.append(content)
                if content[0] == 24:
                    self.read.update()
        return b""

    def hear_alert(self):
        """The next one, data before it left out."""
        n = len(self.alerts)
        while len(self.alerts) == n:
            record = self._record()
            assert record, "the end, and no alert"
            kind, content = self.read.open(record)
            if kind == ALERT:
                self.alerts.append((content[0], content[1]))
        return self.alerts[-1]

    def end(self):
        """Waits for the end, which may be a reset: there was more than anybody would read."""
        try:
            while self.recv(1):
                pass
        except ConnectionError:
            pass


class ForgingClient(RawClient):
    def __init__(self, address, context, keys_file, pieces=False):
        super().__init__(address)
        self.sock = ForgedSocket(self.sock, Handshake(self.sock, context, keys_file, "localhost", pieces))


class ForgingUpstream(RawUpstream):
    def __init__(self, context, keys_file, pieces=False):
        super().__init__()
        self.context, self.keys_file, self.pieces, self.accepted = context, keys_file, pieces, 0

    def accept(self):
        sock = self.sock.accept()[0]
        sock.settimeout(self.sock.gettimeout())
        self.accepted += 1
        handshake = Handshake(sock, self.context, f"{self.keys_file}.{self.accepted}", None, self.pieces)
        peer = UpstreamPeer(ForgedSocket(sock, handshake))
        self.peers.append(peer)
        return peer

    @property
    def server(self):
        return "wss://localhost:%d" % self.address[1]
