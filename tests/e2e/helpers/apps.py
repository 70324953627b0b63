# SPDX-License-Identifier: BSD-2-Clause
"""Applications in processes of their own, which can be killed, stalled and started again.

Each connection is upgraded and greeted with a text message, the application's name; what
comes then is thrown away, but a Ping and a Close are answered. App.who(client) reads the greeting.
"""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


class App:
    """One application: its name, its process. Closed by whoever made it."""

    def __init__(self, name, address):
        self.name = name
        self.process = None
        self.start(address)

    def start(self, address=None):
        """Again at the same address, unless another one is given."""
        host, port = address or self.address
        self.process = subprocess.Popen(
            [sys.executable, "-m", "helpers.apps", self.name, host, str(port)], cwd=HERE.parent,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.address = (host, int(self.process.stdout.readline()))

    @property
    def text(self):
        return "%s:%d" % self.address

    @property
    def url(self):
        return "ws://" + self.text

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stall(self):
        """Its kernel still accepts connections, and nobody answers."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        if self.process.poll() is None:
            self.kill()


class Connection(asyncio.Protocol):
    def __init__(self, name):
        self.name = name
        self.head = b""
        self.is_open = False

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        from .frames import PONG, TEXT, frame
        from .peer import Head, accept_value

        if self.is_open:
            if data[0] == 0x89:
                n = data[1] & 127
                self.transport.write(frame(PONG, bytes(b ^ data[2 + i % 4] for i, b in enumerate(data[6 : 6 + n]))))
                data = data[6 + n :] or b"\0"
            if data[0] == 0x88:
                self.transport.write(frame(8, b"\x03\xe8"))
                self.transport.close()
            return
        self.head += data
        if b"\r\n\r\n" not in self.head:
            return
        self.is_open = True
        key = Head(self.head.partition(b"\r\n\r\n")[0] + b"\r\n\r\n").get("Sec-WebSocket-Key")
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_value(key).encode() + b"\r\n\r\n"
            + frame(TEXT, self.name.encode()))


async def main(name, host, port):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(name), host, int(port), backlog=4096,
                                      reuse_address=True)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
