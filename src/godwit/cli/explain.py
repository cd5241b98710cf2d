"""Why a channel is where it is."""

from __future__ import annotations

import json
from typing import Any

import typer

from godwit.cli.api import Api
from godwit.cli.times import clock
from godwit.web.names import channel_name


def explain(server: Api, name: str, *, as_json: bool) -> None:
    """Print why a channel has not moved, or how it did."""
    found = server.get("channels", channel_name(name), "explain")
    typer.echo(json.dumps(found) if as_json else "\n".join(told(found)))


def told(found: dict[str, Any]) -> list[str]:
    """The same for people: where it is, one reason since when, its rollout and wave, its moves."""
    lines = [f"#{found['channel']} is on {found['cluster']}, epoch {found['epoch']}"]
    if found.get("reason"):
        since = f" (since {clock(found['since'])})" if found.get("since") else ""
        lines.append(f"{found['reason']}{since}")
    if found.get("rollout"):
        lines.append(f"rollout {found['rollout']}, wave {found['wave']}")
    lines += [_move(move) for move in found.get("moves", ())]
    return lines


def _move(move: dict[str, Any]) -> str:
    error = f", {move['error']}" if move["error"] else ""
    return f"move {move['id']}: {move['from'] or '?'} -> {move['to']}, {move['state']}{error}"
