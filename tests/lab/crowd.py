# SPDX-License-Identifier: Apache-2.0
"""WebSockets by the ten thousand (tests/peers/crowd) as programs of a lab."""
import json
import resource
import subprocess

import process


class Crowd(process.Process):
    """A client that does what it is told, see `crowd` there."""

    stdin = subprocess.PIPE

    def tell(self, *words):
        """What came of it."""
        self.popen.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.popen.stdin.flush()
        line = self.popen.stdout.readline()
        if not line:
            raise process.Failed(f"{self.name}: {self.log_end()}")
        return json.loads(line)

    def end(self):
        status = super().end()
        self.popen.stdin.close()
        self.popen.stdout.close()
        return status


def raise_file_limit():
    """Each connection is a file; programs that are started from now on may have as many as anybody may."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
