# SPDX-License-Identifier: Apache-2.0
"""Requests a second and CPU a request, ours beside HAProxy and nginx: same lab, same wires, one core each, in turn."""
import json
import os
import re
import statistics
import subprocess

import peers

HOST = "foo.example.com"
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
CASES = {"small": ("100", ()), "large": ("65536", ()), "connections": ("100", ("-H", "Connection: close"))}
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid):
    """User and system time of the process so far; what the kernel does for it in interrupts is in nobody's."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wrk(l, address, pid, size, options):
    """(requests a second, microseconds of the proxy's CPU a request)."""
    before = cpu_s(pid)
    out = l["client"].run("taskset", "-c", peers.REST, "wrk", "-t", "1", "-c", "16", "-d", str(SECONDS), *options,
                          "-H", f"Host: {HOST}", f"http://{address}:80/files/{size}", timeout=SECONDS + 30).stdout
    assert "Non-2xx" not in out, out
    requests = int(re.search(r"(\d+) requests in", out)[1])
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), 1e6 * (cpu_s(pid) - before) / max(1, requests)


def pin(pid, cpu):
    subprocess.run(["taskset", "-a", "-p", "-c", cpu, str(pid)], check=True, capture_output=True)


def tell(name, unit, value, rest, runs, into):
    """One line a peer; the same as one object a line."""
    for peer, other in rest.items():
        mine, its = statistics.median(value), statistics.median(other)
        spread = (max(value) - min(value)) / mine if mine else 0
        print(f"http_{name}_{unit} {mine:.5g} {peer} {its:.5g} ratio {mine / its:.3g} spread {spread:.0%}", flush=True)
        into.append({"name": f"http_{name}", "params": {"connections": 16, "seconds": SECONDS}, "unit": unit,
                     "value": mine, "peer": peer, "peer_value": its, "ratio": mine / its,
                     "spread": spread, "runs": runs})


def bench(l, address, into):
    """All cases; `into` gets the objects."""
    for size in ("100", "65536"):
        with open(os.path.join(l.dir, "files", size), "wb") as f:
            f.write(b"x" * int(size))
    peers.plug_in(l)
    doors = {"sluice": (address, l.appliance.dataplane.pid)}
    for b in l.backends:
        pin(b.process.pid, peers.REST)
    pin(l.appliance.dataplane.pid, peers.CPU)
    for case, (size, options) in CASES.items():
        found = {}
        for _ in range(RUNS):  # in turn, so that a neighbour's load meets all
            for who in ("sluice", "haproxy", "nginx"):
                started = peers.start(l, who) if who != "sluice" else None
                target = (peers.FRONT, started.pid) if started else doors["sluice"]
                found.setdefault(who, []).append(wrk(l, *target, size, options))
                if started:
                    started.end()
        for at, unit in ((0, "requests_a_second"), (1, "us_cpu_a_request")):
            mine = [run[at] for run in found["sluice"]]
            tell(case, unit, mine, {k: [run[at] for run in v] for k, v in found.items() if k != "sluice"}, RUNS, into)


def write(path, objects):
    with open(path, "w") as f:
        f.writelines(json.dumps(o) + "\n" for o in objects)
