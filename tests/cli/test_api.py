"""Talking to the API from the command line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from godwit.cli import ready
from godwit.cli.api import Api, connect
from godwit.errors import InvalidRequest
from tests.cli.conftest import TOKEN, Server, run, told
from tests.cli.fake import FakeApi


@pytest.fixture
def stranger() -> Iterator[str]:
    """The address of a web server that is no Godwit."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if "list" not in self.path else 500)
            self.end_headers()
            self.wfile.write(b"[1]" if "list" in self.path else b"<html>")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_answer(server: Server) -> None:
    """Names are quoted, and what is None is left out."""
    api = Api(server.url + "/", TOKEN)
    assert api.get("channels", "#alice")["channel"] == "alice"
    assert api.get("moves", channel=None, limit=1) == {"moves": []}
    assert api.post("accounts", body={"login": "bob"})["login"] == "bob"
    assert api.delete("accounts", "bob", by="ann") is None


def test_a_refusal_is_told_in_the_servers_words(server: Server) -> None:
    """Whatever the status."""
    with pytest.raises(InvalidRequest, match=r"'a/b' cannot be a channel|nothing at this address"):
        Api(server.url, TOKEN).get("channels", "a/b")
    with pytest.raises(InvalidRequest, match="Authorization: Bearer"):
        Api(server.url, "wrong").get("channels", "alice")


def test_nobody_there() -> None:
    """What to do is told."""
    with pytest.raises(InvalidRequest, match=r"no answer from http://127\.0\.0\.1:9 .* 'godwit serve'"):
        Api("http://127.0.0.1:9", TOKEN).get("channels", "alice")


def test_somebody_else_there(stranger: str) -> None:
    """No JSON, or JSON of another kind."""
    with pytest.raises(InvalidRequest, match="is no Godwit API: it answered 200 and no JSON"):
        Api(stranger, TOKEN).get("page")
    with pytest.raises(InvalidRequest, match="answered 500"):
        Api(stranger, TOKEN).get("list")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://x", "http://", "http://x:y", "http://x:99999"])
def test_no_address(url: str) -> None:
    """How to write one is told."""
    with pytest.raises(InvalidRequest, match="write it like"):
        Api(url, TOKEN)


def test_a_token_that_cannot_be_sent() -> None:
    """It would break the request in two."""
    with pytest.raises(InvalidRequest, match="copy it from the ready file"):
        Api("http://127.0.0.1:1", "a\r\nX: y")


def test_the_ready_file_names_server_and_token(server: Server, ready_file: Path) -> None:
    """Nothing needs to be given."""
    environ = {ready.VARIABLE: str(ready_file)}
    assert connect(None, None, environ).get("moves") == {"moves": []}
    assert connect(server.url + "/", None, environ).get("moves") == {"moves": []}


def test_what_is_given_wins(server: Server, tmp_path: Path) -> None:
    """Also where there is no ready file."""
    assert connect(server.url, TOKEN, {"XDG_STATE_HOME": str(tmp_path)}).get("moves") == {"moves": []}
    path = tmp_path / "ready.json"
    ready.write(path, {**told(server.url), "admin_token": "old"})
    assert connect(None, TOKEN, {ready.VARIABLE: str(path)}).get("moves") == {"moves": []}


def test_a_token_goes_to_its_own_server_only(tmp_path: Path) -> None:
    """Another address does not get the ready file's token."""
    path = tmp_path / "ready.json"
    ready.write(path, told("http://127.0.0.1:1"))
    for environ in ({ready.VARIABLE: str(path)}, {"XDG_STATE_HOME": str(tmp_path)}):
        with pytest.raises(InvalidRequest, match=r"no token for http://127\.0\.0\.1:2"):
            connect("http://127.0.0.1:2", None, environ)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("rollout", "issue", "add", "caf\udce9"), "args.text: U+DCE9 at place 4"),
        (("rollout", "pause", "--reason", "\udce9"), "reason: U+DCE9"),
        (("rollout", "pause", "--by", "a\x07"), "by: U+0007"),
        (("rollout", "items", "--wave", "\udce9"), "wave: U+DCE9"),
        (("channel", "move", "#alice", "--to", "a\udce9"), "to: U+DCE9"),
        (("account", "add", "bob", "--display-name", "\udce9"), "display_name: U+DCE9"),
        (("account", "remove", "bob", "--by", "\udce9"), "by: U+DCE9"),
    ],
)
def test_an_argument_that_is_no_text_is_not_sent(fake: FakeApi, arguments: tuple[str, ...], told: str) -> None:
    """Told in one line before anything happens: a shell hands on whatever bytes it was given."""
    fake.says("GET", "/rollouts", {"rollouts": [{"id": "r1", "name": "autumn", "state": "running"}]})
    assert told in run(*arguments).refusal
    assert [asked.method for asked in fake.asked] in ([], ["GET"])


def test_an_address_with_such_a_character_is_not_asked() -> None:
    """The same holds for what goes into an address."""
    with pytest.raises(InvalidRequest, match=r"U\+DCE9"):
        Api("http://127.0.0.1:9", TOKEN).get("wishes", "\udce9")
