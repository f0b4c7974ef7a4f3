#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an idle keep-alive connection costs HAProxy and nginx: `name bytes` lines. In a network of its own (unshare -n).

Each answers by itself, with no backend, which is its best case. Measured is the process' resident memory; what the
kernel holds for the socket and the file comes on top, as TCP's does for ours.
"""
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time

PORT = 8080
WARM, CONNECTIONS = 400, 8000  # HAProxy wants two files for each it may have
REQUEST = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"

HAPROXY = """
global
    nbthread 1
    maxconn 9000
defaults
    mode http
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout http-keep-alive 600s
frontend web
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain string ok
"""

NGINX = """
daemon off; master_process off; worker_processes 1; pid {dir}/pid; error_log stderr;
events {{ worker_connections 9000; }}
http {{
    access_log off; keepalive_timeout 600; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
    fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
    server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 "ok"; }} }}
}}
"""


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


def ask():
    """A connection that has asked once."""
    s = socket.create_connection(("127.0.0.1", PORT), timeout=10)
    s.sendall(REQUEST)
    got = b""
    while b"ok" not in got.partition(b"\r\n\r\n")[2]:
        more = s.recv(4096)
        assert more, got
        got += more
    return s


def wait_ready(process):
    for _ in range(100):
        assert process.poll() is None, "the peer did not start"
        try:
            return ask().close()
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the peer does not answer")


def measure(argv):
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_ready(process)
        held = [ask() for _ in range(WARM)]
        before = resident_bytes(process.pid)
        held += [ask() for _ in range(CONNECTIONS)]
        return (resident_bytes(process.pid) - before) / CONNECTIONS
    finally:
        process.terminate()
        process.wait()


def main():
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory() as where:
        for name, text, argv in (("haproxy", HAPROXY, ["haproxy", "-db", "-f"]),
                                 ("nginx", NGINX, ["nginx", "-p", where, "-e", "stderr", "-c"])):
            path = os.path.join(where, name)
            with open(path, "w") as f:
                f.write(text.format(port=PORT, dir=where))
            print(name, measure([*argv, path]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
