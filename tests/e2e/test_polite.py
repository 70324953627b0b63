# SPDX-License-Identifier: BSD-2-Clause
"""Peers that others wrote, each client with each application, through the daemon."""

import pytest

from helpers.daemon import still_works
from helpers.peer import LIMIT
from helpers.polite import ChromiumClient, NodeClient, NodeEcho, PythonClient, PythonEcho

MIXED = "caf\u00e9 \u6708\u9580 \U0001f319 "
KINDS = {"python": PythonClient, "node": NodeClient, "chromium": ChromiumClient}
CLIENTS = [
    pytest.param(name, marks=pytest.mark.xdist_group("chromium" if name == "chromium" else f"polite-{name}"))
    for name in KINDS
]


@pytest.fixture(scope="module")
def kinds():
    """Clients by name, each started once."""
    started = {}

    def get(name):
        if name not in started:
            started[name] = KINDS[name]()
        return started[name]

    yield get
    for client in started.values():
        client.quit()


@pytest.fixture(params=CLIENTS)
def client(request, kinds):
    return kinds(request.param)


@pytest.fixture(params=[PythonEcho, NodeEcho])
def app(request, closing):
    closing.append(request.param())
    return closing[-1]


@pytest.fixture
def run(moongate, app, client):
    """Runs steps between the client and the application; all of them must succeed."""
    daemon = moongate(app)

    def run(*steps, protocols=()):
        result = client.run("ws://%s:%d/app" % daemon.address, list(steps), list(protocols))
        assert result["error"] is None and result["done"] == len(steps), result
        assert result["extensions"] == ""
        return result

    run.daemon = daemon
    return run


def test_messages(run):
    run({"do": "text", "value": "hello"},
        {"do": "text", "value": ""},
        {"do": "text", "value": MIXED},
        {"do": "binary", "size": 0},
        *({"do": "binary", "size": n} for n in (1, 125, 126, 4096, 65535, 65536)))
    still_works(run.daemon)


def test_large_messages(run):
    run({"do": "binary", "size": 1 << 20},
        {"do": "long_text", "value": "0123456789abcdef", "times": 1 << 16},
        {"do": "long_text", "value": MIXED, "times": 40000})


def test_many_messages(run):
    run(*({"do": "text", "value": f"message {i}"} for i in range(300)))


def test_close_by_client(run, app):
    run({"do": "text", "value": "x"}, {"do": "close", "code": 3001, "reason": "done here"})
    assert app.closes.get(timeout=LIMIT) == (3001, "done here")
    assert run.daemon.wait_line("session_end", route="app")["closed_by"] == "client"
    assert run.daemon.stop()["closed_normally"] == 1


def test_close_by_application(run, app):
    result = run({"do": "text", "value": "x"}, {"do": "ask_close", "code": 4002, "reason": "go away"})
    assert result["close"] == [4002, "go away", True]
    assert app.closes.get(timeout=LIMIT)[0] == 4002
    line = run.daemon.wait_line("session_end", route="app")
    assert (line["closed_by"], line["upstream_code"]) == ("upstream", "4002")


def test_subprotocol(run):
    result = run({"do": "text", "value": "x"}, {"do": "close", "code": 1000, "reason": ""},
                 protocols=["other", "chat"])
    assert result["protocol"] == "chat"


@pytest.mark.parametrize("client", [c for c in CLIENTS if c.values != ("chromium",)], indirect=True)
def test_fragments_and_ping(run):
    run({"do": "fragments", "parts": ["a", "", "b" * 70000, "\u6708"]},
        {"do": "ping", "value": "are you there"},
        {"do": "text", "value": "x"},
        {"do": "close", "code": 1000, "reason": ""})


def test_stop_is_going_away(moongate):
    """A stopping daemon says 1001 to a polite client, and why."""
    import asyncio

    import websockets

    daemon = moongate()

    async def stay():
        async with websockets.connect("ws://%s:%d/echo" % daemon.address, ping_interval=None) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
            daemon.signal()
            await asyncio.wait_for(ws.wait_closed(), LIMIT)
            return ws.close_code, ws.close_reason

    assert asyncio.run(stay()) == (1001, "stopping")
    assert daemon.wait_end()["drained"] == 1
