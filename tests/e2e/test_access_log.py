# SPDX-License-Identifier: Apache-2.0
"""The access log: a line of JSON for each request, with the reason of each answer that is not the backend's."""
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess

import backend
import lab as labs
import objects
import suite

NS = "log"
VIP4, VIP6 = "198.18.0.143", "2001:db8::143"
HOST = "log.example"
FIELDS = {"time", "client", "client_port", "local", "local_port", "worker", "method", "host", "path", "is_cut",
          "status", "end", "listener", "protocol", "is_h2", "route", "rule", "backend", "generation", "endpoint",
          "tries", "request_bytes", "response_bytes", "total_us", "head_us", "connect_us"}


def lab():
    return labs.Lab("access_log", backends=1, workers=2)


def prepare(l):
    l.log = os.path.join(l.dir, "access.log")
    l.appliance.options = ["--access-log", l.log]
    l.start_backends(backend.Origin)
    objects.bring_up(l, "appliance.yaml")
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw", VIP4, VIP6))
    for name, port, *addresses in (("one", 8080, labs.backend_address(1)), ("closed", 9, labs.backend_address(1)),
                                   ("empty", 8080)):
        api.put(objects.service(NS, name))
        api.put(objects.slice_of(NS, name, *addresses, port=port))
    api.put(objects.route(NS, "shop", [f"{NS}/gw"], [
        objects.to("one"),
        at("/closed", objects.to("closed")), at("/empty", objects.to("empty")), at("/nobody", {}),
        at("/slow", {**objects.to("one"), "timeouts": {"request": "300ms"}}),
        at("/moved", {"filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 302}}]})], HOST))
    objects.gateway_address(l, NS, "gw")
    suite.eventually(lambda: ask(l, "/echo/ready")[0] == 200, "it serves")


def at(path, rule):
    return objects.matching({"path": {"type": "PathPrefix", "value": path}}, rule)


def ask(l, path, *options, host=HOST, vip=VIP4):
    return l.curl(f"http://{host}{path}", *options, address=vip)


def lines(path):
    """What the log has by now; each line has to be JSON."""
    try:
        with open(path, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.endswith("\n")]
    except FileNotFoundError:
        return []


def line_of(l, path):
    """The one line of the request for this path."""
    def found():
        return [r for r in lines(l.log) if r["path"] == path]
    seen = suite.eventually(found, f"a line for {path}")
    assert len(seen) == 1, seen
    return seen[0]


def line_of_connection(l, before, local_port, client_port, limit_s=suite.ANSWER_WAIT_S):
    """Behind the first `before` lines: earlier connections had some of the same ports."""
    def found():
        return next((r for r in lines(l.log)[before:]
                     if (r["local_port"], r["client_port"]) == (local_port, client_port)), None)
    return suite.eventually(found, f"a line for the connection from {client_port} to {local_port}", limit_s)


def check_whole(l, *logs):
    """Every request that was taken is a line, and none was lost."""
    def is_whole():
        c = l.appliance.counters()
        lost = c["core_access_lost_ring"] + c["core_access_lost_file"]
        assert lost == 0, f"{lost} lost"
        seen = [r for log in logs for r in lines(log) if not r["end"].startswith("refused_")]
        return c["proxy_requests"] == len(seen)
    suite.eventually(is_whole, "a line for each request")


@suite.test("#5")
def a_line_says_who_asked_what_where_it_went_and_how_long_it_took(l):
    assert ask(l, "/upload/1?secret=1", "-d", "12345")[0] == 200
    r = line_of(l, "/upload/1")
    assert set(r) == FIELDS, set(r) ^ FIELDS
    assert (r["client"], r["local"], r["local_port"]) == (labs.CLIENT4, VIP4, 80) and r["client_port"] > 0, r
    assert (r["method"], r["host"], r["status"], r["end"]) == ("POST", HOST, 200, "complete"), r
    assert (r["listener"], r["route"], r["rule"]) == (f"{NS}/gw/web", f"{NS}/shop", 0), r
    assert (r["backend"], r["endpoint"]) == (f"{NS}/one:8080", f"{labs.backend_address(1)}:8080"), r
    assert r["generation"] == l.appliance.generation() and r["tries"] == 1 and not r["is_cut"], r
    assert r["request_bytes"] == 5 and r["response_bytes"] > 0, r
    assert 0 < r["head_us"] <= r["total_us"] and r["time"].endswith("Z"), r
    assert ask(l, "/echo/6", vip=VIP6)[0] == 200
    r = line_of(l, "/echo/6")
    assert (r["client"], r["local"]) == (labs.CLIENT6, VIP6), r


@suite.test("#5")
def each_way_to_end_is_one_line_with_its_reason(l):
    rows = (("/echo/a", HOST, 200, "complete"), ("/status/404", HOST, 404, "complete"),
            ("/status/503", HOST, 503, "complete"), ("/moved/a", HOST, 302, "redirect"),
            ("/nowhere", "other.example", 404, "no_route"), ("/nobody/a", HOST, 500, "rule_fault"),
            ("/empty/a", HOST, 503, "no_endpoint"), ("/closed/a", HOST, 502, "backend_refused"),
            ("/reset", HOST, 502, "backend_silent"), ("/slow/5000", HOST, 504, "backend_timeout"))
    for path, host, status, end in rows:
        assert ask(l, path, host=host)[0] == status, path
        r = line_of(l, path)
        assert (r["status"], r["end"]) == (status, end), r
        assert (r["backend"] is None) == (end in ("redirect", "no_route", "rule_fault")), r
        assert (r["endpoint"] is None) == (r["tries"] == 0 or end == "no_endpoint"), r
        assert (r["head_us"] is None) == (end != "complete"), r
    assert line_of(l, "/closed/a")["connect_us"] is None
    assert line_of(l, "/slow/5000")["total_us"] >= 300000
    check_whole(l, l.log)


@suite.test("#5")
def what_was_cut_on_either_side_says_so(l):
    assert ask(l, "/cut/1000")[0] == 0
    r = line_of(l, "/cut/1000")
    assert (r["status"], r["end"]) == (200, "backend_cut") and r["response_bytes"] < 1000, r
    before = l.appliance.counters()["proxy_request_bytes"]
    with l["client"].connect(VIP4, 80) as sock:
        sock.sendall(f"POST /upload/gone HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 9\r\n\r\n1234".encode())
        suite.eventually(lambda: l.appliance.counters()["proxy_request_bytes"] == before + 4, "what came is passed on")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    r = line_of(l, "/upload/gone")
    assert (r["status"], r["end"], r["request_bytes"]) == (None, "client_gone", 4), r


@suite.test("#5")
def a_request_cannot_write_lines_of_its_own(l):
    for target in (b'/echo/"},{"a":1', b"/echo/%0a%22%5c", b"/echo/\xc3\xa4\xff", b"/echo/" + b"x" * 600):
        with l["client"].connect(VIP4, 80) as sock:
            sock.settimeout(5)
            backend.request_bytes(sock, b"GET " + target + b" HTTP/1.1\r\nHost: " + HOST.encode() +
                                  b"\r\nConnection: close\r\n\r\n", lambda got: False)
    check_whole(l, l.log)
    cut = [r for r in lines(l.log) if r["is_cut"]]
    assert len(cut) == 1 and cut[0]["path"].startswith("/echo/xxx"), cut


@suite.test("#5")
def a_head_that_was_refused_is_a_line_with_the_reason_and_what_came_of_it(l):
    host = f"Host: {HOST}\r\n"
    rows = ((f"GET /refused/1?secret=1 HTTP/1.1\r\n{host}{host}\r\n", 400, "host_twice"),
            (f"GET /refused/2 HTTP/1.1\r\n{host}X: {'y' * 40000}\r\n\r\n", 431, "head_long"),
            (f"GET /refused/3{'x' * 40000} HTTP/1.1\r\n{host}\r\n", 414, "target_long"),
            (f"GET /refused/4 HTTP/3.0\r\n{host}\r\n", 505, "version"),
            (f"CONNECT {HOST}:80 HTTP/1.1\r\nHost: {HOST}:80\r\n\r\n", 501, "target_connect"),
            (f"PUT /refused/6 HTTP/1.1\r\n{host}Expect: more\r\n\r\n", 417, "expect"))
    for n, (head, status, fault) in enumerate(rows, 1):
        before = l.appliance.counters()[f"http_refused_{fault}"]
        with l["client"].connect(VIP4, 80) as sock:
            sock.settimeout(5)
            sock.sendall(head.encode())
            assert sock.recv(12) == f"HTTP/1.1 {status}".encode(), head[:80]

        def found():
            return [r for r in lines(l.log) if r["end"] == f"refused_{fault}"]
        seen = suite.eventually(found, f"a line for {fault}")
        assert len(seen) == 1 and l.appliance.counters()[f"http_refused_{fault}"] == before + 1, seen
        r = seen[0]
        assert r["status"] == status and r["method"] == head.split()[0] and r["client"] == labs.CLIENT4, r
        assert r["path"].startswith(f"/refused/{n}" if n != 5 else "") and "secret" not in json.dumps(r), r
        assert r["host"].startswith(HOST if fault != "target_long" else ""), r
        absent = ("listener", "protocol", "route", "rule", "backend", "generation", "endpoint", "head_us")
        assert {r[k] for k in absent} == {None}, r
    check_whole(l, l.log)


def watched(l, ask_all, *args):
    """The requests that `sluicectl requests` shows of those that ask_all() makes; it gives the last one's path."""
    command = [l.appliance.program("mgmt", "ctl", "sluicectl"), "--run-dir", l.appliance.run_dir, "requests", *args]
    before = l.appliance.counters()["core_observations"]
    watcher = subprocess.Popen(l["admin"].argv(*command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "requests for" in watcher.stderr.readline()
        assert l.appliance.counters()["core_observations"] == before + 1
        last = ask_all()
        seen = [json.loads(watcher.stdout.readline())]
        while seen[-1]["path"] != last:
            seen.append(json.loads(watcher.stdout.readline()))
        watcher.send_signal(signal.SIGINT)
        rest, said = watcher.communicate(timeout=10)
        assert watcher.returncode == 0 and f"{len(seen)} requests, 0 lost" in said and not rest, (said, rest)
        return seen
    finally:
        watcher.kill()
        watcher.wait()


@suite.test("#5")
def requests_can_be_watched_as_they_end_all_of_them_or_errors_only(l):
    rounds = iter("xyz")

    def ask_all():
        name = next(rounds)
        for n in range(5):
            ask(l, f"/echo/{name}{n}?secret={n}")
            ask(l, f"/empty/{name}{n}")
        return f"/empty/{name}4"
    seen = watched(l, ask_all, f"{VIP4}:80")
    assert len(seen) == 10 and all(set(r) == FIELDS for r in seen), seen
    for r in seen:
        logged = line_of(l, r["path"])
        assert {**r, "time": ""} == {**logged, "time": ""}, (r, logged)
    seen = watched(l, ask_all, "--errors")
    assert [r["status"] for r in seen] == [503] * 5, seen
    seen = watched(l, ask_all, "--query", labs.CLIENT4)
    assert {r["query"] for r in seen} == {None, *(f"secret={n}" for n in range(5))}, seen


@contextlib.contextmanager
def restarted(l, *options):
    """The dataplane with these options and a log of its own, while the block runs; then as before."""
    before = l.appliance.options
    log = os.path.join(l.dir, "restarted.log")
    try:
        again(l, ["--access-log", log, *options])
        yield log
    finally:
        again(l, before)
        os.remove(log)


def again(l, options):
    assert l.appliance.dataplane.end() == 0
    l.appliance.options = options
    l.appliance.start_dataplane()
    suite.eventually(lambda: ask(l, "/echo/back")[0] == 200, "it serves again")


@suite.test("#5")
def a_log_that_is_moved_away_goes_on_in_a_new_file_and_loses_nothing(l):
    with restarted(l) as log:
        parts = []
        for n in range(4):
            assert l["client"].run("curl", "-sS", "-o", "/dev/null", "--resolve", f"{HOST}:80:{VIP4}",
                                   f"http://{HOST}/echo/part?[1-50]", timeout=30).returncode == 0
            suite.eventually(lambda: os.path.exists(log), "a new file")
            parts.append(f"{log}.{n}")
            os.rename(log, parts[-1])
        ask(l, "/echo/last")
        check_whole(l, log, *parts)
        assert [r["path"] for r in lines(log)][-1] == "/echo/last"


@suite.test("#5")
def a_sample_has_some_of_the_requests_all_errors_and_the_fields_that_were_chosen(l):
    with restarted(l, "--access-sample", "10", "--access-fields", "path,query,status,end") as log:
        assert l["client"].run("curl", "-sS", "-o", "/dev/null", "--resolve", f"{HOST}:80:{VIP4}",
                               f"http://{HOST}/echo/some?n=[1-400]", timeout=60).returncode == 0
        for n in range(20):
            assert ask(l, f"/empty/{n}")[0] == 503
        suite.eventually(lambda: [r for r in lines(log) if r["path"] == "/empty/19"], "the last error")
        seen = lines(log)
        assert sum(r["status"] == 503 for r in seen) == 20, seen
        some = [r for r in seen if r["path"] == "/echo/some"]
        assert 10 <= len(some) <= 90, len(some)
        assert set(some[0]) == {"path", "query", "status", "end"} and some[0]["query"].startswith("n="), some[0]
        assert len({r["query"] for r in some}) == len(some)


@suite.test("#5")
def a_log_that_cannot_be_written_stops_nothing_and_is_counted(l):
    with restarted(l) as log:
        suite.eventually(lambda: lines(log), "its first line")
        os.remove(log)
        os.mkdir(log)  # a directory: no file of that name can be opened
        for n in range(20):
            assert ask(l, f"/echo/{n}")[0] == 200
        suite.eventually(lambda: l.appliance.counters()["core_access_faults"] > 0, "the fault is counted")
        os.rmdir(log)
        suite.eventually(lambda: [r for r in lines(log) if r["path"] == "/echo/19"], "the lines when it can be")
        assert l.appliance.counters()["core_access_lost_file"] == 0
