# SPDX-License-Identifier: BSD-2-Clause
"""The daemon under test: its configuration, its process, its log and its counters."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

from .peer import LIMIT, RawClient

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("MOONGATE_BINARY", ROOT / "build/gcc/moongate"))
BINARY_FAULTS = Path(os.environ.get("MOONGATE_BINARY_FAULTS", ROOT / "build/gcc/moongate-faults"))

SANITIZERS = {
    "ASAN_OPTIONS": "halt_on_error=1:detect_leaks=1:exitcode=99:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:exitcode=99:second_deadlock_stack=1",
    "LSAN_OPTIONS": "exitcode=99",
}
SANITIZED = bool(os.environ.get("SAN"))  # memory is not what it is in production then
# However late its reader is, no line of the log is lost for want of room: nobody waits longer than a second for it.
PIPE_SIZE = 1 << 20
REPORT = re.compile(r"(Address|Leak|Thread|Memory)Sanitizer|:\d+:\d+: runtime error:")

LINE = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (error|warn|info|debug) +(\S+)(.*)$")
PAIR = re.compile(r' ([A-Za-z0-9_.]+)=("(?:[^"\\]|\\.)*"|\S*)')


class Line(dict):
    """A log line: its keys and values as text; .event, .level, .text."""

    def __init__(self, text):
        self.text = text
        found = LINE.match(text)
        self.level, self.event = (found[2], found[3]) if found else (None, None)
        super().__init__((k, unquote(v)) for k, v in PAIR.findall(found[4] if found else ""))

    def __repr__(self):
        return self.text


def unquote(value):
    if not value.startswith('"'):
        return value
    raw = re.sub(r"\\x([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), value[1:-1])
    return raw.encode("latin-1", "replace").decode("utf-8", "replace")


def wait_until(condition, what, limit=LIMIT):
    """Returns the first true value of condition(); fails, naming `what`, when none comes."""
    end = time.monotonic() + limit
    while not (value := condition()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.005)  # between two looks; nothing relies on its length
    return value


def thread_states(pid):
    """{thread: its state as in proc(5)}."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return {int(t.name): (t / "stat").read_text().rsplit(")", 1)[1].split()[0] for t in tasks}


