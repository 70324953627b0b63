# SPDX-License-Identifier: BSD-2-Clause
"""TLS of cosockets: whom they believe, what they show, what a pool may hand on."""

import ssl
import threading

import pytest

from helpers.daemon import check_config, section
from helpers.reloads import reload
from helpers.tls import Authority, SecureUpstream, openssl, server_context

PORT = "local port = tonumber(ngx.var.arg_port)\n"
CONNECT = PORT + """
    local sock = assert(ngx.socket.tcp())
    sock:settimeout(20000)
    assert(sock:connect("127.0.0.1", port))
"""


@pytest.fixture(scope="module")
def good(ca):
    return ca.make("app", "DNS:app.test,IP:127.0.0.1")


@pytest.fixture
def secure(closing):
    """A function that starts a TLS server on a thread which answers each line it is sent."""

    def make(pair, client_ca=None, newest=None):
        context = server_context(pair, client_ca)
        if newest:
            context.maximum_version = newest
        up = SecureUpstream(context)
        up.failures = []
        closing(up) if callable(closing) else closing.append(up)

        def serve():
            while True:
                try:
                    peer = up.accept()
                except ssl.SSLError as e:
                    up.failures.append(e.reason)
                    continue
                except OSError:
                    return
                threading.Thread(target=answer, args=(peer,), daemon=True).start()

        def answer(peer):
            try:
                while line := peer.read_until(b"\n"):
                    peer.send(b"re " + line)
            except (OSError, AssertionError):
                pass

        threading.Thread(target=serve, daemon=True).start()
        return up

    return make


@pytest.fixture
def knowing(closing, good, ca):
    """A function that starts a TLS server on a thread which answers each line with whom it takes its client for, and
    whether a session went on. To whoever upgrades it sends a message with the first."""

    def make(newest):
        context = server_context(good, ca.certificate)
        context.verify_mode, context.maximum_version = ssl.CERT_OPTIONAL, newest
        up = SecureUpstream(context)
        closing.append(up)

        def serve():
            while True:
                try:
                    threading.Thread(target=answer, args=(up.accept(),), daemon=True).start()
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        def answer(peer):
            try:
                while line := peer.read_until(b"\n"):
                    seen = peer.sock.getpeercert()
                    who = dict(pair for part in seen["subject"] for pair in part)["commonName"] if seen else "nobody"
                    if line.startswith(b"GET"):
                        peer.read_until(b"\r\n\r\n")
                        peer.send(f"HTTP/1.1 101 x\r\n\r\n\x81{chr(len(who))}{who}".encode("latin-1"))
                    else:
                        peer.send(f"{who}{' again' * peer.sock.session_reused}\n".encode())
            except (OSError, AssertionError):
                pass

        threading.Thread(target=serve, daemon=True).start()
        return up

    return make


def ask(daemon, port, path="/h", **variables):
    query = "&".join(f"{k}={v}" for k, v in {"port": port, **variables}.items())
    client = daemon.client()
    client.send(client.get(f"{path}?{query}", add=["Connection: close"]))
    body = client.read_body(client.expect_answer(200)).decode()
    client.close()
    return body.splitlines()


HANDSHAKE = CONNECT + """
    local session, err = sock:sslhandshake(nil, ngx.var.arg_name, ngx.var.arg_verify == "yes")
    ngx.say(type(session), " ", tostring(err))
    if session then
        sock:send("hello\\n")
        ngx.say(sock:receive())
    end
"""


def test_whom_a_script_believes(lua, ca, good, secure, tmp_path):
    up = secure(good)
    other = Authority(tmp_path / "other", "other")
    stranger = secure(other.make("app", "DNS:app.test"))
    d = lua(HANDSHAKE, process={"lua_ssl_trusted_certificate": ca.folder / "ca.pem"},
            route={"lua_socket_log_errors": "off"})
    port, no = up.address[1], stranger.address[1]
    assert ask(d, port, name="app.test", verify="yes") == ["cdata nil", "re hello"]
    assert ask(d, port, name="other.test", verify="yes") == ["nil certificate host mismatch"]
    assert ask(d, port, name="other.test", verify="no") == ["cdata nil", "re hello"]
    assert ask(d, port, verify="yes") == ["cdata nil", "re hello"]
    assert ask(d, no, name="app.test", verify="yes") == ["nil 20: unable to get local issuer certificate"]
    assert ask(d, no, name="app.test", verify="no") == ["cdata nil", "re hello"]


def make_crl(ca, *revoked):
    """The authority's list, with these pairs in it."""
    for pair in revoked:
        openssl("ca", "-batch", "-config", ca.config, "-keyfile", ca.pair.key, "-cert", ca.pair.certificate,
                "-revoke", pair.certificate)
    out = ca.folder / f"{ca.name}.crl"
    openssl("ca", "-batch", "-config", ca.config, "-keyfile", ca.pair.key, "-cert", ca.pair.certificate,
            "-gencrl", "-crldays", "1", "-out", out)
    return out


