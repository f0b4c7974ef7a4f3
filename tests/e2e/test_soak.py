# SPDX-License-Identifier: Apache-2.0
"""Everything at once: clients of every kind while routes and endpoints change; afterwards nothing is left of it."""
import os
import time

import abuse
import backend
import lab as labs
import load
import objects
import suite
from objects import NS1, NS2

HOST = "foo.example.com"
STEADY = "steady.example.com"
SECONDS = int(os.environ.get("SOAK_SECONDS", "60"))
SEED = os.environ.get("SOAK_SEED", "1")
CHURN = int(os.environ.get("SOAK_CHURN", "1000"))  # connections a second, where the machine bears it
MIB = 1 << 20
RSS_GROWTH_MAX = 8 * MIB
# Idle backend connections end after 4 s, TIME_WAIT after 30, half-open ones after their last SYN-ACK.
SENT_NOT_BACK_MAX = 2 * 32  # net_af_xdp takes back what was sent when it next sends: a burst a port may be out
DRAIN_LIMIT_S = 150
EMPTY = ("proxy_conns_now", "proxy_exchanges_now", "upstream_busy_now", "upstream_idle_now", "tcp_conns_now",
         "tcp_half_open_now", "tcp_timewait_now", "core_pins_now")


def lab():
    return labs.Lab("soak", backends=4, workers=2)


def prepare(l):
    """Two nginx that come and go, one backend that answers what it got, one that misbehaves on request."""
    for n in (1, 2):
        l.backends.append(backend.Nginx(l, f"backend-{n}"))
    for n in (3, 4):
        l.backends.append(backend.Origin(l, f"backend-{n}"))
    for b in l.backends:
        b.wait_ready()
    objects.bring_up(l, *objects.OVERVIEW)
    api = l.appliance.api
    api.put(objects.service(NS2, "origin"))
    api.put(objects.slice_of(NS2, "origin", labs.backend_address(3)))
    api.put(objects.service(NS2, "trouble"))
    api.put(objects.slice_of(NS2, "trouble", labs.backend_address(4)))
    api.put(objects.route(NS2, "trouble", [f"{NS1}/foo-gateway"], [objects.to("trouble")], abuse.TROUBLE))
    api.put(objects.service(NS2, "steady"))
    api.put(objects.slice_of(NS2, "steady", *[labs.backend_address(n) for n in (1, 2)]))
    api.put(route_to_origin("0"))
    api.put(objects.route(NS2, "steady", [f"{NS1}/foo-gateway"], [objects.to("steady")], STEADY))
    objects.wait_answer(l, objects.gateway_address(l, NS1, "foo-gateway"), STEADY, {"backend-1", "backend-2"})


def route_to_origin(sign):
    """"/" to nginx, everything else to the origin; the sign is a header that tells versions apart."""
    rule = {"filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {
        "set": [{"name": "X-Change", "value": sign}]}}]}
    return objects.route(NS2, "mixed", [f"{NS1}/foo-gateway"], [
        {**objects.matching({"path": {"type": "Exact", "value": "/"}}, objects.to("steady")), **rule},
        {**objects.to("origin"), **rule}], HOST)


def slice_with(*numbers):
    return objects.slice_of(NS2, "steady", *[labs.backend_address(n) for n in numbers])


def change_things(l, until):
    """Routes and endpoints, one after the other, as fast as they are taken. Returns how many changes."""
    api, n = l.appliance.api, 0
    while time.monotonic() < until:
        api.put(route_to_origin(str(n)))
        api.put(slice_with(*((1,), (2,), (1, 2), (2, 1))[n % 4]))
        api.put(objects.route(NS2, f"extra-{n % 10}", [f"{NS1}/foo-gateway"], [objects.to("steady")],
                              f"extra-{n}.example.com"))
        n += 3
    return n


def family(counters, *prefixes):
    return sum(v for k, v in counters.items() if k.startswith(prefixes))


