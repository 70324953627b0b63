# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of TLS share, known to all of them by conftest.py: an authority, the certificates of both
sides, clients and applications behind TLS, and a daemon between them."""

import ssl

import pytest

from .daemon import check_config
from .tls import Authority, SecureClient, SecureUpstream, server_context

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = [pytest.param(V12, id="1.2"), pytest.param(V13, id="1.3")]


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def site(ca):
    """The daemon's own certificate."""
    return ca.make("site", "DNS:localhost,IP:127.0.0.1,DNS:*.example.com")


@pytest.fixture(scope="module")
def app_pair(ca):
    """The application's."""
    return ca.make("app", "DNS:localhost,IP:127.0.0.1")


@pytest.fixture
def secure(closing, ca):
    """A function that connects a SecureClient to a daemon."""

    def make(daemon, context=None, **how):
        client = SecureClient(daemon.address, context or ca.client_context(), **how)
        closing.insert(0, client)
        return client

    return make


@pytest.fixture
def secure_apps(closing, app_pair):
    """A function that makes an application behind TLS."""

    def make(pair=None, client_ca=None, **how):
        closing.append(SecureUpstream(server_context(pair or app_pair, client_ca), **how))
        return closing[-1]

    return make


@pytest.fixture
def both(moongate, site, ca, secure_apps):
    """A daemon with TLS on both sides, and the application."""

    def make(listener=None, group=None, **how):
        app = secure_apps()
        group = {"server": app.server, "tls_ca": ca.certificate, **(group or {})}
        listener = {**site.keys, **(listener or {})}
        return moongate(app, listener=listener, group=group, **how), app

    return make


def works(daemon, ca, n=20):
    """A fresh connection, proxied behind TLS, echoes n messages."""
    with SecureClient(daemon.address, ca.client_context()) as client:
        client.open("/still").echoes(n)
        client.end()


def check(tmp_path, listener="", upstream="", process=""):
    """What `moongate -t` says of keys of [listener l], [upstream u] and [moongate]: its status, and its words."""
    config = tmp_path / "check.conf"
    config.write_text(f"[moongate]\nworkers = 1\n{process}\n[listener l]\nbind = 127.0.0.1:1\n{listener}\n"
                      f"[upstream u]\n{upstream or 'server = ws://127.0.0.1:2'}\n"
                      "[route r]\nlistener = l\nupstream = u\n")
    return check_config(config)


def ends(client, peer):
    """The close handshake through the proxy, and TLS's own end at the upstream."""
    client.close_frame(1000)
    peer.expect_close(1000)
    peer.close_frame(1000)
    peer.sock.unwrap().close()
    client.expect_close(1000)
    client.close()