@pytest.mark.parametrize("where", ["moongate", "route"])
def test_a_revoked_certificate(lua, secure, tmp_path, where):
    own = Authority(tmp_path / "own")
    bad, fine = own.make("bad", "DNS:app.test"), own.make("fine", "DNS:app.test")
    keys = {"lua_ssl_trusted_certificate": own.certificate, "lua_ssl_crl": make_crl(own, bad)}
    d = lua(HANDSHAKE, process=keys if where == "moongate" else {},
            route={"lua_socket_log_errors": "off", **(keys if where == "route" else {})})
    revoked, good_one = secure(bad), secure(fine)
    assert ask(d, good_one.address[1], name="app.test", verify="yes") == ["cdata nil", "re hello"]
    assert ask(d, revoked.address[1], name="app.test", verify="yes") == ["nil 23: certificate revoked"]
    assert ask(d, revoked.address[1], name="app.test", verify="no") == ["cdata nil", "re hello"]


def test_no_list_of_the_certificates_authority(lua, ca, good, secure, tmp_path):
    other = Authority(tmp_path / "other", "other")
    d = lua(HANDSHAKE, route={"lua_ssl_trusted_certificate": ca.certificate, "lua_ssl_crl": make_crl(other)})
    assert ask(d, secure(good).address[1], name="app.test", verify="yes") == ["nil 3: unable to get certificate CRL"]


def test_commands_for_openssl(lua, good, secure):
    """They go before the other keys, and a route's in place of all of [moongate]."""
    d = lua(HANDSHAKE, process={"lua_ssl_conf_command": ["MaxProtocol TLSv1.2", "Options -SessionTicket"]},
            route={"lua_ssl_conf_command": ["MinProtocol TLSv1.3"]},
            extra=section("route", "o", {"listener": "main", "path": "/o", "handler": "handler.lua"}))
    old = secure(good, newest=ssl.TLSVersion.TLSv1_2)
    assert ask(d, old.address[1], verify="no") == ["nil handshake failed"]
    client = d.client()
    client.send(client.get(f"/o?port={old.address[1]}", add=["Connection: close"]))
    assert client.read_body(client.expect_answer(200)) == b"cdata nil\nre hello\n"


def test_a_route_may_believe_others(lua, ca, good, secure, tmp_path):
    other = Authority(tmp_path / "other", "other")
    up, theirs = secure(good), secure(other.make("app", "DNS:app.test"))
    d = lua(HANDSHAKE, process={"lua_ssl_trusted_certificate": ca.folder / "ca.pem"},
            route={"lua_ssl_trusted_certificate": other.folder / "other.pem", "lua_ssl_protocols": "TLSv1.3"})
    assert ask(d, theirs.address[1], name="app.test", verify="yes") == ["cdata nil", "re hello"]
    assert ask(d, up.address[1], name="app.test", verify="yes")[0].startswith("nil ")
    old = secure(good, newest=ssl.TLSVersion.TLSv1_2)
    assert ask(d, old.address[1], verify="no") == ["nil handshake failed"]


def test_certificates_that_a_script_shows(lua, ca, good, secure):
    mine = ca.make("client", "DNS:client.test")
    up = secure(good, client_ca=ca.folder / "ca.pem", newest=ssl.TLSVersion.TLSv1_2)
    script = CONNECT + f"""
        local ssl = require "ngx.ssl"
        local function text(path) local f = assert(io.open(path)) local t = f:read("*a") f:close() return t end
        if ngx.var.arg_show then
            assert(sock:setclientcert(ssl.parse_pem_cert(text("{mine.certificate}")),
                ssl.parse_pem_priv_key(text("{mine.key}"))))
        end
        if ngx.var.arg_show == "taken-back" then assert(sock:setclientcert()) end
        ngx.say(tostring(sock:sslhandshake(false)))
        sock:send("x\\n")
        ngx.say((sock:receive()))
    """
    d = lua(script)
    assert ask(d, up.address[1], show="yes") == ["true", "re x"]
    assert ask(d, up.address[1]) == ["nil", "nil"]
    assert ask(d, up.address[1], show="taken-back") == ["nil", "nil"]
    d.stop()
    d = lua(script, route={"lua_ssl_certificate": mine.certificate, "lua_ssl_certificate_key": mine.key})
    assert ask(d, up.address[1]) == ["true", "re x"]


def test_a_pooled_connection_is_as_good_as_was_asked(lua, ca, good, secure):
    up = secure(good)
    d = lua(PORT + """
        local function open(name, verify)
            local sock = ngx.socket.tcp()
            assert(sock:connect("127.0.0.1", port))
            local times = sock:getreusedtimes()
            local ok, err = sock:sslhandshake(false, name, verify)
            if ok then
                sock:send("x\\n")
                assert(sock:receive() == "re x")
                assert(sock:setkeepalive(300))
            end
            ngx.say(times, " ", tostring(ok), " ", tostring(err))
        end
        open("app.test", false)
        open("app.test", false)
        open("app.test", true)
        open("app.test", true)
        open("app.test", true)
        open("other.test", true)
    """, process={"lua_ssl_trusted_certificate": ca.folder / "ca.pem"})
    assert ask(d, up.address[1]) == ["0 true nil", "1 true nil", "2 nil certificate host mismatch", "0 true nil",
                                     "1 true nil", "2 nil certificate host mismatch"]


