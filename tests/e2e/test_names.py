# SPDX-License-Identifier: BSD-2-Clause
"""Names of servers: U-16 to U-19, and each of their keys."""

import os
import random
import socket
import threading
from collections import Counter

import pytest

from helpers.apps import App
from helpers.daemon import check_config, refused, section, still_works, wait_until
from helpers.hall import Hall
from helpers.names import A, AAAA, NXDOMAIN, REFUSED, SERVFAIL, SRV, NameServer, address, alias
from helpers.peer import RawUpstream
from helpers.reloads import reload

NAME = "app.test"
ALONE = {"LOCALDOMAIN": "", "CARES_HOSTS": "/dev/null"}  # nothing of the host's own


# A question that nobody answers, and its sockets, are gone long before a test's end is no longer waited for.
SOON = {"resolver_timeout": "4s"}


@pytest.fixture
def ns(closing, port):
    closing.append(NameServer(port=port()))  # which nobody else takes while it is down
    return closing[-1]


@pytest.fixture
def named(moongate, ns):
    """A function that starts the daemon before `server`, as found by the name server, which has time
    to answer before it is asked again."""

    def make(server, process=None, env=None, group=None, **how):
        process = {"resolver": ns.text, "resolver_timeout": "20s", **(process or {})}
        return moongate(("127.0.0.1", 1), group={"server": server, **(group or {})}, process=process,
                        env={**ALONE, **(env or {})}, **how)

    return make


@pytest.fixture
def start(closing):
    """A function that starts an App, which greets who comes with its name."""

    def make(name="app", host="127.0.0.1", number=0):
        closing.append(App(name, (host, number)))
        return closing[-1]

    return make


@pytest.fixture
def places(upstreams, port):
    """A function that listens at one port of each of these addresses."""

    def make(*hosts):
        number = port()
        return [upstreams((host, number)) for host in hosts]

    return make


def url(app, name=NAME):
    return f"ws://{name}:{app.address[1]}"


def ask(daemon, target="/app"):
    client = daemon.client()
    client.send(client.request(target))
    return client


def served(daemon, upstream):
    """A session that is open at this place. Returns (client, app)."""
    client = ask(daemon)
    app = upstream.accept_open()
    client.expect_101()
    client.text("hello")
    app.expect_text("hello")
    return client, app


def ended(daemon, upstream):
    """One more session, there and over."""
    client, app = served(daemon, upstream)
    client.close_frame(1000)
    app.expect_close(1000)
    app.close_frame(1000)
    client.expect_close(1000)
    client.close()
    app.close()


def told_of(event, daemon, upstream):
    """Sessions come and go until the log tells of it."""
    wait_until(lambda: daemon.find(event) or ended(daemon, upstream), event)


def greeting(daemon):
    """A session with an App. Returns (client, the name that it was greeted with)."""
    client = ask(daemon)
    client.expect_101()
    return client, client.read_message()[1].decode()


def comes_through(daemon):
    """Whether a session does. Returns the name of its App."""
    client = ask(daemon)
    if client.read_head().status == 101:
        return client.read_message()[1].decode()
    client.close()
    return None


def not_found(daemon, reason):
    client = ask(daemon)
    client.expect_refusal(502)
    assert reason in daemon.refusal_of(client)["reason"]
    client.close()


def test_addresses_of_a_name(named, ns, upstream):
    ns.a(NAME, "127.0.0.1")
    daemon = named(url(upstream))
    for _ in range(20):
        ended(daemon, upstream)
    assert ns.count(NAME, A) == 1 and ns.count(NAME, AAAA) == 1
    still_works(daemon)
    totals = daemon.stop()
    assert (totals["dns_queries"], totals["dns_failures"], totals["dns_stale"]) == (2, 0, 0)


def test_one_question_for_all_who_ask(named, ns, upstream):
    gate = threading.Event()
    ns.scripts[NAME] = lambda q: gate.wait(20) and [
        q.answer(*([address(NAME, "127.0.0.1")] if q.kind == A else []))]
    patient = {"group": {"connect_timeout": "1h"}, "listener": {"handshake_timeout": "1h"}}
    daemon = named(url(upstream), {"resolver_timeout": "60s"}, **patient)
    clients = [ask(daemon) for _ in range(50)]
    wait_until(lambda: ns.count(NAME), "the question")
    ask(daemon, "/echo").expect_101()  # behind them: their requests have been read
    gate.set()
    for _ in clients:
        upstream.accept_open()
    for client in clients:
        client.expect_101()
    assert len(ns.asked) == 2


