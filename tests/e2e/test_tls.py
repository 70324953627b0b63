# SPDX-License-Identifier: BSD-2-Clause
"""TLS on listeners and towards upstreams (FAULTS.md T, U-12 to U-15, C-09)."""

import contextlib
import json
import os
import random
import re
import select
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

import pytest

from helpers import polite
from helpers.daemon import SANITIZED, check_config, refused, section, wait_until
from helpers.frames import CLOSE, TEXT, close_payload
from helpers.hall import Hall
from helpers.kernel import wait_consumed
from helpers.peer import LIMIT, UpstreamPeer
from helpers.polite import ChromiumClient, NodeClient, PythonClient
from helpers.reloads import counts, refuse, reload
from helpers.secure import V12, V13, VERSIONS, check, ends, works
from helpers.tls import Authority, Pipe, SecureClient, SecureUpstream, openssl, server_context


# ---- traffic ----


@pytest.mark.parametrize("version", VERSIONS)
def test_both_sides(both, secure, ca, version):
    daemon, app = both(process={"access_log": "access.log", "core_dumps": "on"})
    client = secure(daemon, ca.client_context(version=version))
    client.send(client.request("/app"))
    peer = app.accept_open()
    client.expect_101()
    for size in (0, 1, 125, 126, 16383, 16384, 65536, 1 << 20):
        data = polite.pattern(size)
        client.binary(data)
        assert peer.read_message()[1] == data
        peer.binary(data)
        client.expect_binary(data)
    assert peer.head.get("X-Forwarded-Proto") == "https"
    client.close_frame(1000)
    peer.expect_close(1000)
    peer.close_frame(1000)
    client.expect_close(1000)
    client.finish()
    peer.sock.unwrap().close()
    end = daemon.end_of(client)
    assert end["cause"] == "close" and "truncated" not in end
    totals = daemon.stop()
    assert totals["tls_accepted"] == 1 and totals["tls_connected"] == 1 and totals["tls_errors"] == 0


# The last of TLS 1.2 is left to OpenSSL, the others are Moongate's.
CIPHERS = {V12: ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-SHA256"),
           V13: ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")}


@pytest.mark.parametrize("cipher", [pytest.param((version, name), id=name)
                                    for version, names in CIPHERS.items() for name in names])
def test_every_cipher(moongate, secure, site, ca, cipher):
    version, name = cipher
    if version == V12:
        keys = {"tls_ciphers": f"ECDHE-ECDSA-{name}:ECDHE-RSA-{name}"}
    else:
        keys = {"tls_ciphersuites": name}
    daemon = moongate(listener={**site.keys, **keys})
    context = ca.client_context(version=version)
    context.set_ciphers("ALL:@SECLEVEL=2")
    client = secure(daemon, context)
    assert client.sock.cipher()[0].endswith(name)
    client.open("/still")
    for size in (0, 1, 125, 16383, 16384, 65536, 1 << 20):
        data = polite.pattern(size)
        client.binary(data)
        client.expect_binary(data)
    client.end()
    assert daemon.end_of(client)["cause"] == "close"


def test_small_messages_cost_one_receive_and_one_send(both, secure):
    daemon, app = both()
    client = secure(daemon)
    client.send(client.request("/app"))
    peer = app.accept_open()
    client.expect_101()
    for i in range(1000):
        client.text(f"message {i}")
        assert peer.read_message()[1] == b"message %d" % i
    client.close_frame(1000)
    peer.expect_close(1000)
    peer.close_frame(1000)
    client.expect_close(1000)
    client.finish()
    peer.sock.unwrap().close()
    totals = daemon.stop()
    assert totals["writes"] <= 1020 and totals["reads"] <= 1030


CLIENTS = {"python": PythonClient, "node": NodeClient, "chromium": ChromiumClient}


@pytest.mark.parametrize("kind", [
    pytest.param(name, marks=pytest.mark.xdist_group("chromium" if name == "chromium" else f"polite-{name}"))
    for name in CLIENTS])
def test_polite_clients(moongate, site, ca, monkeypatch, kind):
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.certificate))
    monkeypatch.setitem(polite.NODE, "NODE_EXTRA_CA_CERTS", str(ca.certificate))
    daemon = moongate(listener=site.keys)
    client = CLIENTS[kind]()
    try:
        steps = [{"do": "text", "value": "caf\u00e9 \u6708"}, {"do": "binary", "size": 0},
                 *({"do": "binary", "size": n} for n in (125, 65536, 1 << 20)),
                 *({"do": "text", "value": f"message {i}"} for i in range(100)),
                 {"do": "close", "code": 3001, "reason": "done"}]
        result = client.run("wss://localhost:%d/still" % daemon.address[1], steps)
    finally:
        client.quit()
    assert result["error"] is None and result["done"] == len(steps), result
    works(daemon, ca)


def test_plain_http_is_told(moongate, site, ca):
    daemon = moongate(listener=site.keys)
    client = daemon.client()
    client.send(client.request("/still"))
    head = refused(daemon, client, 400)
    assert b"want https:// or wss://" in head.body
    works(daemon, ca)


# ---- what is wrong ----


JUNK = [b"\0" * 100, b"\x16\x03\x01\x40\x01" + b"x" * 16385, b"\x80\x2e\x01\0\x02\0\x15\0\0\0\x10" + b"a" * 35,
        b"\x16\x03\x01\x00\x00" * 10000, b"\x15\x03\x01\x00\x02\x01\x00", b"\x17\x03\x03\x00\x05hello", b"\xff" * 20000]


def test_T_01_junk(moongate, site, ca):
    daemon = moongate(listener=site.keys)
    for junk in JUNK:
        with daemon.client() as client:
            try:
                client.send(junk)
                client.shutdown()
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert len(client.expect_end()) < 200
    works(daemon, ca)
    assert daemon.stop()["tls_errors"] >= 5


def test_T_02_sslscan(moongate, site):
    daemon = moongate(listener=site.keys)
    done = subprocess.run(["sslscan", "--no-colour", "--no-check-certificate", "--sni-name=localhost",
                           "%s:%d" % daemon.address], capture_output=True, text=True, timeout=LIMIT, check=True)
    out = done.stdout
    for name in ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"):
        assert re.search(rf"^{name}\s+disabled", out, re.M), out
    for name in ("TLSv1.2", "TLSv1.3"):
        assert re.search(rf"^{name}\s+enabled", out, re.M), out
    assert re.search("Compression disabled|not support compression", out) and "Session renegotiation not supported" in out, out
    assert not re.search(r"^.*\bvulnerable to heartbleed", out.replace("not vulnerable", "safe"), re.M), out
    ciphers = re.findall(r"^(?:Preferred|Accepted)\s+TLSv1\.\d\s+(\d+) bits\s+(\S+)", out, re.M)
    assert len(ciphers) >= 6, out
    for bits, name in ciphers:
        assert int(bits) >= 128 and re.search(r"GCM|CHACHA20", name) and re.match("ECDHE-|TLS_", name), name
    groups = re.findall(r"^TLSv1\.\d\s+(\d+) bits\s+\w", out, re.M)
    assert groups and all(int(bits) >= 128 for bits in groups) and "Server supports TLS Fallback SCSV" in out, out


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("when", ["first byte", "half a hello", "no answer"])
def test_T_03_gone_within_the_handshake(moongate, site, ca, when, how):
    """It is told of, and counted, as any handshake that fails."""
    daemon = moongate(listener=site.keys)
    pipe = Pipe(ca.client_context())
    pipe.step(pipe.tls.do_handshake)
    hello = pipe.said()
    client = daemon.client()
    client.send(hello[:{"first byte": 1, "half a hello": 100}.get(when)])
    if when == "no answer":
        assert client.sock.recv(1) == b"\x16"
    wait_consumed(client)
    if how == "reset":
        client.reset()
    else:
        client.shutdown()
    line = daemon.wait_line("tls_failed", client=client.local)
    assert line["side"] == "client" and line.level == "info"
    assert line["reason"] == {"end": "the connection ended within the handshake", "reset": "connection reset by peer"}[how]
    works(daemon, ca)
    totals = daemon.stop()
    assert totals["tls_errors"] == totals["silent"] == 1


