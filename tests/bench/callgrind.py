# SPDX-License-Identifier: Apache-2.0
"""Counts instructions by valgrind's callgrind: exact, and the same on a busy machine."""
import collections
import re
import subprocess
import tempfile

NAMED = re.compile(r"^c?fn=\((\d+)\)(?: (.*))?$")


class Costs:
    """Inclusive instructions and number of calls of each function, summed over its callers."""

    def __init__(self, path):
        self.instructions, self.calls = collections.Counter(), collections.Counter()
        names, callee, is_cost_next = {}, None, False
        with open(path) as f:
            for line in f:
                found = NAMED.match(line.rstrip("\n"))
                if is_cost_next:
                    self.instructions[callee] += int(line.split()[-1])
                    is_cost_next = False
                elif found:
                    names.setdefault(found[1], found[2])
                    if line.startswith("c"):
                        callee = names[found[1]]
                elif line.startswith("calls="):
                    self.calls[callee] += int(line.split()[0].removeprefix("calls="))
                    is_cost_next = True

    def of(self, function):
        """(instructions with all that it calls, how often it was called)."""
        assert self.calls[function], f"callgrind saw no call of {function}()"
        return self.instructions[function], self.calls[function]


class Counted:
    """A program that runs on under callgrind: what it executes between zero() and instructions()."""

    def __init__(self, out):
        self.out = out
        self.under = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}")

    def zero(self, pid):
        subprocess.run(["callgrind_control", "-z", str(pid)], check=True, capture_output=True, timeout=60)

    def instructions(self, pid):
        """All of the process, since zero()."""
        subprocess.run(["callgrind_control", "-d", str(pid)], check=True, capture_output=True, timeout=60)
        with open(f"{self.out}.1") as f:
            return int(re.search(r"^(?:totals|summary): (\d+)", f.read(), re.M)[1])


def run(within, *argv):
    """Runs a program and counts what happens inside the function `within`."""
    with tempfile.NamedTemporaryFile(suffix=".callgrind") as out:
        valgrind = ["valgrind", "--tool=callgrind", f"--toggle-collect={within}", f"--callgrind-out-file={out.name}"]
        subprocess.run([*valgrind, *argv], check=True, capture_output=True, timeout=600)
        return Costs(out.name)