POOLED = PORT + """
    local sock = ngx.socket.tcp()
    sock:settimeout(20000)
    assert(sock:connect("127.0.0.1", port, { pool = ngx.var.arg_pool }))
    local times, ok, err = sock:getreusedtimes(), true
    if ngx.var.arg_with ~= "nothing" and not (ngx.var.arg_with == "care" and times > 0) then
        ok, err = sock:sslhandshake(false, "app.test", ngx.var.arg_with ~= "trust")
    end
    if ok and ngx.var.arg_with ~= "nothing" then
        sock:send("x\\n")
        assert(sock:receive() == "re x")
    end
    ngx.say(times, " ", err or sock:setkeepalive())
"""


def other_route(name="o", **keys):
    return section("route", name, {"listener": "main", "path": f"/{name}", "handler": "handler.lua",
                                   "lua_socket_log_errors": "off", **keys})


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("pool", [{}, {"pool": "own"}])
def test_a_pooled_connection_is_only_for_who_believes_the_same(lua, ca, good, secure, tmp_path, newest, pool):
    """Nor is it for a script of theirs that makes no handshake on what was used before, as most do."""
    up, stranger = secure(good, newest=newest), Authority(tmp_path / "stranger", "stranger")
    d = lua(POOLED, route={"lua_ssl_trusted_certificate": ca.certificate},
            extra=other_route(lua_ssl_trusted_certificate=stranger.certificate))
    port, unknown = up.address[1], ["0 20: unable to get local issuer certificate"]
    assert ask(d, port, **pool) == ["0 1"]
    assert ask(d, port, path="/o", **pool) == unknown
    assert ask(d, port, path="/o", **{"with": "care"}, **pool) == unknown
    assert ask(d, port, path="/o", **{"with": "trust"}, **pool) == ["0 1"]
    assert ask(d, port, **pool) == ["1 1"]
    assert ask(d, port, **pool) == ["2 1"]
    assert ask(d, port, path="/o", **{"with": "trust"}, **pool) == ["1 1"]
    assert ask(d, port, path="/o", **pool) == ["2 certificate host mismatch"]
    assert ask(d, port, path="/o", **pool) == unknown
    assert ask(d, port, **{"with": "care"}, **pool) == ["3 1"]
    d.stop()


def test_a_pooled_connection_shows_the_certificate_of_the_route(lua, ca, good, secure):
    mine, theirs = ca.make("mine", "DNS:mine.test"), ca.make("theirs", "DNS:theirs.test")
    up = secure(good, client_ca=ca.certificate, newest=ssl.TLSVersion.TLSv1_2)
    d = lua(POOLED, process={"lua_ssl_trusted_certificate": ca.certificate},
            route={"lua_ssl_certificate": mine.certificate, "lua_ssl_certificate_key": mine.key},
            extra=other_route(lua_ssl_certificate=theirs.certificate, lua_ssl_certificate_key=theirs.key))
    port = up.address[1]
    assert ask(d, port) == ["0 1"]
    assert ask(d, port, path="/o") == ["0 1"]
    assert ask(d, port) == ask(d, port, path="/o") == ["1 1"]
    d.stop()


def test_a_pooled_connection_shows_the_certificate_of_the_script(lua, ca, good, secure):
    """One of the same names is as good: it was renewed. A script that gives none takes what there is, as on ngx_lua."""
    up = secure(good, client_ca=ca.certificate, newest=ssl.TLSVersion.TLSv1_2)
    pairs = {"mine": ca.make("mine", "DNS:mine.test", file="mine-1"), "renewed": ca.make("mine", "DNS:mine.test", file="mine-2"),
             "alike": ca.make("mine", "DNS:alike.test", file="mine-3"), "theirs": ca.make("theirs", "DNS:mine.test")}
    d = lua(PORT + """
        local ssl = require "ngx.ssl"
        local function text(path) local f = assert(io.open(path)) local t = f:read("*a") f:close() return t end
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        if ngx.var.arg_cert then
            assert(sock:setclientcert(ssl.parse_pem_cert(text(ngx.var.arg_cert)), ssl.parse_pem_priv_key(text(ngx.var.arg_key))))
        end
        local times = sock:getreusedtimes()
        local ok, err = sock:sslhandshake(false, "app.test")
        if ok then
            assert(sock:send("x\\n"))
            assert(sock:receive() == "re x")
            assert(sock:setkeepalive())
        end
        ngx.say(times, " ", ok and "good" or err)
    """, route={"lua_socket_log_errors": "off"})

    def said(who=None):
        return ask(d, up.address[1], **({"cert": pairs[who].certificate, "key": pairs[who].key} if who else {}))

    for who, other in ("mine", "theirs"), ("theirs", "alike"), ("alike", "mine"):
        assert said(who) == ["0 good"]
        assert said(who) == ["1 good"]
        assert said(other) == ["2 client certificate mismatch"]
    assert said("mine") + said("renewed") + said("mine") + said() == ["0 good", "1 good", "2 good", "3 good"]
    d.stop()


