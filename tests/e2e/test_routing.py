# SPDX-License-Identifier: BSD-2-Clause
"""Which route a request takes, by host, path, listener, header and query; and --explain, which
must say the same. Routes that only answer tell themselves apart by their status."""

import os
import re
import subprocess

import pytest

from helpers.daemon import BINARY, ROOT, SANITIZERS, check_config, section, still_works
from helpers.peer import LIMIT

CONFIG, USAGE, NO_ROUTE = 78, 2, 1

ROUTES = {  # status: what the route goes by
    201: {"host": "a.example"},
    202: {"host": "a.example", "path": "/p*"},
    203: {"host": "a.example", "path": "/p/x"},
    210: {"host": "*.example"},
    211: {"host": "*.b.example", "path": "/only*"},
    212: {"host": ["c.example", "[::1]", "10.0.0.1"], "path": "/only"},
    220: {"path": "/any*"},
    221: {"path": "/any/beta*", "header": "X-Beta: yes"},
    222: {"path": "/any/beta*", "header": "X-Beta: no"},
    223: {"path": "/any/beta*", "header": ["X-Beta: yes", "X-More: a b"]},
    224: {"path": "/any/gamma*", "query": "room=a&b"},
    225: {"path": "/any/beta", "listener": "main"},
}

REQUESTS = [  # Host, target, headers, status
    ("a.example", "/", [], 201),
    ("a.example", "/q", [], 201),
    ("a.example", "/p", [], 202),
    ("a.example", "/p/x", [], 203),
    ("a.example", "/p/./x", [], 203),
    ("a.example", "/q/../p/%78?x", [], 203),
    ("A.Example", "/p/x", [], 203),
    ("a.example.", "/p/x", [], 203),
    ("a.example:8080", "/p/x", [], 203),
    ("A.eXample.:1", "/p/x", [], 203),
    ("%61.example", "/p/x", [], 203),
    ("aa.example", "/p/x", [], 210),
    ("x.a.example", "/p/x", [], 210),
    (".example", "/p/x", [], 404),
    ("example", "/p/x", [], 404),
    ("a.example.org", "/p/x", [], 404),
    ("a.example..", "/p/x", [], 404),
    ("x.b.example", "/only/1", [], 211),
    ("x.b.example", "/other", [], 210),
    ("b.example", "/only/1", [], 210),
    ("c.example", "/only", [], 212),
    ("c.example", "/only/", [], 210),
    ("[::1]:99", "/only", [], 212),
    ("[0:0::1]", "/only", [], 212),
    ("10.0.0.1", "/only", [], 212),
    ("10.0.0.2", "/only", [], 404),
    ("x", "/any", [], 220),
    ("a.example", "/any", [], 201),
    ("x", "/any/beta/", [], 220),
    ("x", "/any/beta/", ["X-Beta: yes"], 221),
    ("x", "/any/beta/", ["x-beta:yes"], 221),
    ("x", "/any/beta/", ["X-Beta: no"], 222),
    ("x", "/any/beta/", ["X-Beta: yes, no"], 220),
    ("x", "/any/beta/", ["X-Beta: Yes"], 220),
    ("x", "/any/beta/", ["X-Beta: yes", "X-Beta: no"], 220),
    ("x", "/any/beta/", ["X-Beta: yes", "X-Beta: yes"], 220),
    ("x", "/any/beta/", ["X-Beta: yes", "X-More: a b"], 223),
    ("x", "/any/beta/", ["X-Beta: yes", "X-More: a  b"], 221),
    ("x", "/any/gamma/?room=a%26b", [], 224),
    ("x", "/any/gamma/?x&%72oom=%61%26b&y=", [], 224),
    ("x", "/any/gamma/?room=a&b", [], 220),
    ("x", "/any/gamma/?room=a%26b&room=a%26b", [], 220),
    ("x", "/any/gamma/?ROOM=a%26b", [], 220),
    ("x", "/any/beta?room=a%26b", [], 225),
    ("x", "/any/beta", ["X-Beta: yes", "X-More: a b"], 225),
]


@pytest.fixture
def routes(moongate):
    text = "".join(section("route", f"r{status}", {**by, "respond": status}) for status, by in ROUTES.items())
    return moongate(extra=text)


