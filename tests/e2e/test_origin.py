# SPDX-License-Identifier: BSD-2-Clause
"""Which pages may connect (H-16 to H-18), and which subprotocols may be offered."""

import pytest

from helpers.daemon import refused, section, still_works
from helpers.polite import ChromiumClient

LIST = ["https://good.example", "https://*.sub.example", "http://ports.example:*", "http://127.0.0.1:8000"]


@pytest.fixture
def daemon(moongate, upstream):
    return moongate(upstream, route={"origin": LIST})


def opens(daemon, upstream, *origins, **how):
    client = daemon.client()
    client.send(client.request("/app", add=[("Origin", o) for o in origins], **how))
    app = upstream.accept_open()
    client.expect_101()
    assert app.head.all("Origin") == list(origins)


def is_403(daemon, *origins, target="/app", **how):
    """Refused with one line that names the origin, before anything else is looked at."""
    client = daemon.client()
    client.send(client.request(target, add=[("Origin", o) for o in origins], **how))
    head = refused(daemon, client, 403)
    assert b"Origin" in head.body
    if origins and origins[0]:
        assert daemon.refusal_of(client)["origin"] == origins[0]


@pytest.mark.parametrize("origin", ["https://good.example", "https://a.sub.example", "https://b.a.sub.example",
                                    "http://ports.example", "http://ports.example:1", "http://127.0.0.1:8000"])
def test_H_16_listed(daemon, upstream, origin):
    opens(daemon, upstream, origin)
    still_works(daemon)


@pytest.mark.parametrize("target", ["/app", "/echo"])
def test_H_16_not_listed(daemon, upstream, target):
    is_403(daemon, "https://evil.example", target=target)
    is_403(daemon, "", target=target)
    assert upstream.nobody_came()
    still_works(daemon)
    assert daemon.stop()["refused_403"] == 2


def test_H_16_before_any_other_fault(daemon, upstream):
    for fault in [{"drop": ["Sec-WebSocket-Key"]}, {"method": "POST"}, {"drop": ["Connection"]},
                  {"change": {"Sec-WebSocket-Version": "8"}}]:
        is_403(daemon, "https://evil.example", **fault)
    assert upstream.nobody_came()
    still_works(daemon)


@pytest.mark.parametrize("origin", ["http://[::1", "//", "http://", "[", "a" * 8192, "http://a\x01", "http://a\x7f", "http://a\xff"],
                         ids=lambda o: repr(o[:12]))
def test_H_11_broken_origins(daemon, upstream, origin):
    """A list lets none of them through; what no line may hold is a 400 in front of that."""
    client = daemon.client()
    client.send(client.request("/app", add=[("Origin", origin)]))
    refused(daemon, client, 400 if origin[-1] in "\x01\x7f" else 403)
    assert upstream.nobody_came()
    still_works(daemon)


def test_H_16_two_origins(daemon, upstream):
    is_403(daemon, "https://good.example", "https://good.example")
    is_403(daemon, "https://good.example", "https://evil.example")
    is_403(daemon, "https://good.example https://good.example")
    assert upstream.nobody_came()
    still_works(daemon)


def test_H_16_no_upgrade_is_426(daemon):
    client = daemon.client()
    client.send(client.get("/app", add=[("Origin", "https://evil.example")]))
    client.expect_answer(426)
    still_works(daemon)


def test_H_16_missing(moongate, upstream, daemon):
    opens(daemon, upstream)
    still_works(daemon)
    strict = moongate(upstream, route={"origin_missing": "deny"})
    is_403(strict)
    opens(strict, upstream, "https://whoever.example")
    still_works(strict)


def test_H_17_null(moongate, upstream, daemon):
    is_403(daemon, "null")
    still_works(daemon)
    listed = moongate(upstream, route={"origin": ["null"]})
    opens(listed, upstream, "null")
    is_403(listed, "NULL")
    is_403(listed, "https://good.example")
    still_works(listed)


@pytest.mark.parametrize("origin", [
    "https://good.example.evil.tld", "https://goodxexample", "https://Good.example", "HTTPS://good.example",
    "https://good.example:443", "https://good.example:8443", "https://good.example.", "https://good.example/",
    "http://good.example", "https://evil.tld/good.example", "https://good.example@evil.tld",
    "https://sub.example", "https://.sub.example", "https://evilsub.example", "https://a.sub.example.evil.tld",
    "https://evil.tld/.sub.example", "https://evil.tld#.sub.example", "https://a.sub.example:1", "http://a.sub.example",
    "http://ports.example:", "http://ports.example:1@evil.tld", "http://ports.example.evil.tld:1", "good.example",
    "http://127.0.0.1:80001", "http://127.0.0.1", "http://2130706433:8000"])
