# SPDX-License-Identifier: BSD-2-Clause
"""Plain HTTP through a handler: requests, bodies, answers, connections that go on."""

import pytest

from helpers.daemon import refused, still_works

ECHO_BODY = "ngx.req.read_body() ngx.say(tostring(ngx.req.get_body_data()))"


def exchange(client, target="/h", status=200, **how):
    """A request and its answer, as (head, body)."""
    client.send(client.get(target, **how))
    head = client.expect_answer(status)
    return head, client.read_body(head)


def test_an_answer_in_chunks_and_a_connection_that_goes_on(lua):
    d = lua("ngx.print('a', 1, true) ngx.say({'b', {2, 'c'}}) ngx.say(nil, ' ', ngx.null)")
    client = d.client()
    for _ in range(3):
        head, body = exchange(client)
        assert head.get("Transfer-Encoding") == "chunked" and head.get("Connection") == "keep-alive"
        assert head.get("Content-Type") == "text/plain"
        assert body == b"a1trueb2c\nnil null\n"


def test_a_length_of_its_own(lua):
    d = lua("""
        ngx.header.content_length = 5
        ngx.print("hello", ngx.var.arg_more)
    """)
    head, body = exchange(d.client())
    assert head.get("Content-Length") == "5" and "Transfer-Encoding" not in head and body == b"hello"


@pytest.mark.parametrize("sent", ["hel", "hello and more"])
def test_a_length_that_is_wrong_ends_the_connection(lua, sent):
    d = lua(f"ngx.header.content_length = 5 ngx.print('{sent}')")
    client = d.client()
    client.send(client.get("/h"))
    client.expect_answer(200)
    client.expect_end()
    still_works(d)


def test_nothing_said(lua):
    d = lua("ngx.header.x_empty = 'yes'")
    head, body = exchange(d.client())
    assert head.get("Content-Length") == "0" and head.get("X-Empty") == "yes" and body == b""


def test_head_has_no_body(lua):
    d = lua("ngx.say('not for HEAD: ', ngx.req.get_method())")
    client = d.client()
    client.send(client.get("/h", method="HEAD") + client.get("/h"))
    head = client.expect_answer(200)
    assert "Transfer-Encoding" not in head
    assert client.read_body(client.expect_answer(200)) == b"not for HEAD: GET\n"


def test_http_1_0(lua):
    d = lua("ngx.say(ngx.req.http_version())")
    client = d.client()
    client.send(client.get("/h", version="HTTP/1.0"))
    head = client.expect_answer(200)
    assert "Transfer-Encoding" not in head and head.get("Connection") == "close"
    assert client.read_all() in (b"1\n", b"1.0\n")


def test_pipelined_requests_are_answered_in_order(lua):
    d = lua("ngx.sleep((5 - ngx.var.arg_i) / 1000) ngx.say(ngx.var.arg_i)")
    client = d.client()
    client.send("".join(client.get(f"/h?i={i}") for i in range(5)))
    assert [client.read_body(client.expect_answer(200)) for _ in range(5)] == [b"%d\n" % i for i in range(5)]


@pytest.mark.parametrize("read", [True, False])
def test_pipelined_behind_bodies(lua, read):
    d = lua((ECHO_BODY if read else "ngx.say('unread')"))
    client = d.client()
    posts = [client.get("/h", method="POST", add=["Content-Length: 3"]) + f"a{i}c" for i in range(4)]
    client.send("".join(posts))
    for i in range(4):
        assert client.read_body(client.expect_answer(200)) == (b"a%dc\n" % i if read else b"unread\n")


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_at_every_split_point(lua, chunked):
    d = lua(ECHO_BODY)
    client = d.client()
    body = "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\n" if chunked else "hello world"
    how = "Transfer-Encoding: chunked" if chunked else "Content-Length: 11"
    request = client.get("/h", method="POST", add=[how])
    for at in range(len(body) + 1):
        client.send(request + body[:at])
        client.flushed()
        client.send(body[at:])
        assert client.read_body(client.expect_answer(200)) == b"hello world\n"


def test_a_body_drips(lua):
    d = lua(ECHO_BODY)
    client = d.client()
    client.drip(client.get("/h", method="POST", add=["Transfer-Encoding: chunked"]) + "3\r\nabc\r\n0\r\n\r\n")
    assert client.read_body(client.expect_answer(200)) == b"abc\n"


def test_a_broken_body(lua):
    d = lua(ECHO_BODY)
    client = d.client()
    client.send(client.get("/h", method="POST", add=["Transfer-Encoding: chunked"]) + "zz\r\n")
    client.expect_refusal(400)
    still_works(d)


