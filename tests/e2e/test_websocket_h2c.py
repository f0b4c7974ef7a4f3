# SPDX-License-Identifier: Apache-2.0
"""WebSocket to backends that speak HTTP/2 (RFC 8441), whatever the client speaks; and to one that takes none so."""
import os

import lab as labs
import objects
import suite
import test_access_log as log
import test_websocket_crowd as crowds

N = 2000
PLAIN = "http://" + crowds.HOST


def lab():
    return labs.Lab("websocket_h2c", backends=3)


def prepare(l):
    l.log = os.path.join(l.dir, "access.log")
    crowds.prepare(l, "--access-log", l.log)
    l.start("plain", "backend-3", l.program, "serve", "8080", "plain")
    put_h2c(l, "sockets", 1, 2)
    put_h2c(l, "plain", 3)
    crowds.put_route(l, objects.matching({"path": {"type": "PathPrefix", "value": "/h2c"}}, objects.to("sockets")),
                     objects.matching({"path": {"value": "/refused"}}, objects.to("sockets")),
                     objects.matching({"path": {"type": "PathPrefix", "value": "/plain"}}, objects.to("plain")))
    for path in ("/h2c", "/plain"):
        suite.eventually(lambda path=path: l.curl(PLAIN + path, address=l.vip)[0] == 200, "requests get there")


def put_h2c(l, name, *numbers):
    service = objects.service(crowds.NS, name)
    service["spec"]["ports"][0]["appProtocol"] = "kubernetes.io/h2c"
    l.appliance.api.put(service)
    l.appliance.api.put(objects.slice_of(crowds.NS, name, *(labs.backend_address(n) for n in numbers)))


def many(l, way):
    before = crowds.counters(l)
    client = crowds.start(l, way, "/h2c")
    for what, word in (("open", N), ("echo", "again"), ("half", "")):
        said = client.tell(what, word)
        assert said == crowds.all_right(N), (what, said)
    ended = before["proxy_end_tunnel"] + N
    suite.eventually(lambda: crowds.counted(l, "end_tunnel") == ended, "all ended in good order")
    after = crowds.counters(l)
    client.end()
    assert after["proxy_tunnels"] == before["proxy_tunnels"] + N
    assert after["upstream_opened"] - before["upstream_opened"] < N // 10, "they share connections"
    suite.eventually(lambda: crowds.counted(l, "exchanges_now") == 0, "nothing is left")


@suite.test("#6")
def clients_of_http_1_1_share_connections_of_http_2(l):
    many(l, "h1")


@suite.test("#6")
def clients_of_http_2_over_tls_do_so_too(l):
    many(l, "h2 over TLS")


@suite.test("#6")
def an_answer_that_is_no_consent_is_an_answer(l):
    for way in ("h1", "h2"):
        client = crowds.start(l, way, "/refused")
        assert client.tell("open", 1) == {"right": 0, "wrong": ["1: status 403"]}
        client.end()


@suite.test("#6")
def a_backend_that_has_not_said_so_gets_none_and_the_client_502(l):
    before = crowds.counted(l, "end_backend_no_websocket")
    for n, way in enumerate(("h1", "h2"), 1):
        client = crowds.start(l, way, f"/plain/{way}")
        assert client.tell("open", 1) == {"right": 0, "wrong": ["1: status 502"]}
        client.end()
        line = suite.eventually(
            lambda way=way: [r for r in log.lines(l.log) if r["path"] == f"/plain/{way}"], "a line")[0]
        assert (line["status"], line["end"], line["tries"]) == (502, "backend_no_websocket", 1), line
        assert crowds.counted(l, "end_backend_no_websocket") == before + n
    assert l.curl(PLAIN + "/plain", address=l.vip)[0] == 200, "other requests are served"


@suite.test("#6")
def no_request_was_lost_from_the_books(l):
    crowds.books_balance(l)
