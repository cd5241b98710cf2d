"""The ready file."""

from __future__ import annotations

from pathlib import Path

import pytest

from godwit.cli import ready
from godwit.errors import InvalidRequest
from tests.cli.conftest import told


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As given, as the environment says, in the user's state."""
    monkeypatch.setenv("HOME", "home")
    everything = {"GODWIT_READY_FILE": "named", "XDG_STATE_HOME": "state"}
    assert ready.path_of(Path("given"), everything) == Path("given")
    assert ready.path_of(None, everything) == Path("named")
    assert ready.path_of(None, {"XDG_STATE_HOME": "state"}) == Path("state/godwit/ready.json")
    assert ready.path_of(None, {}) == Path("home/.local/state/godwit/ready.json")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """By its owner only, whole, and nothing else is left beside it."""
    path = tmp_path / "new" / "ready.json"
    ready.write(path, told("http://127.0.0.1:1"))
    found = ready.read(path)
    assert (found.pid, found.api, found.admin_token) == (1, "http://127.0.0.1:1", "the-admin-token")
    assert found.clusters["aws"] == ready.Cluster("127.0.0.1:6668", None, "ws://127.0.0.1:8081/")
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_an_older_one_is_replaced(tmp_path: Path) -> None:
    """Also one that others could read."""
    path = tmp_path / "ready.json"
    path.write_text("old")
    path.chmod(0o644)
    ready.write(path, told("http://127.0.0.1:1"))
    assert ready.read(path).pid == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_one_that_cannot_be_written(tmp_path: Path) -> None:
    """The reason is told."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidRequest, match="cannot write the ready file"):
        ready.write(tmp_path / "file" / "ready.json", told(""))


def test_only_the_own_one_is_removed(tmp_path: Path) -> None:
    """A server started since keeps its file."""
    path = tmp_path / "ready.json"
    ready.write(path, told("http://127.0.0.1:1", pid=7))
    ready.remove(path, 8)
    assert path.exists()
    ready.remove(path, 7)
    assert not path.exists()
    ready.remove(path, 7)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"pid": "x"}'])
def test_something_else(tmp_path: Path, content: bytes) -> None:
    """It is refused with its name."""
    path = tmp_path / "ready.json"
    path.write_bytes(content)
    with pytest.raises(InvalidRequest, match=r"ready\.json is not a ready file"):
        ready.read(path)


def test_none(tmp_path: Path) -> None:
    """What to do is told."""
    with pytest.raises(InvalidRequest, match="start one with 'godwit serve'"):
        ready.read(tmp_path / "ready.json")
    with pytest.raises(InvalidRequest, match="cannot read the ready file"):
        ready.read(tmp_path)