def test_routes_of_the_same_keys_share_a_pool_and_all_share_what_has_no_tls(lua, ca, good, secure, tmp_path):
    up, same = secure(good), tmp_path / "same.pem"
    same.write_text(ca.certificate.read_text())
    d = lua(POOLED, route={"lua_ssl_trusted_certificate": ca.certificate},
            extra=other_route(lua_ssl_trusted_certificate=same) + other_route("other", lua_ssl_protocols="TLSv1.3"))
    port = up.address[1]
    assert ask(d, port) + ask(d, port, path="/o") + ask(d, port) == ["0 1", "1 1", "2 1"]
    plain = {"with": "nothing", "pool": "plain"}
    assert ask(d, port, **plain) + ask(d, port, path="/other", **plain) + ask(d, port, **plain) == ["0 1", "1 1", "2 1"]
    d.stop()


def test_pooled_connections_outlive_a_reload_that_changes_no_authority(lua, ca, good, secure, tmp_path):
    up, bundle, more = secure(good), tmp_path / "trusted.pem", Authority(tmp_path / "more", "more").certificate
    bundle.write_text(ca.certificate.read_text())
    d = lua(POOLED, route={"lua_ssl_trusted_certificate": bundle})
    port = up.address[1]
    assert ask(d, port) == ["0 1"]
    reload(d, ("[listener", "# A comment.\n[listener"))
    assert ask(d, port) == ["1 1"]
    bundle.write_text(bundle.read_text() + more.read_text())
    reload(d, ("# A comment.", ""))
    assert ask(d, port) == ["0 1"]
    d.stop()


@pytest.mark.parametrize("where", ["moongate", "route"])
def test_files_that_commands_for_openssl_name_are_looked_at_by_a_reload(lua, ca, good, secure, tmp_path, where):
    """Neither who was trusted by them before is trusted still, nor is a connection that was made then handed out."""
    up, stranger, bundle = secure(good), Authority(tmp_path / "stranger", "stranger").certificate, tmp_path / "trusted.pem"
    bundle.write_text(ca.certificate.read_text())
    keys = {"lua_ssl_conf_command": [f"VerifyCAFile {bundle}", "Options -SessionTicket"]}
    d = lua(POOLED, process=keys if where == "moongate" else {},
            route={"lua_socket_log_errors": "off", **(keys if where == "route" else {})})
    port = up.address[1]
    assert ask(d, port) + ask(d, port) == ["0 1", "1 1"]
    reload(d, ("[listener", "# A comment.\n[listener"))
    assert ask(d, port) == ["2 1"]
    bundle.write_text(stranger.read_text())
    reload(d, ("# A comment.", ""))
    assert ask(d, port) == ["0 20: unable to get local issuer certificate"]
    d.stop()


def test_sessions_go_from_one_handshake_to_the_next(lua, good, secure):
    up = secure(good, newest=ssl.TLSVersion.TLSv1_2)
    d = lua(PORT + """
        local session
        for i = 1, 3 do
            local sock = ngx.socket.tcp()
            assert(sock:connect("127.0.0.1", port))
            session = assert(sock:sslhandshake(session, "app.test"))
            sock:send("x\\n") assert(sock:receive())
            sock:close()
            collectgarbage()
        end
        for _, bad in ipairs { 5, "x", {}, require "ffi".new("int[4]") } do
            local sock = ngx.socket.tcp()
            assert(sock:connect("127.0.0.1", port))
            assert(sock:sslhandshake(bad, "app.test"))
            sock:close()
        end
        ngx.say("ok")
    """)
    assert ask(d, up.address[1]) == ["ok"]
    d.stop()
    assert d.find("totals")[0]["tls_resumed"] == "2"


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_that_goes_on_is_as_good_as_is_asked(lua, ca, good, secure, tmp_path, newest):
    """Its certificate was not verified when it was made, or was another name's: no handshake without it makes it good."""
    stranger = Authority(tmp_path / "stranger").make("app", "DNS:app.test")
    bad, well = secure(stranger, newest=newest), secure(good, newest=newest)
    daemon = lua(PORT + """
        local name, session, err, other = ngx.var.arg_name
        for i, verify in ipairs { false, true, true } do
            local sock = assert(ngx.socket.tcp())
            sock:settimeout(20000)
            assert(sock:connect("127.0.0.1", port))
            session, err = sock:sslhandshake(other, i == 3 and name or "app.test", verify)
            ngx.say(session and "good" or err)
            if session then
                assert(sock:send("hello\\n"))
                assert(sock:receive() == "re hello")
                other = session
            end
            sock:close()
        end
    """, process={"lua_ssl_trusted_certificate": ca.folder / "ca.pem"})
    assert ask(daemon, bad.address[1], name="app.test") == ["good", *["20: unable to get local issuer certificate"] * 2]
    assert ask(daemon, well.address[1], name="app.test") == ["good"] * 3
    assert ask(daemon, well.address[1], name="other.test") == ["good"] * 2 + ["certificate host mismatch"]


