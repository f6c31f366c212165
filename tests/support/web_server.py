"""A web server on this machine whose answers a test scripts."""

import contextlib
import functools
import http.server
import threading
import time
from collections import defaultdict


class Web:
    """Serves `files` by path; `script[path]` holds functions of the handler that answer
    instead, one per request."""

    def __init__(self, address):
        self.address = address
        self.files = {}
        self.script = defaultdict(list)
        self.seen = []

    def url(self, path):
        return f"{self.address}/{path}"

    def answer(self, handler):
        path = handler.path.lstrip("/")
        self.seen.append(path)
        if self.script[path]:
            self.script[path].pop(0)(handler)
        elif path in self.files:
            reply(handler, 200, self.files[path])
        else:
            reply(handler, 404)

    def status(self, code):
        return lambda handler: reply(handler, code)

    def cuts(self, count, *, stall=0.0):
        """The file's first `count` bytes; after `stall` seconds the connection closes."""

        def act(handler):
            body = self.files[handler.path.lstrip("/")]
            reply(handler, 200, body[:count], len(body))
            handler.wfile.flush()
            time.sleep(stall)
            handler.close_connection = True

        return act


def reply(handler, code, body=b"", length=None):
    handler.send_response(code)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """A client that hangs up is what some tests are about."""


@contextlib.contextmanager
def serving():
    """Serve during a block; gives its `Web`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            web.answer(self)

        def log_message(self, *_):
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        web = Web(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(
            target=functools.partial(server.serve_forever, poll_interval=0.01)
        )
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()
