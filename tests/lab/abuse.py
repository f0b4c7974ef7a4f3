#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that behave in every way that clients behave, all at once, until TERM; then prints what they saw as JSON.

Each kind of client runs on a few threads and draws what it does next from a generator of its own, seeded by the
seed, its kind and its number: the choices are the same each time, only their interleaving is not. Kinds that do
nothing wrong count answers that they should not have got as `wrong`; all others only must not break anything. As a
module: Abuse(lab, ...) runs it in a lab's client namespace.

usage: abuse.py SEED VIP4 VIP6 HOST CHURN_A_SECOND
"""
import collections
import hashlib
import json
import os
import random
import signal
import socket
import struct
import sys
import threading
import time

LIMIT_S = 30      # an answer that takes longer is wrong
TELL_MAX = 20
TROUBLE = "trouble.example.com"
NOBODY = "198.18.0.20"  # + 0..7: addresses that answer ARP and swallow everything (see swallow())
SYNS_A_SECOND = 100
CHUNK = 1 << 14


class Counts:
    """What all clients saw, by kind."""

    def __init__(self):
        self.lock = threading.Lock()
        self.done = collections.Counter()
        self.wrong = collections.Counter()
        self.told = []

    def good(self, kind, n=1):
        with self.lock:
            self.done[kind] += n

    def bad(self, kind, what):
        with self.lock:
            self.wrong[kind] += 1
            if len(self.told) < TELL_MAX:
                self.told.append(f"{time.time():.3f} {kind}: {what}")


class Client:
    """One connection to one of the Gateway's addresses."""

    def __init__(self, vips, chance, receive_bytes=None):
        address = chance.choice(vips)
        self.sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.sock.settimeout(LIMIT_S)
        if receive_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.connect((address, 80))
        self.held = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def abort(self):
        """The next close is a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def send(self, data):
        self.sock.sendall(data)

    def more(self):
        got = self.sock.recv(1 << 16)
        if not got:
            raise EOFError("the connection ended")
        self.held += got

    def line(self):
        while b"\r\n" not in self.held:
            self.more()
        line, _, self.held = self.held.partition(b"\r\n")
        return line

    def take(self, n):
        while len(self.held) < n:
            self.more()
        taken, self.held = self.held[:n], self.held[n:]
        return taken

    def answer(self):
        """(status, body) of the next answer."""
        status = int(self.line().split(b" ")[1])
        length, is_chunked = None, False
        while line := self.line():
            name, _, value = line.lower().partition(b":")
            if name == b"content-length":
                length = int(value)
            is_chunked |= name == b"transfer-encoding"
        if status == 204:
            return status, b""
        if is_chunked:
            return status, self.chunks()
        if length is not None:
            return status, self.take(length)
        return status, self.rest()

    def chunks(self):
        body = b""
        while size := int(self.line(), 16):
            body += self.take(size)
            self.take(2)
        self.line()
        return body

    def rest(self):
        try:
            while True:
                self.more()
        except EOFError:
            body, self.held = self.held, b""
            return body


class Kinds:
    """Each method is one thing that a client does. `c` is its generator."""

    def __init__(self, vips, host, counts, churn):
        self.vips, self.host, self.counts, self.churn_rate = vips, host, counts, churn
        self.is_over = threading.Event()

    def request(self, method, path, *fields, version="1.1", host=None):
        head = [f"{method} {path} HTTP/{version}", f"Host: {host or self.host}", *fields]
        return "\r\n".join(head).encode() + b"\r\n\r\n"

    def expect(self, kind, client, length=None, digest=None):
        """The next answer is 200, and its body as long, or has this digest."""
        status, body = client.answer()
        if status != 200 or (length is not None and len(body) != length):
            self.counts.bad(kind, f"status {status}, {len(body)} bytes")
        elif digest is not None and json.loads(body)["sha256"] != digest:
            self.counts.bad(kind, "another body arrived")
        else:
            self.counts.good(kind)

    # Clients that do nothing wrong.

    def churn(self, c):
        """A connection for each request, ended by one side or the other."""
        ends = c.choice(([], ["Connection: close"]))
        with Client(self.vips, c) as client:
            client.send(self.request("GET", "/", *ends))
            self.expect("churn", client)

    def pipeline(self, c):
        """Several requests in one write, cut anywhere."""
        sizes = [c.choice((0, 1, 100, 1448, 5000, 70000)) for _ in range(c.randint(2, 8))]
        text = b"".join(self.request("GET", f"/bytes/{n}") for n in sizes)
        cut = c.randrange(len(text))
        with Client(self.vips, c) as client:
            client.send(text[:cut])
            client.send(text[cut:])
            for n in sizes:
                self.expect("pipeline", client, n)

    def old(self, c):
        """HTTP/1.0: the end of the connection ends the answer, whatever the backend does."""
        size = c.choice((0, 10, 3000, 100000))
        with Client(self.vips, c) as client:
            client.send(self.request("GET", f"/{c.choice(('bytes', 'chunked'))}/{size}", version="1.0"))
            self.expect("old", client, size)

    def upload(self, c):
        """A body with a length or in chunks, whose digest comes back."""
        body = c.randbytes(c.choice((0, 1, 1000, 65536, 300000)))
        with Client(self.vips, c) as client:
            if c.random() < 0.5:
                client.send(self.request("POST", "/upload", f"Content-Length: {len(body)}"))
                client.send(body)
            else:
                client.send(self.request("POST", "/upload", "Transfer-Encoding: chunked"))
                for at in range(0, len(body), CHUNK):
                    piece = body[at:at + CHUNK]
                    client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
                client.send(b"0\r\n\r\n")
            self.expect("upload", client, digest=hashlib.sha256(body).hexdigest())

    def slow_reader(self, c):
        """Takes a large answer through a small window, with pauses."""
        size = 200000
        with Client(self.vips, c, receive_bytes=4096) as client:
            client.send(self.request("GET", f"/bytes/{size}"))
            for _ in range(c.randint(1, 20)):
                self.is_over.wait(0.1)
                client.more()
            self.expect("slow_reader", client, size)

    def slow_sender(self, c):
        """A head in pieces."""
        text = self.request("GET", "/bytes/10", "X-Filler: " + "x" * 40)
        with Client(self.vips, c) as client:
            for at in range(0, len(text), 8):
                client.send(text[at:at + 8])
                self.is_over.wait(c.random() * 0.2)
            self.expect("slow_sender", client, 10)

    # Clients that are rude, and backends that are.

    def leave(self, c):
        """Goes away, by FIN or RST, at any point of a download or an upload."""
        with Client(self.vips, c) as client:
            if c.random() < 0.5:
                client.send(self.request("GET", f"/{c.choice(('bytes', 'chunked', 'until-close'))}/1000000"))
                for _ in range(c.randint(0, 5)):
                    client.more()
            else:
                client.send(self.request("POST", "/upload", "Content-Length: 1000000"))
                client.send(bytes(c.randrange(200000)))
            if c.random() < 0.7:
                client.abort()
        self.counts.good("leave")

    def linger(self, c):
        """Sends nothing, or half a head, and waits a while."""
        with Client(self.vips, c) as client:
            client.send(self.request("GET", "/")[:c.randint(0, 30)])
            self.is_over.wait(c.random() * 5)
        self.counts.good("linger")

    def garbage(self, c):
        """What is not HTTP, or not quite."""
        texts = (c.randbytes(500), b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"G" * 20000,
                 self.request("GET", "/", "Content-Length: 1", "Transfer-Encoding: chunked"),
                 self.request("POST", "/", "Transfer-Encoding: chunked") + b"zz\r\n")
        with Client(self.vips, c) as client:
            client.send(c.choice(texts))
            client.sock.shutdown(socket.SHUT_WR)
            client.rest()
        self.counts.good("garbage")

    def ask_for_trouble(self, c):
        """Makes a backend cut, reset, close, or take its time: one that no polite client shares, for what
        must not be sent twice fails with the connection that its backend closes."""
        path = c.choice(("/cut/50000", "/reset", "/close", "/until-close/50000", "/slow/300", "/status/204"))
        with Client(self.vips, c) as client:
            for _ in range(c.randint(1, 3)):
                client.send(self.request("GET", path, host=TROUBLE))
                client.answer()
                self.counts.good("ask_for_trouble")

    def half_open(self, c):
        """SYNs from those who never answer."""
        source = NOBODY + str(c.randrange(8))
        target = self.vips[0]
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            raw.sendto(syn(source, target, c.randrange(1024, 65536), c.getrandbits(32)), (target, 0))
        self.counts.good("half_open")
        self.is_over.wait(1 / SYNS_A_SECOND)

    def run(self, kind, number, seed):
        c = random.Random(f"{seed} {kind} {number}")
        polite = kind in POLITE
        next_at = time.monotonic()
        while not self.is_over.is_set():
            try:
                getattr(self, kind)(c)
            except (OSError, EOFError, ValueError, IndexError) as e:
                if polite:
                    self.counts.bad(kind, f"{type(e).__name__}: {e}")
                else:
                    self.counts.good(f"{kind}_ended_by_the_other_side")
            if kind == "churn":
                next_at = max(next_at + THREADS["churn"] / self.churn_rate, time.monotonic() - 1)
                self.is_over.wait(max(0.0, next_at - time.monotonic()))
            else:
                self.is_over.wait(c.random() * 0.1)


POLITE = ("churn", "pipeline", "old", "upload", "slow_reader", "slow_sender")
THREADS = {"churn": 8, "pipeline": 2, "old": 2, "upload": 2, "slow_reader": 4, "slow_sender": 4, "leave": 4,
           "linger": 8, "garbage": 2, "ask_for_trouble": 3, "half_open": 1}


def sum16(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def syn(source, target, port, sequence, target_port=80):
    """An IPv4 packet with a SYN; the kernel fills in the IP header's checksum and length."""
    def tcp(check):
        return struct.pack(">HHIIBBHHH", port, target_port, sequence, 0, 5 << 4, 2, 65535, check, 0)
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    check = sum16(addresses + struct.pack(">HH", socket.IPPROTO_TCP, 20) + tcp(0))
    return struct.pack(">BBHHHBBH", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_TCP, 0) + addresses + tcp(check)


