# SPDX-License-Identifier: Apache-2.0
"""Requests that two parsers might read differently: smuggling, desync and injection of fields, as raw bytes.

A case says what becomes of its bytes. REFUSED: an error and the end of the connection; none of it reaches a backend,
but
for whole requests before the bad one. PASSED: each request that it holds,
and no other. Wherever bytes are not a request
of the client's own they ask for SMUGGLED, which no backend may ever see.
"""
import dataclasses

HOST = "foo.example.com"
SMUGGLED = "/smuggled"
REFUSED, PASSED = "refused", "passed"
HIDDEN = f"GET {SMUGGLED} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
CONTROLS = [c for c in (*range(0x20), 0x7f) if c not in (0x09, 0x0a, 0x0d)]  # tab is white space; CR and LF have cases


@dataclasses.dataclass(frozen=True)
class Case:
    """`sent`: how many requests the client means; of REFUSED those before the bad one."""
    name: str
    raw: bytes
    want: str
    sent: int = 1
    upgrades: int = 0  # how many of these reach the backend with Upgrade


def head(method="POST", target="/case", *fields, version="HTTP/1.1", host=HOST):
    """A head, its last empty line included. `fields` are lines without their end, str or bytes."""
    lines = [f"{method} {target} {version}", *([f"Host: {host}"] if host is not None else []), *fields]
    return b"".join((line.encode() if isinstance(line, str) else line) + b"\r\n" for line in lines) + b"\r\n"


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST = b"0\r\n\r\n"
TE, CLOSE = "Transfer-Encoding: chunked", "Connection: close"
HANDSHAKE = ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")  # RFC 6455, 1.3
LENGTH = f"Content-Length: {len(HIDDEN)}"  # the content is a request that must not be taken for one


def refused(name, raw, sent=0):
    return Case(name, raw, REFUSED, sent)


def passed(name, raw, sent=1):
    return Case(name, raw, PASSED, sent)


def length_and_coding():
    """CL.TE and TE.CL: RFC 9112, 6.1: both in one request are a lie about one of them."""
    for length in ("0", "5", "6", "100", "99999999999999999999", "-1", ""):
        body = LAST + HIDDEN
        yield refused(f"CL.TE length {length!r} first", head("POST", "/case", f"Content-Length: {length}", TE) + body)
        yield refused(f"TE.CL length {length!r} last", head("POST", "/case", TE, f"Content-Length: {length}") + body)
    for coding in ("chunked", "Chunked", "CHUNKED", "identity", "gzip", "gzip, chunked", "chunked, chunked", "x"):
        yield refused(f"length with coding {coding!r}",
                      head("POST", "/case", "Content-Length: 4", f"Transfer-Encoding: {coding}") + b"5c\r\n" + HIDDEN)
    yield refused("length and chunked in HTTP/1.0",
                  head("POST", "/case", "Content-Length: 5", TE, version="HTTP/1.0") + LAST + HIDDEN)
    yield refused("length, other fields, chunked",
                  head("POST", "/case", "Content-Length: 5", "A: b", "C: d", TE) + LAST + HIDDEN)
    yield refused("two lengths around chunked",
                  head("POST", "/case", "Content-Length: 5", TE, "Content-Length: 5") + LAST + HIDDEN)


