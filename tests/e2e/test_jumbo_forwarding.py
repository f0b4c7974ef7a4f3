# SPDX-License-Identifier: Apache-2.0
"""Jumbo frames of a TCPRoute whose packets go on without a connection of the box's."""
import lab as labs
import suite
import test_jumbo
import test_l4


def lab():
    return labs.Lab("jumbo-forwarding", backends=2, workers=2)


def prepare(l):
    test_jumbo.prepare_links(l)
    test_l4.prepare_routes(l)
    test_jumbo.prepare_interfaces(l)


def long_frames(l):
    return len(l.capture.fields(f"tcp.port == 5002 && ip.src == {labs.CLIENT4} && frame.len > 8000", "frame.number"))


@suite.test("#7")
def long_frames_are_forwarded(l):
    test_l4.large_bodies_go_both_ways_whole(l)
    suite.eventually(lambda: long_frames(l) > 20, "the client sent them", 5)
    assert l.appliance.counters()["l4_opened_tcp"] >= 2