def main(seed, vip4, vip6, host, churn):
    counts = Counts()
    kinds = Kinds([vip4, vip6], host, counts, churn)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: kinds.is_over.set())
    threads = [threading.Thread(target=kinds.run, args=(kind, n, seed))
               for kind, many in THREADS.items() for n in range(many)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(json.dumps({"done": counts.done, "wrong": counts.wrong, "told": counts.told}), flush=True)


def swallow(lab):
    """Gives the client's machine addresses for which it answers ARP and whose packets it throws away."""
    client = lab["client"]
    client.ip("link", "add", "hole", "type", "veth", "peer", "name", "ground")
    client.ip("link", "set", "ground", "up")
    client.ip("link", "set", "hole", "arp", "off", "up")
    client.ip("route", "add", NOBODY + "0/29", "dev", "hole")
    client.sysctl(net__ipv4__ip_forward=1, net__ipv4__conf__eth0__proxy_arp=1, net__ipv4__conf__all__rp_filter=0,
                  net__ipv4__conf__eth0__send_redirects=0, net__ipv4__conf__all__send_redirects=0)


class Abuse:
    """All of it as a process in the client's namespace, beside whatever else runs there."""

    def __init__(self, lab, seed, vip4, vip6, host, churn=1000):
        swallow(lab)
        self.process = lab.start("abuse", "client", "python3", os.path.abspath(__file__), str(seed), vip4, vip6, host,
                                 str(churn), pipe=True)
        self.result = None

    def end(self):
        """Ends it, in its own time: a client that waits may wait as long as it would; what was counted."""
        if self.result is None:
            self.process.popen.send_signal(signal.SIGTERM)
            self.result = json.loads(self.process.popen.communicate(timeout=LIMIT_S + 30)[0])
        return self.result


if __name__ == "__main__":
    main(*sys.argv[1:5], float(sys.argv[5]))
