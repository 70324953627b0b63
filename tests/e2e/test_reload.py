# SPDX-License-Identifier: BSD-2-Clause
"""Reload by SIGHUP: S-01 to S-07, K-01 to K-10 at reload, and what each key becomes."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from helpers.apps import App
from helpers.daemon import SANITIZED, refused, section, still_works, wait_until
from helpers.kernel import unread
from helpers.names import NameServer
from helpers.peer import LIMIT, RawClient, arrived
from helpers.reloads import (Crowd, counts, edit, labelled, outcomes, refuse, reload, wait_outcome)
from helpers.supervisor import Supervisor
from helpers.traffic import Application
from helpers.ways import open_pair

ROUTE = section("route", "hello", {"path": "/hello", "respond": 204})


def status_of(address, target, add=()):
    """What a plain request is answered with."""
    with RawClient(address) as client:
        client.send(client.get(target, add=add))
        return client.read_head().status


def is_open(address):
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as s:
        return s.connect_ex(address) == 0


def who(daemon, target="/app"):
    """The name of the App that a new client gets."""
    with daemon.client() as client:
        client.send(client.request(target))
        client.expect_101()
        name = client.read_message()[1].decode()
        client.end()
    return name


@pytest.fixture
def apps(closing, port):
    """A function that starts an App for each name."""

    def make(*names):
        made = [App(name, ("127.0.0.1", port())) for name in names]
        closing.extend(made)
        return made

    return make


# Parts.


def test_nothing_changed(moongate, upstream):
    """Everything is kept, and nothing noticed."""
    daemon = moongate(upstream)
    client, app = open_pair(daemon, upstream)
    for n in range(1, 4):
        line = reload(daemon)
        assert counts(line, "routes") == (4, 0, 0, 0)
        assert counts(line, "listeners") == (2, 0, 0, 0)
        assert counts(line, "upstreams") == (2, 0, 0, 0)
        client.text(f"{n}")
        app.expect_text(f"{n}")
    still_works(daemon)
    assert not daemon.find("not_listening") and len(daemon.find("listening")) == 2
    client.close()
    app.expect_close(1001)
    app.close()
    assert daemon.stop()["reloads"] == 3


def test_counts_of_each_kind(moongate, upstream, port):
    daemon = moongate(upstream, extra=ROUTE)
    line = reload(daemon, ("respond = 204", "respond = 205"),
                  section("listener", "more", {"bind": f"127.0.0.1:{port()}"}),
                  section("upstream", "other", {"server": "ws://127.0.0.1:1"}),
                  section("route", "other", {"path": "/other", "upstream": "other"}))
    assert counts(line, "routes") == (4, 1, 1, 0)
    assert counts(line, "listeners") == (2, 1, 0, 0)
    assert counts(line, "upstreams") == (2, 1, 0, 0)
    # An upstream that changes takes its routes with it, and no others.
    line = reload(daemon, ("server = ws://127.0.0.1:1\n", "server = ws://127.0.0.1:2\n"))
    assert counts(line, "routes") == (5, 0, 1, 0)
    assert counts(line, "upstreams") == (2, 0, 1, 0)
    line = reload(daemon, ("[route other]\npath = /other\nupstream = other\n", ""))
    assert counts(line, "routes") == (5, 0, 0, 1)
    # A default counts where a route does not say otherwise.
    line = reload(daemon, section("defaults", "", {"idle_timeout": "1h"}))
    assert counts(line, "routes") == (0, 0, 5, 0)


def test_rerouted_under_keep_alive(moongate):
    """A connection's next request goes by the new table; a session keeps the route it began with."""
    daemon = moongate(extra=ROUTE)
    echo = daemon.client().open("/echo")
    client = daemon.client()
    client.send(client.get("/hello"))
    client.expect_answer(204)
    reload(daemon, ("respond = 204", "respond = 302 http://example.com/"), ("[route echo]", "[route echoed]"),
           ("path = /echo", "path = /elsewhere"))
    client.send(client.get("/hello"))
    client.read_body(client.expect_answer(302))
    client.send(client.request("/elsewhere"))
    client.expect_101()
    client.echoes(3)
    echo.echoes(3)
    reload(daemon, ("respond = 302 http://example.com/", "respond = 410"))
    assert status_of(daemon.address, "/hello") == 410
    for c in (echo, client):
        c.end()
    assert daemon.end_of(echo)["route"] == "echo" and daemon.end_of(client)["route"] == "echoed"


def test_request_that_has_begun(moongate, upstream):
    """S-04: its head ends after the reload, so the new table routes it; an upgrade that has been
    asked for ends by the old one."""
    daemon = moongate(upstream, extra=ROUTE)
    half = daemon.client()
    request = half.get("/hello")
    half.send(request[:10])
    opening = daemon.client()
    opening.send(opening.request("/app"))
    app = upstream.accept_request()
    reload(daemon, ("respond = 204", "respond = 404"), ("path = /app*", "path = /apps*"))
    half.send(request[10:])
    half.read_body(half.expect_answer(404))
    app.send(app.answer())
    opening.expect_101()
    opening.text("x")
    app.expect_text("x")
    other = daemon.client()
    other.send(other.request("/app"))
    other.expect_answer(404)
    opening.close()
    app.expect_close(1001)
    app.close()


def test_S_04_during_close(moongate, upstream):
    daemon = moongate(upstream)
    client, app = open_pair(daemon, upstream)
    client.close_frame(1000)
    app.expect_close(1000)
    reload(daemon, ("path = /app*", "path = /apps*"))
    app.close_frame(1000)
    client.expect_close(1000)
    client.expect_eof()
    client.close()
    app.close()
    assert daemon.end_of(client)["cause"] == "close"


# What is refused changes nothing.


