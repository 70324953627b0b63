# SPDX-License-Identifier: BSD-2-Clause
"""Header rules, X-Forwarded-* and trusted proxies, Host and path for the upstream, request ids."""

import contextlib
import re

import pytest

from helpers.daemon import check_config, refused, section, still_works
from helpers.peer import RawClient

ID = re.compile(r"[0-9a-f]{32}$")
FORGED = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil"),
          ("X-Forwarded-Port", "1"), ("X-Forwarded-Prefix", "/6"), ("Forwarded", "for=6.6.6.6"), ("X-Real-IP", "6.6.6.6"),
          ("X_Forwarded_For", "6.6.6.6"), ("X.Forwarded.For", "6.6.6.6")]
TRUST = {"trusted_proxy": ["127.0.0.0/8", "10.0.0.0/8"]}


@pytest.fixture
def ask(moongate, upstream):
    """A function: the application is asked for `target`, and has the request. Returns (client, app).
    The first call starts the daemon, with defaults= and so on."""

    def ask(target="/app", add=(), change=None, **how):
        if not hasattr(ask, "daemon"):
            ask.daemon = moongate(upstream, **how)
        client = ask.daemon.client()
        client.send(client.request(target, add=add, change=change))
        return client, upstream.accept_request()

    return ask


def opened(client, app, **how):
    """The application's 101, and the client's, whose head is returned."""
    app.send(app.answer(**how))
    return client.expect_101()


# Who is forwarded.


def test_H_37_replaced_by_default(ask):
    client, app = ask(add=FORGED)
    assert app.head.all("X-Forwarded-For") == ["127.0.0.1"]
    assert app.head.all("X-Forwarded-Proto") == ["http"]
    assert app.head.all("X-Forwarded-Host") == [client.authority]
    assert app.head.all("X-Forwarded-Port") == [str(ask.daemon.address[1])]
    for gone in ("X-Forwarded-Prefix", "Forwarded", "X-Real-IP", "X_Forwarded_For", "X.Forwarded.For"):
        assert gone not in app.head
    opened(client, app)
    still_works(ask.daemon)


@pytest.mark.parametrize("mode", ["off", "replace", "append"])
@pytest.mark.parametrize("trusted", [False, True])
def test_H_37_nothing_forged_passes(ask, mode, trusted):
    """Unless a trusted proxy says it, and is appended to."""
    client, app = ask(add=FORGED, defaults={"forwarded": mode, "forwarded_rfc7239": "on"}, listener=TRUST if trusted else {})
    told = app.head.all("X-Forwarded-For"), app.head.all("X-Forwarded-Proto"), app.head.all("Forwarded")
    host = f'host="{client.authority}";proto=http'
    assert told == {
        ("off", False): ([], [], []),
        ("off", True): ([], [], []),
        ("replace", False): (["127.0.0.1"], ["http"], ["for=127.0.0.1;" + host]),
        ("replace", True): (["6.6.6.6"], ["http"], ["for=6.6.6.6;" + host]),
        ("append", False): (["127.0.0.1"], ["http"], ["for=127.0.0.1;" + host]),
        ("append", True): (["6.6.6.6, 127.0.0.1"], ["https"], ["for=6.6.6.6, for=127.0.0.1;" + host]),
    }[mode, trusted]
    assert ("X-Forwarded-Prefix" in app.head) == (mode == "append" and trusted)
    assert "X_Forwarded_For" not in app.head and "X.Forwarded.For" not in app.head
    opened(client, app)
    still_works(ask.daemon)


@pytest.mark.parametrize("header, value, who", [
    ("X-Forwarded-For", "6.6.6.6, 192.0.2.7, 10.1.1.1", "192.0.2.7:0"),
    ("X-Forwarded-For", "2001:db8::1", "[2001:db8::1]:0"),
    ("Forwarded", 'for=6.6.6.6, for="[2001:db8::1]:99";proto=https, for=10.1.1.1', "[2001:db8::1]:99"),
    ("X-Real-IP", "192.0.2.7", "192.0.2.7:0"),
])
def test_trusted_proxy_decides(ask, header, value, who):
    client, app = ask(add=[(header, value)], listener={**TRUST, "trusted_header": header})
    opened(client, app)
    assert app.head.get("X-Forwarded-For") == who.rsplit(":", 1)[0].strip("[]")
    client.close_frame(1000)
    app.expect_close(1000)
    app.close()
    line = ask.daemon.wait_line("session_end", peer=client.local)
    assert line["client"] == who
    still_works(ask.daemon)


