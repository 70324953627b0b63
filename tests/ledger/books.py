# SPDX-License-Identifier: BSD-2-Clause
"""The books of a round and what must hold between them.

Each message was compared by its receiver with what must come next, so nothing came twice,
in another order, altered or at the wrong peer, or the receiver would have said so and ended.
What is left to find is loss, and an end that nobody was told of."""

import collections
import struct
from pathlib import Path

LAYOUT = struct.Struct("<QQQIIIIIIIHHHBBBB32s2x")  # struct entry of book.h
Entry = collections.namedtuple(
    "Entry", "session sent_bytes got_bytes sent got sent_pings got_pings got_pongs partner_book"
             " partner_entry status close_sent close_got close_from ending fault tight request_id")
EMPTY = Entry(*LAYOUT.unpack(bytes(LAYOUT.size)))

NO_FAULT, RESET, CUT, VANISH, EARLY, DROP, STALL = range(7)
NOBODY, PEER, PROXY = range(3)
STILL_OPEN, ENDED_EOF, ENDED_RESET, ENDED_OWN = range(4)

FINAL = (RESET, EARLY, DROP)  # whoever does that need not be told
PROXY_CODES = (1001, 1008, 1011)   # of closes by Moongate where no peer broke the protocol
REFUSALS = (502, 503, 504)

SUMS = ("sessions", "polite", "broken", "refused", "aborted", "messages", "bytes", "pings",
        "upstream_killed")


def brief(entry):
    """What is not zero."""
    return " ".join(f"{k}={v}" for k, v in entry._asdict().items() if v and v != EMPTY.request_id)


class Book:
    """What one process wrote; `killed` if it was not left to finish it."""

    def __init__(self, path, killed=False):
        self.killed = killed
        self.entries = []
        if killed and not Path(path).exists():  # it had no time for more
            return
        with open(path, "rb") as f:
            while any(chunk := f.read(LAYOUT.size * 1024)):  # the rest of the file is empty
                self.entries += [Entry(*e) for e in LAYOUT.iter_unpack(chunk)]
        while self.entries and self.entries[-1] == EMPTY:
            self.entries.pop()
        Path(path).unlink()


