# SPDX-License-Identifier: BSD-2-Clause
"""R-06, the second half: memory ends. Newcomers are refused, who is served is served on."""

import threading

import pytest

from helpers.daemon import SANITIZED, still_works, thread_states, wait_until
from helpers.kernel import MemoryGroup
from helpers.traffic import Application

KIB, MIB = 1024, 1024 * 1024
SMALL = {"send_buffer": "4k", "receive_buffer": "4k"}
FRAME = b"\x82\x7e\x40\x00" + b"f" * 16384


@pytest.fixture
def group():
    """A memory cgroup of 64 MiB."""
    if why := MemoryGroup.why_not():
        pytest.skip(why)
    if SANITIZED:
        pytest.skip("a sanitizer takes more memory than that by itself")
    with MemoryGroup(64 * MIB) as made:
        yield made


@pytest.fixture
def flood(upstream, closing):
    """An application that sends without end from the first message on."""
    closing.insert(0, Application(upstream, on_frame=lambda f: b"", flood=FRAME))
    return closing[0]


def come(daemon, n):
    """n clients ask for a tunnel. (those that got one, how many were refused)"""
    served, refused = [], 0
    for _ in range(n):
        client = daemon.client(rcvbuf=4096)
        try:
            client.send(client.request("/app"))
        except OSError:
            pass  # refused and gone already
        try:
            head = client.read_head()
        except (AssertionError, OSError):  # shed: too many refused ones linger
            refused += 1
            client.close()
            continue
        assert head.status in (101, 503)
        if head.status == 101:
            served.append(client)
        else:
            assert int(head.get("Retry-After")) > 0
            refused += 1
            client.close()
    return served, refused


def wait_stalled(daemon):
    """Until nothing moves any more: the daemon waits for all clients, the application for it, and
    neither for a processor."""
    seen = []

    def is_quiet():
        ours = thread_states("self")
        del ours[threading.get_native_id()]
        return daemon.is_asleep() and set(ours.values()) == {"S"}

    def same():
        with open(f"/proc/{daemon.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        seen.append((fields[11], fields[12], daemon.memory()) if is_quiet() else None)
        return len(seen) > 60 and seen[-1] and len(set(seen[-60:])) == 1

    wait_until(same, "the daemon to have nothing to do")


def stall(daemon, n):
    """n clients come, and those who are served never read what is sent to them without end; then
    they read. Returns how many were served and refused."""
    served, refused = come(daemon, n)
    for client in served:
        client.text("go")
    wait_stalled(daemon)
    daemon.wait_line("memory_short")
    late, turned_away = come(daemon, 50)
    assert not late and turned_away == 50
    # Nobody was ended, and nothing was lost: each gets whole messages, more than was queued.
    for client in served:
        assert client.read(2 * len(FRAME)) == 2 * FRAME
    assert not daemon.find("session_end")
    for client in served:
        client.close()
    daemon.settle()
    # It recovers by itself.
    daemon.wait_line("memory_available")
    still_works(daemon)
    client = daemon.client().open("/app")
    client.close()
    daemon.settle()
    totals = daemon.stop()
    assert totals["refused_memory"] == refused + turned_away
    assert totals["out_of_memory"] == 0
    loud = [x for x in daemon.lines if x.level in ("warn", "error") and x.event != "running_as_root"]
    assert len(loud) <= 4, daemon.log
    return len(served), refused


def test_R_06_cgroup_of_64_MiB_and_2000_clients_that_stall(group, moongate, upstream, flood):
    daemon = moongate(upstream, listener=SMALL, group=SMALL, route={"send_timeout": "1h"}, wrapper=group.wrapper)
    assert daemon.wait_line("limits")["memory_max"] == str(48 * MIB)
    served, refused = stall(daemon, 2000)
    assert served >= 1000, served
    assert group.kills() == 0
    assert group.most() < 64 * MIB


def test_R_06_cgroup_of_64_MiB_and_500_clients_with_long_queues(group, moongate, upstream, flood):
    """It is what is queued for them that does not fit."""
    daemon = moongate(upstream, listener=SMALL, group=SMALL, route={"send_timeout": "1h", "max_queue": "1m"},
                      wrapper=group.wrapper)
    assert stall(daemon, 500) == (500, 0)
    assert group.kills() == 0
    assert 32 * MIB < group.most() < 64 * MIB


def test_R_06_memory_max(moongate, upstream, flood):
    """The same by configuration, on two workers."""
    daemon = moongate(upstream, listener=SMALL, group=SMALL, route={"send_timeout": "1h"},
                      process={"memory_max": "16m", "workers": 2})
    served, refused = stall(daemon, 1000)
    assert served >= 200 and refused >= 200, (served, refused)


def test_R_06_memory_max_off(group, moongate, upstream):
    daemon = moongate(upstream, process={"memory_max": "off"}, wrapper=group.wrapper)
    assert "memory_max" not in daemon.wait_line("limits")
    still_works(daemon)