def test_nobody_else_decides(ask):
    client, app = ask(add=[("X-Forwarded-For", "6.6.6.6")], listener={"trusted_proxy": "192.0.2.0/24"})
    opened(client, app)
    client.reset()
    line = ask.daemon.end_of(client)
    assert "peer" not in line
    assert app.head.get("X-Forwarded-For") == "127.0.0.1"


@pytest.mark.parametrize("value", ["unknown", "6.6.6.6, x", "6.6.6.6 x", "", "6.6.6.6, 1.2.3.4:99999", "6.6.6.6,\t_hidden"])
def test_noise_is_not_believed(ask, value):
    client, app = ask(add=[("X-Forwarded-For", value)], listener=TRUST)
    opened(client, app)
    assert app.head.get("X-Forwarded-For") == "127.0.0.1"
    still_works(ask.daemon)


def test_each_request_decides_anew(moongate):
    """One connection of a load balancer carries requests of several clients."""
    daemon = moongate(listener=TRUST, extra=section("route", "no", {"path": "/no", "respond": "404"}))
    client = daemon.client()
    for who in ("192.0.2.1", "192.0.2.2", None, "192.0.2.3"):
        client.send(client.get("/echo", add=[("X-Forwarded-For", who)] if who else []))
        client.read_body(client.expect_answer(426))
    daemon.wait_line("refused", n=4)
    lines = daemon.find("refused")
    assert [x["client"] for x in lines] == ["192.0.2.1:0", "192.0.2.2:0", client.local, "192.0.2.3:0"]
    assert [x.get("peer") for x in lines] == [client.local, client.local, None, client.local]
    still_works(daemon)


def test_unix_peers(moongate, upstream, clients, tmp_path):
    path = str(tmp_path / "s")
    daemon = moongate(upstream, extra=section("listener", "local", {"bind": f"unix:{path}", "trusted_proxy": "unix:"})
                      + section("route", "local", {"listener": "local", "upstream": "app"}))
    for value, want in ((None, "unknown"), ("6.6.6.6, 192.0.2.1", "192.0.2.1")):
        client = clients(path)
        client.send(client.request("/x", change={"Host": "h"}, add=[("X-Forwarded-For", value)] if value else []))
        app = upstream.accept_request()
        assert app.head.get("X-Forwarded-For") == want
        assert "X-Forwarded-Port" not in app.head
        opened(client, app)
    still_works(daemon)


# Rules.


def test_rules_on_the_request(ask):
    client, app = ask(
        "/app/x?q=%22", add=[("X-Set", "mine"), ("x-set", "too"), ("X_Set", "alias"), ("X-Add", "mine"), ("Cookie", "secret"), ("X-Kept", "k")],
        defaults={"request_set": ["X-Set: ${listener}/${route} ${uri}", "X-Who: ${remote_addr}:${remote_port} ${host} ${scheme}"],
                  "request_add": "X-Add: a, $${b}", "request_remove": "cookie", "forwarded": "off"})
    assert app.head.all("X-Set") == ["main/app /app/x?q=%22"]
    assert "X_Set" not in app.head and "Cookie" not in app.head
    assert app.head.all("X-Add") == ["mine", "a, ${b}"]
    assert app.head.get("X-Who") == f"{client.local} {client.authority} http"
    assert app.head.get("X-Kept") == "k"
    opened(client, app)
    client.text("hello")
    app.expect_text("hello")
    still_works(ask.daemon)


def test_rules_name_the_server(ask, upstream):
    client, app = ask(defaults={"request_set": "X-Server: <${upstream}>", "response_set": "X-Served-By: ${upstream}",
                                "upstream_host": "server"})
    name = "%s:%s" % upstream.address
    assert app.head.get("X-Server") == f"<{name}>"
    assert app.head.all("Host") == [name]
    assert app.head.get("X-Forwarded-Host") == client.authority
    assert opened(client, app).get("X-Served-By") == name


