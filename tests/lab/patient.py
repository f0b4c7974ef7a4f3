#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A backend that can fall ill: /healthz answers the status that stands in FILE.health, or never if that is "hang".

Everything else is answered "NAME ...". gRPC's health service, by HTTP/2 with prior knowledge, is there, too: SERVING
if the status is 200, else NOT_SERVING. Each line of FILE is one JSON object: {"at", "target", "fields", "status"} for a
request to /healthz, {"at", "service", "status"} for a call, {"at", "reset"} for a connection that ended without
either. `at` is in monotonic seconds.

usage: patient.py NAME PORT FILE
"""
import http.server
import json
import socket
import struct
import sys
import threading
import time

HANG_S = 60
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
ACK = END_STREAM = 1
END_HEADERS = 4


def frame(kind, flags, stream, payload=b""):
    """RFC 9113, section 4.1."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def field(name, value):
    """A literal that nobody need remember (RFC 7541, section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def grpc_answer(stream, is_serving):
    return b"".join([
        frame(HEADERS, END_HEADERS, stream, field(b":status", b"200") + field(b"content-type", b"application/grpc")),
        frame(DATA, 0, stream, b"\0\0\0\0\2\x08" + (b"\1" if is_serving else b"\2")),
        frame(HEADERS, END_HEADERS | END_STREAM, stream, field(b"grpc-status", b"0"))])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        """Nothing: the tests read what was written down."""

    def handle(self):
        self.is_asked, is_reset, at = False, False, time.monotonic()
        try:
            if self.rfile.peek(1)[:1] == b"P":  # there is no POST here
                self.is_asked = True
                self.handle_grpc()
            else:
                super().handle()
        except ConnectionError:
            is_reset = True
        if not self.is_asked:
            self.server.write({"at": at, "reset": is_reset})

    def handle_grpc(self):
        if self.rfile.read(len(PREFACE)) != PREFACE:
            return
        self.wfile.write(frame(SETTINGS, 0, 0))
        message = b""
        while head := self.rfile.read(9):
            kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0]
            payload = self.rfile.read(struct.unpack(">I", b"\0" + head[:3])[0])
            if kind == SETTINGS and not flags & ACK:
                self.wfile.write(frame(SETTINGS, ACK, 0))
            if kind == DATA:
                message += payload
            if kind == DATA and flags & END_STREAM:
                status = self.server.health()
                self.server.write({"at": time.monotonic(), "service": message[7:].decode(), "status": status})
                if status != "hang":
                    self.wfile.write(grpc_answer(stream, status == "200"))

    def parse_request(self):
        self.is_asked = True
        return super().parse_request()

    def do_GET(self):
        body, status = f"{self.server.backend_name} answers".encode(), "200"
        if self.path == "/healthz":
            status, body = self.server.health(), b"as it is told"
            self.server.write({"at": time.monotonic(), "target": self.path, "fields": self.headers.items(),
                               "status": status})
            if status == "hang":
                time.sleep(HANG_S)
                return
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Patient(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = socket.SOMAXCONN

    def __init__(self, name, port, path):
        super().__init__(("::", port), Handler)
        self.backend_name, self.path = name, path
        self.lock = threading.Lock()
        self.file = open(path, "a", buffering=1, encoding="ascii")  # noqa: SIM115 (as long as the program)

    def health(self):
        with open(f"{self.path}.health", encoding="ascii") as f:
            return f.read().strip()

    def write(self, what):
        with self.lock:
            self.file.write(json.dumps(what) + "\n")

    def handle_error(self, request, client_address):
        """A client that went away is no fault of ours."""


if __name__ == "__main__":
    Patient(sys.argv[1], int(sys.argv[2]), sys.argv[3]).serve_forever()
