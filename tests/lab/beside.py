# SPDX-License-Identifier: Apache-2.0
"""What goes on beside a block."""
import threading


class Beside:
    """`with` it: calls `run` on a thread of its own, which returns soon after `over` is set: at the block's end."""

    def __init__(self, run):
        self.over = threading.Event()
        self.thread = threading.Thread(target=run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
