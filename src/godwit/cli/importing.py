"""Rows of a file, such as facts of many channels, sent to the server in pieces."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from godwit.cli.api import Api
from godwit.errors import InvalidRequest

PIECE = 1000
"""Rows that one request carries."""

BIGGEST = 500_000
"""Bytes that one request carries at most; one row may be longer."""

File = Annotated[Path, typer.Argument(metavar="FILE", help="One row a line: JSON, or CSV with a heading.")]

KINDS = {".csv": "text/csv", ".jsonl": "application/jsonl", ".ndjson": "application/jsonl"}


def bring(server: Api, file: Path, by: str, *path: str, as_json: bool, add: bool = False) -> None:
    """Send a file, and tell which rows were taken and which were not; ends with status 1 if some were refused."""
    found = send(server, file, by, *path, add="true" if add else None)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        typer.echo(f"rows written: {found['imported']:,}")
        for row in found["refused"]:
            typer.echo(f"{file}:{row['line']}: {row['error']}", err=True)
    if found["refused_count"]:
        typer.echo(f"godwit: rows refused: {found['refused_count']:,}", err=True)
        raise typer.Exit(1)


def send(server: Api, file: Path, by: str, *path: str, **query: str | None) -> dict[str, Any]:
    """Send a file; shows how far it is if someone looks.

    Args:
        by: who says so, for the audit.
        path: where rows of this kind go.

    Returns:
        `imported`, the number of rows that were taken, `refused`: `line` of the file and `error` of the others, and
        `refused_count`: how many these are.

    Raises:
        InvalidRequest: the file cannot be read, or the server refuses a request whole. What was sent before stays.
    """
    kind, lines = _load(file)
    first = next(index for index, line in enumerate(lines) if line.strip())
    heading = [lines[first]] if kind == "text/csv" else []
    begin = first + len(heading)
    imported = count = 0
    refused: list[dict[str, Any]] = []
    with _Progress(len(lines) - begin) as progress:
        for start, piece in _pieces(lines, begin):
            content = b"\n".join([*heading, *piece]) + b"\n"
            found = server.upload(*path, content=content, kind=kind, by=by, **query)
            imported += found["imported"]
            count += found["refused_count"]
            shift = start - len(heading)
            refused += [{**row, "line": row["line"] + shift} for row in found["refused"]]
            progress.show(start - begin + len(piece))
    return {"imported": imported, "refused": refused, "refused_count": count}


def _load(file: Path) -> tuple[str, list[bytes]]:
    """The kind of a file, and its lines; one of them at least is not empty."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"cannot read {file}: {error.strerror}") from error
    lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise InvalidRequest(f"{file} is empty: write one row a line, as JSON or as CSV with a heading")
    kind = KINDS.get(file.suffix.lower()) or ("application/jsonl" if first.lstrip()[:1] == b"{" else "text/csv")
    return kind, lines


def _pieces(lines: list[bytes], begin: int) -> Iterator[tuple[int, list[bytes]]]:
    """The lines from index `begin` on in pieces that a request may carry, each with the index of its first."""
    piece: list[bytes] = []
    size = 0
    start = begin
    for index in range(begin, len(lines)):
        line = lines[index]
        if piece and (len(piece) == PIECE or size + len(line) > BIGGEST):
            yield start, piece
            piece, size, start = [], 0, index
        piece.append(line)
        size += len(line) + 1
    if piece:
        yield start, piece


class _Progress:
    """Says on a terminal how many rows were sent."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            typer.echo("", err=True)

    def show(self, done: int) -> None:
        """Show the number of rows sent so far."""
        if self._shown:
            typer.echo(f"\r{done:,} of {self._total:,} rows", nl=False, err=True)
