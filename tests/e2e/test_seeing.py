# SPDX-License-Identifier: Apache-2.0
"""Seeing inside: flows, traces, captures, loop times, by the programs that an operator has."""
import contextlib
import json
import socket
import time

import lab as labs
import objects
import suite

NS = "see"
VIP4, VIP6 = "198.18.0.142", "2001:db8::142"
HOST = "see.example"


def lab():
    return labs.Lab("seeing", backends=1, workers=2)


def prepare(l):
    objects.bring_up(l, "appliance.yaml")
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw", VIP4, VIP6))
    api.put(objects.service(NS, "one"))
    api.put(objects.slice_of(NS, "one", labs.backend_address(1)))
    api.put(objects.route(NS, "one", [f"{NS}/gw"], [objects.to("one")], HOST))
    objects.gateway_address(l, NS, "gw")
    objects.wait_answer(l, VIP4, HOST, "backend-1")


def flows(l, *args):
    """The flows that sluicectl shows as JSON."""
    done = l.appliance.ctl("flows", "--json", *args)
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextlib.contextmanager
def clients(l, n, vip=VIP4):
    """Connections that have had one answer and stay open."""
    socks = l["client"].inside(lambda: [socket.create_connection((vip, 80), 5) for _ in range(n)])
    try:
        for s in socks:
            s.settimeout(5)
            s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            assert s.recv(4096).startswith(b"HTTP/1.1 200")
        yield socks
    finally:
        for s in socks:
            s.close()


@suite.test("#4")
def flows_shows_each_client_and_the_backends_with_what_is_known_of_them(l):
    with clients(l, 20) as socks:
        seen = flows(l, f"{VIP4}:80", "--state", "established")
        assert {f["remote_port"] for f in seen} == {s.getsockname()[1] for s in socks}, seen
        for f in seen:
            assert (f["local"], f["local_port"], f["remote"]) == (VIP4, 80, labs.CLIENT4), f
            assert f["owner"] == "listener" and {"SACK", "TIMESTAMPS", "WSCALE"} <= set(f["flags"]), f
            assert f["srtt_us"] > 0 and f["rto_us"] >= 200000 and f["cwnd_bytes"] >= 10 * f["mss_bytes"], f
            assert f["mss_bytes"] == 1448 and f["path_mtu_bytes"] == 1500 and f["congestion_control"] == "cubic", f
            assert f["sndq_bytes"] == f["flight_bytes"] == 0 and f["timer"] == "none", f
        assert {f["worker"] for f in seen} == {0, 1}, "20 clients on one of two workers only"
        backends = flows(l, f"{labs.backend_address(1)}:8080")
        assert backends and all(f["owner"] == "backend" and "ACTIVE" in f["flags"] for f in backends), backends


@suite.test("#4")
def a_filter_shows_what_it_names_and_no_more(l):
    with clients(l, 3) as socks, clients(l, 2, VIP6):
        port = socks[0].getsockname()[1]
        assert len(flows(l, f"{labs.CLIENT4}:{port}")) == 1
        assert len(flows(l, f"{labs.CLIENT4}:{port},{VIP4}:80")) == 1
        assert not flows(l, f"{labs.CLIENT4}:{port},{VIP4}:81")
        assert len(flows(l, "198.18.0.0/24:80", "--state", "ESTABLISHED")) == 3
        assert len(flows(l, f"[{VIP6}]:80", "--state", "ESTABLISHED")) == 2
        both = flows(l, f"{VIP4}:80", f"[{VIP6}]:80", "--state", "ESTABLISHED")
        assert len(both) == 5, both
        split = [flows(l, ":80", "--state", "ESTABLISHED", "--worker", str(w)) for w in (0, 1)]
        assert sum(map(len, split)) == 5 and all(f["worker"] == w for w in (0, 1) for f in split[w])


@suite.test("#4")
def a_client_that_does_not_read_is_seen_as_what_holds_its_flow_up(l):
    with clients(l, 1) as (s,):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(f"GET /bytes/4000000 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode() * 40)
        me = f"{labs.CLIENT4}:{s.getsockname()[1]}"
        held = suite.eventually(lambda: [f for f in flows(l, me) if f["snd_wnd_bytes"] < f["mss_bytes"]],
                                "the peer's window is shut")[0]
        assert held["unsent_bytes"] > 0 and held["sndq_true_bytes"] >= held["sndq_bytes"] > 0, held
        text = l.appliance.ctl("flows", me).stdout
        assert f"{VIP4}:80 - {me} ESTABLISHED, listener" in text, text
        assert f"window of the peer {held['snd_wnd_bytes']} " in text, text


@suite.test("#4")
def a_word_that_is_no_flow_is_refused_and_says_why(l):
    for word in ("198.18.0.300", "198.18.0.1:99999", "198.18.0.1/33", "[2001:db8::1", "a,b", ":80,:81,:82"):
        done = l.appliance.ctl("flows", word, check=False)
        assert done.returncode == 2 and word in done.stderr, done