def test_addresses_take_turns(named, ns, places):
    apps = places("127.0.0.2", "127.0.0.3", "127.0.0.4")
    ns.a(NAME, *(app.address[0] for app in apps))
    daemon = named(url(apps[0]))
    for app in apps + apps:
        ended(daemon, app)


def test_a_family_that_is_not_there(named, ns, upstream):
    """IPv6 comes first, and is refused here."""
    ns.a(NAME, "::1", "127.0.0.1")
    daemon = named(url(upstream))
    ended(daemon, upstream)


# The second address is tried though the first one neither answers nor refuses.


class Stuck:
    """A listening socket whose queue is full: who connects hears nothing."""

    def __init__(self, where):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(where)
        self.sock.listen(0)
        self.fillers = []
        while len(self.fillers) < 10:
            filler = socket.socket()
            self.fillers.append(filler)
            filler.settimeout(0.2)
            try:
                filler.connect(where)
            except TimeoutError:
                break

    def close(self):
        for sock in [*self.fillers, self.sock]:
            sock.close()


def test_U_04_the_first_address_is_silent(named, ns, places, closing):
    app, = places("127.0.0.3")
    closing.append(Stuck(("127.0.0.2", app.address[1])))
    ns.a(NAME, "127.0.0.2", "127.0.0.3")
    daemon = named(url(app), group={"connect_timeout": "20s"}, listener={"handshake_timeout": "20s"})
    client, app_end = served(daemon, app)
    assert app.nobody_came()  # one connection, one request
    client.end()
    app_end.close()
    still_works(daemon)


def test_U_04_every_address_is_silent(named, ns, port, closing):
    number = port()
    for host in "127.0.0.2", "127.0.0.3":
        closing.append(Stuck((host, number)))
    ns.a(NAME, "127.0.0.2", "127.0.0.3")
    daemon = named(f"ws://{NAME}:{number}", group={"connect_timeout": "600ms"})
    client = ask(daemon)
    client.expect_refusal(504)
    client.close()
    still_works(daemon)


def test_U_04_every_address_refuses(named, ns, port):
    ns.a(NAME, *(f"127.0.0.{i}" for i in range(2, 12)))
    daemon = named(f"ws://{NAME}:{port()}")
    refused(daemon, ask(daemon), 502)


def test_U_01_client_leaves_while_addresses_are_tried(named, ns, port, closing):
    number = port()
    for host in "127.0.0.2", "127.0.0.3":
        closing.append(Stuck((host, number)))
    ns.a(NAME, "127.0.0.2", "127.0.0.3")
    daemon = named(f"ws://{NAME}:{number}", group={"connect_timeout": "20s"})
    client = ask(daemon)
    wait_until(lambda: ns.count(NAME) == 2, "the questions")
    client.reset()
    still_works(daemon)


def test_U_01_client_leaves_while_resolving(named, ns):
    ns.scripts[NAME] = lambda q: None
    daemon = named(f"ws://{NAME}:80", SOON)
    client = ask(daemon)
    wait_until(lambda: ns.count(NAME), "the question")
    client.reset()
    still_works(daemon)


# What name servers answer.


def test_U_16_cut_answers_are_asked_for_by_tcp(named, ns, upstreams, port):
    upstream = upstreams(("0.0.0.0", port()))
    ns.a(NAME, *(f"127.0.1.{i}" for i in range(1, 60)))
    daemon = named(url(upstream))
    ended(daemon, upstream)
    assert (NAME, A, True) in ns.asked


def test_U_16_500_records(named, ns, upstreams, port):
    upstream = upstreams(("0.0.0.0", port()))
    ns.a(NAME, *(f"127.1.{i // 250}.{i % 250 + 1}" for i in range(500)))
    daemon = named(url(upstream))
    for _ in range(70):
        ended(daemon, upstream)
    still_works(daemon)