def codings():
    """TE.TE: a coding that one parser takes for chunked and another does not."""
    for value in ("xchunked", "chunkedx", "chunke", "chunked;", "chunked; a=b", "\"chunked\"", "'chunked'", "chunked,",
                  ",chunked", "chunked, identity", "identity, chunked", "identity", "chunked, chunked",
                  "chunked chunked", "gzip", "gzip, chunked", "chunked, gzip", "deflate", "x", "", " ", "chunked\x0b",
                  "\x0bchunked", "chunked\x0c", "\x0cchunked", "chunked\x00", "\x00chunked", "chu\x00nked",
                  "c\u0068unked\u00a0", "chunked\u2028", "\ufeffchunked", "ch\u00fcnked", "chunKed\u212a", "[chunked]",
                  "=chunked", "chunked\\", "cHuNkEd\x1f"):
        yield refused(f"TE.TE coding {value!r}", head("POST", "/case", f"Transfer-Encoding: {value}") + LAST + HIDDEN)
    for line in ("Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked", " Transfer-Encoding: chunked",
                 "\tTransfer-Encoding: chunked", "Transfer-Encoding:\r\n chunked", "Transfer-Encoding:\r\n\tchunked",
                 "A: b\r\n Transfer-Encoding: chunked", "Transfer-Encoding: chunked\r\n ",
                 "Transfer Encoding: chunked", "Transfer-Encoding\x00: chunked", "\x00Transfer-Encoding: chunked",
                 "Transfer-Encoding\x0b: chunked", "Transfer-Encoding\u00a0: chunked",
                 "A: b\nTransfer-Encoding: chunked", "A: b\rTransfer-Encoding: chunked",
                 "A: b\n\rTransfer-Encoding: chunked", "Transfer-Encoding: chunked\n", "Transfer-Encoding: chunked\r",
                 ": chunked", "Transfer-Encoding chunked", "Transfer-Encoding:chunked\x00",
                 "(Transfer-Encoding): chunked", "Transfer-Encoding;: chunked", "Transfer-Encoding,: chunked",
                 "Transfer-Encoding/: chunked"):
        yield refused(f"TE.TE line {line!r}", head("POST", "/case", line) + LAST + HIDDEN)
    for first, second in (("chunked", "chunked"), ("chunked", "identity"), ("identity", "chunked"), ("chunked", "x"),
                          ("x", "chunked"), ("gzip", "chunked"), ("", "chunked"), ("chunked", "")):
        yield refused(f"TE.TE {first!r} and {second!r} in two lines",
                      head("POST", "/case", f"Transfer-Encoding: {first}",
                           f"Transfer-Encoding: {second}") + LAST + HIDDEN)
    yield refused("chunked in HTTP/1.0", head("POST", "/case", TE, version="HTTP/1.0") + LAST + HIDDEN)
    for value in ("chunked", "Chunked", "CHUNKED", "cHuNkEd", " chunked", "\tchunked", "chunked ", "chunked\t",
                  "  chunked  "):
        yield passed(f"coding {value!r}",
                     head("POST", "/case", f"Transfer-Encoding:{value}", CLOSE) + chunk(HIDDEN) + LAST)
    yield passed("the name of the coding's field in capitals",
                 head("POST", "/case", "TRANSFER-ENCODING: chunked", CLOSE) + chunk(HIDDEN) + LAST)
    for name in ("Transfer_Encoding", "Transfer-Encodin", "XTransfer-Encoding", "Transfer.Encoding",
                 "Transfer-Encoding-X"):
        yield passed(f"{name} is any field", head("GET", "/case", f"{name}: chunked", CLOSE))


