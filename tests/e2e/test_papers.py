# SPDX-License-Identifier: BSD-2-Clause
"""The papers and the program say the same, both ways: keys, events, counters, options, files that are shown.

The manual pages' lists are generated and compared by tests/unit/config_docs.c and admin_totals.c, where the tests that
docs/conformance.md names are looked for, too."""

import re
import subprocess

import pytest

from helpers.daemon import BINARY, ROOT, check_config

PAPERS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def read(path):
    return (ROOT / path).read_text()


def source(*patterns):
    return "\n".join(p.read_text("utf-8", "replace") for pattern in patterns for p in sorted(ROOT.glob(pattern)))


@pytest.fixture(scope="module")
def keys():
    """{kind: keys} as --help-config lists them; [defaults] has some of a route's."""
    listed = subprocess.run([BINARY, "--help-config"], capture_output=True, check=True).stdout.decode()
    found, kind = {}, None
    for line in listed.split("\n"):
        if m := re.match(r"\[(\w+)( NAME)?\]", line):
            found[kind := m[1]] = set()
        elif m := re.match(r"  (\w+) = ", line):
            found[kind].add(m[1])
        elif kind == "defaults" and line.startswith("      "):
            found[kind].update(line.split())
    assert found["defaults"] < found["route"] and all(found.values())
    return found


def test_the_manual_lists_them_where_they_belong(keys):
    page = re.sub(r"\\[&-]?", "", read("docs/moongate.conf.5"))
    for kind, part in re.findall(r"^\.SS \[(\w+)[^\n]*\n(.*?)(?=^\.S[SH])", page, re.M | re.S):
        named = re.findall(r"^\.BR (\w+)", part, re.M)
        assert set(named) == keys[kind] and len(named) == len(set(named)), kind


def blocks(text):
    """Indented and fenced code, without the margin."""
    for fenced in re.findall(r"^```.*?\n(.*?)^```", text, re.M | re.S):
        yield fenced
    for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M):
        yield re.sub(r"^    ", "", block, flags=re.M)


@pytest.mark.parametrize("path", PAPERS, ids=lambda p: p.name)
def test_examples_name_keys_that_there_are(path, keys):
    wrong = []
    for block in blocks(path.read_text()):
        kind = None
        for line in block.split("\n"):
            if m := re.fullmatch(r"\[(\w+)(?: [\w.-]+)?\]", line):
                kind = m[1]
                if kind not in keys and kind not in ("Service", "Unit"):
                    wrong.append(line)
            elif (m := re.match(r"([a-z][a-z0-9_]*) = ", line)) and kind in keys and m[1] not in keys[kind]:
                wrong.append(f"[{kind}] {line}")
    assert not wrong


@pytest.mark.parametrize("path", [p for p in PAPERS if p.name != "lua.md"], ids=lambda p: p.name)
def test_names_are_those_of_something(path):
    """What is written `so_or_so` is somewhere in the sources, the tests or what is installed. docs/lua.md names what is not
    there, too."""
    named = set(re.findall(r"`([a-z][a-z0-9]*(?:_[a-z0-9]+)+)`", path.read_text()))
    assert not sorted(named - WORDS)


WORDS = set(re.findall(r"\w+", source("src/**/*.[ch]", "tests/*/*.[ch]", "tests/*/*.py", "tests/*/run", "conf/**/*.*", "Makefile")))


def test_events_of_the_papers_are_logged():
    """The way back of test_the_papers_tell_of_every_event (test_logs.py)."""
    table = re.search(r"^\| event \| says \|\n(.*?)\n\n", read("docs/operations.md"), re.M | re.S)[1]
    events = {e for row in table.split("\n")[1:] for e in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert len(events) > 40
    logged = set(re.findall(r'"([a-z_]+)"', source("src/**/*.c")))
    assert not sorted(events - logged)


def test_options_are_in_every_paper():
    said = subprocess.run([BINARY, "--help"], capture_output=True, check=True).stdout.decode()
    options = set(re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", said.split("\n\n", 1)[1])) | {"-c", "-t", "-h", "-V"}
    known = set(re.findall(r'^\s*\{"([a-z-]+)", \w+, NULL', read("src/daemon/options.c"), re.M))
    assert {f"--{name}" for name in known} | {"-c", "-t", "-h", "-V"} == options
    manual, completion = read("docs/moongate.8").replace("\\-", "-"), read("conf/completion.bash")
    for option in options:
        assert option in manual and re.search(rf"(?<![\w-]){option}(?![\w-])", completion), option


def test_rotation_is_what_the_package_brings():
    shown = [block for block in blocks(read("docs/operations.md")) if "postrotate" in block]
    assert [block.strip() for block in shown] == [read("debian/moongate.logrotate").strip()]


def test_every_state_of_a_session_is_told():
    rows = re.search(r"^\| state \|.*?\n\|.*?\n(.*?)\n\n", read("docs/architecture.md"), re.M | re.S)[1]
    states = re.findall(r"\[SESSION_[A-Z]+\] = \{\s*\"(\w+)\"", read("src/proxy/session.c"))
    assert states and re.findall(r"^\| `(\w+)`", rows, re.M) == states


def test_mistakes_are_told_as_shown(tmp_path):
    """The example of docs/configuration.md."""
    shown = next(block for block in blocks(read("docs/configuration.md")) if "$ moongate -t -c chat.conf" in block).strip()
    (tmp_path / "chat.conf").write_text(
        "[listener public]\nbind = 0.0.0.0:8080\n\n[upstream chat]\nserver = ws://127.0.0.1:9000\n\n[route chat]\n"
        "path = /chat/*\nupstream = caht\nping_intreval = 20s\n")
    status, said = check_config("chat.conf", cwd=tmp_path)
    assert status == 78 and said.strip() == shown.split("\n", 1)[1]
