#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a pod has that answers clients itself (forwarding IPIP or GUE): takes the packets out of those that come, and
gives them to the kernel by the interface "unpacked". In the place of Linux' ipip and fou, which not every kernel has.

    IPIP    protocol 4, or 41 for one of IPv6: the packet follows the IP header
    GUE     UDP to port 6080: four bytes, then the packet

usage: unpack.py
"""
import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
GUE_PORT, GUE_BYTES = 6080, 4
PACKET_MAX = 65535


def main():
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", b"unpacked", IFF_TUN | IFF_NO_PI))
    ipip = [socket.socket(socket.AF_INET, socket.SOCK_RAW, p) for p in (socket.IPPROTO_IPIP, socket.IPPROTO_IPV6)]
    gue = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    gue.bind(("0.0.0.0", GUE_PORT))
    print("ready", flush=True)
    while True:
        for s in select.select([*ipip, gue], [], [])[0]:
            data = s.recv(PACKET_MAX)
            skipped = GUE_BYTES if s is gue else (data[0] & 15) * 4
            if len(data) > skipped:
                os.write(tun, data[skipped:])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
