#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A backend of HTTP/1.1 that reads trailers to the letter, and sends some. usage: trailing.py PORT

Its answer is chunked: JSON of the request's fields and trailers, in lists of [name, value], and behind it the trailers
that stand in the query: name=value&name=value.
"""
import json
import socketserver
import sys
import urllib.parse


def read_lines(file):
    """Until the empty one."""
    lines = []
    while (line := file.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").rstrip("\r\n").partition(": ")
        lines.append([name, value])
    return lines


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        while first := self.rfile.readline():
            fields = read_lines(self.rfile)
            known = {n.lower(): v for n, v in fields}
            trailers = self.read_chunks() if known.get("transfer-encoding") == "chunked" else []
            self.rfile.read(int(known.get("content-length", "0")))
            body = json.dumps({"fields": fields, "trailers": trailers}).encode()
            query = first.split(b" ")[1].decode().partition("?")[2]
            sent = "".join(f"{n}: {v}\r\n" for n, v in urllib.parse.parse_qsl(query, keep_blank_values=True))
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n%b\r\n" % (
                len(body), body, sent.encode()))

    def read_chunks(self):
        while size := int(self.rfile.readline().split(b";")[0], 16):
            self.rfile.read(size + 2)
        return read_lines(self.rfile)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    Server(("0.0.0.0", int(sys.argv[1])), Connection).serve_forever()
