# SPDX-License-Identifier: Apache-2.0
"""Frames of HTTP/2 (RFC 9113) as bytes, for clients that no library would be: written one by one, and read."""
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
PRIORITY_UPDATE = 16
END_STREAM = ACK = 1
END_HEADERS = 4
NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0, 1, 7, 8, 11


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def integer(value, bits, first):
    """RFC 7541, section 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = bytearray([first | most]), value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out) + bytes([value])


def literal(name, value):
    """A field without index or Huffman code, whatever is in it."""
    name, value = (x if isinstance(x, bytes) else x.encode() for x in (name, value))
    return b"\x00" + integer(len(name), 7, 0) + name + integer(len(value), 7, 0) + value


def block(*fields):
    return b"".join(literal(*f) for f in fields)


def request(authority, path="/", *more, method="GET", scheme="http"):
    """The fields of a request."""
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *more]


# Digits by Huffman code (RFC 7541, appendix B).
DIGITS = {"00000": 0, "00001": 1, "00010": 2, **{f"{n + 22:06b}": n for n in range(3, 10)}}


def status_of(head):
    """Of the head of an answer, whose first field it is: from the static table, or its digits."""
    indexed = {0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500}
    if head[0] in indexed:
        return indexed[head[0]]
    value = head[2:2 + (head[1] & 127)]
    if not head[1] & 128:
        return int(value)
    status, code = 0, ""
    for bit in "".join(f"{b:08b}" for b in value):
        code += bit
        if code in DIGITS:
            status, code = 10 * status + DIGITS[code], ""
    return status


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *p) for p in pairs))


def window_update(stream, bytes_more):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", bytes_more))


def priority_update(stream, text):
    """RFC 9218, section 7.1."""
    return frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", stream) + text.encode())


def reset(stream, error=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", error))


class Reader:
    """Frames off a socket."""

    def __init__(self, sock):
        self.sock = sock
        self.kept = b""

    def _take(self, n):
        while len(self.kept) < n:
            more = self.sock.recv(65536)
            if not more:
                return None
            self.kept += more
        got, self.kept = self.kept[:n], self.kept[n:]
        return got

    def next(self):
        """(type, flags, stream, payload); None at the end of the connection, whichever way it came."""
        try:
            header = self._take(9)
            payload = self._take(int.from_bytes(header[:3], "big")) if header else None
        except ConnectionError:
            return None
        if payload is None:
            return None
        return header[3], header[4], struct.unpack(">I", header[5:])[0], payload

    def until(self, is_it):
        """The first frame that is it; None: the connection ended before."""
        while (got := self.next()) is not None:
            if is_it(got):
                return got
        return None

    def goodbye(self):
        """The error of the GOAWAY that ends the connection; None: it ended without one."""
        error = None
        while (got := self.next()) is not None:
            if got[0] == GOAWAY:
                error = struct.unpack(">I", got[3][4:8])[0]
        return error
