# SPDX-License-Identifier: BSD-2-Clause
"""The examples of conf/handlers, as conf/lua-demo.conf runs them; only ports and times are others."""

import asyncio
import re
import shutil
from types import SimpleNamespace

import pytest
import websockets

from helpers.daemon import ROOT, check_config
from helpers.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT
from helpers.peer import LIMIT
from helpers.polite import NodeClient

CONF = ROOT / "conf"
CHANGES = {  # so that no connection to itself is kept beyond a test, and a worker can be told from another
    "keepalive(30000": "keepalive(300",
    "workers = auto": "drain_timeout = 1s\nworkers = ",
    "\npath = /chat\n": "\npath = /chat\naccess = worker.lua\n",
}


@pytest.fixture
def demo(daemons, clients, port, tmp_path):
    """A function that starts conf/lua-demo.conf, to whose scripts a RawUpstream may be the application or the
    service that knows tokens."""

    def make(workers=1, application=None, tokens=None):
        own = {"8080": port(), "8081": port(), "8082": port()}
        others = {"8081": application and application.address[1], "8082": tokens and tokens.address[1]}
        shutil.copytree(CONF / "handlers", tmp_path / "handlers")
        shutil.copy(CONF / "lua-demo.conf", tmp_path)
        (tmp_path / "worker.lua").write_text("ngx.header.X_Worker = ngx.worker.id()")
        for path in [*tmp_path.glob("handlers/*.lua"), tmp_path / "lua-demo.conf"]:
            text = path.read_text()
            for old, new in CHANGES.items():
                if application or tokens:  # which end those that are kept
                    new = new.replace("keepalive(300", "keepalive(30000")
                text = text.replace(old, new + str(workers) if old.startswith("workers") else new)
            is_script = path.suffix == ".lua"
            text = re.sub(r"\b808[012]\b", lambda m: str(is_script and others.get(m[0]) or own[m[0]]), text)
            path.write_text(text)
        daemon = daemons(tmp_path / "lua-demo.conf")
        daemon.wait_ready()
        daemon.address = ("127.0.0.1", own["8080"])
        daemon.client = lambda **options: clients(daemon.address, **options)
        return daemon

    return make


def post(daemon, target, body, status):
    client = daemon.client()
    client.send(client.get(target, method="POST", add=[f"Content-Length: {len(body)}"]).encode() + body)
    answer = client.read_body(client.expect_answer(status))
    client.close()
    return answer


def test_the_demonstration_as_it_is():
    assert check_config(CONF / "lua-demo.conf")[0] == 0


def test_every_example_is_in_the_demonstration():
    named = set(re.findall(r"handlers/(\w+\.lua)", (CONF / "lua-demo.conf").read_text()))
    assert named == {path.name for path in (CONF / "handlers").glob("*.lua")} - {"room.lua"}


def test_echo_and_proxied_with_polite_clients(demo):
    d = demo()

    async def talk(path):
        async with websockets.connect("ws://%s:%d/%s" % (*d.address, path), ping_interval=None, max_size=None) as ws:
            for message in ("", "x", "ä" * 300, b"\0" * 65536, "y" * 1048576):
                await ws.send(message)
                assert await asyncio.wait_for(ws.recv(), LIMIT) == message
            await (await ws.ping())
            await ws.send(["part ", "by ", "part"])
            assert await ws.recv() == "part by part"
        assert ws.close_code == 1000

    for path in ("echo", "proxied", "guarded?token=moon"):
        asyncio.run(talk(path))
    for path in ("echo", "proxied", "guarded?token=gate"):
        result = NodeClient().run("ws://%s:%d/%s" % (*d.address, path), [
            {"do": "text", "value": "hello"}, {"do": "binary", "size": 100000}, {"do": "ping", "value": "p"},
            {"do": "fragments", "parts": ["one ", "two ", "three"]}, {"do": "close", "code": 4000, "reason": "bye"}])
        assert (result["error"], result["done"], result["close"][0]) == (None, 5, 4000), result


@pytest.mark.parametrize("path", ["echo", "chat", "proxied"])
def test_no_upgrade(demo, path):
    d = demo()
    client = d.client()
    client.send(client.get("/" + path))
    client.expect_answer(400)


# ---- the chat room ----


def member(d, name):
    client = d.client()
    client.open(f"/chat?name={name}")
    client.expect_text(f"{name} has come")
    return client


def test_chat_reaches_all_workers(demo):
    d = demo(workers=2)
    members, workers = [], set()
    while len(workers) < 2 or len(members) < 4:
        assert len(members) < 100
        new = member(d, f"m{len(members)}")
        for old in members:
            old.expect_text(f"m{len(members)} has come")
        members.append(new)
        workers.add(new.head.get("X-Worker"))
    for i, speaker in enumerate(members[:4]):
        for n in range(20):
            speaker.text(f"message {n}")
        for hearer in members:
            for n in range(20):
                hearer.expect_text(f"m{i}: message {n}")
    assert post(d, "/publish", b"tea is ready", 202) == b"said\n"
    for hearer in members:
        hearer.expect_text("tea is ready")
    for at in (-1, 0):
        left = members.pop(at)
        left.close_frame(1000)
        left.expect_close(1000)
        left.expect_end()
        for hearer in members:
            assert hearer.read_frame().payload.endswith(b" has left")


