# SPDX-License-Identifier: Apache-2.0
"""The impairment link (impair/) as a program of a lab."""
import process


class Link(process.Process):
    """Carries between two interfaces from wait_carrying() until end(); then `counts` tells what it did."""

    counts = None

    def wait_carrying(self):
        if self.popen.stdout.readline() != b"ready\n":
            raise process.Failed(f"{self.name}: {self.log_end()}")

    def end(self):
        status = super().end()
        if self.counts is None:
            told = (line.decode().split() for line in self.popen.stdout)
            self.counts = {name: int(n) for name, n in told}
            self.popen.stdout.close()
        return status
