#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Linux' TCP as the peer to measure against: a source of bytes and a sink, as tcp_relay has them.

usage: tcp_server.py SOURCE_PORT SINK_PORT [CONGESTION]
"""
import contextlib
import socket
import socketserver
import sys
import threading

PIECE_BYTES = 1 << 16
CONGESTION = (sys.argv[3:4] or ["cubic"])[0].encode()


class Source(socketserver.BaseRequestHandler):
    """Sends until the client closes."""

    def handle(self):
        piece = bytes(range(256)) * (PIECE_BYTES // 256)
        with contextlib.suppress(OSError):
            while True:
                self.request.sendall(piece)


class Sink(socketserver.BaseRequestHandler):
    """Takes everything."""

    def handle(self):
        piece = bytearray(PIECE_BYTES)
        with contextlib.suppress(OSError):
            while self.request.recv_into(piece) > 0:
                pass


class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6  # and IPv4, mapped
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = socket.SOMAXCONN  # a lane each at the same moment

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, CONGESTION)  # what it accepts inherits it
        super().server_bind()


if __name__ == "__main__":
    servers = [Server(("::", int(port)), kind) for port, kind in zip(sys.argv[1:3], (Source, Sink))]
    threads = [threading.Thread(target=s.serve_forever) for s in servers]
    for t in threads:
        t.start()
    print("ready", flush=True)
