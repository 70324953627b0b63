# SPDX-License-Identifier: BSD-2-Clause
"""The two that are compared, each started once with all cases as its locations or routes."""

import ctypes
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

from helpers.daemon import Daemon, section
from helpers.names import NameServer

HERE = Path(__file__).resolve().parents[1]
START_SECONDS = 20
DICTS = {"notes": "1m", "dict": "1m", "other": "1m", "flush": "1m", "stale": "1m", "expired": "1m", "ttl": "1m",
         "tiny": "64k"}
NGINX = "/usr/sbin/nginx"
LUA_MODULES = Path("/usr/lib/nginx/modules")
LIBRARY = Path("/usr/share/lua/5.1/nginx/websocket/server.lua")


class Missing(Exception):
    """What a server needs is not installed."""


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


class Keys:
    """An authority of the run's own and what it signed, in a folder."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.ca = self.make("ca", "/CN=parity authority", None)
        self.server = self.make("server", "/CN=app.parity", "subjectAltName=DNS:app.parity,DNS:localhost")
        for_clients = "extendedKeyUsage=clientAuth"
        self.clients = {
            "client": self.make("client", "/CN=a client", for_clients),
            "odd": self.make("odd", '/C=DE/O=Ä "quoted", Inc/OU=one+OU=two\\+three/CN=#a;<b>\\\\/emailAddress=a@parity ',
                             for_clients, serial="0x00fedcba98765432100123456789abcdef01"),
            "nameless": self.make("nameless", "/", for_clients + "\nsubjectAltName=critical,DNS:nobody.parity", serial="5"),
        }

    def make(self, name, subject, extension, serial=None):
        key, cert = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        command = ["openssl", "req", "-x509" if extension is None else "-new", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-utf8", "-subj", subject,
                   "-out", cert if extension is None else self.folder / f"{name}.csr"]
        self.call(command + (["-days", "30"] if extension is None else []))
        if extension is not None:
            (self.folder / f"{name}.ext").write_text(extension + "\n")
            self.call(["openssl", "x509", "-req", "-in", self.folder / f"{name}.csr", "-CA", self.folder / "ca.pem",
                       "-CAkey", self.folder / "ca.key", "-days", "30", *(["-set_serial", serial] if serial else []),
                       "-extfile", self.folder / f"{name}.ext", "-out", cert])
        key.chmod(0o644)
        return cert, key

    @staticmethod
    def call(command):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def server_context(self, how):
        """how: {"client": True} asks for the client's certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # The client learns within the handshake that it is refused.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self.server)
        if how.get("client"):
            context.load_verify_locations(self.ca[0])
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client_context(self, how):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.ca[0])
        if name := how.get("certificate"):
            context.load_cert_chain(*self.clients["client" if name is True else name])
        return context


class Ports:
    """Free ports, below those that the kernel gives to outgoing connections."""

    def __init__(self, base):
        self.next = base

    def take(self):
        while True:
            self.next += 1
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind(("127.0.0.1", self.next))
                    return self.next
                except OSError:
                    pass


class Stage:
    """What both servers share: the folder, the scripts in it, keys, names."""

    def __init__(self, folder, cases, ports):
        self.folder = folder
        self.cases = cases
        self.ports = ports
        self.scripts = folder / "h"  # a short path: Lua keeps 60 bytes of a script's
        for case in cases:
            (self.scripts / case.group).mkdir(parents=True, exist_ok=True)
            shutil.copy(case.path, self.script(case))
            for hook, path in case.hooks.items():
                shutil.copy(path, self.script(case, hook))
        shutil.copytree(HERE / "lua", folder / "lua")
        self.keys = Keys(folder / "keys")
        self.names = NameServer()
        self.names.a("app.parity", "127.0.0.1", ttl=600)
        self.names.scripts["slow.parity"] = lambda question: None

    def script(self, case, hook=None):
        return self.scripts / f"{case.name}{'.' + hook if hook else ''}.lua"

    def close(self):
        self.names.stop()


class Server:
    """name, address, tls_address, keys, a log that can be waited on, and stop(), which tells what was wrong."""

    def __init__(self, stage):
        self.stage = stage
        self.keys = stage.keys
        self.address = ("127.0.0.1", stage.ports.take())
        self.tls_address = ("127.0.0.1", stage.ports.take())

    def normal(self, scene, line):
        """Takes out of a line what differs from run to run."""
        line = line.replace(f"{self.stage.scripts}/", "").replace(str(self.stage.folder), "FOLDER")
        ports = {self.address[1]: "LISTENER", self.tls_address[1]: "TLS", scene.port: "PORT",
                 scene.udp and scene.udp.port: "UDP"}
        for port, name in ports.items():
            if port:
                line = re.sub(rf"(?<!\d){port}(?!\d)", name, line)
        return line

    def wait_log(self):
        time.sleep(0.01)  # between two looks; nothing relies on its length


