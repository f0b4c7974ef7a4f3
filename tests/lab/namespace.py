# SPDX-License-Identifier: Apache-2.0
"""Network namespaces and the links between them."""
import ctypes
import os
import socket
import subprocess
import threading

import cleanup

CLONE_NEWNET = 0x40000000


def command(*argv, check=True, timeout=60):
    """Runs a command that sets something up; a failure carries what it said."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Namespace:
    """One namespace, `name` within the lab, `full` on the machine."""

    def __init__(self, lab_prefix, name):
        self.name = name
        self.full = f"{lab_prefix}-{name}"
        command("ip", "netns", "add", self.full)
        self.ip("link", "set", "lo", "up")

    def remove(self):
        command("ip", "netns", "delete", self.full)

    def ip(self, *args):
        return command("ip", "-n", self.full, *args)

    def argv(self, *argv):
        """The command line that runs `argv` inside. `ip netns exec` execs: the pid is the program's."""
        return ["ip", "netns", "exec", self.full, *argv]

    def run(self, *argv, timeout=60, check=False, **kw):
        """Runs a command inside to its end; its output as text."""
        kw = {"capture_output": True, "text": True, **kw}
        return subprocess.run(self.argv(*argv), timeout=timeout, check=check, **kw)

    def sysctl(self, **values):
        """net.ipv4.conf.all.x is written net__ipv4__conf__all__x."""
        for name, value in values.items():
            self.run("sysctl", "-q", "-w", f"{name.replace('__', '.')}={value}", check=True)

    def address(self, interface, *addresses):
        for a in addresses:
            self.ip("address", "add", a, "dev", interface, *(["nodad"] if ":" in a else []))

    def inside(self, function, *args):
        """Runs `function` on a thread whose namespace is this one: sockets made there stay in it."""
        result = []

        def body():
            with open(f"/run/netns/{self.full}") as handle:
                if cleanup.LIBC.setns(handle.fileno(), CLONE_NEWNET) != 0:
                    result.append(OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno())))
                    return
            try:
                result.append(function(*args))
            except OSError as e:
                result.append(e)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if isinstance(result[0], OSError):
            raise result[0]
        return result[0]

    def connect(self, host, port, timeout=10):
        """A TCP connection made inside."""
        return self.inside(lambda: socket.create_connection((host, port), timeout))


def link(a, a_interface, b, b_interface, mtu=1500):
    """A veth between two namespaces, both ends up.

    Checksums are made by software at both ends: a veth that promises to do it never does, and what reads
    frames raw (AF_XDP, packet sockets) would see packets without them. Without checksum offload there is no
    segmentation offload either, so every frame fits the MTU. Nor are VLAN tags kept beside the frame, where AF_XDP
    does not see them.
    """
    a.ip("link", "add", a_interface, "mtu", str(mtu), "type", "veth", "peer", "name", b_interface,
         "mtu", str(mtu), "netns", b.full)
    for namespace, interface in ((a, a_interface), (b, b_interface)):
        namespace.run("ethtool", "-K", interface, "tx", "off", "gro", "off", "txvlan", "off", check=True)
        namespace.sysctl(**{f"net__ipv6__conf__{interface}__accept_dad": 0})
        namespace.ip("link", "set", interface, "up")


def bridge(namespace, name, *interfaces):
    """A switch in `namespace` with these ports; no spanning tree, no multicast snooping: a wire with many ends."""
    namespace.ip("link", "add", name, "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")
    namespace.sysctl(**{f"net__ipv6__conf__{name}__disable_ipv6": 1})
    for interface in interfaces:
        attach(namespace, name, interface)
    namespace.ip("link", "set", name, "up")


def attach(namespace, bridge_name, interface):
    """Plugs an interface into a switch."""
    namespace.sysctl(**{f"net__ipv6__conf__{interface}__disable_ipv6": 1})
    namespace.ip("link", "set", interface, "master", bridge_name)
