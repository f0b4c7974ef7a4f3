# SPDX-License-Identifier: Apache-2.0
"""A request as its client means it, and what of it is matched: dataplane/http/README.md, "Normal form", and the answers
that dataplane/route/README.md gives where the specification leaves one open. Written from these pages."""

import re
from urllib.parse import unquote_to_bytes

UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")  # RFC 3986, section 2.3
ENCODING = re.compile(r"%(..?)?", re.DOTALL)
SEPARATOR = re.compile(r"%2F|%5C")
DOTS = re.compile(r"\.\.?(;.*)?", re.DOTALL)


class Refused(Exception):
    """No request: answered 400."""


def decode_unreserved(found):
    digits = found[1] or ""
    if not re.fullmatch(r"[0-9A-Fa-f]{2}", digits) or digits == "00":
        raise Refused
    char = chr(int(digits, 16))
    return char if UNRESERVED.fullmatch(char) else "%" + digits.upper()


def check_segment(segment):
    """Refuses what is a dot segment only for some readers: with a parameter, or behind an encoded separator."""
    parts = SEPARATOR.split(segment)
    for part in parts:
        if DOTS.fullmatch(part) and (len(parts) > 1 or ";" in part):
            raise Refused


def normal_path(path):
    """The normal form of a path that begins with a slash."""
    segments = ENCODING.sub(decode_unreserved, path)[1:].split("/")
    kept = []
    for segment in segments:
        check_segment(segment)
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    ends_in_slash = kept and segments[-1] in ("", ".", "..")
    return "/" + "/".join(kept) + ("/" if ends_in_slash else "")


def split_authority(authority):
    """Host and ":port": lower case, without the dot at the host's end."""
    host, port = re.fullmatch(r"(\[.*\]|[^:]*)(:\d+)?", authority).groups()
    return host.lower().removesuffix("."), port or ""


def decode_query(text):
    return unquote_to_bytes(text.replace("+", " "))


class Connection:
    """What a client opens to an address and port, and the server name that it asks for by TLS; "": none, or no TLS.
    What of it is looked at in a request is what every match of a route that passes connections on holds for."""

    path, method, fields, params = "/", "", {}, {}

    def __init__(self, address, port, hostname):
        self.address, self.port, self.hostname = address, port, hostname

    def head(self):
        """For whoever reads of it."""
        return self.hostname

    def as_json(self):
        return [self.address, self.port, self.hostname]


class Request:
    """What a client sends to an address and port. `host` None: none, as HTTP/1.0 may."""

    def __init__(self, address, port, method, target, host, headers):
        self.address, self.port = address, port
        self.method, self.target, self.host, self.headers = method, target, host, headers
        self.is_refused = False
        try:
            self.read()
        except Refused:
            self.is_refused = True

    def read(self):
        path, _, query = self.target.partition("?")
        self.path = path if path == "*" else normal_path(path)
        self.hostname, port = split_authority(self.host) if self.host is not None else ("", "")
        fields = [("host", self.hostname + port)] if self.host is not None else []
        self.fields = {}
        for name, value in fields + self.headers:
            name, value = name.lower(), value.strip(" \t")
            self.fields[name] = self.fields[name] + ", " + value if name in self.fields else value
        self.params = {}
        for part in query.split("&"):
            name, _, value = part.partition("=")
            self.params.setdefault(decode_query(name), decode_query(value))

    def head(self):
        """Its bytes."""
        lines = [f"{self.method} {self.target} HTTP/1.{0 if self.host is None else 1}"]
        if self.host is not None:
            lines.append(f"Host: {self.host}")
        lines += [f"{name}:{value}" for name, value in self.headers]
        return "\r\n".join(lines) + "\r\n\r\n"

    def as_json(self):
        return [self.address, self.port, self.head()]

    def as_spec(self):
        """For explain: an URL names the port that it goes to."""
        return {"method": self.method, "url": f"http://{self.host}{self.target}", "address": self.address,
                "headers": [{"name": name, "value": value} for name, value in self.headers]}

    def towards(self, port):
        """The same with its port in Host, as an URL would have it."""
        host = re.fullmatch(r"(\[.*\]|[^:]*)(:\d+)?", self.host or "x.com")[1]
        return Request(self.address, port, self.method, self.target, f"{host}:{port}", self.headers)
