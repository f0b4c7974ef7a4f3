#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What answers a request for WebSocket byte by byte as its path says. usage: raw.py PORT"""
import base64
import hashlib
import re
import socket
import socketserver
import struct
import sys

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HEAD = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: %s\r\n\r\n")
EARLY_S = 0.3  # so long a request is looked at for what comes behind it
FLOOD_BYTES = 16 << 20


def answer(text):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)


def read_head(sock):
    got = b""
    while b"\r\n\r\n" not in got:
        more = sock.recv(4096)
        if not more:
            return None, b""
        got += more
    head, _, rest = got.partition(b"\r\n\r\n")
    return head, rest


def read_all(sock):
    got = b""
    while more := sock.recv(65536):
        got += more
    return got


def early(sock, rest):
    """What has come behind the request, though nobody said 101."""
    sock.settimeout(EARLY_S)
    try:
        rest += sock.recv(65536)
    except TimeoutError:
        pass
    sock.settimeout(None)
    return rest


class Connection(socketserver.BaseRequestHandler):
    def handle(self):
        while True:
            head, rest = read_head(self.request)
            if head is None or not self.act(head, rest):
                return

    def act(self, head, rest):
        """True: another request may come."""
        sock, path = self.request, head.split(b" ")[1].decode().partition("?")[0]
        if path.endswith("/asked"):
            sock.sendall(answer(head))
            return True
        if path.endswith("/early"):
            sock.sendall(answer(b"early: %d" % len(early(sock, rest))))
            return True
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)
        accept = base64.b64encode(hashlib.sha1(key[1] + GUID).digest()) if key else b"none"
        if path.endswith("/fake"):
            accept = base64.b64encode(hashlib.sha1(b"another" + GUID).digest())
        sock.sendall(HEAD % accept)
        self.tunnel(path, rest)
        return False

    def tunnel(self, path, rest):
        sock = self.request
        if path.endswith("/count"):  # the client ends its direction first
            sock.sendall(b"%d bytes" % len(rest + read_all(sock)))
        elif path.endswith("/first"):  # we do
            sock.sendall(b"last words")
            sock.shutdown(socket.SHUT_WR)
            print(f"after the end: {len(read_all(sock))}", flush=True)
        elif path.endswith("/reset"):
            sock.recv(1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()  # here: the server's own way would send a FIN before the reset
        elif path.endswith("/flood"):
            sock.sendall(b"x" * FLOOD_BYTES)
        else:
            read_all(sock)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

if __name__ == "__main__":
    Server(("0.0.0.0", int(sys.argv[1])), Connection).serve_forever()
