#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A backend that writes down every byte it is sent, read as strictly as RFC 9112 can be read, and answers 200.

Each line of FILE is one JSON object: {"method", "target", "fields": [[name, value]],
                                       "body"} for a request whose every byte
was as it has to be, {"fault", "bytes"} for the first thing that was not, after which that connection is ended, and
{"cut", "bytes"} where a connection ended within a request. Bytes are told as latin-1.

usage: recorder.py PORT FILE
"""
import json
import re
import socket
import socketserver
import sys
import threading

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") (/[\x21\x22\x24-\x7e]*|\*) HTTP/1\.1")
SEEN = rb"\x21-\x7e\x80-\xff"
FIELD = re.compile(rb"(" + TOKEN + rb"):[ \t]*((?:[" + SEEN + rb"](?:[ \t" + SEEN + rb"]*[" + SEEN + rb"])?)?)[ \t]*")
SIZE = re.compile(rb"[0-9a-f]{1,16}", re.IGNORECASE)
FIELDS_OF_FRAMING = {b"content-length", b"transfer-encoding", b"host"}
HEAD_BYTES_MAX = 1 << 16
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Fault(Exception):
    """Something is not as it has to be."""


class Cut(Exception):
    """The connection ended."""


class Reader:
    """The bytes of a connection, all of them kept until a request is whole."""

    def __init__(self, sock):
        self.sock = sock
        self.bytes = b""
        self.at = 0

    def more(self):
        got = self.sock.recv(65536)
        if not got:
            raise Cut
        self.bytes += got

    def exactly(self, n):
        while len(self.bytes) - self.at < n:
            self.more()
        self.at += n
        return self.bytes[self.at - n:self.at]

    def line(self):
        """Up to CR LF, which is taken too. A CR or LF by itself is a fault."""
        start = self.at
        while b"\n" not in self.bytes[start:]:
            if len(self.bytes) - start > HEAD_BYTES_MAX:
                raise Fault("a line without an end")
            self.more()
        end = self.bytes.index(b"\n", start)
        line = self.bytes[start:end]
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise Fault(f"a line end that is not CR LF: {line!r}")
        self.at = end + 1
        return line[:-1]

    def forget(self):
        self.bytes, self.at = self.bytes[self.at:], 0


def read_fields(reader):
    found = []
    while line := reader.line():
        match = FIELD.fullmatch(line)
        if not match:
            raise Fault(f"no field line: {line!r}")
        found.append(match.groups())
    return found


def read_chunks(reader):
    body = b""
    while True:
        size = reader.line()
        if not SIZE.fullmatch(size):
            raise Fault(f"no size of a chunk: {size!r}")
        if int(size, 16) == 0:
            break
        body += reader.exactly(int(size, 16))
        if reader.exactly(2) != b"\r\n":
            raise Fault("no CR LF behind a chunk")
    for name, _ in read_fields(reader):
        if name.lower() in FIELDS_OF_FRAMING:
            raise Fault(f"{name!r} in a trailer")
    return body


def read_body(reader, fields):
    values = {wanted: [v for n, v in fields if n.lower() == wanted] for wanted in FIELDS_OF_FRAMING}
    lengths, codings = values[b"content-length"], values[b"transfer-encoding"]
    if len(values[b"host"]) != 1:
        raise Fault(f"{len(values[b'host'])} Host fields")
    if len(lengths) + len(codings) > 1 or (codings and codings[0] != b"chunked"):
        raise Fault(f"lengths {lengths} and codings {codings}")
    if codings:
        return read_chunks(reader)
    if lengths and not re.fullmatch(rb"[0-9]{1,19}", lengths[0]):
        raise Fault(f"length {lengths[0]!r}")
    return reader.exactly(int(lengths[0])) if lengths else b""


def read_request(reader):
    match = REQUEST_LINE.fullmatch(reader.line())
    if not match:
        raise Fault("no request line")
    fields = read_fields(reader)
    body = read_body(reader, fields)
    return {"method": match[1].decode(), "target": match[2].decode(),
            "fields": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in fields], "body": body.decode("latin-1")}


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        reader = Reader(self.request)
        while True:
            reader.forget()
            try:
                self.server.write(read_request(reader))
                self.request.sendall(ANSWER)
            except Fault as e:
                self.server.write({"fault": str(e), "bytes": reader.bytes.decode("latin-1")})
                return
            except (Cut, OSError):
                if reader.bytes:
                    self.server.write({"cut": True, "bytes": reader.bytes.decode("latin-1")})
                return


class Recorder(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = socket.SOMAXCONN

    def __init__(self, port, path):
        super().__init__(("::", port), Handler)
        self.lock = threading.Lock()
        self.file = open(path, "a", buffering=1, encoding="ascii")  # noqa: SIM115 (as long as the program)

    def write(self, what):
        with self.lock:
            self.file.write(json.dumps(what) + "\n")


if __name__ == "__main__":
    Recorder(int(sys.argv[1]), sys.argv[2]).serve_forever()
