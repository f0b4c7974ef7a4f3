#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench http: what clients that are slow or idle cost, then requests a second beside the peers (proxies.py).

    http_idle_connection_bytes   what a proxy's memory grows by for one more client connection  http/conn_memory.c
                                 that is idle; the peers' process memory (idle_peers.py), kernel's part and TCP's apart
    http_held_bytes              what 100,000 live ones that asked once and rest hold of the pools, each, on a worker
                                 with its TCP on memory ports                                   sim/attack_http.c
    http_share_bytes             all of a worker's proxy over its connections: idle or not      http/conn_memory.c
    http_idle_websocket_bytes    what an idle WebSocket takes, by HTTP/1.1 and by HTTP/2         websocket_numbers.py
    http_beside_<attack>_us      the slowest answer to an honest client beside it, virtual time; peer: in peace
    http_memory_in_<attack>      the most memory in use of the proxy's pools meanwhile

docs/perf-budget.md says what they were.
"""
import os
import re
import subprocess
import sys

import run
import websocket_numbers

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SLUICE_BUILD", os.path.join(TOP, "build"))
ATTACKS = ("idle_crowd", "slow_heads", "large_heads", "slow_reading", "hanging")


def lines_of(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=600).stdout


def tell(name, unit, value, peers=None, **params):
    """One line, and the same as an object for each peer."""
    text = " ".join([name, *(f"{k} {v}" for k, v in params.items()), f"{value:.6g} {unit}"])
    said = {"name": name, "params": params, "unit": unit, "value": value, "spread": 0, "runs": 1}
    for peer, other in (peers or {}).items():
        text += f", {peer} {other:.6g}"
        ratio = value / other if other else 0
        run.RESULTS.append({**said, "peer": peer, "peer_value": other, "ratio": ratio})
    if not peers:
        run.RESULTS.append(said)
    print(text, flush=True)


def memory():
    program = os.path.join(BUILD, "tests", "bench", "http", "conn_memory")
    said = [line.split() for line in lines_of(program).splitlines()]
    peers = dict(line.split() for line in
                 lines_of("unshare", "-n", sys.executable, os.path.join(TOP, "tests/bench/idle_peers.py")).splitlines())
    for words in said:
        if words[0] == "idle_connection_bytes":
            tell("http_idle_connection_bytes", "bytes", float(words[1]), {k: float(v) for k, v in peers.items()})
        elif words[0] == "share_bytes":
            tell("http_share_bytes", "bytes", float(words[2]), connections=int(words[1]))
        elif words[0] == "websocket_records_bytes":
            websockets(dict(zip(websocket_numbers.WAYS, map(float, words[1:]))))


def websockets(records):
    for way, found in websocket_numbers.measure(records).items():
        tell("http_idle_websocket_bytes", "bytes", found.pop("sluice"), found, by=way,
             connections=websocket_numbers.CONNECTIONS)


def attack(name):
    """Honest clients beside it, and the proxy's memory meanwhile."""
    said = lines_of(os.path.join(BUILD, "tests", "sim", "attacks"), "--only", name)
    peace, *_, worst = map(int, re.findall(r"worst (\d+) us", said))  # between them: peace for half of them by TLS
    conns, heads, held = map(int, re.search(
        r"at most (\d+) connections, \d+ requests, (\d+) head buffers; (\d+) bytes", said).groups())
    tell(f"http_beside_{name}_us", "us", worst, {"peace": peace}, connections=conns)
    tell(f"http_memory_in_{name}", "bytes", held, connections=conns, head_buffers=heads)
    if name == "idle_crowd":
        tell("http_held_bytes", "bytes", held / conns, connections=conns)


def main(argv):
    memory()
    for name in ATTACKS:
        attack(name)
    return run.main([*argv, "http"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