def lengths():
    """RFC 9112, 6.3: a length is digits, and there is one."""
    n = len(HIDDEN)
    for value in ("", " ", "+5", "-5", "-0", "+0", "5 5", "5,5", "5, 5", "5,6", "5;", "5 ;a", "0x5", "5x", "x5", "5.0",
                  "5e0", "0b1", "0o7", "five", "18446744073709551616", "18446744073709551621",
                  "99999999999999999999999999", "9" * 400, "\x0b5", "5\x0b", "5\x0c", "\x005", "5\x00", "\u0665",
                  "5\u00a0", "\uff15", "\"5\"", "'5'", "(5)", "1 0", "1_0", "5\r\n 0", "5\r\n\t", "\r\n 5"):
        yield refused(f"length {value!r}", head("POST", "/case", f"Content-Length: {value}") + HIDDEN)
    for first, second in (("5", "6"), ("6", "5"), ("0", "5"), ("5", "0"), ("5", "5"), ("5", "05"), ("5", ""), ("", "5"),
                          ("5", "x"), ("x", "5")):
        yield refused(f"lengths {first!r} and {second!r}",
                      head("POST", "/case", f"Content-Length: {first}", f"Content-Length: {second}") + HIDDEN)
    for line in (f"Content-Length : {n}", f"Content-Length\t: {n}", f" Content-Length: {n}",
                 f"Content-Length\x00: {n}", f"A: b\nContent-Length: {n}", f"A: b\rContent-Length: {n}",
                 f"Content-Length:\r\n {n}", f"Content Length: {n}", f"\x0bContent-Length: {n}",
                 f"Content-Length\u00a0: {n}", f"Content-Length;: {n}"):
        yield refused(f"length line {line!r}", head("POST", "/case", line) + HIDDEN)
    for value in (str(n), f" {n}", f"\t{n}", f"{n} ", f"{n}\t", f"00{n}"):
        yield passed(f"length {value!r}", head("POST", "/case", f"Content-Length:{value}",
                                               CLOSE) + HIDDEN)
    for name in ("Content_Length", "Content-Lengt", "XContent-Length", "Content.Length"):
        yield passed(f"{name} is any field", head("GET", "/case", f"{name}: 5", CLOSE))


def without_a_body():
    """CL.0: a method for which somebody expects no content has some."""
    for method in ("GET", "HEAD", "DELETE", "OPTIONS", "PUT", "PATCH", "QUERY"):
        yield passed(f"CL.0 {method} with content",
                     head(method, "/case", LENGTH, CLOSE) + HIDDEN)
        yield passed(f"CL.0 {method} with chunks", head(method, "/case", TE,
                                                        CLOSE) + chunk(HIDDEN) + LAST)
        yield passed(f"0.CL {method} without content, then a request",
                     head(method, "/case", "Content-Length: 0") + head("GET", "/case", CLOSE), sent=2)
    yield passed("an expectation and content at once",
                 head("POST", "/case", "Expect: 100-continue", LENGTH,
                      CLOSE) + HIDDEN)
    yield refused("another expectation", head("POST", "/case", "Expect: 200-ok", "Content-Length: 5") + HIDDEN)
    yield passed("a method of nobody's", head("SMUGGLE", "/case", LENGTH,
                                              CLOSE) + HIDDEN)


