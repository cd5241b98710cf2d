"""Reads what a server says from a line: no state."""

from __future__ import annotations

from collections.abc import Callable

from godwit.tmi.client_events import (
    ChannelMessage,
    ClientEvent,
    Gap,
    Inquired,
    Notice,
    Other,
    Reconnect,
    RoomState,
    ServerChanged,
    UserState,
)
from godwit.tmi.message import Line
from godwit.values import Addresses, Position

_ACTION = "\x01ACTION "


def channel_of(line: Line) -> str:
    """The channel that the line's first parameter names, '' if it names none."""
    word = line.params[0] if line.params else ""
    return word[1:].lower() if word.startswith("#") else ""


def login_of(line: Line) -> str:
    """The login of the user that sent the line, '' if a server did."""
    nick, mark, _ = (line.prefix or "").partition("!")
    return nick.lower() if mark else ""


def _trailing(line: Line) -> str:
    return line.params[-1] if len(line.params) > 1 else ""


def _number(text: str) -> int | None:
    """A number in at most 18 ASCII digits, else None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _position(line: Line) -> Position | None:
    return Position.parse(line.tags.get("godwit-position", ""))


def read_message(line: Line) -> ClientEvent:
    """A PRIVMSG (MSG-6)."""
    channel, login, text = channel_of(line), login_of(line), _trailing(line)
    if not channel or not login:
        return Other(line)
    action = text.startswith(_ACTION)
    if action:
        text = text[len(_ACTION) :].removesuffix("\x01")
    return ChannelMessage(channel, line.tags.get("id", ""), login, text, action, line.tags, _position(line))


def read_userstate(line: Line) -> ClientEvent:
    """A USERSTATE (STATE-1)."""
    tags = line.tags
    return UserState(channel_of(line), tags.get("id", ""), tags.get("client-nonce", ""), tags)


def read_roomstate(line: Line) -> ClientEvent:
    """A ROOMSTATE: the answer to a JOIN has all settings, a change has not (STATE-2, STATE-3, JOIN-6)."""
    tags = line.tags
    return RoomState(
        channel_of(line),
        joined=not tags or ("slow" in tags and "subs-only" in tags),
        tags=tags,
        position=_position(line),
        cluster=tags.get("godwit-cluster", ""),
        epoch=_number(tags.get("godwit-epoch", "")) or 0,
        home=tags.get("godwit-home", "1") == "1",
    )


def read_notice(line: Line) -> ClientEvent:
    """A NOTICE, or the one that tells of missing lines (NOTICE-1, NOTICE-2)."""
    channel, text = channel_of(line), _trailing(line)
    msg_id = line.tags.get("msg-id", "")
    if msg_id == "godwit_gap" and channel:
        return Gap(channel, _number(line.tags.get("godwit-missing", "")), text)
    return Notice(channel, msg_id, text)


def _list(line: Line, tag: str) -> tuple[str, ...]:
    return tuple(item for item in line.tags.get(tag, "").split(",") if item)


def read_serverchange(line: Line) -> ClientEvent:
    """A SERVERCHANGE in any of its forms (SC-1 to SC-3)."""
    channel = channel_of(line)
    if not channel:
        return Other(line)
    until = _number(line.tags.get("godwit-drain-until", ""))
    return ServerChanged(
        channel,
        cluster=line.tags.get("godwit-cluster", "") or _trailing(line),
        epoch=_number(line.tags.get("godwit-epoch", "")) or 0,
        addresses=Addresses(
            tcp=_list(line, "godwit-tcp"),
            tls=_list(line, "godwit-tls"),
            ws=_list(line, "godwit-ws"),
            wss=_list(line, "godwit-wss"),
        ),
        drain_until=None if until is None else until / 1000,
    )


def read_inquire(line: Line) -> ClientEvent:
    """The answer to an INQUIRE (INQ-1)."""
    channel = channel_of(line)
    if not channel or len(line.params) < 3:
        return Other(line)
    return Inquired(channel, line.params[1], line.params[2], _number(line.tags.get("godwit-epoch", "")) or 0)


def read_reconnect(line: Line) -> ClientEvent:
    """A RECONNECT (RC-1)."""
    return Reconnect()


READERS: dict[str, Callable[[Line], ClientEvent]] = {
    "PRIVMSG": read_message,
    "USERSTATE": read_userstate,
    "ROOMSTATE": read_roomstate,
    "NOTICE": read_notice,
    "SERVERCHANGE": read_serverchange,
    "INQUIRE": read_inquire,
    "RECONNECT": read_reconnect,
}
"""Command -> how it is read, for lines that need no state."""
