#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A backend of many connections, by TCP and, with CERTIFICATE and KEY, by TLS on a port of its own: each line is
answered by one of who it is, and who asked.

    NAME SOURCE-ADDRESS SOURCE-PORT\\n

usage: many.py NAME PORT [TLS-PORT CERTIFICATE KEY]
"""
import asyncio
import ssl
import sys

NAME = sys.argv[1]


async def talk(reader, writer):
    address, port = writer.get_extra_info("peername")[:2]
    try:
        while await reader.readline():
            writer.write(f"{NAME} {address.removeprefix('::ffff:')} {port}\n".encode())
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def main(port, tls_port=None, *pair):
    servers = [await asyncio.start_server(talk, None, port, backlog=1024)]
    if tls_port:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*pair)
        servers.append(await asyncio.start_server(talk, None, tls_port, backlog=1024, ssl=tls))
    await asyncio.gather(*(s.serve_forever() for s in servers))


asyncio.run(main(int(sys.argv[2]), *sys.argv[3:]))
