# SPDX-License-Identifier: BSD-2-Clause
"""The PROXY protocol: headers on listeners, from listed peers only, and towards upstreams."""

import shutil
import socket
import subprocess

import pytest

from helpers.daemon import check_config, section, still_works, wait_until
from helpers.peer import RawClient, connect

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ON = {"proxy_protocol": "on", "proxy_protocol_from": "127.0.0.1"}
LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"


def named(value):
    """A test's name for bytes: their beginning."""
    return ascii(value[:40])[2:-1] if isinstance(value, bytes) else None


def pack(host):
    return socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)


def v2(source=None, destination=None, *, command=0x21, family=None, more=b""):
    """A version 2 header; source and destination are (host, port)."""
    block = b""
    if source:
        block = pack(source[0]) + pack(destination[0])
        block += source[1].to_bytes(2, "big") + destination[1].to_bytes(2, "big")
        family = family or (0x21 if ":" in source[0] else 0x11)
    return SIGNATURE + bytes([command, family or 0]) + len(block + more).to_bytes(2, "big") + block + more


BINARY = v2(("192.0.2.7", 4711), ("198.51.100.1", 443))


def read_header(peer):
    """A header at the front of what an upstream gets, as (version, source, destination)."""
    if peer.read(1) == b"P":
        words = (b"P" + peer.read_until(b"\r\n")).decode().split()
        if words[1] == "UNKNOWN":
            return 1, None, None
        assert words[0] == "PROXY" and words[1] == ("TCP6" if ":" in words[2] else "TCP4") and len(words) == 6
        return 1, (words[2], int(words[4])), (words[3], int(words[5]))
    fixed = b"\r" + peer.read(15)
    assert fixed[:12] == SIGNATURE
    block = peer.read(int.from_bytes(fixed[14:16], "big"))
    if fixed[12:14] == b"\x20\x00":
        assert not block
        return 2, None, None
    assert fixed[12] == 0x21 and fixed[13] in (0x11, 0x21)
    n = 4 if fixed[13] == 0x11 else 16
    assert len(block) == 2 * n + 4
    name = [socket.inet_ntop(socket.AF_INET if n == 4 else socket.AF_INET6, block[i * n:(i + 1) * n]) for i in range(2)]
    port = [int.from_bytes(block[2 * n + 2 * i:2 * n + 2 * i + 2], "big") for i in range(2)]
    return 2, (name[0], port[0]), (name[1], port[1])


def v4_tail(of):
    return of[0].rpartition(":")[2], of[1]


def open_behind(daemon, header, upstream, target="/app"):
    """A session whose client's connection begins with `header`. Returns (client, app)."""
    client = daemon.client()
    client.send(header + client.request(target).encode())
    app = upstream.accept_open()
    client.expect_101()
    return client, app


def end(client, app):
    client.close_frame(1000)
    app.expect_close(1000)
    app.close_frame(1000)
    app.close()
    client.expect_close(1000)
    client.expect_eof()
    client.close()


# Who is believed.


@pytest.mark.parametrize("header, who, port", [
    (LINE, "192.0.2.7:4711", "443"),
    (b"PROXY TCP6 2001:db8::7 ::1 65535 80\r\n", "[2001:db8::7]:65535", "80"),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 80\r\n", "192.0.2.7:1", "80"),
    (BINARY, "192.0.2.7:4711", "443"),
    (v2(("2001:db8::7", 9), ("::1", 81)), "[2001:db8::7]:9", "81"),
    (v2(("192.0.2.7", 9), ("192.0.2.8", 81), family=0x12), "192.0.2.7:9", "81"),
    (v2(("192.0.2.7", 9), ("192.0.2.8", 81), more=b"\x04\0\x03abc" + bytes(3000)), "192.0.2.7:9", "81"),
    (v2(family=0x31, more=b"/run/x".ljust(108, b"\0") * 2), "unix:", "0"),
], ids=named)
def test_client_is_who_the_header_says(moongate, upstream, header, who, port):
    daemon = moongate(upstream, listener=ON)
    client, app = open_behind(daemon, header, upstream)
    if who != "unix:":
        assert app.head.get("X-Forwarded-For") == who.rpartition(":")[0].strip("[]")
        assert app.head.get("X-Forwarded-Port") == port
    end(client, app)
    assert daemon.wait_line("session_end")["client"] == who
    assert daemon.stop()["proxy_headers"] == 1


