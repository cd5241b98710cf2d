"""`godwit audit`: who did what, when and why."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from godwit.cli.api import Api, connect
from godwit.cli.facts import seconds_of
from godwit.cli.options import ApiUrl, Json, Token
from godwit.cli.times import clock
from godwit.errors import InvalidRequest

app = typer.Typer(
    no_args_is_help=True,
    help="Who did what, when and why, operators and moderators alike. Example: godwit audit list --subject alice",
)

MOST = 1000
"""Lines that one request lists at most."""

PAGE = MOST
"""Lines that one request of an export lists."""

COLUMNS = ("number", "time", "actor", "action", "subject", "reason", "details")

Subject = Annotated[str | None, typer.Option("--subject", help="Only about this channel, account or rollout.")]
Who = Annotated[str | None, typer.Option("--actor", help="Only what this one did.")]
Action = Annotated[str | None, typer.Option("--action", help="Only what is called so, such as ban.")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Such as 2030-01-31T18:00Z.")]


class Format(StrEnum):
    """How an export is written."""

    CSV = "csv"
    JSONL = "jsonl"


@app.command(name="list")
def list_lines(
    subject: Subject = None,
    who: Who = None,
    action: Action = None,
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="How many lines at most.")] = 50,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show the newest lines of the audit, the newest first.

    Example: godwit audit list --subject alice --action ban
    """
    server = connect(api, token, os.environ)
    found = _page(server, _query(subject, who, action, since), limit)
    if as_json:
        typer.echo(json.dumps({"entries": found}))
        return
    for row in found:
        why = f", because: {row['reason']}" if row["reason"] else ""
        details = f" ({row['details']})" if row["details"] else ""
        typer.echo(f"{clock(row['time'])}  {row['actor']}  {row['action']} {row['subject']}{details}{why}")


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Where to; else to stdout.")] = None,
    kind: Annotated[
        Format | None, typer.Option("--format", help="csv or jsonl; else as the file's name ends, or jsonl.")
    ] = None,
    subject: Subject = None,
    who: Who = None,
    action: Action = None,
    since: Since = None,
    api: ApiUrl = None,
    token: Token = None,
) -> None:
    """Write all lines of the audit, the newest first, as JSON lines or as CSV; times are in seconds since 1970.

    Example: godwit audit export audit.csv --since 2030-01-01
    """
    ending = file.suffix.lower() if file else ""
    as_csv = kind is Format.CSV or (kind is None and ending == ".csv")
    rows = _all(connect(api, token, os.environ), _query(subject, who, action, since))
    if file is None:
        for line in _lines(rows, as_csv=as_csv):
            sys.stdout.write(line)
        return
    try:
        with file.open("w", encoding="utf-8", newline="") as to:
            to.writelines(_lines(rows, as_csv=as_csv))
    except OSError as error:
        raise InvalidRequest(f"cannot write {file}: {error.strerror}") from error


def _query(subject: str | None, who: str | None, action: str | None, since: str | None) -> dict[str, object]:
    return {
        "subject": subject.removeprefix("#") if subject else subject,
        "actor": who,
        "action": action,
        "since": seconds_of(since) if since else None,
    }


def _page(server: Api, query: dict[str, object], limit: int, before: int | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.get("audit", **query, limit=limit, before=before)["entries"]
    return found


def _all(server: Api, query: dict[str, object]) -> Iterator[dict[str, Any]]:
    page = _page(server, query, PAGE)
    yield from page
    while len(page) == PAGE:
        page = _page(server, query, PAGE, before=page[-1]["number"])
        yield from page


def _lines(rows: Iterator[dict[str, Any]], *, as_csv: bool) -> Iterator[str]:
    if not as_csv:
        yield from (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        return
    yield _csv(COLUMNS)
    yield from (_csv([row[name] for name in COLUMNS]) for row in rows)


def _csv(cells: Any) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
