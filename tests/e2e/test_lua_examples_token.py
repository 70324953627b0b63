# SPDX-License-Identifier: BSD-2-Clause
"""conf/handlers/token.lua: an access script that asks an HTTP service through a cosocket."""

from pathlib import Path

import pytest

SCRIPT = (Path(__file__).resolve().parents[2] / "conf" / "handlers" / "token.lua").read_text()


@pytest.fixture
def guarded(lua, upstream, upstreams):
    """A daemon whose /h* leads to `upstream` past the script; `service` is asked."""

    def make():
        service = upstreams()
        script = SCRIPT.replace("8082", str(service.address[1]))
        d = lua(access=script, upstream=upstream, does={"upstream": "app"})
        d.service = service
        return d

    return make


def test_a_known_token_passes_and_the_connection_is_used_again(guarded, upstream):
    d = guarded()
    peer = None
    for i, how in enumerate([{"add": ["Authorization: Bearer good", "X-User: forged"]}, {"target": "/h?token=good"}]):
        client = d.client()
        client.send(client.request(how.pop("target", "/h"), **how))
        peer = peer or d.service.accept()
        asked = peer.read_head()
        assert asked.raw.startswith(b"GET /check HTTP/1.1\r\n") and asked.get("Authorization") == "Bearer good"
        peer.send("HTTP/1.1 200 OK\r\nX-User: moon\r\nContent-Length: 2\r\n\r\nok")
        app = upstream.accept()
        request = app.read_request()
        assert request.all("X-User") == ["moon"], i
        app.send(app.answer())
        client.expect_101()
        client.text("x")
        app.expect_text("x")
        client.close()
        app.close()
    assert d.service.nobody_came()
    peer.close()


@pytest.mark.parametrize("answer, status", [
    ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", 403),
    ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 403),
    ("HTTP/1.1 500 Internal Server Error\r\n\r\n", 503),
    ("nonsense\r\n", 503),
    ("", 503),
])
def test_who_is_not_known_or_cannot_be_asked_for(guarded, upstream, answer, status):
    d = guarded()
    client = d.client()
    client.send(client.request("/h", add=["Authorization: Bearer x"]))
    peer = d.service.accept()
    peer.read_head()
    peer.send(answer)
    peer.close()
    client.expect_answer(status)
    assert upstream.nobody_came()


def test_no_token(guarded, upstream):
    d = guarded()
    client = d.client()
    client.send(client.request("/h"))
    assert client.expect_answer(401).get("WWW-Authenticate") == "Bearer"
    assert d.service.nobody_came() and upstream.nobody_came()


def test_a_token_that_would_break_a_line_stays_escaped(guarded, upstream):
    d = guarded()
    client = d.client()
    client.send(client.request("/h?token=a%0d%0aX:y"))
    peer = d.service.accept()
    asked = peer.read_head()
    assert asked.get("Authorization") == "Bearer a%0d%0aX:y" and "X" not in asked
    peer.send("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
    client.expect_answer(403)
    peer.close()
    assert upstream.nobody_came()


def test_a_service_that_is_not_there(guarded, upstream):
    d = guarded()
    d.service.close()
    client = d.client()
    client.send(client.request("/h", add=["Authorization: Bearer x"]))
    client.expect_answer(503)
    d.wait_text("the token service does not answer: connection refused")
