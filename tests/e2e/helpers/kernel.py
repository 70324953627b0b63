# SPDX-License-Identifier: BSD-2-Clause
"""What the kernel knows of sockets that are not ours."""

import contextlib
import ctypes
import errno
import itertools
import os
import socket
import struct
import subprocess

import pytest

from .daemon import wait_until

ESTABLISHED, TIME_WAIT, CLOSE_WAIT = 1, 6, 8
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST = 4, 20, 1
CLONE_NEWNET = 0x40000000
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438  # on every processor but alpha
LIBC = ctypes.CDLL(None, use_errno=True)


def tcp4():
    """(local port, remote port, state, bytes not yet read) of each IPv4 TCP socket."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        next(f)
        for line in f:
            _, local, remote, state, queues = line.split()[:5]
            yield (int(local[-4:], 16), int(remote[-4:], 16), int(state, 16), int(queues[9:], 16))


def unread(sock):
    """Bytes that were sent on this IPv4 socket and that the program at the other end has not
    read; None when that socket is gone."""
    here, there = sock.getsockname(), sock.getpeername()
    name = [socket.inet_aton(a[0]) + b"\0" * 12 for a in (there, here)]
    # sock_diag(7): the socket whose own address is `there`.
    ask = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF)
    ask += struct.pack("!HH", there[1], here[1]) + b"".join(name) + struct.pack("=IQ", 0, 2**64 - 1)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as diag:
        diag.send(struct.pack("=IHHII", 16 + len(ask), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0) + ask)
        answer = diag.recv(4096)
    _, kind, _, _, _ = struct.unpack_from("=IHHII", answer)
    if kind != SOCK_DIAG_BY_FAMILY:
        return None
    state = answer[17]
    queued = struct.unpack_from("=I", answer, 16 + 4 + 48 + 4)[0]
    return queued if state in (ESTABLISHED, CLOSE_WAIT) or queued else None


def wait_consumed(peer):
    """Until the program at the other end has read all that was sent: what is sent next, it finds
    in a read of its own."""
    peer.flushed()
    wait_until(lambda: not unread(peer.sock), "what was sent to be read")


def wait_stuck(peer, daemon):
    """Until the daemon has stopped to read what the peer sends: bytes lie there and stay, while it
    sleeps, and is not kept from reading by others on the machine."""
    seen = []

    def same():
        seen.append((unread(peer.sock), daemon.is_asleep()))
        return len(seen) > 20 and set(seen[-20:]) == {seen[-1]} and all(seen[-1])

    wait_until(same, "the daemon to stop reading")


def sockets_of(pid):
    """Duplicates of the TCP sockets of another process, to be closed by the caller. None when
    the kernel does not give them out."""
    pidfd = LIBC.syscall(SYS_PIDFD_OPEN, pid, 0)
    if pidfd < 0:
        return None
    found = []
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                    continue
                fd = LIBC.syscall(SYS_PIDFD_GETFD, pidfd, int(name), 0)
                if fd < 0:
                    return None
                sock = socket.socket(fileno=fd)
                if sock.family in (socket.AF_INET, socket.AF_INET6):
                    found.append(sock)
                else:
                    sock.close()
    finally:
        os.close(pidfd)
    return found


def run(*command, **how):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


class Network:
    """A network namespace with a loopback of its own. Use as `with`; enter() makes the sockets
    of this thread in it, `wrapper` starts a program there."""

    count = itertools.count()

    def __init__(self):
        self.name = f"moongate-{os.getpid()}-{next(self.count)}"
        self.wrapper = ("ip", "netns", "exec", self.name)

    @staticmethod
    def why_not():
        """Why no namespace can be made here; None when one can."""
        if os.geteuid() != 0:
            return "network namespaces want root"
        name = f"moongate-probe-{os.getpid()}"
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
        if made.returncode:
            return f"no network namespaces here: {made.stderr.strip()}"
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        return None

    def __enter__(self):
        run("ip", "netns", "add", self.name)
        # Packets as a wire would carry them, not many in one.
        self.ip("link", "set", "lo", "up", "gso_max_segs", "1")
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def ip(self, *what):
        run("ip", "-n", self.name, *what)

    def sysctl(self, name, value):
        run(*self.wrapper, "sysctl", "-q", "-w", f"{name}={value}")

    def _drop(self, *matches):
        rules = "add table inet lossy; add chain inet lossy in { type filter hook input priority 0; };"
        rules += "".join(f"add rule inet lossy in {match} drop;" for match in matches)
        run(*self.wrapper, "nft", rules)

    def drop(self, port):
        """Packets from and to this port are lost from now on, whoever sent them."""
        self._drop(f"tcp dport {port}", f"tcp sport {port}")

    def cut(self, sock):
        """Packets of this connection are lost from now on. Of no other one: the kernel gives a port
        to several connections, as long as the other ends are not the same."""
        here, there = sock.getsockname()[1], sock.getpeername()[1]
        self._drop(f"tcp sport {here} tcp dport {there}", f"tcp sport {there} tcp dport {here}")

    def lose(self, percent):
        """So many of a hundred packets are lost from now on: by netem, or by a filter where the
        kernel lacks that. Skips the test where it lacks both."""
        netem = ("tc", "-n", self.name, "qdisc", "add", "dev", "lo", "root", "netem", "loss", f"{percent}%")
        if subprocess.run(netem, check=False, capture_output=True).returncode == 0:
            return
        rules = ("add table inet loss; add chain inet loss in { type filter hook input priority 0; }; "
                 f"add rule inet loss in numgen random mod 100 < {percent} drop")
        done = subprocess.run([*self.wrapper, "nft", rules], check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no packets can be lost here: {done.stderr.strip()}")

    def slow(self, rate):
        """Packets leave at this rate from now on. Skips the test where the kernel cannot do it."""
        tbf = ("tc", "-n", self.name, "qdisc", "add", "dev", "lo", "root", "tbf", "rate", rate,
               "burst", "2000", "limit", "20000")
        done = subprocess.run(tbf, check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no rate can be set here: {done.stderr.strip()}")

    @contextlib.contextmanager
    def enter(self):
        with open("/proc/thread-self/ns/net", encoding="ascii") as here:
            with open(f"/run/netns/{self.name}", encoding="ascii") as there:
                assert LIBC.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert LIBC.setns(here.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())


class MemoryGroup:
    """A memory cgroup below the one we are in, of either version. Use as `with`; `wrapper` starts a
    program in it."""

    count = itertools.count()

    def __init__(self, limit):
        self.limit = limit
        self.version, parent = self._parent()
        self.path = f"{parent}/moongate-{os.getpid()}-{next(self.count)}"
        self.wrapper = ("sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', self.path)

    @staticmethod
    def _parent():
        """(version, folder), or None and why not."""
        with open("/proc/self/cgroup", encoding="ascii") as f:
            groups = [line.rstrip("\n").split(":", 2) for line in f]
        for _, controllers, path in groups:
            if "memory" in controllers.split(","):
                folder = "/sys/fs/cgroup/memory"
                inside = f"{folder}{path}".rstrip("/")
                return 1, inside if os.path.isdir(inside) else folder
        for _, controllers, path in groups:
            folder = f"/sys/fs/cgroup{path}".rstrip("/")
            if not controllers and os.path.exists(f"{folder}/cgroup.subtree_control"):
                with open(f"{folder}/cgroup.subtree_control", encoding="ascii") as f:
                    if "memory" in f.read().split():
                        return 2, folder
        return None, "no cgroup that limits memory can be made here"

    @classmethod
    def why_not(cls):
        """Why no group can be made here; None when one can."""
        version, where = cls._parent()
        if not version:
            return where
        try:
            with cls(1 << 30):
                return None
        except OSError as e:
            return f"no memory cgroup here: {e}"

    def write(self, name, value):
        with open(f"{self.path}/{name}", "w", encoding="ascii") as f:
            f.write(str(value))

    def read(self, name):
        with open(f"{self.path}/{name}", encoding="ascii") as f:
            return f.read()

    def __enter__(self):
        os.mkdir(self.path)
        try:
            self.write("memory.limit_in_bytes" if self.version == 1 else "memory.max", self.limit)
        except OSError:
            os.rmdir(self.path)
            raise
        return self

    def __exit__(self, *_):
        wait_until(self._remove, "the group's last process to be gone")

    def _remove(self):
        try:
            os.rmdir(self.path)
        except OSError as e:
            if e.errno == errno.EBUSY:
                return False
            raise
        return True

    def kills(self):
        """Processes that the kernel killed for want of memory."""
        text = self.read("memory.oom_control" if self.version == 1 else "memory.events")
        return int(dict(line.split() for line in text.splitlines())["oom_kill"])

    def most(self):
        """Most bytes that were in use."""
        return int(self.read("memory.max_usage_in_bytes" if self.version == 1 else "memory.peak"))