def require_balance(c):
    """What began has ended, in one counter: the books of tests/sim/balance.c."""
    ip_packets = c["net_ip4_packets"] + c["net_ip6_packets"]
    below_ip = family(c, "net_drop_rx_eth_", "net_drop_rx_vlan_", "net_drop_rx_arp_", "net_rx_arp", "net_rx_merged")
    for what, begun, ended in (
            ("frames", c["core_rx_packets"] + c["core_rx_copies"] + c["net_reassembled"] + c["net_rx_handover"]
             - c["core_handoff_drop_rx_full"], below_ip + ip_packets),
            ("IP packets", ip_packets, family(c, "net_rx_", "net_drop_rx_") - below_ip),
            ("ICMP messages", c["net_rx_icmp4"] + c["net_rx_icmp6"],
             family(c, "net_echo_") + sum(c[f"net_{k}"] for k in (
                 "icmp_errors", "icmp_errors_foreign", "icmp_ignored", "redirects_ignored", "routers_ignored",
                 "mld_ignored", "mld_queries"))),
            ("packets in pieces", c["net_reassembly_begun"],
             sum(c[f"net_{k}"] for k in ("reassembled", "reassembly_timeouts", "reassembly_evicted"))),
            ("fragments", c["net_rx_fragment"], c["net_fragments_joined"] + c["net_fragments_lost"]),
            ("packets to send", c["tcp_tx_packets"] + c["net_tx_udp"] + c["net_echo_replies"]
             + family(c, "net_tx_icmp_"), c["net_tx_packets"] + family(c, "net_drop_tx_") + c["net_tx_waiting_now"]),
            ("frames of net", c["core_tx_frames"],
             sum(c[f"net_{k}"] for k in ("tx_packets", "tx_arp", "tx_nd", "mld_reports"))),
            ("frames to send", c["core_tx_frames"],
             c["core_tx_packets"] + c["core_handoff_drop_tx_full"] + family(c, "core_tx_drop_")),
            ("segments", c["net_rx_tcp"],
             family(c, "tcp_drop_") + sum(c[f"tcp_rx_{k}"] for k in ("fast", "slow", "syn", "syn_cookie", "timewait"))),
            ("connections", c["tcp_rx_syn"] + c["tcp_cookie_accepted"] + c["tcp_opens"], family(c, "tcp_end_")),
            ("client connections", c["proxy_conns_accepted"], family(c, "proxy_conn_end_")),
            ("requests", c["proxy_requests"], family(c, "proxy_end_")),
            ("requests for a backend connection", c["upstream_asked"],
             sum(c[f"upstream_{k}"] for k in ("opened", "reused", "no_endpoint", "limit", "no_conn", "open_failed"))),
            ("backend connections", c["upstream_opened"],
             family(c, "upstream_closed_") + c["upstream_aborted"] + c["upstream_broken"])):
        assert begun == ended, f"{begun} {what} began, {ended} ended"


def left(l, mbufs_max):
    """What is not back to where it was, by name. A neighbour that is known has one timer."""
    c = l.appliance.counters()
    found = {name: c[name] for name in EMPTY if c[name]}
    if c["core_generations_now"] != 1:
        found["core_generations_now"] = c["core_generations_now"]
    if c["core_timers_now"] > c["net_neighbours_now"]:
        found["core_timers_now"] = c["core_timers_now"], c["net_neighbours_now"]
    if c["core_mbufs_now"] > mbufs_max:
        found["core_mbufs_now"] = c["core_mbufs_now"], mbufs_max
    return found


def require_empty(l, mbufs_max):
    def nothing_is_left():
        found = left(l, mbufs_max)
        assert not found, found
        return True
    suite.eventually(nothing_is_left, "nothing is left of it", DRAIN_LIMIT_S)


@suite.test("#3 #6")
def whatever_clients_do_the_well_behaved_are_served_and_nothing_is_left_behind(l):
    vips = [objects.gateway_address(l, NS1, "foo-gateway", family) for family in (4, 6)]
    suite.eventually(lambda: not left(l, 1 << 30), "it is idle", DRAIN_LIMIT_S)
    mbufs = l.appliance.counters()["core_mbufs_now"]
    started = time.monotonic()
    with load.Load(l, vips[0], STEADY, rate=200) as four, load.Load(l, vips[1], STEADY, rate=100) as six:
        rude = abuse.Abuse(l, SEED, *vips, HOST, CHURN)
        changes = change_things(l, started + SECONDS / 5)  # pools have been touched, caches are full
        rss = l.appliance.dataplane.rss_bytes()
        changes += change_things(l, started + SECONDS)
        grown = l.appliance.dataplane.rss_bytes() - rss
        said = rude.end()
        print(f"  {SECONDS} s, {changes} changes; {said['done']}")
        print(f"  the dataplane has {rss / MIB:.0f} MiB and grew by {grown >> 10} KiB")
        for running in (four, six):
            running.require_clean(at_least=SECONDS)
    assert not said["wrong"], said
    assert set(said["done"]) >= set(abuse.THREADS), said["done"]
    assert grown <= RSS_GROWTH_MAX, f"the dataplane grew by {grown / MIB:.1f} MiB"
    ended = time.monotonic()
    require_empty(l, mbufs + SENT_NOT_BACK_MAX)
    print(f"  empty {time.monotonic() - ended:.0f} s after the last client")
    require_balance(l.appliance.counters())
