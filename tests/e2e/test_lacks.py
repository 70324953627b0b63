# SPDX-License-Identifier: BSD-2-Clause
"""R-04: what the system has not while a configuration is read, such as descriptors, is no mistake in it: a start then
ends with status 1, which is tried again, and says which file it was."""

import contextlib
import os
import re
import subprocess

import pytest

from helpers.daemon import Daemon, wait_until
from helpers.peer import LIMIT
from helpers.tls import Authority

FAILED, CONFIG = 1, 78  # exit statuses

MAIN = """\
[moongate]
workers = 1
include = more.conf
include = conf.d/*.conf

[listener main]
bind = 127.0.0.1:{port}
bind = unix:socket
owner = {user}
group = {group}
tls_certificate = one.pem
tls_key = one.key
tls_client_ca = ca.pem
tls_verify_client = optional
tls_ticket_key = ticket

[route scripts]
path = /scripts
handler = handler.lua
access = access.lua
log_handler = log.lua
"""

MORE = """\
[moongate]
allow_root_handlers = yes
init = init.lua
init_worker = worker.lua
lua_ssl_trusted_certificate = ca.pem
lua_ssl_certificate = one.pem
lua_ssl_certificate_key = one.key
"""

APP = """\
[upstream app]
server = wss://localhost:9
server = wss://localhost:10
tls_ca = ../ca.pem
tls_client_certificate = ../one.pem
tls_client_key = ../one.key
sticky = node
sticky_secret = ../secret

[route app]
path = /app
upstream = app
"""


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("lacks"))


def name_of(database, number):
    return subprocess.run(["getent", database, str(number)], capture_output=True, text=True, check=True,
                          timeout=LIMIT).stdout.split(":")[0]


@pytest.fixture
def folder(tmp_path, ca, port):
    """A configuration that names a file by every key that can."""
    one = ca.make("one", "DNS:one.example")
    for name, source in (("ca.pem", ca.certificate), ("one.pem", one.certificate), ("one.key", one.key)):
        (tmp_path / name).symlink_to(source)
    for name in ("handler", "access", "log", "init", "worker"):
        (tmp_path / f"{name}.lua").write_text(f"-- {name}\n")
    for name, size in (("secret", 40), ("ticket", 80)):
        (tmp_path / name).write_bytes(b"x" * size)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "app.conf").write_text(APP)
    (tmp_path / "more.conf").write_text(MORE)
    (tmp_path / "moongate.conf").write_text(MAIN.format(
        port=port(), user=name_of("passwd", os.geteuid()), group=name_of("group", os.getegid())))
    return tmp_path


@contextlib.contextmanager
def start(folder, plan, **how):
    """A daemon in which calls fail, once it has ended or serves."""
    daemon = Daemon(folder / "moongate.conf", faults=True, env={"MOONGATE_FAULTS": plan}, **how)
    try:
        wait_until(lambda: daemon.ended or daemon.find("ready"), "the daemon to serve or to end")
        yield daemon
    finally:
        daemon.kill()


def errors_of(daemon):
    """What is said to be wrong with the configuration, and the number that is said of it."""
    lines = [line.text for line in daemon.lines if line.text.startswith("moongate: ") and ": warning: " not in line.text]
    count = re.fullmatch(r"moongate: .*moongate\.conf: (\d+) errors?", lines.pop()) if lines else None
    return lines, int(count[1]) if count else 0


def sweep(folder, name, error, status, count=1):
    """Whichever call of that name fails: one error is told, and it is the end with that status. Returns the errors."""
    told = []
    for n in range(1, 80):
        with start(folder, f"{name}:{n}:{error}:{count}") as daemon:
            if daemon.find("ready"):
                daemon.stop()
                return told
            daemon.wait_end(status=status)
            errors, counted = errors_of(daemon)
            assert len(errors) == counted and (counted == 1 or count > 1), daemon.log
            told += errors
    raise AssertionError(f"the calls of {name} do not end")


FILES = {"moongate.conf: ", "include = more.conf", "include = conf.d/*.conf", "tls_certificate = one.pem", "tls_key = one.key",
         "tls_client_ca = ca.pem", "tls_ticket_key = ticket", "handler = handler.lua", "access = access.lua",
         "log_handler = log.lua", "init = init.lua", "init_worker = worker.lua", "lua_ssl_trusted_certificate = ca.pem",
         "lua_ssl_certificate = one.pem", "lua_ssl_certificate_key = one.key", "tls_ca = ../ca.pem",
         "tls_client_certificate = ../one.pem", "tls_client_key = ../one.key", "sticky_secret = ../secret"}


@pytest.mark.parametrize("name, error, status, words", [
    ("open", "ENFILE", FAILED, "too many open files in system"), ("open", "EMFILE", FAILED, "too many open files"),
    ("read", "ENOMEM", FAILED, "cannot allocate memory"), ("open", "EACCES", CONFIG, "permission denied"),
    ("read", "EIO", CONFIG, "input/output error")])
def test_a_file_cannot_be_read(folder, name, error, status, words):
    if status == CONFIG:  # what is in the rest is judged, then
        allow = "allow_root_handlers = yes\n"
        for path, old, new in (("more.conf", allow, ""), ("moongate.conf", "workers = 1\n", "workers = 1\n" + allow)):
            (folder / path).write_text((folder / path).read_text().replace(old, new))
    told = sweep(folder, name, error, status)
    for file in FILES:
        assert any(f" {file}" in line or f"/{file}" in line for line in told), (file, told)
    assert all(line.lower().endswith(": " + words) for line in told), told