def chunks():
    """RFC 9112, 7.1: every byte of a chunk's frame. What is wrong behind the head is found when that is on its way."""
    for size in ("", " ", "x", "-1", "+5", "0x5", "5 5", "5_", "g", "5\x00", "\x005", "5\x0b", "5\r", "\r5", "5\n",
                 "fffffffffffffffff", "10000000000000000", "00000000000000000000000000000005x", "5,5", "5.", "5\u00a0",
                 "5 ", " 5", "\t5", "5\t", "5 ;a"):
        yield refused(f"chunk of size {size!r}",
                      head("POST", "/case", TE) + size.encode() + b"\r\nhello\r\n" + LAST + HIDDEN)
    for frame in (b"5\nhello\r\n", b"5\rhello\r\n", b"5\r\nhello\n", b"5\r\nhello\r", b"5\r\nhello",
                  b"5\r\nhelloX\r\n", b"5\r\nhell\r\n", b"4\r\nhello\r\n", b"5\r\r\nhello\r\n", b"5\n\r\nhello\r\n",
                  b"5;a\nb\r\nhello\r\n", b"5;a\rb\r\nhello\r\n", b"5;a=\x00\r\nhello\r\n", b"5;\x01\r\nhello\r\n",
                  b"5;a=\"\r\n\"\r\nhello\r\n", b"\r\n5\r\nhello\r\n", b"\n5\r\nhello\r\n"):
        yield refused(f"chunk {frame!r}", head("POST", "/case", TE) + frame + LAST + HIDDEN)
    for end in (b"0\n\r\n", b"0\r\n\n", b"0\n\n", b"0\r\r\n\r\n", b"0 \r\n\r\n", b"0x0\r\n\r\n", b"-0\r\n\r\n",
                b"0\r\nA\r\n\r\n", b"0\r\n: b\r\n\r\n", b"0\r\nA : b\r\n\r\n", b"0\r\n A: b\r\n\r\n",
                b"0\r\nA: b\r\n c\r\n\r\n", b"0\r\nA: b\nC: d\r\n\r\n", b"0\r\nA: b\rC: d\r\n\r\n",
                b"0\r\nA: \x00\r\n\r\n", b"0\r\nA: b\r\n\n", b"0\r\nA: b\n\r\n"):
        yield refused(f"last chunk {end!r}", head("POST", "/case", TE) + chunk(b"hello") + end + HIDDEN)
    for extension in (b";a", b";a=b", b";a=\"b\"", b";a=\"b;c\"", b";a;b;c=d", b";" + b"e" * 100):
        frame = b"%x%b\r\n%b\r\n" % (len(HIDDEN), extension, HIDDEN)
        yield passed(f"chunk extension {extension!r}", head("POST", "/case", TE, CLOSE) + frame + LAST)
    for size in (b"00000005", b"0000000000000005", b"5"):
        yield passed(f"size {size!r}", head("POST", "/case", TE, CLOSE) + size + b"\r\nhello\r\n" + LAST)
    frame = b"%X\r\n%b\r\n" % (len(HIDDEN), HIDDEN)
    yield passed("size in capitals", head("POST", "/case", TE, CLOSE) + frame + LAST)
    for name in ("Content-Length", "Transfer-Encoding", "Host", "Connection", "Content-Encoding", "X-Trailer",
                 "Authorization"):
        trailer = f"{name}: 5".encode()
        yield passed(f"trailer {name}",
                     head("POST", "/case", TE, CLOSE) + chunk(b"hello") + b"0\r\n%b\r\n\r\n" % trailer)
    yield passed("many chunks of one byte", head("POST", "/case", TE, CLOSE) + b"".join(
        chunk(bytes([c])) for c in HIDDEN) + LAST)
    yield passed("two requests with chunks", head("POST", "/case", TE) + chunk(HIDDEN) + LAST + head(
        "POST", "/case", TE, CLOSE) + chunk(HIDDEN) + LAST, sent=2)


def line_ends():
    """RFC 9112, 2.2: CRLF and nothing else."""
    good = head("GET", "/case", "A: b")
    for name, raw in {
        "bare LF everywhere": good.replace(b"\r\n", b"\n"), "bare CR everywhere": good.replace(b"\r\n", b"\r"),
        "LF CR everywhere": good.replace(b"\r\n", b"\n\r"), "CR CR LF everywhere": good.replace(b"\r\n", b"\r\r\n"),
        "bare LF after the request line": good.replace(b"\r\n", b"\n", 1),
        "bare CR after the request line": good.replace(b"\r\n", b"\r", 1),
        "bare LF after a field": good.replace(b"A: b\r\n", b"A: b\n"),
        "bare CR in a value": good.replace(b"A: b", b"A: b\rc"),
        "bare LF at the end": good[:-2] + b"\n", "LF LF at the end": good[:-4] + b"\n\n",
        "CR CR LF at the end": good[:-2] + b"\r\r\n",
        "bare CR at the end": good[:-2] + b"\rX",
        "NEL as a line's end": good.replace(b"A: b\r\n", b"A: b\xc2\x85C: d\n"),
        "CR before the colon": good.replace(b"A:", b"A\r:"), "LF before the colon": good.replace(b"A:", b"A\n:"),
        "LF after the colon": good.replace(b"A: b", b"A:\nb"), "CR after the colon": good.replace(b"A: b", b"A:\rb"),
        "obs-fold with a space": good.replace(b"A: b", b"A: b\r\n c"),
        "obs-fold with a tab": good.replace(b"A: b", b"A: b\r\n\tc"),
        "obs-fold of Host": good.replace(b"Host: ", b"Host:\r\n "),
        "a folded line of blanks": good.replace(b"A: b", b"A: b\r\n   "),
        "obs-fold behind the request line": good.replace(b"Host:", b" Host:"),
        "a tab behind the request line": good.replace(b"Host:", b"\tHost:"),
        "a line of blanks": good.replace(b"A: b", b" "), "an empty line of LF before": b"\n" + good,
        "an empty line of CR before": b"\r" + good, "two empty lines before": b"\r\n\r\n" + good,
    }.items():
        yield refused(name, raw + HIDDEN)
    yield passed("one empty line before (2.2)", b"\r\n" + head("GET", "/case", CLOSE))


