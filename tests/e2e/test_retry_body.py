# SPDX-License-Identifier: Apache-2.0
"""Requests with a body under a retry policy: short ones are sent again, whole; others get what there is."""
import hashlib
import json
import os
import socket

import backend
import lab as labs
import objects
import suite

NS, HOST, VIP = "again", "again.example", "198.18.0.146"
LIMIT = 8192  # RETRY_BODY_BYTES_MAX


def lab():
    return labs.Lab("retry_body", backends=1, workers=2)


def prepare(l):
    l.start_backends(backend.Origin)
    objects.bring_up(l, "appliance.yaml")
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw", VIP))
    api.put(objects.service(NS, "one"))
    api.put(objects.slice_of(NS, "one", labs.backend_address(1)))
    rule = {**objects.to("one"), "retry": {"attempts": 2, "codes": [503], "backoff": "10ms"}}
    plain = objects.matching({"headers": [{"name": "X-Plain", "value": "1"}]}, objects.to("one"))
    api.put(objects.route(NS, "all", [f"{NS}/gw"], [rule, plain], HOST))
    objects.gateway_address(l, NS, "gw")
    suite.eventually(lambda: l.curl(f"http://{HOST}/echo", address=VIP)[0] == 200, "it serves")


def post(l, path, body, *options, method="POST"):
    """(status, what the backend says of the body and of those before)."""
    name = os.path.join(l.dir, "body")
    with open(name, "wb") as f:
        f.write(body)
    status, _, got = l.curl(f"http://{HOST}{path}", "-X", method, "--data-binary", f"@{name}", *options, address=VIP)
    return status, json.loads(got) if status == 200 else None


def is_whole(facts, body):
    return (facts["length"], facts["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())


@suite.test("#5")
def a_short_body_is_sent_again_whole_after_a_reset_and_after_a_status(l):
    for kind in ("reset-first", "busy-first"):
        for n, length in ((1, 1), (2, 1000), (1, LIMIT)):
            body = os.urandom(length)
            before = l.appliance.counters()["proxy_retries"]
            status, facts = post(l, f"/{kind}/{n}?short{length}", body)
            assert status == 200 and is_whole(facts, body), (kind, length, status, facts)
            assert facts["before"] == [length] * n, (kind, length, facts)
            assert l.appliance.counters()["proxy_retries"] == before + n


@suite.test("#5")
def what_cannot_be_kept_gets_the_first_tries_answer(l):
    long, chunks = os.urandom(LIMIT + 1), ("-H", "Transfer-Encoding: chunked")
    before = l.appliance.counters()["proxy_retries"]
    for n, (body, *options) in enumerate(((long,), (b"short", *chunks), (b"short", "-H", "X-Plain: 1"))):
        assert post(l, f"/busy-first/1?kept{n}", body, *options)[0] == 503
        assert post(l, f"/reset-first/1?kept{n}", body, *options)[0] == 502
        status, facts = post(l, "/upload", body, *options)
        assert status == 200 and is_whole(facts, body), (status, facts)
    assert l.appliance.counters()["proxy_retries"] == before


@suite.test("#5")
def after_as_many_tries_as_the_rule_has_the_answer_is_the_clients(l):
    assert post(l, "/busy-first/3", b"again")[0] == 503
    assert post(l, "/reset-first/3", b"again")[0] == 502
    status, facts = post(l, "/busy-first/3", b"again")
    assert status == 200 and facts["before"] == [5] * 3, facts  # the first and two more


@suite.test("#5")
def requests_behind_it_on_the_connection_are_answered_in_their_order(l):
    """Bodies in pieces, and heads right behind them."""
    with l["client"].connect(VIP, 80) as sock:
        sock.settimeout(10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        parts = []
        for n in range(4):
            parts += [f"POST /busy-first/1?piped{n} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 300\r\n\r\n".encode(),
                      b"a" * 100, b"b" * 200]
        parts.append(f"GET /echo/last HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        for at in range(0, len(parts), 2):  # a body's last piece comes with the next head
            sock.sendall(b"".join(parts[at:at + 2]))
        got = backend.request_bytes(sock, b"", lambda received: False)
    wanted = hashlib.sha256(b"a" * 100 + b"b" * 200).hexdigest().encode()
    assert got.count(b"HTTP/1.1 200 ") == 5 and got.count(wanted) == 4 and b"/echo/last" in got, got


@suite.test("#5")
def a_client_that_goes_within_its_body_is_gone_and_holds_nothing(l):
    with l["client"].connect(VIP, 80) as sock:
        sock.sendall(f"POST /upload HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 9\r\n\r\n1234".encode())
        suite.eventually(lambda: l.appliance.counters()["proxy_exchanges_now"] == 1, "it is under way")
        sock.shutdown(socket.SHUT_WR)
        suite.eventually(lambda: l.appliance.counters()["proxy_exchanges_now"] == 0, "it is over")
    assert l.appliance.counters()["proxy_end_client_gone"] >= 1