def test_no_file_can_be_read(folder):
    """From one of them on, as when descriptors are short: whatever is told of besides is of that alone."""
    sweep(folder, "open", "ENFILE", FAILED, count=1000)


@pytest.mark.parametrize("error, status", [("EMFILE", FAILED), ("ENOMEM", FAILED), ("EACCES", CONFIG)])
def test_a_folder_of_includes_cannot_be_opened(folder, error, status):
    """It is not passed over: all that is in it would be missing."""
    told = sweep(folder, "opendir", error, status)
    assert len(told) == 1 and "moongate.conf:4: [moongate] include = conf.d/*.conf: " in told[0], told
    assert "conf.d: cannot open it: " in told[0], told


def test_a_folder_of_includes_is_not_there(folder):
    main = folder / "moongate.conf"
    main.write_text(main.read_text().replace("include = conf.d/", "include = absent/"))
    with start(folder, "") as daemon:
        daemon.stop()


@pytest.mark.parametrize("name, key", [("getpwnam", "owner"), ("getgrnam", "group")])
@pytest.mark.parametrize("error, status", [("ENFILE", FAILED), ("ENOENT", CONFIG)])
def test_users_and_groups_cannot_be_looked_up(folder, name, key, error, status):
    told = sweep(folder, name, error, status)
    assert len(told) == 1 and f"[listener main] {key} = " in told[0], told
    assert ("cannot look it up: Too many open files in system" if status == FAILED else "no such ") in told[0], told


@pytest.mark.parametrize("user, name", [("{name}", "getpwnam"), ("{number}", "getpwuid")])
def test_who_to_be_cannot_be_looked_up(folder, user, name):
    """Nor is root told then that its scripts want a user."""
    number = os.geteuid()
    main = folder / "moongate.conf"
    who = user.format(name=name_of("passwd", number), number=number)
    main.write_text(re.sub("owner = .*\n|group = .*\n", "", main.read_text().replace("workers = 1", f"workers = 1\nuser = {who}")))
    (folder / "more.conf").write_text((folder / "more.conf").read_text().replace("allow_root_handlers = yes\n", ""))
    with start(folder, f"{name}:1:EMFILE") as daemon:
        daemon.wait_end(status=FAILED)
        errors, counted = errors_of(daemon)
        assert counted == 1 and f"[moongate] user = {who}: cannot look it up: Too many open files" in errors[0], daemon.log


@pytest.mark.parametrize("plan, status", [(f"open:{len(FILES) + 1}:ENFILE", FAILED), (f"open:{len(FILES) + 1}:EACCES", CONFIG), ("", CONFIG)])
def test_init_fails_when_no_file_can_be_opened(folder, plan, status):
    """It may be for that: the module may be there."""
    (folder / "init.lua").write_text("require('some.module')\n")
    with start(folder, plan) as daemon:
        daemon.wait_end(status=status)
        errors, counted = errors_of(daemon)
        assert counted == 1 and "module 'some.module' not found" in errors[0], daemon.log


@pytest.mark.parametrize("text", ["[moongate]\nnonsense = 1\n", "[route app]\npath = /other\nrespond = 200\n", "[route x\n"])
def test_a_mistake_beside_it(folder, text):
    """Starting again would not help, whatever the system had."""
    (folder / "more.conf").write_text((folder / "more.conf").read_text() + text)
    with start(folder, "open:4:ENFILE:1000") as daemon:
        daemon.wait_end(status=CONFIG)
        errors, counted = errors_of(daemon)
        assert counted > 1 and any("Too many open files in system" in e for e in errors), daemon.log


@pytest.mark.parametrize("first, second, status", [("EMFILE", "EMFILE", FAILED), ("EMFILE", "EACCES", CONFIG),
                                                   ("EACCES", "EMFILE", CONFIG)])
def test_logs_cannot_be_opened(folder, first, second, status):
    """Whichever is the first."""
    main = folder / "moongate.conf"
    main.write_text(main.read_text().replace("workers = 1", "workers = 1\nlog = a.log\naccess_log = b.log"))
    with start(folder, f"log_open:1:{first},log_open:2:{second}") as daemon:
        daemon.wait_end(status=status)


def test_more_than_are_told(folder):
    """Those that are only counted count."""
    keys = "".join(f"[listener l{i}]\nbind = unix:l{i}\ntls_certificate = one.pem\n" for i in range(60))
    (folder / "conf.d" / "more.conf").write_text(keys)
    with start(folder, "open:5:ENFILE:1000") as daemon:
        daemon.wait_end(status=FAILED)
        assert errors_of(daemon)[1] > 60, daemon.log


@pytest.mark.parametrize("args", [("-t",), ("--explain=GET /app",)])
def test_to_look_at_it_fails_in_the_same_way(folder, args):
    for plan, status in (("open:3:EMFILE", FAILED), ("open:3:EACCES", CONFIG)):
        daemon = Daemon(folder / "moongate.conf", faults=True, env={"MOONGATE_FAULTS": plan}, args=args)
        try:
            daemon.wait_end(status=status)
        finally:
            daemon.kill()
