# SPDX-License-Identifier: Apache-2.0
"""Handshakes on crypto cores: all that test_tls asks of a listener, and what only another core can do wrong."""
import contextlib
import socket
import struct
import subprocess
import threading

import lab as labs
import suite
import test_tls as tls

RSA_HOST = "x.example.org"


def lab():
    return labs.Lab("offload", backends=1, workers=2)


def prepare(l):
    l.appliance.options = ["--crypto-cores", "2"]
    tls.prepare(l)


curl_gets_an_answer = tls.curl_gets_an_answer_by_tls_1_3_and_1_2_and_the_backend_hears_of_it
names_choose = tls.the_server_name_chooses_the_certificate
unknown_names = tls.a_name_that_no_listener_has_is_told_so
old_versions = tls.old_versions_weak_suites_and_plain_text_are_refused
large_bodies = tls.large_bodies_go_both_ways
rotation = tls.a_rotated_certificate_is_shown_to_new_connections_and_old_ones_live_on
rotations_under_load = tls.no_request_fails_while_certificates_rotate
resumption = tls.sessions_are_resumed_by_every_worker_and_after_a_restart
ends_are_counted = tls.each_handshake_is_counted_by_its_end


def steps(l):
    counters = l.appliance.counters()
    return counters["tls_steps_here"], counters["tls_steps_away"]


@suite.test("S20")
def crypto_cores_take_the_steps_of_rsa_and_ecdsa_and_workers_none(l):
    for host in (tls.HOST, RSA_HOST):
        here, away = steps(l)
        for version in ("-tls1_3", "-tls1_2"):
            assert "Verify return code: 0" in tls.shown(l, host, version), (host, version)
        assert steps(l)[0] == here and steps(l)[1] >= away + 4, (host, here, away, steps(l))


def hello_of(l, host):
    """A client hello as openssl sends it, taken from a socket on which nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", host],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.closing(server.accept()[0]) as s:
            head = s.recv(5, socket.MSG_WAITALL)
            hello = head + s.recv(struct.unpack("!H", head[3:])[0], socket.MSG_WAITALL)
        client.wait(10)
    return hello


def flood(l, hello, n):
    """`n` clients that say hello and go away with a reset at once: the answer is still being made."""
    for _ in range(n):
        s = l["client"].connect(l.vip, 443)
        s.sendall(hello)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()


@suite.test("S20")
def clients_that_go_away_within_a_step_leave_nothing_behind(l):
    before = tls.ends(l)
    flood(l, hello_of(l, RSA_HOST), 400)

    def all_ended():
        grown = {n: v - before[n] for n, v in tls.ends(l).items()}
        counters = l.appliance.counters()
        return grown["handshakes"] == sum(grown.values()) - grown["handshakes"] and grown["lost"] > 300 and \
            counters["tls_away_now"] == counters["tls_due_now"] == 0
    suite.eventually(all_ended, "each handshake has ended, and no step is under way")
    assert tls.curl(l, tls.HOST)[0] == 200


@suite.test("S20 #5")
def a_dataplane_that_is_told_to_end_with_steps_under_way_does_so(l):
    """Three times, in the middle of a flood; the sanitizers' build sees what would be left."""
    hello = hello_of(l, RSA_HOST)
    for _ in range(3):
        stop = threading.Event()

        def load(stop=stop):
            with contextlib.suppress(OSError):
                while not stop.is_set():
                    flood(l, hello, 1)
        clients = [threading.Thread(target=load) for _ in range(4)]
        for c in clients:
            c.start()
        suite.eventually(lambda: l.appliance.counters()["tls_steps_away"] > 100, "crypto cores are at work")
        status = l.appliance.dataplane.end()
        stop.set()
        l.appliance.start_dataplane()
        for c in clients:
            c.join()
        assert status == 0, l.appliance.dataplane.log_end()
        suite.eventually(lambda: tls.curl(l, tls.HOST)[0] == 200, "it serves again", 15)


@suite.test("S20")
def an_option_that_names_no_provider_is_refused_at_start(l):
    options = l.appliance.options
    l.appliance.dataplane.end()
    l.appliance.options = [*options, "--crypto-provider", "nothing-of-that-name"]
    l.appliance.start_dataplane(wait=False)
    status = l.appliance.dataplane.popen.wait(20)
    said = l.appliance.dataplane.log_end()
    l.appliance.options = options
    l.appliance.start_dataplane()
    assert status == 1 and "--crypto-provider" in said, (status, said)
    suite.eventually(lambda: tls.curl(l, tls.HOST)[0] == 200, "it serves again", 15)