@pytest.mark.parametrize("code", [SERVFAIL, NXDOMAIN, REFUSED])
def test_U_16_failures(named, ns, start, code):
    ns.scripts[NAME] = lambda q: [q.error(code)]
    daemon = named(url(start()))
    reason = "no such host" if code == NXDOMAIN else "no name server gave an answer"
    for _ in range(5):
        not_found(daemon, reason)
    assert daemon.wait_line("name_failed")["reason"] == reason
    del ns.scripts[NAME]
    ns.a(NAME, "127.0.0.1")
    wait_until(lambda: comes_through(daemon), "the name to be found")
    daemon.wait_line("name_found")
    daemon.stop()
    assert len(daemon.find("name_failed")) == 1
    assert len(daemon.find("name_found")) == 1


def test_U_16_empty(named, ns):
    ns.a(NAME)
    daemon = named(f"ws://{NAME}:80")
    not_found(daemon, "no address")
    still_works(daemon)


def test_U_16_loop_of_aliases(named, ns):
    ns.scripts[NAME] = lambda q: [q.answer(alias(NAME, "b.test"), alias("b.test", NAME))]
    daemon = named(f"ws://{NAME}:80")
    not_found(daemon, "a loop of aliases")
    still_works(daemon)


def test_aliases(named, ns, upstream):
    ns.scripts[NAME] = lambda q: [q.answer(
        address("c.test", "127.0.0.1"), alias("b.test", "C.test"), alias(NAME, "b.test"))
        if q.kind == A else q.answer()]
    daemon = named(url(upstream))
    ended(daemon, upstream)


def test_U_16_no_answer(named, ns):
    ns.scripts[NAME] = lambda q: None
    daemon = named(f"ws://{NAME}:80", {"resolver_timeout": "300ms"})
    not_found(daemon, "no name server answered in time")
    still_works(daemon)


def test_U_16_one_family_is_never_answered(named, ns, upstream):
    ns.scripts[NAME] = lambda q: [q.answer(address(NAME, "127.0.0.1"))] if q.kind == A else None
    daemon = named(url(upstream), {"resolver_timeout": "30s"}, listener={"handshake_timeout": "20s"})
    ended(daemon, upstream)


@pytest.mark.parametrize("ttl", [0, 2**31, 2**32 - 1])
def test_U_16_ttl_of_nothing(named, ns, upstream, ttl):
    """Held for a second: each further question was worth at least one session."""
    ns.a(NAME, "127.0.0.1", ttl=ttl)
    daemon = named(url(upstream))
    while ns.count(NAME, A) < 3:
        ended(daemon, upstream)
    assert not daemon.find("name_changed")


def test_U_16_long_ttl(named, ns, upstream):
    ns.a(NAME, "127.0.0.1", ttl=2**31 - 1)
    daemon = named(url(upstream))
    for _ in range(30):
        ended(daemon, upstream)
    assert len(ns.asked) == 2


def test_U_16_addresses_change(named, ns, start, port):
    old = start("old", "127.0.0.2", port())
    start("new", "127.0.0.3", old.address[1])
    ns.a(NAME, "127.0.0.2", ttl=1)
    daemon = named(url(old))
    client, name = greeting(daemon)
    assert name == "old"
    ns.a(NAME, "127.0.0.3", ttl=1)
    wait_until(lambda: greeting(daemon)[1] == "new", "the change")
    line = daemon.wait_line("name_changed")
    assert line["name"] == NAME and line["addresses"] == "127.0.0.3"
    # Who was there stays there, and is answered from there.
    client.end()
    still_works(daemon)
    assert daemon.find("name_changed") == [line]


