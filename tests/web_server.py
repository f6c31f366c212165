"""A web server on this machine whose answers a test scripts."""

import contextlib
import email.utils
import functools
import http.server
import threading
import time
from collections import defaultdict


class Web:
    """Serves `files` by path, with ranges; `script[path]` holds functions that answer instead, one per request."""

    def __init__(self, address):
        self.address = address
        self.files = {}
        self.etag = '"one"'
        self.script = defaultdict(list)
        self.seen = []

    def url(self, path):
        return f"{self.address}/{path}"

    def ranges(self):
        return [headers.get("Range") for _, headers in self.seen]

    def answer(self, handler):
        path = handler.path.lstrip("/")
        self.seen.append((path, dict(handler.headers)))
        if self.script[path]:
            self.script[path].pop(0)(handler)
        elif path in self.files:
            self.serve(handler, self.files[path])
        else:
            reply(handler, 404)

    def serve(self, handler, body):
        asked = handler.headers.get("Range")
        if asked and handler.headers.get("If-Range", self.etag) == self.etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            content_range = f"bytes {start}-{len(body) - 1}/{len(body)}"
            reply(handler, 206, body[start:], {"Content-Range": content_range, "ETag": self.etag})
        else:
            reply(handler, 200, body, {"ETag": self.etag})

    # Scripted answers: each gives a function of the handler.

    def status(self, code, **headers):
        return lambda handler: reply(handler, code, b"", {key.replace("_", "-"): text for key, text in headers.items()})

    def says(self, code, body, **headers):
        return lambda handler: reply(
            handler, code, body, {key.replace("_", "-"): text for key, text in headers.items()}
        )

    def cuts(self, sent, *, stall=0.0, drip=0):
        """The file's first `sent` bytes, `drip` at a time; after `stall` seconds the connection closes."""

        def act(handler):
            body = self.files[handler.path.lstrip("/")]
            reply(handler, 200, b"", {"Content-Length": str(len(body)), "ETag": self.etag})
            for start in range(0, sent, drip or sent):
                handler.wfile.write(body[start : min(start + (drip or sent), sent)])
                handler.wfile.flush()
                time.sleep(0.02 if drip else 0)
            time.sleep(stall)
            handler.close_connection = True

        return act

    def later(self):
        return email.utils.formatdate(time.time() + 1, usegmt=True)


def reply(handler, code, body=b"", headers=()):
    headers = dict(headers)
    handler.send_response(code)
    headers.setdefault("Content-Length", str(len(body)))
    for key, text in headers.items():
        handler.send_header(key, text)
    handler.end_headers()
    handler.wfile.write(body)


class Handler(http.server.BaseHTTPRequestHandler):
    web: Web

    def do_GET(self):
        self.web.answer(self)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """A client that hangs up is what some tests are about."""


@contextlib.contextmanager
def serving():
    """Serve during a block; gives its `Web`."""
    handler = type("Bound", (Handler,), {})
    with Server(("127.0.0.1", 0), handler) as server:
        handler.web = Web(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield handler.web
        server.shutdown()
        thread.join()
