# SPDX-License-Identifier: BSD-2-Clause
"""Medians, ratios and the tables made of them."""

import datetime
import os
import re
import statistics
import subprocess

MARKS = ("<!-- bench: begin -->", "<!-- bench: end -->")


def median(values):
    return statistics.median(values) if values else None


def number(value):
    if value is None:
        return ""
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ratios(own, reference):
    """Ratios of the rounds in which both were measured: two dicts by round."""
    return [own[r] / reference[r] for r in own if reference.get(r)]


def ratio(values, spread=False):
    if not values:
        return ""
    text = f"{median(values):.2f}"
    if spread and len(values) > 1:
        text += f" ({min(values):.2f}–{max(values):.2f})"
    return text


def quartiles(values):
    """The median, and between what the middle half lies."""
    if len(values) < 2:
        return f"{median(values):.3f}" if values else ""
    first, middle, third = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.3f} ({first:.3f}–{third:.3f})"


class Table:
    """Lines of cells under a heading: aligned as text, or as markdown."""

    def __init__(self, title, columns):
        self.title = title
        self.columns = columns
        self.lines = []

    def add(self, *cells):
        self.lines.append([str(c) for c in cells])

    def text(self):
        lines = [self.columns] + self.lines
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        out = [self.title]
        for line in lines:
            cells = [c.ljust(w) if i < 2 else c.rjust(w)
                     for i, (c, w) in enumerate(zip(line, widths))]
            out.append("  " + "  ".join(cells).rstrip())
        return "\n".join(out) + "\n"

    def markdown(self):
        align = ["---" if i < 2 else "---:" for i in range(len(self.columns))]
        out = [f"### {self.title}", "", "| " + " | ".join(self.columns) + " |",
               "|" + "|".join(align) + "|"]
        out += ["| " + " | ".join(line) + " |" for line in self.lines]
        return "\n".join(out) + "\n"


def first_match(pattern, path):
    with open(path) as f:
        found = re.search(pattern, f.read(), re.M)
    return found.group(1).strip() if found else "unknown"


def version_of(command):
    """The first number with dots that a program prints of itself."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    found = re.search(r"\d+\.\d+(\.\d+)?", result.stdout + result.stderr)
    return found.group(0) if found else "unknown"


def machine():
    system = first_match(r'^PRETTY_NAME="?([^"\n]*)', "/etc/os-release")
    kernel = ".".join(os.uname().release.split(".")[:2])
    model = first_match(r"^model name\s*:\s*(.*)$", "/proc/cpuinfo")
    return (f"{datetime.date.today().isoformat()}, {system}, Linux {kernel}, {model}, "
            f"{os.cpu_count()} cores")


def write(path, body):
    """Writes the tables into a file, between the marks if it has them."""
    try:
        with open(path) as f:
            old = f.read()
    except FileNotFoundError:
        old = ""
    begin, end = old.find(MARKS[0]), old.find(MARKS[1])
    if 0 <= begin < end:
        body = old[:begin] + MARKS[0] + "\n" + body + old[end:]
    with open(path, "w") as f:
        f.write(body)