@pytest.mark.parametrize("how", ["Content-Length: 11", "Transfer-Encoding: chunked"])
def test_a_body_that_is_too_large(lua, how):
    d = lua(ECHO_BODY, route={"client_max_body_size": 10})
    client = d.client()
    client.send(client.get("/h", method="POST", add=[how]) + ("b\r\n" if "chunked" in how else "") + "hello world\r\n")
    client.expect_refusal(413)


def test_a_body_that_does_not_come(lua):
    d = lua(ECHO_BODY, route={"client_body_timeout": "20ms"})
    client = d.client()
    client.send(client.get("/h", method="POST", add=["Content-Length: 10"]) + "part")
    client.expect_end()


def test_continue_is_sent_when_the_body_is_wanted(lua):
    d = lua(ECHO_BODY)
    client = d.client()
    client.send(client.get("/h", method="POST", add=["Content-Length: 3", "Expect: 100-continue"]))
    client.expect_answer(100)
    client.send("abc")
    assert client.read_body(client.expect_answer(200)) == b"abc\n"


def test_a_large_body_and_a_large_answer(lua):
    d = lua("ngx.req.read_body() ngx.print(ngx.req.get_body_data())", route={"client_max_body_size": "8m"})
    client = d.client()
    body = bytes(range(256)) * 16 * 1024
    client.send(client.get("/h", method="POST", add=[f"Content-Length: {len(body)}"]))
    client.send(body)
    assert client.read_body(client.expect_answer(200)) == body


def test_a_slow_reader_holds_the_script_up_and_not_the_daemon(lua):
    d = lua("""
        for i = 1, 300 do
            ngx.print(("%05d"):format(i), ("x"):rep(99995))
        end
    """)
    client = d.client()
    client.send(client.get("/h"))
    head = client.expect_answer(200)
    still_works(d)
    body = client.read_body(head)
    assert len(body) == 300 * 100000 and body[:5] == b"00001" and body[-100000:][:5] == b"00300"


def test_a_reader_that_takes_nothing_gives_timeout(lua):
    d = lua("""
        for i = 1, 1000 do
            local ok, err = ngx.print(("x"):rep(100000))
            if not ok then return ngx.log(ngx.WARN, "print said ", err) end
        end
    """, route={"lua_socket_send_timeout": "30ms", "close_timeout": "30ms"})
    client = d.client()
    client.send(client.get("/h"))
    d.wait_text("print said timeout")


@pytest.mark.parametrize("target, said", [
    ("http://h", "/|/|nil"), ("http://h/x?y", "/x|/x?y|y"), ("http://h?next=/public/x", "/|?next=/public/x|next=/public/x"),
    ("http://h/a://b", "/a:/b|/a://b|nil"), ("/x?u=http://h/y", "/x|/x?u=http://h/y|u=http://h/y")])
def test_the_target_as_it_came(lua, target, said):
    """As nginx tells it; a query behind a host alone is no path, by which a script may judge."""
    d = lua("ngx.say(ngx.var.uri, '|', ngx.var.request_uri, '|', ngx.var.args)", route={"path": "/*"})
    client = d.client()
    _, body = exchange(client, target)
    assert body.decode() == said + "\n"


def test_the_request_as_scripts_see_it(lua):
    d = lua("""
        local h = ngx.req.get_headers()
        ngx.say(h["x-one"], " ", h.X_One, " ", h["X-ONE"], " ", type(h.x_two), " ", h.x_two[1], h.x_two[2])
        ngx.say(ngx.req.get_headers(0, true)["X-One"], " ", select(2, ngx.req.get_headers(2)))
        assert(ngx.req.get_uri_args(10).a == "1")
        local into = {old = 1}
        assert(ngx.req.get_uri_args(10, into) == into and into.a == "1" and into.old == nil)
        local a = ngx.req.get_uri_args()
        ngx.say(a.a, " ", a.b[1], a.b[2], " ", tostring(a.c), " ", ngx.var.arg_a, " ", ngx.var.args)
        ngx.say(ngx.var.uri, " ", ngx.var.request_uri, " ", ngx.var.request_method, " ", ngx.var.scheme, " ",
                ngx.var.server_protocol, " ", ngx.var.host, " ", ngx.var.http_x_one, " ", ngx.var.cookie_k)
        ngx.say(ngx.var.remote_addr, " ", #ngx.var.binary_remote_addr, " ", #ngx.var.request_id, " ",
                ngx.var.server_addr, " ", tostring(ngx.var.nothing), " ", ngx.var.is_args)
        ngx.say((ngx.req.raw_header():gsub("\\r\\n.*", "")), "|", (ngx.req.raw_header(true):match("^[^\\r]*")))
        ngx.say(ngx.req.start_time() > 1e9, " ", tostring(ngx.req.is_internal()), " ", tostring(ngx.is_subrequest))
    """)
    client = d.client()
    _, body = exchange(client, "/h/%41/../b%20c?a=1&b=2&b=%33&c", add=[
        "X-One: 1", "X-Two: a", "X-Two: b", "Cookie: j=0; k=v; l=1"])
    out = body.decode().splitlines()
    assert out[0] == "1 1 1 table ab"
    assert out[1] == "1 truncated"
    assert out[2] == "1 23 true 1 a=1&b=2&b=%33&c"
    assert out[3] == "/h/b c /h/%41/../b%20c?a=1&b=2&b=%33&c GET http HTTP/1.1 127.0.0.1 1 v"
    assert out[4] == "127.0.0.1 4 32 127.0.0.1 nil ?"
    assert out[5] == f"GET /h/%41/../b%20c?a=1&b=2&b=%33&c HTTP/1.1|Host: {client.authority}"
    assert out[6] == "true false false"


