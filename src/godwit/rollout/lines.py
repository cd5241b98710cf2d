"""On which line of a TOML text a key stands: the parser of the standard library does not say.

The text is known to be valid TOML, so this reads no more of the grammar than it needs to find keys.
"""

from __future__ import annotations

import re
from bisect import bisect_right

Path = tuple[str | int, ...]
"""The way to a value: keys, and indices of arrays, such as `("wave", 0, "percent")`."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")' r"|'''.*?'{3,5}(?!')" r'|"(?:[^"\\]|\\.)*"' r"|'[^']*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}\n#]*")


class Lines:
    """The lines of a text's tables, keys and elements of arrays."""

    def __init__(self, text: str) -> None:
        """Look through a valid TOML text."""
        self._text = text
        self._at = 0
        self._found: dict[Path, int] = {(): 1}
        self._counts: dict[Path, int] = {}
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._read()

    def of(self, path: Path) -> int:
        """The line of a value, counted from 1; for one that is not there that of what it would be in."""
        while path not in self._found:
            path = path[:-1]
        return self._found[path]

    def _note(self, path: Path, at: int) -> None:
        for length in range(1, len(path) + 1):
            self._found.setdefault(path[:length], bisect_right(self._ends, at) + 1)

    def _skip(self, what: re.Pattern[str]) -> str:
        found = what.match(self._text, self._at)
        assert found
        self._at = found.end()
        return found[0]

    def _read(self) -> None:
        table: Path = ()
        while True:
            self._skip(_BLANK)
            start = self._at
            if start >= len(self._text):
                return
            if self._text.startswith("[[", start):
                self._at += 2
                name = self._inside(self._key())
                self._counts[name] = self._counts.get(name, -1) + 1
                table = (*name, self._counts[name])
                self._at += 2
                self._note(table, start)
            elif self._text[start] == "[":
                self._at += 1
                table = self._inside(self._key())
                self._at += 1
                self._note(table, start)
            else:
                self._pair(table)

    def _inside(self, key: Path) -> Path:
        """The path of a header: arrays of tables on its way stand for their last element."""
        path: Path = ()
        for part in key[:-1]:
            path = (*path, part)
            if path in self._counts:
                path = (*path, self._counts[path])
        return (*path, key[-1])

    def _key(self) -> Path:
        parts: list[str | int] = []
        while True:
            self._skip(_SPACE)
            quoted = self._text[self._at] in "\"'"
            part = self._skip(_STRING if quoted else _BARE_KEY)
            parts.append(part[1:-1] if quoted else part)
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return tuple(parts)
            self._at += 1

    def _pair(self, table: Path) -> None:
        start = self._at
        path = (*table, *self._key())
        self._note(path, start)
        self._at += 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        match self._text[self._at]:
            case "[":
                self._at += 1
                index = 0
                while self._next("]"):
                    self._note((*path, index), self._at)
                    self._value((*path, index))
                    index += 1
            case "{":
                self._at += 1
                while self._next("}"):
                    self._pair(path)
            case '"' | "'":
                self._skip(_STRING)
            case _:
                self._skip(_BARE_VALUE)

    def _next(self, end: str) -> bool:
        """Go to the next element; False, and behind its end, when there is none."""
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_BLANK)
        if self._text[self._at] != end:
            return True
        self._at += 1
        return False
