# SPDX-License-Identifier: BSD-2-Clause
"""Sticky sessions: a signed cookie in the 101 brings a client back to its server."""

import base64
import os
import re

import pytest

from helpers.daemon import check_config, section, server_text, still_works, wait_until
from helpers.frames import TEXT, frame
from helpers.traffic import Application, echo

VALUE = re.compile(r"node=([A-Za-z0-9_-]{43}); Path=/; HttpOnly; SameSite=Lax$")


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text(os.urandom(32).hex())
    path.chmod(0o600)
    return path


@pytest.fixture
def farm(moongate, upstreams, closing, secret):
    """A function: a daemon and three servers, each of which says its number. Keys of [upstream app]."""

    def farm(n=3, **group):
        servers = [upstreams() for _ in range(n)]
        for i, server in enumerate(servers):
            closing.insert(0, Application(server, lambda f, i=i: frame(TEXT, b"%d" % i) if f.opcode == TEXT else echo(f)))
        farm.applications = closing[n - 1::-1]
        farm.group = {"server": [server_text(s.address) for s in servers], "sticky": "node",
                      "sticky_secret": secret, "max_fails": "off", **group}
        farm.daemon = moongate(servers[0], group=farm.group)
        return farm.daemon

    return farm


def visit(daemon, cookies=(), target="/app"):
    """A session with these Cookie lines. Returns (server's number, value of the new cookie or None)."""
    with daemon.client() as client:
        client.open(target, add=[("Cookie", c) for c in cookies])
        client.text("who?")
        server = int(client.read_frame().payload)
        lines = client.head.all("Set-Cookie")
        client.close_frame(1000)
        client.expect_end()
    assert len(lines) <= 1
    return server, VALUE.match(lines[0])[1] if lines else None


def visit_all(daemon, n=3):
    """A cookie for each server."""
    cookies = {}
    while len(cookies) < n:
        server, value = visit(daemon)
        cookies[server] = value
    return cookies


@pytest.mark.parametrize("balance", ["round_robin", "least_connections", "random_two", "hash"])
def test_back_to_the_same_server(farm, balance):
    daemon = farm(balance=balance, **({"hash_key": "query room"} if balance == "hash" else {}))
    cookies = {}
    n = 0
    while len(cookies) < 3:
        server, value = visit(daemon, target=f"/app?room={n}")
        cookies[server] = value
        n += 1
    for server, value in cookies.items():
        for _ in range(4):
            # The server is the cookie's, so no other is set.
            assert visit(daemon, [f"a=b; node={value}; c=d"], f"/app?room={n}") == (server, None)
            n += 1
    still_works(daemon)


def test_every_session_without_a_cookie_gets_one(farm):
    daemon = farm()
    seen = [visit(daemon) for _ in range(9)]
    assert {s for s, _ in seen} == {0, 1, 2} and all(v for _, v in seen)
    # It tells nothing of the server, and is the same for the same one.
    assert len({v for _, v in seen}) == 3
    port = str(farm.group["server"][0]).rsplit(":", 1)[1].encode()
    assert all(port not in base64.urlsafe_b64decode(v + "=") for _, v in seen)


@pytest.mark.parametrize("change", ["cut", "longer", "flipped", "other name", "empty", "quoted", "noise"])
def test_cookies_that_are_none(farm, change):
    daemon = farm()
    cookies = visit_all(daemon)
    server, value = next(iter(cookies.items()))
    flipped = value[:20] + ("A" if value[20] != "A" else "B") + value[21:]
    line = {"cut": f"node={value[:-1]}", "longer": f"node={value}A", "flipped": f"node={flipped}",
            "other name": f"Node={value}; nodes={value}", "empty": "node=", "quoted": f'node="{value}"',
            "noise": "node=" + "x" * 5000}[change]
    seen = [visit(daemon, [line]) for _ in range(6)]
    if change == "quoted":
        assert seen == [(server, None)] * 6
    else:
        assert {s for s, _ in seen} == {0, 1, 2} and all(v for _, v in seen)
    still_works(daemon)


def test_the_right_one_among_several(farm):
    daemon = farm()
    for server, value in visit_all(daemon).items():
        assert visit(daemon, ["node=nonsense; node=", f"x=y; node={value}"]) == (server, None)


def test_a_server_that_is_down(farm, closing):
    daemon = farm(tries=2)
    cookies = visit_all(daemon)
    closing.remove(farm.applications[1])
    farm.applications[1].close()
    farm.applications[1].upstream.close()
    for _ in range(3):
        server, value = visit(daemon, [f"node={cookies[1]}"])
        assert server != 1 and value
        # With the new cookie the client stays where it is.
        assert visit(daemon, [f"node={value}"]) == (server, None)
    still_works(daemon)


def test_a_server_that_is_full(farm, moongate):
    daemon = farm(max_connections=1)
    cookies = visit_all(daemon)
    daemon.settle()
    client = daemon.client().open("/app", add=[("Cookie", f"node={cookies[2]}")])
    server, value = visit(daemon, [f"node={cookies[2]}"])
    assert server != 2 and value
    client.close()
    wait_until(lambda: visit(daemon, [f"node={cookies[2]}"])[0] == 2, "the place to be free again")
    still_works(daemon)


def test_a_server_that_left(farm, moongate):
    daemon = farm()
    cookies = visit_all(daemon)
    daemon.stop()
    fewer = {**farm.group, "server": farm.group["server"][:2]}
    daemon = moongate(farm.applications[0].upstream, group=fewer)
    server, value = visit(daemon, [f"node={cookies[2]}"])
    assert server in (0, 1) and value
    assert visit(daemon, [f"node={cookies[1]}"]) == (1, None)
    still_works(daemon)