def test_changing_the_request(lua):
    d = lua("""
        ngx.req.set_header("X-New", {"a", "b"})
        ngx.req.set_header("Host", "other.example")
        ngx.req.clear_header("X-Old")
        local h = ngx.req.get_headers()
        ngx.say(h.x_new[1], h.x_new[2], " ", h.host, " ", tostring(h.x_old), " ", ngx.var.host)
        ngx.req.set_method(ngx.HTTP_PUT)
        ngx.req.set_uri("/changed")
        ngx.req.set_uri_args({a = "1 2"})
        ngx.say(ngx.req.get_method(), " ", ngx.var.uri, " ", ngx.var.args)
        ngx.say(tostring(pcall(ngx.req.set_header, "X-Bad", "a\\r\\nEvil: 1")), ngx.req.get_headers().x_bad, " ", ngx.req.raw_header():match("X%-Old: 1"))
    """)
    _, body = exchange(d.client(), add=["X-Old: 1"])
    assert body.decode().splitlines() == ["ab other.example nil other.example", "PUT /changed a=1%202", "truea%0D%0AEvil: 1 X-Old: 1"]


def test_headers_of_the_answer(lua):
    d = lua("""
        ngx.header["X-A"] = "1"
        ngx.header.x_a = {"2", 3}
        ngx.header.content_type = "text/css"
        ngx.header["X-Gone"] = "x"
        ngx.header["X-Gone"] = nil
        ngx.status = 201
        ngx.say(ngx.header.x_a[1], ngx.header["X-A"][2], " ", ngx.header.content_type, " ", tostring(ngx.header.x_gone),
                " ", tostring(ngx.headers_sent))
        ngx.say(tostring(ngx.headers_sent), " ", ngx.resp.get_headers()["x-a"][1], " ", ngx.status)
        ngx.header["X-Late"] = "1"
        ngx.status = 500
    """)
    head, body = exchange(d.client(), status=201)
    assert head.all("X-A") == ["2", "3"] and head.get("Content-Type") == "text/css"
    assert "X-Gone" not in head and "X-Late" not in head
    assert body.decode().splitlines() == ["23 text/css nil false", "true 2 201"]
    d.wait_text("attempt to set ngx.header.HEADER after sending out response headers")
    d.wait_text("attempt to set ngx.status after sending out response headers")


def test_headers_cannot_break_the_head(lua):
    d = lua("""
        ngx.header["X-Value"] = "a\\r\\nEvil: 1\\0\\n"
        ngx.header["X Name\\r\\nEvil: 2"] = "b"
        ngx.header["X-Evil"] = {"c\\r", "d\\nSet-Cookie: x"}
        ngx.say("ok")
    """)
    head, _ = exchange(d.client())
    assert "Evil" not in head and "Set-Cookie" not in head
    assert head.get("X-Value") == "a%0D%0AEvil: 1%00%0A"


@pytest.mark.parametrize("script, status", [
    ("ngx.exit(403)", 403),
    ("ngx.exit(ngx.HTTP_NO_CONTENT)", 204),
    ("ngx.status = 418 ngx.exit(418)", 418),
    ("ngx.exit(ngx.OK)", 200),
    ("return ngx.exit(ngx.HTTP_INTERNAL_SERVER_ERROR)", 500),
    ("error('x')", 500),
])
def test_exit(lua, script, status):
    d = lua(script)
    client = d.client()
    for _ in range(2):
        exchange(client, status=status)


