# SPDX-License-Identifier: Apache-2.0
"""Our TCP and Linux' as servers on one switch, and Linux clients, each behind a bad link of its own (a lane):

    client-1 ---- [impair] --+-- sluice   tcp_relay on AF_XDP
    client-2 ---- [impair] --+-- linux    tcp_server.py on kernel sockets

Both serve a source of bytes (port 19) and a sink (port 9). Lanes run at the same time; the links are what is slow.
"""
import os
import socket

import lab as labs
import namespace

SERVERS = ("sluice", "linux")
SOURCE, SINK = 19, 9
ADDRESSES = {4: {"sluice": f"{labs.FRONT4}.1", "linux": f"{labs.FRONT4}.2"},
             6: {"sluice": f"{labs.FRONT6}::1", "linux": f"{labs.FRONT6}::2"}}
PREFIX = {4: 24, 6: 64}
BUFFER_BYTES = 4 << 20  # of every socket, and of ours (worker_config_default()): several times what any link here holds
CUBIC = b"cubic"  # of every client: a namespace's default cannot always be set to it, and some machines have BBR
LINUX = {"net__ipv4__tcp_no_metrics_save": 1,  # each run begins afresh
         "net__ipv4__tcp_rmem": f"4096 131072 {BUFFER_BYTES}", "net__ipv4__tcp_wmem": f"4096 16384 {BUFFER_BYTES}"}
HERE = os.path.dirname(os.path.abspath(__file__))


class Lanes(labs.Lab):
    """`n` lanes; `family` is what ours speaks; `congestion` of ours and of Linux' server."""

    def __init__(self, n, family, congestion=("cubic", "cubic")):
        super().__init__("goodput", backends=0)
        self.n = n
        self.family = family
        self.congestion = congestion

    def namespace_names(self):
        return ["switch", *SERVERS] + [f"client-{i}" for i in range(self.n)]

    def wire(self):
        switch = self["switch"]
        namespace.bridge(switch, "front")
        for server in SERVERS:
            namespace.link(self[server], "eth0", switch, server)
            namespace.attach(switch, "front", server)
        self["sluice"].sysctl(net__ipv6__conf__eth0__disable_ipv6=1)  # the kernel says nothing there
        self["linux"].address("eth0", *(f"{ADDRESSES[f]['linux']}/{PREFIX[f]}" for f in (4, 6)))
        self["linux"].sysctl(**LINUX)
        for i in range(self.n):
            self.wire_lane(i)

    def wire_lane(self, i):
        switch, client = self["switch"], self[f"client-{i}"]
        namespace.link(client, "eth0", switch, f"client-{i}")
        self.insert_link(f"client-{i}", "front")
        client.address("eth0", f"{labs.FRONT4}.{10 + i}/24", f"{labs.FRONT6}::{10 + i:x}/64")
        client.sysctl(**LINUX)

    def start_servers(self):
        relay = os.path.join(self.build, "tests", "unit", "dataplane", "tcp", "tcp_relay")
        nobody = f"{labs.FRONT4}.250:80" if self.family == 4 else f"{labs.FRONT6}::250:80"
        ours = self.start("sluice", "sluice", relay, "name=p0,driver=af_xdp,iface=eth0",
                          f"{ADDRESSES[self.family]['sluice']}/{PREFIX[self.family]}", nobody,
                          "usual", self.congestion[0])
        theirs = self.start("linux", "linux", "python3", os.path.join(HERE, "tcp_server.py"), str(SOURCE), str(SINK),
                            self.congestion[1])
        for server in (ours, theirs):
            server.wait_ready(lambda s=server: "ready" in s.log_end(), "ready", 20)

    def start_lane(self, i, *options):
        """The link of lane i, with these options of tests/lab/impair; the client is its first end."""
        return self.start_link(f"client-{i}", *options)

    def connect(self, i, server, port):
        sock = self[f"client-{i}"].connect(ADDRESSES[self.family][server], port, timeout=20)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, CUBIC)
        return sock
