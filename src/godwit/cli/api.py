"""Talking to a server's HTTP API from the command line."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from godwit.cli import ready
from godwit.errors import InvalidRequest
from godwit.web import plain

TIMEOUT = 60.0
"""Seconds to wait for an answer; a long poll takes 25."""


FILES = ("toml", "args.toml")
"""What texts of files are called in requests."""


class Api:
    """A server's HTTP API.

    Attributes:
        timeout: seconds to wait for an answer.
    """

    def __init__(self, url: str, token: str) -> None:
        """Take the address and the admin token, '' for none.

        Raises:
            InvalidRequest: the address is none.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise InvalidRequest(f"{url!r} is not the address of an API: write it like http://127.0.0.1:8000")
        if not (token.isascii() and token.isprintable()):
            raise InvalidRequest("the admin token has characters that no token has: copy it from the ready file")
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port, self._base = parts.hostname, port, parts.path.rstrip("/")
        self._url = url
        self._token = token
        self.timeout = TIMEOUT

    def get(self, *path: str, **query: object) -> Any:
        """Ask; `query` items that are None are left out."""
        return self._call("GET", path, query, None)

    def post(self, *path: str, body: Mapping[str, object]) -> Any:
        """Have something done."""
        return self._call("POST", path, {}, body)

    def put(self, *path: str, body: Mapping[str, object]) -> Any:
        """Have something written."""
        return self._call("PUT", path, {}, body)

    def upload(self, *path: str, content: bytes, kind: str, **query: object) -> Any:
        """Send a file, or a piece of one; `kind` is its media type."""
        return self._decoded(*self._send("POST", path, query, content, kind))

    def text(self, *path: str, **query: object) -> str:
        """Ask for something that is no JSON."""
        status, content = self._send("GET", path, query, None)
        if status >= 400:
            self._decoded(status, content)
        return content.decode(errors="replace")

    def delete(self, *path: str, **query: object) -> Any:
        """Have something removed."""
        return self._call("DELETE", path, query, None)

    def _call(
        self, method: str, path: tuple[str, ...], query: Mapping[str, object], body: Mapping[str, object] | None
    ) -> Any:
        """Send a request and give the decoded answer.

        Raises:
            InvalidRequest: it holds what no server takes (an argument that is no UTF-8, say), or it was refused.
        """
        plain.check(body, texts=FILES)
        content = None if body is None else json.dumps(body).encode()
        return self._decoded(*self._send(method, path, query, content))

    def _send(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, object],
        content: bytes | None,
        kind: str = "application/json",
    ) -> tuple[int, bytes]:
        """Send a request and give the status and the body of its answer.

        Raises:
            InvalidRequest: there is no answer, or the request cannot be sent.
        """
        for part in path:
            plain.check(part)
        plain.check({name: value for name, value in query.items() if isinstance(value, str)})
        target = self._base + "/" + "/".join(quote(part, safe="") for part in path)
        known = {name: value for name, value in query.items() if value is not None}
        if known:
            target += "?" + urlencode(known)
        headers = {"Content-Type": kind}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = self._kind(self._host, self._port, timeout=self.timeout)
        try:
            connection.request(method, target, content, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise InvalidRequest(
                f"no answer from {self._url} ({error}): is the server running? Start one with 'godwit serve', or name "
                "another with --api"
            ) from error
        finally:
            connection.close()

    def _decoded(self, status: int, content: bytes) -> Any:
        """The decoded body of an answer.

        Raises:
            InvalidRequest: it is a refusal, told in the server's own words, or no JSON.
        """
        try:
            answer = json.loads(content) if content else None
        except ValueError:
            raise InvalidRequest(f"{self._url} is no Godwit API: it answered {status} and no JSON") from None
        if status >= 400:
            text = answer.get("error") if isinstance(answer, dict) else None
            raise InvalidRequest(str(text or f"{self._url} answered {status}"))
        return answer


def connect(url: str | None, token: str | None, environ: Mapping[str, str]) -> Api:
    """The API that the options, the environment or the ready file name.

    Args:
        url: as given by --api or GODWIT_API.
        token: as given by --token or GODWIT_TOKEN.

    Raises:
        InvalidRequest: nothing names one.
    """
    if url and token:
        return Api(url, token)
    found = ready.read(ready.path_of(None, environ)) if not url else _same(url, environ)
    if found is None:
        raise InvalidRequest(f"no token for {url}: give it with --token or GODWIT_TOKEN")
    return Api(url or found.api, token or found.admin_token)


def reach(url: str | None, environ: Mapping[str, str]) -> Api:
    """The API for what is public: no token is needed, and none is sent.

    Raises:
        InvalidRequest: nothing names one.
    """
    return Api(url or ready.read(ready.path_of(None, environ)).api, "")


def _same(url: str, environ: Mapping[str, str]) -> ready.Ready | None:
    """The ready file, if it speaks of the server at `url`: its token is nobody else's business."""
    try:
        found = ready.read(ready.path_of(None, environ))
    except InvalidRequest:
        return None
    return found if found.api.rstrip("/") == url.rstrip("/") else None