BROKEN = {
    "unknown section": ("\n[rout x]\npath = /\n", "unknown section: did you mean [route]?"),
    "K-02 unknown key": ("\n[route x]\npath = /x\necho = on\npaht = /\n", "unknown key: did you mean 'path'?"),
    "K-03 twice": ("\n[route echo]\necho = on\n", "given before"),
    "K-04 number": ("\n[route x]\npath = /x\necho = on\nmax_queue = 99999999999999999999\n", "want 4k..64m"),
    "K-04 trailing": ("\n[route x]\npath = /x\necho = on\nping_interval = 1sx\n", "want"),
    "K-05 port": ("\n[listener x]\nbind = 127.0.0.1:0\n", "want"),
    "K-06 no upstream": ("\n[route x]\npath = /x\nupstream = nobody\n", "there is no [upstream nobody]"),
    "K-06 overlap": ("\n[route x]\nlistener = main\npath = /echo\nrespond = 200\n", "has the same host, path"),
    "K-10 header": ("\n[route x]\npath = /x\necho = on\nresponse_set = A: \x0d\x0d b\n", ""),
    "K-01 NUL": ("\n\0\n", ""),
    "K-01 long line": ("\n[route x]\npath = /" + "x" * 10000 + "\necho = on\n", "line"),
    "secret": ("\n[upstream x]\nserver = ws://127.0.0.1:1\nsticky = c\nsticky_secret = /nowhere/secret\n"
               "[route x]\npath = /x\nupstream = x\n", "cannot read it"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_S_02_refused(moongate, case):
    daemon = moongate(extra=ROUTE)
    text, why = BROKEN[case]
    errors = refuse(daemon, ("respond = 204", "respond = 200"), text)
    assert any(why in e and e.startswith(f"{daemon.config}:") for e in errors), errors
    assert status_of(daemon.address, "/hello") == 204
    still_works(daemon)
    reload(daemon, ("respond = 204", "respond = 200"))
    assert status_of(daemon.address, "/hello") == 200
    totals = daemon.stop()
    assert (totals["reloads"], totals["reloads_failed"]) == (1, 1)


def test_S_02_refused_leaves_shared_dictionaries(lua, tmp_path, port):
    """Another size is of no account until the reload is taken over, though scripts and sockets fail after it was read."""
    daemon = lua("ngx.say((ngx.shared.d:incr('n', 1, 0)))", init="local x = 1", extra="[shared_dict d]\nsize = 1m\n")

    def count():
        with daemon.client() as client:
            client.send(client.get("/h"))
            return int(client.read_body(client.expect_answer(200)))

    assert count() == 1
    (tmp_path / "init.lua").write_text("error('no')")
    refuse(daemon, ("size = 1m", "size = 2m"))
    (tmp_path / "init.lua").write_text("local x = 2")
    refuse(daemon, ("size = 1m", "size = 2m"), "[listener other]\nbind = 192.0.2.1:80\n")
    reload(daemon)
    assert count() == 2 and not daemon.find("shared_dict_emptied")
    reload(daemon, ("size = 1m", "size = 2m"))
    assert count() == 1 and len(daemon.find("shared_dict_emptied")) == 1
    (tmp_path / "init.lua").write_text("local x = 3")
    reload(daemon)
    assert count() == 2 and len(daemon.find("shared_dict_emptied")) == 1


def no_file(path):
    path.unlink()


def folder(path):
    path.unlink()
    path.mkdir()


def fifo(path):
    path.unlink()
    os.mkfifo(path)


def empty(path):
    path.write_bytes(b"")


def huge(path):
    with open(path, "ab") as f:
        f.truncate(100 << 20)


def binary(path):
    path.write_bytes(bytes(range(256)) * 16)


@pytest.mark.parametrize("how, why", [(no_file, "No such file"), (folder, "it is a directory"), (fifo, "it is a pipe"),
                                      (empty, "no listener"), (huge, "too large"), (binary, "")])
def test_K_01_no_configuration(moongate, how, why):
    daemon = moongate()
    client = daemon.client().open()
    text = daemon.config.read_text()
    how(daemon.config)
    n = len(daemon.find("config_error"))
    reload(daemon, refused=True)
    errors = [x["text"] for x in daemon.find("config_error")[n:]]
    assert errors and all(e.startswith(f"{daemon.config}") for e in errors) and any(why in e for e in errors), errors
    client.echoes(3)
    still_works(daemon)
    if daemon.config.is_dir():
        daemon.config.rmdir()
    daemon.config.unlink(missing_ok=True)
    daemon.config.write_text(text)
    reload(daemon)
    client.echoes(3)
    client.end()


def test_K_01_accepted_texts(moongate):
    """A BOM, CRLF and bytes above ASCII in comments."""
    daemon = moongate(extra=ROUTE)
    text = daemon.config.read_bytes().replace(b"respond = 204", b"respond = 200")
    daemon.config.write_bytes(b"\xef\xbb\xbf; \xff\xfe\n" + text.replace(b"\n", b"\r\n"))
    n = len(outcomes(daemon))
    daemon.signal(signal.SIGHUP)
    assert wait_outcome(daemon, n + 1).event == "reloaded"
    assert status_of(daemon.address, "/hello") == 200


def test_K_08_warning(moongate):
    daemon = moongate()
    daemon.config.chmod(0o666)
    reload(daemon)
    assert "every user of this host may write this file" in daemon.wait_line("config_warning")["text"]


def test_the_first_error_is_no_warning(moongate):
    daemon = moongate()
    daemon.config.chmod(0o666)
    line = reload(daemon, ("workers = 1", "workers = 1\nlog_level = loud"), refused=True)
    (warning,), (error,) = ([x["text"] for x in daemon.find(event)] for event in ("config_warning", "config_error"))
    assert "warning: every user" in warning and "log_level" in error
    assert line["first"] == error and line["errors"] == "1"


def test_a_files_name_makes_no_warning_of_an_error(moongate, tmp_path):
    """Nor an error of a warning: a path may hold what stands between place and text."""
    folder = tmp_path / "parts"
    folder.mkdir()
    odd, wrong = folder / "a: b.conf", folder / "c: warning: d.conf"
    odd.write_text("; nothing\n")
    odd.chmod(0o666)
    daemon = moongate()
    wrong.write_text("[defaults]\nmax_message = 1\n")
    line = reload(daemon, ("workers = 1", f"workers = 1\ninclude = {folder}/*.conf"), refused=True)
    (warning,), (error,) = ([x["text"] for x in daemon.find(event)] for event in ("config_warning", "config_error"))
    assert warning.startswith(f"{odd}: warning: every user")
    assert error.startswith(f"{wrong}:2: [defaults] max_message = 1: ")
    assert line["first"] == error and line["errors"] == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_as_the_running_user(daemons, port, low_port):
    """Root's rights are gone: what the user cannot read refuses the reload; ports below 1024 are
    still open to it."""
    folder = Path(tempfile.mkdtemp(prefix="moongate-", dir="/tmp"))
    try:
        folder.chmod(0o755)
        address, low = ("127.0.0.1", port()), ("127.0.0.1", low_port)
        config = folder / "c"
        config.write_text(section("moongate", "", {"user": "nobody", "drain_timeout": "1s"}) +
                          section("listener", "main", {"bind": "%s:%d" % address}) + ROUTE)
        daemon = daemons(config, env={"ASAN_OPTIONS": "detect_leaks=0"}).wait_ready()
        config.chmod(0o600)
        edit(daemon, ("respond = 204", "respond = 200"))
        assert "ermission denied" in refuse(daemon)[0]
        assert status_of(address, "/hello") == 204
        config.chmod(0o644)
        reload(daemon, section("listener", "low", {"bind": "%s:%d" % low}))
        assert status_of(low, "/hello") == 200
        assert not daemon.find("config_warning")
        assert "shadow: cannot read it: Permission denied" in refuse(
            daemon, section("upstream", "u", {"server": "ws://127.0.0.1:1", "sticky": "c", "sticky_secret": "/etc/shadow"}) +
            section("route", "u", {"path": "/u", "upstream": "u"}))[0]
        daemon.stop()
    finally:
        shutil.rmtree(folder)


def test_included_file(moongate, tmp_path):
    """An error in an included file is told with its name; a part in one is known again."""
    more = tmp_path / "more"
    more.mkdir()
    (more / "a.conf").write_text(ROUTE)
    daemon = moongate(process={"include": "more/*.conf"})
    (more / "a.conf").write_text(ROUTE + "nonsense\n")
    assert refuse(daemon)[0].startswith(f"{more}/a.conf:5: ")
    (more / "a.conf").write_text(ROUTE)
    (more / "b.conf").write_text(section("route", "b", {"path": "/b", "respond": 200}))
    assert counts(reload(daemon), "routes") == (4, 1, 0, 0)
    (more / "b.conf").unlink()
    assert counts(reload(daemon), "routes") == (4, 0, 0, 1)
    assert status_of(daemon.address, "/b") == 404


def test_needs_a_restart(moongate):
    """A key that only a start can change: a warning, again at each reload, and the rest is done."""
    daemon = moongate(extra=ROUTE)
    reload(daemon, ("workers = 1", "workers = 2"), ("respond = 204", "respond = 200"))
    warning = daemon.wait_line("config_warning")["text"]
    assert warning == (f"{daemon.config}:2: warning: [moongate] workers: needs a restart to become 2; it stays 1")
    assert status_of(daemon.address, "/hello") == 200
    reload(daemon)
    assert len(daemon.find("config_warning")) == 2
    reload(daemon, ("workers = 2", "workers = 1"))
    reload(daemon, ("workers = 1\n", "core_dumps = on\n"))
    assert [w["text"].rsplit(": ", 1)[1] for w in daemon.find("config_warning")[2:]] == [
        "needs a restart to become auto; it stays 1", "needs a restart to become on; it stays off"]


def test_warnings_of_a_refused_one(moongate):
    """What is odd is told as that beside what is wrong, and is not counted with it."""
    daemon = moongate(extra=ROUTE)
    unused = section("upstream", "unused", {"server": "ws://127.0.0.1:9"})
    told = refuse(daemon, ("workers = 1", "workers = 2"), ("respond = 204", "respond = no"), ("[listener main]", f"{unused}[listener main]"))
    assert len(told) == 1 and "respond = no: want" in told[0], told
    assert "workers: needs a restart" in daemon.wait_line("config_warning")["text"]


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root may run scripts")
def test_scripts_as_root_need_a_restart(moongate, tmp_path):
    """A reload that brings scripts and the leave to run them as root gets neither."""
    daemon = moongate(extra=ROUTE)
    (tmp_path / "hello.lua").write_text("ngx.say('hello')")
    line = reload(daemon, ("workers = 1", "workers = 1\nallow_root_handlers = yes"), ("respond = 204", "handler = hello.lua"),
                  refused=True)
    assert line["first"] == (f"{daemon.config}: scripts would run as root: want user = NAME in [moongate], "
                             "or allow_root_handlers = yes, and a restart")
    assert "allow_root_handlers: needs a restart to become yes; it stays no" in daemon.log
    assert status_of(daemon.address, "/hello") == 204


# Listeners.


def test_S_05_added_and_removed(moongate, port):
    daemon = moongate()
    one, two = ("127.0.0.1", port()), ("127.0.0.1", port())
    more = section("listener", "more", {"bind": [f"{h}:{p}" for h, p in (one, two)]})
    line = reload(daemon, more)
    assert counts(line, "listeners") == (2, 1, 0, 0)
    assert status_of(one, "/echo") == 404 and status_of(two, "/nothing") == 404
    clients = [RawClient(a) for a in (one, two)]
    for client in clients:
        client.send(client.get("/nothing"))
        client.read_body(client.expect_answer(404))
    reload(daemon, (f"bind = {one[0]}:{one[1]}\n", ""))
    assert daemon.wait_line("not_listening")["address"] == "%s:%d" % one
    assert not is_open(one) and is_open(two)
    reload(daemon, (section("listener", "more", {"bind": "%s:%d" % two}), ""))
    assert not is_open(two)
    # Whoever came by them stays.
    for client in clients:
        client.send(client.get("/nothing"))
        client.read_body(client.expect_answer(404))
        client.close()
    reload(daemon, more)
    assert is_open(one) and is_open(two)
    still_works(daemon)


def test_S_05_changed_address(moongate, port):
    """From one address to all of the port, and back: the old socket is ours, so it is not in the
    way, and nobody is refused meanwhile."""
    n = port()
    where = ("127.0.0.1", n)
    daemon = moongate(process={"workers": 2}, extra=section("listener", "more", {"bind": f"127.0.0.1:{n}"}) + ROUTE)
    other = ("127.0.0.2", n)
    for before, after in (("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1")):
        for _ in range(5):
            assert status_of(where, "/hello") == 204
        reload(daemon, (f"bind = {before}:{n}", f"bind = {after}:{n}"))
        for _ in range(5):
            assert status_of(where, "/hello") == 204
        assert is_open(other) == (after == "0.0.0.0")


def test_S_05_moved_to_another_listener(moongate, port):
    """The address stays, and its socket: what waits there meanwhile is served by the new settings."""
    n = port()
    daemon = moongate(extra=section("listener", "one", {"bind": f"127.0.0.1:{n}"}) +
                      section("route", "one", {"listener": "one", "path": "/x", "respond": 201}))
    assert status_of(("127.0.0.1", n), "/x") == 201
    reload(daemon, ("[listener one]", "[listener two]"), ("listener = one", "listener = two"),
           ("respond = 201", "respond = 202"))
    assert status_of(("127.0.0.1", n), "/x") == 202
    assert not daemon.find("not_listening")


def test_listeners_keep_their_meaning(moongate, port):
    """One is put in front of others, another goes: routes by listener are unchanged, connections
    by one whose address is gone too have only the routes for all."""
    first, last = ("127.0.0.1", port()), ("127.0.0.1", port())
    text = "".join(section("route", f"r {n}".replace(" ", ""), {"listener": n, "path": "/which", "respond": s})
                   for n, s in (("main", 201), ("last", 202)))
    daemon = moongate(extra=section("listener", "last", {"bind": "%s:%d" % last}) + text +
                      section("route", "any", {"path": "/any", "respond": 204}))
    old = RawClient(last)
    old.send(old.get("/which"))
    old.read_body(old.expect_answer(202))
    config = daemon.config.read_text()
    daemon.config.write_text(section("listener", "first", {"bind": "%s:%d" % first}) + config)
    line = reload(daemon)
    assert counts(line, "routes") == (6, 0, 0, 0) and counts(line, "listeners") == (3, 1, 0, 0)
    assert status_of(first, "/which") == 404 and status_of(daemon.address, "/which") == 201
    old.send(old.get("/which"))
    old.read_body(old.expect_answer(202))
    # The number of `last` becomes that of `next`: not for the connection that came by `last`.
    reload(daemon, ("[listener last]", "[listener next]"), ("listener = last", "listener = next"),
           (section("listener", "next", {"bind": "%s:%d" % last}).partition("\n")[2], f"bind = 127.0.0.1:{port()}\n"))
    assert not is_open(last)
    old.send(old.get("/which"))
    old.read_body(old.expect_answer(404))
    old.send(old.get("/any"))
    old.expect_answer(204)
    old.close()


def listeners_by_port(binds):
    """binds: {name: ports}, each with a route of its own that tells the name."""
    return "".join(
        section("listener", name, {"bind": [f"127.0.0.1:{n}" for n in ports]}) +
        section("route", f"by-{name}", {"listener": name, "path": "/which", "respond": f"302 /{name}"})
        for name, ports in binds.items())


def which(client):
    """The name of the listener by which a request on this connection is routed; None: by that of none."""
    client.send(client.get("/which"))
    head = client.read_head()
    client.read_body(head)
    assert head.status == (302 if head.get("Location") else 404)
    return (head.get("Location") or "/").removeprefix("/") or None


@pytest.mark.parametrize("steps", [
    pytest.param([{"new": "ab"}, {"newer": "ab"}], id="renamed twice"),
    pytest.param([{"one": "a", "two": "b"}], id="parted among new ones"),
    pytest.param([{"one": "a", "two": "b"}, {"both": "ab"}], id="and joined"),
    pytest.param([{"one": "a"}, {"two": "ab"}], id="an address was away"),
    pytest.param([{"old": "a", "new": "b"}], id="the name is left to one"),
    pytest.param([{"new": "ab"}, {"old": "a", "other": "b"}], id="the name comes back"),
])
def test_S_05_who_came_before_a_listener_was_renamed(moongate, clients, port, steps):
    """A connection that waits is routed by the name it came by, as long as there is one of that name; else as who
    comes to its address now. Where the address is gone as well, only by the routes for all."""
    ports = {"a": port(), "b": port()}
    texts = [listeners_by_port({name: [ports[n] for n in letters] for name, letters in step.items()})
             for step in [{"old": "ab"}, *steps]]
    daemon = moongate(process={"workers": 2, "core_dumps": "on"}, extra=texts[0])
    waiting = [(n, clients(("127.0.0.1", p))) for n, p in ports.items() for _ in range(4)]
    asked = [(n, clients(("127.0.0.1", p))) for n, p in ports.items()]
    assert [which(client) for _, client in asked] == ["old", "old"]
    came = daemon.descriptors + len(waiting) + len(asked)
    wait_until(lambda: daemon.count_descriptors() == came, "all to have come in by the listener of that name")
    left = set(ports)
    for step, before, after in zip(steps, texts, texts[1:]):
        reload(daemon, (before, after))
        left &= set("".join(step.values()))
        names = {n: "old" if "old" in step else next((name for name, letters in step.items() if n in left & set(letters)), None)
                 for n in ports}
        assert [which(client) for _, client in asked] == list(names.values())
    assert {(n, which(client)) for n, client in waiting} == set(names.items())


def test_S_05_names_that_are_exchanged(moongate, clients, port):
    """A name is what a connection came by, not an address."""
    one, two = port(), port()
    daemon = moongate(extra=(before := listeners_by_port({"x": [one], "y": [two]})))
    client = clients(("127.0.0.1", one))
    assert which(client) == "x"
    reload(daemon, (before, listeners_by_port({"x": [two], "y": [one]})))
    assert which(client) == "x"
    assert which(clients(("127.0.0.1", one))) == "y"


@pytest.mark.parametrize("kind", ["in use", "not ours", "folder"])
def test_K_05_cannot_be_opened(moongate, upstreams, port, tmp_path, kind):
    """Nothing is done, and what was opened meanwhile is closed again."""
    daemon = moongate(extra=ROUTE)
    taken = upstreams().address
    good = ("127.0.0.1", port())
    bind, why = {"in use": ("%s:%d" % taken, "address already in use"),
                 "not ours": ("203.0.113.7:80", "annot assign requested address"),
                 "folder": (f"unix:{tmp_path}/no/where", "o such file")}[kind]
    errors = refuse(daemon, ("respond = 204", "respond = 200"),
                    section("listener", "good", {"bind": "%s:%d" % good}),
                    section("listener", "bad", {"bind": bind}))
    line = daemon.config.read_text().count("\n") + 5
    assert len(errors) == 1 and errors[0].startswith(f"{daemon.config}:{line}: [listener bad] bind = {bind}: "), errors
    assert why.lower() in errors[0].lower(), errors
    assert not is_open(good) and status_of(daemon.address, "/hello") == 204
    still_works(daemon)


def test_K_05_every_bind_that_fails_is_told(moongate, upstreams):
    daemon = moongate()
    taken = ["%s:%d" % upstreams().address for _ in range(3)]
    assert len(refuse(daemon, section("listener", "bad", {"bind": taken}))) == 3


def test_removed_listener_loses_none_that_wait(moongate, port):
    """Those that the kernel has queued when the reload comes are accepted and served."""
    n = port()
    daemon = moongate(process={"workers": 2}, extra=section("listener", "more", {"bind": f"127.0.0.1:{n}"}) + ROUTE)
    gone = section("listener", "more", {"bind": f"127.0.0.1:{n}"})
    for _ in range(3):
        clients = []
        with daemon.frozen():
            for _ in range(200):
                client = RawClient(("127.0.0.1", n))
                client.send(client.get("/hello"))
                clients.append(client)
            edit(daemon, (gone, ""))
            many = len(outcomes(daemon))
            daemon.signal(signal.SIGHUP)
        wait_outcome(daemon, many + 1)
        assert not is_open(("127.0.0.1", n))
        for client in clients:
            client.expect_answer(204)
            client.close()
        reload(daemon, gone)


def test_unix_socket(moongate, tmp_path):
    """Its mode changes in place, comes back when it is not given any more, and the file goes with
    the listener; one that somebody removed is made again."""
    path = str(tmp_path / "s")
    text = section("listener", "u", {"bind": f"unix:{path}"})
    daemon = moongate(extra=text + ROUTE)
    mode = stat.S_IMODE(os.stat(path).st_mode)
    inode = os.stat(path).st_ino
    reload(daemon, ("[listener u]\n", "[listener u]\nmode = 0600\n"))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    reload(daemon, ("mode = 0600\n", "mode = 0666\n"))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o666
    # The mode is as it was when the reload is refused, too.
    taken = "%s:%d" % daemon.address
    errors = refuse(daemon, ("mode = 0666\n", "mode = 0640\n"), section("listener", "x", {"bind": taken}))
    assert "taken by" in errors[0] and stat.S_IMODE(os.stat(path).st_mode) == 0o666
    reload(daemon, ("mode = 0666\n", ""))
    assert stat.S_IMODE(os.stat(path).st_mode) == mode and os.stat(path).st_ino == inode
    assert status_of(path, "/hello") == 204
    os.unlink(path)
    reload(daemon)
    assert status_of(path, "/hello") == 204
    reload(daemon, (f"bind = unix:{path}", f"bind = unix:{path}2"))
    assert not os.path.exists(path) and status_of(path + "2", "/hello") == 204


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_unix_socket_owner(moongate, tmp_path):
    path = tmp_path / "s"
    daemon = moongate(extra=section("listener", "u", {"bind": f"unix:{path}"}))
    reload(daemon, ("[listener u]\n", "[listener u]\nowner = nobody\ngroup = 65534\n"))
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)
    reload(daemon, ("owner = nobody\ngroup = 65534\n", ""))
    assert (path.stat().st_uid, path.stat().st_gid) == (0, 0)


def buffers(client):
    """The sizes of the daemon's socket towards it: (receive, send), as the kernel counts them."""
    here, there = ("%s:%d" % x for x in (client.sock.getpeername(), client.sock.getsockname()))
    said = subprocess.run(["ss", "-Htnm", "src", here, "dst", there], capture_output=True, text=True, check=True).stdout
    return tuple(int(re.search(rf"\b{name}(\d+)", said)[1]) for name in ("rb", "tb"))


def test_options_of_sockets(moongate):
    """Connections that come have the new ones, and the sockets stay."""
    daemon = moongate()

    def seen():
        with daemon.client() as client:
            client.open("/echo")
            return buffers(client)

    usual = seen()
    reload(daemon, ("[listener main]", "[listener main]\nsend_buffer = 8k\nreceive_buffer = 16k\nbacklog = 17"))
    assert seen() == (32768, 16384)
    reload(daemon, ("send_buffer = 8k", "send_buffer = 64k"))
    assert seen() == (32768, 131072)
    reload(daemon, ("send_buffer = 64k\nreceive_buffer = 16k\nbacklog = 17\n", "tcp_keepalive = off\n"))
    assert seen() == usual
    assert len(daemon.find("listening")) == 2


def test_listener_settings(moongate, clients):
    """handshake_timeout, trusted_proxy, max_connections: for who comes from now on."""
    daemon = moongate(extra=ROUTE, listener={"keepalive_timeout": "10m"},
                      route={"response_set": "X-Client: ${remote_addr}"})
    claim = [("X-Forwarded-For", "192.0.2.7")]

    def client_as_seen():
        client = daemon.client().open("/echo", add=claim)
        client.end()
        return client.head.get("X-Client")

    old = daemon.client()
    old.send(old.get("/hello"))
    old.expect_answer(204)
    assert client_as_seen() == "127.0.0.1"
    line = reload(daemon, ("keepalive_timeout = 10m", "keepalive_timeout = 10m\ntrusted_proxy = 127.0.0.0/8"))
    assert counts(line, "listeners") == (1, 0, 1, 0) and counts(line, "routes") == (4, 0, 0, 0)
    assert client_as_seen() == "192.0.2.7"
    # Who was there before has the settings that were there before, in full.
    old.open("/echo", add=claim)
    assert old.head.get("X-Client") == "127.0.0.1"
    old.end()
    reload(daemon, ("keepalive_timeout = 10m", "handshake_timeout = 200ms"))
    with daemon.frozen():
        slow = daemon.client()
        slow.send("GET /hello HTTP/1.1\r\n")
    slow.expect_refusal(408)


def test_S_07_limits(moongate):
    """Lowered below what is there: nobody goes, nobody more comes; raised: at once."""
    daemon = moongate(route={"max_connections": 3})
    there = [daemon.client().open("/echo") for _ in range(3)]
    over = daemon.client()
    over.send(over.request("/echo"))
    refused(daemon, over, 503)
    reload(daemon, ("max_connections = 3", "max_connections = 1"))
    for client in there:
        client.echoes(2)
    there.pop().end()
    over = daemon.client()
    over.send(over.request("/echo"))
    refused(daemon, over, 503)
    reload(daemon, ("max_connections = 1", "max_connections = 4"))
    there += [daemon.client().open("/echo") for _ in range(2)]
    over = daemon.client()
    over.send(over.request("/echo"))
    refused(daemon, over, 503)
    for client in there:
        client.end()


# Upstreams.


def test_upstream_changed(moongate, apps):
    one, two = apps("one", "two")
    daemon = moongate(one)
    old = daemon.client()
    old.send(old.request("/app"))
    old.expect_101()
    old.expect_text("one")
    reload(daemon, (one.text, two.text))
    assert who(daemon) == "two"
    old.ping("x")
    old.expect_frame(10, "x")
    old.end()
    assert daemon.end_of(old)["server"] == one.text


def test_server_that_is_down_stays_down(moongate, apps, closing):
    """Whoever was found dead is not asked by the first sessions after a reload."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    closing.append(holder)
    (good,) = apps("good")
    dead = "ws://%s:%d" % holder.getsockname()
    daemon = moongate(good, group={"server": [good.url, dead], "max_fails": 1, "fail_timeout": "10m"})
    for _ in range(4):
        assert who(daemon) == "good"
    daemon.wait_line("server_down")
    for weight in (2, 3, 4):
        line = reload(daemon, (good.url, f"{good.url} weight={weight}") if weight == 2
                      else (f"weight={weight - 1}", f"weight={weight}"))
        assert counts(line, "upstreams") == (1, 0, 1, 0)
        for _ in range(4):
            assert who(daemon) == "good"
    assert daemon.stop()["server_failures"] == 1


def test_health_goes_on(moongate, apps):
    """An unhealthy server stays so when its group changes; probes begin and end with the key."""
    one, two = apps("one", "two")
    keys = {"server": [one.url, two.url], "health": "connect", "health_interval": "20ms", "health_fall": 1,
            "max_fails": "off"}
    daemon = moongate(one, group=keys)
    two.kill()
    daemon.wait_line("server_unhealthy", server=two.text)
    for n in range(3):
        reload(daemon, (f"health_interval = {20 + n}ms", f"health_interval = {21 + n}ms"))
        assert [who(daemon) for _ in range(4)] == ["one"] * 4
    assert not daemon.find("server_healthy")
    reload(daemon)  # unchanged: probed all the same
    two.start()
    daemon.wait_line("server_healthy", server=two.text)
    two.kill()
    daemon.wait_line("server_unhealthy", 2, server=two.text)
    reload(daemon, ("health = connect", "health = off"), ("health_interval = 23ms\nhealth_fall = 1\n", ""))
    assert daemon.wait_line("server_healthy", 2, server=two.text)["reason"] == "it is not checked any more"
    assert daemon.stop()["server_failures"] == 0


def test_health_begins_and_the_group_goes(moongate, apps, upstream):
    (app,) = apps("app")
    daemon = moongate(app)
    reload(daemon, (f"server = {app.url}\n", f"server = {app.url}\nhealth = connect\nhealth_interval = 20ms\nhealth_fall = 1\n"))
    app.kill()
    daemon.wait_line("server_unhealthy")
    app.start()
    daemon.wait_line("server_healthy")
    text = daemon.config.read_text()
    start = text.index("[upstream app]")
    daemon.config.write_text(text[:start])
    assert counts(reload(daemon), "upstreams") == (1, 0, 0, 1)
    daemon.config.write_text(text)
    reload(daemon)
    assert who(daemon) == "app"


def test_those_who_wait_for_a_place(moongate, upstream):
    """They have the settings that they came by, and are served in their turn."""
    daemon = moongate(upstream, group={"max_connections": 1, "queue": 10})
    first, app = open_pair(daemon, upstream)
    waiting = daemon.client()
    waiting.send(waiting.request("/app"))
    daemon.client().open("/echo").end()  # it has been heard
    reload(daemon, ("max_connections = 1", "max_connections = 2"))
    second = upstream.accept_open()
    waiting.expect_101()
    for client, peer in ((first, app), (waiting, second)):
        client.text("x")
        peer.expect_text("x")
        client.close()
        peer.expect_close(1001)
        peer.close()


def test_sticky_secret_is_read_again(moongate, apps, tmp_path):
    """A file that a key names counts as the key does."""
    one, two = apps("one", "two")
    secret = tmp_path / "secret"
    secret.write_text("1" * 40)
    secret.chmod(0o600)
    daemon = moongate(one, group={"server": [one.url, two.url], "sticky": "c", "sticky_secret": secret})

    def visit(cookie=None):
        with daemon.client() as client:
            client.send(client.request("/app", add=[("Cookie", cookie)] if cookie else ()))
            head = client.expect_101()
            name = client.read_message()[1].decode()
            client.end()
        return name, (head.get("Set-Cookie") or "").split(";")[0]

    name, cookie = visit()
    for _ in range(4):
        assert visit(cookie)[0] == name
    assert counts(reload(daemon), "upstreams") == (2, 0, 0, 0)
    secret.write_text("2" * 40)
    assert counts(reload(daemon), "upstreams") == (1, 0, 1, 0)
    assert visit(cookie)[1] != ""  # it is not honoured: another is set
    secret.write_text("short")
    assert "too short a secret" in refuse(daemon)[0]


def test_resolver_changed(moongate, apps, closing):
    """Who waits for an answer of the name server before is served by the one after; when it stays,
    questions to it are not disturbed."""
    (app,) = apps("app")
    silent, good = NameServer(), NameServer()
    closing.extend([silent, good])
    silent.scripts["app.test"] = lambda q: []
    good.a("app.test", "127.0.0.1")
    daemon = moongate(app, group={"server": f"ws://app.test:{app.address[1]}"},
                      process={"resolver": silent.text, "resolver_timeout": "10s"},
                      env={"LOCALDOMAIN": "", "CARES_HOSTS": "/dev/null"})
    client = daemon.client()
    client.send(client.request("/app"))
    wait_until(lambda: silent.asked, "a question")
    reload(daemon, section("route", "x", {"path": "/x", "respond": 200}))
    reload(daemon, (silent.text, good.text))
    client.expect_101()
    client.expect_text("app")
    assert len(silent.asked) <= 2  # one for each family: not again by the first reload
    client.end()


# The log.


def test_log_keys(moongate, tmp_path):
    daemon = moongate()
    target = tmp_path / "moongate.log"
    reload(daemon, ("log_rate = off", "log_rate = off\nlog_level = debug"))
    client = daemon.client().open("/echo")
    client.end()
    daemon.wait_line("state", to="ended")
    edit(daemon, ("log_level = debug", f"log = {target}"))
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: target.exists() and " reloaded " in target.read_text(), "the line of the reload in the new log")
    assert " state " not in target.read_text()
    edit(daemon, (f"log = {target}", "log = stderr"))
    daemon.signal(signal.SIGHUP)
    wait_outcome(daemon, 2)


def test_access_log_keys(moongate, tmp_path):
    """On, elsewhere, off, with sessions open throughout."""
    one, two = tmp_path / "one", tmp_path / "two"
    daemon = moongate()
    across = [daemon.client().open("/echo")]

    def session():
        client = daemon.client().open("/echo")
        client.end()
        daemon.end_of(client)
        return client

    reload(daemon, ("log_rate = off", f"log_rate = off\naccess_log = {one}"))
    a = session()
    wait_until(lambda: a.local in one.read_text(), "the record")
    across.append(daemon.client().open("/echo"))
    reload(daemon, (f"access_log = {one}", f"access_log = {two}\naccess_log_format = text"))
    b = session()
    wait_until(lambda: b.local in two.read_text(), "the record")
    assert b.local not in one.read_text() and not two.read_text().startswith("{")
    across.append(daemon.client().open("/echo"))
    size = two.stat().st_size
    reload(daemon, (f"access_log = {two}\naccess_log_format = text", "access_log = off"))
    session()
    for client in across:
        client.echoes(1)
        client.end()
    daemon.stop()
    assert two.stat().st_size == size


def test_records_name_the_parts_of_their_session(moongate, apps, tmp_path):
    """Two servers in turn, what they are called then and later, and fewer fields: no record has what
    another one's parts were called."""
    one, two = apps("one", "two")
    log = tmp_path / "a.log"
    daemon = moongate(one, process={"access_log": log})
    seen = 0

    def told(n, *names):
        nonlocal seen
        wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") == seen + n, f"{n} records")
        records = [json.loads(line) for line in log.read_text().splitlines()[seen:]]
        seen += n
        return sorted(tuple(r.get(name) for name in names) for r in records)

    def sessions():
        return sorted({"one": one.text, "two": two.text}[who(daemon)] for _ in range(6))

    reload(daemon, (f"server = {one.url}\n", f"server = {one.url}\nserver = {two.url}\n"))
    want = [("app", "app", server, "GET") for server in sessions()]
    assert len(set(want)) == 2 and told(6, "route", "upstream", "server", "method") == want
    across = daemon.client()
    across.send(across.request("/app"))
    across.expect_101()
    server = {"one": one.text, "two": two.text}[across.read_message()[1].decode()]
    for was, now in (("app", "other"), ("other", "third"), ("third", "app")):
        reload(daemon, (f"[route {was}]", f"[route {now}]"), (f"[upstream {was}]", f"[upstream {now}]"),
               (f"upstream = {was}\n", f"upstream = {now}\n"))
        want = [(now, now, server, "GET") for server in sessions()]
        assert told(6, "route", "upstream", "server", "method") == want
    across.end()
    assert told(1, "route", "upstream", "server", "cause") == [("app", "app", server, "close")]
    reload(daemon, (f"access_log = {log}", f"access_log = {log}\naccess_log_fields = event server cause"))
    want = [(None, None, server, None, "end", "close") for server in sessions()]
    assert told(6, "time", "route", "server", "method", "event", "cause") == want
    reload(daemon, ("event server cause", "route client_code"))
    sessions()
    assert told(6, "event", "route", "server", "client_code", "cause") == [(None, "app", None, 1000, None)] * 6


@pytest.mark.parametrize("key", ["log", "access_log"])
def test_log_that_cannot_be_opened(moongate, tmp_path, key):
    """Neither of the two changes, nor anything else. (The access log's idle thread may be there.)"""
    daemon = moongate(extra=ROUTE)
    daemon.descriptors += 1
    other = tmp_path / "other"
    lines = {"log": other, "access_log": other, key: tmp_path / "no/where"}
    errors = refuse(daemon, ("respond = 204", "respond = 200"),
                    ("log_rate = off", "log_rate = off\n" + "\n".join(f"{k} = {v}" for k, v in lines.items())))
    at = 5 if key == "log" else 6
    assert len(errors) == 1 and errors[0].startswith(f"{daemon.config}:{at}: [moongate] {key} = {lines[key]}: no such"), errors
    assert status_of(daemon.address, "/hello") == 204
    assert not other.exists() or other.read_text() == ""


def test_refused_for_an_address_leaves_no_logs(moongate, tmp_path, port):
    """Files are made once nothing else can fail any more."""
    daemon = moongate(extra=ROUTE)
    logs = {k: tmp_path / f"{k}.new" for k in ("log", "access_log", "tls_key_log")}
    keys = "\n".join(f"{k} = {v}" for k, v in logs.items())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port()))
        taken.listen()
        errors = refuse(daemon, ("log_rate = off", f"log_rate = off\n{keys}"),
                        section("listener", "x", {"bind": "%s:%d" % taken.getsockname()}))
    assert len(errors) == 1 and "ddress already in use" in errors[0], errors
    assert not [k for k, v in logs.items() if v.exists()]


