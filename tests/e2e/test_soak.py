# SPDX-License-Identifier: BSD-2-Clause
"""What only shows in the long run. Short in `make test`, in full under `make soak`."""

import random

import pytest

from helpers.daemon import SANITIZED, still_works
from helpers.frames import BINARY, TEXT
from helpers.peer import RawClient
from helpers.traffic import sending


def open_app(daemon, upstream):
    client = RawClient(daemon.address)
    client.send(client.request("/app"))
    app = upstream.accept_open()
    client.expect_101()
    return client, app


def test_U_20_mask_keys_are_random(moongate, upstream, many):
    """Over all frames: no key stands out, every byte value is as frequent as chance has it, and
    no key follows from the one before."""
    daemon = moongate(upstream, route={"remask": "on"})
    client, app = open_app(daemon, upstream)
    n = many(10**6)
    sender = sending(client, client.make(TEXT, "x") * n)
    keys = []
    for _ in range(n):
        raw = app.read(7)  # 81 81, the key, a byte
        keys.append(raw[2:6])
        assert raw[:2] == b"\x81\x81" and raw[6] ^ raw[2] == ord("x")
    sender.join()
    # Birthdays among 2^32: n^2 / 2^33 expected, 12 times that (and a few) never.
    assert len(keys) - len(set(keys)) <= 12 * n * n / 2**33 + 5
    stepped = {(b[i] - a[i]) % 256 for a, b in zip(keys[:2000], keys[1:2001]) for i in range(4)}
    assert len(stepped) == 256
    for position in range(4):
        counts = [0] * 256
        for key in keys:
            counts[key[position]] += 1
        expected = n / 256
        chi2 = sum((c - expected) ** 2 / expected for c in counts)
        # 255 degrees of freedom: mean 255, deviation 22.6; seven deviations either way.
        assert 97 < chi2 < 413, (position, chi2)
    client.close()
    app.close()
    still_works(daemon)


@pytest.mark.parametrize("route", ["/echo", "/app"])
def test_mixed_traffic(moongate, upstream, for_long, route):
    """Sessions of all sizes come, talk, and go politely or not, again and again: every byte comes
    back, nothing is left over, and memory stays where it was after the first rounds."""
    daemon = moongate(upstream)
    rng = random.Random(route)
    after_first = None
    for n in for_long():
        pairs = []
        for _ in range(20):
            if route == "/echo":
                client = RawClient(daemon.address).open("/echo")
                pairs.append((client, client))
            else:
                pairs.append(open_app(daemon, upstream))
        for client, app in pairs:
            talk(rng, client, app)
        for client, app in pairs:
            leave(rng, client, app)
        daemon.settle()
        if n == 2:
            after_first = daemon.memory()
    assert SANITIZED or daemon.memory() - after_first < 1 << 20
    still_works(daemon)
    totals = daemon.stop()
    assert totals["broken_by_client"] == totals["broken_by_upstream"] == totals["out_of_memory"] == 0


def talk(rng, client, app):
    for _ in range(rng.randrange(1, 8)):
        data = rng.randbytes(rng.choice((0, 1, 20, 125, 126, 1000, 65535, 65536, 300000)))
        sender = sending(client, client.make(BINARY, data))
        app.expect_binary(data)
        sender.join()
        if app is not client:
            sender = sending(app, app.make(BINARY, data))
            client.expect_binary(data)
            sender.join()


def leave(rng, client, app):
    how = rng.choice(("polite", "close", "reset", "other side"))
    if how == "polite":
        client.close_frame(1000)
        if app is not client:
            app.expect_close(1000)
            app.close_frame(1000)
        client.expect_close(1000)
    elif how == "reset":
        client.reset()
    elif how == "other side":
        app.reset()
    client.close()
    app.close()
