# SPDX-License-Identifier: BSD-2-Clause
"""What `make run` runs."""

import asyncio
import re

import websockets

from helpers.daemon import ROOT, check_config
from helpers.peer import LIMIT


def test_demo(daemons, port, tmp_path):
    """conf/demo.conf, on other ports: a proxied echo, and whatever else it holds is sound."""
    text = (ROOT / "conf/demo.conf").read_text()
    ports = {number: str(port()) for number in set(re.findall(r"127\.0\.0\.1:(\d+)", text))}
    assert "8080" in ports and len(ports) == 2
    moved = tmp_path / "demo.conf"
    moved.write_text(re.sub(r"127\.0\.0\.1:(\d+)", lambda m: "127.0.0.1:" + ports[m[1]], text))
    daemon = daemons(moved).wait_ready()

    async def talk():
        async with websockets.connect(f"ws://127.0.0.1:{ports['8080']}/echo", ping_interval=None) as ws:
            for i in range(100):
                await ws.send(f"hello {i}")
                assert await asyncio.wait_for(ws.recv(), LIMIT) == f"hello {i}"

    asyncio.run(talk())
    daemon.settle()
    totals = daemon.stop()
    assert totals["messages_up"] == 200 and totals["messages_down"] == 100  # the inner session counts too
    assert totals["sessions"] == 2


def test_demo_as_it_is():
    assert check_config(ROOT / "conf/demo.conf")[0] == 0
