#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench goodput: our TCP against Linux' over the same bad link, both with a Linux client at the other end.

A run is one connection that carries data for some seconds; what its receiver got in order, over the time, is its
goodput. Ours and Linux' take turns on each lane, both with the same seeds, so that frame n of a run is lost for both
or for neither. The first frames of a run pass whole: neighbour resolution and handshake are not what is measured.

The cells are loss x round trip x role x family: all of issue's by default, or those that the options name.
"""
import argparse
import concurrent.futures
import itertools
import json
import os
import socket
import statistics
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lab")]

import cleanup  # noqa: E402 (its folder is known only now)
import lanes  # noqa: E402

NAME = "goodput_ratio_linux"
LOSSES, RTTS, ROLES = (0.1, 1, 3), (20, 100), ("sender", "receiver")
CLEAN_FRAMES = 10
AVAILABLE = "/proc/sys/net/ipv4/tcp_available_congestion_control"
PIECE_BYTES = 1 << 16
TCPI_BYTES_ACKED = 120  # offset in struct tcp_info, linux/tcp.h
REAL_TIME_PRIORITY = 1  # ours is a process where Linux' is the kernel: on a busy machine we would measure its scheduler


def received(sock, seconds):
    """Bytes read from the source until the time is over."""
    until, n = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        try:
            got = len(sock.recv(PIECE_BYTES))
        except TimeoutError:
            continue
        assert got, "the source closed"
        n += got
    return n


def acknowledged(sock, seconds):
    """Bytes that the sink acknowledged until the time is over, of those that we wrote without a pause."""
    until, piece = time.monotonic() + seconds, bytes(PIECE_BYTES)
    while time.monotonic() < until:
        try:
            sock.send(piece)
        except TimeoutError:
            continue
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCPI_BYTES_ACKED + 8)
    return struct.unpack_from("Q", info, TCPI_BYTES_ACKED)[0]


def linux_congestion(wanted):
    """What Linux' server is to use: BBR where it was asked for and the kernel has it, else CUBIC, which is said."""
    with open(AVAILABLE) as f:
        has_it = wanted in f.read().split()
    if not has_it:
        print(f"{NAME}: this kernel has no {wanted}: Linux' server uses cubic", flush=True)
    return wanted if has_it else "cubic"


def link_options(o, cell, seed):
    """The client is at the link's first end: data of a sending server comes back over it."""
    loss, rtt, role, _ = cell
    ack_loss = loss if o.ack_loss is None else o.ack_loss
    there, back = (ack_loss, loss) if role == "sender" else (loss, ack_loss)
    return ["--seed", str(seed), "--loss", str(there), "--loss_back", str(back), "--delay_ms", str(rtt / 2),
            "--rate_mbit", str(o.rate), "--from_frame", str(CLEAN_FRAMES)]


def run(l, o, lane, cell, server, seed):
    """One run; its goodput in Mbit/s."""
    role = cell[2]
    link = l.start_lane(lane, *link_options(o, cell, seed))
    try:
        with l.connect(lane, server, lanes.SOURCE if role == "sender" else lanes.SINK) as sock:
            sock.settimeout(0.05)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends by a reset
            n = (received if role == "sender" else acknowledged)(sock, o.seconds)
    finally:
        time.sleep(cell[1] / 1000)  # the reset gets through
        link.end()
    assert n > 0, f"{server} moved nothing in {o.seconds} s over the link {link.counts}"
    return n * 8 / o.seconds / 1e6


def measure(l, o, cell):
    """All runs of a cell: {server: {seed: Mbit/s}}. Half of the lanes have ours, half have Linux'; then swapped."""
    found = {server: {} for server in lanes.SERVERS}
    with concurrent.futures.ThreadPoolExecutor(l.n) as pool:
        for first in range(0, o.runs, l.n):
            busy = range(min(l.n, o.runs - first))
            for turn in range(2):
                jobs = {}
                for i in busy:
                    server, seed = lanes.SERVERS[(i + turn) % 2], o.seed + first + i
                    jobs[server, seed] = pool.submit(run, l, o, i, cell, server, seed)
                for (server, seed), job in jobs.items():
                    found[server][seed] = job.result()
    return found