def test_a_session_goes_on_only_where_the_same_are_believed(lua, ca, good, secure, tmp_path):
    up, stranger = secure(good, newest=ssl.TLSVersion.TLSv1_2), Authority(tmp_path / "stranger", "stranger")
    d = lua(PORT + """
        local kept = require "kept"
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        local session, err = sock:sslhandshake(kept.session, "app.test", true)
        ngx.say(session and "good" or err)
        kept.session = session or kept.session
        sock:close()
    """, process={"lua_ssl_trusted_certificate": ca.folder / "ca.pem"}, files={"kept.lua": "return {}"},
            extra=section("route", "o", {"listener": "main", "path": "/o", "handler": "handler.lua",
                                         "lua_ssl_trusted_certificate": stranger.certificate}))
    port = up.address[1]
    assert ask(d, port) + ask(d, port) == ["good"] * 2
    assert ask(d, port, path="/o") == ["20: unable to get local issuer certificate"]
    assert ask(d, port) == ["good"]
    assert d.stop()["tls_resumed"] == 2


SHOW = """
    local ssl = require "ngx.ssl"
    local function text(path) local f = assert(io.open(path)) local t = f:read("*a") f:close() return t end
    local function pair(who)
        local path = ngx.var.arg_folder .. "/" .. who
        return ssl.parse_pem_cert(text(path .. ".pem")), ssl.parse_pem_priv_key(text(path .. ".key"))
    end
    local function show(sock, who)
        if who ~= "nobody" then assert(sock:setclientcert(pair(who))) end
    end
"""


@pytest.fixture(scope="module")
def people(ca):
    """Clients that know one another; by their files' names. A renewed one has the names of the one before it."""
    return {who: ca.make(who.partition("-")[0], f"DNS:{who.partition('-')[0]}.test", file=who)
            for who in ("mine", "theirs", "mine-renewed")}


@pytest.mark.parametrize("route", ["nobody", "theirs"])
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_goes_on_only_as_who_made_it(lua, ca, knowing, people, newest, route):
    """No certificate is shown then: the server takes the client for the one of the session."""
    keys = {} if route == "nobody" else {"lua_ssl_certificate": people[route].certificate,
                                         "lua_ssl_certificate_key": people[route].key}
    d = lua(PORT + SHOW + """
        local session
        for who in ngx.var.arg_who:gmatch "[^,]+" do
            local sock = ngx.socket.tcp()
            sock:settimeout(20000)
            assert(sock:connect("127.0.0.1", port))
            show(sock, who)
            assert(sock:sslhandshake(session, "app.test"))
            assert(sock:send("who\\n"))
            ngx.say((assert(sock:receive())))
            session = assert(sock:sslhandshake(nil, "app.test")) -- of TLS 1.3: with the ticket, which has come by now
            sock:close()
        end
    """, route=keys)

    def said(*who):
        return ask(d, knowing(newest).address[1], folder=ca.folder, who=",".join(who))

    assert said("mine", "mine", "theirs", "theirs", "mine") == ["mine", "mine again", "theirs", "theirs again", "mine"]
    assert said("nobody", "mine", "nobody", "nobody") == [route, "mine", route, f"{route} again"]
    assert said("mine", "mine-renewed", "mine-renewed") == ["mine", "mine", "mine again"]
    assert d.stop()["tls_resumed"] == 4


CAREFUL = PORT + SHOW + """
    local function ask(who, verify)
        local sock = ngx.socket.tcp()
        sock:settimeout(20000)
        if ngx.var.arg_first then show(sock, who) end
        assert(sock:connect("127.0.0.1", port, { pool = ngx.var.arg_pool }))
        local times = sock:getreusedtimes()
        if times == 0 then
            if not ngx.var.arg_first then show(sock, who) end
            assert(sock:sslhandshake(false, ngx.var.arg_name or "app.test", verify))
        end
        assert(sock:send("who\\n"))
        ngx.say(times, " ", (assert(sock:receive())))
        assert(sock:setkeepalive())
    end
    for who in (ngx.var.arg_who or "nobody"):gmatch "[^,]+" do ask(who, ngx.var.arg_verify == "yes") end
"""


def other_script(text, **keys):
    return {"files": {"other.lua": text}, "extra": other_route(handler="other.lua", **keys)}


@pytest.mark.parametrize("pool", [{}, {"pool": "own"}])
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_pooled_connection_is_not_for_scripts_that_show_others(lua, ca, knowing, people, newest, pool):
    """They make no handshake on what was used before, as most do. A script's own are its own still, whatever it says."""
    port = knowing(newest).address[1]
    d = lua(CAREFUL, **other_script(CAREFUL))
    mine, nobody = {"folder": ca.folder, "who": "mine", **pool}, {"folder": ca.folder, **pool}
    assert ask(d, port, **mine) + ask(d, port, **mine) == ["0 mine", "1 mine"]
    assert ask(d, port, path="/o", **nobody) + ask(d, port, path="/o", **nobody) == ["0 nobody", "1 nobody"]
    assert ask(d, port, **mine) == ["2 mine"]
    d.stop()


