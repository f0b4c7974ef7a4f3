# SPDX-License-Identifier: Apache-2.0
"""The product's answers: image_match, asked line by line."""

import json
import subprocess


class Crashed(Exception):
    """image_match ended; the text is the end of what it wrote to stderr."""


class Image:
    def __init__(self, program):
        self.program = program
        self.process = None

    def ask(self, **line):
        if self.process is None:
            self.process = subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, text=True)
        try:
            self.process.stdin.write(json.dumps(line) + "\n")
            self.process.stdin.flush()
            reply = self.process.stdout.readline()
        except BrokenPipeError:
            reply = ""
        if not reply:
            process, self.process = self.process, None
            raise Crashed(process.communicate()[1][-2000:] or f"status {process.returncode}")
        return json.loads(reply)

    def close(self):
        if self.process is not None:
            self.process.communicate()
            self.process = None

    # ---- the questions of image_match.c

    def open(self, objects):
        """None, or why there is no image."""
        return self.ask(objects=objects).get("error")

    def answers(self, requests):
        return self.ask(requests=[r.as_json() for r in requests])["answers"]

    def explanations(self, requests):
        return self.ask(explain=[r.as_spec() for r in requests])["answers"]

    def ways(self, connections):
        return self.ask(connections=[c.as_json() for c in connections])["answers"]

    def told(self):
        return self.ask(image=True)["image"]