def test_rules_name_the_second_server(moongate, upstream, port):
    """After a try that failed, the request names the server that gets it."""
    dead = port()
    daemon = moongate(upstream, group={"server": [f"ws://127.0.0.1:{dead} weight=100", "ws://%s:%s" % upstream.address],
                                       "max_fails": "off"},
                      defaults={"upstream_host": "server", "response_set": "X-Served-By: ${upstream}"})
    for _ in range(3):
        client = daemon.client()
        client.send(client.request())
        app = upstream.accept_request()
        assert app.head.all("Host") == ["%s:%s" % upstream.address]
        assert opened(client, app).get("X-Served-By") == "%s:%s" % upstream.address
    still_works(daemon)


RESPONSE = {"response_set": ["X-Frame-Options: DENY", "X-Id: ${request_id} ${uri}"], "response_add": "Set-Cookie: m=1",
            "response_remove": ["Server", "X-Powered-By"]}
POWERED = [("Server", "s"), ("x-powered-by", "p"), ("X_Powered_By", "p"), ("X-Frame-Options", "no"), ("Set-Cookie", "a=1"), ("X-Kept", "k")]


def rules_held(head, app):
    assert head.all("X-Frame-Options") == ["DENY"]
    assert head.all("Set-Cookie") == ["a=1", "m=1"]
    assert head.get("X-Id") == app.head.get("X-Request-Id") + " /app?x"
    assert head.get("X-Kept") == "k"
    for gone in ("Server", "X-Powered-By", "X_Powered_By"):
        assert gone not in head


def test_H_34_rules_on_the_101(ask):
    client, app = ask("/app?x", defaults=RESPONSE)
    rules_held(opened(client, app, add=POWERED), app)
    still_works(ask.daemon)


def test_rules_on_relayed_answers(ask):
    client, app = ask("/app?x", defaults=RESPONSE)
    lines = "".join("%s: %s\r\n" % x for x in POWERED)
    app.send(f"HTTP/1.1 401 Unauthorized\r\n{lines}Content-Length: 2\r\n\r\nno")
    head = client.expect_refusal(401)
    rules_held(head, app)
    assert head.body == b"no"
    still_works(ask.daemon)


def test_rules_on_own_answers(moongate, port):
    daemon = moongate(("127.0.0.1", port()), defaults=RESPONSE,
                      extra=section("route", "moved", {"path": "/moved", "respond": "301 https://a.example/", "response_set": "Location: /here"}))
    client = daemon.client()
    for target, status in (("/moved", 301), ("/echo", 426)):
        client.send(client.get(target))
        head = client.expect_answer(status)
        body = client.read_body(head)
        assert head.all("X-Frame-Options") == ["DENY"] and head.all("Set-Cookie") == ["m=1"]
        assert head.get("X-Id").endswith(" " + target)
        assert head.all("Location") == (["/here"] if status == 301 else [])
        assert body.startswith(str(status).encode())
    client.send(client.get("/nothing"))
    head = client.expect_answer(404)
    client.read_body(head)
    assert "X-Frame-Options" not in head  # no route, no rules
    client.send(client.get("/echo") .replace("Host", "Bad Host"))
    assert "X-Frame-Options" not in client.expect_refusal(400)  # nor of the request before
    client = daemon.client()
    client.send(client.request("/app"))
    head = refused(daemon, client, 502)
    assert head.all("X-Frame-Options") == ["DENY"] and ID.match(head.get("X-Id").split()[0])
    still_works(daemon)


def test_rules_on_the_echos_101(moongate):
    daemon = moongate(defaults=RESPONSE)
    client = daemon.client()
    client.send(client.request("/echo"))
    head = client.expect_101()
    assert head.get("X-Frame-Options") == "DENY" and ID.match(head.get("X-Id").split()[0])
    client.echoes(3)


