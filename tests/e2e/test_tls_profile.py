# SPDX-License-Identifier: BSD-2-Clause
"""What a listener speaks, by what it was told and by what it was not: versions, ciphers, groups, ALPN, chains, and
whose sessions go on (FAULTS.md T-02, T-06)."""

import re
import ssl
import subprocess

import pytest

from helpers.daemon import section
from helpers.peer import LIMIT
from helpers.reloads import refuse, reload
from helpers.secure import V12, VERSIONS, check, works
from helpers.tls import Authority, openssl


@pytest.fixture(scope="module")
def rsa(ca):
    return ca.make("rsa", "DNS:localhost", kind="rsa")


@pytest.fixture
def two(site, rsa):
    """Keys of a listener with a certificate of each type."""
    return {"tls_certificate": [site.certificate, rsa.certificate], "tls_key": [site.key, rsa.key]}


def s_client(address, *args, data=b"", check=False):
    return openssl("s_client", "-connect", "%s:%d" % address, "-servername", "localhost", *args, data=data, check=check)


def speaks(address, *args):
    """The version and the cipher that both agree on, and the group; None when they do not."""
    done = s_client(address, *args)
    found = re.search(rb"^New, (TLSv1\.\d), Cipher is (\S+)$", done.stdout, re.M)
    if not found:
        assert done.returncode != 0
        return None
    group = re.search(rb"^Server Temp Key: (?:ECDH, )?(\S+),", done.stdout, re.M)
    return tuple(x.decode() for x in (*found.groups(), group.group(1)))


# Any cipher, so that only the version is refused.
OLD = ("-cipher", "ALL:@SECLEVEL=0")


@pytest.mark.parametrize("floor, spoken", [(None, ["1_2", "1_3"]), ("1.2", ["1_2", "1_3"]), ("1.3", ["1_3"])])
def test_T_02_versions(moongate, ca, site, floor, spoken):
    daemon = moongate(listener={**site.keys, **({"tls_min_version": floor} if floor else {})})
    versions = ("1", "1_1", "1_2", "1_3")
    assert [v for v in versions if speaks(daemon.address, f"-tls{v}", *OLD)] == spoken
    daemon.wait_line("tls_failed", n=len(versions) - len(spoken))
    assert {line["reason"] for line in daemon.find("tls_failed")} == {"unsupported protocol"}
    works(daemon, ca)


# Mozilla's intermediate profile, without the suites that need parameters of their own (DHE).
INTERMEDIATE = {f"ECDHE-{key}-{cipher}" for key in ("ECDSA", "RSA")
                for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")}
SUITES = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}


def test_T_02_the_usual_profile_by_sslscan(moongate, two):
    """With a certificate of each type: no more and no less than the profile, and no finding."""
    daemon = moongate(listener=two)
    out = subprocess.run(["sslscan", "--no-colour", "--no-check-certificate", "--sni-name=localhost",
                          "%s:%d" % daemon.address], capture_output=True, text=True, timeout=LIMIT, check=True).stdout
    found = re.findall(r"^(?:Preferred|Accepted)\s+TLSv1\.(\d)\s+\d+ bits\s+(\S+)", out, re.M)
    assert {name for version, name in found if version == "2"} == INTERMEDIATE, out
    assert {name for version, name in found if version == "3"} == SUITES, out
    groups = re.findall(r"^TLSv1\.\d\s+\d+ bits\s+(\w+)", out, re.M)
    assert {g.lower() for g in groups} == {"x25519", "secp256r1", "secp384r1"}, out
    for words in ("Session renegotiation not supported", "Server supports TLS Fallback SCSV"):
        assert words in out, out
    assert re.search("Compression disabled|not support compression", out), out
    assert not re.search(r"^TLSv1\.\d (?!not )vulnerable to heartbleed", out, re.M), out
    assert not re.search(r"^(?:SSLv[23]|TLSv1\.[01])\s+enabled", out, re.M), out


@pytest.mark.parametrize("wanted, spoken", [(None, ["X25519", "P-256", "P-384"]), ("P-384", ["P-384"]),
                                            ("P-521:X25519", ["X25519", "P-521"])])
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_groups(moongate, rsa, wanted, spoken, version):
    daemon = moongate(listener={**rsa.keys, **({"tls_groups": wanted} if wanted else {})})
    for group in ("X25519", "X448", "P-256", "P-384", "P-521"):
        assert bool(speaks(daemon.address, version, "-groups", group)) == (group in spoken), group