@pytest.mark.parametrize("status", [444, 499])
def test_exit_without_an_answer(lua, status):
    d = lua(f"ngx.exit({status})")
    client = d.client()
    client.send(client.get("/h"))
    assert client.expect_end() == b""


def test_exit_after_the_head(lua):
    d = lua("ngx.say('said') ngx.exit(500)")
    _, body = exchange(d.client())
    assert body == b"said\n"
    d.wait_text("attempt to set status 500 via ngx.exit after sending out the response status 200")


def test_redirect(lua):
    d = lua("""
        if ngx.var.arg_bad then return ngx.say(select(2, pcall(ngx.redirect, "/x", 200))) end
        ngx.redirect("/there?x=1", ngx.var.arg_code and tonumber(ngx.var.arg_code))
    """)
    client = d.client()
    for code in (302, 301, 303, 307, 308):
        head, body = exchange(client, f"/h?code={code}" if code != 302 else "/h", status=code)
        assert head.get("Location") == "/there?x=1" and b"<html>" in body
    assert b"only ngx.HTTP_MOVED_TEMPORARILY" in exchange(client, "/h?bad=1")[1]


def test_eof_and_flush(lua):
    d = lua("""
        local out = {select(2, ngx.flush())}
        ngx.print("body")
        out[2] = ngx.flush(true)
        out[3] = ngx.eof()
        out[4] = select(2, ngx.say("more"))
        ngx.sleep(0.01)
        ngx.log(ngx.WARN, "said ", table.concat(out, "|"))
    """)
    client = d.client()
    assert exchange(client)[1] == b"body"
    d.wait_text("said nothing to flush|1|1|seen eof")
    assert exchange(client)[1] == b"body"


def test_an_error_behind_the_head_cuts_the_answer(lua):
    d = lua("ngx.say('begun') ngx.flush(true) error('then')")
    client = d.client()
    client.send(client.get("/h"))
    client.expect_answer(200)
    assert not client.expect_end().endswith(b"0\r\n\r\n")


def test_response_rules_hold_for_scripts(lua):
    d = lua("ngx.header.x_out = '1' ngx.header.x_hide = '2' ngx.say('ok')",
            route={"response_set": "X-Set: ${route}", "response_remove": "X-Hide"})
    head, _ = exchange(d.client())
    assert head.get("X-Set") == "h" and head.get("X-Out") == "1" and "X-Hide" not in head


def test_limits_hold_for_scripts(lua):
    d = lua("ngx.sleep(3600)", route={"max_connections": 1, "close_timeout": "50ms"}, process={"drain_timeout": "50ms"})
    first, second = d.client(), d.client()
    first.send(first.get("/h"))
    first.flushed()
    second.send(second.get("/h"))
    refused(d, second, 503)
    d.stop()


def test_origins_are_checked_before_scripts(lua):
    d = lua("ngx.say('ran')", route={"origin": "https://good.example"})
    client = d.client()
    client.send(client.request("/h", add=["Origin: https://evil.example"]))
    refused(d, client, 403)
    client = d.client()
    client.send(client.request("/h", add=["Origin: https://good.example"]))
    assert client.read_body(client.expect_answer(200)) == b"ran\n"


def test_any_well_formed_upgrade_reaches_the_script(lua):
    d = lua("ngx.say(ngx.var.http_upgrade, ' ', tostring(ngx.var.http_sec_websocket_key))")
    client = d.client()
    client.send(client.request("/h", drop=["Sec-WebSocket-Key"]))
    assert client.read_body(client.expect_answer(200)) == b"websocket nil\n"


def test_keepalive_ends_when_the_daemon_stops(lua):
    d = lua("ngx.say('ok')")
    client = d.client()
    exchange(client)
    d.stop()
    client.expect_eof()


def test_a_plain_request_is_finished_while_the_daemon_stops(lua):
    d = lua("ngx.log(ngx.WARN, 'begun') while not ngx.worker.exiting() do ngx.sleep(0.001) end ngx.say('finished')")
    client = d.client()
    client.send(client.get("/h"))
    d.wait_text("begun")
    d.signal()
    head = client.expect_answer(200)
    assert client.read_body(head) == b"finished\n"


def test_the_access_log_tells_of_requests_to_scripts(lua, tmp_path):
    d = lua("ngx.status = 202 ngx.say('ok')", process={"access_log": "access.log"})
    client = d.client()
    exchange(client, "/h?x=1", status=202)
    exchange(client, "/h?x=2", status=202)
    d.stop()
    records = (tmp_path / "access.log").read_text().splitlines()
    assert len(records) == 2 and all('"status":202' in r and '"route":"h"' in r for r in records)