def test_a_route_adds_to_defaults_and_undoes(ask, upstream):
    client, app = ask("/app2", defaults={"request_set": ["X-A: defaults", "X-B: defaults"], "request_id": "off"},
                      extra=section("route", "two", {"path": "/app2", "upstream": "app", "request_set": "x-a: route", "request_remove": "X-B"}))
    assert app.head.all("X-A") == ["route"] and "X-B" not in app.head
    opened(client, app)


# Nothing that ends a line gets through.


@pytest.mark.parametrize("bad", ["\r", "\n", "\r\n", "\0", "\x7f", "\r\nX-Injected: 1"])
@pytest.mark.parametrize("place", ["uri", "host", "forwarded", "id"])
def test_K_10_peers_cannot_inject(moongate, upstream, place, bad):
    daemon = moongate(upstream, listener=TRUST, defaults={
        "request_set": ["X-U: ${uri}", "X-H: ${host}", "X-I: ${request_id}", "X-A: ${remote_addr}"], "forwarded": "append"})
    client = daemon.client()
    text = client.request("/app?" + (f"a{bad}b" if place == "uri" else ""), change={"Host": f"a{bad}b"} if place == "host" else None,
                          add=[("X-Forwarded-For", f"192.0.2.1{bad}x")] * (place == "forwarded") + [("X-Request-Id", f"a{bad}b")] * (place == "id"))
    client.send(text)
    if bad != "\r\nX-Injected: 1" or place == "uri":
        assert client.read_head().status == 400 and upstream.nobody_came()
    else:  # a line of its own, as sent: then it is a header like any other, and no value holds it
        app = upstream.accept_request()
        assert app.head.all("X-Injected")[0] in ("1b", "1x")
        assert all("Injected" not in app.head.get(n) for n in ("X-U", "X-H", "X-I", "X-A"))
        opened(client, app)
    still_works(daemon)


@pytest.mark.parametrize("line, why", [
    ("request_set = Connection: close", "concerns one connection only"),
    ("request_set = Upgrade: h2c", "concerns one connection only"),
    ("response_set = Transfer-Encoding: chunked", "concerns one connection only"),
    ("response_remove = Content-Length", "concerns one connection only"),
    ("request_add = Proxy-Authorization: x", "concerns one connection only"),
    ("request_set = Sec-WebSocket-Key: x", "belongs to the handshake"),
    ("response_remove = Sec_WebSocket_Accept", "belongs to the handshake"),
    ("request_set = Host: x", "want upstream_host = VALUE"),
    ("request_set = X-A", "want Name: value, such as X-Name: text"),
    ("request_set = X A: b", "want a header's name, such as X-Name"),
    ("request_set = X-A:", "want a value behind the ':'; request_remove takes a header away"),
    ("request_remove = X-A: b", "want a name alone, such as X-Name"),
    ("request_set = X-A: ${hots}", "unknown variable: want one of ${remote_addr}"),
    ("request_set = X-A: a\x01b", "control"),
    ("request_set = X-A: a\x0bb", "control"),
    ("forwarded = on", "want off | replace | append"),
    ("forwarded_rfc7239 = yes", "want on | off"),
    ("upstream_host = a b", "want keep, server, or a host"),
    ("upstream_host = http://a", "want keep, server, or a host"),
    ("upstream_host = a:99999", "want keep, server, or a host"),
    ("strip_prefix = app", "want a path of at most 1024 bytes that begins with '/'"),
    ("strip_prefix = /a/../b", "want the normal form, /b"),
    ("strip_prefix = /a?b", "want a path without query and blanks"),
    ("replace_prefix = /old", "want two paths, such as /old /new"),
    ("replace_prefix = /old /new /newer", "want two paths, such as /old /new"),
    ("replace_prefix = /old new", "begins with '/'"),
    ("strip_prefix = /a\nreplace_prefix = /a /b", "want only one of strip_prefix and replace_prefix"),
    ("request_id = X Id", "want a header's name, such as X-Name"),
    ("request_id = Upgrade", "concerns one connection only"),
    ("request_id = off\nrequest_set = X-A: ${request_id}", "request_id is off: want the name of a header"),
    ("request_id = off\nresponse_set = X-A: ${request_id}", "request_id is off: want the name of a header"),
])
def test_K_10_refused_at_load(tmp_path, line, why):
    config = tmp_path / "c.conf"
    config.write_bytes(("[listener l]\nbind = 127.0.0.1:18080\n[upstream u]\nserver = ws://127.0.0.1:1\n[route r]\nupstream = u\n"
                        + line + "\n").encode("latin-1"))
    status, said = check_config(config)
    assert status == 78 and why in said, said
    assert said.strip().endswith(": 1 error"), said