@pytest.mark.parametrize("how", ["end", "reset"])
def test_T_03_gone_before_the_handshake(moongate, site, ca, how):
    """As load balancers look whether anybody is there."""
    daemon = moongate(listener=site.keys)
    client = daemon.client()
    if how == "reset":
        client.reset()
    else:
        client.close()
    works(daemon, ca)
    totals = daemon.stop()
    assert not daemon.find("tls_failed") and totals["tls_errors"] == 0


@pytest.mark.parametrize("how", ["silence", "half a hello", "drip", "no answer"])
def test_T_03_nothing_more(moongate, site, ca, how):
    daemon = moongate(listener={**site.keys, "tls_timeout": "2s"})
    pipe = Pipe(ca.client_context())
    pipe.step(pipe.tls.do_handshake)
    hello = pipe.said()
    with daemon.frozen():
        client = daemon.client()
        if how == "half a hello":
            client.send(hello[:100])
        elif how == "drip":
            client.drip(hello[:50])
        elif how == "no answer":
            client.send(hello)
    end = client.expect_end()
    assert bool(end) == (how == "no answer")
    if how != "silence":
        assert daemon.wait_line("tls_failed", client=client.local)["reason"] == "the handshake did not end in time"
    works(daemon, ca)
    assert daemon.stop()["silent"] == 1


def test_T_03_the_whole_handshake_has_its_time(moongate, site, ca, secure):
    """After TLS the request has the rest of handshake_timeout."""
    daemon = moongate(listener={**site.keys, "tls_timeout": "3s", "handshake_timeout": "4s"})
    client = secure(daemon)
    client.send("GET ")
    client.expect_answer(408)


def test_T_04_renegotiation(moongate, site, ca):
    daemon = moongate(listener=site.keys)
    done = openssl("s_client", "-connect", "%s:%d" % daemon.address, "-tls1_2", "-CAfile", ca.certificate,
                   data=b"R\n", check=False)
    assert b"no renegotiation" in done.stderr
    works(daemon, ca)


