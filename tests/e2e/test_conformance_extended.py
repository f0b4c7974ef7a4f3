# SPDX-License-Identifier: Apache-2.0
"""Conformance: mirrors, CORS, retries and WebSocket."""
import concurrent.futures
import dataclasses
import json
import math
import os
import uuid

import conformance
import suite
from conformance_names import INFRA, V1, V2, V3
from exchange import AT_ONCE, CONVERGE_S, Case, all_as_expected, expect, modified

SAME = "same-namespace"
MIRRORED_S = 15
IN_A_ROW = 3  # the suite's RequiredConsecutiveSuccesses
WEBSOCKET_CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers", "websocket", "client.py")
SHARE_REQUESTS, SHARE_DEVIATIONS, SHARE_TRIES = 500, 3.0, 5
FOO, BAR, DEEP, FOOBAR, OTHER = ("https://www.foo.com", "https://www.bar.com", "https://xpto.www.bar.com",
                                 "https://foobar.com", "https://other.foo.com")
WITH_PORT = f"{FOOBAR}:12345"
ALLOW = "access-control-allow-"
NO_CREDENTIALS = (f"{ALLOW}credentials",)
CREDENTIALS = {f"{ALLOW}credentials": "true"}
ALLOW_ORIGIN, ALLOW_METHODS, ALLOW_HEADERS = f"{ALLOW}origin", f"{ALLOW}methods", f"{ALLOW}headers"


def lab():
    return conformance.lab("extended")


def prepare(l):
    conformance.prepare(l)


def marked(case):
    """The case with a request of its own: its path is in no log yet."""
    mark = f"?gateway-api-conformance-request-id={uuid.uuid4()}"
    return dataclasses.replace(case, path=case.path + mark)


def times_seen(l, backend, path):
    """How often the Deployment's pods have been asked for the path."""
    wanted = f"Echoing back request made to {path} to client"
    return sum(wanted in line for line in l.pods.log_lines(INFRA, backend))


def is_mirrored(l, route, mirrors, *cases):
    with conformance.applied(l, route):
        address = conformance.accepted(l, SAME, route)
        for case in map(marked, cases):
            expect(l, address, case)
            for backend in mirrors:
                suite.eventually(lambda b=backend, c=case: times_seen(l, b, c.path) > 0,
                                 f"{backend} sees {case.path} too", MIRRORED_S)


@conformance.test("HTTPRouteRequestMirror")
def httproute_request_mirror(l):
    is_mirrored(l, "request-mirror", [V2], Case("/mirror", V1), modified("/mirror-and-modify-headers", V1))


@conformance.test("HTTPRouteRequestMultipleMirrors")
def httproute_request_multiple_mirrors(l):
    is_mirrored(l, "request-multiple-mirrors", [V2, V3], Case("/multi-mirror", V1),
                modified("/multi-mirror-and-modify-request-headers", V1))


def settled(count):
    """What `count` gives twice in a row."""
    seen = [None]

    def is_same():
        seen.append(count())
        return seen[-1] == seen[-2]
    suite.eventually(is_same, "the mirrored requests have all come", MIRRORED_S)
    return seen[-1]


def has_share(l, address, case, share):
    """Is about that share of so many requests mirrored: within three standard deviations of a binomial distribution?"""
    case = marked(case)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda _: all_as_expected(l, address, [case]), range(SHARE_REQUESTS)))
    margin = SHARE_DEVIATIONS * math.sqrt(SHARE_REQUESTS * share * (1 - share))
    return abs(settled(lambda: times_seen(l, V2, case.path)) - SHARE_REQUESTS * share) <= margin


@conformance.test("HTTPRouteRequestPercentageMirror")
def httproute_request_percentage_mirror(l):
    with conformance.applied(l, "request-percentage-mirror"):
        address = conformance.accepted(l, SAME, "request-percentage-mirror")
        for share, case in ((0.2, Case("/percent-mirror", V1)), (0.5, Case("/percent-mirror-fraction", V1)),
                            (0.35, modified("/percent-mirror-and-modify-headers", V1))):
            expect(l, address, case)
            assert any(has_share(l, address, case, share) for _ in range(SHARE_TRIES)), f"{case.path}: not {share}"


def preflight(path, origin, method, *asked, status=(200, 204), **more):
    fields = {"Origin": origin, "access-control-request-method": method}
    if asked:
        fields["access-control-request-headers"] = ", ".join(asked)
    return Case(path, method="OPTIONS", headers=fields, status=status, is_echoed=False, lists=True, **more)


def actual(path, origin, method="GET", asked=None, **more):
    """A request that is no preflight; `asked`: it has the fields of one all the same."""
    fields = {"Origin": origin}
    if asked:
        fields["access-control-request-method"] = asked
    return Case(path, method=method, headers=fields, **more)


def either_way(a, b):
    return f"{a}, {b}", f"{b}, {a}"


