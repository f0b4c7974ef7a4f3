#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SYNs in the names of those who never answer (abuse.swallow()), to ports in turn, so many a second, until TERM; then
prints how many. As a module: Flood(lab, ...) runs it in a lab's client namespace.

usage: flood.py ADDRESS SYNS_A_SECOND PORT...
"""
import os
import random
import signal
import socket
import sys
import threading
import time

import abuse

PACKETS = 20_000  # different ones: as many as a table of ours could never hold
STEP_S = 0.002


def main(target, rate, *ports):
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    c = random.Random(1)
    packets = [abuse.syn(abuse.NOBODY + str(c.randrange(8)), target, c.randrange(1024, 65536), c.getrandbits(32),
                         int(ports[i % len(ports)])) for i in range(PACKETS)]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        begun, sent = time.monotonic(), 0
        while not over.wait(STEP_S):
            due = int((time.monotonic() - begun) * float(rate))
            for n in range(sent, due):
                raw.sendto(packets[n % PACKETS], (target, 0))
            sent = due
    print(sent, flush=True)


class Flood:
    """It, as a process in the client's namespace, where abuse.swallow() was called."""

    def __init__(self, lab, target, rate, *ports):
        self.process = lab.start("flood", "client", "python3", os.path.abspath(__file__), target, str(rate),
                                 *[str(p) for p in ports], pipe=True)

    def end(self):
        """Ends it; how many were sent."""
        self.process.popen.send_signal(signal.SIGTERM)
        return int(self.process.popen.communicate(timeout=30)[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
