# SPDX-License-Identifier: Apache-2.0
"""The real dpdk-testpmd on a memory port, as the least that anything on DPDK costs: frames go round in a ring
(net_ring, what the appliance's memory ports are made of), taken and given in bursts of 32.

testpmd tells the TSC cycles of its forwarding a packet (--record-core-cycles): those of rounds that found packets.
`io` hands frames on unseen, `macswap` touches each header. Debian packages no dpdk-l3fwd: what it does is in
l4/l4_forward.c."""
import os
import re
import shutil
import subprocess
import time

PROGRAM = "dpdk-testpmd"
EAL = ("--no-huge", "-m", "256", "--no-shconf", "--no-pci", "--no-telemetry", "--log-level=lib.*:warning")
MODES = ("io", "macswap")
RUN_S = 1.0
CYCLES = re.compile(r"CPU cycles/packet=([\d.]+)")


def cycles(mode, runs):
    """Cycles a packet of so many runs; [] where there is no testpmd."""
    if shutil.which(PROGRAM) is None:
        return []
    return [one(mode) for _ in range(runs)]


def lcores():
    """One for its prompt, which sleeps, and one that forwards."""
    allowed = sorted(os.sched_getaffinity(0))
    return f"0@{allowed[0]},1@{allowed[-1]}"


def one(mode):
    argv = [PROGRAM, *EAL, "--lcores", lcores(), "--vdev", "net_ring0", "--", "-i", "--total-num-mbufs=8192",
            "--record-core-cycles", f"--forward-mode={mode}", "--burst=32", "--txd=512", "--rxd=512"]
    run = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        run.stdin.write("start tx_first 1\n")
        run.stdin.flush()
        time.sleep(RUN_S + 1)  # it starts in less than a second; what is counted is told a packet
        out, _ = run.communicate("stop\nquit\n", timeout=30)
    finally:
        run.kill()
    found = CYCLES.search(out)
    assert found, out[-2000:]
    return float(found[1])
