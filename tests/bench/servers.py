# SPDX-License-Identifier: BSD-2-Clause
"""The processes of the benchmark: how each is configured, started, measured and stopped."""

import atexit
import ctypes
import glob
import os
import re
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import time

import texts

START_SECONDS = 10
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A server or the load generator did not do its part; the row goes on without it."""


def child_setup(cores):
    """Between fork and exec: own process group, chosen cores, dies with the runner."""
    def setup():
        os.setsid()
        os.sched_setaffinity(0, cores)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return setup


running = []


def stop_all():
    for process in list(running):
        process.stop()


atexit.register(stop_all)


class Process:
    """A child with its own process group and its messages in a file."""

    def __init__(self, name, command, cores, folder, **pipes):
        self.name = name
        self.errors = os.path.join(folder, f"{name}.stderr")
        with open(self.errors, "wb") as errors:
            self.popen = subprocess.Popen(command, preexec_fn=child_setup(cores), stderr=errors,
                                          **pipes)
        running.append(self)

    def complaint(self):
        with open(self.errors, errors="replace") as f:
            lines = f.read().strip().splitlines()
        return lines[-1][:200] if lines else "no message"

    def signal_group(self, number):
        try:
            os.killpg(self.popen.pid, number)
        except ProcessLookupError:
            pass

    def stop(self):
        if self not in running:
            return
        running.remove(self)
        self.signal_group(signal.SIGTERM)
        try:
            self.popen.wait(3)
        except subprocess.TimeoutExpired:
            pass
        self.signal_group(signal.SIGKILL)
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                pipe.close()


def free_port(start=[20000 + os.getpid() % 4000]):
    """A free port under those that the kernel gives to outgoing connections."""
    while True:
        start[0] = start[0] + 1 if start[0] < 32000 else 20000
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", start[0]))
                return start[0]
            except OSError:
                pass


def wait_for_port(process, port):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.popen.poll() is not None:
            raise Failed(f"{process.name} ended at its start: {process.complaint()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Failed(f"{process.name} does not listen after {START_SECONDS} s: {process.complaint()}")


def make_certificate(folder):
    """A P-256 key and its certificate, also in one file, for HAProxy."""
    at = os.path.join(folder, "bench")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", at + ".key", "-out", at + ".pem"],
                   check=True, stdin=subprocess.DEVNULL, capture_output=True)
    with open(at + ".both", "w") as both:
        for end in (".pem", ".key"):
            with open(at + end) as part:
                both.write(part.read())


def nginx_binary():
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def haproxy_binary():
    return shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def written(values, text):
    path = "{folder}/{name}.conf".format(**values)
    with open(path, "w") as f:
        f.write(text.format(**values))
    return path


class Kind:
    """How one kind of server is started: its name, program and configuration. `plain`: the arguments of one
    that has no configuration. `missing`: the Debian packages without which it cannot be started."""

    def __init__(self, name, program, config=None, arguments=(), plain=None, missing=(), **values):
        self.missing = tuple(missing)
        self.plain = plain or ("127.0.0.1:{port}", "127.0.0.1:{upstream}", "{workers}")
        self.name = name
        self.program = program
        self.config = config
        self.arguments = arguments
        self.values = values

    def command(self, values):
        if not self.config:
            return [self.program] + [a.format(**values) for a in self.plain]
        values = dict(values, tls=values["tls"].format(**values))
        if values.get("script") == "proxy":
            with open("{folder}/proxy.lua".format(**values), "w") as f:
                f.write(texts.LUA_PROXY % values["upstream"])
        path = written(values, self.config)
        return [self.program] + [a.format(path=path, **values) for a in self.arguments]


def both(found, name, program, config, arguments, tls, ssl="", **values):
    """A kind, and the same behind TLS."""
    found.append(Kind(name, program, config, arguments, tls="", ssl="", **values))
    found.append(Kind(f"{name}-tls", program, config, arguments, tls=tls, ssl=ssl, **values))


LUA_MODULES = "/usr/lib/nginx/modules"
LUA_LIBRARY = "/usr/share/lua/5.1/nginx/websocket/server.lua"


def lua_kinds(root, folder, ours):
    """Those that echo by themselves: in C, by nginx's Lua module, by Moongate's."""
    found = [Kind("raw-echo", f"{root}/build/bench/echo", plain=("127.0.0.1:{port}",))]
    with open(f"{folder}/echo.lua", "w") as f:
        f.write(texts.LUA_ECHO)
    for who, program in ours.items():
        for name, script in ((f"{who}-lua", "echo"), (f"{who}-lua-proxy", "proxy")):
            found.append(Kind(name, program, texts.MOONGATE_LUA, ("-c", "{path}"), tls="", script=script))
    parts = {"nginx": nginx_binary(), "libnginx-mod-http-lua": os.path.exists(f"{LUA_MODULES}/ngx_http_lua_module.so"),
             "lua-nginx-websocket": os.path.exists(LUA_LIBRARY)}
    missing = [package for package, is_there in parts.items() if not is_there]
    for name, script in (("nginx-lua", "echo"), ("nginx-lua-proxy", "proxy")):
        found.append(Kind(name, nginx_binary(), texts.NGINX_LUA, ("-c", "{path}", "-e", "{folder}/{name}.log"), missing=missing,
                          tls="", modules=LUA_MODULES, script=script))
    return found


def kinds(root, base, folder):
    """All servers, raw-forward and raw-tls first, those too whose packages are missing. Moongate's programs are
    copied, so that a build that runs meanwhile does not change what is measured."""
    make_certificate(folder)
    found = [Kind("raw-forward", f"{root}/build/bench/raw-forward"),
             Kind("raw-tls", f"{root}/build/bench/raw-tls",
                  plain=("127.0.0.1:{port}", "127.0.0.1:{upstream}", "{folder}/bench.pem", "{folder}/bench.key"))]
    ours = {}
    for name, program in (("moongate", f"{root}/build/moongate"), ("base", base)):
        if program and os.access(program, os.X_OK):
            program = shutil.copy(program, f"{folder}/{name}")
            ours[name] = program
            both(found, name, program, texts.MOONGATE, ("-c", "{path}"), texts.SECURE)
            if name == "moongate":
                for other, text in (("access", texts.ACCESS), ("patient", texts.PATIENT), ("policies", texts.POLICIES),
                                    ("spares", texts.SPARES), ("wss", texts.WSS), ("wss-spares", texts.WSS_SPARES)):
                    found.append(Kind(other, program, text, ("-c", "{path}"), tls=""))
                both(found, "hall", program, texts.HALL, ("-c", "{path}"), texts.SECURE)
    missing = () if nginx_binary() else ("nginx",)
    for name, buffer in (("nginx", 4), ("nginx64", 64)):
        both(found, name, nginx_binary(), texts.NGINX, ("-c", "{path}", "-e", "{folder}/{name}.log"), texts.NGINX_TLS, " ssl",
             missing=missing, buffer=buffer, busy=2 * buffer)
    missing = () if haproxy_binary() else ("haproxy",)
    for name, size in (("haproxy", 16384), ("haproxy64", 65536)):
        both(found, name, haproxy_binary(), texts.HAPROXY, ("-db", "-f", "{path}"), texts.HAPROXY_TLS, missing=missing,
             bytes=size)
    return found + lua_kinds(root, folder, ours)


def left_out(found):
    """A line for all servers that the same packages are missing for."""
    names = {}
    for kind in found:
        if kind.missing:
            names.setdefault(kind.missing, []).append(kind.name)
    return [f"{', '.join(who)} left out: install {', '.join(packages)} (make deps-bench)" for packages, who in names.items()]


class Server(Process):
    """A running server of some kind, in front of the echo upstream."""

    def __init__(self, kind, upstream, cores, folder, workers=1):
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.port = free_port()
        values = dict(kind.values, name=f"{kind.name}-{workers}", folder=folder, port=self.port,
                      upstream=upstream, workers=workers, descriptors=descriptors,
                      sessions=descriptors // 2 - 300,
                      reuseport=" reuseport" if workers > 1 else "")
        super().__init__(values["name"], kind.command(values), cores, folder,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            wait_for_port(self, self.port)
        except Failed:
            self.stop()
            raise
        time.sleep(0.1)  # until a master has started its workers
        self.pids = tree(self.popen.pid)

    def cpu_ns(self):
        """CPU time of all threads of the process tree."""
        total = 0
        for pid in self.pids:
            for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
                with open(path) as f:
                    total += int(f.read().split()[0])
        if not total:
            raise Failed(f"{self.name} is gone: {self.complaint()}")
        return total

    def memory(self):
        """Bytes of user space; what processes share is counted once."""
        total = 0
        for pid in self.pids:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += 1024 * int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))
        return total


def tree(root):
    """The process and all its descendants."""
    children = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as f:
                pid, parent = re.match(r"(\d+) \(.*\) \S (\d+)", f.read(), re.S).groups()
        except OSError:
            continue
        children.setdefault(int(parent), []).append(int(pid))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


class Echo(Process):
    """The upstream."""

    def __init__(self, root, cores, folder):
        self.port = free_port()
        addresses = [f"127.0.0.{i}:{self.port}" for i in range(1, 5)]  # policies has four servers
        super().__init__("echo", [f"{root}/build/bench/echo"] + addresses, cores, folder,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_for_port(self, self.port)


class Load(Process):
    """The load generator. It stops at its gate until go() is called."""

    def __init__(self, root, port, cores, folder, **options):
        command = [f"{root}/build/bench/load", f"--address=127.0.0.1:{port}", "--gated"]
        command += [f"--{name}" + ("" if value is None else f"={value}") for name, value in options.items()]
        super().__init__("load", command, cores, folder, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
        self.rest = b""

    def line(self, seconds):
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.popen.stdout, selectors.EVENT_READ)
            while b"\n" not in self.rest:
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise Failed(f"the load generator is silent for {seconds} s")
                part = os.read(self.popen.stdout.fileno(), 65536)
                if not part:
                    self.popen.wait()
                    raise Failed(self.complaint())
                self.rest += part
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def wait_ready(self):
        self.line(60)

    def go(self):
        self.popen.stdin.write(b"go\n")
        self.popen.stdin.flush()

    def finish(self):
        """Lets it close its connections; it complains if that goes wrong."""
        self.popen.stdin.close()
        try:
            status = self.popen.wait(60)
        except subprocess.TimeoutExpired:
            raise Failed("the load generator does not end") from None
        if status != 0:
            raise Failed(self.complaint())
