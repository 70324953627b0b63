# SPDX-License-Identifier: BSD-2-Clause
"""Group K: configurations that are wrong, said with file and line; and what must be accepted.

K-09, every byte of a good configuration changed, runs through the loader itself, in one
process: tests/unit/config_*.c.
"""

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from helpers.daemon import BINARY, ROOT, Daemon, check_config, section, still_works
from helpers.peer import LIMIT, RawClient

CONFIG = 78  # exit status of a bad configuration
USAGE = 2

GOOD = """\
[moongate]
workers = 1

[listener main]
bind = 127.0.0.1:18080

[upstream app]
server = ws://127.0.0.1:19000

[route app]
path = /app
upstream = app
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="moongate.conf"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refused(path, *wanted, line=None):
    """-t refuses it with 78 and names file, line and each of `wanted`. Returns what it said."""
    status, said = check_config(path)
    assert status == CONFIG, f"exit status {status}: {said}"
    place = f"{path}:{line}: " if line else str(path)
    assert place in said, f"no {place!r} in {said!r}"
    for word in wanted:
        assert word in said, f"no {word!r} in {said!r}"
    return said


def accepted(path, **how):
    status, said = check_config(path, **how)
    assert status == 0, f"exit status {status}: {said}"
    return said


def line_of(text, part):
    """The number of the only line that holds `part`."""
    found = [n for n, line in enumerate(text.split("\n"), 1) if part in line]
    assert len(found) == 1, (part, found)
    return found[0]


def test_good(write):
    accepted(write(GOOD))


def test_samples_are_good():
    for path in sorted((ROOT / "conf").glob("*.conf")):
        accepted(path)


# K-01: files that are none.


def test_K_01_empty(write):
    refused(write(""))


def test_K_01_only_comments(write):
    refused(write("; nothing\n# here\n\n"))


def test_K_01_missing(tmp_path):
    refused(tmp_path / "absent.conf", "No such file")


def test_K_01_directory(tmp_path):
    refused(tmp_path)


def test_K_01_fifo(tmp_path):
    path = tmp_path / "fifo.conf"
    os.mkfifo(path)
    refused(path)


def test_K_01_device():
    refused(Path("/dev/zero"))


def test_K_01_not_a_directory(write):
    refused(write(GOOD) / "x.conf", "Not a directory")


def test_K_01_unreadable(write):
    """Root reads everything, so this asks as somebody else, with a binary he can reach."""
    with tempfile.TemporaryDirectory(prefix="moongate-test-") as folder:
        os.chmod(folder, 0o755)
        binary = shutil.copy(BINARY, folder)
        path = Path(folder, "moongate.conf")
        path.write_text(GOOD)
        path.chmod(0)
        command = [binary, "-t", "-c", path]
        if os.getuid() == 0:
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
        path.chmod(0o600)
    assert done.returncode == CONFIG, done
    assert str(path) in done.stderr and "Permission denied" in done.stderr


def test_K_01_huge(write):
    path = write(GOOD)
    with path.open("ab") as f:
        f.truncate(100 << 20)
    refused(path)


def test_K_01_huge_text(write):
    path = write(GOOD + "; comment\n" * (10 << 20))
    status, said = check_config(path)
    assert status == CONFIG and str(path) in said, said


@pytest.mark.parametrize("text", [GOOD + "\0", GOOD.replace("/app\n", "/a\0pp\n", 1), GOOD + "; a\0b\n", "\0" * 1000])
def test_K_01_nul(write, text):
    line = text[: text.index("\0")].count("\n") + 1
    refused(write(text), line=line)


@pytest.mark.parametrize("size", [10000, 100000])
def test_K_01_long_line(write, size):
    refused(write(GOOD + "max_message = " + "1" * size + "\n"), line=13)
    refused(write(GOOD + "x" * size + "\n"), line=13)
    refused(write(GOOD + "[route " + "x" * size + "]\n"), line=13)


@pytest.mark.parametrize("first", [40, 50, *range(180, 270, 10), 500, 510, 1010, 1020, 1030])
def test_K_01_every_length_near_the_parsers_buffer(write, first):
    """No length is cut in silence: the value arrives whole or the line is named."""
    for size in range(first, first + 10):
        text = GOOD + "[route r]\npath = /r\nrespond = 301 http://" + "x" * size + "#end\n"
        path = write(text)
        status, said = check_config(path)
        assert status == 0 or (status == CONFIG and f"{path}:15: " in said), (size, said)
        text = GOOD + "[route " + "n" * size + "]\npath = /r\nrespond = 200\n"
        path = write(text)
        status, said = check_config(path)
        assert status == 0 or (status == CONFIG and f"{path}:13: " in said), (size, said)


@pytest.mark.parametrize("text", ["\ufeff" + GOOD, GOOD.replace("\n", "\r\n"), "; caf\u00e9\n" + GOOD, b"; \x80\xff\n" + GOOD.encode(),
                                  GOOD.rstrip("\n"), "\n\n" + GOOD, "\ufeff" + GOOD.replace("\n", "\r\n"), "; " + "x" * 20000 + "\n" + GOOD],
                         ids=["bom", "crlf", "utf8", "latin1", "no_last_newline", "empty_lines", "bom_crlf", "long_comment"])
def test_K_01_accepted(write, text):
    accepted(write(text))


def test_K_01_continuation(write, port, daemons):
    main = port()
    text = section("listener", "main", {"bind": f"127.0.0.1:{main}"})
    text += "[route r]\npath = /r\nrespond = 301\n\thttp://example.com/" + "x" * 150 + "\n"
    daemon = daemons(write(text)).wait_ready()
    with RawClient(("127.0.0.1", main)) as client:
        client.send(client.get("/r"))
        assert client.expect_answer(301).get("Location") == "http://example.com/" + "x" * 150
    daemon.stop()


# K-02: names that nobody knows.


@pytest.mark.parametrize("header", ["[listner x]", "[Listener x]", "[moongate x]", "[route]", "[]", "[listener]", "[upstream a b]",
                                    "[route a/b]", "[route x", "[route x] y"])
def test_K_02_sections(write, header):
    refused(write(GOOD + header + "\nx = 1\n"), line=13)


@pytest.mark.parametrize("at,key", [("workers = 1", "worker = 1"), ("workers = 1", "Workers = 1"), ("path = /app", "max_mesage = 1k"),
                                    ("bind = 127", "max_message = 1k"), ("workers = 1", "path = /"), ("server = ws", "bind = 127.0.0.1:1")])
def test_K_02_keys(write, at, key):
    text = GOOD.replace(at, key + "\n" + at)
    said = refused(write(text), key.split(" ")[0], line=line_of(text, at) - 1)
    assert f"{key.split()[0]} = {key.split()[2]}" in said


@pytest.mark.parametrize("line", ["workers", "= 1", "workers 1", "just words", "[moongate"])
def test_K_02_no_key(write, line):
    refused(write(GOOD + line + "\n"), line=13)


def test_K_02_key_before_a_section(write):
    refused(write("workers = 1\n" + GOOD), line=1)


def test_K_02_several_errors_in_one_run(write):
    text = GOOD.replace("workers = 1", "workers = x").replace("/app", "app").replace("bind =", "bnd =")
    said = refused(write(text), line=2)
    for part in ("workers = x", "bnd =", "path = app"):
        assert f":{line_of(text, part)}: " in said


# K-03: names given twice.


@pytest.mark.parametrize("again", ["[route app]\npath = /b\necho = on\n", "[listener main]\nbind = 127.0.0.1:18081\n",
                                   "[upstream app]\nserver = ws://127.0.0.1:1\n", "[moongate]\nworkers = 2\n"])
def test_K_03_sections(write, again):
    refused(write(GOOD + again), line=13)


@pytest.mark.parametrize("key", ["workers = 1", "path = /app", "upstream = app", "server = ws://127.0.0.1:19000"])
def test_K_03_keys(write, key):
    text = GOOD.replace(key, key + "\n" + key)
    number = 1 + [n for n, x in enumerate(text.split("\n"), 1) if x == key][0]
    refused(write(text), key.split()[0], line=number)


def test_K_03_lists_may_repeat(write):
    accepted(write(GOOD.replace("bind = 127.0.0.1:18080", "bind = 127.0.0.1:18080\nbind = [::1]:18080")))


# K-04: numbers.

BAD_NUMBERS = {
    "workers": ["0", "-1", "65", "1.5", "0x1", "1k", "one", "", "99999999999999999999", "1 2", "+1", "1;", "\u0661"],
    "drain_timeout": ["-1s", "1", "1d", "s", "1 s", "1ms2", "0x1s", "99999999999h", "18446744073709551615ms", "18446744073709551617ms",
                      "1.5s", "", "1S"],
    "max_message": ["0", "-1", "124", "1x", "0x400", "1kk", "99999999999g", "18446744073709551617", "1 k", "on", "", "1K1"],
    "max_fragments": ["0", "-1", "1k", "4294967296", "99999999999999999999", "x"],
    "backlog": ["0", "-1", "65536", "x", "1k"],
    "mode": ["0999", "rw", "01000000", "-1", "0x1ff", ""],
    "log_level": ["INFO", "verbose", "", "1"],
    "echo": ["yes", "true", "1", "ON", ""],
    "remask": ["yes", "", "Auto"],
    "respond": ["99", "0", "100", "101", "199", "600", "abc", "200 x", "301", "302", "", "-200", "0xc8", "2000"],
}
HOME = {"workers": "moongate", "drain_timeout": "moongate", "log_level": "moongate", "backlog": "listener", "mode": "listener"}


@pytest.mark.parametrize("key,value", [(k, v) for k, values in BAD_NUMBERS.items() for v in values])
def test_K_04_values(write, key, value):
    kind = HOME.get(key, "route")
    text = {
        "moongate": f"[moongate]\n{key} = {value}\n\n" + GOOD.split("\n", 3)[3],
        "listener": GOOD.replace("[listener main]\n", f"[listener main]\n{key} = {value}\n"),
        "route": GOOD + f"[route new]\npath = /new\n{key} = {value}\n" + ("" if key in ("echo", "respond") else "echo = on\n"),
    }[kind]
    said = refused(write(text), line=line_of(text, f"{key} = {value}" if value else f"{key} = "))
    assert key in said
    if value:
        assert "want" in said


@pytest.mark.parametrize("key,value", [("max_message", "125"), ("max_message", "1k"), ("max_message", "2m"), ("max_message", "1g"),
                                       ("max_message", "off"), ("message_timeout", "1ms"), ("message_timeout", "24h"), ("idle_timeout", "off"),
                                       ("ping_interval", "off"), ("max_fragments", "1024"), ("max_queue", "4k"), ("remask", "on")])
def test_K_04_good_values(write, key, value):
    accepted(write(GOOD + f"{key} = {value}\n"))
    accepted(write(GOOD + f"[defaults]\n{key} = {value}\n"))


# K-05: addresses.


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:http", "127.0.0.1", "127.0.0.1:", ":8080",
                                  "8080", "localhost:8080", "256.0.0.1:80", "1.2.3:80", "::1:80", "[::1]", "[::1]:0", "[::g]:80",
                                  "unix:", "unix:/" + "x" * 107, "127.0.0.1:80 127.0.0.1:81", "0127.0.0.1:80", ""])
def test_K_05_binds(write, bind):
    text = GOOD.replace("127.0.0.1:18080", bind)
    refused(write(text), "bind", line=5)


@pytest.mark.parametrize("second", ["127.0.0.1", "0.0.0.0"])
def test_K_05_same_twice(write, port, second):
    number = str(port())
    text = (GOOD + f"[listener again]\nbind = {second}:18080\n").replace("18080", number)
    if second == "0.0.0.0":  # only the kernel knows that these overlap
        cannot_start(write(text), 14)
    else:
        refused(write(text), line=14)


@pytest.mark.parametrize("server", ["127.0.0.1:9000", "ws://", "ws://:80", "ws://127.0.0.1:0", "ws://127.0.0.1:65536", "http://127.0.0.1:80",
                                    "wss:127.0.0.1:80", "ws://127.0.0.1:80/path", "ws://a b:80", "ws://unix:", "ws://[::1", "ws://user@a:80", ""])
def test_K_05_servers(write, server):
    refused(write(GOOD.replace("ws://127.0.0.1:19000", server)), "server", line=8)


def cannot_start(path, line):
    """A start fails with 78 and names the line."""
    daemon = Daemon(path)
    try:
        daemon.wait_end(status=CONFIG)
        assert f"{path}:{line}: " in daemon.log, daemon.log
        assert not daemon.find("ready")
        return daemon.log
    finally:
        daemon.kill()


def test_K_05_address_not_ours(write):
    text = GOOD.replace("127.0.0.1:18080", "192.0.2.1:18080")
    log = cannot_start(write(text), 5)
    assert "192.0.2.1:18080" in log and "Cannot assign requested address" in log


def test_K_05_in_use(write, upstream):
    text = GOOD.replace("127.0.0.1:18080", "127.0.0.1:%d" % upstream.address[1])
    assert "Address already in use" in cannot_start(write(text), 5)


def test_K_05_in_use_by_another_daemon(moongate, write):
    daemon = moongate()
    text = GOOD.replace("127.0.0.1:18080", "127.0.0.1:%d" % daemon.address[1])
    assert "Address already in use" in cannot_start(write(text), 5)
    still_works(daemon)


def test_K_05_unix_socket(write, tmp_path, daemons, clients):
    path = tmp_path / "moongate.sock"
    text = f"[listener main]\nbind = unix:{path}\nmode = 0640\n[route echo]\necho = on\n"
    daemon = daemons(write(text)).wait_ready()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    client = clients(str(path)).open("/any")
    client.echoes(3)
    client.end()
    assert "Address already in use" in cannot_start(write(text, "second.conf"), 2)
    client = clients(str(path)).open("/any")  # unharmed
    client.end()
    daemon.stop()
    assert not path.exists()


def test_K_05_stale_unix_socket(write, tmp_path, daemons, clients):
    path = tmp_path / "moongate.sock"
    text = f"[listener main]\nbind = unix:{path}\n[route echo]\necho = on\n"
    first = daemons(write(text)).wait_ready()
    first.kill()
    first.checked = True
    assert path.exists()
    daemons(write(text)).wait_ready()
    clients(str(path)).open("/any").end()


def test_K_05_not_a_socket(write, tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    cannot_start(write(f"[listener main]\nbind = unix:{path}\n[route echo]\necho = on\n"), 2)
    assert path.read_text() == "data"


def test_K_05_no_such_directory(write, tmp_path):
    cannot_start(write(f"[listener main]\nbind = unix:{tmp_path}/absent/s\n[route echo]\necho = on\n"), 2)


# K-06: what does not fit together.


def test_K_06_upstream_is_its_own_listener(write):
    refused(write(GOOD.replace("19000", "18080")), line=8)


@pytest.mark.parametrize("bind", ["0.0.0.0:18080", "[::]:18080"])
def test_K_06_upstream_is_a_wildcard_listener(write, bind):
    text = GOOD.replace("127.0.0.1:18080", bind).replace("19000", "18080")
    if bind.startswith("["):  # V6ONLY: 127.0.0.1 is not among its addresses
        text = text.replace("127.0.0.1:18080\n\n[route", "[::1]:18080\n\n[route")
    refused(write(text), line=8)


def test_K_06_unix_upstream_is_its_own_listener(write, tmp_path):
    text = GOOD.replace("127.0.0.1:18080", f"unix:{tmp_path}/s").replace("127.0.0.1:19000", f"unix:{tmp_path}/s")
    refused(write(text), line=8)


def test_K_06_other_listener_is_fine(write):
    accepted(write("""\
