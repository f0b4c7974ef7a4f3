# SPDX-License-Identifier: Apache-2.0
"""What a lab made is undone in reverse order, however it ends: normally, by an exception, by Ctrl-C or TERM.

A lab that was killed with KILL cannot clean up: the next one sweeps what belongs to labs whose process is gone.
"""
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
RUN_ROOT = "/tmp"
OF_A_LAB = re.compile(r"^sluice-lab-(\d+)-")


class Cleanup:
    """A stack of undo steps, run once, newest first; one that fails is told and the others still run."""

    def __init__(self):
        self.steps = []

    def add(self, what, function, *args):
        self.steps.append((what, function, args))

    def run(self):
        while self.steps:
            what, function, args = self.steps.pop()
            try:
                function(*args)
            except Exception as e:  # the remaining steps matter more than this one
                print(f"lab: cleaning up {what}: {e}", file=sys.stderr)


class Ended(Exception):
    """Somebody asked this process to end."""


def end_on_signals():
    """INT, TERM and HUP become the exception Ended in the main thread, so that `with` blocks clean up."""
    def on_signal(number, _frame):
        for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(n, signal.SIG_IGN)  # cleaning up is not interrupted again
        raise Ended(signal.Signals(number).name)
    for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(n, on_signal)


def die_with_parent():
    """For a child between fork and exec: it is killed when the lab's process dies."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def is_alive(pid):
    return os.path.exists(f"/proc/{pid}")


def sweep():
    """Removes namespaces and directories of labs whose process is gone."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    for line in listed.splitlines():
        name = line.split()[0] if line.split() else ""
        found = OF_A_LAB.match(name)
        if found and not is_alive(found[1]):
            subprocess.run(["ip", "netns", "delete", name], check=False)
    for name in os.listdir(RUN_ROOT):
        found = OF_A_LAB.match(name)
        if found and not is_alive(found[1]):
            shutil.rmtree(os.path.join(RUN_ROOT, name), ignore_errors=True)
