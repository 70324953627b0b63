# SPDX-License-Identifier: BSD-2-Clause
"""Certificates, made by the openssl program, and TLS on the raw peers' sockets."""

import datetime
import ssl
import subprocess

from .peer import LIMIT, RawClient, RawUpstream, UpstreamPeer

CA_CONFIG = """
[ca]
default_ca = all
[all]
dir = {dir}
database = {dir}/index.txt
new_certs_dir = {dir}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
email_in_dn = no
[any]
commonName = supplied
"""


def openssl(*args, data=None, check=True, **how):
    done = subprocess.run(["openssl", *map(str, args)], input=data, capture_output=True, timeout=LIMIT,
                          check=False, **how)
    assert not check or done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done


def moment(days):
    """So many days from now, as openssl wants it."""
    return (datetime.datetime.utcnow() + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")


class Pair:
    """A certificate and its key, in PEM files."""

    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key

    @property
    def keys(self):
        """For a [listener]."""
        return {"tls_certificate": self.certificate, "tls_key": self.key}


class Authority:
    """One that signs certificates; everything lies in one folder."""

    def __init__(self, folder, name="ca", issuer=None, **when):
        """issuer: an authority above it, which signs its certificate; `when`: as of make()."""
        self.folder, self.name = folder, name
        self.config = folder / f"{name}.cnf"
        folder.mkdir(exist_ok=True)
        (folder / name).mkdir()
        self.config.write_text(CA_CONFIG.format(dir=folder / name))
        self.index = folder / name / "index.txt"
        self.index.touch()
        if issuer:
            self.pair = issuer.make(name, extension="basicConstraints=critical,CA:TRUE", **when)
        else:
            self.pair = self._key(name)
            openssl("req", "-x509", "-new", "-key", self.pair.key, "-out", self.pair.certificate, "-days", 30,
                    "-subj", f"/CN=Test {name}")
        self.certificate = self.pair.certificate

    def _key(self, name, kind="ec"):
        pair = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        how = {"ec": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["RSA"]}[kind]
        openssl("genpkey", "-algorithm", *how, "-out", pair.key)
        pair.key.chmod(0o600)
        return pair

    def make(self, name, names="", *, kind="ec", begin=-1, end=30, file=None, extension=None):
        """A pair for this common name; names as in a subjectAltName, times in days from now."""
        pair = self._key(file or name, kind)
        request = self.folder / f"{file or name}.csr"
        extensions = [f"subjectAltName={names}"] * bool(names) + [extension] * bool(extension)
        openssl("req", "-new", "-key", pair.key, "-out", request, "-subj", f"/CN={name}",
                *(word for text in extensions for word in ("-addext", text)))
        openssl("ca", "-batch", "-notext", "-config", self.config, "-in", request, "-out", pair.certificate,
                "-cert", self.pair.certificate, "-keyfile", self.pair.key,
                "-startdate", moment(begin), "-enddate", moment(end))
        return pair

    def chained(self, pair):
        """The pair with the authority's own certificate behind its own."""
        whole = Pair(pair.certificate.with_suffix(".chain.pem"), pair.key)
        whole.certificate.write_bytes(pair.certificate.read_bytes() + self.certificate.read_bytes())
        return whole

    def staple(self, pair):
        """An OCSP answer about it, as a file."""
        out = pair.certificate.with_suffix(".ocsp")
        openssl("ocsp", "-index", self.index, "-CA", self.certificate, "-rsigner", self.pair.certificate,
                "-rkey", self.pair.key, "-issuer", self.certificate, "-cert", pair.certificate,
                "-respout", out, "-ndays", 1)
        return out

    def client_context(self, **how):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.certificate)
        if "show" in how:
            context.load_cert_chain(how["show"].certificate, how["show"].key)
        if "version" in how:
            context.minimum_version = context.maximum_version = how["version"]
        return context


def server_context(pair, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


class SecureClient(RawClient):
    """A RawClient behind TLS; `preface` goes in front of it."""

    def __init__(self, address, context, name="localhost", preface=b"", **options):
        super().__init__(address, **options)
        if preface:
            self.sock.sendall(preface)
        try:
            self.sock = context.wrap_socket(self.sock, server_hostname=name, suppress_ragged_eofs=False)
        except BaseException:
            self.sock.close()
            raise

    def finish(self):
        """close_notify, and the daemon's; then no TLS is left."""
        self.sock = self.sock.unwrap()


class Pipe:
    """TLS in memory: what it says can be sent as, and when, the test wants."""

    def __init__(self, context, name="localhost", session=None):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name, session=session)

    def said(self):
        return self.outgoing.read()

    def step(self, function, *args):
        """What the function returns; None when it wants to read first."""
        try:
            return function(*args)
        except ssl.SSLWantReadError:
            return None

    def receive(self, sock, mark):
        """Plaintext from the socket, up to and with the mark at least."""
        got = b""
        while mark not in got:
            more = self.step(self.tls.read, 65536)
            if more is None:
                self.incoming.write(sock.recv(65536))
            got += more or b""
        return got

    def shake_hands(self, sock, keep_last=False):
        """Over the socket. keep_last: what this end says last is not sent, but returned."""
        while True:
            done = self.step(lambda: self.tls.do_handshake() or True)
            out = self.said()
            if done:
                if not keep_last:
                    sock.sendall(out)
                return out
            if out:
                sock.sendall(out)
            self.incoming.write(sock.recv(65536))


class SecureUpstream(RawUpstream):
    """A RawUpstream behind TLS. `preface(sock)` reads what comes in front of it."""

    def __init__(self, context, preface=None, **options):
        super().__init__(**options)
        self.context, self.preface = context, preface

    def accept(self):
        sock = self.sock.accept()[0]
        sock.settimeout(LIMIT)
        if self.preface:
            self.preface(sock)
        try:
            sock = self.context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False)
        except BaseException:
            sock.close()
            raise
        peer = UpstreamPeer(sock)
        self.peers.append(peer)
        return peer

    @property
    def server(self):
        return "wss://localhost:%d" % self.address[1]
