# SPDX-License-Identifier: Apache-2.0
"""An observer on the dataplane's control socket: the layouts of abi/control.h and abi/stats.h, read independently."""
import array
import mmap
import os
import socket
import struct

MAGIC, VERSION, HELLO, WELCOME = 0x43434C53, 1, 1, 2
STATS_MAGIC, STATS_VERSION, NAME_BYTES = 0x54534C53, 1, 64
MESSAGE = struct.Struct("=IHHQII")
WELCOME_BODY = struct.Struct("=QQQII")
STATS_HEADER = struct.Struct("=7I")


class Welcome:
    """What the dataplane said: generation (0: serves none yet), workers, and the telemetry segment."""

    def __init__(self, generation, checksum, workers, telemetry):
        self.generation = generation
        self.checksum = checksum
        self.workers = workers
        self.telemetry = telemetry


def hello(run_dir, timeout=5):
    """Says HELLO as an observer and returns the Welcome, or None when nobody answers there."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.settimeout(timeout)
    try:
        sock.connect(os.path.join(run_dir, "dataplane.sock"))
        sock.send(MESSAGE.pack(MAGIC, VERSION, HELLO, 1, 8, 0) + struct.pack("=II", 0, os.getpid()))
        data, ancillary, _, _ = sock.recvmsg(65536, socket.CMSG_SPACE(4))
    except OSError:
        return None
    finally:
        sock.close()
    magic, version, kind, number, length, _ = MESSAGE.unpack_from(data)
    assert (magic, version, kind, number) == (MAGIC, VERSION, WELCOME, 1), "not a WELCOME"
    assert length == len(data) - MESSAGE.size, "the length does not fit the message"
    fds = array.array("i")
    for level, what, payload in ancillary:
        if level == socket.SOL_SOCKET and what == socket.SCM_RIGHTS:
            fds.frombytes(payload)
    assert len(fds) == 1, "a WELCOME carries the telemetry segment"
    generation, checksum, _, workers, _ = WELCOME_BODY.unpack_from(data, MESSAGE.size)
    return Welcome(generation, checksum, workers, Telemetry(fds[0]))


class Telemetry:
    """The counters, by name."""

    def __init__(self, fd):
        self.memory = mmap.mmap(fd, os.fstat(fd).st_size, prot=mmap.PROT_READ)
        os.close(fd)
        magic, version, count, self.workers, names_at, self.at, self.stride = STATS_HEADER.unpack_from(self.memory)
        assert (magic, version) == (STATS_MAGIC, STATS_VERSION), "not a telemetry segment"
        self.names = [self.memory[names_at + i * NAME_BYTES:names_at + (i + 1) * NAME_BYTES].split(b"\0")[0].decode()
                      for i in range(count)]

    def worker(self, n):
        """{name: value} of one worker."""
        values = struct.unpack_from(f"={len(self.names)}Q", self.memory, self.at + n * self.stride)
        return dict(zip(self.names, values))

    def total(self):
        """{name: value} summed over the workers."""
        each = [self.worker(n) for n in range(self.workers)]
        return {name: sum(w[name] for w in each) for name in self.names}
