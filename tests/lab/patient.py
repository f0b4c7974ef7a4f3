#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A backend that can fall ill: /healthz answers the status that stands in FILE.health, or never if that is "hang".

Everything else is answered "NAME ...". Each line of FILE is one JSON object: {"at", "target", "fields", "status"} for a
request to /healthz, {"at", "reset"} for a connection that ended without a request. `at` is in monotonic seconds.

usage: patient.py NAME PORT FILE
"""
import http.server
import json
import socket
import sys
import threading
import time

HANG_S = 60


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        """Nothing: the tests read what was written down."""

    def handle(self):
        self.is_asked, is_reset, at = False, False, time.monotonic()
        try:
            super().handle()
        except ConnectionError:
            is_reset = True
        if not self.is_asked:
            self.server.write({"at": at, "reset": is_reset})

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
