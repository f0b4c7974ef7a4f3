# SPDX-License-Identifier: Apache-2.0
"""TLS 1.2 and 1.3 (RFC 5246, RFC 8446) as bytes, for clients that no library would be: each record and each message is
written by hand, and may be wrong. Of all that there is it knows X25519, ChaCha20-Poly1305 and SHA-256, in plain
Python and with no care for time or secrets; it believes any certificate."""
import hashlib
import hmac
import os
import struct

CCS, ALERT, HANDSHAKE, DATA, HEARTBEAT = 20, 21, 22, 23, 24
CLIENT_HELLO, SERVER_HELLO, TICKET, ENCRYPTED_EXTENSIONS, CERTIFICATE, KEY_EXCHANGE = 1, 2, 4, 8, 11, 12
HELLO_DONE, CERTIFICATE_VERIFY, CLIENT_KEY_EXCHANGE, FINISHED, KEY_UPDATE = 14, 15, 16, 20, 24
SERVER_NAME, GROUPS, SIGNATURES, ALPN, PSK, EARLY_DATA, VERSIONS, PSK_MODES, KEY_SHARE = \
    0, 10, 13, 16, 41, 42, 43, 45, 51
TLS13, TLS12, TLS11, TLS10, SSL3 = 0x0304, 0x0303, 0x0302, 0x0301, 0x0300
SUITE13, SUITE12, FALLBACK = 0x1303, 0xcca9, 0x5600  # ChaCha20-Poly1305; ECDSA with it; RFC 7507
X25519, P256, P384 = 29, 23, 24
RETRY = hashlib.sha256(b"HelloRetryRequest").digest()  # the random of such a server hello (RFC 8446, section 4.1.3)
SENTINEL12 = b"DOWNGRD\x01"
# Alerts
CLOSE_NOTIFY, UNEXPECTED, BAD_MAC, OVERFLOW, FAILURE, ILLEGAL, DECODE, DECRYPT, VERSION, INTERNAL = \
    0, 10, 20, 22, 40, 47, 50, 51, 70, 80
FALLBACK_REFUSED, USER_CANCELED, NO_RENEGOTIATION, MISSING, UNRECOGNIZED_NAME, NO_PROTOCOL = 86, 90, 100, 109, 112, 120


def x25519(scalar, point=b"\x09" + bytes(31)):
    """RFC 7748, section 5."""
    p = 2**255 - 19
    k = int.from_bytes(scalar, "little") & ~7 & (2**255 - 1) | 2**254
    u = int.from_bytes(point, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % p, b * b % p, d * a % p, c * b % p
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % p, u * (da - cb) ** 2 % p
        x2, z2 = aa * bb % p, e * (aa + 121665 * e) % p
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, p - 2, p) % p).to_bytes(32, "little")


def chacha20(key, nonce, counter, data):
    """RFC 8439, section 2.4."""
    start = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), 0, *struct.unpack("<3I", nonce)]
    rows = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
            (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
    out = bytearray()
    for at in range(0, len(data), 64):
        start[12] = counter + at // 64
        s = list(start)
        for _ in range(10):
            for a, b, c, d in rows:
                for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                    s[x] = s[x] + s[y] & 0xffffffff
                    v = s[z] ^ s[x]
                    s[z] = (v << turn | v >> 32 - turn) & 0xffffffff
        stream = struct.pack("<16I", *(a + b & 0xffffffff for a, b in zip(s, start)))
        out += bytes(a ^ b for a, b in zip(data[at:at + 64], stream))
    return bytes(out)


def _tag(key, nonce, text, aad):
    """RFC 8439, section 2.8."""
    def padded(x):
        return x + bytes(-len(x) % 16)
    one_time = chacha20(key, nonce, 0, bytes(32))
    r = int.from_bytes(one_time[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    total, message = 0, padded(aad) + padded(text) + struct.pack("<QQ", len(aad), len(text))
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at:at + 16] + b"\1", "little")) * r % (2**130 - 5)
    return (total + int.from_bytes(one_time[16:], "little") & 2**128 - 1).to_bytes(16, "little")


