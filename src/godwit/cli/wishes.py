"""Verbs from the command line: each is one wish, recorded by the server and carried out by its controller."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typer

from godwit.cli.api import Api
from godwit.cli.options import actor
from godwit.errors import InvalidRequest
from godwit.web.names import shown

POLL = 25
"""Seconds that one request waits for the controller's answer."""

FIRST_POLL = 5
"""The same for the request that records the wish: after that a note says what is waited for."""

ENDED = ("finished", "aborted", "reversed")
"""States of a rollout that does nothing by itself any more."""


@dataclass(frozen=True, slots=True)
class Doing:
    """How a verb is to be carried out.

    Attributes:
        by: who does it, None for the user that runs the command.
        dry_run: only check, and say what would be done.
        as_json: print the wish as the server tells it, instead of its answer.
    """

    by: str | None = None
    reason: str = ""
    dry_run: bool = False
    as_json: bool = False


def act(
    server: Api, verb: str, doing: Doing, *, rollout: str = "", args: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Record a wish, wait until the controller has acted on it, and print what came of it.

    Args:
        rollout: id of the rollout that it concerns, '' for the whole network.

    Raises:
        InvalidRequest: it was refused, or its answer can no longer be waited for.
    """
    body = {
        "verb": verb,
        "rollout": rollout,
        "args": dict(args or {}),
        "by": actor(doing.by),
        "reason": doing.reason,
        "dry_run": doing.dry_run,
        "wait": FIRST_POLL,
    }
    wish: dict[str, Any] = server.post("wishes", body=body)
    if wish["state"] == "new" and not doing.dry_run:
        typer.echo(f"recorded as wish {wish['id']}, which stays if you leave; waiting for the controller", err=True)
        wish = _answered(server, wish)
    if wish["state"] == "refused":
        raise InvalidRequest(wish["answer"])
    if doing.as_json:
        typer.echo(json.dumps(wish))
    elif doing.dry_run:
        typer.echo(f"dry run, nothing is changed: {wish['answer']}")
    else:
        typer.echo(wish["answer"] or "done")
    return wish


def _answered(server: Api, wish: dict[str, Any]) -> dict[str, Any]:
    """Wait for the controller."""
    try:
        while wish["state"] == "new":
            wish = server.get("wishes", wish["id"], wait=POLL)
    except InvalidRequest as error:
        raise InvalidRequest(f"lost sight of wish {wish['id']}, which may still be acted on: {error}") from error
    return wish


def pick(server: Api, name: str | None) -> dict[str, Any]:
    """The rollout that a command means.

    Args:
        name: its name or id; None for the one that is under way, or else the newest.

    Raises:
        InvalidRequest: there is none, or it is not clear which.
    """
    known: list[dict[str, Any]] = server.get("rollouts")["rollouts"]
    if name is not None:
        found = [row for row in known if name in (row["id"], row["name"])]
        if not found:
            names = ", ".join(dict.fromkeys(row["name"] for row in known))
            hint = f"there are {names}" if names else "there is none yet"
            raise InvalidRequest(f"there is no rollout {shown(name)}: {hint}")
        return found[0]
    under_way = [row for row in known if row["state"] not in ENDED]
    if len(under_way) > 1:
        names = ", ".join(f"{row['name']} ({row['id']})" for row in under_way)
        raise InvalidRequest(f"{len(under_way)} rollouts are under way: say which with its name or id: {names}")
    if not known:
        raise InvalidRequest(
            "there is no rollout yet: write one and look at it with 'godwit rollout plan rollout.toml'"
        )
    return (under_way or known)[0]
