# SPDX-License-Identifier: BSD-2-Clause
"""access and log_handler, on routes of every kind."""

import pytest

from helpers.daemon import section, still_works

UP = {"path": "/h*"}


@pytest.fixture
def proxied(lua, upstream, upstreams):
    """A daemon whose /h* leads to `upstream` through an access script; `other` is a second group's server."""

    def make(access, **how):
        other = upstreams()
        extra = section("upstream", "other", {"server": "ws://%s:%d" % other.address})
        d = lua(access=access, upstream=upstream, does={"upstream": "app"}, extra=extra, **how)
        d.other = other
        return d

    return make


def test_access_lets_pass_refuses_and_waits(proxied, upstream):
    d = proxied("""
        ngx.sleep(0.002)
        if ngx.var.arg_no then ngx.exit(403) end
        if ngx.var.arg_say then ngx.status = 401 ngx.header.www_authenticate = "Basic" ngx.say("who?") ngx.exit(401) end
        if ngx.var.arg_drop then ngx.exit(444) end
        if ngx.var.arg_error then error("broken") end
    """)
    client = d.client()
    client.send(client.request("/h"))
    app = upstream.accept_open()
    client.expect_101()
    client.text("x")
    app.expect_text("x")
    client.end()
    for query, status in (("no", 403), ("say", 401), ("error", 500)):
        client = d.client()
        client.send(client.request(f"/h?{query}=1"))
        head = client.expect_answer(status)
        if query == "say":
            assert head.get("WWW-Authenticate") == "Basic" and client.read_body(head) == b"who?\n"
    client = d.client()
    client.send(client.request("/h?drop=1"))
    assert client.expect_end() == b""
    assert upstream.nobody_came()


def test_access_changes_the_request(proxied, upstream):
    d = proxied("""
        ngx.req.set_header("X-User", "somebody")
        ngx.req.clear_header("X-Secret")
        ngx.req.set_uri_args("token=hidden")
    """)
    client = d.client()
    client.send(client.request("/h?token=1", add=["X-Secret: 1"]))
    app = upstream.accept_request()
    assert app.head.get("X-User") == "somebody" and "X-Secret" not in app.head
    assert app.head.raw.startswith(b"GET /h?token=hidden HTTP/1.1")
    app.send(app.answer())
    client.expect_101()


def test_access_chooses_group_and_server(proxied, upstream):
    d = proxied("""
        if ngx.var.arg_bad then ngx.var.upstream = "nowhere" end
        ngx.var.upstream = "other"
        if ngx.var.arg_server then ngx.var.upstream_server = ngx.var.arg_server end
    """)
    for target, status in ((f"/h?server={d.other.address[0]}:{d.other.address[1]}", 101), ("/h", 101),
                           ("/h?server=1.2.3.4:5", 502), ("/h?bad=1", 500)):
        client = d.client()
        client.send(client.request(target))
        if status == 101:
            d.other.accept_open()
            client.expect_101()
        else:
            client.expect_answer(status)
    d.wait_text("there is no [upstream nowhere]")
    assert upstream.nobody_came()


def test_what_a_client_sends_early_is_kept(proxied, upstream):
    d = proxied("ngx.sleep(0.01)")
    client = d.client()
    client.send(client.request("/h").encode() + client.make(1, b"early") + client.make(2, b"x" * 10000))
    app = upstream.accept_open()
    client.expect_101()
    app.expect_text("early")
    app.expect_binary(b"x" * 10000)
    client.text("late")
    app.expect_text("late")