class Keys:
    """One direction of a protected connection: ChaCha20-Poly1305, each record with the next nonce."""

    def __init__(self, key, iv):
        self.key, self.iv, self.n = key, iv, 0

    def _nonce(self):
        nonce = (int.from_bytes(self.iv, "big") ^ self.n).to_bytes(12, "big")
        self.n += 1
        return nonce

    def seal(self, plain, aad):
        nonce = self._nonce()
        text = chacha20(self.key, nonce, 1, plain)
        return text + _tag(self.key, nonce, text, aad)

    def open(self, sealed, aad):
        nonce, text = self._nonce(), sealed[:-16]
        assert _tag(self.key, nonce, text, aad) == sealed[-16:], "a record that cannot be opened"
        return chacha20(self.key, nonce, 1, text)


def _mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def expand(secret, label, context, n):
    """HKDF-Expand-Label (RFC 8446, section 7.1), of at most 32 bytes."""
    full = b"tls13 " + label
    return _mac(secret, struct.pack(">HB", n, len(full)) + full + bytes([len(context)]) + context + b"\1")[:n]


def _digest(data):
    return hashlib.sha256(data).digest()


def _derived(secret):
    return expand(secret, b"derived", _digest(b""), 32)


def keys_of(secret):
    return Keys(expand(secret, b"key", b"", 32), expand(secret, b"iv", b"", 12))


def prf(secret, label, seed, n):
    """RFC 5246, section 5."""
    out, a = b"", label + seed
    while len(out) < n:
        a = _mac(secret, a)
        out += _mac(secret, a + label + seed)
    return out[:n]


def vector(data, length_bytes):
    return len(data).to_bytes(length_bytes, "big") + data


def record(kind, payload, version=TLS12):
    return struct.pack(">BHH", kind, version, len(payload)) + payload


def message(kind, body):
    return bytes([kind]) + vector(body, 3)


def extension(kind, body=b""):
    return struct.pack(">H", kind) + vector(body, 2)


def shares(*pairs):
    return extension(KEY_SHARE, vector(b"".join(struct.pack(">H", g) + vector(share, 2) for g, share in pairs), 2))


def u16s(values, length_bytes=2):
    return vector(b"".join(struct.pack(">H", v) for v in values), length_bytes)


def server_name(host):
    return extension(SERVER_NAME, vector(b"\0" + vector(host.encode(), 2), 2))


class Hello:
    """A client hello whose parts may be changed before it is made to bytes."""

    def __init__(self, host, versions=(TLS13,), suites=(SUITE13, SUITE12), groups=(X25519, P256)):
        self.secret = os.urandom(32)
        self.version, self.random, self.session = min(max(versions, default=TLS12), TLS12), os.urandom(32), b""
        self.suites, self.compression = u16s(suites), b"\1\0"
        # P-256 is there for the certificate's key (RFC 8422, section 5.1).
        self.extensions = {"name": server_name(host), "groups": extension(GROUPS, u16s(groups)),
                           "signatures": extension(SIGNATURES, u16s((0x0403, 0x0804, 0x0401)))}
        if TLS13 in versions:
            self.extensions |= {"versions": extension(VERSIONS, u16s(versions, 1)),
                                "share": shares((X25519, x25519(self.secret)))}
        self.tail = b""  # behind the extensions

    def body(self):
        every = b"".join(self.extensions.values())
        return struct.pack(">H", self.version) + self.random + vector(self.session, 1) + self.suites + \
            self.compression + vector(every, 2) + self.tail

    def bytes(self):
        return message(CLIENT_HELLO, self.body())


class Ended(Exception):
    """The server has closed the connection, in whichever way; what was read before was no alert."""


class Alerted(Exception):
    """The server has sent an alert; `code` is its description."""

    def __init__(self, code):
        super().__init__(f"alert {code}")
        self.code = code


