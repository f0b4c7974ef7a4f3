# SPDX-License-Identifier: Apache-2.0
"""A switch with a port group, as far as LACP (IEEE 802.1AX) and a lab go: python3 lacp.py UPLINK MEMBER MEMBER...

Frames from members go to the uplink, those from the uplink to one of the members that distribute, by their addresses
and ports. USR1 takes the last member out of the group, HUP cuts its cable without a word, USR2 undoes both. A member
is told of every second if it asks for that, else every thirty. Written because kernels of small machines have no
bonding. Ends by TERM.
"""
import selectors
import signal
import socket
import struct
import sys
import time

SLOW_MAC, SLOW_TYPE = bytes.fromhex("0180c2000002"), 0x8809
ACTIVE, SHORT, AGGREGATION, SYNC, COLLECTING, DISTRIBUTING = (1 << n for n in range(6))
SYSTEM, KEY, SILENCE_S = bytes.fromhex("02005e00aaaa"), 7, 3.5
FAST_S, SLOW_S, TICK_S = 1.0, 30.0, 0.25
PACKET_OUTGOING = 4


def open_port(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind((name, 0))
    sock.setsockopt(263, 1, struct.pack("IHH8s", socket.if_nametoindex(name), 1, 0, b""))  # promiscuous
    sock.setblocking(False)
    return sock


class Member:
    """One link of the group, and what its other end said last."""

    def __init__(self, number, name):
        self.number, self.sock = number, open_port(name)
        self.partner, self.knows_us, self.heard, self.due = bytes(15), False, 0.0, 0.0
        self.is_out = self.is_cut = False

    def state(self):
        is_there = time.monotonic() - self.heard < SILENCE_S and not self.is_out
        state = ACTIVE | SHORT | AGGREGATION | (SYNC if is_there else 0)
        is_synced = is_there and self.knows_us and self.partner[14] & SYNC
        return state | (COLLECTING | DISTRIBUTING if is_synced else 0)

    def ours(self):
        return struct.pack("!H6sHHHB", 0x8000, SYSTEM, KEY, 0x8000, self.number, self.state())

    def tell_in_time(self):
        if time.monotonic() >= self.due and not self.is_cut:
            self.due = time.monotonic() + (FAST_S if self.partner[14] & SHORT else SLOW_S)
            self.tell()

    def tell(self):
        pdu = b"\x01\x01" + b"\x01\x14" + self.ours() + bytes(3) + b"\x02\x14" + self.partner + bytes(3)
        pdu += b"\x03\x10" + bytes(14) + bytes(52)
        send(self.sock, SLOW_MAC + SYSTEM + struct.pack("!H", SLOW_TYPE) + pdu)

    def hear(self, frame):
        before = self.state()
        self.partner, seen = frame[18:33], frame[38:53]
        self.knows_us = seen[:14] == self.ours()[:14]
        self.heard = time.monotonic()
        if self.state() != before:
            self.tell()


def send(sock, frame):
    try:
        sock.send(frame)
    except OSError:
        pass  # the link is down


def receive(sock):
    """The frames that wait, without those that we sent."""
    while True:
        try:
            frame, address = sock.recvfrom(65536)
        except OSError:
            return
        if address[2] != PACKET_OUTGOING:
            yield frame


def choose(members, frame):
    usable = [m for m in members if m.state() & DISTRIBUTING and not m.is_cut]
    return usable[sum(frame[26:38]) % len(usable)] if usable else None


def main(uplink, *names):
    up, members = open_port(uplink), [Member(i + 1, name) for i, name in enumerate(names)]
    for number, word in ((signal.SIGUSR1, {"is_out": True}), (signal.SIGHUP, {"is_cut": True}),
                         (signal.SIGUSR2, {"is_out": False, "is_cut": False, "due": 0.0})):
        signal.signal(number, lambda *_, word=word: members[-1].__dict__.update(word))
    selector = selectors.DefaultSelector()
    for sock, member in [(up, None)] + [(m.sock, m) for m in members]:
        selector.register(sock, selectors.EVENT_READ, member)
    while True:
        for key, _ in selector.select(TICK_S):
            for frame in receive(key.fileobj):
                if key.data is not None and key.data.is_cut:
                    continue
                if key.data is None:
                    member = choose(members, frame)
                    if member:
                        send(member.sock, frame)
                elif frame[12:14] == struct.pack("!H", SLOW_TYPE):
                    key.data.hear(frame)
                else:
                    send(up, frame)
        for m in members:
            m.tell_in_time()


if __name__ == "__main__":
    main(*sys.argv[1:])