@pytest.mark.parametrize("header", [
    b"PROXY UNKNOWN\r\n",
    b"PROXY UNKNOWN 192.0.2.7 192.0.2.8 1 2\r\n",
    v2(command=0x20),
    v2(("192.0.2.7", 1), ("192.0.2.8", 2), command=0x20),
    v2(command=0x20, family=0xff, more=b"xyz"),
    v2(command=0x21, more=b"x" * 40),
], ids=named)
def test_a_header_that_tells_nothing(moongate, upstream, header):
    """The connection's own ends are meant."""
    daemon = moongate(upstream, listener=ON)
    client, app = open_behind(daemon, header, upstream)
    assert app.head.get("X-Forwarded-For") == "127.0.0.1"
    assert app.head.get("X-Forwarded-Port") == str(daemon.address[1])
    end(client, app)
    assert daemon.end_of(client)["cause"] == "close"


@pytest.mark.parametrize("header", [LINE, BINARY], ids=named)
def test_split_anywhere(moongate, upstream, header):
    daemon = moongate(upstream, listener=ON)
    client = daemon.client()
    client.drip(header + client.request("/app").encode())
    app = upstream.accept_open()
    client.expect_101()
    assert app.head.get("X-Forwarded-For") == "192.0.2.7"
    end(client, app)
    for cut in range(1, len(header) + 1, 5):
        client = daemon.client()
        client.drip(header[:cut], step=cut)
        client.send(header[cut:] + client.request("/echo").encode())
        client.expect_101()
        client.echoes()
        client.end()


def test_several_requests_of_one_connection(moongate, upstream):
    """The header stands in front of the first only; what it said stays true."""
    daemon = moongate(upstream, listener=ON)
    client = daemon.client()
    client.send(LINE + client.get("/nothing").encode() + client.get("/nothing").encode())
    for _ in range(2):
        client.read_body(client.expect_answer(404))
    client.send(client.request("/app"))
    app = upstream.accept_open()
    client.expect_101()
    assert app.head.get("X-Forwarded-For") == "192.0.2.7" and app.head.get("X-Forwarded-Port") == "443"
    end(client, app)
    client = daemon.client()
    client.send(LINE + client.get("/nothing").encode() + LINE)
    client.read_body(client.expect_answer(404))
    client.expect_refusal(400)


# Who is not.


@pytest.mark.parametrize("bad, reason", [
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "does not begin with a PROXY header"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "does not begin with a PROXY header"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\n", "malformed"),
    (b"PROXY TCP4 192.0.2.07 198.51.100.1 4711 443\r\n", "malformed"),
    (b"PROXY TCP4 192.0.2.7  198.51.100.1 4711 443\r\n", "malformed"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443 \r\n", "malformed"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n", "malformed"),
    (b"PROXY TCP6 192.0.2.7 198.51.100.1 4711 443\r\n", "malformed"),
    (b"PROXY UDP4 192.0.2.7 198.51.100.1 4711 443\r\n", "malformed"),
    (b"PROXY UNKNOWN " + b"x" * 200, "over 107 bytes"),
    (v2(command=0x22), "version or command"),
    (v2(command=0x11), "version or command"),
    (v2(family=0x41, more=bytes(300)), "family or transport"),
    (v2(family=0x13, more=bytes(300)), "family or transport"),
    (v2(family=0x21, more=bytes(12)), "too short"),
    (v2(command=0x20, more=bytes(5000)), "over 4 KiB"),
], ids=named)
def test_closed_without_an_answer(moongate, bad, reason):
    daemon = moongate(listener=ON)
    client = daemon.client()
    client.send(bad)
    assert client.expect_end() == b""
    line = daemon.refusal_of(client)
    assert reason in line["reason"] and "status" not in line, line
    assert line["listener"] == "main"
    totals = daemon.stop()
    assert totals["proxy_headers_refused"] == 1 and totals["responses"] == 0