def test_more_than_is_kept_waits(proxied, upstream):
    d = proxied("ngx.sleep(0.02)")
    client = d.client()
    frames = b"".join(client.make(2, b"%5d" % i * 1000) for i in range(200))
    client.send(client.request("/h"))
    d.client()
    client.sock.setblocking(False)
    sent = 0
    try:
        while sent < len(frames):
            sent += client.sock.send(frames[sent:])
    except BlockingIOError:
        pass
    client.sock.setblocking(True)
    app = upstream.accept_open()
    client.expect_101()
    if sent < len(frames):
        import threading
        rest = threading.Thread(target=client.sock.sendall, args=(frames[sent:],))
        rest.start()
    for i in range(200):
        app.expect_binary(b"%5d" % i * 1000)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_U_01_a_client_leaves_while_access_waits(proxied, upstream, how):
    d = proxied("ngx.log(ngx.WARN, 'asked') ngx.sleep(3600)")
    client = d.client()
    client.send(client.request("/h"))
    d.wait_text("asked")
    getattr(client, how)()
    d.settle()
    assert upstream.nobody_came()
    still_works(d)


def test_access_that_takes_too_long(proxied, upstream):
    d = proxied("ngx.sleep(3600)", listener={"handshake_timeout": "300ms"})
    with d.frozen():
        client = d.client()
        client.send(client.request("/h"))
    client.expect_answer(504)


def test_access_on_a_plain_answer_and_an_echo(lua):
    d = lua(access="if ngx.var.arg_no then ngx.exit(403) end ngx.sleep(0.001)", does={"respond": "204"},
            extra=section("route", "e", {"path": "/e", "echo": "on", "access": "access.lua"}))
    client = d.client()
    for target, status in (("/h", 204), ("/h?x", 204)):
        client.send(client.get(target))
        client.expect_answer(status)
    client.send(client.get("/h?no=1"))
    client.expect_answer(403)
    client = d.client()
    client.open("/e").echoes(3)
    client.end()


def test_access_before_a_handler(lua):
    d = lua("ngx.req.read_body() ngx.say(ngx.req.get_headers().x_user, ' ', ngx.req.get_body_data())",
            access="ngx.req.set_header('X-User', 'me') if ngx.var.arg_read then ngx.req.read_body() end ngx.sleep(0)")
    client = d.client()
    for target in ("/h", "/h?read=1", "/h"):
        client.send(client.get(target, method="POST", add=["Content-Length: 3"]) + "abc")
        assert client.read_body(client.expect_answer(200)) == b"me abc\n"


def test_log_on_a_proxied_route(proxied, upstream):
    d = proxied("ngx.ctx.who = 'seen by access'",
                log="ngx.log(ngx.WARN, 'log: ', ngx.status, ' ', tostring(ngx.ctx.who), ' ', ngx.var.request_uri, ' ', "
                    "ngx.var.bytes_sent)")
    client = d.client()
    client.send(client.request("/h?q=1"))
    app = upstream.accept_open()
    client.expect_101()
    app.text("hello")
    client.expect_text("hello")
    client.close()
    d.wait_text("log: 101 seen by access /h?q=1 7")


def test_log_alone(lua, upstream):
    d = lua(log="ngx.log(ngx.WARN, 'log: ', ngx.status, ' ', ngx.var.request_uri)", upstream=upstream,
            does={"upstream": "app"}, extra=section("route", "p", {
                "path": "/p", "respond": "204", "log_handler": "log_handler.lua"}))
    client = d.client()
    client.send(client.request("/h?q=1"))
    upstream.accept_open()
    client.expect_101()
    client.close()
    d.wait_text("log: 101 /h?q=1")
    client = d.client()
    client.send(client.get("/p") + client.get("/p"))
    client.expect_answer(204)
    client.expect_answer(204)
    d.wait_text("log: 204 /p", 2)
    client.send(client.request("/p"))
    d.wait_text("log: 204 /p", 3)


def test_an_error_in_log_is_only_told(lua):
    d = lua("ngx.say('ok')", log="error('in log')")
    client = d.client()
    for _ in range(2):
        client.send(client.get("/h"))
        client.expect_answer(200)
        client.read_until(b"0\r\n\r\n")
    d.wait_text("log_handler.lua:1: in log", 2)