def test_T_04_key_updates(moongate, site, ca):
    """By OpenSSL's client, which asks for an update in return, or does not."""
    daemon = moongate(listener=site.keys)
    client = subprocess.Popen(["openssl", "s_client", "-connect", "%s:%d" % daemon.address, "-tls1_3", "-CAfile",
                               ca.certificate], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    with client:
        for command in b"KkKKkk":
            client.stdin.write(bytes([command]) + b"\n")
            client.stdin.flush()
            while b"KEYUPDATE" not in (line := client.stderr.readline()):
                assert line, client.stdout.read()
        client.stdin.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        client.stdin.flush()
        while b"HTTP/1.1 " not in (line := client.stdout.readline()):
            assert line, client.stderr.read()
        client.communicate(timeout=LIMIT)
    works(daemon, ca)
    assert daemon.stop()["tls_errors"] == 0


@pytest.mark.parametrize("how", ["full", "resumed"])
@pytest.mark.parametrize("version", VERSIONS)
def test_T_05_many_handshakes(moongate, site, ca, many, version, how):
    """Nothing stays of them."""
    daemon = moongate(listener=site.keys, process={"core_dumps": "on"})
    context = ca.client_context(version=version)

    def one(session=None):
        sock = socket.create_connection(daemon.address, LIMIT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # its close_notify is behind its Finished
        sock = context.wrap_socket(sock, server_hostname="localhost", session=session)
        assert sock.session_reused == bool(session)
        sock.unwrap().close()

    def session():
        """With 1.3 it comes behind the handshake, so something is asked for."""
        with socket.create_connection(daemon.address, LIMIT) as sock:
            with context.wrap_socket(sock, server_hostname="localhost") as first:
                first.sendall(b"GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                while first.recv(65536):
                    pass
                return first.session

    n = many(10**5)
    known = session() if how == "resumed" else None
    for _ in range(100):
        one(known)
    daemon.settle()
    before = daemon.memory()
    for _ in range(n):
        one(known)
    daemon.settle()
    assert SANITIZED or daemon.memory() < before + (4 << 20)
    totals = daemon.stop()
    assert totals["tls_resumed"] == (n + 100 if known else 0) and totals["tls_accepted"] >= n + 100


@pytest.mark.parametrize("version", VERSIONS)
def test_an_idle_session_holds_no_buffer(moongate, site, ca, secure, version):
    """Whatever has gone through it."""
    n, limit = 150, 16 << 10
    daemon = moongate(listener=site.keys, process={"core_dumps": "on"})
    context = ca.client_context(version=version)

    def crowd(n):
        for _ in range(n):
            client = secure(daemon, context).open("/echo")
            client.binary(polite.pattern(20000))
            client.expect_binary(polite.pattern(20000))

    crowd(30)
    before = daemon.memory()
    crowd(n)
    assert SANITIZED or daemon.memory() - before < n * limit


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "other.example.com", "unknown.test"])
def test_T_07_names(moongate, site, ca, secure, name):
    """Whatever the name of TLS is, the Host decides on the route."""
    daemon = moongate(listener=site.keys)
    context = ca.client_context()
    context.check_hostname = False
    client = secure(daemon, context, name=name)
    assert ("DNS", "localhost") in client.sock.getpeercert()["subjectAltName"]
    client.open("/still", change={"Host": "elsewhere.test"}).echoes(3)


def test_T_07_unknown_names_refused(moongate, site, ca, secure):
    daemon = moongate(listener={**site.keys, "tls_unknown_name": "refuse"})
    context = ca.client_context()
    secure(daemon, name="one.example.com").open("/still").echoes(1)
    context.check_hostname = False
    for name in ("unknown.test", None):
        with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
            secure(daemon, context, name=name)
    assert daemon.wait_line("tls_failed", server_name="unknown.test")["side"] == "client"


def test_T_07_several_certificates(moongate, ca, site, secure):
    rsa = ca.make("rsa", "DNS:localhost", kind="rsa")
    chat = ca.make("chat", "DNS:chat.test,DNS:*.chat.test")
    pairs = [site, rsa, chat]
    daemon = moongate(listener={"tls_certificate": [p.certificate for p in pairs], "tls_key": [p.key for p in pairs]})
    context = ca.client_context(version=V12)
    for name, common in (("localhost", "site"), ("chat.test", "chat"), ("a.chat.test", "chat")):
        client = secure(daemon, context, name=name)
        assert ((("commonName", common),),) == client.sock.getpeercert()["subject"]
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    assert secure(daemon, context).sock.getpeercert()["subject"] == ((("commonName", "rsa"),),)


def test_T_08_many_names(moongate, site, ca, many):
    daemon = moongate(listener=site.keys, process={"core_dumps": "on"})
    context = ca.client_context()

    def rounds(n, prefix):
        for i in range(n):
            with socket.create_connection(daemon.address, LIMIT) as sock:
                with context.wrap_socket(sock, server_hostname=f"{prefix}{i}.example.com"):
                    pass

    rounds(200, "warm")
    daemon.settle()
    before = daemon.memory()
    rounds(many(10**5), "n")
    daemon.settle()
    assert SANITIZED or daemon.memory() < before + (4 << 20)


def test_T_10_request_with_finished(moongate, site, ca):
    daemon = moongate(listener=site.keys)
    for version in (V12, V13):
        client = daemon.client()
        pipe = Pipe(ca.client_context(version=version))
        last = pipe.shake_hands(client.sock, keep_last=version == V13)
        pipe.tls.write((client.request("/still")).encode() + client.make(TEXT, b"at once"))
        client.send((last if version == V13 else b"") + pipe.said())
        got = pipe.receive(client.sock, b"at once")
        assert got.startswith(b"HTTP/1.1 101 ") and got.count(b"at once") == 1


def test_T_10_no_early_data(moongate, site, ca, tmp_path):
    daemon = moongate(listener=site.keys)
    session = tmp_path / "session.pem"
    at = ["-connect", "%s:%d" % daemon.address, "-CAfile", ca.certificate, "-servername", "localhost"]
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    openssl("s_client", *at, "-ign_eof", "-sess_out", session, data=request)
    out = openssl("s_client", *at, "-ign_eof", "-sess_in", session, data=request).stdout
    assert b"Reused, TLSv1.3" in out and b"Early data was not sent" in out


def test_T_11_broken_handshakes_beside_good_connections(moongate, site, ca, secure, many):
    daemon = moongate(listener=site.keys)
    good = [secure(daemon).open("/still") for _ in range(100)]
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # believes nobody
    for i in range(many(30000)):
        with socket.create_connection(daemon.address, LIMIT) as sock:
            if i % 2:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    sock.sendall(JUNK[i % len(JUNK)])
            else:
                with pytest.raises(ssl.SSLError):
                    stranger.wrap_socket(sock, server_hostname="localhost")
        good[i % 100].echoes(1)
    for client in good:
        client.echoes(5)
        client.end()
    works(daemon, ca)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("how", ["close_notify", "fin", "close_notify and data", "alert"])
def test_T_12_ends(both, ca, how, version):
    daemon, app = both()
    client = daemon.client()
    pipe = Pipe(ca.client_context(version=version))
    pipe.shake_hands(client.sock)
    pipe.tls.write(client.request("/app").encode())
    client.send(pipe.said())
    peer = app.accept_open()
    pipe.tls.write(client.make(TEXT, b"last"))
    data = pipe.said()
    if how == "alert":
        client.send(data + b"\x15\x03\x03\x00\x02\x02\x28" + data)
    elif how != "fin":
        pipe.step(pipe.tls.unwrap)
        client.send(data + pipe.said() + (data if how.endswith("data") else b""))
    else:
        client.send(data)
        client.shutdown()
    assert peer.read_message()[1] == b"last"
    peer.expect_close(1001)
    peer.close_frame(1001)
    peer.sock.unwrap().close()
    client.expect_end()
    end = daemon.end_of(client)
    assert end["closed_by"] == "client" and end["cause"] == ("error" if how == "alert" else "vanished")
    assert end.get("truncated") == ("client" if how == "fin" else None)
    works(daemon, ca)


def test_C_09_end_in_one_segment(both, ca, many):
    """The last message, the Close, close_notify and the FIN all at once: nothing is lost."""
    daemon, app = both()
    contexts = [ca.client_context(version=version) for version in (V12, V13)]
    for i in range(many(10000)):
        client = daemon.client()
        pipe = Pipe(contexts[i % 2])
        pipe.shake_hands(client.sock)
        pipe.tls.write(client.request("/app").encode())
        client.send(pipe.said())
        peer = app.accept_open()
        assert pipe.receive(client.sock, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        pipe.tls.write(client.make(TEXT, b"last %d" % i) + client.make(CLOSE, close_payload(1000, b"")))
        pipe.step(pipe.tls.unwrap)
        client.send(pipe.said())
        client.shutdown()
        assert peer.read_message()[1] == b"last %d" % i
        peer.expect_close(1000)
        peer.close_frame(1000)
        peer.sock.unwrap().close()
        client.expect_end()
        client.close()


# ---- files ----


def test_T_09_files(tmp_path, ca, site):
    old = ca.make("old", "DNS:localhost", begin=-20, end=-10)
    young = ca.make("young", "DNS:localhost", begin=10, end=20)
    other = ca.make("other", "DNS:localhost")
    empty, broken = tmp_path / "empty", tmp_path / "broken"
    empty.touch()
    broken.write_text(site.certificate.read_text()[:300])

    def pair(certificate, key):
        return f"tls_certificate = {certificate}\ntls_key = {key}"

    for listener, words in (
            (pair(site.certificate, other.key), "check.conf:7: .listener l. tls_key = .*: private key: it does not "
                                                "belong to the certificate"),
            (pair(site.certificate, tmp_path / "none"), "check.conf:7: .*tls_key = .*cannot read it: No such file"),
            (pair(tmp_path, site.key), "check.conf:6: .*tls_certificate = .*cannot read it: it is no regular file"),
            (pair(empty, site.key), "check.conf:6: .*tls_certificate = .*cannot read it: it is empty"),
            (pair(broken, site.key), "check.conf:6: .*tls_certificate = .*: bad end line"),
            (pair(site.key, site.key), "check.conf:6: .*tls_certificate = .*: it holds no certificate in PEM"),
            (pair(site.certificate, site.certificate), "tls_key = .*: private key: there is none in PEM"),
            (f"tls_key = {site.key}", "tls_key = .*: does nothing: want tls_certificate = PATH too"),
            ("tls_timeout = 3s", "does nothing: want tls_certificate"),
            (pair(site.certificate, site.key) + f"\ntls_key = {site.key}", "2 keys and 1 certificates"),
            (pair(site.certificate, site.key) + "\ntls_verify_client = on", "want tls_client_ca = PATH too"),
            (pair(site.certificate, site.key) + "\ntls_ciphers = RC4", "check.conf:8: .*tls_ciphers = RC4: OpenSSL knows no such ciphers"),
            (pair(site.certificate, site.key) + "\ntls_ciphers = ECDHE-ECDSA-AES128-GCM-SHA256:!MD5:ECDHE-ECDSA-AES129",
             "OpenSSL knows no such ciphers: .*: ECDHE-ECDSA-AES129$"),
            (pair(site.certificate, site.key) + "\ntls_ciphersuites = TLS_AES_128_GCM_SHA256:TLS_NONE",
             "OpenSSL knows no such ciphersuites: .*: TLS_NONE$"),
            (pair(site.certificate, site.key) + f"\ntls_ticket_key = {site.key}", "want a file of 80 random bytes"),
            (pair(site.certificate, site.key) + f"\ntls_ocsp = {site.key}", "it is no OCSP answer in DER")):
        status, said = check(tmp_path, listener)
        assert status != 0 and re.search(words, said.replace(str(tmp_path) + "/", ""), re.M), said
        assert "every user" not in said  # about a file without a key in it
    status, said = check(tmp_path, pair(site.certificate, site.key) +
                         "\ntls_ciphers = ECDHE-ECDSA-AES128-GCM-SHA256,HIGH:!MD5:!RC4:@STRENGTH")
    assert status == 0, said
    for certificate, words in ((old, "the certificate has expired, 10 days ago"),
                               (young, "the certificate's time has not begun yet")):
        status, said = check(tmp_path, pair(certificate.certificate, certificate.key))
        assert status == 0 and f"warning: [listener l] tls_certificate = {certificate.certificate}: {words}" in said


IDLE_CIPHERS = ("tls_ciphers = ECDHE-ECDSA-AES128-GCM-SHA256: does nothing with tls_min_version = 1.3, since it is of "
                "TLS 1.2: want tls_ciphersuites, or tls_min_version = 1.2")
IDLE_CA = ("does nothing while tls_verify_client = off, and no client is asked for a certificate: want optional or on, "
           "or no tls_client_ca")


@pytest.mark.parametrize("keys, words", [
    ({"tls_ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256", "tls_min_version": "1.3"}, IDLE_CIPHERS),
    ({"tls_client_ca": "CA", "tls_verify_client": "off"}, IDLE_CA),
    ({"tls_ciphers": "intermediate", "tls_min_version": "1.3"}, None),
    ({"tls_ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256", "tls_min_version": "1.2"}, None),
    ({"tls_ciphersuites": "TLS_AES_128_GCM_SHA256", "tls_min_version": "1.3"}, None),
    ({"tls_client_ca": "CA", "tls_verify_client": "optional"}, None),
])
def test_what_does_nothing_is_warned_of(moongate, tmp_path, ca, site, keys, words):
    """The same words from -t and at the start, at the line of what does nothing."""
    keys = {**site.keys, **{k: ca.certificate if v == "CA" else v for k, v in keys.items()}}
    status, said = check(tmp_path, "\n".join(f"{k} = {v}" for k, v in keys.items()))
    assert status == 0
    if words:
        assert re.search(r"check.conf:8: warning: \[listener l\] tls_\w+ = \S+: ", said) and words in said, said
    else:
        assert "does nothing" not in said, said
    daemon = moongate(listener=keys)
    assert [words in x["text"] for x in daemon.find("config_warning")] == ([True] if words else [])


def test_K_08_keys_that_all_may_read(tmp_path, ca):
    pair = ca.make("open", "DNS:localhost")
    pair.key.chmod(0o644)
    status, said = check(tmp_path, f"tls_certificate = {pair.certificate}\ntls_key = {pair.key}")
    assert status == 0 and "every user of this host may read this file" in said
    pair.key.chmod(0o600)
    status, said = check(tmp_path, f"tls_certificate = {pair.certificate}\ntls_key = {pair.key}")
    assert status == 0 and "every user" not in said


def test_key_in_the_certificates_file(moongate, ca, site, tmp_path):
    both = tmp_path / "both.pem"
    both.write_text(site.certificate.read_text() + site.key.read_text())
    both.chmod(0o600)
    works(moongate(listener={"tls_certificate": both}), ca)


def test_conditions_on_certificates(tmp_path):
    for value, words in (("subject", "want subject NAME . issuer NAME"), ("subject ", "want"), ("name x", "want subject"),
                         ("fingerprint 12", "want a SHA-256 of 64 hex digits"),
                         ("fingerprint " + "g" * 64, "want a SHA-256 of 64 hex digits")):
        config = tmp_path / "check.conf"
        config.write_text("[listener l]\nbind = 127.0.0.1:1\n[route r]\nrespond = 200\n"
                          f"tls_client = {value}\n")
        status, said = check_config(config)
        assert status != 0 and re.search(words, said), said


def test_upstream_files(tmp_path, ca, site):
    server = "server = wss://localhost:2"
    for upstream, words in (
            (f"{server}\ntls_ca = {tmp_path}/none", "tls_ca = .*: cannot read it"),
            (f"{server}\ntls_ca = {site.key}", "tls_ca = .*: it holds no certificate in PEM"),
            (f"{server}\ntls_client_key = {site.key}", "does nothing: want tls_client_certificate too"),
            (f"{server}\ntls_client_certificate = {site.certificate}\ntls_client_key = {ca.pair.key}",
             "tls_client_key = .*: private key: it does not belong"),
            (f"{server}\ntls_ca = {site.key}\ntls_client_certificate = {site.certificate}\ntls_client_key = {site.key}",
             "tls_ca = .*: it holds no certificate in PEM"),
            (f"{server}\ntls_verify = off\ntls_ca = {ca.certificate}", "does nothing: want tls_verify = on too"),
            ("server = ws://localhost:2\ntls_verify = off", "does nothing: want a server = wss://HOST too"),
            ("server = wss://unix:/x", "want tls_server_name = NAME too|Want tls_server_name = NAME too")):
        status, said = check(tmp_path, upstream=upstream)
        assert status != 0 and re.search(words, said), said
    status, said = check(tmp_path, upstream=f"{server}\ntls_verify = off")
    assert status == 0 and "warning: [upstream u] tls_verify = off: whoever answers is believed" in said


def test_key_log_only_by_its_key(moongate, site, ca, tmp_path):
    log = tmp_path / "keys.log"
    works(moongate(listener=site.keys, env={"SSLKEYLOGFILE": str(log)}), ca)
    assert not log.exists()
    daemon = moongate(listener=site.keys, process={"tls_key_log": log})
    works(daemon, ca)
    assert "CLIENT_HANDSHAKE_TRAFFIC_SECRET" in log.read_text() and log.stat().st_mode & 0o777 == 0o600
    assert any("whoever can read this file can read all TLS traffic" in line.text for line in daemon.lines)


@pytest.fixture
def crowd():
    """A function that has handshakes made from several threads while another function runs."""

    def during(daemon, function, context):
        stop = threading.Event()

        def connect():
            while not stop.is_set():
                SecureClient(daemon.address, context).close()

        threads = [threading.Thread(target=connect) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            function()
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    return during


def test_the_key_log_changes_during_handshakes(moongate, site, ca, crowd, tmp_path):
    """What is written of keys goes to no descriptor that has become another's."""
    daemon = moongate(listener=site.keys, process={"workers": 3, "tls_key_log": tmp_path / "a"})

    def change():
        for i in range(20):
            reload(daemon, (str(tmp_path / "ab"[i % 2]), str(tmp_path / "ba"[i % 2])))

    crowd(daemon, change, ca.client_context())
    works(daemon, ca)


def test_key_log_that_cannot_be_opened(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, words in ((tmp_path, "is a directory"), (tmp_path / "none" / "x", "no such file or directory"),
                        (pipe, "it is a pipe that nobody reads, or a socket")):
        for key in ("tls_key_log", "log"):
            status, said = check(tmp_path, process=f"{key} = {path}")
            assert status == 78 and f"check.conf:3: [moongate] {key} = {path}: {words}" in said, said


# ---- reload ----


def common_name(client):
    return client.sock.getpeercert()["subject"][0][0][1]


def test_S_06_certificate_changed(moongate, secure, ca, tmp_path):
    """The files alone have changed; who is connected stays."""
    one, two = ca.make("one", "DNS:localhost"), ca.make("two", "DNS:localhost")
    live = [tmp_path / "live.pem", tmp_path / "live.key"]

    def put(pair):
        for path, source in zip(live, (pair.certificate, pair.key)):
            path.write_bytes(source.read_bytes())
            path.chmod(0o600)

    put(one)
    daemon = moongate(listener={"tls_certificate": live[0], "tls_key": live[1]})
    first = secure(daemon).open("/still")
    assert common_name(first) == "one"
    assert counts(reload(daemon), "listeners")[0] == 2
    assert common_name(secure(daemon)) == "one"
    put(two)
    assert counts(reload(daemon), "listeners") == (1, 0, 1, 0)
    second = secure(daemon).open("/still")
    assert common_name(second) == "two"
    for client in (first, second):
        client.echoes(5)
        client.end()


def test_S_06_sessions_are_resumed_after_it(moongate, ca, site, tmp_path):
    daemon = moongate(listener={**site.keys, "handshake_timeout": "9s"})
    session = tmp_path / "session.pem"
    at = ["-connect", "%s:%d" % daemon.address, "-tls1_2", "-CAfile", ca.certificate]
    openssl("s_client", *at, "-sess_out", session, data=b"")
    assert counts(reload(daemon, ("handshake_timeout = 9s", "handshake_timeout = 8s")), "listeners")[2] == 1
    assert b"Reused" in openssl("s_client", *at, "-sess_in", session, data=b"").stdout


def test_T_09_bad_files_at_reload(moongate, secure, ca, tmp_path):
    good = ca.make("good", "DNS:localhost")
    bad = {"has expired": ca.make("old", "DNS:localhost", begin=-20, end=-10, file="old5"),
           "has not begun yet": ca.make("young", "DNS:localhost", begin=10, end=20, file="young2")}
    live = [tmp_path / "live.pem", tmp_path / "live.key"]

    def put(certificate, key):
        for path, source in zip(live, (certificate, key)):
            path.write_bytes(source.read_bytes())
            path.chmod(0o600)

    put(good.certificate, good.key)
    daemon = moongate(listener={"tls_certificate": live[0], "tls_key": live[1]})
    for words, pair in bad.items():
        put(pair.certificate, pair.key)
        assert words in refuse(daemon)[0]
    put(good.certificate, bad["has expired"].key)
    assert "it does not belong to the certificate" in refuse(daemon)[0]
    live[1].unlink()
    assert "cannot read it: No such file" in refuse(daemon)[0]
    live[0].write_text("")
    assert "cannot read it: it is empty" in refuse(daemon)[0]
    client = secure(daemon).open("/still")
    assert common_name(client) == "good"
    client.echoes(3)
    put(good.certificate, good.key)
    reload(daemon)
    client.end()


def test_T_09_what_has_expired_meanwhile_goes_on(moongate, ca):
    """Only what a reload brings is refused for its time."""
    old = ca.make("old", "DNS:localhost", begin=-20, end=-10, file="old6")
    daemon = moongate(listener=old.keys)
    reload(daemon, section("route", "more", {"path": "/more", "echo": "on"}))


def test_upstream_becomes_secure_at_reload(moongate, upstream, secure_apps, ca):
    app = secure_apps()
    daemon = moongate(upstream)
    plain = "server = ws://127.0.0.1:%d" % upstream.address[1]
    client = daemon.client()
    client.send(client.request("/app"))
    upstream.accept_open()
    client.expect_101()
    reload(daemon, (plain, f"server = {app.server}\ntls_ca = {ca.certificate}"))
    second = daemon.client()
    second.send(second.request("/app"))
    app.accept_open()
    second.expect_101()


def test_spares_are_secured(moongate, secure_apps, ca):
    app = secure_apps()
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "spare": 2, "spare_idle": "1h"})
    for _ in range(2):
        app.accept()
    spares = list(app.peers)
    client = daemon.client()
    client.send(client.request("/app"))
    third = app.accept()  # takes the place of the one that was used
    used = [peer for peer in spares if select.select([peer.sock], [], [], 0)[0]]
    while not used:
        used = [peer for peer in spares if select.select([peer.sock], [], [], 0)[0]]
    used[0].read_request()
    used[0].send(used[0].answer())
    client.expect_101()
    assert third not in used
    daemon.stop()


# ---- sessions, stapling, clients' certificates ----


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_resumption_by_two_daemons(moongate, site, ca, tmp_path, version):
    keys = [tmp_path / f"ticket{i}" for i in range(3)]
    for key in keys:
        key.write_bytes(openssl("rand", 80).stdout)
        key.chmod(0o600)
    session = tmp_path / "session.pem"

    def ask(daemon, *args):
        return openssl("s_client", "-connect", "%s:%d" % daemon.address, version, "-CAfile", ca.certificate, "-ign_eof",
                       "-servername", "localhost", *args,
                       data=b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").stdout

    one = moongate(listener={**site.keys, "tls_ticket_key": keys[0]})
    two = moongate(listener={**site.keys, "tls_ticket_key": [keys[1], keys[0]]})
    three = moongate(listener={**site.keys, "tls_ticket_key": keys[2]})
    assert b"New, TLS" in ask(one, "-sess_out", session)
    assert b"Reused, TLS" in ask(two, "-sess_in", session)
    assert b"New, TLS" in ask(three, "-sess_in", session)


def test_workers_share_ticket_keys(moongate, site, ca, tmp_path):
    daemon = moongate(listener=site.keys, process={"workers": 4})
    session = tmp_path / "session.pem"
    at = ["-connect", "%s:%d" % daemon.address, "-tls1_2", "-CAfile", ca.certificate]
    openssl("s_client", *at, "-sess_out", session, data=b"")
    for _ in range(8):
        assert b"Reused" in openssl("s_client", *at, "-sess_in", session, data=b"").stdout


def test_stapling(moongate, site, ca):
    daemon = moongate(listener={**site.keys, "tls_ocsp": ca.staple(site)})
    out = openssl("s_client", "-connect", "%s:%d" % daemon.address, "-status", "-CAfile", ca.certificate,
                  data=b"").stdout
    assert b"OCSP Response Status: successful" in out and b"Cert Status: good" in out


def test_client_certificates(both, secure, ca, tmp_path):
    alice = ca.make("alice")
    log = tmp_path / "access.log"
    rules = {"request_set": ["X-Subject: ${tls_client_subject}", "X-Issuer: ${tls_client_issuer}",
                             "X-Print: ${tls_client_fingerprint}",
                             "X-Tls: ${tls_version} ${tls_cipher} ${tls_server_name} ${scheme}"]}
    daemon, app = both(listener={"tls_client_ca": ca.certificate, "tls_verify_client": "optional"},
                       defaults=rules, process={"access_log": log})
    shown = openssl("x509", "-in", alice.certificate, "-noout", "-fingerprint", "-sha256").stdout.decode()
    fingerprint = shown.split("=")[1].strip().replace(":", "").lower()
    for context, subject in ((ca.client_context(show=alice), "CN=alice"), (ca.client_context(), "")):
        client = secure(daemon, context)
        client.send(client.request("/app", add=[("X-Subject", "CN=root")]))
        peer = app.accept_open()
        client.expect_101()
        assert peer.head.get("X-Subject") == subject
        assert peer.head.get("X-Issuer") == ("CN=Test ca" if subject else "")
        assert peer.head.get("X-Print") == (fingerprint if subject else "")
        assert re.fullmatch(r"TLSv1.3 TLS_\w+ localhost https", peer.head.get("X-Tls"))
        client.close_frame(1000)
        peer.expect_close(1000)
        peer.close_frame(1000)
        client.expect_close(1000)
        client.finish()
        peer.sock.unwrap().close()
        daemon.end_of(client)
    daemon.stop()
    first, second = (json.loads(line) for line in log.read_text().splitlines())
    assert first["tls_client_subject"] == "CN=alice" and first["tls_client_fingerprint"] == fingerprint
    assert first["tls_client_issuer"] == "CN=Test ca"
    assert first["tls_version"] == "TLSv1.3" and first["tls_server_name"] == "localhost" and first["tls_cipher"]
    assert "tls_client_subject" not in second and second["tls_version"] == "TLSv1.3"


def test_workers_verify_client_certificates_at_once(moongate, site, ca, crowd):
    """All with the same new authority."""
    daemon = moongate(listener={**site.keys, "tls_client_ca": ca.certificate, "tls_verify_client": "on",
                                "tls_timeout": "10s"}, process={"workers": 3})
    context = ca.client_context(show=ca.make("several", "DNS:several.test"))

    def change():
        for i in range(20):
            reload(daemon, (f"tls_timeout = {10 + i}s", f"tls_timeout = {11 + i}s"))

    crowd(daemon, change, context)


def test_client_certificates_choose_routes(moongate, site, secure, ca):
    alice, bob = ca.make("alice", file="alice3"), ca.make("bob")
    shown = openssl("x509", "-in", bob.certificate, "-noout", "-fingerprint", "-sha256").stdout.decode()
    conditions = {"alice": ["subject CN=alice", "issuer CN=Test ca"], "nobody": ["subject CN=alice", "issuer CN=nobody"],
                  "bob": ["subject CN=bob", "fingerprint " + shown.split("=")[1].strip()]}
    extra = "".join(section("route", name, {"path": "/who", "tls_client": value, "respond": 200,
                                            "response_set": f"X-Route: {name}"})
                    for name, value in conditions.items())
    extra += section("route", "other", {"path": "/who", "respond": 200, "response_set": "X-Route: other"})
    daemon = moongate(listener={**site.keys, "tls_client_ca": ca.certificate, "tls_verify_client": "optional"},
                      extra=extra)
    carol = ca.make("carol")
    for pair, route in ((alice, "alice"), (bob, "bob"), (carol, "other"), (None, "other")):
        client = secure(daemon, ca.client_context(show=pair) if pair else ca.client_context())
        client.send(client.get("/who"))
        assert client.expect_answer(200).get("X-Route") == route


def test_scripts_learn_of_it(moongate, site, secure, ca, tmp_path):
    names = ("scheme", "https", "ssl_protocol", "ssl_cipher", "ssl_server_name", "ssl_client_s_dn", "ssl_client_i_dn",
             "ssl_client_verify")
    script = tmp_path / "vars.lua"
    script.write_text("ngx.print(" + ', ", ", '.join(f"ngx.var.{name}" for name in names) + ")\n")
    daemon = moongate(listener={**site.keys, "tls_client_ca": ca.certificate, "tls_verify_client": "optional"},
                      process={"allow_root_handlers": "yes"},
                      extra=section("route", "lua", {"path": "/vars", "handler": script}))
    for pair, rest in ((ca.make("alice", file="alice4"), "CN=alice, CN=Test ca, SUCCESS"), (None, "nil, nil, NONE")):
        client = secure(daemon, ca.client_context(**({"show": pair} if pair else {})))
        client.send(client.get("/vars"))
        said = client.read_body(client.expect_answer(200)).decode()
        assert re.fullmatch(rf"https, on, TLSv1.3, TLS_\w+, localhost, {re.escape(rest)}", said), said


CERTIFICATE_NAMES = ("serial", "fingerprint", "v_start", "v_end", "v_remain", "cert", "raw_cert", "escaped_cert",
                     "s_dn_legacy", "i_dn_legacy", "verify")


def expected_certificate(pair):
    """What nginx would say of it, by openssl's word."""

    def x509(*what):
        return openssl("x509", "-in", pair.certificate, "-noout", *what).stdout.decode().strip().partition("=")[2]

    pem = openssl("x509", "-in", pair.certificate).stdout.decode()
    end = x509("-enddate")
    return {"serial": x509("-serial"), "fingerprint": x509("-fingerprint", "-sha1").replace(":", "").lower(),
            "v_start": x509("-startdate"), "v_end": end,
            "cert": pem[:-1].replace("\n", "\n\t"), "raw_cert": pem, "escaped_cert": urllib.parse.quote(pem, safe=""),
            "s_dn_legacy": "/CN=alice", "i_dn_legacy": "/CN=Test ca", "verify": "SUCCESS"}


def remaining_days(pair):
    end = openssl("x509", "-in", pair.certificate, "-noout", "-enddate").stdout.decode().strip().partition("=")[2]
    return (ssl.cert_time_to_seconds(end) - int(time.time())) // 86400


@pytest.mark.parametrize("version", VERSIONS)
def test_scripts_learn_of_certificates(moongate, site, ca, tmp_path, version):
    script = tmp_path / "vars.lua"
    script.write_text("".join(f"ngx.print(tostring(ngx.var.ssl_client_{name}), '|')\n" for name in CERTIFICATE_NAMES))
    daemon = moongate(listener={**site.keys, "tls_client_ca": ca.certificate, "tls_verify_client": "optional"},
                      process={"allow_root_handlers": "yes"},
                      extra=section("route", "lua", {"path": "/vars", "handler": script}))

    def ask(context, session=None):
        with socket.create_connection(daemon.address, LIMIT) as sock:
            with context.wrap_socket(sock, server_hostname="localhost", session=session) as client:
                assert client.session_reused == bool(session)
                client.sendall(b"GET /vars HTTP/1.0\r\nHost: x\r\n\r\n")
                said = b""
                while data := client.recv(65536):
                    said += data
                body = said.partition(b"\r\n\r\n")[2].decode()
                return dict(zip(CERTIFICATE_NAMES, body.split("|"))), client.session

    alice = ca.make("alice", file="alice5")
    context = ca.client_context(show=alice, version=version)
    session = None
    for _ in range(2):
        before = remaining_days(alice)
        said, session = ask(context, session)
        assert remaining_days(alice) <= int(said.pop("v_remain")) <= before
        assert said == expected_certificate(alice)
    nobody = ca.client_context(version=version)
    session = None
    for _ in range(2):
        said, session = ask(nobody, session)
        assert said == {**dict.fromkeys(CERTIFICATE_NAMES, "nil"), "verify": "NONE"}


def test_client_certificates_wanted(moongate, site, secure, ca, tmp_path):
    stranger = Authority(tmp_path / "other", "other").make("mallory")
    alice = ca.make("alice", file="alice2")
    daemon = moongate(listener={**site.keys, "tls_client_ca": ca.certificate, "tls_verify_client": "on"})
    secure(daemon, ca.client_context(show=alice)).open("/still").echoes(2)
    for how in ({}, {"show": stranger}):
        with pytest.raises(ssl.SSLError):  # with TLS 1.3 a client learns of it when it reads
            client = secure(daemon, ca.client_context(**how))
            client.read(1)
    daemon.wait_line("tls_failed", n=2)
    reasons = [line["reason"] for line in daemon.find("tls_failed")]
    assert reasons == ["peer did not return a certificate",
                       "certificate not accepted: unable to get local issuer certificate (depth 0)"]


# ---- PROXY headers ----


def test_proxy_header_before_tls(both, secure, ca):
    daemon, app = both(listener={"proxy_protocol": "on", "proxy_protocol_from": "127.0.0.1"})
    client = secure(daemon, preface=b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n")
    client.send(client.request("/app"))
    peer = app.accept_open()
    client.expect_101()
    assert peer.head.get("X-Forwarded-For") == "192.0.2.7"
    assert peer.head.get("X-Forwarded-Port") == "443"


def test_proxy_header_and_hello_in_one_segment(moongate, site, ca):
    daemon = moongate(listener={**site.keys, "proxy_protocol": "on", "proxy_protocol_from": "127.0.0.1"})
    pipe = Pipe(ca.client_context())
    pipe.step(pipe.tls.do_handshake)
    client = daemon.client()
    client.send(b"PROXY UNKNOWN\r\n" + pipe.said())
    pipe.incoming.write(client.sock.recv(65536))
    pipe.shake_hands(client.sock)
    pipe.tls.write(client.request("/still").encode())
    client.send(pipe.said())
    assert pipe.receive(client.sock, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    with daemon.client() as plain:
        plain.send("PROXY UNKNOWN\r\n" + plain.request("/still"))
        plain.expect_answer(400)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_proxy_header_to_a_wss_upstream(moongate, ca, secure_apps, version):
    seen = []

    def preface(sock):
        if version == "v1":
            while not (seen and seen[-1].endswith(b"\r\n")):
                seen.append((seen.pop() if seen else b"") + sock.recv(1))
        else:
            head = sock.recv(16, socket.MSG_WAITALL)
            seen.append(head + sock.recv(int.from_bytes(head[14:], "big"), socket.MSG_WAITALL))

    app = secure_apps(preface=preface)
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "proxy_protocol": version})
    client = daemon.client()
    client.send(client.request("/app"))
    app.accept_open()
    client.expect_101()
    assert seen[0].startswith(b"PROXY TCP4 127.0.0.1 " if version == "v1" else b"\r\n\r\n\0\r\nQUIT\n")


# ---- upstreams ----


def refused_by(daemon, app, words, name=None):
    """A request is answered with 502, and the log tells why. The application sees no request."""
    client = daemon.client()
    client.send(client.request("/app"))
    if app:
        with pytest.raises((ssl.SSLError, ConnectionError, OSError)):
            app.accept().read(1)
    head = refused(daemon, client, 502)
    assert b"certificate" not in head.body
    line = daemon.wait_line("tls_failed", client=client.local)
    assert line["side"] == "upstream" and re.search(words, line["reason"]), line
    assert re.match(r"127\.0\.0\.1:\d+", line["address"]) and line.get("server_name") == name, line
    assert line.level == "warn"


def test_U_12_plain_text(moongate, upstreams, ca):
    app = upstreams().serve(lambda peer: (peer.send("HTTP/1.1 400 Bad Request\r\n\r\n"), peer.read(1)))
    daemon = moongate(app, group={"server": "wss://localhost:%d" % app.address[1], "tls_ca": ca.certificate})
    refused_by(daemon, None, "wrong version number", "localhost")
    totals = daemon.stop()
    assert totals["server_failures"] == 1 and totals["tls_errors"] == 1


def test_U_12_an_end(moongate, upstreams, ca):
    app = upstreams().serve(lambda peer: peer.read(100) and peer.shutdown())
    daemon = moongate(app, group={"server": "wss://localhost:%d" % app.address[1], "tls_ca": ca.certificate})
    refused_by(daemon, None, "ended within the handshake", "localhost")


CLOSE_NOTIFY = b"\x15\x03\x03\x00\x02\x01\x00"


def test_U_12_close_notify_within_the_handshake(moongate, upstreams, ca):
    app = upstreams().serve(lambda peer: peer.read(100) and (peer.send(CLOSE_NOTIFY), peer.read_all()))
    daemon = moongate(app, group={"server": "wss://localhost:%d" % app.address[1], "tls_ca": ca.certificate})
    refused_by(daemon, None, "ended within the handshake", "localhost")


def test_U_12_close_notify_to_a_spare(moongate, upstreams, ca):
    app = upstreams().serve(lambda peer: peer.read(100) and (peer.send(CLOSE_NOTIFY), peer.read_all()))
    daemon = moongate(app, group={"server": "wss://localhost:%d" % app.address[1], "tls_ca": ca.certificate, "spare": 1,
                                  "connect_timeout": "1h"})
    assert "ended within the handshake" in daemon.wait_line("spare_failed")["reason"]


def test_U_13_wrong_name(moongate, secure_apps, ca):
    app = secure_apps(ca.make("elsewhere", "DNS:elsewhere.test"))
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate})
    refused_by(daemon, app, r"certificate not accepted: hostname mismatch \(depth 0\)", "localhost")


def test_U_13_another_name(moongate, secure_apps, ca):
    app = secure_apps(ca.make("elsewhere", "DNS:elsewhere.test", file="elsewhere2"))
    asked = []
    app.context.sni_callback = lambda _, name, __: asked.append(name)
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate,
                                  "tls_server_name": "elsewhere.test"})
    client = daemon.client()
    client.send(client.request("/app"))
    app.accept_open()
    client.expect_101()
    assert asked == ["elsewhere.test"]


