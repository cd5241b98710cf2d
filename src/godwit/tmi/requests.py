"""Reads what a client wants from a line: no state, no answer."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from godwit.tmi.events import (
    CommandSent,
    InquireRequested,
    JoinRequested,
    MessageSent,
    PartRequested,
    Refused,
)
from godwit.tmi.message import Line
from godwit.tmi.text import MAX_TEXT, Ordered, interpret
from godwit.values import Position, is_channel

AFTER = "godwit-after"
"""The tag of a JOIN that resumes (JOIN-5)."""

MAX_NONCE = 128
"""Code points of a `client-nonce` or a message id; longer ones are dropped (MSG-8)."""


@lru_cache(maxsize=4096)
def channel_of(word: str) -> str | None:
    """The channel a word names, without `#` and in lower case; None if it can be none (JOIN-1)."""
    name = word[1:].lower()
    return name if word.startswith("#") and is_channel(name) else None


def _words(params: Iterable[str]) -> list[str]:
    """Channel words of all parameters: separated by commas, spaces or both (JOIN-1)."""
    return [word for param in params for item in param.split(",") for word in item.split(" ") if word]


def _channels(words: Iterable[str]) -> tuple[tuple[str, ...], list[Refused]]:
    found: dict[str, None] = {}
    refused: list[Refused] = []
    for word in words:
        channel = channel_of(word)
        if channel is None:
            refused.append(Refused(f"not a channel: {word[:80]!r}"))
        else:
            found[channel] = None
    return tuple(found), refused


def read_join(line: Line) -> list[JoinRequested | Refused]:
    """What a JOIN asks for; names that cannot be channels are dropped (JOIN-1, JOIN-5)."""
    words = _words(line.params)
    channels, refused = _channels(words)
    after: dict[str, Position] = {}
    if AFTER in line.tags:
        for word, text in zip(words, line.tags[AFTER].split(","), strict=False):
            channel, position = channel_of(word), Position.parse(text)
            if channel is not None and position is not None:
                after[channel] = position
    return [*([JoinRequested(channels, after)] if channels else []), *refused]


def read_part(line: Line) -> list[PartRequested | Refused]:
    """What a PART asks for (PART-1)."""
    channels, refused = _channels(_words(line.params[:1]))
    return [*([PartRequested(channels)] if channels else []), *refused]


def read_inquire(line: Line) -> list[InquireRequested | Refused]:
    """What an INQUIRE asks for (INQ-1)."""
    channels, refused = _channels(_words(line.params))
    return [*([InquireRequested(channels)] if channels else []), *refused]


def _short(text: str) -> str:
    return text if len(text) <= MAX_NONCE else ""


def plain_message(line: bytes) -> MessageSent | None:
    """Read the line that makes up nearly all traffic: a PRIVMSG without tags, whose text is to be left as it is.

    It means what `parse` and `read_message` make of it, at a quarter of their cost; None if only they can tell.

    Args:
        line: one line, with or without its CR.
    """
    if not line.startswith(b"PRIVMSG #"):
        return None
    word, _, text = line[8:].decode("utf-8", "replace").partition(" :")
    if text.endswith("\r"):
        text = text[:-1]
    if not text or text[0] in " /." or text[-1] == " " or len(text) > MAX_TEXT or "  " in text:
        return None
    if not text.isprintable():  # so there is no ACTION, nor anything to drop
        return None
    channel = channel_of(word)
    return None if channel is None else MessageSent(channel, text)


def read_message(line: Line) -> MessageSent | CommandSent | Refused:
    """What a PRIVMSG means (MSG-2 to MSG-5, MSG-7, MSG-8)."""
    channel = channel_of(line.params[0])
    if channel is None:
        return Refused(f"not a channel: {line.params[0][:80]!r}")
    meaning = interpret(line.params[1])
    if isinstance(meaning, Ordered):
        return CommandSent(channel, meaning.name, meaning.args)
    if not meaning.text:
        return Refused("a message without text")
    if not line.tags:
        return MessageSent(channel, meaning.text, meaning.action)
    return MessageSent(
        channel,
        meaning.text,
        meaning.action,
        _short(line.tags.get("client-nonce", "")),
        _short(line.tags.get("reply-parent-msg-id", "")),
    )