class Nginx(Server):
    """The oracle: Debian's nginx, its Lua module and its library."""

    name = "nginx"

    def __init__(self, stage):
        self.look()
        super().__init__(stage)
        self.folder = stage.folder / "nginx"
        (self.folder / "temp").mkdir(parents=True)
        config = self.folder / "nginx.conf"
        config.write_text(self.config())
        self.errors = self.folder / "error.log"
        self.process = subprocess.Popen([NGINX, "-p", self.folder, "-c", config, "-e", self.errors],
                                        stdin=subprocess.DEVNULL, preexec_fn=die_with_parent,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.wait_ready()

    @staticmethod
    def look():
        for path, package in [(Path(NGINX), "nginx"),
                              (LUA_MODULES / "ngx_http_lua_module.so", "libnginx-mod-http-lua"),
                              (LIBRARY, "lua-nginx-websocket")]:
            if not path.exists():
                raise Missing(f"{path} is not there; install {package} (`make deps-test`)")

    def location(self, case):
        lines = [f"access_by_lua_file {self.stage.script(case, 'access')};"] if "access" in case.hooks else []
        lines += [f"log_by_lua_file {self.stage.script(case, 'log')};"] if "log" in case.hooks else []
        lines += [f"content_by_lua_file {self.stage.script(case)};"] + case.lines("nginx")
        return f"location = /{case.name} {{ {' '.join(lines)} }}\n"

    def config(self):
        temp = "\n".join(f"{x}_temp_path {self.folder}/temp/{x};"
                         for x in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        dicts = "\n".join(f"lua_shared_dict {name} {size};" for name, size in DICTS.items())
        lua = self.stage.folder / "lua"
        return f"""
load_module {LUA_MODULES}/ndk_http_module.so;
load_module {LUA_MODULES}/ngx_http_lua_module.so;
daemon off;
worker_processes 1;
{"user root;" if os.geteuid() == 0 else ""}
pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log info;
events {{ worker_connections 1000; }}
http {{
{temp}
{dicts}
access_log off;
server_tokens off;
resolver {self.stage.names.text} ipv6=off;
lua_package_path "{lua}/?.lua;;";
lua_socket_log_errors off;
lua_ssl_trusted_certificate {self.keys.ca[0]};
init_by_lua_file {lua}/oracle.lua;
init_worker_by_lua_file {lua}/init_worker.lua;
server {{
listen 127.0.0.1:{self.address[1]};
listen 127.0.0.1:{self.tls_address[1]} ssl;
server_name parity;
ssl_certificate {self.keys.server[0]};
ssl_certificate_key {self.keys.server[1]};
ssl_client_certificate {self.keys.ca[0]};
ssl_verify_client optional;
location = /parity/notes {{ content_by_lua_file {lua}/notes.lua; }}
{"".join(self.location(c) for c in self.stage.cases)}
}}
}}
"""

    def wait_ready(self):
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(self.address, timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise Missing(f"nginx does not start:\n{self.process.communicate()[1]}") from None
                time.sleep(0.01)  # between two looks

    def log(self):
        return self.errors.read_text(errors="replace")

    def stop(self):
        self.process.terminate()
        self.process.communicate()


class Moongate(Server):
    name = "moongate"

    def __init__(self, stage):
        super().__init__(stage)
        config = stage.folder / "moongate.conf"
        config.write_text(self.config())
        self.daemon = Daemon(config)
        try:
            self.daemon.wait_ready()
        except AssertionError as e:
            raise Missing(f"moongate does not start: {e}") from None

    def config(self):
        lua = self.stage.folder / "lua"
        process = {
            "workers": 1,
            "log_rate": "off",
            "init": lua / "init.lua",
            "init_worker": lua / "init_worker.lua",
            "lua_package_path": f"{lua}/?.lua;;",
            "lua_ssl_trusted_certificate": self.keys.ca[0],
            "lua_socket_log_errors": "off",
            "resolver": self.stage.names.text,
            "compat": "strict",
        }
        if os.geteuid() == 0:
            process["allow_root_handlers"] = "yes"
        text = section("moongate", "", process)
        for name, size in DICTS.items():
            text += section("shared_dict", name, {"size": size})
        text += section("listener", "plain", {"bind": "%s:%d" % self.address})
        if any(c.group == "tls" for c in self.stage.cases):
            text += section("listener", "tls", {
                "bind": "%s:%d" % self.tls_address, "tls_certificate": self.keys.server[0],
                "tls_key": self.keys.server[1], "tls_client_ca": self.keys.ca[0], "tls_verify_client": "optional"})
        text += section("route", "notes", {"path": "/parity/notes", "handler": lua / "notes.lua"})
        return text + "".join(self.route(c) for c in self.stage.cases)

    def route(self, case):
        keys = {"path": f"/{case.name}", "handler": self.stage.script(case)}
        if case.group != "fixed":
            keys["compat"] = "strict"
        if "access" in case.hooks:
            keys["access"] = self.stage.script(case, "access")
        if "log" in case.hooks:
            keys["log_handler"] = self.stage.script(case, "log")
        text = section("route", case.name.replace("/", "."), keys)
        return text.rstrip("\n") + "\n" + case.blocks.get("moongate", "") + "\n"

    def log(self):
        return self.daemon.log

    def stop(self):
        """What was wrong with its end: the status, a sanitizer's report, sessions that are not counted as ended."""
        try:
            self.daemon.stop()
        except AssertionError as e:
            return str(e)[:4000]
        finally:
            self.daemon.kill()
        return None