def cors_of_listed_origins():
    allowed = {ALLOW_METHODS: either_way("GET", "OPTIONS"), ALLOW_HEADERS: either_way("x-header-1", "x-header-2"),
               "access-control-expose-headers": either_way("x-header-3", "x-header-4"),
               "access-control-max-age": "3600", **CREDENTIALS}
    return [*[preflight("/cors-1", o, "GET", "x-header-1", "x-header-2", answer={ALLOW_ORIGIN: o, **allowed})
              for o in (FOO, BAR, DEEP)],
            preflight("/cors-1", FOOBAR, "GET", status=(200, 204, 403), answer_absent=(ALLOW_ORIGIN,)),
            *[actual("/cors-1", o, asked="GET", answer={ALLOW_ORIGIN: o}) for o in (FOO, BAR)],
            actual("/cors-1", FOOBAR, asked="GET", answer_absent=(ALLOW_ORIGIN,)),
            preflight("/cors-2", FOO, "POST", answer={ALLOW_METHODS: ("POST", "*"), ALLOW_ORIGIN: FOO},
                      answer_absent=NO_CREDENTIALS)]


def cors_of_wildcards():
    path, lists = "/cors-wildcard-origin", "/cors-wildcard-methods-headers"
    headers = either_way("x-header-1", "x-header-2")
    return [*[preflight(path, o, "PUT", answer={ALLOW_ORIGIN: (o, "*"), ALLOW_METHODS: "PUT"},
                        answer_absent=NO_CREDENTIALS) for o in (FOOBAR, WITH_PORT)],
            actual(path, WITH_PORT, "PUT", answer={ALLOW_ORIGIN: (WITH_PORT, "*")}),
            actual(path, FOOBAR, "PUT", answer={ALLOW_ORIGIN: (FOOBAR, "*")}, answer_absent=NO_CREDENTIALS),
            preflight(lists, OTHER, "PUT", "x-header-1", "x-header-2",
                      answer={ALLOW_ORIGIN: OTHER, ALLOW_METHODS: "PUT", ALLOW_HEADERS: headers, **CREDENTIALS}),
            preflight(f"{lists}-unauth", OTHER, "PUT", "x-header-1", "x-header-2", answer_absent=NO_CREDENTIALS,
                      answer={ALLOW_ORIGIN: (OTHER, "*"), ALLOW_METHODS: ("PUT", "*"), ALLOW_HEADERS: (*headers, "*")}),
            actual(lists, OTHER, answer={ALLOW_ORIGIN: OTHER, **CREDENTIALS}),
            actual(f"{lists}-unauth", OTHER, answer={ALLOW_ORIGIN: (OTHER, "*")}, answer_absent=NO_CREDENTIALS)]


@conformance.test("HTTPRouteCORS")
def httproute_cors(l):
    routes = ("multiple-origins-methods-headers", "wildcard-methods", "wildcard-origin", "wildcard-methods-headers")
    with conformance.applied(l, "cors"):
        address = conformance.accepted(l, SAME, *[f"cors-{name}" for name in routes])
        expect(l, address, *cors_of_listed_origins(), *cors_of_wildcards())


def flaky(path, code, after):
    """A request that the backend answers with the code so often, then well; by its uuid the backend knows it again."""
    return f"{path}?responseCode={code}&succeedAfter={after}&uuid={uuid.uuid4()}"


def retry_cases():
    three, two = "/retry/code-500-attempts-3", "/retry/code-all-attempts-2"
    wanted = [(three, 500, 2, 200), (three, 500, 4, 500), (three, 503, 2, 503)]
    wanted += [(two, code, after, status) for code in (500, 502, 503, 504) for after, status in ((1, 200), (3, code))]
    return [Case(flaky(path, code, after), V3, status=status) for path, code, after, status in wanted]


@conformance.test("HTTPRouteRetry")
def httproute_retry(l):
    with conformance.applied(l, "retry"):
        address = conformance.accepted(l, SAME, "retries")
        # each time with requests of their own: the backend counts the attempts of each
        suite.eventually(lambda: all_as_expected(l, address, retry_cases()), "all are tried as often as they may be",
                         CONVERGE_S)
        all_as_expected(l, address, retry_cases())


@conformance.test("HTTPRouteBackendProtocolWebSocket")
def httproute_backend_protocol_web_socket(l):
    with conformance.applied(l, "backend-protocol-websocket"):
        address = conformance.accepted(l, SAME, "backend-protocol-ws")

        def echoes():
            asked = "/usr/bin/python3", WEBSOCKET_CLIENT, address, address, "/ws", "conformance"
            return l["client"].run(*asked, timeout=30).returncode == 0
        suite.eventually(lambda: all(echoes() for _ in range(IN_A_ROW)), "frames come back", CONVERGE_S)


@conformance.test("HTTPRouteBackendProtocolH2C")
def httproute_backend_protocol_h2c(l):
    with conformance.applied(l, "backend-protocol-h2c"):
        address = conformance.accepted(l, SAME, "backend-protocol-h2c")
        expect(l, address, Case("/", V1))
        status, _, body = l.curl(f"http://{address}/", "--http2-prior-knowledge")
        said = json.loads(body)
        assert (status, said["namespace"]) == (200, INFRA) and said["pod"].startswith(V1), said