[listener front]
bind = 127.0.0.1:18080
[listener back]
bind = 127.0.0.1:18081
[upstream back]
server = ws://127.0.0.1:18081
[route front]
listener = front
path = /echo
upstream = back
[route back]
listener = back
path = /echo
echo = on
"""))


@pytest.mark.parametrize("second", ["/app", "/./app", "/%61pp", "/x/../app"])
def test_K_06_overlapping_routes(write, second):
    refused(write(GOOD + f"[route second]\npath = {second}\necho = on\n"), line=14)


def test_K_06_prefix_and_exact_do_not_overlap(write):
    accepted(write(GOOD + "[route second]\npath = /app*\necho = on\n[route third]\npath = /*\nrespond = 200\n"))


@pytest.mark.parametrize("text,line", [
    (GOOD.replace("upstream = app\n", "upstream = other\n"), 12),
    (GOOD.replace("upstream = app\n", ""), 10),
    (GOOD + "echo = on\n", 10),
    (GOOD + "listener = other\n", 13),
    (GOOD.replace("server = ws://127.0.0.1:19000\n", ""), 7),
    (GOOD.replace("bind = 127.0.0.1:18080\n", ""), 4),
    (GOOD.replace("path = /app", "path = app"), 11),
    (GOOD.replace("path = /app", "path = /a*b"), 11),
    (GOOD.replace("path = /app", "path = /../x"), 11),
    (GOOD.replace("path = /app", "path = /a%zz"), 11),
    (GOOD.replace("path = /app", "path = /a?x"), 11),
    (GOOD.replace("path = /app", "path ="), 11),
], ids=["unknown_upstream", "no_action", "two_actions", "unknown_listener", "no_server", "no_bind", "relative_path", "star_inside",
        "above_root", "bad_escape", "query", "empty_path"])
def test_K_06_parts(write, text, line):
    refused(write(text), line=line)


@pytest.mark.parametrize("kind", ["listener", "route"])
def test_K_06_no_listener_or_route(write, kind):
    parts = ["[" + p for p in GOOD.split("[")[1:]]
    refused(write("".join(p for p in parts if not p.startswith(f"[{kind} "))))


# K-07: relative paths.


def test_K_07_relative_to_the_file(write, tmp_path, port):
    inner = tmp_path / "conf" / "deep"
    inner.mkdir(parents=True)
    (inner / "part.conf").write_text("[route more]\npath = /more\nwrong = 1\n")
    (tmp_path / "conf" / "main.conf").write_text(GOOD.replace("workers = 1", "workers = 1\ninclude = deep/*.conf"))
    status, said = check_config(tmp_path / "conf" / "main.conf", cwd="/")
    assert status == CONFIG and "deep/part.conf:3: " in said, said
    (inner / "part.conf").write_text("[route more]\npath = /more\nrespond = 200\n")
    accepted(tmp_path / "conf" / "main.conf", cwd="/")
    status, said = check_config("conf/main.conf", cwd=tmp_path)
    assert status == 0, said


def test_K_07_log_file(write, tmp_path, port):
    """A relative log path is relative to the file too, and is appended to."""
    folder = tmp_path / "conf"
    folder.mkdir()
    main = port()
    (folder / "m.conf").write_text(f"[moongate]\nlog = m.log\n[listener a]\nbind = 127.0.0.1:{main}\n[route e]\necho = on\n")
    (folder / "m.log").write_text("before\n")
    log = folder / "m.log"
    process = subprocess.Popen([BINARY, "-c", folder / "m.conf"], cwd="/", stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        from helpers.daemon import wait_until

        wait_until(lambda: " ready" in log.read_text(), "the log file's `ready`")
        process.terminate()
        assert process.wait(LIMIT) == 0
    finally:
        process.kill()
        process.wait()
    assert log.read_text().startswith("before\n") and " totals " in log.read_text()


@pytest.mark.parametrize("plan, status", [
    ("socket:1:EMFILE", 1), ("socket:1:ENOBUFS", 1), ("listen:1:ENOBUFS", 1), ("eventfd:1:EMFILE", 1), ("log_open:1:EMFILE", 1),
    ("bind:1:EADDRINUSE", CONFIG), ("bind:1:EACCES", CONFIG), ("bind:1:EADDRINUSE,socket:2:EMFILE", CONFIG),
    ("socket:1:EMFILE,bind:1:EADDRINUSE", CONFIG), ("log_open:1:EACCES", CONFIG)])
def test_R_04_exit_status_tells_whether_to_start_again(write, port, plan, status):
    """What the system would not give may be had another time; a wrong configuration will not do."""
    text = GOOD.replace("bind = 127.0.0.1:18080", f"bind = 127.0.0.1:{port()}\nbind = 127.0.0.1:{port()}")
    daemon = Daemon(write(text), faults=True, env={"MOONGATE_FAULTS": plan})
    try:
        daemon.wait_end(status=status)
        assert not daemon.find("ready")
    finally:
        daemon.kill()


def test_K_07_log_cannot_be_opened(write):
    text = GOOD.replace("workers = 1", "workers = 1\nlog = absent/x.log")
    daemon = Daemon(write(text))
    try:
        daemon.wait_end(status=CONFIG)
        assert "absent/x.log" in daemon.log
    finally:
        daemon.kill()


@pytest.mark.parametrize("include", ["absent.conf", "moongate.conf"])
def test_K_07_bad_includes(write, include):
    """A file that is missing; one that includes itself."""
    refused(write(GOOD.replace("workers = 1", f"workers = 1\ninclude = {include}")), line=3)


def test_K_07_empty_pattern(write):
    accepted(write(GOOD.replace("workers = 1", "workers = 1\ninclude = conf.d/*.conf")))


# K-08: who may write it.


@pytest.mark.parametrize("mode", [0o666, 0o602])
def test_K_08_world_writable(write, mode):
    path = write(GOOD)
    path.chmod(mode)
    status, said = check_config(path)
    assert status in (0, CONFIG)
    assert str(path) in said and "writ" in said, said


# K-10: what must not reach a header.


@pytest.mark.parametrize("url", ["http://a/\rX: b", "http://a/\r", "http://a/\x01", "http://a/\x7f", "http://a/ b", "http://a/\t b"])
def test_K_10_control_bytes(write, url):
    text = GOOD + "[route r]\npath = /r\nrespond = 301 " + url + "x\n"
    refused(write(text.encode()), line=15)


# The command line.


def call(*args):
    done = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=LIMIT, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("args", [["-x"], ["--nonsense"], ["-c"], ["extra"], ["-t", "-c"]])
def test_usage(args):
    status, _, err = call(*args)
    assert status == USAGE and err


def test_version():
    status, out, err = call("-V")
    assert status == 0 and out.startswith("moongate ") and not err


def test_help_config():
    """Every key a test here uses is in the list, which is the schema's own."""
    status, out, _ = call("--help-config")
    assert status == 0
    for key in ("workers", "bind", "server", "max_message", "handshake_timeout", "respond", "[defaults]"):
        assert key in out
