#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A WebSocket client. usage: client.py ADDRESS HOST PATH WHAT [N [CA]]; prints what came of it as JSON. With a CA's
file it speaks TLS. HOST may be user:password@host."""
import asyncio
import json
import os
import ssl
import sys

import websockets

MESSAGE_BYTES_MAX = 64 << 20
AT_ONCE = 50


def connect(address, host, path, **how):
    scheme, port = "ws", 80
    if len(sys.argv) > 6:
        scheme, port = "wss", 443
        how = {"ssl": ssl.create_default_context(cafile=sys.argv[6]), "server_hostname": host.rpartition("@")[2], **how}
    return websockets.connect(f"{scheme}://{host}{path}", host=address, port=port, ping_interval=None, open_timeout=30,
                              max_size=MESSAGE_BYTES_MAX, **how)


async def echo(address, host, path, n):
    """Messages of many sizes, whole and in fragments, text and bytes."""
    async with connect(address, host, path, compression=None) as ws:
        sizes = [0, 1, 125, 126, 65535, 65536, n]
        for size in sizes:
            for message in ("x" * size, bytes(i & 255 for i in range(size))):
                await ws.send(message)
                assert await ws.recv() == message, size
        await ws.send(str(i) * 1000 for i in range(50))  # a frame each
        assert await ws.recv() == "".join(str(i) * 1000 for i in range(50))
    return {"closed": ws.close_code}


async def ping(address, host, path, _n):
    async with connect(address, host, path) as ws:
        await (await ws.ping(b"you"))
        return {"said": await ws.recv()}


async def bye(address, host, path, _n):
    """The server closes first."""
    async with connect(address, host, path) as ws:
        said = await ws.recv()
        await ws.wait_closed()
        return {"said": said, "closed": ws.close_code, "reason": ws.close_reason}


async def stay(address, host, path, _n):
    """Says something again and again, until there is a file of the path's name beside the CA's."""
    said = 0
    async with connect(address, host, path, compression=None) as ws:
        while said == 0 or not os.path.exists(sys.argv[6] + path.replace("/", ".")):
            await ws.send(f"still here {said}")
            assert await ws.recv() == f"still here {said}"
            said += 1
            await asyncio.sleep(0.02)
    return {"closed": ws.close_code}


async def conformance(address, host, path, _n):
    """What the test of Gateway API's suite sends."""
    async with connect(address, host, path, origin="ws://gateway/test") as ws:
        for message in ("Websocket Support!", bytes(range(1, 8))):
            await ws.send(message)
            back = await ws.recv()  # as text or as bytes: its echo server does not tell them apart
            assert message in (back, back.encode() if isinstance(back, str) else back), back
    return {}


async def refused(address, host, path, _n):
    try:
        async with connect(address, host, path):
            return {"status": 101}
    except websockets.InvalidStatusCode as e:
        return {"status": e.status_code}


async def many(address, host, path, n):
    """So many at once, all of which work at the end."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def begin():
        async with gate:
            return await connect(address, host, path, compression=None)
    held = await asyncio.gather(*(begin() for _ in range(n)))

    async def use(i, ws):
        await ws.send(f"I am {i}")
        return await ws.recv() == f"I am {i}"
    right = await asyncio.gather(*(use(i, ws) for i, ws in enumerate(held)))
    await asyncio.gather(*(ws.close() for ws in held))
    return {"right": sum(right), "closed": sorted({ws.close_code for ws in held})}

if __name__ == "__main__":
    what = {f.__name__: f for f in (echo, ping, bye, stay, conformance, refused, many)}[sys.argv[4]]
    print(json.dumps(asyncio.run(what(*sys.argv[1:4], int(sys.argv[5]) if len(sys.argv) > 5 else 0))))
