"""A rollout's file, and its plan as people look at it."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from godwit.cli import tables
from godwit.cli.api import Api
from godwit.errors import InvalidRequest
from godwit.rollout import definition
from godwit.rollout.forecast import spell
from godwit.values import GROUP

FIRST = 3
"""Channels that are named of many, unless all are wanted."""


def read(server: Api, file: Path) -> str:
    """Read and check a rollout's file; lists that it names in files of their own become part of it.

    Returns:
        The rollout as TOML that stands for itself.

    Raises:
        InvalidRequest: it cannot be read, or is no rollout; with file, line and what was expected.
    """
    text = _text(file)
    # Told here, where lines are those of the file: what is sent has others.
    clusters = [row["name"] for row in server.get("clusters")["clusters"] if row["name"] != GROUP]
    try:
        found = definition.parse(
            text, str(file), read=lambda name: (file.parent / name).read_text("utf-8"), clusters=clusters
        )
    except InvalidRequest as error:
        faults = str(error).splitlines()
        if len(faults) == 1:
            raise
        for fault in faults:
            typer.echo(fault, err=True)
        raise InvalidRequest(f"{file} cannot be a rollout: {len(faults)} faults") from error
    return definition.dump(found)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise InvalidRequest(f"cannot read {file}: it is not UTF-8 text") from error


def quoted(file: Path) -> str:
    """A file's name as a shell takes it."""
    return shlex.quote(str(file))


def ask(server: Api, toml: str) -> dict[str, Any]:
    """What the server makes of a rollout."""
    found: dict[str, Any] = server.post("rollouts", "plan", body={"toml": toml})
    return found


def show(plan: dict[str, Any], *, everything: bool) -> None:
    """Print a plan.

    Args:
        everything: name every channel that is left out.
    """
    table = tables.grid(
        "wave", "channels", "hot", "cold", "largest", "gates", "about", right=("channels", "hot", "cold", "about")
    )
    for wave in plan["waves"]:
        table.add_row(
            wave["name"],
            f"{wave['count']:,}",
            tables.number(wave["hot"]),
            tables.number(wave["cold"]),
            _largest(wave),
            ", ".join(wave["gates"]) or "-",
            spell(wave["seconds"]),
        )
    total = sum(wave["count"] for wave in plan["waves"])
    heading = Text(f"{plan['name']}: {total:,} channels to {plan['to']}, about {spell(plan['seconds'])}", style="bold")
    tables.show(heading, table)
    _left_out(plan["excluded"], everything)
    for name in plan["unknown"]:
        typer.echo(f"unknown: nothing is known of #{name}")
    for warning in plan["warnings"]:
        typer.echo(f"note: {warning}")
    typer.echo(f"hash: {plan['hash']}")


def warn(plan: dict[str, Any], before: dict[str, Any] | None) -> None:
    """Say on stderr what makes a plan another one than the one that was looked at.

    Args:
        before: that one, if it was looked at here.
    """
    if before is None:
        typer.echo(f"no plan with that hash was looked at here; the plan is {plan['hash']} now", err=True)
        return
    for difference in differences(before, plan):
        typer.echo(f"changed: {difference}", err=True)


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What a plan does otherwise than an earlier one, as far as plans tell."""
    found = [] if before["to"] == now["to"] else [f"it goes to {now['to']}, not to {before['to']}"]
    old, new = ({wave["name"]: wave["count"] for wave in plan["waves"]} for plan in (before, now))
    for name in {**new, **old}:
        if name not in old or name not in new:
            found.append(f"wave '{name}' is {'new' if name in new else 'gone'}")
        elif old[name] != new[name]:
            found.append(f"wave '{name}': {new[name]:,} channels, {old[name]:,} before")
    left, taken = ({row["channel"]: row["reason"] for row in plan["excluded"]} for plan in (now, before))
    for names, what in (
        ([name for name in left if name not in taken], "left out now"),
        ([name for name in taken if name not in left], "no longer left out"),
        ([name for name in left if taken.get(name, left[name]) != left[name]], "left out for another reason"),
    ):
        if names:
            found.append(f"{what}: {_names(names)}")
    return found or ["the numbers are the same, but not the channels, or the file says something else"]


def _names(names: list[str]) -> str:
    more = f" and {len(names) - FIRST:,} more" if len(names) > FIRST else ""
    return ", ".join(f"#{name}" for name in names[:FIRST]) + more


def _largest(wave: dict[str, Any]) -> str:
    largest = wave.get("largest")
    return f"#{largest['channel']} ({largest['members']:,})" if largest else "-"


def _left_out(excluded: list[dict[str, str]], everything: bool) -> None:
    counts = Counter(row["reason"] for row in excluded)
    for reason, count in counts.most_common():
        names = [row["channel"] for row in excluded if row["reason"] == reason]
        told = ", ".join(f"#{name}" for name in names) if everything else _names(names)
        typer.echo(f"left out, {reason}: {count:,} ({told})")
