"""The ready file: where a running server listens, for the commands that talk to it."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from godwit.errors import InvalidRequest

VARIABLE = "GODWIT_READY_FILE"


class Cluster(msgspec.Struct, frozen=True):
    """Where a cluster listens: `host:port`, and a URL for WebSocket; None where it does not."""

    tcp: str | None = None
    tls: str | None = None
    ws: str | None = None


class Ready(msgspec.Struct, frozen=True):
    """What the ready file says."""

    pid: int
    api: str
    admin_token: str
    clusters: dict[str, Cluster]


def path_of(given: Path | None, environ: Mapping[str, str]) -> Path:
    """Where the ready file is: as given, else as GODWIT_READY_FILE says, else in the user's state directory."""
    if given is not None:
        return given
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE])
    return state_of(environ) / "ready.json"


def state_of(environ: Mapping[str, str]) -> Path:
    """The directory of the user's state that is Godwit's."""
    state = environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "godwit"


def read(path: Path) -> Ready:
    """Read a ready file.

    Raises:
        InvalidRequest: there is none, or it is something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Ready)
    except FileNotFoundError as error:
        raise InvalidRequest(
            f"no server has left a ready file at {path}: start one with 'godwit serve', or say where it is "
            f"(--api and --token, or {VARIABLE})"
        ) from error
    except OSError as error:
        raise InvalidRequest(f"cannot read the ready file {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path} is not a ready file: {error}") from error


def write(path: Path, ready: Mapping[str, Any]) -> None:
    """Write a ready file whole or not at all, readable by its owner only: it holds the admin token.

    Raises:
        InvalidRequest: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(msgspec.json.format(msgspec.json.encode(ready)) + b"\n")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidRequest(f"cannot write the ready file {path}: {error.strerror}") from error


def remove(path: Path, pid: int) -> None:
    """Remove the ready file of process `pid`; that of a server started since is left alone."""
    with contextlib.suppress(InvalidRequest, OSError):
        if read(path).pid == pid:
            path.unlink()
