#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A backend whose bytes are nobody's protocol: what is passed on to it is not HTTP.

    8080  talks (it also keeps the lab's question whether it is there): each line is a command, see `talk`
    8081  says "hello from NAME" first, and then talks
    8082  reads until the client has ended, and says how many bytes it got and their SHA-256
    8443  talks within TLS, with the certificate and key of CERTIFICATE and KEY

usage: talker.py NAME [CERTIFICATE KEY]
"""
import hashlib
import socket
import socketserver
import ssl
import struct
import sys
import threading

NAME = sys.argv[1]
CHUNK = bytes(range(256)) * 256


def lines(sock):
    """The client's lines, and last what came after the last one."""
    held = b""
    while got := sock.recv(65536):
        held += got
        while b"\n" in held:
            line, _, held = held.partition(b"\n")
            yield line.decode("latin-1")


def send(sock, n):
    """That many bytes, of a pattern."""
    while n > 0:
        part = CHUNK[:min(n, len(CHUNK))]
        sock.sendall(part)
        n -= len(part)


def talk(sock, server_name=None):
    """name: who it is and who the client is. tls: what the client asked for. send N: so many bytes. bye: ends.
    reset: breaks off. Anything else comes back. When the client ends, "over" does."""
    for line in lines(sock):
        word, _, rest = line.partition(" ")
        if word == "name":
            sock.sendall(f"{NAME} {sock.getpeername()[0]}\n".encode())
        elif word == "tls":
            sock.sendall(f"{server_name} {sock.selected_alpn_protocol()} {sock.version()}\n".encode())
        elif word == "send":
            send(sock, int(rest))
        elif word == "bye":
            return
        elif word == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()  # here: the server's own way would send a FIN before the reset
            return
        else:
            sock.sendall(line.encode("latin-1") + b"\n")
    sock.sendall(b"over\n")


def greet(sock):
    sock.sendall(f"hello from {NAME}\n".encode())
    talk(sock)


def digest(sock):
    sha, n = hashlib.sha256(), 0
    while got := sock.recv(65536):
        sha.update(got)
        n += len(got)
    sock.sendall(f"{n} {sha.hexdigest()}\n".encode())


def secret(context):
    """Talks within TLS."""
    def handle(sock):
        with context.wrap_socket(sock, server_side=True) as s:
            talk(s, names.pop(s, None))
    names = {}

    def note(s, name, _):
        names[s] = name
    context.sni_callback = note
    return handle


class Server(socketserver.ThreadingTCPServer):
    """A thread a connection."""
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256


def serve(port, function):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            try:
                function(self.request)
            except OSError:
                pass
    threading.Thread(target=Server(("::", port), Handler).serve_forever).start()


if len(sys.argv) > 2:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[2], sys.argv[3])
    tls.set_alpn_protocols(["odd/1", "http/1.1"])
    serve(8443, secret(tls))
serve(8081, greet)
serve(8082, digest)
serve(8080, talk)
