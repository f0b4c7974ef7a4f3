# SPDX-License-Identifier: Apache-2.0
"""Maglev's table (NSDI 2016, section 3.4) and SipHash-2-4, written from the papers: what part of all flows an ideal box
would send elsewhere when backends change."""
import socket

PLACES = 65537
MASK = (1 << 64) - 1


def siphash(key, data):
    """SipHash-2-4 of bytes, by a key of two words."""
    def left(x, n):
        return ((x << n) | (x >> (64 - n))) & MASK

    v = [key[0] ^ 0x736F6D6570736575, key[1] ^ 0x646F72616E646F6D, key[0] ^ 0x6C7967656E657261,
         key[1] ^ 0x7465646279746573]

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = left(v[1], 13) ^ v[0]
            v[0] = left(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = left(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = left(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = left(v[1], 17) ^ v[2]
            v[2] = left(v[2], 32)

    whole = len(data) // 8 * 8
    last = int.from_bytes(data[whole:], "little") | (len(data) & 255) << 56
    for word in [int.from_bytes(data[i:i + 8], "little") for i in range(0, whole, 8)] + [last]:
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def table(*endpoints):
    """Whose each place is, of endpoints (IPv4 address, port) of one weight."""
    nodes = []
    for address, port in endpoints:
        mapped = b"\0" * 10 + b"\xff\xff" + socket.inet_aton(address)
        key = siphash((0, 0), mapped + port.to_bytes(2, "big"))
        skip = siphash((1, 0), key.to_bytes(8, "little")) % (PLACES - 1) + 1
        nodes.append([key, key % PLACES, skip, (address, port)])
    nodes.sort()
    places = [None] * PLACES
    taken = 0
    while taken < PLACES:
        for node in nodes[:PLACES - taken]:
            while places[node[1]] is not None:
                node[1] = (node[1] + node[2]) % PLACES
            places[node[1]] = node[3]
            taken += 1
    return places


def changed(before, after):
    """The part of the places that are another's in the second table."""
    return sum(a != b for a, b in zip(before, after)) / PLACES
