# SPDX-License-Identifier: BSD-2-Clause
"""A daemon whose log the test does not follow: because it goes elsewhere, or nowhere."""

import os
import signal
import socket
import subprocess

from .daemon import BINARY, SANITIZERS, wait_until
from .peer import LIMIT


class Bare:
    """Started on a configuration; ready when its listener accepts. Descriptors as given."""

    def __init__(self, config, address, **how):
        self.address = address
        env = {**os.environ, **SANITIZERS, **how.pop("env", {})}
        how.setdefault("stdin", subprocess.DEVNULL)
        wrapper = how.pop("wrapper", ())
        self.process = subprocess.Popen([*wrapper, BINARY, "-c", config], env=env, **how)
        self.pid = self.process.pid

    def wait_ready(self):
        wait_until(self.accepts, "the daemon to accept connections")
        return self

    def accepts(self):
        assert self.process.poll() is None, f"ended with {self.process.returncode}"
        with socket.socket(socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET) as s:
            return s.connect_ex(self.address) == 0

    def stop(self, status=0):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(LIMIT)
        assert code == status, f"exit status {code}"

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()
