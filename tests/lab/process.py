# SPDX-License-Identifier: Apache-2.0
"""Long-lived programs of a lab: started in a namespace, their output kept, asked until ready, ended by pid."""
import os
import signal
import subprocess
import time

import cleanup

END_WAIT_S = 8  # a program that has not ended this long after TERM is killed


class Failed(Exception):
    """Something in the lab is not as it has to be; the message says what and shows the log's end."""


class Process:
    """One program. Its output goes to `log`; with `pipe` its standard output can be read by the lab."""

    stdin = subprocess.DEVNULL  # of a kind that is told things: a pipe

    def __init__(self, name, argv, log, environment=None, pipe=False):
        self.name = name
        self.log = log
        self.argv = argv
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(
                argv, stdin=self.stdin, stdout=subprocess.PIPE if pipe else out, stderr=out,
                start_new_session=True, preexec_fn=cleanup.die_with_parent,
                env={**os.environ, **(environment or {})})
        self.pid = self.popen.pid

    def is_running(self):
        return self.popen.poll() is None

    def kill(self):
        """KILL, as a crash or a power cut would."""
        self.popen.kill()
        self.popen.wait()

    def end(self):
        """TERM, and KILL when that does not help. Returns the exit status."""
        if self.is_running():
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(END_WAIT_S)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        return self.popen.wait()

    def log_end(self, lines=25):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-lines:])

    def wait_ready(self, is_ready, what, limit_s):
        """Asks `is_ready` until it gives something true; returns that."""
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            if not self.is_running():
                raise Failed(f"{self.name} ended with status {self.popen.returncode}\n{self.log_end()}")
            answer = is_ready()
            if answer:
                return answer
            time.sleep(0.05)
        raise Failed(f"{self.name}: {what} not within {limit_s} s\n{self.log_end()}")

    def rss_bytes(self):
        """Resident memory now."""
        with open(f"/proc/{self.pid}/status") as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise Failed(f"{self.name}: no VmRSS")
