# SPDX-License-Identifier: BSD-2-Clause
"""What an operator gets wrong: one run of -t tells all of it, where it stands and with what would be right."""

import os
import re
import socket
import subprocess

import pytest

from helpers.daemon import Daemon, check_config
from helpers.tls import Authority

LISTENER = "[listener l]\nbind = 127.0.0.1:18080\n"
ROUTE = "[route r]\npath = /x\necho = on\n"


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("mistakes"))


@pytest.fixture(scope="module")
def pairs(ca):
    return ca.make("one", "DNS:one.example"), ca.make("two", "DNS:two.example")


@pytest.fixture
def told(tmp_path):
    """A function that checks a text. Returns (exit status, {line number: what is said of it})."""

    def told(text):
        path = tmp_path / "moongate.conf"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        status, said = check_config(path)
        found = {}
        for line in said.split("\n"):
            if m := re.match(r"moongate: .*?moongate\.conf(?::(\d+))?: (.*)", line):
                if not re.fullmatch(r"\d+ errors?", m[2]):
                    number = int(m[1] or 0)
                    found[number] = found[number] + "\n" + m[2] if number in found else m[2]
        return status, found

    return told


@pytest.fixture
def refuses(told):
    """refuses(text, {line: words}): just these lines are told of, each with its words."""

    def refuses(text, wanted):
        status, found = told(text)
        assert status == 78 and set(found) == set(wanted), found
        for line, words in wanted.items():
            assert words in found[line], (line, found[line])

    return refuses


def files(**keys):
    return "".join(f"{key} = {v}\n" for key, value in keys.items() for v in (value if isinstance(value, list) else [value]))


# TLS of a listener (T-09): no file that is wrong keeps another one's error back.


def test_every_file_of_a_listener_that_is_missing(refuses):
    text = LISTENER + files(tls_certificate="c", tls_key="k", tls_client_ca="ca", tls_verify_client="on",
                            tls_ocsp=["o", "p"], tls_ticket_key=["t", "u"])
    refuses(text + ROUTE, {n: "cannot read it: No such file or directory" for n in (3, 4, 5, 7, 8, 9, 10)})


def test_every_file_of_a_listener_that_is_wrong(refuses, pairs, tmp_path):
    one, two = pairs
    broken = tmp_path / "broken"
    broken.write_text("no PEM, and no DER")
    text = LISTENER + files(tls_certificate=[one.certificate, two.certificate], tls_key=[two.key, one.key],
                            tls_client_ca=broken, tls_verify_client="optional", tls_ocsp=broken, tls_ticket_key=broken,
                            tls_ciphers="NONE", tls_ciphersuites="NO_SUITE", tls_groups="X1")
    refuses(text + ROUTE, {5: "private key: it does not belong", 6: "private key: it does not belong",
                           7: "it holds no certificate in PEM", 9: "it is no OCSP answer in DER",
                           10: "want a file of 80 random bytes", 11: "OpenSSL knows no such ciphers",
                           12: "OpenSSL knows no such ciphersuites", 13: "OpenSSL knows no such groups"})


def test_a_certificate_without_its_key(refuses, pairs):
    refuses(LISTENER + files(tls_certificate=pairs[0].certificate) + ROUTE,
            {3: "private key: there is none in PEM; tls_key = PATH is for one in a file of its own"})


def test_a_certificate_that_openssl_does_not_take(refuses, pairs, tmp_path):
    """Of several, it is told which."""
    weak = tmp_path / "weak.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:512", "-nodes", "-subj", "/CN=weak", "-keyout", weak, "-out", weak],
                   check=True, capture_output=True)
    text = LISTENER + files(tls_certificate=pairs[0].certificate, tls_key=pairs[0].key) + files(tls_certificate=weak, tls_key=weak)
    refuses(text + ROUTE, {5: "OpenSSL does not take it: ee key too small"})


def test_certificates_that_lack_keys_do_not_hide_what_is_missing(refuses, pairs):
    one, two = pairs
    text = LISTENER + files(tls_certificate=[one.certificate, "nope"], tls_key=one.key, tls_ticket_key="t")
    refuses(text + ROUTE, {4: "No such file", 5: "1 keys and 2 certificates", 6: "No such file"})
    text = LISTENER + files(tls_certificate=one.certificate, tls_key="nope", tls_verify_client="on")
    refuses(text + ROUTE, {4: "No such file", 5: "want tls_client_ca = PATH too"})