@pytest.mark.parametrize("how", ["dies", "fails", "is silent", "is empty", "forgets"])
def test_U_18_the_last_good_answer_is_kept(named, ns, upstream, how):
    ns.a(NAME, "127.0.0.1", ttl=1)
    daemon = named(url(upstream), {"resolver_timeout": "2s"} if how == "is silent" else None)
    ended(daemon, upstream)
    answers = {"fails": lambda q: [q.error(SERVFAIL)], "is silent": lambda q: None,
               "is empty": lambda q: [q.answer()], "forgets": lambda q: [q.error(NXDOMAIN)]}
    if how == "dies":
        ns.stop()
    else:
        ns.scripts[NAME] = answers[how]
    told_of("name_failed", daemon, upstream)
    for _ in range(20):
        ended(daemon, upstream)
    assert daemon.find("name_failed")[0]["kept"] == "1"
    # It is back.
    if how == "dies":
        ns.start()
    ns.scripts.clear()
    told_of("name_found", daemon, upstream)
    assert len(daemon.find("name_failed")) == 1
    still_works(daemon)
    totals = daemon.stop()
    assert totals["dns_stale"] >= 20 and totals["dns_failures"] >= 1


def test_U_18_dead_from_the_start(named, ns, start):
    ns.a(NAME, "127.0.0.1")
    ns.stop()
    daemon = named(url(start()), {"resolver_timeout": "300ms"})
    not_found(daemon, "no name server")
    ns.start()
    wait_until(lambda: comes_through(daemon), "the name to be found")


def test_U_18_the_second_server_answers(named, ns, upstream, closing):
    closing.append(second := NameServer())
    second.a(NAME, "127.0.0.1")
    ns.scripts[NAME] = lambda q: [q.error(SERVFAIL)]
    daemon = named(url(upstream), {"resolver": f"{ns.text} {second.text}"})
    ended(daemon, upstream)
    assert ns.count(NAME) == 2


def lies(ns, q):
    """Everything but the answer, then the answer."""
    bad, good = address(NAME, "127.0.0.66"), address(NAME, "127.0.0.1")
    other_id = bytes([q.id[0] ^ 1, q.id[1]])
    other_text = b"\x04bank\x04test\x00" + q.text[-4:]

    def from_elsewhere(peer):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((ns.host, 0))
            sock.sendto(q.answer(bad), peer)

    return [from_elsewhere, q.answer(bad, id=other_id), q.answer(address("bank.test", "127.0.0.66"), text=other_text),
            b"", b"\x00", q.raw[:11], q.answer(address("bank.test", "127.0.0.66"), good)]


def test_U_19_answers_to_other_questions(named, ns, upstream, places):
    wrong = places("127.0.0.66")[0]
    ns.scripts[NAME] = lambda q: lies(ns, q) if q.kind == A else [q.answer()]
    daemon = named(url(upstream))
    ended(daemon, upstream)
    assert wrong.nobody_came()
    still_works(daemon)


def test_U_17_noise(named, ns, start):
    """Random bytes behind a right head and question, then the answer is asked for again."""
    rng = random.Random(17)

    def script(q):
        if rng.random() < 0.5:
            ns.scripts.pop(NAME, None)
        head = q.answer()[:6] + bytes([0, rng.randrange(8), 0, 0, 0, 0])
        return [head + q.text + rng.randbytes(rng.randrange(400))]

    ns.a(NAME, "127.0.0.1", ttl=1)
    daemon = named(url(start()), {"resolver_timeout": "200ms"})
    for _ in range(3):
        ns.scripts[NAME] = script
        wait_until(lambda: comes_through(daemon) and NAME not in ns.scripts, "good answers again")
    still_works(daemon)


# Files of the host.


def test_hosts_file_comes_first(named, ns, upstream, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 {NAME}\n")
    daemon = named(url(upstream), env={"CARES_HOSTS": str(hosts)})
    ended(daemon, upstream)
    assert not ns.asked


def test_search_domains(named, ns, upstream):
    ns.a("app.two.test", "127.0.0.1")
    daemon = named(url(upstream, "app"), env={"LOCALDOMAIN": "one.test two.test"})
    ended(daemon, upstream)
    assert [n for n, kind, _ in ns.asked if kind == A] == ["app.one.test", "app.two.test"]


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of one's own wants root")
def test_the_systems_servers(moongate, closing, upstream, tmp_path):
    """/etc/resolv.conf, also when it is changed while the daemon runs."""
    hosts = [f"127.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}.{i}" for i in (1, 2)]
    servers = [NameServer(host, 53) for host in hosts]
    closing.extend(servers)
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"search sub.test\nnameserver {hosts[0]}\n")
    servers[0].a("app.sub.test", "127.0.0.1", ttl=1)
    servers[1].a("app.sub.test", "127.0.0.1")
    bind = f'mount --bind {conf} /etc/resolv.conf && exec "$@"'
    daemon = moongate(("127.0.0.1", 1), group={"server": url(upstream, "app")},
                      env={"CARES_HOSTS": "/dev/null"}, wrapper=("unshare", "-m", "sh", "-c", bind, "sh"))
    ended(daemon, upstream)
    assert servers[0].count("app.sub.test") == 2
    servers[0].stop()
    with open(conf, "w", encoding="ascii") as f:
        f.write(f"search sub.test\nnameserver {hosts[1]}\n# changed\n")
    while not servers[1].asked:
        ended(daemon, upstream)


