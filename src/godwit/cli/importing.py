"""Facts of many channels, read from a file and sent in pieces."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from godwit.cli.api import Api
from godwit.errors import InvalidRequest

PIECE = 1000
"""Rows that one request carries."""

BIGGEST = 500_000
"""Bytes that one request carries at most; one row may be longer."""

KINDS = {".csv": "text/csv", ".jsonl": "application/jsonl", ".ndjson": "application/jsonl"}


def send(server: Api, file: Path) -> dict[str, Any]:
    """Send a file of facts; shows how far it is if someone looks.

    Returns:
        `imported`, the number of rows that were taken, `refused`: `line` of the file and `error` of the others, and
        `refused_count`: how many these are.

    Raises:
        InvalidRequest: the file cannot be read, or the server refuses a request whole. What was sent before stays.
    """
    kind, lines = _load(file)
    header = lines[:1] if kind == "text/csv" else []
    imported = count = 0
    refused: list[dict[str, Any]] = []
    with _Progress(len(lines) - len(header)) as progress:
        for start, piece in _pieces(lines, len(header)):
            found = server.upload("channels", "import", content=b"\n".join([*header, *piece]) + b"\n", kind=kind)
            imported += found["imported"]
            count += found["refused_count"]
            shift = start - len(header)
            refused += [{**row, "line": row["line"] + shift} for row in found["refused"]]
            progress.show(start - len(header) + len(piece))
    return {"imported": imported, "refused": refused, "refused_count": count}


def _load(file: Path) -> tuple[str, list[bytes]]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"cannot read {file}: {error.strerror}") from error
    lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
    if not any(line.strip() for line in lines):
        raise InvalidRequest(f"{file} is empty: write one channel a line, as JSON or as CSV with a heading")
    first = next(line for line in lines if line.strip())
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
