"""Rows that somebody imports: JSON Lines, or CSV with a heading, read as they come in and refused one by one."""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncIterator, Collection
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from godwit.errors import InvalidRequest
from godwit.web.names import shown

LONGEST_LINE = 10_000
"""Bytes of one row."""

Row = TypeVar("Row", bound=BaseModel)


class Reader:
    """Reads the rows of one import.

    Args:
        kind: the content type; if it does not say, the first line does.
        columns: what a row may have; the first ones are shown as an example of a heading.
        needed: those of them that each row must have.
        empty: columns whose empty cells say something; other empty cells of CSV say nothing.
    """

    def __init__(
        self, kind: str, columns: Collection[str], needed: Collection[str], empty: Collection[str] = ()
    ) -> None:
        self._kind = kind
        self._columns = columns
        self._needed = needed
        self._empty = empty
        self._heading: list[str] | None = None
        self.number = 0
        """The number of the line that was read last, from 1."""

    def read(self, line: bytes) -> dict[str, Any] | None:
        """What a line says; None for the heading and for an empty line.

        Raises:
            InvalidHeading: nothing of the file can be read.
            InvalidRequest: the row is none.
        """
        self.number += 1
        if not line.strip():
            return None
        if self.number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if self._heading is None:
            self._heading = [] if self._is_json(line) else self._read_heading(line)
            if self._heading:
                return None
        given = self._of_csv(line, self._heading) if self._heading else _of_json(line)
        for name in self._needed:
            if not isinstance(given.get(name), str):
                raise InvalidRequest(f"the row names no {name}")
        return given

    def _is_json(self, line: bytes) -> bool:
        if "json" in self._kind:
            return True
        return "csv" not in self._kind and line.lstrip()[:1] == b"{"

    def _read_heading(self, line: bytes) -> list[str]:
        example = f"begin with a heading such as {','.join(self._columns)}"
        try:
            columns = [cell.lower() for cell in _cells(line)]
        except InvalidRequest as error:
            raise InvalidHeading(f"{error}: {example}") from error
        wrong = [name for name in columns if name not in self._columns]
        if wrong:
            raise InvalidHeading(f"{shown(wrong[0])} is no column: {example}")
        if not set(self._needed) <= set(columns) or len(set(columns)) != len(columns):
            raise InvalidHeading(f"{example}: each once, {' and '.join(self._needed)} among them")
        return columns

    def _of_csv(self, line: bytes, heading: list[str]) -> dict[str, Any]:
        cells = _cells(line)
        if len(cells) != len(heading):
            raise InvalidRequest(f"{len(cells)} cells, the heading has {len(heading)}")
        return {key: cell for key, cell in zip(heading, cells, strict=True) if cell or key in self._empty}


class InvalidHeading(InvalidRequest):
    """The whole file is refused: nobody can tell what its columns are."""


def checked(model: type[Row], given: dict[str, Any]) -> Row:
    """A row as its model has it.

    Raises:
        InvalidRequest: it does not fit; says which column, and why.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidRequest(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


async def lines_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of a body, as it comes in; a line that is too long is cut, and refused later."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line
        rest = rest[: LONGEST_LINE + 1]
    if rest:
        yield rest


def _of_json(line: bytes) -> dict[str, Any]:
    try:
        given = json.loads(_text(line))
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("the row is not JSON") from error
    if not isinstance(given, dict):
        raise InvalidRequest("the row is not a JSON object")
    return given


def _text(line: bytes) -> str:
    if len(line) > LONGEST_LINE:
        raise InvalidRequest(f"the row is longer than {LONGEST_LINE} bytes")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest("the row is not UTF-8") from error


def _cells(line: bytes) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([_text(line)], strict=True))]
    except (csv.Error, StopIteration) as error:
        raise InvalidRequest("the row is not CSV") from error
