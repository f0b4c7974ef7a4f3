# SPDX-License-Identifier: Apache-2.0
"""Ten thousand WebSockets of which nearly all fall silent: those end after --tunnel-idle, the others do not."""
import lab as labs
import suite
import test_websocket_crowd as crowds

N = crowds.N
IDLE_S = 20
CHATTY = 50  # they say something every second


def lab():
    return labs.Lab("websocket_silent", backends=2)


def prepare(l):
    crowds.prepare(l, "--tunnel-idle", str(IDLE_S))


def silent_ones_end(l, way):
    ended = crowds.counted(l, "end_tunnel_idle")
    client = crowds.start(l, way)
    said = client.tell("open", N)
    assert said == crowds.all_right(N), said
    said = client.tell("ended", CHATTY)
    assert said == {"cut": N - CHATTY, "other": []}, said
    assert crowds.counted(l, "end_tunnel_idle") == ended + N - CHATTY
    said = client.tell("chat", CHATTY, "still")
    assert said == crowds.all_right(CHATTY), said
    client.end()
    crowds.comes_to(l, "all is given back")


@suite.test("#6")
def by_http_1_1_silent_ones_are_ended_and_no_others(l):
    silent_ones_end(l, "h1")


@suite.test("#6")
def by_http_2_over_tls_silent_ones_are_ended_and_no_others(l):
    silent_ones_end(l, "h2 over TLS")
