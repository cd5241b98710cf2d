"""The directory's HTTP side, against a small HTTP server on a free port."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from godwit.client import directory
from godwit.client.directory import HttpDirectory, Place
from godwit.errors import DirectoryUnavailable
from godwit.values import Addresses

MAIN = Addresses(tcp=("127.0.0.1:1",), ws=("127.0.0.1:2",))
AWS = Addresses(tcp=("127.0.0.1:3", "127.0.0.1:4"))


class Server(ThreadingHTTPServer):
    """Answers from `answers`: method -> status and body."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer("POST", body["channels"])

    def do_GET(self) -> None:
        self.answer("GET", parse_qs(urlsplit(self.path).query)["channel"][0])

    def answer(self, method: str, asked: Any) -> None:
        self.server.asked.append((method, asked))
        status, body = self.server.answers[method](asked)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def bulk(channels: list[str]) -> tuple[int, bytes]:
    body = {
        "channels": {name: {"cluster": "aws", "epoch": 3, "draining": False} for name in channels},
        "clusters": {"aws": {"servers": list(AWS.tcp), "websockets_servers": list(AWS.ws)}},
    }
    return 200, json.dumps(body).encode()


def single(channel: str) -> tuple[int, bytes]:
    if channel == "nobody":
        return 404, b'{"error": "unknown"}'
    body = {"cluster": "main", "servers": list(MAIN.tcp), "websockets_servers": list(MAIN.ws)}
    return 200, json.dumps(body).encode()


async def test_many_at_once(server: Server) -> None:
    server.answers["POST"] = bulk
    found = await HttpDirectory(server.url + "/").look_up(["a", "b"])
    assert found == {"a": Place("aws", AWS, 3), "b": Place("aws", AWS, 3)}
    assert server.asked == [("POST", ["a", "b"])]


async def test_a_long_list_is_asked_in_parts(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "MAX_CHANNELS", 2)
    server.answers["POST"] = bulk
    found = await HttpDirectory(server.url).look_up(["a", "b", "c"])
    assert sorted(found) == ["a", "b", "c"]
    assert server.asked == [("POST", ["a", "b"]), ("POST", ["c"])]


async def test_an_old_directory_is_asked_one_by_one(server: Server) -> None:
    server.answers["POST"] = lambda asked: (405, b"")
    server.answers["GET"] = single
    directory = HttpDirectory(server.url)
    assert await directory.look_up(["a", "nobody"]) == {"a": Place("main", MAIN)}
    assert await directory.look_up(["b"]) == {"b": Place("main", MAIN)}
    assert [method for method, _ in server.asked] == ["POST", "GET", "GET", "GET"]


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (500, b"", "answered 500"),
        (200, b"<html>", "cannot be read"),
        (200, b"[]", "cannot be read"),
        (200, b'{"channels": {"a": {"cluster": 1}}, "clusters": {}}', "cannot be read"),
        (200, b" " * 1000, "longer than"),
    ],
)
async def test_bad_answers_are_one_clear_error(
    server: Server, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, text: str
) -> None:
    monkeypatch.setattr(directory, "MAX_ANSWER", 999)
    server.answers["POST"] = lambda asked: (status, body)
    with pytest.raises(DirectoryUnavailable, match=text):
        await HttpDirectory(server.url).look_up(["a"])


async def test_nobody_there_is_one_clear_error(server: Server) -> None:
    url = server.url
    server.server_close()
    with pytest.raises(DirectoryUnavailable, match="/servers"):
        await HttpDirectory(url).look_up(["a"])


def test_another_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="http://"):
        HttpDirectory("ftp://127.0.0.1")