class Daemon:
    """A running daemon. `env` may hold MOONGATE_FAULTS, which needs faults=True."""

    def __init__(self, config, *, env=None, faults=False, args=(), cwd=None, wrapper=(), pass_fds=()):
        self.binary = BINARY_FAULTS if faults else BINARY
        self.config = Path(config)
        self.lines = []
        self.told = {}  # by client address: (client, line) of those whose line was asked for
        self.changed = threading.Condition()
        self.ended = False  # the log was closed: the process is gone or going
        self.totals = None
        self.checked = False  # its end was seen and was as it should be
        self.address = None  # of the listener under test; set by whoever wrote the configuration
        self.is_hasty = False  # that listener gives little time for a request
        self.process = subprocess.Popen(
            [*wrapper, self.binary, "-c", self.config, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pipesize=PIPE_SIZE,
            env={**os.environ, **SANITIZERS, **(env or {})},
            cwd=cwd,
            pass_fds=pass_fds,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        return "\n".join(line.text for line in list(self.lines))

    def _read(self):
        for raw in self.process.stdout:
            line = Line(raw.decode("utf-8", "replace").rstrip("\n"))
            with self.changed:
                self.lines.append(line)
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait_ready(self):
        self.wait_line("ready")
        self.descriptors = self.count_descriptors()
        return self

    # The log.

    def find(self, event=None, **keys):
        """The lines so far of that event with those keys and values."""
        return [
            line
            for line in list(self.lines)
            if event in (None, line.event) and all(line.get(k) == str(v) for k, v in keys.items())
        ]

    def wait_line(self, event, n=1, **keys):
        """The n-th line of that event with those keys and values."""
        end = time.monotonic() + LIMIT
        with self.changed:
            while len(found := self.find(event, **keys)) < n:
                left = end - time.monotonic()
                assert not self.ended, f"the daemon ended without {event} {keys}:\n{self.log}"
                assert left > 0, f"no {event} {keys} in the log:\n{self.log}"
                self.changed.wait(left)
        return found[n - 1]

    def wait_text(self, words, n=1):
        """The n-th line of the log with these words in it."""
        end = time.monotonic() + LIMIT
        with self.changed:
            while len(found := [line for line in self.lines if words in line.text]) < n:
                left = end - time.monotonic()
                assert (left > 0 and not self.ended) or len(found) >= n, f"no {words!r} in the log:\n{self.log}"
                self.changed.wait(left)
        return found[n - 1]

    def end_of(self, client):
        """The one line that tells how this client's session ended (keys closed_by, cause, code,
        client_code, upstream_code, cut, ...)."""
        return self.only_line("session_end", client)

    def refusal_of(self, client):
        """The one line that tells why this client's request was refused (keys status, reason)."""
        return self.only_line("refused", client)

    def only_line(self, event, client):
        # A later client may have the address of an earlier one, whose line was told before.
        before = [line for who, line in self.told.get(client.local, ()) if who is not client]
        self.wait_line(event, n=1 + sum(line.event == event for line in before), client=client.local)
        lines = [x for x in self.find(client=client.local) if x.event in ("session_end", "refused") and x not in before]
        assert [x.event for x in lines] == [event], self.log
        self.told[client.local] = [*((None, line) for line in before), (client, lines[0])]
        return lines[0]

    def wait_line_about(self, client):
        """All lines about this client, which is closed here, once its session is gone."""
        client.close()
        self.settle()
        wait_until(lambda: self.find(client=client.local), f"a line about {client.local}")
        return self.find(client=client.local)

    # Time.

    @contextlib.contextmanager
    def frozen(self):
        """What happens meanwhile, the daemon finds all at once, in one turn of its loop."""
        self.signal(signal.SIGSTOP)
        wait_until(self.is_stopped, "the daemon to stop")
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def is_stopped(self):
        return set(thread_states(self.pid).values()) == {"T"}

    def is_asleep(self):
        """None of its threads does anything, nor waits for a processor."""
        return set(thread_states(self.pid).values()) == {"S"}

    # Resources.

    def count_descriptors(self):
        """0 when the kernel does not tell us: without core_dumps = on, only root may look."""
        try:
            return len(os.listdir(f"/proc/{self.pid}/fd"))
        except PermissionError:
            return 0

    def settle(self):
        """Waits until every session and its descriptors are gone."""
        wait_until(
            lambda: self.process.poll() is not None or self.count_descriptors() <= self.descriptors,
            "all descriptors to be closed",
        )

    def memory(self):
        """Resident memory in bytes."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    # The end.

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def stop(self):
        """SIGTERM, then every promise about an end is checked. Returns the totals."""
        if self.process.poll() is None:
            self.signal()
        return self.wait_end()

    def wait_end(self, status=0):
        """Waits for the process to end by itself and checks how it did. Returns the totals."""
        if self.checked:
            return self.totals
        try:
            code = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon does not stop:\n{self.log}") from None
        self.reader.join(LIMIT)
        self.process.stdout.close()
        assert not REPORT.search(self.log), f"a sanitizer's report:\n{self.log}"
        assert code == status, f"exit status {code}, wanted {status}:\n{self.log}"
        self.checked = True
        if status:
            return None
        lines = self.find("totals")
        assert len(lines) == 1, f"{len(lines)} totals lines:\n{self.log}"
        self.totals = {k: int(v) for k, v in lines[0].items()}
        assert self.totals["sessions"] == self.totals["sessions_ended"], self.log
        return self.totals

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(LIMIT)
        if not self.process.stdout.closed:
            self.process.stdout.close()


def still_works(daemon, n=100):
    """A fresh connection, proxied, echoes n messages."""
    # However slow the test is, where there is little time for a request it is there with the connection.
    with daemon.frozen() if daemon.is_hasty else contextlib.nullcontext():
        client = RawClient(daemon.address)
        client.send(client.request("/still"))
    with client:
        client.expect_101()
        client.echoes(n)
        client.end()


def refused(daemon, client, status):
    """The client's request is refused so: answer, end and the one line in the log. Returns the head."""
    head = client.expect_refusal(status)
    line = daemon.refusal_of(client)
    assert line["status"] == str(status), line
    assert line["reason"], line
    return head


def check_config(config, *args, cwd=None, env=None):
    """Runs `moongate -t` on it. Returns (exit status, what it said)."""
    done = subprocess.run(
        [BINARY, "-t", "-c", config, *args],
        capture_output=True,
        timeout=LIMIT,
        cwd=cwd,
        env={**os.environ, **SANITIZERS, **(env or {})},
        check=False,
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert not REPORT.search(said), said
    return done.returncode, said


def section(kind, name, keys):
    """A section as text. A value that is a list stands once for each of its members."""
    lines = [f"[{kind} {name}]" if name else f"[{kind}]"]
    for key, value in keys.items():
        for v in value if isinstance(value, (list, tuple)) else [value]:
            lines.append(f"{key} = {v}")
    return "\n".join(lines) + "\n\n"


def server_text(address):
    """An address as a `server` value."""
    if isinstance(address, str):
        return f"ws://unix:{address}"
    host, port = address[:2]
    return f"ws://[{host}]:{port}" if ":" in host else f"ws://{host}:{port}"