@pytest.mark.parametrize("part", [LINE[:1], LINE[:-1], BINARY[:12], BINARY[:-1]], ids=named)
def test_ended_within(moongate, part):
    daemon = moongate(listener=ON)
    client = daemon.client()
    client.send(part)
    client.shutdown()
    assert client.expect_end() == b""
    assert "ended within" in daemon.refusal_of(client)["reason"]
    assert daemon.stop()["proxy_headers_refused"] == 1


@pytest.mark.parametrize("part", [LINE[:-2], BINARY[:-1]], ids=named)
def test_not_in_time(moongate, part):
    daemon = moongate(listener={**ON, "handshake_timeout": "100ms"})
    with daemon.frozen():
        client = daemon.client()
        client.send(part)
    assert client.expect_end() == b""
    assert "in time" in daemon.refusal_of(client)["reason"]
    assert daemon.stop()["proxy_headers_refused"] == 1


def test_nothing_at_all_is_no_fault(moongate):
    """A load balancer that only looks whether somebody listens."""
    daemon = moongate(listener={**ON, "handshake_timeout": "100ms"})
    first = daemon.client()
    first.close()
    second = daemon.client()
    second.expect_eof()
    daemon.settle()
    totals = daemon.stop()
    assert totals["silent"] == 2 and totals["proxy_headers_refused"] == 0
    assert not daemon.find("refused")


def test_time_for_header_and_request_is_one(moongate):
    """handshake_timeout counts from the connection on."""
    daemon = moongate(listener={**ON, "handshake_timeout": "300ms"})
    with daemon.frozen():
        client = daemon.client()
        client.send(LINE)
    client.expect_eof()
    client.close()
    daemon.settle()
    assert daemon.stop()["silent"] == 1


@pytest.mark.parametrize("header", [LINE, BINARY], ids=named)
def test_unlisted_peers_are_not_believed(moongate, upstream, header):
    """They are clients, and to HTTP a header is noise."""
    daemon = moongate(upstream, listener=ON)
    liar = daemon.client(source=("127.0.0.9", 0))
    liar.send(header + liar.request("/app").encode())
    liar.expect_refusal(400)
    assert daemon.refusal_of(liar)["status"] == "400"
    client = daemon.client(source=("127.0.0.9", 0))
    client.send(client.request("/app"))
    app = upstream.accept_open()
    client.expect_101()
    assert app.head.get("X-Forwarded-For") == "127.0.0.9"
    end(client, app)
    assert daemon.stop()["proxy_headers"] == 0


@pytest.mark.parametrize("header", [LINE, BINARY], ids=named)
def test_off_by_default(moongate, header):
    daemon = moongate()
    client = daemon.client()
    client.send(header + client.request("/echo").encode())
    client.expect_refusal(400)
    still_works(daemon)


def test_peers_on_a_unix_socket(moongate, upstream, clients, tmp_path):
    path = str(tmp_path / "s")
    daemon = moongate(upstream, listener={"bind": f"unix:{path}", "proxy_protocol": "on", "proxy_protocol_from": "unix:"})
    client = clients(path)
    client.send(BINARY + client.request("/app").encode())
    app = upstream.accept_open()
    client.expect_101()
    assert app.head.get("X-Forwarded-For") == "192.0.2.7"
    end(client, app)
    assert daemon.wait_line("session_end")["client"] == "192.0.2.7:4711"