def test_U_13_an_address(moongate, secure_apps, ca):
    for pair, holds in ((None, True), (ca.make("named", "DNS:localhost"), False)):
        app = secure_apps(pair)
        daemon = moongate(app, group={"server": "wss://127.0.0.1:%d" % app.address[1], "tls_ca": ca.certificate})
        if holds:
            client = daemon.client()
            client.send(client.request("/app"))
            app.accept_open()
            client.expect_101()
        else:
            refused_by(daemon, app, r"IP address mismatch \(depth 0\)")


def test_U_14_self_signed(moongate, secure_apps, ca, tmp_path):
    other = Authority(tmp_path / "other", "other")
    app = secure_apps(other.make("app", "DNS:localhost"))
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate})
    refused_by(daemon, app, "unable to get local issuer certificate", "localhost")


def test_U_14_the_systems_authorities(moongate, secure_apps):
    app = secure_apps()
    daemon = moongate(app, group={"server": app.server})
    refused_by(daemon, app, "unable to get local issuer certificate", "localhost")


def test_U_15_expired(moongate, secure_apps, ca):
    app = secure_apps(ca.make("old", "DNS:localhost", begin=-20, end=-10, file="old2"))
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate})
    refused_by(daemon, app, r"certificate not accepted: certificate has expired \(depth 0\)", "localhost")


