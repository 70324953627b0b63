# SPDX-License-Identifier: BSD-2-Clause
"""What systemd is to a service, as far as the tests need it: NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS.

A Supervisor holds the listening sockets, starts the daemon on them, hears what it says, and
kills it when the watchdog is not fed in time. Times are those of the messages' arrival.
"""

import fcntl
import os
import select
import signal
import socket
import time

from .daemon import Daemon, wait_until
from .peer import LIMIT

# systemd gives LISTEN_PID as the process that it becomes; so does this shell.
PASS = 'export LISTEN_PID=$$; exec "$@"'


def listening(address=("127.0.0.1", 0), backlog=4096):
    """A socket that clients can connect to from now on, whether somebody accepts or not."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(address)
    s.listen(backlog)
    return s


class Supervisor:
    """`sockets`: a list of (name, listening socket). `watchdog`: seconds."""

    def __init__(self, config, *, sockets=(), watchdog=None, abstract=False, **how):
        self.config = config
        self.sockets = list(sockets)
        self.watchdog = watchdog
        self.how = how
        self.messages = []
        self.daemon = None
        self.starts = 0
        self.killed = 0  # by the watchdog
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        name = f"\0moongate-test-{config}" if abstract else f"{config}.notify"
        self.notify.bind(name)
        if not abstract:
            os.chmod(name, 0o666)
        self.name = name.replace("\0", "@")
        # Above what the shell's redirections fill.
        self.passed = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, 100) for _, s in self.sockets]

    def start(self, **env):
        """Starts the daemon, once more if there was one. Returns it, as it begins."""
        if self.daemon:
            self.daemon.kill()
        while self.hear():
            pass  # the last words of the one before
        env = {"NOTIFY_SOCKET": self.name, **env}
        how = dict(self.how)
        wrapper = how.pop("wrapper", [])
        if self.watchdog:
            env["WATCHDOG_USEC"] = str(int(self.watchdog * 1e6))
        if self.sockets:
            env["LISTEN_FDS"] = str(len(self.sockets))
            env["LISTEN_FDNAMES"] = ":".join(name for name, _ in self.sockets)
            moves = " ".join(f"{3 + i}<&{fd} {fd}<&-" for i, fd in enumerate(self.passed))
            wrapper = ["bash", "-c", f"{PASS} {moves}", "bash", *wrapper]
            how["pass_fds"] = self.passed
        self.starts += 1
        self.daemon = Daemon(self.config, env={**how.pop("env", {}), **env}, wrapper=wrapper, **how)
        self.fed = time.monotonic()
        return self.daemon

    def hear(self, limit=0):
        """The next message as a dict with its time, or None when there is none in time."""
        if not select.select([self.notify], [], [], limit)[0]:
            return None
        data, extra, _, _ = self.notify.recvmsg(4096, 1024)
        message = dict(line.split("=", 1) for line in data.decode().split("\n"))
        message["time"] = time.monotonic()
        # struct ucred: systemd takes messages of the main process only.
        message["pid"] = int.from_bytes(extra[0][2][:4], "little") if extra else None
        if "WATCHDOG" in message:
            self.fed = message["time"]
        self.messages.append(message)
        return message

    def expect(self, *keys, skip=("WATCHDOG", "STATUS")):
        """The next message that has one of `keys`, passing over those that have nothing but `skip`."""
        end = time.monotonic() + LIMIT
        while True:
            message = self.hear(max(end - time.monotonic(), 0))
            assert message, f"waited in vain for {keys}; heard {self.messages}\n{self.daemon.log}"
            if any(key in message for key in keys):
                return message
            assert set(message) <= {*skip, "time", "pid"}, (keys, message)

    def ready(self):
        message = self.expect("READY")
        self.daemon.wait_line("ready")  # so that the log of the start has been read too
        return message

    def watch(self, until):
        """Hears messages and kills the daemon, as systemd does, when the watchdog starves. Returns
        when until() holds or the daemon was killed."""
        end = time.monotonic() + LIMIT
        while not until():
            assert time.monotonic() < end, f"waited in vain\n{self.daemon.log}"
            self.hear(0.01)
            if time.monotonic() - self.fed > self.watchdog:
                self.killed += 1
                self.daemon.signal(signal.SIGABRT)
                self.daemon.process.wait(LIMIT)
                self.daemon.reader.join(LIMIT)  # so that its last words have been read too
                return

    def kill9(self):
        self.daemon.signal(signal.SIGKILL)
        self.daemon.process.wait(LIMIT)

    def stop(self, status=0):
        if self.daemon.process.poll() is None:
            self.daemon.signal()
        return self.daemon.wait_end(status)

    def close(self):
        if self.daemon:
            self.daemon.kill()
            print(self.daemon.log)
        self.notify.close()
        for _, s in self.sockets:
            s.close()
        for fd in self.passed:
            os.close(fd)


def wait_gone(pid):
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), f"process {pid} to be gone")