# With what else goes by the client's address.


def test_trusted_proxies_begin_with_it(moongate, upstream):
    """A load balancer speaks PROXY for an HTTP proxy that it has as client."""
    daemon = moongate(upstream, listener={**ON, "trusted_proxy": "192.0.2.7"})
    client = daemon.client()
    client.send(LINE + client.request("/app", add=[("X-Forwarded-For", "203.0.113.5")]).encode())
    app = upstream.accept_open()
    client.expect_101()
    assert app.head.get("X-Forwarded-For") == "203.0.113.5"
    end(client, app)
    line = daemon.wait_line("session_end")
    assert line["client"] == "203.0.113.5:0" and line["peer"] == "192.0.2.7:4711"
    # The load balancer itself is not trusted so.
    other = daemon.client()
    other.send(v2(("192.0.2.8", 1), ("192.0.2.9", 2)) + other.request("/app", add=[("X-Forwarded-For", "1.1.1.1")]).encode())
    app = upstream.accept_open()
    other.expect_101()
    assert app.head.get("X-Forwarded-For") == "192.0.2.8"


def test_limits_per_address_count_clients(moongate):
    """Not the load balancer, by which all of them come."""
    daemon = moongate(listener={**ON, "max_connections_per_address": 1})
    first, second, third = daemon.client(), daemon.client(), daemon.client()
    first.send(LINE + first.request("/echo").encode())
    first.expect_101()
    second.send(v2(("192.0.2.8", 1), ("192.0.2.9", 2)) + second.request("/echo").encode())
    second.expect_101()
    third.send(LINE + third.request("/echo").encode())
    head = third.expect_answer(429)
    assert head.get("Retry-After")
    first.end()
    second.end()
    assert daemon.stop()["limit_address_connections"] == 1


# Towards upstreams.


@pytest.mark.parametrize("version", [1, 2])
def test_upstream_is_told(moongate, upstream, version):
    daemon = moongate(upstream, group={"proxy_protocol": f"v{version}"})
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept()
    host, port = client.local.split(":")
    assert read_header(app) == (version, (host, int(port)), daemon.address)
    app.read_request()
    app.send(app.answer())
    client.expect_101()
    end(client, app)


@pytest.mark.parametrize("version", [1, 2])
def test_told_on(moongate, upstream, version):
    """What a PROXY header said goes on to the upstream as it was."""
    daemon = moongate(upstream, group={"proxy_protocol": f"v{version}"}, listener=ON)
    for header, source, destination in [
            (LINE, ("192.0.2.7", 4711), ("198.51.100.1", 443)),
            (v2(("2001:db8::7", 9), ("2001:db8::1", 81)), ("2001:db8::7", 9), ("2001:db8::1", 81))]:
        client = daemon.client()
        client.send(header + client.request("/app").encode())
        app = upstream.accept()
        assert read_header(app) == (version, source, destination)
        app.read_request()
        app.send(app.answer())
        client.expect_101()
        end(client, app)


@pytest.mark.parametrize("version", [1, 2])
def test_told_who_a_trusted_proxy_says(moongate, upstream, version):
    """Of another family than the connection: both as IPv6."""
    daemon = moongate(upstream, group={"proxy_protocol": f"v{version}"}, listener={"trusted_proxy": "127.0.0.1"})
    client = daemon.client()
    client.send(client.request("/app", add=[("X-Forwarded-For", "2001:db8::5")]))
    app = upstream.accept()
    told, source, destination = read_header(app)
    assert (told, source) == (version, ("2001:db8::5", 0))
    assert v4_tail(destination) == daemon.address and destination[0].startswith("::ffff:")
    client.close()


@pytest.mark.parametrize("version", [1, 2])
def test_unix_clients_have_no_address(moongate, upstream, clients, tmp_path, version):
    path = str(tmp_path / "s")
    moongate(upstream, group={"proxy_protocol": f"v{version}"}, listener={"bind": f"unix:{path}"})
    client = clients(path)
    client.send(client.request("/app"))
    app = upstream.accept()
    assert read_header(app) == (version, None, None)
    app.read_request()
    app.send(app.answer())
    client.expect_101()
    end(client, app)


