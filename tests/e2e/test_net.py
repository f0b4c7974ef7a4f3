# SPDX-License-Identifier: Apache-2.0
"""Layers 2 to 4 against Linux: both families, echo, closed ports, silence where there is nobody."""
import errno
import socket

import lab as labs
import objects
import suite

NS = "net"
VIP4, VIP6 = "198.18.0.141", "2001:db8::141"


def lab():
    return labs.Lab("net", backends=2)


def prepare(l):
    objects.bring_up(l, "appliance.yaml")
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw", VIP4, VIP6))
    api.put(objects.service(NS, "four"))
    api.put(objects.slice_of(NS, "four", labs.backend_address(1)))
    api.put(objects.service(NS, "six"))
    api.put(objects.slice_of(NS, "six", labs.backend_address(2, 6)))
    for name in ("four", "six"):
        api.put(objects.route(NS, name, [f"{NS}/gw"], [objects.to(name)], f"{name}.example"))
    objects.gateway_address(l, NS, "gw")
    objects.wait_answer(l, VIP4, "four.example", "backend-1")


@suite.test("S3 S19")
def both_families_of_clients_reach_both_families_of_backends(l):
    for vip in (VIP4, VIP6):
        objects.wait_answer(l, vip, "four.example", "backend-1")
        objects.wait_answer(l, vip, "six.example", "backend-2")


@suite.test("#2")
def the_appliance_answers_echo_on_its_own_addresses_and_on_gateways(l):
    for address in ("198.18.0.1", VIP4, "2001:db8::1", VIP6):
        for size in ("56", "1400"):
            done = l["client"].run("ping", "-c", "3", "-i", "0.1", "-W", "2", "-s", size, address, timeout=20)
            assert " 0% packet loss" in done.stdout, done.stdout
    done = l["backend-1"].run("ping", "-c", "2", "-i", "0.1", "-W", "2", "198.18.1.1", timeout=20)
    assert " 0% packet loss" in done.stdout, done.stdout


@suite.test("#2")
def a_port_without_a_listener_is_reset_at_once(l):
    for vip in (VIP4, VIP6):
        try:
            l["client"].connect(vip, 81, timeout=3).close()
            raise AssertionError("somebody listens on port 81")
        except OSError as e:
            assert e.errno == errno.ECONNREFUSED, e


@suite.test("#2")
def an_address_that_no_gateway_has_is_not_answered_for(l):
    done = l["client"].run("ping", "-c", "1", "-W", "1", "198.18.0.149", timeout=10)
    assert "100% packet loss" in done.stdout, done.stdout


@suite.test("S3")
def a_gateway_s_address_goes_with_it(l):
    api = l.appliance.api
    api.put(objects.gateway(NS, "short", "198.18.0.148"))
    objects.gateway_address(l, NS, "short")
    objects.wait_answer(l, "198.18.0.148", "any.example", 404)
    api.delete("Gateway", "short", NS)
    suite.eventually(lambda: l.curl("http://any.example/", address="198.18.0.148", timeout=1)[0] == 0,
                     "nobody answers any more", 8)


@suite.test("#2")
def a_half_closed_connection_still_gets_its_answer(l):
    with l["client"].connect(VIP4, 80) as sock:
        sock.settimeout(5)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: four.example\r\nConnection: close\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        got = b""
        while chunk := sock.recv(4096):
            got += chunk
    assert got.startswith(b"HTTP/1.1 200"), got


@suite.test("#2")
def two_hundred_connections_at_once_are_all_served(l):
    socks = l["client"].inside(lambda: [socket.create_connection((VIP4, 80), 5) for _ in range(200)])
    try:
        for s in socks:
            s.sendall(b"GET / HTTP/1.1\r\nHost: four.example\r\n\r\n")
        for s in socks:
            s.settimeout(5)
            assert s.recv(4096).startswith(b"HTTP/1.1 200")
    finally:
        for s in socks:
            s.close()


@suite.test("#2")
def junk_frames_are_counted_and_do_no_harm(l):
    sender = ("import os,socket;s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW);s.bind(('eth0',0));"
              "[s.send(b'\\xff'*6+os.urandom(6)+t+os.urandom(n)) for t in (b'\\x08\\x00',b'\\x86\\xdd',b'\\x08\\x06',"
              "b'\\x81\\x00',b'\\x12\\x34') for n in (0,1,20,40,60,500) for _ in range(20)]")
    l["client"].run("python3", "-c", sender, check=True)
    assert objects.answers(l, VIP4, "four.example") == "backend-1"
    assert l.appliance.dataplane.is_running()
