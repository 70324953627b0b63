# SPDX-License-Identifier: BSD-2-Clause
"""A case: a handler script whose head holds, in Lua comments, the parts that its peers play.

    -- SPDX-License-Identifier: BSD-2-Clause
    -- One sentence: what is shown.
    --[=[ client
    open()
    text("hello")
    wait("ol")
    ]=]
    local server = require "resty.websocket.server"
    ...

The blocks are Python, each on a thread of its own, with the words of peers.py:

    client      the client; without it a plain GET, read to its end
    upstream    a TCP server, whose port t.port() tells the script; accept() is its first word
    udp         the same for datagrams, t.udp_port()
    nginx       lines for its location (settings that are keys of a route elsewhere)
    moongate    lines for its route

and the line `-- alone` keeps other cases away while this one runs. Beside NAME.lua may lie
NAME.access.lua, NAME.log.lua and, where it does not come from the oracle, NAME.expected.
"""

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(r"^--\[=\[ (client|upstream|udp|nginx|moongate)\n(.*?)^\]=\]$", re.M | re.S)
HOOKS = ("access", "log")


@dataclass
class Case:
    name: str  # GROUP/NAME
    path: Path
    blocks: dict = field(default_factory=dict)
    alone: bool = False

    def lines(self, kind):
        return self.blocks.get(kind, "").splitlines()

    @property
    def group(self):
        return self.name.split("/")[0]

    @property
    def hooks(self):
        """The files of other phases: {phase: path}."""
        found = {h: self.path.with_suffix(f".{h}.lua") for h in HOOKS}
        return {h: p for h, p in found.items() if p.exists()}

    @property
    def expected(self):
        """The transcript that was written for it, None when the oracle decides."""
        path = self.path.with_suffix(".expected")
        if not path.exists():
            return None
        return [x for x in path.read_text().splitlines() if not x.startswith("#")]


def read_case(root, path):
    text = path.read_text()
    blocks = {kind: textwrap.dedent(body) for kind, body in BLOCK.findall(text)}
    left = BLOCK.sub("", text)
    assert "[=[" not in left, f"{path}: a block that is none"
    name = str(path.relative_to(root).with_suffix(""))
    return Case(name, path, blocks, "\n-- alone\n" in text)


def read_cases(root):
    """All cases below a folder, by name."""
    paths = sorted(p for p in root.glob("*/*.lua") if "." not in p.stem)
    return [read_case(root, p) for p in paths]