def request_lines():
    """RFC 9112, 3."""
    rest = f"\r\nHost: {HOST}\r\n\r\n".encode()
    for line in (b"GET /case", b"GET", b"", b"GET  /case HTTP/1.1", b"GET /case  HTTP/1.1", b" GET /case HTTP/1.1",
                 b"GET /case HTTP/1.1 ", b"GET\t/case HTTP/1.1", b"GET /case\tHTTP/1.1", b"GET /case HTTP/1.1\t",
                 b"GET /case http/1.1", b"GET /case HTTP/1.2", b"GET /case HTTP/2.0", b"GET /case HTTP/0.9",
                 b"GET /case HTTP/1", b"GET /case HTTP/1.", b"GET /case HTTP/.1", b"GET /case HTTP/1.11",
                 b"GET /case HTTP/11.1", b"GET /case HTTP/1.1x", b"GET /case HTTP /1.1", b"GET /case HTTP/1 .1",
                 b"GET /case HTTP/-1.1", b"GET /case HTTP/1,1", b"GET /case HTTPS/1.1", b"GET /case ICY/1.1",
                 b"GET /case FOO", b"GET /ca se HTTP/1.1", b"GET /case HTTP/1.1 HTTP/1.1", b"G\x00T /case HTTP/1.1",
                 b"GET /ca\x00se HTTP/1.1", b"G(T /case HTTP/1.1", b"G:T /case HTTP/1.1", b"\"GET\" /case HTTP/1.1",
                 b"G\xc3\x89T /case HTTP/1.1", b"GET case HTTP/1.1", b"GET #case HTTP/1.1", b"GET /case#x HTTP/1.1",
                 b"GET /ca\x7fse HTTP/1.1", b"GET /ca\x01se HTTP/1.1", b"GET /ca\xc3\xa9se HTTP/1.1",
                 b"GET ?case HTTP/1.1", b"GET * HTTP/1.1", b"GET foo.example.com:80 HTTP/1.1", b"PRI * HTTP/2.0",
                 b"GET http:/case HTTP/1.1", b"GET http:///case HTTP/1.1",
                 b"GET http://@foo.example.com/case HTTP/1.1", b"GET http://a:b@foo.example.com/case HTTP/1.1",
                 b"GET ftp://foo.example.com/case HTTP/1.1", b"GET http://foo.example.com:x/case HTTP/1.1",
                 b"GET http://foo.example.com:99999/case HTTP/1.1", b"GET http://[::1/case HTTP/1.1",
                 b"GET javascript:alert(1) HTTP/1.1"):
        yield refused(f"request line {line!r}", line + rest + HIDDEN)
    for target in ("/case%0d%0aHost:%20evil", "/case%0aGET%20/smuggled", "/case?a=%0d%0aX:%20y",
                   "/case?a b".replace(" ", "%20"), "/case/a%2fb", "/case?x=/../..", "/case;a=b", "/case?a=%00b"):
        yield passed(f"target {target!r} stays encoded", head("GET", target, CLOSE))
    yield passed("absolute-form of this host", head("GET", f"http://{HOST}/case", CLOSE))
    yield passed("absolute-form with the port", head("GET", f"http://{HOST}:80/case", CLOSE,
                                                     host=f"{HOST}:80"))
    yield refused("CONNECT", head("CONNECT", f"{HOST}:443", host=f"{HOST}:443") + HIDDEN)
    yield refused("CONNECT to a path", head("CONNECT", "/case") + HIDDEN)


