"""Cuts a stream of bytes into lines (LINE-2, LINE-5)."""

from __future__ import annotations


class LineBuffer:
    """Collects bytes until a line is complete; holds at most one line that is not.

    Args:
        max_line: longest line in bytes, without its line end.
    """

    __slots__ = ("_kept", "_max_line", "_skipping")

    def __init__(self, max_line: int) -> None:
        self._kept = b""
        self._max_line = max_line
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """Take bytes as they come.

        Returns:
            Complete lines without LF, in order. None stands for a line that was too long: told once,
            as soon as it is known, and skipped to its end.
        """
        if self._kept:
            data = self._kept + data
        if -1 < data.find(b"\n") == len(data) - 1 <= self._max_line + 1 and not self._skipping:
            self._kept = b""  # one line and nothing else, as nearly always
            return [data[:-1]]
        found: list[bytes | None] = []
        *lines, rest = data.split(b"\n")
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif len(line) > self._max_line + 1:
                found.append(None)
            else:
                found.append(line)
        if self._skipping:
            rest = b""
        elif len(rest) > self._max_line + 1:
            found.append(None)
            self._skipping = True
            rest = b""
        self._kept = rest
        return found