@pytest.mark.parametrize("key", ["log", "access_log", "tls_key_log"])
def test_refused_for_a_log_changes_no_address(moongate, tmp_path, port, key):
    path, new, address = tmp_path / "s", tmp_path / "new", ("127.0.0.1", port())
    daemon = moongate(extra=section("listener", "u", {"bind": f"unix:{path}", "mode": "0660"}) + ROUTE)
    daemon.descriptors += key == "access_log"  # of its idle thread
    for _ in range(2):
        errors = refuse(daemon, ("log_rate = off", f"log_rate = off\n{key} = {tmp_path}/no/where"), ("mode = 0660", "mode = 0600"),
                        section("listener", "x", {"bind": "%s:%d" % address}) + f"bind = unix:{new}\n")
        assert len(errors) == 1 and "no such file" in errors[0], errors
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert not is_open(address) and not new.exists()
        assert status_of(str(path), "/hello") == status_of(daemon.address, "/hello") == 204
    reload(daemon, ("mode = 0660", "mode = 0600"), section("listener", "x", {"bind": "%s:%d" % address}))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and status_of(address, "/hello") == 204


def test_drain_timeout(moongate):
    daemon = moongate(process={"drain_timeout": "10m"})
    clients = [daemon.client().open("/echo") for _ in range(110)]
    reload(daemon, ("drain_timeout = 10m", "drain_timeout = 100ms"))
    daemon.signal()
    for client in clients:
        client.expect_close(1001)
        client.close_frame(1001)
        client.expect_eof()
        client.close()
    daemon.wait_end()