def test_an_ocsp_answer_is_not_blamed_for_its_certificate(refuses, pairs, tmp_path):
    """It is about the one whose key is wrong, perhaps."""
    one, two = pairs
    text = LISTENER + files(tls_certificate=one.certificate, tls_key=two.key, tls_ocsp=one.certificate)
    status_of_der = {4: "does not belong", 5: "it is no OCSP answer in DER"}
    refuses(text + ROUTE, status_of_der)


def test_every_file_of_an_upstream(refuses, pairs, tmp_path):
    one, two = pairs
    upstream = "[upstream u]\nserver = wss://127.0.0.1:1\n"
    route = "[route r]\nupstream = u\n"
    keys = files(tls_ca="a", tls_client_certificate="c", tls_client_key="k")
    refuses(LISTENER + upstream + keys + route, {n: "cannot read it: No such file" for n in (5, 6, 7)})
    keys = files(tls_ca=one.key, tls_client_certificate=one.certificate, tls_client_key=two.key)
    refuses(LISTENER + upstream + keys + route, {5: "it holds no certificate in PEM", 7: "it does not belong"})
    keys = files(tls_ca="a", tls_client_certificate=one.certificate, tls_client_key=two.key)
    refuses(LISTENER + upstream + keys + route, {5: "No such file", 7: "it does not belong"})


def test_every_file_of_scripts(refuses, pairs, tmp_path):
    one, two = pairs
    (tmp_path / "ok.lua").write_text("ngx.say(1)\n")
    process = "[moongate]\nallow_root_handlers = yes\n"
    route = "[route r]\nhandler = ok.lua\n"
    keys = files(lua_ssl_trusted_certificate="a", lua_ssl_certificate="b", lua_ssl_certificate_key="c", lua_ssl_crl="d")
    refuses(process + keys + LISTENER + route, {n: "cannot read it: No such file" for n in (3, 4, 5, 6)})
    keys = files(lua_ssl_trusted_certificate=one.key, lua_ssl_certificate=one.certificate,
                 lua_ssl_certificate_key=two.key, lua_ssl_crl=one.key)
    refuses(process + keys + LISTENER + route, {3: "it holds no certificate in PEM", 5: "it does not belong", 6: ""})