def test_ciphers(moongate, site):
    daemon = moongate(listener={**site.keys, "tls_ciphers": "ECDHE-ECDSA-CHACHA20-POLY1305",
                                "tls_ciphersuites": "TLS_AES_256_GCM_SHA384"})
    assert speaks(daemon.address, "-tls1_2")[:2] == ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305")
    assert speaks(daemon.address, "-tls1_3")[:2] == ("TLSv1.3", "TLS_AES_256_GCM_SHA384")
    assert speaks(daemon.address, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256") is None
    assert speaks(daemon.address, "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256") is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key", ["ECDSA", "RSA"])
def test_certificates_of_both_types(moongate, ca, two, version, key):
    """The client's signature algorithms decide; each connection carries traffic."""
    daemon = moongate(listener=two)
    algorithms = {"ECDSA": "ECDSA+SHA256", "RSA": "RSA-PSS+SHA256:RSA+SHA256"}[key]
    out = s_client(daemon.address, f"-tls1_{2 if version == V12 else 3}", "-sigalgs", algorithms, "-ign_eof", "-CAfile",
                   ca.certificate, data=b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").stdout
    assert b"subject=CN = " + {"ECDSA": b"site", "RSA": b"rsa"}[key] in out and b"Verify return code: 0 (ok)" in out
    assert b"HTTP/1.1 426 " in out


@pytest.mark.parametrize("offer, chosen", [(["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1"), ([], None)])
def test_alpn(moongate, ca, site, secure, offer, chosen):
    daemon = moongate(listener=site.keys)
    context = ca.client_context()
    if offer:
        context.set_alpn_protocols(offer)
    client = secure(daemon, context)
    assert client.sock.selected_alpn_protocol() == chosen
    client.open("/still").echoes(1)


def test_alpn_without_anything_of_ours(moongate, ca, site, secure):
    daemon = moongate(listener=site.keys)
    context = ca.client_context()
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        secure(daemon, context)
    assert "no application protocol" in daemon.wait_line("tls_failed", side="client")["reason"]
    works(daemon, ca)


def test_names_by_s_client(moongate, ca, site):
    chat = ca.make("chat", "DNS:chat.test,DNS:*.chat.test")
    daemon = moongate(listener={"tls_certificate": [site.certificate, chat.certificate], "tls_key": [site.key, chat.key]})
    for name, common in ((b"localhost", b"site"), (b"chat.test", b"chat"), (b"a.chat.test", b"chat"),
                         (b"a.b.chat.test", b"site"), (b"unknown.test", b"site")):
        out = openssl("s_client", "-connect", "%s:%d" % daemon.address, "-servername", name.decode(), data=b"").stdout
        assert b"subject=CN = " + common in out, out
    out = openssl("s_client", "-connect", "%s:%d" % daemon.address, "-noservername", data=b"").stdout
    assert b"subject=CN = site" in out, out


# ---- chains ----


@pytest.fixture(scope="module")
def middle(ca, tmp_path_factory):
    """An authority that `ca` has signed."""
    return Authority(tmp_path_factory.mktemp("middle"), "middle", issuer=ca)


def test_chains(moongate, ca, middle, secure):
    """Who believes the root alone is shown the way to it."""
    site = middle.make("site", "DNS:localhost")
    secure(moongate(listener=middle.chained(site).keys)).open("/still").echoes(3)
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer certificate"):
        secure(moongate(listener=site.keys))


def test_clients_with_chains(moongate, ca, site, middle, secure):
    daemon = moongate(listener={**site.keys, "tls_client_ca": ca.certificate, "tls_verify_client": "on"},
                      route={"response_set": "X-Who: ${tls_client_subject} ${tls_client_issuer}"})
    alice = middle.make("alice")
    client = secure(daemon, ca.client_context(show=middle.chained(alice)))
    client.send(client.get("/echo"))
    assert client.expect_answer(426).get("X-Who") == "CN=alice CN=middle"
    with pytest.raises(ssl.SSLError):
        secure(daemon, ca.client_context(show=alice)).read(1)
    assert "unable to get" in daemon.wait_line("tls_failed", side="client")["reason"]


# ---- whose sessions go on ----


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_T_06_sessions_of_another_listener(moongate, ca, site, port, tmp_path, version):
    """Both have the same key for tickets; at the other one a certificate is asked for, and so it is looked at."""
    key, session = tmp_path / "ticket", tmp_path / "session.pem"
    key.write_bytes(openssl("rand", 80).stdout)
    key.chmod(0o600)
    keys = {**site.keys, "tls_ticket_key": key}
    other = ("127.0.0.1", port())
    daemon = moongate(listener=keys, extra=section("listener", "closed", {
        "bind": "%s:%d" % other, **keys, "tls_client_ca": ca.certificate, "tls_verify_client": "on"})
        + section("route", "closed", {"listener": "closed", "path": "/", "respond": 200}))
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    def ask(address, *args):
        return s_client(address, version, "-ign_eof", *args, data=request).stdout

    assert b"New, TLS" in ask(daemon.address, "-sess_out", session)
    assert b"Reused, TLS" in ask(daemon.address, "-sess_in", session)
    assert b"HTTP/1.1" not in ask(other, "-sess_in", session)
    assert daemon.wait_line("tls_failed", side="client")["reason"] == "peer did not return a certificate"
    alice = ca.make("alice", file=f"alice{version}")
    shown = ("-cert", alice.certificate, "-key", alice.key)
    assert b"HTTP/1.1 200 " in ask(other, "-sess_out", session, *shown)
    out = ask(other, "-sess_in", session)
    assert b"Reused, TLS" in out and b"HTTP/1.1 200 " in out
    # What was verified there is no part of a session here.
    assert b"New, TLS" in ask(daemon.address, "-sess_in", session)


def test_without_tickets_nothing_goes_on(moongate, ca, site, tmp_path):
    """No session is kept here."""
    daemon = moongate(listener=site.keys)
    session = tmp_path / "session.pem"
    out = s_client(daemon.address, "-tls1_2", "-no_ticket", "-sess_out", session, check=True).stdout
    assert b"New, TLSv1.2" in out and not session.exists()


# ---- files at a reload ----


def test_K_08_a_key_that_all_may_read_at_reload(moongate, ca):
    pair = ca.make("open", "DNS:localhost")
    daemon = moongate(listener=pair.keys)
    assert not daemon.find("config_warning")
    pair.key.chmod(0o644)
    reload(daemon)
    text = daemon.wait_line("config_warning")["text"]
    assert f"tls_key = {pair.key}: every user of this host may read this file" in text
    works(daemon, ca)


def test_T_09_certificates_for_upstreams(moongate, secure_apps, ca, tmp_path):
    """What a server is shown is judged as what a client is."""
    old, me = ca.make("old", begin=-20, end=-10), ca.make("me")
    server = "server = wss://localhost:2"

    def keys(certificate, key):
        return f"tls_client_certificate = {certificate}\ntls_client_key = {key}"

    status, said = check(tmp_path, upstream=f"{server}\n{keys(old.certificate, old.key)}")
    assert status == 0 and f"tls_client_certificate = {old.certificate}: the certificate has expired, 10 days ago" in said
    me.key.chmod(0o644)
    status, said = check(tmp_path, upstream=f"{server}\n{keys(me.certificate, me.key)}")
    assert status == 0 and f"tls_client_key = {me.key}: every user of this host may read this file" in said
    me.key.chmod(0o600)
    app = secure_apps()
    daemon = moongate(app, group={"server": app.server, "tls_ca": ca.certificate, "tls_client_certificate": me.certificate,
                                  "tls_client_key": me.key})
    change = (keys(me.certificate, me.key), keys(old.certificate, old.key))
    assert "the certificate has expired, 10 days ago" in refuse(daemon, change)[0]
    assert "it does not belong to the certificate" in refuse(daemon, (str(me.key), str(old.key)))[0]
    assert "cannot read it" in refuse(daemon, (str(me.key), str(tmp_path / "none")))[0]
    client = daemon.client()
    client.send(client.request("/app"))
    app.accept_open()
    client.expect_101()