def test_U_15_the_next_server(moongate, secure_apps, ca):
    old, good = secure_apps(ca.make("old", "DNS:localhost", begin=-20, end=-10, file="old3")), secure_apps()
    old.serve(lambda peer: None)
    daemon = moongate(good, group={"server": [old.server, good.server], "tls_ca": ca.certificate})
    for _ in range(2):
        client = daemon.client()
        client.send(client.request("/app"))
        good.accept_open()
        client.expect_101()
    old.errors.clear()


def test_H_20_only_the_server_that_served_can_be_truncated(moongate, secure_apps, ca):
    """One before it has ended without an answer, and without a close_notify."""
    first, second = secure_apps(), secure_apps()
    daemon = moongate(second, group={"server": [first.server, second.server + " backup"], "tls_ca": ca.certificate})
    client = daemon.client()
    client.send(client.request("/app"))
    first.accept_request().close()
    app = second.accept_open()
    client.expect_101()
    client.close_frame(1000)
    app.expect_close(1000)
    app.close_frame(1000)
    app.sock.unwrap()
    client.expect_close(1000)
    client.expect_eof()
    client.close()
    assert "truncated" not in daemon.end_of(client)


def test_verify_off(moongate, secure_apps, tmp_path):
    app = secure_apps(Authority(tmp_path / "other", "other").make("app", "DNS:x"))
    daemon = moongate(app, group={"server": app.server, "tls_verify": "off"})
    client = daemon.client()
    client.send(client.request("/app"))
    app.accept_open()
    client.expect_101()
    assert any("whoever answers is believed" in line.text for line in daemon.lines)