class Client:
    """A connection. It writes and reads in the clear, until a handshake has given it keys."""

    def __init__(self, sock):
        self.sock, self.kept, self.messages = sock, b"", b""
        self.writing = self.reading = self.hello = None
        self.is_13 = False
        self.transcript = b""

    # ---- records

    def send(self, data):
        """As it is."""
        try:
            self.sock.sendall(data)
        except ConnectionError as e:
            raise Ended from e

    def write(self, kind, payload):
        """One record, protected if there are keys."""
        self.send(self.protected(kind, payload))

    def protected(self, kind, payload):
        if self.writing is None:
            return record(kind, payload)
        if self.is_13:
            head = struct.pack(">BHH", DATA, TLS12, len(payload) + 17)
            return head + self.writing.seal(payload + bytes([kind]), head)
        n, aad = self.writing.n, struct.pack(">BHH", kind, TLS12, len(payload))
        return record(kind, self.writing.seal(payload, struct.pack(">Q", n) + aad))

    def _take(self, n):
        while len(self.kept) < n:
            try:
                more = self.sock.recv(65536)
            except ConnectionError as e:
                raise Ended from e
            if not more:
                raise Ended
            self.kept += more
        got, self.kept = self.kept[:n], self.kept[n:]
        return got

    def read(self):
        """(type, bytes) of the next record. Ended, Alerted."""
        while True:
            head = self._take(5)
            kind, _, n = struct.unpack(">BHH", head)
            payload = self._take(n)
            if self.is_13 and kind == CCS:
                continue
            if self.reading is not None and self.is_13:
                kind, payload = self._inner(self.reading.open(payload, head))
            elif self.reading is not None:
                aad = struct.pack(">QBHH", self.reading.n, kind, TLS12, n - 16)
                payload = self.reading.open(payload, aad)
            if kind == ALERT:
                raise Alerted(payload[1])
            return kind, payload

    @staticmethod
    def _inner(plain):
        plain = plain.rstrip(b"\0")
        return plain[-1], plain[:-1]

    def read_message(self):
        """(type, body) of the next handshake message, which goes into the transcript."""
        while len(self.messages) < 4 or len(self.messages) < 4 + int.from_bytes(self.messages[1:4], "big"):
            kind, payload = self.read()
            assert kind in (HANDSHAKE, CCS), f"a record of type {kind} within the handshake"
            self.messages += payload if kind == HANDSHAKE else b""
            if kind == CCS:
                self.reading = self.next_reading
        end = 4 + int.from_bytes(self.messages[1:4], "big")
        whole, self.messages = self.messages[:end], self.messages[end:]
        self.transcript += whole
        return whole[0], whole[4:]

    def until(self, wanted):
        """The body of the next message of that type."""
        while (got := self.read_message())[0] != wanted:
            pass
        return got[1]

    def end(self):
        """The alert that ends the connection, or None if it ends without one; what comes before is passed over."""
        try:
            while True:
                self.read()
        except Alerted as e:
            return e.code
        except Ended:
            return None

    # ---- handshakes

    def say(self, whole):
        """A handshake message in a record of its own."""
        self.transcript += whole
        self.write(HANDSHAKE, whole)

    def say_hello(self, hello):
        self.hello = hello
        self.say(hello.bytes())

    def read_server_hello(self):
        """Its random. Of 1.3, unless it asks for another hello, what follows is protected from now on."""
        body = self.until(SERVER_HELLO)
        random, session_end = body[2:34], 35 + body[34]
        self.is_13 = struct.pack(">HHH", VERSIONS, 2, TLS13) in body[session_end:]
        self.server_random = random
        if self.is_13 and random != RETRY:
            at = body.index(struct.pack(">HHHH", KEY_SHARE, 36, X25519, 32)) + 8
            self._protect13(x25519(self.hello.secret, body[at:at + 32]))
        elif self.is_13:
            first = self.transcript[:4 + int.from_bytes(self.transcript[1:4], "big")]
            self.transcript = message(254, _digest(first)) + self.transcript[len(first):]
        return random

    def _protect13(self, shared):
        early = _mac(bytes(32), self.hello.psk if hasattr(self.hello, "psk") and self.is_psk() else bytes(32))
        secret = _mac(_derived(early), shared)
        sofar = _digest(self.transcript)
        self.own_secret, self.peer_secret = (expand(secret, b"%c hs traffic" % who, sofar, 32) for who in b"cs")
        self.reading, self.writing = keys_of(self.peer_secret), keys_of(self.own_secret)
        self.master = _mac(_derived(secret), bytes(32))

    def is_psk(self):
        """Did the server take the key that the hello offered? Of the last server hello."""
        at = self.transcript.rindex(self.server_random)
        return struct.pack(">HH", PSK, 2) in self.transcript[at:]

    def finished13(self):
        return message(FINISHED, _mac(expand(self.own_secret, b"finished", b"", 32), _digest(self.transcript)))

    def read_flight13(self):
        """Up to the server's Finished; ready to say one's own. Returns its encrypted extensions."""
        extensions = self.until(ENCRYPTED_EXTENSIONS)
        self.until(FINISHED)
        sofar = _digest(self.transcript)
        self.next_secret, self.peer_secret = (expand(self.master, b"%c ap traffic" % who, sofar, 32) for who in b"cs")
        self.reading = keys_of(self.peer_secret)
        return extensions

    def open13(self):
        """Says Finished; from now on there is data."""
        self.say(self.finished13())
        self.resumption = expand(self.master, b"res master", _digest(self.transcript), 32)
        self.own_secret = self.next_secret
        self.writing = keys_of(self.own_secret)

    def update(self, is_asking):
        """A KeyUpdate, and the next key."""
        self.write(HANDSHAKE, message(KEY_UPDATE, bytes([is_asking])))
        self.own_secret = expand(self.own_secret, b"traffic upd", b"", 32)
        self.writing = keys_of(self.own_secret)

    def handshake13(self, hello):
        self.say_hello(hello)
        self.read_server_hello()
        assert self.is_13, "an older version"
        extensions = self.read_flight13()
        self.open13()
        return extensions

    def flight12(self, hello):
        """Up to ServerHelloDone, and the keys that follow from it; ready to say the rest."""
        self.say_hello(hello)
        self.read_server_hello()
        exchange = self.until(KEY_EXCHANGE)
        assert exchange[:3] == struct.pack(">BH", 3, X25519) and not self.is_13
        self.until(HELLO_DONE)
        randoms = hello.random, self.server_random
        shared = x25519(hello.secret, exchange[4:36])
        self.master = prf(shared, b"master secret", b"".join(randoms), 48)
        block = prf(self.master, b"key expansion", b"".join(reversed(randoms)), 88)
        self.next_writing, self.next_reading = Keys(block[:32], block[64:76]), Keys(block[32:64], block[76:88])

    def exchange12(self):
        self.say(message(CLIENT_KEY_EXCHANGE, vector(x25519(self.hello.secret), 1)))

    def change12(self):
        self.write(CCS, b"\1")
        self.writing = self.next_writing

    def finished12(self):
        return message(FINISHED, prf(self.master, b"client finished", _digest(self.transcript), 12))

    def handshake12(self, hello):
        self.flight12(hello)
        self.exchange12()
        self.change12()
        self.say(self.finished12())
        self.until(FINISHED)

    # ---- what follows

    def ticket(self):
        """(ticket, key, age_add) of the next NewSessionTicket of 1.3."""
        body = self.until(TICKET)
        age_add, nonce_end = struct.unpack(">I", body[4:8])[0], 9 + body[8]
        n = struct.unpack(">H", body[nonce_end:nonce_end + 2])[0]
        key = expand(self.resumption, b"resumption", body[9:nonce_end], 32)
        return body[nonce_end + 2:nonce_end + 2 + n], key, age_add

    def ask(self, host, path="/status/204"):
        """The status of a request whose answer has no body, on a protected connection."""
        self.write(DATA, f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        got = b""
        while b"\r\n\r\n" not in got:
            kind, payload = self.read()
            got += payload if kind == DATA else b""
        return int(got.split(b" ", 2)[1])


def resuming(hello, ticket, key, age_add, age_ms):
    """Has the hello offer the session: its last extension, with a binder over all that is before it."""
    hello.psk = key
    hello.extensions["modes"] = extension(PSK_MODES, b"\1\1")
    identity = vector(vector(ticket, 2) + struct.pack(">I", (age_ms + age_add) & 0xffffffff), 2)
    hello.extensions["psk"] = extension(PSK, identity + vector(vector(bytes(32), 1), 2))
    binder_key = expand(_mac(bytes(32), key), b"res binder", _digest(b""), 32)
    binder = _mac(expand(binder_key, b"finished", b"", 32), _digest(hello.bytes()[:-35]))
    hello.extensions["psk"] = extension(PSK, identity + vector(vector(binder, 1), 2))
    return hello


def early_keys(hello):
    """What early data of that hello is protected with (RFC 8446, section 7.1)."""
    return keys_of(expand(_mac(bytes(32), hello.psk), b"c e traffic", _digest(hello.bytes()), 32))