def test_every_script_that_does_not_compile(refuses, tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.lua").write_text("#!/usr/bin/lua\nlocal x = = 1\n")
    (tmp_path / "ok.lua").write_text("ngx.say(1)\n")
    text = ("[moongate]\nallow_root_handlers = yes\ninit = a.lua\n" + LISTENER +
            "[route r]\nhandler = a.lua\naccess = b.lua\n[route s]\npath = /s\nhandler = ok.lua\nlog_handler = c.lua\n"
            "[route t]\npath = t\nhandler = a.lua\n")
    refuses(text, {3: "/a.lua:2: unexpected symbol near '='", 7: "/a.lua:2: unexpected symbol near '='",
                   8: "/b.lua:2: unexpected symbol near '='", 12: "/c.lua:2: unexpected symbol near '='",
                   14: "want /PATH | /PREFIX*"})


# Lists, and the word that is none.


GOOD = {"origin": "https://a.example", "subprotocol": "a", "limit_exempt": "10.0.0.0/8"}


@pytest.mark.parametrize("key, word, bad, words", [
    ("origin", "any", "https://a.example/", "want nothing but the host and port behind ://"),
    ("origin", "any", "a.example", "want any, same-host, null or an origin"),
    ("subprotocol", "any", "a b", "want one token"),
    ("limit_exempt", "none", "10.0.0.0/33", "want a prefix length of 0..32"),
    ("limit_exempt", "none", "x", "want an address or a block of them"),
])
def test_what_is_wrong_beside_the_word_for_no_list(refuses, key, word, bad, words):
    route = ROUTE + "max_connections_per_address = 5\n"
    refuses(LISTENER + route + files(**{key: [word, bad]}), {8: words})
    refuses(LISTENER + route + files(**{key: [bad, word]}), {7: words, 8: f"want {word} alone, or a list without it"})
    refuses(LISTENER + route + files(**{key: [bad, GOOD[key]]}), {7: words})


# A key is not blamed for another one that stands there, though wrong.


def test_no_key_does_nothing_for_one_that_is_wrong(refuses, tmp_path):
    upstream = "[upstream u]\nserver = ws://127.0.0.1:1\n"
    route = "[route r]\nupstream = u\n"
    for keys, wrong in (("sticky = a b\nsticky_secret = s\nsticky_ttl = 1h\n", 5),
                        ("queue = x\nqueue_timeout = 1s\nmax_connections = 3\n", 5),
                        ("queue = 5\nmax_connections = x\n", 6),
                        ("max_fails = x\nfail_timeout = 3s\n", 5),
                        ("balance = hsh\nhash_key = uri\n", 5)):
        refuses(LISTENER + upstream + keys + route, {wrong: "want "})
    refuses(LISTENER + upstream + "stick y = a\nsticky_secret = s\n" + route, {5: "the key of letters and '_'"})
    refuses(LISTENER + "tls_certificate =\ntls_key = k\n" + ROUTE, {3: "want PATH"})
    refuses(LISTENER + "max_connections_per_address = x\nlimit_exempt = 10.0.0.1\n" + ROUTE, {3: "want off"})
    refuses(LISTENER + ROUTE + "handshake_rate = 5\nhandshake_burst = 5\n", {6: "want a rate with its unit"})
    refuses(LISTENER + ROUTE + "handshake_rate_per_address = 5\nhandshake_burst_per_address = 5\n"
            "limit_exempt = 10.0.0.1\n", {6: "want a rate with its unit"})


# Habits of other programs.


@pytest.mark.parametrize("key,value,words", [
    ("max_message", "16MB", "want off | 125..1024g; a size is a whole number with k, m or g, such as 16m"),
    ("max_message", "1.5m", "such as 16m"), ("max_message", "16 m", "such as 16m"),
    ("idle_timeout", "1.5s", "want off | 1ms..24h; a time is a whole number with ms, s, m or h, such as 10s"),
    ("idle_timeout", "10 s", "such as 10s"), ("idle_timeout", "10sec", "such as 10s")])
def test_units(refuses, key, value, words):
    """What is wrong is how it is written, not its bounds."""
    refuses(LISTENER + ROUTE + f"{key} = {value}\n", {6: words})


def test_a_colon_is_no_equals_sign(refuses):
    refuses(LISTENER + "[route r]\npath: /x\necho: on\n", {4: "want 'key = value'", 5: "want 'key = value'"})
    refuses(LISTENER + ROUTE + "request_set: X-A = b\n", {6: "want 'key = value'"})


def test_a_hash_behind_a_value_begins_no_comment(refuses, told):
    text = "[moongate]\nworkers = 2 # two\nlog_level = warn ; fine\n" + LISTENER + "[route r]\npath = /x # the path\necho = on\n"
    refuses(text, {2: "a comment behind a value begins with ' ;'", 7: "a comment behind a value begins with ' ;'"})
    status, said = told("[moongate]\nlog = out.log # the log\n" + LISTENER + ROUTE)
    assert status == 78 and "a comment behind a value begins with ' ;'" in said[2], said
    status, said = told(LISTENER + ROUTE + "response_set = X-A: a # b\n")
    assert status == 0 and not said


def test_quotes_are_the_values_own(refuses):
    text = '[listener l]\nbind = "127.0.0.1:18080"\n[route r]\npath = "/x"\necho = \'on\'\nmax_message = "'
    refuses(text, {2: "values stand without quotes", 4: "values stand without quotes", 5: "values stand without quotes",
                   6: "want off"})


def test_line_ends_of_long_ago(refuses):
    refuses((LISTENER + ROUTE).replace("\n", "\r"), {1: "a CR within a line"})
    refuses(LISTENER + ROUTE.replace("/x\n", "/x\r"), {4: "a CR within a line"})


@pytest.mark.parametrize("bom, codec", [(b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")])
def test_utf_16(refuses, bom, codec):
    refuses(bom + (LISTENER + ROUTE).encode(codec), {1: "want UTF-8"})


def test_a_key_behind_a_section(refuses):
    refuses("[listener l] bind = 127.0.0.1:18080\n" + ROUTE, {1: "want it in a line of its own"})


@pytest.mark.parametrize("value, words", [
    ("ws://127.0.0.1:9000/path", "want nothing behind the host and port"),
    ("ws://127.0.0.1:9000?x", "want nothing behind the host and port"),
    ("ws://127.0.0.1:9000/", "want nothing behind the host and port"),
    ("ws://app:9000, ws://app:9001", "want one server in a line"),
    ("ws://app:90000", "want a port of 1..65535"),
    ("ws://app:", "want a port of 1..65535"),
])
def test_servers_as_urls(refuses, value, words):
    refuses(LISTENER + f"[upstream u]\nserver = {value}\n[route r]\nupstream = u\n", {4: words})


@pytest.mark.parametrize("value, words", [("*:8080", "want 0.0.0.0:8080, and [::]:8080"), ("*:x", "want a port"),
                                          (":8080", "want 0.0.0.0:8080, and [::]:8080")])
def test_every_address(refuses, value, words):
    refuses(f"[listener l]\nbind = {value}\n" + ROUTE, {2: words})


@pytest.mark.parametrize("key", ["log", "access_log", "tls_key_log"])
@pytest.mark.parametrize("value", ["stdout", "Stderr", "none", "on", "syslog:", "journal:", "file"])
def test_words_that_are_no_log(refuses, key, value):
    """They would be names of files beside the configuration."""
    refuses(f"[moongate]\n{key} = {value}\n" + LISTENER + ROUTE, {2: "want "})


def test_log_off(refuses, told):
    refuses("[moongate]\nlog = off\n" + LISTENER + ROUTE, {2: "want "})
    assert told("[moongate]\nlog = ./off\naccess_log = ./stdout\n" + LISTENER + ROUTE) == (0, {})


def test_key_log_off(told):
    """Whoever turns it off does not want it in a file of that name."""
    assert told("[moongate]\ntls_key_log = off\n" + LISTENER + ROUTE) == (0, {})


# What no request can meet, and what cannot be opened.


def test_a_client_certificate_that_nobody_asks_for(told, pairs):
    one, _ = pairs
    tls = files(tls_certificate=one.certificate, tls_key=one.key)
    asks = tls + files(tls_client_ca=one.certificate, tls_verify_client="optional")
    route = "[route r]\npath = /x\ntls_client = subject CN=a\necho = on\n"
    words = "no listener of this route asks its clients for certificates"
    status, said = told(LISTENER + route)
    assert status == 0 and set(said) == {5} and words in said[5]
    status, said = told(LISTENER + tls + route)
    assert status == 0 and words in said[7]
    assert told(LISTENER + asks + route) == (0, {})
    other = "[listener m]\nbind = 127.0.0.1:18081\n"
    assert told(LISTENER + asks + other + route) == (0, {})
    status, said = told(LISTENER + asks + other + route + "listener = m\n")
    assert status == 0 and words in said[11]


def test_A_06_a_file_where_a_socket_is_to_be(told, tmp_path):
    """-t says what the start would say."""
    (tmp_path / "file").write_text("precious")
    status, said = told(f"[listener l]\nbind = unix:{tmp_path}/file\nbind = unix:{tmp_path}/none/x\n" + ROUTE)
    assert status == 78 and "the file exists and is no socket" in said[2] and "no such file" in said[3], said
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("key", ["log", "access_log", "tls_key_log"])
@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_log_that_takes_no_lines(told, tmp_path, key, kind):
    """-t and the start say the same of it, and what it is."""
    path = tmp_path / kind
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        if kind == "pipe":
            os.mkfifo(path)
        else:
            s.bind(str(path))
        words = f"[moongate] {key} = {path}: it is a pipe that nobody reads, or a socket"
        text = f"[moongate]\n{key} = {path}\n" + LISTENER + ROUTE
        status, said = told(text)
        assert status == 78 and words in said[2], said
        daemon = Daemon(tmp_path / "moongate.conf")
        try:
            daemon.wait_end(status=78)
            assert words in daemon.log
        finally:
            daemon.kill()


def test_all_that_cannot_be_opened_at_the_start(tmp_path):
    """The logs, and every address."""
    config = tmp_path / "moongate.conf"
    config.write_text("[moongate]\nlog = none/a\naccess_log = none/b\ntls_key_log = none/c\n" + LISTENER + ROUTE)
    daemon = Daemon(config)
    try:
        daemon.wait_end(status=78)
    finally:
        daemon.kill()
    for n, key in enumerate(("log", "access_log", "tls_key_log"), 2):
        assert re.search(rf"moongate\.conf:{n}: \[moongate\] {key} = ", daemon.log), daemon.log
