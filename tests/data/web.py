"""A web server on this machine that misbehaves on demand: what a download must cope with."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web:
    """Serves `files` (path -> bytes); the lists below each hold what happens at the next requests, in order."""

    def __init__(self, address: str):
        self.address = address
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, str] = {"ETag": '"v1"'}  # that a file is sent with
        self.ranges = True  # whether a part of a file can be asked for
        self.with_length = True  # whether Content-Length is sent
        self.statuses: list[int] = []  # to answer with instead of the file
        self.content_ranges: list[str] = []  # to send instead of the right one
        self.drops: list[int] = []  # bytes after which the connection is cut
        self.stalls: list[int] = []  # bytes after which nothing comes for `pause` seconds
        self.pause = 1.0
        self.requests: list[dict[str, str]] = []  # headers of each request, in lower case, and its "path"
        self.sent: list[int] = []  # bytes of body sent at each request

    def ranges_asked(self) -> list[str | None]:
        return [request.get("range") for request in self.requests]


@contextmanager
def serving() -> Iterator[Web]:
    """Start a server on a free port and stop it at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.web = Web(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        web: Web = self.server.web
        web.requests.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
        if web.statuses:
            return self._status(web.statuses.pop(0))
        if self.path not in web.files:
            return self._status(404)
        body = web.files[self.path]
        start = self._start(web)
        if start is None:
            self.send_response(200)
            start = 0
        elif start >= len(body):
            return self._status(416, {"Content-Range": f"bytes */{len(body)}"})
        else:
            self.send_response(206)
            right = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self.send_header("Content-Range", web.content_ranges.pop(0) if web.content_ranges else right)
        for name, value in web.headers.items():
            self.send_header(name, value)
        if web.with_length:
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self._send(web, body[start:])

    def _start(self, web: Web) -> int | None:
        """The first byte asked for, None for the whole file: without a range or when the file is another by now."""
        asked = self.headers.get("Range")
        unchanged = self.headers.get("If-Range") in (None, web.headers.get("ETag"), web.headers.get("Last-Modified"))
        return int(asked.removeprefix("bytes=").rstrip("-")) if asked and web.ranges and unchanged else None

    def _send(self, web: Web, body: bytes) -> None:
        cut = web.drops.pop(0) if web.drops else len(body)
        stall = web.stalls.pop(0) if web.stalls else None
        web.sent.append(min(cut, len(body)))
        if stall is not None:
            self.wfile.write(body[:stall])
            self.wfile.flush()
            time.sleep(web.pause)
        else:
            self.wfile.write(body[:cut])

    def _status(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""
