# SPDX-License-Identifier: BSD-2-Clause
"""`make bench` says which servers it leaves out, and what brings them."""

import os
import shutil
import sys

import pytest

from helpers.daemon import ROOT


@pytest.fixture
def servers(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests" / "bench")
    before = set(sys.modules)
    import servers

    yield servers
    for name in set(sys.modules) - before:
        del sys.modules[name]


def told(servers, folder, wanted=lambda name: True):
    found = servers.kinds(ROOT, None, str(folder))
    return servers.left_out([k for k in found if wanted(k.name)])


def test_what_is_not_installed_is_told(servers, monkeypatch, tmp_path):
    is_there = os.path.exists
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    monkeypatch.setattr(os.path, "exists", lambda path: "lua" not in str(path) and is_there(path))
    assert told(servers, tmp_path) == [
        "nginx, nginx-tls, nginx64, nginx64-tls left out: install nginx (make deps-bench)",
        "haproxy, haproxy-tls, haproxy64, haproxy64-tls left out: install haproxy (make deps-bench)",
        "nginx-lua, nginx-lua-proxy left out: install nginx, libnginx-mod-http-lua, lua-nginx-websocket (make deps-bench)"]
    assert told(servers, tmp_path, lambda name: name == "haproxy") == [
        "haproxy left out: install haproxy (make deps-bench)"]


def test_what_is_installed_is_not(servers, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name, path=None: f"/usr/sbin/{name}")
    monkeypatch.setattr(os.path, "exists", lambda path: True)
    monkeypatch.setattr(servers.shutil, "copy", lambda program, to: to)
    assert told(servers, tmp_path) == []
