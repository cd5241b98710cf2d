"""Lines of the TMI dialect: tolerant in what is read, strict in what is written (LINE-1 to LINE-5)."""

from __future__ import annotations

import re

import msgspec

from godwit.errors import LocalProtocolError

_ESCAPES = {":": ";", "s": " ", "r": "\r", "n": "\n"}
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_TO_ESCAPE = str.maketrans({"\\": r"\\", ";": r"\:", " ": r"\s", "\r": r"\r", "\n": r"\n"})
_SPECIAL = re.compile(r"[\\; \r\n\0]")
_COMMAND = re.compile(r"[A-Za-z]+|[0-9]{3}")
_BREAKS = b"\r\n\0"
_NOT_IN_KEY = re.compile(r"[\r\n\0 ;=]")
_NOT_IN_WORD = re.compile(r"[\r\n\0 ]")


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line, taken apart.

    Attributes:
        tags: unescaped values; a tag without a value has the empty one.
        prefix: who sent it, without the colon; None if the line names nobody.
        command: as written; compare without regard to case.
        params: the last one may hold spaces.
    """

    tags: dict[str, str]
    prefix: str | None
    command: str
    params: tuple[str, ...]


def unescape(value: str) -> str:
    r"""Read a tag value: `\:` is `;`, `\s` a space; a lone backslash disappears (LINE-4)."""
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), value)


def escape(value: str) -> str:
    """Write a tag value (LINE-4).

    Raises:
        LocalProtocolError: the value holds a NUL, which no escape can express.
    """
    if not _SPECIAL.search(value):
        return value
    if "\0" in value:
        raise LocalProtocolError("a tag value cannot hold a NUL")
    return value.translate(_TO_ESCAPE)


def parse_tags(block: str) -> dict[str, str]:
    """Read a tag block without its `@`; of a repeated key the last one counts (LINE-4)."""
    tags: dict[str, str] = {}
    for item in block.split(";"):
        key, _, value = item.partition("=")
        if key:
            tags[key] = unescape(value)
    return tags


def parse(line: bytes) -> Line | None:
    """Read one line; never raises, whatever the bytes (LINE-2).

    Args:
        line: one line, with or without its line end. NUL, CR and LF are dropped wherever they stand.

    Returns:
        None if the line is empty or has no command.
    """
    rest = line.translate(None, _BREAKS).decode("utf-8", "replace").lstrip(" ")
    tags: dict[str, str] = {}
    if rest.startswith("@"):
        block, _, rest = rest[1:].partition(" ")
        tags = parse_tags(block)
        rest = rest.lstrip(" ")
    prefix = None
    if rest.startswith(":"):
        word, _, rest = rest[1:].partition(" ")
        prefix = word or None
        rest = rest.lstrip(" ")
    if rest.startswith(":"):
        return None
    middle, colon, trailing = rest.partition(" :")
    words = middle.split(" ")
    if "" in words:
        words = [word for word in words if word]
        if not words:
            return None
    if colon:
        words.append(trailing)
    return Line(tags, prefix, words[0], tuple(words[1:]))


def _checked(value: str, forbidden: re.Pattern[str], what: str) -> str:
    if not value or forbidden.search(value):
        raise LocalProtocolError(f"not a {what}: {value!r}")
    return value


def encode(text: str) -> bytes:
    """Write text that is already in the form of a line, with CRLF (LINE-3).

    Raises:
        LocalProtocolError: it holds a line break or NUL, or is not Unicode that UTF-8 can express.
    """
    if "\n" in text or "\r" in text or "\0" in text:  # three searches for one character are faster than one for a class
        raise LocalProtocolError(f"a line cannot hold CR, LF or NUL: {text[:200]!r}")
    try:
        return text.encode("utf-8") + b"\r\n"
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"not Unicode that can be sent: {text[:200]!r}") from error


def encode_lines(text: str, *parts: str) -> bytes:
    """Write lines that have their ends already and were made with `parts` (LINE-3).

    Raises:
        LocalProtocolError: a part holds a line break or NUL, or is not Unicode that UTF-8 can express.
    """
    for part in parts:
        if "\n" in part or "\r" in part or "\0" in part:
            raise LocalProtocolError(f"a line cannot hold CR, LF or NUL: {part[:200]!r}")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"not Unicode that can be sent: {text[:200]!r}") from error


def render_tags(tags: dict[str, str]) -> str:
    """Write a tag block with its `@` and the space behind it; empty for no tags (LINE-4).

    Raises:
        LocalProtocolError: a key or value cannot be written.
    """
    if not tags:
        return ""
    return "@" + ";".join(f"{_checked(key, _NOT_IN_KEY, 'tag')}={escape(tags[key])}" for key in tags) + " "


def render(line: Line) -> bytes:
    """Write a line with CRLF (LINE-1, LINE-3).

    Raises:
        LocalProtocolError: a part cannot be put on a line, so that it would be read as something else.
    """
    if not _COMMAND.fullmatch(line.command):
        raise LocalProtocolError(f"not a command: {line.command!r}")
    prefix = "" if line.prefix is None else f":{_checked(line.prefix, _NOT_IN_WORD, 'prefix')} "
    words = [line.command]
    for number, param in enumerate(line.params, 1):
        if not param or " " in param or param.startswith(":"):
            if number < len(line.params):
                raise LocalProtocolError(f"only the last parameter may be {param!r}")
            param = ":" + param
        words.append(param)
    return encode(render_tags(line.tags) + prefix + " ".join(words))
