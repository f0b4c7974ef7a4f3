# SPDX-License-Identifier: Apache-2.0
"""A thousand flows of a kind, of one client: each is asked whether it still is where it was.

Behind them are many.py and datagrams.py, whose answers begin with a backend's name and whom it sees. A flow is broken
when it is reset or ended, when nothing comes back (a datagram is sent TRIES times), or when another backend answers.
"""
import collections
import select
import socket
import ssl
import time

TOGETHER = 50      # asked at once: backends of the lab are Python
OPEN_LIMIT_S = 10
TRY_S, TRIES = 1.5, 3  # how long a datagram's answer is waited for, and how often it is sent
TCP_S = 12             # so long: TCP sends again by itself

Kind = collections.namedtuple("Kind", "name protocol vip port tls", defaults=[None])  # `tls`: (context, server name)


class Flow:
    """`who`: the backend that has it, `seen`: the address that it sees; `fault`: why it is broken."""

    def __init__(self, sock):
        self.sock = sock
        self.port = sock.getsockname()[1]
        self.who = self.seen = self.fault = None


class Flows:
    """`n` of one kind, of the client in that namespace; its ports are `port` and on, each used once: a box that a flow
    has left without a word remembers it for long, and would take another one between the same ends for it."""

    def __init__(self, namespace, kind, n, port):
        self.namespace, self.kind, self.n = namespace, kind, n
        self.next_port = port
        self.is_udp = kind.protocol == "udp"
        self.flows = []
        self.round = 0

    def open_one(self):
        family = socket.AF_INET6 if ":" in self.kind.vip else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM if self.is_udp else socket.SOCK_STREAM)
        sock.settimeout(OPEN_LIMIT_S)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", self.next_port))
        self.next_port += 1
        sock.connect((self.kind.vip, self.kind.port))
        if self.kind.tls:
            context, name = self.kind.tls
            sock = context.wrap_socket(sock, server_hostname=name, suppress_ragged_eofs=False)
        sock.setblocking(False)
        return Flow(sock)

    def fill(self):
        """Opens anew what broke. All answer, or it is an AssertionError."""
        for f in self.flows:
            if f.fault:
                f.sock.close()
        self.flows = [f for f in self.flows if not f.fault]
        missing = self.n - len(self.flows)
        new = self.namespace.inside(lambda: [self.open_one() for _ in range(missing)])
        for f, answer in self.ask(new).items():
            assert isinstance(answer, tuple), f"{self.kind.name}: a new flow: {answer}"
            f.who, f.seen = answer
        self.flows += new

    def close(self):
        for f in self.flows:
            f.sock.close()

    def find_broken(self):
        """Asks all; those that are broken, with `fault` set. Who is not is seen as before, or from now on so."""
        for f, answer in self.ask(self.flows).items():
            if not isinstance(answer, tuple):
                f.fault = answer
            elif answer[0] != f.who:
                f.fault = "moved"
            else:
                f.seen = answer[1]
        return [f for f in self.flows if f.fault]

    def ask(self, flows):
        """{flow: (name, address), or what went wrong}."""
        self.round += 1
        answers, asked = {}, set()
        by_handle = {f.sock.fileno(): f for f in flows}
        with select.epoll() as poll:
            for handle in by_handle:
                poll.register(handle, select.EPOLLIN)

            def collect(limit_s):
                """Until all that were asked have been answered, or nothing came for so long."""
                until = time.monotonic() + limit_s
                while asked and time.monotonic() < until:
                    for handle, _ in poll.poll(max(0.0, until - time.monotonic())):
                        said = self.hear(by_handle[handle].sock)
                        if said is None:
                            continue
                        until = time.monotonic() + limit_s
                        answers[by_handle[handle]] = said
                        asked.discard(by_handle[handle])
                        if not isinstance(said, tuple):
                            poll.unregister(handle)
            for _ in range(TRIES if self.is_udp else 1):
                left = [f for f in flows if f not in answers]
                for at in range(0, len(left), TOGETHER):
                    for f in left[at:at + TOGETHER]:
                        self.send(f, answers, asked)
                    collect(0.2)
                collect(TRY_S if self.is_udp else TCP_S)
        return {f: answers.get(f, "silent") for f in flows}

    def send(self, flow, answers, asked):
        if flow in answers:  # it was broken before it was asked
            return
        try:
            flow.sock.send(f"{self.round}\n".encode())
            asked.add(flow)
        except OSError as e:
            answers[flow] = reason(e)

    def hear(self, sock):
        """(name, address) of an answer, what went wrong, or None: nothing yet."""
        try:
            said = sock.recv(4096)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except OSError as e:
            return reason(e)
        if not said:
            return "ended"
        head, _, rest = said.decode().partition("\n")
        if self.is_udp and rest != f"{self.round}\n":
            return None  # it was late
        return tuple(head.split(" ")[:2])


def reason(error):
    """Python calls any end of TLS's connection an EOF, a reset too."""
    return "reset" if isinstance(error, (ConnectionResetError, ssl.SSLEOFError)) else type(error).__name__
