# SPDX-License-Identifier: Apache-2.0
"""Conformance: routes behind a listener that terminates TLS."""
import conformance
from conformance_names import V1, V2, V3
from exchange import Case, expect

ORG, SECOND, UNKNOWN = "example.org", "second-example.org", "unknown-example.org"
THIRD, FOURTH, FIFTH = (f"{n}-example.wildcard.org" for n in ("third", "fourth", "fith"))


def lab():
    return conformance.lab("https")


def prepare(l):
    conformance.prepare(l)


@conformance.test("HTTPRouteHTTPSListener")
def httproute_https_listener(l):
    with conformance.applied(l, "https-listener"):
        address, tls = conformance.https(l, "httproute-https-test", "httproute-https-test-no-hostname")
        expect(l, address, Case("/", V1, host=ORG), Case("/", status=404, host=UNKNOWN), Case("/", V2, host=SECOND),
               port=443, tls=tls)


def case(server_name, host, backend="", status=200):
    return Case("/detect-misdirected-requests", backend, status=status, host=host, server_name=server_name)


@conformance.test("HTTPRouteHTTPSListenerDetectMisdirectedRequests")
def httproute_https_listener_detect_misdirected_requests(l):
    with conformance.applied(l, "https-listener-detect-misdirected-requests"):
        routes = [f"https-listener-detect-misdirected-requests-test-{n}" for n in range(1, 5)]
        address, tls = conformance.https(l, *routes)
        answered = [(ORG, ORG, V1), (SECOND, SECOND, V2), (THIRD, THIRD, V3), (THIRD, FIFTH, V3), (FOURTH, FOURTH, V1),
                    (UNKNOWN, ORG, V1)]
        misdirected = [(ORG, SECOND), (SECOND, ORG), (SECOND, UNKNOWN), (THIRD, FOURTH), (THIRD, SECOND),
                       (THIRD, UNKNOWN), (FOURTH, FIFTH)]
        expect(l, address, *[case(*a) for a in answered], *[case(*m, status=421) for m in misdirected],
               case(ORG, UNKNOWN, status=404), case(UNKNOWN, UNKNOWN, status=404), port=443, tls=tls)
