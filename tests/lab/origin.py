#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A backend that does what its URL says: for behaviours that a well-behaved server never shows.

    /echo            the request as JSON: backend, method, path, headers as a list, length and sha256 of the body
    /upload          {"length", "sha256"} of the body, read in pieces
    /bytes/N         N bytes that /bytes/ always gives, with Content-Length; sha256 by expected_sha256(N)
    /chunked/N       the same, chunked
    /status/N        that status, empty
    /slow/MS         answers after so long
    /close           answers, then closes without having said so
    /cut/N           says Content-Length N, gives half of it, closes
    /until-close/N   no length: the end of the connection ends the body
    /reset           no answer, RST
    /reset-first/N   the first N requests for just this target, query and all: no answer, RST; then as /upload,
                     with the lengths of the bodies that came before
    /busy-first/N    the first N: 503; then likewise
    /mute-first/N    the first N: nothing, for as long as anybody waits; then likewise

With a certificate and key it speaks TLS, and /echo tells what of it; with CAs, too, clients have to show a certificate.

usage: origin.py NAME PORT [CERTIFICATE KEY [CLIENT_CA]]
"""
import hashlib
import http.server
import json
import socket
import ssl
import struct
import sys
import threading
import time

PIECE = 1 << 16
MUTE_S = 10  # the tests' time limits are far below
PATTERN = b"".join(struct.pack(">I", n * 2654435761 & 0xffffffff) for n in range(1 << 14))


def pieces(length):
    """The bytes of /bytes/N in pieces of at most PIECE."""
    for at in range(0, length, PIECE):
        yield PATTERN[:min(PIECE, length - at)]


def expected_sha256(length):
    h = hashlib.sha256()
    for piece in pieces(length):
        h.update(piece)
    return h.hexdigest()


def tls_of(connection):
    """What the connection's TLS was; None: it has none."""
    if not isinstance(connection, ssl.SSLSocket):
        return None
    shown = connection.getpeercert() or {}
    return {"server_name": getattr(connection, "asked_for", None), "alpn": connection.selected_alpn_protocol(),
            "version": connection.version(), "client": [v for rdn in shown.get("subject", ()) for _, v in rdn]}


def tls_context(certificate, key, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    context.sni_callback = lambda connection, name, _: setattr(connection, "asked_for", name)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def log_message(self, *_):
        """Nothing: the tests ask what they want to know."""

    def body_pieces(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                if size == 0:
                    while self.rfile.readline().strip():
                        pass
                    return
                yield self.rfile.read(size)
                self.rfile.readline()
        left = int(self.headers.get("Content-Length", 0))
        while left > 0:
            piece = self.rfile.read(min(PIECE, left))
            if not piece:
                return
            left -= len(piece)
            yield piece

    def body_facts(self):
        h, length = hashlib.sha256(), 0
        for piece in self.body_pieces():
            h.update(piece)
            length += len(piece)
        return {"length": length, "sha256": h.hexdigest()}

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("X-Backend", self.server.backend_name)
        if status not in (204, 304):  # they have no body to tell the length of
            self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_any(self):
        facts = self.body_facts()
        kind, _, argument = self.path.split("?")[0].lstrip("/").partition("/")
        serve = getattr(self, "serve_" + kind.replace("-", "_"), self.serve_echo)
        serve(int(argument) if argument.isdigit() else 0, facts)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_any

    def serve_echo(self, _, facts):
        asked = {"backend": self.server.backend_name, "method": self.command, "path": self.path,
                 "version": self.request_version, "headers": [list(h) for h in self.headers.items()],
                 "peer": self.client_address[0], "tls": tls_of(self.connection), **facts}
        self.answer(200, json.dumps(asked).encode() + b"\n", Content_Type="application/json")

    def serve_upload(self, _, facts):
        self.answer(200, json.dumps(facts).encode() + b"\n", Content_Type="application/json")

    def head(self, *headers):
        self.send_response(200)
        self.send_header("X-Backend", self.server.backend_name)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def serve_bytes(self, n, _):
        self.head(("Content-Length", str(n)))
        if self.command != "HEAD":
            for piece in pieces(n):
                self.wfile.write(piece)

    def serve_chunked(self, n, _):
        self.head(("Transfer-Encoding", "chunked"))
        for piece in pieces(n):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def serve_status(self, n, _):
        self.answer(n)

    def serve_slow(self, ms, facts):
        time.sleep(ms / 1000)
        self.serve_echo(0, facts)

    def serve_close(self, _, facts):
        self.serve_echo(0, facts)
        self.close_connection = True

    def serve_cut(self, n, _):
        self.head(("Content-Length", str(n)))
        for piece in pieces(n // 2):
            self.wfile.write(piece)
        self.close_connection = True

    def serve_until_close(self, n, _):
        self.head(("Connection", "close"))
        for piece in pieces(n):
            self.wfile.write(piece)
        self.close_connection = True

    def is_among_first(self, n, facts):
        """Is it one of the first n for its target? Afterwards `facts` has the lengths of all before it."""
        with self.server.lock:
            before = self.server.seen.setdefault(self.path, [])
            facts["before"] = list(before)
            before.append(facts["length"])
        return len(facts["before"]) < n

    def serve_reset_first(self, n, facts):
        if self.is_among_first(n, facts):
            self.serve_reset()
        else:
            self.serve_upload(n, facts)

    def serve_mute_first(self, n, facts):
        if self.is_among_first(n, facts):
            time.sleep(MUTE_S)
            self.close_connection = True
        else:
            self.serve_upload(n, facts)

    def serve_busy_first(self, n, facts):
        if self.is_among_first(n, facts):
            self.answer(503, b"busy\n")
        else:
            self.serve_upload(n, facts)

    def serve_reset(self, *_):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


class DualStack(http.server.ThreadingHTTPServer):
    """Listens for both families; an answer to an IPv4 client needs no thread of its own for long."""
    address_family = socket.AF_INET6
    request_queue_size = 1024
    daemon_threads = True

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def finish_request(self, request, client_address):
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, *_):
        """A client that goes away in the middle is no fault of ours."""


if __name__ == "__main__":
    server = DualStack(("::", int(sys.argv[2])), Handler)
    server.backend_name = sys.argv[1]
    server.tls = tls_context(*sys.argv[3:]) if len(sys.argv) > 3 else None
    server.lock, server.seen = threading.Lock(), {}
    server.serve_forever()
