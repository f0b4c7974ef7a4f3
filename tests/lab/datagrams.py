#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A backend of datagrams: each is answered by itself, with a line about it before its bytes, from the address that it
was sent to.

    NAME SOURCE-ADDRESS SOURCE-PORT\\n bytes

To a datagram of "N more", N datagrams "NAME 1" to "NAME N" follow. By TCP the port answers whoever asks whether
it is there.

usage: datagrams.py NAME PORT
"""
import socket
import struct
import sys
import threading

NAME, PORT = sys.argv[1], int(sys.argv[2])
ANY = ("::", PORT, 0, 0)


def dual(kind):
    made = socket.socket(socket.AF_INET6, kind)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(ANY)
    return made


def be_there(listening):
    while True:
        listening.accept()[0].close()


def main():
    datagrams, listening = dual(socket.SOCK_DGRAM), dual(socket.SOCK_STREAM)
    datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    listening.listen(16)
    threading.Thread(target=be_there, args=(listening,), daemon=True).start()
    while True:
        data, about, _, source = datagrams.recvmsg(65535, 128)
        asked = next(d[:16] for level, kind, d in about if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO))

        def answer(what):
            here = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, asked + struct.pack("i", 0))
            datagrams.sendmsg([what], [here], 0, source)
        answer(f"{NAME} {source[0].removeprefix('::ffff:')} {source[1]}\n".encode() + data)
        if data.endswith(b" more"):
            for i in range(1, int(data.split()[0]) + 1):
                answer(f"{NAME} {i}".encode())


main()
