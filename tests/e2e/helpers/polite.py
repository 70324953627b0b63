# SPDX-License-Identifier: BSD-2-Clause
"""Peers that others wrote: python3-websockets, node `ws`, headless Chromium.

Clients run a list of steps (see script.js, whose verbs PythonClient has too) and return what
came of it; applications echo, close when told so, and report how each connection closed.
"""

import asyncio
import http.server
import json
import os
import queue
import re
import subprocess
import tempfile
import threading
from pathlib import Path

import websockets

from .peer import LIMIT

HERE = Path(__file__).resolve().parent
NODE = {**os.environ, "NODE_PATH": "/usr/share/nodejs"}


class PythonEcho:
    """An echo on python3-websockets, in a thread with its own loop."""

    def __init__(self):
        self.closes = queue.Queue()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self._run(self._serve())
        self.address = self.server.sockets[0].getsockname()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(LIMIT)

    async def _serve(self):
        return await websockets.serve(
            self._echo, "127.0.0.1", 0, max_size=64 * 1024 * 1024, ping_interval=None,
            subprotocols=["chat"])

    async def _echo(self, ws):
        try:
            async for message in ws:
                ask = re.match(r"close (\d+) (.*)$", message) if isinstance(message, str) else None
                if ask:
                    await ws.close(int(ask[1]), ask[2])
                else:
                    await ws.send(message)
        except websockets.ConnectionClosedError:
            pass
        self.closes.put((ws.close_code, ws.close_reason))

    async def _stop(self):
        self.server.close()
        await self.server.wait_closed()

    def close(self):
        self._run(self._stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(LIMIT)
        self.loop.close()


class NodeEcho:
    """An echo on node's `ws`, in a process of its own."""

    def __init__(self):
        self.closes = queue.Queue()
        self.process = subprocess.Popen(["node", HERE / "echo.js"], env=NODE, text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.address = ("127.0.0.1", int(self.process.stdout.readline()))
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.closes.put(tuple(json.loads(line)))

    def close(self):
        self.process.kill()
        self.process.wait()
        self.thread.join(LIMIT)
        self.process.stdout.close()


def pattern(size):
    return bytes((i * 31 + (i >> 8)) & 255 for i in range(size))


class PythonClient:
    def run(self, url, steps, protocols=()):
        return asyncio.run(asyncio.wait_for(self._run(url, steps, protocols), LIMIT))

    async def _run(self, url, steps, protocols):
        result = {"done": 0, "error": None}
        ws = await websockets.connect(url, subprotocols=protocols or None, ping_interval=None,
                                      max_size=64 * 1024 * 1024)
        result["protocol"] = ws.subprotocol or ""
        result["extensions"] = ws.response_headers.get("Sec-WebSocket-Extensions", "")
        try:
            for step in steps:
                await getattr(self, step["do"])(ws, step, result)
                result["done"] += 1
        except (AssertionError, websockets.ConnectionClosed) as e:
            result["error"] = repr(e)
        finally:
            await ws.close()
        return result

    async def _echoed(self, ws, message, wanted):
        await ws.send(message)
        assert await ws.recv() == wanted, "came back changed"

    async def text(self, ws, step, _):
        await self._echoed(ws, step["value"], step["value"])

    async def long_text(self, ws, step, _):
        await self._echoed(ws, step["value"] * step["times"], step["value"] * step["times"])

    async def binary(self, ws, step, _):
        await self._echoed(ws, pattern(step["size"]), pattern(step["size"]))

    async def fragments(self, ws, step, _):
        await self._echoed(ws, step["parts"], "".join(step["parts"]))

    async def ping(self, ws, step, _):
        await (await ws.ping(step["value"].encode()))

    async def close(self, ws, step, result):
        await ws.close(step["code"], step["reason"])
        result["close"] = [ws.close_code, ws.close_reason, True]

    async def ask_close(self, ws, step, result):
        await ws.send("close %d %s" % (step["code"], step["reason"]))
        await ws.wait_closed()
        result["close"] = [ws.close_code, ws.close_reason, True]

    def quit(self):
        pass


class NodeClient:
    def run(self, url, steps, protocols=()):
        done = subprocess.run(
            ["node", HERE / "client.js", url, json.dumps(protocols), json.dumps(steps)],
            env=NODE, capture_output=True, text=True, timeout=LIMIT, check=True)
        return json.loads(done.stdout)

    def quit(self):
        pass


class Page(http.server.BaseHTTPRequestHandler):
    """One page, and the script it runs."""

    def do_GET(self):
        script = self.path == "/script.js"
        body = (HERE / "script.js").read_bytes() if script else (
            b"<!doctype html><title>test</title><link rel=icon href=data:,><script src=/script.js></script>")
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if script else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class ChromiumClient:
    """Headless Chromium on a page of our own; start once, run many."""

    def __init__(self):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()
        self.profile = tempfile.TemporaryDirectory(prefix="moongate-chromium-", ignore_cleanup_errors=True)
        options = webdriver.ChromeOptions()
        for flag in ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
                     "disable-background-networking", "disable-component-update", "disable-sync",
                     "disable-default-apps", "disable-dev-shm-usage", "no-proxy-server",
                     "ignore-certificate-errors",
                     f"user-data-dir={self.profile.name}"):
            options.add_argument(f"--{flag}")
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_script_timeout(LIMIT)
        self.driver.get("http://127.0.0.1:%d/" % self.http.server_address[1])

    def run(self, url, steps, protocols=()):
        return self.driver.execute_async_script(
            "const [url, protocols, steps, done] = arguments;"
            "runScript(WebSocket, url, protocols, steps).then(done);",
            url, list(protocols), steps)

    def quit(self):
        self.driver.quit()
        self.http.shutdown()
        self.http.server_close()
        self.profile.cleanup()