def hosts():
    """RFC 9112, 3.2: one Host, and the same as that of the target."""
    for name, lines in {
        "none": [], "two of the same": [HOST, HOST], "two": [HOST, "evil.example.com"],
        "two, the other first": ["evil.example.com", HOST],
        "empty and one": ["", HOST], "one and empty": [HOST, ""], "a list": [f"{HOST}, evil.example.com"],
        "two words": [f"{HOST} evil"],
        "userinfo": [f"a@{HOST}"], "a path": [f"{HOST}/case"], "a query": [f"{HOST}?a"], "a fragment": [f"{HOST}#a"],
        "a scheme": [f"http://{HOST}"], "a port of letters": [f"{HOST}:http"], "a port too large": [f"{HOST}:65536"],
        "a negative port": [f"{HOST}:-80"], "two ports": [f"{HOST}:80:80"], "a tab inside": ["foo.example\t.com"],
        "a backslash": ["foo\\.example.com"], "a NUL": [f"{HOST}\x00"],
        "a NUL and more": [f"{HOST}\x00.evil.example.com"],
        "a percent sign": ["foo%2eexample.com"], "an open bracket": ["[2001:db8::1"],
        "a closing bracket": ["2001:db8::1]"],
        "letters in brackets": ["[foo.example.com]"], "a byte above 127": ["foo.ex\u00e4mple.com"],
        "angle brackets": [f"<{HOST}>"],
        "a quote": [f"\"{HOST}\""], "braces": [f"{{{HOST}}}"], "a bar": [f"{HOST}|"], "a caret": [f"{HOST}^"],
    }.items():
        yield refused(f"Host: {name}", head("GET", "/case", *(f"Host: {v}" for v in lines), host=None) + HIDDEN)
    yield refused("absolute-form of another host than Host", head("GET", "http://evil.example.com/case") + HIDDEN)
    yield refused("absolute-form without Host", head("GET", f"http://{HOST}/case", host=None) + HIDDEN)
    yield refused("Host with a space before the colon", head("GET", "/case", f"Host : {HOST}", host=None) + HIDDEN)
    yield refused("a second Host with a space before the colon", head("GET", "/case", "Host : evil") + HIDDEN)
    yield refused("a second Host folded in", head("GET", "/case", "A: b\r\n Host: evil") + HIDDEN)
    for host in (HOST, HOST.upper(), f"{HOST}:80", f"{HOST}.", f"  {HOST}  ", f"\t{HOST}"):
        yield passed(f"Host {host!r}", head("GET", "/case", f"Host:{host}", CLOSE, host=None))


def fields():
    """RFC 9110, 5: names are tokens, values have no controls."""
    for c in CONTROLS:
        yield refused(f"a value with {c:#04x}", head("GET", "/case", b"A: b%cc" % c) + HIDDEN)
        yield refused(f"a name with {c:#04x}", head("GET", "/case", b"A%cB: c" % c) + HIDDEN)
    for c in "\"(),/:;<=>?@[\\]{} \t\u00e9":
        line = f"A{c}B: c" if c != ":" else ":A: c"
        yield refused(f"a name with {c!r}", head("GET", "/case", line) + HIDDEN)
    for line in ("A", "A b", ": b", " : b", "A : b", "A\t: b"):
        yield refused(f"the line {line!r}", head("GET", "/case", line) + HIDDEN)
    for name in ("!#$%&'*+-.^_`|~", "A1", "0", "x" * 200):
        yield passed(f"the name {name!r}", head("GET", "/case", f"{name}: b", CLOSE))
    for value in ("", "  ", "a\tb", "a  b", "\u00e9", "a:b", ":", "\"a\"", "a,b;c=d", "%0d%0aX-Injected: 1",
                  "\\r\\nX-Injected: 1"):
        yield passed(f"the value {value!r}", head("GET", "/case", f"A: {value}", CLOSE))


