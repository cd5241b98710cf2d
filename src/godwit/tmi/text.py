"""What somebody typed: cleaned, and told apart as text, action or command (MSG-2 to MSG-4)."""

from __future__ import annotations

import re

import msgspec

from godwit.values import Reply

MAX_TEXT = 500
"""Code points of a message that are kept (MSG-2)."""

_CONTROLS = str.maketrans(dict.fromkeys("\0\1\r\n"))
_SPACES = re.compile(r" {2,}")
_COMMAND = re.compile(r"[/.]([A-Za-z][A-Za-z0-9_]*)(?: (.*))?", re.DOTALL)
_ACTION = "\x01ACTION "


def addressed(text: str, reply: Reply | None) -> str:
    """A text as it is shown: a reply has `@Name ` in front (MSG-7)."""
    return f"@{reply.display_name or reply.user_login} {text}" if reply else text


class Said(msgspec.Struct, frozen=True, gc=False):
    """Text for everybody; `action` for `/me`. Empty text is not sent."""

    text: str
    action: bool = False


class Ordered(msgspec.Struct, frozen=True, gc=False):
    """A command to the server, such as `/ban ronni`: its name in lower case, and what follows it."""

    name: str
    args: str = ""


def clean(text: str) -> str:
    """Drop characters that cannot be shown, make runs of spaces one, trim the ends (MSG-2)."""
    if not text.isprintable():  # no control character is
        text = text.translate(_CONTROLS)
    if "  " in text:
        text = _SPACES.sub(" ", text)
    return text.strip(" ")


def cut(text: str) -> str:
    """The first 500 code points, without a space at the end (MSG-2)."""
    return text[:MAX_TEXT].rstrip(" ")


def interpret(raw: str) -> Said | Ordered:
    """Tell what the text of a PRIVMSG means.

    `/me` and `.me`, and an ACTION made by the client, are actions (MSG-3). A slash or dot directly
    before a letter is a command (MSG-4); one that stands alone before a space marks the rest as plain
    text and is dropped; any other one is part of the text.
    """
    if raw.startswith(_ACTION):
        return Said(cut(clean(raw[len(_ACTION) :])), True)
    text = clean(raw)
    if not text.startswith(("/", ".")):
        return Said(cut(text))
    if text.startswith(("/ ", ". ")):
        return Said(cut(text[2:]))
    found = _COMMAND.fullmatch(text)
    if found is None:
        return Said(cut(text))
    name, args = found[1].lower(), found[2] or ""
    if name == "me" and args:
        return Said(cut(args), True)
    return Ordered(name, args)
