#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A constant load of keep-alive requests that counts everything that goes wrong.

A request has failed when the answer is not 200, is cut, late, or the connection was reset; a connection that the
server closes between two requests without having said so counts as closed. Runs until TERM, then prints what
happened as one JSON object. As a module: Load(lab, ...) runs it in a lab's client namespace.

usage: load.py ADDRESS PORT HOST PATH CONNECTIONS REQUESTS_A_SECOND
"""
import collections
import json
import signal
import socket
import sys
import threading
import time

ANSWER_LIMIT_S = 10
TELL_MAX = 20


class Counts:
    """What all connections saw."""

    def __init__(self):
        self.lock = threading.Lock()
        self.ok = 0
        self.failed = 0
        self.closed = 0
        self.told = []
        self.bodies = collections.Counter()
        self.slowest_s = 0.0
        self.failures_from = self.failures_to = self.ok_last = None

    def good(self, body, took):
        with self.lock:
            self.ok += 1
            self.bodies[body[:20].decode("latin-1").split(" ")[0]] += 1
            self.slowest_s = max(self.slowest_s, took)
            self.ok_last = time.time()

    def bad(self, what):
        with self.lock:
            now = time.time()
            self.failed += 1
            self.failures_from = self.failures_from or now
            self.failures_to = now
            if len(self.told) < TELL_MAX:
                self.told.append(f"{now:.3f} {what}")


def read_answer(sock, held):
    """(head, body, what came after it)."""
    while b"\r\n\r\n" not in held:
        more = sock.recv(65536)
        if not more:
            raise EOFError("in the middle of the head" if held else "before the answer")
        held += more
    head, _, held = held.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(held) < length:
        more = sock.recv(65536)
        if not more:
            raise EOFError("in the middle of the body")
        held += more
    return head, held[:length], held[length:]


def keep_asking(counts, target, request, pause_s, is_over):
    """One connection, opened again when it breaks."""
    sock, held = None, b""
    next_at = time.monotonic()
    while not is_over.is_set():
        next_at = max(next_at + pause_s, time.monotonic())
        started = time.monotonic()
        try:
            if sock is None:
                sock, held = socket.create_connection(target, ANSWER_LIMIT_S), b""
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(ANSWER_LIMIT_S)
            sock.sendall(request)
            head, body, held = read_answer(sock, held)
            status = head.split(b" ")[1]
            if status == b"200":
                counts.good(body, time.monotonic() - started)
            else:
                counts.bad(f"status {status.decode()}")
            if b"\r\nconnection: close" in head.lower():
                counts.closed += 1
                sock.close()
                sock = None
        except (OSError, EOFError, ValueError, IndexError) as e:
            counts.bad(f"{type(e).__name__}: {e}")
            if sock is not None:
                sock.close()
            sock = None
            is_over.wait(0.02)
        is_over.wait(max(0.0, next_at - time.monotonic()))


def main(address, port, host, path, connections, rate):
    counts, is_over = Counts(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: is_over.set())
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: load\r\n\r\n".encode()
    arguments = (counts, (address, port), request, connections / rate, is_over)
    threads = [threading.Thread(target=keep_asking, args=arguments) for _ in range(connections)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(json.dumps({k: v for k, v in vars(counts).items() if k != "lock"}), flush=True)


class Load:
    """The load as a process in the client's namespace: `with Load(l, ...) as load: ...; load.result`."""

    def __init__(self, lab, address, host, path="/", connections=8, rate=400, port=80):
        self.process = lab.start("load", "client", "python3", __file__, address, str(port), host, path,
                                 str(connections), str(rate), pipe=True)
        self.result = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Ends the load; what it counted."""
        if self.result is None:
            self.process.end()
            self.result = json.loads(self.process.popen.stdout.read() or "{}")
        return self.result

    def require_clean(self, at_least):
        """Nothing failed, nothing was closed, and there really was a load."""
        r = self.end()
        assert r["failed"] == 0, f"{r['failed']} of {r['ok'] + r['failed']} requests failed: {r['told']}"
        assert r["closed"] == 0, f"{r['closed']} connections were closed"
        assert r["ok"] >= at_least, f"only {r['ok']} requests"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]), float(sys.argv[6]))