def test_certificate_for_the_upstream(moongate, secure_apps, ca):
    me = ca.make("moongate")
    app = secure_apps(client_ca=ca.certificate)
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate,
                                  "tls_client_certificate": me.certificate, "tls_client_key": me.key})
    client = daemon.client()
    client.send(client.request("/app"))
    peer = app.accept_open()
    client.expect_101()
    assert peer.sock.getpeercert()["subject"] == ((("commonName", "moongate"),),)


def test_sessions_with_servers_go_on(moongate, secure_apps, ca):
    app = secure_apps()
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate})
    resumed = []
    for _ in range(4):
        client = daemon.client()
        client.send(client.request("/app"))
        peer = app.accept_open()
        client.expect_101()
        peer.text("x")
        client.expect_text("x")
        resumed.append(peer.sock.session_reused)
        client.reset()
        peer.expect_end()
    assert resumed == [False, True, True, True]
    assert daemon.stop()["tls_resumed"] == 3


def test_connect_timeout_counts_tls(moongate, upstreams):
    app = upstreams()  # accepts, and says nothing
    daemon = moongate(app, group={"server": "wss://localhost:%d" % app.address[1], "connect_timeout": "300ms"})
    client = daemon.client()
    client.send(client.request("/app"))
    refused(daemon, client, 504)


