"""An API that answers what a test says and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """Its body, decoded."""
        return json.loads(self.body)


@dataclass
class FakeApi:
    """What it answers to which request; the last answer of a row is repeated.

    Attributes:
        url: where it listens.
        asked: all requests in order.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    _rows: dict[tuple[str, str], list[tuple[int, bytes]]] = field(default_factory=dict)
    _left: dict[tuple[str, str], int] = field(default_factory=dict)

    def says(self, method: str, path: str, *answers: Any, status: int = 200) -> None:
        """Answer so from now on: text as it is, all else as JSON."""
        rows = [answer.encode() if isinstance(answer, str) else json.dumps(answer).encode() for answer in answers]
        self._rows[method, path] = [(status, row) for row in rows]

    def stops_after(self, method: str, path: str, count: int) -> None:
        """Refuse such requests after so many."""
        self._left[method, path] = count

    def to(self, method: str, path: str) -> list[Asked]:
        """The requests of one kind."""
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]

    def answer(self, asked: Asked) -> tuple[int, bytes]:
        """Remember a request and answer it."""
        self.asked.append(asked)
        rows = self._rows.get((asked.method, asked.path))
        left = self._left.get((asked.method, asked.path))
        if left is not None:
            self._left[asked.method, asked.path] = left - 1
        if not rows or left == 0:
            return 404, json.dumps({"error": f"no row for {asked.method} {asked.path}"}).encode()
        return rows.pop(0) if len(rows) > 1 else rows[0]


@contextmanager
def serving() -> Iterator[FakeApi]:
    """A fake API on a port of its own."""
    fake = FakeApi()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), body, headers)
            status, content = fake.answer(asked)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()
