# SPDX-License-Identifier: Apache-2.0
"""Large bodies through a good and a bad link: every byte arrives, in bounded memory."""
import hashlib
import json
import os
import time

import backend
import beside
import lab as labs
import objects
import origin
import suite
from objects import NS1

HOST = "foo.example.com"
GIB, MIB = 1 << 30, 1 << 20
RSS_GROWTH_MAX = 256 * MIB  # mbuf pools are touched as they are used; a body held in memory would be four times that
LIMIT_S = 240
IMPAIRMENTS = {"clean": [], "loss": ["--seed", "11", "--loss", "1"],
               "bad": ["--seed", "12", "--loss", "5", "--reorder", "5", "--reorder_ms", "2"]}


def lab():
    return labs.Lab("bulk", backends=2, impair=IMPAIRMENTS["clean"])


def prepare(l):
    l.start_backends(backend.Origin)
    objects.bring_up(l, *objects.OVERVIEW)
    address = objects.gateway_address(l, NS1, "foo-gateway")
    suite.eventually(lambda: l.curl(f"http://{HOST}/echo", address=address)[0] == 200, "it serves")


class Memory(beside.Beside):
    """The dataplane's resident memory while a block runs."""

    def __init__(self, process):
        super().__init__(self.watch)
        self.process = process
        self.before = self.most = process.rss_bytes()

    def watch(self):
        while not self.over.wait(0.2):
            self.most = max(self.most, self.process.rss_bytes())

    def require_bounded(self):
        growth = self.most - self.before
        assert growth < RSS_GROWTH_MAX, f"the dataplane grew by {growth / MIB:.0f} MiB to {self.most / MIB:.0f} MiB"


def told(what, length, started, memory):
    took = time.monotonic() - started
    print(f"         {what}: {length / MIB:.0f} MiB in {took:.1f} s, {length * 8 / took / 1e6:.0f} Mbit/s, "
          f"RSS {memory.most / MIB:.0f} MiB", flush=True)


def download(l, what, length):
    address = objects.gateway_address(l, NS1, "foo-gateway")
    started = time.monotonic()
    with Memory(l.appliance.dataplane) as memory:
        done = l["client"].run("sh", "-c", f"curl -sS --max-time {LIMIT_S} --resolve {HOST}:80:{address} "
                               f"http://{HOST}/bytes/{length} | sha256sum", timeout=LIMIT_S + 10)
    told(what, length, started, memory)
    assert done.stdout.split()[0] == origin.expected_sha256(length), done.stderr
    memory.require_bounded()


def upload(l, what, length, *options):
    address = objects.gateway_address(l, NS1, "foo-gateway")
    source = os.path.join(l.dir, "upload")
    with open(source, "wb") as f:
        for piece in origin.pieces(length):
            f.write(piece)
    started = time.monotonic()
    with Memory(l.appliance.dataplane) as memory:
        status, _, body = l.curl(f"http://{HOST}/upload", "-T", source, *options, address=address, timeout=LIMIT_S)
    told(what, length, started, memory)
    os.unlink(source)
    assert status == 200, (status, body)
    assert json.loads(body) == {"length": length, "sha256": origin.expected_sha256(length)}, body
    memory.require_bounded()


@suite.test("#5")
def one_gib_comes_down_and_goes_up_intact(l):
    download(l, "download, no loss", GIB)
    upload(l, "upload, no loss", GIB)


@suite.test("#5")
def one_gib_comes_down_and_goes_up_intact_at_1_percent_loss(l):
    l.start_impairment(*IMPAIRMENTS["loss"])
    download(l, "download, 1 % loss", GIB)
    upload(l, "upload, 1 % loss", GIB)


@suite.test("#5")
def sixty_four_mib_pass_intact_at_5_percent_loss_with_reordering(l):
    l.start_impairment(*IMPAIRMENTS["bad"])
    download(l, "download, 5 % loss, reordering", 64 * MIB)
    upload(l, "upload, 5 % loss, reordering", 64 * MIB)


@suite.test("#5")
def chunked_bodies_pass_intact_both_ways(l):
    l.start_impairment(*IMPAIRMENTS["clean"])
    address = objects.gateway_address(l, NS1, "foo-gateway")
    status, headers, body = l.curl(f"http://{HOST}/chunked/{8 * MIB}", address=address, timeout=60)
    assert status == 200 and headers.get("transfer-encoding") == "chunked", headers
    assert hashlib.sha256(body).hexdigest() == origin.expected_sha256(8 * MIB)
    upload(l, "chunked upload", 64 * MIB, "-H", "Transfer-Encoding: chunked")


@suite.test("#5")
def a_client_that_does_not_read_stops_the_backend_instead_of_filling_memory(l):
    address = objects.gateway_address(l, NS1, "foo-gateway")
    with Memory(l.appliance.dataplane) as memory:
        socks = [l["client"].connect(address, 80) for _ in range(8)]
        for s in socks:
            s.sendall(f"GET /bytes/{GIB} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        time.sleep(2)
        assert objects.answers(l, address, HOST, "/status/200") is not None
    memory.require_bounded()
    for s in socks:
        s.close()
    status, _, _ = l.curl(f"http://{HOST}/echo", address=address)
    assert status == 200, status