@pytest.mark.parametrize("health", ["connect", "handshake", "ping"])
def test_health_over_tls(moongate, secure_apps, ca, health):
    app = secure_apps()

    def serve(peer):
        peer.read_request()
        peer.send(peer.answer())
        f = peer.read_frame()
        if health == "ping":
            peer.pong(f.payload)
            peer.expect_close(1000)

    app.serve(serve)
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "health": health,
                                  "health_interval": "50ms", "health_timeout": "20s", "health_fall": 1})
    wait_until(lambda: len(app.peers) >= 3, "three probes")
    assert not daemon.find("server_unhealthy")
    totals = daemon.stop()
    assert totals["health_failures"] == 0
    app.errors.clear()


def test_health_sees_a_bad_certificate(moongate, secure_apps, ca):
    app = secure_apps(ca.make("old", "DNS:localhost", begin=-20, end=-10, file="old4"))
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "health": "connect",
                                  "health_interval": "50ms", "health_fall": 1})
    with pytest.raises((ssl.SSLError, OSError)):
        app.accept().read(1)
    assert "certificate has expired" in daemon.wait_line("server_unhealthy")["reason"]


def test_a_unix_socket(moongate, ca, app_pair, tmp_path, closing):
    path = str(tmp_path / "app.sock")
    app = SecureUpstream(server_context(app_pair), address=path)
    closing.append(app)
    daemon = moongate("unused", group={"server": f"wss://unix:{path}", "tls_ca": ca.certificate,
                                       "tls_server_name": "localhost"})
    client = daemon.client()
    client.send(client.request("/app"))
    app.accept_open()
    client.expect_101()


def test_refused_at_the_door(moongate, site, ca, secure):
    daemon = moongate(listener={**site.keys, "max_connections_per_address": 1})
    first = secure(daemon).open("/still")
    second = secure(daemon)
    head = second.expect_answer(429)
    assert "Retry-After" in head
    first.end()


def test_stop_with_sessions(moongate, site, ca, secure):
    daemon = moongate(listener=site.keys)
    clients = [secure(daemon).open("/still") for _ in range(3)]
    daemon.signal()
    for client in clients:
        client.expect_close(1001)
        client.close_frame(1001)
        client.expect_eof()
    daemon.wait_end()


