# SPDX-License-Identifier: Apache-2.0
"""Seeing inside: flows, traces, captures, loop times, by the programs that an operator has."""
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
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
    objects.serve_one(l, NS, HOST, VIP4, VIP6)


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

@contextlib.contextmanager
def looking(l, *args, says="for"):
    """sluicectl that looks while the block runs, then is told to stop. Gives a list that holds its output after it."""
    command = [l.appliance.program("mgmt", "ctl", "sluicectl"), "--run-dir", l.appliance.run_dir, *args]
    looker = subprocess.Popen(l["admin"].argv(*command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = []
    try:
        first = looker.stderr.readline()
        assert says in first, first + looker.stderr.read()
        yield said
        time.sleep(0.2)
        looker.send_signal(signal.SIGINT)
        said.extend(looker.communicate(timeout=10))
        assert looker.returncode == 0, said
    finally:
        looker.kill()
        looker.wait()


@suite.test("#4")
def a_trace_tells_a_request_from_the_handshake_to_the_end(l):
    with looking(l, "trace", f"{labs.CLIENT4},{VIP4}:80") as said:
        assert objects.answers(l, VIP4, HOST) == "backend-1"
    out = said[0]
    for want in ("rx flags [S]", "tx flags [S.]", "state from SYN_RCVD to ESTABLISHED", "owner events readable",
                 "tcp_accepts+1", "proxy_requests+1", "cwnd", "state from ESTABLISHED to"):
        assert want in out, f"no {want!r} in\n{out}"
    assert all(f"{VIP4}:80 - {labs.CLIENT4}:" in line for line in out.splitlines()), out
    assert " 0 lost" in said[1], said[1]


@suite.test("#4")
def a_trace_tells_why_a_segment_was_dropped(l):
    with looking(l, "trace", f"{VIP4}:81") as said:
        with contextlib.suppress(OSError):
            l["client"].connect(VIP4, 81, timeout=3).close()
    assert "tcp_drop_no_listener+1" in said[0] and "tx flags [R.]" in said[0], said


def tcpdump(l, path, *expression):
    """What tcpdump reads in a file: a line a packet."""
    done = l["admin"].run("tcpdump", "-nn", "-r", path, *expression)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def directions(path):
    """The direction of each packet of a pcapng file: its flags, which tcpdump does not show."""
    with open(path, "rb") as f:
        data = f.read()
    at, found = 0, []
    while at < len(data):
        kind, length = struct.unpack_from("=II", data, at)
        assert struct.unpack_from("=I", data, at + length - 4)[0] == length, "a block ends as it begins"
        if kind == 6:
            captured = struct.unpack_from("=I", data, at + 20)[0]
            code, size, flags = struct.unpack_from("=HHI", data, at + 28 + (captured + 3) // 4 * 4)
            assert (code, size) == (2, 4), "a packet's first option is its flags"
            found.append({1: "in", 2: "out"}[flags & 3])
        at += length
    return found


@suite.test("#4")
def a_capture_is_read_by_tcpdump_and_holds_what_was_asked_for(l):
    path = os.path.join(l.dir, "capture.pcapng")
    with looking(l, "capture", f"{labs.CLIENT4},{VIP4}:80", "-w", path):
        with clients(l, 1) as (s,):
            port = s.getsockname()[1]
        objects.answers(l, VIP6, HOST)  # not asked for
    lines = tcpdump(l, path)
    assert any(f"{labs.CLIENT4}.{port} > {VIP4}.80: Flags [S]," in x for x in lines), lines
    assert any(f"{VIP4}.80 > {labs.CLIENT4}.{port}: Flags [S.]," in x for x in lines), lines
    assert any("HTTP: GET / HTTP/1.1" in x for x in lines) and any("HTTP: HTTP/1.1 200" in x for x in lines), lines
    assert lines == [x for x in lines if VIP4 in x], lines
    assert os.stat(path).st_mode & 0o777 == 0o600
    hour = int(lines[0][:2])
    assert hour in (time.localtime().tm_hour, time.localtime(time.time() - 60).tm_hour), lines[0]
    told = directions(path)
    assert len(told) == len(lines), (told, lines)
    for direction, line in zip(told, lines):
        assert direction == ("in" if f"{labs.CLIENT4}.{port} >" in line else "out"), (direction, line)


@suite.test("#4")
def bounds_end_a_capture_and_snap_cuts_frames(l):
    path = os.path.join(l.dir, "bounded.pcapng")
    with clients(l, 1) as (s,):
        done = None
        command = [l.appliance.program("mgmt", "ctl", "sluicectl"), "--run-dir", l.appliance.run_dir, "capture", "-w",
                   path, "--port", "p0", "--protocol", "tcp", "--snap", "60", "--packets", "4", "--seconds", "20"]
        looker = subprocess.Popen(l["admin"].argv(*command), stderr=subprocess.PIPE, text=True)
        assert "capturing" in looker.stderr.readline()
        for _ in range(5):
            s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            s.recv(4096)
        done = looker.communicate(timeout=10)[1]
    assert looker.returncode == 0 and "4 frames of" in done, done
    assert len(tcpdump(l, path)) == 4
    with open(path, "rb") as f:
        assert b"Host: " not in f.read(), "frames were not cut"
    done = l.appliance.ctl("capture", "-w", path, "--port", "p7", check=False)
    assert done.returncode == 1 and "p7: no port of this box" in done.stderr, done


@suite.test("#4")
def a_fifth_observer_is_told_that_there_are_four(l):
    with contextlib.ExitStack() as four:
        for _ in range(4):
            four.enter_context(looking(l, "trace", f"{VIP4}:80"))
        done = l.appliance.ctl("flows", check=False)
        assert done.returncode == 1 and "as many observations as there can be" in done.stderr, done
    assert suite.eventually(lambda: l.appliance.ctl("flows", check=False).returncode == 0, "there is place again")

def metrics(l):
    """/metrics as {name with labels: value}; it must be what OpenMetrics says."""
    status, headers, text = l.appliance.api.raw("GET", "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("application/openmetrics-text")
    lines = (text.decode() if isinstance(text, bytes) else text).splitlines()
    assert lines[-1] == "# EOF"
    return {name: float(value) for name, _, value in (x.rpartition(" ") for x in lines if not x.startswith("#"))}


@suite.test("#4")
def loop_times_are_a_histogram_in_metrics_and_in_stats(l):
    for _ in range(20):
        objects.answers(l, VIP4, HOST)
    got = metrics(l)
    for worker in ("0", "1"):
        for kind in ("busy", "idle"):
            labels = f'worker="{worker}",kind="{kind}"'
            buckets = [v for n, v in got.items() if n.startswith(f"sluice_dataplane_round_seconds_bucket{{{labels}")]
            count = got[f"sluice_dataplane_round_seconds_count{{{labels}}}"]
            assert len(buckets) == 24 and buckets == sorted(buckets) and buckets[-1] == count > 0, (labels, buckets)
            assert 0 < got[f"sluice_dataplane_round_seconds_sum{{{labels}}}"], labels
    assert got['sluice_dataplane_core_rx_packets_total{worker="0"}'] > 0
    assert got['sluice_dataplane_core_control_garbage_total{worker="housekeeping"}'] == 0
    stats = dict(line.split() for line in l.appliance.ctl("stats").stdout.splitlines())
    longest = int(stats["worker0.round_longest_ever_ns"])
    assert longest > 1000 and "worker0.round_longest_ever_frames" in stats, stats
    assert any(k.startswith("worker1.round_busy_ns_to_") for k in stats)