@pytest.mark.parametrize("pool", [{}, {"pool": "own"}])
def test_a_pooled_connection_is_of_the_certificate_that_was_given_before(lua, ca, knowing, people, pool):
    """A script that gives it before it connects gets one that showed it, or makes one; from others' as well if that was
    verified for the host."""
    port = knowing(ssl.TLSVersion.TLSv1_2).address[1]
    d = lua(CAREFUL, process={"lua_ssl_trusted_certificate": ca.certificate}, **other_script(CAREFUL))
    how = {"folder": ca.folder, "first": "yes", **pool}
    assert ask(d, port, who="mine,theirs,mine,theirs,mine-renewed", **how) == ["0 mine", "0 theirs", "1 mine", "1 theirs", "2 mine"]
    assert ask(d, port, path="/o", who="mine", name="127.0.0.1", verify="yes", **how) == ["0 mine"]
    assert ask(d, port, who="mine", **how) == ["1 mine"]
    assert ask(d, port, path="/o", who="theirs,mine", **how) == ["0 theirs", "2 mine"]
    d.stop()


def test_a_pooled_connection_that_was_not_verified_is_its_scripts_own(lua, ca, knowing, people):
    port = knowing(ssl.TLSVersion.TLSv1_3).address[1]
    d = lua(CAREFUL, process={"lua_ssl_trusted_certificate": ca.certificate}, **other_script(CAREFUL))
    assert ask(d, port) + ask(d, port) == ["0 nobody", "1 nobody"]
    assert ask(d, port, path="/o", verify="yes") + ask(d, port, path="/o", verify="yes") == ["0 nobody", "1 nobody"]
    assert ask(d, port) == ["2 nobody"], "verified, but for another name than its host's"
    d.stop()
    d = lua(CAREFUL, process={"lua_ssl_trusted_certificate": ca.certificate}, **other_script(CAREFUL))
    assert ask(d, port, name="127.0.0.1", verify="yes") == ["0 nobody"]
    assert ask(d, port, path="/o", verify="yes") + ask(d, port) == ["1 nobody", "2 nobody"]
    d.stop()


def test_a_timers_connections_are_those_of_the_script_that_made_it(lua, ca, knowing, people):
    port = knowing(ssl.TLSVersion.TLSv1_3).address[1]
    d = lua(PORT + """
        local function open()
            local sock = ngx.socket.tcp()
            assert(sock:connect("127.0.0.1", port))
            local times = sock:getreusedtimes()
            if times == 0 then assert(sock:sslhandshake(false, "app.test")) end
            assert(sock:send("who\\n"))
            assert(sock:receive())
            assert(sock:setkeepalive())
            return times
        end
        local done = require "ngx.semaphore".new()
        local times
        ngx.timer.at(0, function() ngx.timer.at(0, function() times = open() done:post() end) end)
        assert(done:wait(20))
        ngx.say(times, " ", open())
    """, **other_script(CAREFUL))
    assert ask(d, port) == ["0 1"]
    assert ask(d, port, path="/o") == ["0 nobody"]
    assert ask(d, port) == ["2 3"]
    d.stop()


def test_a_pooled_websocket_shows_what_its_client_gives(lua, ca, knowing, people):
    """One of another certificate, or with none where one was given, is not taken, nor one with any where none was; nor one
    whose server was not verified, or is another. What does not matter to a client is no reason to make its own."""
    port = knowing(ssl.TLSVersion.TLSv1_3).address[1]
    d = lua(PORT + SHOW + """
        local function ask(who, verify, name)
            local wb = require("resty.websocket.client"):new { timeout = 20000 }
            local cert, key
            if who ~= "nobody" then cert, key = pair(who) end
            local ok, err, head = wb:connect("wss://127.0.0.1:" .. port .. "/", {
                client_cert = cert, client_priv_key = key, ssl_verify = verify, server_name = name })
            if not ok then ngx.say(err) return end
            ngx.say(head == "connection reused" and "again" or wb:recv_frame(), " ", wb.sock:getreusedtimes())
            assert(wb:set_keepalive())
        end
        ask("mine") ask("theirs") ask("nobody") ask("mine") ask("mine-renewed") ask("theirs") ask("nobody")
        ask("mine", true, "app.test") ask("mine", true) ask("mine", true, "other.test")
    """, process={"lua_ssl_trusted_certificate": ca.certificate}, route={"lua_socket_log_errors": "off"})
    assert ask(d, port, folder=ca.folder) == [
        "mine 0", "theirs 0", "nobody 0", "again 1", "again 2", "again 1", "again 1",
        "mine 0", "again 1", "ssl handshake failed: certificate host mismatch"]
    d.stop()