def test_memory_and_table(moongate):
    """memory_max and address_table count from now on."""
    daemon = moongate()
    client = daemon.client().open("/echo")
    reload(daemon, ("log_rate = off", "log_rate = off\nmemory_max = 8m\naddress_table = 1000"))
    client.echoes(1)
    hogs = [daemon.client() for _ in range(2)]
    reload(daemon, ("memory_max = 8m", "memory_max = off"))
    for hog in hogs:
        hog.open("/echo").end()
    client.end()


# Signals.


def test_S_03_storm(moongate):
    """As fast as they can be sent: they are one after the other, and fewer than were sent."""
    daemon = moongate(extra=ROUTE)
    client = daemon.client().open("/echo")
    for i in range(500):
        daemon.signal(signal.SIGHUP)
        if i % 50 == 0:
            client.echoes(1)
    edit(daemon, ("respond = 204", "respond = 200"))
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: status_of(daemon.address, "/hello") == 200, "the last of them")
    client.end()
    totals = daemon.stop()
    assert 1 <= totals["reloads"] <= 501 and totals["reloads_failed"] == 0


def test_S_11_while_it_starts(daemons, port, tmp_path):
    config = tmp_path / "c"
    config.write_text(section("listener", "main", {"bind": f"127.0.0.1:{port()}"}) + ROUTE)
    for delay in range(0, 200, 20):
        daemon = daemons(config)
        for _ in range(delay):
            os.stat(f"/proc/{daemon.pid}/status")
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: daemon.find("ready") or daemon.process.poll() is not None, "the start")
        if daemon.process.poll() is not None:
            # Before signals are held back it ends the process, as it does any.
            assert daemon.process.returncode == -signal.SIGHUP
            daemon.checked = True
            continue
        assert daemon.stop()["reloads"] <= 1