def test_chat_many_speak_at_once(demo):
    """All hear the same, in the same order, from both workers."""
    d = demo(workers=2)
    members = [member(d, "m0")]
    while len(members) < 6:
        members.append(member(d, f"m{len(members)}"))
        for old in members[:-1]:
            old.expect_text(f"m{len(members) - 1} has come")
    for n in range(15):
        for m in members:
            m.text(str(n))
    heard = [[m.read_frame().payload for _ in range(15 * len(members))] for m in members]
    assert all(h == heard[0] for h in heard)
    for i in range(len(members)):
        assert [x for x in heard[0] if x.startswith(b"m%d:" % i)] == [b"m%d: %d" % (i, n) for n in range(15)]


@pytest.mark.parametrize("how", ["reset", "close"])
def test_chat_a_member_vanishes(demo, how):
    d = demo()
    anne, bert = member(d, "anne"), member(d, "bert")
    anne.expect_text("bert has come")
    getattr(bert, how)()
    anne.expect_text("bert has left")
    anne.text("alone")
    anne.expect_text("anne: alone")


def test_chat_a_member_who_takes_nothing_is_shown_out(demo):
    d = demo()
    slow = d.client(rcvbuf=2048).open("/chat?name=slow")
    fast = member(d, "fast")
    body = b"x" * 4000
    for _ in range(1500):
        fast.text(body)
        fast.expect_text(b"fast: " + body)
    frames = []
    while not frames or frames[-1].opcode != CLOSE:
        frames.append(slow.read_frame())
    assert frames[-1].close_code == 1008 and frames[-1].close_reason == "too slow"
    slow.close()
    fast.expect_text("slow has left")


def test_chat_names_that_are_none(demo):
    d = demo()
    for name in ("%ff", "a%0d%0ab", "", "<b>"):
        client = d.client().open(f"/chat?name={name}")
        client.expect_text("somebody has come")
        client.close_frame(1000)
        client.expect_close(1000)
        client.expect_end()


def test_publish_refuses(demo):
    d = demo()
    client = d.client()
    client.send(client.get("/publish"))
    assert client.expect_answer(405).get("Allow") == "POST"
    post(d, "/publish", b"", 400)
    post(d, "/publish", b"\xff\xfe", 400)
    anne = member(d, "anne")
    post(d, "/publish", "tea, Grüße".encode(), 202)
    anne.expect_text("tea, Grüße")


# ---- the token ----


def test_token_lets_in_and_refuses(demo):
    d = demo()
    for target, add, status in (("/guarded", [], 401), ("/guarded?token=sun", [], 403),
                                ("/guarded?token=moon", [], 101),
                                ("/guarded", ["Authorization: Bearer gate"], 101),
                                ("/guarded", ["Authorization: Bearer gat"], 403),
                                ("/guarded?token=a&token=b", [], 403)):
        client = d.client()
        client.send(client.request(target, add=add))
        client.expect_answer(status)
        client.close()


def test_token_what_the_service_is_asked(demo, upstreams):
    tokens = upstreams()
    d = demo(tokens=tokens)
    client = d.client()
    client.send(client.request("/guarded?token=t0&x=1", add=["X-User: mallory"]))
    service = tokens.accept()
    asked = service.read_request()
    assert (asked.line, asked.get("Authorization")) == ("GET /check HTTP/1.1", "Bearer t0")
    service.send("HTTP/1.1 200 OK\r\nX-User: anne\r\nContent-Length: 2\r\n\r\nok")
    client.expect_101()
    client.echoes(3)
    # A second client: over the same connection to the service.
    other = d.client()
    other.send(other.request("/guarded?token=t1"))
    assert service.read_request().get("Authorization") == "Bearer t1"
    service.send("HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    other.expect_answer(403)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200", b"nonsense\r\n\r\n", b"\0" * 100])
def test_token_a_service_that_is_wrong(demo, upstreams, answer):
    tokens = upstreams()
    d = demo(tokens=tokens)
    client = d.client()
    client.send(client.request("/guarded?token=moon"))
    service = tokens.accept()
    service.read_request()
    service.send(answer)
    service.close()
    client.expect_answer(503)
    d.wait_text("the token service does not answer")


# ---- the bridge ----


