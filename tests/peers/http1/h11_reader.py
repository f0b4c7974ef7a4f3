#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""h11 as a reader of requests; input and output as main.go's. The system's Python, whose package h11 is."""
import base64
import json
import sys

import h11


def answer(conn):
    """Is there to be another request?"""
    conn.send(h11.Response(status_code=404, headers=[("Content-Length", "0")]))  # 200 would make CONNECT a tunnel
    conn.send(h11.EndOfMessage())
    if conn.our_state is not h11.DONE or conn.their_state is not h11.DONE:
        return False
    conn.start_next_cycle()
    return True


def read(raw):
    """(requests that it took whole, did it refuse something)."""
    conn = h11.Connection(h11.SERVER)
    conn.receive_data(raw)
    conn.receive_data(b"")
    requests, method, body = [], None, b""
    try:
        while True:
            event = conn.next_event()
            if isinstance(event, h11.Request):
                method, body = event.method.decode(), b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                requests.append({"method": method, "body": base64.b64encode(body).decode()})
                if not answer(conn):
                    return requests, False
            else:
                return requests, False
    except h11.RemoteProtocolError:
        return requests, True


if __name__ == "__main__":
    for line in sys.stdin:
        taken, is_refused = read(base64.b64decode(line))
        print(json.dumps({"requests": taken, "refused": is_refused}))