@pytest.mark.parametrize("line, why", [
    ("trusted_proxy = 10.0.0.1/8", "want the block's first address"),
    ("trusted_proxy = 10.0.0.0/33", "want a prefix length of 0..32"),
    ("trusted_proxy = ::/129", "want a prefix length of 0..128"),
    ("trusted_proxy = balancer", "want an address or a block of them"),
    ("trusted_header = X-Client-IP", "want X-Forwarded-For | Forwarded | X-Real-IP"),
])
def test_trusted_refused_at_load(tmp_path, line, why):
    config = tmp_path / "c.conf"
    config.write_text(f"[listener l]\nbind = 127.0.0.1:18080\n{line}\n[route r]\necho = on\n")
    status, said = check_config(config)
    assert status == 78 and why in said, said


@pytest.mark.parametrize("key", ["request_set = X-A: b", "forwarded = off", "strip_prefix = /a", "upstream_host = server"])
def test_keys_that_would_do_nothing(tmp_path, key):
    config = tmp_path / "c.conf"
    config.write_text(f"[listener l]\nbind = 127.0.0.1:18080\n[route r]\necho = on\n{key}\n")
    status, said = check_config(config)
    assert status == 78 and "nothing is passed on here: want it in a route with an upstream" in said, said


# Host and path.


@pytest.mark.parametrize("how, want", [("keep", None), ("real.example", "real.example"), ("[::1]:8", "[::1]:8")])
def test_host(ask, how, want):
    client, app = ask(defaults={"upstream_host": how})
    assert app.head.all("Host") == [want or client.authority]
    assert app.head.get("X-Forwarded-Host") == client.authority
    opened(client, app)


def test_host_of_a_unix_socket(moongate, upstreams, tmp_path):
    app_at = upstreams(str(tmp_path / "app"))
    daemon = moongate(app_at, defaults={"upstream_host": "server"})
    client = daemon.client()
    client.send(client.request())
    app = app_at.accept_request()
    assert app.head.all("Host") == ["localhost"]
    opened(client, app)


@pytest.mark.parametrize("key, target, want", [
    ("strip_prefix = /app", "/app/x?q=/app", "/x?q=/app"),
    ("strip_prefix = /app", "/app", "/"),
    ("strip_prefix = /app", "/%61pp/./x", "/x"),
    ("strip_prefix = /app", "/application/%61", "/application/%61"),
    ("strip_prefix = off", "/app/%61", "/app/%61"),
    ("replace_prefix = /app /v2/chat", "/app/x?", "/v2/chat/x?"),
    ("replace_prefix = /app /v2/", "http://h/app/x", "/v2/x"),
])
def test_path(ask, key, target, want):
    name, value = key.split(" = ")
    client, app = ask(target, defaults={name: value})
    assert app.head.target == want
    opened(client, app)
    still_works(ask.daemon)


# Limits.


def lines_of(total):
    """Header lines of so many bytes, each as long as one may be."""
    lines = []
    while total > 16000:
        lines.append("X: " + "x" * (16000 - 5))
        total -= 16000
    return lines + ["X: " + "x" * (total - 5)]


@pytest.mark.parametrize("over", [False, True])
def test_H_07_head_that_grows_over_32_KiB(moongate, upstream, over):
    """Our own lines always find room; a rule that repeats the target may not."""
    daemon = moongate(upstream, defaults={"request_set": "X-U: ${uri}", "forwarded_rfc7239": "on"} if over else {"forwarded_rfc7239": "on"})
    client = daemon.client()
    target = "/app?" + "x" * 4000
    text = client.request(target)
    client.send(client.request(target, add=lines_of(32 * 1024 - len(text))))
    if over:
        refused(daemon, client, 431)
        assert daemon.find("refused")[0]["reason"] == "the head is over 32 KiB with the headers added for the upstream"
    else:
        app = upstream.accept_request()
        assert app.head.get("X-Forwarded-For") == "127.0.0.1" and "Forwarded" in app.head
        opened(client, app)
    still_works(daemon)


