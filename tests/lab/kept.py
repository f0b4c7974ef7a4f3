# SPDX-License-Identifier: Apache-2.0
"""HTTP requests on one connection that is kept: what the clients of the lab and of tests/mgmt have in common."""
import http.client
import json


class Kept:
    """`connect()` of the class below makes `self.connection`; it is called again when the server has closed it."""

    connection = None

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def request(self, method, url, body, headers, content_type):
        """(status, headers, bytes) of one request; `body` is bytes, None or what JSON can say."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        if data is not None and content_type:
            headers = {**headers, "Content-Type": content_type}
        for attempt in (1, 2):
            fresh = self.connection is None
            try:
                if fresh:
                    self.connect()
                self.connection.request(method, url, data, headers)
                answer = self.connection.getresponse()
                text = answer.read()
                if answer.will_close:
                    self.close()
                return answer.status, answer.headers, text
            except (OSError, http.client.HTTPException):
                self.close()
                if fresh or attempt == 2:
                    raise
        raise AssertionError("not reached")
