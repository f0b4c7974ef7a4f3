# SPDX-License-Identifier: Apache-2.0
"""A virtual machine in a namespace of a lab: a Linux (tests/peers/linux) with two interfaces, each at the end of a
wire. QEMU emulates its processor, for machines that run labs may have none to lend.

    appliance member ---- to-MEMBER wire-MEMBER vm-MEMBER ---- eth0, eth1 of the machine
"""
import itertools
import re
import subprocess

import backend
import namespace
import process

BOOT_LIMIT_S = 180  # ten on an idle machine
ASK_LIMIT_S = 60
LACP = 1 << 2  # of a bridge's port: passes on what comes to 01:80:c2:00:00:02


def wire(l, box, member, where):
    """From the box's interface, which is made, to one for a machine: all frames pass, LACP's among them. Returns its
    name."""
    namespace.link(box, member, where, f"to-{member}")
    box.sysctl(**{f"net__ipv6__conf__{member}__disable_ipv6": 1})
    where.ip("tuntap", "add", "dev", f"vm-{member}", "mode", "tap")
    where.ip("link", "set", f"vm-{member}", "up")
    namespace.bridge(where, f"wire-{member}", f"to-{member}", f"vm-{member}")
    for end in (f"to-{member}", f"vm-{member}"):
        where.ip("link", "set", end, "type", "bridge_slave", "group_fwd_mask", str(LACP))
    return f"vm-{member}"


class Machine(process.Process):
    """`taps` are its interfaces in the namespace `where`; `built` is what build.linux() gave."""

    stdin = subprocess.PIPE  # its serial console, whose other way is the log

    def __init__(self, l, name, where, built, taps, address4, address6):
        kernel, initramfs = built
        words = f"console=ttyS0 quiet panic=-1 address={address4} address6={address6} port={backend.PORT}"
        argv = ["qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-nodefaults", "-no-reboot", "-display", "none",
                "-serial", "stdio", "-kernel", kernel, "-initrd", initramfs, "-append", words]
        for n, tap in enumerate(taps):
            # Without a header for offloads, so what the machine sends has all its checksums; and bonds want a speed.
            argv += ["-netdev", f"tap,id={tap},ifname={tap},script=no,downscript=no,vnet_hdr=off", "-device",
                     f"virtio-net-pci,netdev={tap},mac=02:00:5e:00:bb:{n + 1:02x},speed=1000,duplex=full,romfile="]
        self.numbers = itertools.count(1)
        super().__init__(name, l[where].argv(*argv), f"{l.logs}/{name}.log")
        l.undo.add(name, self.end)

    def said(self):
        with open(self.log, errors="replace") as f:
            return f.read().replace("\r", "")

    def wait_booted(self):
        self.wait_ready(lambda: "machine: ready\n" in self.said(), "its first program", BOOT_LIMIT_S)

    def ask(self, command):
        """What the command prints there."""
        number = next(self.numbers)
        self.popen.stdin.write(f"echo begin-{number}; {command}; echo end-{number}\n".encode())
        self.popen.stdin.flush()
        told = re.compile(rf"^begin-{number}\n(.*)^end-{number}\n", re.DOTALL | re.MULTILINE)
        return self.wait_ready(lambda: told.search(self.said()), command, ASK_LIMIT_S)[1]