@pytest.mark.parametrize("compat", ["fixed", "strict"])
def test_a_pooled_websocket_is_only_for_who_believes_the_same(lua, ca, good, clients, closing, tmp_path, compat):
    """Also with the library's own way, which takes what comes from the pool as it is."""
    up, stranger = SecureUpstream(server_context(good)), Authority(tmp_path / "stranger", "stranger")
    closing.append(up)
    d = lua(CLIENT + """
        local wb, ok, err = client("wss", "app.test")
        ngx.say(ok and wb.sock:getreusedtimes() or err)
        if ok then assert(wb:set_keepalive()) end
    """, process={"lua_ssl_trusted_certificate": ca.certificate}, route={"compat": compat},
            extra=other_route(lua_ssl_trusted_certificate=stranger.certificate, compat=compat))

    def begin(path):
        client = clients(d.address)
        client.send(client.get(f"{path}?port={up.address[1]}", add=["Connection: close"]))
        return client

    def said(client):
        return client.read_body(client.expect_answer(200)).decode().splitlines()

    client = begin("/h")
    app = up.accept()
    app.read_until(b"\r\n\r\n")
    app.send(b"HTTP/1.1 101 x\r\n\r\n")
    assert said(client) == ["0"]
    client = begin("/o")
    with pytest.raises(ssl.SSLError):
        up.accept()
    assert said(client) == ["ssl handshake failed: 20: unable to get local issuer certificate"]
    assert said(begin("/h")) == ["1"]
    d.stop()


def test_a_handshake_byte_by_byte_and_data_with_its_end(lua, good, upstreams, clients):
    up = upstreams()
    d = lua(CONNECT + """
        sock:send("starttls\\n")
        assert(sock:receive() == "go")
        ngx.say(tostring(sock:sslhandshake(false)))
        sock:send("x\\n")
        ngx.say(sock:receive())
    """)
    client = clients(d.address)
    client.send(client.get(f"/h?port={up.address[1]}", add=["Connection: close"]))
    peer = up.accept()
    assert peer.read_until(b"\n") == b"starttls\n"
    peer.send(b"go\n")
    context = server_context(good)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            for b in outgoing.read():
                peer.send(bytes([b]))
            incoming.write(peer.sock.recv(65536))
    tls.write(b"early\n")
    peer.send(outgoing.read())
    assert client.read_body(client.expect_answer(200)) == b"true\nearly\n"


def test_what_came_before_tls_is_not_taken_for_what_tls_protects(lua, good, upstreams, clients):
    up = upstreams()
    d = lua(CONNECT + """
        assert(sock:receive() == "go")
        ngx.say(sock:sslhandshake(false))
    """)
    client = clients(d.address)
    client.send(client.get(f"/h?port={up.address[1]}", add=["Connection: close"]))
    peer = up.accept()
    peer.send(b"go\ninjected\n")
    assert client.read_body(client.expect_answer(200)) == b"nilunread data in buffer\n"


@pytest.mark.parametrize("keys, why", [
    ({"lua_ssl_trusted_certificate": "none.pem"}, "cannot read it"),
    ({"lua_ssl_trusted_certificate": "h.txt"}, "lua_ssl_trusted_certificate"),
    ({"lua_ssl_certificate_key": "h.txt"}, "want lua_ssl_certificate too"),
    ({"lua_ssl_ciphers": "NO-SUCH"}, "OpenSSL knows no such ciphers"),
    ({"lua_ssl_protocols": "TLSv1.1"}, "want TLSv1.2 TLSv1.3"),
    ({"lua_ssl_verify_depth": "0"}, "lua_ssl_verify_depth"),
    ({"lua_ssl_crl": "none.pem"}, "cannot read it"),
    ({"lua_ssl_crl": "h.txt"}, "it holds no list of revoked certificates in PEM"),
    ({"lua_ssl_conf_command": "Curves"}, "want NAME VALUE"),
    ({"lua_ssl_conf_command": "NoSuch thing"}, "OpenSSL does not take NoSuch"),
    ({"lua_ssl_conf_command": "Ciphersuites NONE"}, "OpenSSL does not take Ciphersuites"),
])
@pytest.mark.parametrize("where", ["moongate", "route"])
def test_settings_that_are_refused(tmp_path, keys, why, where):
    (tmp_path / "h.txt").write_text("no PEM")
    (tmp_path / "h.lua").write_text("ngx.say('x')")
    process = {"allow_root_handlers": "yes", **(keys if where == "moongate" else {})}
    route = {"handler": "h.lua", **(keys if where == "route" else {})}
    config = tmp_path / "moongate.conf"
    config.write_text(section("moongate", "", process) + section("listener", "l", {"bind": "127.0.0.1:1"}) +
                      section("route", "r", route))
    status, said = check_config(config)
    assert status != 0
    assert why in said and f"{list(keys)[0]} = " in said, said