# Services.


SERVICE = "_chat._tcp.test"


@pytest.fixture
def three(apps):
    return apps(["one", "two", "three"])


def listed(app, priority, weight):
    return (priority, weight, app.address[1], "host.test")


def test_services_by_priority_and_weight(named, ns, three):
    ns.a("host.test", "127.0.0.1")
    ns.srv(SERVICE, listed(three[0], 1, 30), listed(three[1], 1, 10), listed(three[2], 2, 1))
    daemon = named(f"ws+srv://{SERVICE}", group={"balance": "least_connections", "tries": 3})
    sessions = [greeting(daemon) for _ in range(40)]
    seen = Counter(name for _, name in sessions)
    assert seen == {"one": 30, "two": 10}
    assert ns.count(SERVICE, SRV) == 1
    line = daemon.wait_line("servers")
    assert (line["upstream"], line["service"], line["servers"]) == ("app", SERVICE, "3")
    three[0].kill()
    three[1].kill()
    assert greeting(daemon)[1] == "three"
    still_works(daemon)
    assert daemon.find("servers") == [line]


def test_a_service_that_changes(named, ns, three):
    ns.a("host.test", "127.0.0.1")
    ns.srv(SERVICE, listed(three[0], 1, 1), ttl=1)
    daemon = named(f"ws+srv://{SERVICE}")
    first, name = greeting(daemon)
    assert name == "one"
    ns.srv(SERVICE, listed(three[1], 1, 1), ttl=1)
    wait_until(lambda: greeting(daemon)[1] == "two", "the change")
    daemon.wait_line("servers", n=2)
    assert len(daemon.find("servers")) == 2
    # Who was there stays there; and so it goes on when the name server dies.
    first.close_frame(1000)
    first.expect_close(1000)
    ns.stop()

    def is_told():
        assert greeting(daemon)[1] == "two"
        return daemon.find("name_failed", name=SERVICE)

    wait_until(is_told, "name_failed")
    still_works(daemon)


def test_a_service_that_nobody_offers(named, ns):
    daemon = named(f"ws+srv://{SERVICE}", {"resolver_timeout": "300ms"})
    not_found(daemon, "no such host")
    ns.srv("_other._tcp.test", (0, 0, 0, ""))
    still_works(daemon)


def test_a_service_that_is_not_available(named, ns):
    ns.srv(SERVICE, (0, 0, 0, ""))
    daemon = named(f"ws+srv://{SERVICE}")
    not_found(daemon, "the service is not offered")
    still_works(daemon)


def test_U_01_client_leaves_while_a_service_is_found(named, ns):
    ns.scripts[SERVICE] = lambda q: None
    daemon = named(f"ws+srv://{SERVICE}", SOON)
    client = ask(daemon)
    wait_until(lambda: ns.count(SERVICE), "the question")
    client.reset()
    still_works(daemon)


def test_U_16_the_handshakes_time_is_over_while_a_service_is_found(named, ns):
    """No server was picked yet: none is to blame."""
    ns.scripts[SERVICE] = lambda q: None
    daemon = named(f"ws+srv://{SERVICE}", listener={"handshake_timeout": "700ms"})
    with daemon.frozen():
        client = ask(daemon)
    refused(daemon, client, 504)
    still_works(daemon)
    assert daemon.stop()["server_failures"] == 0


