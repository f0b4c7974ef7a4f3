# SPDX-License-Identifier: Apache-2.0
"""Limits of connections open at once (AccessPolicy), from outside: by listener and by client, of connections that the
proxy has and of forwarded ones, on workers that count together; and what becomes of those that were there."""
import contextlib
import socket
import ssl

import lab as labs
import objects
import suite
import test_source_lists as lists
from test_source_lists import (ECHO_PORT, FRIEND, NS, REQUEST, STRANGER, asked, dial, gateway_target, gone, in_effect,
                               policy)

PORTS = {"http": 80, "tls": 443, "nat": 5000, "own": 5001}
TRIES = 40  # of which a limit lets some in: spread over both workers by their ports


def lab():
    return labs.Lab("connection-limits", backends=2, workers=2)


def prepare(l):
    lists.prepare(l)


def limit(*section, **connections):
    return policy("AccessPolicy", "few", gateway_target(*section), connections=connections)


def connect(l, port, who=FRIEND, family=4):
    """An open connection that was answered; None: it was refused by a reset."""
    try:
        s = dial(l, family, who[family], port)
    except ConnectionRefusedError:
        return None
    try:
        if port == 443:
            return lists.secured(l, s)
        assert asked(s, REQUEST, b"HTTP/1.1 200")
        return s
    except (ConnectionResetError, ssl.SSLError):
        return None


@contextlib.contextmanager
def many(l, port, n=TRIES, who=FRIEND, family=4):
    """What comes of so many connections, one after the other: those that are open."""
    opened = [connect(l, port, who, family) for _ in range(n)]
    try:
        yield [s for s in opened if s is not None]
    finally:
        for s in opened:
            if s is not None:
                s.close()


def eventually_open(l, port):
    """There is room again."""
    def try_it():
        s = connect(l, port)
        if s is None:
            return False
        s.close()
        return True
    suite.eventually(try_it, f"port {port} has room again", 10)


@suite.test("S6")
def no_more_connections_are_open_at_a_listener_than_may_be_on_all_workers_together(l):
    in_effect(l, limit(max=7))
    for port in (80, 443, 5001):
        before = l.appliance.counters()
        with many(l, port) as opened:
            assert len(opened) == 7, f"{len(opened)} at port {port}"
            assert connect(l, port, STRANGER, 6) is None, "whoever it is"
            with many(l, 80 if port != 80 else 443, 1) as other:
                assert len(other) == 1, "each port has its own"
        after = l.appliance.counters()
        assert after["core_conns_refused"] - before["core_conns_refused"] >= TRIES - 7
        assert after["tcp_drop_not_admitted"] - before["tcp_drop_not_admitted"] >= TRIES - 7
        eventually_open(l, port)
    gone(l, "AccessPolicy", "few")


@suite.test("S6")
def forwarded_connections_and_datagrams_count_as_well(l):
    in_effect(l, limit("nat", max=5))
    with many(l, 5000) as opened:
        assert len(opened) == 5, len(opened)
        with many(l, 80, 20) as others:
            assert len(others) == 20, "the policy is of one listener"
    before = l.appliance.counters()
    in_effect(l, policy("AccessPolicy", "dgrams", gateway_target("dgram"), connections={"max": 5}))
    sockets = [dial(l, 4, FRIEND[4], ECHO_PORT, socket.SOCK_DGRAM) for _ in range(9)]
    answered = [lists.is_answered(s, b"x") for s in sockets]
    assert answered.count(True) == 5, answered
    assert [lists.is_answered(s, b"y") for s in sockets] == answered, "a flow that is there goes on"
    after = l.appliance.counters()
    assert after["l4_drop_limit"] - before["l4_drop_limit"] >= 8
    for s in sockets:
        s.close()
    gone(l, "AccessPolicy", "dgrams")
    gone(l, "AccessPolicy", "few")


@suite.test("S6")
def a_client_has_no_more_than_his_at_all_listeners_together_and_others_have_theirs(l):
    in_effect(l, limit(maxPerClient=6))
    before = l.appliance.counters()
    with many(l, 80, 4) as first, many(l, 5000, 4) as second, many(l, 5001, 4) as third:
        assert (len(first), len(second), len(third)) == (4, 2, 0)
        with many(l, 80, 8, STRANGER) as others:
            assert len(others) == 6
        with many(l, 80, 8, FRIEND, 6) as others:
            assert len(others) == 6, "an IPv6 client"
            assert connect(l, 80, STRANGER, 6) is None, "another address of his link"
    after = l.appliance.counters()
    assert after["core_conns_refused_client"] - before["core_conns_refused_client"] >= 11
    eventually_open(l, 80)
    gone(l, "AccessPolicy", "few")


@suite.test("S6")
def what_is_open_when_a_limit_shrinks_stays_and_counts(l):
    in_effect(l, limit("web", max=6))
    with many(l, 80, 6) as opened:
        assert len(opened) == 6
        in_effect(l, limit("web", max=3))
        assert connect(l, 80) is None
        for s in opened:
            assert lists.is_answered(s, REQUEST), "it stays"
        for s in opened[:2]:
            s.close()
        assert connect(l, 80) is None, "four are open, and three may be"
        in_effect(l, limit("web", max=60))
        with many(l, 80, 20) as more:
            assert len(more) == 20
    gone(l, "AccessPolicy", "few")


@suite.test("S6")
def the_policy_of_a_listener_comes_before_its_gateways_and_the_older_before_the_younger(l):
    in_effect(l, limit(max=3))
    l.appliance.api.put(policy("AccessPolicy", "later", gateway_target(), connections={"max": 30}))
    in_effect(l, policy("AccessPolicy", "web", gateway_target("web"), connections={"max": 5}))
    with many(l, 80, 9) as web, many(l, 5001, 9) as own:
        assert (len(web), len(own)) == (5, 3)
    said = suite.eventually(lambda: lists.accepted(l, "later"), "it has a status")
    assert (said[0]["status"], said[0]["reason"]) == ("False", "Conflicted"), said
    assert f"{NS}/few" in said[0]["message"], said
    l.appliance.api.delete("AccessPolicy", "later", NS)
    for name in ("web", "few"):  # one after the other: the next test has to see its own policy come
        gone(l, "AccessPolicy", name)


@suite.test("S6")
def where_a_header_tells_the_client_he_is_counted_and_not_the_load_balancer(l):
    def told(client):
        s = dial(l, 4, FRIEND[4], 8000)
        header = f"PROXY TCP4 {client} {l.vip[4]} 4000 8000\r\n".encode()
        return s, lists.is_answered(s, header + REQUEST)
    before = l.appliance.counters()
    in_effect(l, limit("told", maxPerClient=2))
    seen = [told(client) for client in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2")]
    answers = [answer for _, answer in seen]
    assert answers == [True, True, None, True], answers
    after = l.appliance.counters()
    assert after["proxy_header_limited"] - before["proxy_header_limited"] == 1
    for s, _ in seen:
        s.close()
    gone(l, "AccessPolicy", "few")
