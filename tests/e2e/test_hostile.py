# SPDX-License-Identifier: BSD-2-Clause
"""Many peers without manners at once, clients and applications, before a daemon with most keys set:
it lives, tells each of them apart, and gives back all that they took."""

import random

from helpers.daemon import section, server_text, still_works
from helpers.rude import RudeApplication, visit
from helpers.traffic import Doing

CLIENTS, VISITS = 8, 25  # in a round

DEFAULTS = {
    "message_timeout": "500ms", "send_timeout": "500ms", "close_timeout": "300ms", "ping_interval": "200ms", "pong_timeout": "200ms",
    "max_lifetime": "2s", "max_message": "1m", "max_control_rate": 100, "forwarded_rfc7239": "on",
    "request_set": "X-A: ${remote_addr} ${host} ${uri} ${upstream}", "response_set": "X-B: ${request_id} ${upstream}",
    "response_remove": "Server",
}

# For the one that comes last, with all the time it wants.
CALM = {"message_timeout": "1h", "send_timeout": "1h", "ping_interval": "off", "max_lifetime": "off"}


def visits(seed, addresses):
    rng = random.Random(seed)
    for _ in range(VISITS):
        has_preface = rng.random() < 0.2
        visit(rng, addresses[has_preface], has_preface)


def test_rude_peers(moongate, closing, for_long, tmp_path, port):
    applications = [RudeApplication(random.Random(i)) for i in range(3)]
    closing.extend(applications)
    secret = tmp_path / "secret"
    secret.write_text("s" * 40)
    secret.chmod(0o600)
    servers = [server_text(a.address) for a in applications]
    group = {"server": [servers[0], servers[1] + " weight=3 max_connections=5", servers[2] + " backup"], "balance": "least_connections",
             "queue": 20, "queue_timeout": "200ms", "tries": 3, "max_fails": 50, "fail_timeout": "200ms", "connect_timeout": "1s",
             "sticky": "node", "sticky_secret": secret, "health": "ping", "health_interval": "100ms", "health_timeout": "100ms",
             "health_fall": 20}
    times = {"handshake_timeout": "1s", "keepalive_timeout": "500ms"}
    other, calm = port(), port()
    prefaced = {"bind": f"127.0.0.1:{other}", "proxy_protocol": "on", "proxy_protocol_from": "127.0.0.0/8",
                "trusted_proxy": "127.0.0.0/8", "max_connections": 50, "max_connections_per_address": 5, **times}
    daemon = moongate(applications[0], group=group, listener=times, defaults=DEFAULTS,
                      process={"workers": 2, "access_log": tmp_path / "access.log"},
                      extra=section("listener", "prefaced", prefaced)
                      + section("route", "prefaced", {"listener": "prefaced", "path": "/app*", "upstream": "app"})
                      + section("listener", "calm", {"bind": f"127.0.0.1:{calm}"})
                      + section("route", "calm", {"listener": "calm", "path": "/still", "echo": "on", **CALM}))
    count = 0
    for n in for_long():
        addresses = [daemon.address, ("127.0.0.1", other)]
        clients = [Doing(visits, f"{n} {i}", addresses) for i in range(CLIENTS)]
        for client in clients:
            assert client.join().error is None, client.error
        count += CLIENTS * VISITS
    daemon.address, daemon.is_hasty = ("127.0.0.1", calm), False
    still_works(daemon)
    totals = daemon.stop()
    assert totals["accepted"] >= count
    assert totals["proxy_headers"] > 0 and totals["opened"] > 0 and totals["broken_by_client"] > 0