def test_during_drain(moongate):
    """A stop goes on; what the file says does not matter any more."""
    daemon = moongate(process={"drain_timeout": "10m"})
    client = daemon.client().open("/echo")
    daemon.signal()
    client.expect_close(1001)
    daemon.config.write_text("nonsense")
    daemon.signal(signal.SIGHUP)
    daemon.wait_line("signal_ignored", signal="SIGHUP")
    client.close_frame(1001)
    client.expect_eof()
    client.close()
    assert daemon.wait_end()["reloads_failed"] == 0


@pytest.mark.parametrize("first", [signal.SIGHUP, signal.SIGTERM])
def test_stopped_at_the_same_time(moongate, first):
    """SIGTERM wins: whichever came first, the daemon ends in order."""
    daemon = moongate(process={"workers": 2}, extra=ROUTE)
    client = daemon.client().open("/echo")
    with daemon.frozen():
        daemon.signal(first)
        daemon.signal(signal.SIGTERM if first == signal.SIGHUP else signal.SIGHUP)
    client.expect_close(1001)
    client.close_frame(1001)
    client.expect_eof()
    client.close()
    assert daemon.wait_end()["reloads"] == 0


def test_stopped_while_it_is_taken_over(moongate, port):
    """A reload has begun, with listeners that come and go, and then the stop: all in order."""
    daemon = moongate(process={"workers": 2}, extra=section("listener", "more", {"bind": f"127.0.0.1:{port()}"}))
    clients = [daemon.client().open("/echo") for _ in range(20)]
    text = daemon.config.read_text()
    start = text.index("[listener more]")
    daemon.config.write_text(text[:start] + section("listener", "new", {"bind": f"127.0.0.1:{port()}"}))
    daemon.signal(signal.SIGHUP)
    daemon.signal()
    for client in clients:
        client.expect_close(1001)
        client.close_frame(1001)
        client.expect_eof()
        client.close()
    assert daemon.wait_end()["reloads"] <= 1


