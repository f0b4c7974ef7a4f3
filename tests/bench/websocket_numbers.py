# SPDX-License-Identifier: Apache-2.0
"""What an idle WebSocket costs beside HAProxy and nginx, by HTTP/1.1 and by HTTP/2 (a hundred to a connection).

Ours is what it has of the pools (http/conn_memory.c) and of the heap of HTTP/2's library; of the peers the resident
memory of the process. The kernel's part of theirs comes on top, as TCP's does for ours. nginx knows RFC 8441 not.
"""
import os
import sys

import run  # noqa: F401 (it knows where the lab's modules are)
import lab as labs
import crowd
import objects
import peers
import suite

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import build  # noqa: E402 (its folder is known only now)

NS, HOST = "crowd", "crowd.example.com"
WARM, CONNECTIONS = 400, 4000
STREAMS = 100
WAYS = {"h1": 0, "h2": STREAMS}
LOCALS = [f"{labs.FRONT4}.{n}" for n in range(20, 24)]

HAPROXY = """
global
    nbthread 1
    maxconn 9000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 3600s
frontend web
    bind {front}:80 backlog 4096
    default_backend servers
backend servers
{servers}
"""

NGINX = """
daemon off; master_process off; worker_processes 1; pid {dir}/pid; error_log stderr;
events {{ worker_connections 18000; }}
http {{
    access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
    fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
    upstream servers {{ {servers} }}
    server {{
        listen {front}:80 backlog=4096;
        location / {{ proxy_pass http://servers; proxy_http_version 1.1; proxy_set_header Connection "upgrade";
                     proxy_set_header Upgrade $http_upgrade; proxy_set_header Host $host; proxy_read_timeout 3600s; }}
    }}
}}
"""
PEERS = {"haproxy": (HAPROXY, "    server s{n} {a}:8080\n", ["haproxy", "-db", "-f"], ("h1", "h2")),
         "nginx": (NGINX, "server {a}:8080; ", ["nginx", "-p", ".", "-e", "stderr", "-c"], ("h1",))}


def bring_up(l):
    crowd.raise_file_limit()
    l.program = build.build("crowd")
    l["client"].address("eth0", *(f"{a}/24" for a in LOCALS))
    for n in (1, 2):
        l.start(f"server-{n}", f"backend-{n}", l.program, "serve", "8080")
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw"))
    api.put(objects.service(NS, "server"))
    api.put(objects.slice_of(NS, "server", *(labs.backend_address(n) for n in (1, 2))))
    api.put(objects.route(NS, "ws", [f"{NS}/gw"], [objects.to("server")], HOST))
    l.vip = objects.gateway_address(l, NS, "gw")
    wait_answer(l, l.vip)
    peers.plug_in(l)


def wait_answer(l, address):
    suite.eventually(lambda: l.curl(f"http://{HOST}/", address=address, timeout=2)[0] == 200, "it serves", 20)


def grown(l, address, way, bytes_now):
    """By how much that grows for one more."""
    client = l.start(f"crowd-{way}-{address}", "client", l.program, "ask", "-address", f"{address}:80", "-host", HOST,
                     "-streams", str(WAYS[way]), "-locals", ",".join(LOCALS), pipe=True, kind=crowd.Crowd)
    said = client.tell("open", WARM)
    before = bytes_now()
    assert said["right"] == WARM, said
    said = client.tell("open", CONNECTIONS)
    assert said["right"] == CONNECTIONS, said
    after = bytes_now()
    client.end()
    return (after - before) / CONNECTIONS


def start(l, kind):
    text, server, argv, _ = PEERS[kind]
    where = os.path.join(l.dir, kind)
    os.makedirs(where, exist_ok=True)
    servers = "".join(server.format(n=n, a=labs.backend_address(n)) for n in (1, 2))
    with open(os.path.join(where, "config"), "w") as f:
        f.write(text.format(front=peers.FRONT, dir=where, servers=servers))
    started = l.start(f"peer-{kind}", "peer", *argv, os.path.join(where, "config"))
    wait_answer(l, peers.FRONT)
    return started


def measure(records):
    """{way: {who: bytes}}; `records`: what ours has of the pools, by way."""
    found = {way: {} for way in WAYS}
    with labs.Lab("bench-websocket", backends=2) as l:
        bring_up(l)
        for way in WAYS:
            heap = grown(l, l.vip, way, lambda: l.appliance.counters()["h2_heap_bytes_now"])
            found[way]["sluice"] = records[way] + heap
        for kind in PEERS:
            for way in PEERS[kind][3]:
                started = start(l, kind)
                found[way][kind] = grown(l, peers.FRONT, way, started.rss_bytes)
                started.end()
    return found