def test_target_that_grows_over_8_KiB(moongate, upstream):
    daemon = moongate(upstream, defaults={"replace_prefix": "/app /application"})
    client = daemon.client()
    client.send(client.request("/app/" + "x" * (8192 - 5)))
    refused(daemon, client, 414)
    still_works(daemon)


def test_H_31_answer_that_grows_over_32_KiB(ask):
    client, app = ask("/app?" + "x" * 8000, defaults={"response_set": "X-U: ${uri}"})
    answer = app.answer()
    app.send(app.answer(add=lines_of(32 * 1024 - len(answer))))
    refused(ask.daemon, client, 502)
    still_works(ask.daemon)


def test_subprotocol_beside_a_hundred_lines(ask):
    """With the lines of ours, more than a head may have: the offer is still known."""
    client, app = ask(add=[("Sec-WebSocket-Protocol", "a, chat")] + [("X-N", str(i)) for i in range(94)])
    assert opened(client, app, add=[("Sec-WebSocket-Protocol", "chat")]).get("Sec-WebSocket-Protocol") == "chat"
    client.text("x")
    app.expect_text("x")
    still_works(ask.daemon)


# Request ids.


def test_request_id_in_header_and_log(ask):
    seen = set()
    for _ in range(3):
        client, app = ask(add=[("X-Request-Id", "forged"), ("X_Request_Id", "forged")], process={"log_level": "debug"})
        ids = app.head.all("X-Request-Id")
        assert len(ids) == 1 and ID.match(ids[0]) and "X_Request_Id" not in app.head
        opened(client, app)
        client.reset()
        line = ask.daemon.end_of(client)
        assert line["request"] == ids[0]
        moves = ask.daemon.find("state", id=line["id"], to="open")
        assert [x["request"] for x in moves] == ids
        seen.add(ids[0])
    assert len(seen) == 3


@pytest.mark.parametrize("sent, taken", [(["aZ9._-"], True), (["x" * 128], True), (["x" * 129], False), (["a b"], False),
                                         (['a"b'], False), (["a", "a"], False), ([""], False)])
def test_request_id_of_a_trusted_proxy(ask, sent, taken):
    client, app = ask(add=[("X-Correlation", x) for x in sent], listener=TRUST, defaults={"request_id": "X-Correlation"})
    ids = app.head.all("X-Correlation")
    assert ids == sent if taken else len(ids) == 1 and ID.match(ids[0])
    opened(client, app)
    client.reset()
    assert ask.daemon.end_of(client)["request"] == ids[0]


def test_request_id_off(ask):
    client, app = ask(add=[("X-Request-Id", "the client's")], defaults={"request_id": "off"})
    assert app.head.all("X-Request-Id") == ["the client's"]
    opened(client, app)
    client.reset()
    assert "request" not in ask.daemon.end_of(client)


def test_request_id_of_refusals(moongate):
    daemon = moongate()
    client = daemon.client()
    for _ in range(2):
        client.send(client.get("/echo"))
        client.read_body(client.expect_answer(426))
    daemon.wait_line("refused", n=2)
    first, second = [x["request"] for x in daemon.find("refused")]
    assert ID.match(first) and ID.match(second) and first != second


@pytest.mark.parametrize("n", range(6, 16))
def test_short_memory(moongate, upstream, n):
    """Whatever cannot be had, the client is told or served, and nothing leaks."""
    daemon = moongate(upstream, listener=TRUST, defaults={"response_set": "X-U: ${uri}"}, faults=f"alloc:{n}:ENOMEM")
    with contextlib.suppress(ConnectionResetError), RawClient(daemon.address) as client:
        client.send(client.request(add=[("X-Forwarded-For", "192.0.2.1")]))
    daemon.settle()
    upstream.drain()
