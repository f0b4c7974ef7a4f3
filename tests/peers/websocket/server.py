#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A WebSocket server whose path says what it does. usage: server.py PORT"""
import asyncio
import http
import sys

import websockets

MESSAGE_BYTES_MAX = 64 << 20


async def serve(ws):
    if ws.path == "/bye":
        await ws.send("going")
        await ws.close(1001, "away")
    elif ws.path == "/ping":
        await (await ws.ping(b"are you there"))
        await ws.send("ponged")
    async for message in ws:
        await ws.send(message)


async def answer_plainly(path, _headers):
    if path == "/plain":
        return http.HTTPStatus.OK, [], b"plain"
    return (http.HTTPStatus.NOT_FOUND, [], b"missing") if path == "/missing" else None


async def main(port):
    async with websockets.serve(serve, "0.0.0.0", port, process_request=answer_plainly, backlog=1024,
                                ping_interval=None, max_size=MESSAGE_BYTES_MAX):
        await asyncio.Future()

if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