@pytest.mark.parametrize("fault", ["recv:0:SHORT:300", "send:0:SHORT:300", "recv:0:EAGAIN:200,send:0:EAGAIN:200"])
def test_faults(moongate, site, ca, fault):
    daemon = moongate(listener=site.keys, faults=fault)
    for _ in range(3):
        with SecureClient(daemon.address, ca.client_context()) as client:
            client.open("/still")
            for size in (1, 1000, 70000):
                client.binary(polite.pattern(size))
                client.expect_binary(polite.pattern(size))
            client.end()


# ---- spare connections ----


@pytest.mark.parametrize("version", VERSIONS)
def test_spares_are_secured_ahead(moongate, ca, secure_apps, version):
    """No client has come: the handshakes are done. What a server says of tickets does not end one."""
    app = secure_apps()
    app.context.minimum_version = app.context.maximum_version = version
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "spare": 2, "spare_idle": "1h"})
    peers = [app.accept(), app.accept()]
    for _ in range(4):
        peer = peers.pop()
        client = daemon.client()
        client.send(client.request("/app"))
        peer.read_request()
        peer.send(peer.answer())
        client.expect_101()
        peers.append(app.accept())  # its successor
        peer.send(peer.make(TEXT, b"to it"))
        client.expect_text("to it")
    totals = daemon.stop()
    assert totals["spares_used"] == 4 and totals["spares_died"] == 0


def test_U_05_a_spare_that_is_closed_or_speaks_over_tls(moongate, ca, secure_apps):
    app = secure_apps()
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "spare": 2, "spare_idle": "1h"})
    first, second = app.accept(), app.accept()
    first.send(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    second.sock.unwrap()
    for _ in range(2):
        app.accept()
    client = daemon.client()
    client.send(client.request("/app"))
    peer = app.peers[-1]
    peer.read_request()
    peer.send(peer.answer())
    client.expect_101()
    assert daemon.stop()["spares_died"] == 2


@pytest.mark.parametrize("more", [0, 40])
def test_U_05_a_spare_that_has_begun_a_record(moongate, ca, secure_apps, more):
    """What OpenSSL holds of it no look at the socket shows; its head alone neither."""
    app = secure_apps()
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "spare": 1, "spare_idle": "1h"})
    spare = app.accept()
    with socket.socket(fileno=os.dup(spare.sock.fileno())) as below:
        below.sendall(b"\x17\x03\x03\x01\x00" + bytes(more))
    client = daemon.client()
    client.send(client.request("/app"))
    peer = app.accept_open()
    client.expect_101()
    assert spare.read_all() == b""
    ends(client, peer)
    assert daemon.stop()["spares_died"] == 1


def test_a_spare_for_the_proxy_protocol_is_secured_when_it_is_used(moongate, ca, secure_apps):
    app = secure_apps()
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "proxy_protocol": "v1",
                                  "spare": 1, "spare_idle": "1h"})
    with app.sock.accept()[0] as sock:
        sock.settimeout(LIMIT)
        client = daemon.client()
        client.send(client.request("/app"))
        line = b""
        while not line.endswith(b"\r\n"):
            line += sock.recv(1)
        assert line.startswith(b"PROXY TCP4 127.0.0.1 ")
        peer = UpstreamPeer(app.context.wrap_socket(sock, server_side=True))
        peer.read_request()
        peer.send(peer.answer())
        client.expect_101()
        peer.close()
    assert daemon.stop()["spares_used"] == 1


def test_U_14_a_spare_finds_the_bad_certificate(moongate, secure_apps, ca):
    app = secure_apps(Authority(ca.folder / "foreign").make("app", "DNS:localhost"))
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "spare": 1, "max_fails": 1,
                                  "fail_timeout": "1h"})
    with pytest.raises((ssl.SSLError, OSError)):
        app.accept().sock.recv(1)
    assert "certificate" in daemon.wait_line("spare_failed")["reason"]
    daemon.wait_line("server_down")


# ---- one client after another ----


def aborted(daemon, dice, path, steps=6):
    """A client that is gone at some step: within its request, behind it, with messages on their way, or when it has
    had its first one back."""
    client = daemon.client()
    text, step = client.request(path), dice.randrange(steps)
    client.send(text[: dice.randrange(len(text))] if step == 0 else text)
    if step >= 2:
        client.text("A" * dice.randrange(1, 2000))
    if step >= 3:
        client.expect_101()
    if step == 4:
        client.send(client.make(TEXT, b"A" * 200)[: dice.randrange(1, 200)])
    if step == 5:
        assert set(client.read_message()[1]) == set(b"A")
    client.reset()


def next_one(daemon, path, n):
    """It gets what it has sent, and nothing else."""
    client = daemon.client()
    client.send(client.request(path))
    client.expect_101()
    for text in (f"B{n}", f"B{n} " + "b" * (n % 3000)):
        client.text(text)
        client.expect_text(text)
    client.end()


@pytest.mark.parametrize("spare", [1, 8])
def test_U_06_aborted_then_next_over_tls(moongate, ca, app_pair, many, closing, spare):
    """On spare connections; the application lets no connection have messages of two."""
    app = Hall(context=server_context(app_pair))
    closing.append(app)
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "spare": spare, "spare_idle": "1h"})
    dice, n = random.Random(spare), many(10000)
    for k in range(n):
        aborted(daemon, dice, "/app")
        next_one(daemon, "/app", k)
    totals = daemon.stop()
    assert totals["refused_502"] == totals["tries"] == totals["spares_died"] == 0
    assert totals["spares_used"] > n // 2


KEEPER = """
    local server, client = require "resty.websocket.server", require "resty.websocket.client"
    local down = assert(server:new { timeout = 20000 })
    local up = assert(client:new { timeout = 20000 })
    assert(up:connect("wss://localhost:%d/app", { ssl_verify = true }))
    while true do
        local data, typ = down:recv_frame()
        if typ ~= "text" then
            break
        end
        assert(up:send_text(data))
        if ngx.var.arg_part and up.sock:receive(1) then -- the rest is none of the next one's
            local ok, err = up:set_keepalive(60000, 8)
            assert(not ok and (err == "unread data in buffer" or err == "connection in dubious state"), err)
            return ngx.exit(444)
        end
        down:send_text((assert(up:recv_frame())))
    end
    assert(up:set_keepalive(60000, 8))
    down:send_close(1000)
"""


def test_U_06_aborted_then_next_over_kept_tls(lua, ca, app_pair, many, closing):
    """A script hands its connection back to the pool, and the next one goes on with it."""
    app = Hall(context=server_context(app_pair), is_shared=True)
    closing.append(app)
    daemon = lua(KEEPER % app.address[1], process={"lua_ssl_trusted_certificate": ca.certificate})
    dice, n = random.Random(6), many(10000)
    for k in range(n):
        if k % 5 == 0:
            aborted(daemon, dice, "/h?part=1", steps=5)  # it has nothing back
        else:
            aborted(daemon, dice, "/h")
        next_one(daemon, "/h", k)
    totals = daemon.stop()
    assert totals["keepalive_reused"] > n and totals["lua_errors"] == 0
    assert app.accepted < app.requests + 8 and app.accepted < 2 * n - totals["keepalive_reused"] + 8


# Python's ssl leaves a socket open that was reset before it had begun.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("nth", range(1, 40, 3))
def test_R_06_no_memory(moongate, site, ca, nth):
    """Whatever is lacking, one session ends by it, and the next one works."""
    daemon = moongate(listener=site.keys, faults=f"alloc:{nth}:ENOMEM:2", may_fail=True)
    if not daemon:
        return
    for _ in range(12):  # until it has happened
        try:
            with SecureClient(daemon.address, ca.client_context()) as client:
                client.open("/still").echoes(1)
                client.end()
        except (OSError, AssertionError):
            pass  # as it may
    works(daemon, ca)