def explain(config, request, *args):
    """Exit status and text of --explain."""
    done = subprocess.run(
        [BINARY, "-c", config, "--explain", request, *args],
        capture_output=True, text=True, timeout=LIMIT, env={**os.environ, **SANITIZERS}, check=False)
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def test_routes(routes):
    client = routes.client()
    for host, target, headers, status in REQUESTS:
        client.send("\r\n".join([f"GET {target} HTTP/1.1", f"Host: {host}", *headers, "", ""]))
        head = client.read_head()
        assert head.status == status, (host, target, headers, head.raw)
        client.read_body(head)
    still_works(routes)


def test_explain_says_the_same(routes):
    for host, target, headers, status in REQUESTS:
        options = [x for header in headers for x in ("--header", header)]
        code, said = explain(routes.config, f"GET http://{host}{target}", "--listener", "main", *options)
        assert code == (NO_ROUTE if status == 404 else 0), said
        assert (f"[route r{status}]  yes" if status != 404 else "no route: 404") in said, said


def test_absolute_form_goes_by_its_own_host(routes):
    client = routes.client()
    client.send("GET http://a.example/p/x HTTP/1.1\r\nHost: x\r\n\r\n")
    client.expect_answer(203)
    still_works(routes)


def test_no_host_at_all(routes):
    client = routes.client()
    client.send("GET /any HTTP/1.0\r\n\r\n")
    client.expect_answer(220)
    still_works(routes)


def test_hosts_lead_to_their_applications(moongate, upstreams):
    """An upgrade by host reaches the one application, and no other."""
    apps = {name: upstreams() for name in ("one", "two")}
    text = ""
    for name, app in apps.items():
        text += section("upstream", name, {"server": "ws://127.0.0.1:%d" % app.address[1]})
        text += section("route", name, {"host": f"{name}.example", "upstream": name})
    daemon = moongate(extra=text)
    for name, other in (("one", "two"), ("two", "one")):
        client = daemon.client()
        client.send(client.request("/x", change={"Host": f"{name}.Example:80"}))
        app = apps[name].accept_open()
        client.expect_101()
        assert apps[other].nobody_came()
        assert app.head.get("Host") == f"{name}.Example:80"
    still_works(daemon)


def test_many_routes_start_quickly_and_route(moongate):
    """10 000 routes: every 997th is found."""
    text = "".join(section("route", f"n{i}", {"host": f"h{i % 1000}.example", "path": f"/app{i}/*", "respond": 204})
                   for i in range(10000))
    daemon = moongate(extra=text)
    client = daemon.client()
    for i in range(0, 10000, 997):
        client.send(f"GET /app{i}/x HTTP/1.1\r\nHost: h{i % 1000}.example\r\n\r\n")
        client.expect_answer(204)
        client.send(f"GET /app{i}/x HTTP/1.1\r\nHost: h{(i + 1) % 1000}.example\r\n\r\n")
        client.read_body(client.expect_answer(404))
    still_works(daemon)