@pytest.mark.parametrize("where", ["moongate", "route"])
def test_T_09_K_08_what_a_script_would_show_is_warned_of(tmp_path, ca, where):
    """Once, at its own line: what has expired, and a secret that is none."""
    old, own = ca.make("old", begin=-20, end=-10, file=f"old-{where}"), ca.make("own", file=f"own-{where}")
    both = tmp_path / "both.pem"
    both.write_text(own.certificate.read_text() + own.key.read_text())
    both.chmod(0o644)
    (tmp_path / "h.lua").write_text("ngx.say('x')")
    config = tmp_path / "moongate.conf"

    def said(*files):
        keys = dict(zip(("lua_ssl_certificate", "lua_ssl_certificate_key"), files))
        process = {"allow_root_handlers": "yes", **(keys if where == "moongate" else {})}
        route = {"handler": "h.lua", "lua_ssl_verify_depth": 2, **(keys if where == "route" else {})}
        config.write_text(section("moongate", "", process) + section("listener", "l", {"bind": "127.0.0.1:1"}) +
                          section("route", "r", route))
        status, text = check_config(config)
        assert status == 0, text
        return [line.partition("lua_ssl_")[2] for line in text.splitlines() if "warning: " in line and "lua_ssl_" in line]

    assert said(own.certificate, own.key) == []
    assert said(old.certificate, old.key) == [f"certificate = {old.certificate}: the certificate has expired, 10 days ago"]
    assert said(both) == [f"certificate = {both}: every user of this host may read this file"]
    own.key.chmod(0o604)
    assert said(own.certificate, own.key) == [f"certificate_key = {own.key}: every user of this host may read this file"]


def test_a_reload_with_another_authority(lua, ca, good, secure, tmp_path):
    up = secure(good)
    bundle = tmp_path / "trusted.pem"
    other = Authority(tmp_path / "other", "other")
    bundle.write_text((other.folder / "other.pem").read_text())
    d = lua(HANDSHAKE, process={"lua_ssl_trusted_certificate": bundle}, route={"lua_socket_log_errors": "off"})
    assert ask(d, up.address[1], name="app.test", verify="yes")[0].startswith("nil 20")
    bundle.write_text((ca.folder / "ca.pem").read_text())
    d.signal(1)
    d.wait_line("reloaded")
    assert ask(d, up.address[1], name="app.test", verify="yes") == ["cdata nil", "re hello"]


CLIENT = PORT + """
    local function client(scheme, name)
        local wb = require("resty.websocket.client"):new { timeout = 20000 }
        return wb, wb:connect(scheme .. "://127.0.0.1:" .. port .. "/", { pool = "mixed", ssl_verify = true, server_name = name })
    end
"""


def test_a_pooled_websocket_is_as_good_as_was_asked(lua, ca, good, upstreams, clients):
    """wss:// is never served by a connection without TLS, nor by one of another name."""
    plain = upstreams()
    d = lua(CLIENT + """
        local wb, ok, err = client("ws")
        ngx.say(tostring(ok), " ", tostring(wb:set_keepalive()))
        wb, ok, err = client("wss", "app.test")
        ngx.say(tostring(ok), " ", err)
    """, process={"lua_ssl_trusted_certificate": ca.folder / "ca.pem"}, route={"lua_socket_log_errors": "off"})
    client = clients(d.address)
    client.send(client.get(f"/h?port={plain.address[1]}", add=["Connection: close"]))
    app = plain.accept()
    app.read_until(b"\r\n\r\n")
    app.send(b"HTTP/1.1 101 x\r\n\r\n")
    app.read_until(b"\x16\x03")
    app.close()
    assert client.read_body(client.expect_answer(200)).decode().splitlines() == ["1 1", "nil ssl handshake failed: handshake failed"]
    d.stop()

    up = SecureUpstream(server_context(good))
    try:
        d = lua(CLIENT + """
            local wb, ok, err = client("wss", "app.test")
            ngx.say(tostring(ok), " ", tostring(wb:set_keepalive()))
            wb, ok, err, head = client("wss", "app.test")
            ngx.say(tostring(ok), " ", tostring(err), " ", head, " ", tostring(wb:set_keepalive()))
            wb, ok, err = client("wss", "other.test")
            ngx.say(tostring(ok), " ", err)
        """, process={"lua_ssl_trusted_certificate": ca.folder / "ca.pem"}, route={"lua_socket_log_errors": "off"})
        client = clients(d.address)
        client.send(client.get(f"/h?port={up.address[1]}", add=["Connection: close"]))
        app = up.accept()
        app.read_until(b"\r\n\r\n")
        app.send(b"HTTP/1.1 101 x\r\n\r\n")
        with pytest.raises(ssl.SSLError):
            up.accept()
        assert client.read_body(client.expect_answer(200)).decode().splitlines() == [
            "1 1", "1 nil connection reused 1", "nil ssl handshake failed: certificate host mismatch"]
        app.close()
    finally:
        up.close()


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("after", ["connect", "hello"])
def test_a_peer_that_ends_within_the_handshake(lua, upstreams, clients, end, after):
    up = upstreams()
    d = lua(CONNECT + "ngx.say(sock:sslhandshake()) ngx.say(sock:send('x')) ngx.say(sock:close())",
            route={"lua_socket_log_errors": "off"})
    client = clients(d.address)
    client.send(client.get(f"/h?port={up.address[1]}", add=["Connection: close"]))
    peer = up.accept()
    peer.read_until(b"\x16\x03")
    if after == "hello":
        peer.send(b"\x16\x03\x03")
    getattr(peer, end)()
    assert client.read_body(client.expect_answer(200)).splitlines() == [b"nilhandshake failed", b"nilclosed", b"nilclosed"]