def test_nodes_share_the_secret(farm, moongate, tmp_path):
    """Another node, with its servers in another order, and a newline at the file's end."""
    first = farm()
    cookies = visit_all(first)
    again = tmp_path / "again"
    again.write_bytes((tmp_path / "secret").read_bytes().rstrip(b"\n") + b"\n")
    again.chmod(0o600)
    group = {**farm.group, "server": farm.group["server"][::-1], "sticky_secret": again}
    second = moongate(farm.applications[0].upstream, group=group)
    for server, value in cookies.items():
        assert visit(second, [f"node={value}"]) == (server, None)
    other = tmp_path / "other"
    other.write_text(os.urandom(32).hex())
    other.chmod(0o600)
    third = moongate(farm.applications[0].upstream, group={**farm.group, "sticky_secret": other})
    assert all(visit(third, [f"node={value}"])[1] for value in cookies.values())


def test_sticky_ttl(farm):
    daemon = farm(sticky_ttl="1s", sticky_attributes="Path=/app; Secure; Domain=example.com")
    with daemon.client() as client:
        client.open("/app")
        line = client.head.get("Set-Cookie")
    found = re.match(r"node=([A-Za-z0-9_-]{43}); Max-Age=1; Path=/app; Secure; Domain=example.com$", line)
    assert found, line
    # After its time it is none: the client gets another.
    def is_over():
        with daemon.client() as again:
            again.open("/app", add=[("Cookie", f"node={found[1]}")])
            return "Set-Cookie" in again.head

    wait_until(is_over, "the cookie's end")
    still_works(daemon)


def test_the_applications_own_cookies_pass(moongate, upstream, secret):
    daemon = moongate(upstream, group={"sticky": "node", "sticky_secret": secret})
    client = daemon.client()
    client.send(client.request("/app", add=[("Cookie", "a=b; node=x")]))
    app = upstream.accept_request()
    assert app.head.get("Cookie") == "a=b; node=x"
    app.send(app.answer(add=[("Set-Cookie", "session=1"), ("Set-Cookie", "node=theirs")]))
    lines = client.expect_101().all("Set-Cookie")
    assert lines[:2] == ["session=1", "node=theirs"] and VALUE.match(lines[2]) and len(lines) == 3


def test_a_relayed_answer_has_no_cookie(moongate, upstream, secret):
    daemon = moongate(upstream, group={"sticky": "node", "sticky_secret": secret})
    client = daemon.client()
    client.send(client.request("/app"))
    upstream.accept_request().send("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    assert "Set-Cookie" not in client.expect_refusal(403)


# Configuration.


def config_with(tmp_path, **keys):
    config = tmp_path / "sticky.conf"
    config.write_text(section("listener", "x", {"bind": "127.0.0.1:1"}) +
                      section("upstream", "x", {"server": "ws://127.0.0.1:2", **keys}) +
                      section("route", "x", {"upstream": "x"}))
    return config


@pytest.mark.parametrize("keys, why", [
    ({"sticky": "node"}, "want sticky_secret = PATH too"),
    ({"sticky_secret": "secret"}, "does nothing: want sticky = COOKIE too"),
    ({"sticky_ttl": "1h"}, "does nothing: want sticky = COOKIE too"),
    ({"sticky_attributes": "Path=/"}, "does nothing: want sticky = COOKIE too"),
    ({"sticky": "no de", "sticky_secret": "secret"}, "want off, or the name of a cookie, such as node"),
    ({"sticky": "node=", "sticky_secret": "secret"}, "want off, or the name of a cookie, such as node"),
    ({"sticky": "node", "sticky_secret": "secret", "sticky_ttl": "1ms"}, "want off | 1s..9600h"),
    ({"sticky": "node", "sticky_secret": "secret", "sticky_attributes": "Path=/; Max-Age=3"},
     "want sticky_ttl for how long the cookie lasts"),
    ({"sticky": "node", "sticky_secret": "secret", "sticky_attributes": "Path=/; Secur"}, "want attributes of a cookie"),
    ({"sticky": "node", "sticky_secret": "nowhere"}, "cannot read it: No such file or directory"),
    ({"sticky": "node", "sticky_secret": "."}, "cannot read it: it is no regular file"),
    ({"sticky": "node", "sticky_secret": "fifo"}, "cannot read it: it is no regular file"),
    ({"sticky": "node", "sticky_secret": "short"}, "too short a secret: want a file of 32 to 4096 random bytes"),
    ({"sticky": "node", "sticky_secret": "long"}, "too long a secret: want a file of 32 to 4096 random bytes"),
    ({"sticky": "node", "sticky_secret": "empty"}, "too short a secret"),
])
def test_wrong_values(tmp_path, secret, keys, why):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "short").write_bytes(b"x" * 31 + b"\n")
    (tmp_path / "long").write_bytes(b"x" * 5000)
    (tmp_path / "empty").write_bytes(b"")
    status, said = check_config(config_with(tmp_path, **keys))
    assert status == 78 and why in said and re.search(r"sticky\.conf:\d+: \[upstream x\] sticky", said), said


@pytest.mark.parametrize("mode, word", [(0o644, "read"), (0o602, "write"), (0o640, None), (0o600, None)])
def test_K_08_who_may_read_the_secret(tmp_path, secret, mode, word):
    secret.chmod(mode)
    status, said = check_config(config_with(tmp_path, sticky="node", sticky_secret="secret"))
    assert status == 0
    assert ("every user of this host may" in said) == bool(word) and (word or "") in said, said


def test_off(tmp_path, secret):
    assert check_config(config_with(tmp_path, sticky="off"))[0] == 0