def test_H_13_hostile_hosts(routes):
    """Hosts that are none, or near the limits, are refused or routed, at the same price."""
    for host in ["a.example:99999", "a.example:x", "a b", "a.example/x", "u@a.example", "[::1", "a" * 256, ".".join("a" * 200)]:
        client = routes.client()
        client.send(f"GET /p/x HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert client.read_head().status == 400, host
        client.close()
    client = routes.client()
    for host in [".", "..", "a" * 255, ".".join("a" * 128), "%00", "a%2fb", "*.example.org", "-"]:
        client.send(f"GET /p/x HTTP/1.1\r\nHost: {host}\r\n\r\n")
        head = client.read_head()
        assert head.status == 404, (host, head.raw)
        client.read_body(head)
    still_works(routes)


@pytest.mark.parametrize("first, second", [
    ({"host": "a"}, {"host": ["b", "A."]}),
    ({"host": "*.a"}, {"host": "*.a"}),
    ({"header": "X: 1"}, {"header": "Y: 1"}),
    ({"header": "X: 1"}, {"header": "x: 1"}),
    ({"query": "x=1"}, {"header": "x: 1"}),
])
def test_K_06_routes_that_nothing_decides_between(tmp_path, first, second):
    text = section("listener", "l", {"bind": "127.0.0.1:1"})
    text += section("route", "a", {**first, "path": "/x", "echo": "on"})
    text += section("route", "b", {**second, "path": "/x", "echo": "on"})
    config = tmp_path / "moongate.conf"
    config.write_text(text)
    status, said = check_config(config)
    assert status == CONFIG, said
    assert re.search(r":\d+: \[route b\] path = /x: \[route a\] at \S+:4 has the same host, path and listener", said), said


@pytest.fixture
def sample(tmp_path):
    text = section("listener", "public", {"bind": ["127.0.0.1:8080", "127.0.0.1:8081"]})
    text += section("listener", "inner", {"bind": "127.0.0.1:9090"})
    text += section("upstream", "chat", {"server": "ws://10.0.0.11:9000"})
    text += section("defaults", "", {"max_message": "64k", "origin": ["same-host", "https://*.good.example"]})
    text += section("route", "beta", {"listener": "public", "host": "chat.example", "path": "/rooms/*",
                                      "header": "X-Beta: yes", "upstream": "chat"})
    text += section("route", "chat", {"host": "chat.example", "path": "/rooms/*", "upstream": "chat",
                                      "subprotocol": ["v1", "v2"], "idle_timeout": "90s"})
    text += section("route", "old", {"path": "/old", "respond": "301 https://chat.example/"})
    text += section("route", "probe", {"path": "/probe", "echo": "on", "origin": "any", "origin_missing": "deny"})
    config = tmp_path / "moongate.conf"
    config.write_text(text)
    return config


def test_explain_tells_the_whole_of_it(sample):
    status, said = explain(sample, "GET wss://Chat.example:8081/rooms/../rooms/7?x", "--header", "Origin: https://evil.example")
    assert status == 0
    for part in ["at [listener public], which has the port of the URL", "host chat.example, path /rooms/7;",
                 "[route beta]  no: wants header X-Beta: yes; not given, or not once", "[route chat]  yes", "\n[route chat]\n",
                 "host chat.example, longest prefix /rooms/*", "[upstream chat]", "ws://10.0.0.11:9000",
                 "same-host, https://*.good.example; without Origin: allowed",
                 "https://evil.example: 403", "v1, v2", "max_message 64k", "idle_timeout 90s",
                 "answer      403 Forbidden"]:
        assert part in said, f"no {part!r} in {said}"
    assert max(map(len, said.split("\n"))) < 110


def test_explain_with_headers(sample):
    status, said = explain(sample, "ws://chat.example:8080/rooms/7", "--header=x-beta: yes", "--header", "Origin: https://chat.example:8080")
    assert status == 0
    assert "because     host chat.example, longest prefix /rooms/*, [listener public], header X-Beta: yes" in said
    assert "https://chat.example:8080: allowed by same-host" in said
    assert "answer      101 Switching Protocols" in said


def test_explain_tells_what_goes_on_and_where(tmp_path):
    """Servers, stickiness, health; the request as the upstream gets it, the answer's headers."""
    secret = tmp_path / "secret"
    secret.write_text("s" * 40)
    secret.chmod(0o600)
    group = {"server": ["ws://10.0.0.11:9000", "ws://10.0.0.12:9000 weight=2 backup"], "sticky": "node", "sticky_secret": secret,
             "health": "handshake", "health_path": "/up", "health_interval": "2500ms"}
    route = {"path": "/rooms/*", "upstream": "chat", "strip_prefix": "/rooms", "upstream_host": "chat.internal:81",
             "forwarded": "append", "forwarded_rfc7239": "on",
             "request_set": ["X-Who: ${remote_addr}:${remote_port}", "X-Gone: x"], "request_add": "X-More: 1",
             "request_remove": ["X-Gone", "X-Secret"], "response_set": "X-Node: ${upstream}", "response_remove": "Server"}
    config = tmp_path / "moongate.conf"
    config.write_text(section("listener", "public", {"bind": "127.0.0.1:8080"}) + section("upstream", "chat", group)
                      + section("upstream", "plain", {"server": "ws://unix:/run/app"}) + section("route", "chat", route)
                      + section("route", "plain", {"upstream": "plain", "upstream_host": "server", "forwarded": "off", "request_id": "off"})
                      + section("route", "old", {"path": "/old", "respond": 410, "response_add": "X-Old: 1"}))
    status, said = explain(config, "ws://x/rooms/7?a=b", "--header", "Cookie: node=none")
    assert status == 0
    pad = " " * 14
    for part in [f"servers     ws://10.0.0.11:9000\n{pad}ws://10.0.0.12:9000 weight=2 backup\n",
                 "sticky      by the cookie node; this request has none that counts\n",
                 "health      handshake, interval 2500ms, timeout 2s, rise 2, fall 3, path /up\n",
                 f"request     GET /7?a=b HTTP/1.1\n{pad}Host: chat.internal:81\n",
                 f"{pad}set    X-Forwarded-For: what a trusted proxy says, ${{remote_addr}}\n",
                 f"{pad}set    X-Forwarded-Port: the port that the client came to\n",
                 f"{pad}set    X-Who: ${{remote_addr}}:${{remote_port}}\n", f"{pad}add    X-More: 1\n",
                 f"{pad}set    X-Request-Id: ${{request_id}}\n",
                 f"{pad}remove x-gone\n", f"{pad}remove x-secret\n",
                 "response    set    X-Node: ${upstream}\n" f"{pad}remove server\n"]:
        assert part in said, f"no {part!r} in {said}"
    status, said = explain(config, "ws://x/other")
    assert status == 0 and "health      off\n" in said and "sticky" not in said and "response" not in said
    assert f"request     GET /other HTTP/1.1\n{pad}Host: the server's name\n  origin" in said, said
    status, said = explain(config, "ws://x/old")
    assert status == 0 and "response    add    X-Old: 1\n" in said and "request  " not in said, said


def test_explain_tells_which_limits(tmp_path):
    """Of the servers, of their group, of the route and of the listener; those of scripts where there are any."""
    (tmp_path / "h.lua").write_text("ngx.say('x')")
    config = tmp_path / "moongate.conf"
    config.write_text(
        section("moongate", None, {"allow_root_handlers": "yes"})
        + section("listener", "public", {"bind": "127.0.0.1:8080", "max_connections": 100, "handshake_timeout": "7s"})
        + section("upstream", "chat", {"server": ["wss://a.test:9000 max_connections=7", "ws://b.test:9000"], "max_connections": 9,
                                       "queue": 5, "balance": "hash", "hash_key": "cookie sid", "tries": 3, "proxy_protocol": "v2"})
        + section("upstream", "service", {"server": "wss+srv://_chat._tcp.example.com", "max_connections": 8})
        + section("route", "chat", {"path": "/chat", "upstream": "chat"})
        + section("route", "service", {"path": "/service", "upstream": "service"})
        + section("route", "script", {"path": "/script", "handler": "h.lua"})
        + section("route", "access", {"path": "/access", "upstream": "chat", "access": "h.lua"}))
    status, said = explain(config, "ws://x/chat")
    assert status == 0
    pad = " " * 14
    flat = said.replace(",\n" + pad, ", ")
    for part in [f"servers     wss://a.test:9000 max_connections=7\n{pad}ws://b.test:9000 max_connections=9\n",
                 "upstream    balance hash, hash_key cookie sid, tries 3, max_fails 3, fail_timeout 10s, slow_start off, queue 5, "
                 "queue_timeout off, connect_timeout 5s, answer_timeout off, proxy_protocol v2\n",
                 "limits      max_message 16m, ",
                 "listener    handshake_timeout 7s, keepalive_timeout 1m, max_connections 100, max_connections_per_address off\n"]:
        assert part in flat, f"no {part!r} in {said}"
    assert "lua_" not in said and "body" not in said, said
    status, said = explain(config, "ws://x/service")
    assert status == 0 and "servers     as listed by the name servers: wss+srv://_chat._tcp.example.com\n" in said, said
    assert "max_connections 8, queue off" in said.replace("\n" + pad, " "), said
    for path in ("script", "access"):
        status, said = explain(config, f"ws://x/{path}")
        assert status == 0 and "client_max_body_size 1m" in said and "lua_socket_pool_size 30" in said, said


def test_explain_says_what_the_manual_shows(tmp_path):
    config = tmp_path / "chat.conf"
    rooms = {"host": "chat.example.com", "path": "/rooms/*", "upstream": "chat"}
    config.write_text(
        section("listener", "public", {"bind": "127.0.0.1:8080"})
        + section("upstream", "chat", {"server": "ws://10.0.0.11:9000", "health": "handshake"})
        + section("defaults", None, {"origin": ["same-host", "https://*.example.org"], "max_message": "64k"})
        + section("route", "beta", {**rooms, "header": "X-Beta: yes"})
        + section("route", "chat", {**rooms, "strip_prefix": "/rooms", "request_set": "X-Client: ${remote_addr}"}))
    status, said = explain(config, "GET wss://chat.example.com/rooms/7", "--header", "Origin: https://evil.example")
    shown = "".join("    " + line if line.strip() else line for line in said.splitlines(keepends=True))
    assert status == 0 and shown in (ROOT / "docs/configuration.md").read_text(), said


def test_explain_tells_the_value_that_was_given(sample):
    status, said = explain(sample, "ws://chat.example:8080/rooms/7", "--header=X-Beta: no")
    assert status == 0 and 'no: wants header X-Beta: yes; the request has "no"' in said, said


def test_explain_at_another_listener(sample):
    status, said = explain(sample, "GET ws://chat.example/rooms/7", "--header=x-beta: yes", "--listener", "inner")
    assert status == 0
    assert "[route beta]  no: only at [listener public]" in said and "[route chat]  yes" in said


@pytest.mark.parametrize("request_line, answer", [
    ("GET ws://x/old", "answer      301 Moved Permanently"),
    ("GET http://x/probe", "answer      426 Upgrade Required"),
    ("GET ws://x/probe", "answer      403 Forbidden: an Origin is required here."),
    ("GET ws://x:9090/old", "at [listener inner], which has the port of the URL"),
])
def test_explain_answers(sample, request_line, answer):
    status, said = explain(sample, request_line)
    assert status == 0 and answer in said, said


@pytest.mark.parametrize("request_line, answer", [
    ("GET ws://x/none", "no route: 404 Not Found"),
    ("ws://x", "no route: 404 Not Found"),
    ("ws://x?y", "no route: 404 Not Found"),
    ("GET ws://x/../old", "no route: 400 Bad Request"),
    ("GET ws://x/old#x", "no route: 400 Bad Request"),
    ("GET ws://x:99999/old", "no route: 400 Bad Request"),
    ("GET ws://u@x/old", "no route: 400 Bad Request"),
    ("GET ws://x/" + "a" * 9000, "no route: 414"),
])
def test_explain_without_a_route(sample, request_line, answer):
    status, said = explain(sample, request_line)
    assert status == NO_ROUTE and answer in said, said


@pytest.mark.parametrize("args", [
    ("",), ("GET",), ("/rooms",), ("ftp://x/",), ("GET ws:///x",), ("GET ws://x/ HTTP/1.1",), ("G(T ws://x/",),
    ("GET ws://x/old", "--listener", "none"),
    ("GET ws://x/old", "--header", "X"),
    ("GET ws://x/old", "--header", "X: 1\r\nY: 2"),
])
def test_explain_of_nonsense(sample, args):
    status, said = explain(sample, *args)
    assert status == USAGE and said.startswith("moongate: "), said


def test_explain_of_a_broken_configuration(tmp_path):
    config = tmp_path / "moongate.conf"
    config.write_text("[route a]\nhost = *\n")
    status, said = explain(config, "GET ws://x/")
    assert status == CONFIG and "want no host at all for every host" in said


def test_explain_of_many_alternatives(tmp_path):
    """A place with a thousand routes is told in a few lines."""
    text = section("listener", "l", {"bind": "127.0.0.1:1"})
    text += "".join(section("route", f"t{i}", {"header": f"X-Tenant: {i}", "respond": 204}) for i in range(1000))
    config = tmp_path / "moongate.conf"
    config.write_text(text)
    status, said = explain(config, "GET http://x/", "--header", "X-Tenant: 999")
    assert status == 0 and "[route t999]  yes" in said and said.count("\n") < 50, said
    status, said = explain(config, "GET http://x/")
    assert status == NO_ROUTE and "and 970 more that do not fit" in said and said.count("\n") < 50, said