def test_every_server_is_told(moongate, upstreams):
    """The one that fails, and the next."""
    first, second = upstreams(), upstreams()
    daemon = moongate(first, group={"server": [f"ws://127.0.0.1:{u.address[1]}" for u in (first, second)],
                                    "proxy_protocol": "v2"})
    client = daemon.client()
    client.send(client.request("/app"))
    app = first.accept()
    assert read_header(app)[0] == 2
    app.close()
    app = second.accept()
    assert read_header(app)[0] == 2
    app.read_request()
    app.send(app.answer())
    client.expect_101()
    end(client, app)


def test_header_and_request_in_one_write(moongate, upstream):
    daemon = moongate(upstream, group={"proxy_protocol": "v1"})
    client = daemon.client()
    client.send(client.request("/app"))
    app = upstream.accept()
    app.fill()
    assert app.buf.startswith(b"PROXY TCP4 ") and app.buf.endswith(b"\r\n\r\n")
    client.close()


# Others in front of it and behind it.


@pytest.fixture
def haproxy(port, tmp_path, closing):
    """A function that starts haproxy before `server`, a line of its configuration. Returns its address."""
    binary = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not binary:
        pytest.skip("haproxy is not installed")

    def make(server, bind="", mode="tcp", more=""):
        address = ("127.0.0.1", port())
        config = tmp_path / f"haproxy-{address[1]}.cfg"
        config.write_text(f"""
defaults
    mode {mode}
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen main
    bind 127.0.0.1:{address[1]} {bind}
{more}
    server s {server}
""")
        closing.append(Process([binary, "-db", "-f", config]))
        wait_until(lambda: accepts(address), "haproxy")
        return address

    return make


@pytest.fixture
def nginx(port, tmp_path, closing):
    binary = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not binary:
        pytest.skip("nginx is not installed")

    def make(target):
        address = ("127.0.0.1", port())
        config = tmp_path / f"nginx-{address[1]}.conf"
        config.write_text(f"""
daemon off; master_process off; pid {tmp_path}/nginx.pid; error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p; fastcgi_temp_path {tmp_path}/f;
    uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;
    server {{
        listen 127.0.0.1:{address[1]} proxy_protocol;
        location / {{
            proxy_pass http://127.0.0.1:{target[1]}; proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
            proxy_set_header X-Told "$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr:$proxy_protocol_server_port";
        }}
    }}
}}
""")
        closing.append(Process([binary, "-e", "stderr", "-p", tmp_path, "-c", config]))
        wait_until(lambda: accepts(address), "nginx")
        return address

    return make


class Process:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self):
        self.process.kill()
        self.process.wait()


def accepts(address):
    try:
        connect(address).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2"])
def test_haproxy_in_front(moongate, upstream, haproxy, clients, send):
    daemon = moongate(upstream, listener=ON)
    front = haproxy(f"127.0.0.1:{daemon.address[1]} {send}")
    client = clients(front, source=("127.0.0.77", 0))
    client.send(client.request("/app"))
    app = upstream.accept_open()
    client.expect_101()
    assert app.head.get("X-Forwarded-For") == "127.0.0.77"
    assert app.head.get("X-Forwarded-Port") == str(front[1])
    end(client, app)
    assert daemon.end_of(client)["cause"] == "close"