def test_stuck_worker(moongate):
    """The control thread does not wait for it: other signals are heard, and it is told."""
    daemon = moongate(extra=ROUTE, faults="turn:40:EDEADLK")

    def is_answered():
        """False when the daemon sleeps over a request."""
        seen = [0]

        def over():
            seen[0] = seen[0] + 1 if unread(client.sock) and daemon.is_asleep() else 0
            return arrived(client) or seen[0] > 20

        with daemon.client() as client:
            client.send(client.get("/hello"))
            wait_until(over, "an answer, or none for ever")
            return arrived(client)

    while is_answered():
        pass
    daemon.signal(signal.SIGHUP)
    daemon.signal(signal.SIGHUP)
    daemon.wait_line("reload_waits", worker="0")
    daemon.signal(signal.SIGUSR2)
    daemon.wait_line("signal_ignored", signal="SIGUSR2")
    assert not daemon.find("reloaded")
    daemon.checked = True
    daemon.kill()


# The service manager.


@pytest.fixture
def supervised(tmp_path, port):
    """A function that starts a daemon under a supervisor; its address is .address."""
    made = []

    def make(bind=None, **how):
        n = port()
        config = tmp_path / "c.conf"
        config.write_text(section("moongate", "", {"workers": 2, "drain_timeout": "1s"}) +
                          section("listener", "main", {"bind": bind or f"127.0.0.1:{n}"}) + ROUTE)
        made.append(Supervisor(config, **how))
        made[-1].address = ("127.0.0.1", n)
        made[-1].start()
        made[-1].ready()
        return made[-1]

    yield make
    for s in made:
        s.close()