def test_bridge_asks_and_keeps_its_connection(demo, upstreams):
    application = upstreams()
    d = demo(application=application)
    client = d.client()

    def ask(text):
        client.send(client.get("/ask", method="POST", add=[f"Content-Length: {len(text)}"]) + text)

    ask("one")
    app = application.accept_open()
    app.expect_text("one")
    app.ping(b"p")
    app.send(app.make(TEXT, b"answer ", fin=False) + app.make(CONT, b"one"))
    app.expect_frame(PONG, b"p")
    assert client.read_body(client.expect_answer(200)) == b"answer one"
    ask("two")
    app.expect_text("two")
    app.binary(b"\0\1")
    head = client.expect_answer(200)
    assert head.get("Content-Type") == "application/octet-stream" and client.read_body(head) == b"\0\1"
    # The kept one ends while it is used: another is tried.
    ask("three")
    app.expect_text("three")
    app.reset()
    app = application.accept_open()
    app.expect_text("three")
    app.close_frame(1001)
    client.expect_answer(502)


def test_bridge_without_a_server(demo, dead):
    d = demo(application=SimpleNamespace(address=dead))
    post(d, "/ask", b"anyone?", 502)
    d.wait_text("no answer: failed to connect: connection refused")
    post(d, "/ask", b"", 400)


# ---- the proxy ----


@pytest.fixture
def proxied(demo, upstreams):
    """(daemon, client, application) joined by proxy.lua."""
    application = upstreams()
    d = demo(application=application)
    client = d.client()
    client.send(client.request("/proxied?x=1", add=["Sec-WebSocket-Protocol: chat, other", "Origin: http://here"]))
    app = application.accept()
    head = app.read_request()
    assert head.target == "/proxied?x=1" and head.get("Sec-WebSocket-Protocol") == "chat, other"
    assert head.get("Origin") == "http://here" and head.get("X-Forwarded-For") == "127.0.0.1"
    app.send(app.answer(add=["Sec-WebSocket-Protocol: other"]))
    assert client.expect_101().get("Sec-WebSocket-Protocol") == "other"
    return d, client, app


def test_proxy_frame_by_frame(proxied):
    _, client, app = proxied
    for a, b in ((client, app), (app, client)):
        a.send(a.make(TEXT, b"part ", fin=False) + a.make(PING, b"within") + a.make(CONT, b"", fin=False) +
               a.make(CONT, b"last") + a.make(BINARY, b"\0" * 70000) + a.make(PONG, b""))
        b.expect_frame(TEXT, b"part ", fin=False)
        b.expect_frame(PING, b"within")
        b.expect_frame(CONT, b"", fin=False)
        b.expect_frame(CONT, b"last")
        b.expect_frame(BINARY, b"\0" * 70000)
        b.expect_frame(PONG, b"")


@pytest.mark.parametrize("code", [1000, 4321, None])
@pytest.mark.parametrize("first", ["client", "app"])
def test_proxy_passes_the_close_on(proxied, first, code):
    _, client, app = proxied
    a, b = (client, app) if first == "client" else (app, client)
    a.close_frame(code, b"bye" if code else b"")
    b.expect_close(code)
    b.text("meanwhile")
    b.close_frame(code)
    a.expect_text("meanwhile")
    a.expect_close(code)
    client.expect_end()
    app.expect_end()


@pytest.mark.parametrize("how", ["reset", "close", "shutdown"])
@pytest.mark.parametrize("first", ["client", "app"])
def test_proxy_one_side_vanishes(proxied, first, how):
    _, client, app = proxied
    a, b = (client, app) if first == "client" else (app, client)
    a.text("last words")
    b.expect_text("last words")
    getattr(a, how)()
    b.expect_close(1001)
    b.close_frame(1001)
    b.expect_end()


def test_proxy_what_came_before_a_cut_arrives(proxied):
    _, client, app = proxied
    client.send(b"".join(client.make(TEXT, b"%d" % i) for i in range(1000)) + client.make(TEXT, b"cut" * 50)[:40])
    client.shutdown()
    app.text("more" * 1000)
    for i in range(1000):
        app.expect_text(b"%d" % i)
    app.expect_close(1001)


def test_proxy_a_slow_reader_holds_the_other_up(proxied):
    d, client, app = proxied
    app.sock.settimeout(0.2)
    block = app.make(BINARY, b"z" * 65536)
    sent = 0
    try:
        while sent < 1000:
            app.send(block)
            sent += 1
    except TimeoutError:
        pass
    assert sent < 1000
    app.sock.settimeout(LIMIT)
    app.close()
    for _ in range(sent):
        client.expect_frame(BINARY, b"z" * 65536)


def test_proxy_without_a_server(demo, dead):
    d = demo(application=SimpleNamespace(address=dead))
    client = d.client()
    client.send(client.request("/proxied"))
    client.expect_answer(502)


def test_proxy_a_server_that_refuses(demo, upstreams):
    application = upstreams()
    d = demo(application=application)
    client = d.client()
    client.send(client.request("/proxied"))
    app = application.accept()
    app.read_request()
    app.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    client.expect_answer(502)
    d.wait_text("failed websocket handshake: unexpected response status: 403")