def test_H_18_near_misses(daemon, upstream, origin):
    is_403(daemon, origin)
    assert upstream.nobody_came()
    still_works(daemon)


def test_same_host(moongate, upstream):
    daemon = moongate(upstream, route={"origin": "same-host"})
    port = daemon.address[1]
    opens(daemon, upstream, f"http://127.0.0.1:{port}")
    opens(daemon, upstream, "https://Chat.example".lower(), change={"Host": "Chat.Example."})
    opens(daemon, upstream, "https://chat.example", change={"Host": "chat.example:443"})
    is_403(daemon, "http://127.0.0.1")
    is_403(daemon, f"http://127.0.0.1:{port + 1}")
    is_403(daemon, "https://Chat.example", change={"Host": "Chat.example"})
    is_403(daemon, "https://chat.example.evil.tld", change={"Host": "chat.example"})
    is_403(daemon, "null")
    still_works(daemon)


def test_defaults_hold_for_all_routes_and_a_route_overrides(moongate, upstream):
    extra = section("route", "open", {"path": "/open", "origin": "any", "echo": "on"})
    daemon = moongate(upstream, defaults={"origin": LIST}, extra=extra)
    is_403(daemon, "https://evil.example")
    client = daemon.client()
    client.open("/open", add=[("Origin", "https://evil.example")]).echoes(3)
    client.end()
    still_works(daemon)


# Subprotocols.


def offer(daemon, upstream, *lines):
    """What of the offer reaches the application."""
    client = daemon.client()
    client.send(client.request("/app", add=[("Sec-WebSocket-Protocol", x) for x in lines] + ["X-Last: 1"]))
    app = upstream.accept_request()
    assert app.head.get("X-Last") == "1"
    return client, app, [x.strip() for line in app.head.all("Sec-WebSocket-Protocol") for x in line.split(",")]


@pytest.fixture
def limited(moongate, upstream):
    return moongate(upstream, route={"subprotocol": ["v1", "v2"]})


@pytest.mark.parametrize("lines, wanted", [
    (["v1"], ["v1"]), (["v2, v1"], ["v2", "v1"]), (["x, v2", "y", "v1, z"], ["v2", "v1"]),
    (["x"], []), (["V1"], []), (["v11, v"], []), ([], [])])
def test_offers_are_limited(limited, upstream, lines, wanted):
    client, app, seen = offer(limited, upstream, *lines)
    assert seen == wanted
    app.send(app.answer(add=[("Sec-WebSocket-Protocol", seen[-1])] if seen else []))
    head = client.expect_101()
    assert head.get("Sec-WebSocket-Protocol") == (wanted[-1] if wanted else None)
    still_works(limited)


def test_a_choice_that_was_taken_out_is_502(limited, upstream):
    client, app, seen = offer(limited, upstream, "x, v1")
    assert seen == ["v1"]
    app.send(app.answer(add=["Sec-WebSocket-Protocol: x"]))
    refused(limited, client, 502)
    still_works(limited)


def test_echo_takes_the_first_offer(moongate, limited):
    for daemon, lines, wanted in [(moongate(), ["a, b"], "a"), (moongate(), [], None), (limited, ["x, v2", "v1"], "v2"),
                                  (limited, ["x"], None)]:
        client = daemon.client()
        client.open("/echo", add=[("Sec-WebSocket-Protocol", x) for x in lines])
        assert client.head.get("Sec-WebSocket-Protocol") == wanted
        client.echoes()
        client.end()
        still_works(daemon)


def test_echo_takes_the_longest_offer(moongate):
    token = "x" * 15000
    client = moongate().client()
    client.open("/echo", add=[("Sec-WebSocket-Protocol", token)])
    assert client.head.get("Sec-WebSocket-Protocol") == token
    client.end()


@pytest.mark.xdist_group("chromium")
def test_a_browser_says_its_origin(moongate, closing):
    """The page's own origin is let in, with a subprotocol; another list keeps it out."""
    browser = ChromiumClient()
    try:
        page = "http://127.0.0.1:%d" % browser.http.server_address[1]
        steps = [{"do": "text", "value": "x"}, {"do": "close", "code": 1000, "reason": ""}]
        good = moongate(route={"origin": page, "subprotocol": ["v1", "v2"]})
        result = browser.run("ws://127.0.0.1:%d/echo" % good.address[1], steps, ["other", "v2"])
        assert result["error"] is None and result["protocol"] == "v2", result
        bad = moongate(route={"origin": ["same-host", "https://good.example"]})
        result = browser.run("ws://127.0.0.1:%d/echo" % bad.address[1], steps)
        assert result["error"] is not None and result["done"] == 0, result
        assert bad.wait_line("refused", status="403")["origin"] == page
    finally:
        browser.quit()