def tell(o, cell, found, write):
    """The ratio is the median of each seed's: what a run moves depends far more on when its first frame is lost than on
    who sends, and the same frames are lost for both."""
    loss, rtt, role, family = cell
    ours, its = (found[s] for s in lanes.SERVERS)
    ratios = {seed: ours[seed] / its[seed] for seed in sorted(ours)}
    ratio = statistics.median(ratios.values())
    mine, peer = (statistics.median(x.values()) for x in (ours, its))
    spread = max(ratios.values()) - min(ratios.values())
    with_what = "" if o.congestion == o.peer_congestion == "cubic" else f"{o.congestion} against {o.peer_congestion}, "
    print(f"{NAME} {with_what}loss {loss} % rtt {rtt} ms IPv{family} {role:8}: {mine:.4g} Mbit/s, Linux {peer:.4g}, "
          f"ratio {ratio:.3f} (the median of {o.runs}, spread {spread:.0%})", flush=True)
    if o.verbose:
        print("   " + "; ".join(f"seed {seed} {ours[seed]:.3g} {its[seed]:.3g} {r:.3f}" for seed, r in ratios.items()),
              flush=True)
    write({"name": NAME, "params": {"loss_percent": loss, "rtt_ms": rtt, "direction": role, "family": family,
                                    "ack_loss_percent": loss if o.ack_loss is None else o.ack_loss,
                                    "rate_mbit": o.rate, "seconds": o.seconds,
                                    "congestion": o.congestion, "peer_congestion": o.peer_congestion},
           "unit": "mbit_a_second", "value": mine, "peer": "linux", "peer_value": peer, "ratio": ratio,
           "spread": spread, "runs": o.runs})


def bench(o, write):
    """Every cell that was asked for; `write` gets an object each."""
    o.peer_congestion = linux_congestion(o.peer_congestion or o.congestion)
    for family in o.family:
        with lanes.Lanes(min(o.lanes, o.runs), family, (o.congestion, o.peer_congestion)) as l:
            l.start_servers()
            for cell in itertools.product(o.loss, o.rtt, o.role, [family]):
                tell(o, cell, measure(l, o, cell), write)


def options(arguments):
    p = argparse.ArgumentParser(prog="./dev bench goodput", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--loss", type=float, nargs="+", default=LOSSES, metavar="PERCENT", help="of the data's frames")
    p.add_argument("--ack-loss", type=float, metavar="PERCENT", help="of the other direction's frames (as --loss)")
    p.add_argument("--rtt", type=float, nargs="+", default=RTTS, metavar="MS")
    p.add_argument("--role", nargs="+", choices=ROLES, default=ROLES, help="ours")
    p.add_argument("--family", type=int, nargs="+", choices=(4, 6), default=(4,))
    p.add_argument("--congestion", choices=("cubic", "bbr"), default="cubic", help="of our server (cubic)")
    p.add_argument("--peer-congestion", choices=("cubic", "bbr"), help="of Linux' server (as --congestion)")
    p.add_argument("--rate", type=float, default=100, metavar="MBIT", help="of the link (100)")
    p.add_argument("--runs", type=int, default=16, help="of each peer in each cell (16)")
    p.add_argument("--seconds", type=float, default=15, help="of a run (15)")
    p.add_argument("--lanes", type=int, default=8, help="runs at the same time (8)")
    p.add_argument("--seed", type=int, default=1, help="of the first run's link; the next ones count up (1)")
    p.add_argument("--json", metavar="FILE", help="writes one object a line")
    p.add_argument("--verbose", action="store_true", help="tells every run")
    return p.parse_args(arguments)


def main(arguments, first=lambda write: None):
    """`first` tells other numbers before (tcp_numbers.py)."""
    cleanup.end_on_signals()
    o = options(arguments)
    found = []
    try:
        first(found.append)
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(REAL_TIME_PRIORITY))  # what is started inherits it
        bench(o, found.append)
    except cleanup.Ended:
        return 130
    if o.json:
        with open(o.json, "w") as f:
            f.writelines(json.dumps(x) + "\n" for x in found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