@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2"])
def test_haproxy_checks_it(moongate, haproxy, clients, send):
    """Its health checks send a header too."""
    daemon = moongate(listener=ON)
    haproxy(f"127.0.0.1:{daemon.address[1]} {send} check check-send-proxy inter 50ms", mode="http",
            more="    option httpchk GET /echo\n    http-check expect status 426")
    wait_until(lambda: len(daemon.find("refused", status=426)) >= 2, "two checks")
    assert not [x for x in daemon.find("refused") if "status" not in x]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_haproxy_behind(moongate, upstream, haproxy, version):
    back = haproxy(f"127.0.0.1:{upstream.address[1]}", bind="accept-proxy", mode="http",
                   more="    http-request set-header X-Told \"%[src]:%[src_port] %[dst]:%[dst_port]\"")
    daemon = moongate(back, group={"proxy_protocol": version}, listener=ON)
    client = daemon.client()
    client.send(LINE + client.request("/app").encode())
    app = upstream.accept_open()
    client.expect_101()
    assert app.head.get("X-Told") == "192.0.2.7:4711 198.51.100.1:443"
    client.text("hello")
    app.expect_text("hello")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_nginx_behind(moongate, upstream, nginx, version):
    back = nginx(upstream.address)
    daemon = moongate(back, group={"proxy_protocol": version}, listener=ON)
    client = daemon.client()
    client.send(v2(("2001:db8::7", 9), ("2001:db8::1", 81)) + client.request("/app").encode())
    app = upstream.accept_open()
    client.expect_101()
    assert app.head.get("X-Told") == "2001:db8::7:9 2001:db8::1:81"
    client.text("hello")
    app.expect_text("hello")


# The configuration.


@pytest.mark.parametrize("listener, group, wants", [
    ({"proxy_protocol": "on"}, {}, "want proxy_protocol_from"),
    ({"proxy_protocol_from": "127.0.0.1"}, {}, "want proxy_protocol = on"),
    ({"proxy_protocol": "v2", "proxy_protocol_from": "127.0.0.1"}, {}, "want on | off"),
    ({"proxy_protocol": "on", "proxy_protocol_from": "localhost"}, {}, "want an address or a block"),
    ({"proxy_protocol": "on", "proxy_protocol_from": "10.0.0.1/8"}, {}, "want the block's first address"),
    ({"proxy_protocol": "on", "proxy_protocol_from": "10.0.0.0/33"}, {}, "0..32"),
    ({}, {"proxy_protocol": "on"}, "want off | v1 | v2"),
    ({}, {"proxy_protocol": "2"}, "want off | v1 | v2"),
])
def test_wrong_settings(tmp_path, listener, group, wants):
    config = tmp_path / "m.conf"
    config.write_text(section("listener", "main", {"bind": "127.0.0.1:8080", **listener})
                      + section("upstream", "app", {"server": "ws://127.0.0.1:9", **group})
                      + section("route", "app", {"upstream": "app"}))
    status, said = check_config(config)
    assert status != 0 and wants in said, said


def test_still_works_behind_headers(moongate):
    daemon = moongate(listener=ON)
    for _ in range(3):
        with RawClient(daemon.address) as client:
            client.send(BINARY + client.request("/still").encode())
            client.expect_101()
            client.echoes(20)
            client.end()


def test_the_source_as_a_variable(lua):
    """ngx.var.proxy_protocol_addr: who the header says it is, whatever a trusted proxy says about that."""
    script = "ngx.say(tostring(ngx.var.proxy_protocol_addr), ' ', ngx.var.remote_addr)"
    d = lua(script, listener={**ON, "trusted_proxy": "192.0.2.0/24", "trusted_header": "X-Forwarded-For"})

    def ask(first, *headers):
        client = d.client()
        client.send(first + client.get("/h", add=headers).encode())
        return client.read_body(client.expect_answer(200))

    assert ask(LINE) == b"192.0.2.7 192.0.2.7\n"
    assert ask(LINE, "X-Forwarded-For: 203.0.113.9") == b"192.0.2.7 203.0.113.9\n"
    assert ask(BINARY) == b"192.0.2.7 192.0.2.7\n"
    assert ask(b"PROXY UNKNOWN\r\n") == b"nil 127.0.0.1\n"
