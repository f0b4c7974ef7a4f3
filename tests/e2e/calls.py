# SPDX-License-Identifier: Apache-2.0
"""Calls of gRPC, made by a real client (tests/peers/grpc), and what came of them."""
import json
import os
import subprocess
import sys

import suite

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import build  # noqa: E402 (its folder is known only now)

LIMIT_S = 60


def program():
    """The peer's path; built when it is asked for the first time."""
    return build.build("grpc")


def call(l, address, method, *metadata, options=()):
    """What the client says of each call: code, message, header, trailer, and what an echo server told."""
    done = l["client"].run(l.grpc, "call", *options, address, method, *metadata, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def one(l, address, method, *metadata, **how):
    """The same for one call."""
    return call(l, address, method, *metadata, **how)[0]


def becomes(l, address, method, wanted, *metadata, **how):
    """Waits until a call comes to that: {"code": "OK"}, say."""
    def is_so():
        said = one(l, address, method, *metadata, **how)
        assert wanted.items() <= said.items(), said
        return True
    suite.eventually(is_so, f"{method} of {address} becomes {wanted}")


class Stream:
    """A call with streams both ways, for as long as the block."""

    def __init__(self, l, address, *options):
        self.popen = subprocess.Popen(l["client"].argv(l.grpc, "stream", *options, address), text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.communicate()

    def asks(self, n_bytes):
        """Sends a message; how many bytes the server's has."""
        self.popen.stdin.write(f"{n_bytes}\n")
        self.popen.stdin.flush()
        return int(self.popen.stdout.readline())

    def ends(self):
        """Ends our direction; what the client says of the whole call."""
        return json.loads(self.popen.communicate(timeout=LIMIT_S)[0])