def hop_by_hop():
    """RFC 9110, 7.6.1: who names a field in Connection takes it off the way; not what frames the message."""
    for name in ("Host", "Content-Length", "Transfer-Encoding", "Connection", "X-Forwarded-For", "Cookie",
                 "Authorization", "Cache-Control"):
        yield passed(f"Connection names {name}", head("POST", "/case", LENGTH, f"{CLOSE}, {name}") + HIDDEN)
    yield passed("Connection names the coding",
                 head("POST", "/case", TE, f"{CLOSE}, Transfer-Encoding") + chunk(HIDDEN) + LAST)
    for token in ("h2c", "websocket", "HTTP/2.0", "TLS/1.0", "foo/1, bar"):
        yield passed(f"an upgrade to {token} with content", head(
            "POST", "/case", f"Upgrade: {token}", "Connection: close, Upgrade, HTTP2-Settings",
            "HTTP2-Settings: AAMAAABk", LENGTH) + HIDDEN)
    for token, upgrades in (("websocket", 1), ("WebSocket", 1), ("websocket, h2c", 0), ("websocket/13", 0), ("h2c", 0)):
        yield dataclasses.replace(passed(f"a handshake for {token} that the backend does not take, and a request", head(
            "GET", "/case", "Connection: Upgrade, X-Mine", f"Upgrade: {token}", "X-Mine: 1", *HANDSHAKE) +
            head("GET", "/case", CLOSE), sent=2), upgrades=upgrades)
    for name, fields in (("another Upgrade", ("Upgrade: h2c",)), ("a second key", HANDSHAKE[1:]),
                         ("a length of 0", ("Content-Length: 0",)), ("content", (TE,))):
        yield passed(f"a handshake with {name}, and a request", head(
            "GET", "/case", "Connection: Upgrade", "Upgrade: websocket", *HANDSHAKE, *fields) +
            (LAST if TE in fields else b"") + head("GET", "/case", CLOSE), sent=2)
    yield passed("keep-alive and close", head("GET", "/case", "Connection: keep-alive, close"))
    yield passed("TE", head("GET", "/case", "TE: trailers, chunked", "Connection: close, TE"))
    yield passed("Proxy-Connection", head("GET", "/case", "Proxy-Connection: keep-alive", CLOSE))
    yield passed("a second request behind close is none", head("GET", "/case", CLOSE) + HIDDEN)


def pipelines():
    """A bad request behind good ones: they are answered, it is not taken."""
    good = head("GET", "/case")
    for name, raw in {
        "two lengths": head("POST", "/case", "Content-Length: 5", "Content-Length: 6") + HIDDEN,
        "a bare LF": b"GET /case HTTP/1.1\nHost: a\n\n" + HIDDEN,
        "length and coding": head("POST", "/case", "Content-Length: 5", TE) + LAST,
        "garbage": b"\x00\x01\x02\x03\r\n\r\n" + HIDDEN,
        "a TLS ClientHello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + HIDDEN,
        "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
        "an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + HIDDEN,
    }.items():
        yield refused(f"behind one request {name}", good + raw, sent=1)
        yield refused(f"behind three requests {name}", good * 3 + raw, sent=3)
    yield passed("ten requests", good * 9 + head("GET", "/case", CLOSE), sent=10)
    yield passed("content of requests, nine times",
                 (head("POST", "/case", LENGTH) + HIDDEN) * 9 + head("GET", "/case", CLOSE), sent=10)


GROUPS = (length_and_coding, codings, lengths, without_a_body, chunks, line_ends, request_lines, hosts, fields,
          hop_by_hop, pipelines)


def cases():
    """All of them; no two have the same name."""
    found = [case for group in GROUPS for case in group()]
    assert len({c.name for c in found}) == len(found), "two of one name"
    return found