def test_S_15_notify_reload(supervised):
    """Type=notify-reload: RELOADING=1 with the time, not before the signal's, then READY=1."""
    s = supervised()
    for _ in range(3):
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        s.daemon.signal(signal.SIGHUP)
        message = s.expect("RELOADING", skip=())
        assert before <= int(message["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        message = s.expect("READY", skip=())
        assert "reloaded" in message["STATUS"]
    s.stop()


def test_S_15_notify_of_a_refused_reload(supervised):
    s = supervised()
    s.config.write_text(s.config.read_text() + "[route x]\nnonsense = 1\n")
    s.daemon.signal(signal.SIGHUP)
    s.expect("RELOADING", skip=())
    message = s.expect("READY", skip=())
    assert f"{s.config}:" in message["STATUS"] and "refused" in message["STATUS"]
    assert status_of(s.address, "/hello") == 204
    s.stop()


def test_passed_socket(supervised):
    """fd:NAME stays usable: its settings change, and it is neither closed nor lost."""
    passed = socket.create_server(("127.0.0.1", 0))
    address = passed.getsockname()
    s = supervised("fd:web", sockets=[("web", passed)])
    assert status_of(address, "/hello") == 204
    text = s.config.read_text()
    for n in range(3):
        s.config.write_text(text.replace("bind = fd:web\n", f"bind = fd:web\nhandshake_timeout = {n + 2}s\n"))
        s.daemon.signal(signal.SIGHUP)
        assert wait_outcome(s.daemon, n + 1).event == "reloaded"
        assert status_of(address, "/hello") == 204
    s.stop()


# Faults of the system.


@pytest.mark.parametrize("plan", ["socket:%d:EMFILE", "bind:%d:EADDRINUSE", "listen:%d:EADDRINUSE",
                                  "setsockopt:%d:ENOBUFS"])
def test_R_04_calls_that_fail_at_reload(moongate, port, tmp_path, plan):
    """Whichever call it is: the reload is done, or refused and nothing changed; and the next one
    is done."""
    seen = set()
    ports = [port() for _ in range(2)]
    more = section("listener", "more", {"bind": [f"127.0.0.1:{p}" for p in ports] + [f"unix:{tmp_path}/u"]})
    for n in range(1, 60):
        daemon = moongate(extra=ROUTE, faults=plan % n, may_fail=True)
        if not daemon:
            continue
        edit(daemon, ("respond = 204", "respond = 200"), more)
        daemon.signal(signal.SIGHUP)
        outcome = wait_outcome(daemon, 1).event
        seen.add(outcome)
        assert status_of(daemon.address, "/hello") == (200 if outcome == "reloaded" else 204)
        assert is_open(("127.0.0.1", ports[0])) == (outcome == "reloaded")
        daemon.signal(signal.SIGHUP)
        assert wait_outcome(daemon, 2).event == "reloaded"
        assert status_of(("127.0.0.1", ports[1]), "/hello") == 200
        daemon.descriptors = daemon.count_descriptors()
        daemon.stop()
        if outcome == "reloaded" and "reload_failed" in seen:
            break
    assert "reloaded" in seen
    assert plan.startswith("setsockopt") or "reload_failed" in seen


def test_R_04_no_descriptor_is_left_at_reload(lua, port, tmp_path):
    """Files, scripts, logs and sockets cannot be opened: nothing changes, and the next one is done."""
    daemon = lua("ngx.say('old')", extra=ROUTE, wrapper=("prlimit", "--nofile=64:64"))
    script = tmp_path / "handler.lua"
    text, seen = daemon.config.read_text(), []
    for n in range(1, 15):
        old, new = 200 + 2 * n, 201 + 2 * n
        script.write_text(f"ngx.say('{old}')")
        daemon.config.write_text(text.replace("respond = 204", f"respond = {old}"))
        reload(daemon)
        crowd = exhaust(daemon)
        for client in crowd[:n]:  # so many are free again
            client.end()
        crowd = crowd[n:]
        settled = daemon.count_descriptors()
        wait_until(lambda s=settled: daemon.count_descriptors() <= s, "them to be free")
        script.write_text(f"ngx.say('{new}')")
        daemon.config.write_text(text.replace("respond = 204", f"respond = {new}")
                                 .replace("log_rate = off", f"log_rate = off\naccess_log = {tmp_path}/a.log") +
                                 section("listener", "more", {"bind": f"127.0.0.1:{port()}"}))
        count = len(outcomes(daemon))
        daemon.signal(signal.SIGHUP)
        outcome = wait_outcome(daemon, count + 1)
        seen.append(outcome.event)
        if outcome.event == "reload_failed":
            assert "oo many open files" in outcome["first"], outcome
        for client in crowd:
            client.echoes(1)
            client.end()
        wait_until(lambda: came(daemon, "/hello"), "the daemon to take connections again")
        want = new if outcome.event == "reloaded" else old
        assert came(daemon, "/hello")[0] == want
        assert came(daemon, "/h")[1] == b"%d\n" % want
    assert seen[0] == "reload_failed" and seen[-1] == "reloaded", seen
    daemon.config.write_text(text)
    reload(daemon)
    still_works(daemon)


def exhaust(daemon):
    """Sessions on an echo, as many as it has descriptors for."""
    crowd = []
    while True:
        client = daemon.client()
        try:
            crowd.append(client.open("/echo"))
        except (AssertionError, OSError):
            client.close()
            return crowd
        assert len(crowd) < 64


def came(daemon, target):
    """(status, body) of a plain request, None when it was turned away."""
    try:
        with RawClient(daemon.address) as client:
            client.send(client.get(target))
            head = client.read_head()
            return head.status, client.read_body(head)
    except (AssertionError, OSError):
        return None


def test_R_06_memory_fails_at_reload(moongate, port):
    """A third of all checked allocations fail: sessions may end by it, a reload needs none."""
    daemon = None
    while not daemon:
        daemon = moongate(extra=ROUTE, faults="alloc:0:ENOMEM:300", may_fail=True)
    more = section("listener", "more", {"bind": f"127.0.0.1:{port()}"})
    for n in range(20):
        # Whether it is served is for other tests to say.
        with socket.socket() as client:
            client.setblocking(False)
            client.connect_ex(daemon.address)
            reload(daemon, more if n % 2 == 0 else (more, ""))


# In the long run.


def test_S_01_many_reloads(moongate, upstreams, closing, many, port):
    """S-01, S-03: reloads without a pause, a third of them refused, beside busy sessions and
    newcomers: nobody is dropped, refused or misled; descriptors and memory stay where they are."""
    a, b = upstreams(), upstreams()
    for u, label in ((a, "a"), (b, "b")):
        closing.insert(0, Application(u, labelled(label)))
    rounds, sessions = max(many(1000), 12), many(2000) if many(100) == 100 else 60
    extra = port()
    text = (section("upstream", "a", {"server": "ws://%s:%d" % a.address}) +
            section("upstream", "b", {"server": "ws://%s:%d" % b.address}) +
            section("route", "a", {"path": "/a/*", "upstream": "a"}) +
            section("route", "b", {"path": "/b/*", "upstream": "b"}))
    daemon = moongate(process={"workers": 2}, extra=text, listener={"max_connections": 100000})
    base = daemon.config.read_text()
    # Both ways at once cost four descriptors of a session.
    crowd = Crowd(daemon.address, [(f"/{'ab'[i % 2]}/{i}", "ab"[i % 2]) for i in range(sessions)])
    closing.insert(0, crowd)
    kept = RawClient(daemon.address)
    closing.insert(0, kept)
    kept.send(kept.get("/version"))
    kept.read_body(kept.expect_answer(404))
    after_some, descriptors = 0, daemon.count_descriptors()
    for n in range(1, rounds + 1):
        good = n % 3 != 0
        answer = 200 + n % 50
        new = base + section("route", "version", {"path": "/version", "respond": answer})
        new += section("route", f"n{n}", {"path": f"/n{n}", "upstream": "a", "idle_timeout": f"{n}h" if n < 24 else "1h"})
        if n % 2:
            new += section("listener", "odd", {"bind": f"127.0.0.1:{extra}", "keepalive_timeout": f"{n}s"})
        if n % 5 == 0:
            new = new.replace("[route a]\n", f"[route a]\nping_interval = {100 + n}s\n")
        if n % 7 == 0:
            new = new.replace("[upstream b]\n", f"[upstream b]\nmax_connections = {100000 + n}\n")
        daemon.config.write_text(new + ("" if good else "[route]\n"))
        daemon.signal(signal.SIGHUP)
        line = wait_outcome(daemon, n)
        assert line.event == ("reloaded" if good else "reload_failed"), daemon.log
        crowd.check()
        if good:
            last, odd = answer, n % 2
        kept.send(kept.get("/version"))
        kept.read_body(kept.expect_answer(last))
        for label in "ab":
            with RawClient(daemon.address) as client:
                client.open(f"/{label}/new")
                client.text("x")
                client.expect_text(f"{label} x")
                client.end()
        assert is_open(("127.0.0.1", extra)) == bool(odd)
        if n == min(10, rounds - 1):
            after_some = daemon.memory()
    grown = daemon.memory() - after_some
    assert SANITIZED or grown < 5 << 20, grown
    # Of newcomers some may be on their way out still.
    wait_until(lambda: daemon.count_descriptors() <= descriptors + 2 * odd, "descriptors as at the beginning")
    assert crowd.messages > sessions
    crowd.finish()
    kept.close()
    totals = daemon.stop()
    assert (totals["reloads_failed"], totals["refused_404"]) == (rounds // 3, 1)
    for name in ("refused_502", "refused_503", "refused_504", "broken_by_client", "broken_by_upstream"):
        assert totals[name] == 0, (name, totals[name])


@pytest.mark.parametrize("size", [100, 1 << 20, 3 << 20])
def test_a_script_changes_at_its_end(lua, tmp_path, size):
    """However long a file is, all of it counts."""
    script = tmp_path / "handler.lua"
    filler = "-- filler filler filler filler fil\n" * (size // 36)
    daemon = lua(filler + "ngx.say('one')")
    for word in ("two", "six"):
        script.write_text(filler + f"ngx.say('{word}')")
        reload(daemon)
        assert came(daemon, "/h")[1] == f"{word}\n".encode()
    line = reload(daemon)
    assert counts(line, "routes")[2] == 0
