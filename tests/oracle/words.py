# SPDX-License-Identifier: Apache-2.0
"""The few words that all objects and requests are made of, so that matches, ties and near misses are frequent."""

NAMESPACES = ("a", "a-b", "b")  # '-' comes before '/': "a-b/r" before "a/r"
ROUTES = ("r", "r-1", "r.1", "r1", "s", "s-s")
TIMES = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-02T00:00:00Z")
ADDRESSES = ("192.0.2.1", "192.0.2.2", "2001:db8::1")
PORTS = (80, 8080)
PASSED_PORT = 443  # where all TLS is passed on
TCP_PORT = 5432
UDP_PORTS = (53, 80, 5432)  # others than those of TCP
HOSTNAMES = ("com", "x.com", "y.com", "xx.com", "x.x.com", "y.x.com", "x.y.com", "z.y.x.com",
             "*.com", "*.x.com", "*.y.com", "*.x.x.com", "*.y.x.com", "*.xx.com")
HOSTS = ("com", "x.com", "y.com", "xx.com", "x.x.com", "y.x.com", "x.y.com", "z.y.x.com", "z.x.com", "z.z.com",
         "x.x.x.com", "y.xx.com", "z.z.y.x.com", "net", "x.com.net", "192.0.2.1", "[2001:db8::1]", "[::ffff:192.0.2.1]")
SEGMENTS = ("a", "ab", "b", "A", "a.b", "a,b", "%61", "a%2cb", "a%2Cb", "~", "%7e", "...", "a%20b", "%25", "a%c3%a9")
APP_PROTOCOLS = ("http", "HTTP", "https", "grpc", "kubernetes.io/h2c", "kubernetes.io/h2c", "kubernetes.io/ws",
                 "kubernetes.io/wss", "example.com/x")
SESSION_NAMES = ("a b", "__Host-s", "__secure-s", "Cookie", "x-forwarded-for", "Connection")  # of which some are none
CALLED_SERVICES = ("a", "a.b", "a.B", "ab")  # of gRPC
CALLED_METHODS = ("m", "M", "mm", "b")
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE")
HEADERS = ("X-A", "x-a", "X-B", "x-c")
VALUES = ("1", "2", "12", "11", "1, 2", "1,2", "1 2", "A", "a")
PARAMS = ("q", "Q", "p", "q.1")
PARAM_VALUES = ("1", "2", "12", "1 2", "1+2", "a", "A", "é", "%31", "&")


def some(rng, items, low, high):
    """Between `low` and `high` different ones, in any order."""
    return rng.sample(items, min(len(items), rng.randint(low, high)))


def path(rng):
    n = rng.choice((0, 1, 1, 2, 2, 3))
    segments = [rng.choice(SEGMENTS[:3] if rng.random() < 0.8 else SEGMENTS) for _ in range(n)]
    return "/" + "/".join(segments) + ("/" if segments and rng.random() < 0.2 else "")


def atom(rng, letters):
    return rng.choice(letters) if rng.random() < 0.7 else rng.choice((".", r"\d", r"\w", "[^/]", "[a-b1]", "[^a]"))


def group(rng, letters):
    """Alternatives a few times, or one text many times: more of both takes `re` for ever."""
    if rng.random() < 0.3:
        return "(?:%s)%s" % ("".join(rng.choices(letters, k=2)), rng.choice("*+"))
    options = "|".join(pattern(rng, letters, groups=0) for _ in range(rng.randint(1, 3)))
    return rng.choice(("(%s)", "(?:%s)")) % options + rng.choice(("", "", "?", "{1,2}", "{0,3}"))


def pattern(rng, letters, groups=0.25):
    """A regular expression of what `re` and Hyperscan understand alike, on bytes. `letters` are atoms."""
    text = ""
    for _ in range(rng.randint(1, 3)):
        text += group(rng, letters) if rng.random() < groups else (
            atom(rng, letters) + rng.choice(("", "", "", "*", "+", "?", "{1,2}", "*?")))
    return text


def whole_pattern(rng, letters, front=""):
    """`front` and a pattern, with what may stand around them; now and then what Hyperscan cannot have."""
    text = front + pattern(rng, letters)
    around = rng.random()
    if around < 0.1:
        return rng.choice(("^%s$", "^%s", "%s$")) % text
    if around < 0.15:
        return "(?i)" + text
    if around < 0.18:
        return rng.choice((r"(?<=a)%s", r"(?!b)%s", r"(%s)\1")) % text
    return text