class Audit:
    """The check of one round."""

    def __init__(self, clients, upstreams, records, is_script=False):
        """Books; those of the upstreams by number. Records of the daemon's access log, by session.
        is_script: a handler passed the frames on. The daemon knows only of its client then."""
        self.clients = clients
        self.upstreams = upstreams
        self.records = records
        self.is_script = is_script
        self.findings = []
        self.sums = collections.Counter(dict.fromkeys(SUMS, 0))
        self.least = collections.Counter()  # messages that the daemon must have seen, by direction
        self.most = collections.Counter()
        self.by_session = collections.defaultdict(list)
        for number, book in upstreams.items():
            for place, entry in enumerate(book.entries):
                self.by_session[entry.session].append((number, place, entry))

    def wrong(self, what, *entries):
        self.findings.append(f"session {entries[0].session:016x}: {what}\n  "
                             + "\n  ".join(brief(e) for e in entries))

    def run(self):
        for client in self.clients.entries:
            self.one(client)
        return self

    def one(self, client):
        tried = self.by_session[client.session]
        paired = [u for n, place, u in tried if client.status == 101
                  and (n, place) == (client.partner_book, client.partner_entry)]
        self.sums["sessions"] += 1
        self.most["up"] += client.sent
        self.most["down"] += sum(u.sent for _, _, u in tried)
        self.least["up"] += sum(u.got for _, _, u in tried)
        self.least["down"] += client.got
        self.told(client, False, True)
        for number, _, u in tried:
            self.told(u, self.upstreams[number].killed, u in paired)
            if u.got and u not in paired and not client.fault:
                self.wrong("messages went to a server that the client was not joined with",
                           client, u)
        if client.status == 101:
            if len(paired) == 1:
                self.pair(client, paired[0], self.upstreams[client.partner_book].killed)
            else:
                self.wrong("the server that answered is not in the books", client)
        elif client.status:
            self.sums["refused"] += 1
            if [r["status"] for r in self.records.get(client.session, [])] != [client.status]:
                self.wrong(f"the access log says {self.records.get(client.session)}", client)
            if client.status not in REFUSALS:
                self.wrong(f"refused with {client.status}", client)
        else:
            self.sums["aborted"] += 1
            if not client.fault:
                self.wrong("no answer", client)

    def told(self, e, killed, joined):
        """Whoever did not end it itself saw a close frame or a reset. (A server that answered a
        client that was gone by then sees the connection end: nothing of its was accepted.)"""
        killed = killed and e.ending == STILL_OPEN
        self.sums["upstream_killed"] += killed
        if e.fault in FINAL or killed:
            return
        if e.ending == STILL_OPEN:
            self.wrong("the connection was never ended", e)
        elif (joined and e.status == 101 and e.fault not in (CUT, VANISH) and not e.close_from and e.ending != ENDED_RESET):
            self.wrong("ended without notice", e)
        # A script that is over has ended well, for all the daemon knows.
        codes = PROXY_CODES + (e.close_sent,) + ((1000,) if self.is_script and e.fault else ())
        if e.close_from == PROXY and e.close_got not in codes:
            self.wrong(f"told by {e.close_got}", e)

    def pair(self, client, upstream, killed):
        up, down = (client, upstream), (upstream, client)
        polite = client.close_from == upstream.close_from == PEER
        killed = killed and upstream.ending == STILL_OPEN
        excused = client.fault or upstream.fault or killed or client.tight
        if client.session != upstream.session:
            self.wrong("joined with another session's server", client, upstream)
        for sender, receiver in (up, down):
            self.sums["messages"] += receiver.got
            self.sums["bytes"] += receiver.got_bytes
            self.sums["pings"] += receiver.got_pings
            if (receiver.got > sender.sent or receiver.got_bytes > sender.sent_bytes
                    or receiver.got_pings > sender.sent_pings):
                self.wrong("more came than was sent", client, upstream)
            if polite or self.must_be_whole(sender, receiver, killed, client.tight):
                self.whole(sender, receiver, polite)
        self.sums["polite" if polite else "broken"] += 1
        if not polite and not excused:
            self.wrong("ended without a close handshake and without a fault of a peer",
                       client, upstream)
        self.logged(client, upstream, polite)

    def must_be_whole(self, sender, receiver, killed, tight):
        """Ended in order by TCP, if not by WebSocket, towards a peer that read on."""
        return sender.fault in (CUT, VANISH) and not receiver.fault and not killed and not tight

    def whole(self, sender, receiver, polite):
        lost = (sender.sent - receiver.got or sender.sent_pings - receiver.got_pings
                or (sender.sent_bytes - receiver.got_bytes and sender.fault != CUT))
        if lost:
            self.wrong("LOST: less came than was sent", sender, receiver)
        if polite and sender.close_sent != receiver.close_got:
            self.wrong("another close code came than was sent", sender, receiver)

    def logged(self, client, upstream, polite):
        """The daemon's own record says the same."""
        found = self.records.get(client.session, [])
        if len(found) != 1:
            self.wrong(f"{len(found)} records in the access log", client, upstream)
            return
        r = collections.defaultdict(int, found[0])  # what it counted none of is left out
        for way, sender, receiver in (("up", client, upstream), ("down", upstream, client)):
            if self.is_script:  # frames are not told by their kinds
                seen = r[f"text_{way}"] + r[f"binary_{way}"]
                if polite and seen != sender.sent:
                    self.wrong(f"the access log says {seen} messages, not {sender.sent}: {found[0]}", client, upstream)
                continue
            for seen, most, least in (
                    (r[f"text_{way}"] + r[f"binary_{way}"], sender.sent, receiver.got),
                    (r[f"text_bytes_{way}"] + r[f"binary_bytes_{way}"],
                     sender.sent_bytes, receiver.got_bytes),
                    (r[f"ping_{way}"], sender.sent_pings, receiver.got_pings)):
                if not least <= seen <= most or (polite and seen != most):
                    self.wrong(f"the access log says {seen}, not {least} to {most}: {found[0]}",
                               client, upstream)
        if polite and (r["client_code"], r["code" if self.is_script else "upstream_code"]) != (
                client.close_sent, upstream.close_sent):
            self.wrong(f"the access log has other close codes: {found[0]}", client, upstream)