def test_services_at_several_workers(named, ns, three):
    """All follow; none goes back to what another has replaced."""
    ns.a("host.test", "127.0.0.1")
    ns.srv(SERVICE, listed(three[0], 1, 1), ttl=1)
    daemon = named(f"ws+srv://{SERVICE}", {"workers": 4})
    for _ in range(20):
        assert greeting(daemon)[1] == "one"
    ns.srv(SERVICE, listed(three[1], 1, 1), ttl=1)
    wait_until(lambda: greeting(daemon)[1] == "two", "the change")
    for _ in range(20):
        assert greeting(daemon)[1] == "two"
    daemon.wait_line("servers", n=2)
    assert len(daemon.find("servers")) == 2


def test_a_service_becomes_secure_and_plain_again(named, ns, upstream):
    """By a reload, while the name server's answer holds."""
    ns.a("host.test", "127.0.0.1")
    ns.srv(SERVICE, listed(upstream, 1, 1), ttl=3600)
    plain, secure = f"server = ws+srv://{SERVICE}", f"tls_verify = off\nserver = wss+srv://{SERVICE}"
    daemon = named(f"ws+srv://{SERVICE}")
    served(daemon, upstream)
    reload(daemon, (plain, secure))
    client = ask(daemon)
    peer = upstream.accept()
    assert peer.read(2) == b"\x16\x03"  # a handshake of TLS
    peer.close()
    refused(daemon, client, 502)
    reload(daemon, (secure, plain))
    served(daemon, upstream)
    assert ns.count(SERVICE, SRV) == 1


def test_spare_connections_follow_a_service_and_a_name(named, ns, closing):
    """Without any session: they are there before the first one, and go where the service goes."""
    halls = [Hall(), Hall()]
    closing.extend(halls)
    ns.a("host.test", "127.0.0.1")
    ns.srv(SERVICE, listed(halls[0], 1, 1), ttl=1)
    daemon = named(f"ws+srv://{SERVICE}", group={"spare": 3, "spare_idle": "1h"})
    wait_until(lambda: halls[0].idle == 3, "the spare connections")
    client = ask(daemon)
    client.expect_101()
    client.echoes(1)
    ns.srv(SERVICE, listed(halls[1], 1, 1), ttl=1)
    wait_until(lambda: halls[1].idle == 3 and halls[0].idle == 0, "the change")
    client.echoes(1)
    client.end()
    assert daemon.stop()["spares_used"] == 1


# Keys.


@pytest.mark.parametrize("value", ["", "dns.example", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3", "[::1", "system 1.2.3.4",
                                   "1.2.3.4,5.6.7.8", "unix:/x", " ".join(["1.2.3.4"] * 9)])
def test_wrong_resolvers(tmp_path, value):
    config = tmp_path / "c.conf"
    config.write_text(section("moongate", "", {"resolver": value}) + "[listener a]\nbind = 127.0.0.1:1\n"
                      "[route r]\necho = on\n")
    status, said = check_config(config)
    assert status == 2 or status == 78, said
    assert f"{config}:2: [moongate] resolver" in said


@pytest.mark.parametrize("value", ["_chat.example.com", "chat._tcp.example.com", "_chat._udp.example.com", "_._tcp.a",
                                   "_chat._tcp.", "_chat._tcp.example.com:80", "_chat._tcp.example.com weight=2",
                                   "_chat._tcp.example.com backup"])
def test_wrong_services(tmp_path, value):
    config = tmp_path / "c.conf"
    config.write_text("[upstream u]\nserver = ws+srv://" + value + "\n[listener a]\nbind = 127.0.0.1:1\n"
                      "[route r]\nupstream = u\n")
    status, said = check_config(config)
    assert status == 2 or status == 78, said
    assert f"{config}:2: [upstream u] server" in said and "want" in said


def test_nothing_beside_a_service(tmp_path):
    config = tmp_path / "c.conf"
    config.write_text("[upstream u]\nserver = ws+srv://_a._tcp.b\nserver = ws://127.0.0.1:2\n"
                      "[listener a]\nbind = 127.0.0.1:1\n[route r]\nupstream = u\n")
    status, said = check_config(config)
    assert f"{config}:2: [upstream u] server" in said and "no other server" in said and status
